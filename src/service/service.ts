/**
 * THE USE CASES: what every dialect calls, and nothing but that. What a caller may not see is NOT_FOUND. Every refusal
 * is a Fault whose `details.reason` is one of refusal.ts.
 */
import type { Destination } from "../catalog/destination.ts";
import type { Versioned } from "../catalog/entry.ts";
import type { Image } from "../catalog/image.ts";
import type { Key } from "../catalog/key.ts";
import type { Project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
import type { AuditQuery, RecordedAudit } from "../record/audit.ts";
import type { RecordedEvent } from "../record/event.ts";
import type { Accepted } from "../record/record.ts";
import type { Task } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import type { DestinationWanted } from "./find-destination.ts";
import type {
  CopyRequest,
  DeleteRequest,
  ExportRequest,
  ImportRequest,
  TaskListRequest,
  TaskRequest,
  WatchRequest,
} from "./request.ts";

export interface Service {
  exportImage(caller: Caller, request: ExportRequest, signal: AbortSignal): Promise<Accepted>;
  importImage(caller: Caller, request: ImportRequest, signal: AbortSignal): Promise<Accepted>;
  copyImage(caller: Caller, request: CopyRequest, signal: AbortSignal): Promise<Accepted>;
  /** Checks all that can be checked without accepting anything. @throws the Fault that the request would meet. */
  rehearse(caller: Caller, request: TaskRequest, signal: AbortSignal): Promise<void>;

  getTask(caller: Caller, id: string): Promise<Task>;
  listTasks(caller: Caller, request: TaskListRequest): Promise<TaskList>;
  /** FJ-22 to FJ-32, D1. @throws Fault PRECONDITION: finished, already-cancelling or committing. */
  cancelTask(caller: Caller, id: string): Promise<Task>;
  /** Bytes per second from now on; 0: no limit. */
  limitTask(caller: Caller, id: string, bandwidth: number): Promise<Task>;
  /**
   * Takes an image of the caller's own out of the catalogue; what is stored of its disks stays.
   * @throws Fault NOT_FOUND; PRECONDITION, CONFLICT while a task makes or reads it, or others share it.
   */
  deleteImage(caller: Caller, request: DeleteRequest): Promise<void>;
  /** Replays, then goes on live, without a gap. Ends when the signal fires. */
  watch(caller: Caller, request: WatchRequest, signal: AbortSignal): AsyncIterable<RecordedEvent>;
  /** Number of the newest event: who asks before he reads something can watch it from there without a gap. */
  lastEvent(): Promise<number>;

  readonly regions: Entries<Region>;
  readonly projects: Entries<Project>;
  readonly images: Entries<Image>;
  readonly volumes: Entries<Volume>;
  readonly destinations: Entries<Destination>;
  readonly keys: Entries<Key>;

  /** @throws Fault NOT_FOUND; USAGE when containers of its region are written in another form. */
  findDestination(caller: Caller, wanted: DestinationWanted): Promise<Destination>;

  /** What is in use of what there may be. */
  usage(caller: Caller): Promise<Usage>;
  /** Newest first; only for admins. */
  audits(caller: Caller, query: AuditQuery): Promise<readonly RecordedAudit[]>;
}

/** What a caller sees of the catalogue; only admins change it. */
export interface Entries<Entry> {
  get(caller: Caller, id: string): Promise<Versioned<Entry>>;
  list(caller: Caller, query: EntryQuery): Promise<EntryList<Entry>>;
  register(caller: Caller, entry: Entry): Promise<Versioned<Entry>>;
  replace(caller: Caller, entry: Entry, version: number): Promise<Versioned<Entry>>;
  unregister(caller: Caller, id: string, version: number): Promise<void>;
}

export interface EntryQuery {
  /** Only for admins; users list what is their own. */
  readonly project?: string;
  readonly region?: string;
  readonly name?: string;
  /** Absent, and at most: 200. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface EntryList<Entry> {
  readonly entries: readonly Versioned<Entry>[];
  readonly next?: string;
}

export interface TaskList {
  readonly tasks: readonly Task[];
  /** Of all pages. */
  readonly total: number;
  /** Opaque; stays right while tasks are added (AIP-158). */
  readonly next?: string;
}

export interface Usage {
  readonly regions: readonly {
    readonly region: string;
    readonly slots: Region["slots"];
    /** Runs of all projects. */
    readonly running: Region["slots"];
    readonly images: number;
  }[];
  readonly quotas: Project["quotas"];
  readonly unfinished: number;
  readonly exports: number;
  readonly weeklyExports: number;
}
