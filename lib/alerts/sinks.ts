/**
 * Brings a message to its receivers: webhooks, a command, a dead-man ping. A delivery never throws:
 * what could not be brought is returned with the reason, and run.ts says it. What is due, and for
 * whom, stands in situation.ts.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HTTP_MEANINGS } from "../advice.ts";
import { codeOf, messageOf, observe, orNull } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile } from "../files.ts";
import { isHttpUrl } from "../http.ts";
import { maskOf } from "../masking.ts";
import { cutText } from "../text.ts";
import { EXIT, type SinkKind } from "../vocabulary.ts";
import type { Delivery, Message, Sent } from "./situation.ts";

/** Characters of a title, which most receivers show in one line. */
export const TITLE_LENGTH_MAX = 150;
/** Characters of a line of the text; a line of a log may be longer than any screen. */
export const LINE_LENGTH_MAX = 300;
export const LINES_MAX = 100;
/** Discord takes 2000 characters, with what is put around the text; ntfy 4096 bytes. */
export const TEXT_BYTES_MAX = 1600;

/** Makes secrets in a text unreadable. */
export type Mask = (text: string) => string;

// --- Webhooks ------------------------------------------------------------------------------------

/** What a request carries; without a body it is a GET. */
type Payload = {
  headers?: Record<string, string>;
  body?: string;
};

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

type WebhookKind = Exclude<SinkKind, "command">;
/**
 * What each kind of webhook takes; `json` takes the message as it is. Log lines in the text must
 * not call anybody, nor be formatted.
 */
export const PAYLOADS: Readonly<Record<WebhookKind, (message: Message) => Payload>> = {
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

/** How often, and how patiently, a receiver is asked. */
type Pace = {
  triesMax: number;
  /** For one try. */
  timeoutMs: number;
  /** Before the second try; three times as long before each further one. */
  backoffMs: number;
  /** The longest wait that a receiver may ask for. */
  retryAfterSecondsMax: number;
};
// Within 1 + 3 + 9 + 27 s, a receiver has restarted.
const PACE: Pace = {
  triesMax: 5,
  timeoutMs: 10_000,
  backoffMs: 1000,
  retryAfterSecondsMax: 30,
};

/** What one try has come to; `problem` is null where the receiver took it. */
type Try = {
  problem: string | null;
  mayHelpAgain: boolean;
  /** What the receiver asks to wait before the next try; 0 where it asks for nothing. */
  retryAfterSeconds: number;
};

/** The header that carries the user and the password of a URL; no header where it has none. */
function authorizationOf({ username, password }: URL): Record<string, string> {
  const encoded = `${username}:${password}`;
  if (encoded === ":") return {};
  const account = orNull(() => decodeURIComponent(encoded)) ?? encoded;
  return { authorization: `Basic ${Buffer.from(account).toString("base64")}` };
}

/** One POST, or GET without a body. */
async function tryOnce(url: URL, { headers, body }: Payload, timeoutMs: number): Promise<Try> {
  const { request } = await import("undici");
  try {
    const answer = await request(url.origin + url.pathname + url.search, {
      method: body === undefined ? "GET" : "POST",
      body,
      reset: true,
      headers: { ...authorizationOf(url), ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    // The status decides: a body that does not end must not make a message go out twice.
    await answer.body.dump().catch(() => {});
    const { statusCode } = answer;
    const isTaken = statusCode >= 200 && statusCode < 300;
    return {
      problem: isTaken ? null : `HTTP ${statusCode}`,
      mayHelpAgain: statusCode >= 500 || statusCode === 429,
      retryAfterSeconds: Number(answer.headers["retry-after"]) || 0,
    };
  } catch (error) {
    const problem = HTTP_MEANINGS[codeOf(error)] ?? messageOf(error);
    return { problem, mayHelpAgain: true, retryAfterSeconds: 0 };
  }
}

/**
 * One POST, or GET without a body, tried again where that may help; redirects are not followed.
 * The user and the password of the URL go into a header. It never rejects.
 */
export async function requestReceiver(
  url: URL,
  payload: Payload,
  { triesMax, timeoutMs, backoffMs, retryAfterSecondsMax }: Pace = PACE,
): Promise<Sent> {
  for (let tries = 1; ; tries++) {
    const { problem, mayHelpAgain, retryAfterSeconds } = await tryOnce(url, payload, timeoutMs);
    if (problem === null || !mayHelpAgain || tries === triesMax) {
      return { ok: problem === null, tries, problem };
    }
    const askedMs = Math.min(retryAfterSeconds, retryAfterSecondsMax) * 1000;
    await sleep(Math.max(backoffMs * 3 ** (tries - 1), askedMs));
  }
}

// --- Commands ------------------------------------------------------------------------------------

const COMMAND_MS_MAX = 30_000;

/** Why the site's own command did not take a message, or null. */
async function runCommand(argv: readonly string[], message: Message): Promise<string | null> {
  const variables = {
    CREDENTIALS_DIRECTORY: process.env.CREDENTIALS_DIRECTORY,
    CYTUBE_VERIFY_TITLE: message.title,
  };
  const letter = { text: `${message.text}\n`, variables };
  const ran = await observe(() => readCommand(argv, COMMAND_MS_MAX, { letter }));
  if (!ran.seen) return ran.why;
  const { code, stderr } = ran.value;
  return code === 0 ? null : `${argv[0]} exited ${code}: ${cutText(stderr, LINE_LENGTH_MAX)}`;
}

/** The site's own command is run once: nobody knows how far a failed one came. */
async function runCommandSink(argv: readonly string[], message: Message): Promise<Sent> {
  const problem = await runCommand(argv, message);
  return { ok: problem === null, tries: 1, problem };
}

// --- Receivers -----------------------------------------------------------------------------------

/** A URL that is kept out of the config, or what a person has to mend before there is one. */
type SecretUrl = { url: URL; problem: null } | { url: null; problem: string };

const mendUrl = (problem: string): SecretUrl => ({ url: null, problem });

/** A URL by its name: a file of that name among systemd's credentials, or a variable. */
function readSecretUrl(name: string): SecretUrl {
  const directory = process.env.CREDENTIALS_DIRECTORY;
  const file = directory && path.join(directory, name);
  let text = process.env[name] ?? "";
  if (file && fs.existsSync(file)) {
    try {
      text = readSmallFile(file, 65_536);
    } catch (error) {
      return mendUrl(`Cannot read "${file}": ${messageOf(error)}`);
    }
  }
  text = text.trim();
  if (text === "") {
    const unset = "$CREDENTIALS_DIRECTORY, which systemd's LoadCredential= sets,";
    const places = `${file ? `"${file}"` : unset} nor in the environment variable "${name}"`;
    return mendUrl(`There is no URL for urlFrom: ${name}, neither in ${places}`);
  }
  if (!isHttpUrl(text)) {
    const stands = `What stands there for urlFrom: ${name}`;
    return mendUrl(`${stands} is not an http:// or https:// URL`);
  }
  return { url: new URL(text), problem: null };
}

/** Who is told. `url` is null for a command, and where it could not be read. */
export type Sink = {
  kind: SinkKind;
  /** Empty but for a command. */
  command: readonly string[];
  url: URL | null;
};

export type Receivers = {
  sinks: Sink[];
  /** Where the dead-man pings go; null where there are none. */
  ping: URL | null;
  /** For all that is sent or said: the URLs of the receivers are secrets too. */
  mask: Mask;
  /** What a person has to mend, in sentences. */
  problems: string[];
  /** 78 where a URL could not be read, or else 0. */
  exit: number;
};

/** What of a receiver's URL must not be shown; a short path, such as "/", is no secret. */
function secretsOf(url: URL): string[] {
  const parts = [url.href, url.pathname, url.search].filter((part) => part.length > 8);
  return [url.password, ...parts];
}

/**
 * The receivers. What a person has to mend is said at every run and ends with 78, but those that
 * can be told are told.
 */
export function openReceivers({ alert = {}, secrets, file }: Config): Receivers {
  const urls: URL[] = [];
  const unread: string[] = [];
  const openUrl = (name: string | undefined): URL | null => {
    if (name === undefined) return null;
    const { url, problem } = readSecretUrl(name);
    if (url) urls.push(url);
    else unread.push(problem);
    return url;
  };
  const sinks = (alert.sinks ?? []).map(({ kind, command = [], urlFrom }) => ({
    kind,
    command,
    url: openUrl(urlFrom),
  }));
  const ping = openUrl(alert.ping?.urlFrom);
  const nobody = sinks.length === 0 ? [`Nobody is told: ${file} has no alert.sinks`] : [];
  return {
    sinks,
    ping,
    mask: maskOf([...secrets, ...urls.flatMap(secretsOf)]),
    problems: [...nobody, ...unread],
    exit: unread.length > 0 ? EXIT.config : EXIT.passed,
  };
}

/** Brings a message to one sink. It never rejects. */
export async function deliver({ kind, command, url }: Sink, message: Message): Promise<Delivery> {
  if (kind === "command") return { kind, ...(await runCommandSink(command, message)) };
  if (url === null) return { kind, ok: false, tries: 0, problem: "its URL is missing" };
  return { kind, ...(await requestReceiver(url, PAYLOADS[kind](message))) };
}

/**
 * Sends a dead-man ping; `ping` is what comes behind the URL's path, such as `/fail?rid=…`. It
 * never rejects.
 */
export async function sendPing(url: URL, ping: string): Promise<Delivery> {
  const [suffix = "", query = ""] = ping.split("?");
  const to = new URL(url);
  to.pathname = to.pathname.replace(/\/$/, "") + suffix;
  to.search += `${to.search ? "&" : ""}${query}`;
  return { kind: "ping", ping, ...(await requestReceiver(to, {})) };
}
