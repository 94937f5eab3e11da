/**
 * What secrets look like: by their own shape, by the key before them, where their values end, and
 * in which other spellings they stand. Every pattern starts at a boundary or is bounded, so that
 * hostile text costs linear time.
 */

// --- secrets by their own shape: what has to stand before them is a lookbehind and stays readable

// The password of a URL ends at the last @ before the path; user and host stay, because they say
// which account it was. A raw / ? or # in a password is invalid but happens; digits up to a
// delimiter are a port, and an @ in a path is harmless.
const ACCOUNT = String.raw`//[^\s/?#:"'<>[]{0,256}:`;
const PORT = String.raw`\d{1,5}(?:[/?#,;"'<>)\s]|$)`;
const INNER_QUOTE = String.raw`["'](?![\s,;:)\]}>]|$)`;
const HOST = String.raw`@(?!sha256:)(?:\[|[\w.*\u0080-\uffff-]+(?:[:/,?&;\s"'\`<>)\]}\\|]|$))`;
const STRICT = String.raw`(?:[^\s"'/?#]|${INNER_QUOTE})+`;
const LAX = String.raw`(?:[^\s"':]|:(?!//)|${INNER_QUOTE}){1,128}`;
// Bearer credentials outside a header.
const BEARER_PROSE =
  "token|auth|realm|scheme|error|header|credential|of|is|was|not|missing|required|scope";
export const SHAPES: readonly RegExp[] = [
  new RegExp(`(?<=${ACCOUNT})(?!${PORT})(?:${STRICT}(?=${HOST})|${LAX}(?=${HOST}))`, "gm"),
  // A lone name before the @ of a web URL is a token when it has a digit or is long; elsewhere
  // (ssh://git@host) it is a user.
  /(?<=https?:\/\/)(?=[^\s@/]*\d|[^\s@/]{20})[^\s/?#:@"'<>]+(?=@)/gi,
  /(?<=:\/\/)(?=[^\s@/]*\d)[\w.~%-]{24,}(?=@)/g,
  // A Go MySQL DSN has no scheme.
  /(?<=(?<![\w.-])[\w.-]{1,64}:)[^\s"']{1,128}(?=@(?:tcp|unix)\()/g,
  // curl -u, but not docker -u 1000:1000.
  /(?<=\s(?:-u|--user|--proxy-user)[ =]["']?[A-Za-z][^\s:"']{0,64}:)[^\s"']+/g,
  new RegExp(
    String.raw`(?<=\bbearer[ \t]{1,8})(?!(?:${BEARER_PROSE})[\w-]*(?![\w./+~-]))[\w.~+/-]+=*`,
    "gi",
  ),
  // A JSON Web Token begins with the base64 of `{"`.
  /(?<=(?<![\w-])eyJ)(?=[\w-]{5,}\.)[\w-]+\.[\w-]+(?:\.[\w-]*){0,3}/g,
  // AWS: a secret key is 40 anonymous characters, known only by the key id before it; the ids have
  // fixed prefixes.
  /(?<=(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}["']?[\s:,;=/|"']{1,5})[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g,
  /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  // Vendors that prefix their tokens: GitHub, GitLab, npm, Slack, Stripe, Google, SendGrid,
  // Discord MFA, and others like them.
  /(?<![A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|npm_[A-Za-z0-9]{30,})/g,
  /(?<![A-Za-z0-9])gl(?:[dfpr]t|pat|ptt|imt|oas|cbt|soat|agent)-[\w-]{16,}/g,
  /(?<![A-Za-z0-9])(?:xox[a-z](?:\.xox[a-z])?-[\w-]{8,}|xapp-[\w-]{8,}|[sr]k_(?:live|test)_\w{8,}|whsec_[\w+/=]{16,})/g,
  /(?<![A-Za-z0-9])(?:AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|mfa\.[\w-]{20,})/g,
  /(?<![A-Za-z0-9])(?:(?:hf|glsa|glc|dop_v1|doo_v1|shpat|lin_api|figd|pypi|hvs)[_.-](?=[\w-]{0,99}\d)[\w-]{20,}|AGE-SECRET-KEY-\w{20,})/g,
  // OpenAI, Anthropic; not sk-circle-fade-dot-animation.
  /(?<![\w-])sk-(?=[\w-]*\d)[\w-]{20,}/g,
  // Whoever knows the path of a webhook may post.
  /(?<=hooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]+/gi,
  /(?<=discord(?:app)?\.com\/api\/(?:v\d{1,3}\/)?webhooks\/\d{1,20}\/|\/webhooks\/\d{15,20}\/)[\w-]{6,}/gi,
  // A Discord bot: base64 of its id, of a time, and a MAC.
  /(?<![\w.-])[MNO][\w-]{22,28}\.[\w-]{6,7}\.[\w-]{27,}/g,
  // A Telegram bot: its id and 35 characters (a UUID has 36).
  /(?<!\d)\d{6,12}:[\w-]{35}(?![\w-])/g,
  // A presigned URL (Azure, AWS, Google).
  /(?<=[?&](?:sig|signature|x-(?:amz|goog)-(?:signature|credential))=)[^\s&#"'<>\\]+/gi,
  // A line of a private key without its fence: DER and OpenSSH keys begin alike, and a key file's
  // lines are 64 or 70 wide.
  /(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]{2}[AQgw]IBA|MI[GH][A-Za-z0-9]AgE|MHcCAQEE|MC4CAQAw|b3BlbnNzaC1rZXkt)[A-Za-z0-9+/]{16,}={0,2}/g,
  /(?<=^[ \t]{0,40})(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70})(?=[ \t]*$)/gm,
];
// Basic credentials outside a header decode to user:password; "basic authentication" does not.
export const BASIC = /(?<=\bbasic[ \t]{1,8})[A-Za-z0-9+/_-]{4,}={0,2}/gi;

// --- secrets by their key

// What kinds of "key" are secrets.
const NAMED_KEY =
  "api|access|private|secret|signing|encryption|account|master|auth|shared|storage|license";
// Last words of a key whose value is a secret. Anything may stand before them (DB_PASSWORD,
// accessToken, PGPASSWORD).
const KEY_WORD = [
  "pass(?:word|wd|phrase|code)|pw|pwd|requirepass|masterauth|(?<!by|com|tres|sur|over|under)pass",
  "secret|token|credentials?|otp|_auth|secret_?key_?base",
  String.raw`connect\.sid|sess(?:ion)?[ _.-]?id|authori[sz]ation|cookie`,
  `(?:${NAMED_KEY})[ _.-]?key`,
].join("|");
const KEY_END = String.raw`(s?)(?:\d{1,2}|[_-]?(?:confirm(?:ation)?|hash))?(?:\[\d{0,3}\])?\]?`;
// Between key and value: `:` but not `::` or `://`, `=`, `=>`, `:=`, the `>` of an XML tag,
// `"value":` of a {name, value} pair, and the comma or blank of a command line; a URL-encoded
// blank only before a quote.
const SIGN = [
  "=>|:=|={1,3}|:(?!:|//)|>",
  String.raw`,[ \t]{0,8}["']?value["']?[ \t]{0,8}[:=]`,
  String.raw`,(?=[ \t]{0,8}["'])|(?<=[ \t])`,
].join("|");
const BETWEEN = String.raw`[ \t]{0,8}(${SIGN})(?:(?:%20|(?<=:)\+|\+(?=["'\`])){1,8}|[ \t]{0,8})`;
export const KEYED = new RegExp(
  String.raw`(${KEY_WORD})${KEY_END}(?![A-Za-z0-9_-])["'\`*]{0,2}\]?${BETWEEN}`,
  "gi",
);
export const SECRET_KEY = new RegExp(`(?:${KEY_WORD})${KEY_END}$`, "i");
// What stands where a secret would: nothing is set, or a sentence about the secret. Fewer than
// four signs are punctuation.
export const HARMLESS =
  /^(?:null|none|nil|undefined|true|false|yes|no|ok|required|missing|invalid|expired|unset|n\/a|[^\p{L}\p{N}\uffff]{0,3})$/iu;
// A plural, and `pass` alone, count or tell: "tokens: 15", "pass: 12", "pass: all checks".
export const COUNT = /^(?:[\d.,/%]+\w{0,2}|\p{L}+)$/u;

// --- where the value of a key ends

// An Authorization header keeps its scheme; some schemes have parameters instead of one token.
// Cookies are pairs, dates and all.
export const SCHEME =
  /(?:bearer|basic|digest|token|negotiate|ntlm|api-?key|bot|oauth|hawk|aws4-hmac-sha256|sharedkey|splunk|client-id|dpop|mac|jwt|key)[ \t]+/iy;
export const PARAMETERS = /(?:[\w-]{1,40}=(?:"[^"\r\n]*"|[^\s,"']+),?[ \t]*)+(?<![ \t])/y;
const EXPIRY = String.raw`expires=\w{3}, [\w: -]{10,30}GMT`;
const PAIR = String.raw`[^\s;,"'=\\]+(?:=(?:"[^"\r\n]*"|[^\s;"'\\]*))?`;
const COOKIE = `(?:${EXPIRY}|${PAIR})`;
export const COOKIES = new RegExp(String.raw`${COOKIE}(?:;[ \t]*${COOKIE})*`, "iy");
export const ELEMENT = /[^<\r\n]+/y;
// A quoted value ends at its quote, unless that is escaped (in JSON, twice), doubled, or inside
// a word (it's); without one, at the end of the line.
export const OPENING =
  /(?:[bru]{1,2}(?="[^"\r\n]{0,256}"|'[^'\r\n]{0,256}'))?(?:""(?=[^\s"',;:)\]}&])|["'`\u201c\u201e])/iy;
export const IN_DOUBLE = /(?:[^"\\\r\n]|\\[^\r\n]|"(?=[A-Za-z0-9]))*/y;
export const IN_SINGLE =
  /(?:[^'\\\r\n]|\\\\'(?!\s{0,8}(?:$|[,;](?:[\s"']|\w{1,40}=|$)|[)\]}]+(?:[\s,;."']|$)))|\\[^\r\n]|''|'\\''|'(?=[A-Za-z0-9]))*/y;
export const IN_BACKTICKS = /[^`\r\n]*/y;
export const IN_CURLY = /[^\u201d\u201c\r\n]*/y;
// A list or an object under a secret key: its strings are secrets, its own keys, which a colon
// follows, are not.
export const NESTED =
  /[[{](?=\s{0,8}["'])(?:"(?:[^"\\\r\n]|\\[^\r\n])*"?|'(?:[^'\\\r\n]|\\[^\r\n])*'?|[^"'\]}\r\n])*/y;
export const NESTED_STRING = /(["'])((?:(?!\1)[^\\]|\\.)*)(\1?[ \t]{0,8}:?)/g;
// A bare value ends at a blank and at what encloses or follows it; the same signs with more
// value behind them belong to it.
const NO_NAME = String.raw`(?!(?:amp;)?[A-Za-z_][\w.%\[\]-]{0,40}["']?[ \t]?`;
const MORE = String.raw`(?![\s,;)\]}>"'\`<\\&]|:[\s"'{[\d]|[.:]?(?:\s|$))`;
const RUN = [
  String.raw`[^\s"'\`\\,;&)\]}<>]+`,
  String.raw`\\+(?![\\nrt"'\`])`,
  String.raw`\\*["'\`)\]}>]+${MORE}|<(?=[^\s/])`,
  String.raw`[,;](?=[^\s"'\\])${NO_NAME}[=:])|&(?=\S)${NO_NAME}=)`,
].join("|");
const RUNS = String.raw`(?!\\*["'\`])(?:${RUN})+`;
export const BARE = new RegExp(`${RUNS}`, "y");
// At the start of a line, `key: value` is YAML or a header, whose value may have blanks.
export const BARE_LINE = new RegExp(
  String.raw`${RUNS}(?:[ \t]+(?!#|[\w.-]{1,40}["']?[=:])(?:${RUN})+)*`,
  "y",
);

// --- other spellings of a secret, unit by unit

// JSON, JavaScript and Python escape alike.
export const ESCAPE = /\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[^\r\n])/gi;
// URL encoding, except blanks: encoded, they do not end a value.
const PERCENT = [
  "%[0-7][0-9a-f]",
  "%[cd][0-9a-f]%[89ab][0-9a-f]",
  "%e[0-9a-f](?:%[89ab][0-9a-f]){2}",
  "%f[0-4](?:%[89ab][0-9a-f]){3}",
].join("|");
export const PERCENT_BUT_BLANKS = new RegExp(`(?!%20|%09)(?:${PERCENT})`, "gi");
// HTML and XML reports.
export const ENTITY = /&(?:quot|apos|amp|lt|gt|#\d{1,4}|#x[0-9a-f]{1,4});/gi;
// Colours and invisible characters inside or around a word.
export const INVISIBLE = /[^\P{Cc}\s]\[[\d;]{0,32}[A-Za-z]|\p{Cf}/gu;
// Base64 and base64url; in a URL, the slashes before a run are the path's.
export const BASE64 = /[\w+/-]{16,}={0,2}/g;
export const BASE64_IN_PATH = /(?<=\/)[\w+-]{16,}={0,2}/g;
// URL encoding with its blanks, for secrets that have some or begin behind one; last, because +
// is also a digit of base64.
export const PERCENT_OR_PLUS = new RegExp(String.raw`${PERCENT}|\+`, "gi");
