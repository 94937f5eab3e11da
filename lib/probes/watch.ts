/**
 * The stability watch: polls the bot for its window, and reports the first thing that ends it. It
 * judges no series.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { observe } from "../attempt.ts";
import type { Config } from "../config.ts";
import { parseInstant } from "../http.ts";
import type { HistoryEvidence } from "../log.ts";
import { median, round, sumOf } from "../numbers.ts";
import { isoOf, spanOf } from "../text.ts";
import type { Incident, IncidentKind, Narrator } from "../vocabulary.ts";
import {
  type HealthAnswer,
  type HealthFields,
  type HealthReader,
  judgeFields,
  parseFields,
  uptimeOf,
} from "./health.ts";
import { EXAMPLES_MAX, type LogFollower } from "./log-lines.ts";
import { readUsage, type UsageSample } from "./usage.ts";

const MISS_KINDS = ["health", "connection", "users"] as const;
type MissKind = (typeof MISS_KINDS)[number];
type Misses = Partial<Record<MissKind, string>>;
/**
 * Which of a poll's promises were broken, and how: by the endpoint, by the connection, by the
 * number of users. What the document does not say is no miss.
 */
function parseMisses(answer: HealthAnswer, fields: HealthFields | null, config: Config): Misses {
  const { off } = config;
  if (off.health_endpoint) return {};
  if (!fields) return { health: answer.problem ?? "no health document" };
  const claims = judgeFields(fields, config);
  const misses: Misses = {};
  if (claims.status === "broken" && !off["health_endpoint.status"]) {
    misses.health = `status is ${JSON.stringify(fields.status)}`;
  }
  if (claims.heartbeat === "broken" && !off.connection && !off["connection.heartbeat"]) {
    const silentMs = fields.at - (parseInstant(fields.heartbeat) ?? fields.at);
    misses.connection = `the heartbeat is ${spanOf(silentMs / 1000)} old`;
  }
  if (claims.connected === "broken" && !off.connection) {
    misses.connection = `connected is ${JSON.stringify(fields.connected)}`;
  }
  if (claims.users === "broken" && !off.user_count) {
    misses.users = `user count is ${JSON.stringify(fields.userCount)}`;
  }
  return misses;
}

/**
 * Repeats `act` at a fixed rate until `signal`; a round that takes longer than its time makes the
 * next one late, never parallel.
 */
async function every(ms: number, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  let due = performance.now();
  while (!signal.aborted) {
    await act();
    due = Math.max(due + ms, performance.now());
    await sleep(due - performance.now(), undefined, { signal }).catch(() => {});
  }
}
/** What a watch is given. `pid` is the bot's process. */
type WatchInput = {
  config: Config;
  pid: number;
  health: HealthReader;
  logs: LogFollower[];
  /** What the initial checks read of the bot's own uptime, in seconds, or NaN. */
  uptimeBefore: number;
  /** So far its uptime may go back and still be that of the same start. */
  uptimeSlackSeconds: number;
  /** Ends the watch from outside. */
  signal: AbortSignal;
  progress: Narrator["progress"];
};

/** What a watch has seen, whole or as far as it came. */
export type WatchEvidence = {
  secondsPlanned: number;
  secondsWatched: number;
  polls: number;
  misses: Record<MissKind, number>;
  /** Polls that could not look, which is no miss of the bot's. */
  unseen: number;
  /**
   * Equally long lists in the order of the polls and of the samples; times are seconds since the
   * watch began, and null stands for what was not answered.
   */
  series: {
    pollSeconds: number[];
    responseMs: (number | null)[];
    users: (number | null)[];
    sampleSeconds: number[];
    memoryMb: number[];
    cpuPercent: (number | null)[];
  };
  /** What ended the watch before its time. */
  incident: Incident | null;
  /** Null: no log was followed. */
  newErrors: number | null;
  history: HistoryEvidence | null;
};

type WatchState = {
  input: WatchInput;
  begun: number;
  evidence: WatchEvidence;
  /** Ends the watch from within, and with it `signal`. */
  ended: AbortController;
  signal: AbortSignal;
  /** Of each kind, the misses since the last poll that was fine. */
  inARow: Record<MissKind, string[]>;
  /** The bot's own uptime, and since when in the watch it has stood there. */
  uptime: { value: number; since: number };
  usage: UsageSample | null;
  errorsBefore: number;
};

const errorsOf = (logs: readonly LogFollower[]): number =>
  sumOf(logs.map((log) => log.source.tally.errors));

function openWatch(input: WatchInput): WatchState {
  const ended = new AbortController();
  return {
    input,
    begun: performance.now(),
    evidence: {
      secondsPlanned: input.config.limits.watchSeconds,
      secondsWatched: 0,
      polls: 0,
      misses: { health: 0, connection: 0, users: 0 },
      unseen: 0,
      series: {
        pollSeconds: [],
        responseMs: [],
        users: [],
        sampleSeconds: [],
        memoryMb: [],
        cpuPercent: [],
      },
      incident: null,
      newErrors: input.logs.length ? 0 : null,
      history: null,
    },
    ended,
    signal: AbortSignal.any([input.signal, ended.signal]),
    inARow: { health: [], connection: [], users: [] },
    uptime: { value: input.uptimeBefore, since: 0 },
    usage: null,
    errorsBefore: errorsOf(input.logs),
  };
}

const elapsedSeconds = (state: WatchState): number => (performance.now() - state.begun) / 1000;

/** The first incident counts, and ends the watch. */
function reportIncident(
  state: WatchState,
  incident: { kind: IncidentKind; says: string; evidence: string[] },
): void {
  const says = `${incident.says} (${spanOf(elapsedSeconds(state))} into the watch)`;
  state.evidence.incident ??= { ...incident, at: Date.now(), says };
  state.ended.abort();
}

/**
 * The bot's own uptime must move, and forward: a wrapper that restarts what is inside it keeps its
 * pid.
 */
function followUptime(state: WatchState, value: number): void {
  const now = elapsedSeconds(state);
  const { value: before, since } = state.uptime;
  if (value !== before) state.uptime = { value, since: now };
  if (value < before - state.input.uptimeSlackSeconds) {
    const jump = `from ${round(before)} to ${round(value)} s`;
    const says =
      `the bot's uptime ran backwards ${jump} while its process lived on: ` +
      "something inside it was restarted";
    reportIncident(state, { kind: "uptime", says, evidence: [] });
    return;
  }
  const stoodSeconds = now - since;
  const { heartbeatSecondsMax } = state.input.config.limits;
  if (value === before && stoodSeconds > heartbeatSecondsMax) {
    const stood = `its uptime has stood at ${round(value)} s for ${spanOf(stoodSeconds)}`;
    const says = `the health document is frozen: ${stood}`;
    reportIncident(state, { kind: "uptime", says, evidence: [] });
  }
}

/** Enters what one poll missed; so many in a row of one kind end the watch. */
function countMisses(state: WatchState, answer: HealthAnswer, fields: HealthFields | null): void {
  const { evidence, inARow, input } = state;
  const { missesMax } = input.config.limits;
  const misses = parseMisses(answer, fields, input.config);
  for (const kind of MISS_KINDS) {
    const says = misses[kind];
    const row = inARow[kind];
    // A poll without a document says nothing about the connection, so it neither adds to that row
    // nor ends it.
    if (!says && fields) row.length = 0;
    if (!says) continue;
    evidence.misses[kind]++;
    row.push(`${isoOf(answer.at)} ${says}`);
    if (row.length < missesMax) continue;
    const missed = `${missesMax} polls in a row missed: ${says}`;
    reportIncident(state, { kind, says: missed, evidence: row });
  }
}

async function pollHealth(state: WatchState): Promise<void> {
  const { evidence, input } = state;
  const { config } = input;
  const answer = await input.health.read(config.limits.healthTimeoutMs);
  if (state.signal.aborted) return;
  const fields = answer.document ? parseFields(answer.document, config.health, answer.at) : null;
  evidence.polls++;
  evidence.series.pollSeconds.push(round(elapsedSeconds(state)));
  evidence.series.responseMs.push(fields ? round(answer.ms) : null);
  evidence.series.users.push(typeof fields?.userCount === "number" ? fields.userCount : null);
  if (fields === null && answer.isUnseen) evidence.unseen++;
  else countMisses(state, answer, fields);
  const uptime = fields && uptimeOf(fields);
  if (uptime !== null && !config.off["health_endpoint.age"]) followUptime(state, uptime);
}

// A single sample may be a spike of the garbage collector's.
const MEMORY_RECENT = 3;
async function sampleUsage(state: WatchState): Promise<void> {
  const { evidence, input } = state;
  const { sampleSeconds, memoryMb, cpuPercent } = evidence.series;
  // A process that has gone is the identity's to report, and it does so with the moment.
  const taken = await observe(() => readUsage(input.pid, state.usage));
  if (!taken.seen || state.signal.aborted) return;
  const usage = taken.value;
  state.usage = usage;
  sampleSeconds.push(round(elapsedSeconds(state)));
  memoryMb.push(round(usage.memoryMb));
  cpuPercent.push(usage.cpuPercent === null ? null : round(usage.cpuPercent));
  const limit = input.config.off.memory_usage ? null : input.config.limits.memoryMbMax;
  const recent = memoryMb.slice(-MEMORY_RECENT);
  if (limit === null || recent.length < MEMORY_RECENT || median(recent) < limit) return;
  reportIncident(state, {
    kind: "memory",
    says: `memory is ${round(median(recent))} MB, over the limit of ${limit} MB`,
    evidence: [`${usage.processes} processes; last samples ${recent.join(", ")} MB`],
  });
}

async function pollLogs(state: WatchState, logs: readonly LogFollower[]): Promise<void> {
  for (const log of logs) await log.poll();
  const { config, logs: all } = state.input;
  const count = errorsOf(all) - state.errorsBefore;
  state.evidence.newErrors = count;
  const { errorsMax } = config.limits;
  if (errorsMax === null || config.off.error_logs || count <= errorsMax) return;
  reportIncident(state, {
    kind: "errors",
    says: `${count} new error${count > 1 ? "s" : ""} in the log`,
    evidence: all.flatMap((log) => log.source.tally.examples).slice(-EXAMPLES_MAX),
  });
}

function narrateProgress(state: WatchState): void {
  const { input, evidence } = state;
  input.progress({
    secondsLeft: Math.max(0, evidence.secondsPlanned - elapsedSeconds(state)),
    memoryMb: evidence.series.memoryMb.at(-1) ?? null,
    responseMs: evidence.series.responseMs.at(-1) ?? null,
    errors: evidence.newErrors ?? 0,
  });
}

/**
 * Watches health, users, connection, uptime, memory, logs for the configured time, or to the first
 * incident; the identity is followed elsewhere.
 */
export async function readWatch(input: WatchInput): Promise<WatchEvidence> {
  const { watchSeconds, healthEverySeconds } = input.config.limits;
  const state = openWatch(input);
  const { evidence, signal } = state;
  const narrator = setInterval(() => narrateProgress(state), 1000);
  const pollMs = Math.max(200, healthEverySeconds * 1000);
  const sampleMs = Math.max(500, Math.min(pollMs, watchSeconds * 50));
  const rounds = [
    every(pollMs, signal, () => pollHealth(state)),
    every(sampleMs, signal, () => sampleUsage(state)),
    ...input.logs.map((log) => every(log.everyMs, signal, () => pollLogs(state, [log]))),
  ];
  const over = sleep(watchSeconds * 1000, undefined, { signal }).catch(() => {});
  try {
    // A poll that hangs must not make the watch longer; what it would have said comes too late
    // anyway.
    await Promise.race([over, ...rounds]);
  } finally {
    state.ended.abort();
    clearInterval(narrator);
  }
  const isWhole = !evidence.incident && !input.signal.aborted;
  if (isWhole) await pollLogs(state, input.logs);
  const watched = Math.min(elapsedSeconds(state), watchSeconds);
  evidence.secondsWatched = isWhole ? watchSeconds : watched;
  return evidence;
}
