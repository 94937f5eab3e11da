/**
 * Everything that is known of a burn-in, out of its accounts in any order, however often each is
 * given.
 */

import { mean, median, slopeOf, steadyGrowth, sumOf } from "../numbers.ts";
import { comparePrometheus } from "../probes/prometheus.ts";
import { summarizeBand } from "./bands.ts";
import { groupsOf, joinOutages, joinSpans, lengthOf, secondsOf } from "./spans.ts";
import type { Account, Burnin, Restart } from "./words.ts";

/**
 * Growth per hour (a 24th of the burn-in) over hourly medians, after an hour of warm-up, between
 * restarts: each start begins anew.
 */
function growthOf(
  accounts: readonly Account[],
  restarts: readonly Restart[],
  hour: number,
): { perHour: number; low: number; high: number } | null {
  const starts = [0, ...restarts.map(({ age }) => age)];
  const segments = starts.map((start, index) => {
    const end = starts[index + 1] ?? Infinity;
    const samples = accounts.flatMap(({ to: age, memoryMb: value }) =>
      value !== null && age > start + hour && age <= end ? [{ age, value }] : [],
    );
    const blocks = groupsOf(samples, ({ age }) => Math.floor(age / hour));
    return blocks.map((block) => ({
      age: mean(block.map(({ age }) => age)),
      value: median(block.map(({ value }) => value)),
    }));
  });
  const found = slopeOf(segments);
  return found && { perHour: found.slope * hour, low: found.low * hour, high: found.high * hour };
}

/**
 * The average over time: a look stands for the time since the one before, or the 16 looks of the
 * first 4 hours would outweigh the day.
 */
function averageOf(accounts: readonly Account[], name: "responseMs" | "cpuPercent"): number | null {
  const samples = accounts
    .flatMap(({ [name]: value, to }) => (typeof value === "number" ? [{ to, value }] : []))
    .sort((a, b) => a.to - b.to);
  const weights = samples.map(({ to }, index) => Math.max(1, to - (samples[index - 1]?.to ?? 0)));
  const average =
    sumOf(samples.map(({ value }, index) => value * (weights[index] as number))) / sumOf(weights);
  // 100 ms all day are not 99.99999999999999.
  return samples.length ? Number(average.toPrecision(12)) : null;
}

/**
 * Everything that is known of a burn-in, out of its accounts in any order, however often each is
 * given.
 */
export function summarizeBurnin(burnin: Burnin, given: readonly Account[], timeZone: string) {
  // Of accounts that begin together, the longest has counted what the others have.
  const longest = groupsOf(given, ({ from }) => from).map((same) =>
    same.reduce((a, b) => (b.to > a.to ? b : a)),
  );
  const accounts = longest.sort((a, b) => a.from - b.from);
  const spans = joinSpans(accounts.map(({ from, to }) => ({ from, to })));
  const age = Math.max(0, ...spans.map(({ to }) => to));
  const ends = [0, ...spans.map(({ to }) => to)];
  const holes = ends
    .map((from, index) => ({ from, to: spans[index]?.from ?? age }))
    .filter((hole) => lengthOf(hole) > 1);
  const outages = accounts.flatMap((account) => account.outages);
  const exact = outages.filter((outage) => outage.exact);
  const down = secondsOf(exact);
  const unplanned = secondsOf(exact.filter(({ planned }) => planned !== true));
  const percent = (lost: number): number => (age ? 100 * (1 - lost / age) : 100);
  const restarts = groupsOf(
    accounts.flatMap((account) => account.restarts),
    ({ at, says }) => at + says,
  ).map(([first]) => first as Restart);
  restarts.sort((a, b) => a.age - b.age);
  const seen = (name: "responseMs" | "memoryMb"): number[] =>
    accounts.flatMap((account) => account[name] ?? []);
  const [times, memory] = [seen("responseMs"), seen("memoryMb")];
  const counted = accounts.filter(({ errors }) => errors !== null);
  const errors = sumOf(counted.map((account) => account.errors ?? 0));
  const asked = accounts.some(({ alerts }) => alerts !== null);
  const alerts = groupsOf(
    accounts.flatMap((account) => account.alerts ?? []),
    ({ name, since }) => `${name} ${since}`,
  );
  const [fullest] = accounts
    .filter(({ users }) => users !== null)
    .sort((a, b) => (b.users ?? 0) - (a.users ?? 0) || a.from - b.from);
  const growth = growthOf(accounts, restarts, burnin.seconds / 24);
  const uptime = { low: percent(secondsOf([...outages, ...holes])), high: percent(down) };
  const view = accounts.at(-1)?.prometheus ?? null;
  const inLog = {
    uptimeLow: uptime.low,
    uptimeHigh: uptime.high,
    errors,
    restarts: restarts.length,
    memoryMbPerHour: growth?.perHour ?? null,
  };
  return {
    ...{ age, covered: sumOf(spans.map(lengthOf)), holes, restarts },
    ...{ errors, errorsOff: !counted.length, errorsUnseen: counted.length < accounts.length },
    outages: groupsOf(outages, (outage) => outage.exact)
      .flatMap((alike) => joinSpans(alike, joinOutages))
      .sort((a, b) => a.from - b.from),
    downSeconds: { planned: down - unplanned, unplanned },
    uptime,
    errorsPerMinute: age ? errors / (age / 60) : 0,
    warnings: sumOf(accounts.map(({ warnings }) => warnings)),
    alerts: asked ? alerts.length : null,
    alertsCritical: asked
      ? alerts.filter(([first]) => first?.severity === "critical").length
      : null,
    responseMs: averageOf(accounts, "responseMs"),
    responseGrowsBy: steadyGrowth(times),
    cpuPercent: averageOf(accounts, "cpuPercent"),
    memory: growth && { ...growth, peak: Math.max(...memory) },
    memoryPeakMb: memory.length ? Math.max(...memory) : null,
    users: fullest ? { peak: fullest.users as number, at: fullest.at } : null,
    bands: {
      peak: summarizeBand("peak", burnin, accounts, { holes, down: exact }, timeZone),
      offPeak: summarizeBand("offPeak", burnin, accounts, { holes, down: exact }, timeZone),
    },
    unseen: [...new Set(accounts.flatMap((account) => account.unseen))],
    disagreements: view ? comparePrometheus(view, { ...inLog, outages: outages.length }, age) : [],
    looks: accounts.length,
  };
}
export type Summary = ReturnType<typeof summarizeBurnin>;

export function countRestarts(restarts: readonly Restart[]): {
  unplanned: number;
  unclear: number;
} {
  const count = (planned: boolean | null): number =>
    restarts.filter((restart) => restart.planned === planned).length;
  return { unplanned: count(false), unclear: count(null) };
}
