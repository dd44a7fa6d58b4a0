import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  Crc64,
  type Crc64Kind,
  crc64,
  crc64Combine,
  crc64FromHex,
  crc64Hex,
  crc64Zeros,
} from "../../src/digest/crc64.ts";
import { useKernels } from "../../src/digest/kernels.ts";
import { noise } from "./noise.ts";

const POLYNOMIALS = { crc64xz: 0xc96c5795d7870f42n, crc64nvme: 0x9a6c9329ac4bc9b5n } as const;
const KINDS: readonly Crc64Kind[] = ["crc64xz", "crc64nvme"];
const ONES = (1n << 64n) - 1n;

/** The CRC of every prefix whose length is in `lengths`, ascending: bit by bit, from the definition. */
function reference(kind: Crc64Kind, bytes: Uint8Array, lengths: readonly number[]): bigint[] {
  let register = ONES;
  let at = 0;
  return lengths.map((length) => {
    for (; at < length; at += 1) {
      register ^= BigInt(bytes[at] as number);
      for (let bit = 0; bit < 8; bit += 1) {
        register = register & 1n ? (register >> 1n) ^ POLYNOMIALS[kind] : register >> 1n;
      }
    }
    return register ^ ONES;
  });
}

describe.each(["simd", "plain"] as const)("%s kernels", (form) => {
  beforeAll(() => useKernels(form));

  describe.each(KINDS)("%s", (kind) => {
    test("gives the published check value for 123456789", () => {
      const check = { crc64xz: "995dc9bbdf1939fa", crc64nvme: "ae8b14860a799888" }[kind];
      expect(crc64Hex(crc64(kind, Buffer.from("123456789")))).toBe(check);
    });

    test("gives the known value for a tebibyte of zeros", () => {
      const known = { crc64xz: "b55e34c8e93212ca", crc64nvme: "19cc5eed910cc0a6" }[kind];
      expect(crc64Hex(crc64Zeros(kind, 2 ** 40))).toBe(known);
    });

    test("equals the definition for every length up to 300 and around each change of the kernel's stride", () => {
      const bytes = noise(150_000, 2);
      const edges = [3072, 6144, 49_152, 52_224, 98_304, 147_456];
      const lengths = [
        ...Array.from({ length: 301 }, (_, length) => length),
        ...edges.flatMap((edge) => [edge - 1, edge, edge + 1, edge + 9]),
      ];
      const found = lengths.map((length) => crc64(kind, bytes.subarray(0, length)));
      expect(found).toEqual(reference(kind, bytes, lengths));
    });

    test("does not depend on how the bytes are cut", () => {
      const bytes = noise(120_000, 3);
      const whole = crc64(kind, bytes);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 6 }), (lengths) => {
          const crc = new Crc64(kind);
          let at = 0;
          for (const length of lengths) {
            crc.update(bytes.subarray(at, at + length));
            at = Math.min(bytes.length, at + length);
          }
          crc.update(bytes.subarray(at));
          expect(crc.value()).toBe(whole);
        }),
        { numRuns: 40 },
      );
    });

    test("of a whole is the combination of the CRCs of any two parts", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (a, b) => {
          const whole = crc64(kind, Buffer.concat([a, b]));
          expect(crc64Combine(kind, crc64(kind, a), crc64(kind, b), b.length)).toBe(whole);
        }),
      );
    });

    test("combines associatively for lengths up to 2^53 - 1", () => {
      const value = fc.bigInt({ min: 0n, max: ONES });
      const length = fc.integer({ min: 0, max: 2 ** 52 - 1 });
      fc.assert(
        fc.property(value, value, value, length, length, (a, b, c, lengthB, lengthC) => {
          const left = crc64Combine(kind, crc64Combine(kind, a, b, lengthB), c, lengthC);
          const right = crc64Combine(kind, a, crc64Combine(kind, b, c, lengthC), lengthB + lengthC);
          expect(left).toBe(right);
        }),
      );
    });

    test("of zeros equals that of real zeros", () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 200_000 }), (length) => {
          expect(crc64Zeros(kind, length)).toBe(crc64(kind, Buffer.alloc(length)));
        }),
        { numRuns: 50 },
      );
    });
  });

  test("two kinds at work in turn do not disturb each other", () => {
    const bytes = noise(200_000, 4);
    const xz = new Crc64("crc64xz");
    const nvme = new Crc64("crc64nvme");
    for (let at = 0; at < bytes.length; at += 70_001) {
      xz.update(bytes.subarray(at, at + 70_001));
      nvme.update(bytes.subarray(at, at + 70_001));
    }
    expect(xz.value()).toBe(crc64("crc64xz", bytes));
    expect(nvme.value()).toBe(crc64("crc64nvme", bytes));
  });
});

test("hex has 16 digits and comes back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: ONES }), (value) => {
      expect(crc64Hex(value)).toMatch(/^[0-9a-f]{16}$/);
      expect(crc64FromHex(crc64Hex(value))).toBe(value);
    }),
  );
  expect(() => crc64FromHex("12")).toThrow(/no CRC-64/);
});

test.each([-1, 0.5, 2 ** 53])("%d is refused as a length", (length) => {
  expect(() => crc64Zeros("crc64xz", length)).toThrow(/no length/);
});
