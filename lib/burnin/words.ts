/**
 * The words of a burn-in: outages, restarts, the account that one look gives of an interval, and
 * what a burn-in is judged to be. Shapes only; what is made of them stands in the files beside.
 */

import type { Firing } from "../probes/alertmanager.ts";
import type { LogPlace } from "../probes/log-place.ts";
import type { PrometheusView } from "../probes/prometheus.ts";
import type { BurninLimits, Hour, MetricName } from "../rules.ts";

export const DAY_SECONDS = 86_400;

/** A stretch of time. In a burn-in: seconds since it began. */
export type Span = {
  from: number;
  to: number;
};

/** A moment by two clocks: one that is set now and then, and one that nobody sets. */
export type Moment = {
  /** By the wall clock, ISO 8601. */
  at: string;
  bootId: string;
  /** Seconds since that boot, by the monotonic clock. */
  upSeconds: number;
};

/**
 * An outage that has no end yet: since `from`, in seconds since the burn-in began, the bot is not
 * up and connected. `at` is the ISO time of `from` by the host's clock then.
 */
export type Gap = {
  from: number;
  at: string;
  kind: "down" | "disconnected";
  source: "journal" | "log" | "look";
  says: string;
  /** Null: nobody can tell. */
  planned: boolean | null;
  /**
   * Otherwise only a bound between two looks, which widens the uptime's interval and nothing else.
   */
  exact: boolean;
};

/** A time in which the bot was not up and connected. */
export type Outage = Gap & { to: number };

/** `age` is in seconds since the burn-in began, `at` ISO 8601. */
export type Restart = {
  at: string;
  age: number;
  /** Null: nobody can tell. */
  planned: boolean | null;
  says: string;
};

/**
 * What a run hands on to the next: where it was in time, how far the logs were read, and what had
 * no end yet. The records of the log, and the state, have it as `place`.
 */
export type Cursor = Moment & {
  /** Seconds since the burn-in began. */
  age: number;
  /** Which start of the bot ran then; null where none did. */
  start: string | null;
  /** How far the journal was read; null where it was not. */
  cursor: string | null;
  /** How far each log file was read; null where it could not be. */
  files: Record<string, LogPlace | null>;
  down: Gap | null;
  /** The age at which systemd began to stop the bot, whose end is yet to come. */
  stopping: number | null;
  offline: Gap | null;
  /** A start that may yet lead to a mark of the connection. */
  joining: Gap | null;
  /** How many marks of the connection the logs have had so far. */
  links: number;
};

/**
 * What one run has accounted for: all between two moments, in seconds since the burn-in began. `at`
 * is the ISO time of the end.
 */
export type Account = {
  /** The run of the verification that began it. */
  burnin: string;
  run: string;
  at: string;
  from: number;
  to: number;
  /** Seconds by which the wall clock was set meanwhile. */
  jump: number;
  /** Seconds that the tick came after its time. */
  late: number;
  boot: string;
  outages: Outage[];
  restarts: Restart[];
  /** Null: not counted. */
  errors: number | null;
  warnings: number;
  /** What could not be seen, in sentences. */
  unseen: string[];
  /** What tells the connection between two ticks. */
  connection: "log" | "look" | "off";
  /** Null: nobody was asked, or nobody answered. */
  alerts: Firing[] | null;
  prometheus: PrometheusView | null;
  /** Of the look at the end; null where it was not measured. */
  responseMs: number | null;
  memoryMb: number | null;
  cpuPercent: number | null;
  users: number | null;
  requests: number | null;
  backupHours: number | null;
  /**
   * How many looks it carries, only where it stands for older accounts; a record of the log has
   * none.
   */
  looks?: number;
};

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
export type BurninHead = {
  id: string;
  /** Where no directory is configured, its version. */
  releaseId: string | null;
  attempt: number;
  startedAt: string;
};

/** A burn-in with what it is judged by; `seconds` is its planned length. */
export type Burnin = BurninHead & {
  seconds: number;
  limits: BurninLimits;
};

/** A level of seed 002's table. `off`: the config says why nothing measures it. */
export type Level = "target" | "acceptable" | "worse" | "critical" | "unknown" | "off";

/** A row of seed 002's table; the limits and the value as they are shown to people. */
export type MetricRow = {
  metric: MetricName;
  title: string;
  value: number | null;
  shown: string;
  level: Level;
  says: string;
  target: string;
  acceptable: string;
  critical: string;
};

/**
 * What a checkpoint asks for. `metric` is there where a row of the table says the same; records of
 * older versions have none.
 */
export type Criterion = {
  criterion: string;
  status: "pass" | "fail" | "unknown" | "deferred" | "off";
  says: string;
  metric?: MetricName;
};

export type Decision = {
  decision: "PASS" | "PARTIAL" | "FAIL" | "RUNNING";
  reasons: string[];
  action: string;
};

/** What a flag is about: code decides by the kind, and people read what it says. */
const FLAG_KINDS = [
  "disconnected",
  "down",
  "interrupted",
  "restarted",
  "errors",
  "memory",
  "alerts",
  "response",
  "cpu",
  "late",
  "clock",
  "monitoring",
  "disagreement",
  "unknown",
] as const;
type FlagKind = (typeof FLAG_KINDS)[number];
export type Flag = {
  kind: FlagKind;
  says: string;
};
export type Flags = {
  red: Flag[];
  yellow: Flag[];
};

/** How the red flags of records began that were written before flags had a kind. */
const FIRST_WORDS: Readonly<Record<string, FlagKind>> = {
  disconnected: "disconnected",
  down: "down",
  restarted: "restarted",
  errors: "errors",
  memory: "memory",
  several: "alerts",
};

function readFlag(value: unknown): Flag {
  if (typeof value === "object" && value !== null) {
    const { kind, says } = value as Record<string, unknown>;
    return { kind: FLAG_KINDS.find((known) => known === kind) ?? "unknown", says: String(says) };
  }
  const says = String(value);
  // A figure and its unit may stand before the word: "12 errors in 5 min".
  const word = /[a-z]{3,}/.exec(says)?.[0] ?? "";
  return { kind: FIRST_WORDS[word] ?? "unknown", says };
}

/**
 * The flags in a list of a record, whoever wrote it: a record of an older version holds sentences,
 * and a hand may have been at the log. What is no list holds none.
 */
export function flagsIn(value: unknown): Flag[] {
  return Array.isArray(value) ? value.map(readFlag) : [];
}

/** A burn-in that is not over, with what it knows. `hours` are the checkpoints that were judged. */
export type OpenBurnin = BurninHead & {
  accounts: Account[];
  place: Cursor | null;
  hours: number[];
  decision: Decision["decision"];
};

/** The hours of the checkpoints, in order. */
export const hoursOf = ({ checkpoints }: BurninLimits): Hour[] =>
  Object.keys(checkpoints).map(Number) as Hour[];
