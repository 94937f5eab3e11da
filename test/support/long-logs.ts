/** Long logs to be read: of the bot, and of the verifier's own records. */
import * as fs from "node:fs";
import { formatLogLine } from "./bot.ts";
import { times } from "./measuring.ts";

/** A megabyte of the public bot's lines, all of one second; each so manieth is an error. */
export function logBlock(at: number, errorEvery: number): { text: Buffer; errors: number } {
  const info = formatLogLine(
    new Date(at),
    "INFO",
    "chatMsg: alice: anyone seen the ERROR page? [CRITICAL] popcorn shortage",
  );
  const error = formatLogLine(
    new Date(at),
    "ERROR",
    "could not send the message, the socket was closed by the other side now",
  );
  const lines = Math.ceil(2 ** 20 / info.length);
  const text = times(lines).map((index) => (index % errorEvery === 0 ? error : info));
  return { text: Buffer.from(text.join("")), errors: Math.ceil(lines / errorEvery) };
}

export function appendBlocks(file: string, text: Buffer, count: number): void {
  const descriptor = fs.openSync(file, "a");
  for (const _block of times(count)) fs.writeSync(descriptor, text);
  fs.closeSync(descriptor);
}

export type Line = Record<string, unknown> & { kind: string };

/**
 * Writes so many records, a burn-in's length of them: real lines with times, runs and spans of
 * their own. Of "mixed", half are alerts, notes and sign-offs,
 * a third are ticks of burn-ins before, the rest are of the open one; of "ticks", all are ticks of
 * the open one, each with its account. A real tick has
 * 7 kB: to fit a disk most have few findings here, which is harder for each byte.
 */
export function fillLog(
  file: string,
  lines: readonly Line[],
  count: number,
  shape: "mixed" | "ticks",
): void {
  const tick = lines.at(-1) as Line & {
    findings: unknown[];
    account: Record<string, unknown>;
    burnin: { id: string; startedAt: string };
  };
  const { v, ts, run, env, host, user, verifier } = tick as unknown as Record<string, unknown>;
  const head = (kind: string) => ({ v, kind, ts, run, env, host, user, verifier });
  const short = { ...tick, findings: tick.findings.slice(-2) };
  const alert = {
    ...head("alert"),
    title: "prod: connection failed",
    text: "the chat server does not answer; ".repeat(8),
    key: "connection",
    ok: false,
  };
  const note = { ...head("note"), text: "the stream stuttered, and came back by itself" };
  const signoff = {
    ...head("signoff"),
    role: "operator",
    stage: "post-deploy",
    evidence: "looked at the channel, the logs and the board ".repeat(12),
  };
  const plan =
    shape === "ticks"
      ? [short]
      : [alert, short, signoff, note, short, alert, short, signoff, alert, short];
  const id = tick.burnin.id;
  const begun = Date.parse(tick.burnin.startedAt);
  const descriptor = fs.openSync(file, "w");
  let block: string[] = [];
  for (let index = 0; index < count; index++) {
    const record = plan[index % plan.length] as Line & Partial<typeof tick>;
    const at = new Date(begun + (index * 86_400_000) / count).toISOString();
    const own = { ...record, ts: at, run: `${index}`.padStart(36, "0") } as Line &
      Partial<typeof tick>;
    if (record.account && record.burnin) {
      const burnin =
        shape === "ticks" || index % 10 === 9 ? id : `${Math.floor(index / 300)}`.padStart(36, "0");
      own.account = {
        ...record.account,
        burnin,
        run: own.run,
        at,
        from: (index * 86_400) / count,
        to: ((index + 1) * 86_400) / count,
      };
      own.burnin = { ...record.burnin, id: burnin };
    }
    block.push(JSON.stringify(own));
    if (block.length < 2000 && index < count - 1) continue;
    fs.writeSync(descriptor, `${block.join("\n")}\n`);
    block = [];
  }
  fs.closeSync(descriptor);
}
