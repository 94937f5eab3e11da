/**
 * Probes: what is parsed out of the kernel's, systemd's and the bot's own words, and what is seen
 * of real processes, real HTTP servers and real
 * SQLite files. Looking must never change what is looked at: no file is created, no lock is kept.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import Database from "better-sqlite3";
import fc from "fast-check";
import { Unobservable } from "../../lib/attempt.ts";
import { readCommand, readCommandLines } from "../../lib/command.ts";
import type { Config } from "../../lib/config.ts";
import { type HttpAnswer, parseInstant, valueAt } from "../../lib/http.ts";
import { type DatabaseReader, openDatabaseReader } from "../../lib/probes/database.ts";
import { type DatabaseEvidence, parseLockHolder } from "../../lib/probes/database-child.ts";
import { openHealth, parseFields, parseHealthAnswer } from "../../lib/probes/health.ts";
import { parseJournal } from "../../lib/probes/journal.ts";
import {
  type ProcessStat,
  parseMatches,
  parsePidFile,
  parseProcessStat,
  readOpenFiles,
  readProcessStat,
  readTree,
} from "../../lib/probes/process.ts";
import { parseUnit, parseUnitState, readUnit } from "../../lib/probes/unit.ts";
import { readUsage } from "../../lib/probes/usage.ts";
import { LIMITS } from "../../verify.ts";
import {
  buildOnce,
  createDirectory,
  findFreePort,
  projectDirectory,
  projectFor,
  sendSignal,
  startProcess,
  unprivilegedUid,
  until,
} from "../support/harness.ts";

const captured = join(projectDirectory, "test/captured");
const readCaptured = (name: string): string => readFileSync(join(captured, name), "utf8");

// ---------------------------------------------------------------------------- /proc

const statFields = (state: string, parent: number, startTicks: number): string =>
  `${state} ${parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ${startTicks} 1000 200 18446744073709551615`;

test("parseProcessStat() reads names with spaces, parentheses and line breaks", () => {
  for (const command of [
    "bot",
    "my bot",
    "a) S 1 (b",
    "((",
    "))",
    "(sd-pam)",
    "tmux: server",
    "x\ny",
    "",
  ]) {
    const expected = { pid: 42, command, state: "S", parent: 7, startTicks: 123456 };
    assert.deepEqual(
      parseProcessStat(`42 (${command}) ${statFields("S", 7, 123456)}\n`),
      expected,
      command,
    );
  }
});

test("parseProcessStat() reads whatever a process calls itself", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 15, unit: "binary" }),
      fc.constantFrom("R", "S", "D", "Z", "T", "t", "X", "I"),
      fc.nat(),
      (command, state, ticks) => {
        const stat = parseProcessStat(`9 (${command}) ${statFields(state, 1, ticks)}\n`);
        assert.deepEqual(stat, { pid: 9, command, state, parent: 1, startTicks: ticks });
      },
    ),
  );
});

test("parseProcessStat() refuses what is cut short", () => {
  for (const text of [
    "",
    "42",
    "42 (bot",
    "42 (bot)",
    "42 (bot) S",
    "42 (bot) S 1 1",
    "42 )bot( S 1",
  ])
    assert.equal(parseProcessStat(text), null, text);
});

test("readProcessStat() sees this process and no process that is not there", () => {
  const own = readProcessStat(process.pid);
  assert.equal(own?.pid, process.pid);
  assert.equal(own?.parent, process.ppid);
  assert.equal(readProcessStat(2 ** 22 + 1), null);
});

const statOf = (pid: number, parent: number, command = "node"): ProcessStat => ({
  pid,
  parent,
  command,
  state: "S",
  startTicks: 1,
});
const pidsOf = (stats: ProcessStat[], matching: number[]): number[] =>
  parseMatches(stats, new Set(matching)).map(({ pid }) => pid);

test("parseMatches() finds the one bot", () => {
  assert.deepEqual(pidsOf([statOf(1, 0, "init"), statOf(5, 1)], [5]), [5]);
  assert.deepEqual(pidsOf([statOf(1, 0, "init"), statOf(5, 1)], []), []);
});

test("parseMatches() takes a worker with the same command line for a part of its bot", () => {
  assert.deepEqual(pidsOf([statOf(5, 1), statOf(6, 5), statOf(7, 6)], [5, 6, 7]), [5]);
  // The matching grandchild belongs to the bot also when what is between them does not match.
  assert.deepEqual(pidsOf([statOf(5, 1), statOf(6, 5, "other"), statOf(7, 6)], [5, 7]), [5]);
});

test("parseMatches() takes the child for a wrapper that waits for it", () => {
  assert.deepEqual(pidsOf([statOf(5, 1, "sh"), statOf(6, 5)], [5, 6]), [6]);
  assert.deepEqual(
    pidsOf(
      [statOf(4, 1, "sudo"), statOf(5, 4, "timeout"), statOf(6, 5), statOf(7, 6)],
      [4, 5, 6, 7],
    ),
    [6],
  );
  assert.deepEqual(pidsOf([statOf(5, 1, "sh")], [5]), []);
});

test("parseMatches() tells two bots from a bot and its worker", () => {
  assert.deepEqual(pidsOf([statOf(5, 1), statOf(6, 1)], [5, 6]), [5, 6]);
  assert.deepEqual(pidsOf([statOf(4, 1, "sh"), statOf(5, 4), statOf(6, 4)], [4, 5, 6]), [5, 6]);
  assert.deepEqual(
    pidsOf([statOf(5, 1), statOf(6, 5), statOf(8, 1), statOf(9, 8)], [5, 6, 8, 9]),
    [5, 8],
  );
});

test("parseMatches() ends where a parent is its own ancestor", () => {
  // Two reads of /proc at different moments can give such a picture.
  assert.deepEqual(pidsOf([statOf(5, 6, "other"), statOf(6, 5, "other"), statOf(7, 6)], [7]), [7]);
});

test("parsePidFile() reads one pid and nothing else", () => {
  for (const text of ["42", "42\n", "  42 \r\n"])
    assert.equal(parsePidFile(text), 42, JSON.stringify(text));
  for (const text of [
    "",
    "\n",
    "0",
    "-1",
    "4 2",
    "42 node",
    "4.2",
    "0x2a",
    "1e3",
    "abc",
    "99999999999",
    "42\n43\n",
  ])
    assert.equal(parsePidFile(text), null, JSON.stringify(text));
});

test("readTree() sees children and grandchildren of a real process, and only those", async () => {
  const parent = startProcess(["/bin/sh", "-c", "sleep 600 & (sleep 600 & wait) & wait"]);
  const root = parent.pid as number;
  const tree = await until("the grandchild runs", () => {
    const pids = readTree(root);
    return (
      pids.length === 4 &&
      pids.filter((pid) => readProcessStat(pid)?.command === "sleep").length === 2 &&
      pids
    );
  });
  assert.equal(tree[0], root);
  assert.ok(tree.every((pid) => pid === root || tree.includes(readProcessStat(pid)?.parent ?? 0)));
  assert.ok(!tree.includes(process.pid));
  parent.end();
});

test("readTree() answers for a process that is gone", () => {
  assert.deepEqual(readTree(2 ** 22 + 1), [2 ** 22 + 1]);
});

test("readOpenFiles() names what a process has open, also what has been deleted", async () => {
  const directory = createDirectory();
  const [kept, deleted] = [join(directory, "kept.log"), join(directory, "deleted.log")];
  const writer = startProcess([
    "/bin/sh",
    "-c",
    'exec 3>"$1" 4>"$2"; rm "$2"; echo ready >&3; exec sleep 600',
    "writer",
    kept,
    deleted,
  ]);
  await until(
    "the files are open",
    () => existsSync(kept) && readFileSync(kept, "utf8").includes("ready"),
  );
  const files = readOpenFiles(writer.pid as number);
  assert.ok(files?.includes(kept), String(files));
  assert.ok(files?.includes(`${deleted} (deleted)`), String(files));
  assert.ok(!files?.includes(deleted));
  writer.end();
  rmSync(directory, { recursive: true });
});

/**
 * Evaluates an expression with a module of the program in hand, as a user that may see nothing of
 * others.
 */
function evaluateUnprivileged(module: string, expression: string): unknown {
  const code = `const v = await import(${JSON.stringify(join(projectDirectory, module))}); process.setgroups([]); process.setgid(65534); process.setuid(65534);
    console.log(JSON.stringify(await (${expression})));`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as unknown;
}

test("readOpenFiles() says that it cannot see, where another user's files are hidden", async () => {
  assert.equal(
    evaluateUnprivileged("lib/probes/process.ts", `v.readOpenFiles(${process.pid})`),
    null,
  );
});

test("readUsage() sums the memory of a process and its children", async () => {
  const script =
    "const kept = Buffer.alloc(40 << 20, 1); console.log(kept.length); setInterval(() => kept, 1e6);";
  const parent = startProcess(
    [
      process.execPath,
      "--eval",
      `require("child_process").spawn(process.execPath, ["--eval", ${JSON.stringify(script)}], { stdio: "inherit" });`,
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  await once(parent.stdout as NodeJS.ReadableStream, "data");
  const usage = await readUsage(parent.pid as number, null);
  assert.equal(usage.processes, 2);
  assert.equal(usage.cpuPercent, null);
  const resident = (pid: number) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  const expected = readTree(parent.pid as number)
    .map(resident)
    .reduce((sum, mb) => sum + mb);
  assert.ok(
    usage.memoryMb > 80 && Math.abs(usage.memoryMb - expected) < expected / 4,
    `${usage.memoryMb} MB, not ${expected}`,
  );
  parent.end();
});

test("readUsage() does not measure a process that is gone", async () => {
  await assert.rejects(readUsage(2 ** 22 + 1, null), Unobservable);
});

// ---------------------------------------------------------------------------- commands

test("readCommand() passes arguments as they are, and returns output and exit code", async () => {
  const hostile = ["two words", "$HOME", "`id`", "a'b\"c", "*", "", "--", "\\"];
  const { code, stdout, stderr } = await readCommand(
    [
      "/bin/sh",
      "-c",
      'for a in "$@"; do echo "<$a>"; done; echo trouble >&2; exit 3',
      "sh",
      ...hostile,
    ],
    5000,
  );
  assert.deepEqual(
    [code, stdout, stderr],
    [3, hostile.map((argument) => `<${argument}>\n`).join(""), "trouble"],
  );
});

test("readCommand() does not wait for what a command leaves behind in the background", async () => {
  const begun = performance.now();
  const { code, stdout } = await readCommand(["/bin/sh", "-c", "sleep 15 & echo done"], 60_000);
  assert.deepEqual([code, stdout], [0, "done\n"]);
  assert.ok(performance.now() - begun < 10_000);
});

test("readCommand() feeds a letter to a command, with its variables, also to one that does not read", async () => {
  const letter = { text: "dear bot\n".repeat(20_000), variables: { FROM: "us" } };
  const { stdout } = await readCommand(["/bin/sh", "-c", 'wc -c; echo "$FROM"'], 5000, { letter });
  assert.equal(stdout, "180000\nus\n");
  assert.equal((await readCommand(["true"], 5000, { letter })).code, 0);
});

test("readCommand() gives a command an end of its input where the letter is empty, and where there is none", async () => {
  const letter = { text: "", variables: {} };
  assert.equal((await readCommand(["wc", "-c"], 5000, { letter })).stdout, "0\n");
  assert.equal((await readCommand(["wc", "-c"], 5000)).stdout, "0\n");
});

test("readCommand() reads characters that lie across two reads of the pipe", async () => {
  // One letter in front puts every later one across an even boundary.
  const script = "process.stdout.write('x' + 'é'.repeat(500_000))";
  const { stdout } = await readCommand([process.execPath, "--eval", script], 10_000);
  assert.equal(stdout.length, 500_001);
  assert.ok(stdout.endsWith("é") && !stdout.includes("\ufffd"));
});

test("readCommand() ends a command that prints more than is kept, on either stream", async () => {
  for (const stream of ["&1", "&2"])
    await assert.rejects(
      readCommand(["sh", "-c", `yes >${stream}`], 20_000),
      /sh printed more than 16 MB/,
      stream,
    );
});

test("readCommandLines() hands over output of any length, and keeps none of it", async () => {
  // 100 MB cannot be kept where the heap may have 64.
  const script = `
    import { readCommandLines } from ${JSON.stringify(new URL("../../lib/command.ts", import.meta.url).href)};
    const line = "a line é of a hundred bytes".padEnd(98, ".");
    let lines = 0;
    const argv = ["sh", "-c", \`yes '\${line}' | head -n 1000000\`];
    const code = await readCommandLines(argv, 60_000, (text) => {
      if (text === line) lines++;
    });
    console.log(code, lines);`;
  const node = [process.execPath, "--max-old-space-size=64", "--import", "tsx"];
  const argv = [...node, "--input-type=module", "--eval", script];
  const { stdout, stderr } = await readCommand(argv, 60_000);
  assert.equal(stdout, "0 1000000\n", stderr.slice(-500));
});

test("readCommandLines() returns the exit code, or null for a command that does not end", async () => {
  const read: string[] = [];
  const take = (line: string): void => void read.push(line);
  assert.equal(await readCommandLines(["sh", "-c", "echo a; echo b; exit 3"], 5000, take), 3);
  const begun = performance.now();
  assert.equal(await readCommandLines(["sh", "-c", "echo c; sleep 600"], 300, take), null);
  assert.equal(await readCommandLines(["sh", "-c", "echo d; sleep 15 &"], 60_000, take), 0);
  assert.ok(performance.now() - begun < 12_000);
  assert.deepEqual(read, ["a", "b", "c", "d"]);
  await assert.rejects(readCommandLines(["no-such-command-anywhere"], 5000, take), Unobservable);
});

test("readCommandLines() passes on what goes wrong with a line", async () => {
  const refuse = (): never => {
    throw new TypeError("not this line");
  };
  await assert.rejects(readCommandLines(["yes"], 5000, refuse), TypeError);
});

test("readCommand() is unobservable where the command is missing or does not end", async () => {
  await assert.rejects(readCommand(["no-such-command-anywhere"], 5000), Unobservable);
  const begun = performance.now();
  await assert.rejects(readCommand(["sleep", "600"], 200), Unobservable);
  // A shell that outlives its child for a moment ends by itself, with the child's 137.
  await assert.rejects(readCommand(["sh", "-c", "sleep 600; exit $?"], 200), Unobservable);
  assert.ok(performance.now() - begun < 5000);
});

// ---------------------------------------------------------------------------- systemd

/** What each captured `systemctl show` means for the bot. */
const UNIT_STATES: Record<string, "alive" | "starting" | RegExp> = {
  "show-running.txt": "alive",
  "show-append.txt": "alive",
  "show-crash-loop.txt": "alive",
  "show-need-daemon-reload.txt": "alive",
  "show-reloading.txt": "alive",
  "show-start-post.txt": "alive",
  "show-triggered.txt": "alive",
  "show-unprivileged.txt": "alive",
  "show-timestamp-unix.txt": "alive",
  "show-timestamp-zone.txt": "alive",
  "show-start-pre.txt": "starting",
  "show-starting-notify.txt": "starting",
  "show-auto-restart.txt": /died \(exit-code\).*automatic restart/,
  "show-failed-exec.txt": /failed.*exit-code.*203/,
  "show-failed-exit-1.txt": /failed.*exit-code.*exit status 1$/,
  "show-failed-signal.txt": /failed.*signal.*9/,
  "show-failed-start-timeout.txt": /failed.*timeout/,
  "show-start-limit-automatic.txt": /failed.*exit-code/,
  "show-start-limit-hit.txt": /failed.*start-limit-hit/,
  "show-start-limit-manual.txt": /failed.*exit-code/,
  "show-never-started.txt": /inactive \(dead\)/,
  "show-stopped.txt": /inactive \(dead\)/,
  "show-stopped-referenced.txt": /inactive \(dead\)/,
  "show-stopping.txt": /deactivating/,
  "show-masked.txt": /inactive \(dead\)/,
  "show-not-found.txt": /inactive \(dead\)/,
};

for (const [file, expected] of Object.entries(UNIT_STATES)) {
  test(`parseUnitState() says ${expected instanceof RegExp ? "what is wrong" : expected} for ${file}`, () => {
    const found = parseUnitState(parseUnit(readCaptured(file)));
    const state = found.state === "down" ? found.says : found.state;
    if (expected instanceof RegExp) assert.match(state, expected);
    else assert.equal(state, expected);
  });
}

test("parseUnit() is tried on every captured unit state", () => {
  const files = readdirSync(captured).filter(
    (name) => /^show-.*\.txt$/.test(name) && name !== "show-two-units.txt",
  );
  assert.deepEqual(files.sort(), Object.keys(UNIT_STATES).sort());
  for (const file of files)
    assert.equal(
      parseUnit(readCaptured(file)).Id,
      file === "show-not-found.txt" ? parseUnit(readCaptured(file)).Id : "cytube-bot.service",
    );
});

test("parseUnit() keeps everything behind the first equals sign", () => {
  assert.deepEqual(parseUnit("A=1\nB=\nC=x=y=z\nno equals\n=empty name\n"), {
    A: "1",
    B: "",
    C: "x=y=z",
  });
});

/** A systemctl that answers `show` with a captured text, and exits 64 for anything else. */
async function withSystemctl<T>(file: string, exit: number, act: () => Promise<T>): Promise<T> {
  const bin = createDirectory();
  const errors = join(captured, file.replace(".txt", ".stderr"));
  writeFileSync(
    join(bin, "systemctl"),
    `#!/bin/sh\n[ "$1" = show ] || exit 64\ncat "${join(captured, file)}"\n[ -f "${errors}" ] && cat "${errors}" >&2\nexit ${exit}\n`,
  );
  chmodSync(join(bin, "systemctl"), 0o755);
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    return await act();
  } finally {
    process.env.PATH = path;
    rmSync(bin, { recursive: true });
  }
}

test("readUnit() reads a unit, also one that has failed", async () => {
  assert.equal(
    (await withSystemctl("show-running.txt", 0, () => readUnit("cytube-bot.service"))).MainPID,
    parseUnit(readCaptured("show-running.txt")).MainPID,
  );
  assert.equal(
    (await withSystemctl("show-failed-exit-1.txt", 0, () => readUnit("cytube-bot.service")))
      .ActiveState,
    "failed",
  );
});

test("readUnit() is unobservable for units that are not there and hosts without systemd", async () => {
  const unseen: [file: string, exit: number, says: RegExp][] = [
    ["show-not-found.txt", 0, /not-found/],
    ["show-masked.txt", 0, /masked/],
    ["host-show.txt", 1, /systemctl exited 1/],
    ["no-bus.txt", 1, /systemctl exited 1/],
  ];
  for (const [file, exit, says] of unseen) {
    await withSystemctl(file, exit, () =>
      assert.rejects(
        readUnit("cytube-bot.service"),
        (error) => error instanceof Unobservable && says.test(error.message),
      ),
    );
  }
});

// ---------------------------------------------------------------------------- the journal's text

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

// ---------------------------------------------------------------------------- the health document

const answer = (over: Partial<HttpAnswer>): HttpAnswer => ({
  ms: 1,
  status: 200,
  headers: { "content-type": "application/json" },
  body: "{}",
  problem: null,
  code: "",
  ...over,
});

test("parseHealthAnswer() takes a 200 with a JSON object, whatever its content type", () => {
  assert.deepEqual(parseHealthAnswer(answer({ body: '{"status":"up"}' })), {
    document: { status: "up" },
    problem: null,
    status: 200,
    isUnseen: false,
  });
  assert.deepEqual(parseHealthAnswer(answer({ headers: {}, body: ' {"a":1}\n' })).document, {
    a: 1,
  });
});

test("parseHealthAnswer() says what is wrong with any other answer", () => {
  const refused: [Partial<HttpAnswer>, RegExp][] = [
    [{ problem: "connection refused" }, /^connection refused$/],
    [{ status: 500 }, /HTTP 500/],
    [{ status: 503, body: '{"status":"up"}' }, /HTTP 503/],
    [{ status: 204, body: "" }, /HTTP 204/],
    [
      { status: 302, headers: { location: "/login" } },
      /HTTP 302 to \/login; redirects are not followed/,
    ],
    [{ status: 301 }, /HTTP 301 to nowhere/],
    [{ body: "<!doctype html><p>Welcome" }, /HTML/],
    [{ body: "" }, /empty/],
    [{ body: '{"status":' }, /not JSON/],
    [{ body: "healthy" }, /not JSON/],
    [{ body: "[1]" }, /not an object/],
    [{ body: "null" }, /not an object/],
    [{ body: '"up"' }, /not an object/],
    [{ headers: { "content-encoding": "gzip" } }, /gzip/],
  ];
  for (const [over, says] of refused) {
    const { document, problem } = parseHealthAnswer(answer(over));
    assert.equal(document, null, JSON.stringify(over));
    assert.match(problem ?? "", says);
  }
});

test("parseHealthAnswer() tells an endpoint that cannot be looked at from one that is broken", () => {
  const failed = (code: string): Partial<HttpAnswer> => ({ status: null, problem: "no", code });
  const unseen: Partial<HttpAnswer>[] = [
    { status: 401 },
    { status: 403 },
    ...["EACCES", "EPERM", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EMFILE"].map(failed),
  ];
  const broken: Partial<HttpAnswer>[] = [
    { status: 404 },
    { status: 500 },
    { body: "<p>" },
    // Its headers had come when the connection broke.
    { status: 401, problem: "closed", code: "ECONNRESET" },
    ...["", "ECONNREFUSED", "ECONNRESET", "ENOENT", "HPE_INVALID_CONSTANT"].map(failed),
  ];
  for (const over of unseen) {
    assert.equal(parseHealthAnswer(answer(over)).isUnseen, true, JSON.stringify(over));
  }
  for (const over of broken) {
    assert.equal(parseHealthAnswer(answer(over)).isUnseen, false, JSON.stringify(over));
  }
});

test("openHealth() cannot look where the name is unknown, and sees that nothing listens", async () => {
  const ask = async (url: string) => {
    const config = configWith({ health: { url } });
    const reader = openHealth(config, openDatabaseReader(config));
    return reader.read(30_000);
  };
  const nowhere = await ask("http://no-such-host.invalid/api/health");
  assert.deepEqual([nowhere.document, nowhere.isUnseen], [null, true], nowhere.problem ?? "");
  const refused = await ask(`http://127.0.0.1:${await findFreePort()}/api/health`);
  assert.deepEqual([refused.document, refused.isUnseen], [null, false], refused.problem ?? "");
});

test("openHealth() cannot look where the query or its database is wrong", async () => {
  const { file, database } = createDatabase("delete");
  const ask = async (sql: string, file: string) => {
    const config = configWith({ health: { sql }, database: { file } });
    const reader = openDatabaseReader(config);
    const answer = await openHealth(config, reader).read(patientMs);
    reader.close();
    return [answer.document !== null, answer.isUnseen];
  };
  const row = "SELECT bot_connected FROM current_status";
  assert.deepEqual(await ask(row, file), [true, false]);
  assert.deepEqual(await ask("SELECT nothing FROM nowhere", file), [false, true]);
  // That there is no database, or no row in it, is the bot's to answer for.
  assert.deepEqual(await ask(row, `${file}.missing`), [false, false]);
  assert.deepEqual(await ask(`${row} WHERE 0`, file), [false, false]);
  database.close();
});

test("valueAt() answers the examples of RFC 6901", () => {
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
  };
  const examples: [string, unknown][] = [
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ];
  for (const [pointer, value] of examples)
    assert.deepEqual(valueAt(document, pointer), value, pointer);
  assert.equal(valueAt({ "~1": 1 }, "/~01"), 1);
});

test("valueAt() finds nothing where a document has nothing, prototypes included", () => {
  const document = { foo: ["bar"], text: "abc", none: null, __proto__: { inherited: 1 } };
  const absent = [
    "/missing",
    "/foo/1",
    "/foo/-",
    "/foo/01",
    "/foo/length",
    "/text/0",
    "/text/length",
    "/none/x",
    "/inherited",
  ];
  absent.push("/__proto__", "/constructor", "/toString", "/foo/constructor", "/foo/map");
  for (const pointer of absent) assert.equal(valueAt(document, pointer), undefined, pointer);
  assert.equal(valueAt(document, "/none"), null);
  assert.equal(valueAt(JSON.parse('{"__proto__":{"x":1}}'), "/__proto__/x"), 1);
});

const http = { url: "http://127.0.0.1:1/" };
const sql = { sql: "SELECT * FROM current_status" };

test("parseFields() reads the document of seed 000", () => {
  const document = {
    status: "up",
    connected: true,
    channel: "#lobby",
    environment: "prod",
    uptime: 30.5,
    user_count: 3,
    memory_mb: 99,
    last_activity: null,
  };
  const fields = parseFields(document, http, 5);
  assert.deepEqual(
    [
      fields.status,
      fields.connected,
      fields.channel,
      fields.environment,
      fields.uptime,
      fields.userCount,
      fields.heartbeat,
      fields.at,
      fields.fromSql,
    ],
    ["up", true, "#lobby", "prod", 30.5, 3, undefined, 5, false],
  );
});

test("parseFields() reads the document of seed 002", () => {
  const document = {
    status: "healthy",
    connected: true,
    channel: "#production-channel",
    uptime_seconds: 30,
    version: "v1.0.0",
  };
  const fields = parseFields(
    { ...document, user_count: 42, requests_handled: 0, error_count: 0 },
    http,
    5,
  );
  assert.deepEqual(
    [
      fields.status,
      fields.uptime,
      fields.version,
      fields.userCount,
      fields.requests,
      fields.errorCount,
      fields.environment,
    ],
    ["healthy", 30, "v1.0.0", 42, 0, 0, undefined],
  );
});

/** The public bot's row, whose status says "offline" while it is connected. */
const row = {
  id: 1,
  bot_name: "bot",
  channel_name: "lobby",
  status: "offline",
  bot_connected: 1,
  current_chat_users: 3,
  bot_start_time: 1795295000,
  last_updated: 1795295066,
};

test("parseFields() reads the public bot's current_status row, and not its status column", () => {
  const fields = parseFields(row, sql, 5);
  assert.deepEqual(
    [
      fields.status,
      fields.connected,
      fields.channel,
      fields.userCount,
      fields.startedAt,
      fields.heartbeat,
      fields.fromSql,
    ],
    [undefined, true, "lobby", 3, 1795295000, 1795295066, true],
  );
  assert.equal(parseFields(row, { ...sql, fields: { status: "/status" } }, 5).status, "offline");
});

test("parseFields() takes 0 and 1 for booleans from a row only", () => {
  assert.deepEqual(
    [0, 1, 2, "1", null, true].map((value) => parseFields({ connected: value }, sql, 5).connected),
    [false, true, 2, "1", null, true],
  );
  assert.deepEqual(
    [0, 1, "true", true].map((value) => parseFields({ connected: value }, http, 5).connected),
    [0, 1, "true", true],
  );
});

test("parseFields() lets configured pointers replace its own, the first that is there wins", () => {
  const document = { status: "up", bot: { state: "fine" }, users: { count: 3 }, user_count: 9 };
  const fields = parseFields(
    document,
    {
      ...http,
      fields: {
        status: "/bot/state",
        userCount: ["/nowhere", "/users/count"],
        version: "/nowhere",
      },
    },
    5,
  );
  assert.deepEqual([fields.status, fields.userCount, fields.version], ["fine", 3, undefined]);
});

test("parseInstant() reads epoch seconds, epoch milliseconds and ISO 8601", () => {
  const at = Date.UTC(2026, 10, 21, 21, 4, 26);
  for (const value of [
    at / 1000,
    at,
    String(at / 1000),
    String(at),
    "2026-11-21T21:04:26Z",
    "2026-11-21T21:04:26.000Z",
    "2026-11-21T16:04:26-05:00",
  ])
    assert.equal(parseInstant(value), at, String(value));
  assert.equal(parseInstant(at / 1000 + 0.5), at + 500);
  // SQLite's CURRENT_TIMESTAMP is UTC and does not say so.
  assert.equal(parseInstant("2026-11-21 21:04:26"), at);
  assert.equal(parseInstant("2026-11-21 21:04:26.500"), at + 500);
});

test("parseInstant() takes nothing else for a time", () => {
  for (const value of [
    undefined,
    null,
    true,
    {},
    [],
    "",
    "never",
    "just now",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    0,
    "tick 7",
    "user 12",
  ])
    assert.equal(parseInstant(value), null, JSON.stringify(value));
});

// ---------------------------------------------------------------------------- health over HTTP

const limits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, limit]) => [name, limit.prod]),
);
function configWith(over: Record<string, unknown>): Config {
  return { limits, headers: {}, off: {}, health: {}, ...over } as unknown as Config;
}

async function withServer<T>(
  listener: RequestListener,
  act: (url: string, server: Server) => Promise<T>,
  socket?: string,
): Promise<T> {
  const server = createServer(listener);
  server.listen(socket ? { path: socket } : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  try {
    return await act(
      socket ? "http://localhost" : `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      server,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const noDatabase = {} as DatabaseReader;
const readHealthOnce = (health: object, timeoutMs = 2000, headers: Record<string, string> = {}) =>
  openHealth(configWith({ health, headers }), noDatabase).read(timeoutMs);

test("openHealth() reads a document over TCP and over a UNIX socket, with its headers", async () => {
  const listener: RequestListener = (request, response) =>
    response.end(
      JSON.stringify({
        path: request.url,
        key: request.headers["x-key"],
        encodings: request.headers["accept-encoding"] ?? null,
      }),
    );
  await withServer(listener, async (url) => {
    const { document, problem } = await readHealthOnce({ url: `${url}/api/health?full=1` }, 2000, {
      "x-key": "abc",
    });
    assert.deepEqual(
      [document, problem],
      [{ path: "/api/health?full=1", key: "abc", encodings: null }, null],
    );
  });
  const directory = createDirectory();
  const socket = join(directory, "bot.sock");
  await withServer(
    listener,
    async (url) =>
      assert.equal((await readHealthOnce({ url: `${url}/h`, socket })).document?.path, "/h"),
    socket,
  );
  rmSync(directory, { recursive: true });
});

test("openHealth() ends in time and in bytes, whatever the endpoint does", async () => {
  const drip: RequestListener = (_, response) => {
    response.write("{");
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };
  const flood: RequestListener = (_, response) => {
    const chunk = "x".repeat(65_536);
    const more = (): void =>
      void (
        response.destroyed ||
        (response.write(chunk) ? setImmediate(more) : response.once("drain", more))
      );
    more();
  };
  const trickledHeaders: RequestListener = (request) => {
    const timer = setInterval(() => request.socket.write("HTTP/1.1 200 OK\r\nX: y\r\n"), 20);
    request.socket.on("close", () => clearInterval(timer));
  };
  const bad: [name: string, listener: RequestListener, says: RegExp][] = [
    ["no answer", () => {}, /no whole response within 300 ms$/],
    ["a drip", drip, /no whole response within 300 ms \(\d+ bytes came\)/],
    ["a flood", flood, /larger than 1048576 bytes|no whole response/],
    ["endless headers", trickledHeaders, /./],
    [
      "a cut",
      (_, response) =>
        response.writeHead(200, { "content-length": "100" }).write("{") &&
        setImmediate(() => response.destroy()),
      /closed|terminated|aborted/,
    ],
    [
      "a redirect to itself",
      (_, response) => response.writeHead(302, { location: "/" }).end(),
      /redirects are not followed/,
    ],
  ];
  for (const [name, listener, says] of bad) {
    await withServer(listener, async (url) => {
      const begun = performance.now();
      const { document, problem } = await readHealthOnce({ url }, 300);
      assert.equal(document, null, name);
      assert.match(problem ?? "", says, name);
      assert.ok(performance.now() - begun < 1500, `${name} took ${performance.now() - begun} ms`);
    });
  }
});

test("openHealth() says that nothing listens", async () => {
  const url = await withServer(
    () => {},
    async (address) => address,
  );
  assert.match((await readHealthOnce({ url })).problem ?? "", /connection refused/);
  assert.match(
    (await readHealthOnce({ url, socket: join(projectDirectory, "no-such.sock") })).problem ?? "",
    /no such socket/,
  );
});

// ---------------------------------------------------------------------------- the database

test("parseLockHolder() finds who holds a write lock on a byte", () => {
  const locks = `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 1073741825 1073741825
2: POSIX  ADVISORY  READ  1235 08:01:5678 1073741826 1073742335
3: FLOCK  ADVISORY  WRITE 1236 00:1a:77 0 EOF
4: POSIX  ADVISORY  WRITE 1237 08:01:99 120 127
4: -> POSIX  ADVISORY  WRITE 1238 08:01:100 120 120
5: OFDLCK ADVISORY  READ  -1 08:01:101 120 120
`;
  const holder = (inode: number, byte: number) => parseLockHolder(locks, inode, byte);
  assert.deepEqual(
    [holder(5678, 1073741825), holder(5678, 1073741826), holder(5678, 1073741824)],
    [1234, null, null],
  );
  assert.deepEqual(
    [
      holder(77, 0),
      holder(77, 1e9),
      holder(99, 119),
      holder(99, 120),
      holder(99, 127),
      holder(99, 128),
    ],
    [null, null, null, 1237, 1237, null],
  );
  // SQLite takes POSIX locks; another kind with this inode's number is of another file system.
  assert.equal(parseLockHolder("1: OFDLCK ADVISORY  WRITE -1 08:01:5678 0 EOF\n", 5678, 120), null);
  // Who waits for a lock does not hold it, and a reader holds none.
  assert.deepEqual(
    [holder(100, 120), holder(101, 120), holder(1, 120), parseLockHolder("", 1, 120)],
    [null, null, null, null],
  );
});

const root = createDirectory();
const readers: DatabaseReader[] = [];
after(() => {
  for (const reader of readers) reader.close();
  rmSync(root, { recursive: true, force: true });
});

/**
 * How long a look may wait for a lock. The deadline of the child that looks is made of it, too, and
 * on a busy machine a Node takes seconds to start.
 */
const patientMs = 30_000;

function openReader(file: string, over: { backup?: string; busyMs?: number } = {}): DatabaseReader {
  const reader = openDatabaseReader(
    configWith({
      database: { file, backup: over.backup },
      limits: { ...limits, databaseMsMax: over.busyMs ?? patientMs },
    }),
  );
  readers.push(reader);
  return reader;
}

async function inspect(
  file: string,
  over: { backup?: string; busyMs?: number } = {},
): Promise<DatabaseEvidence> {
  const reader = openReader(file, over);
  const evidence = await reader.inspect();
  reader.close();
  return evidence;
}

let databases = 0;
type Made = { file: string; directory: string; database: Database.Database };

/**
 * A database in a directory of its own, so that whatever is left beside it is seen; `owner` has
 * them both.
 */
function createDatabase(mode: "wal" | "delete", owner = 0): Made {
  const directory = join(root, `database-${databases++}`);
  mkdirSync(directory);
  const file = join(directory, "bot_data.db");
  const database = new Database(file);
  database.pragma(`journal_mode = ${mode}`);
  database.exec(
    "CREATE TABLE current_status (id INTEGER PRIMARY KEY, bot_connected INTEGER, last_updated INTEGER); CREATE TABLE user_stats (name TEXT)",
  );
  database.exec("INSERT INTO current_status VALUES (1, 1, 1795295066)");
  for (const path of [directory, ...readdirSync(directory).map((name) => join(directory, name))])
    chownSync(path, owner, owner);
  return { file, directory, database };
}

/** Makes it large enough that there are pages to damage. */
function fill(database: Database.Database): void {
  const insert = database.prepare("INSERT INTO user_stats VALUES (?)");
  database.transaction(() => {
    for (let index = 0; index < 2000; index++) insert.run("x".repeat(100));
  })();
}

for (const mode of ["wal", "delete"] as const) {
  test(`inspect() sees a sound database in journal mode ${mode} beside its writer, and leaves it as it was`, async () => {
    const { file, directory, database } = createDatabase(mode);
    const before = readdirSync(directory).sort();
    const evidence = await inspect(file);
    assert.deepEqual(
      [
        evidence.open,
        evidence.journalMode,
        evidence.tables.sort(),
        evidence.integrity?.lines,
        evidence.writeLock,
      ],
      [null, mode === "wal" ? "wal" : "rollback", ["current_status", "user_stats"], ["ok"], null],
    );
    assert.equal(evidence.bytes, statSync(file).size);
    assert.ok((evidence.diskFreeMb ?? 0) > 0);
    assert.deepEqual(readdirSync(directory).sort(), before);
    database.exec("INSERT INTO user_stats VALUES ('x')");
    database.close();
  });
}

test("inspect() sees tables that are still in the WAL only", async () => {
  const { file, database } = createDatabase("wal");
  database.pragma("wal_autocheckpoint = 0");
  database.exec("CREATE TABLE late (x)");
  assert.ok((await inspect(file)).tables.includes("late"));
  database.close();
});

test("inspect() does not create a database that is missing", async () => {
  const directory = join(root, "missing");
  mkdirSync(directory);
  const { open, bytes } = await inspect(join(directory, "bot_data.db"));
  assert.deepEqual([open?.code, bytes, readdirSync(directory)], ["ENOENT", null, []]);
});

test("inspect() reads an empty file as a database without tables", async () => {
  const file = join(root, "empty.db");
  writeFileSync(file, "");
  const { open, tables, bytes } = await inspect(file);
  assert.deepEqual([open, tables, bytes], [null, [], 0]);
});

test("inspect() tells what is not a database from what cannot be read", async () => {
  const text = join(root, "text.db");
  writeFileSync(text, "this is no database, but it is longer than the header of one ".repeat(5));
  assert.match((await inspect(text)).open?.code ?? "", /NOTADB/);
  assert.match((await inspect(root)).open?.code ?? "", /EISDIR|CANTOPEN/);
});

test("inspect() finds a damaged page", async () => {
  const { file, database } = createDatabase("delete");
  fill(database);
  database.close();
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(4096, 0xff), 0, 4096, 4096 * 10);
  closeSync(descriptor);
  const { open, integrity } = await inspect(file);
  assert.equal(open, null);
  assert.notDeepEqual(integrity?.lines, ["ok"]);
  assert.ok((integrity?.lines.length ?? 0) > 0);
});

test("inspect() finds a database that was cut", async () => {
  const { file, database } = createDatabase("delete");
  fill(database);
  database.close();
  truncateSync(file, statSync(file).size - 8192);
  const { open, integrity } = await inspect(file);
  assert.ok(
    /CORRUPT/.test(open?.code ?? "") ||
      /malformed|CORRUPT|exceed|invalid|out of/i.test(integrity?.lines.join() ?? ""),
    JSON.stringify({ open, integrity }),
  );
});

/** How long is waited where a lock stays: the bound that a test of it is about. */
const lockMs = 3000;

test("inspect() names the process that keeps a write lock, in both journal modes", async () => {
  for (const mode of ["wal", "delete"] as const) {
    const { file, database } = createDatabase(mode);
    database.exec("BEGIN IMMEDIATE; INSERT INTO user_stats VALUES ('x')");
    const { open, writeLock } = await inspect(file, { busyMs: lockMs });
    assert.deepEqual([open, writeLock?.pid], [null, process.pid], mode);
    assert.ok((writeLock?.ms ?? 0) >= lockMs, `${mode}: ${writeLock?.ms} ms`);
    database.exec("COMMIT");
    assert.equal((await inspect(file)).writeLock, null, mode);
    database.close();
  }
});

test("inspect() does not take a commit for a lasting lock", async () => {
  const { file, database } = createDatabase("wal");
  const reader = openReader(file, { busyMs: 1500 });
  database.exec("BEGIN IMMEDIATE; INSERT INTO user_stats VALUES ('x')");
  const timer = setTimeout(() => database.exec("COMMIT"), 700);
  const { open, writeLock } = await reader.inspect();
  clearTimeout(timer);
  assert.deepEqual([open, writeLock], [null, null]);
  database.close();
});

test("inspect() says busy, not corrupt, while another process locks everything", async () => {
  const { file, database } = createDatabase("delete");
  database.exec("BEGIN EXCLUSIVE");
  const { open, openMs } = await inspect(file, { busyMs: lockMs });
  assert.match(open?.code ?? "", /BUSY/);
  assert.ok(openMs >= lockMs);
  database.exec("ROLLBACK");
  database.close();
});

test("inspect() leaves a large rollback-journal database alone and checks its newest backup", async () => {
  const { file, directory, database } = createDatabase("delete");
  database.close();
  const backups = join(directory, "backups");
  mkdirSync(backups);
  copyFileSync(file, join(backups, "good.db"));
  // SQLite ignores what follows the pages that the header counts.
  truncateSync(file, 60 << 20);
  const without = await inspect(file);
  assert.equal(without.integrity, null);
  assert.match(without.integrityOff ?? "", /60 MB.*database\.backup/);
  const checked = await inspect(file, { backup: backups });
  assert.deepEqual(
    [checked.integrity?.file, checked.integrity?.lines],
    [join(backups, "good.db"), ["ok"]],
  );
});

test("query() reads the public bot's row, and at most two rows", async () => {
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  assert.deepEqual(
    await reader.query("SELECT bot_connected, last_updated FROM current_status", patientMs),
    {
      rows: [{ bot_connected: 1, last_updated: 1795295066 }],
      problem: null,
      code: "",
    },
  );
  assert.equal(
    (
      await reader.query(
        "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT x FROM n",
        patientMs,
      )
    ).rows.length,
    2,
  );
  assert.match((await reader.query("SELECT * FROM nowhere", patientMs)).problem ?? "", /nowhere/);
  for (const write of [
    "DELETE FROM current_status",
    "WITH x AS (SELECT 1) DELETE FROM current_status",
    "CREATE TABLE evil (x)",
  ])
    assert.ok((await reader.query(write, patientMs)).problem, write);
  assert.equal(database.prepare("SELECT count(*) AS n FROM current_status").pluck().get(), 1);
  reader.close();
  database.close();
});

test("query() ends a query that does not end, and the next one is answered", async () => {
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  const endless =
    "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT max(x) AS m FROM n";
  assert.match((await reader.query(endless, 100)).problem ?? "", /no answer within/);
  assert.equal(
    (await reader.query("SELECT count(*) AS n FROM current_status", patientMs)).rows.length,
    1,
  );
  reader.close();
  database.close();
});

/** The pids of this process's children. */
const ownChildren = (): number[] => readTree(process.pid).slice(1);

test("close() leaves no process behind", async () => {
  const before = new Set(ownChildren());
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  await reader.inspect();
  const started = ownChildren().filter((pid) => !before.has(pid));
  assert.equal(started.length, 1);
  reader.close();
  await until("the child is gone", () => !sendSignal(started[0] as number, 0));
  database.close();
});

/**
 * Inspects as another user, under setpriv, so that the reader's child has that uid too. A file,
 * because fork() would pass on `--eval`.
 */
function inspectAs(uid: number, file: string): DatabaseEvidence {
  const script = join(root, "inspect.mjs");
  const config = JSON.stringify({
    database: { file },
    limits: { ...limits, databaseMsMax: patientMs },
  });
  const project = projectFor(uid);
  const code = `import { openDatabaseReader } from ${JSON.stringify(join(project, "lib/probes/database.ts"))};
const reader = openDatabaseReader(${config});
console.log(JSON.stringify(await reader.inspect()));
reader.close();
`;
  writeFileSync(script, code);
  const command = [
    `--reuid=${uid}`,
    `--regid=${uid}`,
    "--clear-groups",
    "--",
    process.execPath,
    "--import",
    "tsx",
    script,
  ];
  const { stdout, stderr, status } = spawnSync("setpriv", command, {
    encoding: "utf8",
    cwd: project,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as DatabaseEvidence;
}

const stranger = 1234;

/** Names and owners of what is in a directory: what a look from outside must not change. */
const picture = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map((name) => `${name} ${statSync(join(directory, name)).uid}`);

test("inspect() as another user reads a WAL database beside its running bot, and leaves no file of its own", async () => {
  await buildOnce();
  const { file, directory, database } = createDatabase("wal", unprivilegedUid);
  const before = picture(directory);
  assert.equal(before.length, 3);
  const evidence = inspectAs(stranger, file);
  assert.deepEqual(
    [evidence.open, evidence.tables.length, evidence.integrity?.lines],
    [null, 2, ["ok"]],
  );
  assert.deepEqual(picture(directory), before);
  database.close();
});

test("inspect() as another user never creates files beside a WAL database at rest, not even where it could", async () => {
  await buildOnce();
  for (const mode of [0o755, 0o777]) {
    const { file, directory, database } = createDatabase("wal", unprivilegedUid);
    database.close();
    chmodSync(directory, mode);
    const before = picture(directory);
    assert.deepEqual(before, [`bot_data.db ${unprivilegedUid}`]);
    const { open } = inspectAs(stranger, file);
    assert.ok(open, `mode ${mode.toString(8)}: it was opened`);
    assert.doesNotMatch(open.code, /CORRUPT|NOTADB/);
    assert.deepEqual(picture(directory), before, `mode ${mode.toString(8)}`);
  }
});

test("inspect() as another user never creates the half of -wal and -shm that a crash has left out", async () => {
  await buildOnce();
  for (const lost of ["-wal", "-shm"]) {
    const { directory, database } = createDatabase("wal", unprivilegedUid);
    const crashed = join(root, `crashed${lost}`);
    mkdirSync(crashed);
    for (const name of readdirSync(directory))
      copyFileSync(join(directory, name), join(crashed, name));
    database.close();
    unlinkSync(join(crashed, `bot_data.db${lost}`));
    for (const path of [crashed, ...readdirSync(crashed).map((name) => join(crashed, name))])
      chownSync(path, unprivilegedUid, unprivilegedUid);
    chmodSync(crashed, 0o777);
    const before = picture(crashed);
    inspectAs(stranger, join(crashed, "bot_data.db"));
    assert.deepEqual(picture(crashed), before, `without ${lost}`);
  }
});

test("inspect() as another user says that it may not read, and not that the database is bad", async () => {
  await buildOnce();
  const { file, directory, database } = createDatabase("delete", unprivilegedUid);
  database.close();
  chmodSync(file, 0o600);
  assert.match(inspectAs(stranger, file).open?.code ?? "", /EACCES|CANTOPEN/);
  chmodSync(file, 0o644);
  chmodSync(directory, 0o700);
  assert.match(inspectAs(stranger, file).open?.code ?? "", /EACCES|CANTOPEN/);
});

test("inspect() as root leaves no file of root beside another user's database, at rest or running", async () => {
  for (const mode of ["wal", "delete"] as const) {
    const { file, directory, database } = createDatabase(mode, unprivilegedUid);
    assert.equal((await inspect(file)).open, null, `${mode}, running`);
    database.close();
    for (const name of readdirSync(directory))
      chownSync(join(directory, name), unprivilegedUid, unprivilegedUid);
    assert.equal((await inspect(file)).open, null, `${mode}, at rest`);
    assert.ok(
      picture(directory).every((entry) => entry.endsWith(` ${unprivilegedUid}`)),
      String(picture(directory)),
    );
  }
});
