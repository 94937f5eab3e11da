/** The pictures of a report, as coordinates and paths; the template draws them. */

import { type ScaleLinear, scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { bandSpans } from "../burnin/bands.ts";
import type { Standing } from "../burnin/judging.ts";
import { joinSpans, lengthOf } from "../burnin/spans.ts";
import type { Growth } from "../burnin/summary.ts";
import type { Account, Outage, Span } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { type Dot, median, round } from "../numbers.ts";
import type { BandName } from "../rules.ts";
import { plural, spanOf } from "../text.ts";
import type { BandBox, Charts, Curve, Height, Mark, Spot, Stripe, Trend } from "./render.ts";

const CHART_WIDTH = 960;
const CHART_HEIGHT = 160;
/** What is shorter is drawn as wide as this, or nobody would see it. */
const BOX_WIDTH_LEAST = 1.5;

/** What every picture is drawn by. Ages are in seconds since the burn-in began. */
type Plot = {
  standing: Standing;
  accounts: readonly Account[];
  /** How many seconds the width stands for. */
  seconds: number;
  /** The place of an age along the width. */
  x: (age: number) => number;
  /** The time of day of an age. */
  clockOf: (age: number) => string;
};

/** A curve of samples, and the field of an account that it shows. */
type CurveKind = {
  id: "memory" | "response" | "users";
  title: string;
  unit: string;
  field: "memoryMb" | "responseMs" | "users";
};
const CURVES: readonly CurveKind[] = [
  { id: "memory", title: "Memory", unit: "MB", field: "memoryMb" },
  { id: "response", title: "Response time", unit: "ms", field: "responseMs" },
  { id: "users", title: "Users", unit: "the channel", field: "users" },
];

function boxOf(span: Span, { x }: Plot): { x: number; width: number } {
  const left = x(span.from);
  return { x: left, width: Math.max(x(span.to) - left, BOX_WIDTH_LEAST) };
}

/** From 0 at the bottom to a value at the top, and on to a round number. */
function scaleUp(top: number): ScaleLinear<number, number> {
  return scaleLinear([0, top], [CHART_HEIGHT, 0]).nice(4);
}

const axisOf = (y: ScaleLinear<number, number>): Height[] =>
  y.ticks(4).map((tick) => ({ y: y(tick), label: `${tick}` }));

/** The line of the growth: Theil and Sen's goes through the medians of the samples. */
function drawTrend(
  samples: readonly Dot[],
  growth: Growth,
  { y, plot }: { y: (value: number) => number; plot: Plot },
): Trend {
  const { summary, burnin } = plot.standing;
  const hourSeconds = burnin.seconds / 24;
  const middleAge = median(samples.map(({ age }) => age));
  const middleValue = median(samples.map(({ value }) => value));
  const heightAt = (age: number): number =>
    y(middleValue + (growth.perHour * (age - middleAge)) / hourSeconds);
  return {
    x1: 0,
    y1: heightAt(0),
    x2: plot.x(summary.age),
    y2: heightAt(summary.age),
    label: `${round(growth.perHour)} MB/h`,
  };
}

/** A limit far above the samples is left out: it would flatten what there is to see. */
function drawCurve({ id, title, unit, field }: CurveKind, limit: number | null, plot: Plot): Curve {
  const samples = plot.accounts.flatMap(({ to: age, [field]: value }): Dot[] =>
    value === null ? [] : [{ age, value }],
  );
  const most = Math.max(1, ...samples.map(({ value }) => value));
  const shownLimit = limit !== null && limit < 3 * most ? limit : null;
  const y = scaleUp(shownLimit === null ? most * 1.2 : Math.max(most, shownLimit) * 1.1);
  const left = ({ age }: Dot): number => plot.x(age);
  const top = ({ value }: Dot): number => y(value);
  const isUsers = id === "users";
  const growth = id === "memory" ? plot.standing.summary.memory : null;
  return {
    id,
    title,
    unit,
    axis: axisOf(y),
    limit: shownLimit === null ? null : { y: y(shownLimit), label: `limit ${shownLimit} ${unit}` },
    path: line(left, top)(samples) ?? "",
    area: isUsers ? area(left, CHART_HEIGHT, top)(samples) : null,
    points: samples.map((point) => ({
      x: left(point),
      y: top(point),
      label: `${plot.clockOf(point.age)}: ${round(point.value)} ${isUsers ? "users" : unit}`,
    })),
    bars: [],
    trend: growth && drawTrend(samples, growth, { y, plot }),
    empty: samples.length ? null : "no samples",
  };
}

function drawErrors(plot: Plot): Curve {
  const { accounts, clockOf } = plot;
  const counted = accounts.flatMap(({ from, to, errors }) =>
    errors === null ? [] : [{ from, to, errors }],
  );
  const y = scaleUp(Math.max(4, ...counted.map(({ errors }) => errors)));
  const bars = counted.map(({ from, to, errors }) => ({
    ...boxOf({ from, to }, plot),
    y: y(errors),
    height: CHART_HEIGHT - y(errors),
    label: `${clockOf(from)} to ${clockOf(to)}: ${plural(errors, "error")}`,
  }));
  return {
    id: "errors",
    title: "Errors",
    unit: "each interval",
    axis: axisOf(y),
    limit: null,
    path: "",
    area: null,
    points: [],
    bars,
    trend: null,
    empty: bars.length ? null : "not counted",
  };
}

/** Nine times of day along the width, with seconds where an hour is the whole of it. */
function drawHours({ seconds, clockOf }: Plot): Spot[] {
  const characters = seconds < 3600 ? 8 : 5;
  return Array.from({ length: 9 }, (_, index) => ({
    x: (CHART_WIDTH * index) / 8,
    label: clockOf((seconds * index) / 8).slice(0, characters),
  }));
}

function drawBand(name: BandName, plot: Plot, timeZone: string): BandBox[] {
  const { burnin } = plot.standing;
  const kind = name === "peak" ? "peak" : "off-peak";
  const begun = Date.parse(burnin.startedAt);
  const whole = { from: begun, to: begun + plot.seconds * 1000 };
  return bandSpans(burnin.limits.bands[name], whole, timeZone).map(({ from, to }) => {
    const ages = { from: (from - begun) / 1000, to: (to - begun) / 1000 };
    return { ...boxOf(ages, plot), kind, label: kind };
  });
}

function drawMarks({ standing, x }: Plot): Mark[] {
  return standing.summary.restarts.map(({ age, planned, at, says }) => ({
    x: x(age),
    kind: planned ? "restart-planned" : "restart",
    label: `${at}: ${says}`,
  }));
}

/** When the bot was up, and over it when it was not, or when nobody looked. */
function drawStrip(plot: Plot): Stripe[] {
  const { holes, outages } = plot.standing.summary;
  const stripe = (kind: Stripe["kind"], says: string, span: Span): Stripe => {
    const label = `${plot.clockOf(span.from)}, ${spanOf(lengthOf(span))}: ${says}`;
    return { ...boxOf(span, plot), kind, label };
  };
  const covered = joinSpans(plot.accounts.map(({ from, to }) => ({ from, to })));
  const kindOf = ({ planned, kind }: Outage): Stripe["kind"] => (planned ? "planned" : kind);
  return [
    ...covered.map((span) => stripe("up", "up and connected", span)),
    ...holes.map((hole) => stripe("hole", "nobody looked", hole)),
    ...outages.map((outage) => stripe(kindOf(outage), outage.says, outage)),
  ];
}

/** The charts of a burn-in: seconds since it began along the width, values up the height. */
export function drawCharts(
  standing: Standing,
  accounts: readonly Account[],
  { config, clockOf }: { config: Config; clockOf: (age: number) => string },
): Charts {
  const { burnin, summary } = standing;
  const seconds = Math.max(burnin.seconds, summary.age);
  const x = scaleLinear([0, seconds], [0, CHART_WIDTH]);
  const plot: Plot = { standing, accounts, seconds, x, clockOf };
  const { timeZone } = config.burnin;
  const limitOf = {
    memory: config.limits.memoryMbMax,
    response: burnin.limits.metrics.response_time.acceptable,
    users: null,
  };
  return {
    width: CHART_WIDTH,
    height: CHART_HEIGHT,
    hours: drawHours(plot),
    bands: [...drawBand("peak", plot, timeZone), ...drawBand("offPeak", plot, timeZone)],
    marks: drawMarks(plot),
    strip: drawStrip(plot),
    series: [...CURVES.map((curve) => drawCurve(curve, limitOf[curve.id], plot)), drawErrors(plot)],
  };
}
