/** Seed 002's table of metrics: each value beside its limits, with its level. */

import { round } from "../numbers.ts";
import type { BurninLimits, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import { countRestarts, type Summary } from "./summary.ts";
import type { Burnin, Level, MetricRow } from "./words.ts";

type MetricLimits = BurninLimits["metrics"][MetricName];

/** What is found of a metric, before its row says what it should be. */
type Judgement = {
  value: number | null;
  shown: string;
  level: Level;
  says: string;
};

export const isGood = (level: Level): boolean =>
  level === "target" || level === "acceptable" || level === "off";

export const percentOf = (share: number): string => `${Number(share.toFixed(3))} %`;

/** The level of a value that is the better the lower it is; a target of 0 is met by none at all. */
function levelOf({ target, acceptable, critical }: MetricLimits, value: number): Level {
  const meetsTarget = target === 0 ? value <= 0 : value < target;
  if (meetsTarget) return "target";
  if (value > critical) return "critical";
  if (value < acceptable) return "acceptable";
  return "worse";
}

/** A value by its level; null is what the config says is not measured. */
function judgeValue(limits: MetricLimits, value: number | null, says: string): Judgement {
  if (value === null) return { value, shown: "-", level: "off", says };
  return {
    value,
    shown: `${round(value)}${limits.unit}`,
    level: levelOf(limits, value),
    says,
  };
}

/**
 * The level of an uptime, by the lowest and the highest that the whole burn-in can still reach.
 * What nobody saw may lie on both sides of a limit: then it is unknown.
 */
function levelOfUptime(
  { target, acceptable, critical }: MetricLimits,
  low: number,
  high: number,
): Level {
  if (low >= target) return "target";
  if (low > acceptable) return "acceptable";
  if (high < critical) return "critical";
  if (high <= acceptable) return "worse";
  return "unknown";
}

/** How long the bot was away, as a person says it. */
function lostTime({ planned, unplanned }: Summary["downSeconds"]): string {
  const lost = planned + unplanned;
  if (!lost) return "never seen down or disconnected";
  const share = planned ? `, ${spanOf(planned)} of it planned` : "";
  return `down or disconnected for ${spanOf(lost)}${share}`;
}

/**
 * While a burn-in runs, its uptime is judged by what it can still become: a lost minute of the
 * first hour is no worse than one of the last.
 */
function judgeUptime(summary: Summary, { seconds, limits }: Burnin): Judgement {
  const { age, uptime, downSeconds, looks } = summary;
  const { low, high } = uptime;
  const atTheEnd = (percent: number): number =>
    100 - (100 - percent) * (age / Math.max(age, seconds, 1));
  const level = looks
    ? levelOfUptime(limits.metrics.uptime, atTheEnd(low), atTheEnd(high))
    : "unknown";
  const lost = lostTime(downSeconds);
  if (low === high) return { value: low, shown: percentOf(low), level, says: lost };
  return {
    value: low,
    shown: `${percentOf(low)} to ${percentOf(high)}`,
    level,
    says: `${lost}; what nobody saw could make it ${percentOf(low)}`,
  };
}

/**
 * Where no look has counted errors, the config says why; where some have not, the rate is known
 * only if it is bad enough without them. What was not seen is in the summary's `unseen`.
 */
function judgeErrorRate(summary: Summary, { limits }: Burnin): Judgement {
  const { errors, errorsOff, errorsUnseen, errorsPerMinute } = summary;
  const { error_rate: limit } = limits.metrics;
  if (errorsOff) return judgeValue(limit, null, "not counted");
  if (!errorsUnseen) return judgeValue(limit, errorsPerMinute, plural(errors, "error"));
  const says = `${plural(errors, "error")}; not all logs could be counted`;
  const judged = judgeValue(limit, errorsPerMinute, says);
  return judged.level === "critical" ? judged : { ...judged, level: "unknown" };
}

/** Only unplanned restarts count; one of which nobody can tell may be one. */
function judgeRestarts({ restarts }: Summary, { limits }: Burnin): Judgement {
  const { unplanned, unclear } = countRestarts(restarts);
  const bad = restarts.filter(({ planned }) => planned === false);
  const others = `${restarts.length - unplanned - unclear} planned`;
  const doubt = unclear ? `, ${unclear} of which nobody can tell` : "";
  const says = [...bad.map(({ at, says }) => `${at} ${says}`), `${others}${doubt}`].join("; ");
  const judged = judgeValue(limits.metrics.restarts, unplanned, says);
  return unclear && judged.level === "target" ? { ...judged, level: "unknown" } : judged;
}

function judgeAlerts({ alerts }: Summary, { limits }: Burnin): Judgement {
  const says = alerts === null ? "no source of alerts" : "fired during the burn-in";
  return judgeValue(limits.metrics.alerts, alerts, says);
}

function judgeResponseTime(summary: Summary, { limits }: Burnin): Judgement {
  const { responseMs, responseGrowsBy } = summary;
  const { response_time: limit } = limits.metrics;
  if (responseMs === null) return judgeValue(limit, null, "not measured");
  const says = responseGrowsBy > 0 ? `grew by ${round(responseGrowsBy)} ms` : "steady";
  return judgeValue(limit, responseMs, says);
}

/** Growth whose interval reaches zero is none, unless it is large all the same. */
function judgeGrowth({ memory, memoryPeakMb }: Summary, { limits }: Burnin): Judgement {
  if (!memory) {
    const level = memoryPeakMb === null ? "off" : "unknown";
    return { value: null, shown: "-", level, says: "too few samples between the restarts" };
  }
  const { perHour, low, high } = memory;
  const says = `95 % interval ${round(low)} to ${round(high)} MB/h`;
  const judged = judgeValue(limits.metrics.memory_growth, perHour, says);
  return judged.level === "acceptable" && low <= 0 ? { ...judged, level: "target" } : judged;
}

function judgeCpu({ cpuPercent, looks }: Summary, { limits }: Burnin): Judgement {
  const says = cpuPercent === null ? "not measured" : `average of ${plural(looks, "look")}`;
  return judgeValue(limits.metrics.cpu, cpuPercent, says);
}

/** In the order of the seed's table. */
const JUDGES: Readonly<Record<MetricName, (summary: Summary, burnin: Burnin) => Judgement>> = {
  uptime: judgeUptime,
  error_rate: judgeErrorRate,
  restarts: judgeRestarts,
  alerts: judgeAlerts,
  response_time: judgeResponseTime,
  memory_growth: judgeGrowth,
  cpu: judgeCpu,
};

/** The limits of a row as people read them; an acceptable of 0 is none. */
function showLimits(
  metric: MetricName,
  { unit, target, acceptable, critical }: MetricLimits,
): Pick<MetricRow, "target" | "acceptable" | "critical"> {
  const isUptime = metric === "uptime";
  const better = isUptime ? ">" : "<";
  const worse = isUptime ? "<" : ">";
  const isPlain = isUptime || target === 0;
  return {
    target: isPlain ? `${target}${unit}` : `< ${target}${unit}`,
    acceptable: acceptable ? `${better} ${acceptable}${unit}` : `${acceptable}${unit}`,
    critical: `${worse} ${critical}${unit}`,
  };
}

/** Seed 002's table, each metric with its level. */
export function judgeMetrics(summary: Summary, burnin: Burnin): MetricRow[] {
  return (Object.keys(JUDGES) as MetricName[]).map((metric) => {
    const limits = burnin.limits.metrics[metric];
    const judged = JUDGES[metric](summary, burnin);
    return { metric, title: limits.title, ...judged, ...showLimits(metric, limits) };
  });
}
