/**
 * What the log has of a burn-in, and of what happened beside it, in bounded memory. It judges
 * nothing, and leaves out only what no report shows.
 */

import { findingsIn } from "../alerts/situation.ts";
import { boundAccounts } from "../burnin/bounding.ts";
import type { CheckpointRecord } from "../burnin/judging.ts";
import { type Account, type BurninHead, isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { type Entry, type Skipped, scanRecords } from "../log.ts";
import type { Observation, ReportEvent, ReportFinding } from "./render.ts";

/** Something that happened; `at` is an ISO time. */
export type Happened = {
  at: string;
  kind: ReportEvent["kind"];
  says: string;
};

/** A burn-in with its accounts, in the order of the log. */
type Group = {
  about: BurninHead;
  accounts: Account[];
};

/** Of each list the newest, oldest first. */
export type Gathered = {
  /** Null where the log has no burn-in, or none since that time. */
  group: Group | null;
  happened: Happened[];
  /** Of all burn-ins. */
  checkpoints: CheckpointRecord[];
  notes: Observation[];
  findings: ReportFinding[];
  skipped: Skipped;
};

/** What is gathered so far, and of which burn-in. */
type Gathering = Gathered & {
  /** The burn-in that is open now; its ticks are told apart from those of others. */
  open: OpenBurnin | null;
  /** Epoch milliseconds; null where the newest burn-in is asked for. */
  since: number | null;
  /** The burn-in's id; null until an account tells which it is. */
  sought: string | null;
  /** The one that ran at `since` is over, and another has begun. */
  isPast: boolean;
};

/** Of what a report lists, so many are kept at least; twice as many are never held. */
export const KEPT = 500;

function keep<T>(list: T[], item: T): void {
  if (list.push(item) > 2 * KEPT) list.splice(0, KEPT);
}

/** The kinds of records that a report tells of. */
const KINDS = ["verify", "burnin", "checkpoint", "rollback", "alert", "note"];

const idIn = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Entry)[key] : undefined;

/** Whether a record is a tick of another burn-in than the one that is open. */
function isTickOfAnother(record: Entry, { open, since, sought }: Gathering): boolean {
  if (record.kind !== "burnin" || open === null || since !== null) return false;
  return idIn(record.burnin, "id") !== sought && idIn(record.account, "burnin") !== sought;
}

/** Adds a run's account to its burn-in. A later burn-in takes the place of one before it. */
function gatherAccount(gathering: Gathering, { ts, burnin, account }: Entry): void {
  const { since, sought } = gathering;
  if (!isAccount(account) || !burnin) return;
  if (sought !== null && sought !== account.burnin) return;
  if (gathering.group?.about.id !== account.burnin) {
    gathering.group = { about: burnin as BurninHead, accounts: [] };
  }
  const { group } = gathering;
  group.accounts.push(account);
  group.accounts = boundAccounts(group.accounts);
  if (since !== null && Date.parse(String(ts)) >= since) gathering.sought = account.burnin;
}

/** What a record tells that happened, in a sentence; null where it tells nothing. */
function describeRecord(record: Entry): string | null {
  const { verdict, exit, action, title } = record;
  if (record.kind === "alert") return title ? String(title) : null;
  if (record.kind === "rollback") return `${record.from ?? "?"} to ${record.to ?? "?"}: ${action}`;
  if (record.kind === "verify") return `the verification says ${verdict}, exit ${exit}. ${action}`;
  return null;
}

/** Adds what checks did not pass in a run. */
function gatherFindings({ findings }: Gathering, at: string, found: unknown): void {
  for (const { check, status, says, evidence } of findingsIn(found)) {
    if (status !== "fail" && status !== "unknown" && status !== "warn") continue;
    keep(findings, {
      at,
      check,
      status,
      says: String(says),
      evidence: [evidence ?? []].flat(),
    });
  }
}

/** Adds one record of the environment. */
function gatherRecord(gathering: Gathering, record: Entry): void {
  const { since, sought, notes, checkpoints, happened } = gathering;
  const { ts, kind, account, user, text } = record;
  const at = String(ts);
  if (since !== null && sought !== null && account && idIn(account, "burnin") !== sought) {
    gathering.isPast = true;
  }
  if (kind === "note") keep(notes, { at, by: String(user), text: String(text) });
  // What came after a burn-in is not of it; a person may note something later.
  if (gathering.isPast || isTickOfAnother(record, gathering)) return;
  gatherAccount(gathering, record);
  if (kind === "checkpoint" && Array.isArray(record.criteria)) {
    keep(checkpoints, record as CheckpointRecord);
  }
  const says = describeRecord(record);
  if (says !== null) keep(happened, { at, kind: kind as Happened["kind"], says });
  gatherFindings(gathering, at, record.findings);
}

/**
 * The burn-in that was asked for. The log may have lost what the state still knows of an open one.
 */
function groupIn({ open, since, sought, group }: Gathering): Group | null {
  if (since !== null && sought === null) return null;
  if (group !== null || open === null || open.id !== sought) return group;
  return { about: open, accounts: open.accounts };
}

/**
 * What the log has of a burn-in, and of what happened beside it: of the open one, or of the first
 * that ran at `since`, an ISO time.
 */
export function gatherReport(
  { name, logFile }: Config,
  open: OpenBurnin | null,
  since: string | undefined,
): Gathered {
  const gathering: Gathering = {
    group: null,
    happened: [],
    checkpoints: [],
    notes: [],
    findings: [],
    skipped: { foreign: 0, unread: [] },
    open,
    since: since === undefined ? null : Date.parse(since),
    sought: since === undefined ? (open?.id ?? null) : null,
    isPast: false,
  };
  for (const record of scanRecords(logFile, gathering.skipped)) {
    const isOurs = record.env === name && KINDS.includes(String(record.kind));
    if (isOurs) gatherRecord(gathering, record);
  }
  const { happened, checkpoints, notes, findings, skipped } = gathering;
  const group = groupIn(gathering);
  return { group, happened, checkpoints, notes, findings, skipped };
}
