/**
 * The command status: where the bot's release stands, and how the burn-in goes. It judges nothing
 * anew; it reads what was judged, and whether that is about the start that runs now.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { observe, orNull } from "../attempt.ts";
import { judgeStanding } from "../burnin/judging.ts";
import { hoursOf, type OpenBurnin } from "../burnin/words.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { ownOf } from "../files.ts";
import { valueAt } from "../http.ts";
import { renderDocument } from "../log.ts";
import { print } from "../outputs/narrator.ts";
import {
  type BotStatus,
  type BurninStatus,
  renderStatus,
  type Standing,
} from "../outputs/status.ts";
import { readProcessOnce } from "../probes/process.ts";
import { readCurrent, readReleaseId } from "../probes/release.ts";
import { readReleases } from "../releases/plan.ts";
import { requireState } from "../releases/state-file.ts";
import { isoOf } from "../text.ts";
import { EXIT, type Identity, startOf } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/** The newest burn-in as it stands; `now` is in epoch milliseconds. */
function burninStatus(open: OpenBurnin, config: Config, now: number): BurninStatus {
  const standing = judgeStanding(open, config);
  const { burnin, summary, rows, flags, reasons, action } = standing;
  const { id, releaseId, attempt, startedAt, seconds, limits } = burnin;
  const { place, hours } = open;
  const sinceLook = place ? Math.max(0, now - Date.parse(place.at)) / 1000 : 0;
  const age = summary.age + sinceLook;
  const isEnded = open.decision !== "RUNNING";
  const hour = hoursOf(limits).find((due) => !hours.includes(due));
  const isDue = hour !== undefined && !isEnded;
  return {
    id,
    releaseId,
    attempt,
    startedAt,
    seconds,
    age,
    accountedUntil: place?.at ?? null,
    checkpoint: isDue ? { hour, inSeconds: Math.max(0, (seconds * hour) / 24 - age) } : null,
    decision: isEnded ? open.decision : standing.decision,
    reasons,
    action,
    // A new one has no look yet.
    metrics: summary.looks ? rows : [],
    flags,
  };
}

/** What runs of the bot; `identity` is null where nothing does. */
type RunningBot = {
  identity: Identity | null;
  /** A sentence. */
  says: string;
};

async function readBot(config: Config): Promise<RunningBot> {
  const found = await observe(() => readProcessOnce(config.process, new AbortController().signal));
  if (!found.seen) return { identity: null, says: found.why };
  const { identity, trouble } = found.value;
  return { identity, says: trouble ?? `pid ${identity?.pid} runs` };
}

/** When the burn-in's timer fires next, ISO 8601; null where it does not run, or nobody says. */
async function readNextTick(env: string): Promise<string | null> {
  const timer = `cytube-burnin@${env}.timer`;
  const argv = ["systemctl", "list-timers", "--all", "--output=json", timer];
  const listed = await observe(() => readCommand(argv, 5000));
  if (!listed.seen) return null;
  const timers = orNull(() => JSON.parse(listed.value.stdout) as unknown);
  // Epoch microseconds.
  const next = Number(valueAt(timers, "/0/next") ?? 0);
  return next > 0 ? isoOf(next / 1000) : null;
}

/** What a release is, by its memory and by the code that the present start was judged with. */
function judgeRelease(
  { passed, quarantined }: Pick<BotStatus, "passed" | "quarantined">,
  exit: number,
): Standing {
  if (quarantined) return "quarantined";
  if (exit === EXIT.passed) return "verified";
  return passed ? "unverified" : "candidate";
}

/** The exit code of a burn-in as it stands; 0 too where there is none. */
function exitOfBurnin(burnin: BurninStatus | null): number {
  if (!burnin) return EXIT.passed;
  const { decision, flags, metrics } = burnin;
  if (flags.red.length > 0 || decision === "FAIL") return EXIT.redFlag;
  const isWorse = decision === "PARTIAL" || metrics.some(({ level }) => level === "worse");
  return isWorse ? EXIT.belowTarget : EXIT.passed;
}

async function readStatus(config: Config): Promise<BotStatus> {
  const state = requireState(config);
  const { last } = state;
  const { identity, says } = await readBot(config);
  const running = readReleaseId(config, identity?.pid ?? null);
  const releaseId = running ?? readCurrent(config) ?? last?.releaseId ?? null;
  const row = readReleases(config, state).find((release) => release.releaseId === releaseId);
  // Without a directory of releases, what has passed is known by its version alone.
  const known = config.release?.directory ? row?.passed : ownOf(state.passed, releaseId);
  const passed = known ?? null;
  const quarantined = row?.quarantined ?? null;
  const judged = last !== null && last.start === (identity && startOf(identity));
  // A start that is not judged yet: ask again later.
  const exit = judged ? last.exit : EXIT.busy;
  const nextTick = await readNextTick(config.name);
  const burnin = state.burnin && burninStatus(state.burnin, config, Date.now());
  return {
    v: 1,
    env: config.name,
    bot: says,
    releaseId,
    standing: judgeRelease({ passed, quarantined }, exit),
    judged,
    passed,
    quarantined,
    last,
    nextTick,
    burnin,
    exit: exit || exitOfBurnin(burnin),
  };
}

/** Seconds that a verification may need beside its checks and its watch, to begin and to end. */
const WAIT_SLACK_SECONDS = 60;

/**
 * Prints where the release stands; with --wait, once the present start has its verdict. Resolves to
 * that verdict's exit code or the burn-in's, 75 without a verdict, 124 where --wait saw none.
 */
export async function runStatus({ flags, json }: CommandLine, config: Config): Promise<number> {
  const { checksSecondsMax, watchSeconds } = config.limits;
  const secondsMax = checksSecondsMax + watchSeconds + WAIT_SLACK_SECONDS;
  const deadline = performance.now() + secondsMax * 1000;
  const isDue = ({ last, judged }: BotStatus): boolean =>
    judged && (flags.release === undefined || last?.releaseId === flags.release);
  let status = await readStatus(config);
  while (flags.wait && !isDue(status) && performance.now() < deadline) {
    await sleep(1000);
    status = await readStatus(config);
  }
  await print(json ? renderDocument(status) : renderStatus(status, Date.now()));
  return flags.wait && !isDue(status) ? EXIT.deadline : status.exit;
}
