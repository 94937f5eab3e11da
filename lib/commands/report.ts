/** The command report: writes the pages of a burn-in, or keeps a person's note for them. */

import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { hostname, userInfo } from "node:os";
import * as path from "node:path";
import { messageOf, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { userOf, writeAtomically } from "../files.ts";
import { headOf, renderDocument, renderJson, writeRecord } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import { print } from "../outputs/narrator.ts";
import { requireState } from "../releases/state-file.ts";
import { gatherReport } from "../report/gather.ts";
import { type ReportView, renderReport } from "../report/render.ts";
import { buildReport } from "../report/view.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

type Page = "md" | "html" | "json";

const EXITS: Readonly<Record<ReportView["decision"], number>> = {
  PASS: EXIT.passed,
  RUNNING: EXIT.passed,
  NONE: EXIT.passed,
  PARTIAL: EXIT.belowTarget,
  FAIL: EXIT.redFlag,
};

/** Appends a person's note to the log; throws where it could not be written. */
function writeNote({ name, logFile, secrets }: Config, text: string): void {
  const note = { ...headOf("note", name, randomUUID(), Date.now()), text };
  try {
    writeRecord(logFile, renderJson(maskDeep(note, maskOf(secrets)), 0));
  } catch (error) {
    const says = `The note could not be written to "${logFile}": ${messageOf(error)}`;
    throw new UserError(EXIT.logNotWritten, says);
  }
}

/** A log that is not there yet is an empty one; one that is closed to this user is none. */
function requireReadable(logFile: string): void {
  if (!fs.existsSync(logFile)) return;
  try {
    fs.accessSync(logFile, fs.constants.R_OK);
  } catch (error) {
    const says = `The log could not be read: ${messageOf(error)}. ${ACCESS_REMEDY}`;
    throw new UserError(EXIT.permission, says);
  }
}

/** The report's view; throws where the log has no burn-in, or none since that time. */
async function readView(config: Config, since: string | undefined): Promise<ReportView> {
  requireReadable(config.logFile);
  const gathered = gatherReport(config, requireState(config).burnin, since);
  const making = { host: hostname(), validator: userOf(), now: Date.now() };
  const view = buildReport(config, gathered, making);
  if (view) return view;
  const when = since ? ` since ${since}` : " yet";
  throw new UserError(
    EXIT.busy,
    `There is no burn-in in ${config.logFile}${when}: ` +
      "the first verification that passes begins it.",
  );
}

const renderPage = (view: ReportView, page: Page): string =>
  page === "json" ? renderDocument(view) : renderReport(view, page);

/** Writes a page, and makes its directory; throws with what to do where that cannot be done. */
function writePage(file: string, text: string, page: Page): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    writeAtomically(file, text);
  } catch (error) {
    const remedy =
      `Name a directory that the user ${userInfo().username} may write to (--out DIR), ` +
      `or print it: --format ${page}`;
    throw new UserError(
      EXIT.permission,
      `The report could not be written: ${messageOf(error)}\n${remedy}`,
    );
  }
}

/**
 * Writes the report of a burn-in: both files, or one of them on the standard output; or keeps a
 * person's observation for it.
 */
export async function runReport(
  { flags, format, cwd }: CommandLine,
  config: Config,
  { narrate }: Narrator,
): Promise<number> {
  const isPretty = format === "pretty";
  if (flags.note !== undefined) {
    writeNote(config, flags.note);
    narrate("the note is in the log, and in the next report");
    // Nothing else was asked for.
    if (isPretty && !flags.out && !flags.since) return EXIT.passed;
  }
  const view = await readView(config, flags.since);
  if (!isPretty && !flags.out) {
    await print(renderPage(view, format as Page));
    return EXITS[view.decision];
  }
  const pages: Page[] = isPretty ? ["md", "html"] : [format as Page];
  const directory = path.resolve(cwd, flags.out ?? ".");
  for (const page of pages) {
    const file = path.join(directory, `burnin-${config.name}-${view.date}.${page}`);
    writePage(file, renderPage(view, page), page);
    await print(`${file}\n`);
  }
  return EXITS[view.decision];
}
