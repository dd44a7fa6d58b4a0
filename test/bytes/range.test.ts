import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Extent, endOf, intersect, mergeExtents } from "../../src/bytes/range.ts";

const range = fc.record({ offset: fc.nat(100), length: fc.nat(60) });

function bytesOf({ offset, length }: { offset: number; length: number }): Set<number> {
  return new Set(Array.from({ length }, (_, i) => offset + i));
}

describe("ranges", () => {
  it("meet in the bytes that both hold", () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        expect(bytesOf(intersect(a, b))).toEqual(bytesOf(a).intersection(bytesOf(b)));
      }),
    );
  });

  it("end behind their last byte", () => {
    expect(endOf({ offset: 7, length: 5 })).toBe(12);
  });
});

describe("merging extents", () => {
  it("keeps every byte's kind, drops empty runs, and leaves no neighbours of one kind", async () => {
    const parts = fc.array(fc.record({ kind: fc.constantFrom("zero", "data"), length: fc.nat(5) }));
    await fc.assert(
      fc.asyncProperty(parts, async (list) => {
        let offset = 0;
        const extents = list.map(({ kind, length }) => {
          const extent: Extent = { kind: kind as Extent["kind"], offset, length };
          offset += length;
          return extent;
        });
        const merged: Extent[] = [];
        for await (const extent of mergeExtents(extents)) merged.push(extent);
        const kinds = (all: readonly Extent[]) => all.map((e) => e.kind[0]?.repeat(e.length)).join("");
        expect(kinds(merged)).toBe(kinds(extents));
        for (const [i, extent] of merged.entries()) {
          expect(extent.length).toBeGreaterThan(0);
          expect(extent.kind).not.toBe(merged[i + 1]?.kind);
          expect(endOf(extent)).toBe(merged[i + 1]?.offset ?? offset);
        }
      }),
    );
  });
});
