/** Regions, image stores and destinations in one directory, with the real record and the real threads. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import type { Destination as CatalogueDestination } from "../../src/catalog/destination.ts";
import { type Image, image, imageDisk } from "../../src/catalog/image.ts";
import { type Region, region } from "../../src/catalog/region.ts";
import { dataKeysOf } from "../../src/daemon/data-keys.ts";
import { openAlone } from "../../src/engine/open-image.ts";
import { openKeyring } from "../../src/keyring/keyring.ts";
import type { RecordedEvent } from "../../src/record/event.ts";
import type { TaskRecord } from "../../src/record/record.ts";
import { openSqliteRecord } from "../../src/record/sqlite/record.ts";
import type { RunMetrics, RunOutcome, SchedulePorts, TaskPlaces } from "../../src/schedule/ports.ts";
import { type ScheduleLimits, type Scheduler, startScheduler } from "../../src/schedule/scheduler.ts";
import { openFile } from "../../src/source/file/file.ts";
import { openDirectory } from "../../src/store/directory/directory.ts";
import type { Destination } from "../../src/store/store.ts";
import type { ExportSpec, ImportSpec, TaskSpec } from "../../src/task/spec.ts";
import { isRefusal } from "../../src/task/step.ts";
import { isFinal, type NewTask, type Task } from "../../src/task/task.ts";
import type { Producer } from "../../src/transfer/job.ts";
import { createPool } from "../../src/worker/pool.ts";

const pool = createPool({ threads: 2, lanesPerThread: 4 });
afterAll(() => pool[Symbol.asyncDispose]());

export const never = new AbortController().signal;

export interface Harbour extends AsyncDisposable {
  /** The record as runs see it; a test may put something before it. */
  record: TaskRecord;
  places: TaskPlaces;
  producer: Producer;
  /** Master keys in the folder `keys`. */
  readonly dataKeys: ReturnType<typeof dataKeysOf>;
  readonly ports: SchedulePorts;
  /** What was noted. */
  readonly notes: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
  /** Told of every note. */
  onNote: (event: string) => void;
  readonly outcomes: RunOutcome[];
  readonly cancels: { readonly stopAt: number; readonly seconds: number }[];
  /** Closes the record, for another process to open it. */
  handOver(): Promise<void>;
  takeBack(): Promise<void>;
  /** Moves the clock of runs forward. */
  later(ms: number): void;
  /** Stops it. */
  freeze(): void;
  /** Put before every destination that is opened. */
  before: (destination: Destination, name: string) => Destination;
  /** A path in the harbour; its folders: `east`, `west`, `north` are image stores, `quay` a destination, `yard` a root. */
  path(...names: string[]): string;
  start(limits?: Partial<ScheduleLimits>): Promise<Scheduler>;
  /** An image of the catalogue whose disk is a file in the image store of its region. */
  stored(id: string, format: string, ...files: string[]): Promise<Image>;
  accept(spec: TaskSpec, given?: Partial<NewTask>): Promise<Task>;
  cancel(id: string): Promise<Task>;
  /** Resolves with the task as soon as it is so. */
  until(id: string, is: (task: Task) => boolean): Promise<Task>;
  ended(id: string): Promise<Task>;
  events(id?: string): Promise<readonly RecordedEvent[]>;
  /** Files in the folders of the harbour, hidden ones included; of a half-written file `part` stands for its id. */
  files(...folders: string[]): string[];
}

const REGIONS = ["east", "west", "north"];
const PARTIAL = /\.[0-9a-f]{8}\.diskferry-part$/;
/** 64 KiB: one slot of a raw disk is one percent of a disk of 85 of them. */
export const PART = 64 * KiB;

export async function harbour(regions: Partial<Region> = {}): Promise<Harbour> {
  const directory = mkdtempSync(join(tmpdir(), "diskferry-harbour-"));
  const path = (...names: string[]): string => join(directory, ...names);
  for (const folder of [...REGIONS, "quay", "yard"]) mkdirSync(path(folder));
  let record = openSqliteRecord(path("record.db"));
  const schedulers: Scheduler[] = [];
  let made = 0;
  let ahead = 0;
  let frozen: number | undefined;

  for (const id of REGIONS) {
    await record.catalogue.regions.add(
      region({ id, imageStore: id, imageWrite: { format: "raw" }, ...regions }),
    );
    await record.catalogue.destinations.add(directoryAt(id, id, path(id)));
  }
  await record.catalogue.destinations.add(directoryAt("quay", "east", path("quay")));

  const small = (destination: Destination): Destination => ({
    ...destination,
    limits: { ...destination.limits, preferredPart: PART, zeroPart: PART },
  });
  const self: Harbour = {
    record,
    notes: [],
    onNote: () => {},
    outcomes: [],
    cancels: [],
    before: (destination) => destination,
    producer: pool,
    dataKeys: dataKeysOf(openKeyring(path("keys")), (_level, event, fields) =>
      self.notes.push({ event, fields }),
    ),
    places: {
      destination: async ({ location, name }, object) =>
        self.before(small(await openDirectory(join(location, object))), name),
      source: ({ location }, object) => openFile(join(location, object)),
      url: () => Promise.reject(new Error("no URL is asked for")),
      file: (root, file) => openFile(path(root, file)),
    },
    async handOver() {
      await record[Symbol.asyncDispose]();
    },
    async takeBack() {
      record = openSqliteRecord(path("record.db"));
      self.record = record;
    },
    freeze() {
      frozen = Date.now();
    },
    later(ms) {
      ahead += ms;
    },
    path,
    get ports(): SchedulePorts {
      return {
        record: self.record,
        places: self.places,
        dataKeys: self.dataKeys,
        producer: self.producer,
        stateDirectory: path("state"),
        metrics: metricsOf(self),
        note(_level, event, fields) {
          self.notes.push({ event, fields });
          self.onNote(event);
        },
        now: () => (frozen ?? Date.now()) + ahead,
        random: () => 0,
      };
    },
    async start(limits = {}) {
      const scheduler = await startScheduler(self.ports, {
        runner: "host-1",
        mostRuns: 32,
        memory: 64 * MiB,
        ...limits,
      });
      schedulers.push(scheduler);
      return scheduler;
    },
    async stored(id, format, ...files) {
      const at = id.split("-")[0] ?? "";
      const entry = image({
        id,
        project: "p1",
        region: at,
        store: at,
        name: id,
        format,
        createdAt: 0,
        disks: await Promise.all(
          files.map(async (object, index) => {
            await using opened = await openAlone(await openFile(path(at, object)), format, never);
            return imageDisk({
              snapshot: `${id}-s${index}`,
              virtualSize: opened.image.virtualSize,
              createdAt: 0,
              object,
              size: statSync(path(at, object)).size,
            });
          }),
        ),
      });
      await record.catalogue.images.add(entry);
      return entry;
    },
    async accept(spec, given = {}) {
      made += 1;
      const id = `${spec.kind}-${made}`;
      const to = spec.kind === "export" ? undefined : spec;
      const { task } = await record.accept({
        task: {
          id,
          project: "p1",
          spec,
          regions: regionsOf(spec),
          exclusive: [],
          bandwidth: 0,
          requestId: "r",
          ...given,
        },
        at: Date.now(),
        images:
          to === undefined
            ? []
            : [
                image({
                  id: to.to.image,
                  project: "p1",
                  region: to.region,
                  store: to.to.destination,
                  name: to.to.image,
                  status: "Waiting",
                  format: to.to.write.format,
                  createdAt: 0,
                  disks: to.to.objects.map((_, index) =>
                    imageDisk({ snapshot: `${to.to.image}-s${index}`, virtualSize: 0, createdAt: 0 }),
                  ),
                }),
              ],
        sameName: "allow",
        volumes: [],
        unchanged: [],
        limits: [],
      });
      return task;
    },
    async cancel(id) {
      const outcome = await record.apply(id, { kind: "cancel-accepted" }, Date.now());
      if (outcome === undefined || isRefusal(outcome)) throw new Error(outcome?.refused ?? "no such task");
      return outcome;
    },
    async until(id, is) {
      for (;;) {
        const last = await record.lastEvent();
        const task = await record.task(id);
        if (task === undefined) throw new Error(`there is no task ${id}`);
        if (is(task)) return task;
        if (isFinal(task.state)) throw new Error(`${id} has ${task.state}: ${task.failure?.message ?? ""}`);
        await record.news(last, never);
      }
    },
    ended: (id) => self.until(id, ({ state }) => isFinal(state)),
    events: (task) => record.events({ after: 0, limit: 100_000, ...(task === undefined ? {} : { task }) }),
    files: (...folders) =>
      folders.flatMap((folder) => {
        try {
          return readdirSync(path(folder)).map((name) => `${folder}/${name.replace(PARTIAL, ".part")}`);
        } catch {
          return [];
        }
      }),
    async [Symbol.asyncDispose]() {
      for (const scheduler of schedulers) await scheduler[Symbol.asyncDispose]();
      await record[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
  return self;
}

function directoryAt(name: string, at: string, location: string): CatalogueDestination {
  return { name, region: at, provider: "directory", container: location, location: `${location}/` };
}

function regionsOf(spec: TaskSpec): readonly string[] {
  if (spec.kind === "copy") return [...new Set([spec.from.region, spec.region])];
  return [spec.kind === "import" ? spec.region : "east"];
}

function metricsOf({ outcomes, cancels }: Harbour): RunMetrics {
  return {
    started: () => {},
    ended: (_kind, outcome) => outcomes.push(outcome),
    moved: (_kind, _stage, bytes) => {
      if (!(bytes >= 0)) throw new Error(`${bytes} bytes were moved`);
    },
    canceled: (_kind, stopAt, seconds) => cancels.push({ stopAt, seconds }),
    retried: () => {},
  };
}

export function exportOf(
  from: string,
  objects: readonly string[],
  given: Partial<ExportSpec> = {},
): ExportSpec {
  return {
    kind: "export",
    from: { kind: "image", image: from },
    destination: "quay",
    objects,
    format: "raw",
    verify: "by the store",
    ...given,
  };
}

export function importOf(files: readonly string[], to: string, given: Partial<ImportSpec> = {}): ImportSpec {
  return {
    kind: "import",
    disks: files.map((file) => ({ source: { kind: "file", root: "yard", path: file } })),
    region: "east",
    to: {
      image: to,
      destination: "east",
      objects: files.map((_, n) => `${to}-${n}`),
      write: { format: "raw" },
    },
    verify: "by the store",
    ...given,
  };
}

export function copyOf(from: string, to: string, format: string, objects = [`${to}-0`]): TaskSpec {
  const at = to.split("-")[0] ?? "";
  return {
    kind: "copy",
    from: { image: from, region: from.split("-")[0] ?? "" },
    region: at,
    to: { image: to, destination: at, objects, write: { format } },
    verify: "by the store",
  };
}
