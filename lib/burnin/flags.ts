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
import type { Account, Flags, MetricRow } from "./words.ts";

/**
 * Seed 002's red flags, of the newest account, for they ask for somebody now; and its yellow flags,
 * of the whole burn-in.
 */
export function judgeFlags(
  summary: Summary,
  rows: readonly MetricRow[],
  last: Account,
  limits: BurninLimits,
  memoryMbMax: number | null,
): Flags {
  const { metrics, outageSecondsMax, sustainedMinutesMin } = limits;
  const { outages, restarts, errors, memory, responseGrowsBy, memoryPeakMb, disagreements } =
    summary;
  const rowOf = (metric: MetricName): MetricRow | undefined =>
    rows.find((row) => row.metric === metric);
  const long = outages.filter(
    ({ exact, planned, to, ...outage }) =>
      exact && planned !== true && to > last.from && to - outage.from > outageSecondsMax,
  );
  const minutes = lengthOf(last) / 60;
  const rate = (last.errors ?? 0) / minutes;
  const crashes = last.restarts.filter(({ planned }) => planned === false);
  const firing = last.alerts ?? [];
  const names = firing.map(({ name }) => name).join(", ");
  const red = [
    ...long.map(
      ({ kind, says, at, ...span }) => `${kind} for ${spanOf(lengthOf(span))} since ${at}: ${says}`,
    ),
    ...crashes.map(({ at, says }) => `restarted without a plan at ${at}: ${says}`),
    ...(rate > metrics.error_rate.critical && minutes >= sustainedMinutesMin
      ? [`${last.errors} errors in ${spanOf(lengthOf(last))}`]
      : []),
    ...(memory && memory.low > metrics.memory_growth.critical
      ? [`memory grows continuously, by ${round(memory.perHour)} MB/h`]
      : []),
    ...(firing.length > 1 ? [`several alerts fire: ${names}`] : []),
  ];
  const [slow, load] = [rowOf("response_time"), rowOf("cpu")];
  const short = outages.filter((outage) => !long.includes(outage) && outage.planned !== true);
  const yellow = [
    ...(short.length
      ? [
          `disconnected or down ${plural(short.length, "time")}, ${spanOf(sumOf(short.map(lengthOf)))} in all`,
        ]
      : []),
    ...(errors && !red.length ? [plural(errors, "error")] : []),
    ...(firing.length === 1 ? [`an alert fires: ${names}`] : []),
    ...(slow && !isGood(slow.level) && slow.level !== "unknown"
      ? [`responses take ${slow.shown} on average`]
      : []),
    ...(responseGrowsBy > 0 ? [`response times grow, by ${round(responseGrowsBy)} ms so far`] : []),
    ...(load && (load.value ?? 0) > metrics.cpu.critical ? [`the CPU is at ${load.shown}`] : []),
    ...((memoryPeakMb ?? 0) > (memoryMbMax ?? Infinity)
      ? [`memory reached ${round(memoryPeakMb ?? 0)} MB`]
      : []),
    ...restarts.flatMap(({ planned, at, says }) =>
      planned === null ? [`restarted at ${at}, planned or not: ${says}`] : [],
    ),
    ...(last.late > 0 ? [`this look came ${spanOf(last.late)} late`] : []),
    ...(last.jump ? [`the clock was set by ${round(last.jump)} s`] : []),
    ...(last.prometheus?.problems ?? []),
    ...disagreements.map((said) => `disagreement: ${said}`),
  ];
  return { red, yellow };
}
