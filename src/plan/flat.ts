/** Plans for flat layouts: output offset = guest offset. */
import { type Extent, endOf } from "../bytes/range.ts";
import { alignDown, alignUp } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import { runs } from "./runs.ts";
import type { Slot } from "./slot.ts";

export interface FlatRules {
  /** Guest bytes. */
  readonly size: number;
  /** Every border is a multiple of this: the image's unit and the digest's block. A power of two. */
  readonly alignment: number;
  /** Bytes of a data part, within what the store takes, unless the number of parts forces larger ones. */
  readonly preferredPart: number;
  readonly minPart: number;
  readonly maxPart: number;
  /** Slots at most. */
  readonly maxParts: number;
  /** Shortest run of zeros worth a slot of its own; absent: zeros are planned as data. */
  readonly minZeros: number | undefined;
}

/**
 * Cuts a disk into slots: runs of zeros, and runs of data in parts of about `preferredPart`. Parts grow when there
 * would be too many of them.
 * @param extents gives the image's extents anew at each call.
 * @throws Fault LIMIT_EXCEEDED when the disk does not fit into `maxParts` parts of `maxPart` bytes.
 */
export async function planFlat(extents: () => AsyncIterable<Extent>, rules: FlatRules): Promise<Slot[]> {
  const largest = alignDown(rules.maxPart, rules.alignment);
  const first = Math.min(largest, alignUp(Math.max(rules.preferredPart, rules.minPart), rules.alignment));
  for (let part = first; ; part = Math.min(part * 2, largest)) {
    const slots = await cut(extents(), rules, part, part / first);
    if (slots !== undefined) return slots;
    if (part === largest) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `the disk has ${rules.size} bytes, more than ${rules.maxParts} parts of at most ${rules.maxPart} bytes can hold`,
      );
    }
  }
}

async function cut(
  extents: AsyncIterable<Extent>,
  rules: FlatRules,
  part: number,
  growth: number,
): Promise<Slot[] | undefined> {
  const { size, alignment, minPart, maxPart, maxParts } = rules;
  const minZeros =
    rules.minZeros === undefined ? Number.POSITIVE_INFINITY : rules.minZeros * Math.max(1, growth);
  const slots: Slot[] = [];
  for await (const run of runs(extents, { alignment, minZeros, minData: minPart, size })) {
    const zeros = run.kind === "zero";
    // Zeros cost nothing however long they are, so they are cut as coarsely as the store allows.
    const most = zeros ? alignDown(maxPart, alignment) : part;
    for (let offset = run.offset; offset < endOf(run); ) {
      const length = firstOf(endOf(run) - offset, most, rules);
      if (slots.length === maxParts) return undefined;
      slots.push({
        number: slots.length + 1,
        kind: zeros ? "zeros" : "data",
        range: { offset, length },
        data: zeros ? 0 : length,
      });
      offset += length;
    }
  }
  return slots;
}

/** Bytes of the first part of `left`. A remainder too small to stand alone joins it, or is made larger from it. */
function firstOf(left: number, most: number, { alignment, minPart, maxPart }: FlatRules): number {
  if (left <= most) return left;
  if (left - most >= minPart) return most;
  if (left <= maxPart) return left;
  const shorter = most - alignUp(minPart, alignment);
  return shorter >= minPart ? shorter : most;
}
