/** Memory and processor time of the bot's process and all its children. */

import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, Unobservable } from "../attempt.ts";
import { sumOf } from "../numbers.ts";
import { readTree } from "./process.ts";

/** What the bot's process and all its descendants use together. */
export type UsageSample = {
  /** Epoch milliseconds. */
  at: number;
  /** Resident megabytes (2^20 bytes). */
  memoryMb: number;
  /** Percent of one core since the look before; null in the first. */
  cpuPercent: number | null;
  processes: number;
};

// How long pidusage remembers a look, which its percentages are a difference to: longer than the
// rarest samples of a watch lie apart.
const REMEMBERED_MS = 120_000;

/**
 * One sample of the tree. pidusage says 0 % CPU at its first look at a pid. Pages that are shared
 * between processes are counted in each. `Unobservable` where the process is gone.
 */
export async function readUsage(root: number, previous: UsageSample | null): Promise<UsageSample> {
  const { default: pidusage } = await import("pidusage");
  const cannot = `Cannot read the memory of pid ${root}`;
  let stats: Awaited<ReturnType<typeof pidusage>>;
  try {
    stats = await pidusage(readTree(root), { maxage: REMEMBERED_MS });
  } catch (error) {
    throw new Unobservable(`${cannot}: ${messageOf(error)}`);
  }
  if (!stats[root]) throw new Unobservable(`${cannot}: the process is gone`);
  const known = Object.values(stats).filter(Boolean);
  return {
    at: Date.now(),
    memoryMb: sumOf(known.map((stat) => stat.memory)) / 2 ** 20,
    cpuPercent: previous ? sumOf(known.map((stat) => stat.cpu)) : null,
    processes: known.length,
  };
}

// Milliseconds between two samples: four of them stay within the second that seed 000 gives the
// check.
const USAGE_GAP_MS = 250;

/** So many samples, or fewer where `signal` ends it. */
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
