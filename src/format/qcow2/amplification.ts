/** How much a compressed image may expand, and which images lie about it. */
import { formatSize } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";

/**
 * Most guest bytes that one stored byte can honestly stand for.
 *
 * Deflate cannot do better than 258 bytes for two bits (RFC 1951), 1032:1. A zstd frame has at least 6 bytes of
 * header and 4 bytes for each block, and a block holds at most 128 KiB (RFC 8878): 6553:1 for clusters of 64 KiB,
 * 29959:1 for clusters of 2 MiB. So a disk of one repeated byte passes however large it is, and an image above the
 * cap proves that several guest clusters decode from the same stored bytes, which no writer does and an attacker
 * needs to make terabytes from kilobytes. The cap is held against the host clusters that hold compressed data, not
 * against the file, whose size costs an attacker nothing.
 */
export function expansionCap(compression: "zlib" | "zstd", clusterSize: number): number {
  if (compression === "zlib") return 1032;
  return Math.floor(clusterSize / (6 + 4 * Math.ceil(clusterSize / ZSTD_BLOCK)));
}

const ZSTD_BLOCK = 128 * 1024;

/** @throws Fault AMPLIFICATION when `clusters` compressed clusters cannot honestly stand in `storedBytes` */
export function checkExpansion(
  name: string,
  compression: "zlib" | "zstd",
  clusterSize: number,
  clusters: number,
  storedBytes: number,
): void {
  const cap = expansionCap(compression, clusterSize);
  const guestBytes = clusters * clusterSize;
  if (guestBytes > storedBytes * cap) {
    throw new Fault(
      "AMPLIFICATION",
      `${name}: ${formatSize(storedBytes)} of compressed data expand to ${formatSize(guestBytes)}, ${compression} cannot ` +
        `do more than ${cap}:1; if you trust the image, pass --allow-amplification`,
    );
  }
}

/** The refusal of a table or stream that several places of the disk use. */
export function repeated(name: string, what: string, offset: number): Fault {
  return new Fault(
    "AMPLIFICATION",
    `${name}: the ${what} at ${offset} is used for more than one place of the disk; the cap is one use, because ` +
      `a small file could expand without end; if you trust the image, pass --allow-amplification`,
  );
}
