/**
 * MD5 (RFC 1321) of several independent streams at once. One MD5 is a single chain of instructions that each wait for
 * the one before, so a processor idles most of the time; here several chains are interleaved. A chain is either one
 * stream in scalar words or four streams in the 32-bit lanes of a v128.
 */
import { Fault } from "../../fault/fault.ts";
import type { Code, KernelFunction, Local } from "./assembler.ts";
import { createKernel, FunctionBuilder, i32, i32x4, i64x2, v128 } from "./assembler.ts";

export const MD5_LANES = 8;
/** Bytes of one lane's data in kernel memory; a multiple of the 64-byte block. */
export const MD5_SLICE = 16 * 1024;
/** RFC 1321, section 3.3: a, b, c, d before the first block. */
export const MD5_INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];

/** RFC 1321, section 3.4: shifts of the four rounds. */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const BLOCK = 64;

// Memory: | sines, 64 words | state: a, b, c, d of 8 lanes | transposed message, 16 × 8 words | lanes |
const SINES = 0;
const STATE = 256;
const MESSAGE = STATE + 4 * MD5_LANES * 4;
const DATA = MESSAGE + 16 * MD5_LANES * 4;
/** Lanes stand a little more than a slice apart, so that they do not compete for one cache set. */
const STRIDE = MD5_SLICE + 3 * BLOCK;

/** Word k of the message in round r, step i (RFC 1321, section 3.4). */
function wordOf(step: number): number {
  const within = step % 16;
  return [within, (5 * within + 1) % 16, (3 * within + 5) % 16, (7 * within) % 16][step >> 4] as number;
}

/** RFC 1321, section 3.4; less 1 in the fourth round, see mix(). */
function sine(step: number): number {
  return Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32) - (step < 48 ? 0 : 1);
}

function statePlace(word: number, lane: number): number {
  return STATE + (word * MD5_LANES + lane) * 4;
}

function messagePlace(word: number, lane: number): number {
  return MESSAGE + (word * MD5_LANES + lane) * 4;
}

/**
 * What one call can hash, narrowest first. Scalar chains win where they fill the processor; vectors are for more
 * streams than the scalar registers hold.
 */
const SHAPES = [
  { vectors: 0, scalars: 1 },
  { vectors: 0, scalars: 2 },
  { vectors: 0, scalars: 3 },
  { vectors: 0, scalars: 4 },
  { vectors: 1, scalars: 3 },
  { vectors: 2, scalars: 0 },
] as const;

export interface Md5Kernel {
  /** Where a lane's data goes before a call: MD5_SLICE bytes. */
  readonly data: readonly Uint8Array[];
  /** Word 0 to 3 (a, b, c, d) of a lane's state is at `word * MD5_LANES + lane`. */
  readonly state: Uint32Array;
  /** Takes the first `blocks` blocks of the first `lanes` lanes into their states; may spoil those of others. */
  compress(lanes: number, blocks: number): void;
}

/** Its functions are compiled as they are needed. */
export function createMd5Kernel(): Md5Kernel {
  const { memory, compile } = createKernel(DATA + MD5_LANES * STRIDE);
  const sines = new Uint32Array(memory.buffer, SINES, 64);
  for (let step = 0; step < 64; step += 1) sines[step] = sine(step);
  const functions: KernelFunction[] = [];
  return {
    data: Array.from({ length: MD5_LANES }, (_, lane) => {
      const start = DATA + lane * STRIDE;
      return memory.subarray(start, start + MD5_SLICE);
    }),
    state: new Uint32Array(memory.buffer, STATE, 4 * MD5_LANES),
    compress(lanes, blocks) {
      functions[lanes] ??= compile(compressFunction(lanes));
      functions[lanes](blocks);
    },
  };
}

/** The arithmetic of one chain. */
interface Words {
  readonly add: (a: Code, b: Code) => Code;
  readonly sub: (a: Code, b: Code) => Code;
  readonly and: (a: Code, b: Code) => Code;
  readonly andnot: (a: Code, b: Code) => Code;
  readonly xor: (a: Code, b: Code) => Code;
  readonly rotl: (a: Local, shift: number) => Code;
  readonly load: (address: Code, offset: number) => Code;
  readonly store: (address: Code, value: Code, offset: number) => Code;
}

const SCALAR: Words = {
  ...i32,
  andnot: (a, b) => i32.and(a, i32.xor(b, i32.const(-1))),
  rotl: (a, shift) => i32.rotl(a.get, i32.const(shift)),
};

const VECTOR: Words = {
  ...v128,
  add: i32x4.add,
  sub: i32x4.sub,
  rotl: (a, shift) => v128.or(i32x4.shl(a.get, i32.const(shift)), i32x4.shrU(a.get, i32.const(32 - shift))),
};

interface Chain {
  readonly words: Words;
  /** a, b, c, d. */
  readonly state: readonly Local[];
  readonly sum: Local;
  /** The first of its lanes. */
  readonly lane: number;
  readonly sine: (step: number) => Code;
  readonly message: (word: number) => Code;
}

/** For at least `lanes` lanes: those of the vectors first, then the scalars. */
function compressFunction(lanes: number): FunctionBuilder {
  const shape = SHAPES.find(({ vectors, scalars }) => vectors * 4 + scalars >= lanes);
  if (shape === undefined) throw new Fault("INTERNAL", `md5: ${lanes} lanes are more than ${MD5_LANES}`);
  const { vectors, scalars } = shape;
  const f = new FunctionBuilder("compress", ["i32"]);
  const [blocks] = f.params as [Local];
  const at = f.local("i32");
  const zero = i32.const(0);
  const rows = f.locals("v128", 8);
  const chains = [
    ...Array.from(
      { length: vectors },
      (_, set): Chain => ({
        words: VECTOR,
        state: f.locals("v128", 4),
        sum: f.local("v128"),
        lane: set * 4,
        sine: (step) => v128.load32Splat(zero, SINES + step * 4),
        message: (word) => v128.load(zero, messagePlace(word, set * 4)),
      }),
    ),
    ...Array.from(
      { length: scalars },
      (_, index): Chain => ({
        words: SCALAR,
        state: f.locals("i32", 4),
        sum: f.local("i32"),
        lane: vectors * 4 + index,
        sine: (step) => i32.const(sine(step)),
        message: (word) => i32.load(at.get, DATA + (vectors * 4 + index) * STRIDE + word * 4),
      }),
    ),
  ];

  for (const { words, state, lane } of chains) {
    state.forEach((word, index) => {
      f.emit(word.set(words.load(zero, statePlace(index, lane))));
    });
  }
  f.whileNonZero(blocks, () => {
    for (let lane = 0; lane < vectors * 4; lane += 4) {
      for (let word = 0; word < 16; word += 4) transpose(f, rows, at.get, lane, word);
    }
    for (let step = 0; step < 64; step += 1) {
      for (const chain of chains) f.emit(...stepOf(chain, step));
    }
    for (const { words, state, lane } of chains) {
      state.forEach((word, index) => {
        f.emit(
          word.set(words.add(word.get, words.load(zero, statePlace(index, lane)))),
          words.store(zero, word.get, statePlace(index, lane)),
        );
      });
    }
    f.emit(at.set(i32.add(at.get, i32.const(BLOCK))), blocks.set(i32.sub(blocks.get, i32.const(1))));
  });
  return f;
}

/** a = b + ((a + mix(b, c, d) + word + sine) <<< shift); the roles of a, b, c, d rotate with each step. */
function stepOf({ words, state, sum, sine, message }: Chain, step: number): Code[] {
  const [a, b, c, d] = [0, 1, 2, 3].map((role) => state[(role - step) & 3]) as [Local, Local, Local, Local];
  const round = step >> 4;
  return [
    sum.set(words.add(words.add(a.get, sine(step)), message(wordOf(step)))),
    sum.set(mix(words, round, sum.get, b.get, c.get, d.get)),
    a.set(words.add(b.get, words.rotl(sum, SHIFTS[round]?.[step & 3] as number))),
  ];
}

/** sum + F, G, H or I of (b, c, d), written so that as little as possible waits for b, the newest value. */
function mix(
  { add, sub, and, andnot, xor }: Words,
  round: number,
  sum: Code,
  b: Code,
  c: Code,
  d: Code,
): Code {
  if (round === 0) return add(sum, xor(d, and(b, xor(c, d))));
  // The two halves of G have no bit in common, so that + may stand for OR.
  if (round === 1) return add(add(sum, andnot(c, d)), and(b, d));
  if (round === 2) return add(sum, xor(b, xor(c, d)));
  // I = c ^ (b | ~d) = ~(c ^ (d & ~b)) = −1 − (c ^ (d & ~b)); the −1 is part of sine().
  return sub(sum, xor(c, andnot(d, b)));
}

/** Turns four words of four lanes into four vectors that each hold one word of all four, and stores them. */
function transpose(f: FunctionBuilder, rows: readonly Local[], at: Code, lane: number, word: number): void {
  const row = (index: number) => (rows[index] as Local).get;
  const set = (index: number, value: Code) => (rows[index] as Local).set(value);
  const put = (index: number, value: Code) =>
    v128.store(i32.const(0), value, messagePlace(word + index, lane));
  for (let i = 0; i < 4; i += 1) f.emit(set(i, v128.load(at, DATA + (lane + i) * STRIDE + word * 4)));
  f.emit(
    set(4, i32x4.shuffle([0, 4, 1, 5], row(0), row(1))),
    set(5, i32x4.shuffle([0, 4, 1, 5], row(2), row(3))),
    set(6, i32x4.shuffle([2, 6, 3, 7], row(0), row(1))),
    set(7, i32x4.shuffle([2, 6, 3, 7], row(2), row(3))),
    put(0, i64x2.shuffle([0, 2], row(4), row(5))),
    put(1, i64x2.shuffle([1, 3], row(4), row(5))),
    put(2, i64x2.shuffle([0, 2], row(6), row(7))),
    put(3, i64x2.shuffle([1, 3], row(6), row(7))),
  );
}
