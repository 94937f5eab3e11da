/**
 * Follows one start of one process from the first look to the last, so that no death and no restart
 * hides between two probes.
 */

import * as fs from "node:fs";
import { attempt, codeOf, orNull, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { isoOf, spanOf } from "../text.ts";
import type { Identity, Incident, IncidentKind } from "../vocabulary.ts";
import { type ProcessStat, readBots, readByPidFile, readProcessStat } from "./process.ts";
import { readEnding } from "./unit.ts";

// Between two looks. Reading one line of /proc costs some 20 µs, so five times a second is still
// free.
const IDENTITY_EVERY_MS = 200;
const SUCCESSOR_MS = 600; // How long a successor is waited for, to call a death a restart.

/**
 * What took the place of a process, or stands beside it: another invocation of its unit, or another
 * process. systemd's link is free to read.
 */
function readSuccessor(
  { unit, pidFile, command }: Config["process"],
  identity: Identity,
): string | null {
  if (unit) {
    const invocation = orNull(() =>
      fs.readlinkSync(
        `/run/systemd/units/invocation:${unit.includes(".") ? unit : `${unit}.service`}`,
      ),
    );
    return invocation && invocation !== identity.invocation
      ? `invocation ${invocation.slice(0, 8)}`
      : null;
  }
  const candidates = command
    ? readBots(command)
    : [readByPidFile(pidFile as string)].filter((found) => typeof found !== "string");
  const other = candidates.find(
    ({ pid, state, startTicks }) =>
      state !== "Z" && (pid !== identity.pid || startTicks !== identity.startTicks),
  );
  return other ? `pid ${other.pid}` : null;
}

/**
 * Calls `report` once, at the first thing that happens to this start of this process: a restart is
 * seen however fast, and with the pid reused.
 */
export function followIdentity(
  config: Config,
  identity: Identity,
  report: (incident: Incident) => void,
  cgroup = "",
) {
  const { unit, pidFile } = config.process;
  const pid = `pid ${identity.pid}`;
  // A second process beside a living one is rarer and dearer to look for than an invocation.
  const looksPerSuccessor = unit ? 1 : pidFile ? 5 : 25;
  let [looks, asking] = [0, false];
  let [goneSince, stoppedSince]: [number | null, number | null] = [null, null];
  const lives = (stat: ProcessStat | null): boolean =>
    stat?.startTicks === identity.startTicks && stat.state !== "Z";
  const end = (
    kind: IncidentKind,
    at: number,
    says: string,
    planned?: Incident["planned"],
  ): void => {
    stop();
    report({
      kind,
      at,
      says,
      evidence: [`${pid}, start tick ${identity.startTicks}`, `seen at ${isoOf(at)}`],
      ...(planned ? { planned } : {}),
    });
  };
  const ask = async (name: string, since: number, lived: string): Promise<void> => {
    asking = true;
    const ending = await readEnding(name, identity, config.limits.startupSecondsMax);
    if (ending)
      end(ending.kind, since, `the bot ${ending.says}: ${pid} ended ${lived}`, ending.planned);
    else end("died", since, `the bot died: ${pid} was gone ${lived}, and systemd does not say why`);
  };
  const look = (now: number): void => {
    const stat = readProcessStat(identity.pid);
    // What has ended is a zombie until its parent reaps it: for milliseconds, or by a fault of the
    // parent.
    if (!lives(stat)) goneSince ??= now;
    stoppedSince = stat && /[Tt]/.test(stat.state) ? (stoppedSince ?? now) : null;
    const since = goneSince ?? stoppedSince ?? now;
    const lived = `${spanOf((since - identity.startedAt) / 1000)} after its start`;
    const reused = stat !== null && stat.startTicks !== identity.startTicks;
    const due = goneSince !== null || ++looks % looksPerSuccessor === 0;
    // A successor that cannot be read, such as a new pid file of another user, must not hide the
    // death.
    const next = reused
      ? `${pid}, reused`
      : due
        ? orNull(() => readSuccessor(config.process, identity))
        : null;
    if (asking) return;
    if (unit && (next || (goneSince !== null && (!stat || reused)))) void ask(unit, since, lived);
    else if (goneSince !== null) {
      const late = now - since >= SUCCESSOR_MS;
      if (next)
        end(
          "restarted",
          since,
          `the bot was restarted: ${pid} died ${lived}, ${next} took its place`,
        );
      else if (late && stat)
        end(
          "zombie",
          since,
          `the bot is a zombie: ${pid} ended ${lived}, and its parent has not noticed`,
        );
      else if (late)
        end(
          "died",
          since,
          `the bot died: ${pid} was gone ${lived}, and nothing took its place within ${SUCCESSOR_MS} ms`,
        );
    } else if (next)
      end("restarted", now, `the bot was replaced: ${next} took its place while ${pid} still runs`);
    else if (stoppedSince !== null && now - since >= config.limits.stoppedMsMax)
      end(
        "stopped",
        since,
        `the bot is frozen: ${pid} is stopped (state ${stat?.state}) since ${lived}`,
      );
  };
  // A file that vanishes between two looks is looked at again 200 ms later; the process itself is
  // judged by /proc alone.
  const forgive = (error: unknown): void => {
    if (!(error instanceof Unobservable) && codeOf(error) === "") throw error;
  };
  const safeLook = (): void => attempt(() => look(Date.now()), forgive);
  const timer = setInterval(safeLook, IDENTITY_EVERY_MS);
  // Tells at once when a process of the unit ends (cgroups(7)); else the polling has to do.
  const events = `/sys/fs/cgroup${cgroup}/cgroup.events`;
  const watcher =
    cgroup && orNull(() => fs.watch(events, { persistent: false }, safeLook).on("error", () => {}));
  const stop = (): void => {
    clearInterval(timer);
    if (watcher) watcher.close();
  };
  // Then an incident is about to be reported.
  const isGone = (): boolean => !lives(readProcessStat(identity.pid));
  return { isGone, stop };
}
export type IdentityFollower = ReturnType<typeof followIdentity>;
