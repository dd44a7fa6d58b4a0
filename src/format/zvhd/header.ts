/**
 * The 4096-byte block that begins and ends a zvhd or zvhd2 file: a VHD footer in little-endian numbers, and for zvhd2
 * the place of index and bitmap. Source: huaweicloud/ims-qemu-img, the format's published driver.
 */
import { GiB, KiB, MiB, TiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { geometryFor } from "../vhd/geometry.ts";
import { complementSum } from "../vhd/identity.ts";

export type StreamFormat = "zvhd" | "zvhd2";

/** Everything in the file starts at, and is padded to, a multiple of this. */
export const PAGE = 4 * KiB;
/** Guest bytes of a record. The driver knows no other size. */
export const BLOCK = 2 * MiB;
/** The virtual size is a multiple of this. */
export const SIZE_UNIT = GiB;
/** Largest disk, in bytes: bounds the tables that a reader keeps. */
export const MAX_SIZE = 32 * TiB;

/** Bytes of the block that carry fields; the checksum covers them. */
const FIELDS = 512;
const CHECKSUM_FIELD = 64;
const COOKIES = { zvhd: "stream\0\0", zvhd2: "z2strm\0\0" } as const;
const VERSION = 0x0001_0000;
const CREATOR_VERSION = 0x0001_0004;
const FEATURES = 2;
const NO_OFFSET = 0xffff_ffff_ffff_ffffn;
/** The driver writes a differencing disk's type into images that have no parent. */
const DISK_TYPE = 4;

/** Blocks described by one segment of the index and of the bitmap. */
export const SEGMENT_BLOCKS = 32 * 1024;
/** File offset u64, guest block u32, record length u32. */
export const INDEX_ENTRY = 16;
export const INDEX_SEGMENT = SEGMENT_BLOCKS * INDEX_ENTRY;
export const BITMAP_SEGMENT = SEGMENT_BLOCKS / 8;

export const METHODS = ["zlib", "zstd"] as const;
export type Method = (typeof METHODS)[number];

/** What zvhd2 adds. Offsets and sizes in bytes. */
export interface IndexFields {
  /** Guest blocks of the disk before it was rounded up. */
  readonly maxBlocks: number;
  readonly indexOffset: number;
  readonly indexSegments: number;
  readonly bitmapOffset: number;
  readonly bitmapSegments: number;
  readonly storedBlocks: number;
  readonly method: Method;
}

export interface StreamHeader {
  /** Bytes before rounding up. */
  readonly originalSize: number;
  /** The virtual size. */
  readonly currentSize: number;
  /** 1.3 in old writers, else 1.4. */
  readonly creatorVersion: string;
  readonly uuid: Uint8Array;
}

export function hasCookie(format: StreamFormat, bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString("latin1") === COOKIES[format];
}

/**
 * Reads the fields that both formats have, from a block that carries the cookie.
 * @throws Fault IMAGE_CORRUPT, UNSUPPORTED_FEATURE, LIMIT_EXCEEDED
 */
export function readHeader(bytes: Uint8Array, place: string): StreamHeader {
  const view = viewOf(bytes);
  const stored = view.getUint32(CHECKSUM_FIELD, true);
  const sum = complementSum(bytes.subarray(0, FIELDS), CHECKSUM_FIELD);
  if (stored !== sum) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the checksum is 0x${stored.toString(16)}, but the bytes sum to 0x${sum.toString(16)}: ` +
        "the image is damaged",
    );
  }
  const version = view.getUint32(12, true);
  if (version !== VERSION) {
    throw new Fault("UNSUPPORTED_FEATURE", `${place}: version 0x${version.toString(16)} is not supported`);
  }
  const originalSize = Number(view.getBigUint64(40, true));
  const currentSize = Number(view.getBigUint64(48, true));
  if (currentSize > MAX_SIZE) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${place}: the disk size ${currentSize} is above the ${MAX_SIZE} bytes that are supported`,
    );
  }
  if (currentSize % 512 !== 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the disk size ${currentSize} is not a whole number of sectors`,
    );
  }
  if (originalSize > currentSize) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the size before rounding up, ${originalSize}, is above the disk size ${currentSize}`,
    );
  }
  const creator = view.getUint32(32, true);
  return {
    originalSize,
    currentSize,
    creatorVersion: `${creator >>> 16}.${creator & 0xffff}`,
    uuid: bytes.slice(68, 84),
  };
}

/**
 * Reads what zvhd2 adds, from the last block of the file.
 * @throws Fault IMAGE_CORRUPT, UNSUPPORTED_FEATURE
 */
export function readIndexFields(bytes: Uint8Array, header: StreamHeader, place: string): IndexFields {
  const view = viewOf(bytes);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const expect = (name: string, value: number, supported: number) => {
    if (value === supported) return;
    throw new Fault("UNSUPPORTED_FEATURE", `${place}: ${name} is ${value}; only ${supported} is supported`);
  };
  expect("the zvhd2 version", view.getUint8(87), 1);
  expect("the block size", u32(88), BLOCK);
  expect("the index segment size", u32(120), INDEX_SEGMENT);
  expect("the bitmap segment size", u32(124), BITMAP_SEGMENT);
  expect("the mark of an index with zero blocks", view.getUint8(140), 0);
  const method = METHODS[view.getUint8(141)];
  if (method === undefined) {
    const code = view.getUint8(141);
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${place}: compression method ${code} is not supported; 0 (zlib) and 1 (zstd) are`,
    );
  }
  const fields: IndexFields = {
    maxBlocks: u32(92),
    indexOffset: u64(96),
    indexSegments: u32(128),
    bitmapOffset: u64(104),
    bitmapSegments: u32(132),
    storedBlocks: u32(136),
    method,
  };
  const must = (name: string, value: number, wanted: number) => {
    if (value === wanted) return;
    throw new Fault("IMAGE_CORRUPT", `${place}: ${name} is ${value}, but must be ${wanted}`);
  };
  must("the number of blocks", fields.maxBlocks, Math.ceil(header.originalSize / BLOCK));
  if (fields.storedBlocks > fields.maxBlocks) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: ${fields.storedBlocks} blocks are said to be stored, but the disk has ${fields.maxBlocks}`,
    );
  }
  must("the number of index segments", fields.indexSegments, Math.ceil(fields.storedBlocks / SEGMENT_BLOCKS));
  must("the number of bitmap segments", fields.bitmapSegments, Math.ceil(fields.maxBlocks / SEGMENT_BLOCKS));
  must("the index size", u32(112), fields.indexSegments * INDEX_SEGMENT);
  must("the bitmap size", u32(116), fields.bitmapSegments * BITMAP_SEGMENT);
  return fields;
}

/** What a new image states of itself. */
export interface NewHeader {
  readonly format: StreamFormat;
  /** Bytes, a multiple of 512. */
  readonly originalSize: number;
  readonly currentSize: number;
  readonly uuid: Uint8Array;
  readonly method: Method;
}

/** The file's first block. The timestamp is 0, so that equal input gives equal bytes. */
export function writeHeader({ format, originalSize, currentSize, uuid, method }: NewHeader): Uint8Array {
  const bytes = new Uint8Array(PAGE);
  const view = viewOf(bytes);
  const { cylinders, heads, sectors } = geometryFor(originalSize / 512);
  bytes.set(Buffer.from(COOKIES[format], "latin1"));
  view.setUint32(8, FEATURES, true);
  view.setUint32(12, VERSION, true);
  view.setBigUint64(16, NO_OFFSET, true);
  bytes.set(Buffer.from("tap\0", "latin1"), 28);
  view.setUint32(32, CREATOR_VERSION, true);
  view.setBigUint64(40, BigInt(originalSize), true);
  view.setBigUint64(48, BigInt(currentSize), true);
  view.setUint32(56, cylinders * 0x1_0000 + heads * 0x100 + sectors, true);
  view.setUint32(60, DISK_TYPE, true);
  bytes.set(uuid, 68);
  if (format === "zvhd2") {
    view.setUint8(87, 1);
    view.setUint32(88, BLOCK, true);
    view.setUint32(92, Math.ceil(originalSize / BLOCK), true);
    view.setUint8(141, METHODS.indexOf(method));
  }
  return withChecksum(bytes);
}

/**
 * The repeat of the first block behind a zvhd2's records: it counts the blocks and keeps the first block's checksum,
 * which no longer fits. The format's own driver writes it so, and nothing that is known reads it.
 */
export function repeatHeader(header: Uint8Array, storedBlocks: number): Uint8Array {
  const bytes = header.slice();
  viewOf(bytes).setUint32(136, storedBlocks, true);
  return bytes;
}

/** A zvhd2's last block. */
export function writeIndexFooter(
  header: Uint8Array,
  fields: Pick<
    IndexFields,
    "indexOffset" | "indexSegments" | "bitmapOffset" | "bitmapSegments" | "storedBlocks"
  >,
): Uint8Array {
  const bytes = header.slice();
  const view = viewOf(bytes);
  view.setBigUint64(96, BigInt(fields.indexOffset), true);
  view.setBigUint64(104, BigInt(fields.bitmapOffset), true);
  view.setUint32(112, fields.indexSegments * INDEX_SEGMENT, true);
  view.setUint32(116, fields.bitmapSegments * BITMAP_SEGMENT, true);
  view.setUint32(120, INDEX_SEGMENT, true);
  view.setUint32(124, BITMAP_SEGMENT, true);
  view.setUint32(128, fields.indexSegments, true);
  view.setUint32(132, fields.bitmapSegments, true);
  view.setUint32(136, fields.storedBlocks, true);
  return withChecksum(bytes);
}

function withChecksum(bytes: Uint8Array): Uint8Array {
  viewOf(bytes).setUint32(CHECKSUM_FIELD, complementSum(bytes.subarray(0, FIELDS), CHECKSUM_FIELD), true);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, FIELDS);
}
