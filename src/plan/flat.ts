/** Plans for flat layouts: output offset = guest offset. */
import { type Extent, endOf } from "../bytes/range.ts";
import { alignUp } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import { runs } from "./runs.ts";
import type { Slot } from "./slot.ts";

export interface FlatRules {
  /** Guest bytes. */
  readonly size: number;
  /** Every border is a multiple of this: the image's unit and the digest's block. A power of two. */
  readonly alignment: number;
  /** Bytes of a data part, unless the number of parts forces larger ones. */
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
  for (let part = rules.preferredPart; ; part *= 2) {
    if (part > rules.maxPart) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `the disk has ${rules.size} bytes, more than ${rules.maxParts} parts of at most ${rules.maxPart} bytes can hold`,
      );
    }
    const growth = part / rules.preferredPart;
    const slots = await cut(extents(), rules, part, growth);
    if (slots !== undefined) return slots;
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
    const most = zeros ? maxPart - (maxPart % alignment) : alignUp(part, alignment);
    for (let offset = run.offset; offset < endOf(run); ) {
      const left = endOf(run) - offset;
      // A remainder too small to stand alone joins the part before it.
      const length = left <= most || (left - most < minPart && left <= maxPart) ? left : most;
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
