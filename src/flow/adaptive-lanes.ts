/**
 * How many lanes a store is given at a time: more while that moves more bytes, half as many when it asks to slow down
 * (additive increase, multiplicative decrease, with doubling at the start).
 *
 * A round is as many landed parts as there are lanes: then all that was measured was sent by so many lanes.
 */

/** A round must be faster than the one before by this much to be worth another lane: less is noise. */
const GAIN = 1.05;
/** So many are no burden to any store, and fewer leave threads without work and MD5s without company. */
const FIRST = 8;

export class AdaptiveLanes {
  readonly #most: number;
  #lanes: number;
  #doubling = true;
  /** Where the round began; undefined: it begins when the next part lands. */
  #mark: { readonly bytes: number; readonly ms: number } | undefined;
  #landed = 0;
  /** Bytes a millisecond of the round before, of as many lanes or fewer. */
  #before: number | undefined;
  /** Parts that were in flight when the store refused one of them: their refusals say the same once more. */
  #stale = 0;

  /** Never gives more than `most`, or less than one. */
  constructor(most: number) {
    this.#most = most;
    this.#lanes = Math.min(most, FIRST);
  }

  get lanes(): number {
    return this.#lanes;
  }

  /** A part has landed, when `bytes` in all had been sent. `ms`: the time by a clock that only goes forward. */
  landed(bytes: number, ms: number): void {
    this.#stale = Math.max(0, this.#stale - 1);
    if (this.#mark === undefined) {
      this.#mark = { bytes, ms };
      return;
    }
    this.#landed += 1;
    if (this.#landed < this.#lanes || ms <= this.#mark.ms) return;
    const rate = (bytes - this.#mark.bytes) / (ms - this.#mark.ms);
    const gained = this.#before === undefined || rate > this.#before * GAIN;
    this.#before = rate;
    this.#mark = { bytes, ms };
    this.#landed = 0;
    if (!gained) this.#doubling = false;
    else this.#lanes = Math.min(this.#most, this.#doubling ? this.#lanes * 2 : this.#lanes + 1);
  }

  /** The store asked to slow down. */
  refused(): void {
    if (this.#stale > 0) {
      this.#stale -= 1;
      return;
    }
    this.#stale = this.#lanes - 1;
    this.#lanes = Math.max(1, Math.floor(this.#lanes / 2));
    this.#doubling = false;
    this.#mark = undefined;
    this.#landed = 0;
    this.#before = undefined;
  }
}
