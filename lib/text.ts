/**
 * Text for people: spans of time, cuts, plurals, and what makes foreign text harmless on a
 * terminal. It knows no secrets; see masking.
 */

import { stripVTControlCharacters } from "node:util";
import { distance } from "fastest-levenshtein";
import { round } from "./numbers.ts";

export const isoOf = (at: number): string => new Date(at).toISOString();

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
export const cutText = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most).replace(/\S*$/, "")}…` : text;

/** `93784` seconds as `1 d 2 h`; two units are enough to act on. */
export function spanOf(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  if (ms < 1000) return `${ms} ms`;
  if (round(seconds) < 60) return `${round(seconds)} s`;
  const total = Math.round(seconds);
  const [big, size, small, part] =
    total >= 86_400
      ? (["d", 86_400, "h", 3600] as const)
      : total >= 3600
        ? (["h", 3600, "min", 60] as const)
        : (["min", 60, "s", 1] as const);
  const rest = Math.floor((total % size) / part);
  return `${Math.floor(total / size)} ${big}${rest ? ` ${rest} ${small}` : ""}`;
}

/**
 * Renders text harmless for a terminal: escape sequences go, what else is invisible or moves the
 * cursor becomes visible.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => {
      const hex = (character.codePointAt(0) ?? 0).toString(16);
      return hex.length > 4
        ? `\\u{${hex}}`
        : hex.length > 2
          ? `\\u${hex.padStart(4, "0")}`
          : `\\x${hex.padStart(2, "0")}`;
    },
  );
}
export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : /[sx]$/.test(noun) ? "es" : "s"}`;
/**
 * Shows a value of the health document as it stood there, shortened: `"false"` with its quotes is
 * not `false`.
 */
export const shown = (value: unknown): string =>
  value === undefined ? "missing" : (JSON.stringify(value)?.slice(0, 80) ?? String(value));
