/**
 * Follows the verification that the bot's hook has started, instead of running a second one beside
 * it. It starts nothing itself, and prints no verdict; verify.ts does.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { observe, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { closedTo } from "../files.ts";
import { readRecords } from "../log.ts";
import { readUnit, type UnitProperties } from "../probes/unit.ts";
import type { Result } from "../run.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";

const RUNNING_STATES = ["active", "activating", "deactivating", "reloading"];
const isRunning = ({ ActiveState = "" }: UnitProperties): boolean =>
  RUNNING_STATES.includes(ActiveState);

const POLL_MS = 300;
/** With --attach: a hook begins its verification at once, or it is not installed. */
const BEGIN_MS_MAX = 10_000;

/** Verifications in the log that came to a verdict, oldest first. */
function readVerdicts({ logFile }: Config): Result[] {
  const records = readRecords(logFile).records as Result[];
  return records.filter(({ kind, verdict }) => kind === "verify" && verdict !== "superseded");
}

/** What one verification is followed with. */
type Following = {
  config: Config;
  /** The unit that verifies. */
  name: string;
  narrate: Narrator["narrate"];
  /** Throws for a person who insists on a verdict; else there is none. */
  giveUp: (why: string, exit: number) => null;
};

/** Waits until a run of the unit has ended, and returns its record. */
async function followRun(following: Following, unit: UnitProperties): Promise<Result | null> {
  const { config, name, narrate, giveUp } = following;
  const blind = closedTo(config.logFile, fs.constants.R_OK);
  if (blind !== null) {
    const why = `A verification runs, but its record could not be read: ${blind}`;
    throw new UserError(EXIT.permission, why);
  }
  const beside = "(--no-attach runs beside it)";
  narrate(`${name} is verifying this bot already; waiting for its verdict ${beside}`);
  const { InvocationID: invocation = "" } = unit;
  let now = unit;
  while (isRunning(now) && (now.InvocationID ?? "") === invocation) {
    await sleep(POLL_MS);
    const seen = await observe(() => readUnit(name));
    if (!seen.seen) return giveUp(seen.why, EXIT.config);
    now = seen.value;
  }
  const verdicts = readVerdicts(config);
  const record = verdicts.findLast(({ unitInvocation }) => unitInvocation === invocation);
  if (record) return record;
  return giveUp(`${name} ended without a record; see journalctl -u ${name}`, EXIT.internal);
}

/** The newest verdict of a whole verification on the start of the bot that runs now, or null. */
async function findVerdictOnStart(config: Config, bot: string): Promise<Result | null> {
  const unit = await observe(() => readUnit(bot));
  if (!unit.seen) return null;
  const { InvocationID: invocation } = unit.value;
  const verdicts = readVerdicts(config);
  return (
    verdicts.findLast(({ identity, whole }) => whole && identity?.invocation === invocation) ?? null
  );
}

/**
 * Waits for the hook's verification and returns its record; null where there is none to follow.
 * `insists` (--attach): waits for its begin too, takes a verdict on the present start for as good,
 * and throws a `UserError` instead of returning null. It always throws where a verification runs
 * whose record this user may not read.
 */
export async function followVerification(
  config: Config,
  insists: boolean,
  narrate: Narrator["narrate"],
): Promise<Result | null> {
  const name = `cytube-verify@${config.name}.service`;
  const giveUp = (why: string, exit: number): null => {
    if (insists) throw new UserError(exit, why);
    return null;
  };
  const bot = config.process.unit;
  if (!bot) return giveUp("--attach needs process.unit", EXIT.config);
  const begun = performance.now();
  for (;;) {
    const unit = await observe(() => readUnit(name));
    if (!unit.seen) return giveUp(unit.why, EXIT.config);
    if (isRunning(unit.value)) {
      return followRun({ config, name, narrate, giveUp }, unit.value);
    }
    if (!insists) return null;
    const judged = await findVerdictOnStart(config, bot);
    if (judged) return judged;
    if (performance.now() - begun > BEGIN_MS_MAX) {
      const why = `${name} did not begin within ${BEGIN_MS_MAX / 1000} s`;
      return giveUp(`${why}; is the hook of ${bot} installed?`, EXIT.busy);
    }
    await sleep(POLL_MS);
  }
}
