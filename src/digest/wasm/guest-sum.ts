/**
 * The sum of the guest digest. The 128 bits of a block's content go through a permutation that the block's index
 * chooses, four rounds of a Feistel network over 64-bit halves, and are added modulo 2^128. Needs no SIMD.
 */
import { KiB } from "../../bytes/units.ts";
import type { Code, Local } from "./assembler.ts";
import { createKernel, FunctionBuilder, i32, i64 } from "./assembler.ts";

/** The guest is cut into blocks of this many bytes. */
export const GUEST_BLOCK = 64 * KiB;

/** Steps of the sequence that the round keys are drawn from: 2^64 divided by the golden ratio. */
const GOLDEN = 0x9e3779b97f4a7c15n;
const ROUNDS = 4;

export interface GuestKernel {
  /** Where a block's content goes before a call: GUEST_BLOCK bytes. */
  readonly block: Uint8Array;
  /** The sum of all contributions since it was last set to 0: low and high half. */
  readonly sum: BigUint64Array;
  /** Adds the contribution of the block, whose index is `indexHigh · 2^32 + indexLow`. */
  add(indexLow: number, indexHigh: number): void;
}

/** The sum by itself, for contents that are hashed elsewhere. */
export interface GuestSum {
  readonly sum: BigUint64Array;
  /** XXH3-128 of a block as two halves, and the index of the block. */
  add(low: bigint, high: bigint, indexLow: number, indexHigh: number): void;
}

export function createGuestSum(): GuestSum {
  const sum = 0;
  const { memory, compile } = createKernel(16);
  const f = new FunctionBuilder("add", ["i64", "i64", "i32", "i32"]);
  const [low, high, indexLow, indexHigh] = f.params as [Local, Local, Local, Local];
  addToSum(f, { low, high, indexLow, indexHigh, sum });
  return { sum: new BigUint64Array(memory.buffer, sum, 2), add: compile(f) };
}

export interface Contribution {
  /** XXH3-128 of a block; spoilt. */
  readonly low: Local;
  readonly high: Local;
  readonly indexLow: Local;
  readonly indexHigh: Local;
  /** Where in memory the sum stands. */
  readonly sum: number;
}

/** Emits what adds a block to the sum. */
export function addToSum(f: FunctionBuilder, { low, high, indexLow, indexHigh, sum }: Contribution): void {
  permute(
    f,
    low,
    high,
    i64.or(i64.extendI32(indexLow.get), i64.shl(i64.extendI32(indexHigh.get), i64.const(32n))),
  );
  const zero = i32.const(0);
  f.emit(
    high.set(i64.add(high.get, i64.load(zero, sum + 8))),
    i64.store(zero, i64.add(low.get, i64.load(zero, sum)), sum),
    // The low half has carried when it is now below what was added.
    i64.store(zero, i64.add(high.get, i64.extendI32(i64.ltU(i64.load(zero, sum), low.get))), sum + 8),
  );
}

/** Rounds 1 to 4: (low, high) becomes (high, low ^ mix(high + key)) with key = mix((4 · index + round) · GOLDEN). */
function permute(f: FunctionBuilder, low: Local, high: Local, index: Code): void {
  const [counter, mixed] = f.locals("i64", 2) as [Local, Local];
  f.emit(counter.set(i64.mul(index, i64.const(BigInt(ROUNDS)))));
  for (let round = 0; round < ROUNDS; round += 1) {
    f.emit(
      counter.set(i64.add(counter.get, i64.const(1n))),
      mixed.set(i64.mul(counter.get, i64.const(GOLDEN))),
    );
    mix(f, mixed);
    f.emit(mixed.set(i64.add(mixed.get, high.get)));
    mix(f, mixed);
    f.emit(mixed.set(i64.xor(mixed.get, low.get)), low.set(high.get), high.set(mixed.get));
  }
}

/** The 64-bit finaliser of MurmurHash3. */
function mix(f: FunctionBuilder, x: Local): void {
  const fold = x.set(i64.xor(x.get, i64.shrU(x.get, i64.const(33n))));
  f.emit(
    fold,
    x.set(i64.mul(x.get, i64.const(0xff51afd7ed558ccdn))),
    fold,
    x.set(i64.mul(x.get, i64.const(0xc4ceb9fe1a85ec53n))),
    fold,
  );
}
