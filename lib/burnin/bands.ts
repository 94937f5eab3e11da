/** The hours of the day that a burn-in has to have seen: when they were, what happened in them. */

import { mean, sumOf } from "../numbers.ts";
import type { BandName } from "../rules.ts";
import { clip, joinSpans, lengthOf, secondsOf } from "./spans.ts";
import type { Account, Burnin, Span } from "./words.ts";

const QUARTER_MS = 900_000; // Offsets of time zones are multiples of it.
// Making a format costs more than all that it is used for.
const hourFormats = new Map<string, Intl.DateTimeFormat>();

function hourFormatOf(timeZone: string): Intl.DateTimeFormat {
  const known = hourFormats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone });
  hourFormats.set(timeZone, format);
  return format;
}

/**
 * The spans between two hours of the day within a span, both in epoch milliseconds; daylight saving
 * makes some shorter or longer.
 */
export function bandSpans(
  [first, end]: readonly [number, number],
  within: Span,
  timeZone: string,
): Span[] {
  const format = hourFormatOf(timeZone);
  const spans: Span[] = [];
  let from = within.from;
  while (from < within.to) {
    const to = Math.min(within.to, (Math.floor(from / QUARTER_MS) + 1) * QUARTER_MS);
    const hour = Number(format.format(from));
    if (hour >= first && hour < end) spans.push({ from, to });
    from = to;
  }
  return joinSpans(spans);
}

/** What a band of hours has seen so far. */
export type Band = {
  /** Seconds of it until now; of these, `covered` were accounted for. */
  due: number;
  covered: number;
  /** Those of an account that is partly in the band are shared out by time. */
  errors: number;
  downSeconds: number;
  /** Average over the looks; null where none measured it. */
  responseMs: number | null;
  looks: number;
};

/** What of an account lies in a band, in seconds since the burn-in began. */
type Piece = Span & {
  account: Account;
  /** The account's own look, at its end, was in the band. */
  isLook: boolean;
};

/** The hours of the day go by the clock of the account, which may have been set since. */
function piecesOf(account: Account, hours: readonly [number, number], timeZone: string): Piece[] {
  const endMs = Date.parse(account.at);
  const ageOf = (atMs: number): number => account.to - (endMs - atMs) / 1000;
  const whole = { from: endMs - lengthOf(account) * 1000, to: endMs };
  return bandSpans(hours, whole, timeZone).map(({ from, to }) => ({
    account,
    from: ageOf(from),
    to: ageOf(to),
    isLook: to === endMs,
  }));
}

function errorsIn(piece: Piece): number {
  const { account } = piece;
  return ((account.errors ?? 0) * lengthOf(piece)) / Math.max(1, lengthOf(account));
}

/** What the bands are summed up from: `holes` are times that no account covers. */
type BandInput = {
  burnin: Burnin;
  accounts: readonly Account[];
  holes: readonly Span[];
  down: readonly Span[];
  timeZone: string;
};

/** Seconds of a band that no account covers, by the clock as it stood when the burn-in began. */
function missedSeconds(
  hours: readonly [number, number],
  { burnin, holes, timeZone }: BandInput,
): number {
  const begunMs = Date.parse(burnin.startedAt);
  const missed = holes.flatMap(({ from, to }) =>
    bandSpans(hours, { from: begunMs + from * 1000, to: begunMs + to * 1000 }, timeZone),
  );
  return sumOf(missed.map(lengthOf)) / 1000;
}

export function summarizeBand(name: BandName, input: BandInput): Band {
  const { burnin, accounts, down, timeZone } = input;
  const hours = burnin.limits.bands[name];
  const pieces = accounts.flatMap((account) => piecesOf(account, hours, timeZone));
  const lost = down.flatMap((outage) => pieces.flatMap((piece) => clip(outage, piece)));
  const looks = pieces.filter(({ isLook }) => isLook).map(({ account }) => account);
  const times = looks.flatMap(({ responseMs }) => responseMs ?? []);
  const covered = sumOf(pieces.map(lengthOf));
  return {
    due: covered + missedSeconds(hours, input),
    covered,
    errors: sumOf(pieces.map(errorsIn)),
    downSeconds: secondsOf(lost),
    responseMs: times.length ? mean(times) : null,
    looks: looks.length,
  };
}
