/**
 * The open files of one log: where reading begins in each, and reading each to its present end,
 * within bounds. Which files belong to a log is decided elsewhere.
 */

import * as fs from "node:fs";
import { pipeline } from "node:stream";
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
export const readBytes = promisify(fs.read);

/**
 * The first timestamp at the beginning of a line of a chunk; a chunk cut from a file begins within
 * a line.
 */
function firstStamp(
  text: string,
  rules: LogRules,
  cut: boolean,
): { time: number; index: number } | null {
  for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
    const plain = stripVTControlCharacters(line.replaceAll("\0", "").slice(0, LINE_BYTES_MAX));
    const time = cut && index === 0 ? null : parseLogPrefix(plain, rules)?.time;
    if (typeof time === "number") return { time, index };
  }
  return null;
}

/**
 * Where to begin reading: back from the end until a line is older than the window, so that nothing
 * is missed. `bounded`: the search was given up.
 */
export async function findWindow(
  descriptor: number,
  size: number,
  rules: LogRules,
  bytesMax: number,
) {
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
/**
 * One open file of a log, read forward. `carry` is the line that has no end yet, `lineAt` where it
 * begins; `seam` are the last bytes that were read.
 */
export type Tail = {
  file: string;
  descriptor: number;
  inode: number;
  offset: number;
  lineAt: number;
  carry: Buffer;
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
export const openLog = (file: string): number =>
  fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);

/** Adds the whole lines of `bytes` and returns the rest, bounded. */
function addLines({ source, position, rules }: LogFile, bytes: Buffer): Buffer {
  // A file that was truncated under a writer without O_APPEND begins with as many NUL bytes as were
  // cut off.
  const text = bytes.includes(0) ? Buffer.from(bytes.filter((byte) => byte !== 0)) : bytes;
  const end = text.lastIndexOf(10) + 1;
  for (const line of text.toString("utf8", 0, end).split("\n").slice(0, -1))
    addLogLine(source.tally, position, rules, line.slice(0, LINE_BYTES_MAX));
  return text.subarray(end, end + LINE_BYTES_MAX);
}

export const UNREAD = { offset: 0, lineAt: 0, carry: Buffer.alloc(0), seam: Buffer.alloc(0) };
export function openTail({ tails }: LogFile, file: string, offset = 0): Tail {
  const descriptor = openLog(file);
  const { ino: inode } = fs.fstatSync(descriptor);
  tails.push({
    ...UNREAD,
    file,
    descriptor,
    inode,
    offset,
    lineAt: offset,
    isPacked: PACKED.test(file),
  });
  return tails.at(-1) as Tail;
}

/** Opens a file at the beginning of the window; says whether it covers the window. */
export async function openWindow(log: LogFile, file: string): Promise<boolean> {
  const { logMegabytesMax } = log.config.limits;
  const tail = openTail(log, file);
  const { size } = fs.fstatSync(tail.descriptor);
  if (tail.isPacked) return false;
  const { offset, covered, bounded } = await findWindow(
    tail.descriptor,
    size,
    log.rules,
    logMegabytesMax * 2 ** 20,
  );
  tail.offset = tail.lineAt = offset;
  if (bounded)
    log.source.unseen = `no line of its last ${logMegabytesMax} MB has a timestamp before the window (limits.logMegabytesMax)`;
  return covered;
}

async function* readBytesFrom(descriptor: number, from: number): AsyncGenerator<Buffer> {
  for (let at = from, bytes = -1; bytes !== 0; at += bytes) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    bytes = (await readBytes(descriptor, buffer, 0, CHUNK_BYTES, at)).bytesRead;
    if (bytes) yield buffer.subarray(0, bytes);
  }
}

/**
 * The bytes between two offsets of a log that is open; of a compressed one, those of the log that
 * is in it.
 */
export async function* readChunks(
  { descriptor, isPacked }: Pick<Tail, "descriptor" | "isPacked">,
  from: number,
  to = Infinity,
): AsyncGenerator<Buffer> {
  const { createGunzip } = await import("node:zlib");
  const unpacked = () =>
    pipeline(readBytesFrom(descriptor, 0), createGunzip({ chunkSize: CHUNK_BYTES }), () => {});
  let at = isPacked ? 0 : from;
  for await (const chunk of (isPacked
    ? unpacked()
    : readBytesFrom(descriptor, from)) as AsyncIterable<Buffer>) {
    const wanted = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    if (wanted.length) yield wanted;
    at += chunk.length;
    if (at >= to) return;
  }
}

/**
 * Reads a tail to its present end. The bounds are those of the window; a bound that is met makes
 * the count unknown, not small.
 */
export async function readTail(log: LogFile, tail: Tail): Promise<void> {
  const { logMegabytesMax, logSecondsMax } = log.config.limits;
  // Most polls find nothing new, and need no stream for it.
  if (!tail.isPacked && fs.fstatSync(tail.descriptor).size <= tail.offset) return;
  const [begin, begun] = [tail.offset, performance.now()];
  for await (const bytes of readChunks(tail, tail.offset)) {
    if (log.signal.aborted) return;
    tail.carry = addLines(log, Buffer.concat([tail.carry, bytes]));
    tail.seam = Buffer.from(bytes.subarray(-SEAM_BYTES));
    const end = bytes.lastIndexOf(10) + 1;
    if (end) tail.lineAt = tail.offset + end;
    tail.offset += bytes.length;
    const isLarge = tail.offset - begin > logMegabytesMax * 2 ** 20;
    if (isLarge)
      log.source.unseen = `more than ${logMegabytesMax} MB in the window (limits.logMegabytesMax)`;
    const isSlow = performance.now() - begun > logSecondsMax * 1000;
    if (isSlow)
      log.source.unseen = `more than ${logSecondsMax} s to read it (limits.logSecondsMax)`;
    if (isLarge || isSlow) return;
  }
}

/**
 * Reads all that is open, oldest first, so that a traceback and the time of an unstamped line run
 * on from one file into the next.
 */
export async function readTails(log: LogFile, reach: string): Promise<void> {
  for (const [index, tail] of log.tails.entries()) {
    const last = log.tails[index - 1];
    // Who writes to the next file does not go on with the last line of this one.
    if (last?.carry.length && fs.fstatSync(tail.descriptor).size > 0)
      last.carry = addLines(log, Buffer.concat([last.carry, Buffer.from("\n")]));
    const reading =
      tail.isPacked && !tail.file.endsWith(".gz")
        ? Promise.reject(new Error("this program knows gzip only"))
        : readTail(log, tail);
    const trouble = await reading.then(() => null, tail.isPacked ? messageOf : undefined);
    if (trouble) log.source.unseen = `${reach} ${tail.file}, which cannot be read: ${trouble}`;
  }
}
