/**
 * `npm run faults`: plays the whole table of faults and prints figures.
 *
 *   --quick            a subset of the faults, few healthy runs, few leaks
 *   --healthy N        healthy runs, with watches of 5 to 30 s (200)
 *   --leaks N          leaks of a stated size, in watches of 10 to 30 s (40)
 *   --only a,b         these faults, and nothing else
 *   --at-once N        scenes that are played at the same time; they mostly wait (8)
 *   --skip-faults      only the healthy runs and the leaks
 *
 * The targets: every fault as the table says, no healthy run that warns, fails or does not know,
 * and 95 % of the leaks seen.
 */
import { parseArgs } from "node:util";
import { type Fault, faults, findFault, type Played, playFault, playLookAlike } from "./faults.ts";
import {
  type BotOptions,
  buildOnce,
  createDirectory,
  type Run,
  runVerify,
  type Settings,
  startBot,
  writeConfig,
} from "./harness.ts";

const leakMbPerSecond = 8;
const leaksSeenShareMin = 0.95;

/** One of each kind, and the quick ones. */
const quickNames =
  "process-gone zombie restarted-within-a-second frozen database-missing corrupt-page health-refused health-html connected-text response-time-tail " +
  "users-zero memory-in-its-child error-line error-in-chat log-rotated wrong-channel config-unknown-key disk-full two-at-once event-loop-blocked";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    healthy: { type: "string" },
    leaks: { type: "string" },
    only: { type: "string" },
    "at-once": { type: "string", default: "8" },
    "skip-faults": { type: "boolean", default: false },
  },
});

const tally = { passed: 0, failed: 0 };

function count(passed: boolean): string {
  tally[passed ? "passed" : "failed"] += 1;
  return passed ? "ok  " : "FAIL";
}

/** Works through the tasks, a bounded number at once; results are reported as they come. */
async function runBounded<Task>(
  tasks: readonly Task[],
  work: (task: Task) => Promise<void>,
): Promise<void> {
  const queue = [...tasks];
  const worker = async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) await work(task);
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(flags["at-once"])) }, worker));
}

// ---------------------------------------------------------------------------- faults

function describe({ run, mismatches }: Played): string {
  return `got ${run.code ?? run.signal} in ${Math.round(run.ms)} ms${mismatches.map((mismatch) => `\n        ${mismatch}`).join("")}`;
}

async function reportFault(fault: Fault): Promise<void> {
  const { expected } = fault;
  const wanted = `${expected.check ? `${expected.check} ${expected.status} ` : ""}${expected.exit}`;
  await reportPlayed(`${fault.name.padEnd(34)} expected ${wanted.padEnd(28)}`, () =>
    playFault(fault),
  );
  const { lookAlike } = fault;
  if (lookAlike)
    await reportPlayed(`${fault.name.padEnd(34)} look-alike: ${lookAlike.what},`, () =>
      playLookAlike(fault),
    );
}

async function reportPlayed(what: string, play: () => Promise<Played>): Promise<void> {
  try {
    const played = await play();
    console.log(`${count(played.mismatches.length === 0)} ${what} ${describe(played)}`);
  } catch (error) {
    console.log(
      `${count(false)} ${what} could not be played: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function chooseFaults(): readonly Fault[] {
  if (flags["skip-faults"]) return [];
  const names = flags.only?.split(",") ?? (flags.quick ? quickNames.split(" ") : undefined);
  return names?.map(requireFault) ?? faults;
}

function requireFault(name: string): Fault {
  const fault = findFault(name);
  if (!fault) throw new Error(`There is no fault "${name}": npm run demo -- --list shows them all`);
  return fault;
}

// ---------------------------------------------------------------------------- healthy runs and leaks

async function verifyBot(
  bot: BotOptions,
  config: Settings,
  onWatch?: (wake: () => void) => void,
): Promise<Run> {
  const dir = createDirectory();
  const running = await startBot(dir, bot);
  try {
    const file = writeConfig(dir, running.port, config);
    const onLine = onWatch ? [{ line: /^watch: /m, act: () => onWatch(running.wake) }] : [];
    return await runVerify(["--env", "prod", "--config", file, "--json"], {
      onLine,
      deadlineMs: 120_000,
    });
  } finally {
    await running.stop();
  }
}

/** Evenly spread over the range, so that a small number of runs sees short and long ones too. */
function spread(from: number, to: number, index: number, of: number): number {
  return Math.round(from + ((to - from) * index) / Math.max(1, of - 1));
}

function explain(run: Run): string {
  const bad =
    run.json?.findings.filter(({ status }) => !["pass", "off", "skipped"].includes(status)) ?? [];
  return (
    bad
      .map(({ check, phase, status, says }) => `${check} ${phase} ${status}: ${says}`)
      .join(" | ") || run.stderr.slice(-300)
  );
}

async function soakHealthy(runs: number): Promise<void> {
  const outcomes: Record<string, number> = {};
  await runBounded([...Array(runs).keys()], async (index) => {
    const bot = {
      "sawtooth-mb": 30,
      "sawtooth-ms": spread(2000, 20_000, (index * 7) % runs, runs),
      "long-tail": true,
    };
    const limits = {
      watchSeconds: spread(5, 30, index, runs),
      healthTimeoutMs: 5000,
      responseGapMs: 100,
    };
    const run = await verifyBot(bot, { limits });
    const verdict = run.json?.verdict ?? `exit ${run.code ?? run.signal}`;
    outcomes[verdict] = (outcomes[verdict] ?? 0) + 1;
    if (verdict !== "pass" || run.code !== 0)
      console.log(`     a healthy run (${limits.watchSeconds} s): ${verdict}, ${explain(run)}`);
  });
  const { warn = 0, fail = 0, unknown = 0, pass = 0 } = outcomes;
  const others = runs - warn - fail - unknown - pass;
  console.log(
    `${count(pass === runs)} ${runs} healthy runs: ${pass} pass, ${warn} warn, ${fail} fail, ${unknown} unknown, ${others} other`,
  );
}

async function soakLeaks(runs: number): Promise<void> {
  let seen = 0;
  await runBounded([...Array(runs).keys()], async (index) => {
    const limits = { watchSeconds: spread(10, 30, index, runs) };
    const bot = { dormant: true, "leak-mb-per-s": leakMbPerSecond };
    const run = await verifyBot(bot, { limits }, (wake) => wake());
    const warned =
      run.json?.findings.some(
        ({ check, status }) => check === "uptime_stability" && status === "warn",
      ) ?? false;
    if (warned) seen += 1;
    else
      console.log(
        `     a leak in ${limits.watchSeconds} s was not seen: exit ${run.code ?? run.signal}, ${explain(run)}`,
      );
  });
  const share = `${((seen / runs) * 100).toFixed(1)} %`;
  console.log(
    `${count(seen / runs >= leaksSeenShareMin)} ${runs} leaks of ${leakMbPerSecond} MB/s: ${seen} seen (${share})`,
  );
}

// ---------------------------------------------------------------------------- main

async function main(): Promise<void> {
  const started = performance.now();
  await buildOnce();
  await runBounded(chooseFaults(), reportFault);
  const usual = flags.quick ? { healthy: 8, leaks: 4 } : { healthy: 200, leaks: 40 };
  const unasked = flags.only ? { healthy: 0, leaks: 0 } : usual;
  const healthyRuns = Number(flags.healthy ?? unasked.healthy);
  const leakRuns = Number(flags.leaks ?? unasked.leaks);
  if (healthyRuns > 0) await soakHealthy(healthyRuns);
  if (leakRuns > 0) await soakLeaks(leakRuns);
  console.log(`${Math.round((performance.now() - started) / 1000)} s`);
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}

await main();
