/** Statistics: against counts by hand, published values, and what must hold for any numbers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  blockMedians,
  mannWhitney,
  mean,
  median,
  quantile,
  round,
  steadyGrowth,
} from "../lib/numbers.ts";
import { BURNIN } from "../verify.ts";

test("median(), mean() and quantile() return what was measured", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.equal(mean([1, 2, 6]), 3);
  assert.equal(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.95), 10);
  assert.equal(quantile([5, 1], 0.5), 1);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test("quantile() is one of the values, and a share of them is not above it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1, maxLength: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const found = quantile(values, share);
        assert.ok(values.includes(found));
        assert.ok(values.filter((value) => value <= found).length >= share * values.length - 1e-9);
      },
    ),
  );
});

test("round() keeps three digits and no exponent", () => {
  for (const [value, shown] of [
    [0.123456, 0.123],
    [12.3456, 12.3],
    [99.96, 100],
    [1234.5, 1235],
    [-1234.4, -1234],
    [0, 0],
  ] as const)
    assert.equal(round(value), shown);
});

/** A deterministic source of numbers between 0 and 1, so that a failure can be repeated. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("steadyGrowth()", () => {
  const { trend } = BURNIN;
  test("never calls a sawtooth heap growth, whatever its period, height and phase", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 120 }),
        fc.integer({ min: 2, max: 10 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 80 }),
        (count, teeth, phase, height) => {
          // At least two whole teeth in a watch; one rise that is longer than the watch is growth
          // as far as anybody can see.
          const period = Math.max(2, Math.floor(count / teeth / 1.5));
          const values = Array.from(
            { length: count },
            (_, index) => 80 + (height * ((index + phase) % period)) / period,
          );
          assert.equal(steadyGrowth(values, trend), 0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("never calls noise without a trend growth of more than the noise", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const values = Array.from({ length: 60 }, () => 80 + 5 * random());
      assert.ok(steadyGrowth(values, trend) <= 5, `seed ${seed}`);
    }
  });

  test("does not call one step growth, for a cache is filled once", () => {
    for (let at = 1; at < 40; at++)
      assert.equal(
        steadyGrowth(
          Array.from({ length: 40 }, (_, index) => (index < at ? 80 : 140)),
          trend,
        ),
        0,
        `step at ${at}`,
      );
  });

  test("does not call a fall growth, nor a line that is flat", () => {
    assert.equal(
      steadyGrowth(
        Array.from({ length: 40 }, (_, index) => 200 - index),
        trend,
      ),
      0,
    );
    assert.equal(
      steadyGrowth(
        Array.from({ length: 40 }, () => 80),
        trend,
      ),
      0,
    );
  });

  test("always sees a leak of 60 MB in a watch under 5 MB of noise, and states its size within a quarter", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const count = 12 + (seed % 60);
      const grown = steadyGrowth(
        Array.from({ length: count }, (_, index) => 80 + (60 * index) / (count - 1) + 5 * random()),
        trend,
      );
      // Block medians stand in the middle of the first and of the last fifth, so four fifths of the
      // leak lie between them.
      assert.ok(grown > 36 && grown < 60, `seed ${seed}: ${grown} MB`);
    }
  });

  test("needs ten values", () => {
    const line = (count: number): number[] =>
      Array.from({ length: count }, (_, index) => 10 * index);
    assert.equal(steadyGrowth(line(9), trend), 0);
    assert.ok(steadyGrowth(line(10), trend) > 0);
    assert.equal(steadyGrowth([], trend), 0);
  });

  test("blockMedians() cuts a list into equal parts, losing nothing", () => {
    assert.deepEqual(blockMedians([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 5), [1.5, 3.5, 5.5, 7.5, 9.5]);
    assert.equal(blockMedians([1, 2, 3, 4, 5, 6, 7], 5).length, 5);
    assert.ok(blockMedians([1, 2, 3, 4, 5, 6, 7], 5).every(Number.isFinite));
  });
});

describe("mannWhitney()", () => {
  /**
   * The share of all assignments of the pooled values to two groups in which the first group's U is
   * at least as large.
   */
  function exact(a: readonly number[], b: readonly number[]): number {
    const pooled = [...a, ...b];
    const won = (x: number, y: number): number => {
      if (x > y) return 1;
      return x === y ? 0.5 : 0;
    };
    const statistic = (first: readonly number[], second: readonly number[]): number =>
      first.reduce((sum, x) => sum + second.reduce((inner, y) => inner + won(x, y), 0), 0);
    const observed = statistic(a, b);
    let all = 0;
    let larger = 0;
    const choose = (from: number, chosen: number[]): void => {
      if (chosen.length === a.length) {
        const picked = new Set(chosen);
        const first = chosen.map((index) => pooled[index] as number);
        const second = pooled.filter((_, index) => !picked.has(index));
        all++;
        if (statistic(first, second) >= observed) larger++;
        return;
      }
      for (let index = from; index < pooled.length; index++) choose(index + 1, [...chosen, index]);
    };
    choose(0, []);
    return larger / all;
  }

  test("agrees with the count of all assignments, on small samples without ties", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomOf(seed);
      const a = Array.from({ length: 5 + (seed % 2) }, () => random() + (seed % 4) / 4);
      const b = Array.from({ length: 5 }, () => random());
      const [approximate, counted] = [mannWhitney(a, b), exact(a, b)];
      assert.ok(
        Math.abs(approximate - counted) < 0.02,
        `seed ${seed}: ${approximate} instead of ${counted}`,
      );
    }
  });

  test("agrees with the count of all assignments, on small samples with ties", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomOf(seed);
      const a = Array.from({ length: 6 }, () => Math.floor(random() * 4) + (seed % 3));
      const b = Array.from({ length: 5 }, () => Math.floor(random() * 4));
      const [approximate, counted] = [mannWhitney(a, b), exact(a, b)];
      // The normal approximation is coarse in the middle, where nothing is decided.
      const tolerance = counted < 0.05 ? 0.02 : 0.1;
      assert.ok(
        Math.abs(approximate - counted) < tolerance,
        `seed ${seed}: ${approximate} instead of ${counted}`,
      );
    }
  });

  test("equals the published values of the normal approximation", () => {
    // R: wilcox.test(x, y, alternative = "greater", exact = FALSE, correct = TRUE); Hollander &
    // Wolfe's depression data.
    const x = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const y = [1.15, 0.88, 0.9, 0.74, 1.21];
    assert.ok(Math.abs(mannWhitney(x, y) - 0.1223) < 5e-4, String(mannWhitney(x, y)));
    // Total separation of 10 against 10: z = (100 - 50 - 0.5) / sqrt(100 * 21 / 12).
    const low = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert.ok(
      Math.abs(
        mannWhitney(
          low.map((value) => value + 10),
          low,
        ) - 9.133e-5,
      ) < 1e-7,
    );
  });

  test("is small only for the first sample being larger", () => {
    const low = Array.from({ length: 20 }, (_, index) => index);
    const high = low.map((value) => value + 100);
    assert.ok(mannWhitney(high, low) < 1e-6);
    assert.ok(mannWhitney(low, high) > 0.999);
    assert.ok(Math.abs(mannWhitney(low, low) - 0.5) < 0.02);
    assert.equal(mannWhitney([1, 1, 1], [1, 1, 1]), 1);
  });

  test("is a probability", () => {
    const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const p = mannWhitney(a, b);
        assert.ok(p >= 0 && p <= 1, String(p));
      }),
    );
  });
});
