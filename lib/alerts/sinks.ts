/**
 * Brings a message to its receivers: webhooks, a command, a dead-man ping. What it could not bring,
 * it says.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HTTP_MEANINGS } from "../advice.ts";
import { attempt, codeOf, messageOf, observe, orNull, orRefuse, UserError } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile } from "../files.ts";
import { isHttpUrl } from "../http.ts";
import { maskOf } from "../masking.ts";
import { cutText } from "../text.ts";
import { EXIT, type SinkKind } from "../vocabulary.ts";
import type { Delivery, Message, Sent } from "./situation.ts";

/** Discord takes 2000 characters, with what is put around the text; ntfy 4096 bytes. */
export const [TITLE_LENGTH_MAX, LINE_LENGTH_MAX, LINES_MAX, TEXT_BYTES_MAX] = [150, 300, 100, 1600];
export type Mask = (text: string) => string;

type Payload = { headers?: Record<string, string>; body?: string };
const asJson = (value: unknown): Payload => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
const asBlock = (text: string): string => `\`\`\`\n${text.replaceAll("```", "'''")}\n\`\`\``;
const asEntities = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
/** RFC 2047, for what is not ASCII. */
const asHeader = (text: string): string =>
  /^[ -~]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=`;
const LOUD = { priority: "high", tags: "rotating_light" };
const CALM = { priority: "default", tags: "white_check_mark" };
/**
 * What each kind of webhook takes; `json` takes the message as it is. Log lines in the text must
 * not call anybody, nor be formatted.
 */
export const PAYLOADS: Readonly<
  Record<Exclude<SinkKind, "command">, (message: Message) => Payload>
> = {
  discord: ({ title, text }) =>
    asJson({
      content: `**${title.replace(/[*_`~|\\]/g, "\\$&")}**\n${asBlock(text)}`,
      allowed_mentions: { parse: [] },
    }),
  slack: ({ title, text }) => asJson({ text: asEntities(`${title}\n${asBlock(text)}`) }),
  ntfy: ({ title, text, ok }) => ({
    headers: { title: asHeader(title), ...(ok ? CALM : LOUD) },
    body: text,
  }),
  json: asJson,
};
const sent = (tries: number, problem: string | null): Sent => ({
  ok: problem === null,
  tries,
  problem,
});

// Within 1 + 3 + 9 + 27 s, a receiver has restarted.
const PACE = { triesMax: 5, timeoutMs: 10_000, backoffMs: 1000, retryAfterSecondsMax: 30 };
/**
 * One POST, or GET without a body, tried again where that may help; redirects are not followed. It
 * never rejects.
 */
export async function send(
  url: URL,
  { headers, body }: Payload,
  { triesMax, timeoutMs, backoffMs, retryAfterSecondsMax } = PACE,
): Promise<Sent> {
  const { request } = await import("undici");
  const encoded = `${url.username}:${url.password}`;
  const account = Buffer.from(orNull(() => decodeURIComponent(encoded)) ?? encoded).toString(
    "base64",
  );
  const all = { ...(encoded === ":" ? {} : { authorization: `Basic ${account}` }), ...headers };
  const options = {
    method: body === undefined ? "GET" : "POST",
    body,
    reset: true,
    headers: all,
  } as const;
  for (let tries = 1; ; tries++) {
    let [problem, waitMs] = ["", backoffMs * 3 ** (tries - 1)];
    try {
      const answer = await request(url.origin + url.pathname + url.search, {
        ...options,
        signal: AbortSignal.timeout(timeoutMs),
      });
      // The status decides: a body that does not end must not make a message go out twice.
      await answer.body.dump().catch(() => {});
      problem = `HTTP ${answer.statusCode}`;
      if (/^2/.test(String(answer.statusCode))) return sent(tries, null);
      if (answer.statusCode < 500 && answer.statusCode !== 429) return sent(tries, problem);
      waitMs = Math.max(
        waitMs,
        Math.min(Number(answer.headers["retry-after"]) || 0, retryAfterSecondsMax) * 1000,
      );
    } catch (error) {
      problem = HTTP_MEANINGS[codeOf(error)] ?? messageOf(error);
    }
    if (tries === triesMax) return sent(tries, problem);
    await sleep(waitMs);
  }
}

const PAGE_MS_MAX = 30_000;
/** The site's own command is run once: nobody knows how far a failed one came. */
async function page(argv: readonly string[], { title, text }: Message): Promise<Sent> {
  const variables = {
    CREDENTIALS_DIRECTORY: process.env.CREDENTIALS_DIRECTORY,
    CYTUBE_VERIFY_TITLE: title,
  };
  const ran = await observe(() =>
    readCommand(argv, PAGE_MS_MAX, undefined, { text: `${text}\n`, variables }),
  );
  if (!ran.seen) return sent(1, ran.why);
  return sent(
    1,
    ran.value.code
      ? `${argv[0]} exited ${ran.value.code}: ${cutText(ran.value.stderr, LINE_LENGTH_MAX)}`
      : null,
  );
}

function readSecretUrl(name: string): URL {
  const { CREDENTIALS_DIRECTORY: directory, [name]: fromEnvironment = "" } = process.env;
  const file = directory && path.join(directory, name);
  const text =
    file && fs.existsSync(file)
      ? orRefuse(`Cannot read "${file}"`, () => readSmallFile(file, 65_536))
      : fromEnvironment;
  const places = `${file ? `"${file}"` : "$CREDENTIALS_DIRECTORY, which systemd's LoadCredential= sets,"} nor in the environment variable "${name}"`;
  if (!text.trim())
    throw new UserError(EXIT.config, `There is no URL for urlFrom: ${name}, neither in ${places}`);
  if (!isHttpUrl(text.trim()))
    throw new UserError(
      EXIT.config,
      `What stands there for urlFrom: ${name} is not an http:// or https:// URL`,
    );
  return new URL(text.trim());
}

export async function sendPing(url: URL, ping: string): Promise<Delivery> {
  const [suffix = "", query = ""] = ping.split("?");
  const to = new URL(url);
  to.pathname = to.pathname.replace(/\/$/, "") + suffix;
  to.search += `${to.search ? "&" : ""}${query}`;
  return { kind: "ping", ping, ...(await send(to, {})) };
}

/**
 * The receivers. What a person has to mend is said at every run and ends with 78, but those that
 * can be told are told.
 */
export function openReceivers({ alert = {}, secrets: known, file }: Config) {
  const open = (name: string | undefined) =>
    name === undefined ? null : attempt(() => readSecretUrl(name), messageOf);
  const sinks = (alert.sinks ?? []).map(({ kind, command = [], urlFrom }) => ({
    kind,
    command,
    url: open(urlFrom),
  }));
  const ping = open(alert.ping?.urlFrom);
  const opened = [...sinks.map(({ url }) => url), ping];
  const unread = opened.filter((url) => typeof url === "string");
  const urls = opened.filter((url) => url instanceof URL);
  const secrets = urls.flatMap((url) => [
    url.password,
    ...[url.href, url.pathname, url.search].filter((part) => part.length > 8),
  ]);
  const problems = [
    ...(sinks.length ? [] : [`Nobody is told: ${file} has no alert.sinks`]),
    ...unread,
  ];
  const exit = unread.length ? EXIT.config : EXIT.passed;
  return {
    sinks,
    ping: ping instanceof URL ? ping : null,
    mask: maskOf([...known, ...secrets]),
    problems,
    exit,
  };
}

type Receivers = ReturnType<typeof openReceivers>;
export async function deliver(
  { kind, command, url }: Receivers["sinks"][number],
  message: Message,
): Promise<Delivery> {
  if (kind === "command") return { kind, ...(await page(command, message)) };
  return {
    kind,
    ...(url instanceof URL
      ? await send(url, PAYLOADS[kind](message))
      : sent(0, "its URL is missing")),
  };
}
