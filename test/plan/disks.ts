/** Random disks as lists of extents, and what must hold of any cut of them. */
import fc from "fast-check";
import { expect } from "vitest";
import { type Extent, endOf, type Range } from "../../src/bytes/range.ts";
import { KiB } from "../../src/bytes/units.ts";

/** Lengths around the borders that rounding has to get right, and anything between. */
const length = fc.oneof(
  fc.integer({ min: 1, max: 5 }).map((n) => n * 64 * KiB),
  fc.integer({ min: 1, max: 1024 * KiB }),
  fc.constantFrom(1, 511, 512, 4096, 65535, 65537),
);

/** Extents that tile a disk from 0; neighbours may be of one kind. */
export const extentLists: fc.Arbitrary<Extent[]> = fc
  .array(fc.record({ kind: fc.constantFrom("zero", "data"), length }), { maxLength: 40 })
  .map((parts) => {
    let offset = 0;
    return parts.map((part) => {
      const extent: Extent = { kind: part.kind as Extent["kind"], offset, length: part.length };
      offset += part.length;
      return extent;
    });
  });

export function sizeOf(extents: readonly Extent[]): number {
  const last = extents.at(-1);
  return last === undefined ? 0 : endOf(last);
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

export async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function expectTiling(ranges: readonly Range[], size: number): void {
  let at = 0;
  for (const range of ranges) {
    expect(range.offset).toBe(at);
    expect(range.length).toBeGreaterThan(0);
    at = endOf(range);
  }
  expect(at).toBe(size);
}

/** How many bytes two ranges have in common. */
export function overlap(a: Range, b: Range): number {
  return Math.max(0, Math.min(endOf(a), endOf(b)) - Math.max(a.offset, b.offset));
}
