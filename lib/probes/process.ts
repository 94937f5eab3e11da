/**
 * Finds the bot's process by its unit, a pid file or its command line, in /proc. It follows nothing
 * and judges nothing.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, messageOf, orNull, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readSmallFile } from "../files.ts";
import { cutText } from "../text.ts";
import type { Identity } from "../vocabulary.ts";
import { parseUnitState, readUnit, type UnitProperties } from "./unit.ts";

// USER_HZ: the unit of times in /proc/PID/stat, 100 on every architecture that Debian ships
// (proc(5), sysconf(3)).
const TICKS_PER_SECOND = 100;
const MS_PER_TICK = 1000 / TICKS_PER_SECOND;
const PROC_IS_HIDDEN = "Other users' processes are hidden (/proc is mounted with hidepid)";
/** What /proc/PID/stat says of a process. */
export type ProcessStat = {
  pid: number;
  command: string;
  /** R, S, D, Z (zombie), T (stopped), t (traced) or X. */
  state: string;
  parent: number;
  /** From boot to its start. */
  startTicks: number;
};

/** Null where what is read has gone; any other reason is `Unobservable`. */
function readUnlessGone<T>(what: string, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(codeOf(error))) return null;
    throw new Unobservable(`Cannot read ${what}: ${messageOf(error)}`);
  }
}

/**
 * Parses /proc/PID/stat. The command may itself hold spaces and parentheses, so the fields are
 * counted from the last one.
 */
export function parseProcessStat(text: string): ProcessStat | null {
  const [, pid, command = "", state = "", parent, startTicks] =
    /^(\d+) \((.*)\) (\S+) (\d+) (?:\S+ ){17}(\d+)/s.exec(text) ?? [];
  if (!pid) return null;
  return {
    pid: Number(pid),
    command,
    state,
    parent: Number(parent),
    startTicks: Number(startTicks),
  };
}

/** Null where there is no such process. `Unobservable` where /proc hides other users' ones. */
export function readProcessStat(pid: number): ProcessStat | null {
  const file = `/proc/${pid}/stat`;
  const text = readUnlessGone(file, () => fs.readFileSync(file, "utf8"));
  if (text === null && !fs.existsSync("/proc/1/stat"))
    throw new Unobservable(PROC_IS_HIDDEN, "Run as the bot's user.");
  return parseProcessStat(text ?? "");
}

/**
 * The start is counted back in two ways, which can only be late: by how long this program took to
 * begin, or by a suspend. btime is whole seconds.
 */
function identityOf({ pid, startTicks }: ProcessStat, invocation: string | null): Identity {
  const own = parseProcessStat(fs.readFileSync("/proc/self/stat", "utf8"));
  const ownTicks = own?.startTicks ?? Number.NaN;
  const byOwnStart = process.uptime() * 1000 + (ownTicks - startTicks) * MS_PER_TICK;
  const byClock = Number(process.hrtime.bigint()) / 1e6 - startTicks * MS_PER_TICK;
  return {
    pid,
    startTicks,
    startedAt: Date.now() - Math.max(byOwnStart, byClock),
    bootId: fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    invocation,
  };
}

type Match = { pid: number; commandLine: string };

/** Where the bot was looked for, and what was there. */
export type ProcessEvidence = {
  /** Such as `unit cytube-bot.service`. */
  source: string;
  /** Every process that could be meant. */
  matches: Match[];
  /** The properties of the unit, where the config names one. */
  unit: UnitProperties | null;
  /** The bot's process; null where none can be named. */
  stat: ProcessStat | null;
  identity: Identity | null;
  /** Why no process can be named, or null. */
  trouble: string | null;
};

const readCommandLine = (pid: number): string =>
  orNull(() => fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()) ?? "";
const readMatch = ({ pid }: ProcessStat): Match => ({
  pid,
  commandLine: cutText(readCommandLine(pid), 200),
});

// Two reads of /proc at different moments can show a circle of parents.
const ANCESTORS_MAX = 64;

/** The process `parent`, its own parent, and so on. */
function ancestorsFrom(parent: number, stats: readonly ProcessStat[]): ProcessStat[] {
  const ancestors: ProcessStat[] = [];
  let found = stats.find(({ pid }) => pid === parent);
  while (found && ancestors.length < ANCESTORS_MAX) {
    ancestors.push(found);
    const next = found.parent;
    found = stats.find(({ pid }) => pid === next);
  }
  return ancestors;
}

/**
 * Programs that start the bot and wait for it; the bot is then their child, and it is the child
 * that has to be followed.
 */
const WRAPPERS = new Set([
  "sh",
  "bash",
  "dash",
  "su",
  "sudo",
  "timeout",
  "setsid",
  "nohup",
  "env",
  "runuser",
  "setpriv",
  "systemd-inhibit",
  "screen",
]);

/**
 * The bots among the processes whose command line matches: a worker that a bot forked belongs to
 * it, and a wrapper stands for its child.
 */
export function parseMatches(
  stats: readonly ProcessStat[],
  matching: ReadonlySet<number>,
): ProcessStat[] {
  const counts = ({ pid, command }: ProcessStat): boolean =>
    matching.has(pid) && !WRAPPERS.has(command);
  return stats.filter((stat) => counts(stat) && !ancestorsFrom(stat.parent, stats).some(counts));
}

function readAllStats(): ProcessStat[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => readProcessStat(Number(pid)) ?? []);
}

/**
 * Bots by their command line, leaving out this program, its ancestors (a shell whose own command
 * line holds the pattern) and its children.
 */
export function readBots(pattern: string): ProcessStat[] {
  if (!fs.existsSync("/proc/1/stat"))
    throw new Unobservable(PROC_IS_HIDDEN, "Use process.pidFile, or run as the bot's user.");
  const stats = readAllStats();
  const ancestors = ancestorsFrom(process.ppid, stats).map(({ pid }) => pid);
  // In a container the first process may be the bot itself.
  const own = [process.pid, ...ancestors.filter((pid) => pid > 1)];
  const others = stats.filter(({ pid, parent }) => !own.includes(pid) && parent !== process.pid);
  const regex = new RegExp(pattern);
  const matching = new Set<number>();
  for (const { pid } of others) {
    const line = readCommandLine(pid);
    if (line !== "" && regex.test(line)) matching.add(pid);
  }
  return parseMatches(stats, matching);
}

/** The one pid in a text; null where there is anything else. */
export const parsePidFile = (text: string): number | null =>
  Number(/^\s*(\d{1,10})\s*$/.exec(text)?.[1] ?? 0) || null;

// A pid file may hold no more than a pid.
const PID_FILE_BYTES_MAX = 256;
// A bot writes its pid file after its start, which is known to some 100 ms.
const PID_FILE_SLACK_MS = 2000;

/** The process that a pid file names, or why it names none. */
export function readByPidFile(file: string): ProcessStat | string {
  const written = readUnlessGone(`the pid file "${file}"`, () => ({
    text: readSmallFile(file, PID_FILE_BYTES_MAX),
    at: fs.statSync(file).mtimeMs,
  }));
  if (!written) return "there is no pid file";
  const pid = parsePidFile(written.text);
  if (pid === null)
    return written.text.trim() ? "the pid file does not hold a pid" : "the pid file is empty";
  const stat = readProcessStat(pid);
  if (!stat) return `pid ${pid} is not running`;
  const { command, state } = stat;
  if (state !== "Z" && readCommandLine(pid) === "")
    return `pid ${pid} is a kernel thread (${command}); is the pid one of a container?`;
  // A file that is older than the process was left by another one.
  const isStale = written.at < identityOf(stat, null).startedAt - PID_FILE_SLACK_MS;
  if (!isStale) return stat;
  return (
    `the pid file is older than process ${pid} (${command}), ` +
    "which has taken over a dead bot's pid"
  );
}

/** The main process of a unit, or why there is none. */
function readMainProcess(unit: UnitProperties): ProcessStat | string {
  const found = parseUnitState(unit);
  if (found.state === "starting") return `${unit.Id} is still activating (${unit.SubState})`;
  if (found.state === "down") return found.says;
  const missing = `main process ${unit.MainPID} of ${unit.Id} is not running`;
  return readProcessStat(Number(unit.MainPID)) ?? missing;
}

/** `found` is the process, or why none can be named. */
function evidenceOf(
  source: string,
  found: ProcessStat | string,
  unit: UnitProperties | null,
): ProcessEvidence {
  if (typeof found === "string")
    return { source, matches: [], unit, stat: null, identity: null, trouble: found };
  return {
    source,
    matches: [readMatch(found)],
    unit,
    stat: found,
    identity: identityOf(found, unit?.InvocationID || null),
    trouble: null,
  };
}

function readByCommand(pattern: string): ProcessEvidence {
  const bots = readBots(pattern);
  const [bot = "no process matches"] = bots;
  const pids = bots.map(({ pid }) => pid).join(", ");
  const several = `${bots.length} bots run at once (pids ${pids}); exactly one may match`;
  const found = bots.length > 1 ? several : bot;
  return { ...evidenceOf(`command /${pattern}/`, found, null), matches: bots.map(readMatch) };
}

/** Looks for the bot once, by what the config names: a unit, a pid file, or a command line. */
export async function readProcessOnce(
  { unit: name, pidFile, command = "" }: Config["process"],
  signal: AbortSignal,
): Promise<ProcessEvidence> {
  if (name) {
    const unit = await readUnit(name, signal);
    return evidenceOf(`unit ${unit.Id ?? name}`, readMainProcess(unit), unit);
  }
  if (pidFile) return evidenceOf(`pid file ${pidFile}`, readByPidFile(pidFile), null);
  return readByCommand(command);
}

// A pid file is written just after the start, and a unit is briefly between two states: an absence
// has to last this long.
const ABSENCE_MS = 800;
/** How long it is worth looking again; 0: what was found is settled. */
function settlingMs({ stat, unit }: ProcessEvidence, { limits }: Config): number {
  const isStopped = stat !== null && /[Tt]/.test(stat.state);
  if (stat !== null && !isStopped && stat.state !== "Z") return 0;
  if (unit && parseUnitState(unit).state === "starting") return limits.startupSecondsMax * 1000;
  return isStopped ? limits.stoppedMsMax : ABSENCE_MS;
}

/**
 * Finds the bot. Looks again for a moment when it is not there, and up to the start-up deadline
 * while its unit is starting.
 */
export async function readProcess(config: Config, signal: AbortSignal): Promise<ProcessEvidence> {
  const begun = performance.now();
  let found = await readProcessOnce(config.process, signal);
  while (performance.now() - begun < settlingMs(found, config)) {
    await sleep(100, undefined, { signal });
    found = await readProcessOnce(config.process, signal);
  }
  return found;
}

// A bot has a few processes; a fork bomb must not keep this program busy.
const TREE_MAX = 4096;

/** The pids that a process has started and that still run, by the kernel's own list. */
function readChildren(pid: number): number[] {
  const threads = orNull(() => fs.readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.flatMap((thread) => {
    const file = `/proc/${pid}/task/${thread}/children`;
    const pids = orNull(() => fs.readFileSync(file, "utf8")) ?? "";
    return pids.split(" ").filter(Boolean).map(Number);
  });
}

/** The process and all its descendants, itself first. */
export function readTree(root: number): number[] {
  const tree = [root];
  for (const pid of tree) {
    if (tree.length <= TREE_MAX) tree.push(...readChildren(pid));
  }
  return tree;
}

/** What the process has open, as link targets, or null where another user's are hidden. */
export function readOpenFiles(pid: number): string[] | null {
  const names = orNull(() => fs.readdirSync(`/proc/${pid}/fd`));
  if (!names) return null;
  return names.flatMap((name) => orNull(() => fs.readlinkSync(`/proc/${pid}/fd/${name}`)) ?? []);
}
