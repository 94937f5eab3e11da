/**
 * The rules of the tidy test. Each takes texts, and returns what breaks it, with file and line, so
 * that it can be shown to fail on a planted text as well as to hold for the project.
 */
import { blank, functionsIn, importsOf, type Sources, withoutLiterals } from "./code.ts";

/** The lines that a pattern matches, in the text or in what `shape` leaves of it. */
function placesOf(
  sources: Sources,
  pattern: RegExp,
  shape: (text: string) => string = (text) => text,
): string[] {
  const places: string[] = [];
  for (const [file, text] of sources) {
    const written = text.split("\n");
    for (const [index, line] of shape(text).split("\n").entries()) {
      if (pattern.test(line)) places.push(`${file}:${index + 1}: ${written[index]?.trim()}`);
    }
  }
  return places;
}

// ---------------------------------------------------------------------------- the repository

/** Names of the top level that the layout does not have. */
export const strangersAmong = (names: readonly string[], kept: readonly string[]): string[] =>
  names.filter((name) => !kept.includes(name));

export const unfinishedWork = (sources: Sources): string[] =>
  placesOf(sources, /\b(TODO|FIXME|XXX|HACK)\b/);

export function badLineEnds(sources: Sources): string[] {
  const endless = [...sources].filter(([, text]) => !text.endsWith("\n"));
  return [
    ...placesOf(sources, /[ \t\r]$/),
    ...endless.map(([file]) => `${file}: its last line has no end`),
  ];
}

/**
 * Only a suite that says why it cannot run on this machine is left out there, and CI then fails.
 */
export const testsLeftOut = (sources: Sources): string[] =>
  placesOf(
    sources,
    /\b(?:test|it|describe)\.(?:skip|todo|only)\b|\b(?:skip(?!: reason)|todo|only): /,
    blank,
  );

// ---------------------------------------------------------------------------- every source

/** `any`, and syntax that has to be compiled, of which Node could not just erase the types. */
export function syntaxNotErased(sources: Sources): string[] {
  const code = new Map([...sources].map(([file, text]) => [file, blank(text)]));
  const properties = [...code].flatMap(([file, text]) =>
    /constructor\([^)]*\b(?:private|public|protected|readonly) /.test(text)
      ? [`${file}: a constructor declares properties`]
      : [],
  );
  return [
    ...placesOf(sources, /(?:[:<|&(,]|\bas) *any\b/, blank),
    ...placesOf(sources, /^\s*(?:export )?(?:declare |const )?(?:enum|namespace|module) \w/, blank),
    ...properties,
  ];
}

export const suppressedRules = (sources: Sources): string[] =>
  placesOf(sources, /@ts-(?:ignore|expect-error|nocheck)|biome-ignore|eslint-disable/);

/** Files that do not begin with a sentence on what they look at or do, and leave to others. */
export const filesWithoutOpening = (sources: Sources): string[] =>
  [...sources.keys()].filter((file) => {
    const [, comment = ""] = /^\/\*\*([\s\S]*?)\*\//.exec(sources.get(file) ?? "") ?? [];
    return comment.replace(/\s+/g, " ").length <= 40;
  });

export const longFunctions = (sources: Sources, linesMax: number): string[] =>
  [...sources].flatMap(([file, text]) =>
    functionsIn(text)
      .filter(({ length }) => length > linesMax)
      .map(({ name, line, length }) => `${file}:${line}: ${name} has ${length} lines`),
  );

// ---------------------------------------------------------------------------- size

/** What may stand on a line beside a literal, such as `const script = ;`. */
const NAME_COLUMNS_MAX = 40;

const widthOf = (line: string): number => [...line].length;

const sayWidth = (file: string, index: number, line: string, columnsMax: number): string =>
  `${file}:${index + 1}: ${widthOf(line)} columns, ${columnsMax} are the most`;

/**
 * Lines of more columns than that, strings and comments too. Only a regular expression that has a
 * line for itself may be wider: it cannot be broken.
 */
export function wideLines(sources: Sources, columnsMax: number): string[] {
  const places: string[] = [];
  for (const [file, text] of sources) {
    const withoutPatterns = blank(text, ["regex"]).split("\n");
    for (const [index, line] of text.split("\n").entries()) {
      const isPattern = /^\s*[dgimsuvy]*[,;)]*$/.test(withoutPatterns[index] ?? "");
      if (widthOf(line) > columnsMax && !isPattern)
        places.push(sayWidth(file, index, line, columnsMax));
    }
  }
  return places;
}

/**
 * Lines of tests of more columns than that. The title of a test may be wider, and so may one
 * literal with a name before it: a sentence that is expected, a line of a script.
 */
export function wideTestLines(sources: Sources, columnsMax: number): string[] {
  const places: string[] = [];
  for (const [file, text] of sources) {
    const code = withoutLiterals(text).split("\n");
    for (const [index, line] of text.split("\n").entries()) {
      const rest = (code[index] ?? "").replace(/\s+/g, " ").trim();
      const isTitle = /^(?:await )?(?:test|it|describe)\(/.test(rest);
      if (widthOf(line) > columnsMax && !isTitle && widthOf(rest) > NAME_COLUMNS_MAX)
        places.push(sayWidth(file, index, line, columnsMax));
    }
  }
  return places;
}

/** Files of more lines than that. */
export const longFiles = (sources: Sources, linesMax: number): string[] =>
  [...sources].flatMap(([file, text]) => {
    const lines = text.split("\n").length - 1;
    return lines > linesMax ? [`${file}:${lines}: ${linesMax} lines are the most`] : [];
  });

// ---------------------------------------------------------------------------- what judges a bot

/** Functions that are called as the checks are; those stand in verify.ts. */
export const checksOutside = (sources: Sources): string[] =>
  placesOf(
    sources,
    /\bfunction\*? check[A-Z]|\b(?:const|let) check[A-Z]\w*\b[^=]*= *(?:async *)?(?:\(|<|\w+ *=>|function\b)|^\s*(?:async )?check[A-Z]\w*\(.*\{$/,
    blank,
  );

/** Why each constant named as a bound is one of reading or of writing, by file and name. */
export type Reasons = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Constants of the top level that are named as a limit and that no reason is given for, and reasons
 * for those that are gone.
 */
export function boundsWithoutReason(sources: Sources, reasons: Reasons): string[] {
  const places: string[] = [];
  const found = new Set<string>();
  for (const [file, text] of sources) {
    for (const [index, line] of blank(text).split("\n").entries()) {
      const [, name = ""] =
        /^(?:export )?(?:const|let) (\w*(?:_(?:MAX|MIN)|(?:MAX|MIN)_)\w*)/.exec(line) ?? [];
      if (name === "") continue;
      found.add(`${file} ${name}`);
      if (!reasons[file]?.[name])
        places.push(`${file}:${index + 1}: ${name} has no reason why it judges no bot`);
    }
  }
  for (const [file, names] of Object.entries(reasons))
    for (const name of Object.keys(names))
      if (!found.has(`${file} ${name}`)) places.push(`${file}: ${name} has a reason, but is gone`);
  return places;
}

/** Definitions of these tables. */
export const tablesIn = (sources: Sources, names: readonly string[]): string[] =>
  placesOf(sources, new RegExp(`^\\s*(?:export )?(?:const|let) (?:${names.join("|")})\\b`), blank);

/**
 * Numbers that stand for a limit: as its value, in its place where it is missing, or compared with
 * it. 0 stands for what is not there.
 */
export function numbersForLimits(sources: Sources, limits: readonly string[]): string[] {
  const key = `(?:${limits.join("|")})`;
  const number = "-?(?:[1-9]|0[.xb_])";
  return [
    ...placesOf(sources, new RegExp(`\\b${key}\\b *(?::|(?:\\?\\?|\\|\\|)?=) *-?\\d`), blank),
    ...placesOf(
      sources,
      new RegExp(`\\b${key}\\b *(?:\\?\\?|\\|\\||[<>]=?|[!=]==) *${number}`),
      blank,
    ),
  ];
}

// ---------------------------------------------------------------------------- what a file may use

/** The files in which a package is loaded that is loaded in several, and why. */
export type Shared = Readonly<Record<string, { files: readonly string[]; why: string }>>;

/**
 * Packages that are loaded in more than one file, and are not listed with these files; and what is
 * listed and is not so any more. Types load nothing.
 */
export function packagesInSeveralFiles(sources: Sources, shared: Shared): string[] {
  const users = new Map<string, Map<string, number>>();
  for (const [file, text] of sources) {
    for (const { target, line, isType } of importsOf(text)) {
      if (isType || /^(?:\.|node:)/.test(target)) continue;
      const name = packageOf(target);
      users.set(name, (users.get(name) ?? new Map()).set(file, line));
    }
  }
  const places: string[] = [];
  for (const [name, lines] of users) {
    const allowed = shared[name]?.files ?? [];
    if (lines.size < 2) continue;
    for (const [file, line] of lines)
      if (!allowed.includes(file)) places.push(`${file}:${line}: imports ${name}, as others do`);
  }
  for (const [name, { files }] of Object.entries(shared))
    for (const file of files)
      if (!users.get(name)?.has(file)) places.push(`${file}: is listed for ${name}, and has none`);
  return places;
}

/** `zx/core` is part of zx, `@scope/name/part` of @scope/name. */
const packageOf = (target: string): string =>
  target
    .split("/")
    .slice(0, target.startsWith("@") ? 2 : 1)
    .join("/");

/** Modules that reach out of the program: to files, processes, the network, the clock. */
const REACHES_OUT =
  /^node:(?!path$|util$|string_decoder$)|^(?:zx|undici|pidusage|better-sqlite3)(?:\/|$)/;
/** What does so without an import. */
const EFFECT = new RegExp(
  [
    String.raw`\bDate\.now\b|\bnew Date\(\)|(?<![.\w])Date\(\)|\bperformance\b`,
    String.raw`(?<![.\w])process(?:\?\.|[.[;])|\bglobalThis\b|(?<![.\w])console\.`,
    String.raw`(?<![.\w])fetch\(|\bset(?:Timeout|Interval|Immediate)\(`,
    String.raw`\bMath\.random\b|(?<![.\w])crypto\.`,
  ].join("|"),
);
/** How is called what reads or writes, waits, or knows who asks and where. */
const EFFECTFUL =
  /^(?:(?:read|write|open|follow|run|print|deliver|send|leave|remove|load|scan|sync|sleep|poll)(?:[A-Z]|$)|(?:headOf|userOf|hostname|SHIPPED|HERE)$)/;

/** What in these sources uses the clock, files, processes or the network. */
export function effectsIn(sources: Sources): string[] {
  const places = placesOf(sources, EFFECT, blank);
  for (const [file, text] of sources) {
    for (const { target, line, values, isType } of importsOf(text)) {
      if (!isType && REACHES_OUT.test(target)) places.push(`${file}:${line}: imports ${target}`);
      for (const name of target.startsWith(".")
        ? values.filter((value) => EFFECTFUL.test(value))
        : [])
        places.push(`${file}:${line}: imports ${name}`);
    }
  }
  return places;
}
