/** A small image with one of everything, for tests that break it somewhere. */
import { deflateRawSync } from "node:zlib";

export const CLUSTER = 4096;

/** Byte offsets in `craft()`: one cluster each. */
export const AT = {
  refcountTable: CLUSTER,
  refcountBlock: 2 * CLUSTER,
  l1: 3 * CLUSTER,
  /** Of guest bytes 0 to 2 MiB, and 2 to 4 MiB. */
  l2: 4 * CLUSTER,
  secondL2: 5 * CLUSTER,
  /** Guest clusters 0 and 1, and the first of the second table. */
  data: 6 * CLUSTER,
  secondData: 7 * CLUSTER,
  thirdData: 8 * CLUSTER,
  /** Guest clusters 3 and 4, compressed. */
  coded: 9 * CLUSTER,
  snapshots: 10 * CLUSTER,
  snapshotL1: 11 * CLUSTER,
  end: 12 * CLUSTER,
} as const;

/** L2 entries of the first table. */
export const ENTRY_AT = {
  data: AT.l2,
  secondData: AT.l2 + 8,
  zero: AT.l2 + 16,
  coded: AT.l2 + 24,
  secondCoded: AT.l2 + 32,
  free: AT.l2 + 40,
} as const;

export const COPIED = 1n << 63n;
export const COMPRESSED = 1n << 62n;

/** A compressed cluster descriptor for clusters of 4 KiB. */
export function coded(offset: number, moreSectors: number): bigint {
  return COMPRESSED | (BigInt(moreSectors) << 58n) | BigInt(offset);
}

/** Version 3, 4 MiB, clusters of 4 KiB, one snapshot "one" with id "1". */
export function craft(): Buffer {
  const image = Buffer.alloc(AT.end);
  image.writeUInt32BE(0x514649fb, 0);
  image.writeUInt32BE(3, 4);
  image.writeUInt32BE(12, 20);
  wide(image, 24, 4 * 1024 * 1024);
  image.writeUInt32BE(2, 36);
  wide(image, 40, AT.l1);
  wide(image, 48, AT.refcountTable);
  image.writeUInt32BE(1, 56);
  image.writeUInt32BE(1, 60);
  wide(image, 64, AT.snapshots);
  image.writeUInt32BE(4, 96);
  image.writeUInt32BE(112, 100);

  wide(image, AT.refcountTable, AT.refcountBlock);
  for (let cluster = 0; cluster < AT.end / CLUSTER; cluster += 1) {
    image.writeUInt16BE(1, AT.refcountBlock + cluster * 2);
  }
  image.writeUInt16BE(2, AT.refcountBlock + (AT.coded / CLUSTER) * 2);
  wide(image, AT.l1, COPIED | BigInt(AT.l2));
  wide(image, AT.l1 + 8, COPIED | BigInt(AT.secondL2));
  wide(image, ENTRY_AT.data, COPIED | BigInt(AT.data));
  wide(image, ENTRY_AT.secondData, COPIED | BigInt(AT.secondData));
  wide(image, ENTRY_AT.zero, 1n);
  const first = deflateRawSync(Buffer.alloc(CLUSTER, "first"));
  const second = deflateRawSync(Buffer.alloc(CLUSTER, "second"));
  first.copy(image, AT.coded);
  second.copy(image, AT.coded + first.length);
  wide(image, ENTRY_AT.coded, coded(AT.coded, 0));
  wide(image, ENTRY_AT.secondCoded, coded(AT.coded + first.length, 0));
  wide(image, AT.secondL2, COPIED | BigInt(AT.thirdData));
  image.fill(0x11, AT.data, AT.secondData);
  image.fill(0x22, AT.secondData, AT.thirdData);
  image.fill(0x33, AT.thirdData, AT.coded);

  // a snapshot of the empty disk
  wide(image, AT.snapshots, AT.snapshotL1);
  image.writeUInt32BE(2, AT.snapshots + 8);
  image.writeUInt16BE(1, AT.snapshots + 12);
  image.writeUInt16BE(3, AT.snapshots + 14);
  image.writeUInt32BE(16, AT.snapshots + 36);
  wide(image, AT.snapshots + 48, 4 * 1024 * 1024);
  image.write("1one", AT.snapshots + 56);
  return image;
}

/** The guest of `craft()`. */
export function craftedGuest(): Buffer {
  const guest = Buffer.alloc(4 * 1024 * 1024);
  guest.fill(0x11, 0, CLUSTER);
  guest.fill(0x22, CLUSTER, 2 * CLUSTER);
  Buffer.alloc(CLUSTER, "first").copy(guest, 3 * CLUSTER);
  Buffer.alloc(CLUSTER, "second").copy(guest, 4 * CLUSTER);
  guest.fill(0x33, 2 * 1024 * 1024, 2 * 1024 * 1024 + CLUSTER);
  return guest;
}

/** Writes a 64-bit number. */
export function wide(image: Buffer, at: number, value: number | bigint): void {
  image.writeBigUInt64BE(BigInt(value), at);
}

/** Puts a header extension behind the header, where `craft()` has none. */
export function extension(image: Buffer, type: number, data: Buffer, at = 112): void {
  image.writeUInt32BE(type, at);
  image.writeUInt32BE(data.length, at + 4);
  data.copy(image, at + 8);
}
