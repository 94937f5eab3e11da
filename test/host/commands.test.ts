/**
 * What the program does on a host with releases and systemd units, across its commands: a bot that
 * a person restarts, ticks of the burn-in, and what was found wrong once. The bots, their releases
 * and the verifier are real; only systemctl is played, because its units are tested elsewhere.
 */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { UnitProperties } from "../../lib/probes/unit.ts";
import type { RollbackRequest } from "../../lib/releases/state.ts";
import {
  findFreePort,
  merge,
  onCleanup,
  readIfThere,
  type Settings,
  unprivilegedUid,
} from "../support/harness.ts";
import { Host, passedNow, twoReleases, withHost } from "../support/played-host.ts";
import { asked, first, second, showOf, unitOf } from "../support/units.ts";

// ---------------------------------------------------------------------------- restarts by people

describe("a unit's bot that is restarted during its verification", { concurrency: 2 }, () => {
  /** A bot under a unit that is played: what systemctl shows follows the bot's pid file. */
  async function unitHost(watchSeconds: number): Promise<Host> {
    const host = twoReleases();
    await host.start();
    const config = readFileSync(host.configure({ limits: { watchSeconds } }), "utf8").replace(
      "pidFile: bot.pid",
      "unit: cytube-bot.service",
    );
    writeFileSync(host.file, config.replace("errorLogs:", "errorLogs:\n  journal: false"));
    show(host, {});
    return host;
  }
  function show(host: Host, over: UnitProperties): void {
    writeFileSync(
      host.at("units/next"),
      showOf(unitOf({ MainPID: String(host.bot?.pid()), ...over })),
    );
    renameSync(host.at("units/next"), host.at("units/cytube-bot.service"));
  }
  const dead = { MainPID: "0", ActiveState: "deactivating", SubState: "stop-sigterm" };

  test("by a person: the record says superseded, and the new start is judged", async () => {
    const host = await unitHost(2);
    await withHost(host, async () => {
      const restart = async (): Promise<void> => {
        show(host, dead);
        await host.bot?.restart();
        show(host, { InvocationID: second });
      };
      const run = await host.verify(["--json"], { onLine: [{ line: /^watch: /m, act: restart }] });
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(
        host.records.map(({ verdict, exit }) => [verdict, exit]),
        [
          ["superseded", 75],
          [run.json?.verdict, 0],
        ],
      );
      assert.deepEqual(
        [host.flags, host.state.last?.start],
        [["prod.judged", "prod.passed"], second],
      );
      assert.equal(
        readIfThere(host.at("flags/prod.judged")),
        `cytube-bot.service ${second}\n`,
        "ExecStopPost= of the verification reads this",
      );
    });
  });

  test("by systemd: a failure of the watch, and a rollback is due", async () => {
    const host = await unitHost(3);
    await withHost(host, async () => {
      const crash = async (): Promise<void> => {
        show(host, dead);
        await host.bot?.restart();
        show(host, { InvocationID: second, NRestarts: "1" });
      };
      const run = await host.verify(["--json"], { onLine: [{ line: /^watch: /m, act: crash }] });
      assert.equal(run.code, 11, run.stderr);
      assert.deepEqual(
        [host.records.map(({ verdict }) => verdict), host.flags],
        [["fail"], ["prod.judged", "prod.rollback"]],
      );
    });
  });

  test("stopped by a person: the record says aborted, nothing is due, exit 75, and a tick says paused", async () => {
    const host = await unitHost(3);
    await withHost(host, async () => {
      const stop = async (): Promise<void> => {
        show(host, { ...asked, MainPID: "0", ActiveState: "inactive", SubState: "dead" });
        await host.bot?.kill();
      };
      const run = await host.verify(["--json"], { onLine: [{ line: /^watch: /m, act: stop }] });
      assert.equal(run.code, 75, run.stderr);
      assert.deepEqual(
        [host.records.map(({ verdict }) => verdict), host.flags],
        [["aborted"], ["prod.judged"]],
      );
      const tick = await host.run(["burnin", "--json"]);
      assert.deepEqual(
        [tick.code, tick.json?.verdict, tick.json?.kind],
        [0, "paused", "burnin"],
        tick.stderr,
      );
    });
  });

  test("restarted three times without a verdict: that is the verdict, 11", async () => {
    const host = await unitHost(30);
    await withHost(host, async () => {
      const of = (start: string) => ({ NRestarts: "3", InvocationID: start });
      show(host, of(first));
      host.remember({ passed: { r1: passedNow() }, unjudged: ["c", "d"] });
      const two = await host.verify([], {
        onLine: [{ line: /^watch: /m, act: (child) => child.kill("SIGTERM") }],
      });
      assert.equal(two.code, 143, two.stderr);
      assert.deepEqual([host.state.unjudged, host.flags], [["c", "d", first], []]);
      show(host, of(second));
      const three = await host.verify(["--json"]);
      assert.equal(three.code, 11, three.stderr);
      assert.match(
        three.stderr + three.stdout,
        /systemd has restarted the bot 3 times, and no verification of it has come to a verdict/,
      );
      assert.deepEqual([host.state.unjudged, host.flags], [[], ["prod.judged", "prod.rollback"]]);
    });
  });
});

// ---------------------------------------------------------------------------- burnin

describe("burnin", { concurrency: 2 }, () => {
  test("a tick after a pass: exit 0, a record of its own, and no flag", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      assert.equal((await host.verify()).code, 0);
      const before = host.state;
      const tick = await host.run(["burnin", "--json"]);
      assert.equal(tick.code, 0, tick.stderr);
      assert.deepEqual(
        [tick.json?.kind, tick.json?.whole, host.records.length],
        ["burnin", false, 2],
      );
      const { burnin, ...state } = host.state;
      assert.deepEqual(
        [host.flags, state],
        [["prod.passed"], { ...before, burnin: undefined }].map((known) =>
          JSON.parse(JSON.stringify(known)),
        ),
      );
      assert.deepEqual(
        [burnin?.id, burnin?.accounts.map(({ run }) => run)],
        [before.last?.run, [tick.json?.run]],
      );
    }));

  test("a start that nobody has verified leaves .unverified", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const tick = await host.run(["burnin", "--json"]);
      assert.equal(tick.code, 0, tick.stderr);
      assert.deepEqual(
        [host.flags, readIfThere(host.at("flags/prod.unverified"))],
        [["prod.unverified"], `${tick.json?.run}\n`],
      );
      assert.match(tick.stderr, /^nobody has verified this start of the bot$/m);
    }));

  test("a tick that fails: exit 30, and neither a rollback nor a verdict about the release", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      assert.equal((await host.verify()).code, 0);
      host.deploy("r2", "--field=connected=false");
      await host.start();
      const tick = await host.run(["burnin", "--json"]);
      assert.deepEqual([tick.code, tick.json?.verdict], [30, "fail"], tick.stderr);
      assert.ok(!host.flags.includes("prod.rollback"));
      assert.equal(host.state.last?.exit, 0);
    }));

  const asTick = { CYTUBE_VERIFY_UNIT: "burnin" };
  const wanted: Settings = { burnin: { rollback: true } };
  const redFlags: {
    what: string;
    over: Settings;
    spoil: string;
    unit?: boolean;
    current?: string;
    chatDown?: boolean;
    why: string | null;
  }[] = [
    {
      what: "where the site asks for a rollback",
      over: wanted,
      spoil: "--field=connected=false",
      why: null,
    },
    {
      what: "where the site does not",
      over: {},
      spoil: "--field=connected=false",
      why: "burnin.rollback is not set",
    },
    {
      what: "of a release that is not current any more",
      over: wanted,
      spoil: "--status-code=500",
      current: "r1",
      why: "r2 is not the current release",
    },
    {
      what: "that the site does not roll back for",
      over: wanted,
      spoil: "--field=user_count=0",
      why: "user_count is not in rollback.on",
    },
    {
      what: "of a connection while the chat server is down",
      over: wanted,
      spoil: "--field=connected=false",
      chatDown: true,
      why: "the chat server itself is down",
    },
    {
      what: "of more than that while the chat server is down",
      over: wanted,
      spoil: "--status-code=500",
      chatDown: true,
      why: null,
    },
    {
      what: "seen by a person",
      over: wanted,
      spoil: "--field=connected=false",
      unit: false,
      why: "",
    },
  ];
  for (const { what, over, spoil, unit = true, current, chatDown, why } of redFlags) {
    test(`a red flag ${what}: ${why === null ? "a rollback is due" : "no rollback"}`, async () =>
      withHost(twoReleases(), async (host) => {
        host.deploy("r2", spoil);
        const chat = chatDown
          ? { chatServer: { url: `http://127.0.0.1:${await findFreePort()}/` } }
          : {};
        await host.start({}, merge(over, chat));
        host.remember({ passed: { r1: passedNow(), r2: passedNow() } });
        if (current) host.point(current);
        const tick = await host.run(["burnin", "--json"], { env: unit ? asTick : {} });
        assert.equal(tick.code, 30, tick.stderr);
        assert.equal(host.flags.includes("prod.rollback"), why === null, tick.stderr);
        if (why) assert.match(tick.stderr, new RegExp(`^no rollback: ${why}`, "m"));
        if (why !== null) return;
        assert.match(tick.stderr, /^a rollback is due$/m);
        const request = JSON.parse(readIfThere(host.at("flags/prod.rollback"))) as RollbackRequest;
        assert.deepEqual(
          [request.by, request.run, request.releaseId, request.checks],
          ["verdict", tick.json?.run, "r2", ["burnin"]],
        );
        assert.ok(
          !host.flags.includes("prod.unverified"),
          "a verification that begins now would take the request away",
        );
        assert.equal((await host.run(["rollback", "--switch"])).code, 0);
        assert.equal(host.current, "releases/r1");
      }));
  }

  test("a tick of the unit takes away a flag that somebody has left behind, and leaves one that somebody has just made", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      for (const [age, stays] of [
        [5, true],
        [120, false],
      ] as const) {
        host.request();
        utimesSync(
          host.at("flags/prod.rollback"),
          Date.now() / 1000 - age,
          Date.now() / 1000 - age,
        );
        assert.equal((await host.run(["burnin"], { env: asTick })).code, 0);
        assert.equal(host.flags.includes("prod.rollback"), stays);
      }
    }));
});

// ---------------------------------------------------------------------------- found wrong once

describe("what was found wrong once", { concurrency: 2 }, () => {
  const byCommand = (script: string): Settings => ({
    rollback: { auto: true, secondsMax: 3, command: ["sh", "-c", script] },
    release: null,
  });

  test("rollback.command that hangs exits 41 after rollback.secondsMax, with a record, and without the request", async () => {
    const host = twoReleases();
    host.configure(byCommand("sleep 60"));
    host.request({ releaseId: "1.4.2" });
    const run = await host.run(["rollback", "--switch"]);
    assert.equal(run.code, 41, run.stderr);
    assert.doesNotMatch(run.stderr, /Internal error/);
    assert.deepEqual([host.flags, host.rollbacks.map(({ exit }) => exit)], [[], [41]]);
  });

  test("rollback.command that does not exist exits 41, with a record", async () => {
    const host = twoReleases();
    host.configure({
      rollback: { auto: true, secondsMax: 3, command: ["/nonexistent/rollback-bot"] },
      release: null,
    });
    host.request({ releaseId: "1.4.2" });
    const run = await host.run(["rollback", "--switch"]);
    assert.equal(run.code, 41, run.stderr);
    assert.deepEqual([host.flags, host.rollbacks.map(({ exit }) => exit)], [[], [41]]);
  });

  test("rollback.command that fails is one rollback, not two", async () => {
    const host = twoReleases();
    host.configure(byCommand("exit 3"));
    host.request({ releaseId: "1.4.2" });
    assert.equal((await host.run(["rollback", "--switch"])).code, 41);
    assert.equal(host.state.rollbacks.length, 1);
  });

  test("--switch without a new request does not take up one that was cut short", async () => {
    const host = twoReleases();
    host.request();
    renameSync(host.at("flags/prod.rollback"), host.at("flags/prod.rolling"));
    const run = await host.run(["rollback", "--switch"]);
    assert.deepEqual([run.code, host.current], [42, "releases/r2"], run.stderr);
  });

  test("--to means nothing to rollback.command, and is refused", async () => {
    const host = twoReleases();
    host.configure(merge(byCommand("true"), { release: { directory: "releases" } }));
    const run = await host.run(["rollback", "--to", "nonsense", "--dry-run"]);
    assert.notEqual(run.code, 0, run.stdout);
  });

  test("--rollback without systemd keeps the check's code", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      // As where there is no systemctl, or for a person without sudo.
      writeFileSync(host.at("bin/systemctl"), "#!/bin/sh\necho not found >&2; exit 127\n");
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 2, run.stderr);
    }));

  test("--rollback by hand leaves no .passed", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(host.flags, []);
    }));

  test("a summary that cannot be written changes nothing about the verdict", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["--format", "github", "--only", "process"], {
        env: { GITHUB_STEP_SUMMARY: host.directory },
      });
      assert.equal(run.code, 0, run.stderr);
    }));

  test("a person is not told that the unit rolled back when it did nothing", async () => {
    const host = twoReleases();
    writeFileSync(host.at("units/start"), "exit 0\n");
    const run = await host.run(["rollback"]);
    assert.notEqual(run.code, 0);
    assert.doesNotMatch(run.stdout, /has rolled back/);
  });

  test("--switch that may not take the request exits 77, not 42", async () => {
    const host = twoReleases();
    host.request();
    const run = await host.run(["rollback", "--switch"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
  });

  test("--switch that may not write the state exits 77 without an internal error", async () => {
    const host = twoReleases();
    host.request();
    chmodSync(host.at("flags"), 0o777);
    chmodSync(host.at("flags/prod.rollback"), 0o666);
    chmodSync(host.directory, 0o777);
    const run = await host.run(["rollback", "--switch"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.doesNotMatch(run.stderr, /Internal error/);
    assert.equal(host.current, "releases/r2");
  });

  test("a chat server with a long page is up", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      const server = createServer((_, response) =>
        response.writeHead(200).end("x".repeat(3 << 20)),
      ).listen(0, "127.0.0.1");
      onCleanup(() => server.close());
      await new Promise((listening) => server.once("listening", listening));
      await host.start(
        {},
        { chatServer: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` } },
      );
      await host.verify();
      server.close();
      assert.deepEqual(host.flags, ["prod.rollback"]);
    }));

  test("a release that a person left is listed without empty parentheses", async () => {
    const host = twoReleases();
    const at = new Date().toISOString();
    host.remember({
      passed: { r1: passedNow() },
      quarantined: { r1: { at, run: "x", checks: [] } },
    });
    assert.doesNotMatch((await host.run(["rollback", "--list"])).stdout, /\(\)/);
    assert.doesNotMatch((await host.run(["rollback", "--to", "r1"])).stderr, /\(\)/);
  });

  test("flags that contradict each other exit 64", async () => {
    const host = twoReleases();
    for (const args of [
      ["--attach", "--no-attach"],
      ["rollback", "--switch", "--confirm"],
      ["rollback", "--list", "--to", "r1"],
      ["status", "--release", "r1"],
    ]) {
      const run = await host.run(args);
      assert.equal(run.code, 64, args.join(" "));
    }
  });

  test("--emergency skips the confirmation", async () => {
    const host = twoReleases();
    host.request({ by: "person", emergency: true });
    assert.equal((await host.run(["rollback", "--switch"])).code, 0);
    const run = await host.run(["rollback", "--confirm"]);
    assert.equal(run.code, 0, run.stderr);
  });

  test("a state of wrong kinds is built from the log", async () => {
    const host = twoReleases();
    writeFileSync(
      host.at("state/prod.releases.json"),
      '{"v":1,"passed":null,"rollbacks":{},"quarantined":[]}',
    );
    const run = await host.run(["rollback", "--list"]);
    assert.equal(run.code, 0, run.stderr);
  });

  test("a state file that may not be read is no empty state", async () => {
    const host = twoReleases();
    chmodSync(host.at("state/prod.releases.json"), 0o600);
    const run = await host.run(["rollback", "--list"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stdout);
  });

  test("a version named like a property of every object has not passed", async () =>
    withHost(new Host(byCommand("true")), async (host) => {
      host.deploy("r1", "--version=constructor", "--field=connected=false");
      host.point("r1");
      await host.start({}, byCommand("true"));
      const run = await host.verify();
      assert.match(run.stderr, /a rollback is due/);
    }));

  test("--json of a dry run of rollback is JSON", async () => {
    const host = twoReleases();
    const run = await host.run(["rollback", "--dry-run", "--json"]);
    assert.ok(run.json, run.stdout);
  });
});
