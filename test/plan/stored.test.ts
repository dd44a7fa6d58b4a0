import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import { planStored, type StoredRules, type StoredRun } from "../../src/plan/stored.ts";

const rules: StoredRules = { minPart: 1, maxPart: 64 * MiB, maxParts: 100, minZeros: 1 };

/** Runs of these lengths, one behind the other; negative ones are zeros. */
function runs(...lengths: number[]): StoredRun[] {
  let offset = 0;
  return lengths.map((length) => {
    const run = { offset, length: Math.abs(length), ...(length < 0 ? { zero: true as const } : {}) };
    offset += run.length;
    return run;
  });
}

const cut = (lengths: number[], given: Partial<StoredRules> = {}) =>
  planStored(runs(...lengths), { ...rules, ...given })?.map(({ kind, range: { length } }) =>
    kind === "zeros" ? -length : length,
  );

describe("a plan along stored borders", () => {
  it("has a slot for each run, and one for neighbouring zeros", () => {
    expect(cut([5, 7, -3, -4, 9])).toEqual([5, 7, -7, 9]);
  });

  it("joins runs that are too short to be parts with what follows", () => {
    expect(cut([5, 7, 9, 2], { minPart: 6 })).toEqual([12, 9, 2]);
    expect(cut([5, -20, 9], { minPart: 6 })).toEqual([25, 9]);
  });

  it("takes short zeros, and all where zeros cost as much, for data", () => {
    expect(cut([9, -3, 9], { minZeros: 4 })).toEqual([9, 3, 9]);
    expect(cut([9, -3, 9], { minZeros: undefined })).toEqual([9, 3, 9]);
  });

  it("divides runs that are too long into parts of like size", () => {
    expect(cut([100 * MiB, 3])).toEqual([50 * MiB, 50 * MiB, 3]);
    expect(cut([-130 * MiB])).toEqual([-44 * MiB, -44 * MiB, -42 * MiB]);
  });

  it("is none when there would be too many parts", () => {
    expect(cut([1, 2, 3], { maxParts: 2 })).toBeUndefined();
  });

  it("tiles what is stored with parts that fit, and calls no data zeros", () => {
    const length = fc.integer({ min: 1, max: 400 * MiB });
    const lengths = fc.array(
      fc.oneof(
        length,
        length.map((n) => -n),
      ),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 32 * MiB }), (given, minPart) => {
        const stored = runs(...given);
        const slots = planStored(stored, { ...rules, minPart, maxParts: 10_000, minZeros: minPart }) ?? [];
        let end = 0;
        for (const [index, { number, kind, range, data }] of slots.entries()) {
          expect([number, range.offset]).toEqual([index + 1, end]);
          expect(range.length).toBeLessThanOrEqual(rules.maxPart);
          if (index < slots.length - 1) expect(range.length).toBeGreaterThanOrEqual(minPart);
          expect(data).toBe(kind === "zeros" ? 0 : range.length);
          end += range.length;
          const first = range.offset;
          const touched = stored.filter((run) => run.offset < end && run.offset + run.length > first);
          if (kind === "zeros") expect(touched.every(({ zero }) => zero)).toBe(true);
        }
        expect(end).toBe(stored.reduce((sum, run) => sum + run.length, 0));
      }),
    );
  });
});
