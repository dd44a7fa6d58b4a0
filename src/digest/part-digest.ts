/** The checksums of one part, computed while its bytes pass. */
import type { ChecksumName, Checksums } from "./checksum.ts";
import { Crc64, crc64Hex } from "./crc64.ts";
import { Md5, type Md5Update } from "./md5-lanes.ts";

export interface PartDigest {
  /**
   * Takes the next bytes. They must stay as they are, and no other update may begin, until a returned promise
   * settles. Several digests of one thread that wait at once are hashed together: the promise is what lets them.
   */
  update(bytes: Uint8Array): void | Promise<void>;
  /** MD5 as 32, CRC-64 as 16 lower-case hex digits. To be called once, after the last update has settled. */
  finish(): Checksums;
}

/** A digest that computes the named checksums. */
export function createPartDigest(names: readonly ChecksumName[]): PartDigest {
  const md5 = names.includes("md5") ? new Md5() : undefined;
  const crcs = names.filter((name) => name !== "md5").map((name) => ({ name, crc: new Crc64(name) }));
  return {
    update(bytes) {
      for (const { crc } of crcs) crc.update(bytes);
      return md5 === undefined ? undefined : joinBatch({ stream: md5, bytes });
    },
    finish() {
      const sums: Partial<Record<ChecksumName, string>> = {};
      if (md5 !== undefined) sums.md5 = md5.digest();
      for (const { name, crc } of crcs) sums[name] = crc64Hex(crc.value());
      return sums;
    },
  };
}

interface Batch {
  readonly updates: Md5Update[];
  readonly done: Promise<void>;
}

let batch: Batch | undefined;

/**
 * The batch closes when the event loop has handed out what it had ready, so that a lone digest waits for nobody
 * and busy lanes meet: while one batch is hashed, the reads of the next complete.
 */
function joinBatch(update: Md5Update): Promise<void> {
  if (batch === undefined) {
    const updates: Md5Update[] = [];
    const done = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        batch = undefined;
        try {
          Md5.update(updates);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    batch = { updates, done };
  }
  batch.updates.push(update);
  return batch.done;
}
