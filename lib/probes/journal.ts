/** Reads what a unit has written to journald, and notices when this user cannot see it. */

import { observe, Unobservable } from "../attempt.ts";
import { readCommand, readCommandLines } from "../command.ts";
import type { Config } from "../config.ts";
import { parseJsonObject } from "../http.ts";
import {
  addLogLine,
  emptyPosition,
  emptySource,
  type LogFollower,
  type LogPosition,
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import type { UnitProperties } from "./unit.ts";

// Of one question; a journal that is read to its end is read line by line instead.
const JOURNAL_LINES_MAX = 20_000;

// The process's own, PID 1's, journald's.
const INVOCATION_FIELDS = [
  "_SYSTEMD_INVOCATION_ID",
  "INVOCATION_ID",
  "OBJECT_SYSTEMD_INVOCATION_ID",
];
const JOURNAL_FIELDS = [
  "MESSAGE",
  "PRIORITY",
  "MESSAGE_ID",
  "N_DROPPED",
  "_PID",
  "_BOOT_ID",
  "_SOURCE_REALTIME_TIMESTAMP",
  ...INVOCATION_FIELDS,
].join(",");
const JOURNALCTL = [
  "journalctl",
  "--quiet",
  "--no-pager",
  "--all",
  "--output=json",
  `--output-fields=${JOURNAL_FIELDS}`,
];
// "Messages from a service have been suppressed", by journald's rate limit.
const JOURNAL_DROPPED_ID = "a596d6fe7bfa4994828e72309e95d61e";
const BLIND = "no record of root is visible: this user cannot read the journal";
const BLIND_HINT = "sudo usermod --append --groups systemd-journal $(id -un), then log in again";

/** One entry of the journal. */
export type JournalEntry = {
  /** Epoch milliseconds; NaN where the entry has no time. */
  at: number;
  /** 0 to 7, as syslog has it. */
  priority: string | undefined;
  message: string;
  /** What kind of message it is, for those that have a kind; the bot's own lines have none. */
  messageId: string | undefined;
  cursor: string;
  /** Of a message of journald's: how many lines its rate limit dropped. */
  dropped: number;
  /** The starts of the unit that it belongs to. */
  invocations: string[];
  bootId: string;
  /** Milliseconds since that boot; NaN where the entry does not say. */
  upMs: number;
  /** PID 1 wrote it. */
  isSystemd: boolean;
};

function parseEntry(record: Record<string, unknown>): JournalEntry {
  const textOf = (name: string): string | undefined => {
    const value = record[name];
    return typeof value === "string" ? value : undefined;
  };
  const writtenAt = textOf("_SOURCE_REALTIME_TIMESTAMP") ?? textOf("__REALTIME_TIMESTAMP");
  const message = Array.isArray(record.MESSAGE)
    ? Buffer.from(record.MESSAGE).toString()
    : (textOf("MESSAGE") ?? "");
  return {
    at: Number(writtenAt) / 1000,
    priority: textOf("PRIORITY"),
    message,
    messageId: textOf("MESSAGE_ID"),
    cursor: textOf("__CURSOR") ?? "",
    dropped: Number(textOf("N_DROPPED") ?? 0),
    invocations: INVOCATION_FIELDS.flatMap((name) => textOf(name) ?? []),
    bootId: textOf("_BOOT_ID") ?? "",
    upMs: Number(textOf("__MONOTONIC_TIMESTAMP")) / 1000,
    isSystemd: textOf("_PID") === "1",
  };
}

/**
 * The entries in the output of `journalctl -o json`, one a line; what is no record is left out. A
 * value there is text, bytes (not UTF-8, or with control characters) or null (too long).
 */
export function parseJournal(text: string): JournalEntry[] {
  return text.split("\n").flatMap((line) => {
    const record = parseJsonObject(line);
    return record ? parseEntry(record) : [];
  });
}

/** A unit's journal while it is read; `invocation` is the start whose lines count, null any. */
type JournalReader = {
  source: LogSource;
  position: LogPosition;
  rules: LogRules;
  invocation: string | null;
};

function openReader(unit: string, rules: LogRules, invocation: string | null): JournalReader {
  return {
    source: emptySource(`journal of ${unit}`, rules),
    position: emptyPosition(),
    rules,
    invocation,
  };
}

/**
 * Adds the bot's own lines; lines without an invocation come from children that ended before
 * journald could ask about them.
 */
function addEntries(reader: JournalReader, entries: readonly JournalEntry[]): void {
  const { source, position, rules, invocation } = reader;
  const counter = { tally: source.tally, position, rules };
  for (const { at, priority, message, messageId, dropped, invocations } of entries) {
    if (invocation && invocations.length && !invocations.includes(invocation)) continue;
    if (messageId === JOURNAL_DROPPED_ID)
      source.unseen = `journald's rate limit dropped ${dropped} lines; errors may be among them`;
    // PID 1's own lines about the unit carry a message id; they are no words of the bot.
    else if (!messageId) addLogLine(counter, message, { at, priority });
  }
}

/** What journalctl answers to one question; `Unobservable` where it does not. */
async function readEntries(
  question: readonly string[],
  signal: AbortSignal,
): Promise<JournalEntry[]> {
  const argv = [...JOURNALCTL, ...question];
  const { code, stdout, stderr } = await readCommand(argv, 10_000, { signal });
  if (code !== 0) {
    const reason = stderr || "no reason given";
    throw new Unobservable(`journalctl exited ${code} (${reason})`, BLIND_HINT);
  }
  return parseJournal(stdout);
}

/** The option by which journalctl begins at a time, in epoch milliseconds. */
function sinceOption(at: number): string {
  return `--since=@${(at / 1000).toFixed(3)}`;
}

/**
 * What following a journal takes: one invocation of a unit. `trouble` is why the journal may not be
 * where the bot writes, where that is known.
 */
type FollowInput = {
  unit: string;
  invocation: string;
  rules: LogRules;
  trouble: string | null;
  signal: AbortSignal;
};

/** A journal that is followed: `from` is the option by which the next question begins. */
type Following = {
  reader: JournalReader;
  unit: string;
  from: string;
  signal: AbortSignal;
};

/** Adds what has come since the last question. `Unobservable` where this user cannot see it. */
async function addNewEntries(following: Following): Promise<void> {
  const { reader, unit, from, signal } = following;
  const { source } = reader;
  const question = [`--unit=${unit}`, from, `--lines=${JOURNAL_LINES_MAX}`];
  const entries = await readEntries(question, signal);
  // --after-cursor would silently drop a record when the cursor's own one has been vacuumed.
  const isFirstKnown = from === `--cursor=${entries[0]?.cursor}`;
  const fresh = isFirstKnown ? entries.slice(1) : entries;
  addEntries(reader, fresh);
  if (fresh.length >= JOURNAL_LINES_MAX)
    source.unseen =
      `${JOURNAL_LINES_MAX} journal lines or more at once; ` +
      "errors behind them were not counted";
  const last = entries.at(-1);
  if (last) following.from = `--cursor=${last.cursor}`;
  if (source.tally.lines > 0) return;
  const ofRoot = await readEntries(["--lines=1", "_UID=0"], signal);
  if (ofRoot.length === 0) throw new Unobservable(BLIND, BLIND_HINT);
}

/**
 * Follows one invocation of a unit, by cursor. Silence is trusted only where records of root are
 * visible: who is not in the group sees none of them. What cannot be read is said in the source.
 */
export async function followJournal(input: FollowInput): Promise<LogFollower> {
  const { unit, invocation, rules, trouble, signal } = input;
  const reader = openReader(unit, rules, invocation);
  const { source } = reader;
  source.unseen = trouble;
  const following = { reader, unit, from: sinceOption(rules.since), signal };
  const look = async (): Promise<void> => {
    const answer = await observe(() => addNewEntries(following));
    if (answer.seen) return;
    source.unseen = answer.why;
    source.hint = answer.hint;
  };
  let reading = look();
  await reading;
  return {
    source,
    everyMs: 5000,
    // One after the other: two reads at once would count lines twice.
    poll: () => {
      reading = reading.then(look);
      return reading;
    },
    close: () => {},
  };
}

/** Without `cursor`, the journal is read since `rules.reach`, or `rules.since`. */
type ReadInput = {
  unit: string;
  rules: LogRules;
  cursor: string | null;
  /** `limits.logSecondsMax` of the config. */
  logSecondsMax: number;
};

/** `cursor` is where the next read begins; `systemd` are PID 1's own entries of the unit. */
type JournalRead = {
  source: LogSource;
  cursor: string | null;
  systemd: JournalEntry[];
};

/**
 * Everything that the journal has of a unit since a cursor, or since `rules.reach`: counted as a
 * log, and PID 1's own entries as they are. What cannot be read is said in the source, but for a
 * host without journalctl, which is `Unobservable`.
 */
export async function readJournalSince(input: ReadInput): Promise<JournalRead> {
  const { unit, rules, cursor, logSecondsMax } = input;
  const reader = openReader(unit, rules, null);
  const { source } = reader;
  const systemd: JournalEntry[] = [];
  let last = cursor;
  const takeLine = (line: string): void => {
    // The cursor's own entry has been read; where it is not there any more, the first one is
    // another.
    const entries = parseJournal(line).filter((entry) => entry.cursor !== cursor);
    addEntries(reader, entries);
    systemd.push(...entries.filter(({ isSystemd, messageId }) => isSystemd && messageId));
    last = entries.at(-1)?.cursor || last;
  };
  const from = cursor ? `--cursor=${cursor}` : sinceOption(rules.reach ?? rules.since);
  const argv = [...JOURNALCTL, `--unit=${unit}`, from];
  // A chatty bot's day does not fit into memory, so it is read line by line.
  const code = await readCommandLines(argv, logSecondsMax * 1000, takeLine);
  if (code === null)
    source.unseen = `more than ${logSecondsMax} s to read it (limits.logSecondsMax)`;
  else if (code !== 0) source.unseen = `journalctl: ${code}`;
  if (last === cursor && !(await canSeeRoot())) {
    source.unseen = BLIND;
    source.hint = BLIND_HINT;
  }
  return { source, cursor: last, systemd };
}

/** Whether this user sees records of root, of which every journal has some. */
async function canSeeRoot(): Promise<boolean> {
  const argv = ["journalctl", "--quiet", "--lines=1", "--output=cat", "_UID=0"];
  return (await readCommand(argv, 5000)).stdout !== "";
}

/**
 * Whether the unit's journal is a source, and the trouble when it should be one and the unit's
 * output goes elsewhere.
 */
export function journalIsUsed(
  config: Config,
  unit: UnitProperties | null,
): { used: boolean; trouble: string | null } {
  const { journal, files } = config.errorLogs ?? {};
  if (!config.process.unit || journal === false) return { used: false, trouble: null };
  const { StandardOutput: out = "", StandardError: inherited = "" } = unit ?? {};
  const outputs = [out, inherited === "inherit" ? out : inherited];
  if (outputs.some((output) => output === "" || /journal|kmsg|syslog/.test(output)))
    return { used: true, trouble: null };
  if (!journal && files) return { used: false, trouble: null };
  const trouble =
    `the unit's output goes to ${outputs.join(" and ")}, not to the journal; ` +
    "name the file in errorLogs.files";
  return { used: true, trouble };
}
