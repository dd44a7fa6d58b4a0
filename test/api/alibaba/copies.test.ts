/** CP-16 as Alibaba's own client sees it: six copies at once, of which a real daemon makes five at a time. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type ecsModule from "@alicloud/ecs20140526";
import { $OpenApiUtil } from "@alicloud/openapi-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskEventKind } from "../../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { type Client, openClient } from "../../../src/cli/client.ts";
import { writeSpread } from "../../daemon/disk.ts";
import { type DaemonHarbour, daemonHarbour, writeConfig } from "../../daemon/harbour.ts";
import { QEMU, QEMU_REASON } from "../../support/qemu.ts";

/** A module of CommonJS with a default of its own, which tools take for the module in different ways. */
const ecs: typeof ecsModule = createRequire(import.meta.url)("@alicloud/ecs20140526");

const MiB = 1024 ** 2;
const KEY = { accessKeyId: "LTAIdaemon", accessKeySecret: "secret-of-the-daemon" };
const TOKEN = "a-token-of-the-operator";
/** Bytes per second: no copy ends before the limit is lifted. */
const CRAWL = 1024n;

describe.skipIf(!QEMU)(`six copies at once${QEMU_REASON}`, () => {
  let here: DaemonHarbour;
  let client: Client;
  let sdk: InstanceType<typeof ecs.default>;

  beforeAll(async () => {
    here = await daemonHarbour(["--config", "daemon.yaml"]);
    writeConfig(here.path, {
      more: `limits: { threads: 2 }
projects: { shop: { aliUid: "1234567890", roles: [AliyunECSImageImportDefaultRole] } }
callers:
  tokens:
    - { name: root, project: ops, role: admin, sha256: ${createHash("sha256").update(TOKEN).digest("hex")} }
  accessKeys:
    - { name: panel, project: shop, role: user, id: ${KEY.accessKeyId}, secret: ${KEY.accessKeySecret} }`,
    });
    writeSpread(here.path("quay", "disk.raw"), { runs: 2, apart: MiB, data: MiB / 2 });
    await here.start();
    client = openClient({ server: here.url, token: TOKEN });
    const endpoint = new URL(here.url).host;
    sdk = new ecs.default(new $OpenApiUtil.Config({ ...KEY, endpoint, protocol: "http", regionId: "east" }));
  });
  afterAll(() => here?.[Symbol.asyncDispose]());

  /** Reads all events until so many of a kind have been there. */
  async function seen(wanted: TaskEventKind, count: number): Promise<void> {
    let left = count;
    for await (const { event } of client.tasks.watchTasks({ after: 0n })) {
      if (event?.kind === TaskEventKind.FAILED) throw new Error(`${event.taskId} has failed`);
      if (event?.kind === wanted) left -= 1;
      if (left === 0) return;
    }
  }

  async function imported(imageName: string): Promise<string> {
    const mapping = { OSSBucket: "quay", OSSObject: "disk.raw", format: "raw" };
    const diskDeviceMapping = [new ecs.ImportImageRequestDiskDeviceMapping(mapping)];
    const request = new ecs.ImportImageRequest({ regionId: "east", imageName, diskDeviceMapping });
    return (await sdk.importImage(request)).body?.imageId ?? "";
  }

  async function copied(imageId: string, destinationImageName: string): Promise<string> {
    const request = { regionId: "east", imageId, destinationRegionId: "west", destinationImageName };
    return (await sdk.copyImage(new ecs.CopyImageRequest(request))).body?.imageId ?? "";
  }

  /** What DescribeImages says of the copies, in their order. */
  async function statuses(ids: readonly string[], status?: string): Promise<(string | undefined)[]> {
    const request = { regionId: "west", imageId: ids.join(","), ...(status === undefined ? {} : { status }) };
    const { body } = await sdk.describeImages(new ecs.DescribeImagesRequest(request));
    const images = body?.images?.image ?? [];
    return ids.map((id) => images.find(({ imageId }) => imageId === id)?.status);
  }

  async function limit(bandwidth: bigint): Promise<void> {
    const { region } = await client.regions.getRegion({ id: "west" });
    if (region === undefined) throw new Error("there is no west");
    const { $typeName: _, ...known } = region;
    await client.regions.replaceRegion({ region: { ...known, bandwidth } });
  }

  it("CP-16 DI-2 five are Creating and the sixth is Waiting; in the end all are Available", async () => {
    const names = ["one", "two", "three", "four", "five", "six"];
    const images = await Promise.all(names.map(imported));
    await seen(TaskEventKind.SUCCEEDED, 6);
    await limit(CRAWL);
    const copies: string[] = [];
    for (const [index, image] of images.entries()) copies.push(await copied(image, `copy-${index}`));
    await seen(TaskEventKind.STARTED, 6 + 5);
    expect(await statuses(copies, "ALL")).toEqual([...Array(5).fill("Creating"), "Waiting"]);
    expect(await statuses(copies, "Waiting")).toEqual([...Array(5).fill(undefined), "Waiting"]);
    expect(await statuses(copies)).toEqual(Array(6).fill(undefined));

    await limit(0n);
    await seen(TaskEventKind.SUCCEEDED, 6 + 6);
    expect(await statuses(copies)).toEqual(Array(6).fill("Available"));
  });
});
