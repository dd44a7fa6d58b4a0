/** Lands one slot: makes its job, has it produced, and notes the receipt. Repeats what may be repeated. */

import type { ChecksumName } from "../digest/checksum.ts";
import { guestHex } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../flow/retry.ts";
import type { Layout } from "../format/format.ts";
import type { Slot } from "../plan/slot.ts";
import { zeroChecksums } from "./checksums.ts";
import type { FlatShape, PackedShape, SegmentJob, SegmentReceipt } from "./job.ts";
import type { Run, Turn } from "./run.ts";

export async function landSlot(run: Run, slot: Slot, signal: AbortSignal): Promise<void> {
  const { request, ports } = run;
  const turn = run.takeTurn();
  const stop = (): void => run.shared.stop();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const receipt = await withRetry(
      request.destination.name,
      DEFAULT_RETRY,
      async () => {
        try {
          return await attempt(run, slot, turn, signal);
        } catch (error) {
          if (error instanceof Fault && error.code === "CREDENTIALS_EXPIRED")
            await run.upload.refresh(signal);
          throw error;
        }
      },
      signal,
      ports.onRetry,
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

async function landZeros(run: Run, slot: Slot, guest: string, signal: AbortSignal): Promise<SegmentReceipt> {
  const { number, range } = slot;
  const part = await run.upload.zeros({ number, ...range }, signal);
  const checksums = {
    ...zeroChecksums(run.request.destination.limits.checksums, range.length),
    ...part.checksums,
  };
  return { ...part, checksums, guest, zero: true };
}

async function makeJob(
  run: Run,
  slot: Slot,
  purpose: "send" | "discard",
  signal: AbortSignal,
): Promise<SegmentJob> {
  const { request, plan, upload, shared, window } = run;
  const { image, layout, destination } = request;
  const { number, range } = slot;
  const { limits } = destination;
  const target = await (async (): Promise<SegmentJob["target"]> => {
    if (purpose === "discard") return { kind: "discard", name: destination.name };
    if (number === plan.heldSlot) return { kind: "hold" };
    return upload.target({ number }, signal);
  })();
  return {
    number,
    range,
    pieces: await image.pieces(range, signal),
    sources: await Promise.all(image.sources.map((source) => source.recipe(signal))),
    chunk: plan.chunk,
    ...(window === undefined ? {} : { window }),
    shape: shapeOf(run, slot, layout),
    target,
    // What is claimed is compared by its MD5, whether the store needs it of us or not.
    checksums:
      purpose === "discard" ? [...new Set<ChecksumName>(["md5", ...limits.checksums])] : limits.checksums,
    shared: shared.memory,
  };
}

function shapeOf({ plan, request }: Run, slot: Slot, layout: Layout): FlatShape | PackedShape {
  const index = plan.slots.indexOf(slot);
  const last = index === plan.slots.length - 1;
  if (layout.shape === "flat") {
    const rest = last ? layout.virtualSize - request.image.virtualSize : 0;
    const tail = last ? layout.tail : new Uint8Array(0);
    const skippable =
      request.destination.limits.zeros === "free" &&
      rest + tail.length === 0 &&
      slot.range.length >= Math.max(1, request.destination.limits.zeroPart);
    return { kind: "flat", padding: rest, tail, zeros: skippable ? "skip" : "send" };
  }
  const held = slot.number === plan.heldSlot;
  return {
    kind: "packed",
    encoding: layout.encoding,
    alignment: layout.alignment,
    // The head joins the held segment; a single segment joins head and tail and may be as small as it is.
    atLeast: held && plan.slots.length === 1 ? 0 : held ? plan.atLeast - plan.headLength : plan.atLeast,
    ...(layout.alwaysStored === undefined ? {} : { alwaysStored: layout.alwaysStored }),
    empty: held ? "filled" : "left out",
    segment: index,
  };
}
