/**
 * Records as bots write them into their logs: at one fixed time for suites that read text alone, and
 * shortly before now for those that follow a file or the journal.
 */

export const stampedAt = Date.UTC(2026, 10, 21, 21, 4, 26);

/** The levels of Python, and how severe each is. */
export const python = {
  DEBUG: "other",
  INFO: "other",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "error",
} as const;

export const bracketed = (level: string, text: string, at = stampedAt): string =>
  `[${new Date(at).toISOString().slice(0, 19).replace("T", " ")}] [lib.bot] [${level}] ${text}`;
export const info = bracketed("INFO", "goes on");
export const traceback = [
  "Traceback (most recent call last):",
  '  File "bot.py", line 10, in join',
  "    raise KeyError(name)",
  "KeyError: 'lobby'",
];

export const during = [
  "",
  "During handling of the above exception, another exception occurred:",
  "",
];

export const frames = [
  "    at join (/opt/bot/index.js:3:9)",
  "    at async main (/opt/bot/index.js:9:3)",
];

/** A whole second, because the lines are stamped with one. */
export const now = Math.floor(Date.now() / 1000) * 1000;
export const windowStart = now - 300_000;
export const recent = (level: string, text: string, secondsAgo = 10): string =>
  bracketed(level, text, now - secondsAgo * 1000);
