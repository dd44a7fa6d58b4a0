/**
 * What a task is: plain data that is stored, shown and compared. How it changes is step.ts. Moments are milliseconds
 * since 1970, sizes are bytes.
 */
import type { Checksums } from "../digest/checksum.ts";
import type { TaskSpec, Verification } from "./spec.ts";

/** FJ-12 to FJ-17, spelled as there. */
export const TASK_STATES = ["queued", "processing", "cancelling", "canceled", "succeeded", "failed"] as const;

export type TaskState = (typeof TASK_STATES)[number];

export const UNFINISHED_STATES = [
  "queued",
  "processing",
  "cancelling",
] as const satisfies readonly TaskState[];

export type UnfinishedState = (typeof UNFINISHED_STATES)[number];

export const FINAL_STATES = ["canceled", "succeeded", "failed"] as const satisfies readonly TaskState[];

/** How far the present run has come; `waiting` when nobody runs the task. */
export type Stage =
  | "waiting"
  | "opening"
  | "planning"
  | "data"
  | "sealing"
  | "committing"
  | "verifying"
  | "cataloguing"
  | "ended";

/** Counters of the present run; `committed` includes what earlier runs have landed. */
export interface TaskBytes {
  readonly read: number;
  readonly encoded: number;
  readonly sent: number;
  readonly committed: number;
  /** Of the plan; 0 before there is one. */
  readonly total: number;
}

/** An accepted cancel. It is never withdrawn (FJ-25). */
export interface Cancel {
  readonly acceptedAt: number;
  /** Progress at which the task stops, and which it never passes; falls to where a task stands that cannot go on. */
  readonly stopAt: number;
}

export interface Failure {
  readonly stage: Stage;
  /** A code of `Fault`. */
  readonly code: string;
  /** One line for people, without secrets. */
  readonly message: string;
  readonly retryable: boolean;
}

/** One object that a task has landed: one for each disk. */
export interface LandedObject {
  readonly object: string;
  readonly format: string;
  readonly size: number;
  readonly virtualSize: number;
  readonly checksums: Checksums;
  /** Absent: not all of the disk was decoded, and nobody knew it before. */
  readonly guestDigest?: string;
  readonly verified: Verification;
}

export interface TaskResult {
  /** In the order of the disks. */
  readonly objects: readonly LandedObject[];
}

export interface TaskTimes {
  readonly acceptedAt: number;
  /** Of the first run. */
  readonly startedAt?: number;
  readonly changedAt: number;
  readonly endedAt?: number;
}

export interface Task {
  readonly id: string;
  /** Order of acceptance: unique, ascending, never used twice. */
  readonly sequence: number;
  readonly project: string;
  readonly spec: TaskSpec;
  /** Whose slots a run takes: one of each. */
  readonly regions: readonly string[];
  /** Names that no two unfinished tasks may claim at once. */
  readonly exclusive: readonly string[];
  readonly state: TaskState;
  readonly stage: Stage;
  /** Percent, an integer; never falls (D2). */
  readonly progress: number;
  readonly bytes: TaskBytes;
  readonly cancel?: Cancel;
  /** Runs begun so far. */
  readonly attempts: number;
  /** The run that holds the task now. */
  readonly run?: Run;
  /** No run begins earlier. */
  readonly notBefore?: number;
  /** Why the last run ended early, when the task was queued again, or stopped short of its line. */
  readonly setback?: Failure;
  /** Runs that ended so since the task last got further. */
  readonly setbacks?: number;
  /** Most bytes that were committed at a setback. */
  readonly furthest?: number;
  /** Runs that have been lost since the task last got further. */
  readonly lost?: LostRuns;
  /** Only of failed tasks. */
  readonly failure?: Failure;
  /** Only of succeeded tasks. */
  readonly result?: TaskResult;
  readonly times: TaskTimes;
  /** Bytes per second; 0: no limit. */
  readonly bandwidth: number;
  /** Of the request that was accepted, for logs and audits. */
  readonly requestId: string;
  readonly clientToken?: string;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
}

/** Runs in a row whose daemon ended in their midst, and how far the task had come by then. */
export interface LostRuns {
  readonly runs: number;
  readonly progress: number;
  readonly committed: number;
}

export interface Run {
  /** Which daemon runs it. */
  readonly runner: string;
  /** Slots held: the task's regions, or none when the run only cleans up. */
  readonly slots: readonly string[];
}

/** What a request says about a task; the rest follows from being accepted. */
export type NewTask = Pick<
  Task,
  | "id"
  | "project"
  | "spec"
  | "regions"
  | "exclusive"
  | "bandwidth"
  | "requestId"
  | "clientToken"
  | "traceparent"
>;

/** A task as it is when it has just been accepted. */
export function acceptedTask(task: NewTask, sequence: number, at: number): Task {
  return {
    ...task,
    sequence,
    state: "queued",
    stage: "waiting",
    progress: 0,
    bytes: { read: 0, encoded: 0, sent: 0, committed: 0, total: 0 },
    attempts: 0,
    times: { acceptedAt: at, changedAt: at },
  };
}

export function isFinal(state: TaskState): boolean {
  return FINAL_STATES.some((final) => final === state);
}
