/**
 * Real Prometheus, node_exporter and Alertmanager, as Debian packages them: on loopback, in
 * directories of their own, ended by pid.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createDirectory,
  deadlineMsDefault,
  findFreePort,
  readIfThere,
  startProcess,
} from "./harness.ts";

/** Waits for what has to be asked for; the error says what did not come about. */
export async function eventually<Result>(
  what: string,
  ask: () => Promise<Result | null | false | undefined>,
  deadlineMs = deadlineMsDefault,
): Promise<Result> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const result = await ask();
    if (result) return result;
    if (performance.now() > deadline)
      throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await sleep(50);
  }
}

export type Service = { url: string; directory: string; stop: () => Promise<void> };

/**
 * Starts a service on a port of its own, and waits until the path answers. Its words are in the
 * error, should it end before that.
 */
async function startService(
  command: (port: number, directory: string) => string[],
  ready: string,
  directory = createDirectory(),
): Promise<Service> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(directory, `service-${port}.log`);
  const output = openSync(log, "w");
  const child = startProcess(command(port, directory), {
    cwd: directory,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const gone = new Promise<void>((done) => child.once("close", () => done()));
  const stop = (): Promise<void> => {
    child.end();
    return gone;
  };
  await eventually(`${url}${ready} answers`, async () => {
    if (child.exitCode !== null)
      throw new Error(`${child.spawnfile} exited ${child.exitCode}: ${readIfThere(log)}`);
    return (await fetch(url + ready).catch(() => null))?.ok;
  });
  return { url, directory, stop };
}

/**
 * `scrape` is what `scrape_configs:` holds, as JSON, which is YAML too. `prefix`: as behind a
 * proxy.
 */
export function startPrometheus(
  scrape: object[],
  { directory = createDirectory(), prefix = "" } = {},
): Promise<Service> {
  const config = join(directory, "prometheus.yml");
  writeFileSync(
    config,
    JSON.stringify({ global: { scrape_interval: "250ms" }, scrape_configs: scrape }),
  );
  const command = (port: number): string[] => [
    "prometheus",
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    "--storage.tsdb.retention.time=30d",
    `--web.listen-address=127.0.0.1:${port}`,
    `--web.route-prefix=${prefix || "/"}`,
    "--log.level=warn",
  ];
  return startService(command, `${prefix}/-/ready`, directory);
}

/**
 * A directory that Prometheus can be started in, with the history that the text in OpenMetrics
 * tells.
 */
export function createHistory(text: string): string {
  const directory = createDirectory();
  const file = join(directory, "history.om");
  writeFileSync(file, text);
  const made = spawnSync(
    "promtool",
    ["tsdb", "create-blocks-from", "openmetrics", "--quiet", file, join(directory, "data")],
    { encoding: "utf8" },
  );
  if (made.status !== 0)
    throw new Error(`promtool could not make blocks: ${made.stderr}${made.error ?? ""}`);
  return directory;
}

export function startNodeExporter(textfiles: string): Promise<Service> {
  const collectors = [
    "--collector.disable-defaults",
    "--collector.textfile",
    `--collector.textfile.directory=${textfiles}`,
  ];
  return startService(
    (port) => ["prometheus-node-exporter", ...collectors, `--web.listen-address=127.0.0.1:${port}`],
    "/metrics",
  );
}

export function startAlertmanager(config: object, prefix = ""): Promise<Service> {
  const command = (port: number, directory: string): string[] => {
    writeFileSync(join(directory, "alertmanager.yml"), JSON.stringify(config));
    return [
      "prometheus-alertmanager",
      `--config.file=${join(directory, "alertmanager.yml")}`,
      `--storage.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--web.route-prefix=${prefix || "/"}`,
      "--cluster.listen-address=",
      "--log.level=warn",
    ];
  };
  return startService(command, `${prefix}/-/ready`);
}

/** What Prometheus answers to a query: its series, or the number where there is one. */
export async function query(
  { url }: Service,
  promql: string,
): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
  const answer = await fetch(`${url}/api/v1/query`, {
    method: "POST",
    body: new URLSearchParams({ query: promql }),
  });
  const { status, data, error } = (await answer.json()) as {
    status: string;
    data: { result: [] };
    error?: string;
  };
  if (status !== "success") throw new Error(`${promql}: ${error}`);
  return data.result;
}
