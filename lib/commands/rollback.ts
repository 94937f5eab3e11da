/** The command rollback, by a person: says what would be done, and starts the unit that does it. */

import { observe, orMessage, UserError } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { writeAtomically } from "../files.ts";
import { readRecords, renderDocument } from "../log.ts";
import { print } from "../outputs/narrator.ts";
import { renderReleases } from "../outputs/status.ts";
import { openDatabaseReader } from "../probes/database.ts";
import { readUnit } from "../probes/unit.ts";
import { planRollback, readReleases } from "../releases/plan.ts";
import { runConfirm, runSwitch, type VerifyCore } from "../releases/rollback.ts";
import type { RollbackRecord, RollbackRequest } from "../releases/state.ts";
import { requireState } from "../releases/state-file.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { isoOf } from "../text.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/**
 * How the unit that rolls back came to its end: `ended`, or `locked` by a deployment, or never
 * begun; `says` is a sentence.
 */
type RollbackStart = { state: "ended" | "locked" | "failed"; says: string };
/**
 * Starts the unit that rolls back, and waits for it. The unit is the lock: whoever comes second
 * waits for the same rollback.
 */
export async function startRollback({ name, rollback }: Config): Promise<RollbackStart> {
  const unit = `cytube-rollback@${name}.service`;
  const sudo = process.geteuid?.() === 0 ? [] : ["sudo", "--non-interactive"];
  const ran = await observe(() =>
    readCommand([...sudo, "systemctl", "start", unit], rollback.secondsMax * 1000 + 120_000),
  );
  if (ran.seen && ran.value.code === 0) return { state: "ended", says: `${unit} has ended` };
  const shown = await observe(() => readUnit(unit));
  const isLocked = ran.seen && shown.seen && shown.value.ExecMainStatus === String(EXIT.busy);
  const why = isLocked
    ? "a deployment holds the lock (exit 75)"
    : ran.seen
      ? ran.value.stderr || `exit ${ran.value.code}`
      : ran.why;
  // Where the unit is not installed, its journal has nothing to say.
  const further = shown.seen ? `; see journalctl -u ${unit}` : "";
  return {
    state: isLocked ? "locked" : "failed",
    says: `${unit} did not roll back: ${why}${further}`,
  };
}

export async function runRollback(
  { flags, json }: CommandLine,
  config: Config,
  narrator: Narrator,
  verifyCore: VerifyCore,
): Promise<number> {
  if (flags.switch) return runSwitch(config, narrator);
  if (flags.confirm) return runConfirm(config, narrator, verifyCore);
  const state = requireState(config);
  const releases = readReleases(config, state);
  if (flags.list) return print(json ? renderDocument(releases) : renderReleases(releases));
  const release = releases.find((row) => row.current)?.id ?? state.last?.release ?? null;
  const database = config.database && openDatabaseReader(config);
  const seen = database && (await observe(database.inspect));
  database?.close();
  const schema = seen?.seen ? seen.value.schema : null;
  const asked = {
    by: "person" as const,
    run: state.last?.run ?? null,
    release,
    checks: [],
    schema,
  };
  const request: RollbackRequest = {
    ...asked,
    to: flags.to ?? null,
    emergency: flags.emergency === true,
  };
  const { exit, why, to } = planRollback({
    request,
    releases,
    state,
    config,
    now: Date.now(),
  });
  if (exit) throw new UserError(exit, `No rollback: ${why}. Nothing was changed.`);
  const way = `${release} → ${to ?? "by rollback.command"}`;
  const dry = `Would roll back ${way}, and restart ${config.process.unit ?? "the bot"}; nothing was changed.\n`;
  if (flags.dryRun) return print(json ? renderDocument({ from: release, to }) : dry);
  const blocked = orMessage(() =>
    writeAtomically(config.state.flag("rollback"), JSON.stringify({ ...request, to })),
  );
  if (blocked)
    throw new UserError(
      EXIT.permission,
      `The rollback cannot be asked for: ${blocked}. ${ACCESS_REMEDY}`,
    );
  const begunAt = isoOf(Date.now());
  narrator.narrate(`rolling back ${way} …`);
  const outcome = await startRollback(config);
  const records = readRecords(config.logFile).records as RollbackRecord[];
  const record = records.findLast(({ kind, ts }) => kind === "rollback" && ts >= begunAt);
  await print(json && record ? renderDocument(record) : `${record?.action ?? outcome.says}\n`);
  return (
    record?.exit ??
    { ended: EXIT.internal, locked: EXIT.busy, failed: EXIT.permission }[outcome.state]
  );
}
