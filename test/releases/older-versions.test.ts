/**
 * What an older version wrote, when a release had four names: its log, its state and its flags are
 * read as before, and everything here knows them by today's two names.
 */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Config, readConfig } from "../../lib/config.ts";
import { type Entry, parseHistory, readRecords, renameKey, scanRecords } from "../../lib/log.ts";
import { foldRecord, type ReleaseState } from "../../lib/releases/state.ts";
import { readState } from "../../lib/releases/state-file.ts";
import type { Result } from "../../lib/run.ts";
import { RULES } from "../../verify.ts";
import {
  createDirectory,
  type Run,
  runVerify,
  type Settings,
  writeConfig,
} from "../support/harness.ts";

const older = join(import.meta.dirname, "../golden/older");
const readOlder = (name: string): string => readFileSync(join(older, name), "utf8");
const rawRecords: Entry[] = readOlder("verify.jsonl")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Entry);
const rawState = JSON.parse(readOlder("prod.releases.json"));

type Scene = { directory: string; config: Config };

/** A host after an upgrade: releases r1, r2 and r3, of which the named one is current. */
function upgraded(files: Readonly<Record<string, string>>, current = "r2"): Scene {
  const directory = createDirectory();
  for (const name of ["state", "flags", "bin"]) mkdirSync(join(directory, name));
  for (const [index, id] of ["r1", "r2", "r3"].entries()) {
    const complete = join(directory, "releases", id, ".complete");
    mkdirSync(join(directory, "releases", id), { recursive: true });
    writeFileSync(complete, "");
    utimesSync(complete, 1_700_000_000 + index, 1_700_000_000 + index);
  }
  symlinkSync(`releases/${current}`, join(directory, "current"));
  for (const [name, place] of Object.entries(files)) {
    copyFileSync(join(older, name), join(directory, place));
  }
  // What this machine's own units do is none of it.
  writeFileSync(join(directory, "bin/systemctl"), "#!/bin/sh\nexit 64\n", { mode: 0o755 });
  const settings: Settings = {
    release: { directory: "releases" },
    rollback: { auto: true },
    state: { directory: "state", flags: "flags" },
    limits: { burninSeconds: 8 },
    burnin: { timeZone: "UTC" },
    alert: { sinks: [{ kind: "command", command: ["true"] }] },
  };
  return { directory, config: readConfig("prod", writeConfig(directory, 9, settings), RULES) };
}

const LOG = { "verify.jsonl": "verify.jsonl" };
const STATE = { "prod.releases.json": "state/prod.releases.json" };

const run = ({ directory, config }: Scene, ...args: string[]): Promise<Run> =>
  runVerify([...args, "--env", "prod", "--config", config.file], {
    env: { PATH: `${join(directory, "bin")}:${process.env.PATH}` },
  });

/** An old state or an old record with today's names, written out by hand for the comparison. */
function renamed({ release, identity, burnin, ...others }: Entry): Entry {
  const record: Entry = { ...others };
  if (release !== undefined) record.releaseId = release;
  if (identity !== undefined) {
    const { release: version, ...known } = identity as Entry;
    record.identity = { ...known, version };
  }
  if (typeof burnin === "object" && burnin !== null) {
    const { release: releaseId, ...head } = burnin as Entry;
    record.burnin = { ...head, releaseId };
  } else if (burnin !== undefined) record.burnin = burnin;
  return record;
}

// ---------------------------------------------------------------------------- the log

for (const kind of ["verify", "burnin", "checkpoint", "rollback", "note", "alert"]) {
  test(`readRecords() and scanRecords() read an older record of kind ${kind} by today's names`, () => {
    const { config } = upgraded(LOG);
    const isOfKind = (record: Entry): boolean => record.kind === kind;
    const expected = rawRecords.filter(isOfKind).map(renamed);
    assert.ok(expected.length > 0);
    assert.deepEqual(readRecords(config.logFile).records.filter(isOfKind), expected);
    const scanned = [...scanRecords(config.logFile, { foreign: 0, unread: [] })];
    assert.deepEqual(scanned.filter(isOfKind), expected);
  });
}

test("readRecords() knows an older release by its directory, and a bot by its version", () => {
  const { records, torn } = readRecords(upgraded(LOG).config.logFile);
  assert.equal(torn, 0);
  const seen = (records as Result[])
    .filter(({ kind }) => kind === "verify" || kind === "burnin")
    .map(({ releaseId, identity, burnin }) =>
      [releaseId, identity?.version, burnin?.releaseId].join(" "),
    );
  assert.deepEqual(seen, [
    "r2 1.4.2 ",
    "r2 1.4.2 r2",
    "r2 1.4.2 r2",
    "r3 1.4.2 ",
    "r2 1.4.2 ",
    "r2 1.4.2 r2",
  ]);
});

test("renameKey() leaves today's name where both are there, and everything that is no object", () => {
  assert.deepEqual(renameKey({ a: 1, b: 2 }, "a", "b"), { b: 2 });
  assert.deepEqual(renameKey({ a: null }, "a", "b"), { b: null });
  for (const value of [{ b: 1 }, null, undefined, "a", 1, []]) {
    assert.equal(renameKey(value, "a", "b"), value);
  }
});

test("parseHistory() takes its samples from an older record of another version", () => {
  const { records } = readRecords(upgraded(LOG).config.logFile);
  const history = parseHistory(records, "prod", "1.4.3");
  assert.equal(history?.version, "1.4.2");
  assert.ok(history.memoryMb.length > 0);
  assert.equal(parseHistory(records, "prod", "1.4.2"), null);
});

// ---------------------------------------------------------------------------- the state

test("readState() reads an older state by today's names", () => {
  const state = readState(upgraded(STATE).config);
  const { last, burnin, ...others } = rawState;
  assert.deepEqual(state, {
    ...others,
    last: renamed(last),
    burnin: renamed(burnin),
  });
  assert.deepEqual([state.last?.releaseId, state.burnin?.releaseId], ["r2", "r2"]);
});

test("readState() builds the same state from an older log, but for what the log never had", () => {
  const fromFile = readState(upgraded(STATE).config);
  const { r2 } = fromFile.passed;
  assert.deepEqual(readState(upgraded(LOG).config), { ...fromFile, passed: { r2 } });
});

test("foldRecord() goes on with an older burn-in, and counts the failures of an older release", () => {
  const state = readState(upgraded(STATE).config);
  const { config } = upgraded(LOG);
  const records = readRecords(config.logFile).records as Result[];
  const pass = records.findLast(({ kind }) => kind === "verify") as Result;
  const again: Result = { ...pass, run: "run-9", ts: "2025-12-01T05:00:00.000Z" };
  assert.equal(foldRecord(state, again).burnin?.id, state.burnin?.id);
  const failed: Result = { ...again, verdict: "fail", exit: 1 };
  const failing: ReleaseState = { ...state, failures: 2 };
  assert.equal(foldRecord(failing, failed).failures, 3);
  assert.equal(foldRecord(failing, { ...failed, releaseId: "r3" }).failures, 1);
});

// ---------------------------------------------------------------------------- the flags

describe("a rollback that an older version has asked for", { concurrency: 2 }, () => {
  const onlyPassed = { ...rawState, rollbacks: [], quarantined: {}, last: null, burnin: null };

  test("is switched: --switch leaves the release that the older request names", async () => {
    const scene = upgraded({ ...LOG, "prod.rollback": "flags/prod.rollback" }, "r3");
    writeFileSync(scene.config.state.releases, JSON.stringify(onlyPassed));
    const { code, stderr } = await run(scene, "rollback", "--switch");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^rolling back r3 → r2$/m);
    assert.equal(readlinkSync(join(scene.directory, "current")), "releases/r2");
    const rolling = JSON.parse(readFileSync(scene.config.state.flag("rolling"), "utf8"));
    assert.deepEqual([rolling.releaseId, rolling.to, "release" in rolling], ["r3", "r2", false]);
    assert.equal(readState(scene.config).rollbacks.at(-1)?.from, "r3");
  });

  test("is refused where another release is current by now", async () => {
    const scene = upgraded({ "prod.rollback": "flags/prod.rollback" }, "r1");
    writeFileSync(scene.config.state.releases, JSON.stringify(onlyPassed));
    const { code, stderr } = await run(scene, "rollback", "--switch");
    assert.equal(code, 42, stderr);
    assert.match(stderr, /current has moved on: r3 was judged, r1 is current/);
  });

  test("is confirmed: --confirm ends what an older version has switched", async () => {
    const scene = upgraded({});
    writeFileSync(scene.config.state.releases, JSON.stringify(onlyPassed));
    // Nobody has to be healthy for this one, and no bot runs here.
    const rolling = { ...JSON.parse(readOlder("prod.rolling")), emergency: true };
    writeFileSync(scene.config.state.flag("rolling"), JSON.stringify(rolling));
    const { code, stderr } = await run(scene, "rollback", "--confirm");
    assert.equal(code, 0, stderr);
    const record = readRecords(scene.config.logFile).records.at(-1);
    assert.deepEqual([record?.kind, record?.from, record?.to], ["rollback", "r3", "r2"]);
    assert.deepEqual(Object.keys(readState(scene.config).quarantined), ["r3"]);
    assert.ok(!existsSync(scene.config.state.flag("rolling")));
  });
});

// ---------------------------------------------------------------------------- what is made of them

describe("an older log with an older state", { concurrency: 2 }, () => {
  test("gives the same status", async () => {
    const { code, stdout } = await run(upgraded({ ...LOG, ...STATE }), "status");
    assert.equal(code, 75);
    assert.equal(
      stdout.replace(/[\d.]+ [a-z]+(?: \d+ [a-z]+)? ago/g, "… ago"),
      readOlder("status.txt"),
    );
  });

  test("gives the same status as JSON, but for the names", async () => {
    const { stdout } = await run(upgraded({ ...LOG, ...STATE }), "status", "--json");
    const { last, burnin, ...expected } = renamed(JSON.parse(readOlder("status.json")));
    const status = JSON.parse(stdout);
    assert.deepEqual(status, {
      ...expected,
      last: renamed(last as Entry),
      burnin: { ...(burnin as Entry), age: status.burnin.age },
    });
  });

  test("gives the same report", async () => {
    const { code, stdout } = await run(upgraded({ ...LOG, ...STATE }), "report", "--format", "md");
    assert.equal(code, 0);
    const report = stdout
      .replace(`(${hostname()})`, "(bot-host)")
      .replace(/^Written by .*$/m, "Written by cytube-verify.")
      .replace(/^## Validator: .*$/m, "## Validator: root");
    assert.equal(report, readOlder("report.md"));
  });

  test("gives the same alert", async () => {
    const { code, stdout } = await run(upgraded({ ...LOG, ...STATE }), "alert", "--dry-run");
    assert.equal(code, 0);
    const [alert = ""] = stdout.replace(`on ${hostname()}:`, "on bot-host:").split("\n\nLook");
    assert.equal(`${alert}\n`, readOlder("alert.txt"));
  });
});
