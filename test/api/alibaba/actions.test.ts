/** What each action does when nothing stands in its way. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskEvent } from "../../../src/task/step.ts";
import { TO_THE_END } from "../../record/record-file.ts";
import { ROOT, storedDisk, storedImage } from "../../service/world.ts";
import { type Alibaba, alibaba, BOB_KEY, COPY, EXPORT, IMPORT, type Params } from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

const GiB = 1024 ** 3;
const task = (id: string) => ali.here.world.service.getTask(ROOT, id);
const image = async (id: string) => (await ali.here.world.service.images.get(ROOT, id)).entry;
const idOf = async (action: string, params: Params) => (await ali.ask(action, params)).body.TaskId;
const copied = async (params: Params = {}) =>
  (await ali.ask("CopyImage", { ...COPY, ...params })).body.ImageId;
const codeOf = async (action: string, params: Params) => {
  const { status, body } = await ali.ask(action, params);
  return [status, body.Code, body.Message];
};
const PLANNED = [{ kind: "opened" }, { kind: "planned", total: 100 }] as const satisfies readonly TaskEvent[];
const HALF = {
  kind: "progressed",
  bytes: { read: 50, encoded: 50, sent: 50, committed: 50 },
} as const satisfies TaskEvent;
const FAILED = (code: string) =>
  ({
    kind: "failed",
    failure: { stage: "data", code, message: "why it failed", retryable: false },
  }) as const satisfies TaskEvent;

describe("ExportImage", () => {
  it("EX-1 EX-2 EX-3 EX-4 EX-14 answers with the region and the task, under both names of it", async () => {
    const { status, body } = await ali.ask("ExportImage", EXPORT);
    expect([status, Object.keys(body)]).toEqual([200, ["RequestId", "RegionId", "ExportTaskId", "TaskId"]]);
    expect(body).toMatchObject({ RegionId: "east", ExportTaskId: body.TaskId });
    expect(await task(body.TaskId)).toMatchObject({
      project: "p1",
      spec: { from: { image: "image-1" }, destination: "east-bucket", format: "qcow2" },
    });
    const xml = await (await ali.text({ Action: "ExportImage", ...EXPORT, ImageId: "image-9" })).text();
    expect(xml).toContain("<Code>ImageId.NotFound</Code>");
  });

  it("EX-4 takes the bucket in the spelling of today's clients", async () => {
    const { OssBucket: OSSBucket, ...rest } = EXPORT;
    expect((await ali.ask("ExportImage", { ...rest, OSSBucket, OSSPrefix: "p" })).status).toBe(200);
  });

  it("EX-5 names its object by prefix, image and task", async () => {
    const id = await idOf("ExportImage", { ...EXPORT, OssPrefix: "a0Z".repeat(10), ImageFormat: "VHD" });
    const objects = [`${"a0Z".repeat(10)}_image-1_${id}.vhd`];
    expect((await task(id)).spec).toMatchObject({ objects, format: "vhd" });
  });

  it("EX-9 exports an image with data disks as one object for each", async () => {
    await ali.set.image("image-1", { disks: [storedDisk("s-1"), storedDisk("s-2", { kind: "data" })] });
    const id = await idOf("ExportImage", EXPORT);
    expect((await task(id)).spec).toMatchObject({
      objects: [`image-1_${id}_system.qcow2`, `image-1_${id}_data1.qcow2`],
    });
  });

  it("EX-E13 may be asked again once the first has ended", async () => {
    await ali.run(await idOf("ExportImage", EXPORT), FAILED("IO"));
    expect((await ali.ask("ExportImage", EXPORT)).status).toBe(200);
  });

  it("takes a bucket by what OSS calls it, or by the name of a destination", async () => {
    const place = { region: "east", provider: "oss", container: "my-bucket" } as const;
    await ali.here.world.service.destinations.register(ROOT, {
      ...place,
      name: "exports",
      location: "oss://my-bucket/",
    });
    const id = await idOf("ExportImage", { ...EXPORT, OssBucket: "my-bucket" });
    expect((await task(id)).spec).toMatchObject({ destination: "exports" });
    const { body } = await ali.ask("DescribeTaskAttribute", { RegionId: "east", TaskId: id });
    expect(JSON.stringify(body)).toContain('{"Name":"OSSBucket","Value":"my-bucket"}');
  });
});

describe("ImportImage", () => {
  it("IM-1 IM-2 IM-17 answers with region, image and task, under both names of it", async () => {
    const { status, body } = await ali.ask("ImportImage", IMPORT);
    const names = ["RequestId", "RegionId", "ImageId", "ImportTaskId", "TaskId"];
    expect([status, Object.keys(body)]).toEqual([200, names]);
    expect(body).toMatchObject({ RegionId: "east", ImportTaskId: body.TaskId });
    expect(await image(body.ImageId)).toMatchObject({ name: "imported", project: "p1", status: "Waiting" });
  });

  it("IM-9 IM-10 IM-11 IM-12 IM-8 reads each disk from its bucket, and ignores those beyond 17", async () => {
    ali.here.world.existing.add("east-bucket/data.raw");
    const id = await idOf("ImportImage", {
      ...IMPORT,
      "DiskDeviceMapping.1.DiskImageSize": "5",
      "DiskDeviceMapping.3.OSSBucket": "east-bucket",
      "DiskDeviceMapping.3.OSSObject": "data.raw",
      "DiskDeviceMapping.3.Format": "RAW",
      "DiskDeviceMapping.3.DiskImageSize": "1000",
      "DiskDeviceMapping.18.OSSBucket": "nowhere",
    });
    const object = (name: string) => ({ kind: "object", destination: "east-bucket", object: name });
    expect((await task(id)).spec).toMatchObject({
      disks: [
        { source: object("disk.qcow2"), virtualSize: 5 * GiB },
        { source: object("data.raw"), format: "raw", virtualSize: 1000 * GiB },
      ],
    });
  });

  it("IM-4 IM-5 IM-6 IM-7 keeps what is said of the image", async () => {
    const { body } = await ali.ask("ImportImage", {
      ...IMPORT,
      Description: "d".repeat(256),
      Architecture: "i386",
      OSType: "Windows",
      Platform: "Windows Server 2012",
      BootMode: "UEFI",
      "Tag.1.Key": "team",
      "Tag.1.Value": "x",
    });
    expect(await image(body.ImageId)).toMatchObject({
      description: "d".repeat(256),
      architecture: "i386",
      osType: "windows",
      platform: "Windows Server 2012",
      bootMode: "UEFI",
      tags: [{ key: "team", value: "x" }],
    });
  });

  it("IM-3 IM-5 IM-6 IM-7 takes what is usual for what is not said", async () => {
    const { body } = await ali.ask("ImportImage", { ...IMPORT, ImageName: undefined });
    expect(await image(body.ImageId)).toMatchObject({
      name: body.ImageId,
      architecture: "x86_64",
      osType: "linux",
      platform: "Others Linux",
    });
  });

  it.each(["ab", "镜像-1", `a${"b".repeat(127)}`, "a:b_c-d.e"])(
    "IM-3 CP-1 takes the name %s",
    async (ImageName) => {
      expect((await ali.ask("ImportImage", { ...IMPORT, ImageName })).status).toBe(200);
      expect((await ali.ask("CopyImage", { ...COPY, DestinationImageName: ImageName })).status).toBe(200);
    },
  );

  it("IM-15 can be cancelled, and leaves no image", async () => {
    const { body } = await ali.ask("ImportImage", IMPORT);
    expect((await ali.ask("CancelTask", { RegionId: "east", TaskId: body.TaskId })).status).toBe(200);
    await expect(image(body.ImageId)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("CopyImage", () => {
  it("CP-3 CP-4 CP-17 answers with the new image at once", async () => {
    const { status, body } = await ali.ask("CopyImage", COPY);
    expect([status, Object.keys(body)]).toEqual([200, ["RequestId", "ImageId"]]);
    expect(await image(body.ImageId)).toMatchObject({
      name: "copied",
      region: "west",
      status: "Waiting",
      source: { image: "image-1", region: "east" },
    });
  });

  it("CP-1 CP-2 CP-10 CP-9 keeps name, description, tags and resource group", async () => {
    await ali.set.project("p1", { resourceGroups: ["rg-1"] });
    const tag = (n: number) => ({ [`Tag.${n}.Key`]: `k${n}`, [`Tag.${n}.Value`]: n === 1 ? "" : "v" });
    const id = await copied({
      DestinationDescription: "dd",
      ResourceGroupId: "rg-1",
      ...Object.assign({}, ...Array.from({ length: 20 }, (_, n) => tag(n + 1))),
    });
    const made = await image(id);
    expect(made).toMatchObject({ description: "dd", resourceGroup: "rg-1" });
    expect(made.tags).toHaveLength(20);
    expect(made.tags[0]).toEqual({ key: "k1", value: "" });
  });

  it.each([
    ["an empty key", { "Tag.1.Key": "", "Tag.1.Value": "v" }],
    ["a key of 129 characters", { "Tag.1.Key": "k".repeat(129) }],
    ["a key that begins with aliyun", { "Tag.1.Key": "aliyunKey" }],
    ["a key that begins with acs:", { "Tag.1.Key": "acs:key" }],
    ["a key with an address", { "Tag.1.Key": "x-http://y" }],
    ["a value of 129 characters", { "Tag.1.Key": "k", "Tag.1.Value": "v".repeat(129) }],
    ["a value that begins with acs:", { "Tag.1.Key": "k", "Tag.1.Value": "acs:v" }],
    ["a value with an address", { "Tag.1.Key": "k", "Tag.1.Value": "https://v" }],
    ["a twenty-first tag", { "Tag.21.Key": "k" }],
  ])("CP-10 takes no tag with %s", async (_, params) => {
    expect((await codeOf("CopyImage", { ...COPY, ...params })).slice(0, 2)).toEqual([
      400,
      "InvalidParameter",
    ]);
  });

  it("CP-5 stays in its region when no other is named, as often as it is asked without a name", async () => {
    const request = { ...COPY, DestinationRegionId: undefined, DestinationImageName: undefined };
    const { body } = await ali.ask("CopyImage", request);
    expect(await image(body.ImageId)).toMatchObject({ region: "east", name: "debian" });
    expect((await codeOf("CopyImage", { ...request, DestinationImageName: "debian" }))[1]).toBe(
      "OperationDenied.ImageCopyConflict",
    );
  });

  it("CP-6 CP-7 CP-8 is plain when nothing is said, or Encrypted=false", async () => {
    expect(await image(await copied({ Encrypted: "false" }))).toMatchObject({ encrypted: "no" });
    expect(await image(await copied({ DestinationRegionId: "east" }))).toMatchObject({ encrypted: "no" });
  });

  it("CP-14 takes a shared image within its region", async () => {
    await ali.set.image("image-1", { sharedWith: ["p2"] });
    const { status } = await ali.ask("CopyImage", { ...COPY, DestinationRegionId: "east" }, BOB_KEY);
    expect(status).toBe(200);
  });

  it("CP-16 queues what is beyond five at once, and starts it in the order of acceptance", async () => {
    const { file, time } = ali.here.world;
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      await ali.here.world.service.images.register(ROOT, storedImage({ id: `m-${n}`, name: `m-${n}` }));
      ids.push(await ali.making(await copied({ ImageId: `m-${n}`, DestinationImageName: `copy-${n}` })));
    }
    const started = async () =>
      (await file.record.claim({ runner: "host-1", at: time, most: 10 })).map(({ id }) => id);
    expect(await started()).toEqual(ids.slice(0, 5));
    expect(await started()).toEqual([]);
    const shown = await ali.ask("DescribeImages", {
      RegionId: "west",
      Status: "Waiting,Creating",
      PageSize: "100",
    });
    const statuses = JSON.stringify(shown.body)
      .match(/"Status":"\w+"/g)
      ?.sort();
    expect(statuses).toEqual([
      ...Array(5).fill('"Status":"Creating"'),
      ...Array(2).fill('"Status":"Waiting"'),
    ]);
    await file.record.apply(ids[0] ?? "", FAILED("IO"), time);
    expect(await started()).toEqual([ids[5]]);
  });
});

describe("CancelCopyImage", () => {
  const cancel = (ImageId: string, RegionId = "west") => codeOf("CancelCopyImage", { RegionId, ImageId });

  it("2.2 removes the copy, and leaves the source as it is", async () => {
    const id = await copied();
    expect(await cancel(id)).toEqual([200, undefined, undefined]);
    await expect(image(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await image("image-1")).toMatchObject({ status: "Available" });
  });

  it("2.2 CP-15 stops a copy that is under way, once", async () => {
    const id = await copied();
    await ali.run(await ali.making(id), ...PLANNED, HALF);
    expect((await cancel(id))[0]).toBe(200);
    expect(await task(await ali.making(id))).toMatchObject({ state: "cancelling" });
    expect((await cancel(id)).slice(0, 2)).toEqual([400, "CancelNotSupported"]);
  });

  it("2.2 D1 comes too late once the commit has begun, and once the copy is there", async () => {
    const id = await copied();
    const begun = TO_THE_END.findIndex(({ kind }) => kind === "cataloguing");
    await ali.run(await ali.making(id), ...TO_THE_END.slice(0, begun));
    expect(await cancel(id)).toEqual([
      400,
      "CancelNotSupported",
      "The specified image coping can not be cancelled.",
    ]);
    for (const event of TO_THE_END.slice(begun)) {
      await ali.here.world.file.record.apply(await ali.making(id), event, ali.here.world.time);
    }
    expect(await cancel(id)).toEqual([400, "IncorrectImageStatus", "The image is copied finished."]);
  });

  it("2.2 says what else stands in its way", async () => {
    const id = await copied();
    expect(await cancel(id, "north")).toEqual([
      404,
      "InvalidRegionId.NotFound",
      "The specified RegionId does not exist.",
    ]);
    expect((await cancel(id, "east")).slice(0, 2)).toEqual([404, "InvalidImageId.NotFound"]);
    expect((await cancel("image-9")).slice(0, 2)).toEqual([404, "InvalidImageId.NotFound"]);
    expect(await cancel("image-1", "east")).toEqual([
      400,
      "ImageCreatedNotFromCopy",
      "The specified image is not the target image of a copy action.",
    ]);
    await ali.run(await ali.making(id), FAILED("IO"));
    expect(await cancel(id)).toEqual([400, "IncorrectImageStatus", "The Image copy has been failed."]);
    await ali.set.image(id, { status: "Deprecated" });
    expect(await cancel(id)).toEqual([400, "IncorrectImageStatus", "The specified image is not coping."]);
  });
});

describe("CancelTask", () => {
  const cancel = (TaskId?: string, RegionId: string | undefined = "east") =>
    codeOf("CancelTask", { RegionId, TaskId });

  it("2.1 stops an export, and says what stands in its way", async () => {
    const id = await idOf("ExportImage", EXPORT);
    const missing = (name: string) => [
      400,
      "MissingParameter",
      `An input parameter "${name}" that is mandatory for processing the request is not supplied.`,
    ];
    expect(await cancel(undefined)).toEqual(missing("TaskId"));
    expect(await codeOf("CancelTask", { TaskId: id })).toEqual(missing("RegionId"));
    expect((await cancel(id, "north")).slice(0, 2)).toEqual([400, "InvalidRegionId.NotFound"]);
    const unknown = [400, "InvalidTaskId.NotFound", 'The specified "TaskId" is not found.'];
    expect(await cancel("t-0")).toEqual(unknown);
    expect(await cancel(id, "west")).toEqual(unknown);
    expect((await ali.ask("CancelTask", { RegionId: "east", TaskId: id }, BOB_KEY)).body.Code).toBe(
      "InvalidTaskId.NotFound",
    );
    expect((await cancel(id))[0]).toBe(200);
    expect(await task(id)).toMatchObject({ state: "canceled" });
    expect(await cancel(id)).toEqual([
      403,
      "InvalidTaskId.IncorrectTaskStatus",
      "The specified task status is not invalid.",
    ]);
  });

  it("2.1 D9 does not stop copies", async () => {
    const id = await ali.making(await copied());
    expect(await cancel(id, "west")).toEqual([
      403,
      "InvalidTaskId.TaskActionNotSupport",
      "The specified task action not support.",
    ]);
  });

  it("2.1 D1 comes too late once the commit has begun", async () => {
    const id = await idOf("ExportImage", EXPORT);
    await ali.run(id, ...PLANNED, { kind: "sealing" }, { kind: "committing" });
    expect(await cancel(id)).toEqual([
      403,
      "CancelTaskFailed",
      "The task is failed to cancel, Please contact the administrator.",
    ]);
    const { body } = await ali.ask("DescribeTaskAttribute", { RegionId: "east", TaskId: id });
    expect(body).toMatchObject({ SupportCancel: "false" });
  });
});

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

  it("2.3 D8 D9 lists tasks with their actions and statuses", async () => {
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

  it("2.3 D8 gives each state its status, and filters by three of them", async () => {
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

  it("2.3 filters by ids, action, resource and time, and comes in pages", async () => {
    const first = await idOf("ExportImage", EXPORT);
    ali.here.world.time += 60_000;
    const { body } = await ali.ask("ImportImage", IMPORT);
    const second = body.TaskId;
    expect(await idsOf({ TaskIds: `${first},t-0` })).toEqual([first]);
    expect(await idsOf({ TaskAction: "ImportImage" })).toEqual([second]);
    expect(await idsOf({ TaskAction: "ResetDisk" })).toEqual([]);
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
  ])("2.3 takes no %o", async (params) => {
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

  it("2.4 tells how far a task has come, disk by disk", async () => {
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

  it("2.4 tells of success", async () => {
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
    ["2.4", "IO", "ImportImageFailed"],
  ])("%s 2.4 tells why an import has failed: %s", async (_, code, ErrorCode) => {
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

  it("EX-E9 2.4 tells why an export has failed", async () => {
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

  it("2.5 shows what is available, unless it is asked for more", async () => {
    const { body } = await ali.ask("ImportImage", IMPORT);
    expect(await idsOf()).toEqual(["image-1"]);
    expect(await idsOf({ Status: "Waiting" })).toEqual([body.ImageId]);
    expect(await idsOf({ Status: "ALL" })).toEqual([body.ImageId, "image-1"].sort());
    await ali.run(body.TaskId, FAILED("IO"));
    expect(await idsOf({ Status: "CreateFailed,Deprecated" })).toEqual([body.ImageId]);
  });

  it("2.5 tells how far a copy has come, and how long it will take", async () => {
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

  it("2.5 tells where an import came from, and how large its disks are", async () => {
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

  it("2.5 finds images by id, name, tag, group, snapshot and more, and comes in pages", async () => {
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

describe("DeleteImage", () => {
  const deleted = (ImageId = "image-1", more: Params = {}) =>
    codeOf("DeleteImage", { RegionId: "east", ImageId, ...more });

  it("2.5 takes an image of one's own away, and has nothing against one that is not there", async () => {
    expect((await deleted("image-1", { RegionId: "west" }))[0]).toBe(200);
    expect(await image("image-1")).toMatchObject({ status: "Available" });
    expect((await deleted())[0]).toBe(200);
    await expect(image("image-1")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await deleted())[0]).toBe(200);
  });

  it("2.5 leaves what others own, or have been given", async () => {
    await ali.set.image("image-1", { sharedWith: ["p2"] });
    expect(await ali.ask("DeleteImage", { RegionId: "east", ImageId: "image-1" }, BOB_KEY)).toMatchObject({
      status: 404,
      body: { Code: "InvalidImageId.NotFound" },
    });
    expect((await deleted()).slice(0, 2)).toEqual([403, "ImageUseShared"]);
    expect((await deleted("image-1", { Force: "true" }))[0]).toBe(200);
  });

  it("2.5 leaves what is being exported or copied", async () => {
    const id = await idOf("ExportImage", EXPORT);
    expect((await deleted()).slice(0, 2)).toEqual([403, "ImageIsExporting"]);
    await ali.ask("CancelTask", { RegionId: "east", TaskId: id });
    await copied();
    expect((await deleted("image-1", { Force: "true" })).slice(0, 2)).toEqual([
      403,
      "OperationDenied.ImageCopying",
    ]);
  });
});

describe("DescribeRegions", () => {
  it("2.5 lists regions with where and what they are", async () => {
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

  it("2.5 says what it does not know", async () => {
    expect((await codeOf("DescribeRegions", { AcceptLanguage: "tlh" })).slice(0, 2)).toEqual([
      404,
      "InvalidAcceptLanguage.NotFound",
    ]);
    expect((await codeOf("DescribeRegions", { ResourceType: "moon" })).slice(0, 2)).toEqual([
      404,
      "InvalidResourceType.NotFound",
    ]);
    for (const id of ["east", "west"]) await ali.set.region(id, { status: "closed" });
    expect((await codeOf("DescribeRegions", {})).slice(0, 2)).toEqual([403, "Unauthorized.EmptyRegion"]);
  });
});
