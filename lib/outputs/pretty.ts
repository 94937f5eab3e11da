/**
 * A result for a person at a terminal: what is wrong with its evidence, what is fine in one line.
 * It decides nothing.
 */

import type { Result } from "../run.ts";
import { printable, spanOf } from "../text.ts";
import { type Finding, type Part, STATUSES, type Status } from "../vocabulary.ts";

// SGR parameters (ECMA-48) of statuses, verdicts and two styles.
const COLOURS = {
  fail: "31;1",
  unknown: "35;1",
  aborted: "35;1",
  refused: "35;1",
  warn: "33",
  paused: "33",
  superseded: "33",
  pass: "32",
  skipped: "2",
  off: "2",
  dim: "2",
  bold: "1",
};
type Paint = (style: keyof typeof COLOURS, text: string) => string;

/** What a gauge shows, of a part or of a finding. */
type Measurement = {
  measured: Part["measured"];
  limit: Part["limit"];
  unit: string | null;
  says: string;
};

/** A value with its unit, which is singular for one: `1 poll`, but `1 ms`. */
function renderAmount(value: Part["measured"], unit: string | null): string {
  const text = printable(String(value));
  if (!unit) return text;
  const isOne = value === 1 && /\w\w[^s]s$/.test(unit);
  return `${text} ${isOne ? unit.slice(0, -1) : unit}`;
}

/**
 * The measured value beside its limit; words only where the sentence does not have them already.
 */
export function gauge({ measured, limit, unit, says }: Measurement): string {
  if (measured === null || (typeof measured === "string" && says.includes(measured))) return "";
  const bound = typeof limit === "number" ? ` (limit ${renderAmount(limit, unit)})` : "";
  return renderAmount(measured, unit) + bound;
}

/** The gauge in brackets, to follow a sentence; empty where there is none. */
export function gaugeBehind(measurement: Measurement): string {
  const shown = gauge(measurement);
  return shown ? ` [${shown}]` : "";
}

/** Where the lines below a finding begin. */
const INDENT = " ".repeat(12);

const EVIDENCE_SHOWN = 6;
/** What a finding rests on, where it is not fine; of long lists the first lines. */
function renderEvidence({ status, evidence }: Finding): string[] {
  if (!["fail", "unknown", "warn"].includes(status)) return [];
  const lines = evidence.slice(0, EVIDENCE_SHOWN).map(printable);
  const left = evidence.length - lines.length;
  if (left > 0) lines.push(`and ${left} more (--json shows all)`);
  return lines;
}

function renderPart(part: Part, paint: Paint): string {
  const says = `${printable(part.part)}: ${printable(part.says)}${gaugeBehind(part)}`;
  return `${INDENT}${paint(part.status, part.status)} ${says}`;
}

function renderFinding(finding: Finding, paint: Paint): string[] {
  const { check, status, says, parts, hint } = finding;
  const word = paint(status, (status === "fail" ? "FAIL" : status).padEnd(8));
  const measured = gauge(finding).padEnd(30);
  const others = parts.filter((part) => part.status !== "pass" && part.says !== says);
  return [
    `  ${word}${check.padEnd(17)} ${measured} ${printable(says)}`.trimEnd(),
    ...others.map((part) => renderPart(part, paint)),
    ...renderEvidence(finding).map((line) => paint("dim", `${INDENT}| ${line}`)),
    ...(hint ? [`${INDENT}next: ${printable(hint)}`] : []),
  ];
}

/** How many findings have which status, such as `1 fail, 9 pass`. */
function countStatuses(findings: readonly Finding[]): string {
  const countOf = (status: Status): number =>
    findings.filter((finding) => finding.status === status).length;
  const present = STATUSES.filter((status) => countOf(status) > 0);
  return present.map((status) => `${countOf(status)} ${status}`).join(", ");
}

function renderBot({ identity }: Result): string {
  if (!identity) return "bot not found";
  const release = identity.version ? `, release ${identity.version}` : "";
  return printable(`bot pid ${identity.pid}, started ${identity.startedAt}${release}`);
}

/** The whole result as text; `colour`: with SGR sequences. */
export function renderPretty(result: Result, colour: boolean): string {
  const paint: Paint = (style, text) =>
    colour ? `\u001b[${COLOURS[style]}m${text}\u001b[0m` : text;
  const { verifier, env, host, config, findings, notes, verdict, exit, ms, action } = result;
  const about = printable(`${env} on ${host}, ${config}`);
  const word = paint(verdict, verdict.toUpperCase());
  const sum = `exit ${exit}  ${countStatuses(findings)} in ${spanOf(ms / 1000)}`;
  return [
    `${paint("bold", "cytube-verify")} ${verifier}  ${about}`,
    renderBot(result),
    "",
    ...findings.flatMap((finding) => renderFinding(finding, paint)),
    ...notes.map((note) => `  note: ${printable(note)}`),
    "",
    `${word}  ${sum}`,
    `Action: ${printable(action)}\n`,
  ].join("\n");
}
