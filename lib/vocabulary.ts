/**
 * The words of the program: checks and their exit codes, statuses, findings, and which start of the
 * bot was looked at.
 * It decides nothing and looks at nothing; what a number means for a bot stands in verify.ts.
 */

export const VERSION = "0.1.0";
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
const ROLLBACK_EXITS = {
  redFlag: 30,
  belowTarget: 31,
  nothingToRollBackTo: 40,
  stillUnhealthy: 41,
  refused: 42,
};
const SYSTEM_EXITS = {
  usage: 64,
  undelivered: 69,
  internal: 70,
  logNotWritten: 73,
  busy: 75,
  permission: 77,
  config: 78,
  deadline: 124,
};
export const EXIT = { passed: 0, ...ROLLBACK_EXITS, ...SYSTEM_EXITS, ...SIGNAL_EXITS };
export type Environment = "test" | "prod";
export type Phase = "initial" | "watch" | "final";
/**
 * `superseded`: a person restarted the bot, and the next record judges the new start; `paused`: a
 * person stopped it; `refused`: a rollback.
 */
const VERDICTS = [
  "pass",
  "warn",
  "fail",
  "unknown",
  "aborted",
  "superseded",
  "paused",
  "refused",
] as const;
// Worst first: a finding is as bad as its worst part.
export const STATUSES = ["fail", "unknown", "warn", "pass", "skipped", "off"] as const;
export type Status = (typeof STATUSES)[number];

/** In report order. The codes are those of seed 000's exit code reference; 19 is new here. */
export const CHECK_CODES = {
  process: 1,
  database: 3,
  health_endpoint: 6,
  connection: 2,
  response_time: 5,
  user_count: 7,
  memory_usage: 8,
  error_logs: 9,
  configuration: 10,
  release: 19,
  uptime_stability: 11,
} as const;
export type CheckName = keyof typeof CHECK_CODES;
export const CHECK_NAMES = Object.keys(CHECK_CODES) as CheckName[];

type Value = number | string | boolean | null;
/** What was judged, with what it rests on. */
type Judged = {
  status: Status;
  /** In `unit`, as `limit` is. */
  measured: Value;
  limit: Value;
  unit: string | null;
  /** A sentence. */
  says: string;
  /** For people. */
  evidence: string[];
  /** What to do, or where to look. */
  hint: string | null;
};

/** One thing that a check looked at. */
export type Part = Judged & {
  part: string;
  /** Of a log, the error lines that the evidence shows, for code to compare. */
  examples?: string[];
};

/** What a check came to: its worst part speaks for it, and all are listed. */
export type Finding = Judged & {
  check: CheckName;
  phase: Phase;
  parts: Part[];
};

/**
 * Which start of which process was looked at. `startTicks` are the kernel's, from boot to the
 * start, so that pid reuse shows.
 */
export type Identity = {
  pid: number;
  startTicks: number;
  startedAt: number;
  bootId: string;
  invocation: string | null;
};

/** What tells one start of the bot from another. */
type Start = {
  pid: number;
  startTicks: number;
  bootId: string;
  invocation: string | null;
};

/** One word for a start of the bot, equal for two looks at the same one. */
export const startOf = ({ pid, startTicks, bootId, invocation }: Start): string =>
  invocation ?? `${bootId}/${pid}/${startTicks}`;

export const SINK_KINDS = ["discord", "slack", "ntfy", "json", "command"] as const;
export type SinkKind = (typeof SINK_KINDS)[number];

/** Something that happened to the bot while it was followed. */
export type Incident = {
  kind: IncidentKind;
  /** Epoch milliseconds. */
  at: number;
  says: string;
  evidence: string[];
};

/** An incident of the bot's process. */
export type ProcessIncident = Incident & {
  /** What has happened, in a few words, for findings that only refer to it. */
  brief: string;
  /** What a person asked for. */
  planned?: "restart" | "stop";
};

export type IncidentKind =
  | "died"
  | "restarted"
  | "stopped"
  | "zombie"
  | "health"
  | "connection"
  | "users"
  | "memory"
  | "errors"
  | "uptime";

// Ids are names of directories, and go into paths and command lines.
export const RELEASE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export type WatchProgress = {
  secondsLeft: number;
  memoryMb: number | null;
  responseMs: number | null;
  errors: number;
};
export type Interruption = "incident" | "deadline"; // Why a run stopped looking before its end.
export type Narrator = {
  narrate: (line: string) => void;
  progress: (progress: WatchProgress) => void;
};

/** `exit` is the exit code, `action` the recommended action, a sentence. */
export type Verdict = { verdict: (typeof VERDICTS)[number]; exit: number; action: string };
