/**
 * The configuration: what is accepted, what is refused and in which words, and what never shows up
 * in them.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { UserError } from "../lib/attempt.ts";
import { type Config, findConfig, parseHeaders, readConfig } from "../lib/config.ts";
import { describeFound, parseConfig } from "../lib/config-parse.ts";
import { HEALTH_FIELDS } from "../lib/dialects.ts";
import { maskOf } from "../lib/masking.ts";
import { CHECK_NAMES, EXIT } from "../lib/vocabulary.ts";
import { LIMITS, POLICY, RULES } from "../verify.ts";
import {
  createDirectory,
  merge,
  projectDirectory,
  runVerify,
  type Settings,
} from "./support/harness.ts";
import { renderConfigSchema } from "./support/schema.ts";

const configDirectory = join(projectDirectory, "config");
const shipped = readdirSync(configDirectory).filter((name) => name.endsWith(".yaml"));

/** The smallest config that prod accepts. */
const least: Settings = {
  process: { pidFile: "bot.pid" },
  health: { url: "http://127.0.0.1:8080/api/health" },
  database: { file: "bot_data.db" },
  errorLogs: { files: ["bot.log"] },
  configuration: { environment: "prod", channel: "#demo" },
};

function linesOf(text: string, name = "prod"): string[] {
  try {
    parseConfig({ text, file: "site.yaml", name }, RULES);
  } catch (error) {
    assert.ok(
      error instanceof UserError,
      `a config of a person's making ended with ${(error as Error).stack}`,
    );
    assert.equal(error.code, EXIT.config);
    return error.message.split("\n");
  }
  return [];
}

/** What is wrong with the smallest config when these settings are laid over it. */
function refused(over: Settings, name = "prod"): string[] {
  return linesOf(stringify(merge(least, over)), name);
}

function readText(over: Settings): Config {
  const directory = createDirectory();
  writeFileSync(join(directory, "site.yaml"), stringify(merge(least, over)));
  return readConfig("prod", join(directory, "site.yaml"), RULES);
}

// ---------------------------------------------------------------------------- shipped files

for (const file of shipped) {
  test(`config/${file} parses, resolves, and is valid against the published schema`, () => {
    const text = readFileSync(join(configDirectory, file), "utf8");
    assert.deepEqual(linesOf(text, file.slice(0, -5)), []);
    const config = readConfig(file.slice(0, -5), join(configDirectory, file), RULES);
    assert.equal(config.name, file.slice(0, -5));
    assert.ok(Object.isFrozen(config));
    const schema = JSON.parse(readFileSync(join(configDirectory, "schema.json"), "utf8")) as {
      $schema?: string;
    };
    const ajv = schema.$schema?.includes("2020")
      ? new Ajv2020({ strict: false })
      : new Ajv({ strict: false });
    const valid = ajv.compile(schema);
    assert.ok(valid(parse(text)), JSON.stringify(valid.errors));
  });

  test(`config/${file} explains each key that it sets`, () => {
    const lines = readFileSync(join(configDirectory, file), "utf8").split("\n");
    const silent = lines.filter(
      (line, index) =>
        /^ {2}\w+:/.test(line) && !lines.slice(0, index).some((before) => /^\s*#/.test(before)),
    );
    assert.deepEqual(silent, []);
  });
}

test("config/ holds an environment for the demo, for test and for prod", () => {
  for (const name of ["demo", "prod", "test"]) assert.ok(shipped.includes(`${name}.yaml`), name);
});

test("config/prod.yaml names every key that there is", () => {
  const prod = readFileSync(join(configDirectory, "prod.yaml"), "utf8");
  const known: string[] = [];
  const walk = (schema: Record<string, unknown>): void => {
    for (const [key, inner] of Object.entries(
      (schema.properties ?? {}) as Record<string, Record<string, unknown>>,
    )) {
      if (key === "limits") continue;
      known.push(key);
      walk(inner);
    }
  };
  walk(
    JSON.parse(readFileSync(join(configDirectory, "schema.json"), "utf8")) as Record<
      string,
      unknown
    >,
  );
  assert.ok(known.length > 25, `only ${known.length} keys were found in the schema`);
  assert.deepEqual(
    known.filter((key) => !new RegExp(`\\b${key}\\b`).test(prod)),
    [],
  );
});

test("config/schema.json is of the schema that configs are parsed with, and `config --schema` prints it", async () => {
  const { code, stdout } = await runVerify(["config", "--schema"]);
  assert.equal(code, 0);
  assert.equal(
    readFileSync(join(configDirectory, "schema.json"), "utf8"),
    renderConfigSchema(),
    "run: npm run schema",
  );
  assert.equal(stdout, renderConfigSchema());
});

test("config/schema.json says of every key what it means", () => {
  const silent: string[] = [];
  const walk = (schema: Record<string, unknown>, at: string): void => {
    for (const [key, inner] of Object.entries(
      (schema.properties ?? {}) as Record<string, Record<string, unknown>>,
    )) {
      // A section's keys speak for it, and so does the list of fields, of checks or of parts.
      if (
        !inner.properties &&
        !inner.description &&
        !/^\/(health\/fields|configuration\/fields|off|hints)$/.test(at)
      )
        silent.push(`${at}/${key}`);
      walk(inner, `${at}/${key}`);
    }
  };
  walk(
    JSON.parse(readFileSync(join(configDirectory, "schema.json"), "utf8")) as Record<
      string,
      unknown
    >,
    "",
  );
  assert.deepEqual(silent, []);
});

test("config/schema.json refuses what parseConfig() refuses of wrong types and unknown keys", () => {
  const schema = JSON.parse(readFileSync(join(configDirectory, "schema.json"), "utf8")) as {
    $schema?: string;
  };
  const valid = new Ajv({ strict: false, validateSchema: false }).compile(schema);
  assert.ok(valid(least), JSON.stringify(valid.errors));
  for (const over of [
    { proces: {} },
    { limits: { watchSeconds: "300" } },
    { health: { ulr: "x" } },
    { errorLogs: { files: "bot.log" } },
    { off: { process: 1 } },
  ])
    assert.ok(!valid(merge(least, over)), JSON.stringify(over));
});

// ---------------------------------------------------------------------------- limits

test("LIMITS of test and prod are the seed's tables", () => {
  const seed = {
    // name: [test, prod]
    responseMsAvgMax: [2000, 1000],
    startupSecondsMax: [10, 30],
    checksSecondsMax: [120, 300],
    healthTriesMax: [3, 5],
    memoryMbMax: [null, 500],
    errorsMax: [null, 0],
    watchSeconds: [0, 300],
    userCountMin: [null, 1],
    errorWindowSeconds: [300, 300],
    responseSamples: [5, 5],
    databaseMsMax: [2000, 2000],
    healthTimeoutMs: [5000, 5000],
  } as const;
  for (const [name, [forTest, forProd]] of Object.entries(seed)) {
    const row = LIMITS[name as keyof typeof seed];
    assert.deepEqual([row.test, row.prod], [forTest, forProd], name);
  }
});

test("LIMITS give each number a reason, and prod is nowhere looser than test where the seed is stricter", () => {
  for (const [name, row] of Object.entries(LIMITS)) {
    assert.match(row.why, /^[A-Z].{20,}\.$/s, name);
    assert.equal(typeof row.prod, "number", `${name} is not checked in prod`);
  }
});

test("readConfig() takes the limits of the environment, and the file's own over them", () => {
  const prod = readText({ limits: { watchSeconds: 10, memoryMbMax: 300 } });
  assert.equal(prod.limits.watchSeconds, 10);
  assert.equal(prod.limits.memoryMbMax, 300);
  assert.equal(prod.limits.responseMsAvgMax, 1000);
  const relaxed = readText({ environment: "test" });
  assert.equal(relaxed.limits.responseMsAvgMax, 2000);
  assert.equal(relaxed.limits.watchSeconds, 0);
});

test("POLICY lets an unknown fail in prod, and warn in test", () => {
  assert.deepEqual(POLICY, {
    test: { unknown: "warn", configuration: false },
    prod: { unknown: "unknown", configuration: true },
  });
});

// ---------------------------------------------------------------------------- rules between keys

const rules: [what: string, over: Settings, complaint: RegExp | null][] = [
  ["one way to find the process: a pid file", {}, null],
  [
    "one way to find the process: a unit",
    { process: { pidFile: null, unit: "bot.service" } },
    null,
  ],
  [
    "one way to find the process: a command",
    { process: { pidFile: null, command: "bot\\.py" } },
    null,
  ],
  [
    "two ways to find the process",
    { process: { unit: "bot.service" } },
    /^site\.yaml:1:1: process: expected exactly one of unit, pidFile and command, found 2$/,
  ],
  [
    "no way to find the process",
    { process: { pidFile: null } },
    /process: expected exactly one of .*, found 0$/,
  ],
  [
    "health from a URL and from a query",
    { health: { sql: "SELECT 1" } },
    /health: expected exactly one of url and sql$/,
  ],
  [
    "health from nowhere",
    { health: { url: null } },
    /health: expected exactly one of url and sql$/,
  ],
  ["health from a query", { health: { url: null, sql: "SELECT * FROM current_status" } }, null],
  [
    "health from a WITH query",
    { health: { url: null, sql: "with s as (select 1) select * from s" } },
    null,
  ],
  [
    "health from a query that writes",
    { health: { url: null, sql: "DELETE FROM current_status" } },
    /health\.sql: expected a SELECT$/,
  ],
  [
    "health from a query without a database",
    { health: { url: null, sql: "SELECT 1" }, database: null, off: { database: "elsewhere" } },
    /health\.sql: reads database\.file, which is missing$/,
  ],
  [
    "no database",
    { database: null },
    /database: missing; name the file, or say in off\.database why/,
  ],
  ["no database, with the reason", { database: null, off: { database: "the bot has none" } }, null],
  [
    "no log",
    { errorLogs: null },
    /errorLogs: missing; name the log files, or say in off\.error_logs why/,
  ],
  ["no log, with the reason", { errorLogs: null, off: { error_logs: "it logs nowhere" } }, null],
  [
    "no log file, but a unit with a journal",
    { errorLogs: null, process: { pidFile: null, unit: "bot.service" } },
    null,
  ],
  [
    "no log file, and the journal left out",
    { errorLogs: { files: null, journal: false }, process: { pidFile: null, unit: "bot.service" } },
    /errorLogs: missing/,
  ],
  [
    "a journal without a unit",
    { errorLogs: { journal: true } },
    /errorLogs\.journal: needs process\.unit$/,
  ],
  [
    "a journal of a unit",
    { errorLogs: { journal: true }, process: { pidFile: null, unit: "bot.service" } },
    null,
  ],
  ["no configuration", { configuration: null }, /configuration: missing; say what must be running/],
  [
    "no configuration, with the reason",
    { configuration: null, off: { configuration: "the document has neither" } },
    null,
  ],
  ["a part that is off", { off: { "connection.heartbeat": "the bot has none" } }, null],
  [
    "a part that does not exist",
    { off: { "connection.hartbeat": "the bot has none" } },
    /off\.connection\.hartbeat: unknown key; did you mean "connection\.heartbeat"\?$/,
  ],
  ["a hint for a check", { hints: { process: "Call the operator." } }, null],
  [
    "a hint for no check",
    { hints: { proces: "Call the operator." } },
    /hints\.proces: unknown key; did you mean "process"\?$/,
  ],
  ["a Prometheus by its address alone", { prometheus: { url: "http://127.0.0.1:9090" } }, null],
  [
    "a Prometheus without an address",
    { prometheus: { selector: "{}" } },
    /prometheus\.url: missing; expected a value$/,
  ],
  [
    "a selector with braces in it",
    { prometheus: { url: "http://a/", selector: '{env=~"{1,2}",job!="x"}' } },
    null,
  ],
  [
    "a selector without braces",
    { prometheus: { url: "http://a/", selector: 'env="prod"' } },
    /selector: expected label matchers in braces, found text/,
  ],
  [
    "a bot without one of the metrics",
    { prometheus: { url: "http://a/", metrics: { memory: null, uptime: "a:b_total" } } },
    null,
  ],
  [
    "a metric with labels",
    { prometheus: { url: "http://a/", metrics: { uptime: "a{}" } } },
    /metrics\.uptime: expected the name of a metric, found text/,
  ],
  [
    "an Alertmanager with a filter",
    { alertmanager: { url: "https://a/am", filter: ['env="prod"'] } },
    null,
  ],
  [
    "an Alertmanager on no web address",
    { alertmanager: { url: "a:9093" } },
    /alertmanager\.url: expected an http:\/\/ or https:\/\/ URL/,
  ],
  ["a file of metrics", { metrics: { file: "/var/lib/prometheus/node-exporter/bot.prom" } }, null],
  [
    "a file of metrics that node_exporter would not read",
    { metrics: { file: "bot.txt" } },
    /metrics\.file: expected a name that ends in \.prom, as node_exp/,
  ],
  [
    "a file of metrics without a name",
    { metrics: { file: "/var/lib/.prom" } },
    /metrics\.file: expected a name/,
  ],
  [
    "a list of accepted environments",
    { configuration: { environment: ["prod", "production"] } },
    null,
  ],
];
for (const [what, over, complaint] of rules) {
  test(`parseConfig() ${complaint ? "refuses" : "accepts"} ${what}`, () => {
    const lines = refused(over);
    if (complaint === null) assert.deepEqual(lines, []);
    else
      assert.ok(
        lines.some((line) => complaint.test(line)),
        lines.join("\n") || "it was accepted",
      );
  });
}

test("parseConfig() does not ask for a configuration in test, where it is not checked", () => {
  assert.deepEqual(refused({ configuration: null, environment: "test" }), []);
});

test("parseConfig() takes the environment from the name of the file, where it is test or prod", () => {
  assert.equal(
    parseConfig({ text: stringify(least), file: "prod.yaml", name: "prod" }, RULES).environment,
    "prod",
  );
  assert.equal(
    parseConfig({ text: stringify(least), file: "test.yaml", name: "test" }, RULES).environment,
    "test",
  );
  assert.equal(
    parseConfig(
      { text: stringify({ ...least, environment: "test" }), file: "prod.yaml", name: "prod" },
      RULES,
    ).environment,
    "test",
  );
  assert.match(
    linesOf(stringify(least), "prod-movies")[0] as string,
    /environment: missing; expected test or prod, because the name "prod-movies" does not say which$/,
  );
});

for (const name of CHECK_NAMES) {
  test(`parseConfig() accepts off.${name} with a reason, and refuses it without`, () => {
    assert.deepEqual(refused({ off: { [name]: "cannot exist here" } }), []);
    assert.match(
      refused({ off: { [name]: "" } }).join("\n"),
      new RegExp(`off\\.${name}: expected`),
    );
  });
}

// ---------------------------------------------------------------------------- wrong keys, types, units

test("parseConfig() names the nearest key, with line and column", () => {
  const text = stringify(least).replace("url:", "ulr:");
  const at = text.split("\n").findIndex((line) => line.includes("ulr")) + 1;
  assert.equal(linesOf(text)[0], `site.yaml:${at}:3: health.ulr: unknown key; did you mean "url"?`);
});

for (const [over, key, near] of [
  [{ proces: {} }, "proces", "process"],
  [{ limits: { memoryMBMax: 1 } }, "limits.memoryMBMax", "memoryMbMax"],
  [{ limits: { watchSecond: 1 } }, "limits.watchSecond", "watchSeconds"],
  [{ health: { fields: { uptimes: "/a" } } }, "health.fields.uptimes", "uptime"],
  [{ errorLogs: { file: "a" } }, "errorLogs.file", "files"],
  [{ database: { table: ["a"] } }, "database.table", "tables"],
] as [Settings, string, string][]) {
  test(`parseConfig() offers ${near} for ${key}`, () => {
    assert.ok(
      refused(over).some((line) => line.endsWith(`: ${key}: unknown key; did you mean "${near}"?`)),
      refused(over).join("\n"),
    );
  });
}

test("parseConfig() offers nothing where nothing is near", () => {
  assert.match(refused({ zzzzzzzzzzzz: 1 })[0] as string, /: zzzzzzzzzzzz: unknown key$/);
});

test("parseConfig() reports several mistakes at once, each in its line", () => {
  const text = [
    "environment: production",
    "proces: {}",
    "process:",
    "  pidFile: 7",
    "health:",
    "  url: ftp://127.0.0.1/",
    "  fields:",
    "    connected: state/connected",
    "limits:",
    "  watchSeconds: 5 min",
    "  memoryMbMax: -1",
    "  missesMx: 3",
  ].join("\n");
  const lines = linesOf(text);
  const expected = [
    /^site\.yaml:1:1: environment: expected .*test.*prod.*, found text of 10 characters$/,
    /^site\.yaml:2:1: proces: unknown key; did you mean "process"\?$/,
    /^site\.yaml:4:3: process\.pidFile: expected text, found 7$/,
    /^site\.yaml:6:3: health\.url: expected an http:\/\/ or https:\/\/ URL, found text of 16 characters$/,
    /^site\.yaml:8:5: health\.fields\.connected: expected /,
    /^site\.yaml:10:3: limits\.watchSeconds: expected a number, found "5 min"$/,
    /^site\.yaml:11:3: limits\.memoryMbMax: expected >=0, found -1$/,
    /^site\.yaml:12:3: limits\.missesMx: unknown key; did you mean "missesMax"\?$/,
  ];
  for (const pattern of expected)
    assert.ok(
      lines.some((line) => pattern.test(line)),
      `${pattern} in\n${lines.join("\n")}`,
    );
  assert.equal(lines.length, expected.length, lines.join("\n"));
});

const wrong: [over: Settings, complaint: RegExp][] = [
  [{ process: "bot.pid" }, /process: expected a map, found text of 7 characters$/],
  [{ process: [1] }, /process/],
  [{ process: { pidFile: "" } }, /process\.pidFile: expected/],
  [
    { process: { pidFile: null, command: "(" } },
    /process\.command: expected a regular expression, found text of 1 characters?$/,
  ],
  [{ errorLogs: { noise: ["["] } }, /errorLogs\.noise\.0: expected a regular expression/],
  [{ errorLogs: { files: [] } }, /errorLogs\.files: expected/],
  [{ errorLogs: { files: "bot.log" } }, /errorLogs\.files: expected a list, found text/],
  [{ errorLogs: { journal: "yes" } }, /errorLogs\.journal: expected true or false, found/],
  [{ errorLogs: { timeZone: "CET" } }, /errorLogs\.timeZone: expected .*local.*utc/],
  [{ configuration: { channel: 5 } }, /configuration\.channel: expected text, found 5$/],
  [
    { configuration: { environment: {} } },
    /configuration\.environment: expected text or a list of texts, found a map$/,
  ],
  [{ limits: { watchSeconds: "300s" } }, /limits\.watchSeconds: expected a number, found "300s"$/],
  [{ limits: { memoryMbMax: "500MB" } }, /limits\.memoryMbMax: expected a number, found "500MB"$/],
  [
    { limits: { responseMsAvgMax: true } },
    /limits\.responseMsAvgMax: expected a number, found true$/,
  ],
  [{ limits: { responseMsAvgMax: Number.NaN } }, /limits\.responseMsAvgMax: expected/],
  [
    { limits: { responseMsAvgMax: Number.POSITIVE_INFINITY } },
    /limits\.responseMsAvgMax: expected/,
  ],
  [{ off: { process: 5 } }, /off\.process: expected text, found 5$/],
  [{ off: "user_count" }, /off: expected a map, found text/],
];
for (const [over, complaint] of wrong) {
  test(`parseConfig() refuses ${JSON.stringify(over)}`, () => {
    assert.ok(
      refused(over).some((line) => complaint.test(line)),
      refused(over).join("\n") || "it was accepted",
    );
  });
}

test("parseConfig() refuses null for a limit that cannot be switched off, and accepts it for those that can", () => {
  // Written as text, for a merge takes null for "leave it out".
  const withLimit = (limit: string): string[] =>
    linesOf(`${stringify(least)}limits:\n  ${limit}: null\n`);
  for (const limit of ["memoryMbMax", "userCountMin", "errorsMax"])
    assert.deepEqual(withLimit(limit), [], limit);
  assert.match(
    withLimit("watchSeconds")[0] as string,
    /limits\.watchSeconds: expected a number, found null$/,
  );
});

test("parseConfig() refuses counts that are no counts, for no look at all would pass as a good one", () => {
  for (const limit of ["healthTriesMax", "responseSamples", "memorySamples", "missesMax"]) {
    assert.match(
      refused({ limits: { [limit]: 0 } }).join("\n"),
      new RegExp(`limits\\.${limit}: expected`),
      `${limit}: 0`,
    );
    assert.match(
      refused({ limits: { [limit]: 1.5 } }).join("\n"),
      new RegExp(`limits\\.${limit}: expected`),
      `${limit}: 1.5`,
    );
    assert.deepEqual(refused({ limits: { [limit]: 1 } }), [], `${limit}: 1`);
  }
});

test("parseConfig() knows no inherited keys", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const lines = linesOf(`${stringify(least)}${key}: 1\n`);
    assert.match(lines.join("\n"), new RegExp(`site\\.yaml:\\d+:1: ${key}: unknown key`));
    assert.match(
      linesOf(`${stringify(least)}off:\n  ${key}: because it is so\n`).join("\n"),
      new RegExp(`off\\.${key}: unknown key$`),
    );
  }
});

// ---------------------------------------------------------------------------- broken YAML

const broken: [what: string, text: string, at: RegExp][] = [
  ["a tab", "process:\n\tpidFile: a\n", /^site\.yaml:2:1: /],
  ["an unclosed quote", 'process:\n  pidFile: "a\n', /^site\.yaml:\d+:\d+: /],
  ["an unclosed bracket", "errorLogs:\n  files: [a, b\n", /^site\.yaml:\d+:\d+: /],
  ["a key twice", "process: {}\nprocess: {}\n", /^site\.yaml:2:1: Map keys must be unique/],
  ["an alias without an anchor", "process: *nothing\n", /^site\.yaml:1:10: /],
  ["two documents", "process: {}\n---\nprocess: {}\n", /^site\.yaml:2:1: /],
  ["wrong indentation", "process:\n  pidFile: a\n unit: b\n", /^site\.yaml:3:\d+: /],
  ["control characters", "process:\n  pidFile: a\u0000b: c: d\n", /^site\.yaml:\d+:\d+: /],
];
for (const [what, text, at] of broken) {
  test(`parseConfig() says where the YAML is broken by ${what}`, () =>
    assert.match(linesOf(text)[0] ?? "it was accepted", at));
}

test("parseConfig() refuses a document that is no map, or empty", () => {
  for (const text of ["", "# only a comment\n", "[]", "just text", "7", "null", "- a\n- b\n"]) {
    const lines = linesOf(text);
    assert.ok(lines.length > 0, JSON.stringify(text));
    for (const line of lines) assert.match(line, /^site\.yaml:\d+:\d+: /, JSON.stringify(text));
  }
});

test("parseConfig() refuses an alias bomb as a mistake of the file", () => {
  const bomb = [
    "a: &a [x, x, x]",
    ...Array.from({ length: 40 }, (_, index) => `b${index}: *a`),
  ].join("\n");
  assert.match(linesOf(bomb)[0] as string, /^site\.yaml:\d+:\d+: /);
});

test("parseConfig() answers with a UserError or a config, whatever the text is", () => {
  const snippet = fc.constantFrom(
    "process:",
    "health:",
    "limits:",
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "!!str ",
    "? ",
    "|\n",
    ">-\n",
    '"',
    "'",
    "#",
    "---\n",
    "%YAML 1.2\n",
    "null",
    "7",
    "~",
    "<<: ",
    "\t",
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(snippet, fc.string({ maxLength: 6 })), { maxLength: 30 }),
      (parts) => {
        for (const line of linesOf(parts.join(""))) assert.match(line, /^site\.yaml:\d+:\d+: \S/);
      },
    ),
    { numRuns: 300 },
  );
});

// ---------------------------------------------------------------------------- files

test("readConfig() says which file it cannot read, and why", () => {
  const directory = createDirectory();
  assert.throws(() => readConfig("prod", join(directory, "none.yaml"), RULES), {
    code: EXIT.config,
    message: /Cannot read the config ".*none\.yaml": ENOENT/,
  });
  assert.throws(() => readConfig("prod", directory, RULES), {
    code: EXIT.config,
    message: /Cannot read the config/,
  });
  writeFileSync(join(directory, "big.yaml"), `# ${"x".repeat(1 << 20)}\n`);
  assert.throws(() => readConfig("prod", join(directory, "big.yaml"), RULES), {
    code: EXIT.config,
    message: /is larger than 1048576 bytes/,
  });
});

test("findConfig() names the environments that there are", () => {
  assert.throws(() => findConfig("staging", undefined), {
    code: EXIT.config,
    message: /No config for the environment "staging" in .*; there are: .*demo.*prod.*test/,
  });
  assert.equal(findConfig("demo", undefined), join(configDirectory, "demo.yaml"));
});

test("findConfig() refuses names that lead elsewhere", () => {
  for (const name of ["../prod", "a/b", "", ".hidden", "a b", "x".repeat(65)])
    assert.throws(
      () => findConfig(name, undefined),
      { code: EXIT.config, message: /is not a name/ },
      name,
    );
});

test("readConfig() takes paths from the file's own directory", () => {
  const config = readText({
    database: { file: "data/bot.db", backup: "backups" },
    errorLogs: { files: ["a.log", "/var/log/b.log"] },
    configuration: { file: "../config.json" },
    release: { directory: "releases" },
    log: { file: "verify.jsonl" },
  });
  const directory = config.file.slice(0, -"/site.yaml".length);
  assert.equal(config.process.pidFile, join(directory, "bot.pid"));
  assert.equal(config.database?.file, join(directory, "data/bot.db"));
  assert.equal(config.database?.backup, join(directory, "backups"));
  assert.deepEqual(config.errorLogs?.files, [join(directory, "a.log"), "/var/log/b.log"]);
  assert.equal(config.configuration?.file, join(directory, "../config.json"));
  assert.equal(config.release?.directory, join(directory, "releases"));
  assert.equal(config.logFile, join(directory, "verify.jsonl"));
  assert.equal(readText({}).logFile, "/var/log/cytube-verify/prod.jsonl");
});

test("readConfig() turns credentials of a URL into a header and a secret", () => {
  const config = readText({ health: { url: "http://probe:p%40ss%2Fword@127.0.0.1:1/" } });
  assert.equal(
    config.headers.authorization,
    `Basic ${Buffer.from("probe:p@ss/word").toString("base64")}`,
  );
  assert.ok(config.secrets.includes("p@ss/word"));
});

test("readConfig() refuses credentials that are not properly encoded, without showing them", () => {
  assert.throws(
    () => readText({ health: { url: "http://probe:100%25x%zz-hunter@127.0.0.1:1/" } }),
    (error: Error) =>
      error instanceof UserError && error.code === EXIT.config && !error.message.includes("hunter"),
  );
});

test("readConfig() keeps the values of request headers as secrets", () => {
  const directory = createDirectory();
  writeFileSync(
    join(directory, "headers"),
    "# for the probe\n\nAuthorization: Bearer abc.def-123\r\nX-Key:  k:v  \n",
  );
  writeFileSync(
    join(directory, "site.yaml"),
    stringify(merge(least, { health: { headersFile: "headers" } })),
  );
  const config = readConfig("prod", join(directory, "site.yaml"), RULES);
  assert.deepEqual(config.headers, { Authorization: "Bearer abc.def-123", "X-Key": "k:v" });
  for (const secret of ["Bearer abc.def-123", "abc.def-123", "k:v"])
    assert.ok(config.secrets.includes(secret), secret);
});

test("readConfig() says that the headers cannot be read, without their text", () => {
  const directory = createDirectory();
  writeFileSync(
    join(directory, "site.yaml"),
    stringify(merge(least, { health: { headersFile: "headers" } })),
  );
  const read = () => readConfig("prod", join(directory, "site.yaml"), RULES);
  assert.throws(read, { code: EXIT.config, message: /health\.headersFile ".*headers": ENOENT/ });
  writeFileSync(join(directory, "headers"), "Bearer hunter2-without-a-name\n");
  assert.throws(
    read,
    (error: Error) =>
      error instanceof UserError &&
      error.code === EXIT.config &&
      !error.message.includes("hunter2"),
  );
});

test("parseHeaders() splits at the first colon only", () => {
  assert.deepEqual(parseHeaders("A: b: c\n#x\n\n B : d "), { A: "b: c", B: "d" });
  for (const text of ["no colon", ": no name", "bad name: x", "bad\u00e9: x"])
    assert.throws(() => parseHeaders(text), { code: EXIT.config }, text);
});

test("parseHeaders() refuses values that cannot be sent, which would look like a bot that does not answer", () => {
  for (const text of ["Authorization: Bearer a\u0001b", "A: b\u007f", "A: \u20ac"])
    assert.throws(() => parseHeaders(text), { code: EXIT.config }, JSON.stringify(text));
  assert.deepEqual(parseHeaders("A: b\tc \u00e9"), { A: "b\tc \u00e9" });
});

test("readConfig() takes no name that leads elsewhere, also where the file is given, for the log is named after it", () => {
  const directory = createDirectory();
  writeFileSync(join(directory, "site.yaml"), stringify({ ...least, environment: "prod" }));
  for (const name of ["../../x", "", "a/b"])
    assert.throws(
      () => readConfig(name, join(directory, "site.yaml"), RULES),
      { code: EXIT.config },
      name,
    );
  assert.equal(
    readConfig("prod-movies", join(directory, "site.yaml"), RULES).logFile,
    "/var/log/cytube-verify/prod-movies.jsonl",
  );
});

test("HEALTH_FIELDS has JSON pointers for every field, each at one place only", () => {
  const all = Object.values(HEALTH_FIELDS).flat();
  assert.equal(new Set(all).size, all.length);
  for (const pointer of all) assert.match(pointer, /^(\/[a-z_]+)+$/);
});

// ---------------------------------------------------------------------------- secrets

test("describeFound() shows numbers and quantities, and of any other text only its length", () => {
  assert.equal(describeFound(5), "5");
  assert.equal(describeFound(null), "null");
  assert.equal(describeFound(false), "false");
  assert.equal(describeFound("500 MB"), '"500 MB"');
  assert.equal(describeFound("5min"), '"5min"');
  assert.equal(describeFound("hunter2"), "text of 7 characters");
  assert.equal(describeFound([1]), "a list");
  assert.equal(describeFound({}), "a map");
  assert.equal(describeFound(undefined), "nothing");
});

const secret = fc.stringMatching(/^[a-z]{2}[A-Z0-9]{4}[a-z0-9]{6,10}[0-9]{2}$/);
const places = (hidden: string): Settings[] => [
  { process: { pidFile: null, password: hidden } },
  { health: { url: `ftp://probe:${hidden}@127.0.0.1/` } },
  { health: { url: `http://probe:${hidden}@` } },
  { health: { token: hidden, headers: { Authorization: `Bearer ${hidden}` } } },
  { health: { fields: { connected: hidden, status: [hidden] } } },
  { health: { sql: hidden, url: null } },
  { process: { command: `(${hidden}`, pidFile: null } },
  { errorLogs: { files: hidden, noise: [`[${hidden}`] } },
  { limits: { watchSeconds: hidden, memoryMbMax: [hidden], missesMax: { a: hidden } } },
  { environment: hidden },
  { configuration: { environment: { a: hidden }, channel: [hidden] } },
  { off: { process: { because: hidden }, nothing: hidden } },
  { database: hidden, log: hidden, release: [hidden] },
];

test("parseConfig() never shows a secret that stands as a value in a refused config", () => {
  fc.assert(
    fc.property(secret, fc.nat(), (hidden, pick) => {
      const all = places(hidden);
      const lines = refused(all[pick % all.length] as Settings);
      assert.ok(lines.length > 0);
      assert.ok(!lines.join("\n").includes(hidden), lines.join("\n"));
    }),
    { numRuns: 200 },
  );
});

test("parseConfig() never shows a secret, wherever it stands in a text that may be broken", () => {
  const base = stringify(
    merge(least, { health: { headersFile: "h" }, limits: { watchSeconds: 5 } }),
  );
  const noise = fc.constantFrom(
    ":",
    "\n",
    "  ",
    '"',
    "'",
    "[",
    "]",
    "{",
    "}",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "- ",
    "? ",
    "\t",
    ", ",
    "#",
    "",
  );
  const edit = fc.record({ at: fc.nat(base.length), text: noise, cut: fc.nat(3) });
  fc.assert(
    fc.property(
      secret,
      fc.nat(base.length),
      noise,
      noise,
      fc.array(edit, { maxLength: 3 }),
      (hidden, at, before, after, edits) => {
        const pieces = [base.slice(0, at), before + hidden + after, base.slice(at)];
        for (const { at: where, text, cut } of edits) {
          const side = where < at ? 0 : 2;
          const piece = pieces[side] as string;
          const inside = piece.length ? where % piece.length : 0;
          pieces[side] = piece.slice(0, inside) + text + piece.slice(inside + cut);
        }
        // What a person sees has gone through the mask; a key that is no word of the schema must
        // not be repeated as it is.
        const shown = maskOf([])(linesOf(pieces.join("")).join("\n"));
        assert.ok(!shown.includes(hidden), `${shown}\n---\n${pieces.join("")}`);
      },
    ),
    { numRuns: 1000 },
  );
});

test("config --env shows the effective config with its secrets masked", async () => {
  const directory = createDirectory();
  writeFileSync(join(directory, "headers"), "Authorization: Bearer zq81-hunter-xk\n");
  const over = {
    health: {
      headersFile: "headers",
      url: "http://probe:vb72-Hunter-qq@127.0.0.1:9/h?token=mm31-hunter-pp",
    },
    prometheus: { url: "http://joe:kk90-hunter%2Fzz@127.0.0.1:9090/" },
    alertmanager: { url: "http://joe:hunter-7@127.0.0.1:9093/" },
    metrics: { file: "bot.prom" },
  };
  writeFileSync(join(directory, "site.yaml"), stringify(merge(least, over)));
  const { code, stdout, stderr } = await runVerify([
    "config",
    "--env",
    "prod",
    "--config",
    join(directory, "site.yaml"),
  ]);
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stdout + stderr, /hunter/i);
  const shown = JSON.parse(stdout) as {
    environment: string;
    limits: Settings;
    headers: Settings;
    health: Settings;
  };
  assert.equal(shown.environment, "prod");
  assert.equal(shown.limits.watchSeconds, 300);
  assert.ok(Object.values(shown.headers).every((value) => value === "***"));
  assert.match(String(shown.health.url), /127\.0\.0\.1:9/);
  assert.deepEqual((shown as Settings).prometheus, { url: "http://joe:***@127.0.0.1:9090/" });
  assert.deepEqual((shown as Settings).metrics, { file: join(directory, "bot.prom") });
  assert.ok(
    ["kk90-hunter%2Fzz", "kk90-hunter/zz", "hunter-7"].every((secret) =>
      readConfig("prod", join(directory, "site.yaml"), RULES).secrets.includes(secret),
    ),
  );
});
