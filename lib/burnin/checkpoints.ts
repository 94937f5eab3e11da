/** Seed 002's checkpoints at 6, 12 and 24 hours: what each asks for, and whether it holds. */

import { round } from "../numbers.ts";
import type { BandName, BurninLimits, Hour, MetricName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import { isGood, judgeMetrics } from "./metrics.ts";
import { lengthOf } from "./spans.ts";
import { countRestarts, type Summary } from "./summary.ts";
import type { Burnin, Criterion, Level } from "./words.ts";

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
