/** One run of cytube-alert@: looks at the log and the units, tells what is due, and looks again. */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { observe, orMessage, orNull, Unobservable } from "../attempt.ts";
import { readCommand } from "../command.ts";
import type { Config } from "../config.ts";
import { readSmallFile, writeAtomically } from "../files.ts";
import { headOf, readRecords, renderDocument, renderJson, writeRecord } from "../log.ts";
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
  sendPing,
  TEXT_BYTES_MAX,
  TITLE_LENGTH_MAX,
} from "./sinks.ts";
import {
  type AlertState,
  judgeAlert,
  KIND_NAMES,
  type Message,
  pingsOf,
  remember,
  type Situation,
  situationOf,
} from "./situation.ts";

async function readUnitEnds(env: string): Promise<UnitProperties[]> {
  const properties =
    "--property=Id,ActiveState,Result,InvocationID,ExecMainStatus,InactiveEnterTimestampMonotonic";
  const units = Object.keys(KIND_NAMES).map((kind) => `cytube-${kind}@${env}.service`);
  const { code, stdout, stderr } = await readCommand(
    ["systemctl", "show", properties, "--", ...units],
    5000,
  );
  if (code !== 0) throw new Unobservable(`systemctl exited ${code} (${stderr})`);
  const bootedAt = Date.now() - Number(process.hrtime.bigint() / 1_000_000n);
  const endOf = (unit: UnitProperties): string =>
    isoOf(bootedAt + Number(unit.InactiveEnterTimestampMonotonic ?? 0) / 1000);
  const shown = stdout.split("\n\n").map(parseUnit);
  return shown.map((unit) => ({
    ...unit,
    ts: endOf(unit),
    kind: String(unit.Id).replace(/^cytube-|@.*/g, ""),
  }));
}

/** Commands for whoever reads a message; only units that are there have a journal. */
function waysToLookFurther(env: string, botUnit: string | undefined): string[] {
  const units = IS_INSTALLED ? [`'cytube-*@${env}.service'`] : [];
  if (botUnit) units.push(botUnit);
  const status = `  ${RUN_AS} status --env ${env}`;
  if (units.length === 0) return [status];
  return [status, `  journalctl -n 50 ${units.map((unit) => `-u ${unit}`).join(" ")}`];
}

/** The last lines say how to look further, so what does not fit is left out before them. */
export function renderAlert(
  { situation, missed, news }: AlertState,
  change: string,
  { name: env, process: bot }: Config,
  mask: Mask,
): Message {
  const isNews = change === "decided";
  const { key, ok, title, text } = (isNews ? news : situation) as Situation;
  const clean = (line: string): string => cutText(printable(line), LINE_LENGTH_MAX);
  const end = ["", "Look further:", ...waysToLookFurther(env, bot.unit)].map(clean);
  const before = "since the last message: ";
  const others = Object.entries(missed).flatMap(([other, said]) =>
    other === key ? [] : [before + said],
  );
  if (news && !isNews) others.push(before + news.title, ...news.text);
  const whole = mask([...others, ...text].join("\n"));
  const body = whole.split("\n", LINES_MAX).map(clean);
  const first = (count: number): string =>
    [...body.slice(0, count), ...(count < body.length ? ["…"] : []), ...end].join("\n");
  let count = body.length;
  while (count > 0 && Buffer.byteLength(first(count)) > TEXT_BYTES_MAX) count--;
  const said = printable(
    mask(`${env} on ${hostname()}: ${isNews || change === "changed" ? "" : `${change}: `}${title}`),
  );
  return {
    title: cutText(said, TITLE_LENGTH_MAX),
    text: first(count),
    key: mask(key),
    ok,
    change,
    env,
    host: hostname(),
  };
}

/**
 * One look at the log and the units: what is known then, and the message and the pings that are
 * due.
 */
async function lookAround(config: Config, previous: AlertState | null, mask: Mask) {
  const { name, logFile, alert = {} } = config;
  const records = readRecords(logFile).records.filter(
    ({ env, kind }) =>
      env === name && [...Object.keys(KIND_NAMES), "checkpoint"].includes(String(kind)),
  );
  const ends = await observe(() => readUnitEnds(name));
  const units = ends.seen ? ends.value : [];
  const state = situationOf(records, units, previous);
  const change = alert.sinks?.length
    ? judgeAlert(previous, state, Date.now(), alert.repeatHours ?? 6)
    : null;
  const message = change && renderAlert(state, change, config, mask);
  const pings = alert.ping
    ? pingsOf(records, units).filter((ping) => !state.pinged.includes(ping))
    : [];
  return {
    state,
    message,
    pings,
    unseen: ends.seen ? null : `The units could not be seen, only the log: ${ends.why}`,
  };
}

const ALERT_ROUNDS_MAX = 5; // After so many looks the next trigger goes on.
/**
 * Tells the sinks what is due, then looks again, because a trigger that comes meanwhile starts
 * nothing.
 */
export async function runAlert(config: Config, isDry = false): Promise<number> {
  const { sinks, ping, mask, problems, ...receivers } = openReceivers(config);
  const say = (line: string): Promise<boolean> =>
    writeStream(process.stderr, `${printable(mask(line))}\n`);
  for (const problem of problems) await say(problem);
  const saved = orNull(() => JSON.parse(readSmallFile(config.state.alert, 1 << 20)) as AlertState);
  let state = saved?.v === 1 ? saved : null;
  let { exit } = receivers;
  for (let round = 0; round < ALERT_ROUNDS_MAX && (sinks.length || ping); round++) {
    const { state: next, message, pings, unseen } = await lookAround(config, state, mask);
    if (unseen && !round) await say(unseen);
    if (isDry)
      await writeStream(
        process.stdout,
        message ? `${message.title}\n${message.text}\n` : "No message is due.\n",
      );
    if (isDry) break;
    const telling = message ? sinks.map((sink) => deliver(sink, message)) : [];
    const deliveries = await Promise.all([
      ...telling,
      ...(ping ? pings.map((each) => sendPing(ping, each)) : []),
    ]);
    state = remember(next, message, deliveries, Date.now());
    const isLost =
      deliveries.some((each) => !each.ok && each.ping) ||
      (message && !deliveries.some((each) => each.ok && !each.ping));
    if (isLost) exit ||= EXIT.undelivered;
    for (const { kind, ok, tries, problem } of deliveries)
      if (!ok) await say(`${kind} was not told: ${problem} (tried ${plural(tries, "time")})`);
    const { title = null, key = null } = message ?? {};
    const record = {
      ...headOf("alert", config.name, randomUUID(), Date.now()),
      title,
      key,
      sinks: deliveries,
      exit,
    };
    const blocked = orMessage(() => {
      writeAtomically(config.state.alert, renderDocument(state));
      if (message || isLost) writeRecord(config.logFile, renderJson(maskDeep(record, mask), 0));
    });
    if (blocked)
      await say(`What was told could not be written down, so it may be told again: ${blocked}`);
    if (blocked) exit ||= EXIT.logNotWritten;
    if (isLost || !deliveries.length) break;
  }
  return exit;
}
