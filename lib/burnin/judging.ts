/**
 * Judges a burn-in by the table of seed 002, which verify.ts hands down: the decision, a tick's
 * verdict, and the checkpoints that are due. Pure; it looks at nothing.
 */

import { CHECKPOINT_ADVICE, DECISION_ADVICE } from "../advice.ts";
import type { Config } from "../config.ts";
import type { RecordHead } from "../log.ts";
import type { Hour } from "../rules.ts";
import { EXIT, type Verdict } from "../vocabulary.ts";
import { isOver, judgeCheckpoint } from "./checkpoints.ts";
import { judgeFlags } from "./flags.ts";
import { isGood, judgeMetrics } from "./metrics.ts";
import { type Summary, summarizeBurnin, type Uptime } from "./summary.ts";
import {
  type Burnin,
  type Criterion,
  DAY_SECONDS,
  type Decision,
  type Flags,
  hoursOf,
  type MetricRow,
  type OpenBurnin,
} from "./words.ts";

const reasonOf = ({ title, shown, says, acceptable }: MetricRow): string =>
  `${title} ${shown} (acceptable ${acceptable || "none"}): ${says}`;

/** The rows that decide against a burn-in: before its end, those that cannot get better. */
function lostRows(rows: readonly MetricRow[], isAtEnd: boolean): MetricRow[] {
  const isFinal = ({ metric }: MetricRow): boolean =>
    isAtEnd || metric === "uptime" || metric === "restarts";
  return rows.filter((row) => row.level === "critical" && isFinal(row));
}

/**
 * The criteria of the last checkpoint that keep a burn-in from passing. A shorter burn-in than a
 * day's is a demonstration: it cannot see what only a day has.
 */
function openCriteria(summary: Summary, burnin: Burnin): Criterion[] {
  const isWholeDay = burnin.seconds >= DAY_SECONDS;
  return judgeCheckpoint(24, summary, burnin).filter(
    ({ status }) =>
      status === "fail" || status === "unknown" || (status === "deferred" && isWholeDay),
  );
}

/**
 * The decision. What cannot get better decides before the end; whatever nobody saw keeps a burn-in
 * from passing.
 */
export function judgeBurnin(
  summary: Summary,
  rows: readonly MetricRow[],
  burnin: Burnin,
): Decision {
  const isAtEnd = isOver(summary, burnin);
  const lost = lostRows(rows, isAtEnd);
  if (lost.length) {
    return { decision: "FAIL", reasons: lost.map(reasonOf), action: DECISION_ADVICE.FAIL };
  }
  if (!isAtEnd) return { decision: "RUNNING", reasons: [], action: DECISION_ADVICE.RUNNING };
  // What a row of the table says is said once, as that row.
  const others = openCriteria(summary, burnin).filter(({ metric }) => metric === undefined);
  const reasons = [
    ...rows.filter(({ level }) => !isGood(level)).map(reasonOf),
    ...others.map(({ criterion, says }) => `${criterion}: ${says}`),
    ...summary.disagreements,
  ];
  const decision = reasons.length ? "PARTIAL" : "PASS";
  return { decision, reasons, action: DECISION_ADVICE[decision] };
}

/** A burn-in with all that is judged of it. */
export type Standing = Decision & {
  burnin: Burnin;
  summary: Summary;
  rows: MetricRow[];
  flags: Flags;
};

export function judgeStanding(open: OpenBurnin, config: Config): Standing {
  const { id, releaseId, attempt, startedAt, accounts } = open;
  const { limits, burninLimits } = config;
  const seconds = limits.burninSeconds;
  const burnin: Burnin = { id, releaseId, attempt, startedAt, seconds, limits: burninLimits };
  const summary = summarizeBurnin(burnin, accounts, config.burnin.timeZone);
  const rows = judgeMetrics(summary, burnin);
  const last = accounts.at(-1);
  const { memoryMbMax } = limits;
  const flags = last
    ? judgeFlags({ summary, rows, last, limits: burninLimits, memoryMbMax })
    : { red: [], yellow: [] };
  return { burnin, summary, rows, flags, ...judgeBurnin(summary, rows, burnin) };
}

/**
 * The verdict of a tick: a failed look and a red flag act at once, and what is worse than
 * acceptable is said by the exit code.
 */
export function judgeTick(look: Verdict, { flags, rows, decision }: Standing): Verdict {
  if (look.verdict === "fail") return { ...look, exit: EXIT.redFlag };
  if (flags.red.length) {
    const action = `Red flag: ${flags.red.map(({ says }) => says).join("; ")}.`;
    return { verdict: "fail", exit: EXIT.redFlag, action };
  }
  const bad = rows.filter(({ level }) => level === "worse" || level === "critical");
  if (look.exit || !bad.length) return look;
  const found = bad.map(({ title, shown }) => `${title} ${shown}`).join(", ");
  if (decision === "FAIL") {
    return { verdict: "fail", exit: EXIT.redFlag, action: `The burn-in has failed: ${found}.` };
  }
  return { verdict: "warn", exit: EXIT.belowTarget, action: `Worse than acceptable: ${found}.` };
}

/** A checkpoint that was due. The one at hour 24 is the decision. */
type Checkpoint = Decision & {
  /** The run of the verification that began the burn-in. */
  burnin: string;
  /** Where no directory is configured, its version. */
  releaseId: string | null;
  attempt: number;
  hour: Hour;
  /** Whole seconds since the burn-in began. */
  age: number;
  uptime: Uptime;
  verdict: "pass" | "warn" | "fail";
  exit: number;
  criteria: Criterion[];
  metrics: MetricRow[];
  flags: Flags;
};
/** A checkpoint as the log has it. */
export type CheckpointRecord = RecordHead<"checkpoint"> & Checkpoint;

const CHECKPOINT_VERDICTS = {
  PASS: { verdict: "pass", exit: EXIT.passed },
  RUNNING: { verdict: "pass", exit: EXIT.passed },
  PARTIAL: { verdict: "warn", exit: EXIT.belowTarget },
  FAIL: { verdict: "fail", exit: EXIT.redFlag },
} as const;

/** What a checkpoint before the last says: to go on, or to mend something. It decides nothing. */
function judgeOnTheWay(
  hour: Exclude<Hour, 24>,
  criteria: readonly Criterion[],
): Decision & Pick<Checkpoint, "verdict" | "exit"> {
  const isOpen = criteria.some(({ status }) => status === "fail" || status === "unknown");
  return {
    decision: "RUNNING",
    reasons: [],
    action: CHECKPOINT_ADVICE[hour][isOpen ? "bad" : "good"],
    ...CHECKPOINT_VERDICTS[isOpen ? "PARTIAL" : "RUNNING"],
  };
}

function judgeHour(hour: Hour, standing: Standing): Checkpoint {
  const { burnin, summary, rows, flags, decision, reasons, action } = standing;
  const { id, releaseId, attempt } = burnin;
  const criteria = judgeCheckpoint(hour, summary, burnin);
  const outcome =
    hour === 24
      ? { decision, reasons, action, ...CHECKPOINT_VERDICTS[decision] }
      : judgeOnTheWay(hour, criteria);
  return {
    burnin: id,
    releaseId,
    attempt,
    hour,
    age: Math.round(summary.age),
    uptime: summary.uptime,
    ...outcome,
    criteria,
    metrics: rows,
    flags,
  };
}

/**
 * The checkpoints that are due and not among the `judged` hours yet; the last one is the decision,
 * which a failure brings before its time.
 */
export function judgeDue(standing: Standing, judged: readonly number[]): Checkpoint[] {
  const { burnin, summary, decision } = standing;
  const due = hoursOf(burnin.limits).filter(
    (hour) =>
      !judged.includes(hour) &&
      (isOver(summary, burnin, hour) || (hour === 24 && decision === "FAIL")),
  );
  return due.map((hour) => judgeHour(hour, standing));
}
