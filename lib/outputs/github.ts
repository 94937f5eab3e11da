/**
 * A result as annotations of a GitHub Actions job, so that what is wrong stands in the list of its
 * checks. The summary of the job is Markdown, which markdown.ts renders.
 */

import type { Result } from "../run.ts";
import { printable } from "../text.ts";
import type { Finding, Status } from "../vocabulary.ts";

/** The workflow command for each status that is wrong; the others are not annotated. */
const ANNOTATIONS: Partial<Record<Status, string>> = {
  fail: "error",
  unknown: "error",
  warn: "warning",
};

/**
 * Text for a workflow command. GitHub takes %, CR and LF there only escaped; `printable` leaves no
 * line end.
 */
const githubText = (text: string): string => printable(text).replaceAll("%", "%25");

function renderFinding({ check, status, says }: Finding): string {
  const annotation = ANNOTATIONS[status];
  // A title takes no colon or comma either, and the names of checks have none.
  return annotation ? `::${annotation} title=${check} ${status}::${githubText(says)}\n` : "";
}

/** Errors and warnings on lines of their own, then the verdict as a notice. */
export function renderGithub({ findings, verdict, exit, action }: Result): string {
  const annotations = findings.map(renderFinding).join("");
  const says = `${verdict}, exit ${exit}. ${githubText(action)}`;
  return `${annotations}::notice title=cytube-verify::${says}\n`;
}
