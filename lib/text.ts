/**
 * Text for people: spans of time, cuts, plurals, and what makes foreign text harmless on a
 * terminal. It knows no secrets; see masking.
 */

import { stripVTControlCharacters } from "node:util";
import { distance } from "fastest-levenshtein";
import { round } from "./numbers.ts";

/** A moment in epoch milliseconds as ISO 8601, in UTC. Throws where it is none. */
export function isoOf(at: number): string {
  return new Date(at).toISOString();
}

/** The word of `words` nearest to `word` by edit distance, for "did you mean". */
export function nearestWord(word: string, words: readonly string[]): string | null {
  const scored = words.map((candidate) => ({
    candidate,
    far: distance(word.toLowerCase(), candidate.toLowerCase()),
  }));
  const [best] = scored.sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(3, word.length / 2) ? best.candidate : null;
}

/**
 * Cuts at a blank: half of a URL or of a token would no longer look like the secret that it holds.
 */
export function cutText(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  return `${text.slice(0, lengthMax).replace(/\S*$/, "")}…`;
}

// The units of a span with their seconds, from the longest.
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** `93784` seconds as `1 d 2 h`; two units are enough to act on. */
export function spanOf(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  if (ms < 1000) return `${ms} ms`;
  if (round(seconds) < 60) return `${round(seconds)} s`;
  const total = Math.round(seconds);
  const index = UNITS.findIndex(([, size]) => total >= size);
  const [unit, size] = UNITS[index] ?? ["min", 60];
  const [smallUnit, smallSize] = UNITS[index + 1] ?? ["s", 1];
  const rest = Math.floor((total % size) / smallSize);
  return `${Math.floor(total / size)} ${unit}${rest ? ` ${rest} ${smallUnit}` : ""}`;
}

/** A character as JavaScript would write it in a string, by its number. */
function escapeOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length > 4) return `\\u{${hex}}`;
  if (hex.length > 2) return `\\u${hex.padStart(4, "0")}`;
  return `\\x${hex.padStart(2, "0")}`;
}

/**
 * Renders text harmless for a terminal: escape sequences go, what else is invisible or moves the
 * cursor becomes visible.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escapeOf);
}

/** A count with its noun: `1 line`, `2 lines`, `2 processes`. */
export function plural(count: number, noun: string): string {
  if (count === 1) return `${count} ${noun}`;
  return `${count} ${noun}${/[sx]$/.test(noun) ? "es" : "s"}`;
}

/**
 * Shows a value of the health document as it stood there, shortened: `"false"` with its quotes is
 * not `false`.
 */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  return JSON.stringify(value)?.slice(0, 80) ?? String(value);
}
