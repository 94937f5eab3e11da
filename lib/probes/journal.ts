/** Reads what a unit has written to journald, and notices when this user cannot see it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { messageOf, observe, Unobservable } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { parseJsonObject } from "../http.ts";
import {
  addLogLine,
  emptyPosition,
  emptySource,
  type LogPosition,
  type LogRules,
  type LogSource,
} from "./log-lines.ts";
import type { UnitProperties } from "./unit.ts";

const JOURNAL_LINES_MAX = 20_000;

const INVOCATION_FIELDS = [
  "_SYSTEMD_INVOCATION_ID",
  "INVOCATION_ID",
  "OBJECT_SYSTEMD_INVOCATION_ID",
]; // The process's own, PID 1's, journald's.
/**
 * Of `journalctl -o json`: a value is text, bytes (not UTF-8, or with control characters) or null
 * (too long). `at` is epoch milliseconds.
 */
export function parseJournal(text: string) {
  const entries = text
    .split("\n")
    .flatMap<Record<string, unknown>>((line) => parseJsonObject(line) ?? []);
  return entries.map((entry) => {
    const scalar = (name: string): string | undefined =>
      typeof entry[name] === "string" ? entry[name] : undefined;
    const message = Array.isArray(entry.MESSAGE)
      ? Buffer.from(entry.MESSAGE).toString()
      : (scalar("MESSAGE") ?? "");
    const at =
      Number(scalar("_SOURCE_REALTIME_TIMESTAMP") ?? scalar("__REALTIME_TIMESTAMP")) / 1000;
    const [priority, messageId, cursor = "", dropped = 0] = [
      "PRIORITY",
      "MESSAGE_ID",
      "__CURSOR",
      "N_DROPPED",
    ].map(scalar);
    const invocations = INVOCATION_FIELDS.flatMap((name) => scalar(name) ?? []);
    const [bootId = "", upMs] = [
      scalar("_BOOT_ID"),
      Number(scalar("__MONOTONIC_TIMESTAMP")) / 1000,
    ];
    return {
      at,
      priority,
      message,
      messageId,
      cursor,
      dropped: Number(dropped),
      invocations,
      bootId,
      upMs,
      isSystemd: scalar("_PID") === "1",
    };
  });
}
export type JournalEntry = ReturnType<typeof parseJournal>[number];
// "Messages from a service have been suppressed", by journald's rate limit.
const JOURNAL_DROPPED_ID = "a596d6fe7bfa4994828e72309e95d61e";
/**
 * Adds the bot's own lines; lines without an invocation come from children that ended before
 * journald could ask about them.
 */
function addJournal(
  source: LogSource,
  position: LogPosition,
  rules: LogRules,
  entries: readonly JournalEntry[],
  invocation: string | null,
): void {
  const counter = { tally: source.tally, position, rules };
  for (const { at, priority, message, messageId, dropped, invocations } of entries) {
    if (invocation && invocations.length && !invocations.includes(invocation)) continue;
    if (messageId === JOURNAL_DROPPED_ID)
      source.unseen = `journald's rate limit dropped ${dropped} lines; errors may be among them`;
    // PID 1's own lines about the unit carry a message id; they are no words of the bot.
    else if (!messageId) addLogLine(counter, message, { at, priority });
  }
  if (entries.length >= JOURNAL_LINES_MAX)
    source.unseen = `${JOURNAL_LINES_MAX} journal lines or more at once; errors behind them were not counted`;
}

const JOURNAL_FIELDS = [
  "MESSAGE",
  "PRIORITY",
  "MESSAGE_ID",
  "N_DROPPED",
  "_PID",
  "_BOOT_ID",
  "_SOURCE_REALTIME_TIMESTAMP",
  ...INVOCATION_FIELDS,
].join(",");
const BLIND_HINT = "sudo usermod --append --groups systemd-journal $(id -un), then log in again";
/**
 * One invocation of a unit, by cursor. Silence is trusted only where records of root are visible:
 * who is not in the group sees none of them.
 */
export async function followJournal(
  unit: string,
  invocation: string,
  rules: LogRules,
  signal: AbortSignal,
  trouble: string | null = null,
) {
  const source = emptySource(`journal of ${unit}`, rules);
  source.unseen = trouble;
  const position = emptyPosition();
  let from = `--since=@${(rules.since / 1000).toFixed(3)}`;
  const ask = async (...args: string[]): Promise<JournalEntry[]> => {
    const argv = [
      "journalctl",
      "--quiet",
      "--no-pager",
      "--all",
      "--output=json",
      `--output-fields=${JOURNAL_FIELDS}`,
      ...args,
    ];
    const { code, stdout, stderr } = await readCommand(argv, 10_000, { signal });
    if (code !== 0)
      throw new Unobservable(
        `journalctl exited ${code} (${stderr || "no reason given"})`,
        BLIND_HINT,
      );
    return parseJournal(stdout);
  };
  const poll = async (): Promise<void> => {
    const answer = await observe(async () => {
      const entries = await ask(`--unit=${unit}`, from, `--lines=${JOURNAL_LINES_MAX}`);
      // --after-cursor would silently drop a record when the cursor's own one has been vacuumed.
      addJournal(
        source,
        position,
        rules,
        from === `--cursor=${entries[0]?.cursor}` ? entries.slice(1) : entries,
        invocation,
      );
      if (entries.length) from = `--cursor=${entries.at(-1)?.cursor}`;
      if (source.tally.lines === 0 && (await ask("--lines=1", "_UID=0")).length === 0)
        throw new Unobservable(
          "no record of root is visible: this user cannot read the journal",
          BLIND_HINT,
        );
    });
    if (!answer.seen) Object.assign(source, { unseen: answer.why, hint: answer.hint });
  };
  let reading = poll();
  await reading;
  return { source, everyMs: 5000, poll: () => (reading = reading.then(poll)), close: () => {} };
}

/**
 * Everything that the journal has of a unit since a cursor, or since `rules.reach`: counted as a
 * log, and PID 1's own entries as they are.
 */
export async function readJournalSince(
  config: Config,
  unit: string,
  rules: LogRules,
  cursor: string | null,
  signal: AbortSignal,
) {
  const source = emptySource(`journal of ${unit}`, rules);
  const { createInterface } = await import("node:readline");
  const position = emptyPosition();
  const systemd: JournalEntry[] = [];
  const from = cursor
    ? `--cursor=${cursor}`
    : `--since=@${((rules.reach ?? rules.since) / 1000).toFixed(3)}`;
  const argv = [
    "--quiet",
    "--no-pager",
    "--all",
    "--output=json",
    `--output-fields=${JOURNAL_FIELDS}`,
    `--unit=${unit}`,
    from,
  ];
  const late = AbortSignal.any([signal, AbortSignal.timeout(config.limits.logSecondsMax * 1000)]);
  // A chatty bot's day does not fit into memory, so it is read line by line.
  const child = spawn("journalctl", argv, { stdio: ["ignore", "pipe", "ignore"], signal: late });
  const ended = once(child, "close").catch((error) => [messageOf(error)]);
  let last = cursor;
  for await (const line of createInterface({ input: child.stdout })) {
    // The cursor's own entry has been read; where it is not there any more, the first one is
    // another.
    const entries = parseJournal(line).filter((entry) => entry.cursor !== cursor);
    addJournal(source, position, rules, entries, null);
    systemd.push(...entries.filter(({ isSystemd, messageId }) => isSystemd && messageId));
    last = entries.at(-1)?.cursor || last;
  }
  const [code] = await ended;
  if (code !== 0)
    source.unseen = late.aborted
      ? `more than ${config.limits.logSecondsMax} s to read it (limits.logSecondsMax)`
      : `journalctl: ${code}`;
  const proof = ["journalctl", "--quiet", "--lines=1", "--output=cat", "_UID=0"];
  if (last === cursor && (await readCommand(proof, 5000)).stdout === "")
    Object.assign(source, {
      unseen: "no record of root is visible: this user cannot read the journal",
      hint: BLIND_HINT,
    });
  return { source, cursor: last, systemd };
}

/**
 * Whether the unit's journal is a source, and the trouble when it should be one and the unit's
 * output goes elsewhere.
 */
export function journalIsUsed(
  config: Config,
  unit: UnitProperties | null,
): { used: boolean; trouble: string | null } {
  const { journal, files } = config.errorLogs ?? {};
  if (!config.process.unit || journal === false) return { used: false, trouble: null };
  const { StandardOutput: out = "", StandardError: inherited = "" } = unit ?? {};
  const outputs = [out, inherited === "inherit" ? out : inherited];
  if (outputs.some((output) => output === "" || /journal|kmsg|syslog/.test(output)))
    return { used: true, trouble: null };
  if (!journal && files) return { used: false, trouble: null };
  return {
    used: true,
    trouble: `the unit's output goes to ${outputs.join(" and ")}, not to the journal; name the file in errorLogs.files`,
  };
}
