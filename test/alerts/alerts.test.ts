/** Alerts: what a person is told, when, by which way, and what is never said. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { renderAlert } from "../../lib/alerts/run.ts";
import { PAYLOADS, requestReceiver } from "../../lib/alerts/sinks.ts";
import {
  type AlertState,
  judgeAlert,
  type Message,
  pingsOf,
  rememberDeliveries,
  type Situation,
  situationOf,
} from "../../lib/alerts/situation.ts";
import { UserError } from "../../lib/attempt.ts";
import { readConfig } from "../../lib/config.ts";
import { parseConfig } from "../../lib/config-parse.ts";
import { writeRecord } from "../../lib/log.ts";
import { maskOf } from "../../lib/masking.ts";
import { EXIT } from "../../lib/vocabulary.ts";
import { RULES } from "../../verify.ts";
import {
  createDirectory,
  defaultConfig,
  findFreePort,
  merge,
  readRecords,
  runVerify,
  type Settings,
  writeConfig,
} from "../support/harness.ts";

type Record_ = Record<string, unknown>;

// ------------------------------------------------------------------------ records and units as the program writes them

const uuid = "00000000-0000-4000-8000-000000000000";
let count = 0;
const begin = Date.parse("2026-11-21T12:00:00Z");

function finding(check: string, status: string, over: Record_ = {}): Record_ {
  const says = status === "fail" ? `${check} is bad` : `${check} was looked at`;
  return {
    check,
    status,
    phase: "initial",
    measured: null,
    limit: null,
    unit: null,
    says,
    evidence: [],
    hint: null,
    parts: [],
    ...over,
  };
}

const passing = ["process", "connection", "health_endpoint", "uptime_stability"];

/** A run in which the named checks have this status, and the others passed. */
function run(verdict: string, checks: string[] = [], over: Record_ = {}): Record_ {
  const findings = [...new Set([...passing, ...checks])].map((check) =>
    finding(check, checks.includes(check) ? verdict : "pass"),
  );
  const ts = new Date(begin + ++count * 1000).toISOString();
  const exit = verdict === "pass" || verdict === "warn" ? 0 : 2;
  const about = {
    v: 1,
    kind: "verify",
    ts,
    run: `run-${count}`,
    env: "prod",
    host: "h",
    releaseId: "1.4.2",
    unitInvocation: null,
  };
  return { ...about, verdict, exit, action: "Do something.", findings, ...over };
}

function rollback(verdict: string, exit: number, over: Record_ = {}): Record_ {
  const about = {
    kind: "rollback",
    exit,
    from: "1.4.2",
    to: verdict === "refused" ? null : "1.4.1",
    checks: ["connection"],
    findings: [],
  };
  return run(verdict, [], {
    ...about,
    releaseId: undefined,
    action: `The rollback was said to ${verdict}.`,
    ...over,
  });
}

/**
 * The last checkpoint of a burn-in, as the run that judges it writes it just before its own record.
 */
function decided(decision: "PASS" | "PARTIAL" | "FAIL", over: Record_ = {}): Record_ {
  const exit = { PASS: 0, PARTIAL: 31, FAIL: 30 }[decision];
  const about = {
    kind: "checkpoint",
    hour: 24,
    decision,
    burnin: "run-1",
    attempt: 1,
    exit,
    reasons: [],
    findings: undefined,
  };
  return run({ PASS: "pass", PARTIAL: "warn", FAIL: "fail" }[decision], [], {
    ...about,
    action: `What a ${decision} asks for.`,
    ...over,
  });
}

function unit(kind: string, over: Record<string, string> = {}): Record<string, string> {
  const ts = new Date(begin + ++count * 1000).toISOString();
  const about = {
    Id: `cytube-${kind}@prod.service`,
    ActiveState: "failed",
    Result: "timeout",
    ExecMainStatus: "15",
    InvocationID: "a".repeat(32),
  };
  return { ...about, kind, ts, ...over };
}

const config = (() => {
  const file = join(createDirectory(), "prod.yaml");
  const settings = merge(defaultConfig(1), {
    process: { pidFile: null, unit: "cytube-bot.service" },
    alert: { sinks: [] },
  });
  writeFileSync(file, JSON.stringify(settings));
  return readConfig("prod", file, RULES);
})();

/**
 * Alert runs as they follow on one another, without any delivery: `told` is what each said, and to
 * `reached` nobody or somebody.
 */
function play() {
  let state: AlertState | null = null;
  let now = begin;
  return (
    records: Record_[],
    {
      units = [],
      reached = true,
      hours = 0,
    }: { units?: Record<string, string>[]; reached?: boolean; hours?: number } = {},
  ) => {
    now += hours * 3_600_000;
    const next = situationOf(records, units, state);
    const change = judgeAlert({ previous: state, state: next, now, repeatHours: 6 });
    const message = change && renderAlert(next, change, { config, mask: maskOf([]) });
    const deliveries = [{ kind: "json", ok: reached, tries: 1, problem: null }];
    state = rememberDeliveries(next, { message, deliveries, now });
    return (
      message && { change, title: message.title.replace(/^.*? on .*?: /, ""), text: message.text }
    );
  };
}

// ---------------------------------------------------------------------------- situations

const situations: [
  what: string,
  records: Record_[],
  units: Record<string, string>[],
  ok: boolean,
  title: RegExp,
][] = [
  ["a pass", [run("pass")], [], true, /^the bot passes \(release 1\.4\.2\)$/],
  ["a warning", [run("warn", ["error_logs"])], [], true, /^the bot passes/],
  [
    "a failure",
    [run("fail", ["health_endpoint", "connection"])],
    [],
    false,
    /^verification fails: connection, health_endpoint \(release 1\.4\.2\)$/,
  ],
  [
    "what could not be seen",
    [run("unknown", ["error_logs"])],
    [],
    false,
    /^verification cannot see: error_logs/,
  ],
  [
    "nothing seen in time",
    [run("unknown", [], { exit: 124 })],
    [],
    false,
    /^verification cannot see: exit 124/,
  ],
  [
    "an internal error",
    [run("aborted", [], { exit: 70 })],
    [],
    false,
    /^verification was cut short: exit 70/,
  ],
  [
    "a red flag of a tick",
    [run("pass"), run("fail", ["process"], { kind: "burnin", exit: 30 })],
    [],
    false,
    /^burn-in fails: process/,
  ],
  [
    "an alert that fires",
    [run("fail", [], { kind: "burnin", exit: 30, flags: { red: ["several alerts fire: a, b"] } })],
    [],
    false,
    /^burn-in fails: several/,
  ],
  [
    "a tick below the target",
    [run("fail", ["process"]), run("warn", [], { kind: "burnin", exit: 31 })],
    [],
    true,
    /^the bot passes/,
  ],
  [
    "a tick that died after it had judged a checkpoint",
    [run("pass"), decided("PASS", { hour: 6, unitInvocation: "a".repeat(32) })],
    [unit("burnin", { Result: "oom-kill", ExecMainStatus: "9" })],
    false,
    /^burn-in ended without a verdict: oom-kill/,
  ],
  [
    "a bot that a person stopped",
    [run("pass"), run("paused", [], { kind: "burnin" })],
    [],
    true,
    /^the bot passes \(release 1\.4\.2\)$/,
  ],
  [
    "a rollback",
    [run("fail", ["connection"]), rollback("pass", 0)],
    [],
    false,
    /^rolled back from 1\.4\.2 to 1\.4\.1: connection$/,
  ],
  [
    "a rollback to a release that is bad too",
    [rollback("fail", 41)],
    [],
    false,
    /^rollback fails: connection \(release 1\.4\.2\)$/,
  ],
  [
    "a rollback by a command, which names no release",
    [rollback("pass", 0, { to: null })],
    [],
    false,
    /^rolled back from 1\.4\.2: connection$/,
  ],
  ...[40, 42, 77].map((exit): (typeof situations)[number] => [
    `a rollback that was refused with ${exit}`,
    [rollback("refused", exit)],
    [],
    false,
    /^rollback refused: connection/,
  ]),
  [
    "a deployment that holds the lock",
    [run("fail", ["connection"])],
    [unit("rollback", { Result: "exit-code", ExecMainStatus: "75" })],
    false,
    /^rollback refused: a deployment holds the lock$/,
  ],
  [
    "a verification that timed out",
    [run("pass")],
    [unit("verify")],
    false,
    /^verification ended without a verdict: timeout, status 15$/,
  ],
  [
    "a verification that was killed",
    [],
    [unit("verify", { Result: "signal", ExecMainStatus: "9" })],
    false,
    /without a verdict: signal, status 9$/,
  ],
  [
    "a tick that crashed",
    [run("pass")],
    [unit("burnin", { Result: "exit-code", ExecMainStatus: "70" })],
    false,
    /^burn-in ended without a verdict/,
  ],
  [
    "a verdict after a death",
    [run("pass", [], { ts: "2027-01-01T00:00:00Z" })],
    [unit("verify")],
    true,
    /^the bot passes/,
  ],
  [
    "a unit that failed with a verdict",
    [run("fail", ["process"], { unitInvocation: "a".repeat(32) })],
    [unit("verify", { Result: "exit-code", ExecMainStatus: "1" })],
    false,
    /^verification fails: process/,
  ],
  [
    "a unit that systemd ended, which left a record of that",
    [run("pass"), run("aborted", [], { exit: 143, unitInvocation: "a".repeat(32) })],
    [unit("verify")],
    false,
    /^verification ended without a verdict: timeout/,
  ],
  [
    "a unit that succeeded",
    [run("pass")],
    [unit("verify", { Result: "success", ExecMainStatus: "0" })],
    true,
    /^the bot passes/,
  ],
];
for (const [what, records, units, ok, title] of situations) {
  test(`situationOf() tells ${what}`, () => {
    const { situation } = situationOf(records, units, null);
    assert.ok(situation);
    assert.match(situation.title, title);
    assert.equal(situation.ok, ok);
  });
}

for (const [what, record] of [
  ["a run that a person interrupted", run("aborted", [], { exit: 130 })],
  ["a stop of the verifier", run("aborted", [], { exit: 143 })],
  [
    "a bot that a person stopped in the middle of a verification",
    run("aborted", [], { exit: EXIT.busy }),
  ],
  ["a start that a person replaced by the next", run("superseded", [], { exit: EXIT.busy })],
  ["a record of another kind", run("fail", ["process"], { kind: "drill", verdict: "done" })],
] as const) {
  test(`situationOf() changes nothing for ${what}`, () => {
    for (const before of [run("pass"), run("fail", ["process"])]) {
      const alone = situationOf([before], [], null).situation;
      assert.deepEqual(situationOf([before, record], [], null).situation, alone);
    }
    assert.equal(situationOf([record], [], null).situation, null);
  });
}

test("situationOf() tells the red flags of a tick beside the check that fails", () => {
  const red = ["down for 90 s since 2026-11-21T12:00:00.000Z: killed", "several alerts fire: a, b"];
  const { situation } = situationOf(
    [run("fail", ["process"], { kind: "burnin", exit: 30, flags: { red } })],
    [],
    null,
  );
  const text = situation?.text.join("\n") ?? "";
  for (const flag of red) assert.ok(text.includes(`red flag: ${flag}`), text);
  assert.match(text, /^process: process is bad$/m);
});

test("situationOf() ends a failure only with a pass that looked at what had failed", () => {
  const failed = run("fail", ["uptime_stability"]);
  const partial = run("pass", [], {
    findings: [finding("process", "pass"), finding("uptime_stability", "skipped")],
  });
  const absent = run("pass", [], { findings: [finding("process", "pass")] });
  for (const record of [partial, absent])
    assert.match(
      situationOf([failed, record], [], null).situation?.title ?? "",
      /fails: uptime_stability/,
    );
  assert.equal(situationOf([failed, partial, run("pass")], [], null).situation?.key, "healthy");
  const off = run("pass", [], { findings: [finding("uptime_stability", "off")] });
  assert.equal(
    situationOf([failed, off], [], null).situation?.key,
    "healthy",
    "a check that is off cannot be looked at",
  );
});

test("situationOf() keeps a failure in mind that a later, partial run did not look at", () => {
  const other = run("fail", [], { findings: [finding("memory_usage", "fail")] });
  const { situation } = situationOf([run("fail", ["connection"]), other], [], null);
  assert.deepEqual(situation?.checks, ["connection", "memory_usage"]);
});

test("situationOf() shows the findings, what a rolled-back release failed with, and the first evidence", () => {
  const bad = finding("memory_usage", "fail", {
    measured: 612,
    limit: 500,
    unit: "MB",
    says: "too much",
    evidence: ["one", "two", "three"],
  });
  const { situation } = situationOf([run("fail", [], { findings: [bad] })], [], null);
  assert.deepEqual(situation?.text.slice(0, 4), [
    "Do something.",
    "memory_usage: too much [612 MB (limit 500 MB)]",
    "  | one",
    "  | two",
  ]);
  const rolled = situationOf([rollback("pass", 0, { failed: { findings: [bad] } })], [], null);
  assert.match(rolled.situation?.text.join("\n") ?? "", /memory_usage: too much/);
});

test("situationOf() bears whatever a hand has left in the log", () => {
  const key = fc.constantFrom(
    "kind",
    "verdict",
    "findings",
    "checks",
    "exit",
    "ts",
    "failed",
    "action",
    "release",
    "hour",
    "reasons",
    "flags",
  );
  const record = fc
    .dictionary(key, fc.jsonValue())
    .filter((made) => !JSON.stringify(made).includes('"toString"'));
  fc.assert(
    fc.property(fc.array(record), (records) => void situationOf(records, [unit("verify")], null)),
  );
  assert.match(
    situationOf([{ ...decided("FAIL"), reasons: 5, flags: [null], releaseId: {} }], [], null).news
      ?.title ?? "",
    /^burn-in FAIL/,
  );
  const odd = {
    verdict: "fail",
    findings: [
      null,
      1,
      { check: 1 },
      { check: "process", status: "fail", says: 5, measured: "x", evidence: "one" },
    ],
  };
  assert.match(
    situationOf([run("fail", [], odd)], [], null).situation?.text.join("\n") ?? "",
    /process: 5 \[x\]\n {2}\| one/,
  );
});

// ---------------------------------------------------------------------------- when

test("judgeAlert() says nothing of a first pass, and nothing of the next ones", () => {
  const tell = play();
  const log = [run("pass")];
  assert.equal(tell([]), null);
  assert.equal(tell(log), null);
  for (const verdict of ["warn", "pass"]) {
    log.push(run(verdict));
    assert.equal(tell(log, { hours: 24 }), null);
  }
});

test("judgeAlert() tells a failure at once, again every 6 hours, and the recovery once", () => {
  const tell = play();
  const log = [run("pass"), run("fail", ["connection"])];
  tell(log.slice(0, 1));
  assert.deepEqual(
    [tell(log)?.change, tell(log, { hours: 5.9 }), tell(log, { hours: 0.2 })?.change],
    ["changed", null, "still"],
  );
  log.push(run("fail", ["connection"]));
  assert.deepEqual(
    [tell(log, { hours: 5 }), tell(log, { hours: 1.1 })?.title],
    [null, "still: verification fails: connection (release 1.4.2)"],
  );
  log.push(run("pass"));
  const recovery = tell(log);
  assert.equal(recovery?.title, "recovered: the bot passes (release 1.4.2)");
  assert.equal(tell(log, { hours: 48 }), null);
});

test("judgeAlert() tells a failure that is there at the very first look", () => {
  assert.equal(play()([run("pass"), run("fail", ["process"])])?.change, "changed");
});

test("judgeAlert() tells each of the states that follow a bad release, once", () => {
  const tell = play();
  const log: Record_[] = [];
  const heard = [
    run("fail", ["connection"]),
    rollback("pass", 0),
    run("pass", [], { releaseId: "1.4.1" }),
    run("fail", ["process"], { kind: "burnin" }),
    run("fail", ["process"]),
    rollback("refused", 42),
    rollback("refused", 42),
    run("fail", ["process"]),
    run("paused", [], { kind: "burnin" }),
    run("paused", [], { kind: "burnin" }),
    run("pass"),
  ].map((record) => {
    log.push(record);
    return tell(log)?.title ?? null;
  });
  assert.deepEqual(heard, [
    "verification fails: connection (release 1.4.2)",
    "rolled back from 1.4.2 to 1.4.1: connection",
    "recovered: the bot passes (release 1.4.1)",
    "burn-in fails: process (release 1.4.2)",
    null, // The same failure of the same release, seen by the verification that the tick started.
    "rollback refused: connection (release 1.4.2)",
    null,
    null,
    null, // Whoever stopped it knows.
    null,
    "recovered: the bot passes (release 1.4.2)",
  ]);
});

test("judgeAlert() tells two failures that take turns once each, however long a crash loop lasts", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  let messages = 0;
  for (let turn = 0; turn < 100; turn++) {
    log.push(run("fail", [turn % 2 ? "process" : "connection"]));
    if (tell(log, { hours: 0.01 })) messages++;
  }
  assert.equal(messages, 2);
});

test("judgeAlert() tells a death of the verifier once, and again when the next one dies after a pass", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  const units = [unit("verify")];
  assert.match(tell(log, { units })?.title ?? "", /^verification ended without a verdict: timeout/);
  assert.equal(tell(log, { units }), null);
  log.push(run("pass"));
  assert.match(tell(log, { units })?.title ?? "", /^recovered/);
  assert.equal(
    tell(log, { units }),
    null,
    "an end that was told already is no news, though systemd still shows it",
  );
  const again = [unit("verify", { InvocationID: "b".repeat(32) })];
  assert.match(tell(log, { units: again })?.title ?? "", /without a verdict/);
});

test("judgeAlert() tells what came and went between two looks together with what is now", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  log.push(
    run("fail", ["connection"]),
    rollback("pass", 0),
    run("pass", [], { releaseId: "1.4.1" }),
  );
  const message = tell(log);
  assert.equal(message?.title, "recovered: the bot passes (release 1.4.1)");
  assert.match(
    message?.text ?? "",
    /^since the last message: verification fails: connection \(release 1\.4\.2\)\nsince the last message: rolled back/,
  );
  assert.equal(tell(log), null);
});

test("rememberDeliveries() leaves a message that reached nobody due, also when the bot has recovered meanwhile", () => {
  const tell = play();
  const log = [run("fail", ["connection"])];
  assert.ok(tell(log, { reached: false }));
  assert.equal(
    tell(log, { reached: false })?.title,
    "verification fails: connection (release 1.4.2)",
  );
  log.push(run("pass"));
  assert.match(
    tell(log, { reached: false })?.text ?? "",
    /since the last message: verification fails: connection/,
  );
  const late = tell(log);
  assert.equal(late?.title, "recovered: the bot passes (release 1.4.2)");
  assert.match(late?.text ?? "", /since the last message: verification fails: connection/);
  assert.equal(tell(log), null);
});

test("situationOf() goes on from what is remembered when the log was rotated away", () => {
  const tell = play();
  assert.ok(tell([run("fail", ["uptime_stability"])]));
  assert.equal(tell([]), null);
  assert.equal(tell([], { hours: 7 })?.change, "still");
  const partial = run("pass", [], { findings: [finding("process", "pass")] });
  assert.equal(tell([partial]), null, "the failure is still open");
  assert.equal(tell([partial, run("pass")])?.change, "recovered");
});

test("no order of records, deaths, looks and failed deliveries loses a bad state", () => {
  const kinds = [
    "pass",
    "warn",
    "partial",
    "fail",
    "unknown",
    "aborted",
    "interrupted",
    "superseded",
    "paused",
    "tick",
    "rolled",
    "refused",
    "died",
  ] as const;
  const step = fc.record({
    kind: fc.constantFrom(...kinds),
    look: fc.boolean(),
    reached: fc.boolean(),
    hours: fc.constantFrom(0, 0, 1, 7),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 10 }), (steps) => {
      const tell = play();
      const log: Record_[] = [run("pass")];
      tell(log);
      const [due, heard]: [string[], string[]] = [[], []];
      let units: Record<string, string>[] = [];
      steps.forEach(({ kind, look, reached, hours }, index) => {
        const releaseId = `r${index}.`;
        const made: Record<(typeof kinds)[number], () => Record_> = {
          pass: () => run("pass"),
          warn: () => run("warn"),
          partial: () => run("pass", [], { findings: [finding("user_count", "pass")] }),
          fail: () => run("fail", ["connection"], { releaseId }),
          unknown: () => run("unknown", ["error_logs"], { releaseId }),
          aborted: () => run("aborted", [], { exit: 70, releaseId }),
          interrupted: () => run("aborted", [], { exit: 143 }),
          superseded: () => run("superseded"),
          paused: () => run("paused"),
          tick: () => run("fail", ["process"], { kind: "burnin", releaseId }),
          rolled: () => rollback("pass", 0, { from: releaseId }),
          refused: () => rollback("refused", 42, { from: releaseId }),
          died: () => run("died"),
        };
        if (kind === "died") {
          // systemd shows only the last end, so a death is seen where a look follows it.
          units = [
            unit("verify", { Result: releaseId, InvocationID: String(index).padStart(32, "0") }),
          ];
        } else log.push(made[kind]());
        if (["fail", "unknown", "aborted", "tick", "rolled", "refused", "died"].includes(kind))
          due.push(releaseId);
        if (!look && kind !== "died") return;
        const message = tell(log, { units, reached, hours });
        if (message && reached) heard.push(`${message.title}\n${message.text}`);
      });
      const last = tell(log, { units });
      if (last) heard.push(`${last.title}\n${last.text}`);
      assert.deepEqual(
        due.filter((release) => !heard.some((message) => message.includes(release))),
        [],
      );
      assert.equal(tell(log, { units }), null, "what was told is not due again");
    }),
    { numRuns: 500 },
  );
});

test("judgeAlert() does not tell a failure again because an earlier one could not be looked at meanwhile", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  const early = () =>
    run("fail", [], {
      findings: [finding("process", "fail"), finding("uptime_stability", "skipped")],
    });
  const heard = [early(), run("fail", ["uptime_stability"]), early(), early()].map((record) => {
    log.push(record);
    return tell(log)?.title ?? null;
  });
  const [first, second] = ["process", "uptime_stability"].map(
    (check) => `verification fails: ${check} (release 1.4.2)`,
  );
  assert.deepEqual(heard, [first, second, null, null]);
});

for (const [decision, ok] of [
  ["PASS", true],
  ["PARTIAL", false],
  ["FAIL", false],
] as const) {
  test(`judgeAlert() tells the decision ${decision} on a burn-in once, and no recovery after it`, () => {
    const tell = play();
    const log = [run("pass")];
    tell(log);
    log.push(
      decided(decision, {
        reasons: ["Uptime 99.95 %: one outage"],
        flags: { red: ["down for 43 s"] },
      }),
      run("pass", [], { kind: "burnin" }),
    );
    const state = situationOf(log, [], situationOf(log.slice(0, 1), [], null));
    assert.equal(state.news?.ok, ok);
    const message = tell(log);
    assert.deepEqual(
      [message?.change, message?.title],
      ["decided", `burn-in ${decision} (release 1.4.2, attempt 1)`],
    );
    assert.match(
      message?.text ?? "",
      /^What a \w+ asks for\.\nUptime 99\.95 %: one outage\nred flag: down for 43 s\n/,
    );
    log.push(run("pass"), run("pass", [], { kind: "burnin" }));
    assert.equal(tell(log), null);
    assert.equal(tell(log, { hours: 48 }), null);
    log.push(decided(decision, { burnin: "run-2", attempt: 2 }));
    assert.match(tell(log)?.title ?? "", /attempt 2/);
  });
}

test("judgeAlert() tells a decision again until it has reached somebody", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  log.push(decided("PASS"), run("pass", [], { kind: "burnin" }));
  assert.equal(tell(log, { reached: false })?.change, "decided");
  assert.equal(tell(log, { reached: false })?.change, "decided");
  assert.equal(tell(log)?.change, "decided");
  assert.equal(tell(log), null);
});

test("judgeAlert() says nothing of the checkpoints before the last", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  for (const hour of [6, 12]) log.push(decided("PARTIAL", { hour, decision: "RUNNING" }));
  assert.equal(tell(log), null);
});

test("judgeAlert() tells a decision in the message of a failure, and neither hides the other's end", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  log.push(decided("FAIL"), run("fail", ["process"], { kind: "burnin", exit: 30 }));
  const message = tell(log);
  assert.deepEqual(
    [message?.change, message?.title],
    ["changed", "burn-in fails: process (release 1.4.2)"],
  );
  assert.match(
    message?.text ?? "",
    /^since the last message: burn-in FAIL \(release 1\.4\.2, attempt 1\)\nWhat a FAIL asks for\./,
  );
  log.push(decided("FAIL", { burnin: "run-2" }));
  assert.equal(tell(log)?.change, "decided");
  assert.equal(tell(log, { hours: 5 }), null, "a decision does not make an old failure news");
  assert.equal(tell(log, { hours: 2 })?.change, "still");
  log.push(run("pass"));
  assert.equal(tell(log)?.change, "recovered");
});

test("judgeAlert() tells another kind of red flag as another state, and the same kind with other figures not again", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  const titles = [
    "12 errors in 5 min",
    "31 errors in 15 min",
    "memory grows continuously, by 61 MB/h",
    "memory grows continuously, by 62 MB/h",
  ].map((flag) => {
    log.push(run("fail", [], { kind: "burnin", exit: 30, flags: { red: [flag] } }));
    return tell(log)?.title ?? null;
  });
  assert.deepEqual(titles, [
    "burn-in fails: 12 errors in 5 min (release 1.4.2)",
    null,
    "burn-in fails: memory grows continuously, by 61 MB/h (release 1.4.2)",
    null,
  ]);
});

test("judgeAlert() takes a red flag in the words of an older version for the same state", () => {
  const tell = play();
  const log = [run("pass")];
  tell(log);
  const titles = [
    "12 errors in 5 min",
    { kind: "errors", says: "31 errors in 15 min" },
    { kind: "down", says: "down for 90 s" },
    "down for 95 s since then: killed",
  ].map((flag) => {
    log.push(run("fail", [], { kind: "burnin", exit: 30, flags: { red: [flag] } }));
    return tell(log)?.title ?? null;
  });
  assert.deepEqual(titles, [
    "burn-in fails: 12 errors in 5 min (release 1.4.2)",
    null,
    "burn-in fails: down for 90 s (release 1.4.2)",
    null,
  ]);
});

// ---------------------------------------------------------------------------- messages

const plain: Situation = {
  key: "fail|x",
  ok: false,
  title: "verification fails: connection",
  text: ["connection: not connected"],
  checks: ["connection"],
};
const memory = { v: 1 as const, news: null, told: {}, seen: "", died: [], pinged: [] };
const render = (over: Partial<Situation>, others: string[] = [], mask = maskOf([])): Message =>
  renderAlert(
    { ...memory, situation: { ...plain, ...over }, missed: Object.fromEntries(others.entries()) },
    "changed",
    { config, mask },
  );

test("renderAlert() says what is wrong, where, and how to look further", () => {
  const message = render({}, ["burn-in fails: process"]);
  assert.equal(message.title, `prod on ${hostname()}: verification fails: connection`);
  assert.equal(
    message.text,
    [
      "since the last message: burn-in fails: process",
      "connection: not connected",
      "",
      "Look further:",
      "  npx tsx verify.ts status --env prod",
      "  journalctl -n 50 -u cytube-bot.service",
    ].join("\n"),
  );
});

test("every payload stays within what its receiver takes, whatever the log holds, and ends with how to look further", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.constantFrom("`".repeat(999), "é".repeat(2000), "a b ".repeat(500), "\n".repeat(500)),
  );
  fc.assert(
    fc.property(
      text,
      fc.array(text, { maxLength: 20 }),
      fc.array(text, { maxLength: 10 }),
      (title, lines, others) => {
        const message = render({ title, text: lines }, others);
        const { content } = JSON.parse(PAYLOADS.discord(message).body ?? "") as { content: string };
        assert.ok(content.length <= 2000, `${content.length} characters`);
        assert.equal(content.split("```").length, 3, "the text cannot leave its block");
        assert.ok(Buffer.byteLength(PAYLOADS.ntfy(message).body ?? "") <= 4096);
        assert.match(
          message.text,
          /Look further:\n {2}npx tsx verify.ts status --env prod\n {2}journalctl .*$/,
        );
        assert.doesNotMatch(message.text.replaceAll("\n", ""), /\p{Cc}/u);
        assert.match(PAYLOADS.ntfy(message).headers?.title ?? "", /^[ -~]*$/);
      },
    ),
  );
});

test("PAYLOADS call nobody and format nothing", () => {
  const message = render({
    title: "health_endpoint *bold*",
    text: ["@everyone <!channel> <@1> & ```"],
  });
  const discord = JSON.parse(PAYLOADS.discord(message).body ?? "");
  assert.deepEqual(discord.allowed_mentions, { parse: [] });
  assert.match(
    discord.content,
    /^\*\*.*health\\_endpoint \\\*bold\\\*\*\*\n```\n@everyone .* '''\n/,
  );
  const slack = JSON.parse(PAYLOADS.slack(message).body ?? "");
  assert.match(slack.text, /&lt;!channel&gt; &lt;@1&gt; &amp; '''/);
});

test("PAYLOADS.ntfy raises its voice only for what is bad, and encodes a title that is not ASCII", () => {
  assert.deepEqual(
    [render({}), render({ ok: true })].map((message) => PAYLOADS.ntfy(message).headers?.priority),
    ["high", "default"],
  );
  const title = PAYLOADS.ntfy(render({ title: "#schön" })).headers?.title ?? "";
  const [, base64 = ""] = /^=\?UTF-8\?B\?(.*)\?=$/.exec(title) ?? [];
  assert.match(Buffer.from(base64, "base64").toString(), /#schön$/);
});

test("PAYLOADS.json is the message, with the keys that config/prod.yaml names", () => {
  const keys = Object.keys(JSON.parse(PAYLOADS.json(render({})).body ?? ""));
  assert.deepEqual(keys, ["title", "text", "key", "ok", "change", "env", "host"]);
});

test("renderAlert() masks secrets that a log line or a finding carries", () => {
  const url = "https://hooks.example.org/a/very-secret-path";
  const { title, text } = render(
    { title: `see ${url}`, text: ["password=hunter2hunter2", url] },
    [url],
    maskOf([url, "/a/very-secret-path"]),
  );
  assert.doesNotMatch(title + text, /very-secret|hunter2/);
});

// ---------------------------------------------------------------------------- real receivers

type Received = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };

/** A receiver that answers with what `answer` does, and keeps what came. */
async function listen(
  t: TestContext,
  answer: (received: Received, respond: Parameters<RequestListener>[1], tries: number) => void,
) {
  const received: Received[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url = "", headers } = request;
    received.push({ method, url, headers, body });
    answer(received.at(-1) as Received, response, received.length);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const quick = { triesMax: 5, timeoutMs: 300, backoffMs: 5, retryAfterSecondsMax: 60 };
const ok: Parameters<typeof listen>[1] = (_, response) => void response.end("ok");

describe("requestReceiver()", () => {
  // Its first load takes longer than these short deadlines allow.
  before(async () => void (await import("undici")));

  test("posts once where that is enough, with the account of the URL", async (t) => {
    const { received, url } = await listen(t, ok);
    const to = new URL(`${url.replace("//", "//user:p%40ss@")}/topic?x=1`);
    assert.deepEqual(await requestReceiver(to, { headers: { title: "T" }, body: "text" }, quick), {
      ok: true,
      tries: 1,
      problem: null,
    });
    const [{ method, url: path, headers, body } = {} as Received] = received;
    assert.deepEqual([method, path, headers.title, body], ["POST", "/topic?x=1", "T", "text"]);
    assert.equal(headers.authorization, `Basic ${Buffer.from("user:p@ss").toString("base64")}`);
  });

  test("tries again after 500", async (t) => {
    const { url, received } = await listen(
      t,
      (_, response, tries) => void response.writeHead(tries < 3 ? 500 : 204).end(),
    );
    assert.deepEqual(await requestReceiver(new URL(url), { body: "text" }, quick), {
      ok: true,
      tries: 3,
      problem: null,
    });
    assert.equal(received.length, 3);
  });

  test("gives up after 5 tries, and says what the last one met", async (t) => {
    const { url } = await listen(t, (_, response) => void response.writeHead(503).end());
    assert.deepEqual(await requestReceiver(new URL(url), { body: "text" }, quick), {
      ok: false,
      tries: 5,
      problem: "HTTP 503",
    });
  });

  test("waits after 429 for as long as it is asked to, within a bound", async (t) => {
    const { url } = await listen(
      t,
      (_, response, tries) =>
        void response.writeHead(tries < 2 ? 429 : 200, { "retry-after": "0.4" }).end(),
    );
    const begun = performance.now();
    assert.equal((await requestReceiver(new URL(url), { body: "text" }, quick)).tries, 2);
    assert.ok(performance.now() - begun >= 395);
    const endless = await listen(
      t,
      (_, response, tries) =>
        void response.writeHead(tries < 2 ? 429 : 200, { "retry-after": "86400" }).end(),
    );
    assert.equal(
      (
        await requestReceiver(
          new URL(endless.url),
          { body: "text" },
          { ...quick, retryAfterSecondsMax: 0.1 },
        )
      ).tries,
      2,
    );
  });

  for (const status of [400, 401, 404, 410])
    test(`does not try again after ${status}`, async (t) => {
      const { url } = await listen(t, (_, response) => void response.writeHead(status).end());
      assert.deepEqual(await requestReceiver(new URL(url), { body: "text" }, quick), {
        ok: false,
        tries: 1,
        problem: `HTTP ${status}`,
      });
    });

  test("follows no redirect", async (t) => {
    const other = await listen(t, ok);
    const { url } = await listen(
      t,
      (_, response) => void response.writeHead(302, { location: other.url }).end(),
    );
    assert.deepEqual(await requestReceiver(new URL(url), { body: "text" }, quick), {
      ok: false,
      tries: 1,
      problem: "HTTP 302",
    });
    assert.equal(other.received.length, 0);
  });

  test("tries again where nothing listens", async () => {
    const url = new URL(`http://127.0.0.1:${await findFreePort()}`);
    assert.deepEqual(await requestReceiver(url, { body: "text" }, quick), {
      ok: false,
      tries: 5,
      problem: "connection refused: nothing listens there",
    });
  });

  test("waits for no receiver that hangs before its answer", async (t) => {
    const { url } = await listen(t, () => {});
    const {
      ok: told,
      tries,
      problem,
    } = await requestReceiver(new URL(url), { body: "text" }, { ...quick, triesMax: 2 });
    assert.deepEqual([told, tries], [false, 2]);
    assert.match(problem ?? "", /timeout/);
  });

  test("takes the status of a receiver that hangs in its answer, and does not send twice", async (t) => {
    const { url, received } = await listen(
      t,
      (_, response) => void response.writeHead(200, { "content-length": "9" }).write("half"),
    );
    assert.equal((await requestReceiver(new URL(url), { body: "text" }, quick)).ok, true);
    assert.equal(received.length, 1);
  });
});

// ---------------------------------------------------------------------------- dead-man pings

const inv = "0123456789abcdef0123456789abcdef";
const rid = "01234567-89ab-cdef-0123-456789abcdef";

test("pingsOf() says how the newest run ended, and that a verification runs", () => {
  assert.deepEqual(pingsOf([], []), []);
  assert.deepEqual(pingsOf([run("fail"), run("pass", [], { run: uuid })], []), [`?rid=${uuid}`]);
  assert.deepEqual(pingsOf([run("unknown", [], { unitInvocation: inv })], []), [
    `/fail?rid=${rid}`,
  ]);
  assert.deepEqual(
    pingsOf([run("paused", [], { kind: "burnin", run: uuid }), rollback("refused", 42)], []),
    [`?rid=${uuid}`],
  );
  assert.deepEqual(
    pingsOf([run("pass", [], { run: uuid }), run("aborted", [], { exit: 143 })], []),
    [`?rid=${uuid}`],
  );
  assert.deepEqual(
    pingsOf([run("pass")], [unit("verify", { InvocationID: inv })]),
    [`/fail?rid=${rid}`],
    "a verifier that died has failed",
  );
  const running = unit("verify", { ActiveState: "active", Result: "success", InvocationID: inv });
  assert.deepEqual(pingsOf([run("pass", [], { run: uuid })], [running]), [
    `?rid=${uuid}`,
    `/start?rid=${rid}`,
  ]);
});

// ---------------------------------------------------------------------------- the command

/**
 * A directory with a config, a log, and a systemctl that shows what `units` says; nothing of the
 * machine's own.
 */
function scene(settings: Settings) {
  const dir = createDirectory();
  mkdirSync(join(dir, "bin"));
  mkdirSync(join(dir, "state"));
  const file = writeConfig(dir, 1, { state: { directory: "state" }, ...settings });
  const log = join(dir, "verify.jsonl");
  writeFileSync(join(dir, "units"), "");
  const script = `#!/bin/sh\ncase "$*" in\n  "show --property="*"cytube-verify@prod.service"*) cat "${dir}/units" ;;\n  *) exit 64 ;;\nesac\n`;
  writeFileSync(join(dir, "bin/systemctl"), script);
  chmodSync(join(dir, "bin/systemctl"), 0o755);
  return {
    dir,
    log,
    state: join(dir, "state/prod.alert.json"),
    add: (...records: Record_[]) => {
      for (const record of records) writeRecord(log, JSON.stringify(record));
    },
    showUnit: (properties: Record<string, string>) =>
      writeFileSync(
        join(dir, "units"),
        Object.entries({ Id: "cytube-verify@prod.service", ...properties })
          .map((pair) => `${pair.join("=")}\n`)
          .join(""),
      ),
    alert: (env: Record<string, string> = {}, ...flags: string[]) =>
      runVerify(["alert", "--env", "prod", "--config", file, ...flags], {
        env: { PATH: `${join(dir, "bin")}:${process.env.PATH}`, ...env },
      }),
  };
}

const json = { sinks: [{ kind: "json", urlFrom: "hook" }] };
const secret = "/T0PS3CR3T/hook-4711-abcdef";

test("alert sends one message for a change, writes it down, and is quiet the next time", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, log, state } = scene({ alert: json });
  add(run("pass"), run("fail", ["connection"]));
  const first = await alert({ hook: url + secret });
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout + first.stderr, "");
  assert.equal(received.length, 1);
  const { title, ok: good, change } = JSON.parse(received[0]?.body ?? "");
  assert.deepEqual(
    [title, good, change],
    [`prod on ${hostname()}: verification fails: connection (release 1.4.2)`, false, "changed"],
  );
  const record = readRecords(log).at(-1);
  assert.deepEqual(
    [record?.kind, record?.exit, record?.sinks],
    ["alert", 0, [{ kind: "json", ok: true, tries: 1, problem: null }]],
  );
  assert.equal((await alert({ hook: url + secret })).code, 0);
  assert.equal(received.length, 1);
  assert.equal(readRecords(log).length, 3, "a run that has nothing to say leaves no record");
  add(run("pass"));
  await alert({ hook: url + secret });
  assert.match(received[1]?.body ?? "", /recovered: the bot passes/);
  assert.equal((JSON.parse(readFileSync(state, "utf8")) as AlertState).situation?.key, "healthy");
});

test("alert reads a URL from the credentials directory first, then from the environment", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, dir } = scene({ alert: json });
  add(run("fail", ["process"]));
  mkdirSync(join(dir, "credentials"));
  writeFileSync(join(dir, "credentials/hook"), `${url}/from-the-directory\n`);
  const { code } = await alert({
    CREDENTIALS_DIRECTORY: join(dir, "credentials"),
    hook: `${url}/from-the-environment`,
  });
  assert.deepEqual([code, received.map((each) => each.url)], [0, ["/from-the-directory"]]);
});

test("alert never shows a URL: not when it fails, not when the log quotes it, not in what it keeps", async (t) => {
  const { received, url } = await listen(t, (_, response) => void response.writeHead(404).end());
  const good = await listen(t, ok);
  const { add, alert, log, state } = scene({
    alert: { sinks: [...json.sinks, { kind: "slack", urlFrom: "other" }], ping: { urlFrom: "hc" } },
  });
  const text = `POST ${url}${secret} answered; path ${secret}`;
  add(
    run("fail", [], {
      findings: [finding("connection", "fail", { says: text, evidence: [text] })],
    }),
  );
  const { code, stdout, stderr } = await alert({
    hook: url + secret,
    other: `${good.url}${secret}2`,
    hc: `${url}${secret}3`,
  });
  assert.equal(code, EXIT.undelivered, "the ping did not arrive");
  assert.match(stderr, /json was not told: HTTP 404 \(tried 1 time\)/);
  assert.equal(received.length, 2);
  const record = JSON.stringify(readRecords(log).at(-1));
  const body = good.received[0]?.body ?? "";
  assert.match(body, /answered/);
  for (const said of [stdout, stderr, record, body]) assert.doesNotMatch(said, /T0PS3CR3T/);
  assert.match(record, /"kind":"slack","ok":true/);
  assert.ok(existsSync(state));
});

test("alert exits 69 when a message reached nobody, and sends it at the next run", async (t) => {
  let status = 404;
  const { received, url } = await listen(t, (_, response) => void response.writeHead(status).end());
  const { add, alert, log } = scene({ alert: json });
  add(run("fail", ["process"]));
  assert.equal((await alert({ hook: url })).code, EXIT.undelivered);
  assert.deepEqual(readRecords(log).at(-1)?.exit, EXIT.undelivered);
  status = 200;
  assert.equal((await alert({ hook: url })).code, 0);
  assert.equal((await alert({ hook: url })).code, 0);
  assert.equal(received.length, 2);
});

test("alert names both places of a URL that is missing, exits 78, and tells those that it can", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, dir } = scene({
    alert: { sinks: [...json.sinks, { kind: "ntfy", urlFrom: "gone" }] },
  });
  add(run("fail", ["process"]));
  const { code, stderr } = await alert({ hook: url, CREDENTIALS_DIRECTORY: dir });
  assert.equal(code, EXIT.config);
  assert.match(
    stderr,
    /no URL for urlFrom: gone, neither in ".*\/gone" nor in the environment variable "gone"/,
  );
  assert.equal(received.length, 1);
  const bad = await alert({ hook: url, gone: `ftp:${secret}` });
  assert.match(bad.stderr, /urlFrom: gone is not an http:\/\/ or https:\/\/ URL/);
  assert.doesNotMatch(bad.stderr, /T0PS3CR3T/);
});

test("alert says so when nobody is to be told, exits 0, and remembers nothing", async () => {
  for (const settings of [{}, { alert: { sinks: [] } }]) {
    const { add, alert, state } = scene(settings);
    add(run("fail", ["process"]));
    const { code, stderr } = await alert();
    assert.deepEqual([code, existsSync(state)], [0, false]);
    assert.match(stderr, /Nobody is told: .*verify\.yaml has no alert\.sinks/);
  }
});

test("alert --dry-run prints the message that is due, and touches nothing", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, state } = scene({ alert: { ...json, ping: { urlFrom: "hook" } } });
  add(run("fail", ["process"]));
  const { code, stdout } = await alert({ hook: url }, "--dry-run");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^prod on .*: verification fails: process \(release 1\.4\.2\)\nDo something\.\nprocess: process is bad\n/,
  );
  assert.deepEqual([received.length, existsSync(state)], [0, false]);
});

test("alert looks again after a delivery, because its trigger may have come meanwhile", async (t) => {
  const { add, alert, log } = scene({ alert: json });
  const { received, url } = await listen(t, (_, response, tries) => {
    if (tries === 1) add(run("pass"));
    response.end();
  });
  add(run("fail", ["process"]));
  assert.equal((await alert({ hook: url })).code, 0);
  assert.deepEqual(
    received.map(({ body }) => (JSON.parse(body) as Message).change),
    ["changed", "recovered"],
  );
  assert.equal(readRecords(log).length, 4);
});

test("alert ends after a bounded number of looks", async (t) => {
  const { add, alert } = scene({ alert: json });
  const { received, url } = await listen(t, (_, response, tries) => {
    add(run(tries % 2 ? "pass" : "fail", tries % 2 ? [] : ["process"]));
    response.end();
  });
  add(run("fail", ["process"]));
  assert.equal((await alert({ hook: url })).code, 0);
  assert.equal(received.length, 5);
});

test("alert hears of a verifier that died from its unit", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, showUnit } = scene({ alert: json });
  add(run("pass"));
  await alert({ hook: url });
  const now = String(process.hrtime.bigint() / 1000n);
  showUnit({
    Result: "watchdog",
    InvocationID: inv,
    ExecMainStatus: "6",
    ActiveState: "failed",
    InactiveEnterTimestampMonotonic: now,
  });
  assert.equal((await alert({ hook: url })).code, 0);
  assert.match(received[0]?.body ?? "", /verification ended without a verdict: watchdog, status 6/);
  add(run("pass", [], { ts: new Date(Date.now() + 1000).toISOString() }));
  await alert({ hook: url });
  assert.match(received[1]?.body ?? "", /recovered/);
});

test("alert goes by the log alone where there is no systemd, and says so", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, dir } = scene({ alert: json });
  writeFileSync(
    join(dir, "bin/systemctl"),
    "#!/bin/sh\necho System has not been booted with systemd >&2\nexit 1\n",
  );
  add(run("fail", ["process"]));
  const { code, stderr } = await alert({ hook: url });
  assert.equal(code, 0);
  assert.match(
    stderr,
    /only the log: systemctl exited 1 \(System has not been booted with systemd\)/,
  );
  assert.equal(received.length, 1);
});

test("alert runs a command with the message on its standard input and the title beside it", async () => {
  const { add, alert, dir, log } = scene({
    alert: {
      sinks: [
        {
          kind: "command",
          command: [
            "/bin/sh",
            "-c",
            'cat > "$0/page"; echo "$CYTUBE_VERIFY_TITLE" >> "$0/page"',
            "DIR",
          ],
        },
      ],
    },
  });
  const file = join(dir, "verify.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace(/\bDIR\b/, dir));
  add(run("fail", ["process"]));
  const { code, stderr } = await alert();
  assert.equal(code, 0, stderr);
  assert.match(
    readFileSync(join(dir, "page"), "utf8"),
    /^Do something\.\nprocess: process is bad\n[\s\S]*\n {2}npx tsx verify\.ts status --env prod\nprod on .*: verification fails: process \(release 1\.4\.2\)\n$/,
  );
  assert.equal(readRecords(log).length, 2);
});

for (const [what, command, problem] of [
  [
    "fails",
    ["/bin/sh", "-c", "echo no carrier >&2; exit 3"],
    /command was not told: \/bin\/sh exited 3: no carrier/,
  ],
  [
    "does not exist",
    ["/nonexistent/page"],
    /command was not told: \/nonexistent\/page cannot be run/,
  ],
] as const)
  test(`alert reports a command that ${what}`, async () => {
    const { add, alert } = scene({ alert: { sinks: [{ kind: "command", command }] } });
    add(run("fail", ["process"]));
    const { code, stderr } = await alert();
    assert.equal(code, EXIT.undelivered);
    assert.match(stderr, problem);
  });

test("alert does not mind a command that reads nothing of a long message", async () => {
  const { add, alert } = scene({ alert: { sinks: [{ kind: "command", command: ["true"] }] } });
  add(run("fail", [], { findings: [finding("process", "fail", { says: "word ".repeat(5000) })] }));
  const { code, stderr } = await alert();
  assert.deepEqual([code, stderr], [0, ""]);
});

test("alert pings each start and each end once", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, showUnit, log } = scene({ alert: { ping: { urlFrom: "hc" } } });
  const heard = () => received.splice(0).map(({ method, url: path }) => `${method} ${path}`);
  showUnit({
    Result: "success",
    InvocationID: inv,
    ActiveState: "active",
    InactiveEnterTimestampMonotonic: "0",
  });
  for (let look = 0; look < 2; look++) assert.equal((await alert({ hc: `${url}/uuid/` })).code, 0);
  assert.deepEqual(heard(), [`GET /uuid/start?rid=${rid}`]);
  showUnit({
    Result: "success",
    InvocationID: inv,
    ActiveState: "inactive",
    InactiveEnterTimestampMonotonic: "1",
  });
  add(run("pass", [], { unitInvocation: inv }));
  for (let look = 0; look < 2; look++) await alert({ hc: `${url}/uuid?create=1` });
  assert.deepEqual(heard(), [`GET /uuid?create=1&rid=${rid}`]);
  add(run("fail", ["process"], { kind: "burnin", run: uuid }));
  await alert({ hc: `${url}/uuid` });
  assert.deepEqual(heard(), [`GET /uuid/fail?rid=${uuid}`]);
  assert.equal(readRecords(log).length, 2, "pings that arrive leave no record");
});

test("alert tells what is due although its memory is damaged, and mends it", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, state } = scene({ alert: json });
  add(run("fail", ["process"]));
  for (const text of ["", "{", "[]", '{"v":2}', "null"]) {
    writeFileSync(state, text);
    assert.equal((await alert({ hook: url })).code, 0);
    assert.equal(received.splice(0).length, 1, text);
  }
});

test("alert says when it cannot remember, and exits 73", async (t) => {
  const { received, url } = await listen(t, ok);
  const { add, alert, state } = scene({ alert: json });
  add(run("fail", ["process"]));
  mkdirSync(state);
  const { code, stderr } = await alert({ hook: url });
  assert.deepEqual([code, received.length], [EXIT.logNotWritten, 1]);
  assert.match(stderr, /may be told again/);
});

// ---------------------------------------------------------------------------- the config

for (const [what, alert, complaint] of [
  ["a webhook", json, null],
  ["a command", { sinks: [{ kind: "command", command: ["/bin/page"] }] }, null],
  ["a ping and a pause", { ping: { urlFrom: "HC_URL" }, repeatHours: 1 }, null],
  [
    "a URL in the open",
    { sinks: [{ kind: "slack", urlFrom: "https://hooks.slack.com/services/T/B/x" }] },
    /alert\.sinks\.0\.urlFrom: expected the name of a/,
  ],
  [
    "a way out of the directory",
    { ping: { urlFrom: "../passwd" } },
    /alert\.ping\.urlFrom: expected the name/,
  ],
  [
    "a webhook without a URL",
    { sinks: [{ kind: "json" }] },
    /alert\.sinks\.0: kind json needs urlFrom, and nothing else$/,
  ],
  [
    "a command with a URL",
    { sinks: [{ kind: "command", urlFrom: "a" }] },
    /alert\.sinks\.0: kind command needs command, and nothing else$/,
  ],
  [
    "an unknown kind",
    { sinks: [{ kind: "pager", urlFrom: "a" }] },
    /alert\.sinks\.0\.kind: expected .*discord/,
  ],
  [
    "an unknown key of a sink",
    { sinks: [json.sinks[0], { kind: "json", urlfrom: "a" }] },
    /alert\.sinks\.1\.urlfrom: unknown key; did you mean "urlFrom"\?$/,
  ],
  ["no pause at all", { repeatHours: 0 }, /alert\.repeatHours: expected/],
] as [string, Settings, RegExp | null][])
  test(`parseConfig() ${complaint ? "refuses" : "accepts"} ${what} for alerts`, () => {
    const parse = () =>
      parseConfig(
        {
          text: JSON.stringify(merge(defaultConfig(1), { alert })),
          file: "site.yaml",
          name: "prod",
        },
        RULES,
      );
    if (complaint === null) parse();
    else
      assert.throws(parse, (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, complaint);
        assert.doesNotMatch(error.message, /hooks\.slack\.com/);
        return true;
      });
  });
