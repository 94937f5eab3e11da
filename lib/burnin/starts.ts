/**
 * When the bot's process was down and began anew, out of what PID 1 says of its unit, or else out
 * of two looks.
 */

import { UNIT_MESSAGES } from "../dialects.ts";
import type { JournalEntry } from "../probes/journal.ts";
import { isoOf } from "../text.ts";
import { type Identity, startOf } from "../vocabulary.ts";
import type { Cursor, Gap, Moment, Outage, Restart, Span } from "./words.ts";

type UnitEvent = {
  kind: "stopping" | "ended" | "started";
  age: number;
  at: string;
  bootId: string;
  says: string;
};
/**
 * PID 1's entries about a unit, as events; others, such as the end of a hook's process, say nothing
 * of the bot.
 */
export function parseUnitEvents(
  entries: readonly JournalEntry[],
  ageOf: (entry: JournalEntry) => number,
): UnitEvent[] {
  return entries.flatMap((entry): UnitEvent[] => {
    const kind = UNIT_MESSAGES[entry.messageId ?? ""];
    const isHook = /Control process exited/.test(entry.message);
    const says = entry.message.replace(/^\S+: /, "").replace(/\.$/, "");
    return kind && !isHook
      ? [{ kind, age: ageOf(entry), at: isoOf(entry.at), bootId: entry.bootId, says }]
      : [];
  });
}

/**
 * When a unit was down and started again. It was asked to where systemd says that it stops it
 * before its process ends (systemd 252).
 */
export function parseUnitHistory(
  events: readonly UnitEvent[],
  before: Pick<Cursor, "age" | "at" | "bootId" | "down" | "stopping">,
  hostEnd: Pick<Gap, "from" | "at"> | null,
  now: Pick<Moment, "at" | "bootId"> & { age: number; isUp: boolean },
) {
  const [outages, restarts, stops]: [Outage[], Restart[], Span[]] = [[], [], []];
  let { bootId, down, stopping } = before;
  const fall = (gap: Pick<Gap, "from" | "at" | "planned" | "says">, exact = true): void => {
    down ??= { ...gap, kind: "down", source: "journal", exact };
  };
  const boot = (next: string): void => {
    const says = stopping === null ? "the host went down without a shutdown" : "stopped on request";
    if (next !== bootId && hostEnd) fall({ ...hostEnd, planned: stopping !== null, says });
    // A journal that is kept in memory ends with its boot.
    else if (next !== bootId)
      fall(
        { from: before.age, at: before.at, planned: null, says: "the host was restarted" },
        false,
      );
    bootId = next;
  };
  for (const { kind, age: when, at, says, ...event } of events) {
    boot(event.bootId);
    if (kind === "stopping") stopping = when;
    if (kind === "ended")
      fall({
        from: when,
        at,
        planned: stopping !== null,
        says: stopping === null ? says : "stopped on request",
      });
    if (kind !== "started") continue;
    if (down) outages.push({ ...down, to: when });
    if (down?.planned) stops.push({ from: stopping ?? down.from, to: when });
    restarts.push({
      at,
      age: when,
      planned: down?.planned ?? null,
      says: down?.says ?? "started, and nobody saw the end before it",
    });
    [down, stopping] = [null, null];
  }
  const { age } = now;
  if (!now.isUp) boot(now.bootId);
  const open = down as Gap | null;
  if (open) outages.push({ ...open, to: age });
  if (open?.planned || stopping !== null)
    stops.push({ from: stopping ?? open?.from ?? age, to: age });
  return {
    outages,
    restarts,
    stops,
    down: open && { ...open, from: age },
    stopping: open ? null : stopping,
  };
}

/**
 * Where no unit is: another process than at the last look means that it was restarted, and nobody
 * can tell when it ended, or why.
 */
export function accountProcess(
  before: Cursor,
  identity: Identity | null,
  trouble: string | null,
  now: Moment,
  age: number,
) {
  const start = identity && startOf(identity);
  const begun = identity
    ? Math.max(before.age, age - (Date.parse(now.at) - identity.startedAt) / 1000)
    : age;
  const lost: Gap = {
    from: before.age,
    at: before.at,
    kind: "down",
    planned: null,
    source: "look",
    exact: before.down !== null,
    says: trouble ?? "another process runs",
  };
  const isOther = before.start !== null && start !== null && start !== before.start;
  const restarts: Restart[] =
    isOther || (before.down && start)
      ? [
          {
            at: isoOf(identity?.startedAt ?? 0),
            age: begun,
            planned: null,
            says: "another process runs than at the last look",
          },
        ]
      : [];
  const isDown = identity === null;
  const outages = restarts.length || isDown ? [{ ...lost, to: begun }] : [];
  return {
    outages,
    restarts,
    stops: [] as Span[],
    down: isDown ? { ...lost, from: age, exact: true } : null,
    stopping: null,
  };
}
