/** Where the records of a file stand: 12 bytes of memory for each, and each takes at least 4096 in the file. */
import { PAGE } from "./header.ts";

/** Largest file, in bytes, whose places fit the table. */
export const MAX_FILE = 2 ** 32 * PAGE;

export interface StoredRecord {
  readonly block: number;
  /** Byte offset of the record. */
  readonly offset: number;
  /** Payload bytes (zvhd) or record bytes (zvhd2). */
  readonly length: number;
}

/** Records in ascending order of guest blocks. */
export class RecordTable {
  #blocks = new Uint32Array(1024);
  #pages = new Uint32Array(1024);
  #lengths = new Uint32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The caller has checked that `block` is above the last one and `offset` a multiple of 4096. */
  add({ block, offset, length }: StoredRecord): void {
    if (this.#count === this.#blocks.length) {
      this.#blocks = doubled(this.#blocks);
      this.#pages = doubled(this.#pages);
      this.#lengths = doubled(this.#lengths);
    }
    this.#blocks[this.#count] = block;
    this.#pages[this.#count] = offset / PAGE;
    this.#lengths[this.#count] = length;
    this.#count += 1;
  }

  /** `at` from 0 to `count` - 1. */
  get(at: number): StoredRecord {
    return {
      block: this.#blocks[at] ?? 0,
      offset: (this.#pages[at] ?? 0) * PAGE,
      length: this.#lengths[at] ?? 0,
    };
  }

  /** Guest block of a record; behind the last one, Infinity. */
  block(at: number): number {
    return at < this.#count ? (this.#blocks[at] ?? 0) : Number.POSITIVE_INFINITY;
  }

  /** Position of the first record whose guest block is at least `block`. */
  lowerBound(block: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle] ?? 0) < block) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
