/** The qcow2 header: bytes to fields, and every refusal that the header alone allows. */
import { MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { Finding } from "../format.ts";
import { type Extensions, parseExtensions } from "./extensions.ts";
import { checkedIncompatible, describeFeatures, INCOMPATIBLE, warning } from "./features.ts";

/** "QFI\xfb", shared with qcow version 1. */
export const MAGIC = 0x514649fb;

export const MIN_CLUSTER_BITS = 9;
/** QEMU opens nothing larger; neither do other readers. */
export const MAX_CLUSTER_BITS = 21;
/** QEMU's limit; a table this large maps 2 EiB with the largest clusters. */
export const MAX_L1_BYTES = 32 * MiB;
/** QEMU's limit. */
export const MAX_REFCOUNT_TABLE_BYTES = 8 * MiB;
const MAX_BACKING_NAME = 1023;
const V2_HEADER = 72;
const V3_HEADER = 104;

/** How compressed clusters are coded: what qcow2 calls zlib has none of zlib's header and checksum. */
export const CODEC = { zlib: "deflate", zstd: "zstd" } as const;

/** A table of 8-byte entries. */
export interface TablePlace {
  /** Byte offset in the file. */
  readonly offset: number;
  readonly entries: number;
}

/** What a checked header says. Sizes in bytes. */
export interface Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly virtualSize: number;
  readonly l1: TablePlace;
  readonly refcountTable: TablePlace;
  readonly snapshots: { readonly offset: number; readonly count: number };
  readonly compression: "zlib" | "zstd";
  /** 16 with extended L2 entries (subclusters). */
  readonly entryBytes: 8 | 16;
  /** Where guest clusters stand. */
  readonly storage: "own file" | "data file";
  readonly backing?: { readonly name: string; readonly format?: string };
  readonly dataFileName?: string;
  readonly features: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * Reads and checks header and header extensions.
 * @throws Fault FORMAT_MISMATCH, IMAGE_TRUNCATED, IMAGE_CORRUPT, IMAGE_DIRTY, UNSUPPORTED_FEATURE, LIMIT_EXCEEDED
 */
export async function readHeader(source: Source, signal: AbortSignal): Promise<Header> {
  let bytes: Buffer = Buffer.alloc(Math.min(source.size, 65536));
  await source.read(bytes, 0, signal);
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== MAGIC) {
    throw new Fault(
      "FORMAT_MISMATCH",
      `${source.name}: is no qcow2 image, it does not begin with "QFI\\xfb"`,
    );
  }
  if (bytes.length < V2_HEADER) {
    throw new Fault("IMAGE_TRUNCATED", `${source.name}: ends at ${bytes.length}, inside the qcow2 header`);
  }
  const clusterSize = 2 ** checkedClusterBits(source.name, bytes);
  if (clusterSize > bytes.length && source.size > bytes.length) {
    bytes = Buffer.alloc(Math.min(source.size, clusterSize));
    await source.read(bytes, 0, signal);
  }
  return parseHeader(source.name, bytes.subarray(0, clusterSize), source.size);
}

function checkedClusterBits(name: string, bytes: Buffer): number {
  const version = bytes.readUInt32BE(4);
  if (version === 1) {
    throw new Fault("UNSUPPORTED_FEATURE", `${name}: is a qcow version 1 image; convert it to qcow2 first`);
  }
  if (version !== 2 && version !== 3) {
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${name}: qcow2 version ${version} is not known, only 2 and 3 are`,
    );
  }
  const bits = bytes.readUInt32BE(20);
  if (bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS) {
    throw new Fault("IMAGE_CORRUPT", `${name}: cluster_bits is ${bits}, must be 9 to 21`);
  }
  return bits;
}

/** `bytes`: the first cluster, or what the file has of it. `fileSize` bounds every offset. */
function parseHeader(name: string, bytes: Buffer, fileSize: number): Header {
  const corrupt = (text: string) => new Fault("IMAGE_CORRUPT", `${name}: ${text}`);
  const version = bytes.readUInt32BE(4) === 2 ? 2 : 3;
  const clusterBits = bytes.readUInt32BE(20);
  const clusterSize = 2 ** clusterBits;
  if (version === 3 && bytes.length < V3_HEADER) {
    throw new Fault("IMAGE_TRUNCATED", `${name}: ends at ${bytes.length}, inside the qcow2 version 3 header`);
  }
  const headerLength = version === 2 ? V2_HEADER : bytes.readUInt32BE(100);
  if (headerLength > clusterSize || (version === 3 && (headerLength < V3_HEADER || headerLength % 8 !== 0))) {
    throw corrupt(`header_length is ${headerLength}, must be a multiple of 8 from 104 to ${clusterSize}`);
  }
  if (headerLength > bytes.length) {
    throw new Fault("IMAGE_TRUNCATED", `${name}: ends at ${bytes.length}, inside the header`);
  }

  const backingOffset = readWide(bytes, 8);
  const backingLength = backingOffset === 0 ? 0 : bytes.readUInt32BE(16);
  if (backingLength > MAX_BACKING_NAME) {
    throw corrupt(
      `the backing file name has ${backingLength} bytes, at most ${MAX_BACKING_NAME} are allowed`,
    );
  }
  if (backingOffset !== 0 && (backingOffset < headerLength || backingOffset + backingLength > clusterSize)) {
    throw corrupt(`the backing file name at ${backingOffset} is not inside the first cluster`);
  }
  if (backingOffset + backingLength > bytes.length) {
    throw new Fault("IMAGE_TRUNCATED", `${name}: ends at ${bytes.length}, inside the backing file name`);
  }
  const backingName = text(bytes.subarray(backingOffset, backingOffset + backingLength));

  const extensions = parseExtensions(
    name,
    bytes.subarray(0, backingOffset === 0 ? bytes.length : backingOffset),
    headerLength,
  );
  const bits = version === 2 ? 0 : checkedIncompatible(name, bytes, extensions);
  checkEncryption(name, bytes.readUInt32BE(32), extensions);
  const compression = checkedCompression(name, bytes, headerLength, bits);
  const extended = (bits & INCOMPATIBLE.extendedL2) !== 0;
  if (extended && clusterBits < 14) {
    throw corrupt(`extended L2 entries need clusters of 16 KiB or more, cluster_bits is ${clusterBits}`);
  }
  const refcountOrder = version === 2 ? 4 : bytes.readUInt32BE(96);
  if (refcountOrder > 6) throw corrupt(`refcount_order is ${refcountOrder}, must be 0 to 6`);

  const virtualSize = readWide(bytes, 24);
  if (virtualSize > Number.MAX_SAFE_INTEGER) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${name}: the virtual size is ${virtualSize} bytes, more than 8 PiB cannot be read`,
    );
  }
  const l1 = { offset: readWide(bytes, 40), entries: bytes.readUInt32BE(36) };
  const refcountTable = {
    offset: readWide(bytes, 48),
    entries: bytes.readUInt32BE(56) * (clusterSize / 8),
  };
  if (refcountTable.entries === 0) throw corrupt("the refcount table has no clusters");
  checkPlace(name, "refcount table", refcountTable, MAX_REFCOUNT_TABLE_BYTES, clusterSize, fileSize);

  const external = (bits & INCOMPATIBLE.dataFile) !== 0;
  const { findings, features } = describeFeatures(bytes, version, bits, extensions);
  const header: Header = {
    version,
    clusterBits,
    clusterSize,
    virtualSize,
    l1,
    refcountTable,
    snapshots: { offset: readWide(bytes, 64), count: bytes.readUInt32BE(60) },
    compression,
    entryBytes: extended ? 16 : 8,
    storage: external ? "data file" : "own file",
    ...(backingName === "" ? {} : { backing: backingOf(backingName, extensions) }),
    ...(external ? { dataFileName: extensions.dataFileName ?? "" } : {}),
    features: [...features, `refcount_bits=${2 ** refcountOrder}`],
    findings: [
      ...(backingName === ""
        ? []
        : [warning("backing_file", `reads what it does not hold from ${JSON.stringify(backingName)}`)]),
      ...(external
        ? [warning("data_file", `keeps its data in ${JSON.stringify(extensions.dataFileName ?? "")}`)]
        : []),
      ...findings,
    ],
  };
  checkL1(name, "L1 table", l1, virtualSize, header, fileSize);
  return header;
}

/**
 * An L1 table must be aligned, in the file, within QEMU's limit, and large enough for the disk.
 * @throws Fault IMAGE_CORRUPT, IMAGE_TRUNCATED, LIMIT_EXCEEDED
 */
export function checkL1(
  name: string,
  what: string,
  l1: TablePlace,
  virtualSize: number,
  header: Pick<Header, "clusterSize" | "entryBytes">,
  fileSize: number,
): void {
  const span = (header.clusterSize / header.entryBytes) * header.clusterSize;
  const needed = Math.ceil(virtualSize / span);
  if (l1.entries < needed) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${name}: the ${what} has ${l1.entries} entries, a disk of ${virtualSize} bytes needs ${needed}`,
    );
  }
  checkPlace(name, what, l1, MAX_L1_BYTES, header.clusterSize, fileSize);
}

function checkPlace(
  name: string,
  what: string,
  place: TablePlace,
  limit: number,
  clusterSize: number,
  fileSize: number,
): void {
  if (place.entries === 0) return;
  const length = place.entries * 8;
  if (length > limit) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${name}: the ${what} has ${length} bytes, at most ${limit} are allowed`,
    );
  }
  if (place.offset % clusterSize !== 0 || place.offset === 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${name}: the ${what} at ${place.offset} is not at a cluster of its own`,
    );
  }
  if (place.offset + length > fileSize) {
    throw new Fault(
      "IMAGE_TRUNCATED",
      `${name}: the ${what} stands at ${place.offset} to ${place.offset + length}, the file ends at ${fileSize}`,
    );
  }
}

function checkEncryption(name: string, method: number, extensions: Extensions): void {
  if (method !== 0) {
    const what = { 1: "AES", 2: "LUKS" }[method] ?? `method ${method}`;
    throw new Fault("UNSUPPORTED_FEATURE", `${name}: is encrypted (${what}); decrypt it first`);
  }
  if (extensions.encryptionHeader) {
    throw new Fault("IMAGE_CORRUPT", `${name}: has an encryption header, but crypt_method is 0`);
  }
}

function checkedCompression(
  name: string,
  bytes: Buffer,
  headerLength: number,
  incompatible: number,
): "zlib" | "zstd" {
  const type = headerLength > 104 ? bytes.readUInt8(104) : 0;
  if (((incompatible & INCOMPATIBLE.compression) !== 0) !== (type !== 0)) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${name}: compression_type is ${type}, but the compression feature bit says otherwise`,
    );
  }
  if (type > 1) throw new Fault("UNSUPPORTED_FEATURE", `${name}: compression type ${type} is not known`);
  return type === 1 ? "zstd" : "zlib";
}

function backingOf(name: string, extensions: Extensions) {
  return extensions.backingFormat === undefined ? { name } : { name, format: extensions.backingFormat };
}

/** A 64-bit number; above 2^53 only its magnitude is exact, which every bound here refuses anyway. */
export function readWide(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
