/**
 * A host without systemd: releases, a config and a real bot in one directory, and a systemctl that
 * is played. It shows the units whose text a test leaves, and starts what a test says.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Config, readConfig } from "../../lib/config.ts";
import type { ReleaseState, RollbackRecord } from "../../lib/releases/state.ts";
import { RULES } from "../../verify.ts";
import {
  type BotOptions,
  createDirectory,
  defaultConfig,
  merge,
  type Result,
  type Run,
  type RunningBot,
  type RunOptions,
  readRecords,
  runVerify,
  type Settings,
  startBot,
} from "./harness.ts";

const shortChecks = {
  watchSeconds: 0,
  startupSecondsMax: 1,
  healthTriesMax: 1,
  responseGapMs: 5,
  memorySamples: 1,
};
export const onHost: Settings = {
  release: { directory: "releases" },
  rollback: { auto: true, secondsMax: 3 },
  state: { directory: "state", flags: "flags" },
  limits: shortChecks,
};
const asUnit = { CYTUBE_VERIFY_UNIT: "verify" };

/**
 * A directory with releases, a config, a systemctl that is played, and a bot that runs from
 * `current` with the switches of that release.
 */
export class Host {
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

export const passedNow = () => ({
  at: new Date().toISOString(),
  run: "run-1",
  version: "1.4.2",
  schema: null,
});

/** Two releases of which the old one has passed, and the new one is current. */
export function twoReleases(over: Settings = {}): Host {
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
export async function withHost(host: Host, act: (host: Host) => Promise<unknown>): Promise<void> {
  try {
    await act(host);
  } finally {
    await host.bot?.stop();
  }
}
