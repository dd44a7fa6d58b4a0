/** CancelTask: imports and exports. */
import type { Action } from "./asked.ts";
import { refused } from "./refused.ts";
import { required } from "./words.ts";

export const cancelTask: Action = {
  name: "CancelTask",
  refusals: {
    reasons: {
      "region-not-found": "cancel-region",
      "task-not-found": "cancel-task",
      finished: "cancel-status",
      "already-cancelling": "cancel-status",
      committing: "cancel-failed",
    },
  },
  async answer({ service, caller, parameters }) {
    const region = required(parameters, "RegionId");
    const id = required(parameters, "TaskId");
    await service.regions.get(caller, region);
    const { regions, spec } = await service.getTask(caller, id);
    if (!regions.includes(region)) throw refused("cancel-task");
    // D9.
    if (spec.kind === "copy") throw refused("cancel-action");
    await service.cancelTask(caller, id);
    return {};
  },
};
