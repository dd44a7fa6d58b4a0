/** What the configuration names is in the catalogue, as the configuration says it; all else stays as it is. */
import { isDeepStrictEqual } from "node:util";
import type { Destination } from "../catalog/destination.ts";
import { type Project, project } from "../catalog/project.ts";
import { type Region, region, type Slots } from "../catalog/region.ts";
import { type Volume, volume } from "../catalog/volume.ts";
import { Fault } from "../fault/fault.ts";
import type { Catalogue, Shelf } from "../record/record.ts";

type Given<Entry, Needed extends keyof Entry> = Partial<Entry> & Pick<Entry, Needed>;

export interface Configured {
  readonly regions: readonly (Omit<Given<Region, "id" | "imageStore">, "slots"> & {
    readonly slots?: Partial<Slots>;
  })[];
  readonly destinations: readonly Destination[];
  readonly projects: readonly (Omit<Given<Project, "id">, "quotas"> & {
    readonly quotas?: Partial<Project["quotas"]>;
  })[];
  readonly volumes: readonly Given<Volume, "id" | "project" | "region" | "root" | "path">[];
}

export interface RegisterPorts {
  readonly catalogue: Catalogue;
  /** Bytes of a volume's disk as its content says. @throws Fault when it cannot be read now. */
  readonly measure: (volume: Pick<Volume, "root" | "path" | "format">) => Promise<number>;
  /** Told of volumes that cannot be read now. They are registered all the same: what is not there may come back. */
  readonly onMissing: (volume: string, fault: Fault) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** @throws Fault when the record fails. */
export async function registerConfigured(configured: Configured, ports: RegisterPorts): Promise<void> {
  const { catalogue } = ports;
  for (const given of configured.regions) {
    const { slots, bandwidth, ...rest } = given;
    await put(catalogue.regions, given.id, (known) => {
      const usual = region(rest);
      // Limits that were set while the daemon ran stay, where the configuration says nothing of them.
      const limit = bandwidth ?? known?.bandwidth;
      return {
        ...usual,
        slots: { ...(known?.slots ?? usual.slots), ...slots },
        ...(limit === undefined ? {} : { bandwidth: limit }),
      };
    });
  }
  for (const entry of configured.destinations) await put(catalogue.destinations, entry.name, () => entry);
  for (const { quotas, ...given } of configured.projects) {
    const usual = project(given);
    await put(catalogue.projects, given.id, () => ({ ...usual, quotas: { ...usual.quotas, ...quotas } }));
  }
  for (const given of configured.volumes) await putVolume(given, ports);
}

async function putVolume(given: Configured["volumes"][number], ports: RegisterPorts): Promise<void> {
  const { catalogue, measure, onMissing, now } = ports;
  const at = now();
  const found =
    given.size ??
    (await measure({ format: "raw", ...given }).catch((error: unknown) => {
      onMissing(given.id, Fault.from(error, `volume ${given.id}`));
      return undefined;
    }));
  await put(catalogue.volumes, given.id, (known) => {
    const usual = volume({ ...given, size: found ?? known?.size ?? 0, createdAt: known?.createdAt ?? at });
    if (known === undefined) return usual;
    // A task may be reading it.
    const { status, statusBefore, updatedAt } = known;
    return { ...usual, status, ...(statusBefore === undefined ? {} : { statusBefore }), updatedAt };
  });
}

async function put<Entry>(
  shelf: Shelf<Entry>,
  id: string,
  entryOf: (known: Entry | undefined) => Entry,
): Promise<void> {
  const known = await shelf.get(id);
  const entry = entryOf(known?.entry);
  if (known === undefined) await shelf.add(entry);
  else if (!isDeepStrictEqual(known.entry, entry)) await shelf.replace(entry, known.version);
}
