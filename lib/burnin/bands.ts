/** The hours of the day that a burn-in has to have seen: when they were, and what happened in them. */

import { mean, sumOf } from "../numbers.ts";
import type { BandName } from "../rules.ts";
import { clip, joinSpans, lengthOf, secondsOf } from "./spans.ts";
import type { Account, Burnin, Span } from "./words.ts";

const QUARTER_MS = 900_000; // Offsets of time zones are multiples of it.
const hourFormats = new Map<string, Intl.DateTimeFormat>();
/**
 * The spans between two hours of the day within two times in epoch milliseconds; daylight saving
 * makes some shorter or longer.
 */
export function bandSpans(
  [first, end]: readonly [number, number],
  fromMs: number,
  toMs: number,
  timeZone: string,
): Span[] {
  const known = hourFormats.get(timeZone);
  const format =
    known ?? new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone });
  hourFormats.set(timeZone, format);
  const spans: Span[] = [];
  for (let at = fromMs; at < toMs; ) {
    const next = Math.min(toMs, (Math.floor(at / QUARTER_MS) + 1) * QUARTER_MS);
    const hour = Number(format.format(at));
    if (hour >= first && hour < end) spans.push({ from: at, to: next });
    at = next;
  }
  return joinSpans(spans);
}

/**
 * What a band has seen: `due` seconds until now, `covered` by accounts, and what happened in it.
 * Errors are shared out by time.
 */
export function summarizeBand(
  name: BandName,
  burnin: Burnin,
  accounts: readonly Account[],
  spans: Record<"holes" | "down", Span[]>,
  timeZone: string,
) {
  const begun = Date.parse(burnin.startedAt);
  const hours = burnin.limits.bands[name];
  const pieces = accounts.flatMap((account) => {
    const end = Date.parse(account.at);
    const ageOf = (at: number): number => account.to - (end - at) / 1000;
    const within = bandSpans(hours, end - lengthOf(account) * 1000, end, timeZone);
    return within.map(({ from, to }) => ({
      account,
      from: ageOf(from),
      to: ageOf(to),
      isLook: to === end,
    }));
  });
  const lost = spans.down.flatMap((outage) => pieces.flatMap((piece) => clip(outage, piece)));
  const looks = pieces.flatMap(({ account, isLook }) => (isLook ? [account] : []));
  const times = looks.flatMap(({ responseMs }) => responseMs ?? []);
  const covered = sumOf(pieces.map(lengthOf));
  // By the clock of each account, which may have been set since the beginning.
  const missed = spans.holes.flatMap(({ from, to }) =>
    bandSpans(hours, begun + from * 1000, begun + to * 1000, timeZone),
  );
  return {
    ...{ due: covered + sumOf(missed.map(lengthOf)) / 1000, covered },
    errors: sumOf(
      pieces.map(
        (piece) =>
          ((piece.account.errors ?? 0) * lengthOf(piece)) / Math.max(1, lengthOf(piece.account)),
      ),
    ),
    downSeconds: secondsOf(lost),
    responseMs: times.length ? mean(times) : null,
    looks: looks.length,
  };
}
