/**
 * What has to outlive the log's rotation: which release passed, which is in quarantine, the burn-in
 * that is open. It follows from the records of the log alone, and nothing here reads a file.
 */

import { randomUUID } from "node:crypto";
import type { CheckpointRecord } from "../burnin/judging.ts";
import { groupsOf } from "../burnin/spans.ts";
import { type Account, isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { headOf } from "../log.ts";
import type { Result } from "../run.ts";
import {
  type CheckName,
  EXIT,
  type Finding,
  type Identity,
  type Status,
  startOf,
  type Verdict,
} from "../vocabulary.ts";

type CheckMetrics = {
  statuses: Partial<Record<CheckName, Status>>;
  failures: Partial<Record<CheckName, number>>;
};
export type VerifyMetrics = CheckMetrics &
  Record<"exit" | "ms" | "at", number> & { success: boolean; successAt: number | null };

export type Passed = { at: string; run: string; version: string | null; schema: string | null };
export type Quarantined = { at: string; run: string; checks: string[] };

const ROLLBACKS_KEPT = 100;
/** What has to outlive the log's rotation, by release id. */
export const emptyState = () => ({
  v: 1 as const,
  // Of the last verification, for the monitoring of the site.
  metrics: null as VerifyMetrics | null,
  passed: {} as Record<string, Passed>,
  quarantined: {} as Record<string, Quarantined>,
  rollbacks: [] as { at: string; run: string; from: string; automatic: boolean }[],
  last: null as {
    start: string | null;
    release: string | null;
    at: string;
    by?: string;
    run: string;
    verdict: Verdict["verdict"];
    exit: number;
  } | null,
  failures: 0, // So many verdicts in a row were failures of one and the same release.
  unjudged: [] as string[], // Starts of the bot whose verification came to no verdict.
  burnin: null as OpenBurnin | null, // The newest one, of the release that passed last.
});
export type ReleaseState = ReturnType<typeof emptyState>;

type Wish = {
  by: "verdict" | "person";
  run: string | null;
  checks: string[];
  to: string | null;
  emergency: boolean;
};
/**
 * What is asked of cytube-rollback@: by a verdict, or by a person. `schema` is that of the database
 * as the failed run saw it.
 */
export type RollbackRequest = Pick<Result, "release" | "schema"> & Wish;
/**
 * `marker` is the run by which a rollback is remembered from its switch on, `switchedAt` epoch
 * milliseconds.
 */
export type RollbackUnderWay = RollbackRequest & { marker?: string; switchedAt?: number };
export type Outcome = Verdict & { lifted?: boolean };

export function rollbackRecord(
  config: Config,
  request: RollbackUnderWay,
  outcome: Outcome,
  more: object = {},
) {
  const { by, run: of, release: from, to, checks, marker = randomUUID() } = request;
  return {
    ...headOf("rollback", config.name, marker, Date.now()),
    ...{ by, of, from, to, checks, lifted: false },
    ...outcome,
    ...more,
  };
}

/**
 * A record of a rollback; `failed` hands on what the release failed with. `lifted`: the old release
 * fails alike, so the new one is not to blame.
 */
export type RollbackRecord = ReturnType<typeof rollbackRecord>;

/**
 * Whether the bot was started as another release than the burn-in's: that ends it without a
 * decision.
 */
export const isLeft = (
  { release: own, place }: OpenBurnin,
  release: string | null,
  identity: Parameters<typeof startOf>[0] | null,
): boolean =>
  own !== null &&
  release !== null &&
  own !== release &&
  Boolean(identity) &&
  startOf(identity as Identity) !== place?.start;
const wasRestarted = ({ accounts }: OpenBurnin): boolean =>
  accounts.some(({ restarts }) => restarts.some(({ planned }) => planned === false));
/**
 * The burn-in after a verification or a tick: each release has its own, and after a failure a pass
 * begins the next attempt.
 */
function foldBurnin(
  known: OpenBurnin | null,
  { kind, whole, exit, run, ts, release, identity, account, place }: Result,
): OpenBurnin | null {
  const before = known && isLeft(known, release, identity) ? null : known;
  const isNew =
    isAccount(account) &&
    account.burnin === before?.id &&
    !before.accounts.some((other) => other.run === run);
  const grown =
    before && isNew ? { ...before, accounts: [...thin(before.accounts), account], place } : before;
  if (kind !== "verify" || !whole || exit !== EXIT.passed || !place) return grown;
  const isOurs = grown?.release === release;
  if (
    grown &&
    isOurs &&
    !wasRestarted(grown) &&
    (grown.decision === "RUNNING" || grown.decision === "PASS")
  )
    return grown;
  const begun = { ...place, age: 0, down: null, stopping: null, offline: null, joining: null };
  const attempt = grown && isOurs ? grown.attempt + 1 : 1;
  return {
    id: run,
    release,
    attempt,
    startedAt: ts,
    accounts: [],
    place: begun,
    hours: [],
    decision: "RUNNING",
  };
}

/**
 * What is exported of a verification; failures of a check are counted for as long as the state is
 * kept.
 */
function measureVerification(
  before: VerifyMetrics | null,
  { ts, exit, ms, findings }: Result,
): VerifyMetrics {
  const [at, success] = [Date.parse(ts), exit === EXIT.passed];
  const statuses = Object.fromEntries(findings.map(({ check, status }) => [check, status]));
  const count = ({ check, status }: Finding): number =>
    (before?.failures[check] ?? 0) + (status === "fail" ? 1 : 0);
  const failures = Object.fromEntries(findings.map((finding) => [finding.check, count(finding)]));
  return {
    ...{ exit, ms, at, success, statuses },
    failures: { ...before?.failures, ...failures },
    successAt: success ? at : (before?.successAt ?? null),
  };
}

/** The state after a record of the log; folding the whole log builds the state anew. */
export function foldRecord(
  before: ReleaseState,
  record: Result | RollbackRecord | CheckpointRecord,
): ReleaseState {
  const { ts: at, run, verdict, exit } = record;
  if (record.kind === "checkpoint") {
    const { burnin, hour, decision } = record;
    const isOurs = before.burnin !== null && before.burnin.id === burnin;
    return isOurs
      ? {
          ...before,
          burnin: {
            ...(before.burnin as OpenBurnin),
            hours: [...(before.burnin?.hours ?? []), hour],
            decision,
          },
        }
      : before;
  }
  const state =
    record.kind === "rollback" ? before : { ...before, burnin: foldBurnin(before.burnin, record) };
  if (record.kind === "rollback") {
    const { from, by, checks, lifted } = record;
    if (verdict === "refused" || from === null) return state;
    const { [from]: _, ...others } = state.quarantined;
    const before = state.rollbacks.filter((known) => known.run !== run);
    const rollbacks = [...before, { at, run, from, automatic: by === "verdict" }].slice(
      -ROLLBACKS_KEPT,
    );
    return {
      ...state,
      rollbacks,
      quarantined: lifted ? others : { ...others, [from]: { at, run, checks } },
    };
  }
  if (record.kind !== "verify" || !record.whole || verdict === "superseded") return state;
  if (state.last?.run === run && state.last.at === at) return state;
  const { release, identity, schema } = record;
  const start = identity && startOf(identity);
  if (verdict === "aborted")
    return start
      ? { ...state, unjudged: [...new Set([...state.unjudged, start])].slice(-ROLLBACKS_KEPT) }
      : state;
  const failures =
    verdict !== "fail" ? 0 : state.last?.release === release ? state.failures + 1 : 1;
  const metrics = measureVerification(state.metrics, record);
  const judged = {
    ...state,
    metrics,
    unjudged: [],
    failures,
    last: { start, release, at, by: record.user, run, verdict, exit },
  };
  if (exit !== EXIT.passed || release === null) return judged;
  const { [release]: _, ...quarantined } = state.quarantined;
  return {
    ...judged,
    quarantined,
    passed: { ...state.passed, [release]: { at, run, version: identity?.release ?? null, schema } },
  };
}

export const isUnit = (name: "verify" | "burnin"): boolean =>
  process.env.CYTUBE_VERIFY_UNIT === name;
const ACCOUNTS_AT_ONCE = 1000;

/** Two accounts that follow each other as one: what happened in both, and the later one's looks. */
function joinAccounts(a: Account, b: Account): Account {
  const errors = a.errors === null && b.errors === null ? null : (a.errors ?? 0) + (b.errors ?? 0);
  const fired = a.alerts && b.alerts ? [...a.alerts, ...b.alerts] : (a.alerts ?? b.alerts);
  const lists = {
    alerts: fired?.length
      ? groupsOf(fired, ({ name, since }) => `${name} ${since}`).flatMap(([first]) => first ?? [])
      : fired,
    outages: [...a.outages, ...b.outages],
    restarts: [...a.restarts, ...b.restarts],
    unseen: a.unseen.length ? [...new Set([...a.unseen, ...b.unseen])].slice(0, 50) : b.unseen,
  };
  return {
    ...b,
    ...lists,
    from: a.from,
    errors,
    warnings: a.warnings + b.warnings,
    jump: a.jump + b.jump,
    late: Math.max(a.late, b.late),
  };
}

/**
 * Halves a list that grows beyond what a small host should hold; an ordinary burn-in has some
 * thirty accounts.
 */
export function thin(accounts: Account[]): Account[] {
  if (accounts.length < ACCOUNTS_AT_ONCE) return accounts;
  const pairs = accounts.toSorted((a, b) => a.from - b.from);
  return pairs.flatMap((b, index) => {
    const [a, isSecond] = [pairs[index - 1], index % 2 === 1];
    if (!isSecond) return index + 1 < pairs.length && pairs[index + 1]?.from === b.to ? [] : [b];
    return a && a.to === b.from ? [joinAccounts(a, b)] : [b];
  });
}
