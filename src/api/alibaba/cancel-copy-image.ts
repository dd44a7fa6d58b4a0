/** CancelCopyImage: the copy is named, in the region that it goes to. */
import type { Image } from "../../catalog/image.ts";
import { Fault } from "../../fault/fault.ts";
import { madeImage } from "../../task/spec.ts";
import { isFinal } from "../../task/task.ts";
import type { Action, Asked } from "./asked.ts";
import type { Rule } from "./errors.ts";
import { refused } from "./refused.ts";
import { required } from "./words.ts";

export const cancelCopyImage: Action = {
  name: "CancelCopyImage",
  refusals: {
    reasons: {
      "image-not-found": "CP-E47",
      "region-not-found": "region-unknown",
      // FJ-24: a cancel is accepted once.
      "already-cancelling": "cancel-too-late",
      // D1.
      committing: "cancel-too-late",
      "task-not-found": "cancel-not-copying",
    },
  },
  async answer(asked) {
    const { service, caller, parameters } = asked;
    const region = required(parameters, "RegionId");
    const id = required(parameters, "ImageId");
    await service.regions.get(caller, region);
    const { entry } = await service.images.get(caller, id);
    if (entry.region !== region) throw refused("CP-E47");
    if (entry.source === undefined) throw refused("cancel-no-copy");
    const task = await copyOf(asked, id);
    if (task === undefined) throw refused(notCopying(entry.status));
    await service.cancelTask(caller, task).catch(async (error: unknown) => {
      if (!(error instanceof Fault && error.details["reason"] === "finished")) throw error;
      // It has ended since it was looked up.
      const { status } = (await service.images.get(caller, id)).entry;
      throw refused(status === "Available" ? "cancel-completed" : notCopying(status));
    });
    return {};
  },
};

/** The unfinished task that makes the image. */
async function copyOf({ service, caller }: Asked, image: string): Promise<string | undefined> {
  const { tasks } = await service.listTasks(caller, { kinds: ["copy"], image });
  return tasks.find(({ spec, state }) => madeImage(spec) === image && !isFinal(state))?.id;
}

function notCopying(status: Image["status"]): Rule {
  if (status === "Available") return "cancel-copied";
  return status === "CreateFailed" ? "cancel-copy-failed" : "cancel-not-copying";
}
