/**
 * The shapes of the numbers that judge a bot and its burn-in. The numbers themselves stand in
 * verify.ts, which hands them down.
 */

import type { CheckName, Environment } from "./vocabulary.ts";

/**
 * The limits that apply under a config, each explained where it is set. Null: this environment does
 * not check it.
 */
export type Limits = {
  startupSecondsMax: number;
  healthTriesMax: number;
  healthBackoffMs: number;
  healthTimeoutMs: number;
  responseMsAvgMax: number;
  responseSamples: number;
  responseGapMs: number;
  heartbeatSecondsMax: number;
  userCountMin: number | null;
  memoryMbMax: number | null;
  memorySamples: number;
  errorsMax: number | null;
  errorWindowSeconds: number;
  logMegabytesMax: number;
  logSecondsMax: number;
  databaseMsMax: number;
  diskFreeMbMin: number;
  checksSecondsMax: number;
  watchSeconds: number;
  healthEverySeconds: number;
  missesMax: number;
  stoppedMsMax: number;
  burninSeconds: number;
  memoryGrowthMbMax: number;
};
/**
 * A limit for each environment. `least` is set for what counts something: with none of it, a check
 * would pass without a look.
 */
type LimitRow<T> = Record<Environment, T> & { least?: number; why: string };
/** The numbers and rules that judge a bot, as they are handed down by verify.ts. */
export type Rules = {
  limits: { [K in keyof Limits]: LimitRow<Limits[K]> };
  /**
   * Whether an environment checks the configuration, so that a config has to say what must be
   * running.
   */
  needsConfiguration: Record<Environment, boolean>;
  /** The checks whose failure may roll back, where the config names none. */
  rollbackOn: readonly CheckName[];
  burnin: BurninLimits;
};
export type MetricName =
  | "uptime"
  | "error_rate"
  | "restarts"
  | "alerts"
  | "response_time"
  | "memory_growth"
  | "cpu";
export type Hour = 6 | 12 | 24;
export type BandName = "peak" | "offPeak";
/** What is taken for a whole answer of Prometheus; beyond it, Prometheus does not know. */
export type SampleLimits = {
  /** The age of the newest sample, or two scrapes where those are rarer. */
  staleSecondsMax: number;
  missingShareMax: number;
};
/** How growth is told from noise: by medians of so many parts of a series, not of fewer samples. */
export type Trend = { blocks: number; samplesMin: number };
/**
 * The numbers that judge a burn-in, as they are handed down by verify.ts, where each has its
 * reason.
 */
export type BurninLimits = {
  metrics: Record<
    MetricName,
    { title: string; unit: string; target: number; acceptable: number; critical: number }
  >;
  /** By hour of a burn-in of 24. Null: not asked for at that hour. */
  checkpoints: Record<Hour, { errorsMax: number | null; bandSecondsMin: number | null }>;
  /** Hours of the day, in the configured time zone. */
  bands: Record<BandName, readonly [from: number, until: number]>;
  bandCoveredMin: number;
  bandDownMax: number;
  outageSecondsMax: number;
  sustainedMinutesMin: number;
  /** Seconds between two ticks, until so many hours of the burn-in. */
  schedule: Record<number, number>;
  lateSecondsMax: number;
  /** A checkpoint's hour has come so many seconds early, or so great a share of the burn-in. */
  earlySecondsMax: number;
  earlyShareMax: number;
  samples: SampleLimits;
  trend: Trend;
};
