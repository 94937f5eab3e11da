/**
 * Accounts for everything since the look before: what was down, lost, logged, measured, and what
 * nobody saw.
 * It judges nothing: an account is evidence.
 */

import * as fs from "node:fs";
import { type Observed, observe, orNull } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { sumOf } from "../numbers.ts";
import { type Firing, readFiring } from "../probes/alertmanager.ts";
import { newestBackup } from "../probes/database-child.ts";
import { type JournalEntry, parseJournal } from "../probes/journal.ts";
import type { LogSource } from "../probes/log-lines.ts";
import { type PrometheusView, readPrometheus } from "../probes/prometheus.ts";
import type { BurninLimits } from "../rules.ts";
import { isoOf } from "../text.ts";
import { type Part, startOf } from "../vocabulary.ts";
import { type Interval, type LinkMark, type Look, readInterval } from "./interval.ts";
import { accountLinks, type Links } from "./links.ts";
import { cursorAt, elapsedBetween, readMoment } from "./moments.ts";
import { lengthOf } from "./spans.ts";
import { accountProcess, parseUnitEvents, parseUnitHistory, type UnitHistory } from "./starts.ts";
import type { Account, Cursor, Moment, OpenBurnin } from "./words.ts";

const UNSEEN_LINK =
  "between two looks nobody sees the connection: name its lines in burnin.disconnected and " +
  "burnin.connected, or say why not in off: burnin.connection";

/** Judges what was read of the logs, as the check of the error logs does. */
type LogCheck = (sources: LogSource[]) => Part[];

/** The interval that is accounted for: from `before.age` to `age`, which is now. */
type Stretch = {
  before: Cursor;
  now: Moment;
  age: number;
};

/** How late a run comes after the one before it: seconds, or 0 where it is in time. */
function lateness(began: number, age: number, { schedule, lateSecondsMax }: BurninLimits): number {
  const row = Object.entries(schedule).find(([hours]) => began < Number(hours) * 3600);
  // After the last hour of the schedule no tick is due.
  if (!row) return 0;
  const [, step] = row;
  return age - began > step + lateSecondsMax ? age - began - step : 0;
}

/** The end of an earlier boot, as far as the journal has it: from there on the host was off. */
async function readHostEnd(bootId: string): Promise<JournalEntry | null> {
  const argv = ["journalctl", "--quiet", `--boot=${bootId}`, "--lines=1", "--output=json"];
  const read = await observe(() => readCommand(argv, 10_000));
  return (read.seen && parseJournal(read.value.stdout)[0]) || null;
}

/** The age of a moment, in epoch milliseconds, within an interval: by the wall clock. */
function ageByWall(at: number, { before, now, age }: Stretch): number {
  return Math.min(age, Math.max(before.age, age - (Date.parse(now.at) - at) / 1000));
}

/** The age of an entry: by the journal's own clock, which nobody sets, where that boot is known. */
function ageOfEntry({ at, bootId, upMs }: JournalEntry, stretch: Stretch): number {
  const { before, now, age } = stretch;
  if (bootId === now.bootId) return age - now.upSeconds + upMs / 1000;
  if (bootId === before.bootId) return before.age + upMs / 1000 - before.upSeconds;
  return ageByWall(at, stretch);
}

/** When the bot's process was away, and when it began anew, by the journal. */
async function accountUnit(
  journal: readonly JournalEntry[],
  stretch: Stretch,
  isUp: boolean,
): Promise<UnitHistory> {
  const { before, now, age } = stretch;
  const { bootId } = now;
  const last = before.bootId === bootId ? null : await readHostEnd(before.bootId);
  const hostEnd = last && { from: ageOfEntry(last, stretch), at: isoOf(last.at) };
  // From a cursor on all is new, also what came while the run before was still reading.
  const events = parseUnitEvents(journal, (entry) => ageOfEntry(entry, stretch)).filter(
    (event) => before.cursor !== null || event.age >= before.age,
  );
  return parseUnitHistory(events, before, { age, bootId, isUp, hostEnd });
}

/** When the bot's process was away, and when it began anew. */
async function accountStarts(
  { observations, identity, follower }: Look,
  stretch: Stretch,
  journal: readonly JournalEntry[] | null,
): Promise<UnitHistory> {
  const { before, now, age } = stretch;
  const found = observations.process;
  const alive = follower?.isGone() ? null : identity;
  if (journal) return accountUnit(journal, stretch, alive !== null || !found?.seen);
  // Who could not look knows of no end.
  if (!found?.seen) return { outages: [], restarts: [], stops: [], down: null, stopping: null };
  const { trouble } = found.value;
  return accountProcess(before, { identity: alive, trouble, now, age });
}

/** When the connection was lost, by the marks of the logs and the health document. */
function accountConnection(
  { config, observations }: Look,
  stretch: Stretch,
  found: { marks: readonly LinkMark[]; starts: UnitHistory },
): Links {
  const { before, age } = stretch;
  const { restarts, stops } = found.starts;
  const marks = found.marks
    .filter(({ isNew }) => isNew)
    .map(({ at, isBack, says }) => {
      // A stamp of whole seconds is half a second too early on average.
      const exactly = at % 1000 === 0 ? at + 500 : at;
      return { age: ageByWall(exactly, stretch), at: isoOf(exactly), isBack, says };
    });
  const fields = observations.fields?.seen ? observations.fields.value : null;
  let connected: boolean | null = null;
  if (fields && !config.off.connection) {
    // The document was read before the logs: what they have from then on is the newer word.
    const readAt = ageByWall(fields.at, stretch) - 1;
    const isOvertaken = marks.some((mark) => mark.age >= readAt);
    connected = isOvertaken ? null : fields.connected === true;
  }
  const look = { from: before.age, age, at: before.at, connected };
  return accountLinks({ marks, restarts, stops }, before, look);
}

/** What tells the connection between two looks; `links` is how many marks the logs have had. */
function watchedBy({ off, burnin }: Config, links: number): Account["connection"] {
  if (off.connection || off["burnin.connection"]) return "off";
  return burnin.disconnected || links > 0 ? "log" : "look";
}

/** Hours since the newest backup was written; null where there is none, or none can be seen. */
function readBackupHours({ database }: Config): number | null {
  const place = database?.backup;
  if (!place) return null;
  return orNull(() => {
    const newest = newestBackup(place);
    return newest === null ? null : (Date.now() - fs.statSync(newest).mtimeMs) / 3_600_000;
  });
}

/** What others say of the bot; null where the config names nobody. */
type Monitoring = {
  firing: Observed<Firing[]> | null;
  prometheus: PrometheusView | null;
};

async function readMonitoring(config: Config, age: number): Promise<Monitoring> {
  const firing = config.alertmanager ? await observe(() => readFiring(config)) : null;
  const prometheus = config.prometheus ? await readPrometheus(config, age) : null;
  return { firing, prometheus };
}

/** What of an interval is known by now, for `listUnseen`. */
type Known = {
  read: Interval;
  starts: UnitHistory;
  connection: Account["connection"];
  firing: Monitoring["firing"];
};

/** The journal is read for the unit's starts too, where the bot's lines are not counted in it. */
function listBlindJournal({ journal, sources }: Interval): string[] {
  if (!journal?.source.unseen || sources.includes(journal.source)) return [];
  return [`${journal.source.source}: ${journal.source.unseen}`];
}

/** What could not be seen of an interval, in sentences. */
function listUnseen(
  { config, findings, identity }: Look,
  { read, starts, connection, firing }: Known,
  { before, checkLogs }: { before: Cursor; checkLogs: LogCheck },
): string[] {
  const parts = config.off.error_logs ? [] : checkLogs(read.sources);
  const unseen = parts.filter(({ status }) => status === "unknown").map(({ says }) => says);
  unseen.push(...listBlindJournal(read));
  if (connection === "look") unseen.push(UNSEEN_LINK);
  for (const { check, status, says } of findings.values()) {
    if (status === "unknown") unseen.push(`${check}: ${says}`);
  }
  const isOther = identity && before.start !== null && startOf(identity) !== before.start;
  if (isOther && !starts.restarts.length) {
    unseen.push("the bot was started again, and the journal does not say when");
  }
  if (firing && !firing.seen) unseen.push(firing.why);
  return unseen;
}

/** Null where the config counts no errors, or names no log. */
function countErrors({ config }: Look, { sources }: Interval): number | null {
  if (!sources.length || config.off.error_logs) return null;
  return sumOf(sources.map(({ tally }) => tally.errors + tally.undated + tally.uncertain));
}

/** Which start of the bot runs now; where nobody could look, that of the look before. */
function startNow({ observations, identity, follower }: Look, before: Cursor): string | null {
  if (!observations.process?.seen) return before.start;
  return identity && !follower?.isGone() ? startOf(identity) : null;
}

/** What the run after goes on from. */
function cursorAfter(
  run: Look,
  { before, now, age }: Stretch,
  known: { read: Interval; starts: UnitHistory; link: Links; links: number },
): Cursor {
  const { read, starts, link, links } = known;
  return {
    ...cursorAt(now, age, startNow(run, before)),
    cursor: read.journal?.cursor ?? null,
    files: read.files,
    down: starts.down,
    stopping: starts.stopping,
    offline: link.offline,
    joining: link.joining,
    links,
  };
}

/** Accounts for everything since the run before, in whatever way it can be known. */
export async function accountFor(
  run: Look,
  burnin: OpenBurnin,
  checkLogs: LogCheck,
): Promise<{ account: Account; place: Cursor }> {
  const { config, metrics } = run;
  const before = burnin.place as Cursor;
  const read = await readInterval(run, before);
  const now = await readMoment();
  const { seconds, jump } = elapsedBetween(before, now);
  const age = Math.round((before.age + seconds) * 1000) / 1000;
  const stretch: Stretch = { before, now, age };
  const starts = await accountStarts(run, stretch, read.journal?.systemd ?? null);
  const link = accountConnection(run, stretch, { marks: read.marks, starts });
  const links = before.links + read.marks.length;
  const connection = watchedBy(config, links);
  const { firing, prometheus } = await readMonitoring(config, age);
  const known: Known = { read, starts, connection, firing };
  const account: Account = {
    burnin: burnin.id,
    run: run.id,
    at: now.at,
    from: before.age,
    to: age,
    jump,
    late: lateness(before.age, age, config.burninLimits),
    boot: now.bootId,
    outages: [...starts.outages, ...link.outages].filter((outage) => lengthOf(outage) > 0),
    restarts: starts.restarts,
    errors: countErrors(run, read),
    warnings: sumOf(read.sources.map(({ tally }) => tally.warnings)),
    unseen: listUnseen(run, known, { before, checkLogs }),
    connection,
    responseMs: metrics.responseMsAvg ?? null,
    memoryMb: metrics.memoryMb ?? null,
    cpuPercent: metrics.cpuPercent ?? null,
    users: metrics.users ?? null,
    requests: metrics.requests ?? null,
    alerts: firing?.seen ? firing.value : null,
    prometheus,
    backupHours: readBackupHours(config),
  };
  return { account, place: cursorAfter(run, stretch, { read, starts, link, links }) };
}
