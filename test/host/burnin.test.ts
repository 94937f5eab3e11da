/**
 * The burn-in on a booted systemd: real ticks from the real timer, and outages that begin and end
 * between two of them. The bot has no
 * log file, so that everything is known from the journal alone. Minutes are seconds here:
 * limits.burninSeconds, and a drop-in of the timer.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { describe, type TestContext } from "node:test";
import type { Account, Outage } from "../../lib/burnin/words.ts";
import { canBoot } from "../support/booted.ts";
import { merge, type Settings, sendSignal, timeIsExact } from "../support/harness.ts";
import {
  endWithParent,
  type Host,
  type HostOptions,
  inUnit,
  type LogRecord,
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

const bot = "cytube-bot.service";
const verification = "cytube-verify@prod.service";
const tick = "cytube-burnin@prod.service";
const timer = "cytube-burnin@prod.timer";
const rollback = "cytube-rollback@prod.service";

/**
 * An hour is two seconds: whole, the burn-in takes 48 s, and its checkpoints come after 12, 24 and
 * 48.
 */
const wholeDay = timerOf(Array.from({ length: 6 }, (_, index) => 8 * (index + 1)));
/**
 * A long burn-in, in which some seconds of outage weigh little, with a tick every 3 seconds at its
 * beginning.
 */
const firstMinutes = timerOf(Array.from({ length: 200 }, (_, index) => 3 * (index + 1)));

const options = ({ config = {}, files = {}, unit }: HostOptions = {}): HostOptions => ({
  config: merge({ limits: { burninSeconds: 3600, watchSeconds: 1 } }, config),
  files: { [quickTimerFile]: firstMinutes, ...files },
  unit,
});

// ---------------------------------------------------------------------------- what the records say

const isTick = (record: LogRecord): boolean => record.kind === "burnin";
const isDecision = (record: LogRecord): boolean =>
  record.kind === "checkpoint" && record.hour === 24;
const accountsOf = (host: Host, after = 0): Account[] =>
  host
    .records()
    .slice(after)
    .flatMap((record) => record.account ?? []);

/** Pieces of one outage, as far as they touch. */
function outagesOf(accounts: readonly Account[], kind: Outage["kind"]): Outage[] {
  const all = accounts.flatMap(({ outages }) => outages).filter((outage) => outage.kind === kind);
  const joined: Outage[] = [];
  for (const outage of all.sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && outage.from <= last.to + 0.01) last.to = Math.max(last.to, outage.to);
    else joined.push({ ...outage });
  }
  return joined;
}

const lengthOf = ({ from, to }: { from: number; to: number }): number => to - from;
const restartsOf = (accounts: readonly Account[]) => accounts.flatMap(({ restarts }) => restarts);

/**
 * Starts the bot, and waits until its burn-in has had a tick. Returns how many records there were
 * then, and the id of the burn-in.
 */
async function beginBurnin(host: Host): Promise<{ after: number; id: string }> {
  await startProven(host);
  const pass = host
    .records()
    .findLast(({ kind, exit }) => kind === "verify" && exit === 0) as LogRecord;
  await host.waitForRecord("a tick", isTick, {
    after: host.records().indexOf(host.records().find(({ run }) => run === pass.run) as LogRecord),
  });
  await host.settle();
  return { after: host.records().length, id: pass.run };
}

/** The moment, in epoch milliseconds, at which a process began, by the kernel's own count. */
function beginningOf(pid: number): number {
  const ticks = Number(
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")[19],
  );
  const upSeconds = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  return Date.now() - (upSeconds - ticks / 100) * 1000;
}

/**
 * A moment in epoch milliseconds, as far as it can be known from outside: it lies between the last
 * look before it and the first one after. On a busy machine these are far apart.
 */
type Bracket = { last: number; first: number };
type Truth = { from: Bracket; to: Bracket };

/** How far a moment lies outside of its bracket, in milliseconds; 0 within. */
function beyond(moment: number, { last, first }: Bracket): number {
  return Math.max(last - moment, moment - first, 0);
}

/**
 * Waits until what was seen is seen no more, or the other way round, and tells when that was.
 * `since` is a moment before it.
 */
async function waitForChange(
  what: string,
  hasChanged: () => boolean | Promise<boolean>,
  since = Date.now(),
): Promise<Bracket> {
  let last = since;
  await waitFor(what, async () => {
    const lookedAt = Date.now();
    const changed = await hasChanged();
    if (!changed) last = lookedAt;
    return changed;
  });
  return { last, first: Date.now() };
}

/**
 * Ends the bot's process by a signal from outside, and waits for the next one. Returns when it was
 * away; the beginning of the next one is known by the kernel, to a hundredth of a second.
 */
async function dieAndReturn(host: Host, end: (pid: number) => unknown): Promise<Truth> {
  const pid = (await host.mainProcess(bot)) as number;
  const since = Date.now();
  await end(pid);
  const from = await waitForChange(
    "the process has ended",
    () => !existsSync(`/proc/${pid}`),
    since,
  );
  const next = await waitFor("there is another process", async () => host.mainProcess(bot));
  const to = beginningOf(next);
  return { from, to: { last: to, first: to } };
}

/** What lies between an event and its line in the journal, where others use the machine, too. */
const delayMsMax = timeIsExact ? 0 : 1000;

/** The outage is the one that happened, at both ends. */
function assertExact(outage: Outage | undefined, truth: Truth, t: TestContext, msMax = 300): void {
  assert.ok(outage, "there is no such outage");
  const begins = Date.parse(outage.at);
  const ends = begins + lengthOf(outage) * 1000;
  const off = [Math.round(beyond(begins, truth.from)), Math.round(beyond(ends, truth.to))];
  t.diagnostic(
    `${outage.kind} for ${Math.round(ends - begins)} ms; begins ${off[0]} ms off, ends ${off[1]} ms off: ${outage.says}`,
  );
  assert.ok(
    Math.max(...off) <= msMax + delayMsMax,
    `begins ${off[0]} ms off, ends ${off[1]} ms off: ${JSON.stringify([outage, truth])}`,
  );
  assert.deepEqual(
    [outage.exact, outage.source],
    [true, outage.kind === "down" ? "journal" : "log"],
  );
}

const decisionsOf = (host: Host): LogRecord[] => host.records().filter(isDecision);
const titlesOf = (host: Host): string[] =>
  host.outside.alerts.map(({ text }) =>
    (JSON.parse(text) as { title: string }).title.replace(/^.*? on .*?: /, ""),
  );

async function burninNow(
  host: Host,
): Promise<Settings & { id: string; attempt: number; decision: string; releaseId: string }> {
  const { json, stdout, stderr } = await host.status();
  assert.ok(json?.burnin, stdout + stderr);
  return json.burnin as never;
}

const reason = canBoot();
describe("a burn-in on a host", {
  skip: reason ?? false,
  concurrency: 2,
  timeout: 1_800_000,
}, () => {
  // ------------------------------------------------------------------------- from its beginning to
  // its end

  scene(
    "a healthy bot: ticks from the timer, three checkpoints once each, PASS, and an operator reads the report",
    async (host, t) => {
      await host.must("usermod", "--append", "--groups", "cytube-verify", "olga");
      const asOlga = (...command: string[]) =>
        host.run(["runuser", "-u", "olga", "--", "env", "-C", "/home/olga", ...command]);
      await startProven(host);
      const decision = await host.waitForRecord("the decision", isDecision, { deadlineMs: 90_000 });
      assert.deepEqual([decision.decision, decision.reasons], ["PASS", []], shortOf(decision));
      await waitFor("the timer has ended", async () => !(await host.isActive(timer)));
      await host.settle();
      const checkpoints = host.records().filter(({ kind }) => kind === "checkpoint");
      assert.deepEqual(
        checkpoints.map(({ hour }) => hour),
        [6, 12, 24],
      );
      const accounts = accountsOf(host);
      t.diagnostic(`${accounts.length} accounts, ${accounts.at(-1)?.to} s`);
      const ticks = await host.startsOf(tick);
      assert.ok(ticks >= 3, `${ticks} ticks`);
      assert.equal(accounts.length, ticks, "not every tick has accounted, or some did twice");
      assert.deepEqual(
        accounts.flatMap(({ unseen, outages }) => [...unseen, ...outages]),
        [],
      );
      assert.deepEqual(titlesOf(host), ["burn-in PASS (release r1, attempt 1)"]);

      const status = await asOlga("cytube-verify", "status", "--env", "prod");
      assert.equal(status.code, 0, status.stdout + status.stderr);
      assert.match(status.stdout, /burn-in +PASS, attempt 1/);
      const report = await asOlga("cytube-verify", "report", "--env", "prod", "--out", "day1");
      assert.equal(report.code, 0, report.stdout + report.stderr);
      const written = readdirSync(host.path("/home/olga/day1")).sort();
      assert.deepEqual(
        written.map((name) => name.replace(/\d{4}-\d\d-\d\d/, "DATE")),
        ["burnin-prod-DATE.html", "burnin-prod-DATE.md"],
      );
      assert.match(host.read(`/home/olga/day1/${written[1]}`), /HEALTHY/);
      assert.match(host.read(`/home/olga/day1/${written[0]}`), /PASS/);
      // As root it becomes the service's user, who may not write where root is at home.
      const asRoot = await host.run([
        "env",
        "-C",
        "/root",
        "cytube-verify",
        "report",
        "--env",
        "prod",
      ]);
      assert.equal(asRoot.code, 77, asRoot.stdout + asRoot.stderr);
      assert.match(
        asRoot.stderr,
        /"?\/root.*\n.*the user cytube-verify may write to \(--out DIR\), or print it: --format md/,
      );
      const printed = await host.run([
        "cytube-verify",
        "report",
        "--env",
        "prod",
        "--format",
        "md",
      ]);
      assert.match(printed.stdout, /Production Validation Report/);
      const note = await asOlga(
        "cytube-verify",
        "report",
        "--env",
        "prod",
        "--note",
        "Users are happy.",
      );
      assert.equal(note.code, 0, note.stderr);
      assert.match(
        (await asOlga("cytube-verify", "report", "--env", "prod", "--format", "md")).stdout,
        /olga:\n +Users are happy\./,
      );
    },
    options({ config: { limits: { burninSeconds: 48 } }, files: { [quickTimerFile]: wholeDay } }),
  );

  // ------------------------------------------------------------------------- outages between two
  // ticks, by the journal alone

  const deaths: {
    name: string;
    unit: string;
    end: (host: Host, pid: number) => unknown;
    release?: Release;
    says: RegExp;
  }[] = [
    {
      name: "killed",
      unit: inUnit("RestartSec=6"),
      end: (_host, pid) => sendSignal(pid, "SIGKILL"),
      says: /status=9\/KILL/,
    },
    {
      name: "ended by its watchdog",
      unit: inUnit("Type=notify\nNotifyAccess=all\nWatchdogSec=8\nRestartSec=6"),
      release: {
        prelude:
          "systemd-notify --ready; while [ ! -e /run/mute ]; do systemd-notify WATCHDOG=1; sleep 1; done &",
      },
      end: async (host, pid) => {
        await host.must("touch", "/run/mute");
        await waitFor("the watchdog has ended it", () => !existsSync(`/proc/${pid}`));
        rmSync(host.path("/run/mute"));
      },
      says: /watchdog|status=6\/ABRT/,
    },
  ];
  for (const { name, unit, end, release, says } of deaths) {
    scene(
      `${name}: an unplanned restart, exact to 0.3 s, fails the burn-in with its cause, is told, and the next pass begins attempt 2`,
      async (host, t) => {
        if (release) await host.deploy("r1", release);
        const { after, id } = await beginBurnin(host);
        const truth = await dieAndReturn(host, (pid) => end(host, pid));
        const decision = await host.waitForRecord("the decision", isDecision, { after });
        assert.deepEqual(
          [decision.decision, decision.burnin, decision.exit, decision.attempt],
          ["FAIL", id, 30, 1],
        );
        assert.match(JSON.stringify(decision.reasons), says);
        await host.waitForPass("r1", { after });
        const restarts = restartsOf(accountsOf(host, after));
        assert.deepEqual(
          restarts.map(({ planned }) => planned),
          [false],
        );
        assert.match(restarts[0]?.says ?? "", says);
        assertExact(outagesOf(accountsOf(host, after), "down")[0], truth, t);
        const told = await waitForAlert(host, /burn-in FAIL \(release r1, attempt 1\)/);
        assert.match(told.text, says);
        const next = await burninNow(host);
        assert.deepEqual([next.attempt, next.decision, next.releaseId], [2, "RUNNING", "r1"]);
        assert.notEqual(next.id, id);
        await host.waitForRecord(
          "a tick of attempt 2",
          (record) => record.account?.burnin === next.id,
          { after },
        );
        await host.settle();
        assert.equal(decisionsOf(host).length, 1);
      },
      options({ unit }),
    );
  }

  scene(
    "stopped and started by a person: planned downtime, exact to 0.3 s, and the burn-in goes on; stopped for good: the ticks are paused",
    async (host, t) => {
      const { after, id } = await beginBurnin(host);
      const truth = await dieAndReturn(host, async () => {
        await host.must("systemctl", "stop", bot);
        void waitFor("6 s are over", async () => host.records().length > after + 1).then(() =>
          host.must("systemctl", "start", bot),
        );
      });
      await host.waitForPass("r1", { after });
      const accounts = accountsOf(host, after);
      assertExact(outagesOf(accounts, "down")[0], truth, t);
      assert.deepEqual(
        restartsOf(accounts).map(({ planned }) => planned),
        [true],
      );
      assert.ok(
        accounts.flatMap(({ outages }) => outages).every(({ planned }) => planned === true),
      );
      await host.settle();
      const now = await burninNow(host);
      assert.deepEqual([now.id, now.attempt, now.decision], [id, 1, "RUNNING"]);

      const before = host.records().length;
      await host.must("systemctl", "stop", bot);
      await host.waitForRecord(
        "a tick that is paused",
        (record) => isTick(record) && record.verdict === "paused",
        { after: before },
      );
      const second = await host.waitForRecord(
        "another one",
        (record) => isTick(record) && record.verdict === "paused",
        {
          after: host.records().length,
        },
      );
      assert.equal(second.exit, 0);
      const [down] = outagesOf(accountsOf(host, before), "down");
      assert.deepEqual([down?.planned, down?.says], [true, "stopped on request"]);
      assert.ok(
        Math.abs((down?.to ?? 0) - (second.account?.to ?? 0)) < 0.01,
        "the outage goes on until the last tick",
      );
      assert.deepEqual(decisionsOf(host), []);
      assert.deepEqual(titlesOf(host), []);
    },
    options(),
  );

  for (const [name, ticks] of [
    ["between two ticks", [3, 25, 60, 120]],
    ["over two ticks", [3, 7, 10, 13, 16, 20, 30, 60, 120]],
  ] as const) {
    scene(
      `the connection is lost for 7 s ${name}: by the lines in the journal, exact to a second`,
      async (host, t) => {
        await host.deploy("r1", { switches: { dormant: true, "down-ms": 7000, "up-ms": 600_000 } });
        const { after, id } = await beginBurnin(host);
        const since = Date.now();
        sendSignal((await host.mainProcess(bot)) as number, "SIGUSR2");
        const connected = async (): Promise<unknown> => (await host.health())?.connected;
        const truth = {
          from: await waitForChange("it is lost", async () => (await connected()) === false, since),
          to: await waitForChange("it is back", async () => (await connected()) === true),
        };
        await host.waitForRecord(
          "a tick that has seen it all",
          (record) => isTick(record) && Date.parse(record.account?.at ?? "") > truth.to.first,
          { after },
        );
        const lost = outagesOf(accountsOf(host, after), "disconnected");
        assert.equal(lost.length, 1);
        assertExact(lost[0], truth, t, 1000);
        assert.equal(lost[0]?.planned, false);
        assert.match(lost[0]?.says ?? "", /Disconnected$/);
        const now = await burninNow(host);
        assert.deepEqual([now.id, now.decision], [id, "RUNNING"]);
        assert.match(JSON.stringify(now.flags), /disconnected or down 1 time/);
      },
      options({ files: { [quickTimerFile]: timerOf(ticks) } }),
    );
  }

  scene(
    "a reboot: planned downtime, and the same burn-in goes on",
    async (host, t) => {
      const { after, id } = await beginBurnin(host);
      const pid = (await host.mainProcess(bot)) as number;
      const since = Date.now();
      const booted = host.machine.powerOffAndBootAgain();
      const from = await waitForChange(
        "the process has ended",
        () => !existsSync(`/proc/${pid}`),
        since,
      );
      await booted;
      const to = beginningOf(
        await waitFor("there is another process", async () => host.mainProcess(bot)),
      );
      await host.waitForPass("r1", { after });
      const accounts = accountsOf(host, after);
      const [down] = outagesOf(accounts, "down");
      // By the first and the last word of two journals: a little apart from the process itself.
      const longest = to - from.last + 2000 + delayMsMax;
      const shortest = to - from.first - 2000 - delayMsMax;
      const ms = down ? lengthOf(down) * 1000 : Number.NaN;
      assert.ok(ms < longest && ms > shortest, JSON.stringify([down, from, to]));
      t.diagnostic(`down for ${ms} ms: ${down?.says}`);
      assert.deepEqual(
        restartsOf(accounts).map(({ planned }) => planned),
        [true],
      );
      await host.settle();
      const now = await burninNow(host);
      assert.deepEqual([now.id, now.attempt, now.decision], [id, 1, "RUNNING"]);
      assert.deepEqual(titlesOf(host), []);
    },
    options(),
  );

  scene(
    "a power cut: the host went down without a shutdown, which fails the burn-in",
    async (host) => {
      const { after, id } = await beginBurnin(host);
      await host.machine.powerOffAndBootAgain("abruptly");
      const decision = await host.waitForRecord("the decision", isDecision, { after });
      assert.deepEqual([decision.decision, decision.burnin], ["FAIL", id]);
      assert.match(JSON.stringify(decision.reasons), /the host went down without a shutdown/);
      await host.waitForPass("r1", { after });
      assert.equal((await burninNow(host)).attempt, 2);
      await waitForAlert(host, /burn-in FAIL.*without a shutdown/);
    },
    options(),
  );

  scene(
    "a reboot on a host that keeps no journal: nobody can tell whether it was planned, which is no failure",
    async (host) => {
      await host.shell("systemctl restart systemd-journald; rm -rf /var/log/journal/*");
      const { after, id } = await beginBurnin(host);
      await host.machine.powerOffAndBootAgain();
      await host.waitForPass("r1", { after });
      const accounts = accountsOf(host, after);
      assert.deepEqual(
        restartsOf(accounts).map(({ planned }) => planned),
        [null],
      );
      const [down] = outagesOf(accounts, "down");
      assert.deepEqual([down?.planned, down?.exact], [null, false]);
      assert.deepEqual(decisionsOf(host), []);
      assert.equal((await burninNow(host)).id, id);
    },
    options({
      files: { "/etc/systemd/journald.conf.d/volatile.conf": "[Journal]\nStorage=volatile\n" },
    }),
  );

  // ------------------------------------------------------------------------- another release

  scene(
    "a deployment: the burn-in of the old release ends without a decision, the new one has its own, and crashes of a candidate are not the old one's",
    async (host) => {
      const { after, id } = await beginBurnin(host);
      const deployed = await host.release("r2");
      const pass = await host.waitForPass("r2", { after: deployed });
      await host.settle();
      const second = await burninNow(host);
      assert.deepEqual(
        [second.id, second.attempt, second.decision, second.releaseId],
        [pass.run, 1, "RUNNING", "r2"],
      );
      await host.waitForRecord(
        "a tick of r2's",
        (record) => isTick(record) && record.account?.burnin === pass.run,
        { after: deployed },
      );
      const third = await host.release("r3", { switches: { "crash-after-ms": 1000 } });
      await host.waitForVerdict("r3", "fail", { after: third });
      await host.waitForPass("r2", { after: third, deadlineMs: 60_000 });
      await host.settle();
      assert.equal(host.current(), "r2");
      assert.deepEqual(
        decisionsOf(host),
        [],
        "a burn-in was decided on by what another release did",
      );
      const begun = await burninNow(host);
      assert.deepEqual([begun.attempt, begun.decision, begun.releaseId], [1, "RUNNING", "r2"]);
      const strangers = host
        .records()
        .slice(after)
        .filter(({ releaseId, account }) => releaseId !== "r1" && account?.burnin === id);
      assert.deepEqual(strangers, []);
    },
    options(),
  );

  // ------------------------------------------------------------------------- red flags

  /** Healthy until it is sent SIGUSR2; then it answers nothing of use. */
  const turnsBad: Release = { switches: { dormant: true, body: "html" } };

  async function redFlag(host: Host): Promise<{ after: number; red: LogRecord }> {
    await beginBurnin(host);
    const before = await host.release("r2", turnsBad);
    await host.waitForPass("r2", { after: before });
    await host.settle();
    const after = host.records().length;
    sendSignal((await host.mainProcess(bot)) as number, "SIGUSR2");
    const red = await host.waitForRecord(
      "a red flag",
      (record) => isTick(record) && record.exit === 30,
      { after },
    );
    return { after, red };
  }

  scene(
    "a red flag where the site asks for a rollback: the old release answers",
    async (host, t) => {
      const { after, red } = await redFlag(host);
      const up = await host.botIsUp("r1");
      t.diagnostic(`${up - Date.parse(red.ts)} ms from the red flag until the old release answers`);
      const done = await host.waitForRecord("a rollback", ({ kind }) => kind === "rollback", {
        after,
      });
      assert.equal(done.exit, 0, shortOf(done));
      assert.equal(host.current(), "r1");
      await host.waitForPass("r1", { after });
      await waitForAlert(host, /rolled back from r2 to r1: burnin/);
      await host.settle();
      assert.match(
        await host.must("cytube-verify", "rollback", "--env", "prod", "--list"),
        /r2.*quarantined \(burnin\)/,
      );
      assert.equal(host.records().filter(({ kind }) => kind === "rollback").length, 1);
      assert.equal(existsSync(host.path("/run/cytube-verify/prod.rollback")), false);
    },
    options({ config: { burnin: { rollback: true } } }),
  );

  scene(
    "a red flag where the site does not: an alert, and nothing else",
    async (host) => {
      const { after } = await redFlag(host);
      await waitForAlert(host, /burn-in fails: .*health_endpoint/);
      await host.waitForRecord("another tick", isTick, { after: host.records().length });
      await host.settle();
      assert.deepEqual(
        host
          .records()
          .slice(after)
          .filter(({ kind }) => kind === "rollback"),
        [],
      );
      assert.equal(host.current(), "r2");
      assert.equal(
        (await host.journal(tick)).includes("no rollback: burnin.rollback is not set"),
        true,
      );
    },
    options(),
  );

  scene(
    "a tick that is killed rolls nothing back, also where somebody has left a flag behind",
    async (host) => {
      await beginBurnin(host);
      const before = await host.release("r2", { switches: { dormant: true, body: "hang" } });
      const pass = await host.waitForPass("r2", { after: before });
      await host.settle();
      const request = {
        by: "person",
        run: pass.run,
        releaseId: "r2",
        checks: [],
        schema: null,
        to: "r1",
        emergency: false,
      };
      await host.write("/run/cytube-verify/prod.rollback", JSON.stringify(request), "0664");
      await host.shell(
        "cd /run/cytube-verify; chown cytube-verify:cytube-verify prod.rollback; touch -d '2 minutes ago' prod.rollback",
      );
      sendSignal((await host.mainProcess(bot)) as number, "SIGUSR2");
      // It waits for an answer that does not come.
      await waitFor(
        "a tick has taken the flag away",
        () => !existsSync(host.path("/run/cytube-verify/prod.rollback")),
      );
      await host.must("systemctl", "stop", timer);
      // Where that one has ended already, this is the next; else it is the same.
      await host.must("systemctl", "start", "--no-block", tick);
      await waitFor(
        "a tick runs",
        async () => (await host.show(tick, "ActiveState")) === "activating",
      );
      await host.must("systemctl", "kill", "--signal=KILL", tick);
      await waitForAlert(host, /burn-in ended without a verdict/);
      await neverWithin(
        "there was a rollback",
        2000,
        async () => host.current() !== "r2" || (await host.isActive(rollback)),
      );
      await host.settle();
      assert.deepEqual(
        host.records().filter(({ kind }) => kind === "rollback"),
        [],
      );
      assert.equal(await host.startsOf(verification), 2);
    },
    options({ config: { burnin: { rollback: true } } }),
  );
});
