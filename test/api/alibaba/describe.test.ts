/** What clients are shown: tasks, images and regions. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskEvent } from "../../../src/task/step.ts";
import { TO_THE_END } from "../../record/record-file.ts";
import { ROOT, storedImage } from "../../service/world.ts";
import {
  type Alibaba,
  alibaba,
  BOB_KEY,
  COPY,
  EXPORT,
  FAILED,
  HALF,
  IMPORT,
  type Params,
  PLANNED,
} from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

const idOf = async (action: string, params: Params) => (await ali.ask(action, params)).body.TaskId;
const copied = async () => (await ali.ask("CopyImage", COPY)).body.ImageId;
const codeOf = async (action: string, params: Params) => {
  const { status, body } = await ali.ask(action, params);
  return [status, body.Code, body.Message];
};

describe("DescribeTasks", () => {
  const listed = async (params: Params = {}) => {
    const { body } = await ali.ask("DescribeTasks", { RegionId: "east", ...params });
    return body as unknown as {
      readonly TotalCount: number;
      readonly TaskSet: { readonly Task: readonly Readonly<Record<string, string>>[] };
    };
  };
  const idsOf = async (params: Params = {}) =>
    (await listed(params)).TaskSet.Task.map(({ TaskId }) => TaskId);

  it("DT-1 D8 D9 lists tasks with their actions and statuses", async () => {
    const exported = await idOf("ExportImage", EXPORT);
    const imported = await idOf("ImportImage", IMPORT);
    const copy = await copied();
    await ali.run(imported, ...PLANNED);
    expect(await ali.ask("DescribeTasks", { RegionId: "east" })).toMatchObject({
      body: {
        PageNumber: 1,
        PageSize: 10,
        TotalCount: 3,
        RegionId: "east",
        TaskSet: {
          Task: [
            { TaskAction: "CopyImage", TaskStatus: "Pending", SupportCancel: "false", ResourceId: copy },
            { TaskId: imported, TaskAction: "ImportImage", TaskStatus: "Processing", SupportCancel: "true" },
            {
              TaskId: exported,
              TaskAction: "ExportImage",
              TaskStatus: "Pending",
              SupportCancel: "true",
              ResourceId: "image-1",
              CreationTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/),
            },
          ],
        },
      },
    });
  });

  it("DT-3 D8 gives each state its status, and filters by three of them", async () => {
    const ids: Record<string, string> = {};
    const ends: Readonly<Record<string, readonly TaskEvent[]>> = {
      Finished: TO_THE_END,
      Failed: [FAILED("IO")],
      Processing: [...PLANNED, HALF, { kind: "cancel-accepted" }],
      Deleted: [],
    };
    for (const [n, [status, events]] of Object.entries(ends).entries()) {
      await ali.here.world.service.images.register(ROOT, storedImage({ id: `m-${n}`, name: `m-${n}` }));
      const id = await idOf("ExportImage", { ...EXPORT, ImageId: `m-${n}` });
      if (events.length > 0) await ali.run(id, ...events);
      else await ali.ask("CancelTask", { RegionId: "east", TaskId: id });
      ids[status] = id;
    }
    const { TaskSet } = await listed();
    const statuses = Object.fromEntries(
      TaskSet.Task.map(({ TaskStatus = "", TaskId }) => [TaskStatus, TaskId]),
    );
    expect(statuses).toEqual(ids);
    for (const TaskStatus of ["Finished", "Failed", "Processing"]) {
      expect(await idsOf({ TaskStatus })).toEqual([ids[TaskStatus]]);
    }
    expect(await idsOf({ TaskStatus: "Deleted" })).toHaveLength(4);
  });

  it("DT-2 DT-3 filters by ids, action, resource and time, and comes in pages", async () => {
    const first = await idOf("ExportImage", EXPORT);
    ali.here.world.time += 60_000;
    const { body } = await ali.ask("ImportImage", IMPORT);
    const second = body.TaskId;
    expect(await idsOf({ TaskIds: `${first},t-0` })).toEqual([first]);
    expect(await idsOf({ TaskAction: "ImportImage" })).toEqual([second]);
    expect(await idsOf({ TaskAction: "ResetDisk" })).toEqual([]);
    expect(await idsOf({ TaskGroupId: "group-1" })).toEqual([]);
    expect(await idsOf({ "ResourceIds.1": body.ImageId, "ResourceIds.2": "m-0" })).toEqual([second]);
    expect(await idsOf({ "ResourceIds.1": body.ImageId, "ResourceIds.2": "image-1" })).toEqual([
      second,
      first,
    ]);
    const between = `${new Date(ali.here.world.time - 30_000).toISOString().slice(0, 19)}Z`;
    expect(await idsOf({ StartTime: between })).toEqual([second]);
    expect(await idsOf({ EndTime: between })).toEqual([first]);
    expect(await idsOf({ RegionId: "west" })).toEqual([]);
    expect(await idsOf({ PageSize: "1", PageNumber: "2" })).toEqual([first]);
    expect((await listed({ PageSize: "1", PageNumber: "3" })).TotalCount).toBe(2);
  });

  it.each([
    { PageNumber: "0" },
    { PageSize: "101" },
    { PageSize: "ten" },
    { StartTime: "today" },
    { TaskIds: "t,".repeat(100) },
    Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`ResourceIds.${n + 1}`, "m"])),
  ])("DT-2 DT-4 takes no %o", async (params) => {
    expect((await codeOf("DescribeTasks", { RegionId: "east", ...params })).slice(0, 2)).toEqual([
      400,
      "InvalidParameter",
    ]);
  });

  it("shows nobody the tasks of another account", async () => {
    await ali.ask("ExportImage", EXPORT);
    const { body } = await ali.ask("DescribeTasks", { RegionId: "east" }, BOB_KEY);
    expect(body).toMatchObject({ TotalCount: 0, TaskSet: { Task: [] } });
  });
});

describe("DescribeTaskAttribute", () => {
  const shown = async (TaskId: string) =>
    (await ali.ask("DescribeTaskAttribute", { RegionId: "east", TaskId })).body;

  it("DA-1 DA-4 tells how far a task has come, disk by disk", async () => {
    const id = await idOf("ExportImage", { ...EXPORT, OssPrefix: "MYOSSPRE", ImageFormat: "vhd" });
    await ali.run(id, ...PLANNED, HALF);
    expect(await shown(id)).toMatchObject({
      RegionId: "east",
      TaskId: id,
      TaskProcess: "52%",
      TotalCount: 1,
      SuccessCount: 0,
      FailedCount: 0,
      OperationProgressSet: {
        OperationProgress: [
          {
            OperationStatus: "Processing",
            ErrorCode: "",
            ErrorMsg: "",
            RelatedItemSet: {
              RelatedItem: [
                { Name: "OSSBucket", Value: "east-bucket" },
                { Name: "OSSObject", Value: `MYOSSPRE_image-1_${id}.vhd` },
                { Name: "ImageFormat", Value: "VHD" },
              ],
            },
          },
        ],
      },
    });
  });

  it("DA-2 tells of success", async () => {
    const id = await idOf("ExportImage", EXPORT);
    await ali.run(id, ...TO_THE_END);
    expect(await shown(id)).toMatchObject({
      TaskStatus: "Finished",
      TaskProcess: "100%",
      SuccessCount: 1,
      FinishedTime: expect.stringMatching(/Z$/),
      OperationProgressSet: { OperationProgress: [{ OperationStatus: "Success" }] },
    });
  });

  it.each([
    ["IM-E5", "FORMAT_MISMATCH", "InvalidFormat.Malformed"],
    ["IM-E8", "LIMIT_EXCEEDED", "InvalidImageSize"],
    ["IM-13", "NOT_FOUND", "InvalidOSSObject.NotFound"],
    ["IM-16", "PERMISSION", "NoSetRoletoECSServiceAcount"],
    ["DA-3", "IO", "ImportImageFailed"],
  ])("%s DA-3 tells why an import has failed: %s", async (_, code, ErrorCode) => {
    const id = await idOf("ImportImage", IMPORT);
    await ali.run(id, FAILED(code));
    expect(await shown(id)).toMatchObject({
      TaskStatus: "Failed",
      FailedCount: 1,
      OperationProgressSet: {
        OperationProgress: [{ OperationStatus: "Failed", ErrorCode, ErrorMsg: "why it failed" }],
      },
    });
  });

  it("EX-E9 DA-3 tells why an export has failed", async () => {
    const id = await idOf("ExportImage", EXPORT);
    await ali.run(id, FAILED("NETWORK"));
    expect(JSON.stringify(await shown(id))).toContain('"ErrorCode":"ExportImageFailed"');
  });
});

describe("DescribeImages", () => {
  const shown = async (params: Params = {}, key?: typeof BOB_KEY) => {
    const { body } = await ali.ask("DescribeImages", { RegionId: "east", ...params }, key);
    return body as unknown as {
      readonly TotalCount: number;
      readonly Images: { readonly Image: readonly Readonly<Record<string, unknown>>[] };
    };
  };
  const idsOf = async (params: Params = {}, key?: typeof BOB_KEY) =>
    (await shown(params, key)).Images.Image.map(({ ImageId }) => ImageId);

  it("DI-1 shows what is available, unless it is asked for more", async () => {
    const { body } = await ali.ask("ImportImage", IMPORT);
    expect(await idsOf()).toEqual(["image-1"]);
    expect(await idsOf({ Status: "Waiting" })).toEqual([body.ImageId]);
    expect(await idsOf({ Status: "ALL" })).toEqual([body.ImageId, "image-1"].sort());
    await ali.run(body.TaskId, FAILED("IO"));
    expect(await idsOf({ Status: "CreateFailed,Deprecated" })).toEqual([body.ImageId]);
  });

  it("DI-2 tells how far a copy has come, and how long it will take", async () => {
    const id = await copied();
    await ali.run(await ali.making(id), ...PLANNED, HALF);
    ali.here.world.time += 60_000;
    const { Images } = await shown({ RegionId: "west", Status: "Creating" });
    expect(Images.Image).toMatchObject([
      {
        ImageId: id,
        Status: "Creating",
        Progress: "52%",
        IsCopied: true,
        DiskDeviceMappings: {
          DiskDeviceMapping: [{ Progress: "52%", RemainTime: 60, Format: "qcow2", Type: "system" }],
        },
      },
    ]);
  });

  it("DI-3 tells where an import came from, and how large its disks are", async () => {
    const { body } = await ali.ask("ImportImage", { ...IMPORT, "DiskDeviceMapping.1.DiskImageSize": "7" });
    const { Images } = await shown({ ImageId: body.ImageId, Status: "ALL" });
    expect(Images.Image).toMatchObject([
      {
        ImageName: "imported",
        ImageOwnerAlias: "self",
        IsCopied: false,
        Size: 7,
        DiskDeviceMappings: {
          DiskDeviceMapping: [
            {
              ImportOSSBucket: "east-bucket",
              ImportOSSObject: "disk.qcow2",
              Device: "/dev/xvda",
              Size: "7",
              Encrypted: false,
            },
          ],
        },
      },
    ]);
  });

  it("DI-4 finds images by id, name, tag, group, snapshot and more, and comes in pages", async () => {
    const { images } = ali.here.world.service;
    const tags = [{ key: "team", value: "x" }];
    await images.register(ROOT, storedImage({ id: "image-2", name: "web-1", tags, resourceGroup: "rg-1" }));
    await images.register(ROOT, storedImage({ id: "image-3", name: "web-2", osType: "windows" }));
    expect(await idsOf({ ImageId: "image-3,image-9,image-1" })).toEqual(["image-3", "image-1"]);
    expect(await idsOf({ ImageName: "web-2" })).toEqual(["image-3"]);
    expect(await idsOf({ ImageName: "web-*" })).toEqual(["image-2", "image-3"]);
    expect(await idsOf({ ImageName: "*-1" })).toEqual(["image-2"]);
    expect(await idsOf({ ImageName: "*eb*" })).toEqual(["image-1", "image-2", "image-3"]);
    expect(await idsOf({ "Tag.1.Key": "team" })).toEqual(["image-2"]);
    expect(await idsOf({ "Tag.1.Key": "team", "Tag.1.Value": "y" })).toEqual([]);
    expect(await idsOf({ ResourceGroupId: "rg-1" })).toEqual(["image-2"]);
    expect(await idsOf({ OSType: "windows" })).toEqual(["image-3"]);
    expect(await idsOf({ SnapshotId: "s-0" })).toEqual([]);
    await images.register(ROOT, storedImage({ id: "image-4", name: "product", visibility: "marketplace" }));
    expect(await idsOf({ ImageOwnerAlias: "marketplace" })).toEqual(["image-4"]);
    expect(await idsOf({ ImageOwnerAlias: "self" })).toEqual(["image-1", "image-2", "image-3"]);
    await images.unregister(ROOT, "image-4", 1);
    expect(await idsOf({ PageSize: "2", PageNumber: "2" })).toEqual(["image-3"]);
    expect((await shown({ PageSize: "2" })).TotalCount).toBe(3);
  });

  it("shows nobody the images of another account, unless they are shared and named", async () => {
    expect(await idsOf({ ImageId: "image-1" }, BOB_KEY)).toEqual([]);
    await ali.set.image("image-1", { sharedWith: ["p2"] });
    const { Images } = await shown({ ImageId: "image-1" }, BOB_KEY);
    expect(Images.Image).toMatchObject([{ ImageId: "image-1", ImageOwnerAlias: "others" }]);
  });
});

describe("DescribeRegions", () => {
  it("DR-1 lists regions with where and what they are", async () => {
    await ali.set.region("east", { localName: "East", status: "sold-out" });
    await ali.set.region("west", { peerUrl: "https://west.example.org:7443" });
    const { body } = await ali.ask("DescribeRegions");
    const RegionEndpoint = new URL(ali.here.url).host;
    expect(body).toMatchObject({
      Regions: {
        Region: [
          { RegionId: "east", LocalName: "East", Status: "soldOut", RegionEndpoint },
          { RegionId: "west", Status: "available", RegionEndpoint: "west.example.org:7443" },
        ],
      },
    });
  });
});
