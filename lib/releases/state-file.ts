/**
 * Keeps the state of the releases in its file, and reads it again: from the log where the file is
 * missing or damaged. What the state is, and how a record changes it, stands in state.ts.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { messageOf, orNull, UserError } from "../attempt.ts";
import { isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { closedTo, readSmallFile, writeAtomically } from "../files.ts";
import { parseJsonObject } from "../http.ts";
import { HISTORY_BYTES_MAX, readRecords, renameKey, renderJson, writeRecord } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import { emptyState, foldRecord, type KeptRecord, type ReleaseState } from "./state.ts";

const isMap = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a burn-in has what is read of it everywhere. A hand may have been at the file. */
const isWholeBurnin = (burnin: OpenBurnin): boolean =>
  isMap(burnin) &&
  Array.isArray(burnin.accounts) &&
  burnin.accounts.every(isAccount) &&
  isMap(burnin.place);

const isWholeState = ({
  passed,
  quarantined,
  rollbacks,
  unjudged,
  burnin,
}: ReleaseState): boolean =>
  isMap(passed) &&
  isMap(quarantined) &&
  Array.isArray(rollbacks) &&
  Array.isArray(unjudged) &&
  (burnin === null || isWholeBurnin(burnin));

/** A state under today's names: in older files a release's directory is called `release`. */
const renameReleases = (state: ReleaseState): ReleaseState => ({
  ...state,
  last: renameKey(state.last, "release", "releaseId"),
  burnin: renameKey(state.burnin, "release", "releaseId"),
});

/** The kinds of record that the state is made of. */
const KEPT_KINDS = ["verify", "rollback", "burnin", "checkpoint"];

/** Of the state file, or, where that is missing or damaged, of the log. */
export function readState({ name, state, logFile }: Config): ReleaseState {
  const saved = orNull(() => parseJsonObject(readSmallFile(state.releases, HISTORY_BYTES_MAX)));
  const known = renameReleases({ ...emptyState(), ...saved } as ReleaseState);
  if (saved?.v === 1 && isWholeState(known)) return known;
  const records = readRecords(logFile).records.filter(
    ({ env, kind }) => env === name && KEPT_KINDS.includes(String(kind)),
  );
  return (records as KeptRecord[]).reduce(foldRecord, emptyState());
}

/**
 * The state for a person, who must not take a file that they may not read for a host where nothing
 * has passed yet.
 */
export function requireState(config: Config): ReleaseState {
  const { R_OK, X_OK } = fs.constants;
  const { releases } = config.state;
  const why = closedTo(path.dirname(releases), R_OK | X_OK) ?? closedTo(releases, R_OK);
  if (why) throw new UserError(EXIT.permission, `${why}\n${ACCESS_REMEDY}`);
  return readState(config);
}

/** A record as it was written, without its secrets; `isLost` where the log did not take it. */
export type Written<R extends KeptRecord> = {
  masked: R;
  isLost: boolean;
};

/**
 * Folds a record into the state's file, and appends it to the log. Where one of the two cannot be
 * written, that is narrated and the other is written all the same: a verdict stands without them.
 */
export function writeRecordAndState<R extends KeptRecord>(
  config: Config,
  record: R,
  narrate: Narrator["narrate"],
): Written<R> {
  const { logFile, state, secrets } = config;
  try {
    // Where nothing is installed there is no such directory, and the log alone is enough.
    if (fs.existsSync(path.dirname(state.releases))) {
      writeAtomically(state.releases, JSON.stringify(foldRecord(readState(config), record)));
    }
  } catch (error) {
    narrate(`"${state.releases}" could not be written: ${messageOf(error)}`);
  }
  const masked = maskDeep(record, maskOf(secrets));
  try {
    writeRecord(logFile, renderJson(masked, 0));
  } catch (error) {
    narrate(`The record could not be written to "${logFile}": ${messageOf(error)}`);
    return { masked, isLost: true };
  }
  return { masked, isLost: false };
}
