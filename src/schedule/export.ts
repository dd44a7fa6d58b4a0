/** Exports: the disks of an image, or a volume, become objects in a destination. */
import { openAlone } from "../engine/open-image.ts";
import { Fault } from "../fault/fault.ts";
import type { ExportSpec } from "../task/spec.ts";
import { destinationNamed, type Move, pairs } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";
import { landedDisk, storedDisks } from "./stored-disk.ts";

export async function exportMoves(spec: ExportSpec, ports: SchedulePorts): Promise<readonly Move[]> {
  const { format, from } = spec;
  const destination = await destinationNamed(ports.record.catalogue, spec.destination);
  if (from.kind === "volume") {
    const volume = await ports.record.catalogue.volumes.get(from.volume);
    if (volume === undefined) throw new Fault("NOT_FOUND", `there is no volume ${from.volume}`);
    const { root, path, format: declared, id } = volume.entry;
    return pairs([volume.entry], spec.objects).map(([, object]) => ({
      destination,
      object,
      write: spec,
      open: async (signal) => openAlone(await ports.places.file(root, path, signal), declared, signal),
      landed: (result) => landedDisk(format, result, { snapshot: id }),
    }));
  }
  const { disks } = await storedDisks(from.image, ports);
  return pairs(disks, spec.objects).map(([stored, object]) => ({
    destination,
    object,
    write: spec,
    open: stored.open,
    landed: (result) => landedDisk(format, result, stored.disk),
  }));
}
