/**
 * Small files, read within a bound and written so that no reader ever sees half of one. Logs, which
 * are long, have readers of their own.
 */

import * as fs from "node:fs";
import { userInfo } from "node:os";
import * as path from "node:path";
import { messageOf, orNull, Unobservable } from "./attempt.ts";

/** Who runs this: behind sudo, the person; by number where the user has no name here. */
export function userOf(): string {
  return process.env.SUDO_USER ?? orNull(() => userInfo().username) ?? String(process.getuid?.());
}

/**
 * At most `length` bytes of a file; `from` is null for what has no positions. A FIFO is not waited
 * for. Throws where the file cannot be read.
 */
export function readPart(file: string, from: number | null, length: number): Buffer {
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(length);
    let bytes = 0;
    while (bytes < length) {
      const position = from === null ? null : from + bytes;
      const read = fs.readSync(descriptor, buffer, bytes, length - bytes, position);
      if (read === 0) break;
      bytes += read;
    }
    return buffer.subarray(0, bytes);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Reads a small text file; a longer one than `bytesMax` is not cut, but `Unobservable`. Throws
 * where the file cannot be read.
 */
export function readSmallFile(file: string, bytesMax: number): string {
  const bytes = readPart(file, null, bytesMax + 1);
  if (bytes.length > bytesMax) throw new Unobservable(`${file} is larger than ${bytesMax} bytes`);
  return bytes.toString();
}

/**
 * The end of a file, as text; a first line that the bound has cut is left out. Empty where there is
 * no file, or none that this user can read.
 */
export function readEnd(file: string, bytesMax: number): string {
  const size = orNull(() => fs.statSync(file).size) ?? 0;
  const begin = Math.max(0, size - bytesMax);
  const text = orNull(() => readPart(file, begin, size - begin).toString()) ?? "";
  return begin ? text.slice(text.indexOf("\n") + 1) : text;
}

/** Makes the names in a directory durable, as fsync of a file does not. Throws. */
export function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
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

/** The entry of a map by its own key, or null: a release may be called `constructor`. */
export function ownOf<T>(map: Readonly<Record<string, T>>, id: string | null): T | null {
  return id !== null && Object.hasOwn(map, id) ? (map[id] as T) : null;
}

/**
 * Why an existing file or directory is closed to this user, or null; `mode` is what is asked for,
 * as in `fs.constants.R_OK`.
 */
export function closedTo(file: string, mode: number): string | null {
  if (!fs.existsSync(file)) return null;
  try {
    fs.accessSync(file, mode);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
