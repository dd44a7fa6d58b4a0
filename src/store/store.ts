/**
 * Where objects go. A store signs, it does not carry: it begins an upload, gives out a target per part, and
 * completes or aborts. The sender in the worker performs the target. Stores run in the main thread and are the only
 * holders of credentials.
 */
import type { ContentCipher } from "../cipher/content-cipher.ts";
import type { ChecksumName, Checksums } from "../digest/checksum.ts";
import type { Source, StoredPart } from "../source/source.ts";

export interface StoreLimits {
  /** Bytes of the smallest part that is not the last. */
  readonly minPart: number;
  readonly maxPart: number;
  /** Parts of one object; numbers may have gaps. */
  readonly maxParts: number;
  /** Bytes of the part size that this store likes best. */
  readonly preferredPart: number;
  /**
   * `offsets`: parts are written into one file at their output offset, which for packed layouts depends on the
   * parts before them. `parts`: each part is an object of its own until completion.
   */
  readonly placement: "offsets" | "parts";
  /** Whether runs of zeros of at least `zeroPart` bytes need not be sent: by hole, reference or copy. */
  readonly zeros: "free" | "sent";
  readonly zeroPart: number;
  /**
   * `listed` (the default): after a restart a journaled receipt counts only when `Upload.held` shows its part.
   * `lasting`: what was acknowledged is there for good, and the journal is believed. `none`: nothing is kept that
   * could be gone on with.
   */
  readonly receipts?: "listed" | "lasting" | "none";
  /** `local`: a part is written without waiting for anybody else. Absent: there is a network in between. */
  readonly reach?: "local";
  /** Which checksums the workers compute for each part. */
  readonly checksums: readonly ChecksumName[];
}

export interface PutTargetHttp {
  readonly kind: "http";
  readonly method: "PUT" | "POST";
  /** May be signed: never shown. */
  readonly url: string;
  /** May hold a token: never shown. */
  readonly headers: Readonly<Record<string, string>>;
  /** How the reply proves that the bytes arrived. */
  readonly expect: {
    /** The reply's ETag is the part's MD5 in hex. `unless-encrypted`: not when the reply names a KMS encryption. */
    readonly etag: "md5" | "unless-encrypted" | "opaque";
    /** Reply header with the decimal CRC-64/XZ. */
    readonly crc64Header?: string;
  };
  /** Checksum headers to send, where the checksum is known before the first byte. */
  readonly ca?: string;
  /** For messages. */
  readonly name: string;
}

export interface PutTargetFile {
  readonly kind: "file";
  readonly path: string;
  readonly name: string;
}

export interface PutTargetDiscard {
  readonly kind: "discard";
  readonly name: string;
}

/** What the sender performs: plain data. */
export type PutTarget = PutTargetHttp | PutTargetFile | PutTargetDiscard;

/** A part in the plan. */
export interface PartSlot {
  /** 1-based, unique in the object, ascending in output order; may have gaps. */
  readonly number: number;
}

/** What the store acknowledged for a part. */
export interface PartReceipt {
  readonly number: number;
  /** Bytes. */
  readonly length: number;
  /** As the store gave it, without quotes; empty where the store has none. */
  readonly etag: string;
  readonly checksums: Checksums;
  /** Byte offset in the output, known at the latest when completing. */
  readonly offset?: number;
  /** The part is a run of zeros that was never sent. */
  readonly zero?: true;
}

/** A part that the store can make by itself, of what it holds already. */
export interface CopyPart extends StoredPart {
  /** What it is copied from. */
  readonly from: {
    /** Where it is another account than the destination's. */
    readonly account?: string;
    /** Container or bucket. */
    readonly container: string;
    readonly object: string;
    /** Byte offset in the object. */
    readonly offset: number;
    /** Bytes of the whole object. */
    readonly size: number;
    /** Of the whole object, without quotes: the copy fails when it has another one by then. */
    readonly etag: string;
  };
  /** What the part's ETag will be, without quotes, where that is known beforehand. */
  readonly etag?: string;
}

/** Plain data without secrets that finds an upload again after a crash; goes into the journal. */
export type UploadToken = Readonly<Record<string, string | number | boolean>>;

/** Where and how the finished object can be seen. */
export interface Landed {
  /** For people: URL or path without secrets. */
  readonly name: string;
  /** Bytes of the object. */
  readonly size: number;
  readonly etag?: string;
  /** Whole-object checksums that the store itself confirmed. */
  readonly confirmed: Checksums;
  /** Temporary objects that the store would not remove, for people. */
  readonly remains?: readonly string[];
}

export interface UploadIntent {
  /** What to do when the object is there already. */
  readonly existing: "refuse" | "replace";
  /** Bytes of the whole object, when the plan knows (flat layouts). */
  readonly size?: number;
}

export interface Upload {
  readonly token: UploadToken;
  /** A fresh target for the part; asked again for each attempt, so that signatures and tokens stay fresh. */
  target(part: PartSlot & { readonly length?: number }, signal: AbortSignal): Promise<PutTarget>;
  /** Lands a run of zeros without sending it. Only where `limits.zeros` is `free`. */
  zeros(
    part: PartSlot & { readonly length: number; readonly offset: number },
    signal: AbortSignal,
  ): Promise<PartReceipt>;
  /**
   * Lands a part as a copy of what the store holds: no byte of it comes through here. Settles when the store has
   * answered, also where `signal` fires before. Absent: the store copies nothing.
   * @throws Fault UNSUPPORTED_FEATURE, STORE_REFUSED, PERMISSION: it does not copy this; SOURCE_CHANGED.
   */
  copy?(part: PartSlot & CopyPart, signal: AbortSignal): Promise<PartReceipt>;
  /** Bytes that the upload has sent by itself so far, beside the targets: objects of zeros to refer to. */
  readonly besides: number;
  /**
   * The parts that the store truly holds now (all pages). After a restart a journaled receipt counts only when it
   * is found here with the same length and ETag.
   */
  held(
    signal: AbortSignal,
  ): AsyncIterable<{ readonly number: number; readonly length: number; readonly etag: string }>;
  /**
   * Publishes the object under its final name; checks size and whole-object checksum as the store reports them.
   * `parts` in output order. May be called again after a lost reply.
   * `checksums` are those of the whole object.
   */
  complete(parts: readonly PartReceipt[], checksums: Checksums, signal: AbortSignal): Promise<Landed>;
  /** Removes every part and trace. May be called at any time before `complete` returned, and again. */
  abort(signal: AbortSignal): Promise<void>;
  /** A credential was refused in a worker: get a new one, once for however many callers. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** One place for one object: a store bound to a destination URL. */
export interface Destination extends AsyncDisposable {
  /** For people: URL or path without secrets. */
  readonly name: string;
  /** Tells this place from every other in the world, accounts and hosts included: the journal's key. No secrets. */
  readonly identity: string;
  readonly limits: StoreLimits;
  /** Encrypts all that lands here, at its offset in the object; absent: it is stored as it is. */
  readonly cipher?: ContentCipher;
  /** @throws Fault ALREADY_EXISTS when the object is there and `existing` is `refuse`; CREDENTIALS; NOT_FOUND. */
  begin(intent: UploadIntent, signal: AbortSignal): Promise<Upload>;
  /**
   * The parts of which the store can make a copy of the source by itself, in order, tiling it; undefined: it cannot, or
   * may not with the destination's own credentials. Absent: it never can.
   */
  copyParts?(source: Source, signal: AbortSignal): Promise<readonly CopyPart[] | undefined>;
  /** @throws Fault NOT_FOUND when the store no longer knows the upload. */
  resume(token: UploadToken, intent: UploadIntent, signal: AbortSignal): Promise<Upload>;
  /**
   * The object under the final name, if this very upload made it: after a crash in the moment of completion.
   * Undefined when there is none, or another's.
   */
  landed(token: UploadToken, signal: AbortSignal): Promise<Landed | undefined>;
  /**
   * Removes whatever this upload has left: its parts, and the object if it made the one that is there. May be called at
   * any time, and again.
   */
  discard(token: UploadToken, signal: AbortSignal): Promise<void>;
  /**
   * Removes what unfinished uploads to this name have left, whoever began them: an upload that still runs elsewhere
   * fails.
   */
  removeOrphans(signal: AbortSignal): Promise<void>;
  /**
   * Removes uploads to this name that the store began within a quarter of an hour of `about`: for a process that died
   * after it had asked for one and before it had noted the answer. Absent where an upload is nothing to the store
   * before its first part.
   */
  removeUnheard?(about: Date, signal: AbortSignal): Promise<void>;
  /**
   * Removes the object under the final name with all that belongs to it; one that is not there counts as removed. No
   * upload to this name may be under way.
   * @returns `not ours`: the store shows that diskferry has not made it, and it stays.
   */
  remove(signal: AbortSignal): Promise<"removed" | "not ours">;
  /** The landed object as a source, for verification; decrypted, where it is encrypted. */
  source(signal: AbortSignal): Promise<Source>;
}
