/**
 * Whether a verdict, or a red flag of the burn-in, leads to a rollback, and the request that it then
 * leaves for the unit that rolls back. It switches nothing.
 */

import type { Config } from "../config.ts";
import { ownOf, writeAtomically } from "../files.ts";
import { readHttp } from "../http.ts";
import type { Entry } from "../log.ts";
import { readCurrent } from "../probes/release.ts";
import type { Result, Run } from "../run.ts";
import { EXIT, type Finding, type Part } from "../vocabulary.ts";
import { type Release, readReleases } from "./plan.ts";
import { isUnit, type ReleaseState, type RollbackRequest } from "./state.ts";
import { readState } from "./state-file.ts";

export const failedChecks = ({ findings }: Pick<Result, "findings">) =>
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
  for (const { findings, release } of records) {
    if (!Array.isArray(findings) || !release || release === result.release) continue;
    for (const line of errorLinesIn(findings)) known.add(signatureOf(line));
  }
  const lines = errorLinesIn(result.findings);
  return lines.length === 0 || lines.some((line) => !known.has(signatureOf(line)));
}

const CHAT_DOWN = "the chat server itself is down";
type News = { chatDown: boolean; newErrors: boolean };
/**
 * Why a verdict does not lead to a rollback, or null where it does (DESIGN: a measured failure of a
 * candidate that is still current).
 */
export function judgeRollback(
  result: Result,
  config: Config,
  releases: readonly Release[],
  state: ReleaseState,
  news: News,
): string | null {
  const { directory } = config.release ?? {};
  const { auto, on, command } = config.rollback;
  const { verdict, release: id } = result;
  const failed = failedChecks(result);
  const row = releases.find((release) => release.id === id);
  const passed = directory ? row?.passed : ownOf(state.passed, id);
  if (verdict !== "fail") return "nothing was measured to be wrong";
  if (!directory && !command) return "neither release.directory nor rollback.command is configured";
  if (!auto) return "rollback.auto is not set";
  if (!failed.some((check) => on.includes(check)))
    return `${failed.join(", ")} is not in rollback.on`;
  if (id === null) return "which release runs is not known";
  if (directory && !row?.current) return `${id} is not the current release any more`;
  if (passed) return `${id} has passed before (${passed.at}): it worked, so the world has changed`;
  if (news.chatDown && failed.includes("connection")) return CHAT_DOWN;
  if (!news.newErrors && failed.every((check) => check === "error_logs"))
    return "an earlier release logged the same errors";
  return null;
}

/**
 * Whoever answers is up, however long the page; and where this host may not ask, nothing is proven.
 */
async function chatIsDown({ chatServer }: Config): Promise<boolean> {
  const answer = chatServer ? await readHttp(chatServer, 5000) : null;
  return (
    answer !== null &&
    (answer.status === null
      ? !/EPERM|EACCES|permission/.test(answer.problem ?? "")
      : answer.status >= 500)
  );
}

/**
 * Leaves the verdict where systemd looks for it; says why no rollback is due, or null where one is.
 */
export async function leaveVerdict(
  { config, records }: Run,
  result: Result,
): Promise<string | null> {
  const { run, release, exit, schema } = result;
  const state = readState(config);
  if (isUnit("verify") && exit === EXIT.passed)
    writeAtomically(config.state.flag("passed"), `${run}\n`);
  const checks = failedChecks(result);
  const chatDown = checks.includes("connection") && (await chatIsDown(config));
  const news = { chatDown, newErrors: errorsAreNew(result, records) };
  const why = judgeRollback(result, config, readReleases(config, state), state, news);
  const request: RollbackRequest = {
    by: "verdict",
    run,
    release,
    checks,
    schema,
    to: null,
    emergency: false,
  };
  if (why === null) writeAtomically(config.state.flag("rollback"), JSON.stringify(request));
  return why;
}

/** Asks for a rollback at a red flag of the burn-in; says why none is due, or null where one is. */
export async function leaveRedFlag(config: Config, result: Result): Promise<string | null> {
  const { run, release, schema, flags } = result;
  const failed = failedChecks(result);
  const red = flags?.red ?? [];
  if (!config.burnin.rollback) return "burnin.rollback is not set";
  if (release === null) return "which release runs is not known";
  if (config.release?.directory && readCurrent(config) !== release)
    return `${release} is not the current release any more`;
  if (failed.length && !red.length && !failed.some((check) => config.rollback.on.includes(check)))
    return `${failed.join(", ")} is not in rollback.on`;
  if (
    red.length + failed.length > 0 &&
    red.every(({ kind }) => kind === "disconnected") &&
    failed.every((check) => check === "connection") &&
    (await chatIsDown(config))
  )
    return CHAT_DOWN;
  const request: RollbackRequest = {
    by: "verdict",
    run,
    release,
    checks: ["burnin"],
    schema,
    to: null,
    emergency: false,
  };
  writeAtomically(config.state.flag("rollback"), JSON.stringify(request));
  return null;
}
