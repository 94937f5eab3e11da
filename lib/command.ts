/**
 * Runs one command of the host without a terminal, bounded in time and in output. It is the only
 * place that starts one; what an answer means is judged elsewhere.
 */

import type { Readable } from "node:stream";
import type { ProcessPromise } from "zx/core";
import { codeOf, Unobservable } from "./attempt.ts";

const COMMAND_BYTES_MAX = 16 << 20; // 20,000 journal lines of ordinary length are 10 MB.
// After the end of a command; its own output is in the pipe by then.
const BACKGROUND_MS_MAX = 2000;

/** The standard input of a command, and variables for its environment. */
type Letter = { text: string; variables: NodeJS.ProcessEnv };

/** What a command may be given besides its arguments; `signal` ends it from outside. */
type CommandInput = { letter?: Letter; signal?: AbortSignal };

/** How zx runs each command: by `exec` in a shell, with nothing of this process's environment. */
function optionsOf(timeoutMs: number, { letter, signal }: CommandInput) {
  const { PATH, HOME = "/" } = process.env;
  // An empty text is no input to zx, and a pipe for it would then stay open.
  const stdin = letter?.text ? "pipe" : "ignore";
  const stdio: ("pipe" | "ignore")[] = [stdin, "pipe", "pipe"];
  const env: NodeJS.ProcessEnv = {
    PATH,
    HOME,
    LC_ALL: "C.UTF-8",
    SYSTEMD_COLORS: "0",
    SYSTEMD_PAGER: "",
    ...letter?.variables,
  };
  return {
    nothrow: true,
    quiet: true,
    stdio,
    input: letter?.text,
    timeout: timeoutMs,
    timeoutSignal: "SIGKILL" as const,
    env,
    signal,
  };
}

/** How a command came up against its bounds: it printed too much, or ran too long. */
type BoundState = { isTooLong: boolean; isLate: boolean };

/**
 * Lets a command that has just been started end within its bounds: `counted` are the streams whose
 * output is kept.
 */
function boundCommand(
  running: ProcessPromise,
  timeoutMs: number,
  counted: readonly Readable[],
): BoundState {
  const state = { isTooLong: false, isLate: false };
  const begunAt = performance.now();
  // A character may lie across two reads of a pipe, and zx would decode each read alone.
  for (const stream of [running.stdout, running.stderr]) stream.setEncoding("utf8");
  let bytes = 0;
  const count = (text: string): void => {
    bytes += Buffer.byteLength(text);
    if (bytes <= COMMAND_BYTES_MAX || state.isTooLong) return;
    state.isTooLong = true;
    void running.kill("SIGKILL");
  };
  for (const stream of counted) stream.on("data", count);
  // A process left behind may hold them open.
  const letGo = (): void => {
    for (const stream of [running.stdout, running.stderr]) stream.destroy();
  };
  running.child?.once("exit", () => {
    // A shell whose child was killed first ends by itself, and no signal tells of it.
    state.isLate = performance.now() - begunAt >= timeoutMs;
    setTimeout(letGo, BACKGROUND_MS_MAX).unref();
  });
  return state;
}

/** Throws `Unobservable` where the shell could not run the command (POSIX: 126 and 127). */
function refuseUnrun(argv: readonly string[], exitCode: number | null, stderr: string): void {
  if (exitCode === 126 || exitCode === 127)
    throw new Unobservable(`${argv[0]} cannot be run: ${stderr.trim()}`);
}

/** What a command came to. `stderr` has no blanks at its ends. */
export type CommandOutcome = { code: number; stdout: string; stderr: string };

/**
 * Runs one command to its end and returns what it printed. A command that does not exist, does not
 * end within `timeoutMs`, or prints more than is kept, is `Unobservable`.
 */
export async function readCommand(
  argv: readonly string[],
  timeoutMs: number,
  input: CommandInput = {},
): Promise<CommandOutcome> {
  const { $ } = await import("zx/core");
  const running = $(optionsOf(timeoutMs, input))`exec ${argv}`;
  // A command that does not read to the end is none the worse for it.
  if (input.letter?.text) running.stdin.on("error", () => {});
  const state = boundCommand(running, timeoutMs, [running.stdout, running.stderr]);
  const { exitCode, signal: killed, stdout, stderr } = await running;
  if (state.isTooLong)
    throw new Unobservable(`${argv[0]} printed more than ${COMMAND_BYTES_MAX >> 20} MB`);
  if (killed || state.isLate)
    throw new Unobservable(`${argv[0]} did not answer within ${timeoutMs} ms`);
  refuseUnrun(argv, exitCode, stderr);
  return { code: exitCode ?? 0, stdout, stderr: stderr.trim() };
}

/** What zx is to keep of output that is handed on line by line: nothing. */
function keepNothing(): string[] {
  const nothing: string[] = [];
  nothing.push = () => 0;
  return nothing;
}

/**
 * Runs one command and hands over each line of its output as it comes, keeping none, so that the
 * output may be of any length. Returns the exit code, or null where the command was killed, as it
 * is after `timeoutMs`. A command that does not exist is `Unobservable`.
 */
export async function readCommandLines(
  argv: readonly string[],
  timeoutMs: number,
  takeLine: (line: string) => void,
): Promise<number | null> {
  const { $ } = await import("zx/core");
  const store = { stdout: keepNothing(), stderr: [], stdall: keepNothing() };
  const running = $({ ...optionsOf(timeoutMs, {}), store })`exec ${argv}`;
  const state = boundCommand(running, timeoutMs, [running.stderr]);
  try {
    for await (const line of running) takeLine(line);
  } catch (error) {
    // The output was let go of after the end of the command; the lines before it were taken.
    if (codeOf(error) !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  const { exitCode, signal: killed, stderr } = await running;
  refuseUnrun(argv, exitCode, stderr);
  return killed || state.isLate ? null : exitCode;
}
