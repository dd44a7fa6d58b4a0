import fc from "fast-check";
import { expect, test } from "vitest";
import { isZero } from "../../src/bytes/zero.ts";

const LENGTHS = [0, 1, 2, 7, 8, 9, 63, 64, 512, 4096, 65_536, 65_537, 1_048_576, 3_000_001];

test.each(LENGTHS)("%i zero bytes are zero, at whatever place in their buffer", (length) => {
  const around = Buffer.alloc(length + 3, 255);
  for (const start of [0, 1, 3]) {
    around.fill(255).fill(0, start, start + length);
    expect(isZero(around.subarray(start, start + length))).toBe(true);
  }
});

test("one byte that is not zero is found wherever it stands", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200_000 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (length, place, value) => {
        const bytes = new Uint8Array(length);
        bytes[place % length] = value;
        expect(isZero(bytes)).toBe(false);
      },
    ),
  );
});

test("every place of a short run is looked at", () => {
  for (let length = 1; length <= 200; length += 1) {
    for (let place = 0; place < length; place += 1) {
      const bytes = new Uint8Array(length);
      bytes[place] = 1;
      expect(isZero(bytes)).toBe(false);
    }
  }
});

test("every place around the edges of larger steps is looked at", () => {
  const bytes = new Uint8Array(2 ** 21 + 5);
  for (let edge = 4096; edge < bytes.length; edge += 4096) {
    for (const place of [edge - 1, edge, edge + 1]) {
      bytes[place] = 1;
      expect(isZero(bytes)).toBe(false);
      bytes[place] = 0;
    }
  }
});
