/**
 * What the lines of a log look like: stamps, levels, tracebacks, and the marks of the connection.
 * Every pattern starts at a boundary or is bounded, so that hostile text costs linear time.
 */

// --- log lines

const ERROR = "emergency|emerg|alert|critical|crit|fatal|severe|panic|error|err";
const WARNING = "warning|warn";
const LEVEL = `${ERROR}|${WARNING}|notice|success|info|debug|trace|verbose`;
const CAPITALS = LEVEL.toUpperCase();
export const SEVERE = new RegExp(`^(?:(${ERROR})|${WARNING})$`, "i");
export const IS_LEVEL = new RegExp(String.raw`^(?:${LEVEL}|\d+)$`, "i");
// A timestamp with or without brackets.
export const STAMP =
  /^\s?\[?(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d(?::?\d\d)?\b))?)\]?/;
// Between timestamp and level: loggers in brackets, or one between dashes as Python's default
// has it. Nothing of the message can match.
const BRACKETED = String.raw`\s*\[(?!\s*(?:${LEVEL})\s*\])[^\]\n]{0,80}\]`;
const BEFORE_DASH = String.raw`(?!(?:${LEVEL})[\s:|])[\w.$:/-]{1,80}\s+-\s+`;
const LOGGERS = String.raw`(?:${BRACKETED}){0,3}\s*(?:[-|:]\s*)?(?:${BEFORE_DASH})?`;
export const AFTER_STAMP = new RegExp(String.raw`^${LOGGERS}(\[\s*)?(${LEVEL})\b(\s*:)?`, "i");
// A line that begins with its level: `ERROR:root:text`, `[ERROR] text`, `FATAL text`. Upper case
// only, for sentences begin with such words.
export const LEVEL_FIRST = new RegExp(
  String.raw`^(?:\[(${CAPITALS})\]|(${CAPITALS})[:\s]|(error|fatal|critical): )`,
);
export const TRACEBACK = /^\s*(?:\+ Exception Group )?Traceback \(most recent call last\):/;
// Between two tracebacks of one error.
export const CHAINED =
  /^(?:During handling of the above exception|The above exception was the direct cause)/;
export const STACK_HEAD =
  /^(?:Uncaught |Unhandled |Exception in thread "[^"]*" )?(?:[\w$]+\.)*(?:[A-Z]\w*)?(?:Error|Exception)\b/;
export const STACK_FRAME = /^\s+at\s/;
// A line that somebody dated, or gave a level, in a form that is not known here: what it says of
// errors cannot be told.
export const STRANGE =
  /^.{0,40}?\b\d{1,2}:\d\d:\d\d\b|^\d{10}(?:\.\d+)?\s|^\{|\b(?:level|lvl|severity)=/;
// Of these, one that has a severe level right behind its clock is an error, only of an unknown
// moment.
export const SUSPECT =
  /^.{0,40}?(?:\b\d{1,2}:\d\d:\d\d\S*|^\d{10}\S*)\s+(?:\[\S*\]\s+)?\[?(?:ERROR|CRITICAL|FATAL)\b/;
// Last words of a runtime, printed without any prefix.
export const LAST_WORDS =
  /^(?:Fatal Python error: |FATAL ERROR: |panic: |thread '[^']*' panicked |Segmentation fault|terminate called after throwing)/;

// --- the connection to the chat server

// As the public bot (grobertson/Rosey-Robot) logs it: behind a prefix in brackets, so that chat
// cannot say it.
const IN_BRACKETS = String.raw`^(?:\[[^\]]{1,60}\] ?){1,4}`;
const LOSS = "connection error: |Disconnected$|ping timeout$";
const RESTART = String.raw`restarting in [\d.]+ seconds`;
export const LINK_LOST = new RegExp(`${IN_BRACKETS}(?:${LOSS}|${RESTART})`);
export const LINK_BACK = new RegExp(
  `${IN_BRACKETS}(?:Connected successfully|Successfully joined )`,
);
