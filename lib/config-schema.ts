/**
 * The shape of a config file, for the validator and for editors; config-keys.ts says what its keys
 * mean. Rules between keys are config-parse.ts's.
 */

import * as path from "node:path";
import * as v from "valibot";
import { orNull } from "./attempt.ts";
import { OFF_PARTS } from "./config-file.ts";
import { FIELD_NAMES } from "./dialects.ts";
import { isHttpUrl } from "./http.ts";
import type { Limits, Rules } from "./rules.ts";
import { CHECK_NAMES, SINK_KINDS } from "./vocabulary.ts";

const isRegex = (source: string): boolean => orNull(() => new RegExp(source)) !== null;
const isTimeZone = (name: string): boolean =>
  orNull(() => new Intl.DateTimeFormat("en", { timeZone: name })) !== null;
const isCredential = (name: string): boolean => /^\w[\w.-]{0,63}$/.test(name);

const maybe = v.optional;
const section = <E extends v.ObjectEntries>(entries: E) => maybe(v.strictObject(entries));
/** A map with these keys, each of the same schema, or of one that depends on the key. */
const mapOf = <N extends string, S extends v.GenericSchema>(
  names: readonly N[],
  schemaOf: (name: N) => S,
) =>
  v.strictObject(Object.fromEntries(names.map((name) => [name, schemaOf(name)])) as Record<N, S>);

const flag = maybe(v.boolean());
const text = v.pipe(v.string(), v.nonEmpty());
const list = v.pipe(v.array(text), v.minLength(1));
const sentence = maybe(v.pipe(v.string(), v.minLength(3)));
const like = (pattern: RegExp, what: string) =>
  v.pipe(text, v.check(pattern.test.bind(pattern), what));
const regex = v.pipe(text, v.check(isRegex, "a regular expression"));
const regexes = maybe(v.array(regex));
const url = v.pipe(v.string(), v.check(isHttpUrl, "an http:// or https:// URL"));
const pointer = v.pipe(
  v.string(),
  v.startsWith("/"),
  v.description("A JSON pointer, such as /state/connected."),
);
const pointers = maybe(v.union([pointer, v.array(pointer)]));
const count = (least: number, most: number) =>
  maybe(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)));
const credential = v.pipe(
  v.string(),
  v.check(isCredential, "the name of a credential, not the URL itself"),
);
const metric = maybe(v.nullable(like(/^[A-Za-z_:][\w:]*$/, "the name of a metric")));

/** One limit; a count of nothing would pass without a look, so `least` holds for counts. */
function limitSchema({ test, least }: Rules["limits"][keyof Limits]) {
  const isAmount = (value: number): boolean => least === undefined || Number.isInteger(value);
  const amount = v.pipe(
    v.number(),
    v.finite(),
    v.minValue(least ?? 0),
    // Beyond a million seconds, timers overflow and end at once.
    v.maxValue(1_000_000),
    v.check(isAmount, "a whole number"),
  );
  return maybe(test === null ? v.nullable(amount) : amount);
}

const rollbackSchema = section({
  auto: flag,
  on: maybe(v.array(v.picklist(CHECK_NAMES))),
  command: maybe(list),
  maxPerDay: count(0, 100),
  secondsMax: count(1, 3600),
});

const burninSchema = section({
  timeZone: maybe(v.pipe(text, v.check(isTimeZone, "a time zone"))),
  rollback: flag,
  disconnected: regexes,
  connected: regexes,
});

const prometheusSchema = section({
  url,
  selector: maybe(like(/^\{.*\}$/, "label matchers in braces")),
  metrics: section({ connected: metric, errors: metric, uptime: metric, memory: metric }),
});

const sinkSchema = v.strictObject({
  kind: v.picklist(SINK_KINDS),
  urlFrom: maybe(credential),
  command: maybe(list),
});
const alertSchema = section({
  sinks: maybe(v.array(sinkSchema)),
  ping: section({ urlFrom: credential }),
  repeatHours: maybe(v.pipe(v.number(), v.minValue(0.01), v.maxValue(8760))),
});

/** The shape of a config in `directory`, from which its paths are taken. */
export function configSchema(table: Rules["limits"], directory = "") {
  const absolute = v.transform((relative: string) => path.resolve(directory, relative));
  const file = v.pipe(text, absolute);
  const limitNames = Object.keys(table) as (keyof Limits)[];
  return v.strictObject({
    environment: maybe(v.picklist(["test", "prod"])),
    process: v.strictObject({ unit: maybe(text), pidFile: maybe(file), command: maybe(regex) }),
    health: v.strictObject({
      url: maybe(url),
      socket: maybe(file),
      headersFile: maybe(file),
      sql: maybe(text),
      statusUp: maybe(list),
      fields: maybe(mapOf(FIELD_NAMES, () => pointers)),
    }),
    database: section({ file, tables: maybe(list), backup: maybe(file) }),
    errorLogs: section({
      files: maybe(v.pipe(v.array(file), v.minLength(1))),
      journal: flag,
      noise: regexes,
      prefix: maybe(regex),
      timeZone: maybe(v.picklist(["local", "utc"])),
      silent: flag,
    }),
    configuration: section({
      environment: maybe(v.union([text, list])),
      channel: maybe(text),
      file: maybe(file),
      fields: section({ environment: pointers, channel: pointers }),
    }),
    release: section({ version: maybe(text), directory: maybe(file), current: maybe(file) }),
    rollback: rollbackSchema,
    chatServer: section({ url }),
    burnin: burninSchema,
    prometheus: prometheusSchema,
    alertmanager: section({ url, filter: maybe(list) }),
    metrics: section({
      file: v.pipe(
        like(/[^/]\.prom$/, "a name that ends in .prom, as node_exporter wants it"),
        absolute,
      ),
    }),
    alert: alertSchema,
    state: section({ directory: maybe(file), flags: maybe(file) }),
    log: section({ file }),
    off: maybe(mapOf([...CHECK_NAMES, ...OFF_PARTS], () => sentence)),
    hints: maybe(mapOf(CHECK_NAMES, () => sentence)),
    limits: maybe(mapOf(limitNames, (name) => limitSchema(table[name]))),
  });
}
