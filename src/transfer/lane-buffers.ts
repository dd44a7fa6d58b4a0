/** Buffers of one thread, used again and again: the memory of its lanes. */
import { MiB } from "../bytes/units.ts";

/**
 * Free bytes that a thread keeps. Lanes move between threads, so each thread would come to keep as much as all lanes
 * need at once; a buffer made anew costs little beside the work on its bytes.
 */
const KEPT = 32 * MiB;

export class LaneBuffers {
  readonly #free = new Map<number, Uint8Array[]>();
  #kept = 0;

  /** A buffer of exactly `size` bytes with any content. */
  take(size: number): Uint8Array {
    const kept = this.#free.get(size)?.pop();
    if (kept === undefined) return new Uint8Array(size);
    this.#kept -= size;
    return kept;
  }

  /**
   * Gives a buffer back. A buffer that a socket may still be reading from must never come back: after a failed or
   * abandoned send it is left to the garbage collector.
   */
  give(buffer: Uint8Array): void {
    if (this.#kept + buffer.length > KEPT) return;
    this.#kept += buffer.length;
    const list = this.#free.get(buffer.length);
    if (list === undefined) this.#free.set(buffer.length, [buffer]);
    else list.push(buffer);
  }
}
