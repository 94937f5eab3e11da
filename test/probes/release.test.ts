/** Which release a real process runs from. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readReleaseId } from "../../lib/probes/release.ts";
import { readIfThere, startProcess, until } from "../support/harness.ts";
import { twoReleases } from "../support/played-host.ts";

test("readReleaseId() knows the release by the working directory, also after the switch and the deletion of it", async () => {
  const host = twoReleases();
  const child = startProcess(["sleep", "60"], { cwd: host.at("current") });
  const outside = startProcess(["sleep", "60"], { cwd: host.at("releases") });
  await until("both run", () =>
    [child, outside].every(({ pid }) => readIfThere(`/proc/${pid}/cmdline`).startsWith("sleep")),
  );
  const idOf = (pid: number | undefined): string | null => readReleaseId(host.config, pid ?? null);
  assert.equal(idOf(child.pid), "r2");
  host.point("r1");
  assert.equal(idOf(child.pid), "r2");
  assert.equal(idOf(outside.pid), null);
  assert.equal(idOf(process.pid), null);
  assert.equal(idOf(undefined), null);
  assert.equal(readReleaseId({}, child.pid ?? 0), null);
  for (const started of [child, outside]) started.end();
});
