import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { region } from "../../src/catalog/region.ts";
import { ANN, BOB, EXPORT, IMPORT, never, ROOT, reasonOf, storedImage, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const theirs = { kind: "object", destination: "east-images", object: "s-1.qcow2" } as const;

describe("the image store of a region", () => {
  it("is read by nobody but through the catalogue: its objects are of every project", async () => {
    const request = { ...IMPORT, disks: [{ source: theirs }] };
    expect(await reasonOf(here.service.importImage(BOB, request, never))).toBe("destination-image-store");
    expect(await reasonOf(here.service.importImage(ROOT, request, never))).toBe("accepted");
  });

  it("is written by nobody but through the catalogue", async () => {
    const request = { ...EXPORT, destination: "east-images" };
    expect(await reasonOf(here.service.exportImage(ANN, request, never))).toBe("destination-image-store");
    expect(await reasonOf(here.service.exportImage(ROOT, request, never))).toBe("accepted");
  });

  it("is closed however many regions there are", async () => {
    const { regions } = here.file.record.catalogue;
    for (let count = 0; count < 201; count += 1) {
      await regions.add(region({ id: `a-${String(count).padStart(3, "0")}`, imageStore: "other" }));
    }
    const request = { ...EXPORT, destination: "east-images" };
    expect(await reasonOf(here.service.exportImage(ANN, request, never))).toBe("destination-image-store");
    expect((await here.service.usage(ANN)).regions).toHaveLength(203);
  });
});

describe("an image of another project", () => {
  const shared = storedImage({
    id: "image-2",
    name: "shared",
    visibility: "shared",
    sharedWith: ["p2", "p3"],
    productCode: "code",
    authorizedProjects: ["p3", "p2"],
  });
  beforeEach(async () => {
    await here.file.record.catalogue.images.add(shared);
  });

  it("says neither where it lies nor who else uses it", async () => {
    const { entry, version } = await here.service.images.get(BOB, "image-2");
    expect(version).toBe(1);
    expect(entry).toMatchObject({
      name: "shared",
      store: "",
      sharedWith: ["p2"],
      authorizedProjects: ["p2"],
    });
    expect(entry.disks).toMatchObject([{ snapshot: "s-1", size: 512 }]);
    expect(entry.disks[0]).not.toHaveProperty("object");
  });

  it("says so in lists, too", async () => {
    await here.file.record.catalogue.images.add({ ...shared, id: "image-3", visibility: "system" });
    const { entries } = await here.service.images.list({ ...BOB, project: "p1" }, { name: "shared" });
    expect(entries.map(({ entry }) => entry.store)).toEqual(["east-images", "east-images"]);
    expect((await here.service.images.get(BOB, "image-3")).entry.store).toBe("");
  });

  it("says all to its owner and to admins", async () => {
    for (const caller of [ANN, ROOT]) {
      expect((await here.service.images.get(caller, "image-2")).entry).toEqual(shared);
    }
  });
});
