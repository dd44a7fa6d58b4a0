/** Which tasks are asked for. */
import type { TaskKind } from "../task/spec.ts";
import type { Task, TaskState, UnfinishedState } from "../task/task.ts";

/** All that is given must hold. */
export interface TaskWhere {
  readonly project?: string;
  readonly kinds?: readonly TaskKind[];
  readonly states?: readonly TaskState[];
  /** One of the task's regions. */
  readonly region?: string;
  /** The image that is read or made. */
  readonly image?: string;
  /** One of them is read or made. */
  readonly images?: readonly string[];
  /** Accepted at this moment or later. */
  readonly acceptedFrom?: number;
  /** Accepted at this moment or earlier. */
  readonly acceptedTo?: number;
  readonly ids?: readonly string[];
}

/** Newest first. */
export interface TaskQuery {
  readonly where: TaskWhere;
  /** `newest`: `skip` tasks are left out. `before`: only what was accepted before that sequence number. */
  readonly from:
    | { readonly is: "newest"; readonly skip: number }
    | { readonly is: "before"; readonly sequence: number };
  readonly limit: number;
}

/** Tasks of one kind, in one state, of the same regions. */
export interface Unfinished {
  readonly kind: TaskKind;
  readonly state: UnfinishedState;
  readonly regions: readonly string[];
  readonly count: number;
}

export interface TaskPage {
  readonly tasks: readonly Task[];
  /** Where the next page begins, if there is more: stays right while tasks are added. */
  readonly next?: number;
}
