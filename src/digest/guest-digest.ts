/**
 * One short value for what a disk reads as, the same in whatever format the disk is stored.
 *
 * The guest is cut into blocks of 64 KiB, the last one padded with zeros. A block of zeros counts for nothing; any
 * other counts for 128 bits that depend on its content and on its place; the digest is the sum of these, modulo
 * 2^128. So blocks may come in any order, from any thread, and the size of the disk does not enter: zeros appended
 * to a disk leave its digest as it is.
 *
 * The content is hashed with XXH3-128, which is several times as fast as SHA-256 and not cryptographic. The digest
 * finds corruption, lost, moved and swapped blocks (a chance of about 2^-128 to miss one); it is no protection
 * against somebody who builds two disks of one digest on purpose. Use SHA-256 of the file for that.
 */
import { isZero } from "../bytes/zero.ts";
import { Fault } from "../fault/fault.ts";
import { digestKernels } from "./kernels.ts";
import { GUEST_BLOCK } from "./wasm/guest-sum.ts";

export { GUEST_BLOCK };

const BITS = 128;
const ALGORITHM = "xxh3sum";
/** The kernel takes the index of a block as two halves of 32 bits. */
const HALF = 2 ** 32;

/** The digest of some blocks of a disk. */
export class GuestDigest {
  #sum = 0n;

  /**
   * Adds a run of guest bytes; each block once in a digest. `guestOffset` is a multiple of GUEST_BLOCK; so is the
   * length, except at the end of the disk.
   */
  add(bytes: Uint8Array, guestOffset: number): void {
    if (!Number.isSafeInteger(guestOffset) || guestOffset < 0 || guestOffset % GUEST_BLOCK !== 0) {
      throw new Fault("INTERNAL", `guest digest: offset ${guestOffset} is no multiple of ${GUEST_BLOCK}`);
    }
    const { block, sum, add } = digestKernels().guest();
    sum.fill(0n);
    for (let at = 0; at < bytes.length; at += GUEST_BLOCK) {
      const content = bytes.subarray(at, at + GUEST_BLOCK);
      if (isZero(content)) continue;
      block.set(content);
      if (content.length < GUEST_BLOCK) block.fill(0, content.length);
      const index = (guestOffset + at) / GUEST_BLOCK;
      add(index % HALF, Math.floor(index / HALF));
    }
    this.#sum = combineGuest(this.#sum, ((sum[1] as bigint) << 64n) | (sum[0] as bigint));
  }

  /** The sum so far, 0 to 2^128 − 1. */
  value(): bigint {
    return this.#sum;
  }
}

/** The value of two sets of blocks together; the sets have no block in common. 0 is that of no blocks. */
export function combineGuest(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(BITS, a + b);
}

/** For people and reports: the algorithm's name and 32 hex digits, such as `xxh3sum:00…2a`. */
export function formatGuestDigest(value: bigint): string {
  return `${ALGORITHM}:${guestHex(value)}`;
}

/** 32 lower-case hex digits, for the journal. */
export function guestHex(value: bigint): string {
  return value.toString(16).padStart(BITS / 4, "0");
}

/** @throws Fault INTERNAL when the text is not 32 hex digits. */
export function guestFromHex(text: string): bigint {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new Fault("INTERNAL", `"${text}" is no guest digest in hex`);
  return BigInt(`0x${text}`);
}
