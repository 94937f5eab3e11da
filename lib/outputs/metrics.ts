/** Metrics for node_exporter's textfile collector, which takes no timestamps. */

import type { VerifyMetrics } from "../releases/state.ts";
import { STATUSES } from "../vocabulary.ts";

/** What is exported of a burn-in. The uptime is its lower bound in percent, `age` in seconds. */
type BurninMetrics = {
  age: number;
  attempt: number;
  decision: "RUNNING" | "PASS" | "PARTIAL" | "FAIL";
  uptimeLow: number | null;
  errorsPerMinute: number | null;
  memoryMbPerHour: number | null;
  redFlags: number;
  restarts: number;
  tickAt: number;
};
/** What is exported of an environment; null is left out. Moments are epoch milliseconds. */
export type MetricsView = {
  env: string;
  /** Of the last verdict. It goes out as the label `release`, which dashboards and rules name. */
  releaseId: string | null;
  /** The version of the verifier. It goes out as the label `version`. */
  verifier: string;
  verify: (VerifyMetrics & { unverified: boolean | null }) | null;
  burnin: BurninMetrics | null;
};

const MEGABYTE = 2 ** 20;
const DECISIONS = ["running", "pass", "partial", "fail"];

type Labels = Record<string, string>;
type Row = { labels: Labels; value: number };
type Figure = number | boolean | null | undefined;
/** Where metrics are written to, each under the label `env`. */
type Sheet = {
  /** A metric with a series for each row; without rows there is no such metric. */
  write(name: string, help: string, rows: readonly Row[], isCounter?: boolean): void;
  /** A metric of one series; where the value is not known there is no such metric. */
  gauge(name: string, help: string, value: Figure): void;
  read(): Promise<string>;
};

async function openSheet(env: string): Promise<Sheet> {
  const { Registry, Gauge, Counter } = await import("prom-client");
  const registry = new Registry();
  const write: Sheet["write"] = (name, help, rows, isCounter = false) => {
    if (!rows.length) return;
    const labelNames = ["env", ...Object.keys(rows[0]?.labels ?? {})];
    const Kind = isCounter ? Counter : Gauge;
    const metric = new Kind({ name, help, labelNames, registers: [registry] });
    for (const { labels, value } of rows) metric.inc({ env, ...labels }, value);
  };
  const gauge: Sheet["gauge"] = (name, help, value) => {
    if (value === null || value === undefined || !Number.isFinite(Number(value))) return;
    write(name, help, [{ labels: {}, value: Number(value) }]);
  };
  return { write, gauge, read: () => registry.metrics() };
}

const scaled = (value: number | null | undefined, factor: number): Figure =>
  typeof value === "number" ? value * factor : null;
const seconds = (ms: number | null | undefined): Figure => scaled(ms, 0.001);

function writeVerification({ write, gauge }: Sheet, { verify, ...view }: MetricsView): void {
  const about = { release: view.releaseId ?? "", version: view.verifier };
  const statuses = Object.entries(verify?.statuses ?? {}).flatMap(([check, own]) =>
    STATUSES.map((status) => ({ labels: { check, status }, value: Number(status === own) })),
  );
  const failures = Object.entries(verify?.failures ?? {}).map(([check, value]) => ({
    labels: { check },
    value,
  }));
  write(
    "cytube_verify_info",
    "Always 1; the release that was verified last, and the version of the verifier.",
    [{ labels: about, value: 1 }],
  );
  gauge(
    "cytube_verify_success",
    "1 if the last verification passed, 0 if it did not.",
    verify?.success,
  );
  gauge(
    "cytube_verify_exit_code",
    "Exit code of the last verification; the README lists them.",
    verify?.exit,
  );
  gauge(
    "cytube_verify_duration_seconds",
    "How long the last verification took.",
    seconds(verify?.ms),
  );
  gauge(
    "cytube_verify_last_run_timestamp_seconds",
    "When the last verification ended.",
    seconds(verify?.at),
  );
  gauge(
    "cytube_verify_last_success_timestamp_seconds",
    "When a verification last passed.",
    seconds(verify?.successAt),
  );
  write(
    "cytube_verify_check_status",
    "1 for the status that a check had in the last verification, 0 for the others.",
    statuses,
  );
  write(
    "cytube_verify_check_failures_total",
    "Verifications in which a check failed.",
    failures,
    true,
  );
  gauge(
    "cytube_verify_start_unverified",
    "1 if no verification has judged the present start of the bot.",
    verify?.unverified,
  );
}

function writeBurnin({ write, gauge }: Sheet, { burnin }: MetricsView): void {
  if (!burnin) return;
  const decided = burnin.decision.toLowerCase();
  const decisions = DECISIONS.map((decision) => ({
    labels: { decision },
    value: Number(decision === decided),
  }));
  gauge(
    "cytube_burnin_age_seconds",
    "How long the burn-in had lasted at its last tick.",
    burnin.age,
  );
  write(
    "cytube_burnin_decision",
    "1 for what is decided of the burn-in, 0 for the others.",
    decisions,
  );
  gauge("cytube_burnin_attempt", "Which burn-in of the release it is.", burnin.attempt);
  gauge(
    "cytube_burnin_uptime_ratio",
    "Share of the burn-in in which the bot was up and connected, at least.",
    scaled(burnin.uptimeLow, 0.01),
  );
  gauge(
    "cytube_burnin_errors_per_minute",
    "Errors in the bot's logs, on average over the burn-in.",
    burnin.errorsPerMinute,
  );
  gauge(
    "cytube_burnin_memory_growth_bytes_per_hour",
    "Trend of the bot's memory since its warm-up.",
    scaled(burnin.memoryMbPerHour, MEGABYTE),
  );
  gauge(
    "cytube_burnin_unplanned_restarts",
    "Restarts in the burn-in that nobody asked for.",
    burnin.restarts,
  );
  gauge("cytube_burnin_red_flags", "Red flags at the last tick.", burnin.redFlags);
  gauge(
    "cytube_burnin_last_tick_timestamp_seconds",
    "When the burn-in was last looked at; the verification that began it counts.",
    seconds(burnin.tickAt),
  );
}

/** The text of all metrics; what is not known is left out. */
export async function renderMetrics(view: MetricsView): Promise<string> {
  const sheet = await openSheet(view.env);
  writeVerification(sheet, view);
  writeBurnin(sheet, view);
  return sheet.read();
}
