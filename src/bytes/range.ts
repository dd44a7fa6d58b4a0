/** Half-open byte ranges. */

/** `length` bytes from `offset`. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A run of guest bytes that is known to read as zeros, or that may hold anything. */
export interface Extent extends Range {
  readonly kind: "zero" | "data";
}

export function endOf(range: Range): number {
  return range.offset + range.length;
}

/** The part of `range` inside `bounds`; its length is 0 where they do not meet. */
export function intersect(range: Range, bounds: Range): Range {
  const offset = Math.max(range.offset, bounds.offset);
  return { offset, length: Math.max(0, Math.min(endOf(range), endOf(bounds)) - offset) };
}

/** Joins neighbouring extents of one kind, so that a reader sees each run once; drops empty ones. */
export async function* mergeExtents(
  extents: AsyncIterable<Extent> | Iterable<Extent>,
): AsyncGenerator<Extent> {
  let pending: Extent | undefined;
  for await (const extent of extents) {
    if (extent.length === 0) continue;
    if (pending !== undefined && pending.kind === extent.kind) {
      pending = { ...pending, length: pending.length + extent.length };
    } else {
      if (pending !== undefined) yield pending;
      pending = extent;
    }
  }
  if (pending !== undefined) yield pending;
}
