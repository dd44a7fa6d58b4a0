/** What the scheduler and its runs need from outside. */
import type { KeyObject } from "node:crypto";
import type { Destination as CatalogueDestination } from "../catalog/destination.ts";
import type { FaultCode } from "../fault/fault.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Source } from "../source/source.ts";
import type { Destination } from "../store/store.ts";
import type { Encryption, TaskKind } from "../task/spec.ts";
import type { Producer } from "../transfer/job.ts";

export interface SchedulePorts {
  readonly record: TaskRecord;
  readonly places: TaskPlaces;
  readonly dataKeys: DataKeys;
  /** Threads of all runs together. */
  readonly producer: Producer;
  /** Where runs note what they must not forget: a folder for each task. It belongs to this daemon alone. */
  readonly stateDirectory: string;
  readonly metrics: RunMetrics;
  readonly note: Note;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** 0 ≤ random() < 1. */
  readonly random: () => number;
}

/**
 * How runs reach what tasks name. Whoever makes it knows the credentials, by the names that destinations give them, and
 * which roots there are.
 */
export interface TaskPlaces {
  /** @throws Fault CREDENTIALS, … */
  destination(destination: CatalogueDestination, object: string, signal: AbortSignal): Promise<Destination>;
  /** @throws Fault NOT_FOUND, CREDENTIALS, … */
  source(destination: CatalogueDestination, object: string, signal: AbortSignal): Promise<Source>;
  url(url: string, signal: AbortSignal): Promise<Source>;
  /** @throws Fault PERMISSION when the path leads out of the root; NOT_FOUND. */
  file(root: string, path: string, signal: AbortSignal): Promise<Source>;
}

/** The keys that images are encrypted with. */
export interface DataKeys {
  /** @throws Fault when the master key is not there, or has not wrapped this data key for this image. */
  unwrap(image: string, encryption: Encryption): Promise<KeyObject>;
}

/** Notes what happened; never throws. */
export type Note = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export type RunOutcome = "succeeded" | "failed" | "canceled" | "parked" | "requeued" | "lost";

export type ByteStage = "read" | "encoded" | "sent" | "committed";

/** What is counted. Nothing here throws or waits. */
export interface RunMetrics {
  /** @param waited seconds from acceptance; only of first runs */
  started(kind: TaskKind, waited?: number): void;
  ended(kind: TaskKind, outcome: RunOutcome, seconds: number): void;
  /** Bytes since the last call. */
  moved(kind: TaskKind, stage: ByteStage, bytes: number): void;
  /** From the acceptance of a cancel to `canceled`. @param stopAt progress at which the task has stopped */
  canceled(kind: TaskKind, stopAt: number, seconds: number): void;
  /** An attempt inside a run is repeated. */
  retried(kind: TaskKind, code: FaultCode): void;
}
