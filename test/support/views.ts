/**
 * What a report is filled with: views of one day each, as a healthy, an ailing, a failed, a young
 * burn-in have them, and one of which nothing is known.
 */
import type { Criterion, Level, MetricRow } from "../../lib/burnin/words.ts";
import type { Curve, ReportView } from "../../lib/report/render.ts";

const timeZone = "Europe/Berlin";
const begun = Date.parse("2026-11-20T06:12:04.000Z");
const hour = 3600;
const width = 960;
const height = 200;

const iso = (age: number): string => new Date(begun + age * 1000).toISOString();
const clock = (age: number): string =>
  new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone }).format(begun + age * 1000);
const minute = (age: number): string => clock(age).slice(0, 5);

/** When the timer looks: every 15 minutes, then each hour, then every 4 hours. */
const looks = [
  ...Array.from({ length: 16 }, (_, index) => ((index + 1) * hour) / 4),
  ...Array.from({ length: 8 }, (_, index) => (index + 5) * hour),
  ...[16, 20, 24].map((at) => at * hour),
];

/** Noise that is the same in every run. */
const noise = (seed: number): number => (Math.sin(seed * 12.9898) * 43758.5453) % 1;

type Sample = { age: number; value: number };

/** Scales samples into a plot; the axis has the given values, the largest of them on top. */
function seriesOf(
  id: Curve["id"],
  title: string,
  unit: string,
  samples: readonly Sample[],
  axis: readonly number[],
  over: Partial<Curve> = {},
): Curve {
  const top = Math.max(...axis);
  const x = (age: number): number => (age / (24 * hour)) * width;
  const y = (value: number): number => height - (value / top) * height;
  const points = samples.map(({ age, value }) => ({
    x: x(age),
    y: y(value),
    label: `${minute(age)}: ${value}${unit && ` ${unit}`}`,
  }));
  const path = points
    .map((point, index) => `${index ? "L" : "M"}${point.x.toFixed(1)},${point.y.toFixed(1)}`)
    .join("");
  const labels = axis.map((value) => ({ y: y(value), label: String(value) }));
  const shape = {
    path,
    area: `${path}L${points.at(-1)?.x.toFixed(1)},${height}L${points[0]?.x.toFixed(1)},${height}Z`,
    points,
  };
  if (!samples.length)
    return {
      id,
      title,
      unit,
      path: "",
      area: null,
      bars: [],
      points: [],
      limit: null,
      trend: null,
      axis: [],
      empty: "no samples",
    };
  return {
    id,
    title,
    unit,
    ...shape,
    bars: [],
    limit: null,
    trend: null,
    axis: labels,
    empty: null,
    ...over,
  };
}

function barsOf(samples: readonly Sample[], axis: readonly number[]): Curve {
  const top = Math.max(...axis);
  const bars = samples.map(({ age, value }, index) => {
    const from = samples[index - 1]?.age ?? 0;
    const tall = (value / top) * height;
    const label = `${minute(from)} to ${minute(age)}: ${value} ${value === 1 ? "error" : "errors"}`;
    return {
      x: (from / (24 * hour)) * width + 1,
      width: ((age - from) / (24 * hour)) * width - 2,
      y: height - tall,
      height: tall,
      label,
    };
  });
  return seriesOf("errors", "Errors per interval", "", samples, axis, {
    path: "",
    area: null,
    points: [],
    bars,
  });
}

type Story = {
  until: number;
  memory?: (age: number) => number;
  response?: (age: number) => number;
  errors?: (age: number) => number;
};

function chartsOf(
  { until, memory, response, errors }: Story,
  more: Partial<ReportView["charts"]> = {},
): ReportView["charts"] {
  const place = (age: number): number => (age / (24 * hour)) * width;
  const ages = looks.filter((age) => age <= until);
  const sampled = (of: ((age: number) => number) | undefined): Sample[] =>
    of ? ages.map((age) => ({ age, value: of(age) })) : [];
  const users = (age: number): number => {
    const of = Number(minute(age).slice(0, 2));
    let usual = 34;
    if (of >= 18 && of < 23) usual = 74;
    if (of >= 2 && of < 8) usual = 9;
    return Math.round(usual + 6 * noise(age));
  };
  const first = 48 * 60 - 4 / 60; // Until the first full hour.
  const early = first;
  const late = 24 * hour;
  const slope = memory ? memory(24 * hour) - memory(hour) : 0;
  const top = memory && memory(24 * hour) > 500 ? 1600 : 600;
  const y = (value: number): number => height - (value / top) * height;
  return {
    width,
    height,
    hours: Array.from({ length: 12 }, (_, index) => ({
      x: place(early + index * 2 * hour),
      label: minute(early + index * 2 * hour + 1),
    })),
    bands: [
      {
        x: place(11 * hour - 724),
        width: place(5 * hour),
        kind: "peak",
        label: "peak hours, 18:00 to 23:00",
      },
      {
        x: place(19 * hour - 724),
        width: place(5 * hour),
        kind: "off-peak",
        label: "off-peak hours, 02:00 to 07:00",
      },
    ],
    marks: [],
    strip: [
      {
        x: 0,
        width: place(Math.min(until, late)),
        kind: "up",
        label: `up and connected, ${minute(0)} to ${minute(until)}`,
      },
    ],
    series: [
      seriesOf(
        "memory",
        "Memory",
        "MB",
        sampled(memory),
        top === 600 ? [0, 200, 400, 600] : [0, 400, 800, 1200, 1600],
        {
          limit: { y: y(500), label: "limit 500 MB" },
          trend: memory
            ? {
                x1: place(hour),
                x2: place(until),
                y1: y(memory(hour)),
                y2: y(memory(until)),
                label: `trend ${(slope / 23).toFixed(1)} MB/h`,
              }
            : null,
        },
      ),
      seriesOf("response", "Response time", "ms", sampled(response), [0, 50, 100, 150], {
        limit: { y: height / 3, label: "acceptable below 100 ms" },
      }),
      seriesOf("users", "Users", "", sampled(response && users), [0, 30, 60, 90]),
      errors && ages.length
        ? barsOf(sampled(errors), [0, 5, 10])
        : seriesOf("errors", "Errors per interval", "", [], []),
    ],
    ...more,
  };
}

const limits = {
  uptime: ["Uptime", "100 %", "> 99.9 %", "< 99 %"],
  error_rate: ["Error Rate", "0/min", "< 0.1/min", "> 1/min"],
  restarts: ["Unplanned Restarts", "0", "0", "> 0"],
  alerts: ["Alert Count", "0", "< 3", "> 5"],
  response_time: ["Avg Response Time", "< 50 ms", "< 100 ms", "> 200 ms"],
  memory_growth: ["Memory Growth", "0 MB/h", "< 10 MB/h", "> 50 MB/h"],
  cpu: ["CPU", "< 20 %", "< 20 %", "> 50 %"],
} as const;

function row(metric: MetricRow["metric"], shown: string, level: Level, says: string): MetricRow {
  const [title, target, acceptable, critical] = limits[metric];
  return {
    metric,
    title,
    value: Number.parseFloat(shown) || null,
    shown,
    target,
    acceptable,
    critical,
    level,
    says,
  };
}

const criterion = (name: string, status: Criterion["status"], says: string): Criterion => ({
  criterion: name,
  status,
  says,
});

const sixHours = [
  criterion("Bot connected 100% of time", "pass", "100 %: down or disconnected for 0 ms"),
  criterion("Zero errors", "pass", "0 errors"),
  criterion("No alerts", "off", "no source of alerts"),
  criterion("Memory stable", "pass", "0.2 MB/h: 95 % interval -0.6 to 0.9 MB/h"),
  criterion("Logs clean", "pass", "0 errors, 3 warnings"),
];
const twelveHours = [
  criterion("Uptime > 99.9%", "pass", "100 %: down or disconnected for 0 ms"),
  criterion("Error count < 10 total", "pass", "0 errors"),
  criterion("No critical alerts", "off", "no source of alerts"),
  criterion("Performance acceptable", "pass", "31 ms: steady"),
  criterion("One peak period observed", "deferred", "has not come yet"),
];
const lastHours = [
  criterion("Uptime > 99.9%", "pass", "99.95 %: down or disconnected for 43 s, 0 ms of it planned"),
  criterion("Error rate acceptable", "pass", "0.0014/min: 2 errors"),
  criterion("Zero unplanned restarts", "pass", "0: 1 planned"),
  criterion("Passed peak hours", "pass", "5 h of 5 h seen in 2 looks, 0 errors, 0 ms down"),
  criterion("Passed off-peak hours", "pass", "5 h of 5 h seen in 1 look, 0 errors, 0 ms down"),
  criterion("All monitoring systems operational", "pass", "every look has seen everything"),
  criterion("Team confident in stability", "off", "a person's sign-off, beside the verdict"),
];

const common = {
  title: "Production Validation Report - Day 1",
  day: 1,
  env: "prod",
  host: "bot-host",
  releaseId: "1.4.2",
  attempt: 1,
  date: "2026-11-21",
  validator: "cytube-verify on bot-host",
  timeZone,
  verifier: "0.1.0",
  from: iso(0),
} satisfies Partial<ReportView>;

/** A good day: one planned restart, one hiccup of 5 s. */
export const healthy: ReportView = {
  ...common,
  generatedAt: iso(24 * hour + 3),
  to: iso(24 * hour),
  age: "24 h of 24 h",
  coverage: "All of the 24 h was accounted for, in 27 looks.",
  decision: "PASS",
  healthy: "HEALTHY",
  reasons: [],
  action: "Declare success: this release is signed off.",
  metrics: [
    row("uptime", "99.98 %", "acceptable", "down or disconnected for 17 s, 12 s of it planned"),
    row("error_rate", "0/min", "target", "0 errors"),
    row("restarts", "0", "target", "1 planned"),
    row("alerts", "-", "off", "no source of alerts"),
    row("response_time", "31 ms", "target", "steady"),
    row("memory_growth", "0.2 MB/h", "target", "95 % interval -0.6 to 0.9 MB/h"),
    row("cpu", "3.4 %", "target", "average of 27 looks"),
  ],
  facts: [
    { name: "Error Count", value: "0" },
    { name: "Peak Users", value: "79 at 20:12" },
    { name: "Planned Restarts", value: "1" },
    { name: "Peak Memory", value: "93 MB" },
    { name: "Newest Backup", value: "7 h old" },
    { name: "Coverage", value: "100 %" },
  ],
  events: [
    {
      at: iso(0),
      clock: clock(0),
      age: 0,
      kind: "verify",
      says: "release 1.4.2 was verified: pass",
    },
    {
      at: iso(19_076),
      clock: clock(19_076),
      age: 19_076,
      kind: "outage",
      says: "not connected for 5 s: the log says Disconnected, then Connected",
    },
    {
      at: iso(21_600),
      clock: clock(21_600),
      age: 21_600,
      kind: "checkpoint",
      says: "6-hour checkpoint: pass",
    },
    {
      at: iso(31_030),
      clock: clock(31_030),
      age: 31_030,
      kind: "restart",
      says: "planned restart by anna (systemctl restart), down for 12 s",
    },
    {
      at: iso(43_200),
      clock: clock(43_200),
      age: 43_200,
      kind: "checkpoint",
      says: "12-hour checkpoint: pass",
    },
    {
      at: iso(46_800),
      clock: clock(46_800),
      age: 46_800,
      kind: "peak",
      says: "79 users, the most of the day",
    },
    {
      at: iso(59_580),
      clock: clock(59_580),
      age: 59_580,
      kind: "note",
      says: "daily backup is there, 412 MB",
    },
    {
      at: iso(86_400),
      clock: clock(86_400),
      age: 86_400,
      kind: "checkpoint",
      says: "24-hour checkpoint: pass",
    },
  ],
  issues: [],
  actions: [],
  observations: [
    {
      at: iso(47_300),
      by: "anna",
      text: "Performed well under peak load.\nThe alert was tried with a test message; it reached the channel.",
    },
  ],
  checkpoints: [
    {
      title: "6-Hour Checkpoint",
      at: iso(21_600),
      status: "pass",
      decision: "Continue monitoring",
      criteria: sixHours,
    },
    {
      title: "12-Hour Checkpoint",
      at: iso(43_200),
      status: "pass",
      decision: "Continue to 24 hours",
      criteria: twelveHours,
    },
    {
      title: "24-Hour Checkpoint (Final)",
      at: iso(86_400),
      status: "pass",
      decision: "PASS",
      criteria: lastHours,
    },
  ],
  findings: [],
  redFlags: [],
  yellowFlags: ["Disconnected once, for 5 s (less than 0.01 % of the time)"],
  skipped: null,
  charts: chartsOf(
    {
      until: 24 * hour,
      memory: (age) => Math.round(88 + 4 * noise(age) + age / 40_000),
      response: (age) => Math.round(31 + 7 * noise(age + 3)),
      errors: () => 0,
    },
    {
      marks: [
        { x: 240, kind: "checkpoint", label: "6-hour checkpoint, 13:12:04" },
        {
          x: (31_030 / 86_400) * width,
          kind: "restart-planned",
          label: "planned restart by anna, 15:49:14",
        },
        { x: 480, kind: "checkpoint", label: "12-hour checkpoint, 19:12:04" },
        { x: 960, kind: "checkpoint", label: "24-hour checkpoint, 07:12:04" },
      ],
      strip: [
        { x: 0, width: 960, kind: "up", label: "up and connected" },
        {
          x: (19_076 / 86_400) * width,
          width: 0.05,
          kind: "disconnected",
          label: "not connected for 5 s, 12:30:00 to 12:30:05",
        },
        {
          x: (31_030 / 86_400) * width,
          width: 0.13,
          kind: "planned",
          label: "down for 12 s as planned, 15:49:14 to 15:49:26",
        },
      ],
    },
  ),
};

/** A bad day: a leak, an outage between two looks, a crash, two hours that nobody saw. */
export const failed: ReportView = {
  ...common,
  attempt: 2,
  generatedAt: iso(24 * hour + 3),
  to: iso(24 * hour),
  age: "24 h of 24 h",
  coverage: "22 h of 24 h was accounted for, in 25 looks; nobody looked for 2 h.",
  decision: "FAIL",
  healthy: "CRITICAL",
  reasons: [
    "Unplanned Restarts 1 (acceptable 0): 1 planned",
    "Memory Growth 58.7 MB/h (acceptable < 10 MB/h): 95 % interval 56.2 to 61.4 MB/h",
    "Uptime 91.4 % to 99.74 % (acceptable > 99.9 %): down or disconnected for 3 min 44 s, 41 s of it planned; what nobody saw could make it 91.4 %",
  ],
  action: "Roll back, investigate, retry.",
  metrics: [
    row(
      "uptime",
      "91.4 % to 99.74 %",
      "unknown",
      "down or disconnected for 3 min 44 s, 41 s of it planned; what nobody saw could make it 91.4 %",
    ),
    row("error_rate", "0.03/min", "acceptable", "43 errors"),
    row("restarts", "1", "critical", "1 planned"),
    row("alerts", "4", "worse", "fired during the burn-in"),
    row("response_time", "87 ms", "acceptable", "grew by 61 ms"),
    row("memory_growth", "58.7 MB/h", "critical", "95 % interval 56.2 to 61.4 MB/h"),
    row("cpu", "22 %", "worse", "average of 25 looks"),
  ],
  facts: [
    { name: "Error Count", value: "43" },
    { name: "Peak Users", value: "79 at 20:12" },
    { name: "Planned Restarts", value: "1" },
    { name: "Peak Memory", value: "1450 MB" },
    { name: "Newest Backup", value: "31 h old" },
    { name: "Coverage", value: "91.7 %" },
  ],
  events: [
    {
      at: iso(0),
      clock: clock(0),
      age: 0,
      kind: "verify",
      says: "release 1.4.2 was verified: pass",
    },
    {
      at: iso(8_246),
      clock: clock(8_246),
      age: 8_246,
      kind: "outage",
      says: "down for 1 min 30 s: the journal saw the unit fail and start again",
    },
    {
      at: iso(8_336),
      clock: clock(8_336),
      age: 8_336,
      kind: "restart",
      says: "unplanned restart: main process exited, code=killed, status=9/KILL",
    },
    {
      at: iso(18_000),
      clock: clock(18_000),
      age: 18_000,
      kind: "deployment",
      says: "release 1.4.2 was deployed again, down for 41 s",
    },
    {
      at: iso(21_600),
      clock: clock(21_600),
      age: 21_600,
      kind: "checkpoint",
      says: "6-hour checkpoint: fail",
    },
    {
      at: iso(25_000),
      clock: clock(25_000),
      age: 25_000,
      kind: "alert",
      says: "MemoryHigh (warning) fires",
    },
    {
      at: iso(43_200),
      clock: clock(43_200),
      age: 43_200,
      kind: "checkpoint",
      says: "12-hour checkpoint: fail",
    },
    {
      at: iso(46_800),
      clock: clock(46_800),
      age: 46_800,
      kind: "peak",
      says: "79 users, the most of the day",
    },
    {
      at: iso(50_400),
      clock: clock(50_400),
      age: 50_400,
      kind: "hole",
      says: "nobody looked for 2 h: the host was off",
    },
    {
      at: iso(57_620),
      clock: clock(57_620),
      age: 57_620,
      kind: "clock",
      says: "the clock was set back by 58 min",
    },
    {
      at: iso(61_000),
      clock: clock(61_000),
      age: 61_000,
      kind: "outage",
      says: "not connected for 1 min 33 s: the log says Disconnected, then Connected",
    },
    {
      at: iso(64_000),
      clock: clock(64_000),
      age: 64_000,
      kind: "note",
      says: "ben: the room complains about slow answers",
    },
    {
      at: iso(86_400),
      clock: clock(86_400),
      age: 86_400,
      kind: "checkpoint",
      says: "24-hour checkpoint: fail",
    },
    {
      at: iso(86_402),
      clock: clock(86_402),
      age: 86_402,
      kind: "rollback",
      says: "rolled back to release 1.4.1",
    },
  ],
  issues: [
    "The bot was killed at 09:29:30 and started again 1 min 30 s later.",
    "Memory grew by 58.7 MB an hour, from 93 MB to 1450 MB.",
    "Nobody looked from 21:12:04 to 23:12:04.",
  ],
  actions: [
    "Roll back, investigate, retry.",
    "Find out what killed the bot: journalctl -u cytube-bot.service --since '2026-11-20 09:29'",
  ],
  observations: [{ at: iso(64_000), by: "ben", text: "The room complains about slow answers." }],
  checkpoints: [
    {
      title: "6-Hour Checkpoint",
      at: iso(21_600),
      status: "fail",
      decision: "Investigate issues",
      criteria: [
        criterion(
          "Bot connected 100% of time",
          "fail",
          "98.9 %: down or disconnected for 2 min 11 s, 41 s of it planned",
        ),
        criterion("Zero errors", "fail", "12 errors"),
        criterion("No alerts", "pass", "0 fired"),
        criterion("Memory stable", "fail", "57.1 MB/h: 95 % interval 51.8 to 62.3 MB/h"),
        criterion("Logs clean", "fail", "12 errors, 3 warnings"),
      ],
    },
    {
      title: "12-Hour Checkpoint",
      at: iso(43_200),
      status: "fail",
      decision: "Rollback",
      criteria: [
        criterion(
          "Uptime > 99.9%",
          "fail",
          "99.7 %: down or disconnected for 2 min 11 s, 41 s of it planned",
        ),
        criterion("Error count < 10 total", "fail", "12 errors"),
        criterion("No critical alerts", "pass", "0 fired"),
        criterion("Performance acceptable", "fail", "72 ms: grew by 41 ms"),
        criterion("One peak period observed", "deferred", "has not come yet"),
      ],
    },
    {
      title: "24-Hour Checkpoint (Final)",
      at: iso(86_400),
      status: "fail",
      decision: "FAIL",
      criteria: [
        criterion(
          "Uptime > 99.9%",
          "unknown",
          "91.4 % to 99.74 %: down or disconnected for 3 min 44 s; what nobody saw could make it 91.4 %",
        ),
        criterion("Error rate acceptable", "pass", "0.03/min: 43 errors"),
        criterion("Zero unplanned restarts", "fail", "1: 1 planned"),
        criterion("Passed peak hours", "unknown", "3 h of 5 h seen in 1 look, 4 errors, 0 ms down"),
        criterion(
          "Passed off-peak hours",
          "pass",
          "5 h of 5 h seen in 1 look, 27 errors, 0 ms down",
        ),
        criterion("All monitoring systems operational", "unknown", "nobody looked for 2 h"),
        criterion("Team confident in stability", "off", "a person's sign-off, beside the verdict"),
      ],
    },
  ],
  findings: [
    {
      at: iso(9_000),
      check: "process",
      status: "fail",
      says: "another process runs: the bot was killed by signal 9 and started again",
      evidence: [
        "Nov 20 09:29:30 systemd[1]: cytube-bot.service: Main process exited, code=killed, status=9/KILL",
        "Nov 20 09:29:30 systemd[1]: cytube-bot.service: Failed with result 'signal'.",
        "Nov 20 09:31:00 systemd[1]: Started cytube-bot.service - CyTube bot.",
      ],
    },
    {
      at: iso(28_800),
      check: "error_logs",
      status: "warn",
      says: "12 errors since the last look, all alike",
      evidence: [
        '[2026-11-20 14:55:02] [ERROR] [bot.database] cannot write: database is locked (INSERT INTO user_stats (name, "count") VALUES (?, ?))\nTraceback (most recent call last):\n  File "/srv/cytube-bot/lib/database.py", line 218, in write\n    cursor.execute(statement, values)\nsqlite3.OperationalError: database is locked',
      ],
    },
    {
      at: iso(72_000),
      check: "memory_usage",
      status: "unknown",
      says: "the memory could not be read: permission denied",
      evidence: [],
    },
  ],
  redFlags: [
    "Disconnected for more than 1 minute: 1 min 33 s from 00:08:44",
    "Memory grows continuously: 58.7 MB/h",
  ],
  yellowFlags: ["Newest backup is 31 h old", "Response times increase: by 61 ms over the day"],
  skipped: "2 lines of the log are torn or foreign and were left out",
  charts: chartsOf(
    {
      until: 24 * hour,
      memory: (age) => Math.round(92 + (58.7 * age) / hour + 18 * noise(age)),
      response: (age) => Math.round(48 + (61 * age) / 86_400 + 16 * noise(age + 3)),
      errors: (age) => {
        if (age === 8 * hour) return 9;
        if (age > 20 * hour) return 4;
        if (age > 12 * hour) return 2;
        return age > 10 * hour ? 1 : 0;
      },
    },
    {
      marks: [
        { x: (8_336 / 86_400) * width, kind: "restart", label: "unplanned restart, 09:31:00" },
        {
          x: (18_000 / 86_400) * width,
          kind: "deployment",
          label: "release 1.4.2 deployed again, 12:12:04",
        },
        { x: 240, kind: "checkpoint", label: "6-hour checkpoint, 13:12:04" },
        { x: 480, kind: "checkpoint", label: "12-hour checkpoint, 19:12:04" },
        { x: 960, kind: "checkpoint", label: "24-hour checkpoint, 07:12:04" },
      ],
      strip: [
        { x: 0, width: 560, kind: "up", label: "up and connected" },
        { x: 560, width: 80, kind: "hole", label: "nobody looked for 2 h, 21:12:04 to 23:12:04" },
        { x: 640, width: 320, kind: "up", label: "up and connected" },
        {
          x: (8_246 / 86_400) * width,
          width: 1,
          kind: "down",
          label: "down for 1 min 30 s, 09:29:30 to 09:31:00",
        },
        {
          x: (18_000 / 86_400) * width,
          width: 0.45,
          kind: "planned",
          label: "down for 41 s as planned, 12:12:04 to 12:12:45",
        },
        {
          x: (61_000 / 86_400) * width,
          width: 1.03,
          kind: "disconnected",
          label: "not connected for 1 min 33 s, 00:08:44 to 00:10:17",
        },
      ],
    },
  ),
};

/** A day that nothing speaks against, and of which not enough was seen. */
const partial: ReportView = {
  ...healthy,
  decision: "PARTIAL",
  healthy: "ISSUES",
  reasons: [
    "Uptime 91.65 % to 99.98 % (acceptable > 99.9 %): what nobody saw could make it 91.65 %",
    "All monitoring systems operational: nobody looked for 2 h",
  ],
  action:
    "Fix the issues and extend the monitoring: the next verification that passes begins another burn-in.",
  metrics: healthy.metrics.map((metric) =>
    metric.metric === "uptime"
      ? row("uptime", "91.65 % to 99.98 %", "unknown", "what nobody saw could make it 91.65 %")
      : metric,
  ),
  coverage: "22 h of 24 h was accounted for, in 25 looks; nobody looked for 2 h.",
};

/** After five hours and a quarter. */
const running: ReportView = {
  ...healthy,
  generatedAt: iso(18_960),
  to: iso(18_900),
  age: "5 h 15 min of 24 h",
  coverage: "All of the 5 h 15 min was accounted for, in 17 looks.",
  decision: "RUNNING",
  healthy: "HEALTHY",
  action: "Continue monitoring.",
  metrics: healthy.metrics.map((metric) =>
    metric.metric === "memory_growth"
      ? row("memory_growth", "-", "unknown", "too few samples")
      : metric,
  ),
  events: healthy.events.filter(({ age }) => age < 18_900),
  observations: [],
  checkpoints: healthy.checkpoints.map(({ title }, index) => ({
    title,
    at: null,
    status: `due at ${clock([6, 12, 24].map((due) => due * hour)[index] ?? 0)}`,
    decision: "",
    criteria: [],
  })),
  yellowFlags: [],
  charts: chartsOf({
    until: 18_900,
    memory: (age) => Math.round(88 + 4 * noise(age)),
    response: (age) => Math.round(31 + 7 * noise(age + 3)),
    errors: () => 0,
  }),
};

/** Nothing is known: no burn-in has begun. */
const empty: ReportView = {
  ...common,
  releaseId: "unknown",
  attempt: 0,
  generatedAt: iso(60),
  to: iso(60),
  age: "no burn-in has begun",
  coverage: "Nothing was accounted for.",
  decision: "NONE",
  healthy: "UNKNOWN",
  reasons: ["The log holds no verification that passed."],
  action: "Verify the release first: verify.ts --env prod",
  metrics: [],
  facts: [],
  events: [],
  issues: [],
  actions: [],
  observations: [],
  checkpoints: [],
  findings: [],
  redFlags: [],
  yellowFlags: [],
  skipped: null,
  charts: chartsOf({ until: 0 }, { strip: [], bands: [] }),
};

export const views = { pass: healthy, fail: failed, partial, running, none: empty };
