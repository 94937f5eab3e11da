/**
 * The screen of the command status, and the table of `rollback --list`. What stands where is found
 * out by the commands; here it becomes text.
 */

import type { Decision, Flags, MetricRow } from "../burnin/words.ts";
import { blameOf, type Release } from "../releases/plan.ts";
import type { LastVerdict, Passed, Quarantined } from "../releases/state.ts";
import type { Hour } from "../rules.ts";
import { isoOf, printable, spanOf } from "../text.ts";

/** A burn-in as it stands. */
export type BurninStatus = {
  id: string;
  /** Where no directory is configured, its version. */
  releaseId: string | null;
  attempt: number;
  /** ISO 8601. */
  startedAt: string;
  /** How long it is to last. */
  seconds: number;
  /** How long it has lasted, in seconds. */
  age: number;
  /** ISO 8601; null before its first look. */
  accountedUntil: string | null;
  /** The next one; null where none is to come. */
  checkpoint: { hour: Hour; inSeconds: number } | null;
  decision: Decision["decision"];
  reasons: string[];
  action: string;
  metrics: MetricRow[];
  flags: Flags;
};

/** Whether a release is known to be good: a candidate has not passed yet. */
export type Standing = "quarantined" | "verified" | "unverified" | "candidate";

/** Where the release stands, as `status --json` prints it. */
export type BotStatus = {
  v: 1;
  env: string;
  /** A sentence on its process. */
  bot: string;
  /** Of what runs, else of `current`, else of the last verdict; null where nothing tells. */
  releaseId: string | null;
  standing: Standing;
  /** The last verdict is about the start that runs now. */
  judged: boolean;
  passed: Passed | null;
  quarantined: Quarantined | null;
  last: LastVerdict | null;
  /** ISO 8601; null where the timer does not run. */
  nextTick: string | null;
  burnin: BurninStatus | null;
  /** What the command ends with. */
  exit: number;
};

/** Rows as lines, each column as wide as its longest cell. */
function renderTable(rows: readonly string[][]): string[] {
  const [first = []] = rows;
  const widths = first.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return cells.join("  ").trimEnd();
  });
}

/** A line of the screen: what it is about, and what is said. */
const renderLine = (name: string, says: string): string => `  ${name.padEnd(14)}${printable(says)}`;

/** The metrics of a burn-in beside seed 002's targets. */
function renderMetrics(metrics: readonly MetricRow[]): string[] {
  if (metrics.length === 0) return [];
  const rows = metrics.map(({ title, shown, level, target, acceptable, critical }) => [
    title,
    shown,
    level,
    `${target}, acceptable ${acceptable}, critical ${critical}`,
  ]);
  const table = renderTable([["METRIC", "VALUE", "LEVEL", "TARGET"], ...rows]);
  return table.map((line) => `  ${line}`);
}

/** The burn-in's part of the screen: where it stands, its flags, and its metrics. */
function renderBurnin(burnin: BurninStatus): string[] {
  const { attempt, age, seconds, decision, checkpoint, flags } = burnin;
  const past = `${spanOf(Math.min(age, seconds))} of ${spanOf(seconds)}`;
  const due = checkpoint
    ? `; the ${checkpoint.hour} h checkpoint is due in ${spanOf(checkpoint.inSeconds)}`
    : "";
  const reasons = decision === "RUNNING" ? [] : burnin.reasons;
  return [
    renderLine("burn-in", `${decision}, attempt ${attempt}, ${past}${due}`),
    ...reasons.map((reason) => renderLine("because", reason)),
    ...flags.red.map(({ says }) => renderLine("red flag", says)),
    ...flags.yellow.map(({ says }) => renderLine("yellow flag", says)),
    ...renderMetrics(burnin.metrics),
  ];
}

function renderRelease({ releaseId, standing }: BotStatus): string {
  const says = `${releaseId ?? "unknown"}, ${standing}`;
  if (standing !== "unverified") return says;
  return `${says}: it has passed before, but this start is unverified`;
}

/** The last verdict, without when it was. */
function renderVerdict({ verdict, exit, by }: LastVerdict, ago: string): string {
  return `${verdict}, exit ${exit}, ${ago}${by ? ` by ${by}` : ""}`;
}

/** One screen for people; `now` is in epoch milliseconds. */
export function renderStatus(status: BotStatus, now: number): string {
  const { env, bot, standing, judged, passed, quarantined, last, nextTick, burnin } = status;
  const ago = (at: string): string => `${spanOf((now - Date.parse(at)) / 1000)} ago (${at})`;
  const lines = [`${env}: ${standing}`];
  if (bot) lines.push(renderLine("bot", bot));
  lines.push(renderLine("release", renderRelease(status)));
  if (passed) lines.push(renderLine("passed", ago(passed.at)));
  if (quarantined) {
    const says = `${ago(quarantined.at)}, for ${blameOf(quarantined)}`;
    lines.push(renderLine("quarantined", says));
  }
  if (last) {
    const start = judged ? "" : ", of an earlier start";
    lines.push(renderLine("last verdict", renderVerdict(last, ago(last.at)) + start));
  }
  const none = "none: the timer runs after a verification has passed";
  lines.push(renderLine("next tick", nextTick ?? none));
  if (burnin) lines.push(...renderBurnin(burnin));
  return `${lines.join("\n")}\n`;
}

/** What is known of a release, in words; one that nothing is known of is a candidate. */
function describeRelease({ completeAt, current, passed, quarantined }: Release): string {
  const marks: string[] = [];
  if (current) marks.push("current");
  if (passed) marks.push("passed");
  if (quarantined) marks.push(`quarantined (${blameOf(quarantined)})`);
  if (!completeAt) marks.push("incomplete");
  return marks.join(", ") || "candidate";
}

/** The table of `rollback --list`, in the order given, which is newest first. */
export function renderReleases(releases: readonly Release[]): string {
  if (releases.length === 0) {
    return "There are no releases: release.directory is not set, or empty.\n";
  }
  const rows = releases.map((release) => {
    const version = release.passed?.version ?? "-";
    const completeAt = release.completeAt ? isoOf(release.completeAt) : "-";
    return [release.releaseId, version, completeAt, describeRelease(release)].map(printable);
  });
  return `${renderTable([["ID", "VERSION", "COMPLETE", "STATE"], ...rows]).join("\n")}\n`;
}
