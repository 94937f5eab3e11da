/**
 * What real programs have printed and written; test/captured/README.md says of each how it came
 * about. Suites read it as text, and parse it by what they test.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./harness.ts";

export const captured = join(projectDirectory, "test/captured");
export const readCaptured = (name: string): string => readFileSync(join(captured, name), "utf8");
