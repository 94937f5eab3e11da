/**
 * The lint that no linter has: the shape of the repository and of its sources, which are promises
 * to its readers.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { readHelp } from "../lib/commands/help.ts";
import { CHECK_CODES, CHECK_NAMES } from "../lib/vocabulary.ts";
import { BURNIN, LIMITS } from "../verify.ts";
import { blank, functionsIn, type Sources } from "./support/code.ts";
import { projectDirectory } from "./support/harness.ts";
import {
  badLineEnds,
  boundsWithoutReason,
  checksOutside,
  effectsIn,
  filesWithoutOpening,
  longFiles,
  longFunctions,
  numbersForLimits,
  packagesInSeveralFiles,
  type Reasons,
  type Shared,
  strangersAmong,
  suppressedRules,
  syntaxNotErased,
  tablesIn,
  testsLeftOut,
  unfinishedWork,
  wideLines,
  wideTestLines,
} from "./support/rules.ts";

const read = (file: string): string => readFileSync(join(projectDirectory, file), "utf8");

const sourcesOf = (files: readonly string[]): Sources =>
  new Map(files.map((file) => [file, read(file)]));

/** The files below a directory of the project, as paths from its root. */
function filesBelow(directory: string): string[] {
  const entries = readdirSync(join(projectDirectory, directory), {
    recursive: true,
    withFileTypes: true,
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectDirectory, join(entry.parentPath, entry.name)));
}

const libFiles = filesBelow("lib")
  .filter((file) => file.endsWith(".ts"))
  .sort();
const sources = [...libFiles, "verify.ts"];
const source = read("verify.ts");
const lines = source.split("\n");

// ---------------------------------------------------------------------------- the repository

const kept = [
  "verify.ts",
  "lib",
  "units",
  "config",
  "test",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "biome.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  ".ci",
  ".github",
  ".gitignore",
  ".git-blame-ignore-revs",
];
const required = kept.filter((name) => !["units", ".github"].includes(name));

test("the top level holds only what the layout names", () => {
  const ignored = readFileSync(join(projectDirectory, ".gitignore"), "utf8")
    .split("\n")
    .map((line) => line.replace(/^\/|\/$/g, ""));
  const there = readdirSync(projectDirectory).filter(
    (name) => name !== ".git" && !ignored.includes(name),
  );
  assert.deepEqual(strangersAmong(there, kept), []);
  assert.deepEqual(
    required.filter((name) => !there.includes(name)),
    [],
    "missing",
  );
});

test("README.md carries --help verbatim", () => {
  const readme = readFileSync(join(projectDirectory, "README.md"), "utf8");
  const block = /--help.*\n+(?:```\n+)?```text\n([\s\S]*?)\n```/.exec(readme)?.[1];
  assert.ok(block !== undefined, "there is no ```text block after a line with --help");
  assert.equal(block.trimEnd(), readHelp().trimEnd());
});

for (const name of readdirSync(join(projectDirectory, "config")).filter((file) =>
  file.endsWith(".yaml"),
)) {
  test(`config/${name} names its schema for editors`, () => {
    const [first] = readFileSync(join(projectDirectory, "config", name), "utf8").split("\n");
    assert.equal(first, "# yaml-language-server: $schema=./schema.json");
  });
}

/** Text that somebody else wrote, or that was approved as it is printed. */
const isGiven = (file: string): boolean =>
  /^test\/(?:captured|golden)\/|^package-lock\.json$|^test\/support\/rules\.ts$/.test(file);
const topFiles = readdirSync(projectDirectory, { withFileTypes: true }).flatMap((entry) =>
  entry.isFile() && !/^burnin-/.test(entry.name) ? entry.name : [],
);
const ownFiles = [
  ...topFiles,
  ...["lib", "test", "config", "units", ".ci", ".github"].flatMap(filesBelow),
].filter((file) => !isGiven(file));

for (const file of ownFiles) {
  test(`${file} holds no unfinished work and no line end of another system`, () => {
    assert.deepEqual([...unfinishedWork(sourcesOf([file])), ...badLineEnds(sourcesOf([file]))], []);
  });
}

for (const file of ownFiles.filter((name) => /\.test\.ts$/.test(name))) {
  test(`${file} leaves no test out, and runs none alone`, () => {
    assert.deepEqual(testsLeftOut(sourcesOf([file])), []);
  });
}

// ---------------------------------------------------------------------------- code without its words

test("blank() leaves the code and takes away everything else", () => {
  const quote = "`";
  assert.equal(blank('a("x // y") // z'), "a(        )     ");
  assert.equal(
    blank("a = /[/\"]'/g; b"),
    "a =         g; b".replace("        g", "       g").padStart(0),
  );
  assert.equal(
    blank(`${quote}x \${b(${quote}y${quote})} z${quote}; c`).replace(/ +/g, " "),
    " b( ) ; c",
  );
  assert.equal(blank("a / b / c"), "a / b / c");
  assert.equal(blank("/* a\nb */ c"), "    \n     c");
  assert.equal(blank("a = [ // b\n/* c */ /d/g]").replace(/ +/g, " "), "a = [ \n g]");
});

// ---------------------------------------------------------------------------- verify.ts

test("the header is a comment of at most 60 lines, and ends with the list of sections", () => {
  const end = lines.findIndex((line) => line.trim() === "*/");
  assert.ok(end > 20 && end + 1 <= 60, `${end + 1} lines`);
  assert.match(lines[0] as string, /^#!\/usr\/bin\/env /);
  assert.equal(lines[1], "/*");
  const begin = lines.indexOf(" * Sections:");
  assert.ok(begin > 0 && begin < end);
  const listed = lines
    .slice(begin + 1, end)
    .map((line) => line.replace(/^ \*\s*/, ""))
    .filter(Boolean);
  const banners = lines
    .filter((line) => line.startsWith("// ---"))
    .map((line) => line.replace(/^\/\/ -+ | -+$/g, ""));
  assert.deepEqual(banners, listed);
});

test("every banner is as wide as the others", () => {
  const widths = new Set(
    lines.filter((line) => line.startsWith("// ---")).map((line) => line.length),
  );
  assert.equal(widths.size, 1, [...widths].join(", "));
});

test("the header names every exit code of the program", () => {
  const header = source.slice(0, source.indexOf("*/")).replace(/\n \*\s*/g, " ");
  for (const [name, code] of Object.entries(CHECK_CODES))
    assert.match(header, new RegExp(`\\b${code} ${name}\\b`));
});

test("main is the last function with a name", () => {
  const named = functionsIn(source).map(({ name }) => name);
  assert.equal(named.at(-1), "main");
});

// ---------------------------------------------------------------------------- every source

test("functionsIn() finds functions and what they hold", () => {
  const text =
    "export async function a(\n  b,\n): c {\n  d();\n}\n\nconst e = (f) => {\n  g();\n};\nconst h = (\n  i,\n) => {\n};\n";
  assert.deepEqual(functionsIn(text).slice(0, 2), [
    { name: "a", line: 1, length: 5 },
    { name: "e", line: 7, length: 3 },
  ]);
});

test("no line is wider than 100 columns, strings and comments too", () => {
  assert.deepEqual(wideLines(sourcesOf([...sources, "units/build.ts"]), 100), []);
});

test("no line of a test is wider than 120 columns, but for a title and one literal", () => {
  const tests = filesBelow("test").filter((file) => file.endsWith(".ts"));
  assert.deepEqual(wideTestLines(sourcesOf(tests), 120), []);
});

test("verify.ts has at most 2,400 lines, and no file of lib/ more than 500", () => {
  assert.deepEqual(longFiles(sourcesOf(["verify.ts"]), 2400), []);
  assert.deepEqual(longFiles(sourcesOf(libFiles), 500), []);
});

test("no function is longer than 60 lines", () => {
  const all = sources.flatMap((file) => functionsIn(read(file)));
  assert.ok(all.length > 250, `only ${all.length} functions were found`);
  assert.deepEqual(longFunctions(sourcesOf(sources), 60), []);
});

for (const file of sources) {
  const own = sourcesOf([file]);

  test(`${file} has no any, no suppressed rule, and no syntax that has to be compiled`, () => {
    assert.deepEqual([...syntaxNotErased(own), ...suppressedRules(own)], []);
  });

  if (file !== "verify.ts") {
    test(`${file} opens with what it is for`, () => {
      assert.deepEqual(
        filesWithoutOpening(own),
        [],
        "it needs a sentence on what it looks at or does, and what it leaves to others",
      );
    });
  }
}

// ---------------------------------------------------------------------------- what judges a bot

test("every check stands in verify.ts", () => {
  assert.deepEqual(checksOutside(sourcesOf(libFiles)), []);
  assert.ok(checksOutside(sourcesOf(["verify.ts"])).length >= CHECK_NAMES.length);
});

/** The limits of lib/: none is one for the bot, which stand in verify.ts. */
const bounds: Reasons = {
  "lib/alerts/run.ts": {
    ALERT_ROUNDS_MAX: "looks of one alert's run at what is due",
  },
  "lib/alerts/sinks.ts": {
    TITLE_LENGTH_MAX: "written: what receivers show in one line",
    LINE_LENGTH_MAX: "written: a line of an alert's text",
    LINES_MAX: "written: lines of an alert's text",
    TEXT_BYTES_MAX: "written: what Discord and ntfy take",
    COMMAND_MS_MAX: "how long a site's own command is waited for",
  },
  "lib/alerts/situation.ts": {
    REMEMBERED_MAX: "written: states and pings that the alert's memory holds",
  },
  "lib/burnin/bounding.ts": {
    HOLES_MAX: "written: short holes of an hour that the state tells apart",
    UNSEEN_MAX: "written: sentences that a person may want to read",
    HOLE_SECONDS_MIN: "how exactly the clocks tell where an account ends",
  },
  "lib/burnin/interval.ts": {
    REACH_MS_MAX: "read: how far back logs are read where no cursor says where to begin",
  },
  "lib/command.ts": {
    COMMAND_BYTES_MAX: "read: output of a command",
    BACKGROUND_MS_MAX: "read: how long the output of what a command left behind is waited for",
  },
  "lib/commands/attach.ts": {
    BEGIN_MS_MAX: "how long a hook's verification is waited for",
  },
  "lib/commands/rollback.ts": {
    START_MS_MAX: "how long systemd is waited for when it starts the rollback",
  },
  "lib/commands/usage.ts": {
    WORDS_MAX: "written: words that a refusal lists",
  },
  "lib/http.ts": {
    RESPONSE_BYTES_MAX: "read: the body of a response",
    SOURCE_MS_MAX: "how long Prometheus or Alertmanager is waited for",
    SOURCE_PROBLEM_LENGTH_MAX: "written: what such a source says when it refuses",
  },
  "lib/log.ts": {
    HISTORY_BYTES_MAX: "read: the end of the log",
    LINE_CHARACTERS_MAX: "read: one record of the log",
    UNPACKED_BYTES_MAX: "read: a rotated log, unpacked",
  },
  "lib/masking.ts": {
    KNOWN_LENGTH_MIN: "written: a shorter known value is not masked wherever it stands",
    VIEW_DEPTH_MAX: "read: encodings within encodings that are looked through",
    ROUNDS_MAX: "read: passes over one text",
  },
  "lib/probes/alertmanager.ts": {
    FIRING_MAX: "read: alerts of one answer",
    TEXT_CHARACTERS_MAX: "read: the name of an alert, and its severity",
  },
  "lib/probes/database-child.ts": {
    WAL_CHECK_BYTES_MAX: "read: the largest database with a WAL that is checked in place",
    ROLLBACK_CHECK_BYTES_MAX:
      "read: the same with a rollback journal, where the check holds up the bot",
    CELL_CHARACTERS_MAX: "read: one value of a row",
  },
  "lib/probes/database.ts": {
    INTEGRITY_MS_MAX: "how long the check of the whole file is waited for",
  },
  "lib/probes/journal.ts": {
    JOURNAL_LINES_MAX: "read: lines of one question to the journal",
  },
  "lib/probes/log-files.ts": {
    FUTURE_MS_MAX: "read: the stamp of a line, of which a later one was written by another clock",
    ZONE_HALF_HOURS_MAX: "read: how far the zone of a stamp can be away",
  },
  "lib/probes/log-lines.ts": {
    LINE_BYTES_MAX: "read: one line of a log",
    EXAMPLES_MAX: "written: errors that are shown of each log",
    LINKS_MAX: "read: marks of the connection in one interval",
  },
  "lib/probes/process.ts": {
    ANCESTORS_MAX: "read: parents of a process",
    PID_FILE_BYTES_MAX: "read: a pid file",
    TREE_MAX: "read: processes below the bot's",
  },
  "lib/probes/prometheus.ts": {
    LABELS_CHARACTERS_MAX: "written: labels of the series among which a person has to choose",
  },
  "lib/releases/request.ts": {
    CHAT_MS_MAX: "how long the chat server is waited for",
  },
  "lib/releases/rollback.ts": {
    REQUEST_BYTES_MAX: "read: the request for a rollback",
  },
  "lib/releases/state.ts": {
    REMEMBERED_MAX: "written: rollbacks, and starts without a verdict, that the state holds",
  },
  "lib/report/view.ts": {
    FINDINGS_SHOWN_MAX: "written: findings that a person reads",
  },
};

test("every limit in lib/ has its reason, and none of them judges a bot", () => {
  assert.deepEqual(boundsWithoutReason(sourcesOf(libFiles), bounds), []);
});

/** The names of all numbers below a value, of those in other tables too. */
function numberNamesIn(value: object): string[] {
  const names: string[] = [];
  for (const [name, below] of Object.entries(value)) {
    if (typeof below === "object" && below !== null) names.push(...numberNamesIn(below));
    else if (typeof below !== "string" && /\D/.test(name)) names.push(name);
  }
  return names;
}

test("the tables of numbers that judge a bot stand in verify.ts, and in no other file", () => {
  const tables = ["LIMITS", "POLICY", "TREND", "BURNIN", "RULES", "ROLLBACK_ON"];
  const found = tablesIn(sourcesOf(["verify.ts"]), tables);
  assert.equal(found.length, tables.length, found.join("\n"));
  assert.deepEqual(tablesIn(sourcesOf(libFiles), tables), []);
});

test("no file of lib/ has a number for what the tables in verify.ts say", () => {
  const limits = [...Object.keys(LIMITS), ...new Set(numberNamesIn(BURNIN))];
  for (const name of [
    "responseMsAvgMax",
    "acceptable",
    "critical",
    "outageSecondsMax",
    "errorsMax",
  ])
    assert.ok(limits.includes(name), name);
  assert.deepEqual(numbersForLimits(sourcesOf(libFiles), limits), []);
});

// ---------------------------------------------------------------------------- what a file may use

const shared: Shared = {
  commander: {
    files: ["lib/commands/command-line.ts", "lib/commands/help.ts"],
    why: "The pages of help are not loaded by a run that is not asked for one.",
  },
  valibot: {
    files: ["lib/config-parse.ts", "lib/config-schema.ts"],
    why: "The schema is written in it, and what it finds is worded by what it calls an issue.",
  },
};

test("each package is imported in one file", () => {
  assert.deepEqual(packagesInSeveralFiles(sourcesOf(sources), shared), []);
});

/** Rooms that look at the world, or act on what a person asks, and what of them does not. */
const outward = /^lib\/(?:probes|commands)\//;
const inwardOfThese = [
  "lib/probes/log-lines.ts",
  "lib/probes/log-patterns.ts",
  "lib/commands/flags.ts",
  "lib/commands/help.ts",
  "lib/commands/usage.ts",
];
/** What else reaches for files, processes, the network or the clock, and for which of them. */
const reaching: Readonly<Record<string, string>> = {
  "lib/alerts/run.ts": "looks at the state and the units, and brings what is due to the sinks",
  "lib/alerts/sinks.ts": "sends messages",
  "lib/burnin/accounting.ts": "asks every source of an interval",
  "lib/burnin/interval.ts": "reads the logs of an interval",
  "lib/burnin/moments.ts": "reads the clocks and the boot",
  "lib/command.ts": "runs commands",
  "lib/config.ts": "reads a site's config",
  "lib/files.ts": "reads and writes small files",
  "lib/http.ts": "asks over the network",
  "lib/log.ts": "reads and writes the log",
  "lib/outputs/narrator.ts": "writes to the terminal",
  "lib/releases/plan.ts": "lists the releases there are",
  "lib/releases/request.ts": "asks the chat server, and leaves the request",
  "lib/releases/rollback.ts": "switches a release",
  "lib/releases/state-file.ts": "reads and writes the state",
  "lib/releases/state.ts": "begins the record of a rollback, and knows its own unit",
  "lib/report/gather.ts": "scans the log",
  "lib/report/render.ts": "reads its templates",
  "lib/rotation.ts": "lists the neighbours of a log",
  "lib/run.ts": "begins a run, and times it",
  "lib/shipped.ts": "reads what is shipped",
};
/** What judges, renders, masks or only says words; it takes what was read, and the clock. */
const pure = libFiles.filter(
  (file) => (!outward.test(file) || inwardOfThese.includes(file)) && !(file in reaching),
);

for (const file of pure) {
  test(`${file} uses no clock, file, process or network`, () => {
    assert.deepEqual(effectsIn(sourcesOf([file])), []);
  });
}

test("what is said to reach for files, processes, the network or the clock does so", () => {
  const idle = Object.keys(reaching).filter(
    (file) => !libFiles.includes(file) || effectsIn(sourcesOf([file])).length === 0,
  );
  assert.deepEqual(idle, []);
  assert.deepEqual(strangersAmong(inwardOfThese, libFiles), []);
});

test("the checks, their table and the verdict use no clock, file, process or network", () => {
  const sections = source.split(/^(?=\/\/ --- )/m);
  for (const title of ["Checks", "Table of checks", "Verdict"]) {
    const section = sections.find((text) => text.startsWith(`// --- ${title} -`));
    assert.ok(section, title);
    assert.deepEqual(effectsIn(new Map([[`verify.ts, ${title}`, section]])), []);
  }
});
