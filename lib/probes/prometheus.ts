/**
 * Asks the site's Prometheus about a burn-in, and compares its answer with the log's. Optional:
 * where none is configured, nothing is asked.
 */

import { orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readApi, valueAt } from "../http.ts";
import { median, round, sumOf } from "../numbers.ts";
import type { SampleLimits } from "../rules.ts";
import { cutText, isoOf, spanOf } from "../text.ts";

/** Seconds since the epoch, and the value as text. */
export type Sample = [at: number, value: string];

/** The time from one sample, or from the beginning, to the next one, or to the end. */
type SampleSpan = {
  /** Seconds since the epoch. */
  at: number;
  seconds: number;
  /** How many of the two samples at its ends say that the bot is not connected. */
  downs: number;
  /** Whether samples are missing in it. */
  isGap: boolean;
};

/** What samples of a 0 or 1 tell of the time between two moments, and what they do not. */
type Measured = {
  samples: number;
  /** Between two scrapes; null where there is a single sample. */
  everySeconds: number | null;
  /** The age of the newest sample. */
  staleSeconds: number;
  /** How long the bot was not connected: at least and at most. Null: the samples do not say. */
  downSeconds: { low: number; high: number } | null;
  /** Why the samples do not tell all, in words. */
  problems: string[];
};

function spansBetween(samples: readonly Sample[], from: number, to: number): SampleSpan[] {
  const points: Sample[] = [[from, ""], ...samples, [to, ""]];
  return points.slice(1).map(([at, value], index) => {
    const [before, earlier] = points[index] as Sample;
    return {
      at: before,
      seconds: Math.max(0, at - before),
      downs: Number(earlier === "0") + Number(value === "0"),
      isGap: false,
    };
  });
}

function measureDowntime(spans: readonly SampleSpan[]): { low: number; high: number } {
  // Not connected: at least from one sample that says so to the next, at most until those around
  // them, and wherever samples are missing.
  const surely = spans.filter(({ downs, isGap }) => downs === 2 && !isGap);
  const perhaps = spans.filter(({ downs, isGap }) => downs > 0 || isGap);
  return {
    low: sumOf(surely.map(({ seconds }) => seconds)),
    high: sumOf(perhaps.map(({ seconds }) => seconds)),
  };
}

/** Two moments, in seconds since the epoch. */
type Between = { from: number; to: number };

/** Measures samples between two moments; `limits` says what is no whole answer any more. */
export function measureSamples(
  samples: readonly Sample[],
  { from, to }: Between,
  limits: SampleLimits,
): Measured {
  const spans = spansBetween(samples, from, to);
  // NaN where there is a single sample; then nothing is a gap, and nothing is missing.
  const every = median(spans.slice(1, -1).map(({ seconds }) => seconds));
  // Scrapes are regular to milliseconds.
  for (const span of spans) span.isGap = span.seconds > 1.5 * every;
  const stale = spans.at(-1)?.seconds ?? 0;
  const isBinary = samples.every(([, value]) => /^[01]$/.test(value));
  const problems: string[] = [];
  if (samples.length <= 1) problems.push("there is a single sample");
  if (!isBinary) problems.push("it is not always 0 or 1");
  // Where scrapes are rare, one of them may fail.
  if (stale > Math.max(limits.staleSecondsMax, 2 * (every || 0)))
    problems.push(`the newest sample is ${spanOf(stale)} old`);
  const due = Math.round((to - from) / every);
  const missing = due - samples.length;
  if (missing > Math.max(1, limits.missingShareMax * due)) {
    problems.push(`${missing} of ${due} samples are missing`);
    const [gap] = spans.filter(({ isGap }) => isGap).sort((a, b) => b.seconds - a.seconds);
    if (gap) problems.push(`no sample from ${isoOf(gap.at * 1000)} for ${spanOf(gap.seconds)}`);
  }
  return {
    samples: samples.length,
    everySeconds: every || null,
    staleSeconds: stale,
    downSeconds: isBinary ? measureDowntime(spans) : null,
    problems,
  };
}

/**
 * What Prometheus says of the burn-in so far; a null has its reason in `problems`, unless the
 * config says that there is no such metric.
 */
export type PrometheusView = {
  /** Of the samples: the share that says connected. */
  uptimePercent: number | null;
  errors: number | null;
  /** Over the whole burn-in. */
  errorsPerMinute: number | null;
  restarts: number | null;
  /** Without the warm-up. */
  memoryMbPerHour: number | null;
  samples: number | null;
  everySeconds: number | null;
  staleSeconds: number | null;
  downSeconds: { low: number; high: number } | null;
  problems: string[];
};

/** One series of an answer: the newest value, or all of a range. */
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
// Memory grows while caches fill.
const WARM_UP_SECONDS = 3600;

/** What is put into the queries for each `$name`; "" for a metric that the site does not have. */
type Terms = Record<string, string>;

function termsOf({ prometheus }: Config, seconds: number): Terms {
  const { selector = SELECTOR, metrics } = prometheus ?? {};
  const settled = Math.max(seconds - WARM_UP_SECONDS, seconds / 2);
  const terms: Terms = {
    range: `${Math.ceil(seconds)}s`,
    settled: `${Math.ceil(settled)}s`,
  };
  for (const [key, name] of Object.entries({ ...METRIC_NAMES, ...metrics }))
    terms[key] = name === null ? "" : name + selector;
  return terms;
}

const LABELS_CHARACTERS_MAX = 400; // A selector may match every series of a large site.

/** The labels of several series, so that a person can choose one of them. */
function labelsOf(series: readonly unknown[]): string {
  const labels = series.map((one) => {
    const all = valueAt(one, "/metric") as object;
    return JSON.stringify({ ...all, __name__: undefined });
  });
  return cutText(labels.join(), LABELS_CHARACTERS_MAX);
}

/** One question to Prometheus: which, and with what in the place of its `$names`. */
type Question = { name: keyof typeof QUERIES; terms: Terms };

/** The single series of an answer, or why there is none; null: the site has no such metric. */
async function readSeries(
  base: string,
  { name, terms }: Question,
): Promise<{ series: Series } | { why: string } | null> {
  const { of, query } = QUERIES[name];
  const metric = terms[of];
  if (!metric) return null;
  const promql = query.replace(/\$(\w+)/g, (_, term) => terms[term] ?? "");
  const { document, problem } = await readApi(base, "/api/v1/query", [["query", promql]]);
  const found: unknown = valueAt(document, "/data/result");
  if (!Array.isArray(found))
    return { why: `did not answer: ${problem ?? "there is no data.result"}` };
  if (!found.length) return { why: `has no series ${metric}, or not enough samples of it` };
  if (found.length > 1) {
    const several = `has ${found.length} series ${metric}`;
    return {
      why: `${several}, and prometheus.selector has to name one: ${labelsOf(found)}`,
    };
  }
  return { series: found[0] as Series };
}

/** Asks one question; null where it has no answer, and `problems` then says why. */
async function ask<T>(
  base: string,
  question: Question & { problems: Set<string> },
  parse: (series: Series) => T | null,
): Promise<T | null> {
  const answer = await readSeries(base, question);
  if (!answer) return null;
  // What another program says has any shape.
  const parsed = "series" in answer ? orNull(() => parse(answer.series)) : null;
  if (parsed !== null) return parsed;
  const why = "why" in answer ? answer.why : `has no number for ${question.name}`;
  question.problems.add(`Prometheus at ${new URL(base).host} ${why}`);
  return null;
}

/** The newest value of a series, and its time in seconds since the epoch. */
type Newest = { at: number; number: number };

function parseNewest({ value: [at, text] }: Series): Newest | null {
  const number = Number(text);
  return Number.isFinite(number) ? { at, number } : null;
}

/**
 * Asks for the last `seconds`. It never rejects: what has no single answer is null, and a sentence
 * in `problems` says why.
 */
export async function readPrometheus(config: Config, seconds: number): Promise<PrometheusView> {
  const { url } = config.prometheus as NonNullable<Config["prometheus"]>;
  const terms = termsOf(config, seconds);
  const problems = new Set<string>();
  const askNumber = (name: keyof typeof QUERIES): Promise<Newest | null> =>
    ask(url, { name, terms, problems }, parseNewest);
  const [values, uptime, errors, errorRate, restarts, growth] = await Promise.all([
    ask(url, { name: "samples", terms, problems }, (series) => series.values),
    askNumber("uptimePercent"),
    askNumber("errors"),
    askNumber("errorsPerMinute"),
    askNumber("restarts"),
    askNumber("memoryMbPerHour"),
  ]);
  // By Prometheus's own clock, as the samples are.
  const now = uptime?.at ?? values?.at(-1)?.[0] ?? 0;
  const between = { from: now - seconds, to: now };
  const limits = config.burninLimits.samples;
  const measured = orNull(() => measureSamples(values as Sample[], between, limits));
  for (const problem of measured?.problems ?? []) problems.add(`${terms.connected}: ${problem}`);
  // Where it is not always 0 or 1, its mean is no uptime.
  const isUptime = measured === null || measured.downSeconds !== null;
  return {
    uptimePercent: isUptime ? (uptime?.number ?? null) : null,
    errors: errors?.number ?? null,
    errorsPerMinute: errorRate?.number ?? null,
    restarts: restarts?.number ?? null,
    memoryMbPerHour: growth?.number ?? null,
    samples: measured?.samples ?? null,
    everySeconds: measured?.everySeconds ?? null,
    staleSeconds: measured?.staleSeconds ?? null,
    downSeconds: measured?.downSeconds ?? null,
    problems: [...problems].sort(),
  };
}

/** What the log says of the same time; planned restarts and outages are counted too. */
type LogView = {
  /** Percent of the time. */
  uptimeLow: number;
  uptimeHigh: number;
  errors: number;
  restarts: number;
  memoryMbPerHour: number | null;
  /** Where it is not given, there was one for each restart. */
  outages?: number;
};

/** Something that Prometheus and the log say differently. */
const differ = (here: string, there: string | number): string =>
  `${here} by Prometheus, ${there} by the log`;

function compareOutages(view: PrometheusView, log: LogView, seconds: number): string[] {
  const { downSeconds: down, everySeconds, uptimePercent } = view;
  const least = ((100 - log.uptimeHigh) / 100) * seconds;
  const most = ((100 - log.uptimeLow) / 100) * seconds;
  const differences: string[] = [];
  // An outage shorter than the distance of two scrapes may fall between them, and each may be such
  // a one. The log is exact to a second.
  const between = (everySeconds ?? 0) * Math.max(1, log.outages ?? log.restarts);
  const fits = (down?.high ?? Infinity) + between + 1;
  if (least > fits)
    differences.push(differ(`outages: at most ${spanOf(fits)}`, `at least ${spanOf(least)}`));
  if (!down) return differences;
  if (down.low > most + 1)
    differences.push(differ(`outages: at least ${spanOf(down.low)}`, `at most ${spanOf(most)}`));
  else if (most < 1 && uptimePercent !== null && uptimePercent < 100)
    differences.push(differ("outages: a sample", "none"));
  return differences;
}

function compareErrors({ errors }: PrometheusView, log: LogView): string[] {
  if (errors === null) return [];
  // increase() extrapolates by up to a scrape at either end, and what a dying bot logs after its
  // last scrape is not counted.
  const tolerated = 1 + Math.max(errors, log.errors) / 20;
  const lost = 5 * log.restarts;
  const fits = errors <= log.errors + tolerated && errors >= log.errors - tolerated - lost;
  return fits ? [] : [differ(`errors: ${round(errors)}`, log.errors)];
}

function compareRestarts({ restarts }: PrometheusView, log: LogView): string[] {
  if (restarts === null) return [];
  // Two restarts between two scrapes are one to Prometheus; none at all is another bot, or a metric
  // that is not its uptime.
  const fits = restarts <= log.restarts && (restarts > 0 || log.restarts === 0);
  return fits ? [] : [differ(`restarts: ${restarts}`, log.restarts)];
}

function compareGrowth(view: PrometheusView, log: LogView, seconds: number): string[] {
  const { memoryMbPerHour: here } = view;
  const { memoryMbPerHour: there } = log;
  // No line through several starts, or through the first hours alone, is a trend.
  if (log.restarts || view.restarts || seconds < 4 * WARM_UP_SECONDS) return [];
  if (here === null || there === null) return [];
  // Seed 002 accepts 10 MB/h, so less is no disagreement.
  const tolerated = Math.max(10, Math.abs(here) / 2, Math.abs(there) / 2);
  if (Math.abs(here - there) <= tolerated) return [];
  return [differ(`memory growth: ${round(here)} MB/h`, `${round(there)} MB/h`)];
}

/** Where Prometheus and the log disagree, in words. Both are of the same `seconds`. */
export function comparePrometheus(view: PrometheusView, log: LogView, seconds: number): string[] {
  return [
    ...compareOutages(view, log, seconds),
    ...compareErrors(view, log),
    ...compareRestarts(view, log),
    ...compareGrowth(view, log, seconds),
  ];
}
