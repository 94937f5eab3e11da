/**
 * Narration and progress on stderr while a run goes on, and the writing of results to stdout. What
 * is said is decided by whoever narrates.
 */

import { codeOf } from "../attempt.ts";
import { printable } from "../text.ts";
import { EXIT, type Narrator, type WatchProgress } from "../vocabulary.ts";

/**
 * Writes to a stream and waits for it; resolves to whether the text was written. A reader that has
 * gone (`| head -1`) is no error of the run.
 */
export function writeStream(stream: NodeJS.WriteStream, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(!error || codeOf(error) === "EPIPE"));
  });
}

/** Prints what was asked for, which is no verdict: resolves to the exit code 0. */
export async function print(text: string): Promise<number> {
  await writeStream(process.stdout, text);
  return EXIT.passed;
}

/** One line on how the watch goes. */
function renderProgress({ secondsLeft, memoryMb, responseMs, errors }: WatchProgress): string {
  const minutes = Math.floor(secondsLeft / 60);
  const seconds = String(Math.floor(secondsLeft % 60)).padStart(2, "0");
  const memory = memoryMb === null ? "memory ?" : `${memoryMb} MB`;
  const response = responseMs === null ? "no answer" : `${responseMs} ms`;
  return `watching, ${minutes}:${seconds} left  ${memory}  ${response}  ${errors} errors`;
}

/** Carriage return, then ECMA-48's "erase in line": the line is drawn again. */
const REDRAW = "\r\u001b[2K";
const PLAIN_PROGRESS_EVERY_MS = 30_000;
/**
 * Narration on a stream, with secrets masked. On a terminal the watch is one line that is drawn
 * again; elsewhere at most one plain line in 30 s.
 */
export function openNarrator(
  stream: NodeJS.WriteStream,
  isQuiet: boolean,
  mask: (text: string) => string,
): Narrator {
  const redraws = stream.isTTY === true && stream.columns > 0 && process.env.TERM !== "dumb";
  let isDrawn = false;
  let lastPlainAt = performance.now();
  const write = (text: string): void => {
    // An error is the stream's own to report.
    if (!isQuiet) stream.write(text, () => {});
  };
  const narrate = (line: string): void => {
    write(`${isDrawn ? REDRAW : ""}${printable(mask(line))}\n`);
    isDrawn = false;
  };
  const progress = (watch: WatchProgress): void => {
    const text = renderProgress(watch);
    if (redraws) {
      write(`${REDRAW}${text.slice(0, stream.columns - 1)}`);
      isDrawn = true;
    } else if (performance.now() - lastPlainAt >= PLAIN_PROGRESS_EVERY_MS) {
      write(`${text}\n`);
      lastPlainAt = performance.now();
    }
  };
  return { narrate, progress };
}
