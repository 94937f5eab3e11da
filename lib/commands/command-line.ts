/**
 * Parses a command line: which command, its flags, and what they mean together. The commands and
 * flags that there are stand in flags.ts.
 */

import { Command, Option } from "commander";
import { orNull } from "../attempt.ts";
import type { Config } from "../config.ts";
import { CHECK_NAMES, type CheckName, type Narrator } from "../vocabulary.ts";
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  declarationOf,
  type Flag,
  type Flags,
} from "./flags.ts";
import { usageError } from "./usage.ts";

/** The page of the program, or that of the command that was named. */
export type HelpPage = "program" | CommandName;

/** A command line that holds together. */
export type CommandLine = {
  command: CommandName;
  /** The config's name; empty where only help, the version or the schema is asked for. */
  env: string;
  /** The checks that --only and --skip leave. */
  selected: ReadonlySet<CheckName>;
  /** One of those that the command's --format takes. */
  format: string;
  /** Whether `format` is json. */
  json: boolean;
  /** Where the person stands; the run itself goes on in `/`. */
  cwd: string;
  /** The page that --help asks for; null without it. */
  help: HelpPage | null;
  flags: Flags;
};

/** What carries out a command; resolves to the exit code. */
export type Runner = (line: CommandLine, config: Config, narrator: Narrator) => Promise<number>;

/** A parser that leaves to its caller what it does not know, prints nothing and never exits. */
function openParser(): Command {
  return new Command()
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .configureOutput({ writeErr: () => {} })
    .exitOverride((error) => {
      throw usageError(error.message);
    });
}

/** Adds a flag to a parser, with the reader of its value. */
function addFlag(parser: Command, flag: Flag): void {
  const { name, parse } = flag;
  const option = new Option(declarationOf(flag));
  if (parse) option.argParser((text: string) => parse(`--${name}`, text));
  parser.addOption(option);
}

const isCommand = (name: string): name is CommandName =>
  (COMMAND_NAMES as readonly string[]).includes(name);

/**
 * Finds the command, which may stand behind flags, with a parser that knows the flags of all
 * commands and reads no value. Null where none is named; throws where there is no such command, or
 * a second word.
 */
function findCommand(args: readonly string[]): CommandName | null {
  const parser = openParser();
  const known = new Set<string>();
  for (const flag of COMMAND_NAMES.flatMap((name) => COMMANDS[name].flags)) {
    if (known.has(flag.name)) continue;
    known.add(flag.name);
    addFlag(parser, { ...flag, parse: undefined });
  }
  const { operands } = parser.parseOptions([...args]);
  const [command, ...rest] = operands;
  if (command === undefined) return null;
  if (!isCommand(command))
    throw usageError(`Unknown command "${command}"`, { word: command, words: COMMAND_NAMES });
  if (rest.length > 0) throw usageError(`Unexpected argument "${rest[0]}"`);
  return command;
}

/** Refuses a flag that the command does not have: it is another command's, or nobody's. */
function refuseStranger(command: CommandName, word: string): never {
  const [name = ""] = word.replace(/^--/, "").split("=");
  const own = COMMANDS[command].flags;
  if (own.some((flag) => flag.name === name)) throw usageError(`--${name} takes no value`);
  if (COMMAND_NAMES.some((other) => COMMANDS[other].flags.some((flag) => flag.name === name)))
    throw usageError(`--${name} means nothing to the command ${command}`);
  const words = own.filter(({ isHidden }) => !isHidden).map((flag) => flag.name);
  const [shown = ""] = word.split("=");
  throw usageError(`Unknown flag "${shown}"`, { word: name, words, dashes: "--" });
}

/** Reads the flags of a command; throws where one is unknown, repeated, or contradicts another. */
function readFlags(command: CommandName, args: readonly string[]): Flags {
  const parser = openParser();
  const given = new Set<string>();
  for (const flag of COMMANDS[command].flags) {
    const { name, value } = flag;
    addFlag(parser, flag);
    parser.on(`option:${name}`, (text: string | null) => {
      if (value !== undefined && text === null) throw usageError(`--${name} needs a value`);
      if (given.has(name)) throw usageError(`--${name} is given twice`);
      given.add(name);
    });
  }
  parser.parse([...args], { from: "user" });
  const stranger = parser.args.find((word) => word.startsWith("-"));
  if (stranger !== undefined) refuseStranger(command, stranger);
  for (const { name, clashes = [] } of COMMANDS[command].flags) {
    const other = clashes.find((clash) => given.has(clash));
    if (given.has(name) && other !== undefined)
      throw usageError(`--${name} and --${other} contradict each other`);
  }
  return parser.opts<Flags>();
}

/** The checks that are left, in report order. */
function selectChecks({ only, skip = [] }: Flags): ReadonlySet<CheckName> {
  const left = CHECK_NAMES.filter(
    (name) => (only === undefined || only.includes(name)) && !skip.includes(name),
  );
  if (left.length === 0) throw usageError("--only and --skip leave no check");
  return new Set(left);
}

/** Parses the command line, without the name of the program. Throws a `UserError` 64. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const named = findCommand(args);
  const command = named ?? "verify";
  const flags = readFlags(command, args);
  if (flags.env === undefined && !flags.help && !flags.version && !flags.schema)
    throw usageError("--env is missing; it names the config, such as --env prod");
  if (flags.release !== undefined && !flags.wait) throw usageError("--release needs --wait");
  const format = flags.json ? "json" : (flags.format ?? "pretty");
  return {
    command,
    env: flags.env ?? "",
    selected: selectChecks(flags),
    format,
    json: format === "json",
    cwd: orNull(() => process.cwd()) ?? "/",
    help: flags.help ? (named ?? "program") : null,
    flags,
  };
}
