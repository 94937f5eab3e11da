/**
 * Follows the verification that the bot's hook has started, instead of running a second one beside
 * it.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { observe, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { closedTo } from "../files.ts";
import { readRecords } from "../log.ts";
import { readUnit } from "../probes/unit.ts";
import type { Result } from "../run.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";

const SYSTEMD_RUNNING = ["active", "activating", "deactivating", "reloading"];
/**
 * Waits for the hook's verification and returns its record, or null. `insist`: waits for its begin
 * too, and the present start's verdict is as good.
 */
export async function followVerification(
  { name: env, logFile, process: { unit: bot } }: Config,
  insist: boolean,
  narrate: Narrator["narrate"],
) {
  const name = `cytube-verify@${env}.service`;
  const verdicts = () =>
    (readRecords(logFile).records as Result[]).filter(
      ({ kind, verdict }) => kind === "verify" && verdict !== "superseded",
    );
  const expect = (why: string, code: number): null => {
    if (insist) throw new UserError(code, why);
    return null;
  };
  if (!bot) return expect("--attach needs process.unit", EXIT.config);
  let followed = "";
  for (const begun = performance.now(); ; await sleep(300)) {
    const unit = await observe(() => readUnit(name));
    if (!unit.seen) return expect(unit.why, EXIT.config);
    const { ActiveState = "", InvocationID = "" } = unit.value;
    const runs = SYSTEMD_RUNNING.includes(ActiveState);
    if (runs && !followed) {
      const blind = closedTo(logFile, fs.constants.R_OK);
      if (blind)
        throw new UserError(
          EXIT.permission,
          `A verification runs, but its record could not be read: ${blind}`,
        );
      followed = InvocationID;
      narrate(
        `${name} is verifying this bot already; waiting for its verdict (--no-attach runs beside it)`,
      );
    }
    if (runs && InvocationID === followed) continue;
    const record =
      followed && verdicts().findLast(({ unitInvocation }) => unitInvocation === followed);
    if (followed)
      return (
        record || expect(`${name} ended without a record; see journalctl -u ${name}`, EXIT.internal)
      );
    if (!insist) return null;
    const start = await observe(() => readUnit(bot));
    const judged =
      start.seen &&
      verdicts().findLast(
        ({ identity, whole }) => whole && identity?.invocation === start.value.InvocationID,
      );
    if (judged) return judged;
    if (performance.now() - begun > 10_000)
      return expect(
        `${name} did not begin within 10 s; is the hook of ${bot} installed?`,
        EXIT.busy,
      );
  }
}
