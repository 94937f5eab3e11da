/** What systemd says of the bot's unit, and how a start of it has ended. */

import { setTimeout as sleep } from "node:timers/promises";
import { observe, Unobservable } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Identity } from "../vocabulary.ts";

/** What `systemctl show` is asked for (org.freedesktop.systemd1(5)). */
const UNIT_PROPERTIES = [
  "Id",
  "LoadState",
  "ActiveState",
  "SubState",
  "Result",
  "MainPID",
  "NRestarts",
  "InvocationID",
  "StandardOutput",
  "StandardError",
  "ExecMainStatus",
  "ControlGroup",
  "InactiveExitTimestampMonotonic",
  "ActiveExitTimestampMonotonic",
  "ExecMainExitTimestampMonotonic",
] as const;

/**
 * What systemd says of a unit, by the property's name and as `systemctl show` writes it; a property
 * that this systemd does not know is missing.
 */
export type UnitProperties = Record<string, string>;

/** Parses the `Key=value` lines of `systemctl show`. */
export function parseUnit(text: string): UnitProperties {
  const lines = [...text.matchAll(/^([^=\n]+)=([^\n]*)/gm)];
  return Object.fromEntries(lines.map(([, key = "", value = ""]) => [key, value]));
}

/** `Unobservable` where systemd has no such unit, or does not answer. */
export async function readUnit(unit: string, signal?: AbortSignal): Promise<UnitProperties> {
  const argv = ["systemctl", "show", `--property=${UNIT_PROPERTIES.join(",")}`, "--", unit];
  const { code, stdout, stderr } = await readCommand(argv, 5000, { signal });
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
 * What a unit's properties mean for the bot. `alive`: it has a main process, also while a hook
 * still runs (`activating (start-post)`). `down` has the trouble in words.
 */
export type UnitState =
  | { state: "alive" }
  | { state: "starting" }
  | { state: "down"; says: string };

export function parseUnitState(unit: UnitProperties): UnitState {
  const { Id: name = "the unit", ActiveState: active, SubState: sub, Result: result } = unit;
  const isUp = active === "active" || active === "reloading";
  const isInHook = active === "activating" && sub === "start-post";
  if ((isUp || isInHook) && Number(unit.MainPID) > 0) return { state: "alive" };
  if (active === "activating" && sub === "auto-restart") {
    const waits = `waits for its automatic restart, ${unit.NRestarts} so far`;
    return { state: "down", says: `${name} has died (${result}) and ${waits}` };
  }
  if (active === "activating") return { state: "starting" };
  if (active === "active")
    return { state: "down", says: `${name} is active (${sub}) without a main process` };
  const status = `result ${result}, exit status ${unit.ExecMainStatus}`;
  return { state: "down", says: `${name} is ${active} (${sub}), ${status}` };
}

/** Results of what systemd itself ends for a reason, which is no request (systemd 252). */
const ENDED_BY_SYSTEMD = ["watchdog", "oom-kill", "start-limit-hit", "resources", "protocol"];

/** Microseconds from boot to the last time that a unit did so; 0 or NaN: never. */
function timestampOf(unit: UnitProperties, event: string): number {
  return Number(unit[`${event}TimestampMonotonic`]);
}

/**
 * Whether a unit that is down was stopped on request: then it left its active state before its
 * process ended; in a death it is the reverse. A start that never became active says nothing of the
 * one before (systemd 252).
 */
function wasAskedToStop(unit: UnitProperties): boolean {
  const begun = timestampOf(unit, "InactiveExit");
  const left = timestampOf(unit, "ActiveExit");
  const ended = timestampOf(unit, "ExecMainExit");
  return !ENDED_BY_SYSTEMD.includes(unit.Result ?? "") && begun < left && left < ended;
}

/** How a start of the bot's unit has ended, in words that go on from "the bot". */
type Ending = {
  kind: "died" | "restarted";
  /** What has happened. */
  brief: string;
  /** The same, and what took the place of the start, where something did. */
  says: string;
  /** What a person asked for. */
  planned?: "restart" | "stop";
};

/** How a unit that is down has ended; it does not come back by itself. */
function endingOfDown(unit: UnitProperties): Ending {
  if (wasAskedToStop(unit)) {
    const brief = "was stopped by a person";
    return { kind: "died", brief, says: brief, planned: "stop" };
  }
  const then = unit.ActiveState === "failed" ? "has given up on it" : "leaves it so";
  const brief = `died (result ${unit.Result}), and systemd ${then}`;
  return { kind: "died", brief, says: brief };
}

/**
 * How a start of a unit has ended, by the unit's properties now; null while it is between two
 * states.
 */
export function parseEnding(unit: UnitProperties, invocation: string | null): Ending | null {
  const { ActiveState: active, SubState: sub, NRestarts: count = "0" } = unit;
  if (sub?.startsWith("auto-restart")) {
    const brief = `died (result ${unit.Result}), and systemd will restart it`;
    return { kind: "died", brief, says: brief };
  }
  if (active === "failed" || active === "inactive") return endingOfDown(unit);
  if (unit.InvocationID === invocation || active === "deactivating") return null;
  const next = `invocation ${unit.InvocationID?.slice(0, 8)} took its place`;
  // systemd counts only its own restarts, and each `systemctl restart` begins with none: so a new
  // invocation without one was asked for (systemd 252).
  if (count !== "0") {
    const brief = `died and was restarted by systemd (${count} so far)`;
    return { kind: "restarted", brief, says: `${brief}: ${next}` };
  }
  const brief = "was restarted by a person";
  return { kind: "restarted", brief, says: `${brief}: ${next}`, planned: "restart" };
}

// Between the stop and the start of a restart, a unit looks stopped for some milliseconds.
const STOP_SETTLED_MS = 500;
/**
 * Asks systemd how a start has ended, until it has settled; a stop that was asked for may take its
 * time. Null: systemd does not say, or not within `secondsMax`.
 */
export async function readEnding(
  unit: string,
  { invocation }: Identity,
  secondsMax: number,
): Promise<Ending | null> {
  const begun = performance.now();
  let stoppedAt: number | null = null;
  while (performance.now() - begun < secondsMax * 1000) {
    const answer = await observe(() => readUnit(unit));
    if (!answer.seen) return null;
    const ending = parseEnding(answer.value, invocation);
    if (ending && ending.planned !== "stop") return ending;
    if (ending) {
      stoppedAt ??= performance.now();
      if (performance.now() - stoppedAt >= STOP_SETTLED_MS) return ending;
    }
    await sleep(30);
  }
  return null;
}
