/**
 * Where the program and the files that are shipped beside it stand, in a checkout and on a host.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const THIS_FILE = fileURLToPath(import.meta.url);
/**
 * What is started again as a child process: verify.ts of a checkout, or the one file that was built
 * from it.
 */
export const PROGRAM =
  path.basename(THIS_FILE) === "shipped.ts"
    ? path.resolve(THIS_FILE, "../../verify.ts")
    : THIS_FILE;
export const HERE = path.dirname(PROGRAM);
/** Whether units/install.sh put this program here: then its command and its units are there too. */
export const IS_INSTALLED = HERE.startsWith("/usr/local/lib/cytube-verify/");
/** How help and usage name this program. */
export const INVOKED_AS = IS_INSTALLED ? "cytube-verify" : "verify.ts";
/** How a hint that a person may copy names it: on a host from anywhere, else from the checkout. */
export const RUN_AS = IS_INSTALLED ? "cytube-verify" : "npx tsx verify.ts";
const PLAIN_REMEDY = "Try with sudo, or as a member of its group";
/**
 * What helps a person who may not read or write what the verifier keeps. The service's group is
 * there only where the program is installed.
 */
export const ACCESS_REMEDY = IS_INSTALLED
  ? `${PLAIN_REMEDY}: sudo usermod --append --groups cytube-verify USER`
  : PLAIN_REMEDY;
export const SHIPPED = path.join(
  fs.existsSync(path.join(HERE, "config")) ? HERE : path.dirname(HERE),
  "config",
); // Beside this file, or beside build/.
export const readShipped = (name: string): string =>
  fs.readFileSync(path.join(SHIPPED, name), "utf8");

/** Where a site has its own configs, which come before the shipped ones. */
export const SITE_CONFIGS = "/etc/cytube-verify";
