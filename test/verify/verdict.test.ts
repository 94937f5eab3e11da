/** The verdict: a pure fold of findings into a status, an exit code and a recommended action. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHECK_ADVICE } from "../../lib/advice.ts";
import {
  CHECK_CODES,
  CHECK_NAMES,
  type CheckName,
  type Environment,
  EXIT,
  type Finding,
  STATUSES,
  type Status,
} from "../../lib/vocabulary.ts";
import { judgeVerdict, PRIORITY } from "../../verify.ts";

function findingOf(check: CheckName, status: Status): Finding {
  return {
    check,
    status,
    phase: "final",
    measured: null,
    limit: null,
    unit: null,
    says: `${check} is ${status}`,
    evidence: [],
    hint: null,
    parts: [],
  };
}

const findingsOf = (statuses: Partial<Record<CheckName, Status>>): Finding[] =>
  CHECK_NAMES.map((name) => findingOf(name, statuses[name] ?? "pass"));

const priority: readonly CheckName[] = [
  "process",
  "connection",
  "database",
  "health_endpoint",
  "response_time",
  "user_count",
  "memory_usage",
  "error_logs",
  "configuration",
  "uptime_stability",
  "release",
];

const anyFindings = fc
  .tuple(...CHECK_NAMES.map(() => fc.constantFrom<Status | null>(...STATUSES, null)))
  .map((statuses) =>
    CHECK_NAMES.flatMap((name, index) => {
      const status = statuses[index] as Status | null;
      return status === null ? [] : [findingOf(name, status)];
    }),
  );
const anyEnvironment = fc.constantFrom<Environment>("test", "prod");
const isJudged = (finding: Finding): boolean =>
  ["pass", "warn", "fail", "unknown"].includes(finding.status);

test("CHECK_CODES are the seed's, and each is used once", () => {
  assert.deepEqual(
    { ...CHECK_CODES },
    {
      process: 1,
      connection: 2,
      database: 3,
      response_time: 5,
      health_endpoint: 6,
      user_count: 7,
      memory_usage: 8,
      error_logs: 9,
      configuration: 10,
      uptime_stability: 11,
      release: 19,
    },
  );
  const all = [...Object.values(CHECK_CODES), ...Object.values(EXIT)];
  assert.equal(new Set(all).size, all.length);
});

test("PRIORITY is the seed's list, then the codes in their order", () =>
  assert.deepEqual(PRIORITY, priority));

test("judgeVerdict() passes what passes, and exits 0", () => {
  for (const environment of ["test", "prod"] as const) {
    const verdict = judgeVerdict(findingsOf({}), environment, null);
    assert.deepEqual([verdict.verdict, verdict.exit], ["pass", 0]);
  }
});

for (const name of CHECK_NAMES) {
  test(`judgeVerdict() exits ${CHECK_CODES[name]} when only ${name} fails, and recommends something`, () => {
    for (const environment of ["test", "prod"] as const) {
      const verdict = judgeVerdict(findingsOf({ [name]: "fail" }), environment, null);
      assert.deepEqual([verdict.verdict, verdict.exit], ["fail", CHECK_CODES[name]]);
      assert.match(verdict.action, /^[A-Z].{15,}\.$/);
      assert.notEqual(verdict.action, "Look at the findings.");
    }
  });

  test(`judgeVerdict() exits ${CHECK_CODES[name]} when only ${name} is unknown in prod, and warns in test`, () => {
    const prod = judgeVerdict(findingsOf({ [name]: "unknown" }), "prod", null);
    assert.deepEqual([prod.verdict, prod.exit], ["unknown", CHECK_CODES[name]]);
    assert.match(prod.action, new RegExp(`\\b${name}\\b.*Do not roll back`));
    const relaxed = judgeVerdict(findingsOf({ [name]: "unknown" }), "test", null);
    assert.deepEqual([relaxed.verdict, relaxed.exit], ["warn", 0]);
  });
}

test("judgeVerdict() decides by priority between any two failures, and between any two unknowns", () => {
  for (const [index, first] of priority.entries()) {
    for (const second of priority.slice(index + 1)) {
      const failing = judgeVerdict(findingsOf({ [first]: "fail", [second]: "fail" }), "prod", null);
      const expected = second === "uptime_stability" ? second : first;
      assert.equal(failing.exit, CHECK_CODES[expected], `${first} and ${second} fail`);
      assert.equal(
        judgeVerdict(findingsOf({ [first]: "unknown", [second]: "unknown" }), "prod", null).exit,
        CHECK_CODES[first],
        `${first} and ${second} are unknown`,
      );
    }
  }
});

test("judgeVerdict() exits 11 for what the watch saw fail, whatever else fails", () => {
  fc.assert(
    fc.property(anyFindings, anyEnvironment, (findings, environment) => {
      const rest = findings.filter((finding) => finding.check !== "uptime_stability");
      const verdict = judgeVerdict(
        [...rest, findingOf("uptime_stability", "fail")],
        environment,
        null,
      );
      assert.deepEqual([verdict.verdict, verdict.exit], ["fail", 11]);
    }),
  );
});

test("judgeVerdict() lets a measured failure beat any unknown", () => {
  fc.assert(
    fc.property(
      anyFindings,
      anyEnvironment,
      fc.constantFrom(...CHECK_NAMES),
      fc.constantFrom("deadline" as const, null),
      (findings, environment, failing, interruption) => {
        const rest = findings
          .filter((finding) => finding.check !== failing)
          .map((finding) =>
            finding.status === "fail" ? { ...finding, status: "unknown" as const } : finding,
          );
        const verdict = judgeVerdict(
          [...rest, findingOf(failing, "fail")],
          environment,
          interruption,
        );
        assert.deepEqual([verdict.verdict, verdict.exit], ["fail", CHECK_CODES[failing]]);
      },
    ),
  );
});

test("judgeVerdict() is not changed by one more pass", () => {
  fc.assert(
    fc.property(
      anyFindings,
      anyEnvironment,
      fc.constantFrom(...CHECK_NAMES),
      (findings, environment, name) => {
        const rest = findings.filter((finding) => finding.check !== name);
        // Where nothing at all was seen there is no verdict yet that a pass could leave as it is.
        fc.pre(rest.some(({ status }) => ["pass", "warn", "fail"].includes(status)));
        assert.equal(
          judgeVerdict([...rest, findingOf(name, "pass")], environment, null).exit,
          judgeVerdict(rest, environment, null).exit,
        );
      },
    ),
  );
});

test("judgeVerdict() is not changed by what is off or skipped, nor by the order", () => {
  fc.assert(
    fc.property(anyFindings, anyEnvironment, (findings, environment) => {
      const verdict = judgeVerdict(findings, environment, null);
      assert.deepEqual(judgeVerdict(findings.filter(isJudged), environment, null), verdict);
      assert.deepEqual(judgeVerdict([...findings].reverse(), environment, null), verdict);
    }),
  );
});

test("judgeVerdict() never gets better by a worse finding", () => {
  fc.assert(
    fc.property(
      anyFindings,
      fc.constantFrom(...CHECK_NAMES),
      fc.constantFrom<Status>("warn", "unknown", "fail"),
      (findings, name, worse) => {
        const with_ = (status: Status): number => {
          const rest = findings.filter((finding) => finding.check !== name);
          const { verdict } = judgeVerdict([...rest, findingOf(name, status)], "prod", null);
          return ["fail", "unknown", "warn", "pass"].indexOf(verdict);
        };
        assert.ok(with_(worse) <= with_("pass"));
      },
    ),
  );
});

test("judgeVerdict() exits 0 exactly when it passes or warns, in prod", () => {
  fc.assert(
    fc.property(anyFindings, (findings) => {
      const { verdict, exit } = judgeVerdict(findings, "prod", null);
      assert.equal(exit === 0, verdict === "pass" || verdict === "warn");
      if (verdict === "pass") assert.ok(findings.some((finding) => finding.status === "pass"));
      if (findings.some((finding) => finding.status === "unknown")) assert.notEqual(exit, 0);
    }),
  );
});

test("judgeVerdict() exits 0 for a warning, and says so", () => {
  assert.deepEqual(judgeVerdict(findingsOf({ response_time: "warn" }), "prod", null), {
    verdict: "warn",
    exit: 0,
    action: "Passed; read the warnings.",
  });
});

test("judgeVerdict() exits 124 when the deadline came first and nothing was measured to be wrong", () => {
  const late = judgeVerdict(findingsOf({ database: "unknown" }), "prod", "deadline");
  assert.deepEqual([late.verdict, late.exit], ["unknown", 124]);
  assert.equal(judgeVerdict(findingsOf({ database: "fail" }), "prod", "deadline").exit, 3);
  assert.equal(judgeVerdict([], "prod", "deadline").exit, 124);
});

test("judgeVerdict() takes nothing at all for no pass", () => {
  for (const findings of [
    [],
    findingsOf(Object.fromEntries(CHECK_NAMES.map((name) => [name, "off"]))),
    findingsOf(Object.fromEntries(CHECK_NAMES.map((name) => [name, "skipped"]))),
  ]) {
    assert.notEqual(judgeVerdict(findings, "prod", null).exit, 0);
    assert.notEqual(judgeVerdict(findings, "test", null).verdict, "pass");
  }
});

test("CHECK_ADVICE has a hint and an action for every check", () => {
  const checks = CHECK_ADVICE;
  assert.deepEqual(Object.keys(checks).sort(), [...CHECK_NAMES].sort());
  for (const check of CHECK_NAMES)
    assert.ok(
      Object.values(checks[check]).every((words) => words.length > 3),
      check,
    );
});
