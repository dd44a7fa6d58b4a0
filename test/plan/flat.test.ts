import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Extent } from "../../src/bytes/range.ts";
import { alignUp, GiB, KiB, MiB, TiB } from "../../src/bytes/units.ts";
import { Fault } from "../../src/fault/fault.ts";
import { type FlatRules, planFlat } from "../../src/plan/flat.ts";
import { each, expectTiling, extentLists, overlap, sizeOf } from "./disks.ts";

const UNIT = 64 * KiB;

/** Rules as stores have them: the smallest zero run is at least the smallest part. */
const rules = fc
  .record({
    alignment: fc.constantFrom(UNIT, 2 * UNIT),
    preferredPart: fc.constantFrom(1, UNIT, 3 * UNIT, 5 * UNIT + 1, 8 * UNIT, 1000 * UNIT),
    minPart: fc.constantFrom(1, UNIT, 2 * UNIT, 100_000),
    maxPart: fc.constantFrom(8 * UNIT, 16 * UNIT, 64 * UNIT),
    maxParts: fc.constantFrom(20, 1000),
    zeros: fc.constantFrom(undefined, 1, 3),
  })
  .map(({ zeros, ...rest }) => ({
    ...rest,
    minZeros: zeros === undefined ? undefined : alignUp(rest.minPart, UNIT) * zeros,
  }));

async function plan(extents: readonly Extent[], rule: Omit<FlatRules, "size">) {
  const size = sizeOf(extents);
  return planFlat(() => each(extents), { ...rule, size }).catch((error: unknown) => {
    expect((error as Fault).code).toBe("LIMIT_EXCEEDED");
    expect(size).toBeGreaterThan(Math.floor(rule.maxParts / 4) * rule.maxPart);
    return undefined;
  });
}

describe("the plan of a flat layout", () => {
  it("tiles the disk with slots in ascending numbers, none of them too many", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const slots = await plan(extents, rule);
        if (slots === undefined) return;
        expectTiling(
          slots.map(({ range }) => range),
          sizeOf(extents),
        );
        expect(slots.map(({ number }) => number)).toEqual(slots.map((_, i) => i + 1));
        expect(slots.length).toBeLessThanOrEqual(rule.maxParts);
        for (const { range } of slots) expect(range.offset % rule.alignment).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("makes no part larger than the store takes, and none smaller, the last excepted", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const slots = (await plan(extents, rule)) ?? [];
        for (const { range } of slots) expect(range.length).toBeLessThanOrEqual(rule.maxPart);
        for (const { range } of slots.slice(0, -1)) {
          expect(range.length).toBeGreaterThanOrEqual(rule.minPart);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("lands no data byte as zeros, and no short run of zeros on its own", async () => {
    await fc.assert(
      fc.asyncProperty(extentLists, rules, async (extents, rule) => {
        const slots = (await plan(extents, rule)) ?? [];
        const zeros = slots.filter(({ kind }) => kind === "zeros");
        if (rule.minZeros === undefined) expect(zeros).toEqual([]);
        for (const slot of zeros) {
          expect(slot.data).toBe(0);
          for (const extent of extents) {
            if (extent.kind === "data") expect(overlap(slot.range, extent)).toBe(0);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("lets parts grow when there would be too many", async () => {
    const slots = await planFlat(() => each([{ kind: "data", offset: 0, length: 100 * MiB }]), {
      size: 100 * MiB,
      alignment: UNIT,
      preferredPart: MiB,
      minPart: MiB,
      maxPart: 64 * MiB,
      maxParts: 10,
      minZeros: undefined,
    });
    expect(slots.map(({ range }) => range.length / MiB)).toEqual([16, 16, 16, 16, 16, 16, 4]);
  });

  it("refuses a disk that does not fit, and says what the bound is", async () => {
    const tooLarge = planFlat(() => each([{ kind: "data", offset: 0, length: 100 * MiB }]), {
      size: 100 * MiB,
      alignment: UNIT,
      preferredPart: MiB,
      minPart: MiB,
      maxPart: 4 * MiB,
      maxParts: 10,
      minZeros: undefined,
    });
    await expect(tooLarge).rejects.toThrow(
      new Fault(
        "LIMIT_EXCEEDED",
        "the disk has 104857600 bytes, more than 10 parts of at most 4194304 bytes can hold",
      ),
    );
  });

  it.each([
    ["1 TiB", TiB],
    ["8 TiB", 8 * TiB],
  ])(
    "of %s with a little data everywhere stays within 10 000 parts, and walks the disk few times",
    async (_name, size) => {
      const step = 64 * MiB;
      let walks = 0;
      let seen = 0;
      async function* scattered(): AsyncGenerator<Extent> {
        walks += 1;
        for (let offset = 0; offset < size; offset += step) {
          seen += 1;
          yield { kind: "data", offset, length: UNIT };
          yield { kind: "zero", offset: offset + UNIT, length: step - UNIT };
        }
      }
      const slots = await planFlat(scattered, {
        size,
        alignment: UNIT,
        preferredPart: 64 * MiB,
        minPart: 5 * MiB,
        maxPart: 5 * GiB,
        maxParts: 9_999,
        minZeros: 5 * MiB,
      });
      expectTiling(
        slots.map(({ range }) => range),
        size,
      );
      expect(slots.length).toBeLessThanOrEqual(9_999);
      // Each walk doubles the part: no more walks than doublings from 64 MiB to 5 GiB.
      expect(walks).toBeLessThanOrEqual(7);
      expect(seen).toBeLessThanOrEqual((7 * size) / step);
    },
  );
});
