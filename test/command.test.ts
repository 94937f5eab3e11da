/**
 * Commands: what real ones are given and what comes back, and that none is waited for without an
 * end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Unobservable } from "../lib/attempt.ts";
import { readCommand, readCommandLines } from "../lib/command.ts";

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
    import { readCommandLines } from ${JSON.stringify(new URL("../lib/command.ts", import.meta.url).href)};
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
