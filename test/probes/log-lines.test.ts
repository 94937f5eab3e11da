/**
 * The lines of a log: what a line's prefix says, and what counts as one error. The formats are those
 * that loggers really write.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addLogLine,
  emptyPosition,
  emptyTally,
  parseLogPrefix,
  parseStamp,
  type Severity,
} from "../../lib/probes/log-lines.ts";
import { clean, countsOf, rulesSince, tallyOf } from "../support/log-counts.ts";
import {
  bracketed,
  during,
  frames,
  info,
  python,
  recent,
  stampedAt,
  traceback,
  windowStart,
} from "../support/log-text.ts";

const stampedMs = stampedAt + 123;

// ---------------------------------------------------------------------------- prefixes

/**
 * Each format with `LEVEL` in it; the level's spelling, its severity and the time that must be
 * read.
 */
type Format = { name: string; line: string; levels: Record<string, Severity>; time: number | null };

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

const because = ["", "The above exception was the direct cause of the following exception:", ""];

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
