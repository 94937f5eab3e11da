/** The names under which the older parts of a log lie beside it. It opens none of them. */

import * as fs from "node:fs";
import * as path from "node:path";
import { orNull } from "./attempt.ts";

export const PACKED = /\.(gz|xz|bz2|zst)$/;

/**
 * Rotated neighbours of a log file, newest first: `bot.log.1`, `bot.log-20261121`, either of them
 * compressed.
 */
export function rotatedSiblings(file: string): { file: string; modifiedAt: number }[] {
  const { dir, base } = path.parse(fs.realpathSync(file));
  const names = fs
    .readdirSync(dir)
    .filter(
      (name) =>
        name.startsWith(base) && /^[.-][\d._-]+$/.test(name.slice(base.length).replace(PACKED, "")),
    );
  // While a file is being compressed, it is there twice.
  const once = names.filter(
    (name) => !PACKED.test(name) || !names.includes(name.replace(PACKED, "")),
  );
  const siblings = once.map((name) => ({
    file: path.join(dir, name),
    modifiedAt: orNull(() => fs.statSync(path.join(dir, name)).mtimeMs) ?? 0,
  }));
  // One without a time was rotated further between the two looks.
  return siblings
    .filter(({ modifiedAt }) => modifiedAt > 0)
    .sort((a, b) => b.modifiedAt - a.modifiedAt);
}
