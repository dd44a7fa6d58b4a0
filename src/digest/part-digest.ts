/** The checksums of one part, computed while its bytes pass. */
import type { ChecksumName, Checksums } from "./checksum.ts";
import { Crc64, crc64Hex } from "./crc64.ts";
import { Md5Batcher, type Md5Seat } from "./md5-batcher.ts";

/** One call at a time: none begins before the promise of the last has settled. */
export interface PartDigest {
  /** Takes the next bytes, which must stay as they are until the promise settles. */
  update(bytes: Uint8Array): void | Promise<void>;
  /**
   * Takes the next bytes, which must stay as they are until `settle` says so: the longer they may wait, the more digests
   * of the thread are hashed together. The others take it that the bytes are on their way until then.
   */
  hold(bytes: Uint8Array): void;
  /** Settles when at most the last `held` bytes taken by `hold` still wait. */
  settle(held: number): void | Promise<void>;
  /** MD5 as 32, CRC-64 as 16 lower-case hex digits. To be called once, when nothing waits. */
  finish(): Checksums;
}

const batcher = new Md5Batcher();

/** A digest that computes the named checksums. */
export function createPartDigest(names: readonly ChecksumName[]): PartDigest {
  const md5: Md5Seat | undefined = names.includes("md5") ? batcher.seat() : undefined;
  const crcs = names.filter((name) => name !== "md5").map((name) => ({ name, crc: new Crc64(name) }));
  const hold = (bytes: Uint8Array): void => {
    for (const { crc } of crcs) crc.update(bytes);
    md5?.hold(bytes);
  };
  return {
    hold,
    settle: (held) => md5?.settle(held),
    update(bytes) {
      hold(bytes);
      return md5?.settle(0);
    },
    finish() {
      const sums: Partial<Record<ChecksumName, string>> = {};
      if (md5 !== undefined) sums.md5 = md5.digest();
      for (const { name, crc } of crcs) sums[name] = crc64Hex(crc.value());
      return sums;
    },
  };
}
