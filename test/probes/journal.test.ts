/**
 * The journal: what is parsed out of captured records, and that following it loses and repeats none.
 * Only journalctl is played; it answers with what a real one has printed.
 */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Config } from "../../lib/config.ts";
import {
  followJournal,
  journalIsUsed,
  parseJournal,
  readJournalSince,
} from "../../lib/probes/journal.ts";
import type { LogFollower, LogRules } from "../../lib/probes/log-lines.ts";
import { captured, readCaptured } from "../support/captured.ts";
import { createDirectory } from "../support/harness.ts";
import { rulesSince } from "../support/log-counts.ts";
import { now, recent } from "../support/log-text.ts";

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

// ---------------------------------------------------------------------------- what journalctl is asked

const directory = createDirectory();
after(() => rmSync(directory, { recursive: true, force: true }));
const never = new AbortController().signal;

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
  const unit = join(directory, "long.jsonl");
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
