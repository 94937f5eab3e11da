/**
 * Asks the child process that looks at the bot's database. SQLite's calls block, so this process
 * makes none of them.
 */

import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, observe, Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { HERE, PROGRAM } from "../shipped.ts";
import {
  DATABASE_CHILD,
  type DatabaseEvidence,
  type DatabaseRequest,
  type Integrity,
  type QueryAnswer,
} from "./database-child.ts";

export type DatabaseReader = {
  inspect(): Promise<DatabaseEvidence>;
  query(sql: string, timeoutMs: number): Promise<QueryAnswer>;
  close(): void;
};
// Milliseconds beyond SQLite's own busy timeout: the start of the child process, and the look at
// the schema.
const CHILD_SLACK_MS = 3000;
// A database of the largest size that is checked in place takes 2 s from a disk that is not cached.
const INTEGRITY_MS_MAX = 20_000;
/**
 * SQLite's calls block, so they are made in a child process that can be killed. It is started on
 * first use, and anew after it had to be killed.
 */
export function openDatabaseReader(config: Config): DatabaseReader {
  const { file = "", backup } = config.database ?? {};
  const busyMs = config.limits.databaseMsMax;
  let child: ChildProcess | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  const kill = (): void => {
    child?.kill("SIGKILL");
    child = null;
  };
  const close = (): void => {
    kill();
    process.off("exit", kill);
  };
  // A child in the middle of a call to SQLite notices neither the end of this process nor a signal
  // other than SIGKILL.
  process.once("exit", kill);
  // From there, `--import tsx` is found again.
  const options: ForkOptions = { cwd: HERE, stdio: ["ignore", "ignore", "ignore", "ipc"] };
  const start = (): ChildProcess => fork(PROGRAM, [DATABASE_CHILD], options).on("error", () => {});
  const askNow = async (request: DatabaseRequest, timeoutMs: number): Promise<unknown> => {
    // One that the kernel has killed between two requests answers no more.
    if (!child?.connected) child = start();
    const settled = new AbortController();
    const answered = once(child, "message", { signal: settled.signal }).then(
      ([answer]: unknown[]) => ({ answer }),
    );
    const ended = once(child, "exit", { signal: settled.signal }).then(
      ([code]) => `the process for it ended with ${code ?? "a signal"}`,
    );
    const late = sleep(timeoutMs, `no answer within ${timeoutMs} ms; does the disk hang?`, {
      signal: settled.signal,
    });
    child.send(request, () => {});
    const outcome = await Promise.race([answered, ended, late]).catch(messageOf);
    settled.abort();
    if (typeof outcome !== "string") return outcome.answer;
    kill();
    throw new Unobservable(`Cannot look at "${file}": ${outcome}`);
  };
  const ask = <T>(request: DatabaseRequest, timeoutMs: number): Promise<T> => {
    const asked = queue.then(() => askNow(request, timeoutMs));
    queue = asked.catch(() => {});
    return asked as Promise<T>;
  };
  const inspect = async (): Promise<DatabaseEvidence> => {
    const evidence = await ask<DatabaseEvidence>(
      { look: "schema", file, busyMs },
      2 * busyMs + CHILD_SLACK_MS,
    );
    if (evidence.open) return evidence;
    const integrity = await observe(() =>
      ask<Partial<Integrity>>({ look: "integrity", file, busyMs, backup }, INTEGRITY_MS_MAX),
    );
    return integrity.seen
      ? { ...evidence, ...integrity.value }
      : { ...evidence, integrityUnseen: integrity.why };
  };
  const query = async (sql: string, timeoutMs: number): Promise<QueryAnswer> => {
    const request: DatabaseRequest = {
      look: "query",
      file,
      sql,
      busyMs: Math.min(busyMs, timeoutMs),
    };
    const answer = await observe(() => ask<QueryAnswer>(request, timeoutMs + CHILD_SLACK_MS));
    return answer.seen ? answer.value : { rows: [], problem: answer.why };
  };
  return { inspect, query, close };
}
