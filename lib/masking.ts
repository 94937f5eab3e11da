/**
 * Takes secrets out of text: the values that are known, in every spelling, and what looks like one.
 * It wants text as it will be printed, and is no guard against a secret that a later step puts
 * together again.
 */

import { patternOf, patternsOf } from "./shipped.ts";

// A secret is first overwritten in place, each character by HIDDEN, so that later rules and decoded
// views keep their offsets;
// runs of HIDDEN become `***` at the very end. Line breaks are never overwritten, so masked lines
// stay apart.
// As in config/patterns.txt, every regular expression starts at a boundary or is bounded, so that
// hostile text costs linear time.

const HIDDEN = "\uffff"; // A Unicode noncharacter: it has no business in any text.
const KNOWN_LENGTH_MIN = 4; // Shorter known values ("on", "42") would blot out half of every line.
// JSON in JSON in base64 is met in practice; a further layer only costs time on hostile text.
const VIEW_DEPTH_MAX = 3;
const ROUNDS_MAX = 4; // Real text is stable after one round; text that is not was built to evade.
const hide = (text: string): string =>
  /[\r\n]/.test(text) ? text.replace(/[^\r\n]/g, HIDDEN) : HIDDEN.repeat(text.length);
const decodeBase64 = (run: string): string => Buffer.from(run, "base64").toString();
/** Only what decodes to user:password is one; "basic authentication" is not. */
const hideUserPassword = (run: string): string =>
  /^[\x20-\x7e\u00a0-\ufffc]*:/.test(decodeBase64(run)) ? hide(run) : run;
const hideString = (all: string, quote: string, content: string, tail: string): string =>
  tail.endsWith(":") ? all : quote + hide(content) + tail;
/** Which pattern says where a quoted value ends. */
const QUOTED: Readonly<Record<string, string>> = {
  '"': "IN_DOUBLE",
  "'": "IN_SINGLE",
  "`": "IN_BACKTICKS",
  "“": "IN_CURLY",
  "„": "IN_CURLY",
};
// A word that names a secret, and up to 80 characters before it.
type Key = { word: string; isCounted: boolean; sign: string; before: string };
/** What a sticky pattern matches at a place, or "". */
const readAt = (name: string, text: string, at: number): string =>
  Object.assign(patternOf(name), { lastIndex: at }).exec(text)?.[0] ?? "";

/**
 * Whether what stands around a secret's word lets a value follow; `next` is the value's beginning.
 */
function hasValue({ word, sign, before }: Key, next: string): boolean {
  // Base64 may end in "pw==".
  if (word.length < 4 && !/(?:^|[^A-Za-z0-9+/])[A-Za-z]{0,12}$/.test(before)) return false;
  const isOption = /(?:^|[\s"'[(,])--?[\w-]{0,40}$/.test(before);
  if (sign === ",") return isOption;
  if (sign === "" && isOption) return !next.startsWith("-");
  if (sign === "")
    return /^pass\w/i.test(word) ? /^["']/.test(next) : /^(?:requirepass|masterauth)$/.test(word);
  if (sign === ">") return /<[\w:.-]{0,40}$/.test(before);
  // The working directory.
  if (word === "PWD" && /^["']?\//.test(next)) return !/(?:^|\W)(?:OLD)?$/.test(before);
  // A parser's complaint, a file's path before a message (/run/secrets/token: permission denied),
  // the user name of a URL.
  return (
    sign !== ":" ||
    !/unexpected $|(?:^|[\s"'(=])(?:~|\.{1,2})?\/[^\s?"']*$|\/\/[\w.-]*$/i.test(before)
  );
}

/**
 * The secret of a key whose value begins at `at`, and where it starts; empty when it is no secret.
 */
function findValue(
  text: string,
  at: number,
  { word, isCounted, sign, before }: Key,
): { start: number; value: string } {
  const opening = sign === ">" ? "" : readAt("OPENING", text, at);
  const isHeader = /^authori/i.test(word);
  const start =
    at + opening.length + (isHeader ? readAt("SCHEME", text, at + opening.length).length : 0);
  const isLine = sign === ":" && !isCounted && /(?:^|[\r\n])[ \t]*(?:- )?[\w.-]*$/.test(before);
  const bare = sign === ">" ? "ELEMENT" : isLine ? "BARE_LINE" : "BARE";
  const special =
    QUOTED[opening.slice(-1)] ??
    (isHeader ? "PARAMETERS" : /^cookie$/i.test(word) ? "COOKIES" : bare);
  const run = readAt(special, text, start) || (opening ? "" : readAt(bare, text, start));
  // The end of a sentence is not part of the secret, nor is, in a URL, the rest of a sentence.
  const value = opening
    ? run
    : run.replace(/(?!^)[.:,]{1,8}$/, "").replace(/^(\w+)[,.]?%20.*/s, "$1");
  return {
    start,
    value:
      patternOf("HARMLESS").test(value) || (isCounted && patternOf("COUNT").test(value))
        ? ""
        : value,
  };
}

/** Hides what follows a key that names a secret, in whatever notation. */
function hideKeyed(text: string): string {
  let [out, done] = ["", 0];
  for (const { 0: all, 1: word = "", 2: ending, 3: sign = "", index } of text.matchAll(
    patternOf("KEYED"),
  )) {
    if (index < done) continue;
    const at = index + all.length;
    const before = (index > 80 ? "\0" : "") + text.slice(Math.max(0, index - 80), index);
    const isCounted = ending !== "" || (/^pass$/i.test(word) && !/[\w.-]$/.test(before));
    const key = { word, isCounted, sign, before };
    if (!hasValue(key, text.slice(at, at + 2))) continue;
    const nested = readAt("NESTED", text, at);
    const { start, value } = nested ? { start: at, value: nested } : findValue(text, at, key);
    out +=
      text.slice(done, start) +
      (nested ? nested.replace(patternOf("NESTED_STRING"), hideString) : hide(value));
    done = start + value.length;
  }
  return out + text.slice(done);
}

/**
 * A private key's fences say what is between them; beside a lone fence, only what looks like base64
 * is taken.
 */
function hidePrivateKeys(text: string): string {
  if (!text.includes("PRIVATE KEY")) return text;
  const parts = text.split(/(-----(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)/);
  const hidePart = (part: string, i: number): string => {
    const isOpen = parts[i - 1]?.startsWith("-----BEGIN");
    const isClosed = parts[i + 1]?.startsWith("-----END");
    if (i % 2 === 1 || !(isOpen || isClosed)) return part;
    return part.replace(isOpen && isClosed ? /\S+/g : /[A-Za-z0-9+/]{16,}={0,2}/g, hide);
  };
  return parts.map(hidePart).join("");
}

const CODES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  quot: '"',
  apos: "'",
  amp: "&",
  lt: "<",
  gt: ">",
};
const characterOf = (code: string): string => String.fromCharCode(Number(code));
const decodeEscape = (unit: string): string =>
  unit.length > 2 ? characterOf(`0x${unit.slice(2)}`) : (CODES[unit.slice(1)] ?? unit.slice(1));
const decodeEntity = (unit: string): string =>
  CODES[unit.slice(1, -1).toLowerCase()] ?? characterOf(unit.slice(2, -1).replace(/^x/i, "0x"));
const decodePercent = (unit: string): string =>
  unit === "+" ? " " : Buffer.from(unit.replaceAll("%", ""), "hex").toString();
const decodeReadable = (run: string): string =>
  /^[\t\n\r -~\u00a0-\ufffc]+$/.test(decodeBase64(run)) ? `\n${decodeBase64(run)}\n` : run;
/**
 * Other spellings: the text is decoded unit by unit, and a unit is hidden when anything of what it
 * decodes to is.
 */
const VIEWS = Object.entries<(unit: string) => string>({
  ESCAPE: decodeEscape,
  PERCENT_BUT_BLANKS: decodePercent,
  ENTITY: decodeEntity,
  INVISIBLE: () => "",
  BASE64: decodeReadable,
  BASE64_IN_PATH: decodeReadable,
  PERCENT_OR_PLUS: decodePercent,
});

function hideThrough(
  text: string,
  unit: RegExp,
  decode: (unit: string) => string,
  look: (text: string) => string,
): string {
  const decoded = text.replace(unit, (match) => decode(match));
  const seen = decoded === text ? text : look(decoded);
  if (seen === decoded) return text;
  let [out, done, offset] = ["", 0, 0];
  for (const { 0: match, index } of text.matchAll(unit)) {
    // Up to here both texts are the same, but for what was hidden.
    const start = offset + index - done;
    const end = start + decode(match).length;
    out +=
      seen.slice(offset, start) + (seen.slice(start, end).includes(HIDDEN) ? hide(match) : match);
    [done, offset] = [index + match.length, end];
  }
  return out + seen.slice(offset);
}

/**
 * The forms of a known value that no view decodes: hex, and base64 in its three alignments, less
 * the characters shared with neighbours.
 */
function spell(value: string): string[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString("hex");
  const aligned = [0, 1, 2].map((shift) => {
    const run = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return run.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const base64 = [bytes.toString("base64"), ...aligned];
  const base64url = base64.map((run) =>
    run.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
  );
  return [
    value,
    encodeURI(bytes.toString()),
    bytes.toString("latin1"),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64url,
  ];
}

/**
 * Replaces each secret in a text by `***` and leaves the rest of the line: known values in every
 * encoding, and what looks like a secret.
 */
export function maskOf(known: readonly string[]): (text: string) => string {
  // It wants text as it will be printed: a secret that a later step puts together again, such as
  // one with an escape sequence inside, is beyond it.
  // A value of several lines is also looked for line by line, because logs print it so.
  const values = known.flatMap((value) => [
    value,
    value.trim(),
    ...value.split(/[\r\n]+/).map((line) => line.trim()),
  ]);
  const forms = values.flatMap((value) => [value, value.normalize("NFC"), value.normalize("NFD")]);
  const needles = [
    ...new Set(forms.filter((value) => value.length >= KNOWN_LENGTH_MIN).flatMap(spell)),
  ].sort((a, b) => b.length - a.length);
  const shapes = patternsOf("SHAPE");
  const look = (text: string, depth: number): string => {
    let out = needles.reduce((seen, needle) => seen.replaceAll(needle, hide(needle)), text);
    out = hidePrivateKeys(out).replace(patternOf("BASIC"), hideUserPassword);
    out = hideKeyed(shapes.reduce((seen, shape) => seen.replace(shape, hide), out));
    if (depth === VIEW_DEPTH_MAX) return out;
    return VIEWS.reduce(
      (seen, [name, decode]) =>
        hideThrough(seen, patternOf(name), decode, (decoded) => look(decoded, depth + 1)),
      out,
    );
  };
  const lookAgain = (text: string, turns: number): string => {
    if (turns === ROUNDS_MAX) return text.replace(/[^\r\n]+/g, "***");
    const next = look(text, 0).replace(/\uffff+/g, "***");
    return next === text ? text : lookAgain(next, turns + 1);
  };
  return (text) => lookAgain(text, 0);
}

/**
 * Copies plain JSON data with every string and object key masked, and everything hidden that stands
 * under a secret's key.
 */
export function maskDeep<T>(value: T, mask: (text: string) => string): T {
  const copy = (part: unknown, isSecret: boolean): unknown => {
    if (typeof part === "string")
      return isSecret && !patternOf("HARMLESS").test(part) ? "***" : mask(part);
    if (typeof part === "number") return isSecret ? "***" : part;
    if (Array.isArray(part)) return part.map((item) => copy(item, isSecret));
    if (part === null || typeof part !== "object") return part;
    const copies = new Map<string, unknown>();
    for (const [key, item] of Object.entries(part)) {
      let name = mask(key);
      while (copies.has(name)) name += "*"; // Two masked keys must not become one.
      const [, plural] = patternOf("SECRET_KEY").exec(key) ?? [];
      const isCount =
        typeof item !== "object" &&
        (plural !== "" || /^pass$/i.test(key)) &&
        patternOf("COUNT").test(String(item));
      copies.set(name, copy(item, isSecret || (plural !== undefined && !isCount)));
    }
    return Object.fromEntries(copies);
  };
  return copy(value, false) as T;
}
