/** CRC-64 of object stores: XZ (Alibaba OSS) and NVME (S3), joined from parts in any order of arrival. */
import { Fault } from "../fault/fault.ts";

export type Crc64Kind = "crc64xz" | "crc64nvme";

/** Reflected polynomials: ECMA-182 as XZ uses it, and the NVM Express one. */
export const CRC64_POLYNOMIAL: Readonly<Record<Crc64Kind, bigint>> = {
  crc64xz: 0xc96c5795d7870f42n,
  crc64nvme: 0x9a6c9329ac4bc9b5n,
};

const MASK = 0xffff_ffff_ffff_ffffn;
const ONE = 1n << 63n;

/** a × b modulo the polynomial; bit 63 is the coefficient of x^0. */
function multiply(polynomial: bigint, a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = 63n; bit >= 0n; bit -= 1n) {
    if ((a >> bit) & 1n) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
  }
  return product;
}

/** x^(8 · bytes) modulo the polynomial. */
function shiftBy(kind: Crc64Kind, bytes: number): bigint {
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Fault("INTERNAL", `crc64: ${bytes} is no length`);
  const polynomial = CRC64_POLYNOMIAL[kind];
  let power = ONE >> 8n;
  let result = ONE;
  for (let rest = BigInt(bytes); rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = multiply(polynomial, power, result);
    power = multiply(polynomial, power, power);
  }
  return result;
}

/** The CRC of a‖b from the CRCs of both; `lengthB` in bytes, up to 2^53 − 1. */
export function crc64Combine(kind: Crc64Kind, a: bigint, b: bigint, lengthB: number): bigint {
  return multiply(CRC64_POLYNOMIAL[kind], shiftBy(kind, lengthB), a) ^ b;
}

/** The CRC of `length` zero bytes, up to 2^53 − 1. */
export function crc64Zeros(kind: Crc64Kind, length: number): bigint {
  return multiply(CRC64_POLYNOMIAL[kind], shiftBy(kind, length), MASK) ^ MASK;
}

const tables: Partial<Record<Crc64Kind, Uint32Array>> = {};

function tableOf(kind: Crc64Kind): Uint32Array {
  const known = tables[kind];
  if (known !== undefined) return known;
  const table = new Uint32Array(512);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = BigInt(byte);
    for (let i = 0; i < 8; i += 1) value = value & 1n ? (value >> 1n) ^ CRC64_POLYNOMIAL[kind] : value >> 1n;
    table[byte * 2] = Number(value & 0xffff_ffffn);
    table[byte * 2 + 1] = Number(value >> 32n);
  }
  tables[kind] = table;
  return table;
}

/** The CRC of bytes that arrive in order. */
export class Crc64 {
  readonly #table: Uint32Array;
  #low = 0xffff_ffff;
  #high = 0xffff_ffff;

  constructor(kind: Crc64Kind) {
    this.#table = tableOf(kind);
  }

  update(bytes: Uint8Array): void {
    const table = this.#table;
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < bytes.length; i += 1) {
      const at = ((low ^ (bytes[i] as number)) & 255) * 2;
      low = ((low >>> 8) | (high << 24)) ^ (table[at] as number);
      high = (high >>> 8) ^ (table[at + 1] as number);
    }
    this.#low = low;
    this.#high = high;
  }

  /** The finalised CRC of all bytes so far; more may follow. */
  value(): bigint {
    return ((BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0)) ^ MASK;
  }
}

/** The finalised CRC of `bytes`. */
export function crc64(kind: Crc64Kind, bytes: Uint8Array): bigint {
  const crc = new Crc64(kind);
  crc.update(bytes);
  return crc.value();
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
