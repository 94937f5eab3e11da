/** Spans of time: joined, clipped, summed, and grouped. */

import { sumOf } from "../numbers.ts";
import type { Outage, Span } from "./words.ts";

export const lengthOf = ({ from, to }: Span): number => to - from;
/** Spans that touch or overlap as one, in order. */
export function joinSpans<S extends Span>(
  spans: readonly S[],
  join: (before: S, after: S) => S = (before) => before,
): S[] {
  const joined: S[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = joined.at(-1);
    if (last && span.from <= last.to + 0.001)
      joined.splice(-1, 1, {
        ...join(last, span),
        from: last.from,
        to: Math.max(last.to, span.to),
      });
    else joined.push(span);
  }
  return joined;
}
/**
 * To whole milliseconds: what is lost to floating point must not carry an uptime over its limit.
 */
export const secondsOf = (spans: readonly Span[]): number =>
  Math.round(sumOf(joinSpans(spans.map(({ from, to }) => ({ from, to }))).map(lengthOf)) * 1000) /
  1000;
export const clip = (span: Span, { from, to }: Span): Span[] =>
  span.from < to && from < span.to
    ? [{ from: Math.max(span.from, from), to: Math.min(span.to, to) }]
    : [];
/** Groups in the order of their first members. */
export function groupsOf<T>(values: readonly T[], keyOf: (value: T) => unknown): T[][] {
  const groups = new Map<unknown, T[]>();
  for (const value of values)
    groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return [...groups.values()];
}

export const joinOutages = (a: Outage, b: Outage): Outage => ({
  ...a,
  kind: a.kind === b.kind ? a.kind : "down",
  planned:
    a.planned === b.planned ? a.planned : a.planned === false || b.planned === false ? false : null,
  says: [...new Set([a.says, b.says])].join("; "),
});
