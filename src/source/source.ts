/**
 * Where bytes come from. A source is a read-only run of bytes pinned to one version: whoever reads it sees that
 * version or a SOURCE_CHANGED fault, never a mixture.
 */
import type { Extent, Range } from "../bytes/range.ts";
import type { ContentCipher } from "../cipher/content-cipher.ts";
import type { Reach } from "../net/http.ts";

/**
 * How a worker thread opens a source again: plain data, no credentials beyond short-lived signed headers and handles of
 * keys.
 */
export type SourceRecipe =
  | {
      readonly kind: "file";
      readonly name: string;
      readonly path: string;
      /** Bytes. */
      readonly size: number;
      readonly version: string;
    }
  | {
      readonly kind: "http";
      readonly name: string;
      /** May be signed: never shown. */
      readonly url: string;
      /** Sent with every ranged GET; may hold a token: never shown. */
      readonly headers: Readonly<Record<string, string>>;
      readonly size: number;
      readonly version: string;
      /** The strong ETag that each reply must carry, when the server gave one. */
      readonly etag?: string;
      /** The Last-Modified that each reply must carry, for a server without strong ETags. */
      readonly lastModified?: string;
      /** PEM text of further certificate authorities to trust. */
      readonly ca?: string;
      /** Absent: anywhere. */
      readonly reach?: Reach;
    }
  | { readonly kind: "decrypted"; readonly of: SourceRecipe; readonly cipher: ContentCipher };

/** An object in a store, for a destination that may copy inside the same store. No secrets. */
export interface StoredObject {
  readonly store: "swift" | "s3" | "oss";
  /** Of the account or endpoint, as its own credentials name it. */
  readonly url: string;
  /** Container or bucket. */
  readonly container: string;
  readonly object: string;
}

/** A run of bytes that a store keeps as one piece. */
export interface StoredPart extends Range {
  /** It is known to be zeros. */
  readonly zero?: true;
}

export interface Source extends AsyncDisposable {
  /** For people: a path or a URL without secrets. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Changes whenever the content may have changed: mtime and size, or an ETag. */
  readonly version: string;

  /**
   * Fills the whole of `into` from `position`. May be called many times at once.
   * @throws Fault IMAGE_TRUNCATED when the range ends past `size`; SOURCE_CHANGED; IO; NETWORK and its kin after
   * the retries are spent.
   */
  read(into: Uint8Array, position: number, signal: AbortSignal): Promise<void>;

  /** Says that a range will be read soon, where that helps. Never waits, never fails. */
  prefetch?(range: Range): void;

  /** Runs known to be holes or data, in order, tiling the range, where the place can tell; absent: all is data. */
  extents?(range: Range, signal: AbortSignal): AsyncIterable<Extent>;

  /** The parts in which it is stored, in order, tiling it; undefined, or absent: there are none, or nobody can tell. */
  parts?(signal: AbortSignal): Promise<readonly StoredPart[] | undefined>;

  /** Where a store keeps it; absent: in none. */
  readonly stored?: StoredObject;

  /** How another thread opens this source now; asked again for each job, so that signatures stay fresh. */
  recipe(signal: AbortSignal): Promise<SourceRecipe>;

  /** A credential was refused in a worker: get a new one, once for however many callers. Absent: there is none. */
  refresh?(signal: AbortSignal): Promise<void>;

  /** @throws Fault SOURCE_CHANGED when the content is no longer the pinned version. */
  check(signal: AbortSignal): Promise<void>;
}
