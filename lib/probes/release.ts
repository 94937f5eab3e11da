/** Which release runs: by the bot's word, and by the directory that it runs from. */

import * as fs from "node:fs";
import * as path from "node:path";
import { type Observed, orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { RELEASE_ID } from "../vocabulary.ts";
import type { HealthFields } from "./health.ts";

/** The id of the release that `current` points to; null where it points to none. */
export function readCurrent({ release }: Pick<Config, "release">): string | null {
  const { directory, current } = release ?? {};
  if (!directory || !current) return null;
  return orNull(() => {
    const target = fs.realpathSync(current);
    return path.dirname(target) === fs.realpathSync(directory) ? path.basename(target) : null;
  });
}

/**
 * The release that a process runs from, `releases/<id>/…`, however `current` has been switched
 * since. Null where releases have no directories, or another user's process hides its own.
 */
export function readReleaseId(config: Pick<Config, "release">, pid: number | null): string | null {
  const { directory } = config.release ?? {};
  if (pid === null || !directory) return null;
  const releases = orNull(() => fs.realpathSync(directory));
  if (!releases) return null;
  for (const link of ["cwd", "exe"]) {
    const home = orNull(() => fs.readlinkSync(`/proc/${pid}/${link}`));
    const [id = ""] = home === null ? [] : path.relative(releases, home).split(path.sep);
    if (RELEASE_ID.test(id)) return id;
  }
  return null;
}

export type ReleaseEvidence = {
  /** The version that the config expects. */
  expected: string | null;
  /** The version that the health document says. */
  version: string | null;
  /** The name of the release's directory, where releases live in directories of their own. */
  releaseId: string | null;
};

/** Which release runs: by the health document, and by the process's own directory. */
export function readRelease(
  config: Config,
  fields: Observed<HealthFields> | undefined,
  pid: number | null,
): ReleaseEvidence {
  const said = fields?.seen ? fields.value.version : null;
  const isVersion = typeof said === "string" || typeof said === "number";
  return {
    expected: config.release?.version ?? null,
    version: isVersion ? String(said) : null,
    releaseId: readReleaseId(config, pid),
  };
}
