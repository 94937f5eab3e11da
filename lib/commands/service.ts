/**
 * What the program does only as the service that was installed on a host: which user it is, how it
 * paces itself in a crash loop, and what it clears away. A run by hand does none of it.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { observe, orMessage, orNull, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readUnit } from "../probes/unit.ts";
import { readState } from "../releases/state.ts";
import { HERE } from "../shipped.ts";
import { isoOf } from "../text.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/**
 * As root, the installed program becomes the user of its service first: it needs no more, and must
 * leave no files of root's behind.
 */
export function becomeService({ command, flags }: CommandLine): void {
  // Only root may start units, so a rollback by a person keeps its rights; what it does beyond that
  // is to read and to ask.
  if (
    process.geteuid?.() !== 0 ||
    !HERE.startsWith("/usr/local/lib/cytube-verify/") ||
    command === "rollback" ||
    flags.rollback
  )
    return;
  const why = orMessage(() => {
    (process as NodeJS.Process & { initgroups(user: string, group: string): void }).initgroups(
      "cytube-verify",
      "cytube-verify",
    );
    process.setgid?.("cytube-verify");
    process.setuid?.("cytube-verify");
  });
  if (why) throw new UserError(EXIT.permission, `Cannot become the user cytube-verify: ${why}`);
}

const BACKOFF_SECONDS_MAX = 900;
const BACKOFF_FAILURES_MIN = 3;
/**
 * In a crash loop each restart asks for a verification: from a release's third failure on, each
 * waits twice as long as the one before it. While it waits, further requests are no-ops, and a
 * restart by a person ends the wait: systemd then begins to count anew.
 */
export async function backOff(config: Config, narrate: Narrator["narrate"]): Promise<void> {
  const { failures, last } = readState(config);
  const { unit } = config.process;
  if (!unit || !last || failures < BACKOFF_FAILURES_MIN) return;
  const until = Date.parse(last.at) + 1000 * Math.min(2 ** failures, BACKOFF_SECONDS_MAX);
  for (let rounds = 0; Date.now() < until; rounds++) {
    const shownUnit = await observe(() => readUnit(unit));
    if (!shownUnit.seen || shownUnit.value.NRestarts === "0") return;
    if (rounds === 0) {
      const times = `${last.release} has failed ${failures} times in a row`;
      narrate(`${times}; waiting until ${isoOf(until)}`);
    }
    await sleep(1000);
  }
}

// A tick takes away a request for a rollback that is older: somebody left it behind, and it would
// make a rollback of a tick that is killed. A new one is being followed.
const LEFT_BEHIND_MS = 60_000;
export function removeOldRequest(config: Config): void {
  const request = config.state.flag("rollback");
  const askedAt = orNull(() => fs.statSync(request).mtimeMs);
  if (askedAt !== null && Date.now() - askedAt > LEFT_BEHIND_MS)
    fs.rmSync(request, { force: true });
}
