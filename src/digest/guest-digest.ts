/** One short value for what a disk reads as, whatever format holds it. */
import { createHash } from "node:crypto";
import { KiB } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import { Fault } from "../fault/fault.ts";

/** The guest is cut into blocks of this many bytes. */
export const GUEST_BLOCK = 64 * KiB;

const MODULUS = 1n << 128n;
const PREFIX = "sha256-sum:";
const ZEROS = new Uint8Array(GUEST_BLOCK);

export class GuestDigest {
  #sum = 0n;

  /** `guestOffset` is a multiple of GUEST_BLOCK; so is the length, except at the end of the disk. */
  add(bytes: Uint8Array, guestOffset: number): void {
    if (guestOffset % GUEST_BLOCK !== 0 || !Number.isSafeInteger(guestOffset) || guestOffset < 0) {
      throw new Fault("INTERNAL", `guest digest: offset ${guestOffset} is no multiple of ${GUEST_BLOCK}`);
    }
    for (let at = 0; at < bytes.length; at += GUEST_BLOCK) {
      const block = bytes.subarray(at, at + GUEST_BLOCK);
      if (isZero(block)) continue;
      const hash = createHash("sha256").update(`${(guestOffset + at) / GUEST_BLOCK}:`);
      hash.update(block).update(ZEROS.subarray(block.length));
      this.#sum += BigInt(`0x${hash.digest("hex").slice(0, 32)}`);
    }
    this.#sum %= MODULUS;
  }

  value(): bigint {
    return this.#sum;
  }
}

/** The value of both sets of blocks together. */
export function combineGuest(a: bigint, b: bigint): bigint {
  return (a + b) % MODULUS;
}

/** The algorithm's name and 32 hex digits. */
export function formatGuestDigest(value: bigint): string {
  return PREFIX + guestHex(value);
}

/** 32 lower-case hex digits, for the journal. */
export function guestHex(value: bigint): string {
  return value.toString(16).padStart(32, "0");
}

/** @throws Fault INTERNAL when the text is not 32 hex digits. */
export function guestFromHex(text: string): bigint {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new Fault("INTERNAL", `"${text}" is no guest digest in hex`);
  return BigInt(`0x${text}`);
}
