/** Lands a slot without a byte of it coming by: the store copies it. */
import { Fault, type FaultCode } from "../fault/fault.ts";
import type { Slot } from "../plan/slot.ts";
import type { SegmentReceipt } from "./job.ts";
import type { Run } from "./run.ts";

/** What a store says that does not copy, or not this. */
const REFUSALS: ReadonlySet<FaultCode> = new Set(["UNSUPPORTED_FEATURE", "STORE_REFUSED", "PERMISSION"]);

/** Undefined when the slot has to be sent: nothing copies it, or the store has refused to. */
export async function copySlot(
  run: Run,
  slot: Slot,
  signal: AbortSignal,
): Promise<SegmentReceipt | undefined> {
  const { upload, unclaimed, copies } = run;
  const { number } = slot;
  const part = copies.get(slot.range.offset);
  if (part === undefined || upload.copy === undefined) return undefined;
  const { length, etag } = part;
  const held = unclaimed.get(number);
  // The store has made it already, and the receipt was lost in a crash.
  if (etag !== undefined && held?.length === length && held.etag === etag) {
    return { number, length, etag, checksums: {} };
  }
  try {
    return await upload.copy({ ...part, number }, signal);
  } catch (error) {
    const fault = Fault.from(error, run.request.destination.name);
    if (!REFUSALS.has(fault.code)) throw fault;
    // What it refuses once it refuses for all that is left.
    run.copies = new Map();
    return undefined;
  }
}
