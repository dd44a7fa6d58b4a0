/** Exports in RAW are archives, however they have come to be in RAW. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Image } from "../../../src/catalog/image.ts";
import { ROOT, storedDisk } from "../../service/world.ts";
import { type Alibaba, alibaba, EXPORT, type Params } from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

async function exported(params: Params, image: Partial<Image> = {}) {
  await ali.set.image("image-1", image);
  const { body } = await ali.ask("ExportImage", { ...EXPORT, ...params });
  if (body.Code !== undefined) return body.Code;
  const { spec } = await ali.here.world.service.getTask(ROOT, body.TaskId);
  if (spec.kind !== "export") throw new Error("is no export");
  return [spec.format, ...spec.objects.map((object) => object.replace(body.TaskId, "TASK"))];
}

describe("ExportImage", () => {
  it.each([
    ["RAW", { format: "qcow2" }],
    ["raw", { format: "vhd" }],
    ["raw", { format: "raw" }],
    [undefined, { format: "raw" }],
  ] as const)(
    "DA-4 in format %s, of an image that is kept as %o, makes an archive",
    async (ImageFormat, image) => {
      expect(await exported({ ImageFormat, OssPrefix: "pre" }, image)).toEqual([
        "tar.gz",
        "pre_image-1_TASK.raw.tar.gz",
      ]);
    },
  );

  it.each([
    ["vhd", { format: "raw" }, ".vhd"],
    ["qcow2", { format: "raw" }, ".qcow2"],
    [undefined, { format: "qcow2" }, ".qcow2"],
  ] as const)(
    "DA-4 in format %s, of an image that is kept as %o, makes none",
    async (ImageFormat, image, ending) => {
      const [, ...objects] = await exported({ ImageFormat }, image);
      expect(objects).toEqual([`image-1_TASK${ending}`]);
    },
  );

  it("EX-9 DA-4 of several disks makes an archive of each", async () => {
    const disks = [1, 2, 3, 4].map((n) => storedDisk(`s-${n}`, { kind: "data" }));
    expect(await exported({ ImageFormat: "RAW" }, { disks: [storedDisk("s-0"), ...disks] })).toEqual([
      "tar.gz",
      ...["system", "data1", "data2", "data3", "data4"].map((disk) => `image-1_TASK_${disk}.raw.tar.gz`),
    ]);
  });

  it.each([
    [["raw"], "tar.gz"],
    [["tar.gz"], "tar.gz"],
    [["vhd"], "InvalidImageFormat.Malformed"],
  ])("is held to the formats of the region, %j", async (exportFormats, outcome) => {
    await ali.set.region("east", { exportFormats });
    expect([await exported({ ImageFormat: "RAW" })].flat()[0]).toBe(outcome);
  });
});

it("DA-1 the task says RAW of it", async () => {
  const { body } = await ali.ask("ExportImage", { ...EXPORT, ImageFormat: "RAW" });
  const shown = await ali.ask("DescribeTaskAttribute", { RegionId: "east", TaskId: body.TaskId });
  expect(JSON.stringify(shown.body)).toContain('{"Name":"ImageFormat","Value":"RAW"}');
});
