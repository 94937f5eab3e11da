/**
 * The checks: pure functions of one slice of evidence. Both sides of each limit, what is missing,
 * what is malformed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Config } from "../../lib/config.ts";
import type { DatabaseEvidence } from "../../lib/probes/database-child.ts";
import { type HealthAnswer, parseFields } from "../../lib/probes/health.ts";
import { emptyTally, type LogSource, type LogTally } from "../../lib/probes/log-lines.ts";
import type { WatchEvidence } from "../../lib/probes/watch.ts";
import type { Limits } from "../../lib/rules.ts";
import type { CheckContext, Evidence, Observations } from "../../lib/run.ts";
import { CHECK_NAMES, type Part, type Status } from "../../lib/vocabulary.ts";
import {
  BURNIN,
  CHECKS,
  checkConfiguration,
  checkConnection,
  checkDatabase,
  checkErrorLogs,
  checkHealth,
  checkMemory,
  checkProcess,
  checkRelease,
  checkResponse,
  checkStability,
  checkUserCount,
  foldParts,
  judgeCheck,
  LIMITS,
  worseFinding,
} from "../../verify.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const prodLimits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, row]) => [name, row.prod]),
) as Limits;

function contextOf(over: Partial<Config> = {}, limits: Partial<Limits> = {}): CheckContext {
  const config: Config = {
    name: "prod",
    file: "/etc/cytube-verify/prod.yaml",
    environment: "prod",
    limits: { ...prodLimits, ...limits },
    burninLimits: BURNIN,
    off: {},
    hints: {},
    logFile: "/var/log/cytube-verify/prod.jsonl",
    state: {
      releases: "/var/lib/x/prod.releases.json",
      alert: "/var/lib/x/prod.alert.json",
      flag: (flag) => `/run/x/prod.${flag}`,
    },
    burnin: { timeZone: "UTC", rollback: false },
    rollback: { auto: true, on: ["process"], maxPerDay: 3, secondsMax: 60, command: null },
    headers: {},
    secrets: [],
    process: { pidFile: "/run/bot.pid" },
    health: { url: "http://127.0.0.1:8080/api/health" },
    database: { file: "/srv/bot/bot_data.db", tables: ["current_status"] },
    errorLogs: { files: ["/srv/bot/bot.log"] },
    configuration: { environment: "prod", channel: "#demo" },
    ...over,
  };
  return { config, limits: config.limits, now };
}
const prod = contextOf();

function statusOf(parts: readonly Part[], name: string): Status | undefined {
  return parts.find((part) => part.part === name)?.status;
}

function partOf(parts: readonly Part[], name: string): Part {
  const found = parts.find((part) => part.part === name);
  assert.ok(found, `there is no part "${name}" in ${parts.map((part) => part.part).join(", ")}`);
  return found;
}

/** Every part must be fit for a person: a sentence, a limit beside the measured value, no NaN. */
function assertReadable(parts: readonly Part[]): void {
  assert.ok(parts.length > 0);
  for (const part of parts) {
    assert.doesNotMatch(part.says, /NaN|undefined|\[object|Infinity/, part.says);
    assert.ok(
      typeof part.measured !== "number" || Number.isFinite(part.measured),
      `${part.part} measured ${part.measured}`,
    );
    if (part.status === "fail" || part.status === "unknown")
      assert.ok(part.says.length > 10, part.says);
  }
}

// ---------------------------------------------------------------------------- process

describe("checkProcess()", () => {
  const stat = { pid: 71, command: "python3", state: "S", parent: 1, startTicks: 900 };
  const identity = {
    pid: 71,
    startTicks: 900,
    startedAt: now - 65_000,
    bootId: "b",
    invocation: null,
  };
  const alive: Evidence["process"] = {
    source: "pid file /run/bot.pid",
    matches: [{ pid: 71, commandLine: "python3 bot.py" }],
    unit: null,
    stat,
    identity,
    trouble: null,
    incident: null,
  };

  test("passes a process that runs, and says since when", () => {
    const [part] = checkProcess(alive, prod);
    assert.equal(part?.status, "pass");
    assert.equal(part?.says, "pid 71 (python3) has run for 1 min 5 s");
    assert.ok(part?.evidence.includes("pid 71: python3 bot.py"));
  });

  for (const state of ["R", "S", "D", "I"])
    test(`passes state ${state}`, () =>
      assert.equal(checkProcess({ ...alive, stat: { ...stat, state } }, prod)[0]?.status, "pass"));

  for (const [state, word] of [
    ["Z", /zombie/],
    ["T", /stopped \(state T\)/],
    ["t", /stopped \(state t\)/],
  ] as const) {
    test(`fails state ${state}`, () => {
      const [part] = checkProcess({ ...alive, stat: { ...stat, state } }, prod);
      assert.equal(part?.status, "fail");
      assert.match(part?.says ?? "", word);
    });
  }

  test("fails where no process could be named, and says why", () => {
    const [part] = checkProcess(
      {
        ...alive,
        stat: null,
        identity: null,
        matches: [],
        trouble: "the pid file names pid 71, which is not there",
      },
      prod,
    );
    assert.equal(part?.status, "fail");
    assert.match(part?.says ?? "", /^the bot is not running: the pid file names pid 71/);
    assert.equal(part?.measured, "not running");
  });

  test("fails an incident of the identity, whatever the last look was", () => {
    const incident = {
      kind: "died" as const,
      at: now,
      says: "the bot died: pid 71 was gone 3 s after its start",
      evidence: ["pid 71, start tick 900"],
    };
    const [part] = checkProcess({ ...alive, incident }, prod);
    assert.deepEqual([part?.status, part?.says, part?.measured], ["fail", incident.says, "died"]);
    assert.ok(part?.evidence.includes("pid 71, start tick 900"));
  });

  test("shows what systemd says of the unit", () => {
    const unit = { ActiveState: "active", SubState: "running", Result: "success", NRestarts: "2" };
    const [part] = checkProcess({ ...alive, source: "unit bot.service", unit }, prod);
    assert.ok(
      part?.evidence.includes("ActiveState=active SubState=running Result=success NRestarts=2"),
    );
  });
});

// ---------------------------------------------------------------------------- database

describe("checkDatabase()", () => {
  const sound: DatabaseEvidence = {
    file: "/srv/bot/bot_data.db",
    bytes: 40_960,
    journalMode: "wal",
    tables: ["current_status", "user_stats"],
    schema: "0123456789abcdef",
    openMs: 4.2,
    open: null,
    integrity: { file: "/srv/bot/bot_data.db", lines: ["ok"], ms: 3 },
    integrityOff: null,
    integrityUnseen: null,
    writeLock: null,
    diskFreeMb: 900,
    inodesFree: 1000,
  };

  test("passes a sound database in all its parts", () => {
    const parts = checkDatabase(sound, prod);
    assertReadable(parts);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [
        ["open", "pass"],
        ["tables", "pass"],
        ["integrity", "pass"],
        ["disk", "pass"],
      ],
    );
  });

  for (const [openMs, status] of [
    [1999, "pass"],
    [2000, "fail"],
    [2001, "fail"],
  ] as const)
    test(`${status}es an opening that took ${openMs} ms of 2000`, () =>
      assert.equal(statusOf(checkDatabase({ ...sound, openMs }, prod), "open"), status));

  for (const [diskFreeMb, status] of [
    [49.9, "fail"],
    [50, "pass"],
    [51, "pass"],
    [0, "fail"],
  ] as const)
    test(`${status}es ${diskFreeMb} MB of free disk, 50 are asked for`, () =>
      assert.equal(statusOf(checkDatabase({ ...sound, diskFreeMb }, prod), "disk"), status));

  test("fails a file system without inodes, and passes one that does not count them", () => {
    assert.equal(statusOf(checkDatabase({ ...sound, inodesFree: 0 }, prod), "disk"), "fail");
    assert.equal(statusOf(checkDatabase({ ...sound, inodesFree: null }, prod), "disk"), "pass");
  });

  test("says nothing of a disk that could not be asked", () =>
    assert.equal(
      statusOf(checkDatabase({ ...sound, diskFreeMb: null, inodesFree: null }, prod), "disk"),
      undefined,
    ));

  test("fails without tables, and without the expected ones", () => {
    assert.match(
      partOf(checkDatabase({ ...sound, tables: [] }, prod), "tables").says,
      /no tables at all/,
    );
    const parts = checkDatabase({ ...sound, tables: ["user_stats"] }, prod);
    assert.equal(statusOf(parts, "tables"), "fail");
    assert.match(partOf(parts, "tables").says, /expected tables are missing: current_status/);
  });

  test("asks for one table where the config names none", () => {
    const any = contextOf({ database: { file: "/srv/bot/bot_data.db" } });
    assert.equal(
      statusOf(checkDatabase({ ...sound, tables: ["anything"] }, any), "tables"),
      "pass",
    );
    assert.equal(statusOf(checkDatabase({ ...sound, tables: [] }, any), "tables"), "fail");
  });

  test("fails a write lock that one process keeps, and names the process", () => {
    const part = partOf(
      checkDatabase({ ...sound, writeLock: { pid: 812, ms: 2010 } }, prod),
      "write_lock",
    );
    assert.equal(part.status, "fail");
    assert.match(part.says, /process 812 has held the write lock for over 2010 ms/);
  });

  test("fails damage that quick_check found, and shows five lines of it", () => {
    const lines = Array.from({ length: 9 }, (_, index) => `row ${index} missing from index`);
    const part = partOf(
      checkDatabase({ ...sound, integrity: { file: "/b.db", lines, ms: 5 } }, prod),
      "integrity",
    );
    assert.equal(part.status, "fail");
    assert.equal(part.evidence.length, 5);
    assert.match(part.hint ?? "", /backup/);
  });

  test("does not take an empty answer of quick_check for ok", () => {
    assert.equal(
      statusOf(
        checkDatabase({ ...sound, integrity: { file: "/b.db", lines: [], ms: 5 } }, prod),
        "integrity",
      ),
      "fail",
    );
    assert.equal(
      statusOf(
        checkDatabase(
          { ...sound, integrity: { file: "/b.db", lines: ["ok", "row 1 missing"], ms: 5 } },
          prod,
        ),
        "integrity",
      ),
      "fail",
    );
  });

  test("has an integrity that is off with its reason, or unknown with its reason, never a pass unseen", () => {
    const off = partOf(
      checkDatabase(
        { ...sound, integrity: null, integrityOff: "too large beside a writing bot" },
        prod,
      ),
      "integrity",
    );
    assert.deepEqual([off.status, off.says], ["off", "too large beside a writing bot"]);
    const unseen = partOf(
      checkDatabase({ ...sound, integrity: null, integrityUnseen: "it took over 20 s" }, prod),
      "integrity",
    );
    assert.equal(unseen.status, "unknown");
    assert.match(unseen.says, /it took over 20 s/);
    assert.equal(
      statusOf(checkDatabase({ ...sound, integrity: null }, prod), "integrity"),
      "unknown",
    );
  });

  const codes: [code: string, status: Status, says: RegExp][] = [
    ["ENOENT", "fail", /there is no database file/],
    ["ENOTDIR", "fail", /there is no database file/],
    ["EISDIR", "fail", /a directory/],
    ["SQLITE_NOTADB", "fail", /damaged, or no SQLite database/],
    ["SQLITE_CORRUPT", "fail", /damaged/],
    ["SQLITE_CORRUPT_VTAB", "fail", /damaged/],
    ["SQLITE_BUSY", "fail", /locked exclusively/],
    ["SQLITE_BUSY_RECOVERY", "fail", /locked exclusively/],
    ["SQLITE_LOCKED", "fail", /locked exclusively/],
    ["SQLITE_IOERR_READ", "fail", /cannot be read from the disk/],
    ["EACCES", "unknown", /this user cannot look at it/],
    ["SQLITE_CANTOPEN", "unknown", /this user cannot look at it/],
    ["ERR_DLOPEN_FAILED", "unknown", /another version of Node/],
    ["SOMETHING_NEW", "unknown", /this user cannot look at it/],
  ];
  for (const [code, status, says] of codes) {
    test(`calls ${code} ${status}`, () => {
      const parts = checkDatabase(
        {
          ...sound,
          open: { code, message: "as the system says it" },
          tables: [],
          integrity: null,
          bytes: null,
          journalMode: null,
        },
        prod,
      );
      assertReadable(parts);
      const part = partOf(parts, "open");
      assert.equal(part.status, status);
      assert.match(part.says, says);
      assert.ok(part.evidence.includes(`${code}: as the system says it`));
      assert.equal(statusOf(parts, "integrity"), undefined);
    });
  }
});

// ---------------------------------------------------------------------------- health, connection, users

const document = {
  status: "healthy",
  connected: true,
  user_count: 3,
  uptime_seconds: 60,
  last_updated: (now - 4000) / 1000,
  channel: "#demo",
  environment: "prod",
};
const answered: HealthAnswer = {
  at: now,
  ms: 12.3,
  source: "GET http://127.0.0.1:8080/api/health",
  document,
  problem: null,
  status: 200,
  isUnseen: false,
};

function fieldsOf(
  over: Record<string, unknown> = {},
  health: Config["health"] = prod.config.health,
) {
  const merged = Object.fromEntries(
    Object.entries({ ...document, ...over }).filter(([, value]) => value !== undefined),
  );
  return parseFields(merged, health, now);
}

describe("checkHealth()", () => {
  const healthy: Evidence["health"] = {
    answers: [answered],
    tries: 1,
    fields: fieldsOf(),
    ready: true,
    readyMs: null,
    startedAt: now - 61_000,
  };
  const refusedBy = (problem: string, over: Partial<HealthAnswer> = {}): Part[] =>
    checkHealth(
      {
        ...healthy,
        answers: [{ ...answered, status: null, document: null, problem, ...over }],
        tries: 5,
        fields: null,
        ready: false,
      },
      prod,
    );

  test("passes a healthy document in all its parts", () => {
    const parts = checkHealth(healthy, prod);
    assertReadable(parts);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [
        ["answer", "pass"],
        ["status", "pass"],
        ["age", "pass"],
      ],
    );
  });

  test("records the time to ready where it was waited for", () => {
    assert.match(
      partOf(checkHealth({ ...healthy, readyMs: 2500 }, prod), "answer").says,
      /ready 2\.5 s after its start/,
    );
    assert.doesNotMatch(partOf(checkHealth(healthy, prod), "answer").says, /ready/);
  });

  for (const problem of [
    "connection refused: nothing listens there",
    "HTTP 500",
    "HTTP 503",
    "HTTP 302 to http://elsewhere/; redirects are not followed",
    "HTTP 200, but the body is HTML (text/html, 12 characters)",
    "no whole response within 5000 ms",
    "the response is larger than 1048576 bytes",
  ]) {
    test(`fails on "${problem}"`, () => {
      const [part] = refusedBy(problem);
      assert.equal(part?.status, "fail");
      assert.ok(part?.says.includes(`after 5 tries: ${problem}`), part?.says);
      assert.match(part?.hint ?? "", /^curl -i http/);
    });
  }

  for (const [problem, status] of [
    ["HTTP 401", 401],
    ["HTTP 403", 403],
    ["permission denied", null],
    ["SQLITE_CANTOPEN: unable to open database file", null],
    ["Cannot look: the process for it ended", null],
  ] as const) {
    test(`is unknown on "${problem}", which says nothing of the bot`, () => {
      const [part] = refusedBy(problem, { status, isUnseen: true });
      assert.equal(part?.status, "unknown");
      assert.match(part?.hint ?? "", status ? /wants a login/ : /^curl -i http/);
    });
  }

  test("goes by what the answer was, not by its words", () =>
    assert.equal(refusedBy("HTTP 401", { status: 500 })[0]?.status, "fail"));

  test("fails where there was no answer at all", () => {
    const [part] = checkHealth(
      { ...healthy, answers: [], tries: 0, fields: null, ready: false },
      prod,
    );
    assert.equal(part?.status, "fail");
    assert.match(part?.says ?? "", /no health document: no answer/);
  });

  for (const word of ["healthy", "UP", " running ", "ok"])
    test(`passes the status word "${word}"`, () =>
      assert.equal(
        statusOf(checkHealth({ ...healthy, fields: fieldsOf({ status: word }) }, prod), "status"),
        "pass",
      ));
  for (const word of ["down", "", "unhealthy", true, 1, null, ["healthy"], { ok: true }])
    test(`fails the status ${JSON.stringify(word)}`, () =>
      assert.equal(
        statusOf(checkHealth({ ...healthy, fields: fieldsOf({ status: word }) }, prod), "status"),
        "fail",
      ));

  test("takes the site's own status words, and no others then", () => {
    const own = contextOf({ health: { url: "http://h/", statusUp: ["green"] } });
    assert.equal(
      statusOf(checkHealth({ ...healthy, fields: fieldsOf({ status: "Green" }) }, own), "status"),
      "pass",
    );
    assert.equal(
      statusOf(checkHealth({ ...healthy, fields: fieldsOf({ status: "healthy" }) }, own), "status"),
      "fail",
    );
  });

  test("does not know without a status word, except in a row of the database, which has none", () => {
    assert.equal(
      statusOf(
        checkHealth({ ...healthy, fields: fieldsOf({ status: undefined }) }, prod),
        "status",
      ),
      "unknown",
    );
    const sql = contextOf({ health: { sql: "SELECT * FROM current_status" } });
    const row = parseFields({ connected: 1, last_updated: now / 1000 }, sql.config.health, now);
    assert.equal(statusOf(checkHealth({ ...healthy, fields: row }, sql), "status"), "off");
    const named = contextOf({
      health: { sql: "SELECT * FROM current_status", fields: { status: "/state" } },
    });
    assert.equal(
      statusOf(
        checkHealth(
          { ...healthy, fields: parseFields({ connected: 1 }, named.config.health, now) },
          named,
        ),
        "status",
      ),
      "unknown",
    );
  });

  for (const [uptime, status] of [
    [60, "pass"],
    [65.9, "pass"],
    [66.1, "fail"],
    [9000, "fail"],
    [0, "pass"],
  ] as const) {
    test(`${status}es a document of ${uptime} s of uptime from a process that is 61 s old`, () => {
      const part = partOf(
        checkHealth({ ...healthy, fields: fieldsOf({ uptime_seconds: uptime }) }, prod),
        "age",
      );
      assert.equal(part.status, status);
      if (status === "fail") assert.match(`${part.says} ${part.hint}`, /another process answers/i);
    });
  }

  test("takes a start time in place of an uptime", () => {
    const at = (startedAt: number): Status | undefined =>
      statusOf(
        checkHealth(
          {
            ...healthy,
            fields: fieldsOf({ uptime_seconds: undefined, bot_start_time: startedAt / 1000 }),
          },
          prod,
        ),
        "age",
      );
    assert.equal(at(now - 61_000), "pass");
    assert.equal(at(now - 3_600_000), "fail");
  });

  test("says nothing of an age that the document or the process does not tell, and does not know one that is no number", () => {
    assert.equal(
      statusOf(
        checkHealth({ ...healthy, fields: fieldsOf({ uptime_seconds: undefined }) }, prod),
        "age",
      ),
      undefined,
    );
    assert.equal(
      statusOf(
        checkHealth({ ...healthy, fields: fieldsOf({ uptime_seconds: "61" }) }, prod),
        "age",
      ),
      "unknown",
    );
    assert.equal(statusOf(checkHealth({ ...healthy, startedAt: null }, prod), "age"), undefined);
  });
});

describe("checkConnection()", () => {
  const parts = (over: Record<string, unknown>, context = prod): Part[] =>
    checkConnection(fieldsOf(over), context);

  test("passes true with a fresh heartbeat", () => {
    assertReadable(parts({}));
    assert.deepEqual(
      parts({}).map((part) => [part.part, part.status]),
      [
        ["connected", "pass"],
        ["heartbeat", "pass"],
      ],
    );
  });

  for (const value of [false, "false", "true", 1, 0, null, [], {}, "yes"]) {
    test(`fails connected ${JSON.stringify(value)}, and shows it as it stood there`, () => {
      const part = partOf(parts({ connected: value }), "connected");
      assert.equal(part.status, "fail");
      assert.equal(part.measured, JSON.stringify(value));
    });
  }

  test("does not know without the field", () =>
    assert.equal(statusOf(parts({ connected: undefined }), "connected"), "unknown"));

  test("takes 1 for true in a row of the database only", () => {
    const sql = { sql: "SELECT * FROM current_status" };
    assert.equal(
      statusOf(checkConnection(fieldsOf({ connected: 1 }, sql), prod), "connected"),
      "pass",
    );
    assert.equal(
      statusOf(checkConnection(fieldsOf({ connected: 0 }, sql), prod), "connected"),
      "fail",
    );
    assert.equal(
      statusOf(checkConnection(fieldsOf({ connected: 2 }, sql), prod), "connected"),
      "fail",
    );
  });

  for (const [age, status] of [
    [0, "pass"],
    [29.9, "pass"],
    [30, "pass"],
    [30.1, "fail"],
    [86_400, "fail"],
    [-59, "pass"],
    [-61, "unknown"],
  ] as const) {
    test(`calls a heartbeat of ${age} s ago ${status}, 30 are allowed`, () => {
      assert.equal(statusOf(parts({ last_updated: now / 1000 - age }), "heartbeat"), status);
      assert.equal(
        statusOf(parts({ last_updated: new Date(now - age * 1000).toISOString() }), "heartbeat"),
        status,
      );
    });
  }

  test("fails a heartbeat that is no time, and lists one that does not exist as off", () => {
    for (const value of ["yesterday", true, {}, [], -5, ""])
      assert.equal(
        statusOf(parts({ last_updated: value }), "heartbeat"),
        "fail",
        JSON.stringify(value),
      );
    for (const value of [undefined, null])
      assert.equal(statusOf(parts({ last_updated: value }), "heartbeat"), "off");
  });
});

describe("checkUserCount()", () => {
  for (const [count, status] of [
    [0, "fail"],
    [1, "pass"],
    [2, "pass"],
    [-1, "fail"],
    ["3", "fail"],
    ["", "fail"],
    [1.5, "fail"],
    [null, "fail"],
    [true, "fail"],
    [[1], "fail"],
    [undefined, "unknown"],
  ] as const) {
    test(`calls ${JSON.stringify(count) ?? "a missing count"} ${status}`, () => {
      const parts = checkUserCount(fieldsOf({ user_count: count }), prod);
      assertReadable(parts);
      assert.equal(statusOf(parts, "count"), status);
    });
  }

  test("takes the limit from the config", () => {
    const ten = contextOf({}, { userCountMin: 10 });
    assert.equal(statusOf(checkUserCount(fieldsOf({ user_count: 9 }), ten), "count"), "fail");
    assert.equal(statusOf(checkUserCount(fieldsOf({ user_count: 10 }), ten), "count"), "pass");
  });
});

// ---------------------------------------------------------------------------- response time

describe("checkResponse()", () => {
  const five = (value: number): number[] => [value, value, value, value, value];

  test("passes five fast samples of each kind", () => {
    const parts = checkResponse({ fresh: five(12), keptAlive: five(8), failures: [] }, prod);
    assertReadable(parts);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [
        ["average", "pass"],
        ["kept_alive", "pass"],
        ["tail", "pass"],
      ],
    );
    assert.equal(partOf(parts, "average").measured, 12);
  });

  for (const [value, status] of [
    [999.9, "pass"],
    [1000, "fail"],
    [1500, "fail"],
  ] as const) {
    test(`${status}es an average of ${value} ms, the limit is 1000`, () => {
      assert.equal(
        statusOf(
          checkResponse({ fresh: five(value), keptAlive: five(5), failures: [] }, prod),
          "average",
        ),
        status,
      );
      assert.equal(
        statusOf(
          checkResponse({ fresh: five(5), keptAlive: five(value), failures: [] }, prod),
          "kept_alive",
        ),
        status,
      );
    });
  }

  test("warns of one slow sample that only the tail shows", () => {
    const parts = checkResponse(
      { fresh: [5, 5, 5, 5, 1200], keptAlive: five(5), failures: [] },
      prod,
    );
    assert.deepEqual(
      ["average", "kept_alive", "tail"].map((name) => statusOf(parts, name)),
      ["pass", "pass", "warn"],
    );
  });

  test("warns of a few failed samples, fails most of them, and does not know without any", () => {
    const failures = (count: number): string[] => Array.from({ length: count }, () => "HTTP 500");
    const left = (failed: number): number[] => five(5).slice(0, 5 - failed);
    const samples = (count: number) => ({
      fresh: left(Math.floor(count / 2)),
      keptAlive: left(Math.ceil(count / 2)),
    });
    const parts = (count: number) =>
      checkResponse({ ...samples(count), failures: failures(count) }, prod);
    assert.equal(statusOf(parts(0), "answers"), undefined);
    assert.equal(statusOf(parts(1), "answers"), "warn");
    assert.equal(statusOf(parts(5), "answers"), "warn");
    assert.equal(statusOf(parts(6), "answers"), "fail");
    assert.deepEqual(
      parts(10).map((part) => [part.part, part.status]),
      [["average", "unknown"]],
    );
    assert.match(partOf(parts(10), "average").says, /no sample had an answer: HTTP 500/);
  });

  test("does not know where no sample was taken, of either kind", () => {
    assert.equal(
      statusOf(checkResponse({ fresh: [], keptAlive: [], failures: [] }, prod), "average"),
      "unknown",
    );
    const half = checkResponse({ fresh: five(5), keptAlive: [], failures: [] }, prod);
    assertReadable(half);
    assert.notEqual(statusOf(half, "kept_alive"), "pass");
  });
});

// ---------------------------------------------------------------------------- memory

describe("checkMemory()", () => {
  const samples = (...values: number[]): Evidence["usage"] =>
    values.map((memoryMb, index) => ({
      at: now,
      memoryMb,
      cpuPercent: index ? 3.21 : null,
      processes: 2,
    }));

  for (const [values, status] of [
    [[499, 499, 499], "pass"],
    [[499.9, 499.9, 499.9], "pass"],
    [[500, 500, 500], "fail"],
    [[501, 501, 501], "fail"],
    [[100, 100, 2000, 100], "pass"],
    [[600, 600, 100, 600], "fail"],
  ] as const) {
    test(`${status}es ${values.join(", ")} MB by the median, the limit is 500`, () => {
      const parts = checkMemory(samples(...values), prod);
      assertReadable(parts);
      assert.equal(statusOf(parts, "resident"), status);
    });
  }

  test("says over how many processes it was summed, and the CPU", () => {
    const part = partOf(checkMemory(samples(80, 82), prod), "resident");
    assert.match(part.says, /81 MB in 2 processes, median of 2/);
    assert.ok(part.evidence.includes("CPU 3.21 % of one core"));
  });

  test("never passes without a sample", () => {
    const parts = checkMemory([], prod);
    assert.notEqual(statusOf(parts, "resident"), "pass");
    assertReadable(parts);
  });
});

// ---------------------------------------------------------------------------- error logs

describe("checkErrorLogs()", () => {
  const source = (over: Partial<LogTally> = {}, more: Partial<LogSource> = {}): LogSource => ({
    source: "/srv/bot/bot.log",
    since: now - 300_000,
    tally: { ...emptyTally(), lines: 40, ...over },
    unseen: null,
    hint: null,
    ...more,
  });
  const lenient = contextOf({}, { errorsMax: null });
  const three = contextOf({}, { errorsMax: 3 });
  const rows: [what: string, sources: LogSource[], context: CheckContext, status: Status][] = [
    ["no error", [source()], prod, "pass"],
    ["warnings only", [source({ warnings: 9 })], prod, "pass"],
    ["noise only", [source({ noise: 4 })], prod, "pass"],
    ["one error", [source({ errors: 1 })], prod, "fail"],
    ["one error where errors only warn", [source({ errors: 1 })], lenient, "warn"],
    ["three errors of three allowed", [source({ errors: 3 })], three, "warn"],
    ["four errors of three allowed", [source({ errors: 4 })], three, "fail"],
    [
      "a source that cannot be read",
      [source({}, { unseen: "permission denied" })],
      prod,
      "unknown",
    ],
    [
      "a source that was partly read, and had an error",
      [source({ errors: 1 }, { unseen: "the rest was not read" })],
      prod,
      "fail",
    ],
    ["an error without any timestamp", [source({ undated: 1 })], prod, "unknown"],
    ["an error that is perhaps within the window", [source({ uncertain: 1 })], prod, "warn"],
    ["no source", [], prod, "unknown"],
  ];
  for (const [what, sources, context, status] of rows) {
    test(`calls ${what} ${status}`, () => {
      const parts = checkErrorLogs(sources, context);
      assertReadable(parts);
      assert.equal(parts[0]?.status, status);
    });
  }

  test("shows the lines, the window, and the noise that was counted", () => {
    const [part] = checkErrorLogs(
      [source({ errors: 2, noise: 3, examples: ["ERROR no room"] })],
      prod,
    );
    assert.equal(part?.says, "2 errors in the last 5 min of /srv/bot/bot.log, 3 known as noise");
    assert.deepEqual([part?.measured, part?.limit], [2, 0]);
    assert.ok(part?.evidence.includes("ERROR no room"));
  });

  test("judges each source by itself", () => {
    const parts = checkErrorLogs([source(), source({ errors: 1 }, { source: "journal" })], prod);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [
        ["/srv/bot/bot.log", "pass"],
        ["journal", "fail"],
      ],
    );
  });
});

// ---------------------------------------------------------------------------- configuration, release

describe("checkConfiguration()", () => {
  const running = (
    over: Record<string, unknown> = {},
    file: Evidence["configuration"]["file"] = null,
  ): Evidence["configuration"] => ({
    fields: fieldsOf(over),
    file,
    startedAt: now - 60_000,
  });
  const onDisk = (over: Record<string, unknown> = {}) => ({
    path: "/srv/bot/config.json",
    environment: "prod",
    channel: "demo",
    modifiedAt: now - 90_000,
    ...over,
  });

  test("passes what equals the config, and lists a file that is not set as off", () => {
    const parts = checkConfiguration(running(), prod);
    assertReadable(parts);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [
        ["environment", "pass"],
        ["channel", "pass"],
        ["file", "off"],
      ],
    );
  });

  for (const channel of ["#demo", "demo", "#DEMO", " demo "])
    test(`takes "${channel}" for #demo`, () =>
      assert.equal(statusOf(checkConfiguration(running({ channel }), prod), "channel"), "pass"));
  for (const channel of ["#demo2", "dem", "##demo", "other", 5, ["#demo", "x"]])
    test(`fails the channel ${JSON.stringify(channel)}`, () =>
      assert.equal(statusOf(checkConfiguration(running({ channel }), prod), "channel"), "fail"));
  for (const environment of ["test", "PROD", "production", true])
    test(`fails the environment ${JSON.stringify(environment)}`, () =>
      assert.equal(
        statusOf(checkConfiguration(running({ environment }), prod), "environment"),
        "fail",
      ));

  test("accepts any of a list of environments", () => {
    const either = contextOf({
      configuration: { environment: ["prod", "production"], channel: "#demo" },
    });
    assert.equal(
      statusOf(checkConfiguration(running({ environment: "production" }), either), "environment"),
      "pass",
    );
    assert.equal(
      statusOf(checkConfiguration(running({ environment: "staging" }), either), "environment"),
      "fail",
    );
  });

  for (const missing of [undefined, null, ""]) {
    test(`does not know a field that is ${JSON.stringify(missing) ?? "missing"}`, () => {
      const parts = checkConfiguration(running({ environment: missing, channel: missing }), prod);
      assert.deepEqual(
        ["environment", "channel"].map((name) => statusOf(parts, name)),
        ["unknown", "unknown"],
      );
    });
  }

  test("does not know what the config does not say, also when both sides say nothing", () => {
    const silent = contextOf({ configuration: {} });
    assert.equal(statusOf(checkConfiguration(running(), silent), "channel"), "unknown");
    assert.equal(
      statusOf(checkConfiguration(running({ channel: undefined }), silent), "channel"),
      "unknown",
    );
  });

  test("compares the file on disk with what is running", () => {
    assert.equal(statusOf(checkConfiguration(running({}, onDisk()), prod), "file"), "pass");
    const other = partOf(
      checkConfiguration(running({}, onDisk({ channel: "#other" })), prod),
      "file",
    );
    assert.equal(other.status, "fail");
    assert.match(other.says, /says another channel than what is running/);
    assert.equal(
      statusOf(checkConfiguration(running({}, onDisk({ environment: "test" })), prod), "file"),
      "fail",
    );
    assert.equal(
      statusOf(
        checkConfiguration(
          running({}, onDisk({ environment: undefined, channel: undefined })),
          prod,
        ),
        "file",
      ),
      "unknown",
    );
  });

  test("warns of a file that was edited after the start, though it says the same", () => {
    const edited = (modifiedAt: number): Status | undefined =>
      statusOf(checkConfiguration(running({}, onDisk({ modifiedAt })), prod), "file");
    assert.equal(edited(now - 60_000 + 1000), "pass");
    assert.equal(edited(now - 60_000 + 1001), "warn");
  });
});

describe("checkRelease()", () => {
  for (const [expected, version, id, status] of [
    ["1.4.2", "1.4.2", null, "pass"],
    ["1.4.2", "v1.4.2", null, "pass"],
    ["v1.4.2", " 1.4.2 ", null, "pass"],
    ["1.4.2", "1.4.3", null, "fail"],
    ["1.4.2", "1.4.20", null, "fail"],
    ["2026-11-21", null, "2026-11-21", "pass"],
    ["2026-11-21", "1.4.2", "2026-11-21", "pass"],
    ["2026-11-21", "1.4.2", "2026-11-20", "fail"],
    ["1.4.2", null, null, "unknown"],
  ] as const) {
    test(`calls ${version} in ${id} ${status} where ${expected} is expected`, () => {
      const parts = checkRelease({ expected, version, releaseId: id });
      assertReadable(parts);
      assert.equal(parts[0]?.status, status);
    });
  }
});

// ---------------------------------------------------------------------------- stability

describe("checkStability()", () => {
  const series = (
    memoryMb: number[],
    responseMs: (number | null)[] = [],
  ): WatchEvidence["series"] => ({
    pollSeconds: responseMs.map((_, index) => index),
    responseMs,
    users: responseMs.map(() => 3),
    sampleSeconds: memoryMb.map((_, index) => index),
    memoryMb,
    cpuPercent: memoryMb.map(() => 1),
  });
  const flat = (count: number, value: number): number[] =>
    Array.from({ length: count }, (_, index) => value + (index % 3) / 10);
  const calm: WatchEvidence = {
    secondsPlanned: 300,
    secondsWatched: 300,
    series: series(flat(60, 80), flat(60, 10)),
    polls: 60,
    misses: { health: 0, connection: 0, users: 0 },
    incident: null,
    newErrors: 0,
    unseen: 0,
    history: null,
  };
  const slope = (count: number, from: number, by: number): number[] =>
    Array.from({ length: count }, (_, index) => from + (by * index) / (count - 1));

  test("passes a calm watch with one part", () => {
    const parts = checkStability(calm, prod);
    assertReadable(parts);
    assert.deepEqual(
      parts.map((part) => [part.part, part.status]),
      [["watch", "pass"]],
    );
    assert.match(parts[0]?.says ?? "", /stable for 5 min, 60 polls/);
  });

  for (const kind of [
    "died",
    "restarted",
    "stopped",
    "zombie",
    "health",
    "connection",
    "users",
    "memory",
    "errors",
    "uptime",
  ] as const) {
    test(`fails an incident of the kind "${kind}", and shows its evidence`, () => {
      const incident = {
        kind,
        at: now,
        says: `something ${kind} happened to the bot`,
        evidence: ["seen"],
      };
      assert.deepEqual(
        checkStability({ ...calm, secondsWatched: 12, incident }, prod).map((part) => [
          part.status,
          part.says,
          part.evidence,
        ]),
        [["fail", incident.says, ["seen"]]],
      );
    });
  }

  for (const [missed, status] of [
    [0, undefined],
    [1, "warn"],
    [15, "warn"],
    [16, "fail"],
  ] as const) {
    test(`calls ${missed} missed polls of 60 ${status ?? "nothing"}`, () => {
      for (const kind of ["health", "connection", "users"] as const)
        assert.equal(
          statusOf(
            checkStability({ ...calm, misses: { ...calm.misses, [kind]: missed } }, prod),
            `${kind}_misses`,
          ),
          status,
        );
    });
  }

  test("allows two misses in a watch of a few polls, for three in a row are what fails", () => {
    const few = { ...calm, polls: 3 };
    assert.equal(
      statusOf(
        checkStability({ ...few, misses: { ...calm.misses, health: 2 } }, prod),
        "health_misses",
      ),
      "warn",
    );
    assert.equal(
      statusOf(
        checkStability({ ...few, misses: { ...calm.misses, health: 3 } }, prod),
        "health_misses",
      ),
      "fail",
    );
  });

  test("does not know a memory that could not be followed", () =>
    assert.equal(
      statusOf(checkStability({ ...calm, series: series([], flat(60, 10)) }, prod), "memory"),
      "unknown",
    ));

  test("never passes a watch that polled nothing", () => {
    const parts = checkStability({ ...calm, polls: 0, series: series(flat(60, 80)) }, prod);
    assert.ok(
      parts.some((part) => part.status !== "pass"),
      "a watch without a single answer passed",
    );
  });

  test("warns of memory that grew steadily beyond the limit, and tells of growth below it", () => {
    const grown = (by: number): Status | undefined =>
      statusOf(
        checkStability({ ...calm, series: series(slope(60, 80, by), flat(60, 10)) }, prod),
        "memory_growth",
      );
    assert.equal(grown(40), "pass"); // Four fifths of it lie between the first and the last block.
    assert.equal(grown(61), "pass");
    assert.equal(grown(64), "warn");
    assert.equal(grown(300), "warn");
  });

  test("warns of response times that grew by a tenth of their limit", () => {
    const grown = (by: number): Status | undefined =>
      statusOf(
        checkStability({ ...calm, series: series(flat(60, 80), slope(60, 10, by)) }, prod),
        "response_growth",
      );
    assert.equal(grown(110), "pass");
    assert.equal(grown(140), "warn");
  });

  test("leaves polls without an answer out of the trend", () => {
    const gaps = slope(60, 10, 300).map((value, index) => (index % 4 ? value : null));
    assertReadable(checkStability({ ...calm, series: series(flat(60, 80), gaps) }, prod));
    assert.equal(
      statusOf(
        checkStability({ ...calm, series: series(flat(60, 80), gaps) }, prod),
        "response_growth",
      ),
      "warn",
    );
  });

  test("warns of new errors in the log that did not fail the watch", () => {
    assert.equal(statusOf(checkStability({ ...calm, newErrors: 2 }, prod), "errors"), "warn");
    assert.equal(statusOf(checkStability(calm, prod), "errors"), undefined);
  });

  test("warns of a release that is a quarter worse than the last one that passed, and of nothing less", () => {
    const history = {
      version: "1.4.1",
      ts: "2026-11-20T10:00:00.000Z",
      responseMs: flat(60, 8),
      memoryMb: flat(60, 80),
    };
    const against = (value: number): Part[] =>
      checkStability({ ...calm, series: series(flat(60, value), flat(60, 8)), history }, prod);
    assert.equal(statusOf(against(80), "memory_history"), "pass");
    assert.equal(statusOf(against(99), "memory_history"), "pass");
    assert.equal(statusOf(against(101), "memory_history"), "warn");
    assert.match(
      partOf(against(101), "memory_history").says,
      /release 1\.4\.1 had 80\.1 MB on 2026-11-20/,
    );
    assert.equal(statusOf(against(40), "memory_history"), "pass");
  });

  test("compares no history of fewer than ten samples", () => {
    const history = {
      version: "1.4.1",
      ts: "2026-11-20T10:00:00.000Z",
      responseMs: [1],
      memoryMb: flat(9, 10),
    };
    assert.equal(statusOf(checkStability({ ...calm, history }, prod), "memory_history"), undefined);
  });
});

// ---------------------------------------------------------------------------- the table, and the fold of parts

describe("CHECKS", () => {
  test("has a row for each check, in report order", () =>
    assert.deepEqual(
      CHECKS.map((check) => check.name),
      CHECK_NAMES,
    ));

  test("has no row that is off under a config which has everything", () => {
    const whole = contextOf({ release: { version: "1.4.2" } }).config;
    assert.deepEqual(
      CHECKS.filter((check) => check.off(whole) !== null).map((check) => check.name),
      [],
    );
  });

  const absences: [name: string, over: Partial<Config>, limits: Partial<Limits>, reason: RegExp][] =
    [
      ["database", { database: undefined }, {}, /no database in the config/],
      ["response_time", { health: { sql: "SELECT 1" } }, {}, /no endpoint to time/],
      ["user_count", { environment: "test" }, { userCountMin: null }, /not checked in test/],
      ["memory_usage", { environment: "test" }, { memoryMbMax: null }, /not checked in test/],
      ["configuration", { environment: "test" }, {}, /not checked in test/],
      ["release", {}, {}, /no version is expected/],
      ["uptime_stability", { environment: "test" }, { watchSeconds: 0 }, /not checked in test/],
    ];
  for (const [name, over, limits, reason] of absences) {
    test(`says why ${name} does not exist`, () => {
      const row = CHECKS.find((check) => check.name === name);
      assert.match(row?.off(contextOf(over, limits).config) ?? "", reason);
    });
  }
});

describe("foldParts() and judgeCheck()", () => {
  const row = CHECKS.find((check) => check.name === "connection") as (typeof CHECKS)[number];
  const part = (name: string, status: Status): Part => ({
    part: name,
    status,
    measured: 1,
    limit: 2,
    unit: "s",
    says: `${name} is ${status}`,
    evidence: [name],
    hint: null,
  });
  const run = {
    config: prod.config,
    selected: new Set(CHECK_NAMES),
    phase: "initial" as const,
    interruption: null,
    incident: null,
  };

  test("foldParts() lets the worst part speak, and lists all", () => {
    const finding = foldParts(
      row.name,
      "initial",
      [part("a", "pass"), part("b", "fail"), part("c", "unknown"), part("d", "fail")],
      prod.config,
    );
    assert.deepEqual(
      [finding.status, finding.says, finding.parts.length],
      ["fail", "b is fail; d is fail", 4],
    );
    assert.deepEqual(finding.evidence, ["b", "d"]);
    assert.ok(finding.hint);
  });

  test("foldParts() of nothing is unknown", () =>
    assert.equal(foldParts(row.name, "initial", [], prod.config).status, "unknown"));

  test("foldParts() turns a part off with the config's reason, and the rest speaks", () => {
    const config = { ...prod.config, off: { "connection.b": "cannot exist here" } };
    const finding = foldParts(row.name, "initial", [part("a", "pass"), part("b", "fail")], config);
    assert.equal(finding.status, "pass");
    assert.deepEqual(finding.parts.map((one) => [one.status, one.says])[1], [
      "off",
      "cannot exist here",
    ]);
  });

  test("foldParts() is off, not a pass, when every part is off", () => {
    const config = { ...prod.config, off: { "connection.b": "cannot exist here" } };
    assert.equal(foldParts(row.name, "initial", [part("b", "pass")], config).status, "off");
  });

  test("foldParts() gives a hint to what went wrong, the site's own first", () => {
    const own = { ...prod.config, hints: { connection: "Ask in the channel." } };
    assert.equal(
      foldParts(row.name, "initial", [part("a", "fail")], own).hint,
      "Ask in the channel.",
    );
    assert.match(
      foldParts(row.name, "initial", [part("a", "fail")], prod.config).hint ?? "",
      /^tail -n 50 \/srv\/bot\/bot\.log/,
    );
    assert.equal(foldParts(row.name, "initial", [part("a", "pass")], own).hint, null);
  });

  test("judgeCheck() turns a slice that is missing or was not seen into unknown, with the reason", () => {
    assert.deepEqual(
      [judgeCheck(row, {}, run, now).status, judgeCheck(row, {}, run, now).says],
      ["unknown", "nothing was observed"],
    );
    const unseen: Observations = {
      fields: { seen: false, why: "there is no health document", hint: "curl" },
    };
    const finding = judgeCheck(row, unseen, run, now);
    assert.deepEqual(
      [finding.status, finding.says, finding.hint],
      ["unknown", "there is no health document", "curl"],
    );
    assert.match(judgeCheck(row, {}, { ...run, interruption: "deadline" }, now).says, /deadline/);
  });

  test("judgeCheck() skips what the flags leave out, and what an incident left unseen", () => {
    assert.equal(
      judgeCheck(row, {}, { ...run, selected: new Set(["process"]) }, now).status,
      "skipped",
    );
    const incident = {
      kind: "died" as const,
      at: now,
      brief: "the bot died",
      says: "the bot died: pid 7 was gone",
      evidence: [],
    };
    const finding = judgeCheck(row, {}, { ...run, interruption: "incident", incident }, now);
    assert.deepEqual([finding.status, finding.says], ["skipped", "not looked at: the bot died"]);
  });

  test("judgeCheck() is off with the config's reason, whatever was observed", () => {
    const config = { ...prod.config, off: { connection: "it has no connection" } };
    const seen: Observations = { fields: { seen: true, value: fieldsOf({ connected: false }) } };
    assert.deepEqual(
      [
        judgeCheck(row, seen, { ...run, config }, now).status,
        judgeCheck(row, seen, run, now).status,
      ],
      ["off", "fail"],
    );
  });

  test("worseFinding() keeps the worse of two looks, and the later of equal ones", () => {
    const finding = (status: Status, says: string) => ({
      ...foldParts(row.name, "initial", [part("a", status)], prod.config),
      says,
    });
    assert.equal(worseFinding(undefined, finding("pass", "later")).says, "later");
    assert.equal(worseFinding(finding("fail", "before"), finding("pass", "later")).says, "before");
    assert.equal(worseFinding(finding("pass", "before"), finding("warn", "later")).says, "later");
    assert.equal(worseFinding(finding("pass", "before"), finding("pass", "later")).says, "later");
  });
});
