/** What of a log is counted, by which rules, and the counts alone, as suites compare them. */
import {
  addLogLine,
  emptyPosition,
  emptyTally,
  type LogRules,
  type LogTally,
} from "../../lib/probes/log-lines.ts";

export function rulesSince(since: number, over: Partial<LogRules> = {}): LogRules {
  return { since, noise: [], prefix: null, utc: true, ...over };
}

/** The tally of a whole text, read line by line from its beginning. */
export function tallyOf(text: string, rules: LogRules): LogTally {
  const tally = emptyTally();
  const position = emptyPosition();
  for (const line of text.split("\n")) addLogLine({ tally, position, rules }, line);
  return tally;
}

export function countsOf({
  errors,
  warnings,
  noise,
  uncertain,
  undated,
}: LogTally): Record<string, number> {
  return { errors, warnings, noise, uncertain, undated };
}

export const clean = { errors: 0, warnings: 0, noise: 0, uncertain: 0, undated: 0 };
