/**
 * One line of a bot's log: its stamp, its level, and what it adds to the count. It reads no file.
 */

import { stripVTControlCharacters } from "node:util";
import { parseInstant, parseJsonObject } from "../http.ts";
import { cutText } from "../text.ts";
import {
  AFTER_STAMP,
  CHAINED,
  IS_LEVEL,
  LAST_WORDS,
  LEVEL_FIRST,
  SEVERE,
  STACK_FRAME,
  STACK_HEAD,
  STAMP,
  STRANGE,
  SUSPECT,
  TRACEBACK,
} from "./log-patterns.ts";

/** Of a longer line only this much is looked at; its prefix is all that counts. */
export const LINE_BYTES_MAX = 64 << 10;
/** Errors that are shown as examples, of each log. */
export const EXAMPLES_MAX = 5;
const EXAMPLE_CHARACTERS = 300;
// Of a bot that flaps, the first marks are enough.
const LINKS_MAX = 2000;
const LINK_CHARACTERS = 120;
// In a JSON record that was cut, level and time stand before this in all common forms.
const JSON_HEAD_CHARACTERS = 1000;

/** What a record's level means for the bot, whatever the logger calls it. */
export type Severity = "error" | "warning" | "other";

/** What tells that the bot has lost its chat server, and that it is back. */
type LinkPatterns = { lost: readonly RegExp[]; back: readonly RegExp[] };
type LinkMark = { at: number | null; isBack: boolean; says: string };

/**
 * Records before `since` (epoch milliseconds) do not count. `prefix` is a site's own, with the
 * groups `time` and `level`. A burn-in also asks for `links`, and for what was before its window,
 * down to `reach`.
 */
export type LogRules = {
  since: number;
  noise: RegExp[];
  prefix: RegExp | null;
  utc: boolean;
  reach?: number;
  links?: LinkPatterns;
};

/** `time` is epoch milliseconds. `strange`: it has a time but no level that is known. */
type LogPrefix = { time: number | null; severity: Severity; strange?: true };

/** What was counted of a log. Lists are bounded, counts are not. */
export type LogTally = {
  lines: number;
  /** Lines with a level that is known, and lines whose level is not. */
  levelled: number;
  strange: number;
  errors: number;
  warnings: number;
  /** Errors that the site's config calls known noise. */
  noise: number;
  /** Errors without a time between a record before the window and one within it. */
  uncertain: number;
  /** Errors before the first timestamp. */
  undated: number;
  examples: string[];
  links: LinkMark[];
  /** The newest time of a record, in epoch milliseconds. */
  lastTime: number | null;
};

/** The tally of a log of which nothing has been read. */
export function emptyTally(): LogTally {
  return {
    lines: 0,
    levelled: 0,
    strange: 0,
    errors: 0,
    warnings: 0,
    noise: 0,
    uncertain: 0,
    undated: 0,
    examples: [],
    links: [],
    lastTime: null,
  };
}

/**
 * Where a reader stands between two lines; a traceback may be cut by the end of one read. `time`
 * and `severity` are those of the record that it stands in, and `held` errors wait for the time of
 * the next one. It is kept in the burn-in's log.
 */
export type LogPosition = {
  severity: Severity;
  time: number | null;
  traceback: "none" | "body" | "ended" | "chained";
  stackHead: string | null;
  held: number;
};

/** The position before the first line of a log. */
export function emptyPosition(): LogPosition {
  return {
    severity: "other",
    time: null,
    traceback: "none",
    stackHead: null,
    held: 0,
  };
}

/** What counting lines takes, and what it changes: the tally and the position. */
export type LogCounter = {
  tally: LogTally;
  position: LogPosition;
  rules: LogRules;
};

// The latest one: most lines of a busy log have the same second as the line before.
let parsedSecond = { text: "", time: Number.NaN };

/**
 * Epoch milliseconds of a timestamp in a log, or null where it is none; one without a zone is local
 * time, or UTC where the config says so.
 */
export function parseStamp(stamp: string, utc: boolean): number | null {
  const [, second, fraction = "", zone = utc ? "Z" : ""] =
    /^(.{0,19})(?:[.,](\d+))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?/.exec(stamp) ?? [];
  const text = `${second}${zone}`;
  if (text !== parsedSecond.text) {
    const iso = text.replaceAll("/", "-").replace(" ", "T").replace("UTC", "Z");
    const zoned = iso.replace(
      /(:\d\d)([+-]\d\d):?(\d\d)?$/,
      (_, end, hours, minutes = "00") => `${end}${hours}:${minutes}`,
    );
    parsedSecond = { text, time: Date.parse(zoned) };
  }
  if (Number.isNaN(parsedSecond.time)) return null;
  return parsedSecond.time + Number(`0.${fraction}`) * 1000;
}

/** By a number of pino and bunyan (30 info, 40 warn, 50 error, 60 fatal), or of syslog. */
function severityOfNumber(level: number): Severity {
  if (level >= 50 || level <= 3) return "error";
  if (level >= 40 || level === 4) return "warning";
  return "other";
}

/** By a word, or by a number. */
function severityOf(level: unknown): Severity {
  if (typeof level === "number") return severityOfNumber(level);
  const word = String(level);
  if (/^\d+$/.test(word)) return severityOfNumber(Number(word));
  const severe = SEVERE.exec(word);
  if (!severe) return "other";
  return severe[1] ? "error" : "warning";
}

/** By a priority of syslog or of the journal, 0 to 7; without one it is 6, info. */
function severityOfPriority(priority = "6"): Severity {
  const level = Number(priority);
  if (level <= 3) return "error";
  return level === 4 ? "warning" : "other";
}

function worseOf(a: Severity, b: Severity): Severity {
  return a === "error" || b === "other" ? a : b;
}

/** The first value of one of these keys at the beginning of a JSON record that was cut. */
function findJsonValue(line: string, keys: string): string | number | undefined {
  const pattern = new RegExp(`"(?:${keys})"\\s*:\\s*(?:"([^"]{1,40})"|(\\d{1,16}))`);
  const found = pattern.exec(line.slice(0, JSON_HEAD_CHARACTERS));
  if (!found) return undefined;
  const [, text, digits] = found;
  return text ?? Number(digits);
}

/** Of a record that was cut: its level and time stand before its long text in all common forms. */
function parseJsonHead(line: string): Record<string, unknown> {
  return {
    level: findJsonValue(line, "level|severity|levelname|lvl"),
    time: findJsonValue(line, "timestamp|time|@timestamp|ts|asctime"),
  };
}

function parseJsonRecord(line: string): Record<string, unknown> {
  const record = parseJsonObject(line);
  if (record) return record;
  return line.length >= LINE_BYTES_MAX ? parseJsonHead(line) : {};
}

function parseJsonPrefix(line: string, utc: boolean): LogPrefix | null {
  const record = parseJsonRecord(line);
  const level =
    record.level ?? record.severity ?? record.levelname ?? record.lvl ?? record["log.level"];
  const stamp =
    record.timestamp ?? record.time ?? record["@timestamp"] ?? record.ts ?? record.asctime;
  if (level === undefined && stamp === undefined) return null;
  const isText = typeof stamp === "string" && STAMP.test(stamp);
  const time = isText ? parseStamp(stamp, utc) : parseInstant(stamp);
  const prefix: LogPrefix = { time, severity: severityOf(level) };
  if (!IS_LEVEL.test(String(level))) prefix.strange = true;
  return prefix;
}

/** A line that begins with its level, or has only a syslog priority before its text. */
function parseLevelFirst(
  text: string,
  priority: string | undefined,
  utc: boolean,
): LogPrefix | null {
  const first = LEVEL_FIRST.exec(text);
  if (!first && !priority) return null;
  // Django has the time behind the level.
  const stamp = first && STAMP.exec(text.slice(first[0].length));
  const level = severityOf(first?.[1] ?? first?.[2] ?? first?.[3]);
  return {
    time: stamp ? parseStamp(stamp[1] as string, utc) : null,
    severity: worseOf(level, severityOfPriority(priority)),
  };
}

/** The severity by what stands behind a timestamp, and whether a level was found there at all. */
function parseAfterStamp(rest: string): { severity: Severity; hasLevel: boolean } {
  const [, bracket, word = "", colon] = AFTER_STAMP.exec(rest) ?? [];
  // In running text a level word may follow the timestamp too; then it is not in capitals, in
  // brackets, before a colon or behind a tab.
  const isLevel = bracket || colon || rest.startsWith("\t") || word === word.toUpperCase();
  return { severity: isLevel ? severityOf(word) : "other", hasLevel: word !== "" };
}

/**
 * Level and time by a line's anchored prefix or its JSON fields, never by its text: chat is in
 * there. Null: it continues the record before it.
 */
export function parseLogPrefix(line: string, rules: LogRules): LogPrefix | null {
  const { prefix: ownPrefix, utc } = rules;
  const groups = ownPrefix?.exec(line)?.groups;
  if (groups)
    return {
      time: groups.time ? parseStamp(groups.time, utc) : null,
      severity: severityOf(groups.level),
    };
  if (line.startsWith("{")) return parseJsonPrefix(line, utc);
  // A syslog priority, as in `<3>text`, may stand before all other forms.
  const priority = /^<(\d)>/.exec(line)?.[1];
  const text = priority ? line.slice(3) : line;
  const stamp = STAMP.exec(text);
  if (!stamp) return parseLevelFirst(text, priority, utc);
  const { severity, hasLevel } = parseAfterStamp(text.slice(stamp[0].length));
  const prefix: LogPrefix = {
    time: parseStamp(stamp[1] as string, utc),
    severity: worseOf(severity, severityOfPriority(priority)),
  };
  if (!hasLevel && !priority) prefix.strange = true;
  return prefix;
}

/**
 * Counts one error. `isDated`: its record has a time of its own; another one's time is that of the
 * record before it, so it may in truth be newer.
 */
function countError(counter: LogCounter, text: string, isDated = false): void {
  const { tally, position, rules } = counter;
  if (position.time !== null && position.time < rules.since) {
    if (!isDated) position.held++;
    return;
  }
  if (rules.noise.some((noise) => noise.test(text))) {
    tally.noise++;
    return;
  }
  if (position.time === null) tally.undated++;
  else tally.errors++;
  if (tally.examples.length < EXAMPLES_MAX) tally.examples.push(cutText(text, EXAMPLE_CHARACTERS));
}

/** Counts a traceback that stops before its last line, where there is one. */
export function countCutTraceback(counter: LogCounter): void {
  if (counter.position.traceback === "body") countError(counter, "Traceback (cut short)");
}

/**
 * A line without a prefix: part of the record before it, or a traceback or a runtime's last words
 * that nobody stamped.
 */
function addContinuation(counter: LogCounter, line: string): void {
  const { position } = counter;
  const { severity, traceback, stackHead } = position;
  // What stands under a severe record has been counted, and under a warning it is no worse; but a
  // runtime's last words always count.
  if (severity === "error" || (severity === "warning" && !LAST_WORDS.test(line))) return;
  if (TRACEBACK.test(line)) position.traceback = traceback === "chained" ? "ended" : "body";
  else if (traceback === "ended" && CHAINED.test(line)) position.traceback = "chained";
  else if (traceback === "body" && /^\S/.test(line)) {
    position.traceback = "ended";
    countError(counter, `Traceback … ${line}`);
  } else if (stackHead && STACK_FRAME.test(line)) {
    position.stackHead = null;
    countError(counter, stackHead);
  } else {
    if (line.trim()) position.stackHead = STACK_HEAD.test(line) ? line : null;
    if (LAST_WORDS.test(line)) countError(counter, line);
  }
}

/** Keeps a line that is a mark of the connection, with the time of the record it stands in. */
function addLink({ tally, position }: LogCounter, patterns: LinkPatterns, line: string): void {
  if (tally.links.length >= LINKS_MAX) return;
  const isBack = patterns.back.some((pattern) => pattern.test(line));
  if (!isBack && !patterns.lost.some((pattern) => pattern.test(line))) return;
  tally.links.push({ at: position.time, isBack, says: cutText(line, LINK_CHARACTERS) });
}

/**
 * A progress bar overwrites itself with bare carriage returns, and the record that follows it
 * stands behind the last one.
 */
function lineBehindReturns(text: string, rules: LogRules): string {
  const last = text.slice(text.lastIndexOf("\r") + 1);
  if (last === text || parseLogPrefix(text, rules)) return text;
  return parseLogPrefix(last, rules) ? last : text;
}

/** Moves on to a record's own time, which also tells when the held errors before it were. */
function enterTime({ tally, position, rules }: LogCounter, time: number): void {
  if (time >= rules.since) tally.uncertain += position.held;
  tally.lastTime = Math.max(tally.lastTime ?? 0, time);
  position.time = time;
  position.held = 0;
}

/** What the journal itself knows of a line: when it came, and its syslog priority. */
type JournalMark = { at: number; priority: string | undefined };

/** Adds one line of a log; files have no `mark`. */
export function addLogLine(counter: LogCounter, raw: string, mark?: JournalMark): void {
  const { tally, position, rules } = counter;
  tally.lines++;
  const plain = raw.includes("\u001b") ? stripVTControlCharacters(raw) : raw;
  const line = lineBehindReturns(plain.replace(/\r$/, ""), rules);
  const prefix = parseLogPrefix(line, rules);
  if (!prefix && SUSPECT.test(line)) tally.undated++;
  if (prefix ? prefix.strange : STRANGE.test(line)) tally.strange++;
  else if (prefix) tally.levelled++;
  const severity = worseOf(prefix?.severity ?? "other", severityOfPriority(mark?.priority));
  const time = mark?.at ?? prefix?.time ?? null;
  if (time !== null) enterTime(counter, time);
  if (rules.links) addLink(counter, rules.links, line);
  if (!prefix && severity === "other") {
    addContinuation(counter, line);
    return;
  }
  countCutTraceback(counter);
  position.severity = severity;
  position.traceback = "none";
  position.stackHead = null;
  if (severity === "error") countError(counter, line, time !== null);
  else if (severity === "warning" && (position.time ?? 0) >= rules.since) tally.warnings++;
}

/**
 * One source of log lines, as far as it was read. `unseen` says why it cannot be trusted to hold
 * the bot's errors.
 */
export type LogSource = {
  source: string;
  since: number;
  tally: LogTally;
  unseen: string | null;
  hint: string | null;
};
/** A source of which nothing has been read yet; `source` is its name for people. */
export function emptySource(source: string, { since }: LogRules): LogSource {
  return {
    source,
    since,
    tally: emptyTally(),
    unseen: null,
    hint: null,
  };
}

/**
 * `poll` reads what has come since the last call, and is worth its cost every so many milliseconds.
 */
export type LogFollower = {
  readonly source: LogSource;
  everyMs: number;
  poll: () => Promise<void>;
  close: () => void;
};
