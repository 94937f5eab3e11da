/**
 * The rules of the tidy test. Each takes texts, and returns what breaks it, with file and line, so
 * that it can be shown to fail on a planted text as well as to hold for the project.
 */
import { blank, functionsIn, type Sources, withoutLiterals } from "./code.ts";

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
