/** The embedded store of record: one SQLite file, owned by one process. */
import type { Destination } from "../../catalog/destination.ts";
import { type Image, storedObjects } from "../../catalog/image.ts";
import type { Key } from "../../catalog/key.ts";
import type { Project } from "../../catalog/project.ts";
import type { Region } from "../../catalog/region.ts";
import type { Volume } from "../../catalog/volume.ts";
import type { AuditEntry, AuditQuery, RecordedAudit } from "../audit.ts";
import type { Catalogue, TaskRecord } from "../record.ts";
import { accept, replayed } from "./accept.ts";
import { type Database, openDatabase } from "./database.ts";
import { lastEvent, listEvents } from "./event-table.ts";
import { forget } from "./forget.ts";
import { keepNonce, listNonces } from "./nonce-table.ts";
import { apply, claim, nextStart, recover, slotsInUse } from "./run-table.ts";
import { entries, type Needs, shelf } from "./shelf.ts";
import { countTasks, countUnfinished, findTask, listTasks } from "./task-table.ts";
import { deleteImage, forgetUnneeded, hasUnneeded, listUnneeded, refuseUnneeded } from "./unneeded.ts";
import { Writer } from "./writer.ts";

/**
 * Opens the file, or makes it.
 * @throws Fault; see `openDatabase`.
 */
export function openSqliteRecord(path: string): TaskRecord {
  const database = openDatabase(path);
  let news = Promise.withResolvers<void>();
  const writer = new Writer(database, () => {
    news.resolve();
    news = Promise.withResolvers<void>();
  });
  const tables = openTables(database);
  return {
    catalogue: catalogueOf(database, writer, tables),
    accept: (acceptance) => writer.write(() => accept(database, tables, acceptance)),
    rehearse: (acceptance) => writer.rehearse(() => accept(database, tables, acceptance)),
    replayed: async (token) => replayed(database, token),
    task: async (id) => findTask(database, id),
    tasks: async (query) => listTasks(database, query),
    countTasks: async (where) => countTasks(database, where),
    unfinished: async () => countUnfinished(database),
    apply: (task, event, at) => writer.write(() => apply(database, tables, task, event, at)),
    claim: (claimed) => writer.write(() => claim(database, tables, claimed)),
    recover: (runner, at) => writer.write(() => recover(database, tables, runner, at)),
    nextStart: async (at) => nextStart(database, at),
    slotsInUse: async () => slotsInUse(database),
    events: async (query) => listEvents(database, query),
    lastEvent: async () => lastEvent(database),
    async news(after, signal) {
      const stopped = Promise.withResolvers<never>();
      const stop = () => stopped.reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      try {
        signal.throwIfAborted();
        while (lastEvent(database) <= after) await Promise.race([news.promise, stopped.promise]);
      } finally {
        signal.removeEventListener("abort", stop);
      }
    },
    deleteImage: (deletion) =>
      writer.write(() => deleteImage(database, tables.images, IMAGE_NEEDS, deletion)),
    async unneeded({ after, limit }) {
      if (!hasUnneeded(database, after)) return [];
      return writer.write(() => listUnneeded(database, after, limit));
    },
    removed: (sequence) => writer.write(() => forgetUnneeded(database, sequence)),
    keepNonce: (seen, forgetBefore) => writer.write(() => keepNonce(database, seen, forgetBefore)),
    nonces: async (since) => listNonces(database, since),
    forget: (retention) => writer.write(() => forget(database, retention)),
    audit: (entry) => writer.write(() => appendAudit(database, entry)),
    audits: async (query) => listAudits(database, query),
    async [Symbol.asyncDispose]() {
      writer.close();
      database[Symbol.dispose]();
    },
  };
}

function openTables(database: Database) {
  return {
    regions: entries<Region>(database, "region", ({ id, localName }) => ({ id, name: localName })),
    projects: entries<Project>(database, "project", ({ id, name }) => ({ id, name })),
    images: entries<Image>(database, "image", (image) => image),
    volumes: entries<Volume>(database, "volume", (volume) => volume),
    destinations: entries<Destination>(database, "destination", ({ name, project, region }) => ({
      id: name,
      project,
      region,
      name,
    })),
    keys: entries<Key>(database, "key", ({ id, project, region }) => ({ id, project, region, name: id })),
  };
}

const UNFINISHED = "SELECT 1 FROM task WHERE ended_at IS NULL AND";

/** Unfinished tasks that put something into a destination or read from it, and images that lie there. */
const DESTINATION_IN_USE = `
  ${UNFINISHED} (?1 IN (json_extract(body, '$.spec.destination'), json_extract(body, '$.spec.to.destination'))
    OR EXISTS (
      SELECT 1 FROM json_each(body, '$.spec.disks') WHERE json_extract(value, '$.source.destination') = ?1))
  UNION SELECT 1 FROM image WHERE json_extract(body, '$.store') = ?1`;

const REGION_NEEDS: Needs<Region> = {
  present: `${UNFINISHED} EXISTS (SELECT 1 FROM json_each(regions) WHERE value = ?)`,
};
const IMAGE_NEEDS: Needs<Image> = { present: `${UNFINISHED} ?1 IN (reads_image, makes_image)` };
const VOLUME_NEEDS: Needs<Volume> = {
  present: "SELECT 1 FROM volume WHERE id = ? AND json_extract(body, '$.status') = 'uploading'",
};
const DESTINATION_NEEDS: Needs<Destination> = {
  present: `${DESTINATION_IN_USE} UNION SELECT 1 FROM region WHERE json_extract(body, '$.imageStore') = ?1`,
  unchanged: {
    sql: DESTINATION_IN_USE,
    of: ({ provider, container, location, credential }) => ({ provider, container, location, credential }),
  },
};

const KEY_NEEDS: Needs<Key> = {
  present: "SELECT 1 FROM image WHERE json_extract(body, '$.encryption.key') = ?",
};

function catalogueOf(database: Database, writer: Writer, tables: ReturnType<typeof openTables>): Catalogue {
  return {
    regions: shelf(database, writer, tables.regions, REGION_NEEDS),
    projects: shelf(database, writer, tables.projects, {}),
    images: shelf(database, writer, tables.images, {
      ...IMAGE_NEEDS,
      admits: (image) => refuseUnneeded(database, image.store, storedObjects(image)),
    }),
    volumes: shelf(database, writer, tables.volumes, VOLUME_NEEDS),
    destinations: shelf(database, writer, tables.destinations, DESTINATION_NEEDS),
    keys: shelf(database, writer, tables.keys, KEY_NEEDS),
  };
}

function appendAudit(database: Database, entry: AuditEntry): void {
  database.run("INSERT INTO audit (project, body) VALUES (?, ?)", entry.project, JSON.stringify(entry));
}

function listAudits(database: Database, { project, before, limit }: AuditQuery): RecordedAudit[] {
  const rows = database.all(
    `SELECT sequence, body FROM audit
     WHERE sequence < ? AND (?2 IS NULL OR project = ?2) ORDER BY sequence DESC LIMIT ?3`,
    before ?? Number.MAX_SAFE_INTEGER,
    project ?? null,
    limit,
  );
  return rows.map((row) => ({
    ...(JSON.parse(String(row["body"])) as AuditEntry),
    sequence: Number(row["sequence"]),
  }));
}
