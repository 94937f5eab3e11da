/**
 * One bounded GET by node:http, and what is taken out of its answer by JSON pointers. No body is
 * sent, and no redirect is followed.
 */

import { once } from "node:events";
import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { HTTP_MEANINGS } from "./advice.ts";
import { codeOf, messageOf, orNull } from "./attempt.ts";
import { cutText } from "./text.ts";
import { VERSION } from "./vocabulary.ts";

/** A response is read up to here and no further. */
export const RESPONSE_BYTES_MAX = 1 << 20;

/** What is asked; over the Unix socket where there is one. */
export type HttpTarget = {
  url: string;
  socket?: string;
  headers?: Record<string, string>;
};

/** One answer of an HTTP endpoint. */
export type HttpAnswer = {
  /** The time from before the connection to the last byte. */
  ms: number;
  /** Null where none came. */
  status: number | null;
  headers: NodeJS.Dict<string | string[]>;
  /** What came of it. */
  body: string;
  /** Why no whole response came, in words; null when it did. */
  problem: string | null;
  /** The code of that error, such as ECONNREFUSED, or "": a deadline has none. */
  code: string;
};

/** Whether a text is a URL with http: or https:. */
export const isHttpUrl = (source: string): boolean =>
  URL.canParse(source) && /^https?:$/.test(new URL(source).protocol);

type HttpModule = typeof import("node:http");
/** The client for a URL. Loaded late, for a config without an endpoint needs neither. */
export async function loadHttp(url: URL): Promise<HttpModule> {
  if (url.protocol !== "https:") return import("node:http");
  // What is used of both, get() and Agent, is called alike.
  return (await import("node:https")) as unknown as HttpModule;
}

/** How one request is made. */
type RequestSettings = {
  url: URL;
  target: HttpTarget;
  agent: Agent | false;
  signal: AbortSignal;
};

/** The user and the password of a URL; empty where it has none. */
function accountOf({ username, password }: URL): string | undefined {
  if (!username && !password) return "";
  return orNull(() => decodeURIComponent(`${username}:${password}`)) ?? undefined;
}

async function openRequest(settings: RequestSettings): Promise<ClientRequest> {
  const { url, target, agent, signal } = settings;
  const own = {
    accept: "application/json",
    "user-agent": `cytube-verify/${VERSION}`,
    connection: agent ? "keep-alive" : "close",
  };
  const { get } = await loadHttp(url);
  const request = get({
    // The brackets of an IPv6 address are the URL's.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    path: url.pathname + url.search,
    socketPath: target.socket,
    auth: accountOf(url),
    agent,
    headers: { ...own, ...target.headers },
    maxHeaderSize: 16_384,
    signal,
  });
  // An upgrade (101) has no response and no error; an error after the headers is the response's to
  // report.
  request.on("error", () => {});
  return request;
}

/** Where several addresses were tried, the first one's error says why. */
function firstErrorOf(error: unknown): unknown {
  const [first = error] = (error as { errors?: unknown[] }).errors ?? [];
  return first;
}

/** How far an answer came that is not whole. */
function describeRest(bytes: number, status: number | null): string {
  if (bytes > 0) return ` (${bytes} bytes came)`;
  return status === null ? "" : " (only headers came)";
}

/**
 * One GET; redirects are not followed, and it never rejects. Node's own client: compiling undici's
 * WebAssembly costs twice what bare Node does.
 */
export async function readHttp(
  target: HttpTarget,
  timeoutMs: number,
  agent: Agent | false = false,
): Promise<HttpAnswer> {
  const url = new URL(target.url);
  const answer: HttpAnswer = {
    ms: 0,
    status: null,
    headers: {},
    body: "",
    problem: null,
    code: "",
  };
  const chunks: Buffer[] = [];
  let bytes = 0;
  const begun = performance.now();
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const request = await openRequest({ url, target, agent, signal });
    const [response] = (await once(request, "response", { signal })) as [IncomingMessage];
    answer.status = response.statusCode ?? null;
    answer.headers = response.headers;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > RESPONSE_BYTES_MAX) {
        throw new Error(`the response is larger than ${RESPONSE_BYTES_MAX} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted) {
      const rest = describeRest(bytes, answer.status);
      answer.problem = `no whole response within ${timeoutMs} ms${rest}`;
    } else {
      const first = firstErrorOf(error);
      answer.code = codeOf(first);
      answer.problem = HTTP_MEANINGS[answer.code] ?? messageOf(first);
    }
  }
  answer.ms = performance.now() - begun;
  answer.body = Buffer.concat(chunks).toString();
  return answer;
}

/** The document of an answer, or why it has none. */
type ParsedAnswer = {
  document: unknown;
  problem: string | null;
};

const refuse = (problem: string): ParsedAnswer => ({ document: null, problem });

/** What a body is that is not JSON. */
function describeBody({ headers, body }: HttpAnswer): string {
  const type = headers["content-type"] ?? "no content type";
  const about = `(${type}, ${body.length} characters)`;
  if (body === "") return `empty ${about}`;
  return `${/^\s*</.test(body) ? "HTML" : "not JSON"} ${about}`;
}

/** Judges nothing but the form: 200 and JSON. */
export function parseAnswer(answer: HttpAnswer): ParsedAnswer {
  const { status, headers, body, problem } = answer;
  if (problem) return refuse(problem);
  if (String(status).startsWith("3")) {
    const location = headers.location ?? "nowhere";
    return refuse(`HTTP ${status} to ${location}; redirects are not followed`);
  }
  if (status !== 200) return refuse(`HTTP ${status}`);
  const encoding = headers["content-encoding"];
  if (encoding) return refuse(`the body is encoded (${encoding}), which was not asked for`);
  try {
    // A byte order mark is no part of the document.
    const document: unknown = JSON.parse(body.replace(/^\ufeff/, ""));
    return { document, problem: null };
  } catch {
    return refuse(`HTTP 200, but the body is ${describeBody(answer)}`);
  }
}

/** The value at one step of a JSON pointer. Only a document's own keys count. */
function childAt(value: unknown, step: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
  if (!Object.hasOwn(value, key)) return undefined;
  // An array's `length` is its own, but nothing of the document's.
  if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** The value at a JSON pointer (RFC 6901), or undefined. */
export function valueAt(document: unknown, pointer: string): unknown {
  return pointer.split("/").slice(1).reduce(childAt, document);
}

/** The first value that one of the pointers leads to, or undefined. */
export const firstAt = (document: unknown, pointers: readonly string[]): unknown =>
  pointers.map((pointer) => valueAt(document, pointer)).find((value) => value !== undefined);

// SQLite's CURRENT_TIMESTAMP.
const SQLITE_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/;
/**
 * Epoch milliseconds of a timestamp as bots write it: epoch seconds, epoch milliseconds, or ISO
 * 8601. Null for what is none of these.
 */
export function parseInstant(value: unknown): number | null {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) {
    // As seconds, this would be the year 5138.
    return value > 1e11 ? value : value * 1000;
  }
  if (typeof value !== "string") return null;
  if (/^\d+(\.\d+)?$/.test(value)) return parseInstant(Number(value));
  // V8 makes a date of any text with a number in it.
  if (!/^\d{4}-\d\d-\d\d/.test(value)) return null;
  // SQLite's times have no zone and are UTC.
  const at = Date.parse(SQLITE_TIME.test(value) ? `${value.replace(" ", "T")}Z` : value);
  return Number.isNaN(at) ? null : at;
}

/** The object that a text is in JSON; null for everything else. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  const value: unknown = orNull(() => JSON.parse(text));
  return typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown> | null)
    : null;
}

// Prometheus takes milliseconds for a day of samples, a remote store behind it seconds.
const SOURCE_MS_MAX = 10_000;
const SOURCE_PROBLEM_LENGTH_MAX = 400;

/** What the body of a refusal says: Prometheus has an object there, Alertmanager a text. */
function readRefusal(body: string): string | null {
  const document = orNull(() => JSON.parse(body) as unknown);
  const says = valueAt(document, "/error") ?? document;
  return typeof says === "string" ? says : null;
}

/**
 * One GET below a base URL, which may have a path of its own. The health endpoint's headers are not
 * for others. `query` is in order, because a name may come twice.
 */
export async function readApi(
  base: string,
  api: string,
  query: readonly [name: string, value: string][],
): Promise<ParsedAnswer> {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/*$/, api);
  for (const [name, value] of query) url.searchParams.append(name, value);
  const answer = await readHttp({ url: url.href }, SOURCE_MS_MAX);
  const { document, problem } = parseAnswer(answer);
  if (problem === null) return { document, problem };
  // What is wrong with a question stands in the body of its refusal.
  const refusal = readRefusal(answer.body);
  const says = refusal === null ? problem : `${problem}: ${refusal}`;
  return { document, problem: cutText(says, SOURCE_PROBLEM_LENGTH_MAX) };
}
