/**
 * What is loaded only when it is asked for, because its packages cost more than all else that
 * starts: --help and --version read no config, and a verification needs neither templates nor
 * charts.
 */

import type { Config } from "../config.ts";
import type { Rules } from "../rules.ts";
import type { Runner } from "./command-line.ts";

/** Reads the config of an environment; see readConfig(). */
export async function loadConfig(
  name: string,
  given: string | undefined,
  rules: Rules,
): Promise<Config> {
  const { readConfig } = await import("../config.ts");
  return readConfig(name, given, rules);
}

export const runReport: Runner = async (line, config, narrator) => {
  const command = await import("./report.ts");
  return command.runReport(line, config, narrator);
};
