/** Decides everything about a transfer before its first data byte is read. */
import { createHash } from "node:crypto";
import { type Extent, endOf } from "../bytes/range.ts";
import { alignUp, GiB, MiB } from "../bytes/units.ts";
import { GUEST_BLOCK } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { inTurns } from "../flow/in-turns.ts";
import type { Coding, Image, Layout, PackedLayout } from "../format/format.ts";
import { coverDisk } from "../plan/cover.ts";
import { planFlat } from "../plan/flat.ts";
import { planPacked } from "../plan/packed.ts";
import type { Slot } from "../plan/slot.ts";
import { planStored } from "../plan/stored.ts";
import type { StoredPart } from "../source/source.ts";
import type { StoreLimits } from "../store/store.ts";
import type { Adopt } from "./request.ts";

/** Guest bytes that a lane decodes at a time: small enough for the cache, large enough for few calls. */
const CHUNK = MiB;
/** The same for sources behind a network, where a call costs a round trip. */
const REMOTE_CHUNK = 8 * MiB;
/** Guest bytes of data in a packed segment: a lane's buffer must hold them stored plain. */
const PACKED_SEGMENT = 32 * MiB;
/** The same where parts must be large: compressed to a tenth it is still no smaller than S3's smallest part. */
const PACKED_LARGE_SEGMENT = 64 * MiB;
/** For one output file, where no store asks for large parts. */
const PACKED_FILE_SEGMENT = 16 * MiB;
/** Coded segments end on a multiple of the layout's alignment: half of one is padding, a few hundredths of the whole. */
const PACKED_ALIGNMENTS = 32;
/** As large as segments become by themselves, where there would be too many: a lane must hold one. */
const PACKED_LARGEST_SEGMENT = 128 * MiB;
/** Parts smaller than this make a large object slow to read (Swift serves only one a second after the tenth). */
const SMALLEST_PART = MiB;

/** Zeros of a segment, where they are stored: deflate makes some 8 MiB of them, more than any store's smallest part. */
const ZERO_SPAN = 8 * GiB;
/** What a run of zeros takes at most, as a fraction of it. */
const ZERO_SHARE = 1 / 500;

export interface PlanRequest {
  readonly image: Image;
  readonly layout: Layout;
  readonly limits: StoreLimits;
  readonly adopt: Adopt;
  /** Guest bytes of a segment, as the user wishes; absent: as the store likes. */
  readonly segment?: number;
  /** How the source is stored, where it is to be stored like that again. */
  readonly borders?: Borders;
}

/** The parts in which a source is stored. */
export interface Borders {
  readonly parts: readonly StoredPart[];
  /**
   * `all`: the store copies part by part. `those that fit`: parts are joined and divided as the destination needs it.
   * `whole blocks`: the same, but only where none of them cuts a block of the guest digest.
   */
  readonly kept: "all" | "those that fit" | "whole blocks";
}

export interface TransferPlan {
  readonly slots: readonly Slot[];
  /** Guest bytes that may hold data. */
  readonly total: number;
  /** Guest bytes decoded at a time. */
  readonly chunk: number;
  /** Most bytes of memory that one lane can take. */
  readonly laneMemory: number;
  /** Bytes that stand before the first segment; 0 for flat layouts. */
  readonly headLength: number;
  /**
   * The slot whose bytes wait in memory for the head, since head alone would be too small a part; undefined: the
   * head is a part of its own, or there is none.
   */
  readonly heldSlot: number | undefined;
  /** Fewest bytes of a part that is not the last; 0: no bound. */
  readonly atLeast: number;
  /** Whole units of this coding are stored as they stand in the source; undefined: every unit is decoded. */
  readonly adopts: Coding | undefined;
  /** Slots that cut blocks of the guest digest can give none. */
  readonly guest: "digested" | "left out";
  /** Equal plans have equal digests. */
  readonly digest: string;
}

export async function planTransfer(request: PlanRequest, signal: AbortSignal): Promise<TransferPlan> {
  const { image, layout } = request;
  const plan = layout.shape === "flat" ? await flat(request, signal) : await packed(request, layout, signal);
  const aligned = plan.slots.every(({ range }) => range.offset % GUEST_BLOCK === 0);
  const digest = createHash("sha256");
  digest.update(
    JSON.stringify([
      image.virtualSize,
      layout.virtualSize,
      plan.headLength,
      plan.heldSlot,
      plan.chunk,
      plan.adopts ?? "nothing",
    ]),
  );
  for await (const slot of inTurns(plan.slots, signal))
    digest.update(JSON.stringify([slot.number, slot.kind, slot.range, slot.data]));
  return {
    ...plan,
    total: plan.slots.reduce((sum, slot) => sum + slot.data, 0),
    guest: aligned ? "digested" : "left out",
    digest: digest.digest("hex"),
  };
}

type Cut = Omit<TransferPlan, "total" | "digest" | "guest">;

async function flat(request: PlanRequest, signal: AbortSignal): Promise<Cut> {
  const { image, layout } = request;
  const chunk = chunkOf(image, 1);
  const slots = alongBorders(request) ?? (await planByRule(request, signal));
  const end = slots.at(-1);
  const tail = layout.shape === "flat" ? layout.tail.length : 0;
  if (tail > 0 && (end === undefined || end.kind === "zeros")) {
    const range = { offset: end === undefined ? 0 : endOf(end.range), length: 0 };
    slots.push({ number: slots.length + 1, kind: "data", range, data: 0 });
  }
  return {
    slots,
    chunk,
    laneMemory: 2 * chunk + scratch(image),
    headLength: 0,
    heldSlot: undefined,
    atLeast: 0,
    adopts: undefined,
  };
}

/** Undefined when the destination would not take such parts, or when they would cost the guest digest. */
function alongBorders({ borders, limits }: PlanRequest): Slot[] | undefined {
  if (borders === undefined) return undefined;
  const { parts, kept } = borders;
  const slots = planStored(parts, {
    ...(kept === "all"
      ? { minPart: 1, maxPart: limits.maxPart, maxParts: limits.maxParts }
      : {
          minPart: Math.max(limits.minPart, SMALLEST_PART),
          maxPart: limits.maxPart,
          maxParts: limits.maxParts - 1,
        }),
    minZeros: limits.zeros === "free" ? (kept === "all" ? 1 : Math.max(limits.zeroPart, 1)) : undefined,
  });
  const aligned = slots?.every(({ range }) => range.offset % GUEST_BLOCK === 0);
  return kept === "whole blocks" && !aligned ? undefined : slots;
}

function planByRule({ image, layout, limits, segment }: PlanRequest, signal: AbortSignal): Promise<Slot[]> {
  return planFlat(() => inTurns(writtenExtents(image, layout.virtualSize, signal), signal), {
    size: layout.virtualSize,
    alignment: Math.max(GUEST_BLOCK, image.codedUnit ?? 1),
    preferredPart: segment ?? limits.preferredPart,
    minPart: limits.placement === "parts" ? Math.max(limits.minPart, SMALLEST_PART) : 1,
    maxPart: limits.maxPart,
    // One more may be needed for the footer behind a run of zeros.
    maxParts: limits.maxParts - 1,
    minZeros: limits.zeros === "free" ? Math.max(limits.zeroPart, GUEST_BLOCK) : undefined,
  });
}

/** Segments grow when there would be too many of them, unless the user has said how large they are. */
async function packed(request: PlanRequest, layout: PackedLayout, signal: AbortSignal): Promise<Cut> {
  const { limits, segment } = request;
  if (segment !== undefined) return packedBy(segment, request, layout, signal);
  const large = limits.minPart > SMALLEST_PART ? PACKED_LARGE_SEGMENT : PACKED_SEGMENT;
  const usual = limits.placement === "parts" ? large : PACKED_FILE_SEGMENT;
  const padded = layout.encoding.compression === "none" ? 0 : PACKED_ALIGNMENTS * layout.alignment;
  for (let size = Math.max(usual, padded); ; size *= 2) {
    try {
      return await packedBy(size, request, layout, signal);
    } catch (error) {
      const tooMany = error instanceof Fault && error.code === "LIMIT_EXCEEDED";
      if (!tooMany || size >= PACKED_LARGEST_SEGMENT) throw error;
    }
  }
}

async function packedBy(
  segment: number,
  { image, limits, adopt }: PlanRequest,
  layout: PackedLayout,
  signal: AbortSignal,
): Promise<Cut> {
  const { unit, maxStored } = layout;
  const parts = limits.placement === "parts";
  const alignment = Math.max(GUEST_BLOCK, image.codedUnit ?? 1, unit);
  const atLeast = parts ? Math.max(limits.minPart, SMALLEST_PART) : 0;
  const size = Math.max(segment, alignUp(atLeast, alignment), alignment);
  // Head and tail are parts too.
  const maxSlots = limits.maxParts - 2;
  // Zeros that a larger written disk has beyond the image are left out, or stored like all others.
  const covered = layout.zeros === undefined ? image.virtualSize : layout.virtualSize;
  const { slots: holding, upper } = await planPacked(inTurns(storedExtents(image, layout, signal), signal), {
    size: covered,
    alignment,
    segment: Math.max(alignment, size - (size % alignment)),
    maxSlots,
    unit,
    maxStored,
    tableSpan: layout.tableSpan,
    atLeast,
    firstNumber: 2,
  });
  const covering = { size: covered, alignment, span: ZERO_SPAN, maxSlots, firstNumber: 2 };
  const slots = layout.zeros === undefined ? holding : coverDisk(holding, covering);
  const headLength = layout.headLength(upper, 0);
  // The last segment may be larger by what would be too little to stand alone.
  const most = Math.ceil((size + atLeast) / unit + 1) * maxStored + zerosOf(slots, layout);
  if (parts && most > limits.maxPart) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `a segment of ${size} bytes may need a part of ${most}; use a smaller --segment-size`,
    );
  }
  // A layout without a head has nothing to join, unless there is so little that all of it is one part.
  const joinsHead = headLength < atLeast && (headLength > 0 || slots.length === 1);
  const chunk = chunkOf(image, unit);
  return {
    slots,
    chunk,
    laneMemory: 2 * chunk + most + scratch(image),
    headLength,
    heldSlot: joinsHead ? slots[0]?.number : undefined,
    atLeast,
    adopts: adopt === "coded units" ? commonCoding(image, layout) : undefined,
  };
}

/** Most bytes that the zeros of a slot are stored in. */
function zerosOf(slots: readonly Slot[], { zeros }: PackedLayout): number {
  if (zeros === undefined) return 0;
  const longest = slots.reduce((most, { range, data }) => Math.max(most, range.length - data), 0);
  return Math.ceil(longest * ZERO_SHARE);
}

/** The coding whose units can go from the image to the layout as they are. */
function commonCoding({ coding, order }: Image, { adopts }: PackedLayout): Coding | undefined {
  if (order === "sequential" || coding?.codec !== adopts?.codec || coding?.unit !== adopts?.unit)
    return undefined;
  return coding;
}

/** The image's extents, and the zeros that a larger written disk has beyond them. */
async function* writtenExtents(image: Image, size: number, signal: AbortSignal): AsyncGenerator<Extent> {
  yield* image.extents({ offset: 0, length: image.virtualSize }, signal);
  if (size > image.virtualSize) {
    yield { kind: "zero", offset: image.virtualSize, length: size - image.virtualSize };
  }
}

/** The image's extents; what the layout stores in any case counts as data. */
async function* storedExtents(
  image: Image,
  layout: PackedLayout,
  signal: AbortSignal,
): AsyncGenerator<Extent> {
  const first = layout.alwaysStored === "first unit" ? Math.min(layout.unit, image.virtualSize) : 0;
  if (first > 0) yield { kind: "data", offset: 0, length: first };
  yield* image.extents({ offset: first, length: image.virtualSize - first }, signal);
}

/** Whole units of source and target, and whole blocks of the guest digest. */
function chunkOf(image: Image, unit: number): number {
  const remote = image.sources.some((source) => source.extents === undefined);
  return Math.max(remote ? REMOTE_CHUNK : CHUNK, image.codedUnit ?? 1, unit, GUEST_BLOCK);
}

/** Coded bytes of one read, and one unit that a segment border cuts. */
function scratch(image: Image): number {
  return image.codedUnit === undefined ? 0 : 2 * MiB + 2 * image.codedUnit;
}
