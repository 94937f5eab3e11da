/**
 * A host as an operator has it, in a container: a bot under its own unit and user, releases that a
 * deployer switches, the project installed
 * by its own install.sh, somebody who receives the alerts, and a chat server that can be down.
 *
 * Installing takes some seconds, so it is done once: the first host is laid out, installed, played
 * through a first pass, and packed; every
 * other host unpacks that. Nothing else is shared, so scenes run side by side.
 *
 * Time is shortened by a site's own means: limits in its config, and a drop-in of the timer with a
 * second for five minutes.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { CheckpointRecord } from "../../lib/burnin/judging.ts";
import type { Account, Burnin } from "../../lib/burnin/words.ts";
import { boot, type Container, type Ran } from "./booted.ts";
import type { BotSwitches } from "./bot.ts";
import {
  buildOnce,
  copyProgram,
  deadlineMsDefault,
  type Finding,
  merge,
  onCleanup,
  projectDirectory,
  type Settings,
} from "./harness.ts";

// --------------------------------------------------------- the program, where a container and another user can read it

/**
 * Not in /tmp, which a container covers. The pid in the name lets the next run remove what a `kill
 * -9` of this one leaves.
 */
const workPrefix = "cytube-verify-host-";
const work = join("/var/tmp", `${workPrefix}${process.pid}`);
const project = join(work, "project");

function sweepWork(): void {
  const stale = readdirSync("/var/tmp").filter(
    (name) => name.startsWith(workPrefix) && !existsSync(`/proc/${name.slice(workPrefix.length)}`),
  );
  for (const name of stale) rmSync(join("/var/tmp", name), { recursive: true, force: true });
}

/** The checkout as `npm ci && npm run build` leaves it, without what only development needs. */
async function copyProject(): Promise<void> {
  await buildOnce();
  sweepWork();
  mkdirSync(project, { recursive: true });
  onCleanup(() => rmSync(work, { recursive: true, force: true }));
  chmodSync(work, 0o755);
  copyProgram(project);
  for (const name of ["units", "package-lock.json"])
    cpSync(join(projectDirectory, name), join(project, name), { recursive: true });
}

/**
 * A runner that is killed cannot tell its test files: they see that their parent has changed, and
 * end as if they were interrupted.
 */
export function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(129), 200).unref();
}

// ---------------------------------------------------------------------------- waiting

/**
 * Waits for a condition, not for a time. What it returns is the first value that is not nothing.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = deadlineMsDefault,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) return seen as NonNullable<T>;
    if (performance.now() > deadline)
      throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await sleep(50);
  }
}

/**
 * The opposite: fails as soon as something happens that must not, within a time that is the point
 * of the scene.
 */
export async function neverWithin(what: string, ms: number, look: () => unknown): Promise<void> {
  for (const deadline = performance.now() + ms; performance.now() < deadline; await sleep(100))
    assert.ok(!(await look()), `it happened that ${what}`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

// ---------------------------------------------------------------------------- a bot's place on a host

/** Where one bot lives. Two of them can live on one host. */
export type Place = { env: string; unit: string; directory: string; data: string; port: number };

export const deployer = 1500;
const botUser = 1600;
const operator = 1700;

function placeOf(env: string, port: number): Place {
  const name = env === "prod" ? "cytube-bot" : `cytube-bot-${env.replace(/^prod-/, "")}`;
  return {
    env,
    unit: `${name}.service`,
    directory: `/srv/${name}`,
    data: `/var/lib/${name}`,
    port,
  };
}

/** One release of the bot: how it is broken, and what is wrong with its files. */
export type Release = {
  switches?: BotSwitches;
  /** Shell before the bot itself, such as an `echo` that lands in its log. */
  prelude?: string;
  interpreter?: string;
  /** What its check before the start exits with, where the unit runs one. */
  prepareExits?: number;
  channel?: string;
  /** Leave it without `.complete`, as a deployment that was cut off does. */
  incomplete?: boolean;
};

function botArguments(switches: BotSwitches): string[] {
  return Object.entries(switches).flatMap(([name, value]) => {
    if (typeof value === "boolean") return value ? [`--${name}`] : [];
    return (Array.isArray(value) ? value : [value]).map((single) => `'--${name}=${single}'`);
  });
}

function runScript(
  { data }: Place,
  id: string,
  { switches = {}, prelude = "", interpreter = "/bin/sh" }: Release,
): string {
  const own = { dir: data, guardian: 1, log: "-", version: id, ...switches };
  const command = [
    process.execPath,
    join(project, "build/bot.js"),
    ...botArguments(own),
    "--port=$BOT_PORT",
    "$BOT_MORE",
  ];
  return `#!${interpreter}\n${prelude}\nexec ${command.join(" ")}\n`;
}

const unitText = ({ env, unit, directory }: Place): string => `[Unit]
Description=CyTube bot of ${env}
StartLimitIntervalSec=0
[Service]
Type=exec
User=bot
EnvironmentFile=/etc/default/${unit}
WorkingDirectory=${directory}/current
ExecStart=${directory}/current/run
Restart=always
RestartSec=100ms
[Install]
WantedBy=multi-user.target
`;

/**
 * A deployment as the README asks for it: under the lock, `.complete` last, the link replaced in
 * one step.
 */
const deployScript = `
set -eu
umask 022
cd "$1/releases"
exec 9< .
flock 9
rm -f "$2/.complete"
mkdir -p "$2"
printf %s "$3" > "$2/run"; printf '#!/bin/sh\\nexit %s\\n' "$4" > "$2/prepare"; chmod 755 "$2/run" "$2/prepare"
printf %s "$5" > "$2/config.json"
[ "$6" = incomplete ] || touch "$2/.complete"
ln -sfn "releases/$2" ../current.next
mv -T ../current.next ../current
`;

/**
 * Limits that let a verification end in seconds. The bot's own figures (60 MB, some ms) lie far
 * below them, also where it gets a small share of a busy machine, and the broken ones far above.
 */
const quickLimits = {
  watchSeconds: 3,
  healthEverySeconds: 0.5,
  responseGapMs: 20,
  startupSecondsMax: 15,
  healthTriesMax: 2,
  healthTimeoutMs: 5000,
  responseSamples: 3,
  responseMsAvgMax: 2000,
  memoryMbMax: 250,
};

function configOf({ env, unit, directory, data, port }: Place, chatPort: number): Settings {
  return {
    environment: "prod",
    process: { unit },
    health: { url: `http://127.0.0.1:${port}/api/health` },
    database: { file: `${data}/bot_data.db`, tables: ["current_status", "user_stats"] },
    configuration: {
      environment: "prod",
      channel: "#demo",
      file: `${directory}/current/config.json`,
    },
    release: { directory: `${directory}/releases`, current: `${directory}/current` },
    rollback: { auto: true, maxPerDay: 3, secondsMax: 60 },
    chatServer: { url: `http://127.0.0.1:${chatPort}` },
    alert: { sinks: [{ kind: "json", urlFrom: `${env}-pager` }], repeatHours: 6 },
    log: { file: `/var/log/cytube-verify/${env}.jsonl` },
    limits: quickLimits,
  };
}

// The schedule of the shipped timer, 15 minutes to hour 4, hourly to hour 12, every 4 hours to hour
// 24, with a second for five minutes.
const scheduleMinutes = [
  ...Array.from({ length: 16 }, (_, index) => 15 * (index + 1)),
  ...Array.from({ length: 8 }, (_, index) => 300 + 60 * index),
  ...[960, 1200, 1440],
];
/** A drop-in of the timer with these ticks. */
export const timerOf = (seconds: readonly number[]): string =>
  `[Timer]\nOnActiveSec=\n${seconds.map((each) => `OnActiveSec=${each}s\n`).join("")}AccuracySec=10ms\n`;
export const quickTimerFile = "/etc/systemd/system/cytube-burnin@.timer.d/quick.conf";
const quickTimer = timerOf(scheduleMinutes.map((minutes) => minutes / 5));

// ----------------------------------------------------------------------- who is outside: the pager and the chat server

type Alert = { at: number; path: string; text: string };

export type Outside = {
  alerts: Alert[];
  chatPort: number;
  pagerPort: number;
  chatGoesDown: () => Promise<void>;
  close: () => Promise<void>;
};

function listening(server: Server): Promise<number> {
  return new Promise((done) =>
    server.listen(0, "127.0.0.1", () => done((server.address() as { port: number }).port)),
  );
}

function closing(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

async function openOutside(): Promise<Outside> {
  const alerts: Alert[] = [];
  const pager = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      alerts.push({ at: Date.now(), path: request.url ?? "", text });
      response.writeHead(204).end();
    });
  });
  const chat = createServer((_request, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<title>CyTube</title>"),
  );
  const [pagerPort, chatPort] = [await listening(pager), await listening(chat)];
  const close = async () => void (await Promise.all([closing(pager), closing(chat)]));
  return { alerts, chatPort, pagerPort, chatGoesDown: () => closing(chat), close };
}

const portsGiven = new Set<number>();

/**
 * A free port below those that the kernel hands out by itself: it must still be free when the bot
 * starts again.
 */
export async function findSteadyPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await new Promise<boolean>((done) => {
      const server = createTcpServer().once("error", () => done(false));
      server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
    });
    if (!free || portsGiven.has(port)) continue;
    portsGiven.add(port);
    return port;
  }
}

// ---------------------------------------------------------------------------- a host

/** A line of the log. */
export type LogRecord = {
  ts: string;
  run: string;
  kind: string;
  verdict: string;
  exit: number;
  /** What a rollback knows the release by; `identity.version` is what the bot calls itself. */
  releaseId: string | null;
  identity: { pid: number; invocation: string | null; version: string | null } | null;
  findings?: Finding[];
  /** Of a rollback: what the release that was left had failed with. */
  failed?: {
    exit: number;
    findings: Finding[];
    metrics: Record<string, number | null>;
    series: unknown;
  } | null;
  notes?: string[];
  /** Of a verification or a tick: what it accounts for in the burn-in, and in which. */
  account?: Account | null;
  burnin?: Burnin | string | null;
} & Partial<
  Pick<CheckpointRecord, "hour" | "decision" | "reasons" | "attempt"> & {
    flags: CheckpointRecord["flags"] | null;
  }
>;

export type HostOptions = {
  /** Over the site's config. */
  config?: Settings;
  /** More of the bot's unit, as a drop-in. */
  unit?: string;
  /** No release has ever passed here, and none is deployed. */
  virgin?: boolean;
  /** More files, before systemd reads its units. */
  files?: Record<string, string>;
};

export class Host {
  readonly machine: Container;
  readonly outside: Outside;
  readonly place: Place;

  constructor(machine: Container, outside: Outside, place: Place) {
    this.machine = machine;
    this.outside = outside;
    this.place = place;
  }

  // What is on its disk, read from outside: a look costs microseconds and disturbs nothing.

  path(inside: string): string {
    return `/proc/${this.machine.pid}/root${inside}`;
  }

  read(inside: string): string {
    try {
      return readFileSync(this.path(inside), "utf8");
    } catch {
      return ""; // Not there, or the machine is just booting.
    }
  }

  /** The release that `current` points at, or nothing. */
  current(place = this.place): string {
    try {
      return readlinkSync(this.path(`${place.directory}/current`)).replace(/^.*releases\//, "");
    } catch {
      return "";
    }
  }

  records(place = this.place): LogRecord[] {
    const lines = this.read(`/var/log/cytube-verify/${place.env}.jsonl`)
      .split("\n")
      .filter(Boolean);
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as LogRecord];
      } catch {
        return []; // The last line, while it is being written.
      }
    });
  }

  /** Waits for a record beyond the first `after` ones. */
  waitForRecord(
    what: string,
    wanted: (record: LogRecord) => boolean,
    options: { after?: number; deadlineMs?: number; place?: Place } = {},
  ) {
    const { after = 0, deadlineMs = deadlineMsDefault, place = this.place } = options;
    return waitFor(
      `there is a record: ${what}`,
      () => this.records(place).slice(after).find(wanted),
      deadlineMs,
    );
  }

  /**
   * Pass or warn: on a machine that is busy with other scenes, a single slow answer is nothing to a
   * scene.
   */
  waitForPass(
    release: string,
    options: { after?: number; deadlineMs?: number; place?: Place } = {},
  ) {
    const wanted = (record: LogRecord) =>
      record.kind === "verify" && record.exit === 0 && record.releaseId === release;
    return this.waitForRecord(`a verification that ${release} passed`, wanted, options);
  }

  waitForVerdict(
    release: string,
    verdict: string,
    options: { after?: number; deadlineMs?: number; place?: Place } = {},
  ) {
    const wanted = (record: LogRecord) =>
      record.kind === "verify" && record.verdict === verdict && record.releaseId === release;
    return this.waitForRecord(`a verification of ${release}: ${verdict}`, wanted, options);
  }

  // Commands.

  async run(
    command: readonly string[],
    options: { uid?: number; timeoutMs?: number } = {},
  ): Promise<Ran> {
    return this.machine.run([...command], options);
  }

  /** A command that has to work. */
  async must(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, { timeoutMs: 2 * deadlineMsDefault });
    assert.equal(code, 0, `${command.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  async shell(script: string, ...args: string[]): Promise<string> {
    return this.must("sh", "-euc", script, "sh", ...args);
  }

  write(path: string, text: string, mode?: string): Promise<void> {
    return this.machine.writeFile(path, text, mode);
  }

  async show(unit: string, property: string): Promise<string> {
    return (
      await this.run(["systemctl", "show", "--value", `--property=${property}`, unit])
    ).stdout.trim();
  }

  async isActive(unit: string): Promise<boolean> {
    return (await this.show(unit, "ActiveState")) === "active";
  }

  /**
   * Waits until units of the project have nothing under way: what comes then is the next event's.
   */
  async settle(env = this.place.env, deadlineMs = deadlineMsDefault): Promise<void> {
    const units = ["verify", "rollback", "alert", "burnin"].map(
      (name) => `cytube-${name}@${env}.service`,
    );
    await waitFor(
      "nothing is under way",
      async () => {
        const states = (
          await this.run(["systemctl", "show", "--value", "--property=ActiveState,Job", ...units])
        ).stdout;
        return /activ|[1-9]/.test(states.replaceAll("inactive", "")) ? null : true;
      },
      deadlineMs,
    );
  }

  /** What a unit's own processes printed. */
  async journal(unit: string): Promise<string> {
    return (await this.run(["journalctl", "--no-pager", "--output=cat", `_SYSTEMD_UNIT=${unit}`]))
      .stdout;
  }

  /** How often systemd has begun to start a unit. */
  async startsOf(unit: string): Promise<number> {
    const matches = ["_PID=1", `UNIT=${unit}`, "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5"];
    return (await this.run(["journalctl", "--no-pager", "--output=cat", ...matches])).stdout
      .split("\n")
      .filter(Boolean).length;
  }

  // The deployer.

  async deploy(id: string, release: Release = {}, place = this.place): Promise<void> {
    const config = JSON.stringify({
      channel: release.channel ?? "#demo",
      environment: "prod",
      bot_name: "demo-bot",
    });
    const files = [
      runScript(place, id, release),
      String(release.prepareExits ?? 0),
      config,
      release.incomplete ? "incomplete" : "complete",
    ];
    const ran = await this.run(
      ["sh", "-c", deployScript, "deploy", place.directory, id, ...files],
      { uid: deployer },
    );
    assert.equal(ran.code, 0, ran.stderr);
  }

  /**
   * Spoils a release after the fact, as a person with an editor does: it stays as it was deployed
   * in the eyes of everybody else.
   */
  async spoil(id: string, more: string, place = this.place): Promise<void> {
    await this.must(
      "sed",
      "-i",
      `s/ --port=/ ${more} --port=/`,
      `${place.directory}/releases/${id}/run`,
    );
  }

  /** What a deployer types, and how long it kept him waiting. */
  async restart(place = this.place): Promise<number> {
    const begun = performance.now();
    await this.run(["systemctl", "restart", place.unit]);
    return performance.now() - begun;
  }

  /** Deploys and restarts. Returns how many records there were before. */
  async release(id: string, release: Release = {}, place = this.place): Promise<number> {
    const before = this.records(place).length;
    await this.deploy(id, release, place);
    await this.restart(place);
    return before;
  }

  /** More switches for every release of the bot: the world has changed, not the release. */
  async changeWorld(more: string, place = this.place): Promise<void> {
    await this.write(`/etc/default/${place.unit}`, `BOT_PORT=${place.port}\nBOT_MORE=${more}\n`);
  }

  // The bot.

  /** Its health document, or null. */
  async health(place = this.place): Promise<Settings | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${place.port}/api/health`, {
        signal: AbortSignal.timeout(5000),
        headers: { connection: "close" },
      });
      return (await answer.json()) as Settings;
    } catch {
      return null;
    }
  }

  /** Waits until the bot answers, as this release. Returns the moment. */
  async botIsUp(release: string, place = this.place): Promise<number> {
    await waitFor(
      `the bot is up on ${release}`,
      async () => (await this.health(place))?.version === release,
    );
    return Date.now();
  }

  /** The pid of a unit's main process as this side numbers it, or nothing. */
  async mainProcess(unit: string): Promise<number | undefined> {
    const pids = this.readProcesses(await this.show(unit, "ControlGroup"));
    return pids.find((pid) => parentOf(pid) === this.machine.pid);
  }

  private readProcesses(cgroup: string): number[] {
    try {
      return readFileSync(`${this.machine.cgroup}${cgroup}/cgroup.procs`, "utf8")
        .split("\n")
        .filter(Boolean)
        .map(Number);
    } catch {
      return []; // The unit has no process.
    }
  }

  async invocation(place = this.place): Promise<string> {
    return this.show(place.unit, "InvocationID");
  }

  /** Waits until the verification that runs is in its stability watch, or says another thing. */
  async verificationSays(line: RegExp, place = this.place): Promise<void> {
    const unit = `cytube-verify@${place.env}.service`;
    await waitFor(`the verification says ${line}`, async () => {
      const invocation = await this.show(unit, "InvocationID");
      if (invocation === "") return null;
      const said = await this.run([
        "journalctl",
        "--no-pager",
        "--output=cat",
        `_SYSTEMD_INVOCATION_ID=${invocation}`,
      ]);
      return line.test(said.stdout) || null;
    });
  }

  // The program.

  async status(...more: string[]): Promise<Ran & { json: Settings | null }> {
    const ran = await this.run([
      "cytube-verify",
      "status",
      "--env",
      this.place.env,
      "--json",
      ...more,
    ]);
    try {
      return { ...ran, json: JSON.parse(ran.stdout) as Settings };
    } catch {
      return { ...ran, json: null };
    }
  }

  async install(env = this.place.env): Promise<string> {
    return this.shell('cd "$1" && sh units/install.sh "$2" 2>&1', project, env);
  }

  async configure(over: Settings, place = this.place): Promise<void> {
    const config = merge(configOf(place, this.outside.chatPort), over);
    await this.write(`/etc/cytube-verify/${place.env}.yaml`, stringify(config), "0640");
    // install.sh has made the group, except on the host that is just being made.
    await this.run(["chgrp", "cytube-verify", `/etc/cytube-verify/${place.env}.yaml`]);
  }

  /**
   * What happened, for a test that failed: the journal of all that matters, the records in short,
   * the alerts.
   */
  async story(): Promise<string[]> {
    const units = ["cytube-*", "session*"].flatMap((pattern) => ["-u", pattern]);
    const command = [
      "journalctl",
      "--no-pager",
      "--no-hostname",
      "--output=short-precise",
      "--lines=220",
      ...units,
    ];
    const journal = await this.run(command).catch((error: Error) => ({ stdout: error.message }));
    const records = [this.place.env, "prod-movies"].flatMap((env) =>
      this.records({ ...this.place, env }),
    );
    return [
      ...journal.stdout
        .split("\n")
        .filter((line) => !/\[INFO\]|cytube-verify\[\d+\]: {3}(pass|off|skipped) /.test(line)),
      ...records.map((record) => `record ${shortOf(record)}`),
      ...this.outside.alerts.map(
        ({ at, text }) => `alert ${new Date(at).toISOString()} ${text.slice(0, 400)}`,
      ),
    ];
  }

  async close(): Promise<void> {
    await this.machine.stop();
    await this.outside.close();
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return 0;
  }
}

export function shortOf(record: LogRecord): string {
  const {
    ts,
    kind,
    verdict,
    exit,
    releaseId,
    findings = [],
    notes = [],
    reasons = [],
    flags,
  } = record;
  const bad = findings.filter(
    (finding) => finding.status === "fail" || finding.status === "unknown",
  );
  const says = bad.map((finding) => `${finding.check} ${finding.status}: ${finding.says}`);
  return [
    ts,
    kind,
    verdict,
    exit,
    releaseId ?? "-",
    ...says,
    ...notes,
    ...reasons,
    ...(flags?.red ?? []).map((flag) => flag.says),
  ].join(" | ");
}

// ---------------------------------------------------------------------------- making hosts

const layOutScript = `
groupadd --gid ${deployer} deploy; useradd --uid ${deployer} --gid ${deployer} --create-home --shell /bin/bash deploy
groupadd --gid ${botUser} bot; useradd --uid ${botUser} --gid ${botUser} --no-create-home --shell /usr/sbin/nologin bot
groupadd --gid ${operator} olga; useradd --uid ${operator} --gid ${operator} --create-home --shell /bin/bash olga
mkdir -p /etc/cytube-verify/credentials
chmod 700 /etc/cytube-verify/credentials
`;

async function layOut(host: Host, place: Place): Promise<void> {
  const { directory, data, unit } = place;
  await host.shell(
    `mkdir -p "$1/releases"; chown -R ${deployer}:${deployer} "$1"; mkdir -p "$2"; chown ${botUser}:${botUser} "$2"`,
    directory,
    data,
  );
  await host.shell('ln -sfn "$1/current/config.json" "$2/config.json"', directory, data);
  await host.write(`/etc/systemd/system/${unit}`, unitText(place));
  await host.changeWorld("", place);
  await writePager(host, place);
  await host.configure({}, place);
}

async function writePager({ machine, outside }: Host, { env }: Place): Promise<void> {
  await machine.writeFile(
    `/etc/cytube-verify/credentials/${env}-pager`,
    `http://127.0.0.1:${outside.pagerPort}/${env}\n`,
    "0600",
  );
}

/** A second bot on the same host, with a proven release of its own. */
export async function addBot(host: Host, env: string): Promise<Place> {
  const place = placeOf(env, await findSteadyPort());
  await layOut(host, place);
  await host.deploy("r1", {}, place);
  await host.must("systemctl", "daemon-reload");
  await host.must("systemctl", "start", place.unit);
  await host.botIsUp("r1", place);
  await host.install(env);
  await host.restart(place);
  await host.waitForPass("r1", { place });
  return place;
}

const packed = [
  "etc",
  "srv",
  "home",
  "usr/local/bin",
  "usr/local/lib/cytube-verify",
  "var/lib/cytube-bot",
  "var/lib/cytube-verify",
  "var/log/cytube-verify",
];
const packing = [
  "--numeric-owner",
  "--exclude=etc/machine-id",
  "--exclude=etc/hostname",
  "--exclude=etc/mtab",
  "--exclude=*.sock",
];
const image = join(work, "image.tar");

export type Installed = { said: string; installMs: number };
let installing: Promise<Installed> | undefined;

/** Installs once in a host that is then packed. Returns what install.sh printed. */
export function installOnce(): Promise<Installed> {
  installing ??= (async () => {
    await copyProject();
    const outside = await openOutside();
    const machine = await boot({ files: { [quickTimerFile]: quickTimer } });
    const host = new Host(machine, outside, placeOf("prod", await findSteadyPort()));
    try {
      return await installAndPack(host);
    } catch (error) {
      throw new Error(
        `Cannot install: ${(error as Error).message}\n${(await host.story()).join("\n")}`,
        { cause: error },
      );
    } finally {
      await host.close();
    }
  })();
  return installing;
}

async function installAndPack(host: Host): Promise<Installed> {
  const { unit } = host.place;
  await host.shell(layOutScript);
  await layOut(host, host.place);
  await host.deploy("r1");
  await host.must("systemctl", "daemon-reload");
  await host.must("systemctl", "enable", "--now", unit);
  await host.botIsUp("r1");
  const begun = performance.now();
  const said = await host.install();
  const installMs = performance.now() - begun;
  await host.restart();
  await host.waitForPass("r1");
  await host.settle();
  // A record is fsynced before the tick of the burn-in can begin, so a tick that is cut off here is
  // no loss.
  await host.must(
    "systemctl",
    "stop",
    "cytube-burnin@prod.timer",
    "cytube-burnin@prod.service",
    unit,
  );
  // The journal stays here, and without it nobody can say how this bot ended: every scene begins
  // with the first burn-in of r1.
  const memory = host.path("/var/lib/cytube-verify/prod.releases.json");
  writeFileSync(
    memory,
    JSON.stringify({ ...JSON.parse(readFileSync(memory, "utf8")), burnin: null }),
  );
  execFileSync("tar", ["-C", host.path("/"), ...packing, "-cf", image, ...packed]);
  return { said, installMs };
}

/**
 * A host on which r1 is deployed and proven, and the bot is stopped; `virgin`: nothing is deployed,
 * and nothing was ever proven.
 */
async function openHost(options: HostOptions = {}): Promise<Host> {
  await installOnce();
  const outside = await openOutside();
  const host = new Host(await boot(), outside, placeOf("prod", await findSteadyPort()));
  try {
    execFileSync("tar", [
      "-C",
      host.path("/"),
      "--numeric-owner",
      "--same-permissions",
      "--same-owner",
      "-xf",
      image,
    ]);
    if (options.virgin)
      await host.shell(
        'rm -rf /var/lib/cytube-verify/* /var/log/cytube-verify/* "$1"/current "$1"/releases/*',
        host.place.directory,
      );
    await host.changeWorld("");
    await writePager(host, host.place);
    await host.configure(options.config ?? {});
    if (options.unit)
      await host.write(`/etc/systemd/system/${host.place.unit}.d/scene.conf`, options.unit);
    for (const [path, text] of Object.entries(options.files ?? {})) await host.write(path, text);
    await host.must("systemctl", "daemon-reload");
    await host.must(
      "systemd-tmpfiles",
      "--create",
      "--prefix=/run/cytube-verify",
      "--prefix=/var/log/cytube-verify",
      "--prefix=/var/lib/cytube-verify",
    );
    return host;
  } catch (error) {
    await host.close();
    throw error;
  }
}

export type Play = (host: Host, t: TestContext) => Promise<void>;

/**
 * A test on a host of its own. When it fails, it tells the whole story: nobody can look at that
 * host any more.
 */
export function scene(name: string, play: Play, options: HostOptions = {}): void {
  test(name, async (t) => {
    const host = await openHost(options);
    try {
      await play(host, t);
    } catch (error) {
      for (const line of await host.story()) t.diagnostic(line);
      throw error;
    } finally {
      const titles = host.outside.alerts.map(
        ({ text }) => (JSON.parse(text) as { title: string }).title,
      );
      t.diagnostic(`alerts: ${titles.join(" | ") || "none"}`);
      await host.close();
    }
  });
}

export const inUnit = (lines: string): string => `[Service]\n${lines}\n`;

export function waitForAlert(host: Host, text: RegExp, after = 0) {
  return waitFor(`an alert says ${text}`, () =>
    host.outside.alerts.slice(after).find((alert) => text.test(alert.text)),
  );
}

/** Starts the proven release and lets its verification pass. */
export async function startProven(host: Host): Promise<void> {
  const after = host.records().length;
  await host.must("systemctl", "start", host.place.unit);
  await host.waitForPass("r1", { after });
  await host.settle();
}
