/**
 * A qcow2 version 3 image that is written data first:
 *
 *     | header | refcount table | refcount blocks | L1 | L2 tables | unused | segment 0 | segment 1 | …
 *
 * Only L2 tables that map something are written. The head is reserved for the worst case; what is left of it has
 * refcount 0, which `qemu-img check` takes for free space.
 */
import { alignUp, formatSize, KiB, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Compression, LayoutOptions, PackedLayout, SealInput, UpperBound } from "../format.ts";
import { DEFAULT_LEVEL, MAX_LEVEL } from "./encoder.ts";
import {
  CODEC,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_REFCOUNT_TABLE_BYTES,
  MIN_CLUSTER_BITS,
} from "./header.ts";
import { sealHead } from "./seal.ts";
import { headParts, type Shape } from "./shape.ts";

/** The default of qemu-img: a good middle for reads, metadata and compression. */
const DEFAULT_CLUSTER = 64 * KiB;

/** @throws Fault USAGE, LIMIT_EXCEEDED */
export function layout(options: LayoutOptions): PackedLayout {
  const shape = shapeOf(options);
  const { clusterSize, compression } = shape;
  const level = levelOf(compression, options.level);
  return {
    shape: "packed",
    virtualSize: shape.virtualSize,
    unit: clusterSize,
    alignment: clusterSize,
    tableSpan: shape.tableEntries * clusterSize,
    encoding: { format: "qcow2", compression, level, unit: clusterSize },
    // padding before a plain cluster never takes more than the compressed clusters before it have saved
    maxStored: clusterSize,
    ...(compression === "none" ? {} : { adopts: { codec: CODEC[compression], unit: clusterSize } }),
    headLength: (upper, atLeast) => headLength(shape, upper, atLeast),
    seal: (input: SealInput) => ({
      head: () => sealHead(shape, input),
      async *tail() {},
    }),
  };
}

function shapeOf(options: LayoutOptions): Shape {
  const clusterSize = options.clusterSize ?? DEFAULT_CLUSTER;
  const clusterBits = Math.log2(clusterSize);
  if (!Number.isInteger(clusterBits) || clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw new Fault(
      "USAGE",
      `qcow2: a cluster size of ${clusterSize} bytes is not possible, use a power of two from 512 to 2M`,
    );
  }
  if (!Number.isSafeInteger(options.virtualSize) || options.virtualSize < 0) {
    throw new Fault("USAGE", `qcow2: ${options.virtualSize} is not a disk size`);
  }
  const virtualSize = alignUp(alignUp(options.virtualSize, options.roundTo ?? 1), SECTOR);
  const tableEntries = clusterSize / 8;
  // readers differ on a disk of 0 bytes; with one entry all of them open it
  const l1Entries = Math.max(1, Math.ceil(virtualSize / (tableEntries * clusterSize)));
  if (l1Entries * 8 > MAX_L1_BYTES) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `qcow2: a disk of ${formatSize(virtualSize)} needs clusters larger than ${formatSize(clusterSize)}`,
    );
  }
  return {
    clusterBits,
    clusterSize,
    virtualSize,
    compression: options.compression ?? "none",
    l1Entries,
    tableEntries,
  };
}

function levelOf(compression: Compression, level: number | undefined): number {
  if (level === undefined) return DEFAULT_LEVEL[compression];
  if (compression === "none") throw new Fault("USAGE", "qcow2: a level needs a compression, zlib or zstd");
  if (!Number.isInteger(level) || level < 1 || level > MAX_LEVEL[compression]) {
    throw new Fault(
      "USAGE",
      `qcow2: ${compression} level ${level} is not possible, use 1 to ${MAX_LEVEL[compression]}`,
    );
  }
  return level;
}

/** The head counts itself in its refcounts, so it grows until it fits. */
function headLength(shape: Shape, upper: UpperBound, atLeast: number): number {
  const { clusterSize } = shape;
  const data = Math.ceil(upper.bytes / clusterSize);
  let head = Math.ceil(atLeast / clusterSize);
  while (true) {
    const parts = headParts(shape, upper.tables, head + data);
    if (parts.refcountTable * clusterSize > MAX_REFCOUNT_TABLE_BYTES || head + data > maxClusters(shape)) {
      const size = formatSize((head + data) * clusterSize);
      throw new Fault(
        "LIMIT_EXCEEDED",
        `qcow2: a file of ${size} needs clusters larger than ${formatSize(clusterSize)}`,
      );
    }
    if (parts.used <= head) return head * clusterSize;
    head = parts.used;
  }
}

/** A compressed cluster's offset has 70 bits less the cluster bits; 8 PiB is as far as numbers are exact. */
function maxClusters(shape: Shape): number {
  const bits = Math.min(53, shape.compression === "none" ? 56 : 70 - shape.clusterBits);
  return 2 ** (bits - shape.clusterBits);
}
