/**
 * A record holds one guest block:
 *
 *     | prefix, payload size, guest block, zeros (48) | payload | zeros | "end\0" |
 *
 * and is as long as a multiple of 4096. All numbers are little-endian.
 */
import { alignUp } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Output } from "../format.ts";
import { BLOCK, PAGE } from "./header.ts";

export const RECORD_HEADER = 48;
const PREFIX = Buffer.from("hwstream bg\0", "latin1");
export const TRAILER = Buffer.from("end\0", "latin1");

/** Bytes of the longest record that the format's driver has room for. */
export const MAX_RECORD = 2 * BLOCK + PAGE;

export interface RecordHeader {
  /** Bytes. */
  readonly payload: number;
  /** Guest block. */
  readonly block: number;
}

export function isRecord(bytes: Uint8Array): boolean {
  return PREFIX.equals(bytes.subarray(0, PREFIX.length));
}

/** @throws Fault IMAGE_CORRUPT */
export function readRecordHeader(bytes: Uint8Array, place: string): RecordHeader {
  if (!isRecord(bytes)) {
    throw new Fault("IMAGE_CORRUPT", `${place}: no record ("hwstream bg") stands here`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER);
  const header = { payload: view.getUint32(12, true), block: view.getUint32(16, true) };
  if (header.payload === 0 || recordLength(header.payload) > MAX_RECORD) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the record's payload of ${header.payload} bytes is not within 1 and ` +
        `${MAX_RECORD - RECORD_HEADER - TRAILER.length}`,
    );
  }
  return header;
}

/** Bytes of a record in the file. */
export function recordLength(payload: number): number {
  return alignUp(RECORD_HEADER + payload + TRAILER.length, PAGE);
}

/** Adds a record; the payload comes in parts. Returns the record's length. */
export function addRecord(block: number, payload: readonly Uint8Array[], out: Output): number {
  const size = payload.reduce((sum, part) => sum + part.length, 0);
  const header = new Uint8Array(RECORD_HEADER);
  header.set(PREFIX);
  const view = new DataView(header.buffer);
  view.setUint32(12, size, true);
  view.setUint32(16, block, true);
  out.add(header);
  for (const part of payload) out.add(part);
  const length = recordLength(size);
  out.addZeros(length - RECORD_HEADER - size - TRAILER.length);
  out.add(TRAILER);
  return length;
}
