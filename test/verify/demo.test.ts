/**
 * The demo's burn-in, in a third of its time: what the report's files say is held against what the
 * demo says that truly happened.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { playBurnin, untold } from "../support/demo.ts";
import { createDirectory, findFreePort, runVerify, writeConfig } from "../support/harness.ts";

const secondOf = (clock: string): number =>
  clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

/** The notable events of a file, in its words: the clock in UTC, and what happened. */
function eventsIn(text: string): { clock: string; says: string }[] {
  const plain = text
    .replace(/<\/?[a-z][^>]*>/g, " ")
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));
  return [
    ...plain.matchAll(/\b(\d\d:\d\d:\d\d)\b\W+((?:disconnected|down|planned|unplanned)\b[^\n]*)/g),
  ].map(([, clock = "", says = ""]) => ({
    clock,
    says,
  }));
}

test("the demo's burn-in leads to a report whose files name the outage and the restart as they were, to the second", async () => {
  const [dir, port] = [createDirectory(), await findFreePort()];
  // Long enough that the restart after its second tick lies within it on a busy machine, too.
  const seconds = 45;
  const config = writeConfig(dir, port, {
    state: { directory: "state", flags: "state" },
    burnin: { timeZone: "UTC" },
    limits: { watchSeconds: 1, burninSeconds: seconds },
  });
  const args = ["--env=prod", `--config=${config}`];
  // What an earlier demo left behind is not of this one.
  mkdirSync(join(dir, "state"));
  for (const name of ["state/prod.releases.json", "verify.jsonl", "bot.outage"])
    writeFileSync(join(dir, name), "not a record\n");
  const told: string[] = [];
  const truth = await playBurnin({ dir, port, args, seconds, ticks: 3, outageMs: 2300 }, (text) =>
    told.push(text),
  );

  const run = await runVerify(["report", ...args, "--out", dir]);
  assert.equal(run.code, 30, run.stderr); // An outage of 2.3 s in 45 s is more than one per cent.
  const files = readdirSync(dir).filter((name) => name.startsWith("burnin-prod-"));
  assert.deepEqual(files.map((name) => name.split(".").at(-1)).sort(), ["html", "md"]);
  assert.deepEqual(
    run.stdout.trim().split("\n").sort(),
    files.map((name) => join(dir, name)).sort(),
  );

  const said = told.join("\n");
  const [, lostAt = "", lostFor] =
    /lost its chat server at \S+T(\S+)Z for (\S+) s/.exec(said) ?? [];
  const [, stoppedAt = "", beganAt = ""] =
    /stopped at \S+T(\S+)Z, .* began at \S+T(\S+)Z/.exec(said) ?? [];
  assert.ok(
    Number(lostFor) > 2.2 && Number(lostFor) < 4 && secondOf(beganAt) >= secondOf(stoppedAt),
    said,
  );
  for (const name of files) {
    const text = readFileSync(join(dir, name), "utf8");
    const events = eventsIn(text);
    const near = (clock: string, at: string): boolean =>
      Math.abs(secondOf(clock) - Math.floor(secondOf(at))) <= 1;
    const outages = events.filter(({ says }) => /^disconnected for .*Disconnected/.test(says));
    assert.equal(outages.length, 1, `${name}: ${JSON.stringify(events)}`);
    const [{ clock, says }] = outages as [(typeof outages)[number]];
    assert.ok(near(clock, lostAt), `${name} says ${clock}: ${said}`);
    assert.ok(
      Math.abs(Number(/for ([\d.]+) s/.exec(says)?.[1]) - Number(lostFor)) <= 1,
      `${name} says ${says}: ${said}`,
    );
    const restarts = events.filter((event) => /^planned or not: another process/.test(event.says));
    assert.equal(restarts.length, 1, `${name}: ${JSON.stringify(events)}`);
    assert.ok(
      near(restarts[0]?.clock ?? "", beganAt),
      `${name} says ${restarts[0]?.clock}: ${said}`,
    );
    assert.doesNotMatch(text, /torn or foreign/);
  }

  const { stdout } = await runVerify(["report", ...args, "--json"]);
  assert.deepEqual(untold(truth, JSON.parse(stdout)), []);
  // The demo's own judgement is one that can fail.
  const { outage, restart } = truth;
  assert.deepEqual(
    untold({ outage: { ...outage, to: outage.to + 2000 }, restart }, JSON.parse(stdout)).length,
    1,
  );
  assert.deepEqual(
    untold(
      { outage: { from: outage.from - 2000, to: outage.to - 2000 }, restart },
      JSON.parse(stdout),
    ).length,
    1,
  );
  assert.deepEqual(
    untold({ outage, restart: { from: 0, to: restart.to - 2000 } }, JSON.parse(stdout)),
    ["the restart"],
  );
});
