/** The words of one run: its evidence, its mutable state, and the record that it ends with. */

import type { Observed } from "./attempt.ts";
import type { Account, BurninHead, Cursor, Flags } from "./burnin/words.ts";
import type { Config } from "./config.ts";
import { headOf, type RecordHead, readRecords } from "./log.ts";
import type { ConfigurationEvidence } from "./probes/configuration.ts";
import type { DatabaseEvidence } from "./probes/database-child.ts";
import type { HealthEvidence, HealthFields } from "./probes/health.ts";
import type { IdentityFollower } from "./probes/identity.ts";
import type { LogSource } from "./probes/log-lines.ts";
import type { ProcessEvidence } from "./probes/process.ts";
import { type ReleaseEvidence, readCurrent } from "./probes/release.ts";
import type { ResponseEvidence } from "./probes/response.ts";
import type { UsageSample } from "./probes/usage.ts";
import type { WatchEvidence } from "./probes/watch.ts";
import type { Limits } from "./rules.ts";
import { isoOf, plural } from "./text.ts";
import {
  CHECK_NAMES,
  type CheckName,
  type Finding,
  type Identity,
  type Incident,
  type Interruption,
  type Narrator,
  type Phase,
  type ProcessIncident,
  type Verdict,
} from "./vocabulary.ts";

/** What the checks judge, slice by slice. Each slice is one probe's, or was not seen. */
export type Evidence = {
  process: ProcessEvidence & { incident: Incident | null };
  database: DatabaseEvidence;
  health: HealthEvidence & { startedAt: number | null };
  fields: HealthFields;
  response: ResponseEvidence;
  usage: UsageSample[];
  logs: LogSource[];
  configuration: ConfigurationEvidence;
  release: ReleaseEvidence;
  watch: WatchEvidence;
};
export type SliceName = keyof Evidence;
export type Observations = { [S in SliceName]?: Observed<Evidence[S]> };

/** What a check may know beside its slice; `now` is in epoch milliseconds. */
export type CheckContext = {
  config: Config;
  limits: Limits;
  now: number;
};

/**
 * One run from its first look to its record. Mutable on purpose: a signal writes down whatever is
 * known at that moment.
 */
export type Run = Narrator & {
  id: string;
  kind: "verify" | "burnin";
  config: Config;
  selected: ReadonlySet<CheckName>;
  /** Epoch milliseconds, and milliseconds of the clock that nobody sets. */
  begunAt: number;
  begun: number;
  phase: Phase;
  /** Why it stopped looking before its end. */
  interruption: Interruption | null;
  incident: ProcessIncident | null;
  identity: Identity | null;
  follower: IdentityFollower | null;
  /** Nobody has verified the start of the bot that was found. */
  isUnverified: boolean;
  /** What the bot says that it is; of one that does not say, its release's directory. */
  version: string | null;
  /** The name of its release's directory; without one, its version. Both null: not known. */
  releaseId: string | null;
  observations: Observations;
  findings: Map<CheckName, Finding>;
  metrics: Record<string, number | null>;
  watch: WatchEvidence | null;
  /** What it accounts for in the burn-in, and what it hands on to the next run. */
  account: Account | null;
  place: Cursor | null;
  flags: Flags | null;
  burnin: BurninHead | null;
  notes: string[];
  /** The newest records of the log, from before this run. */
  records: Record<string, unknown>[];
  /** Starts of the bot before this one whose verification came to no verdict. */
  unjudged: number;
  /** Ends every look under way. */
  stop: AbortController;
};

export function openRun(
  config: Config,
  selected: ReadonlySet<CheckName>,
  narrator: Narrator,
  kind: Run["kind"] = "verify",
): Run {
  const { records, torn } = readRecords(config.logFile);
  const are = torn === 1 ? "is" : "are";
  return {
    ...narrator,
    id: crypto.randomUUID(),
    kind,
    config,
    selected,
    begunAt: Date.now(),
    begun: performance.now(),
    phase: "initial",
    interruption: null,
    incident: null,
    identity: null,
    follower: null,
    isUnverified: false,
    version: null,
    releaseId: readCurrent(config),
    observations: {},
    findings: new Map(),
    metrics: {},
    watch: null,
    account: null,
    place: null,
    flags: null,
    burnin: null,
    notes: torn ? [`${plural(torn, "line")} of the log ${are} torn and left out`] : [],
    records,
    unjudged: 0,
    stop: new AbortController(),
  };
}

/** Which start of the bot a record is about. */
type RecordedIdentity = {
  pid: number;
  startTicks: number;
  /** ISO 8601. */
  startedAt: string;
  bootId: string;
  invocation: string | null;
  /** As in Run. */
  version: string | null;
};

/**
 * What --json prints, and a line of the log. config/result.schema.json documents and constrains it.
 */
export type Result = RecordHead<Run["kind"]> &
  Verdict & {
    config: string;
    identity: RecordedIdentity | null;
    /**
     * What a rollback knows the release by: the name of its directory, or else, where no directory
     * is configured, its version.
     */
    releaseId: string | null;
    /** No check was left out by a flag. */
    whole: boolean;
    ms: number;
    findings: Finding[];
    metrics: Record<string, number | null>;
    burnin: BurninHead | null;
    account: Account | null;
    place: Cursor | null;
    flags: Flags | null;
    series: WatchEvidence["series"] | null;
    /** A hash of the database's schema. */
    schema: string | null;
    notes: string[];
  };

export function resultOf(run: Run, verdict: Verdict, now: number): Result {
  const { config, identity, version, observations } = run;
  return {
    ...headOf(run.kind, config.name, run.id, now),
    config: config.file,
    identity: identity && { ...identity, startedAt: isoOf(identity.startedAt), version },
    releaseId: run.releaseId,
    whole: run.selected.size === CHECK_NAMES.length,
    ...verdict,
    ms: Math.round(performance.now() - run.begun),
    findings: CHECK_NAMES.flatMap((name) => run.findings.get(name) ?? []),
    metrics: run.metrics,
    burnin: run.burnin,
    account: run.account,
    place: run.place,
    flags: run.flags,
    series: run.watch?.series ?? null,
    schema: observations.database?.seen ? observations.database.value.schema : null,
    notes: run.notes,
  };
}
