/** What deleted images leave: it is told until it is gone, and never what something else has. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageDisk } from "../../src/catalog/image.ts";
import { volume } from "../../src/catalog/volume.ts";
import { NOW } from "../task/tasks.ts";
import {
  acceptance,
  accepted,
  addRegions,
  applied,
  copyTarget,
  copyTask,
  exportTask,
  type RecordFile,
  recordFile,
  sampleImage,
} from "./record-file.ts";

let file: RecordFile;
beforeEach(async () => {
  file = await recordFile();
  await addRegions(file.record, "east", "west");
  await file.record.catalogue.images.add(sampleImage());
});
afterEach(() => file[Symbol.asyncDispose]());

const deletion = (given: object = {}) =>
  file.record.deleteImage({ image: "image-1", version: 1, objects: ["image-1.qcow2"], at: NOW, ...given });
const told = async (after = 0, limit = 100) =>
  (await file.record.unneeded({ after, limit })).map(({ destination, object }) => `${destination}/${object}`);
const disksOf = (object: string) => [imageDisk({ snapshot: "s", virtualSize: 9, createdAt: NOW, object })];

describe("an image that is deleted", () => {
  it("is gone, and its objects are told until they are, also after a restart", async () => {
    await deletion({ objects: ["image-1_system.raw", "image-1_data1.raw"] });
    await file.reopen();
    expect(await file.record.catalogue.images.get("image-1")).toBeUndefined();
    expect(await told()).toEqual(["east-images/image-1_system.raw", "east-images/image-1_data1.raw"]);
    const [first] = await file.record.unneeded({ after: 0, limit: 1 });
    await file.record.removed(first?.sequence ?? 0);
    expect(await told()).toEqual(["east-images/image-1_data1.raw"]);
    expect(await told((first?.sequence ?? 0) + 1)).toEqual([]);
  });

  it("stays when it has changed, and when a task reads it: and so do its objects", async () => {
    await expect(deletion({ version: 2 })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(deletion({ image: "image-2" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await accepted(file.record, exportTask());
    await expect(deletion()).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await file.record.catalogue.images.get("image-1")).toBeDefined();
    expect(await told()).toEqual([]);
  });
});

describe("an object is not told", () => {
  it.each([
    ["an image of the same store", "east-images", "image-1.qcow2"],
    ["an image of another store, in a folder", "west-images", "a/b/image-1.qcow2"],
  ])("when %s has it, not even when that lets go of it", async (_, store, object) => {
    const other = sampleImage({ id: "other", store, name: "other", disks: disksOf(object) });
    await file.record.catalogue.images.add(other);
    await deletion();
    expect(await told()).toEqual([]);
    await file.record.catalogue.images.remove("other", 1);
    expect(await told()).toEqual([]);
  });

  it("when an image has come to have it since, by another way to the store", async () => {
    await deletion();
    const disks = disksOf("images/image-1.qcow2");
    const other = sampleImage({ id: "other", store: "west-images", name: "other", disks });
    await file.record.catalogue.images.add(other);
    expect(await told()).toEqual([]);
    await file.record.catalogue.images.remove("other", 1);
    expect(await told()).toEqual([]);
  });

  it("when a volume has a file of that name", async () => {
    const place = { region: "east", root: "files", path: "images/image-1.qcow2" };
    await file.record.catalogue.volumes.add(
      volume({ id: "v", project: "p1", size: 9, createdAt: NOW, ...place }),
    );
    await deletion();
    expect(await told()).toEqual([]);
  });

  it("while a task that has not ended speaks of it", async () => {
    await deletion();
    const { id } = await accepted(
      file.record,
      exportTask({ spec: { ...exportTask().spec, kind: "export", objects: ["image-1.qcow2"] } as never }),
    );
    expect(await told()).toEqual([]);
    await applied(file.record, id, { kind: "cancel-accepted" });
    expect(await told()).toEqual(["east-images/image-1.qcow2"]);
  });

  it("behind others that are not, however many", async () => {
    await deletion({ objects: ["image-1.a", "image-1.b", "image-1.c"] });
    for (const name of ["a", "b"]) {
      const disks = disksOf(`image-1.${name}`);
      await file.record.catalogue.images.add(sampleImage({ id: name, store: "west-images", name, disks }));
    }
    expect(await told(0, 1)).toEqual(["east-images/image-1.c"]);
  });
});

it("no image may name an object that is still to be removed, until it is", async () => {
  const { images } = file.record.catalogue;
  await images.add(sampleImage({ id: "other", name: "other" }));
  await deletion();
  const named = { disks: disksOf("image-1.qcow2") };
  const conflict = { code: "CONFLICT" };
  await expect(images.add(sampleImage({ id: "new", ...named }))).rejects.toMatchObject(conflict);
  await expect(images.replace(sampleImage({ id: "other", ...named }), 1)).rejects.toMatchObject(conflict);
  const [left] = await file.record.unneeded({ after: 0, limit: 1 });
  await file.record.removed(left?.sequence ?? 0);
  await images.add(sampleImage({ id: "new", ...named }));
});

it("no task may make an object that is still to be removed, until it is", async () => {
  await deletion();
  const again = copyTask("west", "east");
  const spec = { ...again.spec, kind: "copy", to: copyTarget("east", "image-1") } as never;
  const asked = acceptance({ ...again, spec }, { images: [sampleImage()] });
  await expect(file.record.accept(asked)).rejects.toMatchObject({ code: "CONFLICT" });
  await expect(file.record.rehearse(asked)).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await file.record.catalogue.images.get("image-1")).toBeUndefined();
  const [left] = await file.record.unneeded({ after: 0, limit: 1 });
  await file.record.removed(left?.sequence ?? 0);
  expect((await file.record.accept(asked)).when).toBe("now");
});
