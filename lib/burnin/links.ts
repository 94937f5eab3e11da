/**
 * When the bot had lost its chat server, out of the marks in its log, its starts, and the health
 * document's word. It reads nothing itself.
 */

import type { Cursor, Gap, Outage, Restart, Span } from "./words.ts";

/**
 * A stop on request ends the connection a moment before systemd says that it stops the unit, and a
 * stamp of whole seconds makes it two.
 */
const STOP_SLACK_SECONDS = 2;
/** A mark's whole second may have begun before the start that it follows. */
const STAMP_SLACK_SECONDS = 1;

/** What the log, and the starts of the bot, tell of an interval; ages in seconds of the burn-in. */
type LinkInput = {
  marks: readonly { age: number; at: string; isBack: boolean; says: string }[];
  restarts: readonly Restart[];
  /** The stops on request, until the next start. */
  stops: readonly Span[];
};

/**
 * The interval itself. `at` is the ISO time of `from`; `connected` is the health document's word at
 * `age`, null where it has none.
 */
type LinkLook = {
  from: number;
  age: number;
  at: string;
  connected: boolean | null;
};

/** What is known of the connection at the end of an interval. */
export type Links = {
  outages: Outage[];
  offline: Gap | null;
  joining: Gap | null;
};

type LinkEvent = {
  kind: "lost" | "back" | "start";
  age: number;
  at: string;
  says: string;
  planned: boolean | null;
};

/** Marks and starts in order. */
function orderEvents({ marks, restarts, stops }: LinkInput): LinkEvent[] {
  const isStopped = (age: number): boolean =>
    stops.some(({ from, to }) => age >= from - STOP_SLACK_SECONDS && age <= to);
  const events = marks.map(
    ({ age, at, isBack, says }): LinkEvent => ({
      kind: isBack ? "back" : "lost",
      age,
      at,
      says,
      planned: isStopped(age),
    }),
  );
  for (const { age, at, planned } of restarts) {
    events.push({ kind: "start", age, at, says: "was not connected yet after its start", planned });
  }
  const orderOf = ({ kind, age }: LinkEvent): number =>
    kind === "start" ? age - STAMP_SLACK_SECONDS : age;
  return events.sort((a, b) => orderOf(a) - orderOf(b));
}

const gapSince = ({ age, at, says, planned }: LinkEvent): Gap => ({
  from: age,
  at,
  kind: "disconnected",
  planned,
  source: "log",
  exact: true,
  says,
});

/** What the events tell, each by itself: lost, back, or begun anew. */
function followEvents(
  events: readonly LinkEvent[],
  before: Pick<Cursor, "offline" | "joining">,
): Links {
  const links: Links = { outages: [], offline: before.offline, joining: before.joining };
  for (const event of events) {
    switch (event.kind) {
      case "lost":
        links.offline ??= gapSince(event);
        break;
      case "start":
        // Whether a start leads to a mark of the connection shows only when it comes.
        links.joining = gapSince(event);
        break;
      case "back": {
        const since = links.offline ?? links.joining;
        if (since) links.outages.push({ ...since, to: Math.max(since.from, event.age) });
        links.offline = null;
        links.joining = null;
      }
    }
  }
  return links;
}

/** The document says that the bot is away, and no mark says since when. */
function awayByDocument(outages: readonly Outage[], { from, at, age }: LinkLook): Links {
  const unsure: Gap = {
    from,
    at,
    kind: "disconnected",
    planned: false,
    source: "look",
    exact: false,
    says: "the health document says that it is not connected",
  };
  return {
    outages: [...outages, { ...unsure, to: age }],
    offline: { ...unsure, from: age, exact: true },
    joining: null,
  };
}

/**
 * When the bot had lost its chat server, by the marks in its log, its starts, and the word of the
 * health document at the end.
 */
export function accountLinks(
  input: LinkInput,
  before: Pick<Cursor, "offline" | "joining">,
  look: LinkLook,
): Links {
  const { outages, offline, joining } = followEvents(orderEvents(input), before);
  const { age, connected } = look;
  const open = offline ?? (connected === false ? joining : null);
  if (open && connected === true) {
    // The document says that it is back, and no mark says since when.
    const outage = { ...open, to: age, exact: false };
    return { outages: [...outages, outage], offline: null, joining: null };
  }
  if (open) {
    const outage = { ...open, to: age };
    return { outages: [...outages, outage], offline: { ...open, from: age }, joining: null };
  }
  if (connected === false) return awayByDocument(outages, look);
  return { outages, offline: null, joining: connected ? null : joining };
}
