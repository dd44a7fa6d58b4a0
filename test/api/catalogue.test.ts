import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DrainState } from "../../src/api/connect/generated/diskferry/v1/admin_service_pb.ts";
import { Provider } from "../../src/api/connect/generated/diskferry/v1/destination_pb.ts";
import {
  DiskKind,
  ImageStatus,
  OsType,
  Visibility,
} from "../../src/api/connect/generated/diskferry/v1/image_pb.ts";
import { KeyState } from "../../src/api/connect/generated/diskferry/v1/key_pb.ts";
import { Permission } from "../../src/api/connect/generated/diskferry/v1/permission_pb.ts";
import { KeyService, Payment } from "../../src/api/connect/generated/diskferry/v1/project_pb.ts";
import { RegionStatus, SwiftApiVersion } from "../../src/api/connect/generated/diskferry/v1/region_pb.ts";
import {
  VolumeStatus,
  VolumeTypeVisibility,
} from "../../src/api/connect/generated/diskferry/v1/volume_pb.ts";
import { ALL, accepted, exportTask } from "../record/record-file.ts";
import { clients, type Endpoint, endpoint, TOKENS } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
});
afterEach(() => here[Symbol.asyncDispose]());

const root = () => clients(here.url, TOKENS.root);
const ann = () => clients(here.url);

const IMAGE = {
  id: "image-9",
  project: "p1",
  region: "east",
  store: "east-images",
  name: "alpine",
  description: "small",
  status: ImageStatus.DEPRECATED,
  visibility: Visibility.MARKETPLACE,
  sharedWith: ["p2"],
  productCode: "product",
  publishedRegions: ["east"],
  authorizedProjects: ["p3"],
  format: "qcow2",
  disks: [
    {
      snapshotId: "s-9",
      kind: DiskKind.DATA,
      virtualSize: 4096n,
      encrypted: true,
      createTime: { seconds: 1_700_000_000n, nanos: 0 },
      createImage: Permission.REFUSED,
      marketplaceOrigin: "product",
      object: "s-9.qcow2",
      size: 512n,
      checksums: { md5: "00112233445566778899aabbccddeeff" },
      guestDigest: "digest",
    },
  ],
  encrypted: true,
  keyId: "key-1",
  cloudBox: "box",
  resourceGroup: "group",
  tags: [{ key: "a", value: "b" }],
  properties: { min_ram: "512" },
  source: { imageId: "image-1", region: "west" },
  osType: OsType.WINDOWS,
  architecture: "arm64",
  platform: "Debian",
  bootMode: "UEFI",
  createTime: { seconds: 1_700_000_000n, nanos: 0 },
};
const VOLUME = {
  id: "v-9",
  project: "p1",
  region: "east",
  name: "data",
  description: "words",
  status: VolumeStatus.IN_USE,
  root: "volumes",
  path: "data/v-9.raw",
  format: "qcow2",
  size: 4096n,
  type: {
    id: "fast",
    name: "Fast",
    description: "an SSD",
    extraSpecs: { a: "b" },
    qosSpecs: "qos",
    visibility: VolumeTypeVisibility.PRIVATE,
  },
  imageMetadata: { __os_type: "linux" },
  frozen: true,
  createTime: { seconds: 1_700_000_000n, nanos: 0 },
  updateTime: { seconds: 1_700_000_001n, nanos: 0 },
};
const DESTINATION = {
  name: "bucket-9",
  region: "east",
  project: "p1",
  provider: Provider.S3,
  container: "bucket",
  location: "s3://bucket/",
  credential: "backup",
};
const REGION = {
  id: "north",
  localName: "North",
  status: RegionStatus.SOLD_OUT,
  importExport: Permission.REFUSED,
  copy: Permission.REFUSED,
  egress: Permission.REFUSED,
  ingressFrom: { ids: ["east"] },
  complianceDeny: ["west"],
  ownKeys: Permission.ALLOWED,
  encryptAlgorithms: ["AES"],
  vhdCopy: Permission.REFUSED,
  largestCopy: 4096n,
  encryptOnCopy: Permission.ALLOWED,
  exportFormats: { names: ["raw"] },
  swiftApiVersion: SwiftApiVersion.V2,
  slots: { copies: 1, exports: 0, imports: 3 },
  imageStore: "east-images",
  imageWrite: { format: "raw" },
  peerUrl: "https://north.example",
  bandwidth: 1000n,
};
const PROJECT = {
  id: "p9",
  name: "Nine",
  aliUid: "1234",
  payment: Payment.OUTSTANDING,
  imports: Permission.REFUSED,
  exports: Permission.REFUSED,
  ownKeys: Permission.ALLOWED,
  defaultEncryption: true,
  keyService: KeyService.AUTHORIZED,
  quotas: { images: 1n, snapshots: 2n, exports: 3n, weeklyExports: 4n, unfinished: 5n },
  resourceGroups: ["group"],
  roles: ["role"],
};
const KEY = {
  id: "key-9",
  project: "p1",
  region: "east",
  state: KeyState.PENDING_DELETION,
  serviceGrant: true,
  tagGrant: true,
  createTime: { seconds: 1_700_000_000n, nanos: 0 },
};

describe("what an admin registers comes back whole, and can be replaced and removed", () => {
  it("an image", async () => {
    const { catalog } = root();
    await catalog.registerImage({ image: IMAGE });
    const { image } = await catalog.getImage({ id: "image-9" });
    expect(image).toMatchObject({ ...IMAGE, version: 1n });
    const changed = await catalog.replaceImage({ image: { ...IMAGE, version: 1n, name: "edge" } });
    expect(changed.image).toMatchObject({ name: "edge", version: 2n });
    await catalog.unregisterImage({ id: "image-9", version: 2n });
    await expect(catalog.getImage({ id: "image-9" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("a volume", async () => {
    const { catalog } = root();
    await catalog.registerVolume({ volume: VOLUME });
    expect((await catalog.getVolume({ id: "v-9" })).volume).toMatchObject({ ...VOLUME, version: 1n });
    await catalog.replaceVolume({ volume: { ...VOLUME, version: 1n, frozen: false } });
    expect((await catalog.getVolume({ id: "v-9" })).volume).toMatchObject({ frozen: false, version: 2n });
    await catalog.unregisterVolume({ id: "v-9", version: 2n });
    await expect(catalog.getVolume({ id: "v-9" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("a destination", async () => {
    const { catalog } = root();
    await catalog.registerDestination({ destination: DESTINATION });
    const { destination } = await catalog.getDestination({ name: "bucket-9" });
    expect(destination).toMatchObject({ ...DESTINATION, version: 1n });
    await catalog.replaceDestination({ destination: { ...DESTINATION, version: 1n, container: "other" } });
    await catalog.unregisterDestination({ name: "bucket-9", version: 2n });
    await expect(catalog.getDestination({ name: "bucket-9" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("a region", async () => {
    const { regions } = root();
    await regions.registerRegion({ region: REGION });
    expect((await regions.getRegion({ id: "north" })).region).toMatchObject({ ...REGION, version: 1n });
    await regions.replaceRegion({ region: { id: "north", imageStore: "west-images", version: 1n } });
    const { region } = await regions.getRegion({ id: "north" });
    expect(region).toMatchObject({ localName: "north", copy: Permission.ALLOWED, slots: { copies: 5 } });
    expect([region?.ingressFrom, region?.exportFormats, region?.largestCopy]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await regions.unregisterRegion({ id: "north", version: 2n });
    await expect(regions.getRegion({ id: "north" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("a project", async () => {
    const { admin } = root();
    await admin.registerProject({ project: PROJECT });
    expect((await admin.getProject({ id: "p9" })).project).toMatchObject({ ...PROJECT, version: 1n });
    await admin.replaceProject({ project: { id: "p9", version: 1n } });
    const { project } = await admin.getProject({ id: "p9" });
    expect(project).toMatchObject({ payment: Payment.SETTLED, quotas: { images: 100n }, version: 2n });
    await admin.unregisterProject({ id: "p9", version: 2n });
    expect((await admin.listProjects({})).projects).toEqual([]);
  });

  it("a key", async () => {
    const { admin } = root();
    await admin.registerKey({ key: KEY });
    expect((await admin.getKey({ id: "key-9" })).key).toMatchObject({ ...KEY, version: 1n });
    await admin.replaceKey({ key: { ...KEY, version: 1n, state: KeyState.ENABLED } });
    await admin.unregisterKey({ id: "key-9", version: 2n });
    expect((await admin.listKeys({})).keys).toEqual([]);
  });
});

describe("the catalogue", () => {
  it("takes times from the clock when none are given", async () => {
    const { createTime: _, ...image } = IMAGE;
    const made = await root().catalog.registerImage({ image });
    expect(Number(made.image?.createTime?.seconds)).toBe(Math.floor(here.world.time / 1000));
  });

  it("is changed by admins alone", async () => {
    const refused = { code: Code.PermissionDenied };
    await expect(ann().catalog.registerImage({ image: IMAGE })).rejects.toMatchObject(refused);
    await expect(ann().catalog.unregisterVolume({ id: "v-1", version: 1n })).rejects.toMatchObject(refused);
    await expect(ann().regions.setSlots({ region: "east", slots: {} })).rejects.toMatchObject(refused);
    await expect(ann().admin.registerProject({ project: PROJECT })).rejects.toMatchObject(refused);
    await expect(ann().admin.listAudits({})).rejects.toMatchObject(refused);
  });

  it("shows callers what is theirs, and destinations that are for all", async () => {
    const bob = clients(here.url, TOKENS.bob).catalog;
    expect((await bob.listImages({})).images).toEqual([]);
    await expect(bob.getImage({ id: "image-1" })).rejects.toMatchObject({ code: Code.NotFound });
    await expect(bob.getVolume({ id: "v-1" })).rejects.toMatchObject({ code: Code.NotFound });
    const names = ({ destinations }: { destinations: readonly { name: string }[] }) =>
      destinations.map(({ name }) => name);
    expect(names(await bob.listDestinations({}))).toContain("p2-bucket");
    expect(names(await ann().catalog.listDestinations({}))).not.toContain("p2-bucket");
  });

  it("is listed in pages", async () => {
    const first = await ann().catalog.listDestinations({ pageSize: 3 });
    const { nextPageToken: pageToken } = first;
    const second = await ann().catalog.listDestinations({ pageSize: 3, pageToken });
    expect([...first.destinations, ...second.destinations].map(({ name }) => name)).toEqual([
      "east-bucket",
      "east-images",
      "west-bucket",
      "west-images",
    ]);
    expect([first.destinations.length, second.nextPageToken]).toEqual([3, ""]);
  });

  it("is filtered by region and name", async () => {
    const { catalog } = ann();
    expect((await catalog.listImages({ region: "west" })).images).toEqual([]);
    expect((await catalog.listImages({ region: "east", name: "debian" })).images).toHaveLength(1);
  });

  it("is not changed by whoever has not seen the newest version", async () => {
    const { catalog } = root();
    const stale = { ...IMAGE, id: "image-1", version: 7n };
    await expect(catalog.replaceImage({ image: stale })).rejects.toMatchObject({ code: Code.Aborted });
    const blind = { ...stale, version: 0n };
    await expect(catalog.replaceImage({ image: blind })).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
    await expect(catalog.unregisterImage({ id: "image-1" })).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  it.each([
    ["no disk", { ...IMAGE, disks: [] }],
    ["no name", { ...IMAGE, name: "" }],
    ["a checksum of no name", { ...IMAGE, disks: [{ ...IMAGE.disks[0], checksums: { sha9: "00" } }] }],
    ["a status that is none", { ...IMAGE, status: 99 as ImageStatus }],
  ])("refuses an image with %s", async (_, image) => {
    const registered = root().catalog.registerImage({ image });
    await expect(registered).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

describe("slots", () => {
  it("D3: are changed while tasks run, and hold from then on", async () => {
    const { record } = here.world.file;
    for (let count = 0; count < 3; count += 1) await accepted(record, exportTask());
    const { region } = await root().regions.setSlots({
      region: "east",
      slots: { copies: 5, exports: 2, imports: 5 },
    });
    expect(region).toMatchObject({ slots: { copies: 5, exports: 2, imports: 5 }, version: 2n });
    expect(here.world.regionChanges).toBe(1);
    expect(await record.claim(ALL)).toHaveLength(2);
    const { regions } = await ann().regions.getUsage({});
    expect(regions.find((used) => used.region === "east")).toMatchObject({
      slots: { exports: 2 },
      slotsInUse: { copies: 0, exports: 2 },
      images: 1n,
    });
  });

  it("are whole numbers from 0", async () => {
    const set = root().regions.setSlots({ region: "east", slots: { copies: -1 } });
    await expect(set).rejects.toMatchObject({ code: Code.InvalidArgument });
    const nothing = root().regions.setSlots({ region: "east" });
    await expect(nothing).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(here.world.regionChanges).toBe(0);
  });

  it("of a region that is not there cannot be set", async () => {
    const set = root().regions.setSlots({ region: "nowhere", slots: { copies: 1 } });
    await expect(set).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe("the usage", () => {
  it("is that of the caller's project", async () => {
    await accepted(here.world.file.record, exportTask());
    expect(await ann().regions.getUsage({})).toMatchObject({
      unfinished: 1n,
      exports: 1n,
      quotas: { images: 100n },
    });
    expect(await clients(here.url, TOKENS.bob).regions.getUsage({})).toMatchObject({ unfinished: 0n });
  });
});

describe("the audit log", () => {
  it("names who did what, under which request, and what came of it, newest first", async () => {
    const { record } = here.world.file;
    await accepted(record, exportTask({ id: "t-1" }));
    await ann().tasks.cancelTask({ id: "t-1" });
    await ann()
      .tasks.cancelTask({ id: "t-1" })
      .catch(() => {});
    await ann()
      .admin.drain({})
      .catch(() => {});
    await root().admin.drain({});
    const { audits } = await root().admin.listAudits({});
    expect(audits.map(({ actor, action, subject, outcome }) => [actor, action, subject, outcome])).toEqual([
      ["root", "drain", "", "done"],
      ["ann", "drain", "", "admins-only"],
      ["ann", "cancel", "t-1", "finished"],
      ["ann", "cancel", "t-1", "done"],
    ]);
    expect(new Set(audits.map(({ requestId }) => requestId)).size).toBe(4);
    const reads = here.log.filter(({ event }) => event === "call").map(({ fields }) => fields["requestId"]);
    for (const { requestId } of audits) expect(reads).toContain(requestId);
  });

  it("is read in pages", async () => {
    for (let count = 0; count < 3; count += 1) await root().admin.resume({});
    const first = await root().admin.listAudits({ pageSize: 2 });
    const { nextPageToken: pageToken } = first;
    const second = await root().admin.listAudits({ pageSize: 2, pageToken });
    expect([...first.audits, ...second.audits].map(({ sequence }) => sequence)).toEqual([3n, 2n, 1n]);
    const forged = root().admin.listAudits({ pageToken: "1; DROP TABLE audit" });
    await expect(forged).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

describe("the drain", () => {
  it("takes the daemon out of service, and resume brings it back", async () => {
    expect((await root().admin.drain({})).state).toBe(DrainState.DRAINING);
    expect((await fetch(`${here.url}/readyz`)).status).toBe(503);
    expect((await root().admin.resume({})).state).toBe(DrainState.WORKING);
    expect((await fetch(`${here.url}/readyz`)).status).toBe(200);
  });
});
