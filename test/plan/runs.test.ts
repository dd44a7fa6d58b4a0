import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endOf } from "../../src/bytes/range.ts";
import { KiB } from "../../src/bytes/units.ts";
import { runs } from "../../src/plan/runs.ts";
import { each, expectTiling, extentLists, gather, overlap, sizeOf } from "./disks.ts";

const rules = fc.record({
  alignment: fc.constantFrom(512, 64 * KiB, 256 * KiB),
  minZeros: fc.constantFrom(1, 64 * KiB, 200_000, 1024 * KiB),
  minData: fc.constantFrom(0, 1, 64 * KiB, 100_000, 700 * KiB),
});

describe("runs of zeros and data", () => {
  it("tile the disk, alternate in kind, and begin on multiples of the alignment", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const size = sizeOf(extents);
        const found = await gather(runs(each(extents), { ...rule, size }));
        expectTiling(found, size);
        for (const run of found) expect(run.offset % rule.alignment).toBe(0);
        for (const [i, run] of found.entries()) expect(run.kind).not.toBe(found[i + 1]?.kind);
      }),
      { numRuns: 500 },
    );
  });

  it("never call a data byte zero", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const found = await gather(runs(each(extents), { ...rule, size: sizeOf(extents) }));
        const zeros = found.filter(({ kind }) => kind === "zero");
        const data = extents.filter(({ kind }) => kind === "data");
        for (const run of zeros) for (const extent of data) expect(overlap(run, extent)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("keep the shortest lengths, except at the end of the disk", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const size = sizeOf(extents);
        const found = await gather(runs(each(extents), { ...rule, size }));
        for (const run of found) {
          const least = run.kind === "zero" ? rule.minZeros : rule.minData;
          if (run.kind === "zero" || endOf(run) < size) expect(run.length).toBeGreaterThanOrEqual(least);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("take no zeros as data that the rules do not ask for", async () => {
    const extents = [
      { kind: "zero", offset: 0, length: 3 * 65536 },
      { kind: "data", offset: 3 * 65536, length: 10 },
      { kind: "zero", offset: 3 * 65536 + 10, length: 9 * 65536 - 10 },
    ] as const;
    const found = await gather(
      runs(each(extents), { alignment: 65536, minZeros: 65536, minData: 0, size: 12 * 65536 }),
    );
    expect(found).toEqual([
      { kind: "zero", offset: 0, length: 3 * 65536 },
      { kind: "data", offset: 3 * 65536, length: 65536 },
      { kind: "zero", offset: 4 * 65536, length: 8 * 65536 },
    ]);
  });

  it("of nothing are none", async () => {
    expect(await gather(runs(each([]), { alignment: 65536, minZeros: 65536, minData: 0, size: 0 }))).toEqual(
      [],
    );
  });
});
