/** Spans of time: joined, clipped, summed, and grouped. */

import { sumOf } from "../numbers.ts";
import type { Outage, Span } from "./words.ts";

export const lengthOf = ({ from, to }: Span): number => to - from;

/** Ages are rounded to milliseconds, so spans that are nearer than that touch. */
const TOUCH_SECONDS = 0.001;

/** Spans that touch or overlap as one, in order. */
export function joinSpans<S extends Span>(
  spans: readonly S[],
  join: (before: S, after: S) => S = (before) => before,
): S[] {
  const joined: S[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = joined.at(-1);
    if (last && span.from <= last.to + TOUCH_SECONDS) {
      joined.pop();
      joined.push({ ...join(last, span), from: last.from, to: Math.max(last.to, span.to) });
    } else {
      joined.push(span);
    }
  }
  return joined;
}

/**
 * The seconds that spans cover together, to whole milliseconds: what is lost to floating point must
 * not carry an uptime over its limit.
 */
export function secondsOf(spans: readonly Span[]): number {
  const joined = joinSpans(spans.map(({ from, to }) => ({ from, to })));
  return Math.round(sumOf(joined.map(lengthOf)) * 1000) / 1000;
}

/** What two spans have in common: one span, or none. */
export function clip(a: Span, b: Span): Span[] {
  if (a.from >= b.to || b.from >= a.to) return [];
  return [{ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }];
}

/** Groups in the order of their first members. */
export function groupsOf<T>(values: readonly T[], keyOf: (value: T) => unknown): T[][] {
  const groups = new Map<unknown, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return [...groups.values()];
}

/** Whether an outage that two have become was planned: not where a part of it was not. */
function isPlanned(a: Outage, b: Outage): boolean | null {
  if (a.planned === b.planned) return a.planned;
  return a.planned === false || b.planned === false ? false : null;
}

/** Two outages that touch, as one; its ends are joinSpans()'s. */
export const joinOutages = (a: Outage, b: Outage): Outage => ({
  ...a,
  kind: a.kind === b.kind ? a.kind : "down",
  planned: isPlanned(a, b),
  says: [...new Set([a.says, b.says])].join("; "),
});
