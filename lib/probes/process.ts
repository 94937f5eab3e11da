/**
 * Finds the bot's process by its unit, a pid file or its command line, in /proc. It follows nothing
 * and judges nothing.
 */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { orGone, orNull, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readSmallFile } from "../files.ts";
import { cutText } from "../text.ts";
import type { Identity } from "../vocabulary.ts";
import { parseUnitState, readUnit, type UnitProperties } from "./unit.ts";

// USER_HZ: the unit of times in /proc/PID/stat, 100 on every architecture that Debian ships
// (proc(5), sysconf(3)).
const TICKS_PER_SECOND = 100;
const PROC_IS_HIDDEN = "Other users' processes are hidden (/proc is mounted with hidepid)";
/** `state` is R, S, D, Z (zombie), T (stopped), t (traced) or X. */
export type ProcessStat = {
  pid: number;
  command: string;
  state: string;
  parent: number;
  startTicks: number;
};
/**
 * Parses /proc/PID/stat. The command may itself hold spaces and parentheses, so the fields are
 * counted from the last one.
 */
export function parseProcessStat(text: string): ProcessStat | null {
  const [, pid, command = "", state = "", parent, startTicks] =
    /^(\d+) \((.*)\) (\S+) (\d+) (?:\S+ ){17}(\d+)/s.exec(text) ?? [];
  return pid
    ? { pid: Number(pid), command, state, parent: Number(parent), startTicks: Number(startTicks) }
    : null;
}

export function readProcessStat(pid: number): ProcessStat | null {
  const text = orGone(`/proc/${pid}/stat`, () => fs.readFileSync(`/proc/${pid}/stat`, "utf8"));
  if (text === null && !fs.existsSync("/proc/1/stat"))
    throw new Unobservable(PROC_IS_HIDDEN, "Run as the bot's user.");
  return parseProcessStat(text ?? "");
}

/**
 * The start is counted back in two ways, which can only be late: by how long this program took to
 * begin, or by a suspend. btime is whole seconds.
 */
function identityOf({ pid, startTicks }: ProcessStat, invocation: string | null): Identity {
  const ownTicks =
    parseProcessStat(fs.readFileSync("/proc/self/stat", "utf8"))?.startTicks ?? Number.NaN;
  const byOwnStart = process.uptime() * 1000 + ((ownTicks - startTicks) / TICKS_PER_SECOND) * 1000;
  const byClock = Number(process.hrtime.bigint()) / 1e6 - (startTicks / TICKS_PER_SECOND) * 1000;
  const startedAt = Date.now() - Math.max(byOwnStart, byClock);
  return {
    pid,
    startTicks,
    startedAt,
    bootId: fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    invocation,
  };
}

type Found = { stat: ProcessStat | null; identity: Identity | null; trouble: string | null };
/**
 * Where the bot was looked for and what was there; `trouble` says why no process could be named.
 */
export type ProcessEvidence = Found & {
  source: string;
  matches: { pid: number; commandLine: string }[];
  unit: UnitProperties | null;
};
const readCommandLine = (pid: number): string =>
  orNull(() => fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()) ?? "";
const readMatch = ({ pid }: ProcessStat) => ({
  pid,
  commandLine: cutText(readCommandLine(pid), 200),
});

/**
 * Parent, grandparent and so on; bounded, for two reads of /proc at different moments can show a
 * circle.
 */
function ancestorsOf(
  { parent }: Pick<ProcessStat, "parent">,
  stats: readonly ProcessStat[],
  most = 64,
): ProcessStat[] {
  const found = stats.find(({ pid }) => pid === parent);
  return found && most > 0 ? [found, ...ancestorsOf(found, stats, most - 1)] : [];
}

/**
 * Programs that start the bot and wait for it; the bot is then their child, and it is the child
 * that has to be followed.
 */
const WRAPPERS = new Set(
  "sh bash dash su sudo timeout setsid nohup env runuser setpriv systemd-inhibit screen".split(" "),
);
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
  return stats.filter((stat) => counts(stat) && !ancestorsOf(stat, stats).some(counts));
}

/**
 * Bots by their command line, leaving out this program, its ancestors (a shell whose own command
 * line holds the pattern) and its children.
 */
export function readBots(pattern: string): ProcessStat[] {
  if (!fs.existsSync("/proc/1/stat"))
    throw new Unobservable(PROC_IS_HIDDEN, "Use process.pidFile, or run as the bot's user.");
  const stats = fs
    .readdirSync("/proc")
    .flatMap((name) => (/^\d+$/.test(name) ? (readProcessStat(Number(name)) ?? []) : []));
  const ancestors = ancestorsOf({ parent: process.ppid }, stats);
  // In a container the first process may be the bot itself.
  const own = [process.pid, ...ancestors.map(({ pid }) => pid).filter((pid) => pid > 1)];
  const others = stats
    .filter(({ pid, parent }) => !own.includes(pid) && parent !== process.pid)
    .map(({ pid }) => pid);
  const regex = new RegExp(pattern);
  const matches = (line: string): boolean => line !== "" && regex.test(line);
  return parseMatches(stats, new Set(others.filter((pid) => matches(readCommandLine(pid)))));
}

export const parsePidFile = (text: string): number | null =>
  Number(/^\s*(\d{1,10})\s*$/.exec(text)?.[1] ?? 0) || null;
export function readByPidFile(file: string): ProcessStat | string {
  const written = orGone(`the pid file "${file}"`, () => ({
    text: readSmallFile(file, 256),
    at: fs.statSync(file).mtimeMs,
  }));
  if (!written) return "there is no pid file";
  const pid = parsePidFile(written.text);
  if (pid === null)
    return written.text.trim() ? "the pid file does not hold a pid" : "the pid file is empty";
  const stat = readProcessStat(pid);
  if (!stat) return `pid ${pid} is not running`;
  if (stat.state !== "Z" && readCommandLine(pid) === "")
    return `pid ${pid} is a kernel thread (${stat.command}); is the pid one of a container?`;
  // A bot writes it after its start: an older one was left by another process.
  const stale = written.at < identityOf(stat, null).startedAt - 2000;
  return stale
    ? `the pid file is older than process ${pid} (${stat.command}), which has taken over a dead bot's pid`
    : stat;
}

export async function readProcessOnce(
  { unit: name, pidFile, command = "" }: Config["process"],
  signal: AbortSignal,
): Promise<ProcessEvidence> {
  const evidenceOf = (
    source: string,
    found: ProcessStat | string,
    unit: UnitProperties | null = null,
  ): ProcessEvidence => {
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
  };
  if (name) {
    const unit = await readUnit(name, signal);
    const state = parseUnitState(unit);
    const absent =
      state === "starting" ? `${unit.Id} is still activating (${unit.SubState})` : state;
    const main = () =>
      readProcessStat(Number(unit.MainPID)) ??
      `main process ${unit.MainPID} of ${unit.Id} is not running`;
    return evidenceOf(`unit ${unit.Id ?? name}`, state === "alive" ? main() : absent, unit);
  }
  if (pidFile) return evidenceOf(`pid file ${pidFile}`, readByPidFile(pidFile));
  const bots = readBots(command);
  const [bot = "no process matches"] = bots;
  const several = `${bots.length} bots run at once (pids ${bots.map(({ pid }) => pid).join(", ")}); exactly one may match`;
  return {
    ...evidenceOf(`command /${command}/`, bots.length > 1 ? several : bot),
    matches: bots.map(readMatch),
  };
}

// A pid file is written just after the start, and a unit is briefly between two states: an absence
// has to last this long.
const ABSENCE_MS = 800;
/**
 * Finds the bot. Looks again for a moment when it is not there, and up to the start-up deadline
 * while its unit is starting.
 */
export async function readProcess(config: Config, signal: AbortSignal): Promise<ProcessEvidence> {
  const { startupSecondsMax, stoppedMsMax } = config.limits;
  for (const begun = performance.now(); ; await sleep(100, undefined, { signal })) {
    const found = await readProcessOnce(config.process, signal);
    const { stat, unit } = found;
    const starting = unit !== null && parseUnitState(unit) === "starting";
    const stopped = stat !== null && /[Tt]/.test(stat.state);
    const settled = stat !== null && !stopped && stat.state !== "Z";
    const waitMs = starting ? startupSecondsMax * 1000 : stopped ? stoppedMsMax : ABSENCE_MS;
    if (settled || performance.now() - begun >= waitMs) return found;
  }
}

/** The process and all its descendants, itself first, by the kernel's own lists of children. */
export function readTree(root: number): number[] {
  const tree = [root];
  for (const pid of tree) {
    const threads =
      tree.length > 4096 ? [] : (orNull(() => fs.readdirSync(`/proc/${pid}/task`)) ?? []);
    const children = threads.map(
      (thread) =>
        orNull(() => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")) ?? "",
    );
    tree.push(...children.flatMap((pids) => pids.split(" ").filter(Boolean).map(Number)));
  }
  return tree;
}

/** What the process has open, as link targets, or null where another user's are hidden. */
export const readOpenFiles = (pid: number): string[] | null =>
  orNull(() => fs.readdirSync(`/proc/${pid}/fd`))?.flatMap(
    (name) => orNull(() => fs.readlinkSync(`/proc/${pid}/fd/${name}`)) ?? [],
  ) ?? null;
