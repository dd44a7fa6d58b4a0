/** An image leaves the catalogue. The objects of its disks stay where they are, as snapshots outlive their image. */
import type { TaskRecord } from "../record/record.ts";
import { madeImage } from "../task/spec.ts";
import { type Task, UNFINISHED_STATES } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import { type Reason, refusal, withReason } from "./refusal.ts";
import type { DeleteRequest } from "./request.ts";
import { owns, visibleImage } from "./visible.ts";

export async function deleteImage(
  record: TaskRecord,
  caller: Caller,
  { image: id, region, shared }: DeleteRequest,
): Promise<void> {
  const { entry, version } = await visibleImage(record.catalogue, caller, id);
  if (entry.region !== region) throw refusal("image-not-found", `there is no image ${id} in ${region}`);
  if (!owns(caller, entry)) throw refusal("not-owner", `image ${id}: belongs to another project`);
  const where = { image: id, states: UNFINISHED_STATES };
  const { tasks } = await record.tasks({ where, from: { is: "newest", skip: 0 }, limit: 1 });
  const [task] = tasks;
  if (task !== undefined) throw refusal(reasonOf(task, id), `image ${id}: task ${task.id} needs it`);
  if (shared === "refuse" && entry.sharedWith.length > 0) {
    throw refusal("image-in-use", `image ${id}: is shared with others`);
  }
  await record.catalogue.images.remove(id, version).catch((error: unknown) => {
    throw withReason(error);
  });
}

/** CP-15, IM-15: a copy being made, an image being imported, or one that is read. */
function reasonOf({ spec }: Task, image: string): Reason {
  if (spec.kind === "export") return "export-unfinished";
  if (madeImage(spec) === image) return spec.kind === "copy" ? "image-being-copied" : "import-unfinished";
  return "copy-unfinished";
}
