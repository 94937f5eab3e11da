/**
 * The outputs: what a person reads (golden files; UPDATE_GOLDEN=1 rewrites them), what a program
 * reads (the schema), and the log that must not lose a line.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { parseRecords, readRecords, renderJson, writeRecord } from "../../lib/log.ts";
import { renderPretty } from "../../lib/outputs/pretty.ts";
import type { Result } from "../../lib/run.ts";
import { CHECK_NAMES, type Finding, STATUSES, type Status, VERSION } from "../../lib/vocabulary.ts";
import { LIMITS } from "../../verify.ts";
import {
  assertGolden,
  type BotOptions,
  buildOnce,
  createDirectory,
  projectDirectory,
  type RunningBot,
  type RunOptions,
  runVerify,
  type Settings,
  startBot,
  startProcess,
  writeConfig,
} from "../support/harness.ts";

const schema = JSON.parse(
  readFileSync(join(projectDirectory, "config/result.schema.json"), "utf8"),
) as Record<string, unknown>;
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true, strict: true }).compile(
  schema,
);

function assertValid(record: unknown): void {
  assert.ok(validate(record), JSON.stringify(validate.errors, null, 2));
}

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

// ---------------------------------------------------------------------------- renderers

function findingOf(check: Finding["check"], status: Status, over: Partial<Finding> = {}): Finding {
  const says = `${check} is ${status}`;
  return {
    check,
    status,
    phase: "final",
    measured: null,
    limit: null,
    unit: null,
    says,
    evidence: [],
    hint: null,
    parts: [],
    ...over,
  };
}

const evidence = Array.from({ length: 9 }, (_, index) => `line ${index + 1} of what it rests on`);
const fixed: Result = {
  v: 1,
  kind: "verify",
  ts: "2026-11-21T12:00:00.000Z",
  run: "00000000-0000-4000-8000-000000000000",
  env: "prod",
  host: "bot-host",
  user: "cytube-verify",
  verifier: VERSION,
  config: "/etc/cytube-verify/prod.yaml",
  identity: {
    pid: 4711,
    startTicks: 900,
    startedAt: "2026-11-21T11:54:00.000Z",
    bootId: "b",
    invocation: null,
    version: "1.4.2",
  },
  releaseId: "1.4.2",
  unitInvocation: null,
  whole: true,
  burnin: null,
  account: null,
  place: null,
  flags: null,
  verdict: "fail",
  exit: 3,
  action: "Roll back at once: the database is not usable.",
  ms: 312_345,
  findings: [
    findingOf("process", "pass", {
      measured: "running",
      limit: "running",
      says: "pid 4711 (python3) has run for 6 min",
    }),
    findingOf("database", "fail", {
      measured: 2011,
      limit: 2000,
      unit: "ms",
      evidence,
      hint: "ls -la /srv/bot/bot_data.db*; is the disk full (df -h)?",
    }),
    findingOf("health_endpoint", "pass", {
      measured: 12.3,
      limit: 5000,
      unit: "ms",
      says: "answered in 12.3 ms",
    }),
    findingOf("connection", "unknown", {
      says: "the document does not say whether the bot is connected",
      measured: "missing",
      limit: "true",
      hint: "tail -n 50 bot.log",
    }),
    findingOf("response_time", "warn", {
      measured: 1203,
      limit: 1000,
      unit: "ms",
      says: "slowest of 10: 1203 ms, p95 1203 ms",
      parts: [
        {
          part: "average",
          status: "pass",
          says: "average 30 ms",
          measured: 30,
          limit: 1000,
          unit: "ms",
          evidence: [],
          hint: null,
        },
        {
          part: "tail",
          status: "warn",
          says: "slowest of 10: 1203 ms, p95 1203 ms",
          measured: 1203,
          limit: 1000,
          unit: "ms",
          evidence: [],
          hint: null,
        },
        {
          part: "answers",
          status: "warn",
          says: "1 of 10 samples failed: HTTP 500",
          measured: 1,
          limit: 0,
          unit: null,
          evidence: [],
          hint: null,
        },
      ],
    }),
    findingOf("user_count", "off", { says: "the bot joins empty channels" }),
    findingOf("release", "skipped", { says: "left out by --only or --skip" }),
  ],
  metrics: { memoryMb: 81 },
  series: null,
  schema: null,
  notes: ["2 lines of the log are torn"],
};

test("renderPretty() lays out every status, with and without colour", () => {
  assertGolden("pretty.txt", renderPretty(fixed, false));
  const colour = renderPretty(fixed, true);
  assertGolden("pretty-colour.txt", colour.replaceAll("\u001b", "ESC"));
  assert.equal(colour.replace(/\u001b\[[\d;]*m/g, ""), renderPretty(fixed, false));
});

test("renderPretty() shows every verdict and every status", () => {
  for (const verdict of ["pass", "warn", "fail", "unknown", "aborted"] as const)
    assert.match(
      renderPretty({ ...fixed, verdict }, false),
      new RegExp(`^${verdict.toUpperCase()}  exit 3`, "m"),
    );
  for (const status of STATUSES)
    assert.match(
      renderPretty({ ...fixed, findings: [findingOf("process", status)] }, false),
      new RegExp(`^  ${status === "fail" ? "FAIL" : status}\\s+process`, "m"),
    );
});

test("renderPretty() says so when no bot was found", () =>
  assert.match(renderPretty({ ...fixed, identity: null }, false), /^bot not found$/m));

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "\u001b",
      "\u001b[31m",
      "\u001b]0;title\u0007",
      "\r",
      "\n",
      "\u009b",
      "\u202e",
      "\u0000",
      "\u007f",
    ),
    fc.string({ maxLength: 3 }),
  ),
  maxLength: 12,
});

test("renderPretty() counts one in the singular, and leaves units alone", () => {
  for (const [unit, shown] of Object.entries({
    users: "1 user",
    errors: "1 error",
    ms: "1 ms",
    s: "1 s",
    MB: "1 MB",
  }))
    assert.ok(
      renderPretty(
        { ...fixed, findings: [findingOf("database", "pass", { measured: 1, unit })] },
        false,
      ).includes(` ${shown} `),
      unit,
    );
});

test("renderPretty() lets nothing reach a terminal that moves its cursor", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const part = {
        part: text,
        status: "warn" as const,
        says: `${text}!`,
        measured: text,
        limit: text,
        unit: null,
        evidence: [text],
        hint: text,
      };
      const finding = findingOf("process", "fail", {
        says: text,
        measured: text,
        limit: text,
        evidence: [text],
        hint: text,
        parts: [part],
      });
      const shown = renderPretty(
        {
          ...fixed,
          env: text,
          host: text,
          config: text,
          action: text,
          notes: [text],
          findings: [finding],
          identity: fixed.identity && { ...fixed.identity, version: text },
        },
        false,
      );
      assert.doesNotMatch(shown.replaceAll("\n", ""), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      assert.equal(
        shown.split("\n").length,
        renderPretty(
          {
            ...fixed,
            notes: ["x"],
            findings: [
              {
                ...finding,
                says: "a",
                evidence: ["b"],
                hint: text && "c",
                parts: [{ ...part, says: "d" }],
              },
            ],
          },
          false,
        ).split("\n").length,
      );
    }),
    { numRuns: 200 },
  );
});

test("renderJson() keeps the value and holds no control character", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string(),
        fc.oneof(hostile, fc.integer(), fc.constant(null), fc.array(hostile)),
      ),
      fc.constantFrom(0, 2),
      (value, indent) => {
        const text = renderJson(value, indent);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        assert.doesNotMatch(
          indent ? text.replaceAll("\n", "") : text,
          /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u,
        );
      },
    ),
    { numRuns: 300 },
  );
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

// ---------------------------------------------------------------------------- the log

describe("the log", () => {
  const entry = (index: number): Record<string, unknown> => ({
    v: 1,
    kind: "verify",
    run: index,
    says: `Überall läuft’s 🙂 "${index}"`,
    findings: [{ check: "process", says: "a\nb" }],
  });
  let directory = "";
  before(() => {
    directory = createDirectory();
  });

  test("writeRecord() makes the directory and the file, closed to others", () => {
    const file = join(directory, "new/deep/verify.jsonl");
    writeRecord(file, renderJson(entry(1), 0));
    assert.deepEqual(readRecords(file), { records: [entry(1)], torn: 0 });
    assert.equal(statSync(file).mode & 0o007, 0);
  });

  for (const umask of [0o000, 0o022, 0o077]) {
    test(`writeRecord() makes a log that the directory's group can append to, under umask ${umask.toString(8)}`, (t) => {
      const shared = join(directory, `shared-${umask}`);
      mkdirSync(shared);
      chmodSync(shared, 0o2770);
      const callers = process.umask(umask);
      t.after(() => process.umask(callers));
      const file = join(shared, "verify.jsonl");
      writeRecord(file, renderJson(entry(1), 0));
      assert.equal(statSync(file).mode & 0o777, 0o660);
      // What a person has set on an existing log is theirs.
      chmodSync(file, 0o640);
      writeRecord(file, renderJson(entry(2), 0));
      assert.equal(statSync(file).mode & 0o777, 0o640);
    });

    test(`writeRecord() leaves a log in a person's own directory to their umask ${umask.toString(8)}`, (t) => {
      const own = join(directory, `own-${umask}`);
      mkdirSync(own);
      chmodSync(own, 0o755);
      const callers = process.umask(umask);
      t.after(() => process.umask(callers));
      const file = join(own, "verify.jsonl");
      writeRecord(file, renderJson(entry(1), 0));
      assert.equal(statSync(file).mode & 0o777, 0o660 & ~umask);
    });
  }

  test("writeRecord() loses nothing before a cut at any byte of the last record, nor the record after it", () => {
    const file = join(directory, "cut.jsonl");
    for (const index of [1, 2, 3]) writeRecord(file, renderJson(entry(index), 0));
    const bytes = readFileSync(file);
    const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    for (let cut = last; cut <= bytes.length; cut++) {
      writeFileSync(file, bytes.subarray(0, cut));
      // Only its line break is missing, so nothing of the record is lost.
      const whole = cut >= bytes.length - 1;
      const torn = cut > last && !whole ? 1 : 0;
      const kept = whole ? [entry(1), entry(2), entry(3)] : [entry(1), entry(2)];
      assert.deepEqual(
        readRecords(file),
        { records: kept, torn },
        `cut at ${cut - last} of ${bytes.length - last}`,
      );
      writeRecord(file, renderJson(entry(4), 0));
      assert.deepEqual(
        readRecords(file),
        { records: [...kept, entry(4)], torn },
        `appended after a cut at ${cut - last}`,
      );
    }
  });

  test("writeRecord() counts each torn line once, however many there are", () => {
    const file = join(directory, "torn.jsonl");
    for (const index of [1, 2, 3]) {
      writeFileSync(file, '{"v":1,"kind":"ver', { flag: "a" });
      writeRecord(file, renderJson(entry(index), 0));
    }
    assert.deepEqual(readRecords(file), { records: [entry(1), entry(2), entry(3)], torn: 3 });
  });

  test("writeRecord() loses nothing when many processes append at once", async () => {
    await buildOnce();
    const file = join(directory, "crowd.jsonl");
    const [writers, each] = [6, 40];
    const script = `import { writeRecord } from ${JSON.stringify(join(projectDirectory, "lib/log.ts"))};
      for (let index = 0; index < ${each}; index++) writeRecord(process.argv[1], JSON.stringify({ v: 1, writer: Number(process.argv[2]), index, fill: "x".repeat(20000) }));`;
    const codes = await Promise.all(
      Array.from({ length: writers }, (_, writer) => {
        const child = startProcess([
          process.execPath,
          "--import",
          "tsx",
          "--input-type=module",
          "-e",
          script,
          file,
          String(writer),
        ]);
        return new Promise((done) => child.once("exit", done)).finally(child.end);
      }),
    );
    assert.deepEqual(codes, Array(writers).fill(0));
    const { records, torn } = parseRecords(readFileSync(file, "utf8"));
    assert.equal(torn, 0);
    const seen = new Set(records.map(({ writer, index }) => `${writer}/${index}`));
    assert.deepEqual([records.length, seen.size], [writers * each, writers * each]);
  });

  test("writeRecord() refuses what it could not write whole", () => {
    assert.throws(() => writeRecord(directory, "{}"), { code: "EISDIR" });
    assert.throws(() => writeRecord("/dev/full", "{}"), { code: "ENOSPC" });
    assert.throws(() => writeRecord(join(directory, "cut.jsonl/below.jsonl"), "{}"), {
      code: "ENOTDIR",
    });
  });

  test("readRecords() reads the tail of a long log, and does not call the line torn that it cut itself", () => {
    const file = join(directory, "long.jsonl");
    const filled = (index: number): string =>
      JSON.stringify({ v: 1, index, fill: "x".repeat(9000) });
    writeFileSync(file, `${Array.from({ length: 400 }, (_, index) => filled(index)).join("\n")}\n`);
    const { records, torn } = readRecords(file);
    assert.equal(torn, 0);
    assert.equal(records.at(-1)?.index, 399);
    assert.ok(records.length > 200 && records.length < 400, String(records.length));
    assert.deepEqual(
      records.map(({ index }) => index),
      Array.from({ length: records.length }, (_, index) => 400 - records.length + index),
    );
  });

  test("readRecords() of a file that is not there is empty", () =>
    assert.deepEqual(readRecords(join(directory, "none.jsonl")), { records: [], torn: 0 }));

  test("parseRecords() counts every line as a record or as torn, whatever it holds", () => {
    const line = fc
      .oneof(
        fc.json(),
        fc.string(),
        fc.constantFrom("", '{"v":1}', '{"v":"1"}', "null", "[]", "{}"),
      )
      .map((text) => text.replaceAll("\n", " "));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { records, torn } = parseRecords(lines.join("\n"));
        assert.equal(records.length + torn, lines.filter((text) => text !== "").length);
        for (const found of records) assert.equal(typeof found.v, "number");
      }),
    );
  });

  test("a run writes its record with one write, then fsync, then close", async () => {
    const traced = createDirectory();
    const bot = await startBot(traced);
    try {
      const trace = join(traced, "trace");
      const file = writeConfig(traced, bot.port);
      // One file for each thread, so that no call is split in two lines.
      const run = await runVerify(["--env", "prod", "--config", file, "--only", "process"], {
        wrap: (command) => [
          "strace",
          "-ff",
          "-e",
          "trace=openat,write,writev,pwrite64,fsync,fdatasync,close",
          "-o",
          trace,
          ...command,
        ],
      });
      assert.equal(run.code, 0, run.stderr);
      const calls = readdirSync(traced)
        .filter((name) => name.startsWith("trace."))
        .map((name) => readFileSync(join(traced, name), "utf8").split("\n"))
        .find((lines) =>
          lines.some((text) => /^openat\(.*verify\.jsonl", O_RDWR.*O_APPEND/.test(text)),
        );
      assert.ok(calls, "the log was never opened for appending");
      const opened = calls.findIndex((text) =>
        /^openat\(.*verify\.jsonl", O_RDWR.*O_APPEND/.test(text),
      );
      const descriptor = /= (\d+)$/.exec(calls[opened] as string)?.[1];
      const rest = calls
        .slice(opened + 1)
        .filter((text) => new RegExp(`^\\w+\\(${descriptor}[,)]`).test(text));
      const closed = rest.findIndex((text) => text.startsWith("close("));
      assert.deepEqual(
        rest.slice(0, closed + 1).map((text) => text.split("(")[0]),
        ["write", "fsync", "close"],
      );
      const [write, sync] = rest as [string, string];
      assert.equal(
        Number(/= (\d+)$/.exec(write)?.[1]),
        statSync(join(traced, "verify.jsonl")).size,
      );
      assert.match(sync, /= 0$/);
    } finally {
      await bot.stop();
    }
  });

  test("a run after a power cut says how many lines of the log are torn", async () => {
    const cut = createDirectory();
    const bot = await startBot(cut);
    try {
      writeFileSync(join(cut, "verify.jsonl"), '{"v":1,"kind":"verify","ts":"2026-');
      const run = await runVerify([
        "--env",
        "prod",
        "--config",
        writeConfig(cut, bot.port, shortWatch),
        "--json",
      ]);
      assert.equal(run.code, 0, run.stderr);
      const { records, torn } = readRecords(join(cut, "verify.jsonl"));
      assert.deepEqual([records.length, torn], [1, 1]);
      assertValid(records[0]);
      assert.match(run.json?.notes.join("\n") ?? "", /1 .*torn/);
    } finally {
      await bot.stop();
    }
  });

  after(() => rmSync(directory, { recursive: true, force: true }));
});
