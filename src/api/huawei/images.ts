/** Images as OpenStack's image service and Huawei's IMS show them (EV-16). */
import type { Image, ImageStatus } from "../../catalog/image.ts";
import type { Reply } from "../dialect.ts";
import type { Asked } from "./asked.ts";
import { misfit } from "./errors.ts";
import { listQuery } from "./list-query.ts";

const STATUS: Readonly<Record<ImageStatus, string>> = {
  Waiting: "queued",
  Creating: "saving",
  Available: "active",
  CreateFailed: "killed",
  UnAvailable: "deactivated",
  Deprecated: "deactivated",
};

export async function showImage({ caller, service, parameters }: Asked): Promise<Reply> {
  const { entry } = await service.images.get(caller, parameters["image"] ?? "");
  return { status: 200, body: imageBody(entry) };
}

/** The caller's own, which IMS calls private. */
export async function listImages({ caller, service, query }: Asked): Promise<Reply> {
  const type = query.get("__imagetype");
  if (type !== null && type !== "private") throw misfit("urlMalformed");
  const { entries } = await service.images.list(caller, listQuery(caller, query));
  return { status: 200, body: { images: entries.map(({ entry }) => imageBody(entry)) } };
}

function imageBody(image: Image) {
  const { properties = {}, disks } = image;
  const sum = (of: (disk: Image["disks"][number]) => number) =>
    disks.reduce((total, disk) => total + of(disk), 0);
  const isStored = disks.every(({ object }) => object !== undefined);
  const time = new Date(image.createdAt).toISOString().replace(/\.\d+Z$/, "Z");
  return {
    id: image.id,
    name: image.name,
    status: STATUS[image.status],
    owner: image.project,
    visibility:
      image.visibility === "marketplace" || image.visibility === "system" ? "public" : image.visibility,
    __imagetype: image.visibility === "private" ? "private" : "shared",
    disk_format: image.format,
    container_format: properties["container_format"] ?? "bare",
    size: isStored ? sum(({ size = 0 }) => size) : null,
    virtual_size: sum(({ virtualSize }) => virtualSize),
    min_ram: Number(properties["min_ram"] ?? 0),
    min_disk: Number(properties["min_disk"] ?? 0),
    __os_type: image.osType === "windows" ? "Windows" : "Linux",
    __description: image.description,
    protected: false,
    tags: image.tags.map(({ key, value }) => (value === "" ? key : `${key}=${value}`)),
    checksum: disks.length === 1 ? (disks[0]?.checksums?.md5 ?? null) : null,
    created_at: time,
    file: `/v2/images/${image.id}/file`,
    self: `/v2/images/${image.id}`,
    schema: "/v2/schemas/image",
  };
}
