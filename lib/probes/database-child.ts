/**
 * The child process that alone calls SQLite: opens the bot's database read-only, and answers what
 * it saw.
 * It never writes, and does not open what would leave files behind beside the database.
 */

import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { attempt, codeOf, messageOf, orMessage, orNull } from "../attempt.ts";
import { readPart } from "../files.ts";

/**
 * Lines of `quick_check`, of the file named; null when it was not run, and then one of the others
 * says why.
 */
export type Integrity = {
  integrity: { file: string; lines: string[]; ms: number } | null;
  integrityOff: string | null;
  integrityUnseen: string | null;
};
/**
 * `writeLock` is how long one process was seen to hold it; `bytes` is null when there is no such
 * file.
 */
export type DatabaseEvidence = {
  file: string;
  writeLock: { pid: number; ms: number } | null;
} & Opening &
  Sizes &
  Integrity;
/**
 * `openMs`: to open it and to read its schema; `open`: why that failed; `schema`: a hash of what a
 * release expects to find, user_version included.
 */
type Opening = {
  tables: string[];
  schema: string | null;
  openMs: number;
  open: { code: string; message: string } | null;
};
type Sizes = Record<"bytes" | "diskFreeMb" | "inodesFree", number | null> & {
  journalMode: "wal" | "rollback" | null;
};
// What SQLite locks to write, of the -shm file (sqlite.org/fileformat2),
const WAL_WRITE_BYTE = 120;
const RESERVED_BYTE = 0x40000001; // or of a database with a rollback journal (os_unix.c).

/**
 * Who holds a write lock on one byte of an inode, by /proc/locks. `device` counts only where it
 * occurs at all: an overlay shows another than stat.
 */
export function parseLockHolder(
  locks: string,
  inode: number,
  byte: number,
  device = "",
): number | null {
  const rows = locks.split("\n").map((line) => line.trim().split(/\s+/));
  const known = device !== "" && rows.some(([, , , , , file]) => file?.startsWith(`${device}:`));
  const held = rows.find(([, kind, , mode, pid, file, first, last]) => {
    const here =
      Number(file?.split(":")[2]) === inode && (!known || file?.startsWith(`${device}:`));
    return (
      here &&
      kind === "POSIX" &&
      Number(pid) > 0 &&
      mode === "WRITE" &&
      Number(first) <= byte &&
      (last === "EOF" || Number(last) >= byte)
    );
  });
  return held ? Number(held[4]) : null;
}

const hexOf = (part: number): string => part.toString(16).padStart(2, "0");
/** As /proc/locks writes it (makedev(3)). */
const deviceOf = (dev: number): string =>
  `${hexOf((dev >> 8) & 0xfff)}:${hexOf((dev & 0xff) | ((dev >> 12) & 0xfff00))}`;
const sqlCodeOf = (error: unknown): string => codeOf(error) || "ERROR";
const sqlProblem = (error: unknown): string => `${sqlCodeOf(error)}: ${messageOf(error)}`;
const WAL_CHECK_BYTES_MAX = 1 << 30; // quick_check reads every page, 1.6 s a GB.
// With a rollback journal the bot cannot commit meanwhile, so only small ones are checked in place.
const ROLLBACK_CHECK_BYTES_MAX = 50 << 20;
// Its format's write version, 2 is WAL (sqlite.org/fileformat2).
const isWal = (file: string): boolean => readPart(file, 18, 1)[0] === 2;

/** SQLite's binding. serveDatabase() loads it before the first look, and nobody else calls these. */
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

/**
 * Opens read-only, and refuses where SQLite would create -shm and -wal: as the verifier's, they
 * would keep the bot from opening its own database.
 */
function readDatabase<T>(
  file: string,
  busyMs: number,
  look: (database: import("better-sqlite3").Database) => T,
): T {
  const missing = isWal(file) && ["-wal", "-shm"].some((end) => !fs.existsSync(file + end));
  const wouldCreate = missing && process.geteuid?.() !== fs.statSync(file).uid;
  if (wouldCreate && !orMessage(() => fs.accessSync(path.dirname(file), fs.constants.W_OK)))
    throw Object.assign(
      new Error("reading it would leave -wal and -shm files of this user beside it"),
      { code: "WOULD_HARM" },
    );
  if (!Sqlite) throw new Error("serveDatabase() loads the library first");
  const database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: busyMs });
  try {
    return look(database);
  } finally {
    database.close();
  }
}

export function newestBackup(place: string): string | null {
  if (!fs.statSync(place).isDirectory()) return place;
  const files = fs.readdirSync(place).map((name) => path.join(place, name));
  const backups = files.filter(
    (file) => /\.(db|sqlite3?|bak|backup)$/i.test(file) && fs.statSync(file).isFile(),
  );
  return backups.sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)[0] ?? null;
}

/**
 * What the child process is asked for; `backup` belongs to an integrity check, `sql` to a query.
 */
export type DatabaseRequest = {
  look: "schema" | "integrity" | "query";
  file: string;
  busyMs: number;
  backup?: string;
  sql?: string;
};
function readIntegrity({ file, busyMs, backup }: DatabaseRequest): Partial<Integrity> {
  const begun = performance.now();
  let checked = file;
  const found = (lines: string[]) => ({
    integrity: { file: checked, lines, ms: performance.now() - begun },
  });
  try {
    const { size } = fs.statSync(file);
    if (size > (isWal(file) ? WAL_CHECK_BYTES_MAX : ROLLBACK_CHECK_BYTES_MAX))
      checked = backup ? (newestBackup(backup) ?? "") : "";
    if (!checked)
      return {
        integrityOff: `a database of ${Math.round(size / 2 ** 20)} MB is not checked while the bot writes; set database.backup`,
      };
    return found(
      readDatabase(
        checked,
        busyMs,
        (database) => database.prepare("PRAGMA quick_check(5)").pluck().all() as string[],
      ),
    );
  } catch (error) {
    const problem = sqlProblem(error);
    return /^SQLITE_(CORRUPT|NOTADB)/.test(problem)
      ? found([problem])
      : { integrityUnseen: problem };
  }
}

/**
 * Watches a write lock for as long as one process keeps it, up to the limit. A commit takes
 * milliseconds, a forgotten transaction for ever.
 */
async function readWriteLock(
  file: string,
  wal: boolean,
  limitMs: number,
): Promise<DatabaseEvidence["writeLock"]> {
  const [locked, byte] = wal ? [`${file}-shm`, WAL_WRITE_BYTE] : [file, RESERVED_BYTE];
  if (!fs.existsSync(locked)) return null;
  const { ino, dev } = fs.statSync(locked);
  const readHolder = (): number | null =>
    parseLockHolder(fs.readFileSync("/proc/locks", "utf8"), ino, byte, deviceOf(dev));
  const begun = performance.now();
  const pid = readHolder();
  while (pid !== null && readHolder() === pid) {
    const ms = performance.now() - begun;
    if (ms >= limitMs) return { pid, ms };
    await sleep(7); // Often enough to meet the gaps between the commits of a busy bot.
  }
  return null;
}

/**
 * Virtual and internal tables come and go with their own upkeep, so the hash is over what people
 * declare.
 */
function readTables(
  database: import("better-sqlite3").Database,
): Pick<DatabaseEvidence, "tables" | "schema"> {
  const rows = database
    .prepare("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    .all() as Record<"type" | "name" | "sql", string>[];
  const declared = rows.filter(({ name, sql }) => sql && !name.startsWith("sqlite_"));
  const schema = hash(
    "sha256",
    JSON.stringify([database.pragma("user_version", { simple: true }), declared]),
  ).slice(0, 16);
  return {
    tables: rows.filter(({ type }) => type === "table" || type === "view").map(({ name }) => name),
    schema,
  };
}

/** Never throws: each look that fails leaves its reason. */
async function readSchema({ file, busyMs }: DatabaseRequest): Promise<DatabaseEvidence> {
  const nothing = {
    open: null,
    integrity: null,
    integrityOff: null,
    integrityUnseen: null,
    writeLock: null,
    diskFreeMb: null,
    inodesFree: null,
  };
  const evidence: DatabaseEvidence = {
    file,
    bytes: null,
    journalMode: null,
    tables: [],
    schema: null,
    openMs: 0,
    ...nothing,
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

// The first rows of a query, two at most: enough to tell one from several.
export type QueryAnswer = { rows: unknown[]; problem: string | null };
const CELL_CHARACTERS_MAX = 65_536;
/** No status is a blob, or that long; and the answer has to cross to the parent. */
function boundedCell(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, CELL_CHARACTERS_MAX);
  return Buffer.isBuffer(value) ? `a blob of ${value.length} bytes` : value;
}

function readRows({ file, busyMs, sql = "" }: DatabaseRequest): QueryAnswer {
  const rows: unknown[] = [];
  const look = (database: import("better-sqlite3").Database): null => {
    for (const row of database.prepare(sql).iterate() as Iterable<object>)
      if (
        rows.push(
          Object.fromEntries(
            Object.entries(row).map(([name, value]) => [name, boundedCell(value)]),
          ),
        ) > 1
      )
        break;
    return null;
  };
  const problem = attempt(() => readDatabase(file, busyMs, look), sqlProblem);
  return { rows: problem === null ? rows : [], problem };
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
