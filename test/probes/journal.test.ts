/** The journal: what is parsed out of captured records. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { parseJournal } from "../../lib/probes/journal.ts";
import { captured, readCaptured } from "../support/captured.ts";

const journals = readdirSync(captured).filter((name) => name.endsWith(".jsonl"));

test("parseJournal() reads every captured record", () => {
  for (const file of journals) {
    const lines = readCaptured(file)
      .split("\n")
      .filter((line) => line.startsWith("{"));
    const entries = parseJournal(readCaptured(file));
    assert.equal(entries.length, lines.length, file);
    for (const entry of entries) {
      assert.ok(
        entry.at > Date.UTC(2026, 0) && entry.at < Date.UTC(2100, 0),
        `${file}: ${entry.at}`,
      );
      assert.match(entry.cursor, /^s=\w+;i=/, file);
    }
  }
});

test("parseJournal() reads byte arrays as text, and null as nothing", () => {
  const messages = parseJournal(readCaptured("journal-bytes.jsonl")).map(({ message }) => message);
  assert.equal(
    messages[0],
    "[2026-11-21 21:04:26] [lib.bot] [\u001b[31mERROR\u001b[0m] ansi level",
  );
  assert.equal(messages[1], "progress 1\rprogress 2");
  assert.equal(messages[3], "latin-1 caf\ufffd");
  assert.ok(messages.includes("emoji 😀 and é"));
  assert.deepEqual(
    parseJournal(readCaptured("journal-long.jsonl")).map(({ message }) => message),
    ["", "short"],
  );
  assert.equal(
    parseJournal(readCaptured("journal-long-all.jsonl"))[0]?.message.length,
    10_000 + "[2026-11-21 21:04:26] [lib.bot] [ERROR] ".length,
  );
});

test("parseJournal() reads how many lines the rate limit dropped", () => {
  const dropped = parseJournal(readCaptured("journal-suppressed-object.jsonl")).filter(
    (entry) => entry.dropped > 0,
  );
  assert.deepEqual(
    dropped.map((entry) => [entry.dropped, entry.messageId]),
    [[185, "a596d6fe7bfa4994828e72309e95d61e"]],
  );
});

test("parseJournal() reads the priorities that a bot prefixed", () => {
  assert.deepEqual(
    parseJournal(readCaptured("journal-prefix.jsonl")).map(({ priority }) => priority),
    ["3", "4", "2", "6", "6"],
  );
});

test("parseJournal() leaves out what is no record, and never throws", () => {
  assert.deepEqual(parseJournal('\n-- cursor: s=1\n-- No entries --\n{"MESSAGE": cut'), []);
  for (const line of ["null", "1", '"text"', "true", "[]"])
    assert.deepEqual(parseJournal(`${line}\n`), [], line);
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json()),
      (text) => void assert.ok(Array.isArray(parseJournal(text))),
    ),
  );
});
