/** The screen of the command status, and the table of releases. */

import type { Decision, Flags, MetricRow } from "../burnin/words.ts";
import { blameOf, type Release } from "../releases/plan.ts";
import type { Passed, Quarantined, ReleaseState } from "../releases/state.ts";
import type { Hour } from "../rules.ts";
import { isoOf, printable, spanOf } from "../text.ts";

/**
 * A burn-in as it stands, times in seconds. `accountedUntil` is an ISO time; `checkpoint` is the
 * next one, null where none is to come.
 */
export type BurninStatus = {
  id: string;
  release: string | null;
  attempt: number;
  startedAt: string;
  seconds: number;
  age: number;
  accountedUntil: string | null;
  checkpoint: { hour: Hour; inSeconds: number } | null;
  decision: Decision["decision"];
  reasons: string[];
  action: string;
  metrics: MetricRow[];
  flags: Flags;
};
/**
 * Where the release stands. `judged`: the last verdict is about the start that runs now. Times are
 * ISO 8601.
 */
export type BotStatus = {
  v: 1;
  env: string;
  bot: string;
  release: string | null;
  standing: "quarantined" | "verified" | "unverified" | "candidate";
  judged: boolean;
  passed: Passed | null;
  quarantined: Quarantined | null;
  last: ReleaseState["last"];
  nextTick: string | null;
  burnin: BurninStatus | null;
  exit: number;
};

function renderTable(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * The burn-in's part of the screen: where it stands, its metrics beside seed 002's targets, its
 * flags.
 */
function renderBurnin({
  attempt,
  age,
  seconds,
  decision,
  checkpoint,
  reasons,
  metrics,
  flags,
}: BurninStatus): string[] {
  const due =
    checkpoint && `; the ${checkpoint.hour} h checkpoint is due in ${spanOf(checkpoint.inSeconds)}`;
  const cells = metrics.map(({ title, shown, level, target, acceptable, critical }) => [
    title,
    shown,
    level,
    `${target}, acceptable ${acceptable}, critical ${critical}`,
  ]);
  const lines = cells.length ? renderTable([["METRIC", "VALUE", "LEVEL", "TARGET"], ...cells]) : [];
  const listed = (name: string, said: readonly string[]): string[] =>
    said.map((line) => `  ${name.padEnd(14)}${printable(line)}`);
  return [
    `  ${"burn-in".padEnd(14)}${decision}, attempt ${attempt}, ${spanOf(Math.min(age, seconds))} of ${spanOf(seconds)}${due ?? ""}`,
    ...listed("because", decision === "RUNNING" ? [] : reasons),
    ...listed(
      "red flag",
      flags.red.map(({ says }) => says),
    ),
    ...listed(
      "yellow flag",
      flags.yellow.map(({ says }) => says),
    ),
    ...lines.map((line) => `  ${line}`),
  ];
}

/** One screen for people. */
export function renderStatus(
  { env, bot, release, standing, judged, passed, quarantined, last, nextTick, burnin }: BotStatus,
  now: number,
): string {
  const ago = (at: string): string => `${spanOf((now - Date.parse(at)) / 1000)} ago (${at})`;
  const rows = {
    bot,
    release: `${release ?? "unknown"}, ${standing}${standing === "unverified" ? ": it has passed before, but this start is unverified" : ""}`,
    passed: passed && ago(passed.at),
    quarantined: quarantined && `${ago(quarantined.at)}, for ${blameOf(quarantined)}`,
    "last verdict":
      last &&
      `${last.verdict}, exit ${last.exit}, ${ago(last.at)}${last.by ? ` by ${last.by}` : ""}${judged ? "" : ", of an earlier start"}`,
    "next tick": nextTick ?? "none: the timer runs after a verification has passed",
  };
  const lines = Object.entries(rows).flatMap(([name, text]) =>
    text ? [`  ${name.padEnd(14)}${printable(text)}`] : [],
  );
  return `${[`${env}: ${standing}`, ...lines, ...(burnin ? renderBurnin(burnin) : [])].join("\n")}\n`;
}

/** The table of `rollback --list`, newest first. */
export function renderReleases(releases: readonly Release[]): string {
  if (!releases.length) return "There are no releases: release.directory is not set, or empty.\n";
  const cells = releases.map(({ id, completeAt, current, passed, quarantined }) => {
    const bad = quarantined && `quarantined (${blameOf(quarantined)})`;
    const marks = [
      current && "current",
      passed && "passed",
      bad,
      !completeAt && "incomplete",
    ].filter(Boolean);
    return [
      id,
      passed?.version ?? "-",
      completeAt ? isoOf(completeAt) : "-",
      marks.join(", ") || "candidate",
    ].map((cell) => printable(cell));
  });
  return `${renderTable([["ID", "VERSION", "COMPLETE", "STATE"], ...cells]).join("\n")}\n`;
}
