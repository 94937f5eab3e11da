/**
 * Runs one command of the host without a terminal, bounded in time and in output. It is the only
 * place that starts one.
 */

import { Unobservable } from "./attempt.ts";

// The standard input of a command, and variables for its environment.
type Letter = { text: string; variables: NodeJS.ProcessEnv };
const COMMAND_BYTES_MAX = 16 << 20; // 20,000 journal lines of ordinary length are 10 MB.
// After the end of a command; its own output is in the pipe by then.
const BACKGROUND_MS_MAX = 2000;
/**
 * Runs one command without a terminal, bounded in time and in output. A command that does not
 * exist, or does not end, is `Unobservable`.
 */
export async function readCommand(
  argv: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
  letter?: Letter,
) {
  const { $ } = await import("zx/core");
  const { PATH, HOME = "/" } = process.env;
  const env = {
    PATH,
    HOME,
    LC_ALL: "C.UTF-8",
    SYSTEMD_COLORS: "0",
    SYSTEMD_PAGER: "",
    ...letter?.variables,
  };
  const stdio: ("pipe" | "ignore")[] = [letter ? "pipe" : "ignore", "pipe", "pipe"];
  const running = $({
    nothrow: true,
    quiet: true,
    stdio,
    timeout: timeoutMs,
    timeoutSignal: "SIGKILL",
    env,
    signal,
  })`exec ${argv}`;
  // A command that does not read to the end is none the worse for it.
  if (letter) running.stdin.on("error", () => {}).end(letter.text);
  let bytes = 0;
  running.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > COMMAND_BYTES_MAX) void running.kill("SIGKILL");
  });
  // A process left behind may hold them open.
  const letGo = (): unknown => [running.stdout, running.stderr].map((stream) => stream.destroy());
  running.child?.once("exit", () => setTimeout(letGo, BACKGROUND_MS_MAX).unref());
  const { exitCode, signal: killed, stdout, stderr } = await running;
  if (bytes > COMMAND_BYTES_MAX)
    throw new Unobservable(`${argv[0]} printed more than ${COMMAND_BYTES_MAX >> 20} MB`);
  if (killed) throw new Unobservable(`${argv[0]} did not answer within ${timeoutMs} ms`);
  if (exitCode === 127 || exitCode === 126)
    throw new Unobservable(`${argv[0]} cannot be run: ${stderr.trim()}`);
  return { code: exitCode ?? 0, stdout, stderr: stderr.trim() };
}
