/**
 * How bots name things: where fields stand in a health document or a configuration, which words
 * mean healthy, and what PID 1 says of a unit.
 */

/** Where the fields of a health document stand, as JSON pointers; the first hit wins. */
export const HEALTH_FIELDS = {
  status: ["/status", "/state", "/health"],
  connected: ["/connected", "/bot_connected", "/is_connected"],
  channel: ["/channel", "/channel_name"],
  environment: ["/environment", "/env"],
  uptime: ["/uptime_seconds", "/uptime"],
  startedAt: ["/bot_start_time", "/started_at", "/start_time"],
  userCount: ["/user_count", "/current_chat_users", "/users"],
  errorCount: ["/error_count", "/errors"],
  requests: ["/requests_handled", "/requests"],
  heartbeat: ["/last_updated", "/last_heartbeat", "/heartbeat"],
  version: ["/version", "/release"],
} satisfies Record<string, string[]>;
export type FieldName = keyof typeof HEALTH_FIELDS;
export const FIELD_NAMES = Object.keys(HEALTH_FIELDS) as FieldName[];

/** Where a bot's own configuration says what it runs as, as JSON pointers; the first hit wins. */
export const CONFIGURATION_FIELDS = {
  environment: ["/environment", "/env", "/bot/environment"],
  channel: ["/channel", "/cytube/channel", "/bot/channel", "/channel/name"],
} satisfies Record<string, string[]>;

/** Words for healthy, of the seeds' bots too. */
export const STATUS_UP: readonly string[] = ["healthy", "up", "running", "ok"];

/** What PID 1 says of a unit, by the id of the message (sd-messages.h, systemd 252). */
export const UNIT_MESSAGES: Readonly<Record<string, "stopping" | "ended" | "started">> = {
  de5b426a63be47a7b6ac3eaac82e2f6f: "stopping",
  "98e322203f7a4ed290d09fe03c09fe15": "ended",
  d9b373ed55a64feb8242e02dbe79a49c: "ended",
  "7ad2d189f7e94e70a38c781354912448": "ended",
  "9d1aaa27d60140bd96365438aad20286": "ended",
  "39f53479d3a045ac8e11786248231fbf": "started",
};
