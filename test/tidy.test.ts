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
import { blank, functionsIn, type Sources } from "./support/code.ts";
import { projectDirectory } from "./support/harness.ts";
import {
  badLineEnds,
  checksOutside,
  filesWithoutOpening,
  longFiles,
  longFunctions,
  strangersAmong,
  suppressedRules,
  syntaxNotErased,
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

const library = filesBelow("lib")
  .filter((file) => file.endsWith(".ts"))
  .sort();
const sources = [...library, "verify.ts"];
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
  assert.deepEqual(longFiles(sourcesOf(library), 500), []);
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
  assert.deepEqual(checksOutside(sourcesOf(library)), []);
  assert.ok(checksOutside(sourcesOf(["verify.ts"])).length >= CHECK_NAMES.length);
});
