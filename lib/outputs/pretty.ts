/**
 * A result for a person at a terminal: what is wrong with its evidence, what is fine in one line.
 * It decides nothing.
 */

import type { Result } from "../run.ts";
import { printable, spanOf } from "../text.ts";
import { type Finding, type Part, STATUSES, type Status } from "../vocabulary.ts";

// SGR parameters (ECMA-48).
const BAD = { fail: "31;1", unknown: "35;1", aborted: "35;1", refused: "35;1" };
const COLOURS = {
  ...BAD,
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

type Gauged = Pick<Part, "measured" | "limit" | "unit" | "says">;
/**
 * The measured value beside its limit; words only where the sentence does not have them already.
 */
export function gauge({ measured, limit, unit, says }: Gauged): string {
  if (measured === null || (typeof measured === "string" && says.includes(measured))) return "";
  const amount = (value: Part["measured"]): string => {
    const fitting = value === 1 && unit && /\w\w[^s]s$/.test(unit) ? unit.slice(0, -1) : unit;
    return `${printable(String(value))}${fitting ? ` ${fitting}` : ""}`;
  };
  return `${amount(measured)}${typeof limit === "number" ? ` (limit ${amount(limit)})` : ""}`;
}
export const gaugeBehind = (part: Gauged): string => (gauge(part) ? ` [${gauge(part)}]` : "");

const EVIDENCE_SHOWN = 6;
function renderFinding(finding: Finding, paint: Paint): string[] {
  const { check, status, says, parts, evidence, hint } = finding;
  const word = paint(status, (status === "fail" ? "FAIL" : status).padEnd(8));
  const shown = ["fail", "unknown", "warn"].includes(status)
    ? evidence.slice(0, EVIDENCE_SHOWN).map(printable)
    : [];
  if (shown.length && evidence.length > shown.length)
    shown.push(`and ${evidence.length - shown.length} more (--json shows all)`);
  const others = parts.filter((part) => part.status !== "pass" && part.says !== says);
  return [
    `  ${word}${check.padEnd(17)} ${gauge(finding).padEnd(30)} ${printable(says)}`.trimEnd(),
    ...others.map(
      (part) =>
        `            ${paint(part.status, part.status)} ${printable(part.part)}: ${printable(part.says)}${gaugeBehind(part)}`,
    ),
    ...shown.map((line) => paint("dim", `            | ${line}`)),
    ...(hint ? [`            next: ${printable(hint)}`] : []),
  ];
}

export function renderPretty(result: Result, colour: boolean): string {
  const paint: Paint = (style, text) =>
    colour ? `\u001b[${COLOURS[style]}m${text}\u001b[0m` : text;
  const { identity, findings, verdict } = result;
  const release = identity?.release ? `, release ${identity.release}` : "";
  const countOf = (status: Status): number =>
    findings.filter((finding) => finding.status === status).length;
  const counted = STATUSES.filter(countOf).map((status) => `${countOf(status)} ${status}`);
  return [
    `${paint("bold", "cytube-verify")} ${result.verifier}  ${printable(`${result.env} on ${result.host}, ${result.config}`)}`,
    identity
      ? printable(`bot pid ${identity.pid}, started ${identity.startedAt}${release}`)
      : "bot not found",
    "",
    ...findings.flatMap((finding) => renderFinding(finding, paint)),
    ...result.notes.map((note) => `  note: ${printable(note)}`),
    "",
    `${paint(verdict, verdict.toUpperCase())}  exit ${result.exit}  ${counted.join(", ")} in ${spanOf(result.ms / 1000)}`,
    `Action: ${printable(result.action)}\n`,
  ].join("\n");
}
