/** The command line: what it accepts, how it ends, and that nothing ends it in another way. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { UserError } from "../../lib/attempt.ts";
import { parseCommandLine } from "../../lib/commands/command-line.ts";
import { COMMAND_NAMES, COMMANDS } from "../../lib/commands/flags.ts";
import { readHelp } from "../../lib/commands/help.ts";
import { CHECK_CODES, CHECK_NAMES, EXIT, VERSION } from "../../lib/vocabulary.ts";
import {
  assertGolden,
  type BotOptions,
  buildOnce,
  createDirectory,
  projectDirectory,
  type Run,
  type RunningBot,
  type RunOptions,
  readRecords,
  runVerify,
  type Settings,
  startBot,
  unprivilegedUid,
  writeConfig,
} from "../support/harness.ts";

const validate = new Ajv2020({ allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(join(projectDirectory, "config/result.schema.json"), "utf8")),
);

/** What Node itself would print must never reach a person, whatever happens. */
function assertClean(run: Run): void {
  assert.equal(run.signal, null);
  assert.doesNotMatch(
    run.stderr + run.stdout,
    /Unhandled|unhandled|ExperimentalWarning|\(Use `node|Node\.js v\d|MaxListeners|TypeError|ReferenceError/,
  );
}

/** Runs the verifier once on a bot of its own. */
async function play(
  options: BotOptions | null,
  config: Settings,
  args: readonly string[],
  run: RunOptions | ((directory: string, bot: RunningBot | null) => RunOptions) = {},
) {
  const directory = createDirectory();
  const bot = options === null ? null : await startBot(directory, options);
  try {
    const file = writeConfig(directory, bot?.port ?? 9, config);
    const done = await runVerify(
      ["--env", "prod", "--config", file, ...args],
      typeof run === "function" ? run(directory, bot) : run,
    );
    assertClean(done);
    return { ...done, directory, records: readRecords(join(directory, "verify.jsonl")) };
  } finally {
    await bot?.stop();
  }
}

// ---------------------------------------------------------------------------- usage

const misuse: [args: string[], complaint: RegExp][] = [
  [[], /--env is missing/],
  [["config"], /--env is missing/],
  [["--evn", "prod"], /Unknown flag "--evn"; did you mean "--env"\?/],
  [["--env", "prod", "--jsn"], /Unknown flag "--jsn"; did you mean "--json"\?/],
  [["--env", "prod", "--dryrun"], /Unknown flag "--dryrun"; did you mean "--dry-run"\?/],
  [["--env", "prod", "--no-colour"], /Unknown flag "--no-colour"; did you mean "--no-color"\?/],
  [["--env", "prod", "-x"], /Unknown flag "-x"/],
  [["--env", "prod", "--toString"], /Unknown flag "--toString"/],
  [["--env", "prod", "--rolback"], /Unknown flag "--rolback"; did you mean "--rollback"\?/],
  [["--env", "prod", "--list"], /^--list means nothing to the command verify$/m],
  [["verify", "--env", "prod", "--wait"], /^--wait means nothing to the command verify$/m],
  [["--env", "prod", "--get", "process.unit"], /^--get means nothing to the command verify$/m],
  [
    ["burnin", "--env", "prod", "--only", "process"],
    /^--only means nothing to the command burnin$/m,
  ],
  [["burnin", "--env", "prod", "--rollback"], /^--rollback means nothing to the command burnin$/m],
  [["status", "--env", "prod", "--to", "r1"], /^--to means nothing to the command status$/m],
  [["status", "--env", "prod", "--dry-run"], /^--dry-run means nothing to the command status$/m],
  [["rollback", "--env", "prod", "--wait"], /^--wait means nothing to the command rollback$/m],
  [
    ["rollback", "--env", "prod", "--rollback"],
    /^--rollback means nothing to the command rollback$/m,
  ],
  [["config", "--env", "prod", "--attach"], /^--attach means nothing to the command config$/m],
  [["rollback", "--env", "prod", "--to", ""], /^--to "" is not a release/m],
  [["status", "--env", "prod", "--wait", "--release", ""], /^--release "" is not a release/m],
  [["rollback", "--env", "prod", "--to"], /--to/],
  [["rollbak", "--env", "prod"], /Unknown command "rollbak"; did you mean "rollback"\?/],
  [["constructor", "--env", "prod"], /Unknown command "constructor"/],
  [["rollback", "--env", "prod", "r1"], /Unexpected argument "r1"/],
  [["--env"], /--env/],
  [["--env", "prod", "--json=yes"], /--json/],
  [["--env", "prod", "--format", "xml"], /--format "xml" is not known/],
  [["--env", "prod", "--format", "jsn"], /--format "jsn" is not known; did you mean "json"\?/],
  [
    ["--env", "prod", "--only", "proces"],
    /--only: there is no check "proces"; did you mean "process"\?/,
  ],
  [["--env", "prod", "--skip", "proces,database"], /--skip: there is no check "proces"/],
  [["--env", "prod", "--only", ""], /--only names no check; there are: process, /],
  [["--env", "prod", "--only", "process", "--skip", "process"], /--only and --skip leave no check/],
  [["--env", "prod", "--skip", CHECK_NAMES.join(",")], /leave no check/],
  [["--env", "prod", "--expect-version", ""], /--expect-version is empty/],
  [["confg", "--env", "prod"], /Unknown command "confg"; did you mean "config"\?/],
  [["verify", "prod"], /Unexpected argument "prod"/],
  [["--env", "prod", "-json"], /Unknown flag "-json"/],
  [["--env", "prod", "--", "--json"], /Unknown command "--json"; there are: verify, status/],
  [["--env", "--json"], /^--env needs a value$/m],
  [["report", "--env", "prod", "--note"], /^--note needs a value$/m],
  [["--env", ""], /^--env is empty$/m],
  [["--env", "prod", "--config", ""], /^--config is empty$/m],
  [["config", "--env", "prod", "--get", ""], /^--get is empty$/m],
  [["report", "--env", "prod", "--out", ""], /^--out is empty$/m],
  [["report", "--env", "prod", "--note", " "], /^--note is empty$/m],
  [["report", "--env", "prod", "--since", ""], /^--since "" is no time/m],
  [
    ["report", "--env", "prod", "--since", "yesterday"],
    /^--since "yesterday" is no time, such as/m,
  ],
  [
    ["report", "--env", "prod", "--format", "github"],
    /^--format "github" is not known; there are/m,
  ],
  [["--env", "prod", "--format", "md"], /^--format "md" is not known; there are: pretty, json/m],
  [
    ["status", "--env", "prod", "--format", "github"],
    /^--format "github" is not known; there are: pretty, json$/m,
  ],
  [
    ["rollback", "--env", "prod", "--list", "--format", "github"],
    /^--format "github" is not known; there are: pretty, json$/m,
  ],
  [
    ["config", "--env", "prod", "--format", "github"],
    /^--format "github" is not known; there are: pretty, json$/m,
  ],
  [
    ["alert", "--env", "prod", "--format", "github"],
    /^--format "github" is not known; there are: pretty$/m,
  ],
  [
    ["alert", "--env", "prod", "--dry-run", "--format", "json"],
    /^--format "json" is not known; there are: pretty$/m,
  ],
  [["alert", "--env", "prod", "--json"], /^--json means nothing to the command alert$/m],
  [["--env", "prod", "--env", "test"], /^--env is given twice$/m],
  [["--env", "prod", "--json", "--json"], /^--json is given twice$/m],
  [["--env", "prod", "--no-color", "--no-color"], /^--no-color is given twice$/m],
  [["--env", "prod", "--json=yes"], /^--json takes no value$/m],
  [
    ["--env", "prod", "--attach", "--no-attach"],
    /^--attach and --no-attach contradict each other$/m,
  ],
  [
    ["--env", "prod", "--no-attach", "--attach"],
    /^--attach and --no-attach contradict each other$/m,
  ],
  [
    ["rollback", "--env", "prod", "--switch", "--confirm"],
    /^--switch and --confirm contradict each other$/m,
  ],
  [
    ["rollback", "--env", "prod", "--to", "r1", "--list"],
    /^--list and --to contradict each other$/m,
  ],
  [
    ["rollback", "--env", "prod", "--dry-run", "--list"],
    /^--list and --dry-run contradict each other$/m,
  ],
  [["status", "--env", "prod", "--release", "r1"], /^--release needs --wait$/m],
  [["status", "--env", "prod", "--wit"], /^Unknown flag "--wit"; did you mean "--wait"\?$/m],
];

function usageOf(args: readonly string[]): string {
  try {
    parseCommandLine(args);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, EXIT.usage);
    return error.message;
  }
  assert.fail(`accepted: ${args.join(" ")}`);
}

for (const [args, complaint] of misuse) {
  test(`parseCommandLine() refuses "${args.join(" ")}"`, () => {
    const message = usageOf(args);
    assert.match(message, complaint);
    assert.match(message, /\nTry: verify\.ts --help$/);
  });
}

test("parseCommandLine() selects the checks that --only and --skip leave", () => {
  const names = (...args: string[]): string[] => [
    ...parseCommandLine(["--env", "prod", ...args]).selected,
  ];
  assert.deepEqual(names(), CHECK_NAMES);
  assert.deepEqual(names("--only", "process, database"), ["process", "database"]);
  assert.deepEqual(names("--skip", "process"), CHECK_NAMES.slice(1));
  assert.deepEqual(names("--only", "process,database", "--skip", "process"), ["database"]);
});

for (const [args, command] of [
  [["--rollback", "--no-attach"], "verify"],
  [["verify", "--attach"], "verify"],
  [["burnin"], "burnin"],
  [["status", "--wait", "--release", "r2", "--json"], "status"],
  [["rollback", "--list"], "rollback"],
  [["rollback", "--to", "r1", "--emergency", "--dry-run"], "rollback"],
  [["rollback", "--switch"], "rollback"],
  [["rollback", "--confirm"], "rollback"],
  [["config", "--get", "process.unit"], "config"],
  [["--format", "github"], "verify"],
  [["burnin", "--format", "github"], "burnin"],
  [["status", "--format", "json"], "status"],
  [["rollback", "--list", "--json"], "rollback"],
  [["config", "--format", "json"], "config"],
  [["alert", "--format", "pretty"], "alert"],
  [["report", "--note", "a word", "--since", "2026-11-22", "--format", "md"], "report"],
  [["--dry-run", "--to=r1", "rollback"], "rollback"],
  [["alert", "--dry-run"], "alert"],
] as const) {
  test(`parseCommandLine() takes "${args.join(" ")}"`, () =>
    assert.equal(parseCommandLine([...args, "--env", "prod"]).command, command));
}

test("parseCommandLine() takes --json for --format json, and verify for no command", () => {
  assert.equal(parseCommandLine(["--env", "prod"]).json, false);
  assert.equal(parseCommandLine(["--env", "prod", "--json"]).json, true);
  assert.equal(parseCommandLine(["--env", "prod", "--format", "json"]).json, true);
  assert.deepEqual(parseCommandLine(["verify", "--env=prod"]), parseCommandLine(["--env", "prod"]));
});

test("a misuse exits 64, says why on stderr, and nothing on stdout", async () => {
  const run = await runVerify(["--env", "prod", "--onli", "process"]);
  assertClean(run);
  assert.deepEqual([run.code, run.stdout], [64, ""]);
  assert.equal(
    run.stderr,
    'Unknown flag "--onli"; did you mean "--only"?\nTry: verify.ts --help\n',
  );
});

test("a format that a command cannot render exits 64, and nothing is printed instead", async () => {
  for (const command of ["status", "rollback", "alert", "config"]) {
    const run = await runVerify([command, "--env", "prod", "--format", "github"]);
    assertClean(run);
    assert.deepEqual([run.code, run.stdout], [64, ""], command);
    assert.match(run.stderr, /^--format "github" is not known; there are: pretty/);
  }
});

test("a misuse with control characters prints none of them", async () => {
  const run = await runVerify(["--env", "prod", "--only", "a\u001b[31mb\r\n\u009bc"]);
  assert.equal(run.code, 64);
  assert.doesNotMatch(run.stderr.replaceAll("\n", ""), /\p{Cc}/u);
});

test("parseCommandLine() hands the values of flags on, and what a flag denies as false", () => {
  const { only, ...flags } = parseCommandLine([
    ...["--env", "prod", "--no-attach", "--expect-version", "1.4.2", "--dry-run", "--only=process"],
  ]).flags;
  assert.deepEqual(flags, {
    env: "prod",
    color: true,
    attach: false,
    expectVersion: "1.4.2",
    dryRun: true,
  });
  assert.deepEqual(only, ["process"]);
  assert.equal(parseCommandLine(["--env", "prod", "--no-color"]).flags.color, false);
});

test("parseCommandLine() takes help, version and schema without an environment", () => {
  for (const flag of ["--help", "--version", "--schema"])
    assert.equal(parseCommandLine([flag]).env, "");
  assert.equal(parseCommandLine(["--help"]).help, "program");
  assert.equal(parseCommandLine(["verify", "--help"]).help, "verify");
  assert.equal(parseCommandLine(["status", "--env", "prod"]).help, null);
});

// ---------------------------------------------------------------------------- help and version

test("--help fits a terminal of 60 lines and 80 columns, and exits 0", async () => {
  const run = await runVerify(["--help"]);
  assertClean(run);
  assert.deepEqual([run.code, run.stdout, run.stderr], [0, readHelp(), ""]);
  const lines = readHelp().trimEnd().split("\n");
  assert.ok(lines.length <= 60, `${lines.length} lines`);
  assert.deepEqual(
    lines.filter((line) => [...line].length > 80),
    [],
  );
});

for (const name of COMMAND_NAMES) {
  test(`${name} --help says what test/golden/help-${name}.txt says, and exits 0`, async () => {
    const run = await runVerify([name, "--help"]);
    assertClean(run);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assertGolden(`help-${name}.txt`, run.stdout);
    assert.equal(run.stdout.match(/^ {2}npx tsx verify\.ts /gm)?.length, 2, "examples");
    for (const line of run.stdout.split("\n")) assert.ok([...line].length <= 80, line);
  });

  test(`the examples of ${name} --help are command lines that parse`, () => {
    for (const example of COMMANDS[name].examples) {
      const words = example.match(/"[^"]+"|\S+/g)?.map((word) => word.replaceAll('"', ""));
      assert.equal(parseCommandLine(words ?? []).command, name);
    }
  });
}

test("--help says what test/golden/help.txt says", () => assertGolden("help.txt", readHelp()));

test("--help names every flag that there is, and no other", () => {
  const flags = new Set(readHelp().match(/--[a-z][a-z-]+/g));
  for (const flag of flags) assert.doesNotMatch(tryFlag(flag), /Unknown flag/, flag);
  for (const flag of [
    "--env",
    "--config",
    "--only",
    "--skip",
    "--format",
    "--json",
    "--expect-version",
    "--dry-run",
    "--quiet",
    "--no-color",
    "--schema",
    "--help",
    "--version",
    "--attach",
    "--no-attach",
    "--rollback",
    "--wait",
    "--release",
    "--list",
    "--to",
    "--emergency",
    "--get",
    "--since",
    "--out",
    "--note",
  ])
    assert.ok(flags.has(flag), flag);
});

function tryFlag(flag: string): string {
  try {
    parseCommandLine([flag, "x"]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("--help names every exit code", () => {
  for (const [name, code] of Object.entries(CHECK_CODES))
    assert.match(readHelp(), new RegExp(`\\b${code} ${name}\\b`));
  for (const code of Object.values(EXIT)) assert.match(readHelp(), new RegExp(`\\b${code}\\b`));
});

test("--version prints the version of package.json, and exits 0", async () => {
  const run = await runVerify(["--version"]);
  assert.deepEqual([run.code, run.stdout], [0, `${VERSION}\n`]);
  assert.equal(
    (
      JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8")) as {
        version: string;
      }
    ).version,
    VERSION,
  );
});

test("the program runs from its source as it runs from the build, its child process too", async () => {
  const program = [process.execPath, "--import", "tsx", join(projectDirectory, "verify.ts")];
  const directory = createDirectory();
  const bot = await startBot(directory);
  try {
    const file = writeConfig(directory, bot.port, { limits: { watchSeconds: 0 } });
    const run = await runVerify(["--env", "prod", "--config", file, "--json"], { program });
    assert.equal(run.code, 0, run.stdout + run.stderr);
    assert.equal(run.json?.findings.find(({ check }) => check === "database")?.status, "pass");
  } finally {
    await bot.stop();
  }
});

test("verify.ts is executable and runs from any directory, through a link too", async () => {
  const link = join(createDirectory(), "a link");
  symlinkSync(join(projectDirectory, "verify.ts"), link);
  for (const file of [join(projectDirectory, "verify.ts"), link]) {
    const run = await runVerify(["--version"], { program: [file], cwd: "/" });
    assert.deepEqual([run.code, run.stdout, run.stderr], [0, `${VERSION}\n`, ""]);
    const refused = await runVerify(["config", "--env", "no such"], { program: [file], cwd: "/" });
    assert.equal(refused.code, 78, "the words and the exit code pass the shell unharmed");
    assert.match(refused.stderr, /^--env "no such" is not a name/);
  }
});

test("importing the program does nothing", async () => {
  const script = `await import(${JSON.stringify(join(projectDirectory, "build/verify.js"))});`;
  const run = await runVerify([], {
    program: [process.execPath, "--input-type=module", "-e", script],
  });
  assert.deepEqual([run.code, run.stdout, run.stderr], [0, "", ""]);
});

// ---------------------------------------------------------------------------- configuration errors

test("an environment without a config exits 78 and names those there are", async () => {
  const run = await runVerify(["--env", "staging"]);
  assertClean(run);
  assert.deepEqual([run.code, run.stdout], [78, ""]);
  assert.match(
    run.stderr,
    /No config for the environment "staging".*there are: .*demo, prod, test/,
  );
});

test("a config that is not there exits 78, also with --dry-run and for the config command", async () => {
  for (const args of [[], ["--dry-run"], ["config"]]) {
    const run = await runVerify([...args, "--env", "prod", "--config", "/nonexistent/site.yaml"]);
    assertClean(run);
    assert.deepEqual([run.code, run.stdout], [78, ""]);
    assert.match(run.stderr, /^Cannot read the config "\/nonexistent\/site\.yaml": ENOENT/);
  }
});

test("a broken config exits 78 with all its mistakes, a line each", async () => {
  const file = join(createDirectory(), "site.yaml");
  writeFileSync(file, "proces: {}\nhealth:\n  ulr: x\n");
  const run = await runVerify(["--env", "prod", "--config", file]);
  assertClean(run);
  assert.equal(run.code, 78);
  const lines = run.stderr.trimEnd().split("\n");
  assert.ok(lines.length >= 3 && lines.every((line) => line.startsWith(`${file}:`)), run.stderr);
});

test("a config that is a secret's only home does not show it when it is broken", async () => {
  const file = join(createDirectory(), "site.yaml");
  for (const text of [
    "health: *hunter2\n",
    "health: {url: hunter2\n",
    "health: !hunter2 x\n",
    "health: !hunter2! x\n",
    "health: &hunter2 [\n",
    "a: &a [x, x]\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nhealth: hunter2\n",
  ]) {
    writeFileSync(file, text);
    const run = await runVerify(["--env", "prod", "--config", file]);
    assert.equal(run.code, 78, `${text}\n${run.stderr}`);
    assert.doesNotMatch(run.stderr, /hunter2/);
  }
});

// ---------------------------------------------------------------------------- a program that is not whole

/** A copy of the built program with only some of its libraries. */
async function copyProgram(libraries: readonly string[]): Promise<string> {
  await buildOnce();
  const directory = createDirectory();
  cpSync(join(projectDirectory, "config"), join(directory, "config"), { recursive: true });
  mkdirSync(join(directory, "build"));
  copyFileSync(join(projectDirectory, "build/verify.js"), join(directory, "build/verify.js"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  mkdirSync(join(directory, "node_modules"));
  for (const library of libraries)
    symlinkSync(
      join(projectDirectory, "node_modules", library),
      join(directory, "node_modules", library),
    );
  return join(directory, "build/verify.js");
}

for (const [what, prepare, why] of [
  ["missing", () => {}, /Cannot find module/],
  ["built for another Node", breakBinding, /npm rebuild better-sqlite3/],
] as const) {
  test(`with better-sqlite3 ${what} a run ends with 70 and one sentence, and leaves a record`, async () => {
    const program = await copyProgram([]);
    prepare(dirname(dirname(program)));
    const directory = createDirectory();
    const bot = await startBot(directory);
    try {
      const run = await runVerify(["--env", "prod", "--config", writeConfig(directory, bot.port)], {
        program: [process.execPath, program],
      });
      assert.equal(run.code, 70, run.stderr);
      assert.match(run.stderr, /^better-sqlite3 cannot be loaded/m);
      assert.match(run.stderr, why);
      assert.doesNotMatch(run.stderr, /^ +at /m);
      const [written] = readRecords(join(directory, "verify.jsonl"));
      assert.deepEqual([written?.verdict, written?.exit], ["aborted", 70]);
    } finally {
      await bot.stop();
    }
  });
}

test("the one file helps and shows a config without any package beside it", async () => {
  const program = [process.execPath, await copyProgram([])];
  const help = await runVerify(["--help"], { program });
  assert.equal(help.code, 0, help.stderr);
  const config = await runVerify(["config", "--env", "demo"], { program });
  assert.equal(config.code, 0, config.stderr);
});

/** better-sqlite3 as it is installed, but for a native half that this Node cannot load. */
function breakBinding(root: string): void {
  for (const name of ["better-sqlite3", "bindings", "file-uri-to-path"]) {
    const filter = (file: string): boolean => !/better-sqlite3.(?:deps|src|build)/.test(file);
    cpSync(join(projectDirectory, "node_modules", name), join(root, "node_modules", name), {
      recursive: true,
      filter,
    });
  }
  const release = join(root, "node_modules/better-sqlite3/build/Release");
  mkdirSync(release, { recursive: true });
  writeFileSync(join(release, "better_sqlite3.node"), "no library");
}

// ---------------------------------------------------------------------------- signals and the deadline

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

describe("a signal ends a run within a second", { concurrency: 2 }, () => {
  const moments: [moment: string, line: RegExp, bot: BotOptions, config: Settings][] = [
    [
      "while a bot that does not answer is asked",
      /^initial checks/m,
      { "delay-ms": 4000 },
      { limits: { healthTimeoutMs: 5000 } },
    ],
    ["in the watch", /^watch: /m, {}, { limits: { watchSeconds: 30 } }],
    ["in the final checks", /^final checks/m, {}, { limits: { watchSeconds: 1 } }],
  ];
  for (const [signal, code] of Object.entries(codes) as [keyof typeof codes, number][]) {
    for (const [moment, line, bot, config] of moments) {
      test(`${signal} ${moment}: exit ${code}, and a record that says aborted`, async () => {
        let sentAt = 0;
        const run = await play(bot, config, ["--json"], {
          onLine: [
            {
              line,
              act: (child) => {
                sentAt = performance.now();
                child.kill(signal);
              },
            },
          ],
        });
        const tookMs = performance.now() - sentAt;
        assert.equal(run.code, code, run.stderr);
        assert.ok(tookMs < 1500, `it took ${tookMs} ms until the bot had been stopped, too`);
        assert.equal(run.records.length, 1);
        assert.deepEqual([run.records[0]?.verdict, run.records[0]?.exit], ["aborted", code]);
        assert.ok(validate(run.records[0]), JSON.stringify(validate.errors));
        assert.deepEqual(run.json, run.records[0]);
        assert.ok(run.json?.notes.includes(`ended by ${signal}`));
      });
    }
  }

  test("a second signal does not write a second record", async () => {
    const twice: RunOptions = {
      onLine: [
        {
          line: /^watch: /m,
          act: (child) => {
            child.kill("SIGINT");
            child.kill("SIGTERM");
          },
        },
      ],
    };
    const run = await play({}, { limits: { watchSeconds: 30 } }, [], twice);
    assert.ok(run.code === 130 || run.code === 143, String(run.code));
    assert.equal(run.records.length, 1);
  });

  test("an abort keeps what was found up to then", async () => {
    const run = await play({}, { limits: { watchSeconds: 30 } }, ["--json"], {
      onLine: [{ line: /^watch: /m, act: (child) => child.kill("SIGTERM") }],
    });
    assert.deepEqual(
      run.json?.findings
        .filter((finding) => finding.status === "pass")
        .map((finding) => finding.check),
      [
        "process",
        "database",
        "health_endpoint",
        "connection",
        "response_time",
        "user_count",
        "memory_usage",
        "error_logs",
        "configuration",
      ],
    );
  });
});

test("a run that reaches its own deadline exits 124, unknown, with a record", async () => {
  const run = await play(
    { "delay-ms": 8000 },
    { limits: { checksSecondsMax: 1, watchSeconds: 1, healthTimeoutMs: 9000 } },
    ["--json"],
  );
  assert.equal(run.code, 124, run.stderr);
  assert.ok(run.ms < 6500, `${run.ms} ms`);
  assert.deepEqual(
    [run.json?.verdict, run.records.length, run.records[0]?.exit],
    ["unknown", 1, 124],
  );
  assert.ok(validate(run.json), JSON.stringify(validate.errors));
});

test("a failure that was measured before the deadline decides", async () => {
  const run = await play(null, { limits: { checksSecondsMax: 1, watchSeconds: 1 } }, [
    "--only",
    "process,database",
    "--json",
  ]);
  assert.equal(run.code, 1, run.stderr);
});

// ---------------------------------------------------------------------------- the log

test("a log that cannot be written is told before the run, and exits 73 only where it would be 0", async () => {
  const only = ["--only", "process"];
  const full = await play({}, { log: { file: "/dev/full" } }, [...only, "--json"]);
  assert.equal(full.code, 73, full.stderr);
  assert.deepEqual([full.json?.verdict, full.json?.exit], ["pass", 73]);
  assert.match(full.stderr, /The record could not be written to "\/dev\/full": ENOSPC/);
  const failing = await play(null, { log: { file: "/dev/full" } }, only);
  assert.equal(failing.code, 1);
  assert.match(failing.stdout, /FAIL +process/);
});

test("an unprivileged run that may not write its log says so at once, and still verifies", async () => {
  const run = await play(
    {},
    { log: { file: "closed/verify.jsonl" } },
    ["--only", "process"],
    (directory) => {
      mkdirSync(join(directory, "closed"), { mode: 0o500 });
      return process.getuid?.() === 0 ? { uid: unprivilegedUid } : {};
    },
  );
  assert.equal(run.code, 73, run.stderr);
  assert.ok(
    run.stderr.indexOf("The log will not take the record") < run.stderr.indexOf("initial checks"),
    run.stderr,
  );
  assert.match(run.stdout, /PASS +exit 73/);
  assert.deepEqual(readdirSync(run.directory).includes("verify.jsonl"), false);
});

// ---------------------------------------------------------------------------- streams and terminals

test("a reader that closes stdout early changes neither the verdict nor the record", async () => {
  const run = await play({}, { limits: { watchSeconds: 0 } }, ["--json", "--only", "process"], {
    closeStdout: true,
  });
  assert.deepEqual([run.code, run.records.length, run.records[0]?.verdict], [0, 1, "pass"]);
  const failing = await play(null, {}, ["--json", "--only", "process"], { closeStdout: true });
  assert.equal(failing.code, 1);
});

test("--quiet says nothing of a pass, and everything of a failure", async () => {
  const passing = await play({}, {}, ["--quiet", "--only", "process"]);
  assert.deepEqual([passing.code, passing.stdout, passing.stderr], [0, "", ""]);
  const failing = await play(null, {}, ["--quiet", "--only", "process"]);
  assert.equal(failing.code, 1);
  assert.match(failing.stdout, /FAIL +process/);
  assert.equal(failing.stderr, "");
});

test("narration goes to stderr, and a pipe gets no escape sequence", async () => {
  const run = await play({}, { limits: { watchSeconds: 2 } }, ["--json"], {
    env: { TERM: "xterm-256color" },
  });
  assert.equal(run.code, 0, run.stderr);
  for (const line of [/^initial checks …$/m, /^watch: 2 s$/m, /^final checks …$/m])
    assert.match(run.stderr, line);
  assert.doesNotMatch(run.stdout + run.stderr, /\u001b/);
  assert.ok(run.json);
});

describe("on a terminal", { concurrency: 2 }, () => {
  const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  /** `script` gives the program a terminal; both streams come out of its stdout. */
  const terminal = (columns: number, env: Record<string, string | undefined> = {}): RunOptions => ({
    env: { TERM: "xterm-256color", ...env },
    wrap: (command) => [
      "script",
      "-qec",
      `stty cols ${columns} rows 24; exec ${command.map(quote).join(" ")}`,
      "/dev/null",
    ],
  });
  const watch = { limits: { watchSeconds: 3 } };
  const redraw = /\r\u001b\[2Kwatching, 0:0\d left {2}[\d.]+ MB {2}[\d.]+ ms {2}0 errors/;
  const colour = /\u001b\[[\d;]*m/;

  test("the watch is one line that is drawn again, and the result has colour", async () => {
    const run = await play({}, watch, [], terminal(100));
    assert.equal(run.code, 0, run.stdout);
    assert.match(run.stdout, redraw);
    assert.match(run.stdout, colour);
    assert.match(run.stdout, /\u001b\[32mPASS\u001b\[0m/);
  });

  test("a drawn line never wraps, however narrow the terminal is", async () => {
    const run = await play({}, watch, [], terminal(20));
    const drawn = run.stdout
      .split("\r\u001b[2K")
      .slice(1)
      .map((piece) => piece.split(/\r?\n|\r/)[0] ?? "");
    assert.ok(
      drawn.some((line) => line.startsWith("watching")),
      run.stdout,
    );
    for (const line of drawn.filter((text) => text.startsWith("watching")))
      assert.ok(line.length < 20, line);
  });

  test("no columns: plain lines", async () => {
    const run = await play({}, watch, [], terminal(0));
    assert.equal(run.code, 0, run.stdout);
    assert.doesNotMatch(run.stdout, /\u001b\[2K/);
  });

  test("TERM=dumb: no escape sequence at all", async () => {
    const run = await play({}, watch, [], terminal(100, { TERM: "dumb" }));
    assert.equal(run.code, 0, run.stdout);
    assert.doesNotMatch(run.stdout, /\u001b/);
  });

  for (const [what, args, env] of [
    ["NO_COLOR=1", [], { NO_COLOR: "1" }],
    ["--no-color", ["--no-color"], {}],
  ] as [string, string[], Record<string, string>][]) {
    test(`${what}: no colour`, async () => {
      const run = await play({}, {}, [...args, "--only", "process"], terminal(100, env));
      assert.equal(run.code, 0, run.stdout);
      assert.doesNotMatch(run.stdout, colour);
      assert.match(run.stdout, /PASS +exit 0/);
    });
  }

  test("NO_COLOR that is empty is not set", async () =>
    assert.match(
      (await play({}, {}, ["--only", "process"], terminal(100, { NO_COLOR: "" }))).stdout,
      colour,
    ));

  test("a terminal gets no escape sequence of the bot's", async () => {
    const field = ['channel="#demo\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m"'];
    const run = await play(
      { field },
      { limits: { watchSeconds: 0 } },
      ["--no-color"],
      terminal(100),
    );
    assert.equal(run.code, 10, run.stdout);
    assert.doesNotMatch(run.stdout, /[\u001b\u0007\u009b]/);
  });
});

test("nothing of a run is left behind", async () => {
  const run = await play({}, { limits: { watchSeconds: 1 } }, []);
  assert.equal(run.code, 0, run.stderr);
  const left = readdirSync(run.directory).filter(
    (name) =>
      !/^(bot\.(log|pid|port)|bot_data\.db(-wal|-shm)?|config\.json|verify\.(yaml|jsonl))$/.test(
        name,
      ),
  );
  assert.deepEqual(left, []);
  assert.ok(existsSync(join(run.directory, "verify.jsonl")));
});
