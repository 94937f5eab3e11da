/** Fills the report's templates with its view. All text of others is escaped here. */

import { Eta } from "eta";
import { orNull } from "../attempt.ts";
import type { Criterion, MetricRow } from "../burnin/words.ts";
import { markdownText } from "../outputs/markdown.ts";
import { SHIPPED } from "../shipped.ts";
import { printable, spanOf } from "../text.ts";

/** A line across a plot, at a height. */
export type Height = {
  y: number;
  label: string;
};

/** A place on the time axis. */
export type Spot = {
  x: number;
  label: string;
};

type Point = {
  x: number;
  y: number;
  label: string;
};

type Bar = {
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
};

export type Trend = {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  label: string;
};

/** `path` and `area` are SVG path data; `empty` says why there is nothing to draw. */
export type Curve = {
  id: "memory" | "response" | "users" | "errors";
  title: string;
  unit: string;
  axis: Height[];
  limit: Height | null;
  path: string;
  area: string | null;
  points: Point[];
  bars: Bar[];
  trend: Trend | null;
  empty: string | null;
};

/** Hours of the day, behind all plots. */
export type BandBox = {
  x: number;
  width: number;
  kind: "peak" | "off-peak";
  label: string;
};

export type Mark = {
  x: number;
  kind: "restart" | "restart-planned" | "deployment" | "checkpoint";
  label: string;
};

/** A stretch of the strip that shows when the bot was up. */
export type Stripe = {
  x: number;
  width: number;
  kind: "up" | "down" | "disconnected" | "planned" | "hole";
  label: string;
};

/**
 * Along the time axis, 0 to `width`; plots are `height` high. The room for labels is the
 * template's.
 */
export type Charts = {
  width: number;
  height: number;
  hours: Spot[];
  bands: BandBox[];
  marks: Mark[];
  strip: Stripe[];
  series: Curve[];
};

/** Something that happened. `age` is in seconds since the burn-in began, `clock` a time of day. */
export type ReportEvent = {
  at: string;
  clock: string;
  age: number;
  kind:
    | "outage"
    | "restart"
    | "deployment"
    | "verify"
    | "checkpoint"
    | "rollback"
    | "alert"
    | "note"
    | "peak"
    | "hole"
    | "clock";
  says: string;
};

/** A checkpoint; `at` is null while it is not due. `decision` is what it says to do. */
export type ReportCheckpoint = {
  title: string;
  at: string | null;
  status: string;
  decision: string;
  criteria: Criterion[];
};

/** A check that did not pass in one of the runs. */
export type ReportFinding = {
  at: string;
  check: string;
  status: string;
  says: string;
  evidence: string[];
};

/** What a person has noted. */
export type Observation = {
  at: string;
  by: string;
  text: string;
};

/**
 * What config/report.html and config/report.md are filled with. Times are ISO 8601 and shown in
 * `timeZone`.
 */
export type ReportView = {
  title: string;
  /** 1 for the first; what is recommended after it is the next. */
  day: number;
  env: string;
  host: string;
  /** Where no directory is configured, its version. */
  releaseId: string;
  date: string;
  validator: string;
  generatedAt: string;
  timeZone: string;
  verifier: string;
  attempt: number;
  from: string;
  to: string;
  age: string;
  /** A sentence. */
  coverage: string;
  decision: "PASS" | "PARTIAL" | "FAIL" | "RUNNING" | "NONE";
  reasons: string[];
  action: string;
  healthy: "HEALTHY" | "ISSUES" | "CRITICAL" | "UNKNOWN";
  metrics: MetricRow[];
  facts: { name: string; value: string }[];
  events: ReportEvent[];
  issues: string[];
  actions: string[];
  observations: Observation[];
  checkpoints: ReportCheckpoint[];
  findings: ReportFinding[];
  redFlags: string[];
  yellowFlags: string[];
  /** What of the log could not be read; null where all was. */
  skipped: string | null;
  charts: Charts;
};

/** Shows a time in a zone; as it came, where it is none, or where the zone is not known. */
function localIn(timeZone: string): (at: string) => string {
  const format = orNull(
    () => new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium", timeZone }),
  );
  return (at) => orNull(() => format?.format(new Date(at))) ?? at;
}

/**
 * Fills config/report.<format>. What the view says is text of others: it is made visible first and
 * then escaped, all of it, by Eta.
 */
export function renderReport(view: ReportView, format: "md" | "html"): string {
  const settings = {
    views: SHIPPED,
    autoTrim: false as const,
    autoFilter: true,
    filterFunction: (value: unknown) => printable(String(value)),
  };
  // Of itself Eta escapes for HTML.
  const escapeFunction = (text: unknown): string => markdownText(String(text));
  const eta = new Eta(format === "md" ? { ...settings, escapeFunction } : settings);
  return eta.render(`report.${format}`, { ...view, local: localIn(view.timeZone), spanOf });
}
