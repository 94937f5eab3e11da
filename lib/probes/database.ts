/**
 * Asks the child process that looks at the bot's database. SQLite's calls block, so this process
 * makes none of them.
 */

// The one command that zx does not run: it is asked and answers by messages (IPC), which only a
// Node that was started by Node has.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, observe, Unobservable, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { HERE, PROGRAM } from "../shipped.ts";
import { EXIT } from "../vocabulary.ts";
import {
  DATABASE_CHILD,
  type DatabaseAnswer,
  type DatabaseEvidence,
  type DatabaseRequest,
  type Integrity,
  type QueryAnswer,
} from "./database-child.ts";

export type DatabaseReader = {
  /** Opens the database, reads its schema and checks its pages. */
  inspect(): Promise<DatabaseEvidence>;
  /** The first rows of a query; never rejects. */
  query(sql: string, timeoutMs: number): Promise<QueryAnswer>;
  close(): void;
};
/** The code of a query that the child did not answer, because the disk hangs or the child died. */
const NO_ANSWER = "NO_ANSWER";

// Milliseconds beyond SQLite's own busy timeout: the start of the child process, and the look at
// the schema.
const CHILD_SLACK_MS = 3000;
// A database of the largest size that is checked in place takes 2 s from a disk that is not cached.
const INTEGRITY_MS_MAX = 20_000;

/** The child process, and the order in which it is asked. */
type Asked = {
  /** The database, for messages. */
  file: string;
  /** Null before the first request, and after it had to be killed. */
  child: ChildProcess | null;
  /** Settles when the request before has been answered: the child answers one at a time. */
  queue: Promise<unknown>;
};

/**
 * The child's own code, which units/build.ts puts here: to load the whole program once more costs
 * more than the look at the database. A checkout has none.
 */
declare const DATABASE_CHILD_CODE: string | undefined;

function startChild(): ChildProcess {
  // There, `--import tsx` is found again, and better-sqlite3 by the child's own code.
  const cwd = HERE;
  const isBuilt = typeof DATABASE_CHILD_CODE === "string";
  const child = isBuilt
    ? spawn(process.execPath, ["-", DATABASE_CHILD], {
        cwd,
        stdio: ["pipe", "ignore", "ignore", "ipc"],
      })
    : fork(PROGRAM, [DATABASE_CHILD], { cwd, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  // Without a listener, the error of a child that cannot be started, or that ended before it had
  // read its code, would end this process; the request gets it as its own.
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  if (isBuilt) child.stdin?.end(DATABASE_CHILD_CODE);
  return child;
}

function killChild(asked: Asked): void {
  asked.child?.kill("SIGKILL");
  asked.child = null;
}

/** The child's answer, or why there is none. */
type Outcome = { answer: unknown } | { why: string };

/** Sends one request, and waits for the answer, for the child's end, or for the time to be up. */
async function sendRequest(
  child: ChildProcess,
  request: DatabaseRequest,
  timeoutMs: number,
): Promise<Outcome> {
  const settled = new AbortController();
  const { signal } = settled;
  const answered = once(child, "message", { signal }).then(
    ([answer]: unknown[]): Outcome => ({ answer }),
  );
  const ended = once(child, "exit", { signal }).then(
    ([code]): Outcome => ({ why: `the process for it ended with ${code ?? "a signal"}` }),
  );
  const late: Outcome = { why: `no answer within ${timeoutMs} ms; does the disk hang?` };
  child.send(request, () => {});
  try {
    return await Promise.race([answered, ended, sleep(timeoutMs, late, { signal })]);
  } catch (error) {
    return { why: messageOf(error) };
  } finally {
    settled.abort();
  }
}

/** Asks the child, which is started where there is none, and killed where it does not answer. */
async function askChild(
  asked: Asked,
  request: DatabaseRequest,
  timeoutMs: number,
): Promise<unknown> {
  // One that the kernel has killed between two requests answers no more.
  const child = asked.child?.connected ? asked.child : startChild();
  asked.child = child;
  const outcome = await sendRequest(child, request, timeoutMs);
  if ("answer" in outcome) {
    const answer = outcome.answer as DatabaseAnswer;
    if ("seen" in answer) return answer.seen;
    // That is no word on the bot: this program is not whole.
    throw new UserError(EXIT.internal, answer.broken);
  }
  killChild(asked);
  throw new Unobservable(`Cannot look at "${asked.file}": ${outcome.why}`);
}

/** Asks the child when it has answered what it was asked before. */
function askInTurn<T>(asked: Asked, request: DatabaseRequest, timeoutMs: number): Promise<T> {
  const answer = asked.queue.then(() => askChild(asked, request, timeoutMs));
  asked.queue = answer.catch(() => {});
  return answer as Promise<T>;
}

async function inspectDatabase(asked: Asked, config: Config): Promise<DatabaseEvidence> {
  const { file } = asked;
  const busyMs = config.limits.databaseMsMax;
  const schema: DatabaseRequest = { look: "schema", file, busyMs };
  const evidence = await askInTurn<DatabaseEvidence>(asked, schema, 2 * busyMs + CHILD_SLACK_MS);
  if (evidence.open) return evidence;
  const pages: DatabaseRequest = {
    look: "integrity",
    file,
    busyMs,
    backup: config.database?.backup,
  };
  const integrity = await observe(() => askInTurn<Integrity>(asked, pages, INTEGRITY_MS_MAX));
  if (!integrity.seen) return { ...evidence, integrityUnseen: integrity.why };
  return { ...evidence, ...integrity.value };
}

/**
 * SQLite's calls block, so they are made in a child process that can be killed. It is started on
 * first use, and anew after it had to be killed.
 */
export function openDatabaseReader(config: Config): DatabaseReader {
  const { file = "" } = config.database ?? {};
  const asked: Asked = { file, child: null, queue: Promise.resolve() };
  const kill = (): void => killChild(asked);
  // A child in the middle of a call to SQLite notices neither the end of this process nor a signal
  // other than SIGKILL.
  process.once("exit", kill);
  return {
    inspect: () => inspectDatabase(asked, config),
    async query(sql, timeoutMs) {
      const busyMs = Math.min(config.limits.databaseMsMax, timeoutMs);
      const request: DatabaseRequest = { look: "query", file, sql, busyMs };
      const answer = await observe(() =>
        askInTurn<QueryAnswer>(asked, request, timeoutMs + CHILD_SLACK_MS),
      );
      if (answer.seen) return answer.value;
      return { rows: [], problem: answer.why, code: NO_ANSWER };
    },
    close() {
      kill();
      process.off("exit", kill);
    },
  };
}
