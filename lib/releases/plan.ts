/** The releases on disk, and the target of a rollback or why there is none. It changes nothing. */

import * as fs from "node:fs";
import * as path from "node:path";
import { orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { ownOf } from "../files.ts";
import { readCurrent } from "../probes/release.ts";
import { EXIT, RELEASE_ID } from "../vocabulary.ts";
import type { Passed, Quarantined, ReleaseState, RollbackRequest } from "./state.ts";

/** A release on disk. */
export type Release = {
  /** The name of its directory. */
  releaseId: string;
  /** Epoch milliseconds; null until its deployer has finished it. */
  completeAt: number | null;
  current: boolean;
  passed: Passed | null;
  quarantined: Quarantined | null;
};

/** What was known of an id before it was deployed anew is of another release. */
function knownSince<T extends { at: string }>(completeAt: number | null, known: T | null) {
  return known && Date.parse(known.at) >= (completeAt ?? 0) ? known : null;
}

/** Newest first. */
export function readReleases(config: Config, state: ReleaseState): Release[] {
  const { directory } = config.release ?? {};
  if (!directory) return [];
  const current = readCurrent(config);
  const names = orNull(() => fs.readdirSync(directory)) ?? [];
  const releases: Release[] = [];
  for (const releaseId of names.filter((name) => RELEASE_ID.test(name))) {
    const mark = path.join(directory, releaseId, ".complete");
    const completeAt = orNull(() => fs.statSync(mark).mtimeMs);
    releases.push({
      releaseId,
      completeAt,
      current: releaseId === current,
      passed: knownSince(completeAt, ownOf(state.passed, releaseId)),
      quarantined: knownSince(completeAt, ownOf(state.quarantined, releaseId)),
    });
  }
  return releases.sort((a, b) => (b.completeAt ?? 0) - (a.completeAt ?? 0));
}

/** What a release is in quarantine for, for people. */
export const blameOf = ({ checks }: Quarantined): string =>
  checks.join(", ") || "rolled back by a person";

/** What a rollback is planned by; `now` is in epoch milliseconds. */
export type Planning = {
  request: RollbackRequest;
  releases: readonly Release[];
  state: ReleaseState;
  config: Config;
  now: number;
};

/** Where to go back to, or why not: `exit` is 0 only where there is no `why`. */
export type RollbackPlan = {
  exit: number;
  why: string;
  /** Null also where rollback.command chooses. */
  to: string | null;
};

const refuse = (why: string, exit: number = EXIT.refused): RollbackPlan => ({
  exit,
  why,
  to: null,
});
const goTo = (to: string | null): RollbackPlan => ({ exit: EXIT.passed, why: "", to });

const DAY_MS = 86_400_000;
/** Why a verdict may not roll `from` back by itself, as a person might; null where it may. */
function refuseAutomatic(planning: Planning, from: string): string | null {
  const { request, releases, state, config, now } = planning;
  if (from !== request.releaseId) {
    return `current has moved on: ${request.releaseId} was judged, ${from} is current`;
  }
  const deployedAt = releases.find((row) => row.current)?.completeAt ?? 0;
  const before = state.rollbacks.filter(({ automatic }) => automatic);
  const known = before.find(
    (rollback) => rollback.from === from && Date.parse(rollback.at) >= deployedAt,
  );
  if (known) {
    const once = "one automatic rollback for one failure";
    return `${from} was rolled back already (${known.at}); ${once}`;
  }
  const recent = before.filter(({ at }) => now - Date.parse(at) < DAY_MS);
  if (recent.length < config.rollback.maxPerDay) return null;
  return `there were ${recent.length} automatic rollbacks in 24 hours (rollback.maxPerDay)`;
}

const OVERRIDE = "--emergency overrides";
/** Of the releases on disk the one that is asked for, or else the newest that will do. */
function chooseTarget({ request, releases }: Planning, from: string): RollbackPlan {
  const { to, emergency, schema } = request;
  if (to === from) return refuse(`${from} is the current release`);
  const complete = releases.filter((row) => !row.current && row.completeAt !== null);
  const named = complete.find(({ releaseId }) => releaseId === to);
  if (to && !named) return refuse(`there is no complete release ${to}`);
  if (named?.quarantined && !emergency) {
    return refuse(`${to} is quarantined (${blameOf(named.quarantined)}); ${OVERRIDE}`);
  }
  if (named && !named.passed && !emergency) {
    return refuse(`${to} has never passed; ${OVERRIDE}`);
  }
  const target = named ?? complete.find(({ passed, quarantined }) => passed && !quarantined);
  if (!target) {
    const why = "there is no other complete release that has passed and is not quarantined";
    return refuse(why, EXIT.nothingToRollBackTo);
  }
  const schemaThen = target.passed?.schema;
  if (schema && schemaThen && schema !== schemaThen && !emergency) {
    const changed = `the database has changed since ${target.releaseId} passed`;
    return refuse(`${changed}, which may not be able to read it; ${OVERRIDE}`);
  }
  return goTo(target.releaseId);
}

/**
 * The target of a rollback, or why it is refused. A person may do what a verdict may not;
 * `emergency` also goes back over a change of the schema.
 */
export function planRollback(planning: Planning): RollbackPlan {
  const { request, releases, config } = planning;
  const { command } = config.rollback;
  if (!config.release?.directory && !command) {
    const why = "neither release.directory nor rollback.command is configured";
    return refuse(why, EXIT.nothingToRollBackTo);
  }
  const current = releases.find((row) => row.current);
  if (!current && !command) {
    return refuse(`${config.release?.current} does not point to a release`);
  }
  const from = current?.releaseId ?? request.releaseId ?? "";
  const why = request.by === "verdict" ? refuseAutomatic(planning, from) : null;
  if (why) return refuse(why);
  if (!command) return chooseTarget(planning, from);
  if (request.to === null) return goTo(null);
  return refuse("rollback.command chooses where to go by itself, so --to means nothing to it");
}
