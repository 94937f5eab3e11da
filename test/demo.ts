/**
 * `npm run demo`: starts the sample bot in .demo/, verifies it with config/demo.yaml, stops it, and exits as the verifier did.
 *
 *   npm run demo                          a healthy bot
 *   npm run demo -- --fault NAME          a broken one; its scene stays in .demo/faults/NAME to look at
 *   npm run demo -- --list                the names, what is expected of each, and what is broken
 *   npm run demo -- --json                everything else goes to the verifier
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { nearestWord } from "../verify.ts";
import { type Fault, faults, findFault, playFault } from "./faults.ts";
import { botSettings, projectDirectory, runVerify, startBot } from "./harness.ts";

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
  say(`a bot is running: pid ${bot.pid()}, http://127.0.0.1:${port}/api/health, channel ${botSettings.channel}, files in .demo/`);
  say(`node --import tsx verify.ts --env demo ${args.join(" ")}`);
  const run = await runVerify(["--env", "demo", ...args], { program, show: "inherit", deadlineMs: 600_000 });
  await bot.stop();
  say("the bot is stopped; what it logged is in .demo/bot.log, the records of the verifications in .demo/verify.jsonl");
  return run.code ?? 70;
}

async function demoFault(fault: Fault, args: string[]): Promise<number> {
  const dir = join(directory, "faults", fault.name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const { expected } = fault;
  say(`${fault.title}${fault.variant ? ` (${fault.variant})` : ""}`);
  if (fault.why) say(fault.why);
  say(`expected: ${expected.check ? `${expected.check} ${expected.status}, ` : ""}exit ${expected.exit}; the scene is in .demo/faults/${fault.name}`);
  const { run } = await playFault(fault, { dir, program, show: "inherit", args, pretty: true });
  say(`exit ${run.code}${run.code === expected.exit ? ", as expected" : `, and not ${expected.exit} as expected`}`);
  return run.code ?? 70;
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--list")) {
    process.stdout.write(listFaults());
    return 0;
  }
  const position = args.findIndex((arg) => arg === "--fault" || arg.startsWith("--fault="));
  if (position < 0) return demoHealthy(args);
  const [flag] = args.splice(position, 1) as [string];
  const name = flag.includes("=") ? flag.slice(flag.indexOf("=") + 1) : (args.splice(position, 1)[0] ?? "");
  const fault = findFault(name);
  if (fault) return demoFault(fault, args);
  const near = nearestWord(
    name,
    faults.map((other) => other.name),
  );
  say(`unknown fault "${name}"${near ? `; did you mean "${near}"?` : ""} --list shows them all`);
  return 64;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  say(error.message);
  return 70;
});
