/** Tasks in the words of this dialect: D8, D9. */
import { madeImage, readImage, type TaskKind, type TaskSpec } from "../../task/spec.ts";
import { isFinal, type Task, type TaskState } from "../../task/task.ts";
import type { Fields } from "./envelope.ts";
import type { Rule } from "./errors.ts";
import { ERRORS } from "./errors.ts";

const ACTIONS: Readonly<Record<TaskKind, string>> = {
  export: "ExportImage",
  import: "ImportImage",
  copy: "CopyImage",
};

const STATUSES: Readonly<Record<TaskState, string>> = {
  queued: "Pending",
  processing: "Processing",
  cancelling: "Processing",
  succeeded: "Finished",
  failed: "Failed",
  canceled: "Deleted",
};

/** The states that a filter means; undefined: it is none that is known, and so is none. */
export function statesOf(status: string): readonly TaskState[] | undefined {
  if (!["Finished", "Processing", "Failed"].includes(status)) return undefined;
  return (Object.keys(STATUSES) as TaskState[]).filter((state) => STATUSES[state] === status);
}

export function kindOf(action: string): TaskKind | undefined {
  return (Object.keys(ACTIONS) as TaskKind[]).find((kind) => ACTIONS[kind] === action);
}

/** What DescribeTasks says of a task, and DescribeTaskAttribute, too. */
export function taskFields(task: Task): Fields {
  const { times, spec } = task;
  return {
    TaskId: task.id,
    TaskAction: ACTIONS[spec.kind],
    TaskStatus: STATUSES[task.state],
    SupportCancel: String(canBeCancelled(task)),
    CreationTime: minute(times.acceptedAt),
    FinishedTime: times.endedAt === undefined ? undefined : minute(times.endedAt),
    ResourceId: resourceOf(spec),
  };
}

/** By CancelTask: D1, D9. */
function canBeCancelled({ spec, state, stage, cancel }: Task): boolean {
  if (spec.kind === "copy" || isFinal(state) || cancel !== undefined) return false;
  return !["committing", "verifying", "cataloguing"].includes(stage);
}

function resourceOf(spec: TaskSpec): string | undefined {
  if (spec.kind === "export" && spec.from.kind === "volume") return spec.from.volume;
  return madeImage(spec) ?? readImage(spec);
}

/** `2018-07-01T12:30Z` */
function minute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16)}Z`;
}

/** `2018-07-01T12:30:45Z` */
export function second(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** `2018-07-01T12:30:45Z`, as milliseconds since 1970; undefined when it is not that. */
export function momentOf(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$/.test(text)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Faults that say that what was read is not the image that the request takes it for. */
const NO_SUCH_IMAGE = [
  "FORMAT_MISMATCH",
  "UNSUPPORTED_FORMAT",
  "UNSUPPORTED_FEATURE",
  "REFERENCE_NOT_LISTED",
  "IMAGE_CORRUPT",
  "IMAGE_TRUNCATED",
  "IMAGE_DIRTY",
  "AMPLIFICATION",
];

/** Why a task has failed: what its request would have met, had it been known then. */
export function failureFields({ failure, spec }: Task): Fields {
  if (failure === undefined) return { ErrorCode: "", ErrorMsg: "" };
  const [, code] = ERRORS[ruleOf(failure.code, spec.kind)];
  return { ErrorCode: code, ErrorMsg: failure.message };
}

function ruleOf(code: string, kind: TaskKind): Rule {
  if (kind === "export") return code === "PERMISSION" || code === "CREDENTIALS" ? "EX-12" : "EX-E9";
  if (kind === "copy") return "CP-E18";
  if (NO_SUCH_IMAGE.includes(code)) return "IM-E5";
  if (code === "LIMIT_EXCEEDED") return "IM-E8";
  if (code === "NOT_FOUND") return "IM-13";
  return code === "PERMISSION" || code === "CREDENTIALS" ? "EX-12" : "import-failed";
}
