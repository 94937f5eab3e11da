/**
 * When the bot had lost its chat server, out of the marks in its log, its starts, and the health
 * document's word.
 */

import type { Cursor, Gap, Outage, Restart, Span } from "./words.ts";

type LinkLook = { from: number; age: number; at: string; connected: boolean | null };
type LinkEvent = { age: number; at: string; isBack: boolean; says: string };
/**
 * When the bot had lost its chat server, by the marks in its log, its starts, and the word of the
 * health document at the end.
 */
export function accountLinks(
  marks: readonly LinkEvent[],
  restarts: readonly Restart[],
  stops: readonly Span[],
  before: Pick<Cursor, "offline" | "joining">,
  look: LinkLook,
) {
  const { age, connected } = look;
  const outages: Outage[] = [];
  const gap = (from: number, at: string, says: string, planned: boolean | null): Gap => ({
    from,
    at,
    kind: "disconnected",
    planned,
    source: "log",
    exact: true,
    says,
  });
  const starts = restarts.map((restart) => ({
    ...restart,
    isBack: null,
    says: "was not connected yet after its start",
  }));
  // Whether a start leads to a mark of the connection shows only when it comes.
  let { offline, joining } = before;
  // A mark's whole second may have begun before the start that it follows.
  const orderOf = ({ age: when, isBack }: { age: number; isBack: boolean | null }): number =>
    isBack === null ? when - 1 : when;
  for (const event of [...marks, ...starts].sort((a, b) => orderOf(a) - orderOf(b))) {
    const isPlanned = stops.some(({ from, to }) => event.age >= from - 2 && event.age <= to);
    const since = offline ?? joining;
    if (event.isBack === null)
      joining = gap(
        event.age,
        event.at,
        event.says,
        restarts.find((restart) => restart.age === event.age)?.planned ?? null,
      );
    else if (!event.isBack) offline ??= gap(event.age, event.at, event.says, isPlanned);
    if (!event.isBack) continue;
    if (since) outages.push({ ...since, to: Math.max(since.from, event.age) });
    [offline, joining] = [null, null];
  }
  const late = offline ?? (connected === false ? joining : null);
  // The document says that it is back, or that it is away, and no mark says since when.
  if (late && connected === true)
    return {
      outages: [...outages, { ...late, to: age, exact: false }],
      offline: null,
      joining: null,
    };
  if (late)
    return {
      outages: [...outages, { ...late, to: age }],
      offline: { ...late, from: age },
      joining: null,
    };
  if (connected !== false) return { outages, offline: null, joining: connected ? null : joining };
  const unsure: Gap = {
    ...gap(look.from, look.at, "the health document says that it is not connected", false),
    source: "look",
  };
  return {
    outages: [...outages, { ...unsure, to: age, exact: false }],
    offline: { ...unsure, from: age, exact: true },
    joining: null,
  };
}
