/** How an object is cut for a copy inside its store where its own parts are not to be kept. */
import type { Range } from "../bytes/range.ts";
import { alignUp, MiB } from "../bytes/units.ts";

/** Long enough that requests do not count, short enough that progress shows and that a failed one costs little. */
const COPY_PART = 256 * MiB;

export interface CopyRules {
  readonly maxPart: number;
  readonly maxParts: number;
}

/**
 * Ranges of one length, the last one excepted, that tile the object.
 * @param wished length; absent: a good one. More ranges than allowed make it longer.
 * @returns undefined when the object is larger than all parts together can be.
 */
export function copyRanges(
  size: number,
  { maxPart, maxParts }: CopyRules,
  wished: number = COPY_PART,
): readonly Range[] | undefined {
  const length = Math.max(Math.min(wished, maxPart), alignUp(Math.ceil(size / maxParts), MiB));
  if (length > maxPart) return undefined;
  const ranges: Range[] = [];
  for (let offset = 0; offset < size; offset += length) {
    ranges.push({ offset, length: Math.min(length, size - offset) });
  }
  return ranges;
}
