/** A kind of catalogue entries as a table. */
import type { SQLInputValue } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import type { Versioned } from "../../catalog/entry.ts";
import { Fault } from "../../fault/fault.ts";
import type { Shelf } from "../record.ts";
import type { Database, Row } from "./database.ts";
import { breaksReference } from "./sqlite-fault.ts";
import type { Writer } from "./writer.ts";

/** Names of tables: never a value from outside. */
type Table = "region" | "project" | "image" | "volume" | "destination" | "key";

/** What a row says beside its body. */
interface Columns {
  readonly id: string;
  readonly project?: string | undefined;
  readonly region?: string | undefined;
  readonly name: string;
}

/** One table, for use inside a transaction. */
export interface Entries<Entry> {
  readonly table: Table;
  readonly idOf: (entry: Entry) => string;
  find(id: string): Versioned<Entry> | undefined;
  insert(entry: Entry): Versioned<Entry>;
  update(entry: Entry, version: number): Versioned<Entry>;
  delete(id: string, version: number): void;
}

export function entries<Entry>(
  database: Database,
  table: Table,
  columns: (entry: Entry) => Columns,
): Entries<Entry> {
  const find = (id: string): Versioned<Entry> | undefined => {
    const row = database.one(`SELECT version, body FROM ${table} WHERE id = ?`, id);
    return row === undefined ? undefined : versionedOf(row);
  };
  /** @throws Fault NOT_FOUND, CONFLICT */
  const seen = (id: string, version: number): void => {
    const now = find(id);
    if (now === undefined) throw new Fault("NOT_FOUND", `there is no ${table} ${id}`);
    if (now.version !== version) {
      throw new Fault("CONFLICT", `${table} ${id}: has changed meanwhile`, {
        details: { version: now.version },
      });
    }
  };
  return {
    table,
    idOf: (entry) => columns(entry).id,
    find,
    insert(entry) {
      const { id, project, region, name } = columns(entry);
      if (find(id) !== undefined) throw new Fault("ALREADY_EXISTS", `there is a ${table} ${id} already`);
      resolving(table, () =>
        database.run(
          `INSERT INTO ${table} (id, project, region, name, version, body) VALUES (?, ?, ?, ?, 1, ?)`,
          id,
          project ?? null,
          region ?? null,
          name,
          JSON.stringify(entry),
        ),
      );
      return { entry, version: 1 };
    },
    update(entry, version) {
      const { id, project, region, name } = columns(entry);
      seen(id, version);
      resolving(table, () =>
        database.run(
          `UPDATE ${table} SET project = ?, region = ?, name = ?, version = version + 1, body = ? WHERE id = ?`,
          project ?? null,
          region ?? null,
          name,
          JSON.stringify(entry),
          id,
        ),
      );
      return { entry, version: version + 1 };
    },
    delete(id, version) {
      seen(id, version);
      try {
        database.run(`DELETE FROM ${table} WHERE id = ?`, id);
      } catch (error) {
        if (!breaksReference(error)) throw error;
        throw new Fault("CONFLICT", `${table} ${id}: is still needed by other entries`, { cause: error });
      }
    },
  };
}

/** What others rely on. Each statement asks with the id, twice if need be, and finds a row if somebody does. */
export interface Needs<Entry> {
  /** That the entry is there. */
  readonly present?: string;
  /** That what this says of it stays as it is. */
  readonly unchanged?: {
    readonly sql: string;
    readonly of: (entry: Entry) => Readonly<Record<string, unknown>>;
  };
  /** Throws when an entry cannot be as it is given. */
  readonly admits?: (entry: Entry) => void;
}

/** The same table for callers from outside. */
export function shelf<Entry>(
  database: Database,
  writer: Writer,
  rows: Entries<Entry>,
  { present, unchanged, admits }: Needs<Entry>,
): Shelf<Entry> {
  const { table } = rows;
  return {
    get: async (id) => rows.find(id),
    async list({ project, region, name, container, limit, after }) {
      const parts = ["id > ?"];
      const values: SQLInputValue[] = [after ?? ""];
      for (const [column, value] of [
        ["project", project],
        ["region", region],
        ["name", name],
        ["json_extract(body, '$.container')", container],
      ] as const) {
        if (value === undefined) continue;
        parts.push(`${column} = ?`);
        values.push(value);
      }
      const sql = `SELECT version, body FROM ${table} WHERE ${parts.join(" AND ")} ORDER BY id LIMIT ?`;
      return database.all(sql, ...values, limit).map((row) => versionedOf<Entry>(row));
    },
    async count({ project, region }) {
      const sql = `SELECT count(*) AS n FROM ${table}
        WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR region = ?2)`;
      return Number(database.one(sql, project ?? null, region ?? null)?.["n"]);
    },
    add: (entry) =>
      writer.write(() => {
        admits?.(entry);
        return rows.insert(entry);
      }),
    replace: (entry, version) =>
      writer.write(() => {
        admits?.(entry);
        const id = rows.idOf(entry);
        const now = rows.find(id)?.entry;
        if (unchanged !== undefined && now !== undefined) {
          const { sql, of } = unchanged;
          const changed = !isDeepStrictEqual(of(now), of(entry));
          if (changed && database.one(sql, id) !== undefined) {
            const what = Object.keys(of(now)).join(", ");
            throw new Fault(
              "CONFLICT",
              `${table} ${id}: ${what} cannot change while tasks or images need it`,
            );
          }
        }
        return rows.update(entry, version);
      }),
    remove: (id, version) => writer.write(() => removeEntry(database, rows, { present }, id, version)),
  };
}

/** For use inside a transaction. @throws Fault as `Shelf.remove` does. */
export function removeEntry<Entry>(
  database: Database,
  rows: Entries<Entry>,
  { present }: { readonly present?: string | undefined },
  id: string,
  version: number,
): void {
  if (present !== undefined && database.one(present, id) !== undefined) {
    throw new Fault("CONFLICT", `${rows.table} ${id}: tasks or images need it`);
  }
  rows.delete(id, version);
}

function versionedOf<Entry>(row: Row): Versioned<Entry> {
  return { entry: JSON.parse(String(row["body"])) as Entry, version: Number(row["version"]) };
}

function resolving(table: Table, write: () => unknown): void {
  try {
    write();
  } catch (error) {
    if (!breaksReference(error)) throw error;
    throw new Fault("NOT_FOUND", `the region of this ${table} is not there`, { cause: error });
  }
}
