/** How the engine reaches the places that a request names. The composition root knows the stores and credentials. */
import type { Source } from "../source/source.ts";
import type { Destination } from "../store/store.ts";

export interface Places {
  /**
   * A path, or an http(s), s3, oss or swift URL.
   * @throws Fault USAGE for a place that cannot be read, CREDENTIALS, NOT_FOUND, …
   */
  source(location: string, signal: AbortSignal): Promise<Source>;
  /** A path, `null:`, or an s3, oss or swift URL. */
  destination(location: string, signal: AbortSignal): Promise<Destination>;
}
