/** Buffers that are used again and grow when they must. */
import { alignUp, KiB } from "./units.ts";

/** `buffer`, or a larger one with any content where it has fewer than `length` bytes. */
export function atLeast(buffer: Uint8Array, length: number): Uint8Array {
  return buffer.length >= length ? buffer : new Uint8Array(alignUp(length, 64 * KiB));
}
