/** What happened in a burn-in and beside it, in order. */

import type { Standing } from "../burnin/judging.ts";
import { lengthOf } from "../burnin/spans.ts";
import type { Account } from "../burnin/words.ts";
import { round } from "../numbers.ts";
import { isoOf, plural, spanOf } from "../text.ts";
import { type Happened, KEPT } from "./gather.ts";
import type { ReportView } from "./render.ts";

/** What happened in a burn-in and beside it, in order. */
export function listEvents(
  { summary, burnin }: Standing,
  accounts: readonly Account[],
  beside: readonly Happened[],
  clock: (at: string) => string,
): ReportView["events"] {
  const begun = Date.parse(burnin.startedAt);
  const planning = (planned: boolean | null): string =>
    planned ? "planned" : planned === null ? "planned or not" : "unplanned";
  const events: Happened[] = [
    ...summary.outages.map(({ at, kind, exact, planned, says, ...span }): Happened => {
      return {
        at,
        kind: "outage",
        says: `${kind} for ${exact ? "" : "at most "}${spanOf(lengthOf(span))}, ${planning(planned)}: ${says}`,
      };
    }),
    ...summary.restarts.map(
      ({ at, planned, says }): Happened => ({
        at,
        kind: "restart",
        says: `${planning(planned)}: ${says}`,
      }),
    ),
    ...summary.holes.map(
      (hole): Happened => ({
        at: isoOf(begun + hole.from * 1000),
        kind: "hole",
        says: `nobody looked for ${spanOf(lengthOf(hole))}`,
      }),
    ),
    ...accounts.flatMap(({ at, jump }): Happened[] =>
      jump ? [{ at, kind: "clock", says: `the clock was set by ${round(jump)} s` }] : [],
    ),
    ...(summary.users
      ? [
          {
            at: summary.users.at,
            kind: "peak" as const,
            says: `${plural(summary.users.peak, "user")}, the most of this burn-in`,
          },
        ]
      : []),
    ...beside,
  ];
  const placed = events.map((event) => ({
    ...event,
    clock: clock(event.at),
    age: (Date.parse(event.at) - begun) / 1000,
  }));
  return placed.sort((a, b) => a.age - b.age).slice(-KEPT);
}
