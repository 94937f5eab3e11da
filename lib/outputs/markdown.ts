/** A result as the summary of a job, in Markdown. */

import type { Result } from "../run.ts";
import { printable } from "../text.ts";
import type { Finding } from "../vocabulary.ts";
import { gauge } from "./pretty.ts";

// What Markdown takes for markup, as GitHub reads it; a `<` before a blank or a digit opens nothing,
// nor does a `_` within a word.
const MARKUP = [
  String.raw`[|*\`[\]~$]|(?<![^\W_])_|_(?![^\W_])|<(?![ \d])|&(?=#?\w+;)|\\(?![^\W_]|\s\S)`,
  // A bare address becomes a link.
  String.raw`:(?=//)|(?<=www)\.`,
  // At the end of a line, a break, and what closes a heading; at its beginning code, headings,
  // quotes, lists, rules, tables.
  String.raw`[\s#]$|^\s+|^[#>=:]|^[+-](?!\d)|(?<=^\d{1,9})[.)](?=\s|$)`,
];
const MARKDOWN = new RegExp(MARKUP.join("|"), "gi");

/**
 * Keeps text from becoming markup in a cell, a line or a list; what cannot become any stays, for
 * Markdown is also read as plain text.
 */
export const markdownText = (text: string): string =>
  printable(text).replace(MARKDOWN, (found) => `&#${found.charCodeAt(0)};`);

/** The summary of a job: a table of all findings. */
export function renderMarkdown({ findings, verdict, exit, action, env, identity }: Result): string {
  const cellsOf = (finding: Finding): string[] =>
    [finding.status, finding.check, gauge(finding), finding.says].map(markdownText);
  const rows = findings.map((finding) => `| ${cellsOf(finding).join(" | ")} |\n`);
  const about = markdownText(`Release ${identity?.release ?? "unknown"}. ${action}`);
  return `### cytube-verify ${env}: ${verdict} (exit ${exit})\n\n${about}\n\n| | check | measured | |\n|---|---|---|---|\n${rows.join("")}`;
}
