/** What a report says, out of what was gathered: the view that both templates are filled with. */

import { countCarried } from "../burnin/bounding.ts";
import { isOver, judgeCheckpoint } from "../burnin/checkpoints.ts";
import { type CheckpointRecord, judgeStanding, type Standing } from "../burnin/judging.ts";
import { percentOf } from "../burnin/metrics.ts";
import {
  type Account,
  type BurninHead,
  DAY_SECONDS,
  type Decision,
  type Flag,
  hoursOf,
} from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { round } from "../numbers.ts";
import type { Hour } from "../rules.ts";
import { isoOf, plural, spanOf } from "../text.ts";
import { VERSION } from "../vocabulary.ts";
import { drawCharts } from "./charts.ts";
import { listEvents } from "./events.ts";
import type { Gathered, Happened } from "./gather.ts";
import type { Observation, ReportCheckpoint, ReportView } from "./render.ts";

/** As many findings as a person reads. */
const FINDINGS_SHOWN_MAX = 50;

const HEALTH = {
  PASS: "HEALTHY",
  RUNNING: "HEALTHY",
  PARTIAL: "ISSUES",
  FAIL: "CRITICAL",
} as const;

function healthOf({ flags, rows }: Standing, decision: Decision["decision"]) {
  if (flags.red.length) return "CRITICAL";
  const isWorse = rows.some(({ level }) => level === "worse");
  return decision === "RUNNING" && isWorse ? "ISSUES" : HEALTH[decision];
}

/** The time of day of an ISO time, in a zone. */
function clockIn(timeZone: string): (at: string) => string {
  const format = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZone,
  });
  return (at) => format.format(new Date(at));
}

/** What the template asks for beside the table. */
function listFacts(
  { summary }: Standing,
  last: Account | undefined,
  clock: (at: string) => string,
): ReportView["facts"] {
  const { users, memoryPeakMb, restarts } = summary;
  const backupHours = last?.backupHours ?? null;
  const facts = {
    Errors: String(summary.errors),
    Warnings: String(summary.warnings),
    "Planned restarts": String(restarts.filter(({ planned }) => planned).length),
    "Peak users": users ? `${users.peak} at ${clock(users.at)}` : "-",
    "Peak memory": memoryPeakMb === null ? "-" : `${round(memoryPeakMb)} MB`,
    Looks: String(summary.looks),
    "Newest backup": backupHours === null ? "-" : `${round(backupHours)} hours old`,
  };
  return Object.entries(facts).map(([name, value]) => ({ name, value }));
}

/** A checkpoint as it was judged; one that was not is listed with what it will ask for. */
function showCheckpoint(
  hour: Hour,
  { summary, burnin }: Standing,
  judged: readonly CheckpointRecord[],
): ReportCheckpoint {
  const title = `${hour}-Hour Checkpoint`;
  const record = judged.findLast((each) => each.hour === hour);
  const present = judgeCheckpoint(hour, summary, burnin);
  if (!record) {
    const criteria = present.map(({ criterion }) => ({
      criterion,
      status: "deferred" as const,
      says: "not due yet",
    }));
    return { title, at: null, status: "not due yet", decision: "", criteria };
  }
  // A failure before its time was judged by what was known then.
  const isRenewed = hour === 24 && isOver(summary, burnin);
  return {
    title,
    at: record.ts,
    status: record.verdict,
    decision: record.action,
    criteria: isRenewed ? present : record.criteria,
  };
}

/** What of the log could not be read, in a sentence; null where all was. */
function describeSkipped({ foreign, unread }: Gathered["skipped"]): string | null {
  const sentences = unread.map((file) => `${file} cannot be read`);
  if (foreign) {
    const are = foreign === 1 ? "is" : "are";
    sentences.unshift(`${plural(foreign, "line")} of the log ${are} torn or foreign`);
  }
  return sentences.join("; ") || null;
}

function describeCoverage(
  { age, covered, looks }: Standing["summary"],
  accounts: readonly Account[],
): string {
  const share = percentOf(age ? (100 * covered) / age : 0);
  const carried = countCarried(accounts);
  const says = `${share} of the time is accounted for, in ${plural(looks, "look")}`;
  if (carried === 0) return says;
  return `${says}; the oldest ${carried} of them are left out, summed up by the hour`;
}

/** The decision of the last checkpoint stays; its reasons may have become more. */
function decisionOf(standing: Standing, judged: readonly CheckpointRecord[]): Decision {
  const final = judged.findLast(({ hour }) => hour === 24);
  const { decision, reasons, action } =
    final && final.decision !== standing.decision ? final : standing;
  return { decision, reasons, action };
}

const sayingsOf = (flags: readonly Flag[]): string[] => flags.map(({ says }) => says);

function tellNote({ at, by, text }: Observation): Happened {
  return { at, kind: "note", says: `${by}: ${text}` };
}

function tellCheckpoint({ ts, hour, action }: CheckpointRecord): Happened {
  return { at: ts, kind: "checkpoint", says: `${hour} h: ${action}` };
}

/** Judges a burn-in by what the log has of it, as if it still ran. */
function judgeAgain(about: BurninHead, accounts: Account[], config: Config): Standing {
  return judgeStanding({ ...about, accounts, place: null, hours: [], decision: "RUNNING" }, config);
}

/** Of a report: where, by whom and when, in epoch milliseconds, it is made. */
type Making = { host: string; validator: string; now: number };

/** What a report says, out of what the log has of a burn-in; null where there is none. */
export function buildReport(config: Config, gathered: Gathered, making: Making): ReportView | null {
  const { group, happened, checkpoints, notes, findings, skipped } = gathered;
  if (!group) return null;
  const accounts = group.accounts.toSorted((a, b) => a.from - b.from);
  const standing = judgeAgain(group.about, accounts, config);
  const { burnin, summary, rows, flags } = standing;
  const judged = checkpoints.filter((record) => record.burnin === burnin.id);
  const { decision, reasons, action } = decisionOf(standing, judged);
  const last = accounts.at(-1);
  const from = burnin.startedAt;
  const to = last?.at ?? from;
  const isWithin = ({ at }: { at: string }): boolean => at >= from && at <= to;
  const { timeZone } = config.burnin;
  const clock = clockIn(timeZone);
  const clockOf = (age: number): string => clock(isoOf(Date.parse(from) + age * 1000));
  const beside = [
    ...judged.map(tellCheckpoint),
    ...happened.filter(isWithin),
    ...notes.filter(isWithin).map(tellNote),
  ];
  const day = Math.max(1, Math.ceil(summary.age / DAY_SECONDS));
  const isGood = decision === "PASS" || decision === "RUNNING";
  return {
    title: `Production Validation Report - Day ${day}`,
    day,
    env: config.name,
    host: making.host,
    releaseId: burnin.releaseId ?? "unknown",
    date: to.slice(0, 10),
    validator: making.validator,
    generatedAt: isoOf(making.now),
    timeZone,
    verifier: VERSION,
    attempt: burnin.attempt,
    from,
    to,
    age: `${spanOf(summary.age)} of ${spanOf(burnin.seconds)}`,
    coverage: describeCoverage(summary, accounts),
    decision,
    reasons,
    action,
    metrics: rows,
    healthy: healthOf(standing, decision),
    facts: listFacts(standing, last, clock),
    events: listEvents(standing, accounts, { beside, clock }),
    issues: [...sayingsOf(flags.red), ...sayingsOf(flags.yellow), ...reasons],
    actions: isGood ? [] : [action],
    observations: notes.filter(({ at }) => at >= from),
    checkpoints: hoursOf(burnin.limits).map((hour) => showCheckpoint(hour, standing, judged)),
    findings: findings.filter(isWithin).slice(-FINDINGS_SHOWN_MAX),
    redFlags: sayingsOf(flags.red),
    yellowFlags: sayingsOf(flags.yellow),
    skipped: describeSkipped(skipped),
    charts: drawCharts(standing, accounts, { config, clockOf }),
  };
}
