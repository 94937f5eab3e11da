/** The command report: writes the pages of a burn-in, or keeps a person's note for them. */

import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { userInfo } from "node:os";
import * as path from "node:path";
import { orMessage, UserError } from "../attempt.ts";
import type { Config } from "../config.ts";
import { writeAtomically } from "../files.ts";
import { headOf, renderDocument, renderJson, writeRecord } from "../log.ts";
import { maskDeep, maskOf } from "../masking.ts";
import { print } from "../outputs/narrator.ts";
import { requireState } from "../releases/state.ts";
import { gatherReport } from "../report/gather.ts";
import { renderReport } from "../report/render.ts";
import { buildReport } from "../report/view.ts";
import { ACCESS_REMEDY } from "../shipped.ts";
import { EXIT, type Narrator } from "../vocabulary.ts";
import type { CommandLine } from "./command-line.ts";

/**
 * Writes the report of a burn-in: both files, or one of them on the standard output; or keeps a
 * person's observation for it.
 */
export async function runReport(
  { flags, format, cwd }: CommandLine,
  config: Config,
  { narrate }: Narrator,
): Promise<number> {
  if (flags.note !== undefined) {
    const note = { ...headOf("note", config.name, randomUUID(), Date.now()), text: flags.note };
    const lost = orMessage(() =>
      writeRecord(config.logFile, renderJson(maskDeep(note, maskOf(config.secrets)), 0)),
    );
    if (lost)
      throw new UserError(
        EXIT.logNotWritten,
        `The note could not be written to "${config.logFile}": ${lost}`,
      );
    narrate("the note is in the log, and in the next report");
  }
  if (flags.note !== undefined && !flags.out && !flags.since && format === "pretty")
    return EXIT.passed;
  const blind =
    fs.existsSync(config.logFile) &&
    orMessage(() => fs.accessSync(config.logFile, fs.constants.R_OK));
  if (blind)
    throw new UserError(EXIT.permission, `The log could not be read: ${blind}. ${ACCESS_REMEDY}`);
  const view = buildReport(
    config,
    gatherReport(config, requireState(config).burnin, flags.since),
    Date.now(),
  );
  if (!view)
    throw new UserError(
      EXIT.busy,
      `There is no burn-in in ${config.logFile}${flags.since ? ` since ${flags.since}` : " yet"}: the first verification that passes begins it.`,
    );
  const textIn = (kind: "md" | "html" | "json"): string =>
    kind === "json" ? renderDocument(view) : renderReport(view, kind);
  const exit = {
    PASS: EXIT.passed,
    RUNNING: EXIT.passed,
    NONE: EXIT.passed,
    PARTIAL: EXIT.belowTarget,
    FAIL: EXIT.redFlag,
  }[view.decision];
  const kinds =
    format === "pretty" ? (["md", "html"] as const) : ([format as "md" | "html" | "json"] as const);
  if (format !== "pretty" && !flags.out) return (await print(textIn(kinds[0]))) || exit;
  const directory = path.resolve(cwd, flags.out ?? ".");
  const name = `burnin-${config.name}-${view.date}`;
  for (const kind of kinds) {
    const file = path.join(directory, `${name}.${kind}`);
    const blocked = orMessage(() => {
      fs.mkdirSync(directory, { recursive: true });
      writeAtomically(file, textIn(kind));
    });
    const remedy = `Name a directory that the user ${userInfo().username} may write to (--out DIR), or print it: --format ${kind}`;
    if (blocked)
      throw new UserError(
        EXIT.permission,
        `The report could not be written: ${blocked}\n${remedy}`,
      );
    await print(`${file}\n`);
  }
  return exit;
}
