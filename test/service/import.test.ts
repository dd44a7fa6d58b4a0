import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ImportRequest } from "../../src/service/request.ts";
import type { DiskSource } from "../../src/task/spec.ts";
import { ANN, change, IMPORT, never, ROOT, reasonOf, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const ask = (given: Partial<ImportRequest> = {}, caller = ANN) =>
  here.service.importImage(caller, { ...IMPORT, ...given }, never);
const from = (...sources: readonly DiskSource[]): Partial<ImportRequest> => ({
  disks: sources.map((source) => ({ source })),
});
const OBJECT = { kind: "object", destination: "east-bucket", object: "new.qcow2" } as const;

describe("an import", () => {
  it("IM-17: has its image at once, with a disk for each source", async () => {
    const { task } = await ask({
      disks: [
        { source: OBJECT, virtualSize: 4096 },
        { source: { ...OBJECT, object: "data.raw" }, format: "raw" },
      ],
      image: { name: "new", platform: "Debian", osType: "linux" },
    });
    const image = task.spec.kind === "import" ? task.spec.to.image : "";
    expect(task.spec).toMatchObject({
      to: { destination: "east-images", objects: [`${image}_system.qcow2`, `${image}_data1.qcow2`] },
    });
    expect((await here.service.images.get(ANN, image)).entry).toMatchObject({
      name: "new",
      status: "Waiting",
      platform: "Debian",
      disks: [
        { kind: "system", virtualSize: 4096 },
        { kind: "data", virtualSize: 0 },
      ],
    });
  });

  it("leaves no image when it is cancelled before it has begun", async () => {
    const { task } = await ask();
    await here.service.cancelTask(ANN, task.id);
    expect((await here.service.images.list(ANN, { name: "new" })).entries).toEqual([]);
  });

  it("of a volume makes an image of it", async () => {
    const { task } = await ask(from({ kind: "volume", volume: "v-1" }));
    expect((await here.service.volumes.get(ANN, "v-1")).entry.status).toBe("uploading");
    expect(task.spec).toMatchObject({ disks: [{ source: { volume: "v-1" } }] });
  });

  it("of a file of the host is for admins, below a root that is known", async () => {
    const file = (root: string, path: string) => from({ kind: "file", root, path });
    expect(await reasonOf(ask(file("volumes", "a/b.raw")))).toBe("admins-only");
    expect(await reasonOf(ask(file("volumes", "a/b.raw"), ROOT))).toBe("accepted");
    expect(await reasonOf(ask(file("home", "a/b.raw"), ROOT))).toBe("root-not-found");
    for (const path of ["../x", "/etc/passwd", "a/../../b", "", "a//b", "a\0b"]) {
      expect(await reasonOf(ask(file("volumes", path), ROOT))).toBe("malformed");
    }
  });
});

describe("an import is refused", () => {
  it.each([
    ["https://user:secret@host/disk.raw", "malformed"],
    ["ftp://host/disk.raw", "malformed"],
    ["file:///etc/passwd", "malformed"],
    ["not a url", "malformed"],
    ["https://closed/disk.raw?Signature=secret", "url-refused"],
    ["https://host/disk.raw", "accepted"],
  ])("or not, from %s", async (url, reason) => {
    const asked = ask(from({ kind: "url", url }));
    expect(await reasonOf(asked)).toBe(reason);
    const said = await asked.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(said).not.toContain("secret");
  });

  it.each<[string, Parameters<typeof change>[1]]>([
    ["imports-refused", { project: { imports: "refused" } }],
    ["region-import-export", { east: { importExport: "refused" } }],
    ["region-image-store", { east: { imageStore: "gone" } }],
  ])("%s", async (reason, changes) => {
    await change(here, changes);
    expect(await reasonOf(ask())).toBe(reason);
  });

  it("IM-14: from another region, and from what the caller does not see", async () => {
    expect(await reasonOf(ask(from({ ...OBJECT, destination: "west-bucket" })))).toBe("destination-region");
    expect(await reasonOf(ask(from({ ...OBJECT, destination: "p2-bucket" })))).toBe("destination-not-found");
    expect(await reasonOf(ask(from({ kind: "volume", volume: "v-2" })))).toBe("volume-not-found");
    expect(await reasonOf(ask({ region: "nowhere" }))).toBe("region-not-found");
  });

  it("IM-E6, IM-E15: under a name that is taken, and of the same object under the same name", async () => {
    await ask();
    expect(await reasonOf(ask())).toBe("import-unfinished");
    expect(await reasonOf(ask(from({ ...OBJECT, object: "other" })))).toBe("image-name-taken");
    const sameName = { name: "new", sameName: "allow" } as const;
    expect(await reasonOf(ask({ ...from({ ...OBJECT, object: "other" }), image: sameName }))).toBe(
      "accepted",
    );
  });

  it("with no disk, too many disks, or one volume twice", async () => {
    expect(await reasonOf(ask(from()))).toBe("malformed");
    expect(await reasonOf(ask(from(...Array.from({ length: 18 }, () => OBJECT))))).toBe("malformed");
    const twice = { kind: "volume", volume: "v-1" } as const;
    expect(await reasonOf(ask(from(twice, twice)))).toBe("malformed");
  });

  it.each(["", " ", "x".repeat(256), "a\u0000b"])("with the name %j", async (name) => {
    expect(await reasonOf(ask({ image: { name } }))).toBe("malformed");
  });
});
