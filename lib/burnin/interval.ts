/**
 * Reads what the logs and the journal say of the time since the look before. It makes nothing of
 * it: accounting.ts does.
 */

import type { Observed } from "../attempt.ts";
import type { Config } from "../config.ts";
import type { HealthFields } from "../probes/health.ts";
import type { IdentityFollower } from "../probes/identity.ts";
import { journalIsUsed, readJournalSince } from "../probes/journal.ts";
import { readLogSince } from "../probes/log-files.ts";
import type { LogRules, LogSource } from "../probes/log-lines.ts";
import { LINK_BACK, LINK_LOST } from "../probes/log-patterns.ts";
import type { ProcessEvidence } from "../probes/process.ts";
import type { CheckName, Finding, Identity } from "../vocabulary.ts";
import type { Cursor } from "./words.ts";

const REACH_SECONDS = 3600;
/** What an accounting needs to know of the run that it belongs to. */
export type Look = {
  id: string;
  config: Config;
  identity: Identity | null;
  observations: { process?: Observed<ProcessEvidence>; fields?: Observed<HealthFields> };
  findings: ReadonlyMap<CheckName, Finding>;
  metrics: Record<string, number | null>;
  follower: IdentityFollower | null;
};
/**
 * Reads what the logs and the journal say of an interval: their errors, the marks of the
 * connection, and what PID 1 says of the unit.
 */
export async function readInterval({ config, identity, observations }: Look, before: Cursor) {
  const { signal } = new AbortController(); // The run's own has ended its looks by now.
  const { files = [], noise = [], prefix, timeZone } = config.errorLogs ?? {};
  const { disconnected, connected } = config.burnin;
  const regexes = (sources: readonly string[]): RegExp[] =>
    sources.map((source) => new RegExp(source));
  const links = {
    lost: disconnected ? regexes(disconnected) : [LINK_LOST],
    back: connected ? regexes(connected) : [LINK_BACK],
  };
  // A stamp of whole seconds may be up to a second older than what it stamps.
  const since = Math.floor(Date.parse(before.at) / 1000) * 1000;
  const rules: LogRules = {
    since,
    noise: regexes(noise),
    prefix: prefix ? new RegExp(prefix) : null,
    utc: timeZone === "utc",
    links,
  };
  // Whether the log has marks of the connection shows at the bot's start, a little before the
  // burn-in.
  const reach = Math.max((identity?.startedAt ?? since) - 1000, since - REACH_SECONDS * 1000);
  const from = (isPlaced: boolean): LogRules =>
    isPlaced ? { ...rules, since: 0 } : { ...rules, reach };
  const reads = await Promise.all(
    files.map((file) =>
      readLogSince(
        config,
        file,
        from(Boolean(before.files[file])),
        before.files[file] ?? null,
        signal,
      ),
    ),
  );
  const { unit } = config.process;
  const journal = unit
    ? await readJournalSince(config, unit, from(before.cursor !== null), before.cursor, signal)
    : null;
  const properties = observations.process?.seen ? observations.process.value.unit : null;
  // A place is read on from, so everything there is new; a window also has what was before.
  const isNew = (place: unknown, at: number): boolean => Boolean(place) || at >= since;
  const marksOf = ({ tally }: LogSource, place: unknown) =>
    tally.links
      .map((mark) => ({ ...mark, at: mark.at ?? since }))
      .map((mark) => ({ ...mark, isNew: isNew(place, mark.at) }));
  const marks = [
    ...reads.flatMap(({ source }) => marksOf(source, before.files[source.source])),
    ...(journal ? marksOf(journal.source, before.cursor) : []),
  ];
  const sources = [
    ...reads.map(({ source }) => source),
    ...(journal && journalIsUsed(config, properties).used ? [journal.source] : []),
  ];
  return {
    files: Object.fromEntries(files.map((file, index) => [file, reads[index]?.place ?? null])),
    journal,
    sources,
    marks,
  };
}

export type Interval = Awaited<ReturnType<typeof readInterval>>;
