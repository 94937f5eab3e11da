/**
 * The two halves of a rollback inside its unit: switch and confirm. The restart between them is
 * systemd's, and whether there is one to do is decided elsewhere.
 */

import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { observe, orMessage, orNull, UserError } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile, syncDirectory, writeAtomically } from "../files.ts";
import { readRecords } from "../log.ts";
import { readCurrent } from "../probes/release.ts";
import type { Result, Run } from "../run.ts";
import { CHECK_CODES, type CheckName, EXIT, type Narrator } from "../vocabulary.ts";
import { planRollback, readReleases } from "./plan.ts";
import { failedChecks } from "./request.ts";
import {
  foldRecord,
  type Outcome,
  type ReleaseState,
  type RollbackUnderWay,
  rollbackRecord,
} from "./state.ts";
import { readState, writeRecordAndState } from "./state-file.ts";

/**
 * Points `current` at a release by one rename of a new link: whatever cuts this short, it is one
 * whole link or the other.
 */
function switchCurrent(current: string, target: string): void {
  const directory = path.dirname(current);
  const next = `${current}.next`;
  fs.rmSync(next, { force: true });
  fs.symlinkSync(
    path.isAbsolute(fs.readlinkSync(current)) ? target : path.relative(directory, target),
    next,
  );
  syncDirectory(directory);
  fs.renameSync(next, current);
  syncDirectory(directory);
}

const readRequest = (file: string): RollbackUnderWay | null =>
  orNull(() => JSON.parse(readSmallFile(file, 65_536)));

function endRollback(
  config: Config,
  { narrate }: Narrator,
  request: RollbackUnderWay,
  outcome: Outcome,
): number {
  const record = rollbackRecord(config, request, outcome);
  writeRecordAndState(config, record, narrate);
  narrate(record.action);
  fs.rmSync(config.state.flag("rolling"), { force: true });
  return record.exit;
}

/**
 * First half of a rollback, inside its unit: decides, marks, switches. The unit then restarts the
 * bot.
 */
export async function runSwitch(config: Config, narrator: Narrator): Promise<number> {
  const { flag, releases: memory } = config.state;
  const [asked, rolling] = [flag("rollback"), flag("rolling")];
  if (!fs.existsSync(asked))
    throw new UserError(EXIT.refused, `Nothing has asked for a rollback: there is no ${asked}`);
  // Taken first: a rollback that is cut short must not begin again by itself.
  const untaken = orMessage(() => fs.renameSync(asked, rolling));
  if (untaken)
    throw new UserError(EXIT.permission, `The request for a rollback cannot be taken: ${untaken}`);
  const request = readRequest(rolling);
  if (!request)
    throw new UserError(EXIT.refused, `What asks for a rollback cannot be read: ${rolling}`);
  const state = readState(config);
  const releases = readReleases(config, state);
  const { directory = "", current = "" } = config.release ?? {};
  const { command, secondsMax } = config.rollback;
  const refuse = (exit: number, why: string): number => {
    const action = `No rollback: ${why}. Nothing was changed; a person has to look.`;
    return endRollback(
      config,
      narrator,
      { ...request, to: null },
      { verdict: "refused", exit, action },
    );
  };
  const { exit, why, to } = planRollback(request, releases, state, config, Date.now());
  if (exit) return refuse(exit, why);
  const blocked = command
    ? null
    : orMessage(() => fs.accessSync(path.dirname(current), fs.constants.W_OK));
  if (blocked)
    return refuse(EXIT.permission, `${path.dirname(current)} cannot be written to (${blocked})`);
  const from = releases.find((row) => row.current)?.id ?? request.release;
  const marked = { ...request, release: from, to, marker: randomUUID(), switchedAt: Date.now() };
  const end = (why: string): number => {
    const action = `The rollback failed: ${why}.`;
    return endRollback(
      config,
      narrator,
      { ...marked, to: null },
      { verdict: "fail", exit: EXIT.stillUnhealthy, action },
    );
  };
  // Where nothing was switched, the marker is taken back: else the release would be in quarantine,
  // and never rolled back again, for nothing.
  const giveUp = (why: string): number => {
    orNull(() => writeAtomically(memory, JSON.stringify(state)));
    const stays = readState(config).rollbacks.some(({ run }) => run === marked.marker);
    return stays
      ? end(`${why}, and ${from} stays quarantined, because "${memory}" cannot be written`)
      : refuse(EXIT.permission, why);
  };
  // The marker comes before the switch, so that a cut between the two cannot lead to a second
  // rollback.
  const unmarked = orMessage(() => {
    writeAtomically(
      memory,
      JSON.stringify(
        foldRecord(state, rollbackRecord(config, marked, { verdict: "pass", exit: 0, action: "" })),
      ),
    );
    writeAtomically(rolling, JSON.stringify(marked));
  });
  if (unmarked) return giveUp(`it cannot be remembered (${unmarked})`);
  narrator.narrate(`rolling back ${from} → ${to ?? "by rollback.command"}`);
  const unswitched = command
    ? null
    : orMessage(() => switchCurrent(current, path.join(directory, to as string)));
  if (unswitched && readCurrent(config) === from)
    return giveUp(`${current} cannot be switched (${unswitched})`);
  if (unswitched)
    return end(
      `${current} names ${to}, but a power cut may undo that (${unswitched}); the bot was not restarted`,
    );
  const ran = await observe(async () => command && (await readCommand(command, secondsMax * 1000)));
  if (!ran.seen) return end(`rollback.command: ${ran.why}`);
  if (!ran.value?.code) return EXIT.passed;
  return end(`rollback.command exited ${ran.value.code} (${ran.value.stderr.slice(-200)})`);
}

/**
 * Why what runs is not the target of a rollback, or null. Whose process it is shows in the order of
 * the events: `/proc` may be closed to this user.
 */
function strangerThan(
  { to, switchedAt = 0 }: RollbackUnderWay,
  { config, identity, observations }: Run,
  { passed }: ReleaseState,
): string | null {
  if (to === null) return null;
  const before = passed[to]?.version;
  const told = observations.release?.seen ? observations.release.value.version : null;
  if (readCurrent(config) !== to) return `current names ${readCurrent(config)}, not ${to}`;
  if (!identity || identity.startedAt < switchedAt - 20)
    return "the bot was not started again after the switch";
  return before && before !== to && told && told !== before
    ? `${told} runs; ${to} was ${before} when it passed`
    : null;
}

/**
 * Checks that a release must pass to be called healthy again; what takes minutes is left to the
 * verification that its start brings.
 */
const CORE: ReadonlySet<CheckName> = new Set([
  "process",
  "database",
  "health_endpoint",
  "connection",
  "response_time",
]);
/** Verifies with the checks that are named; `exit` is the code of the verdict. */
export type VerifyCore = (
  config: Config,
  checks: ReadonlySet<CheckName>,
  narrator: Narrator,
) => Promise<{ run: Run; exit: number }>;
/**
 * Second half, after the restart: the old release must be healthy within the deadline, and it must
 * be the one that runs.
 */
export async function runConfirm(
  config: Config,
  narrator: Narrator,
  verifyCore: VerifyCore,
): Promise<number> {
  const request = readRequest(config.state.flag("rolling"));
  if (!request) throw new UserError(EXIT.refused, "There is no rollback to confirm");
  const { to, release: from, checks } = request;
  const unconfirmed = `Rolled back to ${to} in an emergency; nobody has confirmed that it is healthy.`;
  if (request.emergency)
    return endRollback(config, narrator, request, {
      verdict: "pass",
      exit: EXIT.passed,
      action: unconfirmed,
    });
  const deadline = performance.now() + config.rollback.secondsMax * 1000;
  const look = async () => {
    const limits = {
      ...config.limits,
      checksSecondsMax: Math.max(5, (deadline - performance.now()) / 1000),
    };
    const { run, exit } = await verifyCore({ ...config, limits }, CORE, narrator);
    const findings = [...run.findings.values()];
    const stranger = exit ? null : strangerThan(request, run, readState(config));
    return { findings, stranger, exit: stranger ? CHECK_CODES.release : exit };
  };
  let seen = await look();
  while (seen.exit && performance.now() < deadline && (await sleep(500, true))) seen = await look();
  const { findings, stranger, exit } = seen;
  const again = failedChecks({ findings }).filter((check) => checks.includes(check));
  const suspected = `${again.join(", ")} fails with ${to} too, so the environment is suspected and ${from} is not quarantined`;
  const why = `(exit ${exit}${stranger ? `: ${stranger}` : ""})`;
  const unhealthy = `Rolled back to ${to}, which is not healthy either ${why}; nothing more is done. ${again.length ? suspected : ""}`;
  const healthy = `Rolled back to ${to ?? "what rollback.command chose"}, which is healthy. Find out why ${from} failed.`;
  const outcome: Outcome = exit
    ? { verdict: "fail", exit: EXIT.stillUnhealthy, action: unhealthy, lifted: again.length > 0 }
    : { verdict: "pass", exit: EXIT.passed, action: healthy };
  const failed = readRecords(config.logFile).records.find((record) => record.run === request.run) as
    | Result
    | undefined;
  const series = checks.some((check) => check === "uptime_stability" || check === "error_logs")
    ? failed?.series
    : null;
  const evidence = failed
    ? {
        exit: failed.exit,
        findings: failed.findings.filter(({ status }) => status === "fail"),
        metrics: failed.metrics,
        series: series ?? null,
      }
    : null;
  return endRollback(config, narrator, request, { ...outcome, findings, failed: evidence });
}
