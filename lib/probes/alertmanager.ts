/**
 * Asks the site's Alertmanager what fires at this moment. Optional: where none is configured,
 * nothing is asked.
 */

import { Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readApi, valueAt } from "../http.ts";
import { cutText } from "../text.ts";

/** An alert that fires, by Alertmanager's word; what is not text there is "". */
export type Firing = {
  name: string;
  severity: string;
  /** ISO 8601. */
  since: string;
};

/** What is asked for: alerts that fire now and are neither silenced nor inhibited. */
const ASKED_FOR: [name: string, value: string][] = [
  ["active", "true"],
  ["silenced", "false"],
  ["inhibited", "false"],
  // The alerts of config/prometheus-rules.yml tell of the burn-in, and counted in it they would
  // keep themselves alive.
  ["filter", 'alertname!~"CytubeVerify.*"'],
];
const FIRING_MAX = 100; // Each goes into the log; far fewer are critical.
const TEXT_CHARACTERS_MAX = 200; // A name or a severity is one word.

function textAt(alert: unknown, pointer: string): string {
  const value = valueAt(alert, pointer);
  return typeof value === "string" ? cutText(value, TEXT_CHARACTERS_MAX) : "";
}

/**
 * What fires now and is neither silenced nor inhibited; what is resolved, Alertmanager leaves out
 * by itself. `Unobservable` where it does not answer with a list.
 */
export async function readFiring({ alertmanager }: Config): Promise<Firing[]> {
  const { url, filter = [] } = alertmanager as NonNullable<Config["alertmanager"]>;
  const filters = filter.map((matcher): [string, string] => ["filter", matcher]);
  const { document, problem } = await readApi(url, "/api/v2/alerts", [...ASKED_FOR, ...filters]);
  if (!Array.isArray(document)) {
    const why = problem ?? "the JSON is not a list";
    throw new Unobservable(
      `Cannot ask Alertmanager at ${new URL(url).host} what fires: ${why}`,
      "Is alertmanager.url the address of its web page?",
    );
  }
  return document.slice(0, FIRING_MAX).map((alert: unknown) => ({
    name: textAt(alert, "/labels/alertname"),
    severity: textAt(alert, "/labels/severity"),
    since: textAt(alert, "/startsAt"),
  }));
}
