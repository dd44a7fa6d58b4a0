/**
 * MD5 of streams that run side by side in one thread: updates that wait at the same time are hashed together, each
 * in a lane of the kernel.
 */
import { digestKernels } from "./kernels.ts";
import { MD5_INITIAL, MD5_LANES, MD5_SLICE } from "./wasm/md5-kernel.ts";

const BLOCK = 64;

export interface Md5Update {
  readonly stream: Md5;
  readonly bytes: Uint8Array;
}

/** An update on its way through a lane. */
interface Lane extends Md5Update {
  readonly blocks: number;
  /** Bytes of the update that were hashed. */
  at: number;
}

/** One stream. */
export class Md5 {
  readonly #state = Uint32Array.from(MD5_INITIAL);
  /** Bytes that do not fill a block yet: `#length % BLOCK` of them. */
  readonly #rest = new Uint8Array(BLOCK);
  #length = 0;

  /** Hashes the next bytes of several streams, no stream twice, in one go. */
  static update(updates: readonly Md5Update[]): void {
    for (let first = 0; first < updates.length; first += MD5_LANES) {
      Md5.#hash(updates.slice(first, first + MD5_LANES));
    }
  }

  update(bytes: Uint8Array): void {
    Md5.#hash([{ stream: this, bytes }]);
  }

  /** 32 lower-case hex digits. To be called once, last. */
  digest(): string {
    const bits = BigInt(this.#length) * 8n;
    const padding = Buffer.alloc(BLOCK + 8 - ((this.#length + 8) % BLOCK));
    padding[0] = 0x80;
    padding.writeBigUInt64LE(bits, padding.length - 8);
    this.update(padding);
    const words = Buffer.alloc(16);
    for (const [index, word] of this.#state.entries()) words.writeUInt32LE(word, index * 4);
    return words.toString("hex");
  }

  /** At most MD5_LANES updates. */
  static #hash(updates: readonly Md5Update[]): void {
    const { data, state, compress } = digestKernels().md5();
    // Longest first: when short ones are done, those that go on stand in the first lanes.
    const lanes = updates
      .map(({ stream, bytes }): Lane => {
        const waiting = stream.#length % BLOCK;
        return { stream, bytes, blocks: Math.floor((waiting + bytes.length) / BLOCK), at: 0 };
      })
      .sort((a, b) => b.blocks - a.blocks);
    for (let done = 0, active = lanes.length; ; ) {
      while (lanes[active - 1]?.blocks === done) active -= 1;
      const shortest = lanes[active - 1];
      if (shortest === undefined) break;
      const blocks = Math.min(MD5_SLICE / BLOCK, shortest.blocks - done);
      for (const [index, lane] of lanes.slice(0, active).entries()) {
        Md5.#fill(lane, data[index] as Uint8Array, blocks * BLOCK);
        for (let word = 0; word < 4; word += 1) {
          state[word * MD5_LANES + index] = lane.stream.#state[word] as number;
        }
      }
      compress(active, blocks);
      for (const [index, { stream }] of lanes.slice(0, active).entries()) {
        for (let word = 0; word < 4; word += 1) {
          stream.#state[word] = state[word * MD5_LANES + index] as number;
        }
      }
      done += blocks;
    }
    for (const { stream, bytes, at } of lanes) {
      const rest = bytes.subarray(at);
      const after = (stream.#length + bytes.length) % BLOCK;
      stream.#rest.set(rest, after - rest.length);
      stream.#length += bytes.length;
    }
  }

  /** The next `length` bytes of a lane: first those that waited, then those of the update. */
  static #fill(lane: Lane, into: Uint8Array, length: number): void {
    const waiting = lane.at === 0 ? lane.stream.#length % BLOCK : 0;
    if (waiting > 0) into.set(lane.stream.#rest.subarray(0, waiting));
    const end = lane.at + length - waiting;
    into.set(lane.bytes.subarray(lane.at, end), waiting);
    lane.at = end;
  }
}
