/** What a bot and its children use: measured on real processes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Unobservable } from "../../lib/attempt.ts";
import { readTree } from "../../lib/probes/process.ts";
import { readUsage } from "../../lib/probes/usage.ts";
import { startProcess } from "../support/harness.ts";

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
