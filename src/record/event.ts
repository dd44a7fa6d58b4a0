/** Events as they are recorded, for replay. */
import type { TaskKind } from "../task/spec.ts";
import type { TaskEvent } from "../task/step.ts";
import type { Task } from "../task/task.ts";

export interface RecordedEvent {
  /** Unique, ascending, never used twice. */
  readonly sequence: number;
  readonly task: string;
  readonly project: string;
  readonly kind: TaskKind;
  readonly at: number;
  readonly event: TaskEvent | { readonly kind: "accepted" };
  /** The task after the event. */
  readonly after: Pick<Task, "state" | "stage" | "progress" | "bytes" | "cancel" | "attempts">;
}

export interface EventQuery {
  /** Only events with greater numbers. */
  readonly after: number;
  readonly project?: string;
  readonly task?: string;
  readonly kind?: TaskKind;
  readonly limit: number;
}

/** What a recorded event keeps of the task. */
export function eventAfter(task: Task): RecordedEvent["after"] {
  const { state, stage, progress, bytes, cancel, attempts } = task;
  return { state, stage, progress, bytes, attempts, ...(cancel === undefined ? {} : { cancel }) };
}
