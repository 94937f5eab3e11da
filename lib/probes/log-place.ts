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
  emptyTally,
  type LogPosition,
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import { type LogFile, openLog, openTail, readChunks, readTails, type Tail } from "./log-tails.ts";

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
