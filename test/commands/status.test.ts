/** status: the standing of a release, and waiting for a verdict. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { programFor, type Settings } from "../support/harness.ts";
import { twoReleases, withHost } from "../support/played-host.ts";

const timers = (next: number): string =>
  JSON.stringify([{ next: next * 1000, left: 1, unit: "cytube-burnin@prod.timer" }]);

describe("status", { concurrency: 2 }, () => {
  test("before any verdict: a candidate, exit 75", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const run = await host.run(["status"]);
      assert.equal(run.code, 75, run.stderr);
      assert.match(
        run.stdout,
        /^prod: candidate\n {2}bot {11}pid \d+ runs\n {2}release {7}r2, candidate\n {2}next tick {5}none: /,
      );
    }));

  test("after a pass: verified, exit 0, with the next tick of the timer", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      assert.equal((await host.verify()).code, 0);
      writeFileSync(host.at("timers.json"), timers(Date.UTC(2030, 0, 1)));
      const run = await host.run(["status"]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stdout, /^prod: verified\n/);
      assert.match(run.stdout, /^ {2}passed {8}.* ago \(20/m);
      assert.match(
        run.stdout,
        /^ {2}last verdict {2}(pass|warn), exit 0, [^,]* ago \([^,]*\) by \S+$/m,
      );
      assert.match(run.stdout, /^ {2}next tick {5}2030-01-01T00:00:00\.000Z$/m);
      const json = (await host.run(["status", "--json"])).json as unknown as Settings;
      assert.deepEqual(
        [json.standing, json.judged, json.releaseId, json.exit, json.nextTick],
        ["verified", true, "r2", 0, "2030-01-01T00:00:00.000Z"],
      );

      // A start that nobody has verified is none of that verdict.
      await host.start();
      const restarted = await host.run(["status"]);
      assert.equal(restarted.code, 75, restarted.stdout);
      assert.match(
        restarted.stdout,
        /r2, unverified: it has passed before, but this start is unverified$/m,
      );
      assert.match(restarted.stdout, /^ {2}last verdict {2}.*, of an earlier start$/m);

      // And a deployment of the same id is another release.
      host.deploy("r2");
      assert.match((await host.run(["status"])).stdout, /^prod: candidate\n/);
    }));

  test("after a failure: the check's code, and after a rollback: quarantined", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      await host.start();
      assert.equal((await host.verify()).code, 2);
      const failed = await host.run(["status"]);
      assert.equal(failed.code, 2, failed.stderr);
      assert.match(failed.stdout, /^prod: candidate\n[\s\S]*last verdict {2}fail, exit 2, /);
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      const left = await host.run(["status"]);
      assert.equal(left.code, 2, left.stderr);
      assert.match(
        left.stdout,
        /^prod: quarantined\n[\s\S]*^ {2}quarantined {3}.* ago \(.*\), for connection$/m,
      );
    }));

  test("of a bot that is down says so, exit 75", async () => {
    const host = twoReleases();
    const run = await host.run(["status"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stdout, /^ {2}bot {11}there is no pid file$/m);
    assert.match(run.stdout, /^ {2}release {7}r2, candidate$/m);
  });

  /** Lets the program's own clock run so many times faster; the waits stay as they are. */
  const hurried = (times: number): string[] => {
    const script = `const now = performance.now.bind(performance); performance.now = () => now() * ${times};`;
    return [
      process.execPath,
      "--import",
      `data:text/javascript,${encodeURIComponent(script)}`,
      programFor(undefined),
    ];
  };

  test("--wait returns with the verdict of the present start", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      const [waited, verified] = await Promise.all([
        host.run(["status", "--wait", "--release", "r2"]),
        host.verify(),
      ]);
      assert.deepEqual([waited.code, verified.code], [0, 0], waited.stdout);
      assert.match(waited.stdout, /^prod: verified$/m);
    }));

  test("--wait exits 124 where no verdict comes in time, or only one of another release", async () =>
    withHost(twoReleases(), async (host) => {
      const over = { limits: { checksSecondsMax: 20 } };
      await host.start({}, over);
      assert.equal((await host.verify()).code, 0);
      const other = await host.run(["status", "--wait", "--release", "r1"], {
        program: hurried(40),
      });
      assert.equal(other.code, 124, other.stdout);
      await host.start({}, over);
      const none = await host.run(["status", "--wait"], { program: hurried(40) });
      assert.equal(none.code, 124, none.stdout);
    }));
});
