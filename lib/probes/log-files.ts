/**
 * Reads the part of a log file that belongs to a window, through rotation and truncation, and
 * follows it. Lines are understood elsewhere.
 */

import * as fs from "node:fs";
import { codeOf, messageOf } from "../attempt.ts";
import type { Config } from "../config.ts";
import { PACKED, rotatedSiblings } from "../rotation.ts";
import { spanOf } from "../text.ts";
import {
  addLogLine,
  countCutTraceback,
  emptyPosition,
  emptySource,
  LINE_BYTES_MAX,
  type LogFollower,
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import {
  closeTails,
  type LogFile,
  openWindow,
  readBytes,
  readTail,
  readTails,
  rewindTail,
  type Tail,
} from "./log-tails.ts";
import { readOpenFiles, readTree } from "./process.ts";

const HALF_HOUR_MS = 1_800_000;
// A clock may run a little ahead of this one; a line later than that is from the future.
const FUTURE_MS_MAX = 120_000;
// How far a line's stamp and the write of its file may lie apart, beyond whole half hours.
const ZONE_SLACK_MS = 5000;
// No two time zones are further apart than 14 hours from UTC.
const ZONE_HALF_HOURS_MAX = 28;

/** The process that should write the log; `startedAt` is epoch milliseconds. */
type BotStart = { pid: number; startedAt: number };

/**
 * Why a file's lines cannot be placed in time, or null: one is from the future, or the last is
 * whole half hours older than its own write. All times are epoch milliseconds; `endsStamped` says
 * that the last line has a time of its own.
 */
export function clockTrouble(file: {
  lastTime: number | null;
  modifiedAt: number;
  endsStamped: boolean;
  now: number;
}): string | null {
  const { lastTime, modifiedAt, now } = file;
  if (lastTime === null) return null;
  if (lastTime > now + FUTURE_MS_MAX)
    return `its newest line is ${spanOf((lastTime - now) / 1000)} in the future`;
  const lateMs = modifiedAt - lastTime;
  const halfHours = Math.round(lateMs / HALF_HOUR_MS);
  const isOtherZone =
    file.endsStamped &&
    halfHours >= 1 &&
    halfHours <= ZONE_HALF_HOURS_MAX &&
    Math.abs(lateMs - halfHours * HALF_HOUR_MS) < ZONE_SLACK_MS;
  if (!isOtherZone) return null;
  const late = spanOf(lateMs / 1000);
  return `its newest line says ${late} earlier than it was written, as another time zone does`;
}

/** What the bot and its children have open, or null where none of it can be seen. */
function readFilesOfTree(pid: number): string[] | null {
  const seen = readTree(pid)
    .map(readOpenFiles)
    .filter((files) => files !== null);
  return seen.length ? seen.flat() : null;
}

/**
 * Why the bot may not be who writes to this file, or null: it has it open, or it has written to it
 * since it started. `opened` is what its processes have open.
 */
function writerTrouble(
  { config, source }: LogFile,
  { startedAt, modifiedAt }: { startedAt: number; modifiedAt: number },
  opened: readonly string[] | null,
): string | null {
  const target = fs.realpathSync(source.source);
  if (opened?.includes(target)) return null;
  if (opened?.includes(`${target} (deleted)`))
    return (
      "the bot still writes to a deleted file of this name, " + "so what it logs now cannot be seen"
    );
  if (modifiedAt >= startedAt - 1000 || config.errorLogs?.silent) return null;
  const isNotOpen = opened ? ", and the bot does not have it open" : "";
  return `nothing was written to it since the bot started${isNotOpen}; is this where the bot logs?`;
}

/**
 * Opens the file and its rotated neighbours, oldest first, as far as the window reaches back or the
 * bot has them open.
 */
async function openWindows(log: LogFile, opened: readonly string[] | null): Promise<void> {
  const { rules, source, tails } = log;
  let isCovered = await openWindow(log, source.source);
  for (const { file, modifiedAt } of rotatedSiblings(source.source)) {
    const isInWindow = !isCovered && modifiedAt >= (rules.reach ?? rules.since);
    if (isInWindow || opened?.includes(file)) isCovered = await openWindow(log, file);
  }
  tails.reverse();
}

/**
 * Settles what the end of the file leaves open: lines there without a timestamp are as new as its
 * last write, and what comes from here on is new, whether it is stamped or not.
 */
function countHeldErrors({ rules, source, position }: LogFile, modifiedAt: number): void {
  if (position.held && modifiedAt >= rules.since) {
    source.tally.errors += position.held;
    source.tally.examples.push("an error without a timestamp at the end of the file");
  }
  position.held = 0;
  position.time = Math.max(position.time ?? 0, rules.since);
}

/**
 * Reads the window up to the present end: of the file, and of its rotated neighbours. Where `bot`
 * is given, also whether it is who writes there. Throws where the file cannot be read.
 */
export async function readWindow(log: LogFile, bot: BotStart | null): Promise<void> {
  const { source, position, tails } = log;
  const { tally } = source;
  if (!fs.statSync(source.source).isFile()) throw new Error("it is not a regular file");
  const opened = bot ? readFilesOfTree(bot.pid) : null;
  await openWindows(log, opened);
  await readTails(log, "the window reaches into");
  const current = tails.at(-1) as Tail;
  const modifiedAt = fs.fstatSync(current.descriptor).mtimeMs;
  const endsStamped =
    position.time === tally.lastTime && position.traceback === "none" && current.carry.length === 0;
  countHeldErrors(log, modifiedAt);
  const { lastTime } = tally;
  const trouble = clockTrouble({ lastTime, modifiedAt, endsStamped, now: Date.now() });
  if (trouble) {
    source.unseen = trouble;
    source.hint = "Set errorLogs.timeZone to the zone of the bot's timestamps (local or utc).";
  }
  if (bot) source.unseen ??= writerTrouble(log, { startedAt: bot.startedAt, modifiedAt }, opened);
}

/** Reads the window of a log that is to be followed; the source says why, where it cannot. */
async function readFirstWindow(log: LogFile, bot: BotStart | null): Promise<void> {
  const { source } = log;
  try {
    await readWindow(log, bot);
  } catch (error) {
    closeTails(log);
    source.unseen = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    source.hint =
      codeOf(error) === "EACCES"
        ? `Let this user read it, for example: setfacl -m u:$(id -un):r ${source.source}`
        : null;
  }
}

/**
 * Whether the file still holds, before where it was read to, what was read there. A file that was
 * cut may have grown beyond that place: then its bytes there are others.
 */
async function isUncut({ descriptor, offset, seam }: Tail): Promise<boolean> {
  const found = Buffer.alloc(seam.length);
  const { bytesRead } = await readBytes(descriptor, found, 0, seam.length, offset - seam.length);
  const { size } = fs.fstatSync(descriptor);
  return size >= offset && bytesRead === seam.length && found.equals(seam);
}

/**
 * logrotate's copytruncate: what was written just before the cut is only in the copy, behind what
 * was read of the file. The file itself is then read from its beginning.
 */
async function recoverTruncated(log: LogFile, tail: Tail): Promise<void> {
  if (await isUncut(tail)) return;
  const siblings = rotatedSiblings(log.source.source);
  const newest = siblings[0];
  const copy = siblings.find((sibling) => !PACKED.test(sibling.file));
  if (newest && newest !== copy)
    log.source.unseen = `it was truncated, and its last lines are only in ${newest.file}`;
  if (copy) {
    const descriptor = fs.openSync(copy.file, "r");
    try {
      await readTail(log, { ...tail, descriptor });
    } finally {
      fs.closeSync(descriptor);
    }
  }
  rewindTail(tail);
}

/**
 * The files that have come since the last look (epoch milliseconds), oldest first: the log may have
 * been rotated more than once since.
 */
function findNewFiles({ source: { source: file }, tails }: LogFile, lookedAt: number): string[] {
  const isNew = (name: string): boolean =>
    !tails.some((tail) => tail.inode === fs.statSync(name).ino);
  if (!isNew(file)) return [];
  const between = rotatedSiblings(file).filter(
    (sibling) => sibling.modifiedAt > lookedAt - 1000 && !PACKED.test(sibling.file),
  );
  return [...between.map((sibling) => sibling.file).reverse(), file].filter(isNew);
}

/** Reads what has come to the log's files, and to new ones of its name, since the last look. */
async function readNews(log: LogFile, lookedAt: number): Promise<void> {
  const { source, tails } = log;
  const { tally } = source;
  const wasUndated = tally.lastTime === null;
  for (const tail of tails.filter(({ isPacked }) => !isPacked)) {
    await recoverTruncated(log, tail);
    await readTail(log, tail);
  }
  const current = fs.statSync(source.source, { throwIfNoEntry: false });
  if (!tails.length || !current) return;
  for (const name of findNewFiles(log, lookedAt)) {
    await openWindow(log, name);
    await readTail(log, tails.at(-1) as Tail);
  }
  if (!wasUndated) return;
  // The first line of a log that was empty shows only now what zone its clock is in.
  source.unseen ??= clockTrouble({
    lastTime: tally.lastTime,
    modifiedAt: current.mtimeMs,
    endsStamped: true,
    now: Date.now(),
  });
}

/**
 * What was read, and what the last line would add that has no end yet, or the traceback that has
 * none: the next read counts them for good.
 */
function withOpenEnd({ source, position, rules, tails }: LogFile): LogSource {
  const tally = { ...source.tally, examples: [...source.tally.examples] };
  const counter = { tally, position: { ...position }, rules };
  const carry = tails.at(-1)?.carry.toString() ?? "";
  if (carry) addLogLine(counter, carry.slice(0, LINE_BYTES_MAX));
  countCutTraceback(counter);
  return { ...source, tally };
}

/** What following a log file takes; without `bot`, nothing is said of who writes there. */
type FollowInput = {
  config: Config;
  file: string;
  rules: LogRules;
  bot: BotStart | null;
  signal: AbortSignal;
};

/**
 * Opens a log file at the beginning of the window and reads up to its end; then follows it through
 * rotation and truncation. It does not throw: what cannot be read is said in the source.
 */
export async function followLogFile(input: FollowInput): Promise<LogFollower> {
  const { config, file, rules, bot, signal } = input;
  const source = emptySource(file, rules);
  const log: LogFile = { config, rules, source, position: emptyPosition(), tails: [], signal };
  await readFirstWindow(log, bot);
  let lookedAt = Date.now();
  const look = async (): Promise<void> => {
    const before = lookedAt;
    lookedAt = Date.now();
    try {
      await readNews(log, before);
    } catch (error) {
      source.unseen = `it could not be followed: ${messageOf(error)}`;
    }
  };
  let reading = Promise.resolve();
  return {
    everyMs: 1000,
    // One after the other: two reads at once would count lines twice.
    poll: () => {
      reading = reading.then(look);
      return reading;
    },
    close: () => closeTails(log),
    get source() {
      return withOpenEnd(log);
    },
  };
}
