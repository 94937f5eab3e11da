/**
 * The layers: what each part of the program may import. Data flows one way and so do the arrows; a
 * part that reaches up, or in a circle, can be
 * neither read nor moved alone.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { projectDirectory } from "./support/harness.ts";
import {
  arrowsOf,
  circlesIn,
  filesOfOtherKind,
  filesWithoutRoom,
  importsOfNothing,
  importsOfTheScript,
  importsUpward,
} from "./support/layers.ts";

const entries = readdirSync(join(projectDirectory, "lib"), {
  recursive: true,
  withFileTypes: true,
});
const libFiles = entries
  .filter((entry) => entry.isFile())
  .map((entry) => relative(projectDirectory, join(entry.parentPath, entry.name)));
const sources = new Map(
  ["verify.ts", ...libFiles].map((file) => [
    file,
    readFileSync(join(projectDirectory, file), "utf8"),
  ]),
);

test("the imports of the program are found", () => {
  const arrows = [...sources].flatMap(([file, text]) => arrowsOf(file, text));
  assert.ok(arrows.length > 300, `only ${arrows.length}`);
});

test("every room of lib/ has its place among the layers", () => {
  assert.deepEqual(filesWithoutRoom(sources), []);
});

test("lib/ holds TypeScript only, and verify.ts is imported by none of it", () => {
  assert.deepEqual(filesOfOtherKind(sources), []);
  assert.deepEqual(importsOfTheScript(sources), []);
});

test("an import only ever points down", () => {
  assert.deepEqual(importsUpward(sources), []);
});

test("no import leads back to where it came from", () => {
  assert.deepEqual(circlesIn(sources), []);
});

test("every import of lib/ leads to a file that is there", () => {
  assert.deepEqual(importsOfNothing(sources), []);
});
