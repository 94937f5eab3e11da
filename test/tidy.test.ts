/** The lint that no linter has: the shape of the repository and of verify.ts, which are promises to its readers. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readHelp } from "../verify.ts";
import { projectDirectory } from "./harness.ts";

const source = readFileSync(join(projectDirectory, "verify.ts"), "utf8");
const lines = source.split("\n");

// ---------------------------------------------------------------------------- the repository

const kept = [
  "verify.ts",
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
];
const required = kept.filter((name) => !["units", ".github"].includes(name));

test("the top level holds only what the layout names", () => {
  const ignored = readFileSync(join(projectDirectory, ".gitignore"), "utf8")
    .split("\n")
    .map((line) => line.replace(/^\/|\/$/g, ""));
  const there = readdirSync(projectDirectory).filter((name) => name !== ".git" && !ignored.includes(name));
  assert.deepEqual(
    there.filter((name) => !kept.includes(name)),
    [],
  );
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

test("config/patterns.txt holds every pattern that verify.ts names, and no other", () => {
  const rows = [...readFileSync(join(projectDirectory, "config/patterns.txt"), "utf8").matchAll(/^(\w+) (\S+) +(.+)$/gm)];
  const named = (isPiece: boolean) => [...new Set(rows.filter(([, , flags]) => (flags === "=") === isPiece).map(([, name]) => name as string))];
  const pieces = new Set(rows.flatMap(([, , , text = ""]) => text.match(/(?<=\{)[A-Z_]{2,}(?=\})/g) ?? []));
  assert.deepEqual([...pieces].sort(), named(true).sort());
  assert.deepEqual(
    named(false).filter((name) => !new RegExp(`"${name}"|^ {2}${name}: `, "m").test(source)),
    [],
  );
  const used = [...source.matchAll(/\b(?:patterns?Of|readAt)\("(\w+)"/g)].map(([, name]) => name as string);
  assert.deepEqual(
    used.filter((name) => !named(false).includes(name)),
    [],
  );
});

for (const name of readdirSync(join(projectDirectory, "config")).filter((file) => file.endsWith(".yaml"))) {
  test(`config/${name} names its schema for editors`, () => {
    const [first] = readFileSync(join(projectDirectory, "config", name), "utf8").split("\n");
    assert.equal(first, "# yaml-language-server: $schema=./schema.json");
  });
}

const ownFiles = ["", "test", "config", "units", ".ci", ".github/workflows"].flatMap((directory) => {
  const path = join(projectDirectory, directory);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "package-lock.json" && entry.name !== "tidy.test.ts")
    .map((entry) => join(directory, entry.name));
});

for (const file of ownFiles) {
  test(`${file} holds no unfinished work and no line end of another system`, () => {
    const text = readFileSync(join(projectDirectory, file), "utf8");
    const found = text.split("\n").flatMap((line, index) => (/\b(TODO|FIXME|XXX|HACK)\b|[ \t\r]$/.test(line) ? [`${index + 1}: ${line}`] : []));
    assert.deepEqual(found, []);
    assert.ok(text.endsWith("\n"), "its last line has no end");
  });
}

for (const file of ownFiles.filter((name) => /\.test\.ts$/.test(name))) {
  test(`${file} leaves no test out, and runs none alone`, () => {
    // Only a suite that says why it cannot run on this machine is left out there, and CI then fails.
    const found = blank(readFileSync(join(projectDirectory, file), "utf8"))
      .split("\n")
      .flatMap((line, index) =>
        /\b(?:test|it|describe)\.(?:skip|todo|only)\b|\b(?:skip(?!: reason)|todo|only): /.test(line) ? [`line ${index + 1}`] : [],
      );
    assert.deepEqual(found, []);
  });
}

// ---------------------------------------------------------------------------- verify.ts as text

/** The code with comments, strings, templates' text and regular expressions as blanks, so that words in them are no names. Offsets and lines stay. */
function blank(code: string): string {
  const out = [...code];
  const wipe = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (out[at] !== "\n") out[at] = " ";
  };
  // A slash begins a regular expression where a value may begin: after an operator, an opening bracket, or a word such as return.
  const startsValue = (at: number): boolean =>
    /(?:^|[=(,:;[!&|?{}+>%*<-]|\b(?:return|typeof|case|of|in))\s*$/.test(code.slice(Math.max(0, at - 40), at));
  const braces: ("code" | "template")[] = [];
  let at = 0;
  const skipQuoted = (quote: string): void => {
    const from = at++;
    while (at < code.length && code[at] !== quote) at += code[at] === "\\" ? 2 : 1;
    wipe(from, ++at);
  };
  const skipTemplate = (): void => {
    const from = at;
    for (at++; at < code.length && code[at] !== "`"; at += code[at] === "\\" ? 2 : 1) {
      if (!code.startsWith("${", at)) continue;
      wipe(from, at + 2);
      braces.push("template");
      at += 2;
      return;
    }
    wipe(from, ++at);
  };
  const skipRegex = (): void => {
    const from = at++;
    for (let inClass = false; at < code.length && (inClass || code[at] !== "/"); at++) {
      if (code[at] === "\\") at++;
      else if (code[at] === "[") inClass = true;
      else if (code[at] === "]") inClass = false;
    }
    wipe(from, ++at);
  };
  const skipTo = (end: number): void => {
    const stop = end < 0 ? code.length : end;
    wipe(at, stop);
    at = stop;
  };
  while (at < code.length) {
    const character = code[at] as string;
    if (code.startsWith("//", at)) skipTo(code.indexOf("\n", at));
    else if (code.startsWith("/*", at)) skipTo(code.indexOf("*/", at) + 2);
    else if (character === '"' || character === "'") skipQuoted(character);
    else if (character === "`") skipTemplate();
    else if (character === "/" && startsValue(at)) skipRegex();
    else if (character === "}" && braces.pop() === "template") skipTemplate();
    else {
      if (character === "{") braces.push("code");
      at++;
    }
  }
  return out.join("");
}

const code = blank(source);
const codeLines = code.split("\n");

interface Definition {
  kind: string;
  name: string;
  /** Index of its first and of its last line. */
  from: number;
  to: number;
}

const definition = /^(?:export )?(?:default )?(?:async )?(function\*?|const|let|class|interface|type) (\w+|[{[])/;
const definitions: Definition[] = codeLines.flatMap((line, from) => {
  const match = definition.exec(line);
  if (!match) return [];
  const next = codeLines.findIndex((later, index) => index > from && /^\S/.test(later) && !/^[)}\]>|]/.test(later));
  const until = next < 0 ? codeLines.length : next;
  const names = /^[{[]/.test(match[2] as string) ? ((/[{[]([^}\]]*)[}\]]/.exec(line)?.[1] ?? "").match(/\w+/g) ?? []) : [match[2] as string];
  return names.map((name) => ({ kind: match[1] as string, name, from, to: until - 1 }));
});

test("blank() leaves the code and takes away everything else", () => {
  const quote = "`";
  assert.equal(blank('a("x // y") // z'), "a(        )     ");
  assert.equal(blank("a = /[/\"]'/g; b"), "a =         g; b".replace("        g", "       g").padStart(0));
  assert.equal(blank(`${quote}x \${b(${quote}y${quote})} z${quote}; c`).replace(/ +/g, " "), " b( ) ; c");
  assert.equal(blank("a / b / c"), "a / b / c");
  assert.equal(blank("/* a\nb */ c"), "    \n     c");
});

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
  const banners = lines.filter((line) => line.startsWith("// ---")).map((line) => line.replace(/^\/\/ -+ | -+$/g, ""));
  assert.deepEqual(banners, listed);
});

test("every banner is as wide as the others", () => {
  const widths = new Set(lines.filter((line) => line.startsWith("// ---")).map((line) => line.length));
  assert.equal(widths.size, 1, [...widths].join(", "));
});

test("the header names every exit code of the program", () => {
  const header = source.slice(0, source.indexOf("*/"));
  const codes = /CHECK_CODES = \{([^}]*)\}/.exec(source)?.[1] ?? "";
  const pairs = [...codes.matchAll(/(\w+): (\d+)/g)];
  assert.ok(pairs.length >= 11);
  for (const [, name, code] of pairs) assert.match(header.replace(/\n \*\s*/g, " "), new RegExp(`\\b${code} ${name}\\b`));
});

test("no name of the top level is used above its definition; types may be", () => {
  const values = definitions.filter(({ kind }) => kind !== "interface" && kind !== "type");
  assert.ok(values.length > 150, `only ${values.length} definitions were found`);
  const first = new Map<string, number>();
  codeLines.forEach((line, index) => {
    // A property or a key of that name is another name; so is what an import brings in.
    for (const match of line.matchAll(/(?<![\w$.]|\?\.)([A-Za-z_$][\w$]*)(?!\s*:(?!:)|[\w$])/g))
      if (!first.has(match[1] as string)) first.set(match[1] as string, index);
  });
  const early = values.filter(({ name, from }) => {
    const used = first.get(name);
    return used !== undefined && used < from && !isLocal(name, used);
  });
  assert.deepEqual(
    early.map(({ name, from }) => `${name} is defined in line ${from + 1} and used in line ${(first.get(name) ?? 0) + 1}`),
    [],
  );
});

/** Whether the definition around a line gives a parameter or a variable of its own that name. */
function isLocal(name: string, line: number): boolean {
  const around = definitions.find(({ from, to }) => from <= line && line <= to);
  if (!around) return /^import\b/.test(codeLines[line] as string);
  const text = codeLines.slice(around.from, around.to + 1).join("\n");
  const forms = [
    `\\b(?:const|let|function) ${name}\\b`, // a variable
    `\\b(?:const|let) [{[][^;]*?\\b${name}\\b[^;]*?[}\\]](?::[^=;]*)? =`, // taken out of something
    `\\([^()]*\\b${name}\\b[^()]*\\)(?:: [^=;]*)? =>`, // a parameter
    `\\b${name} =>`,
    `^(?:export )?(?:async )?function\\*? \\w+(?:<[^(]*>)?\\([^)]*\\b${name}\\b`,
  ];
  return new RegExp(forms.join("|"), "m").test(text);
}

test("no function is longer than 60 lines", () => {
  const functions = definitions.filter(({ kind, from }) => kind.startsWith("function") || /=> \{$/.test(codeLines[from] as string));
  assert.ok(functions.length > 120, `only ${functions.length} functions were found`);
  const lengths = functions.map(({ name, from, to }) => {
    const end = codeLines.findIndex((line, index) => index >= from && index <= to && /^\}/.test(line));
    return { name, length: (end < 0 ? from : end) - from + 1 };
  });
  assert.deepEqual(
    lengths.filter(({ length }) => length > 60).map(({ name, length }) => `${name}: ${length} lines`),
    [],
  );
});

test("main is the last function with a name, but for the entry guard's", () => {
  const functions = definitions.filter(({ kind }) => kind.startsWith("function")).map(({ name }) => name);
  assert.ok(functions.slice(-2).includes("main"), functions.slice(-3).join(", "));
});

test("verify.ts has no any, no suppressed rule, and no syntax that has to be compiled", () => {
  assert.doesNotMatch(code, /(?:[:<|&(,]|\bas) *any\b/);
  assert.doesNotMatch(source, /@ts-(?:ignore|expect-error|nocheck)|biome-ignore|eslint-disable/);
  assert.doesNotMatch(code, /^\s*(?:export )?(?:declare |const )?(?:enum|namespace|module) \w/m);
  assert.doesNotMatch(code, /constructor\([^)]*\b(?:private|public|protected|readonly) /);
});

// The promise is 4000. It was broken when a host's own commands came, and again with the burn-in: what has to go is not decided, and this
// only keeps the file from growing further.
test("verify.ts stays under 5900 lines, and its lines under 150 characters", () => {
  assert.ok(lines.length < 5900, `${lines.length} lines`);
  // A regular expression or a sentence that cannot be broken may be longer.
  const long = codeLines.filter((line, index) => (lines[index] as string).length > 150 && line.trim().length > 150);
  assert.deepEqual(long, []);
});

test("only the probes load the libraries that look at the world", () => {
  const section = (line: number): string =>
    lines
      .slice(0, line + 1)
      .filter((text) => text.startsWith("// --- "))
      .at(-1) ?? "";
  const loads = lines.flatMap((line, index) => (/\bload\("(?:zx|undici|pidusage|better-sqlite3)/.test(line) ? [section(index)] : []));
  assert.ok(loads.length >= 4);
  // Alerts go out over undici: what they say is of the outputs, but whom they reach is of the world.
  for (const banner of loads) assert.match(banner, /^\/\/ --- (?:Probes: |Alerts )/);
});

test("checks, verdict and their helpers look at no clock and at no file", () => {
  const numbered = codeLines.map((line, index) => ({ line, index }));
  const between = (first: string, last: string) => {
    const [from = -1, to = -1] = [first, last].map((name) => lines.findIndex((line) => line.startsWith(`// --- ${name} `)));
    assert.ok(from >= 0 && to > from, `${first} … ${last}`);
    return numbered.slice(from, to);
  };
  // What makes the record out of a run knows its host and its clock; it stands beside the type of the record.
  const record = definitions.find(({ name }) => name === "resultOf");
  const impure = [...between("Checks", "Runner"), ...between("Verdict", "Outputs")]
    .filter(({ index }) => !record || index < record.from || index > record.to)
    .filter(({ line }) => /\bDate\.now\(|\bperformance\.now\(|\bfs\.|(?<![.\w])process\.|\bawait\b|\bnew Date\(\)/.test(line))
    .map(({ line, index }) => `${index + 1}: ${line.trim()}`);
  assert.deepEqual(impure, []);
});
