/** Seeded choices, so that a failure can be looked for again. */

/** `DISKFERRY_KILL_SEED` and `DISKFERRY_KILLS` make a longer campaign of the same tests. */
export const SEED = Number(process.env["DISKFERRY_KILL_SEED"] ?? 1);
/** Random kills of each store and shape, beside those on purpose. */
export const KILLS = Number(process.env["DISKFERRY_KILLS"] ?? 5);

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0;
  }

  /** 0 ≤ value < 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** 1 ≤ value ≤ most. */
  upTo(most: number): number {
    return 1 + Math.floor(this.next() * most);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)] as T;
  }
}
