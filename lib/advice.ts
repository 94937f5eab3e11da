/**
 * What a person is told to do: after a failed check, an error's code, a checkpoint, a decision.
 * Words only; nothing is judged by them.
 */

import type { Hour } from "./rules.ts";
import type { CheckName } from "./vocabulary.ts";

/**
 * Where to look when a check fails (LOGS stands for the bot's last words, DATABASE for its file),
 * and what to do then, by the decision tree of seed 000.
 */
export const CHECK_ADVICE: Readonly<Record<CheckName, { hint: string; action: string }>> = {
  process: {
    hint: "LOGS",
    action: "Roll back at once: the bot is down.",
  },
  database: {
    hint: "ls -la DATABASE*; is the disk full (df -h)?",
    action: "Roll back at once: the database is not usable.",
  },
  health_endpoint: {
    hint: "LOGS",
    action: "Roll back at once: the bot does not answer, or says that it is not healthy.",
  },
  connection: {
    hint: "LOGS: was the bot kicked or banned, or is the chat server down?",
    action: "Roll back, unless the chat server itself is down: the bot is not connected.",
  },
  response_time: {
    hint: "top: is the host busy, or the bot's event loop blocked?",
    action: "Roll back, and keep the response times for the analysis.",
  },
  user_count: {
    hint: "Open the channel in a browser: is the bot in it?",
    action: "Look whether the bot is in its channel; a rollback is optional here.",
  },
  memory_usage: {
    hint: "ps -o pid,rss,args --forest; raise limits.memoryMbMax only where the host has the room.",
    action: "Roll back, and keep the memory figures for the analysis.",
  },
  error_logs: {
    hint: "LOGS; a known and harmless line goes into errorLogs.noise.",
    action: "Roll back if the errors are new with this release.",
  },
  configuration: {
    hint: "Which config does the bot load: its symlink, BOT_ENV, the working directory?",
    action: "Correct the configuration, or roll back if it came with this release.",
  },
  release: {
    hint: "Was the bot restarted after the deployment?",
    action: "Restart the bot, or deploy again: another release than the expected one runs.",
  },
  uptime_stability: {
    hint: "LOGS; free -m and dmesg show whether the kernel killed it.",
    action: "Roll back, and keep the series of the watch for the analysis.",
  },
};

type SqlMeaning = {
  code: RegExp;
  status: "fail" | "unknown";
  says: string;
  hint: string | null;
};
// The first that fits; the last one always does.
const SQL_MEANINGS: readonly SqlMeaning[] = [
  {
    code: /^ENOENT|^ENOTDIR/,
    status: "fail",
    says: "there is no database file",
    hint: null,
  },
  {
    code: /^EISDIR/,
    status: "fail",
    says: "it is a directory, not a database",
    hint: null,
  },
  {
    code: /^SQLITE_(NOTADB|CORRUPT)/,
    status: "fail",
    says: "it is damaged, or no SQLite database at all",
    hint: "Restore the newest backup; keep the damaged file.",
  },
  {
    code: /^SQLITE_(BUSY|LOCKED)/,
    status: "fail",
    says: "it is locked exclusively, so the bot cannot use it either",
    hint: "fuser -v FILE shows who has it open.",
  },
  {
    code: /^SQLITE_IOERR/,
    status: "fail",
    says: "it cannot be read from the disk",
    hint: "dmesg | tail shows disk errors.",
  },
  {
    code: /^ERR_DLOPEN/,
    status: "unknown",
    says: "better-sqlite3 was built for another version of Node",
    hint: "npm rebuild better-sqlite3",
  },
  {
    code: /(?:)/,
    status: "unknown",
    says: "this user cannot look at it",
    hint: "Let this user read it, its -wal and -shm files and their directory.",
  },
];
/** What an error's code of SQLite, or of the file system below it, means for a bot. */
export const meaningOfSqlError = (errorCode: string): SqlMeaning =>
  SQL_MEANINGS.find(({ code }) => code.test(errorCode)) as SqlMeaning;

/** What the codes of a connection mean; others are told as they are. */
export const HTTP_MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  ECONNRESET: "the connection was closed before the response was complete",
  ENOENT: "there is no such socket",
  EACCES: "permission denied",
};

/** What the decision on a burn-in asks for (seed 002). */
export const DECISION_ADVICE = {
  PASS: "Declare success: this release is signed off.",
  PARTIAL:
    "Fix the issues and extend the monitoring: " +
    "the next verification that passes begins another burn-in.",
  FAIL: "Roll back, investigate, retry.",
  RUNNING: "Continue monitoring.",
};

/** What to do after a checkpoint before the last, which has the decision (seed 002). */
export const CHECKPOINT_ADVICE: Readonly<Record<Exclude<Hour, 24>, { good: string; bad: string }>> =
  {
    6: { good: "Continue monitoring.", bad: "Investigate the issues." },
    12: {
      good: "Continue to 24 hours.",
      bad: "Roll back, or investigate what is worse than acceptable.",
    },
  };
