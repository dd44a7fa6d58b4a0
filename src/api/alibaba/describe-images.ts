/** DescribeImages: the caller's own images of a region, or those that are named. */
import { GiB } from "../../bytes/units.ts";
import { IMAGE_STATUSES, type Image, type ImageDisk } from "../../catalog/image.ts";
import { Fault } from "../../fault/fault.ts";
import type { Caller } from "../../service/caller.ts";
import { madeImage } from "../../task/spec.ts";
import type { Task } from "../../task/task.ts";
import type { Action, Asked } from "./asked.ts";
import { bucketOf } from "./bucket.ts";
import type { Fields } from "./envelope.ts";
import { listed, type Page, pageOf } from "./pages.ts";
import { second } from "./task-words.ts";
import { formatWord, required, tags } from "./words.ts";

export const describeImages: Action = {
  name: "DescribeImages",
  refusals: { reasons: {} },
  async answer(asked) {
    const { service, caller, parameters } = asked;
    const region = required(parameters, "RegionId");
    const page = pageOf(parameters);
    const wanted = wantedOf(asked);
    await service.regions.get(caller, region);
    const ids = listed(parameters, "ImageId");
    const { images, total } =
      ids === undefined
        ? await ownImages(asked, region, page, wanted)
        : onPage(await named(asked, ids, region), page, wanted);
    return {
      RegionId: region,
      PageNumber: page.number,
      PageSize: page.size,
      TotalCount: total,
      Images: { Image: await Promise.all(images.map((image) => imageFields(asked, image))) },
    };
  },
};

type Wanted = (image: Image) => boolean;

function wantedOf({ parameters, caller }: Asked): Wanted {
  const said = (listed(parameters, "Status") ?? ["Available"]).map((status) => status.toLowerCase());
  const statuses = said.includes("all")
    ? IMAGE_STATUSES
    : IMAGE_STATUSES.filter((known) => said.includes(known.toLowerCase()));
  const [name, group] = [parameters.text("ImageName"), parameters.text("ResourceGroupId")];
  const [osType, architecture] = [parameters.text("OSType"), parameters.text("Architecture")];
  const [snapshot, owner] = [parameters.text("SnapshotId"), parameters.text("ImageOwnerAlias")];
  const wantedTags = tags(parameters);
  return (image) =>
    statuses.includes(image.status) &&
    (name === undefined || matches(image.name, name)) &&
    (group === undefined || image.resourceGroup === group) &&
    (osType === undefined || image.osType === osType.toLowerCase()) &&
    (architecture === undefined || image.architecture === architecture) &&
    (owner === undefined || ownerOf(image, caller) === owner) &&
    (snapshot === undefined || image.disks.some((disk) => disk.snapshot === snapshot)) &&
    wantedTags.every(({ key, value }) =>
      image.tags.some((tag) => tag.key === key && (value === "" || tag.value === value)),
    );
}

/** A star at either end stands for anything. */
function matches(name: string, pattern: string): boolean {
  const [open, shut] = [pattern.startsWith("*"), pattern.length > 1 && pattern.endsWith("*")];
  const text = pattern.slice(open ? 1 : 0, shut ? -1 : undefined);
  if (open && shut) return name.includes(text);
  if (open) return name.endsWith(text);
  return shut ? name.startsWith(text) : name === text;
}

interface Found {
  readonly images: readonly Image[];
  readonly total: number;
}

function onPage(all: readonly Image[], { start, size }: Page, wanted: Wanted): Found {
  const found = all.filter(wanted);
  return { images: found.slice(start, start + size), total: found.length };
}

async function named(
  { service, caller }: Asked,
  ids: readonly string[],
  region: string,
): Promise<readonly Image[]> {
  const found: Image[] = [];
  for (const id of new Set(ids)) {
    try {
      const { entry } = await service.images.get(caller, id);
      if (entry.region === region) found.push(entry);
    } catch (error) {
      if (!(error instanceof Fault && error.code === "NOT_FOUND")) throw error;
    }
  }
  return found;
}

/** Keeps no more than the page, however many there are. */
async function ownImages(
  { service, caller, signal }: Asked,
  region: string,
  { start, size }: Page,
  wanted: Wanted,
): Promise<Found> {
  const images: Image[] = [];
  let total = 0;
  for (let after: string | undefined; ; ) {
    signal.throwIfAborted();
    const page = await service.images.list(caller, { region, ...(after === undefined ? {} : { after }) });
    for (const { entry } of page.entries) {
      if (!wanted(entry)) continue;
      if (total >= start && images.length < size) images.push(entry);
      total += 1;
    }
    after = page.next;
    if (after === undefined) return { images, total };
  }
}

/** Whose image it is, seen by the caller. */
function ownerOf({ visibility, project }: Image, caller: Caller): string {
  if (visibility === "marketplace" || visibility === "system") return visibility;
  return project === caller.project ? "self" : "others";
}

async function imageFields(asked: Asked, image: Image): Promise<Fields> {
  const { caller } = asked;
  const task = await makingTask(asked, image);
  const progress = image.status === "Available" ? 100 : (task?.progress ?? 0);
  const from = await importedFrom(asked, task);
  const rest = remaining(task, asked.now);
  return {
    ImageId: image.id,
    ImageName: image.name,
    Description: image.description,
    Status: image.status,
    Progress: `${progress}%`,
    ImageOwnerAlias: ownerOf(image, caller),
    IsSelfShared: image.project === caller.project ? String(image.sharedWith.length > 0) : "",
    IsCopied: image.source !== undefined,
    Size: gibibytes(image.disks[0]?.virtualSize ?? 0),
    OSType: image.osType,
    Architecture: image.architecture,
    Platform: image.platform,
    BootMode: image.bootMode,
    ProductCode: image.productCode,
    ResourceGroupId: image.resourceGroup ?? "",
    CreationTime: second(image.createdAt),
    Tags: { Tag: image.tags.map(({ key, value }) => ({ TagKey: key, TagValue: value })) },
    DiskDeviceMappings: {
      DiskDeviceMapping: image.disks.map((disk, index) => ({
        ...diskFields(disk, index),
        Format: formatWord(image.format),
        Progress: `${progress}%`,
        RemainTime: rest,
        ImportOSSBucket: from[index]?.bucket ?? "",
        ImportOSSObject: from[index]?.object ?? "",
      })),
    },
  };
}

function diskFields({ snapshot, kind, virtualSize, encrypted }: ImageDisk, index: number): Fields {
  return {
    SnapshotId: snapshot,
    Type: kind,
    Size: String(gibibytes(virtualSize)),
    Device: `/dev/xvd${String.fromCharCode("a".charCodeAt(0) + index)}`,
    Encrypted: encrypted === "yes",
  };
}

function gibibytes(bytes: number): number {
  return Math.ceil(bytes / GiB);
}

async function makingTask({ service, caller }: Asked, { id }: Image): Promise<Task | undefined> {
  const { tasks } = await service.listTasks(caller, { kinds: ["copy", "import"], image: id });
  return tasks.find(({ spec }) => madeImage(spec) === id);
}

async function importedFrom(asked: Asked, task: Task | undefined) {
  if (task?.spec.kind !== "import") return [];
  return Promise.all(
    task.spec.disks.map(async ({ source }) =>
      source.kind === "object"
        ? { bucket: await bucketOf(asked, source.destination), object: source.object }
        : undefined,
    ),
  );
}

/** Seconds, at the rate at which the run has landed what it has; 0 when there is nothing to go by. */
function remaining(task: Task | undefined, now: number): number {
  if (task?.stage !== "data" || task.times.startedAt === undefined) return 0;
  const { committed, total } = task.bytes;
  if (committed === 0) return 0;
  return Math.ceil(((now - task.times.startedAt) / 1000) * ((total - committed) / committed));
}
