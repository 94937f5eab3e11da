/**
 * Everything that is known of a burn-in, out of its accounts in any order, however often each is
 * given. It sums up and judges nothing.
 */

import { mean, median, slopeOf, steadyGrowth, sumOf } from "../numbers.ts";
import { comparePrometheus } from "../probes/prometheus.ts";
import type { BandName } from "../rules.ts";
import { type Band, summarizeBand } from "./bands.ts";
import { groupsOf, joinOutages, joinSpans, lengthOf, secondsOf } from "./spans.ts";
import type { Account, Burnin, Outage, Restart, Span } from "./words.ts";

/** Growth of the memory, in MB an hour, with its 95 % interval. */
export type Growth = {
  perHour: number;
  low: number;
  high: number;
};

/** Percent of the time: `low` counts what nobody saw as lost, `high` does not. */
export type Uptime = {
  low: number;
  high: number;
};

/** What is known of a burn-in. Times are seconds since it began, unless a name says otherwise. */
export type Summary = {
  /** Until the end of the newest account. */
  age: number;
  /** Seconds that accounts cover, and the times that none does. */
  covered: number;
  holes: Span[];
  looks: number;
  uptime: Uptime;
  /** Overlapping ones as one; the exact apart from the mere bounds. */
  outages: Outage[];
  /** Exact ones only. */
  downSeconds: {
    planned: number;
    unplanned: number;
  };
  restarts: Restart[];
  errors: number;
  /** No account has counted: the config says why. */
  errorsOff: boolean;
  /** Some account has not counted. */
  errorsUnseen: boolean;
  errorsPerMinute: number;
  warnings: number;
  /** How many fired, each counted once; null where no source of alerts was asked. */
  alerts: number | null;
  alertsCritical: number | null;
  /** Averages over time; null where nothing was measured. */
  responseMs: number | null;
  cpuPercent: number | null;
  /** Milliseconds; 0 where it does not grow steadily. */
  responseGrowsBy: number;
  /** Null: too few samples. */
  memory: Growth | null;
  memoryPeakMb: number | null;
  /** `at` is ISO 8601. */
  users: { peak: number; at: string } | null;
  bands: Record<BandName, Band>;
  /** What nobody saw, and where Prometheus disagrees with the log, in sentences. */
  unseen: string[];
  disagreements: string[];
};

/**
 * Growth per hour (a 24th of the burn-in) over hourly medians, after an hour of warm-up, between
 * restarts: each start begins anew.
 */
function growthOf(
  accounts: readonly Account[],
  restarts: readonly Restart[],
  hourSeconds: number,
): Growth | null {
  const starts = [0, ...restarts.map(({ age }) => age)];
  const segments = starts.map((start, index) => {
    const end = starts[index + 1] ?? Infinity;
    const samples = accounts.flatMap(({ to: age, memoryMb: value }) =>
      value !== null && age > start + hourSeconds && age <= end ? [{ age, value }] : [],
    );
    const blocks = groupsOf(samples, ({ age }) => Math.floor(age / hourSeconds));
    return blocks.map((block) => ({
      age: mean(block.map(({ age }) => age)),
      value: median(block.map(({ value }) => value)),
    }));
  });
  const found = slopeOf(segments);
  if (!found) return null;
  const { slope, low, high } = found;
  return { perHour: slope * hourSeconds, low: low * hourSeconds, high: high * hourSeconds };
}

/**
 * The average over time: a look stands for the time since the one before, or the 16 looks of the
 * first 4 hours would outweigh the day.
 */
function averageOf(accounts: readonly Account[], name: "responseMs" | "cpuPercent"): number | null {
  const samples = accounts
    .flatMap(({ [name]: value, to }) => (typeof value === "number" ? [{ to, value }] : []))
    .sort((a, b) => a.to - b.to);
  if (!samples.length) return null;
  const weights = samples.map(({ to }, index) => Math.max(1, to - (samples[index - 1]?.to ?? 0)));
  const weighted = samples.map(({ value }, index) => value * (weights[index] as number));
  // 100 ms all day are not 99.99999999999999.
  return Number((sumOf(weighted) / sumOf(weights)).toPrecision(12));
}

/** Of accounts that begin together, the longest has counted what the others have. */
export function orderAccounts(given: readonly Account[]): Account[] {
  const longest = groupsOf(given, ({ from }) => from).map((same) =>
    same.reduce((a, b) => (b.to > a.to ? b : a)),
  );
  return longest.sort((a, b) => a.from - b.from);
}

/** The times before and between joined spans; less than a second is the clocks' own doubt. */
function holesBetween(spans: readonly Span[]): Span[] {
  const ends = [0, ...spans.map(({ to }) => to)];
  return spans
    .map((span, index) => ({ from: ends[index] as number, to: span.from }))
    .filter((hole) => lengthOf(hole) > 1);
}

/** How long the bot was away, and the uptime that follows, within `age` seconds. */
function measureUptime(
  outages: readonly Outage[],
  holes: readonly Span[],
  age: number,
): Pick<Summary, "uptime" | "downSeconds"> {
  const exact = outages.filter((outage) => outage.exact);
  const down = secondsOf(exact);
  const unplanned = secondsOf(exact.filter(({ planned }) => planned !== true));
  const percentOf = (lost: number): number => (age ? 100 * (1 - lost / age) : 100);
  return {
    uptime: { low: percentOf(secondsOf([...outages, ...holes])), high: percentOf(down) },
    downSeconds: { planned: down - unplanned, unplanned },
  };
}

/** In order, each once: two accounts may tell of the same one. */
function listRestarts(accounts: readonly Account[]): Restart[] {
  const all = accounts.flatMap(({ restarts }) => restarts);
  const alike = groupsOf(all, ({ at, says }) => at + says);
  return alike.map(([first]) => first as Restart).sort((a, b) => a.age - b.age);
}

/** Errors and warnings of those accounts that could count them. */
function countErrors(
  accounts: readonly Account[],
): Pick<Summary, "errors" | "errorsOff" | "errorsUnseen" | "warnings"> {
  const counted = accounts.filter(({ errors }) => errors !== null);
  return {
    errors: sumOf(counted.map(({ errors }) => errors ?? 0)),
    errorsOff: counted.length === 0,
    errorsUnseen: counted.length < accounts.length,
    warnings: sumOf(accounts.map(({ warnings }) => warnings)),
  };
}

/** An alert that several looks have seen is one; the same one that fires again is another. */
function countAlerts(accounts: readonly Account[]): Pick<Summary, "alerts" | "alertsCritical"> {
  if (accounts.every(({ alerts }) => alerts === null)) {
    return { alerts: null, alertsCritical: null };
  }
  const all = accounts.flatMap(({ alerts }) => alerts ?? []);
  const alike = groupsOf(all, ({ name, since }) => `${name} ${since}`);
  const critical = alike.filter(([first]) => first?.severity === "critical");
  return { alerts: alike.length, alertsCritical: critical.length };
}

/** The most users that a look has seen, and when first. */
function peakUsers(accounts: readonly Account[]): Summary["users"] {
  let peak: Summary["users"] = null;
  for (const { users, at } of accounts) {
    if (users !== null && (peak === null || users > peak.peak)) peak = { peak: users, at };
  }
  return peak;
}

/** Those that are exact are joined among themselves, and so are the mere bounds. */
function listOutages(outages: readonly Outage[]): Outage[] {
  return groupsOf(outages, ({ exact }) => exact)
    .flatMap((alike) => joinSpans(alike, joinOutages))
    .sort((a, b) => a.from - b.from);
}

/** Where Prometheus, as the newest account asked it, disagrees with what the log has. */
function listDisagreements(
  accounts: readonly Account[],
  outages: readonly Outage[],
  known: Pick<Summary, "age" | "uptime" | "errors" | "restarts" | "memory">,
): string[] {
  const view = accounts.at(-1)?.prometheus;
  if (!view) return [];
  const { age, uptime, errors, restarts, memory } = known;
  const inLog = {
    uptimeLow: uptime.low,
    uptimeHigh: uptime.high,
    errors,
    restarts: restarts.length,
    memoryMbPerHour: memory?.perHour ?? null,
    outages: outages.length,
  };
  return comparePrometheus(view, inLog, age);
}

/**
 * Everything that is known of a burn-in, out of its accounts in any order, however often each is
 * given.
 */
export function summarizeBurnin(
  burnin: Burnin,
  given: readonly Account[],
  timeZone: string,
): Summary {
  const accounts = orderAccounts(given);
  const spans = joinSpans(accounts.map(({ from, to }) => ({ from, to })));
  const age = spans.at(-1)?.to ?? 0;
  const holes = holesBetween(spans);
  const outages = accounts.flatMap((account) => account.outages);
  const { uptime, downSeconds } = measureUptime(outages, holes, age);
  const restarts = listRestarts(accounts);
  const counted = countErrors(accounts);
  const { errors } = counted;
  const memory = growthOf(accounts, restarts, burnin.seconds / 24);
  const memorySamples = accounts.flatMap(({ memoryMb }) => memoryMb ?? []);
  const down = outages.filter(({ exact }) => exact);
  const bandInput = { burnin, accounts, holes, down, timeZone };
  return {
    age,
    covered: sumOf(spans.map(lengthOf)),
    holes,
    looks: sumOf(accounts.map(({ looks }) => looks ?? 1)),
    uptime,
    outages: listOutages(outages),
    downSeconds,
    restarts,
    ...counted,
    errorsPerMinute: age ? errors / (age / 60) : 0,
    ...countAlerts(accounts),
    responseMs: averageOf(accounts, "responseMs"),
    responseGrowsBy: steadyGrowth(
      accounts.flatMap(({ responseMs }) => responseMs ?? []),
      burnin.limits.trend,
    ),
    cpuPercent: averageOf(accounts, "cpuPercent"),
    memory,
    memoryPeakMb: memorySamples.length ? Math.max(...memorySamples) : null,
    users: peakUsers(accounts),
    bands: {
      peak: summarizeBand("peak", bandInput),
      offPeak: summarizeBand("offPeak", bandInput),
    },
    unseen: [...new Set(accounts.flatMap(({ unseen }) => unseen))],
    disagreements: listDisagreements(accounts, outages, { age, uptime, errors, restarts, memory }),
  };
}

/** Those that nobody planned, and those of which nobody can tell. */
export function countRestarts(restarts: readonly Restart[]): {
  unplanned: number;
  unclear: number;
} {
  const count = (planned: boolean | null): number =>
    restarts.filter((restart) => restart.planned === planned).length;
  return { unplanned: count(false), unclear: count(null) };
}
