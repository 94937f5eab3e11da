/**
 * Follows one start of one process from the first look to the last, so that no death and no restart
 * hides between two probes.
 */

import * as fs from "node:fs";
import { codeOf, orNull, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { isoOf, spanOf } from "../text.ts";
import type { Identity, IncidentKind, ProcessIncident } from "../vocabulary.ts";
import { type ProcessStat, readBots, readByPidFile, readProcessStat } from "./process.ts";
import { readEnding } from "./unit.ts";

// Between two looks. Reading one line of /proc costs some 20 µs, so five times a second is still
// free.
const IDENTITY_EVERY_MS = 200;
const SUCCESSOR_MS = 600; // How long a successor is waited for, to call a death a restart.

export type IdentityFollower = {
  /** Whether the process has ended; then an incident is about to be reported. */
  isGone(): boolean;
  stop(): void;
};

/** What follows one start of the bot, and what its looks have found so far. */
type Following = {
  config: Config;
  identity: Identity;
  report: (incident: ProcessIncident) => void;
  stop: () => void;
  /** How many looks there were at the living process. */
  looks: number;
  /** Whether systemd is being asked how this start has ended; its answer is reported. */
  isAsking: boolean;
  /** Epoch milliseconds of the first look that did not find it alive any more. */
  goneSince: number | null;
  /** Epoch milliseconds of the first look of those that found it stopped. */
  stoppedSince: number | null;
};

/** What one look saw. */
type Sight = {
  /** Epoch milliseconds. */
  now: number;
  stat: ProcessStat | null;
  goneSince: number | null;
  stoppedSince: number | null;
  /** Whether another process has the pid now. */
  isReused: boolean;
  /** What has taken its place or stands beside it, in words. */
  successor: string | null;
};

/** What has happened, before it is reported. */
type Ending = {
  kind: IncidentKind;
  /** Epoch milliseconds. */
  at: number;
  /** What has happened, in a few words; `says` begins with them. */
  brief: string;
  says: string;
  planned?: "restart" | "stop";
};

const nameOf = ({ pid }: Identity): string => `pid ${pid}`;

/**
 * What has ended is a zombie until its parent reaps it: for milliseconds, or by a fault of the
 * parent for ever. A reused pid is another process.
 */
const isAlive = (stat: ProcessStat | null, { startTicks }: Identity): boolean =>
  stat !== null && stat.startTicks === startTicks && stat.state !== "Z";

/** The invocation that the unit has now, where it is another; systemd's link is free to read. */
function readNextInvocation(unit: string, { invocation }: Identity): string | null {
  const name = unit.includes(".") ? unit : `${unit}.service`;
  const now = orNull(() => fs.readlinkSync(`/run/systemd/units/invocation:${name}`));
  return now && now !== invocation ? `invocation ${now.slice(0, 8)}` : null;
}

/**
 * What took the place of a process, or stands beside it: another invocation of its unit, or another
 * process.
 */
function readSuccessor(
  { unit, pidFile = "", command }: Config["process"],
  identity: Identity,
): string | null {
  if (unit) return readNextInvocation(unit, identity);
  const candidates = command
    ? readBots(command)
    : [readByPidFile(pidFile)].filter((found) => typeof found !== "string");
  const other = candidates.find(
    ({ pid, state, startTicks }) =>
      state !== "Z" && (pid !== identity.pid || startTicks !== identity.startTicks),
  );
  return other ? `pid ${other.pid}` : null;
}

/** A second process beside a living one is rarer and dearer to look for than an invocation. */
function looksPerSuccessor({ unit, pidFile }: Config["process"]): number {
  if (unit) return 1;
  return pidFile ? 5 : 25;
}

/** One look, which also remembers since when the process is gone or stopped. */
function readSight(following: Following, now: number): Sight {
  const { config, identity } = following;
  const stat = readProcessStat(identity.pid);
  if (!isAlive(stat, identity)) following.goneSince ??= now;
  const isStopped = stat !== null && /[Tt]/.test(stat.state);
  following.stoppedSince = isStopped ? (following.stoppedSince ?? now) : null;
  const { goneSince, stoppedSince } = following;
  if (goneSince === null) following.looks++;
  const isDue = goneSince !== null || following.looks % looksPerSuccessor(config.process) === 0;
  const isReused = stat !== null && stat.startTicks !== identity.startTicks;
  let successor: string | null = null;
  if (isReused) successor = `${nameOf(identity)}, reused`;
  // A successor that cannot be read, such as a new pid file of another user, must not hide the
  // death.
  else if (isDue) successor = orNull(() => readSuccessor(config.process, identity));
  return { now, stat, goneSince, stoppedSince, isReused, successor };
}

/** How long the process had lived at a moment, in words. */
const livedUntil = (at: number, { startedAt }: Identity): string =>
  `${spanOf((at - startedAt) / 1000)} after its start`;

/** What it means that the process is not alive any more; null while a successor may still come. */
function judgeDeath(sight: Sight, at: number, identity: Identity): Ending | null {
  const pid = nameOf(identity);
  const lived = livedUntil(at, identity);
  if (sight.successor) {
    const brief = "the bot was restarted";
    const says = `${brief}: ${pid} died ${lived}, ${sight.successor} took its place`;
    return { kind: "restarted", at, brief, says };
  }
  if (sight.now - at < SUCCESSOR_MS) return null;
  if (sight.stat) {
    const brief = "the bot is a zombie";
    const says = `${brief}: ${pid} ended ${lived}, and its parent has not noticed`;
    return { kind: "zombie", at, brief, says };
  }
  const nothing = `nothing took its place within ${SUCCESSOR_MS} ms`;
  const brief = "the bot died";
  return { kind: "died", at, brief, says: `${brief}: ${pid} was gone ${lived}, and ${nothing}` };
}

/** What a look means, by /proc and the config's process alone; null: nothing has happened yet. */
function judgeSight(sight: Sight, { config, identity }: Following): Ending | null {
  const { now, stat, goneSince, stoppedSince, successor } = sight;
  const pid = nameOf(identity);
  if (goneSince !== null) return judgeDeath(sight, goneSince, identity);
  if (successor) {
    const brief = "the bot was replaced";
    const says = `${brief}: ${successor} took its place while ${pid} still runs`;
    return { kind: "restarted", at: now, brief, says };
  }
  if (stoppedSince === null || now - stoppedSince < config.limits.stoppedMsMax) return null;
  const lived = livedUntil(stoppedSince, identity);
  const brief = "the bot is frozen";
  const says = `${brief}: ${pid} is stopped (state ${stat?.state}) since ${lived}`;
  return { kind: "stopped", at: stoppedSince, brief, says };
}

/** Reports what has happened, and looks no more. */
function reportEnding(following: Following, { kind, at, brief, says, planned }: Ending): void {
  const { identity } = following;
  following.stop();
  following.report({
    kind,
    at,
    brief,
    says,
    evidence: [`${nameOf(identity)}, start tick ${identity.startTicks}`, `seen at ${isoOf(at)}`],
    ...(planned ? { planned } : {}),
  });
}

/** Asks systemd how this start of its unit has ended, and reports it. */
async function askSystemd(following: Following, unit: string, at: number): Promise<void> {
  const { config, identity } = following;
  following.isAsking = true;
  const pid = nameOf(identity);
  const lived = livedUntil(at, identity);
  const ending = await readEnding(unit, identity, config.limits.startupSecondsMax);
  if (ending) {
    const { kind, planned } = ending;
    const says = `the bot ${ending.says}: ${pid} ended ${lived}`;
    reportEnding(following, { kind, at, brief: `the bot ${ending.brief}`, says, planned });
    return;
  }
  const brief = "the bot died";
  const says = `${brief}: ${pid} was gone ${lived}, and systemd does not say why`;
  reportEnding(following, { kind: "died", at, brief, says });
}

/** One look, and what follows from it. */
function lookOnce(following: Following): void {
  if (following.isAsking) return;
  const { unit } = following.config.process;
  const sight = readSight(following, Date.now());
  const { now, stat, goneSince, stoppedSince, isReused, successor } = sight;
  const hasLeft = goneSince !== null && (stat === null || isReused);
  if (unit && (successor || hasLeft)) {
    void askSystemd(following, unit, goneSince ?? stoppedSince ?? now);
    return;
  }
  const ending = judgeSight(sight, following);
  if (ending) reportEnding(following, ending);
}

/**
 * Calls `report` once, at the first thing that happens to this start of this process: a restart is
 * seen however fast, and with the pid reused. `cgroup` is that of the bot's unit, or "".
 */
export function followIdentity(
  config: Config,
  identity: Identity,
  report: (incident: ProcessIncident) => void,
  cgroup = "",
): IdentityFollower {
  const following: Following = {
    config,
    identity,
    report,
    stop: () => {},
    looks: 0,
    isAsking: false,
    goneSince: null,
    stoppedSince: null,
  };
  const look = (): void => {
    try {
      lookOnce(following);
    } catch (error) {
      // A file that vanishes between two looks is looked at again 200 ms later; the process itself
      // is judged by /proc alone.
      if (!(error instanceof Unobservable) && codeOf(error) === "") throw error;
    }
  };
  const timer = setInterval(look, IDENTITY_EVERY_MS);
  // Tells at once when a process of the unit ends (cgroups(7)); else the polling has to do.
  const events = `/sys/fs/cgroup${cgroup}/cgroup.events`;
  const watcher = cgroup
    ? orNull(() => fs.watch(events, { persistent: false }, look).on("error", () => {}))
    : null;
  following.stop = () => {
    clearInterval(timer);
    watcher?.close();
  };
  return {
    isGone: () => !isAlive(readProcessStat(identity.pid), identity),
    stop: following.stop,
  };
}
