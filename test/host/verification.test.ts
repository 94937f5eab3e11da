/**
 * The program on a host, played on a booted systemd: restart → verification → rollback or burn-in,
 * and everything that can come between.
 * Each scene has a host of its own (see host.ts); the figures that a scene measures are its
 * diagnostics.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { canBoot } from "../support/booted.ts";
import {
  assertInTime,
  projectDirectory,
  readIfThere,
  type Settings,
  sendSignal,
  timeLimitMs,
} from "../support/harness.ts";
import {
  addBot,
  deployer,
  endWithParent,
  findSteadyPort,
  type Host,
  installOnce,
  inUnit,
  type LogRecord,
  median,
  neverWithin,
  quickTimerFile,
  type Release,
  scene,
  shortOf,
  startProven,
  timerOf,
  waitFor,
  waitForAlert,
} from "../support/host.ts";

endWithParent();

/**
 * What the scenes need beside a container: somebody who logs in, and somebody who looks at system
 * calls.
 */
const tools = {
  "/usr/sbin/sshd": "openssh-server",
  "/usr/bin/ssh": "openssh-client",
  "/usr/bin/sudo": "sudo",
  "/usr/bin/strace": "strace",
};
const missing = Object.entries(tools).find(([path]) => !existsSync(path));
const reason =
  canBoot() ??
  (missing
    ? `Cannot play the scenes on a host: no ${missing[0]} (apt-get install ${missing[1]})`
    : null);
const bot = "cytube-bot.service";
const verification = "cytube-verify@prod.service";
const rollback = "cytube-rollback@prod.service";
const timer = "cytube-burnin@prod.timer";

/** Of `npm run proofs`; a third of them are restarts. */
const incidents = process.env.VOLUME === "full" ? 300 : 21;

const isRollback = (record: LogRecord): boolean => record.kind === "rollback";
const rollbacksOf = (host: Host, after = 0): LogRecord[] =>
  host.records().slice(after).filter(isRollback);
const waitForRollback = (host: Host, after: number) =>
  host.waitForRecord("a rollback", isRollback, { after });

/**
 * A watch in which something has to happen: long enough that on a busy machine, too, it is still
 * going when the scene has seen that it goes.
 */
const longWatch: Settings = { limits: { watchSeconds: 15 } };

/**
 * Where the release that is rolled back to is bad as well, all of its time is waited for in vain: it
 * is short, but a slow machine, too, comes to a judgement within it.
 */
const badTarget: Settings = {
  rollback: { secondsMax: 30 },
  limits: { startupSecondsMax: 5 },
};

/** What a person did is told at most as that. */
function assertNoFailureTold(host: Host): void {
  for (const { text } of host.outside.alerts)
    assert.match(text, /"title":"[^"]*: (paused|recovered)\b/);
}

/** The verdict on the start of the bot that is running now, whichever it is. */
function verdictOfThisStart(host: Host): Promise<LogRecord> {
  return waitFor("the present start of the bot has a verdict", async () => {
    const invocation = await host.invocation();
    const judged = host
      .records()
      .filter((record) => record.kind === "verify" && record.identity?.invocation === invocation);
    return judged.find((record) => ["pass", "warn", "fail", "unknown"].includes(record.verdict));
  });
}

/**
 * What must be so after each rollback that works. Returns the milliseconds from the failing verdict
 * until the old release answers.
 */
async function rollsBackToTheOld(host: Host, after: number, exits?: number): Promise<number> {
  const failing = await host.waitForRecord(
    "the failing verdict",
    (record) => record.kind === "verify" && record.verdict === "fail",
    { after },
  );
  if (exits !== undefined) assert.equal(failing.exit, exits, shortOf(failing));
  const upMs = (await host.botIsUp("r1")) - Date.parse(failing.ts);
  assert.equal(host.current(), "r1");
  const done = await waitForRollback(host, after);
  assert.equal(done.exit, 0, shortOf(done));
  await host.waitForPass("r1", { after });
  await waitForAlert(host, /r2/);
  await host.settle();
  assert.equal(rollbacksOf(host, after).length, 1);
  assert.equal(host.current(), "r1");
  assert.equal((await host.health())?.version, "r1");
  const list = await host.must("cytube-verify", "rollback", "--env", "prod", "--list");
  assert.match(list, /r2.*quarantined/);
  assertInTime("the way back to the old release", upMs, 10_000);
  return upMs;
}

/** Counts, for a scene whose point is that they stay small. */
async function countsOf(host: Host, after: number): Promise<string> {
  const verifications = await host.startsOf(verification);
  const restarts = await host.startsOf(bot);
  const verdicts = host
    .records()
    .slice(after)
    .filter((record) => record.kind === "verify").length;
  return `${restarts} starts of the bot, ${verifications} verifications, ${verdicts} verdicts, ${rollbacksOf(host, after).length} rollbacks, ${host.outside.alerts.length} alerts`;
}

describe("on a host", { skip: reason ?? false, concurrency: 5, timeout: 1_800_000 }, () => {
  // ------------------------------------------------------------------------- a good start

  scene(
    "a good start: the restart returns at once, the verdict follows, the burn-in is armed and ticks",
    async (host, t) => {
      const { said, installMs } = await installOnce();
      t.diagnostic(
        `install.sh took ${Math.round(installMs)} ms and printed ${said.split("\n").length} lines`,
      );
      await startProven(host);
      const after = host.records().length;
      await host.deploy("r2");
      const restartMs = await host.restart();
      t.diagnostic(`systemctl restart returned after ${Math.round(restartMs)} ms`);
      assertInTime("systemctl restart", restartMs, 1000);
      await host.waitForPass("r2", { after });
      await waitFor("the timer is armed", () => host.isActive(timer));
      const timers = await host.must("systemctl", "list-timers", "--no-pager");
      assert.match(timers, /cytube-burnin@prod\.timer +cytube-burnin@prod\.service/);
      t.diagnostic(timers.split("\n").find((line) => line.includes(timer)) ?? "");
      const tick = await host.waitForRecord("a tick", (record) => record.kind === "burnin", {
        after,
      });
      assert.equal(tick.exit, 0, shortOf(tick));
      const { code, stdout } = await host.status();
      assert.equal(code, 0, stdout);
      assert.match(stdout, /"verified"/);
      assert.match(stdout, /r2/);
      assert.deepEqual(host.outside.alerts, []);
    },
  );

  // ------------------------------------------------------------------------- the seed's failure
  // tests

  const killInWatch = async (host: Host) => {
    await host.verificationSays(/^watch:/m);
    await host.must("systemctl", "kill", "--signal=KILL", bot);
  };
  const seedFailures: {
    seed: number;
    name: string;
    exits: number;
    release: Release;
    meanwhile?: (host: Host) => Promise<void>;
    config?: Settings;
  }[] = [
    { seed: 2, name: "memory over the limit", exits: 8, release: { switches: { mb: 400 } } },
    {
      seed: 3,
      name: "an error in the log",
      exits: 9,
      release: { prelude: "echo ERROR:lib.bot:boom" },
    },
    { seed: 4, name: "the wrong configuration", exits: 10, release: { channel: "#elsewhere" } },
    {
      seed: 5,
      name: "killed during the watch",
      exits: 11,
      release: {},
      meanwhile: killInWatch,
      config: longWatch,
    },
    { seed: 7, name: "slow responses", exits: 5, release: { switches: { "delay-ms": 2500 } } },
  ];
  for (const { seed, name, exits, release, meanwhile, config } of seedFailures) {
    scene(
      `failure test ${seed}, ${name}: exit ${exits}, and the old release is back`,
      async (host, t) => {
        const after = await host.release("r2", release);
        await meanwhile?.(host);
        const upMs = await rollsBackToTheOld(host, after, exits);
        // Whoever looks for the cause tomorrow finds what there was to see, also when the bot and
        // its log are gone.
        const { failed } = rollbacksOf(host, after)[0] as LogRecord;
        assert.equal(failed?.exit, exits);
        assert.ok(
          failed.findings.length > 0 &&
            failed.findings.every((finding) => finding.status === "fail"),
        );
        if (seed === 5) assert.ok(failed.series, "the series of the watch is missing");
        if (seed === 7)
          assert.ok(Number(failed.metrics.responseMsAvg) > 2000, "the response times are missing");
        t.diagnostic(`${upMs} ms from the failing verdict until the old release answers`);
      },
      { config },
    );
  }

  for (const [says, switches] of [
    ["does not tell its version", { without: "version" }],
    ["tells a version that is not its directory's name", { version: "1.4.2" }],
  ] as const) {
    scene(`a bot that ${says}: the old release is back all the same`, async (host) => {
      const before = await host.release("r1", { switches });
      await host.waitForPass("r1", { after: before });
      await host.settle();
      const after = await host.release("r2", { switches: { ...switches, mb: 400 } });
      const failing = await host.waitForVerdict("r2", "fail", { after });
      assert.equal(failing.exit, 8, shortOf(failing));
      const done = await waitForRollback(host, after);
      assert.equal(done.exit, 0, shortOf(done));
      assert.equal(host.current(), "r1");
      await host.waitForPass("r1", { after });
    });
  }

  scene("failure test 6, no users: exit 7 and an alert, but no rollback", async (host) => {
    const after = await host.release("r2", { switches: { field: "user_count=0" } });
    const failing = await host.waitForVerdict("r2", "fail", { after });
    assert.equal(failing.exit, 7, shortOf(failing));
    await waitForAlert(host, /user_count/);
    await host.settle();
    assert.deepEqual(rollbacksOf(host, after), []);
    assert.equal(host.current(), "r2");
    assert.equal((await host.health())?.version, "r2");
  });

  scene(
    "failure test 6, no users: rolls back where the site asks for it",
    async (host) => {
      const after = await host.release("r2", { switches: { field: "user_count=0" } });
      await rollsBackToTheOld(host, after, 7);
    },
    { config: { rollback: { on: ["process", "user_count"] } } },
  );

  scene(
    "a failure that the site does not roll back for leaves the release where it is",
    async (host) => {
      const after = await host.release("r2", { switches: { mb: 400 } });
      await host.waitForVerdict("r2", "fail", { after });
      await waitForAlert(host, /memory_usage/);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
    },
    { config: { rollback: { on: ["process"] } } },
  );

  // ------------------------------------------------------------------------- when going back does
  // not help

  scene(
    "the target is bad too: exit 41, an alert, the bot stays on the target, and nothing goes round in circles",
    async (host, t) => {
      await host.spoil("r1", "--field=connected=false");
      const after = await host.release("r2", { switches: { mb: 400 } });
      const done = await waitForRollback(host, after);
      assert.equal(done.exit, 41, shortOf(done));
      await waitForAlert(host, /41|still unhealthy|unhealthy/i);
      assert.equal(host.current(), "r1");
      await host.botIsUp("r1");
      const settled = { restarts: await host.startsOf(bot), alerts: host.outside.alerts.length };
      await neverWithin(
        "there was a second rollback",
        20_000,
        () => rollbacksOf(host, after).length > 1 || host.current() !== "r1",
      );
      t.diagnostic(`20 s later: ${await countsOf(host, after)}`);
      assert.equal(await host.startsOf(bot), settled.restarts, "the bot was restarted");
      assert.ok(
        host.outside.alerts.length <= settled.alerts + 1,
        `${host.outside.alerts.length} alerts`,
      );
      assert.equal((await host.health())?.version, "r1");
    },
    { config: badTarget },
  );

  scene(
    "the old release fails the same check: the environment is suspected, and the release that failed is not quarantined",
    async (host) => {
      await host.changeWorld("--field=connected=false");
      const after = await host.release("r2");
      const done = await waitForRollback(host, after);
      assert.equal(done.exit, 41, shortOf(done));
      await waitForAlert(host, /connection/);
      await host.settle();
      assert.equal(rollbacksOf(host, after).length, 1);
      assert.equal(host.current(), "r1");
      assert.doesNotMatch(
        await host.must("cytube-verify", "rollback", "--env", "prod", "--list"),
        /r2.*quarantined/,
      );
    },
    { config: badTarget },
  );

  scene(
    "the first deployment ever fails: exit 40, an alert, and nothing is touched",
    async (host) => {
      await host.release("r1", { switches: { mb: 400 } });
      const invocation = await host.invocation();
      await host.waitForVerdict("r1", "fail");
      const done = await waitForRollback(host, 0);
      assert.equal(done.exit, 40, shortOf(done));
      await waitForAlert(host, /r1/);
      await host.settle();
      const asked = await host.run(["cytube-verify", "rollback", "--env", "prod"]);
      assert.equal(asked.code, 40, asked.stderr + asked.stdout);
      assert.match(asked.stdout + asked.stderr, /no other complete release/);
      assert.equal(host.current(), "r1");
      assert.equal(await host.invocation(), invocation, "the bot was restarted");
    },
    { virgin: true },
  );

  scene(
    "no more rollbacks a day than the site allows",
    async (host) => {
      await rollsBackToTheOld(host, await host.release("r2", { switches: { mb: 400 } }));
      const after = await host.release("r3", { switches: { mb: 400 } });
      await host.waitForVerdict("r3", "fail", { after });
      const refused = await waitForRollback(host, after);
      assert.equal(refused.exit, 42, shortOf(refused));
      await waitForAlert(host, /r3/);
      assert.equal(host.current(), "r3");
    },
    { config: { rollback: { maxPerDay: 1 } } },
  );

  scene(
    "a release that was mended and deployed again under its name is a candidate again",
    async (host) => {
      await rollsBackToTheOld(host, await host.release("r2", { switches: { mb: 400 } }));
      const after = await host.release("r2");
      await host.waitForPass("r2", { after });
      const { code, stdout } = await host.status();
      assert.equal(code, 0, stdout);
      assert.equal(host.current(), "r2");
    },
  );

  scene("an incomplete release is never a target", async (host) => {
    await startProven(host);
    await host.shell('rm "$1"', `${host.place.directory}/releases/r1/.complete`);
    const after = await host.release("r2", { switches: { mb: 400 } });
    const done = await waitForRollback(host, after);
    assert.equal(done.exit, 40, shortOf(done));
    assert.equal(host.current(), "r2");
  });

  scene(
    "a site's own rollback command is run in place of the link",
    async (host) => {
      await host.write(
        "/usr/local/bin/rollback-bot",
        '#!/bin/sh\nset -eu\ncd /srv/cytube-bot\nln -sfn releases/r1 next\nmv -T next current\necho "$@" > /tmp/rolled-back\n',
        "0755",
      );
      await host.install();
      const after = await host.release("r2", { switches: { mb: 400 } });
      const done = await waitForRollback(host, after);
      assert.equal(done.exit, 0, shortOf(done));
      await host.botIsUp("r1");
    },
    { config: { rollback: { command: ["/usr/local/bin/rollback-bot"] } } },
  );

  // ------------------------------------------------------------------------- proven releases

  scene(
    "a proven release fails at a reboot because the chat server is down: an alert, no rollback",
    async (host) => {
      await host.deploy("r2");
      await host.restart();
      await host.waitForPass("r2");
      await host.settle();
      await host.outside.chatGoesDown();
      await host.changeWorld("--field=connected=false");
      const after = host.records().length;
      await host.machine.powerOffAndBootAgain();
      const failing = await host.waitForVerdict("r2", "fail", { after });
      assert.equal(failing.exit, 2, shortOf(failing));
      await waitForAlert(host, /connection/);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
      assert.equal((await host.health())?.version, "r2");
    },
  );

  scene(
    "a candidate that is not connected while the chat server is down is not rolled back",
    async (host) => {
      await host.outside.chatGoesDown();
      await host.changeWorld("--field=connected=false");
      const after = await host.release("r2");
      const failing = await host.waitForVerdict("r2", "fail", { after });
      assert.equal(failing.exit, 2, shortOf(failing));
      await waitForAlert(host, /connection/);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
    },
  );

  // ------------------------------------------------------------------------- restarts and crashes

  scene(
    "a planned restart during a verification: the same process begins again, and nobody is alarmed",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      const verifier = await host.show(verification, "MainPID");
      await host.restart();
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      assert.equal(await host.startsOf(verification), 1);
      assert.notEqual(verifier, "0");
      assert.match(JSON.stringify(host.records().slice(after)), /superseded/);
      await waitFor("the timer is armed", () => host.isActive(timer));
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.deepEqual(host.outside.alerts, []);
    },
    { config: longWatch },
  );

  scene(
    "a planned restart in the last second of a verification: the same process begins again",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^final checks/m);
      await host.restart();
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      await host.settle();
      assert.deepEqual(host.outside.alerts, []);
      assert.deepEqual(
        host
          .records()
          .slice(after)
          .filter((one) => one.verdict === "fail" || isRollback(one)),
        [],
      );
    },
  );

  /**
   * Loaded into every Node of the unit: where it is asked for, the next one that has a record on the
   * disk stops itself there, as if the machine had no time for it.
   */
  const holdScript = `
    const fs = require("node:fs");
    const { fsyncSync } = fs;
    fs.fsyncSync = (descriptor) => {
      fsyncSync(descriptor);
      if (!fs.readlinkSync("/proc/self/fd/" + descriptor).endsWith("/prod.jsonl")) return;
      try {
        fs.unlinkSync("/run/cytube-verify/hold");
      } catch {
        return;
      }
      process.kill(process.pid, "SIGSTOP");
    };
    require("node:module").syncBuiltinESMExports();
  `;
  const holding = {
    "/etc/hold.cjs": holdScript,
    "/etc/systemd/system/cytube-verify@.service.d/hold.conf": inUnit(
      "Environment=NODE_OPTIONS=--require=/etc/hold.cjs",
    ),
  };
  /**
   * Asks for it. Between a verifier's record and its end lie milliseconds: stopped there, it still
   * holds its unit, so that the hook of a start starts nothing.
   */
  const holdNextVerdict = (host: Host) => host.write("/run/cytube-verify/hold", "");
  const verifierOnHold = (host: Host): Promise<number> =>
    waitFor("the verifier stands still", async () => {
      const pid = await host.mainProcess(verification);
      return pid && /^State:\tT/m.test(readIfThere(`/proc/${pid}/status`)) ? pid : null;
    });

  scene(
    "a planned restart after the verdict, before the verifier has ended: it is verified as soon as that one has",
    async (host) => {
      await holdNextVerdict(host);
      const after = await host.release("r2");
      const verifier = await verifierOnHold(host);
      assert.equal(host.records().length, after + 1, "it has left its record");
      await host.restart();
      sendSignal(verifier, "SIGCONT");
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      assert.equal(await host.startsOf(verification), 2);
      await waitFor("the timer is armed", () => host.isActive(timer));
      assert.deepEqual(host.outside.alerts, []);
      const ticks = host.records().filter(({ kind }) => kind === "burnin");
      assert.deepEqual(ticks, [], "a tick was needed");
    },
    // A tick would find it, too.
    { files: { ...holding, [quickTimerFile]: timerOf([600]) } },
  );

  scene(
    "a config that is broken after a pass: each start is looked at once, and nothing goes round in circles",
    async (host) => {
      await startProven(host);
      const verifications = await host.startsOf(verification);
      await host.shell("echo 'nonsense: 1' >> /etc/cytube-verify/prod.yaml");
      await host.restart();
      await waitFor(
        "the verification has failed",
        async () => (await host.show(verification, "ExecMainStatus")) === "78",
      );
      await neverWithin(
        "it was started again",
        5000,
        async () => (await host.startsOf(verification)) > verifications + 1,
      );
    },
    // Ticks fail alike, and alert; they are no part of this.
    { files: { [quickTimerFile]: timerOf([600]) } },
  );

  scene(
    "a start whose hook did nothing: a tick notices it, and it gets a verdict of its own",
    async (host) => {
      await startProven(host);
      const verifications = await host.startsOf(verification);
      const withoutHooks = "/etc/systemd/system/cytube-bot.service.d/without-hooks.conf";
      await host.write(withoutHooks, inUnit("ExecStartPost=\nExecStopPost="));
      await host.must("systemctl", "daemon-reload");
      await host.restart();
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      assert.equal(await host.startsOf(verification), verifications + 1);
      const ticks = host.records().filter(({ kind }) => kind === "burnin");
      assert.match(JSON.stringify(ticks), /nobody has verified this start/);
      assert.deepEqual(host.outside.alerts, []);
    },
  );

  scene(
    "a crash during the verification of a proven release: a failing verdict, an alert, no rollback, and the new start is verified",
    async (host) => {
      await startProven(host);
      const after = host.records().length;
      await holdNextVerdict(host);
      await host.restart();
      await host.verificationSays(/^watch:/m);
      const invocation = await host.invocation();
      await host.must("systemctl", "kill", "--signal=SEGV", bot);
      // The new start comes before the verifier's end, as it may where RestartSec= is short.
      const verifier = await verifierOnHold(host);
      await waitFor("systemd has started the bot again", async () => {
        const active = await host.isActive(bot);
        return active && (await host.invocation()) !== invocation;
      });
      sendSignal(verifier, "SIGCONT");
      const failing = await host.waitForVerdict("r1", "fail", { after });
      assert.equal(failing.exit, 11, shortOf(failing));
      await waitForAlert(host, /uptime_stability/);
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      assert.deepEqual(rollbacksOf(host, after), []);
    },
    { config: longWatch, files: holding },
  );

  for (const { name, dies, unit } of [
    { name: "1.4 s", dies: 1300, unit: "RestartSec=100ms" },
    { name: "13 s", dies: 3000, unit: "RestartSec=10s" },
  ]) {
    scene(
      `a crash loop of ${name}: a candidate is rolled back`,
      async (host, t) => {
        const after = await host.release("r2", { switches: { "crash-after-ms": dies } });
        const upMs = await rollsBackToTheOld(host, after);
        t.diagnostic(
          `${upMs} ms from the failing verdict until the old release answers; ${await countsOf(host, after)}`,
        );
      },
      { unit: inUnit(unit), config: { limits: { watchSeconds: 5 } } },
    );

    scene(
      `a crash loop of ${name}: a proven release is judged and stays, and the alerts do not pour in`,
      async (host, t) => {
        await startProven(host);
        await host.changeWorld(`--crash-after-ms=${dies}`);
        const after = host.records().length;
        await host.restart();
        await host.waitForVerdict("r1", "fail", { after });
        await neverWithin(
          "there was a rollback",
          30_000,
          () => rollbacksOf(host, after).length > 0,
        );
        t.diagnostic(`in 30 s after the first verdict: ${await countsOf(host, after)}`);
        assert.ok(host.outside.alerts.length >= 1);
        assert.ok(host.outside.alerts.length <= 2, `${host.outside.alerts.length} alerts`);
        assert.equal(host.current(), "r1");
      },
      { unit: inUnit(unit), config: { limits: { watchSeconds: 5 } } },
    );
  }

  scene(
    "an interpreter that is missing, under Type=exec: the start never gets to its hook, and the old release is back",
    async (host, t) => {
      const after = await host.release("r2", { interpreter: "/usr/bin/no-such-interpreter" });
      t.diagnostic(`${await rollsBackToTheOld(host, after)} ms; ${await countsOf(host, after)}`);
    },
    { unit: inUnit("RestartSec=10s") },
  );

  scene(
    "an ExecStartPre that fails: the old release is back",
    async (host, t) => {
      const after = await host.release("r2", { prepareExits: 3 });
      t.diagnostic(`${await rollsBackToTheOld(host, after)} ms; ${await countsOf(host, after)}`);
    },
    { unit: inUnit("ExecStartPre=/srv/cytube-bot/current/prepare\nRestartSec=10s") },
  );

  scene(
    "a Type=notify that is never ready: the old release is back",
    async (host, t) => {
      const before = await host.release("r1", { prelude: "systemd-notify --ready" });
      await host.waitForPass("r1", { after: before });
      await host.settle();
      const after = host.records().length;
      await host.deploy("r2");
      await host.must("systemctl", "--no-block", "restart", bot);
      t.diagnostic(`${await rollsBackToTheOld(host, after)} ms; ${await countsOf(host, after)}`);
    },
    { unit: inUnit("Type=notify\nNotifyAccess=all\nTimeoutStartSec=3\nRestartSec=10s") },
  );

  scene(
    "a death by the start limit: the old release is back",
    async (host, t) => {
      const after = await host.release("r2", { prelude: "exit 3" });
      t.diagnostic(`${await rollsBackToTheOld(host, after)} ms; ${await countsOf(host, after)}`);
    },
    { unit: "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n" },
  );

  // ------------------------------------------------------------------------- deployments meanwhile

  scene(
    "a deployment that holds the lock while a rollback is due: 75, an alert, and the next release is verified as usual",
    async (host) => {
      const { directory } = host.place;
      const lock = ["flock", `${directory}/releases`, "sleep", "300"];
      await host.must(
        "systemd-run",
        "--unit=deployment",
        `--uid=${deployer}`,
        `--gid=${deployer}`,
        ...lock,
      );
      await waitFor(
        "the lock is held",
        async () =>
          (await host.run(["flock", "--nonblock", `${directory}/releases`, "true"])).code !== 0,
      );
      // Under the lock that it holds already, the deployment has come as far as the link and the
      // restart.
      await host.shell(
        'cp -a "$1/r1" "$1/r2"; touch "$1/r2/.complete"; ln -sfn releases/r2 "$1/../next"; mv -T "$1/../next" "$1/../current"',
        `${directory}/releases`,
      );
      await host.must(
        "sed",
        "-i",
        "s/--version=r1/--version=r2/; s/ --port=/ --mb=400 --port=/",
        `${directory}/releases/r2/run`,
      );
      const after = host.records().length;
      await host.restart();
      await host.waitForVerdict("r2", "fail", { after });
      await waitFor(
        "the rollback was refused",
        async () => (await host.show(rollback, "ExecMainStatus")) === "75",
      );
      await waitForAlert(host, /r2/);
      await host.settle();
      assert.equal(host.current(), "r2");
      assert.equal((await host.health())?.version, "r2");
      await host.must("systemctl", "stop", "deployment");
      await host.release("r3");
      await host.waitForPass("r3", { after });
    },
  );

  scene(
    "a deployment between the verdict and the rollback: `current` has moved on, 42, and nothing is touched",
    async (host) => {
      await host.deploy("r3");
      const switching = `ExecStartPre=+/bin/ln -sfnT releases/r3 ${host.place.directory}/current`;
      await host.write(
        "/etc/systemd/system/cytube-rollback@prod.service.d/zz-moved.conf",
        inUnit(switching),
      );
      await host.must("systemctl", "daemon-reload");
      const after = await host.release("r2", { switches: { mb: 400 } });
      const invocation = await host.invocation();
      const refused = await waitForRollback(host, after);
      assert.equal(refused.exit, 42, shortOf(refused));
      await waitForAlert(host, /r2/);
      await host.settle();
      assert.equal(host.current(), "r3");
      assert.equal(await host.invocation(), invocation, "the bot was restarted");
    },
  );

  scene(
    "two bots on one host: the one that is bad is rolled back, the other is not touched",
    async (host) => {
      await startProven(host);
      const movies = await addBot(host, "prod-movies");
      await host.settle("prod-movies");
      const invocation = await host.invocation();
      const records = host.records().filter((record) => record.kind !== "burnin").length;
      const after = await host.release("r2", { switches: { mb: 400 } }, movies);
      const failing = await host.waitForVerdict("r2", "fail", { after, place: movies });
      assert.equal(failing.exit, 8, shortOf(failing));
      await host.waitForRecord("a rollback", (record) => isRollback(record) && record.exit === 0, {
        after,
        place: movies,
      });
      await host.botIsUp("r1", movies);
      assert.equal(host.current(movies), "r1");
      await waitFor("an alert came for it", () =>
        host.outside.alerts.find((alert) => alert.path === "/prod-movies"),
      );
      assert.equal(await host.invocation(), invocation);
      assert.equal(host.records().filter((record) => record.kind !== "burnin").length, records);
      assert.deepEqual(
        host.outside.alerts.filter((alert) => alert.path === "/prod"),
        [],
      );
    },
  );

  // ------------------------------------------------------------------------- the verifier itself
  // dies

  const verifierDeaths: {
    name: string;
    files?: Record<string, string>;
    act: (host: Host) => Promise<unknown>;
    alerts: boolean;
  }[] = [
    {
      name: "is killed",
      act: async (host) => {
        await host.verificationSays(/^watch:/m);
        await host.must("systemctl", "kill", "--signal=KILL", verification);
      },
      alerts: true,
    },
    {
      name: "runs out of time",
      files: {
        "/etc/systemd/system/cytube-verify@.service.d/quick.conf": inUnit("RuntimeMaxSec=3"),
      },
      act: () => Promise.resolve(),
      alerts: true,
    },
    {
      name: "is stopped by a person",
      act: async (host) => {
        await host.verificationSays(/^watch:/m);
        await host.must("systemctl", "stop", verification);
      },
      alerts: false,
    },
  ];
  for (const { name, files = {}, act, alerts } of verifierDeaths) {
    scene(
      `the verifier ${name}: no rollback, ${alerts ? "an alert" : "no alert"}, and the start is not called verified`,
      async (host) => {
        const after = await host.release("r2");
        await act(host);
        await waitFor("the verifier is gone", async () =>
          /inactive|failed/.test(await host.show(verification, "ActiveState")),
        );
        if (alerts) await waitFor("an alert came", () => host.outside.alerts[0]);
        await host.settle();
        if (!alerts) assert.deepEqual(host.outside.alerts, []);
        assert.deepEqual(rollbacksOf(host, after), []);
        assert.equal(host.current(), "r2");
        assert.equal((await host.health())?.version, "r2");
        assert.equal(await host.isActive(timer), false);
        assert.equal(existsSync(host.path("/run/cytube-verify/prod.passed")), false);
        const { code, stdout } = await host.status();
        assert.equal(code, 75, stdout);
        assert.doesNotMatch(stdout, /"verified"/);
      },
      { files, config: longWatch },
    );
  }

  // ------------------------------------------------------------------------- stopped by a person

  scene(
    "the bot is stopped by a person during its verification: no verdict, nobody is alarmed, and its next start is verified",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      await host.must("systemctl", "stop", bot);
      await host.waitForRecord("it was cut short", (record) => record.verdict === "aborted", {
        after,
      });
      await host.settle();
      assert.equal(await host.isActive(timer), false);
      assert.equal(await host.isActive(bot), false);
      await host.must("systemctl", "start", bot);
      await host.waitForPass("r2", { after });
      assertNoFailureTold(host);
      assert.deepEqual(rollbacksOf(host, after), []);
    },
    { config: longWatch },
  );

  // systemd calls it a failure when a bot answers its stop with an error, or has to be killed after
  // TimeoutStopSec=. So do many bots.
  const unclean = inUnit("KillSignal=SIGKILL");
  scene(
    "a planned restart, during its verification, of a bot that ends with an error when it is stopped: nobody is alarmed",
    async (host) => {
      const after = await host.release("r2");
      for (let count = 0; count < 6; count++) {
        await host.verificationSays(new RegExp(`(?:^watch:[^]*){${count + 1}}`, "m"));
        await host.restart();
      }
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
      assertNoFailureTold(host);
    },
    { unit: unclean, config: longWatch },
  );

  scene(
    "a candidate that ends with an error when a person stops it is not rolled back, nor started again",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      await host.must("systemctl", "stop", bot);
      await waitFor("the verification has a record", () => host.records().slice(after)[0]);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
      assert.equal(await host.isActive(bot), false);
    },
    { unit: unclean, config: longWatch },
  );

  scene(
    "a proven bot that ends with an error when a person stops it stays down",
    async (host) => {
      await startProven(host);
      const after = host.records().length;
      await host.must("systemctl", "stop", bot);
      await waitFor("something is recorded", () => host.records().slice(after)[0]);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(await host.isActive(bot), false);
      assertNoFailureTold(host);
    },
    { unit: unclean },
  );

  // ------------------------------------------------------------------------- the bot is down

  scene(
    "the bot is stopped by a person: the ticks record it as paused, and no failure is told",
    async (host) => {
      await startProven(host);
      const after = host.records().length;
      await host.must("systemctl", "stop", bot);
      const paused = await host.waitForRecord(
        "a tick that is paused",
        (record) => record.kind === "burnin" && record.verdict === "paused",
        { after },
      );
      assert.equal(paused.exit, 0);
      await host.settle();
      assertNoFailureTold(host);
      assert.equal(await host.isActive(timer), true);
      assert.equal(await host.isActive(bot), false);
    },
  );

  scene(
    "the bot dies for good: a failing verdict, an alert, and no tick goes on as if nothing had happened",
    async (host) => {
      await startProven(host);
      const after = host.records().length;
      await host.must("systemctl", "kill", "--signal=KILL", bot);
      const failing = await host.waitForRecord(
        "a failing verdict",
        (record) => record.verdict === "fail",
        { after },
      );
      assert.ok([1, 30].includes(failing.exit), shortOf(failing));
      await waitForAlert(host, /process|down|dead|red flag/i);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r1");
    },
    { unit: inUnit("Restart=no") },
  );

  scene(
    "the bot dies for good where no hook says so: the next tick is a red flag, and alerts",
    async (host) => {
      await startProven(host);
      await host.shell(
        "rm /etc/systemd/system/cytube-bot.service.d/verify.conf; systemctl daemon-reload",
      );
      const after = host.records().length;
      await host.must("systemctl", "kill", "--signal=KILL", bot);
      const tick = await host.waitForRecord(
        "a red flag",
        (record) => record.kind === "burnin" && record.exit !== 0,
        { after },
      );
      assert.equal(tick.exit, 30, shortOf(tick));
      await waitFor("an alert came", () => host.outside.alerts[0]);
    },
    { unit: inUnit("Restart=no") },
  );

  scene(
    "a reboot in the middle of a burn-in: the start is verified, the timer is armed again, and nobody is alarmed",
    async (host) => {
      const before = await host.release("r2");
      await host.waitForPass("r2", { after: before });
      await host.waitForRecord("a tick", (record) => record.kind === "burnin", { after: before });
      const after = host.records().length;
      await host.machine.powerOffAndBootAgain();
      await host.waitForPass("r2", { after });
      await waitFor("the timer is armed", () => host.isActive(timer));
      await host.waitForRecord(
        "a tick",
        (record) => record.kind === "burnin" && record.exit === 0,
        { after },
      );
      await host.settle();
      assert.deepEqual(host.outside.alerts, []);
      assert.deepEqual(
        host
          .records()
          .slice(before)
          .filter((record) => record.verdict === "fail" || isRollback(record)),
        [],
      );
    },
  );

  scene(
    "a reboot in the middle of a verification: no verdict, no rollback, and the next start is verified",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      await host.machine.powerOffAndBootAgain();
      await host.waitForPass("r2", { after });
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.deepEqual(
        host
          .records()
          .slice(after)
          .filter((record) => record.verdict === "fail"),
        [],
      );
      assert.deepEqual(host.outside.alerts, []);
    },
    { config: longWatch },
  );

  // ------------------------------------------------------------------------- an installation that
  // is not whole

  scene(
    "the verify unit is missing: the bot lives, and status says that its start is unverified",
    async (host) => {
      await startProven(host);
      await host.shell(
        "systemctl stop cytube-burnin@prod.timer; rm /etc/systemd/system/cytube-verify@.service; systemctl daemon-reload",
      );
      await host.restart();
      await host.botIsUp("r1");
      assert.equal(await host.isActive(bot), true);
      const { code, stdout } = await host.status();
      assert.equal(code, 75, stdout);
      assert.match(stdout, /unverified/);
    },
  );

  scene(
    "the journal cannot be read: unknown, not a pass, and no reason to roll back",
    async (host) => {
      await host.must("gpasswd", "--delete", "cytube-verify", "systemd-journal");
      const after = await host.release("r2");
      const record = await host.waitForVerdict("r2", "unknown", { after });
      assert.equal(record.exit, 9, shortOf(record));
      await waitFor("an alert came", () => host.outside.alerts[0]);
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
      assert.equal(host.current(), "r2");
      assert.equal(existsSync(host.path("/run/cytube-verify/prod.passed")), false);
    },
    {
      files: {
        "/etc/systemd/system/cytube-verify@.service.d/zz-blind.conf":
          inUnit("SupplementaryGroups="),
      },
    },
  );

  scene(
    "StandardOutput=append: without the file in the config: unknown, not a pass",
    async (host) => {
      const after = await host.release("r2", { prelude: "echo ERROR:lib.bot:boom" });
      const record = await host.waitForVerdict("r2", "unknown", { after });
      assert.equal(record.exit, 9, shortOf(record));
      await host.settle();
      assert.deepEqual(rollbacksOf(host, after), []);
    },
    { unit: inUnit("StandardOutput=append:/var/lib/cytube-bot/out.log") },
  );

  scene(
    "StandardOutput=append: with the file in the config: its errors count, and the old release is back",
    async (host) => {
      const before = host.records().length;
      await host.must("systemctl", "start", bot);
      await host.waitForPass("r1", { after: before });
      await host.settle();
      const after = await host.release("r2", {
        prelude: "date '+[%Y-%m-%d %H:%M:%S] [lib.bot] [ERROR] boom'",
      });
      const failing = await host.waitForVerdict("r2", "fail", { after });
      assert.equal(failing.exit, 9, shortOf(failing));
      await waitForRollback(host, after);
      await host.botIsUp("r1");
    },
    {
      unit: inUnit("StandardOutput=append:/var/lib/cytube-bot/out.log"),
      config: { errorLogs: { files: ["/var/lib/cytube-bot/out.log"] } },
    },
  );

  // ------------------------------------------------------------------------- people

  scene(
    "a person rolls back: what would happen, what happens, and what is refused",
    async (host) => {
      await host.release("r2");
      await host.waitForPass("r2");
      await host.settle();
      const ask = (...flags: string[]) =>
        host.run(["cytube-verify", "rollback", "--env", "prod", ...flags]);
      const dry = await ask("--dry-run");
      assert.equal(dry.code, 0, dry.stderr);
      assert.match(dry.stdout + dry.stderr, /r1/);
      assert.equal(host.current(), "r2");
      assert.ok([42, 64].includes((await ask("--to", "../r1")).code));
      assert.notEqual((await ask("--to", "no-such-release")).code, 0);
      assert.equal((await ask("--to", "r2")).code, 42, "to the release that runs");
      const done = await ask("--to", "r1");
      assert.equal(done.code, 0, done.stderr + done.stdout);
      assert.equal(host.current(), "r1");
      await host.botIsUp("r1");
    },
  );

  scene(
    "a person rolls back while the verification runs: the old release is verified, and nobody is alarmed about the new one",
    async (host) => {
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      const { code, stdout, stderr } = await host.run([
        "cytube-verify",
        "rollback",
        "--env",
        "prod",
      ]);
      assert.equal(code, 0, stderr + stdout);
      assert.equal(host.current(), "r1");
      const record = await verdictOfThisStart(host);
      assert.equal(record.exit, 0, shortOf(record));
      assert.equal(record.releaseId, "r1");
      await host.settle();
      assert.equal(rollbacksOf(host, after).length, 1);
      assert.deepEqual(
        host
          .records()
          .slice(after)
          .filter((one) => one.verdict === "fail"),
        [],
      );
    },
    { config: longWatch },
  );

  /**
   * sshd in the machine, and an operator who may do what the README lets operators do. Returns the
   * words of his ssh command.
   */
  async function openSsh(host: Host): Promise<string[]> {
    const port = String(await findSteadyPort());
    await host.shell(`
      mkdir -p /run/sshd /home/olga/.ssh; ssh-keygen -q -A; ssh-keygen -q -t ed25519 -N '' -f /root/key
      cp /root/key.pub /home/olga/.ssh/authorized_keys; chown -R olga:olga /home/olga; chmod 700 /home/olga/.ssh; usermod --password '*' olga
      usermod -a -G cytube-verify,systemd-journal olga
      echo 'olga ALL=(root) NOPASSWD: /usr/bin/systemctl' > /etc/sudoers.d/olga; chmod 440 /etc/sudoers.d/olga
    `);
    const options = [
      "-p",
      port,
      "-o",
      "ListenAddress=127.0.0.1",
      "-o",
      "UsePAM=no",
      "-o",
      "PidFile=none",
    ];
    await host.must("systemd-run", "--unit=sshd", "/usr/sbin/sshd", "-D", "-e", ...options);
    const login = [
      "ssh",
      "-p",
      port,
      "-i",
      "/root/key",
      "-o",
      "StrictHostKeyChecking=no",
      "-o",
      "LogLevel=ERROR",
      "olga@127.0.0.1",
    ];
    await waitFor("she can log in", async () => (await host.run([...login, "true"])).code === 0);
    return login;
  }

  scene(
    "a run by hand over SSH while the hook's run is going: one verification, one verdict for both",
    async (host) => {
      const ssh = await openSsh(host);
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      const { code, stdout, stderr } = await host.run([...ssh, "cytube-verify --env prod"]);
      assert.equal(code, 0, stderr + stdout);
      assert.equal(
        host
          .records()
          .slice(after)
          .filter((record) => record.kind === "verify").length,
        1,
      );
    },
    { config: longWatch },
  );

  scene(
    "a run by hand over SSH whose session is cut: the hook's run goes on to its verdict",
    async (host) => {
      const ssh = await openSsh(host);
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      await host.must("systemd-run", "--unit=session", ...ssh, "cytube-verify --env prod");
      await waitFor(
        "her run has begun",
        async () => (await host.run(["pgrep", "--uid", "olga", "--full", "verify.js"])).code === 0,
      );
      await host.must("systemctl", "kill", "--signal=KILL", "session");
      await host.waitForPass("r2", { after });
      assert.equal(await host.startsOf(verification), 1);
      await waitFor(
        "her run has ended",
        async () => (await host.run(["pgrep", "--uid", "olga", "--full", "verify.js"])).code !== 0,
      );
    },
    { config: longWatch },
  );

  scene(
    "a run of its own over SSH whose session is cut leaves a record that says so, and the hook's run is not disturbed",
    async (host) => {
      const ssh = await openSsh(host);
      const after = await host.release("r2");
      await host.verificationSays(/^watch:/m);
      await host.must(
        "systemd-run",
        "--unit=session",
        ssh[0] as string,
        "-tt",
        ...ssh.slice(1),
        "cytube-verify --env prod --no-attach",
      );
      await waitFor("her run watches", async () =>
        /watch: /.test(await host.journal("session.service")),
      );
      await host.must("systemctl", "kill", "--signal=KILL", "session");
      const aborted = await host.waitForRecord(
        "it was aborted",
        (record) => record.verdict === "aborted",
        { after },
      );
      assert.equal(aborted.exit, 129, shortOf(aborted));
      await host.waitForPass("r2", { after });
    },
    { config: longWatch },
  );

  scene(
    "a CI job over SSH follows the hook's verification of what it deployed, and reports why it failed",
    async (host) => {
      const ssh = await openSsh(host);
      const after = host.records().length;
      await host.deploy("r2", { switches: { mb: 400 } });
      const follow =
        "sudo -n systemctl restart cytube-bot && GITHUB_STEP_SUMMARY=/tmp/summary cytube-verify --env prod --attach --format github";
      const { code, stdout, stderr } = await host.run([...ssh, follow]);
      assert.equal(code, 8, stderr + stdout);
      assert.match(stdout, /^::error .*memory_usage/m);
      assert.match(host.read("/tmp/summary"), /memory_usage/);
      const verdicts = host
        .records()
        .slice(after)
        .filter((record) => record.kind === "verify" && record.releaseId === "r2");
      assert.equal(verdicts.length, 1);
      const waited = await host.run([
        ...ssh,
        "cytube-verify status --env prod --wait --release r1",
      ]);
      assert.equal(waited.code, 0, waited.stderr + waited.stdout);
      assert.equal(host.current(), "r1");
    },
  );

  scene(
    "a person verifies with --rollback where no hook is installed: exit 8, and the old release is back when it returns",
    async (host) => {
      const ssh = await openSsh(host);
      await host.shell(
        "rm /etc/systemd/system/cytube-bot.service.d/verify.conf; systemctl daemon-reload",
      );
      await host.release("r2", { switches: { mb: 400 } });
      const { code, stdout, stderr } = await host.run([
        ...ssh,
        "cytube-verify --env prod --rollback",
      ]);
      assert.equal(code, 8, stderr + stdout);
      assert.equal(host.current(), "r1");
      assert.equal((await host.health())?.version, "r1");
    },
  );

  // ------------------------------------------------------------------------- a rollback that is
  // cut off

  /** What the rollback executes, one line each, as the unit and its drop-ins say in the end. */
  async function rollbackSteps(host: Host): Promise<string[]> {
    const lines = (await host.must("systemctl", "cat", rollback))
      .replaceAll("\\\n", " ")
      .split("\n");
    const steps: string[] = [];
    for (const line of lines.filter((text) => text.startsWith("ExecStart="))) {
      if (line === "ExecStart=") steps.length = 0;
      else steps.push(line.slice("ExecStart=".length));
    }
    return steps;
  }

  const cutFile = "/etc/systemd/system/cytube-rollback@prod.service.d/zz-cut.conf";

  /** Puts the steps of the rollback into other words. */
  async function rewriteRollback(host: Host, steps: readonly string[], more = ""): Promise<void> {
    await host.write(
      cutFile,
      inUnit(["ExecStart=", ...steps.map((step) => `ExecStart=${step}`), more].join("\n")),
    );
    await host.must("systemctl", "daemon-reload");
  }

  function assertWhole(host: Host): void {
    const id = host.current();
    assert.ok(["r1", "r2"].includes(id), `current points at "${id}"`);
    assert.ok(
      existsSync(host.path(`${host.place.directory}/releases/${id}/.complete`)),
      `${id} is not whole`,
    );
  }

  for (const after of [0, 1, 2, 3]) {
    scene(
      `a rollback that is killed after step ${after}, and a power cut: \`current\` is whole, and the bot comes up at the next boot`,
      async (host, t) => {
        const steps = await rollbackSteps(host);
        assert.equal(steps.length, 4, steps.join("\n"));
        const barrier = "+/bin/sh -c 'touch /run/reached; exec sleep 300'";
        await rewriteRollback(host, [...steps.slice(0, after), barrier, ...steps.slice(after)]);
        await host.release("r2", { switches: { mb: 400 } });
        await waitFor("the rollback has come there", () => existsSync(host.path("/run/reached")));
        await host.must("systemctl", "kill", "--kill-whom=all", "--signal=KILL", rollback);
        await waitFor(
          "the rollback is dead",
          async () => (await host.show(rollback, "ActiveState")) === "failed",
        );
        assertWhole(host);
        assert.equal(host.current(), after === 0 ? "r2" : "r1");
        await host.must("rm", cutFile);
        await host.machine.powerOffAndBootAgain("abruptly");
        assertWhole(host);
        const up = host.current();
        await host.botIsUp(up);
        const record = await verdictOfThisStart(host);
        t.diagnostic(`after the boot on ${up}: ${record.verdict}, exit ${record.exit}`);
        // Cut off before the switch, the release is still bad and still a candidate: the rollback
        // is made up for.
        await host.botIsUp("r1");
        await host.settle();
        assert.equal(host.current(), "r1");
      },
    );
  }

  scene(
    "the switch is made durable in order, and killed before any of its system calls it leaves a whole release",
    async (host, t) => {
      // The rollback is held back until everything that it will read has been set aside.
      const held = "/etc/systemd/system/cytube-rollback@prod.service.d/zz-held.conf";
      await host.write(held, "[Unit]\nConditionPathExists=/run/allowed\n");
      await host.must("systemctl", "daemon-reload");
      await host.release("r2", { switches: { mb: 400 } });
      await waitFor("a rollback is due", () =>
        existsSync(host.path("/run/cytube-verify/prod.rollback")),
      );
      await host.settle();
      // Each restart of the bot would start one, and that begins by taking the flags away.
      await host.must("systemctl", "mask", "--runtime", verification);
      await host.shell(
        `tar -cf /root/due.tar -C / run/cytube-verify var/lib/cytube-verify var/log/cytube-verify; rm ${held}; systemctl daemon-reload`,
      );
      const [first = "", ...others] = await rollbackSteps(host);
      const restore = async () => {
        await host.shell(
          'rm -rf /var/lib/cytube-verify/* /run/cytube-verify/*; tar -xpf /root/due.tar -C /; ln -sfn releases/r2 "$1/next"; mv -T "$1/next" "$1/current"',
          host.place.directory,
        );
        await host.shell(
          'find "$1" -name ".*" -newer /root/due.tar; rm -f /var/log/cytube-verify/trace; touch /var/log/cytube-verify/trace; chmod 666 /var/log/cytube-verify/trace',
          host.place.directory,
        );
        await host.run(["systemctl", "reset-failed", rollback]);
      };
      // strace needs what the unit's filter forbids; nothing else is loosened.
      const traced = (more: string) =>
        first.replace(
          /^([-+!@:]*)/,
          `$1/usr/bin/strace -f -y -o /var/log/cytube-verify/trace -e trace=symlink,symlinkat,rename,renameat,renameat2,fsync,fdatasync ${more} `,
        );
      const loosened =
        "SystemCallFilter=\nSystemCallErrorNumber=\nRestrictAddressFamilies=\nNoNewPrivileges=no";
      await rewriteRollback(host, [traced(""), ...others], loosened);
      await restore();
      await host.must("systemctl", "start", rollback);
      assert.equal(host.current(), "r1");
      const calls = host
        .read("/var/log/cytube-verify/trace")
        .split("\n")
        .filter((line) => /\b(symlink|rename|fsync|fdatasync)/.test(line) && / = 0/.test(line));
      for (const call of calls) t.diagnostic(call.replace(/^\d+ +/, ""));
      const renamed = calls.findIndex((call) => /rename/.test(call) && /\/current"/.test(call));
      assert.ok(renamed > 0, "no rename of the link, or nothing before it");
      assert.ok(
        calls.slice(0, renamed).some((call) => /fsync/.test(call)),
        "no fsync before the rename",
      );
      assert.ok(
        calls.slice(renamed + 1).some((call) => /fsync\(\d+<\/srv\/cytube-bot>/.test(call)),
        "the directory is not fsynced after the rename",
      );
      const kinds = calls.map(
        (call) =>
          /\b(symlinkat|symlink|renameat2|renameat|rename|fsync|fdatasync)\(/.exec(call)?.[1] ?? "",
      );
      const seen: Record<string, number> = {};
      for (const kind of kinds) {
        seen[kind] = (seen[kind] ?? 0) + 1;
        await rewriteRollback(
          host,
          [traced(`-e inject=${kind}:signal=KILL:when=${seen[kind]}`), ...others],
          loosened,
        );
        await restore();
        await host.run(["systemctl", "start", rollback]);
        assertWhole(host);
        assert.match(
          host.read("/var/log/cytube-verify/trace"),
          /killed by SIGKILL/,
          `${kind} ${seen[kind]}`,
        );
        t.diagnostic(`killed before ${kind} ${seen[kind]}: current is ${host.current()}`);
      }
    },
  );

  // ------------------------------------------------------------------------- figures

  scene(
    `${incidents} fast restarts, crashes and kills: none is missed, and each is reported at once`,
    async (host, t) => {
      await host.must("systemctl", "start", bot);
      await host.botIsUp("r1");
      // The hook's own verifications would only take the processor away.
      await host.must("systemctl", "mask", "--runtime", "--now", verification);
      const events = Array.from(
        { length: incidents },
        (_, index) => ["KILL", "SEGV", "restart"][index % 3] as string,
      );
      const detectedMs: Record<string, number[]> = { KILL: [], SEGV: [], restart: [] };
      for (const event of events) {
        const run = host.run([
          "sh",
          "-c",
          "echo $$ > /run/probe; exec cytube-verify --env prod --no-attach --only process,uptime_stability >/run/said 2>&1",
        ]);
        await waitFor("it watches", () => /^watch:/m.test(host.read("/run/said")));
        const before = host.read("/run/said").length;
        const pid = (await host.mainProcess(bot)) as number;
        const happened = performance.now();
        const acting =
          event === "restart"
            ? host.restart()
            : Promise.resolve(process.kill(pid, `SIG${event}` as NodeJS.Signals));
        for (
          const deadline = happened + timeLimitMs(5000);
          performance.now() < deadline &&
          !/restart|died|replaced|supersede/.test(host.read("/run/said").slice(before));
        )
          await sleep(5);
        assert.match(
          host.read("/run/said").slice(before),
          /restart|died|replaced|supersede/,
          `a ${event} was missed`,
        );
        detectedMs[event]?.push(performance.now() - happened);
        await acting;
        await host.shell("kill $(cat /run/probe) 2>/dev/null || true; rm -f /run/said");
        await run;
        await host.botIsUp("r1");
      }
      for (const [event, times] of Object.entries(detectedMs))
        t.diagnostic(
          `${event}: median ${Math.round(median(times))} ms, worst ${Math.round(Math.max(...times))} ms of ${times.length}`,
        );
      const all = Object.values(detectedMs).flat();
      t.diagnostic(`all ${all.length}: median ${Math.round(median(all))} ms`);
      assertInTime("half of the reports", median(all), 200);
    },
    { config: { limits: { watchSeconds: 60 } } },
  );
});

// ---------------------------------------------------------------------------- nothing is left behind

function containersOf(pid: number): { processes: string[]; cgroups: string[]; mounts: string[] } {
  const name = `booted-${pid}-`;
  const read = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };
  const processes = readdirSync("/proc").filter(
    (entry) => /^\d+$/.test(entry) && read(`/proc/${entry}/cgroup`).includes(name),
  );
  const roots = read("/proc/mounts")
    .split("\n")
    .filter((line) => / cgroup2? /.test(line))
    .map((line) => line.split(" ")[1] as string);
  const cgroups = roots.flatMap((root) =>
    readdirSync(root).filter((entry) => entry.startsWith(name)),
  );
  const mounts = read("/proc/mounts")
    .split("\n")
    .filter((line) => line.includes(name) || line.includes("/run/root"));
  return { processes, cgroups, mounts };
}

const nothing = { processes: [], cgroups: [], mounts: [] };

test("no container, mount, process or cgroup is left after the suite", {
  skip: reason ?? false,
}, () => {
  assert.deepEqual(containersOf(process.pid), nothing);
});

test("nothing is left when the test runner is killed in the middle of a scene", {
  skip: reason ?? false,
}, async () => {
  const args = [
    "--import",
    "tsx",
    "--test",
    "--test-name-pattern=a good start",
    "test/host/verification.test.ts",
  ];
  const { NODE_TEST_CONTEXT: _inherited, ...environment } = process.env;
  const runner = spawn(process.execPath, args, {
    cwd: projectDirectory,
    env: environment,
    stdio: "ignore",
    detached: true,
  });
  const childrenOf = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean)
      .map(Number);
  const child = await waitFor("a container of its has a bot", () =>
    childrenOf(runner.pid as number).find((pid) =>
      containersOf(pid).processes.some((entry) => isBot(entry)),
    ),
  );
  process.kill(runner.pid as number, "SIGKILL");
  await waitFor(
    "nothing of it is left",
    () =>
      !existsSync(`/proc/${child}`) &&
      JSON.stringify(containersOf(child)) === JSON.stringify(nothing),
  );
});

function isBot(pid: string): boolean {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8").includes("bot.js");
  } catch {
    return false;
  }
}
