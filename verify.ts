#!/usr/bin/env -S sh -c 'exec "$(dirname "$(realpath "$0")")/node_modules/.bin/tsx" "$0" "$@"'
/*
 * cytube-verify: proves that a CyTube chat bot works after a (re)start, watches that it stays that
 * way, and says so with evidence.
 *
 *     npx tsx verify.ts --env prod
 *
 * Data flows one way, and so does this file:
 *   1. config    config/<env>.yaml is parsed, validated, frozen. Limits are keyed by environment.
 *   2. evidence  Probes look at the world once and record what they saw, when, how long it took,
 *                and what they could not see. Every look is bounded: time, bytes, lines, tries.
 *   3. findings  A check is a pure function of one slice of evidence and its limits.
 *   4. verdict   A pure fold of findings: status, exit code, recommended action.
 *   5. outputs   The result on stdout, the narration on stderr, one JSON line in the log.
 *
 * One run is: find the process → poll until it is ready (or the start-up deadline) → initial
 * checks, side by side → stability watch → final checks. The identity of the process (pid, start
 * time, boot, systemd invocation) is followed from the first look to the last, so that no restart
 * can hide between two probes.
 *
 * Here stands every number that judges a bot, every check, and the order of a run. lib/ is what it
 * stands on: probes/ look, burnin/ accounts for 24 hours, releases/ remembers and rolls back,
 * outputs/, alerts/ and report/ tell people, commands/ are the other commands. Nothing there
 * imports this file: what it has to know is handed down.
 *
 * Rules of the verdict:
 *   - pass     everything that was looked at is within its limits.
 *   - warn     passes, with something a person should read.
 *   - fail     measured, and outside its limits; decides before anything that could not be seen.
 *   - unknown  should have been seen and was not. Never a pass: in prod it ends with that check's
 *              own code, in test it warns.
 *   - skipped  left out by a flag, or not reached because something had already failed.
 *   - off      the config or the host says that it cannot exist. Listed, never counted as a pass.
 *
 * Exit codes: 0 passed · 1 process · 2 connection · 3 database · 5 response_time ·
 * 6 health_endpoint · 7 user_count · 8 memory_usage · 9 error_logs · 10 configuration ·
 * 11 uptime_stability · 19 release · 30 a red flag, or a tick saw a failure · 31 burn-in below
 * acceptable · 40 no release to roll back to · 41 rolled back, still unhealthy · 42 rollback
 * refused · 64 usage · 69 an alert reached nobody · 70 internal error · 73 the log could not be
 * written (only where the code would be 0) · 75 busy: nothing to judge yet, the bot was stopped, a
 * deployment holds the lock · 77 permission · 78 config · 124 the run's own deadline · 129, 130,
 * 143 ended by SIGHUP, SIGINT, SIGTERM.
 * When several checks fail: process, connection, database, health_endpoint, response_time, then by
 * number; but what the watch saw fail exits 11 whatever fails after it.
 *
 * Sections:
 *   Limits
 *   Checks
 *   Table of checks
 *   Run
 *   Verdict
 *   One bot, one command
 *   Command line
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { CHECK_ADVICE, meaningOfSqlError } from "./lib/advice.ts";
import { runAlert } from "./lib/alerts/run.ts";
import {
  messageOf,
  type Observed,
  observe,
  orNull,
  Unobservable,
  UserError,
} from "./lib/attempt.ts";
import { accountFor } from "./lib/burnin/accounting.ts";
import { judgeDue, judgeStanding, judgeTick, type Standing } from "./lib/burnin/judging.ts";
import { cursorAt, readMoment } from "./lib/burnin/moments.ts";
import { countRestarts } from "./lib/burnin/summary.ts";
import type { OpenBurnin } from "./lib/burnin/words.ts";
import { followVerification } from "./lib/commands/attach.ts";
import { type CommandLine, parseCommandLine, type Runner } from "./lib/commands/command-line.ts";
import { runConfig } from "./lib/commands/config.ts";
import type { CommandName } from "./lib/commands/flags.ts";
import { renderHelp } from "./lib/commands/help.ts";
import { loadConfig, runReport } from "./lib/commands/index.ts";
import { runRollback, startRollback } from "./lib/commands/rollback.ts";
import {
  backOff,
  becomeService,
  leaveJudged,
  removeOldRequest,
  removeVerdict,
} from "./lib/commands/service.ts";
import { runStatus } from "./lib/commands/status.ts";
import type { Config } from "./lib/config.ts";
import { STATUS_UP } from "./lib/dialects.ts";
import { writeAtomically } from "./lib/files.ts";
import { parseInstant } from "./lib/http.ts";
import {
  type HistoryEvidence,
  headOf,
  logTrouble,
  parseHistory,
  renderDocument,
} from "./lib/log.ts";
import { maskDeep, maskOf } from "./lib/masking.ts";
import {
  blockMedians,
  mannWhitney,
  mean,
  median,
  quantile,
  round,
  steadyGrowth,
  sumOf,
} from "./lib/numbers.ts";
import { renderGithub } from "./lib/outputs/github.ts";
import { renderMarkdown } from "./lib/outputs/markdown.ts";
import { type MetricsView, renderMetrics } from "./lib/outputs/metrics.ts";
import { openNarrator, print, writeStream } from "./lib/outputs/narrator.ts";
import { renderPlan } from "./lib/outputs/plan.ts";
import { renderPretty } from "./lib/outputs/pretty.ts";
import {
  COMPARED_NAMES,
  type ComparedName,
  type ConfigurationEvidence,
  readConfiguration,
} from "./lib/probes/configuration.ts";
import { type DatabaseReader, openDatabaseReader } from "./lib/probes/database.ts";
import {
  DATABASE_CHILD,
  type DatabaseEvidence,
  serveDatabase,
} from "./lib/probes/database-child.ts";
import {
  type HealthFields,
  type HealthReader,
  judgeFields,
  LOGIN_STATUSES,
  openHealth,
  readHealth,
  uptimeOf,
} from "./lib/probes/health.ts";
import { followIdentity } from "./lib/probes/identity.ts";
import type { LogFollower, LogSource } from "./lib/probes/log-lines.ts";
import { followLogs } from "./lib/probes/logs.ts";
import { readProcess } from "./lib/probes/process.ts";
import { type ReleaseEvidence, readCurrent, readRelease } from "./lib/probes/release.ts";
import { type ResponseEvidence, readResponseTimes } from "./lib/probes/response.ts";
import { parseEnding, readUnit } from "./lib/probes/unit.ts";
import { readUsageSamples, type UsageSample } from "./lib/probes/usage.ts";
import { readWatch, type WatchEvidence } from "./lib/probes/watch.ts";
import { leaveRedFlag, leaveVerdict } from "./lib/releases/request.ts";
import type { VerifyCore } from "./lib/releases/rollback.ts";
import { isLeft, isUnit } from "./lib/releases/state.ts";
import { readState, writeRecordAndState } from "./lib/releases/state-file.ts";
import type { BurninLimits, Limits, Rules, Trend } from "./lib/rules.ts";
import {
  type CheckContext,
  type Evidence,
  type Observations,
  openRun,
  type Result,
  type Run,
  resultOf,
  type SliceName,
} from "./lib/run.ts";
import { readShipped } from "./lib/shipped.ts";
import { isoOf, plural, printable, shown, spanOf } from "./lib/text.ts";
import {
  CHECK_CODES,
  CHECK_NAMES,
  type CheckName,
  type Environment,
  EXIT,
  type Finding,
  type Identity,
  type Interruption,
  type Narrator,
  type Part,
  type Phase,
  type ProcessIncident,
  STATUSES,
  type Status,
  startOf,
  VERSION,
  type Verdict,
} from "./lib/vocabulary.ts";

// --- Limits --------------------------------------------------------------------------------------

/**
 * The one home of every number that judges a bot; a config's `limits:` overrides. `null`: this
 * environment does not check it. `why` says its unit.
 */
export const LIMITS = {
  startupSecondsMax: {
    test: 10,
    prod: 30,
    why: "Seconds from the start until it must be ready (seed 000). Polled, not slept.",
  },
  healthTriesMax: {
    test: 3,
    prod: 5,
    least: 1,
    why: "Tries with backoff once the start-up deadline has passed (seed 000).",
  },
  healthBackoffMs: {
    test: 250,
    prod: 250,
    why: "Milliseconds before the second try; doubles with each further one.",
  },
  healthTimeoutMs: {
    test: 5000,
    prod: 5000,
    least: 1,
    why: "Milliseconds for one whole request, body included (seed 000: < 5 s).",
  },
  responseMsAvgMax: {
    test: 2000,
    prod: 1000,
    why: "Average milliseconds of the samples (seed 000). A single slower sample only warns.",
  },
  responseSamples: {
    test: 5,
    prod: 5,
    least: 1,
    why: "Requests measured on fresh, and as many on a kept-alive connection (seed 000).",
  },
  responseGapMs: {
    test: 250,
    prod: 250,
    why: "Milliseconds between two samples; short enough for a schedule of 15 minutes.",
  },
  heartbeatSecondsMax: {
    test: 30,
    prod: 30,
    why: "Seconds since the bot last refreshed its own status; the public bot does so every 10 s.",
  },
  userCountMin: {
    test: null,
    prod: 1,
    why: "Users in the channel; the bot itself is one (seed 000).",
  },
  memoryMbMax: {
    test: null,
    prod: 500,
    why: "Megabytes (2^20) of resident memory of the process and its children (seed 000).",
  },
  memorySamples: {
    test: 4,
    prod: 4,
    least: 1,
    why: "Samples of memory and CPU, 250 ms apart; the median counts, so that a spike does not.",
  },
  errorsMax: {
    test: null,
    prod: 0,
    why: "ERROR and worse in the window; null only warns (seed 000: warnings OK / no errors).",
  },
  errorWindowSeconds: {
    test: 300,
    prod: 300,
    least: 1,
    why: "Seconds to look back in the log, never further than the start (seed 000).",
  },
  logMegabytesMax: {
    test: 512,
    prod: 512,
    why: "Megabytes of log read at most within the window; beyond it the count is unknown.",
  },
  logSecondsMax: {
    test: 20,
    prod: 20,
    why: "Seconds for reading the window, which takes milliseconds. Beyond it: unknown.",
  },
  databaseMsMax: {
    test: 2000,
    prod: 2000,
    least: 1,
    why: "Milliseconds to open and read it, and for a write lock to last (seed 000: < 2 s).",
  },
  diskFreeMbMin: {
    test: 50,
    prod: 50,
    why: "Megabytes free beside the database; SQLite needs room for its journal or WAL.",
  },
  checksSecondsMax: {
    test: 120,
    prod: 300,
    why: "Seconds for all checks together; the watch comes on top (seed 000: 2 and 5 minutes).",
  },
  watchSeconds: {
    test: 0,
    prod: 300,
    why: "Seconds of stability watch (seed 000: immediate / 5 minutes stable).",
  },
  healthEverySeconds: {
    test: 5,
    prod: 5,
    why: "Seconds between two health polls, and two memory samples, in the watch.",
  },
  missesMax: {
    test: 3,
    prod: 3,
    least: 1,
    why: "Missed polls in a row that fail the watch; a quarter of all polls fails it too.",
  },
  stoppedMsMax: {
    test: 1000,
    prod: 1000,
    why: "Milliseconds a process may be stopped (state T); a debugger attaches for less.",
  },
  burninSeconds: {
    test: 86_400,
    prod: 86_400,
    least: 1,
    why: "Seconds of a burn-in (seed 002: 24 hours); a shorter one is a demonstration.",
  },
  memoryGrowthMbMax: {
    test: 50,
    prod: 50,
    why: "Megabytes of steady growth in one watch; more warns. The burn-in finds slower leaks.",
  },
} satisfies Rules["limits"];
/** What an environment makes of a finding. This is the only place that says so. */
export const POLICY = {
  test: { unknown: "warn", configuration: false },
  prod: { unknown: "unknown", configuration: true },
} as const;
/** The ten of seed 000, less the user count, which it calls optional. */
const ROLLBACK_ON: readonly CheckName[] = CHECK_NAMES.filter(
  (name) => name !== "user_count" && name !== "release",
);

/** How growth is told from noise. */
const TREND: Trend = {
  blocks: 5, // A step, such as a cache that fills, lies in one or two of them, growth in most.
  samplesMin: 10, // Two in each block: of a single one its median would be the noise.
};

/** Seed 002's burn-in: its table, checkpoints, hours of the day and flags. */
export const BURNIN: BurninLimits = {
  // What lies between acceptable and critical is worse than acceptable; the CPU has no acceptable
  // of its own in the seed.
  metrics: {
    uptime: { title: "Uptime", unit: " %", target: 100, acceptable: 99.9, critical: 99 },
    error_rate: { title: "Error Rate", unit: "/min", target: 0, acceptable: 0.1, critical: 1 },
    restarts: { title: "Unplanned Restarts", unit: "", target: 0, acceptable: 0, critical: 0 },
    alerts: { title: "Alert Count", unit: "", target: 0, acceptable: 3, critical: 5 },
    response_time: {
      title: "Avg Response Time",
      unit: " ms",
      target: 50,
      acceptable: 100,
      critical: 200,
    },
    memory_growth: {
      title: "Memory Growth",
      unit: " MB/h",
      target: 0,
      acceptable: 10,
      critical: 50,
    },
    cpu: { title: "CPU", unit: " %", target: 20, acceptable: 20, critical: 50 },
  },
  // A band is due once this much of it has passed: most of a peak of five hours, or less of one
  // that the deployment cut.
  checkpoints: {
    6: { errorsMax: 0, bandSecondsMin: null },
    12: { errorsMax: 9, bandSecondsMin: 9000 },
    24: { errorsMax: null, bandSecondsMin: 7200 },
  },
  bands: { peak: [18, 23], offPeak: [2, 7] },
  bandCoveredMin: 0.9, // Share of a band that has to be accounted for.
  bandDownMax: 0.01, // Share of a band; the critical uptime of the table, for one band.
  outageSecondsMax: 60, // Red flag: "disconnected for more than 1 minute".
  sustainedMinutesMin: 5, // A tick that covers less says nothing of a sustained error rate.
  schedule: { 4: 900, 12: 3600, 24: 14_400 }, // As cytube-burnin@.timer has it.
  lateSecondsMax: 120, // Yellow flag: a tick that comes this much after its time.
  earlySecondsMax: 30, // A timer's tick may come a moment before the hour that it is meant for.
  earlyShareMax: 0.01, // In a demonstration of minutes, half a minute would be no moment.
  samples: {
    staleSecondsMax: 30, // Twice the usual scrape of 15 s.
    missingShareMax: 0.001, // More could hide what the table's 99.9 % of uptime forbids.
  },
  trend: TREND,
};

export const RULES: Rules = {
  limits: LIMITS,
  needsConfiguration: { test: POLICY.test.configuration, prod: POLICY.prod.configuration },
  rollbackOn: ROLLBACK_ON,
  burnin: BURNIN,
};

// --- Checks --------------------------------------------------------------------------------------

/** What a part has beside its name, its status and its sentence; what is left out is not there. */
type Details = Partial<Omit<Part, "part" | "status" | "says">>;
/** One thing that a check looked at; the functions below name its status. */
const partOf = (status: Status, part: string, says: string, details: Details): Part => ({
  part,
  status,
  says,
  measured: null,
  limit: null,
  unit: null,
  evidence: [],
  hint: null,
  ...details,
});
type Judge = (part: string, says: string, details?: Details) => Part;
const pass: Judge = (part, says, details = {}) => partOf("pass", part, says, details);
const warn: Judge = (part, says, details = {}) => partOf("warn", part, says, details);
const fail: Judge = (part, says, details = {}) => partOf("fail", part, says, details);
const unknown: Judge = (part, says, details = {}) => partOf("unknown", part, says, details);
const skipped: Judge = (part, says, details = {}) => partOf("skipped", part, says, details);
const off: Judge = (part, says, details = {}) => partOf("off", part, says, details);

/** One bot runs: found by its unit, pid file or command line, and neither a zombie nor stopped. */
export function checkProcess(evidence: Evidence["process"], { limits, now }: CheckContext): Part[] {
  const { source, matches, unit, stat, identity, trouble, incident } = evidence;
  const lines = [`looked for by ${source}`];
  for (const { pid, commandLine } of matches) lines.push(`pid ${pid}: ${commandLine}`);
  if (unit) {
    const shownOfUnit = ["ActiveState", "SubState", "Result", "NRestarts"];
    lines.push(shownOfUnit.map((name) => `${name}=${unit[name] ?? ""}`).join(" "));
  }
  if (incident) lines.push(...incident.evidence);
  const broken = (measured: string, says: string): Part[] => [
    fail("running", says, { measured, limit: "running", evidence: lines }),
  ];
  if (incident) return broken(incident.kind, incident.says);
  if (!stat || !identity) return broken("not running", `the bot is not running: ${trouble}`);
  const pid = `pid ${stat.pid}`;
  if (stat.state === "Z") {
    return broken("zombie", `${pid} is a zombie: it has ended, and its parent has not noticed`);
  }
  if (/[Tt]/.test(stat.state)) {
    const span = `for over ${limits.stoppedMsMax} ms`;
    return broken("stopped", `${pid} is stopped (state ${stat.state}) ${span}`);
  }
  const says = `${pid} (${stat.command}) has run for ${spanOf((now - identity.startedAt) / 1000)}`;
  return [pass("running", says, { measured: "running", limit: "running", evidence: lines })];
}

function checkIntegrity({ integrity, integrityOff, integrityUnseen }: DatabaseEvidence): Part {
  if (integrityOff) return off("integrity", integrityOff);
  if (!integrity) {
    return unknown("integrity", `quick_check could not be run: ${integrityUnseen ?? "no answer"}`);
  }
  const { file, lines, ms } = integrity;
  if (lines.length === 1 && lines[0] === "ok") {
    const says = `quick_check says ok in ${round(ms)} ms`;
    return pass("integrity", says, { measured: "ok", limit: "ok" });
  }
  return fail("integrity", `quick_check found damage in ${file}`, {
    measured: "damaged",
    limit: "ok",
    evidence: lines.slice(0, 5),
    hint: "Restore the newest backup; keep the damaged file.",
  });
}

function checkDisk(
  { diskFreeMb, inodesFree }: DatabaseEvidence,
  { diskFreeMbMin }: Limits,
): Part[] {
  if (diskFreeMb === null) return [];
  const gauge = { measured: round(diskFreeMb), limit: diskFreeMbMin, unit: "MB" };
  if (inodesFree === 0) return [fail("disk", "the file system has no inode left", gauge)];
  const isFull = diskFreeMb < diskFreeMbMin;
  return [(isFull ? fail : pass)("disk", `${round(diskFreeMb)} MB free`, gauge)];
}

function checkTables({ tables }: DatabaseEvidence, expected: readonly string[]): Part {
  const details = {
    measured: tables.length,
    evidence: [`there are: ${tables.slice(0, 20).join(", ") || "none"}`],
  };
  if (!tables.length) return fail("tables", "the database has no tables at all", details);
  const missing = expected.filter((table) => !tables.includes(table));
  if (missing.length) {
    return fail("tables", `expected tables are missing: ${missing.join(", ")}`, details);
  }
  return pass("tables", plural(tables.length, "table"), details);
}

/** The database opens, has its tables, is whole, and is not kept locked by anybody. */
export function checkDatabase(
  evidence: DatabaseEvidence,
  { config, limits }: CheckContext,
): Part[] {
  const { file, bytes, journalMode, open, openMs, tables, writeLock: lock } = evidence;
  const shape = `${bytes ?? "no"} bytes, ${journalMode ?? "unknown"} journal`;
  const facts = [file, `${shape}, ${plural(tables.length, "table")}`];
  const gauge = { measured: round(openMs), limit: limits.databaseMsMax, unit: "ms" };
  if (open) {
    const { status, says, hint } = meaningOfSqlError(open.code);
    const lines = [...facts, `${open.code}: ${open.message}`];
    const details = { ...gauge, evidence: lines, hint };
    return [
      partOf(status, "open", `cannot open ${file}: ${says}`, details),
      ...checkDisk(evidence, limits),
    ];
  }
  const isSlow = openMs >= limits.databaseMsMax;
  const opened = `opened and read in ${round(openMs)} ms`;
  const parts = [
    (isSlow ? fail : pass)("open", opened, { ...gauge, evidence: facts }),
    checkTables(evidence, config.database?.tables ?? []),
  ];
  if (lock) {
    const span = `for over ${round(lock.ms)} ms`;
    const held = `process ${lock.pid} has held the write lock ${span}, so nobody else can write`;
    parts.push(fail("write_lock", held, { ...gauge, measured: round(lock.ms) }));
  }
  return [...parts, checkIntegrity(evidence), ...checkDisk(evidence, limits)];
}

function checkStatus(fields: HealthFields, config: Config): Part {
  const { health } = config;
  const { status: claim } = judgeFields(fields, config);
  const word = shown(fields.status);
  const details = {
    measured: word,
    limit: (health.statusUp ?? STATUS_UP).join(", "),
  };
  if (claim !== "untold") {
    return (claim === "kept" ? pass : fail)("status", `status is ${word}`, details);
  }
  if (fields.fromSql && !health.fields?.status) {
    return off("status", "a status row has no word for healthy");
  }
  return unknown("status", "the document has no status word", details);
}

// The bot's uptime may go back by this much: its clock and ours are read at different moments.
const UPTIME_SLACK_SECONDS = 2;
// A document may be this much older than its process, for clocks are read at different moments.
const AGE_SLACK_SECONDS = 5;
/**
 * A document that is older than the process comes from another one: an old bot that still holds the
 * port, or a row that nobody updates.
 */
function checkDocumentAge(fields: HealthFields, startedAt: number | null): Part[] {
  const claimed = uptimeOf(fields);
  const isMisshapen = fields.uptime !== undefined && typeof fields.uptime !== "number";
  if (isMisshapen) {
    return [unknown("age", `the uptime is ${shown(fields.uptime)}, not a number of seconds`)];
  }
  if (startedAt === null || claimed === null) return [];
  const age = (fields.at - startedAt) / 1000;
  const gauge = { measured: round(claimed), limit: round(age + AGE_SLACK_SECONDS), unit: "s" };
  const process = `the process is ${spanOf(age)} old`;
  const says = `the document speaks of ${spanOf(claimed)} of uptime, ${process}`;
  if (claimed <= age + AGE_SLACK_SECONDS) return [pass("age", says, gauge)];
  const hint =
    "Another process answers: an old bot that still holds the port (ss -ltnp), " +
    "or a status that nobody updates.";
  return [fail("age", `${says}: another process answers`, { ...gauge, hint })];
}

/** The health source answers with a document that says it is healthy, and is of this process. */
export function checkHealth(evidence: Evidence["health"], { config }: CheckContext): Part[] {
  const { answers, tries, fields, startedAt, readyMs } = evidence;
  const last = answers.at(-1);
  const lines = answers.map(
    ({ at, source, problem, ms }) =>
      `${isoOf(at)} ${source}: ${problem ?? "a document"} in ${round(ms)} ms`,
  );
  if (!fields || !last) {
    const problem = last?.problem ?? "no answer";
    const tried = tries > 1 ? ` after ${tries} tries` : "";
    const hint = LOGIN_STATUSES.includes(last?.status ?? null)
      ? "The endpoint wants a login; its header goes into health.headersFile."
      : `curl -i ${config.health.url ?? "(see health.sql)"} shows what the bot answers.`;
    const details = { measured: problem, limit: "a document", evidence: lines, hint };
    const says = `no health document${tried}: ${problem}`;
    return [(last?.isUnseen ? unknown : fail)("answer", says, details)];
  }
  const ready = readyMs === null ? "" : `, ready ${spanOf(readyMs / 1000)} after its start`;
  const answer = pass("answer", `answered in ${round(last.ms)} ms${ready}`, {
    measured: round(last.ms),
    limit: config.limits.healthTimeoutMs,
    unit: "ms",
    evidence: lines,
  });
  return [answer, checkStatus(fields, config), ...checkDocumentAge(fields, startedAt)];
}

// A heartbeat may be this far in the future: the clock of a bot on another host is slightly ahead.
const CLOCK_AHEAD_SECONDS_MAX = 60;
/**
 * A row without a heartbeat may be a dead bot's last word; an endpoint at least answers by itself.
 */
function checkHeartbeat(
  { heartbeat, at, fromSql }: HealthFields,
  { config, limits: { heartbeatSecondsMax } }: CheckContext,
): Part {
  const gauge = { limit: heartbeatSecondsMax, unit: "s" };
  if (heartbeat === undefined || heartbeat === null) {
    const isExpected = fromSql || config.health.fields?.heartbeat !== undefined;
    return (isExpected ? unknown : off)("heartbeat", "the health source has no heartbeat", gauge);
  }
  const beatAt = parseInstant(heartbeat);
  if (beatAt === null) {
    return fail("heartbeat", `the heartbeat is ${shown(heartbeat)}, which is no time`);
  }
  const seconds = (at - beatAt) / 1000;
  const details = { ...gauge, measured: round(seconds) };
  if (seconds < -CLOCK_AHEAD_SECONDS_MAX) {
    const ahead = `the heartbeat is ${spanOf(-seconds)} in the future`;
    return unknown("heartbeat", `${ahead}, so its age cannot be told`, details);
  }
  const evidence = [`heartbeat ${isoOf(beatAt)}`];
  const says = `last heartbeat ${spanOf(Math.max(0, seconds))} ago`;
  if (seconds <= heartbeatSecondsMax) return pass("heartbeat", says, { ...details, evidence });
  const stands = `${says}: the bot's own loop stands still`;
  return fail("heartbeat", stands, { ...details, evidence });
}

/** The bot says that it is connected to its chat server, and its own loop is alive. */
export function checkConnection(fields: HealthFields, context: CheckContext): Part[] {
  const measured = shown(fields.connected);
  const details = { measured, limit: "true" };
  const parts = {
    kept: pass("connected", "connected", details),
    broken: fail("connected", `connected is ${measured}, not true`, details),
    untold: unknown("connected", "the document does not say whether it is connected", details),
  };
  const { connected } = judgeFields(fields, context.config);
  return [parts[connected], checkHeartbeat(fields, context)];
}

/** Why the samples of an endpoint say nothing of its speed, or null where they do. */
function silenceOf({ fresh, keptAlive }: ResponseEvidence): string | null {
  if (!fresh.length && !keptAlive.length) return "no sample";
  if (!fresh.length) return "no sample on a fresh connection";
  return keptAlive.length ? null : "no sample on the kept-alive connection";
}

/** The endpoint answers within its limit on average, on fresh and on kept-alive connections. */
export function checkResponse(evidence: ResponseEvidence, { limits }: CheckContext): Part[] {
  const { fresh, keptAlive, failures } = evidence;
  const limit = limits.responseMsAvgMax;
  const all = [...fresh, ...keptAlive];
  const lines: string[] = [];
  if (fresh.length) lines.push(`fresh connections: ${fresh.map(round).join(", ")} ms`);
  if (keptAlive.length) lines.push(`kept-alive connection: ${keptAlive.map(round).join(", ")} ms`);
  for (const failure of failures.slice(0, 5)) lines.push(`a sample failed: ${failure}`);
  const gauge = { limit, unit: "ms", evidence: lines };
  const silence = silenceOf(evidence);
  if (silence) {
    const says = `${silence} had an answer: ${failures[0] ?? "none was taken"}`;
    return [unknown("average", says, gauge)];
  }
  const average = (part: string, values: readonly number[], on: string): Part => {
    const ms = mean(values);
    const says = `average of ${values.length} on ${on}: ${round(ms)} ms`;
    return (ms >= limit ? fail : pass)(part, says, { ...gauge, measured: round(ms) });
  };
  const slowest = Math.max(...all);
  const p95 = `p95 ${round(quantile(all, 0.95))} ms`;
  const tail = `slowest of ${all.length}: ${round(slowest)} ms, ${p95}`;
  const parts = [
    average("average", fresh, "fresh connections"),
    average("kept_alive", keptAlive, "a kept-alive connection"),
    (slowest >= limit ? warn : pass)("tail", tail, { ...gauge, measured: round(slowest) }),
  ];
  if (failures.length) {
    const taken = all.length + failures.length;
    const says = `${failures.length} of ${taken} samples failed: ${failures[0]}`;
    const details = { measured: failures.length, limit: 0, evidence: lines };
    parts.push((failures.length > taken / 2 ? fail : warn)("answers", says, details));
  }
  return parts;
}

/** The bot is in company: at least itself. */
export function checkUserCount(fields: HealthFields, { config, limits }: CheckContext): Part[] {
  const { userCount } = fields;
  const measured = typeof userCount === "number" ? userCount : shown(userCount);
  const details = { measured, limit: limits.userCountMin, unit: "users" };
  const { users } = judgeFields(fields, config);
  if (users === "untold") return [unknown("count", "the document has no user count", details)];
  if (!Number.isInteger(userCount) || Number(userCount) < 0) {
    return [fail("count", `the user count is ${shown(userCount)}, which is no count`, details)];
  }
  const says = `${userCount} in the channel, the bot included`;
  return [(users === "kept" ? pass : fail)("count", says, details)];
}

/** The bot and its children stay within their memory, by the median of several samples. */
export function checkMemory(samples: UsageSample[], { limits }: CheckContext): Part[] {
  const limit = limits.memoryMbMax;
  const last = samples.at(-1);
  if (!last) return [unknown("resident", "no sample was taken", { limit, unit: "MB" })];
  const values = samples.map((sample) => sample.memoryMb);
  const middle = median(values);
  const processes = plural(last.processes, "process");
  const evidence = [`${processes}; samples ${values.map(round).join(", ")} MB`];
  if (last.cpuPercent !== null) evidence.push(`CPU ${round(last.cpuPercent)} % of one core`);
  const says = `${round(middle)} MB in ${processes}, median of ${values.length}`;
  const isOver = limit !== null && middle >= limit;
  const details = { measured: round(middle), limit, unit: "MB", evidence };
  return [(isOver ? fail : pass)("resident", says, details)];
}

/** One log within its window. Warnings never fail; what was not understood is unknown. */
function checkLog({ source, since, tally, unseen, hint }: LogSource, context: CheckContext): Part {
  const { errors, warnings, noise, undated, uncertain, examples } = tally;
  const { errorsMax } = context.limits;
  const read = `${plural(tally.lines, "line")} read, ${plural(warnings, "warning")}`;
  const evidence = [read, ...examples];
  const gauge = { limit: errorsMax, unit: "errors", evidence, hint, examples };
  const span = spanOf((context.now - since) / 1000);
  const known = noise ? `, ${noise} known as noise` : "";
  const counted = `${plural(errors, "error")} in the last ${span} of ${source}${known}`;
  const details = { ...gauge, measured: errors };
  if (errorsMax !== null && errors > errorsMax) return fail(source, counted, details);
  if (unseen) return unknown(source, `${source}: ${unseen}`, gauge);
  const prefix = "Set errorLogs.prefix to the form of the bot's lines.";
  if (tally.strange > 0 && tally.levelled === 0) {
    const says = `no line of ${source} has a level that is known, so errors cannot be told`;
    return unknown(source, says, { ...gauge, hint: prefix });
  }
  if (undated) {
    const says = `${plural(undated, "error")} in ${source} without a timestamp`;
    return unknown(source, `${says}, so whether new cannot be told`, { ...gauge, hint: prefix });
  }
  if (uncertain) {
    const says = `${plural(uncertain, "error")} without a timestamp`;
    return warn(source, `${says}, perhaps within the window of ${source}`, details);
  }
  return (errors > 0 ? warn : pass)(source, counted, details);
}

/** The bot has logged no error since its start, or within the window. */
export function checkErrorLogs(sources: LogSource[], context: CheckContext): Part[] {
  if (sources.length) return sources.map((source) => checkLog(source, context));
  const why = "the bot's start, and so its journal, is not known";
  return [unknown("source", `there is no log to look at: ${why}`)];
}

/** CyTube's channel names ignore case, and people write them with and without #. */
const plainChannel = (name: unknown): string => String(name).trim().replace(/^#/, "").toLowerCase();
const isEqual = (name: ComparedName, a: unknown, b: unknown): boolean =>
  name === "channel" ? plainChannel(a) === plainChannel(b) : a === b;

function checkConfigurationFile({ file, fields, startedAt }: ConfigurationEvidence): Part {
  if (!file) return off("file", "configuration.file is not set");
  const compared = COMPARED_NAMES.filter(
    (name) => file[name] !== undefined && fields[name] !== undefined,
  );
  const evidence = compared.map(
    (name) => `${name}: on disk ${shown(file[name])}, running ${shown(fields[name])}`,
  );
  if (!compared.length) {
    const says = `neither environment nor channel was found in ${file.path}`;
    return unknown("file", says, { hint: "Set configuration.fields to their JSON pointers." });
  }
  const differing = compared.filter((name) => !isEqual(name, file[name], fields[name]));
  if (differing.length) {
    const says = `${file.path} says another ${differing.join(" and ")} than what is running`;
    return fail("file", says, { evidence });
  }
  const same = compared.join(" and ");
  if (startedAt !== null && file.modifiedAt > startedAt + 1000) {
    const says = `${file.path} was edited after the bot started; ${same} are still the same`;
    return warn("file", says, { evidence });
  }
  return pass("file", `${file.path} says the same ${same}`, { evidence });
}

/** What runs is what the config expects to run, by one name of it. */
function checkRunning(name: ComparedName, value: unknown, config: Config): Part {
  const accepted = [config.configuration?.[name] ?? []].flat();
  const expected = accepted.join(" or ");
  const word = shown(value);
  const details = { measured: word, limit: expected || null };
  if (value === undefined || value === null || value === "") {
    const unexpected = accepted.length ? "" : ", and the config expects none";
    const hint =
      `Set health.fields.${name} to where it stands; if the bot does not tell it, say so: ` +
      `off: { configuration.${name}: "…" }`;
    return unknown(name, `the health document has no ${name}${unexpected}`, { ...details, hint });
  }
  if (!accepted.length) {
    const says = `configuration.${name} does not say what to expect; the bot says ${word}`;
    return unknown(name, says, details);
  }
  if (accepted.some((each) => isEqual(name, each, value))) {
    return pass(name, `${name} is ${word}`, details);
  }
  return fail(name, `wrong ${name}: the bot runs with ${word}, expected ${expected}`, details);
}

/** The bot runs in the right room and environment, and its file on disk says the same. */
export function checkConfiguration(
  evidence: ConfigurationEvidence,
  { config }: CheckContext,
): Part[] {
  const running = COMPARED_NAMES.map((name) => checkRunning(name, evidence.fields[name], config));
  return [...running, checkConfigurationFile(evidence)];
}

/** The release that was expected is the one that runs, by its own word or by its directory. */
export function checkRelease({ expected, version, releaseId }: ReleaseEvidence): Part[] {
  const found = [version, releaseId].filter((name) => name !== null);
  const running = found.join(", ");
  const details = { measured: running || null, limit: expected };
  if (!found.length) {
    const nobody = "neither the health document nor the working directory says";
    return [unknown("version", `${nobody} which release runs`, details)];
  }
  const plain = (name: string): string => name.trim().replace(/^v(?=\d)/, "");
  const isExpected = expected !== null && found.some((name) => plain(name) === plain(expected));
  if (isExpected) return [pass("version", `${running} runs`, details)];
  return [fail("version", `${running} runs, expected ${expected}`, details)];
}

/** A series of the watch, for people and for statistics; `limit` is in `unit`. */
type Series = { part: string; values: readonly number[]; limit: number; unit: string };
function checkGrowth({ part, values, limit, unit }: Series, span: string): Part[] {
  const growth = round(steadyGrowth(values, TREND));
  if (growth <= 0) return [];
  const blocks = blockMedians(values, TREND.blocks).map(round).join(", ");
  const details = {
    measured: growth,
    limit,
    unit,
    evidence: [`block medians ${blocks} ${unit}`],
  };
  const says = `grew steadily by ${growth} ${unit} in ${span}`;
  return [(growth > limit ? warn : pass)(part, says, details)];
}

// Against the last release that passed: worse by this factor, and by more than chance, warns.
const HISTORY_FACTOR = 1.25;
const HISTORY_P_MAX = 0.001;
/** A series of the watch beside that of the last release that passed. */
type Compared = {
  part: string;
  unit: string;
  values: readonly number[];
  before: readonly number[];
};
function checkHistory({ part, unit, values, before }: Compared, history: HistoryEvidence): Part[] {
  if (values.length < TREND.samplesMin || before.length < TREND.samplesMin) return [];
  const now = median(values);
  const then = median(before);
  const p = mannWhitney(values, before);
  const past = `had ${round(then)} ${unit} on ${history.ts.slice(0, 10)}`;
  const says = `median ${round(now)} ${unit}; release ${history.version} ${past}`;
  const samples = `${values.length} and ${before.length} samples`;
  const isWorse = p < HISTORY_P_MAX && now >= HISTORY_FACTOR * then;
  const details = {
    measured: round(now),
    limit: round(HISTORY_FACTOR * then),
    unit,
    evidence: [`one-sided Mann–Whitney p = ${p.toPrecision(2)}, ${samples}`],
  };
  return [(isWorse ? warn : pass)(part, says, details)];
}

/** Polls of the watch that were missed, that could not look, or that never came to an end. */
function checkPolls(watch: WatchEvidence, limits: Limits): Part[] {
  const { misses, polls, unseen } = watch;
  const parts: Part[] = [];
  // Three in a row have ended the watch already; a bot that flaps never has three, and is no better
  // for it.
  const allowed = Math.max(limits.missesMax - 1, Math.floor(polls / 4));
  for (const [kind, count] of Object.entries(misses)) {
    if (!count) continue;
    const says = `${count} of ${polls} polls missed (${kind})`;
    const details = { measured: count, limit: allowed, unit: "polls" };
    parts.push((count > allowed ? fail : warn)(`${kind}_misses`, says, details));
  }
  if (!watch.series.memoryMb.length) {
    parts.push(unknown("memory", "the memory could not be followed"));
  }
  if (unseen > allowed) {
    const details = { measured: unseen, limit: allowed, unit: "polls" };
    parts.push(unknown("polls", `${unseen} of ${polls} polls could not look`, details));
  }
  const expected = Math.floor(watch.secondsPlanned / Math.max(1, limits.healthEverySeconds));
  if (!polls || polls < expected / 2) {
    const ended = `only ${plural(polls, "poll")} of about ${expected} came to an end`;
    const details = { measured: polls, limit: expected, unit: "polls" };
    parts.push(unknown("polls", `${ended}: the host, or this program, stood still`, details));
  }
  return parts;
}

function checkNewErrors({ newErrors }: WatchEvidence, { errorsMax }: Limits): Part[] {
  if (newErrors === null) {
    const why = "error_logs was left out or is off";
    return [skipped("errors", `the log was not followed, for ${why}`)];
  }
  if (!newErrors) return [];
  const details = { measured: newErrors, limit: errorsMax, unit: "errors" };
  return [warn("errors", plural(newErrors, "new error"), details)];
}

/** The bot stayed itself, healthy, connected and steady for the whole window. */
export function checkStability(watch: WatchEvidence, { limits }: CheckContext): Part[] {
  const { series, polls, history, incident } = watch;
  const gauge = { measured: round(watch.secondsWatched), limit: watch.secondsPlanned, unit: "s" };
  if (incident) return [fail("watch", incident.says, { ...gauge, evidence: incident.evidence })];
  const span = spanOf(watch.secondsWatched);
  const responses = series.responseMs.filter((value) => value !== null);
  const memory = { part: "memory", values: series.memoryMb, unit: "MB" };
  const response = { part: "response", values: responses, unit: "ms" };
  const parts = [
    pass("watch", `stable for ${span}, ${plural(polls, "poll")}`, gauge),
    ...checkPolls(watch, limits),
    ...checkGrowth({ ...memory, part: "memory_growth", limit: limits.memoryGrowthMbMax }, span),
    ...checkGrowth(
      { ...response, part: "response_growth", limit: limits.responseMsAvgMax / 10 },
      span,
    ),
    ...checkNewErrors(watch, limits),
  ];
  if (!history) return parts;
  return [
    ...parts,
    ...checkHistory({ ...response, part: "response_history", before: history.responseMs }, history),
    ...checkHistory({ ...memory, part: "memory_history", before: history.memoryMb }, history),
  ];
}

// --- Table of checks -----------------------------------------------------------------------------

type Off = (config: Config) => string | null;
/**
 * One row of the table: the slice a check needs, the function, and why the check does not exist
 * under a config (null where it does).
 */
export type CheckRow = {
  [S in SliceName]: {
    name: CheckName;
    needs: S;
    check: (slice: Evidence[S], context: CheckContext) => Part[];
    off: Off;
  };
}[SliceName];

function unless(exists: (config: Config) => unknown, why?: string): Off {
  return (config) => (exists(config) ? null : (why ?? `not checked in ${config.environment}`));
}

const UNVERSIONED = "no version is expected (--expect-version)";
const always: Off = () => null;
const unwatched: Off = ({ environment, limits }) => {
  if (limits.watchSeconds > 0) return null;
  const isPlanned = LIMITS.watchSeconds[environment] > 0;
  return isPlanned ? "limits.watchSeconds is 0" : `not checked in ${environment}`;
};

/**
 * The checks in report order. Adding one: its limits in LIMITS, its slice in Evidence with a probe
 * for it, its function above, its row here.
 */
export const CHECKS: readonly CheckRow[] = [
  { name: "process", needs: "process", check: checkProcess, off: always },
  {
    name: "database",
    needs: "database",
    check: checkDatabase,
    off: unless(({ database }) => database, "no database in the config"),
  },
  { name: "health_endpoint", needs: "health", check: checkHealth, off: always },
  { name: "connection", needs: "fields", check: checkConnection, off: always },
  {
    name: "response_time",
    needs: "response",
    check: checkResponse,
    off: unless(({ health }) => health.url, "there is no endpoint to time"),
  },
  {
    name: "user_count",
    needs: "fields",
    check: checkUserCount,
    off: unless(({ limits }) => limits.userCountMin !== null),
  },
  {
    name: "memory_usage",
    needs: "usage",
    check: checkMemory,
    off: unless(({ limits }) => limits.memoryMbMax !== null),
  },
  { name: "error_logs", needs: "logs", check: checkErrorLogs, off: always },
  {
    name: "configuration",
    needs: "configuration",
    check: checkConfiguration,
    off: unless((config) => POLICY[config.environment].configuration),
  },
  {
    name: "release",
    needs: "release",
    check: checkRelease,
    off: unless(({ release }) => release?.version, UNVERSIONED),
  },
  { name: "uptime_stability", needs: "watch", check: checkStability, off: unwatched },
];

function hintFor(check: CheckName, { process: { unit }, errorLogs, database }: Config): string {
  const logs = unit
    ? `journalctl -u ${unit} -n 50`
    : `tail -n 50 ${errorLogs?.files?.[0] ?? "the bot's log"}`;
  return CHECK_ADVICE[check].hint
    .replace("LOGS", logs)
    .replace("DATABASE", database?.file ?? "the database");
}

// --- Run -----------------------------------------------------------------------------------------

type Told = { check: CheckName; phase: Phase; status: Status; says: string; hint?: string | null };
/** A finding without a part behind it: nothing was looked at, or only that is to be said. */
const plainFinding = ({ check, phase, status, says, hint = null }: Told): Finding => ({
  check,
  status,
  phase,
  measured: null,
  limit: null,
  unit: null,
  says,
  hint,
  evidence: [],
  parts: [],
});

/**
 * Folds parts into a finding: the worst one speaks, and parts that the config declares off are off
 * whatever was seen.
 */
export function foldParts(check: CheckName, phase: Phase, given: Part[], config: Config): Finding {
  const parts = given.map((part): Part => {
    const reason = config.off[`${check}.${part.part}`];
    return reason === undefined ? part : { ...part, status: "off", says: reason, hint: null };
  });
  const status = STATUSES.find((candidate) => parts.some((part) => part.status === candidate));
  const speakers = parts.filter((part) => part.status === status);
  const [lead] = speakers;
  if (!lead) {
    return plainFinding({ check, phase, status: "unknown", says: "the check looked at nothing" });
  }
  const own = config.hints[check] ?? speakers.find((part) => part.hint)?.hint;
  const isBad = lead.status === "fail" || lead.status === "unknown";
  return {
    check,
    status: lead.status,
    phase,
    measured: lead.measured,
    limit: lead.limit,
    unit: lead.unit,
    says: [...new Set(speakers.map((part) => part.says))].join("; "),
    hint: isBad ? (own ?? hintFor(check, config)) : null,
    evidence: [...new Set(speakers.flatMap((part) => part.evidence))],
    parts,
  };
}

/** What judging a check needs to know of a run. */
type Judging = Pick<Run, "config" | "selected" | "phase" | "interruption" | "incident">;
/** One check over what was observed. The only place that turns a missing slice into `unknown`. */
export function judgeCheck(
  row: CheckRow,
  observations: Observations,
  { config, phase, selected, interruption, incident }: Judging,
  now: number,
): Finding {
  const check = row.name;
  const finding = (status: Status, says: string, hint?: string | null): Finding =>
    plainFinding({ check, phase, status, says, hint });
  if (!selected.has(check)) return finding("skipped", "left out by --only or --skip");
  const reason = config.off[check] ?? row.off(config);
  if (reason) return finding("off", reason);
  const slice = observations[row.needs];
  if (slice?.seen) {
    const context: CheckContext = { config, limits: config.limits, now };
    return foldParts(check, phase, row.check(slice.value as never, context), config);
  }
  const hint = config.hints[check] ?? null;
  if (slice) return finding("unknown", slice.why, slice.hint ?? hint);
  if (interruption === "incident") {
    return finding("skipped", `not looked at: ${incident?.brief}`);
  }
  if (interruption === "deadline") {
    return finding("unknown", "the run's own deadline came first", hint);
  }
  return finding("unknown", "nothing was observed", hint);
}

/** Of two looks at the same thing the worse one counts, and of equal ones the later. */
export const worseFinding = (before: Finding | undefined, after: Finding): Finding =>
  before && STATUSES.indexOf(before.status) < STATUSES.indexOf(after.status) ? before : after;

/** What the probes of one run look with. The first look opens the logs, and they are followed. */
type Instruments = { database: DatabaseReader; health: HealthReader; logs: LogFollower[] | null };
/** What a probe may know: the run, and what was seen before its turn. */
type Look = {
  run: Run;
  config: Config;
  instruments: Instruments;
  triesMax: number;
  seen: Observations;
};
type Probe<S extends SliceName> = (look: Look) => Evidence[S] | Promise<Evidence[S]>;
/** Every slice but the watch, which is a phase of its own. */
type ProbedSlice = Exclude<SliceName, "watch">;

const valueIn = <T>(slice: Observed<T> | undefined): T | undefined =>
  slice?.seen ? slice.value : undefined;

/** What a probe rests on; where that was not seen, neither is what the probe would look at. */
function requireSeen<T>(slice: Observed<T> | undefined): T {
  if (slice?.seen) return slice.value;
  throw new Unobservable(slice?.why ?? "nothing was observed", slice?.hint ?? null);
}

const startedAtIn = ({ process }: Observations): number | null =>
  valueIn(process)?.identity?.startedAt ?? null;

/**
 * Follows the logs to the end of the run, so that no line is counted twice or lost between phases.
 */
async function readLogs({ run, config, instruments, seen }: Look): Promise<LogSource[]> {
  if (!seen.process?.seen) {
    throw new Unobservable(`the start of the bot is not known: ${seen.process?.why}`);
  }
  const { logs } = instruments;
  instruments.logs = logs ?? (await followLogs(config, seen.process.value, run.stop.signal));
  for (const log of logs ?? []) await log.poll();
  return instruments.logs.map(({ source }) => ({ ...source, tally: { ...source.tally } }));
}

async function readHealthOf(look: Look): Promise<Evidence["health"]> {
  const { run, config, instruments, triesMax, seen } = look;
  const startedAt = startedAtIn(seen);
  // A unit that this user cannot ask about may be running all the same: the endpoint is then given
  // its tries, from now on.
  const waitFrom = seen.process?.seen ? startedAt : run.begunAt;
  const reader = instruments.health;
  const { signal } = run.stop;
  const health = await readHealth({ config, reader, waitFrom, triesMax, signal });
  return { ...health, startedAt };
}

function fieldsIn({ seen }: Look): HealthFields {
  const { fields, answers } = requireSeen(seen.health);
  if (fields) return fields;
  throw new Unobservable(`there is no health document: ${answers.at(-1)?.problem ?? "no answer"}`);
}

async function readUsageOf({ run, config, seen }: Look): Promise<UsageSample[]> {
  const identity = valueIn(seen.process)?.identity;
  if (!identity) throw new Unobservable("there is no process to look at");
  return readUsageSamples(identity.pid, config.limits.memorySamples, run.stop.signal);
}

/** Who looks at each slice of the evidence. gather() loops over them. */
const PROBES: { [S in ProbedSlice]: Probe<S> } = {
  process: async ({ run, config }) => ({
    ...(await readProcess(config, run.stop.signal)),
    incident: null,
  }),
  health: readHealthOf,
  fields: fieldsIn,
  database: ({ instruments }) => instruments.database.inspect(),
  response: ({ run, config }) => readResponseTimes(config, run.stop.signal),
  usage: readUsageOf,
  logs: readLogs,
  configuration: ({ config, seen }) =>
    readConfiguration(config, requireSeen(seen.fields), startedAtIn(seen)),
  release: ({ run, config, seen }) => readRelease(config, seen.fields, run.identity?.pid ?? null),
};
/** These are looked at first and one after the other, for the others want a bot that is ready. */
const PROBED_FIRST: readonly ProbedSlice[] = ["process", "health", "fields"];
/** What is in the health document, or at its endpoint; for any of it the bot has to be ready. */
const FROM_HEALTH: readonly SliceName[] = ["fields", "response", "configuration", "release"];

/** The slices that the selected checks judge, as far as those exist under the config. */
function slicesJudged({ config, selected }: Run): Set<SliceName> {
  const rows = CHECKS.filter(
    (row) => selected.has(row.name) && !config.off[row.name] && !row.off(config),
  );
  return new Set(rows.map((row) => row.needs));
}

/** What is looked at: what is judged and what that rests on, and what every report tells. */
function slicesNeeded(judged: ReadonlySet<SliceName>): Set<SliceName> {
  const needed = new Set<SliceName>([...judged, "process", "release"]);
  if (judged.has("health") || FROM_HEALTH.some((slice) => judged.has(slice))) {
    needed.add("health").add("fields");
  }
  return needed;
}

/** Ends the run at the first thing that happens to the process. */
function followProcess(run: Run, identity: Identity, cgroup: string | undefined): void {
  const report = (incident: ProcessIncident): void => {
    run.incident = incident;
    run.interruption ??= "incident";
    run.narrate(`${incident.says} (${isoOf(incident.at)})`);
    run.stop.abort();
  };
  run.follower = followIdentity(run.config, identity, report, cgroup);
  run.stop.signal.addEventListener("abort", run.follower.stop, { once: true });
}

/**
 * Looks at everything the selected checks need. Independent looks go side by side; the bot must be
 * ready, or out of time, first.
 */
async function gather(run: Run, instruments: Instruments, triesMax: number): Promise<void> {
  const seen: Observations = {};
  run.observations = seen;
  const judged = slicesJudged(run);
  const needed = slicesNeeded(judged);
  const look: Look = { run, config: run.config, instruments, triesMax, seen };
  const lookAt = async (slice: ProbedSlice): Promise<void> => {
    if (needed.has(slice)) {
      Object.assign(seen, { [slice]: await observe<unknown>(() => PROBES[slice](look)) });
    }
  };
  for (const slice of PROBED_FIRST) {
    await lookAt(slice);
    const found = valueIn(seen.process);
    if (!found?.identity || run.identity) continue;
    run.identity = found.identity;
    // An incident ends the run, so the process is followed only where a check reports it.
    const isReported = judged.has("process") || judged.has("watch");
    if (isReported) followProcess(run, found.identity, found.unit?.ControlGroup);
  }
  const slices = Object.keys(PROBES) as ProbedSlice[];
  await Promise.all(slices.filter((slice) => !PROBED_FIRST.includes(slice)).map(lookAt));
}

/**
 * Gathers until all is seen or the run is interrupted: then a look that hangs is not waited for.
 */
async function gatherUntilStopped(
  run: Run,
  instruments: Instruments,
  triesMax: number,
): Promise<void> {
  const { signal } = run.stop;
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  const gathered = gather(run, instruments, triesMax).catch((error) => {
    // An interrupted look may reject in any way it likes; a defect outside of that must not be
    // swallowed.
    if (!signal.aborted) throw error;
  });
  await Promise.race([gathered, stopped]);
  // A bot that died while the last look was under way is not judged by what was seen before: its
  // death is waited for.
  while (run.follower?.isGone() && !run.interruption) await sleep(50);
}

/** The figures of a record, each null where it was not measured; units are in the names. */
function metricsOf({ observations, metrics }: Run): Record<string, number | null> {
  const figure = (value: unknown): number | null =>
    typeof value === "number" && Number.isFinite(value) ? round(value) : null;
  const fields = valueIn(observations.fields);
  const response = valueIn(observations.response);
  const times = response ? [...response.fresh, ...response.keptAlive] : [];
  const samples = valueIn(observations.usage) ?? [];
  const logs = valueIn(observations.logs);
  return {
    readyMs: figure(valueIn(observations.health)?.readyMs) ?? metrics.readyMs ?? null,
    responseMsAvg: figure(mean(times)),
    responseMsP95: figure(quantile(times, 0.95)),
    memoryMb: figure(median(samples.map((sample) => sample.memoryMb))),
    cpuPercent: figure(samples.at(-1)?.cpuPercent),
    users: figure(fields?.userCount),
    uptimeSeconds: figure(fields && uptimeOf(fields)),
    requests: figure(fields?.requests),
    botErrors: figure(fields?.errorCount),
    logErrors: figure(logs && sumOf(logs.map((source) => source.tally.errors))),
    databaseMs: figure(valueIn(observations.database)?.openMs),
  };
}

/**
 * Judges what was seen; the watch has its own row, and every other row is looked at before and
 * after it.
 */
function judgeObservations(run: Run): void {
  const { observations, findings } = run;
  if (run.phase === "initial" && observations.process?.seen) {
    observations.process.value.incident = run.incident;
  }
  for (const row of CHECKS.filter(({ needs }) => needs !== "watch")) {
    const finding = judgeCheck(row, observations, run, Date.now());
    findings.set(row.name, worseFinding(findings.get(row.name), finding));
  }
  run.metrics = metricsOf(run);
  if (!observations.release?.seen) return;
  const { version, releaseId } = observations.release.value;
  run.version = version ?? releaseId ?? run.version;
  run.releaseId = releaseId ?? readCurrent(run.config) ?? run.version;
}

const WATCH_ROW = CHECKS.find((row) => row.needs === "watch") as CheckRow;
/**
 * The finding of the watch, as far as it came: an incident of the process is one of the watch, also
 * when it falls into the final checks.
 */
function judgeWatch(run: Run, watch: WatchEvidence): void {
  const value = { ...watch, incident: run.incident ?? watch.incident };
  const isWhole = value.incident !== null || value.secondsWatched >= value.secondsPlanned;
  const seen: Observations = isWhole ? { watch: { seen: true, value } } : {};
  const finding = judgeCheck(WATCH_ROW, seen, { ...run, phase: "watch" }, Date.now());
  run.findings.set(WATCH_ROW.name, finding);
}

/** Why there is no watch, as its finding; null where there is one. */
function judgeUnwatched(run: Run): Finding | null {
  const check = WATCH_ROW.name;
  const phase = "watch";
  const planned = judgeCheck(WATCH_ROW, {}, { ...run, interruption: null }, Date.now());
  if (planned.status !== "unknown") return planned;
  const failed = [...run.findings.values()].filter(({ status }) => status === "fail");
  const names = failed.map((finding) => finding.check);
  // Where no process check runs, a death before the watch is the watch's to report.
  if (run.incident && !names.includes("process")) {
    return plainFinding({ check, phase, status: "fail", says: run.incident.says });
  }
  if (names.length) {
    const says = `not watched: ${names.join(", ")} failed`;
    return plainFinding({ check, phase, status: "skipped", says });
  }
  if (!run.identity) {
    const says = "there is no process to watch";
    return plainFinding({ check, phase, status: "unknown", says });
  }
  return run.interruption ? judgeCheck(WATCH_ROW, {}, run, Date.now()) : null;
}

/**
 * Watches a bot whose initial checks have not failed; an unknown does not stop the watch, for what
 * it measures counts more.
 */
async function watchBot(run: Run, { health, logs }: Instruments): Promise<void> {
  const { config, metrics, progress } = run;
  run.phase = "watch";
  const unwatchedFinding = judgeUnwatched(run);
  if (unwatchedFinding) {
    run.findings.set(WATCH_ROW.name, unwatchedFinding);
    return;
  }
  run.narrate(`watch: ${config.limits.watchSeconds} s`);
  const watch = await readWatch({
    config,
    pid: (run.identity as Identity).pid,
    health,
    logs: logs ?? [],
    uptimeBefore: metrics.uptimeSeconds ?? Number.NaN,
    uptimeSlackSeconds: UPTIME_SLACK_SECONDS,
    signal: run.stop.signal,
    progress,
  });
  const history = run.version === null ? null : parseHistory(run.records, config.name, run.version);
  run.watch = { ...watch, history };
  if (watch.incident) run.narrate(watch.incident.says);
  judgeWatch(run, run.watch);
}

/**
 * A release that systemd restarts again and again before any verification of it comes to an end has
 * given its verdict itself.
 */
const RESTARTS_UNJUDGED_MAX = 3;
function judgeRestarts(run: Run): void {
  const unit = valueIn(run.observations.process)?.unit;
  const restarts = Number(unit?.NRestarts ?? 0);
  if (run.incident || Math.min(restarts, run.unjudged) < RESTARTS_UNJUDGED_MAX) return;
  const times = `systemd has restarted the bot ${restarts} times`;
  run.incident = {
    kind: "restarted",
    at: Date.now(),
    brief: times,
    says: `${times}, and no verification of it has come to a verdict`,
    evidence: [`${run.unjudged} starts without a verdict`],
  };
}

/** Runs all phases. Whatever ends it early, the findings up to then stand in `run`. */
export async function verify(run: Run): Promise<void> {
  const { config } = run;
  const { checksSecondsMax, watchSeconds, healthTriesMax } = config.limits;
  const watched = run.selected.has(WATCH_ROW.name) ? watchSeconds : 0;
  const stopLate = (): void => {
    run.interruption ??= "deadline";
    run.stop.abort();
  };
  const deadline = setTimeout(stopLate, (checksSecondsMax + watched) * 1000);
  const database = openDatabaseReader(config);
  const instruments: Instruments = { database, health: openHealth(config, database), logs: null };
  try {
    run.narrate("initial checks …");
    await gatherUntilStopped(run, instruments, healthTriesMax);
    judgeObservations(run);
    judgeRestarts(run);
    await watchBot(run, instruments);
    if (!run.watch || run.interruption) return;
    run.phase = "final";
    run.narrate("final checks …");
    // After a watch that has failed one look is enough: the verdict stands, and this only completes
    // the report.
    await gatherUntilStopped(run, instruments, run.watch.incident ? 1 : healthTriesMax);
    if (run.interruption) judgeWatch(run, run.watch);
    else judgeObservations(run);
  } finally {
    clearTimeout(deadline);
    run.stop.abort();
    database.close();
    for (const log of instruments.logs ?? []) log.close();
  }
}

// --- Verdict -------------------------------------------------------------------------------------

/** Seed 000's order when several checks fail; what is not named follows by its code. */
const FAILED_FIRST: readonly CheckName[] = [
  "process",
  "connection",
  "database",
  "health_endpoint",
  "response_time",
];
export const PRIORITY = [
  ...new Set([...FAILED_FIRST, ...CHECK_NAMES.toSorted((a, b) => CHECK_CODES[a] - CHECK_CODES[b])]),
];

/** Nothing was measured to be wrong, but not everything was seen. */
const unseenVerdict = (exit: number, what: string): Verdict => ({
  verdict: "unknown",
  exit,
  action: `Nothing was measured to be wrong, but ${what}`,
});

/**
 * The pure fold of findings. A measured failure decides before an unknown; what an unknown means is
 * the environment's policy.
 */
export function judgeVerdict(
  findings: readonly Finding[],
  environment: Environment,
  interruption: Interruption | null,
): Verdict {
  const having = (status: Status): CheckName[] =>
    PRIORITY.filter((name) =>
      findings.some((found) => found.check === name && found.status === status),
    );
  const failed = having("fail");
  const first = failed.includes("uptime_stability") ? "uptime_stability" : failed[0];
  if (first) {
    return { verdict: "fail", exit: CHECK_CODES[first], action: CHECK_ADVICE[first].action };
  }
  if (interruption === "deadline") {
    const slow = "not everything was seen in time. Look at what was slow, and run again.";
    return unseenVerdict(EXIT.deadline, slow);
  }
  const passed = having("pass");
  const warned = having("warn");
  const unseen = having("unknown");
  const sawNothing = passed.length + warned.length === 0;
  if (unseen[0] && (sawNothing || POLICY[environment].unknown === "unknown")) {
    const advice = "Do not roll back for this; make it visible, and run again.";
    const says = `${unseen.join(", ")} could not be seen. ${advice}`;
    return unseenVerdict(CHECK_CODES[unseen[0]], says);
  }
  if (unseen.length || warned.length) {
    return { verdict: "warn", exit: EXIT.passed, action: "Passed; read the warnings." };
  }
  if (sawNothing) {
    const action = "Nothing was looked at: what was asked for is off here.";
    return { verdict: "unknown", exit: EXIT.usage, action };
  }
  const action = "None; everything that was looked at is within its limits.";
  return { verdict: "pass", exit: EXIT.passed, action };
}

/** What a person did to the bot is no verdict on it. */
const BY_A_PERSON = {
  restarted: {
    verdict: "superseded",
    exit: EXIT.busy,
    action: "A person restarted the bot; the new start is verified next.",
  },
  stopped: {
    verdict: "aborted",
    exit: EXIT.busy,
    action: "A person stopped the bot; its next start is verified.",
  },
  paused: {
    verdict: "paused",
    exit: EXIT.passed,
    action: "The bot was stopped by a person; the burn-in goes on with its next start.",
  },
} satisfies Record<string, Verdict>;

/**
 * The verdict of a run's look at the bot. The hook also starts a verification of a bot that ended
 * with an error when a person stopped it.
 */
function judgeRun(run: Run, isPaused: boolean): Verdict {
  if (run.incident?.planned || (isUnit("verify") && isPaused)) return BY_A_PERSON.stopped;
  return judgeVerdict([...run.findings.values()], run.config.environment, run.interruption);
}

/** The verdict that a record has: a tick also speaks for the burn-in, where one is open. */
function verdictOf(
  run: Run,
  judged: Verdict,
  standing: Standing | null,
  isPaused: boolean,
): Verdict {
  if (run.kind === "verify") return judged;
  if (isPaused) return BY_A_PERSON.paused;
  if (standing) return judgeTick(judged, standing);
  return judged.verdict === "fail" ? { ...judged, exit: EXIT.redFlag } : judged;
}

// --- One bot, one command ------------------------------------------------------------------------

/**
 * Ends a run with its record; one that could not be written decides the exit code only where that
 * would have been 0.
 */
function endRun(run: Run, verdict: Verdict): Result {
  const record = resultOf(run, verdict, Date.now());
  const { masked: result, isLost } = writeRecordAndState(run.config, record, run.narrate);
  if (!isLost) return result;
  const notes = [...result.notes, "this record could not be written to the log"];
  if (verdict.exit !== EXIT.passed) return { ...result, notes };
  const action = "The bot passed, but the log has no record of it: mend the log, and run again.";
  return { ...result, exit: EXIT.logNotWritten, action, notes };
}

/** Leaves what is known where the site's node_exporter looks for it. */
async function writeMetrics({ config, identity, narrate }: Run): Promise<void> {
  const { metrics } = config;
  if (!metrics) return;
  const { metrics: verification, last, burnin: open } = readState(config);
  const standing = open && judgeStanding(open, config);
  const view: MetricsView = {
    env: config.name,
    releaseId: last?.releaseId ?? null,
    verifier: VERSION,
    verify: verification && {
      ...verification,
      unverified: identity && startOf(identity) !== last?.start,
    },
    burnin: standing && {
      age: standing.summary.age,
      attempt: standing.burnin.attempt,
      decision: open.decision === "RUNNING" ? standing.decision : open.decision,
      uptimeLow: standing.summary.uptime.low,
      errorsPerMinute: standing.summary.errorsPerMinute,
      memoryMbPerHour: standing.summary.memory?.perHour ?? null,
      redFlags: standing.flags.red.length,
      restarts: countRestarts(standing.summary.restarts).unplanned,
      tickAt: Date.parse(open.place?.at ?? open.startedAt),
    },
  };
  try {
    // node_exporter is another user.
    writeAtomically(metrics.file, await renderMetrics(view), 0o644);
  } catch (error) {
    // What it is told is no part of the verdict.
    narrate(`"${metrics.file}" could not be written: ${messageOf(error)}`);
  }
}

const UNVERIFIED = "nobody has verified this start of the bot";
/** The burn-in that this run has to account for, or null where there is none. */
function openBurninOf(run: Run): OpenBurnin | null {
  const { config, identity } = run;
  const { burnin, last } = readState(config);
  const start = identity && startOf(identity);
  run.isUnverified = run.kind === "burnin" && start !== null && start !== last?.start;
  if (run.isUnverified) run.notes.push(UNVERIFIED);
  if (!burnin || isLeft(burnin, run.releaseId, start)) return null;
  // One that has failed before its time goes on to its end: what comes is evidence too.
  const isOver = (burnin.place?.age ?? 0) >= config.limits.burninSeconds;
  return burnin.decision === "RUNNING" || !isOver ? burnin : null;
}

/**
 * Accounts for the time since the last run of the burn-in that is open, and judges it; checkpoints
 * that are due go into the log.
 */
async function accountBurnin(run: Run): Promise<Standing | null> {
  const { config, identity, narrate } = run;
  // The bot is starting again, and what asks for a verification of that start must find this one
  // ended: the next run accounts for it.
  if (run.kind === "verify" && run.incident) return null;
  run.place = cursorAt(await readMoment(), 0, identity && startOf(identity));
  const burnin = openBurninOf(run);
  if (!burnin) return null;
  const uncounted: Limits = { ...config.limits, errorsMax: null };
  const checkLogs = (sources: LogSource[]): Part[] =>
    checkErrorLogs(sources, { config, limits: uncounted, now: Date.now() });
  const accounted = await observe(() => accountFor(run, burnin, checkLogs));
  if (!accounted.seen) {
    // Nothing is handed on, so the next run accounts for this interval too.
    run.notes.push(`the burn-in could not be accounted for: ${accounted.why}`);
    return null;
  }
  // Both hold words of the bot's log, and are kept.
  const mask = maskOf(config.secrets);
  const { account: plain, place } = accounted.value;
  const account = maskDeep(plain, mask);
  const standing = judgeStanding({ ...burnin, accounts: [...burnin.accounts, account] }, config);
  const { id, releaseId, attempt, startedAt } = burnin;
  run.account = account;
  run.place = {
    ...place,
    down: maskDeep(place.down, mask),
    offline: maskDeep(place.offline, mask),
    joining: maskDeep(place.joining, mask),
  };
  run.flags = standing.flags;
  run.burnin = { id, releaseId, attempt, startedAt };
  for (const checkpoint of judgeDue(standing, burnin.hours)) {
    const head = headOf("checkpoint", config.name, crypto.randomUUID(), Date.now());
    writeRecordAndState(config, { ...head, ...checkpoint }, narrate);
  }
  return standing;
}

/**
 * A restart that came so late that no look was under way any more: then the verdict is that of a
 * start that is over.
 */
async function wasReplaced({ config, identity, incident }: Run): Promise<boolean> {
  const { unit } = config.process;
  if (incident || !unit || !identity) return incident?.planned === "restart";
  const shownUnit = await observe(() => readUnit(unit));
  return shownUnit.seen && parseEnding(shownUnit.value, identity.invocation)?.planned === "restart";
}

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
// A look that cannot be interrupted may outlast the deadline by this much; then the run ends
// without it.
const DEADLINE_SLACK_MS = 3000;
// Somebody who restarts the bot more often than this during one verification is not waiting for its
// verdict.
const RESTARTS_FOLLOWED_MAX = 10;

/** What judgeBot() is asked for. */
type Assignment = {
  config: Config;
  kind: Run["kind"];
  selected: ReadonlySet<CheckName>;
  /** Whether the result goes to stdout as JSON, also where the run is cut short. */
  isJson: boolean;
  narrator: Narrator;
};

/** What is told of an error that ends the program: of a known one its sentence, else all of it. */
function describeCrash(error: unknown): string {
  if (error instanceof UserError) return error.message;
  return `Internal error: ${(error as Error)?.stack ?? messageOf(error)}`;
}

/** Writes down what is known of a run and ends the process; nothing here waits for anything. */
function abortRun(run: Run, exit: number, reason: string, isJson: boolean): never {
  run.notes.push(reason);
  const action = `The run was cut short (${reason}); run it again.`;
  const result = endRun(run, { verdict: "aborted", exit, action });
  run.narrate(`${reason}; what was found up to then is in the log`);
  // A reader that has gone does not need it.
  if (isJson) orNull(() => fs.writeSync(1, renderDocument(result)));
  process.exit(result.exit);
}

/**
 * Verifies until a start of the bot has come to a verdict: a person may restart it meanwhile, and
 * the new start is what counts then.
 */
async function judgeBot(assignment: Assignment): Promise<{ run: Run; result: Result }> {
  const { config, kind, selected, isJson, narrator } = assignment;
  const seconds = config.limits.checksSecondsMax + config.limits.watchSeconds;
  let run = openRun(config, selected, narrator, kind);
  const abort = (exit: number, reason: string): never => abortRun(run, exit, reason, isJson);
  const crash = (error: unknown): never => {
    run.narrate(describeCrash(error));
    return abort(EXIT.internal, "internal error");
  };
  for (const signal of SIGNALS) process.on(signal, () => abort(EXIT[signal], `ended by ${signal}`));
  process.on("uncaughtException", crash);
  for (let restarts = 0; ; restarts++) {
    run.unjudged = readState(config).unjudged.length;
    const late = (): never => abort(EXIT.deadline, `the deadline of ${seconds} s has passed`);
    const guard = setTimeout(late, seconds * 1000 + DEADLINE_SLACK_MS);
    await verify(run).catch(crash);
    clearTimeout(guard);
    if (restarts >= RESTARTS_FOLLOWED_MAX || !(await wasReplaced(run))) break;
    endRun(run, BY_A_PERSON.restarted);
    run = openRun(config, selected, narrator, kind);
  }
  const unit = valueIn(run.observations.process)?.unit;
  const isPaused = Boolean(unit && parseEnding(unit, "")?.planned === "stop");
  const judged = judgeRun(run, isPaused);
  const isAccounted = selected.size === CHECK_NAMES.length || kind === "burnin";
  const standing = isAccounted ? await accountBurnin(run).catch(crash) : null;
  const result = endRun(run, verdictOf(run, judged, standing, isPaused));
  await writeMetrics(run);
  for (const signal of SIGNALS) {
    process.removeAllListeners(signal).on(signal, () => process.exit(result.exit));
  }
  return { run, result };
}

/** Prints a result in the format that was asked for; returns the exit code. */
async function writeResult(result: Result, { flags, format }: CommandLine): Promise<number> {
  if (flags.quiet && format === "pretty" && result.verdict === "pass") return result.exit;
  const isTerminal = process.stdout.isTTY === true && process.env.TERM !== "dumb";
  const colour = isTerminal && flags.color && !process.env.NO_COLOR;
  const renderers = {
    json: () => renderDocument(result),
    pretty: () => renderPretty(result, colour),
    github: () => renderGithub(result),
  };
  if (format === "github") await writeSummary(result);
  const isWritten = await writeStream(
    process.stdout,
    renderers[format as keyof typeof renderers](),
  );
  return isWritten ? result.exit : result.exit || EXIT.internal;
}

/** The summary of a GitHub Actions job, where one runs. */
async function writeSummary(result: Result): Promise<void> {
  const summary = process.env.GITHUB_STEP_SUMMARY;
  if (!summary) return;
  try {
    fs.appendFileSync(summary, renderMarkdown(result));
  } catch (error) {
    const why = printable(messageOf(error));
    await writeStream(process.stderr, `The summary of the job could not be written: ${why}\n`);
  }
}

// A release that fails again and again is verified with growing pauses, of a quarter of an hour at
// most: its third failure is no accident, and nobody needs a verdict a minute.
const BACKOFF = { failuresMin: 3, secondsMax: 900 };

/** What the flag says that a verdict leaves behind: whether a rollback is due, or why it is not. */
async function leaveFlag(leave: () => Promise<string | null>): Promise<string | null> {
  try {
    return await leave();
  } catch (error) {
    return `the flag could not be written: ${messageOf(error)}`;
  }
}

const toldOf = (kept: string | null): string =>
  kept === null ? "a rollback is due" : `no rollback: ${kept}`;

async function runVerify(line: CommandLine, read: Config, narrator: Narrator): Promise<number> {
  const { flags, selected } = line;
  const { narrate } = narrator;
  const version = flags.expectVersion ?? read.release?.version;
  const config: Config = { ...read, release: { ...read.release, version } };
  if (flags.dryRun) {
    const rows = CHECKS.map(({ name, off }) => ({
      check: name,
      skipped: !selected.has(name),
      off: config.off[name] ?? off(config),
    }));
    return print(renderPlan(config, rows, line.json));
  }
  narrate(`config ${config.file}`);
  const isOurs = isUnit("verify");
  const mayAttach = !isOurs && flags.attach !== false && selected.size === CHECK_NAMES.length;
  const isAttached = flags.attach === true;
  const followed = mayAttach ? await followVerification(config, isAttached, narrate) : null;
  if (followed) return writeResult(followed, line);
  const trouble = logTrouble(config.logFile);
  if (trouble) {
    const code = `a pass will exit ${EXIT.logNotWritten}`;
    const remedy = `Going on; ${code}. Let this user write there, or set log.file.`;
    narrate(`The log will not take the record: ${trouble}. ${remedy}`);
  }
  if (isOurs) {
    await backOff(config, BACKOFF, narrate);
    removeVerdict(config);
  }
  const isJson = line.json;
  const { run, result } = await judgeBot({ config, kind: "verify", selected, isJson, narrator });
  if (isOurs || flags.rollback) {
    const kept = await leaveFlag(async () => {
      if (isOurs) leaveJudged(config, result);
      return leaveVerdict(run, result);
    });
    if (result.verdict === "fail") narrate(toldOf(kept));
    if (kept === null && !isOurs) narrate((await startRollback(config)).says);
  }
  return writeResult(result, line);
}

async function runBurnin(line: CommandLine, config: Config, narrator: Narrator): Promise<number> {
  const { narrate } = narrator;
  const selected = new Set(CHECK_NAMES.filter((name) => name !== WATCH_ROW.name));
  const isOurs = isUnit("burnin");
  if (isOurs) removeOldRequest(config);
  const isJson = line.json;
  const { run, result } = await judgeBot({ config, kind: "burnin", selected, isJson, narrator });
  if (isOurs && result.exit === EXIT.redFlag) {
    const kept = await leaveFlag(() => leaveRedFlag(config, result));
    narrate(toldOf(kept));
    if (kept === null) return writeResult(result, line);
  }
  const unverified = config.state.flag("unverified");
  if (run.isUnverified && fs.existsSync(path.dirname(unverified))) {
    narrate(UNVERIFIED);
    writeAtomically(unverified, `${result.run}\n`);
  }
  return writeResult(result, line);
}

// --- Command line --------------------------------------------------------------------------------

const verifyCore: VerifyCore = async (config, checks, narrator) => {
  const run = openRun(config, checks, narrator);
  await verify(run);
  return {
    run,
    exit: judgeVerdict([...run.findings.values()], config.environment, run.interruption).exit,
  };
};
const RUNNERS: Record<CommandName, Runner> = {
  verify: runVerify,
  burnin: runBurnin,
  status: runStatus,
  report: runReport,
  rollback: (line, config, narrator) => runRollback(line, config, { narrator, verifyCore }),
  alert: ({ flags }, config) => runAlert(config, flags.dryRun),
  config: runConfig,
};

/**
 * Runs one command line and returns its exit code; what it prints goes to this process's own
 * streams.
 */
export async function main(args: readonly string[]): Promise<number> {
  // A reader that closes its end early must not end the run, nor change its verdict.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    const line = parseCommandLine(args);
    const { command, env, flags } = line;
    if (line.help !== null) return await print(renderHelp(line.help));
    if (flags.version) return await print(`${VERSION}\n`);
    if (flags.schema) return await print(readShipped("schema.json"));
    becomeService(line);
    const config = await loadConfig(env, flags.config, RULES);
    // All paths are absolute by now, and a directory that is deleted under this program must not
    // matter.
    process.chdir("/");
    return await RUNNERS[command](
      line,
      config,
      openNarrator(process.stderr, flags.quiet === true, maskOf(config.secrets)),
    );
  } catch (error) {
    const known = error instanceof UserError;
    const text = known
      ? error.message
      : `Internal error: ${(error as Error).stack ?? messageOf(error)}`;
    const lines = maskOf([])(text).split("\n");
    await writeStream(process.stderr, `${lines.map(printable).join("\n")}\n`);
    return known ? error.code : EXIT.internal;
  }
}

const SCRIPT = process.argv[1];
if (
  SCRIPT &&
  fs.existsSync(SCRIPT) &&
  import.meta.url === pathToFileURL(fs.realpathSync(SCRIPT)).href
) {
  if (process.argv[2] === DATABASE_CHILD) serveDatabase();
  else process.exit(await main(process.argv.slice(2)));
}
