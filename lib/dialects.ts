/**
 * How bots name things: where fields stand in a health document or a configuration, which words
 * mean healthy, and what PID 1 says of a unit.
 */

import * as path from "node:path";
import { load, SHIPPED } from "./shipped.ts";

const STATE_FIELDS = [
  "status",
  "connected",
  "channel",
  "environment",
  "uptime",
  "startedAt",
] as const;
export const FIELD_NAMES = [
  ...STATE_FIELDS,
  "userCount",
  "errorCount",
  "requests",
  "heartbeat",
  "version",
] as const;
export type FieldName = (typeof FIELD_NAMES)[number];
type Dialects = {
  fields: Record<FieldName, string[]>;
  configuration: Record<"environment" | "channel", string[]>;
  statusUp: string[];
} & {
  /** What PID 1 says of a unit, by the id of the message (sd-messages.h, systemd 252). */
  unitMessages: Record<string, "stopping" | "ended" | "started">;
};
/**
 * Where fields stand in a health document and in a bot's own configuration, first hit wins, and its
 * words for healthy: those of the seeds' bots too.
 */
export const loadDialects = (): Dialects => load(path.join(SHIPPED, "dialects.json"));
