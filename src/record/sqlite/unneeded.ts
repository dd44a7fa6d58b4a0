/** Objects of deleted images, until they are gone; runs inside one transaction. */
import type { Image } from "../../catalog/image.ts";
import { Fault } from "../../fault/fault.ts";
import type { ImageDeletion, UnneededObject } from "../record.ts";
import type { Database } from "./database.ts";
import { type Entries, type Needs, removeEntry } from "./shelf.ts";

/** What bears the same file name may be the same file: destinations and roots can lie within each other. */
const KEPT = `
  SELECT 1 FROM image, json_each(image.body, '$.disks') AS disk
    WHERE json_extract(disk.value, '$.object') = ?1 OR json_extract(disk.value, '$.object') LIKE '%/' || ?1
  UNION ALL SELECT 1 FROM volume
    WHERE json_extract(body, '$.path') = ?1 OR json_extract(body, '$.path') LIKE '%/' || ?1`;
/** Whatever an unfinished task says of it. */
const ASKED_FOR = "SELECT 1 FROM task WHERE ended_at IS NULL AND instr(body, ?) > 0";

export function deleteImage(
  database: Database,
  images: Entries<Image>,
  needs: Needs<Image>,
  { image, version, objects, at }: ImageDeletion,
): void {
  const store = images.find(image)?.entry.store;
  removeEntry(database, images, needs, image, version);
  if (store === undefined) return;
  for (const object of objects) {
    if (isKept(database, object)) continue;
    database.run(
      "INSERT OR IGNORE INTO unneeded (destination, object, since) VALUES (?, ?, ?)",
      store,
      object,
      at,
    );
  }
}

/** What has come to be used again stays for good. */
export function listUnneeded(database: Database, after: number, limit: number): readonly UnneededObject[] {
  const found: UnneededObject[] = [];
  for (let last = after; found.length < limit; ) {
    const row = database.one("SELECT * FROM unneeded WHERE sequence > ? ORDER BY sequence LIMIT 1", last);
    if (row === undefined) break;
    last = Number(row["sequence"]);
    const object = String(row["object"]);
    if (isKept(database, object)) forgetUnneeded(database, last);
    else if (database.one(ASKED_FOR, fileName(object)) === undefined) {
      found.push({ sequence: last, destination: String(row["destination"]), object });
    }
  }
  return found;
}

export function hasUnneeded(database: Database, after: number): boolean {
  return database.one("SELECT 1 FROM unneeded WHERE sequence > ? LIMIT 1", after) !== undefined;
}

export function forgetUnneeded(database: Database, sequence: number): void {
  database.run("DELETE FROM unneeded WHERE sequence = ?", sequence);
}

/** @throws Fault CONFLICT: what is being removed must not be made or named meanwhile. */
export function refuseUnneeded(database: Database, destination: string, objects: readonly string[]): void {
  for (const object of objects) {
    const sql = "SELECT 1 FROM unneeded WHERE destination = ? AND object = ?";
    if (database.one(sql, destination, object) === undefined) continue;
    throw new Fault(
      "CONFLICT",
      `${object}: an image that was deleted has left it, and it is still being removed`,
    );
  }
}

function isKept(database: Database, object: string): boolean {
  return database.one(KEPT, fileName(object)) !== undefined;
}

function fileName(object: string): string {
  return object.slice(object.lastIndexOf("/") + 1);
}
