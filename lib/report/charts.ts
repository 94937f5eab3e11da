/** The pictures of a report, as coordinates and paths; the template draws them. */

import { bandSpans } from "../burnin/bands.ts";
import type { Standing } from "../burnin/judging.ts";
import { joinSpans, lengthOf } from "../burnin/spans.ts";
import type { Account, Span } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { type Dot, median, round } from "../numbers.ts";
import type { BandName } from "../rules.ts";
import { load } from "../shipped.ts";
import { plural, spanOf } from "../text.ts";
import type { ReportView } from "./render.ts";

const CHART = { width: 960, height: 160 };
type Scale = (value: number) => number;
type Clock = (age: number) => string;
type Drawn = ReportView["charts"]["series"][number];
/** What the charts of samples show; a limit far above them would flatten what there is to see. */
const CURVES = [
  { id: "memory", title: "Memory", unit: "MB", of: "memoryMb" },
  { id: "response", title: "Response time", unit: "ms", of: "responseMs" },
  { id: "users", title: "Users", unit: "the channel", of: "users" },
] as const;

function drawCurve(
  { id, title, unit, of }: (typeof CURVES)[number],
  { summary, burnin }: Standing,
  accounts: readonly Account[],
  limit: number | null,
  x: Scale,
  clockOf: Clock,
): Drawn {
  const { scaleLinear } = load("d3-scale") as typeof import("d3-scale");
  const { line, area } = load("d3-shape") as typeof import("d3-shape");
  const samples = accounts.flatMap(({ to: age, [of]: value }): Dot[] =>
    value === null ? [] : [{ age, value }],
  );
  const most = Math.max(1, ...samples.map(({ value }) => value));
  const isNear = limit !== null && limit < 3 * most;
  const y = scaleLinear(
    [0, isNear ? Math.max(most, limit) * 1.1 : most * 1.2],
    [CHART.height, 0],
  ).nice(4);
  const [left, top] = [(point: Dot) => x(point.age), (point: Dot) => y(point.value)];
  const growth = id === "memory" ? summary.memory : null;
  // Theil and Sen's line goes through the medians.
  const [age, value] = [
    median(samples.map((sample) => sample.age)),
    median(samples.map((sample) => sample.value)),
  ];
  const trendAt = (at: number): number =>
    y(value + ((growth?.perHour ?? 0) * (at - age)) / (burnin.seconds / 24));
  return {
    ...{
      id,
      title,
      unit,
      bars: [],
      path: line(left, top)(samples) ?? "",
      area: id === "users" ? area(left, CHART.height, top)(samples) : null,
    },
    points: samples.map((point) => ({
      x: left(point),
      y: top(point),
      label: `${clockOf(point.age)}: ${round(point.value)} ${id === "users" ? id : unit}`,
    })),
    limit: isNear ? { y: y(limit), label: `limit ${limit} ${unit}` } : null,
    trend: growth && {
      x1: 0,
      y1: trendAt(0),
      x2: x(summary.age),
      y2: trendAt(summary.age),
      label: `${round(growth.perHour)} MB/h`,
    },
    axis: y.ticks(4).map((tick) => ({ y: y(tick), label: `${tick}` })),
    empty: samples.length ? null : "no samples",
  };
}

function drawErrors(
  accounts: readonly Account[],
  boxOf: (span: Span) => { x: number; width: number },
  clockOf: Clock,
): Drawn {
  const { scaleLinear } = load("d3-scale") as typeof import("d3-scale");
  const counted = accounts.flatMap((account) =>
    account.errors === null ? [] : [{ ...account, errors: account.errors }],
  );
  const y = scaleLinear(
    [0, Math.max(4, ...counted.map(({ errors }) => errors))],
    [CHART.height, 0],
  ).nice(4);
  const bars = counted.map((account) => {
    const label = `${clockOf(account.from)} to ${clockOf(account.to)}: ${plural(account.errors, "error")}`;
    return {
      ...boxOf(account),
      y: y(account.errors),
      height: CHART.height - y(account.errors),
      label,
    };
  });
  const axis = y.ticks(4).map((tick) => ({ y: y(tick), label: `${tick}` }));
  return {
    id: "errors",
    title: "Errors",
    unit: "each interval",
    path: "",
    area: null,
    bars,
    points: [],
    limit: null,
    trend: null,
    axis,
    empty: bars.length ? null : "not counted",
  };
}

/** The charts of a burn-in: seconds since it began along the width, values up the height. */
export function drawCharts(
  standing: Standing,
  accounts: readonly Account[],
  { limits, burnin: { timeZone } }: Config,
  clockOf: Clock,
): ReportView["charts"] {
  const { scaleLinear } = load("d3-scale") as typeof import("d3-scale");
  const { burnin, summary } = standing;
  const span = Math.max(burnin.seconds, summary.age);
  const x = scaleLinear([0, span], [0, CHART.width]);
  const boxOf = (piece: Span) => ({
    x: x(piece.from),
    width: Math.max(x(piece.to) - x(piece.from), 1.5),
  });
  const begun = Date.parse(burnin.startedAt);
  const bandsOf = (kind: "peak" | "off-peak", name: BandName) =>
    bandSpans(burnin.limits.bands[name], { from: begun, to: begun + span * 1000 }, timeZone).map(
      ({ from, to }) => ({
        ...boxOf({ from: (from - begun) / 1000, to: (to - begun) / 1000 }),
        kind,
        label: kind,
      }),
    );
  const piece = <K extends ReportView["charts"]["strip"][number]["kind"]>(
    kind: K,
    says: string,
    at: Span,
  ) => ({
    ...boxOf(at),
    kind,
    label: `${clockOf(at.from)}, ${spanOf(lengthOf(at))}: ${says}`,
  });
  const limitOf = {
    memory: limits.memoryMbMax,
    response: burnin.limits.metrics.response_time.acceptable,
    users: null,
  };
  return {
    ...CHART,
    hours: Array.from({ length: 9 }, (_, index) => ({
      x: (CHART.width * index) / 8,
      label: clockOf((span * index) / 8).slice(0, span < 3600 ? 8 : 5),
    })),
    bands: [...bandsOf("peak", "peak"), ...bandsOf("off-peak", "offPeak")],
    marks: summary.restarts.map(({ age, planned, at, says }) => ({
      x: x(age),
      kind: planned ? "restart-planned" : "restart",
      label: `${at}: ${says}`,
    })),
    strip: [
      ...joinSpans(accounts.map(({ from, to }) => ({ from, to }))).map((covered) =>
        piece("up", "up and connected", covered),
      ),
      ...summary.holes.map((hole) => piece("hole", "nobody looked", hole)),
      ...summary.outages.map((outage) =>
        piece(outage.planned ? "planned" : outage.kind, outage.says, outage),
      ),
    ],
    series: [
      ...CURVES.map((curve) => drawCurve(curve, standing, accounts, limitOf[curve.id], x, clockOf)),
      drawErrors(accounts, boxOf, clockOf),
    ],
  };
}
