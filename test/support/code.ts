/**
 * Reads TypeScript as far as the tests of its shape need it: what of a text is code, and which
 * functions it has. It judges nothing.
 */

/**
 * The code with comments, strings, templates' text and regular expressions as blanks, so that words
 * in them are no names. Offsets and lines stay.
 */
export function blank(code: string): string {
  const out = [...code];
  const wipe = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (out[at] !== "\n") out[at] = " ";
  };
  // A slash begins a regular expression where a value may begin: after an operator, an opening
  // bracket, or a word such as return.
  const startsValue = (at: number): boolean =>
    /(?:^|[=(,:;[!&|?{}+>%*<-]|\b(?:return|typeof|case|of|in))\s*$/.test(
      code.slice(Math.max(0, at - 40), at),
    );
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

interface Function {
  name: string;
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
    return name ? [{ name, length: (end < 0 ? from : end) - from + 1 }] : [];
  });
}
