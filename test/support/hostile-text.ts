/**
 * Text that a bot, a user or another program may have chosen, for whatever must stay one line or
 * leave a terminal alone.
 */
import fc from "fast-check";

export const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "\u001b",
      "\u001b[31m",
      "\u001b]0;title\u0007",
      "\r",
      "\n",
      "\u009b",
      "\u202e",
      "\u0000",
      "\u007f",
    ),
    fc.string({ maxLength: 3 }),
  ),
  maxLength: 12,
});

export const hostileText = "a\u001b[31mb\r\n::error::c\u009b%0A\u202e";
