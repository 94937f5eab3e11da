/**
 * The open files of one log: where reading begins in each, and reading each to its present end,
 * within bounds. Which files belong to a log is decided elsewhere.
 */

import * as fs from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { promisify, stripVTControlCharacters } from "node:util";
import { messageOf } from "../attempt.ts";
import type { Config } from "../config.ts";
import { PACKED } from "../rotation.ts";
import {
  addLogLine,
  LINE_BYTES_MAX,
  type LogPosition,
  type LogRules,
  type LogSource,
  parseLogPrefix,
} from "./log-lines.ts";

const CHUNK_BYTES = 256 << 10;
const SEAM_BYTES = 64;
// Lines of several threads may be a little out of order; the search for the window goes this much
// further back.
const DISORDER_MS = 5000;

/** Reads bytes of a descriptor at a position, without blocking the other probes. */
export const readBytes = promisify(fs.read);

/** An open file that may be compressed; only gzip can be read then. */
export type OpenFile = {
  descriptor: number;
  isPacked: boolean;
};

/** One open file of a log, read forward. */
export type Tail = {
  file: string;
  descriptor: number;
  inode: number;
  /** Bytes read, from the beginning of the file; of a compressed one, of what is in it. */
  offset: number;
  /** Where the line begins that has no end yet. */
  lineAt: number;
  /** That line, as far as it was read and is kept. */
  carry: Buffer;
  /** The last bytes that were read, by which a file that was cut and has grown is known. */
  seam: Buffer;
  isPacked: boolean;
};

/**
 * A log that is kept in a file and in its rotated neighbours. The tails are open, oldest first, and
 * one position runs through them.
 */
export type LogFile = {
  config: Config;
  rules: LogRules;
  source: LogSource;
  position: LogPosition;
  tails: Tail[];
  signal: AbortSignal;
};

/** Opens a log for reading; a FIFO that came in its place is not waited for. Throws. */
export function openLog(file: string): number {
  return fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
}

/** Opens a file as the newest tail of a log, to be read from `offset` on. Throws. */
export function openTail({ tails }: LogFile, file: string, offset = 0): Tail {
  const descriptor = openLog(file);
  const tail = {
    file,
    descriptor,
    inode: fs.fstatSync(descriptor).ino,
    offset,
    lineAt: offset,
    carry: Buffer.alloc(0),
    seam: Buffer.alloc(0),
    isPacked: PACKED.test(file),
  };
  tails.push(tail);
  return tail;
}

/** Lets a tail begin again, as if nothing of its file had been read. */
export function rewindTail(tail: Tail): void {
  tail.offset = 0;
  tail.lineAt = 0;
  tail.carry = Buffer.alloc(0);
  tail.seam = Buffer.alloc(0);
}

/** Closes all files of a log; what was counted stays. */
export function closeTails({ tails }: LogFile): void {
  for (const { descriptor } of tails.splice(0)) fs.closeSync(descriptor);
}

/**
 * The first timestamp at the beginning of a line of a chunk; a chunk cut from a file begins within
 * a line.
 */
function firstStamp(
  text: string,
  rules: LogRules,
  isCut: boolean,
): { time: number; index: number } | null {
  for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
    if (isCut && index === 0) continue;
    const plain = stripVTControlCharacters(line.replaceAll("\0", "").slice(0, LINE_BYTES_MAX));
    const time = parseLogPrefix(plain, rules)?.time;
    if (typeof time === "number") return { time, index };
  }
  return null;
}

/**
 * Where to begin reading: back from the end until a line is older than the window, so that nothing
 * is missed. `covered`: no older file is needed. `bounded`: the search was given up after
 * `bytesMax`.
 */
export async function findWindow(
  descriptor: number,
  rules: LogRules,
  bytesMax: number,
): Promise<{ offset: number; covered: boolean; bounded: boolean }> {
  const { size } = fs.fstatSync(descriptor);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const begin = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await readBytes(descriptor, buffer, 0, CHUNK_BYTES, begin);
    const stamp = firstStamp(buffer.toString("latin1", 0, bytesRead), rules, begin > 0);
    if (stamp && stamp.time < (rules.reach ?? rules.since) - DISORDER_MS)
      return { offset: begin + stamp.index, covered: true, bounded: false };
    if (size - begin > bytesMax) return { offset: begin, covered: true, bounded: true };
  }
  return { offset: 0, covered: false, bounded: false };
}

/** Opens a file at the beginning of the window; says whether it covers the window. */
export async function openWindow(log: LogFile, file: string): Promise<boolean> {
  const { logMegabytesMax } = log.config.limits;
  const tail = openTail(log, file);
  if (tail.isPacked) return false;
  const begin = await findWindow(tail.descriptor, log.rules, logMegabytesMax * 2 ** 20);
  tail.offset = begin.offset;
  tail.lineAt = begin.offset;
  if (begin.bounded)
    log.source.unseen =
      `no line of its last ${logMegabytesMax} MB has a timestamp before the window ` +
      "(limits.logMegabytesMax)";
  return begin.covered;
}

async function* readBytesFrom(descriptor: number, from: number): AsyncGenerator<Buffer> {
  let at = from;
  while (true) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await readBytes(descriptor, buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** What a file that was compressed with gzip holds, from its beginning. */
async function unpack(descriptor: number): Promise<Readable> {
  const { createGunzip } = await import("node:zlib");
  // An error reaches the reader through the stream itself.
  return pipeline(readBytesFrom(descriptor, 0), createGunzip({ chunkSize: CHUNK_BYTES }), () => {});
}

/**
 * The bytes between two offsets of a log that is open; of a compressed one, those of the log that
 * is in it.
 */
export async function* readChunks(
  { descriptor, isPacked }: OpenFile,
  from: number,
  to = Infinity,
): AsyncGenerator<Buffer> {
  const chunks: AsyncIterable<Buffer> = isPacked
    ? await unpack(descriptor)
    : readBytesFrom(descriptor, from);
  let at = isPacked ? 0 : from;
  for await (const chunk of chunks) {
    const wanted = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    if (wanted.length) yield wanted;
    at += chunk.length;
    if (at >= to) return;
  }
}

/** Adds the whole lines of `bytes` and returns the rest, bounded. */
function addLines({ source, position, rules }: LogFile, bytes: Buffer): Buffer {
  const counter = { tally: source.tally, position, rules };
  // A file that was truncated under a writer without O_APPEND begins with as many NUL bytes as were
  // cut off.
  const text = bytes.includes(0) ? Buffer.from(bytes.filter((byte) => byte !== 0)) : bytes;
  const end = text.lastIndexOf(10) + 1;
  for (const line of text.toString("utf8", 0, end).split("\n").slice(0, -1))
    addLogLine(counter, line.slice(0, LINE_BYTES_MAX));
  return text.subarray(end, end + LINE_BYTES_MAX);
}

/** Counts the lines of the next bytes of a tail, and keeps where it is read to now. */
function addBytes(log: LogFile, tail: Tail, bytes: Buffer): void {
  tail.carry = addLines(log, Buffer.concat([tail.carry, bytes]));
  tail.seam = Buffer.from(bytes.subarray(-SEAM_BYTES));
  const end = bytes.lastIndexOf(10) + 1;
  if (end) tail.lineAt = tail.offset + end;
  tail.offset += bytes.length;
}

/**
 * Reads a tail to its present end. The bounds are those of the window; a bound that is met makes
 * the count unknown, not small. Throws where the file cannot be read.
 */
export async function readTail(log: LogFile, tail: Tail): Promise<void> {
  const { logMegabytesMax, logSecondsMax } = log.config.limits;
  // Most polls find nothing new, and need no stream for it.
  if (!tail.isPacked && fs.fstatSync(tail.descriptor).size <= tail.offset) return;
  const begin = tail.offset;
  const begunAt = performance.now();
  for await (const bytes of readChunks(tail, begin)) {
    if (log.signal.aborted) return;
    addBytes(log, tail, bytes);
    const isLarge = tail.offset - begin > logMegabytesMax * 2 ** 20;
    if (isLarge)
      log.source.unseen = `more than ${logMegabytesMax} MB in the window (limits.logMegabytesMax)`;
    const isSlow = performance.now() - begunAt > logSecondsMax * 1000;
    if (isSlow)
      log.source.unseen = `more than ${logSecondsMax} s to read it (limits.logSecondsMax)`;
    if (isLarge || isSlow) return;
  }
}

/** Reads a compressed tail to its end, and returns why that cannot be done, or null. */
async function readPackedTail(log: LogFile, tail: Tail): Promise<string | null> {
  if (!tail.file.endsWith(".gz")) return "this program knows gzip only";
  try {
    await readTail(log, tail);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Reads all that is open, oldest first, so that a traceback and the time of an unstamped line run
 * on from one file into the next. `reach` says what a compressed file has to do with the log, for
 * the sentence about one that cannot be read; a plain one that cannot be read throws.
 */
export async function readTails(log: LogFile, reach: string): Promise<void> {
  for (const [index, tail] of log.tails.entries()) {
    const older = log.tails[index - 1];
    // Who writes to the next file does not go on with the last line of this one.
    if (older?.carry.length && fs.fstatSync(tail.descriptor).size > 0)
      older.carry = addLines(log, Buffer.concat([older.carry, Buffer.from("\n")]));
    if (!tail.isPacked) {
      await readTail(log, tail);
      continue;
    }
    const trouble = await readPackedTail(log, tail);
    if (trouble) log.source.unseen = `${reach} ${tail.file}, which cannot be read: ${trouble}`;
  }
}
