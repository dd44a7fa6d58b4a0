/** One L2 entry (qcow2 specification, "Cluster mapping" and "Extended L2 Entries"): bytes to meaning. */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import type { Header } from "./header.ts";

/** What an entry says of its guest cluster. */
export const ENTRY = {
  /** Read from the backing file, or zeros. */
  unallocated: 0,
  zero: 1,
  plain: 2,
  coded: 3,
  /** Each subcluster has a state of its own. */
  subclusters: 4,
  /** Must be refused: `fault()` says why. */
  broken: 5,
} as const;

export type EntryKind = (typeof ENTRY)[keyof typeof ENTRY];

/** Subclusters of a cluster with an extended L2 entry. */
export const SUBCLUSTERS = 32;

/**
 * Decodes L2 entries one after the other. A terabyte has 16 million of them, so the result of `read` stands in
 * fields that the next call overwrites, and no object is made for an entry.
 */
export class EntryReader {
  /** Host offset of the cluster or of the first coded byte; -1 where the entry refers to nothing. */
  host = -1;
  /** Coded bytes available, cut at the end of the file. */
  size = 0;
  /** Of `subclusters`: a bit for each allocated one, and for each that reads as zeros. */
  allocated = 0;
  zeros = 0;

  readonly #header: Header;
  readonly #name: string;
  /** Of the file that holds plain clusters. */
  readonly #plainEnd: number;
  readonly #codedEnd: number;
  readonly #alignment: number;
  /** Width of the coded offset above its low 32 bits. */
  readonly #codedHighBits: number;
  #code: FaultCode = "IMAGE_CORRUPT";
  #problem = "";

  /** `fileSize` and `dataFileSize` (absent without a data file) in bytes. */
  constructor(name: string, header: Header, fileSize: number, dataFileSize: number | undefined) {
    this.#header = header;
    this.#name = name;
    this.#codedEnd = fileSize;
    this.#plainEnd = dataFileSize ?? fileSize;
    this.#alignment = header.clusterSize - 1;
    this.#codedHighBits = 62 - (header.clusterBits - 8) - 32;
  }

  /** Decodes the entry at byte `at` of a table; `guest` is the offset of the guest cluster it maps. */
  read(table: DataView, at: number, guest: number): EntryKind {
    const high = table.getUint32(at);
    const low = table.getUint32(at + 4);
    this.host = -1;
    if ((high & 0x40000000) !== 0) return this.#coded(high, low);
    if (this.#header.entryBytes === 16) {
      return this.#extended(high, low, table.getUint32(at + 12), table.getUint32(at + 8), guest);
    }
    if (high === 0 && low === 0) return ENTRY.unallocated;
    const kind = this.#standard(high, low & ~1, guest);
    if ((low & 1) === 0 || kind === ENTRY.broken) return kind;
    if (this.#header.version === 2) return this.#broken("says zeros, which version 2 does not know");
    return ENTRY.zero;
  }

  /** The refusal of a broken entry. */
  fault(guest: number): Fault {
    return new Fault(this.#code, `${this.#name}: the L2 entry of guest offset ${guest} ${this.#problem}`);
  }

  /** `low` without the zero flag. */
  #standard(high: number, low: number, guest: number): EntryKind {
    if ((high & 0x3f000000) !== 0 || (low & 0x1ff) !== 0) return this.#broken("has reserved bits set");
    if ((low & this.#alignment) !== 0) return this.#broken("is not aligned to a cluster");
    const host = (high & 0x00ffffff) * 2 ** 32 + (low >>> 0);
    if (this.#header.storage === "data file") {
      // offset 0 is the first cluster of a data file when the copied flag is set
      if (host === 0 && (high & 0x80000000) === 0) return ENTRY.unallocated;
      if (host !== guest) return this.#broken(`refers to ${host} in the data file, must be the same offset`);
    } else if (host === 0) {
      return ENTRY.unallocated;
    }
    if (host >= this.#plainEnd) {
      return this.#broken(`refers to ${host}, the file ends at ${this.#plainEnd}`, "IMAGE_TRUNCATED");
    }
    this.host = host;
    return ENTRY.plain;
  }

  #extended(high: number, low: number, allocated: number, zeros: number, guest: number): EntryKind {
    const kind = this.#standard(high, low, guest);
    if (kind === ENTRY.broken) return kind;
    if ((allocated & zeros) !== 0) return this.#broken("has subclusters that are both zero and allocated");
    if (allocated !== 0 && this.host < 0) return this.#broken("has allocated subclusters, but no cluster");
    if (allocated === 0xffffffff) return ENTRY.plain;
    if (zeros === 0xffffffff) return ENTRY.zero;
    if (allocated === 0 && zeros === 0) return ENTRY.unallocated;
    this.allocated = allocated;
    this.zeros = zeros;
    return ENTRY.subclusters;
  }

  #coded(high: number, low: number): EntryKind {
    if (this.#header.storage === "data file") {
      return this.#broken("is compressed, which images with a data file cannot be");
    }
    const width = this.#codedHighBits;
    const highOffset = high & (2 ** width - 1);
    if (highOffset > 0x00ffffff) return this.#broken("has reserved bits set");
    const offset = highOffset * 2 ** 32 + low;
    if (offset >= this.#codedEnd) {
      return this.#broken(`refers to ${offset}, the file ends at ${this.#codedEnd}`, "IMAGE_TRUNCATED");
    }
    const sectors = ((high & 0x3fffffff) >>> width) + 1;
    this.host = offset;
    this.size = Math.min(sectors * 512 - (low & 511), this.#codedEnd - offset);
    return ENTRY.coded;
  }

  #broken(problem: string, code: FaultCode = "IMAGE_CORRUPT"): EntryKind {
    this.#problem = problem;
    this.#code = code;
    return ENTRY.broken;
  }
}
