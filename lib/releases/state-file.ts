/**
 * Keeps the state of the releases in its file, and reads it again: from the log where the file is
 * missing or damaged. What the state is, and how a record changes it, stands in state.ts.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { orMessage, orNull, UserError } from "../attempt.ts";
import type { CheckpointRecord } from "../burnin/judging.ts";
import { isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { closedTo, readSmallFile, writeAtomically } from "../files.ts";
import { parseJsonObject } from "../http.ts";
import { HISTORY_BYTES_MAX, readRecords, renderJson, writeRecord } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import type { Result } from "../run.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import { emptyState, foldRecord, type ReleaseState, type RollbackRecord } from "./state.ts";

const isMap = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isOpen = (burnin: OpenBurnin | null): boolean =>
  burnin === null ||
  (isMap(burnin) &&
    Array.isArray(burnin.accounts) &&
    burnin.accounts.every(isAccount) &&
    isMap(burnin.place));
/** Of the state file, or, where that is missing or damaged, of the log. */
export function readState({ name, state, logFile }: Config): ReleaseState {
  const saved = orNull(() => parseJsonObject(readSmallFile(state.releases, HISTORY_BYTES_MAX)));
  const known = { ...emptyState(), ...saved } as ReleaseState;
  const isWhole =
    isMap(known.passed) &&
    isMap(known.quarantined) &&
    Array.isArray(known.rollbacks) &&
    Array.isArray(known.unjudged) &&
    isOpen(known.burnin);
  if (saved?.v === 1 && isWhole) return known;
  const kinds = ["verify", "rollback", "burnin", "checkpoint"];
  const records = readRecords(logFile).records.filter(
    ({ env, kind }) => env === name && kinds.includes(String(kind)),
  );
  return (records as (Result | RollbackRecord | CheckpointRecord)[]).reduce(
    foldRecord,
    emptyState(),
  );
}

/**
 * The state for a person, who must not take a file that they may not read for a host where nothing
 * has passed yet.
 */
export function requireState(config: Config): ReleaseState {
  const { R_OK, X_OK } = fs.constants;
  const blind =
    closedTo(path.dirname(config.state.releases), R_OK | X_OK) ??
    closedTo(config.state.releases, R_OK);
  if (blind) throw new UserError(EXIT.permission, `${blind}\n${ACCESS_REMEDY}`);
  return readState(config);
}

/**
 * Remembers a record, and appends it to the log; what cannot be written is said and changes nothing
 * else. Returns it as the log has it, or has not.
 */
export function keep<R extends Result | RollbackRecord | CheckpointRecord>(
  config: Config,
  record: R,
  narrate: Narrator["narrate"],
): { masked: R; lost: boolean } {
  const { logFile, state, secrets } = config;
  // Where nothing is installed, the log alone is enough.
  const remembers = fs.existsSync(path.dirname(state.releases));
  const forgotten =
    remembers &&
    orMessage(() =>
      writeAtomically(state.releases, JSON.stringify(foldRecord(readState(config), record))),
    );
  if (forgotten) narrate(`"${state.releases}" could not be written: ${forgotten}`);
  const masked = maskDeep(record, maskOf(secrets));
  const lost = orMessage(() => writeRecord(logFile, renderJson(masked, 0)));
  if (lost) narrate(`The record could not be written to "${logFile}": ${lost}`);
  return { masked, lost: lost !== null };
}
