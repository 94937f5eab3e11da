/** What may stand on the command line, and what it means together. */

import { parseArgs } from "node:util";
import { messageOf, orNull, UserError } from "../attempt.ts";
import { type Config, SITE_CONFIGS } from "../config.ts";
import { readShipped } from "../shipped.ts";
import { nearestWord } from "../text.ts";
import {
  CHECK_NAMES,
  type CheckName,
  EXIT,
  type Narrator,
  RELEASE_ID,
  VERSION,
} from "../vocabulary.ts";

const [WORD, SWITCH] = [{ type: "string" }, { type: "boolean" }] as const;
const OUTPUT = { format: WORD, json: SWITCH, quiet: SWITCH, "no-color": SWITCH };
const COMMON = {
  env: WORD,
  config: WORD,
  ...OUTPUT,
  schema: SWITCH,
  help: SWITCH,
  version: SWITCH,
};
/** The flags that a command understands, beside those that all do. */
export const COMMANDS = {
  verify: {
    "expect-version": WORD,
    only: WORD,
    skip: WORD,
    "dry-run": SWITCH,
    rollback: SWITCH,
    attach: SWITCH,
    "no-attach": SWITCH,
  },
  burnin: {},
  status: { wait: SWITCH, release: WORD },
  report: { since: WORD, out: WORD, note: WORD },
  rollback: {
    list: SWITCH,
    to: WORD,
    "dry-run": SWITCH,
    emergency: SWITCH,
    switch: SWITCH,
    confirm: SWITCH,
  },
  alert: { "dry-run": SWITCH },
  config: { get: WORD },
};
const OPTIONS = {
  ...COMMON,
  ...COMMANDS.verify,
  ...COMMANDS.status,
  ...COMMANDS.report,
  ...COMMANDS.rollback,
  ...COMMANDS.config,
};
const CLASHES = ["attach no-attach", "switch confirm", "list to", "list dry-run"].map(
  (pair) => pair.split(" ") as (keyof typeof OPTIONS)[],
);
const FORMATS = ["pretty", "json", "github"] as const;
const REPORT_FORMATS = ["pretty", "json", "md", "html"] as const;

/** What --help prints, and README.md repeats. */
export const readHelp = (): string =>
  readShipped("help.txt").replace("{version}", VERSION).replace("{site}", SITE_CONFIGS);

/** A mistake in the command line; `words` are what `word` could have been meant to be. */
function usageError(
  message: string,
  word = "",
  words: readonly string[] = [],
  dashes = "",
): UserError {
  const near = nearestWord(word, words);
  return new UserError(
    EXIT.usage,
    `${message}${near ? `; did you mean "${dashes}${near}"?` : ""}\nTry: verify.ts --help`,
  );
}

function parseCheckList(flag: string, text: string): CheckName[] {
  const names = text.split(",").flatMap((name) => name.trim() || []);
  if (!names.length)
    throw usageError(`${flag} names no check; there are: ${CHECK_NAMES.join(", ")}`);
  const stranger = names.find((name) => !(CHECK_NAMES as string[]).includes(name));
  if (stranger) throw usageError(`${flag}: there is no check "${stranger}"`, stranger, CHECK_NAMES);
  return names as CheckName[];
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [, dashes = "", name = ""] = /'(--?)([^'\s=]+)/.exec(messageOf(error)) ?? [];
    const names = Object.keys(OPTIONS);
    throw names.includes(name)
      ? usageError(messageOf(error))
      : usageError(`Unknown flag "${dashes}${name}"`, name, names, "--");
  }
}

const isCommand = (name: string): name is keyof typeof COMMANDS => Object.hasOwn(COMMANDS, name);

/**
 * Parses the command line into the command, its flags as they were given, and what they mean
 * together. Throws a `UserError` 64.
 */
export function parseCommandLine(args: readonly string[]) {
  const { values: flags, positionals } = parseFlags(args);
  const [command = "verify", ...rest] = positionals;
  if (!isCommand(command))
    throw usageError(`Unknown command "${command}"`, command, Object.keys(COMMANDS));
  const own = COMMANDS[command];
  if (rest.length) throw usageError(`Unexpected argument "${rest[0]}"`);
  const stray = Object.keys(flags).find((flag) => !Object.hasOwn({ ...COMMON, ...own }, flag));
  if (stray) throw usageError(`--${stray} means nothing to the command ${command}`);
  const formats = command === "report" ? REPORT_FORMATS : FORMATS;
  const format = formats.find(
    (name) => name === (flags.json ? "json" : (flags.format ?? "pretty")),
  );
  if (!format) throw usageError(`--format "${flags.format}" is not known`, flags.format, formats);
  if (flags.since !== undefined && Number.isNaN(Date.parse(flags.since)))
    throw usageError(`--since "${flags.since}" is no time, such as 2026-11-22T06:00Z`);
  if (flags.note !== undefined && !flags.note.trim()) throw usageError("--note is empty");
  const { env, only, skip, help, version, schema } = flags;
  if (env === undefined && !(help || version || schema))
    throw usageError("--env is missing; it names the config, such as --env prod");
  if (flags["expect-version"] === "") throw usageError("--expect-version is empty");
  const clash = CLASHES.find((names) => names.every((name) => flags[name] !== undefined));
  if (clash)
    throw usageError(`${clash.map((name) => `--${name}`).join(" and ")} contradict each other`);
  if (flags.release !== undefined && !flags.wait) throw usageError("--release needs --wait");
  for (const [flag, id] of Object.entries({ to: flags.to, release: flags.release }))
    if (id !== undefined && !RELEASE_ID.test(id))
      throw usageError(`--${flag} "${id}" is not a release: letters, digits, dots, dashes`);
  const kept = only === undefined ? CHECK_NAMES : parseCheckList("--only", only);
  const left = skip === undefined ? [] : parseCheckList("--skip", skip);
  const selected: ReadonlySet<CheckName> = new Set(kept.filter((name) => !left.includes(name)));
  if (!selected.size) throw usageError("--only and --skip leave no check");
  // The run itself goes on in `/`.
  const cwd = orNull(() => process.cwd()) ?? "/";
  return { command, env: env ?? "", selected, format, json: format === "json", flags, cwd };
}
export type CommandLine = ReturnType<typeof parseCommandLine>;

export type Command = (line: CommandLine, config: Config, narrator: Narrator) => Promise<number>;
