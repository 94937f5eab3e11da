/**
 * Reads a log file on from where an earlier run stopped, however the file was renamed, copied,
 * truncated or compressed since. It follows nothing.
 */

import { hash } from "node:crypto";
import * as fs from "node:fs";
import { messageOf, orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { PACKED, rotatedSiblings } from "../rotation.ts";
import { readWindow } from "./log-files.ts";
import {
  emptyPosition,
  emptySource,
  emptyTally,
  type LogPosition,
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import {
  closeTails,
  type LogFile,
  type OpenFile,
  openLog,
  openTail,
  readChunks,
  readTails,
} from "./log-tails.ts";

// The first bytes would not do: logs begin with the same banner.
const SEALED_BYTES = 4096;

/**
 * Where a log was read to, and how that is found again under another name: by `seal`, a hash of the
 * bytes before `offset`. `position` may be within a traceback. It is kept in the burn-in's log.
 */
export type LogPlace = { inode: number; offset: number; seal: string; position: LogPosition };

/** The hash of the bytes before an offset, or null where the file does not reach that far. */
async function readSeal(file: OpenFile, offset: number): Promise<string | null> {
  const begin = Math.max(0, offset - SEALED_BYTES);
  const chunks: Buffer[] = [];
  for await (const chunk of readChunks(file, begin, offset)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return bytes.length === offset - begin ? hash("sha256", bytes).slice(0, 16) : null;
}

/** As `readSeal`, of a file by its name; null also where it cannot be read. */
async function readSealOf(file: string, offset: number): Promise<string | null> {
  const descriptor = orNull(() => openLog(file));
  if (descriptor === null) return null;
  try {
    return await readSeal({ descriptor, isPacked: PACKED.test(file) }, offset);
  } catch {
    return null;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The order in which files are tried: the one of that inode, then copies, then packed ones. */
function rankOf(file: string, inode: number): number {
  if (PACKED.test(file)) return 2;
  return orNull(() => fs.statSync(file).ino) === inode ? 0 : 1;
}

/**
 * The file that a place is in now. A file that was renamed keeps its inode; one that was copied or
 * compressed is another with the same bytes.
 */
async function findPlace(files: readonly string[], place: LogPlace): Promise<string | undefined> {
  const ranked = files.toSorted((a, b) => rankOf(a, place.inode) - rankOf(b, place.inode));
  for (const file of ranked) {
    if ((await readSealOf(file, place.offset)) === place.seal) return file;
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
  const unread = files.slice(0, from ? files.indexOf(from) + 1 : 1);
  for (const file of unread.reverse()) openTail(log, file, file === from ? place.offset : 0);
  await readTails(log, "a part of it is in");
}

/** Where a log has been read to, or null where that could not be found again. */
async function placeOf({ tails, position }: LogFile): Promise<LogPlace | null> {
  // While the new file is empty, the bot may still write to the old one.
  const tail = tails.findLast(({ lineAt }) => lineAt > 0);
  const seal = tail ? await readSeal(tail, tail.lineAt) : null;
  if (!tail || !seal) return null;
  // No words of the log are kept.
  const stackHead = position.stackHead === null ? null : "an error with a stack";
  return {
    inode: tail.inode,
    offset: tail.lineAt,
    seal,
    position: { ...position, stackHead, held: 0 },
  };
}

/** Without `place`, the log is read since `rules.since`. */
type ReadInput = {
  config: Config;
  file: string;
  rules: LogRules;
  place: LogPlace | null;
  signal: AbortSignal;
};

/**
 * Reads a log file since a place, or since `rules.since`, and returns the place for the next time:
 * no line counts twice, none is lost. It does not throw: what cannot be read is said in the source,
 * and the place stays where it was.
 */
export async function readLogSince(
  input: ReadInput,
): Promise<{ source: LogSource; place: LogPlace | null }> {
  const { config, file, rules, place, signal } = input;
  const source = emptySource(file, rules);
  const log: LogFile = { config, rules, source, position: emptyPosition(), tails: [], signal };
  try {
    if (place) await readOnwards(log, place);
    else await readWindow(log, null);
    return { source, place: await placeOf(log) };
  } catch (error) {
    // What was counted before that counts when it is read again.
    source.tally = emptyTally();
    source.unseen = messageOf(error);
    return { source, place };
  } finally {
    closeTails(log);
  }
}
