/**
 * A segment job and its receipt: plain data and handles of keys, so that any thread can do it, any number of times.
 */
import type { Range } from "../bytes/range.ts";
import type { ContentCipher } from "../cipher/content-cipher.ts";
import type { ChecksumName, Checksums } from "../digest/checksum.ts";
import type { FaultWire } from "../fault/fault.ts";
import type { Coding, Encoding, Piece, UnitTable } from "../format/format.ts";
import type { SourceRecipe } from "../source/source.ts";
import type { PutTarget } from "../store/store.ts";

export interface SegmentJob {
  /** Part number. */
  readonly number: number;
  /** Guest bytes; a multiple of the guest digest's block except at the end of the disk, or where that is left out. */
  readonly range: Range;
  /** Tile `range`. */
  readonly pieces: readonly Piece[];
  readonly sources: readonly SourceRecipe[];
  /** Guest bytes decoded at a time; no coded unit straddles a multiple of it. */
  readonly chunk: number;
  /** The last 32 KiB decoded before `range`, for chained streams. */
  readonly window?: Uint8Array;
  readonly shape: FlatShape | PackedShape;
  readonly target: PutTarget | HeldTarget;
  /** Encrypts what leaves, before it is digested; absent: it leaves as it is. */
  readonly cipher?: ContentCipher;
  /** Of what leaves. */
  readonly checksums: readonly ChecksumName[];
  /** The guest digest cannot be computed of a range that cuts its blocks. Absent: it is. */
  readonly guest?: "left out";
  /** Memory of `Shared`. */
  readonly shared: SharedArrayBuffer;
}

/** Output offset = guest offset. */
export interface FlatShape {
  readonly kind: "flat";
  /** Follows the guest bytes of the last slot: a footer. */
  readonly tail: Uint8Array;
  /** `skip`: a segment that turns out to be all zeros is not sent, and its receipt says so. */
  readonly zeros: "skip" | "send";
}

export interface PackedShape {
  readonly kind: "packed";
  readonly encoding: Encoding;
  readonly alignment: number;
  /** Whole units of this coding are stored as they stand in the sources. Absent: every unit is decoded and encoded. */
  readonly adopts?: Coding;
  /** Fewest bytes of the segment, reached by storing units plain, then by storing zeros; 0: no bound. */
  readonly atLeast: number;
  /** Unit 0 of the disk is stored also when it is all zeros. */
  readonly alwaysStored?: "first unit";
  /** What becomes of a segment in which nothing had to be stored. */
  readonly empty: "left out" | "filled";
  /** Index in the offset chain, for targets that are files and for what is encrypted. */
  readonly segment: number;
}

/** The bytes come back with the receipt instead of being sent, and plain. */
export interface HeldTarget {
  readonly kind: "hold";
}

export interface SegmentReceipt {
  readonly number: number;
  /** Output bytes; 0 when nothing had to be stored. */
  readonly length: number;
  readonly etag: string;
  readonly checksums: Checksums;
  /** Contribution to the guest digest, in hex. Absent: not all of the segment was decoded, or it was left out. */
  readonly guest?: string;
  /** All of the segment's guest bytes are zero and nothing was sent. */
  readonly zero?: true;
  /** Of a packed segment. */
  readonly table?: UnitTable;
  /** Output offset, where it had to be known: in a file, and where the segment is encrypted. */
  readonly offset?: number;
  readonly held?: Uint8Array;
  /** The last 32 KiB decoded, for the next job of a chained stream. */
  readonly window?: Uint8Array;
}

export type SegmentOutcome =
  | { readonly ok: true; readonly receipt: SegmentReceipt }
  | { readonly ok: false; readonly fault: FaultWire };

/** Runs segment jobs somewhere: a pool of threads, or this thread. */
export interface Producer {
  /** Jobs that may run at once; more gain nothing. */
  readonly lanes: number;
  /** Jobs that compute at once: the others wait for something. */
  readonly threads: number;
  /** @throws Fault what went wrong; CANCELED when the job's `Shared` was stopped. */
  produce(job: SegmentJob, signal: AbortSignal): Promise<SegmentReceipt>;
}
