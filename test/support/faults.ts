/**
 * The one table of faults: how a bot, its files or the verifier's surroundings are broken, what the
 * verifier must then say and with which code it must exit,
 * and the healthy look-alike that must pass. The demo, the tests and `npm run faults` all play this
 * table.
 *
 * A fault is data: switches of the sample bot, overrides of the config, things done to the running
 * scene, and how the verifier is started.
 * Waits are short, limits are sometimes lowered (and then the bot is broken accordingly less), the
 * rules are always prod's unless a fault says otherwise.
 */
import type { ChildProcess } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { formatLogLine } from "./bot.ts";
import {
  type BotOptions,
  botPassword,
  buildOnce,
  createDirectory,
  type Finding,
  findFreePort,
  projectDirectory,
  type Result,
  type Run,
  type RunningBot,
  type RunOptions,
  readIfThere,
  readRecords,
  runVerify,
  type Settings,
  sendSignal,
  startBot,
  startProcess,
  unprivilegedUid,
  until,
  writeConfig,
} from "./harness.ts";

// ---------------------------------------------------------------------------- vocabulary

type Status = "pass" | "warn" | "fail" | "unknown" | "skipped" | "off";

type Expected = {
  exit: number;
  /** The check that must say so; without it only the exit status and the texts count. */
  check?: string;
  status?: Status;
  /** Must match what the finding, or one of its parts, says. */
  says?: RegExp;
  stdout?: RegExp;
  stderr?: RegExp;
  /** False when no record may be expected in the log. */
  record?: boolean;
};

type Scene = {
  dir: string;
  bot: RunningBot;
  /** Nothing listens there. */
  freePort: number;
  others: { stop: () => unknown }[];
  /** When the thing that `during` does was done. */
  actedAt: number;
  path: (name: string) => string;
  log: (level: string, text: string, secondsAgo?: number) => void;
  append: (bytes: string | Buffer) => void;
};

/** What is done to the scene when the verifier's narration says that it has come so far. */
type During = { line: RegExp; act: (scene: Scene, verifier: ChildProcess) => unknown };

type Play = {
  bot?: BotOptions | ((scene: Scene) => BotOptions);
  config?: Settings | ((scene: Scene) => Settings);
  /** The config's text, for what a program would not write. */
  configText?: (text: string) => string;
  before?: (scene: Scene) => unknown;
  prepare?: (scene: Scene) => unknown;
  during?: During;
  /** Instead of --env prod --config FILE --json. */
  args?: (file: string, scene: Scene) => string[];
  env?: Record<string, string>;
  uid?: number;
  wrap?: (scene: Scene) => (command: readonly string[]) => readonly string[];
  closeStdout?: boolean;
  /** Two verifiers at the same time; what is said of one must be true of both. */
  twice?: boolean;
  /** What must never be printed or logged. */
  secrets?: string[];
  also?: (run: Run, scene: Scene, result: Result | null) => string[];
};

type Group =
  | "process"
  | "database"
  | "health"
  | "connection"
  | "response"
  | "users"
  | "memory"
  | "logs"
  | "configuration"
  | "stability"
  | "surroundings";
export type Fault = Play & {
  name: string;
  /**
   * The words in which it was asked for; variants share them. Faults of our own have a title of
   * their own.
   */
  title: string;
  variant?: string;
  group: Group;
  /** Why this outcome, where it is not obvious. */
  why?: string;
  expected: Expected;
  /** Undefined where the fault itself is a healthy thing that looks like a fault. */
  lookAlike?: Play & { what: string; expected?: Expected };
};

/** One title, several variants. */
function titled(group: Group, title: string, faults: Omit<Fault, "title" | "group">[]): Fault[] {
  return faults.map((fault) => ({ ...fault, title, group }));
}

function expects(
  check: string,
  exit: number,
  says: RegExp,
  status: Status = exit === 0 ? "pass" : "fail",
): Expected {
  return { check, exit, says, status };
}

// ---------------------------------------------------------------------------- ways to break things

const whenWatched = (act: During["act"]): During => ({ line: /^watch: /m, act });
const whenChecked = (act: During["act"]): During => ({ line: /^initial checks/m, act });
const wake = whenWatched((scene) => scene.bot.wake());
const watchSeconds = (seconds: number): Settings => ({ limits: { watchSeconds: seconds } });
const plain = (file: string): string[] => ["--env", "prod", "--config", file];

/** In clock ticks since the boot, or nothing where there is no such process. */
const readStartTime = (pid: number): string =>
  readIfThere(`/proc/${pid}/stat`).split(") ")[1]?.split(" ")[19] ?? "";

const restartWithSamePid = async (scene: Scene): Promise<void> => {
  const pid = scene.bot.pid();
  const startTime = readStartTime(pid);
  await scene.bot.kill();
  await until("the pid is free", () => !sendSignal(pid, 0));
  const command = readFileSync(scene.path("command-line.json"), "utf8");
  // The kernel hands out the pid after ns_last_pid; another fork may come first, hence the loop.
  const script = `for try in $(seq 200); do echo ${pid - 1} > /proc/sys/kernel/ns_last_pid; "$@" & [ $! = ${pid} ] && wait && exit; kill -9 $!; wait $!; done 2>/dev/null`;
  const shell = startProcess(["sh", "-c", script, "sh", ...(JSON.parse(command) as string[])]);
  scene.others.push({ stop: shell.end });
  await until(
    `another process has pid ${pid}`,
    () => readStartTime(pid) !== "" && readStartTime(pid) !== startTime,
  );
};

/** Keeps the command line, so that another can start the very same bot. */
const rememberCommand = (scene: Scene): BotOptions => ({
  port: scene.freePort,
  wrap: (command) => {
    writeFileSync(scene.path("command-line.json"), JSON.stringify(command));
    return command;
  },
});

/** A parent that never asks how its child ended. */
const neverReaped: BotOptions = {
  wrap: (command) => ["sh", "-c", '"$@" & exec sleep 60', "sh", ...command],
};

const overwriteMiddlePage = (scene: Scene): void => {
  const file = scene.path("bot_data.db");
  const page = Math.floor(statSync(file).size / 4096 / 2);
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
};

const lockExclusively = (scene: Scene): (() => void) => {
  const holder = new Database(scene.path("bot_data.db"), { timeout: 5000 });
  holder.exec("BEGIN EXCLUSIVE");
  const release = () => void holder.close();
  scene.others.push({ stop: release });
  return release;
};

const rotateLog = (scene: Scene): void => {
  renameSync(scene.path("bot.log"), scene.path("bot.log.1"));
  writeFileSync(scene.path("bot.log"), "");
  sendSignal(scene.bot.pid(), "SIGHUP");
};

const traceback = [
  "Traceback (most recent call last):",
  '  File "lib/bot.py", line 41, in run',
  "    self.socket.emit(event)",
  "ConnectionResetError: [Errno 104] Connection reset by peer",
  "",
  "During handling of the above exception, another exception occurred:",
  "",
  "Traceback (most recent call last):",
  '  File "lib/bot.py", line 57, in reconnect',
  "    raise LoginError(name)",
  "lib.error.LoginError: demo-bot",
  "",
].join("\n");

const openToAll = (scene: Scene): void => {
  writeFileSync(scene.path("verify.jsonl"), "");
  chmodSync(scene.path("verify.jsonl"), 0o666);
};

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const inTerminal = (setUp: string) => () => (command: readonly string[]) => [
  "script",
  "-qefc",
  `${setUp}${command.map(quote).join(" ")}`,
  "/dev/null",
];

/** The exit status stays the verifier's, unless the reader fails. */
const pipedInto = (reader: string) => () => (command: readonly string[]) => [
  "bash",
  "-o",
  "pipefail",
  "-c",
  `"$@" | ${reader}`,
  "bash",
  ...command,
];

/** A small file system that only the verifier sees and that goes away with it. */
const onSmallDisk = (fill: string) => (scene: Scene) => (command: readonly string[]) => {
  const disk = quote(scene.path("disk"));
  return [
    "unshare",
    "--mount",
    "sh",
    "-c",
    `mount -t tmpfs -o size=32k none ${disk} && ${fill.replaceAll("DISK", disk)}; exec "$@"`,
    "sh",
    ...command,
  ];
};

const makeDirectory = (name: string) => (scene: Scene) => void mkdirSync(scene.path(name));

function noEscapes(text: string): string[] {
  return text.includes("\u001b") ? ["an escape sequence was printed"] : [];
}

function countRecords(wanted: number) {
  return (_run: Run, scene: Scene): string[] => {
    const records = readRecords(scene.path("verify.jsonl"));
    if (records.includes(null)) return ["a line of the log is damaged"];
    const runs = new Set(records.map((record) => record?.run));
    return runs.size === wanted ? [] : [`${runs.size} runs in the log instead of ${wanted}`];
  };
}

const endsWithin =
  (limitMs: number) =>
  (_run: Run, scene: Scene): string[] => {
    const ms = performance.now() - scene.actedAt;
    return ms <= limitMs ? [] : [`it took ${Math.round(ms)} ms to end, more than ${limitMs} ms`];
  };

// ---------------------------------------------------------------------------- process

const processFaults: Fault[] = [
  ...titled("process", "process gone", [
    {
      name: "process-gone",
      prepare: (scene) => scene.bot.kill(),
      expected: expects("process", 1, /not running|gone|no process|no such|does not exist|dead/i),
      lookAlike: {
        what: "it was killed and started again before anybody looked",
        prepare: (scene) => scene.bot.restart(),
      },
    },
  ]),
  ...titled("process", "zombie", [
    {
      name: "zombie",
      bot: neverReaped,
      prepare: (scene) => scene.bot.kill(),
      expected: expects("process", 1, /zombie/i),
      lookAlike: { what: "a living bot whose parent never reaps", bot: neverReaped },
    },
  ]),
  ...titled("process", "two bots match", [
    {
      name: "two-bots-match",
      config: (scene) => ({
        process: { pidFile: null, command: `bot\\.js --dir=\\S*${basename(scene.dir)}` },
      }),
      prepare: startSecondBot,
      expected: expects("process", 1, /\b2\b|two|several/i),
      lookAlike: {
        what: "two bots, but the expression says which",
        config: (scene) => ({
          process: { pidFile: null, command: `bot\\.js --dir=\\S*${basename(scene.dir)} ` },
        }),
        prepare: startSecondBot,
      },
    },
  ]),
  ...titled(
    "stability",
    "restarted during the watch (also within one second, also with the pid reused)",
    [
      {
        name: "restarted",
        config: watchSeconds(4),
        during: whenWatched(async (scene) => {
          await scene.bot.kill();
          await sleep(1200);
          await scene.bot.start();
        }),
        expected: expects("uptime_stability", 11, /died|gone|restart|ended|no longer/i),
        lookAlike: {
          what: "another bot of this host is restarted",
          prepare: startSecondBot,
          during: whenWatched((scene) => (scene.others[0] as RunningBot).restart()),
        },
      },
      {
        name: "restarted-within-a-second",
        config: watchSeconds(4),
        during: whenWatched((scene) => scene.bot.restart()),
        expected: expects("uptime_stability", 11, /died|gone|restart|ended|no longer/i),
        lookAlike: {
          what: "the pid file is written again by the same bot",
          during: whenWatched((scene) =>
            writeFileSync(scene.path("bot.pid"), `${scene.bot.pid()}\n`),
          ),
        },
      },
      {
        name: "restarted-pid-reused",
        why: "The pid is the same, the start time is not.",
        bot: rememberCommand,
        config: watchSeconds(4),
        during: whenWatched(restartWithSamePid),
        expected: expects("uptime_stability", 11, /died|gone|restart|ended|start|no longer/i),
        lookAlike: {
          what: "a bot with a child that comes and goes",
          during: whenWatched(() => startProcess(["true"])),
        },
      },
    ],
  ),
  ...titled("stability", "frozen by SIGSTOP", [
    {
      name: "frozen",
      config: watchSeconds(5),
      during: whenWatched((scene) => scene.bot.kill("SIGSTOP")),
      expected: expects("uptime_stability", 11, /stopped|frozen|state T/i),
      lookAlike: {
        what: "stopped for 200 ms, as a debugger does",
        config: watchSeconds(3),
        during: whenWatched(async (scene) => {
          await scene.bot.kill("SIGSTOP");
          await sleep(200);
          await scene.bot.kill("SIGCONT");
        }),
      },
    },
    {
      name: "frozen-from-the-start",
      prepare: (scene) => scene.bot.kill("SIGSTOP"),
      expected: expects("process", 1, /stopped|frozen|state T/i),
      lookAlike: {
        what: "stopped and continued before anybody looked",
        prepare: async (scene) => {
          await scene.bot.kill("SIGSTOP");
          await scene.bot.kill("SIGCONT");
        },
      },
    },
  ]),
  ...titled("process", "crash loop", [
    {
      name: "crash-loop",
      bot: (scene) => ({
        port: scene.freePort,
        "crash-after-ms": 300,
        restartAfterMs: 100,
        hasty: true,
      }),
      // Slow samples, so that no life of the bot outlasts the initial checks.
      config: (scene) => ({
        health: { url: `http://127.0.0.1:${scene.freePort}/api/health` },
        limits: { responseGapMs: 400 },
      }),
      expected: expects(
        "process",
        1,
        /died|gone|not running|no process|no such|restart|ended|cannot read|does not exist|no longer/i,
      ),
      lookAlike: {
        what: "it crashed twice, then stays",
        prepare: async (scene) => {
          await scene.bot.restart();
          await scene.bot.restart();
        },
      },
    },
    {
      name: "crash-loop-slow",
      variant: "slower than the initial checks",
      bot: { "crash-after-ms": 5000, restartAfterMs: 100 },
      config: watchSeconds(8),
      expected: expects("uptime_stability", 11, /died|gone|restart|ended|no longer/i),
      lookAlike: { what: "a bot that lives on, watched for as long", config: watchSeconds(6) },
    },
  ]),
];

async function startSecondBot(scene: Scene): Promise<void> {
  mkdirSync(scene.path("second"));
  scene.others.push(await startBot(scene.path("second")));
}

// ---------------------------------------------------------------------------- database

const databaseFaults: Fault[] = [
  ...titled("database", "database missing (and not created by looking)", [
    {
      name: "database-missing",
      prepare: (scene) =>
        ["", "-wal", "-shm"].map((end) => rmSync(scene.path(`bot_data.db${end}`), { force: true })),
      expected: expects("database", 3, /missing|not exist|no such|not there|there is no/i),
      also: (_run, scene) =>
        existsSync(scene.path("bot_data.db")) ? ["looking has created the database"] : [],
      lookAlike: {
        what: "it is elsewhere, and the config says where",
        before: makeDirectory("data"),
        bot: { database: "data/live.db" },
        config: { database: { file: "data/live.db" } },
      },
    },
  ]),
  ...titled("database", "not a database", [
    {
      name: "not-a-database",
      bot: { database: "none" },
      before: (scene) =>
        writeFileSync(
          scene.path("bot_data.db"),
          "Dear diary, today I was mistaken for a database.\n".repeat(200),
        ),
      expected: expects("database", 3, /not a database|no SQLite database/i),
      lookAlike: {
        what: "a database with a strange name",
        bot: { database: "notes.txt" },
        config: { database: { file: "notes.txt" } },
      },
    },
  ]),
  ...titled("database", "corrupt page", [
    {
      name: "corrupt-page",
      bot: { journal: "delete" },
      prepare: overwriteMiddlePage,
      expected: expects("database", 3, /corrupt|malformed|damaged|quick_check/i),
      lookAlike: {
        what: "many rows were deleted, so many pages are free",
        bot: { journal: "delete" },
        prepare: (scene) => {
          const database = new Database(scene.path("bot_data.db"), { timeout: 5000 });
          database.exec("DELETE FROM user_actions WHERE id % 3 > 0");
          database.close();
        },
      },
    },
  ]),
  ...titled("database", "locked exclusively", [
    {
      name: "locked-exclusively",
      bot: { journal: "delete" },
      prepare: lockExclusively,
      expected: expects("database", 3, /lock/i),
      lookAlike: {
        what: "locked for half a second, as by a long commit",
        bot: { journal: "delete" },
        during: whenChecked(async (scene) => {
          const release = lockExclusively(scene);
          await sleep(500);
          release();
        }),
      },
    },
  ]),
  ...titled("database", "unreadable", [
    {
      name: "database-unreadable",
      why: "What may not be read is not broken: unknown, which in prod exits with the check's code.",
      uid: unprivilegedUid,
      bot: { journal: "delete" },
      prepare: (scene) => chmodSync(scene.path("bot_data.db"), 0o600),
      expected: expects(
        "database",
        3,
        /permission|denied|not readable|may not|cannot (read|look)/i,
        "unknown",
      ),
      lookAlike: {
        what: "the same user, and a file that all may read",
        uid: unprivilegedUid,
        bot: { journal: "delete" },
      },
    },
  ]),
  ...titled("database", "no expected tables", [
    {
      name: "no-expected-tables",
      bot: { "no-tables": true },
      expected: expects(
        "database",
        3,
        /table.*(current_status|user_stats)|(current_status|user_stats).*table/i,
      ),
      lookAlike: {
        what: "more tables than expected",
        config: { database: { tables: ["recent_chat"] } },
      },
    },
  ]),
  ...titled("database", "WAL beside a running bot as another user", [
    {
      name: "wal-of-another-user",
      why: "It can be read, and nothing of the other user may appear beside the bot's files.",
      uid: unprivilegedUid,
      bot: { journal: "wal" },
      expected: expects("database", 0, /./),
      also: (_run, scene) => {
        const strangers = ["", "-wal", "-shm"].filter(
          (end) => statSync(scene.path(`bot_data.db${end}`)).uid !== process.getuid?.(),
        );
        return strangers.map((end) => `bot_data.db${end} belongs to another user now`);
      },
    },
    {
      name: "wal-unreadable-for-another-user",
      why: "Without the WAL a reader would see an old database and call it the present one.",
      uid: unprivilegedUid,
      bot: { journal: "wal" },
      prepare: (scene) =>
        ["-wal", "-shm"].map((end) => chmodSync(scene.path(`bot_data.db${end}`), 0o600)),
      expected: expects(
        "database",
        3,
        /permission|denied|not readable|may not|cannot|unable/i,
        "unknown",
      ),
      lookAlike: { what: "the same user, with the files that all may read", uid: unprivilegedUid },
    },
  ]),
];

// ---------------------------------------------------------------------------- health endpoint

const healthFaults: Fault[] = [
  ...titled("health", "health refused", [
    {
      name: "health-refused",
      bot: { "no-http": true },
      config: (scene) => ({ health: { url: `http://127.0.0.1:${scene.freePort}/api/health` } }),
      expected: expects("health_endpoint", 6, /refused/i),
      lookAlike: {
        what: "it answers on a UNIX socket",
        bot: { socket: "bot.sock" },
        config: { health: { socket: "bot.sock", url: "http://localhost/api/health" } },
      },
    },
  ]),
  ...titled("health", "accepts and never answers", [
    {
      name: "health-hangs",
      bot: { body: "hang" },
      expected: expects("health_endpoint", 6, /no answer|timeout|timed out|within|not answer/i),
      lookAlike: { what: "it takes half a second", bot: { "delay-ms": 500 } },
    },
  ]),
  ...titled("health", "one byte a second", [
    {
      name: "health-drips",
      bot: { body: "drip" },
      expected: expects(
        "health_endpoint",
        6,
        /no answer|timeout|timed out|within|incomplete|not answer/i,
      ),
      lookAlike: { what: "it takes 300 ms, then comes at once", bot: { "delay-ms": 300 } },
    },
  ]),
  ...titled("health", "500", [
    {
      name: "health-500",
      bot: { "status-code": 500 },
      expected: expects("health_endpoint", 6, /500/),
      lookAlike: { what: "one 500 during the start, then fine", bot: { "miss-first": 1 } },
    },
  ]),
  ...titled("health", "503 while starting, then fine", [
    {
      name: "health-503-while-starting",
      bot: { "starting-ms": 1500 },
      config: { limits: { startupSecondsMax: 6 } },
      expected: expects("health_endpoint", 0, /./),
    },
  ]),
  ...titled("health", "200 with HTML", [
    {
      name: "health-html",
      bot: { body: "html" },
      expected: expects("health_endpoint", 6, /json|html/i),
      lookAlike: { what: "JSON that calls itself text/plain", bot: { body: "text" } },
    },
  ]),
  ...titled("health", "broken JSON", [
    {
      name: "health-broken-json",
      bot: { body: "broken" },
      expected: expects("health_endpoint", 6, /json/i),
      lookAlike: {
        what: "JSON with fields nobody asked for",
        bot: { field: ['plugins={"trivia":{"enabled":true,"scores":[1,2,3]}}'] },
      },
    },
  ]),
  ...titled("health", '200 with status "down"', [
    {
      name: "health-status-down",
      bot: { field: ['status="down"'] },
      expected: expects("health_endpoint", 6, /down/),
      lookAlike: {
        what: "a word of its own, which the config accepts",
        bot: { field: ['status="ONAIR"'] },
        config: { health: { statusUp: ["ONAIR"] } },
      },
    },
  ]),
  ...titled("health", "50 MB body", [
    {
      name: "health-huge",
      bot: { body: "huge" },
      expected: expects("health_endpoint", 6, /large|long|bytes|MiB|MB|exceed/i),
      lookAlike: { what: "100 kB", bot: { field: [`padding="${"x".repeat(100_000)}"`] } },
    },
  ]),
  ...titled("health", "endless redirect", [
    {
      name: "health-redirect",
      bot: { body: "redirect" },
      expected: expects("health_endpoint", 6, /redirect|302/i),
      lookAlike: {
        what: "an address with a query",
        config: (scene) => ({
          health: { url: `http://127.0.0.1:${scene.bot.port}/api/health?verbose=1` },
        }),
      },
    },
  ]),
];

// ---------------------------------------------------------------------------- connection, response time, users, memory

const conditionFaults: Fault[] = [
  ...titled("connection", 'connected false / "false" / missing / heartbeat stale', [
    {
      name: "connected-false",
      bot: { field: ["connected=false"] },
      expected: expects("connection", 2, /not connected|connected.*false/i),
      lookAlike: {
        what: "another thing is not connected",
        bot: { field: ["redis_connected=false"] },
      },
    },
    {
      name: "connected-text",
      bot: { field: ['connected="false"'] },
      expected: expects("connection", 2, /false|text|string|boolean/i),
      lookAlike: {
        what: "a text beside the boolean",
        bot: { field: ['connected_since="false start at noon"'] },
      },
    },
    {
      name: "connected-missing",
      bot: { without: ["connected"] },
      expected: expects("connection", 2, /missing|not in|without|does not say/i, "unknown"),
      lookAlike: {
        what: "it is deeper in the document, and the config says where",
        bot: { without: ["connected"], field: ['state={"connected":true}'] },
        config: { health: { fields: { connected: "/state/connected" } } },
      },
    },
    {
      name: "heartbeat-stale",
      bot: { "heartbeat-shift-s": -120 },
      expected: expects("connection", 2, /heartbeat|last_updated|stale|old/i),
      lookAlike: { what: "15 s old", bot: { "heartbeat-shift-s": -15 } },
    },
  ]),
  ...titled("response", "response time average over the limit", [
    {
      name: "response-time-average",
      bot: { "delay-ms": 1200 },
      config: { limits: { responseMsAvgMax: 1000, healthTimeoutMs: 4000, responseSamples: 3 } },
      expected: expects("response_time", 5, /\d/),
      lookAlike: {
        what: "well below the limit",
        bot: { "delay-ms": 60 },
        config: { limits: { responseMsAvgMax: 1000, healthTimeoutMs: 4000 } },
      },
    },
  ]),
  ...titled("response", "one slow sample that only the tail shows (warns)", [
    {
      name: "response-time-tail",
      bot: { "slow-every": 5, "slow-ms": 700 },
      config: { limits: { responseMsAvgMax: 500 } },
      expected: expects("response_time", 0, /\d/, "warn"),
      lookAlike: {
        what: "the slow one is below the limit too",
        bot: { "slow-every": 5, "slow-ms": 120 },
        config: { limits: { responseMsAvgMax: 500 } },
      },
    },
  ]),
  ...titled("users", "users 0, missing, negative, text", [
    {
      name: "users-zero",
      bot: { field: ["user_count=0"] },
      expected: expects("user_count", 7, /\b0\b|no users|nobody/i),
      lookAlike: { what: "only the bot itself", bot: { field: ["user_count=1"] } },
    },
    {
      name: "users-missing",
      bot: { without: ["user_count"] },
      expected: expects("user_count", 7, /missing|no |not in|without/i, "unknown"),
      lookAlike: {
        what: "elsewhere in the document",
        bot: { without: ["user_count"], field: ['room={"users":4}'] },
        config: { health: { fields: { userCount: "/room/users" } } },
      },
    },
    {
      name: "users-negative",
      bot: { field: ["user_count=-1"] },
      expected: expects("user_count", 7, /-1|negative/),
      lookAlike: { what: "many", bot: { field: ["user_count=123456"] } },
    },
    {
      name: "users-text",
      bot: { field: ['user_count="42"'] },
      expected: expects("user_count", 7, /"42"|text|string|integer/i),
      lookAlike: {
        what: "a text beside the number",
        bot: { field: ['user_count_label="42 users"'] },
      },
    },
  ]),
  ...titled("memory", "memory over the limit in the bot, in its child", [
    {
      name: "memory-in-the-bot",
      bot: { mb: 150 },
      config: { limits: { memoryMbMax: 160 } },
      expected: expects("memory_usage", 8, /MB|MiB/),
      lookAlike: { what: "a little", bot: { mb: 10 }, config: { limits: { memoryMbMax: 160 } } },
    },
    {
      name: "memory-in-its-child",
      why: "Neither of the two is over the limit alone; their sum is.",
      bot: { "child-mb": 130 },
      config: { limits: { memoryMbMax: 210 } },
      expected: expects("memory_usage", 8, /MB|MiB/),
      lookAlike: {
        what: "a child with little of its own",
        bot: { "child-mb": 10 },
        config: { limits: { memoryMbMax: 210 } },
      },
    },
  ]),
  ...titled("memory", "a leak during the watch (warns; fails once over the limit)", [
    {
      name: "leak",
      bot: { dormant: true, "leak-mb-per-s": 20 },
      config: { limits: { watchSeconds: 6, memoryGrowthMbMax: 30 } },
      during: wake,
      expected: expects("uptime_stability", 0, /grow|grew|MB|MiB/i, "warn"),
      lookAlike: {
        what: "a heap that climbs and falls",
        bot: { "sawtooth-mb": 15, "sawtooth-ms": 900 },
        config: { limits: { watchSeconds: 6, memoryGrowthMbMax: 30 } },
      },
    },
    {
      name: "leak-over-the-limit",
      bot: { dormant: true, "leak-mb-per-s": 60 },
      config: { limits: { watchSeconds: 6, memoryMbMax: 200 } },
      during: wake,
      expected: expects("uptime_stability", 11, /memory|MB|MiB/i),
      lookAlike: {
        what: "a few megabytes",
        bot: { dormant: true, "leak-mb-per-s": 2 },
        config: { limits: { memoryMbMax: 200 } },
        during: wake,
      },
    },
  ]),
];

// ---------------------------------------------------------------------------- logs

const logTitle =
  "an ERROR line, CRITICAL, a traceback, an error 6 minutes old (passes), the word ERROR in a user's chat (passes), `0 errors` (passes), " +
  "ANSI-coloured level, NUL bytes, 10 MB line, log rotated in the middle, log truncated in the middle, unreadable log";

const logFaults: Fault[] = titled("logs", logTitle, [
  {
    name: "error-line",
    prepare: (scene) => scene.log("ERROR", "Cannot play: no such media"),
    expected: expects("error_logs", 9, /1 error|\b1\b/i),
    lookAlike: {
      what: "an error that the config knows as noise",
      prepare: (scene) => scene.log("ERROR", "login: user exists"),
      config: { errorLogs: { noise: ["user exists$"] } },
    },
  },
  {
    name: "error-critical",
    prepare: (scene) => scene.log("CRITICAL", "out of popcorn"),
    expected: expects("error_logs", 9, /1 |one|critical/i),
    lookAlike: {
      what: "warnings",
      prepare: (scene) => scene.log("WARNING", "running low on popcorn"),
    },
  },
  {
    name: "traceback",
    why: "Twelve lines, two chained exceptions, one error.",
    prepare: (scene) => scene.append(traceback),
    expected: expects("error_logs", 9, /1 |one|traceback/i),
    also: (_run, _scene, result) => {
      const measured = finding(result, "error_logs", "fail")?.measured;
      return measured === 1 ? [] : [`one traceback was counted as ${measured} errors`];
    },
    lookAlike: {
      what: "somebody quotes one",
      prepare: (scene) => scene.log("INFO", "chatMsg: bob: Traceback (most recent call last): lol"),
    },
  },
  {
    name: "error-six-minutes-old",
    before: (scene) => scene.log("ERROR", "an old story", 360),
    expected: expects("error_logs", 0, /./),
  },
  {
    name: "error-in-chat",
    prepare: (scene) =>
      scene.log("INFO", "chatMsg: bob: ERROR [ERROR] CRITICAL: [lib.bot] [ERROR] it is me"),
    expected: expects("error_logs", 0, /./),
  },
  {
    name: "zero-errors",
    prepare: (scene) =>
      scene.log("INFO", "finished with 0 errors, 0 CRITICAL, error=0, ERROR: none"),
    expected: expects("error_logs", 0, /./),
  },
  {
    name: "error-coloured",
    prepare: (scene) =>
      scene.append(formatLogLine(new Date(), "\u001b[1;31mERROR\u001b[0m", "Cannot play")),
    expected: expects("error_logs", 9, /1/),
    lookAlike: {
      what: "a green INFO",
      prepare: (scene) =>
        scene.append(formatLogLine(new Date(), "\u001b[32mINFO\u001b[0m", "ERROR is only a word")),
    },
  },
  {
    name: "error-after-nul-bytes",
    why: "A log that was truncated under a writer without O_APPEND is filled up with NUL bytes.",
    prepare: (scene) =>
      scene.append(
        Buffer.concat([
          Buffer.alloc(70_000),
          Buffer.from(formatLogLine(new Date(), "ERROR", "Cannot play")),
        ]),
      ),
    expected: expects("error_logs", 9, /1/),
    lookAlike: {
      what: "NUL bytes, then an INFO line",
      prepare: (scene) =>
        scene.append(`${"\0".repeat(70_000)}${formatLogLine(new Date(), "INFO", "fine")}`),
    },
  },
  {
    name: "error-after-ten-megabyte-line",
    prepare: (scene) => {
      scene.log("INFO", "x".repeat(10_000_000));
      scene.log("ERROR", "Cannot play");
    },
    expected: expects("error_logs", 9, /1/),
    lookAlike: {
      what: "the word is in the middle of the long line",
      prepare: (scene) =>
        scene.log("INFO", `${"x".repeat(5_000_000)} [ERROR] ${"x".repeat(5_000_000)}`),
    },
  },
  {
    name: "log-rotated",
    variant: "an error in the new file",
    config: watchSeconds(4),
    during: whenWatched((scene) => {
      rotateLog(scene);
      scene.log("ERROR", "Cannot play");
    }),
    expected: expects("uptime_stability", 11, /error/i),
    lookAlike: {
      what: "rotated, and all is well",
      config: watchSeconds(4),
      during: whenWatched(rotateLog),
    },
  },
  {
    name: "log-rotated-error-before",
    variant: "an error as the last line of the old file",
    config: watchSeconds(4),
    during: whenWatched((scene) => {
      scene.log("ERROR", "Cannot play");
      rotateLog(scene);
    }),
    expected: expects("uptime_stability", 11, /error/i),
    lookAlike: { what: "rotated before anybody looked", prepare: rotateLog },
  },
  {
    name: "log-truncated",
    config: watchSeconds(4),
    during: whenWatched((scene) => {
      truncateSync(scene.path("bot.log"), 0);
      scene.log("ERROR", "Cannot play");
    }),
    expected: expects("uptime_stability", 11, /error/i),
    lookAlike: {
      what: "truncated, and all is well",
      config: watchSeconds(4),
      during: whenWatched((scene) => truncateSync(scene.path("bot.log"), 0)),
    },
  },
  {
    name: "log-unreadable",
    uid: unprivilegedUid,
    prepare: (scene) => chmodSync(scene.path("bot.log"), 0o600),
    expected: expects("error_logs", 9, /permission|denied|not readable|may not|cannot/i, "unknown"),
    lookAlike: { what: "the same user, and a log that all may read", uid: unprivilegedUid },
  },
]);

// ---------------------------------------------------------------------------- configuration

const configurationFaults: Fault[] = titled(
  "configuration",
  "wrong environment, wrong channel, `#room` against `room` (equal), both missing (unknown), declared off (off, and listed)",
  [
    {
      name: "wrong-environment",
      bot: { settings: { environment: "test" } },
      expected: expects("configuration", 10, /environment/),
      lookAlike: {
        what: "it is another one, and expected so",
        bot: { settings: { environment: "stage" } },
        config: { configuration: { environment: "stage" } },
      },
    },
    {
      name: "wrong-channel",
      bot: { settings: { channel: "#lobby" } },
      expected: expects("configuration", 10, /channel/),
      lookAlike: {
        what: "`room` is configured, `#room` runs",
        config: { configuration: { channel: "demo" } },
      },
    },
    {
      name: "channel-without-hash",
      bot: { settings: { channel: "demo" } },
      expected: expects("configuration", 0, /./),
    },
    {
      name: "configuration-missing",
      bot: { without: ["environment", "channel"] },
      expected: expects("configuration", 10, /missing|no |not in|without/i, "unknown"),
      lookAlike: {
        what: "elsewhere in the document",
        bot: {
          without: ["environment", "channel"],
          field: ['settings={"env":"prod","room":"#demo"}'],
        },
        config: { health: { fields: { environment: "/settings/env", channel: "/settings/room" } } },
      },
    },
    {
      name: "configuration-off",
      bot: { without: ["environment", "channel"] },
      config: { off: { configuration: "this bot does not tell its settings" } },
      expected: expects("configuration", 0, /does not tell/, "off"),
    },
  ],
);

const refusedConfig = (stderr: RegExp): Expected => ({ exit: 78, stderr, record: false });

const configFileFaults: Fault[] = titled(
  "surroundings",
  "config: unknown key, wrong type, wrong unit, missing file, unknown environment, YAML error (78 with line and column)",
  [
    {
      name: "config-unknown-key",
      configText: (text) => text.replace("watchSeconds", "watchSecnds"),
      expected: refusedConfig(/verify\.yaml:\d+[\s\S]*watchSecnds[\s\S]*watchSeconds/),
      lookAlike: {
        what: "an unknown key in a comment",
        configText: (text) => `# watchSecnds: 3\n${text}`,
      },
    },
    {
      name: "config-wrong-type",
      configText: (text) => text.replace(/tables:\n.*\n.*\n/, "tables: 7\n"),
      expected: refusedConfig(/verify\.yaml:\d+[\s\S]*tables/),
      lookAlike: {
        what: "the list on one line",
        configText: (text) =>
          text.replace(/tables:\n.*\n.*\n/, "tables: [current_status, user_stats]\n"),
      },
    },
    {
      name: "config-wrong-unit",
      configText: (text) => text.replace(/watchSeconds: \d+/, "watchSeconds: 5m"),
      expected: refusedConfig(/verify\.yaml:\d+[\s\S]*watchSeconds/),
      lookAlike: {
        what: "a number with a point",
        configText: (text) => text.replace(/watchSeconds: \d+/, "watchSeconds: 2.0"),
      },
    },
    {
      name: "config-missing-file",
      args: (file) => ["--env", "prod", "--config", `${file}.gone`],
      expected: refusedConfig(/verify\.yaml\.gone/),
      lookAlike: {
        what: "a path with dots in it",
        args: (file) => ["--env", "prod", "--config", join(file, "../.", basename(file)), "--json"],
      },
    },
    {
      name: "config-unknown-environment",
      args: () => ["--env", "nosuch"],
      expected: refusedConfig(/nosuch[\s\S]*demo/),
      lookAlike: {
        what: "a site's own name for it",
        args: (file) => ["--env", "prod-movies", "--config", file, "--json"],
      },
    },
    {
      name: "config-yaml-error",
      configText: (text) => `${text}\nlimits: [1, 2\n`,
      expected: refusedConfig(/verify\.yaml:\d+:\d+/),
      lookAlike: {
        what: "a document marker and Windows line ends",
        configText: (text) => `---\r\n${text.replaceAll("\n", "\r\n")}`,
      },
    },
  ],
);

// ---------------------------------------------------------------------------- surroundings

const verdictPrinted = (run: Run): string[] =>
  /"verdict": ?"pass"/.test(run.stdout) ? [] : ["the verdict was not printed"];

const outputFaults: Fault[] = [
  ...titled(
    "surroundings",
    "log file not writable, disk full (73, and the verdict still printed)",
    [
      {
        name: "log-not-writable",
        uid: unprivilegedUid,
        before: makeDirectory("closed"),
        config: { log: { file: "closed/verify.jsonl" } },
        expected: { exit: 73, stderr: /closed\/verify\.jsonl/, record: false },
        also: verdictPrinted,
        lookAlike: { what: "the same user, and a log it may write", uid: unprivilegedUid },
      },
      {
        name: "disk-full",
        before: makeDirectory("disk"),
        wrap: onSmallDisk("head -c 32768 /dev/zero > DISK/filler"),
        config: { log: { file: "disk/verify.jsonl" } },
        expected: { exit: 73, stderr: /ENOSPC|no space/i, record: false },
        also: verdictPrinted,
        lookAlike: {
          what: "a small disk with room on it",
          before: makeDirectory("disk"),
          wrap: onSmallDisk("true"),
          config: { log: { file: "disk/verify.jsonl" } },
          expected: { exit: 0, record: false },
          also: verdictPrinted,
        },
      },
    ],
  ),
  ...titled("surroundings", "two verifications at once (both finish, both logged)", [
    { name: "two-at-once", twice: true, expected: { exit: 0 }, also: countRecords(2) },
  ]),
  ...titled("surroundings", "stdout closed early (`| head -1`)", [
    {
      name: "stdout-closed",
      args: plain,
      wrap: pipedInto("head -1"),
      expected: { exit: 0 },
      also: countRecords(1),
      lookAlike: {
        what: "`| cat`",
        args: plain,
        wrap: pipedInto("cat"),
      },
    },
    {
      name: "stdout-closed-at-once",
      variant: "closed before the first word",
      args: plain,
      closeStdout: true,
      expected: { exit: 0 },
      also: countRecords(1),
      lookAlike: {
        what: "stdout to /dev/null",
        args: plain,
        wrap: () => (command) => ["sh", "-c", '"$@" > /dev/null', "sh", ...command],
      },
    },
  ]),
  ...titled("surroundings", "no TTY, `TERM=dumb`, 0 columns, NO_COLOR", [
    {
      name: "no-tty",
      args: plain,
      expected: { exit: 0 },
      also: (run) =>
        run.stderr.includes("\r")
          ? ["lines were redrawn without a terminal"]
          : noEscapes(run.stdout + run.stderr),
    },
    {
      name: "dumb-terminal",
      args: plain,
      env: { TERM: "dumb" },
      wrap: inTerminal("stty cols 80; "),
      expected: { exit: 0 },
      also: (run) => noEscapes(run.stdout),
    },
    {
      name: "zero-columns",
      args: plain,
      env: { TERM: "xterm" },
      wrap: inTerminal("stty cols 0; "),
      expected: { exit: 0, stdout: /pass/i },
      also: (run) =>
        /NaN|Infinity|undefined/.test(run.stdout) ? ["it reckons with the width of nothing"] : [],
    },
    {
      name: "no-color",
      args: plain,
      env: { TERM: "xterm", NO_COLOR: "1" },
      wrap: inTerminal("stty cols 80; "),
      expected: { exit: 0 },
      also: (run) => (/\u001b\[[\d;]*m/.test(run.stdout) ? ["it is coloured"] : []),
      lookAlike: {
        what: "a terminal with colours",
        args: plain,
        env: { TERM: "xterm" },
        wrap: inTerminal("stty cols 80; "),
        expected: { exit: 0, stdout: /\u001b\[[\d;]+m/ },
      },
    },
  ]),
  ...titled(
    "surroundings",
    "terminal escapes in the channel name and in log lines (never reach the terminal raw)",
    [
      {
        name: "escapes-in-the-channel",
        args: plain,
        bot: {
          settings: { channel: "#demo\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eolleh\b\r" },
        },
        expected: expects("configuration", 10, /channel/),
        lookAlike: {
          what: "letters of the world",
          args: plain,
          bot: { settings: { channel: "#кино-映画-☕" } },
          config: { configuration: { channel: "#кино-映画-☕" } },
        },
      },
      {
        name: "escapes-in-the-log",
        args: plain,
        prepare: (scene) =>
          scene.log(
            "ERROR",
            "play \u001b]52;c;b3duZWQ=\u0007\u001b[31mred\u009b2J\u202e\u0000\b\r done",
          ),
        expected: expects("error_logs", 9, /1/),
        lookAlike: {
          what: "in a line that is no error",
          args: plain,
          prepare: (scene) => scene.log("INFO", "\u001b[31mred\u001b[0m \u202eolleh"),
        },
      },
    ],
  ),
  ...titled(
    "surroundings",
    "a password in a log line, in a URL, in the config (never in any output; fuzz it)",
    [
      {
        name: "password-in-the-log",
        args: plain,
        secrets: ["xK9-hunter2-qqz"],
        prepare: (scene) =>
          scene.log(
            "ERROR",
            'login failed for demo-bot: {"name": "demo-bot", "pw": "xK9-hunter2-qqz"}',
          ),
        expected: expects("error_logs", 9, /1/),
        also: (run) =>
          run.stdout.includes("login failed")
            ? []
            : ["the line that held the password is not shown at all"],
        lookAlike: {
          what: "in a line that is no error",
          secrets: ["xK9-hunter2-qqz"],
          prepare: (scene) => scene.log("INFO", 'login {"pw": "xK9-hunter2-qqz"}'),
        },
      },
      {
        name: "password-in-the-url",
        secrets: ["s3same-0pen-url", "tok-4471-aabb-ccdd"],
        bot: { "no-http": true },
        config: (scene) => ({
          health: {
            url: `http://demo:s3same-0pen-url@127.0.0.1:${scene.freePort}/api/health?token=tok-4471-aabb-ccdd`,
          },
        }),
        expected: expects("health_endpoint", 6, /refused/i),
        lookAlike: {
          what: "the same address, and the bot answers",
          secrets: ["s3same-0pen-url", "tok-4471-aabb-ccdd"],
          config: (scene) => ({
            health: {
              url: `http://demo:s3same-0pen-url@127.0.0.1:${scene.bot.port}/api/health?token=tok-4471-aabb-ccdd`,
            },
          }),
        },
      },
      {
        name: "password-in-the-config",
        secrets: ["bearer-of-bad-news-77", "right-one-9182"],
        before: (scene) =>
          writeFileSync(scene.path("headers.txt"), "Authorization: Bearer bearer-of-bad-news-77\n"),
        bot: { token: "right-one-9182" },
        config: { health: { headersFile: "headers.txt" } },
        why: "That the verifier may not ask says nothing about the bot: unknown, and the connection, which needs the document too, comes first in the priority.",
        expected: expects("health_endpoint", 2, /401/, "unknown"),
        lookAlike: {
          what: "the right one",
          secrets: ["right-one-9182"],
          before: (scene) =>
            writeFileSync(
              scene.path("headers.txt"),
              "# for the verifier\nAuthorization: Bearer right-one-9182\n",
            ),
          bot: { token: "right-one-9182" },
          config: { health: { headersFile: "headers.txt" } },
        },
      },
    ],
  ),
];

// ---------------------------------------------------------------------------- faults of our own

/** A fault that has its own words. */
function own(
  group: Group,
  name: string,
  title: string,
  rest: Omit<Fault, "name" | "title" | "group">,
): Fault {
  return { name, title, group, ...rest };
}

const moreProcessFaults: Fault[] = [
  own("process", "dies-while-starting", "it dies while its readiness is awaited", {
    why: "It decides at once, without waiting for the start-up deadline.",
    bot: { "starting-ms": 60_000 },
    config: { limits: { startupSecondsMax: 20 } },
    during: whenChecked(async (scene) => {
      await sleep(300);
      await scene.bot.kill();
    }),
    expected: expects("process", 1, /died|gone|ended|no longer/i),
    also: endsWithin(5000),
    lookAlike: {
      what: "it takes a second to be ready",
      bot: { "starting-ms": 1200 },
      config: { limits: { startupSecondsMax: 20 } },
    },
  }),
  own("process", "pid-file-stale", "the pid file is older than the process that has its pid now", {
    why: "After a reboot an unrelated process may have the number that the file still names.",
    prepare: async (scene) => {
      await scene.bot.kill();
      const stranger = startProcess(["sleep", "60"]);
      scene.others.push({ stop: stranger.end });
      writeFileSync(scene.path("bot.pid"), `${stranger.pid}\n`);
      const hourAgo = Date.now() / 1000 - 3600;
      utimesSync(scene.path("bot.pid"), hourAgo, hourAgo);
    },
    expected: expects("process", 1, /stale|older|before/i),
    lookAlike: {
      what: "spaces and a newline around the number",
      prepare: (scene) => writeFileSync(scene.path("bot.pid"), ` ${scene.bot.pid()} \n\n`),
    },
  }),
  own("process", "pid-file-missing", "the pid file is missing", {
    prepare: (scene) => rmSync(scene.path("bot.pid")),
    expected: expects("process", 1, /bot\.pid|pid file/i),
    lookAlike: {
      what: "no newline at its end",
      prepare: (scene) => writeFileSync(scene.path("bot.pid"), String(scene.bot.pid())),
    },
  }),
  own("process", "pid-file-garbage", "the pid file holds no pid", {
    prepare: (scene) => writeFileSync(scene.path("bot.pid"), "-1\n"),
    expected: expects("process", 1, /-1|pid file|bot\.pid/i),
  }),
  own("process", "pid-file-empty", "the pid file is empty, as a full disk leaves it", {
    prepare: (scene) => writeFileSync(scene.path("bot.pid"), ""),
    expected: expects("process", 1, /empty|pid file|bot\.pid/i),
  }),
  own("process", "no-bot-matches", "nothing matches the command pattern", {
    why: "Neither the verifier itself nor an editor with the config open may count as the bot.",
    config: { process: { pidFile: null, command: "rosey\\.py .*nowhere" } },
    prepare: (scene) => {
      const editor = startProcess(["sleep", "60"], { argv0: "vim verify.yaml" });
      scene.others.push({ stop: editor.end });
    },
    expected: expects("process", 1, /no process|nothing|none|0 /i),
    lookAlike: {
      what: "exactly one does",
      config: (scene) => ({
        process: { pidFile: null, command: `bot\\.js --dir=\\S*${basename(scene.dir)} ` },
      }),
    },
  }),
];

const moreStabilityFaults: Fault[] = [
  own("stability", "event-loop-blocked", "the event loop is blocked during the watch", {
    why: "The process is alive and not stopped; only its silence shows it.",
    bot: { dormant: true, block: true },
    config: watchSeconds(9),
    during: wake,
    expected: expects("uptime_stability", 11, /health|answer|miss/i),
    lookAlike: {
      what: "blocked for half a second by a locked database",
      bot: { journal: "delete", "busy-ms": 500 },
      during: whenWatched(async (scene) => {
        const release = lockExclusively(scene);
        await sleep(600);
        release();
      }),
    },
  }),
  own(
    "health",
    "event-loop-blocked-from-the-start",
    "the event loop is blocked before anybody looks",
    {
      bot: { block: true, dormant: true },
      prepare: (scene) => scene.bot.wake(),
      expected: expects("health_endpoint", 6, /no answer|timeout|timed out|within|not answer/i),
    },
  ),
  own("stability", "wrapper-restarts-the-bot", "a wrapper restarts the bot inside itself", {
    why: "The pid of the wrapper stays; the uptime in the health document runs backwards.",
    bot: { dormant: true, "uptime-restarts": true },
    config: watchSeconds(6),
    during: whenWatched(async (scene) => {
      await sleep(2500);
      scene.bot.wake();
    }),
    expected: expects("uptime_stability", 11, /uptime|backwards|restart/i),
    lookAlike: { what: "an uptime that is a little behind", bot: { "uptime-shift-s": -0.2 } },
  }),
  own(
    "stability",
    "wrapper-restarted-before-the-first-poll",
    "a wrapper restarts the bot between the initial checks and the first poll of the watch",
    {
      why: "The uptime is lower than the one that the initial checks saw.",
      bot: { dormant: true, "uptime-restarts": true },
      prepare: (scene) =>
        until(
          "the bot is old enough for its uptime to fall",
          () => performance.now() - scene.actedAt > 4000,
        ),
      config: watchSeconds(3),
      during: wake,
      expected: expects("uptime_stability", 11, /uptime|backwards|restart/i),
    },
  ),
  own("stability", "uptime-frozen", "the uptime in the health document stands still", {
    why: "A document that does not change is an old one.",
    bot: { dormant: true, "uptime-frozen": true },
    config: { limits: { watchSeconds: 8, heartbeatSecondsMax: 3 } },
    during: wake,
    expected: expects("uptime_stability", 11, /uptime|still|frozen|changed/i),
    lookAlike: {
      what: "whole seconds only, over a short time",
      bot: { field: ["uptime=3"] },
      config: watchSeconds(2),
    },
  }),
  own("stability", "document-frozen", "a cache answers with an old health document", {
    bot: { dormant: true, "document-frozen": true },
    config: { limits: { watchSeconds: 9, heartbeatSecondsMax: 3 } },
    during: wake,
    expected: expects("uptime_stability", 11, /heartbeat|old|stale|uptime|connect/i),
    lookAlike: {
      what: "a fresh document each time",
      config: { limits: { heartbeatSecondsMax: 3 } },
    },
  }),
  own(
    "stability",
    "heartbeat-stops",
    "the message bus is lost: connected, but the heartbeat stands still",
    {
      bot: { dormant: true, "heartbeat-frozen": true },
      config: { limits: { watchSeconds: 9, heartbeatSecondsMax: 3 } },
      during: wake,
      expected: expects("uptime_stability", 11, /heartbeat|stale|old|connect/i),
      lookAlike: {
        what: "a heartbeat each second, the limit three",
        config: { limits: { watchSeconds: 3, heartbeatSecondsMax: 3 } },
      },
    },
  ),
  own("stability", "connection-lost", "the connection is lost during the watch", {
    bot: { dormant: true, field: ["connected=false"] },
    config: watchSeconds(7),
    during: wake,
    expected: expects("uptime_stability", 11, /connect/i),
    lookAlike: {
      what: "lost for a second, which is missed but not three times in a row",
      bot: { dormant: true, "down-ms": 1200, "up-ms": 60_000 },
      config: watchSeconds(5),
      during: wake,
      expected: expects("uptime_stability", 0, /polls? missed/, "warn"),
    },
  }),
  own("stability", "connection-flaps", "the connection flaps: four seconds gone, one second back", {
    bot: { dormant: true, "down-ms": 4500, "up-ms": 1000 },
    config: watchSeconds(14),
    during: wake,
    expected: expects("uptime_stability", 11, /connect/i),
  }),
  own(
    "stability",
    "health-worker-killed",
    "the worker that answers is killed, the main process lives on",
    {
      bot: { "http-worker": true },
      config: watchSeconds(8),
      during: whenWatched((scene) => signalChildren(scene, "SIGKILL")),
      expected: expects("uptime_stability", 11, /health|refused|miss/i),
      lookAlike: { what: "a worker answers for the main process", bot: { "http-worker": true } },
    },
  ),
  own(
    "stability",
    "health-worker-frozen",
    "the worker that answers is frozen: connections are accepted, none is served",
    {
      bot: { "http-worker": true },
      config: watchSeconds(10),
      during: whenWatched((scene) => signalChildren(scene, "SIGSTOP")),
      expected: expects("uptime_stability", 11, /health|answer|miss|stopped/i),
    },
  ),
  own("stability", "error-during-the-watch", "an error is logged during the watch", {
    config: watchSeconds(4),
    during: whenWatched((scene) => scene.log("ERROR", "Cannot play")),
    expected: expects("uptime_stability", 11, /error/i),
    lookAlike: {
      what: "an old error is written down late",
      config: watchSeconds(4),
      during: whenWatched((scene) => scene.log("ERROR", "an old story", 900)),
    },
  }),
  own(
    "stability",
    "traceback-during-the-watch",
    "a traceback without a prefix is written during the watch",
    {
      config: watchSeconds(4),
      during: whenWatched((scene) => scene.append(traceback)),
      expected: expects("uptime_stability", 11, /error|traceback/i),
    },
  ),
  own(
    "users",
    "users-leave-during-the-watch",
    "everybody leaves during the watch, the bot included",
    {
      why: "Three polls in a row without anybody fail the watch.",
      bot: { dormant: true, field: ["user_count=0"] },
      config: { limits: { watchSeconds: 8 } },
      during: wake,
      expected: expects("uptime_stability", 11, /user count is 0/),
      lookAlike: {
        what: "all but the bot leave",
        bot: { dormant: true, field: ["user_count=1"] },
        during: wake,
      },
    },
  ),
  own("database", "database-removed-during-the-watch", "the database is removed during the watch", {
    during: whenWatched((scene) => rmSync(scene.path("bot_data.db"))),
    expected: expects("database", 3, /missing|not exist|no such|not there|there is no/i),
    lookAlike: {
      what: "another file beside it is removed",
      before: (scene) => writeFileSync(scene.path("bot_data.db.bak"), ""),
      during: whenWatched((scene) => rmSync(scene.path("bot_data.db.bak"))),
    },
  }),
];

function signalChildren(scene: Scene, signal: NodeJS.Signals): void {
  const pid = scene.bot.pid();
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  for (const child of children) sendSignal(Number(child), signal);
}

const moreHealthFaults: Fault[] = [
  own("health", "health-503-for-ever", "503 for ever", {
    bot: { "starting-ms": 600_000 },
    expected: expects("health_endpoint", 6, /503/),
  }),
  own("health", "health-404", "the path is wrong", {
    config: (scene) => ({ health: { url: `http://127.0.0.1:${scene.bot.port}/health` } }),
    expected: expects("health_endpoint", 6, /404/),
  }),
  own("health", "health-empty", "200 with nothing", {
    bot: { body: "empty" },
    expected: expects("health_endpoint", 6, /empty|json/i),
  }),
  own("health", "health-array", "200 with a JSON array", {
    bot: { body: "array" },
    expected: expects("health_endpoint", 6, /object|array/i),
  }),
  own("health", "health-null", "200 with null", {
    bot: { body: "null" },
    expected: expects("health_endpoint", 6, /object|null/i),
  }),
  own("health", "health-status-missing", "200 without a status", {
    bot: { without: ["status"] },
    expected: expects("health_endpoint", 6, /status/, "unknown"),
    lookAlike: { what: "`healthy` instead of `up`", bot: { field: ['status="healthy"'] } },
  }),
  own("health", "health-cut", "the answer is cut in the middle", {
    bot: { body: "cut" },
    expected: expects("health_endpoint", 6, /./),
  }),
  own("health", "health-lying-length", "Content-Length promises more than comes", {
    bot: { body: "lying-length" },
    expected: expects("health_endpoint", 6, /./),
  }),
  own("health", "health-gzip", "a gzip body that nobody asked for", {
    why: "Nothing is unpacked: a small answer could become a huge one.",
    bot: { body: "gzip" },
    expected: expects("health_endpoint", 6, /gzip|encod|json/i),
  }),
  own("health", "health-headers-drip", "headers that never end", {
    bot: { body: "header-drip" },
    expected: expects("health_endpoint", 6, /no answer|timeout|timed out|within|not answer/i),
  }),
  own("health", "health-ipv6-only", "it listens on ::1 and is asked on 127.0.0.1", {
    bot: { host: "::1" },
    expected: expects("health_endpoint", 6, /refused/i),
    lookAlike: {
      what: "it is asked on ::1",
      bot: { host: "::1" },
      config: (scene) => ({ health: { url: `http://[::1]:${scene.bot.port}/api/health` } }),
    },
  }),
  own(
    "health",
    "port-held-by-an-old-process",
    "an older process holds the port and answers in the new one's place",
    {
      why: "Its uptime is longer than the age of the process under verification, so the good answers are not this bot's.",
      bot: { "no-http": true },
      prepare: async (scene) => {
        mkdirSync(scene.path("old"));
        const old = await startBot(scene.path("old"), {
          port: scene.freePort,
          "uptime-shift-s": 3600,
        });
        scene.others.push(old);
      },
      config: (scene) => ({ health: { url: `http://127.0.0.1:${scene.freePort}/api/health` } }),
      expected: expects("health_endpoint", 6, /uptime|another process|older|longer/i),
      lookAlike: { what: "an uptime that was rounded up", bot: { "uptime-shift-s": 0.9 } },
    },
  ),
  own("health", "health-socket-missing", "the UNIX socket is not there", {
    config: { health: { socket: "nowhere.sock", url: "http://localhost/api/health" } },
    expected: expects("health_endpoint", 6, /nowhere\.sock|ENOENT|no such|socket/i),
    lookAlike: {
      what: "it is there",
      bot: { socket: "bot.sock" },
      config: { health: { socket: "bot.sock", url: "http://localhost/api/health" } },
    },
  }),
  own("health", "checks-out-of-time", "the checks do not end within their budget", {
    why: "The run has its own deadline, whatever the limits inside it add up to.",
    bot: { "starting-ms": 600_000 },
    config: { limits: { startupSecondsMax: 60, checksSecondsMax: 3 } },
    expected: { exit: 124 },
    lookAlike: { what: "they end in time", config: { limits: { checksSecondsMax: 20 } } },
  }),
];

const fromSql: Settings = {
  health: { url: null, sql: "SELECT * FROM current_status" },
  off: { "configuration.environment": "the table does not hold it" },
  configuration: { environment: null },
};

const moreConditionFaults: Fault[] = [
  own("connection", "connected-one", "connected 1, over HTTP", {
    bot: { field: ["connected=1"] },
    expected: expects("connection", 2, /\b1\b|boolean|number/i),
  }),
  own("connection", "connected-null", "connected null", {
    bot: { field: ["connected=null"] },
    expected: expects("connection", 2, /null|boolean/i),
  }),
  own("connection", "heartbeat-milliseconds-stale", "a stale heartbeat in milliseconds", {
    why: "Milliseconds taken for seconds would lie in a far future and always look fresh.",
    bot: { heartbeat: "milliseconds", "heartbeat-shift-s": -120 },
    expected: expects("connection", 2, /heartbeat|last_updated|stale|old/i),
    lookAlike: { what: "a fresh heartbeat in milliseconds", bot: { heartbeat: "milliseconds" } },
  }),
  own("connection", "heartbeat-iso-stale", "a stale heartbeat as an ISO date", {
    bot: { heartbeat: "iso", "heartbeat-shift-s": -120 },
    expected: expects("connection", 2, /heartbeat|last_updated|stale|old/i),
    lookAlike: { what: "a fresh one", bot: { heartbeat: "iso" } },
  }),
  own("connection", "heartbeat-in-the-future", "a heartbeat ten minutes in the future", {
    why: "A clock that is wrong proves nothing about freshness, but nothing was measured as broken either.",
    bot: { "heartbeat-shift-s": 600 },
    expected: expects("connection", 2, /future|ahead|clock/i, "unknown"),
    lookAlike: { what: "half a second ahead", bot: { "heartbeat-shift-s": 0.5 } },
  }),
  own("connection", "sql-not-connected", "the status row says bot_connected 0", {
    bot: { field: ["connected=false"] },
    config: fromSql,
    expected: expects("connection", 2, /connected/i),
    lookAlike: { what: "the status row says 1", config: fromSql },
  }),
  own("connection", "sql-heartbeat-stale", "the status row is two minutes old", {
    bot: { "heartbeat-shift-s": -120 },
    config: fromSql,
    expected: expects("connection", 2, /heartbeat|last_updated|stale|old/i),
  }),
  own(
    "connection",
    "connected-missing-in-test",
    "connected is missing, in the test environment (warns)",
    {
      why: "What an unknown means is the environment's policy.",
      bot: { without: ["connected"] },
      config: { environment: "test" },
      expected: expects("connection", 0, /missing|not in|without|does not say/i, "unknown"),
    },
  ),
  own("response", "slow-during-the-watch", "answers become slow during the watch", {
    bot: { dormant: true, "delay-ms": 500 },
    config: { limits: { responseMsAvgMax: 250 } },
    during: wake,
    expected: expects("response_time", 5, /\d/),
  }),
  own("users", "users-fraction", "users 1.5", {
    bot: { field: ["user_count=1.5"] },
    expected: expects("user_count", 7, /1\.5|integer|whole/i),
  }),
  own("users", "users-null", "users null", {
    bot: { field: ["user_count=null"] },
    expected: expects("user_count", 7, /null|integer|number/i),
  }),
];

const moreDatabaseFaults: Fault[] = [
  own("database", "database-empty", "the database is a file of 0 bytes", {
    why: "SQLite opens it without complaint.",
    bot: { database: "none" },
    before: (scene) => writeFileSync(scene.path("bot_data.db"), ""),
    expected: expects("database", 3, /empty|table/i),
  }),
  own("database", "database-directory", "the database is a directory", {
    bot: { database: "none" },
    before: makeDirectory("bot_data.db"),
    expected: expects("database", 3, /directory|not a file|not a regular|not a database/i),
  }),
  own(
    "database",
    "database-directory-closed",
    "the directory of the database is closed to the verifier",
    {
      uid: unprivilegedUid,
      before: makeDirectory("data"),
      bot: { database: "data/live.db", journal: "delete" },
      prepare: (scene) => chmodSync(scene.path("data"), 0o700),
      config: { database: { file: "data/live.db" } },
      expected: expects("database", 3, /permission|denied|not readable|may not|cannot/i, "unknown"),
      lookAlike: {
        what: "the directory is open",
        uid: unprivilegedUid,
        before: makeDirectory("data"),
        bot: { database: "data/live.db", journal: "delete" },
        config: { database: { file: "data/live.db" } },
      },
    },
  ),
  own("database", "database-on-a-full-disk", "the disk of the database is full", {
    why: "Nothing can be committed any more; the next write of the bot fails.",
    before: (scene) => startSmallDisk(scene, 1024),
    bot: (scene) => ({ database: "disk/live.db", journal: "delete", wrap: enterDisk(scene) }),
    prepare: (scene) => fillDisk(scene),
    wrap: enterDisk,
    config: { database: { file: "disk/live.db" } },
    expected: expects("database", 3, /disk|space|full|\b0 MB free/i),
    lookAlike: {
      what: "a disk with room on it",
      before: (scene) => startSmallDisk(scene, 65_536),
      bot: (scene) => ({ database: "disk/live.db", journal: "delete", wrap: enterDisk(scene) }),
      wrap: enterDisk,
      config: { database: { file: "disk/live.db" } },
    },
  }),
];

/**
 * A mount namespace that lives as long as the process that holds it; the bot and the verifier enter
 * it.
 */
async function startSmallDisk(scene: Scene, kilobytes: number): Promise<void> {
  mkdirSync(scene.path("disk"));
  const mount = `mount -t tmpfs -o size=${kilobytes}k none ${quote(scene.path("disk"))} && touch ${quote(scene.path("disk.ready"))} && exec sleep 120`;
  const holder = startProcess(["unshare", "--mount", "sh", "-c", mount]);
  scene.others.push({ stop: holder.end });
  writeFileSync(scene.path("disk.holder"), String(holder.pid));
  await until("the small disk is mounted", () => existsSync(scene.path("disk.ready")));
}

function enterDisk(scene: Scene) {
  return (command: readonly string[]) => [
    "nsenter",
    `--mount=/proc/${readIfThere(scene.path("disk.holder"))}/ns/mnt`,
    `--wd=${projectDirectory}`,
    ...command,
  ];
}

async function fillDisk(scene: Scene): Promise<void> {
  const filler = startProcess(
    enterDisk(scene)(["sh", "-c", `cat /dev/zero > ${quote(scene.path("disk/filler"))}`]),
  );
  await new Promise((full) => filler.once("exit", full));
}

const moreLogFaults: Fault[] = [
  own("logs", "log-missing", "the log is not there", {
    config: { errorLogs: { files: ["nowhere.log"] } },
    expected: expects("error_logs", 9, /nowhere\.log|missing|not exist/i, "unknown"),
  }),
  own("logs", "log-elsewhere", "the bot writes elsewhere, the log that is read is an old one", {
    why: "The silence of a file that nobody writes is no evidence.",
    bot: { log: "real.log" },
    before: (scene) => {
      writeFileSync(
        scene.path("bot.log"),
        formatLogLine(new Date(Date.now() - 3_600_000), "INFO", "the last word"),
      );
      const hourAgo = Date.now() / 1000 - 3600;
      utimesSync(scene.path("bot.log"), hourAgo, hourAgo);
    },
    expected: expects("error_logs", 9, /bot\.log|not.*writ|elsewhere|older/i, "unknown"),
    lookAlike: {
      what: "elsewhere, and the config says where",
      bot: { log: "real.log" },
      config: { errorLogs: { files: ["real.log"] } },
    },
  }),
  own(
    "logs",
    "error-in-the-rotated-file",
    "the log was rotated just before, the error is in the old file",
    {
      prepare: (scene) => {
        scene.log("ERROR", "Cannot play");
        rotateLog(scene);
      },
      expected: expects("error_logs", 9, /1/),
    },
  ),
  own("logs", "error-json", "an error in a JSON log line", {
    prepare: (scene) =>
      scene.append(
        `${JSON.stringify({ timestamp: new Date().toISOString(), level: "error", message: "Cannot play" })}\n`,
      ),
    expected: expects("error_logs", 9, /1/),
    lookAlike: {
      what: "the word in the message of an info line",
      prepare: (scene) =>
        scene.append(
          `${JSON.stringify({ timestamp: new Date().toISOString(), level: "info", message: '"level":"error" ERROR' })}\n`,
        ),
    },
  }),
  own("logs", "many-errors", "a thousand errors", {
    prepare: (scene) => {
      for (let count = 0; count < 1000; count += 1)
        scene.log("ERROR", `Cannot play number ${count}`);
    },
    expected: expects("error_logs", 9, /1[ ,]?000/),
  }),
  own("logs", "error-unfinished-line", "an error line without its newline", {
    why: "The next line of the bot is glued to it; the prefix at its beginning is what counts.",
    prepare: async (scene) => {
      scene.append(formatLogLine(new Date(), "ERROR", "Cannot play").trimEnd());
      const { size } = statSync(scene.path("bot.log"));
      await until(
        "the bot has written its next line",
        () => statSync(scene.path("bot.log")).size > size,
      );
    },
    expected: expects("error_logs", 9, /\d/),
  }),
  own("logs", "error-before-this-start", "an error of the run before this start (passes)", {
    why: "The window begins at the start: yesterday's crash is why it was restarted.",
    prepare: async (scene) => {
      scene.log("ERROR", "the last words of the former life");
      await scene.bot.kill();
      const second = Math.floor(Date.now() / 1000);
      await until(
        "the clock shows another second",
        () => Math.floor(Date.now() / 1000) > second + 1,
      );
      await scene.bot.start();
    },
    expected: expects("error_logs", 0, /./),
  }),
  own("logs", "error-written-late", "an old error is written after newer lines (passes)", {
    why: "The line's own timestamp counts, not its place.",
    prepare: (scene) => scene.log("ERROR", "an old story", 900),
    expected: expects("error_logs", 0, /./),
  }),
  own(
    "logs",
    "error-before-a-silent-start",
    "an old error is the last line of the log, and the bot is silent since its start (passes)",
    {
      why: "At level WARNING a healthy bot logs nothing, so the last words of its former life stay the last line.",
      bot: { quiet: true },
      before: (scene) => scene.log("ERROR", "the last words of the former life", 400),
      expected: expects("error_logs", 0, /./),
    },
  ),
  own("logs", "error-after-few-nul-bytes", "an error after a few NUL bytes", {
    prepare: (scene) =>
      scene.append(
        Buffer.concat([
          Buffer.alloc(300),
          Buffer.from(formatLogLine(new Date(), "ERROR", "Cannot play")),
        ]),
      ),
    expected: expects("error_logs", 9, /1/),
  }),
  own(
    "logs",
    "log-without-append",
    "a log that is not opened for appending is truncated, then an error (NUL bytes in between)",
    {
      bot: { "log-in-place": true },
      prepare: async (scene) => {
        scene.log("INFO", "x".repeat(200_000));
        truncateSync(scene.path("bot.log"), 0);
        await until(
          "the bot has written on where it was",
          () => statSync(scene.path("bot.log")).size > 0,
        );
        // The bot goes on writing at its own offset: over this line, and not over the error.
        scene.log("INFO", "y".repeat(20_000));
        scene.log("ERROR", "Cannot play");
      },
      expected: expects("error_logs", 9, /1/),
    },
  ),
  own(
    "logs",
    "error-older-than-the-window",
    "an error of this run, older than the window (passes)",
    {
      prepare: async (scene) => {
        scene.log("ERROR", "a short while ago");
        const since = Date.now();
        await until("the window has passed it", () => Date.now() - since > 3100);
      },
      config: { limits: { errorWindowSeconds: 2 } },
      expected: expects("error_logs", 0, /./),
    },
  ),
];

const moreConfigurationFaults: Fault[] = [
  own(
    "configuration",
    "config-edited-after-the-start",
    "the bot's config was edited after its start",
    {
      why: "What is on disk is what the next restart will run.",
      prepare: (scene) =>
        writeFileSync(
          scene.path("config.json"),
          JSON.stringify({ channel: "#lobby", environment: "prod", password: botPassword }),
        ),
      expected: expects("configuration", 10, /channel/),
      lookAlike: {
        what: "written again with the same settings in another order",
        prepare: (scene) =>
          writeFileSync(
            scene.path("config.json"),
            JSON.stringify({
              password: botPassword,
              environment: "prod",
              extra: [1],
              channel: "demo",
            }),
          ),
      },
    },
  ),
  own("configuration", "config-file-broken", "the bot's config is no JSON any more", {
    prepare: (scene) =>
      writeFileSync(
        scene.path("config.json"),
        `{"channel": "#demo", "password": "${botPassword}", `,
      ),
    expected: expects("configuration", 10, /json/i, "unknown"),
  }),
  own("configuration", "config-file-unreadable", "the bot's config may not be read", {
    uid: unprivilegedUid,
    prepare: (scene) => chmodSync(scene.path("config.json"), 0o600),
    expected: expects(
      "configuration",
      10,
      /permission|denied|not readable|may not|cannot/i,
      "unknown",
    ),
    lookAlike: { what: "it may", uid: unprivilegedUid },
  }),
  own("configuration", "release-differs", "another version runs than the one that was deployed", {
    args: (file) => [...plain(file), "--json", "--expect-version", "1.5.0"],
    expected: expects("release", 19, /1\.4\.2/),
    lookAlike: {
      what: "the version that was deployed",
      args: (file) => [...plain(file), "--json", "--expect-version", "1.4.2"],
    },
  }),
  own(
    "configuration",
    "release-unknown",
    "a version is expected and the bot does not tell its own",
    {
      bot: { without: ["version"] },
      config: { release: { version: "1.4.2" } },
      expected: expects("release", 19, /version|release/i, "unknown"),
      lookAlike: { what: "it tells", config: { release: { version: "1.4.2" } } },
    },
  ),
];

const aborted = (run: Run, scene: Scene): string[] => {
  const verdict = readRecords(scene.path("verify.jsonl")).at(-1)?.verdict;
  return [
    ...(verdict === "aborted" ? [] : [`the record says ${verdict}`]),
    ...endsWithin(1000)(run, scene),
  ];
};

const interrupted = (
  signal: NodeJS.Signals,
  exit: number,
  during = whenWatched,
): Omit<Fault, "name" | "title" | "group"> => ({
  config: watchSeconds(20),
  during: during((_scene, verifier) => verifier.kill(signal)),
  expected: { exit },
  also: aborted,
});

const moreSurroundings: Fault[] = [
  own("surroundings", "interrupted", "Ctrl-C during the watch", interrupted("SIGINT", 130)),
  own("surroundings", "terminated", "SIGTERM during the watch", interrupted("SIGTERM", 143)),
  own(
    "surroundings",
    "hung-up",
    "the terminal is closed during the watch",
    interrupted("SIGHUP", 129),
  ),
  own(
    "surroundings",
    "terminated-while-blocked",
    "SIGTERM while the database is locked and the bot silent",
    {
      ...interrupted("SIGTERM", 143, whenChecked),
      bot: { journal: "delete", body: "hang" },
      prepare: lockExclusively,
    },
  ),
  own("surroundings", "torn-log-line", "the verifier's log ends in half a line", {
    why: "A power cut tears the last line; the next record must not be glued to it.",
    prepare: (scene) =>
      writeFileSync(
        scene.path("verify.jsonl"),
        '{"v":1,"kind":"verify","run":"00000000-0000-4000-8000-000000000000","verd',
      ),
    expected: { exit: 0 },
    also: (_run, scene) => {
      const records = readRecords(scene.path("verify.jsonl"));
      return records.length === 2 && records[0] === null && records[1]?.verdict === "pass"
        ? []
        : ["the new record is not a whole line of its own"];
    },
  }),
  own("surroundings", "unknown-flag", "a flag that does not exist", {
    args: (file) => [...plain(file), "--quite"],
    expected: { exit: 64, stderr: /--quite[\s\S]*--quiet/, record: false },
    lookAlike: { what: "the flag that was meant", args: (file) => [...plain(file), "--quiet"] },
  }),
  own("surroundings", "unknown-check", "--only names a check that does not exist", {
    args: (file) => [...plain(file), "--only", "databse"],
    expected: { exit: 64, stderr: /databse[\s\S]*database/, record: false },
    lookAlike: {
      what: "the check that was meant",
      args: (file) => [...plain(file), "--json", "--only", "database"],
    },
  }),
];

/** The planned ones in their order, then those that were found later. */
export const faults: readonly Fault[] = [
  ...processFaults,
  ...databaseFaults,
  ...healthFaults,
  ...conditionFaults,
  ...logFaults,
  ...configurationFaults,
  ...configFileFaults,
  ...outputFaults,
  ...moreProcessFaults,
  ...moreStabilityFaults,
  ...moreHealthFaults,
  ...moreConditionFaults,
  ...moreDatabaseFaults,
  ...moreLogFaults,
  ...moreConfigurationFaults,
  ...moreSurroundings,
];

/** What was planned to be found, each once and in its order. */
export const plannedTitles: readonly string[] = [
  ...new Set(
    [
      processFaults,
      databaseFaults,
      healthFaults,
      conditionFaults,
      logFaults,
      configurationFaults,
      configFileFaults,
      outputFaults,
    ]
      .flat()
      .map(({ title }) => title),
  ),
];

export function findFault(name: string): Fault | undefined {
  return faults.find((fault) => fault.name === name);
}

// ---------------------------------------------------------------------------- playing

export type PlayOptions = Pick<RunOptions, "show" | "program"> & {
  /** Where the scene is set; without it in a directory that is removed afterwards. */
  dir?: string;
  /** More arguments for the verifier. */
  args?: string[];
  /** For a person: never ask for JSON. */
  pretty?: boolean;
};
export type Played = { run: Run; result: Result | null; mismatches: string[]; expected: Expected };

export function playFault(fault: Fault, options: PlayOptions = {}): Promise<Played> {
  return play(fault, fault.expected, options);
}

export async function playLookAlike(fault: Fault, options: PlayOptions = {}): Promise<Played> {
  const { lookAlike, expected } = fault;
  if (!lookAlike) throw new Error(`"${fault.name}" has no look-alike: it is one itself`);
  return play(
    lookAlike,
    lookAlike.expected ?? {
      exit: 0,
      ...(expected.check && { check: expected.check, status: "pass" as const }),
    },
    options,
  );
}

async function play(what: Play, expected: Expected, options: PlayOptions): Promise<Played> {
  await buildOnce();
  const scene = await setScene(what, options.dir ?? createDirectory());
  try {
    const settings = typeof what.config === "function" ? what.config(scene) : what.config;
    const file = writeConfig(scene.dir, scene.bot.port, settings);
    if (what.configText) writeFileSync(file, what.configText(readFileSync(file, "utf8")));
    const asked = what.args?.(file, scene) ?? [...plain(file), "--json"];
    const args = [
      ...asked.filter((arg) => !(options.pretty && arg === "--json")),
      ...(options.args ?? []),
    ];
    const runOptions = toRunOptions(what, scene, options);
    const runs = await Promise.all(
      (what.twice ? [1, 2] : [1]).map(() => runVerify(args, runOptions)),
    );
    const judged = runs.map((run) => judgeRun(what, expected, scene, run));
    return { ...(judged[0] as Played), mismatches: judged.flatMap(({ mismatches }) => mismatches) };
  } finally {
    await strikeScene(scene, options.dir === undefined);
  }
}

async function setScene(what: Play, dir: string): Promise<Scene> {
  const path = (name: string) => join(dir, name);
  const append = (bytes: string | Buffer) => appendFileSync(path("bot.log"), bytes);
  const log = (level: string, text: string, secondsAgo = 0) =>
    append(formatLogLine(new Date(Date.now() - secondsAgo * 1000), level, text));
  const scene: Scene = {
    dir,
    path,
    append,
    log,
    others: [],
    freePort: await findFreePort(),
    actedAt: performance.now(),
    bot: undefined as unknown as RunningBot,
  };
  if (what.uid !== undefined) openToAll(scene);
  await what.before?.(scene);
  scene.bot = await startBot(dir, typeof what.bot === "function" ? what.bot(scene) : what.bot);
  await what.prepare?.(scene);
  return scene;
}

function toRunOptions(what: Play, scene: Scene, options: PlayOptions): RunOptions {
  const { during, closeStdout, wrap } = what;
  const act = (verifier: ChildProcess) => {
    scene.actedAt = performance.now();
    return during?.act(scene, verifier);
  };
  return {
    ...(what.env && { env: what.env }),
    ...(what.uid !== undefined && { uid: what.uid }),
    ...(wrap && { wrap: wrap(scene) }),
    ...(during && { onLine: [{ line: during.line, act }] }),
    ...(closeStdout && { closeStdout }),
    ...(options.show && { show: closeStdout ? "copy" : options.show }),
    ...(options.program && what.uid === undefined && { program: options.program }),
  };
}

async function strikeScene(scene: Scene, remove: boolean): Promise<void> {
  await Promise.all([...scene.others, scene.bot].map((other) => other?.stop()));
  if (remove) rmSync(scene.dir, { recursive: true, force: true });
}

// ---------------------------------------------------------------------------- judging what was played

function finding(result: Result | null, check: string, status?: string): Finding | undefined {
  return result?.findings?.find((one) => one.check === check && (!status || one.status === status));
}

function judgeRun(what: Play, expected: Expected, scene: Scene, run: Run): Played {
  const records = readRecords(scene.path("verify.jsonl"));
  const result = run.json ?? records.at(-1) ?? null;
  const mismatches = [
    ...judgeExit(expected, run),
    ...judgeFinding(expected, result),
    ...judgeTexts(what, expected, run),
    ...judgeRecord(expected, run, records),
    ...judgeSecrets(what, run, scene),
    ...(what.also?.(run, scene, result) ?? []),
  ];
  return { run, result, mismatches, expected };
}

function judgeExit(expected: Expected, run: Run): string[] {
  return run.code === expected.exit
    ? []
    : [`exit ${run.code ?? run.signal} instead of ${expected.exit}`];
}

function judgeFinding(expected: Expected, result: Result | null): string[] {
  const { check, status, says } = expected;
  if (!check) return [];
  const found = result?.findings?.filter((one) => one.check === check) ?? [];
  const fitting = found.filter((one) => one.status === status);
  const summary = found.map((one) => `${one.phase} ${one.status}: ${one.says}`).join(" | ");
  if (fitting.length === 0 || (status === "pass" && fitting.length < found.length))
    return [`${check} is not ${status}: ${summary || "no finding"}`];
  const sentences = fitting.flatMap((one) => [
    one.says,
    ...(one.parts ?? []).map((part) => part.says),
  ]);
  return !says || sentences.some((sentence) => says.test(sentence))
    ? []
    : [`${check} does not say ${says}: ${summary}`];
}

const rawControl = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function judgeTexts(what: Play, expected: Expected, run: Run): string[] {
  const said = run.stdout + run.stderr;
  const inTerminal = what.wrap !== undefined && what.env?.TERM !== undefined;
  return [
    ...(expected.stdout && !expected.stdout.test(run.stdout)
      ? [`stdout does not match ${expected.stdout}: ${run.stdout.slice(0, 300)}`]
      : []),
    ...(expected.stderr && !expected.stderr.test(run.stderr)
      ? [`stderr does not match ${expected.stderr}: ${run.stderr.slice(0, 300)}`]
      : []),
    ...(!inTerminal && rawControl.test(said)
      ? [`a raw control character was printed: ${JSON.stringify(rawControl.exec(said)?.[0])}`]
      : []),
    ...(/^\s+at .*[(:]/m.test(run.stderr)
      ? [`a stack trace was printed: ${run.stderr.slice(0, 300)}`]
      : []),
  ];
}

function judgeRecord(expected: Expected, run: Run, records: (Result | null)[]): string[] {
  if (expected.record === false) return [];
  const record = run.json ? records.find((one) => one?.run === run.json?.run) : records.at(-1);
  if (!record) return ["there is no record of the run in the log"];
  return record.exit === run.code
    ? []
    : [`the record says exit ${record.exit}, the run exited ${run.code}`];
}

function judgeSecrets(what: Play, run: Run, scene: Scene): string[] {
  const everything = run.stdout + run.stderr + readIfThere(scene.path("verify.jsonl"));
  const disguises = (secret: string) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString("base64"),
    JSON.stringify(secret).slice(1, -1),
  ];
  const told = [botPassword, ...(what.secrets ?? [])].filter((secret) =>
    disguises(secret).some((text) => everything.includes(text)),
  );
  return told.map((secret) => `the secret ${secret.slice(0, 4)}… is in the output`);
}
