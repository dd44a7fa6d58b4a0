/**
 * CRC-64 of object stores: XZ (Alibaba OSS) and NVME (S3). The CRC of a whole is computed from those of its parts,
 * whatever order they were made in, and that of zeros without touching any.
 */
import { Fault } from "../fault/fault.ts";
import { digestKernels } from "./kernels.ts";
import { type Crc64Kernel, type Crc64Kind, CRC64_ONES as ONES } from "./wasm/crc64-arithmetic.ts";

export type { Crc64Kind };

function kernelOf(kind: Crc64Kind): Crc64Kernel {
  return digestKernels().crc64[kind]();
}

/** The CRC of bytes that arrive in order. */
export class Crc64 {
  readonly #kernel: Crc64Kernel;
  #register = ONES;

  constructor(kind: Crc64Kind) {
    this.#kernel = kernelOf(kind);
  }

  update(bytes: Uint8Array): void {
    this.#register = this.#kernel.update(this.#register, bytes);
  }

  /** The finalised CRC of all bytes so far; more may follow. */
  value(): bigint {
    return this.#register ^ ONES;
  }
}

/** The finalised CRC of `bytes`. */
export function crc64(kind: Crc64Kind, bytes: Uint8Array): bigint {
  return kernelOf(kind).update(ONES, bytes) ^ ONES;
}

/** The CRC of a‖b from the CRCs of both; `lengthB` in bytes, up to 2^53 − 1. */
export function crc64Combine(kind: Crc64Kind, a: bigint, b: bigint, lengthB: number): bigint {
  const { multiply, power } = kernelOf(kind);
  return multiply(power(checked(lengthB)), a) ^ b;
}

/** The CRC of `length` zero bytes, up to 2^53 − 1. */
export function crc64Zeros(kind: Crc64Kind, length: number): bigint {
  const { multiply, power } = kernelOf(kind);
  return multiply(power(checked(length)), ONES) ^ ONES;
}

function checked(length: number): number {
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw new Fault("INTERNAL", `crc64: ${length} is no length in bytes`);
}

/** 16 lower-case hex digits. */
export function crc64Hex(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}

/** @throws Fault INTERNAL when the text is not 16 hex digits. */
export function crc64FromHex(text: string): bigint {
  if (!/^[0-9a-f]{16}$/i.test(text)) throw new Fault("INTERNAL", `"${text}" is no CRC-64 in hex`);
  return BigInt(`0x${text}`);
}
