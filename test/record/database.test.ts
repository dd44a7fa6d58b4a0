import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/record/sqlite/database.ts";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import { STEPS } from "../../src/record/sqlite/schema.ts";
import { accepted, addRegions, exportTask } from "./record-file.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "record-"));
  path = join(directory, "record.db");
});
afterEach(() => rm(directory, { recursive: true }));

/** What the file holds: every table, index and their text. */
function schema(): unknown[] {
  using database = openDatabase(path);
  return database
    .all("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
    .map((row) => ({ ...row }));
}

const code = (open: () => unknown) => {
  try {
    open();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("the file of the record", () => {
  it.each(STEPS.map((_, index) => index + 1))(
    "of schema %i becomes the newest, with what it held",
    async (version) => {
      {
        using old = openDatabase(path, STEPS.slice(0, version));
        old.exec(
          `INSERT INTO region (id, name, version, body) VALUES ('east', 'East', 7, '{"id":"east","localName":"East"}')`,
        );
        expect(old.one("PRAGMA user_version")?.["user_version"]).toBe(version);
      }
      await using record = openSqliteRecord(path);
      expect(await record.catalogue.regions.get("east")).toEqual({
        entry: { id: "east", localName: "East" },
        version: 7,
      });
      const audit = { at: 1, actor: "a", project: "p", action: "x", outcome: "done", requestId: "r" };
      await record.audit(audit);
      expect(await record.audits({ limit: 9 })).toEqual([{ ...audit, sequence: 1 }]);
    },
  );

  it("is the same whether it was made new or brought up step by step", async () => {
    const made = schema();
    await rm(path);
    for (let version = 1; version <= STEPS.length; version += 1) {
      openDatabase(path, STEPS.slice(0, version))[Symbol.dispose]();
    }
    expect(schema()).toEqual(made);
  });

  it("stays as it is when a step fails", () => {
    openDatabase(path, ["CREATE TABLE a (x)"])[Symbol.dispose]();
    const failing = ["CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE a (x)"];
    expect(code(() => openDatabase(path, failing))).toMatchObject({ code: "INTERNAL" });
    using again = openDatabase(path, ["CREATE TABLE a (x)"]);
    expect(again.all("SELECT name FROM sqlite_schema").map((row) => row["name"])).toEqual(["a"]);
  });

  it("is refused by name when a newer program has written it", () => {
    openDatabase(path, [...STEPS, "CREATE TABLE later (x)"])[Symbol.dispose]();
    expect(code(() => openSqliteRecord(path))).toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: `${path}: was written by a newer diskferry (schema ${STEPS.length + 1}; this one knows up to ${STEPS.length})`,
    });
  });

  it("is refused when it is another program's database, or none at all", async () => {
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE bookmark (url TEXT)");
    other.close();
    const before = await readFile(path);
    expect(code(() => openSqliteRecord(path))).toMatchObject({ code: "FORMAT_MISMATCH" });
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(await readdir(directory)).toEqual(["record.db"]);
    await writeFile(
      path,
      "this is a letter, not a database, and it is long enough to be looked at closely".repeat(20),
    );
    expect(code(() => openSqliteRecord(path))).toMatchObject({ code: "FORMAT_MISMATCH" });
  });

  it("is refused where it cannot be", () => {
    expect(code(() => openSqliteRecord(join(directory, "no", "record.db")))).toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("belongs to one process at a time", async () => {
    const first = openSqliteRecord(path);
    expect(code(() => openSqliteRecord(path))).toMatchObject({ code: "CONFLICT" });
    await first[Symbol.asyncDispose]();
    await openSqliteRecord(path)[Symbol.asyncDispose]();
  });

  it("belongs to its owner alone", async () => {
    await using record = openSqliteRecord(path);
    await addRegions(record, "east");
    for (const name of [path, `${path}-wal`]) expect((await stat(name)).mode & 0o077, name).toBe(0);
  });

  it("takes nothing after it was closed, and loses nothing that it had taken", async () => {
    const record = openSqliteRecord(path);
    const taken = accepted(record, exportTask({ id: "taken" }));
    await record[Symbol.asyncDispose]();
    await taken;
    await expect(accepted(record, exportTask())).rejects.toMatchObject({ code: "CANCELED" });
    await using again = openSqliteRecord(path);
    expect(await again.task("taken")).toBeDefined();
  });

  it("takes no more than can wait, and says so", async () => {
    await using record = openSqliteRecord(path);
    const entry = { at: 1, actor: "a", project: "p", action: "x", outcome: "done", requestId: "r" };
    const written = await Promise.allSettled(Array.from({ length: 10_001 }, () => record.audit(entry)));
    expect(written.filter(({ status }) => status === "rejected")).toMatchObject([
      { reason: { code: "THROTTLED" } },
    ]);
  });
});
