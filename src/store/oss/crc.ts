/** CRC-64/XZ between the decimal text of OSS headers and the 16 hex digits used here. */
import { crc64Hex } from "../../digest/crc64.ts";
import { Fault } from "../../fault/fault.ts";

export const CRC_HEADER = "x-oss-hash-crc64ecma";

/** @throws Fault STORE_PROTOCOL when the text is no unsigned 64-bit number. */
export function crcFromDecimal(text: string, name: string): string {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value >> 64n !== 0n) {
    throw new Fault("STORE_PROTOCOL", `${name}: ${CRC_HEADER} is "${text.slice(0, 40)}", no 64-bit number`);
  }
  return crc64Hex(value);
}
