/**
 * The pages of help: one for the program, and one for each command. They are rendered from the
 * table of commands, so that no page names a flag that is not there.
 */

import type * as Commander from "commander";
import { INVOKED_AS, load, RUN_AS } from "../shipped.ts";
import { VERSION } from "../vocabulary.ts";
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

/** What the pages say of the exit codes; a test holds it against those that there are. */
const EXIT_CODES = `Exit codes:
  0 passed   1 process   2 connection   3 database   5 response_time
  6 health_endpoint   7 user_count   8 memory_usage   9 error_logs
  10 configuration   11 uptime_stability   19 release
  30 failure or red flag in a tick, burn-in FAIL   31 burn-in PARTIAL
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

/** A term, and beside it what is said of it, in as many lines as that takes. */
function renderRow(term: string, says: string, wordsAt = WORDS_AT): string {
  const lines: string[] = [];
  let line = `  ${term}  `.padEnd(wordsAt);
  let isEmpty = true;
  for (const word of says.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length >= COLUMNS) {
      lines.push(line);
      line = " ".repeat(wordsAt);
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join("\n");
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
    EXIT_CODES,
  ].join("\n\n");
}

/** The page of one command. */
function renderCommandHelp(name: CommandName): string {
  const { Command, Option } = load("commander") as typeof Commander;
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
