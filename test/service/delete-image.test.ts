/** What becomes of the objects of an image that its owner deletes. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { ANN, change, storedDisk, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const IMAGE = { image: "image-1", region: "east", shared: "refuse" } as const;

async function deleted(...objects: readonly (string | undefined)[]): Promise<readonly string[]> {
  const disks = objects.map((object, index) => {
    const { object: _, ...disk } = storedDisk(`s-${index}`);
    return object === undefined ? disk : { ...disk, object };
  });
  await change(here, { image: { disks } });
  await here.service.deleteImage(ANN, IMAGE);
  const left = await here.file.record.unneeded({ after: 0, limit: 100 });
  return left.map(({ destination, object }) => `${destination}/${object}`);
}

it("those that were made for it are to be removed from its store", async () => {
  expect(await deleted("image-1_system.qcow2", "image-1_data1.qcow2")).toEqual([
    "east-images/image-1_system.qcow2",
    "east-images/image-1_data1.qcow2",
  ]);
});

it("those that an admin has registered under names of their own stay", async () => {
  expect(await deleted("golden/debian.qcow2", "image-10.qcow2", "image-1.qcow2")).toEqual([
    "east-images/image-1.qcow2",
  ]);
});

it("a disk that was never stored has none", async () => {
  expect(await deleted(undefined)).toEqual([]);
});
