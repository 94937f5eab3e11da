/**
 * Small files, read within a bound and written so that no reader ever sees half of one. Logs, which
 * are long, have readers of their own.
 */

import * as fs from "node:fs";
import { userInfo } from "node:os";
import * as path from "node:path";
import { orMessage, orNull, Unobservable } from "./attempt.ts";

/** Who runs this: behind sudo, the person. */
export const userOf = (): string =>
  process.env.SUDO_USER ?? orNull(() => userInfo().username) ?? String(process.getuid?.());

/**
 * At most `length` bytes of a file; `from` is null for what has no positions. A FIFO is not waited
 * for.
 */
export function readPart(file: string, from: number | null, length: number): Buffer {
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(length);
    let bytes = 0;
    for (let read = -1; read !== 0 && bytes < length; bytes += read)
      read = fs.readSync(
        descriptor,
        buffer,
        bytes,
        length - bytes,
        from === null ? null : from + bytes,
      );
    return buffer.subarray(0, bytes);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Reads a small text file; `bytesMax` is a bound, not a quota: a longer file is refused. */
export function readSmallFile(file: string, bytesMax: number): string {
  const bytes = readPart(file, null, bytesMax + 1);
  if (bytes.length > bytesMax) throw new Unobservable(`${file} is larger than ${bytesMax} bytes`);
  return bytes.toString();
}

/** The end of a file, as text; a first line that the bound has cut is left out. */
export function readEnd(file: string, bytesMax: number): string {
  const size = orNull(() => fs.statSync(file).size) ?? 0;
  const begin = Math.max(0, size - bytesMax);
  const text = orNull(() => readPart(file, begin, size - begin).toString()) ?? "";
  return begin ? text.slice(text.indexOf("\n") + 1) : text;
}

/** Makes the names in a directory durable, as fsync of a file does not. */
export function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, "r");
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

/**
 * Replaces a small file as a whole: a reader sees the old text or the new one, also after a power
 * cut. `mode`: whatever the umask. Throws.
 */
export function writeAtomically(file: string, text: string, mode?: number): void {
  const next = `${file}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(next, text, { mode: 0o664, flush: true });
    if (mode !== undefined) fs.chmodSync(next, mode);
    fs.renameSync(next, file);
  } finally {
    fs.rmSync(next, { force: true });
  }
  syncDirectory(path.dirname(file));
}

/** A release may be called `constructor`. */
export const ownOf = <T>(map: Readonly<Record<string, T>>, id: string | null): T | null =>
  id !== null && Object.hasOwn(map, id) ? (map[id] as T) : null;
/** Why an existing file or directory is closed to this user, or null. */
export const closedTo = (file: string, mode: number): string | null =>
  fs.existsSync(file) ? orMessage(() => fs.accessSync(file, mode)) : null;
