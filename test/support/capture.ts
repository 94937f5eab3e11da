/**
 * Captures real text of systemd and journald into test/captured/, for the tests of the parsers. Run
 * by hand, as root:
 *
 *     node --import tsx test/support/capture.ts
 *
 * Each case brings one unit, cytube-bot.service, into a state in a booted container and keeps what
 * one command said:
 * its stdout as NAME.txt or NAME.jsonl (empty when it said nothing), its stderr as NAME.stderr when
 * there was any.
 * Whole lines may be left out, which the index then says; nothing is changed inside a line. The
 * index is generated.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { boot, type Container, canBoot, type Ran, type RunOptions } from "./booted.ts";

const directory = join(import.meta.dirname, "../captured");
const unit = "cytube-bot.service";
const program = "/opt/cytube-bot/bot";
const uidWithoutJournal = 65534;
const uidWithJournal = 1000;
const waitMsMax = 20_000;

// --- Keeping what a command said ----------------------------------------------------------------------------------

type Entry = {
  name: string;
  file: string;
  command: string;
  code: number;
  stderr: string;
  trimmed: string;
  notice: string;
};
type Keep = RunOptions & {
  /** Which lines of stdout to keep; the index gives the count. */
  lines?: (lines: string[]) => string[];
};

const sections: { title: string; preface: string; entries: Entry[] }[] = [];

function section(title: string, preface = ""): void {
  sections.push({ title, preface, entries: [] });
}

function quote(word: string): string {
  return /^[\w@%+=:,./<>-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function keep(name: string, command: string[], ran: Ran, notice: string, options: Keep = {}): Ran {
  const entries = sections.at(-1)?.entries ?? [];
  const file = `${name}.${command.includes("json") ? "jsonl" : "txt"}`;
  const all = ran.stdout.split("\n").slice(0, -1);
  const kept = options.lines?.(all) ?? all;
  writeFileSync(join(directory, file), kept.map((line) => `${line}\n`).join(""));
  if (ran.stderr !== "") writeFileSync(join(directory, `${name}.stderr`), ran.stderr);
  const user = options.uid === undefined ? "" : `(uid ${options.uid}) `;
  entries.push({
    name,
    file,
    code: ran.code,
    notice,
    command: user + command.map(quote).join(" "),
    stderr: ran.stderr === "" ? "" : `, ${name}.stderr`,
    trimmed: kept.length === all.length ? "" : ` (${kept.length} of ${all.length} lines)`,
  });
  return ran;
}

async function capture(
  machine: Container,
  name: string,
  command: string[],
  notice: string,
  options: Keep = {},
) {
  return keep(name, command, await machine.run(command, options), notice, options);
}

// --- Bringing the unit into a state -------------------------------------------------------------------------------

const unitPath = `/etc/systemd/system/${unit}`;
const unitText = `[Unit]
Description=CyTube bot
StartLimitIntervalSec=0

[Service]
ExecStart=${program}
User=cytube
Restart=no
`;

async function must(machine: Container, command: string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run(command);
  if (code !== 0)
    throw new Error(`Cannot run "${command.join(" ")}": exited ${code} (${stderr.trim()})`);
  return stdout.trimEnd();
}

/**
 * Removes what the last case left, and installs the program and the unit with this case's drop-in.
 */
async function install(machine: Container, script: string, dropIn = ""): Promise<void> {
  await machine.run(["systemctl", "kill", "--signal=KILL", unit]);
  await machine.run(["systemctl", "stop", unit]);
  await machine.run(["rm", "-rf", `${unitPath}.d`, unitPath, "/run/done", "/run/starts"]);
  await machine.writeFile(unitPath, unitText);
  if (dropIn !== "") await machine.writeFile(`${unitPath}.d/case.conf`, dropIn);
  await machine.writeFile(program, script, "0755");
  await must(machine, ["systemctl", "daemon-reload"]);
  await machine.run(["systemctl", "reset-failed", unit]);
}

async function property(machine: Container, name: string): Promise<string> {
  return must(machine, ["systemctl", "show", "--value", `--property=${name}`, unit]);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`Cannot capture: ${what} not reached within ${waitMsMax} ms`);
    await sleep(20);
  }
}

async function untilProperty(machine: Container, name: string, value: string): Promise<void> {
  await until(`${name}=${value}`, async () => (await property(machine, name)) === value);
}

async function start(machine: Container): Promise<void> {
  await must(machine, ["systemctl", "start", "--no-block", unit]);
}

// --- systemctl show -----------------------------------------------------------------------------------------------

const properties = [
  "Id",
  "LoadState",
  "ActiveState",
  "SubState",
  "MainPID",
  "NRestarts",
  "InvocationID",
  "Result",
  "ExecMainStartTimestamp",
  "ExecMainStartTimestampMonotonic",
  "ExecMainStatus",
  "ExecMainCode",
  "StandardOutput",
  "StandardError",
  "ControlGroup",
  "FragmentPath",
  "User",
  "UnitFileState",
  "StateChangeTimestamp",
  "TriggeredBy",
  "NeedDaemonReload",
];
const show = ["systemctl", "show", `--property=${properties.join(",")}`];
const sleeper = "#!/bin/sh\nexec sleep infinity\n";
const exitsOne = "#!/bin/sh\nsleep 0.05\nexit 1\n";

function startLimit(burst: number, service = ""): string {
  return `[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=${burst}\n[Service]\n${service}`;
}

type State = {
  name: string;
  script?: string;
  dropIn?: string;
  /** How to reach the state after the unit is installed; each waits for it. */
  reach: (machine: Container) => Promise<unknown>;
  notice: string;
};

const startAndWait = (sub: string) => async (machine: Container) => {
  await start(machine);
  await untilProperty(machine, "SubState", sub);
};

const states: State[] = [
  {
    name: "running",
    reach: startAndWait("running"),
    notice:
      "NRestarts=0, Result=success; the order of the lines is systemd's own, not the requested one",
  },
  {
    name: "start-pre",
    dropIn: "[Service]\nExecStartPre=sleep infinity\n",
    reach: startAndWait("start-pre"),
    notice: "MainPID=0, no ExecMainStartTimestamp, yet an InvocationID",
  },
  {
    name: "start-post",
    dropIn: "[Service]\nExecStartPost=sleep infinity\n",
    reach: startAndWait("start-post"),
    notice: "activating, yet MainPID is the running bot",
  },
  {
    name: "starting-notify",
    dropIn: "[Service]\nType=notify\n",
    reach: startAndWait("start"),
    notice: "Type=notify that never readies: activating (start)",
  },
  {
    name: "reloading",
    dropIn: "[Service]\nExecReload=sleep infinity\n",
    reach: async (machine) => {
      await startAndWait("running")(machine);
      await must(machine, ["systemctl", "reload", "--no-block", unit]);
      await untilProperty(machine, "SubState", "reload");
    },
    notice: "ActiveState=reloading; same InvocationID and MainPID as before",
  },
  {
    name: "stopping",
    script:
      "#!/usr/bin/python3\nimport signal, time\nsignal.signal(15, signal.SIG_IGN)\nopen('/run/lock/ready', 'w')\ntime.sleep(99)\n",
    reach: async (machine) => {
      await start(machine);
      await until(
        "the handler",
        async () => (await machine.run(["test", "-e", "/run/lock/ready"])).code === 0,
      );
      await must(machine, ["systemctl", "stop", "--no-block", unit]);
      await untilProperty(machine, "SubState", "stop-sigterm");
    },
    notice: "deactivating; the bot ignores SIGTERM and still runs",
  },
  {
    name: "auto-restart",
    script: exitsOne,
    dropIn: "[Service]\nRestart=always\nRestartSec=60\n",
    reach: startAndWait("auto-restart"),
    notice:
      "the first crash, waiting to restart: NRestarts is still 0, Result=exit-code, InvocationID of the dead start, ControlGroup empty",
  },
  {
    name: "crash-loop",
    script:
      "#!/bin/sh\necho >> /run/starts/count\n[ $(wc -l < /run/starts/count) -gt 5 ] && exec sleep infinity\nexit 1\n",
    dropIn:
      "[Service]\nRestart=always\nRestartSec=50ms\nExecStartPre=+mkdir -p -m 0777 /run/starts\n",
    reach: async (machine) => {
      await start(machine);
      await untilProperty(machine, "NRestarts", "5");
      await untilProperty(machine, "SubState", "running");
    },
    notice: "five automatic restarts, now up: only NRestarts tells; Result=success, ExecMainCode=0",
  },
  {
    name: "failed-exit-1",
    script: exitsOne,
    reach: startAndWait("failed"),
    notice: "ExecMainCode=1 (CLD_EXITED), ExecMainStatus=1; the InvocationID stays",
  },
  {
    name: "failed-signal",
    reach: async (machine) => {
      await startAndWait("running")(machine);
      await must(machine, ["systemctl", "kill", "--signal=KILL", unit]);
      await untilProperty(machine, "SubState", "failed");
    },
    notice: "ExecMainCode=2 (CLD_KILLED), ExecMainStatus=9, Result=signal",
  },
  {
    name: "failed-exec",
    script: "#!/usr/bin/no-such-interpreter\n",
    reach: startAndWait("failed"),
    notice: "missing interpreter: ExecMainStatus=203, Result=exit-code",
  },
  {
    name: "failed-start-timeout",
    dropIn: "[Service]\nType=notify\nTimeoutStartSec=300ms\n",
    reach: startAndWait("failed"),
    notice: "Result=timeout; ExecMainStatus=15",
  },
  {
    name: "start-limit-automatic",
    script: exitsOne,
    dropIn: startLimit(3, "Restart=always\nRestartSec=10ms\n"),
    reach: startAndWait("failed"),
    notice:
      "given up by an automatic restart: Result is the last exit's (exit-code), **not** start-limit-hit; NRestarts=3",
  },
  {
    name: "start-limit-manual",
    script: exitsOne,
    dropIn: startLimit(3),
    reach: async (machine) => {
      for (let i = 0; i < 3; i += 1) await startAndWait("failed")(machine);
      const refused = await machine.run(["systemctl", "start", unit]);
      if (refused.code !== 1)
        throw new Error(`Cannot capture: the fourth start exited ${refused.code}, not 1`);
    },
    notice: "a manual start refused by the limit: Result is still the last exit's",
  },
  {
    name: "start-limit-hit",
    script: "#!/bin/sh\nexit 0\n",
    dropIn: startLimit(3, "Restart=always\nRestartSec=10ms\n"),
    reach: startAndWait("failed"),
    notice:
      "Result=start-limit-hit comes only when the last exit was a success; ExecMainStatus=0 although failed",
  },
  {
    name: "never-started",
    reach: async () => {},
    notice: "InvocationID, timestamps and ControlGroup are empty; Result=success",
  },
  {
    name: "stopped",
    reach: async (machine) => {
      await startAndWait("running")(machine);
      await must(machine, ["systemctl", "stop", unit]);
    },
    notice:
      "nothing refers to the unit, so systemd has unloaded it: identical to never-started, the last run is gone",
  },
  {
    name: "stopped-referenced",
    dropIn: "",
    reach: async (machine) => {
      await machine.writeFile(
        "/etc/systemd/system/keeper.service",
        `[Unit]\nAfter=${unit}\n[Service]\nExecStart=sleep infinity\n`,
      );
      await must(machine, ["systemctl", "daemon-reload"]);
      await must(machine, ["systemctl", "start", "keeper.service"]);
      await startAndWait("running")(machine);
      await must(machine, ["systemctl", "stop", unit]);
    },
    notice:
      "stopped while another running unit is ordered after it: it stays loaded with the last run's InvocationID, status and timestamps",
  },
  {
    name: "append",
    dropIn: "[Service]\nStandardOutput=append:/var/log/cytube-bot.log\nStandardError=inherit\n",
    reach: startAndWait("running"),
    notice: "StandardOutput=append without the path",
  },
  {
    name: "triggered",
    reach: async (machine) => {
      await machine.writeFile("/etc/systemd/system/cytube-bot.timer", "[Timer]\nOnActiveSec=1h\n");
      await must(machine, ["systemctl", "daemon-reload"]);
      await must(machine, ["systemctl", "start", "cytube-bot.timer"]);
      await startAndWait("running")(machine);
    },
    notice: "TriggeredBy=cytube-bot.timer",
  },
  {
    name: "need-daemon-reload",
    reach: async (machine) => {
      await startAndWait("running")(machine);
      await machine.writeFile(`${unitPath}.d/later.conf`, "[Service]\nUser=root\n");
    },
    notice: "NeedDaemonReload=yes; the values are those of the old text",
  },
  {
    name: "masked",
    reach: async (machine) => {
      await machine.run(["rm", unitPath]);
      await must(machine, ["systemctl", "mask", unit]);
    },
    notice: "LoadState=masked, exit code 0",
  },
  {
    name: "not-found",
    reach: async (machine) => {
      await machine.run(["rm", unitPath]);
      await must(machine, ["systemctl", "daemon-reload"]);
    },
    notice:
      "LoadState=not-found, exit code 0, inactive: looks like a stopped bot except for LoadState",
  },
];

async function captureStates(machine: Container): Promise<void> {
  section(
    "Unit states",
    "Each row also says what `systemctl is-active` printed (and its exit code), and whether the symbolic link " +
      "`/run/systemd/units/invocation:cytube-bot.service` existed.",
  );
  for (const state of states) {
    await install(machine, state.script ?? sleeper, state.dropIn);
    await state.reach(machine);
    const active = await machine.run(["systemctl", "is-active", unit]);
    const link = await machine.run(["readlink", `/run/systemd/units/invocation:${unit}`]);
    const seen = `is-active: ${active.stdout.trim()} (${active.code}); link ${link.code === 0 ? "present" : "absent"}`;
    await capture(machine, `show-${state.name}`, [...show, unit], `${state.notice}. ${seen}`);
    if (state.name === "append") {
      await capture(
        machine,
        "cat-append",
        ["systemctl", "cat", unit],
        "has the path; a comment line names each file",
      );
    }
    await machine.run(["systemctl", "stop", "cytube-bot.timer", "keeper.service"]);
    await machine.run([
      "rm",
      "-f",
      "/etc/systemd/system/cytube-bot.timer",
      "/etc/systemd/system/keeper.service",
    ]);
  }
  await install(machine, sleeper);
  await startAndWait("running")(machine);
  await capture(
    machine,
    "show-two-units",
    [...show, unit, "cytube-verify@prod.service"],
    "two units: a blank line between, each in systemd's order; the second is not found",
  );
  await capture(
    machine,
    "show-unprivileged",
    [...show, unit],
    "any user may ask: the same answer as root",
    { uid: uidWithoutJournal },
  );
  await capture(
    machine,
    "show-timestamp-unix",
    ["systemctl", "show", "--timestamp=unix", `--property=${properties.join(",")}`, unit],
    "`--timestamp=unix`: `@` and seconds, free of time zone",
  );
  await capture(
    machine,
    "show-timestamp-zone",
    ["env", "TZ=America/New_York", ...show, unit],
    "without it the asking process's time zone is in the text",
  );
  await capture(
    machine,
    "cat-not-found",
    ["systemctl", "cat", "no-such.service"],
    "exit code 1, unlike show",
  );
}

// --- The cheap identity: links and cgroup files -------------------------------------------------------------------

async function captureIdentity(machine: Container): Promise<void> {
  section(
    "Identity without D-Bus",
    "Paths as the container sees them. From the host that runs it, the unit's directory is " +
      "`<cgroup2 mount>/booted-PID-N/payload/system.slice/cytube-bot.service`, where the cgroup2 mount is `/sys/fs/cgroup`, or " +
      "`/sys/fs/cgroup/unified` beside version 1 hierarchies, and cgroup.procs then has the host's numbers.",
  );
  await install(machine, "#!/bin/sh\nsleep infinity &\nsleep infinity &\nwait\n");
  await startAndWait("running")(machine);
  const group = `/sys/fs/cgroup${await property(machine, "ControlGroup")}`;
  const anyone = { uid: uidWithoutJournal };
  await capture(
    machine,
    "invocation-link",
    ["readlink", `/run/systemd/units/invocation:${unit}`],
    "a symbolic link whose target is the id: readlink, not read; any user can",
    anyone,
  );
  await capture(
    machine,
    "invocation-list",
    ["ls", "-l", "/run/systemd/units"],
    "what else is there",
    {
      lines: (lines) => lines.filter((line) => line.includes("cytube-bot")),
    },
  );
  await capture(
    machine,
    "cgroup-procs",
    ["cat", `${group}/cgroup.procs`],
    "the main process and two children, one pid a line, unsorted in general; any user can",
    anyone,
  );
  await capture(
    machine,
    "cgroup-events",
    ["cat", `${group}/cgroup.events`],
    "populated 1 while any process lives; poll(2) wakes on a change",
    anyone,
  );
  await capture(
    machine,
    "cgroup-list",
    ["ls", group],
    "the files there are depends on the controllers; no memory.current without the memory controller",
  );
  await must(machine, ["systemctl", "stop", unit]);
  await capture(
    machine,
    "cgroup-events-stopped",
    ["cat", `${group}/cgroup.events`],
    "the directory goes with the unit: ENOENT is 'stopped', not an error",
    anyone,
  );
}

// --- The journal --------------------------------------------------------------------------------------------------

const fields = [
  "MESSAGE",
  "PRIORITY",
  "_PID",
  "_SYSTEMD_INVOCATION_ID",
  "INVOCATION_ID",
  "MESSAGE_ID",
  "SYSLOG_IDENTIFIER",
  "_TRANSPORT",
  "EXIT_CODE",
  "EXIT_STATUS",
  "UNIT_RESULT",
  "N_RESTARTS",
  "N_DROPPED",
  "JOB_TYPE",
  "JOB_RESULT",
  "_SYSTEMD_UNIT",
  "UNIT",
  "OBJECT_SYSTEMD_UNIT",
  "OBJECT_SYSTEMD_INVOCATION_ID",
  "_LINE_BREAK",
  "_SOURCE_REALTIME_TIMESTAMP",
];
const lineFields = [
  "MESSAGE",
  "PRIORITY",
  "_PID",
  "_SYSTEMD_INVOCATION_ID",
  "SYSLOG_IDENTIFIER",
  "_TRANSPORT",
  "_LINE_BREAK",
];

function journal(output: string[], ...rest: string[]): string[] {
  return ["journalctl", "-o", "json", `--output-fields=${output.join(",")}`, ...rest];
}

/**
 * A Python program that has written its lines, says so, and lives on: its journal is complete, its
 * unit loaded.
 */
function python(body: string): string {
  return `#!/usr/bin/python3 -u
import logging, os, sys, time
logging.basicConfig(format="[%(asctime)s] [%(name)s] [%(levelname)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S", level=logging.INFO, stream=sys.stdout)
log = logging.getLogger("lib.bot")
def say(data): os.write(1, data if isinstance(data, bytes) else data.encode())
def rest():
    open("/run/lock/done", "w").close()
    time.sleep(9999)
${body}
rest()
`;
}

/** Runs a bot until it has written all, and gives its invocation. */
async function runBot(machine: Container, body: string, dropIn = ""): Promise<string> {
  await machine.run(["rm", "-f", "/run/lock/done"]);
  await install(machine, python(body), dropIn);
  await start(machine);
  await until(
    "the end of the bot's lines",
    async () => (await machine.run(["test", "-e", "/run/lock/done"])).code === 0,
  );
  await must(machine, ["journalctl", "--sync"]);
  return property(machine, "InvocationID");
}

type Lines = { name: string; body: string; dropIn?: string; notice: string };

const lineCases: Lines[] = [
  {
    name: "healthy",
    notice:
      "PRIORITY 6, _TRANSPORT stdout; a chat line holds the word ERROR, an INFO line a password; indentation is kept",
    body: `
log.info("starting")
say("[*] config loaded\\n")
logging.getLogger("lib.socket_io").info('login {"name": "bot", "pw": "hunter2"}')
log.info("Successfully joined channel")
logging.getLogger("lib.chat").info("user42: what does ERROR 500 mean?")
say("    indented\\n")`,
  },
  {
    name: "errors",
    notice:
      "WARNING, ERROR and CRITICAL are PRIORITY 6 too, on stdout and on stderr: `-p err` shows none of them",
    body: `
log.warning("reconnect in 10 s")
log.error("user exists: user42")
log.critical("cannot write the database")
os.write(2, b"[2026-11-21 21:04:26] [lib.bot] [ERROR] to stderr\\n")`,
  },
  {
    name: "prefix",
    notice:
      "`<N>` at the start becomes PRIORITY and is removed from MESSAGE; later in the line, or above 7, it stays",
    body: `
say("<3>[2026-11-21 21:04:26] [lib.bot] [ERROR] prefixed\\n<4>warning\\n<2>critical\\n<9>no priority\\ntext <3> inside\\n")`,
  },
  {
    name: "traceback",
    notice:
      "log.exception: one record a line; only the first has the `[time] [logger] [level]` prefix",
    body: `
def join(name): raise KeyError(name)
try: join("lobby")
except KeyError: log.exception("join failed")
log.info("goes on")`,
  },
  {
    name: "traceback-chained",
    notice:
      "`The above exception was the direct cause …`, then `During handling of …`; the empty lines around them are gone",
    body: `
try:
    try: int("x")
    except ValueError as cause: raise RuntimeError("bad config") from cause
except RuntimeError: log.exception("reload failed")
try:
    try: int("y")
    except ValueError: {}["missing"]
except KeyError: log.exception("handler failed")`,
  },
  {
    name: "bytes",
    notice:
      "MESSAGE is an array of bytes for ANSI escapes, a CR inside and invalid UTF-8; a string for a TAB, an emoji and a CR at the end (removed, with trailing blanks); a NUL ends a record (`_LINE_BREAK` nul); an empty line is no record; a bell makes it bytes too",
    body: `
say("[2026-11-21 21:04:26] [lib.bot] [\\x1b[31mERROR\\x1b[0m] ansi level\\n")
say("progress 1\\rprogress 2\\n")
say("carriage return at the end\\r\\n")
say(b"latin-1 caf\\xe9\\n")
say(b"before\\x00after\\n")
say("tab\\there\\n")
say("emoji \\U0001F600 and \\u00e9\\n")
say("trailing blanks   \\n")
say("\\n")
say("[2026-11-21 21:04:26] [lib.bot] [ERROR] \\u0007bell\\n")`,
  },
  {
    name: "empty",
    notice: "a bot that prints nothing: no output, exit code 0; compare with the blind ones",
    body: "",
  },
];

async function captureLines(machine: Container): Promise<void> {
  section("Lines of a bot", "All by `_SYSTEMD_INVOCATION_ID=`, in a persistent journal.");
  for (const { name, body, dropIn, notice } of lineCases) {
    const id = await runBot(machine, body, dropIn);
    await capture(
      machine,
      `journal-${name}`,
      journal(lineFields, `_SYSTEMD_INVOCATION_ID=${id}`),
      notice,
    );
  }
  const long = await runBot(
    machine,
    `say("[2026-11-21 21:04:26] [lib.bot] [ERROR] " + "x" * 10000 + "\\n")\nsay("short\\n")`,
  );
  await capture(
    machine,
    "journal-long",
    journal(lineFields, `_SYSTEMD_INVOCATION_ID=${long}`),
    "10 kB: MESSAGE is null without --all",
  );
  await capture(
    machine,
    "journal-long-all",
    journal(lineFields, "--all", `_SYSTEMD_INVOCATION_ID=${long}`),
    "the same, whole",
  );
  const edge = await runBot(machine, `say("x" * 4087 + "\\n")\nsay("x" * 4088 + "\\n")`);
  await capture(
    machine,
    "journal-long-edge",
    journal(lineFields, `_SYSTEMD_INVOCATION_ID=${edge}`),
    "4087 bytes are shown, 4088 are null: the limit of 4096 counts `MESSAGE=` and is exclusive",
  );
  const appended = await runBot(
    machine,
    `log.error("to the file")`,
    "[Service]\nUser=root\nStandardOutput=append:/var/log/cytube-bot.log\n",
  );
  await capture(
    machine,
    "journal-append",
    journal(fields, `_SYSTEMD_INVOCATION_ID=${appended}`, "+", `INVOCATION_ID=${appended}`),
    "StandardOutput=append: PID 1's record, and no line of the bot",
  );
  const split = await runBot(
    machine,
    `say("[2026-11-21 21:04:26] [lib.bot] [ERROR] " + "x" * 60000 + " end\\n")\nsay("short\\n")`,
  );
  const parts = journal(lineFields, "--all", `_SYSTEMD_INVOCATION_ID=${split}`);
  const sizes = (await must(machine, parts))
    .split("\n")
    .map((line) => JSON.parse(line).MESSAGE.length)
    .join(", ");
  await capture(
    machine,
    "journal-split",
    journal(lineFields, `_SYSTEMD_INVOCATION_ID=${split}`),
    `a line of 60 kB: two records, null without --all; \`_LINE_BREAK\` line-max marks a part that is not the last. With --all the lengths are ${sizes}`,
  );
  await must(machine, [
    "sh",
    "-c",
    "mkdir -p /etc/systemd/journald.conf.d; printf '[Journal]\\nLineMax=79\\n' > /etc/systemd/journald.conf.d/line.conf; systemctl restart systemd-journald",
  ]);
  const small = await runBot(
    machine,
    `say("[2026-11-21 21:04:26] [lib.bot] [ERROR] " + "x" * 100 + " end\\n")\nsay("short\\n")`,
  );
  await capture(
    machine,
    "journal-split-small",
    journal(lineFields, `_SYSTEMD_INVOCATION_ID=${small}`),
    "the same with LineMax=79: the text of the parts, to be joined while `_LINE_BREAK` is line-max",
  );
  await must(machine, [
    "sh",
    "-c",
    "rm /etc/systemd/journald.conf.d/line.conf; systemctl restart systemd-journald",
  ]);
}

async function captureShortLived(machine: Container): Promise<void> {
  section(
    "Lines without an invocation",
    "journald reads a process's invocation when its first line arrives; a process that is gone by then has none.",
  );
  for (let attempt = 0; attempt < 200; attempt += 1) {
    await install(
      machine,
      "#!/bin/sh\necho '[2026-11-21 21:04:26] [lib.bot] [ERROR] no config'\nexit 1\n",
    );
    await start(machine);
    await untilProperty(machine, "SubState", "failed");
    await must(machine, ["journalctl", "--sync"]);
    const id = await property(machine, "InvocationID");
    const found = await must(machine, ["journalctl", "-o", "cat", `_SYSTEMD_INVOCATION_ID=${id}`]);
    if (found !== "") continue;
    const since = Number(
      await must(machine, [
        "sh",
        "-c",
        `journalctl -o json INVOCATION_ID=${id} | head -1 | jq -r .__REALTIME_TIMESTAMP`,
      ]),
    );
    const sinceSeconds = `@${Math.floor(since / 1e6)}.${String(since % 1e6).padStart(6, "0")}`;
    const notice = `the bot's line is there with _SYSTEMD_UNIT, and without _SYSTEMD_INVOCATION_ID (met at attempt ${attempt + 1})`;
    await capture(
      machine,
      "journal-short-lived",
      journal(fields, "-u", unit, `--since=${sinceSeconds}`),
      notice,
    );
    await capture(
      machine,
      "journal-short-lived-missed",
      journal(fields, `_SYSTEMD_INVOCATION_ID=${id}`, "+", `INVOCATION_ID=${id}`),
      "the same start, matched by invocation: the ERROR line is missing",
    );
    return;
  }
  throw new Error("Cannot capture: no line without an invocation in 200 attempts");
}

async function captureSuppression(machine: Container): Promise<void> {
  section(
    "Rate limiting",
    "With LogRateLimitBurst=5 on the unit (journald raises a burst with the free disk space); the default is 10000 in 30 s.",
  );
  const id = await runBot(
    machine,
    `
log.info("first")
time.sleep(0.3)
for i in range(200): say("[2026-11-21 21:04:26] [lib.bot] [INFO] line %d\\n" % i)
say("[2026-11-21 21:04:26] [lib.bot] [ERROR] the one that matters\\n")
open("/run/lock/suppressed", "w").close()
time.sleep(3)
log.info("after the interval")`,
    "[Service]\nLogRateLimitIntervalSec=2\nLogRateLimitBurst=5\n",
  );
  const matches = [`_SYSTEMD_INVOCATION_ID=${id}`, "+", `INVOCATION_ID=${id}`];
  const lastFive = { lines: (lines: string[]) => lines.slice(-5) };
  await capture(
    machine,
    "journal-suppressed",
    journal(fields, ...matches),
    "the last lines: the ERROR is lost, and **no notice**: the notice is journald's own record, of journald's invocation",
    lastFive,
  );
  await capture(
    machine,
    "journal-suppressed-object",
    journal(fields, ...matches, "+", `OBJECT_SYSTEMD_INVOCATION_ID=${id}`),
    "with a third match term the notice is there: N_DROPPED, PRIORITY 6, _TRANSPORT driver; written only when the unit logs again",
    lastFive,
  );
}

// --- PID 1's records ----------------------------------------------------------------------------------------------

async function invocations(machine: Container, since: string): Promise<string[]> {
  const ids = await must(machine, [
    "sh",
    "-c",
    `journalctl -o json _PID=1 UNIT=${unit} --since=@${since} | jq -r '.INVOCATION_ID // empty'`,
  ]);
  return [...new Set(ids.split("\n"))];
}

async function captureLifecycle(machine: Container): Promise<void> {
  section(
    "Records of PID 1",
    "MESSAGE_ID: 7d4958e842da4a758f6c1cdc7b36dcc5 starting, 39f53479d3a045ac8e11786248231fbf started, " +
      "98e322203f7a4ed290d09fe03c09fe15 process exit, d9b373ed55a64feb8242e02dbe79a49c failed with result, 5eb03494b6584870a536b337290809b3 restart scheduled, " +
      "de5b426a63be47a7b6ac3eaac82e2f6f stopping, 9d1aaa27d60140bd96365438aad20286 stopped, 7ad2d189f7e94e70a38c781354912448 deactivated successfully, " +
      "be02cf6855d2428ba40df7e9d022f03d failed to start, ae8f7b866b0347b9af31fe1c80b127c0 resources consumed.",
  );
  const cases: {
    name: string;
    script: string;
    dropIn?: string;
    act: (machine: Container) => Promise<unknown>;
    notice: string;
  }[] = [
    {
      name: "restart",
      script:
        "#!/bin/sh\nsleep 0.1\necho '[2026-11-21 21:04:26] [lib.bot] [ERROR] giving up'\nsleep 0.1\nexit 3\n",
      dropIn: "[Service]\nRestart=always\nRestartSec=300ms\n",
      act: async () => {
        await start(machine);
        await untilProperty(machine, "NRestarts", "2");
      },
      notice:
        "crash and automatic restart, three starts: EXIT_CODE, EXIT_STATUS; UNIT_RESULT; N_RESTARTS; no 'Starting' record for Type=simple",
    },
    {
      name: "stop",
      script: sleeper,
      act: async () => {
        await startAndWait("running")(machine);
        await must(machine, ["systemctl", "stop", unit]);
      },
      notice: "a stop by a person: no exit record, 'Deactivated successfully', JOB_TYPE stop",
    },
    {
      name: "manual-restart",
      script: sleeper,
      act: async () => {
        await startAndWait("running")(machine);
        await must(machine, ["systemctl", "restart", unit]);
      },
      notice:
        "a planned restart: stopping, stopped, started. JOB_TYPE=restart on 'Stopped' also follows a crash: what a planned one lacks is 5eb0…",
    },
    {
      name: "exit-0",
      script: "#!/bin/sh\nsleep 0.1\nexit 0\n",
      dropIn: "[Service]\nRestart=always\nRestartSec=200ms\n",
      act: async () => {
        await start(machine);
        await untilProperty(machine, "NRestarts", "1");
      },
      notice:
        "a bot that leaves with 0 and is restarted: no exit record, no failure; only 'Scheduled restart job'",
    },
    {
      name: "terminated",
      script: sleeper,
      dropIn: "[Service]\nRestart=always\nRestartSec=200ms\n",
      act: async () => {
        await startAndWait("running")(machine);
        await must(machine, ["kill", "-TERM", await property(machine, "MainPID")]);
        await untilProperty(machine, "NRestarts", "1");
      },
      notice: "SIGTERM from outside: as quiet as exit 0",
    },
    {
      name: "killed",
      script: sleeper,
      dropIn: "[Service]\nRestart=always\nRestartSec=100ms\n",
      act: async () => {
        await startAndWait("running")(machine);
        await must(machine, ["systemctl", "kill", "--signal=KILL", unit]);
        await untilProperty(machine, "NRestarts", "1");
        await untilProperty(machine, "SubState", "running");
      },
      notice:
        "EXIT_CODE killed, EXIT_STATUS a number (9); PRIORITY 4 for a signal, 5 for an exit status",
    },
    {
      name: "segfault",
      script: "#!/bin/sh\nsleep 0.1\nkill -SEGV $$\n",
      act: () => startAndWait("failed")(machine),
      notice: "EXIT_STATUS 11; EXIT_CODE is killed here, dumped where core dumps are on",
    },
    {
      name: "start-limit",
      script: exitsOne,
      dropIn: startLimit(2, "Restart=always\nRestartSec=10ms\n"),
      act: () => startAndWait("failed")(machine),
      notice:
        "'Start request repeated too quickly' (no MESSAGE_ID), a second d9b3… of the same invocation, and be02… 'Failed to start' (PRIORITY 3): the last is the sign",
    },
    {
      name: "no-interpreter",
      script: "#!/usr/bin/no-such-interpreter\n",
      act: () => startAndWait("failed")(machine),
      notice:
        "Type=simple: Started, then PRIORITY 3 from the forked child `(bot)` (not PID 1), MESSAGE_ID 641257651c1b4ec9a8624d7a40a9e1e7; EXIT_STATUS 203",
    },
    {
      name: "start-timeout",
      script: sleeper,
      dropIn: "[Service]\nType=notify\nTimeoutStartSec=300ms\n",
      act: () => startAndWait("failed")(machine),
      notice:
        "UNIT_RESULT timeout, 'Failed to start'; no exit record for the bot that systemd killed",
    },
    {
      name: "hook",
      script: sleeper,
      dropIn:
        "[Service]\nExecStartPre=echo '[x] [ERROR] from ExecStartPre'\nExecStartPost=-+/bin/sh -c 'sleep 0.1; echo from the hook; exit 7'\n",
      act: () => startAndWait("running")(machine),
      notice:
        "the hooks' lines carry the bot's invocation: tell them apart by _PID or SYSLOG_IDENTIFIER; the exit 7 of a `-` hook leaves no record at all",
    },
  ];
  for (const { name, script, dropIn, act, notice } of cases) {
    await install(machine, script, dropIn);
    const since = await must(machine, ["date", "+%s.%6N"]);
    await act(machine);
    await must(machine, ["journalctl", "--sync"]);
    await capture(
      machine,
      `pid1-${name}`,
      journal(fields, "-u", unit, `--since=@${since}`),
      notice,
    );
    if (name !== "restart") continue;
    const [first] = await invocations(machine, since);
    await capture(
      machine,
      "pid1-restart-invocation",
      journal(fields, `_SYSTEMD_INVOCATION_ID=${first}`, "+", `INVOCATION_ID=${first}`),
      "the first of those starts by invocation: the bot's line and PID 1's; the restart record carries the invocation that **died**; the one that follows has no trace of it",
    );
  }
}

// --- Who sees what ------------------------------------------------------------------------------------------------

async function captureBlindness(machine: Container): Promise<void> {
  section(
    "Blind, silent, wrong",
    `uid ${uidWithoutJournal} has no journal and no group; uid ${uidWithJournal} owns a user journal (it has logged before); ` +
      "group systemd-journal sees all. The guard is the started record, MESSAGE_ID 39f53479d3a045ac8e11786248231fbf; the probe is any record with _UID=0.",
  );
  await machine.run(["logger", "-t", "someone", "a line of this user"], { uid: uidWithJournal });
  const id = await runBot(machine, `log.error("seen?")`);
  const lines = journal(fields, `_SYSTEMD_INVOCATION_ID=${id}`, "+", `INVOCATION_ID=${id}`);
  const guard = journal(
    ["MESSAGE"],
    "-n",
    "1",
    "_PID=1",
    `INVOCATION_ID=${id}`,
    "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf",
  );
  const probe = journal(["_PID"], "-n", "1", "_UID=0");
  const hint = ["journalctl", "-n", "0"];
  const asGroup = [
    "setpriv",
    `--reuid=${uidWithoutJournal}`,
    "--clear-groups",
    "--regid=systemd-journal",
  ];
  await capture(
    machine,
    "sees-all",
    [...asGroup, ...lines],
    "the group suffices: the bot's line and PID 1's records",
  );
  await capture(machine, "sees-all-guard", [...asGroup, ...guard], "one record");
  await capture(
    machine,
    "sees-all-probe",
    [...asGroup, ...probe],
    "one record of root: this user sees the system journal",
  );
  await capture(machine, "sees-all-hint", [...asGroup, ...hint], "nothing on stderr");
  await capture(machine, "blind-no-group", lines, "exit code 1 and a message on stderr", {
    uid: uidWithoutJournal,
  });
  await capture(
    machine,
    "blind-own-journal",
    lines,
    "**exit code 0, no lines, no stderr**: exactly what a silent bot looks like",
    {
      uid: uidWithJournal,
    },
  );
  await capture(machine, "blind-own-journal-guard", guard, "no record: blind, or vacuumed", {
    uid: uidWithJournal,
  });
  await capture(
    machine,
    "blind-own-journal-probe",
    probe,
    "no record of root at all: blind. A user journal never holds any",
    {
      uid: uidWithJournal,
    },
  );
  await capture(
    machine,
    "blind-own-journal-hint",
    hint,
    "exit code 0, but the hint is on stderr: `-o json` is what silences it",
    {
      uid: uidWithJournal,
    },
  );
  const own = await runBot(
    machine,
    `log.error("by uid ${uidWithJournal}")`,
    `[Service]\nUser=${uidWithJournal}\n`,
  );
  const ownLines = journal(fields, `_SYSTEMD_INVOCATION_ID=${own}`, "+", `INVOCATION_ID=${own}`);
  await capture(
    machine,
    "half-blind-own-bot",
    ownLines,
    "the bot runs as the asking uid: its lines are visible, PID 1's records (exits, restarts) are not",
    { uid: uidWithJournal },
  );
  const forged = [
    `INVOCATION_ID=${id}`,
    "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15",
    "EXIT_CODE=killed",
    "EXIT_STATUS=9",
    "MESSAGE=forged",
  ];
  await machine.run(["logger", "--journald"], {
    uid: uidWithJournal,
    input: `${forged.join("\n")}\n`,
  });
  await must(machine, ["journalctl", "--sync"]);
  const who = ["MESSAGE", "_PID", "_UID", "MESSAGE_ID", "EXIT_STATUS"];
  await capture(
    machine,
    "forged",
    journal(who, `INVOCATION_ID=${id}`),
    "any local user can write INVOCATION_ID, UNIT and MESSAGE_ID: trust only fields with an underscore",
  );
  await capture(
    machine,
    "forged-excluded",
    journal(who, "_PID=1", `INVOCATION_ID=${id}`),
    "with _PID=1 the forged record is out; `-u` adds that itself",
  );
  await capture(
    machine,
    "silent",
    ["journalctl", "-o", "json", `_SYSTEMD_INVOCATION_ID=${id}`, "MESSAGE=no such line"],
    "a root that sees all, and no match: exit code 0, nothing",
  );
  await capture(
    machine,
    "unknown-unit",
    ["journalctl", "-o", "json", "-u", "no-such.service"],
    "exit code 0, nothing",
  );
  await capture(
    machine,
    "unknown-unit-short",
    ["journalctl", "-u", "no-such.service"],
    "without -o json: '-- No entries --' on stdout",
  );
  await capture(
    machine,
    "unknown-invocation",
    ["journalctl", "-o", "json", `_SYSTEMD_INVOCATION_ID=${"0".repeat(31)}1`],
    "exit code 0, nothing",
  );
  await capture(
    machine,
    "bad-cursor",
    ["journalctl", "-o", "json", "--after-cursor=garbage"],
    "exit code 1",
  );
  await capture(machine, "bad-match", ["journalctl", "-o", "json", "garbage"], "exit code 1");
  await capture(
    machine,
    "bad-since",
    ["journalctl", "-o", "json", "--since=garbage"],
    "exit code 1",
  );
}

async function captureCursors(machine: Container): Promise<void> {
  section("Cursors and limits", "Four records, in order: bot 1, other, bot 2, bot 3.");
  for (const [tag, text] of [
    ["page", "bot 1"],
    ["other", "other"],
    ["page", "bot 2"],
    ["page", "bot 3"],
  ] as const) {
    await must(machine, ["logger", "-t", tag, text]);
    await must(machine, ["journalctl", "--sync"]);
  }
  const cursorOf = async (tag: string) =>
    JSON.parse(await must(machine, ["sh", "-c", `journalctl -o json -t ${tag} | head -1`]))
      .__CURSOR as string;
  const brief = journal(["MESSAGE"], "-t", "page");
  const [inside, outside] = [await cursorOf("page"), await cursorOf("other")];
  await capture(
    machine,
    "cursor-after",
    [...brief, `--after-cursor=${inside}`],
    "from bot 1: bot 2, bot 3",
  );
  await capture(
    machine,
    "cursor-after-unmatched",
    [...brief, `--after-cursor=${outside}`],
    "the cursor's record does not match (or has been vacuumed): **bot 2 is skipped**, exit code 0",
  );
  await capture(
    machine,
    "cursor-at-unmatched",
    [...brief, `--cursor=${outside}`],
    "`--cursor` loses nothing: drop the first record when its __CURSOR is the one asked for",
  );
  await capture(
    machine,
    "cursor-at",
    [...brief, `--cursor=${inside}`],
    "`--cursor` with a matching record: it comes first",
  );
  await capture(
    machine,
    "cursor-limit",
    [...brief, "-n", "1", `--cursor=${outside}`],
    "-n with a cursor keeps the **oldest**: a page",
  );
  await capture(
    machine,
    "since-limit",
    [...brief, "-n", "1", "--since=@1"],
    "-n with --since keeps the oldest too",
  );
  await capture(machine, "limit", [...brief, "-n", "1"], "-n alone keeps the newest");
  await capture(
    machine,
    "cursor-none-left",
    [...brief, `--after-cursor=${await cursorOf("page")}`, "-n", "0"],
    "-n 0: nothing, exit code 0",
  );
  await capture(
    machine,
    "cursor-show",
    [...brief, "--show-cursor", "-n", "1"],
    "the last line is not JSON",
  );
  // Last of all: this empties the journal.
  const id = await runBot(machine, `log.error("soon gone")`);
  await must(machine, ["sh", "-c", "journalctl --rotate && journalctl --vacuum-files=1"]);
  await capture(
    machine,
    "vacuumed-guard",
    journal(
      ["MESSAGE"],
      "-n",
      "1",
      "_PID=1",
      `INVOCATION_ID=${id}`,
      "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf",
    ),
    "a bot that runs longer than the journal is kept: no started record, although nothing is hidden",
  );
  await capture(
    machine,
    "vacuumed-probe",
    journal(["_PID"], "-n", "1", "_UID=0"),
    "one record of root: not blind",
  );
  await capture(
    machine,
    "vacuumed-cursor",
    journal(["MESSAGE"], "-n", "1", `--cursor=${inside}`),
    "the cursor's record is gone: the next one comes, exit code 0; its __CURSOR differs from the one asked for",
  );
}

// --- Where there is no systemd ------------------------------------------------------------------------------------

function captureHost(): void {
  section(
    "No systemd, no bus",
    "The host cases ran where PID 1 is not systemd and there is no journal.",
  );
  const environment = { PATH: process.env.PATH, LANG: "C.UTF-8" };
  const host = (name: string, command: string[], notice: string) => {
    // /run is hidden so that a host that does run systemd gives the same answer.
    const hidden = [
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && exec "$@"',
      "sh",
    ];
    const ran = spawnSync("unshare", [...hidden, ...command], {
      encoding: "utf8",
      env: environment,
    });
    keep(name, command, { code: ran.status ?? -1, stdout: ran.stdout, stderr: ran.stderr }, notice);
  };
  host("host-show", [...show, unit], "exit code 1");
  host(
    "host-is-active",
    ["systemctl", "is-active", unit],
    "exit code 1, which is none of is-active's own",
  );
  host(
    "host-journal",
    ["journalctl", "-o", "json", "-u", unit],
    "no journal at all: exit code 0, nothing on stderr either (`-o json` silences it)",
  );
  host(
    "host-journal-short",
    ["journalctl", "-u", unit],
    "the same without -o json: the message is on stderr, the exit code still 0",
  );
}

async function captureNoBus(machine: Container): Promise<void> {
  const command = ["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/no-such-bus", ...show, unit];
  await capture(
    machine,
    "no-bus",
    command,
    "an unprivileged user without D-Bus: exit code 1 (root has a private socket)",
    {
      uid: uidWithoutJournal,
    },
  );
}

// --- The index ----------------------------------------------------------------------------------------------------

function renderIndex(version: string): string {
  const shortened = (command: string) =>
    command
      .replace(`--property=${properties.join(",")}`, "--property=$P")
      .replace(`--output-fields=${fields.join(",")}`, "--output-fields=$F")
      .replace(`--output-fields=${lineFields.join(",")}`, "--output-fields=$L");
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = (entries: Entry[]) =>
    entries
      .map(
        (entry) =>
          `| ${entry.file}${entry.stderr}${entry.trimmed} | \`${cell(shortened(entry.command))}\` | ${entry.code} | ${cell(entry.notice)} |\n`,
      )
      .join("");
  return `# Captured text

What ${version.split("\n")[0]} said in a booted container. Generated by \`node --import tsx test/support/capture.ts\`: change that, not this.
A command is followed by its exit code. stdout is in the file named, stderr in NAME.stderr when there was any. Lines may be left out (then the count is given), never edited.

- \`$P\` is ${properties.join(",")}
- \`$F\` is ${fields.join(",")}
- \`$L\` is ${lineFields.join(",")}
- \`__CURSOR\`, \`__REALTIME_TIMESTAMP\`, \`__MONOTONIC_TIMESTAMP\` and \`_BOOT_ID\` come with every JSON record, asked for or not; the order of keys varies.
${sections
  .map(
    ({ title, preface, entries }) => `
## ${title}
${preface === "" ? "" : `\n${preface}\n`}
| file | command | exit | what to notice |
|---|---|---|---|
${rows(entries)}`,
  )
  .join("")}`;
}

/** A fixture must not depend on where it was captured. */
function checkPortable(): void {
  const foreign = new RegExp(
    `${resolve(import.meta.dirname, "../..")}\\b|/tmp/|/home/|\\b${hostname()}\\b`,
  );
  const texts = readdirSync(directory).map(
    (file) => [file, execFileSync("cat", [join(directory, file)], { encoding: "utf8" })] as const,
  );
  const bad = texts
    .filter(([, text]) => foreign.test(text))
    .map(([file, text]) => `${file}: ${foreign.exec(text)?.[0]}`);
  if (bad.length > 0)
    throw new Error(`Cannot use the captures: machine-specific text in ${bad.join(", ")}`);
}

async function main(): Promise<void> {
  const why = canBoot();
  if (why !== null) throw new Error(why);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const machine = await boot({ files: { "/etc/sysusers.d/cytube.conf": "u cytube 980\n" } });
  try {
    await must(machine, ["systemd-sysusers"]);
    await captureStates(machine);
    await captureIdentity(machine);
    await captureLines(machine);
    await captureShortLived(machine);
    await captureSuppression(machine);
    await captureLifecycle(machine);
    await captureBlindness(machine);
    await captureCursors(machine);
    captureHost();
    await captureNoBus(machine);
    writeFileSync(
      join(directory, "README.md"),
      renderIndex(await must(machine, ["systemctl", "--version"])),
    );
  } finally {
    await machine.stop();
  }
  checkPortable();
}

await main();
