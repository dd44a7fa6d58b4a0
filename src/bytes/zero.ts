/** Whether bytes are all zero. */
import { KiB } from "./units.ts";

/** Small enough to stay in the processor's cache beside the bytes it is compared with. */
const ZEROS = Buffer.alloc(64 * KiB);

/** Whether every byte is 0; true for no bytes. Data is mostly told by three bytes, zeros at the speed of memcmp. */
export function isZero(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length === 0) return true;
  if (bytes[0] !== 0 || bytes[length >>> 1] !== 0 || bytes[length - 1] !== 0) return false;
  for (let at = 0; at < length; at += ZEROS.length) {
    const end = Math.min(length, at + ZEROS.length);
    if (ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}
