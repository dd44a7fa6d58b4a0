import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/bytes/units.ts";
import { copyRanges } from "../../src/store/copy-ranges.ts";

const rules = { maxPart: 5 * GiB, maxParts: 10_000 };
const lengths = (size: number, wished?: number, given = rules) =>
  copyRanges(size, given, wished)?.map(({ length }) => length);

describe("ranges of a copy", () => {
  it("are of one length, but for the last, and lie one behind the other", () => {
    expect(copyRanges(600 * MiB, rules)).toEqual([
      { offset: 0, length: 256 * MiB },
      { offset: 256 * MiB, length: 256 * MiB },
      { offset: 512 * MiB, length: 88 * MiB },
    ]);
  });

  it("are one where the object is small", () => {
    expect(lengths(1)).toEqual([1]);
    expect(lengths(256 * MiB)).toEqual([256 * MiB]);
  });

  it("have the length that is wished for", () => {
    expect(lengths(25 * MiB, 10 * MiB)).toEqual([10 * MiB, 10 * MiB, 5 * MiB]);
  });

  it("are longer where there would be too many, and none where they would be too long", () => {
    const few = { maxPart: 5 * GiB, maxParts: 3 };
    expect(lengths(12 * GiB, undefined, few)).toEqual([4 * GiB, 4 * GiB, 4 * GiB]);
    expect(lengths(15 * GiB, undefined, few)).toEqual([5 * GiB, 5 * GiB, 5 * GiB]);
    expect(copyRanges(15 * GiB + 1, few)).toBeUndefined();
    // The largest object of Amazon S3.
    expect(lengths(10_000 * 5 * GiB)).toHaveLength(10_000);
  });
});
