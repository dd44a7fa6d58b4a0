/**
 * The header of the growing kinds of VHD.
 * Source: Virtual Hard Disk Image Format Specification 1.0, "Dynamic Disk Header Format". Numbers are big-endian.
 */
import { MiB, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { complementSum, uuidText } from "./identity.ts";

export const DYNAMIC_HEADER_SIZE = 1024;

const COOKIE = "cxsparse";
const CHECKSUM_FIELD = 36;
const VERSION = 0x0001_0000;
/** The specification prints 0xFFFFFFFF; every writer fills all eight bytes. */
const NO_OFFSET = 0xffff_ffff_ffff_ffffn;
/** Larger blocks than anyone writes (2 MiB, rarely 512 KiB) are allowed for, but not without bound. */
const MAX_BLOCK = 256 * MiB;

export interface DynamicHeader {
  /** Bytes from the start of the file. */
  readonly tableOffset: bigint;
  /** Entries that the block allocation table has room for. */
  readonly maxEntries: number;
  /** Guest bytes of a block: a power of two. */
  readonly blockSize: number;
  readonly parent: ParentReference;
}

/** The parent as a differencing disk names it; meaningless in others. */
export interface ParentReference {
  readonly uuid: string;
  /** Seconds since 2000-01-01 00:00 UTC. */
  readonly timestamp: number;
  readonly name: string;
}

/** @throws Fault IMAGE_CORRUPT, UNSUPPORTED_FEATURE, LIMIT_EXCEEDED */
export function readDynamicHeader(bytes: Uint8Array, place: string): DynamicHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, DYNAMIC_HEADER_SIZE);
  if (Buffer.from(bytes.subarray(0, 8)).toString("latin1") !== COOKIE) {
    throw new Fault("IMAGE_CORRUPT", `${place}: no dynamic disk header ("${COOKIE}") stands here`);
  }
  const stored = view.getUint32(CHECKSUM_FIELD);
  const sum = complementSum(bytes.subarray(0, DYNAMIC_HEADER_SIZE), CHECKSUM_FIELD);
  if (stored !== sum) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the dynamic header's checksum is 0x${stored.toString(16)}, but its bytes sum to ` +
        `0x${sum.toString(16)}: the image is damaged`,
    );
  }
  const version = view.getUint32(24);
  if (version !== VERSION) {
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${place}: dynamic header version 0x${version.toString(16)} is not supported`,
    );
  }
  const blockSize = view.getUint32(32);
  if (blockSize < SECTOR || (blockSize & (blockSize - 1)) !== 0) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the block size ${blockSize} is not a power of two of at least ${SECTOR}`,
    );
  }
  if (blockSize > MAX_BLOCK) {
    throw new Fault("LIMIT_EXCEEDED", `${place}: the block size ${blockSize} is above ${MAX_BLOCK}`);
  }
  return {
    tableOffset: view.getBigUint64(16),
    maxEntries: view.getUint32(28),
    blockSize,
    parent: {
      uuid: uuidText(bytes.subarray(40, 56)),
      timestamp: view.getUint32(56),
      name: utf16BigEndian(bytes.subarray(64, 576)),
    },
  };
}

export function writeDynamicHeader(
  header: Pick<DynamicHeader, "maxEntries" | "blockSize"> & { readonly tableOffset: number },
): Uint8Array {
  const bytes = new Uint8Array(DYNAMIC_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(COOKIE, "latin1"));
  view.setBigUint64(8, NO_OFFSET);
  view.setBigUint64(16, BigInt(header.tableOffset));
  view.setUint32(24, VERSION);
  view.setUint32(28, header.maxEntries);
  view.setUint32(32, header.blockSize);
  view.setUint32(CHECKSUM_FIELD, complementSum(bytes, CHECKSUM_FIELD));
  return bytes;
}

/** A NUL-terminated name, printable: control characters would forge log lines. */
function utf16BigEndian(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).swap16().toString("utf16le");
  return text.replace(/\0.*$/su, "").replace(/\p{Cc}/gu, "?");
}
