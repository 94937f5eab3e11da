/** The command status: where the bot's release stands, and how the burn-in goes. */

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
import { type BotStatus, type BurninStatus, renderStatus } from "../outputs/status.ts";
import { readProcessOnce } from "../probes/process.ts";
import { readCurrent, readReleaseId } from "../probes/release.ts";
import { readReleases } from "../releases/plan.ts";
import { requireState } from "../releases/state-file.ts";
import { isoOf } from "../text.ts";
import { EXIT, startOf } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/** The newest burn-in as it stands; a new one has no look yet. */
function burninStatus(open: OpenBurnin, config: Config, now: number): BurninStatus {
  const { burnin, summary, rows, flags, decision, reasons, action } = judgeStanding(open, config);
  const { id, release, attempt, startedAt, seconds } = burnin;
  const age = summary.age + (open.place ? Math.max(0, now - Date.parse(open.place.at)) / 1000 : 0);
  const next = hoursOf(burnin.limits).find((hour) => !open.hours.includes(hour)) ?? null;
  const checkpoint = next && { hour: next, inSeconds: Math.max(0, (seconds * next) / 24 - age) };
  const isEnded = open.decision !== "RUNNING";
  const told = { decision: isEnded ? open.decision : decision, reasons, action };
  return {
    id,
    release,
    attempt,
    startedAt,
    seconds,
    age,
    accountedUntil: open.place?.at ?? null,
    checkpoint: isEnded ? null : checkpoint,
    ...told,
    metrics: summary.looks ? rows : [],
    flags,
  };
}

async function readStatus(config: Config): Promise<BotStatus> {
  const { name: env, process: bot } = config;
  const state = requireState(config);
  const { last } = state;
  const found = await observe(() => readProcessOnce(bot, new AbortController().signal));
  const { identity, trouble } = found.seen ? found.value : { identity: null, trouble: found.why };
  const release =
    readReleaseId(config, identity?.pid ?? null) ?? readCurrent(config) ?? last?.release ?? null;
  const row = readReleases(config, state).find(({ id }) => id === release);
  const passed = (config.release?.directory ? row?.passed : ownOf(state.passed, release)) ?? null;
  const { quarantined = null } = row ?? {};
  const judged = last !== null && last.start === (identity && startOf(identity));
  const exit = judged ? last.exit : EXIT.busy;
  const standing = quarantined
    ? "quarantined"
    : exit === EXIT.passed
      ? "verified"
      : passed
        ? "unverified"
        : "candidate";
  const listed = await observe(() =>
    readCommand(
      ["systemctl", "list-timers", "--all", "--output=json", `cytube-burnin@${env}.timer`],
      5000,
    ),
  );
  const timers: unknown = listed.seen ? orNull(() => JSON.parse(listed.value.stdout)) : null;
  const next = Number(valueAt(timers, "/0/next") ?? 0);
  const nextTick = next > 0 ? isoOf(next / 1000) : null;
  const runs = trouble ?? `pid ${identity?.pid} runs`;
  const burnin = state.burnin && burninStatus(state.burnin, config, Date.now());
  const isRed = burnin && (burnin.flags.red.length > 0 || burnin.decision === "FAIL");
  const isWorse =
    burnin &&
    (burnin.decision === "PARTIAL" || burnin.metrics.some(({ level }) => level === "worse"));
  const worst = isRed ? EXIT.redFlag : isWorse ? EXIT.belowTarget : exit;
  return {
    v: 1 as const,
    env,
    bot: runs,
    release,
    standing,
    judged,
    passed,
    quarantined,
    last,
    nextTick,
    burnin,
    exit: exit || worst,
  };
}

export async function runStatus({ flags, json }: CommandLine, config: Config): Promise<number> {
  const { checksSecondsMax, watchSeconds } = config.limits;
  const deadline = performance.now() + (checksSecondsMax + watchSeconds + 60) * 1000;
  const isDue = ({ last, judged }: BotStatus): boolean =>
    judged && (flags.release === undefined || last?.release === flags.release);
  let status = await readStatus(config);
  while (flags.wait && !isDue(status) && performance.now() < deadline)
    status = await sleep(1000).then(() => readStatus(config));
  await print(json ? renderDocument(status) : renderStatus(status, Date.now()));
  return flags.wait && !isDue(status) ? EXIT.deadline : status.exit;
}
