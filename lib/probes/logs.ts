/** Which logs a bot writes: the files of the config, the journal, or both. */

import type { Config } from "../config.ts";
import { followJournal, journalIsUsed } from "./journal.ts";
import { followLogFile } from "./log-files.ts";
import type { LogFollower } from "./log-lines.ts";
import type { ProcessEvidence } from "./process.ts";

export async function followLogs(
  config: Config,
  { identity, unit }: ProcessEvidence,
  signal: AbortSignal,
): Promise<LogFollower[]> {
  // A timestamp of whole seconds may be up to a second older than the start that it follows, and
  // the start is known to some 100 ms only.
  const startedAt = Math.floor(((identity?.startedAt ?? 0) - 250) / 1000) * 1000;
  const since = Math.max(startedAt, Date.now() - config.limits.errorWindowSeconds * 1000);
  const { files = [], noise = [], prefix, timeZone } = config.errorLogs ?? {};
  const rules = {
    since,
    noise: noise.map((pattern) => new RegExp(pattern)),
    prefix: prefix ? new RegExp(prefix) : null,
    utc: timeZone === "utc",
  };
  const followers = files.map((file) =>
    followLogFile({ config, file, rules, bot: identity, signal }),
  );
  const { used, trouble } = journalIsUsed(config, unit);
  // The invocation of a bot that has died is still known, and its last lines say why.
  const invocation = identity?.invocation || unit?.InvocationID;
  if (used && config.process.unit && invocation)
    followers.push(followJournal(config.process.unit, invocation, rules, signal, trouble));
  return Promise.all(followers);
}
