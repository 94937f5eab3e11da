/**
 * `npm run demo`: starts the sample bot in .demo/, verifies it with config/demo.yaml, stops it, and
 * exits as the verifier did.
 *
 *   npm run demo                          a healthy bot
 *   npm run demo -- --fault NAME          a broken one; its scene stays in .demo/faults/NAME to
 * look at
 *   npm run demo -- --list                the names, what is expected of each, and what is broken
 *   npm run demo -- --burnin              a burn-in of 60 s instead of 24 h, with an outage between
 * two ticks and a restart; exits 0 when the
 *                                         report names both as they were, to the second, whatever
 * the burn-in's verdict is
 *   npm run demo -- --json                everything else goes to the verifier
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ReportView } from "../../lib/report/render.ts";
import { nearestWord } from "../../lib/text.ts";
import { type Fault, faults, findFault, playFault } from "./faults.ts";
import {
  botSettings,
  projectDirectory,
  readIfThere,
  runVerify,
  startBot,
  until,
} from "./harness.ts";

const directory = join(projectDirectory, ".demo");
const program = [process.execPath, "--import", "tsx", "verify.ts"];
const port = 18642; // The one in config/demo.yaml.

function say(text: string): void {
  process.stderr.write(`demo: ${text}\n`);
}

export function listFaults(): string {
  const width = Math.max(...faults.map(({ name }) => name.length));
  return faults
    .map(({ name, expected, title, variant }) => {
      const outcome = `${expected.check ?? "-"}${expected.status ? ` ${expected.status}` : ""}, exit ${expected.exit}`;
      return `${name.padEnd(width)}  ${outcome.padEnd(32)}  ${title}${variant ? ` (${variant})` : ""}\n`;
    })
    .join("");
}

async function demoHealthy(args: string[]): Promise<number> {
  mkdirSync(directory, { recursive: true });
  const bot = await startBot(directory, { port });
  say(
    `a bot is running: pid ${bot.pid()}, http://127.0.0.1:${port}/api/health, channel ${botSettings.channel}, files in .demo/`,
  );
  say(`npx tsx verify.ts --env demo ${args.join(" ")}`);
  const run = await runVerify(["--env", "demo", ...args], {
    program,
    show: "inherit",
    deadlineMs: 600_000,
  });
  await bot.stop();
  say(
    "the bot is stopped; what it logged is in .demo/bot.log, the records of the verifications in .demo/verify.jsonl",
  );
  return run.code ?? 70;
}

async function demoFault(fault: Fault, args: string[]): Promise<number> {
  const dir = join(directory, "faults", fault.name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const { expected } = fault;
  say(`${fault.title}${fault.variant ? ` (${fault.variant})` : ""}`);
  if (fault.why) say(fault.why);
  say(
    `expected: ${expected.check ? `${expected.check} ${expected.status}, ` : ""}exit ${expected.exit}; the scene is in .demo/faults/${fault.name}`,
  );
  const { run } = await playFault(fault, { dir, program, show: "inherit", args, pretty: true });
  say(
    `exit ${run.code}${run.code === expected.exit ? ", as expected" : `, and not ${expected.exit} as expected`}`,
  );
  return run.code ?? 70;
}

// ---------------------------------------------------------------------------- burn-in

/**
 * What truly happened, in epoch milliseconds: when the chat server was away, and when the bot ended
 * and its next process began.
 */
export type Truth = { outage: { from: number; to: number }; restart: { from: number; to: number } };
export type BurninScene = {
  dir: string;
  port: number;
  args: readonly string[];
  seconds: number;
  ticks: number;
  outageMs: number;
};

const iso = (at: number): string => new Date(at).toISOString();
const sleepUntil = (at: number): Promise<void> =>
  new Promise((wake) => setTimeout(wake, Math.max(0, at - Date.now())));
/** By the kernel's own note of it. */
function processStart(pid: number): number {
  const ticks = Number(
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[19],
  );
  const bootedAt = Number(/^btime (\d+)/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
  return Math.max(
    bootedAt * 1000 + ticks * 10,
    Date.now() - Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000 + ticks * 10,
  );
}

/**
 * Plays a burn-in that is a day's in little: the verification that begins it, and ticks; the outage
 * falls between two of them, and so does the restart. What an earlier one left is removed.
 */
export async function playBurnin(
  { dir, port, args, seconds, ticks, outageMs }: BurninScene,
  tell: (text: string) => void,
): Promise<Truth> {
  const run = async (command: readonly string[], name: string) => {
    const { json, stderr, code } = await runVerify([...command, ...args, "--json"], {
      program,
      deadlineMs: 120_000,
    });
    if (!json) throw new Error(`${name} exited ${code} without a result: ${stderr}`);
    tell(`${iso(Date.now())} ${name}: ${json.verdict}, exit ${json.exit}`);
    return json;
  };
  const isOld = (name: string): boolean => /^(?:bot[._]|verify\.jsonl|state$)/.test(name);
  for (const name of readdirSync(dir).filter(isOld)) rmSync(join(dir, name), { recursive: true });
  mkdirSync(join(dir, "state"));
  const bot = await startBot(dir, { port, "disconnect-ms": outageMs });
  tell(
    `${iso(Date.now())} a bot is running: pid ${bot.pid()}, http://127.0.0.1:${port}/api/health, files in ${dir}`,
  );
  const { exit } = await run([], "verification");
  if (exit !== 0) throw new Error("the verification did not pass, so no burn-in has begun");
  const begun = Date.now();
  let [outage, restart]: [Truth["outage"] | null, Truth["restart"] | null] = [null, null];
  for (let tick = 1; tick <= ticks; tick++) {
    await sleepUntil(begun + (1000 * seconds * tick) / ticks);
    await run(["burnin"], `tick ${tick} of ${ticks}`);
    if (tick === Math.floor(ticks / 3)) {
      bot.wake();
      const said = await until(
        "the chat server is back",
        () => readIfThere(join(dir, "bot.outage")),
        outageMs + 15_000,
      );
      outage = JSON.parse(said) as Truth["outage"];
      tell(
        `the bot lost its chat server at ${iso(outage.from)} for ${(outage.to - outage.from) / 1000} s`,
      );
    }
    if (tick !== Math.floor((2 * ticks) / 3)) continue;
    const from = Date.now();
    await bot.kill("SIGTERM");
    await bot.start();
    restart = { from, to: processStart(bot.pid()) };
    tell(
      `the bot was restarted: stopped at ${iso(restart.from)}, its new process, ${bot.pid()}, began at ${iso(restart.to)}`,
    );
  }
  await bot.stop();
  if (!outage || !restart) throw new Error(`${ticks} ticks are too few`);
  return { outage, restart };
}

/**
 * What a report does not say as it was; empty when outage and restart are there with their times,
 * to one second.
 */
export function untold(
  { outage, restart }: Truth,
  { events }: Pick<ReportView, "events">,
): string[] {
  const [seconds, near] = [
    (outage.to - outage.from) / 1000,
    (at: string, when: number) => Math.abs(Date.parse(at) - when) <= 1000,
  ];
  const lengthIn = (says: string): number =>
    Number(/^disconnected for ([\d.]+) s, unplanned:/.exec(says)?.[1] ?? Number.NaN);
  const isOutage = events.some(
    ({ kind, at, says }) =>
      kind === "outage" && near(at, outage.from) && Math.abs(lengthIn(says) - seconds) <= 1,
  );
  const isRestart = events.some(({ kind, at }) => kind === "restart" && near(at, restart.to));
  return [
    ...(isOutage ? [] : [`the outage of ${seconds} s`]),
    ...(isRestart ? [] : ["the restart"]),
  ];
}

async function demoBurnin(): Promise<number> {
  mkdirSync(directory, { recursive: true });
  const args = ["--env", "demo"];
  say(
    "a burn-in of 60 s instead of a day's (limits.burninSeconds), with 8 ticks instead of the timer's 28",
  );
  const truth = await playBurnin(
    { dir: directory, port, args, seconds: 60, ticks: 8, outageMs: 4300 },
    say,
  );
  say(
    "the bot is stopped; what it logged is in .demo/bot.log, the records of the burn-in in .demo/verify.jsonl",
  );
  const { stdout, stderr, code } = await runVerify(["report", ...args, "--json"], { program });
  const view = JSON.parse(stdout || "null") as ReportView | null;
  if (!view) throw new Error(`there is no report: ${stderr}`);
  const missing = untold(truth, view);
  say(`the burn-in: ${view.decision}. ${view.reasons.join("; ")}`);
  say(
    missing.length
      ? `the report does not name ${missing.join(", nor ")}`
      : "the report names the outage and the restart as they were, to the second",
  );
  say(
    `npx tsx verify.ts report --env demo   writes it here as Markdown and as HTML, and exits ${code} for this verdict`,
  );
  return missing.length ? 1 : 0;
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--list")) {
    process.stdout.write(listFaults());
    return 0;
  }
  if (args.includes("--burnin")) return demoBurnin();
  const position = args.findIndex((arg) => arg === "--fault" || arg.startsWith("--fault="));
  if (position < 0) return demoHealthy(args);
  const [flag] = args.splice(position, 1) as [string];
  const name = flag.includes("=")
    ? flag.slice(flag.indexOf("=") + 1)
    : (args.splice(position, 1)[0] ?? "");
  const fault = findFault(name);
  if (fault) return demoFault(fault, args);
  const near = nearestWord(
    name,
    faults.map((other) => other.name),
  );
  say(`unknown fault "${name}"${near ? `; did you mean "${near}"?` : ""} --list shows them all`);
  return 64;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
    say(error.message);
    return 70;
  });
