import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { boot, type Container, canBoot } from "../support/booted.ts";
import { buildOnce, copyProgram, onCleanup } from "../support/harness.ts";

// The machine has a /tmp of its own, and another user has to read the program there.
const program = mkdtempSync("/var/tmp/cytube-verify-program-");
chmodSync(program, 0o755);
const removeProgram = onCleanup(() => rmSync(program, { recursive: true, force: true }));
const port = 18_651;
const unit = "cytube-bot.service";
const log = "echo ERROR:lib.bot:boom";

const config = `
environment: prod
process: { unit: ${unit} }
health: { url: "http://127.0.0.1:${port}/api/health" }
database: { file: /var/lib/bot/bot_data.db }
configuration: { environment: prod, channel: demo }
log: { file: /run/verify/prod.jsonl }
limits: { watchSeconds: 3, healthEverySeconds: 1, startupSecondsMax: 5, responseGapMs: 50, healthTriesMax: 2 }
`;

/**
 * A unit that runs the sample bot as a user of its own, with more lines for its [Service] section.
 */
const unitText = (more = ""): string => `[Unit]
StartLimitIntervalSec=0
[Service]
User=games
StateDirectory=bot
WorkingDirectory=/var/lib/bot
ExecStartPre=/bin/sh -c 'echo {} > config.json'
ExecStart=${process.execPath} ${program}/build/bot.js --dir /var/lib/bot --port ${port} --log - --guardian 1
Restart=always
RestartSec=100ms
${more}
`;

interface Verified {
  code: number;
  findings: Record<string, { status: string; says: string }>;
}

const reason = canBoot();

// One suite, one machine: the scenes come one after the other and each begins with a unit of its
// own.
describe("a bot under a real systemd", { skip: reason ?? false }, () => {
  let machine: Container;
  const start = async (more = ""): Promise<void> => {
    await machine.writeFile(`/etc/systemd/system/${unit}`, unitText(more));
    const command = `systemctl stop ${unit}; systemctl daemon-reload; systemctl reset-failed; systemctl start ${unit}`;
    await machine.run(["sh", "-c", command]);
  };

  /**
   * Runs the verifier in the machine. `meanwhile` is a shell command that runs once the watch has
   * begun.
   */
  const verify = async (
    settings: { uid?: number; config?: string; meanwhile?: string } = {},
  ): Promise<Verified> => {
    await machine.writeFile("/etc/cytube-verify/prod.yaml", settings.config ?? config);
    // What the verifier says while it runs.
    const told = `/run/verify/told-by-${settings.uid ?? 0}`;
    const watching = `until grep -q '^watch:' ${told}; do sleep 0.1; done`;
    const meanwhile = settings.meanwhile
      ? `(${watching}; ${settings.meanwhile}) >/dev/null 2>&1 &`
      : "";
    const verifier = `${process.execPath} ${program}/build/verify.js --env prod --json`;
    const command = `rm -f ${told}; ${meanwhile} exec ${verifier} 2>${told}`;
    const options = {
      timeoutMs: 60_000,
      ...(settings.uid === undefined ? {} : { uid: settings.uid }),
    };
    const { code, stdout } = await machine.run(["sh", "-c", command], options);
    assert.ok(stdout.startsWith("{"), `no result: ${(await machine.run(["cat", told])).stdout}`);
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; status: string; says: string }[];
    };
    return {
      code,
      findings: Object.fromEntries(findings.map((finding) => [finding.check, finding])),
    };
  };

  before(async () => {
    await buildOnce();
    copyProgram(program);
    machine = await boot();
    await machine.run(["mkdir", "-m", "1777", "/run/verify"]);
  });

  after(async () => {
    await machine?.stop();
    removeProgram();
  });

  test("passes when it is healthy, and its journal was read", async () => {
    await start();
    const { code, findings } = await verify();
    assert.equal(code, 0, JSON.stringify(findings, null, 1));
    assert.match(findings.error_logs?.says ?? "", /0 errors .* journal of cytube-bot\.service/);
  });

  test("fails for an ERROR line that it printed to stdout, which journald files as information", async () => {
    await start(`ExecStartPost=/bin/sh -c '${log}'`);
    const { code, findings } = await verify();
    assert.equal(code, 9);
    assert.equal(findings.error_logs?.status, "fail");
  });

  test("does not count the errors of the start before this one", async () => {
    await start(`ExecStartPost=/bin/sh -c '[ -e once ] || { touch once; ${log}; }'`);
    await machine.run(["systemctl", "restart", unit]);
    assert.equal((await verify()).code, 0);
  });

  test("is unknown, not clean, for a user who may not read the journal", async () => {
    await start();
    const { code, findings } = await verify({ uid: 65_534 });
    assert.equal(code, 9);
    assert.equal(findings.error_logs?.status, "unknown");
  });

  test("is unknown when its output goes to a file that the config does not name", async () => {
    await start("StandardOutput=append:/var/lib/bot/out.log");
    const { code, findings } = await verify();
    assert.equal(code, 9);
    assert.match(findings.error_logs?.says ?? "", /append/);
  });

  test("fails the watch when it is killed and systemd restarts it", async () => {
    await start();
    const { code, findings } = await verify({ meanwhile: `systemctl kill -s KILL ${unit}` });
    assert.equal(code, 11);
    assert.match(findings.uptime_stability?.says ?? "", /the bot died .*: pid \d+ ended/);
  });

  test("fails the watch when it is frozen", async () => {
    await start();
    const { code, findings } = await verify({ meanwhile: `systemctl kill -s STOP ${unit}` });
    await machine.run(["systemctl", "kill", "-s", "KILL", unit]);
    assert.equal(code, 11);
    assert.match(findings.uptime_stability?.says ?? "", /frozen/);
  });

  test("fails at once when it has died, and waits for its automatic restart", async () => {
    await start("RestartSec=30s");
    await machine.run(["systemctl", "kill", "-s", "KILL", unit]);
    const { code, findings } = await verify();
    assert.equal(code, 1);
    assert.match(findings.process?.says ?? "", /waits for its automatic restart/);
  });

  test("passes while a hook of its own start still runs", async () => {
    await start(
      "Type=exec\nExecStartPost=/bin/sh -c 'sleep 8 & echo $! > /run/verify/hook'\nTimeoutStopSec=1",
    );
    await machine.run(["sh", "-c", `systemctl --no-block restart ${unit}`]);
    assert.equal((await verify()).code, 0);
  });

  test("is unknown when there is no such unit, for then nothing was looked at", async () => {
    const { code, findings } = await verify({
      config: config.replace(unit, "no-such-bot.service"),
    });
    assert.notEqual(code, 0);
    assert.equal(findings.process?.status, "unknown");
  });
});
