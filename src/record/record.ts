/**
 * The store of record: what the control plane knows, and all that must outlive a crash. Whatever must happen at once
 * is one method, and what has resolved is durable. Several daemons may share one record; the embedded one is SQLite
 * (sqlite/).
 */
import type { Destination } from "../catalog/destination.ts";
import type { Versioned } from "../catalog/entry.ts";
import type { Image } from "../catalog/image.ts";
import type { Key } from "../catalog/key.ts";
import type { Project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
import type { TaskKind } from "../task/spec.ts";
import type { Refusal, TaskEvent } from "../task/step.ts";
import type { NewTask, Task } from "../task/task.ts";
import type { InUse } from "./admission.ts";
import type { AuditEntry, AuditQuery, RecordedAudit } from "./audit.ts";
import type { EventQuery, RecordedEvent } from "./event.ts";
import type { SeenNonce } from "./nonce.ts";
import type { TaskPage, TaskQuery, TaskWhere, Unfinished } from "./query.ts";

export interface TaskRecord extends AsyncDisposable {
  readonly catalogue: Catalogue;

  /**
   * Accepts a task, with all that belongs to it: the client token, the catalogue entries that it reserves, the names
   * that it claims. All of it, or nothing. Accepts that arrive together share one write to disk.
   * @throws Fault IDEMPOTENCY_MISMATCH; CONFLICT when an unfinished task claims one of the names, or the catalogue has
   * changed; QUOTA_EXCEEDED; ALREADY_EXISTS when an image of that name is there; NOT_FOUND when it names a region that
   * is not there; THROTTLED when too many wait.
   */
  accept(acceptance: Acceptance): Promise<Accepted>;
  /** Meets whatever `accept` would meet, and changes nothing. */
  rehearse(acceptance: Acceptance): Promise<void>;
  /**
   * The task that was accepted with this token.
   * @throws Fault IDEMPOTENCY_MISMATCH when the token came with another fingerprint.
   */
  replayed(token: ClientToken): Promise<Task | undefined>;

  task(id: string): Promise<Task | undefined>;
  tasks(query: TaskQuery): Promise<TaskPage>;
  countTasks(where: TaskWhere): Promise<number>;
  /** How many tasks have not ended. */
  unfinished(): Promise<readonly Unfinished[]>;

  /**
   * Applies `step`, appends the event, and at the end of a task settles the catalogue entries that it had reserved.
   * Undefined when there is no such task. A refused event leaves no trace.
   */
  apply(task: string, event: TaskEvent, at: number): Promise<Task | Refusal | undefined>;
  /**
   * Starts what may start now, and says what it has started. Cancelled tasks that wait for their end come first; then
   * the others in order of acceptance, where one that waits for a full region holds up no later one (D3). No region
   * ever takes part in more runs of a kind than it has slots. A run that only cleans up takes no slot.
   */
  claim(claim: Claim): Promise<readonly Task[]>;
  /**
   * Queues again every task that this runner holds: for a daemon that starts, and knows that it runs nothing. What has
   * been lost too often is given up, and has failed.
   */
  recover(runner: string, at: number): Promise<readonly Task[]>;
  /** When the earliest of the waiting tasks that are held back beyond `at` may start. */
  nextStart(at: number): Promise<number | undefined>;

  /** Slots that runs hold now. */
  slotsInUse(): Promise<readonly InUse[]>;

  /** Ascending. Events become visible in the order of their numbers: what is read once is never added to. */
  events(query: EventQuery): Promise<readonly RecordedEvent[]>;
  /** The number of the newest event; 0 when there is none yet. */
  lastEvent(): Promise<number>;
  /** Resolves once there is an event after `after`. */
  news(after: number, signal: AbortSignal): Promise<void>;

  /**
   * Removes an image of the catalogue, and takes objects of its store for unneeded.
   * @throws Fault as `Shelf.remove` does.
   */
  deleteImage(deletion: ImageDeletion): Promise<void>;
  /** Objects that are unneeded, in order of their numbers: nothing in the record uses one of them. */
  unneeded(query: { readonly after: number; readonly limit: number }): Promise<readonly UnneededObject[]>;
  /** The object is gone. */
  removed(sequence: number): Promise<void>;

  /** Remembers a signed request, and forgets some of those that came earlier. */
  keepNonce(seen: SeenNonce, forgetBefore: number): Promise<void>;
  /** The signed requests that have come since. */
  nonces(since: number): Promise<readonly SeenNonce[]>;

  /** Removes some of what has ended long ago, the oldest first, events included. Numbers are not used again. */
  forget(retention: Retention): Promise<Forgotten>;

  audit(entry: AuditEntry): Promise<void>;
  /** Newest first. */
  audits(query: AuditQuery): Promise<readonly RecordedAudit[]>;
}

export interface Catalogue {
  readonly regions: Shelf<Region>;
  readonly projects: Shelf<Project>;
  readonly images: Shelf<Image>;
  readonly volumes: Shelf<Volume>;
  readonly destinations: Shelf<Destination>;
  readonly keys: Shelf<Key>;
}

/** The entries of one kind. */
export interface Shelf<Entry> {
  get(id: string): Promise<Versioned<Entry> | undefined>;
  /** In order of their ids. */
  list(query: ShelfQuery): Promise<readonly Versioned<Entry>[]>;
  count(query: Pick<ShelfQuery, "project" | "region">): Promise<number>;
  /** @throws Fault ALREADY_EXISTS; NOT_FOUND when it names a region that is not there. */
  add(entry: Entry): Promise<Versioned<Entry>>;
  /**
   * @throws Fault NOT_FOUND; CONFLICT when the version is not the newest, or when tasks and images would no longer find
   * what they have in a destination.
   */
  replace(entry: Entry, version: number): Promise<Versioned<Entry>>;
  /** @throws Fault NOT_FOUND; CONFLICT when the version is not the newest, or something still needs the entry. */
  remove(id: string, version: number): Promise<void>;
}

/** All that is given must hold. */
export interface ShelfQuery {
  readonly project?: string;
  readonly region?: string;
  readonly name?: string;
  /** Of destinations: as the store calls it. */
  readonly container?: string;
  readonly limit: number;
  /** Only ids after this one. */
  readonly after?: string;
}

export interface Acceptance {
  readonly task: NewTask;
  readonly at: number;
  readonly token?: ClientToken;
  /** Entries that are made with the task. */
  readonly images: readonly Image[];
  /** Whether they may bear the name of another image of their project and region. */
  readonly sameName: "refuse" | "allow";
  /** Volumes that become `uploading`, as they have been seen. */
  readonly volumes: readonly Versioned<Volume>[];
  /** Images that must be as they have been seen. */
  readonly unchanged: readonly Versioned<Image>[];
  readonly limits: readonly Limit[];
}

/** What a project may have, the new task included. */
export type Limit =
  | { readonly counts: "images"; readonly project: string; readonly region: string; readonly most: number }
  | { readonly counts: "snapshots"; readonly project: string; readonly region: string; readonly most: number }
  | {
      readonly counts: "tasks";
      /** For people. */
      readonly name: string;
      readonly where: TaskWhere;
      readonly most: number;
    };

/** Makes the repetition of a request harmless. */
export interface ClientToken {
  readonly project: string;
  /** Tokens of different actions and regions have nothing to do with each other. */
  readonly action: string;
  readonly region: string;
  readonly token: string;
  /** Of all other parameters of the request. */
  readonly fingerprint: string;
}

export interface Accepted {
  readonly task: Task;
  /** `before`: the same request was accepted earlier, and nothing has been done now. */
  readonly when: "now" | "before";
}

export interface Claim {
  readonly runner: string;
  readonly at: number;
  /** Tasks to start at most. */
  readonly most: number;
  readonly kinds?: readonly TaskKind[];
}

export interface ImageDeletion {
  readonly image: string;
  /** As it has been seen. */
  readonly version: number;
  /** Of the image's store. */
  readonly objects: readonly string[];
  readonly at: number;
}

/** An object that an image had which is deleted; until it is gone, no task may make it again. */
export interface UnneededObject {
  readonly sequence: number;
  /** Name of a destination. */
  readonly destination: string;
  readonly object: string;
}

export interface Retention {
  /** Tasks that ended earlier are removed, unless their token is still kept. */
  readonly endedBefore: number;
  /** Tokens given earlier are removed, unless their task has not ended. */
  readonly tokensBefore: number;
  /** Notes of the audit log taken earlier are removed. */
  readonly auditsBefore: number;
  /** Of tasks, events, tokens and notes each to remove at most: the record stands still meanwhile. */
  readonly most: number;
}

export interface Forgotten {
  readonly tasks: number;
  readonly audits: number;
  /** Whether there may be more. */
  readonly rest: "none" | "some";
}
