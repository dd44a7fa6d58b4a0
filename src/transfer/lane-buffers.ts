/** Buffers of one thread, used again and again: the memory of its lanes. */

export class LaneBuffers {
  readonly #free = new Map<number, Uint8Array[]>();

  /** A buffer of exactly `size` bytes with any content. */
  take(size: number): Uint8Array {
    return this.#free.get(size)?.pop() ?? new Uint8Array(size);
  }

  /**
   * Gives a buffer back. A buffer that a socket may still be reading from must never come back: after a failed or
   * abandoned send it is left to the garbage collector.
   */
  give(buffer: Uint8Array): void {
    const list = this.#free.get(buffer.length);
    if (list === undefined) this.#free.set(buffer.length, [buffer]);
    else list.push(buffer);
  }

  /** Lets go of all free buffers. */
  clear(): void {
    this.#free.clear();
  }
}
