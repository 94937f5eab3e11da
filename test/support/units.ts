/** What systemctl shows of the bot's unit: running, and as a test changes it. */
import type { UnitProperties } from "../../lib/probes/unit.ts";

/** The order of a stop that was asked for; the captures are older than the question. */
export const asked = {
  InactiveExitTimestampMonotonic: "100",
  ActiveExitTimestampMonotonic: "200",
  ExecMainExitTimestampMonotonic: "210",
};

/** The invocation that a bot was started with, and the one that took its place. */
export const [first, second] = ["a".repeat(32), "b".repeat(32)] as const;

export const unitOf = (over: UnitProperties = {}): UnitProperties => ({
  Id: "cytube-bot.service",
  LoadState: "loaded",
  ActiveState: "active",
  SubState: "running",
  Result: "success",
  MainPID: "4711",
  NRestarts: "0",
  InvocationID: first,
  ...over,
});

export const showOf = (unit: UnitProperties): string =>
  Object.entries(unit)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
