/**
 * The outputs of real runs: what a person reads (golden files; UPDATE_GOLDEN=1 rewrites them), and
 * what a program reads (the schema).
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readRecords } from "../../lib/log.ts";
import { CHECK_NAMES, STATUSES } from "../../lib/vocabulary.ts";
import { LIMITS } from "../../verify.ts";
import {
  assertGolden,
  type BotOptions,
  createDirectory,
  projectDirectory,
  type RunningBot,
  type RunOptions,
  runVerify,
  type Settings,
  startBot,
  writeConfig,
} from "../support/harness.ts";
import { fixed } from "../support/result.ts";
import { assertValid, schema, validate } from "../support/result-schema.ts";

/**
 * What differs from run to run becomes a letter; limits, which come from the config, stay. The
 * columns are tested with a result that is always the same.
 */
function maskVolatile(text: string, directory: string, port: number): string {
  return (
    text
      .replaceAll(directory, "DIR")
      .replaceAll(`:${port}/`, ":PORT/")
      .replace(/\d{4}-\d\d-\d\d(?:T[\d:.]+Z| [\d:]{8})/g, "TIME")
      .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "UUID")
      .replace(/\bpid \d+/g, "pid PID")
      .replace(/\bstart tick \d+/g, "start tick TICK")
      .replace(/ on \S+, DIR/, " on HOST, DIR")
      .replaceAll(process.execPath, "NODE")
      .replaceAll(projectDirectory, "PROJECT")
      .replace(/guardian=\d+/g, "guardian=PID")
      .replace(/"timeZone": "[^"]+"/, '"timeZone": "ZONE"')
      .replace(/(?:\b\d+(?:\.\d+)?, )+\d+(?:\.\d+)? (?=MB|ms)/g, "N, … ")
      .replace(/\b(\d+) (day|h|min) \d+ (h|min|s)\b/g, "N s")
      .replace(/(?<!limit )\b\d+(?:\.\d+)? (ms|s|min)\b/g, "T")
      .replace(
        /(?<!limit )\b\d+(?:\.\d+)? (MB|users|bytes|lines?|polls?|warnings?)\b/g,
        (_, unit: string) => `N ${unit.replace(/s$/, "")}`,
      )
      .replace(/\b\d+ in the channel/g, "N in the channel")
      .replace(/\bCPU \d+(?:\.\d+)? %/g, "CPU N %")
      .replace(/median of \d+/g, "median of N")
      .replace(/(?<=\S) {2,}/g, "  ")
      // How often a bot was asked depends on how long its start took.
      .replace(/^(.*)\n(?:\1\n)+/gm, "$1\n")
      .replace(/^ +\| and \d+ more .*\n/gm, "")
  );
}

function record(directory: string): Record<string, unknown> {
  const { records, torn } = readRecords(join(directory, "verify.jsonl"));
  assert.equal(torn, 0);
  assert.equal(records.length, 1, "a run appends one record");
  return records[0] as Record<string, unknown>;
}

// ---------------------------------------------------------------------------- golden files of real runs

interface Scene {
  name: string;
  exit: number;
  bot?: BotOptions | null;
  config?: Settings;
  args?: string[];
  /** Before the run. */
  prepare?: (directory: string, bot: RunningBot | null) => unknown;
  act?: (bot: RunningBot) => RunOptions["onLine"];
}

const shortWatch = { limits: { watchSeconds: 1 } };
const scenes: Scene[] = [
  { name: "pass", exit: 0, config: shortWatch },
  { name: "quiet-pass", exit: 0, config: shortWatch, args: ["--quiet"] },
  {
    name: "fail-process",
    exit: 1,
    bot: null,
    prepare: (directory) => writeFileSync(join(directory, "bot.pid"), "999999\n"),
  },
  { name: "fail-connection", exit: 2, bot: { field: ["connected=false"] } },
  {
    name: "fail-database",
    exit: 3,
    prepare: (directory) =>
      ["", "-wal", "-shm"].forEach(
        (end) => void rmSync(join(directory, `bot_data.db${end}`), { force: true }),
      ),
  },
  {
    name: "fail-response-time",
    exit: 5,
    bot: { "delay-ms": 120 },
    config: { limits: { responseMsAvgMax: 60 } },
  },
  { name: "fail-health-endpoint", exit: 6, bot: { "status-code": 500 } },
  { name: "fail-user-count", exit: 7, bot: { field: ["user_count=0"] } },
  { name: "fail-memory-usage", exit: 8, config: { limits: { memoryMbMax: 1 } } },
  {
    name: "fail-error-logs",
    exit: 9,
    prepare: (directory) => appendLog(directory, "ERROR", "the room is gone"),
  },
  { name: "fail-configuration", exit: 10, config: { configuration: { channel: "#elsewhere" } } },
  { name: "fail-release", exit: 19, args: ["--expect-version", "9.9.9"] },
  {
    name: "fail-uptime-stability",
    exit: 11,
    config: { limits: { watchSeconds: 5 } },
    act: (bot) => [{ line: /^watch: /m, act: () => bot.kill() }],
  },
  {
    name: "warn",
    exit: 0,
    bot: { "slow-every": 7, "slow-ms": 150 },
    config: { limits: { watchSeconds: 0, responseMsAvgMax: 140 } },
  },
  {
    name: "unknown",
    exit: 2,
    bot: { without: ["connected"] },
    config: { limits: { watchSeconds: 0 } },
  },
  {
    name: "off",
    exit: 0,
    bot: { without: ["environment", "user_count"] },
    config: {
      ...shortWatch,
      off: {
        "configuration.environment": "this bot does not say",
        user_count: "this bot does not count",
      },
    },
  },
  { name: "skipped", exit: 0, args: ["--only", "process,database"] },
  {
    name: "aborted",
    exit: 143,
    config: { limits: { watchSeconds: 30 } },
    act: () => [{ line: /^watch: /m, act: (child) => child.kill("SIGTERM") }],
  },
  { name: "log-not-written", exit: 73, config: { ...shortWatch, log: { file: "." } } },
];

function appendLog(directory: string, level: string, text: string): void {
  const at = new Date();
  const two = (value: number): string => String(value).padStart(2, "0");
  const stamp = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  writeFileSync(join(directory, "bot.log"), `[${stamp}] [${level}] ${text}\n`, { flag: "a" });
}

describe("golden files of real runs", { concurrency: 2 }, () => {
  for (const { name, exit, bot: options = {}, config, args = [], prepare, act } of scenes) {
    test(`${name} exits ${exit}, and says what test/golden/${name}.txt says`, async () => {
      const directory = createDirectory();
      const bot = options === null ? null : await startBot(directory, options);
      try {
        const port = bot?.port ?? 9;
        const file = writeConfig(directory, port, config);
        await prepare?.(directory, bot);
        const command = ["--env", "prod", "--config", file, ...args];
        const run = await runVerify(command, bot && act ? { onLine: act(bot) } : {});
        const shown = [
          `$ verify.ts ${command.join(" ")}`,
          `exit ${run.code}`,
          "--- stdout",
          run.stdout,
          "--- stderr",
          run.stderr,
        ].join("\n");
        assertGolden(`${name}.txt`, maskVolatile(shown, directory, port));
        assert.equal(run.code, exit);
        if (name === "log-not-written") return;
        const written = record(directory);
        assertValid(written);
        assert.equal(written.exit, exit);
        assert.equal(written.verdict === "aborted", name === "aborted");
      } finally {
        await bot?.stop();
      }
    });
  }

  test("--dry-run says what test/golden/dry-run.txt says, and touches nothing", async () => {
    const directory = createDirectory();
    const file = writeConfig(directory, 9, {
      off: { "connection.heartbeat": "this bot has none", user_count: "nobody counts" },
    });
    const command = ["--env", "prod", "--config", file, "--dry-run", "--skip", "release"];
    const { code, stdout, stderr } = await runVerify(command);
    assert.equal(code, 0);
    assertGolden(
      "dry-run.txt",
      [`$ verify.ts ${command.join(" ")}`, stdout, "--- stderr", stderr]
        .join("\n")
        .replaceAll(directory, "DIR"),
    );
    for (const name of [...CHECK_NAMES, ...Object.keys(LIMITS)])
      assert.match(stdout, new RegExp(`^ +${name} `, "m"));
    assert.deepEqual(readdirSync(directory), ["verify.yaml"]);
  });

  test("config says what test/golden/config.txt says", async () => {
    const directory = createDirectory();
    const file = writeConfig(directory, 9);
    const { code, stdout } = await runVerify(["config", "--env", "prod", "--config", file]);
    assert.equal(code, 0);
    assertGolden("config.txt", stdout.replaceAll(directory, "DIR"));
  });

  test("a config with mistakes says what test/golden/config-mistakes.txt says", async () => {
    const directory = createDirectory();
    const file = join(directory, "verify.yaml");
    writeFileSync(
      file,
      "environment: production\nproces:\n  pidFile: bot.pid\nhealth:\n  url: 127.0.0.1:8080\nlimits:\n  watchSeconds: 5 min\n",
    );
    const { code, stdout, stderr } = await runVerify(["--env", "prod", "--config", file]);
    assert.deepEqual([code, stdout], [78, ""]);
    assertGolden("config-mistakes.txt", stderr.replaceAll(directory, "DIR"));
  });
});

// ---------------------------------------------------------------------------- schema

function walk(
  node: unknown,
  at: string,
  visit: (node: Record<string, unknown>, at: string) => void,
): void {
  if (typeof node !== "object" || node === null) return;
  const object = node as Record<string, unknown>;
  visit(object, at);
  for (const [name, inner] of Object.entries((object.properties ?? {}) as Record<string, unknown>))
    walk(inner, `${at}.${name}`, visit);
  walk(object.items, `${at}[]`, visit);
}

test("config/result.schema.json describes every property, and allows no other", () => {
  const seen: string[] = [];
  walk(schema, "result", (node, at) => {
    seen.push(at);
    assert.ok(
      typeof node.description === "string" && node.description.length > 8,
      `${at} has no description`,
    );
    if (node.properties) assert.equal(node.additionalProperties, false, at);
  });
  assert.ok(seen.length > 50, `only ${seen.length} properties`);
});

test("config/result.schema.json knows the checks and the statuses of the program", () => {
  const properties = schema.properties as Record<
    string,
    { items: { properties: Record<string, { enum: string[] }> } }
  >;
  const finding = properties.findings?.items.properties;
  assert.deepEqual(finding?.check?.enum, CHECK_NAMES);
  assert.deepEqual(finding?.status?.enum, STATUSES);
});

test("config/result.schema.json refuses what is no result", () => {
  assertValid(fixed);
  const wrong: Record<string, unknown>[] = [
    { extra: 1 },
    { v: 2 },
    { exit: 64 },
    { verdict: "ok" },
    { ts: "yesterday" },
    { findings: [{ check: "process" }] },
    { metrics: { memory: 1 } },
    { identity: { pid: 1 } },
    { series: {} },
  ];
  for (const over of wrong) assert.ok(!validate({ ...fixed, ...over }), JSON.stringify(over));
  for (const name of Object.keys(fixed))
    assert.ok(!validate({ ...fixed, [name]: undefined }), `${name} may be missing`);
});

describe("--json", { concurrency: 2 }, () => {
  for (const { name, bot: options, config, exit } of [
    { name: "a healthy bot", bot: {}, config: shortWatch, exit: 0 },
    { name: "no bot", bot: null, config: {}, exit: 1 },
    { name: "a bot whose document is HTML", bot: { body: "html" }, config: {}, exit: 6 },
  ] as { name: string; bot: BotOptions | null; config: Settings; exit: number }[]) {
    test(`prints one document of ${name}, valid and equal to the line in the log`, async () => {
      const directory = createDirectory();
      const bot = options && (await startBot(directory, options));
      try {
        const run = await runVerify([
          "--env",
          "prod",
          "--config",
          writeConfig(directory, bot?.port ?? 9, config),
          "--json",
        ]);
        assert.equal(run.code, exit, run.stderr);
        assertValid(run.json);
        assert.deepEqual(run.json, record(directory));
        assert.equal(readFileSync(join(directory, "verify.jsonl"), "utf8").split("\n").length, 2);
      } finally {
        await bot?.stop();
      }
    });
  }
});
