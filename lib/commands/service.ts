/**
 * What the program does only as the service that was installed on a host: which user it is, how it
 * paces itself in a crash loop, and what it clears away. A run by hand does none of it.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, observe, orNull, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { writeAtomically } from "../files.ts";
import { readUnit } from "../probes/unit.ts";
import { readState } from "../releases/state-file.ts";
import type { Result } from "../run.ts";
import { IS_INSTALLED } from "../shipped.ts";
import { isoOf } from "../text.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

const SERVICE_USER = "cytube-verify";
/**
 * As root, the installed program becomes the user of its service first: it needs no more, and must
 * leave no files of root's behind.
 */
export function becomeService({ command, flags }: CommandLine): void {
  // Only root may start units, so a rollback by a person keeps its rights; what it does beyond that
  // is to read and to ask.
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot || !IS_INSTALLED || command === "rollback" || flags.rollback) return;
  // Node's own types do not know of initgroups(3).
  const account = process as NodeJS.Process & { initgroups(user: string, group: string): void };
  try {
    account.initgroups(SERVICE_USER, SERVICE_USER);
    process.setgid?.(SERVICE_USER);
    process.setuid?.(SERVICE_USER);
  } catch (error) {
    const why = messageOf(error);
    throw new UserError(EXIT.permission, `Cannot become the user ${SERVICE_USER}: ${why}`);
  }
}

/** From so many failures of one release on, waits are at most so long. */
type Pace = { failuresMin: number; secondsMax: number };
/**
 * In a crash loop each restart asks for a verification: after a release's first failures, each
 * waits twice as long as the one before it. While it waits, further requests are no-ops, and a
 * restart by a person ends the wait: systemd then begins to count anew.
 */
export async function backOff(
  config: Config,
  { failuresMin, secondsMax }: Pace,
  narrate: Narrator["narrate"],
): Promise<void> {
  const { failures, last } = readState(config);
  const { unit } = config.process;
  if (!unit || !last || failures < failuresMin) return;
  const until = Date.parse(last.at) + 1000 * Math.min(2 ** failures, secondsMax);
  for (let rounds = 0; Date.now() < until; rounds++) {
    const shownUnit = await observe(() => readUnit(unit));
    if (!shownUnit.seen || shownUnit.value.NRestarts === "0") return;
    if (rounds === 0) {
      const times = `${last.releaseId} has failed ${failures} times in a row`;
      narrate(`${times}; waiting until ${isoOf(until)}`);
    }
    await sleep(1000);
  }
}

/**
 * Takes away what an earlier verification left for systemd, before one of the service begins: a run
 * that comes to no verdict must leave nothing.
 */
export function removeVerdict({ state }: Config): void {
  for (const flag of ["passed", "judged", "rollback"] as const) {
    fs.rmSync(state.flag(flag), { force: true });
  }
}

/**
 * Leaves which start of the bot's unit was judged, as `UNIT INVOCATION`. A start between the
 * verdict and the end of this process finds the verification's unit active, so that its hook does
 * nothing; by this, ExecStopPost= of that unit sees the start, and has it verified.
 */
export function leaveJudged(config: Config, result: Result): void {
  const { unit } = config.process;
  const invocation = result.identity?.invocation;
  if (!unit || !invocation) return;
  writeAtomically(config.state.flag("judged"), `${unit} ${invocation}\n`);
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
