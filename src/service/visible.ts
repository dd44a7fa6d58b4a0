/** Who may see what. What a caller may not see is not there. */
import type { Destination } from "../catalog/destination.ts";
import type { Versioned } from "../catalog/entry.ts";
import type { Image } from "../catalog/image.ts";
import { type Project, project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
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
