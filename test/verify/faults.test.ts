import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { faults, plannedTitles, playFault, playLookAlike } from "../support/faults.ts";
import { buildOnce } from "../support/harness.ts";

/** What this program was built to find, in the words in which it was asked for. */
const planned =
  "process gone · zombie · two bots match · restarted during the watch (also within one second, also with the pid reused) · frozen by SIGSTOP · crash loop · " +
  "database missing (and not created by looking) · not a database · corrupt page · locked exclusively · unreadable · no expected tables · " +
  "WAL beside a running bot as another user · health refused · accepts and never answers · one byte a second · 500 · 503 while starting, then fine · " +
  '200 with HTML · broken JSON · 200 with status "down" · 50 MB body · endless redirect · connected false / "false" / missing / heartbeat stale · ' +
  "response time average over the limit · one slow sample that only the tail shows (warns) · users 0, missing, negative, text · " +
  "memory over the limit in the bot, in its child · a leak during the watch (warns; fails once over the limit) · " +
  "an ERROR line, CRITICAL, a traceback, an error 6 minutes old (passes), the word ERROR in a user's chat (passes), `0 errors` (passes), " +
  "ANSI-coloured level, NUL bytes, 10 MB line, log rotated in the middle, log truncated in the middle, unreadable log · " +
  "wrong environment, wrong channel, `#room` against `room` (equal), both missing (unknown), declared off (off, and listed) · " +
  "config: unknown key, wrong type, wrong unit, missing file, unknown environment, YAML error (78 with line and column) · " +
  "log file not writable, disk full (73, and the verdict still printed) · two verifications at once (both finish, both logged) · " +
  "stdout closed early (`| head -1`) · no TTY, `TERM=dumb`, 0 columns, NO_COLOR · " +
  "terminal escapes in the channel name and in log lines (never reach the terminal raw) · " +
  "a password in a log line, in a URL, in the config (never in any output; fuzz it)";

test("the table of faults begins with what was planned, in that order", () => {
  assert.equal(plannedTitles.join(" · "), planned);
});

test("each fault has a name of its own", () => {
  assert.equal(new Set(faults.map(({ name }) => name)).size, faults.length);
});

// Scenes mostly wait, so several are played at once; timing is judged elsewhere, on a machine that
// does nothing else.
describe("the table of faults", { concurrency: 8 }, async () => {
  await buildOnce();
  for (const fault of faults) {
    test(`${fault.name} is found: ${fault.expected.check ?? "exit"} ${fault.expected.status ?? ""} ${fault.expected.exit}`, async () => {
      const { mismatches, run } = await playFault(fault);
      assert.deepEqual(
        mismatches,
        [],
        `${run.stdout.slice(0, 2000)}\n${run.stderr.slice(0, 2000)}`,
      );
    });
    if (!fault.lookAlike) continue;
    test(`the look-alike of ${fault.name} passes: ${fault.lookAlike.what}`, async () => {
      const { mismatches, run } = await playLookAlike(fault);
      assert.deepEqual(
        mismatches,
        [],
        `${run.stdout.slice(0, 2000)}\n${run.stderr.slice(0, 2000)}`,
      );
    });
  }
});
