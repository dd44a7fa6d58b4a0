/** How the engine reaches the places that a request names. The composition root knows the stores and credentials. */
import type { Source } from "../source/source.ts";
import type { Destination, Landed } from "../store/store.ts";

export interface Places {
  /**
   * A path, or an http(s), s3, oss or swift URL.
   * @throws Fault USAGE for a place that cannot be read, CREDENTIALS, NOT_FOUND, …
   */
  source(location: string, signal: AbortSignal): Promise<Source>;
  /** A path, `null:`, or an s3, oss or swift URL. */
  destination(location: string, signal: AbortSignal): Promise<Destination>;
  /** The destination's own way to take a stream of unknown length, where it has one. */
  streamTo(location: string): StreamTo | undefined;
}

export type StreamTo = (
  stream: AsyncIterable<Uint8Array>,
  options: {
    readonly existing: "refuse" | "replace";
    readonly partSize: number;
    readonly concurrency: number;
    readonly onProgress: (sent: number) => void;
  },
  signal: AbortSignal,
) => Promise<Landed>;
