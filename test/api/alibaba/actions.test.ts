/** What exports, imports and copies do when nothing stands in their way. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { region } from "../../../src/catalog/region.ts";
import { ROOT, storedDisk, storedImage } from "../../service/world.ts";
import { type Alibaba, alibaba, BOB_KEY, COPY, EXPORT, FAILED, IMPORT, type Params } from "./alibaba.ts";

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

  it.each([
    ["CP-6", "the key of the service", {}, "service-key/west"],
    ["CP-7", "the key that is named", { KMSKeyId: "key-1" }, "key-1"],
    ["CP-8", "the algorithm that is named", { EncryptAlgorithm: "AES-256" }, "service-key/west"],
  ])("%s encrypts with %s, and shows it", async (_, __, params, key) => {
    await ali.set.project("p1", { ownKeys: "allowed", keyService: "authorized" });
    const open = { ownKeys: "allowed", encryptOnCopy: "allowed", encryptAlgorithms: ["AES-256"] } as const;
    for (const id of ["east", "west"]) await ali.set.region(id, open);
    await ali.set.key({});
    const id = await copied({ Encrypted: "true", ...params });
    expect(await image(id)).toMatchObject({
      encrypted: "yes",
      key,
      encryption: { key, algorithm: "AES-256" },
    });
    const { body } = await ali.ask("DescribeImages", { RegionId: "west", ImageId: id, Status: "Waiting" });
    expect(JSON.stringify(body)).toContain('"Encrypted":true');
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

  it("D3 CP-16 takes a slot in both regions or none, and lets those pass whose regions are free", async () => {
    const { file, service, time } = ali.here.world;
    const place = { region: "north", provider: "oss", container: "n", location: "oss://n/" } as const;
    await service.regions.register(ROOT, region({ id: "north", imageStore: "north-images" }));
    await service.destinations.register(ROOT, { ...place, name: "north-images" });
    let n = 0;
    const asked = async (RegionId: string, DestinationRegionId: string) => {
      n += 1;
      const [id, store] = [`m-${n}`, `${RegionId}-images`];
      await service.images.register(ROOT, storedImage({ id, name: id, region: RegionId, store }));
      const name = { DestinationImageName: `copy-${n}` };
      return ali.making(await copied({ ...name, ImageId: id, RegionId, DestinationRegionId }));
    };
    const started = async () =>
      (await file.record.claim({ runner: "host-1", at: time, most: 10 })).map(({ id }) => id);
    const first: string[] = [];
    for (let m = 0; m < 5; m += 1) first.push(await asked("east", "west"));
    const waiting = [await asked("north", "west"), await asked("east", "north"), await asked("west", "west")];
    const free = await asked("north", "north");
    expect(await started()).toEqual([...first, free]);
    await file.record.apply(first[0] ?? "", FAILED("IO"), time);
    // One slot is free in the east and one in the west: each goes to the one that has waited longest for it.
    expect(await started()).toEqual(waiting.slice(0, 2));
    expect(await started()).toEqual([]);
  });
});
