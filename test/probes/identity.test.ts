/**
 * Who the bot is while it is followed: the end of a real process is reported once, with what systemd
 * says of it.
 */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { followIdentity } from "../../lib/probes/identity.ts";
import { readProcessStat } from "../../lib/probes/process.ts";
import type { UnitProperties } from "../../lib/probes/unit.ts";
import type { ProcessIncident } from "../../lib/vocabulary.ts";
import { readIfThere, startProcess, until } from "../support/harness.ts";
import { Host } from "../support/played-host.ts";
import { asked, first, second, showOf, unitOf } from "../support/units.ts";

describe("followIdentity() of a unit", { concurrency: false }, () => {
  const path = process.env.PATH;
  after(() => {
    process.env.PATH = path;
  });

  /**
   * Follows a real process, ends it, and returns what was reported; `unit` is what systemctl says
   * then.
   */
  async function follow(
    unit: UnitProperties | null,
    meanwhile: (host: Host) => Promise<unknown> = async () => {},
  ) {
    const host = new Host({ process: { unit: "cytube-bot.service", pidFile: null } });
    process.env.PATH = `${host.at("bin")}:${path}`;
    if (unit) writeFileSync(host.at("units/cytube-bot.service"), showOf(unit));
    const child = startProcess(["sleep", "60"]);
    const stat = await until("the process runs", () => readProcessStat(child.pid ?? 0));
    const incidents: ProcessIncident[] = [];
    const identity = { ...stat, startedAt: Date.now() - 3000, bootId: "boot", invocation: first };
    const follower = followIdentity(host.config, identity, (incident) => incidents.push(incident));
    try {
      child.end();
      await meanwhile(host);
      const incident = await until("the end of the process is reported", () => incidents[0]);
      assert.ok(follower.isGone());
      assert.match(
        incident.says,
        new RegExp(`^the bot .*: pid ${stat.pid} (ended|was gone) 3(\\.\\d+)? s after its start`),
      );
      assert.equal(incidents.length, 1);
      return incident;
    } finally {
      follower.stop();
    }
  }

  for (const [what, unit, kind, says, planned] of [
    [
      "a crash that systemd mends",
      unitOf({ ActiveState: "activating", SubState: "auto-restart", Result: "signal" }),
      "died",
      /systemd will restart it/,
    ],
    [
      "a crash that systemd has mended already",
      unitOf({ InvocationID: second, NRestarts: "1" }),
      "restarted",
      /restarted by systemd \(1 so far\)/,
    ],
    [
      "a crash that systemd does not mend",
      unitOf({ ActiveState: "failed", SubState: "failed", Result: "exit-code" }),
      "died",
      /has given up on it/,
    ],
    [
      "a restart by a person",
      unitOf({ InvocationID: second }),
      "restarted",
      /was restarted by a person: invocation bbbbbbbb/,
      "restart",
    ],
    [
      "a stop by a person",
      unitOf({ ...asked, ActiveState: "inactive", SubState: "dead", MainPID: "0" }),
      "died",
      /was stopped by a person/,
      "stop",
    ],
    [
      "a death of which systemd does not say why",
      null,
      "died",
      /was gone .*, and systemd does not say why$/,
    ],
    ["a unit that does not settle", unitOf(), "died", /was gone .*, and systemd does not say why$/],
  ] as [string, UnitProperties | null, string, RegExp, string?][]) {
    test(`reports ${what} once`, async () => {
      const incident = await follow(unit);
      assert.equal(incident.kind, kind);
      assert.match(incident.says, says);
      assert.equal(incident.planned, planned);
    });
  }

  test("waits for a stop that takes its time before it says how it ended", async () => {
    const incident = await follow(
      unitOf({ ActiveState: "deactivating", SubState: "stop-sigterm" }),
      async (host) => {
        await until(
          "systemctl has been asked twice",
          () => readIfThere(host.at("asked")).split("\n").length > 2,
        );
        writeFileSync(host.at("units/next"), showOf(unitOf({ InvocationID: second })));
        renameSync(host.at("units/next"), host.at("units/cytube-bot.service"));
      },
    );
    assert.equal(incident.planned, "restart");
  });
});
