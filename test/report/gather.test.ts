/**
 * What a report reads of the log: every record once and in order, however the log is cut, rotated or
 * spoiled, and of a burn-in only what is of it.
 */
import assert from "node:assert/strict";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { OpenBurnin } from "../../lib/burnin/words.ts";
import type { Config } from "../../lib/config.ts";
import { type Entry, scanRecords } from "../../lib/log.ts";
import { gatherReport } from "../../lib/report/gather.ts";
import { createDirectory } from "../support/harness.ts";

const record = (n: number, more: object = {}): string => JSON.stringify({ v: 1, n, ...more });

function scan(file: string): { seen: unknown[]; foreign: number; unread: string[] } {
  const skipped = { foreign: 0, unread: [] };
  const seen = [...scanRecords(file, skipped)].map(({ n }) => n);
  return { seen, ...skipped };
}

function writeLog(text: string | Buffer, name = "verify.jsonl", directory = createDirectory()) {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

test("scanRecords() hands on every record wherever the buffer ends, within a line or within a letter", () => {
  // Lines of 1 to 700 bytes, most of them of letters that have three.
  const lines = Array.from({ length: 1500 }, (_, n) => record(n, { says: "€".repeat(n % 230) }));
  const file = writeLog(`${lines.join("\n")}\n`);
  const skipped = { foreign: 0, unread: [] };
  const seen = [...scanRecords(file, skipped)];
  assert.deepEqual(
    seen.map((entry) => JSON.stringify(entry)),
    lines,
  );
  assert.deepEqual(skipped, { foreign: 0, unread: [] });
});

test("scanRecords() counts what is no record, a torn last line too, and takes an empty line for a fence", () => {
  const foreign = ["no JSON", "null", "[1]", "{}", '{"v":"1"}', record(9).slice(0, -1), " "];
  const lines = [record(1), "", ...foreign, `${record(2)}\r`, record(3).slice(0, 7)];
  assert.deepEqual(scan(writeLog(lines.join("\n"))), {
    seen: [1, 2],
    foreign: foreign.length + 1,
    unread: [],
  });
  assert.deepEqual(scan(writeLog(record(1))).seen, [1], "a last line needs no line break");
  assert.deepEqual(scan(writeLog("")), { seen: [], foreign: 0, unread: [] });
});

test("scanRecords() reads a line of a megabyte, and counts one beyond 2 MB as foreign without holding it", () => {
  const long = record(1, { says: "x".repeat(1 << 20) });
  const tooLong = record(2, { says: "x".repeat(64 << 20) });
  const file = writeLog([record(0), long, tooLong, record(3)].join("\n"));
  const before = process.memoryUsage().rss;
  const skipped = { foreign: 0, unread: [] };
  const seen: unknown[] = [];
  for (const { n } of scanRecords(file, skipped)) seen.push(n);
  assert.deepEqual([seen, skipped.foreign], [[0, 1, 3], 1]);
  assert.ok(process.memoryUsage().rss - before < 40 << 20);
});

test("scanRecords() reads the rotated parts first, the oldest before all, and names what it cannot read", () => {
  const directory = createDirectory();
  const file = writeLog(`${record(4)}\n`, "verify.jsonl", directory);
  const older = [
    { name: "verify.jsonl.1", text: `${record(3)}\n` },
    { name: "verify.jsonl.2.gz", text: gzipSync(`${record(1)}\n${record(2)}\n`) },
    { name: "verify.jsonl.3.xz", text: "packed" },
    { name: "verify.jsonl.4.gz", text: "no gzip" },
  ];
  const now = Date.now() / 1000;
  for (const [index, { name, text }] of older.entries()) {
    const written = writeLog(text, name, directory);
    utimesSync(written, now - index - 1, now - index - 1);
  }
  assert.deepEqual(scan(file), {
    seen: [1, 2, 3, 4],
    foreign: 0,
    unread: [join(directory, "verify.jsonl.4.gz"), join(directory, "verify.jsonl.3.xz")],
  });
  assert.deepEqual(scan(join(directory, "none.jsonl")).seen, []);
});

// ---------------------------------------------------------------------------- gatherReport()

const begun = Date.parse("2026-11-21T00:00:00.000Z");
const atHour = (hour: number): string => new Date(begun + hour * 3_600_000).toISOString();

/** A record of an hour, with the account of that hour where it is of a burn-in. */
function entry(hour: number, kind: string, id: string | null, more: object = {}): Entry {
  const at = atHour(hour);
  const account = {
    burnin: id,
    run: `run-${hour}`,
    at,
    from: 3600 * (hour - 1),
    to: 3600 * hour,
    outages: [],
    restarts: [],
    unseen: [],
  };
  const head = { id, releaseId: "r1", attempt: 1, startedAt: atHour(0) };
  const own = id === null ? {} : { account, burnin: head };
  return { v: 1, kind, env: "prod", ts: at, run: `run-${hour}`, ...own, ...more };
}

function gather(entries: readonly Entry[], open: string | null = null, since?: string) {
  const logFile = writeLog(entries.map((each) => `${JSON.stringify(each)}\n`).join(""));
  const burnin: OpenBurnin | null =
    open === null
      ? null
      : {
          id: open,
          releaseId: "r1",
          attempt: 1,
          startedAt: atHour(0),
          accounts: [],
          place: null,
          hours: [],
          decision: "RUNNING",
        };
  const gathered = gatherReport({ name: "prod", logFile } as Config, burnin, since);
  const { group, notes, findings, happened } = gathered;
  return {
    id: group?.about.id,
    hours: group?.accounts.map(({ to }) => to / 3600),
    notes: notes.map(({ text }) => text),
    findings: findings.map(({ says }) => says),
    happened: happened.map(({ says }) => says),
    gathered,
  };
}

const failed = (says: string) => ({ findings: [{ check: "database", status: "fail", says }] });

test("gatherReport() takes the open burn-in's accounts, and no finding of another's tick", () => {
  const { id, hours, findings } = gather(
    [
      entry(1, "burnin", "a", failed("a's")),
      entry(2, "burnin", "b", failed("b's")),
      entry(3, "burnin", "a"),
      entry(4, "verify", "b", failed("a verification's")),
      entry(5, "burnin", null, failed("of no burn-in")),
      entry(6, "burnin", null, { burnin: { id: "a" }, ...failed("of a tick that was cut short") }),
      entry(7, "burnin", "a", { env: "test" }),
    ],
    "a",
  );
  assert.deepEqual([id, hours], ["a", [1, 3]]);
  assert.deepEqual(findings, ["a's", "a verification's", "of a tick that was cut short"]);
});

test("gatherReport() takes the newest burn-in where none is open, and what the state knows where the log has lost it", () => {
  const entries = [entry(1, "burnin", "a"), entry(2, "burnin", "b"), entry(3, "burnin", "b")];
  const newest = gather(entries);
  assert.deepEqual([newest.id, newest.hours], ["b", [2, 3]]);
  const lost = gather(entries, "c");
  assert.deepEqual([lost.id, lost.hours], ["c", []]);
  assert.equal(gather([]).gathered.group, null);
});

test("gatherReport() since a time takes the burn-in that ran then, and later notes, but nothing else that came later", () => {
  const entries = [
    entry(1, "burnin", "a"),
    entry(2, "burnin", "b"),
    entry(3, "alert", null, { title: "in b" }),
    entry(4, "burnin", "b"),
    entry(5, "burnin", "c", failed("c's")),
    entry(6, "alert", null, { title: "in c" }),
    entry(7, "note", null, { text: "b was fine", user: "anna" }),
  ];
  const { id, hours, happened, notes, findings } = gather(entries, "c", atHour(1.5));
  assert.deepEqual([id, hours], ["b", [2, 4]]);
  assert.deepEqual([happened, notes, findings], [["in b"], ["b was fine"], []]);
  assert.equal(gather(entries, "c", atHour(9)).gathered.group, null);
});

test("gatherReport() passes over kinds that a report does not tell of, and keeps the newest of many", () => {
  const many = Array.from({ length: 3000 }, (_, n) =>
    entry(n / 1000, "note", null, { text: `${n}`, user: "anna" }),
  );
  const { notes, findings } = gather([entry(1, "signoff", null, failed("no run's")), ...many]);
  assert.deepEqual(findings, []);
  assert.ok(notes.length >= 500 && notes.length <= 1000, `${notes.length}`);
  assert.equal(notes.at(-1), "2999");
});
