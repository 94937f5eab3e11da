/**
 * The command rollback, by a person: says what would be done, and starts the unit that does it. The
 * unit's own two steps stand in lib/releases.
 */

import { messageOf, observe, UserError } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { writeAtomically } from "../files.ts";
import { readRecords, renderDocument } from "../log.ts";
import { print } from "../outputs/narrator.ts";
import { renderReleases } from "../outputs/status.ts";
import { openDatabaseReader } from "../probes/database.ts";
import { readUnit } from "../probes/unit.ts";
import { planRollback, type Release, readReleases } from "../releases/plan.ts";
import { runConfirm, runSwitch, type VerifyCore } from "../releases/rollback.ts";
import type { ReleaseState, RollbackRecord, RollbackRequest } from "../releases/state.ts";
import { requireState } from "../releases/state-file.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { isoOf } from "../text.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/** How the unit that rolls back came to its end. */
type RollbackStart = {
  /** `locked` by a deployment; `failed`: it never began. */
  state: "ended" | "locked" | "failed";
  /** A sentence. */
  says: string;
};

/** systemd's own time for a start beside that of the rollback. */
const START_MS_MAX = 120_000;

/**
 * Starts the unit that rolls back, and waits for it. The unit is the lock: whoever comes second
 * waits for the same rollback.
 */
export async function startRollback({ name, rollback }: Config): Promise<RollbackStart> {
  const unit = `cytube-rollback@${name}.service`;
  const sudo = process.geteuid?.() === 0 ? [] : ["sudo", "--non-interactive"];
  const argv = [...sudo, "systemctl", "start", unit];
  const ran = await observe(() => readCommand(argv, rollback.secondsMax * 1000 + START_MS_MAX));
  if (ran.seen && ran.value.code === 0) return { state: "ended", says: `${unit} has ended` };
  const shown = await observe(() => readUnit(unit));
  // Where the unit is not installed, its journal has nothing to say.
  const further = shown.seen ? `; see journalctl -u ${unit}` : "";
  const explain = (why: string): string => `${unit} did not roll back: ${why}${further}`;
  if (!ran.seen) return { state: "failed", says: explain(ran.why) };
  if (shown.seen && shown.value.ExecMainStatus === String(EXIT.busy)) {
    return { state: "locked", says: explain("a deployment holds the lock (exit 75)") };
  }
  const { stderr, code } = ran.value;
  return { state: "failed", says: explain(stderr || `exit ${code}`) };
}

/** The database's schema as it is now; null where it cannot be seen, or there is none. */
async function readSchema(config: Config): Promise<string | null> {
  if (!config.database) return null;
  const database = openDatabaseReader(config);
  const seen = await observe(database.inspect);
  database.close();
  return seen.seen ? seen.value.schema : null;
}

/** What a person asks for; without a current release, the one that was judged last is left. */
async function readRequest(
  { flags }: CommandLine,
  config: Config,
  { state, releases }: { state: ReleaseState; releases: readonly Release[] },
): Promise<RollbackRequest> {
  const current = releases.find((row) => row.current);
  return {
    by: "person",
    run: state.last?.run ?? null,
    releaseId: current?.releaseId ?? state.last?.releaseId ?? null,
    checks: [],
    schema: await readSchema(config),
    to: flags.to ?? null,
    emergency: flags.emergency === true,
  };
}

/** Leaves a request where the unit looks for it; throws where this user may not. */
function writeRequest(config: Config, request: RollbackRequest): void {
  try {
    writeAtomically(config.state.flag("rollback"), JSON.stringify(request));
  } catch (error) {
    const why = `The rollback cannot be asked for: ${messageOf(error)}`;
    throw new UserError(EXIT.permission, `${why}. ${ACCESS_REMEDY}`);
  }
}

/** What the command ends with where the unit left no record of a rollback. */
const EXITS: Readonly<Record<RollbackStart["state"], number>> = {
  ended: EXIT.internal,
  locked: EXIT.busy,
  failed: EXIT.permission,
};

/** Starts the unit, waits for it, and prints what it did; resolves to the exit code. */
async function followRollback(config: Config, isJson: boolean): Promise<number> {
  const begunAt = isoOf(Date.now());
  const { state, says } = await startRollback(config);
  const records = readRecords(config.logFile).records as RollbackRecord[];
  const record = records.findLast(({ kind, ts }) => kind === "rollback" && ts >= begunAt);
  if (!record) {
    await print(`${says}\n`);
    return EXITS[state];
  }
  await print(isJson ? renderDocument(record) : `${record.action}\n`);
  return record.exit;
}

/**
 * Rolls back as a person asks, lists the releases, or only says what would be done; for the unit,
 * takes one of its two steps. Throws a `UserError` where the rollback is refused, and then nothing
 * was changed. Resolves to the exit code.
 */
export async function runRollback(
  line: CommandLine,
  config: Config,
  { narrator, verifyCore }: { narrator: Narrator; verifyCore: VerifyCore },
): Promise<number> {
  const { flags, json: isJson } = line;
  if (flags.switch) return runSwitch(config, narrator);
  if (flags.confirm) return runConfirm(config, narrator, verifyCore);
  const state = requireState(config);
  const releases = readReleases(config, state);
  if (flags.list) return print(isJson ? renderDocument(releases) : renderReleases(releases));
  const request = await readRequest(line, config, { state, releases });
  const now = Date.now();
  const { exit, why, to } = planRollback({ request, releases, state, config, now });
  if (exit) throw new UserError(exit, `No rollback: ${why}. Nothing was changed.`);
  const from = request.releaseId;
  const way = `${from} → ${to ?? "by rollback.command"}`;
  if (flags.dryRun) {
    const bot = config.process.unit ?? "the bot";
    const says = `Would roll back ${way}, and restart ${bot}; nothing was changed.\n`;
    return print(isJson ? renderDocument({ from, to }) : says);
  }
  writeRequest(config, { ...request, to });
  narrator.narrate(`rolling back ${way} …`);
  return followRollback(config, isJson);
}
