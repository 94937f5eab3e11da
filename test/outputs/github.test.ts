/** --format github: annotations and the job's summary, which nothing that a bot says may forge. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { renderGithub } from "../../lib/outputs/github.ts";
import type { Result as VerifyResult } from "../../lib/run.ts";
import { hostileText } from "../support/hostile-text.ts";
import { twoReleases, withHost } from "../support/played-host.ts";

test("renderGithub() gives each finding that is wrong one line, and escapes what a workflow would read as a command", () => {
  const finding = {
    check: "process",
    phase: "final",
    measured: null,
    limit: null,
    unit: null,
    evidence: [],
    hint: null,
    parts: [],
  } as const;
  const statuses = ["fail", "unknown", "warn", "pass", "skipped", "off"] as const;
  const findings = statuses.map((status) => ({
    ...finding,
    status,
    says: hostileText,
  })) as unknown as VerifyResult["findings"];
  const text = renderGithub({
    findings,
    verdict: "fail",
    exit: 1,
    action: hostileText,
  } as VerifyResult);
  assert.deepEqual(
    text.split("\n").map((line) => line.replace(/::(?!.*title=).*$/, "")),
    [
      "::error title=process fail",
      "::error title=process unknown",
      "::warning title=process warn",
      "::notice title=cytube-verify",
      "",
    ],
  );
  assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\p{Cf}|%(?!25)/u);
});

describe("--format github", { concurrency: 2 }, () => {
  test("annotates what is wrong on lines of its own, and appends a table to the job's summary", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      writeFileSync(host.at("summary.md"), "# Before\n");
      const run = await host.run(["--format", "github"], {
        env: { GITHUB_STEP_SUMMARY: host.at("summary.md") },
      });
      assert.equal(run.code, 2, run.stderr);
      const lines = run.stdout.trimEnd().split("\n");
      assert.ok(
        lines.length >= 2 &&
          lines.every((line) => /^::(error|warning|notice) title=[\w -]+::\S/.test(line)),
        run.stdout,
      );
      assert.match(run.stdout, /^::error title=connection fail::/m);
      assert.match(lines.at(-1) ?? "", /^::notice title=cytube-verify::fail, exit 2\. Roll back/);
      const summary = readFileSync(host.at("summary.md"), "utf8");
      assert.match(
        summary,
        /^# Before\n### cytube-verify prod: fail \(exit 2\)\n\nRelease 1\.4\.2\. Roll back/,
      );
      assert.match(summary, /^\| fail \| connection \| .* \|$/m);
      for (const row of summary.split("\n").filter((line) => line.startsWith("|")))
        assert.equal(row.split("|").length, 6, row);
    }));

  test("a pass has one notice, and without a summary file nothing is appended", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["--format", "github", "--only", "process"], {
        env: { GITHUB_STEP_SUMMARY: undefined },
      });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(
        run.stdout,
        "::notice title=cytube-verify::pass, exit 0. None; everything that was looked at is within its limits.\n",
      );
    }));

  test("what the bot says forges neither an annotation nor a row of the table", async () =>
    withHost(twoReleases(), async (host) => {
      const hostile =
        "100%25 %0A::error::forged\\r\\n::error title=x::forged | <img src=x> `x` [a](b)";
      writeFileSync(host.at("config.json"), "{}");
      host.deploy("r2");
      await host.start({ field: [`channel="${hostile}"`] });
      const run = await host.run(["--format", "github"], {
        env: { GITHUB_STEP_SUMMARY: host.at("summary.md") },
      });
      assert.equal(run.code, 10, run.stderr);
      for (const line of run.stdout.trimEnd().split("\n"))
        assert.match(line, /^::(error|warning|notice) title=(cytube-verify|[a-z_]+ [a-z]+)::/);
      assert.doesNotMatch(run.stdout, /%(?!25)|\r/);
      assert.match(run.stdout, /100%2525 %250A::error::forged/);
      const summary = readFileSync(host.at("summary.md"), "utf8");
      assert.doesNotMatch(summary, /<img|`x`|\]\(b\)/);
      for (const row of summary.split("\n").filter((line) => line.startsWith("|")))
        assert.equal(row.split("|").length, 6, row);
      assert.match(summary, /forged/);
    }));
});
