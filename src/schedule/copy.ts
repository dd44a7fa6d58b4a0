/**
 * Copies: an image of one region becomes an image of another, or of the same. Where both keep their images in one
 * format, what is stored is copied byte for byte; else it is converted on the way. What is encrypted is decrypted for
 * it, and what is to be encrypted has a data key of its own: no two images ever have the same ciphertext.
 */
import type { ImageDisk } from "../catalog/image.ts";
import type { ChecksumName } from "../digest/checksum.ts";
import { Fault } from "../fault/fault.ts";
import type { CopySpec } from "../task/spec.ts";
import type { TransferResult } from "../transfer/request.ts";
import { destinationNamed, type Move, pairs } from "./move.ts";
import type { SchedulePorts } from "./ports.ts";
import { ciphersFor, landedDisk, storedDisks } from "./stored-disk.ts";

export async function copyMoves(spec: CopySpec, ports: SchedulePorts): Promise<readonly Move[]> {
  const { write, encryption } = spec.to;
  const destination = await destinationNamed(ports.record.catalogue, spec.to.destination);
  const { image, disks } = await storedDisks(spec.from.image, ports);
  const target = { id: spec.to.image, ...(encryption === undefined ? {} : { encryption }) };
  const ciphers = await ciphersFor(target, ports.dataKeys);
  const alike = image.format === write.format;
  const ciphertext = image.encryption !== undefined || encryption !== undefined;
  return pairs(disks, spec.to.objects).map(([stored, object], index): Move => {
    const cipher = ciphers(index);
    const encrypts = cipher === undefined ? {} : { cipher };
    // Checksums are those of what is stored: of ciphertext they say nothing about other bytes. The guest digest does.
    const { checksums: _, ...unsummed } = stored.disk;
    const disk = ciphertext ? unsummed : stored.disk;
    const { guestDigest } = disk;
    const proof =
      ciphertext && image.format !== "raw" && guestDigest !== undefined
        ? { reads: { format: image.format, guestDigest } }
        : {};
    if (!alike) {
      const landed = (result: TransferResult) => landedDisk(write.format, result, disk);
      return { destination, object, write, ...encrypts, open: stored.open, landed };
    }
    return {
      destination,
      object,
      write: { format: "raw" },
      ...encrypts,
      ...proof,
      moves: "stored bytes",
      open: stored.openBytes,
      landed: (result) => copiedDisk(image.format, result, disk),
    };
  });
}

/** @throws Fault VERIFY_FAILED when the bytes are not those that were stored. */
function copiedDisk(format: string, result: TransferResult, disk: ImageDisk): ReturnType<Move["landed"]> {
  const { checksums: known = {}, size, virtualSize, snapshot } = disk;
  const found = { ...result.checksums, ...result.object.confirmed };
  const names = Object.keys(known) as ChecksumName[];
  const differs = names.find((name) => found[name] !== undefined && found[name] !== known[name]);
  if (differs !== undefined || (size !== undefined && size !== result.object.size)) {
    throw new Fault(
      "VERIFY_FAILED",
      `disk ${snapshot}: its ${differs ?? "size"} is not what it was when it was stored`,
    );
  }
  // Only of a raw disk are the stored bytes those of the guest.
  if (format === "raw") return landedDisk(format, result, disk);
  return {
    format,
    virtualSize,
    checksums: { ...known, ...found },
    ...(disk.guestDigest === undefined ? {} : { guestDigest: disk.guestDigest }),
  };
}
