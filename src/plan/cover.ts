/** Plans for formats that store zeros, too: what a packed plan leaves out between its slots is given to them. */
import { endOf, type Range } from "../bytes/range.ts";
import { alignUp } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import type { Slot } from "./slot.ts";

export interface CoverRules {
  /** Guest bytes. */
  readonly size: number;
  /** Every border is a multiple of this. */
  readonly alignment: number;
  /** Longest run of zeros that is added to a slot, or is one; a multiple of `alignment`. */
  readonly span: number;
  /** Slots at most. */
  readonly maxSlots: number;
  /** Number of the first slot. */
  readonly firstNumber: number;
}

/**
 * The same slots, so enlarged that they tile the disk: each takes the zeros behind it, and the first those before it.
 * Longer runs become slots of their own, all of about the same length.
 * @throws Fault LIMIT_EXCEEDED when there would be more than `maxSlots`.
 */
export function coverDisk(slots: readonly Slot[], rules: CoverRules): Slot[] {
  const { size, span, maxSlots, firstNumber } = rules;
  const ranges: { range: Range; data: number }[] = [];
  let at = 0;
  for (const { range, data } of slots) {
    const last = ranges.at(-1);
    const gap = { offset: at, length: range.offset - at };
    let start = range.offset;
    if (gap.length > span) ranges.push(...cut(gap, rules));
    else if (last === undefined) start = at;
    else last.range = { offset: last.range.offset, length: range.offset - last.range.offset };
    ranges.push({ range: { offset: start, length: endOf(range) - start }, data });
    at = endOf(range);
  }
  const last = ranges.at(-1);
  if (last === undefined || size - at > span) ranges.push(...cut({ offset: at, length: size - at }, rules));
  else last.range = { offset: last.range.offset, length: size - last.range.offset };
  if (ranges.length > maxSlots) {
    throw new Fault(
      "LIMIT_EXCEEDED",
      `the disk needs ${ranges.length} parts, and may have ${maxSlots}; use a larger --segment-size`,
    );
  }
  return ranges.map(({ range, data }, index) => ({ number: firstNumber + index, kind: "data", range, data }));
}

/** A run of zeros in as few pieces as `span` allows. */
function cut({ offset, length }: Range, { span, alignment }: CoverRules): { range: Range; data: number }[] {
  const step = alignUp(length / Math.ceil(length / span), alignment);
  const pieces: { range: Range; data: number }[] = [];
  for (let at = 0; at < length; at += step) {
    pieces.push({ range: { offset: offset + at, length: Math.min(step, length - at) }, data: 0 });
  }
  return pieces;
}
