/**
 * Error logs: what a line's prefix says, what counts as one error, and that nothing of the window
 * is missed or read twice,
 * whatever the file has been through. The formats are those that loggers really write.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { Config } from "../../lib/config.ts";
import {
  followJournal,
  journalIsUsed,
  parseJournal,
  readJournalSince,
} from "../../lib/probes/journal.ts";
import { clockTrouble, followLogFile } from "../../lib/probes/log-files.ts";
import {
  addLogLine,
  emptyPosition,
  emptyTally,
  type LogFollower,
  type LogRules,
  type LogTally,
  parseLogPrefix,
  parseStamp,
  type Severity,
} from "../../lib/probes/log-lines.ts";
import { findWindow } from "../../lib/probes/log-tails.ts";
import { followLogs } from "../../lib/probes/logs.ts";
import { LIMITS } from "../../verify.ts";
import { createDirectory, projectDirectory, startProcess, until } from "../support/harness.ts";

const stampedAt = Date.UTC(2026, 10, 21, 21, 4, 26);
const stampedMs = stampedAt + 123;
const never = new AbortController().signal;

function rulesSince(since: number, over: Partial<LogRules> = {}): LogRules {
  return { since, noise: [], prefix: null, utc: true, ...over };
}

/** The tally of a whole text, read line by line from its beginning. */
function tallyOf(text: string, rules: LogRules): LogTally {
  const tally = emptyTally();
  const position = emptyPosition();
  for (const line of text.split("\n")) addLogLine({ tally, position, rules }, line);
  return tally;
}

function countsOf({
  errors,
  warnings,
  noise,
  uncertain,
  undated,
}: LogTally): Record<string, number> {
  return { errors, warnings, noise, uncertain, undated };
}

const clean = { errors: 0, warnings: 0, noise: 0, uncertain: 0, undated: 0 };

// ---------------------------------------------------------------------------- prefixes

/**
 * Each format with `LEVEL` in it; the level's spelling, its severity and the time that must be
 * read.
 */
type Format = { name: string; line: string; levels: Record<string, Severity>; time: number | null };

const python = {
  DEBUG: "other",
  INFO: "other",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "error",
} as const;
const padded = {
  "DEBUG   ": "other",
  "INFO    ": "other",
  "WARNING ": "warning",
  "ERROR   ": "error",
  CRITICAL: "error",
} as const;
const lower = {
  debug: "other",
  info: "other",
  warn: "warning",
  warning: "warning",
  error: "error",
  fatal: "error",
} as const;
const upper = {
  TRACE: "other",
  DEBUG: "other",
  INFO: "other",
  WARN: "warning",
  ERROR: "error",
  FATAL: "error",
} as const;
const pino = {
  10: "other",
  20: "other",
  30: "other",
  40: "warning",
  50: "error",
  60: "error",
} as const;
const priorities = {
  0: "error",
  2: "error",
  3: "error",
  4: "warning",
  5: "other",
  6: "other",
  7: "other",
} as const;

const FORMATS: Format[] = [
  // Python.
  {
    name: "the public bot",
    line: "[2026-11-21 21:04:26] [lib.bot] [LEVEL] text",
    levels: python,
    time: stampedAt,
  },
  {
    name: "logging: time - name - level",
    line: "2026-11-21 21:04:26,123 - lib.bot - LEVEL - text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: time - level",
    line: "2026-11-21 21:04:26,123 - LEVEL - text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: time level",
    line: "2026-11-21 21:04:26,123 LEVEL text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: time padded level name",
    line: "2026-11-21 21:04:26,123 LEVEL lib.bot text",
    levels: padded,
    time: stampedMs,
  },
  {
    name: "logging: time [level] name",
    line: "2026-11-21 21:04:26,123 [LEVEL] lib.bot: text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: time:level:name",
    line: "2026-11-21 21:04:26,123:LEVEL:lib.bot:text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: time [thread] level",
    line: "2026-11-21 21:04:26,123 [MainThread] LEVEL lib.bot - text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: [time] level in module, as Flask has it",
    line: "[2026-11-21 21:04:26,123] LEVEL in app: text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: level time, as Django has it",
    line: "LEVEL 2026-11-21 21:04:26,123 views 12 34 text",
    levels: python,
    time: stampedMs,
  },
  {
    name: "logging: level:name, without a time",
    line: "LEVEL:root:text",
    levels: python,
    time: null,
  },
  {
    name: "loguru",
    line: "2026-11-21 21:04:26.123 | LEVEL | lib.bot:run:42 - text",
    levels: padded,
    time: stampedMs,
  },
  {
    name: "structlog",
    line: "2026-11-21T21:04:26.123456Z [LEVEL    ] text  key=1",
    levels: lower,
    time: stampedMs,
  },
  {
    name: "discord.py",
    line: "[2026-11-21 21:04:26] [LEVEL] discord.client: text",
    levels: padded,
    time: stampedAt,
  },
  {
    name: "gunicorn",
    line: "[2026-11-21 21:04:26 +0000] [123] [LEVEL] text",
    levels: python,
    time: stampedAt,
  },
  {
    name: "celery",
    line: "[2026-11-21 21:04:26,123: LEVEL/MainProcess] text",
    levels: python,
    time: stampedMs,
  },
  { name: "uvicorn", line: "LEVEL:     text", levels: python, time: null },
  {
    name: "python-json-logger",
    line: '{"asctime": "2026-11-21 21:04:26,123", "levelname": "LEVEL", "message": "text"}',
    levels: python,
    time: stampedMs,
  },
  {
    name: "structlog, JSON",
    line: '{"event": "text", "level": "LEVEL", "timestamp": "2026-11-21T21:04:26.123456Z"}',
    levels: lower,
    time: stampedMs,
  },
  // Node.
  {
    name: "pino",
    line: '{"level":LEVEL,"time":1795295066123,"pid":1,"hostname":"h","msg":"text"}',
    levels: pino,
    time: stampedMs,
  },
  {
    name: "pino, ISO time and a word for the level",
    line: '{"level":"LEVEL","time":"2026-11-21T21:04:26.123Z","msg":"text"}',
    levels: lower,
    time: stampedMs,
  },
  {
    name: "bunyan",
    line: '{"name":"bot","hostname":"h","pid":1,"level":LEVEL,"msg":"text","time":"2026-11-21T21:04:26.123Z","v":0}',
    levels: pino,
    time: stampedMs,
  },
  {
    name: "winston, JSON",
    line: '{"level":"LEVEL","message":"text","timestamp":"2026-11-21T21:04:26.123Z"}',
    levels: lower,
    time: stampedMs,
  },
  {
    name: "winston, printf",
    line: "2026-11-21T21:04:26.123Z LEVEL: text",
    levels: lower,
    time: stampedMs,
  },
  {
    name: "winston, printf with brackets",
    line: "2026-11-21T21:04:26.123Z [LEVEL]: text",
    levels: lower,
    time: stampedMs,
  },
  {
    name: "log4js",
    line: "[2026-11-21T21:04:26.123] [LEVEL] default - text",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "pino-pretty",
    line: "[2026-11-21 21:04:26.123 +0000] LEVEL (bot/12 on h): text",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "bunyan's command line",
    line: "[2026-11-21T21:04:26.123Z] LEVEL: bot/12 on h: text",
    levels: upper,
    time: stampedMs,
  },
  // Others that a bot or what it runs may write.
  {
    name: "zap, console",
    line: "2026-11-21T21:04:26.123Z\tLEVEL\tcmd/main.go:12\ttext",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "zap, JSON",
    line: '{"level":"LEVEL","ts":1795295066.123,"caller":"a.go:1","msg":"text"}',
    levels: lower,
    time: stampedMs,
  },
  {
    name: "Go's slog, default",
    line: "2026/11/21 21:04:26 LEVEL text key=1",
    levels: upper,
    time: stampedAt,
  },
  {
    name: "Rust's tracing",
    line: "2026-11-21T21:04:26.123456Z LEVEL bot::socket: text",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "Rust's env_logger",
    line: "[2026-11-21T21:04:26Z LEVEL bot::socket] text",
    levels: upper,
    time: stampedAt,
  },
  {
    name: "Spring Boot",
    line: "2026-11-21T22:04:26.123+01:00 LEVEL 12 --- [           main] c.e.App : text",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "log4j",
    line: "2026-11-21 21:04:26,123 [main] LEVEL c.e.App - text",
    levels: upper,
    time: stampedMs,
  },
  {
    name: "PostgreSQL",
    line: "2026-11-21 21:04:26.123 UTC [12] LEVEL:  text",
    levels: { ERROR: "error", PANIC: "error", INFO: "other" },
    time: stampedMs,
  },
  {
    name: "nginx",
    line: "2026/11/21 21:04:26 [LEVEL] 1#0: *1 text",
    levels: { emerg: "error", crit: "error", notice: "other" },
    time: stampedAt,
  },
  {
    name: "Elastic Common Schema",
    line: '{"@timestamp":"2026-11-21T21:04:26.123Z","log.level":"LEVEL","message":"text"}',
    levels: lower,
    time: stampedMs,
  },
  {
    name: "Google Cloud",
    line: '{"severity":"LEVEL","time":"2026-11-21T21:04:26.123Z","message":"text"}',
    levels: python,
    time: stampedMs,
  },
  // Prefixes for journald.
  { name: "a priority for journald", line: "<LEVEL>text", levels: priorities, time: null },
  {
    name: "a priority before a timestamp",
    line: "<LEVEL>[2026-11-21 21:04:26] text",
    levels: priorities,
    time: stampedAt,
  },
];

for (const { name, line, levels, time } of FORMATS) {
  test(`parseLogPrefix() reads the level and the time of ${name}`, () => {
    for (const [level, severity] of Object.entries(levels)) {
      const filled = line.replace("LEVEL", level);
      const prefix = parseLogPrefix(filled, rulesSince(0));
      // Some loggers write microseconds; a millisecond is all that is asked for.
      assert.deepEqual(
        prefix && { ...prefix, time: prefix.time && Math.floor(prefix.time) },
        { time, severity },
        filled,
      );
    }
  });
}

/**
 * Severe words that stand in the message, after a level that is not severe: users' chat gets there.
 */
const HARMLESS: [string, Severity][] = [
  ["[2026-11-21 21:04:26] [lib.chat] [INFO] alice: ERROR 500 again", "other"],
  ["[2026-11-21 21:04:26] [lib.chat] [INFO] ERROR: shouted alice", "other"],
  ["[2026-11-21 21:04:26] [lib.chat] [INFO] [ERROR] [CRITICAL] shouted alice", "other"],
  ["[2026-11-21 21:04:26] [lib.chat] [INFO    ] [ERROR] shouted alice", "other"],
  ["[2026-11-21 21:04:26] [INFO    ] ERROR: shouted alice", "other"],
  ["[2026-11-21 21:04:26] [INFO] - ERROR - shouted alice", "other"],
  ["2026-11-21 21:04:26,123 - lib.chat - INFO - ERROR - shouted alice", "other"],
  ["2026-11-21 21:04:26,123 - INFO - ERROR: shouted alice", "other"],
  ["2026-11-21 21:04:26,123 - INFO - [ERROR] shouted alice", "other"],
  ["2026-11-21 21:04:26,123 - WARNING - Error: timed out, trying again", "warning"],
  ["2026-11-21 21:04:26,123 INFO - ERROR: shouted alice", "other"],
  ["2026-11-21 21:04:26,123 INFO lib.chat - ERROR: shouted alice", "other"],
  ["2026-11-21 21:04:26,123 INFO ERROR CRITICAL FATAL", "other"],
  ["2026-11-21 21:04:26,123:INFO:lib.chat:ERROR: shouted alice", "other"],
  ["2026-11-21 21:04:26.123 | INFO     | lib.chat:read:1 - ERROR: shouted alice", "other"],
  ["2026-11-21T21:04:26.123456Z [info     ] Error: shouted alice user=alice", "other"],
  ["2026-11-21T21:04:26.123456Z [warning  ] error: timed out", "warning"],
  ["2026-11-21T21:04:26.123Z info: error: shouted alice", "other"],
  ["2026-11-21 21:04:26 0 errors, error rate 0", "other"],
  ["2026-11-21 21:04:26 errors: 0", "other"],
  ["2026-11-21 21:04:26 error_count=0", "other"],
  ["2026-11-21 21:04:26 critical mass of users reached", "other"],
  ["2026-11-21 21:04:26 <alice> ERROR: it is broken", "other"],
  ["2026-11-21 21:04:26 alice: ERROR: it is broken", "other"],
  ["INFO:lib.chat:ERROR: shouted alice", "other"],
  ['INFO:     127.0.0.1:1 - "GET /ERROR HTTP/1.1" 500 Internal Server Error', "other"],
  ['{"level":30,"time":1795295066123,"msg":"{\\"level\\":50} ERROR"}', "other"],
  [
    '{"level":"info","timestamp":"2026-11-21T21:04:26.123Z","message":"x","error":"none","chat":{"level":"error"}}',
    "other",
  ],
];

test("parseLogPrefix() takes the level from the prefix only, never from the message", () => {
  for (const [line, severity] of HARMLESS)
    assert.equal(parseLogPrefix(line, rulesSince(0))?.severity, severity, line);
});

test("parseLogPrefix() never lets a message change what the prefix of a known format says", () => {
  const severe = fc.constantFrom(
    "ERROR",
    "error",
    "Error",
    "CRITICAL",
    "fatal",
    "[ERROR]",
    "[error]",
    "ERROR:",
    "- ERROR -",
    "| ERROR |",
    "<3>",
    "[31mERROR",
  );
  const word = fc.oneof(
    severe,
    fc.constantFrom(
      "alice",
      "said",
      "-",
      ":",
      "|",
      "[x]",
      "2026-11-21 21:04:26",
      "{",
      "lib.bot - ",
    ),
    fc.string(),
  );
  const message = fc
    .array(word, { minLength: 1, maxLength: 5 })
    .map((words) => words.join(" ").replace(/[\r\n\0\u001b]/g, ""));
  // JSON escapes its message, and behind a bare timestamp there is no prefix that a message could
  // be told from.
  const plain = FORMATS.filter(({ line }) => line.endsWith("text") && !line.startsWith("<"));
  fc.assert(
    fc.property(fc.constantFrom(...plain), fc.nat(), message, ({ line, levels }, pick, text) => {
      const entries = Object.entries(levels);
      const [level, severity] = entries[pick % entries.length] as [string, Severity];
      const filled = line.replace("LEVEL", level).replace(/text$/, () => text);
      assert.equal(parseLogPrefix(filled, rulesSince(0))?.severity, severity, filled);
    }),
    { numRuns: 3000 },
  );
});

test("parseLogPrefix() takes lines without a prefix for continuations", () => {
  const lines = [
    "",
    "   ",
    "[*] ERROR is what alice said",
    "    raise ValueError('ERROR')",
    "Traceback (most recent call last):",
    "ERROR_COUNT 0",
    "errors",
  ];
  lines.push(
    "text <3> inside",
    "\tat a.b(C.java:1)",
    "{ not json",
    "{}",
    "[1, 2]",
    '{"text":"level error"}',
  );
  for (const line of lines) assert.equal(parseLogPrefix(line, rulesSince(0)), null, line);
});

test("parseLogPrefix() uses a site's own prefix first, and the built-in ones where it does not match", () => {
  const prefix = /^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)│(?<level>\w+)│/;
  const rules = rulesSince(0, { prefix });
  assert.deepEqual(parseLogPrefix("2026-11-21 21:04:26│ERROR│text", rules), {
    time: stampedAt,
    severity: "error",
  });
  assert.deepEqual(parseLogPrefix("2026-11-21 21:04:26│INFO│ERROR: text", rules), {
    time: stampedAt,
    severity: "other",
  });
  assert.deepEqual(parseLogPrefix("2026-11-21 21:04:26 ERROR text", rules), {
    time: stampedAt,
    severity: "error",
  });
});

test("parseStamp() reads fractions, zones and slashes, and takes a bare time as the config says", () => {
  const local = new Date(2026, 10, 21, 21, 4, 26).getTime();
  assert.equal(parseStamp("2026-11-21 21:04:26", false), local);
  assert.equal(parseStamp("2026-11-21 21:04:26", true), stampedAt);
  assert.equal(parseStamp("2026/11/21 21:04:26", true), stampedAt);
  for (const fraction of [".123", ",123", ".123000000"])
    assert.equal(parseStamp(`2026-11-21T21:04:26${fraction}`, true), stampedMs, fraction);
  for (const zone of ["Z", " UTC", "+00:00", "-0000", " +0000"])
    assert.equal(parseStamp(`2026-11-21T21:04:26${zone}`, false), stampedAt, zone);
  assert.equal(parseStamp("2026-11-21T16:04:26-05:00", true), stampedAt);
  assert.equal(parseStamp("2026-11-21T23:04:26.123+0200", true), stampedMs);
  for (const impossible of ["2026-13-21 21:04:26", "2026-11-21 25:04:26", "2026-11-21 21:61:26"])
    assert.equal(parseStamp(impossible, true), null, impossible);
});

test("parseLogPrefix() takes linear time on hostile lines", () => {
  const long = 64 << 10;
  const stamp = "2026-11-21 21:04:26";
  const hostile = [
    " ",
    "\t",
    "[",
    "]",
    "a",
    "a.",
    "a ",
    "- ",
    "Error",
    "A.",
    "[a]",
    "<3>",
    "ERROR ",
    "0",
    "{",
    '"',
  ].flatMap((unit) => {
    const run = unit.repeat(long / unit.length);
    return [run, stamp + run, `${stamp} [${run}`, `[${stamp}] [a] ${run}`, `${stamp} a${run}`];
  });
  const begun = performance.now();
  for (const line of hostile) tallyOf(line, rulesSince(0));
  // Quadratic time would be minutes.
  assert.ok(
    performance.now() - begun < 5000,
    `${hostile.length} lines took ${performance.now() - begun} ms`,
  );
});

// ---------------------------------------------------------------------------- records of several lines

const since = stampedAt - 60_000;
const bracketed = (level: string, text: string, at = stampedAt): string =>
  `[${new Date(at).toISOString().slice(0, 19).replace("T", " ")}] [lib.bot] [${level}] ${text}`;
const info = bracketed("INFO", "goes on");
const traceback = [
  "Traceback (most recent call last):",
  '  File "bot.py", line 10, in join',
  "    raise KeyError(name)",
  "KeyError: 'lobby'",
];
const because = ["", "The above exception was the direct cause of the following exception:", ""];
const during = ["", "During handling of the above exception, another exception occurred:", ""];
const group = [
  "  + Exception Group Traceback (most recent call last):",
  '  |   File "bot.py", line 3, in <module>',
  "  | ExceptionGroup: both (2 sub-exceptions)",
  "  +-+---------------- 1 ----------------",
  "    | Traceback (most recent call last):",
  '    |   File "bot.py", line 1, in <module>',
  "    | ValueError: x",
  "    +------------------------------------",
];
const frames = ["    at join (/opt/bot/index.js:3:9)", "    at async main (/opt/bot/index.js:9:3)"];
const java = [
  "\tat c.e.App.run(App.java:3)",
  "Caused by: java.io.IOException: y",
  "\tat c.e.Io.read(Io.java:1)",
  "\t... 2 more",
];

const RECORDS: { name: string; lines: string[]; errors: number; warnings?: number }[] = [
  { name: "an ERROR line", lines: [bracketed("ERROR", "x")], errors: 1 },
  { name: "a WARNING line", lines: [bracketed("WARNING", "x")], errors: 0, warnings: 1 },
  {
    name: "a traceback under its ERROR line",
    lines: [bracketed("ERROR", "x"), ...traceback],
    errors: 1,
  },
  { name: "a traceback that nobody stamped", lines: [info, ...traceback, info], errors: 1 },
  { name: "a traceback at the end of the text", lines: [info, ...traceback], errors: 1 },
  { name: "two tracebacks in a row", lines: [info, ...traceback, ...traceback, info], errors: 2 },
  {
    name: "a chained traceback",
    lines: [info, ...traceback, ...because, ...traceback, info],
    errors: 1,
  },
  {
    name: "a traceback chained three times",
    lines: [info, ...traceback, ...during, ...traceback, ...because, ...traceback],
    errors: 1,
  },
  {
    name: "a chained traceback under its ERROR line",
    lines: [bracketed("ERROR", "x"), ...traceback, ...during, ...traceback],
    errors: 1,
  },
  {
    name: "a traceback under a WARNING",
    lines: [bracketed("WARNING", "x"), ...traceback, info],
    errors: 0,
  },
  {
    name: "a chained traceback under a WARNING",
    lines: [bracketed("WARNING", "x"), ...traceback, ...during, ...traceback, info],
    errors: 0,
  },
  {
    name: "a traceback that the next record cuts",
    lines: [info, ...traceback.slice(0, 3), info],
    errors: 1,
  },
  {
    name: "an exception of several lines",
    lines: [info, ...traceback, "second line", "third line", info],
    errors: 1,
  },
  { name: "an exception group", lines: [info, ...group, info], errors: 1 },
  {
    name: "an exception in a thread",
    lines: [info, "Exception in thread Thread-1 (run):", ...traceback, info],
    errors: 1,
  },
  {
    name: "a Node stack",
    lines: [info, "TypeError: x is not a function", ...frames, info],
    errors: 1,
  },
  {
    name: "a Node stack of a plain Error",
    lines: [info, "Error: read ECONNRESET", ...frames, info],
    errors: 1,
  },
  {
    name: "a Node stack of an Error with a code",
    lines: [info, "Error [ERR_STREAM_DESTROYED]: destroyed", ...frames, info],
    errors: 1,
  },
  {
    name: "an uncaught exception in Node",
    lines: [
      info,
      "/opt/bot/index.js:3",
      "    throw new Error('x');",
      "    ^",
      "",
      "Error: x",
      ...frames,
      "",
      "Node.js v20.20.2",
    ],
    errors: 1,
  },
  {
    name: "an uncaught error with its word",
    lines: [info, "Uncaught Error: x", ...frames],
    errors: 1,
  },
  {
    name: "a Node stack under its ERROR line",
    lines: [bracketed("ERROR", "x"), "TypeError: x", ...frames],
    errors: 1,
  },
  {
    name: "a Node stack under a WARNING",
    lines: [bracketed("WARNING", "x"), "TypeError: x", ...frames, info],
    errors: 0,
    warnings: 1,
  },
  {
    name: "a Java stack",
    lines: [info, 'Exception in thread "main" java.lang.IllegalStateException: x', ...java, info],
    errors: 1,
  },
  {
    name: "a Java stack under its ERROR line",
    lines: [bracketed("ERROR", "x"), "java.lang.IllegalStateException: x", ...java],
    errors: 1,
  },
  {
    name: "a fatal error of Python itself",
    lines: [info, "Fatal Python error: Segmentation fault", "", "Current thread 0x1:"],
    errors: 1,
  },
  {
    name: "the last words of V8",
    lines: [
      info,
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    ],
    errors: 1,
  },
  {
    name: "a panic in Go",
    lines: [info, "panic: runtime error: index out of range", "", "goroutine 1 [running]:"],
    errors: 1,
  },
  {
    name: "a panic in Rust",
    lines: [info, "thread 'main' panicked at src/main.rs:1:1:", "x"],
    errors: 1,
  },
  {
    name: "a message of several lines",
    lines: [info, "KeyError: is what alice said", "    indented", "", info],
    errors: 0,
  },
  {
    name: "a quoted traceback in chat",
    lines: [bracketed("INFO", "alice: Traceback (most recent call last):"), info],
    errors: 0,
  },
  { name: "the word at in a message", lines: [info, "meet", "    at noon", info], errors: 0 },
  {
    name: "a coloured level",
    lines: [`[2026-11-21 21:04:26] [lib.bot] [\u001b[31mERROR\u001b[0m] x`],
    errors: 1,
  },
  {
    name: "a coloured line",
    lines: [
      `\u001b[32m2026-11-21 21:04:26.123\u001b[0m | \u001b[31m\u001b[1mERROR   \u001b[0m | lib:run:1 - x`,
    ],
    errors: 1,
  },
  {
    name: "a carriage return at the end",
    lines: [`${bracketed("ERROR", "x")}\r`, `${info}\r`],
    errors: 1,
  },
];

for (const { name, lines, errors, warnings } of RECORDS) {
  test(`addLogLine() counts ${errors === 1 ? "one error" : `${errors} errors`} for ${name}`, () => {
    const tally = tallyOf([info, ...lines].join("\n"), rulesSince(since));
    assert.deepEqual(
      { ...countsOf(tally), warnings: 0 },
      { ...clean, errors },
      JSON.stringify(tally.examples),
    );
    if (warnings !== undefined) assert.equal(tally.warnings, warnings);
  });
}

test("addLogLine() counts by the line's own time: at the beginning of the window, and not before it", () => {
  const counted = (at: number) => countsOf(tallyOf(bracketed("ERROR", "x", at), rulesSince(since)));
  assert.deepEqual(counted(since), { ...clean, errors: 1 });
  assert.deepEqual(counted(since - 1000), clean);
  const warned = (at: number) => tallyOf(bracketed("WARNING", "x", at), rulesSince(since)).warnings;
  assert.deepEqual([warned(since), warned(since - 1000)], [1, 0]);
});

test("addLogLine() is certain that a stamped error before the window does not count", () => {
  const text = [
    bracketed("ERROR", "old", since - 60_000),
    bracketed("INFO", "new", since + 1000),
  ].join("\n");
  assert.deepEqual(countsOf(tallyOf(text, rulesSince(since))), clean);
});

test("addLogLine() is uncertain about an unstamped error between a record before the window and one within", () => {
  const text = [
    bracketed("INFO", "old", since - 60_000),
    ...traceback,
    bracketed("INFO", "new", since + 1000),
  ].join("\n");
  assert.deepEqual(countsOf(tallyOf(text, rulesSince(since))), { ...clean, uncertain: 1 });
  const settled = [
    bracketed("INFO", "old", since - 60_000),
    ...traceback,
    bracketed("INFO", "old too", since - 30_000),
    info,
  ].join("\n");
  assert.deepEqual(countsOf(tallyOf(settled, rulesSince(since))), clean);
});

test("addLogLine() keeps errors apart that come before any timestamp", () => {
  assert.deepEqual(
    countsOf(
      tallyOf(["ERROR:root:x", ...traceback, "CRITICAL:root:y"].join("\n"), rulesSince(since)),
    ),
    { ...clean, undated: 2 },
  );
});

test("addLogLine() counts known noise as noise, and nothing else", () => {
  const rules = rulesSince(since, { noise: [/user exists$/, /^Traceback … KeyError/] });
  const text = [
    bracketed("ERROR", "user exists"),
    bracketed("ERROR", "user exists no more"),
    info,
    ...traceback,
    info,
  ].join("\n");
  assert.deepEqual(countsOf(tallyOf(text, rules)), { ...clean, errors: 1, noise: 2 });
});

test("addLogLine() keeps few and short examples, and counts all", () => {
  const text = Array.from({ length: 1000 }, (_, index) =>
    bracketed("ERROR", `${index} ${"x".repeat(2000)}`),
  ).join("\n");
  const { errors, examples } = tallyOf(text, rulesSince(since));
  assert.equal(errors, 1000);
  assert.ok(examples.length > 0 && examples.length <= 10, String(examples.length));
  assert.ok(examples.every((example) => example.length <= 1000));
});

// ---------------------------------------------------------------------------- files

const directory = createDirectory();
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(directory, `bot-${files++}.log`);

const limits = Object.fromEntries(Object.entries(LIMITS).map(([name, row]) => [name, row.prod]));
function configWith(over: Record<string, number> = {}, silent = false): Config {
  return { limits: { ...limits, ...over }, errorLogs: { silent } } as unknown as Config;
}

/**
 * Follows a file as the verifier does. Its own clock is that of the machine, so its lines are
 * stamped relative to now.
 */
async function follow(
  file: string,
  rules: LogRules,
  over: Record<string, number> = {},
): Promise<LogFollower> {
  return followLogFile({ config: configWith(over), file, rules, bot: null, signal: never });
}

async function readOnce(
  file: string,
  rules: LogRules,
  over: Record<string, number> = {},
): Promise<LogFollower["source"]> {
  const follower = await follow(file, rules, over);
  follower.close();
  return follower.source;
}

const now = Math.floor(Date.now() / 1000) * 1000;
const windowStart = now - 300_000;
const recent = (level: string, text: string, secondsAgo = 10): string =>
  bracketed(level, text, now - secondsAgo * 1000);

/**
 * One record: when, how severe, whether a traceback or a stack comes unstamped behind it, and how
 * much else.
 */
type Entry = {
  at: number;
  level: keyof typeof python;
  tail: "none" | "traceback" | "chained" | "stack" | "text";
  padding: number;
};

const TAILS: Record<Entry["tail"], string[]> = {
  none: [],
  traceback,
  chained: [...traceback, ...during, ...traceback],
  stack: ["TypeError: x is not a function", ...frames],
  text: ["  second line", "ERROR_COUNT is 0"],
};

function renderEntry({ at, level, tail, padding }: Entry): string {
  return [bracketed(level, `é${"x".repeat(padding)}`, at), ...TAILS[tail]]
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * What a person would count: one error for a severe record, one for a traceback under a harmless
 * one, none under a warning.
 */
function countByHand(entries: readonly Entry[], from: number): number {
  const isError = ({ level, tail }: Entry) =>
    python[level] === "error" || (python[level] === "other" && !["none", "text"].includes(tail));
  return entries.filter((entry) => entry.at >= from && isError(entry)).length;
}

/**
 * Records in order, but for a few seconds, across the beginning of the window; some lines are
 * longer than what is kept of a line.
 */
const entriesOf = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 60 }).map((seconds) => seconds * 1000),
      disorderMs: fc.constantFrom(0, 0, 0, 1000, 3000),
      level: fc.constantFrom(...(Object.keys(python) as Entry["level"][])),
      tail: fc.constantFrom(...(Object.keys(TAILS) as Entry["tail"][])),
      padding: fc.oneof(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 5000, max: 50_000 }),
        fc.constantFrom(65_000, 65_536, 262_144, 600_000),
      ),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((drawn) => {
    let at = now - 1000;
    const entries = drawn.map(({ gapMs, disorderMs, ...rest }): Entry => {
      const entry = { ...rest, at: at - disorderMs };
      at -= gapMs;
      return entry;
    });
    return entries.reverse();
  });

test("findWindow() and addLogLine() count what reading the whole file counts, for any log", async () => {
  const file = newFile();
  await fc.assert(
    fc.asyncProperty(entriesOf, async (entries) => {
      const text = entries.map(renderEntry).join("");
      writeFileSync(file, text);
      const rules = rulesSince(windowStart);
      const descriptor = openSync(file, "r");
      try {
        const { offset, bounded } = await findWindow(descriptor, rules, 1 << 30);
        assert.equal(bounded, false);
        const found = tallyOf(Buffer.from(text).subarray(offset).toString(), rules);
        assert.equal(found.errors, countByHand(entries, windowStart));
        assert.equal(found.errors, tallyOf(text, rules).errors);
        assert.equal(found.undated, 0);
      } finally {
        closeSync(descriptor);
      }
    }),
    { numRuns: 150 },
  );
});

test("followLogFile() counts what a person counts, however the file grows", async () => {
  await fc.assert(
    fc.asyncProperty(entriesOf, fc.array(fc.nat(), { maxLength: 12 }), async (entries, cuts) => {
      // Only what is in the window: what arrives while a file is followed is new, whatever its
      // stamp.
      const within = entries.filter(({ at }) => at >= windowStart);
      const bytes = Buffer.from(
        [info, ...within.map(renderEntry)].join("\n").replace(info, recent("INFO", "first", 299)),
      );
      const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort(
        (a, b) => a - b,
      );
      const file = newFile();
      writeFileSync(file, "");
      const follower = await follow(file, rulesSince(windowStart));
      try {
        for (const [index, place] of [0, ...places].entries()) {
          appendFileSync(file, bytes.subarray(place, places[index] ?? bytes.length));
          await follower.poll();
        }
        assert.equal(follower.source.unseen, null);
        assert.equal(follower.source.tally.errors, countByHand(within, windowStart));
        assert.equal(follower.source.tally.undated, 0);
      } finally {
        follower.close();
        rmSync(file);
      }
    }),
    { numRuns: 100 },
  );
});

/** Bytes that this process has read, files and pipes alike. */
const bytesRead = (): number =>
  Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);

test("followLogFile() finds the window of a 1 GB file by reading little more than the window", async () => {
  const file = newFile();
  const descriptor = openSync(file, "w");
  // Most of it is a hole, which reads like any other file; its end is real.
  ftruncateSync(descriptor, 1 << 30);
  const old = `${recent("ERROR", "old", 3600)}\n`.repeat(5000);
  const fresh =
    `${recent("INFO", "x".repeat(100))}\n`.repeat(3000) + `${recent("ERROR", "boom")}\n`.repeat(7);
  writeSync(descriptor, `\n${old}${fresh}`, 1 << 30);
  closeSync(descriptor);
  const before = bytesRead();
  const source = await readOnce(file, rulesSince(windowStart));
  const cost = bytesRead() - before;
  assert.deepEqual([source.unseen, source.tally.errors, source.tally.uncertain], [null, 7, 0]);
  assert.ok(cost < 4 << 20, `read ${cost} bytes for a window of ${fresh.length}`);
  rmSync(file);
});

test("followLogFile() finds the window by seeking where a site's prefix has letters beyond ASCII", async () => {
  const file = newFile();
  const line = (level: string, secondsAgo: number) =>
    recent(level, "x", secondsAgo).replace("] [lib.bot] [", "│").replace("] ", "│").slice(1);
  const prefix = /^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)│(?<level>\w+)│/;
  writeFileSync(file, `${`${line("INFO", 3600)}\n`.repeat(60_000)}${line("ERROR", 10)}\n`);
  const descriptor = openSync(file, "r");
  const { size } = statSync(file);
  const { offset, covered } = await findWindow(
    descriptor,
    rulesSince(windowStart, { prefix }),
    1 << 30,
  );
  closeSync(descriptor);
  assert.equal(covered, true);
  assert.ok(size - offset < 1 << 20, `begins at ${offset} of ${size}`);
});

test("followLogFile() says unknown, not none, when the window is larger than its bounds", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x".repeat(1000))}\n`.repeat(4000));
  assert.match(
    (await readOnce(file, rulesSince(windowStart), { logMegabytesMax: 1 })).unseen ?? "",
    /logMegabytesMax/,
  );
  assert.match(
    (await readOnce(file, rulesSince(windowStart), { logSecondsMax: 0 })).unseen ?? "",
    /logSecondsMax/,
  );
  assert.equal(
    (await readOnce(file, rulesSince(windowStart), { logMegabytesMax: 5 })).unseen,
    null,
  );
});

test("followLogFile() reads a line longer than it keeps as one line, by its prefix", async () => {
  const file = newFile();
  const long = "ERROR \u001b[31m[ERROR] ".repeat(600_000);
  writeFileSync(
    file,
    `${recent("INFO", long)}\n${recent("ERROR", long)}\n${recent("INFO", "x")}\n`,
  );
  const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual([unseen, tally.errors, tally.lines], [null, 1, 3]);
  assert.ok((tally.examples[0] ?? "").length <= 1000);
});

test("followLogFile() reads the level of a JSON record that is longer than it keeps of a line", async () => {
  const file = newFile();
  const record = (level: number) =>
    JSON.stringify({ level, time: now - 10_000, pid: 1, msg: "x".repeat(100_000) });
  writeFileSync(file, `${record(30)}\n${record(50)}\n${record(30)}\n`);
  const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
  // A count that misses a record would be a green light: either it is counted, or the source says
  // that it could not be read.
  assert.ok(tally.errors === 1 || tally.undated > 0 || unseen !== null, JSON.stringify(tally));
});

test("followLogFile() reads a first line behind the NUL bytes that a truncated file is left with", async () => {
  for (const length of [10, 70_000, 300_000]) {
    const file = newFile();
    writeFileSync(
      file,
      `${"\0".repeat(length)}${recent("ERROR", "boom")}\n${recent("INFO", "x")}\n`,
    );
    const { tally } = await readOnce(file, rulesSince(windowStart));
    assert.equal(tally.errors, 1, `${length} NUL bytes`);
  }
});

test("followLogFile() counts an error on a last line that has no end yet", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n${recent("ERROR", "boom")}`);
  const follower = await follow(file, rulesSince(windowStart));
  assert.equal(follower.source.tally.errors, 1);
  appendFileSync(file, " and more\n");
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("followLogFile() counts a traceback that the end of the file cuts", async () => {
  const file = newFile();
  writeFileSync(file, [recent("INFO", "x"), ...traceback.slice(0, 3), ""].join("\n"));
  const follower = await follow(file, rulesSince(windowStart));
  assert.equal(follower.source.tally.errors, 1);
  appendFileSync(file, `${traceback[3]}\n${recent("INFO", "x")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("followLogFile() takes unstamped errors at the end of a file for as new as its last write", async () => {
  const file = newFile();
  writeFileSync(file, [recent("INFO", "x", 3600), ...traceback, ""].join("\n"));
  assert.equal((await readOnce(file, rulesSince(windowStart))).tally.errors, 1);
  utimesSync(file, new Date(windowStart - 1000), new Date(windowStart - 1000));
  assert.equal((await readOnce(file, rulesSince(windowStart))).tally.errors, 0);
});

test("followLogFile() does not count a stamped old error at the end of a file, whenever the file was written", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("ERROR", "old", 3599)}\n`);
  const { tally } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual(countsOf(tally), clean);
});

test("followLogFile() does not count a stamped old error again for the bare lines that follow it", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("ERROR", "old", 3599)}\n[*] joined the channel\n`);
  assert.deepEqual(countsOf((await readOnce(file, rulesSince(windowStart))).tally), clean);
});

test("followLogFile() counts an unstamped error that comes while it follows", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x", 3600)}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  appendFileSync(file, `${traceback.join("\n")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

// ---------------------------------------------------------------------------- formats that nobody knows

/**
 * A clock or a level where the built-in prefixes do not look: dated or not, an ERROR in them must
 * not be read as a healthy line.
 */
const UNKNOWN_FORMATS = [
  "Nov 21 21:04:26 host bot[12]: LEVEL: text",
  "TIME host bot[12]: LEVEL text",
  "E1121 21:04:26.123456   12 main.go:12] text",
  "[Sat Nov 21 21:04:26.123456 2026] [core:LEVEL] [pid 12] text",
  "21-Nov-2026 21:04:26.123 LEVEL [main] c.e.App text",
  "[21:04:26] LEVEL text",
  "11/21/2026 09:04:26 PM - LEVEL - text",
  'time="TIME" level=LEVEL msg="text"',
  "ts=TIME caller=main.go:12 level=LEVEL msg=text",
  "TIME lib.bot      LEVEL    text",
  "TIME 12 LEVEL text",
  "[TIME] production.LEVEL: text",
  "TIME stderr F LEVEL text",
  '{"log":"LEVEL text\\n","stream":"stderr","time":"TIME"}',
  '{"@timestamp":"TIME","log":{"level":"LEVEL"},"message":"text"}',
  '{"text":"text","record":{"level":{"name":"LEVEL","no":40},"time":{"repr":"TIME"}}}',
  '{"@t":"TIME","@l":"LEVEL","@m":"text"}',
];

for (const format of UNKNOWN_FORMATS) {
  test(`followLogFile() does not call a log clean whose lines are \`${format}\``, async () => {
    const file = newFile();
    const filled = format
      .replace("LEVEL", "ERROR")
      .replace("TIME", new Date(now - 10_000).toISOString());
    writeFileSync(file, `${filled}\n`.repeat(20));
    const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
    const doubted = tally.strange > 0 && tally.levelled === 0;
    assert.ok(
      doubted || unseen !== null || tally.undated > 0 || tally.errors > 0,
      "20 errors were read as no error at all",
    );
  });
}

test("followLogFile() has no doubt about a log of bare lines, as a healthy bot writes at level WARNING", async () => {
  const file = newFile();
  writeFileSync(file, "[*] config loaded\n[*] connected\n");
  const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual([unseen, countsOf(tally)], [null, clean]);
});

test("followLogFile() keeps dated and undated errors apart", async () => {
  const file = newFile();
  writeFileSync(file, `ERROR:root:x\n${recent("INFO", "x")}\nERROR:root:y\n`);
  assert.deepEqual(countsOf((await readOnce(file, rulesSince(windowStart))).tally), {
    ...clean,
    undated: 1,
    errors: 1,
  });
});

// ---------------------------------------------------------------------------- rotation

test("followLogFile() follows a file through rotation by rename, and reads what was last written to the old one", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, `${recent("ERROR", "one")}\n`);
  writeFileSync(file, `${recent("ERROR", "two")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 2);
  appendFileSync(`${file}.1`, `${recent("ERROR", "three")}\n`);
  appendFileSync(file, `${recent("ERROR", "four")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 4);
  follower.close();
});

test("followLogFile() survives the moment between the rename and the new file", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  renameSync(file, `${file}.1`);
  await follower.poll();
  writeFileSync(file, `${recent("ERROR", "x")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("followLogFile() misses no file when a log was rotated twice between two looks", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  renameSync(file, `${file}.2`);
  writeFileSync(`${file}.1`, `${recent("ERROR", "between")}\n`);
  writeFileSync(file, `${recent("INFO", "y")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("followLogFile() notices a file that was cut and has grown beyond where it was read to", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  writeFileSync(
    file,
    `${recent("ERROR", "first")}\n${recent("INFO", "a longer line than the one before")}\n`,
  );
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("addLogLine() reads the record behind a progress bar, and keeps the level of one with a return in its text", async () => {
  for (const line of [
    ` 50%|##  |\r${recent("ERROR", "boom")}`,
    `${recent("ERROR", "boom")} over\rwritten`,
  ]) {
    const tally = emptyTally();
    addLogLine({ tally, position: emptyPosition(), rules: rulesSince(windowStart) }, line);
    assert.equal(tally.errors, 1, line);
  }
});

test("addLogLine() does not take a severe level behind a clock that it cannot place for silence", async () => {
  for (const line of ["21:04:26 CRITICAL boom", "1763770000.123 ERROR boom"]) {
    const tally = emptyTally();
    const counter = { tally, position: emptyPosition(), rules: rulesSince(windowStart) };
    addLogLine(counter, recent("INFO", "x"));
    addLogLine(counter, line);
    assert.equal(tally.undated, 1, line);
  }
});

test("followLogFile() counts an unstamped traceback that is the first thing in the file after a rotation", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  renameSync(file, `${file}.1`);
  writeFileSync(file, `${traceback.join("\n")}\n`);
  await follower.poll();
  assert.deepEqual(countsOf(follower.source.tally), { ...clean, errors: 1 });
  follower.close();
});

test("followLogFile() follows copytruncate, and takes from the copy what came just before the cut", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x".repeat(500))}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  appendFileSync(file, `${recent("ERROR", "one")}\n`);
  copyFileSync(file, `${file}.1`);
  truncateSync(file, 0);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 1);
  appendFileSync(file, `${recent("ERROR", "two")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 2);
  follower.close();
});

test("followLogFile() goes on after a truncation without a copy", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("ERROR", "one")}\n${recent("INFO", "x".repeat(500))}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  truncateSync(file, 0);
  appendFileSync(file, `${recent("ERROR", "two")}\n`);
  await follower.poll();
  assert.equal(follower.source.tally.errors, 2);
  follower.close();
});

test("followLogFile() reads on where a writer without O_APPEND leaves a hole", async () => {
  const file = newFile();
  const writer = openSync(file, "w");
  writeSync(writer, `${recent("INFO", "x".repeat(200_000))}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  truncateSync(file, 0);
  await follower.poll();
  writeSync(writer, `${recent("ERROR", "boom")}\n`);
  await follower.poll();
  closeSync(writer);
  assert.equal(follower.source.tally.errors, 1);
  follower.close();
});

test("followLogFile() reads rotated neighbours that reach into the window, plain and compressed, and no others", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("ERROR", "zero", 10)}\n`);
  writeFileSync(`${file}.1`, `${recent("ERROR", "one", 60)}\n`);
  writeFileSync(
    `${file}.2.gz`,
    gzipSync(`${recent("ERROR", "old", 900)}\n${recent("ERROR", "two", 120)}\n`),
  );
  writeFileSync(`${file}.3.gz`, "not gzip, and too old to be read");
  writeFileSync(`${file}.bak`, `${recent("ERROR", "a stray copy", 60)}\n`);
  const ages: [string, number][] = [
    [file, 10],
    [`${file}.1`, 60],
    [`${file}.2.gz`, 120],
    [`${file}.3.gz`, 1000],
  ];
  for (const [name, secondsAgo] of ages)
    utimesSync(name, new Date(now - secondsAgo * 1000), new Date(now - secondsAgo * 1000));
  const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual([unseen, tally.errors], [null, 3]);
});

test("followLogFile() says unknown when a compressed neighbour reaches into the window and cannot be read", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  writeFileSync(`${file}.1.gz`, gzipSync(recent("ERROR", "x".repeat(5000))).subarray(0, 40));
  assert.match((await readOnce(file, rulesSince(windowStart))).unseen ?? "", /\.1\.gz/);
});

test("followLogFile() is not put off by a neighbour that is gone when it looks", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("ERROR", "x")}\n`);
  // What a rotation at this very moment looks like: a name in the directory, and nothing behind it.
  symlinkSync("nowhere", `${file}.1`);
  const follower = await follow(file, rulesSince(windowStart));
  assert.deepEqual([follower.source.unseen, follower.source.tally.errors], [null, 1]);
  truncateSync(file, 0);
  await follower.poll();
  assert.equal(follower.source.unseen, null);
  follower.close();
});

test("followLogFile() says unknown, and goes on, when the file after a rotation cannot be read", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const follower = await follow(file, rulesSince(windowStart));
  renameSync(file, `${file}.1`);
  // A file of mode 0600 would do for an ordinary user; a directory cannot be read by root either.
  mkdirSync(file);
  await follower.poll();
  assert.notEqual(follower.source.unseen, null);
  follower.close();
});

test("followLogFile() does not need the neighbour when the file itself covers the window", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "old", 3600)}\n${recent("ERROR", "x")}\n`);
  writeFileSync(
    `${file}.1`,
    `${recent("ERROR", "stamped wrongly, in a file that need not be read", 20)}\n`,
  );
  const { tally, unseen } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual([unseen, tally.errors], [null, 1]);
});

test("followLogFile() lets a record run on from the rotated file into the next", async () => {
  const file = newFile();
  writeFileSync(`${file}.1`, `${recent("INFO", "x", 60)}\n`);
  writeFileSync(file, `${traceback.join("\n")}\n${recent("INFO", "x")}\n`);
  const { tally } = await readOnce(file, rulesSince(windowStart));
  assert.deepEqual(countsOf(tally), { ...clean, errors: 1 });
});

// ---------------------------------------------------------------------------- is it the bot's log, and can it be read?

/** A process that has a file open for appending, as a bot has its log. */
async function startWriter(
  file: string,
): Promise<{ pid: number; startedAt: number; end: () => void }> {
  const writer = startProcess([
    "/bin/sh",
    "-c",
    `exec 3>>"$1"; echo ready >&3; exec sleep 600`,
    "writer",
    file,
  ]);
  await until("the writer has opened its log", () => readFileSync(file, "utf8").includes("ready"));
  return { pid: writer.pid as number, startedAt: Date.now(), end: writer.end };
}

/** Follows a file as the log of a bot that is known. */
async function followAs(
  bot: { pid: number; startedAt: number },
  file: string,
  config = configWith(),
): Promise<LogFollower> {
  return followLogFile({ config, file, rules: rulesSince(windowStart), bot, signal: never });
}

test("followLogFile() trusts a file that the bot has open, also when it is silent", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x", 3600)}\n`);
  const writer = await startWriter(file);
  utimesSync(file, new Date(now - 3_599_000), new Date(now - 3_599_000));
  const follower = await followAs(writer, file);
  assert.equal(follower.source.unseen, null);
  follower.close();
  writer.end();
});

test("followLogFile() doubts a file that nobody has open and nobody has written to since the start, unless the config says silent", async () => {
  const [file, other] = [newFile(), newFile()];
  writeFileSync(file, `${recent("INFO", "x", 3600)}\n`);
  writeFileSync(other, "");
  const writer = await startWriter(other);
  utimesSync(file, new Date(now - 3_600_000), new Date(now - 3_600_000));
  const doubtful = await followAs(writer, file);
  assert.match(doubtful.source.unseen ?? "", /is this where the bot logs/);
  const trusted = await followAs(writer, file, configWith({}, true));
  assert.equal(trusted.source.unseen, null);
  for (const follower of [doubtful, trusted]) follower.close();
  writer.end();
});

test("followLogFile() says unknown when the bot still writes to a deleted file", async () => {
  const file = newFile();
  writeFileSync(file, "");
  const writer = await startWriter(file);
  rmSync(file);
  const gone = await followAs(writer, file);
  assert.match(gone.source.unseen ?? "", /no such file/);
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  const replaced = await followAs(writer, file);
  assert.match(replaced.source.unseen ?? "", /deleted/);
  for (const follower of [gone, replaced]) follower.close();
  writer.end();
});

test("followLogFile() says unknown for what is no readable file", async () => {
  assert.match(
    (await readOnce(join(directory, "missing.log"), rulesSince(windowStart))).unseen ?? "",
    /no such file/,
  );
  assert.match(
    (await readOnce(directory, rulesSince(windowStart))).unseen ?? "",
    /not a regular file/,
  );
});

test("clockTrouble() sees lines from the future and from another time zone, and nothing in an ordinary log", () => {
  const minute = 60_000;
  const hour = 60 * minute;
  const troubleOf = (lastTime: number | null, endsStamped = true): string | null =>
    clockTrouble({ lastTime, modifiedAt: now, endsStamped, now });
  assert.equal(troubleOf(null), null);
  assert.equal(troubleOf(now), null);
  assert.equal(troubleOf(now + minute), null);
  assert.match(troubleOf(now + 3 * minute) ?? "", /future/);
  assert.match(troubleOf(now + 5 * hour) ?? "", /future/);
  for (const zoneHours of [0.5, 1, 5, 5.5, 9.5, 14])
    assert.match(troubleOf(now - zoneHours * hour) ?? "", /time zone/, `${zoneHours} h`);
  for (const minutes of [1, 10, 25, 40, 75, 15 * 60])
    assert.equal(troubleOf(now - minutes * minute), null, `${minutes} min`);
  // A last line without a stamp says nothing about the zone.
  assert.equal(troubleOf(now - hour, false), null);
});

test("followLogFile() says unknown when the stamps are of another time zone, and counts when the config names it", async () => {
  const file = newFile();
  const zone = process.env.TZ;
  process.env.TZ = "America/New_York";
  try {
    writeFileSync(file, `${recent("ERROR", "x", 2)}\n`);
    const wrong = await readOnce(file, rulesSince(windowStart, { utc: false }));
    assert.match(wrong.unseen ?? "", /future/);
    assert.match(wrong.hint ?? "", /timeZone/);
    const right = await readOnce(file, rulesSince(windowStart, { utc: true }));
    assert.deepEqual([right.unseen, right.tally.errors], [null, 1]);
    // A bot in New York that stamps local time, read as UTC: its newest error looks five hours old.
    const { mtimeMs } = statSync(file);
    const behind = (level: string) => bracketed(level, "x", mtimeMs - 5 * 3_600_000);
    writeFileSync(file, `${behind("ERROR")}\n${behind("INFO")}\n`);
    utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
    const late = await readOnce(file, rulesSince(windowStart));
    assert.match(late.unseen ?? "", /time zone/);
    assert.match(late.hint ?? "", /timeZone/);
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

// ---------------------------------------------------------------------------- the journal

const captured = join(projectDirectory, "test/captured");

type Journal = {
  unit: string;
  next?: string;
  blind?: string;
  stderr?: string;
  exit?: number;
  /** Seconds that the answer to `--unit` takes to end. */
  lasts?: number;
};

/**
 * A journalctl that answers `--unit` with one captured file, with the next one when a cursor comes
 * along, and the question for root's records
 * with another; it exits 64 for an option that the captured commands do not have. Returns what it
 * was asked.
 */
async function withJournalctl<T>(
  { unit, next = unit, blind = "sees-all-probe.jsonl", stderr = "", exit = 0, lasts = 0 }: Journal,
  act: () => Promise<T>,
): Promise<{ result: T; asked: string[] }> {
  const bin = createDirectory();
  const asked = join(bin, "asked");
  const script = `#!/bin/sh
echo "$*" >> "${asked}"
answer="${resolve(captured, unit)}"
for argument in "$@"; do
  case "$argument" in
    --cursor=*|--after-cursor=*) answer="${resolve(captured, next)}" ;;
    _UID=0) answer="${captured}/${blind}" ;;
    --quiet|--no-pager|--all|--utc|-o|json|--output=json|--output=cat|--output-fields=*|--since=@*|--lines=*|--unit=*|-u|+|*INVOCATION_ID=*|_PID=1) ;;
    *) exit 64 ;;
  esac
done
${stderr ? `cat "${captured}/${stderr}" >&2` : ""}
cat "$answer"
case "$*" in *--unit=*) sleep ${lasts} ;; esac
exit ${exit}
`;
  writeFileSync(join(bin, "journalctl"), script);
  chmodSync(join(bin, "journalctl"), 0o755);
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    const result = await act();
    return { result, asked: readFileSync(asked, "utf8").trim().split("\n") };
  } finally {
    process.env.PATH = path;
    rmSync(bin, { recursive: true });
  }
}

const invocationOf = (file: string): string =>
  /"_SYSTEMD_INVOCATION_ID":"(\w{32})"/.exec(readFileSync(join(captured, file), "utf8"))?.[1] ?? "";

async function readJournal(
  file: string,
  over: Partial<Journal> & { invocation?: string; rules?: Partial<LogRules> } = {},
) {
  const invocation = over.invocation ?? invocationOf(file);
  return withJournalctl(
    { unit: file, ...over },
    async () =>
      (await followAny("cytube-bot.service", invocation, rulesSince(0, over.rules))).source,
  );
}

/** Follows the journal of a unit of which no trouble is known. */
async function followAny(unit: string, invocation: string, rules: LogRules): Promise<LogFollower> {
  return followJournal({ unit, invocation, rules, trouble: null, signal: never });
}

const JOURNALS: [file: string, errors: number, what: string][] = [
  ["journal-healthy.jsonl", 0, "a healthy bot whose users write ERROR"],
  ["journal-errors.jsonl", 3, "ERROR and CRITICAL at priority 6"],
  ["journal-traceback.jsonl", 1, "a traceback under its ERROR line"],
  ["journal-traceback-chained.jsonl", 2, "two chained tracebacks"],
  ["journal-prefix.jsonl", 2, "priorities that the bot itself prefixed"],
  ["journal-bytes.jsonl", 2, "messages as byte arrays, coloured and with a bell"],
  ["journal-split-small.jsonl", 1, "a line in two parts"],
];

for (const [file, errors, what] of JOURNALS) {
  test(`followJournal() counts ${errors} for ${what}`, async () => {
    const { result } = await readJournal(file);
    assert.deepEqual(
      [result.unseen, result.tally.errors],
      [null, errors],
      JSON.stringify(result.tally.examples),
    );
  });
}

test("followJournal() says unknown when journald dropped lines of the bot", async () => {
  const { result } = await readJournal("journal-suppressed-object.jsonl");
  assert.match(result.unseen ?? "", /185/);
});

test("followJournal() leaves out records of other starts and of systemd itself", async () => {
  const { result } = await readJournal("journal-errors.jsonl", { invocation: "0".repeat(32) });
  assert.equal(result.tally.errors, 0);
  const records = readFileSync(join(captured, "pid1-start-limit.jsonl"), "utf8").trim().split("\n");
  const { INVOCATION_ID: invocation } = JSON.parse(records.at(-1) as string) as {
    INVOCATION_ID: string;
  };
  assert.equal(invocation.length, 32);
  const limit = await readJournal("pid1-start-limit.jsonl", { invocation });
  assert.equal(limit.result.tally.errors, 0);
});

test("followJournal() tells a silent bot from a blind user", async () => {
  const silent = await readJournal("silent.jsonl", { invocation: "1".repeat(32) });
  assert.equal(silent.result.unseen, null);
  const blind = await readJournal("blind-own-journal.jsonl", {
    invocation: "1".repeat(32),
    blind: "blind-own-journal-probe.jsonl",
  });
  assert.match(blind.result.unseen ?? "", /cannot read the journal/);
  assert.match(blind.result.hint ?? "", /systemd-journal/);
  const refused = await readJournal("blind-no-group.jsonl", {
    invocation: "1".repeat(32),
    stderr: "blind-no-group.stderr",
    exit: 1,
  });
  assert.match(refused.result.unseen ?? "", /exited 1/);
});

test("followJournal() follows by cursor, and loses and repeats no record, also when the cursor's own one has been vacuumed", async () => {
  const records = readFileSync(join(captured, "cursor-at.jsonl"), "utf8").trim().split("\n");
  const first = join(directory, "first.jsonl");
  writeFileSync(first, `${records[0]}\n`);
  const { __CURSOR: cursor } = JSON.parse(records[0] as string) as { __CURSOR: string };
  const follow = (next: string) =>
    withJournalctl({ unit: first, next }, async () => {
      const follower = await followAny("page", "1".repeat(32), rulesSince(0));
      await follower.poll();
      return follower.source;
    });
  const { result, asked } = await follow("cursor-at.jsonl");
  assert.deepEqual([result.unseen, result.tally.lines], [null, records.length]);
  assert.ok(asked[0]?.includes("--since=@"), asked[0]);
  assert.ok(asked.at(-1)?.includes(`cursor=${cursor}`), asked.at(-1));
  const vacuumed = await follow("vacuumed-cursor.jsonl");
  assert.equal(vacuumed.result.tally.lines, 2);
});

/** Reads a journal on from a cursor, or from its beginning. */
async function readSince(cursor: string | null, logSecondsMax = 30) {
  return readJournalSince({
    unit: "cytube-bot.service",
    rules: rulesSince(0),
    cursor,
    logSecondsMax,
  });
}

for (const [file, errors, what] of JOURNALS) {
  test(`readJournalSince() counts ${errors} for ${what}`, async () => {
    const { result } = await withJournalctl({ unit: file }, () => readSince(null));
    assert.deepEqual([result.source.unseen, result.source.tally.errors], [null, errors]);
    const entries = parseJournal(readFileSync(join(captured, file), "utf8"));
    assert.equal(result.cursor, entries.at(-1)?.cursor);
  });
}

test("readJournalSince() hands over what PID 1 says of the unit, as it is", async () => {
  const unit = "pid1-start-limit.jsonl";
  const { result } = await withJournalctl({ unit }, () => readSince(null));
  const entries = parseJournal(readFileSync(join(captured, unit), "utf8"));
  assert.ok(entries.length > 3);
  assert.deepEqual(
    result.systemd,
    entries.filter(({ isSystemd, messageId }) => isSystemd && messageId),
  );
});

test("readJournalSince() goes on behind its cursor, and loses no record where that one has been vacuumed", async () => {
  const records = readFileSync(join(captured, "cursor-at.jsonl"), "utf8").trim().split("\n");
  const { __CURSOR: cursor } = JSON.parse(records[0] as string) as { __CURSOR: string };
  const { result, asked } = await withJournalctl({ unit: "cursor-at.jsonl" }, () =>
    readSince(cursor),
  );
  assert.equal(result.source.tally.lines, records.length - 1);
  assert.ok(asked[0]?.includes(`--cursor=${cursor}`), asked[0]);
  const vacuumed = await withJournalctl({ unit: "vacuumed-cursor.jsonl" }, () => readSince(cursor));
  const left = parseJournal(readFileSync(join(captured, "vacuumed-cursor.jsonl"), "utf8"));
  assert.equal(vacuumed.result.source.tally.lines, left.length);
});

test("readJournalSince() ends a record at its line's end only, and breaks no letter, however much there is", async () => {
  const unit = newFile();
  // A line separator is text within a record, and journalctl does not escape it.
  const record = (index: number) =>
    JSON.stringify({
      MESSAGE: recent(index % 1000 ? "INFO" : "ERROR", `é\u2028${"é".repeat(index % 900)}`),
      __CURSOR: `c${index}`,
      __REALTIME_TIMESTAMP: String(now * 1000),
    });
  const records = Array.from({ length: 20_000 }, (_, index) => record(index));
  assert.ok(records[0]?.includes("\u2028"));
  writeFileSync(unit, `${records.join("\n")}\n`);
  assert.ok(statSync(unit).size > 16 << 20, "more than a command's kept output may be");
  const { result } = await withJournalctl({ unit }, () => readSince(null));
  const { tally, unseen } = result.source;
  assert.deepEqual(
    [unseen, tally.lines, tally.errors, result.cursor],
    [null, 20_000, 20, "c19999"],
  );
  assert.ok(tally.examples.every((text) => !text.includes("\ufffd")));
});

test("readJournalSince() says why it could not read to the end, and keeps what it has read", async () => {
  const unit = "journal-errors.jsonl";
  const failed = await withJournalctl({ unit, exit: 1 }, () => readSince(null));
  assert.equal(failed.result.source.unseen, "journalctl: 1");
  assert.equal(failed.result.source.tally.errors, 3);
  const begun = performance.now();
  const late = await withJournalctl({ unit, lasts: 60 }, () => readSince(null, 0.5));
  assert.ok(performance.now() - begun < 20_000);
  assert.match(late.result.source.unseen ?? "", /more than 0.5 s .*limits.logSecondsMax/);
  assert.equal(late.result.source.tally.errors, 3);
});

test("readJournalSince() tells a silent bot from a blind user", async () => {
  const silent = await withJournalctl({ unit: "silent.jsonl" }, () => readSince(null));
  assert.deepEqual([silent.result.source.unseen, silent.result.cursor], [null, null]);
  const blind = await withJournalctl(
    { unit: "silent.jsonl", blind: "blind-own-journal-probe.jsonl" },
    () => readSince(null),
  );
  assert.match(blind.result.source.unseen ?? "", /cannot read the journal/);
  assert.match(blind.result.source.hint ?? "", /systemd-journal/);
});

test("journalIsUsed() follows what systemd says of the unit's output", () => {
  const config = (errorLogs: object | undefined, unit: string | undefined = "bot.service") =>
    ({ process: { unit }, errorLogs }) as unknown as Config;
  const unit = (StandardOutput: string, StandardError = "inherit") => ({
    StandardOutput,
    StandardError,
  });
  assert.deepEqual(journalIsUsed(config(undefined), unit("journal")), {
    used: true,
    trouble: null,
  });
  assert.deepEqual(journalIsUsed(config({ files: ["a.log"] }), unit("append")), {
    used: false,
    trouble: null,
  });
  assert.deepEqual(journalIsUsed(config({ files: ["a.log"] }), unit("append", "journal")), {
    used: true,
    trouble: null,
  });
  assert.deepEqual(journalIsUsed(config({ journal: false, files: ["a.log"] }), unit("journal")), {
    used: false,
    trouble: null,
  });
  assert.equal(
    journalIsUsed({ process: { pidFile: "bot.pid" } } as unknown as Config, null).used,
    false,
  );
  for (const logs of [undefined, { journal: true, files: ["a.log"] }]) {
    const { used, trouble } = journalIsUsed(config(logs), unit("append"));
    assert.equal(used, true);
    assert.match(trouble ?? "", /append/);
  }
});

test("followLogs() looks back to the start of the bot, to the second, and never further than the window", async () => {
  const file = newFile();
  const startedAt = now - 100_000 + 700;
  const lines = [
    recent("ERROR", "before the window", 400),
    recent("ERROR", "before the start", 101),
    recent("ERROR", "in the second of the start", 100),
  ];
  writeFileSync(file, [...lines, recent("INFO", "x"), ""].join("\n"));
  const errorsWhen = async (bornAt: number): Promise<number | undefined> => {
    const config = {
      ...configWith(),
      process: {},
      errorLogs: { files: [file], timeZone: "utc", silent: true },
    } as unknown as Config;
    const identity = {
      pid: process.pid,
      startTicks: 1,
      startedAt: bornAt,
      bootId: "",
      invocation: null,
    };
    const found = { source: "", matches: [], unit: null, stat: null, identity, trouble: null };
    const [follower] = await followLogs(config, found, never);
    follower?.close();
    return follower?.source.tally.errors;
  };
  assert.equal(await errorsWhen(startedAt), 1);
  assert.equal(await errorsWhen(now - 3_600_000), 2);
});

test("rotated neighbours of other logs are not read", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  writeFileSync(
    join(directory, `${basename(file)}-access.1`),
    `${recent("ERROR", "of another log")}\n`,
  );
  assert.equal((await readOnce(file, rulesSince(windowStart))).tally.errors, 0);
});
