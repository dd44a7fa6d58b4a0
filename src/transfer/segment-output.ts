/** The encoded bytes of one segment: a list of blocks that grows as units are stored. */
import { MiB } from "../bytes/units.ts";
import type { Output } from "../format/format.ts";
import type { LaneBuffers } from "./lane-buffers.ts";

const BLOCK = MiB;

export class SegmentOutput implements Output {
  readonly #buffers: LaneBuffers;
  readonly #blocks: Uint8Array[] = [];
  #length = 0;

  constructor(buffers: LaneBuffers) {
    this.#buffers = buffers;
  }

  get length(): number {
    return this.#length;
  }

  add(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const room = this.#room();
      const part = bytes.subarray(done, done + room.length);
      room.set(part);
      done += part.length;
      this.#length += part.length;
    }
  }

  addZeros(count: number): void {
    for (let left = count; left > 0; ) {
      const room = this.#room();
      const part = Math.min(left, room.length);
      room.fill(0, 0, part);
      left -= part;
      this.#length += part;
    }
  }

  /** Adds `length` bytes that the caller fills in: each room before it asks for the next. */
  *rooms(length: number): Generator<Uint8Array> {
    for (let left = length; left > 0; ) {
      const room = this.#room().subarray(0, left);
      yield room;
      left -= room.length;
      this.#length += room.length;
    }
  }

  /** The bytes so far, in order. */
  *chunks(): Generator<Uint8Array> {
    for (let offset = 0; offset < this.#length; offset += BLOCK) {
      const block = this.#blocks[offset / BLOCK];
      if (block !== undefined) yield block.subarray(0, Math.min(BLOCK, this.#length - offset));
    }
  }

  /** Forgets everything added; keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  /** Gives the memory back. Only when nobody reads from it any more. */
  release(): void {
    for (const block of this.#blocks.splice(0)) this.#buffers.give(block);
    this.#length = 0;
  }

  /** The free rest of the last block. */
  #room(): Uint8Array {
    const index = Math.floor(this.#length / BLOCK);
    if (index === this.#blocks.length) this.#blocks.push(this.#buffers.take(BLOCK));
    const block = this.#blocks[index];
    if (block === undefined) throw new Error("segment output has lost a block");
    return block.subarray(this.#length % BLOCK);
  }
}
