/**
 * What the program does on a host with releases and systemd units: how a start has ended, the flags
 * that a verdict leaves, the two halves of a
 * rollback, and what people ask. The bots, their releases and the verifier are real; only systemctl
 * is played, because its units are tested elsewhere.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { stringify } from "yaml";
import { type Config, readConfig } from "../../lib/config.ts";
import { renderGithub } from "../../lib/outputs/github.ts";
import { type BotStatus, renderReleases, renderStatus } from "../../lib/outputs/status.ts";
import { followIdentity } from "../../lib/probes/identity.ts";
import { readProcessStat } from "../../lib/probes/process.ts";
import { readReleaseId } from "../../lib/probes/release.ts";
import { parseEnding, parseUnit, type UnitProperties } from "../../lib/probes/unit.ts";
import type { ReleaseState, RollbackRecord, RollbackRequest } from "../../lib/releases/state.ts";
import type { Result as VerifyResult } from "../../lib/run.ts";
import type { ProcessIncident } from "../../lib/vocabulary.ts";
import { RULES } from "../../verify.ts";
import { formatLogLine } from "../support/bot.ts";
import {
  type BotOptions,
  createDirectory,
  defaultConfig,
  findFreePort,
  merge,
  onCleanup,
  programFor,
  projectDirectory,
  type Result,
  type Run,
  type RunningBot,
  type RunOptions,
  readIfThere,
  readRecords,
  runVerify,
  type Settings,
  startBot,
  startProcess,
  unprivilegedUid,
  until,
} from "../support/harness.ts";

// ---------------------------------------------------------------------------- how a start has ended

const captured = join(projectDirectory, "test/captured");
const readCaptured = (name: string): UnitProperties =>
  parseUnit(readFileSync(join(captured, name), "utf8"));

const byPerson = /^was restarted by a person: invocation \w{8} took its place$/;
const goesOn = "goes on";
const stopped = "was stopped by a person";

/** For each captured state: how the start that it shows has ended, and how an earlier one has. */
const endings: Record<string, [same: string | RegExp, earlier: string | RegExp]> = {
  "show-running.txt": [goesOn, byPerson],
  "show-append.txt": [goesOn, byPerson],
  "show-need-daemon-reload.txt": [goesOn, byPerson],
  "show-reloading.txt": [goesOn, byPerson],
  "show-start-post.txt": [goesOn, byPerson],
  "show-start-pre.txt": [goesOn, byPerson],
  "show-starting-notify.txt": [goesOn, byPerson],
  "show-timestamp-unix.txt": [goesOn, byPerson],
  "show-timestamp-zone.txt": [goesOn, byPerson],
  "show-triggered.txt": [goesOn, byPerson],
  "show-unprivileged.txt": [goesOn, byPerson],
  "show-stopping.txt": [goesOn, goesOn],
  "show-crash-loop.txt": [
    goesOn,
    /^died and was restarted by systemd \(5 so far\): invocation \w{8} took its place$/,
  ],
  "show-auto-restart.txt": [
    /^died \(result exit-code\), and systemd will restart it$/,
    /^died \(result exit-code\)/,
  ],
  "show-failed-exec.txt": [/^died \(result exit-code\), and systemd has given up on it$/, /^died/],
  "show-failed-exit-1.txt": [/^died \(result exit-code\), and systemd has given up/, /^died/],
  "show-failed-signal.txt": [/^died \(result signal\), and systemd has given up/, /^died/],
  "show-failed-start-timeout.txt": [/^died \(result timeout\), and systemd has given up/, /^died/],
  "show-start-limit-automatic.txt": [
    /^died \(result exit-code\), and systemd has given up/,
    /^died/,
  ],
  "show-start-limit-manual.txt": [/^died \(result exit-code\), and systemd has given up/, /^died/],
  "show-start-limit-hit.txt": [
    /^died \(result start-limit-hit\), and systemd has given up/,
    /^died/,
  ],
  "show-stopped.txt": [stopped, stopped],
  "show-stopped-referenced.txt": [stopped, stopped],
  "show-never-started.txt": [/^died \(result success\), and systemd leaves it so$/, /^died/],
};

/**
 * The order of a stop that was asked for, and of a death; the captures are older than the question.
 */
const asked = {
  InactiveExitTimestampMonotonic: "100",
  ActiveExitTimestampMonotonic: "200",
  ExecMainExitTimestampMonotonic: "210",
};
const itself = { ...asked, ExecMainExitTimestampMonotonic: "190" };

function assertEnding(unit: UnitProperties, invocation: string, expected: string | RegExp): void {
  const ending = parseEnding(unit, invocation);
  if (expected === goesOn) return assert.equal(ending, null);
  if (typeof expected === "string") assert.equal(ending?.says, expected);
  else assert.match(ending?.says ?? goesOn, expected);
  const planned = new Map<string | RegExp, string>([
    [stopped, "stop"],
    [byPerson, "restart"],
  ]);
  assert.equal(ending?.planned, planned.get(expected));
  assert.equal(ending?.kind, /restarted by/.test(ending?.says ?? "") ? "restarted" : "died");
}

for (const [file, [same, earlier]] of Object.entries(endings)) {
  test(`parseEnding() of ${file}`, () => {
    const neverStarted = file === "show-never-started.txt";
    const byItself = neverStarted ? {} : itself;
    const unit: UnitProperties = {
      ...readCaptured(file),
      ...(same === stopped ? asked : byItself),
    };
    assertEnding(unit, unit.InvocationID ?? "", same);
    assertEnding(unit, "0123456789abcdef0123456789abcdef", earlier);
  });
}

test("parseEnding() is tried on every captured state of a unit that is loaded", () => {
  const loaded = readdirSync(captured).filter(
    (name) => /^show-.*\.txt$/.test(name) && name !== "show-two-units.txt",
  );
  assert.deepEqual(
    loaded.filter((name) => readCaptured(name).LoadState === "loaded").sort(),
    Object.keys(endings).sort(),
  );
});

const [first, second] = ["a".repeat(32), "b".repeat(32)] as const;
const unitOf = (over: UnitProperties = {}): UnitProperties => ({
  Id: "cytube-bot.service",
  LoadState: "loaded",
  ActiveState: "active",
  SubState: "running",
  Result: "success",
  MainPID: "4711",
  NRestarts: "0",
  InvocationID: first,
  ...over,
});

for (const [what, over, expected] of [
  ["the same invocation", {}, goesOn],
  ["the same invocation, after automatic restarts before it", { NRestarts: "3" }, goesOn],
  ["another invocation without an automatic restart", { InvocationID: second }, byPerson],
  [
    "another invocation with one",
    { InvocationID: second, NRestarts: "1" },
    /^died and was restarted by systemd \(1 so far\): invocation bbbbbbbb/,
  ],
  [
    "another invocation that is starting",
    { InvocationID: second, ActiveState: "activating", SubState: "start-pre" },
    byPerson,
  ],
  [
    "auto-restart",
    { ActiveState: "activating", SubState: "auto-restart", Result: "signal" },
    /^died \(result signal\), and systemd will restart it$/,
  ],
  [
    "auto-restart-queued, as systemd 254 calls it",
    { ActiveState: "activating", SubState: "auto-restart-queued", Result: "watchdog" },
    /^died \(result watchdog\)/,
  ],
  [
    "an automatic restart after a success",
    { ActiveState: "activating", SubState: "auto-restart" },
    /^died \(result success\), and systemd will restart/,
  ],
  [
    "failed",
    { ActiveState: "failed", SubState: "failed", Result: "exit-code" },
    /^died \(result exit-code\), and systemd has given up/,
  ],
  [
    "failed, of another invocation",
    { ActiveState: "failed", SubState: "failed", Result: "core-dump", InvocationID: second },
    /^died \(result core-dump\)/,
  ],
  [
    "inactive after a stop that was asked for",
    { ...asked, ActiveState: "inactive", SubState: "dead", MainPID: "0" },
    stopped,
  ],
  [
    "a bot that ends by itself, and well",
    { ...itself, ActiveState: "inactive", SubState: "dead" },
    /^died \(result success\), and systemd leaves it so$/,
  ],
  [
    "a bot that ends badly when it is asked to",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "signal" },
    stopped,
  ],
  [
    "a bot that has to be killed when it is asked to stop",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "timeout" },
    stopped,
  ],
  [
    "what the watchdog ends",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "watchdog" },
    /^died \(result watchdog\)/,
  ],
  [
    "a start that failed after a stop that was asked for",
    {
      ...asked,
      InactiveExitTimestampMonotonic: "300",
      ActiveState: "failed",
      SubState: "failed",
      Result: "exit-code",
    },
    /^died \(result exit-code\), and systemd has given up/,
  ],
  ["deactivating", { ActiveState: "deactivating", SubState: "stop-sigterm" }, goesOn],
  [
    "deactivating, of another invocation",
    { ActiveState: "deactivating", SubState: "stop-sigterm", InvocationID: second },
    goesOn,
  ],
] as [string, UnitProperties, string | RegExp][]) {
  test(`parseEnding() of ${what}`, () => assertEnding(unitOf(over), first, expected));
}

// ---------------------------------------------------------------------------- a host

const shortChecks = {
  watchSeconds: 0,
  startupSecondsMax: 1,
  healthTriesMax: 1,
  responseGapMs: 5,
  memorySamples: 1,
};
const onHost: Settings = {
  release: { directory: "releases" },
  rollback: { auto: true, secondsMax: 3 },
  state: { directory: "state", flags: "flags" },
  limits: shortChecks,
};
const asUnit = { CYTUBE_VERIFY_UNIT: "verify" };

const showOf = (unit: UnitProperties): string =>
  Object.entries(unit)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/**
 * A directory with releases, a config, a systemctl that is played, and a bot that runs from
 * `current` with the switches of that release.
 */
class Host {
  readonly directory = createDirectory();
  readonly file: string;
  bot: RunningBot | null = null;
  #port = 9;

  constructor(over: Settings = {}) {
    for (const name of ["releases", "state", "flags", "bin", "units"]) mkdirSync(this.at(name));
    this.file = this.configure(over);
    const script = `#!/bin/sh
echo "$*" >> "${this.at("asked")}"
case "$1" in
  show) [ "$3" = -- ] && [ -f "${this.at("units")}/$4" ] && exec cat "${this.at("units")}/$4"; echo "Unit $4 is not played" >&2; exit 64 ;;
  list-timers) exec cat "${this.at("timers.json")}" ;;
  start) exec sh "${this.at("units")}/start" "$2" ;;
esac
exit 64
`;
    writeFileSync(this.at("bin/systemctl"), script, { mode: 0o755 });
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  configure(over: Settings = {}): string {
    const file = this.at("verify.yaml");
    writeFileSync(file, stringify(merge(merge(defaultConfig(this.#port), onHost), over)));
    return file;
  }

  get config(): Config {
    return readConfig("prod", this.file, RULES);
  }

  /** A finished release; the bot takes the switches. The later one of two is the newer. */
  deploy(id: string, ...switches: string[]): void {
    mkdirSync(this.at(`releases/${id}`), { recursive: true });
    writeFileSync(this.at(`releases/${id}/switches`), switches.join(" "));
    writeFileSync(this.at(`releases/${id}/.complete`), "");
  }

  /** As if the release had been finished so many seconds ago. */
  age(id: string, seconds: number): void {
    const time = Date.now() / 1000 - seconds;
    utimesSync(this.at(`releases/${id}/.complete`), time, time);
  }

  point(id: string): void {
    symlinkSync(`releases/${id}`, this.at("current.new"));
    renameSync(this.at("current.new"), this.at("current"));
  }

  get current(): string {
    return readlinkSync(this.at("current"));
  }

  /** Starts the bot of the current release, or starts it again. */
  async start(options: BotOptions = {}, over: Settings = {}): Promise<RunningBot> {
    if (this.bot) await this.bot.restart();
    const wrap = (command: readonly string[]) => [
      "sh",
      "-c",
      'cd "$0/current" && exec "$@" $(cat switches)',
      this.directory,
      ...command,
    ];
    this.bot ??= await startBot(this.directory, { ...options, wrap });
    this.#port = this.bot.port;
    this.configure(over);
    return this.bot;
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    const env = { PATH: `${this.at("bin")}:${process.env.PATH}`, ...options.env };
    return runVerify([...args, "--env", "prod", "--config", this.file], { ...options, env });
  }

  verify(args: readonly string[] = [], options: RunOptions = {}): Promise<Run> {
    return this.run(args, { ...options, env: { ...asUnit, ...options.env } });
  }

  get flags(): string[] {
    return readdirSync(this.at("flags")).sort();
  }

  get state(): ReleaseState {
    return JSON.parse(readFileSync(this.at("state/prod.releases.json"), "utf8")) as ReleaseState;
  }

  remember(over: Partial<ReleaseState>): void {
    const empty = {
      v: 1,
      metrics: null,
      passed: {},
      quarantined: {},
      rollbacks: [],
      last: null,
      failures: 0,
      unjudged: [],
      burnin: null,
    };
    writeFileSync(this.at("state/prod.releases.json"), JSON.stringify({ ...empty, ...over }));
  }

  request(over: object = {}): void {
    const request = {
      by: "verdict",
      run: "run-2",
      releaseId: "r2",
      exit: 6,
      checks: ["health_endpoint"],
      schema: null,
      to: null,
      emergency: false,
    };
    writeFileSync(this.at("flags/prod.rollback"), JSON.stringify({ ...request, ...over }));
  }

  get records(): (Result & Partial<RollbackRecord>)[] {
    return readRecords(this.at("verify.jsonl")) as (Result & Partial<RollbackRecord>)[];
  }

  get rollbacks(): RollbackRecord[] {
    return this.records.filter(({ kind }) => kind === "rollback") as unknown as RollbackRecord[];
  }
}

const passedNow = () => ({
  at: new Date().toISOString(),
  run: "run-1",
  version: "1.4.2",
  schema: null,
});

/** Two releases of which the old one has passed, and the new one is current. */
function twoReleases(over: Settings = {}): Host {
  const host = new Host(over);
  host.deploy("r1");
  host.age("r1", 60);
  host.deploy("r2");
  host.age("r2", 30);
  host.point("r2");
  host.remember({ passed: { r1: passedNow() } });
  return host;
}

/** Every scene ends with its bot stopped, however its test ended. */
async function withHost(host: Host, act: (host: Host) => Promise<unknown>): Promise<void> {
  try {
    await act(host);
  } finally {
    await host.bot?.stop();
  }
}

// ---------------------------------------------------------------------------- followIdentity()

describe("followIdentity() of a unit", { concurrency: false }, () => {
  const path = process.env.PATH;
  after(() => {
    process.env.PATH = path;
  });

  /**
   * Follows a real process, ends it, and returns what was reported; `unit` is what systemctl says
   * then.
   */
  async function follow(
    unit: UnitProperties | null,
    meanwhile: (host: Host) => Promise<unknown> = async () => {},
  ) {
    const host = new Host({ process: { unit: "cytube-bot.service", pidFile: null } });
    process.env.PATH = `${host.at("bin")}:${path}`;
    if (unit) writeFileSync(host.at("units/cytube-bot.service"), showOf(unit));
    const child = startProcess(["sleep", "60"]);
    const stat = await until("the process runs", () => readProcessStat(child.pid ?? 0));
    const incidents: ProcessIncident[] = [];
    const identity = { ...stat, startedAt: Date.now() - 3000, bootId: "boot", invocation: first };
    const follower = followIdentity(host.config, identity, (incident) => incidents.push(incident));
    try {
      child.end();
      await meanwhile(host);
      const incident = await until("the end of the process is reported", () => incidents[0]);
      assert.ok(follower.isGone());
      assert.match(
        incident.says,
        new RegExp(`^the bot .*: pid ${stat.pid} (ended|was gone) 3(\\.\\d+)? s after its start`),
      );
      assert.equal(incidents.length, 1);
      return incident;
    } finally {
      follower.stop();
    }
  }

  for (const [what, unit, kind, says, planned] of [
    [
      "a crash that systemd mends",
      unitOf({ ActiveState: "activating", SubState: "auto-restart", Result: "signal" }),
      "died",
      /systemd will restart it/,
    ],
    [
      "a crash that systemd has mended already",
      unitOf({ InvocationID: second, NRestarts: "1" }),
      "restarted",
      /restarted by systemd \(1 so far\)/,
    ],
    [
      "a crash that systemd does not mend",
      unitOf({ ActiveState: "failed", SubState: "failed", Result: "exit-code" }),
      "died",
      /has given up on it/,
    ],
    [
      "a restart by a person",
      unitOf({ InvocationID: second }),
      "restarted",
      /was restarted by a person: invocation bbbbbbbb/,
      "restart",
    ],
    [
      "a stop by a person",
      unitOf({ ...asked, ActiveState: "inactive", SubState: "dead", MainPID: "0" }),
      "died",
      /was stopped by a person/,
      "stop",
    ],
    [
      "a death of which systemd does not say why",
      null,
      "died",
      /was gone .*, and systemd does not say why$/,
    ],
    ["a unit that does not settle", unitOf(), "died", /was gone .*, and systemd does not say why$/],
  ] as [string, UnitProperties | null, string, RegExp, string?][]) {
    test(`reports ${what} once`, async () => {
      const incident = await follow(unit);
      assert.equal(incident.kind, kind);
      assert.match(incident.says, says);
      assert.equal(incident.planned, planned);
    });
  }

  test("waits for a stop that takes its time before it says how it ended", async () => {
    const incident = await follow(
      unitOf({ ActiveState: "deactivating", SubState: "stop-sigterm" }),
      async (host) => {
        await until(
          "systemctl has been asked twice",
          () => readIfThere(host.at("asked")).split("\n").length > 2,
        );
        writeFileSync(host.at("units/next"), showOf(unitOf({ InvocationID: second })));
        renameSync(host.at("units/next"), host.at("units/cytube-bot.service"));
      },
    );
    assert.equal(incident.planned, "restart");
  });
});

test("readReleaseId() knows the release by the working directory, also after the switch and the deletion of it", async () => {
  const host = twoReleases();
  const child = startProcess(["sleep", "60"], { cwd: host.at("current") });
  const outside = startProcess(["sleep", "60"], { cwd: host.at("releases") });
  await until("both run", () =>
    [child, outside].every(({ pid }) => readIfThere(`/proc/${pid}/cmdline`).startsWith("sleep")),
  );
  const idOf = (pid: number | undefined): string | null => readReleaseId(host.config, pid ?? null);
  assert.equal(idOf(child.pid), "r2");
  host.point("r1");
  assert.equal(idOf(child.pid), "r2");
  assert.equal(idOf(outside.pid), null);
  assert.equal(idOf(process.pid), null);
  assert.equal(idOf(undefined), null);
  assert.equal(readReleaseId({}, child.pid ?? 0), null);
  for (const started of [child, outside]) started.end();
});

// ---------------------------------------------------------------------------- flags

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

// ---------------------------------------------------------------------------- rollback --switch, rollback --confirm

describe("rollback inside its unit", { concurrency: 2 }, () => {
  test("a bad release is rolled back once, and again only after it was deployed anew", async () =>
    withHost(new Host(), async (host) => {
      host.deploy("r1");
      host.age("r1", 60);
      host.point("r1");
      await host.start();
      assert.equal((await host.verify()).code, 0);
      host.deploy("r2", "--status-code=500");
      host.age("r2", 30);
      host.point("r2");
      await host.start();
      const failed = await host.verify(["--json"]);
      assert.equal(failed.code, 6, failed.stderr);

      const switched = await host.run(["rollback", "--switch"]);
      assert.deepEqual([switched.code, switched.stdout], [0, ""], switched.stderr);
      assert.match(switched.stderr, /^rolling back r2 → r1$/m);
      assert.equal(host.current, "releases/r1");
      assert.deepEqual(host.flags, ["prod.rolling"], "the request is taken");
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.state.rollbacks.length],
        [["r2"], 1],
        "the marker comes first",
      );

      await host.start();
      const confirmed = await host.run(["rollback", "--confirm"]);
      assert.equal(confirmed.code, 0, confirmed.stderr);
      assert.match(
        confirmed.stderr,
        /^Rolled back to r1, which is healthy\. Find out why r2 failed\.$/m,
      );
      assert.deepEqual(host.flags, []);
      const [record] = host.rollbacks;
      assert.equal(host.rollbacks.length, 1);
      assert.deepEqual(
        [
          record?.verdict,
          record?.exit,
          record?.by,
          record?.from,
          record?.to,
          record?.of,
          record?.checks,
          record?.lifted,
        ],
        [
          "pass",
          0,
          "verdict",
          "r2",
          "r1",
          failed.json?.run,
          failed.json?.findings.filter(({ status }) => status === "fail").map(({ check }) => check),
          false,
        ],
      );
      const evidence = (
        record as unknown as {
          failed: { exit: number; findings: { check: string; status: string }[]; series: unknown };
        }
      ).failed;
      assert.deepEqual(
        [evidence.exit, new Set(evidence.findings.map(({ status }) => status)), evidence.series],
        [6, new Set(["fail"]), null],
      );
      assert.equal(host.state.rollbacks.length, 1, "the marker and the record are one rollback");

      // Somebody points current back to it, by hand, without a new deployment.
      host.point("r2");
      await host.start();
      assert.equal((await host.verify()).code, 6);
      const refused = await host.run(["rollback", "--switch"]);
      assert.equal(refused.code, 42, refused.stderr);
      assert.match(
        refused.stderr,
        /^No rollback: r2 was rolled back already .* Nothing was changed; a person has to look\.$/m,
      );
      assert.deepEqual([host.current, host.flags], ["releases/r2", []]);
      assert.deepEqual(
        [host.rollbacks.at(-1)?.verdict, host.rollbacks.at(-1)?.exit],
        ["refused", 42],
      );

      host.deploy("r2", "--status-code=500");
      await host.start();
      assert.equal((await host.verify()).code, 6);
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      assert.equal(host.current, "releases/r1");
    }));

  test("nothing has asked: --switch and --confirm exit 42, and change nothing", async () => {
    const host = twoReleases();
    for (const half of ["--switch", "--confirm"]) {
      const run = await host.run(["rollback", half]);
      assert.equal(run.code, 42, run.stderr);
      assert.match(
        run.stderr,
        /^(Nothing has asked for a rollback|There is no rollback to confirm)/,
      );
    }
    assert.deepEqual([host.current, host.records], ["releases/r2", []]);
  });

  for (const [what, request, code, says, over] of [
    [
      "current has moved on",
      { releaseId: "r1" },
      42,
      /current has moved on: r1 was judged, r2 is current/,
    ],
    ["there is nothing to go to", {}, 40, /there is no other complete release/, "nothing passed"],
    [
      "the schema has changed",
      { schema: "b" },
      42,
      /the database has changed since r1 passed/,
      "schema a",
    ],
    [
      "the release that a person wants is gone",
      { by: "person", to: "r9" },
      42,
      /there is no complete release r9/,
    ],
  ] as [string, object, number, RegExp, string?][]) {
    test(`--switch refuses with ${code}: ${what}`, async () => {
      const host = twoReleases();
      if (over === "nothing passed") host.remember({});
      if (over === "schema a") host.remember({ passed: { r1: { ...passedNow(), schema: "a" } } });
      const before = readIfThere(host.at("state/prod.releases.json"));
      host.request(request);
      const run = await host.run(["rollback", "--switch"]);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, says);
      assert.deepEqual([host.current, host.flags], ["releases/r2", []]);
      assert.deepEqual(
        JSON.parse(readIfThere(host.at("state/prod.releases.json"))),
        JSON.parse(before),
      );
      assert.deepEqual(
        host.rollbacks.map(({ verdict, exit }) => [verdict, exit]),
        [["refused", code]],
      );
    });
  }

  for (const [what, damage] of [
    ["missing", (file: string) => rmSync(file)],
    ["damaged", (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 40))],
  ] as [string, (file: string) => void][]) {
    test(`a state file that is ${what} is built anew from the log`, async () =>
      withHost(new Host(), async (host) => {
        host.deploy("r1");
        host.age("r1", 60);
        host.point("r1");
        await host.start();
        assert.equal((await host.verify()).code, 0);
        host.deploy("r2");
        host.point("r2");
        host.request();
        damage(host.at("state/prod.releases.json"));
        const run = await host.run(["rollback", "--switch"]);
        assert.equal(run.code, 0, run.stderr);
        assert.equal(host.current, "releases/r1");
        assert.deepEqual(
          [Object.keys(host.state.passed), Object.keys(host.state.quarantined)],
          [["r1"], ["r2"]],
        );
      }));
  }

  test("--switch exits 77 where the link's directory cannot be written to, and says so", async () => {
    const host = twoReleases();
    host.request();
    for (const name of ["state", "flags", "flags/prod.rollback", "state/prod.releases.json"])
      chmodSync(host.at(name), name.includes(".") ? 0o666 : 0o777);
    writeFileSync(host.at("verify.jsonl"), "", { mode: 0o666 });
    chmodSync(host.at("verify.jsonl"), 0o666);
    const run = await host.run(["rollback", "--switch"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /cannot be written to \(EACCES: permission denied/);
    assert.deepEqual([host.current, host.flags, host.rollbacks[0]?.exit], ["releases/r2", [], 77]);
  });

  test("--confirm waits for a release that is slow to start", async () =>
    withHost(twoReleases({ rollback: { secondsMax: 15 } }), async (host) => {
      host.deploy("r1", "--starting-ms=2500");
      host.age("r1", 60);
      host.remember({ passed: { r1: passedNow() } });
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start({}, { rollback: { secondsMax: 15 } });
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 0, run.stderr);
    }));

  test("--confirm exits 41 where the old release fails alike, and takes the blame off the new one", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r1", "--status-code=500");
      host.age("r1", 60);
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start();
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(
        run.stderr,
        /Rolled back to r1, which is not healthy either \(exit 6\).*health_endpoint fails with r1 too, so the environment is suspected/,
      );
      assert.deepEqual([host.flags, host.current], [[], "releases/r1"]);
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.rollbacks[0]?.lifted],
        [[], true],
      );
      assert.equal(host.state.rollbacks.length, 1, "it was a rollback all the same");
    }));

  test("--confirm exits 41 where the old release fails in another way, and leaves the blame where it is", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r1", "--field=connected=false");
      host.age("r1", 60);
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start();
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.doesNotMatch(run.stderr, /suspected/);
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.rollbacks[0]?.lifted],
        [["r2"], false],
      );
    }));

  test("--confirm exits 41 where the bot still runs from the release that was left", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(
        run.stderr,
        /not healthy either \(exit 19: the bot was not started again after the switch\)/,
      );
    }));

  test("--confirm exits 41 where no bot runs, within rollback.secondsMax and a few seconds", async () => {
    const host = twoReleases();
    host.request();
    assert.equal((await host.run(["rollback", "--switch"])).code, 0);
    const run = await host.run(["rollback", "--confirm"]);
    assert.equal(run.code, 41, run.stderr);
    assert.ok(run.ms > 2500 && run.ms < 12_000, `${run.ms} ms`);
  });

  const byCommand = (script: string): Settings => ({
    rollback: { auto: true, secondsMax: 3, command: ["sh", "-c", script] },
    release: null,
  });

  test("rollback.command is run in place of the switch, once", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start({}, byCommand(`echo ran >> ${host.at("ran")}`));
      host.request({ releaseId: "1.4.2" });
      const switched = await host.run(["rollback", "--switch"]);
      assert.equal(switched.code, 0, switched.stderr);
      assert.match(switched.stderr, /^rolling back 1\.4\.2 → by rollback\.command$/m);
      assert.deepEqual([readIfThere(host.at("ran")), host.current], ["ran\n", "releases/r2"]);
      const confirmed = await host.run(["rollback", "--confirm"]);
      assert.equal(confirmed.code, 0, confirmed.stderr);
      assert.match(
        confirmed.stderr,
        /Rolled back to what rollback\.command chose, which is healthy/,
      );
      assert.deepEqual(
        [host.flags, host.state.rollbacks.length, Object.keys(host.state.quarantined)],
        [[], 1, ["1.4.2"]],
      );
    }));

  test("rollback.command that fails exits 41, and its complaint is told", async () => {
    const host = twoReleases();
    host.configure(byCommand("echo no such tag >&2; exit 3"));
    host.request({ releaseId: "1.4.2" });
    const run = await host.run(["rollback", "--switch"]);
    assert.equal(run.code, 41, run.stderr);
    assert.match(
      run.stderr,
      /^The rollback failed: rollback\.command exited 3 \(no such tag\)\.$/m,
    );
    assert.deepEqual(host.flags, []);
    assert.deepEqual(
      host.rollbacks.map(({ verdict, exit, from }) => [verdict, exit, from]),
      [["fail", 41, "1.4.2"]],
    );
  });
});

// ---------------------------------------------------------------------------- what people ask for

/**
 * What the unit does when it is started: both halves, and between them the restart of the bot by
 * whoever supervises it.
 */
const unitScript = (host: Host): string => `[ "$1" = cytube-rollback@prod.service ] || exit 64
[ -e "${host.at("flags")}/prod.rollback" ] || exit 0
half() { "${process.execPath}" "${programFor(undefined)}" rollback --env prod --config "${host.file}" "$1" 2>> "${host.at("journal")}"; }
half --switch || exit 1
kill "$(cat "${host.at("bot.pid")}")"
half --confirm || exit 1
`;

async function supervised(over: Settings = {}): Promise<Host> {
  const host = twoReleases(over);
  await host.start({ restartAfterMs: 50 }, merge({ rollback: { secondsMax: 20 } }, over));
  writeFileSync(host.at("units/start"), unitScript(host));
  return host;
}

/**
 * The bot dies, and whoever supervises it starts it again, with the switches that its release has
 * now.
 */
async function die({ bot }: Host): Promise<void> {
  const before = bot?.pid();
  await bot?.kill();
  await until(
    "the bot is there again",
    () => bot?.pid() !== before && existsSync(join(bot?.dir ?? "", "bot.pid")),
  );
}

describe("rollback for people", { concurrency: 2 }, () => {
  test("asks, follows the unit, and tells what came of it", async () =>
    withHost(await supervised(), async (host) => {
      const run = await host.run(["rollback"]);
      assert.equal(run.code, 0, run.stderr + readIfThere(host.at("journal")));
      assert.match(run.stderr, /^rolling back r2 → r1 …$/m);
      assert.equal(run.stdout, "Rolled back to r1, which is healthy. Find out why r2 failed.\n");
      assert.deepEqual([host.current, host.flags], ["releases/r1", []]);
      assert.deepEqual(
        host.rollbacks.map(({ by, from, to }) => [by, from, to]),
        [["person", "r2", "r1"]],
      );
      assert.match(readIfThere(host.at("asked")), /^start cytube-rollback@prod\.service$/m);
    }));

  test("--json prints the record", async () =>
    withHost(await supervised(), async (host) => {
      const run = await host.run(["rollback", "--json", "--quiet"]);
      assert.deepEqual([run.code, run.stderr], [0, ""]);
      assert.deepEqual(run.json, host.rollbacks[0]);
    }));

  test("exits 41 where the old release is not healthy either", async () =>
    withHost(await supervised({ rollback: { secondsMax: 2 } }), async (host) => {
      host.deploy("r1", "--field=connected=false");
      host.age("r1", 60);
      const run = await host.run(["rollback"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(run.stdout, /^Rolled back to r1, which is not healthy either \(exit 2\)/);
    }));

  test("exits with what the unit refuses, where something has changed since it was asked", async () => {
    const host = twoReleases();
    writeFileSync(host.at("units/start"), `rm -r "${host.at("releases/r1")}"\n${unitScript(host)}`);
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 42, run.stderr);
    assert.match(run.stdout, /^No rollback: there is no complete release r1\. Nothing was changed/);
    assert.equal(host.current, "releases/r2");
  });

  test("exits 75 where a deployment holds the lock", async () => {
    const host = twoReleases();
    writeFileSync(host.at("units/start"), "echo Job failed >&2; exit 1\n");
    writeFileSync(
      host.at("units/cytube-rollback@prod.service"),
      showOf(unitOf({ ActiveState: "failed", ExecMainStatus: "75" })),
    );
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stdout, /did not roll back: a deployment holds the lock \(exit 75\)/);
  });

  test("exits 77 where the unit may not be started", async () => {
    const host = twoReleases();
    writeFileSync(
      host.at("units/start"),
      "echo Interactive authentication required. >&2; exit 1\n",
    );
    writeFileSync(
      host.at("units/cytube-rollback@prod.service"),
      showOf(unitOf({ ActiveState: "inactive", ExecMainStatus: "0" })),
    );
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stdout, /did not roll back: Interactive authentication required\./);
  });

  test("exits 77 where the request cannot be written", async () => {
    const host = twoReleases();
    const run = await host.run(["rollback"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /^The rollback cannot be asked for: EACCES/m);
    assert.doesNotMatch(readIfThere(host.at("asked")), /start/);
  });

  for (const [args, code, says] of [
    [["--to", "r2"], 42, /^No rollback: r2 is the current release\. Nothing was changed\.$/m],
    [["--to", "r9"], 42, /there is no complete release r9/],
    [
      ["--to", "../../etc"],
      64,
      /^--to "\.\.\/\.\.\/etc" is not a release: letters, digits, dots, dashes$/m,
    ],
    [["--to", "r0"], 42, /r0 has never passed; --emergency overrides/],
  ] as [string[], number, RegExp][]) {
    test(`${args.join(" ")} exits ${code} before anything is asked for`, async () => {
      const host = twoReleases();
      host.deploy("r0");
      host.age("r0", 90);
      const run = await host.run(["rollback", ...args]);
      assert.deepEqual([run.code, run.stdout], [code, ""]);
      assert.match(run.stderr, says);
      assert.deepEqual([host.flags, host.records, readIfThere(host.at("asked"))], [[], [], ""]);
    });
  }

  test("exits 40 where nothing else has passed, and where no releases are configured", async () => {
    const host = twoReleases();
    host.remember({});
    const nothing = await host.run(["rollback"]);
    assert.equal(nothing.code, 40, nothing.stderr);
    host.configure({ release: null });
    const unconfigured = await host.run(["rollback"]);
    assert.equal(unconfigured.code, 40, unconfigured.stderr);
    assert.match(
      unconfigured.stderr,
      /neither release\.directory nor rollback\.command is configured/,
    );
  });

  for (const args of [[], ["--to", "r0", "--emergency"]]) {
    test(`--dry-run ${args.join(" ")} says what would be done, and touches nothing`, async () => {
      const host = twoReleases();
      host.deploy("r0");
      host.age("r0", 90);
      const tree = (): string[] =>
        (readdirSync(host.directory, { recursive: true }) as string[]).sort();
      const before = tree();
      const run = await host.run(["rollback", "--dry-run", ...args]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(
        run.stdout,
        new RegExp(
          `^Would roll back r2 → ${args.length ? "r0" : "r1"}, and restart .*; nothing was changed\\.\n$`,
        ),
      );
      assert.deepEqual([tree(), host.current], [before, "releases/r2"]);
    });
  }

  test("a change of the database's schema is refused with 42, and an emergency goes on", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.remember({ passed: { r1: { ...passedNow(), schema: "another" } } });
      const run = await host.run(["rollback", "--dry-run"]);
      assert.equal(run.code, 42, run.stderr);
      assert.match(run.stderr, /the database has changed since r1 passed/);
      assert.equal((await host.run(["rollback", "--dry-run", "--emergency"])).code, 0);
    }));

  test("--list and --list --json", async () => {
    const host = twoReleases();
    host.deploy("broken");
    rmSync(host.at("releases/broken/.complete"));
    host.deploy("r0");
    host.age("r0", 90);
    const at = new Date().toISOString();
    host.remember({
      passed: { r1: passedNow() },
      quarantined: { r0: { at, run: "run-0", checks: ["process", "database"] } },
    });
    const run = await host.run(["rollback", "--list"]);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(
      run.stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "WHEN".padEnd(24)).split("\n"),
      [
        "ID      VERSION  COMPLETE                  STATE",
        "r2      -        WHEN                      current",
        "r1      1.4.2    WHEN                      passed",
        "r0      -        WHEN                      quarantined (process, database)",
        "broken  -        -                         incomplete",
        "",
      ],
    );
    const listed = (await host.run(["rollback", "--list", "--json"])).json as unknown as {
      releaseId: string;
      current: boolean;
    }[];
    assert.deepEqual(
      listed.map(({ releaseId, current }) => [releaseId, current]),
      [
        ["r2", true],
        ["r1", false],
        ["r0", false],
        ["broken", false],
      ],
    );
  });

  test("--list where there is nothing to list says so", async () => {
    const host = new Host({ release: null });
    const run = await host.run(["rollback", "--list"]);
    assert.deepEqual(
      [run.code, run.stdout],
      [0, "There are no releases: release.directory is not set, or empty.\n"],
    );
  });

  test("a state that may not be read exits 77 and says how it may, for --list and for status", async () => {
    const host = twoReleases();
    chmodSync(host.at("state"), 0o700);
    for (const args of [["rollback", "--list"], ["rollback"], ["status"]]) {
      const run = await host.run(args, { uid: unprivilegedUid });
      assert.equal(run.code, 77, run.stderr);
      assert.match(
        run.stderr,
        /^EACCES: permission denied.*\nTry with sudo, or as a member of its group/,
      );
    }
  });
});

describe("--rollback", { concurrency: 2 }, () => {
  test("rolls back when the verification fails, and exits with the check's code", async () =>
    withHost(await supervised(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      host.age("r2", 30);
      await die(host);
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^a rollback is due\ncytube-rollback@prod\.service has ended$/m);
      assert.deepEqual([host.current, host.flags], ["releases/r1", []]);
    }));

  test("does not roll a release back that has passed", async () =>
    withHost(await supervised(), async (host) => {
      host.remember({ passed: { r1: passedNow(), r2: passedNow() } });
      host.deploy("r2", "--field=connected=false");
      host.age("r2", 30);
      await die(host);
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^no rollback: r2 has passed before/m);
      assert.deepEqual([host.current, readIfThere(host.at("asked"))], ["releases/r2", ""]);
    }));
});

// ---------------------------------------------------------------------------- status

const timers = (next: number): string =>
  JSON.stringify([{ next: next * 1000, left: 1, unit: "cytube-burnin@prod.timer" }]);

describe("status", { concurrency: 2 }, () => {
  test("before any verdict: a candidate, exit 75", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["status"]);
      assert.equal(run.code, 75, run.stderr);
      assert.match(
        run.stdout,
        /^prod: candidate\n {2}bot {11}pid \d+ runs\n {2}release {7}r2, candidate\n {2}next tick {5}none: /,
      );
    }));

  test("after a pass: verified, exit 0, with the next tick of the timer", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      assert.equal((await host.verify()).code, 0);
      writeFileSync(host.at("timers.json"), timers(Date.UTC(2030, 0, 1)));
      const run = await host.run(["status"]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stdout, /^prod: verified\n/);
      assert.match(run.stdout, /^ {2}passed {8}.* ago \(20/m);
      assert.match(
        run.stdout,
        /^ {2}last verdict {2}(pass|warn), exit 0, [^,]* ago \([^,]*\) by \S+$/m,
      );
      assert.match(run.stdout, /^ {2}next tick {5}2030-01-01T00:00:00\.000Z$/m);
      const json = (await host.run(["status", "--json"])).json as unknown as Settings;
      assert.deepEqual(
        [json.standing, json.judged, json.releaseId, json.exit, json.nextTick],
        ["verified", true, "r2", 0, "2030-01-01T00:00:00.000Z"],
      );

      // A start that nobody has verified is none of that verdict.
      await host.start();
      const restarted = await host.run(["status"]);
      assert.equal(restarted.code, 75, restarted.stdout);
      assert.match(
        restarted.stdout,
        /r2, unverified: it has passed before, but this start is unverified$/m,
      );
      assert.match(restarted.stdout, /^ {2}last verdict {2}.*, of an earlier start$/m);

      // And a deployment of the same id is another release.
      host.deploy("r2");
      assert.match((await host.run(["status"])).stdout, /^prod: candidate\n/);
    }));

  test("after a failure: the check's code, and after a rollback: quarantined", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      assert.equal((await host.verify()).code, 2);
      const failed = await host.run(["status"]);
      assert.equal(failed.code, 2, failed.stderr);
      assert.match(failed.stdout, /^prod: candidate\n[\s\S]*last verdict {2}fail, exit 2, /);
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      const left = await host.run(["status"]);
      assert.equal(left.code, 2, left.stderr);
      assert.match(
        left.stdout,
        /^prod: quarantined\n[\s\S]*^ {2}quarantined {3}.* ago \(.*\), for connection$/m,
      );
    }));

  test("of a bot that is down says so, exit 75", async () => {
    const host = twoReleases();
    const run = await host.run(["status"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stdout, /^ {2}bot {11}there is no pid file$/m);
    assert.match(run.stdout, /^ {2}release {7}r2, candidate$/m);
  });

  /** Lets the program's own clock run so many times faster; the waits stay as they are. */
  const hurried = (times: number): string[] => {
    const script = `const now = performance.now.bind(performance); performance.now = () => now() * ${times};`;
    return [
      process.execPath,
      "--import",
      `data:text/javascript,${encodeURIComponent(script)}`,
      programFor(undefined),
    ];
  };

  test("--wait returns with the verdict of the present start", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const [waited, verified] = await Promise.all([
        host.run(["status", "--wait", "--release", "r2"]),
        host.verify(),
      ]);
      assert.deepEqual([waited.code, verified.code], [0, 0], waited.stdout);
      assert.match(waited.stdout, /^prod: verified$/m);
    }));

  test("--wait exits 124 where no verdict comes in time, or only one of another release", async () =>
    withHost(twoReleases(), async (host) => {
      const over = { limits: { checksSecondsMax: 20 } };
      await host.start({}, over);
      assert.equal((await host.verify()).code, 0);
      const other = await host.run(["status", "--wait", "--release", "r1"], {
        program: hurried(40),
      });
      assert.equal(other.code, 124, other.stdout);
      await host.start({}, over);
      const none = await host.run(["status", "--wait"], { program: hurried(40) });
      assert.equal(none.code, 124, none.stdout);
    }));
});

// ---------------------------------------------------------------------------- --attach

describe("--attach", { concurrency: 2 }, () => {
  const verifying = "cytube-verify@prod.service";
  const ofUnit = { process: { unit: "cytube-bot.service", pidFile: null } };
  const lines = (host: Host): number => readIfThere(host.at("asked")).split("\n").length;

  /** A host on which systemd says that a verification runs. */
  function busyHost(invocation: string, over: Settings = {}): Host {
    const host = twoReleases(merge(onHost, over));
    host.configure(merge({ process: { unit: "cytube-bot.service" } }, over));
    writeFileSync(host.file, readFileSync(host.file, "utf8").replace(/\n {2}pidFile: .*/, ""));
    writeFileSync(
      host.at(`units/${verifying}`),
      showOf(
        unitOf({
          Id: verifying,
          ActiveState: "activating",
          SubState: "start",
          InvocationID: invocation,
        }),
      ),
    );
    writeFileSync(
      host.at("units/cytube-bot.service"),
      showOf(
        unitOf({ ActiveState: "inactive", SubState: "dead", MainPID: "0", InvocationID: second }),
      ),
    );
    return host;
  }
  const finishUnit = (host: Host): void => {
    writeFileSync(
      host.at("units/next"),
      showOf(unitOf({ Id: verifying, ActiveState: "inactive", SubState: "dead" })),
    );
    renameSync(host.at("units/next"), host.at(`units/${verifying}`));
  };

  /** A real record, as the unit's verification would append it. */
  async function recordOf(invocation: string, switches: string[] = []): Promise<string> {
    let line = "";
    await withHost(twoReleases(), async (host) => {
      host.deploy("r2", ...switches);
      await host.start();
      await host.verify([], { env: { INVOCATION_ID: invocation } });
      line = readFileSync(host.at("verify.jsonl"), "utf8");
    });
    return line;
  }

  for (const args of [[], ["--attach"]]) {
    test(`${args.join(" ") || "without a flag"} follows the verification of the unit, and exits with its code`, async () => {
      const host = busyHost(first);
      const record = await recordOf(first, ["--field=connected=false"]);
      const running = host.run([...args, "--json"]);
      await until("the unit has been asked about", () => lines(host) > 3);
      writeFileSync(host.at("verify.jsonl"), record);
      finishUnit(host);
      const run = await running;
      assert.equal(run.code, 2, run.stderr);
      assert.match(
        run.stderr,
        /cytube-verify@prod\.service is verifying this bot already; waiting for its verdict \(--no-attach runs beside it\)/,
      );
      assert.deepEqual(run.json, JSON.parse(record));
      assert.deepEqual(
        [host.records.length, host.flags],
        [1, []],
        "it appends no record and leaves no flag of its own",
      );
    });
  }

  test("--attach exits 70 where the unit's verification ends without a record", async () => {
    const host = busyHost(first);
    const running = host.run(["--attach"]);
    await until("the unit has been asked about", () => lines(host) > 3);
    finishUnit(host);
    const run = await running;
    assert.deepEqual([run.code, run.stdout], [70, ""], run.stderr);
    assert.match(
      run.stderr,
      /cytube-verify@prod\.service ended without a record; see journalctl -u cytube-verify@prod\.service/,
    );
  });

  test("without a flag, a verification that ends without a record is done again here", async () => {
    const host = busyHost(first);
    const running = host.run([]);
    await until("the unit has been asked about", () => lines(host) > 3);
    finishUnit(host);
    const run = await running;
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /^initial checks …$/m);
    assert.equal(host.records.length, 1);
  });

  test("--no-attach and a selection of checks run beside it", async () => {
    const host = busyHost(first);
    for (const args of [["--no-attach"], ["--only", "process"]]) {
      const run = await host.run(args);
      assert.equal(run.code, 1, run.stderr);
      assert.doesNotMatch(run.stderr, /waiting for its verdict/);
    }
    assert.equal(host.records.length, 2);
  });

  test("--attach takes the verdict of the present start, where the unit has ended already", async () => {
    const host = busyHost(first);
    finishUnit(host);
    const record = JSON.parse(await recordOf(first)) as Result & { identity: Settings };
    writeFileSync(
      host.at("verify.jsonl"),
      `${JSON.stringify({ ...record, identity: { ...record.identity, invocation: second } })}\n`,
    );
    const run = await host.run(["--attach", "--json"]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json?.run, record.run);
  });

  test("--attach exits 75 where no verification begins within 10 s", async () => {
    const host = busyHost(first);
    finishUnit(host);
    const run = await host.run(["--attach"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(
      run.stderr,
      /did not begin within 10 s; is the hook of cytube-bot\.service installed\?/,
    );
    assert.ok(run.ms > 10_000 && run.ms < 20_000, `${run.ms} ms`);
  });

  test("--attach exits 78 where the bot has no unit, and where systemd cannot be asked", async () => {
    const plain = twoReleases();
    const run = await plain.run(["--attach"]);
    assert.equal(run.code, 78, run.stderr);
    assert.match(run.stderr, /--attach needs process\.unit/);
    const host = busyHost(first);
    rmSync(host.at(`units/${verifying}`));
    const blind = await host.run(["--attach"]);
    assert.equal(blind.code, 78, blind.stderr);
    assert.match(blind.stderr, /Cannot read unit "cytube-verify@prod\.service"/);
  });

  test("exits 77 where a verification runs whose record may not be read", async () => {
    const host = busyHost(first, ofUnit);
    writeFileSync(host.at("verify.jsonl"), "", { mode: 0o600 });
    writeFileSync(host.at("asked"), "", { mode: 0o666 });
    chmodSync(host.at("asked"), 0o666);
    const run = await host.run([], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /A verification runs, but its record could not be read: EACCES/);
  });
});

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

// ---------------------------------------------------------------------------- what other programs read

const hostileText = "a\u001b[31mb\r\n::error::c\u009b%0A\u202e";

test("renderGithub() gives each finding that is wrong one line, and escapes what a workflow would read as a command", () => {
  const finding = {
    check: "process",
    phase: "final",
    measured: null,
    limit: null,
    unit: null,
    evidence: [],
    hint: null,
    parts: [],
  } as const;
  const statuses = ["fail", "unknown", "warn", "pass", "skipped", "off"] as const;
  const findings = statuses.map((status) => ({
    ...finding,
    status,
    says: hostileText,
  })) as unknown as VerifyResult["findings"];
  const text = renderGithub({
    findings,
    verdict: "fail",
    exit: 1,
    action: hostileText,
  } as VerifyResult);
  assert.deepEqual(
    text.split("\n").map((line) => line.replace(/::(?!.*title=).*$/, "")),
    [
      "::error title=process fail",
      "::error title=process unknown",
      "::warning title=process warn",
      "::notice title=cytube-verify",
      "",
    ],
  );
  assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\p{Cf}|%(?!25)/u);
});

test("renderStatus() and renderReleases() let nothing reach a terminal that moves its cursor", () => {
  const passed = {
    at: "2026-11-22T02:00:00.000Z",
    run: "run-1",
    version: hostileText,
    schema: null,
  };
  const quarantined = { at: passed.at, run: "run-1", checks: [hostileText] };
  const last = {
    start: hostileText,
    releaseId: hostileText,
    at: passed.at,
    run: "x",
    verdict: "fail" as const,
    exit: 3,
  };
  const status = {
    v: 1 as const,
    env: "prod",
    bot: hostileText,
    releaseId: hostileText,
    standing: "quarantined",
    judged: true,
    passed,
    quarantined,
    last,
    nextTick: null,
    exit: 3,
  };
  const shown = renderStatus(status as BotStatus, Date.parse("2026-11-22T03:00:00.000Z"));
  const listed = renderReleases([
    { releaseId: "r1", completeAt: 0, current: true, passed, quarantined },
  ]);
  for (const [text, lines] of [
    [shown, 8],
    [listed, 3],
  ] as const) {
    assert.equal(text.split("\n").length, lines, text);
    assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\p{Cf}/u);
  }
  assert.match(shown, /^ {2}last verdict {2}fail, exit 3, 1 h ago \(2026-11-22T02:00:00\.000Z\)$/m);
});

describe("--format github", { concurrency: 2 }, () => {
  test("annotates what is wrong on lines of its own, and appends a table to the job's summary", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      writeFileSync(host.at("summary.md"), "# Before\n");
      const run = await host.run(["--format", "github"], {
        env: { GITHUB_STEP_SUMMARY: host.at("summary.md") },
      });
      assert.equal(run.code, 2, run.stderr);
      const lines = run.stdout.trimEnd().split("\n");
      assert.ok(
        lines.length >= 2 &&
          lines.every((line) => /^::(error|warning|notice) title=[\w -]+::\S/.test(line)),
        run.stdout,
      );
      assert.match(run.stdout, /^::error title=connection fail::/m);
      assert.match(lines.at(-1) ?? "", /^::notice title=cytube-verify::fail, exit 2\. Roll back/);
      const summary = readFileSync(host.at("summary.md"), "utf8");
      assert.match(
        summary,
        /^# Before\n### cytube-verify prod: fail \(exit 2\)\n\nRelease 1\.4\.2\. Roll back/,
      );
      assert.match(summary, /^\| fail \| connection \| .* \|$/m);
      for (const row of summary.split("\n").filter((line) => line.startsWith("|")))
        assert.equal(row.split("|").length, 6, row);
    }));

  test("a pass has one notice, and without a summary file nothing is appended", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["--format", "github", "--only", "process"], {
        env: { GITHUB_STEP_SUMMARY: undefined },
      });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(
        run.stdout,
        "::notice title=cytube-verify::pass, exit 0. None; everything that was looked at is within its limits.\n",
      );
    }));

  test("what the bot says forges neither an annotation nor a row of the table", async () =>
    withHost(twoReleases(), async (host) => {
      const hostile =
        "100%25 %0A::error::forged\\r\\n::error title=x::forged | <img src=x> `x` [a](b)";
      writeFileSync(host.at("config.json"), "{}");
      host.deploy("r2");
      await host.start({ field: [`channel="${hostile}"`] });
      const run = await host.run(["--format", "github"], {
        env: { GITHUB_STEP_SUMMARY: host.at("summary.md") },
      });
      assert.equal(run.code, 10, run.stderr);
      for (const line of run.stdout.trimEnd().split("\n"))
        assert.match(line, /^::(error|warning|notice) title=(cytube-verify|[a-z_]+ [a-z]+)::/);
      assert.doesNotMatch(run.stdout, /%(?!25)|\r/);
      assert.match(run.stdout, /100%2525 %250A::error::forged/);
      const summary = readFileSync(host.at("summary.md"), "utf8");
      assert.doesNotMatch(summary, /<img|`x`|\]\(b\)/);
      for (const row of summary.split("\n").filter((line) => line.startsWith("|")))
        assert.equal(row.split("|").length, 6, row);
      assert.match(summary, /forged/);
    }));
});

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
