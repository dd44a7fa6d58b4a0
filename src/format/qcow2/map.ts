/** From guest ranges to runs of host bytes, through the L2 tables. */
import type { Range } from "../../bytes/range.ts";
import { MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { ENTRY, type EntryReader, SUBCLUSTERS } from "./entry.ts";
import type { Header } from "./header.ts";
import { L2Cache, readL2, tableSpan } from "./tables.ts";

/** L2 tables kept in memory: 64 tables of 64 KiB map 32 GiB. */
const CACHE_BYTES = 4 * MiB;

/** Guest bytes of one kind. `below`: what the backing file says. */
export type Run =
  | { readonly kind: "zero" | "below"; length: number }
  | { readonly kind: "data"; length: number; readonly offset: number }
  | {
      readonly kind: "coded";
      length: number;
      readonly offset: number;
      readonly size: number;
      readonly skip: number;
    };

export class ClusterMap {
  readonly #source: Source;
  readonly #header: Header;
  readonly #l1: Float64Array;
  readonly #entries: EntryReader;
  readonly #cache: L2Cache;

  /** `l1`: offsets of L2 tables as `readL1` gives them; the tables have passed `checkTables`. */
  constructor(source: Source, header: Header, l1: Float64Array, entries: EntryReader) {
    this.#source = source;
    this.#header = header;
    this.#l1 = l1;
    this.#entries = entries;
    this.#cache = new L2Cache(source, header.clusterSize, CACHE_BYTES);
  }

  /**
   * The runs of a range, in guest order, tiling it, a list for each L2 table and each gap between tables.
   * Neighbours are merged within a list.
   */
  async *runs(range: Range, signal: AbortSignal): AsyncGenerator<Run[]> {
    const span = tableSpan(this.#header);
    const end = range.offset + range.length;
    let at = range.offset;
    for await (const { index, view } of this.#tables(range, span, signal)) {
      const start = Math.max(at, index * span);
      if (start > at) yield [{ kind: "below", length: start - at }];
      at = Math.min(end, (index + 1) * span);
      yield this.#scan(view, index * span, start, at);
    }
    if (end > at) yield [{ kind: "below", length: end - at }];
  }

  /** Few tables go through the cache; many are read in bulk and would only wash it out. */
  async *#tables(range: Range, span: number, signal: AbortSignal) {
    if (range.length === 0) return;
    const from = Math.floor(range.offset / span);
    const to = Math.ceil((range.offset + range.length) / span);
    if (to - from > 2) {
      yield* readL2(this.#source, this.#header, this.#l1, from, to, signal);
      return;
    }
    for (let index = from; index < to; index += 1) {
      const offset = this.#l1[index] ?? 0;
      if (offset !== 0) yield { index, view: await this.#cache.at(offset, signal) };
    }
  }

  /** Guest bytes `start` to `end` of the table that maps from `base` on. */
  #scan(table: DataView, base: number, start: number, end: number): Run[] {
    const { clusterSize, entryBytes } = this.#header;
    const entries = this.#entries;
    const runs = new RunList();
    for (let at = start; at < end; ) {
      const cluster = Math.floor((at - base) / clusterSize);
      const guest = base + cluster * clusterSize;
      const skip = at - guest;
      const length = Math.min(clusterSize - skip, end - at);
      switch (entries.read(table, cluster * entryBytes, guest)) {
        case ENTRY.unallocated:
          runs.add("below", length);
          break;
        case ENTRY.zero:
          runs.add("zero", length);
          break;
        case ENTRY.plain:
          runs.addData(entries.host + skip, length);
          break;
        case ENTRY.coded:
          runs.addCoded({ kind: "coded", length, offset: entries.host, size: entries.size, skip });
          break;
        case ENTRY.subclusters: {
          const size = clusterSize / SUBCLUSTERS;
          for (let inside = skip; inside < skip + length; ) {
            const sub = Math.floor(inside / size);
            const part = Math.min((sub + 1) * size, skip + length) - inside;
            if (((entries.allocated >>> sub) & 1) === 1) runs.addData(entries.host + inside, part);
            else runs.add(((entries.zeros >>> sub) & 1) === 1 ? "zero" : "below", part);
            inside += part;
          }
          break;
        }
        default:
          // the walk at open has passed every entry, so the file is another one by now
          throw new Fault("SOURCE_CHANGED", entries.fault(guest).message);
      }
      at += length;
    }
    return runs.all;
  }
}

/** Runs that grow as long as what is added continues them: most of an image's millions of clusters do. */
class RunList {
  readonly all: Run[] = [];
  #last: Run | undefined;

  add(kind: "zero" | "below", length: number): void {
    if (this.#last?.kind === kind) this.#last.length += length;
    else this.#push({ kind, length });
  }

  addData(offset: number, length: number): void {
    const last = this.#last;
    if (last?.kind === "data" && last.offset + last.length === offset) last.length += length;
    else this.#push({ kind: "data", length, offset });
  }

  addCoded(run: Run & { readonly kind: "coded" }): void {
    this.#push(run);
  }

  #push(run: Run): void {
    this.all.push(run);
    this.#last = run;
  }
}
