/**
 * Prints the JSON Schema of config files, in the words of lib/config-keys.ts and of LIMITS: `npm run
 * schema` ships it as config/schema.json.
 */
import { pathToFileURL } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import { KEY_MEANINGS } from "../../lib/config-keys.ts";
import { configSchema } from "../../lib/config-schema.ts";
import { LIMITS, RULES } from "../../verify.ts";

type Schema = { properties?: Record<string, Schema>; description?: string };

export function renderConfigSchema(): string {
  const schema = toJsonSchema(configSchema(RULES.limits), {
    errorMode: "ignore",
  }) as Schema;
  const abouts = Object.entries(LIMITS).map(([name, { why }]) => [`limits.${name}`, why] as const);
  for (const [key, description] of [...abouts, ...Object.entries(KEY_MEANINGS)]) {
    const place = key
      .split(".")
      .reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema);
    if (!place) throw new Error(`lib/config-keys.ts: there is no key "${key}"`);
    place.description = description;
  }
  return `${JSON.stringify(schema, null, 2)}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] as string).href)
  process.stdout.write(renderConfigSchema());
