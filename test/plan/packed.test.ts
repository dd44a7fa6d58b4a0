import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Extent, endOf, type Range } from "../../src/bytes/range.ts";
import { alignUp, GiB, KiB, MiB, TiB } from "../../src/bytes/units.ts";
import { type PackedRules, planPacked } from "../../src/plan/packed.ts";
import { each, extentLists, overlap, sizeOf } from "./disks.ts";

const UNIT = 64 * KiB;

const rules: fc.Arbitrary<Omit<PackedRules, "size">> = fc
  .record({
    unit: fc.constantFrom(512, 4 * KiB, UNIT, 4 * UNIT),
    segments: fc.constantFrom(1, 2, 7),
    maxSlots: fc.constantFrom(1000),
    tables: fc.constantFrom(1, 8, 100),
    atLeast: fc.constantFrom(0, 100_000, 3 * UNIT),
  })
  .map(({ unit, segments, maxSlots, tables, atLeast }) => {
    const alignment = Math.max(UNIT, unit);
    return {
      alignment,
      segment: alignUp(Math.max(segments * alignment, atLeast), alignment),
      maxSlots,
      unit,
      maxStored: unit + 512,
      tableSpan: tables * unit,
      atLeast,
      firstNumber: 2,
    };
  });

/** The units that a data extent touches. */
function unitsOf(extents: readonly Extent[], unit: number): Set<number> {
  const touched = new Set<number>();
  for (const { kind, offset, length } of extents) {
    if (kind === "zero") continue;
    for (let index = Math.floor(offset / unit); index * unit < offset + length; index += 1)
      touched.add(index);
  }
  return touched;
}

/**
 * The units of a segment that are stored: those that hold data, and when these are less than the smallest part, so
 * many of the zeros, counted from the first, as fill it up.
 */
function storedUnits(
  range: Range,
  { unit, atLeast }: Pick<PackedRules, "unit" | "atLeast">,
  isData: (unit: number) => boolean,
): number[] {
  const data: number[] = [];
  const zeros: number[] = [];
  for (let index = range.offset / unit; index * unit < endOf(range); index += 1) {
    (isData(index) ? data : zeros).push(index);
  }
  const missing = Math.max(0, atLeast - data.length * unit);
  return [...data, ...zeros.slice(0, Math.ceil(missing / unit))];
}

describe("the plan of a packed layout", () => {
  it("puts every data byte into exactly one segment", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const { slots } = await planPacked(each(extents), { ...rule, size: sizeOf(extents) });
        for (const extent of extents) {
          if (extent.kind === "zero") continue;
          const covered = slots.reduce((sum, slot) => sum + overlap(slot.range, extent), 0);
          expect(covered).toBe(extent.length);
        }
        slots.reduce((end, { range }) => {
          expect(range.offset).toBeGreaterThanOrEqual(end);
          return endOf(range);
        }, 0);
      }),
      { numRuns: 500 },
    );
  });

  it("makes segments that are aligned, bounded and numbered in guest order", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const size = sizeOf(extents);
        const { slots } = await planPacked(each(extents), { ...rule, size });
        expect(slots.map(({ number }) => number)).toEqual(slots.map((_, i) => i + 2));
        for (const { kind, range, data } of slots) {
          expect(kind).toBe("data");
          expect(range.offset % rule.alignment).toBe(0);
          if (endOf(range) !== size) expect(range.length % rule.alignment).toBe(0);
          expect(data).toBeGreaterThan(0);
          // The last one may have joined with what was too little to stand alone.
          const joined = endOf(range) === size ? rule.atLeast : 0;
          expect(data).toBeLessThanOrEqual(rule.segment + joined);
          expect(endOf(range)).toBeLessThanOrEqual(size);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives each of several segments enough guest bytes to be filled up to the smallest part", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const size = sizeOf(extents);
        const { slots } = await planPacked(each(extents), { ...rule, size });
        if (slots.length < 2) return;
        for (const { range } of slots) expect(range.length).toBeGreaterThanOrEqual(rule.atLeast);
      }),
      { numRuns: 500 },
    );
  });

  it("bounds tables and bytes from above, whatever the data turns out to be", async () => {
    const content = fc.infiniteStream(fc.boolean());
    await fc.assert(
      fc.asyncProperty(extentLists, rules, content, async (extents, rule, isData) => {
        const { slots, upper } = await planPacked(each(extents), { ...rule, size: sizeOf(extents) });
        const mayHoldData = unitsOf(extents, rule.unit);
        const tables = new Set<number>();
        let bytes = 0;
        for (const { range } of slots) {
          const stored = storedUnits(
            range,
            rule,
            (unit) => mayHoldData.has(unit) && isData.next().value === true,
          );
          for (const unit of stored) tables.add(Math.floor((unit * rule.unit) / rule.tableSpan));
          bytes += stored.length * rule.maxStored;
        }
        expect(upper.tables).toBeGreaterThanOrEqual(tables.size);
        expect(upper.bytes).toBeGreaterThanOrEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("bounds them closely where nothing has to be filled up", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const { slots, upper } = await planPacked(each(extents), {
          ...rule,
          atLeast: 0,
          size: sizeOf(extents),
        });
        // What rounding to the alignment and the end of the disk add, and a padding for each segment.
        const aligned = unitsOf(extents, rule.alignment).size + 1;
        expect(upper.bytes).toBeLessThanOrEqual(
          ((aligned * rule.alignment) / rule.unit + slots.length) * rule.maxStored,
        );
        expect(upper.tables).toBeLessThanOrEqual(aligned * Math.ceil(rule.alignment / rule.tableSpan + 1));
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a disk that needs more segments than the store takes parts", async () => {
    const plan = planPacked(each([{ kind: "data", offset: 0, length: 10 * MiB }]), {
      size: 10 * MiB,
      alignment: UNIT,
      segment: MiB,
      maxSlots: 9,
      unit: UNIT,
      maxStored: UNIT,
      tableSpan: GiB,
      atLeast: 0,
      firstNumber: 2,
    });
    await expect(plan).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    await expect(plan).rejects.toThrow(/more than 9 parts .* use a larger --segment-size/);
  });

  it("of a disk without data is empty", async () => {
    const { slots, upper } = await planPacked(each([{ kind: "zero", offset: 0, length: TiB }]), {
      size: TiB,
      alignment: UNIT,
      segment: 64 * MiB,
      maxSlots: 10_000,
      unit: UNIT,
      maxStored: UNIT,
      tableSpan: 512 * MiB,
      atLeast: 0,
      firstNumber: 2,
    });
    expect(slots).toEqual([]);
    expect(upper).toEqual({ tables: 0, bytes: 0 });
  });

  it.each([
    ["1 TiB", TiB],
    ["8 TiB", 8 * TiB],
  ])(
    "of %s with a unit of data in every 16 MiB makes segments of bounded span, and few of them",
    async (_name, size) => {
      async function* scattered(): AsyncGenerator<Extent> {
        for (let offset = 0; offset < size; offset += 16 * MiB) {
          yield { kind: "data", offset, length: UNIT };
          yield { kind: "zero", offset: offset + UNIT, length: 16 * MiB - UNIT };
        }
      }
      const { slots, upper } = await planPacked(scattered(), {
        size,
        alignment: UNIT,
        segment: 64 * MiB,
        maxSlots: 9_998,
        unit: UNIT,
        maxStored: UNIT,
        tableSpan: 512 * MiB,
        atLeast: 5 * MiB,
        firstNumber: 2,
      });
      // A segment's unit table has an entry per unit, zeros included: it must stay small.
      for (const { range } of slots) expect(range.length).toBeLessThanOrEqual(4 * GiB + 5 * MiB);
      expect(slots.length).toBeLessThanOrEqual(size / (4 * GiB) + 1);
      expect(upper.tables).toBe(size / (512 * MiB));
      const filled = Math.max(256, (5 * MiB) / UNIT + 1);
      expect(upper.bytes).toBe(slots.length * (filled + 1) * UNIT);
    },
  );
});
