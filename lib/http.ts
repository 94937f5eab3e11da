/**
 * One bounded GET by node:http, and what is taken out of its answer by JSON pointers. Nothing is
 * sent, and no redirect is followed.
 */

import { once } from "node:events";
import { HTTP_MEANINGS } from "./advice.ts";
import { codeOf, messageOf, orNull } from "./attempt.ts";
import { cutText } from "./text.ts";
import { VERSION } from "./vocabulary.ts";

export const RESPONSE_BYTES_MAX = 1 << 20; // A response is read up to here and no further.
/**
 * One answer of an HTTP endpoint. `problem` is null when a whole response came; `ms` is the time
 * from before the connection to the last byte.
 */
export type HttpAnswer = {
  ms: number;
  status: number | null;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
  problem: string | null;
};
export const isHttpUrl = (source: string): boolean =>
  URL.canParse(source) && /^https?:$/.test(new URL(source).protocol);
export type HttpTarget = { url: string; socket?: string; headers?: Record<string, string> };
/** Loaded late, for a config without an endpoint needs neither. */
export const loadHttp = (url: URL): Promise<typeof import("node:http")> =>
  url.protocol === "https:"
    ? (import("node:https") as unknown as Promise<typeof import("node:http")>)
    : import("node:http");
/**
 * One GET; redirects are not followed, and it never rejects. Node's own client: compiling undici's
 * WebAssembly costs twice what bare Node does.
 */
export async function readHttp(
  target: HttpTarget,
  timeoutMs: number,
  agent: import("node:http").Agent | false = false,
): Promise<HttpAnswer> {
  const url = new URL(target.url);
  const own = {
    accept: "application/json",
    "user-agent": `cytube-verify/${VERSION}`,
    connection: agent ? "keep-alive" : "close",
  };
  const answer: HttpAnswer = { ms: 0, status: null, headers: {}, body: "", problem: null };
  const chunks: Buffer[] = [];
  let bytes = 0;
  const begun = performance.now();
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const where = {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port,
      path: url.pathname + url.search,
      socketPath: target.socket,
    };
    const auth = orNull(() => decodeURIComponent(`${url.username}:${url.password}`))?.replace(
      /^:$/,
      "",
    );
    const { get } = await loadHttp(url);
    const request = get({
      ...where,
      auth,
      agent,
      headers: { ...own, ...target.headers },
      maxHeaderSize: 16_384,
      signal,
    });
    // An upgrade (101) has no response and no error; an error after the headers is the response's
    // to report.
    request.on("error", () => {});
    const [response] = (await once(request, "response", { signal })) as [
      import("node:http").IncomingMessage,
    ];
    answer.status = response.statusCode ?? null;
    answer.headers = response.headers;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > RESPONSE_BYTES_MAX)
        throw new Error(`the response is larger than ${RESPONSE_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    const inner = (error as { errors?: Error[] }).errors?.[0] ?? error;
    const came = bytes ? ` (${bytes} bytes came)` : answer.status ? " (only headers came)" : "";
    answer.problem = signal.aborted
      ? `no whole response within ${timeoutMs} ms${came}`
      : (HTTP_MEANINGS[codeOf(inner)] ?? messageOf(inner));
  }
  return { ...answer, ms: performance.now() - begun, body: Buffer.concat(chunks).toString() };
}

/** Judges nothing but the form: 200 and JSON. */
export function parseAnswer({ status, headers, body, problem }: HttpAnswer): {
  document: unknown;
  problem: string | null;
} {
  const refuse = (why: string) => ({ document: null, problem: why });
  if (problem) return refuse(problem);
  if (String(status).startsWith("3"))
    return refuse(`HTTP ${status} to ${headers.location ?? "nowhere"}; redirects are not followed`);
  if (status !== 200) return refuse(`HTTP ${status}`);
  if (headers["content-encoding"])
    return refuse(`the body is encoded (${headers["content-encoding"]}), which was not asked for`);
  const json = orNull(() => ({
    document: JSON.parse(body.replace(/^\ufeff/, "")) as unknown,
    problem: null,
  }));
  const kind = /^\s*</.test(body) ? "HTML" : body ? "not JSON" : "empty";
  return (
    json ??
    refuse(
      `HTTP 200, but the body is ${kind} (${headers["content-type"] ?? "no content type"}, ${body.length} characters)`,
    )
  );
}

/** The value at a JSON pointer (RFC 6901), or undefined. Only a document's own keys count. */
export function valueAt(document: unknown, pointer: string): unknown {
  const inside = (value: unknown, token: string): unknown => {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    const isKey =
      typeof value === "object" &&
      value !== null &&
      Object.hasOwn(value, key) &&
      (!Array.isArray(value) || /^(0|[1-9]\d*)$/.test(key));
    return isKey ? (value as Record<string, unknown>)[key] : undefined;
  };
  return pointer.split("/").slice(1).reduce(inside, document);
}

export const firstAt = (document: unknown, pointers: string[]) =>
  pointers.map((pointer) => valueAt(document, pointer)).find((value) => value !== undefined);

/**
 * Epoch milliseconds of a timestamp as bots write it: epoch seconds, epoch milliseconds, or ISO
 * 8601.
 */
export function parseInstant(value: unknown): number | null {
  if (typeof value === "number" && Number.isFinite(value) && value > 0)
    return value > 1e11 ? value : value * 1000;
  if (typeof value !== "string") return null;
  if (/^\d+(\.\d+)?$/.test(value)) return parseInstant(Number(value));
  // V8 makes a date of any text with a number in it.
  if (!/^\d{4}-\d\d-\d\d/.test(value)) return null;
  // SQLite's CURRENT_TIMESTAMP has no zone and is UTC.
  const at = Date.parse(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(value) ? `${value.replace(" ", "T")}Z` : value,
  );
  return Number.isNaN(at) ? null : at;
}

export function parseJsonObject(text: string): Record<string, unknown> | null {
  const value: unknown = orNull(() => JSON.parse(text));
  return typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown> | null)
    : null;
}

// For one answer: Prometheus takes milliseconds for a day of samples, a remote store behind it
// seconds.
const SOURCE_MS_MAX = 10_000;
/**
 * One GET below a base URL, which may have a path of its own. The health endpoint's headers are not
 * for others.
 */
export async function readApi(base: string, api: string, query: [name: string, value: string][]) {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/*$/, api);
  for (const [name, value] of query) url.searchParams.append(name, value);
  const answer = await readHttp({ url: url.href }, SOURCE_MS_MAX);
  const { document, problem } = parseAnswer(answer);
  // What is wrong with a question stands in the body of its refusal: Prometheus has an object
  // there, Alertmanager a text.
  const body = problem === null ? null : orNull(() => JSON.parse(answer.body) as unknown);
  const said = [problem, valueAt(body, "/error") ?? body].filter(
    (text) => typeof text === "string",
  );
  return { document, problem: problem && cutText(said.join(": "), 400) };
}
