/**
 * The types of a config: what a file may say, section by section, and what a run is given.
 * config-schema.ts holds files to the former, config.ts resolves the latter.
 */

import type { FieldName } from "./dialects.ts";
import type { BurninLimits, Limits } from "./rules.ts";
import type { CheckName, Environment, SinkKind } from "./vocabulary.ts";

/** One or several JSON pointers; the first that leads somewhere wins. */
type Pointers = string | string[];

/** Exactly one of them is set: how the bot's process is found. */
type ProcessSection = { unit?: string; pidFile?: string; command?: string };

/** Either `url` or `sql` is set. */
type HealthSection = {
  url?: string;
  socket?: string;
  headersFile?: string;
  sql?: string;
  statusUp?: string[];
  fields?: Partial<Record<FieldName, Pointers>>;
};

type DatabaseSection = { file: string; tables?: string[]; backup?: string };

type ErrorLogsSection = {
  files?: string[];
  journal?: boolean;
  noise?: string[];
  prefix?: string;
  timeZone?: "local" | "utc";
  silent?: boolean;
};

type ConfigurationSection = {
  environment?: string | string[];
  channel?: string;
  file?: string;
  fields?: { environment?: Pointers; channel?: Pointers };
};

type ReleaseSection = { version?: string; directory?: string; current?: string };

type RollbackSection = {
  auto?: boolean;
  on?: CheckName[];
  command?: string[];
  maxPerDay?: number;
  secondsMax?: number;
};

/** `disconnected` and `connected` are regular expressions for lines of the log. */
type BurninSection = {
  timeZone?: string;
  rollback?: boolean;
  disconnected?: string[];
  connected?: string[];
};

/** A metric that is null is one that the bot does not have. */
type PrometheusSection = {
  url: string;
  selector?: string;
  metrics?: Partial<Record<"connected" | "errors" | "uptime" | "memory", string | null>>;
};

type AlertmanagerSection = { url: string; filter?: string[] };

type AlertSection = {
  sinks?: { kind: SinkKind; urlFrom?: string; command?: string[] }[];
  ping?: { urlFrom: string };
  repeatHours?: number;
};

/** The parts that a config may declare off, beside whole checks. */
export const OFF_PARTS = [
  "database.integrity",
  "database.disk",
  "health_endpoint.status",
  "health_endpoint.age",
  "connection.heartbeat",
  "configuration.environment",
  "configuration.channel",
  "configuration.file",
  "burnin.connection",
] as const;
type OffPart = (typeof OFF_PARTS)[number];

/** A config as its file has it, valid and with absolute paths. */
export type ConfigFile = {
  environment?: Environment;
  process: ProcessSection;
  health: HealthSection;
  database?: DatabaseSection;
  errorLogs?: ErrorLogsSection;
  configuration?: ConfigurationSection;
  release?: ReleaseSection;
  rollback?: RollbackSection;
  chatServer?: { url: string };
  burnin?: BurninSection;
  prometheus?: PrometheusSection;
  alertmanager?: AlertmanagerSection;
  metrics?: { file: string };
  alert?: AlertSection;
  state?: { directory?: string; flags?: string };
  log?: { file: string };
  off?: Partial<Record<CheckName | OffPart, string>>;
  hints?: Partial<Record<CheckName, string>>;
  /** Null: not checked; only where the environment may leave it out. */
  limits?: Partial<Record<keyof Limits, number | null>>;
};

/** A config whose limits, defaults and paths are resolved. It is frozen. */
export type Config = {
  /** Of the environment, which is that of the file; `file` is where it was read. */
  name: string;
  file: string;
  environment: Environment;
  process: ProcessSection;
  health: HealthSection;
  database?: DatabaseSection;
  errorLogs?: ErrorLogsSection;
  configuration?: ConfigurationSection;
  release?: ReleaseSection;
  chatServer?: { url: string };
  prometheus?: PrometheusSection;
  alertmanager?: AlertmanagerSection;
  metrics?: { file: string };
  alert?: AlertSection;
  limits: Limits;
  burninLimits: BurninLimits;
  /** Reasons, by check or by `check.part`. */
  off: Readonly<Record<string, string>>;
  hints: Readonly<Record<string, string>>;
  rollback: {
    auto: boolean;
    on: readonly CheckName[];
    maxPerDay: number;
    secondsMax: number;
    command: string[] | null;
  };
  burnin: BurninSection & { timeZone: string; rollback: boolean };
  /**
   * What outlives a run: what is remembered, and the flags that systemd looks at, each file by the
   * name of the environment.
   */
  state: {
    releases: string;
    alert: string;
    flag: (which: "passed" | "judged" | "rollback" | "rolling" | "unverified") => string;
  };
  logFile: string;
  /** Of the health endpoint's request. */
  headers: Record<string, string>;
  /** Values that must never leave this program. */
  secrets: string[];
};
