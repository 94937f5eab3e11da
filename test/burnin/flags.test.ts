/** The flags of a burn-in: what each kind is raised by, and how old records' flags are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeFlags } from "../../lib/burnin/flags.ts";
import { judgeMetrics } from "../../lib/burnin/metrics.ts";
import { summarizeBurnin } from "../../lib/burnin/summary.ts";
import { type Account, type Burnin, flagsIn, type Outage } from "../../lib/burnin/words.ts";
import type { PrometheusView } from "../../lib/probes/prometheus.ts";
import { BURNIN } from "../../verify.ts";

const burnin: Burnin = {
  id: "burnin",
  releaseId: "1.4.2",
  attempt: 1,
  startedAt: "2025-06-10T10:00:00.000Z",
  seconds: 86_400,
  limits: BURNIN,
};
const atAge = (age: number): string =>
  new Date(Date.parse(burnin.startedAt) + age * 1000).toISOString();

/** The account of the tick after `from`, of a bot that does nothing wrong, but for the change. */
function accountOf(from: number, change: Partial<Account> = {}): Account {
  return {
    burnin: burnin.id,
    run: `run-${from}`,
    at: atAge(from + 900),
    from,
    to: from + 900,
    jump: 0,
    late: 0,
    boot: "boot",
    outages: [],
    restarts: [],
    errors: 0,
    warnings: 0,
    unseen: [],
    connection: "log",
    alerts: [],
    prometheus: null,
    responseMs: 20,
    memoryMb: 120,
    cpuPercent: 5,
    users: 40,
    requests: 10,
    backupHours: null,
    ...change,
  };
}

/** An outage that begins ten minutes after the account from 900 s on does. */
const outage = (seconds: number, change: Partial<Outage> = {}): Outage => ({
  from: 1500,
  to: 1500 + seconds,
  at: atAge(1500),
  kind: "disconnected",
  planned: false,
  source: "log",
  exact: true,
  says: "lost",
  ...change,
});
const restarted = (planned: boolean | null): Partial<Account> => ({
  restarts: [{ at: atAge(1500), age: 1500, planned, says: "started again" }],
});
const firing = (names: readonly string[]): Partial<Account> => ({
  alerts: names.map((name) => ({ name, severity: "warning", since: atAge(1000) })),
});
/** Twenty accounts whose last memory is higher by so many MB an hour. */
const growing = (perHour: number): Account[] =>
  Array.from({ length: 20 }, (_, index) =>
    accountOf(index * 900, { memoryMb: 120 + (perHour * (index + 1)) / 4 }),
  );
const doubted = { problems: ["there is a single sample"] } as PrometheusView;

const flagsOf = (accounts: Account[]) => {
  const summary = summarizeBurnin(burnin, accounts, "UTC");
  const rows = judgeMetrics(summary, burnin);
  const last = accounts.at(-1) as Account;
  return judgeFlags({ summary, rows, last, limits: BURNIN, memoryMbMax: 500 });
};

/** The account before is a good one, and the change is in the newest. */
const changed = (change: Partial<Account>): Account[] => [accountOf(0), accountOf(900, change)];

const cases: [what: string, accounts: Account[], red: string[], yellow: string[]][] = [
  ["nothing wrong", changed({}), [], []],
  ["60 s without the chat", changed({ outages: [outage(60)] }), [], ["interrupted"]],
  ["60.1 s without the chat", changed({ outages: [outage(60.1)] }), ["disconnected"], []],
  [
    "61 s down, and 5 s without the chat",
    changed({ outages: [outage(61, { kind: "down" }), outage(5, { from: 1700, to: 1705 })] }),
    ["down"],
    ["interrupted"],
  ],
  ["61 s that were planned", changed({ outages: [outage(61, { planned: true })] }), [], []],
  ["at most 61 s", changed({ outages: [outage(61, { exact: false })] }), [], ["interrupted"]],
  [
    "61 s that ended before the newest account",
    [accountOf(0, { outages: [outage(61, { from: 100, to: 161 })] }), accountOf(900)],
    [],
    ["interrupted"],
  ],
  ["a crash", changed(restarted(false)), ["restarted"], []],
  ["a restart that nobody can explain", changed(restarted(null)), [], ["restarted"]],
  ["a planned restart", changed(restarted(true)), [], []],
  ["15 errors in 15 min", changed({ errors: 15 }), [], ["errors"]],
  ["16 errors in 15 min", changed({ errors: 16 }), ["errors"], []],
  [
    "5 errors in a look that covers 4 min",
    [accountOf(0), accountOf(900, { to: 1140, at: atAge(1140), errors: 5 })],
    [],
    ["errors"],
  ],
  ["growth of 49 MB/h", growing(49), [], []],
  ["growth of 51 MB/h", growing(51), ["memory"], []],
  ["one alert", changed(firing(["A"])), [], ["alerts"]],
  ["two alerts", changed(firing(["A", "B"])), ["alerts"], []],
  ["responses that are slow", changed({ responseMs: 400 }), [], ["response"]],
  ["a busy CPU", changed({ cpuPercent: 100 }), [], ["cpu"]],
  ["500 MB of memory", changed({ memoryMb: 500 }), [], []],
  ["501 MB of memory", changed({ memoryMb: 501 }), [], ["memory"]],
  ["a look that came late", changed({ late: 130 }), [], ["late"]],
  ["a clock that was set", changed({ jump: -3600 }), [], ["clock"]],
];

for (const [what, accounts, red, yellow] of cases) {
  test(`judgeFlags() names each flag by its kind: ${what}`, () => {
    const flags = flagsOf(accounts);
    const kinds = [flags.red, flags.yellow].map((list) => list.map(({ kind }) => kind));
    assert.deepEqual(kinds, [red, yellow], JSON.stringify(flags));
    for (const { says } of [...flags.red, ...flags.yellow]) assert.match(says, /\w{2,}/);
  });
}

test("judgeFlags() says what Prometheus doubts, and where it disagrees with the log", () => {
  const account = accountOf(900, { prometheus: { ...doubted, restarts: 3 } });
  const summary = summarizeBurnin(burnin, [accountOf(0), accountOf(900)], "UTC");
  const { yellow } = judgeFlags({
    summary: { ...summary, disagreements: ["3 restarts there, none here"] },
    rows: judgeMetrics(summary, burnin),
    last: account,
    limits: BURNIN,
    memoryMbMax: null,
  });
  assert.deepEqual(yellow, [
    { kind: "monitoring", says: "there is a single sample" },
    { kind: "disagreement", says: "disagreement: 3 restarts there, none here" },
  ]);
});

test("flagsIn() reads the flags of a record, and the sentences of an older one by how they begin", () => {
  const flags = [
    { kind: "memory", says: "memory grows continuously, by 61 MB/h" },
    { kind: "alerts", says: "several alerts fire: A, B" },
    { kind: "errors", says: "12 errors in 5 min" },
    { kind: "down", says: "down for 90 s since 2026-11-21T12:00:00.000Z: killed" },
    { kind: "disconnected", says: "disconnected for 65 s since then: lost" },
    { kind: "restarted", says: "restarted without a plan at noon: killed" },
    { kind: "unknown", says: "Something else" },
  ];
  assert.deepEqual(flagsIn(flags), flags);
  assert.deepEqual(flagsIn(flags.map(({ says }) => says)), flags);
});

test("flagsIn() takes whatever a hand has left for a flag of no known kind, and no list for none", () => {
  assert.deepEqual(flagsIn([null, 5, { kind: "new", says: 7 }, ""]), [
    { kind: "unknown", says: "null" },
    { kind: "unknown", says: "5" },
    { kind: "unknown", says: "7" },
    { kind: "unknown", says: "" },
  ]);
  assert.deepEqual([flagsIn(undefined), flagsIn("down"), flagsIn({})], [[], [], []]);
});
