/**
 * Statistics over plain lists of numbers, each with its source. No limits: what a number means is
 * judged elsewhere.
 */

import type { Trend } from "./rules.ts";

/** 0 for an empty list. */
export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** The arithmetic mean; NaN for an empty list. */
export function mean(values: readonly number[]): number {
  return sumOf(values) / values.length;
}

/** The middle value, or the mean of the two in the middle; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return mean(sorted.slice((values.length - 1) >> 1, (values.length >> 1) + 1));
}

/** The nearest-rank quantile: always a value that was measured; NaN for an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * values.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** A number for people: three significant digits, no exponent, no trailing zeros. */
export function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The medians of as many parts of a series, in its order, as equally long as they can be. */
export function blockMedians(values: readonly number[], blocks: number): number[] {
  const size = values.length / blocks;
  return Array.from({ length: blocks }, (_, block) =>
    median(values.slice(Math.round(block * size), Math.round((block + 1) * size))),
  );
}

/**
 * Steady growth over a watch, or 0: no single step (a cache that was filled once), and every late
 * value above every early one (no sawtooth heap).
 */
export function steadyGrowth(values: readonly number[], { blocks, samplesMin }: Trend): number {
  if (values.length < samplesMin) return 0;
  const medians = blockMedians(values, blocks);
  const steps = medians.slice(1).map((value, index) => value - (medians[index] as number));
  const growth = sumOf(steps);
  const size = Math.floor(values.length / blocks);
  const apart = Math.min(...values.slice(-size)) > Math.max(...values.slice(0, size));
  // A single step falls into one block or on the border of two, so it makes at most two of the four
  // steps.
  const steady = steps.filter((step) => step > growth / 10).length >= 3;
  return apart && steady ? growth : 0;
}

/** The normal distribution's upper tail (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  return (
    density *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  );
}

/**
 * One-sided Mann–Whitney: the p-value of "a is not larger than b", by the normal approximation with
 * ties corrected; 1 where all values are equal.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  const pairs = a.length * b.length;
  const total = a.length + b.length;
  const all = [...a, ...b];
  // Of all pairs, those in which a is larger; ties count half.
  const u = sumOf(
    a.map((x) => b.filter((y) => y < x).length + b.filter((y) => y === x).length / 2),
  );
  // The sum of t³ − t over groups of t equal values, value by value.
  const ties = sumOf(all.map((x) => all.filter((y) => y === x).length ** 2 - 1));
  const deviation = Math.sqrt((pairs / 12) * (total + 1 - ties / (total * (total - 1))));
  return deviation > 0 ? upperTail((u - pairs / 2 - 0.5) / deviation) : 1;
}

/** One point of a series: when, on a clock of the caller's choice, and how much. */
export type Dot = { age: number; value: number };

/**
 * Theil–Sen: the median of the slopes of all pairs within a segment, with its 95 % interval (Sen
 * 1968); null with too few points.
 */
export function slopeOf(
  segments: readonly (readonly Dot[])[],
): { slope: number; low: number; high: number } | null {
  const pairs = segments.flatMap((points) =>
    points.flatMap((a, index) =>
      points.slice(index + 1).map((b) => (b.value - a.value) / (b.age - a.age)),
    ),
  );
  const slopes = pairs.sort((a, b) => a - b);
  if (slopes.length < 6) return null;
  const variance = sumOf(segments.map(({ length: n }) => (n * (n - 1) * (2 * n + 5)) / 18));
  const reach = 1.96 * Math.sqrt(variance);
  const rank = (position: number): number =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(position)))] as number;
  return {
    slope: median(slopes),
    low: rank((slopes.length - reach) / 2 - 1),
    high: rank((slopes.length + reach) / 2),
  };
}
