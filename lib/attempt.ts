/**
 * How a failure is carried: a mistake of the person's (UserError), a look that could not be made
 * (Unobservable), or nothing.
 * Any other error is a defect of this program, and none of these functions hides one.
 */

/** An error of the person's making; `code` is the exit status, and the message says what to do. */
export class UserError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Thrown by a probe that could not look, as opposed to one that looked and saw something bad. */
export class Unobservable extends Error {
  readonly hint: string | null;
  constructor(why: string, hint: string | null = null) {
    super(why);
    this.hint = hint;
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
/** The error's code, such as ENOENT, or "". */
export const codeOf = (error: unknown): string =>
  error instanceof Object && "code" in error && typeof error.code === "string" ? error.code : "";

/**
 * Null where reading throws: what vanishes between two looks, belongs to another user, or is
 * malformed.
 */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

export type Observed<T> =
  | { seen: true; value: T }
  | { seen: false; why: string; hint: string | null }; // What was seen, or why it was not.

/**
 * Runs one probe. An `Unobservable` becomes a slice that says why; anything else is a defect and
 * passes through.
 */
export async function observe<T>(probe: () => T | Promise<T>): Promise<Observed<T>> {
  try {
    return { seen: true, value: await probe() };
  } catch (error) {
    if (!(error instanceof Unobservable)) throw error;
    return { seen: false, why: error.message, hint: error.hint };
  }
}
