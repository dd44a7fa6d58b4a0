/** Checksums that need no bytes: of zeros, and of an object from its parts. */

import type { ChecksumName, Checksums } from "../digest/checksum.ts";
import { crc64Combine, crc64FromHex, crc64Hex, crc64Zeros } from "../digest/crc64.ts";
import type { PartReceipt } from "../store/store.ts";

/** CRCs of zeros are arithmetic. The MD5 of a run that is never sent is never needed. */
export function zeroChecksums(names: readonly ChecksumName[], length: number): Checksums {
  const sums: Partial<Record<ChecksumName, string>> = {};
  for (const name of names) if (name !== "md5") sums[name] = crc64Hex(crc64Zeros(name, length));
  return sums;
}

/** Checksums of the whole object from those of its parts; only CRCs can be combined, and copied parts may have none. */
export function wholeChecksums(parts: readonly PartReceipt[], names: readonly ChecksumName[]): Checksums {
  const sums: Partial<Record<ChecksumName, string>> = {};
  for (const name of names) {
    if (name === "md5") continue;
    let whole: bigint | undefined = 0n;
    for (const { checksums, length } of parts) {
      const own = checksums[name];
      whole =
        own === undefined || whole === undefined
          ? undefined
          : crc64Combine(name, whole, crc64FromHex(own), length);
    }
    if (whole !== undefined) sums[name] = crc64Hex(whole);
  }
  return sums;
}
