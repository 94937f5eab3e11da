/**
 * Measures what commands cost, children included, and prints the figures as a table, each beside its
 * target.
 */
import type { SpawnOptions } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { median, round } from "../../lib/numbers.ts";
import * as harness from "./harness.ts";

// ---------------------------------------------------------------------------- measuring

/**
 * Runs a command and says on descriptor 3 what it took. A process that nobody waits for (the
 * verifier ends without waiting for the child that it kills)
 * is missing from what time(1) and a shell see, so this one adopts and reaps it:
 * prctl(PR_SET_CHILD_SUBREAPER), then getrusage(RUSAGE_CHILDREN).
 * Node has neither call; perl is part of every Debian.
 */
const meterScript = `
use Time::HiRes 'time';
my ($prctl, $getrusage, $begun) = (shift, shift, time);
syscall($prctl, 36, 1, 0, 0, 0) == 0 or die "prctl: $!";
my $pid = fork;
if (!$pid) { exec @ARGV; exit 127 }
waitpid $pid, 0;
my ($status, $wall) = ($? & 127 ? 128 + ($? & 127) : $? >> 8, time - $begun);
1 while waitpid(-1, 0) > 0;
my $usage = "\\0" x 144;
syscall($getrusage, -1, $usage);
my @usage = unpack 'q5', $usage;
open my $report, '>&=', 3;
my $cpu = ($usage[0] + $usage[2]) * 1e3 + ($usage[1] + $usage[3]) / 1e3;
printf $report '{"exit":%d,"wallMs":%.2f,"cpuMs":%.3f,"memoryMb":%.1f}', $status, $wall * 1e3, $cpu, $usage[4] / 1024;
`;
const systemCalls: Partial<Record<NodeJS.Architecture, readonly string[]>> = {
  x64: ["157", "98"],
  arm64: ["167", "165"],
};

// ---------------------------------------------------------------------------- the table

let missed = 0;
export const countMissed = (): number => missed;

export const heading = (text: string): void => console.log(`\n${text}`);

export function row(label: string, figure: string, target = "", met = true): void {
  if (!met) missed += 1;
  const judged = met ? "ok" : "MISSED";
  const columns = [label.padEnd(50), figure.padEnd(34), target.padEnd(18), target && judged];
  console.log(`  ${columns.join(" ")}`.trimEnd());
}

/** The median, and the smallest and the largest value behind it. */
export function describe(values: readonly number[], unit: string): string {
  return `${round(median(values))} ${unit}${values.length > 1 ? ` (${round(Math.min(...values))} to ${round(Math.max(...values))})` : ""}`;
}

export function rowAtMost(
  label: string,
  values: readonly number[],
  unit: string,
  limit?: number,
): void {
  row(
    label,
    describe(values, unit),
    limit === undefined ? "" : `<= ${round(limit)} ${unit}`.trim(),
    limit === undefined || median(values) <= limit,
  );
}

export const times = (count: number): number[] => [...Array(count).keys()];
export const subtract = (from: readonly number[], values: readonly number[]): number[] =>
  from.map((value, index) => value - (values[index] as number));
export const divide = (over: readonly number[], under: readonly number[]): number[] =>
  over.map((value, index) => value / (under[index] as number));

export type Command = readonly string[];
export type Cost = {
  exit: number;
  wallMs: number;
  cpuMs: number;
  memoryMb: number;
  stdout: string;
};

/** NODE_EXTRA_CA_CERTS adds 60 ms to each start of Node 20; NODE_OPTIONS could add anything. */
export const environment = {
  ...process.env,
  NODE_EXTRA_CA_CERTS: undefined,
  NODE_OPTIONS: undefined,
};

export async function measure(command: Command, exits: readonly number[] = [0]): Promise<Cost> {
  const calls = systemCalls[process.arch];
  if (!calls)
    throw new Error(
      `Cannot measure on "${process.arch}": the numbers of its system calls are not in the table`,
    );
  const options: SpawnOptions = {
    cwd: harness.projectDirectory,
    env: environment,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  };
  const child = harness.startProcess(["perl", "-e", meterScript, ...calls, ...command], options);
  const said = Promise.all(
    [1, 2, 3].map((descriptor) => text(child.stdio[descriptor] as Readable)),
  );
  await new Promise<void>((closed, failed) =>
    child.once("error", failed).once("close", () => closed()),
  );
  child.end();
  const [stdout, stderr, report] = (await said) as [string, string, string];
  const cost = { ...JSON.parse(report || '{"exit":-1}'), stdout } as Cost;
  // What did not do its work has no cost worth printing.
  if (!exits.includes(cost.exit))
    throw new Error(
      `"${command.join(" ").slice(0, 200)}" exited ${cost.exit}: ${stderr}${stdout.slice(0, 2000)}`,
    );
  return cost;
}

type Costs<Name extends string> = { [name in Name]: Cost[] };

/**
 * Each command once a round, in turn; the result has each one's costs in the order of the rounds.
 */
export async function measureInTurn<Name extends string>(
  rounds: number,
  commands: Record<Name, Command>,
  exits?: readonly number[],
): Promise<Costs<Name>> {
  const entries = Object.entries(commands) as [Name, Command][];
  const costs = Object.fromEntries(entries.map(([name]) => [name, []])) as unknown as Costs<Name>;
  for (const _round of times(rounds))
    for (const [name, command] of entries) costs[name].push(await measure(command, exits));
  return costs;
}

export const cpu = (costs: readonly Cost[]): number[] => costs.map(({ cpuMs }) => cpuMs);
export const wall = (costs: readonly Cost[]): number[] => costs.map(({ wallMs }) => wallMs);
export const memory = (costs: readonly Cost[]): number[] => costs.map(({ memoryMb }) => memoryMb);
