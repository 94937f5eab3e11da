/** A result as the summary of a job, in Markdown. */

import type { Result } from "../run.ts";
import { patternOf } from "../shipped.ts";
import { printable } from "../text.ts";
import type { Finding } from "../vocabulary.ts";
import { gauge } from "./pretty.ts";

/**
 * Keeps text from becoming markup in a cell, a line or a list; what cannot become any stays, for
 * Markdown is also read as plain text.
 */
export const markdownText = (text: string): string =>
  printable(text).replace(patternOf("MARKDOWN"), (found) => `&#${found.charCodeAt(0)};`);

/** The summary of a job: a table of all findings. */
export function renderMarkdown({ findings, verdict, exit, action, env, identity }: Result): string {
  const cellsOf = (finding: Finding): string[] =>
    [finding.status, finding.check, gauge(finding), finding.says].map(markdownText);
  const rows = findings.map((finding) => `| ${cellsOf(finding).join(" | ")} |\n`);
  const about = markdownText(`Release ${identity?.release ?? "unknown"}. ${action}`);
  return `### cytube-verify ${env}: ${verdict} (exit ${exit})\n\n${about}\n\n| | check | measured | |\n|---|---|---|---|\n${rows.join("")}`;
}
