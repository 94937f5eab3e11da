/** Where a value stands in a JSON document, and what is taken for a time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInstant, valueAt } from "../lib/http.ts";

test("valueAt() answers the examples of RFC 6901", () => {
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
  };
  const examples: [string, unknown][] = [
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ];
  for (const [pointer, value] of examples)
    assert.deepEqual(valueAt(document, pointer), value, pointer);
  assert.equal(valueAt({ "~1": 1 }, "/~01"), 1);
});

test("valueAt() finds nothing where a document has nothing, prototypes included", () => {
  const document = { foo: ["bar"], text: "abc", none: null, __proto__: { inherited: 1 } };
  const absent = [
    "/missing",
    "/foo/1",
    "/foo/-",
    "/foo/01",
    "/foo/length",
    "/text/0",
    "/text/length",
    "/none/x",
    "/inherited",
  ];
  absent.push("/__proto__", "/constructor", "/toString", "/foo/constructor", "/foo/map");
  for (const pointer of absent) assert.equal(valueAt(document, pointer), undefined, pointer);
  assert.equal(valueAt(document, "/none"), null);
  assert.equal(valueAt(JSON.parse('{"__proto__":{"x":1}}'), "/__proto__/x"), 1);
});

test("parseInstant() reads epoch seconds, epoch milliseconds and ISO 8601", () => {
  const at = Date.UTC(2026, 10, 21, 21, 4, 26);
  for (const value of [
    at / 1000,
    at,
    String(at / 1000),
    String(at),
    "2026-11-21T21:04:26Z",
    "2026-11-21T21:04:26.000Z",
    "2026-11-21T16:04:26-05:00",
  ])
    assert.equal(parseInstant(value), at, String(value));
  assert.equal(parseInstant(at / 1000 + 0.5), at + 500);
  // SQLite's CURRENT_TIMESTAMP is UTC and does not say so.
  assert.equal(parseInstant("2026-11-21 21:04:26"), at);
  assert.equal(parseInstant("2026-11-21 21:04:26.500"), at + 500);
});

test("parseInstant() takes nothing else for a time", () => {
  for (const value of [
    undefined,
    null,
    true,
    {},
    [],
    "",
    "never",
    "just now",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    0,
    "tick 7",
    "user 12",
  ])
    assert.equal(parseInstant(value), null, JSON.stringify(value));
});
