/** What tells one image from another, and what tells a damaged header from a whole one. */
import { createHash } from "node:crypto";

/** A version 8 UUID (RFC 9562) that depends on the seed alone, so that equal input gives equal bytes. */
export function uuidFromSeed(seed: Uint8Array): Uint8Array {
  const uuid = new Uint8Array(
    createHash("sha256").update("image uuid").update(seed).digest().subarray(0, 16),
  );
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid;
}

export function uuidText(uuid: Uint8Array): string {
  const hex = Buffer.from(uuid).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The ones' complement of the sum of all bytes, those of the checksum field itself (4 from `field`) left out. */
export function complementSum(bytes: Uint8Array, field: number): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  for (const byte of bytes.subarray(field, field + 4)) sum -= byte;
  return ~sum >>> 0;
}
