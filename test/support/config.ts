/**
 * A config as a probe is handed it: the limits of prod, and whatever a test sets beside them. No
 * file is read, and nothing is checked.
 */
import type { Config } from "../../lib/config.ts";
import { LIMITS } from "../../verify.ts";

export const limits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, limit]) => [name, limit.prod]),
);

export function configWith(over: Record<string, unknown>): Config {
  return { limits, headers: {}, off: {}, health: {}, ...over } as unknown as Config;
}
