/**
 * Asks the site's Prometheus about a burn-in, and compares its answer with the log's. Optional:
 * where none is configured, nothing is asked.
 */

import { orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readApi, valueAt } from "../http.ts";
import { median, round, sumOf } from "../numbers.ts";
import { cutText, isoOf, spanOf } from "../text.ts";

/** Seconds since the epoch, and the value as text. */
export type Sample = [at: number, value: string];
const STALE_SECONDS_MAX = 30; // Or two scrapes, where they are rarer: one of them may fail.
const MISSING_SHARE_MAX = 0.001; // More could hide what seed 002's 99.9 % of uptime forbids.
/** What samples of a 0 or 1 tell of the time between two moments, and what they do not. */
export function measureSamples(samples: readonly Sample[], from: number, to: number) {
  const points: Sample[] = [[from, ""], ...samples, [to, ""]];
  const spans = points.slice(1).map(([at, value], index) => {
    const [before, earlier] = points[index] as Sample;
    return {
      at: before,
      seconds: Math.max(0, at - before),
      downs: Number(earlier === "0") + Number(value === "0"),
    };
  });
  const every = median(spans.slice(1, -1).map(({ seconds }) => seconds));
  // Scrapes are regular to milliseconds.
  const isGap = ({ seconds }: { seconds: number }): boolean => seconds > 1.5 * every;
  const [gap] = spans.filter(isGap).toSorted((a, b) => b.seconds - a.seconds);
  const [stale = 0, isBinary] = [
    spans.at(-1)?.seconds,
    samples.every(([, value]) => /^[01]$/.test(value)),
  ];
  const due = Math.round((to - from) / every);
  const isMissing = due - samples.length > Math.max(1, MISSING_SHARE_MAX * due);
  const problems = [
    samples.length > 1 ? "" : "there is a single sample",
    isBinary ? "" : "it is not always 0 or 1",
    stale > Math.max(STALE_SECONDS_MAX, 2 * (every || 0))
      ? `the newest sample is ${spanOf(stale)} old`
      : "",
    isMissing ? `${due - samples.length} of ${due} samples are missing` : "",
    isMissing && gap ? `no sample from ${isoOf(gap.at * 1000)} for ${spanOf(gap.seconds)}` : "",
  ].filter(Boolean);
  // Not connected: at least from one sample that says so to the next, at most until those around
  // them, and wherever samples are missing.
  const low = sumOf(
    spans.flatMap((span) => (span.downs === 2 && !isGap(span) ? span.seconds : [])),
  );
  const high = sumOf(spans.flatMap((span) => (span.downs || isGap(span) ? span.seconds : [])));
  return {
    samples: samples.length,
    everySeconds: every || null,
    staleSeconds: stale,
    downSeconds: isBinary ? { low, high } : null,
    problems,
  };
}

const NUMBERS = [
  "uptimePercent",
  "errors",
  "errorsPerMinute",
  "restarts",
  "memoryMbPerHour",
] as const;
type Numbers = Record<(typeof NUMBERS)[number], number | null>;
type Measured = ReturnType<typeof measureSamples>;
/**
 * What Prometheus says of the burn-in so far; a null has its reason in `problems`, unless the
 * config says that there is no such metric.
 */
export type PrometheusView = Numbers & {
  [K in Exclude<keyof Measured, "problems">]: Measured[K] | null;
} & { problems: string[] };
type Series = { value: Sample; values: Sample[] };
const SELECTOR = '{env="production"}';
/** The metrics that a bot is expected to have, by what they say; a config can name others. */
const METRIC_NAMES = {
  connected: "bot_connected",
  errors: "bot_errors_total",
  uptime: "bot_uptime_seconds",
  memory: "process_resident_memory_bytes",
};
type MetricKey = keyof typeof METRIC_NAMES;
/**
 * What Prometheus is asked about a burn-in: seed 002's queries, corrected. $connected, $errors,
 * $uptime and $memory are a metric with the selector; $range is the burn-in so far, $settled the
 * same without its warm-up. Each has to answer with one series.
 */
const QUERIES = {
  // A ratio of sums. The seed's filter (== 0) is a vector, which has no range, and without a
  // zero it would answer with nothing.
  uptimePercent: {
    of: "connected",
    query: "100 * sum_over_time($connected[$range]) / count_over_time($connected[$range])",
  },
  // The samples themselves show gaps, staleness, and how long the bot was disconnected at least
  // and at most: a dead bot is not scraped, and the ratio above does not see it.
  samples: { of: "connected", query: "$connected[$range]" },
  // Goes on counting after a restart sets the counter back. It extrapolates to the ends of the
  // range, so it need not be a whole number.
  errors: { of: "errors", query: "increase($errors[$range])" },
  // rate() is per second.
  errorsPerMinute: { of: "errors", query: "60 * rate($errors[$range])" },
  // The uptime falls when the bot starts anew. changes() counts every scrape of a gauge that
  // always grows, and count() of it is the number of series.
  restarts: { of: "uptime", query: "resets($uptime[$range])" },
  // The slope of a line through all samples. rate() is for counters: it takes each fall of a
  // gauge for a reset and adds it up.
  memoryMbPerHour: { of: "memory", query: "3600 / 2^20 * deriv($memory[$settled])" },
} satisfies Record<string, { of: MetricKey; query: string }>;
const WARM_UP_SECONDS = 3600; // Memory grows while caches fill.
/**
 * Asks for the last `seconds`. It never rejects: what has no single answer is null, and a sentence
 * in `problems` says why.
 */
export async function readPrometheus(
  { prometheus }: Config,
  seconds: number,
): Promise<PrometheusView> {
  const { url, selector = SELECTOR, metrics } = prometheus as NonNullable<Config["prometheus"]>;
  const settled = Math.max(seconds - WARM_UP_SECONDS, seconds / 2);
  const terms: Record<string, string> = {
    range: `${Math.ceil(seconds)}s`,
    settled: `${Math.ceil(settled)}s`,
  };
  for (const [key, name] of Object.entries({ ...METRIC_NAMES, ...metrics }))
    terms[key] = name === null ? "" : name + selector;
  const problems = new Set<string>();
  const ask = async <T>(
    name: keyof typeof QUERIES,
    parse: (series: Series) => T | null,
  ): Promise<T | null> => {
    const { of, query } = QUERIES[name];
    if (!terms[of]) return null;
    const promql = query.replace(/\$(\w+)/g, (_, term) => terms[term] ?? "");
    const { document, problem } = await readApi(url, "/api/v1/query", [["query", promql]]);
    const all: unknown = valueAt(document, "/data/result");
    const labelsOf = (series: unknown): string =>
      JSON.stringify({ ...(valueAt(series, "/metric") as object), __name__: undefined });
    let why: string | null = null;
    if (!Array.isArray(all)) why = `did not answer: ${problem ?? "there is no data.result"}`;
    else if (!all.length) why = `has no series ${terms[of]}, or not enough samples of it`;
    else if (all.length > 1)
      why = `has ${all.length} series ${terms[of]}, and prometheus.selector has to name one: ${cutText(all.map(labelsOf).join(), 400)}`;
    const parsed = why ? null : orNull(() => parse(valueAt(document, "/data/result/0") as Series));
    if (parsed === null)
      problems.add(`Prometheus at ${new URL(url).host} ${why ?? `has no number for ${name}`}`);
    return parsed;
  };
  const numberOf = ({ value: [at, text] }: Series) =>
    Number.isFinite(Number(text)) ? { at, number: Number(text) } : null;
  const [values, ...numbers] = await Promise.all([
    ask("samples", (series) => series.values),
    ...NUMBERS.map((name) => ask(name, numberOf)),
  ]);
  // By Prometheus's own clock, as the samples are.
  const now = numbers[0]?.at ?? values?.at(-1)?.[0] ?? 0;
  const measured = orNull(() => measureSamples(values as Sample[], now - seconds, now));
  for (const problem of measured?.problems ?? []) problems.add(`${terms.connected}: ${problem}`);
  const said = Object.fromEntries(
    NUMBERS.map((name, index) => [name, numbers[index]?.number ?? null]),
  ) as Numbers;
  if (measured && !measured.downSeconds) said.uptimePercent = null;
  return {
    ...{ samples: null, everySeconds: null, staleSeconds: null, downSeconds: null },
    ...measured,
    ...said,
    problems: [...problems].sort(),
  };
}

type LogView = {
  uptimeLow: number;
  uptimeHigh: number;
  errors: number;
  restarts: number;
  memoryMbPerHour: number | null;
  outages?: number;
};
/**
 * Where Prometheus and the log disagree. `log` is of the same `seconds`; its `restarts` and
 * `outages` are numbers, planned ones counted too.
 */
export function comparePrometheus(view: PrometheusView, log: LogView, seconds: number): string[] {
  const {
    downSeconds: down,
    everySeconds,
    uptimePercent,
    errors,
    restarts,
    memoryMbPerHour: grows,
  } = view;
  const [least = 0, most = 0] = [log.uptimeHigh, log.uptimeLow].map(
    (percent) => ((100 - percent) / 100) * seconds,
  );
  const differences: string[] = [];
  const differ = (here: string, there: string | number): unknown =>
    differences.push(`${here} by Prometheus, ${there} by the log`);
  // An outage shorter than the distance of two scrapes may fall between them, and each may be such
  // a one. The log is exact to a second.
  const fits =
    (down?.high ?? Infinity) + (everySeconds ?? 0) * Math.max(1, log.outages ?? log.restarts) + 1;
  if (least > fits) differ(`outages: at most ${spanOf(fits)}`, `at least ${spanOf(least)}`);
  if (down && down.low > most + 1)
    differ(`outages: at least ${spanOf(down.low)}`, `at most ${spanOf(most)}`);
  else if (down && most < 1 && uptimePercent !== null && uptimePercent < 100)
    differ("outages: a sample", "none");
  // increase() extrapolates by up to a scrape at either end, and what a dying bot logs after its
  // last scrape is not counted.
  const [tolerated, lost] = [1 + Math.max(errors ?? 0, log.errors) / 20, 5 * log.restarts];
  if (
    errors !== null &&
    (errors > log.errors + tolerated || errors < log.errors - tolerated - lost)
  )
    differ(`errors: ${round(errors)}`, log.errors);
  // Two restarts between two scrapes are one to Prometheus; none at all is another bot, or a metric
  // that is not its uptime.
  if (restarts !== null && (restarts > log.restarts || (!restarts && log.restarts)))
    differ(`restarts: ${restarts}`, log.restarts);
  // No line through several starts, or through the first hours alone, is a trend. Seed 002 accepts
  // 10 MB/h, so less is no disagreement.
  const grew =
    log.restarts || restarts || seconds < 4 * WARM_UP_SECONDS ? null : log.memoryMbPerHour;
  if (
    grows !== null &&
    grew !== null &&
    Math.abs(grows - grew) > Math.max(10, Math.abs(grows) / 2, Math.abs(grew) / 2)
  )
    differ(`memory growth: ${round(grows)} MB/h`, `${round(grew)} MB/h`);
  return differences;
}
