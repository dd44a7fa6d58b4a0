/** One disk of a task on its way: what is read, where it is to stand, and what is said of it then. */
import type { Destination } from "../catalog/destination.ts";
import type { ContentCipher } from "../cipher/content-cipher.ts";
import type { OpenedImage } from "../engine/open-image.ts";
import { Fault } from "../fault/fault.ts";
import type { Catalogue } from "../record/record.ts";
import type { WriteOptions } from "../task/spec.ts";
import type { LandedObject } from "../task/task.ts";
import type { Moves, TransferResult } from "../transfer/request.ts";

export interface Move {
  readonly destination: Destination;
  readonly object: string;
  /** A copy of stored bytes is written as raw, whatever they mean. */
  readonly write: WriteOptions;
  /** Encrypts the object; absent: it is plain. */
  readonly cipher?: ContentCipher;
  /** Absent: `disk`. */
  readonly moves?: Moves;
  open(signal: AbortSignal): Promise<OpenedImage>;
  /** @throws Fault when it is not what the catalogue or the request says. */
  fit?(opened: OpenedImage): { readonly roundTo?: number };
  /**
   * What the object reads as, for what no checksum proves to be the bytes that it is made of: it is read back in any
   * case.
   */
  readonly reads?: { readonly format: string; readonly guestDigest: string };
  /** @throws Fault VERIFY_FAILED when what has landed contradicts what is known of it. */
  landed(result: TransferResult): Omit<LandedObject, "object" | "verified" | "size">;
}

/** @throws Fault NOT_FOUND */
export async function destinationNamed({ destinations }: Catalogue, name: string): Promise<Destination> {
  const found = await destinations.get(name);
  if (found === undefined) throw new Fault("NOT_FOUND", `there is no destination ${name}`);
  return found.entry;
}

/** Each disk with the object it becomes. @throws Fault INTERNAL when there are not as many. */
export function pairs<Disk>(
  disks: readonly Disk[],
  objects: readonly string[],
): readonly (readonly [Disk, string])[] {
  if (disks.length !== objects.length) {
    throw new Fault("INTERNAL", `${objects.length} objects are named for ${disks.length} disks`);
  }
  return disks.map((disk, index) => [disk, objects[index] ?? ""]);
}
