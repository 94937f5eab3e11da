/**
 * The judging of a burn-in: pure over accounts. Generated histories of 24 hours with a known truth,
 * properties, and both sides of each limit.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bandSpans } from "../../lib/burnin/bands.ts";
import { judgeCheckpoint } from "../../lib/burnin/checkpoints.ts";
import { judgeMetrics } from "../../lib/burnin/metrics.ts";
import { type Summary, summarizeBurnin } from "../../lib/burnin/summary.ts";
import type {
  Account,
  Burnin,
  Criterion,
  Level,
  MetricRow,
  Outage,
  Restart,
} from "../../lib/burnin/words.ts";
import { slopeOf } from "../../lib/numbers.ts";
import type { BandName, Hour, MetricName } from "../../lib/rules.ts";
import { BURNIN } from "../../verify.ts";
import {
  addTo,
  emptyTally,
  generate,
  generateAll,
  judgeAll,
  judgeHistory,
  kindNames,
  missesOf,
  readAccounts,
  type Subject,
} from "../support/histories.ts";

// ---------------------------------------------------------------------------- generated histories

const all = emptyTally();

for (const kind of kindNames) {
  test(`judgeBurnin() decides as is true of each history: ${kind}`, () => {
    const tally = emptyTally();
    for (const history of generateAll(1, 1, [kind])) {
      const judged = judgeHistory(history);
      for (const sum of [tally, all]) addTo(sum, history, judged);
    }
    assert.deepEqual(
      tally.complaints.map(({ seed, what, says }) => `seed ${seed}: ${what}: ${says}`),
      [],
    );
    assert.ok(tally.count >= 50, `${tally.count} histories`);
  });
}

test("the generated histories are 1,000 or more, and two of five are near a limit", () => {
  assert.ok(all.count >= 1000, `${all.count} histories`);
  assert.deepEqual(missesOf(all), []);
});

test("a history is the same whenever it is generated", () => {
  for (const kind of kindNames) assert.deepEqual(generate(kind, 7), generate(kind, 7));
});

// ---------------------------------------------------------------------------- a day by hand

const burnin: Burnin = {
  id: "burnin",
  releaseId: "1.4.2",
  attempt: 1,
  startedAt: "2025-06-10T10:00:00.000Z",
  seconds: 86_400,
  limits: BURNIN,
};
const begun = Date.parse(burnin.startedAt);
const atAge = (age: number): string => new Date(begun + age * 1000).toISOString();
const minutes = [
  ...Array.from({ length: 16 }, (_, index) => 15 * (index + 1)),
  300,
  360,
  420,
  480,
  540,
  600,
  660,
  720,
  960,
  1200,
  1440,
];

type Change = Partial<Account> | ((account: Account, index: number) => Partial<Account>);

/**
 * The accounts of the timer's ticks until an hour, of a bot that does nothing wrong, but for the
 * change.
 */
function accountsUntil(hour: number, change: Change = {}): Account[] {
  const ticks = minutes.filter((minute) => minute <= hour * 60).map((minute) => minute * 60);
  return ticks.map((to, index) => {
    const account: Account = {
      burnin: burnin.id,
      run: `run-${index}`,
      at: atAge(to),
      from: ticks[index - 1] ?? 0,
      to,
      jump: 0,
      late: 0,
      boot: "boot",
      outages: [],
      restarts: [],
      errors: 0,
      warnings: 0,
      unseen: [],
      connection: "log",
      responseMs: 20,
      memoryMb: 120,
      cpuPercent: 5,
      users: 40,
      requests: 10,
      alerts: [],
      backupHours: null,
      prometheus: null,
    };
    return { ...account, ...(typeof change === "function" ? change(account, index) : change) };
  });
}

const outage = (from: number, seconds: number, more: Partial<Outage> = {}): Outage => ({
  from,
  to: from + seconds,
  at: atAge(from),
  kind: "disconnected",
  planned: false,
  source: "log",
  exact: true,
  says: `not connected for ${seconds} s`,
  ...more,
});
const restart = (age: number, planned: boolean | null): Restart => ({
  at: atAge(age),
  age,
  planned,
  says: "it was started again",
});
/** In the account that the fourth tick of the day brings, from 45 min to 1 h. */
const inFourth = (more: Partial<Account>): Change => {
  return (_, index) => (index === 3 ? more : {});
};
const summarize = (accounts: readonly Account[], of = burnin, zone = "UTC"): Summary =>
  summarizeBurnin(of, accounts, zone);
const judge = (accounts: readonly Account[], of = burnin, zone = "UTC") =>
  judgeAll({ burnin: of, zone }, accounts);
const rowOf = (metric: MetricName, accounts: readonly Account[], of = burnin): MetricRow =>
  judgeMetrics(summarize(accounts, of), of).find((row) => row.metric === metric) as MetricRow;

test("judgeBurnin() passes a day with nothing wrong, and says what to do next", () => {
  const { decision, reasons, action, rows } = judge(accountsUntil(24));
  assert.deepEqual([decision, reasons], ["PASS", []]);
  assert.match(action, /\w/);
  assert.deepEqual(
    rows.map(({ metric }) => metric),
    Object.keys(BURNIN.metrics),
  );
});

// ---------------------------------------------------------------------------- each metric, both sides of each limit

const errorsAtOnce = (errors: number): Change => inFourth({ errors });
const down = (seconds: number, more: Partial<Outage> = {}): Change =>
  inFourth({ outages: [outage(2800, seconds, more)] });
/** Long ones lie in the account from hour 12 to hour 16. */
const downLong = (seconds: number): Change => {
  return (_, index) => (index === 24 ? { outages: [outage(43_300, seconds)] } : {});
};
const firing = (count: number): Change => {
  return (_, index) =>
    index > 3 && index < 8
      ? {
          alerts: Array.from({ length: count }, (_, nth) => ({
            name: `A${nth}`,
            severity: "warning",
            since: atAge(3000),
          })),
        }
      : {};
};
const growing = (perHour: number): Change => {
  return ({ to }) => ({ memoryMb: 120 + (perHour * to) / 3600 });
};

const levels: [MetricName, string, Change, Level][] = [
  ["uptime", "nothing lost", {}, "target"],
  ["uptime", "0.1 s lost", down(0.1), "acceptable"],
  ["uptime", "86.3 s lost", down(86.3), "acceptable"],
  ["uptime", "86.4 s lost: exactly 99.9 %", down(86.4), "worse"],
  ["uptime", "864 s lost: exactly 99 %", downLong(864), "worse"],
  ["uptime", "864.1 s lost", downLong(864.1), "critical"],
  ["uptime", "86.3 s lost as planned", down(86.3, { planned: true }), "acceptable"],
  ["uptime", "86.4 s lost as planned", down(86.4, { planned: true }), "worse"],
  ["uptime", "at most 86.3 s lost", down(86.3, { exact: false }), "acceptable"],
  ["uptime", "at most 86.4 s lost", down(86.4, { exact: false }), "unknown"],
  [
    "uptime",
    "at most an hour lost",
    inFourth({ outages: [outage(0, 3600, { exact: false })] }),
    "unknown",
  ],
  [
    "uptime",
    "50 s lost, and at most 36.4 s more",
    inFourth({ outages: [outage(2800, 50), outage(3000, 36.4, { exact: false })] }),
    "unknown",
  ],
  [
    "uptime",
    "86.4 s lost, and at most 1000 s more",
    inFourth({ outages: [outage(2800, 86.4), outage(2000, 1000, { exact: false })] }),
    "worse",
  ],
  [
    "uptime",
    "the same 50 s, by journal and log",
    inFourth({ outages: [outage(2800, 50), outage(2810, 40, { kind: "down" })] }),
    "acceptable",
  ],
  ["error_rate", "no error", {}, "target"],
  ["error_rate", "1 error", errorsAtOnce(1), "acceptable"],
  ["error_rate", "143 errors", errorsAtOnce(143), "acceptable"],
  ["error_rate", "144 errors: exactly 0.1/min", errorsAtOnce(144), "worse"],
  ["error_rate", "1440 errors: exactly 1/min", errorsAtOnce(1440), "worse"],
  ["error_rate", "1441 errors", errorsAtOnce(1441), "critical"],
  ["error_rate", "logs that the config declares off", { errors: null }, "off"],
  ["error_rate", "one tick that could not count", inFourth({ errors: null }), "unknown"],
  [
    "error_rate",
    "one tick that could not count, and enough by the others",
    (_, index) => ({ errors: index === 3 ? null : 100 }),
    "critical",
  ],
  ["restarts", "none", {}, "target"],
  ["restarts", "a planned one", inFourth({ restarts: [restart(2800, true)] }), "target"],
  [
    "restarts",
    "one that nobody can explain",
    inFourth({ restarts: [restart(2800, null)] }),
    "unknown",
  ],
  ["restarts", "an unplanned one", inFourth({ restarts: [restart(2800, false)] }), "critical"],
  [
    "restarts",
    "one of each",
    inFourth({ restarts: [restart(2800, null), restart(2900, false), restart(3000, true)] }),
    "critical",
  ],
  ["alerts", "none", {}, "target"],
  ["alerts", "one, seen by four ticks", firing(1), "acceptable"],
  ["alerts", "2", firing(2), "acceptable"],
  ["alerts", "3", firing(3), "worse"],
  ["alerts", "5", firing(5), "worse"],
  ["alerts", "6", firing(6), "critical"],
  [
    "alerts",
    "one that fired three times",
    ({ at }, index) => ({
      alerts: index < 3 ? [{ name: "A", severity: "warning", since: at }] : [],
    }),
    "worse",
  ],
  ["alerts", "no source", { alerts: null }, "off"],
  ["response_time", "49.9 ms", { responseMs: 49.9 }, "target"],
  ["response_time", "50 ms", { responseMs: 50 }, "acceptable"],
  ["response_time", "99.9 ms", { responseMs: 99.9 }, "acceptable"],
  ["response_time", "100 ms", { responseMs: 100 }, "worse"],
  ["response_time", "200 ms", { responseMs: 200 }, "worse"],
  ["response_time", "200.1 ms", { responseMs: 200.1 }, "critical"],
  [
    "response_time",
    "20 ms in 16 looks of 4 hours, 140 ms in 11 looks of 20 hours",
    ({ to }) => ({ responseMs: to > 14_400 ? 140 : 20 }),
    "worse",
  ],
  [
    "response_time",
    "140 ms in 16 looks of 4 hours, 20 ms in 11 looks of 20 hours",
    ({ to }) => ({ responseMs: to > 14_400 ? 20 : 140 }),
    "target",
  ],
  ["response_time", "never measured", { responseMs: null }, "off"],
  ["memory_growth", "none", {}, "target"],
  ["memory_growth", "less memory", growing(-20), "target"],
  ["memory_growth", "1 MB/h", growing(1), "acceptable"],
  ["memory_growth", "9.9 MB/h", growing(9.9), "acceptable"],
  ["memory_growth", "10.1 MB/h", growing(10.1), "worse"],
  ["memory_growth", "49.9 MB/h", growing(49.9), "worse"],
  ["memory_growth", "50.1 MB/h", growing(50.1), "critical"],
  ["memory_growth", "up and down", (_, index) => ({ memoryMb: index % 2 ? 120 : 160 }), "target"],
  [
    "memory_growth",
    "12 MB/h in noise of 400 MB",
    ({ to }) => ({ memoryMb: 120 + to / 300 + 400 * (Math.floor(to / 3600) % 2) }),
    "worse",
  ],
  [
    "memory_growth",
    "an hour of warm-up",
    ({ to }) => ({ memoryMb: Math.min(400, 100 + to / 12) }),
    "target",
  ],
  [
    "memory_growth",
    "two looks with a figure",
    (_, index) => ({ memoryMb: index > 24 ? 120 : null }),
    "unknown",
  ],
  ["memory_growth", "never measured", { memoryMb: null }, "off"],
  ["cpu", "19.9 %", { cpuPercent: 19.9 }, "target"],
  ["cpu", "20 %", { cpuPercent: 20 }, "worse"],
  ["cpu", "50 %", { cpuPercent: 50 }, "worse"],
  ["cpu", "50.1 %", { cpuPercent: 50.1 }, "critical"],
  [
    "cpu",
    "5 % in 16 looks of 4 hours, 30 % in 11 looks of 20 hours",
    ({ to }) => ({ cpuPercent: to > 14_400 ? 30 : 5 }),
    "worse",
  ],
  ["cpu", "never measured", { cpuPercent: null }, "off"],
];

for (const [metric, what, change, level] of levels) {
  test(`judgeMetrics() calls ${metric} ${level}: ${what}`, () => {
    const accounts = accountsUntil(24, change);
    assert.equal(rowOf(metric, accounts).level, level);
    // By itself, such a level decides.
    const expected = {
      target: "PASS",
      acceptable: "PASS",
      off: "PASS",
      worse: "PARTIAL",
      unknown: "PARTIAL",
      critical: "FAIL",
    }[level];
    const { decision, reasons } = judge(accounts);
    assert.equal(decision, expected, reasons.join("; "));
    if (expected === "PASS") assert.deepEqual(reasons, []);
    else
      assert.ok(
        reasons.some((reason) => reason.includes(BURNIN.metrics[metric].title)),
        reasons.join("; "),
      );
  });
}

test("judgeMetrics() has a test of each metric's every level that it can have", () => {
  for (const metric of Object.keys(BURNIN.metrics) as MetricName[]) {
    const seen = new Set(levels.filter(([name]) => name === metric).map(([, , , level]) => level));
    for (const level of ["target", "critical"] as const)
      assert.ok(seen.has(level), `${metric} is never ${level}`);
    if (metric !== "restarts") assert.ok(seen.has("worse"), `${metric} is never worse`);
  }
});

test("judgeMetrics() shows the seed's limits beside each value", () => {
  const shown = judge(accountsUntil(24)).rows.map(({ title, target, acceptable, critical }) =>
    [title, target, acceptable, critical].join(" | "),
  );
  assert.deepEqual(shown, [
    "Uptime | 100 % | > 99.9 % | < 99 %",
    "Error Rate | 0/min | < 0.1/min | > 1/min",
    "Unplanned Restarts | 0 | 0 | > 0",
    "Alert Count | 0 | < 3 | > 5",
    "Avg Response Time | < 50 ms | < 100 ms | > 200 ms",
    "Memory Growth | 0 MB/h | < 10 MB/h | > 50 MB/h",
    "CPU | < 20 % | < 20 % | > 50 %",
  ]);
});

// ----------------------------------------------------------- what keeps a burn-in from passing, and when it is decided

const decisions: [string, Account[], "PASS" | "PARTIAL" | "FAIL" | "RUNNING"][] = [
  ["no account at all", [], "RUNNING"],
  [
    "a minute before its end",
    accountsUntil(24, ({ to }) => (to === 86_400 ? { to: 86_340, at: atAge(86_340) } : {})),
    "RUNNING",
  ],
  [
    "its last tick a moment early",
    accountsUntil(24, ({ to }) => (to === 86_400 ? { to: 86_399, at: atAge(86_399) } : {})),
    "PASS",
  ],
  [
    "an unplanned restart in the first hour",
    accountsUntil(2, inFourth({ restarts: [restart(2800, false)] })),
    "FAIL",
  ],
  [
    "a restart in the first hour that nobody can explain",
    accountsUntil(2, inFourth({ restarts: [restart(2800, null)] })),
    "RUNNING",
  ],
  [
    "90 s lost in the first hour: over 99 % of the day is still to come",
    accountsUntil(1, down(90)),
    "RUNNING",
  ],
  ["864.1 s lost in hours 12 to 16", accountsUntil(16, downLong(864.1)), "FAIL"],
  ["10 errors a minute in the first hour", accountsUntil(1, errorsAtOnce(600)), "RUNNING"],
  ["a steep warm-up", accountsUntil(3, growing(80)), "RUNNING"],
  [
    "something that a look could not see",
    accountsUntil(24, inFourth({ unseen: ["The journal could not be read"] })),
    "PARTIAL",
  ],
  ["a record lost", accountsUntil(24).filter((_, index) => index !== 3), "PARTIAL"],
  ["the first record lost", accountsUntil(24).slice(1), "PARTIAL"],
  ["a second that no account covers", accountsUntil(24, inFourth({ from: 2701 })), "PASS"],
  ["1.1 s that no account covers", accountsUntil(24, inFourth({ from: 2701.1 })), "PARTIAL"],
  [
    "an account that begins before the last has ended",
    accountsUntil(24, inFourth({ from: 2690 })),
    "PASS",
  ],
  [
    "a tick that came hours late and accounts for all",
    accountsUntil(24)
      .filter((one) => one.to !== 57_600)
      .map((one) => (one.to === 72_000 ? { ...one, from: 43_200, late: 900 } : one)),
    "PASS",
  ],
  [
    "an outage of 70 s: a flag when it happened, and under 86.4 s",
    accountsUntil(24, down(70)),
    "PASS",
  ],
  [
    "two outages of 43 s",
    accountsUntil(24, inFourth({ outages: [outage(2750, 43), outage(3000, 43)] })),
    "PASS",
  ],
  [
    "two outages of 43 s on both sides of a tick",
    accountsUntil(24, (_, index) => {
      if (index === 3) return { outages: [outage(3557, 43)] };
      return index === 4 ? { outages: [outage(3600, 43)] } : {};
    }),
    "PASS",
  ],
  ["one of 90 s", accountsUntil(24, down(90)), "PARTIAL"],
];

for (const [what, accounts, expected] of decisions) {
  test(`judgeBurnin() says ${expected}: ${what}`, () => {
    const { decision, reasons, action } = judge(accounts);
    assert.equal(decision, expected, reasons.join("; "));
    assert.equal(reasons.length > 0, expected === "PARTIAL" || expected === "FAIL");
    assert.match(action, /^\w/);
  });
}

test("judgeBurnin() knows of no age, no coverage and no uptime where nothing was recorded", () => {
  const summary = summarize([]);
  assert.deepEqual(
    [summary.age, summary.covered, summary.holes, summary.errors, summary.memory, summary.users],
    [0, 0, [], 0, null, null],
  );
  assert.equal(judgeMetrics(summary, burnin)[0]?.level, "unknown");
});

test("judgeBurnin() decides a demonstration of 2 minutes, which sees no peak, by its own length", () => {
  const demo = { ...burnin, seconds: 120 };
  const ticks = (change: Change = {}): Account[] =>
    accountsUntil(24, change)
      .slice(0, 8)
      .map((one, index) => ({
        ...one,
        from: index * 15,
        to: (index + 1) * 15,
        at: atAge((index + 1) * 15),
      }));
  assert.equal(judge(ticks(), demo).decision, "PASS");
  assert.equal(judge(ticks().slice(0, 7), demo).decision, "RUNNING");
  assert.equal(judge(ticks(inFourth({ outages: [outage(50, 0.1)] })), demo).decision, "PASS");
  assert.equal(judge(ticks(inFourth({ outages: [outage(50, 0.12)] })), demo).decision, "PARTIAL");
  assert.equal(judge(ticks(inFourth({ outages: [outage(50, 1.3)] })), demo).decision, "FAIL");
  assert.equal(judge(ticks(inFourth({ restarts: [restart(50, false)] })), demo).decision, "FAIL");
});

test("summarizeBurnin() joins the pieces of an outage that ticks have cut, and those of journal and log", () => {
  const stopped = { kind: "down", source: "journal" } as const;
  const pieces: Record<number, Outage[]> = {
    3: [outage(3580, 10), outage(3590, 10, stopped)],
    4: [outage(3600, 5, stopped), outage(3604, 6)],
  };
  const accounts = accountsUntil(24, (_, index) => ({ outages: pieces[index] ?? [] }));
  const { outages, downSeconds, uptime } = summarize(accounts);
  assert.deepEqual(
    outages.map(({ from, to, kind, at }) => [from, to, kind, at]),
    [[3580, 3610, "down", atAge(3580)]],
  );
  assert.deepEqual(downSeconds, { planned: 0, unplanned: 30 });
  assert.equal(uptime.low, uptime.high);
});

test("summarizeBurnin() counts a planned piece as downtime, and what is both as unplanned", () => {
  const { downSeconds } = summarize(
    accountsUntil(
      24,
      inFourth({
        outages: [
          outage(2800, 30, { planned: true }),
          outage(2820, 20),
          outage(3000, 5, { planned: null }),
        ],
      }),
    ),
  );
  assert.deepEqual(downSeconds, { planned: 20, unplanned: 25 });
});

test("summarizeBurnin() keeps what is exact apart from what is a bound", () => {
  const change = inFourth({ outages: [outage(2700, 900, { exact: false }), outage(2800, 30)] });
  const { outages, uptime, downSeconds } = summarize(accountsUntil(24, change));
  assert.equal(outages.length, 2);
  assert.deepEqual(downSeconds, { planned: 0, unplanned: 30 });
  const bounds = [100 - 90_000 / 86_400, 100 - 3000 / 86_400];
  assert.deepEqual(
    [uptime.low, uptime.high].map((share) => share.toFixed(9)),
    bounds.map((share) => share.toFixed(9)),
  );
});

test("summarizeBurnin() names the most users, and the first time that there were as many", () => {
  const { users } = summarize(
    accountsUntil(24, (_, index) => {
      if (index === 7) return { users: null };
      return { users: index === 5 || index === 9 ? 87 : 12 };
    }),
  );
  assert.deepEqual(users, { peak: 87, at: atAge(5400) });
});

test("summarizeBurnin() takes the growth between restarts, not across them", () => {
  const growth = 30;
  const change: Change = ({ to }, index) => ({
    memoryMb: 100 + (growth * (to <= 36_000 ? to : to - 36_000)) / 3600,
    restarts: index === 22 ? [restart(35_990, true)] : [],
  });
  const { memory } = summarize(accountsUntil(24, change));
  assert.ok(memory && Math.abs(memory.perHour - growth) < 0.5, JSON.stringify(memory));
});

test("summarizeBurnin() leaves out the hour of warm-up after each start", () => {
  const quarters = Array.from({ length: 96 }, (_, index) => ({
    from: index * 900,
    to: (index + 1) * 900,
  }));
  const [{ from: _, to: __, at: ___, ...quiet }] = accountsUntil(1) as [Account];
  const accounts = quarters.map(({ from, to }) => ({
    ...quiet,
    from,
    to,
    at: atAge(to),
    memoryMb: 100 + 300 * Math.min(1, (from % 10_800) / 3600),
    // A person restarts it every 3 hours.
    restarts: from > 0 && from % 10_800 === 0 ? [restart(from + 1, true)] : [],
  }));
  const { memory } = summarize(accounts);
  assert.ok(memory && Math.abs(memory.perHour) < 1, JSON.stringify(memory));
});

// ---------------------------------------------------------------------------- checkpoints

const criterionOf = (
  hour: Hour,
  word: string,
  accounts: readonly Account[],
  of = burnin,
  zone = "UTC",
): Criterion => {
  const found = judgeCheckpoint(hour, summarize(accounts, of, zone), of).filter(({ criterion }) =>
    criterion.includes(word),
  );
  assert.equal(found.length, 1, `criteria with "${word}"`);
  return found[0] as Criterion;
};

const criteria: [Hour, string, string, Change, Criterion["status"]][] = [
  [6, "connected 100%", "nothing lost", {}, "pass"],
  [6, "connected 100%", "0.1 s lost", down(0.1), "fail"],
  [6, "connected 100%", "a planned restart", down(5, { planned: true }), "fail"],
  [6, "connected 100%", "perhaps a second lost", down(1, { exact: false }), "unknown"],
  [6, "Zero errors", "no error", {}, "pass"],
  [6, "Zero errors", "1 error", errorsAtOnce(1), "fail"],
  [6, "Zero errors", "logs that the config declares off", { errors: null }, "off"],
  [6, "Zero errors", "none that was counted", inFourth({ errors: null }), "unknown"],
  [
    6,
    "Zero errors",
    "one, and a tick that could not count",
    (_, index) => {
      if (index === 3) return { errors: null };
      return { errors: index === 4 ? 1 : 0 };
    },
    "fail",
  ],
  [6, "No alerts", "none", {}, "pass"],
  [6, "No alerts", "one", firing(1), "fail"],
  [6, "No alerts", "no source", { alerts: null }, "off"],
  [6, "Memory stable", "level", {}, "pass"],
  [6, "Memory stable", "9 MB/h", growing(9), "pass"],
  [6, "Memory stable", "11 MB/h", growing(11), "fail"],
  [6, "Memory stable", "no figure", { memoryMb: null }, "off"],
  [
    6,
    "Memory stable",
    "one figure",
    (_, index) => ({ memoryMb: index === 3 ? 100 : null }),
    "unknown",
  ],
  [6, "Logs clean", "no error", {}, "pass"],
  [6, "Logs clean", "1 error", errorsAtOnce(1), "fail"],
  [12, "Uptime", "43.1 s of 12 h lost", down(43.1), "pass"],
  [12, "Uptime", "43.2 s of 12 h lost: exactly 99.9 %", down(43.2), "fail"],
  [12, "Uptime", "perhaps 43.2 s lost", down(43.2, { exact: false }), "unknown"],
  [12, "Error count", "9 errors", errorsAtOnce(9), "pass"],
  [12, "Error count", "10 errors", errorsAtOnce(10), "fail"],
  [12, "Error count", "a tick that could not count", inFourth({ errors: null }), "unknown"],
  [12, "No critical alerts", "a warning", firing(1), "pass"],
  [
    12,
    "No critical alerts",
    "a critical one",
    inFourth({ alerts: [{ name: "A", severity: "critical", since: atAge(3000) }] }),
    "fail",
  ],
  [12, "No critical alerts", "no source", { alerts: null }, "off"],
  [12, "Performance acceptable", "fast and idle", {}, "pass"],
  [12, "Performance acceptable", "99.9 ms", { responseMs: 99.9 }, "pass"],
  [12, "Performance acceptable", "100 ms", { responseMs: 100 }, "fail"],
  [12, "Performance acceptable", "20 % CPU", { cpuPercent: 20 }, "fail"],
  [12, "Performance acceptable", "11 MB/h", growing(11), "fail"],
  [12, "peak", "from 10:00 to 22:00", {}, "pass"],
  [24, "Uptime", "86.3 s lost", down(86.3), "pass"],
  [24, "Uptime", "86.4 s lost", down(86.4), "fail"],
  [24, "Error rate", "143 errors", errorsAtOnce(143), "pass"],
  [24, "Error rate", "144 errors", errorsAtOnce(144), "fail"],
  [24, "Error rate", "a tick that could not count", inFourth({ errors: null }), "unknown"],
  [24, "Zero unplanned", "a planned one", inFourth({ restarts: [restart(2800, true)] }), "pass"],
  [
    24,
    "Zero unplanned",
    "an unplanned one",
    inFourth({ restarts: [restart(2800, false)] }),
    "fail",
  ],
  [
    24,
    "Zero unplanned",
    "one that nobody can explain",
    inFourth({ restarts: [restart(2800, null)] }),
    "unknown",
  ],
  [24, "Passed peak", "all of it seen", {}, "pass"],
  [
    24,
    "Passed peak",
    "slow in it",
    ({ to }) => ({ responseMs: to >= 28_800 && to < 46_800 ? 201 : 20 }),
    "fail",
  ],
  [
    24,
    "Passed peak",
    "down for 4 min of it",
    (_, index) => (index === 20 ? { outages: [outage(29_000, 240)] } : {}),
    "fail",
  ],
  [
    24,
    "Passed peak",
    "400 errors in it",
    (_, index) => (index === 21 ? { errors: 400 } : {}),
    "fail",
  ],
  [24, "Passed off-peak", "all of it seen", {}, "pass"],
  [
    24,
    "Passed off-peak",
    "down for 4 min of it",
    (_, index) => (index === 25 ? { outages: [outage(60_000, 240)] } : {}),
    "fail",
  ],
  [24, "monitoring systems", "nothing unseen", {}, "pass"],
  [
    24,
    "monitoring systems",
    "something unseen",
    inFourth({ unseen: ["The journal could not be read"] }),
    "unknown",
  ],
  [24, "monitoring systems", "2 s that no account covers", inFourth({ from: 2702 }), "unknown"],
  [24, "confident", "a person's", {}, "off"],
];

for (const [hour, word, what, change, status] of criteria) {
  test(`judgeCheckpoint() at hour ${hour} says ${status} of "${word}": ${what}`, () => {
    const criterion = criterionOf(hour, word, accountsUntil(hour, change));
    assert.equal(criterion.status, status, criterion.says);
    assert.match(criterion.says, /\w/);
  });
}

test("judgeCheckpoint() has each of the seed's criteria, in its order", () => {
  const named = ([6, 12, 24] as const).map((hour) =>
    judgeCheckpoint(hour, summarize(accountsUntil(hour)), burnin).map(({ criterion }) => criterion),
  );
  assert.deepEqual(named, [
    ["Bot connected 100% of time", "Zero errors", "No alerts", "Memory stable", "Logs clean"],
    [
      "Uptime > 99.9%",
      "Error count < 10 total",
      "No critical alerts",
      "Performance acceptable",
      "One peak period observed",
    ],
    [
      "Uptime > 99.9%",
      "Error rate acceptable",
      "Zero unplanned restarts",
      "Passed peak hours",
      "Passed off-peak hours",
      "All monitoring systems operational",
      "Team confident in stability",
    ],
  ]);
});

test("judgeCheckpoint() calls a band unknown when an account of it is lost", () => {
  const accounts = accountsUntil(24);
  const evening = accounts.filter(({ to }) => to !== 57_600); // Hours 12 to 16: 22:00 to 02:00.
  assert.equal(criterionOf(24, "Passed peak", evening).status, "unknown");
  assert.equal(criterionOf(24, "Passed off-peak", evening).status, "pass");
  const night = accounts.filter(({ to }) => to !== 72_000); // Hours 16 to 20: 02:00 to 06:00.
  assert.equal(criterionOf(24, "Passed peak", night).status, "pass");
  assert.equal(criterionOf(24, "Passed off-peak", night).status, "unknown");
});

/** The burn-in that begins at a time of a zone; its accounts say when it was by that clock. */
function startingAt(startedAt: string, hours: number): { of: Burnin; accounts: Account[] } {
  const shift = Date.parse(startedAt) - begun;
  const accounts = accountsUntil(hours).map((account) => ({
    ...account,
    at: new Date(Date.parse(account.at) + shift).toISOString(),
  }));
  return { of: { ...burnin, startedAt: new Date(begun + shift).toISOString() }, accounts };
}

const deferrals: [string, string, string, Criterion["status"]][] = [
  ["03:00 in Berlin's winter", "2025-01-15T02:00:00.000Z", "Europe/Berlin", "deferred"],
  ["03:00 in Berlin's summer", "2025-07-15T01:00:00.000Z", "Europe/Berlin", "deferred"],
  ["03:00 UTC, and it is 05:00 in Berlin", "2025-07-15T03:00:00.000Z", "Europe/Berlin", "deferred"],
  ["midnight: none of it by noon", "2025-07-15T00:00:00.000Z", "UTC", "deferred"],
  ["08:00: half an hour less than half of it", "2025-07-15T08:00:00.000Z", "UTC", "deferred"],
  ["08:29: a minute less than half of it", "2025-07-15T08:29:00.000Z", "UTC", "deferred"],
  ["08:30: half of it", "2025-07-15T08:30:00.000Z", "UTC", "pass"],
  ["noon: all of it", "2025-07-15T12:00:00.000Z", "UTC", "pass"],
  ["20:00: the later half", "2025-07-15T20:00:00.000Z", "UTC", "pass"],
  ["23:00: none of it", "2025-07-15T23:00:00.000Z", "UTC", "deferred"],
  [
    "00:00 UTC, and it is 05:30 in Kolkata: none of it",
    "2025-07-15T00:00:00.000Z",
    "Asia/Kolkata",
    "deferred",
  ],
  [
    "10:00 UTC, and it is 15:30 in Kolkata: all of it",
    "2025-07-15T10:00:00.000Z",
    "Asia/Kolkata",
    "pass",
  ],
];

for (const [what, startedAt, zone, status] of deferrals) {
  test(`judgeCheckpoint() at hour 12 says ${status} of a peak, deployed at ${what}`, () => {
    const { of, accounts } = startingAt(startedAt, 12);
    const criterion = criterionOf(12, "peak", accounts, of, zone);
    assert.equal(criterion.status, status, criterion.says);
    const whole = startingAt(startedAt, 24);
    assert.equal(
      judge(whole.accounts, whole.of, zone).decision,
      "PASS",
      "a deferred peak is seen by hour 24",
    );
  });
}

const nights: [string, string, string, "peak" | "offPeak", number][] = [
  ["an ordinary night", "2025-06-10T12:00:00.000Z", "Europe/Berlin", "offPeak", 5],
  [
    "the night that loses 02:00 to 03:00",
    "2025-03-29T12:00:00.000Z",
    "Europe/Berlin",
    "offPeak",
    4,
  ],
  [
    "the night that has 02:00 to 03:00 twice",
    "2025-10-25T12:00:00.000Z",
    "Europe/Berlin",
    "offPeak",
    6,
  ],
  ["the evening of such a night", "2025-10-25T12:00:00.000Z", "Europe/Berlin", "peak", 5],
  [
    "New York's night that loses an hour",
    "2025-03-08T12:00:00.000Z",
    "America/New_York",
    "offPeak",
    4,
  ],
  ["a zone that has no such night", "2025-03-29T12:00:00.000Z", "UTC", "offPeak", 5],
  ["a zone of half an hour", "2025-06-10T12:00:00.000Z", "Asia/Kolkata", "offPeak", 5],
  ["a zone of three quarters", "2025-06-10T12:00:00.000Z", "Asia/Kathmandu", "peak", 5],
  [
    "half an hour of daylight saving",
    "2025-04-05T05:00:00.000Z",
    "Australia/Lord_Howe",
    "offPeak",
    5,
  ],
];

for (const [what, from, zone, band, hours] of nights) {
  test(`bandSpans() finds ${hours} h of ${band} in ${what} (${zone})`, () => {
    const begin = Date.parse(from);
    const day = { from: begin, to: begin + 86_400_000 };
    const spans = bandSpans(BURNIN.bands[band], day, zone);
    const seconds = spans.reduce((sum, span) => sum + span.to - span.from, 0) / 1000;
    assert.equal(seconds / 3600, hours);
    const { of, accounts } = startingAt(from, 24);
    const found = summarize(accounts, of, zone).bands[band];
    assert.deepEqual([found.due, found.covered], [seconds, seconds]);
  });
}

test("bandSpans() begins and ends to the second, and is empty outside", () => {
  const at = (time: string): number => Date.parse(`2025-06-10T${time}.000Z`);
  const spansIn = (band: BandName, from: string, to: string) =>
    bandSpans(BURNIN.bands[band], { from: at(from), to: at(to) }, "UTC");
  assert.deepEqual(spansIn("peak", "17:59:58", "18:00:02"), [
    { from: at("18:00:00"), to: at("18:00:02") },
  ]);
  assert.deepEqual(spansIn("peak", "22:59:58", "23:00:02"), [
    { from: at("22:59:58"), to: at("23:00:00") },
  ]);
  assert.deepEqual(spansIn("peak", "10:00:00", "10:00:00"), []);
  assert.deepEqual(spansIn("offPeak", "18:00:00", "23:00:00"), []);
});

test("judgeBurnin() passes a healthy day whose clock was set, an hour forward or back, at any hour", () => {
  for (const jump of [-3600, 3600])
    for (let hour = 1; hour < 24; hour++) {
      const accounts = accountsUntil(24, ({ from, to }) => ({
        at: atAge(to + (to >= hour * 3600 ? jump : 0)),
        jump: from < hour * 3600 && hour * 3600 <= to ? jump : 0,
      }));
      const { decision, reasons } = judge(accounts);
      assert.equal(decision, "PASS", `${jump} s at hour ${hour}: ${reasons.join("; ")}`);
    }
});

// ---------------------------------------------------------------------------- growth

test("slopeOf() finds the median of the slopes of all pairs, and is not moved by an outlier", () => {
  const points = [1, 2, 3, 4, 5, 6].map((age) => ({ age, value: 2 * age + 1 }));
  assert.equal(slopeOf([points])?.slope, 2);
  const spoiled = points.map((point) => (point.age === 4 ? { age: 4, value: 1000 } : point));
  assert.equal(slopeOf([spoiled])?.slope, 2);
  assert.equal(slopeOf([points.slice(0, 3)]), null, "three pairs are too few");
  assert.equal(slopeOf([]), null);
});

test("slopeOf() agrees with all pairs, counted one by one", () => {
  const segment = fc.uniqueArray(
    fc.record({
      age: fc.integer({ min: 0, max: 1000 }),
      value: fc.integer({ min: -100, max: 100 }),
    }),
    {
      selector: ({ age }) => age,
      minLength: 0,
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 3 }), (segments) => {
      const slopes: number[] = [];
      for (const points of segments)
        for (const [index, a] of points.entries())
          for (const b of points.slice(0, index))
            slopes.push((a.value - b.value) / (a.age - b.age));
      slopes.sort((a, b) => a - b);
      const found = slopeOf(segments);
      if (slopes.length < 6) return assert.equal(found, null);
      const middle = slopes.length / 2;
      const expected =
        slopes.length % 2
          ? slopes[middle - 0.5]
          : ((slopes[middle - 1] as number) + (slopes[middle] as number)) / 2;
      const said = JSON.stringify(found);
      assert.ok(
        found && Math.abs(found.slope - (expected as number)) < 1e-9,
        `${said}, not ${expected}`,
      );
      assert.ok(found.low <= found.slope && found.slope <= found.high, said);
    }),
  );
});

test("slopeOf() has the true slope in its 95 % interval about that often", () => {
  const trials = 1000;
  const slope = 3;
  let held = 0;
  let state = 1;
  const uniform = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let trial = 0; trial < trials; trial++) {
    const points = Array.from({ length: 15 }, (_, age) => ({
      age,
      value: slope * age + 5 * normal(),
    }));
    const found = slopeOf([points]);
    if (found && found.low <= slope && slope <= found.high) held += 1;
  }
  assert.ok(held / trials > 0.93 && held / trials < 0.985, `${held} of ${trials}`);
});

// ---------------------------------------------------------------------------- properties

/**
 * Kinds without a set clock, whose accounts can be cut at any moment and still be placed in the
 * day.
 */
const cuttable = kindNames.filter((kind) => kind !== "clock set");
/** A kind and a seed: they say which history failed, where its accounts would fill pages. */
const anyHistory = (kinds: readonly string[] = kindNames) =>
  fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 1_000_000 }));
type Which = [kind: string, seed: number];

/** Its burn-in, each account once, in order. */
function subjectOf([kind, seed]: Which): Subject {
  const { subjects, log } = generate(kind, seed);
  const subject = subjects.at(-1) as Subject;
  const accounts = log ? readAccounts(log, subject.burnin) : subject.accounts;
  const once = new Map(accounts.map((account) => [account.from, account]));
  return { ...subject, accounts: [...once.values()].sort((x, y) => x.from - y.from) };
}
/**
 * A failing history is not made smaller: that takes minutes, and its kind and seed are what `npm
 * run histories -- --show` asks for.
 */
const runs = { numRuns: 150, endOnFailure: true };
const grade = { PASS: 0, RUNNING: 1, PARTIAL: 1, FAIL: 2 };

test("summarizeBurnin() says the same of accounts in any order, however often each is given", () => {
  fc.assert(
    fc.property(
      anyHistory(),
      fc.array(fc.nat(9), { minLength: 7, maxLength: 100 }),
      (which, keys) => {
        const subject = subjectOf(which);
        const often = [...subject.accounts, ...subject.accounts, ...subject.accounts.slice(0, 5)];
        const keyed = often.map((account, index) => ({
          account,
          key: keys[(index * 31) % keys.length] as number,
        }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ account }) => account);
        assert.deepEqual(judgeAll(subject, shuffled), judgeAll(subject, subject.accounts));
      },
    ),
    runs,
  );
});

/**
 * The account as two looks would have given it: what was sampled at its end belongs to the second.
 */
function cutAccount(account: Account, at: number): Account[] {
  const clip = (from: number, to: number) =>
    account.outages
      .filter((one) => one.from < to && one.to > from)
      .map((one) => ({ ...one, from: Math.max(one.from, from), to: Math.min(one.to, to) }));
  const early = account.errors === null ? null : Math.floor(account.errors / 3);
  const first: Account = {
    ...account,
    run: `${account.run}-a`,
    at: new Date(Date.parse(account.at) - (account.to - at) * 1000).toISOString(),
    to: at,
    outages: clip(account.from, at),
    restarts: account.restarts.filter(({ age }) => age <= at),
    errors: early,
    warnings: 0,
    alerts: null,
    responseMs: null,
    memoryMb: null,
    cpuPercent: null,
    users: null,
    requests: null,
    prometheus: null,
  };
  const restarts = account.restarts.filter(({ age }) => age > at);
  const errors = account.errors === null || early === null ? null : account.errors - early;
  return [first, { ...account, from: at, outages: clip(at, account.to), restarts, errors }];
}

/**
 * What a cut may change is left out: the number of looks, and how a band's share of an interval's
 * errors is guessed.
 */
function comparable({ looks: _, bands, outages, ...rest }: Summary): Record<string, unknown> {
  const { peak, offPeak } = bands;
  const band = ({ due, covered, downSeconds, responseMs }: Summary["bands"]["peak"]) => ({
    due,
    covered,
    downSeconds,
    responseMs,
  });
  return {
    ...rest,
    peak: band(peak),
    offPeak: band(offPeak),
    outages: outages.map(({ from, to, kind, planned, exact }) => ({
      from,
      to,
      kind,
      planned,
      exact,
    })),
  };
}

function assertAlike(actual: unknown, expected: unknown, at = ""): void {
  if (typeof expected === "number")
    return assert.ok(
      typeof actual === "number" && Math.abs(actual - expected) < 0.002,
      `${at}: ${actual}, not ${expected}`,
    );
  if (typeof expected !== "object" || expected === null) return assert.equal(actual, expected, at);
  const ours = actual as Record<string, unknown>;
  const theirs = expected as Record<string, unknown>;
  assert.deepEqual(Object.keys(ours), Object.keys(theirs), at);
  for (const key of Object.keys(theirs)) assertAlike(ours[key], theirs[key], `${at}/${key}`);
}

test("summarizeBurnin() says the same when one look had been two", () => {
  const any = fc.tuple(
    anyHistory(cuttable),
    fc.nat(),
    fc.double({ min: 0.02, max: 0.98, noNaN: true }),
  );
  fc.assert(
    fc.property(any, ([which, position, share]) => {
      const subject = subjectOf(which);
      const { accounts } = subject;
      const index = position % accounts.length;
      const account = accounts[index] as Account;
      const at = Math.round((account.from + (account.to - account.from) * share) * 1000) / 1000;
      const cut = [
        ...accounts.slice(0, index),
        ...cutAccount(account, at),
        ...accounts.slice(index + 1),
      ];
      const before = judgeAll(subject, accounts);
      const after = judgeAll(subject, cut);
      assertAlike(comparable(after.summary), comparable(before.summary));
      assert.equal(after.decision, before.decision);
    }),
    runs,
  );
});

test("summarizeBurnin() never raises the uptime for an outage more, and judgeBurnin() never decides better", () => {
  const any = fc.record({
    which: anyHistory(),
    position: fc.nat(),
    from: fc.double({ min: 0, max: 0.99, noNaN: true }),
    share: fc.double({ min: 0.001, max: 1, noNaN: true }),
    exact: fc.boolean(),
    planned: fc.constantFrom(true, false, null),
    kind: fc.constantFrom<Outage["kind"][]>("down", "disconnected"),
  });
  fc.assert(
    fc.property(any, ({ which, position, from: begin, share, exact, planned, kind }) => {
      const subject = subjectOf(which);
      const { accounts } = subject;
      const index = position % accounts.length;
      const account = accounts[index] as Account;
      const from = account.from + begin * (account.to - account.from);
      const more = outage(from, share * (account.to - from), { exact, planned, kind });
      const worse = accounts.map((one) =>
        one === account ? { ...one, outages: [...one.outages, more] } : one,
      );
      const before = judgeAll(subject, accounts);
      const after = judgeAll(subject, worse);
      const slack = 1e-6;
      const was = before.summary.uptime;
      const is = after.summary.uptime;
      const isLower =
        is.low <= was.low + slack && is.high <= was.high + slack && is.low <= is.high + slack;
      assert.ok(isLower, `${JSON.stringify(was)} became ${JSON.stringify(is)}`);
      if (!exact) assert.ok(Math.abs(is.high - was.high) < slack, "a bound is no downtime");
      assert.ok(
        grade[after.decision] >= grade[before.decision],
        `${before.decision} became ${after.decision}`,
      );
    }),
    runs,
  );
});

test("judgeBurnin() never passes over a hole, and forgets no restart that another account tells of", () => {
  const any = fc.tuple(
    anyHistory(),
    fc.nat(),
    fc.boolean(),
    fc.double({ min: 1.01, max: 800, noNaN: true }),
  );
  fc.assert(
    fc.property(any, ([which, position, isWhole, seconds]) => {
      const subject = subjectOf(which);
      const { accounts } = subject;
      const index = position % (accounts.length - 1 || 1);
      const account = accounts[index] as Account;
      const late = { ...account, from: account.from + seconds };
      const holed =
        isWhole || late.from >= account.to
          ? accounts.filter((one) => one !== account)
          : accounts.map((one) => (one === account ? late : one));
      if (holed.length === 0) return;
      const before = judgeAll(subject, accounts);
      const after = judgeAll(subject, holed);
      assert.notEqual(after.decision, "PASS");
      const { holes, uptime } = after.summary;
      assert.ok(holes.length > 0 && uptime.low < uptime.high, JSON.stringify({ holes, uptime }));
      const died = holed.some(({ restarts }) => restarts.some(({ planned }) => planned === false));
      if (died) assert.equal(after.decision, "FAIL");
      else if (before.decision === "PARTIAL") assert.notEqual(after.decision, "PASS");
    }),
    runs,
  );
});

test("judgeBurnin() lets a shorter account of the same beginning change nothing: the longer one has counted what it had", () => {
  const any = fc.tuple(
    anyHistory(cuttable),
    fc.nat(),
    fc.double({ min: 0.02, max: 0.98, noNaN: true }),
  );
  fc.assert(
    fc.property(any, ([which, position, share]) => {
      const subject = subjectOf(which);
      const { accounts } = subject;
      const account = accounts[position % accounts.length] as Account;
      const [overtaken] = cutAccount(account, account.from + (account.to - account.from) * share);
      assert.deepEqual(
        judgeAll(subject, [...accounts, overtaken as Account]),
        judgeAll(subject, accounts),
      );
    }),
    runs,
  );
});
