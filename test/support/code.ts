/**
 * Reads TypeScript as far as the tests of its shape need it: what of a text is code, and which
 * functions it has. It judges nothing.
 */

/** Text by its file's path from the project's root. */
export type Sources = ReadonlyMap<string, string>;

/** A piece of a source that is no code; of a template, its text without what is put into it. */
type Words = {
  kind: "comment" | "string" | "template" | "regex";
  /** Where it begins, and the first place behind it. */
  from: number;
  to: number;
};

/** The comments, strings, templates' text and regular expressions of a source, in their order. */
function wordsIn(code: string): Words[] {
  const words: Words[] = [];
  // A slash begins a regular expression where a value may begin: after an operator, an opening
  // bracket, or a word such as return; comments between the two say nothing.
  const startsValue = (at: number): boolean => {
    let end = at;
    for (const { kind, from, to } of words.toReversed()) {
      if (kind !== "comment" || code.slice(to, end).trim() !== "") break;
      end = from;
    }
    return /(?:^|[=(,:;[!&|?{}+>%*<-]|\b(?:return|typeof|case|of|in))\s*$/.test(
      code.slice(Math.max(0, end - 40), end),
    );
  };
  const braces: ("code" | "template")[] = [];
  let at = 0;
  const take = (kind: Words["kind"], end: number): void => {
    const to = Math.min(end, code.length);
    words.push({ kind, from: at, to });
    at = to;
  };
  const takeQuoted = (quote: string): void => {
    let end = at + 1;
    while (end < code.length && code[end] !== quote) end += code[end] === "\\" ? 2 : 1;
    take("string", end + 1);
  };
  const takeTemplate = (): void => {
    let end = at + 1;
    while (end < code.length && code[end] !== "`" && !code.startsWith("${", end))
      end += code[end] === "\\" ? 2 : 1;
    const isOpen = code.startsWith("${", end);
    if (isOpen) braces.push("template");
    take("template", end + (isOpen ? 2 : 1));
  };
  const takeRegex = (): void => {
    let end = at + 1;
    for (let inClass = false; end < code.length && (inClass || code[end] !== "/"); end++) {
      if (code[end] === "\\") end++;
      else if (code[end] === "[") inClass = true;
      else if (code[end] === "]") inClass = false;
    }
    take("regex", end + 1);
  };
  const takeComment = (end: string): void => {
    const found = code.indexOf(end, at);
    take("comment", found < 0 ? code.length : found + (end === "\n" ? 0 : end.length));
  };
  while (at < code.length) {
    const character = code[at] as string;
    if (code.startsWith("//", at)) takeComment("\n");
    else if (code.startsWith("/*", at)) takeComment("*/");
    else if (character === '"' || character === "'") takeQuoted(character);
    else if (character === "`") takeTemplate();
    else if (character === "/" && startsValue(at)) takeRegex();
    else if (character === "}" && braces.pop() === "template") takeTemplate();
    else {
      if (character === "{") braces.push("code");
      at++;
    }
  }
  return words;
}

/**
 * The code with these kinds of words as blanks, so that what they say is no name. Offsets and lines
 * stay.
 */
export function blank(
  code: string,
  kinds: readonly Words["kind"][] = ["comment", "string", "template", "regex"],
): string {
  const out = code.split("");
  for (const { kind, from, to } of wordsIn(code)) {
    if (!kinds.includes(kind)) continue;
    for (let at = from; at < to; at++) if (out[at] !== "\n") out[at] = " ";
  }
  return out.join("");
}

interface Function {
  name: string;
  /** Where it begins, counted from 1. */
  line: number;
  length: number;
}

/**
 * The functions of the top level with their lengths in lines; those within them count as theirs.
 */
export function functionsIn(text: string): Function[] {
  const rows = blank(text).split("\n");
  return rows.flatMap((row, from) => {
    const [, name = ""] =
      /^(?:export )?(?:async )?function\*? (\w+)/.exec(row) ??
      /^(?:export )?const (\w+)\b.*=> [{(]$/.exec(row) ??
      [];
    const end = rows.findIndex(
      (later, index) =>
        index > from &&
        /^[})]/.test(later) &&
        !/^\)(?:: .*)? \{$/.test(later) &&
        !/^\}.*\) *(?:: .*)?\{$/.test(later),
    );
    return name ? [{ name, line: from + 1, length: (end < 0 ? from : end) - from + 1 }] : [];
  });
}

/** The code without its literals: of a template, without what is put into it too. */
export function withoutLiterals(code: string): string {
  const out = code.split("");
  const templates: number[] = [];
  for (const { kind, from, to } of wordsIn(code)) {
    if (kind === "comment") continue;
    const isOpening = kind === "template" && code[from] === "`";
    if (isOpening) templates.push(from);
    const isClosing = kind === "template" && !code.slice(from, to).endsWith("${");
    const begin = isClosing ? (templates.pop() ?? from) : from;
    for (let at = begin; at < to; at++) if (out[at] !== "\n") out[at] = " ";
  }
  return out.join("");
}

/** One import of a file. */
interface Import {
  /** As it is written: a package, `node:fs`, or `./x.ts`. */
  target: string;
  /** Where it stands, counted from 1. */
  line: number;
  /** The names that it takes and that are there at run time; of a late import, none are known. */
  values: string[];
  /** Whether only types are taken, so that nothing is loaded. */
  isType: boolean;
}

/** What a file imports or passes on, types too, also where it does so late. */
export function importsOf(text: string): Import[] {
  const code = blank(text, ["comment"]);
  const lineOf = (at: number): number => code.slice(0, at).split("\n").length;
  const early = /^(?:import|export)\b(?: (type)\b)?([^"'();]*?)\bfrom "([^"]+)"/gm;
  const bare = /^import "([^"]+)"/gm;
  const late = /(typeof |: *)?\bimport\("([^"]+)"\)(\.[A-Z])?/g;
  const imports: Import[] = [];
  for (const { index, 1: type, 2: what = "", 3: target = "" } of code.matchAll(early)) {
    const names = what
      .replace(/[{}]/g, "")
      .split(",")
      .map((name) => name.trim());
    const values = type ? [] : names.filter((name) => name && !name.startsWith("type "));
    imports.push({ target, line: lineOf(index), values, isType: values.length === 0 });
  }
  for (const { index, 1: target = "" } of code.matchAll(bare))
    imports.push({ target, line: lineOf(index), values: [], isType: false });
  for (const { index, 1: before, 2: target = "", 3: member } of code.matchAll(late)) {
    const isType = before !== undefined || member !== undefined;
    imports.push({ target, line: lineOf(index), values: [], isType });
  }
  return imports;
}
