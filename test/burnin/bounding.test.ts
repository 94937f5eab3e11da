/** That a burn-in of very many accounts is judged as if all of them were still there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { boundAccounts, countCarried } from "../../lib/burnin/bounding.ts";
import { judgeBurnin } from "../../lib/burnin/judging.ts";
import { judgeMetrics } from "../../lib/burnin/metrics.ts";
import { type Summary, summarizeBurnin } from "../../lib/burnin/summary.ts";
import type { Account, Burnin } from "../../lib/burnin/words.ts";
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

/** What a tick of every half minute of a day accounts for: a bot with a little of everything. */
function accountAt(tick: number): Account {
  const from = tick * 30;
  const to = from + 30;
  const at = atAge(to);
  const outage = { from: from + 5, to: from + 8, at: atAge(from + 5), says: "lost" };
  const isLost = tick % 97 === 0;
  return {
    burnin: burnin.id,
    run: `run-${tick}`,
    at,
    from,
    to,
    jump: 0,
    late: 0,
    boot: "boot",
    outages: isLost
      ? [{ ...outage, kind: "disconnected", source: "log", planned: false, exact: true }]
      : [],
    restarts: tick === 200 ? [{ at, age: to, planned: false, says: "it died" }] : [],
    errors: tick % 10 ? 0 : 1,
    warnings: tick % 5 ? 0 : 1,
    unseen: [],
    connection: "log",
    alerts: tick < 3 ? [{ name: "A", severity: "warning", since: atAge(0) }] : [],
    prometheus: null,
    responseMs: 20 + (tick % 7),
    memoryMb: 100 + tick / 120,
    cpuPercent: 5 + (tick % 3),
    users: tick % 40,
    requests: null,
    backupHours: null,
  };
}

const day = Array.from({ length: 2880 }, (_, tick) => accountAt(tick));
const summarize = (accounts: readonly Account[]): Summary =>
  summarizeBurnin(burnin, accounts, "UTC");

/** As the log is read, and as the state grows: bounded again and again. */
function grow(accounts: readonly Account[]): Account[] {
  let known: Account[] = [];
  for (const account of accounts) {
    known.push(account);
    known = boundAccounts(known);
  }
  return known;
}

const near = (a: number, b: number, slack: number, what: string): void =>
  assert.ok(Math.abs(a - b) <= slack, `${what}: ${a} and ${b}`);

test("boundAccounts() leaves up to 2,000 accounts as they are", () => {
  const accounts = day.slice(0, 2000);
  assert.equal(boundAccounts(accounts), accounts);
  assert.equal(countCarried(accounts), 0);
});

test("boundAccounts() keeps the newest 1,000 as they are, whatever the order they came in", () => {
  const bounded = boundAccounts(day.toReversed());
  assert.deepEqual(bounded.slice(-1000), day.slice(-1000));
  // Sixteen hours, of which each ends with a tick that is of the next.
  assert.equal(bounded.length, 1000 + 16);
  assert.equal(countCarried(bounded), 1880);
});

describe("a burn-in whose older accounts are carried", () => {
  const whole = summarize(day);
  for (const [how, accounts] of [
    ["at once", boundAccounts(day)],
    ["as they come", grow(day)],
  ] as const) {
    test(`is judged as before, where they were carried ${how}`, () => {
      const carried = summarize(accounts);
      for (const name of [
        "age",
        "covered",
        "holes",
        "looks",
        "uptime",
        "outages",
        "downSeconds",
        "restarts",
        "errors",
        "errorsUnseen",
        "warnings",
        "alerts",
        "memoryPeakMb",
        "unseen",
      ] as const)
        assert.deepEqual(carried[name], whole[name], name);
      near(carried.responseMs ?? 0, whole.responseMs ?? 0, 1e-6, "response time");
      near(carried.cpuPercent ?? 0, whole.cpuPercent ?? 0, 1e-6, "CPU");
      near(carried.memory?.perHour ?? 0, whole.memory?.perHour ?? 0, 0.05, "growth");
      assert.equal(carried.users?.peak, whole.users?.peak);
      for (const band of ["peak", "offPeak"] as const) {
        near(carried.bands[band].due, whole.bands[band].due, 1e-3, "seconds of the band");
        near(carried.bands[band].covered, whole.bands[band].covered, 1e-3, "seconds seen");
        near(carried.bands[band].downSeconds, whole.bands[band].downSeconds, 1e-3, "lost");
        near(carried.bands[band].errors, whole.bands[band].errors, 0.2, "errors");
        assert.ok(carried.bands[band].looks > 0);
      }
      const decide = (summary: Summary): string =>
        judgeBurnin(summary, judgeMetrics(summary, burnin), burnin).decision;
      assert.deepEqual([decide(carried), decide(whole)], ["FAIL", "FAIL"]);
    });
  }

  test("has its holes: long ones as such, short ones in the uptime's interval", () => {
    // Nobody looked for half an hour; and one look in twenty began 2 s late.
    const spoiled = day
      .filter((_, tick) => tick < 100 || tick >= 160)
      .map((account, index) =>
        index % 20 === 19 ? { ...account, from: account.from + 2 } : account,
      );
    const before = summarize(spoiled);
    const carried = summarize(grow(spoiled));
    assert.deepEqual(
      carried.holes.filter(({ from, to }) => to - from > 60),
      before.holes.filter(({ from, to }) => to - from > 60),
    );
    near(carried.uptime.low, before.uptime.low, 1e-9, "least uptime");
    assert.equal(carried.uptime.high, before.uptime.high);
  });

  test("never has more uptime for being carried, where nobody looked between any two looks", () => {
    const spoiled = day.map((account) => ({ ...account, from: account.from + 10 }));
    const before = summarize(spoiled);
    const accounts = grow(spoiled);
    const carried = summarize(accounts);
    assert.ok(carried.uptime.low <= before.uptime.low);
    assert.equal(carried.uptime.high, before.uptime.high);
    const told = accounts.flatMap(({ outages }) => outages);
    assert.ok(told.length < 400, `${told.length} outages are held`);
  });

  test("counts an account once that the log has twice", () => {
    const twice = [...day.slice(0, 1700), ...day.slice(0, 1700), ...day.slice(1700)];
    const bounded = boundAccounts(twice);
    assert.equal(summarize(bounded).errors, whole.errors);
    assert.equal(summarize(bounded).looks, 2880);
  });

  test("has what was not counted or asked as such", () => {
    const blind = day.map((account) => ({
      ...account,
      errors: null,
      alerts: null,
      responseMs: null,
      memoryMb: null,
      cpuPercent: null,
      users: null,
    }));
    const before = summarize(blind);
    const carried = summarize(grow(blind));
    for (const name of ["errorsOff", "alerts", "responseMs", "memoryPeakMb", "users"] as const)
      assert.deepEqual(carried[name], before[name], name);
  });
});
