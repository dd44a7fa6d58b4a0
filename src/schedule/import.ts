/** Imports: disks from outside become an image in the image store of a region. */
import { openAlone } from "../engine/open-image.ts";
import { Fault } from "../fault/fault.ts";
import type { Source } from "../source/source.ts";
import type { DiskSource, ImportSpec } from "../task/spec.ts";
import { destinationNamed, type Move, pairs } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";
import { checkSha1 } from "./source-checksum.ts";
import { landedDisk } from "./stored-disk.ts";

export async function importMoves(spec: ImportSpec, ports: SchedulePorts): Promise<readonly Move[]> {
  const { write } = spec.to;
  const destination = await destinationNamed(ports.record.catalogue, spec.to.destination);
  return pairs(spec.disks, spec.to.objects).map(([disk, object]) => ({
    destination,
    object,
    write,
    async open(signal) {
      const { source, format } = await openSource(disk.source, ports, signal);
      if (disk.sha1 !== undefined) {
        await checkSha1(source, disk.sha1, signal).catch(async (error: unknown) => {
          await source[Symbol.asyncDispose]();
          throw error;
        });
      }
      return openAlone(source, disk.format ?? format, signal);
    },
    fit({ image, source }) {
      const { virtualSize = image.virtualSize } = disk;
      if (virtualSize === image.virtualSize) return {};
      if (virtualSize > image.virtualSize) return { roundTo: virtualSize };
      throw new Fault(
        "LIMIT_EXCEEDED",
        `${source.name}: is a disk of ${image.virtualSize} bytes, which do not fit into ${virtualSize}`,
      );
    },
    landed: (result) => landedDisk(write.format, result, { snapshot: object }),
  }));
}

async function openSource(
  source: DiskSource,
  { record, places }: SchedulePorts,
  signal: AbortSignal,
): Promise<{ readonly source: Source; readonly format?: string }> {
  switch (source.kind) {
    case "object": {
      const destination = await destinationNamed(record.catalogue, source.destination);
      return { source: await places.source(destination, source.object, signal) };
    }
    case "url":
      return { source: await places.url(source.url, signal) };
    case "file":
      return { source: await places.file(source.root, source.path, signal) };
    case "volume": {
      const found = await record.catalogue.volumes.get(source.volume);
      if (found === undefined) throw new Fault("NOT_FOUND", `there is no volume ${source.volume}`);
      const { root, path, format } = found.entry;
      return { source: await places.file(root, path, signal), format };
    }
  }
}
