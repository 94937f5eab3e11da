/**
 * How a mistake in the command line is refused, and how the values of flags are read.
 * It knows no command; which flag takes what stands in flags.ts.
 */

import { UserError } from "../attempt.ts";
import { INVOKED_AS } from "../shipped.ts";
import { nearestWord } from "../text.ts";
import { CHECK_NAMES, type CheckName, EXIT, RELEASE_ID } from "../vocabulary.ts";

/** As many words as a refusal lists; of flags and keys there are more. */
const WORDS_MAX = 12;
/** What a person wrote, and the words that they may have meant; `dashes` stand before those. */
type Misspelt = {
  word: string;
  words: readonly string[];
  dashes?: string;
};

/** The word that was meant, or else all that there are, if they are few. */
function renderWords({ word, words, dashes = "" }: Misspelt): string {
  const near = nearestWord(word, words);
  if (near !== null) return `; did you mean "${dashes}${near}"?`;
  return words.length <= WORDS_MAX
    ? `; there are: ${words.map((known) => dashes + known).join(", ")}`
    : "";
}

/** A mistake in the command line, to be thrown: exit 64, and where to read on. */
export function usageError(message: string, misspelt?: Misspelt): UserError {
  const words = misspelt ? renderWords(misspelt) : "";
  return new UserError(EXIT.usage, `${message}${words}\nTry: ${INVOKED_AS} --help`);
}

/** Reads any text but an empty one. */
export function parseText(flag: string, text: string): string {
  if (!text.trim()) throw usageError(`${flag} is empty`);
  return text;
}

/** Reads names of checks, joined by commas. */
export function parseCheckList(flag: string, text: string): CheckName[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0)
    throw usageError(`${flag} names no check; there are: ${CHECK_NAMES.join(", ")}`);
  const stranger = names.find((name) => !(CHECK_NAMES as string[]).includes(name));
  if (stranger !== undefined)
    throw usageError(`${flag}: there is no check "${stranger}"`, {
      word: stranger,
      words: CHECK_NAMES,
    });
  return names as CheckName[];
}

/** Reads a release's id, which is the name of its directory. */
export function parseReleaseId(flag: string, text: string): string {
  if (!RELEASE_ID.test(text))
    throw usageError(`${flag} "${text}" is not a release: letters, digits, dots, dashes`);
  return text;
}

/** Reads a time; it stays text, because whoever uses it parses it in its own way. */
export function parseTime(flag: string, text: string): string {
  if (Number.isNaN(Date.parse(text)))
    throw usageError(`${flag} "${text}" is no time, such as 2026-11-22T06:00Z`);
  return text;
}

/** Makes the reader of a flag that takes one of a few words. */
export const choiceOf =
  (choices: readonly string[]) =>
  (flag: string, text: string): string => {
    if (!choices.includes(text))
      throw usageError(`${flag} "${text}" is not known`, {
        word: text,
        words: choices,
      });
    return text;
  };
