/** --attach: waiting for the verification that the unit runs, in place of one's own. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  merge,
  type Result,
  readIfThere,
  type Settings,
  unprivilegedUid,
  until,
} from "../support/harness.ts";
import { type Host, onHost, twoReleases, withHost } from "../support/played-host.ts";
import { first, second, showOf, unitOf } from "../support/units.ts";

describe("--attach", { concurrency: 2 }, () => {
  const verifying = "cytube-verify@prod.service";
  const ofUnit = { process: { unit: "cytube-bot.service", pidFile: null } };
  const lines = (host: Host): number => readIfThere(host.at("asked")).split("\n").length;

  /** A host on which systemd says that a verification runs. */
  function busyHost(invocation: string, over: Settings = {}): Host {
    const host = twoReleases(merge(onHost, over));
    host.configure(merge({ process: { unit: "cytube-bot.service" } }, over));
    writeFileSync(host.file, readFileSync(host.file, "utf8").replace(/\n {2}pidFile: .*/, ""));
    writeFileSync(
      host.at(`units/${verifying}`),
      showOf(
        unitOf({
          Id: verifying,
          ActiveState: "activating",
          SubState: "start",
          InvocationID: invocation,
        }),
      ),
    );
    writeFileSync(
      host.at("units/cytube-bot.service"),
      showOf(
        unitOf({ ActiveState: "inactive", SubState: "dead", MainPID: "0", InvocationID: second }),
      ),
    );
    return host;
  }
  const finishUnit = (host: Host): void => {
    writeFileSync(
      host.at("units/next"),
      showOf(unitOf({ Id: verifying, ActiveState: "inactive", SubState: "dead" })),
    );
    renameSync(host.at("units/next"), host.at(`units/${verifying}`));
  };

  /** A real record, as the unit's verification would append it. */
  async function recordOf(invocation: string, switches: string[] = []): Promise<string> {
    let line = "";
    await withHost(twoReleases(), async (host) => {
      host.deploy("r2", ...switches);
      await host.start();
      await host.verify([], { env: { INVOCATION_ID: invocation } });
      line = readFileSync(host.at("verify.jsonl"), "utf8");
    });
    return line;
  }

  for (const args of [[], ["--attach"]]) {
    test(`${args.join(" ") || "without a flag"} follows the verification of the unit, and exits with its code`, async () => {
      const host = busyHost(first);
      const record = await recordOf(first, ["--field=connected=false"]);
      const running = host.run([...args, "--json"]);
      await until("the unit has been asked about", () => lines(host) > 3);
      writeFileSync(host.at("verify.jsonl"), record);
      finishUnit(host);
      const run = await running;
      assert.equal(run.code, 2, run.stderr);
      assert.match(
        run.stderr,
        /cytube-verify@prod\.service is verifying this bot already; waiting for its verdict \(--no-attach runs beside it\)/,
      );
      assert.deepEqual(run.json, JSON.parse(record));
      assert.deepEqual(
        [host.records.length, host.flags],
        [1, []],
        "it appends no record and leaves no flag of its own",
      );
    });
  }

  test("--attach exits 70 where the unit's verification ends without a record", async () => {
    const host = busyHost(first);
    const running = host.run(["--attach"]);
    await until("the unit has been asked about", () => lines(host) > 3);
    finishUnit(host);
    const run = await running;
    assert.deepEqual([run.code, run.stdout], [70, ""], run.stderr);
    assert.match(
      run.stderr,
      /cytube-verify@prod\.service ended without a record; see journalctl -u cytube-verify@prod\.service/,
    );
  });

  test("without a flag, a verification that ends without a record is done again here", async () => {
    const host = busyHost(first);
    const running = host.run([]);
    await until("the unit has been asked about", () => lines(host) > 3);
    finishUnit(host);
    const run = await running;
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /^initial checks …$/m);
    assert.equal(host.records.length, 1);
  });

  test("--no-attach and a selection of checks run beside it", async () => {
    const host = busyHost(first);
    for (const args of [["--no-attach"], ["--only", "process"]]) {
      const run = await host.run(args);
      assert.equal(run.code, 1, run.stderr);
      assert.doesNotMatch(run.stderr, /waiting for its verdict/);
    }
    assert.equal(host.records.length, 2);
  });

  test("--attach takes the verdict of the present start, where the unit has ended already", async () => {
    const host = busyHost(first);
    finishUnit(host);
    const record = JSON.parse(await recordOf(first)) as Result & { identity: Settings };
    writeFileSync(
      host.at("verify.jsonl"),
      `${JSON.stringify({ ...record, identity: { ...record.identity, invocation: second } })}\n`,
    );
    const run = await host.run(["--attach", "--json"]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json?.run, record.run);
  });

  test("--attach exits 75 where no verification begins within 10 s", async () => {
    const host = busyHost(first);
    finishUnit(host);
    const run = await host.run(["--attach"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(
      run.stderr,
      /did not begin within 10 s; is the hook of cytube-bot\.service installed\?/,
    );
    assert.ok(run.ms > 10_000 && run.ms < 20_000, `${run.ms} ms`);
  });

  test("--attach exits 78 where the bot has no unit, and where systemd cannot be asked", async () => {
    const plain = twoReleases();
    const run = await plain.run(["--attach"]);
    assert.equal(run.code, 78, run.stderr);
    assert.match(run.stderr, /--attach needs process\.unit/);
    const host = busyHost(first);
    rmSync(host.at(`units/${verifying}`));
    const blind = await host.run(["--attach"]);
    assert.equal(blind.code, 78, blind.stderr);
    assert.match(blind.stderr, /Cannot read unit "cytube-verify@prod\.service"/);
  });

  test("exits 77 where a verification runs whose record may not be read", async () => {
    const host = busyHost(first, ofUnit);
    writeFileSync(host.at("verify.jsonl"), "", { mode: 0o600 });
    writeFileSync(host.at("asked"), "", { mode: 0o666 });
    chmodSync(host.at("asked"), 0o666);
    const run = await host.run([], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /A verification runs, but its record could not be read: EACCES/);
  });
});
