/** Lands one slot: has its job produced, notes the receipt, and repeats what may be repeated. */

import { guestHex } from "../digest/guest-digest.ts";
import type { Slot } from "../plan/slot.ts";
import { zeroChecksums } from "./checksums.ts";
import { copySlot } from "./copy-slot.ts";
import type { SegmentReceipt } from "./job.ts";
import { makeJob } from "./make-job.ts";
import { persist } from "./persist.ts";
import type { Run, Turn } from "./run.ts";

export async function landSlot(run: Run, slot: Slot, signal: AbortSignal): Promise<void> {
  const { request, ports } = run;
  const turn = run.takeTurn();
  const stop = (): void => run.shared.stop();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const receipt = await persist(
      {
        name: request.destination.name,
        upload: run.upload,
        sources: request.image.sources,
        onRetry: ports.onRetry,
      },
      () => attempt(run, slot, turn, signal),
      signal,
    );
    await run.landed(slot, receipt);
  } catch (error) {
    // The other lanes need not go on with what is lost already.
    stop();
    throw error;
  } finally {
    turn.pass();
    signal.removeEventListener("abort", stop);
  }
}

async function attempt(run: Run, slot: Slot, turn: Turn, signal: AbortSignal): Promise<SegmentReceipt> {
  const { receipts } = run;
  const { number } = slot;
  if (slot.kind === "zeros") {
    turn.pass();
    return landZeros(run, slot, guestHex(0n), signal);
  }
  const known = receipts.get(number);
  if (known !== undefined) {
    // Landed before: decoded once more only for the window that its successor needs.
    const again = await produceInTurn(run, slot, "discard", turn, signal);
    return { ...again, ...known };
  }
  const copied = await copySlot(run, slot, signal);
  if (copied !== undefined) {
    turn.pass();
    return copied;
  }
  const claimed = await claim(run, slot, turn, signal);
  if (claimed !== undefined) return claimed;
  const receipt = await produceInTurn(run, slot, "send", turn, signal);
  if (!receipt.zero) return receipt;
  return { ...(await landZeros(run, slot, receipt.guest, signal)), ...windowOf(receipt) };
}

/**
 * Jobs enter the pool in the order of their slots: a segment of an output file waits for the offset that the one
 * before it sets, so the earlier must never stand behind the later.
 */
async function produceInTurn(
  run: Run,
  slot: Slot,
  purpose: "send" | "discard",
  turn: Turn,
  signal: AbortSignal,
): Promise<SegmentReceipt> {
  await turn.come;
  const job = await makeJob(run, slot, purpose, signal);
  const produced = run.ports.producer.produce(job, signal);
  turn.pass();
  return produced;
}

function windowOf({ window }: SegmentReceipt): Partial<SegmentReceipt> {
  return window === undefined ? {} : { window };
}

/** The store holds this part, but its receipt was lost in a crash: accepted when it is what we would send. */
async function claim(
  run: Run,
  slot: Slot,
  turn: Turn,
  signal: AbortSignal,
): Promise<SegmentReceipt | undefined> {
  const part = run.unclaimed.get(slot.number);
  if (part === undefined || slot.number === run.plan.heldSlot) return undefined;
  const receipt = await produceInTurn(run, slot, "discard", turn, signal);
  const same = receipt.length === part.length && receipt.checksums.md5 === part.etag.toLowerCase();
  return same ? { ...receipt, etag: part.etag } : undefined;
}

async function landZeros(
  run: Run,
  slot: Slot,
  guest: string | undefined,
  signal: AbortSignal,
): Promise<SegmentReceipt> {
  const { number, range } = slot;
  const part = await run.upload.zeros({ number, ...range }, signal);
  const checksums = {
    ...zeroChecksums(run.request.destination.limits.checksums, range.length),
    ...part.checksums,
  };
  return { ...part, checksums, ...(guest === undefined ? {} : { guest }), zero: true };
}
