/**
 * When a look was, by the clock that nobody sets, and where the next one goes on. It reads the boot
 * and the clocks, nothing of the bot.
 */

import * as fs from "node:fs";
import { observe } from "../attempt.ts";
import { readCommand } from "../command.ts";
import { UNIT_INVOCATION } from "../log.ts";
import { parseJournal } from "../probes/journal.ts";
import { isoOf } from "../text.ts";
import type { Cursor, Moment } from "./words.ts";

// A process lives in one boot.
let bootId = "";

/**
 * The boot as the journal names it: within a container, a unit with ProtectKernelTunables= sees the
 * boot id of the machine outside.
 */
async function readBootId(): Promise<string> {
  const argv = [
    "journalctl",
    "--quiet",
    "--lines=1",
    "--output=json",
    `INVOCATION_ID=${UNIT_INVOCATION}`,
  ];
  const read = UNIT_INVOCATION ? await observe(() => readCommand(argv, 5000)) : null;
  const ownStart = read?.seen ? parseJournal(read.value.stdout)[0] : undefined;
  if (ownStart?.bootId) return ownStart.bootId;
  const text = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
  return text.trim().replaceAll("-", "");
}

/** Now, by both clocks. Throws where the boot cannot be told. */
export async function readMoment(): Promise<Moment> {
  bootId ||= await readBootId();
  return { at: isoOf(Date.now()), bootId, upSeconds: Number(process.hrtime.bigint()) / 1e9 };
}

/** The cursor of a run that accounts for nothing: the next one begins there. */
export function cursorAt(moment: Moment, age: number, start: string | null): Cursor {
  return {
    ...moment,
    age,
    start,
    cursor: null,
    files: {},
    down: null,
    stopping: null,
    offline: null,
    joining: null,
    links: 0,
  };
}

/**
 * Seconds between two moments by the clock that nobody sets, and by how much the other one was set;
 * over a reboot there is only the other one.
 */
export function elapsedBetween(before: Moment, now: Moment): { seconds: number; jump: number } {
  const wall = (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  if (before.bootId !== now.bootId) return { seconds: Math.max(0, wall), jump: 0 };
  const seconds = now.upSeconds - before.upSeconds;
  return { seconds, jump: Math.abs(wall - seconds) < 1 ? 0 : wall - seconds };
}
