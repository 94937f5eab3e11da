/** What environment and channel the bot runs with, and what its own configuration file says. */

import * as fs from "node:fs";
import { codeOf, messageOf, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { CONFIGURATION_FIELDS } from "../dialects.ts";
import { readSmallFile } from "../files.ts";
import { firstAt, RESPONSE_BYTES_MAX } from "../http.ts";
import type { HealthFields } from "./health.ts";

/** What the config says that the bot must run with. */
export const COMPARED_NAMES = ["environment", "channel"] as const;
export type ComparedName = (typeof COMPARED_NAMES)[number];

/**
 * The bot's own configuration file: only the two values that are compared are ever taken from it.
 */
type BotConfiguration = {
  path: string;
  environment: unknown;
  channel: unknown;
  /** Epoch milliseconds. */
  modifiedAt: number;
};

export type ConfigurationEvidence = {
  fields: HealthFields;
  /** When the bot's process started, in epoch milliseconds; null where there is none to look at. */
  startedAt: number | null;
  /** Null where the config names no file. */
  file: BotConfiguration | null;
};

async function readBotConfiguration(
  file: string,
  pointers: Partial<Record<ComparedName, string | string[]>>,
): Promise<BotConfiguration> {
  const { parseYaml } = await import("../config-parse.ts");
  const document: unknown = parseYaml(readSmallFile(file, RESPONSE_BYTES_MAX));
  const find = (name: ComparedName): unknown =>
    firstAt(document, [pointers[name] ?? CONFIGURATION_FIELDS[name]].flat());
  return {
    path: file,
    environment: find("environment"),
    channel: find("channel"),
    modifiedAt: fs.statSync(file).mtimeMs,
  };
}

/** `Unobservable` where the file cannot be read, or is neither JSON nor YAML. */
export async function readConfiguration(
  config: Config,
  fields: HealthFields,
  startedAt: number | null,
): Promise<ConfigurationEvidence> {
  const { file, fields: pointers = {} } = config.configuration ?? {};
  if (!file) return { fields, startedAt, file: null };
  try {
    return { fields, startedAt, file: await readBotConfiguration(file, pointers) };
  } catch (error) {
    // A parser's message may quote the file, and the file holds passwords.
    const why = codeOf(error).startsWith("E") ? messageOf(error) : "it is neither JSON nor YAML";
    throw new Unobservable(`Cannot read the bot's configuration "${file}": ${why}`);
  }
}
