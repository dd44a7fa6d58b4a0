/** The encoded bytes of one segment: a list of blocks that grows as units are stored. */
import { MiB } from "../bytes/units.ts";
import type { Output } from "../format/format.ts";
import type { LaneBuffers } from "./lane-buffers.ts";

const BLOCK = MiB;

/** Bytes in blocks, one behind the other. */
class Blocks {
  readonly #buffers: LaneBuffers;
  readonly #blocks: Uint8Array[] = [];
  length = 0;

  constructor(buffers: LaneBuffers) {
    this.#buffers = buffers;
  }

  add(bytes: Uint8Array): void {
    let done = 0;
    for (const room of this.rooms(bytes.length)) {
      room.set(bytes.subarray(done, done + room.length));
      done += room.length;
    }
  }

  /** Adds `length` bytes that the caller fills in: each room before it asks for the next. */
  *rooms(length: number): Generator<Uint8Array> {
    for (let left = length; left > 0; ) {
      const room = this.#room().subarray(0, left);
      yield room;
      left -= room.length;
      this.length += room.length;
    }
  }

  *chunks(): Generator<Uint8Array> {
    for (let offset = 0; offset < this.length; offset += BLOCK) {
      const block = this.#blocks[offset / BLOCK];
      if (block !== undefined) yield block.subarray(0, Math.min(BLOCK, this.length - offset));
    }
  }

  release(): void {
    for (const block of this.#blocks.splice(0)) this.#buffers.give(block);
    this.length = 0;
  }

  /** The free rest of the last block. */
  #room(): Uint8Array {
    const index = Math.floor(this.length / BLOCK);
    if (index === this.#blocks.length) this.#blocks.push(this.#buffers.take(BLOCK));
    const block = this.#blocks[index];
    if (block === undefined) throw new Error("segment output has lost a block");
    return block.subarray(this.length % BLOCK);
  }
}

export class SegmentOutput implements Output {
  readonly #first: Blocks;
  readonly #last: Blocks;

  constructor(buffers: LaneBuffers) {
    this.#first = new Blocks(buffers);
    this.#last = new Blocks(buffers);
  }

  get length(): number {
    return this.#first.length + this.#last.length;
  }

  /** Where in the segment the next byte that `add` adds will stand. */
  get position(): number {
    return this.#first.length;
  }

  add(bytes: Uint8Array): void {
    this.#first.add(bytes);
  }

  addZeros(count: number): void {
    for (const room of this.rooms(count)) room.fill(0);
  }

  addLast(bytes: Uint8Array): void {
    this.#last.add(bytes);
  }

  /** Adds `length` bytes that the caller fills in: each room before it asks for the next. */
  rooms(length: number): Generator<Uint8Array> {
    return this.#first.rooms(length);
  }

  /** The bytes so far, in order. */
  *chunks(): Generator<Uint8Array> {
    yield* this.#first.chunks();
    yield* this.#last.chunks();
  }

  /** Forgets everything added; keeps the memory. */
  reset(): void {
    this.#first.length = 0;
    this.#last.length = 0;
  }

  /** Gives the memory back. Only when nobody reads from it any more. */
  release(): void {
    this.#first.release();
    this.#last.release();
  }
}
