/** The command config: prints the effective config, or the values of single keys for a script. */

import { valueAt } from "../http.ts";
import { print } from "../outputs/narrator.ts";
import { renderConfig } from "../outputs/plan.ts";
import { readShipped } from "../shipped.ts";
import type { Runner } from "./command-line.ts";
import { usageError } from "./usage.ts";

/** What this reads of config/schema.json. */
type Schema = { properties?: Record<string, Schema> };

/** No key of a config, but what install.sh asks for: the names of the files with alert URLs. */
const DERIVED_KEYS = ["alert.credentials"];

/** The keys that a config may have, with dots, those of its sections too. */
function listKeys({ properties = {} }: Schema, before = ""): string[] {
  return Object.entries(properties).flatMap(([name, inner]) => [
    before + name,
    ...listKeys(inner, `${before}${name}.`),
  ]);
}

/**
 * Refuses a key that is neither printed nor known to the schema: a script would take the empty line
 * for a key that is not set.
 */
function refuseUnknownKeys(keys: readonly string[], printed: unknown): void {
  const known = [...listKeys(JSON.parse(readShipped("schema.json")) as Schema), ...DERIVED_KEYS];
  for (const key of keys) {
    const isPrinted = valueAt(printed, `/${key.replaceAll(".", "/")}`) !== undefined;
    if (key === "") throw usageError("--get names an empty key");
    if (!isPrinted && !known.includes(key))
      throw usageError(`--get: there is no key "${key}"`, { word: key, words: known });
  }
}

export const runConfig: Runner = ({ flags }, config) => {
  if (flags.get !== undefined) {
    const keys = flags.get.split(",").map((key) => key.trim());
    refuseUnknownKeys(keys, JSON.parse(renderConfig(config, undefined)));
  }
  return print(renderConfig(config, flags.get));
};
