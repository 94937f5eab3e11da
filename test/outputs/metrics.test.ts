/**
 * What is exported: the file of metrics, read by a real node_exporter that a real Prometheus
 * scrapes, and what is shipped to use it, alerts and a
 * dashboard.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import fc from "fast-check";
import { parse } from "yaml";
import { writeAtomically } from "../../lib/files.ts";
import { type MetricsView, renderMetrics } from "../../lib/outputs/metrics.ts";
import { CHECK_NAMES, STATUSES } from "../../lib/vocabulary.ts";
import { createDirectory, projectDirectory } from "../support/harness.ts";
import {
  eventually,
  query,
  type Service,
  startNodeExporter,
  startPrometheus,
} from "../support/monitoring.ts";

const readShipped = (name: string): string =>
  readFileSync(join(projectDirectory, "config", name), "utf8");

// ---------------------------------------------------------------------------- what is exported

const full: MetricsView = {
  ...{ env: "prod", releaseId: "1.4.2", verifier: "0.1.0" },
  verify: {
    ...{
      success: false,
      exit: 9,
      ms: 301_234,
      at: 1_795_326_904_099,
      successAt: 1_795_320_000_000,
      unverified: true,
    },
    statuses: Object.fromEntries(
      CHECK_NAMES.map((name, index) => [name, STATUSES[index % STATUSES.length]]),
    ),
    failures: { error_logs: 3, process: 0 },
  },
  burnin: {
    ...{
      decision: "RUNNING",
      age: 7200.5,
      restarts: 0,
      redFlags: 2,
      tickAt: 1_795_326_900_000,
      attempt: 1,
    },
    ...{ uptimeLow: 99.97, errorsPerMinute: 0.02, memoryMbPerHour: 1.5 },
  },
};
const promtool = (args: string[], input?: string) =>
  spawnSync("promtool", args, {
    input,
    encoding: "utf8",
    cwd: join(projectDirectory, "test/outputs"),
  });
const isClean = (text: string): void => {
  const { status, stdout, stderr } = promtool(["check", "metrics"], text);
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" }, text);
};
const samplesOf = (text: string): Map<string, number> =>
  new Map(
    [...text.matchAll(/^(\w+\{.*\}) (\S+)$/gm)].map(([, series = "", value]) => [
      series,
      Number(value),
    ]),
  );
/** What sites build dashboards and alerts on: a name that changes breaks them. */
const exported = [
  "cytube_verify_info",
  "cytube_verify_success",
  "cytube_verify_exit_code",
  "cytube_verify_duration_seconds",
  "cytube_verify_last_run_timestamp_seconds",
  "cytube_verify_last_success_timestamp_seconds",
  "cytube_verify_check_status",
  "cytube_verify_check_failures_total",
  "cytube_verify_start_unverified",
  "cytube_burnin_age_seconds",
  "cytube_burnin_decision",
  "cytube_burnin_attempt",
  "cytube_burnin_uptime_ratio",
  "cytube_burnin_errors_per_minute",
  "cytube_burnin_memory_growth_bytes_per_hour",
  "cytube_burnin_unplanned_restarts",
  "cytube_burnin_red_flags",
  "cytube_burnin_last_tick_timestamp_seconds",
];

test("renderMetrics() is clean for promtool, in base units, without timestamps, and has every metric that there is", async () => {
  const text = await renderMetrics(full);
  isClean(text);
  const found = new Set(text.match(/^cytube_\w+/gm));
  assert.deepEqual([...found].sort(), exported.toSorted());
  const samples = samplesOf(text);
  assert.equal(
    samples.size,
    text.split("\n").filter((line) => line && !line.startsWith("#")).length,
    "a line has a timestamp",
  );
  for (const [series, value] of [
    ['cytube_verify_info{env="prod",release="1.4.2",version="0.1.0"}', 1],
    ['cytube_verify_success{env="prod"}', 0],
    ['cytube_verify_exit_code{env="prod"}', 9],
    ['cytube_verify_duration_seconds{env="prod"}', 301.234],
    ['cytube_verify_last_run_timestamp_seconds{env="prod"}', 1_795_326_904.099],
    ['cytube_verify_check_status{env="prod",check="process",status="fail"}', 1],
    ['cytube_verify_check_status{env="prod",check="process",status="pass"}', 0],
    ['cytube_verify_check_failures_total{env="prod",check="error_logs"}', 3],
    ['cytube_verify_start_unverified{env="prod"}', 1],
    ['cytube_burnin_decision{env="prod",decision="running"}', 1],
    ['cytube_burnin_decision{env="prod",decision="fail"}', 0],
    ['cytube_burnin_uptime_ratio{env="prod"}', 0.9997],
    ['cytube_burnin_memory_growth_bytes_per_hour{env="prod"}', 1_572_864],
  ] as const)
    assert.ok(
      Math.abs((samples.get(series) ?? Number.NaN) - value) < 1e-6,
      `${series} is ${samples.get(series)}`,
    );
});

test("renderMetrics() has one status for each check, and leaves nothing out of the words that there are", async () => {
  const samples = samplesOf(await renderMetrics(full));
  for (const name of CHECK_NAMES) {
    const statuses = STATUSES.map((status) =>
      samples.get(`cytube_verify_check_status{env="prod",check="${name}",status="${status}"}`),
    );
    assert.equal(statuses.filter((value) => value === 1).length, 1, name);
    assert.equal(statuses.filter((value) => value === 0).length, STATUSES.length - 1, name);
  }
});

test("renderMetrics() leaves out what is not known", async () => {
  const bare = await renderMetrics({
    env: "prod",
    releaseId: null,
    verifier: "0.1.0",
    verify: null,
    burnin: null,
  });
  isClean(bare);
  assert.deepEqual(
    [...samplesOf(bare)],
    [['cytube_verify_info{env="prod",release="",version="0.1.0"}', 1]],
  );
  const { verify, burnin } = full as Required<MetricsView>;
  const partly = {
    ...burnin,
    uptimeLow: null,
    errorsPerMinute: Number.NaN,
    memoryMbPerHour: null,
  } as MetricsView["burnin"];
  const text = await renderMetrics({
    ...full,
    verify: { ...verify, successAt: null, unverified: null } as MetricsView["verify"],
    burnin: partly,
  });
  isClean(text);
  assert.doesNotMatch(
    text,
    /last_success|start_unverified|uptime_ratio|errors_per|memory_growth|NaN/i,
  );
});

test("renderMetrics() is clean whatever a release is called", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 40 }), async (releaseId) =>
      isClean(await renderMetrics({ ...full, releaseId })),
    ),
    {
      numRuns: 10,
      examples: [['a"b\\c\nd'], ["{}"], ["\u0000\ud800"], ["# HELP"], ["1.4.2\n# EOF\n"]],
    },
  );
});

test("config/prometheus-rules.yml is valid, and its alerts fire for what they name and not for what looks like it", () => {
  const check = promtool(["check", "rules", "../../config/prometheus-rules.yml"]);
  assert.deepEqual([check.status, check.stderr], [0, ""], check.stdout);
  const tested = promtool(["test", "rules", "prometheus-rules.test.yml"]);
  assert.equal(tested.status, 0, tested.stdout + tested.stderr);
});

type Rule = {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: Record<string, string>;
};
const rules = (
  parse(readShipped("prometheus-rules.yml")) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

test("each alert is the verifier's own by name, waits, has a severity, and says what to do; each is tested both ways", () => {
  assert.deepEqual(
    rules.map(({ alert: name }) => name),
    ["Failed", "RedFlag", "BurninFailed", "Silent", "Gone", "StartUnverified"].map(
      (name) => `CytubeVerify${name}`,
    ),
  );
  const tests = readFileSync(
    join(projectDirectory, "test/outputs/prometheus-rules.test.yml"),
    "utf8",
  );
  for (const { alert: name, for: wait, labels, annotations } of rules) {
    assert.match(wait, /^\d+m$/, name);
    assert.match(labels.severity, /^(?:critical|warning)$/, name);
    assert.deepEqual(Object.keys(annotations), ["summary", "description", "action"], name);
    assert.match(tests, new RegExp(`alertname: ${name}$`, "m"), "the fault");
    assert.match(
      tests,
      new RegExp(`alertname: ${name} \\}$|alertname="${name}"`, "m"),
      "the look-alike",
    );
  }
});

// ---------------------------------------------------------------------------- the dashboard

type Panel = {
  id: number;
  type: string;
  title: string;
  gridPos: Record<"x" | "y" | "w" | "h", number>;
  targets?: { refId: string; expr: string; datasource: { uid: string } }[];
};
type Variable = { name: string; type: string; query: string | { query: string } };
const dashboard = JSON.parse(readShipped("grafana-dashboard.json")) as {
  schemaVersion: number;
  panels: Panel[];
  templating: { list: Variable[] };
  annotations: { list: { expr: string }[] };
};
const expressions = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

/** The metrics that a query names, by the official grammar; throws where it is not PromQL. */
function metricsOf(expr: string): string[] {
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter: (node) => {
      assert.ok(!node.type.isError, `"${expr}" is no PromQL at character ${node.from}`);
      if (node.name === "VectorSelector")
        names.push(/^[\w:]*/.exec(expr.slice(node.from, node.to))?.[0] ?? "");
    },
  });
  return names;
}

test("metricsOf() finds the metrics of a query, and refuses what is none", () => {
  assert.deepEqual(metricsOf('sum by (a) (rate(b_total{c="d"}[5m])) / on (e) f offset 1h'), [
    "b_total",
    "f",
  ]);
  assert.throws(() => metricsOf("sum(rate(a[5m])"), /is no PromQL/);
});

test("every query of the dashboard and of the alerts is PromQL and names exported metrics, and every exported metric is used", () => {
  const variables = dashboard.templating.list.flatMap(({ query: asked }) =>
    typeof asked === "string" ? [] : [asked.query],
  );
  const inVariables = variables.map(
    (asked) => /^label_values\((.+), \w+\)$/.exec(asked)?.[1] ?? assert.fail(asked),
  );
  const inRules = rules.map(({ expr }) => expr);
  const inText = rules.flatMap(
    ({ annotations }) =>
      Object.values(annotations)
        .join(" ")
        .match(/cytube_(?:verify|burnin)_\w+/g) ?? [],
  );
  const named = [...expressions, ...inVariables, ...inRules].flatMap(metricsOf);
  assert.ok(named.length > 40, `${named.length} names`);
  assert.deepEqual(
    [...named, ...inText].filter((name) => !exported.includes(name)),
    [],
  );
  assert.deepEqual(
    exported.filter((name) => !named.includes(name)),
    [],
  );
});

test("the dashboard is of a form that Grafana 9 imports: one source, ids and places of their own, both variables in every query of a bot", () => {
  const { panels, templating, schemaVersion } = dashboard;
  assert.ok(schemaVersion >= 36);
  assert.deepEqual(
    templating.list.map(({ name, type }) => [name, type]),
    [
      ["datasource", "datasource"],
      ["env", "query"],
      ["instance", "query"],
    ],
  );
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { type, title, gridPos, targets = [] } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++)
        assert.ok(
          !taken.has(`${x},${y}`) && taken.add(`${x},${y}`),
          `${title} lies on another panel`,
        );
    assert.ok(type === "row" || targets.length > 0, title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const { datasource } of targets) assert.equal(datasource.uid, "$".concat("{datasource}"));
  }
  const second = panels.findLastIndex(({ type }) => type === "row");
  for (const { title, targets = [] } of panels.slice(second + 1))
    for (const { expr } of targets)
      for (const selector of expr.match(/\{[^}]*\}/g) ?? [""])
        assert.match(selector, /env="\$env",instance="\$instance"/, title);
});

// ---------------------------------------------------------------------------- from the file to the panel

describe("the file of metrics, read by a real node_exporter, which a real Prometheus scrapes", () => {
  const textfiles = createDirectory();
  const file = join(textfiles, "cytube-prod.prom");
  let exporter: Service;
  let prometheus: Service;
  before(async () => {
    // As the service's unit has it.
    const before = process.umask(0o007);
    writeAtomically(file, await renderMetrics(full), 0o644);
    writeAtomically(
      join(textfiles, "cytube-movies.prom"),
      await renderMetrics({ ...full, env: "movies", burnin: null }),
      0o644,
    );
    process.umask(before);
    exporter = await startNodeExporter(textfiles);
    prometheus = await startPrometheus([
      {
        job_name: "node",
        honor_labels: true,
        static_configs: [{ targets: [new URL(exporter.url).host], labels: { env: "fleet" } }],
      },
    ]);
    await eventually(
      "both are scraped",
      async () => (await query(prometheus, "cytube_verify_info")).length === 2,
    );
  });
  after(async () => {
    await prometheus?.stop();
    await exporter?.stop();
  });

  test("is readable by node_exporter's user, whatever the umask", () =>
    assert.equal(statSync(file).mode & 0o777, 0o644));

  test("is taken without an error, also beside that of another config", async () => {
    const text = await (await fetch(`${exporter.url}/metrics`)).text();
    assert.match(text, /^node_textfile_scrape_error 0$/m);
    assert.match(text, /^node_textfile_mtime_seconds\{file=".*cytube-prod\.prom"\} /m);
  });

  test("arrives in Prometheus, every series with its value", async () => {
    for (const [series, value] of samplesOf(await renderMetrics(full))) {
      const [found, ...more] = await query(prometheus, series);
      assert.deepEqual([more, Number(found?.value[1])], [[], value], series);
    }
  });

  test("answers every query of the dashboard", async () => {
    const instance = new URL(exporter.url).host;
    for (const expr of expressions) {
      const filled = expr.replaceAll("$env", "prod").replaceAll("$instance", instance);
      // Over a day, or a release ago, there is nothing yet.
      if (/\[24h\]|offset/.test(expr)) await query(prometheus, filled);
      else assert.ok((await query(prometheus, filled)).length > 0, filled);
    }
  });

  test("is replaced as a whole, so that no scrape sees half of it", async () => {
    const releaseId = "2.0.0";
    writeAtomically(file, await renderMetrics({ ...full, releaseId }), 0o644);
    await eventually(
      "the new release is scraped",
      async () =>
        (await query(prometheus, `cytube_verify_info{release="${releaseId}"}`)).length === 1,
    );
    assert.deepEqual(
      (await query(prometheus, 'cytube_verify_info{env="prod"}')).map(
        ({ metric }) => metric.release,
      ),
      [releaseId],
    );
  });
});
