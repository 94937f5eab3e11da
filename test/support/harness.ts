/**
 * What every test needs: the program built once, a scene (a directory with a bot, its database, its
 * log and a config), the verifier run on it
 * with everything it said, and nothing left behind: no process, no file, also when a test fails or
 * is interrupted.
 */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { stringify } from "yaml";
import { buildProgram } from "../../units/build.ts";
import type { BotSwitches } from "./bot.ts";

export const projectDirectory = resolve(fileURLToPath(import.meta.url), "../../..");
export const unprivilegedUid = 65534;

// ---------------------------------------------------------------------------- nothing is left behind

const cleanups = new Set<() => void>();

function cleanUpAll(): void {
  for (const cleanup of cleanups) {
    try {
      cleanup();
    } catch {
      // The others still have to be cleaned up.
    }
  }
  cleanups.clear();
}

/**
 * The verifier that a person watches: it is told of a signal and may still write its record; what
 * it exits with then ends this process too.
 */
let watched: ChildProcess | undefined;

process.on("exit", cleanUpAll);
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => (watched?.pid ? sendSignal(watched.pid, signal) : process.exit(code)));
}

/**
 * Registers what must be undone at the latest when this process ends; calling the result undoes it
 * now.
 */
export function onCleanup(undo: () => void): () => void {
  const once = () => {
    if (cleanups.delete(once)) undo();
  };
  cleanups.add(once);
  return once;
}

/** A directory that is removed when the test ends; other users may enter it. */
export function createDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "cytube-verify-"));
  chmodSync(directory, 0o755);
  onCleanup(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a process in a group of its own, so that its children can be ended with it. */
export function startProcess(
  command: readonly string[],
  options: SpawnOptions = {},
): ChildProcess & { end: () => void } {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { stdio: "ignore", ...options, detached: true });
  const end = onCleanup(() => {
    if (child.pid) sendSignal(-child.pid, "SIGKILL");
  });
  return Object.assign(child, { end });
}

/** True when there was somebody to receive it. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------------------- waiting

/** Only for what will never come about: a machine that does other work, too, may take its time. */
export const deadlineMsDefault = 120_000;

/** Waits for a condition, not for a time. The error says what did not come about. */
export async function until<Result>(
  what: string,
  condition: () => Result | undefined | false | null,
  deadlineMs = deadlineMsDefault,
): Promise<Result> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const result = condition();
    if (result) return result;
    if (performance.now() > deadline)
      throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** TIMING=exact: nothing else runs on this machine, so that how long something takes is a fact. */
export const timeIsExact = process.env.TIMING === "exact";

/**
 * A limit of time as it is meant on a machine that does nothing else (TIMING=exact), and twenty
 * times as wide where others may be at work: there it still finds what hangs, and no more.
 */
export const timeLimitMs = (msMax: number): number => (timeIsExact ? msMax : msMax * 20);

/** Something took at most so many milliseconds; see timeLimitMs(). */
export function assertInTime(what: string, ms: number, msMax: number): void {
  const limit = timeLimitMs(msMax);
  assert.ok(ms <= limit, `${what} took ${Math.round(ms)} ms, more than ${limit}`);
}

export function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** A port on which nothing listens at this moment. */
export function findFreePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

// ---------------------------------------------------------------------------- build

let building: Promise<void> | undefined;

/**
 * Builds the verifier and the sample bot into build/, once, and only where build/ is older than the
 * sources.
 */
export function buildOnce(): Promise<void> {
  building ??= buildAll();
  return building;
}

async function buildAll(): Promise<void> {
  const entries = readdirSync(join(projectDirectory, "lib"), {
    recursive: true,
    withFileTypes: true,
  });
  const sources = entries.filter((entry) => entry.isFile());
  const files = [
    ...sources.map((entry) => join(entry.parentPath, entry.name)),
    ...["verify.ts", "units/build.ts", "package-lock.json", "test/support/bot.ts"].map((name) =>
      join(projectDirectory, name),
    ),
  ];
  const newest = Math.max(...files.map((file) => statSync(file).mtimeMs));
  const isNew = (name: string): boolean => {
    const built = join(projectDirectory, "build", name);
    return existsSync(built) && statSync(built).mtimeMs > newest;
  };
  if (!isNew("verify.js")) await buildProgram(join(projectDirectory, "build"));
  if (!isNew("bot.js")) await buildBot();
}

/** The sample bot has nothing to bundle: it runs beside the project's packages. */
async function buildBot(): Promise<void> {
  const source = readFileSync(join(projectDirectory, "test/support/bot.ts"), "utf8");
  const { code } = await transform(source, { loader: "ts", format: "esm", target: "node20" });
  const temporary = join(projectDirectory, "build", `bot.js.${process.pid}`);
  writeFileSync(temporary, code);
  // Another test that runs at the same time sees the old file or the new one, never half of one.
  renameSync(temporary, join(projectDirectory, "build/bot.js"));
}

/**
 * Where the unprivileged user can read the program: here, or in a copy when this checkout lies
 * below a closed directory such as /root.
 */
let readableProgram: string | undefined;
export function programFor(uid: number | undefined): string {
  const here = join(projectDirectory, "build", "verify.js");
  if (uid === undefined || isOpenToOthers(projectDirectory)) return here;
  if (!isOpenToOthers(process.execPath))
    throw new Error(
      `Cannot run as uid ${uid}: "${process.execPath}" is closed to it. Install Node where others can read it.`,
    );
  readableProgram ??= copyProgram();
  return readableProgram;
}

function isOpenToOthers(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0 && (path === "/" || isOpenToOthers(dirname(path)));
}

/** The root of a checkout that another user can read: this one, or the copy. */
export const projectFor = (uid: number): string => resolve(programFor(uid), "../..");

export function copyProgram(directory = createDirectory()): string {
  // The build last, for it has to be newer than its sources.
  for (const name of ["verify.ts", "lib"])
    cpSync(join(projectDirectory, name), join(directory, name), {
      recursive: true,
      preserveTimestamps: true,
    });
  cpSync(join(projectDirectory, "build"), join(directory, "build"), { recursive: true });
  copyFileSync(join(projectDirectory, "package.json"), join(directory, "package.json"));
  cpSync(join(projectDirectory, "config"), join(directory, "config"), { recursive: true });
  const { packages } = JSON.parse(
    readFileSync(join(projectDirectory, "package-lock.json"), "utf8"),
  ) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(packages)) {
    if (path && !dev && existsSync(join(projectDirectory, path)))
      cpSync(join(projectDirectory, path), join(directory, path), { recursive: true });
  }
  return join(directory, "build/verify.js");
}

// ---------------------------------------------------------------------------- bot

export type BotOptions = BotSwitches & {
  /** Its own configuration file, config.json, over the defaults. */
  settings?: Record<string, unknown>;
  /** Started again so many milliseconds after each death. */
  restartAfterMs?: number;
  /** Put in front of its command line, as `nsenter` or a shell that never reaps. */
  wrap?: (command: readonly string[]) => readonly string[];
  /** Do not wait until it is ready. */
  hasty?: boolean;
};

export type RunningBot = {
  dir: string;
  port: number;
  pid: () => number;
  /** Turns a dormant bot bad. */
  wake: () => void;
  kill: (signal?: NodeJS.Signals) => Promise<void>;
  start: () => Promise<void>;
  restart: () => Promise<void>;
  stop: () => Promise<void>;
};

export const botPassword = "correct-horse-7481-battery";
export const botSettings = {
  channel: "#demo",
  environment: "prod",
  bot_name: "demo-bot",
  password: botPassword,
};

function botCommand(dir: string, options: BotOptions, port: number): readonly string[] {
  const {
    settings: _settings,
    restartAfterMs: _restart,
    wrap,
    hasty: _hasty,
    ...switches
  } = options;
  const args = Object.entries({
    dir,
    guardian: process.pid,
    ...switches,
    ...(port > 0 && { port }),
  }).flatMap(([name, value]) => {
    if (typeof value === "boolean") return value ? [`--${name}`] : [];
    return (Array.isArray(value) ? value : [value]).map((single) => `--${name}=${single}`);
  });
  const command = [process.execPath, join(projectDirectory, "build/bot.js"), ...args];
  return wrap ? wrap(command) : command;
}

export async function startBot(dir: string, options: BotOptions = {}): Promise<RunningBot> {
  await buildOnce();
  writeFileSync(
    join(dir, "config.json"),
    `${JSON.stringify({ ...botSettings, ...options.settings }, null, 2)}\n`,
    { mode: 0o644 },
  );
  let child: ReturnType<typeof startProcess> | undefined;
  let wanted = true;
  const bot: RunningBot = {
    dir,
    port: Number(options.port ?? 0),
    pid: () => Number(readIfThere(join(dir, "bot.pid"))) || (child?.pid ?? 0),
    wake: () => void sendSignal(bot.pid(), "SIGUSR2"),
    start: async () => {
      rmSync(join(dir, "bot.pid"), { force: true });
      const started = startProcess(botCommand(dir, options, bot.port));
      child = started;
      if (options.restartAfterMs !== undefined) {
        started.once("exit", () =>
          setTimeout(() => wanted && bot.start().catch(() => undefined), options.restartAfterMs),
        );
      }
      if (!options.hasty) await untilReady(bot, options, started);
    },
    kill: async (signal = "SIGKILL") => {
      const pid = bot.pid();
      sendSignal(pid, signal);
      if (signal === "SIGKILL" || signal === "SIGTERM")
        await until("the bot is dead", () => !sendSignal(pid, 0) || isZombie(pid));
    },
    restart: async () => {
      await bot.kill();
      await bot.start();
    },
    stop: async () => {
      wanted = false;
      const stopping = child;
      if (!stopping || stopping.exitCode !== null || stopping.signalCode !== null)
        return stopping?.end();
      const gone = new Promise((done) => stopping.once("exit", done));
      sendSignal(stopping.pid as number, "SIGTERM");
      const timer = setTimeout(stopping.end, 500); // A frozen or blocked bot cannot be asked.
      await gone;
      clearTimeout(timer);
      stopping.end();
    },
  };
  onCleanup(() => {
    wanted = false;
  });
  await bot.start();
  return bot;
}

async function untilReady(
  bot: RunningBot,
  options: BotOptions,
  child: ChildProcess,
): Promise<void> {
  await until("the bot has written its pid file", () => {
    if (child.exitCode)
      throw new Error(
        `The bot exited ${child.exitCode} while it started in "${bot.dir}": is its port taken?`,
      );
    return existsSync(join(bot.dir, "bot.pid"));
  });
  if (options["no-http"] || options.socket) return;
  bot.port ||= Number(readFileSync(join(bot.dir, "bot.port"), "utf8"));
}

function isZombie(pid: number): boolean {
  return /\) Z /.test(readIfThere(`/proc/${pid}/stat`));
}

// ---------------------------------------------------------------------------- config

export type Settings = { [key: string]: unknown };

/** A deep merge; null takes a key away. */
export function merge(base: Settings, over: Settings): Settings {
  const merged: Settings = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    if (value === null) delete merged[key];
    else if (isSettings(value)) merged[key] = merge(isSettings(below) ? below : {}, value);
    else merged[key] = value;
  }
  return merged;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Prod's rules with short waits, for a bot in the same directory. */
export function defaultConfig(port: number): Settings {
  return {
    environment: "prod",
    process: { pidFile: "bot.pid" },
    health: { url: `http://127.0.0.1:${port}/api/health` },
    database: { file: "bot_data.db", tables: ["current_status", "user_stats"] },
    errorLogs: { files: ["bot.log"] },
    configuration: { environment: "prod", channel: "#demo", file: "config.json" },
    log: { file: "verify.jsonl" },
    limits: {
      watchSeconds: 2,
      startupSecondsMax: 2,
      healthTriesMax: 2,
      healthTimeoutMs: 800,
      healthEverySeconds: 1,
      responseGapMs: 20,
    },
  };
}

export function writeConfig(dir: string, port: number, overrides: Settings = {}): string {
  const file = join(dir, "verify.yaml");
  writeFileSync(file, stringify(merge(defaultConfig(port), overrides)), { mode: 0o644 });
  return file;
}

// ---------------------------------------------------------------------------- verifier

export type Finding = {
  check: string;
  status: string;
  phase: string;
  says: string;
  measured?: unknown;
  evidence?: string[];
  parts?: { part: string; status: string; says: string }[];
};
export type Result = {
  run: string;
  verdict: string;
  exit: number;
  kind: string;
  findings: Finding[];
  metrics: Settings;
  notes: string[];
} & Settings;

export type RunOptions = {
  cwd?: string;
  env?: Record<string, string | undefined>;
  uid?: number;
  /** Put around the command line: a terminal, a pipe, a namespace. */
  wrap?: (command: readonly string[]) => readonly string[];
  /** Called once when the narration on stderr matches. */
  onLine?: { line: RegExp; act: (child: ChildProcess) => unknown }[];
  /** Close the reading end of its stdout at once. */
  closeStdout?: boolean;
  /**
   * Shown to the person who watches: "copy" keeps the text too, "inherit" hands the terminal over.
   */
  show?: "nothing" | "copy" | "inherit";
  program?: readonly string[];
  deadlineMs?: number;
};
export type Run = {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  json: Result | null;
  ms: number;
};

export async function runVerify(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  await buildOnce();
  const { uid, show = "nothing" } = options;
  const plain = [...(options.program ?? [process.execPath, programFor(uid)]), ...args];
  const started = performance.now();
  const identity = uid === undefined ? {} : { uid, gid: uid };
  const output = show === "inherit" ? "inherit" : "pipe";
  const child = startProcess(options.wrap ? options.wrap(plain) : plain, {
    cwd: options.cwd ?? projectDirectory,
    env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, ...options.env },
    stdio: ["ignore", output, options.onLine?.length && show === "inherit" ? "pipe" : output],
    ...identity,
  });
  if (show === "inherit") watched = child;
  const said = collectOutput(child, options);
  const timer = setTimeout(child.end, options.deadlineMs ?? 2 * deadlineMsDefault);
  const [code, signal] = await new Promise<[number | null, string | null]>((done, failed) => {
    child.once("error", failed);
    child.once("close", (exit, killedBy) => done([exit, killedBy]));
  });
  clearTimeout(timer);
  watched = undefined;
  child.end();
  const [failure] = (await Promise.all(said.acts)).filter((outcome) => outcome instanceof Error);
  if (failure) throw failure;
  return {
    code,
    signal,
    stdout: said.stdout,
    stderr: said.stderr,
    json: parseResult(said.stdout),
    ms: performance.now() - started,
  };
}

function collectOutput(
  child: ChildProcess,
  options: RunOptions,
): { stdout: string; stderr: string; acts: Promise<unknown>[] } {
  const said = { stdout: "", stderr: "", acts: [] as Promise<unknown>[] };
  const waiting = [...(options.onLine ?? [])];
  if (options.closeStdout) child.stdout?.destroy();
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
    if (options.show && options.show !== "nothing") process.stdout.write(text);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
    if (options.show && options.show !== "nothing") process.stderr.write(text);
    for (let next = waiting[0]; next?.line.test(said.stderr); next = waiting[0]) {
      waiting.shift();
      said.acts.push(actOn(next.act, child));
    }
  });
  return said;
}

/** What went wrong is returned, to be thrown when the verifier has ended. */
async function actOn(act: (child: ChildProcess) => unknown, child: ChildProcess): Promise<unknown> {
  try {
    return await act(child);
  } catch (error) {
    return error;
  }
}

function parseResult(stdout: string): Result | null {
  try {
    return JSON.parse(stdout) as Result;
  } catch {
    return null; // It was not asked for JSON, or it did not keep its word; the caller knows which.
  }
}

/** The records of the verifier's log; a line that is not JSON is null. */
export function readRecords(path: string): (Result | null)[] {
  return readIfThere(path)
    .split("\n")
    .filter((line) => line !== "")
    .map(parseResult);
}

// ---------------------------------------------------------------------------- golden files

/** What a person reads, as it was approved; UPDATE_GOLDEN=1 writes it anew. */
export function assertGolden(name: string, text: string): void {
  const file = join(projectDirectory, "test/golden", name);
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.ok(existsSync(file), `there is no ${file}; UPDATE_GOLDEN=1 writes it`);
  const [actual, expected] = [text, readFileSync(file, "utf8")].map((whole) => whole.split("\n"));
  assert.deepEqual(actual, expected);
}
