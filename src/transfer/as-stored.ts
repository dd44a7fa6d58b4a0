/** What leaves of a segment, where it is encrypted, and where it stands in the object. */
import { encryptedChunks } from "../cipher/content-cipher.ts";
import type { PackedShape, SegmentJob } from "./job.ts";
import type { Shared } from "./shared.ts";

/** What the destination stores of bytes that begin at `offset` of the object; held bytes stay plain. */
export function asStored(
  { cipher, target }: SegmentJob,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  offset: number,
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return cipher === undefined || target.kind === "hold" ? bytes : encryptedChunks(bytes, cipher, offset);
}

/**
 * Where a packed segment of `length` bytes begins in the object, once those before it know; undefined where nobody has
 * to know: parts without encryption find their place when the object is published.
 */
export async function placed(
  { target, cipher }: SegmentJob,
  { segment }: PackedShape,
  length: number,
  shared: Shared,
): Promise<number | undefined> {
  if (target.kind !== "file" && cipher === undefined) return undefined;
  const offset = await shared.waitForOffset(segment);
  shared.setOffset(segment + 1, offset + length);
  return offset;
}
