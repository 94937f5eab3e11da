/** What systemd says of the bot's unit, and how a start of it has ended. */

import { setTimeout as sleep } from "node:timers/promises";
import { observe, Unobservable } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Identity, Incident } from "../vocabulary.ts";

export type UnitProperties = Record<string, string>; // `Key=value` lines of `systemctl show`.
export const parseUnit = (text: string): UnitProperties =>
  Object.fromEntries(
    [...text.matchAll(/^([^=\n]+)=([^\n]*)/gm)].map(([, key = "", value = ""]) => [key, value]),
  );

const UNIT_PROPERTIES =
  "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,StandardOutput,StandardError,ExecMainStatus,ControlGroup," +
  "InactiveExitTimestampMonotonic,ActiveExitTimestampMonotonic,ExecMainExitTimestampMonotonic";
export async function readUnit(unit: string, signal?: AbortSignal): Promise<UnitProperties> {
  const { code, stdout, stderr } = await readCommand(
    ["systemctl", "show", `--property=${UNIT_PROPERTIES}`, "--", unit],
    5000,
    signal,
  );
  const properties = parseUnit(stdout);
  const cannot = `Cannot read unit "${unit}"`;
  if (code !== 0 || !properties.ActiveState)
    throw new Unobservable(`${cannot}: systemctl exited ${code} (${stderr || "no properties"})`);
  const hint = "Is process.unit the name that `systemctl list-units` shows?";
  if (properties.LoadState !== "loaded")
    throw new Unobservable(`${cannot}: systemd says it is ${properties.LoadState}`, hint);
  return properties;
}

/**
 * What a unit's properties mean for the bot: `alive` (also while a hook still runs, `activating
 * (start-post)`), `starting`, or the trouble.
 */
export function parseUnitState(unit: UnitProperties): string {
  const { Id: name = "the unit", ActiveState: active, SubState: sub, Result: result } = unit;
  const up =
    active === "active" ||
    active === "reloading" ||
    (active === "activating" && sub === "start-post");
  if (up && Number(unit.MainPID) > 0) return "alive";
  const died = `${name} has died (${result}) and waits for its automatic restart, ${unit.NRestarts} so far`;
  if (active === "activating") return sub === "auto-restart" ? died : "starting";
  if (active === "active") return `${name} is active (${sub}) without a main process`;
  return `${name} is ${active} (${sub}), result ${result}, exit status ${unit.ExecMainStatus}`;
}

// What systemd itself ends for a reason is no request, and a start that never became active says
// nothing of the one before (systemd 252).
/**
 * Whether a unit that is down was stopped on request: then it left its active state before its
 * process ended; in a death it is the reverse.
 */
function wasAskedToStop(unit: UnitProperties): boolean {
  const [begun = 0, left = 0, ended = 0] = ["InactiveExit", "ActiveExit", "ExecMainExit"].map(
    (name) => Number(unit[`${name}TimestampMonotonic`]),
  );
  return (
    !["watchdog", "oom-kill", "start-limit-hit", "resources", "protocol"].includes(
      unit.Result ?? "",
    ) &&
    begun < left &&
    left < ended
  );
}

type Ending = Pick<Incident, "kind" | "says" | "planned">;
/**
 * How a start of a unit has ended, by the unit's properties now; null while it is between two
 * states.
 */
export function parseEnding(unit: UnitProperties, invocation: string | null): Ending | null {
  const { ActiveState: active, SubState: sub, Result: result, NRestarts: count = "0" } = unit;
  const next = `invocation ${unit.InvocationID?.slice(0, 8)} took its place`;
  if (sub?.startsWith("auto-restart"))
    return { kind: "died", says: `died (result ${result}), and systemd will restart it` };
  if (active === "failed" || active === "inactive") {
    if (wasAskedToStop(unit))
      return { kind: "died", says: "was stopped by a person", planned: "stop" };
    return {
      kind: "died",
      says: `died (result ${result}), and systemd ${active === "failed" ? "has given up on it" : "leaves it so"}`,
    };
  }
  if (unit.InvocationID === invocation || active === "deactivating") return null;
  // systemd counts only its own restarts, and each `systemctl restart` begins with none: so a new
  // invocation without one was asked for (systemd 252).
  if (count !== "0")
    return {
      kind: "restarted",
      says: `died and was restarted by systemd (${count} so far): ${next}`,
    };
  return { kind: "restarted", says: `was restarted by a person: ${next}`, planned: "restart" };
}

// Between the stop and the start of a restart, a unit looks stopped for some milliseconds.
const STOP_SETTLED_MS = 500;
/**
 * Asks systemd how a start has ended, until it has settled; a stop that was asked for may take its
 * time.
 */
export async function readEnding(
  unit: string,
  { invocation }: Identity,
  secondsMax: number,
): Promise<Ending | null> {
  let stoppedAt = 0;
  for (
    const begun = performance.now();
    performance.now() - begun < secondsMax * 1000;
    await sleep(30)
  ) {
    const answer = await observe(() => readUnit(unit));
    const ending = answer.seen ? parseEnding(answer.value, invocation) : null;
    if (!answer.seen || (ending && ending.planned !== "stop")) return ending;
    if (ending) stoppedAt ||= performance.now();
    if (ending && performance.now() - stoppedAt >= STOP_SETTLED_MS) return ending;
  }
  return null;
}
