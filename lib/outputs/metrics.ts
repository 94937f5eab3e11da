/** Metrics for node_exporter's textfile collector, which takes no timestamps. */

import * as path from "node:path";
import { valueAt } from "../http.ts";
import type { VerifyMetrics } from "../releases/state.ts";
import { load, SHIPPED } from "../shipped.ts";

type BurninMetrics = Record<"age" | "restarts" | "redFlags" | "tickAt" | "attempt", number> & {
  decision: string;
} & BurninTrends;
type BurninTrends = Record<"uptimeLow" | "errorsPerMinute" | "memoryMbPerHour", number | null>;
/**
 * What is exported of an environment; null is left out. Moments are milliseconds since the epoch,
 * the uptime its lower bound in percent.
 */
export type MetricsView = { env: string; release: string | null; version: string } & {
  verify: (VerifyMetrics & { unverified: boolean | null }) | null;
  burnin: BurninMetrics | null;
};
type Labels = Record<string, string>;
type MetricRule = {
  name: string;
  help: string;
  type?: "counter";
  of?: string;
  factor?: number;
  labels?: Labels;
} & Partial<SeriesRule>;
type SeriesRule = { key: string; word: string; words: string[] };
/**
 * Of a map, a series for each key, with the label `key`; of a word, one for each of `words`, with
 * the label `word`; of null, none.
 */
function seriesOf(
  { key, word, words = [] }: Partial<SeriesRule>,
  value: unknown,
): [own: Labels, value: number][] {
  const keyed = ([each, inner]: [string, unknown]) =>
    seriesOf({ word, words }, inner).map(([own, number]): [Labels, number] => [
      { [`${key}`]: each, ...own },
      number,
    ]);
  if (key) return Object.entries(value ?? {}).flatMap(keyed);
  if (word && value)
    return words.map((each) => [{ [word]: each }, Number(each === `${value}`.toLowerCase())]);
  return value === null || !Number.isFinite(Number(value)) ? [] : [[{}, Number(value)]];
}

/**
 * The text for node_exporter's textfile collector, which takes no timestamps. config/metrics.json
 * says where each metric stands in the view.
 */
export async function renderMetrics(view: MetricsView): Promise<string> {
  const { Registry, Gauge, Counter } = load("prom-client") as typeof import("prom-client");
  const registry = new Registry();
  for (const { name, help, type, of, factor = 1, labels, ...rule } of load(
    path.join(SHIPPED, "metrics.json"),
  ) as MetricRule[]) {
    const fixed = Object.fromEntries(
      Object.entries({ env: "/env", ...labels }).map(([label, at]) => [
        label,
        String(valueAt(view, at) ?? ""),
      ]),
    );
    const series = seriesOf(rule, of ? valueAt(view, of) : 1);
    const labelNames = Object.keys({ ...fixed, ...series[0]?.[0] });
    const metric = series.length
      ? new (type ? Counter : Gauge)({ name, help, labelNames, registers: [registry] })
      : null;
    for (const [own, value] of series) metric?.inc({ ...fixed, ...own }, value * factor);
  }
  return registry.metrics();
}
