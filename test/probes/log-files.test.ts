/** Log files: nothing of the window is missed or read twice, whatever the file has been through. */
import assert from "node:assert/strict";
import {
  appendFileSync,
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
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { Config } from "../../lib/config.ts";
import { clockTrouble, followLogFile } from "../../lib/probes/log-files.ts";
import type { LogFollower, LogRules } from "../../lib/probes/log-lines.ts";
import { findWindow } from "../../lib/probes/log-tails.ts";
import { limits } from "../support/config.ts";
import { createDirectory, startProcess, until } from "../support/harness.ts";
import { clean, countsOf, rulesSince, tallyOf } from "../support/log-counts.ts";
import {
  bracketed,
  during,
  frames,
  info,
  now,
  python,
  recent,
  traceback,
  windowStart,
} from "../support/log-text.ts";

const never = new AbortController().signal;

const directory = createDirectory();
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(directory, `bot-${files++}.log`);

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

test("rotated neighbours of other logs are not read", async () => {
  const file = newFile();
  writeFileSync(file, `${recent("INFO", "x")}\n`);
  writeFileSync(
    join(directory, `${basename(file)}-access.1`),
    `${recent("ERROR", "of another log")}\n`,
  );
  assert.equal((await readOnce(file, rulesSince(windowStart))).tally.errors, 0);
});
