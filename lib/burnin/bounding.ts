/**
 * Keeps the accounts of a burn-in to what a small host should hold, without changing what the
 * burn-in is judged by.
 */

import { sumOf } from "../numbers.ts";
import { groupsOf } from "./spans.ts";
import { orderAccounts } from "./summary.ts";
import type { Account, Outage } from "./words.ts";

/**
 * So many stay as they are. An ordinary burn-in has some thirty accounts; a tick every minute for a
 * day makes 1,440.
 */
const ACCOUNTS_KEPT = 1000;

/** Older ones become one an hour: the growth of the memory is judged by hours, and so are bands. */
const CARRIED_SECONDS = 3600;

/** A hole of this length stays one between two accounts, however many there are. */
const HOLE_SECONDS_KEPT = 60;

/** Of shorter ones, so many an hour are told apart. */
const HOLES_MAX = 20;

/** As many sentences on what could not be seen as a person may want to read. */
const UNSEEN_MAX = 50;

/** The clocks' own doubt: less than this between two accounts is no hole. */
const HOLE_SECONDS_MIN = 1;

/**
 * A time that no account covers, as an outage that is a mere bound: the uptime takes both alike.
 */
const holeAsOutage = ({ at, to: from }: Account, to: number): Outage => ({
  from,
  to,
  at,
  kind: "down",
  source: "look",
  says: "nobody looked",
  planned: null,
  exact: false,
});

/**
 * The short times between accounts that none of them covers. Very many become one, from the first
 * to the last: the uptime's lower bound may sink by that, and never rise.
 */
function holesBetween(ordered: readonly [Account, ...Account[]]): Outage[] {
  const holes: Outage[] = [];
  let [reached] = ordered;
  for (const account of ordered) {
    if (account.from - reached.to > HOLE_SECONDS_MIN) {
      holes.push(holeAsOutage(reached, account.from));
    }
    if (account.to > reached.to) reached = account;
  }
  const [first] = holes;
  const last = holes.at(-1);
  return first && last && holes.length > HOLES_MAX ? [{ ...first, to: last.to }] : holes;
}

/** The largest of the values that were measured; null where none was. */
function largestOf(values: readonly (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length ? Math.max(...measured) : null;
}

/** The sum of what was counted; null where nothing was. */
function countedIn(values: readonly (number | null)[]): number | null {
  const counted = values.filter((value) => value !== null);
  return counted.length ? sumOf(counted) : null;
}

/** The alerts of all accounts, each once; null where nobody was ever asked. */
function alertsIn(accounts: readonly Account[]): Account["alerts"] {
  if (accounts.every(({ alerts }) => alerts === null)) return null;
  const all = accounts.flatMap(({ alerts }) => alerts ?? []);
  const alike = groupsOf(all, ({ name, since }) => `${name} ${since}`);
  return alike.flatMap(([first]) => first ?? []);
}

/** The average of what was measured, each by the time that its account covers. */
function averageIn(accounts: readonly Account[], name: "responseMs" | "cpuPercent"): number | null {
  let sum = 0;
  let seconds = 0;
  for (const { [name]: value, from, to } of accounts) {
    if (value === null) continue;
    const weight = Math.max(HOLE_SECONDS_MIN, to - from);
    sum += value * weight;
    seconds += weight;
  }
  return seconds ? sum / seconds : null;
}

/**
 * Accounts in order as one: everything that happened in them, and of what was measured the average
 * over time or the most. Its peaks are dated to its end.
 */
function carry(ordered: readonly [Account, ...Account[]]): Account {
  const last = ordered.at(-1) ?? ordered[0];
  const unseen = new Set(ordered.flatMap((account) => account.unseen));
  return {
    ...last,
    from: ordered[0].from,
    to: Math.max(...ordered.map(({ to }) => to)),
    jump: sumOf(ordered.map(({ jump }) => jump)),
    late: Math.max(...ordered.map(({ late }) => late)),
    outages: [...ordered.flatMap(({ outages }) => outages), ...holesBetween(ordered)],
    restarts: ordered.flatMap(({ restarts }) => restarts),
    errors: countedIn(ordered.map(({ errors }) => errors)),
    warnings: sumOf(ordered.map(({ warnings }) => warnings)),
    unseen: [...unseen].slice(0, UNSEEN_MAX),
    alerts: alertsIn(ordered),
    responseMs: averageIn(ordered, "responseMs"),
    memoryMb: largestOf(ordered.map(({ memoryMb }) => memoryMb)),
    cpuPercent: averageIn(ordered, "cpuPercent"),
    users: largestOf(ordered.map(({ users }) => users)),
    looks: sumOf(ordered.map(({ looks }) => looks ?? 1)),
  };
}

/** Accounts in order, by the hour in which they end, and apart where nobody looked for long. */
function groupByHour(ordered: readonly Account[]): [Account, ...Account[]][] {
  const groups: [Account, ...Account[]][] = [];
  let hour = 0;
  let reached = 0;
  for (const account of ordered) {
    const { from, to } = account;
    const group = groups.at(-1);
    const isNear = from - reached < HOLE_SECONDS_KEPT;
    if (group && isNear && hour === Math.floor(to / CARRIED_SECONDS)) group.push(account);
    else groups.push([account]);
    hour = Math.floor(to / CARRIED_SECONDS);
    reached = to;
  }
  return groups;
}

/**
 * Of more than 2,000 accounts the newest 1,000, in order, behind those that carry the older ones,
 * one an hour. Those cannot just be left out: the time that they cover would be a hole, and their
 * restarts and errors would be forgotten, so that a burn-in that has failed could pass.
 */
export function boundAccounts(accounts: Account[]): Account[] {
  // A thousand at a time: they have to be put in order first.
  if (accounts.length <= 2 * ACCOUNTS_KEPT) return accounts;
  // An account that stands there twice must not be added up twice.
  const ordered = orderAccounts(accounts);
  const carried = groupByHour(ordered.slice(0, -ACCOUNTS_KEPT)).map(carry);
  return [...carried, ...ordered.slice(-ACCOUNTS_KEPT)];
}

/** How many looks are there only as a part of an account that carries them. */
export function countCarried(accounts: readonly Account[]): number {
  return sumOf(accounts.map(({ looks }) => looks ?? 0));
}
