/** Who runs what: claiming, going on, giving back. Runs inside one transaction. */
import type { Image } from "../../catalog/image.ts";
import type { Slots } from "../../catalog/region.ts";
import type { Volume } from "../../catalog/volume.ts";
import { Fault } from "../../fault/fault.ts";
import { lossOf } from "../../task/lost-run.ts";
import { madeImage, readVolumes, TASK_KINDS, type TaskKind } from "../../task/spec.ts";
import { isRefusal, mustStop, type Refusal, step, type TaskEvent } from "../../task/step.ts";
import { isFinal, type Task } from "../../task/task.ts";
import { admit, type FreeSlots, freeSlots, type InUse, room, type Waiting } from "../admission.ts";
import type { Claim } from "../record.ts";
import { settledImage, settledVolume } from "../settle.ts";
import type { Database } from "./database.ts";
import { appendEvent } from "./event-table.ts";
import type { Entries } from "./shelf.ts";
import { findTask, taskOf, updateTask } from "./task-table.ts";

interface Settled {
  readonly images: Entries<Image>;
  readonly volumes: Entries<Volume>;
}

export function apply(
  database: Database,
  settled: Settled,
  id: string,
  event: TaskEvent,
  at: number,
): Task | Refusal | undefined {
  const before = findTask(database, id);
  if (before === undefined) return undefined;
  const task = step(before, event, at);
  if (isRefusal(task)) return task;
  updateTask(database, before, task);
  appendEvent(database, task, event, at);
  settle(settled, before, task, at);
  return task;
}

function settle({ images, volumes }: Settled, before: Task, task: Task, at: number): void {
  const begun = before.attempts === 0 && task.attempts === 1;
  if (!begun && !isFinal(task.state)) return;
  const made = images.find(madeImage(task.spec) ?? "");
  if (made !== undefined) {
    const image = settledImage(made.entry, task);
    if (image === undefined) images.delete(made.entry.id, made.version);
    else images.update(image, made.version);
  }
  if (!isFinal(task.state)) return;
  for (const id of readVolumes(task.spec)) {
    const read = volumes.find(id);
    if (read?.entry.status === "uploading") volumes.update(settledVolume(read.entry, at), read.version);
  }
}

export function claim(database: Database, settled: Settled, { runner, at, most, kinds }: Claim): Task[] {
  const may = (kind: TaskKind): boolean => kinds === undefined || kinds.includes(kind);
  const cancelling = database.all(`SELECT body ${WAITING} ORDER BY sequence`, "cancelling", at).map(taskOf);
  const wanted = cancelling.filter(({ spec }) => may(spec.kind));
  const cleaning = wanted.filter(mustStop).slice(0, most);
  const free = freeSlots(slotsOfRegions(database), slotsInUse(database));
  const queue = [
    ...wanted.filter((task) => !mustStop(task)).map(waitingTask),
    ...queuedWithRoom(database, at, free).filter(({ kind }) => may(kind)),
  ];
  const admitted = admit(queue, free, most - cleaning.length);
  const start = (id: string, slots: readonly string[]): Task => {
    const started = apply(database, settled, id, { kind: "started", runner, slots }, at);
    if (started !== undefined && !isRefusal(started)) return started;
    throw new Fault("INTERNAL", `task ${id}: waits, but does not start`);
  };
  return [
    ...cleaning.map(({ id }) => start(id, [])),
    ...admitted.map(({ id, regions }) => start(id, regions)),
  ];
}

export function recover(database: Database, settled: Settled, runner: string, at: number): Task[] {
  const rows = database.all("SELECT body FROM task WHERE runner = ? ORDER BY sequence", runner);
  let suspects = 0;
  return rows.map(taskOf).flatMap((held) => {
    const loss = lossOf(held, suspects, at);
    if (loss.kind === "requeued" && loss.notBefore !== undefined) suspects += 1;
    const task = apply(database, settled, held.id, loss, at);
    return task === undefined || isRefusal(task) ? [] : [task];
  });
}

export function nextStart(database: Database, at: number): number | undefined {
  const row = database.one(
    "SELECT min(not_before) AS at FROM task WHERE ended_at IS NULL AND runner IS NULL AND not_before > ?",
    at,
  );
  return row?.["at"] === null || row === undefined ? undefined : Number(row["at"]);
}

const WAITING = `FROM task WHERE ended_at IS NULL AND runner IS NULL AND state = ? AND coalesce(not_before, 0) <= ?`;

/**
 * The queued tasks that may have a chance, in order of acceptance. Tasks of one kind and the same regions stand in one
 * line, and no more of a line can start than there is room for: a long queue for full regions costs nothing.
 */
function queuedWithRoom(database: Database, at: number, free: FreeSlots): Waiting[] {
  const heads: (Waiting & { readonly sequence: number })[] = [];
  for (const kind of TASK_KINDS) {
    for (let line = nextLine(database, kind, ""); line !== undefined; line = nextLine(database, kind, line)) {
      const regions = JSON.parse(line) as string[];
      const rows = database.all(
        `SELECT id, sequence ${WAITING} AND kind = ? AND regions = ? ORDER BY sequence LIMIT ?`,
        "queued",
        at,
        kind,
        line,
        room(free, { kind, regions }),
      );
      for (const row of rows) {
        heads.push({ id: String(row["id"]), kind, regions, sequence: Number(row["sequence"]) });
      }
    }
  }
  return heads.sort((a, b) => a.sequence - b.sequence);
}

/** The regions of the next line: one step along the index for each, however many tasks stand in it. */
function nextLine(database: Database, kind: TaskKind, after: string): string | undefined {
  const row = database.one(
    `SELECT regions FROM task
     WHERE ended_at IS NULL AND state = 'queued' AND kind = ? AND regions > ? ORDER BY regions LIMIT 1`,
    kind,
    after,
  );
  return row === undefined ? undefined : String(row["regions"]);
}

function waitingTask({ id, spec, regions }: Task): Waiting {
  return { id, kind: spec.kind, regions };
}

function slotsOfRegions(database: Database): Map<string, Slots> {
  const rows = database.all("SELECT id, json_extract(body, '$.slots') AS slots FROM region");
  return new Map(rows.map((row) => [String(row["id"]), JSON.parse(String(row["slots"])) as Slots]));
}

export function slotsInUse(database: Database): InUse[] {
  const rows = database.all("SELECT region, kind, count(*) AS n FROM slot GROUP BY region, kind");
  return rows.map((row) => ({
    region: String(row["region"]),
    kind: row["kind"] as TaskKind,
    count: Number(row["n"]),
  }));
}
