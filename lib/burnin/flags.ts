/**
 * Seed 002's red and yellow flags: what of a burn-in wants somebody now, and what is to be watched.
 * What follows from a flag is decided elsewhere.
 */

import { round, sumOf } from "../numbers.ts";
import type { BurninLimits, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import { isGood } from "./metrics.ts";
import { lengthOf } from "./spans.ts";
import type { Summary } from "./summary.ts";
import type { Account, Flag, Flags, MetricRow, Outage } from "./words.ts";

/** What the flags are judged by: the whole burn-in, its table, and its newest account. */
type FlagsInput = {
  summary: Summary;
  rows: readonly MetricRow[];
  last: Account;
  limits: BurninLimits;
  /** The environment's limit; null where it has none. */
  memoryMbMax: number | null;
};

/** Outages that last into the newest account, longer than the seed allows, and were not planned. */
function longOutages({ summary, last, limits }: FlagsInput): Outage[] {
  return summary.outages.filter(
    (outage) =>
      outage.exact &&
      outage.planned !== true &&
      outage.to > last.from &&
      lengthOf(outage) > limits.outageSecondsMax,
  );
}

const namesOf = (firing: readonly { name: string }[]): string =>
  firing.map(({ name }) => name).join(", ");

/** What is wrong in the newest account, for a red flag asks for somebody now. */
function judgeRedFlags(input: FlagsInput): Flag[] {
  const { summary, last, limits } = input;
  const { memory } = summary;
  const { metrics, sustainedMinutesMin } = limits;
  const flags: Flag[] = [];
  for (const outage of longOutages(input)) {
    const { kind, at, says } = outage;
    flags.push({ kind, says: `${kind} for ${spanOf(lengthOf(outage))} since ${at}: ${says}` });
  }
  for (const { planned, at, says } of last.restarts) {
    if (planned !== false) continue;
    flags.push({ kind: "restarted", says: `restarted without a plan at ${at}: ${says}` });
  }
  const minutes = lengthOf(last) / 60;
  const errorsPerMinute = (last.errors ?? 0) / minutes;
  if (errorsPerMinute > metrics.error_rate.critical && minutes >= sustainedMinutesMin) {
    flags.push({ kind: "errors", says: `${last.errors} errors in ${spanOf(lengthOf(last))}` });
  }
  if (memory && memory.low > metrics.memory_growth.critical) {
    const growth = `${round(memory.perHour)} MB/h`;
    flags.push({ kind: "memory", says: `memory grows continuously, by ${growth}` });
  }
  const firing = last.alerts ?? [];
  if (firing.length > 1) {
    flags.push({ kind: "alerts", says: `several alerts fire: ${namesOf(firing)}` });
  }
  return flags;
}

/** What of the whole burn-in was away for too short a time to be a red flag. */
function judgeShortOutages(input: FlagsInput): Flag[] {
  const long = longOutages(input);
  const short = input.summary.outages.filter(
    (outage) => outage.planned !== true && !long.includes(outage),
  );
  if (!short.length) return [];
  const together = spanOf(sumOf(short.map(lengthOf)));
  const says = `disconnected or down ${plural(short.length, "time")}, ${together} in all`;
  return [{ kind: "interrupted", says }];
}

/** Response times, CPU and memory that are worse than they should be. */
function judgePerformance({ summary, rows, limits, memoryMbMax }: FlagsInput): Flag[] {
  const { responseGrowsBy, memoryPeakMb } = summary;
  const rowOf = (metric: MetricName): MetricRow | undefined =>
    rows.find((row) => row.metric === metric);
  const response = rowOf("response_time");
  const cpu = rowOf("cpu");
  const flags: Flag[] = [];
  if (response && !isGood(response.level) && response.level !== "unknown") {
    flags.push({ kind: "response", says: `responses take ${response.shown} on average` });
  }
  if (responseGrowsBy > 0) {
    const says = `response times grow, by ${round(responseGrowsBy)} ms so far`;
    flags.push({ kind: "response", says });
  }
  if (cpu && (cpu.value ?? 0) > limits.metrics.cpu.critical) {
    flags.push({ kind: "cpu", says: `the CPU is at ${cpu.shown}` });
  }
  if (memoryMbMax !== null && (memoryPeakMb ?? 0) > memoryMbMax) {
    flags.push({ kind: "memory", says: `memory reached ${round(memoryPeakMb ?? 0)} MB` });
  }
  return flags;
}

/** What makes the newest look itself doubtful. */
function judgeLook({ late, jump, prometheus }: Account): Flag[] {
  const flags: Flag[] = [];
  if (late > 0) flags.push({ kind: "late", says: `this look came ${spanOf(late)} late` });
  if (jump) flags.push({ kind: "clock", says: `the clock was set by ${round(jump)} s` });
  for (const says of prometheus?.problems ?? []) flags.push({ kind: "monitoring", says });
  return flags;
}

/** What is to be watched, of the whole burn-in. */
function judgeYellowFlags(input: FlagsInput, isRed: boolean): Flag[] {
  const { summary, last } = input;
  const firing = last.alerts ?? [];
  const flags = judgeShortOutages(input);
  // Where a red flag is up, that there were errors is no news.
  if (summary.errors && !isRed) {
    flags.push({ kind: "errors", says: plural(summary.errors, "error") });
  }
  if (firing.length === 1) {
    flags.push({ kind: "alerts", says: `an alert fires: ${namesOf(firing)}` });
  }
  flags.push(...judgePerformance(input));
  for (const { planned, at, says } of summary.restarts) {
    if (planned !== null) continue;
    flags.push({ kind: "restarted", says: `restarted at ${at}, planned or not: ${says}` });
  }
  flags.push(...judgeLook(last));
  for (const said of summary.disagreements) {
    flags.push({ kind: "disagreement", says: `disagreement: ${said}` });
  }
  return flags;
}

/**
 * Seed 002's red flags, of the newest account, for they ask for somebody now; and its yellow flags,
 * of the whole burn-in.
 */
export function judgeFlags(input: FlagsInput): Flags {
  const red = judgeRedFlags(input);
  return { red, yellow: judgeYellowFlags(input, red.length > 0) };
}
