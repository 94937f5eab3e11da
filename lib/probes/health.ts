/**
 * The bot's own word about itself, by HTTP or by a row of its database, polled until it is ready.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { FIELD_NAMES, type FieldName, HEALTH_FIELDS, STATUS_UP } from "../dialects.ts";
import {
  firstAt,
  type HttpAnswer,
  type HttpTarget,
  parseAnswer,
  parseInstant,
  readHttp,
} from "../http.ts";
import type { DatabaseReader } from "./database.ts";

export const healthTarget = ({ health, headers }: Config): HttpTarget => ({
  url: health.url as string,
  socket: health.socket,
  headers,
});

/** One answer of the health source: the document, or the problem with it. */
export type HealthAnswer = {
  /** Epoch milliseconds. */
  at: number;
  ms: number;
  /** The line that evidence shows. */
  source: string;
  document: Record<string, unknown> | null;
  /** Why there is no document, in words. */
  problem: string | null;
  /** The HTTP status; null where none came, and for a query. */
  status: number | null;
  /** Whether the source could not be looked at, as opposed to being broken. */
  isUnseen: boolean;
};
type Answered = Pick<HealthAnswer, "document" | "problem" | "status" | "isUnseen">;

/** An endpoint that wants a login says nothing of the bot. */
export const LOGIN_STATUSES: readonly (number | null)[] = [401, 403];

/** Errors of a connection whose cause is this host or its name service, and not the endpoint. */
const UNSEEN_HTTP_CODES = new Set([
  "EACCES",
  "EPERM",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "EADDRNOTAVAIL",
  "EMFILE",
]);

/** Errors of a query that say nothing of the bot; SQLITE_CANTOPEN_ISDIR is a SQLITE_CANTOPEN. */
const UNSEEN_SQL_CODE =
  /^(EACCES|EPERM|ERROR|NO_ANSWER|WOULD_HARM|SQLITE_(CANTOPEN|READONLY|AUTH|PERM|ERROR).*)$/;

/** Judges nothing but the form, which is an object's. */
export function parseHealthAnswer(answer: HttpAnswer): Answered {
  const { status, code } = answer;
  const { document, problem } = parseAnswer(answer);
  const wantsLogin = answer.problem === null && LOGIN_STATUSES.includes(status);
  const isUnseen = wantsLogin || UNSEEN_HTTP_CODES.has(code);
  if (problem) return { document: null, problem, status, isUnseen };
  if (typeof document === "object" && document && !Array.isArray(document)) {
    return { document: document as Record<string, unknown>, problem, status, isUnseen };
  }
  const noObject = "HTTP 200, but the JSON is not an object";
  return { document: null, problem: noObject, status, isUnseen };
}
/**
 * The fields of a health document as they stood in it; absent ones are undefined. `fromSql`: 0 and
 * 1 are booleans there, and only there.
 */
export type HealthFields = Record<FieldName, unknown> & { fromSql: boolean; at: number };
export function parseFields(
  document: Record<string, unknown>,
  health: Config["health"],
  at: number,
): HealthFields {
  const fromSql = Boolean(health.sql);
  // The public bot's status column says "offline" while it is connected, so in a row it counts only
  // where a config names it.
  const pointers = {
    ...HEALTH_FIELDS,
    ...(fromSql ? { status: [] } : {}),
    ...health.fields,
  };
  const find = (name: FieldName): unknown => firstAt(document, [pointers[name]].flat());
  const fields = Object.fromEntries(FIELD_NAMES.map((name) => [name, find(name)])) as Record<
    FieldName,
    unknown
  >;
  if (fromSql && (fields.connected === 0 || fields.connected === 1))
    fields.connected = fields.connected === 1;
  return { ...fields, fromSql, at };
}

/**
 * The bot's own uptime in seconds, as it says it or since the start that it names; null where it
 * says neither.
 */
export function uptimeOf({ uptime, startedAt, at }: HealthFields): number | null {
  if (typeof uptime === "number") return uptime;
  const began = parseInstant(startedAt);
  return began === null ? null : (at - began) / 1000;
}

const statusIsUp = (status: unknown, words: readonly string[]): boolean =>
  typeof status === "string" &&
  words.some((word) => word.toLowerCase() === status.trim().toLowerCase());

/** What a health document says of one thing: that it is so, that it is not, or nothing at all. */
export type Claim = "kept" | "broken" | "untold";
const claimOf = (value: unknown, isKept: boolean): Claim => {
  if (value === undefined) return "untold";
  return isKept ? "kept" : "broken";
};

/**
 * Healthy, connected, fresh and in company, by the bot's own word. This is the only place that
 * decides it: for the start-up poll, for the watch and for the checks, which find the words.
 */
export function judgeFields(
  { status, connected, heartbeat, userCount, at }: HealthFields,
  { health, limits }: Config,
): Record<"status" | "connected" | "heartbeat" | "users", Claim> {
  const beatAt = parseInstant(heartbeat) ?? undefined;
  const isFresh = beatAt !== undefined && (at - beatAt) / 1000 <= limits.heartbeatSecondsMax;
  const isInCompany =
    limits.userCountMin === null ||
    (typeof userCount === "number" && userCount >= limits.userCountMin);
  return {
    status: claimOf(status, statusIsUp(status, health.statusUp ?? STATUS_UP)),
    connected: claimOf(connected, connected === true),
    heartbeat: claimOf(beatAt, isFresh),
    users: claimOf(userCount, isInCompany),
  };
}

/**
 * Whether the bot is ready: what its config does not declare off has to be said, and kept. A bot
 * that answers before it has joined the channel is still starting.
 */
function isReady(fields: HealthFields, config: Config): boolean {
  const { off, limits } = config;
  const claims = judgeFields(fields, config);
  const isStatusOff =
    off.health_endpoint ||
    off["health_endpoint.status"] ||
    (fields.fromSql && claims.status === "untold");
  if (!isStatusOff && claims.status !== "kept") return false;
  if (!off.connection && claims.connected !== "kept") return false;
  return limits.userCountMin === null || Boolean(off.user_count) || claims.users === "kept";
}

export type HealthReader = { read(timeoutMs: number): Promise<HealthAnswer> };
async function readRow(
  database: DatabaseReader,
  sql: string,
  timeoutMs: number,
): Promise<Answered> {
  const { rows, problem, code } = await database.query(sql, timeoutMs);
  const form = { status: null, isUnseen: UNSEEN_SQL_CODE.test(code) };
  if (problem) return { ...form, document: null, problem };
  if (rows.length === 1) {
    return { ...form, document: rows[0] as Record<string, unknown>, problem: null };
  }
  const found = rows.length ? "several rows" : "no row";
  return { ...form, document: null, problem: `the query returned ${found}; one is expected` };
}

/** Opens the health source of a config: an endpoint, or a query on the bot's database. */
export function openHealth(config: Config, database: DatabaseReader): HealthReader {
  const { sql, url } = config.health;
  const read = async (timeoutMs: number): Promise<HealthAnswer> => {
    const at = Date.now();
    const begun = performance.now();
    const answer = sql
      ? await readRow(database, sql, timeoutMs)
      : parseHealthAnswer(await readHttp(healthTarget(config), timeoutMs));
    return { at, ms: performance.now() - begun, source: sql || `GET ${url}`, ...answer };
  };
  return { read };
}

// How long to wait between two looks at a bot that is still starting.
const READINESS_EVERY_MS = 250;
const ANSWERS_KEPT = 8;

/**
 * The tries until the bot was ready, or out of time. `readyMs` counts from the start of the
 * process, where an earlier answer was not ready yet.
 */
export type HealthEvidence = {
  answers: HealthAnswer[];
  tries: number;
  fields: HealthFields | null;
  ready: boolean;
  readyMs: number | null;
};

type Polling = {
  config: Config;
  reader: HealthReader;
  /** Epoch milliseconds; null where there is no process to wait for: then one look is enough. */
  waitFrom: number | null;
  triesMax: number;
  signal: AbortSignal;
};
/**
 * Polls until the bot is ready. Before the start-up deadline every look is free; after it,
 * `triesMax` tries with doubling pauses count.
 */
export async function readHealth(polling: Polling): Promise<HealthEvidence> {
  const { config, reader, waitFrom, triesMax, signal } = polling;
  const { startupSecondsMax, healthTimeoutMs, healthBackoffMs } = config.limits;
  const waitMs = waitFrom === null ? 0 : waitFrom + startupSecondsMax * 1000 - Date.now();
  const deadline = waitFrom === null ? 0 : performance.now() + waitMs;
  const answers: HealthAnswer[] = [];
  let tries = 0;
  for (;;) {
    const answer = await reader.read(healthTimeoutMs);
    answers.push(answer);
    if (answers.length > ANSWERS_KEPT) answers.splice(1, 1);
    const fields = answer.document ? parseFields(answer.document, config.health, answer.at) : null;
    const ready = fields !== null && isReady(fields, config);
    const isStarting = performance.now() < deadline;
    if (!isStarting) tries++;
    if (ready || tries >= triesMax || waitFrom === null || signal.aborted) {
      const isLater = ready && answers.length > 1 && waitFrom !== null;
      return { answers, tries, fields, ready, readyMs: isLater ? Date.now() - waitFrom : null };
    }
    const pauseMs = isStarting ? READINESS_EVERY_MS : healthBackoffMs * 2 ** (tries - 1);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}
