import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChecksumName } from "../../src/digest/checksum.ts";
import { crc64, crc64Hex } from "../../src/digest/crc64.ts";
import { useKernels } from "../../src/digest/kernels.ts";
import { createPartDigest } from "../../src/digest/part-digest.ts";
import { noise } from "./noise.ts";

const NAMES: readonly ChecksumName[] = ["md5", "crc64xz", "crc64nvme"];

function expected(names: readonly ChecksumName[], bytes: Uint8Array): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [
      name,
      name === "md5" ? createHash("md5").update(bytes).digest("hex") : crc64Hex(crc64(name, bytes)),
    ]),
  );
}

describe.each(["simd", "plain"] as const)("%s kernels", (form) => {
  beforeAll(() => useKernels(form));

  test("computes what it was asked for and nothing else, in any mixture", async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray([...NAMES]), fc.uint8Array({ maxLength: 500 }), async (names, bytes) => {
        const digest = createPartDigest(names);
        await digest.update(bytes);
        expect(digest.finish()).toEqual(expected(names, bytes));
      }),
      { numRuns: 50 },
    );
  });

  test("a part without bytes has the checksums of nothing", () => {
    expect(createPartDigest(NAMES).finish()).toEqual({
      md5: "d41d8cd98f00b204e9800998ecf8427e",
      crc64xz: "0000000000000000",
      crc64nvme: "0000000000000000",
    });
  });

  test("lanes that wait for each other's batches get their own checksums", async () => {
    const data = noise(500_000, 5);
    const lanes = Array.from({ length: 11 }, async (_, lane) => {
      const part = data.subarray(lane * 777, 200_000 + lane * 20_000);
      const digest = createPartDigest(NAMES);
      for (let at = 0; at < part.length; at += 30_000 + lane) {
        await digest.update(part.subarray(at, at + 30_000 + lane));
      }
      expect(digest.finish()).toEqual(expected(NAMES, part));
    });
    await Promise.all(lanes);
  });

  test("a digest that is given up does not hold up the others", async () => {
    const abandoned = createPartDigest(["md5"]);
    await abandoned.update(noise(100, 1));
    const digest = createPartDigest(["md5"]);
    await digest.update(noise(100_000, 2));
    expect(digest.finish()).toEqual(expected(["md5"], noise(100_000, 2)));
  });
});
