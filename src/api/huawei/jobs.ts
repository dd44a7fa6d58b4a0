/** Jobs of IMS: how far an export has come. A job bears the id of its task, or of the image that it makes. */
import { Fault } from "../../fault/fault.ts";
import { refusal } from "../../service/refusal.ts";
import type { Task, TaskState } from "../../task/task.ts";
import type { Reply } from "../dialect.ts";
import type { Asked } from "./asked.ts";
import { timeText } from "./time.ts";

const STATUS: Readonly<Record<TaskState, string>> = {
  queued: "INIT",
  processing: "RUNNING",
  cancelling: "RUNNING",
  succeeded: "SUCCESS",
  failed: "FAIL",
  canceled: "FAIL",
};

export async function showJob(asked: Asked): Promise<Reply> {
  const task = await jobNamed(asked, asked.parameters["job"] ?? "");
  const { state, progress, times, failure, spec } = task;
  const image = spec.kind === "export" ? undefined : spec.to.image;
  return {
    status: 200,
    body: {
      job_id: task.id,
      job_type: "imsCreateImageByVolume",
      status: STATUS[state],
      begin_time: timeText(times.acceptedAt),
      ...(times.endedAt === undefined ? {} : { end_time: timeText(times.endedAt) }),
      error_code: failure?.code ?? (state === "canceled" ? "CANCELED" : null),
      fail_reason: failure?.message ?? null,
      entities: { process_percent: progress, ...(image === undefined ? {} : { image_id: image }) },
    },
  };
}

async function jobNamed({ caller, service }: Asked, id: string): Promise<Task> {
  try {
    return await service.getTask(caller, id);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "NOT_FOUND") throw error;
  }
  const { tasks } = await service.listTasks(caller, { image: id, kinds: ["import"], limit: 1 });
  const [task] = tasks;
  if (task === undefined) throw refusal("task-not-found", `there is no job ${id}`);
  return task;
}
