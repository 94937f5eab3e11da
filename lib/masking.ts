/**
 * Takes secrets out of text: the values that are known, in every spelling, and what looks like one.
 * It wants text as it will be printed, and is no guard against a secret that a later step puts
 * together again.
 */

import {
  BARE,
  BARE_LINE,
  BASE64,
  BASE64_IN_PATH,
  BASIC,
  COOKIES,
  COUNT,
  ELEMENT,
  ENTITY,
  ESCAPE,
  HARMLESS,
  IN_BACKTICKS,
  IN_CURLY,
  IN_DOUBLE,
  IN_SINGLE,
  INVISIBLE,
  KEYED,
  NESTED,
  NESTED_STRING,
  OPENING,
  PARAMETERS,
  PERCENT_BUT_BLANKS,
  PERCENT_OR_PLUS,
  SCHEME,
  SECRET_KEY,
  SHAPES,
} from "./masking-patterns.ts";

// A secret is first overwritten in place, each character by HIDDEN, so that later rules and decoded
// views keep their offsets; runs of HIDDEN become `***` at the very end. Line breaks are never
// overwritten, so masked lines stay apart.

const HIDDEN = "\uffff"; // A Unicode noncharacter: it has no business in any text.
const KNOWN_LENGTH_MIN = 4; // Shorter known values ("on", "42") would blot out half of every line.
// JSON in JSON in base64 is met in practice; a further layer only costs time on hostile text.
const VIEW_DEPTH_MAX = 3;
// Real text is stable after two rounds, for a mask can close what a value had seemed to end at.
// Text that is not stable was built to evade, and is hidden whole.
const ROUNDS_MAX = 4;
const hide = (text: string): string =>
  /[\r\n]/.test(text) ? text.replace(/[^\r\n]/g, HIDDEN) : HIDDEN.repeat(text.length);
const decodeBase64 = (run: string): string => Buffer.from(run, "base64").toString();
/** Only what decodes to user:password is one; "basic authentication" is not. */
const hideUserPassword = (run: string): string =>
  /^[\x20-\x7e\u00a0-\ufffc]*:/.test(decodeBase64(run)) ? hide(run) : run;
const hideString = (all: string, quote: string, content: string, tail: string): string =>
  tail.endsWith(":") ? all : quote + hide(content) + tail;
/** Which pattern says where a quoted value ends. */
const QUOTED: Readonly<Record<string, RegExp>> = {
  '"': IN_DOUBLE,
  "'": IN_SINGLE,
  "`": IN_BACKTICKS,
  "“": IN_CURLY,
  "„": IN_CURLY,
};
// A word that names a secret, and up to 80 characters before it.
type Key = { word: string; isCounted: boolean; sign: string; before: string };
/** What a sticky pattern matches at a place, or "". */
function readAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

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
  const opening = sign === ">" ? "" : readAt(OPENING, text, at);
  const isHeader = /^authori/i.test(word);
  const scheme = isHeader ? readAt(SCHEME, text, at + opening.length) : "";
  const start = at + opening.length + scheme.length;
  const bare = bareEndOf({ word, isCounted, sign, before });
  const special = QUOTED[opening.slice(-1)] ?? specialEndOf(word) ?? bare;
  const run = readAt(special, text, start) || (opening ? "" : readAt(bare, text, start));
  const value = opening ? run : trimRun(run);
  const isHarmless = HARMLESS.test(value) || (isCounted && COUNT.test(value));
  return { start, value: isHarmless ? "" : value };
}

/** Where a value without quotes ends. */
function bareEndOf({ isCounted, sign, before }: Key): RegExp {
  if (sign === ">") return ELEMENT;
  const isLine = sign === ":" && !isCounted && /(?:^|[\r\n])[ \t]*(?:- )?[\w.-]*$/.test(before);
  return isLine ? BARE_LINE : BARE;
}

/** Where the value of a key with a form of its own ends, or null. */
function specialEndOf(word: string): RegExp | null {
  if (/^authori/i.test(word)) return PARAMETERS;
  return /^cookie$/i.test(word) ? COOKIES : null;
}

/** The end of a sentence is not part of the secret, nor is, in a URL, the rest of a sentence. */
const trimRun = (run: string): string =>
  run.replace(/(?!^)[.:,]{1,8}$/, "").replace(/^(\w+)[,.]?%20.*/s, "$1");

/** Hides what follows a key that names a secret, in whatever notation. */
function hideKeyed(text: string): string {
  let out = "";
  let done = 0;
  for (const { 0: all, 1: word = "", 2: ending, 3: sign = "", index } of text.matchAll(KEYED)) {
    if (index < done) continue;
    const at = index + all.length;
    const before = (index > 80 ? "\0" : "") + text.slice(Math.max(0, index - 80), index);
    const isCounted = ending !== "" || (/^pass$/i.test(word) && !/[\w.-]$/.test(before));
    const key = { word, isCounted, sign, before };
    if (!hasValue(key, text.slice(at, at + 2))) continue;
    const nested = readAt(NESTED, text, at);
    const { start, value } = nested ? { start: at, value: nested } : findValue(text, at, key);
    const hidden = nested ? nested.replace(NESTED_STRING, hideString) : hide(value);
    out += text.slice(done, start) + hidden;
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
const VIEWS: readonly { unit: RegExp; decode: (unit: string) => string }[] = [
  { unit: ESCAPE, decode: decodeEscape },
  { unit: PERCENT_BUT_BLANKS, decode: decodePercent },
  { unit: ENTITY, decode: decodeEntity },
  { unit: INVISIBLE, decode: () => "" },
  { unit: BASE64, decode: decodeReadable },
  { unit: BASE64_IN_PATH, decode: decodeReadable },
  { unit: PERCENT_OR_PLUS, decode: decodePercent },
];

function hideThrough(
  text: string,
  { unit, decode }: (typeof VIEWS)[number],
  hideIn: (text: string) => string,
): string {
  const decoded = text.replace(unit, (match) => decode(match));
  const seen = decoded === text ? text : hideIn(decoded);
  if (seen === decoded) return text;
  let out = "";
  let done = 0;
  let offset = 0;
  for (const { 0: match, index } of text.matchAll(unit)) {
    // Up to here both texts are the same, but for what was hidden.
    const start = offset + index - done;
    const end = start + decode(match).length;
    const isHidden = seen.slice(start, end).includes(HIDDEN);
    out += seen.slice(offset, start) + (isHidden ? hide(match) : match);
    done = index + match.length;
    offset = end;
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

/** The known values in every spelling that is looked for, the longest first. */
function needlesOf(known: readonly string[]): string[] {
  // A value of several lines is also looked for line by line, because logs print it so.
  const values = known.flatMap((value) => [
    value,
    value.trim(),
    ...value.split(/[\r\n]+/).map((line) => line.trim()),
  ]);
  const forms = values.flatMap((value) => [value, value.normalize("NFC"), value.normalize("NFD")]);
  const spelt = forms.filter((value) => value.length >= KNOWN_LENGTH_MIN).flatMap(spell);
  return [...new Set(spelt)].sort((a, b) => b.length - a.length);
}

/**
 * Replaces each secret in a text by `***` and leaves the rest of the line: known values in every
 * encoding, and what looks like a secret, also where encodings stand within each other.
 */
export function maskOf(known: readonly string[]): (text: string) => string {
  const needles = needlesOf(known);
  const hideIn = (text: string, depth: number): string => {
    let out = text;
    for (const needle of needles) out = out.replaceAll(needle, hide(needle));
    out = hidePrivateKeys(out).replace(BASIC, hideUserPassword);
    for (const shape of SHAPES) out = out.replace(shape, hide);
    out = hideKeyed(out);
    if (depth === VIEW_DEPTH_MAX) return out;
    for (const view of VIEWS) {
      out = hideThrough(out, view, (decoded) => hideIn(decoded, depth + 1));
    }
    return out;
  };
  return (text) => {
    let out = text;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const next = hideIn(out, 0).replace(/\uffff+/g, "***");
      if (next === out) return out;
      out = next;
    }
    return out.replace(/[^\r\n]+/g, "***");
  };
}

/**
 * Copies plain JSON data with every string and object key masked, and everything hidden that stands
 * under a secret's key.
 */
export function maskDeep<T>(value: T, mask: (text: string) => string): T {
  const copy = (part: unknown, isSecret: boolean): unknown => {
    if (typeof part === "string") return isSecret && !HARMLESS.test(part) ? "***" : mask(part);
    if (typeof part === "number") return isSecret ? "***" : part;
    if (Array.isArray(part)) return part.map((item) => copy(item, isSecret));
    if (part === null || typeof part !== "object") return part;
    const copies = new Map<string, unknown>();
    for (const [key, item] of Object.entries(part)) {
      let name = mask(key);
      while (copies.has(name)) name += "*"; // Two masked keys must not become one.
      const [, plural] = SECRET_KEY.exec(key) ?? [];
      const isCount =
        typeof item !== "object" &&
        (plural !== "" || /^pass$/i.test(key)) &&
        COUNT.test(String(item));
      copies.set(name, copy(item, isSecret || (plural !== undefined && !isCount)));
    }
    return Object.fromEntries(copies);
  };
  return copy(value, false) as T;
}
