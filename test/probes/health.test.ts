/**
 * The health document: what is parsed out of an answer or a row, and what is seen of real HTTP
 * servers, also of those that never end.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { HttpAnswer } from "../../lib/http.ts";
import { type DatabaseReader, openDatabaseReader } from "../../lib/probes/database.ts";
import { openHealth, parseFields, parseHealthAnswer } from "../../lib/probes/health.ts";
import { configWith } from "../support/config.ts";
import { createDatabase, patientMs } from "../support/database.ts";
import { createDirectory, findFreePort, projectDirectory } from "../support/harness.ts";

// ---------------------------------------------------------------------------- the health document

const answer = (over: Partial<HttpAnswer>): HttpAnswer => ({
  ms: 1,
  status: 200,
  headers: { "content-type": "application/json" },
  body: "{}",
  problem: null,
  code: "",
  ...over,
});

test("parseHealthAnswer() takes a 200 with a JSON object, whatever its content type", () => {
  assert.deepEqual(parseHealthAnswer(answer({ body: '{"status":"up"}' })), {
    document: { status: "up" },
    problem: null,
    status: 200,
    isUnseen: false,
  });
  assert.deepEqual(parseHealthAnswer(answer({ headers: {}, body: ' {"a":1}\n' })).document, {
    a: 1,
  });
});

test("parseHealthAnswer() says what is wrong with any other answer", () => {
  const refused: [Partial<HttpAnswer>, RegExp][] = [
    [{ problem: "connection refused" }, /^connection refused$/],
    [{ status: 500 }, /HTTP 500/],
    [{ status: 503, body: '{"status":"up"}' }, /HTTP 503/],
    [{ status: 204, body: "" }, /HTTP 204/],
    [
      { status: 302, headers: { location: "/login" } },
      /HTTP 302 to \/login; redirects are not followed/,
    ],
    [{ status: 301 }, /HTTP 301 to nowhere/],
    [{ body: "<!doctype html><p>Welcome" }, /HTML/],
    [{ body: "" }, /empty/],
    [{ body: '{"status":' }, /not JSON/],
    [{ body: "healthy" }, /not JSON/],
    [{ body: "[1]" }, /not an object/],
    [{ body: "null" }, /not an object/],
    [{ body: '"up"' }, /not an object/],
    [{ headers: { "content-encoding": "gzip" } }, /gzip/],
  ];
  for (const [over, says] of refused) {
    const { document, problem } = parseHealthAnswer(answer(over));
    assert.equal(document, null, JSON.stringify(over));
    assert.match(problem ?? "", says);
  }
});

test("parseHealthAnswer() tells an endpoint that cannot be looked at from one that is broken", () => {
  const failed = (code: string): Partial<HttpAnswer> => ({ status: null, problem: "no", code });
  const unseen: Partial<HttpAnswer>[] = [
    { status: 401 },
    { status: 403 },
    ...["EACCES", "EPERM", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EMFILE"].map(failed),
  ];
  const broken: Partial<HttpAnswer>[] = [
    { status: 404 },
    { status: 500 },
    { body: "<p>" },
    // Its headers had come when the connection broke.
    { status: 401, problem: "closed", code: "ECONNRESET" },
    ...["", "ECONNREFUSED", "ECONNRESET", "ENOENT", "HPE_INVALID_CONSTANT"].map(failed),
  ];
  for (const over of unseen) {
    assert.equal(parseHealthAnswer(answer(over)).isUnseen, true, JSON.stringify(over));
  }
  for (const over of broken) {
    assert.equal(parseHealthAnswer(answer(over)).isUnseen, false, JSON.stringify(over));
  }
});

test("openHealth() cannot look where the name is unknown, and sees that nothing listens", async () => {
  const ask = async (url: string) => {
    const config = configWith({ health: { url } });
    const reader = openHealth(config, openDatabaseReader(config));
    return reader.read(30_000);
  };
  const nowhere = await ask("http://no-such-host.invalid/api/health");
  assert.deepEqual([nowhere.document, nowhere.isUnseen], [null, true], nowhere.problem ?? "");
  const refused = await ask(`http://127.0.0.1:${await findFreePort()}/api/health`);
  assert.deepEqual([refused.document, refused.isUnseen], [null, false], refused.problem ?? "");
});

test("openHealth() cannot look where the query or its database is wrong", async () => {
  const { file, database } = createDatabase("delete");
  const ask = async (sql: string, file: string) => {
    const config = configWith({ health: { sql }, database: { file } });
    const reader = openDatabaseReader(config);
    const answer = await openHealth(config, reader).read(patientMs);
    reader.close();
    return [answer.document !== null, answer.isUnseen];
  };
  const row = "SELECT bot_connected FROM current_status";
  assert.deepEqual(await ask(row, file), [true, false]);
  assert.deepEqual(await ask("SELECT nothing FROM nowhere", file), [false, true]);
  // That there is no database, or no row in it, is the bot's to answer for.
  assert.deepEqual(await ask(row, `${file}.missing`), [false, false]);
  assert.deepEqual(await ask(`${row} WHERE 0`, file), [false, false]);
  database.close();
});

const http = { url: "http://127.0.0.1:1/" };
const sql = { sql: "SELECT * FROM current_status" };

test("parseFields() reads the document of seed 000", () => {
  const document = {
    status: "up",
    connected: true,
    channel: "#lobby",
    environment: "prod",
    uptime: 30.5,
    user_count: 3,
    memory_mb: 99,
    last_activity: null,
  };
  const fields = parseFields(document, http, 5);
  assert.deepEqual(
    [
      fields.status,
      fields.connected,
      fields.channel,
      fields.environment,
      fields.uptime,
      fields.userCount,
      fields.heartbeat,
      fields.at,
      fields.fromSql,
    ],
    ["up", true, "#lobby", "prod", 30.5, 3, undefined, 5, false],
  );
});

test("parseFields() reads the document of seed 002", () => {
  const document = {
    status: "healthy",
    connected: true,
    channel: "#production-channel",
    uptime_seconds: 30,
    version: "v1.0.0",
  };
  const fields = parseFields(
    { ...document, user_count: 42, requests_handled: 0, error_count: 0 },
    http,
    5,
  );
  assert.deepEqual(
    [
      fields.status,
      fields.uptime,
      fields.version,
      fields.userCount,
      fields.requests,
      fields.errorCount,
      fields.environment,
    ],
    ["healthy", 30, "v1.0.0", 42, 0, 0, undefined],
  );
});

/** The public bot's row, whose status says "offline" while it is connected. */
const row = {
  id: 1,
  bot_name: "bot",
  channel_name: "lobby",
  status: "offline",
  bot_connected: 1,
  current_chat_users: 3,
  bot_start_time: 1795295000,
  last_updated: 1795295066,
};

test("parseFields() reads the public bot's current_status row, and not its status column", () => {
  const fields = parseFields(row, sql, 5);
  assert.deepEqual(
    [
      fields.status,
      fields.connected,
      fields.channel,
      fields.userCount,
      fields.startedAt,
      fields.heartbeat,
      fields.fromSql,
    ],
    [undefined, true, "lobby", 3, 1795295000, 1795295066, true],
  );
  assert.equal(parseFields(row, { ...sql, fields: { status: "/status" } }, 5).status, "offline");
});

test("parseFields() takes 0 and 1 for booleans from a row only", () => {
  assert.deepEqual(
    [0, 1, 2, "1", null, true].map((value) => parseFields({ connected: value }, sql, 5).connected),
    [false, true, 2, "1", null, true],
  );
  assert.deepEqual(
    [0, 1, "true", true].map((value) => parseFields({ connected: value }, http, 5).connected),
    [0, 1, "true", true],
  );
});

test("parseFields() lets configured pointers replace its own, the first that is there wins", () => {
  const document = { status: "up", bot: { state: "fine" }, users: { count: 3 }, user_count: 9 };
  const fields = parseFields(
    document,
    {
      ...http,
      fields: {
        status: "/bot/state",
        userCount: ["/nowhere", "/users/count"],
        version: "/nowhere",
      },
    },
    5,
  );
  assert.deepEqual([fields.status, fields.userCount, fields.version], ["fine", 3, undefined]);
});

// ---------------------------------------------------------------------------- health over HTTP

async function withServer<T>(
  listener: RequestListener,
  act: (url: string, server: Server) => Promise<T>,
  socket?: string,
): Promise<T> {
  const server = createServer(listener);
  server.listen(socket ? { path: socket } : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  try {
    return await act(
      socket ? "http://localhost" : `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      server,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const noDatabase = {} as DatabaseReader;
const readHealthOnce = (health: object, timeoutMs = 2000, headers: Record<string, string> = {}) =>
  openHealth(configWith({ health, headers }), noDatabase).read(timeoutMs);

test("openHealth() reads a document over TCP and over a UNIX socket, with its headers", async () => {
  const listener: RequestListener = (request, response) =>
    response.end(
      JSON.stringify({
        path: request.url,
        key: request.headers["x-key"],
        encodings: request.headers["accept-encoding"] ?? null,
      }),
    );
  await withServer(listener, async (url) => {
    const { document, problem } = await readHealthOnce({ url: `${url}/api/health?full=1` }, 2000, {
      "x-key": "abc",
    });
    assert.deepEqual(
      [document, problem],
      [{ path: "/api/health?full=1", key: "abc", encodings: null }, null],
    );
  });
  const directory = createDirectory();
  const socket = join(directory, "bot.sock");
  await withServer(
    listener,
    async (url) =>
      assert.equal((await readHealthOnce({ url: `${url}/h`, socket })).document?.path, "/h"),
    socket,
  );
  rmSync(directory, { recursive: true });
});

test("openHealth() ends in time and in bytes, whatever the endpoint does", async () => {
  const drip: RequestListener = (_, response) => {
    response.write("{");
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };
  const flood: RequestListener = (_, response) => {
    const chunk = "x".repeat(65_536);
    const more = (): void =>
      void (
        response.destroyed ||
        (response.write(chunk) ? setImmediate(more) : response.once("drain", more))
      );
    more();
  };
  const trickledHeaders: RequestListener = (request) => {
    const timer = setInterval(() => request.socket.write("HTTP/1.1 200 OK\r\nX: y\r\n"), 20);
    request.socket.on("close", () => clearInterval(timer));
  };
  const bad: [name: string, listener: RequestListener, says: RegExp][] = [
    ["no answer", () => {}, /no whole response within 300 ms$/],
    ["a drip", drip, /no whole response within 300 ms \(\d+ bytes came\)/],
    ["a flood", flood, /larger than 1048576 bytes|no whole response/],
    ["endless headers", trickledHeaders, /./],
    [
      "a cut",
      (_, response) =>
        response.writeHead(200, { "content-length": "100" }).write("{") &&
        setImmediate(() => response.destroy()),
      /closed|terminated|aborted/,
    ],
    [
      "a redirect to itself",
      (_, response) => response.writeHead(302, { location: "/" }).end(),
      /redirects are not followed/,
    ],
  ];
  for (const [name, listener, says] of bad) {
    await withServer(listener, async (url) => {
      const begun = performance.now();
      const { document, problem } = await readHealthOnce({ url }, 300);
      assert.equal(document, null, name);
      assert.match(problem ?? "", says, name);
      assert.ok(performance.now() - begun < 1500, `${name} took ${performance.now() - begun} ms`);
    });
  }
});

test("openHealth() says that nothing listens", async () => {
  const url = await withServer(
    () => {},
    async (address) => address,
  );
  assert.match((await readHealthOnce({ url })).problem ?? "", /connection refused/);
  assert.match(
    (await readHealthOnce({ url, socket: join(projectDirectory, "no-such.sock") })).problem ?? "",
    /no such socket/,
  );
});
