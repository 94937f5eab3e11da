/**
 * The commands and their flags: what each is called, what help says of it, and how its value is
 * read. It parses no command line (command-line.ts does) and prints no page (help.ts does).
 */

import { SITE_CONFIGS } from "../shipped.ts";
import type { CheckName } from "../vocabulary.ts";
import { choiceOf, parseCheckList, parseReleaseId, parseText, parseTime } from "./usage.ts";

/** In the order of help; the first is what runs when no command is named. */
export const COMMAND_NAMES = [
  "verify",
  "status",
  "report",
  "burnin",
  "rollback",
  "alert",
  "config",
] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];

/** The headings of help, in their order. */
export const TOPICS = [
  "Which bot",
  "Which checks",
  "On a host with the units",
  "What to do",
  "Output (the result on stdout, narration on stderr, a line in the log)",
] as const;
type Topic = (typeof TOPICS)[number];
const [WHICH_BOT, WHICH_CHECKS, ON_A_HOST, WHAT_TO_DO, OUTPUT] = TOPICS;

/** One flag of a command. */
export type Flag = {
  /** Without the two dashes. */
  name: string;
  topic: Topic;
  /** What help says of it. */
  says: string;
  /** What stands for its value in help; a flag without it takes no value. */
  value?: string;
  /** Reads the value, or throws a usage error; `flag` is the name with its dashes. */
  parse?: (flag: string, text: string) => unknown;
  /** Names of flags that contradict it. */
  clashes?: readonly string[];
  /** Of the units' own steps; no help lists it. */
  isHidden?: true;
};

/** The values of all flags, as a command gets them; a flag that was not given is not there. */
export type Flags = {
  env?: string;
  config?: string;
  format?: string;
  json?: boolean;
  quiet?: boolean;
  /** False with --no-color. */
  color: boolean;
  schema?: boolean;
  help?: boolean;
  version?: boolean;
  expectVersion?: string;
  only?: CheckName[];
  skip?: CheckName[];
  dryRun?: boolean;
  rollback?: boolean;
  /** True with --attach, false with --no-attach. */
  attach?: boolean;
  wait?: boolean;
  release?: string;
  since?: string;
  out?: string;
  note?: string;
  list?: boolean;
  to?: string;
  emergency?: boolean;
  switch?: boolean;
  confirm?: boolean;
  get?: string;
};

const WHICH: readonly Flag[] = [
  {
    name: "env",
    topic: WHICH_BOT,
    value: "NAME",
    says: "the config's name, such as prod, test or demo",
    parse: parseText,
  },
  {
    name: "config",
    topic: WHICH_BOT,
    value: "FILE",
    says: `this file, instead of ${SITE_CONFIGS}/NAME.yaml or the shipped config/NAME.yaml`,
    parse: parseText,
  },
];

/** --format as a command has it, with the formats that the command can render. */
const formatFlag = (formats: readonly string[], says: string): Flag => ({
  name: "format",
  topic: OUTPUT,
  value: formats.join("|"),
  says,
  parse: choiceOf(formats),
});
/** Of the commands that end with a result. */
const RESULT_FORMAT = formatFlag(
  ["pretty", "json", "github"],
  "for people (the default), one JSON document, annotations and a summary for GitHub Actions",
);
/** Of the commands that print what there is. */
const DOCUMENT_FORMAT = formatFlag(
  ["pretty", "json"],
  "for people (the default), one JSON document",
);
/** Of the command alert, whose messages go to people. */
const TEXT_FORMAT = formatFlag(["pretty"], "for people (the default)");
const REPORT_FORMAT = formatFlag(
  ["pretty", "json", "md", "html"],
  "files and where they are (the default), or one of these on stdout",
);
/** Of the commands whose --format takes json. */
const JSON_FORMAT: Flag = {
  name: "json",
  topic: OUTPUT,
  says: "the same as --format json",
};

const OUTPUTS: readonly Flag[] = [
  {
    name: "quiet",
    topic: OUTPUT,
    says: "no narration, and no pretty result when all is well",
  },
  {
    name: "no-color",
    topic: OUTPUT,
    says: "no colour (NO_COLOR works too)",
  },
  {
    name: "schema",
    topic: OUTPUT,
    says: "print the JSON Schema of config files",
  },
  {
    name: "help",
    topic: OUTPUT,
    says: "print this page",
  },
  {
    name: "version",
    topic: OUTPUT,
    says: "print the version",
  },
];

const VERIFY: readonly Flag[] = [
  {
    name: "expect-version",
    topic: WHICH_BOT,
    value: "V",
    says: "fail unless this version (or release id) is running",
    parse: parseText,
  },
  {
    name: "only",
    topic: WHICH_CHECKS,
    value: "a,b",
    says: "only these checks; --dry-run names them",
    parse: parseCheckList,
  },
  {
    name: "skip",
    topic: WHICH_CHECKS,
    value: "a,b",
    says: "all but these",
    parse: parseCheckList,
  },
  {
    name: "dry-run",
    topic: WHICH_CHECKS,
    says: "validate, list every check with its exit code and limits, and touch nothing",
  },
  {
    name: "attach",
    topic: ON_A_HOST,
    says: "follow the verification that the bot's hook started (the default while one runs)",
    clashes: ["no-attach"],
  },
  {
    name: "no-attach",
    topic: ON_A_HOST,
    says: "run beside it",
  },
  {
    name: "rollback",
    topic: ON_A_HOST,
    says: "roll back when the verification says so",
  },
];

const STATUS: readonly Flag[] = [
  {
    name: "wait",
    topic: WHAT_TO_DO,
    says: "wait for the verdict",
  },
  {
    name: "release",
    topic: WHAT_TO_DO,
    value: "ID",
    says: "with --wait: for the verdict on that release",
    parse: parseReleaseId,
  },
];

const REPORT: readonly Flag[] = [
  {
    name: "out",
    topic: WHAT_TO_DO,
    value: "DIR",
    says: "write the files there, not here",
    parse: parseText,
  },
  {
    name: "since",
    topic: WHAT_TO_DO,
    value: "TIME",
    says: "of the first burn-in that ran at or after that time",
    parse: parseTime,
  },
  {
    name: "note",
    topic: WHAT_TO_DO,
    value: "TEXT",
    says: "keep what a person observed, for the report",
    parse: parseText,
  },
];

const ROLLBACK: readonly Flag[] = [
  {
    name: "list",
    topic: WHAT_TO_DO,
    says: "list the releases: passed, quarantined, current",
    clashes: ["to", "dry-run"],
  },
  {
    name: "to",
    topic: WHAT_TO_DO,
    value: "ID",
    says: "go back to that release",
    parse: parseReleaseId,
  },
  {
    name: "dry-run",
    topic: WHAT_TO_DO,
    says: "only say what would be done",
  },
  {
    name: "emergency",
    topic: WHAT_TO_DO,
    says: "also to a release that never passed, or over a change of the schema",
  },
  {
    name: "switch",
    topic: WHAT_TO_DO,
    says: "the first step of cytube-rollback@.service",
    clashes: ["confirm"],
    isHidden: true,
  },
  {
    name: "confirm",
    topic: WHAT_TO_DO,
    says: "the last step of cytube-rollback@.service",
    isHidden: true,
  },
];

const ALERT: readonly Flag[] = [
  {
    name: "dry-run",
    topic: WHAT_TO_DO,
    says: "print what would be sent, and send nothing",
  },
];

const CONFIG: readonly Flag[] = [
  {
    name: "get",
    topic: WHAT_TO_DO,
    value: "a.b,c",
    says: "the values of these keys alone, one a line",
    parse: parseText,
  },
];

/** What help says of a command, its flags, and two examples. */
type CommandWords = {
  /** One line of at most 45 columns. */
  summary: string;
  flags: readonly Flag[];
  /** The words after the name of the program. */
  examples: readonly [string, string];
};

/** The flags of a command: its own between those that all commands have. */
const withCommon = (own: readonly Flag[], formats: readonly Flag[]): readonly Flag[] => [
  ...WHICH,
  ...own,
  ...formats,
  ...OUTPUTS,
];

export const COMMANDS: Readonly<Record<CommandName, CommandWords>> = {
  verify: {
    summary: "verify: initial checks, watch, final checks",
    flags: withCommon(VERIFY, [RESULT_FORMAT, JSON_FORMAT]),
    examples: ["--env prod", "--env prod --only process,database --json"],
  },
  status: {
    summary: "release, verdict, burn-in, the next tick",
    flags: withCommon(STATUS, [DOCUMENT_FORMAT, JSON_FORMAT]),
    examples: ["status --env prod", "status --env prod --wait --release 1.4.2"],
  },
  report: {
    summary: "the burn-in's report, Markdown and HTML",
    flags: withCommon(REPORT, [REPORT_FORMAT, JSON_FORMAT]),
    examples: [
      "report --env prod --out /srv/www",
      'report --env prod --note "the stream stuttered at nine"',
    ],
  },
  burnin: {
    summary: "a tick of the timer: all since the last one",
    flags: withCommon([], [RESULT_FORMAT, JSON_FORMAT]),
    examples: ["burnin --env prod", "burnin --env demo --json"],
  },
  rollback: {
    summary: "back to the newest release that passed",
    flags: withCommon(ROLLBACK, [DOCUMENT_FORMAT, JSON_FORMAT]),
    examples: ["rollback --env prod --list", "rollback --env prod --to 1.4.1 --dry-run"],
  },
  alert: {
    summary: "tell the sinks of a change of state",
    flags: withCommon(ALERT, [TEXT_FORMAT]),
    examples: ["alert --env prod", "alert --env prod --dry-run"],
  },
  config: {
    summary: "the effective config, secrets masked",
    flags: withCommon(CONFIG, [DOCUMENT_FORMAT, JSON_FORMAT]),
    examples: ["config --env prod", "config --env prod --get process.unit,log.file"],
  },
};

/**
 * A flag as commander declares it. A value is declared as one that may be missing, so that
 * `--env --json` is no environment called "--json"; command-line.ts refuses a missing value.
 */
export const declarationOf = ({ name, value }: Flag): string =>
  value === undefined ? `--${name}` : `--${name} [${value}]`;
