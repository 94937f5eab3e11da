/** Words for people: how long something took, and which word was meant. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestWord, spanOf } from "../lib/text.ts";
import { CHECK_NAMES } from "../lib/vocabulary.ts";

test("spanOf() uses two units at most", () => {
  const spans: [number, string][] = [
    [0, "0 ms"],
    [0.0301, "30 ms"],
    [1, "1 s"],
    [59.4, "59.4 s"],
    [60, "1 min"],
    [90, "1 min 30 s"],
    [3600, "1 h"],
    [93_784, "1 d 2 h"],
    [86_400, "1 d"],
  ];
  for (const [seconds, shown] of spans) assert.equal(spanOf(seconds), shown);
});

test("spanOf() never says 60 of a unit that has 60", () => {
  for (const seconds of [59.6, 59.96, 59.999, 0.9996, 3599.6, 86_399.7])
    assert.doesNotMatch(spanOf(seconds), /\b(60 s|60 min|24 h|1000 ms)\b/, String(seconds));
});

test("nearestWord() finds a slip of the finger and leaves strangers alone", () => {
  assert.equal(nearestWord("proces", CHECK_NAMES), "process");
  assert.equal(nearestWord("PROCESS", CHECK_NAMES), "process");
  assert.equal(nearestWord("memroy_usage", CHECK_NAMES), "memory_usage");
  assert.equal(nearestWord("qqqqqqqqqqqqqqq", CHECK_NAMES), null);
  assert.equal(nearestWord("x", []), null);
});
