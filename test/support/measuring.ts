/**
 * Measures what commands cost, children included, of this checkout and of one beside it, and prints
 * the figures as a table, each beside its target.
 */
import type { SpawnOptions } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { median, round } from "../../lib/numbers.ts";
import * as harness from "./harness.ts";

/** A checkout of the project, with a build. */
export type Program = {
  name: "here" | "beside";
  directory: string;
};

/** This checkout, and behind it the one that is measured beside it, if any. */
export const programs: Program[] = [{ name: "here", directory: harness.projectDirectory }];

export const builtOf = ({ directory }: Program): string[] => [
  process.execPath,
  join(directory, "build/verify.js"),
];

/**
 * Something of this checkout, and the same of the one beside; null where there is none, or where it
 * is not of a checkout.
 */
export type Sides<T> = {
  here: T;
  beside: T | null;
};
export type Figures = Sides<number[]>;

/** The same for each checkout, one after the other. */
export async function forEachProgram<T>(act: (program: Program) => Promise<T>): Promise<Sides<T>> {
  const [here, beside] = programs as [Program, Program?];
  return { here: await act(here), beside: beside ? await act(beside) : null };
}

export function mapSides<T, U>({ here, beside }: Sides<T>, map: (side: T) => U): Sides<U> {
  return { here: map(here), beside: beside === null ? null : map(beside) };
}

/** Both sides of two, one by one; what is not of a checkout stands on both sides of the other. */
function combine(a: Figures, b: Figures, operate: (a: number, b: number) => number): Figures {
  const each = (left: number[], right: number[]): number[] =>
    left.map((value, index) => operate(value, right[index] as number));
  const beside = a.beside || b.beside ? each(a.beside ?? a.here, b.beside ?? b.here) : null;
  return { here: each(a.here, b.here), beside };
}

export const times = (count: number): number[] => [...Array(count).keys()];
export const subtract = (from: Figures, values: Figures): Figures =>
  combine(from, values, (a, b) => a - b);
export const divide = (over: Figures, under: Figures): Figures =>
  combine(over, under, (a, b) => a / b);

// ---------------------------------------------------------------------------- the table

let missed = 0;
export const countMissed = (): number => missed;

export const heading = (text: string): void => console.log(`\n${text}`);

type Row = {
  label: string;
  figure: string;
  /** The same of the checkout beside. */
  beside?: string;
  target?: string;
  met?: boolean;
};

export function row({ label, figure, beside = "", target = "", met = true }: Row): void {
  if (!met) missed += 1;
  const verdict = met ? "ok" : "MISSED";
  const cells = [label.padEnd(48), figure.padEnd(32), besideColumn(beside), target.padEnd(16)];
  console.log(`  ${cells.filter(Boolean).join(" ")} ${target && verdict}`.trimEnd());
}

/** Empty where no checkout beside is measured: then there is no such column. */
const besideColumn = (text: string): string => (programs.length > 1 ? text.padEnd(32) : "");

/** The titles of the columns. */
export function printColumns(): void {
  const [, beside] = programs;
  if (beside) row({ label: "", figure: "this checkout", beside: beside.directory });
}

/** The median, and the smallest and the largest value behind it. */
export function describe(values: readonly number[], unit: string): string {
  const middle = `${round(median(values))} ${unit}`;
  if (values.length < 2) return middle;
  return `${middle} (${round(Math.min(...values))} to ${round(Math.max(...values))})`;
}

export function rowAtMost(label: string, figures: Figures, unit: string, limit?: number): void {
  row({
    label,
    figure: describe(figures.here, unit),
    beside: figures.beside ? describe(figures.beside, unit) : "",
    target: limit === undefined ? "" : `<= ${round(limit)} ${unit}`,
    met: limit === undefined || median(figures.here) <= limit,
  });
}

/** What must not cost more than it does beside: by the median of the rounds' ratios. */
export function rowAtMostBeside(label: string, { here, beside }: Figures, unit: string): void {
  rowAtMost(label, { here, beside }, unit);
  if (!beside) return;
  const ratios = here.map((value, index) => value / (beside[index] as number));
  rowAtMost("  to that beside", { here: ratios, beside: null }, "x", 1);
}

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

export type Costs = Sides<Cost[]>;

/** A command, or what it is of each checkout. */
type Measured = Command | ((program: Program) => Command);

/**
 * Each command once a round, in turn, and that of each checkout; the result has each one's costs in
 * the order of the rounds.
 */
export async function measureInTurn<Name extends string>(
  rounds: number,
  commands: Record<Name, Measured>,
  exits?: readonly number[],
): Promise<Record<Name, Costs>> {
  const entries = Object.entries(commands) as [Name, Measured][];
  const costs = {} as Record<Name, Costs>;
  const [here, beside] = programs as [Program, Program?];
  for (const [name, command] of entries) {
    const isOfBoth = beside !== undefined && typeof command === "function";
    costs[name] = { here: [], beside: isOfBoth ? [] : null };
  }
  for (const _round of times(rounds)) {
    for (const [name, command] of entries) {
      const of = (program: Program): Command =>
        typeof command === "function" ? command(program) : command;
      costs[name].here.push(await measure(of(here), exits));
      if (beside) costs[name].beside?.push(await measure(of(beside), exits));
    }
  }
  return costs;
}

export const cpu = (costs: Costs): Figures =>
  mapSides(costs, (side) => side.map(({ cpuMs }) => cpuMs));
export const wall = (costs: Costs): Figures =>
  mapSides(costs, (side) => side.map(({ wallMs }) => wallMs));
export const memory = (costs: Costs): Figures =>
  mapSides(costs, (side) => side.map(({ memoryMb }) => memoryMb));
