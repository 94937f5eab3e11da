/**
 * Accounts for everything since the look before: what was down, lost, logged, measured, and what
 * nobody saw.
 * It judges nothing: an account is evidence.
 */

import * as fs from "node:fs";
import { observe, orNull } from "../attempt.ts";
import { readCommand } from "../command.ts";
import { sumOf } from "../numbers.ts";
import { readFiring } from "../probes/alertmanager.ts";
import { newestBackup } from "../probes/database-child.ts";
import { type JournalEntry, parseJournal } from "../probes/journal.ts";
import type { LogSource } from "../probes/log-lines.ts";
import { readPrometheus } from "../probes/prometheus.ts";
import type { BurninLimits } from "../rules.ts";
import { isoOf } from "../text.ts";
import { type Part, startOf } from "../vocabulary.ts";
import { type Interval, type Look, readInterval } from "./interval.ts";
import { accountLinks } from "./links.ts";
import { cursorAt, elapsedBetween, readMoment } from "./moments.ts";
import { lengthOf } from "./spans.ts";
import { accountProcess, parseUnitEvents, parseUnitHistory } from "./starts.ts";
import type { Account, Cursor, Moment, OpenBurnin, Restart } from "./words.ts";

const UNSEEN_LINK =
  "between two looks nobody sees the connection: name its lines in burnin.disconnected and burnin.connected, or say why not in off: burnin.connection";

/** How late a run comes after the one before it. */
function lateness(
  { age: began }: Cursor,
  age: number,
  { schedule, lateSecondsMax }: BurninLimits,
): number {
  const step =
    Object.entries(schedule).find(([hours]) => began < Number(hours) * 3600)?.[1] ?? Infinity;
  return age - began > step + lateSecondsMax ? age - began - step : 0;
}

/** Judges what was read of the logs, as the check of the error logs does. */
type LogCheck = (sources: LogSource[]) => Part[];

/** The end of an earlier boot, as far as the journal has it: from there on the host was off. */
async function readHostEnd(bootId: string): Promise<JournalEntry | null> {
  const read = await observe(() =>
    readCommand(
      ["journalctl", "--quiet", `--boot=${bootId}`, "--lines=1", "--output=json"],
      10_000,
    ),
  );
  return (read.seen && parseJournal(read.value.stdout)[0]) || null;
}

/**
 * Ages of moments within an interval: by the journal's own clock, which nobody sets, or else by the
 * wall clock.
 */
function agesOf(before: Cursor, now: Moment, age: number) {
  const byWall = (at: number): number =>
    Math.min(age, Math.max(before.age, age - (Date.parse(now.at) - at) / 1000));
  const ofEntry = ({ at, bootId, upMs }: JournalEntry): number =>
    bootId === now.bootId
      ? age - now.upSeconds + upMs / 1000
      : bootId === before.bootId
        ? before.age + upMs / 1000 - before.upSeconds
        : byWall(at);
  return { byWall, ofEntry };
}

/** When the bot's process was away, and when it began anew. */
async function accountStarts(
  run: Look,
  before: Cursor,
  now: Moment,
  age: number,
  journal: JournalEntry[] | null,
) {
  const { observations, identity, follower } = run;
  const alive = follower?.isGone() ? null : identity;
  const trouble = observations.process?.seen ? observations.process.value.trouble : null;
  // Who could not look knows of no end.
  if (!journal && !observations.process?.seen)
    return { outages: [], restarts: [], stops: [], down: null, stopping: null };
  if (!journal) return accountProcess(before, alive, trouble, now, age);
  const { ofEntry } = agesOf(before, now, age);
  const hostEnd = before.bootId === now.bootId ? null : await readHostEnd(before.bootId);
  // From a cursor on all is new, also what came while the run before was still reading.
  const events = parseUnitEvents(journal, ofEntry).filter(
    (event) => before.cursor !== null || event.age >= before.age,
  );
  const isUp = alive !== null || !observations.process?.seen;
  return parseUnitHistory(
    events,
    before,
    hostEnd && { from: ofEntry(hostEnd), at: isoOf(hostEnd.at) },
    { ...now, age, isUp },
  );
}

/** What could not be seen of an interval, in sentences. */
function listUnseen(
  { config, findings, identity }: Look,
  checkLogs: LogCheck,
  read: Interval,
  before: Cursor,
  restarts: readonly Restart[],
  connection: Account["connection"],
) {
  const { journal, sources } = read;
  const parts = config.off.error_logs ? [] : checkLogs(sources);
  const blind =
    journal?.source.unseen && !sources.includes(journal.source)
      ? [`${journal.source.source}: ${journal.source.unseen}`]
      : [];
  const isOther =
    identity && before.start !== null && startOf(identity) !== before.start && !restarts.length;
  return [
    ...parts.filter(({ status }) => status === "unknown").map(({ says }) => says),
    ...blind,
    ...(connection === "look" ? [UNSEEN_LINK] : []),
    ...[...findings.values()]
      .filter(({ status }) => status === "unknown")
      .map(({ check, says }) => `${check}: ${says}`),
    ...(isOther ? ["the bot was started again, and the journal does not say when"] : []),
  ];
}

/** Accounts for everything since the run before, in whatever way it can be known. */
export async function accountFor(
  run: Look,
  burnin: OpenBurnin,
  checkLogs: LogCheck,
): Promise<{ account: Account; place: Cursor }> {
  const { config, observations, metrics, identity } = run;
  const { off } = config;
  const before = burnin.place as Cursor;
  const read = await readInterval(run, before);
  const now = await readMoment();
  const { seconds, jump } = elapsedBetween(before, now);
  const age = Math.round((before.age + seconds) * 1000) / 1000;
  const process = await accountStarts(run, before, now, age, read.journal?.systemd ?? null);
  // A stamp of whole seconds is half a second too early on average.
  const exactly = (at: number): number => (at % 1000 === 0 ? at + 500 : at);
  const { byWall } = agesOf(before, now, age);
  const marks = read.marks
    .filter((mark) => mark.isNew)
    .map((mark) => ({ ...mark, age: byWall(exactly(mark.at)), at: isoOf(exactly(mark.at)) }));
  const fields = observations.fields?.seen ? observations.fields.value : null;
  // The document was read before the logs: what they have from then on is the newer word.
  const isOvertaken = fields !== null && marks.some((mark) => mark.age >= byWall(fields.at) - 1);
  const connected = off.connection || !fields || isOvertaken ? null : fields.connected === true;
  const link = accountLinks(marks, process.restarts, process.stops, before, {
    from: before.age,
    age,
    at: before.at,
    connected,
  });
  const links = before.links + read.marks.length;
  const connection =
    off.connection || off["burnin.connection"]
      ? "off"
      : config.burnin.disconnected || links > 0
        ? "log"
        : "look";
  const firing = config.alertmanager ? await observe(() => readFiring(config)) : null;
  const prometheus = config.prometheus ? await readPrometheus(config, age) : null;
  const backup = orNull(
    () => fs.statSync(newestBackup(config.database?.backup as string) as string).mtimeMs,
  );
  const {
    responseMsAvg: responseMs = null,
    memoryMb = null,
    cpuPercent = null,
    users = null,
    requests = null,
  } = metrics;
  const account: Account = {
    ...{
      burnin: burnin.id,
      run: run.id,
      at: now.at,
      from: before.age,
      to: age,
      jump,
      late: lateness(before, age, config.burninLimits),
      boot: now.bootId,
    },
    outages: [...process.outages, ...link.outages].filter((outage) => lengthOf(outage) > 0),
    restarts: process.restarts,
    errors:
      read.sources.length && !off.error_logs
        ? sumOf(read.sources.map(({ tally }) => tally.errors + tally.undated + tally.uncertain))
        : null,
    warnings: sumOf(read.sources.map(({ tally }) => tally.warnings)),
    unseen: [
      ...listUnseen(run, checkLogs, read, before, process.restarts, connection),
      ...(firing && !firing.seen ? [firing.why] : []),
    ],
    ...{ connection, responseMs, memoryMb, cpuPercent, users, requests },
    ...{
      alerts: firing?.seen ? firing.value : null,
      prometheus,
      backupHours: backup === null ? null : (Date.now() - backup) / 3_600_000,
    },
  };
  const start = !observations.process?.seen
    ? before.start
    : identity && !run.follower?.isGone()
      ? startOf(identity)
      : null;
  const logs = { cursor: read.journal?.cursor ?? null, files: read.files };
  return {
    account,
    place: {
      ...cursorAt(now, age, start),
      ...logs,
      ...{ down: process.down, stopping: process.stopping },
      ...{ offline: link.offline, joining: link.joining, links },
    },
  };
}
