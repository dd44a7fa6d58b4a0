import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type Libzstd, libzstd } from "../../src/native/libzstd.ts";
import { noise } from "../digest/noise.ts";

const library = libzstd();
const absent = library === undefined ? " (skipped: this machine has no libzstd)" : "";

describe.skipIf(library === undefined)(`libzstd${absent}`, () => {
  const { decompress, compress, bound, name } = library ?? ({} as Libzstd);
  const bytes = Buffer.alloc(50_000, "diskferry moves disk images. ");

  test("names its file and version", () => {
    expect(name).toMatch(/^libzstd\S* 1\.\d+\.\d+$/);
  });

  test("writes to a view of a larger buffer, and nowhere else", () => {
    const around = Buffer.alloc(bytes.length + 200, 0xa5);
    const coded = zstdCompressSync(bytes);
    const shifted = Buffer.concat([Buffer.alloc(13), coded]).subarray(13);
    expect(decompress(shifted, around.subarray(100, 100 + bytes.length))).toBe(bytes.length);
    expect(around.subarray(100, 100 + bytes.length).equals(bytes)).toBe(true);
    expect(around.subarray(0, 100)).toEqual(Buffer.alloc(100, 0xa5));
    expect(around.subarray(100 + bytes.length)).toEqual(Buffer.alloc(100, 0xa5));
  });

  test("says no to more bytes than there is room for, a cut frame, noise and nothing", () => {
    const coded = zstdCompressSync(bytes);
    const room = new Uint8Array(bytes.length);
    expect(decompress(coded, new Uint8Array(bytes.length - 1))).toBeUndefined();
    expect(decompress(coded.subarray(0, -1), room)).toBeUndefined();
    expect(decompress(noise(1000, 1), room)).toBeUndefined();
    expect(decompress(coded, new Uint8Array(bytes.length + 1))).toBe(bytes.length);
  });

  test("works on after a refusal", () => {
    const coded = zstdCompressSync(bytes);
    const room = Buffer.alloc(bytes.length);
    expect(decompress(coded.subarray(0, -5), room)).toBeUndefined();
    expect(decompress(coded, room)).toBe(bytes.length);
    expect(room.equals(bytes)).toBe(true);
  });

  test("codes noise and text within its bound, at every level", () => {
    for (let level = 1; level <= 19; level += 1) {
      for (const plain of [bytes, noise(10_000, level), Buffer.alloc(1)]) {
        const room = Buffer.alloc(bound(plain.length) + 100, 0xa5);
        const length = compress(plain, level, room.subarray(0, bound(plain.length)));
        expect(zstdDecompressSync(room.subarray(0, length)).equals(plain)).toBe(true);
        expect(room.subarray(-100)).toEqual(Buffer.alloc(100, 0xa5));
      }
    }
  });
});
