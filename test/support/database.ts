/**
 * Databases as the bot makes them, each in a directory of its own, and how long looking at one may
 * take.
 */
import { chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { createDirectory } from "./harness.ts";

/**
 * How long a look may wait for a lock. The deadline of the child that looks is made of it, too, and
 * on a busy machine a Node takes seconds to start.
 */
export const patientMs = 30_000;

const root = createDirectory();
let databases = 0;
type Made = { file: string; directory: string; database: Database.Database };

/**
 * A database in a directory of its own, so that whatever is left beside it is seen; `owner` has
 * them both.
 */
export function createDatabase(mode: "wal" | "delete", owner = 0): Made {
  const directory = join(root, `database-${databases++}`);
  mkdirSync(directory);
  const file = join(directory, "bot_data.db");
  const database = new Database(file);
  database.pragma(`journal_mode = ${mode}`);
  database.exec(
    "CREATE TABLE current_status (id INTEGER PRIMARY KEY, bot_connected INTEGER, last_updated INTEGER); CREATE TABLE user_stats (name TEXT)",
  );
  database.exec("INSERT INTO current_status VALUES (1, 1, 1795295066)");
  for (const path of [directory, ...readdirSync(directory).map((name) => join(directory, name))])
    chownSync(path, owner, owner);
  return { file, directory, database };
}
