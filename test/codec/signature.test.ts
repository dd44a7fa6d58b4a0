import { expect, test } from "vitest";
import { codecSignature } from "../../src/codec/signature.ts";

test("is the same each time, and another for each coding and level", () => {
  const signatures = [
    codecSignature("zlib", 1),
    codecSignature("zlib", 6),
    codecSignature("zlib", 9),
    codecSignature("zstd", 1),
    codecSignature("zstd", 3),
  ];
  expect(new Set(signatures).size).toBe(signatures.length);
  expect(codecSignature("zlib", 1)).toBe(signatures[0]);
  expect(codecSignature("zstd", 3)).toBe(signatures[4]);
});
