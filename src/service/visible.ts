/** Who may see what. What a caller may not see is not there. */
import type { Destination } from "../catalog/destination.ts";
import type { Versioned } from "../catalog/entry.ts";
import type { Image } from "../catalog/image.ts";
import { type Project, project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
import { allRegions } from "../record/all-regions.ts";
import type { Catalogue } from "../record/record.ts";
import type { Caller } from "./caller.ts";
import { type Reason, refusal } from "./refusal.ts";

export function owns(caller: Caller, owned: { readonly project: string }): boolean {
  return caller.role === "admin" || owned.project === caller.project;
}

export function seesImage(caller: Caller, image: Image): boolean {
  if (owns(caller, image) || image.sharedWith.includes(caller.project)) return true;
  return image.visibility !== "private" && image.visibility !== "shared";
}

/**
 * The image as the caller may know it: where its objects lie, with what and who else uses it is its owner's alone. A project that
 * it is shared with sees its own name.
 */
export function shownImage(caller: Caller, image: Image): Image {
  if (owns(caller, image)) return image;
  const own = (projects: readonly string[]) => projects.filter((project) => project === caller.project);
  const { key: _, encryption: __, ...known } = image;
  return {
    ...known,
    store: "",
    sharedWith: own(image.sharedWith),
    authorizedProjects: own(image.authorizedProjects),
    disks: image.disks.map(({ object: _, ...disk }) => disk),
  };
}

export function seesDestination(caller: Caller, { project: owner }: Destination): boolean {
  return owner === undefined || owns(caller, { project: owner });
}

export async function visibleImage(
  { images }: Catalogue,
  caller: Caller,
  id: string,
): Promise<Versioned<Image>> {
  const found = await images.get(id);
  if (found === undefined || !seesImage(caller, found.entry)) {
    throw refusal("image-not-found", `there is no image ${id}`);
  }
  return found;
}

export async function visibleVolume(
  { volumes }: Catalogue,
  caller: Caller,
  id: string,
): Promise<Versioned<Volume>> {
  const found = await volumes.get(id);
  if (found === undefined || !owns(caller, found.entry)) {
    throw refusal("volume-not-found", `there is no volume ${id}`);
  }
  return found;
}

export async function visibleDestination(
  { destinations }: Catalogue,
  caller: Caller,
  name: string,
): Promise<Destination> {
  const found = await destinations.get(name);
  if (found === undefined || !seesDestination(caller, found.entry)) {
    throw refusal("destination-not-found", `there is no destination ${name}`);
  }
  return found.entry;
}

/**
 * A destination that the caller's own objects may come from and go to. An image store holds the images of every
 * project: only who sees them all may reach around the catalogue.
 */
export async function usableDestination(
  catalogue: Catalogue,
  caller: Caller,
  name: string,
): Promise<Destination> {
  const destination = await visibleDestination(catalogue, caller, name);
  if (caller.role === "admin") return destination;
  const regions = await allRegions(catalogue);
  if (regions.every(({ imageStore }) => imageStore !== destination.name)) return destination;
  throw refusal("destination-image-store", `destination ${destination.name}: keeps the images of a region`);
}

export async function regionNamed(
  { regions }: Catalogue,
  id: string,
  missing: Reason = "region-not-found",
): Promise<Region> {
  const found = await regions.get(id);
  if (found === undefined) throw refusal(missing, `there is no region ${id}`);
  return found.entry;
}

/** A project that nobody has registered is as usual. */
export async function projectOf({ projects }: Catalogue, caller: Caller): Promise<Project> {
  return (await projects.get(caller.project))?.entry ?? project({ id: caller.project });
}
