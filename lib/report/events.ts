/** What happened in a burn-in and beside it, in order, as sentences for the report. */

import type { Standing } from "../burnin/judging.ts";
import { lengthOf } from "../burnin/spans.ts";
import type { Account, Outage, Restart } from "../burnin/words.ts";
import { round } from "../numbers.ts";
import { isoOf, plural, spanOf } from "../text.ts";
import { type Happened, KEPT } from "./gather.ts";
import type { ReportEvent } from "./render.ts";

function planning(planned: boolean | null): string {
  if (planned === null) return "planned or not";
  return planned ? "planned" : "unplanned";
}

function tellOutage(outage: Outage): Happened {
  const { at, kind, exact, planned, says } = outage;
  const length = `${exact ? "" : "at most "}${spanOf(lengthOf(outage))}`;
  return { at, kind: "outage", says: `${kind} for ${length}, ${planning(planned)}: ${says}` };
}

const tellRestart = ({ at, planned, says }: Restart): Happened => ({
  at,
  kind: "restart",
  says: `${planning(planned)}: ${says}`,
});

/** What the burn-in's own accounts tell. */
function listOwn({ summary, burnin }: Standing, accounts: readonly Account[]): Happened[] {
  const begun = Date.parse(burnin.startedAt);
  const events = summary.outages.map(tellOutage);
  events.push(...summary.restarts.map(tellRestart));
  for (const hole of summary.holes) {
    const at = isoOf(begun + hole.from * 1000);
    events.push({ at, kind: "hole", says: `nobody looked for ${spanOf(lengthOf(hole))}` });
  }
  for (const { at, jump } of accounts) {
    if (jump) events.push({ at, kind: "clock", says: `the clock was set by ${round(jump)} s` });
  }
  const { users } = summary;
  if (users) {
    const says = `${plural(users.peak, "user")}, the most of this burn-in`;
    events.push({ at: users.at, kind: "peak", says });
  }
  return events;
}

/** What happened in a burn-in and beside it, in order; of very many, the newest. */
export function listEvents(
  standing: Standing,
  accounts: readonly Account[],
  { beside, clock }: { beside: readonly Happened[]; clock: (at: string) => string },
): ReportEvent[] {
  const begun = Date.parse(standing.burnin.startedAt);
  const events = [...listOwn(standing, accounts), ...beside].map((event) => ({
    ...event,
    clock: clock(event.at),
    age: (Date.parse(event.at) - begun) / 1000,
  }));
  return events.sort((a, b) => a.age - b.age).slice(-KEPT);
}
