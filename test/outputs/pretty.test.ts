/** What a person reads at the end of a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderPretty } from "../../lib/outputs/pretty.ts";
import { STATUSES } from "../../lib/vocabulary.ts";
import { assertGolden } from "../support/harness.ts";
import { hostile } from "../support/hostile-text.ts";
import { findingOf, fixed } from "../support/result.ts";

test("renderPretty() lays out every status, with and without colour", () => {
  assertGolden("pretty.txt", renderPretty(fixed, false));
  const colour = renderPretty(fixed, true);
  assertGolden("pretty-colour.txt", colour.replaceAll("\u001b", "ESC"));
  assert.equal(colour.replace(/\u001b\[[\d;]*m/g, ""), renderPretty(fixed, false));
});

test("renderPretty() shows every verdict and every status", () => {
  for (const verdict of ["pass", "warn", "fail", "unknown", "aborted"] as const)
    assert.match(
      renderPretty({ ...fixed, verdict }, false),
      new RegExp(`^${verdict.toUpperCase()}  exit 3`, "m"),
    );
  for (const status of STATUSES)
    assert.match(
      renderPretty({ ...fixed, findings: [findingOf("process", status)] }, false),
      new RegExp(`^  ${status === "fail" ? "FAIL" : status}\\s+process`, "m"),
    );
});

test("renderPretty() says so when no bot was found", () =>
  assert.match(renderPretty({ ...fixed, identity: null }, false), /^bot not found$/m));

test("renderPretty() counts one in the singular, and leaves units alone", () => {
  for (const [unit, shown] of Object.entries({
    users: "1 user",
    errors: "1 error",
    ms: "1 ms",
    s: "1 s",
    MB: "1 MB",
  }))
    assert.ok(
      renderPretty(
        { ...fixed, findings: [findingOf("database", "pass", { measured: 1, unit })] },
        false,
      ).includes(` ${shown} `),
      unit,
    );
});

test("renderPretty() lets nothing reach a terminal that moves its cursor", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const part = {
        part: text,
        status: "warn" as const,
        says: `${text}!`,
        measured: text,
        limit: text,
        unit: null,
        evidence: [text],
        hint: text,
      };
      const finding = findingOf("process", "fail", {
        says: text,
        measured: text,
        limit: text,
        evidence: [text],
        hint: text,
        parts: [part],
      });
      const shown = renderPretty(
        {
          ...fixed,
          env: text,
          host: text,
          config: text,
          action: text,
          notes: [text],
          findings: [finding],
          identity: fixed.identity && { ...fixed.identity, version: text },
        },
        false,
      );
      assert.doesNotMatch(shown.replaceAll("\n", ""), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      assert.equal(
        shown.split("\n").length,
        renderPretty(
          {
            ...fixed,
            notes: ["x"],
            findings: [
              {
                ...finding,
                says: "a",
                evidence: ["b"],
                hint: text && "c",
                parts: [{ ...part, says: "d" }],
              },
            ],
          },
          false,
        ).split("\n").length,
      );
    }),
    { numRuns: 200 },
  );
});
