/** What environment and channel the bot runs with, and what its own configuration file says. */

import * as fs from "node:fs";
import { codeOf, messageOf, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { CONFIGURATION_FIELDS } from "../dialects.ts";
import { readSmallFile } from "../files.ts";
import { firstAt, RESPONSE_BYTES_MAX } from "../http.ts";
import type { HealthFields } from "./health.ts";

/**
 * The bot's own configuration file: only the two values that are compared are ever taken from it.
 */
type BotConfiguration = {
  path: string;
  environment: unknown;
  channel: unknown;
  modifiedAt: number;
};
export type ConfigurationEvidence = {
  fields: HealthFields;
  startedAt: number | null;
  file: BotConfiguration | null;
};
export async function readConfiguration(
  config: Config,
  fields: HealthFields,
  startedAt: number | null,
): Promise<ConfigurationEvidence> {
  const { file, fields: pointers } = config.configuration ?? {};
  if (!file) return { fields, startedAt, file: null };
  try {
    const { parseYaml } = await import("../config-parse.ts");
    const document = parseYaml(readSmallFile(file, RESPONSE_BYTES_MAX));
    const find = (name: ComparedName): unknown =>
      firstAt(document, [pointers?.[name] ?? CONFIGURATION_FIELDS[name]].flat());
    const said = { environment: find("environment"), channel: find("channel") };
    return {
      fields,
      startedAt,
      file: { path: file, ...said, modifiedAt: fs.statSync(file).mtimeMs },
    };
  } catch (error) {
    // A parser's message may quote the file, and the file holds passwords.
    const why = codeOf(error).startsWith("E") ? messageOf(error) : "it is neither JSON nor YAML";
    throw new Unobservable(`Cannot read the bot's configuration "${file}": ${why}`);
  }
}

export const COMPARED_NAMES = ["environment", "channel"] as const;
export type ComparedName = (typeof COMPARED_NAMES)[number];
