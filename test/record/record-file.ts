/** A record in a file of its own, with two regions in it, and what tests accept into it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Image, image, imageDisk } from "../../src/catalog/image.ts";
import { region } from "../../src/catalog/region.ts";
import type { Acceptance, TaskRecord } from "../../src/record/record.ts";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import type { CopySpec } from "../../src/task/spec.ts";
import type { TaskEvent } from "../../src/task/step.ts";
import { isRefusal } from "../../src/task/step.ts";
import type { NewTask, Task } from "../../src/task/task.ts";
import { NOW, RESULT } from "../task/tasks.ts";

export interface RecordFile extends AsyncDisposable {
  readonly path: string;
  record: TaskRecord;
  /** Closed and opened again. */
  reopen(): Promise<TaskRecord>;
}

export async function recordFile(): Promise<RecordFile> {
  const directory = await mkdtemp(join(tmpdir(), "record-"));
  const path = join(directory, "record.db");
  const file: RecordFile = {
    path,
    record: openSqliteRecord(path),
    async reopen() {
      await file.record[Symbol.asyncDispose]();
      file.record = openSqliteRecord(path);
      return file.record;
    },
    async [Symbol.asyncDispose]() {
      await file.record[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
  return file;
}

export async function addRegions(record: TaskRecord, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await record.catalogue.regions.add(region({ id, imageStore: `${id}-images` }));
}

export function sampleImage(given: Partial<Image> = {}): Image {
  return image({
    id: "image-1",
    project: "p1",
    region: "east",
    store: "east-images",
    name: "debian",
    format: "qcow2",
    createdAt: NOW,
    disks: [imageDisk({ snapshot: "s-1", virtualSize: 1024, createdAt: NOW })],
    ...given,
  });
}

let made = 0;

export function exportTask(given: Partial<NewTask> = {}): NewTask {
  made += 1;
  return {
    id: `export-${made}`,
    project: "p1",
    spec: {
      kind: "export",
      from: { kind: "image", image: "image-1" },
      destination: "bucket",
      objects: [`disk-${made}.qcow2`],
      format: "qcow2",
      verify: "by the store",
    },
    regions: ["east"],
    exclusive: [],
    bandwidth: 0,
    requestId: "request-1",
    ...given,
  };
}

export function copyTask(from: string, to: string, given: Partial<NewTask> = {}): NewTask {
  made += 1;
  return {
    ...exportTask(),
    id: `copy-${made}`,
    spec: {
      kind: "copy",
      from: { image: "image-1", region: from },
      region: to,
      to: copyTarget(to, `made-${made}`),
      verify: "by the store",
    },
    regions: [...new Set([from, to])],
    ...given,
  };
}

export function copyTarget(region: string, image: string): CopySpec["to"] {
  return {
    image,
    destination: `${region}-images`,
    objects: [`${image}.qcow2`],
    write: { format: "qcow2" },
  };
}

export function acceptance(task: NewTask, given: Partial<Acceptance> = {}): Acceptance {
  return { task, at: NOW, images: [], sameName: "refuse", volumes: [], unchanged: [], limits: [], ...given };
}

export async function accepted(record: TaskRecord, task: NewTask): Promise<Task> {
  return (await record.accept(acceptance(task))).task;
}

/** @throws when one of the events is refused. */
export async function applied(record: TaskRecord, task: string, ...events: readonly TaskEvent[]) {
  let now: Task | undefined;
  for (const event of events) {
    const outcome = await record.apply(task, event, NOW);
    if (outcome === undefined || isRefusal(outcome)) throw new Error(`${event.kind} is refused`);
    now = outcome;
  }
  if (now === undefined) throw new Error("no event was given");
  return now;
}

export const TO_THE_END: readonly TaskEvent[] = [
  { kind: "opened" },
  { kind: "planned", total: 100 },
  { kind: "sealing" },
  { kind: "committing" },
  { kind: "cataloguing" },
  { kind: "succeeded", result: RESULT },
];

export const ALL = { runner: "host-1", at: NOW, most: 1000 } as const;
