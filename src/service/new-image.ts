/** The catalogue entry that an import or a copy reserves, and where its objects will lie. */
import { type Image, type ImageDisk, image, imageDisk } from "../catalog/image.ts";
import type { Project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Catalogue } from "../record/record.ts";
import type { NewImageSpec, WriteOptions } from "../task/spec.ts";
import type { Caller } from "./caller.ts";
import { namesForDisks } from "./objects.ts";
import type { ServicePorts } from "./ports.ts";
import { refusal } from "./refusal.ts";
import type { ImportRequest, NewImage } from "./request.ts";
import { checkDescription, checkId, checkName, checkReadable, checkWrite, malformed } from "./wellformed.ts";

/** CP-10. */
const MOST_TAGS = 20;

export function checkNewImage(given: Partial<NewImage>, project: Project): void {
  if (given.name !== undefined) checkName("name", given.name);
  if (given.id !== undefined) checkId(given.id);
  checkDescription(given.description ?? "");
  const { tags = [], resourceGroup } = given;
  if (tags.length > MOST_TAGS) throw malformed("tags", `an image has at most ${MOST_TAGS} tags`);
  for (const { key, value } of tags) {
    checkName("tags", key, 128);
    if (value.length > 128) throw malformed("tags", "the value of a tag has at most 128 characters");
  }
  if (new Set(tags.map(({ key }) => key)).size < tags.length) {
    throw malformed("tags", "two tags have the same key");
  }
  if (resourceGroup !== undefined && !project.resourceGroups.includes(resourceGroup)) {
    throw refusal("resource-group-not-found", `there is no resource group ${resourceGroup}`);
  }
}

export interface Reserved {
  readonly image: Image;
  readonly to: NewImageSpec;
}

/** @param from what is absent in `given`, and the sizes of the disks as far as they are known. */
export async function reserveImage(
  ports: ServicePorts,
  caller: Caller,
  region: Region,
  given: ImportRequest["image"],
  from: { readonly image: Partial<Image>; readonly disks: readonly Partial<ImageDisk>[] },
  write: WriteOptions = region.imageWrite,
): Promise<Reserved> {
  checkWrite(write, ports);
  checkReadable(write.format, ports);
  const store = await storeOf(ports.record.catalogue, region);
  const { sameName: _, id = ports.newId(), ...described } = given;
  const createdAt = ports.now();
  const entry = image({
    ...from.image,
    ...described,
    name: given.name ?? id,
    id,
    project: caller.project,
    region: region.id,
    store,
    status: "Waiting",
    visibility: "private",
    sharedWith: [],
    format: write.format,
    createdAt,
    disks: from.disks.map((disk, index) =>
      imageDisk({
        virtualSize: 0,
        kind: index === 0 ? "system" : "data",
        ...disk,
        snapshot: ports.newId(),
        createdAt,
      }),
    ),
  });
  const ending = ports.formats.get(write.format) ?? "";
  const objects = namesForDisks(`${id}${ending}`, entry.disks.length, ending);
  return { image: entry, to: { image: id, destination: store, objects, write } };
}

async function storeOf({ destinations }: Catalogue, region: Region): Promise<string> {
  if ((await destinations.get(region.imageStore)) !== undefined) return region.imageStore;
  throw refusal("region-image-store", `region ${region.id}: its image store is not registered`);
}
