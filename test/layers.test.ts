/**
 * The layers: what each part of the program may import. Data flows one way and so do the arrows; a
 * part that reaches up, or in a circle, can be
 * neither read nor moved alone.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { projectDirectory } from "./support/harness.ts";

const entries = readdirSync(join(projectDirectory, "lib"), {
  recursive: true,
  withFileTypes: true,
});
const library = entries
  .filter((entry) => entry.isFile())
  .map((entry) => relative(projectDirectory, join(entry.parentPath, entry.name)));
const files = ["verify.ts", ...library];
const textOf = new Map(
  files.map((file) => [file, readFileSync(join(projectDirectory, file), "utf8")]),
);

/** What a file imports, types too, also where it does so late. */
function importsOf(file: string): string[] {
  const text = textOf.get(file) as string;
  return [
    ...text.matchAll(
      /(?:^|[;\n]) *(?:import|export)\b[^"'();]*?\bfrom "([^"]+)"|\b(?:import|load)\("([^"]+)"\)|^import "([^"]+)"/gm,
    ),
  ].map(([, named, late, bare]) => (named ?? late ?? bare) as string);
}

const resolve = (file: string, target: string): string => normalize(join(dirname(file), target));
const ownImportsOf = (file: string): string[] =>
  [...new Set(importsOf(file).filter((target) => target.startsWith(".")))].map((target) =>
    resolve(file, target),
  );
const roomOf = (file: string): string => {
  const [, room = "", below] = file.split("/");
  if (below !== undefined) return room;
  return room === "run.ts" ? "run" : "foundation";
};

/** From the bottom up: a room may import itself and every room above it in this list. */
const rooms = [
  "foundation",
  "probes",
  "burnin",
  "run",
  "releases",
  "outputs",
  "alerts",
  "report",
  "commands",
];

test("every room of lib/ has its place among the layers", () => {
  assert.deepEqual(
    library.filter((file) => !rooms.includes(roomOf(file))),
    [],
  );
});

test("lib/ holds TypeScript only, and verify.ts is imported by none of it", () => {
  assert.deepEqual(
    library.filter((file) => !file.endsWith(".ts")),
    [],
  );
  assert.deepEqual(
    library.filter((file) => ownImportsOf(file).includes("verify.ts")),
    [],
  );
});

test("an import only ever points down", () => {
  const upward = library.flatMap((file) =>
    ownImportsOf(file)
      .filter((target) => rooms.indexOf(roomOf(target)) > rooms.indexOf(roomOf(file)))
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(upward, []);
});

test("no import leads back to where it came from", () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" → "));
    if (way.includes(file) || done.has(file)) return;
    for (const target of ownImportsOf(file)) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});

test("every import of lib/ leads to a file that is there", () => {
  const lost = files.flatMap((file) =>
    ownImportsOf(file).flatMap((target) =>
      textOf.has(target) ? [] : [`${file} imports ${target}`],
    ),
  );
  assert.deepEqual(lost, []);
});
