/** The releases on disk, and the target of a rollback or why there is none. It changes nothing. */

import * as fs from "node:fs";
import * as path from "node:path";
import { orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { ownOf } from "../files.ts";
import { readCurrent } from "../probes/release.ts";
import { EXIT, RELEASE_ID } from "../vocabulary.ts";
import type { Passed, Quarantined, ReleaseState, RollbackRequest } from "./state.ts";

/**
 * A release on disk; `completeAt` is null until its deployer has finished it. What was known of an
 * id that was deployed anew is of another release.
 */
export type Release = {
  id: string;
  completeAt: number | null;
  current: boolean;
  passed: Passed | null;
  quarantined: Quarantined | null;
};

/** Newest first. */
export function readReleases(config: Config, state: ReleaseState): Release[] {
  const { directory } = config.release ?? {};
  const names = directory
    ? (orNull(() => fs.readdirSync(directory)) ?? []).filter((name) => RELEASE_ID.test(name))
    : [];
  const current = readCurrent(config);
  const releases = names.map((id): Release => {
    const completeAt = orNull(
      () => fs.statSync(path.join(directory as string, id, ".complete")).mtimeMs,
    );
    const fresh = <T extends { at: string }>(known: T | null): T | null =>
      known && Date.parse(known.at) >= (completeAt ?? 0) ? known : null;
    return {
      id,
      completeAt,
      current: id === current,
      passed: fresh(ownOf(state.passed, id)),
      quarantined: fresh(ownOf(state.quarantined, id)),
    };
  });
  return releases.sort((a, b) => (b.completeAt ?? 0) - (a.completeAt ?? 0));
}

export const blameOf = ({ checks }: Quarantined): string =>
  checks.join(", ") || "rolled back by a person";

const DAY_MS = 86_400_000;
/**
 * The target of a rollback, or why it is refused. A person may do what a verdict may not;
 * `emergency` also goes back over a change of the schema.
 */
export function planRollback(
  request: RollbackRequest,
  releases: readonly Release[],
  state: ReleaseState,
  config: Config,
  now: number,
) {
  const refuse = (why: string, exit: number = EXIT.refused) => ({ exit, why, to: null });
  const { by, to, emergency, release } = request;
  const { maxPerDay, command } = config.rollback;
  if (!config.release?.directory && !command)
    return refuse(
      "neither release.directory nor rollback.command is configured",
      EXIT.nothingToRollBackTo,
    );
  const current = releases.find((row) => row.current);
  if (!current && !command) return refuse(`${config.release?.current} does not point to a release`);
  const from = current?.id ?? release ?? "";
  if (by === "verdict") {
    if (from !== release)
      return refuse(`current has moved on: ${release} was judged, ${from} is current`);
    const before = state.rollbacks.filter(({ automatic }) => automatic);
    const once = before.find(
      (known) => known.from === from && Date.parse(known.at) >= (current?.completeAt ?? 0),
    );
    if (once)
      return refuse(
        `${from} was rolled back already (${once.at}); one automatic rollback for one failure`,
      );
    const recent = before.filter(({ at }) => now - Date.parse(at) < DAY_MS);
    if (recent.length >= maxPerDay)
      return refuse(
        `there were ${recent.length} automatic rollbacks in 24 hours (rollback.maxPerDay)`,
      );
  }
  if (command && to !== null)
    return refuse("rollback.command chooses where to go by itself, so --to means nothing to it");
  if (command) return { exit: 0, why: "", to };
  const complete = releases.filter((row) => !row.current && row.completeAt !== null);
  const named = complete.find(({ id }) => id === to);
  if (to === from) return refuse(`${from} is the current release`);
  if (to && !named) return refuse(`there is no complete release ${to}`);
  const insist = "--emergency overrides";
  if (named?.quarantined && !emergency)
    return refuse(`${to} is quarantined (${blameOf(named.quarantined)}); ${insist}`);
  if (named && !named.passed && !emergency) return refuse(`${to} has never passed; ${insist}`);
  const target = named ?? complete.find(({ passed, quarantined }) => passed && !quarantined);
  if (!target)
    return refuse(
      "there is no other complete release that has passed and is not quarantined",
      EXIT.nothingToRollBackTo,
    );
  const changed =
    request.schema && target.passed?.schema && request.schema !== target.passed.schema;
  if (!changed || emergency) return { exit: 0, why: "", to: target.id };
  return refuse(
    `the database has changed since ${target.id} passed, which may not be able to read it; ${insist}`,
  );
}
