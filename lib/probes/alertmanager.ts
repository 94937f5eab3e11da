/**
 * Asks the site's Alertmanager what fires at this moment. Optional: where none is configured,
 * nothing is asked.
 */

import { Unobservable } from "../attempt.ts";
import type { Config } from "../config.ts";
import { readApi, valueAt } from "../http.ts";
import { cutText } from "../text.ts";

/** An alert that fires, by Alertmanager's word. */
export type Firing = { name: string; severity: string; since: string };
/**
 * The last leaves out config/prometheus-rules.yml's own alerts: they tell of the burn-in, and
 * counted in it they would keep themselves alive.
 */
const FIRING = {
  active: "true",
  silenced: "false",
  inhibited: "false",
  filter: 'alertname!~"CytubeVerify.*"',
};
const FIRING_MAX = 100; // Each goes into the log; far fewer are critical.
/**
 * What fires now and is neither silenced nor inhibited; what is resolved, Alertmanager leaves out
 * by itself.
 */
export async function readFiring({ alertmanager }: Config): Promise<Firing[]> {
  const { url, filter = [] } = alertmanager as NonNullable<Config["alertmanager"]>;
  const filters = filter.map((matcher): [string, string] => ["filter", matcher]);
  const { document, problem } = await readApi(url, "/api/v2/alerts", [
    ...Object.entries(FIRING),
    ...filters,
  ]);
  const why = `Cannot ask Alertmanager at ${new URL(url).host} what fires: ${problem ?? "the JSON is not a list"}`;
  if (!Array.isArray(document))
    throw new Unobservable(why, "Is alertmanager.url the address of its web page?");
  const textAt = (alert: unknown, at: string): string =>
    cutText([valueAt(alert, at)].find((said) => typeof said === "string") ?? "", 200);
  const [name, severity, since] = ["/labels/alertname", "/labels/severity", "/startsAt"] as const;
  const firing = document.slice(0, FIRING_MAX);
  return firing.map((alert) => ({
    name: textAt(alert, name),
    severity: textAt(alert, severity),
    since: textAt(alert, since),
  }));
}
