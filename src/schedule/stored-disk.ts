/** The disks of an image of the catalogue, as they lie in its image store. */
import type { Image, ImageDisk } from "../catalog/image.ts";
import { type OpenedImage, openAlone, openBytes } from "../engine/open-image.ts";
import { Fault } from "../fault/fault.ts";
import type { LandedObject } from "../task/task.ts";
import type { TransferResult } from "../transfer/request.ts";
import { destinationNamed } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";

export interface StoredDisk {
  readonly disk: ImageDisk;
  /** As the disk that it means. */
  open(signal: AbortSignal): Promise<OpenedImage>;
  /** As the bytes that are stored. */
  openBytes(signal: AbortSignal): Promise<OpenedImage>;
}

/** @throws Fault NOT_FOUND, PRECONDITION when one of the disks is not stored. */
export async function storedDisks(
  id: string,
  { record, places }: Pick<SchedulePorts, "record" | "places">,
): Promise<{ readonly image: Image; readonly disks: readonly StoredDisk[] }> {
  const found = await record.catalogue.images.get(id);
  if (found === undefined) throw new Fault("NOT_FOUND", `there is no image ${id}`);
  const image = found.entry;
  const store = await destinationNamed(record.catalogue, image.store);
  const disks = image.disks.map((disk): StoredDisk => {
    const { object } = disk;
    if (object === undefined)
      throw new Fault("PRECONDITION", `image ${id}: disk ${disk.snapshot} is not stored`);
    const source = (signal: AbortSignal) => places.source(store, object, signal);
    return {
      disk,
      open: async (signal) => openAlone(await source(signal), image.format, signal),
      openBytes: async (signal) => openBytes(await source(signal), signal),
    };
  });
  return { image, disks };
}

/** @throws Fault VERIFY_FAILED when the disk reads otherwise than when it was stored. */
export function landedDisk(
  format: string,
  result: TransferResult,
  { guestDigest: known, snapshot }: Pick<ImageDisk, "guestDigest" | "snapshot">,
): Omit<LandedObject, "object" | "verified" | "size"> {
  const { virtualSize, checksums, object } = result;
  const guestDigest = result.guestDigest ?? known;
  if (known !== undefined && guestDigest !== known) {
    throw new Fault(
      "VERIFY_FAILED",
      `disk ${snapshot}: reads with guest digest ${guestDigest}, but had ${known} when it was stored`,
    );
  }
  return {
    format,
    virtualSize,
    checksums: { ...checksums, ...object.confirmed },
    ...(guestDigest === undefined ? {} : { guestDigest }),
  };
}
