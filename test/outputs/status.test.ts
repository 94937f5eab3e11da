/** What status and rollback --list print. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BotStatus, renderReleases, renderStatus } from "../../lib/outputs/status.ts";
import { hostileText } from "../support/hostile-text.ts";

test("renderStatus() and renderReleases() let nothing reach a terminal that moves its cursor", () => {
  const passed = {
    at: "2026-11-22T02:00:00.000Z",
    run: "run-1",
    version: hostileText,
    schema: null,
  };
  const quarantined = { at: passed.at, run: "run-1", checks: [hostileText] };
  const last = {
    start: hostileText,
    releaseId: hostileText,
    at: passed.at,
    run: "x",
    verdict: "fail" as const,
    exit: 3,
  };
  const status = {
    v: 1 as const,
    env: "prod",
    bot: hostileText,
    releaseId: hostileText,
    standing: "quarantined",
    judged: true,
    passed,
    quarantined,
    last,
    nextTick: null,
    exit: 3,
  };
  const shown = renderStatus(status as BotStatus, Date.parse("2026-11-22T03:00:00.000Z"));
  const listed = renderReleases([
    { releaseId: "r1", completeAt: 0, current: true, passed, quarantined },
  ]);
  for (const [text, lines] of [
    [shown, 8],
    [listed, 3],
  ] as const) {
    assert.equal(text.split("\n").length, lines, text);
    assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\p{Cf}/u);
  }
  assert.match(shown, /^ {2}last verdict {2}fail, exit 3, 1 h ago \(2026-11-22T02:00:00\.000Z\)$/m);
});
