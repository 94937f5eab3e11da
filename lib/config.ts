/**
 * Reads a config: finds the file, validates it, resolves limits and paths, and freezes it. Whatever
 * is secret in it is listed apart.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { messageOf, orNull, UserError } from "./attempt.ts";
import type { Config, ConfigFile } from "./config-file.ts";
import { parseConfig } from "./config-parse.ts";
import { readSmallFile } from "./files.ts";
import type { Limits, Rules } from "./rules.ts";
import { SHIPPED, SITE_CONFIGS } from "./shipped.ts";
import { type Environment, EXIT } from "./vocabulary.ts";

export type { Config } from "./config-file.ts";

/** Header lines as curl reads them: `Name: value`, blank lines and # comments left out. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    if (!line || line.startsWith("#")) continue;
    const header = /^([\w!#$%&'*+.^`|~-]+)\s*:\s*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (!header) {
      const says = 'expected "Name: value" on each line, without control characters';
      throw new UserError(EXIT.config, says);
    }
    const [, name = "", value = ""] = header;
    headers[name] = value;
  }
  return headers;
}

/** The file of an environment: the one given, the site's, or the shipped one. */
export function findConfig(name: string, given: string | undefined): string {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) {
    const says = `--env "${name}" is not a name: letters, digits, dots, dashes`;
    throw new UserError(EXIT.config, says);
  }
  if (given) return path.resolve(given);
  const places = [SITE_CONFIGS, SHIPPED];
  const files = places.map((place) => path.join(place, `${name}.yaml`));
  const found = files.find((file) => fs.existsSync(file));
  if (found) return found;
  const there = places.flatMap((place) => orNull(() => fs.readdirSync(place)) ?? []);
  const configs = there.filter((file) => file.endsWith(".yaml") && !file.startsWith("prometheus"));
  const known = [...new Set(configs.map((file) => file.slice(0, -5)))].sort().join(", ");
  const nowhere = `No config for the environment "${name}" in ${places.join(" or ")}`;
  throw new UserError(EXIT.config, `${nowhere}; there are: ${known}`);
}

/** What `read` returns; an error becomes one of the config, and `what` says of what. */
function orRefuse<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UserError(EXIT.config, `${what}: ${messageOf(error)}`);
  }
}

/** The headers of the health endpoint's request, and what is secret in them and in its URL. */
function readCredentials({ url, headersFile }: ConfigFile["health"]): {
  headers: Record<string, string>;
  secrets: string[];
} {
  const headers = headersFile
    ? orRefuse(`Cannot read health.headersFile "${headersFile}"`, () =>
        parseHeaders(readSmallFile(headersFile, 65_536)),
      )
    : {};
  const { username = "", password = "", searchParams = null } = url ? new URL(url) : {};
  if (username || password) {
    const account = orRefuse("Cannot decode the user and password of health.url", () =>
      [username, password].map(decodeURIComponent).join(":"),
    );
    headers.authorization = `Basic ${Buffer.from(account).toString("base64")}`;
  }
  const secrets = Object.values(headers).flatMap((value) => [
    value,
    value.replace(/^(Bearer|Basic|Token)\s+/i, ""),
  ]);
  if (password) secrets.push(decodeURIComponent(password), password);
  // Any value may be a secret, but no word such as `json`.
  secrets.push(...[...(searchParams?.values() ?? [])].filter((value) => value.length >= 8));
  return { headers, secrets };
}

/** The passwords in the URLs of the site's own monitoring. */
function passwordsOf({ prometheus, alertmanager }: ConfigFile): string[] {
  const sources = [prometheus, alertmanager].flatMap((source) => source ?? []);
  const passwords = sources.map(({ url }) => new URL(url).password);
  const decoded = passwords.map((encoded) => orNull(() => decodeURIComponent(encoded)) ?? encoded);
  return [...passwords, ...decoded];
}

/** The verifier's log, which must not be a file of the bot's. */
function logFileOf(name: string, file: string, config: ConfigFile): string {
  const logFile = config.log?.file ?? `/var/log/cytube-verify/${name}.jsonl`;
  const botFiles = [
    config.database?.file,
    config.process.pidFile,
    config.configuration?.file,
    ...(config.errorLogs?.files ?? []),
  ];
  if (botFiles.includes(logFile)) {
    const says = `${file}: log.file "${logFile}" is a file of the bot's own`;
    throw new UserError(EXIT.config, says);
  }
  return logFile;
}

function resolveLimits(
  rules: Rules,
  environment: Environment,
  own: ConfigFile["limits"] = {},
): Limits {
  const rows = Object.entries(rules.limits).map(([name, row]) => [name, row[environment]]);
  // The schema lets null stand only where a limit may be null.
  return { ...Object.fromEntries(rows), ...own } as Limits;
}

function resolveState(name: string, { state }: ConfigFile): Config["state"] {
  const memory = state?.directory ?? "/var/lib/cytube-verify";
  const flags = state?.flags ?? "/run/cytube-verify";
  return {
    releases: path.join(memory, `${name}.releases.json`),
    alert: path.join(memory, `${name}.alert.json`),
    flag: (which) => path.join(flags, `${name}.${which}`),
  };
}

function resolveRelease({ release }: ConfigFile): Config["release"] {
  if (!release) return undefined;
  const { directory, current } = release;
  const beside = directory && path.join(path.dirname(directory), "current");
  return { ...release, current: current ?? beside };
}

/**
 * Reads the config of an environment, or the file that was given. Throws a `UserError` 78 that
 * names every mistake with its place.
 */
export function readConfig(name: string, given: string | undefined, rules: Rules): Config {
  const file = findConfig(name, given);
  const text = orRefuse(`Cannot read the config "${file}"`, () => readSmallFile(file, 1 << 20));
  const { log, off, hints, limits, state, rollback, burnin, ...sections } = parseConfig(
    { text, file, name },
    rules,
  );
  const whole: ConfigFile = { ...sections, log, state };
  const { headers, secrets } = readCredentials(sections.health);
  return Object.freeze<Config>({
    ...sections,
    name,
    file,
    limits: resolveLimits(rules, sections.environment, limits),
    burninLimits: rules.burnin,
    off: (off ?? {}) as Record<string, string>,
    hints: (hints ?? {}) as Record<string, string>,
    logFile: logFileOf(name, file, whole),
    headers,
    secrets: [...secrets, ...passwordsOf(whole)],
    release: resolveRelease(whole),
    state: resolveState(name, whole),
    burnin: {
      // Only where a burn-in is judged: the first call of Intl costs as much as Node's start.
      get timeZone(): string {
        return Intl.DateTimeFormat().resolvedOptions().timeZone;
      },
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
