import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Region } from "../../src/catalog/region.ts";
import { ANN, COPY, change, EXPORT, IMPORT, never, reasonOf, type World, world } from "./world.ts";

let here: World;
beforeEach(async () => {
  here = await world();
});
afterEach(() => here[Symbol.asyncDispose]());

const imported = () => reasonOf(here.service.importImage(ANN, IMPORT, never));
const exported = () => reasonOf(here.service.exportImage(ANN, EXPORT, never));
const copied = () => reasonOf(here.service.copyImage(ANN, COPY, never));

describe("a region", () => {
  it.each<[Region["status"], unknown, unknown, unknown]>([
    ["available", "accepted", "accepted", "accepted"],
    ["sold-out", "region-import-export", "accepted", "accepted"],
    ["closed", "region-import-export", "region-import-export", "region-copy"],
  ])("that is %s: import %s, export %s, copy from it %s", async (status, ...reasons) => {
    await change(here, { east: { status } });
    expect([await imported(), await exported(), await copied()]).toEqual(reasons);
  });

  it.each(["sold-out", "closed"] as const)("that is %s takes no copy", async (status) => {
    await change(here, { west: { status } });
    expect(await copied()).toBe("region-copy");
  });
});

describe("how an image is to be written", () => {
  it.each([
    [{ format: "qcow2", clusterSize: 3 }, "malformed"],
    [{ format: "qcow2", clusterSize: 65_536, compression: "zstd", level: 3 }, "accepted"],
    [{ format: "qcow2", level: 3 }, "malformed"],
    [{ format: "qcow2", compression: "zlib", level: 99 }, "malformed"],
    [{ format: "raw", compression: "zlib" }, "malformed"],
    [{ format: "raw", clusterSize: 4096 }, "malformed"],
    [{ format: "vhd", level: 1 }, "malformed"],
    [{ format: "vhd" }, "accepted"],
    [{ format: "vmdk" }, "malformed"],
  ] as const)("is checked before it is accepted: %j is %s", async (write, reason) => {
    expect(await reasonOf(here.service.exportImage(ANN, { ...EXPORT, write }, never))).toBe(reason);
    expect(await reasonOf(here.service.importImage(ANN, { ...IMPORT, write }, never))).toBe(reason);
  });
});
