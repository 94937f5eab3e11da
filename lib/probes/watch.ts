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
import type { Incident, Narrator } from "../vocabulary.ts";
import {
  HEALTH_UNSEEN,
  type HealthAnswer,
  type HealthFields,
  type HealthReader,
  judgeFields,
  parseFields,
  uptimeOf,
} from "./health.ts";
import { EXAMPLES_MAX, type LogFollower } from "./log-lines.ts";
import { readUsage, type UsageSample } from "./usage.ts";

type MissKind = "health" | "connection" | "users";
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
  for (let due = performance.now(); !signal.aborted; ) {
    await act();
    due = Math.max(due + ms, performance.now());
    await sleep(due - performance.now(), undefined, { signal }).catch(() => {});
  }
}
/**
 * `signal` ends the watch from outside; `uptimeBefore` is what the initial checks read of the bot's
 * own uptime, in seconds, or NaN.
 */
type WatchBounds = { signal: AbortSignal; uptimeBefore: number };
type WatchInput = WatchBounds &
  Pick<Narrator, "progress"> & {
    config: Config;
    pid: number;
    health: HealthReader;
    logs: LogFollower[];
  };
const errorsOf = (logs: readonly LogFollower[]): number =>
  sumOf(logs.map((log) => log.source.tally.errors));
/** What a watch has seen so far; `ended` ends it, and with it `signal`. */
function openWatch(input: WatchInput) {
  const { config, logs, uptimeBefore } = input;
  const ended = new AbortController();
  const [numbers, gaps] = [(): number[] => [], (): (number | null)[] => []];
  const evidence = {
    ...{
      secondsPlanned: config.limits.watchSeconds,
      secondsWatched: 0,
      polls: 0,
      misses: { health: 0, connection: 0, users: 0 },
    },
    unseen: 0, // Polls that could not look, which is no miss of the bot's.
    // Equally long lists in the order of the polls and samples; times are seconds since the watch
    // began.
    series: {
      pollSeconds: numbers(),
      responseMs: gaps(),
      users: gaps(),
      sampleSeconds: numbers(),
      memoryMb: numbers(),
      cpuPercent: gaps(),
    },
    incident: null as Incident | null, // What ended the watch before its time.
    newErrors: (logs.length ? 0 : null) as number | null,
    history: null as HistoryEvidence | null,
  };
  const inARow: Record<MissKind, string[]> = { health: [], connection: [], users: [] };
  const before = {
    uptime: { value: uptimeBefore, since: 0 },
    usage: null as UsageSample | null,
    errorsBefore: errorsOf(logs),
  };
  return {
    ...input,
    ...before,
    begun: performance.now(),
    evidence,
    ended,
    signal: AbortSignal.any([input.signal, ended.signal]),
    inARow,
  };
}
type WatchState = ReturnType<typeof openWatch>;
export type WatchEvidence = WatchState["evidence"];

const elapsedSeconds = (state: WatchState): number => (performance.now() - state.begun) / 1000;
function reportIncident(
  state: WatchState,
  kind: Incident["kind"],
  says: string,
  evidence: string[] = [],
): void {
  state.evidence.incident ??= {
    kind,
    at: Date.now(),
    says: `${says} (${spanOf(elapsedSeconds(state))} into the watch)`,
    evidence,
  };
  state.ended.abort();
}

const UPTIME_SLACK_SECONDS = 2;
/**
 * The bot's own uptime must move, and forward: a wrapper that restarts what is inside it keeps its
 * pid.
 */
function followUptime(state: WatchState, value: number): void {
  const now = elapsedSeconds(state);
  const { value: before, since } = state.uptime;
  if (value !== before) state.uptime = { value, since: now };
  if (value < before - UPTIME_SLACK_SECONDS) {
    const jump = `from ${round(before)} to ${round(value)} s`;
    reportIncident(
      state,
      "uptime",
      `the bot's uptime ran backwards ${jump} while its process lived on: something inside it was restarted`,
    );
  } else if (value === before && now - since > state.config.limits.heartbeatSecondsMax)
    reportIncident(
      state,
      "uptime",
      `the health document is frozen: its uptime has stood at ${round(value)} s for ${spanOf(now - since)}`,
    );
}

async function pollHealth(state: WatchState): Promise<void> {
  const { config, evidence, inARow } = state;
  const answer = await state.health.read(config.limits.healthTimeoutMs);
  if (state.signal.aborted) return;
  const fields = answer.document ? parseFields(answer.document, config.health, answer.at) : null;
  evidence.polls++;
  evidence.series.pollSeconds.push(round(elapsedSeconds(state)));
  evidence.series.responseMs.push(fields ? round(answer.ms) : null);
  evidence.series.users.push(typeof fields?.userCount === "number" ? fields.userCount : null);
  const blind = fields === null && HEALTH_UNSEEN.test(answer.problem ?? "");
  if (blind) evidence.unseen++;
  const misses = blind ? {} : parseMisses(answer, fields, config);
  for (const [kind, row] of Object.entries(inARow) as [MissKind, string[]][]) {
    const says = misses[kind];
    // A poll without a document says nothing about the connection, so it neither adds to that row
    // nor ends it.
    if (!says && fields) row.length = 0;
    if (!says) continue;
    evidence.misses[kind]++;
    row.push(`${isoOf(answer.at)} ${says}`);
    if (row.length >= config.limits.missesMax)
      reportIncident(state, kind, `${config.limits.missesMax} polls in a row missed: ${says}`, row);
  }
  const uptime = fields && uptimeOf(fields);
  if (typeof uptime === "number" && !config.off["health_endpoint.age"]) followUptime(state, uptime);
}

const MEMORY_RECENT = 3;
async function sampleUsage(state: WatchState): Promise<void> {
  const { config, pid, evidence } = state;
  const { sampleSeconds, memoryMb, cpuPercent } = evidence.series;
  // A process that has gone is the identity's to report, and it does so with the moment.
  const taken = await observe(() => readUsage(pid, state.usage));
  if (!taken.seen || state.signal.aborted) return;
  const usage = taken.value;
  state.usage = usage;
  sampleSeconds.push(round(elapsedSeconds(state)));
  memoryMb.push(round(usage.memoryMb));
  cpuPercent.push(usage.cpuPercent === null ? null : round(usage.cpuPercent));
  const limit = config.off.memory_usage ? null : config.limits.memoryMbMax;
  const recent = memoryMb.slice(-MEMORY_RECENT);
  if (limit === null || recent.length < MEMORY_RECENT || median(recent) < limit) return;
  const samples = `${usage.processes} processes; last samples ${recent.join(", ")} MB`;
  reportIncident(
    state,
    "memory",
    `memory is ${round(median(recent))} MB, over the limit of ${limit} MB`,
    [samples],
  );
}

async function pollLogs(state: WatchState, logs: readonly LogFollower[]): Promise<void> {
  for (const log of logs) await log.poll();
  const count = errorsOf(state.logs) - state.errorsBefore;
  state.evidence.newErrors = count;
  const { errorsMax } = state.config.limits;
  if (errorsMax === null || state.config.off.error_logs || count <= errorsMax) return;
  const examples = state.logs.flatMap((log) => log.source.tally.examples).slice(-EXAMPLES_MAX);
  reportIncident(state, "errors", `${count} new error${count > 1 ? "s" : ""} in the log`, examples);
}

/**
 * Watches health, users, connection, uptime, memory, logs for the configured time, or to the first
 * incident; the identity is followed elsewhere.
 */
export async function readWatch(input: WatchInput): Promise<WatchEvidence> {
  const { watchSeconds, healthEverySeconds } = input.config.limits;
  const state = openWatch(input);
  const { evidence, ended, signal, logs } = state;
  const narrator = setInterval(() => {
    const secondsLeft = Math.max(0, watchSeconds - elapsedSeconds(state));
    const [memoryMb = null, responseMs = null] = [
      evidence.series.memoryMb.at(-1),
      evidence.series.responseMs.at(-1),
    ];
    input.progress({ secondsLeft, memoryMb, responseMs, errors: evidence.newErrors ?? 0 });
  }, 1000);
  const pollMs = Math.max(200, healthEverySeconds * 1000);
  const sampleMs = Math.max(500, Math.min(pollMs, watchSeconds * 50));
  const rounds = [
    every(pollMs, signal, () => pollHealth(state)),
    every(sampleMs, signal, () => sampleUsage(state)),
  ];
  for (const log of logs) rounds.push(every(log.everyMs, signal, () => pollLogs(state, [log])));
  // A poll that hangs must not make the watch longer; what it would have said comes too late
  // anyway.
  await Promise.race([
    sleep(watchSeconds * 1000, undefined, { signal }).catch(() => {}),
    ...rounds,
  ]).finally(() => {
    ended.abort();
    clearInterval(narrator);
  });
  const whole = !evidence.incident && !input.signal.aborted;
  if (whole) await pollLogs(state, logs);
  evidence.secondsWatched = whole ? watchSeconds : Math.min(elapsedSeconds(state), watchSeconds);
  return evidence;
}
