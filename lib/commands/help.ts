/**
 * The pages of help: one for the program, and one for each command. They are rendered from the
 * table of commands, so that no page names a flag that is not there.
 */

import { Command, Option } from "commander";
import { INVOKED_AS, RUN_AS } from "../shipped.ts";
import { CHECK_CODES, CHECK_NAMES, VERSION } from "../vocabulary.ts";
import type { HelpPage } from "./command-line.ts";
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  declarationOf,
  type Flag,
  TOPICS,
} from "./flags.ts";

const COLUMNS = 80;
/** Where the words stand beside a flag. */
const WORDS_AT = 24;
/** Where the flags stand beside the name of another command. */
const FLAGS_AT = 12;

/** The exit codes beside 0 and those of the checks; a test holds them against those there are. */
const OTHER_EXIT_CODES = `  30 failure or red flag in a tick, burn-in FAIL   31 burn-in PARTIAL
  40 no release to roll back to   41 rolled back, still unhealthy
  42 rollback refused
  64 usage   69 an alert reached nobody   70 internal error
  73 log not written   75 busy   77 permission   78 config
  124 deadline   129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM
  A check that could not look ends with its own code in prod, and its
  verdict is "unknown"; in test it warns.
`;

/** `--env [NAME]` as people read it: `--env NAME`. */
const plainTerm = (declared: string): string => declared.replace(/[[\]]/g, "");
const termOf = (flag: Flag): string => plainTerm(declarationOf(flag));

/** Sets pieces one after the other, in as many lines of less than 80 columns as they take. */
function wrap(pieces: readonly string[], gap: string, indent: string): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const longer = `${lines.at(-1)}${gap}${piece}`;
    if (lines.length > 0 && longer.length < COLUMNS) lines[lines.length - 1] = longer;
    else lines.push(indent + piece);
  }
  return lines;
}

/** A term, and beside it what is said of it. */
function renderRow(term: string, says: string, wordsAt = WORDS_AT): string {
  const [first = "", ...more] = wrap(says.split(" "), " ", " ".repeat(wordsAt));
  return [`  ${term}  `.padEnd(wordsAt) + first.trimStart(), ...more].join("\n");
}

const usageOf = (command: CommandName): string =>
  command === "verify" ? `${INVOKED_AS} --env NAME` : `${INVOKED_AS} ${command} --env NAME`;

function renderUsage(): string {
  const width = Math.max(...COMMAND_NAMES.map((name) => usageOf(name).length));
  const rows = COMMAND_NAMES.map(
    (name) => `  ${usageOf(name).padEnd(width)}   ${COMMANDS[name].summary}`,
  );
  return ["Usage:", ...rows].join("\n");
}

/** The flags that only the other commands have, a line for each of these. */
function renderOtherFlags(): string {
  const rows: string[] = [];
  for (const name of COMMAND_NAMES) {
    const own = COMMANDS[name].flags.filter(
      (flag) => !flag.isHidden && !COMMANDS.verify.flags.includes(flag),
    );
    if (own.length > 0) rows.push(renderRow(name, own.map(termOf).join(", "), FLAGS_AT));
  }
  const heading = `Flags of the other commands (${INVOKED_AS} COMMAND --help explains them):`;
  return [heading, ...rows].join("\n");
}

function renderExitCodes(): string {
  const checks = CHECK_NAMES.map((name) => ({ name, code: CHECK_CODES[name] }));
  const codes = checks
    .toSorted((a, b) => a.code - b.code)
    .map(({ name, code }) => `${code} ${name}`);
  const rows = wrap(["0 passed", ...codes], "   ", "  ");
  return ["Exit codes:", ...rows, OTHER_EXIT_CODES].join("\n");
}

/** The page of the program, which README.md repeats. */
export function readHelp(): string {
  const topics: string[] = [];
  for (const topic of TOPICS) {
    const flags = COMMANDS.verify.flags.filter((flag) => flag.topic === topic);
    const rows = flags.map((flag) => renderRow(termOf(flag), flag.says));
    if (rows.length > 0) topics.push([`${topic}:`, ...rows].join("\n"));
  }
  return [
    `cytube-verify ${VERSION}: proves that a CyTube chat bot works after a restart`,
    renderUsage(),
    ...topics,
    renderOtherFlags(),
    renderExitCodes(),
  ].join("\n\n");
}

/** The page of one command. */
function renderCommandHelp(name: CommandName): string {
  const { flags, summary, examples } = COMMANDS[name];
  const page = new Command(usageOf(name))
    .usage("[flags]")
    .description(summary)
    .helpOption(false)
    .configureHelp({
      helpWidth: COLUMNS,
      optionTerm: ({ flags: declared }) => plainTerm(declared),
    });
  for (const flag of flags) {
    const option = new Option(declarationOf(flag), flag.says).helpGroup(`${flag.topic}:`);
    page.addOption(flag.isHidden ? option.hideHelp() : option);
  }
  const lines = examples.map((example) => `  ${RUN_AS} ${example}`);
  return `${page.helpInformation()}\nExamples:\n${lines.join("\n")}\n`;
}

/** The page that --help asked for. */
export const renderHelp = (page: HelpPage): string =>
  page === "program" ? readHelp() : renderCommandHelp(page);
