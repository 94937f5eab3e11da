/**
 * The units and their installation: what can be read off the files, then the installer on a booted
 * systemd.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { boot, type Container, canBoot, type Ran } from "../support/booted.ts";
import {
  buildOnce,
  copyProgram,
  createDirectory,
  onCleanup,
  projectDirectory,
  readIfThere,
} from "../support/harness.ts";

const units = join(projectDirectory, "units");
const read = (name: string): string => readFileSync(join(units, name), "utf8");
const files = readdirSync(units, { recursive: true, encoding: "utf8" }).filter((name) =>
  /\.(?:service|timer|conf)$/.test(name),
);
const services = files.filter((name) => name.endsWith("@.service"));
/** Lines that say something: `Key=value`. */
const directives = (name: string): string[] =>
  read(name)
    .replace(/\\\n */g, " ")
    .split("\n")
    .filter((line) => /^[A-Z]\w+=/.test(line));

// ---------------------------------------------------------------------------- the files as text

test("units/ has the hook, four services, the timer, and a drop-in that arms the rollback", () => {
  assert.deepEqual(
    services.toSorted(),
    ["alert", "burnin", "rollback", "verify"].map((name) => `cytube-${name}@.service`),
  );
  for (const name of [
    "cytube-bot.service.d/verify.conf",
    "cytube-rollback@prod.service.d/site.conf",
    "cytube-burnin@.timer",
  ])
    assert.ok(files.includes(name), name);
});

for (const name of services) {
  test(`${name} is in three groups, and says what hardening it leaves out`, () => {
    const [, service = ""] = read(name).split("[Service]\n");
    assert.deepEqual(service.match(/^# (?:What|Resources|Hardening)$/gm), [
      "# What",
      "# Resources",
      "# Hardening",
    ]);
    const hardening = service.slice(service.indexOf("# Hardening"));
    for (const left of [
      "MemoryDenyWriteExecute",
      "ProtectProc",
      "ProcSubset",
      "PrivateNetwork",
      "RootDirectory",
      "DynamicUser",
    ]) {
      assert.match(hardening, new RegExp(`^# .*\\b${left}=`, "m"));
      assert.doesNotMatch(hardening, new RegExp(`^${left}=`, "m"));
    }
  });

  // Only a message that reached nobody is tried again: a verification that restarts itself would
  // fire OnSuccess= for a failure.
  const restarts = /alert/.test(name)
    ? ["Restart=on-failure", "RestartSec=10min", "RestartPreventExitStatus=64 70 73 77 78"]
    : [];
  test(`${name} holds no capability, is not root, and ${restarts.length ? "tries again what reached nobody" : "never restarts itself"}`, () => {
    const lines = directives(name);
    for (const line of [
      "CapabilityBoundingSet=",
      "AmbientCapabilities=",
      "NoNewPrivileges=yes",
      "User=cytube-verify",
      "StartLimitIntervalSec=0",
    ])
      assert.ok(lines.includes(line), line);
    assert.deepEqual(
      lines.filter((line) => /^(?:Restart|Upholds|User=root)/.test(line)),
      restarts,
    );
  });
}

test("what runs as root is systemctl, or a shell that only looks at a flag and calls it", () => {
  const asRoot = files
    .flatMap(directives)
    .flatMap((line) => /^Exec\w+=[-:]*[+!]+(.*)/.exec(line)?.[1] ?? []);
  assert.ok(asRoot.length >= 5, `${asRoot.length} lines`);
  for (const command of asRoot) {
    assert.match(command, /^(?:\/usr\/bin\/systemctl|\/bin\/sh -c) /);
    assert.doesNotMatch(
      command,
      /\bnode\b|\bn?px\b|\bnpm\b|tsx|verify\.js|\/cytube-verify(?![@/])/,
    );
    assert.match(command, /\/usr\/bin\/systemctl (?:--no-block start|stop|restart|reset-failed) /);
  }
});

test("no unit runs TypeScript, Node by a path of its own, or a compiler's cache", () => {
  const commands = files.flatMap(directives).filter((line) => /^Exec/.test(line));
  assert.deepEqual(
    commands.filter((line) => /tsx|\.ts\b|\bnode\b|npx|npm/.test(line)),
    [],
  );
  for (const name of services)
    assert.match(read(name), /^ExecStart=\/usr\/local\/bin\/cytube-verify /m);
});

test("the hook cannot harm the bot: it never waits, never fails, never restarts a verification", () => {
  const hooks = directives("cytube-bot.service.d/verify.conf").filter((line) => /^Exec/.test(line));
  assert.equal(hooks.length, 2);
  for (const line of hooks) {
    assert.match(line, /^Exec(?:Start|Stop)Post=-\+/);
    assert.match(line, /\/usr\/bin\/systemctl --no-block start cytube-verify@prod\.service/);
    assert.doesNotMatch(line, /restart/);
  }
});

test("cytube-burnin@.timer ticks 27 times: every 15 minutes to hour 4, every hour to hour 12, every 4 hours to hour 24", () => {
  const range = (from: number, to: number, step: number): number[] =>
    Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
  const minutes = directives("cytube-burnin@.timer").flatMap(
    (line) => /^OnActiveSec=(\d+)min$/.exec(line)?.slice(1).map(Number) ?? [],
  );
  assert.equal(minutes.length, 27);
  assert.deepEqual(minutes, [
    ...range(15, 240, 15),
    ...range(300, 720, 60),
    ...range(960, 1440, 240),
  ]);
  assert.deepEqual(
    directives("cytube-burnin@.timer").filter((line) => !line.startsWith("OnActiveSec=")),
    [
      "Description=Burn-in of the bot %i",
      "ConditionPathExists=/run/cytube-verify/%i.passed",
      "RemainAfterElapse=no",
      "AccuracySec=1s",
    ],
  );
});

test("a tick may ask for a rollback and waits while one is under way; below the target is no failure of the unit", () => {
  const lines = directives("cytube-burnin@.service");
  for (const line of [
    "OnFailure=cytube-rollback@%i.service cytube-alert@%i.service",
    "After=cytube-rollback@%i.service",
    "SuccessExitStatus=31 75 143 SIGTERM",
    "Environment=CYTUBE_VERIFY_UNIT=burnin",
  ])
    assert.ok(lines.includes(line), line);
  assert.ok(
    directives("cytube-rollback@.service").includes(
      "ConditionPathExists=/run/cytube-verify/%i.rollback",
    ),
  );
});

const reasonNoShellcheck =
  spawnSync("shellcheck", ["--version"]).status === 0
    ? null
    : "There is no shellcheck (apt-get install shellcheck)";

test("install.sh is POSIX sh without a word from shellcheck", {
  skip: reasonNoShellcheck ?? false,
}, () => {
  assert.match(read("install.sh"), /^#!\/bin\/sh\n/);
  const { stdout, status } = spawnSync("shellcheck", ["--shell=sh", join(units, "install.sh")], {
    encoding: "utf8",
  });
  assert.equal(stdout, "");
  assert.equal(status, 0);
});

for (const [args, code, message] of [
  [[], 64, /^Usage: /],
  [["prod", "--purge"], 64, /unknown flag "--purge"/],
  [["prod", "test"], 64, /unexpected argument "test"/],
  [["prod", "--node"], 64, /--node needs a file/],
  [["../prod"], 64, /"\.\.\/prod" is not a name/],
  [["demo"], 64, /npm run demo/],
] as const) {
  test(`install.sh ${args.join(" ")} exits ${code}`, () => {
    const ran = spawnSync("sh", [join(units, "install.sh"), ...args], { encoding: "utf8" });
    assert.equal(ran.status, code);
    assert.match(ran.stderr, message);
  });
}

test("install.sh --help names its flags", () => {
  const ran = spawnSync("sh", [join(units, "install.sh"), "--help"], { encoding: "utf8" });
  assert.equal(ran.status, 0);
  for (const flag of ["--dry-run", "--uninstall", "--node", "--help"])
    assert.match(ran.stdout, new RegExp(`^  ${flag}\\b`, "m"));
});

// ---------------------------------------------------------------------------- the deployment

const workflow = readFileSync(join(projectDirectory, ".github/workflows/prod-deploy.yml"), "utf8");

test("prod-deploy.yml has minimal permissions, one run at a time, and puts no input or secret into a script", () => {
  const { jobs, permissions, concurrency } = parse(workflow) as {
    jobs: { deploy: { steps: { run?: string; name?: string; "timeout-minutes"?: number }[] } };
    permissions: unknown;
    concurrency: unknown;
  };
  const { steps } = jobs.deploy;
  assert.deepEqual(permissions, { contents: "read" });
  assert.deepEqual(concurrency, { group: "prod-deploy", "cancel-in-progress": false });
  assert.deepEqual(
    steps.filter(({ run }) => run?.includes("${{")),
    [],
  );
  const follow = steps.find(({ run }) =>
    run?.includes("cytube-verify --env prod --attach --format github"),
  );
  assert.equal(follow?.["timeout-minutes"], 15);
});

/**
 * The part of the workflow that runs on the host, with a `sudo` that only notes what it was asked
 * for.
 */
function deploy(
  base: string,
  id: string,
  archive: Buffer,
): { code: number | null; stdout: string; restarts: string } {
  const script =
    /<<'SCRIPT'\n(.*?)\n +SCRIPT\n/s.exec(workflow)?.[1]?.replace(/^ {10}/gm, "") ?? "";
  writeFileSync(join(base, "deploy.sh"), script);
  mkdirSync(join(base, "bin"), { recursive: true });
  writeFileSync(join(base, "bin/sudo"), `#!/bin/sh\necho "$*" >> ${base}/restarts\n`, {
    mode: 0o755,
  });
  const command = [
    "--nonblock",
    "--conflict-exit-code",
    "75",
    join(base, "releases"),
    "sh",
    join(base, "deploy.sh"),
    base,
    id,
    "bot.service",
  ];
  const env = { ...process.env, PATH: `${base}/bin:${process.env.PATH}` };
  const { status, stdout } = spawnSync("flock", command, { input: archive, env, encoding: "utf8" });
  return { code: status, stdout, restarts: readIfThere(join(base, "restarts")) };
}

test("prod-deploy.yml switches to a whole release last, refuses the one that runs, and a cut upload changes nothing", () => {
  const base = createDirectory();
  mkdirSync(join(base, "releases/1"), { recursive: true });
  symlinkSync("releases/1", join(base, "current"));
  writeFileSync(join(base, "bot.txt"), "a bot\n".repeat(10_000));
  const archive = spawnSync("tar", ["-C", base, "-czf", "-", "bot.txt"]).stdout;
  const cut = deploy(base, "2", archive.subarray(0, archive.length / 2));
  assert.notEqual(cut.code, 0);
  assert.deepEqual(
    [
      readlinkSync(join(base, "current")),
      cut.restarts,
      readdirSync(join(base, "releases")).includes("2"),
    ],
    ["releases/1", "", false],
  );
  const whole = deploy(base, "2", archive);
  assert.equal(whole.code, 0, whole.stdout);
  assert.equal(readlinkSync(join(base, "current")), "releases/2");
  assert.deepEqual(readdirSync(join(base, "releases/2")).toSorted(), [".complete", "bot.txt"]);
  assert.equal(whole.restarts, "-n systemctl restart bot.service\n");
  const again = deploy(base, "2", archive);
  assert.equal(again.code, 1);
  assert.match(again.stdout, /^::error .*2 is what runs already/);
  assert.equal(deploy(base, "1", archive).code, 0, "an older release can be deployed again");
});

// ---------------------------------------------------------------------------- on a booted systemd

// A checkout after `npm ci && npm run build`. The machine has a /tmp of its own.
const checkout = mkdtempSync("/var/tmp/cytube-verify-checkout-");
chmodSync(checkout, 0o755);
const removeCheckout = onCleanup(() => rmSync(checkout, { recursive: true, force: true }));
const port = 18_661;

/** A bot with a user of its own, whose files are shut to others, and releases that belong to it. */
const botText = `[Service]
User=rosey
UMask=0027
WorkingDirectory=/srv/rosey/current
ExecStart=${process.execPath} ${checkout}/build/bot.js --dir /srv/rosey/data --port ${port} --log /srv/rosey/data/bot.log --guardian 1
Restart=always
`;
const prepareBot = `
useradd --system --user-group --home-dir /srv/rosey rosey
mkdir -p /srv/rosey/releases/1.4.2 /srv/rosey/data
touch /srv/rosey/releases/1.4.2/.complete
ln -s releases/1.4.2 /srv/rosey/current
echo {} > /srv/rosey/data/config.json
chmod 750 /srv/rosey/data
chown -hR rosey:rosey /srv/rosey
systemctl daemon-reload
systemctl start rosey-bot.service
until [ -s /srv/rosey/data/bot.port ]; do sleep 0.05; done
`;
const config = `
environment: prod
process: { unit: rosey-bot }
health: { url: "http://127.0.0.1:${port}/api/health" }
database: { file: /srv/rosey/data/bot_data.db }
errorLogs: { files: [/srv/rosey/data/bot.log] }
configuration: { environment: prod, channel: demo }
release: { directory: /srv/rosey/releases }
limits: { watchSeconds: 2, healthEverySeconds: 1, startupSecondsMax: 5, responseGapMs: 50, healthTriesMax: 2 }
`;
const installed = ["alert", "burnin", "rollback", "verify"].map(
  (name) => `cytube-${name}@prod.service`,
);
const reason = canBoot();

// One machine, in the order of a host's life: each test begins where the one before has left it.
describe("install.sh on a host", { skip: reason ?? false }, () => {
  let machine: Container;
  const sh = (script: string, uid?: number): Promise<Ran> =>
    machine.run(["sh", "-c", script], { timeoutMs: 60_000, ...(uid === undefined ? {} : { uid }) });
  const install = (args: string, from = checkout): Promise<Ran> =>
    sh(`sh ${from}/units/install.sh ${args}`);
  /**
   * Every path that an installation could touch, with size and time; the bot's own files and the
   * journal change by themselves.
   */
  const look = async (): Promise<string> => {
    const places =
      "/etc /usr/local /run/cytube-verify /run/systemd/system /srv/rosey/releases /var/lib/cytube-verify /var/log/cytube-verify";
    return (
      await sh(`find ${places} -mindepth 1 -printf '%p %m %u:%g %s %T@ %l\\n' 2>/dev/null | sort`)
    ).stdout;
  };

  before(async () => {
    await buildOnce();
    copyProgram(checkout);
    for (const name of ["units", "package-lock.json"])
      cpSync(join(projectDirectory, name), join(checkout, name), { recursive: true });
    machine = await boot();
    await machine.writeFile("/etc/systemd/system/rosey-bot.service", botText);
    const { code, stderr } = await sh(prepareBot);
    assert.equal(code, 0, stderr);
  });

  after(async () => {
    await machine?.stop();
    removeCheckout();
  });

  test("says what is missing, and touches nothing", async () => {
    const seen = await look();
    const nothing = "mkdir -p /run/empty/units && cp";
    await sh(
      `${nothing} ${checkout}/units/install.sh /run/empty/units && cp -R ${checkout}/config /run/empty`,
    );
    for (const [ran, code, message] of [
      [await install("prod", "/run/empty"), 69, /no build yet: npm ci && npm run build/],
      [
        await sh(`sh ${checkout}/units/install.sh prod`, 65_534),
        77,
        /not root: sudo units\/install\.sh prod/,
      ],
      [await install("staging"), 78, /no config "staging"; there are: prod test /],
      [await install("prod --node /no/such/node"), 69, /no program "\/no\/such\/node"/],
      [await install("prod --node /bin/true"), 69, /Node 20\.18 or later/],
      [
        await sh(`cp /bin/true /root/node; sh ${checkout}/units/install.sh prod --node /root/node`),
        69,
        /units cannot see "\/root\/node"/,
      ],
      [
        await sh(
          `cp /bin/true /usr/bin/closed; chmod 700 /usr/bin/closed; sh ${checkout}/units/install.sh prod --node /usr/bin/closed`,
        ),
        69,
        /another user/,
      ],
      [await install("prod --uninstall"), 0, /^$/],
    ] as const) {
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, message);
    }
    assert.equal(await look(), seen);
  });

  test("places a config where there is none, and hooks nothing until it has been edited", async () => {
    const { code, stdout, stderr } = await install("prod");
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /as it was shipped, so no start of cytube-bot\.service starts a verification yet/,
    );
    assert.match(stdout, /^Next:\n {2}sudoedit \/etc\/cytube-verify\/prod\.yaml /m);
    assert.match((await sh("cat /etc/cytube-verify/prod.yaml")).stdout, /#change-me/);
    assert.equal((await sh("ls -d /etc/systemd/system/*.d")).stdout, "");
    assert.match((await install("prod")).stdout, /^unchanged: /m);
    assert.equal((await install("prod --uninstall")).code, 0);
  });

  test("refuses a config that is not valid before anything is switched, and can be undone then", async () => {
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config.replace("unit:", "unti:"));
    const { code, stderr } = await install("prod");
    assert.equal(code, 78);
    assert.match(stderr, /did you mean "unit"\?/);
    assert.equal(
      (
        await sh(
          "ls /usr/local/bin/cytube-verify /usr/local/lib/cytube-verify/current /etc/systemd/system/cytube*",
        )
      ).stdout,
      "",
    );
    assert.equal((await install("prod --uninstall")).code, 0);
    assert.equal((await sh("getent passwd cytube-verify")).code, 2);
  });

  test("--dry-run prints the changes as diffs, as root and as anybody, and touches nothing", async () => {
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config);
    const seen = await look();
    for (const uid of [undefined, 65_534]) {
      const { code, stdout, stderr } = await sh(
        `sh ${checkout}/units/install.sh prod --dry-run`,
        uid,
      );
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /^\+\+\+ \/etc\/systemd\/system\/cytube-verify@\.service \(644 root:root\)\n@@ /m,
      );
      assert.match(
        stdout,
        /^\+ExecStartPost=-\+\/usr\/bin\/systemctl --no-block start cytube-verify@prod\.service$/m,
      );
      assert.match(stdout, /^would copy to \/usr\/local\/lib\/cytube-verify\/[\d.]+-[\da-f]{8}: /m);
      assert.match(stdout, /changes; nothing was touched\.$/m);
    }
    assert.equal(await look(), seen);
  });

  test("installs, and the hardened unit may see everything of a bot whose files are shut to others", async () => {
    const { code, stdout, stderr } = await install("prod");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^It may see everything that the config asks for\.$/m, stdout + stderr);
    assert.doesNotMatch(stdout, /not armed|^The rollback, run as/m);
    const recorded = await sh(
      "cat /var/log/cytube-verify/prod.jsonl; ls -A /var/lib/cytube-verify /run/cytube-verify; ls -d /run/cytube-trial* /run/systemd/system/cytube*",
    );
    assert.equal(
      recorded.stdout,
      "/run/cytube-verify:\n\n/var/lib/cytube-verify:\n",
      "the trial left something",
    );
  });

  test("copies the program and what it loads, and no compiler", async () => {
    const program = "/usr/local/lib/cytube-verify/current/";
    const packages = await sh(`ls -A ${program} ${program}node_modules`);
    const own = ["LICENSES.txt", "config", "node_modules", "package.json", "verify.js"];
    const libraries = ["better-sqlite3", "bindings", "file-uri-to-path"];
    assert.deepEqual(
      packages.stdout.split("\n").filter((line) => line && !line.endsWith(":")),
      [...own, ...libraries],
    );
    const foreign = "find /usr/local/lib/cytube-verify ! -user root -o -perm /022 ! -type l";
    assert.equal((await sh(foreign)).stdout, "");
    assert.match(
      (await sh("cytube-verify --version; readlink /usr/local/lib/cytube-verify/current")).stdout,
      /^([\d.]+)\n\1-[\da-f]{8}\n$/,
    );
    const help = await sh("cd / && cytube-verify --help; cytube-verify status --help");
    assert.match(help.stdout, /^ {2}cytube-verify --env NAME /m);
    assert.match(help.stdout, /^ {2}cytube-verify status --env prod$/m);
    assert.doesNotMatch(help.stdout, /verify\.ts/);
  });

  test("makes user, group and directories for service, operators and the owner of the releases", async () => {
    const { stdout } = await sh(
      "stat -c '%a %U:%G %n' /var/log/cytube-verify /var/log/cytube-verify/prod.jsonl /var/lib/cytube-verify /run/cytube-verify /etc/cytube-verify/prod.yaml /etc/cytube-verify/credentials; id -nG cytube-verify",
    );
    assert.equal(
      stdout,
      `2770 cytube-verify:cytube-verify /var/log/cytube-verify
660 cytube-verify:cytube-verify /var/log/cytube-verify/prod.jsonl
2770 cytube-verify:cytube-verify /var/lib/cytube-verify
2775 cytube-verify:cytube-verify /run/cytube-verify
640 root:cytube-verify /etc/cytube-verify/prod.yaml
700 root:root /etc/cytube-verify/credentials
cytube-verify systemd-journal
`,
    );
  });

  test("all units pass systemd-analyze verify in silence", async () => {
    const { code, stdout, stderr } = await sh(
      `systemd-analyze verify --man=no ${installed.join(" ")} cytube-burnin@prod.timer rosey-bot.service`,
    );
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  });

  for (const name of installed) {
    test(`${name} is exposed by at most 1.5, as installed`, async () => {
      const { stdout } = await sh(`systemd-analyze security --no-pager ${name}`);
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
      assert.ok(exposure <= 1.5, `${name}: ${exposure}`);
    });
  }

  test("arms the rollback as the owner of the releases, under their lock", async () => {
    const { stdout } = await sh("systemctl cat cytube-rollback@prod.service");
    for (const line of [
      "User=rosey",
      "ReadWritePaths=/srv/rosey",
      "ExecStart=/usr/bin/flock --nonblock --conflict-exit-code 75 /srv/rosey/releases /usr/local/bin/cytube-verify rollback --env %i --switch",
      "ExecStart=-+/usr/bin/systemctl restart rosey-bot.service",
    ])
      assert.ok(stdout.includes(`\n${line}\n`), line);
    assert.doesNotMatch(stdout, /cytube-bot/);
  });

  test("a second run changes nothing and says so", async () => {
    const seen = await look();
    const { code, stdout, stderr } = await install("prod");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^unchanged: /m);
    assert.equal(await look(), seen);
    const dry = await install("prod --dry-run");
    assert.match(dry.stdout, /^0 changes; nothing was touched\.$/m, dry.stdout);
  });

  test("a start in the last moment of a verification is verified too, and the burn-in begins after it", async () => {
    const slow =
      "[Service]\nExecStart=\nExecStart=/bin/sh -c 'touch /run/cytube-verify/race.passed; sleep 0.2'\nExecStopPost=/bin/sleep 0.5\n";
    await machine.writeFile("/etc/systemd/system/cytube-verify@race.service.d/slow.conf", slow);
    const { stdout } = await sh(`systemctl daemon-reload
      unit=cytube-verify@race.service
      state() { systemctl show --property=ActiveState --value $1; }
      systemctl start $unit
      until [ $(state $unit) = deactivating ]; do sleep 0.02; done
      first=$(systemctl show --property=InvocationID --value $unit)
      systemctl --no-block start $unit
      until [ $(systemctl show --property=InvocationID --value $unit) != $first ] && [ $(state $unit) = active ]; do sleep 0.02; done
      echo second: timer $(state cytube-burnin@race.timer)
      until [ $(state $unit) = inactive ]; do sleep 0.02; done
      until [ $(state cytube-burnin@race.timer) = active ]; do sleep 0.02; done
      echo after: timer $(state cytube-burnin@race.timer)
      systemctl stop cytube-burnin@race.timer
      until [ $(state cytube-alert@race.service) != activating ]; do sleep 0.02; done
      rm -r /etc/systemd/system/cytube-verify@race.service.d /run/cytube-verify/race.passed
      systemctl daemon-reload
      systemctl reset-failed 'cytube-*@race.*'`);
    assert.equal(stdout, "second: timer inactive\nafter: timer active\n");
  });

  test("opens the network only for a site that needs it, and shows that as a diff", async () => {
    await machine.writeFile(
      "/etc/cytube-verify/prod.yaml",
      config.replace("127.0.0.1", "bot.example.test"),
      "0640",
    );
    const { stdout } = await install("prod --dry-run");
    assert.match(stdout, /^\+IPAddressAllow=any$/m);
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config, "0640");
  });

  test("lets verification and tick ask Prometheus and write metrics where node_exporter reads them, and the rollback neither", async () => {
    const place = "/var/lib/node-textfiles";
    const file = `${place}/cytube-prod.prom`;
    const sources = `prometheus: { url: "http://prometheus.example.test:9090" }\nalertmanager: { url: "http://127.0.0.1:9093" }\n`;
    await machine.writeFile(
      "/etc/cytube-verify/prod.yaml",
      `${config}${sources}metrics: { file: ${file} }\n`,
      "0640",
    );
    const missing = await install("prod");
    assert.equal(missing.code, 0, missing.stderr);
    assert.match(
      missing.stdout,
      /there is no directory \/var\/lib\/node-textfiles for metrics\.file/,
    );
    await sh(`mkdir ${place}`);
    const closed = await install("prod");
    const [help = ""] =
      /sudo chgrp cytube-verify \S+ && sudo chmod g\+wx \S+/.exec(closed.stdout) ?? [];
    assert.notEqual(help, "", closed.stdout);
    await sh(help.replaceAll("sudo ", ""));
    const open = await install("prod");
    assert.doesNotMatch(open.stdout, /metrics/);
    assert.match(open.stdout, /^It may see everything/m, "the trial");
    assert.equal((await sh(`ls -A ${place}`)).stdout, "", "the trial left something");
    const siteOf = (name: string) =>
      sh(`cat /etc/systemd/system/cytube-${name}@prod.service.d/site.conf | grep -v '^#'`);
    for (const name of ["verify", "burnin"])
      assert.match(
        (await siteOf(name)).stdout,
        /^\[Service\]\nIPAddressAllow=any\nSupplementaryGroups=rosey\nReadWritePaths=-\/var\/lib\/node-textfiles\n$/m,
      );
    assert.doesNotMatch((await siteOf("rollback")).stdout, /IPAddressAllow|textfiles/);
    // Inside the hardened unit, as its user.
    const write = `[Service]\nExecStart=\nExecStart=/usr/bin/touch ${file}\n`;
    await machine.writeFile(
      "/etc/systemd/system/cytube-burnin@prod.service.d/zz-write.conf",
      write,
    );
    const { stdout } =
      await sh(`systemctl daemon-reload; systemctl start cytube-burnin@prod; stat -c %U ${file}
      rm /etc/systemd/system/cytube-burnin@prod.service.d/zz-write.conf; systemctl daemon-reload; systemctl reset-failed 'cytube-*@prod.service'`);
    assert.equal(stdout, "cytube-verify\n");
    // What is no longer written must not go on telling of the bot.
    assert.match(
      (await install("prod --uninstall --dry-run")).stdout,
      /^would remove \/var\/lib\/node-textfiles\/cytube-prod\.prom$/m,
    );
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config, "0640");
    assert.match(
      (await install("prod")).stdout,
      /^removed \/var\/lib\/node-textfiles\/cytube-prod\.prom$/m,
    );
    assert.equal((await sh(`ls -A ${place}`)).stdout, "");
    assert.doesNotMatch((await siteOf("verify")).stdout, /IPAddressAllow|textfiles/);
  });

  test("refuses a path of the metrics that a unit file cannot carry", async () => {
    await machine.writeFile(
      "/etc/cytube-verify/prod.yaml",
      `${config}metrics: { file: "/var/lib/a b.prom" }\n`,
      "0640",
    );
    const { code, stderr } = await install("prod");
    assert.equal(code, 78);
    assert.match(stderr, /cannot carry "\/var\/lib\/a b\.prom"/);
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config, "0640");
  });

  test("hands the alerts the secrets that are there, and says how to make the others", async () => {
    const alerts =
      "alert: { sinks: [{ kind: json, urlFrom: hook }], ping: { urlFrom: ping } }\nrollback: { secondsMax: 90 }\n";
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config + alerts, "0640");
    await machine.writeFile("/etc/cytube-verify/credentials/hook", "http://127.0.0.1/", "0600");
    const { code, stdout, stderr } = await install("prod");
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /secret of the alerts is missing.*install -m 600 \/dev\/stdin \/etc\/cytube-verify\/credentials\/ping$/m,
    );
    const alert = (
      await sh("grep -v '^#' /etc/systemd/system/cytube-alert@prod.service.d/site.conf")
    ).stdout;
    assert.match(alert, /LoadCredential=hook:\/etc\/cytube-verify\/credentials\/hook$/m);
    assert.doesNotMatch(alert, /ping/);
    assert.match(alert, /^IPAddressAllow=any$/m);
    const others = await sh(
      "systemctl show --property=Wants --value cytube-verify@prod; systemctl show --property=TimeoutStartUSec --value cytube-rollback@prod",
    );
    assert.match(others.stdout, /cytube-alert@prod\.service.*\n6min 20s\n/s);
    await sh("rm /etc/cytube-verify/credentials/hook");
    await machine.writeFile("/etc/cytube-verify/prod.yaml", config, "0640");
    assert.match(
      (await install("prod")).stdout,
      /^removed .*cytube-alert@prod\.service\.d\/site\.conf$/m,
    );
  });

  test("prints the command for each file that the service may not read", async () => {
    await sh("chmod 600 /srv/rosey/data/bot_data.db; chmod 640 /srv/rosey/data/*.db-*");
    const { stdout } = await install("prod");
    assert.match(
      stdout,
      /may not read \/srv\/rosey\/data\/bot_data\.db; .*\n +sudo chmod g\+r \/srv\/rosey\/data\/bot_data\.db\n/,
    );
    assert.match(stdout, /^What it may not see.*\n {2}unknown database /m);
    await sh("chmod g+r /srv/rosey/data/bot_data.db");
    assert.match((await install("prod")).stdout, /^It may see everything/m);
  });

  test("does not arm a rollback that would run as root, and says what to do", async () => {
    await sh("chown root /srv/rosey/releases");
    const { stdout } = await install("prod");
    assert.match(
      stdout,
      /rollback is not armed: \/srv\/rosey\/releases belongs to root.*sudo chown/,
    );
    assert.match(
      stdout,
      /^removed \/etc\/systemd\/system\/cytube-rollback@prod\.service\.d\/site\.conf$/m,
    );
    await sh("chown rosey /srv/rosey/releases");
    assert.match(
      (await install("prod")).stdout,
      /^wrote .*cytube-rollback@prod\.service\.d\/site\.conf$/m,
    );
  });

  test("a bot without a unit gets no hook, and is told how it is verified then", async () => {
    const alone = config.replace("unit: rosey-bot", "pidFile: /srv/rosey/data/bot.pid");
    await machine.writeFile("/etc/cytube-verify/pm2.yaml", alone);
    const { code, stdout, stderr } = await install("pm2");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /not a systemd unit here.*\n.*systemctl start cytube-verify@pm2\.service/);
    assert.equal(
      (await sh("ls /etc/systemd/system/*.service.d/verify.conf")).stdout,
      "/etc/systemd/system/rosey-bot.service.d/verify.conf\n",
    );
  });

  test("refuses a second config for one bot", async () => {
    await machine.writeFile("/etc/cytube-verify/twin.yaml", config);
    const { code, stderr } = await install("twin");
    assert.equal(code, 78);
    assert.match(stderr, /rosey-bot\.service is verified as "prod" already/);
    assert.equal((await install("twin --uninstall")).code, 0);
  });

  test("uninstalling one instance leaves the other", async () => {
    const { code, stdout, stderr } = await install("pm2 --uninstall");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^The program stays for: prod$/m);
    assert.equal((await sh("ls -d /etc/systemd/system/*@pm2*")).stdout, "");
    assert.match((await install("prod")).stdout, /^unchanged: /m);
  });

  test("--uninstall leaves nothing but logs and config, and nothing without an owner", async () => {
    await machine.writeFile(
      "/etc/cytube-verify/prod.yaml",
      `${config}metrics: { file: /var/lib/node-textfiles/bot.prom }\n`,
      "0640",
    );
    await sh(
      "cd /var/lib/node-textfiles && chgrp cytube-verify . && chmod g+wx . && touch bot.prom",
    );
    assert.doesNotMatch((await install("prod")).stdout, /metrics/);
    const { stdout: dry } = await install("prod --uninstall --dry-run");
    const { code, stdout, stderr } = await install("prod --uninstall");
    assert.equal(code, 0, stderr);
    const named = (text: string): string[] =>
      (text.match(/^(?:would remove|removed) (.*)$/gm) ?? []).map((line) =>
        line.replace(/^.* /, ""),
      );
    assert.deepEqual(named(dry), named(stdout));
    assert.match(stdout, /\/var\/log\/cytube-verify and \/etc\/cytube-verify stay/);
    const left = await sh(
      "find /etc /usr /var /run /srv -xdev \\( -iname '*cytube*' -o -nouser -o -nogroup \\) -not -path '/var/tmp/*' | sort",
    );
    assert.equal(left.stdout, "/etc/cytube-verify\n/var/log/cytube-verify\n");
    assert.equal(
      (
        await sh(
          "getent passwd cytube-verify; getent group cytube-verify; systemctl list-units --all --plain --no-legend 'cytube*'",
        )
      ).stdout,
      "",
    );
    assert.equal((await sh("systemctl is-active rosey-bot.service")).stdout, "active\n");
  });

  test("installs again over the logs that it left", async () => {
    const { code, stdout, stderr } = await install("prod");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^It may see everything/m);
    assert.equal(
      (await sh("stat -c %U:%G /var/log/cytube-verify/prod.jsonl")).stdout,
      "cytube-verify:cytube-verify\n",
    );
  });
});
