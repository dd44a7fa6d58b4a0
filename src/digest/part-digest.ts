/** The checksums of one part, computed while its bytes pass. */
import { createHash } from "node:crypto";
import type { ChecksumName, Checksums } from "../store/store.ts";
import { Crc64, crc64Hex } from "./crc64.ts";

export interface PartDigest {
  /** Takes the next bytes; they must not change until a returned promise settles. One update at a time. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** MD5 as 32, CRC-64 as 16 lower-case hex digits. To be called once, after the last update has settled. */
  finish(): Checksums;
}

/** A digest that computes the named checksums. */
export function createPartDigest(names: readonly ChecksumName[]): PartDigest {
  const md5 = names.includes("md5") ? createHash("md5") : undefined;
  const crcs = names.filter((name) => name !== "md5").map((name) => ({ name, crc: new Crc64(name) }));
  return {
    update(bytes) {
      md5?.update(bytes);
      for (const { crc } of crcs) crc.update(bytes);
    },
    finish() {
      const sums: Partial<Record<ChecksumName, string>> = {};
      if (md5 !== undefined) sums.md5 = md5.digest("hex");
      for (const { name, crc } of crcs) sums[name] = crc64Hex(crc.value());
      return sums;
    },
  };
}
