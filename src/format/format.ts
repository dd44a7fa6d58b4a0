/** What image bytes mean. One folder per format; registry.ts lists them. */
import type { Extent, Range } from "../bytes/range.ts";
import type { Codec } from "../codec/codec.ts";
import type { Source } from "../source/source.ts";

export type FormatName = "raw" | "qcow2" | "vhd" | "vhd-fixed" | "zvhd" | "zvhd2" | "tar.gz";

/** Guest bytes that read as zeros. */
export interface ZeroPiece {
  readonly kind: "zero";
  /** Guest bytes. */
  readonly length: number;
}

/** Guest bytes that stand in a source as they are. */
export interface DataPiece {
  readonly kind: "data";
  readonly length: number;
  /** Index into `Image.sources`. */
  readonly source: number;
  /** Byte offset in that source. The part past the end of the source reads as zeros. */
  readonly offset: number;
}

/** Guest bytes that stand in a source in coded form: `length` bytes from `skip` of a unit that decodes to `unit`. */
export interface CodedPiece {
  readonly kind: "coded";
  readonly length: number;
  readonly source: number;
  /** Byte offset of the coded bytes. */
  readonly offset: number;
  /** Coded bytes available from `offset`; may include slack behind the end of the stream. */
  readonly size: number;
  readonly codec: Codec;
  /** Decoded bytes of the whole unit. */
  readonly unit: number;
  readonly skip: number;
}

/** How the coded units of an image are stored. */
export interface Coding {
  readonly codec: Codec;
  /** Decoded bytes of a unit. */
  readonly unit: number;
}

/** Where a run of guest bytes comes from. */
export type Piece = ZeroPiece | DataPiece | CodedPiece;

/** A named thing that a careful reader should know before trusting the image. */
export interface Finding {
  readonly name: string;
  readonly severity: "info" | "warning";
  readonly message: string;
}

/** What `inspect` shows. Sizes in bytes. */
export interface ImageReport {
  readonly format: FormatName;
  /** Format version or variant, such as `v3`, `dynamic`. */
  readonly variant?: string;
  readonly virtualSize: number;
  readonly fileSize: number;
  /** Cluster or block size. */
  readonly unit?: number;
  readonly compression?: "none" | "zlib" | "zstd";
  readonly features: readonly string[];
  readonly snapshots: readonly { readonly id: string; readonly name: string; readonly virtualSize: number }[];
  /** The name as the image states it; nothing opens it. */
  readonly backing?: { readonly name: string; readonly format?: string };
  readonly dataFile?: string;
  readonly findings: readonly Finding[];
}

/** An image that has been opened and whose tables have been checked. */
export interface Image extends AsyncDisposable {
  readonly format: FormatName;
  /** Guest bytes. */
  readonly virtualSize: number;
  /** What the pieces refer to: the image's own file first, then those of the listed references. */
  readonly sources: readonly Source[];
  /** Guest bytes that are stored together (cluster, block); ranges aligned to it decode nothing twice. */
  readonly unit: number;
  /** Decoded bytes of a coded unit, which are best decoded once; absent: no piece is coded. */
  readonly codedUnit?: number;
  /**
   * The coding of coded units that a layout with the same coding may adopt (`PackedLayout.adopts`): they decode
   * alone, and bytes behind the end of their streams do no harm. Absent: there are none.
   */
  readonly coding?: Coding;
  /** `sequential`: pieces must be decoded in guest order by one lane (codec `deflate-chain`). */
  readonly order: "any" | "sequential";

  /** Runs of zeros and data by the tables alone, in guest order, tiling `range`, neighbours merged. */
  extents(range: Range, signal: AbortSignal): AsyncIterable<Extent>;

  /** The pieces that make up `range`, in guest order, tiling it. Runs that continue in the source are merged. */
  pieces(range: Range, signal: AbortSignal): Promise<Piece[]>;

  report(): ImageReport;
}

/** The only way from an image to another file: what the request did not list is refused. */
export interface ReferenceGate {
  /**
   * Opens what the request lists for this reference. The name that the image states is shown in messages and
   * never opened by itself. Where an image is only looked at, one without sources may stand in.
   * @throws Fault REFERENCE_NOT_LISTED
   */
  backing(reference: Reference, signal: AbortSignal): Promise<Image>;
  dataFile(reference: Reference, signal: AbortSignal): Promise<Source>;
}

export interface Reference {
  /** The image that holds the reference. */
  readonly from: string;
  readonly role: "backing file" | "parent" | "data file";
  /** The name as the image states it. */
  readonly name: string;
  /** The format as the image states it. */
  readonly format?: string;
}

export interface OpenRequest {
  readonly source: Source;
  readonly gate: ReferenceGate;
  /** Name or id of an internal snapshot. */
  readonly snapshot?: string;
  /** Lifts the cap on guest bytes per stored byte. */
  readonly allowAmplification: boolean;
}

/** The ends of a file, enough to recognise every format. Shorter for shorter files. */
export interface ProbeInput {
  /** The first 64 KiB. */
  readonly head: Uint8Array;
  /** The last 4 KiB. */
  readonly tail: Uint8Array;
  readonly size: number;
}

export interface FormatReader {
  /** `mine`: the content carries this format's mark, broken or not. */
  probe(input: ProbeInput): "mine" | "not mine";
  /**
   * Reads and checks header and tables.
   * @throws Fault FORMAT_MISMATCH when it is not this format at all; IMAGE_CORRUPT, IMAGE_TRUNCATED, IMAGE_DIRTY,
   * UNSUPPORTED_FEATURE, AMPLIFICATION, LIMIT_EXCEEDED, REFERENCE_NOT_LISTED.
   */
  open(request: OpenRequest, signal: AbortSignal): Promise<Image>;
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

export type Compression = "none" | "zlib" | "zstd";

export interface LayoutOptions {
  /** Guest bytes of the image to write. */
  readonly virtualSize: number;
  /** Absent: none, or what a format that always compresses uses by default. */
  readonly compression?: Compression;
  /** Codec level; absent: the format's default. */
  readonly level?: number;
  /** Cluster size in bytes; absent: the format's default. */
  readonly clusterSize?: number;
  /** Rounds the virtual size up to a multiple of this many bytes, as Azure wants of VHDs (1 MiB); absent: exact. */
  readonly roundTo?: number;
  /** What the disk is called inside an archive, such as `disk.raw`; absent: the format's default. */
  readonly name?: string;
  /** Identity for UUID and timestamp fields, so that equal input and options give equal bytes. */
  readonly seed: Uint8Array;
}

/** Output offset = guest offset; `tail` follows the guest bytes. Sizes are known before reading. */
export interface FlatLayout {
  readonly shape: "flat";
  /** Virtual size of the written image; at least the source's, the rest reads as zeros. */
  readonly virtualSize: number;
  readonly tail: Uint8Array;
}

/**
 * The guest is cut into units that are stored one by one, all-zero ones left out:
 *
 *     | head | segment 0 | segment 1 | … | tail |
 *
 * A segment's bytes do not depend on where it will stand. Head and tail are computed when all segments are known.
 */
export interface PackedLayout {
  readonly shape: "packed";
  readonly virtualSize: number;
  /** Guest bytes of a unit: cluster, block, record. */
  readonly unit: number;
  /** Each segment starts at, and is padded with zeros to, a multiple of this. */
  readonly alignment: number;
  /** Guest bytes covered by one metadata table (an L2); a table is needed when any of them may hold data. */
  readonly tableSpan: number;
  /** Plain data from which a worker makes the unit encoder of this format. */
  readonly encoding: Encoding;
  /** Most stored bytes that one unit can take, alignment and prologue included. */
  readonly maxStored: number;
  /**
   * `first unit`: unit 0 is stored even when it is all zeros, because the file's first bytes come with it
   * (`Encoding.prologue`). Absent: any all-zero unit may be left out.
   */
  readonly alwaysStored?: "first unit";
  /**
   * `stored in runs`: segments cover the whole disk, and all-zero units go to `UnitEncoder.encodeZeros`. Absent: they
   * are left out.
   */
  readonly zeros?: "stored in runs";
  /**
   * Units that another image stores in this coding may be stored here as they stand there, at the same offset modulo
   * a sector. Their entry is the number of their coded bytes, and the unit table gives the place of every unit.
   * Absent: every unit has to come from the encoder.
   */
  readonly adopts?: Coding;
  /**
   * Exact bytes of the head, a multiple of `alignment`; at least `atLeast`. A layout with a prologue has no head:
   * 0, whatever `atLeast` is.
   */
  headLength(upper: UpperBound, atLeast: number): number;
  /** Head and tail, once every segment is known. May walk the segments more than once. */
  seal(input: SealInput): Sealed;
}

/** What the plan knows before reading: at most so much will be stored. */
export interface UpperBound {
  /** Number of `tableSpan`s that may hold data. */
  readonly tables: number;
  /** Bytes of all segments together at the very most. */
  readonly bytes: number;
}

/** The units of a segment as they were stored. */
export interface UnitTable {
  /** One entry per unit, as the unit encoder returned it; 0 = left out. */
  readonly units: Uint32Array;
  /**
   * For each coded unit the offset of its bytes in the segment. Absent: they stand one behind the other, in guest
   * order.
   */
  readonly places?: Uint32Array;
}

/** One segment as it was stored. */
export interface StoredSegment extends UnitTable {
  /** Index of its first unit in the guest. */
  readonly firstUnit: number;
  /** Byte offset in the output. */
  readonly offset: number;
  /** Stored bytes, a multiple of the layout's alignment. */
  readonly length: number;
}

export interface SealInput {
  readonly headLength: number;
  /** End of the last segment = head plus all segments. */
  readonly dataEnd: number;
  /** In guest order; each call walks them from the start. Segments without stored bytes may be absent. */
  segments(): AsyncIterable<StoredSegment>;
}

export interface Sealed {
  /** Exactly `headLength` bytes. */
  head(): AsyncIterable<Uint8Array>;
  tail(): AsyncIterable<Uint8Array>;
}

export type Layout = FlatLayout | PackedLayout;

/** Which unit encoder a worker shall use, as plain data. */
export interface Encoding {
  readonly format: FormatName;
  readonly compression: Compression;
  readonly level: number;
  readonly unit: number;
  /** What the file begins with, where it is known before reading: the encoder adds it before unit 0. */
  readonly prologue?: Uint8Array;
}

/** Grows as bytes are added; the worker owns the memory. */
export interface Output {
  /** All bytes added so far. */
  readonly length: number;
  /** Adds a copy of `bytes`. */
  add(bytes: Uint8Array): void;
  addZeros(count: number): void;
  /**
   * Adds a copy of `bytes` behind all that `add` adds, in the order of the calls: to the end of the segment. A
   * multiple of the layout's alignment.
   */
  addLast(bytes: Uint8Array): void;
}

/**
 * How much is done to make a unit small. `plain`: nothing, the way to reach a store's smallest part. `sampled`: it is
 * compressed only if a sample of it shrinks, the way to be quick where units are known to shrink little.
 */
export type Effort = "full" | "sampled" | "plain";

/**
 * Turns units into stored bytes, in guest order within a segment. Deterministic: the same units give the same
 * bytes, in any thread.
 */
export interface UnitEncoder {
  /**
   * Adds the stored form of one unit (always `unit` bytes; the last of the guest is padded with zeros).
   * @returns the entry for the unit table, never 0. The layout's seal() understands it.
   */
  encode(bytes: Uint8Array, guestUnit: number, effort: Effort, out: Output): number;
  /** The entry of every unit, where units are stored as they are and nothing besides. Absent: they are coded. */
  readonly plainEntry?: number;
  /** Adds the stored form of `count` all-zero units from `guestUnit` on, which have no entry. Absent: they have none. */
  encodeZeros?(guestUnit: number, count: number, out: Output): void;
}

export interface FormatWriter {
  /** @throws Fault USAGE for options that the format does not know, LIMIT_EXCEEDED for a disk it cannot hold. */
  layout(options: LayoutOptions): Layout;
  /** Absent for flat formats. */
  encoder?(encoding: Encoding): UnitEncoder;
}

export interface Format {
  readonly name: FormatName;
  /** For `--help` and the README. */
  readonly summary: string;
  /** Absent: images of this format are written, and nobody reads them here. */
  readonly reader?: FormatReader;
  readonly writer: FormatWriter;
}

export interface ReadableFormat extends Format {
  readonly reader: FormatReader;
}
