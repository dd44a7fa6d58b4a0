/** Images of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Versioned } from "../../catalog/entry.ts";
import { IMAGE_STATUSES, type Image, type ImageDisk, image, imageDisk } from "../../catalog/image.ts";
import type { Checksums } from "../../digest/checksum.ts";
import { malformed } from "../../service/wellformed.ts";
import { enumWords } from "./enum-words.ts";
import { given, required, safe, yesNo } from "./fields.ts";
import {
  DiskKindSchema,
  type ImageDisk as ImageDiskMessage,
  ImageDiskSchema,
  type Image as ImageMessage,
  ImageSchema,
  ImageStatusSchema,
  OsTypeSchema,
  VisibilitySchema,
} from "./generated/diskferry/v1/image_pb.ts";
import { PERMISSION } from "./permission-words.ts";
import { timestamp } from "./task-message.ts";

export const OS_TYPE = enumWords(OsTypeSchema, ["linux", "windows"]);
const STATUS = enumWords(ImageStatusSchema, IMAGE_STATUSES);
const DISK_KIND = enumWords(DiskKindSchema, ["system", "data"]);
const VISIBILITY = enumWords(VisibilitySchema, ["private", "shared", "community", "marketplace", "system"]);

const CHECKSUMS: Readonly<Record<keyof Checksums, true>> = { md5: true, crc64xz: true, crc64nvme: true };

export function imageMessage({ entry, version }: Versioned<Image>): ImageMessage {
  return create(ImageSchema, {
    id: entry.id,
    project: entry.project,
    region: entry.region,
    store: entry.store,
    name: entry.name,
    description: entry.description,
    status: STATUS.wire(entry.status),
    visibility: VISIBILITY.wire(entry.visibility),
    sharedWith: [...entry.sharedWith],
    productCode: entry.productCode ?? "",
    publishedRegions: [...entry.publishedRegions],
    authorizedProjects: [...entry.authorizedProjects],
    format: entry.format,
    disks: entry.disks.map(diskMessage),
    encrypted: entry.encrypted === "yes",
    keyId: entry.key ?? "",
    cloudBox: entry.cloudBox ?? "",
    resourceGroup: entry.resourceGroup ?? "",
    tags: entry.tags.map(({ key, value }) => ({ key, value })),
    properties: { ...entry.properties },
    osType: OS_TYPE.wire(entry.osType),
    architecture: entry.architecture,
    platform: entry.platform,
    bootMode: entry.bootMode ?? "",
    createTime: timestamp(entry.createdAt),
    version: BigInt(version),
    ...(entry.source === undefined
      ? {}
      : { source: { imageId: entry.source.image, region: entry.source.region } }),
  });
}

/** What is absent is as usual; without a time it is of now. */
export function imageEntry(message: ImageMessage, now: number): Image {
  const { source, createTime } = message;
  const createdAt = createTime === undefined ? now : timestampMs(createTime);
  return image({
    id: required("image.id", message.id),
    project: required("image.project", message.project),
    region: required("image.region", message.region),
    store: required("image.store", message.store),
    name: required("image.name", message.name),
    description: message.description,
    ...given("status", STATUS.word("image.status", message.status)),
    ...given("visibility", VISIBILITY.word("image.visibility", message.visibility)),
    sharedWith: message.sharedWith,
    ...given("productCode", message.productCode),
    publishedRegions: message.publishedRegions,
    authorizedProjects: message.authorizedProjects,
    format: required("image.format", message.format),
    disks: message.disks.map((disk) => diskEntry(disk, createdAt)),
    encrypted: yesNo(message.encrypted),
    ...given("key", message.keyId),
    ...given("cloudBox", message.cloudBox),
    ...given("resourceGroup", message.resourceGroup),
    tags: message.tags.map(({ key, value }) => ({ key, value })),
    ...(Object.keys(message.properties).length === 0 ? {} : { properties: message.properties }),
    ...(source === undefined ? {} : { source: { image: source.imageId, region: source.region } }),
    ...given("osType", OS_TYPE.word("image.os_type", message.osType)),
    ...given("architecture", message.architecture),
    ...given("platform", message.platform),
    ...given("bootMode", message.bootMode),
    createdAt,
  });
}

function diskMessage(disk: ImageDisk): ImageDiskMessage {
  return create(ImageDiskSchema, {
    snapshotId: disk.snapshot,
    kind: DISK_KIND.wire(disk.kind),
    virtualSize: BigInt(disk.virtualSize),
    encrypted: disk.encrypted === "yes",
    createTime: timestamp(disk.createdAt),
    createImage: PERMISSION.wire(disk.createImage),
    marketplaceOrigin: disk.marketplaceOrigin ?? "",
    object: disk.object ?? "",
    size: disk.size === undefined ? undefined : BigInt(disk.size),
    checksums: { ...disk.checksums },
    guestDigest: disk.guestDigest ?? "",
  });
}

function diskEntry(disk: ImageDiskMessage, createdAt: number): ImageDisk {
  return imageDisk({
    snapshot: required("disk.snapshot_id", disk.snapshotId),
    ...given("kind", DISK_KIND.word("disk.kind", disk.kind)),
    virtualSize: safe("disk.virtual_size", disk.virtualSize),
    encrypted: yesNo(disk.encrypted),
    createdAt: disk.createTime === undefined ? createdAt : timestampMs(disk.createTime),
    ...given("createImage", PERMISSION.word("disk.create_image", disk.createImage)),
    ...given("marketplaceOrigin", disk.marketplaceOrigin),
    ...given("object", disk.object),
    ...(disk.size === undefined ? {} : { size: safe("disk.size", disk.size) }),
    ...(Object.keys(disk.checksums).length === 0 ? {} : { checksums: checksums(disk.checksums) }),
    ...given("guestDigest", disk.guestDigest),
  });
}

function checksums(said: Readonly<Record<string, string>>): Checksums {
  const unknown = Object.keys(said).find((name) => !(name in CHECKSUMS));
  if (unknown !== undefined)
    throw malformed("disk.checksums", `disk.checksums: ${unknown} is none that we know`);
  return said;
}
