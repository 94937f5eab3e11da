/**
 * Reads the part of a log file that belongs to a window, through rotation and truncation, and
 * follows it. Lines are understood elsewhere.
 */

import * as fs from "node:fs";
import { codeOf, messageOf } from "../attempt.ts";
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
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import {
  type LogFile,
  openWindow,
  readBytes,
  readTail,
  readTails,
  type Tail,
  UNREAD,
} from "./log-tails.ts";
import { readOpenFiles, readTree } from "./process.ts";

const HALF_HOUR_MS = 1_800_000;
type BotStart = Pick<Identity, "pid" | "startedAt">;
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
export async function readWindow(log: LogFile, bot: BotStart | null): Promise<void> {
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
