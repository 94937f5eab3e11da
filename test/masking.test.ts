// What leaves the verifier passes through maskOf() and printable(), so both are tested like a lock:
// with planted secrets, with
// look-alikes that must stay readable, and with hostile text. Vendor tokens are put together at run
// time, because a repository's
// secret scanner cannot tell a fixture from a leak.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { maskDeep, maskOf } from "../lib/masking.ts";
import { printable } from "../lib/text.ts";

const mask = maskOf([]);

/** A seeded generator (mulberry32), so that a failure can be repeated. */
function generator(seed: number): {
  below: (limit: number) => number;
  pick: <T>(of: readonly T[]) => T;
  text: (alphabet: string, length: number) => string;
} {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const text = (alphabet: string, length: number): string =>
    Array.from({ length }, () => pick([...alphabet])).join("");
  return { below, pick, text };
}

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
const HEX = `${DIGITS}abcdef`;
const ALNUM = `${LOWER}${LOWER.toUpperCase()}${DIGITS}`;
const BASE64URL = `${ALNUM}-_`;

const urlEncode = encodeURIComponent;
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const jsonEscape = (text: string): string => JSON.stringify(text).slice(1, -1);

// --- planted secrets -----------------------------------------------------------

type Plant = { before: string; secret: string; after: string };
const random = generator(20_241_121);
const word = (length: number): string => random.text(ALNUM, length);
// What may stand unquoted in a log line.
const bare = (): string => word(4) + random.text("@:%!#$^*+~äß密😀", 3) + word(4);
const nasty = (): string =>
  word(4) + random.text("@:%!#$^*+~äß密😀 &'\"\\,;)]}{[(<>=/?", 6) + word(4);

/** Each kind of secret in the text that surrounds it in practice. */
const PLANTS: Readonly<Record<string, () => Plant>> = {
  "password=": () => ({
    before: `${random.pick(["password", "passwd", "pw", "pwd", "DB_PASSWORD", "PGPASSWORD", "dbPassword"])}=`,
    secret: bare(),
    after: "",
  }),
  "token:": () => ({
    before: `bot ${random.pick(["token", "secret", "api key", "apiKey", "access-key", "session_id", "client_secret"])}: `,
    secret: bare(),
    after: "",
  }),
  JSON: () => ({
    before: `{"user":"bob","password":"`,
    secret: jsonEscape(nasty()),
    after: `","retries":3}`,
  }),
  "Python repr": () => ({
    before: `{'user': 'bob', 'pw': '`,
    secret: nasty().replace(/[\\']/g, "\\$&"),
    after: `', 'retries': 3}`,
  }),
  "Python call": () => ({
    before: `connect(host='db', password='`,
    secret: nasty().replace(/[\\']/g, "\\$&"),
    after: `', port=5432)`,
  }),
  YAML: () => ({ before: `passphrase: "`, secret: jsonEscape(nasty()), after: `" # rotated` }),
  "URL query": () => ({
    before: `GET /login?user=bob&password=`,
    secret: urlEncode(nasty()),
    after: `&next=home`,
  }),
  "URL userinfo": () => ({
    before: `${random.pick(["https", "postgres", "redis", "amqp"])}://bob:`,
    secret: bare(),
    after: "@db.example.com:5432/main",
  }),
  "command line": () => ({
    before: `bot ${random.pick(["--password ", "--token=", "--api-key "])}`,
    secret: bare(),
    after: " --user bob",
  }),
  "Bearer header": () => ({
    before: "Authorization: Bearer ",
    secret: random.text(`${BASE64URL}.~+/`, 24),
    after: "",
  }),
  "Basic header": () => ({
    before: "Authorization: Basic ",
    secret: base64(`bob:${nasty()}`),
    after: "",
  }),
  "Cookie header": () => ({
    before: "Cookie: ",
    secret: `sid=${word(20)}; csrf=${word(12)}`,
    after: "",
  }),
  JWT: () => ({
    before: `got eyJ`,
    secret: `${word(17)}.${random.text(BASE64URL, 30)}.${random.text(BASE64URL, 43)}`,
    after: " (expired)",
  }),
  "AWS id": () => ({
    before: "using ",
    secret: `${random.pick(["AKIA", "ASIA"])}${random.text(`${LOWER.toUpperCase()}234567`, 16)}`,
    after: " in eu-west-1",
  }),
  "AWS secret": () => ({
    before: "aws_secret_access_key = ",
    secret: random.text(`${ALNUM}/+`, 40),
    after: "",
  }),
  GitHub: () => ({
    before: "clone with ",
    secret: `${random.pick(["ghp_", "gho_", "ghs_", "github_pat_"])}${word(36)}`,
    after: " failed",
  }),
  "GitLab or npm": () => ({
    before: "login ",
    secret: random.pick([`glpat-${random.text(BASE64URL, 20)}`, `npm_${word(36)}`]),
    after: " refused",
  }),
  Slack: () => ({
    before: "posting with ",
    secret: `xox${random.pick(["b", "p", "a"])}-${random.text(DIGITS, 11)}-${word(24)}`,
    after: " to #ops",
  }),
  "Slack webhook": () => ({
    before: "POST https://hooks.slack.com/services/",
    secret: `T${word(8)}/B${word(8)}/${word(24)}`,
    after: " 200",
  }),
  "Discord webhook": () => ({
    before: `POST https://discord.com/api/webhooks/${random.text("123456789", 18)}/`,
    secret: random.text(BASE64URL, 68),
    after: " 204",
  }),
  "Discord bot": () => ({
    before: "login ",
    secret: `M${random.text(ALNUM, 23)}.${random.text(BASE64URL, 6)}.${word(38)}`,
    after: " ok",
  }),
  Telegram: () => ({
    before: "GET https://api.telegram.org/bot",
    secret: `${random.text("123456789", 10)}:AA${random.text(ALNUM, 33)}`,
    after: "/getMe",
  }),
  Stripe: () => ({
    before: "charge with ",
    secret: `${random.pick(["sk", "rk"])}_live_${word(24)}`,
    after: " declined",
  }),
  "Google, AI, mail": () => ({
    before: "key in use ",
    secret: random.pick([
      `AIza${word(35)}`,
      `sk-ant-${word(15)}7${word(15)}`,
      `sk-${word(23)}7${word(24)}`,
      `SG.${word(22)}.${word(43)}`,
    ]),
    after: " (quota)",
  }),
};
const PLANT_COUNT = 504; // 24 kinds, 21 of each.

/** A plant as it appears in a log, and the part of the line that has to survive. */
const FORMS: Readonly<
  Record<string, (plant: Plant) => { line: string; start: string; end: string }>
> = {
  plain: ({ before, secret, after }) => ({
    line: `12:00:01 INFO ${before}${secret}${after} in 12 ms`,
    start: `12:00:01 INFO ${before}`,
    end: `${after} in 12 ms`,
  }),
  "URL-encoded": ({ before, secret, after }) => ({
    line: `12:00:01 "GET /log?m=${urlEncode(before + secret + after)} HTTP/1.1" 200`,
    start: '12:00:01 "GET /log?m=',
    end: ' HTTP/1.1" 200',
  }),
  base64: ({ before, secret, after }) => ({
    line: `12:00:01 payload ${base64(before + secret + after)} queued`,
    start: "12:00:01 payload ",
    end: " queued",
  }),
  "JSON-escaped": ({ before, secret, after }) => ({
    line: `{"level":"info","msg":${JSON.stringify(`run ${before}${secret}${after} in 12 ms`)},"ms":12}`,
    start: `{"level":"info","msg":"run ${jsonEscape(before)}`,
    end: `${jsonEscape(after)} in 12 ms","ms":12}`,
  }),
};

describe("maskOf() and planted secrets", () => {
  const kinds = Object.entries(PLANTS);
  const plants = Array.from({ length: PLANT_COUNT }, (_, i) =>
    (kinds[i % kinds.length] as [string, () => Plant])[1](),
  );
  for (const [form, wrap] of Object.entries(FORMS)) {
    test(`maskOf() masks each of ${PLANT_COUNT} planted secrets, ${form}, and nothing else of the line`, () => {
      for (const plant of plants) {
        const { line, start, end } = wrap(plant);
        const masked = mask(line);
        assert.ok(
          masked.startsWith(start) && masked.endsWith(end),
          `rest of the line changed: ${line}\n  became ${masked}`,
        );
        // The parts of a secret that a cookie's `;` or a Basic header's encoding separates are
        // covered by the whole middle being stars.
        const middle = masked.slice(start.length, masked.length - end.length);
        for (const spelling of [
          plant.secret,
          urlEncode(plant.secret),
          base64(plant.secret),
          jsonEscape(plant.secret),
        ])
          assert.ok(!masked.includes(spelling), `leaked: ${line}\n  as ${masked}`);
        if (form === "plain" || form === "JSON-escaped") assert.equal(middle, "***", line);
        if (form === "base64") assert.equal(middle, "***", line);
        assert.equal(mask(masked), masked, "masking twice changes nothing");
      }
    });
  }

  test("maskOf() leaves no piece of a planted secret behind, however it is encoded", () => {
    for (const plant of plants) {
      for (const wrap of Object.values(FORMS)) {
        const masked = mask(wrap(plant).line);
        for (let i = 0; i + 8 <= plant.secret.length; i += 4)
          assert.ok(
            !masked.includes(plant.secret.slice(i, i + 8)),
            `${wrap(plant).line}\n  became ${masked}`,
          );
      }
    }
  });
});

// --- notations, one by one --------------------------------------------------------

const NOTATIONS: readonly (readonly [name: string, line: string, masked: string])[] = [
  [
    "a password in a URL",
    "at postgres://bob:hunter2@db:5432/main?a=b",
    "at postgres://bob:***@db:5432/main?a=b",
  ],
  [
    "a password with @, : and % in a URL",
    "at postgres://bob:p@ss:w%rd@db:5432/main",
    "at postgres://bob:***@db:5432/main",
  ],
  [
    "a password with /, ? and # in a URL",
    "at postgres://bob:p/w?x#y@db:5432/main",
    "at postgres://bob:***@db:5432/main",
  ],
  [
    "a password in a URL without a user",
    "at redis://:hunter2@cache:6379/0",
    "at redis://:***@cache:6379/0",
  ],
  [
    "a password in a URL whose user is an address",
    "at smtp://bob@example.com:hunter2@mail:25",
    "at smtp://bob@example.com:***@mail:25",
  ],
  [
    "a token as a URL's user",
    "clone https://0a1b2c3d@github.com/a/b.git",
    "clone https://***@github.com/a/b.git",
  ],
  [
    "a password beside a user named token",
    "clone https://token:hunter2@host/x",
    "clone https://token:***@host/x",
  ],
  ["a Go DSN", "open bob:hunter2@tcp(db:3306)/main", "open bob:***@tcp(db:3306)/main"],
  [
    "an ADO connection string",
    "Server=h;User Id=sa;Password=p@s;s;Database=x;",
    "Server=h;User Id=sa;Password=***;Database=x;",
  ],
  [
    "a storage connection string",
    "AccountName=x;AccountKey=abc+/def==;EndpointSuffix=y",
    "AccountName=x;AccountKey=***;EndpointSuffix=y",
  ],
  ["a libpq DSN", "host=h password='hun ter2' user=bob", "host=h password='***' user=bob"],
  ["a query parameter before another", "GET /x?token=a%26b&user=bob", "GET /x?token=***&user=bob"],
  ["a query parameter in square brackets", "user[password]=hunter2&x=1", "user[password]=***&x=1"],
  [
    "an encoded query in place",
    "m=user%3Dbob%26password%3Da%20b%26z%3D1 done",
    "m=user%3Dbob%26password%3D***%26z%3D1 done",
  ],
  [
    "encoded JSON in place",
    "q=%7B%22pw%22%3A%20%22a%20b%22%2C%22u%22%3A1%7D",
    "q=%7B%22pw%22%3A%20%22***%22%2C%22u%22%3A1%7D",
  ],
  [
    "JSON with an escaped quote",
    '{"password":"hun\\"ter 2","user":"bob"}',
    '{"password":"***","user":"bob"}',
  ],
  ["a JSON number", '{"password":12345,"user":"bob"}', '{"password":***,"user":"bob"}'],
  [
    "JSON in a JSON string",
    '{"m":"{\\"pw\\": \\"a b\\", \\"u\\": 1}"}',
    '{"m":"{\\"pw\\": \\"***\\", \\"u\\": 1}"}',
  ],
  [
    "JSON in JSON in a JSON string",
    '"{\\"m\\":\\"{\\\\\\"pw\\\\\\": \\\\\\"x y\\\\\\"}\\"}"',
    '"{\\"m\\":\\"{\\\\\\"pw\\\\\\": \\\\\\"***\\\\\\"}\\"}"',
  ],
  [
    "a JSON string with quotes around the value",
    '{"m":"set password=\\"a b\\" done"}',
    '{"m":"set password=\\"***\\" done"}',
  ],
  [
    "a JSON string up to its line break",
    '{"m":"password=hunter2\\nuser=bob"}',
    '{"m":"password=***\\nuser=bob"}',
  ],
  [
    "a URL at the end of a JSON string",
    '{"url":"https://x/y?token=abc","n":1}',
    '{"url":"https://x/y?token=***","n":1}',
  ],
  ["a list of tokens", '{"tokens":["abc","def"],"n":1}', '{"tokens":["***","***"],"n":1}'],
  [
    "an object of credentials",
    '"credentials": {"user":"bob","key":"x"}, "n": 1',
    '"credentials": {"user":"***","key":"***"}, "n": 1',
  ],
  [
    "a name and value pair",
    '{"name":"DB_PASSWORD","value":"a b"}',
    '{"name":"DB_PASSWORD","value":"***"}',
  ],
  [
    "a Python repr with an apostrophe",
    `{'pw': "it's", 'user': 'bob'}`,
    `{'pw': "***", 'user': 'bob'}`,
  ],
  ["a Python keyword", "Client(pw='it\\'s me', user='bob')", "Client(pw='***', user='bob')"],
  [
    "a Python repr in JSON",
    `{"m":"{'pw': 'it\\\\'s', 'u': 'bob'}"}`,
    `{"m":"{'pw': '***', 'u': 'bob'}"}`,
  ],
  ["a Python subscript", "os.environ['PASSWORD'] = 'a b'", "os.environ['PASSWORD'] = '***'"],
  ["YAML with a doubled quote", "  pw: 'it''s me' # old", "  pw: '***' # old"],
  ["YAML of several words", "passphrase: correct horse battery staple", "passphrase: ***"],
  ["YAML with a comment", "  api_key: abc # old", "  api_key: *** # old"],
  ["a shell assignment", "PASSWORD='it'\\''s me' ./run", "PASSWORD='***' ./run"],
  [
    "an environment variable",
    "DB_PASS=hunter2 PGPASSWORD=secret ./run",
    "DB_PASS=*** PGPASSWORD=*** ./run",
  ],
  ["an option with a blank", "bot --password hunter2 --user bob", "bot --password *** --user bob"],
  ["an option in an argument list", '["--token","abc","--user"]', '["--token","***","--user"]'],
  ["curl's user", "curl -u bob:hunter2 https://x/", "curl -u bob:*** https://x/"],
  ["an XML element", "<password>a b</password>", "<password>***</password>"],
  ["HTML-escaped JSON", "{&quot;pw&quot;: &quot;a b&quot;}", "{&quot;pw&quot;: &quot;***&quot;}"],
  ["SQL", "ALTER USER bob WITH PASSWORD 'hun ter2'", "ALTER USER bob WITH PASSWORD '***'"],
  [
    "a header in a sentence",
    "sent Authorization: Bearer abc.def, got 401",
    "sent Authorization: Bearer ***, got 401",
  ],
  ["a header without a known scheme", "authorization: abcdef", "authorization: ***"],
  [
    "a digest header",
    'sent Authorization: Digest username="bob", response="abc" now',
    "sent Authorization: Digest *** now",
  ],
  ["a quoted header", "curl -H 'Cookie: a=b; c=d' https://x/", "curl -H 'Cookie: ***' https://x/"],
  [
    "cookies with a date",
    "set-cookie: a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT; HttpOnly",
    "set-cookie: ***",
  ],
  ["a bearer token outside a header", "using bearer abc.def-1 now", "using bearer *** now"],
  ["a password with a quote inside", "password=it's ok", "password=*** ok"],
  ["a quoted password with quotes inside", 'password="a"b" ok', 'password="***" ok'],
  ["a password in typographic quotes", "pw=“a b” ok", "pw=“***” ok"],
  ["a password in brackets", "(password=hunter2), [token: abc]", "(password=***), [token: ***]"],
  ["a password at the end of a sentence", "the password: hunter2.", "the password: ***."],
  ["a password before a comma", "password: hunter2, user: bob", "password: ***, user: bob"],
  [
    "a password without its closing quote",
    `{"user":"bob","password":"hunter2 and mo`,
    `{"user":"bob","password":"***`,
  ],
  [
    "a colourful key",
    "\x1b[35mpassword\x1b[39m: \x1b[32mhunter2\x1b[39m",
    "\x1b[35mpassword\x1b[39m: \x1b[32m***\x1b[39m",
  ],
  ["a key with an invisible character", "pass\u200bword=hunter2 x", "pass\u200bword=*** x"],
  ["an escaped key", '{"p\\u0061ssword":"hunter2"}', '{"p\\u0061ssword":"***"}'],
  [
    "a password that follows an already masked one",
    "password=*** token=abc",
    "password=*** token=***",
  ],
];

describe("maskOf() and notations", () => {
  for (const [name, line, masked] of NOTATIONS) {
    test(`maskOf() masks ${name}`, () => {
      assert.equal(mask(line), masked);
      assert.equal(mask(masked), masked);
    });
  }

  test("maskOf() masks a private key and keeps its lines apart", () => {
    const fence = (which: string): string => `-----${which} RSA PRIVATE ${"KEY"}-----`;
    const body = [random.text(ALNUM, 64), random.text(ALNUM, 64), "abc="];
    const key = [fence("BEGIN"), ...body, fence("END"), "next"].join("\n");
    assert.equal(mask(key), [fence("BEGIN"), "***", "***", "***", fence("END"), "next"].join("\n"));
    const escaped = mask(JSON.stringify({ key }));
    for (const line of body) assert.ok(!escaped.includes(line));
    assert.ok(escaped.endsWith('\\nnext"}'));
    assert.equal(mask(`  ${body[0]}`), "  ***", "a line without its fences");
    assert.equal(
      mask(`${fence("BEGIN")} ${body[0]}`),
      `${fence("BEGIN")} ***`,
      "a line with one fence",
    );
    assert.equal(
      mask(`found MIIEvQ${"IBADANBgkqhkiG9w0BAQEFAASC"} here`),
      "found *** here",
      "the beginning of a DER key",
    );
    assert.equal(mask(`blob ${base64(key)} here`), "blob *** here");
  });

  test("maskOf() masks base64 of JSON of JSON", () => {
    const inner = JSON.stringify({ note: JSON.stringify({ password: "hunter2" }) });
    assert.equal(mask(`a ${base64(inner)} b`), "a *** b");
    assert.equal(mask(`a ${Buffer.from(inner).toString("base64url")} b`), "a *** b");
    assert.equal(mask(`GET /callback/${base64("token=hunter2;ok")} 200`), "GET /callback/*** 200");
  });
});

// --- look-alikes ----------------------------------------------------------------

const LOOK_ALIKES = [
  "password reset requested by alice",
  "token count: 512",
  "tokens: 15",
  "max_tokens=4096",
  "secretary: Bob",
  '"status":"ok"',
  "author: x",
  "keyboard=us",
  "passed: 5",
  "bypass: true",
  "monkey=1",
  "key: value",
  "cache key: user:42",
  "public_key=abc",
  "sessions: 3",
  "session count: 5",
  "password: null",
  'password: ""',
  "password=''",
  "password: true",
  '{"password":"","token":null,"user":"bob"}',
  "pass: 10, fail: 0",
  "# pass 12",
  "pass: all checks",
  "secrets: none",
  "cat: /run/secrets/db_password: No such file or directory",
  "/etc/bot/token: permission denied",
  "password_file: /run/secrets/db",
  "PWD=/srv/bot",
  "    at Token.parse (/app/token.js:12:5)",
  "    at Object.<anonymous> (file:///app/secret.ts:12:5)",
  '  File "/app/password.py", line 12, in token',
  "SyntaxError: Unexpected token: }",
  `SyntaxError: Unexpected token '<', "<!DOCTYPE "... is not valid JSON`,
  "std::secret::Token::new",
  "basic authentication failed",
  "bearer token missing",
  'WWW-Authenticate: Bearer realm="bot"',
  "docker run -u 1000:1000 bot",
  "npm_lifecycle_event=start",
  "https://example.com:8080/path/@user?x=1",
  "https://alice@example.com/x",
  "ssh://git@github.com/a/b.git",
  "git@github.com:a/b.git",
  "mailto:bob@example.com",
  "https://hc-ping.com/0b1c2d3e-4f50-4617-8899-aabbccddeeff",
  "https://ntfy.sh/my-topic",
  "sk-circle-fade-dot-animation",
  "2024-11-21T22:56:00.123Z [INFO] connected",
];

const like = generator(7);
const GENERATED: readonly (() => string)[] = [
  () => `id=${[8, 4, 4, 4, 12].map((length) => like.text(HEX, length)).join("-")}`,
  () => `commit ${like.text(HEX, 40)} by ${like.text(LOWER, 6)}`,
  () => `sha256:${like.text(HEX, 64)}`,
  () =>
    `blob ${Buffer.from(Array.from({ length: 30 + like.below(30) }, () => like.below(256))).toString("base64")} end`,
  () => `blob ${base64(`just some ${like.text(LOWER, 8)} text, number ${like.below(1000)}`)} end`,
  () => `/srv/${like.text(LOWER, 6)}/${like.text(LOWER, 9)}/${like.text(ALNUM, 20)}.log`,
  () => `${like.text(LOWER, 7)}@${like.text(LOWER, 5)}.example.com joined`,
  () =>
    `https://${like.text(LOWER, 8)}.example.com:${1000 + like.below(9000)}/${like.text(ALNUM, 12)}?page=${like.below(99)}&sort=up#top`,
  () =>
    `memory=${like.below(512)}.${like.below(9)}MB users=${like.below(99)} uptime: ${like.below(9999)}s`,
  () =>
    `${new Date(1_700_000_000_000 + like.below(1e9)).toISOString()} tokens: ${like.below(999)} max_tokens=${like.below(9999)}`,
];

describe("maskOf() and look-alikes", () => {
  test("maskOf() leaves 550 harmless lines alone", () => {
    const lines = [
      ...LOOK_ALIKES,
      ...Array.from({ length: 550 - LOOK_ALIKES.length }, (_, i) =>
        (GENERATED[i % GENERATED.length] as () => string)(),
      ),
    ];
    for (const line of lines) assert.equal(mask(line), line);
    assert.equal(mask(lines.join("\n")), lines.join("\n"));
  });

  test("maskOf() leaves harmless lines alone inside JSON and URLs", () => {
    for (const line of LOOK_ALIKES) {
      assert.equal(mask(JSON.stringify({ line, n: 1 })), JSON.stringify({ line, n: 1 }));
      assert.equal(mask(`m=${urlEncode(line)} end`), `m=${urlEncode(line)} end`);
    }
  });
});

// --- known values -----------------------------------------------------------------

const known = fc
  .oneof(
    fc.string({ minLength: 4, maxLength: 30 }),
    fc.string({ unit: "grapheme", minLength: 4, maxLength: 20 }),
  )
  .filter((value) => value.trim().length >= 4);

/** Every spelling in which a configured secret can come back from a server, a library or a log. */
const SPELLINGS: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  "URL-encoded": urlEncode,
  "URL-encoded, lower case": (value) =>
    urlEncode(value).replace(/%../g, (unit) => unit.toLowerCase()),
  "URL-encoded with + for a blank": (value) =>
    new URLSearchParams({ a: value }).toString().slice(2),
  base64,
  base64url: (value) => Buffer.from(value).toString("base64url"),
  "base64 at the second alignment": (value) => base64(`\x01${value}\x01`),
  "base64 at the third alignment": (value) => base64(`\x01\x01${value}\x01\x01`),
  "base64 inside a longer run": (value) => base64(`\x01\x02\x03\x04${value}\xff\xfe\x00`),
  "JSON-escaped": jsonEscape,
  "JSON-escaped twice": (value) => jsonEscape(jsonEscape(value)),
  "JSON-escaped in ASCII": (value) =>
    jsonEscape(value).replace(
      /[^\x20-\x7e]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  hex: (value) => Buffer.from(value).toString("hex"),
  "hex, upper case": (value) => Buffer.from(value).toString("hex").toUpperCase(),
};

describe("maskOf() and known values", () => {
  for (const [name, spell] of Object.entries(SPELLINGS)) {
    test(`maskOf() lets no known value survive, ${name}`, () => {
      fc.assert(
        fc.property(known, (value) => {
          const masked = maskOf([value])(`<${spell(value)}>`);
          assert.ok(masked.includes("***"));
          // Stars are what a mask is made of; a value of nothing else cannot be told from one.
          if (!/^[*\s]*$/.test(value)) assert.ok(!masked.includes(spell(value)), masked);
        }),
      );
    });
  }

  test("maskOf() leaves the rest of a line with a known value alone", () => {
    const maskKnown = maskOf(["hunter2 & more", "s3cr3t/✓"]);
    assert.equal(maskKnown("a hunter2 & more b"), "a *** b");
    assert.equal(maskKnown("a hunter2+%26+more b"), "a *** b");
    assert.equal(maskKnown(`a ${base64("hunter2 & more")} b`), "a *** b");
    assert.equal(maskKnown("a s3cr3t%2f%e2%9c%93 b"), "a *** b");
    assert.equal(maskKnown("a s3cr3t\\/\\u2713 b"), "a *** b");
    assert.equal(maskKnown("a hunter2 & less b"), "a hunter2 & less b");
  });

  test("maskOf() masks a known value of several lines line by line", () => {
    const maskKnown = maskOf(["first line\nsecond line"]);
    assert.equal(maskKnown("a first line\nsecond line b"), "a ***\n*** b");
    assert.equal(maskKnown("a second line"), "a ***");
  });

  test("maskOf() masks a ping URL only when it is known", () => {
    const url = "https://hc-ping.com/0b1c2d3e-4f50-4617-8899-aabbccddeeff";
    assert.equal(mask(url), url);
    assert.equal(maskOf([url])(`ping ${url} ok`), "ping *** ok");
  });

  test("maskOf() ignores known values shorter than 4 characters", () => {
    assert.equal(maskOf(["", "on", "bob"])("bob is on"), "bob is on");
  });
});

// --- properties of any text -----------------------------------------------------------

const FRAGMENTS = [
  "password",
  "token",
  "=",
  ":",
  ": ",
  '"',
  "'",
  "\\",
  '\\"',
  "%3D",
  "%22",
  "%",
  "&",
  ";",
  ",",
  " ",
  "\n",
  "\r\n",
  "\t",
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  "<",
  ">",
  "***",
  "*",
  "--",
  "://",
  "@",
  "a",
  "B7",
  "Authorization",
  "Cookie",
  "Bearer ",
  "pass",
  "hunter2",
  "🦀",
  "\u200b",
  "\x1b[1m",
  "eyJhbGciOi",
  ".",
  "/",
  base64("password=hunter2"),
  "&quot;",
  "\uffff",
  "\ud800",
];
const hostile = fc
  .array(fc.constantFrom(...FRAGMENTS), { maxLength: 40 })
  .map((parts) => parts.join(""));

describe("maskOf() and any text", () => {
  test("maskOf() is idempotent", () => {
    for (const secrets of [[], ["hunter2", "a***b", "****", "pass", "B7B7"]]) {
      const maskAny = maskOf(secrets);
      fc.assert(
        fc.property(fc.oneof(hostile, fc.string({ unit: "binary" })), (text) =>
          assert.equal(maskAny(maskAny(text)), maskAny(text)),
        ),
        { numRuns: 3000 },
      );
    }
  });

  test("maskOf() never merges or splits lines", () => {
    const breaks = (text: string): string => text.replace(/[^\r\n]/g, "");
    fc.assert(
      fc.property(hostile, (text) => assert.equal(breaks(maskOf(["hunter2"])(text)), breaks(text))),
      { numRuns: 2000 },
    );
  });

  // Quadratic time on 256 kB takes half a minute and more; linear time takes a few tenths of a
  // second on a slow machine.
  const CHARACTERS = [..."aA1-_./:@=&%+\\\"'` \t\n,;([{<>é🦀\x1b\u200b"];
  const REPEATED = [
    "%25",
    "%5c",
    "\\u005c",
    "&amp;",
    "token ",
    "token:",
    "token: a ",
    "token=\\",
    'token="',
    'token="\\',
    'token=["',
    "password=",
    "pw='a''",
    "--token ",
    "://",
    "://a:",
    "://a:b@",
    "//a:x/",
    "a:",
    "1:",
    "bearer ",
    "basic abcd ",
    "eyJ",
    "eyJa.",
    "sk-",
    "AKIA",
    "MII",
    "cookie: a=b;",
    "authorization: a=b,",
    "QUFB",
    "/webhooks/",
    "/token:",
    "-----BEGIN PRIVATE KEY-----",
    "\x1b[1m",
    '\\"',
    "x,a",
    "\ud800",
  ];
  for (const piece of [...CHARACTERS, ...REPEATED]) {
    test(`maskOf() takes linear time on ${JSON.stringify(piece)} over and over`, () => {
      const text = piece.repeat(Math.ceil(2 ** 18 / piece.length));
      const start = performance.now();
      maskOf(["hunter2 + more"])(text);
      printable(text);
      const ms = performance.now() - start;
      assert.ok(ms < 4000, `${Math.round(ms)} ms`);
    });
  }
});

// --- data and terminals ----------------------------------------------------------------

describe("maskDeep()", () => {
  test("maskDeep() masks strings, keys, and what stands under a secret's key", () => {
    const data = {
      user: "bob",
      url: "redis://:hunter2@cache/0",
      "x token=abc": 1,
      DB_PASSWORD: "a b",
      pin: { accessToken: 12345, list: [{ token: "x" }] },
    };
    assert.deepEqual(maskDeep(data, mask), {
      user: "bob",
      url: "redis://:***@cache/0",
      "x token=***": 1,
      DB_PASSWORD: "***",
      pin: { accessToken: "***", list: [{ token: "***" }] },
    });
  });

  test("maskDeep() hides everything below a secret's key", () => {
    assert.deepEqual(maskDeep({ credentials: { user: "bob", pins: [1, "x", true, null] } }, mask), {
      credentials: { user: "***", pins: ["***", "***", true, null] },
    });
    assert.deepEqual(maskDeep({ tokens: ["abc"], "set-cookie": ["a=b"] }, mask), {
      tokens: ["***"],
      "set-cookie": ["***"],
    });
  });

  test("maskDeep() keeps what is no secret", () => {
    const data = {
      password: null,
      token: "",
      secret: true,
      tokens: 15,
      max_tokens: 4096,
      pass: 10,
      author: "x",
      none: undefined,
      list: [1, "a", null],
    };
    assert.deepEqual(maskDeep(data, mask), data);
  });

  test("maskDeep() copies, keeps masked keys apart, and cannot reach a prototype", () => {
    const data = JSON.parse(
      '{"password=aaa":1,"password=bbb":2,"__proto__":{"polluted":"password=x"}}',
    );
    const copy = maskDeep(data, mask);
    assert.deepEqual(Object.keys(copy), ["password=***", "password=****", "__proto__"]);
    assert.equal(Object.getPrototypeOf(copy), Object.prototype);
    assert.deepEqual(Object.keys(data), ["password=aaa", "password=bbb", "__proto__"]);
  });

  test("maskDeep() lets no known value through in any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const planted = { value, "my s3cr3t-value": [value, "a s3cr3t-value b"] };
        assert.ok(
          !JSON.stringify(maskDeep(planted, maskOf(["s3cr3t-value"]))).includes("s3cr3t-value"),
        );
      }),
    );
  });
});

describe("printable()", () => {
  const cases: readonly (readonly [name: string, text: string, shown: string])[] = [
    ["strips colours", "\x1b[31mred\x1b[0m", "red"],
    ["strips a window title", "\x1b]0;evil\x07text", "text"],
    [
      "shows line breaks, tabs, bells and backspaces",
      "a\r\n\t\x07\x08b",
      "a\\x0d\\x0a\\x09\\x07\\x08b",
    ],
    ["shows DEL and C1 controls", "a\x7f\x85b", "a\\x7f\\x85b"],
    ["shows bidirectional controls", "a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"],
    [
      "shows invisible characters",
      "a\u200b\u200d\ufeff\u00ad\u2060b",
      "a\\u200b\\u200d\\ufeff\\xad\\u2060b",
    ],
    ["shows line and paragraph separators", "a\u2028\u2029b", "a\\u2028\\u2029b"],
    ["shows tag characters", "a\u{e0041}b", "a\\u{e0041}b"],
    ["shows lone surrogates and keeps pairs", "a\ud83d 🦀", "a\\ud83d 🦀"],
    ["keeps other text", "Grüße, 世界! \u00a0 “ok”", "Grüße, 世界! \u00a0 “ok”"],
  ];
  for (const [name, text, shown] of cases)
    test(`printable() ${name}`, () => assert.equal(printable(text), shown));

  test("printable() never lets a control character through", () => {
    const controls = fc.constantFrom(
      "\x1b",
      "\x1b[",
      "\x1b[31m",
      "\x1b]8;;",
      "\x07",
      "\x9b",
      "\x9d",
      "\x1b\\",
      "\n",
      "\r",
      "\0",
      "\u202e",
      "\u200b",
      "\ud800",
      "\udc00",
      "a",
      ";",
      "1",
      "m",
      "[",
    );
    const text = fc.oneof(
      fc.array(controls).map((parts) => parts.join("")),
      fc.string({ unit: "binary" }),
      fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes)),
    );
    fc.assert(
      fc.property(text, (value) => {
        const shown = printable(value);
        assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        assert.equal(printable(shown), shown);
      }),
      { numRuns: 5000 },
    );
  });
});
