/** Which release runs: by the bot's word, and by the directory that it runs from. */

import * as fs from "node:fs";
import * as path from "node:path";
import { type Observed, orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { RELEASE_ID } from "../vocabulary.ts";
import type { HealthFields } from "./health.ts";

export function readCurrent({ release }: Pick<Config, "release">): string | null {
  const { directory, current } = release ?? {};
  const target = orNull(() => fs.realpathSync(current as string));
  return directory && target && path.dirname(target) === orNull(() => fs.realpathSync(directory))
    ? path.basename(target)
    : null;
}
/**
 * The release that a process runs from, `releases/<id>/…`, however `current` has been switched
 * since.
 */
export function readReleaseId(config: Pick<Config, "release">, pid: number | null): string | null {
  const directory = orNull(() => fs.realpathSync(config.release?.directory as string));
  const homes =
    pid === null || !directory
      ? []
      : ["cwd", "exe"].flatMap(
          (link) => orNull(() => fs.readlinkSync(`/proc/${pid}/${link}`)) ?? [],
        );
  const ids = homes.map(
    (home) => path.relative(directory as string, home).split(path.sep)[0] as string,
  );
  return ids.find((id) => RELEASE_ID.test(id)) ?? null;
}

/**
 * `version` is by the health document; `id` by the working directory of the process, where releases
 * live in directories of their own.
 */
export type ReleaseEvidence = {
  expected: string | null;
  version: string | null;
  id: string | null;
};
export function readRelease(
  config: Config,
  fields: Observed<HealthFields> | undefined,
  pid: number | null,
): ReleaseEvidence {
  const version =
    fields?.seen && ["string", "number"].includes(typeof fields.value.version)
      ? String(fields.value.version)
      : null;
  return { expected: config.release?.version ?? null, version, id: readReleaseId(config, pid) };
}
