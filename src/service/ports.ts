/** What the use cases need from outside. */
import type { Destination } from "../catalog/destination.ts";
import type { AuditEntry } from "../record/audit.ts";
import type { TaskRecord } from "../record/record.ts";
import type { Encryption, WriteOptions } from "../task/spec.ts";

/** Master keys, and the data keys of images that are wrapped with them. No key is ever told. */
export interface MasterKeys {
  /** What images are encrypted with, as clients call it. */
  readonly algorithm: string;
  /** Makes the master key unless it is there. Durable when it resolves. @throws Fault */
  make(key: string): Promise<void>;
  /** A fresh data key for the image. @throws Fault when the master key is missing, damaged or cannot be read. */
  wrapFresh(image: string, key: string): Promise<Encryption>;
  /** Whether the image's data key can be had. */
  opens(image: string, encryption: Encryption): Promise<"yes" | "no">;
}

export interface ServicePorts {
  readonly record: TaskRecord;
  readonly masterKeys: MasterKeys;
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
  /** Those of them that can be read, too: images are kept in no other. */
  readonly readable: ReadonlySet<string>;
  /** @throws Fault when the format takes none of these options, or not together. */
  readonly checkWrite: (write: WriteOptions) => void;
  /** Whether images may be imported from the URL, as far as the URL itself tells. */
  readonly allowsUrl: (url: string) => boolean;
  /** Names of the directories that files and volumes may lie in. */
  readonly roots: ReadonlySet<string>;
  /** Told that slots or bandwidth of a region may have changed. */
  readonly regionsChanged: () => void;
}
