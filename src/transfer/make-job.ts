/** Makes the job of a slot: what to read, how to shape it, where to put it. */
import { endOf, type Range } from "../bytes/range.ts";
import type { ChecksumName } from "../digest/checksum.ts";
import type { Image, Layout, Piece } from "../format/format.ts";
import type { Slot } from "../plan/slot.ts";
import type { FlatShape, PackedShape, SegmentJob } from "./job.ts";
import type { Run } from "./run.ts";

/**
 * The job of a slot, with targets and recipes that are good now. `discard` produces without sending.
 */
export async function makeJob(
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
    pieces: await piecesOf(image, range, signal),
    sources: await Promise.all(image.sources.map((source) => source.recipe(signal))),
    chunk: plan.chunk,
    ...(window === undefined ? {} : { window }),
    shape: shapeOf(run, slot, layout),
    target,
    ...(destination.cipher === undefined ? {} : { cipher: destination.cipher }),
    // What is claimed is compared by its MD5, whether the store needs it of us or not.
    checksums:
      purpose === "discard" ? [...new Set<ChecksumName>(["md5", ...limits.checksums])] : limits.checksums,
    ...(plan.guest === "left out" ? { guest: plan.guest } : {}),
    shared: shared.memory,
  };
}

function shapeOf({ plan, request }: Run, slot: Slot, layout: Layout): FlatShape | PackedShape {
  // Slots are numbered without gaps.
  const index = slot.number - (plan.slots[0]?.number ?? slot.number);
  const last = index === plan.slots.length - 1;
  if (layout.shape === "flat") {
    const tail = last ? layout.tail : new Uint8Array(0);
    const skippable =
      request.destination.limits.zeros === "free" &&
      tail.length === 0 &&
      slot.range.length >= Math.max(1, request.destination.limits.zeroPart);
    return { kind: "flat", tail, zeros: skippable ? "skip" : "send" };
  }
  const held = slot.number === plan.heldSlot;
  return {
    kind: "packed",
    encoding: layout.encoding,
    alignment: layout.alignment,
    ...(plan.adopts === undefined ? {} : { adopts: plan.adopts }),
    // The head joins the held segment; a single segment joins head and tail and may be as small as it is.
    atLeast: held && plan.slots.length === 1 ? 0 : held ? plan.atLeast - plan.headLength : plan.atLeast,
    ...(layout.alwaysStored === undefined ? {} : { alwaysStored: layout.alwaysStored }),
    empty: held ? "filled" : "left out",
    segment: index,
  };
}

/** The image's pieces; what a larger written disk has beyond the image is zeros. */
async function piecesOf(image: Image, range: Range, signal: AbortSignal): Promise<readonly Piece[]> {
  const inside = Math.max(0, Math.min(endOf(range), image.virtualSize) - range.offset);
  const pieces = inside === 0 ? [] : await image.pieces({ offset: range.offset, length: inside }, signal);
  const rest = range.length - inside;
  return rest === 0 ? pieces : [...pieces, { kind: "zero", length: rest }];
}
