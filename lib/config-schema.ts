/**
 * The shape of a config file, and its mistakes told all at once, each with its place, without
 * showing a secret.
 * It reads no file and resolves no default.
 */

import * as path from "node:path";
import type * as Valibot from "valibot";
import { attempt, messageOf, orNull, UserError } from "./attempt.ts";
import { FIELD_NAMES } from "./dialects.ts";
import type { Limits, Rules } from "./rules.ts";
import { load } from "./shipped.ts";
import { nearestWord } from "./text.ts";
import { CHECK_NAMES, type Environment, EXIT, SINK_KINDS } from "./vocabulary.ts";

/** The parts that a config may declare off, beside whole checks. */
const OFF_PARTS = [
  ..."database.integrity database.disk health_endpoint.status health_endpoint.age connection.heartbeat".split(
    " ",
  ),
  ..."configuration.environment configuration.channel configuration.file burnin.connection".split(
    " ",
  ),
];

const isRegex = (source: string): boolean => orNull(() => new RegExp(source)) !== null;
const isTimeZone = (name: string): boolean =>
  orNull(() => new Intl.DateTimeFormat("en", { timeZone: name })) !== null;
const isCredential = (name: string): boolean => /^\w[\w.-]{0,63}$/.test(name);
export const isHttpUrl = (source: string): boolean =>
  URL.canParse(source) && /^https?:$/.test(new URL(source).protocol);

/**
 * The shape of a config in `directory`; config-keys.ts says what its keys mean. A function, for
 * valibot is loaded only when a config is read.
 */
export function configSchema(v: typeof Valibot, table: Rules["limits"], directory = "") {
  const maybe = v.optional;
  const section = <E extends Valibot.ObjectEntries>(entries: E) => maybe(v.strictObject(entries));
  const mapOf = <N extends string, S extends Valibot.GenericSchema>(
    names: readonly N[],
    schemaOf: (name: N) => S,
  ) =>
    v.strictObject(Object.fromEntries(names.map((name) => [name, schemaOf(name)])) as Record<N, S>);
  const flag = maybe(v.boolean());
  const text = v.pipe(v.string(), v.nonEmpty());
  const list = v.pipe(v.array(text), v.minLength(1));
  const absolute = v.transform((relative: string) => path.resolve(directory, relative));
  const file = v.pipe(text, absolute);
  const regex = v.pipe(text, v.check(isRegex, "a regular expression"));
  const regexes = maybe(v.array(regex));
  const url = v.pipe(v.string(), v.check(isHttpUrl, "an http:// or https:// URL"));
  const sentence = maybe(v.pipe(v.string(), v.minLength(3)));
  const pointer = v.pipe(
    v.string(),
    v.startsWith("/"),
    v.description("A JSON pointer, such as /state/connected."),
  );
  const pointers = maybe(v.union([pointer, v.array(pointer)]));
  const limitNames = Object.keys(table) as (keyof Limits)[];
  const limit = (name: keyof Limits) => {
    const { test, least } = table[name];
    const isCount = least !== undefined;
    const isAmount = (value: number): boolean => !isCount || Number.isInteger(value);
    // Beyond a million seconds, timers overflow and end at once.
    const amount = v.pipe(
      v.number(),
      v.finite(),
      v.minValue(least ?? 0),
      v.maxValue(1_000_000),
      v.check(isAmount, "a whole number"),
    );
    return maybe(test === null ? v.nullable(amount) : amount);
  };
  const credential = v.pipe(
    v.string(),
    v.check(isCredential, "the name of a credential, not the URL itself"),
  );
  const sinks = maybe(
    v.array(
      v.strictObject({
        kind: v.picklist(SINK_KINDS),
        urlFrom: maybe(credential),
        command: maybe(list),
      }),
    ),
  );
  const count = (least: number, most: number) =>
    maybe(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)));
  const source = {
    url: maybe(url),
    socket: maybe(file),
    headersFile: maybe(file),
    sql: maybe(text),
    statusUp: maybe(list),
  };
  const logs = {
    files: maybe(v.pipe(v.array(file), v.minLength(1))),
    journal: flag,
    noise: regexes,
    prefix: maybe(regex),
  };
  const rollback = {
    auto: flag,
    on: maybe(v.array(v.picklist(CHECK_NAMES))),
    command: maybe(list),
  };
  const running = {
    environment: maybe(v.union([text, list])),
    channel: maybe(text),
    file: maybe(file),
  };
  const like = (pattern: RegExp, what: string) =>
    v.pipe(text, v.check(pattern.test.bind(pattern), what));
  const metric = maybe(v.nullable(like(/^[A-Za-z_:][\w:]*$/, "the name of a metric")));
  const metrics = section({ connected: metric, errors: metric, uptime: metric, memory: metric });
  return v.strictObject({
    environment: maybe(v.picklist(["test", "prod"])),
    process: v.strictObject({ unit: maybe(text), pidFile: maybe(file), command: maybe(regex) }),
    health: v.strictObject({ ...source, fields: maybe(mapOf(FIELD_NAMES, () => pointers)) }),
    database: section({ file, tables: maybe(list), backup: maybe(file) }),
    errorLogs: section({ ...logs, timeZone: maybe(v.picklist(["local", "utc"])), silent: flag }),
    configuration: section({
      ...running,
      fields: section({ environment: pointers, channel: pointers }),
    }),
    release: section({ version: maybe(text), directory: maybe(file), current: maybe(file) }),
    rollback: section({ ...rollback, maxPerDay: count(0, 100), secondsMax: count(1, 3600) }),
    chatServer: section({ url }),
    burnin: section({
      timeZone: maybe(v.pipe(text, v.check(isTimeZone, "a time zone"))),
      rollback: flag,
      disconnected: regexes,
      connected: regexes,
    }),
    prometheus: section({
      url,
      selector: maybe(like(/^\{.*\}$/, "label matchers in braces")),
      metrics,
    }),
    alertmanager: section({ url, filter: maybe(list) }),
    metrics: section({
      file: v.pipe(
        like(/[^/]\.prom$/, "a name that ends in .prom, as node_exporter wants it"),
        absolute,
      ),
    }),
    alert: section({
      sinks,
      ping: section({ urlFrom: credential }),
      repeatHours: maybe(v.pipe(v.number(), v.minValue(0.01), v.maxValue(8760))),
    }),
    state: section({ directory: maybe(file), flags: maybe(file) }),
    log: section({ file }),
    off: maybe(mapOf([...CHECK_NAMES, ...OFF_PARTS], () => sentence)),
    hints: maybe(mapOf(CHECK_NAMES, () => sentence)),
    limits: maybe(mapOf(limitNames, limit)),
  });
}
export type ConfigFile = Valibot.InferOutput<ReturnType<typeof configSchema>>;
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
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : "nothing";
}

const KINDS: Readonly<Record<string, string>> = {
  Object: "a map",
  Array: "a list",
  string: "text",
  number: "a number",
  boolean: "true or false",
};
function issueOf({
  path: at,
  type,
  received,
  expected,
  message,
  input,
}: Valibot.BaseIssue<unknown>): ConfigIssue {
  const key = (at ?? []).map((item) => String(item.key));
  if (received === "undefined") return { key, message: "missing; expected a value" };
  const said =
    type === "check"
      ? message
      : type === "union"
        ? "text or a list of texts"
        : (expected ?? message).replaceAll('"', "");
  return { key, message: `expected ${KINDS[said] ?? said}, found ${describeFound(input)}` };
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

type Demand = [holds: unknown, key: string, message: string];
/** Rules between keys, which a schema cannot say. */
function crossIssues(file: ConfigFile, needsConfiguration: boolean): ConfigIssue[] {
  const { process: bot, health, database, errorLogs, configuration, alert, off = {} } = file;
  const ways = [bot.unit, bot.pidFile, bot.command].filter((way) => way !== undefined).length;
  const hasLogs = errorLogs?.files || (bot.unit && errorLogs?.journal !== false) || off.error_logs;
  const isKnown = configuration || off.configuration || !needsConfiguration;
  const demands: Demand[] = [
    [ways === 1, "process", `expected exactly one of unit, pidFile and command, found ${ways}`],
    [Boolean(health.url) !== Boolean(health.sql), "health", "expected exactly one of url and sql"],
    [!health.sql || /^\s*(select|with)\b/i.test(health.sql), "health.sql", "expected a SELECT"],
    [!health.sql || database, "health.sql", "reads database.file, which is missing"],
    [
      database || off.database,
      "database",
      "missing; name the file, or say in off.database why there is none",
    ],
    [
      hasLogs,
      "errorLogs",
      "missing; name the log files, or say in off.error_logs why there are none",
    ],
    [
      !errorLogs?.prefix || errorLogs.prefix.includes("(?<level>"),
      "errorLogs.prefix",
      "has no group (?<level>…)",
    ],
    [!errorLogs?.journal || bot.unit, "errorLogs.journal", "needs process.unit"],
    ...(alert?.sinks ?? []).map(({ kind, urlFrom, command }, index): Demand => {
      const [needs, has, other] =
        kind === "command" ? ["command", command, urlFrom] : ["urlFrom", urlFrom, command];
      return [
        has && !other,
        `alert.sinks.${index}`,
        `kind ${kind} needs ${needs}, and nothing else`,
      ];
    }),
    [
      isKnown,
      "configuration",
      "missing; say what must be running, or say in off.configuration why it cannot be known",
    ],
  ];
  return demands.flatMap(([holds, key, message]) =>
    holds ? [] : [{ key: key.split("."), message }],
  );
}

/** Where a key stands in the text, or else the nearest key above it. */
function offsetOf(node: unknown, [name, ...rest]: string[], offset = 0): number {
  if (name === undefined) return offset;
  const { isMap, isSeq } = load("yaml") as typeof import("yaml");
  const pair = isMap(node) ? node.items.find((item) => String(item.key) === name) : undefined;
  const value = isSeq(node) ? node.items[Number(name)] : pair?.value;
  const { range } = (pair?.key ?? value ?? {}) as { range?: [number, number, number] };
  return offsetOf(value, rest, range?.[0] ?? offset);
}

/**
 * Parses and validates a config's text. All mistakes are reported at once, each with its place.
 * Throws a `UserError` 78.
 */
export function parseConfig(
  text: string,
  file: string,
  name: string,
  rules: Rules,
): ConfigFile & { environment: Environment } {
  const yaml = load("yaml") as typeof import("yaml");
  const v = load("valibot") as typeof Valibot;
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const refuse = (mistakes: { at: number; message: string }[]): never => {
    const placed = mistakes
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, message }) => ({ ...lines.linePos(at), message }));
    throw new UserError(
      EXIT.config,
      placed.map(({ line, col, message }) => `${file}:${line}:${col}: ${message}`).join("\n"),
    );
  };
  // YAML's own messages may quote the line, and the line may hold a secret: only their fixed
  // beginning is used.
  const withoutQuotes = (message: string): string =>
    message.split(/[:\n"'`!]/)[0]?.trim() || "broken YAML";
  if (document.errors.length)
    refuse(
      document.errors.map(({ pos, message }) => ({ at: pos[0], message: withoutQuotes(message) })),
    );
  // Aliases are resolved only now: one without an anchor, or so many that they are an attack.
  const refuseAlias = (error: unknown) =>
    refuse([{ at: Math.max(0, text.indexOf("*")), message: withoutQuotes(messageOf(error)) }]);
  let raw: unknown = attempt(() => document.toJS({ maxAliasCount: 20 }) ?? {}, refuseAlias);
  // A section whose keys are all commented out is not there.
  if (yaml.isMap(document.contents))
    raw = Object.fromEntries(Object.entries(raw as object).filter(([, value]) => value !== null));
  const schema = configSchema(v, rules.limits, path.dirname(file));
  const issues = takeUnknownKeys(schema, raw);
  const result = v.safeParse(schema, raw);
  if (!result.success)
    // Unknown keys are told already.
    issues.push(...result.issues.filter((issue) => issue.expected !== "never").map(issueOf));
  const said = result.success ? (result.output.environment ?? name) : "prod";
  const environment = said === "test" || said === "prod" ? said : undefined;
  if (!environment)
    issues.push({
      key: ["environment"],
      message: `missing; expected test or prod, because the name "${name}" does not say which`,
    });
  if (result.success && environment && !issues.length)
    // A missing key may be misspelt.
    issues.push(...crossIssues(result.output, rules.needsConfiguration[environment]));
  if (result.success && environment && !issues.length) return { ...result.output, environment };
  const shown = (key: string[]): string => (key.length ? `${key.map(shownKey).join(".")}: ` : "");
  return refuse(
    issues.map(({ key, message }) => ({
      at: offsetOf(document.contents, key),
      message: shown(key) + message,
    })),
  );
}
