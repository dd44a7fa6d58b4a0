/** What becomes of catalogue entries when the task that reserved them begins and ends. */
import type { Image, ImageDisk } from "../catalog/image.ts";
import type { Volume } from "../catalog/volume.ts";
import type { LandedObject, Task } from "../task/task.ts";

/** The image that the task makes, as it is now; undefined: a cancelled task leaves none. */
export function settledImage(image: Image, task: Task): Image | undefined {
  switch (task.state) {
    case "canceled":
      return undefined;
    case "failed":
      return { ...image, status: "CreateFailed" };
    case "succeeded":
      return { ...image, ...landed(image.disks, task.result?.objects ?? []), status: "Available" };
    default:
      return { ...image, status: task.attempts === 0 ? "Waiting" : "Creating" };
  }
}

function landed(disks: readonly ImageDisk[], objects: readonly LandedObject[]): Partial<Image> {
  const format = objects[0]?.format;
  return {
    ...(format === undefined ? {} : { format }),
    disks: disks.map((disk, index) => {
      const object = objects[index];
      if (object === undefined) return disk;
      const { virtualSize, size, checksums, guestDigest } = object;
      const known = { ...disk, virtualSize, size, checksums, object: object.object };
      return guestDigest === undefined ? known : { ...known, guestDigest };
    }),
  };
}

/** The volume that the task has read, once the task has ended (EV-11). */
export function settledVolume(volume: Volume, at: number): Volume {
  const { statusBefore, ...rest } = volume;
  return { ...rest, status: statusBefore ?? "available", updatedAt: at };
}

/** The volume that a task is about to read. */
export function reservedVolume(volume: Volume, at: number): Volume {
  return { ...volume, status: "uploading", statusBefore: volume.status, updatedAt: at };
}
