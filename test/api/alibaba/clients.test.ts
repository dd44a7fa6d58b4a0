/** A daemon beside an OSS, asked by Alibaba's own clients, which know nothing of diskferry: from a file in a bucket to a file in a bucket. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type ecsModule from "@alicloud/ecs20140526";
import { $OpenApiUtil } from "@alicloud/openapi-core";
import PopCore from "@alicloud/pop-core";
import AliOss from "ali-oss";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DaemonHarbour, daemonHarbour, makeDisk, sameDisk, writeConfig } from "../../daemon/harbour.ts";
import { type StrictOss, startStrictOss, TEST_ACCOUNT } from "../../support/oss/server.ts";
import { QEMU, QEMU_REASON, qemuImg } from "../../support/qemu.ts";

/** A module of CommonJS with a default of its own, which tools take for the module in different ways. */
const ecs: typeof ecsModule = createRequire(import.meta.url)("@alicloud/ecs20140526");

const KEY = { accessKeyId: "LTAIdaemon", accessKeySecret: "secret-of-the-daemon" };

describe.skipIf(!QEMU)(`Alibaba's own clients${QEMU_REASON}`, () => {
  let oss: StrictOss;
  let here: DaemonHarbour;

  /** @param algorithm `v2` is what the client calls signatures of V1 */
  const sdk = (algorithm?: "v2", key = KEY) =>
    new ecs.default(
      new $OpenApiUtil.Config({
        ...key,
        endpoint: new URL(here.url).host,
        protocol: "http",
        regionId: "east",
        ...(algorithm === undefined ? {} : { signatureAlgorithm: algorithm }),
      }),
    );
  const popCore = () => new PopCore({ ...KEY, endpoint: here.url, apiVersion: "2014-05-26" });
  const bucket = (name: string) =>
    new AliOss({ ...TEST_ACCOUNT, region: "oss-cn-hangzhou", bucket: name, endpoint: oss.endpoint });

  beforeAll(async () => {
    oss = await startStrictOss({ buckets: ["uploads", "exports"] });
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    makeDisk(here.path, 24 * 1024 ** 2);
    await bucket("uploads").put("disk.qcow2", await readFile(here.path("disk.qcow2")));
    writeConfig(here.path, {
      destinations: `my-uploads: { region: east, location: oss://uploads, credential: oss }
  my-exports: { region: east, location: oss://exports, credential: oss }`,
      more: `credentials:
  oss:
    oss:
      region: cn-hangzhou
      endpoint: ${oss.endpoint}
      accessKeyId: ${TEST_ACCOUNT.accessKeyId}
      accessKeySecret: ${TEST_ACCOUNT.accessKeySecret}
projects:
  shop:
    aliUid: "1234567890"
    roles: [AliyunECSImageImportDefaultRole, AliyunECSImageExportDefaultRole]
callers:
  accessKeys:
    - { name: panel, project: shop, role: user, id: ${KEY.accessKeyId}, secret: ${KEY.accessKeySecret} }`,
    });
    await here.start();
  });
  afterAll(async () => {
    await here[Symbol.asyncDispose]();
    await oss[Symbol.asyncDispose]();
  });

  /** Polls, as clients of this API do: it has nothing else. */
  async function finished(taskId: string): Promise<void> {
    for (;;) {
      const request = new ecs.DescribeTaskAttributeRequest({ regionId: "east", taskId });
      const { body } = await sdk().describeTaskAttribute(request);
      if (body?.taskStatus === "Finished") return;
      if (body?.taskStatus !== "Pending" && body?.taskStatus !== "Processing") {
        throw new Error(JSON.stringify(body));
      }
      await sleep(50);
    }
  }

  async function available(regionId: string, imageId: string) {
    for (;;) {
      const request = new ecs.DescribeImagesRequest({ regionId, imageId, status: "ALL" });
      const { body } = await sdk().describeImages(request);
      const [image] = body?.images?.image ?? [];
      if (image?.status === "Available") return image;
      if (image?.status !== "Waiting" && image?.status !== "Creating") throw new Error(JSON.stringify(body));
      await sleep(50);
    }
  }

  async function imported(imageName: string): Promise<string> {
    const mapping = { OSSBucket: "uploads", OSSObject: "disk.qcow2", format: "qcow2" };
    const request = new ecs.ImportImageRequest({
      regionId: "east",
      imageName,
      diskDeviceMapping: [new ecs.ImportImageRequestDiskDeviceMapping(mapping)],
      tag: [new ecs.ImportImageRequestTag({ key: "team", value: "a b*c" })],
    });
    const { body } = await sdk().importImage(request);
    await finished(body?.taskId ?? "");
    return body?.imageId ?? "";
  }

  it("WR-5 IM-1 CP-3 EX-1 the SDK, signing with V3: imports, copies, exports, and the disk is the same", async () => {
    const imageId = await imported("first");
    const copy = new ecs.CopyImageRequest({
      regionId: "east",
      imageId,
      destinationRegionId: "west",
      destinationImageName: "first-copy",
      clientToken: "token-1",
    });
    const { body: copied } = await sdk().copyImage(copy);
    expect((await sdk().copyImage(copy)).body?.imageId).toBe(copied?.imageId);
    expect(await available("west", copied?.imageId ?? "")).toMatchObject({
      isCopied: true,
      progress: "100%",
    });

    const exporting = new ecs.ExportImageRequest({
      regionId: "east",
      imageId,
      OSSBucket: "exports",
      OSSPrefix: "MYOSSPRE",
      imageFormat: "vhd",
    });
    const { body: exported } = await sdk().exportImage(exporting);
    const taskId = exported?.taskId ?? "";
    await finished(taskId);
    const { content } = await bucket("exports").get(`MYOSSPRE_${imageId}_${taskId}.vhd`);
    await writeFile(here.path("exported.vhd"), content);
    sameDisk(here.path("disk.raw"), "raw", here.path("exported.vhd"), "vpc");
  });

  it("EX-9 DA-4 exports in RAW are one archive for each disk, which tar unpacks to <name>.raw", async () => {
    const disk = (OSSObject: string) =>
      new ecs.ImportImageRequestDiskDeviceMapping({ OSSBucket: "uploads", OSSObject });
    const diskDeviceMapping = [disk("disk.qcow2"), disk("disk.qcow2")];
    const importing = new ecs.ImportImageRequest({ regionId: "east", imageName: "pair", diskDeviceMapping });
    const { body: made } = await sdk().importImage(importing);
    await finished(made?.taskId ?? "");
    const imageId = made?.imageId ?? "";
    const place = { regionId: "east", imageId, OSSBucket: "exports", OSSPrefix: "RAW1" };
    const { body } = await sdk().exportImage(new ecs.ExportImageRequest({ ...place, imageFormat: "raw" }));
    const taskId = body?.taskId ?? "";
    await finished(taskId);

    const asked = new ecs.DescribeTaskAttributeRequest({ regionId: "east", taskId });
    const shown =
      (await sdk().describeTaskAttribute(asked)).body?.operationProgressSet?.operationProgress ?? [];
    const items = shown.map(({ relatedItemSet }) => relatedItemSet?.relatedItem ?? []);
    const names = items.map((item) => item.find(({ name }) => name === "OSSObject")?.value ?? "");
    const stem = `RAW1_${imageId}_${taskId}`;
    expect(names).toEqual([`${stem}_system.raw.tar.gz`, `${stem}_data1.raw.tar.gz`]);
    expect(items.map((item) => item.find(({ name }) => name === "ImageFormat")?.value)).toEqual([
      "RAW",
      "RAW",
    ]);
    for (const name of names) {
      const { content } = await bucket("exports").get(name);
      execFileSync("tar", ["xzf", "-", "-C", here.path(".")], { input: content });
      const unpacked = await readFile(here.path(name.replace(".tar.gz", "")));
      expect(unpacked.equals(await readFile(here.path("disk.raw")))).toBe(true);
    }
  });

  it("IM-E5 IM-E8 DA-3 tells why what is in the bucket cannot be imported", async () => {
    qemuImg("create", "-f", "qcow2", here.path("large.qcow2"), "6G");
    await bucket("uploads").put("large.qcow2", await readFile(here.path("large.qcow2")));
    const failure = async (mapping: object) => {
      const diskDeviceMapping = [
        new ecs.ImportImageRequestDiskDeviceMapping({ OSSBucket: "uploads", ...mapping }),
      ];
      const request = new ecs.ImportImageRequest({ regionId: "east", diskDeviceMapping });
      const taskId = (await sdk().importImage(request)).body?.taskId ?? "";
      await expect(finished(taskId)).rejects.toThrow();
      const asked = new ecs.DescribeTaskAttributeRequest({ regionId: "east", taskId });
      const { body } = await sdk().describeTaskAttribute(asked);
      return body?.operationProgressSet?.operationProgress?.[0]?.errorCode;
    };
    expect(await failure({ OSSObject: "disk.qcow2", format: "VHD" })).toBe("InvalidFormat.Malformed");
    expect(await failure({ OSSObject: "large.qcow2", diskImageSize: 5 })).toBe("InvalidImageSize");
  });

  it("WR-4 the SDK, signing with V1, and lists of it", async () => {
    const { body: regions } = await sdk("v2").describeRegions(new ecs.DescribeRegionsRequest({}));
    expect(regions?.regions?.region?.map(({ regionId }) => regionId)).toEqual(["east", "west"]);
    const imageId = await imported("second");
    const tagged = new ecs.DescribeImagesRequest({
      regionId: "east",
      imageId,
      tag: [new ecs.DescribeImagesRequestTag({ key: "team", value: "a b*c" })],
    });
    const { body: images } = await sdk("v2").describeImages(tagged);
    expect(images?.images?.image?.[0]?.tags?.tag).toMatchObject([{ tagKey: "team", tagValue: "a b*c" }]);
    const listed = new ecs.DescribeTasksRequest({ regionId: "east", resourceIds: [imageId] });
    const { body: tasks } = await sdk("v2").describeTasks(listed);
    expect(tasks?.taskSet?.task).toMatchObject([
      { taskAction: "ImportImage", taskStatus: "Finished", supportCancel: "false", resourceId: imageId },
    ]);
    await sdk("v2").deleteImage(new ecs.DeleteImageRequest({ regionId: "east", imageId }));
    const { body: left } = await sdk("v2").describeImages(tagged);
    expect(left?.totalCount).toBe(0);
    while (readdirSync(here.path("east")).some((name) => name.startsWith(imageId))) await sleep(50);
  });

  it.each(["GET", "POST"])("2.8 the older client, with %s: imports and exports", async (method) => {
    const imported_ = await popCore().request<{ ImageId: string; ImportTaskId: string }>(
      "ImportImage",
      {
        RegionId: "east",
        ImageName: `older-${method}`,
        DiskDeviceMapping: [{ OSSBucket: "uploads", OSSObject: "disk.qcow2" }],
      },
      { method },
    );
    await finished(imported_.ImportTaskId);
    const exported = await popCore().request<{ ExportTaskId: string }>(
      "ExportImage",
      { RegionId: "east", ImageId: imported_.ImageId, OssBucket: "exports", ClientToken: method },
      { method },
    );
    await finished(exported.ExportTaskId);
    const { content } = await bucket("exports").get(`${imported_.ImageId}_${exported.ExportTaskId}.qcow2`);
    await writeFile(here.path("exported.qcow2"), content);
    sameDisk(here.path("disk.raw"), "raw", here.path("exported.qcow2"), "qcow2");
  });

  it.each([
    ["V3", undefined],
    ["V1", "v2"],
  ] as const)("2.6 the SDK's error has code, message, status and request: %s", async (_, algorithm) => {
    const request = new ecs.CopyImageRequest({ regionId: "east", imageId: "m-0" });
    const error = await sdk(algorithm)
      .copyImage(request)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      name: "ClientError",
      code: "InvalidImageId.NotFound",
      statusCode: 404,
      message: expect.stringContaining("The specified ImageId does not exist."),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const wrong = sdk(algorithm, { ...KEY, accessKeySecret: "guessed" }).copyImage(request);
    await expect(wrong).rejects.toMatchObject({ code: "SignatureDoesNotMatch", statusCode: 400 });
  });

  it("WR-2 the older client's error has code and message", async () => {
    const asked = popCore().request("CancelTask", { RegionId: "east", TaskId: "t-0" });
    await expect(asked).rejects.toMatchObject({
      code: "InvalidTaskId.NotFound",
      message: expect.stringContaining('The specified "TaskId" is not found.'),
      data: { RequestId: expect.any(String) },
    });
  });
});
