/**
 * The block function of the guest digest in SIMD: XXH3-128 with seed 0 (xxHash specification 0.2.0, "XXH3 Algorithm",
 * the form for inputs over 240 bytes) of a block's content, then its share of the sum.
 */
import type { Code, Local } from "./assembler.ts";
import { createKernel, FunctionBuilder, i32, i32x4, i64, i64x2, v128 } from "./assembler.ts";
import { addToSum, GUEST_BLOCK, type GuestKernel } from "./guest-sum.ts";

const STRIPE = 64;
const SECRET_LENGTH = 192;
/** Bytes between two scrambles: each stripe moves 8 bytes on in the secret. */
const SPAN = ((SECRET_LENGTH - STRIPE) / 8) * STRIPE;

// Memory: | secret | accumulators | sum | data |
const SECRET = 0;
const ACCUMULATORS = 256;
const SUM = 320;
const DATA = 384;

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const INITIAL = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];

/** The default secret of XXH3. */
const SECRET_BYTES = Buffer.from(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8" +
    "fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb17" +
    "0ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
  "hex",
);

/** The kernel of the guest digest in SIMD. */
export function createGuestKernel(): GuestKernel {
  const { memory, compile } = createKernel(DATA + GUEST_BLOCK);
  memory.set(SECRET_BYTES, SECRET);
  return {
    block: memory.subarray(DATA, DATA + GUEST_BLOCK),
    sum: new BigUint64Array(memory.buffer, SUM, 2),
    add: compile(addFunction()),
  };
}

function addFunction(): FunctionBuilder {
  const f = new FunctionBuilder("add", ["i32", "i32"]);
  const [indexLow, indexHigh] = f.params as [Local, Local];
  const [low, high] = hashContent(f, GUEST_BLOCK);
  addToSum(f, { low, high, indexLow, indexHigh, sum: SUM });
  return f;
}

/** XXH3-128 of the block, as two locals. */
function hashContent(f: FunctionBuilder, length: number): [Local, Local] {
  const [at, key, spans, stripes] = f.locals("i32", 4) as [Local, Local, Local, Local];
  const accumulators = f.locals("v128", 4);
  const [data, keyed] = f.locals("v128", 2) as [Local, Local];
  const zero = i32.const(0);
  const next = (local: Local, step: number) => local.set(i32.add(local.get, i32.const(step)));
  /** Takes in the stripe at `at` under the part of the secret at `key`. */
  const stripe = () => {
    for (const [index, accumulator] of accumulators.entries()) {
      f.emit(
        data.set(v128.load(at.get, DATA + index * 16)),
        keyed.set(v128.xor(data.get, v128.load(key.get, SECRET + index * 16))),
        accumulator.set(i64x2.add(accumulator.get, i64x2.shuffle([1, 0], data.get, data.get))),
        accumulator.set(
          i64x2.add(
            accumulator.get,
            i64x2.extmulLowU(
              i32x4.shuffle([0, 2, 0, 2], keyed.get, keyed.get),
              i32x4.shuffle([1, 3, 1, 3], keyed.get, keyed.get),
            ),
          ),
        ),
      );
    }
    f.emit(next(at, STRIPE), next(key, 8));
  };
  const run = (count: number) => {
    f.emit(key.set(zero), stripes.set(i32.const(count)));
    f.whileNonZero(stripes, () => {
      stripe();
      f.emit(next(stripes, -1));
    });
  };
  const scramble = () => {
    for (const [index, accumulator] of accumulators.entries()) {
      const secret = v128.load(zero, SECRET + SECRET_LENGTH - STRIPE + index * 16);
      f.emit(
        accumulator.set(
          i64x2.mul(
            v128.xor(v128.xor(accumulator.get, i64x2.shrU(accumulator.get, i32.const(47))), secret),
            i64x2.splat(i64.const(PRIME32_1)),
          ),
        ),
      );
    }
  };

  for (const [index, accumulator] of accumulators.entries()) {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(INITIAL[index * 2] as bigint, 0);
    bytes.writeBigUInt64LE(INITIAL[index * 2 + 1] as bigint, 8);
    f.emit(accumulator.set(v128.const([...bytes])));
  }
  f.emit(spans.set(i32.const(length / SPAN - 1)));
  f.whileNonZero(spans, () => {
    run(SPAN / STRIPE);
    scramble();
    f.emit(next(spans, -1));
  });
  // The last span lacks its last stripe, which is hashed under a key of its own, and is not scrambled.
  run(SPAN / STRIPE - 1);
  f.emit(key.set(i32.const(SECRET_LENGTH - STRIPE - 7)));
  stripe();

  for (const [index, accumulator] of accumulators.entries()) {
    f.emit(v128.store(i32.const(0), accumulator.get, ACCUMULATORS + index * 16));
  }
  const mask = (1n << 64n) - 1n;
  const total = BigInt(length);
  return [
    merge(f, 11, (total * PRIME64_1) & mask),
    merge(f, SECRET_LENGTH - STRIPE - 11, ~(total * PRIME64_2) & mask),
  ];
}

/** Joins the eight accumulators under a part of the secret. */
function merge(f: FunctionBuilder, secret: number, start: bigint): Local {
  const zero = i32.const(0);
  const result = f.local("i64");
  const [a, b] = f.locals("i64", 2) as [Local, Local];
  const keyed = (lane: number) =>
    i64.xor(i64.load(zero, ACCUMULATORS + lane * 8), i64.load(zero, SECRET + secret + lane * 8));
  f.emit(result.set(i64.const(start)));
  for (let lane = 0; lane < 8; lane += 2) {
    f.emit(a.set(keyed(lane)), b.set(keyed(lane + 1)));
    f.emit(result.set(i64.add(result.get, foldedProduct(f, a.get, b.get))));
  }
  f.emit(
    result.set(i64.xor(result.get, i64.shrU(result.get, i64.const(37n)))),
    result.set(i64.mul(result.get, i64.const(0x165667919e3779f9n))),
    result.set(i64.xor(result.get, i64.shrU(result.get, i64.const(32n)))),
  );
  return result;
}

/** The low XOR the high half of the 128-bit product; emits what it needs before. */
function foldedProduct(f: FunctionBuilder, a: Code, b: Code): Code {
  const [lowLow, highLow, lowHigh, cross] = f.locals("i64", 4) as [Local, Local, Local, Local];
  const low = (x: Code) => i64.and(x, i64.const(0xffff_ffffn));
  const high = (x: Code) => i64.shrU(x, i64.const(32n));
  f.emit(
    lowLow.set(i64.mul(low(a), low(b))),
    highLow.set(i64.mul(high(a), low(b))),
    lowHigh.set(i64.mul(low(a), high(b))),
    cross.set(i64.add(i64.add(high(lowLow.get), low(highLow.get)), lowHigh.get)),
  );
  return i64.xor(
    i64.mul(a, b),
    i64.add(i64.add(high(highLow.get), high(cross.get)), i64.mul(high(a), high(b))),
  );
}
