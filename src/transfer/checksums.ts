/** Checksums that need no bytes: of zeros, and of an object from its parts. */

import type { ChecksumName, Checksums } from "../digest/checksum.ts";
import { crc64Combine, crc64FromHex, crc64Hex, crc64Zeros } from "../digest/crc64.ts";
import { Fault } from "../fault/fault.ts";
import type { PartReceipt } from "../store/store.ts";

/** CRCs of zeros are arithmetic. The MD5 of a run that is never sent is never needed. */
export function zeroChecksums(names: readonly ChecksumName[], length: number): Checksums {
  const sums: Partial<Record<ChecksumName, string>> = {};
  for (const name of names) if (name !== "md5") sums[name] = crc64Hex(crc64Zeros(name, length));
  return sums;
}

/** Checksums of the whole object from those of its parts; only CRCs can be combined. */
export function wholeChecksums(parts: readonly PartReceipt[], names: readonly ChecksumName[]): Checksums {
  const sums: Partial<Record<ChecksumName, string>> = {};
  for (const name of names) {
    if (name === "md5") continue;
    let whole = 0n;
    for (const part of parts) {
      const own = part.checksums[name];
      if (own === undefined) throw new Fault("INTERNAL", `part ${part.number} has no ${name}`);
      whole = crc64Combine(name, whole, crc64FromHex(own), part.length);
    }
    sums[name] = crc64Hex(whole);
  }
  return sums;
}
