/** Narration and progress on stderr while a run goes on, and the writing of results to stdout. */

import { codeOf } from "../attempt.ts";
import { printable } from "../text.ts";
import { EXIT, type Narrator, type WatchProgress } from "../vocabulary.ts";

/**
 * Writes to a stream and waits for it. A reader that has gone (`| head -1`) is no error of the run.
 */
export const writeStream = (stream: NodeJS.WriteStream, text: string): Promise<boolean> =>
  new Promise(
    (resolve) => void stream.write(text, (error) => resolve(!error || codeOf(error) === "EPIPE")),
  );

const PLAIN_PROGRESS_EVERY_MS = 30_000;
/**
 * Narration on stderr. On a terminal the watch is one line that is drawn again; elsewhere at most
 * one plain line in 30 s.
 */
export function openNarrator(
  stream: NodeJS.WriteStream,
  quiet: boolean,
  mask: (text: string) => string,
): Narrator {
  const redraws = stream.isTTY === true && stream.columns > 0 && process.env.TERM !== "dumb";
  const write = (text: string): unknown => quiet || stream.write(text, () => {});
  let drawn = false;
  let lastPlain = performance.now();
  const narrate = (line: string): void => {
    write(`${drawn ? "\r\u001b[2K" : ""}${printable(mask(line))}\n`);
    drawn = false;
  };
  const progress = ({ secondsLeft, memoryMb, responseMs, errors }: WatchProgress): void => {
    const clock = `${Math.floor(secondsLeft / 60)}:${String(Math.floor(secondsLeft % 60)).padStart(2, "0")}`;
    const [memory, response] = [
      memoryMb === null ? "memory ?" : `${memoryMb} MB`,
      responseMs === null ? "no answer" : `${responseMs} ms`,
    ];
    const text = `watching, ${clock} left  ${memory}  ${response}  ${errors} errors`;
    drawn = redraws;
    if (redraws) return void write(`\r\u001b[2K${text.slice(0, stream.columns - 1)}`);
    if (performance.now() - lastPlain < PLAIN_PROGRESS_EVERY_MS) return;
    lastPlain = performance.now();
    write(`${text}\n`);
  };
  return { narrate, progress };
}

/** Prints what was asked for, which is no verdict. */
export const print = (text: string): Promise<number> =>
  writeStream(process.stdout, text).then(() => EXIT.passed);
