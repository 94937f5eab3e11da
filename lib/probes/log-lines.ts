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

// Of a longer line only this much is looked at; its prefix is all that counts.
export const LINE_BYTES_MAX = 64 << 10;
export const EXAMPLES_MAX = 5;
const EXAMPLE_CHARACTERS = 300;
export type Severity = "error" | "warning" | "other";
/** What tells that the bot has lost its chat server, and that it is back. */
type LinkPatterns = { lost: readonly RegExp[]; back: readonly RegExp[] };
type LinkMark = { at: number | null; isBack: boolean; says: string };
/**
 * Records before `since` (epoch milliseconds) do not count. `prefix` is a site's own, with the
 * groups `time` and `level`. A burn-in also asks for
 * `links`, and for what was before its window, down to `reach`.
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

const NOTHING_COUNTED = {
  lines: 0,
  levelled: 0,
  strange: 0,
  errors: 0,
  warnings: 0,
  noise: 0,
  uncertain: 0,
  undated: 0,
};
/**
 * Lists are bounded, counts are not. `uncertain`: between a line before the window and one within
 * it; `undated`: before the first timestamp.
 */
export const emptyTally = () => ({
  ...NOTHING_COUNTED,
  examples: [] as string[],
  links: [] as LinkMark[],
  lastTime: null as number | null,
});
export type LogTally = ReturnType<typeof emptyTally>;
/**
 * Where a reader stands between two lines; a traceback may be cut by the end of one read. `held`
 * errors wait for the time of the next record.
 */
export type LogPosition = Omit<LogPrefix, "strange"> & {
  traceback: "none" | "body" | "ended" | "chained";
  stackHead: string | null;
  held: number;
};
export const emptyPosition = (): LogPosition => ({
  severity: "other",
  time: null,
  traceback: "none",
  stackHead: null,
  held: 0,
});

// The latest one: most lines of a busy log have the same second as the line before.
let parsedSecond = { text: "", time: Number.NaN };
/**
 * Epoch milliseconds of a timestamp in a log; one without a zone is local time, or UTC where the
 * config says so.
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
  return Number.isNaN(parsedSecond.time)
    ? null
    : parsedSecond.time + Number(`0.${fraction}`) * 1000;
}

/** By a word, or by a number of pino and bunyan (30 info, 40 warn, 50 error, 60 fatal). */
function severityOf(level: unknown): Severity {
  if (typeof level === "number")
    return level >= 50 || level <= 3 ? "error" : level >= 40 || level === 4 ? "warning" : "other";
  const word = String(level);
  if (/^\d+$/.test(word)) return severityOf(Number(word));
  const severe = SEVERE.exec(word);
  return severe?.[1] ? "error" : severe ? "warning" : "other";
}

const severityOfPriority = (priority = "6"): Severity =>
  Number(priority) <= 3 ? "error" : Number(priority) === 4 ? "warning" : "other";
const worse = (a: Severity, b: Severity): Severity => (a === "error" || b === "other" ? a : b);

/** Of a record that was cut: its level and time stand before its long text in all common forms. */
function parseJsonHead(line: string): Record<string, unknown> {
  const find = (names: string) =>
    new RegExp(`"(?:${names})"\\s*:\\s*(?:"([^"]{1,40})"|(\\d{1,16}))`).exec(line.slice(0, 1000));
  const [level, time] = [
    find("level|severity|levelname|lvl"),
    find("timestamp|time|@timestamp|ts|asctime"),
  ];
  return {
    level: level?.[1] ?? (level ? Number(level[2]) : undefined),
    time: time?.[1] ?? (time ? Number(time[2]) : undefined),
  };
}

function parseJsonPrefix(line: string, utc: boolean): LogPrefix | null {
  const record =
    parseJsonObject(line) ?? (line.length >= LINE_BYTES_MAX ? parseJsonHead(line) : {});
  const level =
    record.level ?? record.severity ?? record.levelname ?? record.lvl ?? record["log.level"];
  const time =
    record.timestamp ?? record.time ?? record["@timestamp"] ?? record.ts ?? record.asctime;
  if (level === undefined && time === undefined) return null;
  const at =
    typeof time === "string" && STAMP.test(time) ? parseStamp(time, utc) : parseInstant(time);
  return {
    time: at,
    severity: severityOf(level),
    ...(IS_LEVEL.test(String(level)) ? {} : { strange: true }),
  };
}

/**
 * Level and time by a line's anchored prefix or its JSON fields, never by its text: chat is in
 * there. Null: it continues the record before it.
 */
export function parseLogPrefix(line: string, rules: LogRules): LogPrefix | null {
  const groups = rules.prefix?.exec(line)?.groups;
  if (groups)
    return {
      time: groups.time ? parseStamp(groups.time, rules.utc) : null,
      severity: severityOf(groups.level),
    };
  if (line.startsWith("{")) return parseJsonPrefix(line, rules.utc);
  // A syslog priority, as in `<3>text`, may stand before all other forms.
  const priority = /^<(\d)>/.exec(line)?.[1];
  const text = priority ? line.slice(3) : line;
  const stamp = STAMP.exec(text);
  if (!stamp) {
    const first = LEVEL_FIRST.exec(text);
    if (!first && !priority) return null;
    // Django has the time behind the level.
    const late = first && STAMP.exec(text.slice(first[0].length));
    const level = severityOf(first?.[1] ?? first?.[2] ?? first?.[3]);
    return {
      time: late ? parseStamp(late[1] as string, rules.utc) : null,
      severity: worse(level, severityOfPriority(priority)),
    };
  }
  const rest = text.slice(stamp[0].length);
  const [, bracket, word = "", colon] = AFTER_STAMP.exec(rest) ?? [];
  // In running text a level word may follow the timestamp too; then it is not in capitals, in
  // brackets, before a colon or behind a tab.
  const severity =
    bracket || colon || rest.startsWith("\t") || word === word.toUpperCase()
      ? severityOf(word)
      : "other";
  const time = parseStamp(stamp[1] as string, rules.utc);
  return {
    time,
    severity: worse(severity, severityOfPriority(priority)),
    ...(word || priority ? {} : { strange: true }),
  };
}

/**
 * `dated`: the record has a time of its own; another one's time is that of the record before it, so
 * it may in truth be newer.
 */
export function countError(
  tally: LogTally,
  position: LogPosition,
  rules: LogRules,
  text: string,
  dated = false,
): void {
  if (position.time !== null && position.time < rules.since) position.held += dated ? 0 : 1;
  else if (rules.noise.some((noise) => noise.test(text))) tally.noise++;
  else {
    tally[position.time === null ? "undated" : "errors"]++;
    if (tally.examples.length < EXAMPLES_MAX)
      tally.examples.push(cutText(text, EXAMPLE_CHARACTERS));
  }
}

/**
 * A line without a prefix: part of the record before it, or a traceback or a runtime's last words
 * that nobody stamped.
 */
function addContinuation(
  tally: LogTally,
  position: LogPosition,
  rules: LogRules,
  line: string,
): void {
  const { severity, traceback, stackHead } = position;
  // What stands under a severe record has been counted, and under a warning it is no worse; but a
  // runtime's last words always count.
  if (severity === "error" || (severity === "warning" && !LAST_WORDS.test(line))) return;
  if (TRACEBACK.test(line)) position.traceback = traceback === "chained" ? "ended" : "body";
  else if (traceback === "ended" && CHAINED.test(line)) position.traceback = "chained";
  else if (traceback === "body" && /^\S/.test(line)) {
    position.traceback = "ended";
    countError(tally, position, rules, `Traceback … ${line}`);
  } else if (stackHead && STACK_FRAME.test(line)) {
    position.stackHead = null;
    countError(tally, position, rules, stackHead);
  } else {
    if (line.trim()) position.stackHead = STACK_HEAD.test(line) ? line : null;
    if (LAST_WORDS.test(line)) countError(tally, position, rules, line);
  }
}

const LINKS_MAX = 2000;
/** A line may be a mark of the connection; of a bot that flaps, the first ones are enough. */
function addLink(
  { links }: LogTally,
  { lost, back }: LinkPatterns,
  line: string,
  at: number | null,
): void {
  const isBack = back.some((pattern) => pattern.test(line));
  if (links.length < LINKS_MAX && (isBack || lost.some((pattern) => pattern.test(line))))
    links.push({ at, isBack, says: cutText(line, 120) });
}

/**
 * Adds one line. `at` is the journal's own time of the line, and `priority` its level there; files
 * have neither.
 */
export function addLogLine(
  tally: LogTally,
  position: LogPosition,
  rules: LogRules,
  raw: string,
  at: number | null = null,
  priority?: string,
): void {
  tally.lines++;
  const text = (raw.includes("\u001b") ? stripVTControlCharacters(raw) : raw).replace(/\r$/, "");
  // A progress bar overwrites itself with bare carriage returns, and the record that follows it
  // stands behind the last one.
  const last = text.slice(text.lastIndexOf("\r") + 1);
  const line =
    last !== text && !parseLogPrefix(text, rules) && parseLogPrefix(last, rules) ? last : text;
  const prefix = parseLogPrefix(line, rules);
  if (!prefix && SUSPECT.test(line)) tally.undated++;
  if (prefix ? prefix.strange : STRANGE.test(line)) tally.strange++;
  else if (prefix) tally.levelled++;
  const severity = worse(prefix?.severity ?? "other", severityOfPriority(priority));
  const time = at ?? prefix?.time ?? null;
  if (time !== null) {
    if (time >= rules.since) tally.uncertain += position.held;
    tally.lastTime = Math.max(tally.lastTime ?? 0, time);
    Object.assign(position, { time, held: 0 });
  }
  if (rules.links) addLink(tally, rules.links, line, time ?? position.time);
  if (!prefix && severity === "other") return addContinuation(tally, position, rules, line);
  if (position.traceback === "body") countError(tally, position, rules, "Traceback (cut short)");
  Object.assign(position, { severity, traceback: "none", stackHead: null });
  if (severity === "error") countError(tally, position, rules, line, time !== null);
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
