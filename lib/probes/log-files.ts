/**
 * Reads the part of a log file that belongs to a window, through rotation and truncation, and
 * follows it. Lines are understood elsewhere.
 */

import { hash } from "node:crypto";
import * as fs from "node:fs";
import { pipeline } from "node:stream";
import { promisify, stripVTControlCharacters } from "node:util";
import { codeOf, messageOf, orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { PACKED, rotatedSiblings } from "../rotation.ts";
import { spanOf } from "../text.ts";
import type { Identity } from "../vocabulary.ts";
import {
  addLogLine,
  countError,
  emptyPosition,
  emptyTally,
  LINE_BYTES_MAX,
  type LogFollower,
  type LogPosition,
  type LogRules,
  type LogSource,
  parseLogPrefix,
} from "./log-lines.ts";
import { readOpenFiles, readTree } from "./process.ts";

const CHUNK_BYTES = 256 << 10;
const SEAM_BYTES = 64;
// Lines of several threads may be a little out of order; the search for the window goes this much
// further back.
const DISORDER_MS = 5000;
const HALF_HOUR_MS = 1_800_000;
const readBytes = promisify(fs.read);

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
type Tail = {
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
type LogFile = {
  config: Config;
  rules: LogRules;
  source: LogSource;
  position: LogPosition;
  tails: Tail[];
  signal: AbortSignal;
};
type BotStart = Pick<Identity, "pid" | "startedAt">;
const openLog = (file: string): number =>
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

const UNREAD = { offset: 0, lineAt: 0, carry: Buffer.alloc(0), seam: Buffer.alloc(0) };
function openTail({ tails }: LogFile, file: string, offset = 0): Tail {
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
async function openWindow(log: LogFile, file: string): Promise<boolean> {
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
async function* readChunks(
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
async function readTail(log: LogFile, tail: Tail): Promise<void> {
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
async function readTails(log: LogFile, reach: string): Promise<void> {
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

/**
 * Why a file's lines cannot be placed in time, or null: one is from the future, or the last is
 * whole half hours older than its own write.
 */
export function clockTrouble(
  lastTime: number | null,
  modifiedAt: number,
  endsStamped: boolean,
  now: number,
): string | null {
  if (lastTime === null) return null;
  if (lastTime > now + 120_000)
    return `its newest line is ${spanOf((lastTime - now) / 1000)} in the future`;
  const lateMs = modifiedAt - lastTime;
  const halfHours = Math.round(lateMs / HALF_HOUR_MS);
  const otherZone =
    endsStamped &&
    halfHours >= 1 &&
    halfHours <= 28 &&
    Math.abs(lateMs - halfHours * HALF_HOUR_MS) < 5000;
  return otherZone
    ? `its newest line says ${spanOf(lateMs / 1000)} earlier than it was written, as another time zone does`
    : null;
}

/**
 * Whether the bot writes to this file, as far as can be seen: it has it open, or it has written to
 * it since it started.
 */
function writerTrouble(
  { config, source: { source: file } }: LogFile,
  startedAt: number,
  modifiedAt: number,
  opened: string[] | null,
): string | null {
  const target = fs.realpathSync(file);
  if (opened?.includes(target)) return null;
  if (opened?.includes(`${target} (deleted)`))
    return "the bot still writes to a deleted file of this name, so what it logs now cannot be seen";
  if (modifiedAt >= startedAt - 1000 || config.errorLogs?.silent) return null;
  return `nothing was written to it since the bot started${opened ? ", and the bot does not have it open" : ""}; is this where the bot logs?`;
}

/**
 * Reads the window up to the present end: of the file, and of its rotated neighbours as far as the
 * window reaches back or the bot has them open.
 */
async function readWindow(log: LogFile, bot: BotStart | null): Promise<void> {
  const { rules, source, position, tails } = log;
  const { source: file, tally } = source;
  if (!fs.statSync(file).isFile()) throw new Error("it is not a regular file");
  const lists = bot ? readTree(bot.pid).map(readOpenFiles) : [];
  const held = lists.every((list) => list === null) ? null : lists.flatMap((list) => list ?? []);
  let covered = await openWindow(log, file);
  for (const sibling of rotatedSiblings(file)) {
    if (
      (covered || sibling.modifiedAt < (rules.reach ?? rules.since)) &&
      !held?.includes(sibling.file)
    )
      continue;
    covered = await openWindow(log, sibling.file);
  }
  tails.reverse();
  await readTails(log, "the window reaches into");
  const current = tails.at(-1) as Tail;
  const modifiedAt = fs.fstatSync(current.descriptor).mtimeMs;
  // Lines at the end that have no timestamp are as new as the last write, and what comes from here
  // on is new, whether it is stamped or not.
  if (position.held && modifiedAt >= rules.since) {
    tally.errors += position.held;
    tally.examples.push("an error without a timestamp at the end of the file");
  }
  const endsStamped =
    position.time === tally.lastTime && position.traceback === "none" && current.carry.length === 0;
  Object.assign(position, { held: 0, time: Math.max(position.time ?? 0, rules.since) });
  const trouble = clockTrouble(tally.lastTime, modifiedAt, endsStamped, Date.now());
  if (trouble)
    Object.assign(source, {
      unseen: trouble,
      hint: "Set errorLogs.timeZone to the zone of the bot's timestamps (local or utc).",
    });
  if (bot) source.unseen ??= writerTrouble(log, bot.startedAt, modifiedAt, held);
}

/**
 * logrotate's copytruncate: what was written just before the cut is only in the copy, behind what
 * was read of the file.
 */
async function recoverTruncated(log: LogFile, tail: Tail): Promise<void> {
  const { descriptor: cut, offset, seam } = tail;
  const found = Buffer.alloc(seam.length);
  const { bytesRead } = await readBytes(cut, found, 0, seam.length, offset - seam.length);
  // A file that was cut may have grown beyond where it was read to: then its bytes there are
  // others.
  if (fs.fstatSync(cut).size >= offset && bytesRead === seam.length && found.equals(seam)) return;
  const siblings = rotatedSiblings(log.source.source);
  const copy = siblings.find((sibling) => !PACKED.test(sibling.file));
  if (siblings[0] && siblings[0] !== copy)
    log.source.unseen = `it was truncated, and its last lines are only in ${siblings[0].file}`;
  if (copy) {
    const descriptor = fs.openSync(copy.file, "r");
    await readTail(log, { ...tail, descriptor }).finally(() => fs.closeSync(descriptor));
  }
  Object.assign(tail, UNREAD);
}

/**
 * What was read, and what the last line would add that has no end yet, or the traceback that has
 * none: the next read counts them for good.
 */
function withOpenEnd({ source, position, rules, tails }: LogFile): LogSource {
  const tally = { ...source.tally, examples: [...source.tally.examples] };
  const end = { ...position };
  const carry = tails.at(-1)?.carry.toString() ?? "";
  if (carry) addLogLine(tally, end, rules, carry.slice(0, LINE_BYTES_MAX));
  if (end.traceback === "body") countError(tally, end, rules, "Traceback (cut short)");
  return { ...source, tally };
}

/**
 * Opens a log file at the beginning of the window and reads up to its end; then follows it through
 * rotation and truncation.
 */
export async function followLogFile(
  config: Config,
  file: string,
  rules: LogRules,
  bot: BotStart | null,
  signal: AbortSignal,
): Promise<LogFollower> {
  const source: LogSource = {
    source: file,
    since: rules.since,
    tally: emptyTally(),
    unseen: null,
    hint: null,
  };
  const tails: Tail[] = [];
  const log: LogFile = { config, rules, source, position: emptyPosition(), tails, signal };
  const close = (): unknown => tails.splice(0).map((tail) => fs.closeSync(tail.descriptor));
  let reading = readWindow(log, bot).catch((error) => {
    close();
    source.unseen = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    source.hint =
      codeOf(error) === "EACCES"
        ? `Let this user read it, for example: setfacl -m u:$(id -un):r ${file}`
        : null;
  });
  await reading;
  let lookedAt = Date.now();
  const read = async (): Promise<void> => {
    const [since, wasUndated] = [lookedAt, source.tally.lastTime === null];
    lookedAt = Date.now();
    for (const tail of tails.filter(({ isPacked }) => !isPacked)) {
      await recoverTruncated(log, tail);
      await readTail(log, tail);
    }
    const now = fs.statSync(file, { throwIfNoEntry: false });
    if (!tails.length || !now) return;
    const isNew = (name: string): boolean =>
      !tails.some((tail) => tail.inode === fs.statSync(name).ino);
    // It may have been rotated more than once since the last look.
    const between = isNew(file)
      ? rotatedSiblings(file).filter(
          (sibling) => sibling.modifiedAt > since - 1000 && !PACKED.test(sibling.file),
        )
      : [];
    for (const name of [...between.map((sibling) => sibling.file).reverse(), file].filter(isNew)) {
      await openWindow(log, name);
      await readTail(log, tails.at(-1) as Tail);
    }
    // The first line of a log that was empty shows only now what zone its clock is in.
    if (wasUndated)
      source.unseen ??= clockTrouble(source.tally.lastTime, now.mtimeMs, true, Date.now());
  };
  const lose = (error: unknown): void =>
    void Object.assign(source, { unseen: `it could not be followed: ${messageOf(error)}` });
  return {
    everyMs: 1000,
    // One after the other: two reads at once would count lines twice.
    poll: () => (reading = reading.then(read).catch(lose)),
    close,
    get source() {
      return withOpenEnd(log);
    },
  };
}

/**
 * Where a log was read to, and how that is found again under another name: by the bytes before it.
 * `position` may be within a traceback.
 */
export type LogPlace = { inode: number; offset: number; seal: string; position: LogPosition };
const SEALED_BYTES = 4096; // The first bytes would not do: logs begin with the same banner.
async function readSeal(
  tail: Pick<Tail, "descriptor" | "isPacked">,
  offset: number,
): Promise<string | null> {
  const [chunks, begin] = [[] as Buffer[], Math.max(0, offset - SEALED_BYTES)];
  for await (const chunk of readChunks(tail, begin, offset)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return bytes.length === offset - begin ? hash("sha256", bytes).slice(0, 16) : null;
}

/**
 * The file that a place is in now. A file that was renamed keeps its inode; one that was copied or
 * compressed is another with the same bytes.
 */
async function findPlace(
  files: readonly string[],
  { inode, offset, seal }: LogPlace,
): Promise<string | undefined> {
  const rankOf = (file: string): number =>
    PACKED.test(file) ? 2 : orNull(() => fs.statSync(file).ino) === inode ? 0 : 1;
  for (const file of files.toSorted((a, b) => rankOf(a) - rankOf(b))) {
    const descriptor = orNull(() => openLog(file));
    if (descriptor === null) continue;
    const found = await readSeal({ descriptor, isPacked: PACKED.test(file) }, offset).catch(
      () => null,
    );
    fs.closeSync(descriptor);
    if (found === seal) return file;
  }
}

/**
 * Reads from a place to the present end, through rotation, truncation and compression. What cannot
 * be found again is said.
 */
async function readOnwards(log: LogFile, place: LogPlace): Promise<void> {
  const { source } = log;
  if (!fs.statSync(source.source).isFile()) throw new Error("it is not a regular file");
  const files = [source.source, ...rotatedSiblings(source.source).map(({ file }) => file)];
  const from = await findPlace(files, place);
  if (!from) source.unseen = "what was written to it since the last look has been rotated away";
  Object.assign(log.position, place.position);
  for (const file of files.slice(0, from ? files.indexOf(from) + 1 : 1).reverse())
    openTail(log, file, file === from ? place.offset : 0);
  await readTails(log, "a part of it is in");
}

/**
 * Reads a log file since a place, or since `rules.since`, and returns the place for the next time:
 * no line counts twice, none is lost.
 */
export async function readLogSince(
  config: Config,
  file: string,
  rules: LogRules,
  place: LogPlace | null,
  signal: AbortSignal,
) {
  const source: LogSource = {
    source: file,
    since: rules.since,
    tally: emptyTally(),
    unseen: null,
    hint: null,
  };
  const log: LogFile = { config, rules, source, position: emptyPosition(), tails: [], signal };
  try {
    if (place) await readOnwards(log, place);
    else await readWindow(log, null);
    // While the new file is empty, the bot may still write to the old one.
    const tail = log.tails.findLast(({ lineAt }) => lineAt > 0);
    const seal = tail && (await readSeal(tail, tail.lineAt));
    if (!tail || !seal) return { source, place: null };
    const position = {
      ...log.position,
      stackHead: log.position.stackHead && "an error with a stack",
      held: 0,
    }; // No words of the log.
    return { source, place: { inode: tail.inode, offset: tail.lineAt, seal, position } };
  } catch (error) {
    // What was counted before that counts when it is read again.
    return { source: { ...source, tally: emptyTally(), unseen: messageOf(error) }, place };
  } finally {
    for (const { descriptor } of log.tails) fs.closeSync(descriptor);
  }
}
