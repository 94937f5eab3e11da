/**
 * What a tick of the burn-in accounts for: that no error of an interval counts twice or is lost whatever becomes of the log's files, that outages and
 * restarts come out of the journal and the log with their true times, and that where an interval is cut changes nothing.
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
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type Config, LIMITS, type LogPlace, type LogRules, type LogSource, readLogSince } from "../verify.ts";
import { formatLogLine } from "./bot.ts";
import { createDirectory, startProcess, unprivilegedUid } from "./harness.ts";

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
const line = (level: string, text: string, at = Date.now()): string => formatLogLine(new Date(at), level, text);

/** Looks at a log again and again, as the ticks of a burn-in do, and adds up what the looks have counted. */
function createReader(file: string, over: Record<string, number> = {}, since = Date.now() - 60_000) {
  const config = { limits: { ...limits, ...over }, errorLogs: {} } as unknown as Config;
  const reader = { place: null as LogPlace | null, errors: 0, unseen: [] as string[], look };
  let lookedAt = since;
  async function look(): Promise<LogSource> {
    const rules: LogRules = { since: reader.place ? 0 : Math.floor(lookedAt / 1000) * 1000, noise: [], prefix: null, utc: false };
    lookedAt = Date.now();
    const { source, place } = await readLogSince(config, file, rules, reader.place, never);
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

/** Each way in which a log gets on between two looks. The first error has been counted; two more come. */
const COURSES: { what: string; act: (file: string) => void; errors?: number; unseen?: RegExp; first?: string }[] = [
  { what: "nothing is written", act: () => {}, errors: 1 },
  { what: "lines are appended", act: (file) => appendFileSync(file, line("ERROR", "two") + line("INFO", "x") + line("ERROR", "three")) },
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
      appendFileSync(file, `${"=".repeat(100)}\n${line("ERROR", "three")}${line("INFO", "x".repeat(500))}`);
    },
  },
  {
    what: "it is renamed, and each file begins with the same banner",
    first: `${"=".repeat(100)}\n${line("ERROR", "first")}`,
    act: (file) => {
      appendFileSync(file, line("ERROR", "two"));
      renameSync(file, `${file}.1`);
      gzip(`${file}.1`);
      writeFileSync(file, `${"=".repeat(100)}\n${line("ERROR", "three")}${line("INFO", "x".repeat(500))}`);
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
    unseen: /a part of it is in \S+bot\.log\.1\.xz, which cannot be read: this program knows gzip only/,
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
  const traceback = 'Traceback (most recent call last):\n  File "bot.py", line 1, in <module>\n    raise ValueError\nValueError: x\n';
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
async function lookAs(uid: number, file: string, place: LogPlace | null): Promise<{ source: LogSource; place: LogPlace | null }> {
  const script = `
    import { readLogSince } from ${JSON.stringify(new URL("../verify.ts", import.meta.url).href)};
    const [file, place, limits] = process.argv.slice(1).map((text) => JSON.parse(text));
    process.setuid(${uid});
    const rules = { since: 0, noise: [], prefix: null, utc: false };
    console.log(JSON.stringify(await readLogSince({ limits, errorLogs: {} }, file, rules, place, new AbortController().signal)));`;
  const args = [file, place, limits].map((value) => JSON.stringify(value));
  const child = startProcess([process.execPath, "--import", "tsx", "--input-type=module", "--eval", script, ...args], {
    stdio: ["ignore", "pipe", 2],
  });
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
    const { file, reader } = await startReading();
    const writer = createWriteStream(file, { flags: "a" });
    for (let turn = 0; turn < turns; turn++) if (!writer.write(chunk)) await once(writer, "drain");
    await new Promise<void>((done) => void writer.end(done));
    if (packed) {
      const gzipped = startProcess(["gzip", "-1", "--force", file]);
      await new Promise((done) => gzipped.once("exit", done));
      renameSync(`${file}.gz`, `${file}.1.gz`);
      writeFileSync(file, line("INFO", "y"));
    }
    const begun = performance.now();
    let most = 0;
    const before = process.memoryUsage().rss;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 20);
    await reader.look();
    clearInterval(watch);
    assert.deepEqual([reader.errors, reader.unseen], [1 + turns, []]);
    assert.ok(performance.now() - begun < 15_000, `${performance.now() - begun} ms`);
    assert.ok(most < 120 * 2 ** 20, `${most >> 20} MB`);
    rmSync(file);
  }
});

/** What may become of a log between two looks; each is only drawn where it can follow what came before. */
type Course = "error" | "info" | "half" | "rename" | "rename and compress" | "copytruncate" | "look";
test("readLogSince() counts each error once, for any sequence of lines, rotations and looks", async () => {
  const course = fc.constantFrom<Course>("error", "error", "info", "info", "half", "rename", "rename and compress", "copytruncate", "look", "look");
  await fc.assert(
    fc.asyncProperty(fc.array(course, { minLength: 1, maxLength: 40 }), async (drawn) => {
      const file = newFile();
      writeFileSync(file, "");
      const reader = createReader(file);
      let [written, rotated, count, half] = [0, 0, 0, false];
      // As logrotate does it: every file is moved on before the newest takes the first place.
      const shift = (): void => {
        for (let index = rotated; index > 0; index--)
          for (const ending of ["", ".gz"])
            if (statSync(`${file}.${index}${ending}`, { throwIfNoEntry: false }))
              renameSync(`${file}.${index}${ending}`, `${file}.${index + 1}${ending}`);
        rotated++;
      };
      for (const step of [...drawn, "look" as const]) {
        const text = step === "error" ? line("ERROR", `error ${count++}`) : line("INFO", `line ${count++}`);
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
        // The kernel's stamps are some milliseconds apart, and no two rotations are closer than that.
        utimesSync(`${file}.1`, Date.now() / 1000, Date.now() / 1000 + rotated / 10);
        if (step === "rename and compress") gzip(`${file}.1`);
        if (step !== "copytruncate") writeFileSync(file, "");
      }
      assert.deepEqual([reader.errors, reader.unseen], [written, []]);
    }),
    { numRuns: 400 },
  );
});
