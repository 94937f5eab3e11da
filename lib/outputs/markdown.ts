/**
 * A result as the summary of a job, in Markdown, and what keeps other texts from becoming Markdown
 * by accident. The report of a burn-in uses the latter.
 */

import type { Result } from "../run.ts";
import { printable } from "../text.ts";
import type { Finding } from "../vocabulary.ts";
import { gauge } from "./pretty.ts";

// What Markdown takes for markup, as GitHub reads it; a `<` before a blank or a digit opens
// nothing, nor does a `_` within a word.
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

function renderRow(finding: Finding): string {
  const { status, check, says } = finding;
  const cells = [status, check, gauge(finding), says].map(markdownText);
  return `| ${cells.join(" | ")} |\n`;
}

/** The summary of a job: the verdict, what to do, and a table of all findings. */
export function renderMarkdown({ findings, verdict, exit, action, env, identity }: Result): string {
  const version = identity?.version ?? "unknown";
  return [
    `### cytube-verify ${env}: ${verdict} (exit ${exit})`,
    "",
    markdownText(`Release ${version}. ${action}`),
    "",
    "| | check | measured | |",
    "|---|---|---|---|",
    findings.map(renderRow).join(""),
  ].join("\n");
}
