/**
 * Whether a person has to be told: what state the records and the units leave the bot in, and what
 * was told before. Pure.
 */

import { flagsIn } from "../burnin/words.ts";
import { valueAt } from "../http.ts";
import type { Entry } from "../log.ts";
import { gaugeBehind } from "../outputs/pretty.ts";
import type { UnitProperties } from "../probes/unit.ts";
import { EXIT, type Finding } from "../vocabulary.ts";

/**
 * What a person should know. `key` names the state. Only a pass that looked at all of `checks` ends
 * a bad one, so a partial run does not.
 */
export type Situation = {
  key: string;
  ok: boolean;
  title: string;
  text: string[];
  checks: string[];
};

/**
 * `told`: when each bad state of this spell was told. `missed`: titles that nobody was told. The
 * rest: how far things were taken in.
 */
type Told = {
  told: Record<string, number>;
  missed: Record<string, string>;
  seen: string;
  died: string[];
  pinged: string[];
};
/**
 * `news`: a decision on a burn-in that nobody was told of. It is no state of the bot: it does not
 * last, and no pass ends it.
 */
export type AlertState = { v: 1; situation: Situation | null; news: Situation | null } & Told;

export const KIND_NAMES: Readonly<Record<string, string>> = {
  verify: "verification",
  burnin: "burn-in",
  rollback: "rollback",
};
const BAD_WORDS = {
  fail: "fails",
  unknown: "cannot see",
  aborted: "was cut short",
  refused: "refused",
  died: "ended without a verdict",
};
const isPass = ({ verdict }: Entry): boolean => verdict === "pass" || verdict === "warn";
/**
 * A run that a person or a shutdown ended says nothing; where systemd ended it, the unit's Result
 * says so.
 */
const CUT_EXITS = [EXIT.busy, EXIT.SIGHUP, EXIT.SIGINT, EXIT.SIGTERM];
const isCut = ({ verdict, exit }: Entry): boolean =>
  verdict === "aborted" && CUT_EXITS.includes(Number(exit));
const markOf = (entry: Entry): string => `${entry.ts} ${entry.kind} ${entry.run}`;

/**
 * Adds to the records the ends of units that failed and left none, each after the last record that
 * is not younger: else such an end is silent.
 */
function withDeaths(records: readonly Entry[], units: readonly UnitProperties[]): Entry[] {
  const all = [...records];
  for (const {
    kind,
    ts = "",
    Result = "success",
    InvocationID: died,
    ExecMainStatus: exit,
  } of units) {
    if (
      !died ||
      Result === "success" ||
      records.some(
        (record) => record.kind === kind && record.unitInvocation === died && !isCut(record),
      )
    )
      continue;
    const isLocked = kind === "rollback" && exit === String(EXIT.busy);
    const [verdict, reason] = isLocked
      ? ["refused", "a deployment holds the lock"]
      : ["died", `${Result}, status ${exit}`];
    all.splice(all.findLastIndex((entry) => String(entry.ts) <= ts) + 1, 0, {
      kind,
      ts,
      died,
      unitInvocation: died,
      verdict,
      exit,
      reason,
    });
  }
  return all;
}

/** A hand may have been at the log: whatever stands there must not stop an alert. */
export const findingsIn = (value: unknown): Finding[] =>
  (Array.isArray(value) ? value : []).filter((finding) => typeof finding?.check === "string");

function tellFinding(finding: Finding): string[] {
  const says = String(finding.says);
  const evidence = [finding.evidence ?? []].flat().slice(0, 2);
  return [
    `${finding.check}: ${says}${gaugeBehind({ ...finding, says })}`,
    ...evidence.map((line) => `  | ${line}`),
  ];
}

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

/** The decision on a burn-in, as news. */
function decisionOf({
  ts,
  release,
  attempt,
  burnin,
  decision,
  reasons,
  action,
  flags,
}: Entry): Situation {
  const text = [
    String(action),
    ...textsIn(reasons),
    ...flagsIn(valueAt(flags, "/red")).map(({ says }) => `red flag: ${says}`),
    `at ${ts}`,
  ];
  const title = `burn-in ${decision} (release ${release}, attempt ${attempt})`;
  return { key: `burn-in|${burnin}|${decision}`, ok: decision === "PASS", title, text, checks: [] };
}

function situationAfter(before: Situation | null, entry: Entry): Situation | null {
  const { kind, verdict, ts, from, to, action, exit } = entry;
  const red = kind === "burnin" ? flagsIn(valueAt(entry, "/flags/red")) : [];
  const reason = entry.reason ?? (red.map(({ says }) => says).join("; ") || undefined);
  const findings = findingsIn(entry.findings);
  const looked = findings
    .filter(({ status }) => status !== "skipped")
    .map(({ check }) => check as string);
  const open = (before?.checks ?? []).filter((check) => !looked.includes(check));
  const release = entry.release ?? valueAt(entry, "/identity/release") ?? from;
  const on = release ? ` (release ${release})` : "";
  const isRollback = kind === "rollback";
  const good = {
    key: "healthy",
    ok: true,
    title: `the bot passes${on}`,
    text: [`at ${ts}`],
    checks: open,
  };
  // Whoever stopped the bot knows, and whoever rolled back is told by the command.
  if (verdict === "paused" || (isRollback && isPass(entry) && entry.by === "person")) return before;
  if (isPass(entry) && !isRollback) return open.length ? before : good;
  const word = BAD_WORDS[verdict as keyof typeof BAD_WORDS];
  if (isCut(entry) || !(word || isPass(entry))) return before;
  const bad = findings.filter(({ status }) => status === (isRollback ? "fail" : verdict));
  const failing =
    isRollback && Array.isArray(entry.checks)
      ? entry.checks.map(String)
      : bad.map(({ check }) => check as string);
  const what = reason ?? (failing.join(", ") || `exit ${exit}`);
  const way = `${from ? ` from ${from}` : ""}${to ? ` to ${to}` : ""}`;
  const title = isPass(entry)
    ? `rolled back${way}: ${what}`
    : `${KIND_NAMES[String(kind)]} ${word}: ${what}${on}`;
  const told = [...bad, ...findingsIn(valueAt(entry, "/failed/findings"))].flatMap(tellFinding);
  const text = [
    ...(action ? [String(action)] : []),
    ...red.map(({ says }) => `red flag: ${says}`),
    ...told,
    `at ${ts}`,
  ];
  const checks = [...new Set([...failing, ...open])].sort();
  // The same failure in a tick and in a verification is one state, and so is the same refusal
  // however often it is asked for.
  const kinds = failing.length ? [] : [...new Set(red.map((flag) => flag.kind))].sort();
  const about = isRollback || verdict === "died" ? [kind, exit, to, reason] : kinds;
  return {
    key: [verdict, release, failing.toSorted(), ...about].join("|"),
    ok: false,
    title,
    text,
    checks,
  };
}

/**
 * Where things stand after what came since the last look: a bad state that nobody was told of is
 * the present one, or missed.
 */
export function situationOf(
  records: readonly Entry[],
  units: readonly UnitProperties[],
  previous: AlertState | null,
): AlertState {
  const known = new Set(
    previous
      ? records.slice(0, records.findLastIndex((record) => markOf(record) === previous.seen) + 1)
      : [],
  );
  const begun: AlertState = {
    v: 1,
    situation: null,
    news: null,
    told: {},
    missed: {},
    seen: "",
    died: [],
    pinged: [],
  };
  const state = { ...begun, ...previous, missed: { ...previous?.missed }, died: [] as string[] };
  for (const entry of withDeaths(records, units)) {
    if (entry.died) state.died.push(String(entry.died));
    else state.seen = markOf(entry);
    if (known.has(entry) || previous?.died.includes(String(entry.died))) continue;
    if (entry.kind === "checkpoint" && entry.hour === 24) state.news = decisionOf(entry);
    if (entry.kind === "checkpoint") continue;
    const now = situationAfter(state.situation, entry);
    if (previous && now && !now.ok && state.told[now.key] === undefined)
      state.missed[now.key] = now.title;
    state.situation = now;
  }
  return state;
}

/**
 * What a message is due for, if any: a change, a recovery, news, or a bad state that lasts. Bad
 * states that take turns are told once each.
 */
export function judgeAlert(
  previous: AlertState | null,
  { situation, told, missed, news }: AlertState,
  now: number,
  repeatHours: number,
) {
  if (!situation) return news && "decided";
  const { key, ok } = situation;
  const isNew = ok ? key !== (previous?.situation?.key ?? "healthy") : told[key] === undefined;
  if (isNew || Object.keys(missed).length) return key === "healthy" ? "recovered" : "changed";
  if (news) return "decided";
  return !ok && Math.abs(now - (told[key] ?? now)) >= repeatHours * 3_600_000 ? "still" : null;
}

/** `text` has several lines. `change` is changed, still, recovered or decided. */
export type Message = {
  title: string;
  text: string;
  key: string;
  ok: boolean;
  change: string;
  env: string;
  host: string;
};

/** How one delivery went; `ping` is set where it was one. */
export type Delivery = {
  kind: string;
  ok: boolean;
  tries: number;
  problem: string | null;
  ping?: string;
};
export type Sent = Pick<Delivery, "ok" | "tries" | "problem">;

/**
 * The dead-man pings that are due, as healthchecks.io takes them: how the newest run ended, and
 * /start while a verification runs.
 */
export function pingsOf(records: readonly Entry[], units: readonly UnitProperties[]): string[] {
  // Both carry the unit's invocation, so that the receiver can tell how long a run took.
  const ridOf = (run: unknown): string =>
    `?rid=${String(run).replace(/^(\w{8})(\w{4})(\w{4})(\w{4})(\w{12})$/, "$1-$2-$3-$4-$5")}`;
  const last = withDeaths(records, units).findLast(
    (entry) => ["verify", "burnin"].includes(String(entry.kind)) && !isCut(entry),
  );
  const running = units.find(
    ({ kind, ActiveState = "" }) => kind === "verify" && /^activ/.test(ActiveState),
  );
  const end =
    last &&
    `${isPass(last) || last.verdict === "paused" ? "" : "/fail"}${ridOf(last.unitInvocation ?? last.run)}`;
  return [...(end ? [end] : []), ...(running ? [`/start${ridOf(running.InvocationID)}`] : [])];
}

/** Only what reached somebody counts as told; the rest is due again at the next run. */
export function remember(
  state: AlertState,
  message: Message | null,
  deliveries: readonly Delivery[],
  now: number,
): AlertState {
  const pinged = [
    ...state.pinged,
    ...deliveries.flatMap(({ ok, ping }) => (ok && ping) || []),
  ].slice(-10);
  const { situation, missed, told } = state;
  if (!message) return { ...state, pinged };
  const isTold = deliveries.some(({ ok, ping }) => ok && !ping);
  const news = isTold ? null : state.news;
  if (message.change === "decided" || !situation) return { ...state, pinged, news };
  const owed = Object.entries({ ...missed, [situation.key]: situation.title }).slice(-10);
  if (!isTold) return { ...state, pinged, missed: Object.fromEntries(owed) };
  return {
    ...state,
    pinged,
    news,
    missed: {},
    told: situation.ok ? {} : { ...told, ...Object.fromEntries(owed.map(([key]) => [key, now])) },
  };
}
