/**
 * Releases and rollback: what is remembered, what is decided from it, and that a switch cut short
 * at any moment leaves a whole release.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Config, readConfig } from "../../lib/config.ts";
import { writeAtomically } from "../../lib/files.ts";
import { readRecords } from "../../lib/log.ts";
import { planRollback, type Release, readReleases } from "../../lib/releases/plan.ts";
import { errorsAreNew, judgeRollback } from "../../lib/releases/request.ts";
import {
  emptyState,
  foldRecord,
  type ReleaseState,
  type RollbackRecord,
  type RollbackRequest,
} from "../../lib/releases/state.ts";
import { readState } from "../../lib/releases/state-file.ts";
import type { Result } from "../../lib/run.ts";
import {
  CHECK_NAMES,
  type CheckName,
  type Finding,
  type Part,
  type Status,
  VERSION,
} from "../../lib/vocabulary.ts";
import { RULES } from "../../verify.ts";
import {
  createDirectory,
  merge,
  projectDirectory,
  type RunOptions,
  runVerify,
  type Settings,
  writeConfig,
} from "../support/harness.ts";

// ---------------------------------------------------------------------------- records and scenes

const minute = (count: number): number => Date.UTC(2026, 10, 22) + count * 60_000;
const stamp = (count: number): string => new Date(minute(count)).toISOString();

function findingOf(check: CheckName, status: Status, over: Partial<Finding> = {}): Finding {
  const says = `${check} is ${status}`;
  return {
    check,
    status,
    phase: "final",
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

const startedBot = (pid: number) => ({
  pid,
  startTicks: 900,
  startedAt: stamp(0),
  bootId: "boot",
  invocation: null,
  version: "1.4.2",
});

/** The record of a verification of the release. */
function verified(releaseId: string | null, over: Partial<Result> = {}): Result {
  return {
    v: 1,
    kind: "verify",
    ts: stamp(0),
    run: "run-1",
    env: "prod",
    host: "bot-host",
    user: "cytube-verify",
    verifier: VERSION,
    config: "/etc/cytube-verify/prod.yaml",
    identity: startedBot(4711),
    releaseId,
    unitInvocation: null,
    whole: true,
    burnin: null,
    account: null,
    place: null,
    flags: null,
    verdict: "pass",
    exit: 0,
    action: "None.",
    ms: 1000,
    findings: [],
    metrics: {},
    series: null,
    schema: null,
    notes: [],
    ...over,
  };
}

const failing = (
  releaseId: string | null,
  checks: CheckName[],
  over: Partial<Result> = {},
): Result =>
  verified(releaseId, {
    verdict: "fail",
    exit: 1,
    findings: checks.map((check) => findingOf(check, "fail")),
    ...over,
  });

/** The record of a rollback away from `from`. */
function rolledBack(from: string | null, over: Partial<RollbackRecord> = {}): RollbackRecord {
  const about = {
    v: 1 as const,
    kind: "rollback" as const,
    ts: stamp(0),
    run: "rollback-1",
    env: "prod",
    host: "bot-host",
    user: "cytube-verify",
    verifier: VERSION,
  };
  const outcome = { verdict: "pass" as const, exit: 0, action: "Rolled back." };
  return {
    ...about,
    unitInvocation: null,
    by: "verdict",
    of: "run-1",
    from,
    to: "r1",
    checks: ["process"],
    lifted: false,
    ...outcome,
    ...over,
  };
}

const fold = (...records: (Result | RollbackRecord)[]): ReleaseState =>
  records.reduce(foldRecord, emptyState());

const onHost: Settings = {
  release: { directory: "releases" },
  rollback: { auto: true },
  state: { directory: "state", flags: "flags" },
};

/** A directory with a config, and without a bot. */
function scene(over: Settings = {}): { directory: string; config: Config } {
  const directory = createDirectory();
  for (const name of ["releases", "state", "flags"]) mkdirSync(join(directory, name));
  return {
    directory,
    config: readConfig("prod", writeConfig(directory, 9, merge(onHost, over)), RULES),
  };
}

/** A release that its deployer finished so many minutes after midnight, or has not finished. */
function deploy(directory: string, id: string, completeAt: number | null): void {
  const home = join(directory, "releases", id);
  mkdirSync(home, { recursive: true });
  if (completeAt === null) return;
  writeFileSync(join(home, ".complete"), "");
  utimesSync(join(home, ".complete"), minute(completeAt) / 1000, minute(completeAt) / 1000);
}

function point(directory: string, target: string): void {
  rmSync(join(directory, "current"), { force: true });
  symlinkSync(target, join(directory, "current"));
}

// ---------------------------------------------------------------------------- foldRecord()

test("foldRecord() remembers the release that passed, by which run, with which version and schema", () => {
  const state = fold(verified("r1", { ts: stamp(5), run: "run-5", schema: "5e" }));
  assert.deepEqual(state, {
    ...emptyState(),
    passed: { r1: { at: stamp(5), run: "run-5", version: "1.4.2", schema: "5e" } },
    metrics: {
      exit: 0,
      ms: 1000,
      at: minute(5),
      success: true,
      statuses: {},
      failures: {},
      successAt: minute(5),
    },
    last: {
      start: "boot/4711/900",
      releaseId: "r1",
      at: stamp(5),
      by: "cytube-verify",
      run: "run-5",
      verdict: "pass",
      exit: 0,
    },
  });
});

test("foldRecord() passes over what a hand has left in place of a burn-in's account", () => {
  const place = {
    age: 0,
    at: stamp(0),
    bootId: "boot",
    upSeconds: 0,
    start: "boot/4711/900",
    cursor: null,
    files: {},
  };
  const begun = fold(
    verified("r1", {
      place: { ...place, down: null, stopping: null, offline: null, joining: null, links: 0 },
    }),
  );
  assert.equal(begun.burnin?.id, "run-1", "the burn-in has begun");
  for (const account of [
    { burnin: "run-1" },
    { burnin: "run-1", from: "x", to: 5, at: stamp(1), outages: [], restarts: [], unseen: [] },
    5,
  ]) {
    const foreign = {
      ...verified("r2", { kind: "burnin", run: "run-2" }),
      identity: undefined,
      account,
    } as unknown as Result;
    assert.deepEqual(foldRecord(begun, foreign), begun, JSON.stringify(account));
  }
});

test("foldRecord() ends a burn-in with the start of another release, and without one goes on with it", () => {
  const place = (start: string): Result["place"] => {
    const moment = { age: 0, at: stamp(0), bootId: "boot", upSeconds: 0 };
    return {
      ...moment,
      start,
      cursor: null,
      files: {},
      down: null,
      stopping: null,
      offline: null,
      joining: null,
      links: 0,
    };
  };
  const begun = fold(verified("r1", { place: place("boot/4711/900") }));
  assert.deepEqual(
    [begun.burnin?.id, begun.burnin?.releaseId, begun.burnin?.attempt],
    ["run-1", "r1", 1],
  );
  const next = startedBot(4712);
  const tick = (over: Partial<Result>): Result =>
    verified("r2", { kind: "burnin", whole: false, ts: stamp(15), run: "run-2", ...over });
  assert.equal(foldRecord(begun, tick({ identity: next })).burnin, null);
  assert.equal(
    foldRecord(begun, tick({ identity: next, kind: "verify", verdict: "fail", exit: 1 })).burnin,
    null,
  );
  // `current` has been switched, and the old release still runs; or nothing runs.
  for (const identity of [startedBot(4711), null])
    assert.equal(foldRecord(begun, tick({ identity })).burnin?.id, "run-1");
  const passed = foldRecord(
    begun,
    verified("r2", { run: "run-3", identity: next, place: place("boot/4712/900") }),
  );
  assert.deepEqual(
    [passed.burnin?.id, passed.burnin?.releaseId, passed.burnin?.attempt],
    ["run-3", "r2", 1],
  );
});

test("foldRecord() takes a warning for a pass, and the newer pass for the older one", () => {
  const state = fold(
    verified("r1", { ts: stamp(1) }),
    verified("r1", { ts: stamp(2), verdict: "warn" }),
  );
  assert.equal(state.passed.r1?.at, stamp(2));
});

for (const [what, over] of [
  ["a partial run", { whole: false }],
  ["a tick of the burn-in", { kind: "burnin" }],
  ["a superseded run", { verdict: "superseded", exit: 75 }],
  ["an aborted run without a bot", { verdict: "aborted", exit: 143, identity: null }],
] as [string, Partial<Result>][]) {
  test(`foldRecord() leaves the state as it is after ${what}`, () => {
    const before = fold(verified("r1"), rolledBack("r2"));
    assert.deepEqual(foldRecord(before, verified("r2", { ...over, run: "run-2" })), before);
  });
}

for (const [what, over] of [
  ["a failure", { verdict: "fail", exit: 3 }],
  ["an unknown", { verdict: "unknown", exit: 3 }],
  ["the run's own deadline", { verdict: "unknown", exit: 124 }],
] as [string, Partial<Result>][]) {
  test(`foldRecord() takes ${what} for the last verdict, for no pass, and keeps the passes before`, () => {
    const before = fold(verified("r1"));
    const after = foldRecord(before, verified("r2", { ...over, run: "run-2", ts: stamp(9) }));
    assert.deepEqual(after.passed, before.passed);
    assert.deepEqual(
      [after.last?.releaseId, after.last?.exit, after.last?.run],
      ["r2", over.exit, "run-2"],
    );
  });
}

test("foldRecord() knows no release by a pass that does not know its own", () => {
  const state = fold(verified(null));
  assert.deepEqual([state.passed, state.last?.exit], [{}, 0]);
});

test("foldRecord() counts each start whose verification was aborted once, until a verdict", () => {
  const aborted = (pid: number): Result =>
    verified("r1", { verdict: "aborted", exit: 143, identity: startedBot(pid) });
  const state = fold(aborted(1), aborted(2), aborted(2));
  assert.deepEqual(state.unjudged, ["boot/1/900", "boot/2/900"]);
  assert.equal(state.last, null);
  assert.deepEqual(foldRecord(state, failing("r1", ["process"])).unjudged, []);
  assert.deepEqual(foldRecord(state, verified("r1")).unjudged, []);
});

test("foldRecord() quarantines the release that was left, and remembers who left it", () => {
  for (const [by, automatic] of [
    ["verdict", true],
    ["person", false],
  ] as const) {
    const state = fold(verified("r1"), rolledBack("r2", { by, ts: stamp(7), run: "x" }));
    assert.deepEqual(state.quarantined, { r2: { at: stamp(7), run: "x", checks: ["process"] } });
    assert.deepEqual(state.rollbacks, [{ at: stamp(7), run: "x", from: "r2", automatic }]);
    assert.ok(state.passed.r1);
  }
});

test("foldRecord() quarantines also where the old release is not healthy either, but not where both fail alike", () => {
  const unhealthy = { verdict: "fail" as const, exit: 41 };
  assert.deepEqual(Object.keys(fold(rolledBack("r2", unhealthy)).quarantined), ["r2"]);
  const state = fold(
    rolledBack("r3"),
    rolledBack("r2", { run: "a" }),
    rolledBack("r2", { run: "a", ...unhealthy, lifted: true }),
  );
  assert.deepEqual(Object.keys(state.quarantined), ["r3"]);
});

test("foldRecord() counts the marker of a rollback and its record as one", () => {
  const state = fold(
    rolledBack("r2", { run: "a", ts: stamp(1) }),
    rolledBack("r2", { run: "a", ts: stamp(2) }),
    rolledBack("r3", { run: "b" }),
  );
  assert.deepEqual(
    state.rollbacks.map(({ run, at }) => [run, at]),
    [
      ["a", stamp(2)],
      ["b", stamp(0)],
    ],
  );
});

test("foldRecord() takes a refused rollback, and one from nowhere, for none", () => {
  const before = fold(verified("r1"));
  assert.deepEqual(foldRecord(before, rolledBack("r2", { verdict: "refused", exit: 42 })), before);
  assert.deepEqual(foldRecord(before, rolledBack(null)), before);
});

test("foldRecord() lifts the quarantine of a release that passes, and no other", () => {
  const state = fold(
    rolledBack("r2", { run: "a" }),
    rolledBack("r3", { run: "b" }),
    verified("r2"),
  );
  assert.deepEqual(Object.keys(state.quarantined), ["r3"]);
  assert.deepEqual(Object.keys(fold(rolledBack("r2"), failing("r2", ["process"])).quarantined), [
    "r2",
  ]);
  assert.equal(state.rollbacks.length, 2, "what has been done is not forgotten by it");
});

test("foldRecord() keeps a bounded number of rollbacks and of unjudged starts, the newest", () => {
  const many = Array.from({ length: 250 }, (_, index) => index);
  const state = fold(
    ...many.map((index) => rolledBack("r2", { run: `run ${index}` })),
    ...many.map((index) =>
      verified("r1", { verdict: "aborted", exit: 143, identity: startedBot(index) }),
    ),
  );
  assert.deepEqual([state.rollbacks.length, state.unjudged.length], [100, 100]);
  assert.deepEqual(
    [state.rollbacks.at(-1)?.run, state.unjudged.at(-1)],
    ["run 249", "boot/249/900"],
  );
});

// ---------------------------------------------------------------------------- readState()

const anyId = fc.constantFrom("r1", "r2", "r3");
const anyVerification = fc
  .record({
    id: fc.option(anyId),
    outcome: fc.constantFrom(
      ["pass", 0],
      ["warn", 0],
      ["fail", 3],
      ["unknown", 124],
      ["aborted", 143],
      ["superseded", 75],
    ),
    pid: fc.option(fc.integer({ min: 1, max: 4 })),
    whole: fc.boolean(),
    run: fc.uuid(),
    count: fc.nat(9999),
    schema: fc.constantFrom(null, "a", "b"),
  })
  .map(({ id, outcome: [verdict, exit], pid, whole, run, count, schema }) =>
    verified(id, {
      ...({ verdict, exit } as Pick<Result, "verdict" | "exit">),
      identity: pid === null ? null : startedBot(pid),
      ...{ whole, run, schema, ts: stamp(count) },
    }),
  );
const anyRollback = fc
  .record({
    from: fc.option(anyId),
    outcome: fc.constantFrom(["pass", 0], ["fail", 41], ["refused", 42]),
    lifted: fc.boolean(),
    by: fc.constantFrom("verdict" as const, "person" as const),
    run: fc.constantFrom("a", "b", "c", "d"),
    count: fc.nat(9999),
  })
  .map(({ from, outcome: [verdict, exit], lifted, by, run, count }) =>
    rolledBack(from, {
      ...({ verdict, exit } as Pick<RollbackRecord, "verdict" | "exit">),
      ...{ lifted, by, run, ts: stamp(count) },
    }),
  );
/** Lines that are not about this environment's releases: they may stand anywhere. */
const foreignLine = fc.constantFrom(
  '{"v":1,"kind":"verify","env":"prod","verd',
  "",
  "null",
  "[]",
  "Nov 22 02:31:07 host logger: hello",
  JSON.stringify(verified("r9", { env: "movies" })),
  JSON.stringify(rolledBack("r1", { env: "movies" })),
  JSON.stringify(verified("r9", { kind: "burnin" })),
  JSON.stringify({ v: 1, kind: "alert", env: "prod", ts: stamp(1) }),
  JSON.stringify({ v: 1, kind: "note", env: "prod", from: "r1", release: "r2" }),
);

test("readState() builds from the log what was kept record by record, wherever torn and foreign lines stand", () => {
  const { config } = scene();
  const line = fc.oneof(
    { weight: 3, arbitrary: fc.oneof(anyVerification, anyRollback) },
    foreignLine,
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 25 }), (lines) => {
      const records = lines.filter((found) => typeof found !== "string");
      const kept = records.reduce(
        (state, record) => JSON.parse(JSON.stringify(foldRecord(state, record))) as ReleaseState,
        emptyState(),
      );
      writeFileSync(
        config.logFile,
        lines
          .map((found) => `${typeof found === "string" ? found : JSON.stringify(found)}\n`)
          .join(""),
      );
      assert.deepEqual(readState(config), kept);
    }),
    { numRuns: 300 },
  );
});

test("foldRecord() changes nothing by a second look at the same record, and never what it was given", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(anyVerification, anyRollback), { maxLength: 12 }),
      fc.oneof(anyVerification, anyRollback),
      (before, record) => {
        const state = fold(...before);
        const copy = structuredClone(state);
        const once = foldRecord(state, record);
        assert.deepEqual(foldRecord(once, record), once);
        assert.deepEqual(state, copy);
      },
    ),
  );
});

test("readState() follows the log into the file that logrotate has left", () => {
  const { config } = scene();
  writeFileSync(
    `${config.logFile}.1`,
    `${JSON.stringify(verified("r1"))}\n${JSON.stringify(rolledBack("r2"))}\n`,
  );
  writeFileSync(config.logFile, `${JSON.stringify(verified("r3", { ts: stamp(3) }))}\n`);
  assert.deepEqual(
    readState(config),
    fold(verified("r1"), rolledBack("r2"), verified("r3", { ts: stamp(3) })),
  );
});

test("readState() believes its own file before the log", () => {
  const { config } = scene();
  const kept = fold(verified("r1"));
  writeFileSync(config.state.releases, JSON.stringify(kept));
  writeFileSync(config.logFile, `${JSON.stringify(rolledBack("r1"))}\n`);
  assert.deepEqual(readState(config), kept);
});

for (const [what, text] of [
  ["empty", ""],
  ["cut short", '{"v":1,"passed":{"r1":{"at":"2026-'],
  ["no JSON at all", "\0\0\0\0\0\0"],
  ["of a version that this program does not know", '{"v":2,"passed":{}}'],
  ["a list", "[]"],
] as const) {
  test(`readState() builds the state from the log where its file is ${what}`, () => {
    const { config } = scene();
    writeFileSync(config.state.releases, text);
    writeFileSync(config.logFile, `${JSON.stringify(verified("r1"))}\n`);
    assert.deepEqual(readState(config), fold(verified("r1")));
  });
}

test("readState() takes keys that an older program did not write for empty", () => {
  const { config } = scene();
  writeFileSync(config.state.releases, '{"v":1,"passed":{}}');
  assert.deepEqual(readState(config), emptyState());
});

test("readState() of a host where nothing has run yet is empty", () =>
  assert.deepEqual(readState(scene().config), emptyState()));

// ---------------------------------------------------------------------------- readReleases()

const listed = (config: Config, state = emptyState()): string[] =>
  readReleases(config, state).map(({ releaseId, completeAt, current, passed, quarantined }) =>
    [
      releaseId,
      completeAt ?? "incomplete",
      current && "current",
      passed && "passed",
      quarantined && "quarantined",
    ]
      .filter(Boolean)
      .join(" "),
  );

test("readReleases() lists the newest first, with what is complete, current, passed and quarantined", () => {
  const { directory, config } = scene();
  deploy(directory, "r1", 1);
  deploy(directory, "r3", 3);
  deploy(directory, "r2", 2);
  deploy(directory, "r4", null);
  point(directory, "releases/r2");
  const state = fold(verified("r1", { ts: stamp(5) }), rolledBack("r3", { ts: stamp(5) }));
  assert.deepEqual(listed(config, state), [
    `r3 ${minute(3)} quarantined`,
    `r2 ${minute(2)} current`,
    `r1 ${minute(1)} passed`,
    "r4 incomplete",
  ]);
});

test("readReleases() leaves out what cannot be an id", () => {
  const { directory, config } = scene();
  for (const id of [
    "-rf",
    ".hidden",
    "with blank",
    "new\nline",
    "ünïcode",
    "x".repeat(65),
    "a;b",
    "lost+found",
  ])
    deploy(directory, id, 1);
  for (const id of ["0", "x".repeat(64), "2026-11-22_03.00", "v1.4.2-rc.1"])
    deploy(directory, id, 1);
  assert.deepEqual(
    readReleases(config, emptyState())
      .map(({ releaseId }) => releaseId)
      .sort(),
    ["0", "2026-11-22_03.00", "v1.4.2-rc.1", "x".repeat(64)],
  );
});

test("readReleases() takes a file in the place of a release for no complete one", () => {
  const { directory, config } = scene();
  writeFileSync(join(directory, "releases/r1"), "a tarball");
  assert.deepEqual(
    readReleases(config, emptyState()).filter(({ completeAt }) => completeAt !== null),
    [],
  );
});

test("readReleases() of a directory that is missing, or not configured, is empty", () => {
  const { directory, config } = scene();
  rmSync(join(directory, "releases"), { recursive: true });
  assert.deepEqual(readReleases(config, emptyState()), []);
  assert.deepEqual(readReleases(scene({ release: null }).config, emptyState()), []);
});

test("readReleases() knows the current release by absolute and relative links, and by a chain of them", () => {
  const { directory, config } = scene();
  deploy(directory, "r1", 1);
  deploy(directory, "r2", 2);
  symlinkSync("releases/r1", join(directory, "stable"));
  for (const target of [
    "releases/r1",
    join(directory, "releases/r1"),
    "./releases/../releases/r1/",
    "stable",
  ]) {
    point(directory, target);
    assert.deepEqual(listed(config), [`r2 ${minute(2)}`, `r1 ${minute(1)} current`], target);
  }
});

test("readReleases() knows no current release where the link dangles, leaves the directory, or is none", () => {
  const { directory, config } = scene();
  deploy(directory, "r1", 1);
  mkdirSync(join(directory, "elsewhere/r1"), { recursive: true });
  mkdirSync(join(directory, "releases/r1/deeper"));
  for (const target of [
    "releases/gone",
    "elsewhere/r1",
    "releases/r1/deeper",
    "releases",
    "/",
    "current",
  ]) {
    point(directory, target);
    assert.deepEqual(listed(config), [`r1 ${minute(1)}`], target);
  }
  rmSync(join(directory, "current"));
  assert.deepEqual(listed(config), [`r1 ${minute(1)}`], "no link");
  mkdirSync(join(directory, "current"));
  assert.deepEqual(listed(config), [`r1 ${minute(1)}`], "a directory");
});

test("readReleases() forgets what was known of an id that was deployed anew", () => {
  const { directory, config } = scene();
  const state = fold(verified("r1", { ts: stamp(10) }), rolledBack("r2", { ts: stamp(10) }));
  for (const [completeAt, passed, quarantined] of [
    [9, " passed", " quarantined"],
    [10, " passed", " quarantined"],
    [11, "", ""],
  ] as const) {
    for (const id of ["r1", "r2"]) deploy(directory, id, completeAt);
    assert.deepEqual(listed(config, state).sort(), [
      `r1 ${minute(completeAt)}${passed}`,
      `r2 ${minute(completeAt)}${quarantined}`,
    ]);
  }
});

test("readReleases() finds current beside the directory, or where the config says", () => {
  const { directory, config } = scene();
  assert.equal(config.release?.current, join(directory, "current"));
  const moved = scene({ release: { current: "live" } });
  deploy(moved.directory, "r1", 1);
  symlinkSync("releases/r1", join(moved.directory, "live"));
  assert.deepEqual(listed(moved.config), [`r1 ${minute(1)} current`]);
});

// ---------------------------------------------------------------------------- judgeRollback()

const release = (releaseId: string, over: Partial<Release> = {}): Release => ({
  ...{ releaseId, completeAt: minute(1), current: false, passed: null, quarantined: null },
  ...over,
});
const passedOnce = { at: stamp(2), run: "run-1", version: "1.4.2", schema: null };
const quarantinedOnce = { at: stamp(2), run: "run-1", checks: ["process"] };
const noNews = { chatDown: false, newErrors: true };

interface Judged {
  why: string;
  expected: RegExp | null;
  result?: Result;
  over?: Settings;
  releases?: Release[];
  state?: ReleaseState;
  news?: Partial<typeof noNews>;
}
const candidate = [release("r2", { current: true }), release("r1", { passed: passedOnce })];
const command = { release: null, rollback: { auto: true, command: ["true"] } };

for (const {
  why,
  expected,
  result = failing("r2", ["process"]),
  over = {},
  releases = candidate,
  state = emptyState(),
  news = {},
} of [
  { why: "a measured failure of a candidate that is current", expected: null },
  {
    why: "one failure of two is in rollback.on",
    expected: null,
    result: failing("r2", ["user_count", "database"]),
  },
  {
    why: "other errors than ERROR lines are there too",
    expected: null,
    result: failing("r2", ["error_logs", "process"]),
    news: { newErrors: false },
  },
  { why: "the errors are new", expected: null, result: failing("r2", ["error_logs"]) },
  {
    why: "the chat server is down, but the bot is connected",
    expected: null,
    news: { chatDown: true },
  },
  {
    why: "a command rolls back, and the release has not passed",
    expected: null,
    over: command,
    releases: [],
  },
  { why: "the chat server is up", expected: null, result: failing("r2", ["connection"]) },
  { why: "a pass", expected: /^nothing was measured to be wrong$/, result: verified("r2") },
  {
    why: "an unknown",
    expected: /^nothing was measured to be wrong$/,
    result: verified("r2", { verdict: "unknown", exit: 3 }),
  },
  {
    why: "an aborted run that had seen a failure",
    expected: /^nothing was measured to be wrong$/,
    result: failing("r2", ["process"], { verdict: "aborted", exit: 143 }),
  },
  {
    why: "neither releases nor a command",
    expected: /neither release\.directory nor rollback\.command/,
    over: { release: null },
    releases: [],
  },
  {
    why: "rollback.auto is false",
    expected: /rollback\.auto is not set/,
    over: { rollback: { auto: false } },
  },
  {
    why: "rollback.auto is missing",
    expected: /rollback\.auto is not set/,
    over: { rollback: null },
  },
  {
    why: "only the user count fails",
    expected: /^user_count is not in rollback\.on$/,
    result: failing("r2", ["user_count"]),
  },
  {
    why: "only the release fails",
    expected: /^release is not in rollback\.on$/,
    result: failing("r2", ["release"]),
  },
  {
    why: "the site has left that check out",
    expected: /^process, database is not in rollback\.on$/,
    result: failing("r2", ["process", "database"]),
    over: { rollback: { on: ["connection"] } },
  },
  {
    why: "the site rolls back for nothing",
    expected: /not in rollback\.on/,
    over: { rollback: { on: [] } },
  },
  {
    why: "nobody knows which release runs",
    expected: /^which release runs is not known$/,
    result: failing(null, ["process"]),
  },
  {
    why: "current has moved on",
    expected: /^r1 is not the current release any more$/,
    result: failing("r1", ["process"]),
  },
  {
    why: "the release is gone from the disk",
    expected: /^r9 is not the current release any more$/,
    result: failing("r9", ["process"]),
  },
  {
    why: "the release has passed before",
    expected:
      /^r2 has passed before \(2026-11-22T00:02:00\.000Z\): it worked, so the world has changed$/,
    releases: [release("r2", { current: true, passed: passedOnce })],
  },
  {
    why: "a command rolls back, and the release has passed",
    expected: /^r2 has passed before/,
    over: command,
    releases: [],
    state: fold(verified("r2")),
  },
  {
    why: "the chat server is down",
    expected: /^the chat server itself is down$/,
    result: failing("r2", ["connection"]),
    news: { chatDown: true },
  },
  {
    why: "an earlier release logged the same errors",
    expected: /^an earlier release logged the same errors$/,
    result: failing("r2", ["error_logs"]),
    news: { newErrors: false },
  },
] as Judged[]) {
  test(`judgeRollback() ${expected ? "refuses" : "rolls back"}: ${why}`, () => {
    const { config } = scene(over);
    const judged = judgeRollback({ result, config, releases, state, ...noNews, ...news });
    if (expected === null) assert.equal(judged, null);
    else assert.match(judged ?? "due", expected);
  });
}

for (const check of CHECK_NAMES) {
  const due = check !== "user_count" && check !== "release";
  test(`judgeRollback() by default ${due ? "rolls back" : "does not roll back"} when only ${check} fails`, () =>
    assert.equal(
      judgeRollback({
        result: failing("r2", [check]),
        config: scene().config,
        releases: candidate,
        state: emptyState(),
        ...noNews,
      }) === null,
      due,
    ));
}

test("judgeRollback() never rolls back without a measured failure of a check in rollback.on", () => {
  const { config } = scene();
  const anyFindings = fc.array(
    fc.tuple(
      fc.constantFrom(...CHECK_NAMES),
      fc.constantFrom<Status>("pass", "warn", "unknown", "skipped", "off", "fail"),
    ),
  );
  fc.assert(
    fc.property(
      anyFindings,
      fc.constantFrom("pass", "warn", "fail", "unknown", "aborted", "superseded", "paused"),
      (pairs, verdict) => {
        const findings = pairs.map(([check, status]) => findingOf(check, status));
        const result = verified("r2", { verdict: verdict as Result["verdict"], exit: 1, findings });
        const state = emptyState();
        const why = judgeRollback({ result, config, releases: candidate, state, ...noNews });
        const due = why === null;
        const measured = pairs.some(
          ([check, status]) => status === "fail" && config.rollback.on.includes(check),
        );
        assert.equal(due, verdict === "fail" && measured);
      },
    ),
  );
});

// ---------------------------------------------------------------------------- errorsAreNew()

/** A part of error_logs as it is written now, and as it was before parts had `examples`. */
const logPart = (status: Status, examples: string[]): Part => ({
  part: "bot.log",
  status,
  measured: examples.length,
  limit: 0,
  unit: "errors",
  says: "there are errors",
  evidence: ["40 lines read, 2 warnings", ...examples],
  hint: null,
  examples,
});
function oldLogPart(status: Status, lines: string[]): Part {
  const { examples: _, ...part } = logPart(status, lines);
  return part;
}
const loggedBy = (releaseId: string | null, ...parts: Part[]): Result =>
  failing(releaseId, [], { findings: [findingOf("error_logs", "fail", { parts })] });

const SAME = ["ERROR cannot join room 17 at 0xfe12"];
const SAME_AGAIN = ["ERROR cannot join room 4 at 0x00ab"];
const OTHER = ["ERROR the database is gone"];

for (const [what, result, records, expected] of [
  ["no record", logPart("fail", SAME), [], true],
  ["the same error", logPart("fail", SAME), [loggedBy("r1", logPart("fail", SAME_AGAIN))], false],
  ["another error", logPart("fail", OTHER), [loggedBy("r1", logPart("fail", SAME))], true],
  [
    "one of two",
    logPart("fail", [...SAME, ...OTHER]),
    [loggedBy("r1", logPart("fail", SAME))],
    true,
  ],
  ["the same release", logPart("fail", SAME), [loggedBy("r2", logPart("fail", SAME))], true],
  ["an unknown release", logPart("fail", SAME), [loggedBy(null, logPart("fail", SAME))], true],
  ["no error line", logPart("fail", []), [loggedBy("r1", logPart("fail", []))], true],
  ["an old record", logPart("fail", SAME), [loggedBy("r1", oldLogPart("fail", SAME_AGAIN))], false],
  ["old records", oldLogPart("fail", SAME), [loggedBy("r1", oldLogPart("fail", SAME))], false],
  ["old, without lines", oldLogPart("fail", []), [loggedBy("r1", oldLogPart("fail", []))], true],
  [
    "what a log that was not to blame shows",
    logPart("fail", SAME),
    [loggedBy("r1", logPart("pass", SAME), logPart("fail", OTHER))],
    true,
  ],
] as [string, Part, Result[], boolean][]) {
  test(`errorsAreNew() is ${expected} beside ${what}`, () => {
    const rollback = { kind: "rollback", run: "rollback-1", from: "r1" };
    assert.equal(errorsAreNew(loggedBy("r2", result), [rollback, ...records]), expected);
  });
}

test("errorsAreNew() reads no sentence that is meant for people", () => {
  const reworded = (part: Part): Part => ({ ...part, evidence: ["what was read is told anew"] });
  const before = loggedBy("r1", reworded(logPart("fail", SAME)));
  assert.equal(
    errorsAreNew(loggedBy("r2", reworded(logPart("fail", SAME_AGAIN))), [before]),
    false,
  );
  assert.equal(errorsAreNew(loggedBy("r2", reworded(logPart("fail", OTHER))), [before]), true);
});

// ---------------------------------------------------------------------------- planRollback()

const byVerdict: RollbackRequest = {
  ...{
    by: "verdict",
    run: "run-2",
    releaseId: "r3",
    exit: 1,
    checks: ["process"],
    schema: null,
    to: null,
    emergency: false,
  },
};
const byPerson: RollbackRequest = { ...byVerdict, by: "person" };
const now = minute(60 * 48);
const ago = (ms: number): string => new Date(now - ms).toISOString();
const day = 86_400_000;
const shelf: Release[] = [
  release("r4", { completeAt: null }),
  release("r3", { completeAt: minute(3), current: true }),
  release("r2", { completeAt: minute(2), passed: passedOnce }),
  release("r1", { completeAt: minute(1), passed: passedOnce }),
];
const without = (id: string): Release[] => shelf.filter(({ releaseId }) => releaseId !== id);
const changed = (id: string, over: Partial<Release>): Release[] =>
  shelf.map((row) => (row.releaseId === id ? { ...row, ...over } : row));
const rollbacksAt = (...times: [ms: number, from: string, automatic: boolean][]): ReleaseState => ({
  ...emptyState(),
  rollbacks: times.map(([ms, from, automatic], index) => ({
    at: ago(ms),
    run: `run ${index}`,
    from,
    automatic,
  })),
});

interface Planned {
  why: string;
  to?: string | null;
  exit?: number;
  says?: RegExp;
  request?: RollbackRequest;
  releases?: Release[];
  state?: ReleaseState;
  over?: Settings;
}
const plans: Planned[] = [
  { why: "the newest complete release that passed", to: "r2" },
  { why: "the same for a person", to: "r2", request: byPerson },
  {
    why: "the next one where the newest is quarantined",
    to: "r1",
    releases: changed("r2", { quarantined: quarantinedOnce }),
  },
  {
    why: "the next one where the newest has never passed",
    to: "r1",
    releases: changed("r2", { passed: null }),
  },
  {
    why: "the next one where the newest is incomplete",
    to: "r1",
    releases: changed("r2", { completeAt: null }),
  },
  { why: "the one that a person names", to: "r1", request: { ...byPerson, to: "r1" } },
  {
    why: "what rollback.command chooses",
    to: null,
    over: command,
    releases: [],
    request: { ...byVerdict, releaseId: "1.4.2" },
  },
  {
    why: "neither releases nor a command",
    exit: 40,
    says: /^neither release\.directory nor rollback\.command is configured$/,
    over: { release: null },
  },
  {
    why: "nothing else has passed",
    exit: 40,
    says: /no other complete release that has passed/,
    releases: shelf.map((row) => ({ ...row, passed: null })),
  },
  {
    why: "nothing else is there",
    exit: 40,
    says: /no other complete release/,
    releases: without("r2").filter(({ releaseId }) => releaseId !== "r1"),
  },
  {
    why: "current does not point to a release",
    exit: 42,
    says: /\/current does not point to a release$/,
    releases: without("r3"),
  },
  {
    why: "current does not point to a release, for a person",
    exit: 42,
    says: /does not point/,
    releases: without("r3"),
    request: byPerson,
  },
  {
    why: "current has moved on",
    exit: 42,
    says: /^current has moved on: r2 was judged, r3 is current$/,
    request: { ...byVerdict, releaseId: "r2" },
  },
  {
    why: "a person may know an older release",
    to: "r2",
    request: { ...byPerson, releaseId: "r2" },
  },
  // One automatic rollback for one failed release, and again after it was deployed anew.
  {
    why: "the release was rolled back already",
    exit: 42,
    says: /^r3 was rolled back already \(/,
    state: rollbacksAt([5 * day, "r3", true]),
    releases: changed("r3", { completeAt: now - 6 * day }),
  },
  {
    why: "it was deployed anew since",
    to: "r2",
    state: rollbacksAt([5 * day, "r3", true]),
    releases: changed("r3", { completeAt: now - 4 * day }),
  },
  { why: "another release was rolled back", to: "r2", state: rollbacksAt([1000, "r9", true]) },
  { why: "a person had rolled it back before", to: "r2", state: rollbacksAt([1000, "r3", false]) },
  {
    why: "a person may roll it back again",
    to: "r2",
    state: rollbacksAt([1000, "r3", true]),
    request: byPerson,
  },
  {
    why: "a command has rolled it back already",
    exit: 42,
    says: /rolled back already/,
    over: command,
    releases: [],
    state: rollbacksAt([1000, "r3", true]),
  },
  // Both sides of rollback.maxPerDay, and of the 24 hours.
  {
    why: "fewer than rollback.maxPerDay",
    to: "r2",
    state: rollbacksAt([1000, "a", true], [2000, "b", true]),
  },
  {
    why: "rollback.maxPerDay is reached",
    exit: 42,
    says: /^there were 3 automatic rollbacks in 24 hours/,
    state: rollbacksAt([1000, "a", true], [2000, "b", true], [day - 1, "c", true]),
  },
  {
    why: "the first of them was 24 hours ago",
    to: "r2",
    state: rollbacksAt([1000, "a", true], [2000, "b", true], [day, "c", true]),
  },
  {
    why: "a person's rollbacks do not count",
    to: "r2",
    state: rollbacksAt([1000, "a", true], [2000, "b", false], [3000, "c", false]),
  },
  {
    why: "a person is not counted",
    to: "r2",
    state: rollbacksAt([1, "a", true], [2, "b", true], [3, "c", true]),
    request: byPerson,
  },
  {
    why: "rollback.maxPerDay is 0",
    exit: 42,
    says: /^there were 0 automatic rollbacks/,
    over: { rollback: { maxPerDay: 0 } },
  },
  {
    why: "a command is counted too",
    exit: 42,
    says: /^there were 3 /,
    over: command,
    releases: [],
    state: rollbacksAt([1, "a", true], [2, "b", true], [3, "c", true]),
  },
  // What a person names.
  {
    why: "the current release is named",
    exit: 42,
    says: /^r3 is the current release$/,
    request: { ...byPerson, to: "r3" },
  },
  {
    why: "an emergency to the current release",
    exit: 42,
    says: /^r3 is the current release$/,
    request: { ...byPerson, to: "r3", emergency: true },
  },
  {
    why: "an unknown release is named",
    exit: 42,
    says: /^there is no complete release r9$/,
    request: { ...byPerson, to: "r9" },
  },
  {
    why: "an incomplete release is named",
    exit: 42,
    says: /^there is no complete release r4$/,
    request: { ...byPerson, to: "r4", emergency: true },
  },
  {
    why: "a path is named",
    exit: 42,
    says: /^there is no complete release \.\.\/\.\.\/etc$/,
    request: { ...byPerson, to: "../../etc", emergency: true },
  },
  {
    why: "a quarantined release is named",
    exit: 42,
    says: /^r2 is quarantined \(process\); --emergency/,
    request: { ...byPerson, to: "r2" },
    releases: changed("r2", { quarantined: quarantinedOnce }),
  },
  {
    why: "it is an emergency",
    to: "r2",
    request: { ...byPerson, to: "r2", emergency: true },
    releases: changed("r2", { quarantined: quarantinedOnce }),
  },
  {
    why: "a release that never passed is named",
    exit: 42,
    says: /^r2 has never passed; --emergency/,
    request: { ...byPerson, to: "r2" },
    releases: changed("r2", { passed: null }),
  },
  {
    why: "that is an emergency",
    to: "r2",
    request: { ...byPerson, to: "r2", emergency: true },
    releases: changed("r2", { passed: null }),
  },
  {
    why: "an emergency does not choose what never passed",
    exit: 40,
    says: /no other/,
    request: { ...byPerson, emergency: true },
    releases: shelf.map((row) => ({ ...row, passed: null })),
  },
  // The database's schema.
  {
    why: "the schema is the target's",
    to: "r2",
    request: { ...byVerdict, schema: "a" },
    releases: changed("r2", { passed: { ...passedOnce, schema: "a" } }),
  },
  { why: "the target's schema is not known", to: "r2", request: { ...byVerdict, schema: "a" } },
  {
    why: "the present schema is not known",
    to: "r2",
    releases: changed("r2", { passed: { ...passedOnce, schema: "a" } }),
  },
  ...([byVerdict, byPerson] as const).map((request) => ({
    ...{
      why: `the schema has changed, for a ${request.by}`,
      exit: 42,
      says: /^the database has changed since r2 passed/,
    },
    ...{
      request: { ...request, schema: "b" },
      releases: changed("r2", { passed: { ...passedOnce, schema: "a" } }),
    },
  })),
  {
    why: "the schema has changed, in an emergency",
    to: "r2",
    request: { ...byPerson, schema: "b", emergency: true },
    releases: changed("r2", { passed: { ...passedOnce, schema: "a" } }),
  },
];

for (const {
  why,
  to = null,
  exit = 0,
  says,
  request = byVerdict,
  releases = shelf,
  state = emptyState(),
  over = {},
} of plans) {
  test(`planRollback() ${exit ? `refuses with ${exit}` : `goes to ${to ?? "wherever a command goes"}`}: ${why}`, () => {
    const plan = planRollback({ request, releases, state, config: scene(over).config, now });
    assert.deepEqual([plan.exit, plan.to], [exit, to], plan.why);
    if (says) assert.match(plan.why, says);
    else assert.equal(plan.why, "");
  });
}

test("planRollback() never goes to the current release, nor to an incomplete one", () => {
  const anyRelease = fc.record({
    releaseId: fc.constantFrom("a", "b", "c", "d"),
    completeAt: fc.option(fc.nat(10)),
    current: fc.boolean(),
    passed: fc.option(fc.constant(passedOnce)),
    quarantined: fc.option(fc.constant(quarantinedOnce)),
  });
  const { config } = scene();
  fc.assert(
    fc.property(
      fc.uniqueArray(anyRelease, { selector: ({ releaseId }) => releaseId }),
      fc.boolean(),
      fc.option(fc.constantFrom("a", "b", "c", "x")),
      (rows, emergency, to) => {
        const first = rows.findIndex(({ current }) => current);
        const releases = rows.map((row, index) => ({ ...row, current: index === first }));
        const request = { ...byPerson, emergency, to };
        const plan = planRollback({ request, releases, state: emptyState(), config, now });
        if (plan.exit) return;
        const target = releases.find(({ releaseId }) => releaseId === plan.to);
        assert.ok(target && !target.current && target.completeAt !== null);
        assert.ok(emergency || (target.passed && !target.quarantined));
        if (to !== null) assert.equal(target.releaseId, to);
      },
    ),
  );
});

// ---------------------------------------------------------------------------- writeAtomically()

test("writeAtomically() replaces the whole text, keeps the group's access, and leaves nothing beside it", () => {
  const directory = createDirectory();
  const file = join(directory, "state.json");
  for (const text of ["a longer text\n", "short\n", ""]) {
    writeAtomically(file, text);
    assert.equal(readFileSync(file, "utf8"), text);
  }
  assert.deepEqual(readdirSync(directory), ["state.json"]);
});

test("writeAtomically() leaves the old text where only a part of the new one fits", async () => {
  const file = join(createDirectory(), "state.json");
  writeFileSync(file, "old\n");
  const script = `import { writeAtomically } from ${JSON.stringify(join(projectDirectory, "lib/files.ts"))};
    process.on("SIGXFSZ", () => {});
    writeAtomically(${JSON.stringify(file)}, "x".repeat(10_000));`;
  const run = await runVerify([], {
    program: [
      "prlimit",
      "--fsize=4096",
      process.execPath,
      "--import",
      "tsx",
      "--input-type=module",
      "-e",
      script,
    ],
    env: { TSX_DISABLE_CACHE: "1" },
  });
  assert.match(run.stderr, /EFBIG/);
  assert.equal(readFileSync(file, "utf8"), "old\n");
});

test("writeAtomically() leaves the old text where the new one cannot be written", () => {
  const directory = createDirectory();
  mkdirSync(join(directory, "taken"));
  assert.throws(() => writeAtomically(join(directory, "taken"), "x"), { code: "EISDIR" });
  assert.throws(() => writeAtomically(join(directory, "none/x"), "x"), { code: "ENOENT" });
});

// ---------------------------------------------------------------------------- a switch that is cut short

/**
 * r2 is current and a verdict has asked to leave it; an earlier switch was cut short and has left
 * its link.
 */
async function askedFor(): Promise<{ directory: string; config: Config; command: string[] }> {
  const { directory, config } = scene();
  deploy(directory, "r1", 1);
  deploy(directory, "r2", 2);
  point(directory, "releases/r2");
  symlinkSync("releases/gone", join(directory, "current.next"));
  writeAtomically(config.state.releases, JSON.stringify(fold(verified("r1", { ts: stamp(5) }))));
  writeFileSync(config.state.flag("rollback"), JSON.stringify({ ...byVerdict, releaseId: "r2" }));
  return {
    directory,
    config,
    command: ["rollback", "--env", "prod", "--config", config.file, "--switch"],
  };
}

const calls = ["rename", "symlink", "unlink", "fsync", "write", "openat"];

/**
 * The system calls of a switch from the moment at which it takes its request, each with which one
 * of its name it is.
 */
async function traceSwitch(): Promise<{ name: string; nth: number; text: string }[]> {
  const { directory, command } = await askedFor();
  const file = join(directory, "trace");
  const run = await runVerify(command, {
    wrap: (plain) => [
      "strace",
      "-s",
      "300",
      "-o",
      file,
      "-e",
      `trace=${calls.join(",")}`,
      ...plain,
    ],
  });
  assert.equal(run.code, 0, run.stderr);
  const counts = new Map<string, number>();
  const traced = readFileSync(file, "utf8")
    .split("\n")
    .flatMap((text) => {
      const [, name] = /^(\w+)\(/.exec(text) ?? [];
      if (!name) return [];
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return { name, nth: counts.get(name) as number, text: text.replaceAll(directory, "DIR") };
    });
  return traced.slice(
    traced.findIndex(({ name, text }) => name === "rename" && text.includes("prod.rollback")),
  );
}

/**
 * What becomes durable or visible, in order: each sync, rename and new link with the file that it
 * is about.
 */
function labelled(
  traced: Awaited<ReturnType<typeof traceSwitch>>,
): { label: string; name: string; nth: number }[] {
  const opened = new Map<string, string>();
  return traced.flatMap(({ name, nth, text }) => {
    const [, file = ""] = /"DIR\/([^"]*?)(?:\.\d+\.tmp)?"/.exec(text) ?? [];
    const [, descriptor = ""] = /^\w+\((\d+)/.exec(text) ?? [];
    if (name === "openat")
      opened.set(/= (\d+)$/.exec(text)?.[1] ?? "", text.includes('"DIR"') ? "the directory" : file);
    if (name === "fsync") return { label: `fsync ${opened.get(descriptor)}`, name, nth };
    return name === "rename" || name === "symlink" ? { label: `${name} ${file}`, name, nth } : [];
  });
}

/**
 * Lets one of these calls end with an error: the first of its kind, the last, or the first and
 * whatever of its name follows.
 */
async function withError(
  label: string,
  error: string,
  which: "first" | "last" | "onward" = "first",
): Promise<RunOptions> {
  const found = labelled(await traceSwitch()).filter((call) => call.label === label);
  const { name, nth } = found.at(which === "last" ? -1 : 0) ?? assert.fail(`there is no ${label}`);
  const inject = [
    "-e",
    `trace=${name}`,
    "-e",
    `inject=${name}:error=${error}:when=${nth}${which === "onward" ? "+" : ""}`,
  ];
  return { wrap: (plain) => ["strace", "-o", "/dev/null", ...inject, ...plain] };
}

describe("rollback --switch", { concurrency: 2 }, () => {
  test("makes the new link durable before the rename, the rename after it, and the marker before both", async () => {
    const seen = labelled(await traceSwitch()).map(({ label }) => label);
    assert.deepEqual(seen, [
      "rename flags/prod.rollback",
      "fsync state/prod.releases.json",
      "rename state/prod.releases.json",
      "fsync state",
      "fsync flags/prod.rolling",
      "rename flags/prod.rolling",
      "fsync flags",
      "symlink current.next",
      "fsync the directory",
      "rename current.next",
      "fsync the directory",
    ]);
  });

  test("killed before any of its system calls, leaves a whole release, a whole state, and no second rollback", async () => {
    const points = (await traceSwitch()).filter(
      ({ name, text }) => name !== "openat" || text.includes('"DIR'),
    );
    assert.ok(points.length > 12, `only ${points.length} system calls`);
    const outcomes = new Set<string>();
    const cut = async ({ name, nth, text }: (typeof points)[number]): Promise<void> => {
      const { directory, config, command } = await askedFor();
      const before = readState(config);
      const inject = ["-e", `trace=${name}`, "-e", `inject=${name}:signal=KILL:when=${nth}`];
      const run = await runVerify(command, {
        wrap: (plain) => ["strace", "-o", "/dev/null", ...inject, ...plain],
      });
      const at = `killed before ${text}`;
      assert.equal(run.code === 0 ? null : run.signal, "SIGKILL", at);
      const current = readlinkSync(join(directory, "current"));
      assert.ok(["releases/r1", "releases/r2"].includes(current), at);
      assert.ok(existsSync(join(directory, "current/.complete")), at);
      const state = JSON.parse(readFileSync(config.state.releases, "utf8")) as ReleaseState;
      const isMarked = state.rollbacks.length === 1;
      if (!isMarked) assert.deepEqual(state, before, at);
      assert.ok(isMarked || current === "releases/r2", `${at}: switched without a marker`);
      const taken = !existsSync(config.state.flag("rollback"));
      assert.ok(taken || !isMarked, `${at}: marked before the request was taken`);
      const again = planRollback({
        request: { ...byVerdict, releaseId: "r2" },
        releases: readReleases(config, state),
        state,
        config,
        now: Date.now(),
      });
      assert.equal(again.exit, isMarked ? 42 : 0, `${at}: ${again.why}`);
      outcomes.add(`${current} ${isMarked ? "marked" : "unmarked"} ${taken ? "taken" : "asked"}`);
    };
    const waiting = [...points];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await cut(next);
    };
    await Promise.all([worker(), worker()]);
    assert.deepEqual([...outcomes].sort(), [
      "releases/r1 marked taken",
      "releases/r2 marked taken",
      "releases/r2 unmarked asked",
      "releases/r2 unmarked taken",
    ]);
  });

  const outcomesIn = ({ logFile }: Config) =>
    readRecords(logFile).records.map(({ verdict, exit, from, to }) => [verdict, exit, from, to]);

  for (const [what, label, error, says] of [
    [
      "the marker cannot be written",
      "rename state/prod.releases.json",
      "ENOSPC",
      /it cannot be remembered \(ENOSPC/,
    ],
    ["the marker cannot be made durable", "fsync state", "EIO", /it cannot be remembered \(EIO/],
    [
      "what is under way cannot be written down",
      "rename flags/prod.rolling",
      "EROFS",
      /it cannot be remembered \(EROFS/,
    ],
    [
      "there is no room for the new link",
      "symlink current.next",
      "ENOSPC",
      /\/current cannot be switched \(ENOSPC/,
    ],
    [
      "the new link cannot be made durable",
      "fsync the directory",
      "EIO",
      /\/current cannot be switched \(EIO/,
    ],
    [
      "the new link may not take the old one's place",
      "rename current.next",
      "EACCES",
      /\/current cannot be switched \(EACCES/,
    ],
  ] as const) {
    test(`refuses with 77 where ${what}: nothing is switched, quarantined or counted, and the next request goes through`, async () => {
      const { directory, config, command } = await askedFor();
      const before = readState(config);
      const run = await runVerify(command, await withError(label, error));
      assert.equal(run.code, 77, run.stderr);
      assert.match(run.stderr, /^No rollback: .*\. Nothing was changed; a person has to look\.$/m);
      assert.match(run.stderr, says);
      assert.equal(readlinkSync(join(directory, "current")), "releases/r2");
      assert.deepEqual([readdirSync(join(directory, "flags")), readState(config)], [[], before]);
      assert.deepEqual(outcomesIn(config), [["refused", 77, "r2", null]]);
      writeFileSync(
        config.state.flag("rollback"),
        JSON.stringify({ ...byVerdict, releaseId: "r2" }),
      );
      assert.equal((await runVerify(command)).code, 0);
      assert.equal(readlinkSync(join(directory, "current")), "releases/r1");
    });
  }

  for (const [what, label, error, which, left, says] of [
    [
      "the switch cannot be made durable",
      "fsync the directory",
      "EIO",
      "last",
      "r1",
      /current names r1, .*\(EIO.*; the bot was not restarted\.$/m,
    ],
    [
      "the marker cannot be taken back",
      "rename flags/prod.rolling",
      "ENOSPC",
      "onward",
      "r2",
      /remembered \(ENOSPC.*\), and r2 stays quarantined/,
    ],
  ] as const) {
    test(`exits 41 where ${what}, and the record and the state say the same`, async () => {
      const { directory, config, command } = await askedFor();
      const run = await runVerify(command, await withError(label, error, which));
      assert.equal(run.code, 41, run.stderr);
      assert.match(run.stderr, /^The rollback failed: /m);
      assert.match(run.stderr, says);
      assert.equal(readlinkSync(join(directory, "current")), `releases/${left}`);
      assert.deepEqual(readdirSync(join(directory, "flags")), []);
      assert.deepEqual(outcomesIn(config), [["fail", 41, "r2", null]]);
      const { quarantined, rollbacks } = readState(config);
      assert.deepEqual(
        [Object.keys(quarantined), rollbacks.map(({ from }) => from)],
        [["r2"], ["r2"]],
      );
    });
  }

  test("keeps the form of the link, relative or absolute", async () => {
    for (const target of ["releases/r2", "absolute"]) {
      const { directory, command } = await askedFor();
      point(directory, target === "absolute" ? join(directory, "releases/r2") : target);
      assert.equal((await runVerify(command)).code, 0);
      assert.equal(
        readlinkSync(join(directory, "current")),
        target === "absolute" ? join(directory, "releases/r1") : "releases/r1",
      );
      assert.ok(!existsSync(join(directory, "current.next")));
    }
  });
});
