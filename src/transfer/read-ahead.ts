/**
 * Asks for what a segment will read, before it is needed and in the order in which it stands in its source: clusters
 * that lie scattered are then fetched by a disk in its own order, many at a time, while earlier ones are converted.
 */
import { endOf, type Range } from "../bytes/range.ts";
import { KiB, MiB } from "../bytes/units.ts";
import type { Piece } from "../format/format.ts";
import type { Source } from "../source/source.ts";

/** Guest bytes asked for at a time. At most twice as many are ahead of the reader, per lane, in the page cache. */
const BATCH = 16 * MiB;
/** Ranges that stand this close together are asked for as one. */
const MAX_GAP = 128 * KiB;

export class ReadAhead {
  readonly #pieces: readonly Piece[];
  readonly #sources: readonly Source[];
  #next = 0;
  /** Bytes of piece `#next` that have been asked for. */
  #skip = 0;
  /** The same from the start of the segment. */
  #asked = 0;

  /** `pieces` tile a segment. */
  constructor(pieces: readonly Piece[], sources: readonly Source[]) {
    this.#pieces = pieces;
    this.#sources = sources.some((source) => source.prefetch !== undefined) ? sources : [];
    if (this.#sources.length === 0) this.#next = pieces.length;
  }

  /** The reader stands at `position` bytes from the start of the segment. */
  at(position: number): void {
    while (this.#next < this.#pieces.length && position + BATCH > this.#asked) this.#ask();
  }

  #ask(): void {
    const wanted: Range[][] = this.#sources.map(() => []);
    const end = this.#asked + BATCH;
    while (this.#asked < end) {
      const piece = this.#pieces[this.#next];
      if (piece === undefined) break;
      const left = piece.length - this.#skip;
      const take = piece.kind === "data" ? Math.min(left, end - this.#asked) : left;
      if (piece.kind === "data")
        wanted[piece.source]?.push({ offset: piece.offset + this.#skip, length: take });
      else if (piece.kind === "coded")
        wanted[piece.source]?.push({ offset: piece.offset, length: piece.size });
      this.#asked += take;
      this.#skip = take === left ? 0 : this.#skip + take;
      if (take === left) this.#next += 1;
    }
    for (const [index, ranges] of wanted.entries()) {
      for (const range of joined(ranges)) this.#sources[index]?.prefetch?.(range);
    }
  }
}

/** In ascending order, with near neighbours joined. */
function joined(ranges: readonly Range[]): Range[] {
  const all: { offset: number; length: number }[] = [];
  for (const { offset, length } of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const last = all.at(-1);
    if (last !== undefined && offset <= endOf(last) + MAX_GAP) {
      last.length = Math.max(endOf(last), offset + length) - last.offset;
    } else {
      all.push({ offset, length });
    }
  }
  return all;
}
