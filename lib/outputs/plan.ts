/**
 * What --dry-run of a verification and the command config print: nothing of the bot, only what is
 * configured. Secrets are masked here, because a config is printed for people to show around.
 */

import type { Config } from "../config.ts";
import { valueAt } from "../http.ts";
import { renderDocument } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import { printable } from "../text.ts";
import { CHECK_CODES, type CheckName } from "../vocabulary.ts";

/** A check as it is planned: left out by a flag, or off for a reason. */
type PlanRow = {
  check: CheckName;
  skipped: boolean;
  off: string | null;
};

/** A check as the plan shows it; `leftOut` is null for one that runs. */
type PlannedCheck = {
  check: CheckName;
  exit: number;
  leftOut: string | null;
};

/** What is planned, as --dry-run --json prints it. */
type Plan = {
  /** The config's file. */
  config: string;
  environment: string;
  logFile: string;
  checks: PlannedCheck[];
  /** Reasons of the parts of checks that the config declares off. */
  parts: Record<string, string>;
  limits: Config["limits"];
};

function planCheck({ check, skipped, off }: PlanRow): PlannedCheck {
  const exit = CHECK_CODES[check];
  if (skipped) return { check, exit, leftOut: "skipped" };
  return { check, exit, leftOut: off ? `off: ${off}` : null };
}

const renderRow = (name: string, text: unknown): string =>
  `    ${name.padEnd(22)} ${printable(String(text))}`;

const renderCheck = ({ check, exit, leftOut }: PlannedCheck): string =>
  renderRow(check, `exit ${String(exit).padEnd(4)} ${leftOut ?? "runs"}`);

/**
 * The plan of a run, without a look at the bot: every check with its exit code, why it does not run
 * (or null), and the limits that apply. As JSON, or as text for people.
 */
export function renderPlan(config: Config, rows: readonly PlanRow[], isJson: boolean): string {
  const { file, environment, logFile, limits, off, secrets } = config;
  // The name of a part is `check.part`.
  const parts = Object.entries(off).filter(([name]) => name.includes("."));
  const open: Plan = {
    config: file,
    environment,
    logFile,
    checks: rows.map(planCheck),
    parts: Object.fromEntries(parts),
    limits,
  };
  const plan = maskDeep(open, maskOf(secrets));
  if (isJson) return renderDocument(plan);
  return [
    `Config ${printable(file)} is valid; nothing was looked at.`,
    `  environment ${plan.environment}, log ${printable(plan.logFile)}`,
    "  checks:",
    ...plan.checks.map(renderCheck),
    ...Object.entries(plan.parts).map(([name, reason]) => renderRow(name, `off: ${reason}`)),
    "  limits:",
    ...Object.entries(plan.limits).map(([name, value]) => renderRow(name, value ?? "not checked")),
    "",
  ].join("\n");
}

/** The names of the secrets with the URLs of receivers, each once. */
function credentialsOf({ alert = {} }: Config): string[] {
  const names = (alert.sinks ?? []).map(({ urlFrom }) => urlFrom);
  names.push(alert.ping?.urlFrom);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** A value as a script takes it: a section is the names of its keys. */
function renderValue(value: unknown): string {
  return typeof value === "object" ? Object.keys(value ?? {}).join(" ") : String(value);
}

/** The values at a key with dots, joined by blanks; empty where it is not set. */
function renderKey(document: unknown, key: string): string {
  const value = valueAt(document, `/${key.trim().replaceAll(".", "/")}`) ?? [];
  return [value].flat().map(renderValue).join(" ");
}

/**
 * The effective config without its secrets, as JSON; or for scripts, where `keys` names some,
 * joined by commas, one line for each: lists joined by blanks, empty where it is not set.
 */
export function renderConfig(config: Config, keys: string | undefined): string {
  const { secrets, headers, burninLimits: _, ...open } = config;
  const hidden = Object.keys(headers).map((name) => [name, "***"]);
  const masked = maskDeep({ ...open, headers: Object.fromEntries(hidden) }, maskOf(secrets));
  if (keys === undefined) return renderDocument(masked);
  // Two sections as install.sh asks for them.
  const document = {
    ...masked,
    log: { file: config.logFile },
    alert: { credentials: credentialsOf(config), ping: config.alert?.ping?.urlFrom ?? "" },
  };
  const lines = keys.split(",").map((key) => renderKey(document, key));
  return `${lines.join("\n")}\n`;
}
