import fc from "fast-check";
import { expect, it } from "vitest";
import { alignUp, GiB, KiB, TiB } from "../../src/bytes/units.ts";
import { type CoverRules, coverDisk } from "../../src/plan/cover.ts";
import { planPacked } from "../../src/plan/packed.ts";
import type { Slot } from "../../src/plan/slot.ts";
import { each, expectTiling, extentLists, sizeOf } from "./disks.ts";

const UNIT = 64 * KiB;
const RULES = { alignment: UNIT, span: 8 * UNIT, maxSlots: 1000, firstNumber: 2 };

function planned(extents: Parameters<typeof sizeOf>[0]): Promise<{ readonly slots: readonly Slot[] }> {
  return planPacked(each(extents), {
    size: sizeOf(extents),
    alignment: UNIT,
    segment: 2 * UNIT,
    maxSlots: 1000,
    unit: UNIT,
    maxStored: UNIT + 512,
    tableSpan: 8 * UNIT,
    atLeast: 0,
    firstNumber: 2,
  });
}

it("tiles the disk, moves no data to another slot, and bounds the zeros of each", async () => {
  await fc.assert(
    fc.asyncProperty(extentLists, async (extents) => {
      const size = sizeOf(extents);
      fc.pre(size > 0);
      const { slots } = await planned(extents);
      const covered = coverDisk(slots, { ...RULES, size });
      expectTiling(
        covered.map(({ range }) => range),
        size,
      );
      expect(covered.map(({ number }) => number)).toEqual(covered.map((_, index) => 2 + index));
      expect(covered.every(({ kind, range }) => kind === "data" && range.offset % UNIT === 0)).toBe(true);
      const holding = covered.filter(({ data }) => data > 0);
      expect(holding.map(({ data }) => data)).toEqual(slots.map(({ data }) => data));
      for (const [index, { range }] of slots.entries()) {
        const around = holding[index]?.range ?? { offset: 0, length: 0 };
        expect(around.offset).toBeLessThanOrEqual(range.offset);
        expect(around.length).toBeGreaterThanOrEqual(range.length);
        // The first may have zeros on both sides.
        expect(around.length - range.length).toBeLessThanOrEqual((index === 0 ? 2 : 1) * RULES.span);
      }
      for (const { data, range } of covered)
        if (data === 0) expect(range.length).toBeLessThanOrEqual(RULES.span);
    }),
  );
});

it.each([
  ["nothing but zeros", 10 * TiB, []],
  ["a disk as large as a span", 8 * GiB, []],
  ["a unit more than a span", 8 * GiB + UNIT, []],
  ["data at the end", 9 * TiB, [{ offset: 9 * TiB - UNIT, length: UNIT }]],
] as const)("%s: runs of zeros are of about the same length, and none is short", (_, size, ranges) => {
  const rules: CoverRules = { ...RULES, span: 8 * GiB, maxSlots: 10_000, size };
  const slots = ranges.map(
    (range, index) => ({ number: index + 2, kind: "data", range, data: UNIT }) as const,
  );
  const covered = coverDisk(slots, rules);
  expectTiling(
    covered.map(({ range }) => range),
    size,
  );
  const lengths = covered.filter(({ data }) => data === 0).map(({ range }) => range.length);
  expect(lengths.length).toBe(Math.ceil((size - ranges.length * UNIT) / rules.span));
  expect(Math.max(...lengths)).toBeLessThanOrEqual(rules.span);
  expect(Math.min(...lengths)).toBeGreaterThan(alignUp(Math.max(...lengths) / 2, UNIT) - UNIT);
});

it("refuses more slots than the store takes", () => {
  const rules = { ...RULES, size: 100 * UNIT, span: UNIT, maxSlots: 99 };
  expect(() => coverDisk([], rules)).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  expect(coverDisk([], { ...rules, maxSlots: 100 })).toHaveLength(100);
});
