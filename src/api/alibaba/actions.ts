/** Every action of the dialect. */
import type { Action } from "./asked.ts";
import { cancelCopyImage } from "./cancel-copy-image.ts";
import { cancelTask } from "./cancel-task.ts";
import { copyImage } from "./copy-image.ts";
import { deleteImage } from "./delete-image.ts";
import { describeImages } from "./describe-images.ts";
import { describeRegions } from "./describe-regions.ts";
import { describeTaskAttribute } from "./describe-task-attribute.ts";
import { describeTasks } from "./describe-tasks.ts";
import { exportImage } from "./export-image.ts";
import { importImage } from "./import-image.ts";

export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [
    copyImage,
    cancelCopyImage,
    describeImages,
    importImage,
    exportImage,
    cancelTask,
    describeTasks,
    describeTaskAttribute,
    deleteImage,
    describeRegions,
  ].map((action) => [action.name, action]),
);
