/** What the log has of a burn-in, and of what happened beside it, in bounded memory. */

import { findingsIn } from "../alerts/situation.ts";
import type { CheckpointRecord } from "../burnin/judging.ts";
import { type Account, type BurninHead, isAccount, type OpenBurnin } from "../burnin/words.ts";
import type { Config } from "../config.ts";
import { type Entry, scanRecords } from "../log.ts";
import { thin } from "../releases/state.ts";
import type { Result } from "../run.ts";
import type { ReportView } from "./render.ts";

type Group = { about: BurninHead; accounts: Account[] };
export type Happened = Pick<ReportView["events"][number], "at" | "kind" | "says">;
export const KEPT = 500;

const TOLD = ["verify", "burnin", "checkpoint", "rollback", "alert", "note"];
/**
 * A run's line without its findings and what only the next run needs, where all findings are good:
 * most of a log is that.
 */
function trimLine(line: string): string {
  const [findings, burnin, place] = [',"findings":[', ',"burnin":{', ',"place":'].map((mark) =>
    line.indexOf(mark),
  ) as [number, number, number];
  const isPlain =
    findings > 0 &&
    burnin > findings &&
    place > burnin &&
    !/"status":"(?:fail|unknown|warn)"/.test(line.slice(findings, burnin));
  return isPlain ? `${line.slice(0, findings)}${line.slice(burnin, place)}}` : line;
}

/**
 * What the log has of a burn-in, and of what happened beside it, in bounded memory: of the open
 * one, or of the first that ran at `since`.
 */
export function gatherReport(
  { name, logFile }: Config,
  open: OpenBurnin | null,
  since: string | undefined,
) {
  const begin = Date.parse(since ?? "");
  let [sought, group, isPast] = [
    since === undefined ? open?.id : undefined,
    null as Group | null,
    false,
  ];
  const [told, checkpoints, notes, findings]: [
    Happened[],
    CheckpointRecord[],
    ReportView["observations"],
    ReportView["findings"],
  ] = [[], [], [], []];
  const add = <T>(list: T[], ...items: T[]): void => {
    if (list.push(...items) > 2 * KEPT) list.splice(0, KEPT);
  };
  const skipped = scanRecords(
    logFile,
    (kind, ts, line) => {
      const isBeside = kind === "burnin" || ts < (open?.startedAt ?? "");
      const isForeign =
        isBeside && since === undefined && sought !== undefined && !line.includes(sought);
      return isForeign || !TOLD.includes(kind) ? null : trimLine(line);
    },
    (record) => {
      const { env, ts, kind, verdict, exit, title, from, to, text, user, account, burnin, action } =
        record as Entry & Result;
      if (env !== name) return;
      isPast ||=
        since !== undefined &&
        sought !== undefined &&
        Boolean(account) &&
        account?.burnin !== sought;
      if (isPast && record.kind !== "note") return;
      const at = String(ts);
      const tell = (says: string): void =>
        add(told, { at, kind: String(kind) as Happened["kind"], says });
      if (isAccount(account) && burnin && (sought === undefined || sought === account.burnin)) {
        if (group?.about.id !== account.burnin) group = { about: burnin, accounts: [] };
        group.accounts = thin(group.accounts);
        group.accounts.push(account);
        if (Date.parse(at) >= begin) sought = account.burnin;
      }
      if (record.kind === "checkpoint" && Array.isArray(record.criteria))
        add(checkpoints, record as CheckpointRecord);
      if (record.kind === "note") add(notes, { at, by: String(user), text: String(text) });
      if (record.kind === "alert" && title) tell(String(title));
      if (record.kind === "rollback") tell(`${from ?? "?"} to ${to ?? "?"}: ${action}`);
      if (record.kind === "verify")
        tell(`the verification says ${verdict}, exit ${exit}. ${action}`);
      const bad = findingsIn(record.findings).filter(
        ({ status }) => status === "fail" || status === "unknown" || status === "warn",
      );
      add(
        findings,
        ...bad.map(({ check, status, says, evidence }) => ({
          at,
          check,
          status,
          says: String(says),
          evidence: [evidence ?? []].flat(),
        })),
      );
    },
  );
  if (since !== undefined && sought === undefined) group = null;
  // Its records have been rotated away.
  else if (open && open.id === sought) group ??= { about: open, accounts: open.accounts };
  return { group, told, checkpoints, notes, findings, skipped };
}
