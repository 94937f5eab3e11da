/**
 * The log: how a value becomes one line, and that no line is lost or torn unseen, whoever writes and
 * whenever it is cut off.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { parseRecords, readRecords, renderJson, writeRecord } from "../lib/log.ts";
import {
  buildOnce,
  createDirectory,
  projectDirectory,
  runVerify,
  startBot,
  startProcess,
  writeConfig,
} from "./support/harness.ts";
import { hostile } from "./support/hostile-text.ts";
import { assertValid } from "./support/result-schema.ts";

const shortWatch = { limits: { watchSeconds: 1 } };

test("renderJson() keeps the value and holds no control character", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string(),
        fc.oneof(hostile, fc.integer(), fc.constant(null), fc.array(hostile)),
      ),
      fc.constantFrom(0, 2),
      (value, indent) => {
        const text = renderJson(value, indent);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        assert.doesNotMatch(
          indent ? text.replaceAll("\n", "") : text,
          /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u,
        );
      },
    ),
    { numRuns: 300 },
  );
});

describe("the log", () => {
  const entry = (index: number): Record<string, unknown> => ({
    v: 1,
    kind: "verify",
    run: index,
    says: `Überall läuft’s 🙂 "${index}"`,
    findings: [{ check: "process", says: "a\nb" }],
  });
  let directory = "";
  before(() => {
    directory = createDirectory();
  });

  test("writeRecord() makes the directory and the file, closed to others", () => {
    const file = join(directory, "new/deep/verify.jsonl");
    writeRecord(file, renderJson(entry(1), 0));
    assert.deepEqual(readRecords(file), { records: [entry(1)], torn: 0 });
    assert.equal(statSync(file).mode & 0o007, 0);
  });

  for (const umask of [0o000, 0o022, 0o077]) {
    test(`writeRecord() makes a log that the directory's group can append to, under umask ${umask.toString(8)}`, (t) => {
      const shared = join(directory, `shared-${umask}`);
      mkdirSync(shared);
      chmodSync(shared, 0o2770);
      const callers = process.umask(umask);
      t.after(() => process.umask(callers));
      const file = join(shared, "verify.jsonl");
      writeRecord(file, renderJson(entry(1), 0));
      assert.equal(statSync(file).mode & 0o777, 0o660);
      // What a person has set on an existing log is theirs.
      chmodSync(file, 0o640);
      writeRecord(file, renderJson(entry(2), 0));
      assert.equal(statSync(file).mode & 0o777, 0o640);
    });

    test(`writeRecord() leaves a log in a person's own directory to their umask ${umask.toString(8)}`, (t) => {
      const own = join(directory, `own-${umask}`);
      mkdirSync(own);
      chmodSync(own, 0o755);
      const callers = process.umask(umask);
      t.after(() => process.umask(callers));
      const file = join(own, "verify.jsonl");
      writeRecord(file, renderJson(entry(1), 0));
      assert.equal(statSync(file).mode & 0o777, 0o660 & ~umask);
    });
  }

  test("writeRecord() loses nothing before a cut at any byte of the last record, nor the record after it", () => {
    const file = join(directory, "cut.jsonl");
    for (const index of [1, 2, 3]) writeRecord(file, renderJson(entry(index), 0));
    const bytes = readFileSync(file);
    const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    for (let cut = last; cut <= bytes.length; cut++) {
      writeFileSync(file, bytes.subarray(0, cut));
      // Only its line break is missing, so nothing of the record is lost.
      const whole = cut >= bytes.length - 1;
      const torn = cut > last && !whole ? 1 : 0;
      const kept = whole ? [entry(1), entry(2), entry(3)] : [entry(1), entry(2)];
      assert.deepEqual(
        readRecords(file),
        { records: kept, torn },
        `cut at ${cut - last} of ${bytes.length - last}`,
      );
      writeRecord(file, renderJson(entry(4), 0));
      assert.deepEqual(
        readRecords(file),
        { records: [...kept, entry(4)], torn },
        `appended after a cut at ${cut - last}`,
      );
    }
  });

  test("writeRecord() counts each torn line once, however many there are", () => {
    const file = join(directory, "torn.jsonl");
    for (const index of [1, 2, 3]) {
      writeFileSync(file, '{"v":1,"kind":"ver', { flag: "a" });
      writeRecord(file, renderJson(entry(index), 0));
    }
    assert.deepEqual(readRecords(file), { records: [entry(1), entry(2), entry(3)], torn: 3 });
  });

  test("writeRecord() loses nothing when many processes append at once", async () => {
    await buildOnce();
    const file = join(directory, "crowd.jsonl");
    const [writers, each] = [6, 40];
    const script = `import { writeRecord } from ${JSON.stringify(join(projectDirectory, "lib/log.ts"))};
      for (let index = 0; index < ${each}; index++) writeRecord(process.argv[1], JSON.stringify({ v: 1, writer: Number(process.argv[2]), index, fill: "x".repeat(20000) }));`;
    const codes = await Promise.all(
      Array.from({ length: writers }, (_, writer) => {
        const child = startProcess([
          process.execPath,
          "--import",
          "tsx",
          "--input-type=module",
          "-e",
          script,
          file,
          String(writer),
        ]);
        return new Promise((done) => child.once("exit", done)).finally(child.end);
      }),
    );
    assert.deepEqual(codes, Array(writers).fill(0));
    const { records, torn } = parseRecords(readFileSync(file, "utf8"));
    assert.equal(torn, 0);
    const seen = new Set(records.map(({ writer, index }) => `${writer}/${index}`));
    assert.deepEqual([records.length, seen.size], [writers * each, writers * each]);
  });

  test("writeRecord() refuses what it could not write whole", () => {
    assert.throws(() => writeRecord(directory, "{}"), { code: "EISDIR" });
    assert.throws(() => writeRecord("/dev/full", "{}"), { code: "ENOSPC" });
    assert.throws(() => writeRecord(join(directory, "cut.jsonl/below.jsonl"), "{}"), {
      code: "ENOTDIR",
    });
  });

  test("readRecords() reads the tail of a long log, and does not call the line torn that it cut itself", () => {
    const file = join(directory, "long.jsonl");
    const filled = (index: number): string =>
      JSON.stringify({ v: 1, index, fill: "x".repeat(9000) });
    writeFileSync(file, `${Array.from({ length: 400 }, (_, index) => filled(index)).join("\n")}\n`);
    const { records, torn } = readRecords(file);
    assert.equal(torn, 0);
    assert.equal(records.at(-1)?.index, 399);
    assert.ok(records.length > 200 && records.length < 400, String(records.length));
    assert.deepEqual(
      records.map(({ index }) => index),
      Array.from({ length: records.length }, (_, index) => 400 - records.length + index),
    );
  });

  test("readRecords() of a file that is not there is empty", () =>
    assert.deepEqual(readRecords(join(directory, "none.jsonl")), { records: [], torn: 0 }));

  test("parseRecords() counts every line as a record or as torn, whatever it holds", () => {
    const line = fc
      .oneof(
        fc.json(),
        fc.string(),
        fc.constantFrom("", '{"v":1}', '{"v":"1"}', "null", "[]", "{}"),
      )
      .map((text) => text.replaceAll("\n", " "));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { records, torn } = parseRecords(lines.join("\n"));
        assert.equal(records.length + torn, lines.filter((text) => text !== "").length);
        for (const found of records) assert.equal(typeof found.v, "number");
      }),
    );
  });

  test("a run writes its record with one write, then fsync, then close", async () => {
    const traced = createDirectory();
    const bot = await startBot(traced);
    try {
      const trace = join(traced, "trace");
      const file = writeConfig(traced, bot.port);
      // One file for each thread, so that no call is split in two lines.
      const run = await runVerify(["--env", "prod", "--config", file, "--only", "process"], {
        wrap: (command) => [
          "strace",
          "-ff",
          "-e",
          "trace=openat,write,writev,pwrite64,fsync,fdatasync,close",
          "-o",
          trace,
          ...command,
        ],
      });
      assert.equal(run.code, 0, run.stderr);
      const calls = readdirSync(traced)
        .filter((name) => name.startsWith("trace."))
        .map((name) => readFileSync(join(traced, name), "utf8").split("\n"))
        .find((lines) =>
          lines.some((text) => /^openat\(.*verify\.jsonl", O_RDWR.*O_APPEND/.test(text)),
        );
      assert.ok(calls, "the log was never opened for appending");
      const opened = calls.findIndex((text) =>
        /^openat\(.*verify\.jsonl", O_RDWR.*O_APPEND/.test(text),
      );
      const descriptor = /= (\d+)$/.exec(calls[opened] as string)?.[1];
      const rest = calls
        .slice(opened + 1)
        .filter((text) => new RegExp(`^\\w+\\(${descriptor}[,)]`).test(text));
      const closed = rest.findIndex((text) => text.startsWith("close("));
      assert.deepEqual(
        rest.slice(0, closed + 1).map((text) => text.split("(")[0]),
        ["write", "fsync", "close"],
      );
      const [write, sync] = rest as [string, string];
      assert.equal(
        Number(/= (\d+)$/.exec(write)?.[1]),
        statSync(join(traced, "verify.jsonl")).size,
      );
      assert.match(sync, /= 0$/);
    } finally {
      await bot.stop();
    }
  });

  test("a run after a power cut says how many lines of the log are torn", async () => {
    const cut = createDirectory();
    const bot = await startBot(cut);
    try {
      writeFileSync(join(cut, "verify.jsonl"), '{"v":1,"kind":"verify","ts":"2026-');
      const run = await runVerify([
        "--env",
        "prod",
        "--config",
        writeConfig(cut, bot.port, shortWatch),
        "--json",
      ]);
      assert.equal(run.code, 0, run.stderr);
      const { records, torn } = readRecords(join(cut, "verify.jsonl"));
      assert.deepEqual([records.length, torn], [1, 1]);
      assertValid(records[0]);
      assert.match(run.json?.notes.join("\n") ?? "", /1 .*torn/);
    } finally {
      await bot.stop();
    }
  });

  after(() => rmSync(directory, { recursive: true, force: true }));
});
