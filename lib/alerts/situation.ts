/**
 * Whether a person has to be told: what state the records and the units leave the bot in, and what
 * was told before. Pure; run.ts reads what is judged here, and sinks.ts brings the messages.
 */

import { type Flag, flagsIn } from "../burnin/words.ts";
import { valueAt } from "../http.ts";
import type { Entry } from "../log.ts";
import { gaugeBehind } from "../outputs/pretty.ts";
import type { UnitProperties } from "../probes/unit.ts";
import { EXIT, type Finding } from "../vocabulary.ts";

/** What a person should know: a state of the bot, or a decision on its burn-in. */
export type Situation = {
  /** Names the state: two situations with the same key are told once. */
  key: string;
  ok: boolean;
  title: string;
  /** Lines. */
  text: string[];
  /**
   * Only a pass that looked at all of these checks ends a bad state, so that a partial run does
   * not.
   */
  checks: string[];
};

/** What is remembered from one run to the next, as the file of the state has it. */
export type AlertState = {
  v: 1;
  /** Null until a record has said something. */
  situation: Situation | null;
  /**
   * A decision on a burn-in that nobody was told of. It is no state of the bot: it does not last,
   * and no pass ends it.
   */
  news: Situation | null;
  /** When each bad state of this spell was told, in epoch milliseconds, by its key. */
  told: Record<string, number>;
  /** Titles of states that nobody was told of, by the key. */
  missed: Record<string, string>;
  /** The newest record that was taken in; see markOf(). */
  seen: string;
  /** Invocations of units that ended without a record, and were taken in. */
  died: string[];
  /** The newest pings that reached their receiver. */
  pinged: string[];
};

/** The units whose runs are told of, by the kind of their records, as people call them. */
export const KIND_NAMES: Readonly<Record<string, string>> = {
  verify: "verification",
  burnin: "burn-in",
  rollback: "rollback",
};

/** The verdicts that are bad, as a title says them; `died` is that of a unit without a record. */
const BAD_WORDS: Readonly<Record<string, string>> = {
  fail: "fails",
  unknown: "cannot see",
  aborted: "was cut short",
  refused: "refused",
  died: "ended without a verdict",
};

const isPass = ({ verdict }: Entry): boolean => verdict === "pass" || verdict === "warn";

const CUT_EXITS = [EXIT.busy, EXIT.SIGHUP, EXIT.SIGINT, EXIT.SIGTERM];
/**
 * Whether a person or a shutdown ended a run, which then says nothing; where systemd ended it, the
 * unit's Result says so.
 */
const isCut = ({ verdict, exit }: Entry): boolean =>
  verdict === "aborted" && CUT_EXITS.includes(Number(exit));

/** One word for a record, to find it again in the log. */
const markOf = ({ ts, kind, run }: Entry): string => `${ts} ${kind} ${run}`;

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

/**
 * The findings in a field of a record. A person may have edited the log: whatever stands there must
 * not stop an alert, or a report.
 */
export const findingsIn = (value: unknown): Finding[] =>
  (Array.isArray(value) ? value : []).filter((finding) => typeof finding?.check === "string");

/** The end of a unit that failed and left no record, as the record that it did not write. */
function recordDeath(unit: UnitProperties): Entry {
  const { kind, ts = "", Result, InvocationID: died, ExecMainStatus: exit } = unit;
  const about = { kind, ts, died, unitInvocation: died };
  if (kind === "rollback" && exit === String(EXIT.busy)) {
    return { ...about, verdict: "refused", exit, reason: "a deployment holds the lock" };
  }
  return { ...about, verdict: "died", exit, reason: `${Result}, status ${exit}` };
}

/**
 * Adds to the records the ends of units that failed and left none, each after the last record that
 * is not younger: else such an end is silent.
 */
function addDeaths(records: readonly Entry[], units: readonly UnitProperties[]): Entry[] {
  const all = [...records];
  for (const unit of units) {
    const { kind, ts = "", Result = "success", InvocationID: invocation } = unit;
    if (!invocation || Result === "success") continue;
    const hasRecord = records.some(
      (record) => record.kind === kind && record.unitInvocation === invocation && !isCut(record),
    );
    if (hasRecord) continue;
    const place = all.findLastIndex((entry) => String(entry.ts) <= ts) + 1;
    all.splice(place, 0, recordDeath(unit));
  }
  return all;
}

// --- Situations ----------------------------------------------------------------------------------

const EVIDENCE_SHOWN = 2;
function renderFinding(finding: Finding): string[] {
  const says = String(finding.says);
  const evidence = [finding.evidence ?? []].flat().slice(0, EVIDENCE_SHOWN);
  return [
    `${finding.check}: ${says}${gaugeBehind({ ...finding, says })}`,
    ...evidence.map((line) => `  | ${line}`),
  ];
}

const renderRedFlags = (flags: readonly Flag[]): string[] =>
  flags.map(({ says }) => `red flag: ${says}`);

/** The decision on a burn-in, by the record of its last checkpoint, as news. */
function renderDecision(checkpoint: Entry): Situation {
  const { ts, releaseId, attempt, burnin, decision, reasons, action, flags } = checkpoint;
  return {
    key: `burn-in|${burnin}|${decision}`,
    ok: decision === "PASS",
    title: `burn-in ${decision} (release ${releaseId}, attempt ${attempt})`,
    text: [
      String(action),
      ...textsIn(reasons),
      ...renderRedFlags(flagsIn(valueAt(flags, "/red"))),
      `at ${ts}`,
    ],
    checks: [],
  };
}

/** The red flags of a tick; other records have none that this state is about. */
const redFlagsOf = (entry: Entry): Flag[] =>
  entry.kind === "burnin" ? flagsIn(valueAt(entry, "/flags/red")) : [];

/** What a record gives as the reason, else its red flags; undefined where it has neither. */
function reasonOf(entry: Entry): unknown {
  const flags = redFlagsOf(entry).map(({ says }) => says);
  return entry.reason ?? (flags.join("; ") || undefined);
}

/** The release that a record is about; a rollback is about the one that was left. */
const releaseOf = (entry: Entry): unknown =>
  entry.releaseId ?? valueAt(entry, "/identity/version") ?? entry.from;

function renderRelease(entry: Entry): string {
  const release = releaseOf(entry);
  return release ? ` (release ${release})` : "";
}

/** The findings that made a record's verdict. */
function badFindings({ kind, verdict, findings }: Entry): Finding[] {
  const bad = kind === "rollback" ? "fail" : verdict;
  return findingsIn(findings).filter(({ status }) => status === bad);
}

/** The names of the checks that failed; a rollback names those that it was asked for. */
function failingChecks(entry: Entry): string[] {
  if (entry.kind === "rollback" && Array.isArray(entry.checks)) return entry.checks.map(String);
  return badFindings(entry).map(({ check }) => check);
}

/** The checks that were bad before a record, and that it did not look at again. */
function uncheckedSince(before: Situation | null, entry: Entry): string[] {
  const looked: string[] = findingsIn(entry.findings)
    .filter(({ status }) => status !== "skipped")
    .map(({ check }) => check);
  return (before?.checks ?? []).filter((check) => !looked.includes(check));
}

/** What is wrong, and with which release, in one line. */
function renderTitle(entry: Entry): string {
  const { kind, verdict, from, to, exit } = entry;
  const what = reasonOf(entry) ?? (failingChecks(entry).join(", ") || `exit ${exit}`);
  if (!isPass(entry)) {
    const word = BAD_WORDS[String(verdict)];
    return `${KIND_NAMES[String(kind)]} ${word}: ${what}${renderRelease(entry)}`;
  }
  const left = from ? ` from ${from}` : "";
  const goal = to ? ` to ${to}` : "";
  return `rolled back${left}${goal}: ${what}`;
}

/**
 * The key of a bad state. The same failure in a tick and in a verification is one state, and so is
 * the same refusal however often it is asked for.
 */
function keyOf(entry: Entry): string {
  const { kind, verdict, exit, to } = entry;
  const failing = failingChecks(entry).toSorted();
  const head = [verdict, releaseOf(entry), failing];
  if (kind === "rollback" || verdict === "died") {
    return [...head, kind, exit, to, reasonOf(entry)].join("|");
  }
  if (failing.length > 0) return head.join("|");
  const flagKinds = new Set(redFlagsOf(entry).map((flag) => flag.kind));
  return [...head, ...[...flagKinds].sort()].join("|");
}

/** The bad state that a record leaves the bot in; `unchecked` is what was bad before. */
function renderBad(entry: Entry, unchecked: readonly string[]): Situation {
  const { ts, action } = entry;
  const findings = [...badFindings(entry), ...findingsIn(valueAt(entry, "/failed/findings"))];
  return {
    key: keyOf(entry),
    ok: false,
    title: renderTitle(entry),
    text: [
      ...(action ? [String(action)] : []),
      ...renderRedFlags(redFlagsOf(entry)),
      ...findings.flatMap(renderFinding),
      `at ${ts}`,
    ],
    checks: [...new Set([...failingChecks(entry), ...unchecked])].sort(),
  };
}

/** The situation after a record; the one before it where the record says nothing of the bot. */
function situationAfter(before: Situation | null, entry: Entry): Situation | null {
  const { kind, verdict, by } = entry;
  const isRollback = kind === "rollback";
  // Whoever stopped the bot knows, and whoever rolled back is told by the command.
  if (verdict === "paused") return before;
  if (isRollback && isPass(entry) && by === "person") return before;
  const unchecked = uncheckedSince(before, entry);
  if (isPass(entry) && !isRollback) {
    if (unchecked.length > 0) return before;
    const title = `the bot passes${renderRelease(entry)}`;
    return { key: "healthy", ok: true, title, text: [`at ${entry.ts}`], checks: [] };
  }
  const isBad = BAD_WORDS[String(verdict)] !== undefined;
  if (isCut(entry) || !(isBad || isPass(entry))) return before;
  return renderBad(entry, unchecked);
}

const emptyState = (): AlertState => ({
  v: 1,
  situation: null,
  news: null,
  told: {},
  missed: {},
  seen: "",
  died: [],
  pinged: [],
});

/** The records that were taken in by an earlier look: the newest of them, and all before it. */
function knownRecords(records: readonly Entry[], previous: AlertState | null): Set<Entry> {
  if (!previous) return new Set();
  const newest = records.findLastIndex((record) => markOf(record) === previous.seen);
  return new Set(records.slice(0, newest + 1));
}

/**
 * Where things stand after what came since the last look: a bad state that nobody was told of is
 * the present one, or missed. `previous` is null at the first look, which owes nobody the past.
 */
export function situationOf(
  records: readonly Entry[],
  units: readonly UnitProperties[],
  previous: AlertState | null,
): AlertState {
  const known = knownRecords(records, previous);
  const state: AlertState = { ...emptyState(), ...previous, died: [] };
  state.missed = { ...state.missed };
  for (const entry of addDeaths(records, units)) {
    if (entry.died) state.died.push(String(entry.died));
    else state.seen = markOf(entry);
    if (known.has(entry) || previous?.died.includes(String(entry.died))) continue;
    if (entry.kind === "checkpoint") {
      if (entry.hour === 24) state.news = renderDecision(entry);
      continue;
    }
    const situation = situationAfter(state.situation, entry);
    const isUntold = situation && !situation.ok && state.told[situation.key] === undefined;
    if (previous && isUntold) state.missed[situation.key] = situation.title;
    state.situation = situation;
  }
  return state;
}

// --- Messages ------------------------------------------------------------------------------------

/** Why a message is due: another state, a bad one that lasts, a recovery, or news. */
export type Change = "changed" | "still" | "recovered" | "decided";

/** What a message is judged by. */
export type AlertCase = {
  /** What was remembered of the last run; null where there is none. */
  previous: AlertState | null;
  state: AlertState;
  /** Epoch milliseconds. */
  now: number;
  /** A bad state that lasts is told again after so long. */
  repeatHours: number;
};

/**
 * What a message is due for, if any: a change, a recovery, news, or a bad state that lasts. Bad
 * states that take turns are told once each.
 */
export function judgeAlert({ previous, state, now, repeatHours }: AlertCase): Change | null {
  const { situation, told, missed, news } = state;
  if (!situation) return news && "decided";
  const { key, ok } = situation;
  const toldAt = told[key];
  const before = previous?.situation?.key ?? "healthy";
  const isNew = ok ? key !== before : toldAt === undefined;
  if (isNew || Object.keys(missed).length > 0) return key === "healthy" ? "recovered" : "changed";
  if (news) return "decided";
  // The clock may have been set back since.
  const isOld = Math.abs(now - (toldAt ?? now)) >= repeatHours * 3_600_000;
  return !ok && isOld ? "still" : null;
}

/** What the sinks get; a sink of the kind json gets it as it is. `text` has several lines. */
export type Message = {
  title: string;
  text: string;
  key: string;
  ok: boolean;
  change: Change;
  env: string;
  host: string;
};

/** How a message or a ping was brought to one receiver. */
export type Sent = {
  ok: boolean;
  tries: number;
  /** Null where it was taken. */
  problem: string | null;
};

/** How one delivery went, as the record of the log has it. */
export type Delivery = {
  /** That of the sink, or `ping`. */
  kind: string;
  ok: boolean;
  tries: number;
  /** Null where it was taken. */
  problem: string | null;
  /** What was sent, where it was a ping. */
  ping?: string;
};

/**
 * A run as the pings name it. Its end and its begin both carry the unit's invocation, so that the
 * receiver can tell how long a run took; healthchecks.io wants it written as a UUID.
 */
function renderRunId(run: unknown): string {
  const hex = /^(\w{8})(\w{4})(\w{4})(\w{4})(\w{12})$/;
  return `?rid=${String(run).replace(hex, "$1-$2-$3-$4-$5")}`;
}

/**
 * The dead-man pings that are due, as healthchecks.io takes them: how the newest run ended, and
 * /start while a verification runs.
 */
export function pingsOf(records: readonly Entry[], units: readonly UnitProperties[]): string[] {
  const pings: string[] = [];
  const last = addDeaths(records, units).findLast(
    (entry) => ["verify", "burnin"].includes(String(entry.kind)) && !isCut(entry),
  );
  if (last) {
    const isGood = isPass(last) || last.verdict === "paused";
    pings.push(`${isGood ? "" : "/fail"}${renderRunId(last.unitInvocation ?? last.run)}`);
  }
  const running = units.find(
    ({ kind, ActiveState = "" }) => kind === "verify" && ActiveState.startsWith("activ"),
  );
  if (running) pings.push(`/start${renderRunId(running.InvocationID)}`);
  return pings;
}

/** What was sent in a run. */
export type DeliveryRound = {
  /** Null where none was due. */
  message: Message | null;
  /** Of the message and of the pings. */
  deliveries: readonly Delivery[];
  /** Epoch milliseconds. */
  now: number;
};

/** So many states that were told, or not, are remembered, and so many pings. */
const REMEMBERED_MAX = 10;

/** The state with what was sent: only what reached somebody is told; the rest is due again. */
export function rememberDeliveries(
  state: AlertState,
  { message, deliveries, now }: DeliveryRound,
): AlertState {
  const reached = deliveries.flatMap(({ ok, ping }) => (ok && ping) || []);
  const pinged = [...state.pinged, ...reached].slice(-REMEMBERED_MAX);
  const { situation, missed, told } = state;
  if (!message) return { ...state, pinged };
  const isTold = deliveries.some(({ ok, ping }) => ok && !ping);
  const news = isTold ? null : state.news;
  if (message.change === "decided" || !situation) return { ...state, pinged, news };
  const owed = Object.entries({ ...missed, [situation.key]: situation.title });
  const newest = owed.slice(-REMEMBERED_MAX);
  if (!isTold) return { ...state, pinged, missed: Object.fromEntries(newest) };
  const toldNow = Object.fromEntries(newest.map(([key]) => [key, now]));
  return {
    ...state,
    pinged,
    news,
    missed: {},
    told: situation.ok ? {} : { ...told, ...toldNow },
  };
}
