/**
 * What has to outlive the log's rotation: which release passed, which is in quarantine, the burn-in
 * that is open. It follows from the records of the log alone, and nothing here reads a file.
 */

import { randomUUID } from "node:crypto";
import { boundAccounts } from "../burnin/bounding.ts";
import type { CheckpointRecord } from "../burnin/judging.ts";
import { isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { headOf, type RecordHead } from "../log.ts";
import type { Result } from "../run.ts";
import {
  type CheckName,
  EXIT,
  type Finding,
  type Status,
  startOf,
  type Verdict,
} from "../vocabulary.ts";

/** Of the last verification, for the monitoring of the site. Times are epoch milliseconds. */
export type VerifyMetrics = {
  exit: number;
  /** How long it took. */
  ms: number;
  at: number;
  success: boolean;
  /** When one last passed; null where none has. */
  successAt: number | null;
  statuses: Partial<Record<CheckName, Status>>;
  /** How often each check has failed, for as long as the state is kept. */
  failures: Partial<Record<CheckName, number>>;
};

/** The newest pass of a release. */
export type Passed = {
  /** ISO 8601. */
  at: string;
  run: string;
  /** What the bot said then that it was; of one that did not say, its release's directory. */
  version: string | null;
  /** A hash of the database's schema then. */
  schema: string | null;
};

/** Why a release is not gone back to; a person who rolled back named no check. */
export type Quarantined = {
  /** ISO 8601. */
  at: string;
  run: string;
  checks: string[];
};

/** A rollback that has been begun; `automatic` where a verdict asked for it. */
type RememberedRollback = {
  /** ISO 8601. */
  at: string;
  run: string;
  /** The releaseId of the one that was left. */
  from: string;
  automatic: boolean;
};

/** The newest verdict. */
export type LastVerdict = {
  /** Which start of the bot it is about; null where no process was found. */
  start: string | null;
  /** Where no directory is configured, its version. */
  releaseId: string | null;
  /** ISO 8601. */
  at: string;
  /** The user who ran it; not in the state of older versions. */
  by?: string;
  run: string;
  verdict: Verdict["verdict"];
  exit: number;
};

/** What has to outlive the log's rotation; the maps are by releaseId. */
export type ReleaseState = {
  v: 1;
  metrics: VerifyMetrics | null;
  passed: Record<string, Passed>;
  quarantined: Record<string, Quarantined>;
  /** Oldest first. */
  rollbacks: RememberedRollback[];
  last: LastVerdict | null;
  /** So many verdicts in a row were failures of one and the same release. */
  failures: number;
  /** Starts of the bot whose verification came to no verdict. */
  unjudged: string[];
  /** The newest one, of the release that passed last. */
  burnin: OpenBurnin | null;
};

export const emptyState = (): ReleaseState => ({
  v: 1,
  metrics: null,
  passed: {},
  quarantined: {},
  rollbacks: [],
  last: null,
  failures: 0,
  unjudged: [],
  burnin: null,
});

/** What is asked of cytube-rollback@: by a verdict, or by a person. */
export type RollbackRequest = {
  by: "verdict" | "person";
  /** The run whose verdict asks for it, or the last one before a person does. */
  run: string | null;
  /** The release that is to be left; where no directory is configured, its version. */
  releaseId: string | null;
  /** What it failed with. */
  checks: string[];
  /** The database's schema, as that run saw it. */
  schema: string | null;
  /** The releaseId of where to go; null is the newest release that will do. */
  to: string | null;
  /** Goes back over everything that only a person may overrule. */
  emergency: boolean;
};

/** A request from its switch on. */
export type RollbackUnderWay = RollbackRequest & {
  /** The run by which this rollback is remembered. */
  marker?: string;
  /** Epoch milliseconds. */
  switchedAt?: number;
};

/** What the verification had found that asked for a rollback. */
export type FailedRun = {
  exit: number;
  findings: Finding[];
  metrics: Result["metrics"];
  /** Null where what failed does not show in it. */
  series: Result["series"];
};

/** What a rollback has come to. */
export type Outcome = Verdict & {
  /** The old release fails alike, so the new one is not to blame. */
  lifted?: boolean;
  /** Of the verification after the rollback. */
  findings?: Finding[];
  failed?: FailedRun | null;
};

/** A record of a rollback, as the log has it. */
export type RollbackRecord = RecordHead<"rollback"> &
  Outcome & {
    by: RollbackRequest["by"];
    /** The run that asked for it. */
    of: string | null;
    /** The releaseId of the one that was left. */
    from: string | null;
    /** The releaseId of where it went; null where it went nowhere, or rollback.command chose. */
    to: string | null;
    checks: string[];
    lifted: boolean;
  };

export function rollbackRecord(
  config: Config,
  request: RollbackUnderWay,
  outcome: Outcome,
): RollbackRecord {
  return {
    ...headOf("rollback", config.name, request.marker ?? randomUUID(), Date.now()),
    by: request.by,
    of: request.run,
    from: request.releaseId,
    to: request.to,
    checks: request.checks,
    lifted: false,
    ...outcome,
  };
}

/**
 * Whether the bot was started as another release than the burn-in's, which ends the burn-in without
 * a decision. `start` is the start that was found, null where none was.
 */
export function isLeft(
  burnin: OpenBurnin,
  releaseId: string | null,
  start: string | null,
): boolean {
  if (burnin.releaseId === null || releaseId === null) return false;
  if (burnin.releaseId === releaseId) return false;
  return start !== null && start !== burnin.place?.start;
}

/** Null also where a hand has taken the identity out of the log. */
const startIn = ({ identity }: Result): string | null => (identity ? startOf(identity) : null);

const wasRestarted = ({ accounts }: OpenBurnin): boolean =>
  accounts.some(({ restarts }) => restarts.some(({ planned }) => planned === false));

/** The burn-in with what a run has accounted for, if that is not known yet. */
function addAccount(burnin: OpenBurnin, { run, account, place }: Result): OpenBurnin {
  if (!isAccount(account) || account.burnin !== burnin.id) return burnin;
  if (burnin.accounts.some((other) => other.run === run)) return burnin;
  return { ...burnin, accounts: boundAccounts([...burnin.accounts, account]), place };
}

/** The burn-in that a verification begins with its pass; null where it begins none. */
function beginBurnin(known: OpenBurnin | null, record: Result): OpenBurnin | null {
  const { kind, whole, exit, run, releaseId, place } = record;
  if (kind !== "verify" || !whole || exit !== EXIT.passed || !place) return null;
  const own = known?.releaseId === releaseId ? known : null;
  const isGood = own?.decision === "RUNNING" || own?.decision === "PASS";
  if (own && isGood && !wasRestarted(own)) return null;
  return {
    id: run,
    releaseId,
    attempt: own ? own.attempt + 1 : 1,
    startedAt: record.ts,
    accounts: [],
    place: { ...place, age: 0, down: null, stopping: null, offline: null, joining: null },
    hours: [],
    decision: "RUNNING",
  };
}

/**
 * The burn-in after a verification or a tick: each release has its own, and after a failure a pass
 * begins the next attempt.
 */
function foldBurnin(known: OpenBurnin | null, record: Result): OpenBurnin | null {
  const isOver = known !== null && isLeft(known, record.releaseId, startIn(record));
  const grown = known && !isOver ? addAccount(known, record) : null;
  return beginBurnin(grown, record) ?? grown;
}

/** The state after a checkpoint, which may end the burn-in that it is of. */
function foldCheckpoint(state: ReleaseState, record: CheckpointRecord): ReleaseState {
  const { burnin } = state;
  if (burnin?.id !== record.burnin) return state;
  const hours = [...burnin.hours, record.hour];
  return { ...state, burnin: { ...burnin, hours, decision: record.decision } };
}

function without<T>(map: Readonly<Record<string, T>>, id: string): Record<string, T> {
  const { [id]: _, ...others } = map;
  return others;
}

/** So many rollbacks, and so many starts without a verdict, are remembered. */
const REMEMBERED_MAX = 100;

/** The state after a rollback: the release that was left is in quarantine, or is free again. */
function foldRollback(state: ReleaseState, record: RollbackRecord): ReleaseState {
  const { ts: at, run, from, checks } = record;
  if (record.verdict === "refused" || from === null) return state;
  // The marker before a switch and the record of its outcome are of the same run.
  const others = state.rollbacks.filter((known) => known.run !== run);
  const rollback = { at, run, from, automatic: record.by === "verdict" };
  const released = without(state.quarantined, from);
  return {
    ...state,
    rollbacks: [...others, rollback].slice(-REMEMBERED_MAX),
    quarantined: record.lifted ? released : { ...released, [from]: { at, run, checks } },
  };
}

function measureVerification(before: VerifyMetrics | null, record: Result): VerifyMetrics {
  const { exit, ms, findings } = record;
  const at = Date.parse(record.ts);
  const success = exit === EXIT.passed;
  const statuses: VerifyMetrics["statuses"] = {};
  const failures = { ...before?.failures };
  for (const { check, status } of findings) {
    statuses[check] = status;
    failures[check] = (failures[check] ?? 0) + (status === "fail" ? 1 : 0);
  }
  const successAt = success ? at : (before?.successAt ?? null);
  return { exit, ms, at, success, successAt, statuses, failures };
}

/** The state after a verification that came to no verdict: only its start is remembered. */
function foldAborted(state: ReleaseState, record: Result): ReleaseState {
  const start = startIn(record);
  if (!start) return state;
  const unjudged = [...new Set([...state.unjudged, start])];
  return { ...state, unjudged: unjudged.slice(-REMEMBERED_MAX) };
}

/** How many verdicts in a row were failures of the release that a verdict is about. */
function countFailures({ last, failures }: ReleaseState, record: Result): number {
  if (record.verdict !== "fail") return 0;
  return last?.releaseId === record.releaseId ? failures + 1 : 1;
}

/** The state after a verdict on a start of the bot. */
function foldVerdict(state: ReleaseState, record: Result): ReleaseState {
  const { ts: at, run, verdict, exit, releaseId, identity, schema } = record;
  const judged: ReleaseState = {
    ...state,
    metrics: measureVerification(state.metrics, record),
    unjudged: [],
    failures: countFailures(state, record),
    last: { start: startIn(record), releaseId, at, by: record.user, run, verdict, exit },
  };
  if (exit !== EXIT.passed || releaseId === null) return judged;
  const passed = { at, run, version: identity?.version ?? null, schema };
  return {
    ...judged,
    quarantined: without(state.quarantined, releaseId),
    passed: { ...state.passed, [releaseId]: passed },
  };
}

/** The state after a verification. Only one that looked at everything is a verdict on a release. */
function foldVerification(state: ReleaseState, record: Result): ReleaseState {
  const { run, ts, verdict, whole } = record;
  if (!whole || verdict === "superseded") return state;
  // A record that stands in the log twice counts once.
  if (state.last?.run === run && state.last.at === ts) return state;
  return verdict === "aborted" ? foldAborted(state, record) : foldVerdict(state, record);
}

/** What the state is made of. */
export type KeptRecord = Result | RollbackRecord | CheckpointRecord;

/** The state after a record of the log; folding the whole log builds the state anew. */
export function foldRecord(before: ReleaseState, record: KeptRecord): ReleaseState {
  if (record.kind === "checkpoint") return foldCheckpoint(before, record);
  if (record.kind === "rollback") return foldRollback(before, record);
  const state = { ...before, burnin: foldBurnin(before.burnin, record) };
  return record.kind === "verify" ? foldVerification(state, record) : state;
}

/** Whether this process is that unit of the verifier's own, by what its service file sets. */
export const isUnit = (name: "verify" | "burnin"): boolean =>
  process.env.CYTUBE_VERIFY_UNIT === name;
