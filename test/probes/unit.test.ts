/**
 * The bot's unit: what is parsed out of the words of systemd, as they were captured, and how a start
 * has ended by them.
 */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Unobservable } from "../../lib/attempt.ts";
import {
  parseEnding,
  parseUnit,
  parseUnitState,
  readUnit,
  type UnitProperties,
} from "../../lib/probes/unit.ts";
import { captured, readCaptured } from "../support/captured.ts";
import { createDirectory } from "../support/harness.ts";
import { asked, first, second, unitOf } from "../support/units.ts";

/** What each captured `systemctl show` means for the bot. */
const UNIT_STATES: Record<string, "alive" | "starting" | RegExp> = {
  "show-running.txt": "alive",
  "show-append.txt": "alive",
  "show-crash-loop.txt": "alive",
  "show-need-daemon-reload.txt": "alive",
  "show-reloading.txt": "alive",
  "show-start-post.txt": "alive",
  "show-triggered.txt": "alive",
  "show-unprivileged.txt": "alive",
  "show-timestamp-unix.txt": "alive",
  "show-timestamp-zone.txt": "alive",
  "show-start-pre.txt": "starting",
  "show-starting-notify.txt": "starting",
  "show-auto-restart.txt": /died \(exit-code\).*automatic restart/,
  "show-failed-exec.txt": /failed.*exit-code.*203/,
  "show-failed-exit-1.txt": /failed.*exit-code.*exit status 1$/,
  "show-failed-signal.txt": /failed.*signal.*9/,
  "show-failed-start-timeout.txt": /failed.*timeout/,
  "show-start-limit-automatic.txt": /failed.*exit-code/,
  "show-start-limit-hit.txt": /failed.*start-limit-hit/,
  "show-start-limit-manual.txt": /failed.*exit-code/,
  "show-never-started.txt": /inactive \(dead\)/,
  "show-stopped.txt": /inactive \(dead\)/,
  "show-stopped-referenced.txt": /inactive \(dead\)/,
  "show-stopping.txt": /deactivating/,
  "show-masked.txt": /inactive \(dead\)/,
  "show-not-found.txt": /inactive \(dead\)/,
};

for (const [file, expected] of Object.entries(UNIT_STATES)) {
  test(`parseUnitState() says ${expected instanceof RegExp ? "what is wrong" : expected} for ${file}`, () => {
    const found = parseUnitState(parseUnit(readCaptured(file)));
    const state = found.state === "down" ? found.says : found.state;
    if (expected instanceof RegExp) assert.match(state, expected);
    else assert.equal(state, expected);
  });
}

test("parseUnit() is tried on every captured unit state", () => {
  const files = readdirSync(captured).filter(
    (name) => /^show-.*\.txt$/.test(name) && name !== "show-two-units.txt",
  );
  assert.deepEqual(files.sort(), Object.keys(UNIT_STATES).sort());
  for (const file of files)
    assert.equal(
      parseUnit(readCaptured(file)).Id,
      file === "show-not-found.txt" ? parseUnit(readCaptured(file)).Id : "cytube-bot.service",
    );
});

test("parseUnit() keeps everything behind the first equals sign", () => {
  assert.deepEqual(parseUnit("A=1\nB=\nC=x=y=z\nno equals\n=empty name\n"), {
    A: "1",
    B: "",
    C: "x=y=z",
  });
});

/** A systemctl that answers `show` with a captured text, and exits 64 for anything else. */
async function withSystemctl<T>(file: string, exit: number, act: () => Promise<T>): Promise<T> {
  const bin = createDirectory();
  const errors = join(captured, file.replace(".txt", ".stderr"));
  writeFileSync(
    join(bin, "systemctl"),
    `#!/bin/sh\n[ "$1" = show ] || exit 64\ncat "${join(captured, file)}"\n[ -f "${errors}" ] && cat "${errors}" >&2\nexit ${exit}\n`,
  );
  chmodSync(join(bin, "systemctl"), 0o755);
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    return await act();
  } finally {
    process.env.PATH = path;
    rmSync(bin, { recursive: true });
  }
}

test("readUnit() reads a unit, also one that has failed", async () => {
  assert.equal(
    (await withSystemctl("show-running.txt", 0, () => readUnit("cytube-bot.service"))).MainPID,
    parseUnit(readCaptured("show-running.txt")).MainPID,
  );
  assert.equal(
    (await withSystemctl("show-failed-exit-1.txt", 0, () => readUnit("cytube-bot.service")))
      .ActiveState,
    "failed",
  );
});

test("readUnit() is unobservable for units that are not there and hosts without systemd", async () => {
  const unseen: [file: string, exit: number, says: RegExp][] = [
    ["show-not-found.txt", 0, /not-found/],
    ["show-masked.txt", 0, /masked/],
    ["host-show.txt", 1, /systemctl exited 1/],
    ["no-bus.txt", 1, /systemctl exited 1/],
  ];
  for (const [file, exit, says] of unseen) {
    await withSystemctl(file, exit, () =>
      assert.rejects(
        readUnit("cytube-bot.service"),
        (error) => error instanceof Unobservable && says.test(error.message),
      ),
    );
  }
});

// ---------------------------------------------------------------------------- how a start has ended

const readCapturedUnit = (name: string): UnitProperties => parseUnit(readCaptured(name));

const byPerson = /^was restarted by a person: invocation \w{8} took its place$/;
const goesOn = "goes on";
const stopped = "was stopped by a person";

/** For each captured state: how the start that it shows has ended, and how an earlier one has. */
const endings: Record<string, [same: string | RegExp, earlier: string | RegExp]> = {
  "show-running.txt": [goesOn, byPerson],
  "show-append.txt": [goesOn, byPerson],
  "show-need-daemon-reload.txt": [goesOn, byPerson],
  "show-reloading.txt": [goesOn, byPerson],
  "show-start-post.txt": [goesOn, byPerson],
  "show-start-pre.txt": [goesOn, byPerson],
  "show-starting-notify.txt": [goesOn, byPerson],
  "show-timestamp-unix.txt": [goesOn, byPerson],
  "show-timestamp-zone.txt": [goesOn, byPerson],
  "show-triggered.txt": [goesOn, byPerson],
  "show-unprivileged.txt": [goesOn, byPerson],
  "show-stopping.txt": [goesOn, goesOn],
  "show-crash-loop.txt": [
    goesOn,
    /^died and was restarted by systemd \(5 so far\): invocation \w{8} took its place$/,
  ],
  "show-auto-restart.txt": [
    /^died \(result exit-code\), and systemd will restart it$/,
    /^died \(result exit-code\)/,
  ],
  "show-failed-exec.txt": [/^died \(result exit-code\), and systemd has given up on it$/, /^died/],
  "show-failed-exit-1.txt": [/^died \(result exit-code\), and systemd has given up/, /^died/],
  "show-failed-signal.txt": [/^died \(result signal\), and systemd has given up/, /^died/],
  "show-failed-start-timeout.txt": [/^died \(result timeout\), and systemd has given up/, /^died/],
  "show-start-limit-automatic.txt": [
    /^died \(result exit-code\), and systemd has given up/,
    /^died/,
  ],
  "show-start-limit-manual.txt": [/^died \(result exit-code\), and systemd has given up/, /^died/],
  "show-start-limit-hit.txt": [
    /^died \(result start-limit-hit\), and systemd has given up/,
    /^died/,
  ],
  "show-stopped.txt": [stopped, stopped],
  "show-stopped-referenced.txt": [stopped, stopped],
  "show-never-started.txt": [/^died \(result success\), and systemd leaves it so$/, /^died/],
};

/** The order of a death. */
const itself = { ...asked, ExecMainExitTimestampMonotonic: "190" };

function assertEnding(unit: UnitProperties, invocation: string, expected: string | RegExp): void {
  const ending = parseEnding(unit, invocation);
  if (expected === goesOn) return assert.equal(ending, null);
  if (typeof expected === "string") assert.equal(ending?.says, expected);
  else assert.match(ending?.says ?? goesOn, expected);
  const planned = new Map<string | RegExp, string>([
    [stopped, "stop"],
    [byPerson, "restart"],
  ]);
  assert.equal(ending?.planned, planned.get(expected));
  assert.equal(ending?.kind, /restarted by/.test(ending?.says ?? "") ? "restarted" : "died");
}

for (const [file, [same, earlier]] of Object.entries(endings)) {
  test(`parseEnding() of ${file}`, () => {
    const neverStarted = file === "show-never-started.txt";
    const byItself = neverStarted ? {} : itself;
    const unit: UnitProperties = {
      ...readCapturedUnit(file),
      ...(same === stopped ? asked : byItself),
    };
    assertEnding(unit, unit.InvocationID ?? "", same);
    assertEnding(unit, "0123456789abcdef0123456789abcdef", earlier);
  });
}

test("parseEnding() is tried on every captured state of a unit that is loaded", () => {
  const loaded = readdirSync(captured).filter(
    (name) => /^show-.*\.txt$/.test(name) && name !== "show-two-units.txt",
  );
  assert.deepEqual(
    loaded.filter((name) => readCapturedUnit(name).LoadState === "loaded").sort(),
    Object.keys(endings).sort(),
  );
});

for (const [what, over, expected] of [
  ["the same invocation", {}, goesOn],
  ["the same invocation, after automatic restarts before it", { NRestarts: "3" }, goesOn],
  ["another invocation without an automatic restart", { InvocationID: second }, byPerson],
  [
    "another invocation with one",
    { InvocationID: second, NRestarts: "1" },
    /^died and was restarted by systemd \(1 so far\): invocation bbbbbbbb/,
  ],
  [
    "another invocation that is starting",
    { InvocationID: second, ActiveState: "activating", SubState: "start-pre" },
    byPerson,
  ],
  [
    "auto-restart",
    { ActiveState: "activating", SubState: "auto-restart", Result: "signal" },
    /^died \(result signal\), and systemd will restart it$/,
  ],
  [
    "auto-restart-queued, as systemd 254 calls it",
    { ActiveState: "activating", SubState: "auto-restart-queued", Result: "watchdog" },
    /^died \(result watchdog\)/,
  ],
  [
    "an automatic restart after a success",
    { ActiveState: "activating", SubState: "auto-restart" },
    /^died \(result success\), and systemd will restart/,
  ],
  [
    "failed",
    { ActiveState: "failed", SubState: "failed", Result: "exit-code" },
    /^died \(result exit-code\), and systemd has given up/,
  ],
  [
    "failed, of another invocation",
    { ActiveState: "failed", SubState: "failed", Result: "core-dump", InvocationID: second },
    /^died \(result core-dump\)/,
  ],
  [
    "inactive after a stop that was asked for",
    { ...asked, ActiveState: "inactive", SubState: "dead", MainPID: "0" },
    stopped,
  ],
  [
    "a bot that ends by itself, and well",
    { ...itself, ActiveState: "inactive", SubState: "dead" },
    /^died \(result success\), and systemd leaves it so$/,
  ],
  [
    "a bot that ends badly when it is asked to",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "signal" },
    stopped,
  ],
  [
    "a bot that has to be killed when it is asked to stop",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "timeout" },
    stopped,
  ],
  [
    "what the watchdog ends",
    { ...asked, ActiveState: "failed", SubState: "failed", Result: "watchdog" },
    /^died \(result watchdog\)/,
  ],
  [
    "a start that failed after a stop that was asked for",
    {
      ...asked,
      InactiveExitTimestampMonotonic: "300",
      ActiveState: "failed",
      SubState: "failed",
      Result: "exit-code",
    },
    /^died \(result exit-code\), and systemd has given up/,
  ],
  ["deactivating", { ActiveState: "deactivating", SubState: "stop-sigterm" }, goesOn],
  [
    "deactivating, of another invocation",
    { ActiveState: "deactivating", SubState: "stop-sigterm", InvocationID: second },
    goesOn,
  ],
] as [string, UnitProperties, string | RegExp][]) {
  test(`parseEnding() of ${what}`, () => assertEnding(unitOf(over), first, expected));
}
