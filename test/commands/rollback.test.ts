/** rollback and --rollback: the two halves that its unit runs, and what people ask. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  merge,
  programFor,
  readIfThere,
  type Settings,
  unprivilegedUid,
  until,
} from "../support/harness.ts";
import { Host, passedNow, twoReleases, withHost } from "../support/played-host.ts";
import { showOf, unitOf } from "../support/units.ts";

// ---------------------------------------------------------------------------- rollback --switch, rollback --confirm

describe("rollback inside its unit", { concurrency: 2 }, () => {
  test("a bad release is rolled back once, and again only after it was deployed anew", async () =>
    withHost(new Host(), async (host) => {
      host.deploy("r1");
      host.age("r1", 60);
      host.point("r1");
      await host.start();
      assert.equal((await host.verify()).code, 0);
      host.deploy("r2", "--status-code=500");
      host.age("r2", 30);
      host.point("r2");
      await host.start();
      const failed = await host.verify(["--json"]);
      assert.equal(failed.code, 6, failed.stderr);

      const switched = await host.run(["rollback", "--switch"]);
      assert.deepEqual([switched.code, switched.stdout], [0, ""], switched.stderr);
      assert.match(switched.stderr, /^rolling back r2 → r1$/m);
      assert.equal(host.current, "releases/r1");
      assert.deepEqual(host.flags, ["prod.rolling"], "the request is taken");
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.state.rollbacks.length],
        [["r2"], 1],
        "the marker comes first",
      );

      await host.start();
      const confirmed = await host.run(["rollback", "--confirm"]);
      assert.equal(confirmed.code, 0, confirmed.stderr);
      assert.match(
        confirmed.stderr,
        /^Rolled back to r1, which is healthy\. Find out why r2 failed\.$/m,
      );
      assert.deepEqual(host.flags, []);
      const [record] = host.rollbacks;
      assert.equal(host.rollbacks.length, 1);
      assert.deepEqual(
        [
          record?.verdict,
          record?.exit,
          record?.by,
          record?.from,
          record?.to,
          record?.of,
          record?.checks,
          record?.lifted,
        ],
        [
          "pass",
          0,
          "verdict",
          "r2",
          "r1",
          failed.json?.run,
          failed.json?.findings.filter(({ status }) => status === "fail").map(({ check }) => check),
          false,
        ],
      );
      const evidence = (
        record as unknown as {
          failed: { exit: number; findings: { check: string; status: string }[]; series: unknown };
        }
      ).failed;
      assert.deepEqual(
        [evidence.exit, new Set(evidence.findings.map(({ status }) => status)), evidence.series],
        [6, new Set(["fail"]), null],
      );
      assert.equal(host.state.rollbacks.length, 1, "the marker and the record are one rollback");

      // Somebody points current back to it, by hand, without a new deployment.
      host.point("r2");
      await host.start();
      assert.equal((await host.verify()).code, 6);
      const refused = await host.run(["rollback", "--switch"]);
      assert.equal(refused.code, 42, refused.stderr);
      assert.match(
        refused.stderr,
        /^No rollback: r2 was rolled back already .* Nothing was changed; a person has to look\.$/m,
      );
      assert.deepEqual([host.current, host.flags], ["releases/r2", []]);
      assert.deepEqual(
        [host.rollbacks.at(-1)?.verdict, host.rollbacks.at(-1)?.exit],
        ["refused", 42],
      );

      host.deploy("r2", "--status-code=500");
      await host.start();
      assert.equal((await host.verify()).code, 6);
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      assert.equal(host.current, "releases/r1");
    }));

  test("nothing has asked: --switch and --confirm exit 42, and change nothing", async () => {
    const host = twoReleases();
    for (const half of ["--switch", "--confirm"]) {
      const run = await host.run(["rollback", half]);
      assert.equal(run.code, 42, run.stderr);
      assert.match(
        run.stderr,
        /^(Nothing has asked for a rollback|There is no rollback to confirm)/,
      );
    }
    assert.deepEqual([host.current, host.records], ["releases/r2", []]);
  });

  for (const [what, request, code, says, over] of [
    [
      "current has moved on",
      { releaseId: "r1" },
      42,
      /current has moved on: r1 was judged, r2 is current/,
    ],
    ["there is nothing to go to", {}, 40, /there is no other complete release/, "nothing passed"],
    [
      "the schema has changed",
      { schema: "b" },
      42,
      /the database has changed since r1 passed/,
      "schema a",
    ],
    [
      "the release that a person wants is gone",
      { by: "person", to: "r9" },
      42,
      /there is no complete release r9/,
    ],
  ] as [string, object, number, RegExp, string?][]) {
    test(`--switch refuses with ${code}: ${what}`, async () => {
      const host = twoReleases();
      if (over === "nothing passed") host.remember({});
      if (over === "schema a") host.remember({ passed: { r1: { ...passedNow(), schema: "a" } } });
      const before = readIfThere(host.at("state/prod.releases.json"));
      host.request(request);
      const run = await host.run(["rollback", "--switch"]);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, says);
      assert.deepEqual([host.current, host.flags], ["releases/r2", []]);
      assert.deepEqual(
        JSON.parse(readIfThere(host.at("state/prod.releases.json"))),
        JSON.parse(before),
      );
      assert.deepEqual(
        host.rollbacks.map(({ verdict, exit }) => [verdict, exit]),
        [["refused", code]],
      );
    });
  }

  for (const [what, damage] of [
    ["missing", (file: string) => rmSync(file)],
    ["damaged", (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 40))],
  ] as [string, (file: string) => void][]) {
    test(`a state file that is ${what} is built anew from the log`, async () =>
      withHost(new Host(), async (host) => {
        host.deploy("r1");
        host.age("r1", 60);
        host.point("r1");
        await host.start();
        assert.equal((await host.verify()).code, 0);
        host.deploy("r2");
        host.point("r2");
        host.request();
        damage(host.at("state/prod.releases.json"));
        const run = await host.run(["rollback", "--switch"]);
        assert.equal(run.code, 0, run.stderr);
        assert.equal(host.current, "releases/r1");
        assert.deepEqual(
          [Object.keys(host.state.passed), Object.keys(host.state.quarantined)],
          [["r1"], ["r2"]],
        );
      }));
  }

  test("--switch exits 77 where the link's directory cannot be written to, and says so", async () => {
    const host = twoReleases();
    host.request();
    for (const name of ["state", "flags", "flags/prod.rollback", "state/prod.releases.json"])
      chmodSync(host.at(name), name.includes(".") ? 0o666 : 0o777);
    writeFileSync(host.at("verify.jsonl"), "", { mode: 0o666 });
    chmodSync(host.at("verify.jsonl"), 0o666);
    const run = await host.run(["rollback", "--switch"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /cannot be written to \(EACCES: permission denied/);
    assert.deepEqual([host.current, host.flags, host.rollbacks[0]?.exit], ["releases/r2", [], 77]);
  });

  test("--confirm waits for a release that is slow to start", async () =>
    withHost(twoReleases({ rollback: { secondsMax: 15 } }), async (host) => {
      host.deploy("r1", "--starting-ms=2500");
      host.age("r1", 60);
      host.remember({ passed: { r1: passedNow() } });
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start({}, { rollback: { secondsMax: 15 } });
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 0, run.stderr);
    }));

  test("--confirm exits 41 where the old release fails alike, and takes the blame off the new one", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r1", "--status-code=500");
      host.age("r1", 60);
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start();
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(
        run.stderr,
        /Rolled back to r1, which is not healthy either \(exit 6\).*health_endpoint fails with r1 too, so the environment is suspected/,
      );
      assert.deepEqual([host.flags, host.current], [[], "releases/r1"]);
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.rollbacks[0]?.lifted],
        [[], true],
      );
      assert.equal(host.state.rollbacks.length, 1, "it was a rollback all the same");
    }));

  test("--confirm exits 41 where the old release fails in another way, and leaves the blame where it is", async () =>
    withHost(twoReleases(), async (host) => {
      host.deploy("r1", "--field=connected=false");
      host.age("r1", 60);
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      await host.start();
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.doesNotMatch(run.stderr, /suspected/);
      assert.deepEqual(
        [Object.keys(host.state.quarantined), host.rollbacks[0]?.lifted],
        [["r2"], false],
      );
    }));

  test("--confirm exits 41 where the bot still runs from the release that was left", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.request();
      assert.equal((await host.run(["rollback", "--switch"])).code, 0);
      const run = await host.run(["rollback", "--confirm"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(
        run.stderr,
        /not healthy either \(exit 19: the bot was not started again after the switch\)/,
      );
    }));

  test("--confirm exits 41 where no bot runs, within rollback.secondsMax and a few seconds", async () => {
    const host = twoReleases();
    host.request();
    assert.equal((await host.run(["rollback", "--switch"])).code, 0);
    const run = await host.run(["rollback", "--confirm"]);
    assert.equal(run.code, 41, run.stderr);
    assert.ok(run.ms > 2500 && run.ms < 12_000, `${run.ms} ms`);
  });

  const byCommand = (script: string): Settings => ({
    rollback: { auto: true, secondsMax: 3, command: ["sh", "-c", script] },
    release: null,
  });

  test("rollback.command is run in place of the switch, once", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start({}, byCommand(`echo ran >> ${host.at("ran")}`));
      host.request({ releaseId: "1.4.2" });
      const switched = await host.run(["rollback", "--switch"]);
      assert.equal(switched.code, 0, switched.stderr);
      assert.match(switched.stderr, /^rolling back 1\.4\.2 → by rollback\.command$/m);
      assert.deepEqual([readIfThere(host.at("ran")), host.current], ["ran\n", "releases/r2"]);
      const confirmed = await host.run(["rollback", "--confirm"]);
      assert.equal(confirmed.code, 0, confirmed.stderr);
      assert.match(
        confirmed.stderr,
        /Rolled back to what rollback\.command chose, which is healthy/,
      );
      assert.deepEqual(
        [host.flags, host.state.rollbacks.length, Object.keys(host.state.quarantined)],
        [[], 1, ["1.4.2"]],
      );
    }));

  test("rollback.command that fails exits 41, and its complaint is told", async () => {
    const host = twoReleases();
    host.configure(byCommand("echo no such tag >&2; exit 3"));
    host.request({ releaseId: "1.4.2" });
    const run = await host.run(["rollback", "--switch"]);
    assert.equal(run.code, 41, run.stderr);
    assert.match(
      run.stderr,
      /^The rollback failed: rollback\.command exited 3 \(no such tag\)\.$/m,
    );
    assert.deepEqual(host.flags, []);
    assert.deepEqual(
      host.rollbacks.map(({ verdict, exit, from }) => [verdict, exit, from]),
      [["fail", 41, "1.4.2"]],
    );
  });
});

// ---------------------------------------------------------------------------- what people ask for

/**
 * What the unit does when it is started: both halves, and between them the restart of the bot by
 * whoever supervises it.
 */
const unitScript = (host: Host): string => `[ "$1" = cytube-rollback@prod.service ] || exit 64
[ -e "${host.at("flags")}/prod.rollback" ] || exit 0
half() { "${process.execPath}" "${programFor(undefined)}" rollback --env prod --config "${host.file}" "$1" 2>> "${host.at("journal")}"; }
half --switch || exit 1
kill "$(cat "${host.at("bot.pid")}")"
half --confirm || exit 1
`;

async function supervised(over: Settings = {}): Promise<Host> {
  const host = twoReleases(over);
  await host.start({ restartAfterMs: 50 }, merge({ rollback: { secondsMax: 20 } }, over));
  writeFileSync(host.at("units/start"), unitScript(host));
  return host;
}

/**
 * The bot dies, and whoever supervises it starts it again, with the switches that its release has
 * now.
 */
async function die({ bot }: Host): Promise<void> {
  const before = bot?.pid();
  await bot?.kill();
  await until(
    "the bot is there again",
    () => bot?.pid() !== before && existsSync(join(bot?.dir ?? "", "bot.pid")),
  );
}

describe("rollback for people", { concurrency: 2 }, () => {
  test("asks, follows the unit, and tells what came of it", async () =>
    withHost(await supervised(), async (host) => {
      const run = await host.run(["rollback"]);
      assert.equal(run.code, 0, run.stderr + readIfThere(host.at("journal")));
      assert.match(run.stderr, /^rolling back r2 → r1 …$/m);
      assert.equal(run.stdout, "Rolled back to r1, which is healthy. Find out why r2 failed.\n");
      assert.deepEqual([host.current, host.flags], ["releases/r1", []]);
      assert.deepEqual(
        host.rollbacks.map(({ by, from, to }) => [by, from, to]),
        [["person", "r2", "r1"]],
      );
      assert.match(readIfThere(host.at("asked")), /^start cytube-rollback@prod\.service$/m);
    }));

  test("--json prints the record", async () =>
    withHost(await supervised(), async (host) => {
      const run = await host.run(["rollback", "--json", "--quiet"]);
      assert.deepEqual([run.code, run.stderr], [0, ""]);
      assert.deepEqual(run.json, host.rollbacks[0]);
    }));

  test("exits 41 where the old release is not healthy either", async () =>
    withHost(await supervised({ rollback: { secondsMax: 2 } }), async (host) => {
      host.deploy("r1", "--field=connected=false");
      host.age("r1", 60);
      const run = await host.run(["rollback"]);
      assert.equal(run.code, 41, run.stderr);
      assert.match(run.stdout, /^Rolled back to r1, which is not healthy either \(exit 2\)/);
    }));

  test("exits with what the unit refuses, where something has changed since it was asked", async () => {
    const host = twoReleases();
    writeFileSync(host.at("units/start"), `rm -r "${host.at("releases/r1")}"\n${unitScript(host)}`);
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 42, run.stderr);
    assert.match(run.stdout, /^No rollback: there is no complete release r1\. Nothing was changed/);
    assert.equal(host.current, "releases/r2");
  });

  test("exits 75 where a deployment holds the lock", async () => {
    const host = twoReleases();
    writeFileSync(host.at("units/start"), "echo Job failed >&2; exit 1\n");
    writeFileSync(
      host.at("units/cytube-rollback@prod.service"),
      showOf(unitOf({ ActiveState: "failed", ExecMainStatus: "75" })),
    );
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 75, run.stderr);
    assert.match(run.stdout, /did not roll back: a deployment holds the lock \(exit 75\)/);
  });

  test("exits 77 where the unit may not be started", async () => {
    const host = twoReleases();
    writeFileSync(
      host.at("units/start"),
      "echo Interactive authentication required. >&2; exit 1\n",
    );
    writeFileSync(
      host.at("units/cytube-rollback@prod.service"),
      showOf(unitOf({ ActiveState: "inactive", ExecMainStatus: "0" })),
    );
    const run = await host.run(["rollback"]);
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stdout, /did not roll back: Interactive authentication required\./);
  });

  test("exits 77 where the request cannot be written", async () => {
    const host = twoReleases();
    const run = await host.run(["rollback"], { uid: unprivilegedUid });
    assert.equal(run.code, 77, run.stderr);
    assert.match(run.stderr, /^The rollback cannot be asked for: EACCES/m);
    assert.doesNotMatch(readIfThere(host.at("asked")), /start/);
  });

  for (const [args, code, says] of [
    [["--to", "r2"], 42, /^No rollback: r2 is the current release\. Nothing was changed\.$/m],
    [["--to", "r9"], 42, /there is no complete release r9/],
    [
      ["--to", "../../etc"],
      64,
      /^--to "\.\.\/\.\.\/etc" is not a release: letters, digits, dots, dashes$/m,
    ],
    [["--to", "r0"], 42, /r0 has never passed; --emergency overrides/],
  ] as [string[], number, RegExp][]) {
    test(`${args.join(" ")} exits ${code} before anything is asked for`, async () => {
      const host = twoReleases();
      host.deploy("r0");
      host.age("r0", 90);
      const run = await host.run(["rollback", ...args]);
      assert.deepEqual([run.code, run.stdout], [code, ""]);
      assert.match(run.stderr, says);
      assert.deepEqual([host.flags, host.records, readIfThere(host.at("asked"))], [[], [], ""]);
    });
  }

  test("exits 40 where nothing else has passed, and where no releases are configured", async () => {
    const host = twoReleases();
    host.remember({});
    const nothing = await host.run(["rollback"]);
    assert.equal(nothing.code, 40, nothing.stderr);
    host.configure({ release: null });
    const unconfigured = await host.run(["rollback"]);
    assert.equal(unconfigured.code, 40, unconfigured.stderr);
    assert.match(
      unconfigured.stderr,
      /neither release\.directory nor rollback\.command is configured/,
    );
  });

  for (const args of [[], ["--to", "r0", "--emergency"]]) {
    test(`--dry-run ${args.join(" ")} says what would be done, and touches nothing`, async () => {
      const host = twoReleases();
      host.deploy("r0");
      host.age("r0", 90);
      const tree = (): string[] =>
        (readdirSync(host.directory, { recursive: true }) as string[]).sort();
      const before = tree();
      const run = await host.run(["rollback", "--dry-run", ...args]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(
        run.stdout,
        new RegExp(
          `^Would roll back r2 → ${args.length ? "r0" : "r1"}, and restart .*; nothing was changed\\.\n$`,
        ),
      );
      assert.deepEqual([tree(), host.current], [before, "releases/r2"]);
    });
  }

  test("a change of the database's schema is refused with 42, and an emergency goes on", async () =>
    withHost(twoReleases(), async (host) => {
      await host.start();
      host.remember({ passed: { r1: { ...passedNow(), schema: "another" } } });
      const run = await host.run(["rollback", "--dry-run"]);
      assert.equal(run.code, 42, run.stderr);
      assert.match(run.stderr, /the database has changed since r1 passed/);
      assert.equal((await host.run(["rollback", "--dry-run", "--emergency"])).code, 0);
    }));

  test("--list and --list --json", async () => {
    const host = twoReleases();
    host.deploy("broken");
    rmSync(host.at("releases/broken/.complete"));
    host.deploy("r0");
    host.age("r0", 90);
    const at = new Date().toISOString();
    host.remember({
      passed: { r1: passedNow() },
      quarantined: { r0: { at, run: "run-0", checks: ["process", "database"] } },
    });
    const run = await host.run(["rollback", "--list"]);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(
      run.stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "WHEN".padEnd(24)).split("\n"),
      [
        "ID      VERSION  COMPLETE                  STATE",
        "r2      -        WHEN                      current",
        "r1      1.4.2    WHEN                      passed",
        "r0      -        WHEN                      quarantined (process, database)",
        "broken  -        -                         incomplete",
        "",
      ],
    );
    const listed = (await host.run(["rollback", "--list", "--json"])).json as unknown as {
      releaseId: string;
      current: boolean;
    }[];
    assert.deepEqual(
      listed.map(({ releaseId, current }) => [releaseId, current]),
      [
        ["r2", true],
        ["r1", false],
        ["r0", false],
        ["broken", false],
      ],
    );
  });

  test("--list where there is nothing to list says so", async () => {
    const host = new Host({ release: null });
    const run = await host.run(["rollback", "--list"]);
    assert.deepEqual(
      [run.code, run.stdout],
      [0, "There are no releases: release.directory is not set, or empty.\n"],
    );
  });

  test("a state that may not be read exits 77 and says how it may, for --list and for status", async () => {
    const host = twoReleases();
    chmodSync(host.at("state"), 0o700);
    for (const args of [["rollback", "--list"], ["rollback"], ["status"]]) {
      const run = await host.run(args, { uid: unprivilegedUid });
      assert.equal(run.code, 77, run.stderr);
      assert.match(
        run.stderr,
        /^EACCES: permission denied.*\nTry with sudo, or as a member of its group/,
      );
    }
  });
});

describe("--rollback", { concurrency: 2 }, () => {
  test("rolls back when the verification fails, and exits with the check's code", async () =>
    withHost(await supervised(), async (host) => {
      host.deploy("r2", "--field=connected=false");
      host.age("r2", 30);
      await die(host);
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^a rollback is due\ncytube-rollback@prod\.service has ended$/m);
      assert.deepEqual([host.current, host.flags], ["releases/r1", []]);
    }));

  test("does not roll a release back that has passed", async () =>
    withHost(await supervised(), async (host) => {
      host.remember({ passed: { r1: passedNow(), r2: passedNow() } });
      host.deploy("r2", "--field=connected=false");
      host.age("r2", 30);
      await die(host);
      const run = await host.run(["--rollback"]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^no rollback: r2 has passed before/m);
      assert.deepEqual([host.current, readIfThere(host.at("asked"))], ["releases/r2", ""]);
    }));
});
