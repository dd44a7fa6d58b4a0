/** Whether two compressed clusters begin at one place, for any number of them, in little memory. */

/** Offsets looked at together; writers with several lanes mix up no more than a few dozen. */
const MIXED = 4096;

/**
 * Takes offsets that are nearly in ascending order, as every writer lays streams down, and tells whether one occurs
 * twice. Where they are not, it gives up and says so.
 */
export class NearlyAscending {
  readonly #window = new Float64Array(MIXED);
  #count = 0;
  #last = -1;
  #repeated: number | undefined;
  #inOrder: "yes" | "no" = "yes";

  add(offset: number): void {
    this.#window[this.#count] = offset;
    this.#count += 1;
    if (this.#count === MIXED) this.#flush(MIXED / 2);
  }

  /** @returns an offset that occurs twice, `none`, or `unknown` when only a search can tell */
  finish(): number | "none" | "unknown" {
    this.#flush(this.#count);
    return this.#repeated ?? (this.#inOrder === "yes" ? "none" : "unknown");
  }

  #flush(count: number): void {
    const window = this.#window.subarray(0, this.#count);
    if (this.#inOrder === "yes") {
      window.sort();
      for (let i = 0; i < count; i += 1) {
        const offset = window[i] ?? 0;
        if (offset === this.#last) this.#repeated ??= offset;
        if (offset < this.#last) this.#inOrder = "no";
        this.#last = offset;
      }
      window.copyWithin(0, count);
    }
    this.#count -= count;
  }
}

/** Offsets sorted at a time: 32 MiB. */
const WINDOW = 4 * 1024 * 1024;

/**
 * Looks for equal numbers in a stream too long to hold. `walk` hands every offset to its callback and may be called
 * several times: each time the smallest offsets not looked at yet, up to `window`, are kept and sorted.
 * @returns an offset that occurs twice, or undefined
 */
export async function findRepeated(
  walk: (visit: (offset: number) => void) => Promise<void>,
  window = WINDOW,
): Promise<number | undefined> {
  const kept = new Float64Array(window);
  let from = -1;
  while (true) {
    let count = 0;
    let below = Number.POSITIVE_INFINITY;
    let twice: number | undefined;
    await walk((offset) => {
      if (offset <= from || offset >= below || twice !== undefined) return;
      if (count === window) {
        // keep the lower half; what was above it comes in a later walk
        kept.sort();
        twice = firstRepeated(kept, count);
        count = window >>> 1;
        below = kept[count] ?? below;
        if (offset >= below) return;
      }
      kept[count] = offset;
      count += 1;
    });
    if (twice !== undefined) return twice;
    kept.subarray(0, count).sort();
    twice = firstRepeated(kept, count);
    if (twice !== undefined || below === Number.POSITIVE_INFINITY) return twice;
    from = kept[count - 1] ?? below;
  }
}

function firstRepeated(sorted: Float64Array, count: number): number | undefined {
  for (let i = 1; i < count; i += 1) if (sorted[i] === sorted[i - 1]) return sorted[i];
  return undefined;
}
