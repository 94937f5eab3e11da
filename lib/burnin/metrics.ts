/** Seed 002's table of metrics: each value beside its limits, with its level. */

import { round } from "../numbers.ts";
import type { BurninLimits, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import { countRestarts, type Summary } from "./summary.ts";
import type { Burnin, Level, MetricRow } from "./words.ts";

export const percentOf = (share: number): string => `${Number(share.toFixed(3))} %`;

function levelOf(
  { target, acceptable, critical }: BurninLimits["metrics"][MetricName],
  value: number,
): Level {
  if (target === 0 ? value <= 0 : value < target) return "target";
  return value > critical ? "critical" : value < acceptable ? "acceptable" : "worse";
}

/**
 * While a burn-in runs, its uptime is judged by what it can still become: a lost minute of the
 * first hour is no worse than one of the last.
 */
function judgeUptime(
  { age, uptime, downSeconds, looks }: Summary,
  { seconds, limits }: Burnin,
): Pick<MetricRow, "value" | "shown" | "level" | "says"> {
  const { acceptable, critical } = limits.metrics.uptime;
  const [low, high] = [uptime.low, uptime.high].map(
    (share) => 100 - (100 - share) * (age / Math.max(age, seconds, 1)),
  ) as [number, number];
  const level =
    low === 100
      ? "target"
      : low > acceptable
        ? "acceptable"
        : high < critical
          ? "critical"
          : high <= acceptable
            ? "worse"
            : "unknown";
  const [lostSeconds, planned] = [
    downSeconds.planned + downSeconds.unplanned,
    spanOf(downSeconds.planned),
  ];
  const lost = lostSeconds
    ? `down or disconnected for ${spanOf(lostSeconds)}${downSeconds.planned ? `, ${planned} of it planned` : ""}`
    : "never seen down or disconnected";
  const says =
    uptime.low === uptime.high
      ? lost
      : `${lost}; what nobody saw could make it ${percentOf(uptime.low)}`;
  const shown =
    uptime.low === uptime.high
      ? percentOf(uptime.low)
      : `${percentOf(uptime.low)} to ${percentOf(uptime.high)}`;
  return { value: uptime.low, shown, says, level: looks ? level : "unknown" };
}

/** Growth whose interval reaches zero is none, unless it is large all the same. */
function judgeGrowth(
  { memory, memoryPeakMb }: Summary,
  { limits }: Burnin,
): Pick<MetricRow, "value" | "shown" | "level" | "says"> {
  if (!memory)
    return {
      value: null,
      shown: "-",
      level: memoryPeakMb === null ? "off" : "unknown",
      says: "too few samples between the restarts",
    };
  const { perHour, low, high } = memory;
  const level = levelOf(limits.metrics.memory_growth, perHour);
  const says = `95 % interval ${round(low)} to ${round(high)} MB/h`;
  return {
    value: perHour,
    shown: `${round(perHour)} MB/h`,
    level: level === "acceptable" && low <= 0 ? "target" : level,
    says,
  };
}

/** Seed 002's table, each metric with its level. */
export function judgeMetrics(summary: Summary, burnin: Burnin): MetricRow[] {
  const {
    restarts,
    errors,
    errorsOff,
    errorsUnseen,
    errorsPerMinute,
    alerts,
    responseMs,
    responseGrowsBy,
    cpuPercent,
    looks,
  } = summary;
  const { unplanned, unclear } = countRestarts(restarts);
  const table = burnin.limits.metrics;
  const row = (
    metric: MetricName,
    judged: Pick<MetricRow, "value" | "shown" | "level" | "says">,
  ): MetricRow => {
    const { title, unit, target, acceptable, critical } = table[metric];
    const [better, worse] = metric === "uptime" ? [">", "<"] : ["<", ">"];
    const plain = target === 0 || metric === "uptime";
    const limits = {
      target: `${plain ? "" : "< "}${target}${unit}`,
      acceptable: `${acceptable ? `${better} ` : ""}${acceptable}${unit}`,
    };
    return { metric, title, ...judged, ...limits, critical: `${worse} ${critical}${unit}` };
  };
  const measured = (
    metric: MetricName,
    value: number | null,
    says: string,
    shown = value === null ? "-" : `${round(value)}${table[metric].unit}`,
  ): MetricRow =>
    row(metric, {
      value,
      shown,
      says,
      level: value === null ? "off" : levelOf(table[metric], value),
    });
  // Where no look has counted, the config says why; what should have been counted and was not, is
  // in `unseen`.
  const counted = errorsOff
    ? "not counted"
    : `${plural(errors, "error")}${errorsUnseen ? "; not all logs could be counted" : ""}`;
  const rate = measured("error_rate", errorsOff ? null : errorsPerMinute, counted);
  if (errorsUnseen && !errorsOff && rate.level !== "critical") rate.level = "unknown";
  const starts = measured(
    "restarts",
    unplanned,
    [
      ...restarts.flatMap(({ planned, at, says }) => (planned === false ? [`${at} ${says}`] : [])),
      `${restarts.length - unplanned - unclear} planned${unclear ? `, ${unclear} of which nobody can tell` : ""}`,
    ].join("; "),
  );
  if (unclear && starts.level === "target") starts.level = "unknown";
  return [
    row("uptime", judgeUptime(summary, burnin)),
    rate,
    starts,
    measured(
      "alerts",
      alerts,
      alerts === null ? "no source of alerts" : `fired during the burn-in`,
    ),
    measured(
      "response_time",
      responseMs,
      responseMs === null
        ? "not measured"
        : responseGrowsBy > 0
          ? `grew by ${round(responseGrowsBy)} ms`
          : "steady",
    ),
    row("memory_growth", judgeGrowth(summary, burnin)),
    measured(
      "cpu",
      cpuPercent,
      cpuPercent === null ? "not measured" : `average of ${plural(looks, "look")}`,
    ),
  ];
}

export const isGood = (level: Level | undefined): boolean =>
  level === "target" || level === "acceptable" || level === "off";
