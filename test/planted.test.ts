/**
 * Shows that each rule of the shape of the sources fails where something is planted that it
 * forbids, and is content with the look-alike beside it. That the project itself keeps the rules is
 * for tidy.test.ts and layers.test.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Sources } from "./support/code.ts";
import { projectDirectory } from "./support/harness.ts";
import {
  circlesIn,
  filesOfOtherKind,
  filesWithoutRoom,
  importsOfNothing,
  importsOfTheScript,
  importsUpward,
} from "./support/layers.ts";
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
  strangersAmong,
  suppressedRules,
  syntaxNotErased,
  tablesIn,
  testsLeftOut,
  unfinishedWork,
  wideLines,
  wideTestLines,
} from "./support/rules.ts";

const sourcesOf = (files: Record<string, string>): Sources => new Map(Object.entries(files));
const oneFile = (text: string, file = "lib/x.ts"): Sources => new Map([[file, text]]);

// ---------------------------------------------------------------------------- the repository

test("strangersAmong() finds a second name at the top level", () => {
  const kept = ["verify.ts", "lib"];
  assert.deepEqual(strangersAmong(["lib", "verify.ts", "helpers.ts"], kept), ["helpers.ts"]);
  assert.deepEqual(strangersAmong(["lib", "verify.ts"], kept), []);
});

test("unfinishedWork() and badLineEnds() name file and line", () => {
  const mark = ["TO", "DO"].join("");
  assert.deepEqual(unfinishedWork(oneFile(`a\n// ${mark}: b\n`)), [`lib/x.ts:2: // ${mark}: b`]);
  assert.deepEqual(unfinishedWork(oneFile(`a\n// ${mark}ist\n`)), []);
  assert.deepEqual(badLineEnds(oneFile("a\nb \nc\r\n")), ["lib/x.ts:2: b", "lib/x.ts:3: c"]);
  assert.deepEqual(badLineEnds(oneFile("a")), ["lib/x.ts: its last line has no end"]);
  assert.deepEqual(badLineEnds(oneFile("a\n b\n")), []);
});

test("testsLeftOut() finds tests that are skipped, or run alone", () => {
  for (const planted of ["test.only(f);", "it.skip(f);", "test(f, { todo: true });"])
    assert.deepEqual(testsLeftOut(oneFile(planted)), [`lib/x.ts:1: ${planted}`]);
  assert.deepEqual(testsLeftOut(oneFile('test("only: x", { skip: reason }, f);')), []);
});

// ---------------------------------------------------------------------------- every source

test("syntaxNotErased() finds any, and what Node cannot just strip", () => {
  const forbidden = [
    "const a = b as any;",
    "function f(a: any) {}",
    "export enum A { b }",
    "const enum A { b }",
    "namespace A {",
    "declare module A {",
  ];
  for (const planted of forbidden)
    assert.deepEqual(syntaxNotErased(oneFile(planted)), [`lib/x.ts:1: ${planted}`]);
  assert.deepEqual(syntaxNotErased(oneFile("class A { constructor(private a: b) {} }")), [
    "lib/x.ts: a constructor declares properties",
  ]);
  assert.deepEqual(syntaxNotErased(oneFile('const a = "b as any"; // enum A\n')), []);
});

test("suppressedRules() finds what switches a check off", () => {
  for (const planted of ["// @ts-ignore", "// biome-ignore lint: b", "/* eslint-disable */"])
    assert.deepEqual(suppressedRules(oneFile(planted)), [`lib/x.ts:1: ${planted}`]);
});

test("filesWithoutOpening() finds a file that says too little, or nothing", () => {
  const opening = "/** Looks at nothing, decides nothing, and writes nothing down. */\n";
  assert.deepEqual(filesWithoutOpening(oneFile(opening)), []);
  assert.deepEqual(filesWithoutOpening(oneFile("/** Things. */\n")), ["lib/x.ts"]);
  assert.deepEqual(filesWithoutOpening(oneFile(`const a = 1;\n${opening}`)), ["lib/x.ts"]);
});

test("wideLines() finds the 101st column, whatever stands there but a pattern of its own", () => {
  const fill = (line: string): string => line.replace("~", "~".repeat(102 - line.length));
  for (const line of ['const a = "~";', "// ~", "const a = /~/;", "const a = `~`;", "  /~/gi, b,"])
    assert.deepEqual(wideLines(oneFile(`a;\n${fill(line)}\n`), 100), [
      "lib/x.ts:2: 101 columns, 100 are the most",
    ]);
  for (const line of ["  /~/gi,", "  /~/;"])
    assert.deepEqual(wideLines(oneFile(`const a =\n${fill(line)}\n`), 100), []);
  assert.deepEqual(wideLines(oneFile(`// ${"~".repeat(97)}\n// ${"🙂".repeat(97)}\n`), 100), []);
});

test("wideTestLines() finds wide code and comments, but no title and no lone literal", () => {
  const wide = (line: string): string => line.replace("~", "~".repeat(122 - line.length));
  const call = "receive(firstOfAll, secondOfAll, thirdOfAll)";
  for (const line of ["// ~ ~", `${call}; ${call}; b = "~";`, `const a = [${call}, "~"];`])
    assert.deepEqual(wideTestLines(oneFile(wide(line)), 120), [
      "lib/x.ts:1: 121 columns, 120 are the most",
    ]);
  const allowed = ['test("~", async () => {', `  a: \`~\${b(c)}\`,`, 'const a = "~";', "  /~/g,"];
  for (const line of allowed) assert.deepEqual(wideTestLines(oneFile(wide(line)), 120), []);
  const script = `const a = \`\n${"~".repeat(130)} \${b} \`;\n`;
  assert.deepEqual(wideTestLines(oneFile(script), 120), []);
});

test("longFiles() finds one line too many", () => {
  assert.deepEqual(longFiles(oneFile("a;\n".repeat(500)), 500), []);
  assert.deepEqual(longFiles(oneFile("a;\n".repeat(501)), 500), [
    "lib/x.ts:501: 500 lines are the most",
  ]);
});

test("longFunctions() finds one line too many", () => {
  const ofLength = (lines: number): string =>
    `a;\nexport function f() {\n${"  b();\n".repeat(lines - 2)}}\n`;
  assert.deepEqual(longFunctions(oneFile(ofLength(60)), 60), []);
  assert.deepEqual(longFunctions(oneFile(ofLength(61)), 60), ["lib/x.ts:2: f has 61 lines"]);
});

// ---------------------------------------------------------------------------- what judges a bot

test("checksOutside() finds a check in whatever form it is written", () => {
  const forbidden = [
    "export function checkDisk(a: b): Part[] {",
    "async function checkDisk() {",
    "export const checkDisk = (a: b): Part[] => [];",
    "const checkDisk: Check = async (a) => [];",
    "const checkDisk = a => [];",
    "  checkDisk(a: b): Part[] {",
  ];
  for (const planted of forbidden)
    assert.deepEqual(checksOutside(oneFile(planted)), [`lib/x.ts:1: ${planted.trim()}`]);
  const innocent =
    'const checks = [];\ncheckDisk(a);\n// function checkDisk\nconst a = "checkA(";\n';
  assert.deepEqual(checksOutside(oneFile(innocent)), []);
});

test("boundsWithoutReason() finds a limit that is not listed, and a reason for one that is gone", () => {
  const reasons = { "lib/x.ts": { BODY_BYTES_MAX: "read: the body of a response" } };
  const listed = "a;\nexport const BODY_BYTES_MAX = 9;\n";
  assert.deepEqual(boundsWithoutReason(oneFile(listed), reasons), []);
  for (const name of ["USERS_MIN", "OUTAGE_SECONDS_MAX", "ERRORS_MAX_PROD", "MAX_ERRORS"])
    assert.deepEqual(boundsWithoutReason(oneFile(`${listed}const ${name}: A = 1;\n`), reasons), [
      `lib/x.ts:3: ${name} has no reason why it judges no bot`,
    ]);
  assert.deepEqual(boundsWithoutReason(oneFile(listed, "lib/y.ts"), reasons), [
    "lib/y.ts:2: BODY_BYTES_MAX has no reason why it judges no bot",
    "lib/x.ts: BODY_BYTES_MAX has a reason, but is gone",
  ]);
  assert.deepEqual(boundsWithoutReason(oneFile("function f() {\n  const A_MAX = 1;\n}\n"), {}), []);
});

test("tablesIn() finds a table, and no word that only sounds like one", () => {
  for (const planted of ["export const BURNIN: BurninLimits = {", "const LIMITS = {"])
    assert.deepEqual(tablesIn(oneFile(planted), ["LIMITS", "BURNIN"]), [`lib/x.ts:1: ${planted}`]);
  const innocent = "const LIMITS_SHOWN = 3;\n// const LIMITS = {\ntake(LIMITS);\n";
  assert.deepEqual(tablesIn(oneFile(innocent), ["LIMITS"]), []);
});

test("numbersForLimits() finds a number in a limit's place, but no limit that is handed down", () => {
  const limits = ["acceptable", "critical", "outageSecondsMax"];
  const forbidden = [
    'const row = { title: "Uptime", acceptable: 99.9 };',
    "  critical: 0,",
    "const outageSecondsMax = 60;",
    "const seconds = limits.outageSecondsMax ?? 60;",
    "if (row.critical > 5) {",
    "({ outageSecondsMax = 60 }) => {",
  ];
  for (const planted of forbidden)
    assert.deepEqual(numbersForLimits(oneFile(planted), limits), [`lib/x.ts:1: ${planted.trim()}`]);
  const allowed = [
    "type Row = { acceptable: number; critical: number };",
    "const { acceptable } = limits.metrics.cpu;",
    "if (seconds > limits.outageSecondsMax) {",
    "const most = (limits.acceptable ?? 0) + 1;",
    'const says = "critical: 5";',
  ];
  assert.deepEqual(numbersForLimits(oneFile(allowed.join("\n")), limits), []);
});

// ---------------------------------------------------------------------------- what a file may use

test("packagesInSeveralFiles() finds the second file, and an entry that is out of date", () => {
  const twice = sourcesOf({
    "lib/a.ts": 'import { $ } from "zx/core";\n',
    "lib/b.ts": 'a;\nconst { $ } = await import("zx");\n',
    "lib/c.ts": 'import type { ProcessPromise } from "zx/core";\ntype Z = typeof import("zx");\n',
  });
  const files = ["lib/a.ts", "lib/b.ts"];
  assert.deepEqual(packagesInSeveralFiles(twice, {}), [
    "lib/a.ts:1: imports zx, as others do",
    "lib/b.ts:2: imports zx, as others do",
  ]);
  assert.deepEqual(packagesInSeveralFiles(twice, { zx: { files, why: "b" } }), []);
  const once = oneFile('import { $ } from "zx";\nimport { a } from "node:fs";\n', "lib/a.ts");
  assert.deepEqual(packagesInSeveralFiles(once, {}), []);
  assert.deepEqual(packagesInSeveralFiles(once, { zx: { files, why: "b" } }), [
    "lib/b.ts: is listed for zx, and has none",
  ]);
});

test("effectsIn() finds clock, files, processes and network", () => {
  const forbidden = [
    "const now = Date.now();",
    "const now = new Date();",
    "const begun = performance.now();",
    "const name = process.env.USER;",
    "const { env } = process;",
    "const answer = await fetch(url);",
    "setTimeout(end, 5);",
    "const id = crypto.randomUUID();",
    "const share = Math.random();",
    `const says = \`at \${Date.now()}\`;`,
  ];
  for (const planted of forbidden)
    assert.deepEqual(effectsIn(oneFile(`a;\n${planted}\n`)), [`lib/x.ts:2: ${planted}`]);
  const modules = [
    "node:fs",
    "node:child_process",
    "node:http",
    "node:os",
    "node:net",
    "node:process",
    "node:timers/promises",
    "zx/core",
    "undici",
  ];
  for (const target of modules)
    for (const planted of [`import * as a from "${target}";`, `await import("${target}");`])
      assert.deepEqual(effectsIn(oneFile(planted)), [`lib/x.ts:1: imports ${target}`]);
  for (const name of ["readHttp", "writeAtomically", "scanRecords", "print", "userOf", "SHIPPED"])
    assert.deepEqual(effectsIn(oneFile(`import { a, ${name} } from "./y.ts";`)), [
      `lib/x.ts:1: imports ${name}`,
    ]);
});

test("effectsIn() lets pass what only sounds like one", () => {
  const allowed = [
    'import * as path from "node:path";',
    'import type { Agent } from "node:http";',
    'import { type readHttp, parseAnswer, runningOf } from "./http.ts";',
    "const at = Date.parse(text);",
    "const day = new Date(now);",
    "const unit = config.process.unit;",
    "const parts = { process: [] };",
    "// Date.now() is the caller's",
    'const hint = "process.unit";',
  ];
  assert.deepEqual(effectsIn(oneFile(allowed.join("\n"))), []);
});

// ---------------------------------------------------------------------------- layers

test("a file of lib/ that imports verify.ts is found, however it does so", () => {
  const forbidden = [
    'import { LIMITS } from "../verify.ts";',
    'import type { Limits } from "../verify.ts";',
    'export { LIMITS } from "../verify.ts";',
    'import "../verify.ts";',
    'const { LIMITS } = await import("../verify.ts");',
    'type Limits = import("../verify.ts").Limits;',
  ];
  for (const planted of forbidden)
    assert.deepEqual(importsOfTheScript(oneFile(`// first\n${planted}\n`)), [
      "lib/x.ts:2: imports verify.ts",
    ]);
  const innocent = '// import "../verify.ts"\nimport { a } from "./verify.ts";\n';
  assert.deepEqual(importsOfTheScript(oneFile(innocent)), []);
});

test("an import of a lower room from a higher one is found, types too", () => {
  const probe = (target: string): Sources =>
    oneFile(`import type { A } from "${target}";\n`, "lib/probes/x.ts");
  const upward = ["../burnin/y.ts", "../run.ts", "../outputs/y.ts", "../commands/y.ts"];
  for (const target of upward)
    assert.deepEqual(importsUpward(probe(target)), [
      `lib/probes/x.ts:1: imports lib/${target.slice("../".length)}`,
    ]);
  for (const target of ["../y.ts", "./y.ts"]) assert.deepEqual(importsUpward(probe(target)), []);
  assert.deepEqual(importsUpward(oneFile('import { a } from "./probes/y.ts";\n')), [
    "lib/x.ts:1: imports lib/probes/y.ts",
  ]);
});

test("a circle is found, also one of types, or through a late import", () => {
  const circle = sourcesOf({
    "lib/a.ts": 'import { b } from "./b.ts";\n',
    "lib/b.ts": 'import type { C } from "./c.ts";\n',
    "lib/c.ts": 'export const c = () => import("./a.ts");\n',
  });
  assert.deepEqual(circlesIn(circle), ["lib/a.ts → lib/b.ts → lib/c.ts → lib/a.ts"]);
  const fork = sourcesOf({
    "lib/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";\n',
    "lib/b.ts": 'import { c } from "./c.ts";\n',
    "lib/c.ts": "",
  });
  assert.deepEqual(circlesIn(fork), []);
});

test("a room without a place, a file that is no TypeScript, and a lost import are found", () => {
  assert.deepEqual(filesWithoutRoom(oneFile("", "lib/helpers/x.ts")), ["lib/helpers/x.ts"]);
  assert.deepEqual(filesOfOtherKind(oneFile("", "lib/x.json")), ["lib/x.json"]);
  assert.deepEqual(importsOfNothing(oneFile('import { a } from "./gone.ts";\n')), [
    "lib/x.ts:1: imports lib/gone.ts",
  ]);
});

// ---------------------------------------------------------------------------- the linter

/** What the project's linter, with the project's settings, says of a file at that place. */
function lint(file: string, text: string): { exit: number | null; says: string } {
  const directory = mkdtempSync(join(tmpdir(), "cytube-verify-planted-"));
  try {
    cpSync(join(projectDirectory, "biome.json"), join(directory, "biome.json"));
    mkdirSync(join(directory, dirname(file)), { recursive: true });
    writeFileSync(join(directory, file), text);
    const biome = join(projectDirectory, "node_modules/.bin/biome");
    const { status, stdout, stderr } = spawnSync(biome, ["check", "--error-on-warnings"], {
      cwd: directory,
      encoding: "utf8",
    });
    return { exit: status, says: stdout + stderr };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const file of ["verify.ts", "lib/probes/x.ts", "test/x.test.ts"]) {
  test(`the linter refuses a nested ternary in ${file}`, () => {
    const returning = (size: string): string =>
      `export function sizeOf(lines: number): string {\n  return ${size};\n}\n`;
    const nested = lint(file, returning('lines > 9 ? "long" : lines > 3 ? "medium" : "short"'));
    assert.equal(nested.exit, 1, nested.says);
    assert.match(nested.says, /noNestedTernary/);
    const plain = lint(file, returning('lines > 9 ? "long" : "short"'));
    assert.equal(plain.exit, 0, plain.says);
  });
}
