/**
 * What a tick of the burn-in accounts for: that no error of an interval counts twice or is lost
 * whatever becomes of the log's files, that outages and
 * restarts come out of the journal and the log with their true times, and that where an interval is
 * cut changes nothing.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  createWriteStream,
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
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { accountLinks } from "../../lib/burnin/links.ts";
import { elapsedBetween } from "../../lib/burnin/moments.ts";
import { parseUnitEvents, parseUnitHistory, type UnitBefore } from "../../lib/burnin/starts.ts";
import type { Account, Cursor, Outage, Restart } from "../../lib/burnin/words.ts";
import { type Config, readConfig } from "../../lib/config.ts";
import { maskDeep, maskOf } from "../../lib/masking.ts";
import { parseJournal } from "../../lib/probes/journal.ts";
import {
  addLogLine,
  emptyPosition,
  emptyTally,
  type LogRules,
  type LogSource,
} from "../../lib/probes/log-lines.ts";
import { LINK_BACK, LINK_LOST } from "../../lib/probes/log-patterns.ts";
import { type LogPlace, readLogSince } from "../../lib/probes/log-place.ts";
import type { ReleaseState } from "../../lib/releases/state.ts";
import { readState as readReleaseState } from "../../lib/releases/state-file.ts";
import { LIMITS, RULES } from "../../verify.ts";
import { formatLogLine } from "../support/bot.ts";
import {
  type BotOptions,
  createDirectory,
  merge,
  projectDirectory,
  runVerify,
  type Settings,
  startBot,
  startProcess,
  unprivilegedUid,
  until,
  writeConfig,
} from "../support/harness.ts";

// ---------------------------------------------------------------------------- files

const directory = createDirectory();
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
/** In a directory of its own, for its rotated neighbours are found by their names. */
function newFile(): string {
  const own = join(directory, String(files++));
  mkdirSync(own);
  return join(own, "bot.log");
}

const limits = Object.fromEntries(Object.entries(LIMITS).map(([name, row]) => [name, row.prod]));
const never = new AbortController().signal;
const line = (level: string, text: string, at = Date.now()): string =>
  formatLogLine(new Date(at), level, text);

/**
 * Looks at a log again and again, as the ticks of a burn-in do, and adds up what the looks have
 * counted.
 */
function createReader(
  file: string,
  over: Record<string, number> = {},
  since = Date.now() - 60_000,
) {
  const config = { limits: { ...limits, ...over }, errorLogs: {} } as unknown as Config;
  const reader = { place: null as LogPlace | null, errors: 0, unseen: [] as string[], look };
  let lookedAt = since;
  async function look(): Promise<LogSource> {
    const rules: LogRules = {
      since: reader.place ? 0 : Math.floor(lookedAt / 1000) * 1000,
      noise: [],
      prefix: null,
      utc: false,
    };
    lookedAt = Date.now();
    const { source, place } = await readLogSince({
      config,
      file,
      rules,
      place: reader.place,
      signal: never,
    });
    reader.place = JSON.parse(JSON.stringify(place)) as LogPlace | null;
    reader.errors += source.tally.errors + source.tally.undated + source.tally.uncertain;
    if (source.unseen) reader.unseen.push(source.unseen);
    return source;
  }
  return reader;
}

/** A reader that has looked once at a log with an error in it. */
async function startReading(first = line("ERROR", "first"), over: Record<string, number> = {}) {
  const file = newFile();
  writeFileSync(file, first);
  const reader = createReader(file, over);
  await reader.look();
  return { file, reader };
}

const gzip = (file: string): void => {
  const { mtimeMs } = statSync(file);
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
  utimesSync(`${file}.gz`, mtimeMs / 1000, mtimeMs / 1000);
  rmSync(file);
};
const copyTruncate = (file: string, copy = `${file}.1`): void => {
  copyFileSync(file, copy);
  truncateSync(file);
};

/**
 * Each way in which a log gets on between two looks. The first error has been counted; two more
 * come.
 */
const COURSES: {
  what: string;
  act: (file: string) => void;
  errors?: number;
  unseen?: RegExp;
  first?: string;
}[] = [
  { what: "nothing is written", act: () => {}, errors: 1 },
  {
    what: "lines are appended",
    act: (file) =>
      appendFileSync(file, line("ERROR", "two") + line("INFO", "x") + line("ERROR", "three")),
  },
  {
    what: "it is renamed, and its old file is written to until the bot opens the new one",
    act: (file) => {
      renameSync(file, `${file}.1`);
      appendFileSync(`${file}.1`, line("ERROR", "two"));
      writeFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "it is renamed and compressed at once",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.1`);
      gzip(`${file}.1`);
      writeFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "it is renamed twice, and the older one is compressed",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.2`);
      gzip(`${file}.2`);
      writeFileSync(`${file}.1`, line("ERROR", "three"));
      writeFileSync(file, line("INFO", "four"));
    },
  },
  {
    what: "it is renamed twice by dates",
    act: (file) => {
      renameSync(file, `${file}-20261120`);
      writeFileSync(`${file}-20261121`, line("ERROR", "two"));
      writeFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "it is copied and truncated",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      copyTruncate(file);
      appendFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "it is copied, truncated, and has grown beyond where it was read to",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      copyTruncate(file);
      appendFileSync(file, line("INFO", "x".repeat(500)) + line("ERROR", "three"));
    },
  },
  {
    what: "it is copied, truncated and has grown, and each file begins with the same banner",
    first: `${"=".repeat(100)}\n${line("ERROR", "first")}`,
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      copyTruncate(file);
      appendFileSync(
        file,
        `${"=".repeat(100)}\n${line("ERROR", "three")}${line("INFO", "x".repeat(500))}`,
      );
    },
  },
  {
    what: "it is renamed, and each file begins with the same banner",
    first: `${"=".repeat(100)}\n${line("ERROR", "first")}`,
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.1`);
      gzip(`${file}.1`);
      writeFileSync(
        file,
        `${"=".repeat(100)}\n${line("ERROR", "three")}${line("INFO", "x".repeat(500))}`,
      );
    },
  },
  {
    what: "it is copied, compressed and truncated",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      copyTruncate(file);
      gzip(`${file}.1`);
      appendFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "the bot died within a line, and the log was renamed",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two").trimEnd());
      renameSync(file, `${file}.1`);
      writeFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "it is cut without a copy",
    act: (file) => {
      truncateSync(file);
      appendFileSync(file, line("ERROR", "two"));
      appendFileSync(file, line("ERROR", "three"));
    },
    unseen: /rotated away/,
  },
  {
    what: "it is cut under a writer without O_APPEND, who leaves a hole",
    act: (file) => {
      const writer = openSync(file, "r+");
      ftruncateSync(writer);
      const { length } = line("ERROR", "first");
      writeSync(writer, line("ERROR", "two") + line("ERROR", "three"), length);
    },
    unseen: /rotated away/,
  },
  {
    what: "a part of it is in a form that cannot be read",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.2`);
      writeFileSync(`${file}.1.xz`, "\xfd7zXZ");
      writeFileSync(file, line("ERROR", "three"));
    },
    unseen:
      /a part of it is in \S+bot\.log\.1\.xz, which cannot be read: this program knows gzip only/,
  },
  {
    what: "where it was read to is in a form that cannot be read",
    act: (file) => {
      rmSync(file);
      writeFileSync(`${file}.1.xz`, "\xfd7zXZ");
      writeFileSync(file, line("ERROR", "two") + line("ERROR", "three"));
    },
    unseen: /rotated away/,
  },
  {
    what: "an older neighbour is damaged",
    act: (file) => {
      writeFileSync(`${file}.3.gz`, "no gzip");
      utimesSync(`${file}.3.gz`, 1, 1);
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.1`);
      gzip(`${file}.1`);
      writeFileSync(file, line("ERROR", "three"));
    },
  },
  {
    what: "a part of it is damaged",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.2`);
      writeFileSync(`${file}.1.gz`, "no gzip");
      writeFileSync(file, line("ERROR", "three"));
    },
    unseen: /a part of it is in \S+bot\.log\.1\.gz, which cannot be read: incorrect header/,
  },
  {
    what: "it is being compressed, and is there twice",
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.1`);
      writeFileSync(`${file}.1.gz`, gzipSync(readFileSync(`${file}.1`)).subarray(0, 30));
      writeFileSync(file, line("ERROR", "three"));
    },
  },
];

for (const { what, act, errors = 3, unseen, first } of COURSES) {
  test(`readLogSince() counts each error once where ${what}`, async () => {
    const { file, reader } = await startReading(first);
    act(file);
    await reader.look();
    await reader.look();
    assert.equal(reader.errors, errors);
    assert.equal(reader.unseen.length, unseen ? 1 : 0, reader.unseen.join());
    if (unseen) assert.match(reader.unseen[0] as string, unseen);
  });
}

test("readLogSince() reads on in the old file where the new one was still empty at the look", async () => {
  const { file, reader } = await startReading();
  renameSync(file, `${file}.1`);
  writeFileSync(file, "");
  await reader.look();
  appendFileSync(`${file}.1`, line("ERROR", "late"));
  appendFileSync(file, line("ERROR", "three"));
  await reader.look();
  assert.deepEqual([reader.errors, reader.unseen], [3, []]);
});

test("readLogSince() loses nothing of a log that was empty at the first look, and was copied and truncated since", async () => {
  const { file, reader } = await startReading("");
  appendFileSync(file, line("ERROR", "one"));
  copyTruncate(file);
  appendFileSync(file, line("ERROR", "two"));
  await reader.look();
  await reader.look();
  assert.deepEqual([reader.errors, reader.unseen], [2, []]);
});

test("readLogSince() counts a line that had no end at the look once, when it has one", async () => {
  for (const length of [1, 30, 5000, 70_000, 600_000]) {
    const { file, reader } = await startReading();
    const whole = line("ERROR", "x".repeat(length));
    appendFileSync(file, whole.slice(0, -1));
    await reader.look();
    assert.equal(reader.errors, 1);
    appendFileSync(file, `\n${line("INFO", "y")}`);
    await reader.look();
    assert.equal(reader.errors, 2, `a line of ${length} characters`);
  }
});

test("readLogSince() counts a traceback and a stack once, wherever a look cuts them", async () => {
  const traceback =
    'Traceback (most recent call last):\n  File "bot.py", line 1, in <module>\n    raise ValueError\nValueError: x\n';
  const stack = "TypeError: x is not a function\n    at a (b.js:1:1)\n    at c (d.js:1:1)\n";
  for (const tail of [traceback, stack]) {
    const text = line("INFO", "x") + tail + line("INFO", "y");
    for (let cut = 0; cut <= text.length; cut += 7) {
      const { file, reader } = await startReading(line("INFO", "before") + text.slice(0, cut));
      appendFileSync(file, text.slice(cut));
      await reader.look();
      assert.equal(reader.errors, 1, `cut at ${cut} of ${tail}`);
    }
  }
});

test("readLogSince() keeps its place while a log is gone, and says so", async () => {
  const { file, reader } = await startReading();
  appendFileSync(file, line("ERROR", "two"));
  renameSync(file, `${file}.1`);
  assert.match((await reader.look()).unseen ?? "", /ENOENT/);
  writeFileSync(file, line("ERROR", "three"));
  assert.equal((await reader.look()).unseen, null);
  assert.equal(reader.errors, 3);
});

test("readLogSince() follows a symlink, and the rotation behind it", async () => {
  const link = newFile();
  const target = newFile();
  writeFileSync(target, line("ERROR", "one"));
  symlinkSync(target, link);
  const reader = createReader(link);
  await reader.look();
  appendFileSync(target, line("ERROR", "two"));
  renameSync(target, `${target}.1`);
  writeFileSync(target, line("ERROR", "three"));
  await reader.look();
  assert.deepEqual([reader.errors, reader.unseen], [3, []]);
});

test("readLogSince() does not wait for a FIFO that came in the log's place", async () => {
  const { file, reader } = await startReading();
  rmSync(file);
  const made = startProcess(["mkfifo", file]);
  await new Promise((done) => made.once("exit", done));
  assert.match((await reader.look()).unseen ?? "", /not a regular file/);
});

/** What other users see takes a process of another user. */
async function lookAs(
  uid: number,
  file: string,
  place: LogPlace | null,
): Promise<{ source: LogSource; place: LogPlace | null }> {
  const script = `
    import { readLogSince } from ${JSON.stringify(new URL("../../lib/probes/log-place.ts", import.meta.url).href)};
    const [file, place, limits] = process.argv.slice(1).map((text) => JSON.parse(text));
    process.setuid(${uid});
    const rules = { since: 0, noise: [], prefix: null, utc: false };
    const config = { limits, errorLogs: {} };
    const { signal } = new AbortController();
    console.log(JSON.stringify(await readLogSince({ config, file, rules, place, signal })));`;
  const args = [file, place, limits].map((value) => JSON.stringify(value));
  const child = startProcess(
    [process.execPath, "--import", "tsx", "--input-type=module", "--eval", script, ...args],
    {
      stdio: ["ignore", "pipe", 2],
    },
  );
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await new Promise((done) => child.once("close", done));
  return JSON.parse(said) as { source: LogSource; place: LogPlace | null };
}

test("readLogSince() keeps its place in a log that it may not read any more, and is not put off by a neighbour that it may not read", async () => {
  const { file, reader } = await startReading();
  appendFileSync(file, line("ERROR", "two"));
  writeFileSync(`${file}.1`, line("ERROR", "of another day"), { mode: 0o600 });
  const open = await lookAs(unprivilegedUid, file, reader.place);
  assert.deepEqual([open.source.tally.errors, open.source.unseen], [1, null]);
  chmodSync(file, 0o600);
  const shut = await lookAs(unprivilegedUid, file, reader.place);
  assert.match(shut.source.unseen ?? "", /EACCES/);
  assert.deepEqual([shut.source.tally.errors, shut.place], [0, reader.place]);
});

test("readLogSince() counts nothing of an interval of which it could read only a part: the next look does", async () => {
  const { file, reader } = await startReading();
  appendFileSync(file, line("ERROR", "two"));
  renameSync(file, `${file}.1`);
  writeFileSync(file, line("ERROR", "three"), { mode: 0o600 });
  const shut = await lookAs(unprivilegedUid, file, reader.place);
  assert.match(shut.source.unseen ?? "", /EACCES/);
  assert.equal(shut.source.tally.errors, 0);
  await reader.look();
  assert.equal(reader.errors, 3);
});

test("readLogSince() reads 300 MB quickly and in bounded memory, plain and compressed", async () => {
  const chunk = line("INFO", "x".repeat(180)).repeat(5000) + line("ERROR", "x");
  const turns = Math.ceil((300 << 20) / chunk.length);
  for (const packed of [false, true]) {
    const { file, reader } = await startReading(undefined, { logSecondsMax: 300 });
    const writer = createWriteStream(file, { flags: "a" });
    for (let turn = 0; turn < turns; turn++) if (!writer.write(chunk)) await once(writer, "drain");
    await new Promise<void>((done) => void writer.end(done));
    if (packed) {
      const gzipped = startProcess(["gzip", "-1", "--force", file]);
      await new Promise((done) => gzipped.once("exit", done));
      renameSync(`${file}.gz`, `${file}.1.gz`);
      writeFileSync(file, line("INFO", "y"));
    }
    const begun = process.cpuUsage();
    let most = 0;
    const before = process.memoryUsage().rss;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 20);
    await reader.look();
    clearInterval(watch);
    assert.deepEqual([reader.errors, reader.unseen], [1 + turns, []]);
    // By the processor's time: others may be at work on this machine.
    const { user, system } = process.cpuUsage(begun);
    assert.ok(user + system < 10e6, `${(user + system) / 1e6} s`);
    assert.ok(most < 120 * 2 ** 20, `${most >> 20} MB`);
    rmSync(file);
  }
});

/**
 * What may become of a log between two looks; each is only drawn where it can follow what came
 * before.
 */
type Course =
  | "error"
  | "info"
  | "half"
  | "rename"
  | "rename and compress"
  | "copytruncate"
  | "look";
test("readLogSince() counts each error once, for any sequence of lines, rotations and looks", async () => {
  const course = fc.constantFrom<Course>(
    "error",
    "error",
    "info",
    "info",
    "half",
    "rename",
    "rename and compress",
    "copytruncate",
    "look",
    "look",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(course, { minLength: 1, maxLength: 40 }), async (drawn) => {
      const file = newFile();
      writeFileSync(file, "");
      const reader = createReader(file);
      let written = 0;
      let rotated = 0;
      let count = 0;
      let half = false;
      // As logrotate does it: every file is moved on before the newest takes the first place.
      const shift = (): void => {
        for (let index = rotated; index > 0; index--)
          for (const ending of ["", ".gz"])
            if (statSync(`${file}.${index}${ending}`, { throwIfNoEntry: false }))
              renameSync(`${file}.${index}${ending}`, `${file}.${index + 1}${ending}`);
        rotated++;
      };
      for (const step of [...drawn, "look" as const]) {
        const text =
          step === "error" ? line("ERROR", `error ${count++}`) : line("INFO", `line ${count++}`);
        if (step === "half" && !half) appendFileSync(file, text.slice(0, -3));
        if (step === "half") half = true;
        if (step === "error") written++;
        if (step === "error" || step === "info") {
          appendFileSync(file, (half ? "...\n" : "") + text);
          half = false;
        }
        if (step === "look") await reader.look();
        // A rotator leaves an empty log alone (notifempty).
        if (!step.includes("rename") && step !== "copytruncate") continue;
        if (statSync(file).size === 0) continue;
        shift();
        half = false;
        if (step === "copytruncate") copyTruncate(file);
        else renameSync(file, `${file}.1`);
        // The kernel's stamps are some milliseconds apart, and no two rotations are closer than
        // that.
        utimesSync(`${file}.1`, Date.now() / 1000, Date.now() / 1000 + rotated / 10);
        if (step === "rename and compress") gzip(`${file}.1`);
        if (step !== "copytruncate") writeFileSync(file, "");
      }
      assert.deepEqual([reader.errors, reader.unseen], [written, []]);
    }),
    { numRuns: 400 },
  );
});

// ---------------------------------------------------------------------------- marks of the connection

function marksOf(text: string, links: LogRules["links"]): string[] {
  const tally = emptyTally();
  const position = emptyPosition();
  const rules = { since: 0, noise: [], prefix: null, utc: true, ...(links && { links }) };
  for (const each of text.split("\n")) addLogLine({ tally, position, rules }, each);
  return tally.links.map(
    ({ at, isBack }) => `${(at ?? 0) / 1000 - 1_795_295_000} ${isBack ? "back" : "lost"}`,
  );
}

const defaults = { lost: [LINK_LOST], back: [LINK_BACK] };
const publicBot = `[2026-11-21 21:04:26] [lib.bot] [INFO] Successfully joined channel 'demo'
[2026-11-21 21:04:27] [lib.bot] [ERROR] connection error: [Errno 104] Connection reset by peer
[2026-11-21 21:04:28] [lib.bot] [INFO] Connected successfully
[2026-11-21 21:04:29] [lib.bot] [INFO] Disconnected
[2026-11-21 21:04:30] [lib.bot] [ERROR] ping timeout
[2026-11-21 21:04:31] [lib.bot] [INFO] restarting in 5.0 seconds`;

test("addLogLine() finds the marks of the public bot's connection, with their times", () => {
  assert.deepEqual(marksOf(publicBot, defaults), [
    "66 back",
    "67 lost",
    "68 back",
    "69 lost",
    "70 lost",
    "71 lost",
  ]);
  assert.deepEqual(marksOf(publicBot, undefined), []);
});

test("addLogLine() takes no chat for a mark of the connection, whatever it says", () => {
  const said = publicBot.split("\n").map((each) => each.split("] ").at(-1) as string);
  for (const words of [...said, ...publicBot.split("\n")])
    for (const chat of [
      `[2026-11-21 21:04:26] [lib.bot] [INFO] chatMsg: bob: ${words}`,
      `bob: ${words}`,
      `[INFO] <bob> ${words}`,
      `  ${words}`,
    ])
      assert.deepEqual(marksOf(chat, defaults), [], chat);
  for (const near of [
    "Disconnected users: 0",
    "Not connected successfully",
    "bob Disconnected",
    "ping timeout is 30 s",
    "restarting in a moment",
  ])
    assert.deepEqual(marksOf(`[2026-11-21 21:04:26] [lib.bot] [INFO] ${near}`, defaults), [], near);
});

test("addLogLine() knows the configured marks only, where there are some", () => {
  const own = { lost: [/socket closed$/], back: [/socket open$/] };
  assert.deepEqual(marksOf(publicBot, own), []);
  assert.deepEqual(
    marksOf("2026-11-21 21:04:26Z INFO socket closed\n2026-11-21 21:04:28Z INFO socket open", own),
    ["66 lost", "68 back"],
  );
});

// ---------------------------------------------------------------------------- the unit's history

const captured = (name: string) =>
  parseJournal(readFileSync(join(projectDirectory, "test/captured", `${name}.jsonl`), "utf8"));
type Entry = ReturnType<typeof captured>[number];
const bootId = "2697c6af07d54019954f07a4d01b8ca7";
const noHistory = { age: 0, at: "2026-11-22T05:00:00.000Z", bootId, down: null, stopping: null };
function planning(planned: boolean | null): string {
  if (planned === null) return ", planned?";
  return planned ? ", planned" : "";
}
const secondsOf = (outages: readonly Outage[]): string[] =>
  outages.map(
    ({ from, to, planned, kind }) =>
      `${kind} ${from.toFixed(1)} to ${to.toFixed(1)}${planning(planned)}`,
  );

/**
 * The history of captured entries by the seconds since the first one; `end` is when the tick comes,
 * and `isUp` what it sees.
 */
function historyOf(
  entries: readonly Entry[],
  { before = noHistory as UnitBefore, end = 1000, isUp = true, skip = 1 } = {},
) {
  const begun = (entries[0] as Entry).upMs;
  const events = parseUnitEvents(entries, ({ upMs }) => (upMs - begun) / 1000).slice(skip);
  const history = parseUnitHistory(events, before, { age: end, bootId, isUp, hostEnd: null });
  return {
    ...history,
    told: secondsOf(history.outages),
    starts: history.restarts.map(({ planned, says }) => `${planned}: ${says}`),
  };
}

const crashed = "Main process exited, code=exited, status=3/NOTIMPLEMENTED";
for (const [name, what, told, starts, isUp] of [
  ["pid1-stop", "a planned stop", ["down 0.0 to 1000.0, planned"], [], false],
  [
    "pid1-manual-restart",
    "a planned restart",
    ["down 0.0 to 0.0, planned"],
    ["true: stopped on request"],
    true,
  ],
  [
    "pid1-exit-0",
    "a bot that leaves by itself",
    ["down 0.1 to 0.3"],
    ["false: Deactivated successfully"],
    true,
  ],
  [
    "pid1-terminated",
    "a SIGTERM from outside",
    ["down 0.1 to 0.3"],
    ["false: Deactivated successfully"],
    true,
  ],
  [
    "pid1-killed",
    "a SIGKILL from outside",
    ["down 0.0 to 0.1"],
    ["false: Main process exited, code=killed, status=9/KILL"],
    true,
  ],
  [
    "pid1-restart",
    "two crashes in one interval",
    ["down 0.2 to 0.5", "down 0.7 to 1.1"],
    [`false: ${crashed}`, `false: ${crashed}`],
    true,
  ],
] as const) {
  test(`parseUnitHistory() tells ${what}`, () => {
    const history = historyOf(captured(name), { isUp });
    assert.deepEqual([history.told, history.starts], [told, starts]);
  });
}

test("parseUnitHistory() takes a crash loop that systemd gives up for down until it is started again", () => {
  const { told, starts, down } = historyOf(captured("pid1-start-limit"), { isUp: false });
  assert.deepEqual(
    [told, starts],
    [
      ["down 0.1 to 0.1", "down 0.2 to 1000.0"],
      ["false: Main process exited, code=exited, status=1/FAILURE"],
    ],
  );
  assert.equal(down?.from, 1000);
});

/** Entries as systemd 252 writes them, at so many seconds after the boot. */
const IDS = {
  Starting: "7d4958e842da4a758f6c1cdc7b36dcc5",
  Started: "39f53479d3a045ac8e11786248231fbf",
  Stopping: "de5b426a63be47a7b6ac3eaac82e2f6f",
  "Deactivated successfully": "7ad2d189f7e94e70a38c781354912448",
  Stopped: "9d1aaa27d60140bd96365438aad20286",
  "Main process exited": "98e322203f7a4ed290d09fe03c09fe15",
  "Control process exited": "98e322203f7a4ed290d09fe03c09fe15",
  "Failed with result": "d9b373ed55a64feb8242e02dbe79a49c",
  "Scheduled restart job": "5eb03494b6584870a536b337290809b3",
};
const entry = (seconds: number, message: string, boot = bootId): Entry => {
  const [, id] = Object.entries(IDS).find(([words]) => message.startsWith(words)) as [
    string,
    string,
  ];
  const text = /^(?:Start|Stop)/.test(message)
    ? `${message} cytube-bot.service - CyTube bot.`
    : `cytube-bot.service: ${message}.`;
  const fields = {
    MESSAGE: text,
    MESSAGE_ID: id,
    _PID: "1",
    _BOOT_ID: boot,
    __MONOTONIC_TIMESTAMP: String(seconds * 1e6),
    __CURSOR: `c${seconds}`,
  };
  return parseJournal(
    JSON.stringify({ ...fields, __REALTIME_TIMESTAMP: String((1_795_295_000 + seconds) * 1e6) }),
  )[0] as Entry;
};
const begin = entry(0, "Started");

test("parseUnitHistory() takes a stop on request for planned though the bot ends it with an error", () => {
  const failed = [
    entry(11, "Main process exited, code=exited, status=1/FAILURE"),
    entry(11, "Failed with result 'exit-code'"),
    entry(11, "Stopped"),
  ];
  const { told, starts } = historyOf([
    begin,
    entry(10, "Stopping"),
    ...failed,
    entry(20, "Started"),
  ]);
  assert.deepEqual([told, starts], [["down 11.0 to 20.0, planned"], ["true: stopped on request"]]);
});

test("parseUnitHistory() takes a start that fails in ExecStartPre for a part of the outage before it, and hooks for no end", () => {
  const again = (at: number) => [
    entry(at, "Starting"),
    entry(at + 1, "Control process exited, code=exited, status=1/FAILURE"),
    entry(at + 1, "Failed with result 'exit-code'"),
    entry(at + 1, "Scheduled restart job, restart counter is at 1"),
    entry(at + 1, "Stopped"),
  ];
  const crash = [
    entry(10, "Main process exited, code=exited, status=1/FAILURE"),
    entry(10, "Failed with result 'exit-code'"),
  ];
  const { told, starts } = historyOf([
    begin,
    ...crash,
    ...again(20),
    ...again(30),
    entry(40, "Started"),
  ]);
  assert.deepEqual(
    [told, starts],
    [["down 10.0 to 40.0"], ["false: Main process exited, code=exited, status=1/FAILURE"]],
  );
  assert.deepEqual(
    historyOf([begin, entry(5, "Control process exited, code=exited, status=7/NOTRUNNING")]).told,
    [],
  );
});

test("parseUnitHistory() knows a stop on request also where a tick comes before the bot has ended, and says until when it is planned", () => {
  const first = historyOf([begin, entry(10, "Stopping")], { end: 15 });
  assert.deepEqual([first.told, first.stopping, first.stops], [[], 10, [{ from: 10, to: 15 }]]);
  const ends = [
    entry(20, "Main process exited, code=killed, status=9/KILL"),
    entry(20, "Failed with result 'timeout'"),
  ];
  const { told, starts } = historyOf([begin, ...ends, entry(30, "Started")], {
    before: { ...noHistory, stopping: first.stopping },
  });
  assert.deepEqual([told, starts], [["down 20.0 to 30.0, planned"], ["true: stopped on request"]]);
  assert.deepEqual(
    historyOf([begin, entry(10, "Stopping"), entry(11, "Deactivated successfully")], { end: 15 })
      .stops,
    [{ from: 10, to: 15 }],
  );
});

test("parseUnitHistory() tells a host that was shut down from one that went down, and one on which the bot did not come back", () => {
  const after = "b".repeat(32);
  const shut = [entry(10, "Stopping"), entry(11, "Deactivated successfully"), entry(11, "Stopped")];
  const back = entry(60, "Started", after);
  assert.deepEqual(historyOf([begin, ...shut, back]).starts, ["true: stopped on request"]);
  const events = (entries: Entry[]) => parseUnitEvents(entries, ({ upMs }) => upMs / 1000);
  const tick = { age: 100, bootId: after };
  const end = { from: 42, at: "2026-11-22T05:59:00.000Z" };
  const lost = parseUnitHistory(events([back]), noHistory, { ...tick, isUp: true, hostEnd: end });
  assert.deepEqual(secondsOf(lost.outages), ["down 42.0 to 60.0"]);
  assert.match(lost.restarts[0]?.says ?? "", /without a shutdown/);
  // Without a journal of the boot before, only that it was down somewhere in between.
  const unknown = parseUnitHistory(events([back]), noHistory, {
    ...tick,
    isUp: true,
    hostEnd: null,
  });
  assert.deepEqual(
    [secondsOf(unknown.outages), unknown.outages[0]?.exact, unknown.restarts[0]?.planned],
    [["down 0.0 to 60.0, planned?"], false, null],
  );
  assert.deepEqual(
    secondsOf(parseUnitHistory([], noHistory, { ...tick, isUp: false, hostEnd: end }).outages),
    ["down 42.0 to 100.0"],
  );
  assert.deepEqual(
    secondsOf(parseUnitHistory([], noHistory, { ...tick, isUp: true, hostEnd: end }).outages),
    [],
  );
});

test("parseUnitHistory() says that nobody saw the end before a start where the journal does not have it", () => {
  const { told, starts } = historyOf([begin, entry(10, "Started")]);
  assert.deepEqual([told, starts], [[], ["null: started, and nobody saw the end before it"]]);
});

/** Spans as one, to the millisecond, by whether they are planned. */
function unionOf(outages: readonly Outage[]): string[] {
  const joined: { from: number; to: number; planned: boolean | null }[] = [];
  for (const { from, to, planned } of outages
    .filter((outage) => outage.to > outage.from)
    .toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && from <= last.to && planned === last.planned) last.to = Math.max(last.to, to);
    else joined.push({ from, to, planned });
  }
  return joined.map(({ from, to, planned }) => `${from.toFixed(3)} to ${to.toFixed(3)} ${planned}`);
}

const cutsOf = fc.array(fc.integer({ min: 1, max: 7000 }), { maxLength: 8 });

test("parseUnitHistory() gives the same outages and restarts wherever ticks cut its time", () => {
  const turns = fc.array(
    fc.tuple(
      fc.boolean(),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 90 }),
    ),
    {
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(turns, cutsOf, (drawn, cuts) => {
      let at = 0;
      const entries = drawn.flatMap(([isPlanned, up, stopping, away]) => {
        const begun = at + up;
        const ended = begun + (isPlanned ? stopping : 0);
        at = ended + away;
        return [
          ...(isPlanned ? [entry(begun, "Stopping")] : []),
          entry(ended, "Deactivated successfully"),
          entry(ended, "Stopped"),
          entry(at, "Started"),
        ];
      });
      const events = parseUnitEvents(entries, ({ upMs }) => upMs / 1000);
      const walk = (ends: readonly number[]) => {
        let before: UnitBefore = noHistory;
        let from = 0;
        const found = { outages: [] as Outage[], restarts: [] as unknown[] };
        for (const age of ends) {
          const history = parseUnitHistory(
            events.filter((event) => event.age >= from && event.age < age),
            before,
            { age, bootId, isUp: true, hostEnd: null },
          );
          before = { age, at: "", bootId, down: history.down, stopping: history.stopping };
          from = age;
          found.outages.push(...history.outages);
          found.restarts.push(...history.restarts);
        }
        return [unionOf(found.outages), found.restarts];
      };
      assert.deepEqual(walk([...new Set([...cuts, 8000])].sort((a, b) => a - b)), walk([8000]));
    }),
    { numRuns: 500 },
  );
});

// ---------------------------------------------------------------------------- the connection

const atAge = (age: number): string => new Date(1_795_295_000_000 + age * 1000).toISOString();
const lost = (age: number) => ({ age, at: atAge(age), isBack: false, says: "Disconnected" });
const back = (age: number) => ({
  age,
  at: atAge(age),
  isBack: true,
  says: "Connected successfully",
});
const start = (age: number, planned: boolean | null = false) => ({
  age,
  at: atAge(age),
  planned,
  says: "started",
});
const nothing = { offline: null, joining: null };
const look = (connected: boolean | null, from = 0, age = 900) => ({
  from,
  age,
  at: atAge(from),
  connected,
});
const told = (outages: readonly Outage[]): string[] =>
  outages.map(({ from, to, planned, exact, source }) => {
    const what = `${planned ? " planned" : ""}${exact ? "" : " inexact"}`;
    return `${from}-${to}${what}${source === "look" ? " by the look" : ""}`;
  });

for (const [what, marks, starts, stops, connected, expected, isOpen] of [
  ["nothing happened", [], [], [], true, [], false],
  ["it was lost and came back", [lost(100), back(104)], [], [], true, ["100-104"], false],
  [
    "it was lost several times",
    [lost(100), back(104), lost(200), lost(205), back(210)],
    [],
    [],
    true,
    ["100-104", "200-210"],
    false,
  ],
  ["it was lost, and is away", [lost(100)], [], [], false, ["100-900"], true],
  [
    "it was lost, and nothing tells whether it is back",
    [lost(100)],
    [],
    [],
    null,
    ["100-900"],
    true,
  ],
  [
    "it was lost, and the document says that it is back",
    [lost(100)],
    [],
    [],
    true,
    ["100-900 inexact"],
    false,
  ],
  ["it came back, and nobody saw it lost", [back(100)], [], [], true, [], false],
  [
    "the document says that it is away, and no mark does",
    [],
    [],
    [],
    false,
    ["0-900 inexact by the look"],
    true,
  ],
  [
    "a mark says that it is back, and the document that it is away",
    [lost(100), back(104)],
    [],
    [],
    false,
    ["100-104", "0-900 inexact by the look"],
    true,
  ],
  ["a start led to a mark", [back(108)], [start(100)], [], true, ["100-108"], false],
  ["a start led to no mark", [], [start(100)], [], true, [], false],
  ["a start has led to no mark yet", [], [start(100)], [], false, ["100-900"], true],
  [
    "it was lost, and a start brought it back",
    [lost(90), back(108)],
    [start(100)],
    [],
    true,
    ["90-108"],
    false,
  ],
  [
    "it was lost by a planned stop",
    [lost(99), back(108)],
    [start(105, true)],
    [{ from: 100, to: 105 }],
    true,
    ["99-108 planned"],
    false,
  ],
  [
    "it was lost shortly before a planned stop",
    [lost(97), back(108)],
    [start(105, true)],
    [{ from: 100, to: 105 }],
    true,
    ["97-108"],
    false,
  ],
  [
    "the whole second of its mark began before the start",
    [back(100.5)],
    [start(100.9)],
    [],
    true,
    [],
    false,
  ],
  [
    "the second after its start brought the mark",
    [back(101.5)],
    [start(100.9)],
    [],
    true,
    ["100.9-101.5"],
    false,
  ],
] as const) {
  test(`accountLinks() knows that ${what}`, () => {
    const { outages, offline } = accountLinks(
      { marks, restarts: starts, stops },
      nothing,
      look(connected),
    );
    assert.deepEqual(
      [told(outages.filter(({ from, to }) => to > from)), offline !== null],
      [expected, isOpen],
    );
  });
}

test("accountLinks() is exact from the look on that has seen it away", () => {
  const quiet = { marks: [], restarts: [], stops: [] };
  const { offline, joining } = accountLinks(quiet, nothing, look(false));
  const after = (marks: ReturnType<typeof back>[], connected: boolean): string[] =>
    told(
      accountLinks({ ...quiet, marks }, { offline, joining }, look(connected, 900, 1800)).outages,
    );
  assert.deepEqual(after([back(950)], true), ["900-950 by the look"]);
  assert.deepEqual(after([], false), ["900-1800 by the look"]);
  assert.deepEqual(after([], true), ["900-1800 inexact by the look"]);
});

test("accountLinks() gives the same outages wherever ticks cut its time, also where no document tells of the connection", () => {
  const turn = fc.tuple(
    fc.constantFrom("lost", "start", "start without a mark"),
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: 90 }),
  );
  fc.assert(
    fc.property(
      fc.array(turn, { maxLength: 10 }),
      cutsOf,
      fc.boolean(),
      (turns, cuts, hasDocument) => {
        let at = 0;
        const marks: ReturnType<typeof lost>[] = [];
        const starts: Restart[] = [];
        const away: [from: number, to: number][] = [];
        for (const [kind, up, gone] of turns) {
          const begun = at + up + 2;
          at = begun + gone + 2;
          if (kind === "lost") marks.push(lost(begun));
          else starts.push(start(begun));
          if (kind === "start without a mark") continue;
          marks.push(back(at));
          away.push([begun, at]);
        }
        const walk = (ends: readonly number[]): string[] => {
          let before: Pick<Cursor, "offline" | "joining"> = nothing;
          let from = 0;
          const outages: Outage[] = [];
          for (const age of ends) {
            const isWithin = (event: { age: number }): boolean =>
              event.age >= from && event.age < age;
            const isAway = away.some((span) => span[0] < age && age <= span[1]);
            const link = accountLinks(
              { marks: marks.filter(isWithin), restarts: starts.filter(isWithin), stops: [] },
              before,
              look(hasDocument || age === 8000 ? !isAway : null, from, age),
            );
            before = link;
            from = age;
            outages.push(...link.outages);
          }
          return unionOf(outages);
        };
        assert.deepEqual(
          walk([...new Set([...cuts, 8000])].sort((a, b) => a - b)),
          away.map(([from, to]) => `${from.toFixed(3)} to ${to.toFixed(3)} false`),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("elapsedBetween() goes by the clock that nobody sets, and says by how much the other one was set", () => {
  const before = { at: atAge(0), bootId: "a", upSeconds: 1000 };
  const now = (age: number, up: number, boot = "a") =>
    elapsedBetween(before, { at: atAge(age), bootId: boot, upSeconds: up });
  assert.deepEqual(now(900, 1900), { seconds: 900, jump: 0 });
  assert.deepEqual(now(900.9, 1900), { seconds: 900, jump: 0 });
  assert.deepEqual(now(-2700, 1900), { seconds: 900, jump: -3600 });
  assert.deepEqual(now(4500, 1900), { seconds: 900, jump: 3600 });
  assert.deepEqual(now(7200, 30, "b"), { seconds: 7200, jump: 0 });
  assert.deepEqual(now(-60, 30, "b"), { seconds: 0, jump: 0 });
});

// ---------------------------------------------------------------------------- a bot, and ticks

const readState = (dir: string): ReleaseState =>
  JSON.parse(readFileSync(join(dir, "state/prod.releases.json"), "utf8")) as ReleaseState;

/** A bot that has passed a verification, by which its burn-in began. */
async function beginBurnin(t: TestContext, options: BotOptions = {}, settings: Settings = {}) {
  const dir = createDirectory();
  for (const name of ["state", "flags"]) mkdirSync(join(dir, name));
  const bot = await startBot(dir, { dormant: true, ...options });
  t.after(() => bot.stop());
  const own = { state: { directory: "state", flags: "flags" }, limits: { watchSeconds: 1 } };
  const config = writeConfig(dir, bot.port, merge(own, settings));
  const run = (...args: string[]) => runVerify([...args, "--env", "prod", "--config", config]);
  const begun = await run("verify", "--json");
  assert.equal(begun.code, 0, begun.stdout + begun.stderr);
  /** A look of the timer's. */
  const tick = async () => {
    const ran = await run("burnin", "--json");
    assert.ok(ran.json?.account, ran.stdout + ran.stderr);
    return { ...ran, account: ran.json.account as unknown as Account };
  };
  const say = async (text: string): Promise<number> => {
    await until(`the bot logs ${text}`, () =>
      readFileSync(join(dir, "bot.log"), "utf8").includes(text),
    );
    return Date.now();
  };
  return { dir, bot, config, run, tick, say };
}

const about = (outage: Outage | undefined, from: number, to: number): void => {
  const seconds = (to - from) / 1000;
  assert.ok(
    outage && Math.abs(Date.parse(outage.at) - from) < 1000,
    `${outage?.at} is not ${new Date(from).toISOString()}`,
  );
  assert.ok(
    Math.abs(outage.to - outage.from - seconds) < 1,
    `${outage.to - outage.from} s are not ${seconds} s`,
  );
};

test("accountFor() sees a short outage between two ticks by the log file alone, to a second", async (t) => {
  const { dir, bot, tick, say } = await beginBurnin(t, {
    "disconnect-at-ms": 100,
    "reconnect-at-ms": 4100,
  });
  assert.deepEqual((await tick()).account.outages, []);
  bot.wake();
  const lostAt = await say("Disconnected");
  const backAt = await say("Connected successfully");
  const { account, code } = await tick();
  assert.deepEqual(
    [account.outages.length, account.restarts, account.unseen, account.connection, code],
    [1, [], [], "log", 0],
  );
  const [outage] = account.outages;
  assert.deepEqual(
    [outage?.kind, outage?.source, outage?.exact, outage?.planned],
    ["disconnected", "log", true, false],
  );
  about(outage, lostAt, backAt);
  assert.deepEqual((await tick()).account.outages, []);
  // The log alone gives the same state as the one that was kept.
  const kept = readState(dir);
  rmSync(join(dir, "state/prod.releases.json"));
  const config = readConfig("prod", join(dir, "verify.yaml"), RULES);
  assert.deepEqual(JSON.parse(JSON.stringify(readReleaseState(config))), kept);
  assert.equal(kept.burnin?.accounts.length, 3);
});

test("accountFor() tells another process, a bot that is down, and one that is away without a mark", async (t) => {
  const { bot, tick } = await beginBurnin(t, { field: ["connected=false"] });
  await bot.restart();
  const { account: restarted } = await tick();
  assert.deepEqual(
    restarted.restarts.map(({ planned }) => planned),
    [null],
  );
  const kinds = restarted.outages.map(({ kind, source, exact }) => [kind, source, exact]);
  // After its start it was not connected until its mark came, within the same second or not.
  assert.deepEqual(
    kinds.filter(([kind]) => kind === "down"),
    [["down", "look", false]],
  );
  await bot.kill();
  const down = await tick();
  assert.deepEqual(
    [down.code, down.account.outages.map(({ kind, exact, to }) => [kind, exact, to])],
    [30, [["down", false, down.account.to]]],
  );
  await bot.start();
  const { account: up } = await tick();
  const back = up.outages.find(({ kind }) => kind === "down");
  assert.deepEqual([up.restarts.length, back?.exact, back?.from], [1, true, up.from]);
  bot.wake();
  const { account: away } = await tick();
  assert.deepEqual(
    away.outages.map(({ kind, source, exact, to }) => [kind, source, exact, to]),
    [["disconnected", "look", false, away.to]],
  );
});

test("a place survives the masking of secrets: its cursor, its seals and its files", () => {
  const cursor =
    "s=efc372d6fbac4c319ebd214047046187;i=249;b=2697c6af07d54019954f07a4d01b8ca7;m=abb23040;t=660d1bc83321b;x=f3d4cfd6860534df";
  const position = { ...emptyPosition(), time: 1_795_295_066_000 };
  const file = { inode: 2_244_903, offset: 48, seal: "9bdd6c4817cb6518", position };
  const files = {
    "/var/log/cytube-bot/bot.log": file,
    "/opt/bot-2.1/logs/bot-20261121.log": file,
    "/srv/tokens/bot.log": null,
  };
  const place = { cursor, files, bootId, start: "06f29a5c80954d4a98c19bea8cde7e12", age: 900.123 };
  for (const known of [[], ["correct-horse-7481-battery", "s3cr3t"]])
    assert.deepEqual(maskDeep({ place }, maskOf(known)), { place });
});
