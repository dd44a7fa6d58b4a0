/** What the use cases need from outside. */
import type { Destination } from "../catalog/destination.ts";
import type { AuditEntry } from "../record/audit.ts";
import type { TaskRecord } from "../record/record.ts";
import type { WriteOptions } from "../task/spec.ts";

export interface ServicePorts {
  readonly record: TaskRecord;
  /** Never throws: an answer does not depend on it. */
  readonly audit: (entry: AuditEntry) => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new id: unique everywhere, ascending in time. */
  readonly newId: () => string;
  /**
   * Which of these objects are there, parts and segments of them included (FJ-7).
   * @throws Fault NOT_FOUND when the container is not there; CREDENTIALS, NETWORK, …
   */
  readonly existing: (
    destination: Destination,
    objects: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  /** Every format that can be written, with the ending of its files, such as `.qcow2`. */
  readonly formats: ReadonlyMap<string, string>;
  /** @throws Fault when the format takes none of these options, or not together. */
  readonly checkWrite: (write: WriteOptions) => void;
  /** Whether images may be imported from the URL, as far as the URL itself tells. */
  readonly allowsUrl: (url: string) => boolean;
  /** Names of the directories that files and volumes may lie in. */
  readonly roots: ReadonlySet<string>;
  /** Told that slots or bandwidth of a region may have changed. */
  readonly regionsChanged: () => void;
}
