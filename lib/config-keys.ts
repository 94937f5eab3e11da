/**
 * What each key of a config means, in the words that editors show: `npm run schema` puts them into
 * the schema. config/prod.yaml says more. The limits have theirs in verify.ts, beside their values.
 */

export const KEY_MEANINGS: Readonly<Record<string, string>> = {
  environment: "Which limits apply; by default the name of the file, where that is test or prod.",
  "process.unit": "The bot's systemd unit.",
  "process.pidFile": "A file that holds the bot's pid.",
  "process.command":
    "A regular expression for the bot's command line; exactly one process may match.",
  "health.url": "The health endpoint.",
  "health.socket": "A UNIX socket to connect to; the URL then gives the path.",
  "health.headersFile":
    "A file with request headers, one `Name: value` a line; for endpoints that ask for " +
    "credentials.",
  "health.sql": "A SELECT on database.file that returns one row, for bots without an endpoint.",
  "health.statusUp": "Status words that mean healthy.",
  "database.file": "The bot's SQLite database.",
  "database.tables": "Tables that must exist; by default, at least one.",
  "database.backup":
    "A backup, or the directory of backups: checked in place of a database that is too large " +
    "to check while the bot writes.",
  "errorLogs.files": "Log files that the bot writes.",
  "errorLogs.journal": "Read the unit's journal; by default where the unit logs there.",
  "errorLogs.noise":
    "Regular expressions for errors that are known and harmless: counted and listed, not " +
    "failed.",
  "errorLogs.prefix":
    "A line's anchored prefix, with the groups (?<time>…) and (?<level>…), where the built-in " +
    "ones do not fit.",
  "errorLogs.timeZone": "Of timestamps that do not say.",
  "errorLogs.silent":
    "The bot may log nothing at all for a long time, so silence since the start is no reason " +
    "for doubt.",
  "configuration.environment":
    "What the health document must say; one of these, where it is a list.",
  "configuration.channel": "The channel that the bot must be in; # and case do not matter.",
  "configuration.file": "The bot's own configuration on disk, JSON or YAML.",
  "release.version": "The version that must be running; --expect-version overrides it.",
  "release.directory":
    "Releases live in DIRECTORY/<id>; the running one is known by the process's working " +
    "directory.",
  "release.current": "The symlink that names the current release; by default DIRECTORY/../current.",
  "rollback.auto": "Roll a candidate that fails back without asking a person.",
  "rollback.on": "Checks whose failure rolls back; by default all but user_count and release.",
  "rollback.maxPerDay": "Automatic rollbacks in 24 hours; by default 3.",
  "rollback.secondsMax": "Seconds for the old release to be healthy again; by default 60.",
  "rollback.command": "A command that rolls back, in place of the switch of release.current.",
  "burnin.timeZone":
    "The zone of the peak (18 to 23) and the off-peak hours (02 to 07); by default the " +
    "host's.",
  "burnin.rollback": "Roll back at a red flag of the burn-in, without asking a person.",
  "burnin.disconnected":
    "Log lines by which the bot has lost its chat server, as regular expressions; by default " +
    "the public bot's.",
  "burnin.connected": "Log lines by which it is back.",
  "chatServer.url":
    "Asked when `connection` fails: a chat server that is down is no reason to roll back.",
  "prometheus.url": "A second source for the burn-in: the Prometheus that scrapes the bot.",
  "prometheus.selector":
    'Label matchers that leave one series of each metric; by default {env="production"}.',
  "prometheus.metrics.connected":
    "A gauge of 0 or 1; by default bot_connected. Null, here and below: the bot has no such " +
    "metric.",
  "prometheus.metrics.errors": "A counter of errors; by default bot_errors_total.",
  "prometheus.metrics.uptime":
    "A gauge of seconds since the bot's start; by default bot_uptime_seconds.",
  "prometheus.metrics.memory":
    "A gauge of the bot's memory in bytes; by default process_resident_memory_bytes.",
  "alertmanager.url": "Whose firing alerts the burn-in counts, but for the verifier's own.",
  "alertmanager.filter": "Label matchers that leave the bot's alerts; by default all count.",
  "metrics.file":
    "A file in the directory of node_exporter's textfile collector, its name ending in .prom, " +
    "where metrics are written.",
  "alert.sinks":
    "Who is told of a change of state; each gets every message. urlFrom names a credential, " +
    "or an environment variable.",
  "alert.ping.urlFrom":
    "The dead-man ping's URL: a file in $CREDENTIALS_DIRECTORY, or an environment variable, " +
    "of this name.",
  "alert.repeatHours": "Hours until what is still bad is told again; by default 6.",
  "state.directory":
    "Where the releases that passed are remembered; by default /var/lib/cytube-verify.",
  "state.flags": "Where a verdict leaves its flags for systemd; by default /run/cytube-verify.",
  "log.file": "Where the JSON lines go; by default /var/log/cytube-verify/<env>.jsonl.",
  off: "Checks, or parts of checks, that cannot exist here, each with its reason.",
  hints: "A line of your runbook for a check, shown when it fails.",
};
