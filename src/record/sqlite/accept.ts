/** Accepting a task with all that belongs to it; runs inside one transaction. */
import type { Image } from "../../catalog/image.ts";
import type { Volume } from "../../catalog/volume.ts";
import { Fault } from "../../fault/fault.ts";
import type { Task } from "../../task/task.ts";
import type { Acceptance, Accepted, ClientToken, Limit } from "../record.ts";
import { reservedVolume } from "../settle.ts";
import type { Database } from "./database.ts";
import { appendEvent } from "./event-table.ts";
import type { Entries } from "./shelf.ts";
import { countTasks, insertTask, taskOf } from "./task-table.ts";
import { refuseUnneeded } from "./unneeded.ts";

export interface Reservable {
  readonly images: Entries<Image>;
  readonly volumes: Entries<Volume>;
}

export function accept(database: Database, reservable: Reservable, acceptance: Acceptance): Accepted {
  const { token, at } = acceptance;
  const earlier = token === undefined ? undefined : replayed(database, token);
  if (earlier !== undefined) return { task: earlier, when: "before" };
  // Before all else: that the same is being done already says more than what follows from it.
  for (const name of acceptance.task.exclusive) refuseClaimed(database, name, acceptance.task.project);
  const { spec } = acceptance.task;
  if (spec.kind !== "export") refuseUnneeded(database, spec.to.destination, spec.to.objects);
  reserve(database, reservable, acceptance);
  const task = insertTask(database, acceptance.task, at);
  for (const name of new Set(task.exclusive)) {
    database.run("INSERT INTO claimed_name (name, task) VALUES (?, ?)", name, task.sequence);
  }
  for (const limit of acceptance.limits) hold(database, limit);
  if (token !== undefined) keep(database, token, task, at);
  appendEvent(database, task, { kind: "accepted" }, at);
  return { task, when: "now" };
}

/** @throws Fault IDEMPOTENCY_MISMATCH */
export function replayed(database: Database, given: ClientToken): Task | undefined {
  const { project, action, region, token, fingerprint } = given;
  const row = database.one(
    `SELECT fingerprint, body FROM client_token JOIN task ON task.sequence = client_token.task
     WHERE client_token.project = ? AND action = ? AND region = ? AND token = ?`,
    project,
    action,
    region,
    token,
  );
  if (row === undefined) return undefined;
  if (row["fingerprint"] !== fingerprint) {
    throw new Fault("IDEMPOTENCY_MISMATCH", "the client token came before, with other parameters");
  }
  return taskOf(row);
}

function keep(database: Database, given: ClientToken, task: Task, at: number): void {
  const { project, action, region, token, fingerprint } = given;
  database.run(
    `INSERT INTO client_token (project, action, region, token, fingerprint, given_at, task)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    project,
    action,
    region,
    token,
    fingerprint,
    at,
    task.sequence,
  );
}

function reserve(database: Database, { images, volumes }: Reservable, acceptance: Acceptance): void {
  for (const { entry, version } of acceptance.unchanged) {
    if (images.find(entry.id)?.version !== version) {
      throw new Fault("CONFLICT", `image ${entry.id}: has changed meanwhile`);
    }
  }
  for (const image of acceptance.images) {
    if (acceptance.sameName === "refuse") refuseSameName(database, image);
    images.insert(image);
  }
  for (const { entry, version } of acceptance.volumes) {
    volumes.update(reservedVolume(entry, acceptance.at), version);
  }
}

function refuseSameName(database: Database, { project, region, name }: Image): void {
  const same = database.one(
    "SELECT id, body ->> '$.status' AS status FROM image WHERE project = ? AND region = ? AND name = ?",
    project,
    region,
    name,
  );
  if (same === undefined) return;
  throw new Fault("ALREADY_EXISTS", `there is an image named ${JSON.stringify(name)} in ${region} already`, {
    details: { image: String(same["id"]), status: String(same["status"]) },
  });
}

/** Of a task of another project nothing is told but that there is one. */
function refuseClaimed(database: Database, name: string, project: string): void {
  const holder = database.one(
    "SELECT id, project, state FROM task JOIN claimed_name ON claimed_name.task = task.sequence WHERE claimed_name.name = ?",
    name,
  );
  if (holder === undefined) return;
  const own = holder["project"] === project;
  throw new Fault("CONFLICT", `another task is not finished yet: ${name}`, {
    details: {
      exclusive: name,
      ...(own ? { task: String(holder["id"]), state: String(holder["state"]) } : {}),
    },
  });
}

/** The new task and its entries are in the tables already. */
function hold(database: Database, limit: Limit): void {
  const { found, what } = counted(database, limit);
  if (found <= limit.most) return;
  throw new Fault("QUOTA_EXCEEDED", `no more than ${limit.most} ${what} are allowed`, {
    details: { quota: what, most: limit.most },
  });
}

function counted(database: Database, limit: Limit): { readonly found: number; readonly what: string } {
  if (limit.counts === "tasks") return { found: countTasks(database, limit.where), what: limit.name };
  const counting = limit.counts === "images" ? "count(*)" : "sum(json_array_length(body, '$.disks'))";
  const row = database.one(
    `SELECT ${counting} AS n FROM image WHERE project = ? AND region = ?`,
    limit.project,
    limit.region,
  );
  return { found: Number(row?.["n"] ?? 0), what: limit.counts };
}
