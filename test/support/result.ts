/** One whole result, with findings of every kind; and findings as a test needs them. */
import type { Result } from "../../lib/run.ts";
import { type Finding, type Status, VERSION } from "../../lib/vocabulary.ts";

export function findingOf(
  check: Finding["check"],
  status: Status,
  over: Partial<Finding> = {},
): Finding {
  const says = `${check} is ${status}`;
  return {
    check,
    status,
    phase: "final",
    measured: null,
    limit: null,
    unit: null,
    says,
    evidence: [],
    hint: null,
    parts: [],
    ...over,
  };
}

const evidence = Array.from({ length: 9 }, (_, index) => `line ${index + 1} of what it rests on`);

export const fixed: Result = {
  v: 1,
  kind: "verify",
  ts: "2026-11-21T12:00:00.000Z",
  run: "00000000-0000-4000-8000-000000000000",
  env: "prod",
  host: "bot-host",
  user: "cytube-verify",
  verifier: VERSION,
  config: "/etc/cytube-verify/prod.yaml",
  identity: {
    pid: 4711,
    startTicks: 900,
    startedAt: "2026-11-21T11:54:00.000Z",
    bootId: "b",
    invocation: null,
    version: "1.4.2",
  },
  releaseId: "1.4.2",
  unitInvocation: null,
  whole: true,
  burnin: null,
  account: null,
  place: null,
  flags: null,
  verdict: "fail",
  exit: 3,
  action: "Roll back at once: the database is not usable.",
  ms: 312_345,
  findings: [
    findingOf("process", "pass", {
      measured: "running",
      limit: "running",
      says: "pid 4711 (python3) has run for 6 min",
    }),
    findingOf("database", "fail", {
      measured: 2011,
      limit: 2000,
      unit: "ms",
      evidence,
      hint: "ls -la /srv/bot/bot_data.db*; is the disk full (df -h)?",
    }),
    findingOf("health_endpoint", "pass", {
      measured: 12.3,
      limit: 5000,
      unit: "ms",
      says: "answered in 12.3 ms",
    }),
    findingOf("connection", "unknown", {
      says: "the document does not say whether the bot is connected",
      measured: "missing",
      limit: "true",
      hint: "tail -n 50 bot.log",
    }),
    findingOf("response_time", "warn", {
      measured: 1203,
      limit: 1000,
      unit: "ms",
      says: "slowest of 10: 1203 ms, p95 1203 ms",
      parts: [
        {
          part: "average",
          status: "pass",
          says: "average 30 ms",
          measured: 30,
          limit: 1000,
          unit: "ms",
          evidence: [],
          hint: null,
        },
        {
          part: "tail",
          status: "warn",
          says: "slowest of 10: 1203 ms, p95 1203 ms",
          measured: 1203,
          limit: 1000,
          unit: "ms",
          evidence: [],
          hint: null,
        },
        {
          part: "answers",
          status: "warn",
          says: "1 of 10 samples failed: HTTP 500",
          measured: 1,
          limit: 0,
          unit: null,
          evidence: [],
          hint: null,
        },
      ],
    }),
    findingOf("user_count", "off", { says: "the bot joins empty channels" }),
    findingOf("release", "skipped", { says: "left out by --only or --skip" }),
  ],
  metrics: { memoryMb: 81 },
  series: null,
  schema: null,
  notes: ["2 lines of the log are torn"],
};
