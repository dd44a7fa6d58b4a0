/** An image leaves the catalogue, and the objects that were made for it leave their store. */
import { type Image, storedObjects } from "../catalog/image.ts";
import { madeImage } from "../task/spec.ts";
import { type Task, UNFINISHED_STATES } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import type { ServicePorts } from "./ports.ts";
import { type Reason, refusal, withReason } from "./refusal.ts";
import type { DeleteRequest } from "./request.ts";
import { owns, visibleImage } from "./visible.ts";

export async function deleteImage(
  { record, now }: Pick<ServicePorts, "record" | "now">,
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
  const deletion = { image: id, version, objects: ownObjects(entry), at: now() };
  await record.deleteImage(deletion).catch((error: unknown) => {
    throw withReason(error);
  });
}

/** Those that bear the image's id, as `namesForDisks` gives it: what an admin has registered under other names stays. */
function ownObjects(image: Image): readonly string[] {
  const { id } = image;
  return storedObjects(image).filter((object) => object.startsWith(`${id}.`) || object.startsWith(`${id}_`));
}

/** CP-15, IM-15: a copy being made, an image being imported, or one that is read. */
function reasonOf({ spec }: Task, image: string): Reason {
  if (spec.kind === "export") return "export-unfinished";
  if (madeImage(spec) === image) return spec.kind === "copy" ? "image-being-copied" : "import-unfinished";
  return "copy-unfinished";
}
