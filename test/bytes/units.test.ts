import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignDown, alignUp, formatSize, GiB, KiB, MiB, parseSize, TiB } from "../../src/bytes/units.ts";

describe("a size as people write it", () => {
  it.each([
    ["0", 0],
    ["65536", 65536],
    ["64K", 64 * KiB],
    ["64k", 64 * KiB],
    ["64KB", 64 * KiB],
    ["64KiB", 64 * KiB],
    ["1.5G", 1.5 * GiB],
    ["10MB", 10 * MiB],
    [" 2 TiB ", 2 * TiB],
    ["512 B", 512],
    ["512b", 512],
  ])("reads %j", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    "",
    " ",
    "K",
    "1.3",
    "0.3K",
    "-1",
    "1e3",
    "1 2",
    "1P",
    "64Ki B",
    "0x10",
    "9999999999T",
    "NaN",
    "1.",
  ])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow(
      expect.objectContaining({ code: "USAGE", message: expect.stringContaining(`"${text}" is not a size`) }),
    );
  });

  it("reads back what it shows of whole units", () => {
    fc.assert(
      fc.property(fc.nat(1023), fc.constantFrom(KiB, MiB, GiB, TiB), (count, unit) => {
        expect(parseSize(formatSize(count * unit))).toBe(count * unit);
      }),
    );
  });
});

describe("a size for people", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1.25 * GiB, "1.3 GiB"],
    [8 * TiB, "8.0 TiB"],
    [5000 * 1024 * TiB, "5000.0 PiB"],
  ])("of %i bytes is %j", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe("alignment", () => {
  it("goes to the nearest multiple above and below, also beyond 32 bits", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 64 * 1024 * TiB }),
        fc.constantFrom(1, 512, 65536, 2 * MiB),
        (value, step) => {
          const [down, up] = [alignDown(value, step), alignUp(value, step)];
          expect([down % step, up % step]).toEqual([0, 0]);
          expect(down).toBeLessThanOrEqual(value);
          expect(up).toBeGreaterThanOrEqual(value);
          expect(up - down).toBe(value % step === 0 ? 0 : step);
        },
      ),
    );
  });
});
