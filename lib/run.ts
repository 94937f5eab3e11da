/** The words of one run: its evidence, its mutable state, and the record that it ends with. */

import type { Observed } from "./attempt.ts";
import type { Account, BurninHead, Flags, Place } from "./burnin/words.ts";
import type { Config } from "./config.ts";
import { headOf, readRecords } from "./log.ts";
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
  type Verdict,
} from "./vocabulary.ts";

export interface Evidence {
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
}
export type SliceName = keyof Evidence;
/**
 * What a check may know beside its slice: the config with its limits, and the clock in epoch
 * milliseconds.
 */
export type CheckContext = { config: Config; limits: Limits; now: number };

export type Observations = { [S in SliceName]?: Observed<Evidence[S]> };

/**
 * One run from its first look to its record. Mutable on purpose: a signal writes down whatever is
 * known at that moment.
 */
export function openRun(
  config: Config,
  selected: ReadonlySet<CheckName>,
  narrator: Narrator,
  kind: "verify" | "burnin" = "verify",
) {
  const { records, torn } = readRecords(config.logFile);
  return {
    ...narrator,
    ...{
      id: crypto.randomUUID() as string,
      config,
      selected,
      begunAt: Date.now(),
      begun: performance.now(),
    },
    ...{ kind, phase: "initial" as Phase, interruption: null as Interruption | null },
    ...{
      identity: null as Identity | null,
      release: null as string | null,
      releaseId: readCurrent(config),
    },
    ...{
      findings: new Map<CheckName, Finding>(),
      observations: {} as Observations,
      watch: null as WatchEvidence | null,
    },
    metrics: {} as Record<string, number | null>,
    account: null as Account | null, // What it accounts for in the burn-in.
    place: null as Place | null,
    flags: null as Flags | null,
    burnin: null as BurninHead | null,
    notes: torn
      ? [`${plural(torn, "line")} of the log ${torn === 1 ? "is" : "are"} torn and left out`]
      : [],
    records, // The newest ones of the log, from before this run.
    unjudged: 0, // Starts of the bot before this one whose verification came to no verdict.
    ...{ incident: null as Incident | null, follower: null as IdentityFollower | null },
    stop: new AbortController(), // Ends every look under way.
  };
}
export type Run = ReturnType<typeof openRun>;

export function resultOf(run: Run, verdict: Verdict, now: number) {
  const { config, identity, release, findings, metrics, notes, observations } = run;
  return {
    ...headOf(run.kind, config.name, run.id, now),
    config: config.file,
    identity: identity && { ...identity, startedAt: isoOf(identity.startedAt), release },
    // What a rollback knows it by: its directory's name, where releases have directories.
    release: run.releaseId ?? release,
    whole: run.selected.size === CHECK_NAMES.length, // No check was left out by a flag.
    ...verdict,
    ms: Math.round(performance.now() - run.begun),
    findings: CHECK_NAMES.flatMap((name) => findings.get(name) ?? []),
    metrics,
    ...{ burnin: run.burnin, account: run.account, place: run.place, flags: run.flags },
    series: run.watch?.series ?? null,
    schema: observations.database?.seen ? observations.database.value.schema : null,
    notes,
  };
}

/**
 * What --json prints, and a line of the log. config/result.schema.json documents and constrains it.
 */
export type Result = ReturnType<typeof resultOf>;
