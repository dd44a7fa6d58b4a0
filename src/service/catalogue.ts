/** The kinds of catalogue entries, and who sees which. */
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
import { type Audited, entries } from "./entries.ts";
import { checkKey, checkNewKey } from "./image-keys.ts";
import type { ServicePorts } from "./ports.ts";
import { refusal } from "./refusal.ts";
import type { Service } from "./service.ts";
import { owns, seesDestination, seesImage, shownImage } from "./visible.ts";
import { checkBandwidth, checkPath, malformed } from "./wellformed.ts";

type CatalogueUse = Pick<Service, "regions" | "projects" | "images" | "volumes" | "destinations" | "keys">;

export function catalogueUse(
  { record, masterKeys, roots, regionsChanged }: ServicePorts,
  audited: Audited,
): CatalogueUse {
  const { catalogue } = record;
  const idOf = ({ id }: { readonly id: string }): string => id;
  return {
    regions: entries(
      {
        name: "region",
        missing: "region-not-found",
        shelf: catalogue.regions,
        id: idOf,
        sees: () => true,
        lists: "all",
        check(region) {
          checkSlots(region);
          checkBandwidth(region.bandwidth ?? 0);
        },
        changed: regionsChanged,
      },
      audited,
    ),
    projects: entries(
      {
        name: "project",
        missing: "project-not-found",
        shelf: catalogue.projects,
        id: idOf,
        sees: (caller, { id }) => owns(caller, { project: id }),
        lists: "all",
      },
      audited,
    ),
    images: entries(
      {
        name: "image",
        missing: "image-not-found",
        shelf: catalogue.images,
        id: idOf,
        sees: seesImage,
        shows: shownImage,
        lists: "own",
        check: ({ disks }) => {
          if (disks.length === 0) throw malformed("disks", "an image has at least one disk");
        },
        keeps: (entry, { encryption }) =>
          encryption === undefined ? entry : { ...entry, encrypted: "yes", key: encryption.key, encryption },
      },
      audited,
    ),
    volumes: entries(
      {
        name: "volume",
        missing: "volume-not-found",
        shelf: catalogue.volumes,
        id: idOf,
        sees: owns,
        lists: "own",
        check: (volume) => checkPlace(volume, roots),
      },
      audited,
    ),
    destinations: entries(
      {
        name: "destination",
        missing: "destination-not-found",
        shelf: catalogue.destinations,
        id: ({ name }) => name,
        sees: seesDestination,
        lists: "all",
      },
      audited,
    ),
    keys: entries(
      {
        name: "key",
        missing: "key-not-found",
        shelf: catalogue.keys,
        id: idOf,
        sees: owns,
        lists: "own",
        check: checkKey,
        async prepares(key) {
          checkNewKey(key);
          await masterKeys.make(key.id);
        },
      },
      audited,
    ),
  };
}

function checkSlots({ slots }: Region): void {
  for (const [kind, count] of Object.entries(slots)) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw malformed("slots", `slots.${kind}: a whole number from 0`);
    }
  }
}

function checkPlace({ root, path }: Volume, roots: ReadonlySet<string>): void {
  if (!roots.has(root)) throw refusal("root-not-found", `there is no root ${root}`);
  checkPath(path);
}
