/** What --dry-run and the command config print: nothing of the bot, only what is configured. */

import type { Config } from "../config.ts";
import { valueAt } from "../http.ts";
import { renderDocument } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import { printable } from "../text.ts";
import { CHECK_CODES, type CheckName } from "../vocabulary.ts";

/** A check as it is planned: left out by a flag, or off for a reason. */
type PlanRow = { check: CheckName; skipped: boolean; off: string | null };
/**
 * The plan of a run, without a look at the bot: every check with its exit code, why it does not run
 * (or null), and the limits that apply.
 */
export function renderPlan(config: Config, rows: readonly PlanRow[], json: boolean): string {
  const { file, environment, logFile, limits, off } = config;
  const checks = rows.map(({ check, skipped, off: reason }) => {
    const leftOut = skipped ? "skipped" : reason ? `off: ${reason}` : null;
    return { check, exit: CHECK_CODES[check], leftOut };
  });
  const parts = Object.fromEntries(Object.entries(off).filter(([name]) => name.includes(".")));
  const plan = maskDeep(
    { config: file, environment, logFile, checks, parts, limits },
    maskOf(config.secrets),
  );
  if (json) return renderDocument(plan);
  const row = (name: string, text: unknown): string =>
    `    ${name.padEnd(22)} ${printable(String(text))}`;
  return [
    `Config ${printable(file)} is valid; nothing was looked at.`,
    `  environment ${plan.environment}, log ${printable(plan.logFile)}`,
    "  checks:",
    ...plan.checks.map(({ check, exit, leftOut }) =>
      row(check, `exit ${String(exit).padEnd(4)} ${leftOut ?? "runs"}`),
    ),
    ...Object.entries(plan.parts).map(([name, reason]) => row(name, `off: ${reason}`)),
    "  limits:",
    ...Object.entries(plan.limits).map(([name, value]) => row(name, value ?? "not checked")),
    "",
  ].join("\n");
}

/**
 * The effective config without its secrets, or for scripts one line for each key asked for: lists
 * joined by blanks, empty where it is not set.
 */
export function renderConfig(
  { secrets, headers, burninLimits: _, ...config }: Config,
  keys: string | undefined,
): string {
  const masked = maskDeep(
    { ...config, headers: Object.fromEntries(Object.keys(headers).map((name) => [name, "***"])) },
    maskOf(secrets),
  );
  if (keys === undefined) return renderDocument(masked);
  const { sinks = [], ping } = config.alert ?? {};
  const credentials = [
    ...new Set(
      [...sinks.map(({ urlFrom }) => urlFrom), ping?.urlFrom].flatMap((name) => name ?? []),
    ),
  ];
  const known = {
    ...masked,
    log: { file: config.logFile },
    alert: { credentials, ping: ping?.urlFrom ?? "" },
  };
  const wordOf = (value: unknown): string =>
    typeof value === "object" ? Object.keys(value ?? {}).join(" ") : String(value);
  const valuesOf = (key: string): unknown[] =>
    [valueAt(known, `/${key.trim().replaceAll(".", "/")}`) ?? []].flat();
  const lines = keys.split(",").map((key) => valuesOf(key).map(wordOf).join(" "));
  return `${lines.join("\n")}\n`;
}
