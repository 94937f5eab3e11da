/**
 * One run of cytube-alert@: looks at the log and the units, brings what is due to the sinks, and
 * looks again. What is due is judged in situation.ts, and brought by sinks.ts.
 */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { messageOf, observe, orNull, Unobservable } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile, writeAtomically } from "../files.ts";
import {
  type Entry,
  headOf,
  readRecords,
  renderDocument,
  renderJson,
  writeRecord,
} from "../log.ts";
import { maskDeep } from "../masking.ts";
import { writeStream } from "../outputs/narrator.ts";
import { parseUnit, type UnitProperties } from "../probes/unit.ts";
import { IS_INSTALLED, RUN_AS } from "../shipped.ts";
import { cutText, isoOf, plural, printable } from "../text.ts";
import { EXIT } from "../vocabulary.ts";
import {
  deliver,
  LINE_LENGTH_MAX,
  LINES_MAX,
  type Mask,
  openReceivers,
  type Receivers,
  sendPing,
  TEXT_BYTES_MAX,
  TITLE_LENGTH_MAX,
} from "./sinks.ts";
import {
  type AlertState,
  type Change,
  type Delivery,
  judgeAlert,
  KIND_NAMES,
  type Message,
  pingsOf,
  rememberDeliveries,
  type Situation,
  situationOf,
} from "./situation.ts";

// --- What is seen --------------------------------------------------------------------------------

const UNIT_PROPERTIES =
  "Id,ActiveState,Result,InvocationID,ExecMainStatus,InactiveEnterTimestampMonotonic";

/**
 * What systemd says of the units whose runs are told of, each with the `kind` of its records and
 * when it ended: `ts`, ISO 8601. `Unobservable` where systemd does not answer.
 */
async function readUnitEnds(env: string): Promise<UnitProperties[]> {
  const units = Object.keys(KIND_NAMES).map((kind) => `cytube-${kind}@${env}.service`);
  const argv = ["systemctl", "show", `--property=${UNIT_PROPERTIES}`, "--", ...units];
  const { code, stdout, stderr } = await readCommand(argv, 5000);
  if (code !== 0) throw new Unobservable(`systemctl exited ${code} (${stderr})`);
  const bootedAt = Date.now() - Number(process.hrtime.bigint() / 1_000_000n);
  return stdout.split("\n\n").map((text) => {
    const unit = parseUnit(text);
    const endedAt = Number(unit.InactiveEnterTimestampMonotonic ?? 0) / 1000;
    const kind = String(unit.Id).replace(/^cytube-|@.*/g, "");
    return { ...unit, ts: isoOf(bootedAt + endedAt), kind };
  });
}

/** The records that alerts are about: those of an environment's runs, and its checkpoints. */
function readAlertRecords({ name, logFile }: Config): Entry[] {
  const kinds = [...Object.keys(KIND_NAMES), "checkpoint"];
  const { records } = readRecords(logFile);
  return records.filter(({ env, kind }) => env === name && kinds.includes(String(kind)));
}

/** What was remembered of the last run; null where there is none, or of another version. */
function readAlertState({ state }: Config): AlertState | null {
  const saved = orNull(() => JSON.parse(readSmallFile(state.alert, 1 << 20)) as AlertState);
  return saved?.v === 1 ? saved : null;
}

// --- The message ---------------------------------------------------------------------------------

/** Commands for whoever reads a message; only units that are there have a journal. */
function waysToLookFurther(env: string, botUnit: string | undefined): string[] {
  const units = IS_INSTALLED ? [`'cytube-*@${env}.service'`] : [];
  if (botUnit) units.push(botUnit);
  const status = `  ${RUN_AS} status --env ${env}`;
  if (units.length === 0) return [status];
  return [status, `  journalctl -n 50 ${units.map((unit) => `-u ${unit}`).join(" ")}`];
}

/** What happened beside that which a message is about, and nobody was told of. */
function renderMissed({ missed, news }: AlertState, told: Situation): string[] {
  const since = "since the last message: ";
  const lines: string[] = [];
  for (const [key, title] of Object.entries(missed)) {
    if (key !== told.key) lines.push(since + title);
  }
  if (news && news !== told) lines.push(since + news.title, ...news.text);
  return lines;
}

const cleanLine = (line: string): string => cutText(printable(line), LINE_LENGTH_MAX);

/** As many lines as a receiver takes, then the end; an ellipsis stands for those left out. */
function fitText(lines: readonly string[], end: readonly string[]): string {
  const firstLines = (count: number): string => {
    const ellipsis = count < lines.length ? ["…"] : [];
    return [...lines.slice(0, count), ...ellipsis, ...end].join("\n");
  };
  let count = lines.length;
  while (count > 0 && Buffer.byteLength(firstLines(count)) > TEXT_BYTES_MAX) count--;
  return firstLines(count);
}

/**
 * The message on a change: on the news where a decision is due, or else on the situation, which is
 * there. The last lines say how to look further, so what does not fit is left out before them.
 */
export function renderAlert(
  state: AlertState,
  change: Change,
  { config, mask }: { config: Config; mask: Mask },
): Message {
  const isNews = change === "decided";
  const told = (isNews ? state.news : state.situation) as Situation;
  const { name: env, process: bot } = config;
  const whole = mask([...renderMissed(state, told), ...told.text].join("\n"));
  const end = ["", "Look further:", ...waysToLookFurther(env, bot.unit)];
  const lead = isNews || change === "changed" ? "" : `${change}: `;
  const title = printable(mask(`${env} on ${hostname()}: ${lead}${told.title}`));
  return {
    title: cutText(title, TITLE_LENGTH_MAX),
    text: fitText(whole.split("\n", LINES_MAX).map(cleanLine), end.map(cleanLine)),
    key: mask(told.key),
    ok: told.ok,
    change,
    env,
    host: hostname(),
  };
}

// --- A run ---------------------------------------------------------------------------------------

/** What one look has found. */
type Look = {
  state: AlertState;
  /** Null where none is due. */
  message: Message | null;
  /** The pings that are due. */
  pings: string[];
  /** Why the units could not be seen; null where they were. */
  unseen: string | null;
};

/** A bad state that lasts is told four times a day, unless the config says otherwise. */
const REPEAT_HOURS = 6;

/**
 * One look at the log and the units: what is known then, and the message and the pings that are
 * due.
 */
async function lookAround(config: Config, previous: AlertState | null, mask: Mask): Promise<Look> {
  const { sinks = [], ping, repeatHours = REPEAT_HOURS } = config.alert ?? {};
  const records = readAlertRecords(config);
  const ends = await observe(() => readUnitEnds(config.name));
  const units = ends.seen ? ends.value : [];
  const state = situationOf(records, units, previous);
  const change = judgeAlert({ previous, state, now: Date.now(), repeatHours });
  const isDue = sinks.length > 0 && change !== null;
  const duePings = ping ? pingsOf(records, units) : [];
  return {
    state,
    message: isDue ? renderAlert(state, change, { config, mask }) : null,
    pings: duePings.filter((due) => !state.pinged.includes(due)),
    unseen: ends.seen ? null : `The units could not be seen, only the log: ${ends.why}`,
  };
}

/** Brings everything that is due to everybody at once; those of the message come first. */
function deliverAll({ sinks, ping }: Receivers, { message, pings }: Look): Promise<Delivery[]> {
  const messages = message ? sinks.map((sink) => deliver(sink, message)) : [];
  const sentPings = ping ? pings.map((due) => sendPing(ping, due)) : [];
  return Promise.all([...messages, ...sentPings]);
}

/** Whether a ping did not arrive, or a message reached none of the sinks. */
function isLost(message: Message | null, deliveries: readonly Delivery[]): boolean {
  const isPingLost = deliveries.some(({ ok, ping }) => !ok && ping);
  const isReached = deliveries.some(({ ok, ping }) => ok && !ping);
  return isPingLost || (message !== null && !isReached);
}

/** The record of a round of deliveries in the log. */
function recordRound(
  config: Config,
  message: Message | null,
  { deliveries, exit }: { deliveries: readonly Delivery[]; exit: number },
): Entry {
  return {
    ...headOf("alert", config.name, randomUUID(), Date.now()),
    title: message?.title ?? null,
    key: message?.key ?? null,
    sinks: deliveries,
    exit,
  };
}

/** After so many looks the next trigger goes on. */
const ALERT_ROUNDS_MAX = 5;
/**
 * Brings what is due to the sinks, then looks again, because a trigger that comes meanwhile starts
 * nothing. A dry run prints the message instead, and writes nothing. Returns the exit code.
 */
export async function runAlert(config: Config, isDry = false): Promise<number> {
  const receivers = openReceivers(config);
  const { sinks, ping, mask, problems } = receivers;
  const narrate = (line: string): Promise<boolean> =>
    writeStream(process.stderr, `${printable(mask(line))}\n`);
  for (const problem of problems) await narrate(problem);
  if (sinks.length === 0 && ping === null) return receivers.exit;
  let { exit } = receivers;
  let state = readAlertState(config);
  for (let round = 0; round < ALERT_ROUNDS_MAX; round++) {
    const look = await lookAround(config, state, mask);
    const { message, unseen } = look;
    if (unseen && round === 0) await narrate(unseen);
    if (isDry) {
      const due = message ? `${message.title}\n${message.text}\n` : "No message is due.\n";
      await writeStream(process.stdout, due);
      return exit;
    }
    const deliveries = await deliverAll(receivers, look);
    state = rememberDeliveries(look.state, { message, deliveries, now: Date.now() });
    const hasLoss = isLost(message, deliveries);
    if (hasLoss) exit ||= EXIT.undelivered;
    for (const { kind, ok, tries, problem } of deliveries) {
      if (!ok) await narrate(`${kind} was not told: ${problem} (tried ${plural(tries, "time")})`);
    }
    try {
      writeAtomically(config.state.alert, renderDocument(state));
      const record = recordRound(config, message, { deliveries, exit });
      if (message || hasLoss) writeRecord(config.logFile, renderJson(maskDeep(record, mask), 0));
    } catch (error) {
      const blocked = "What was told could not be written down, so it may be told again";
      await narrate(`${blocked}: ${messageOf(error)}`);
      exit ||= EXIT.logNotWritten;
    }
    if (hasLoss || deliveries.length === 0) break;
  }
  return exit;
}
