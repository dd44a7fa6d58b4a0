/** DescribeTaskAttribute: one task, disk by disk. */
import type { Task } from "../../task/task.ts";
import type { Action, Asked } from "./asked.ts";
import { bucketOf } from "./bucket.ts";
import type { Fields } from "./envelope.ts";
import { refused } from "./refused.ts";
import { failureFields, taskFields } from "./task-words.ts";
import { formatWord, required } from "./words.ts";

export const describeTaskAttribute: Action = {
  name: "DescribeTaskAttribute",
  refusals: { reasons: { "task-not-found": "cancel-task" } },
  async answer(asked) {
    const { service, caller, parameters } = asked;
    const region = required(parameters, "RegionId");
    const id = required(parameters, "TaskId");
    await service.regions.get(caller, region);
    const task = await service.getTask(caller, id);
    if (!task.regions.includes(region)) throw refused("cancel-task");
    const related = await relatedItems(asked, task);
    const { state, progress } = task;
    const disks = related.length;
    return {
      RegionId: region,
      ...taskFields(task),
      TaskProcess: `${progress}%`,
      TotalCount: disks,
      SuccessCount: state === "succeeded" ? disks : 0,
      FailedCount: state === "failed" ? disks : 0,
      OperationProgressSet: {
        OperationProgress: related.map((items) => ({
          OperationStatus: state === "succeeded" ? "Success" : isOver(task) ? "Failed" : "Processing",
          ...failureFields(task),
          RelatedItemSet: {
            RelatedItem: Object.entries(items).map(([Name, Value]) => ({ Name, Value })),
          },
        })),
      },
    };
  },
};

function isOver({ state }: Task): boolean {
  return state === "failed" || state === "canceled";
}

/** What each disk has to do with OSS; a copy has nothing to do with it. */
async function relatedItems(asked: Asked, { spec }: Task): Promise<readonly Fields[]> {
  switch (spec.kind) {
    case "export": {
      const OSSBucket = await bucketOf(asked, spec.destination);
      const ImageFormat = formatWord(spec.format);
      return spec.objects.map((OSSObject) => ({ OSSBucket, OSSObject, ImageFormat }));
    }
    case "import": {
      const items: Fields[] = [];
      for (const { source, format } of spec.disks) {
        items.push({
          ...(source.kind === "object"
            ? { OSSBucket: await bucketOf(asked, source.destination), OSSObject: source.object }
            : {}),
          ...(format === undefined ? {} : { ImageFormat: formatWord(format) }),
        });
      }
      return items;
    }
    case "copy":
      return spec.to.objects.map(() => ({}));
  }
}
