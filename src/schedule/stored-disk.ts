/** The disks of an image of the catalogue, as they lie in its image store, decrypted where they are encrypted. */

import { type Image, type ImageDisk, isEncrypted } from "../catalog/image.ts";
import type { ContentCipher } from "../cipher/content-cipher.ts";
import { type OpenedImage, openAlone, openBytes } from "../engine/open-image.ts";
import { Fault } from "../fault/fault.ts";
import { probeInput } from "../format/detect.ts";
import { formatByUserName, readerOf } from "../format/registry.ts";
import { decryptedSource } from "../source/decrypted/decrypted.ts";
import type { Encryption } from "../task/spec.ts";
import type { LandedObject } from "../task/task.ts";
import type { TransferResult } from "../transfer/request.ts";
import { destinationNamed } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";

export interface StoredDisk {
  readonly disk: ImageDisk;
  /** As the disk that it means. */
  open(signal: AbortSignal): Promise<OpenedImage>;
  /** As the bytes that are stored; their plain text, where they are encrypted. */
  openBytes(signal: AbortSignal): Promise<OpenedImage>;
}

/** @throws Fault NOT_FOUND; PRECONDITION when one of the disks is not stored, or encrypted with nobody knows what. */
export async function storedDisks(
  id: string,
  { record, places, dataKeys }: Pick<SchedulePorts, "record" | "places" | "dataKeys">,
): Promise<{ readonly image: Image; readonly disks: readonly StoredDisk[] }> {
  const found = await record.catalogue.images.get(id);
  if (found === undefined) throw new Fault("NOT_FOUND", `there is no image ${id}`);
  const image = found.entry;
  const store = await destinationNamed(record.catalogue, image.store);
  if (isEncrypted(image) && image.encryption === undefined) {
    throw new Fault("PRECONDITION", `image ${id}: is encrypted, and with what is not known here`);
  }
  const ciphers = await ciphersFor(image, dataKeys);
  const disks = image.disks.map((disk, index): StoredDisk => {
    const { object } = disk;
    if (object === undefined)
      throw new Fault("PRECONDITION", `image ${id}: disk ${disk.snapshot} is not stored`);
    const cipher = ciphers(index);
    const source = async (signal: AbortSignal) => {
      const stored = await places.source(store, object, signal);
      return cipher === undefined ? stored : decryptedSource(stored, cipher);
    };
    return {
      disk,
      open: async (signal) => openAlone(await source(signal), image.format, signal),
      async openBytes(signal) {
        const opened = await openBytes(await source(signal), signal);
        if (cipher === undefined) return opened;
        return checkDecrypted(opened, image.format, signal);
      },
    };
  });
  return { image, disks };
}

/**
 * Decrypted as another disk all is noise, and a copy of the bytes would not notice. A raw disk may look like anything:
 * of it the guest digest tells.
 */
async function checkDecrypted(
  opened: OpenedImage,
  format: string,
  signal: AbortSignal,
): Promise<OpenedImage> {
  await using stack = new AsyncDisposableStack();
  stack.use(opened);
  const { source } = opened;
  if (readerOf(formatByUserName(format)).probe(await probeInput(source, signal)) !== "mine") {
    throw new Fault("VERIFY_FAILED", `${source.name}: decrypts to something else than ${format}`);
  }
  stack.move();
  return opened;
}

/** What each disk of an image is encrypted with, by its number; nothing, where the image is plain. */
export async function ciphersFor(
  { id, encryption }: { readonly id: string; readonly encryption?: Encryption },
  dataKeys: SchedulePorts["dataKeys"],
): Promise<(disk: number) => ContentCipher | undefined> {
  if (encryption === undefined) return () => undefined;
  const key = await dataKeys.unwrap(id, encryption);
  return (disk) => ({ key, disk });
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
