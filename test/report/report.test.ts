/**
 * The burn-in's report: what it says (golden files), that nothing in it can become markup (read by
 * cmark-gfm and by Chromium), and how the page looks.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { type Browser, chromium, type Page } from "playwright-core";
import { type ReportView, renderReport } from "../../lib/report/render.ts";
import { printable } from "../../lib/text.ts";
import { assertGolden, createDirectory, projectDirectory, until } from "../support/harness.ts";
import { failed, healthy, views } from "../support/views.ts";

const names = Object.keys(views) as (keyof typeof views)[];
const page = Object.fromEntries(
  names.map((name) => [name, renderReport(views[name], "html")]),
) as Record<keyof typeof views, string>;

// Debian's Chromium and cmark-gfm. Elsewhere than on a Linux root machine, which can install them,
// their suites are left out.
const tools = { "/usr/bin/chromium": "chromium", "/usr/bin/cmark-gfm": "cmark-gfm" };
const missing = Object.entries(tools).find(([file]) => !existsSync(file));
const canInstall = process.platform === "linux" && process.getuid?.() === 0;
const reason =
  missing && !canInstall
    ? `Cannot read the reports: no ${missing[0]} (apt-get install ${missing[1]})`
    : null;

type Words = string | ((text: string) => string);

/** A view with all its texts changed, but for its times and for words of closed sets. */
function retell<T>(value: T, words: Words, key = ""): T {
  // "nZ" is New Zealand's, and 1 the year 2001.
  const times = ["at", "from", "to", "generatedAt", "timeZone"];
  const closed = [...times, "decision", "healthy", "kind", "id", "level", "metric", "path", "area"];
  if (Array.isArray(value)) return value.map((item) => retell(item, words, key)) as T;
  if (typeof value === "string") {
    if (closed.includes(key)) return value as T;
    return (typeof words === "string" ? words : words(value)) as T;
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      retell(item, words, name === "decision" && key === "checkpoints" ? "" : name),
    ]),
  ) as T;
}
/**
 * With those too, as a log that somebody else wrote may have them; a path that is none has nothing
 * to draw.
 */
function retellAll<T>(value: T, words: string): T {
  if (Array.isArray(value)) return value.map((item) => retellAll(item, words)) as T;
  if (typeof value === "string") return words as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      /^(?:path|area)$/.test(name) ? null : retellAll(item, words),
    ]),
  ) as T;
}

// ---------------------------------------------------------------------------- Markdown

for (const name of names)
  test(`renderReport() as Markdown says of ${name} what test/golden/report-${name}.md says`, () =>
    assertGolden(`report-${name}.md`, renderReport(views[name], "md")));

test("renderReport() as Markdown has the headings of the team's template, in its order, and the sections that came to it at the end", () => {
  const headings = renderReport(healthy, "md")
    .split("\n")
    .filter((line) => /^#{1,3} /.test(line));
  assert.deepEqual(headings, [
    "# Production Validation Report - Day 1",
    "## Date: 2026-11-21",
    "## Validator: cytube-verify on bot-host",
    "### Overall Status: ✅ HEALTHY",
    "### Metrics Summary",
    "### Notable Events",
    "### Issues Encountered",
    "### Action Items",
    "### Observations",
    "### Recommendation",
    "### Checkpoints",
    "### Findings",
  ]);
});

test("renderReport() recommends what holds of the template's three alternatives, and none before there is a decision", () => {
  const alternatives = {
    pass: "✅ Continue to Day 2 validation",
    partial: "⚠️ Address issues before proceeding",
    fail: "❌ Rollback and investigate",
  };
  for (const name of names) {
    const markdown = renderReport(views[name], "md");
    for (const [holds, text] of Object.entries(alternatives)) {
      assert.equal(markdown.includes(`\n${text}\n`), name === holds, `${name}: ${text}`);
      assert.equal(
        page[name].includes(text.slice(text.indexOf(" ") + 1)),
        name === holds,
        `${name} as HTML: ${text}`,
      );
    }
  }
  assert.match(renderReport({ ...healthy, day: 2 }, "md"), /^✅ Continue to Day 3 validation$/m);
});

test("renderReport() marks each level of a metric with its own word, and no absence with a tick", () => {
  const levels = {
    target: "✅",
    acceptable: "✅",
    worse: "⚠️",
    critical: "❌",
    unknown: "⚠️",
    off: "ℹ️",
  } as const;
  const words = {
    target: "on target",
    acceptable: "acceptable",
    worse: "out of limits",
    critical: "critical",
    unknown: "unknown",
    off: "off",
  };
  const [first] = healthy.metrics;
  for (const level of Object.keys(levels) as (keyof typeof levels)[]) {
    const view: ReportView = { ...healthy, metrics: first ? [{ ...first, level }] : [] };
    assert.match(
      renderReport(view, "md"),
      new RegExp(`^\\| Uptime \\|.*\\| ${levels[level]} \\|$`, "m"),
    );
    assert.ok(
      renderReport(view, "html").includes(`</svg><span>${words[level]}</span></span>`),
      level,
    );
  }
});

test("renderReport() shows times of the configured zone, and an unknown zone or time as it stands", () => {
  const at = "2026-10-25T00:30:00.000Z"; // The night in which 02:30 comes twice in Berlin.
  const told = (timeZone: string, time: string) =>
    renderReport(
      { ...healthy, timeZone, observations: [{ at: time, by: "anna", text: "x" }] },
      "md",
    );
  assert.match(told("Europe/Berlin", at), /^- \*\*2026-10-25 02:30:00\*\* anna:$/m);
  assert.match(told("America/New_York", at), /^- \*\*2026-10-24 20:30:00\*\* anna:$/m);
  assert.match(told("No/Where", at), /^- \*\*2026-10-25T00:30:00\.000Z\*\* anna:$/m);
  assert.match(told("Europe/Berlin", "yesterday"), /^- \*\*yesterday\*\* anna:$/m);
});

/**
 * What cmark-gfm makes of it with all of GitHub's extensions, and raw HTML let through: its tags,
 * and its text without them.
 */
function readMarkdown(markdown: string): { tags: string[]; text: string } {
  const extensions = ["table", "strikethrough", "autolink", "tagfilter", "tasklist", "footnotes"];
  const args = ["--unsafe", "--validate-utf8", ...extensions.flatMap((name) => ["-e", name])];
  const html = execFileSync("/usr/bin/cmark-gfm", args, { input: markdown, encoding: "utf8" });
  // An address of mail or chat becomes a link whatever stands around it, and a harmless one.
  const without = html.replace(/<a href="[^":/]*(?:mailto|xmpp):[^">]*">([^<]*)<\/a>/g, "$1");
  const signs: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };
  const text = without
    .replace(/<[^>]*>/g, "")
    .replace(/&(\w+);/g, (entity, name: string) => signs[name] ?? entity);
  return { tags: without.match(/<[!?/a-zA-Z][^>]*>?/g) ?? [], text: text.replace(/\s+/g, " ") };
}

/** What moves a cursor, turns the direction, or cannot be seen. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

const HOSTILE = [
  "<script>alert(1)</script>",
  "</title></style></script></pre></svg></td></table><img src=x onerror=alert(1)>",
  '"><img src="http://127.0.0.1:9/x" onerror="alert(1)"><a href="javascript:alert(1)">x</a>',
  "' onmouseover='alert(1)' x='",
  "]]> <![CDATA[ <!-- --> <?php ?> <!DOCTYPE x>",
  "a | b || c \\| d | <td>",
  "`code` ```fence``` ~~~ ``",
  "*em* **strong** _em_ __strong__ ~~gone~~ a_b_c",
  "[x](http://127.0.0.1:9/) ![x](http://127.0.0.1:9/x.png) [^1] [x]: y",
  "http://127.0.0.1:9/ www.example.org ftp://x.example <http://127.0.0.1:9/>",
  "# heading",
  "- item",
  "1. item",
  "12) item",
  "+ item",
  "> quote",
  "---",
  "===",
  ":-",
  "closed ##",
  "***",
  "    code",
  `{{ it.env }} {{constructor.constructor('alert(1)')()}} {% x %} \${7*7} #{7*7}`,
  "<% process.exit(3) %> <%= process.env.HOME %> <%~ it.env %> %> -%> <%",
  "one\ntwo\r\n# three\n\n| four |\n---\n<b>five",
  "\u202egnp.exe\u2066 \u200b\u200d\ufeff zero \u2028 \u2029 width",
  "\u001b[31mred\u001b[0m \u0007\b\u0000\u009b31m \u001b]0;title\u0007 x",
  "&lt;script&gt; &#60;b&#62; &amp; &copy &",
  "</script\n><script\t>//",
  `${"W".repeat(400)} ${"/".repeat(200)}`,
  "__proto__",
  "constructor",
  "$& $1 $' $$",
  "\ud83d lone \udc00 surrogates",
];

describe("what the report was told", { skip: reason ?? false }, () => {
  const marker = "\ue000";
  const plain = readMarkdown(renderReport(retell(failed, marker), "md"));
  const plainer = readMarkdown(renderReport(retellAll(failed, marker), "md"));
  /**
   * The same markup, and every word of the text in its place. A text of several lines is not always
   * shown as one.
   */
  function assertHarmless(text: string): void {
    const { tags, text: said } = readMarkdown(renderReport(retell(failed, text), "md"));
    assert.deepEqual(tags, plain.tags);
    if (!text.includes("\n"))
      assert.equal(said, plain.text.replaceAll(marker, () => printable(text)).replace(/\s+/g, " "));
  }

  for (const text of HOSTILE)
    test(`cannot become Markdown: ${JSON.stringify(text).slice(0, 70)}`, () => {
      assertHarmless(text);
      const markdown = renderReport(retellAll(failed, text), "md");
      assert.deepEqual(readMarkdown(markdown).tags, plainer.tags);
      assert.doesNotMatch(markdown.replaceAll("\n", ""), HIDDEN);
    });

  test("cannot become Markdown, whatever it is made of", () => {
    const piece = fc.oneof(
      fc.constantFrom(..."<>&|*_`~[](){}#+-=!\\\"'.:;/^$%1a \n\t"),
      fc.constantFrom("://", "www.", "&#", "<!--", "-->", "](", "http", "]: ", "\\|", "1.", "  "),
      fc.string({ maxLength: 2 }),
    );
    const text = fc
      .string({ unit: piece, minLength: 1, maxLength: 14 })
      .filter((made) => /\S/.test(made) && /\S/.test(printable(made)));
    fc.assert(fc.property(text, assertHarmless), { numRuns: 300 });
  });
});

test("what cannot be markup stays readable in the Markdown", () => {
  const says = "response_time is < 50 ms, 5 > 3, a & b, 100 %: C:\\dir (x) 'y' \"z\" -1.5 MB/h";
  assert.ok(renderReport({ ...healthy, issues: [says] }, "md").includes(`1. ${says}\n`));
  assert.ok(renderReport({ ...healthy, issues: ["-1.5 MB/h"] }, "md").includes("1. -1.5 MB/h\n"));
});

// ---------------------------------------------------------------------------- the page

test("config/report.html has no script, no address of another host, and no value that is not escaped", () => {
  const template = readFileSync(join(projectDirectory, "config/report.html"), "utf8");
  assert.doesNotMatch(
    template,
    /<script|\son\w+=|javascript:|https?:|@import|url\((?!#)|<%~|\bsrc=|<iframe|<object|<embed|<link(?! rel="icon" href="data:,")/,
  );
  const markdown = readFileSync(join(projectDirectory, "config/report.md"), "utf8");
  // The sign is one of two, whatever the text is; the rest of the text is escaped.
  const cell = [
    "const cell = (text) => {",
    '  const [sign = ""] = /^(?:> |-$)/.exec(text) ?? [];',
    "  %><%~ sign %><%= text.slice(sign.length) %><%",
    "};",
  ];
  assert.ok(markdown.includes(cell.join("\n")), "cell() is another");
  assert.deepEqual(markdown.match(/.*<%~.*/g), [cell[2], "      <%~ line %>"]);
});

const OVERFLOWING = `[...document.querySelectorAll("body *")].filter((element) => {
  if (element.closest(".sr, symbol, defs, thead") || element.closest("svg") !== element && element.closest("svg")) return false;
  const { left, right, width } = element.getBoundingClientRect();
  return width > 0 && (right > innerWidth + 0.5 || left < -0.5);
}).map((element) => element.outerHTML.slice(0, 120))`;

/** Every piece of text that can be seen, with its colour and the boxes of its lines on the page. */
const TEXTS = `(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest(".sr, title, style, symbol, defs")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 1 && height > 1);
    const hidden = [...document.querySelectorAll("thead")].some((head) => head.contains(element) && getComputedStyle(head).position === "absolute");
    if (!boxes.length || hidden) continue;
    const style = getComputedStyle(element);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    found.push({
      text: walker.currentNode.data.trim().slice(0, 60),
      colour: element instanceof SVGElement ? style.fill : style.color,
      opacity,
      size: Number.parseFloat(style.fontSize),
      boxes: boxes.map(({ x, y, width, height }) => [x + scrollX, y + scrollY, width, height]),
    });
  }
  return found;
})()`;

const BLANK = `(blank) => {
  document.getElementById("blank")?.remove();
  const textContent = "* { color: transparent !important; } text { fill: transparent !important; }";
  if (blank) document.head.append(Object.assign(document.createElement("style"), { id: "blank", textContent }));
}`;

/**
 * The least contrast of each text with any pixel behind it (WCAG 2.2), from a picture of the page
 * without its texts.
 */
const CONTRAST = `async ({ picture, texts }) => {
  const image = new Image();
  image.src = "data:image/png;base64," + picture;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const light = (channels) => {
    const [r, g, b] = channels.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return texts.map(({ text, colour, opacity, boxes, size }) => {
    const parts = colour.match(/[\\d.]+/g)?.map(Number) ?? [];
    if (!colour.startsWith("rgb") || parts.length < 3) return { text, size, ratio: 0, why: "colour " + colour };
    const alpha = (parts[3] ?? 1) * opacity;
    let ratio = Infinity;
    const seen = new Set();
    for (const [x, y, width, height] of boxes) {
      const [left, top] = [Math.floor(x), Math.floor(y)];
      if (left < 0 || top < 0 || x + width > image.width || y + height > image.height) return { text, size, ratio: 0, why: "outside the page" };
      const { data } = context.getImageData(left, top, Math.ceil(width), Math.ceil(height));
      for (let at = 0; at < data.length; at += 4) {
        const key = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
        if (seen.has(key)) continue;
        seen.add(key);
        const behind = [data[at], data[at + 1], data[at + 2]];
        const before = behind.map((value, index) => parts[index] * alpha + value * (1 - alpha));
        const [low, high] = [light(behind), light(before)].sort((a, b) => a - b);
        ratio = Math.min(ratio, (high + 0.05) / (low + 0.05));
      }
    }
    return { text, size, ratio: Math.round(ratio * 100) / 100, colours: seen.size };
  });
}`;

/** The interruptions as they are drawn, their stroke included. */
const PIECES = `[...document.querySelectorAll(".strip .piece")].map((piece) => {
  const style = getComputedStyle(piece);
  const drawn = piece.getBBox().width + (style.stroke === "none" ? 0 : Number.parseFloat(style.strokeWidth));
  return { kind: piece.classList[1], drawn, shape: [piece.getAttribute("y"), piece.getAttribute("height"), style.fill.startsWith("url")].join() };
})`;

type Parsed = { mistake: string | null; structure: string[]; text: string };
/** A page as a browser takes it, and the first mistake that a strict reader finds in it. */
const PARSE = `(html) => {
  const strict = new DOMParser().parseFromString(html, "application/xhtml+xml").querySelector("parsererror");
  const read = new DOMParser().parseFromString(html, "text/html");
  const structure = [...read.querySelectorAll("*")].map(({ tagName, attributes }) => tagName + " " + [...attributes].map(({ name }) => name).join());
  return { mistake: strict?.textContent.slice(0, 300) ?? null, structure, text: read.body.textContent };
}`;

/** WCAG 2.2's relative luminance of #rrggbb. */
function luminanceOf(colour: string): number {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [r = 0, g = 0, b = 0] = channels.map((value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe("the page in Chromium", { skip: reason ?? false }, () => {
  const directory = createDirectory();
  const temporary = process.env.TMPDIR;
  let browser: Browser;
  let desk: Page;
  before(async () => {
    // Its profile, its caches and its sockets go with the directory, whatever happens to this
    // process.
    process.env.TMPDIR = directory;
    const home = {
      HOME: join(directory, "home"),
      XDG_CONFIG_HOME: join(directory, "home"),
      XDG_CACHE_HOME: join(directory, "home"),
    };
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args,
      env: { ...process.env, ...home },
    });
    desk = await browser.newPage();
  });
  after(async () => {
    await browser?.close();
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
    assert.deepEqual(
      readdirSync(directory).filter((name) => /^playwright/.test(name)),
      [],
    );
    await until(
      "no process of the browser is left",
      () => spawnSync("pgrep", ["-f", directory]).status === 1,
    );
  });

  type Look = { width?: number; scheme?: "light" | "dark"; scripts?: boolean };
  /**
   * Opens a page from a file, as a person would; it may ask for nothing else, and complain of
   * nothing.
   */
  async function look<T>(
    html: string,
    { width = 1280, scheme = "light", scripts = false }: Look,
    see: (opened: Page) => Promise<T>,
  ): Promise<T> {
    const file = join(directory, "report.html");
    writeFileSync(file, html);
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: scheme,
      javaScriptEnabled: scripts,
    });
    const noise: string[] = [];
    const requests: string[] = [];
    try {
      const opened = await context.newPage();
      opened.on("console", (message) => noise.push(message.text()));
      opened.on("pageerror", (error) => noise.push(error.message));
      opened.on("dialog", (dialog) => {
        noise.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      opened.on("request", (request) => requests.push(request.url()));
      await opened.goto(`file://${file}`);
      const seen = await see(opened);
      assert.deepEqual({ noise, requests }, { noise: [], requests: [`file://${file}`] });
      return seen;
    } finally {
      await context.close();
    }
  }

  /** On an empty page, which no policy restricts. */
  const calculate = async <T>(script: string, input: unknown): Promise<T> =>
    (await desk.evaluate(`(${script})(${JSON.stringify(input)})`)) as T;
  const unfold = (opened: Page): Promise<unknown> =>
    opened.evaluate(
      `document.querySelectorAll("details").forEach((details) => { details.open = true; })`,
    );

  for (const name of names)
    test(`${name}: asks for nothing, complains of nothing, is well-formed, and has its parts in order`, async () => {
      assert.equal((await calculate<Parsed>(PARSE, page[name])).mistake, null);
      const headings = await look(page[name], { scripts: true }, (opened) =>
        opened.locator("h2").allTextContents(),
      );
      const [verdict, ...rest] = headings;
      assert.match(
        verdict ?? "",
        new RegExp(`^${views[name].decision === "NONE" ? "NO VERDICT" : views[name].decision} `),
      );
      assert.deepEqual(rest, [
        "Metrics",
        "Uptime and connection",
        "Over the day",
        "Checkpoints",
        "Timeline",
        "Findings",
        "Issues encountered",
        "Action items",
        "Observations",
        "Recommendation",
      ]);
    });

  const wordy = renderReport(
    retell(failed, (text) => `${text} ${"W".repeat(300)}`),
    "html",
  );
  for (const [name, html] of Object.entries({ ...page, wordy }))
    test(`${name}: nothing is cut off or has to be moved sideways, from 320 px to 1280 px`, async () =>
      look(html, {}, async (opened) => {
        await unfold(opened);
        for (const width of [320, 360, 640, 740, 768, 1280]) {
          await opened.setViewportSize({ width, height: 800 });
          const [over, wide] = (await opened.evaluate(
            `[${OVERFLOWING}, document.scrollingElement.scrollWidth - innerWidth]`,
          )) as [string[], number];
          assert.deepEqual({ width, over, wide }, { width, over: [], wide: 0 });
        }
      }));

  for (const name of names)
    test(`${name}: every text is 12 px or larger, and contrasts by 4.5 or more with whatever is behind it, in both schemes`, async () =>
      look(page[name], {}, async (opened) => {
        await unfold(opened);
        for (const colorScheme of ["light", "dark"] as const)
          for (const width of [360, 1280]) {
            await opened.emulateMedia({ colorScheme });
            await opened.setViewportSize({ width, height: 800 });
            const texts = (await opened.evaluate(TEXTS)) as unknown[];
            await opened.evaluate(`(${BLANK})(true)`);
            const picture = (await opened.screenshot({ fullPage: true })).toString("base64");
            await opened.evaluate(`(${BLANK})(false)`);
            const measured = await calculate<{ text: string; ratio: number; size: number }[]>(
              CONTRAST,
              { texts, picture },
            );
            assert.ok(measured.length > 30, `only ${measured.length} texts`);
            const poor = measured.filter(
              ({ ratio, size }) => !(ratio >= 4.5 && ratio <= 21) || size < 12,
            );
            assert.deepEqual({ colorScheme, width, poor }, { colorScheme, width, poor: [] });
          }
      }));

  test("what is drawn contrasts with the card by 3 or more, in both schemes", async () => {
    const drawn = ["data", "trend", "limit", "bar", "up", "down", "away", "planned", "hole"];
    const propertyOf = (name: string): string =>
      `getComputedStyle(document.documentElement).getPropertyValue("--${name}").trim()`;
    for (const scheme of ["light", "dark"] as const)
      await look(page.fail, { scheme }, async (opened) => {
        const [card, ...colours] = (await opened.evaluate(
          `[${["card", ...drawn].map(propertyOf).join()}]`,
        )) as [string, ...string[]];
        for (const [index, colour] of colours.entries()) {
          const [low = 0, high = 0] = [luminanceOf(card), luminanceOf(colour)].sort(
            (a, b) => a - b,
          );
          assert.ok(
            (high + 0.05) / (low + 0.05) >= 3,
            `${scheme}: --${drawn[index]} ${colour} on ${card}`,
          );
        }
      });
  });

  test("each kind of interruption has a place and a pattern of its own, and the shortest can be seen on a phone", async () => {
    type Piece = { kind: string; drawn: number; shape: string };
    const pieces = await look(
      page.fail,
      { width: 360 },
      (opened) => opened.evaluate(PIECES) as Promise<Piece[]>,
    );
    const kinds = new Map(pieces.map(({ kind, shape }) => [kind, shape]));
    assert.deepEqual([...kinds.keys()].sort(), ["disconnected", "down", "hole", "planned", "up"]);
    assert.equal(new Set(kinds.values()).size, 5, "two kinds look alike but for the colour");
    for (const { kind, drawn } of pieces) assert.ok(drawn >= 2, `${kind} is ${drawn} px wide`);
  });

  test("paper shows the evidence that the screen folds, in light colours, on a few pages", async () =>
    look(page.fail, { scheme: "dark" }, async (opened) => {
      const isShown = () =>
        opened.evaluate(
          `[...document.querySelectorAll("pre")].every((lines) => lines.checkVisibility() && lines.offsetHeight > 20)`,
        );
      assert.equal(await isShown(), false, "unfolded on the screen");
      await opened.emulateMedia({ media: "print" });
      assert.equal(await isShown(), true, "folded on paper");
      assert.equal(
        await opened.evaluate("getComputedStyle(document.body).backgroundColor"),
        "rgb(255, 255, 255)",
      );
      await opened.emulateMedia({ media: null });
      const pdf = await opened.pdf({ preferCSSPageSize: true });
      assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
      const sheets = pdf.toString("latin1").match(/\/Type \/Page\b(?!s)/g) ?? [];
      assert.ok(sheets.length >= 3 && sheets.length <= 7, `${sheets.length} pages`);
    }));

  for (const text of HOSTILE)
    test(`what the report was told cannot become HTML: ${JSON.stringify(text).slice(0, 70)}`, async () => {
      const lines = text.split(/\r?\n/).filter((line) => line.trim());
      for (const alter of [retell, retellAll]) {
        const html = renderReport(alter(failed, text), "html");
        const plainWords = lines.map(() => "plain").join("\n");
        const plain = renderReport(alter(failed, plainWords), "html");
        assert.doesNotMatch(html.replaceAll("\n", ""), HIDDEN);
        const told = await calculate<Parsed>(PARSE, html);
        const reference = await calculate<Parsed>(PARSE, plain);
        assert.equal(told.mistake, null);
        assert.deepEqual(told.structure, reference.structure);
        for (const line of lines)
          assert.ok(told.text.includes(printable(line)), `it does not say ${printable(line)}`);
      }
    });

  test("what the report was told runs nothing and asks for nothing, even without the page's own policy", async () => {
    let next = 0;
    const html = renderReport(
      retell(failed, () => HOSTILE[next++ % HOSTILE.length] as string),
      "html",
    );
    assert.ok(next > 3 * HOSTILE.length, `only ${next} texts`);
    const policy = /<meta http-equiv="Content-Security-Policy"[^>]*>/;
    assert.match(html, policy);
    await look(html.replace(policy, ""), { scripts: true }, (opened) => unfold(opened));
  });
});
