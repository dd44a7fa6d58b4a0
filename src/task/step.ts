/** How a task changes: one pure function from a task and an event to the task after it, or to a refusal. */
import { dataProgress, PROGRESS, stopLine } from "./bands.ts";
import { lostRuns } from "./lost-run.ts";
import { withSetback } from "./setbacks.ts";
import {
  type Failure,
  isFinal,
  type Run,
  type Stage,
  type Task,
  type TaskBytes,
  type TaskResult,
} from "./task.ts";

export type TaskEvent =
  /** A run begins. A cancelling task is run, too: up to its stop line, or to clean up. */
  | ({ readonly kind: "started" } & Run)
  /** The image is open. */
  | { readonly kind: "opened" }
  | { readonly kind: "planned"; readonly total: number }
  | { readonly kind: "progressed"; readonly bytes: Omit<TaskBytes, "total"> }
  | { readonly kind: "sealing" }
  /** The gate of D1: granted, no cancel is accepted any more; refused, the run stops. */
  | { readonly kind: "committing" }
  | { readonly kind: "verifying" }
  | { readonly kind: "cataloguing" }
  | { readonly kind: "cancel-accepted" }
  /** Bytes per second from now on; 0: no limit. */
  | { readonly kind: "limited"; readonly bandwidth: number }
  /** The run ended in good order and goes on later (FJ-33). */
  | { readonly kind: "parked" }
  /** The run failed, or was lost with its daemon, and is worth another. */
  | {
      readonly kind: "requeued";
      readonly setback?: Failure;
      readonly lost?: true;
      readonly notBefore?: number;
    }
  /** The run of a cancelled task cannot go on: the task stops where it stands, short of its line. */
  | { readonly kind: "cut-short"; readonly failure: Failure }
  /** A cancelling run has reached its stop line, and nothing of it is left in the destination. */
  | { readonly kind: "stopped" }
  | { readonly kind: "succeeded"; readonly result: TaskResult }
  | { readonly kind: "failed"; readonly failure: Failure };

export type RefusalReason =
  | "finished"
  | "already-cancelling"
  | "committing"
  | "must-stop"
  | "before-stop-line"
  | "already-running"
  | "not-running"
  | "not-cancelling"
  | "out-of-order";

/** The event does not apply; the task stays as it is. */
export interface Refusal {
  readonly refused: RefusalReason;
  readonly message: string;
}

export function isRefusal(outcome: Task | Refusal): outcome is Refusal {
  return "refused" in outcome;
}

/** Whether the run of a cancelled task must end now: it stands on its stop line, or has no way to it. */
export function mustStop(task: Task): boolean {
  return task.cancel !== undefined && task.progress >= task.cancel.stopAt;
}

/** What the task is after the event; times are those of `at`. */
export function step(task: Task, event: TaskEvent, at: number): Task | Refusal {
  if (isFinal(task.state)) return refuse("finished", `the task has ${task.state} already`);
  const now: Task = { ...task, times: { ...task.times, changedAt: at } };
  switch (event.kind) {
    case "started":
      return start(now, event, at);
    case "cancel-accepted":
      return cancel(now, at);
    case "limited":
      return { ...now, bandwidth: event.bandwidth };
    default:
      return task.run === undefined ? refuse("not-running", "nobody runs the task") : run(now, event, at);
  }
}

type RunEvent = Exclude<TaskEvent, { readonly kind: "started" | "cancel-accepted" | "limited" }>;

function run(task: Task, event: RunEvent, at: number): Task | Refusal {
  switch (event.kind) {
    case "opened":
      return inOrder(task, event, ["opening"]) ?? advance(task, "planning", PROGRESS.planning);
    case "planned": {
      const bytes = { ...task.bytes, total: event.total };
      return inOrder(task, event, ["planning"]) ?? advance({ ...task, bytes }, "data", PROGRESS.planned);
    }
    case "progressed":
      return inOrder(task, event, ["data"]) ?? progressed(task, event.bytes);
    case "sealing":
      return inOrder(task, event, ["data"]) ?? goOn(task, "sealing");
    case "committing":
      return inOrder(task, event, ["sealing"]) ?? goOn(task, "committing");
    case "verifying":
      return inOrder(task, event, ["committing"]) ?? goOn(task, "verifying");
    case "cataloguing":
      return inOrder(task, event, ["committing", "verifying"]) ?? goOn(task, "cataloguing");
    case "parked":
      return backInQueue(task);
    case "requeued": {
      const { setback, lost, notBefore } = event;
      return {
        ...backInQueue(task),
        ...(lost === undefined ? {} : { lost: lostRuns(task) }),
        ...(setback === undefined ? {} : { setback, ...withSetback(task) }),
        ...(notBefore === undefined ? {} : { notBefore }),
      };
    }
    case "cut-short":
      if (task.cancel === undefined) return refuse("not-cancelling", "no cancel was accepted");
      return { ...task, cancel: { ...task.cancel, stopAt: task.progress }, setback: event.failure };
    case "stopped":
      if (task.state !== "cancelling") return refuse("not-cancelling", "no cancel was accepted");
      if (!mustStop(task)) {
        return refuse("before-stop-line", `the task stops at ${task.cancel?.stopAt} %, not before`);
      }
      return end(task, "canceled", at);
    case "succeeded":
      return inOrder(task, event, ["cataloguing"]) ?? succeed(task, event.result, at);
    case "failed":
      return { ...end(task, "failed", at), failure: event.failure };
  }
}

function start(task: Task, { runner, slots }: Run, at: number): Task | Refusal {
  if (task.run !== undefined) return refuse("already-running", `${task.run.runner} runs the task`);
  const { notBefore: _, ...rest } = task;
  return {
    ...rest,
    state: task.state === "cancelling" ? "cancelling" : "processing",
    stage: "opening",
    progress: bounded(task, PROGRESS.opening),
    run: { runner, slots },
    attempts: task.attempts + 1,
    times: { ...task.times, startedAt: task.times.startedAt ?? at },
  };
}

/** FJ-23 to FJ-32, D1. */
function cancel(task: Task, at: number): Task | Refusal {
  if (task.cancel !== undefined) return refuse("already-cancelling", "a cancel was accepted before"); // FJ-24
  // FJ-27: nothing has been done yet, so that nothing is left to undo.
  if (task.attempts === 0) {
    return end({ ...task, cancel: { acceptedAt: at, stopAt: task.progress } }, "canceled", at);
  }
  const line = stopLine(task.progress);
  if (line === undefined) return refuse("committing", "the result is being published; too late to cancel");
  // What waits between two runs gets no further; one more run cleans up, at once.
  const stopAt = task.run === undefined ? task.progress : line;
  const { notBefore: _, ...rest } = task;
  return { ...rest, state: "cancelling", cancel: { acceptedAt: at, stopAt } };
}

function progressed(task: Task, counted: Omit<TaskBytes, "total">): Task {
  const { total } = task.bytes;
  const bytes = { ...counted, total };
  return { ...task, bytes, progress: bounded(task, dataProgress(counted.committed, total)) };
}

/** The steps on the way to the result: not for a run that must stop. */
function goOn(task: Task, stage: "sealing" | "committing" | "verifying" | "cataloguing"): Task | Refusal {
  if (mustStop(task)) return refuse("must-stop", `the task is cancelled, and stops at ${task.progress} %`);
  return advance(task, stage, PROGRESS[stage]);
}

function advance(task: Task, stage: Stage, progress: number): Task {
  return { ...task, stage, progress: bounded(task, progress) };
}

/** Never falls, and never passes the stop line, even when one large part goes far beyond it. */
function bounded(task: Task, progress: number): number {
  return Math.min(Math.max(task.progress, progress), task.cancel?.stopAt ?? PROGRESS.succeeded);
}

function backInQueue(task: Task): Task {
  const { run: _, ...rest } = task;
  return { ...rest, state: task.state === "cancelling" ? "cancelling" : "queued", stage: "waiting" };
}

function end(task: Task, state: "canceled" | "succeeded" | "failed", at: number): Task {
  const { run: _, notBefore: __, ...rest } = task;
  return { ...rest, state, stage: "ended", times: { ...task.times, endedAt: at } };
}

function succeed(task: Task, result: TaskResult, at: number): Task {
  const { setback: _, lost: __, ...rest } = end(task, "succeeded", at);
  return { ...rest, progress: PROGRESS.succeeded, result };
}

/** A refusal unless the run stands at one of these stages. */
function inOrder(task: Task, event: TaskEvent, after: readonly Stage[]): Refusal | undefined {
  if (after.includes(task.stage)) return undefined;
  return refuse("out-of-order", `${event.kind} does not follow ${task.stage}`);
}

function refuse(refused: RefusalReason, message: string): Refusal {
  return { refused, message };
}
