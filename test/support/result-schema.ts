/** config/result.schema.json, as it is read and as others check with it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { projectDirectory } from "./harness.ts";

export const schema = JSON.parse(
  readFileSync(join(projectDirectory, "config/result.schema.json"), "utf8"),
) as Record<string, unknown>;
export const validate = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  strict: true,
}).compile(schema);

export function assertValid(record: unknown): void {
  assert.ok(validate(record), JSON.stringify(validate.errors, null, 2));
}
