/**
 * Whether a verdict, or a red flag of the burn-in, leads to a rollback, and the request that it
 * then leaves for the unit that rolls back. It switches nothing.
 */

import type { Config } from "../config.ts";
import { ownOf, writeAtomically } from "../files.ts";
import { readHttp } from "../http.ts";
import type { Entry } from "../log.ts";
import { readCurrent } from "../probes/release.ts";
import type { Result, Run } from "../run.ts";
import { type CheckName, EXIT, type Finding, type Part } from "../vocabulary.ts";
import { type Release, readReleases } from "./plan.ts";
import { isUnit, type ReleaseState, type RollbackRequest } from "./state.ts";
import { readState } from "./state-file.ts";

export const failedChecks = (findings: readonly Finding[]): CheckName[] =>
  findings.filter(({ status }) => status === "fail").map(({ check }) => check);

/**
 * The error lines of a log's part in a record that was written before parts had `examples`: there
 * they follow the one line of evidence that says how much was read.
 */
const examplesOfOldRecord = ({ evidence }: Part): string[] => evidence.slice(1);

/** The error lines by which error_logs has come to its status; none where it did not look. */
function errorLinesIn(findings: readonly Finding[]): string[] {
  const finding = findings.find(({ check }) => check === "error_logs");
  const parts = finding?.parts ?? [];
  const speakers = parts.filter(({ status }) => status === finding?.status);
  return speakers.flatMap((part) => part.examples ?? examplesOfOldRecord(part));
}

/** Equal for two occurrences of the same error, whose numbers and addresses differ. */
const signatureOf = (line: string): string => line.replace(/0x[0-9a-f]+|\d+/gi, "#");

/**
 * Whether a result shows an error that no other release has logged, as far as the records go back;
 * also where it shows no error line at all, for then nothing says that the errors are old.
 */
export function errorsAreNew(result: Result, records: readonly Entry[]): boolean {
  const known = new Set<string>();
  for (const { findings, releaseId } of records) {
    if (!Array.isArray(findings) || !releaseId || releaseId === result.releaseId) continue;
    for (const line of errorLinesIn(findings)) known.add(signatureOf(line));
  }
  const lines = errorLinesIn(result.findings);
  return lines.length === 0 || lines.some((line) => !known.has(signatureOf(line)));
}

const CHAT_DOWN = "the chat server itself is down";
/** What a verdict on a release is judged by, before it leads to a rollback. */
export type Judged = {
  result: Result;
  config: Config;
  releases: readonly Release[];
  state: ReleaseState;
  /** The bot's chat server is down, so that no release could be connected. */
  chatDown: boolean;
  /** Of the errors in the bot's log, one at least was not there with another release. */
  newErrors: boolean;
};
/**
 * Why a verdict does not lead to a rollback, or null where it does: only a measured failure of a
 * candidate that is still current does.
 */
export function judgeRollback(judged: Judged): string | null {
  const { result, config, releases, state } = judged;
  const { directory } = config.release ?? {};
  const { auto, on, command } = config.rollback;
  const { releaseId } = result;
  if (result.verdict !== "fail") return "nothing was measured to be wrong";
  if (!directory && !command) return "neither release.directory nor rollback.command is configured";
  if (!auto) return "rollback.auto is not set";
  const failed = failedChecks(result.findings);
  if (!failed.some((check) => on.includes(check))) {
    return `${failed.join(", ")} is not in rollback.on`;
  }
  if (releaseId === null) return "which release runs is not known";
  const row = releases.find((release) => release.releaseId === releaseId);
  if (directory && !row?.current) return `${releaseId} is not the current release any more`;
  const passed = directory ? row?.passed : ownOf(state.passed, releaseId);
  if (passed) {
    const worked = "it worked, so the world has changed";
    return `${releaseId} has passed before (${passed.at}): ${worked}`;
  }
  if (judged.chatDown && failed.includes("connection")) return CHAT_DOWN;
  if (!judged.newErrors && failed.every((check) => check === "error_logs")) {
    return "an earlier release logged the same errors";
  }
  return null;
}

const CHAT_MS_MAX = 5000; // A person who opens the page waits no longer either.
// What a firewall of this host, or the unit's own IPAddressDeny=, makes of a connection.
const FORBIDDEN_CODES = new Set(["EPERM", "EACCES"]);
/**
 * Whoever answers is up, however long the page; and where this host may not ask, nothing is proven.
 */
async function isChatDown({ chatServer }: Config): Promise<boolean> {
  if (!chatServer) return false;
  const { status, code } = await readHttp(chatServer, CHAT_MS_MAX);
  if (status !== null) return status >= 500;
  return !FORBIDDEN_CODES.has(code);
}

/** Leaves a request where systemd looks for it, which then starts cytube-rollback@. */
function writeRequest(config: Config, result: Result, checks: string[]): void {
  const request: RollbackRequest = {
    by: "verdict",
    run: result.run,
    releaseId: result.releaseId,
    checks,
    schema: result.schema,
    to: null,
    emergency: false,
  };
  writeAtomically(config.state.flag("rollback"), JSON.stringify(request));
}

/**
 * Leaves the verdict where systemd looks for it; says why no rollback is due, or null where one is.
 */
export async function leaveVerdict(
  { config, records }: Run,
  result: Result,
): Promise<string | null> {
  const state = readState(config);
  if (isUnit("verify") && result.exit === EXIT.passed) {
    writeAtomically(config.state.flag("passed"), `${result.run}\n`);
  }
  const checks = failedChecks(result.findings);
  const why = judgeRollback({
    result,
    config,
    releases: readReleases(config, state),
    state,
    chatDown: checks.includes("connection") && (await isChatDown(config)),
    newErrors: errorsAreNew(result, records),
  });
  if (why === null) writeRequest(config, result, checks);
  return why;
}

/** Asks for a rollback at a red flag of the burn-in; says why none is due, or null where one is. */
export async function leaveRedFlag(config: Config, result: Result): Promise<string | null> {
  const { releaseId } = result;
  const failed = failedChecks(result.findings);
  const red = result.flags?.red ?? [];
  if (!config.burnin.rollback) return "burnin.rollback is not set";
  if (releaseId === null) return "which release runs is not known";
  if (config.release?.directory && readCurrent(config) !== releaseId) {
    return `${releaseId} is not the current release any more`;
  }
  const isInList = failed.some((check) => config.rollback.on.includes(check));
  if (failed.length && !red.length && !isInList) {
    return `${failed.join(", ")} is not in rollback.on`;
  }
  const isOnlyDisconnected =
    red.length + failed.length > 0 &&
    red.every(({ kind }) => kind === "disconnected") &&
    failed.every((check) => check === "connection");
  if (isOnlyDisconnected && (await isChatDown(config))) return CHAT_DOWN;
  writeRequest(config, result, ["burnin"]);
  return null;
}
