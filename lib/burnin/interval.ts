/**
 * Reads what the logs and the journal say of the time since the look before. It makes nothing of
 * it: accounting.ts does.
 */

import type { Observed } from "../attempt.ts";
import type { Config } from "../config.ts";
import type { HealthFields } from "../probes/health.ts";
import type { IdentityFollower } from "../probes/identity.ts";
import { type JournalEntry, journalIsUsed, readJournalSince } from "../probes/journal.ts";
import type { LogRules, LogSource } from "../probes/log-lines.ts";
import { LINK_BACK, LINK_LOST } from "../probes/log-patterns.ts";
import { type LogPlace, readLogSince } from "../probes/log-place.ts";
import type { ProcessEvidence } from "../probes/process.ts";
import type { CheckName, Finding, Identity } from "../vocabulary.ts";
import type { Cursor } from "./words.ts";

/**
 * How far back the logs are read where no cursor says how far they were: whether they have marks of
 * the connection shows at the bot's start, and of an older start nobody reads a day of lines.
 */
const REACH_MS_MAX = 3_600_000;

/** What an accounting needs to know of the run that it belongs to. */
export type Look = {
  id: string;
  config: Config;
  identity: Identity | null;
  observations: {
    process?: Observed<ProcessEvidence>;
    fields?: Observed<HealthFields>;
  };
  findings: ReadonlyMap<CheckName, Finding>;
  metrics: Record<string, number | null>;
  follower: IdentityFollower | null;
};

/** A line that tells of the connection; `at` is in epoch milliseconds. */
export type LinkMark = {
  at: number;
  isBack: boolean;
  says: string;
  /** Not from before the interval: a window also has what came before. */
  isNew: boolean;
};

/** What the logs say of an interval. */
export type Interval = {
  /** How far each file was read; null where it could not be. */
  files: Record<string, LogPlace | null>;
  /** Null: the config names no unit. `systemd` are PID 1's own entries. */
  journal: {
    source: LogSource;
    cursor: string | null;
    systemd: JournalEntry[];
  } | null;
  /** Those in which the bot's errors are counted. */
  sources: LogSource[];
  marks: LinkMark[];
};

const regexesOf = (sources: readonly string[]): RegExp[] =>
  sources.map((source) => new RegExp(source));

/** What counts in the logs of an interval that begins at `since`, in epoch milliseconds. */
function rulesOf({ errorLogs, burnin }: Config, since: number): LogRules {
  const { noise = [], prefix, timeZone } = errorLogs ?? {};
  const { disconnected, connected } = burnin;
  return {
    since,
    noise: regexesOf(noise),
    prefix: prefix ? new RegExp(prefix) : null,
    utc: timeZone === "utc",
    links: {
      lost: disconnected ? regexesOf(disconnected) : [LINK_LOST],
      back: connected ? regexesOf(connected) : [LINK_BACK],
    },
  };
}

/** What a log has told of the connection; from a place that is read on from, everything is new. */
function marksOf({ tally }: LogSource, since: number, isPlaced: boolean): LinkMark[] {
  return tally.links.map(({ at, isBack, says }) => {
    const when = at ?? since;
    return { at: when, isBack, says, isNew: isPlaced || when >= since };
  });
}

/**
 * Reads what the logs and the journal say of an interval: their errors, the marks of the
 * connection, and what PID 1 says of the unit.
 */
export async function readInterval(run: Look, before: Cursor): Promise<Interval> {
  const { config, identity, observations } = run;
  const { signal } = new AbortController(); // The run's own has ended its looks by now.
  // A stamp of whole seconds may be up to a second older than what it stamps.
  const since = Math.floor(Date.parse(before.at) / 1000) * 1000;
  const rules = rulesOf(config, since);
  // The bot's start is a little before the burn-in.
  const reach = Math.max((identity?.startedAt ?? since) - 1000, since - REACH_MS_MAX);
  const rulesFrom = (isPlaced: boolean): LogRules =>
    isPlaced ? { ...rules, since: 0 } : { ...rules, reach };
  const files = config.errorLogs?.files ?? [];
  const reads = await Promise.all(
    files.map((file) => {
      const place = before.files[file] ?? null;
      return readLogSince({ config, file, rules: rulesFrom(place !== null), place, signal });
    }),
  );
  const { unit } = config.process;
  const { logSecondsMax } = config.limits;
  const { cursor } = before;
  const journal = unit
    ? await readJournalSince({ unit, rules: rulesFrom(cursor !== null), cursor, logSecondsMax })
    : null;
  const sources = reads.map(({ source }) => source);
  const marks = sources.flatMap((source) =>
    marksOf(source, since, Boolean(before.files[source.source])),
  );
  if (journal) marks.push(...marksOf(journal.source, since, Boolean(cursor)));
  const properties = observations.process?.seen ? observations.process.value.unit : null;
  if (journal && journalIsUsed(config, properties).used) sources.push(journal.source);
  const places = files.map((file, index) => [file, reads[index]?.place ?? null] as const);
  return { files: Object.fromEntries(places), journal, sources, marks };
}
