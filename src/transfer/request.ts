/** What a transfer is asked for, what it needs, and what it answers. */
import type { Checksums } from "../digest/checksum.ts";
import type { Fault } from "../fault/fault.ts";
import type { Image, Layout } from "../format/format.ts";
import type { Destination, Landed, UploadIntent } from "../store/store.ts";
import type { Producer } from "./job.ts";
import type { Journal } from "./journal.ts";
import type { Progress } from "./shared.ts";

/** What is stored as it stands in the source, where the layout can adopt it. */
export type Adopt = "coded units" | "nothing";

/**
 * `disk`: every byte is read, and the guest digest is known in the end. `stored bytes`: a source that is written as it
 * is may be copied by its store, without a byte or a digest coming by, and is cut as it was cut there.
 */
export type Moves = "disk" | "stored bytes";

/** What becomes of an unfinished transfer of another source, version, options or plan that the journal knows. */
export type Unlike = "refuse" | "discard";

export interface TransferRequest {
  readonly image: Image;
  readonly layout: Layout;
  readonly destination: Destination;
  readonly existing: UploadIntent["existing"];
  /** Absent: `refuse`. */
  readonly unlike?: Unlike;
  /** Jobs at once, at most. */
  readonly concurrency: number;
  /** Bytes of memory that all lanes together may take; at least one lane runs. */
  readonly memory: number;
  readonly adopt: Adopt;
  /** Absent: `disk`. */
  readonly moves?: Moves;
  /** Guest bytes of a segment; absent: as the store likes. */
  readonly segment?: number;
  /** Bytes per second, all lanes together, of what is sent; what the store copies is not. 0: no limit. */
  readonly bandwidth: number;
  /** Names what is transferred to what, so that a journal is gone on with only by the same request. */
  readonly identity: string;
}

/** The plan in numbers. */
export interface PlanSummary {
  readonly slots: number;
  /** Guest bytes that may hold data. */
  readonly total: number;
  /** Jobs at once. */
  readonly lanes: number;
  /** Most bytes of memory that one of them can take. */
  readonly laneMemory: number;
}

/** A part that the destination has acknowledged; 0 bytes: nothing had to be stored. */
export interface LandedPart {
  readonly number: number;
  readonly length: number;
  /** Known to be zeros, and not sent. */
  readonly zero: boolean;
}

export interface TransferPorts {
  readonly producer: Producer;
  readonly journal: Journal;
  /** Data moves once this has resolved. */
  readonly onPlan?: ((plan: PlanSummary) => Promise<void> | void) | undefined;
  /**
   * Taken by each slot, in their order, and kept until the slot has landed or is given up. What it throws ends the
   * transfer once the slots before have landed. Absent: the request alone bounds the lanes.
   */
  readonly lease?: ((signal: AbortSignal) => Promise<Disposable>) | undefined;
  /** Told how to change the bandwidth while data moves. */
  readonly onBandwidth?: ((change: (bytesPerSecond: number) => void) => void) | undefined;
  /** All data has landed. */
  readonly onSealing?: (() => Promise<void>) | undefined;
  /**
   * Asked once by each transfer, right before the store publishes; also where an earlier run has published already.
   * What it throws ends the transfer.
   */
  readonly mayCommit?: (() => Promise<void>) | undefined;
  readonly onLanded?: ((part: LandedPart) => void) | undefined;
  /** Told of the counters once the plan stands: they may be sampled at any time. */
  readonly onProgress: (sample: () => Progress) => void;
  readonly onResume: (landed: number, slots: number) => void;
  readonly onRetry: (fault: Fault, waitMs: number) => void;
}

export interface TransferResult {
  readonly object: Landed;
  /** Guest bytes of the written image. */
  readonly virtualSize: number;
  /** Absent: not all of the disk was decoded. */
  readonly guestDigest?: string;
  /** Checksums of the whole object that were computed on the way. */
  readonly checksums: Checksums;
  /** Bytes handed to sockets and files in this run. */
  readonly sent: number;
}
