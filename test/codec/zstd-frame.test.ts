import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { zlibZstd } from "../../src/codec/zstd.ts";
import { zstdFrame } from "../../src/codec/zstd-frame.ts";
import { noise } from "../digest/noise.ts";

test("a frame ends where its encoder ended it, whatever follows and whatever its header holds", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 0, max: 400_000 }).map((length) => noise(length, length)),
        fc.integer({ min: 0, max: 400_000 }).map((length) => Buffer.alloc(length, 7)),
      ),
      fc.boolean(),
      fc.boolean(),
      fc.uint8Array({ maxLength: 20 }),
      (bytes, checksum, contentSize, slack) => {
        const frame = zstdCompressSync(bytes, {
          // A frame that fills node's output chunks exactly gets an empty frame behind it.
          chunkSize: 1 << 20,
          params: {
            [constants.ZSTD_c_checksumFlag]: Number(checksum),
            [constants.ZSTD_c_contentSizeFlag]: Number(contentSize),
          },
          ...(contentSize ? { pledgedSrcSize: bytes.length } : {}),
        });
        expect(zstdFrame(Buffer.concat([frame, slack]))).toEqual({ kind: "content", length: frame.length });
      },
    ),
    { numRuns: 200 },
  );
});

test("node's encoder leaves no empty frame behind one that ends on a multiple of 16 KiB", () => {
  // 262,129 incompressible bytes make a frame of exactly 256 KiB.
  const coded = zlibZstd.encode(noise(262_129, 1), 3);
  expect(zstdFrame(coded)).toEqual({ kind: "content", length: coded.length });
});

test("a frame that is cut anywhere is no frame", () => {
  const frame = zstdCompressSync(noise(1000, 1), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  for (let length = 0; length < frame.length; length += 1) {
    expect(zstdFrame(frame.subarray(0, length)), `length ${length}`).toBeUndefined();
  }
});

test.each(["502a4d1800000000", "5f2a4d1800000000"])("%s is a skippable frame", (hex) => {
  expect(zstdFrame(Buffer.from(`${hex}ff`, "hex"))).toEqual({ kind: "skippable", length: 8 });
});

test.each(["602a4d1800000000", "27b52ffd2000010000", "502a4d18ffffffff00", "28b52ffd2000070000"])(
  "%s is no frame",
  (hex) => {
    expect(zstdFrame(Buffer.from(hex, "hex"))).toBeUndefined();
  },
);
