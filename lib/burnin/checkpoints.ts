/** Seed 002's checkpoints at 6, 12 and 24 hours: what each asks for, and whether it holds. */

import { round } from "../numbers.ts";
import type { BandName, Hour, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import type { Band } from "./bands.ts";
import { isGood, judgeMetrics } from "./metrics.ts";
import { lengthOf } from "./spans.ts";
import { countRestarts, type Summary, type Uptime } from "./summary.ts";
import type { Burnin, Criterion, Level, MetricRow } from "./words.ts";

/** What a checkpoint is judged by; `rows` is the table of the same summary. */
type CheckpointInput = {
  hour: Hour;
  summary: Summary;
  burnin: Burnin;
  rows: readonly MetricRow[];
};

/** Null: what was not seen would decide. */
type Holds = boolean | null;

function judged(criterion: string, holds: Holds, says: string): Criterion {
  if (holds === null) return { criterion, status: "unknown", says };
  return { criterion, status: holds ? "pass" : "fail", says };
}

/** What nothing measures, for the config says why not. */
const off = (criterion: string, says: string): Criterion => ({ criterion, status: "off", says });

function rowOf({ rows }: CheckpointInput, metric: MetricName): MetricRow {
  return rows.find((row) => row.metric === metric) as MetricRow;
}

const wordsOf = ({ shown, says }: MetricRow): string => `${shown}: ${says}`;

function isGoodLevel(level: Level): Holds {
  return level === "unknown" ? null : isGood(level);
}

/** A criterion that holds where a row of the table is acceptable. */
function byLevel(criterion: string, row: MetricRow): Criterion {
  const { metric, level } = row;
  const says = wordsOf(row);
  if (level === "off") return { ...off(criterion, says), metric };
  return { ...judged(criterion, isGoodLevel(level), says), metric };
}

/** The errors of all accounts against the checkpoint's limit. */
function judgeErrors(criterion: string, input: CheckpointInput, says: string): Criterion {
  const { summary, burnin, hour } = input;
  const { errors, errorsOff, errorsUnseen } = summary;
  const { errorsMax } = burnin.limits.checkpoints[hour];
  if (errorsOff) return off(criterion, "not counted");
  if (errorsMax !== null && errors > errorsMax) return judged(criterion, false, says);
  return judged(criterion, errorsUnseen ? null : true, says);
}

/** That no alert has fired. */
function judgeNone(criterion: string, count: number | null): Criterion {
  if (count === null) return off(criterion, "no source of alerts");
  return judged(criterion, count === 0, `${count} fired`);
}

/** Whether an uptime is certain to be over a limit, or under it. */
function isOverLimit({ low, high }: Uptime, limit: number): Holds {
  if (low > limit) return true;
  return high > limit ? null : false;
}

/** Whether an uptime is certain to be whole, or not to be. */
function isWhole({ low, high }: Uptime, target: number): Holds {
  if (low >= target) return true;
  return high >= target ? null : false;
}

function judgeUptimeOver(input: CheckpointInput): Criterion {
  const { acceptable } = input.burnin.limits.metrics.uptime;
  const row = rowOf(input, "uptime");
  const holds = isOverLimit(input.summary.uptime, acceptable);
  return { ...judged(`Uptime > ${acceptable}%`, holds, wordsOf(row)), metric: "uptime" };
}

/**
 * Whether what a band has seen is bad. What is acceptable holds for the day: spread evenly, it is
 * exceeded in some band by chance.
 */
function isBadBand(band: Band, { limits }: Burnin): boolean {
  const { metrics, bandDownMax } = limits;
  const errorsPerMinute = band.errors / Math.max(1, band.covered / 60);
  return (
    errorsPerMinute > metrics.error_rate.critical ||
    band.downSeconds > bandDownMax * band.covered ||
    (band.responseMs ?? 0) > metrics.response_time.critical
  );
}

/**
 * A band has been seen when most of it was accounted for, with a look in it; one that cannot have
 * come yet is deferred.
 */
function judgeBand(criterion: string, name: BandName, input: CheckpointInput): Criterion {
  const { summary, burnin, hour } = input;
  const { limits } = burnin;
  const band = summary.bands[name];
  const { due, covered, errors, downSeconds, looks } = band;
  if (due < (limits.checkpoints[hour].bandSecondsMin ?? 0)) {
    return { criterion, status: "deferred", says: "has not come yet" };
  }
  const seen = `${spanOf(covered)} of ${spanOf(due)} seen in ${plural(looks, "look")}`;
  const says = `${seen}, ${round(errors)} errors, ${spanOf(downSeconds)} down`;
  const isSeen = covered >= limits.bandCoveredMin * due && looks > 0;
  return judged(criterion, isSeen ? !isBadBand(band, burnin) : null, says);
}

function judgePerformance(input: CheckpointInput): Criterion {
  const names: MetricName[] = ["response_time", "cpu", "memory_growth"];
  const levels = names.map((name) => rowOf(input, name).level);
  const isUnknown = levels.includes("unknown");
  const holds = isUnknown ? null : levels.every(isGood);
  return judged("Performance acceptable", holds, wordsOf(rowOf(input, "response_time")));
}

function judgeRestarts(input: CheckpointInput): Criterion {
  const { unplanned, unclear } = countRestarts(input.summary.restarts);
  const says = wordsOf(rowOf(input, "restarts"));
  const holds = unplanned === 0 && unclear > 0 ? null : unplanned === 0;
  return { ...judged("Zero unplanned restarts", holds, says), metric: "restarts" };
}

/** What nobody saw is no failure of the bot, and no success either. */
function judgeMonitoring({ summary }: CheckpointInput): Criterion {
  const { holes, unseen } = summary;
  const missing = holes.map((hole) => `nobody looked for ${spanOf(lengthOf(hole))}`);
  const gaps = [...missing, ...unseen];
  const says = gaps.join("; ") || "every look has seen everything";
  return judged("All monitoring systems operational", gaps.length ? null : true, says);
}

function judgeAfter6Hours(input: CheckpointInput): Criterion[] {
  const { summary, burnin } = input;
  const { uptime, errors, warnings, alerts } = summary;
  const isConnected = isWhole(uptime, burnin.limits.metrics.uptime.target);
  const uptimeSays = wordsOf(rowOf(input, "uptime"));
  const counted = plural(errors, "error");
  return [
    { ...judged("Bot connected 100% of time", isConnected, uptimeSays), metric: "uptime" },
    judgeErrors("Zero errors", input, counted),
    judgeNone("No alerts", alerts),
    byLevel("Memory stable", rowOf(input, "memory_growth")),
    judgeErrors("Logs clean", input, `${counted}, ${plural(warnings, "warning")}`),
  ];
}

function judgeAfter12Hours(input: CheckpointInput): Criterion[] {
  const { summary, burnin } = input;
  const errorsBelow = (burnin.limits.checkpoints[12].errorsMax ?? 0) + 1;
  const counted = plural(summary.errors, "error");
  return [
    judgeUptimeOver(input),
    judgeErrors(`Error count < ${errorsBelow} total`, input, counted),
    judgeNone("No critical alerts", summary.alertsCritical),
    judgePerformance(input),
    judgeBand("One peak period observed", "peak", input),
  ];
}

function judgeAfter24Hours(input: CheckpointInput): Criterion[] {
  return [
    judgeUptimeOver(input),
    byLevel("Error rate acceptable", rowOf(input, "error_rate")),
    judgeRestarts(input),
    judgeBand("Passed peak hours", "peak", input),
    judgeBand("Passed off-peak hours", "offPeak", input),
    judgeMonitoring(input),
    off("Team confident in stability", "a person's sign-off, beside the verdict"),
  ];
}

const JUDGES: Readonly<Record<Hour, (input: CheckpointInput) => Criterion[]>> = {
  6: judgeAfter6Hours,
  12: judgeAfter12Hours,
  24: judgeAfter24Hours,
};

/** The criteria of seed 002's checkpoint at an hour (of 24) of the burn-in. */
export function judgeCheckpoint(hour: Hour, summary: Summary, burnin: Burnin): Criterion[] {
  const rows = judgeMetrics(summary, burnin);
  return JUDGES[hour]({ hour, summary, burnin, rows });
}

/**
 * Whether a checkpoint's hour has come, by default the last. Ticks may come a moment early; a
 * burn-in that was made short for a demonstration has short moments.
 */
export function isOver(
  { age }: Pick<Summary, "age">,
  { seconds, limits }: Burnin,
  hour: Hour = 24,
): boolean {
  const early = Math.min(limits.earlySecondsMax, limits.earlyShareMax * seconds);
  return age >= (seconds * hour) / 24 - early;
}
