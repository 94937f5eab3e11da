/** The bot's unit: what is parsed out of the words of systemd, as they were captured. */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Unobservable } from "../../lib/attempt.ts";
import { parseUnit, parseUnitState, readUnit } from "../../lib/probes/unit.ts";
import { captured, readCaptured } from "../support/captured.ts";
import { createDirectory } from "../support/harness.ts";

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
