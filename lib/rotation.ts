/** The names under which the older parts of a log lie beside it. It opens none of them. */

import * as fs from "node:fs";
import * as path from "node:path";
import { orNull } from "./attempt.ts";

/** The names of compressed files, as logrotate and hands make them. */
export const PACKED = /\.(gz|xz|bz2|zst)$/;

type Sibling = { file: string; modifiedAt: number };

/**
 * Rotated neighbours of a log file, newest first: `bot.log.1`, `bot.log-20261121`, either of them
 * compressed. `modifiedAt` is epoch milliseconds. Throws where the log itself is not there.
 */
export function rotatedSiblings(file: string): Sibling[] {
  const { dir, base } = path.parse(fs.realpathSync(file));
  const isRotated = (name: string): boolean => {
    const ending = name.slice(base.length).replace(PACKED, "");
    return name.startsWith(base) && /^[.-][\d._-]+$/.test(ending);
  };
  const names = fs.readdirSync(dir).filter(isRotated);
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
