/** config --get: what scripts read out of a config. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Settings } from "../support/harness.ts";
import { Host } from "../support/played-host.ts";

describe("config --get", { concurrency: 2 }, () => {
  const get = async (keys: string, over: Settings = {}): Promise<string[]> => {
    const host = new Host(over);
    const run = await host.run(["config", "--get", keys]);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    return run.stdout.replaceAll(host.directory, "DIR").split("\n");
  };

  test("prints a line for each key, lists joined by blanks, and an empty one for what is not set", async () =>
    assert.deepEqual(
      await get(
        "process.unit,process.pidFile, release.directory,release.current,rollback.auto,rollback.command,database.file,errorLogs.files,off,metrics.file",
        {
          errorLogs: { files: ["bot.log", "other.log"] },
          rollback: { command: ["sh", "-c", "true"] },
          off: { user_count: "nobody counts", "connection.heartbeat": "this bot has none" },
        },
      ),
      [
        "",
        "DIR/bot.pid",
        "DIR/releases",
        "DIR/current",
        "true",
        "sh -c true",
        "DIR/bot_data.db",
        "DIR/bot.log DIR/other.log",
        "user_count connection.heartbeat",
        "",
        "",
      ],
    ));

  test("prints false and numbers, and masks secrets", async () =>
    assert.deepEqual(
      await get("rollback.auto,rollback.maxPerDay,limits.watchSeconds,health.url,chatServer.url", {
        rollback: { auto: false },
        health: { url: "http://joe:hunter2-hunter2@127.0.0.1:9/api/health" },
      }),
      ["false", "3", "0", "http://joe:***@127.0.0.1:9/api/health", "", ""],
    ));

  for (const [keys, complaint] of [
    ["no.such", /^--get: there is no key "no\.such"$/m],
    [
      "process.unit,process.unti",
      /^--get: there is no key "process\.unti"; did you mean "process\.unit"\?$/m,
    ],
    ["secrets", /^--get: there is no key "secrets"/m],
    ["process.unit,", /^--get names an empty key$/m],
  ] as const) {
    test(`refuses ${keys}`, async () => {
      const run = await new Host().run(["config", "--get", keys]);
      assert.deepEqual([run.code, run.stdout], [64, ""]);
      assert.match(run.stderr, complaint);
    });
  }
});
