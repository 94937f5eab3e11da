/** Which logs of a bot are read, and since when. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "../../lib/config.ts";
import { followLogs } from "../../lib/probes/logs.ts";
import { configWith } from "../support/config.ts";
import { createDirectory } from "../support/harness.ts";
import { now, recent } from "../support/log-text.ts";

const never = new AbortController().signal;

test("followLogs() looks back to the start of the bot, to the second, and never further than the window", async () => {
  const file = join(createDirectory(), "bot.log");
  const startedAt = now - 100_000 + 700;
  const lines = [
    recent("ERROR", "before the window", 400),
    recent("ERROR", "before the start", 101),
    recent("ERROR", "in the second of the start", 100),
  ];
  writeFileSync(file, [...lines, recent("INFO", "x"), ""].join("\n"));
  const errorsWhen = async (bornAt: number): Promise<number | undefined> => {
    const config = {
      ...configWith({}),
      process: {},
      errorLogs: { files: [file], timeZone: "utc", silent: true },
    } as unknown as Config;
    const identity = {
      pid: process.pid,
      startTicks: 1,
      startedAt: bornAt,
      bootId: "",
      invocation: null,
    };
    const found = { source: "", matches: [], unit: null, stat: null, identity, trouble: null };
    const [follower] = await followLogs(config, found, never);
    follower?.close();
    return follower?.source.tally.errors;
  };
  assert.equal(await errorsWhen(startedAt), 1);
  assert.equal(await errorsWhen(now - 3_600_000), 2);
});
