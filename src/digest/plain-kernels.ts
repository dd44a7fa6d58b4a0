/** The kernels without SIMD: hash-wasm hashes, behind the same interfaces. */
import { createCRC64, createMD5, createXXHash128 } from "hash-wasm";
import { Fault } from "../fault/fault.ts";
import { type Crc64Kernel, createCrc64Arithmetic, CRC64_ONES as ONES } from "./wasm/crc64-arithmetic.ts";
import { createGuestSum, GUEST_BLOCK, type GuestKernel } from "./wasm/guest-sum.ts";
import { MD5_INITIAL, MD5_LANES, MD5_SLICE, type Md5Kernel } from "./wasm/md5-kernel.ts";

const MD5_BLOCK = 64;

/** One lane after the other: hash-wasm goes on from a state that it has saved, in which a, b, c, d are replaced. */
export async function createPlainMd5Kernel(): Promise<Md5Kernel> {
  const hasher = await createMD5();
  const saved = Buffer.from(hasher.init().save());
  const words = saved.indexOf(Buffer.from(Uint32Array.from(MD5_INITIAL).buffer));
  if (words === -1) throw new Fault("INTERNAL", "md5: hash-wasm saves its state in a form that is not known");
  const data = Array.from({ length: MD5_LANES }, () => new Uint8Array(MD5_SLICE));
  const state = new Uint32Array(4 * MD5_LANES);
  return {
    data,
    state,
    compress(lanes, blocks) {
      for (const [lane, slice] of data.slice(0, lanes).entries()) {
        for (let word = 0; word < 4; word += 1) {
          saved.writeUInt32LE(state[word * MD5_LANES + lane] as number, words + word * 4);
        }
        hasher.load(saved).update(slice.subarray(0, blocks * MD5_BLOCK));
        const after = Buffer.from(hasher.save());
        for (let word = 0; word < 4; word += 1) {
          state[word * MD5_LANES + lane] = after.readUInt32LE(words + word * 4);
        }
      }
    },
  };
}

/** hash-wasm always begins with all ones; what another register adds is a matter of arithmetic. */
export async function createPlainCrc64Kernel(polynomial: bigint): Promise<Crc64Kernel> {
  const hasher = await createCRC64(polynomial.toString(16));
  const arithmetic = createCrc64Arithmetic(polynomial);
  const { multiply, power } = arithmetic;
  return {
    ...arithmetic,
    update(register, bytes) {
      const fromOnes = BigInt(`0x${hasher.init().update(bytes).digest()}`) ^ ONES;
      return register === ONES ? fromOnes : fromOnes ^ multiply(power(bytes.length), register ^ ONES);
    },
  };
}

export async function createPlainGuestKernel(): Promise<GuestKernel> {
  const hasher = await createXXHash128();
  const { sum, add } = createGuestSum();
  const block = new Uint8Array(GUEST_BLOCK);
  return {
    block,
    sum,
    add(indexLow, indexHigh) {
      // The canonical form: the high half first, each big-endian.
      const content = Buffer.from(hasher.init().update(block).digest("binary"));
      add(content.readBigUInt64BE(8), content.readBigUInt64BE(0), indexLow, indexHigh);
    },
  };
}
