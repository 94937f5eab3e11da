/**
 * A small but real bot, to be verified, and a switch for every way in which it can be broken.
 *
 * It serves a health document over HTTP, keeps a SQLite database, writes a log in the public bot's
 * format, and has users who join, chat and leave.
 * The switches are orthogonal: `--body html` and `--dormant` together make a bot that turns bad
 * when it is sent SIGUSR2.
 * What `--dormant` holds back is everything that spoils the health document or eats time or memory;
 * memory asked for at the start is taken at the start.
 *
 * It never outlives who started it: it ends when its parent or the process named by `--guardian` is
 * gone, also while its event loop is blocked.
 */
import { type ChildProcess, fork } from "node:child_process";
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import Database from "better-sqlite3";

// ---------------------------------------------------------------------------- switches

export const switches = {
  dir: { type: "string", default: "." }, // where its files are
  role: { type: "string", default: "bot" }, // "memory" and "http" are its own children
  guardian: { type: "string", default: "0" }, // a pid; the bot ends with it
  dormant: { type: "boolean", default: false }, // what is spoilt stays healthy until SIGUSR2
  version: { type: "string", default: "1.4.2" },
  // What it listens on.
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "0" }, // 0: the kernel chooses, bot.port says which
  socket: { type: "string", default: "" }, // a UNIX socket instead of a port
  "no-http": { type: "boolean", default: false },
  // a child answers, the main process only feeds it
  "http-worker": { type: "boolean", default: false },
  token: { type: "string", default: "" }, // requests need `Authorization: Bearer TOKEN`
  // What the health document says.
  field: { type: "string", multiple: true, default: [] as string[] }, // NAME=JSON replaces a field
  without: { type: "string", multiple: true, default: [] as string[] }, // NAME leaves a field out
  heartbeat: { type: "string", default: "seconds" }, // seconds, milliseconds, iso
  "heartbeat-shift-s": { type: "string", default: "0" },
  "heartbeat-frozen": { type: "boolean", default: false },
  "uptime-shift-s": { type: "string", default: "0" },
  "uptime-frozen": { type: "boolean", default: false },
  "uptime-restarts": { type: "boolean", default: false }, // counts from the moment of SIGUSR2
  // as a cache in front of the bot would answer
  "document-frozen": { type: "boolean", default: false },
  "down-ms": { type: "string", default: "0" }, // a flapping connection: lost so long …
  "up-ms": { type: "string", default: "1000" }, // … and back so long
  // SIGUSR2 takes its chat server away so long; its log says so, bot.outage when exactly
  "disconnect-ms": { type: "string", default: "0" },
  // so long after it turned bad it loses its chat server, once, and logs it as the public bot does
  // …
  "disconnect-at-ms": { type: "string", default: "0" },
  // … and so long after it turned bad it is back
  "reconnect-at-ms": { type: "string", default: "0" },
  // How it answers.
  "status-code": { type: "string", default: "200" },
  body: { type: "string", default: "json" }, // a key of `bodies`
  "starting-ms": { type: "string", default: "0" }, // 503 so long after the start
  "delay-ms": { type: "string", default: "0" },
  "slow-every": { type: "string", default: "0" }, // each so manieth answer takes slow-ms
  "slow-ms": { type: "string", default: "0" },
  // lognormal: median 8 ms, 99 % under 300 ms, all under 900 ms
  "long-tail": { type: "boolean", default: false },
  "miss-first": { type: "string", default: "0" }, // so many answers are 500, then all is well
  block: { type: "boolean", default: false }, // the event loop stands still
  // What it eats, and how it ends.
  mb: { type: "string", default: "0" },
  "child-mb": { type: "string", default: "0" },
  "leak-mb-per-s": { type: "string", default: "0" },
  "sawtooth-mb": { type: "string", default: "0" },
  "sawtooth-ms": { type: "string", default: "5000" },
  "crash-after-ms": { type: "string", default: "0" },
  // Its database and its log.
  database: { type: "string", default: "bot_data.db" }, // "none": it has none
  journal: { type: "string", default: "wal" }, // wal or delete
  "no-tables": { type: "boolean", default: false },
  "busy-ms": { type: "string", default: "100" },
  log: { type: "string", default: "bot.log" }, // "-": stdout
  quiet: { type: "boolean", default: false }, // logs no INFO, as at level WARNING
  // opened without O_APPEND, as a careless bot does
  "log-in-place": { type: "boolean", default: false },
} as const;

export type BotSwitches = {
  [Name in keyof typeof switches]?: (typeof switches)[Name]["type"] extends "boolean"
    ? boolean
    : string | number | readonly string[];
};
type Options = ReturnType<typeof parseSwitches>;

function parseSwitches(args: string[]) {
  return parseArgs({ args, options: switches, strict: true }).values;
}

// ---------------------------------------------------------------------------- the bot's state

type Bot = {
  options: Options;
  settings: { channel: string; environment: string; bot_name: string };
  users: string[];
  connected: boolean;
  awakeSince: number | null; // epoch ms since which what the switches spoil is spoilt
  heartbeat: number; // epoch ms
  requests: number;
  errors: number;
  frozen: string | null; // the document as the cache keeps it
  retained: Buffer[];
  log: Log;
  children: ChildProcess[];
};
type Log = { write: (level: string, text: string) => void; reopen: () => void };

const bornAt = Date.now() - process.uptime() * 1000;
const visitors = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

function createBot(options: Options): Bot {
  const settings = { channel: "#demo", environment: "prod", bot_name: "demo-bot" };
  Object.assign(settings, JSON.parse(readFileSync(join(options.dir, "config.json"), "utf8")));
  return {
    options,
    settings,
    users: [settings.bot_name, "alice", "bob"],
    connected: true,
    awakeSince: options.dormant ? null : Date.now(),
    heartbeat: Date.now(),
    requests: 0,
    errors: 0,
    frozen: null,
    retained: [],
    log: openLog(options),
    children: [],
  };
}

/** The public bot's format, in local time: `[2026-11-21 21:04:26] [lib.bot] [INFO] text`. */
export function formatLogLine(at: Date, level: string, text: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `[${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}] [lib.bot] [${level}] ${text}\n`;
}

function openLog(options: Options): Log {
  const path = resolve(options.dir, options.log);
  const open = () =>
    options.log === "-" ? 1 : openSync(path, options["log-in-place"] ? "w" : "a");
  let descriptor = open();
  return {
    write: (level, text) => {
      if (!(options.quiet && level === "INFO"))
        writeSync(descriptor, formatLogLine(new Date(), level, text));
    },
    reopen: () => {
      if (descriptor !== 1) closeSync(descriptor);
      descriptor = open();
    },
  };
}

// ---------------------------------------------------------------------------- health document

function healthDocument(bot: Bot): Record<string, unknown> {
  const awake = bot.awakeSince !== null;
  const document: Record<string, unknown> = {
    status: "up",
    connected: bot.connected,
    channel: bot.settings.channel,
    environment: bot.settings.environment,
    version: bot.options.version,
    uptime: uptimeSeconds(bot),
    user_count: bot.users.length,
    memory_mb: Math.round(process.memoryUsage.rss() / 10_485.76) / 100,
    last_activity: Math.floor(bot.heartbeat / 1000),
    last_updated: heartbeatValue(bot),
    requests_handled: bot.requests,
    error_count: bot.errors,
  };
  if (!awake) return document;
  for (const field of bot.options.field)
    document[field.slice(0, field.indexOf("="))] = JSON.parse(field.slice(field.indexOf("=") + 1));
  for (const name of bot.options.without) delete document[name];
  return document;
}

function uptimeSeconds(bot: Bot): number {
  const { options, awakeSince } = bot;
  const now = options["uptime-frozen"] ? (awakeSince ?? Date.now()) : Date.now();
  const since = options["uptime-restarts"] ? (awakeSince ?? bornAt) : bornAt;
  return (now - since) / 1000 + Number(options["uptime-shift-s"]);
}

function heartbeatValue(bot: Bot): number | string {
  const shifted =
    bot.heartbeat + (bot.awakeSince === null ? 0 : Number(bot.options["heartbeat-shift-s"]) * 1000);
  if (bot.options.heartbeat === "iso") return new Date(shifted).toISOString();
  return bot.options.heartbeat === "milliseconds" ? shifted : shifted / 1000;
}

// ---------------------------------------------------------------------------- HTTP

const bodies: Record<string, (response: ServerResponse, code: number, document: string) => void> = {
  json: (response, code, document) => send(response, code, "application/json", document),
  text: (response, code, document) => send(response, code, "text/plain", document),
  html: (response, code) =>
    send(
      response,
      code,
      "text/html",
      "<!doctype html><title>It works</title><p>status: up, connected: true</p>",
    ),
  broken: (response, code, document) =>
    send(response, code, "application/json", document.slice(0, -5)),
  empty: (response, code) => send(response, code, "application/json", ""),
  array: (response, code, document) => send(response, code, "application/json", `[${document}]`),
  null: (response, code) => send(response, code, "application/json", "null"),
  gzip: (response, code, document) => {
    response
      .writeHead(code, { "content-type": "application/json", "content-encoding": "gzip" })
      .end(gzipSync(document));
  },
  redirect: (response) =>
    response.writeHead(302, { location: `/api/health?again=${Date.now()}` }).end(),
  hang: () => {},
  drip: (response, code, document) => {
    response.writeHead(code, { "content-type": "application/json" });
    dripInto(document, 1000, (byte) => response.writable && response.write(byte));
  },
  "header-drip": (response) => {
    const socket = response.socket;
    dripInto(
      `HTTP/1.1 200 OK\r\n${"x-slow: 1\r\n".repeat(100)}`,
      200,
      (byte) => !!socket?.writable && socket.write(byte),
    );
  },
  huge: (response, code, document) => {
    response.writeHead(code, { "content-type": "application/json" });
    response.write(`${document.slice(0, -1)},"padding":"`);
    pourInto(response, 50 * 1024 * 1024);
  },
  cut: (response, code, document) => {
    response.writeHead(code, { "content-type": "application/json" });
    response.write(document.slice(0, 40), () => response.socket?.destroy());
  },
  "lying-length": (response, code, document) => {
    response.writeHead(code, {
      "content-type": "application/json",
      "content-length": document.length + 100,
    });
    response.write(document, () => response.socket?.end());
  },
};

function send(response: ServerResponse, code: number, type: string, text: string): void {
  response
    .writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(text) })
    .end(text);
}

function dripInto(text: string, everyMs: number, write: (byte: string) => boolean): void {
  let position = 0;
  const timer = setInterval(() => {
    const more = position < text.length && write(text[position] as string);
    position += 1;
    if (!more) clearInterval(timer);
  }, everyMs);
}

function pourInto(response: ServerResponse, bytesLeft: number): void {
  const chunk = "x".repeat(65_536);
  for (let left = bytesLeft; left > 0 && response.writable; left -= chunk.length) {
    if (response.write(chunk)) continue;
    response.once("drain", () => pourInto(response, left - chunk.length));
    return;
  }
  response.end('"}');
}

type Answer = [code: number, type: string, text: string];

/** What it answers instead of its health document, if anything. */
function refusal(bot: Bot, request: IncomingMessage): Answer | null {
  const { options } = bot;
  if (!request.url?.startsWith("/api/health")) return [404, "text/plain", "no such page"];
  if (options.token && request.headers.authorization !== `Bearer ${options.token}`)
    return [401, "text/plain", "who are you?"];
  if (process.uptime() * 1000 < Number(options["starting-ms"])) {
    return [
      503,
      "application/json",
      '{"status":"unhealthy","message":"Startup in progress","startup_in_progress":true}',
    ];
  }
  return bot.requests <= Number(options["miss-first"])
    ? [500, "application/json", '{"status":"down"}']
    : null;
}

function answer(bot: Bot, request: IncomingMessage, response: ServerResponse): void {
  bot.requests += 1;
  const refused = refusal(bot, request);
  if (refused) {
    send(response, ...refused);
    return;
  }
  const awake = bot.awakeSince !== null;
  const fresh = JSON.stringify(healthDocument(bot));
  if (bot.options["document-frozen"] && awake) bot.frozen ??= fresh;
  const body = bodies[awake ? bot.options.body : "json"];
  if (!body)
    throw new Error(
      `Unknown body "${bot.options.body}": it is one of ${Object.keys(bodies).join(", ")}`,
    );
  setTimeout(
    () => body(response, awake ? Number(bot.options["status-code"]) : 200, bot.frozen ?? fresh),
    awake ? delayMs(bot) : 0,
  );
}

function delayMs(bot: Bot): number {
  const { options } = bot;
  const every = Number(options["slow-every"]);
  if (every > 0 && bot.requests % every === 0) return Number(options["slow-ms"]);
  if (!options["long-tail"]) return Number(options["delay-ms"]);
  const normal =
    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Math.min(880, 8 * Math.exp(1.558 * normal));
}

function listen(bot: Bot, server: Server): Promise<void> {
  const { socket, dir, port, host } = bot.options;
  server.keepAliveTimeout = 30_000;
  return new Promise((done, failed) => {
    server.once("error", failed);
    if (socket) {
      rmSync(resolve(dir, socket), { force: true });
      server.listen(resolve(dir, socket), done);
      return;
    }
    server.listen(Number(port), host, () => {
      writeWhole(join(dir, "bot.port"), String((server.address() as AddressInfo).port));
      done();
    });
  });
}

/** Readers see the whole file or none of it. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

// ---------------------------------------------------------------------------- database

const schema = `
  CREATE TABLE IF NOT EXISTS current_status (id INTEGER PRIMARY KEY CHECK (id = 1), status TEXT, bot_name TEXT, channel_name TEXT, bot_connected INTEGER,
    current_chat_users INTEGER, bot_start_time REAL, last_updated REAL);
  CREATE TABLE IF NOT EXISTS user_stats (username TEXT PRIMARY KEY, first_seen REAL, last_seen REAL, total_chat_lines INTEGER DEFAULT 0);
  CREATE TABLE IF NOT EXISTS user_actions (id INTEGER PRIMARY KEY, timestamp REAL, username TEXT, action_type TEXT, details TEXT);
  CREATE TABLE IF NOT EXISTS channel_stats (id INTEGER PRIMARY KEY CHECK (id = 1), max_users INTEGER);
  CREATE TABLE IF NOT EXISTS user_count_history (id INTEGER PRIMARY KEY, timestamp REAL, chat_users INTEGER);
  CREATE TABLE IF NOT EXISTS recent_chat (id INTEGER PRIMARY KEY, timestamp REAL, username TEXT, message TEXT);
  CREATE TABLE IF NOT EXISTS outbound_messages (id INTEGER PRIMARY KEY, timestamp REAL, message TEXT, sent INTEGER DEFAULT 0);
  CREATE TABLE IF NOT EXISTS api_tokens (token TEXT PRIMARY KEY, created_at REAL, revoked INTEGER DEFAULT 0);`;

function openDatabase(bot: Bot): Database.Database | null {
  const { options } = bot;
  if (options.database === "none") return null;
  const database = new Database(resolve(options.dir, options.database), {
    timeout: Number(options["busy-ms"]),
  });
  database.pragma(`journal_mode = ${options.journal}`);
  database.pragma("synchronous = NORMAL");
  if (options["no-tables"]) {
    database.exec("CREATE TABLE IF NOT EXISTS something_else (id INTEGER PRIMARY KEY)");
    return database;
  }
  database.exec(schema);
  fillHistory(database);
  writeStatus(bot, database);
  return database;
}

/** A few hundred pages of history: enough for a database to have a middle. */
function fillHistory(database: Database.Database): void {
  const insert = database.prepare(
    "INSERT INTO user_actions (timestamp, username, action_type, details) VALUES (?, ?, 'join', ?)",
  );
  if (database.prepare("SELECT 1 FROM user_actions LIMIT 1").get()) return;
  database.transaction(() => {
    for (let row = 0; row < 4000; row += 1)
      insert.run(row, visitors[row % visitors.length], "from a long time ago, ".repeat(8));
  })();
}

function writeStatus(bot: Bot, database: Database.Database): void {
  const document = healthDocument(bot);
  // The public bot says "offline" even when connected.
  const sql = "INSERT OR REPLACE INTO current_status VALUES (1, 'offline', ?, ?, ?, ?, ?, ?)";
  const heartbeatSeconds =
    bot.heartbeat / 1000 + (bot.awakeSince === null ? 0 : Number(bot.options["heartbeat-shift-s"]));
  const start = Date.now() / 1000 - process.uptime();
  const row = [
    bot.settings.bot_name,
    bot.settings.channel,
    document.connected === true ? 1 : 0,
    bot.users.length,
    start,
    heartbeatSeconds,
  ];
  database.prepare(sql).run(...row);
}

// ---------------------------------------------------------------------------- life

/** Users come, talk and go; the bot itself is always there. */
function liveOneSecond(bot: Bot, database: Database.Database | null): void {
  if (!(bot.options["heartbeat-frozen"] && bot.awakeSince !== null)) bot.heartbeat = Date.now();
  const visitor = visitors[Math.floor(Math.random() * visitors.length)] as string;
  if (!bot.users.includes(visitor)) {
    bot.users.push(visitor);
    bot.log.write("INFO", `userJoin: ${visitor}`);
  } else if (Math.random() < 0.3) {
    bot.users.splice(bot.users.indexOf(visitor), 1);
    bot.log.write("INFO", `userLeave: ${visitor}`);
  } else {
    bot.log.write(
      "INFO",
      `chatMsg: ${visitor}: anyone seen the ERROR page? [CRITICAL] popcorn shortage`,
    );
  }
  if (!database || bot.options["no-tables"]) return;
  try {
    writeStatus(bot, database);
    database
      .prepare("INSERT OR REPLACE INTO user_stats VALUES (?, ?, ?, 1)")
      .run(visitor, Date.now() / 1000, Date.now() / 1000);
    database
      .prepare("INSERT INTO recent_chat (timestamp, username, message) VALUES (?, ?, 'hello')")
      .run(Date.now() / 1000, visitor);
  } catch (error) {
    bot.log.write("WARNING", `database: ${error instanceof Error ? error.message : error}`);
  }
}

function retain(bot: Bot, megabytes: number): void {
  for (let count = 0; count < megabytes; count += 1)
    bot.retained.push(Buffer.alloc(1024 * 1024, 1));
}

function startEating(bot: Bot): void {
  const { options } = bot;
  retain(bot, Number(options.mb));
  const perTenth = Number(options["leak-mb-per-s"]) / 10;
  let owed = 0;
  setInterval(() => {
    if (bot.awakeSince === null || perTenth === 0) return;
    owed += perTenth;
    retain(bot, Math.floor(owed));
    owed %= 1;
  }, 100);
  if (Number(options["sawtooth-mb"]) > 0)
    startSawtooth(Number(options["sawtooth-mb"]), Number(options["sawtooth-ms"]));
}

/** A heap as a garbage collector leaves it: it climbs, then falls at once. */
function startSawtooth(amplitudeMb: number, periodMs: number): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let tooth: Buffer[] = [];
  setInterval(() => {
    tooth.push(Buffer.alloc(1024 * 1024, 1));
    if (tooth.length < amplitudeMb) return;
    tooth = [];
    collect();
  }, periodMs / amplitudeMb);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // Somebody else's, such as systemd.
  }
}

function watchGuardian(options: Options): () => boolean {
  const parent = process.ppid;
  const guardian = Number(options.guardian) || parent;
  const isOrphan = () =>
    !isAlive(guardian) || (Number(options.guardian) === 0 && process.ppid !== parent);
  setInterval(() => isOrphan() && process.exit(0), 500);
  return isOrphan;
}

function blockUntil(done: () => boolean): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!done()) Atomics.wait(never, 0, 0, 200);
}

// ---------------------------------------------------------------------------- children

function startChild(bot: Bot, role: string): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), `--role=${role}`]);
  bot.children.push(child);
  return new Promise((ready) => child.once("message", () => ready()));
}

function liveAsMemory(options: Options): void {
  const memory = Buffer.alloc(Number(options["child-mb"]) * 1024 * 1024, 1);
  process.on("disconnect", () => process.exit(memory.length > 0 ? 0 : 1));
  process.send?.("ready");
}

/** Answers with the document that the main process sent last. */
async function liveAsHttp(options: Options): Promise<void> {
  let document = "{}";
  process.on("disconnect", () => process.exit(0));
  process.on("message", (text) => {
    document = String(text);
  });
  const server = createServer((_request, response) =>
    send(response, 200, "application/json", document),
  );
  await listen({ options } as Bot, server);
  process.send?.("ready");
}

async function startChildren(bot: Bot): Promise<void> {
  if (Number(bot.options["child-mb"]) > 0) await startChild(bot, "memory");
  if (!bot.options["http-worker"]) return;
  await startChild(bot, "http");
  const worker = bot.children.at(-1) as ChildProcess;
  setInterval(() => worker.connected && worker.send(JSON.stringify(healthDocument(bot))), 100);
}

// ---------------------------------------------------------------------------- start and end

function handleSignals(bot: Bot, isOrphan: () => boolean, stop: () => void): void {
  const wake = () => {
    bot.awakeSince = Date.now();
    loseConnectionOnce(bot);
    if (bot.options.block) blockUntil(isOrphan);
    if (Number(bot.options["disconnect-ms"]) > 0) loseServer(bot);
  };
  process.on("SIGUSR2", wake);
  process.on("SIGHUP", () => bot.log.reopen());
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  if (bot.options.block && !bot.options.dormant) setImmediate(wake);
}

async function liveAsBot(options: Options): Promise<void> {
  const isOrphan = watchGuardian(options);
  const bot = createBot(options);
  bot.log.write(
    "INFO",
    `${bot.settings.bot_name} ${options.version} starts in ${bot.settings.channel}`,
  );
  const database = openDatabase(bot);
  startEating(bot);
  await startChildren(bot);
  const server = createServer((request, response) => answer(bot, request, response));
  if (!options["no-http"] && !options["http-worker"]) await listen(bot, server);
  const stop = () => {
    bot.log.write("INFO", "Shutting down: 0 errors");
    for (const child of bot.children) child.kill("SIGKILL");
    database?.close();
    rmSync(join(options.dir, "bot.pid"), { force: true });
    process.exit(0);
  };
  handleSignals(bot, isOrphan, stop);
  setInterval(() => liveOneSecond(bot, database), 1000);
  if (Number(options["down-ms"]) > 0) flap(bot);
  if (!options.dormant) loseConnectionOnce(bot);
  if (Number(options["crash-after-ms"]) > 0)
    setTimeout(() => process.exit(1), Number(options["crash-after-ms"]));
  bot.log.write("INFO", `Successfully joined ${bot.settings.channel}, 0 errors`);
  writeWhole(join(options.dir, "bot.pid"), `${process.pid}\n`);
}

function loseConnectionOnce(bot: Bot): void {
  const { "disconnect-at-ms": lostMs, "reconnect-at-ms": backMs } = bot.options;
  const turn = (connected: boolean, text: string) => () => {
    bot.connected = connected;
    bot.log.write("INFO", text);
  };
  if (Number(lostMs) > 0) setTimeout(turn(false, "Disconnected"), Number(lostMs));
  if (Number(backMs) > 0) setTimeout(turn(true, "Connected successfully"), Number(backMs));
}

function flap(bot: Bot): void {
  const turn = () => {
    const isAwake = bot.awakeSince !== null;
    if (isAwake) bot.connected = !bot.connected;
    if (isAwake) bot.log.write("INFO", bot.connected ? "Connected successfully" : "Disconnected");
    setTimeout(
      turn,
      isAwake ? Number(bot.connected ? bot.options["up-ms"] : bot.options["down-ms"]) : 50,
    );
  };
  turn();
}

/** Once, in the public bot's words. */
function loseServer(bot: Bot): void {
  const from = Date.now();
  bot.connected = false;
  bot.log.write("WARNING", "Disconnected");
  setTimeout(() => {
    bot.connected = true;
    bot.log.write("INFO", "Connected successfully");
    writeWhole(join(bot.options.dir, "bot.outage"), JSON.stringify({ from, to: Date.now() }));
  }, Number(bot.options["disconnect-ms"]));
}

async function main(args: string[]): Promise<void> {
  const options = parseSwitches(args);
  if (options.role === "memory") liveAsMemory(options);
  else if (options.role === "http") await liveAsHttp(options);
  else await liveAsBot(options);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));
