/** Fills the report's templates with its view. All text of others is escaped here. */

import { orNull } from "../attempt.ts";
import type { Criterion, MetricRow } from "../burnin/words.ts";
import { markdownText } from "../outputs/markdown.ts";
import { load, SHIPPED } from "../shipped.ts";
import { printable, spanOf } from "../text.ts";

/**
 * A place on the time axis, 0 to `width`; what is drawn there on a plot of `height`. The room for
 * labels is the template's.
 */
type Spot = { x: number; label: string };
type Height = { y: number; label: string };
/** `path` and `area` are SVG path data; `empty` says why there is nothing to draw. */
export type Curve = {
  id: "memory" | "response" | "users" | "errors";
  axis: Height[];
  limit: Height | null;
  empty: string | null;
} & {
  points: (Spot & { y: number })[];
  bars: (Spot & Record<"y" | "width" | "height", number>)[];
  trend: (Record<"x1" | "y1" | "x2" | "y2", number> & { label: string }) | null;
  area: string | null;
} & Record<"title" | "unit" | "path", string>;
type Charts = { width: number; height: number; hours: Spot[]; series: Curve[] } & {
  bands: (Spot & { width: number; kind: "peak" | "off-peak" })[];
  marks: (Spot & { kind: "restart" | "restart-planned" | "deployment" | "checkpoint" })[];
  strip: (Spot & { width: number; kind: "up" | "down" | "disconnected" | "planned" | "hole" })[];
};
type Happening =
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
type Site = Record<"env" | "host" | "release" | "validator" | "timeZone" | "verifier", string>;
/**
 * What config/report.html and config/report.md are filled with. Times are ISO 8601 and shown in
 * `timeZone`; `coverage` is a sentence.
 */
export type ReportView = Site &
  Record<
    "title" | "date" | "generatedAt" | "from" | "to" | "age" | "coverage" | "action",
    string
  > & {
    attempt: number;
    day: number; // 1 for the first; what is recommended after it is the next.
    decision: "PASS" | "PARTIAL" | "FAIL" | "RUNNING" | "NONE";
    healthy: "HEALTHY" | "ISSUES" | "CRITICAL" | "UNKNOWN";
    metrics: MetricRow[];
    facts: { name: string; value: string }[];
    // `age`: seconds since the burn-in began.
    events: { at: string; clock: string; age: number; kind: Happening; says: string }[];
    observations: { at: string; by: string; text: string }[];
    checkpoints: {
      title: string;
      at: string | null;
      status: string;
      decision: string;
      criteria: Criterion[];
    }[];
    findings: { at: string; check: string; status: string; says: string; evidence: string[] }[];
    skipped: string | null;
    charts: Charts;
  } & Record<"reasons" | "issues" | "actions" | "redFlags" | "yellowFlags", string[]>;

/**
 * Fills config/report.<format>. What the view says is text of others: it is made visible first and
 * then escaped, all of it, by Eta.
 */
export function renderReport(view: ReportView, format: "md" | "html"): string {
  const { Eta } = load("eta") as typeof import("eta");
  const clock = orNull(
    () =>
      new Intl.DateTimeFormat("sv", {
        dateStyle: "short",
        timeStyle: "medium",
        timeZone: view.timeZone,
      }),
  );
  const local = (at: string): string => orNull(() => clock?.format(new Date(at))) ?? at;
  const markdown = format === "md" && {
    escapeFunction: (text: unknown) => markdownText(String(text)),
  };
  const settings = {
    views: SHIPPED,
    autoTrim: false as const,
    autoFilter: true,
    filterFunction: (value: unknown) => printable(String(value)),
  };
  return new Eta({ ...settings, ...markdown }).render(`report.${format}`, {
    ...view,
    local,
    spanOf,
  });
}
