/**
 * The verifier's own log: JSON lines, appended one whole record at a time, read again in bounded
 * memory across its rotation.
 */

import * as fs from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import { StringDecoder } from "node:string_decoder";
import { gunzipSync } from "node:zlib";
import { orNull } from "./attempt.ts";
import { closedTo, readEnd, readPart, userOf } from "./files.ts";
import { parseJsonObject, valueAt } from "./http.ts";
import { rotatedSiblings } from "./rotation.ts";
import { isoOf } from "./text.ts";
import { VERSION } from "./vocabulary.ts";

/** The samples of the last release that passed, out of the log. */
export type HistoryEvidence = {
  version: string;
  ts: string;
  responseMs: number[];
  memoryMb: number[];
};
/** A record as it stands in the log, whoever wrote it. */
export type Entry = Record<string, unknown>;
type LogRecords = { records: Entry[]; torn: number };

/**
 * An object with what older versions called `before` under its name of today, which wins where both
 * are there. Anything else stays as it is.
 */
export function renameKey<T>(value: T, before: string, today: string): T {
  if (typeof value !== "object" || value === null || !(before in value)) return value;
  const { [before]: held, ...others } = value as Entry;
  return { [today]: held, ...others } as T;
}

/**
 * A record under today's two names of a release. In older records a release's directory is called
 * `release`, as is, within `identity`, its version.
 */
function renameRelease(record: Entry): Entry {
  const renamed = renameKey(record, "release", "releaseId");
  const { identity, burnin } = renamed;
  if (identity) renamed.identity = renameKey(identity, "release", "version");
  if (burnin) renamed.burnin = renameKey(burnin, "release", "releaseId");
  return renamed;
}

/** The record in a line of the log, whichever version wrote it; null where there is none. */
function parseRecord(line: string): Entry | null {
  const record = parseJsonObject(line);
  return typeof record?.v === "number" ? renameRelease(record) : null;
}

/**
 * Splits a log's text into records. A line that is not a JSON object with `v` is counted and left
 * out; an empty one is a fence.
 */
export function parseRecords(text: string): LogRecords {
  const lines = text.split("\n").filter(Boolean);
  const records = lines.map(parseRecord).filter((record) => record !== null);
  return { records, torn: lines.length - records.length };
}

export const HISTORY_BYTES_MAX = 2 << 20;
/**
 * The newest records of a log, bounded; logrotate leaves those before in a neighbour that it
 * compresses only at the next turn.
 */
export function readRecords(file: string): LogRecords {
  const text = readEnd(file, HISTORY_BYTES_MAX);
  const before = readEnd(`${file}.1`, HISTORY_BYTES_MAX - text.length);
  return parseRecords(before && !before.endsWith("\n") ? `${before}\n${text}` : before + text);
}

/** What logrotate can be told to write, and Node 20 cannot unpack. */
const UNREADABLE = /\.(xz|bz2|zst)$/;
const SCAN_BYTES = 1 << 16;
/** Nobody writes a record of this length; what comes after it is not held in memory. */
const LINE_CHARACTERS_MAX = HISTORY_BYTES_MAX;
/** A day's log, unpacked, has some hundred kilobytes. */
const UNPACKED_BYTES_MAX = 256 << 20;

/** The bytes of a file, some at a time; the buffer is only good until the next ones are read. */
function* readChunks(file: string): Generator<Buffer> {
  // A FIFO that nobody writes to would hold an ordinary open() for ever.
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(SCAN_BYTES);
    for (let offset = 0; ; ) {
      const bytes = fs.readSync(descriptor, buffer, 0, SCAN_BYTES, offset);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
      offset += bytes;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The same of a file that logrotate has compressed. */
function* unpackChunks(file: string): Generator<Buffer> {
  const unpacked = gunzipSync(fs.readFileSync(file), { maxOutputLength: UNPACKED_BYTES_MAX });
  for (let offset = 0; offset < unpacked.length; offset += SCAN_BYTES)
    yield unpacked.subarray(offset, offset + SCAN_BYTES);
}

/**
 * The lines of a file; the last one may have no line break. It reads as Node's readline does, at
 * two thirds of its cost: readline waits for a promise at each line, and a long log has a million.
 */
function* readLines(file: string): Generator<string> {
  const decoder = new StringDecoder("utf8");
  let held = "";
  for (const chunk of file.endsWith(".gz") ? unpackChunks(file) : readChunks(file)) {
    const text = decoder.write(chunk);
    const end = text.indexOf("\n");
    // What is cut off here is no JSON any more, so such a line counts as foreign.
    if (held.length < LINE_CHARACTERS_MAX) held += end < 0 ? text : text.slice(0, end);
    if (end < 0) continue;
    yield held;
    const lines = text.slice(end + 1).split("\n");
    held = lines.pop() ?? "";
    yield* lines;
  }
  held += decoder.end();
  if (held) yield held;
}

/** What of a log is no record: how many lines, and the files that could not be read. */
export type Skipped = {
  foreign: number;
  unread: string[];
};

/** The records of one file. Lines that are none are counted; an empty one is a fence. */
function* scanFile(file: string, skipped: Skipped): Generator<Entry> {
  for (const line of readLines(file)) {
    if (line === "") continue;
    const record = parseRecord(line);
    if (record) yield record;
    else skipped.foreign++;
  }
}

/**
 * The records of a log and of its rotated neighbours, oldest first, in bounded memory. `skipped`
 * takes up what else was found, so it is complete when the last record has been handed on.
 */
export function* scanRecords(file: string, skipped: Skipped): Generator<Entry> {
  const older = orNull(() => rotatedSiblings(file).map((sibling) => sibling.file)) ?? [];
  const files = [...older.reverse(), file].filter((name) => fs.existsSync(name));
  for (const name of files) {
    try {
      if (UNREADABLE.test(name)) skipped.unread.push(name);
      else yield* scanFile(name, skipped);
    } catch {
      // What it had until then has been handed on; a reader is told that the rest is missing.
      skipped.unread.push(name);
    }
  }
}

/**
 * The samples of the newest verification that passed under another version, or null where the
 * records have none; a release is compared with the one before it.
 */
export function parseHistory(
  records: readonly Record<string, unknown>[],
  env: string,
  version: string | null,
): HistoryEvidence | null {
  const numbers = (value: unknown): number[] =>
    Array.isArray(value) ? value.filter((item) => typeof item === "number") : [];
  for (const record of records.toReversed()) {
    const before = valueAt(record, "/identity/version");
    const isVerification = record.kind === "verify" && record.env === env;
    const hasPassed = isVerification && ["pass", "warn"].includes(String(record.verdict));
    if (!hasPassed || !record.series || typeof before !== "string" || before === version) continue;
    return {
      version: before,
      ts: String(record.ts),
      responseMs: numbers(valueAt(record, "/series/responseMs")),
      memoryMb: numbers(valueAt(record, "/series/memoryMb")),
    };
  }
  return null;
}

/**
 * Of the verifier's own unit; a job runner that is a service hands its own invocation on to what it
 * starts.
 */
export const UNIT_INVOCATION = process.env.CYTUBE_VERIFY_UNIT
  ? (process.env.INVOCATION_ID ?? null)
  : null;
/** What every record of the log begins with. `ts` is UTC with milliseconds, `run` a UUID. */
export type RecordHead<K extends string> = {
  v: 1;
  kind: K;
  ts: string;
  run: string;
  env: string;
  host: string;
  user: string;
  verifier: string;
  unitInvocation: string | null;
};
export const headOf = <K extends string>(
  kind: K,
  env: string,
  run: string,
  now: number,
): RecordHead<K> => ({
  v: 1,
  kind,
  ts: isoOf(now),
  run,
  env,
  host: hostname(),
  user: userOf(),
  verifier: VERSION,
  unitInvocation: UNIT_INVOCATION,
});

/**
 * JSON in which no control character survives, for it is read on terminals too; JSON.stringify
 * leaves DEL, C1 and bidi controls as they are.
 */
export function renderJson(value: unknown, indent: number): string {
  const escaped = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    escaped,
  );
}

export const renderDocument = (value: unknown): string => `${renderJson(value, 2)}\n`;

/**
 * Lets those append to a new log who may write beside it: the caller's umask (022 by hand, 0007 in
 * the units) must not decide whether the next run, another user's, can. Outside a directory that is
 * shared with a group the umask stands.
 */
function shareNewLog(descriptor: number, directory: string): void {
  const { uid, gid, mode } = fs.statSync(directory);
  const isShared = (mode & fs.constants.S_IWGRP) !== 0;
  const log = fs.fstatSync(descriptor);
  // Another process may have made it a moment ago, and only its owner may change it.
  const user = process.geteuid?.();
  const isRoot = user === 0;
  const isOwn = log.uid === user;
  if (isShared && isOwn && (log.gid === gid || isRoot)) fs.fchmodSync(descriptor, 0o660);
  // What root creates has to stay writable for the service that owns the directory.
  if (isRoot) fs.fchownSync(descriptor, uid, gid);
}

/**
 * Appends one record, or throws: one write, fsync, close. A line that a power cut left torn is
 * fenced off by a line break, never glued to this one.
 */
export function writeRecord(file: string, line: string): void {
  const directory = path.dirname(file);
  if (!fs.existsSync(directory)) fs.mkdirSync(directory, { recursive: true, mode: 0o770 });
  const isNew = !fs.existsSync(file);
  const { O_RDWR, O_APPEND, O_CREAT } = fs.constants;
  const descriptor = fs.openSync(file, O_RDWR | O_APPEND | O_CREAT, 0o660);
  try {
    if (isNew) shareNewLog(descriptor, directory);
    const { size } = fs.fstatSync(descriptor);
    const isTorn = size > 0 && readPart(file, size - 1, 1)[0] !== 10;
    const bytes = Buffer.from(`${isTorn ? "\n" : ""}${line}\n`);
    const written = fs.writeSync(descriptor, bytes);
    if (written !== bytes.length) {
      throw new Error(`only ${written} of ${bytes.length} bytes were written`);
    }
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Tells before the run why the log will not take its record, or null where it will: nobody should
 * wait five minutes to learn that.
 */
export function logTrouble(file: string): string | null {
  // Where there is no log yet, the nearest directory that exists decides.
  let existing = file;
  while (!fs.existsSync(existing) && existing !== path.dirname(existing)) {
    existing = path.dirname(existing);
  }
  const blocked = closedTo(existing, fs.constants.W_OK);
  if (blocked || existing !== file) return blocked;
  const stat = fs.statSync(file);
  if (stat.isFile() || stat.isCharacterDevice()) return null;
  return `it is a ${stat.isDirectory() ? "directory" : "FIFO or socket"}`;
}
