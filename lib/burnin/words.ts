/**
 * The words of a burn-in: spans, outages, restarts, and the account that one look gives of an
 * interval.
 */

import type { Firing } from "../probes/alertmanager.ts";
import type { LogPlace } from "../probes/log-files.ts";
import type { PrometheusView } from "../probes/prometheus.ts";
import type { BurninLimits, Hour, MetricName } from "../rules.ts";

export type Gap = Omit<Outage, "to">; // An outage that has no end yet.
/**
 * What a run hands on to the next: where it was in time, how far the logs were read, what had no
 * end yet, and how many marks of the connection came.
 */
export type Place = {
  age: number;
  at: string;
  bootId: string;
  upSeconds: number;
  start: string | null;
} & {
  cursor: string | null;
  files: Record<string, LogPlace | null>;
  down: Gap | null;
  stopping: number | null; // Since when systemd has been stopping the bot: its end is yet to come.
  offline: Gap | null;
  joining: Gap | null; // A start that may yet lead to a mark of the connection.
  links: number;
};
export type Moment = Pick<Place, "at" | "bootId" | "upSeconds">;
/** A burn-in that is not over, with what it knows. `hours` are the checkpoints that were judged. */
export type OpenBurnin = BurninHead & {
  accounts: Account[];
  place: Place | null;
  hours: number[];
  decision: Decision["decision"];
};

export type Span = { from: number; to: number };
/**
 * A time in which the bot was not up and connected, in seconds since the burn-in began; `at` is the
 * ISO time of `from` by the host's clock then.
 */
export type Outage = Span & {
  at: string;
  kind: "down" | "disconnected";
  source: "journal" | "log" | "look";
  says: string;
} & {
  /** Null: nobody can tell. */
  planned: boolean | null;
  /**
   * Otherwise only a bound between two looks, which widens the uptime's interval and nothing else.
   */
  exact: boolean;
};
/** `age` is in seconds since the burn-in began. */
export type Restart = { at: string; age: number; planned: boolean | null; says: string };
/**
 * What one run has accounted for: all between two moments, in seconds since the burn-in began. `at`
 * is the ISO time of the end.
 */
export type Account = Span & {
  burnin: string; // The run of the verification that began it.
  run: string;
  at: string;
  jump: number; // Seconds by which the wall clock was set meanwhile.
  late: number; // Seconds that the tick came after its time.
  boot: string;
  outages: Outage[];
  restarts: Restart[];
  errors: number | null; // Null: not counted.
  warnings: number;
  unseen: string[]; // What could not be seen, in sentences.
  connection: "log" | "look" | "off"; // What tells the connection between two ticks.
  alerts: Firing[] | null;
  prometheus: PrometheusView | null;
} & Record<
    "responseMs" | "memoryMb" | "cpuPercent" | "users" | "requests" | "backupHours",
    number | null
  >;
/** A hand may have been at the log, or at the state. */
export function isAccount(value: unknown): value is Account {
  const { at, from, to, outages, restarts, unseen } = (value ?? {}) as Partial<Account>;
  return (
    typeof at === "string" &&
    Number.isFinite(from) &&
    Number.isFinite(to) &&
    [outages, restarts, unseen].every(Array.isArray)
  );
}

/** A burn-in by the verification that began it. */
export type BurninHead = { id: string; release: string | null; attempt: number; startedAt: string };
/** A burn-in with what it is judged by; `seconds` is its planned length. */
export type Burnin = BurninHead & { seconds: number; limits: BurninLimits };

export const DAY_SECONDS = 86_400;
export type Level = "target" | "acceptable" | "worse" | "critical" | "unknown" | "off";
export type MetricRow = {
  metric: MetricName;
  title: string;
  value: number | null;
  shown: string;
  level: Level;
  says: string;
} & Record<"target" | "acceptable" | "critical", string>;

export type Criterion = {
  criterion: string;
  status: "pass" | "fail" | "unknown" | "deferred" | "off";
  says: string;
};

export type Decision = {
  decision: "PASS" | "PARTIAL" | "FAIL" | "RUNNING";
  reasons: string[];
  action: string;
};

export type Flags = { red: string[]; yellow: string[] };

/** The hours of the checkpoints, in order. */
export const hoursOf = ({ checkpoints }: BurninLimits): Hour[] =>
  Object.keys(checkpoints).map(Number) as Hour[];
