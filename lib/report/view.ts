/** What a report says, out of what was gathered: the view that both templates are filled with. */

import { hostname } from "node:os";
import { isOver, judgeCheckpoint } from "../burnin/checkpoints.ts";
import { judgeStanding } from "../burnin/judging.ts";
import { percentOf } from "../burnin/metrics.ts";
import { DAY_SECONDS, hoursOf } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { userOf } from "../files.ts";
import { round } from "../numbers.ts";
import { isoOf, plural, spanOf } from "../text.ts";
import { VERSION } from "../vocabulary.ts";
import { drawCharts } from "./charts.ts";
import { listEvents } from "./events.ts";
import type { gatherReport } from "./gather.ts";
import type { ReportView } from "./render.ts";

const HEALTHY = {
  PASS: "HEALTHY",
  RUNNING: "HEALTHY",
  PARTIAL: "ISSUES",
  FAIL: "CRITICAL",
} as const;

/** What a report says, out of what the log has of a burn-in; null where there is none. */
export function buildReport(
  config: Config,
  gathered: ReturnType<typeof gatherReport>,
  now: number,
): ReportView | null {
  const { group, told, checkpoints, notes, findings, skipped } = gathered;
  if (!group) return null;
  const { timeZone } = config.burnin;
  const accounts = group.accounts.toSorted((a, b) => a.from - b.from);
  const standing = judgeStanding(
    { ...group.about, accounts, place: null, hours: [], decision: "RUNNING" },
    config,
  );
  const { burnin, summary, rows, flags } = standing;
  const judged = checkpoints.filter((record) => record.burnin === burnin.id);
  const final = judged.findLast(({ hour }) => hour === 24);
  // A decision stays; its reasons may have become more.
  const { decision, reasons, action } =
    final && final.decision !== standing.decision ? final : standing;
  const [from, last] = [burnin.startedAt, accounts.at(-1)];
  const to = last?.at ?? from;
  const isWithin = ({ at }: { at: string }): boolean => at >= from && at <= to;
  const format = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZone,
  });
  const clock = (at: string): string => format.format(new Date(at));
  const clockOf = (age: number): string => clock(isoOf(Date.parse(from) + age * 1000));
  const said = notes.map(({ at, by, text }) => ({
    at,
    kind: "note" as const,
    says: `${by}: ${text}`,
  }));
  const decided = judged.map((record) => ({
    at: record.ts,
    kind: "checkpoint" as const,
    says: `${record.hour} h: ${record.action}`,
  }));
  const facts = {
    Errors: String(summary.errors),
    Warnings: String(summary.warnings),
    "Planned restarts": String(summary.restarts.filter(({ planned }) => planned).length),
    "Peak users": summary.users ? `${summary.users.peak} at ${clock(summary.users.at)}` : "-",
    "Peak memory": summary.memoryPeakMb === null ? "-" : `${round(summary.memoryPeakMb)} MB`,
    Looks: String(summary.looks),
    "Newest backup":
      typeof last?.backupHours === "number" ? `${round(last.backupHours)} hours old` : "-",
  };
  const points = hoursOf(burnin.limits).map((hour) => {
    const record = judged.findLast((each) => each.hour === hour);
    const open = judgeCheckpoint(hour, summary, burnin).map(({ criterion }) => ({
      criterion,
      status: "deferred" as const,
      says: "not due yet",
    }));
    const {
      ts: at = null,
      verdict: status = "not due yet",
      action: told = "",
      criteria: then = open,
    } = record ?? {};
    // A failure before its time was judged by what was known then.
    const criteria =
      record && hour === 24 && isOver(summary, burnin)
        ? judgeCheckpoint(24, summary, burnin)
        : then;
    return { title: `${hour}-Hour Checkpoint`, at, status, decision: told, criteria };
  });
  const day = Math.max(1, Math.ceil(summary.age / DAY_SECONDS));
  const { foreign, unread } = skipped;
  const leftOut = [
    foreign &&
      `${plural(foreign, "line")} of the log ${foreign === 1 ? "is" : "are"} torn or foreign`,
    ...unread.map((file) => `${file} cannot be read`),
  ];
  return {
    ...{
      title: `Production Validation Report - Day ${day}`,
      day,
      env: config.name,
      host: hostname(),
      release: burnin.release ?? "unknown",
    },
    ...{
      date: to.slice(0, 10),
      validator: userOf(),
      generatedAt: isoOf(now),
      timeZone,
      verifier: VERSION,
      attempt: burnin.attempt,
      from,
      to,
    },
    age: `${spanOf(summary.age)} of ${spanOf(burnin.seconds)}`,
    coverage: `${percentOf(summary.age ? (100 * summary.covered) / summary.age : 0)} of the time is accounted for, in ${plural(summary.looks, "look")}`,
    ...{ decision, reasons, action, metrics: rows },
    healthy: flags.red.length
      ? "CRITICAL"
      : decision === "RUNNING" && rows.some(({ level }) => level === "worse")
        ? "ISSUES"
        : HEALTHY[decision],
    facts: Object.entries(facts).map(([name, value]) => ({ name, value })),
    events: listEvents(
      standing,
      accounts,
      [...decided, ...[...told, ...said].filter(isWithin)],
      clock,
    ),
    issues: [...[...flags.red, ...flags.yellow].map(({ says }) => says), ...reasons],
    actions: decision === "PASS" || decision === "RUNNING" ? [] : [action],
    observations: notes.filter(({ at }) => at >= from),
    ...{
      checkpoints: points,
      findings: findings.filter(isWithin).slice(-50),
      redFlags: flags.red.map(({ says }) => says),
      yellowFlags: flags.yellow.map(({ says }) => says),
    },
    skipped: leftOut.filter(Boolean).join("; ") || null,
    charts: drawCharts(standing, accounts, config, clockOf),
  };
}
