/** Memory and processor time of the bot's process and all its children. */

import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, Unobservable } from "../attempt.ts";
import { sumOf } from "../numbers.ts";
import { readTree } from "./process.ts";

/**
 * Resident megabytes (2^20 bytes) and percent of one core, summed over the tree. CPU is a
 * difference between two looks: null in the first.
 */
export type UsageSample = {
  at: number;
  memoryMb: number;
  cpuPercent: number | null;
  processes: number;
};
/**
 * One sample of the tree. pidusage says 0 % CPU at its first look at a pid. Pages that are shared
 * between processes are counted in each.
 */
export async function readUsage(root: number, previous: UsageSample | null): Promise<UsageSample> {
  const { default: pidusage } = await import("pidusage");
  const blind = (why: string) => new Unobservable(`Cannot read the memory of pid ${root}: ${why}`);
  const stats = await pidusage(readTree(root), { maxage: 120_000 }).catch((error) =>
    Promise.reject(blind(messageOf(error))),
  );
  if (!stats[root]) throw blind("the process is gone");
  const known = Object.values(stats).filter(Boolean);
  const [bytes, percent] = [
    sumOf(known.map((stat) => stat.memory)),
    sumOf(known.map((stat) => stat.cpu)),
  ];
  return {
    at: Date.now(),
    memoryMb: bytes / 2 ** 20,
    cpuPercent: previous ? percent : null,
    processes: known.length,
  };
}

// Milliseconds between two samples: four of them stay within the second that seed 000 gives the
// check.
const USAGE_GAP_MS = 250;
export async function readUsageSamples(
  root: number,
  samples: number,
  signal: AbortSignal,
): Promise<UsageSample[]> {
  const taken: UsageSample[] = [await readUsage(root, null)];
  while (taken.length < samples && !signal.aborted) {
    await sleep(USAGE_GAP_MS, undefined, { signal }).catch(() => {});
    taken.push(await readUsage(root, taken.at(-1) ?? null));
  }
  return taken;
}
