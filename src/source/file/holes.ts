/** Where a file has holes, as its file system tells. */
import { type Extent, endOf, type Range } from "../../bytes/range.ts";
import { seekData, seekHole } from "../../native/libc.ts";

/** Runs remembered at most, 16 bytes each. */
const MAX_RUNS = 65_536;

/**
 * Runs of holes and data of an open file that does not change. What has been found from the start of the file on is
 * remembered: some file systems look at every page on the way to the next hole, and every segment asks again.
 */
export class HoleMap {
  readonly #fd: number;
  /** Remembered runs, one behind the other from offset 0. */
  readonly #runs: Extent[] = [];
  #known = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** In order, tiling the range; neighbours may be of one kind. */
  *extents(range: Range): Generator<Extent> {
    const end = endOf(range);
    let at = range.offset;
    for (let index = this.#indexOf(at); at < end && at < this.#known; index += 1) {
      const run = this.#runs[index];
      if (run === undefined) break;
      const stop = Math.min(endOf(run), end);
      yield { kind: run.kind, offset: at, length: stop - at };
      at = stop;
    }
    while (at < end) {
      const run = this.#seek(at, end);
      if (at === this.#known && this.#runs.length < MAX_RUNS) {
        this.#runs.push(run);
        this.#known = endOf(run);
      }
      const stop = Math.min(endOf(run), end);
      if (stop > at) yield { kind: run.kind, offset: at, length: stop - at };
      at = stop;
    }
  }

  /** The first remembered run that ends behind `offset`. */
  #indexOf(offset: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle];
      if (run !== undefined && endOf(run) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The run that begins at `at`; one of data may reach beyond `end`. */
  #seek(at: number, end: number): Extent {
    const data = seekData(this.#fd, at);
    // The system cannot tell holes from data.
    if (data === undefined) return { kind: "data", offset: at, length: end - at };
    if (data === "none" || data >= end) return { kind: "zero", offset: at, length: end - at };
    if (data > at) return { kind: "zero", offset: at, length: data - at };
    const hole = seekHole(this.#fd, at);
    return { kind: "data", offset: at, length: (typeof hole === "number" ? hole : end) - at };
  }
}
