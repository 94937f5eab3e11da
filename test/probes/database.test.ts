/**
 * The database: what is seen of real SQLite files. Looking must never change what is looked at: no
 * file is created, no lock is kept.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type Database from "better-sqlite3";
import { type DatabaseReader, openDatabaseReader } from "../../lib/probes/database.ts";
import { type DatabaseEvidence, parseLockHolder } from "../../lib/probes/database-child.ts";
import { readTree } from "../../lib/probes/process.ts";
import { configWith, limits } from "../support/config.ts";
import { createDatabase, patientMs } from "../support/database.ts";
import {
  buildOnce,
  createDirectory,
  projectFor,
  sendSignal,
  unprivilegedUid,
  until,
} from "../support/harness.ts";

test("parseLockHolder() finds who holds a write lock on a byte", () => {
  const locks = `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 1073741825 1073741825
2: POSIX  ADVISORY  READ  1235 08:01:5678 1073741826 1073742335
3: FLOCK  ADVISORY  WRITE 1236 00:1a:77 0 EOF
4: POSIX  ADVISORY  WRITE 1237 08:01:99 120 127
4: -> POSIX  ADVISORY  WRITE 1238 08:01:100 120 120
5: OFDLCK ADVISORY  READ  -1 08:01:101 120 120
`;
  const holder = (inode: number, byte: number) => parseLockHolder(locks, inode, byte);
  assert.deepEqual(
    [holder(5678, 1073741825), holder(5678, 1073741826), holder(5678, 1073741824)],
    [1234, null, null],
  );
  assert.deepEqual(
    [
      holder(77, 0),
      holder(77, 1e9),
      holder(99, 119),
      holder(99, 120),
      holder(99, 127),
      holder(99, 128),
    ],
    [null, null, null, 1237, 1237, null],
  );
  // SQLite takes POSIX locks; another kind with this inode's number is of another file system.
  assert.equal(parseLockHolder("1: OFDLCK ADVISORY  WRITE -1 08:01:5678 0 EOF\n", 5678, 120), null);
  // Who waits for a lock does not hold it, and a reader holds none.
  assert.deepEqual(
    [holder(100, 120), holder(101, 120), holder(1, 120), parseLockHolder("", 1, 120)],
    [null, null, null, null],
  );
});

const root = createDirectory();
const readers: DatabaseReader[] = [];
after(() => {
  for (const reader of readers) reader.close();
  rmSync(root, { recursive: true, force: true });
});

function openReader(file: string, over: { backup?: string; busyMs?: number } = {}): DatabaseReader {
  const reader = openDatabaseReader(
    configWith({
      database: { file, backup: over.backup },
      limits: { ...limits, databaseMsMax: over.busyMs ?? patientMs },
    }),
  );
  readers.push(reader);
  return reader;
}

/** Its start is no part of the time that a test gives to the look at the database. */
const startChildOf = (reader: DatabaseReader) => reader.query("SELECT 1", patientMs);

async function inspect(
  file: string,
  over: { backup?: string; busyMs?: number } = {},
): Promise<DatabaseEvidence> {
  const reader = openReader(file, over);
  await startChildOf(reader);
  const evidence = await reader.inspect();
  reader.close();
  return evidence;
}

/** Makes it large enough that there are pages to damage. */
function fill(database: Database.Database): void {
  const insert = database.prepare("INSERT INTO user_stats VALUES (?)");
  database.transaction(() => {
    for (let index = 0; index < 2000; index++) insert.run("x".repeat(100));
  })();
}

for (const mode of ["wal", "delete"] as const) {
  test(`inspect() sees a sound database in journal mode ${mode} beside its writer, and leaves it as it was`, async () => {
    const { file, directory, database } = createDatabase(mode);
    const before = readdirSync(directory).sort();
    const evidence = await inspect(file);
    assert.deepEqual(
      [
        evidence.open,
        evidence.journalMode,
        evidence.tables.sort(),
        evidence.integrity?.lines,
        evidence.writeLock,
      ],
      [null, mode === "wal" ? "wal" : "rollback", ["current_status", "user_stats"], ["ok"], null],
    );
    assert.equal(evidence.bytes, statSync(file).size);
    assert.ok((evidence.diskFreeMb ?? 0) > 0);
    assert.deepEqual(readdirSync(directory).sort(), before);
    database.exec("INSERT INTO user_stats VALUES ('x')");
    database.close();
  });
}

test("inspect() sees tables that are still in the WAL only", async () => {
  const { file, database } = createDatabase("wal");
  database.pragma("wal_autocheckpoint = 0");
  database.exec("CREATE TABLE late (x)");
  assert.ok((await inspect(file)).tables.includes("late"));
  database.close();
});

test("inspect() does not create a database that is missing", async () => {
  const directory = join(root, "missing");
  mkdirSync(directory);
  const { open, bytes } = await inspect(join(directory, "bot_data.db"));
  assert.deepEqual([open?.code, bytes, readdirSync(directory)], ["ENOENT", null, []]);
});

test("inspect() reads an empty file as a database without tables", async () => {
  const file = join(root, "empty.db");
  writeFileSync(file, "");
  const { open, tables, bytes } = await inspect(file);
  assert.deepEqual([open, tables, bytes], [null, [], 0]);
});

test("inspect() tells what is not a database from what cannot be read", async () => {
  const text = join(root, "text.db");
  writeFileSync(text, "this is no database, but it is longer than the header of one ".repeat(5));
  assert.match((await inspect(text)).open?.code ?? "", /NOTADB/);
  assert.match((await inspect(root)).open?.code ?? "", /EISDIR|CANTOPEN/);
});

test("inspect() finds a damaged page", async () => {
  const { file, database } = createDatabase("delete");
  fill(database);
  database.close();
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(4096, 0xff), 0, 4096, 4096 * 10);
  closeSync(descriptor);
  const { open, integrity } = await inspect(file);
  assert.equal(open, null);
  assert.notDeepEqual(integrity?.lines, ["ok"]);
  assert.ok((integrity?.lines.length ?? 0) > 0);
});

test("inspect() finds a database that was cut", async () => {
  const { file, database } = createDatabase("delete");
  fill(database);
  database.close();
  truncateSync(file, statSync(file).size - 8192);
  const { open, integrity } = await inspect(file);
  assert.ok(
    /CORRUPT/.test(open?.code ?? "") ||
      /malformed|CORRUPT|exceed|invalid|out of/i.test(integrity?.lines.join() ?? ""),
    JSON.stringify({ open, integrity }),
  );
});

/** How long is waited where a lock stays: the bound that a test of it is about. */
const lockMs = 3000;

test("inspect() names the process that keeps a write lock, in both journal modes", async () => {
  for (const mode of ["wal", "delete"] as const) {
    const { file, database } = createDatabase(mode);
    database.exec("BEGIN IMMEDIATE; INSERT INTO user_stats VALUES ('x')");
    const { open, writeLock } = await inspect(file, { busyMs: lockMs });
    assert.deepEqual([open, writeLock?.pid], [null, process.pid], mode);
    assert.ok((writeLock?.ms ?? 0) >= lockMs, `${mode}: ${writeLock?.ms} ms`);
    database.exec("COMMIT");
    assert.equal((await inspect(file)).writeLock, null, mode);
    database.close();
  }
});

test("inspect() does not take a commit for a lasting lock", async () => {
  const { file, database } = createDatabase("wal");
  const reader = openReader(file, { busyMs: 1500 });
  await startChildOf(reader);
  database.exec("BEGIN IMMEDIATE; INSERT INTO user_stats VALUES ('x')");
  const timer = setTimeout(() => database.exec("COMMIT"), 700);
  const { open, writeLock } = await reader.inspect();
  clearTimeout(timer);
  assert.deepEqual([open, writeLock], [null, null]);
  database.close();
});

test("inspect() says busy, not corrupt, while another process locks everything", async () => {
  const { file, database } = createDatabase("delete");
  database.exec("BEGIN EXCLUSIVE");
  const { open, openMs } = await inspect(file, { busyMs: lockMs });
  assert.match(open?.code ?? "", /BUSY/);
  assert.ok(openMs >= lockMs);
  database.exec("ROLLBACK");
  database.close();
});

test("inspect() leaves a large rollback-journal database alone and checks its newest backup", async () => {
  const { file, directory, database } = createDatabase("delete");
  database.close();
  const backups = join(directory, "backups");
  mkdirSync(backups);
  copyFileSync(file, join(backups, "good.db"));
  // SQLite ignores what follows the pages that the header counts.
  truncateSync(file, 60 << 20);
  const without = await inspect(file);
  assert.equal(without.integrity, null);
  assert.match(without.integrityOff ?? "", /60 MB.*database\.backup/);
  const checked = await inspect(file, { backup: backups });
  assert.deepEqual(
    [checked.integrity?.file, checked.integrity?.lines],
    [join(backups, "good.db"), ["ok"]],
  );
});

test("query() reads the public bot's row, and at most two rows", async () => {
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  assert.deepEqual(
    await reader.query("SELECT bot_connected, last_updated FROM current_status", patientMs),
    {
      rows: [{ bot_connected: 1, last_updated: 1795295066 }],
      problem: null,
      code: "",
    },
  );
  assert.equal(
    (
      await reader.query(
        "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT x FROM n",
        patientMs,
      )
    ).rows.length,
    2,
  );
  assert.match((await reader.query("SELECT * FROM nowhere", patientMs)).problem ?? "", /nowhere/);
  for (const write of [
    "DELETE FROM current_status",
    "WITH x AS (SELECT 1) DELETE FROM current_status",
    "CREATE TABLE evil (x)",
  ])
    assert.ok((await reader.query(write, patientMs)).problem, write);
  assert.equal(database.prepare("SELECT count(*) AS n FROM current_status").pluck().get(), 1);
  reader.close();
  database.close();
});

test("query() ends a query that does not end, and the next one is answered", async () => {
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  const endless =
    "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT max(x) AS m FROM n";
  assert.match((await reader.query(endless, 100)).problem ?? "", /no answer within/);
  assert.equal(
    (await reader.query("SELECT count(*) AS n FROM current_status", patientMs)).rows.length,
    1,
  );
  reader.close();
  database.close();
});

/** The pids of this process's children. */
const ownChildren = (): number[] => readTree(process.pid).slice(1);

test("close() leaves no process behind", async () => {
  const before = new Set(ownChildren());
  const { file, database } = createDatabase("delete");
  const reader = openReader(file);
  await reader.inspect();
  const started = ownChildren().filter((pid) => !before.has(pid));
  assert.equal(started.length, 1);
  reader.close();
  await until("the child is gone", () => !sendSignal(started[0] as number, 0));
  database.close();
});

/**
 * Inspects as another user, under setpriv, so that the reader's child has that uid too. A file,
 * because fork() would pass on `--eval`.
 */
function inspectAs(uid: number, file: string): DatabaseEvidence {
  const script = join(root, "inspect.mjs");
  const config = JSON.stringify({
    database: { file },
    limits: { ...limits, databaseMsMax: patientMs },
  });
  const project = projectFor(uid);
  const code = `import { openDatabaseReader } from ${JSON.stringify(join(project, "lib/probes/database.ts"))};
const reader = openDatabaseReader(${config});
console.log(JSON.stringify(await reader.inspect()));
reader.close();
`;
  writeFileSync(script, code);
  const command = [
    `--reuid=${uid}`,
    `--regid=${uid}`,
    "--clear-groups",
    "--",
    process.execPath,
    "--import",
    "tsx",
    script,
  ];
  const { stdout, stderr, status } = spawnSync("setpriv", command, {
    encoding: "utf8",
    cwd: project,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as DatabaseEvidence;
}

const stranger = 1234;

/** Names and owners of what is in a directory: what a look from outside must not change. */
const picture = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map((name) => `${name} ${statSync(join(directory, name)).uid}`);

test("inspect() as another user reads a WAL database beside its running bot, and leaves no file of its own", async () => {
  await buildOnce();
  const { file, directory, database } = createDatabase("wal", unprivilegedUid);
  const before = picture(directory);
  assert.equal(before.length, 3);
  const evidence = inspectAs(stranger, file);
  assert.deepEqual(
    [evidence.open, evidence.tables.length, evidence.integrity?.lines],
    [null, 2, ["ok"]],
  );
  assert.deepEqual(picture(directory), before);
  database.close();
});

test("inspect() as another user never creates files beside a WAL database at rest, not even where it could", async () => {
  await buildOnce();
  for (const mode of [0o755, 0o777]) {
    const { file, directory, database } = createDatabase("wal", unprivilegedUid);
    database.close();
    chmodSync(directory, mode);
    const before = picture(directory);
    assert.deepEqual(before, [`bot_data.db ${unprivilegedUid}`]);
    const { open } = inspectAs(stranger, file);
    assert.ok(open, `mode ${mode.toString(8)}: it was opened`);
    assert.doesNotMatch(open.code, /CORRUPT|NOTADB/);
    assert.deepEqual(picture(directory), before, `mode ${mode.toString(8)}`);
  }
});

test("inspect() as another user never creates the half of -wal and -shm that a crash has left out", async () => {
  await buildOnce();
  for (const lost of ["-wal", "-shm"]) {
    const { directory, database } = createDatabase("wal", unprivilegedUid);
    const crashed = join(root, `crashed${lost}`);
    mkdirSync(crashed);
    for (const name of readdirSync(directory))
      copyFileSync(join(directory, name), join(crashed, name));
    database.close();
    unlinkSync(join(crashed, `bot_data.db${lost}`));
    for (const path of [crashed, ...readdirSync(crashed).map((name) => join(crashed, name))])
      chownSync(path, unprivilegedUid, unprivilegedUid);
    chmodSync(crashed, 0o777);
    const before = picture(crashed);
    inspectAs(stranger, join(crashed, "bot_data.db"));
    assert.deepEqual(picture(crashed), before, `without ${lost}`);
  }
});

test("inspect() as another user says that it may not read, and not that the database is bad", async () => {
  await buildOnce();
  const { file, directory, database } = createDatabase("delete", unprivilegedUid);
  database.close();
  chmodSync(file, 0o600);
  assert.match(inspectAs(stranger, file).open?.code ?? "", /EACCES|CANTOPEN/);
  chmodSync(file, 0o644);
  chmodSync(directory, 0o700);
  assert.match(inspectAs(stranger, file).open?.code ?? "", /EACCES|CANTOPEN/);
});

test("inspect() as root leaves no file of root beside another user's database, at rest or running", async () => {
  for (const mode of ["wal", "delete"] as const) {
    const { file, directory, database } = createDatabase(mode, unprivilegedUid);
    assert.equal((await inspect(file)).open, null, `${mode}, running`);
    database.close();
    for (const name of readdirSync(directory))
      chownSync(join(directory, name), unprivilegedUid, unprivilegedUid);
    assert.equal((await inspect(file)).open, null, `${mode}, at rest`);
    assert.ok(
      picture(directory).every((entry) => entry.endsWith(` ${unprivilegedUid}`)),
      String(picture(directory)),
    );
  }
});
