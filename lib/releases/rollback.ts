/**
 * The two halves of a rollback inside its unit: switch and confirm. The restart between them is
 * systemd's, and whether there is one to do is decided elsewhere.
 */

import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, observe, orNull, UserError } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile, syncDirectory, writeAtomically } from "../files.ts";
import { readRecords, renameKey } from "../log.ts";
import { readCurrent } from "../probes/release.ts";
import type { Result, Run } from "../run.ts";
import { CHECK_CODES, type CheckName, EXIT, type Finding, type Narrator } from "../vocabulary.ts";
import { planRollback, readReleases } from "./plan.ts";
import { failedChecks } from "./request.ts";
import {
  type FailedRun,
  foldRecord,
  type Outcome,
  type ReleaseState,
  type RollbackUnderWay,
  rollbackRecord,
} from "./state.ts";
import { readState, writeRecordAndState } from "./state-file.ts";

/**
 * Points `current` at a release by one rename of a new link: whatever cuts this short, it is one
 * whole link or the other. A link that was relative stays so.
 */
function switchCurrent(current: string, target: string): void {
  const directory = path.dirname(current);
  const next = `${current}.next`;
  const isAbsolute = path.isAbsolute(fs.readlinkSync(current));
  fs.rmSync(next, { force: true });
  fs.symlinkSync(isAbsolute ? target : path.relative(directory, target), next);
  syncDirectory(directory);
  fs.renameSync(next, current);
  syncDirectory(directory);
}

const REQUEST_BYTES_MAX = 65_536; // A request has some 300 bytes; more than this is none.
/**
 * The request in one of the two flags. An older version, in whose requests the release's directory
 * is called `release`, may have written it just before the program was replaced.
 */
function readRequest(file: string): RollbackUnderWay | null {
  const request: RollbackUnderWay | null = orNull(() =>
    JSON.parse(readSmallFile(file, REQUEST_BYTES_MAX)),
  );
  return renameKey(request, "release", "releaseId");
}

/** Takes the request first: a rollback that is cut short must not begin again by itself. */
function takeRequest({ state }: Config): RollbackUnderWay {
  const asked = state.flag("rollback");
  const rolling = state.flag("rolling");
  if (!fs.existsSync(asked)) {
    throw new UserError(EXIT.refused, `Nothing has asked for a rollback: there is no ${asked}`);
  }
  try {
    fs.renameSync(asked, rolling);
  } catch (error) {
    const why = messageOf(error);
    throw new UserError(EXIT.permission, `The request for a rollback cannot be taken: ${why}`);
  }
  const request = readRequest(rolling);
  if (request) return request;
  throw new UserError(EXIT.refused, `What asks for a rollback cannot be read: ${rolling}`);
}

/** The first half of a rollback: what asks for it, and the state before it. */
type Rolling = {
  config: Config;
  narrator: Narrator;
  request: RollbackUnderWay;
  state: ReleaseState;
};

/** Writes down what a rollback has come to, and ends it; returns the exit code. */
function endRollback(
  { config, narrator }: Pick<Rolling, "config" | "narrator">,
  request: RollbackUnderWay,
  outcome: Outcome,
): number {
  const record = rollbackRecord(config, request, outcome);
  writeRecordAndState(config, record, narrator.narrate);
  narrator.narrate(record.action);
  fs.rmSync(config.state.flag("rolling"), { force: true });
  return record.exit;
}

/** Ends a rollback before its switch. */
function refuse(rolling: Rolling, exit: number, why: string): number {
  const action = `No rollback: ${why}. Nothing was changed; a person has to look.`;
  const request = { ...rolling.request, to: null };
  return endRollback(rolling, request, { verdict: "refused", exit, action });
}

/** Ends a rollback that has changed something and not come to its end. */
function fail(rolling: Rolling, marked: RollbackUnderWay, why: string): number {
  const action = `The rollback failed: ${why}.`;
  const outcome: Outcome = { verdict: "fail", exit: EXIT.stillUnhealthy, action };
  return endRollback(rolling, { ...marked, to: null }, outcome);
}

/** Why `current` cannot be switched by this user, or null; a site's command switches by itself. */
function closedToSwitch({ release, rollback }: Config): string | null {
  if (rollback.command) return null;
  const directory = path.dirname(release?.current ?? "");
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return null;
  } catch (error) {
    return `${directory} cannot be written to (${messageOf(error)})`;
  }
}

/** Remembers the rollback as if it had passed, so that no verdict asks for the same one again. */
function writeMarker({ config, state }: Rolling, marked: RollbackUnderWay): void {
  const record = rollbackRecord(config, marked, { verdict: "pass", exit: 0, action: "" });
  writeAtomically(config.state.releases, JSON.stringify(foldRecord(state, record)));
  writeAtomically(config.state.flag("rolling"), JSON.stringify(marked));
}

/**
 * Ends a rollback that has switched nothing, and takes its marker back: else the release would be
 * in quarantine, and never rolled back again, for nothing.
 */
function giveUp(rolling: Rolling, marked: RollbackUnderWay, why: string): number {
  const { config, state } = rolling;
  const memory = config.state.releases;
  orNull(() => writeAtomically(memory, JSON.stringify(state)));
  const stays = readState(config).rollbacks.some(({ run }) => run === marked.marker);
  if (!stays) return refuse(rolling, EXIT.permission, why);
  const quarantine = `${marked.releaseId} stays quarantined, because "${memory}" cannot be written`;
  return fail(rolling, marked, `${why}, and ${quarantine}`);
}

/** Points `current` at the release to go back to. */
function switchRelease(rolling: Rolling, marked: RollbackUnderWay): number {
  const { config } = rolling;
  const { directory = "", current = "" } = config.release ?? {};
  const { releaseId: from, to } = marked;
  try {
    switchCurrent(current, path.join(directory, to as string));
    return EXIT.passed;
  } catch (error) {
    const problem = messageOf(error);
    if (readCurrent(config) === from) {
      return giveUp(rolling, marked, `${current} cannot be switched (${problem})`);
    }
    // The rename was done, and only its fsync failed.
    const undone = `a power cut may undo that (${problem})`;
    return fail(
      rolling,
      marked,
      `${current} names ${to}, but ${undone}; the bot was not restarted`,
    );
  }
}

/** Lets the site's own command go back to where it thinks fit. */
async function runSiteCommand(
  rolling: Rolling,
  marked: RollbackUnderWay,
  command: readonly string[],
): Promise<number> {
  const { secondsMax } = rolling.config.rollback;
  const ran = await observe(() => readCommand(command, secondsMax * 1000));
  if (!ran.seen) return fail(rolling, marked, `rollback.command: ${ran.why}`);
  const { code, stderr } = ran.value;
  if (code === 0) return EXIT.passed;
  return fail(rolling, marked, `rollback.command exited ${code} (${stderr.slice(-200)})`);
}

/**
 * First half of a rollback, inside its unit: decides, marks, switches. The unit then restarts the
 * bot.
 */
export async function runSwitch(config: Config, narrator: Narrator): Promise<number> {
  const request = takeRequest(config);
  const state = readState(config);
  const rolling: Rolling = { config, narrator, request, state };
  const releases = readReleases(config, state);
  const plan = planRollback({ request, releases, state, config, now: Date.now() });
  if (plan.exit) return refuse(rolling, plan.exit, plan.why);
  const closed = closedToSwitch(config);
  if (closed) return refuse(rolling, EXIT.permission, closed);
  const from = releases.find((row) => row.current)?.releaseId ?? request.releaseId;
  const marked: RollbackUnderWay = {
    ...request,
    releaseId: from,
    to: plan.to,
    marker: randomUUID(),
    switchedAt: Date.now(),
  };
  // The marker comes before the switch, so that a cut between the two cannot lead to a second
  // rollback.
  try {
    writeMarker(rolling, marked);
  } catch (error) {
    return giveUp(rolling, marked, `it cannot be remembered (${messageOf(error)})`);
  }
  narrator.narrate(`rolling back ${from} → ${plan.to ?? "by rollback.command"}`);
  const { command } = config.rollback;
  return command ? runSiteCommand(rolling, marked, command) : switchRelease(rolling, marked);
}

// A start is known to one tick of the kernel's clock (10 ms), and so is the boot that it is counted
// from.
const START_SLACK_MS = 20;
/**
 * Why what runs is not the target of a rollback, or null where it is. That it was started after the
 * switch is the proof that needs no look into `/proc`, which may be closed to this user.
 */
function doubtTarget(
  { to, switchedAt = 0 }: RollbackUnderWay,
  { config, identity, observations }: Run,
  { passed }: ReleaseState,
): string | null {
  if (to === null) return null;
  const current = readCurrent(config);
  if (current !== to) return `current names ${current}, not ${to}`;
  if (!identity || identity.startedAt < switchedAt - START_SLACK_MS) {
    return "the bot was not started again after the switch";
  }
  const version = observations.release?.seen ? observations.release.value.version : null;
  const versionThen = passed[to]?.version;
  // Of a bot that did not tell its version, the id was remembered in its place.
  if (!versionThen || versionThen === to || !version || version === versionThen) return null;
  return `${version} runs; ${to} was ${versionThen} when it passed`;
}

/**
 * Checks that a release must pass to be called healthy again; what takes minutes is left to the
 * verification that its start brings.
 */
const CORE_CHECKS: ReadonlySet<CheckName> = new Set([
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

/** The second half of a rollback: what was done, and what it is verified with. */
type Confirmation = {
  config: Config;
  narrator: Narrator;
  request: RollbackUnderWay;
  verifyCore: VerifyCore;
};
/** What the last verification has found; `doubt` says why the target is not what runs. */
type Confirmed = { findings: Finding[]; doubt: string | null; exit: number };

async function verifyTarget(
  { config, narrator, request, verifyCore }: Confirmation,
  secondsLeft: number,
): Promise<Confirmed> {
  // A look that has begun gets some seconds also where the deadline is near.
  const limits = { ...config.limits, checksSecondsMax: Math.max(5, secondsLeft) };
  const { run, exit } = await verifyCore({ ...config, limits }, CORE_CHECKS, narrator);
  const doubt = exit ? null : doubtTarget(request, run, readState(config));
  return { findings: [...run.findings.values()], doubt, exit: doubt ? CHECK_CODES.release : exit };
}

/** Verifies until the target is healthy, or the deadline of the rollback has passed. */
async function verifyUntilHealthy(confirmation: Confirmation): Promise<Confirmed> {
  const deadline = performance.now() + confirmation.config.rollback.secondsMax * 1000;
  for (;;) {
    const confirmed = await verifyTarget(confirmation, (deadline - performance.now()) / 1000);
    if (confirmed.exit === EXIT.passed || performance.now() >= deadline) return confirmed;
    await sleep(500);
  }
}

/** The outcome of a rollback by what was verified after it. */
function judgeConfirmed(request: RollbackUnderWay, { findings, doubt, exit }: Confirmed): Outcome {
  const { to, releaseId: from, checks } = request;
  if (exit === EXIT.passed) {
    const target = to ?? "what rollback.command chose";
    const action = `Rolled back to ${target}, which is healthy. Find out why ${from} failed.`;
    return { verdict: "pass", exit, action };
  }
  const again = failedChecks(findings).filter((check) => checks.includes(check));
  const lifted = again.length > 0;
  const why = doubt ? `exit ${exit}: ${doubt}` : `exit ${exit}`;
  const stillBad = `Rolled back to ${to}, which is not healthy either (${why})`;
  const environment = `${again.join(", ")} fails with ${to} too, so the environment is suspected`;
  const suspected = lifted ? `${environment} and ${from} is not quarantined` : "";
  const action = `${stillBad}; nothing more is done. ${suspected}`;
  return { verdict: "fail", exit: EXIT.stillUnhealthy, action, lifted };
}

/** What the run that asked for a rollback had found, while the log still has its record. */
function readFailedRun(config: Config, { run, checks }: RollbackUnderWay): FailedRun | null {
  const records = readRecords(config.logFile).records as Result[];
  const failed = records.find((record) => record.run === run);
  if (!failed) return null;
  const isInSeries = checks.some((name) => name === "uptime_stability" || name === "error_logs");
  return {
    exit: failed.exit,
    findings: failed.findings.filter(({ status }) => status === "fail"),
    metrics: failed.metrics,
    series: isInSeries ? failed.series : null,
  };
}

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
  if (request.emergency) {
    const unconfirmed = "in an emergency; nobody has confirmed that it is healthy";
    const action = `Rolled back to ${request.to} ${unconfirmed}.`;
    return endRollback({ config, narrator }, request, { verdict: "pass", exit: 0, action });
  }
  const confirmed = await verifyUntilHealthy({ config, narrator, request, verifyCore });
  const outcome: Outcome = {
    ...judgeConfirmed(request, confirmed),
    findings: confirmed.findings,
    failed: readFailedRun(config, request),
  };
  return endRollback({ config, narrator }, request, outcome);
}
