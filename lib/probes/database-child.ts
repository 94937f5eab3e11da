/**
 * The child process that alone calls SQLite: opens the bot's database read-only, and answers what
 * it saw.
 * It never writes, and does not open what would leave files behind beside the database.
 */

import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, messageOf, orNull } from "../attempt.ts";
import { readPart } from "../files.ts";

/** What quick_check said, or why it was not run: one of the three is not null. */
export type Integrity = {
  /** Its lines, and the file that was checked: the database, or its newest backup. */
  integrity: { file: string; lines: string[]; ms: number } | null;
  /** Why it is not checked by design. */
  integrityOff: string | null;
  /** Why it could not be checked. */
  integrityUnseen: string | null;
};

export type DatabaseEvidence = {
  file: string;
  /** Null where there is no such file. */
  bytes: number | null;
  journalMode: "wal" | "rollback" | null;
  /** Names of tables and views. */
  tables: string[];
  /** A hash of what a release expects to find, user_version included. */
  schema: string | null;
  /** To open the database and to read its schema. */
  openMs: number;
  /** Why that failed, or null. */
  open: { code: string; message: string } | null;
  /** The process that was seen to hold the write lock all the time, and for how long. */
  writeLock: { pid: number; ms: number } | null;
  diskFreeMb: number | null;
  /** Null on a file system that has no fixed number of them. */
  inodesFree: number | null;
  integrity: Integrity["integrity"];
  integrityOff: Integrity["integrityOff"];
  integrityUnseen: Integrity["integrityUnseen"];
};

// What SQLite locks to write, of the -shm file (sqlite.org/fileformat2).
const WAL_WRITE_BYTE = 120;
// What it locks to write, of a database with a rollback journal (os_unix.c).
const RESERVED_BYTE = 0x40000001;

/** A row of /proc/locks: `device` and `inode` of the file, and the bytes that are locked. */
type LockRow = {
  kind: string;
  mode: string;
  pid: number;
  device: string;
  inode: number;
  first: number;
  last: number;
};

/** `1: POSIX  ADVISORY  WRITE 4711 08:01:5678 120 120`; the last byte may be `EOF`. */
function parseLockRow(line: string): LockRow {
  const [, kind = "", , mode = "", pid, file = "", first, last] = line.trim().split(/\s+/);
  const [major, minor, inode] = file.split(":");
  return {
    kind,
    mode,
    pid: Number(pid),
    device: `${major}:${minor}`,
    inode: Number(inode),
    first: Number(first),
    last: last === "EOF" ? Infinity : Number(last),
  };
}

/**
 * The pid that holds a write lock on one byte of an inode, by /proc/locks; null: none does.
 * `device` counts only where it occurs at all: an overlay shows another than stat.
 */
export function parseLockHolder(
  locks: string,
  inode: number,
  byte: number,
  device = "",
): number | null {
  const rows = locks.split("\n").map(parseLockRow);
  const isKnown = rows.some((row) => row.device === device);
  const held = rows.find((row) => {
    if (row.inode !== inode || (isKnown && row.device !== device)) return false;
    // An OFD lock has no pid.
    if (row.kind !== "POSIX" || row.mode !== "WRITE" || !(row.pid > 0)) return false;
    return row.first <= byte && row.last >= byte;
  });
  return held?.pid ?? null;
}

const hexOf = (part: number): string => part.toString(16).padStart(2, "0");
/** As /proc/locks writes it (makedev(3)). */
const deviceOf = (dev: number): string =>
  `${hexOf((dev >> 8) & 0xfff)}:${hexOf((dev & 0xff) | ((dev >> 12) & 0xfff00))}`;
const sqlCodeOf = (error: unknown): string => codeOf(error) || "ERROR";
const sqlProblem = (error: unknown): string => `${sqlCodeOf(error)}: ${messageOf(error)}`;
// quick_check reads every page, 1.6 s a GB.
const WAL_CHECK_BYTES_MAX = 1 << 30;
// With a rollback journal the bot cannot commit meanwhile, so only small ones are checked in place.
const ROLLBACK_CHECK_BYTES_MAX = 50 << 20;
// Its format's write version, 2 is WAL (sqlite.org/fileformat2).
const isWal = (file: string): boolean => readPart(file, 18, 1)[0] === 2;

/** SQLite's binding, which serveDatabase() loads before the first look; nobody else calls these. */
let Sqlite: typeof import("better-sqlite3") | null = null;

/** Why the binding cannot be used, as a sentence with what to do; null where it can. */
async function loadSqlite(): Promise<string | null> {
  try {
    const library = (await import("better-sqlite3")).default;
    // Its native half is loaded by the first database only.
    new library(":memory:").close();
    Sqlite = library;
    return null;
  } catch (error) {
    const isForeign = codeOf(error) === "ERR_DLOPEN_FAILED";
    const [why] = messageOf(error).split("\n");
    const remedy = isForeign
      ? `It was not built for this Node (${process.version}): npm rebuild better-sqlite3`
      : "It is not installed: npm ci, or sudo units/install.sh again";
    return `better-sqlite3 cannot be loaded (${why}). ${remedy}`;
  }
}

function canWrite(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether SQLite would create a -wal or -shm file that is this user's and not the bot's. */
function wouldLeaveFiles(file: string): boolean {
  if (!isWal(file)) return false;
  if (fs.existsSync(`${file}-wal`) && fs.existsSync(`${file}-shm`)) return false;
  return process.geteuid?.() !== fs.statSync(file).uid && canWrite(path.dirname(file));
}

/**
 * Opens read-only, and refuses where SQLite would create -shm and -wal: as the verifier's, they
 * would keep the bot from opening its own database. Throws what SQLite throws, or WOULD_HARM.
 */
function readDatabase<T>(
  file: string,
  busyMs: number,
  read: (database: import("better-sqlite3").Database) => T,
): T {
  if (wouldLeaveFiles(file)) {
    const why = "reading it would leave -wal and -shm files of this user beside it";
    throw Object.assign(new Error(why), { code: "WOULD_HARM" });
  }
  if (!Sqlite) throw new Error("serveDatabase() loads the library first");
  const database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: busyMs });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

/** The newest backup at a place, which may be one file or a directory of them; null: none. */
export function newestBackup(place: string): string | null {
  if (!fs.statSync(place).isDirectory()) return place;
  const files = fs.readdirSync(place).map((name) => path.join(place, name));
  const backups = files.filter(
    (file) => /\.(db|sqlite3?|bak|backup)$/i.test(file) && fs.statSync(file).isFile(),
  );
  return backups.sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)[0] ?? null;
}

/** What the child process is asked for. */
export type DatabaseRequest = {
  look: "schema" | "integrity" | "query";
  file: string;
  /** How long SQLite waits for a lock. */
  busyMs: number;
  /** Of an integrity check: what is checked where the database is too large. */
  backup?: string;
  /** Of a query. */
  sql?: string;
};

/** What quick_check is run on; "": on nothing. */
function fileToCheck(file: string, size: number, backup: string | undefined): string {
  const bytesMax = isWal(file) ? WAL_CHECK_BYTES_MAX : ROLLBACK_CHECK_BYTES_MAX;
  if (size <= bytesMax) return file;
  return backup ? (newestBackup(backup) ?? "") : "";
}

/** Never throws: a check that could not be made leaves its reason. */
function readIntegrity({ file, busyMs, backup }: DatabaseRequest): Integrity {
  const begun = performance.now();
  let checked = file;
  const found = (lines: string[]): Integrity => ({
    integrity: { file: checked, lines, ms: performance.now() - begun },
    integrityOff: null,
    integrityUnseen: null,
  });
  try {
    const { size } = fs.statSync(file);
    checked = fileToCheck(file, size, backup);
    if (!checked) {
      const integrityOff =
        `a database of ${Math.round(size / 2 ** 20)} MB is not checked while the bot writes; ` +
        "set database.backup";
      return { integrity: null, integrityOff, integrityUnseen: null };
    }
    const lines = readDatabase(
      checked,
      busyMs,
      (database) => database.prepare("PRAGMA quick_check(5)").pluck().all() as string[],
    );
    return found(lines);
  } catch (error) {
    const problem = sqlProblem(error);
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(sqlCodeOf(error))) return found([problem]);
    return { integrity: null, integrityOff: null, integrityUnseen: problem };
  }
}

/**
 * Watches a write lock for as long as one process keeps it, up to the limit; null: it was let go.
 * A commit takes milliseconds, a forgotten transaction for ever.
 */
async function readWriteLock(
  file: string,
  wal: boolean,
  limitMs: number,
): Promise<DatabaseEvidence["writeLock"]> {
  const locked = wal ? `${file}-shm` : file;
  const byte = wal ? WAL_WRITE_BYTE : RESERVED_BYTE;
  if (!fs.existsSync(locked)) return null;
  const { ino, dev } = fs.statSync(locked);
  const readHolder = (): number | null =>
    parseLockHolder(fs.readFileSync("/proc/locks", "utf8"), ino, byte, deviceOf(dev));
  const begun = performance.now();
  const pid = readHolder();
  while (pid !== null && readHolder() === pid) {
    const ms = performance.now() - begun;
    if (ms >= limitMs) return { pid, ms };
    // Often enough to meet the gaps between the commits of a busy bot.
    await sleep(7);
  }
  return null;
}

type SchemaRow = { type: string; name: string; sql: string | null };

/**
 * Virtual and internal tables come and go with their own upkeep, so the hash is over what people
 * declare.
 */
function readTables(database: import("better-sqlite3").Database): {
  tables: string[];
  schema: string;
} {
  const rows = database
    .prepare("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    .all() as SchemaRow[];
  const declared = rows.filter(({ name, sql }) => sql && !name.startsWith("sqlite_"));
  const version = database.pragma("user_version", { simple: true });
  return {
    tables: rows.filter(({ type }) => type === "table" || type === "view").map(({ name }) => name),
    schema: hash("sha256", JSON.stringify([version, declared])).slice(0, 16),
  };
}

/** Never throws: each look that fails leaves its reason. */
async function readSchema({ file, busyMs }: DatabaseRequest): Promise<DatabaseEvidence> {
  const evidence: DatabaseEvidence = {
    file,
    bytes: null,
    journalMode: null,
    tables: [],
    schema: null,
    openMs: 0,
    open: null,
    writeLock: null,
    diskFreeMb: null,
    inodesFree: null,
    integrity: null,
    integrityOff: null,
    integrityUnseen: null,
  };
  const begun = performance.now();
  try {
    const space = fs.statfsSync(path.dirname(file));
    evidence.diskFreeMb = (space.bavail * space.bsize) / 2 ** 20;
    evidence.inodesFree = space.files === 0 ? null : space.ffree;
    evidence.bytes = fs.statSync(file).size;
    evidence.journalMode = isWal(file) ? "wal" : "rollback";
    Object.assign(evidence, readDatabase(file, busyMs, readTables));
    evidence.openMs = performance.now() - begun;
    evidence.writeLock = await readWriteLock(file, evidence.journalMode === "wal", busyMs);
  } catch (error) {
    evidence.open = { code: sqlCodeOf(error), message: messageOf(error) };
    evidence.openMs ||= performance.now() - begun;
  }
  return evidence;
}

export type QueryAnswer = {
  /** The first rows, two at most: enough to tell one from several. */
  rows: unknown[];
  /** Why there are none, in words; null where the query was answered. */
  problem: string | null;
  /** The code of that error, such as SQLITE_BUSY; "" where the query was answered. */
  code: string;
};
// No status is longer, and the answer has to cross to the parent.
const CELL_CHARACTERS_MAX = 65_536;

/** A value of a row, bounded; no status is a blob. */
function boundedCell(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, CELL_CHARACTERS_MAX);
  return Buffer.isBuffer(value) ? `a blob of ${value.length} bytes` : value;
}

function boundedRow(row: object): Record<string, unknown> {
  const cells = Object.entries(row);
  return Object.fromEntries(cells.map(([name, value]) => [name, boundedCell(value)]));
}

function firstRows(database: import("better-sqlite3").Database, sql: string): unknown[] {
  const rows: unknown[] = [];
  for (const row of database.prepare(sql).iterate() as Iterable<object>) {
    rows.push(boundedRow(row));
    if (rows.length === 2) break;
  }
  return rows;
}

/** Never throws: a query that fails leaves its reason. */
function readRows({ file, busyMs, sql = "" }: DatabaseRequest): QueryAnswer {
  try {
    const rows = readDatabase(file, busyMs, (database) => firstRows(database, sql));
    return { rows, problem: null, code: "" };
  } catch (error) {
    return { rows: [], problem: sqlProblem(error), code: sqlCodeOf(error) };
  }
}

/**
 * As root, SQLite's look could leave root's files beside the database; so the child becomes the
 * owner of the file first.
 */
function becomeOwner(file: string): void {
  const owner = process.geteuid?.() === 0 ? fs.statSync(file, { throwIfNoEntry: false }) : null;
  if (!owner?.uid) return;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}

/** What the child answers; `broken` says why SQLite's binding cannot be used at all. */
export type DatabaseAnswer = { seen: unknown } | { broken: string };
// The hidden argument that makes this file the child process which alone calls SQLite.
export const DATABASE_CHILD = "database-child";
/** The child's main loop: one answer for each request, until the parent goes. */
export function serveDatabase(): void {
  const looks = { schema: readSchema, integrity: readIntegrity, query: readRows };
  process.on("disconnect", () => process.exit(0));
  process.on("message", async (asked: DatabaseRequest) => {
    // Its -wal, -shm and disk are where a link points.
    const request = { ...asked, file: orNull(() => fs.realpathSync(asked.file)) ?? asked.file };
    // Before this process becomes another user, who may not be able to read the library.
    const broken = Sqlite ? null : await loadSqlite();
    if (!broken) becomeOwner(request.file);
    const answer: DatabaseAnswer = broken
      ? { broken }
      : { seen: await looks[request.look](request) };
    process.send?.(answer);
  });
}
