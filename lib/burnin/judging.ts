/**
 * Judges a burn-in by the table of seed 002, which verify.ts hands down: levels, checkpoints,
 * flags, the decision. Pure; it looks at nothing.
 */

import { randomUUID } from "node:crypto";
import { CHECKPOINT_ADVICE, DECISION_ADVICE } from "../advice.ts";
import type { Config } from "../config.ts";
import { headOf } from "../log.ts";
import { round, sumOf } from "../numbers.ts";
import type { BandName, BurninLimits, Hour, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import { EXIT, type Verdict } from "../vocabulary.ts";
import { countRestarts, type Summary, summarizeBurnin } from "./summary.ts";
import {
  type Account,
  type Burnin,
  type Criterion,
  DAY_SECONDS,
  type Decision,
  type Flags,
  hoursOf,
  type Level,
  lengthOf,
  type MetricRow,
  type OpenBurnin,
} from "./words.ts";

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

const isGood = (level: Level | undefined): boolean =>
  level === "target" || level === "acceptable" || level === "off";
const CONFIDENCE = "a person's sign-off, beside the verdict";

/**
 * A band has been seen when most of it was accounted for, with a look in it; one that cannot have
 * come yet is deferred.
 */
function judgeBand(
  criterion: string,
  band: Summary["bands"]["peak"],
  limits: BurninLimits,
  secondsMin: number,
): Criterion {
  const { due, covered, errors, downSeconds, responseMs, looks } = band;
  const rate = errors / Math.max(1, covered / 60);
  const says = `${spanOf(covered)} of ${spanOf(due)} seen in ${plural(looks, "look")}, ${round(errors)} errors, ${spanOf(downSeconds)} down`;
  const { metrics, bandCoveredMin, bandDownMax } = limits;
  const seen = covered >= bandCoveredMin * due && looks > 0;
  // What is acceptable holds for the day: spread evenly, it is exceeded in some band by chance.
  const bad =
    rate > metrics.error_rate.critical ||
    downSeconds > bandDownMax * covered ||
    (responseMs ?? 0) > metrics.response_time.critical;
  const status = due < secondsMin ? "deferred" : !seen ? "unknown" : bad ? "fail" : "pass";
  return { criterion, status, says: status === "deferred" ? "has not come yet" : says };
}

/** The criteria of seed 002's checkpoint at an hour (of 24) of the burn-in. */
export function judgeCheckpoint(hour: Hour, summary: Summary, burnin: Burnin): Criterion[] {
  const {
    uptime,
    errors,
    errorsOff,
    errorsUnseen,
    alerts,
    alertsCritical,
    warnings,
    restarts,
    holes,
    unseen,
    bands,
  } = summary;
  const rows = judgeMetrics(summary, burnin);
  const { limits } = burnin;
  const uptimeMin = limits.metrics.uptime.acceptable;
  const { errorsMax, bandSecondsMin } = limits.checkpoints[hour];
  const levelIn = (metric: MetricName): Level =>
    rows.find((row) => row.metric === metric)?.level ?? "unknown";
  const saysIn = (metric: MetricName): string =>
    rows.filter((row) => row.metric === metric).map(({ shown, says }) => `${shown}: ${says}`)[0] ??
    "";
  const judged = (criterion: string, holds: boolean | null, says: string): Criterion => ({
    criterion,
    status: holds === null ? "unknown" : holds ? "pass" : "fail",
    says,
  });
  const off = (criterion: string, says: string): Criterion => ({ criterion, status: "off", says });
  const byLevel = (criterion: string, level: Level, says: string): Criterion =>
    level === "off"
      ? off(criterion, says)
      : judged(criterion, level === "unknown" ? null : isGood(level), says);
  const above = (limit: number): boolean | null =>
    uptime.low > limit ? true : uptime.high > limit ? null : false;
  const up = judged(`Uptime > ${uptimeMin}%`, above(uptimeMin), saysIn("uptime"));
  const few = (criterion: string, says = plural(errors, "error")): Criterion =>
    errorsOff
      ? off(criterion, "not counted")
      : judged(
          criterion,
          errors > (errorsMax ?? Infinity) ? false : errorsUnseen ? null : true,
          says,
        );
  const band = (criterion: string, which: BandName): Criterion =>
    judgeBand(criterion, bands[which], limits, bandSecondsMin ?? 0);
  const none = (criterion: string, count: number | null): Criterion =>
    count === null
      ? off(criterion, "no source of alerts")
      : judged(criterion, count === 0, `${count} fired`);
  const performance = (["response_time", "cpu", "memory_growth"] as const)
    .map(levelIn)
    .filter((level) => level !== "unknown" || hour > 6);
  if (hour === 6)
    return [
      judged(
        "Bot connected 100% of time",
        uptime.low === 100 ? true : uptime.high === 100 ? null : false,
        saysIn("uptime"),
      ),
      few("Zero errors"),
      none("No alerts", alerts),
      byLevel("Memory stable", levelIn("memory_growth"), saysIn("memory_growth")),
      few("Logs clean", `${plural(errors, "error")}, ${plural(warnings, "warning")}`),
    ];
  if (hour === 12)
    return [
      up,
      few(`Error count < ${(errorsMax ?? 0) + 1} total`),
      none("No critical alerts", alertsCritical),
      judged(
        "Performance acceptable",
        performance.every(isGood)
          ? true
          : performance.some((level) => level === "unknown")
            ? null
            : false,
        saysIn("response_time"),
      ),
      band("One peak period observed", "peak"),
    ];
  const { unplanned, unclear } = countRestarts(restarts);
  return [
    up,
    byLevel("Error rate acceptable", levelIn("error_rate"), saysIn("error_rate")),
    judged(
      "Zero unplanned restarts",
      unplanned ? false : unclear ? null : true,
      saysIn("restarts"),
    ),
    band("Passed peak hours", "peak"),
    band("Passed off-peak hours", "offPeak"),
    judged(
      "All monitoring systems operational",
      holes.length || unseen.length ? null : true,
      [...holes.map((hole) => `nobody looked for ${spanOf(lengthOf(hole))}`), ...unseen].join(
        "; ",
      ) || "every look has seen everything",
    ),
    off("Team confident in stability", CONFIDENCE),
  ];
}
/** Whether the planned length is over; ticks may come a moment early. */
export const isOver = (
  { age }: Pick<Summary, "age">,
  { seconds }: Burnin,
  hour: Hour = 24,
): boolean => age >= (seconds * hour) / 24 - Math.min(30, seconds / 100);

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
/**
 * Seed 002's red flags, of the newest account, for they ask for somebody now; and its yellow flags,
 * of the whole burn-in.
 */
function judgeFlags(
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
    ? judgeFlags(summary, rows, last, burninLimits, limits.memoryMbMax)
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
    return { verdict: "fail", exit: EXIT.redFlag, action: `Red flag: ${flags.red.join("; ")}.` };
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
