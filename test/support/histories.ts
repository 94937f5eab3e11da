/**
 * `npm run histories`: burn-ins of 24 hours, generated from a model whose truth is known, judged by
 * verify.ts; prints a table by kind, and exits 1
 * when a target is missed.
 *
 *   --seed N           the first history's seed (1); the seeds of all others follow from it
 *   --only a,b         histories of these kinds
 *   --times N          so many times as many histories (1)
 *   --show SEED        one history, with --only its kind: the truth, what was judged, and the
 * accounts
 *
 * The model is a bot and its host: when it was truly up and connected, restarted, wrote errors, how
 * much memory it took, how the wall clock ran, and
 * when a tick looked. From it comes what the program would have recorded, and apart from that, by
 * arithmetic of its own, what is true. No line of
 * either is shared with the judging. Times of the model are whole tenths of a second since the
 * burn-in began, so that a limit that is met exactly
 * is met exactly.
 *
 * The targets: every healthy history PASS, no PASS that is wrong, none that FAILs before its time,
 * 99 % right, and where the journal covers it, the
 * uptime right to 0.01 percentage points. Two of five histories are within 10 % of a limit of seed
 * 002's table, or at the whole number beside one.
 *
 * What is no part of it: how a tick looks at the world (the probes' tests do that), and a report's
 * words.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { judgeCheckpoint } from "../../lib/burnin/checkpoints.ts";
import { judgeBurnin } from "../../lib/burnin/judging.ts";
import { judgeMetrics } from "../../lib/burnin/metrics.ts";
import { type Summary, summarizeBurnin } from "../../lib/burnin/summary.ts";
import type { Account, Burnin, Decision, MetricRow, Outage } from "../../lib/burnin/words.ts";
import { readRecords } from "../../lib/log.ts";
import type { Firing } from "../../lib/probes/alertmanager.ts";
import type { MetricName } from "../../lib/rules.ts";
import { BURNIN } from "../../verify.ts";

// ---------------------------------------------------------------------------- chance

type Random = ReturnType<typeof randomOf>;

/** Mulberry32: the same seed gives the same history on every machine. */
function randomOf(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + next() * (high - low);
  /** A whole number, both ends included. */
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  const pick = <T>(list: readonly T[]): T => list[whole(0, list.length - 1)] as T;
  const chance = (share: number): boolean => next() < share;
  const noise = (sigma: number): number =>
    sigma * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const id = (): string =>
    "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replaceAll("x", () => whole(0, 15).toString(16));
  return { next, between, whole, pick, chance, noise, id };
}

// ---------------------------------------------------------------------------- the model

const second = 10; // Tenths of a second.
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A time in which the bot was not both up and connected. */
type Span = { from: number; to: number; kind: Outage["kind"]; planned: boolean | null };
/**
 * `verified`: when the verification that every start brings has looked. It accounts for what came
 * before, and its pass starts the timer anew.
 */
type Restart = { at: number; verified: number; planned: boolean | null; reboots: boolean };
type Episode = { name: string; severity: string; from: number; to: number };

type Model = {
  zone: "Europe/Berlin" | "UTC";
  startedAt: number; // By the wall clock, ms.
  spans: Span[];
  restarts: Restart[];
  errors: number[];
  memory: {
    base: number;
    warmUp: { mb: number; hours: number };
    perHour: number;
    wave: number; // Between night and evening, MB.
    saw: { mb: number; hours: number }; // Garbage that is collected when there is enough of it.
    step: { mb: number; at: number }; // A cache that is filled once.
    sigma: number;
  };
  // `later`: what comes on top after hour 4.
  response: { ms: number; sigma: number; peakMs: number; laterMs: number; spikes: number };
  cpu: { percent: number; sigma: number; later: number };
  usersMost: number;
  alerts: Episode[] | null;
  jumps: { at: number; by: number }[]; // Of the wall clock, in tenths.
  lateBy: number; // One tick comes so much later.
  endsAt: number; // The last record is the first one at or after it.
  isExact: boolean; // The last tick is not late by a tenth.
  /** What a host gives: journal and log lines that tell times, or only the looks themselves. */
  sight: "full" | "look";
  /** What one tick could not see. */
  blind: "errors" | "alerts" | null;
};

/**
 * Of Central European time, by its rule: summer from the last Sunday of March, 01:00 UTC, to the
 * last of October.
 */
function berlinOffset(at: number): number {
  const turn = (month: number): number => {
    const last = new Date(Date.UTC(new Date(at).getUTCFullYear(), month, 0, 1));
    return last.getTime() - last.getUTCDay() * 86_400_000;
  };
  return at >= turn(3) && at < turn(10) ? 2 : 1;
}

/** The hour of the day on the wall, with its fraction. */
function hourOfDay(zone: Model["zone"], at: number): number {
  const local = at + (zone === "UTC" ? 0 : berlinOffset(at)) * 3_600_000;
  return (((local % 86_400_000) + 86_400_000) % 86_400_000) / 3_600_000;
}

/** True elapsed time: what the clock said, had nobody set it. */
const instant = ({ startedAt }: Model, at: number): number => startedAt + at * 100;
const hourAt = (model: Model, at: number): number => hourOfDay(model.zone, instant(model, at));
/** By the host's clock as it was then. */
const clockAt = (model: Model, at: number): string => {
  const set = model.jumps.filter((jump) => jump.at <= at).reduce((sum, { by }) => sum + by, 0);
  return new Date(instant(model, at) + set * 100).toISOString();
};

function healthyModel(random: Random): Model {
  const startedAt = Date.UTC(
    2025,
    random.whole(0, 11),
    random.whole(1, 28),
    random.whole(0, 23),
    random.whole(0, 59),
    random.whole(0, 59),
  );
  return {
    zone: random.chance(0.8) ? "Europe/Berlin" : "UTC",
    startedAt: startedAt + random.whole(0, 999),
    spans: [],
    restarts: [],
    errors: [],
    memory: {
      base: random.between(90, 260),
      warmUp: { mb: random.between(5, 25), hours: random.between(0.05, 0.2) },
      perHour: 0,
      wave: random.between(0, 20),
      saw: { mb: random.between(0, 12), hours: random.between(0.2, 1.7) },
      step: { mb: 0, at: 0 },
      sigma: random.between(3, 7),
    },
    response: {
      ms: random.between(5, 35),
      sigma: random.between(0.5, 3),
      peakMs: random.between(0, 6),
      laterMs: 0,
      spikes: 0,
    },
    cpu: { percent: random.between(1, 9), sigma: random.between(0.2, 1), later: 0 },
    usersMost: random.whole(8, 300),
    alerts: random.chance(0.7) ? [] : null,
    jumps: [],
    lateBy: 0,
    endsAt: day,
    isExact: false,
    sight: "full",
    blind: null,
  };
}

const isPeak = (local: number): boolean => local >= 18 && local < 23;
/** People come in the evening: 0 at five in the morning, 1 at eight in the evening. */
const crowd = (local: number): number =>
  Math.max(0, Math.cos(((local - 20) * Math.PI) / 12)) * 0.8 + (isPeak(local) ? 0.2 : 0);

function memoryAt({ memory, restarts, ...model }: Model, at: number, random: Random): number {
  const started = restarts.reduce(
    (latest, restart) => (restart.at <= at ? restart.at : latest),
    -6 * minute,
  );
  const hours = (at - started) / hour; // Of this process: what it leaked is gone with it.
  const { base, warmUp, perHour, wave, saw, step, sigma } = memory;
  const grown =
    warmUp.mb * (1 - Math.exp(-hours / warmUp.hours)) + perHour * Math.max(0, hours - 0.1);
  const stepped = step.mb > 0 && step.at <= at && started < step.at ? step.mb : 0;
  const local = hourAt({ memory, restarts, ...model }, at);
  return (
    base +
    grown +
    stepped +
    wave * crowd(local) +
    saw.mb * ((hours / saw.hours) % 1) +
    random.noise(sigma)
  );
}

// ---------------------------------------------------------------------------- what happens to it

/** Cuts `total` into `count` outages of some length and puts them where nothing else is. */
function addOutages(
  model: Model,
  random: Random,
  total: number,
  count: number,
  [low, high] = [2 * minute, day - 2 * minute],
): void {
  const cuts = Array.from({ length: count - 1 }, () => random.next()).sort((a, b) => a - b);
  const shares = [...cuts, 1].map((cut, index) => cut - (cuts[index - 1] ?? 0));
  const least = 5; // Half a second.
  const lengths = shares.map((share) => least + Math.floor(share * (total - least * count)));
  lengths[0] = (lengths[0] as number) + total - lengths.reduce((sum, length) => sum + length, 0);
  for (const length of lengths) addOutage(model, random, length, low, high);
}

function addOutage(model: Model, random: Random, length: number, low: number, high: number): void {
  for (let tries = 0; tries < 10_000; tries++) {
    const from = random.whole(low, high - length);
    const isFree = model.spans.every(
      (span) => from > span.to + 3 * second || from + length < span.from - 3 * second,
    );
    if (!isFree) continue;
    model.spans.push({ from, to: from + length, kind: "disconnected", planned: false });
    return;
  }
  throw new Error(`There is no room for an outage of ${length / second} s`);
}

/** The bot is down, then up and not yet connected. */
function addRestart(
  model: Model,
  random: Random,
  at: number,
  planned: boolean | null,
  down = random.whole(15, 60),
  reboots = false,
): Restart {
  const joined = at + down + random.whole(10, 80);
  model.spans.push(
    { from: at, to: at + down, kind: "down", planned },
    { from: at + down, to: joined, kind: "disconnected", planned },
  );
  const restart = {
    at,
    verified: joined + random.whole(330 * second, 340 * second),
    planned,
    reboots,
  };
  model.restarts.push(restart);
  model.restarts.sort((a, b) => a.at - b.at);
  return restart;
}

function addErrors(
  model: Model,
  random: Random,
  count: number,
  from = minute,
  to = day - minute,
): void {
  for (let index = 0; index < count; index++) model.errors.push(random.whole(from, to));
}

/** Each lasts until a tick has seen it. */
function addAlerts(model: Model, random: Random, count: number, severity = "warning"): void {
  model.alerts ??= [];
  const looks = armedTicks(0, day).filter((at) => at <= day);
  for (let index = 0; index < count; index++) {
    const first = random.whole(0, looks.length - 2);
    const last = Math.min(looks.length - 2, first + random.whole(0, 3));
    const seen = looks[first] as number;
    const from = seen - random.whole(second, Math.min(14 * minute, seen - second));
    model.alerts.push({
      name: random.pick(["BotSlow", "BotErrors", "DiskFull"]),
      severity,
      from,
      to: (looks[last] as number) + minute,
    });
  }
}

/**
 * A trait that puts a history within 10 % of a limit: on its good side, or over it. The margin is
 * what the noise of the looks needs.
 */
type Trait = (model: Model, random: Random, isOver: boolean) => void;

/**
 * Noise that a real process has, and that a slope of 24 hours can be told from: by least squares
 * over hourly medians its error is 0.15 MB/h.
 */
function leak(model: Model, random: Random, perHour: number): void {
  const { memory } = model;
  memory.perHour = perHour;
  memory.sigma = random.between(3, 4);
  memory.wave = 0;
  memory.saw.mb = random.between(0, 4);
  memory.warmUp.mb = random.between(5, 12);
}

const flatResponse = (ms: number, sigma: number): Model["response"] => ({
  ms,
  sigma,
  peakMs: 0,
  laterMs: 0,
  spikes: 0,
});

const traits: Record<string, Trait> = {
  "uptime 99.9 %": (model, random, isOver) =>
    addOutages(
      model,
      random,
      isOver ? random.whole(866, 950) : random.whole(778, 862),
      random.whole(1, 8),
    ),
  "uptime 99 %": (model, random, isOver) =>
    addOutages(
      model,
      random,
      isOver ? random.whole(8645, 9500) : random.whole(7780, 8630),
      random.whole(1, 12),
    ),
  "errors 0.1/min": (model, random, isOver) =>
    addErrors(model, random, isOver ? random.whole(146, 158) : random.whole(130, 142)),
  "errors 1/min": (model, random, isOver) =>
    addErrors(model, random, isOver ? random.whole(1445, 1584) : random.whole(1296, 1435)),
  "response 100 ms": (model, random, isOver) => {
    model.response = flatResponse(
      isOver ? random.between(103, 110) : random.between(90, 97),
      random.between(0.5, 2),
    );
  },
  "response 200 ms": (model, random, isOver) => {
    model.response = flatResponse(
      isOver ? random.between(205, 220) : random.between(180, 195),
      random.between(1, 3),
    );
  },
  "CPU 20 %": (model, random, isOver) => {
    model.cpu = {
      percent: isOver ? random.between(20.6, 22) : random.between(18, 19.4),
      sigma: random.between(0.2, 0.4),
      later: 0,
    };
  },
  "CPU 50 %": (model, random, isOver) => {
    model.cpu = {
      percent: isOver ? random.between(51.5, 55) : random.between(45, 48.5),
      sigma: random.between(0.4, 1),
      later: 0,
    };
  },
  "growth 10 MB/h": (model, random, isOver) =>
    leak(model, random, isOver ? random.between(10.7, 11) : random.between(9, 9.3)),
  "growth 50 MB/h": (model, random, isOver) =>
    leak(model, random, isOver ? random.between(51, 55) : random.between(45, 49)),
  "3 alerts": (model, random, isOver) => addAlerts(model, random, isOver ? 3 : 2),
  "5 alerts": (model, random, isOver) => addAlerts(model, random, isOver ? 6 : 5),
};
const traitNames = Object.keys(traits);

// ---------------------------------------------------------------------------- when a tick looks

/**
 * The timer's list, from the pass that armed it: every 15 minutes to hour 4, hourly to hour 12,
 * every 4 hours to hour 24.
 */
function armedTicks(armedAt: number, until: number): number[] {
  const minutes: number[] = [];
  for (let at = 15; at <= 240; at += 15) minutes.push(at);
  for (let at = 300; at <= 720; at += 60) minutes.push(at);
  for (let at = 960; at <= 1440; at += 240) minutes.push(at);
  return minutes.map((at) => armedAt + at * minute).filter((at) => at <= until);
}

type Look = { at: number; late: number; kind: "burnin" | "verify" };

/**
 * All records after the one that began the burn-in. A start stops the timer, and the pass of its
 * verification arms it anew.
 */
function looksOf(model: Model, random: Random): Look[] {
  const { restarts, endsAt, isExact } = model;
  const starts = restarts.filter(
    ({ verified }, index) => verified < (restarts[index + 1]?.at ?? Infinity),
  ); // Else a next start supersedes it.
  const looks: Look[] = starts.map(({ verified }) => ({ at: verified, late: 0, kind: "verify" }));
  for (const armedAt of [0, ...starts.map(({ verified }) => verified)]) {
    const stopped = restarts.find(({ at }) => at > armedAt)?.at ?? Infinity;
    for (const due of armedTicks(armedAt, 3 * day)) {
      const late = isExact && due >= day ? 0 : random.whole(0, 25);
      if (due + late < stopped) looks.push({ at: due + late, late, kind: "burnin" });
    }
  }
  looks.sort((a, b) => a.at - b.at);
  const end = looks.findIndex(({ at }) => at >= endsAt);
  const kept = end < 0 ? looks : looks.slice(0, end + 1);
  const delayed = kept[random.whole(Math.min(3, kept.length - 1), kept.length - 2)];
  if (model.lateBy && delayed) {
    const next = kept[kept.indexOf(delayed) + 1] as Look;
    const by = Math.min(model.lateBy, next.at - delayed.at - minute);
    Object.assign(delayed, { at: delayed.at + by, late: delayed.late + by });
  }
  return kept;
}

// ---------------------------------------------------------------------------- what the program records of it

const toSeconds = (tenths: number): number => tenths / 10;

/**
 * What is known of the outages between two looks. The journal tells when the unit was down, the log
 * when the bot was not connected; both overlap.
 */
function outagesOf(model: Model, from: number, to: number, random: Random): Outage[] {
  const within = model.spans
    .filter((span) => span.from < to && span.to > from)
    .sort((a, b) => a.from - b.from);
  const piece = (
    span: Span,
    begin: number,
    end: number,
    source: Outage["source"],
    isExact = true,
  ): Outage => ({
    from: toSeconds(begin),
    to: toSeconds(end),
    at: clockAt(model, begin),
    kind: span.kind,
    planned: span.planned,
    source,
    exact: isExact,
    says: `The bot was ${span.kind === "down" ? "down" : "not connected"} for ${toSeconds(end - begin)} s`,
  });
  if (model.sight === "look") {
    // Only what a look itself met.
    const seen = within.find((span) => span.from <= from || span.to >= to);
    return seen ? [piece(seen, from, to, "look", false)] : [];
  }
  return within.map((span) => {
    const begin = Math.max(span.from, from);
    // The connection is gone while the process is, so that the log's piece may reach back over the
    // journal's.
    const process = within.find((other) => other.kind === "down" && other.to === span.from);
    const reach = process && random.chance(0.5) ? Math.max(process.from, from) : begin;
    return piece(span, reach, Math.min(span.to, to), span.kind === "down" ? "journal" : "log");
  });
}

const unseenByLooks = "Between two looks, nothing tells whether the bot was up and connected";
const unseenErrors = "The errors could not be counted: the log could not be read";
const unseenAlerts = "Alertmanager did not answer";

type Recorded = { account: Account; kind: Look["kind"] };

function restartSays(planned: boolean | null, reboots: boolean): string {
  if (reboots) return "The host was rebooted";
  return planned ? "A person restarted the bot" : "The bot died and was started again";
}

function recordsOf(
  model: Model,
  burnin: Burnin,
  looks: readonly Look[],
  random: Random,
): Recorded[] {
  const blind = model.blind ? random.whole(0, looks.length - 1) : -1;
  const blindFor = (what: Model["blind"], index: number): boolean =>
    index === blind && model.blind === what;
  const within = (from: number, to: number) => (thing: { at: number }) =>
    thing.at > from && thing.at <= to;
  let boot = random.id();
  return looks.map(({ at: to, late, kind }, index): Recorded => {
    const from = looks[index - 1]?.at ?? 0;
    const restarts = model.restarts.filter(within(from, to));
    if (restarts.some(({ reboots }) => reboots)) boot = random.id();
    const local = hourAt(model, to);
    const errors = model.errors.filter((at) => at > from && at <= to).length;
    const { response, cpu } = model;
    const later = to > 4 * hour + minute ? 1 : 0;
    const spike = random.chance(response.spikes) ? response.ms * random.between(2, 6) : 0;
    const account: Account = {
      burnin: burnin.id,
      run: random.id(),
      at: clockAt(model, to),
      from: toSeconds(from),
      to: toSeconds(to),
      jump: toSeconds(model.jumps.filter(within(from, to)).reduce((sum, { by }) => sum + by, 0)),
      late: toSeconds(late),
      boot,
      outages: outagesOf(model, from, to, random),
      restarts: restarts.map(({ at, planned, reboots }) => ({
        at: clockAt(model, at),
        age: toSeconds(at),
        planned,
        says: restartSays(planned, reboots),
      })),
      errors: blindFor("errors", index) ? null : errors,
      warnings: random.whole(0, 3),
      unseen: [
        ...(model.sight === "look" ? [unseenByLooks] : []),
        ...(blindFor("errors", index) ? [unseenErrors] : []),
        ...(blindFor("alerts", index) ? [unseenAlerts] : []),
      ],
      connection: model.sight === "look" ? "look" : "log",
      responseMs: Math.max(
        0.2,
        response.ms +
          (isPeak(local) ? response.peakMs : 0) +
          later * response.laterMs +
          spike +
          random.noise(response.sigma),
      ),
      memoryMb: Math.round(memoryAt(model, to, random) * 10) / 10,
      cpuPercent: Math.max(0, cpu.percent + later * cpu.later + random.noise(cpu.sigma)),
      users: Math.round(model.usersMost * crowd(local)),
      requests: Math.round(toSeconds(to) * 0.7),
      alerts: blindFor("alerts", index) ? null : firingAt(model, to),
      backupHours: null,
      prometheus: null,
    };
    return { account, kind };
  });
}

function firingAt(model: Model, at: number): Firing[] | null {
  const firing = model.alerts?.filter(({ from, to }) => from <= at && at <= to);
  return (
    firing?.map(({ name, severity, from }) => ({ name, severity, since: clockAt(model, from) })) ??
    null
  );
}

// ---------------------------------------------------------------------------- what is true of it

type Grade = "good" | "worse" | "critical" | "unknown";
function gradeOf(isCritical: boolean, isWorse: boolean, isUnknown = false): Grade {
  if (isCritical) return "critical";
  if (isUnknown) return "unknown";
  return isWorse ? "worse" : "good";
}

export type Truth = {
  decision: Decision["decision"];
  why: string[];
  /** Null before its time. */
  levels: Record<MetricName, Grade> | null;
  age: number; // Seconds.
  uptime: number; // Percent of the age.
  errors: number;
  unplanned: number;
  perHour: number;
  /** Whether the journal and the log cover every second, so that the uptime must be exact. */
  isCovered: boolean;
  /**
   * How long the two bands were, in seconds, by the clock on the wall; null where that clock was
   * set.
   */
  bands: Record<"peak" | "offPeak", number> | null;
};

/**
 * Tenths of a second until `age` in which the bot was not both up and connected, by ticking off
 * each.
 */
function lostTenths(spans: readonly Span[], age: number): number {
  const first = Math.min(age, ...spans.map(({ from }) => from));
  const last = Math.min(age, Math.max(first, ...spans.map(({ to }) => to)));
  const isLost = new Uint8Array(last - first);
  for (const { from, to } of spans)
    isLost.fill(1, Math.min(from, last) - first, Math.min(to, last) - first);
  let count = 0;
  for (const lost of isLost) count += lost;
  return count;
}

function bandSeconds(model: Model, age: number, first: number, end: number): number {
  let seconds = 0;
  for (let at = 0; at < age; at += minute) {
    const local = hourAt(model, at);
    if (local >= first && local < end) seconds += 60;
  }
  return seconds;
}

/** `lost`: the looks whose records are gone, so that nobody can know what they had seen. */
function truthOf(
  model: Model,
  looks: readonly Look[],
  lost: ReadonlySet<number> = new Set(),
): Truth {
  const lastKept = looks.findLastIndex((_, index) => !lost.has(index));
  const age = looks[lastKept]?.at ?? 0;
  const isKnown = ({ at }: { at: number }): boolean =>
    at <= age && !lost.has(looks.findIndex((look) => look.at >= at));
  const restarts = model.restarts.filter(isKnown);
  const down = lostTenths(model.spans, age);
  const errors = model.errors.filter((at) => isKnown({ at })).length;
  const alerts =
    model.alerts?.filter(({ from, to }) =>
      looks.some(({ at }, index) => !lost.has(index) && from <= at && at <= to),
    ).length ?? 0;
  const { response, cpu, memory } = model;
  const responseMs =
    response.ms * (1 + 4 * response.spikes) +
    (response.peakMs * 5) / 24 +
    (response.laterMs * 20) / 24;
  const cpuPercent = cpu.percent + (cpu.later * 20) / 24;
  const unplanned = restarts.filter(({ planned }) => planned === false).length;
  const holes = looks.filter((_, index) => lost.has(index) && index < lastKept).length;
  const isCovered = model.sight === "full" && holes === 0;
  // Whole numbers against whole numbers: 99.9 % is one tenth in a thousand, an error a minute is
  // one in 600 tenths.
  const levels: Record<MetricName, Grade> = {
    uptime: isCovered ? gradeOf(down * 100 > age, down * 1000 >= age) : "unknown",
    error_rate: gradeOf(errors * 600 > age, errors * 6000 >= age, model.blind === "errors"),
    restarts: gradeOf(
      unplanned > 0,
      false,
      restarts.length > 0 && restarts.every(({ planned }) => planned === null),
    ),
    alerts: gradeOf(alerts > 5, alerts >= 3),
    response_time: gradeOf(responseMs > 200, responseMs >= 100),
    memory_growth: gradeOf(memory.perHour > 50, memory.perHour >= 10),
    cpu: gradeOf(cpuPercent > 50, cpuPercent >= 20),
  };
  const having = (grade: Grade): string[] =>
    Object.entries(levels).flatMap(([name, level]) =>
      level === grade ? [`${name} is ${grade}`] : [],
    );
  const fails = having("critical");
  const lacks = [
    ...having("worse"),
    ...having("unknown"),
    ...(model.blind ? ["something was not seen"] : []),
    ...(holes ? ["records are lost"] : []),
  ];
  const over = age >= day;
  // Before its time only that decides which cannot get better.
  const early =
    unplanned > 0 || (isCovered && down * 100 > day)
      ? ["it died, or was down for too long to mend it"]
      : [];
  const why = over ? [...fails, ...lacks] : early;
  const decide = () => {
    if (!over) return early.length ? "FAIL" : "RUNNING";
    if (fails.length) return "FAIL";
    return lacks.length ? "PARTIAL" : "PASS";
  };
  return {
    decision: decide(),
    why,
    levels: over ? levels : null,
    age: age / second,
    uptime: 100 - (100 * down) / age,
    errors,
    unplanned,
    perHour: memory.perHour,
    isCovered,
    bands: model.jumps.length
      ? null
      : { peak: bandSeconds(model, age, 18, 23), offPeak: bandSeconds(model, age, 2, 7) },
  };
}

// ---------------------------------------------------------------------------- the log

const release = (random: Random): string => `2025.${random.whole(1, 12)}.${random.whole(1, 60)}`;
const headOf = (kind: string, ts: string, random: Random, env = "prod") => ({
  v: 1,
  kind,
  ts,
  run: random.id(),
  env,
  host: "bot-1",
});

/** A line of the log: the moment and the text. */
type Line = { at: number; text: string };

function linesOf(
  model: Model,
  burnin: Burnin,
  records: readonly Recorded[],
  random: Random,
): Line[] {
  const begin = {
    ...headOf("verify", burnin.startedAt, random),
    run: burnin.id,
    releaseId: burnin.releaseId,
    verdict: "pass",
    exit: 0,
    account: null,
  };
  const lines = records.map(({ account, kind }) => {
    const record = {
      ...headOf(kind, account.at, random),
      run: account.run,
      releaseId: burnin.releaseId,
      verdict: "pass",
      exit: 0,
      findings: [],
      account,
    };
    return { at: Math.round(account.to * second), text: JSON.stringify(record) };
  });
  const checkpoints = [6, 12].map((at) => ({
    at: at * hour + second,
    text: JSON.stringify({
      ...headOf("checkpoint", clockAt(model, at * hour), random),
      burnin: burnin.id,
      attempt: burnin.attempt,
      hour: at,
      verdict: "pass",
      exit: 0,
      account: null,
    }),
  }));
  const last = lines.at(-1)?.at ?? 0;
  return [
    { at: 0, text: JSON.stringify(begin) },
    ...lines,
    ...checkpoints.filter(({ at }) => at < last),
  ].sort((a, b) => a.at - b.at);
}

const foreign = [
  "Nov 22 00:00:01 bot-1 logrotate[4711]: rotating pattern",
  "[1,2,3]",
  "null",
  "42",
  '"burnin"',
  '{"kind":"burnin","env":"prod"}',
  '{"v":"1","kind":"burnin"}',
  "{",
  "\u0000\u0000\u0000\u0000",
  "\ufffd\ufffd torn in the middle of a character",
  "",
  `{"v":1,"kind":"note","env":"prod","text":"${"x".repeat(5000)}"}`,
];

/**
 * Lines that a record must not be hurt by: foreign ones, halves of records, records of another bot
 * that fares badly, and some of them twice.
 */
function dirty(lines: readonly Line[], burnin: Burnin, random: Random): Line[] {
  return lines.flatMap((line) => {
    const around: Line[] = [];
    const add = (text: string) => around.push({ at: line.at, text });
    if (random.chance(0.4)) add(random.pick(foreign));
    if (random.chance(0.4)) add(line.text.slice(0, random.whole(1, line.text.length - 1)));
    if (random.chance(0.2)) add(line.text);
    if (random.chance(0.2)) {
      const restarts = [
        {
          at: burnin.startedAt,
          age: 60,
          planned: false,
          says: "The bot died and was started again",
        },
      ];
      add(
        JSON.stringify({
          ...headOf("burnin", burnin.startedAt, random, "test"),
          account: { burnin: random.id(), from: 0, to: 900, restarts },
        }),
      );
    }
    return random.chance(0.5) ? [...around, line] : [line, ...around];
  });
}

// ---------------------------------------------------------------------------- histories

/** A burn-in with what was recorded of it and what is true of it. */
export type Subject = {
  burnin: Burnin;
  zone: string;
  accounts: Account[];
  truth: Truth;
  model: Model;
};
/**
 * `log`: the files' texts, the newest last; the accounts are then read from them. `deferred`: the
 * 12 h checkpoint cannot have seen a peak.
 */
export type History = {
  kind: string;
  seed: number;
  near: string | null;
  isHealthy: boolean;
  subjects: Subject[];
  log: string[] | null;
  deferred: boolean;
};
type Made = Omit<History, "kind" | "seed" | "isHealthy">;

function burninOf(model: Model, random: Random): Burnin {
  return {
    id: random.id(),
    releaseId: release(random),
    attempt: 1,
    startedAt: new Date(model.startedAt).toISOString(),
    seconds: 86_400,
    limits: BURNIN,
  };
}

function subjectOf(model: Model, random: Random): Subject & { records: Recorded[]; looks: Look[] } {
  const burnin = burninOf(model, random);
  const looks = looksOf(model, random);
  const records = recordsOf(model, burnin, looks, random);
  return {
    burnin,
    zone: model.zone,
    accounts: records.map(({ account }) => account),
    truth: truthOf(model, looks),
    model,
    records,
    looks,
  };
}

function made(model: Model, random: Random, near: string | null = null): Made {
  const { records: _, looks: __, ...subject } = subjectOf(model, random);
  return { near, subjects: [subject], log: null, deferred: false };
}

/** For kinds that are about something else: half of them are near a limit, on either side of it. */
function vary(
  model: Model,
  random: Random,
  index: number,
  names: readonly string[] = traitNames,
): string | null {
  if (index % 2) return null;
  const name = names[(index / 2) % names.length] as string;
  traits[name]?.(model, random, random.chance(0.5));
  return name;
}

type Kind = { count: number; isHealthy?: true; make: (random: Random, index: number) => Made };

/** Of a trait, both sides in turn. */
const near = (names: readonly string[]): Kind["make"] => {
  return (random, index) => {
    const model = healthyModel(random);
    const name = names[index % names.length] as string;
    traits[name]?.(model, random, Math.floor(index / names.length) % 2 === 1);
    return made(model, random, name);
  };
};

/** What a healthy bot may look like. */
const flavours: ((model: Model, random: Random) => void)[] = [
  () => {},
  ({ memory }, random) => {
    memory.saw = { mb: random.between(20, 60), hours: random.between(0.3, 1.5) };
  },
  ({ memory }, random) => {
    memory.step = { mb: random.between(20, 80), at: random.whole(hour, 20 * hour) };
  },
  ({ memory }, random) => {
    memory.wave = random.between(25, 50);
  },
  ({ memory }, random) => {
    // A cache that fills slowly, and is then full.
    memory.warmUp = { mb: random.between(30, 70), hours: random.between(3, 6) };
  },
  ({ response }, random) => {
    Object.assign(response, {
      spikes: 0.1,
      sigma: random.between(3, 6),
      ms: random.between(8, 25),
    });
  },
  ({ response }, random) => {
    response.peakMs = random.between(40, 60); // Slower at peak: of all day, 13 ms more.
  },
  (model, random) => addErrors(model, random, random.whole(1, 20)),
  (model, random) => addOutages(model, random, random.whole(50, 400), random.whole(2, 6)),
  (model, random) => addAlerts(model, random, 1),
  (model, random) => {
    model.lateBy = random.whole(5 * minute, 40 * minute);
  },
  ({ memory, cpu }, random) => {
    memory.warmUp = { mb: random.between(30, 60), hours: random.between(0.1, 0.25) };
    cpu.percent = random.between(10, 15);
  },
];

function hostIsOff(random: Random, index: number): Made {
  const model = healthyModel(random);
  const isNear = index % 2 === 0;
  const offNearLimit = (): number =>
    random.chance(0.5) ? random.whole(7780, 8600) : random.whole(8680, 9500);
  const off = isNear ? offNearLimit() : 2 * hour + random.whole(-300, 300);
  const planned = isNear ? true : random.pick([true, false, null]);
  // The timer counts from the pass after the boot: so placed, its list meets hour 24.
  const verified = random.pick([4, 8]) * hour + random.whole(0, 200);
  const at = verified - 335 * second - off;
  const down = at + off - random.whole(50, 150);
  const joined = at + off;
  if (at < minute) return hostIsOff(random, index);
  model.spans.push(
    { from: at, to: down, kind: "down", planned },
    { from: down, to: joined, kind: "disconnected", planned },
  );
  model.restarts.push({ at, verified, planned, reboots: true });
  return made(model, random, isNear ? "uptime 99 %" : null);
}

function lostRecords(random: Random, index: number): Made {
  const model = healthyModel(random);
  const name = vary(model, random, index, [
    "uptime 99.9 %",
    "response 100 ms",
    "3 alerts",
    "CPU 20 %",
  ]);
  if (index % 5 === 0) addRestart(model, random, random.whole(hour, 10 * hour), false);
  const subject = subjectOf(model, random);
  const { records, looks, burnin } = subject;
  const died = looks.findIndex(({ kind }) => kind === "verify");
  const first = index % 10 === 5 ? Math.max(0, died) : random.whole(0, looks.length - 2);
  const count = random.pick([1, 1, 2, 5]);
  // In the last one, the newest record is lost as well: the burn-in has not come to its end as far
  // as anybody knows.
  const lost = new Set(
    Array.from({ length: count }, (_, offset) => Math.min(first + offset, looks.length - 2)),
  );
  if (index % 12 === 11) lost.add(looks.length - 1);
  const accounts = records.flatMap(({ account }, at) => (lost.has(at) ? [] : [account]));
  const truth = truthOf(model, looks, lost);
  return {
    near: name,
    subjects: [{ burnin, zone: model.zone, accounts, truth, model }],
    log: null,
    deferred: false,
  };
}

const textOf = (lines: readonly Line[]): string => lines.map(({ text }) => `${text}\n`).join("");

/** The old burn-in ends unjudged, however it fared; what it saw is not the new one's. */
function deployedAtHour5(random: Random, index: number): Made {
  const before = { ...healthyModel(random), endsAt: 4 * hour };
  addErrors(before, random, random.whole(0, 400), minute, 4 * hour);
  if (index % 3 === 0) addOutages(before, random, random.whole(100, 3000), 2, [minute, 4 * hour]);
  if (index % 5 === 0) addRestart(before, random, 3 * hour, false);
  const after = {
    ...healthyModel(random),
    zone: before.zone,
    startedAt: before.startedAt + 5 * 3_600_000 + random.whole(300_000, 400_000),
  };
  const name = vary(after, random, index);
  const subjects = [subjectOf(before, random), subjectOf(after, random)];
  const lines = subjects.flatMap(({ model, burnin, records }) =>
    linesOf(model, burnin, records, random),
  );
  return { near: name, subjects, log: [textOf(lines)], deferred: false };
}

/** Through the log's text: as one file, or as two that were rotated at midnight. */
function throughLog(
  random: Random,
  index: number,
  write: (lines: Line[], model: Model, burnin: Burnin) => string[],
): Made {
  const model = healthyModel(random);
  const name = vary(model, random, index);
  const subject = subjectOf(model, random);
  const lines = linesOf(model, subject.burnin, subject.records, random);
  return {
    near: name,
    subjects: [subject],
    log: write(lines, model, subject.burnin),
    deferred: false,
  };
}

function rotate(lines: readonly Line[], model: Model): string[] {
  const midnight = (24 - hourAt(model, 0)) * hour;
  return [lines.filter(({ at }) => at < midnight), lines.filter(({ at }) => at >= midnight)].map(
    textOf,
  );
}

/** A look is a sample: what was between two of them, nobody knows. */
function onlyLooks(random: Random, index: number): Made {
  const model = { ...healthyModel(random), sight: "look" as const };
  if (index % 3 === 1) addOutages(model, random, random.whole(778, 8000), random.whole(1, 5));
  const name =
    index % 3 === 2
      ? vary(model, random, index - (index % 2), [
          "response 100 ms",
          "3 alerts",
          "CPU 20 %",
          "growth 10 MB/h",
        ])
      : null;
  return made(model, random, name);
}

function clockIsSet(random: Random, index: number): Made {
  const model = healthyModel(random);
  const name = vary(model, random, index);
  const by = [-hour, hour, -random.whole(second, 10 * minute), random.whole(second, 10 * minute)][
    Math.floor(index / 2) % 4
  ] as number;
  model.jumps.push({ at: random.whole(minute, day - minute), by });
  return made(model, random, name);
}

const turnsOfBerlin = [
  Date.UTC(2024, 2, 31, 1),
  Date.UTC(2024, 9, 27, 1),
  Date.UTC(2025, 2, 30, 1),
  Date.UTC(2025, 9, 26, 1),
  Date.UTC(2026, 2, 29, 1),
];

function nightOfBerlin(random: Random, index: number): Made {
  const model = { ...healthyModel(random), zone: "Europe/Berlin" as const };
  model.startedAt =
    (turnsOfBerlin[index % turnsOfBerlin.length] as number) - random.whole(1800, 84_000) * 1000;
  const name = vary(model, random, index);
  return made(model, random, name);
}

function deployedAtThree(random: Random, index: number): Made {
  const model = healthyModel(random);
  model.startedAt += Math.round((3 - hourAt(model, 0)) * 3_600_000) + random.whole(0, 600_000);
  const name = vary(model, random, index);
  return { ...made(model, random, name), deferred: true };
}

/**
 * Whole numbers on the limit itself. Neither 99.9 % nor 0.1 errors a minute is good enough; 99 %
 * and 1 error a minute are not yet critical.
 */
function onTheLimit(random: Random, index: number): Made {
  const model = { ...healthyModel(random), isExact: true };
  const [what, limit] = (
    [
      ["uptime 99.9 %", 864],
      ["uptime 99 %", 8640],
      ["errors 0.1/min", 144],
      ["errors 1/min", 1440],
    ] as const
  )[index % 4] as [string, number];
  const amount = limit + ([0, -1, 0, 1][Math.floor(index / 4) % 4] as number);
  if (what.startsWith("uptime")) addOutages(model, random, amount, random.whole(1, 20));
  else addErrors(model, random, amount);
  return made(model, random, what);
}

function leakAcrossRestart(random: Random, index: number): Made {
  const model = healthyModel(random);
  leak(model, random, index % 2 ? random.between(12, 14) : random.between(60, 70));
  addRestart(model, random, random.whole(9 * hour, 14 * hour), true);
  return made(model, random);
}

/** Good while it is watched every quarter of an hour, and not after. */
function laterWorse(random: Random, index: number): Made {
  const model = healthyModel(random);
  if (index % 2)
    model.response = {
      ...flatResponse(random.between(20, 30), 2),
      laterMs: random.between(100, 140),
    };
  else model.cpu = { percent: random.between(4, 8), sigma: 0.5, later: random.between(22, 30) };
  return made(model, random);
}

type NearLimit = {
  name: string | null;
  below: readonly [low: number, high: number];
  above: readonly [low: number, high: number];
};
/** How much uptime is lost, in tenths of a second, on the two sides of a limit; or beside none. */
const nearLimits: readonly NearLimit[] = [
  { name: "uptime 99.9 %", below: [778, 862], above: [866, 950] },
  { name: "uptime 99 %", below: [7780, 8630], above: [8645, 9500] },
  { name: null, below: [1200, 6000], above: [1200, 6000] },
];

function flapping(random: Random, index: number): Made {
  const model = healthyModel(random);
  const { name, below, above } = nearLimits[index % nearLimits.length] as NearLimit;
  const [low, high] = random.chance(0.5) ? above : below;
  const total = random.whole(low, high);
  addOutages(model, random, total, Math.max(12, Math.floor(total / 150)));
  return made(model, random, name);
}

function errorBurst(random: Random, index: number): Made {
  const model = healthyModel(random);
  const [low, high, name] = (
    [
      [130, 142, "errors 0.1/min"],
      [146, 158, "errors 0.1/min"],
      [200, 1200, null],
      [1296, 1435, "errors 1/min"],
      [1445, 1584, "errors 1/min"],
      [2000, 9000, null],
    ] as const
  )[index % 6] as [number, number, string | null];
  const from = random.whole(minute, day - 40 * minute);
  addErrors(model, random, random.whole(low, high), from, from + random.whole(minute, 30 * minute));
  return made(model, random, name);
}

function restartStorm(random: Random, index: number): Made {
  const model = healthyModel(random);
  const count = index % 4 === 0 ? 1 : random.whole(3, 20);
  let at = random.whole(20 * minute, 22 * hour);
  for (let done = 0; done < count; done++) {
    at = addRestart(model, random, at, false).at + random.whole(20 * second, 5 * minute);
  }
  // Such a burn-in ends at once.
  if (index % 2) model.endsAt = model.restarts.at(-1)?.verified ?? day;
  return made(model, random);
}

const kinds: Record<string, Kind> = {
  healthy: {
    count: 120,
    isHealthy: true,
    make: (random, index) => {
      const model = healthyModel(random);
      flavours[index % flavours.length]?.(model, random);
      if (index % 3 === 0) flavours[random.whole(1, 6)]?.(model, random);
      return made(model, random);
    },
  },
  "planned restart": {
    count: 50,
    isHealthy: true,
    make: (random, index) => {
      const model = healthyModel(random);
      addRestart(
        model,
        random,
        random.whole(10 * minute, 22 * hour),
        true,
        random.whole(15, 200),
        index % 4 === 0,
      );
      if (index % 2)
        model.memory.step = { mb: random.between(20, 60), at: random.whole(hour, 20 * hour) };
      return made(model, random);
    },
  },
  "deployed at 03:00": { count: 50, make: deployedAtThree },
  "deployed at hour 5": { count: 50, make: deployedAtHour5 },
  "leak of 12 MB/h": {
    count: 50,
    make: (random) => {
      const model = healthyModel(random);
      Object.assign(model.memory, {
        perHour: 12,
        wave: random.between(0, 8),
        sigma: random.between(3, 8),
      });
      return made(model, random);
    },
  },
  "leak of 60 MB/h": {
    count: 50,
    make: (random) => {
      const model = healthyModel(random);
      Object.assign(model.memory, {
        perHour: 60,
        wave: random.between(0, 40),
        sigma: random.between(3, 15),
      });
      return made(model, random);
    },
  },
  "leak near a limit": { count: 100, make: near(["growth 10 MB/h", "growth 50 MB/h"]) },
  "leak across a restart": { count: 50, make: leakAcrossRestart },
  "two outages of 43 s": {
    count: 50,
    make: (random) => {
      const model = healthyModel(random);
      for (let count = 0; count < 2; count++)
        addOutage(model, random, 43 * second, minute, day - minute);
      return made(model, random, "uptime 99.9 %");
    },
  },
  "one outage of 90 s": {
    count: 50,
    make: (random) => {
      const model = healthyModel(random);
      addOutage(model, random, 90 * second, minute, day - minute);
      return made(model, random, "uptime 99.9 %");
    },
  },
  flapping: { count: 60, make: flapping },
  "on the limit": { count: 80, make: onTheLimit },
  "error burst": { count: 60, make: errorBurst },
  "errors all day": { count: 60, make: near(["errors 0.1/min", "errors 1/min"]) },
  "restart storm": { count: 80, make: restartStorm },
  "restart unexplained": {
    count: 50,
    make: (random) => {
      const model = healthyModel(random);
      addRestart(model, random, random.whole(10 * minute, 22 * hour), null);
      return made(model, random);
    },
  },
  "host off": { count: 100, make: hostIsOff },
  "clock set": { count: 100, make: clockIsSet },
  "night of a clock change": { count: 60, make: nightOfBerlin },
  "rotated at midnight": { count: 50, make: (random, index) => throughLog(random, index, rotate) },
  "torn and foreign lines": {
    count: 60,
    make: (random, index) => {
      const write = (lines: Line[], model: Model, burnin: Burnin): string[] => {
        const all = dirty(lines, burnin, random);
        return index % 4 < 2 ? [textOf(all)] : rotate(all, model);
      };
      return throughLog(random, index, write);
    },
  },
  "records lost": { count: 60, make: lostRecords },
  "only looks": { count: 60, make: onlyLooks },
  "something unseen": {
    count: 50,
    make: (random, index) => {
      const model = {
        ...healthyModel(random),
        alerts: [] as Episode[],
        blind: index % 2 ? ("errors" as const) : ("alerts" as const),
      };
      return made(model, random);
    },
  },
  "slow responses": { count: 60, make: near(["response 100 ms", "response 200 ms"]) },
  "worse after hour 4": { count: 50, make: laterWorse },
  "busy processor": { count: 60, make: near(["CPU 20 %", "CPU 50 %"]) },
  alerts: { count: 50, make: near(["3 alerts", "5 alerts"]) },
};
export const kindNames = Object.keys(kinds);

/** The history of a kind and a seed. `index` picks the flavour; without it, the seed does. */
export function generate(kind: string, seed: number, index = seed): History {
  const { make, isHealthy = false } = kinds[kind] ?? {};
  if (!make) throw new Error(`There is no kind of history "${kind}": ${kindNames.join(", ")}`);
  return { kind, seed, isHealthy, ...make(randomOf(seed), index) };
}

/** All of them, `times` over, with seeds from `first` on. */
export function* generateAll(
  first = 1,
  times = 1,
  only: readonly string[] = kindNames,
): Generator<History> {
  let seed = first;
  for (const kind of kindNames) {
    const count = (kinds[kind] as Kind).count * times;
    for (let index = 0; index < count; index++, seed++)
      if (only.includes(kind)) yield generate(kind, seed);
  }
}

// ---------------------------------------------------------------------------- judging

export function judgeAll(
  { burnin, zone }: Pick<Subject, "burnin" | "zone">,
  accounts: readonly Account[],
) {
  const summary = summarizeBurnin(burnin, accounts, zone);
  const rows = judgeMetrics(summary, burnin);
  return { summary, rows, ...judgeBurnin(summary, rows, burnin) };
}

/** What the log has of a burn-in. The text is written to files, as the program finds it. */
export function readAccounts(texts: readonly string[], { id }: Burnin): Account[] {
  const directory = mkdtempSync(join(tmpdir(), "histories-"));
  try {
    const file = join(directory, "prod.jsonl");
    writeFileSync(file, texts.at(-1) ?? "");
    if (texts.length > 1) writeFileSync(`${file}.1`, texts[0] ?? "");
    const mine = readRecords(file).records.filter(
      ({ env, kind }) => env === "prod" && (kind === "burnin" || kind === "verify"),
    );
    return mine.flatMap(({ account }) =>
      (account as Account | null)?.burnin === id ? [account as Account] : [],
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export type Complaint = {
  what: "wrong PASS" | "wrong" | "early" | "uptime" | "figures";
  says: string;
};
const uptimeErrorMax = 0.01; // Percentage points.

/** A burn-in that is under way is RUNNING, or FAIL where nothing can mend it: then at once. */
function complainEarly(subject: Subject, accounts: readonly Account[]): Complaint[] {
  const { truth, model } = subject;
  return [1, 6, 12].flatMap((at): Complaint[] => {
    const until = accounts.filter(({ to }) => to <= at * 3600 + 30);
    const seen = Math.max(0, ...until.map(({ to }) => to)) * second;
    if (seen === 0 || seen >= Math.min(day, truth.age * second)) return [];
    const { decision, reasons } = judgeAll(subject, until);
    const died = until.some(({ restarts }) => restarts.some(({ planned }) => planned === false));
    const hopeless =
      model.sight === "full" && lostTenths(model.spans, Math.floor(seen)) * 100 > day;
    let wanted = ["RUNNING"];
    if (truth.decision === "FAIL") wanted = ["RUNNING", "FAIL"];
    if (died || hopeless) wanted = ["FAIL"];
    if (wanted.includes(decision)) return [];
    const found = `${decision} instead of ${wanted.join(" or ")}`;
    return [{ what: "early", says: `at hour ${at}: ${found}: ${reasons.join("; ")}` }];
  });
}

/**
 * Each metric by itself, so that no decision is right for a wrong reason. Target and acceptable are
 * alike here: noise decides between them.
 */
function complainLevels(rows: readonly MetricRow[], { truth, model }: Subject): Complaint[] {
  return rows.flatMap(({ metric, level, shown }): Complaint[] => {
    const wanted = truth.levels?.[metric];
    const got: Grade =
      level === "target" || level === "acceptable" || level === "off" ? "good" : level;
    if (!wanted || got === wanted) return [];
    if (metric === "uptime" && !truth.isCovered) return []; // Its bounds are looked at.
    // Too little between the restarts.
    if (metric === "memory_growth" && got === "unknown" && model.restarts.length > 1) return [];
    return [{ what: "figures", says: `${metric} is ${shown}, ${level} instead of ${wanted}` }];
  });
}

function complainFigures(summary: Summary, { truth, model }: Subject): Complaint[] {
  const restarts = summary.restarts.filter(({ planned }) => planned === false).length;
  const figures: [string, number, number, number][] = [
    ["errors", summary.errors, truth.errors, 0],
    ["unplanned restarts", restarts, truth.unplanned, 0],
    ["age", summary.age, truth.age, 0.001],
  ];
  if (truth.bands) {
    figures.push(["seconds of peak", summary.bands.peak.due, truth.bands.peak, 61]);
    figures.push(["seconds of off-peak", summary.bands.offPeak.due, truth.bands.offPeak, 61]);
  }
  const { low, high } = summary.uptime;
  // Where only looks are, the lower bound is one of what they met: nothing bounds what was between
  // them, and no such burn-in passes.
  const isWithin =
    truth.uptime <= high + 1e-6 && (low <= truth.uptime + 1e-6 || model.sight === "look");
  return [
    ...figures.flatMap(([name, got, wanted, slack]): Complaint[] =>
      Math.abs(got - wanted) <= slack
        ? []
        : [{ what: "figures", says: `${name}: ${got} instead of ${wanted}` }],
    ),
    ...(isWithin
      ? []
      : [{ what: "uptime" as const, says: `${low} to ${high} does not hold ${truth.uptime}` }]),
  ];
}

export type Judged = { complaints: Complaint[]; uptimeError: number | null };

/** Judges all of a history's burn-ins, and compares with the truth. */
export function judgeHistory(history: History): Judged {
  let uptimeError: number | null = null;
  const complaints = history.subjects.flatMap((subject) => {
    const { truth, burnin } = subject;
    const accounts = history.log ? readAccounts(history.log, burnin) : subject.accounts;
    const { summary, rows, decision, reasons } = judgeAll(subject, accounts);
    const found: Complaint[] = [
      ...complainFigures(summary, subject),
      ...complainLevels(rows, subject),
      ...complainEarly(subject, accounts),
    ];
    if (decision !== truth.decision) {
      const says = `${decision} instead of ${truth.decision}: ${reasons.join("; ") || "no reason"} (in truth: ${truth.why.join(", ") || "nothing wrong"})`;
      found.push({ what: decision === "PASS" ? "wrong PASS" : "wrong", says });
    }
    if (truth.isCovered) {
      const worst = Math.max(
        Math.abs(summary.uptime.low - truth.uptime),
        Math.abs(summary.uptime.high - truth.uptime),
      );
      uptimeError = Math.max(uptimeError ?? 0, worst);
      if (worst > uptimeErrorMax)
        found.push({ what: "uptime", says: `off by ${worst} percentage points` });
    }
    return found.concat(history.deferred ? complainUndeferred(subject, accounts) : []);
  });
  return { complaints, uptimeError };
}

function complainUndeferred(subject: Subject, accounts: readonly Account[]): Complaint[] {
  const until = accounts.filter(({ to }) => to <= 12 * 3600 + 30);
  const criteria = judgeCheckpoint(
    12,
    summarizeBurnin(subject.burnin, until, subject.zone),
    subject.burnin,
  );
  const peak = criteria.find(({ criterion }) => /peak/i.test(criterion));
  return peak?.status === "deferred"
    ? []
    : [{ what: "wrong", says: `at hour 12 the peak is ${peak?.status}: ${peak?.says}` }];
}

// ---------------------------------------------------------------------------- the command

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export type Tally = {
  count: number;
  near: number;
  right: number;
  uptimeError: number;
  complaints: (Complaint & { kind: string; seed: number; isHealthy: boolean })[];
};
export const emptyTally = (): Tally => ({
  count: 0,
  near: 0,
  right: 0,
  uptimeError: 0,
  complaints: [],
});

export function addTo(
  tally: Tally,
  { kind, seed, near: limit, isHealthy }: History,
  { complaints, uptimeError }: Judged,
): void {
  tally.count += 1;
  tally.near += limit === null ? 0 : 1;
  tally.right += complaints.length === 0 ? 1 : 0;
  tally.uptimeError = Math.max(tally.uptimeError, uptimeError ?? 0);
  tally.complaints.push(
    ...complaints.map((complaint) => ({ ...complaint, kind, seed, isHealthy })),
  );
}

/**
 * What the targets miss, in sentences. How many are near a limit only counts where all kinds are
 * there.
 */
export function missesOf(
  { count, near: limits, right, uptimeError, complaints }: Tally,
  isWhole = true,
): string[] {
  const wrong = (what: Complaint["what"]): number =>
    complaints.filter((complaint) => complaint.what === what).length;
  return Object.entries({
    "fewer than 99 % are right": right < 0.99 * count,
    "a PASS is wrong": wrong("wrong PASS") > 0,
    "a burn-in is decided before its time": wrong("early") > 0,
    "a healthy one does not PASS": complaints.some(({ isHealthy }) => isHealthy),
    "an uptime is off by more than 0.01 percentage points":
      wrong("uptime") > 0 || uptimeError > uptimeErrorMax,
    "fewer than 40 % are near a limit": isWhole && limits < 0.4 * count,
  }).flatMap(([miss, is]) => (is ? [miss] : []));
}

function rowOf(
  name: string,
  { count, near: limits, right, uptimeError, complaints }: Tally,
): string {
  const wrong = (...what: Complaint["what"][]): number =>
    new Set(complaints.filter((one) => what.includes(one.what)).map(({ seed }) => seed)).size;
  const cells = [
    count,
    limits,
    right,
    wrong("wrong PASS"),
    wrong("wrong", "early", "figures"),
    uptimeError.toExponential(0),
  ];
  return `${name.padEnd(24)} ${cells.map((cell) => String(cell).padStart(10)).join(" ")}`;
}

function showHistory(kind: string, seed: number): void {
  const history = generate(kind, seed);
  for (const subject of history.subjects) {
    const { truth, model, burnin } = subject;
    const accounts = history.log ? readAccounts(history.log, burnin) : subject.accounts;
    const { summary, rows, decision, reasons } = judgeAll(subject, accounts);
    console.log(
      JSON.stringify(
        { burnin, near: history.near, truth, model, judged: { decision, reasons, rows, summary } },
        null,
        1,
      ),
    );
    for (const account of accounts) console.log(JSON.stringify(account));
  }
}

function main(): void {
  const { values: flags } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      only: { type: "string" },
      times: { type: "string", default: "1" },
      show: { type: "string" },
    },
  });
  const only = flags.only?.split(",") ?? kindNames;
  const unknown = only.find((name) => !kinds[name]);
  if (unknown !== undefined) {
    console.error(`There is no kind of history "${unknown}". There are: ${kindNames.join(", ")}`);
    process.exitCode = 64;
    return;
  }
  if (flags.show) return showHistory(only[0] as string, Number(flags.show));
  const began = performance.now();
  const all = emptyTally();
  const byKind = new Map<string, Tally>(only.map((name) => [name, emptyTally()]));
  const byLimit = new Map<string, number>();
  for (const history of generateAll(Number(flags.seed), Number(flags.times), only)) {
    const judged = judgeHistory(history);
    addTo(all, history, judged);
    addTo(byKind.get(history.kind) as Tally, history, judged);
    if (history.near) byLimit.set(history.near, (byLimit.get(history.near) ?? 0) + 1);
  }
  console.log(
    `${"kind".padEnd(24)} ${["histories", "near limit", "right", "wrong PASS", "wrong else", "uptime off"].map((word) => word.padStart(10)).join(" ")}`,
  );
  for (const [name, tally] of byKind) console.log(rowOf(name, tally));
  console.log(rowOf("all", all));
  console.log(
    `within 10 % of a limit: ${[...byLimit].map(([name, count]) => `${name} ${count}`).join(", ")}`,
  );
  for (const { kind, seed, what, says } of all.complaints.slice(0, 60))
    console.log(`  ${kind}, seed ${seed}: ${what}: ${says}`);
  const misses = missesOf(all, flags.only === undefined);
  const seeds = `seeds ${flags.seed} to ${Number(flags.seed) + kindNames.reduce((sum, name) => sum + (kinds[name] as Kind).count, 0) * Number(flags.times) - 1}`;
  const share = `${percent(all.right / all.count)} right, ${percent(all.near / all.count)} near a limit`;
  console.log(
    `${all.count} histories (${seeds}) in ${Math.round((performance.now() - began) / 1000)} s: ${share}; ${misses.join(", ") || "all targets met"}`,
  );
  process.exitCode = misses.length ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
