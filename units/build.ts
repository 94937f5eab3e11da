/**
 * Builds the one file that a host gets: verify.ts, lib/ and every package but better-sqlite3, which
 * is a binary, with the licences of what it holds. Run by `npm run build`, and by the tests.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";

const project = resolve(fileURLToPath(import.meta.url), "../..");

/**
 * Packages that are CommonJS call require() for Node's own modules, which a module does not have.
 */
const BANNER = [
  'import { createRequire as cytubeRequire } from "node:module";',
  "const require = cytubeRequire(import.meta.url);",
].join("\n");

const OPTIONS = {
  absWorkingDir: project,
  write: false,
  metafile: true,
  bundle: true,
  minify: true,
  // V8 reads a source with other characters at half the speed.
  charset: "ascii",
  platform: "node",
  target: "node20",
  external: ["better-sqlite3"],
  legalComments: "none",
  logLevel: "error",
} satisfies BuildOptions;

/** Packages that few starts of the program need; by far the largest are among them. */
const LATE = [
  "undici",
  "yaml",
  "zx/core",
  "prom-client",
  "pidusage",
  "eta",
  "d3-scale",
  "d3-shape",
];

/** The module that unpacks a package and runs it. */
const renderLate = (packed: string): string => `
const { brotliDecompressSync } = require("node:zlib");
const { compileFunction } = require("node:vm");
const text = brotliDecompressSync(Buffer.from("${packed}", "base64")).toString();
compileFunction(text, ["module", "exports", "require"])(module, exports, require);`;

/**
 * Puts a package into the bundle packed, to be unpacked and compiled when it is first imported.
 * Compiled with the rest, these packages cost each start twice what Node itself costs, and even to
 * read over their text costs as much as Node once; a verification starts the program twice.
 */
function keepAsText(inputs: Metafile["inputs"]): Plugin {
  return {
    name: "keep-as-text",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[^./]/ }, ({ path }) =>
        LATE.includes(path) ? { path, namespace: "late" } : null,
      );
      onLoad({ filter: /.*/, namespace: "late" }, async ({ path }) => {
        const inner = await build({
          ...OPTIONS,
          stdin: {
            contents: `module.exports = require(${JSON.stringify(path)});`,
            resolveDir: project,
          },
          format: "cjs",
        });
        Object.assign(inputs, inner.metafile.inputs);
        const packed = brotliCompressSync(inner.outputFiles[0]?.text ?? "").toString("base64");
        return {
          contents: renderLate(packed),
          loader: "js",
          resolveDir: project,
        };
      });
    },
  };
}

/** The child that looks at the database, as a script of its own that is run from its stdin. */
async function buildDatabaseChild(): Promise<string> {
  const { outputFiles } = await build({
    ...OPTIONS,
    stdin: {
      contents: 'import { serveDatabase } from "./lib/probes/database-child.ts"; serveDatabase();',
      resolveDir: project,
    },
    format: "cjs",
    // require() finds better-sqlite3 without Node's loader of modules, which is slow to start.
    supported: { "dynamic-import": false },
  });
  return outputFiles[0]?.text ?? "";
}

/** The directories of the packages that a bundle holds. */
function packagesIn(inputs: Metafile["inputs"]): string[] {
  const directories = Object.keys(inputs).flatMap((input) => {
    const [, directory] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    return directory ? [directory] : [];
  });
  return [...new Set(directories)].sort();
}

/** Who a package is of, and the text of its licence, as it has to go with every copy. */
function renderLicence(directory: string): string {
  const about = JSON.parse(readFileSync(join(project, directory, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license?: string;
  };
  const names = readdirSync(join(project, directory)).filter((name) => /^licen[cs]e/i.test(name));
  const texts = names.map((name) => readFileSync(join(project, directory, name), "utf8").trim());
  const head = `${about.name} ${about.version}, ${about.license ?? "licence not stated"}`;
  return [head, "-".repeat(head.length), ...texts].join("\n\n");
}

/**
 * Builds into `directory`; whoever looks meanwhile sees the old file or the new one, never a half.
 */
export async function buildProgram(directory: string): Promise<void> {
  const inputs: Metafile["inputs"] = {};
  const { outputFiles, metafile } = await build({
    ...OPTIONS,
    entryPoints: ["verify.ts"],
    outfile: "verify.js",
    format: "esm",
    banner: { js: BANNER },
    define: { DATABASE_CHILD_CODE: JSON.stringify(await buildDatabaseChild()) },
    plugins: [keepAsText(inputs)],
  });
  Object.assign(inputs, metafile.inputs);
  const [code = ""] = outputFiles.map(({ text }) => text);
  const licences = packagesIn(inputs).map(renderLicence).join("\n\n\n");
  mkdirSync(directory, { recursive: true });
  const texts = {
    "LICENSES.txt": `${licences}\n`,
    "verify.js": code.replace(/^#!.*\n/, "#!/usr/bin/env node\n"),
  };
  for (const [name, text] of Object.entries(texts)) {
    const temporary = join(directory, `${name}.${process.pid}`);
    writeFileSync(temporary, text, { mode: 0o755 });
    renameSync(temporary, join(directory, name));
  }
}

const script = process.argv[1];
if (script && existsSync(script) && import.meta.url === pathToFileURL(script).href) {
  await buildProgram(join(dirname(dirname(script)), "build"));
}
