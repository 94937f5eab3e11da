/** The flags that a verdict leaves, and when it asks for a rollback. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { formatLogLine } from "../support/bot.ts";
import { findFreePort, onCleanup, type Run } from "../support/harness.ts";
import { passedNow, twoReleases, withHost } from "../support/played-host.ts";

describe("the flags of a verdict", { concurrency: 2 }, () => {
  test("a pass under the unit leaves .passed, and takes an old .rollback away", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.request();
      const run = await host.verify(["--json"]);
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(host.flags, ["prod.passed"]);
      assert.equal(readFileSync(host.at("flags/prod.passed"), "utf8"), `${run.json?.run}\n`);
      assert.deepEqual(Object.keys(host.state.passed).sort(), ["r1", "r2"]);
      assert.doesNotMatch(run.stderr, /rollback/);
    }));

  test("a failure of a candidate under the unit leaves .rollback, and takes an old .passed away", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      writeFileSync(host.at("flags/prod.passed"), "old\n");
      const run = await host.verify(["--json"]);
      assert.equal(run.code, 2, run.stderr);
      assert.deepEqual(host.flags, ["prod.rollback"]);
      const { schema, ...request } = JSON.parse(
        readFileSync(host.at("flags/prod.rollback"), "utf8"),
      );
      assert.deepEqual(request, {
        by: "verdict",
        run: run.json?.run,
        releaseId: "r2",
        checks: ["connection"],
        to: null,
        emergency: false,
      });
      assert.match(schema, /^\w+/);
      assert.match(run.stderr, /^a rollback is due$/m);
    }));

  test("a candidate that is not there to be looked at is known by what current names", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2");
      const run = await host.verify(["--json"]);
      assert.deepEqual(
        [run.code, run.json?.identity, run.json?.releaseId],
        [1, null, "r2"],
        run.stderr,
      );
      assert.deepEqual(host.flags, ["prod.rollback"]);
    }));

  test("a failure of a release that has passed leaves no flag, and says why", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      host.remember({ passed: { r1: passedNow(), r2: passedNow() } });
      const run = await host.verify();
      assert.equal(run.code, 2, run.stderr);
      assert.deepEqual(host.flags, []);
      assert.match(run.stderr, /^no rollback: r2 has passed before/m);
    }));

  test("an unknown leaves no flag", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--without=connected");
      await host.start();
      const run = await host.verify(["--json"]);
      assert.deepEqual([run.code, run.json?.verdict], [2, "unknown"], run.stderr);
      assert.deepEqual(host.flags, []);
    }));

  test("a run that is ended by SIGTERM leaves none, and has taken the old ones away", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start({}, { limits: { watchSeconds: 30 } });
      host.request();
      writeFileSync(host.at("flags/prod.passed"), "old\n");
      const run = await host.verify([], {
        onLine: [{ line: /^watch: /m, act: (child) => child.kill("SIGTERM") }],
      });
      assert.equal(run.code, 143, run.stderr);
      assert.deepEqual(host.flags, []);
      assert.equal(host.state.unjudged.length, 1);
    }));

  test("a manual run leaves the flags alone, whether it passes or fails", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.request();
      assert.equal((await host.run([])).code, 0);
      assert.deepEqual(host.flags, ["prod.rollback"], "a pass");
      rmSync(host.at("flags/prod.rollback"));
      host.remember({ passed: { r1: passedNow() } });
      host.deploy("r2", "--field=connected=false");
      await host.start();
      const run = await host.run([]);
      assert.equal(run.code, 2, run.stderr);
      assert.deepEqual(host.flags, [], "a failure");
      assert.doesNotMatch(run.stderr, /rollback/);
    }));

  test("a pass that the log does not take leaves no .passed", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start({}, { log: { file: "." } });
      const run = await host.verify();
      assert.equal(run.code, 73, run.stderr);
      assert.deepEqual(host.flags, []);
    }));

  test("flags that cannot be written change nothing about the verdict", async () =>
    withHost(twoReleases({ state: { flags: "none" } }), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start({}, { state: { flags: "none" } });
      const run = await host.verify();
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^no rollback: the flag could not be written: ENOENT/m);
    }));
});

test("ERROR lines roll a release back only where no earlier release has logged them, whatever their numbers", async () =>
  withHost(twoReleases(), async (host) => {
    const failWith = async (text: string): Promise<Run> => {
      await host.start();
      writeFileSync(host.at("bot.log"), formatLogLine(new Date(), "ERROR", text), { flag: "a" });
      const run = await host.verify();
      assert.equal(run.code, 9, run.stderr);
      return run;
    };
    host.point("r1");
    host.remember({});
    assert.match((await failWith("cannot join room 17 at 0xfe12")).stderr, /^a rollback is due$/m);
    host.point("r2");
    assert.match(
      (await failWith("cannot join room 4 at 0x00ab")).stderr,
      /^no rollback: an earlier release logged the same errors$/m,
    );
    assert.deepEqual(host.flags, []);
    assert.match((await failWith("the database is gone")).stderr, /^a rollback is due$/m);
    assert.deepEqual(host.flags, ["prod.rollback"]);
  }));

describe("the chat server, when the bot is not connected", { concurrency: 2 }, () => {
  async function serve(status: number, body = "CyTube"): Promise<string> {
    const server = createServer((_, response) => response.writeHead(status).end(body)).listen(
      0,
      "127.0.0.1",
    );
    onCleanup(() => server.close());
    await new Promise((listening) => server.once("listening", listening));
    server.unref();
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  for (const [what, open, due] of [
    ["up", () => serve(200), true],
    ["up and moved", () => serve(302), true],
    ["up and closed to strangers", () => serve(403), true],
    ["down with 503", () => serve(503), false],
    ["not there", async () => `http://127.0.0.1:${await findFreePort()}/`, false],
  ] as [string, () => Promise<string>, boolean][]) {
    test(`is ${what}: ${due ? "a rollback is due" : "no rollback"}`, async () =>
      withHost(twoReleases(), async (host) => {
        host.deploy("r2", "--field=connected=false");
        await host.start({}, { chatServer: { url: await open() } });
        const run = await host.verify();
        assert.equal(run.code, 2, run.stderr);
        assert.deepEqual(host.flags, due ? ["prod.rollback"] : []);
        assert.match(
          run.stderr,
          due ? /^a rollback is due$/m : /^no rollback: the chat server itself is down$/m,
        );
      }));
  }
});
