/**
 * Judges a burn-in by the table of seed 002, which verify.ts hands down: the decision, a tick's
 * verdict, and the checkpoints that are due. Pure; it looks at nothing.
 */

import { randomUUID } from "node:crypto";
import { CHECKPOINT_ADVICE, DECISION_ADVICE } from "../advice.ts";
import type { Config } from "../config.ts";
import { headOf } from "../log.ts";
import { EXIT, type Verdict } from "../vocabulary.ts";
import { isOver, judgeCheckpoint } from "./checkpoints.ts";
import { judgeFlags } from "./flags.ts";
import { isGood, judgeMetrics } from "./metrics.ts";
import { type Summary, summarizeBurnin } from "./summary.ts";
import {
  type Burnin,
  type Criterion,
  DAY_SECONDS,
  type Decision,
  hoursOf,
  type MetricRow,
  type OpenBurnin,
} from "./words.ts";

/**
 * The decision. What cannot get better decides before the end; whatever nobody saw keeps a burn-in
 * from passing.
 */
export function judgeBurnin(
  summary: Summary,
  rows: readonly MetricRow[],
  burnin: Burnin,
): Decision {
  const over = isOver(summary, burnin);
  const told = ({ title, shown, says, acceptable }: MetricRow): string =>
    `${title} ${shown} (acceptable ${acceptable || "none"}): ${says}`;
  const lost = rows.filter(
    ({ metric, level }) =>
      level === "critical" && (over || metric === "uptime" || metric === "restarts"),
  );
  if (lost.length)
    return { decision: "FAIL", reasons: lost.map(told), action: DECISION_ADVICE.FAIL };
  if (!over) return { decision: "RUNNING", reasons: [], action: DECISION_ADVICE.RUNNING };
  // A shorter burn-in than a day's is a demonstration: it cannot see what only a day has.
  const open = judgeCheckpoint(24, summary, burnin).filter(
    ({ status }) =>
      ["fail", "unknown"].includes(status) ||
      (status === "deferred" && burnin.seconds >= DAY_SECONDS),
  );
  const isTold = ({ criterion }: Criterion): boolean =>
    /^(?:Uptime|Error rate|Zero unplanned)/.test(criterion); // As a row of the table.
  const reasons = [
    ...rows.filter(({ level }) => !isGood(level)).map(told),
    ...open
      .filter((criterion) => !isTold(criterion))
      .map(({ criterion, says }) => `${criterion}: ${says}`),
    ...summary.disagreements,
  ];
  const decision = reasons.length ? "PARTIAL" : "PASS";
  return { decision, reasons, action: DECISION_ADVICE[decision] };
}
/** A burn-in with all that is judged of it. */
export function judgeStanding(
  { accounts, ...open }: OpenBurnin,
  { limits, burninLimits, burnin: { timeZone } }: Config,
) {
  const burnin: Burnin = { ...open, seconds: limits.burninSeconds, limits: burninLimits };
  const summary = summarizeBurnin(burnin, accounts, timeZone);
  const rows = judgeMetrics(summary, burnin);
  const last = accounts.at(-1);
  const flags = last
    ? judgeFlags({ summary, rows, last, limits: burninLimits, memoryMbMax: limits.memoryMbMax })
    : { red: [], yellow: [] };
  return { burnin, summary, rows, flags, ...judgeBurnin(summary, rows, burnin) };
}
export type Standing = ReturnType<typeof judgeStanding>;

/**
 * The verdict of a tick: a failed look and a red flag act at once, and what is worse than
 * acceptable is said by the exit code.
 */
export function judgeTick(look: Verdict, { flags, rows, decision }: Standing): Verdict {
  if (look.verdict === "fail") return { ...look, exit: EXIT.redFlag };
  if (flags.red.length)
    return {
      verdict: "fail",
      exit: EXIT.redFlag,
      action: `Red flag: ${flags.red.map(({ says }) => says).join("; ")}.`,
    };
  const bad = rows.filter(({ level }) => level === "worse" || level === "critical");
  if (look.exit || !bad.length) return look;
  const told = bad.map(({ title, shown }) => `${title} ${shown}`).join(", ");
  return decision === "FAIL"
    ? { verdict: "fail", exit: EXIT.redFlag, action: `The burn-in has failed: ${told}.` }
    : { verdict: "warn", exit: EXIT.belowTarget, action: `Worse than acceptable: ${told}.` };
}
const CHECKPOINT_VERDICTS = {
  PASS: { verdict: "pass", exit: 0 },
  RUNNING: { verdict: "pass", exit: 0 },
  PARTIAL: { verdict: "warn", exit: 31 },
  FAIL: { verdict: "fail", exit: 30 },
} as const;
/**
 * The checkpoints that are due and not judged yet; the last one is the decision, which a failure
 * brings before its time.
 */
export function judgeDue(
  { burnin, summary, rows, decision, reasons, action, ...standing }: Standing,
  { hours }: OpenBurnin,
  env: string,
  now: number,
) {
  const { id, release, attempt } = burnin;
  const due = hoursOf(burnin.limits).filter(
    (hour) =>
      !hours.includes(hour) &&
      (isOver(summary, burnin, hour) || (hour === 24 && decision === "FAIL")),
  );
  return due.map((hour) => {
    const criteria = judgeCheckpoint(hour, summary, burnin);
    const isOpenStill =
      hour < 24 && criteria.some(({ status }) => status === "fail" || status === "unknown");
    const reached = hour === 24 ? decision : "RUNNING";
    const { verdict, exit } = CHECKPOINT_VERDICTS[isOpenStill ? "PARTIAL" : reached];
    const outcome =
      hour === 24
        ? { decision, reasons, action }
        : {
            decision: "RUNNING" as const,
            reasons: [],
            action: CHECKPOINT_ADVICE[hour][isOpenStill ? "bad" : "good"],
          };
    const about = {
      burnin: id,
      release,
      attempt,
      hour,
      age: Math.round(summary.age),
      uptime: summary.uptime,
    };
    return {
      ...headOf("checkpoint", env, randomUUID(), now),
      ...about,
      ...outcome,
      verdict,
      exit: exit as number,
      criteria,
      metrics: rows,
      flags: standing.flags,
    };
  });
}
export type CheckpointRecord = ReturnType<typeof judgeDue>[number];
