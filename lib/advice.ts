/**
 * What a person is told to do: after a failed check, an error's code, a checkpoint, a decision.
 * Words only; nothing is judged by them.
 */

import * as path from "node:path";
import { load, SHIPPED } from "./shipped.ts";
import type { CheckName } from "./vocabulary.ts";

export type SqlMeaning = {
  code: string;
  status: "fail" | "unknown";
  says: string;
  hint: string | null;
};
type Advice = {
  checks: Record<CheckName, { hint: string; action: string }>;
  http: Record<string, string>;
  sqlite: SqlMeaning[];
} & {
  decisions: Record<"PASS" | "PARTIAL" | "FAIL" | "RUNNING", string>;
  /** What to do after a checkpoint that is fine, and after one that is not (seed 002). */
  checkpoints: Record<number, string[]>;
};
/**
 * What is said of a failure: where to look (LOGS: the bot's last words), what to do (seed 000's
 * decision tree), what an error's code means.
 */
export const loadAdvice = (): Advice => load(path.join(SHIPPED, "advice.json"));

/** What an error's code of SQLite, or of the file system below it, means for a bot. */
export const meaningOfSqlError = (errorCode: string): SqlMeaning =>
  loadAdvice().sqlite.find(({ code }) => new RegExp(code).test(errorCode)) as SqlMeaning;
