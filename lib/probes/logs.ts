/** Which logs a bot writes: the files of the config, the journal, or both. */

import type { Config } from "../config.ts";
import { followJournal, journalIsUsed } from "./journal.ts";
import { followLogFile } from "./log-files.ts";
import type { LogFollower, LogRules } from "./log-lines.ts";
import type { ProcessEvidence } from "./process.ts";

// A bot's start is known to some 100 ms only.
const START_SLACK_MS = 250;

/** How a site's logs are read, and since when: the window, or the start of the bot in it. */
function rulesOf(config: Config, startedAtMs: number): LogRules {
  // A timestamp of whole seconds may be up to a second older than the start that it follows.
  const startedAt = Math.floor((startedAtMs - START_SLACK_MS) / 1000) * 1000;
  const { noise = [], prefix, timeZone } = config.errorLogs ?? {};
  return {
    since: Math.max(startedAt, Date.now() - config.limits.errorWindowSeconds * 1000),
    noise: noise.map((pattern) => new RegExp(pattern)),
    prefix: prefix ? new RegExp(prefix) : null,
    utc: timeZone === "utc",
  };
}

/**
 * Opens every log that the bot writes at the beginning of its window, and reads it to its end. It
 * does not throw: each follower's source says what cannot be read.
 */
export async function followLogs(
  config: Config,
  { identity, unit }: ProcessEvidence,
  signal: AbortSignal,
): Promise<LogFollower[]> {
  const rules = rulesOf(config, identity?.startedAt ?? 0);
  const followers = (config.errorLogs?.files ?? []).map((file) =>
    followLogFile({ config, file, rules, bot: identity, signal }),
  );
  const { used, trouble } = journalIsUsed(config, unit);
  // The invocation of a bot that has died is still known, and its last lines say why.
  const invocation = identity?.invocation || unit?.InvocationID;
  const name = config.process.unit;
  if (used && name && invocation)
    followers.push(followJournal({ unit: name, invocation, rules, trouble, signal }));
  return Promise.all(followers);
}
