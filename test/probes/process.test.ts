/**
 * The bot's process: what is parsed out of the kernel's words, and what is seen of real processes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ProcessStat,
  parseMatches,
  parsePidFile,
  parseProcessStat,
  readOpenFiles,
  readProcessStat,
  readTree,
} from "../../lib/probes/process.ts";
import { createDirectory, projectDirectory, startProcess, until } from "../support/harness.ts";

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
