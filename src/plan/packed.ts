/** Plans for packed layouts: the guest is cut into segments of whole units; long runs of zeros are left out. */
import { type Extent, endOf } from "../bytes/range.ts";
import { alignUp, GiB } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import type { UpperBound } from "../format/format.ts";
import { runs } from "./runs.ts";
import type { Slot } from "./slot.ts";

export interface PackedRules {
  /** Guest bytes. */
  readonly size: number;
  /** Every border is a multiple of this: source unit, target unit and the digest's block. A power of two. */
  readonly alignment: number;
  /** Guest bytes that may hold data, per segment at most, `atLeast` or more: a lane's buffer must hold them plain. */
  readonly segment: number;
  /** Slots at most; the head is not counted. */
  readonly maxSlots: number;
  /** Guest bytes of the target's unit, and most bytes it takes when stored. */
  readonly unit: number;
  readonly maxStored: number;
  /** Guest bytes covered by one metadata table of the target. */
  readonly tableSpan: number;
  /** Fewest stored bytes of a part: a segment with less data reaches into the zeros behind it, to be filled up. */
  readonly atLeast: number;
  /** Number of the first slot. */
  readonly firstNumber: number;
}

export interface PackedPlan {
  readonly slots: readonly Slot[];
  readonly upper: UpperBound;
}

/** A segment's unit table has an entry per unit, also for zeros: this bounds its length. */
const MAX_UNITS = 64 * 1024;

/**
 * Gathers data into segments of at most `segment` bytes, the last one of at most `atLeast` more; a segment may span
 * zeros.
 * @throws Fault LIMIT_EXCEEDED when there would be more than `maxSlots` segments.
 */
export async function planPacked(extents: AsyncIterable<Extent>, rules: PackedRules): Promise<PackedPlan> {
  const { alignment, segment, unit, size } = rules;
  // Wide enough that a segment filled up to `atLeast` never reaches the next one.
  const span = Math.max(segment, 2 * rules.atLeast, Math.min(unit * MAX_UNITS, 4 * GiB));
  const slots: Slot[] = [];
  const upper = upperBound(rules);
  let open: { offset: number; end: number; data: number } | undefined;

  const close = (): void => {
    if (open === undefined) return;
    if (slots.length === rules.maxSlots) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `the disk needs more than ${rules.maxSlots} parts with segments of ${segment} bytes; use a larger --segment-size`,
      );
    }
    const filled = open.offset + alignUp(rules.atLeast, alignment);
    const end = open.data < rules.atLeast ? Math.min(size, Math.max(open.end, filled)) : open.end;
    slots.push({
      number: rules.firstNumber + slots.length,
      kind: "data",
      range: { offset: open.offset, length: end - open.offset },
      data: open.data,
    });
    upper.addSegment(open.offset, end, open.data);
    open = undefined;
  };

  for await (const run of runs(extents, { alignment, minZeros: alignment, minData: 0, size })) {
    if (run.kind === "zero") continue;
    for (let offset = run.offset; offset < endOf(run); ) {
      if (open !== undefined && (open.data >= segment || offset - open.offset >= span)) close();
      open ??= { offset, end: offset, data: 0 };
      const take = Math.min(endOf(run) - offset, segment - open.data, open.offset + span - offset);
      upper.addData(offset, offset + take);
      open.data += take;
      offset += take;
      open.end = offset;
    }
  }
  close();
  enlargeLast(slots, rules, upper);
  return { slots, upper: upper.bound() };
}

/**
 * What stands at the end of the disk has no zeros behind it to be filled up with: it reaches back into the zeros
 * before it, or, where data stands there, joins the segment before it.
 */
function enlargeLast(slots: Slot[], rules: PackedRules, upper: ReturnType<typeof upperBound>): void {
  const last = slots.at(-1);
  const before = slots.at(-2);
  if (last === undefined || before === undefined || last.range.length >= rules.atLeast) return;
  const end = endOf(last.range);
  const offset = end - alignUp(rules.atLeast, rules.alignment);
  const start = Math.max(endOf(before.range), offset - (offset % rules.alignment));
  if (end - start >= rules.atLeast) {
    slots.splice(-1, 1, { ...last, range: { offset: start, length: end - start } });
    upper.addSegment(start, end, 0);
    return;
  }
  const range = { offset: before.range.offset, length: end - before.range.offset };
  slots.splice(-2, 2, { ...before, range, data: before.data + last.data });
}

/** Adds up the most that can come to be stored: all data, and the zeros that fill a segment up to `atLeast`. */
function upperBound({ unit, maxStored, tableSpan, atLeast }: PackedRules) {
  // A segment is filled with whole units until it is large enough.
  const filling = atLeast === 0 ? 0 : Math.ceil(atLeast / unit) + 1;
  const all = tableCounter(tableSpan);
  let own = tableCounter(tableSpan);
  let tables = 0;
  let units = 0;
  return {
    addData(start: number, end: number): void {
      all.add(start, end);
      own.add(start, end);
    },
    addSegment(start: number, end: number, data: number): void {
      // One more is the padding to the layout's alignment, which is at most maxStored.
      units += Math.max(Math.ceil(data / unit), filling) + 1;
      const spanned = tableCounter(tableSpan);
      spanned.add(start, end);
      const filled = filling === 0 ? 0 : Math.ceil((filling * unit) / tableSpan) + 1;
      tables += Math.min(spanned.count - own.count, filled);
      own = tableCounter(tableSpan);
    },
    bound: (): UpperBound => ({ tables: tables + all.count, bytes: units * maxStored }),
  };
}

/** Counts the distinct tables that ascending ranges touch. */
function tableCounter(span: number): { add(start: number, end: number): void; readonly count: number } {
  let count = 0;
  let last = -1;
  return {
    add(start, end) {
      const from = Math.max(last + 1, Math.floor(start / span));
      const to = Math.floor((end - 1) / span);
      count += Math.max(0, to - from + 1);
      last = Math.max(last, to);
    },
    get count() {
      return count;
    },
  };
}
