/**
 * When the bot's process was down and began anew, out of what PID 1 says of its unit, or else out
 * of two looks.
 */

import { UNIT_MESSAGES } from "../dialects.ts";
import type { JournalEntry } from "../probes/journal.ts";
import { isoOf } from "../text.ts";
import { type Identity, startOf } from "../vocabulary.ts";
import type { Cursor, Gap, Moment, Outage, Restart, Span } from "./words.ts";

/** An entry of PID 1; `age` is in seconds since the burn-in began. */
type UnitEvent = {
  kind: "stopping" | "ended" | "started";
  age: number;
  at: string;
  bootId: string;
  says: string;
};

/** When the bot was down in an interval, and what has no end yet. */
export type UnitHistory = {
  outages: Outage[];
  restarts: Restart[];
  /** Stops on request, from their beginning to the next start, or to the end of the interval. */
  stops: Span[];
  down: Gap | null;
  /** The age at which a stop began whose end is yet to come. */
  stopping: number | null;
};

/**
 * PID 1's entries about a unit, as events; others, such as the end of a hook's process, say nothing
 * of the bot.
 */
export function parseUnitEvents(
  entries: readonly JournalEntry[],
  ageOf: (entry: JournalEntry) => number,
): UnitEvent[] {
  const events: UnitEvent[] = [];
  for (const entry of entries) {
    const kind = UNIT_MESSAGES[entry.messageId ?? ""];
    const isHook = /Control process exited/.test(entry.message);
    if (!kind || isHook) continue;
    const says = entry.message.replace(/^\S+: /, "").replace(/\.$/, "");
    events.push({ kind, age: ageOf(entry), at: isoOf(entry.at), bootId: entry.bootId, says });
  }
  return events;
}

/** What a history goes on from. */
export type UnitBefore = Pick<Cursor, "age" | "at" | "bootId" | "down" | "stopping">;
/**
 * The end of an interval. `hostEnd` is the last that the journal has of the boot before, null where
 * there was none or where it has nothing of it.
 */
type UnitNow = {
  age: number;
  bootId: string;
  isUp: boolean;
  hostEnd: Pick<Gap, "from" | "at"> | null;
};

/** The history so far, and the boot that it is in. */
type Walk = UnitHistory & { bootId: string };

/** The bot ended; an end after an end, such as that of a start that failed, is no other outage. */
function endBot(walk: Walk, gap: Omit<Gap, "kind" | "source">): void {
  walk.down ??= { ...gap, kind: "down", source: "journal" };
}

const STOPPED = "stopped on request";

/** A boot ended, and with it the bot. */
function crossBoot(walk: Walk, before: UnitBefore, hostEnd: UnitNow["hostEnd"]): void {
  if (!hostEnd) {
    // A journal that is kept in memory ends with its boot.
    const says = "the host was restarted";
    endBot(walk, { from: before.age, at: before.at, planned: null, exact: false, says });
    return;
  }
  const planned = walk.stopping !== null;
  const says = planned ? STOPPED : "the host went down without a shutdown";
  endBot(walk, { ...hostEnd, planned, exact: true, says });
}

function startBot(walk: Walk, { age, at }: UnitEvent): void {
  const { down } = walk;
  if (down) walk.outages.push({ ...down, to: age });
  if (down?.planned) walk.stops.push({ from: walk.stopping ?? down.from, to: age });
  walk.restarts.push({
    at,
    age,
    planned: down?.planned ?? null,
    says: down?.says ?? "started, and nobody saw the end before it",
  });
  walk.down = null;
  walk.stopping = null;
}

/** A stop on request is one where systemd says that it stops the unit before its process ends. */
function followEvent(walk: Walk, event: UnitEvent): void {
  const { kind, age, at, says } = event;
  switch (kind) {
    case "stopping":
      walk.stopping = age;
      break;
    case "ended": {
      const planned = walk.stopping !== null;
      endBot(walk, { from: age, at, planned, exact: true, says: planned ? STOPPED : says });
      break;
    }
    case "started":
      startBot(walk, event);
  }
}

/**
 * When a unit was down and started again. It was asked to where systemd says that it stops it
 * before its process ends (systemd 252).
 */
export function parseUnitHistory(
  events: readonly UnitEvent[],
  before: UnitBefore,
  now: UnitNow,
): UnitHistory {
  const { down, stopping } = before;
  const walk: Walk = {
    outages: [],
    restarts: [],
    stops: [],
    down,
    stopping,
    bootId: before.bootId,
  };
  const enterBoot = (bootId: string): void => {
    if (bootId !== walk.bootId) crossBoot(walk, before, now.hostEnd);
    walk.bootId = bootId;
  };
  for (const event of events) {
    enterBoot(event.bootId);
    followEvent(walk, event);
  }
  // Of a bot that is up, its start in this boot is among the events.
  if (!now.isUp) enterBoot(now.bootId);
  const { age } = now;
  const { outages, restarts, stops, down: open } = walk;
  if (open) outages.push({ ...open, to: age });
  if (open?.planned || walk.stopping !== null) {
    stops.push({ from: walk.stopping ?? open?.from ?? age, to: age });
  }
  return {
    outages,
    restarts,
    stops,
    down: open && { ...open, from: age },
    stopping: open ? null : walk.stopping,
  };
}

/** What a look has found of the bot's process; `trouble` says why there is none. */
type ProcessNow = {
  identity: Identity | null;
  trouble: string | null;
  now: Moment;
  age: number;
};

/**
 * Where no unit is: another process than at the last look means that it was restarted, and nobody
 * can tell when it ended, or why.
 */
export function accountProcess(before: Cursor, look: ProcessNow): UnitHistory {
  const { identity, trouble, now, age } = look;
  const lost: Gap = {
    from: before.age,
    at: before.at,
    kind: "down",
    planned: null,
    source: "look",
    exact: before.down !== null,
    says: trouble ?? "another process runs",
  };
  if (!identity) {
    return {
      outages: [{ ...lost, to: age }],
      restarts: [],
      stops: [],
      down: { ...lost, from: age, exact: true },
      stopping: null,
    };
  }
  const { startedAt } = identity;
  const isOther = before.start !== null && startOf(identity) !== before.start;
  if (!isOther && !before.down) {
    return { outages: [], restarts: [], stops: [], down: null, stopping: null };
  }
  const begun = Math.max(before.age, age - (Date.parse(now.at) - startedAt) / 1000);
  const says = "another process runs than at the last look";
  return {
    outages: [{ ...lost, to: begun }],
    restarts: [{ at: isoOf(startedAt), age: begun, planned: null, says }],
    stops: [],
    down: null,
    stopping: null,
  };
}
