/** One SQLite file: how it is opened, brought to the newest schema, and asked. */
import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { Fault } from "../../fault/fault.ts";
import { APPLICATION_ID, STEPS } from "./schema.ts";
import { sqliteFault } from "./sqlite-fault.ts";

/** How long to wait for another process to let go of the file. The whole program stands still meanwhile. */
const BUSY_TIMEOUT_MS = 2000;

export type Row = Readonly<Record<string, string | number | null>>;

export class Database implements Disposable {
  readonly name: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(name: string, db: DatabaseSync) {
    this.name = name;
    this.#db = db;
  }

  /** Statements are prepared once: their text never holds a value. */
  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  one(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#asked(() => this.#prepared(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#asked(() => this.#prepared(sql).all(...values) as Row[]);
  }

  /** The id of the inserted row, and how many rows were changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): { readonly id: number; readonly changes: number } {
    const { lastInsertRowid, changes } = this.#asked(() => this.#prepared(sql).run(...values));
    return { id: Number(lastInsertRowid), changes: Number(changes) };
  }

  exec(sql: string): void {
    this.#asked(() => this.#db.exec(sql));
  }

  /** @throws Fault for whatever SQLite says. */
  #asked<T>(ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      throw sqliteFault(error, this.name);
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

/**
 * @param steps all of the schema, for tests of older ones.
 * @throws Fault CONFLICT when another process has the file; FORMAT_MISMATCH when it is somebody else's;
 * UNSUPPORTED_FORMAT when a newer program has written it.
 */
export function openDatabase(path: string, steps: readonly string[] = STEPS): Database {
  let db: DatabaseSync | undefined;
  try {
    // Requests may hold signed URLs: the file is its owner's alone.
    closeSync(openSync(path, "a", 0o600));
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    // One process owns the file: two schedulers on one record would run every task twice.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    const database = new Database(path, db);
    // Before anything is written: the journal mode, too, stands in the file.
    alone(database, () => refuseStrangers(database, steps.length));
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    db.exec("PRAGMA foreign_keys = ON");
    migrate(database, steps);
    return database;
  } catch (error) {
    db?.close();
    throw sqliteFault(error, path);
  }
}

/** All missing steps or none: a crash leaves the file as it was. */
function migrate(database: Database, steps: readonly string[]): void {
  alone(database, () => {
    for (const step of steps.slice(pragma(database, "user_version"))) database.exec(step);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${steps.length}`);
  });
}

/** In one transaction, beside which nobody reads or writes. */
function alone(database: Database, work: () => void): void {
  database.exec("BEGIN EXCLUSIVE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function refuseStrangers(database: Database, newest: number): void {
  const version = pragma(database, "user_version");
  const { name } = database;
  const tables = Number(database.one("SELECT count(*) AS n FROM sqlite_schema")?.["n"]);
  if (tables > 0 && pragma(database, "application_id") !== APPLICATION_ID) {
    throw new Fault("FORMAT_MISMATCH", `${name}: is a database of another program`);
  }
  if (version > newest) {
    throw new Fault(
      "UNSUPPORTED_FORMAT",
      `${name}: was written by a newer diskferry (schema ${version}; this one knows up to ${newest})`,
      { details: { schema: version, newest } },
    );
  }
}

function pragma(database: Database, name: "user_version" | "application_id"): number {
  return Number(database.one(`PRAGMA ${name}`)?.[name]);
}
