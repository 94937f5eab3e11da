/**
 * The rules of the layers, over the program's files by path. Each returns what breaks it, with file
 * and line, so that it can be shown to fail on a planted import as well as to hold for the project.
 */
import { dirname, join, normalize } from "node:path";
import { importsOf, type Sources } from "./code.ts";

/** From the bottom up: a room may import itself and every room before it in this list. */
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

function roomOf(file: string): string {
  const [, room = "", below] = file.split("/");
  if (below !== undefined) return room;
  return room === "run.ts" ? "run" : "foundation";
}

interface Arrow {
  from: string;
  to: string;
  line: number;
}

/** The imports among the program's own files. */
export function arrowsOf(file: string, text: string): Arrow[] {
  const own = importsOf(text).filter(({ target }) => target.startsWith("."));
  return own.map(({ target, line }) => ({
    from: file,
    to: normalize(join(dirname(file), target)),
    line,
  }));
}

const allArrows = (sources: Sources): Arrow[] =>
  [...sources].flatMap(([file, text]) => arrowsOf(file, text));
const sayArrow = ({ from, line, to }: Arrow): string => `${from}:${line}: imports ${to}`;
const libFilesOf = (sources: Sources): string[] =>
  [...sources.keys()].filter((file) => file.startsWith("lib/"));

export const filesWithoutRoom = (sources: Sources): string[] =>
  libFilesOf(sources).filter((file) => !rooms.includes(roomOf(file)));

export const filesOfOtherKind = (sources: Sources): string[] =>
  libFilesOf(sources).filter((file) => !file.endsWith(".ts"));

export const importsOfTheScript = (sources: Sources): string[] =>
  allArrows(sources)
    .filter(({ from, to }) => from.startsWith("lib/") && to === "verify.ts")
    .map(sayArrow);

export const importsUpward = (sources: Sources): string[] =>
  allArrows(sources)
    .filter(({ from, to }) => from.startsWith("lib/") && to.startsWith("lib/"))
    .filter(({ from, to }) => rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from)))
    .map(sayArrow);

export const importsOfNothing = (sources: Sources): string[] =>
  allArrows(sources)
    .filter(({ to }) => !sources.has(to))
    .map(sayArrow);

/** Ways that lead back to where they began. */
export function circlesIn(sources: Sources): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" → "));
    if (way.includes(file) || done.has(file)) return;
    for (const { to } of arrowsOf(file, sources.get(file) ?? "")) visit(to, [...way, file]);
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return circles;
}
