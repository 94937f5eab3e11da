/** Times answers of the health endpoint, on fresh connections and on one that is kept alive. */

import type { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { loadHttp, readHttp } from "../http.ts";
import { healthTarget } from "./health.ts";

/** Response times in milliseconds. */
export type ResponseEvidence = {
  /** On a new connection each. */
  fresh: number[];
  /** On one connection that is kept. */
  keptAlive: number[];
  /** The problems of samples that had no whole 200 answer. */
  failures: string[];
};

/**
 * Samples the endpoint on a new connection and on a kept one, in turn: the first carries the cost
 * of a connection, the second does not.
 */
export async function readResponseTimes(
  config: Config,
  signal: AbortSignal,
): Promise<ResponseEvidence> {
  const { responseSamples, responseGapMs, healthTimeoutMs } = config.limits;
  const evidence: ResponseEvidence = { fresh: [], keptAlive: [], failures: [] };
  const http = await loadHttp(new URL(config.health.url as string));
  const kept = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sample = async (times: number[], agent: Agent | false): Promise<void> => {
    const { ms, status, problem } = await readHttp(healthTarget(config), healthTimeoutMs, agent);
    if (signal.aborted) return;
    // A refusal is fast, and would make the average better than it is.
    if (problem || status !== 200) evidence.failures.push(problem ?? `HTTP ${status}`);
    else times.push(ms);
  };
  for (let round = 0; round < responseSamples && !signal.aborted; round++) {
    if (round > 0) await sleep(responseGapMs, undefined, { signal }).catch(() => {});
    await sample(evidence.fresh, false);
    await sample(evidence.keptAlive, kept);
    // One that does not answer would take the whole budget, and another check reports it.
    if (round === 0 && evidence.failures.length === 2) break;
  }
  kept.destroy();
  return evidence;
}
