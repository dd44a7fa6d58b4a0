/**
 * The footer that ends every VHD, and of which the growing kinds keep a copy at offset 0.
 * Source: Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format". All numbers are big-endian.
 */
import { SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { type Geometry, geometrySectors, MAX_GEOMETRY_SECTORS } from "./geometry.ts";
import { complementSum, uuidText } from "./identity.ts";

export const FOOTER_SIZE = 512;
const COOKIE = "conectix";

const DISK_TYPES = { fixed: 2, dynamic: 3, differencing: 4 } as const;
export type DiskType = keyof typeof DISK_TYPES;

const CHECKSUM_FIELD = 64;
const VERSION = 0x0001_0000;
/** The reserved feature bit, which is always set. */
const FEATURES = 2;
const NO_OFFSET = 0xffff_ffff_ffff_ffffn;

export interface Footer {
  /** Offset of the dynamic header; all ones in fixed disks. */
  readonly dataOffset: bigint;
  /** Seconds since 2000-01-01 00:00 UTC. */
  readonly timestamp: number;
  /** Four characters, spaces included. */
  readonly creator: string;
  /** Bytes. */
  readonly currentSize: bigint;
  readonly geometry: Geometry;
  readonly type: DiskType;
  readonly uuid: string;
  /** The machine was suspended when the image was made. */
  readonly saved: boolean;
}

export function hasCookie(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString("latin1") === COOKIE;
}

/**
 * Reads 512 bytes that carry the cookie. `place` names file and offset.
 * @throws Fault IMAGE_CORRUPT, UNSUPPORTED_FEATURE
 */
export function readFooter(bytes: Uint8Array, place: string): Footer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FOOTER_SIZE);
  const stored = view.getUint32(CHECKSUM_FIELD);
  const sum = complementSum(bytes.subarray(0, FOOTER_SIZE), CHECKSUM_FIELD);
  if (stored !== sum) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the footer checksum is ${hex(stored)}, but its bytes sum to ${hex(sum)}: the image is damaged`,
    );
  }
  const version = view.getUint32(12);
  if (version !== VERSION) {
    throw new Fault("UNSUPPORTED_FEATURE", `${place}: VHD version ${hex(version)} is not supported`);
  }
  const code = view.getUint32(60);
  const type = (Object.keys(DISK_TYPES) as DiskType[]).find((name) => DISK_TYPES[name] === code);
  if (type === undefined) {
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${place}: disk type ${code} is not supported; 2, 3 and 4 (fixed, dynamic, differencing) are`,
    );
  }
  return {
    dataOffset: view.getBigUint64(16),
    timestamp: view.getUint32(24),
    creator: Buffer.from(bytes.subarray(28, 32)).toString("latin1"),
    currentSize: view.getBigUint64(48),
    geometry: { cylinders: view.getUint16(56), heads: view.getUint8(58), sectors: view.getUint8(59) },
    type,
    uuid: uuidText(bytes.subarray(68, 84)),
    saved: view.getUint8(84) !== 0,
  };
}

/** What a new image states of itself. */
export interface NewFooter {
  readonly type: "fixed" | "dynamic";
  /** Offset of the dynamic header; absent in fixed disks. */
  readonly dataOffset?: number;
  /** Bytes. */
  readonly size: number;
  readonly geometry: Geometry;
  readonly uuid: Uint8Array;
}

/**
 * The 512 bytes of a footer. The creator is `qem2`, as QEMU writes for disks whose size field, not their geometry,
 * is the virtual size; the timestamp is 0, so that equal input gives equal bytes.
 */
export function writeFooter({ type, dataOffset, size, geometry, uuid }: NewFooter): Uint8Array {
  const bytes = new Uint8Array(FOOTER_SIZE);
  const view = new DataView(bytes.buffer);
  const ascii = (text: string, at: number) => bytes.set(Buffer.from(text, "latin1"), at);
  ascii(COOKIE, 0);
  view.setUint32(8, FEATURES);
  view.setUint32(12, VERSION);
  view.setBigUint64(16, dataOffset === undefined ? NO_OFFSET : BigInt(dataOffset));
  ascii("qem2", 28);
  view.setUint32(32, 0x0005_0003);
  ascii("Wi2k", 36);
  view.setBigUint64(40, BigInt(size));
  view.setBigUint64(48, BigInt(size));
  view.setUint16(56, geometry.cylinders);
  view.setUint8(58, geometry.heads);
  view.setUint8(59, geometry.sectors);
  view.setUint32(60, DISK_TYPES[type]);
  bytes.set(uuid.subarray(0, 16), 68);
  view.setUint32(CHECKSUM_FIELD, complementSum(bytes, CHECKSUM_FIELD));
  return bytes;
}

/** Most bytes of a VHD: 2040 GiB. */
export const MAX_SIZE = 0xff00_0000 * SECTOR;

/**
 * The virtual size in bytes. Virtual PC and old QEMU (`vpc `, `qemu`) mean the geometry, unless it is at its
 * maximum; every other creator means the size field. Source: QEMU's driver since 2025; before, it
 * listed the creators that mean the size field, and read the disks of all others too short.
 * @throws Fault IMAGE_CORRUPT, LIMIT_EXCEEDED
 */
export function virtualSize({ creator, currentSize, geometry }: Footer, place: string): number {
  const sectors = geometrySectors(geometry);
  const byGeometry = (creator === "vpc " || creator === "qemu") && sectors !== MAX_GEOMETRY_SECTORS;
  const size = byGeometry ? sectors * SECTOR : Number(currentSize);
  if (size > MAX_SIZE) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `${place}: the disk size ${size} is more than a VHD can hold (2040 GiB)`,
    );
  }
  if (size % SECTOR !== 0) {
    throw new Fault("IMAGE_CORRUPT", `${place}: the disk size ${size} is not a whole number of sectors`);
  }
  if (size === 0 && currentSize !== 0n) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the geometry ${geometry.cylinders}/${geometry.heads}/${geometry.sectors} holds no sectors, ` +
        `but the size field says ${currentSize}`,
    );
  }
  return size;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
