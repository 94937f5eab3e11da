/**
 * A result as annotations of a GitHub Actions job, so that what is wrong stands in the list of its
 * checks.
 */

import type { Result } from "../run.ts";
import { printable } from "../text.ts";
import type { Finding, Status } from "../vocabulary.ts";

/**
 * GitHub's workflow commands take %, CR and LF only escaped, and a property no colon or comma
 * either.
 */
const githubText = (text: string): string => printable(text).replaceAll("%", "%25");
/**
 * Annotations of a GitHub Actions job: errors and warnings on lines of their own, then the verdict
 * as a notice.
 */
export function renderGithub({ findings, verdict, exit, action }: Result): string {
  const kinds: Partial<Record<Status, string>> = {
    fail: "error",
    unknown: "error",
    warn: "warning",
  };
  const lineOf = ({ check, status, says }: Finding) =>
    kinds[status] ? `::${kinds[status]} title=${check} ${status}::${githubText(says)}\n` : "";
  return `${findings.map(lineOf).join("")}::notice title=cytube-verify::${verdict}, exit ${exit}. ${githubText(action)}\n`;
}
