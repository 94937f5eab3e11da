/**
 * Parses the text of a config, and tells all its mistakes at once, each with its place, without
 * showing a secret. It reads no file and resolves no default.
 */

import * as path from "node:path";
import * as v from "valibot";
import * as yaml from "yaml";
import { messageOf, UserError } from "./attempt.ts";
import type { ConfigFile } from "./config-file.ts";
import { configSchema } from "./config-schema.ts";
import type { Rules } from "./rules.ts";
import { nearestWord } from "./text.ts";
import { type Environment, EXIT } from "./vocabulary.ts";

type ConfigIssue = { key: string[]; message: string };
/** No key of a config has a digit in it, but a secret in the wrong place has. */
const shownKey = (key: string): string =>
  /^(\d{1,3}|[A-Za-z_.-]{1,40})$/.test(key) ? key : `(a key of ${key.length} characters)`;

/**
 * Shows what was found without showing a secret: numbers, booleans and short quantities as they
 * are, anything else by its kind.
 */
export function describeFound(value: unknown): string {
  if (value === null || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (typeof value === "string")
    return /^[\d.]{1,12} ?(ms|s|sec|min|h|d|[kmg]i?b?|%)?$/i.test(value)
      ? `"${value}"`
      : `text of ${value.length} characters`;
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : "nothing";
}

const KINDS: Readonly<Record<string, string>> = {
  Object: "a map",
  Array: "a list",
  string: "text",
  number: "a number",
  boolean: "true or false",
};
/** What was expected, in words that are not the validator's. */
function expectedIn({ type, expected, message }: v.BaseIssue<unknown>): string {
  if (type === "check") return message;
  if (type === "union") return "text or a list of texts";
  const said = (expected ?? message).replaceAll('"', "");
  return KINDS[said] ?? said;
}

function issueOf(issue: v.BaseIssue<unknown>): ConfigIssue {
  const key = (issue.path ?? []).map((item) => String(item.key));
  if (issue.received === "undefined") return { key, message: "missing; expected a value" };
  const found = describeFound(issue.input);
  return { key, message: `expected ${expectedIn(issue)}, found ${found}` };
}

/**
 * Takes out the keys that a schema does not know and reports each: valibot itself stops at the
 * first one of a map.
 */
function takeUnknownKeys(schema: unknown, value: unknown, at: string[] = []): ConfigIssue[] {
  const { wrapped, item, entries } = schema as {
    wrapped?: unknown;
    item?: unknown;
    entries?: Record<string, unknown>;
  };
  if (wrapped) return takeUnknownKeys(wrapped, value, at);
  if (item && Array.isArray(value))
    return value.flatMap((inner, index) => takeUnknownKeys(item, inner, [...at, String(index)]));
  if (!entries || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const key = [...at, name];
    if (Object.hasOwn(entries, name)) return takeUnknownKeys(entries[name], inner, key);
    Reflect.deleteProperty(value, name);
    const near = nearestWord(name, Object.keys(entries));
    return [{ key, message: `unknown key${near ? `; did you mean "${near}"?` : ""}` }];
  });
}

/** A rule between keys: where it does not hold, `message` stands at `key`. */
type Demand = { holds: boolean; key: string; message: string };

function demandsOfAlert({ alert }: ConfigFile): Demand[] {
  return (alert?.sinks ?? []).map(({ kind, urlFrom, command }, index) => {
    const isCommand = kind === "command";
    return {
      holds: isCommand ? Boolean(command && !urlFrom) : Boolean(urlFrom && !command),
      key: `alert.sinks.${index}`,
      message: `kind ${kind} needs ${isCommand ? "command" : "urlFrom"}, and nothing else`,
    };
  });
}

function demandsOfHealth({ health, database }: ConfigFile): Demand[] {
  const { url, sql } = health;
  return [
    {
      holds: Boolean(url) !== Boolean(sql),
      key: "health",
      message: "expected exactly one of url and sql",
    },
    {
      holds: !sql || /^\s*(select|with)\b/i.test(sql),
      key: "health.sql",
      message: "expected a SELECT",
    },
    {
      holds: !sql || Boolean(database),
      key: "health.sql",
      message: "reads database.file, which is missing",
    },
  ];
}

function demandsOfLogs({ process: bot, errorLogs, off }: ConfigFile): Demand[] {
  const readsJournal = Boolean(bot.unit) && errorLogs?.journal !== false;
  return [
    {
      holds: Boolean(errorLogs?.files || off?.error_logs) || readsJournal,
      key: "errorLogs",
      message: "missing; name the log files, or say in off.error_logs why there are none",
    },
    {
      holds: !errorLogs?.prefix || errorLogs.prefix.includes("(?<level>"),
      key: "errorLogs.prefix",
      message: "has no group (?<level>…)",
    },
    {
      holds: !errorLogs?.journal || Boolean(bot.unit),
      key: "errorLogs.journal",
      message: "needs process.unit",
    },
  ];
}

/** Rules between keys, which a schema cannot say. */
function crossIssues(file: ConfigFile, needsConfiguration: boolean): ConfigIssue[] {
  const { process: bot, database, configuration, off } = file;
  const ways = [bot.unit, bot.pidFile, bot.command].filter((way) => way !== undefined).length;
  const demands: Demand[] = [
    {
      holds: ways === 1,
      key: "process",
      message: `expected exactly one of unit, pidFile and command, found ${ways}`,
    },
    ...demandsOfHealth(file),
    {
      holds: Boolean(database || off?.database),
      key: "database",
      message: "missing; name the file, or say in off.database why there is none",
    },
    ...demandsOfLogs(file),
    ...demandsOfAlert(file),
    {
      holds: Boolean(configuration || off?.configuration) || !needsConfiguration,
      key: "configuration",
      message:
        "missing; say what must be running, or say in off.configuration why it cannot be known",
    },
  ];
  const broken = demands.filter(({ holds }) => !holds);
  return broken.map(({ key, message }) => ({ key: key.split("."), message }));
}

/** The data of a YAML or JSON text; aliases are bounded, for too many of them are an attack. */
export const parseYaml = (text: string): unknown => yaml.parse(text, { maxAliasCount: 20 });

/** Where a key stands in the text, or else the nearest key above it. */
function offsetOf(node: unknown, [name, ...rest]: string[], offset = 0): number {
  if (name === undefined) return offset;
  const pair = yaml.isMap(node) ? node.items.find((item) => String(item.key) === name) : undefined;
  const value = yaml.isSeq(node) ? node.items[Number(name)] : pair?.value;
  const { range } = (pair?.key ?? value ?? {}) as { range?: [number, number, number] };
  return offsetOf(value, rest, range?.[0] ?? offset);
}

/** A mistake, by its offset in the text. */
type Mistake = { at: number; message: string };
/** What is parsed: a config's text, the file it is from, and the name of its environment. */
type Source = { text: string; file: string; name: string };

/** Throws all mistakes as one error, each with line and column. */
function refuse({ file }: Source, lines: yaml.LineCounter, mistakes: readonly Mistake[]): never {
  const placed = mistakes
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, message }) => {
      const { line, col } = lines.linePos(at);
      return `${file}:${line}:${col}: ${message}`;
    });
  throw new UserError(EXIT.config, placed.join("\n"));
}

/**
 * YAML's own messages may quote the line, and the line may hold a secret: only their fixed
 * beginning is used.
 */
const withoutQuotes = (message: string): string =>
  message.split(/[:\n"'`!]/)[0]?.trim() || "broken YAML";

/** The text as a document and as data. Sections whose keys are all commented out are not there. */
function parseDocument(source: Source, lines: yaml.LineCounter): [yaml.Document, unknown] {
  const { text } = source;
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length) {
    const mistakes = document.errors.map(({ pos, message }) => ({
      at: pos[0],
      message: withoutQuotes(message),
    }));
    refuse(source, lines, mistakes);
  }
  try {
    // Aliases are resolved only now: one without an anchor, or so many that they are an attack.
    const data: unknown = document.toJS({ maxAliasCount: 20 }) ?? {};
    if (!yaml.isMap(document.contents)) return [document, data];
    const sections = Object.entries(data as object).filter(([, value]) => value !== null);
    return [document, Object.fromEntries(sections)];
  } catch (error) {
    const at = Math.max(0, text.indexOf("*"));
    return refuse(source, lines, [{ at, message: withoutQuotes(messageOf(error)) }]);
  }
}

/** The environment that a file says it is for, or that its name says. */
function environmentOf(file: ConfigFile, name: string): Environment | null {
  const said = file.environment ?? name;
  return said === "test" || said === "prod" ? said : null;
}

/**
 * Parses and validates a config's text. All mistakes are reported at once, each with its place.
 * Throws a `UserError` 78.
 */
export function parseConfig(
  source: Source,
  rules: Rules,
): ConfigFile & { environment: Environment } {
  const lines = new yaml.LineCounter();
  const [document, data] = parseDocument(source, lines);
  const schema = configSchema(rules.limits, path.dirname(source.file));
  const issues = takeUnknownKeys(schema, data);
  const result = v.safeParse(schema, data);
  if (!result.success) {
    // Unknown keys are told already.
    issues.push(...result.issues.filter((issue) => issue.expected !== "never").map(issueOf));
  }
  const file: ConfigFile | null = result.success ? result.output : null;
  const environment = file && environmentOf(file, source.name);
  if (file && !environment) {
    const why = `because the name "${source.name}" does not say which`;
    issues.push({ key: ["environment"], message: `missing; expected test or prod, ${why}` });
  }
  // A missing key may be misspelt, so rules between keys come last.
  if (file && environment && !issues.length) {
    issues.push(...crossIssues(file, rules.needsConfiguration[environment]));
  }
  if (file && environment && !issues.length) return { ...file, environment };
  const mistakes = issues.map(({ key, message }) => {
    const shown = key.length ? `${key.map(shownKey).join(".")}: ` : "";
    return { at: offsetOf(document.contents, key), message: shown + message };
  });
  return refuse(source, lines, mistakes);
}
