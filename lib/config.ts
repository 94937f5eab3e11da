/**
 * Reads a config: finds the file, validates it, resolves limits and paths, and freezes it. Whatever
 * is secret in it is listed apart.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { orNull, orRefuse, UserError } from "./attempt.ts";
import { type ConfigFile, parseConfig } from "./config-schema.ts";
import { readSmallFile } from "./files.ts";
import type { Limits, Rules } from "./rules.ts";
import { SHIPPED } from "./shipped.ts";
import { EXIT } from "./vocabulary.ts";

/** Header lines as curl reads them: `Name: value`, blank lines and # comments left out. */
export function parseHeaders(text: string): Record<string, string> {
  const pairOf = (line: string) =>
    /^([\w!#$%&'*+.^`|~-]+)\s*:\s*([\t\x20-\x7e\x80-\xff]*)$/.exec(line)?.slice(1);
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const pairs = lines.filter((line) => line && !line.startsWith("#")).map(pairOf);
  if (pairs.includes(undefined))
    throw new UserError(
      EXIT.config,
      'expected "Name: value" on each line, without control characters',
    );
  return Object.fromEntries(pairs as [string, string][]);
}

export const SITE_CONFIGS = "/etc/cytube-verify";
export function findConfig(name: string, given: string | undefined): string {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name))
    throw new UserError(
      EXIT.config,
      `--env "${name}" is not a name: letters, digits, dots, dashes`,
    );
  if (given) return path.resolve(given);
  const places = [SITE_CONFIGS, SHIPPED];
  const found = places
    .map((place) => path.join(place, `${name}.yaml`))
    .find((file) => fs.existsSync(file));
  if (found) return found;
  const there = places.flatMap((place) => orNull(() => fs.readdirSync(place)) ?? []);
  const names = there
    .filter((file) => file.endsWith(".yaml") && !file.startsWith("prometheus"))
    .map((file) => file.slice(0, -5));
  const known = [...new Set(names)].sort().join(", ");
  throw new UserError(
    EXIT.config,
    `No config for the environment "${name}" in ${places.join(" or ")}; there are: ${known}`,
  );
}

/**
 * A validated config with its limits resolved and its paths absolute. `secrets` must never leave
 * this program.
 */
export function readConfig(name: string, given: string | undefined, rules: Rules) {
  const file = findConfig(name, given);
  const text = orRefuse(`Cannot read the config "${file}"`, () => readSmallFile(file, 1 << 20));
  const {
    limits,
    log,
    off = {},
    hints = {},
    rollback,
    burnin,
    state,
    ...rest
  } = parseConfig(text, file, name, rules);
  const { url, headersFile } = rest.health;
  const readHeaders = (from: string) =>
    orRefuse(`Cannot read health.headersFile "${from}"`, () =>
      parseHeaders(readSmallFile(from, 65_536)),
    );
  const headers = headersFile ? readHeaders(headersFile) : {};
  const { username = "", password: encoded = "", searchParams = null } = url ? new URL(url) : {};
  const [user, password] = orRefuse("Cannot decode the user and password of health.url", () =>
    [username, encoded].map(decodeURIComponent),
  );
  if (user || password)
    headers.authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const secrets = Object.values(headers).flatMap((value) => [
    value,
    value.replace(/^(Bearer|Basic|Token)\s+/i, ""),
  ]);
  if (password) secrets.push(password, encoded);
  // Any value may be a secret, but no word such as `json`.
  secrets.push(...[...(searchParams?.values() ?? [])].filter((value) => value.length >= 8));
  const others = [rest.prometheus, rest.alertmanager].flatMap((source) =>
    source ? new URL(source.url).password : [],
  );
  secrets.push(
    ...others,
    ...others.map((other) => orNull(() => decodeURIComponent(other)) ?? other),
  );
  const logFile = log?.file ?? `/var/log/cytube-verify/${name}.jsonl`;
  const botFiles = [
    rest.database?.file,
    rest.process.pidFile,
    rest.configuration?.file,
    ...(rest.errorLogs?.files ?? []),
  ];
  if (botFiles.includes(logFile))
    throw new UserError(EXIT.config, `${file}: log.file "${logFile}" is a file of the bot's own`);
  const { directory: memory = "/var/lib/cytube-verify", flags = "/run/cytube-verify" } =
    state ?? {};
  const flag = (which: "passed" | "rollback" | "rolling" | "unverified"): string =>
    path.join(flags, `${name}.${which}`);
  const { directory, current = directory && path.join(path.dirname(directory), "current") } =
    rest.release ?? {};
  const defaults = Object.fromEntries(
    Object.entries(rules.limits).map(([key, row]) => [key, row[rest.environment]]),
  );
  const said = { off, hints } as Record<"off" | "hints", Record<string, string>>;
  return Object.freeze({
    ...{
      ...rest,
      name,
      file,
      limits: { ...defaults, ...limits } as Limits,
      burninLimits: rules.burnin,
      ...said,
      logFile,
      headers,
      secrets,
    },
    release: rest.release && { ...rest.release, current },
    // What outlives a run: what is remembered, and the flags that systemd looks at, each file by
    // the name of the environment.
    state: {
      releases: path.join(memory, `${name}.releases.json`),
      alert: path.join(memory, `${name}.alert.json`),
      flag,
    },
    burnin: {
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      rollback: false,
      ...burnin,
    },
    rollback: {
      auto: false,
      on: rules.rollbackOn,
      maxPerDay: 3,
      secondsMax: 60,
      ...rollback,
      command: rollback?.command ?? null,
    },
  });
}
type Resolved =
  | "name"
  | "file"
  | "environment"
  | "limits"
  | "burninLimits"
  | "off"
  | "hints"
  | "rollback"
  | "burnin"
  | "state"
  | "logFile"
  | "headers"
  | "secrets";
export type Config = Omit<ConfigFile, Resolved | "log"> &
  Pick<ReturnType<typeof readConfig>, Resolved>;
