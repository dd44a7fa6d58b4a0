/**
 * What CRC-64 of object stores is made of: two reflected polynomials, and arithmetic over GF(2) modulo each. The
 * register after A‖B is (register after A) · x^(8·|B|), plus that of B from an empty register.
 */
import type { Code, Local } from "./assembler.ts";
import { createKernel, FunctionBuilder, i32, i64 } from "./assembler.ts";

export type Crc64Kind = "crc64xz" | "crc64nvme";

/** ECMA-182 as XZ uses it, and that of the NVM Express specification. */
export const CRC64_POLYNOMIALS: Readonly<Record<Crc64Kind, bigint>> = {
  crc64xz: 0xc96c5795d7870f42n,
  crc64nvme: 0x9a6c9329ac4bc9b5n,
};

/** Both kinds start from all ones and end inverted. */
export const CRC64_ONES = 0xffff_ffff_ffff_ffffn;

export interface Crc64Arithmetic {
  /** a · b modulo the polynomial; bit 63 is the coefficient of x^0. */
  multiply(a: bigint, b: bigint): bigint;
  /** x^(8 · bytes) modulo the polynomial, for 0 ≤ bytes < 2^53. */
  power(bytes: number): bigint;
}

export interface Crc64Kernel extends Crc64Arithmetic {
  /** The register after `bytes`, without the usual inversions before and behind. */
  update(register: bigint, bytes: Uint8Array): bigint;
}

/** Needs no SIMD. */
export function createCrc64Arithmetic(polynomial: bigint): Crc64Arithmetic {
  const product = createKernel(0).compile(multiplyFunction(polynomial));
  const multiply = (a: bigint, b: bigint) => BigInt.asUintN(64, product(a, b) as bigint);
  /** x^(8 · 2^k) for k from 0. */
  const powers = [1n << 55n];
  const power = (bytes: number) => {
    let result = 1n << 63n;
    for (let k = 0, rest = bytes; rest > 0; k += 1, rest = Math.floor(rest / 2)) {
      const known = powers[k] ?? multiply(powers[k - 1] as bigint, powers[k - 1] as bigint);
      powers[k] = known;
      if (rest % 2 === 1) result = multiply(result, known);
    }
    return result;
  };
  return { multiply, power };
}

/** multiply(a, b) by shift and add. */
function multiplyFunction(polynomial: bigint): FunctionBuilder {
  const f = new FunctionBuilder("multiply", ["i64", "i64"], "i64");
  const [a, b] = f.params as [Local, Local];
  const product = f.local("i64");
  const bits = f.local("i32");
  const one = i64.const(1n);
  /** All ones when the bit is set. */
  const mask = (bit: Code) => i64.sub(i64.const(0n), bit);
  f.emit(bits.set(i32.const(64)));
  f.whileNonZero(bits, () => {
    f.emit(
      product.set(i64.xor(product.get, i64.and(b.get, mask(i64.shrU(a.get, i64.const(63n)))))),
      a.set(i64.shl(a.get, one)),
      b.set(i64.xor(i64.shrU(b.get, one), i64.and(mask(i64.and(b.get, one)), i64.const(polynomial)))),
      bits.set(i32.sub(bits.get, i32.const(1))),
    );
  });
  f.emit(product.get);
  return f;
}
