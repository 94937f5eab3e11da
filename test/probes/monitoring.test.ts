/**
 * What is asked of Prometheus and Alertmanager: the real ones, over a day whose truth is known and
 * over a bot that is scraped meanwhile, and
 * servers that misbehave.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { Unobservable } from "../../lib/attempt.ts";
import type { Config } from "../../lib/config.ts";
import { readFiring } from "../../lib/probes/alertmanager.ts";
import {
  comparePrometheus,
  measureSamples,
  type PrometheusView,
  readPrometheus,
  type Sample,
} from "../../lib/probes/prometheus.ts";
import { BURNIN } from "../../verify.ts";
import { findFreePort } from "../support/harness.ts";
import {
  createHistory,
  eventually,
  query,
  type Service,
  startAlertmanager,
  startPrometheus,
} from "../support/monitoring.ts";

type PrometheusConfig = NonNullable<Config["prometheus"]>;
const read = (prometheus: PrometheusConfig, seconds: number): Promise<PrometheusView> =>
  readPrometheus(
    {
      prometheus,
      headers: { authorization: "Bearer of-the-health-endpoint" },
      burninLimits: BURNIN,
    } as unknown as Config,
    seconds,
  );
const fire = (alertmanager: NonNullable<Config["alertmanager"]>) =>
  readFiring({
    alertmanager,
    headers: { authorization: "Bearer of-the-health-endpoint" },
  } as unknown as Config);
const within = (value: number | null, low: number, high: number, what: string): void =>
  assert.ok(
    value !== null && value >= low && value <= high,
    `${what}: ${value} is not within ${low} and ${high}`,
  );
const hour = 3600;
const day = 24 * hour;

// ---------------------------------------------------------------------------- a day of known truth

type Away = { from: number; to: number };
/** A bot over a day: times are seconds since the burn-in began. */
type Life = {
  /** When it says that it is not connected. */
  disconnected?: Away[];
  /** When it, or Prometheus, is down: nothing is scraped. */
  unseen?: Away[];
  restarts?: number[];
  /** Megabytes at a time. */
  memory?: (at: number) => number;
  /** When an error is counted. */
  errors?: number[];
  /** Values of bot_connected, where they are neither of its two. */
  says?: (at: number) => number;
  labels?: string[];
};
const isIn = (away: Away[] | undefined, at: number): boolean =>
  Boolean(away?.some(({ from, to }) => at >= from && at < to));
const everySeconds = 15;

/**
 * Exposes a life as the scrapes of Prometheus have it, from two hours before the burn-in until ten
 * minutes after the day.
 */
function exposeLife(name: string, life: Life, begun: number, random: () => number): string[] {
  const lines: string[] = [];
  const phase = random() * everySeconds;
  const starts = [-2 * hour, ...(life.restarts ?? [])];
  for (let at = -2 * hour + phase; at < day + 600; at += everySeconds) {
    if (isIn(life.unseen, at)) continue;
    const stamp = (begun + at + (random() - 0.5) * 0.01).toFixed(3);
    const start = starts.filter((each) => each <= at).at(-1) ?? 0;
    const counted = (life.errors ?? []).filter((each) => each >= start && each <= at).length;
    const values: Record<string, number> = {
      bot_connected: life.says?.(at) ?? Number(!isIn(life.disconnected, at)),
    };
    if (life.restarts) values.bot_uptime_seconds = at - start;
    if (life.errors) values.bot_errors_total = counted;
    if (life.memory) values.process_resident_memory_bytes = Math.round(life.memory(at) * 2 ** 20);
    for (const [metric, value] of Object.entries(values))
      for (const more of life.labels ?? [""])
        lines.push(`${metric}{env="production",life="${name}"${more}} ${value} ${stamp}`);
  }
  return lines;
}

/** A generator of one's own, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const at = (...moments: number[]): number[] => moments.map((moment) => moment * hour);
const random = seeded(7);
/** Sawtooth of a garbage collector, noise, and caches that fill in the first hour. */
const heap = (perHour: number) => (time: number) => {
  const warmUp = 300 * Math.min(1, Math.max(0, time) / 3000);
  return (
    150 +
    warmUp +
    (30 * (time % 1100)) / 1100 +
    10 * random() +
    (perHour * Math.max(0, time)) / hour
  );
};
const flapping = Array.from({ length: 20 }, (_, index) => ({
  from: 3 * hour + index * 300,
  to: 3 * hour + index * 300 + 20,
}));
const lives: Record<string, Life> = {
  healthy: { restarts: [], errors: [], memory: heap(0) },
  outages: {
    disconnected: [
      { from: 5 * hour, to: 5 * hour + 43 },
      { from: 9 * hour, to: 9 * hour + 43 },
    ],
  },
  outage90: { disconnected: [{ from: 7 * hour + 3, to: 7 * hour + 93 }] },
  flapping: { disconnected: flapping },
  dead: { unseen: [{ from: 7 * hour, to: 7 * hour + 90 }] },
  restarts: { restarts: at(3, 3.1, 20), errors: [] },
  errors: {
    restarts: at(6),
    errors: [
      ...at(1, 1.001, 2, 4, 5.9),
      6 * hour - 0.1,
      ...Array.from({ length: 25 }, (_, index) => 12 * hour + index * 7),
    ],
  },
  leak12: { memory: heap(12) },
  leak60: { memory: heap(60) },
  gap: { unseen: [{ from: 10 * hour, to: 10 * hour + 600 }] },
  late: { unseen: [{ from: -3 * hour, to: 18 * hour }] },
  stale: { unseen: [{ from: day - 1200, to: day + hour }] },
  single: {
    unseen: [
      { from: -3 * hour, to: day - 16 },
      { from: day - 1, to: day + hour },
    ],
  },
  count: { says: () => 3 },
  twins: { labels: [',instance="a:1"', ',instance="b:1"'] },
};

describe("readPrometheus() on a day of known truth", { concurrency: true }, () => {
  let prometheus: Service;
  before(async () => {
    const begun = Math.floor(Date.now() / 1000) - day;
    const lines = Object.entries(lives).flatMap(([name, life]) =>
      exposeLife(name, life, begun, random),
    );
    prometheus = await startPrometheus([], {
      directory: createHistory(`${lines.join("\n")}\n# EOF\n`),
    });
  });
  after(() => prometheus?.stop());
  const look = async (name: string): Promise<PrometheusView> => {
    const { restarts, errors, memory } = lives[name] ?? {};
    const metrics = {
      ...(!restarts && { uptime: null }),
      ...(!errors && { errors: null }),
      ...(!memory && { memory: null }),
    };
    return read(
      { url: prometheus.url, selector: `{env="production",life="${name}"}`, metrics },
      day,
    );
  };

  test("finds nothing wrong with a healthy day", async () => {
    const view = await look("healthy");
    assert.deepEqual(view.problems, []);
    assert.deepEqual(
      [view.uptimePercent, view.errors, view.errorsPerMinute, view.restarts],
      [100, 0, 0, 0],
    );
    assert.deepEqual(view.downSeconds, { low: 0, high: 0 });
    within(view.memoryMbPerHour, -0.5, 0.5, "growth without the warm-up");
    within(view.samples, day / everySeconds - 1, day / everySeconds + 1, "samples");
    within(view.everySeconds, everySeconds - 0.02, everySeconds + 0.02, "scrape interval");
    within(view.staleSeconds, 0, 30, "staleness");
  });

  for (const [name, seconds, pieces] of [
    ["outages", 86, 2],
    ["outage90", 90, 1],
    ["flapping", 400, 20],
  ] as const) {
    test(`bounds the downtime of ${name}, and its ratio is right to a scrape for each`, async () => {
      const view = await look(name);
      assert.deepEqual(view.problems, []);
      within(view.downSeconds?.low ?? null, seconds - pieces * 2 * everySeconds, seconds, "least");
      within(view.downSeconds?.high ?? null, seconds, seconds + pieces * 2 * everySeconds, "most");
      const off = (100 * pieces * everySeconds) / day;
      within(
        view.uptimePercent,
        100 - (100 * seconds) / day - off,
        100 - (100 * seconds) / day + off,
        "uptime",
      );
      const uptime = 100 - (100 * seconds) / day;
      const log = {
        uptimeLow: uptime,
        uptimeHigh: uptime,
        errors: 0,
        restarts: 0,
        memoryMbPerHour: null,
        outages: pieces,
      };
      assert.deepEqual(comparePrometheus(view, log, day), []);
      assert.match(
        comparePrometheus(view, { ...log, uptimeLow: 100, uptimeHigh: 100 }, day).join(),
        /^outages: .* by Prometheus, .* by the log$/,
      );
    });
  }

  test("knows that a bot that is dead is not scraped: the ratio says 100 %, the bound does not", async () => {
    const view = await look("dead");
    assert.equal(view.uptimePercent, 100);
    within(view.downSeconds?.high ?? null, 90, 120, "most");
    assert.equal(view.downSeconds?.low, 0);
    const log = {
      uptimeLow: 100 - 9000 / day,
      uptimeHigh: 100 - 9000 / day,
      errors: 0,
      restarts: 1,
      memoryMbPerHour: null,
    };
    assert.deepEqual(comparePrometheus({ ...view, restarts: 1 }, log, day), []);
  });

  test("counts each start once, where the seed's count(changes()) says how many series there are", async () => {
    const { restarts, problems } = await look("restarts");
    assert.deepEqual([restarts, problems], [3, []]);
    const [seed] = await query(
      prometheus,
      `count(changes(bot_uptime_seconds{life="restarts"}[${day}s]))`,
    );
    assert.equal(seed?.value[1], "1");
  });

  test("counts errors across a start that sets the counter back, but for one that no scrape saw", async () => {
    const view = await look("errors");
    assert.deepEqual(view.problems, []);
    within(view.errors, 29.9, 30.2, "errors");
    within(view.errorsPerMinute, 30 / 1440 - 0.0005, 30 / 1440 + 0.0005, "errors a minute");
  });

  for (const [name, perHour] of [
    ["leak12", 12],
    ["leak60", 60],
  ] as const) {
    test(`measures a leak of ${perHour} MB/h under a garbage collector's sawtooth, where the seed's rate() adds up its falls`, async () => {
      within((await look(name)).memoryMbPerHour, perHour - 0.5, perHour + 0.5, "growth");
      const [seed] = await query(
        prometheus,
        `3600 / 2^20 * rate(process_resident_memory_bytes{life="${name}"}[${day}s])`,
      );
      assert.ok(Number(seed?.value[1]) > 10 * perHour, seed?.value[1]);
    });
  }

  for (const [name, problem, samples] of [
    [
      "gap",
      /^40 of 57(?:59|60|61) samples are missing \/ no sample from \d{4}-.*Z for 10 min(?: \d+ s)?$/,
      [5718, 5722],
    ],
    [
      "late",
      /^43\d\d of 57\d\d samples are missing \/ no sample from \d{4}-.*Z for (?:17 h 5\d min|18 h)$/,
      [1438, 1442],
    ],
    [
      "stale",
      /^\d+ of \d+ samples are missing \/ no sample from .* for 20 min(?: \d+ s)? \/ the newest sample is 20 min(?: \d+ s)? old$/,
      [5678, 5682],
    ],
    ["single", /^(?:the newest sample is .* old \/ )?there is a single sample$/, [1, 1]],
    ["count", /^it is not always 0 or 1$/, [5759, 5761]],
  ] as const) {
    test(`says so of a history that is ${name}`, async () => {
      const view = await look(name);
      const said = view.problems.map((each) =>
        each.replace(`bot_connected{env="production",life="${name}"}: `, ""),
      );
      assert.match(said.join(" / "), problem);
      within(view.samples, samples[0], samples[1], "samples");
    });
  }

  test("takes a gauge that counts connections for no uptime", async () => {
    const { uptimePercent, downSeconds } = await look("count");
    assert.deepEqual([uptimePercent, downSeconds], [null, null]);
  });

  test("does not choose between two series: null, once, with the labels that differ", async () => {
    const {
      uptimePercent,
      samples,
      everySeconds: every,
      staleSeconds,
      downSeconds,
      problems,
    } = await look("twins");
    assert.deepEqual(
      [uptimePercent, samples, every, staleSeconds, downSeconds],
      [null, null, null, null, null],
    );
    const [said, ...more] = problems;
    assert.deepEqual(more, []);
    assert.match(
      said ?? "",
      /has 2 series bot_connected\{.*prometheus\.selector has to name one: .*a:1.*b:1/,
    );
  });

  test("says of each metric that is not there, and is silent of those that the config says there are none of", async () => {
    const { problems, ...rest } = await read(
      { url: prometheus.url, selector: '{env="none"}', metrics: { memory: null } },
      day,
    );
    assert.deepEqual(new Set(Object.values(rest)), new Set([null]));
    const says = (metric: string) =>
      `Prometheus at ${new URL(prometheus.url).host} has no series ${metric}{env="none"}, or not enough samples of it`;
    assert.deepEqual(
      problems,
      ["bot_connected", "bot_errors_total", "bot_uptime_seconds"].map(says),
    );
  });

  test("shows Prometheus's own words where it refuses a query", async () => {
    const { problems } = await read({ url: prometheus.url, selector: '{env=~"("}' }, day);
    assert.match(
      problems[0] ?? "",
      /^Prometheus at \S+ did not answer: HTTP 400: .*missing closing \)/,
    );
  });
});

// ---------------------------------------------------------------------------- samples

const away = fc.record({
  from: fc.integer({ min: 60, max: 3400 }),
  seconds: fc.integer({ min: 1, max: 180 }),
  isDead: fc.boolean(),
});
/**
 * An hour scraped with some jitter; a bot that is disconnected says 0, one that is dead says
 * nothing.
 */
function scrape(
  every: number,
  phase: number,
  outages: { from: number; seconds: number; isDead: boolean }[],
  jitter: () => number,
): Sample[] {
  const samples: Sample[] = [];
  for (let time = phase * every; time < hour; time += every) {
    const out = outages.filter(({ from, seconds }) => time >= from && time < from + seconds);
    if (!out.some(({ isDead }) => isDead))
      samples.push([1e9 + time + jitter() * 0.02, out.length ? "0" : "1"]);
  }
  return samples;
}
const lengthOf = (outages: { from: number; seconds: number }[]): number =>
  new Set(
    outages
      .flatMap(({ from, seconds }) => Array.from({ length: seconds }, (_, second) => from + second))
      .filter((second) => second < hour),
  ).size;
const viewOf = (samples: Sample[]): PrometheusView => ({
  ...{ errors: 0, errorsPerMinute: 0, restarts: 0, memoryMbPerHour: 0, uptimePercent: 0 },
  ...measureSamples(samples, { from: 1e9, to: 1e9 + hour }, BURNIN.samples),
  uptimePercent: (100 * samples.filter(([, value]) => value === "1").length) / samples.length,
});
const interval = fc.constantFrom(5, 10, 15, 30, 60);
const phases = fc.double({ min: 0, max: 0.99, noNaN: true });

test("measureSamples() bounds what was really out, but for what falls between two scrapes", () => {
  fc.assert(
    fc.property(
      interval,
      phases,
      fc.array(away, { maxLength: 6 }),
      fc.integer(),
      (every, phase, outages, seed) => {
        const { downSeconds } = measureSamples(
          scrape(every, phase, outages, seeded(seed)),
          { from: 1e9, to: 1e9 + hour },
          BURNIN.samples,
        );
        const truth = lengthOf(outages);
        assert.ok(downSeconds);
        assert.ok(
          downSeconds.low <= truth + 1,
          `at least ${downSeconds.low}, and ${truth} in truth`,
        );
        assert.ok(
          downSeconds.high + (outages.length + 1) * every + 1 >= truth,
          `at most ${downSeconds.high}, and ${truth} in truth`,
        );
      },
    ),
  );
});

test("comparePrometheus() agrees with a log that tells the truth, however the scrapes fall", () => {
  fc.assert(
    fc.property(
      interval,
      phases,
      fc.array(away, { maxLength: 6 }),
      fc.integer(),
      (every, phase, outages, seed) => {
        const uptime = 100 - (100 * lengthOf(outages)) / hour;
        const log = {
          uptimeLow: uptime,
          uptimeHigh: uptime,
          errors: 0,
          restarts: 0,
          memoryMbPerHour: 0,
          outages: outages.length,
        };
        assert.deepEqual(
          comparePrometheus(viewOf(scrape(every, phase, outages, seeded(seed))), log, hour),
          [],
        );
      },
    ),
  );
});

test("comparePrometheus() sees a 30 s outage that only one of the two saw, at scrapes of 15 s and less", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(5, 10, 15),
      phases,
      fc.integer({ min: 60, max: 3500 }),
      fc.integer(),
      (every, phase, from, seed) => {
        const log = { uptimeLow: 100, uptimeHigh: 100, errors: 0, restarts: 0, memoryMbPerHour: 0 };
        const saw = viewOf(
          scrape(every, phase, [{ from, seconds: 30, isDead: false }], seeded(seed)),
        );
        assert.match(
          comparePrometheus(saw, log, hour).join(),
          /^outages: (?:at least \d+ s|a sample) by Prometheus, (?:at most 0 ms|none) by the log$/,
        );
        const blind = viewOf(scrape(every, phase, [], seeded(seed)));
        const uptime = 100 - 3000 / hour;
        const says = comparePrometheus(
          blind,
          { ...log, uptimeLow: uptime, uptimeHigh: uptime, outages: 1 },
          hour,
        );
        assert.match(
          says.join(),
          /^outages: at most \d+ s by Prometheus, at least 30 s by the log$/,
        );
      },
    ),
  );
});

const agreeing: PrometheusView = {
  ...{ uptimePercent: 100, errors: 4.02, errorsPerMinute: 0.003, restarts: 0, memoryMbPerHour: 3 },
  ...{
    samples: 5760,
    everySeconds: 15,
    staleSeconds: 4,
    downSeconds: { low: 0, high: 0 },
    problems: [],
  },
};
const log = { uptimeLow: 100, uptimeHigh: 100, errors: 4, restarts: 0, memoryMbPerHour: 1 };
for (const [name, view, over, says] of [
  ["agrees within its tolerances", {}, {}, []],
  ["lets an error stand between the last scrape and now", { errors: 3 }, {}, []],
  [
    "sees errors that the log has not",
    { errors: 12 },
    {},
    ["errors: 12 by Prometheus, 4 by the log"],
  ],
  [
    "sees errors that were not counted",
    { errors: 0 },
    { errors: 40 },
    ["errors: 0 by Prometheus, 40 by the log"],
  ],
  [
    "lets a dying bot's last errors go uncounted",
    { errors: 1, restarts: 1 },
    { errors: 6, restarts: 1 },
    [],
  ],
  ["lets increase() extrapolate a thousand errors", { errors: 1040 }, { errors: 1000 }, []],
  [
    "sees a restart that the log has not",
    { restarts: 1 },
    {},
    ["restarts: 1 by Prometheus, 0 by the log"],
  ],
  [
    "sees that no start of the bot shows in its uptime",
    { restarts: 0, errors: null },
    { restarts: 2 },
    ["restarts: 0 by Prometheus, 2 by the log"],
  ],
  ["lets two restarts between two scrapes be one", { restarts: 1 }, { restarts: 2 }, []],
  [
    "sees a leak that the log has not",
    { memoryMbPerHour: 30 },
    {},
    ["memory growth: 30 MB/h by Prometheus, 1 MB/h by the log"],
  ],
  [
    "sees a leak of the tree that is not the process's",
    { memoryMbPerHour: 0 },
    { memoryMbPerHour: 60 },
    ["memory growth: 0 MB/h by Prometheus, 60 MB/h by the log"],
  ],
  ["lets two methods differ on one leak", { memoryMbPerHour: 55 }, { memoryMbPerHour: 62 }, []],
  ["draws no line through a restart", { memoryMbPerHour: -40, restarts: 1 }, { restarts: 1 }, []],
  [
    "compares nothing that one of the two does not know",
    {
      ...agreeing,
      errors: null,
      restarts: null,
      memoryMbPerHour: null,
      downSeconds: null,
      everySeconds: null,
    },
    { uptimeHigh: 90, uptimeLow: 80, memoryMbPerHour: null, errors: 99, restarts: 9 },
    [],
  ],
  [
    "lets a log with holes be as bad as Prometheus says",
    { downSeconds: { low: 400, high: 500 }, uptimePercent: 99.5 },
    { uptimeLow: 95 },
    [],
  ],
  [
    "lets three short outages hide between scrapes, if they are three",
    {},
    { uptimeLow: 100 - 2400 / day, uptimeHigh: 100 - 2400 / day, outages: 3 },
    [],
  ],
] as const) {
  test(`comparePrometheus() ${name}`, () =>
    assert.deepEqual(
      comparePrometheus({ ...agreeing, ...view } as PrometheusView, { ...log, ...over }, day),
      says,
    ));
}

test("comparePrometheus() takes no trend from the first hours", () =>
  assert.deepEqual(comparePrometheus({ ...agreeing, memoryMbPerHour: 80 }, log, 3 * hour), []));

/** A day of scrapes, without those that the function names. */
const dayWithout = (isLost: (index: number) => boolean, last = day): Sample[] =>
  Array.from(
    { length: day / everySeconds },
    (_, index): Sample => [1e9 + index * everySeconds, "1"],
  ).filter(([time], index) => time <= 1e9 + last && !isLost(index));
for (const [name, samples, problems] of [
  ["one missed scrape", dayWithout((index) => index === 99), []],
  [
    "five missed scrapes, which is less than a thousandth",
    dayWithout((index) => index % 1200 === 99),
    [],
  ],
  [
    "six missed scrapes",
    dayWithout((index) => index % 900 === 99),
    [/^7 of 5760 samples are missing$/, /^no sample from .* for 30 s$/],
  ],
  ["a newest sample of 25 s", dayWithout(() => false, day - 25), []],
  [
    "a newest sample of 31 s",
    dayWithout(() => false, day - 31),
    [/^the newest sample is 45 s old$/],
  ],
] as const) {
  test(`measureSamples() ${problems.length ? "tells of" : "is silent of"} ${name}`, () => {
    const found = measureSamples(samples, { from: 1e9, to: 1e9 + day }, BURNIN.samples).problems;
    assert.equal(found.length, problems.length, found.join());
    for (const [index, problem] of problems.entries()) assert.match(found[index] ?? "", problem);
  });
}

test("measureSamples() does not say what a bot was between two samples that are far apart, even if both say that it is disconnected", () => {
  const samples = dayWithout((index) => index > 1000 && index < 1100).map(
    ([time], index): Sample => [time, index === 1000 || index === 1001 ? "0" : "1"],
  );
  const around = 2 * everySeconds;
  assert.deepEqual(
    measureSamples(samples, { from: 1e9, to: 1e9 + day }, BURNIN.samples).downSeconds,
    {
      low: 0,
      high: 1500 + around,
    },
  );
});

test("measureSamples() takes a scrape a minute for what it is", () => {
  const rare = Array.from({ length: 1440 }, (_, index): Sample => [1e9 + index * 60, "1"]);
  const { everySeconds: every, problems } = measureSamples(
    rare.slice(0, -1),
    { from: 1e9, to: 1e9 + day },
    BURNIN.samples,
  );
  assert.deepEqual([every, problems], [60, []]);
});

// ---------------------------------------------------------------------------- a bot that is scraped

describe("readPrometheus() while it scrapes a bot", () => {
  test("sees it connected, disconnected, gone and back, with the errors that it counts", async () => {
    const bot = { connected: 1, errors: 0, startedAt: performance.now() };
    const expose = (): string =>
      `bot_connected{env="production"} ${bot.connected}\nbot_errors_total{env="production"} ${bot.errors}\n` +
      `bot_uptime_seconds{env="production"} ${(performance.now() - bot.startedAt) / 1000}\nprocess_resident_memory_bytes{env="production"} 1e8\n`;
    let isDown = false;
    const server = createServer((_, response) =>
      isDown ? response.writeHead(503).end() : response.end(expose()),
    ).listen(0, "127.0.0.1");
    await eventually("the bot listens", async () => server.listening);
    const targets = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
    const prometheus = await startPrometheus([{ job_name: "bot", static_configs: [{ targets }] }], {
      prefix: "/prom",
    });
    try {
      const url = `${prometheus.url}/prom/`;
      const when = (what: string, holds: (view: PrometheusView) => boolean, seconds = 3) =>
        eventually(what, async () => {
          const view = await read({ url }, seconds);
          return holds(view) && view;
        });
      await when(
        "three seconds are full of samples",
        (view) => (view.samples ?? 0) >= 11 && view.problems.length === 0,
      );
      bot.connected = 0;
      const out = await when(
        "it is seen disconnected",
        ({ downSeconds }) => (downSeconds?.low ?? 0) > 0.9,
      );
      assert.ok((out.uptimePercent ?? 100) < 80);
      assert.deepEqual([out.errors, out.restarts, out.memoryMbPerHour], [0, 0, 0]);
      isDown = true;
      const dead = await when("its samples are missed", ({ problems }) =>
        problems.some((each) => / samples are missing/.test(each)),
      );
      within(dead.everySeconds, 0.2, 0.3, "scrape interval");
      Object.assign(bot, { connected: 1, errors: 7, startedAt: performance.now() });
      isDown = false;
      // Both lie in the last minute, however long a busy machine takes for the questions.
      const isBack = ({ restarts, errors }: PrometheusView): boolean =>
        restarts === 1 && (errors ?? 0) > 0;
      const back = await when("its start and its errors are seen", isBack, 60);
      within(back.errors, 5, 12, "errors, extrapolated over a gap");
    } finally {
      server.closeAllConnections();
      server.close();
      await prometheus.stop();
    }
  });
});

// ---------------------------------------------------------------------------- servers that misbehave

async function withServer<T>(
  listener: RequestListener,
  act: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await eventually("the server listens", async () => server.listening);
  try {
    return await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const answering =
  (body: unknown, code = 200): RequestListener =>
  (_, response) =>
    void response
      .writeHead(code, { "content-type": "application/json" })
      .end(typeof body === "string" ? body : JSON.stringify(body));
const flood: RequestListener = (_, response) => {
  const more = (): void =>
    void (
      response.destroyed ||
      (response.write("x".repeat(65_536)) ? setImmediate(more) : response.once("drain", more))
    );
  more();
};
const one = (series: unknown) => ({ status: "success", data: { result: [series] } });

describe("a server that misbehaves", { concurrency: true }, () => {
  for (const [name, listener, says, alertsSay] of [
    [
      "that never answers",
      () => {},
      /did not answer: no whole response within 10000 ms/,
      /no whole response within 10000 ms/,
    ],
    [
      "that never ends",
      flood,
      /did not answer: the response is larger than 1048576 bytes/,
      /larger than 1048576 bytes/,
    ],
    [
      "that answers with a web page",
      answering("<html>"),
      /did not answer: HTTP 200, but the body is HTML/,
      /the body is HTML/,
    ],
    ["that asks for a password", answering("", 401), /did not answer: HTTP 401$/, /HTTP 401$/],
    [
      "that redirects",
      (_: IncomingMessage, response) => response.writeHead(302, { location: "/x" }).end(),
      /redirects are not followed/,
      /redirects are not/,
    ],
    [
      "that refuses in its own words",
      answering({ error: "too busy" }, 503),
      /did not answer: HTTP 503: too busy$/,
      /HTTP 503: too busy$/,
    ],
    [
      "that speaks of something else",
      answering({ hello: 1 }),
      /did not answer: there is no data\.result$/,
      /the JSON is not a list$/,
    ],
    [
      "that answers null",
      answering("null"),
      /did not answer: there is no data\.result$/,
      /the JSON is not a list$/,
    ],
    [
      "that answers with a series of null",
      answering(one(null)),
      /has no series|has no number/,
      /is not a list$/,
    ],
    [
      "that answers with a number that is none",
      answering(one({ value: [1, "NaN"] })),
      /has no number for uptimePercent/,
      /is not a list$/,
    ],
    [
      "that answers with values of another kind",
      answering(one({ value: 7, values: "abc" })),
      /has no number for/,
      /is not a list$/,
    ],
    [
      "that answers with impossible times",
      answering(
        one({
          value: [1e300, "1"],
          values: [
            [1e300, "1"],
            [-1e300, "1"],
            [null, 3],
          ],
        }),
      ),
      /./,
      /is not a list$/,
    ],
  ] as [string, RequestListener, RegExp, RegExp][]) {
    test(`${name} is a problem for readPrometheus(), and Unobservable to readFiring()`, () =>
      withServer(listener, async (url) => {
        const [view, refusal] = await Promise.all([
          read({ url }, day),
          fire({ url }).catch((error: unknown) => error),
        ]);
        assert.match(view.problems.join(" / "), says);
        assert.ok(refusal instanceof Unobservable, String(refusal));
        assert.match(refusal.message, alertsSay);
      }));
  }

  test("that has thousands of alerts, or half of one, is listened to as far as it makes sense", async () => {
    const many = Array.from({ length: 2000 }, (_, index) => ({
      labels: { alertname: `A${index}` },
      startsAt: "2026-11-22T00:00:00Z",
    }));
    assert.equal((await withServer(answering(many), (url) => fire({ url }))).length, 100);
    const nothing = { name: "", severity: "", since: "" };
    const odd = [
      null,
      7,
      { labels: { alertname: { toString: 1 } } },
      { labels: { alertname: "B".repeat(10_000) } },
    ];
    assert.deepEqual(await withServer(answering(odd), (url) => fire({ url })), [
      nothing,
      nothing,
      nothing,
      { ...nothing, name: "…" },
    ]);
  });

  test("that is not there is one problem, and one Unobservable", async () => {
    const url = `http://127.0.0.1:${await findFreePort()}`;
    const { problems, ...rest } = await read({ url }, day);
    assert.deepEqual(new Set(Object.values(rest)), new Set([null]));
    assert.equal(problems.length, 1);
    assert.match(
      problems[0] ?? "",
      /^Prometheus at 127\.0\.0\.1:\d+ did not answer: .*ECONNREFUSED|connection refused/i,
    );
    await assert.rejects(fire({ url }), Unobservable);
  });

  test("gets the user and password of its own URL, the URL's own path and parameters, and nothing of the health endpoint's", async () => {
    const seen: IncomingMessage[] = [];
    const listener: RequestListener = (request, response) => {
      seen.push(request);
      response.end("[]");
    };
    await withServer(listener, async (url) => {
      await read({ url: url.replace("://", "://joe:a%3Ab@").concat("/prom/?tenant=7") }, day);
      await fire({ url: `${url}/am`, filter: ['env="production"', 'alertname!="Watchdog"'] });
    });
    const [alerts] = seen.filter((request) => request.url?.includes("alerts"));
    const queries = seen.filter((request) => request !== alerts);
    assert.equal(queries.length, 6);
    for (const { method, url, headers } of queries) {
      assert.match(`${method} ${url}`, /^GET \/prom\/api\/v1\/query\?tenant=7&query=/);
      assert.equal(headers.authorization, `Basic ${Buffer.from("joe:a:b").toString("base64")}`);
    }
    assert.equal(alerts?.headers.authorization, undefined);
    const asked = new URL(alerts?.url ?? "", "http://x");
    assert.equal(asked.pathname, "/am/api/v2/alerts");
    assert.deepEqual(Object.fromEntries(asked.searchParams), {
      active: "true",
      silenced: "false",
      inhibited: "false",
      filter: 'alertname!="Watchdog"',
    });
    assert.deepEqual(asked.searchParams.getAll("filter"), [
      'alertname!~"CytubeVerify.*"',
      'env="production"',
      'alertname!="Watchdog"',
    ]);
  });
});

// ---------------------------------------------------------------------------- Alertmanager

describe("readFiring() of a real Alertmanager", () => {
  let alertmanager: Service;
  const post = async (path: string, body: unknown): Promise<void> => {
    const answer = await fetch(`${alertmanager.url}/am/api/v2/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, await answer.text());
  };
  const iso = (secondsFromNow: number): string =>
    new Date(Date.now() + secondsFromNow * 1000).toISOString();
  const alert = (alertname: string, labels: object = {}, endsIn = 600) => ({
    ...{
      labels: { alertname, env: "production", ...labels },
      startsAt: iso(-300),
      endsAt: iso(endsIn),
    },
  });
  const matching = (name: string, value: string) => ({
    name,
    value,
    isRegex: false,
    isEqual: true,
  });

  before(async () => {
    const inhibit = {
      source_matchers: ['alertname="HostDown"'],
      target_matchers: ['alertname="BotDown"'],
      equal: ["instance"],
    };
    alertmanager = await startAlertmanager(
      { route: { receiver: "nobody" }, receivers: [{ name: "nobody" }], inhibit_rules: [inhibit] },
      "/am",
    );
    const silence = {
      matchers: [matching("alertname", "Known")],
      startsAt: iso(-60),
      endsAt: iso(600),
      createdBy: "test",
      comment: "known",
    };
    await post("silences", silence);
  });
  after(() => alertmanager?.stop());
  const names = async (filter?: string[]): Promise<string[]> =>
    (await fire({ url: `${alertmanager.url}/am`, filter })).map(({ name }) => name).sort();

  test("sees nothing where nothing fires", async () => assert.deepEqual(await names(), []));

  test("sees what fires, and nothing that is silenced, inhibited, resolved, or its own", async () => {
    await post("alerts", [
      alert("HighErrorRate", { severity: "critical" }),
      alert("Unlabelled"),
      alert("Known", { severity: "critical" }),
      alert("Over", { severity: "critical" }, -1),
      alert("HostDown", { instance: "a:1" }),
      alert("BotDown", { instance: "a:1", severity: "critical" }),
      alert("BotDown", { instance: "b:1", severity: "warning" }),
      alert("CytubeVerifyRedFlag", { severity: "critical" }),
      alert("Elsewhere", { env: "staging" }),
      alert("Watchdog", { severity: "none" }),
    ]);
    const all = ["BotDown", "Elsewhere", "HighErrorRate", "HostDown", "Unlabelled", "Watchdog"];
    await eventually(
      "silences and inhibitions hold",
      async () => (await names()).join() === all.join(),
    );
    const firing = await fire({ url: `${alertmanager.url}/am/` });
    const { since = "", ...worst } = firing.find(({ name }) => name === "HighErrorRate") ?? {};
    assert.deepEqual(worst, { name: "HighErrorRate", severity: "critical" });
    within((Date.now() - Date.parse(since)) / 1000, 299, 360, "age");
    assert.equal(firing.find(({ name }) => name === "Unlabelled")?.severity, "");
    assert.deepEqual(await names(['env="production"', 'alertname!="Watchdog"']), [
      "BotDown",
      "HighErrorRate",
      "HostDown",
      "Unlabelled",
    ]);
  });

  test("sees an alert no more once it is resolved", async () => {
    await post("alerts", [alert("Passing")]);
    await eventually("it fires", async () => (await names()).includes("Passing"));
    await post("alerts", [{ ...alert("Passing"), endsAt: iso(-1) }]);
    await eventually("it is resolved", async () => !(await names()).includes("Passing"));
  });

  test("shows Alertmanager's own words where it refuses a filter", async () => {
    await assert.rejects(
      fire({ url: `${alertmanager.url}/am`, filter: ['env=~"("'] }),
      (error: Unobservable) => {
        assert.match(
          error.message,
          /^Cannot ask Alertmanager at \S+ what fires: HTTP 400: .*missing closing \)/,
        );
        return error instanceof Unobservable;
      },
    );
  });
});
