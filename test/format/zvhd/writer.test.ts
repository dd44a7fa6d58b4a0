import { constants, inflateRawSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { GiB, KiB, MiB, TiB } from "../../../src/bytes/units.ts";
import type {
  Compression,
  Image,
  LayoutOptions,
  ReadableFormat,
  StoredSegment,
} from "../../../src/format/format.ts";
import { storedDeflate, storedZstd } from "../../../src/format/zvhd/stored.ts";
import { zvhd, zvhd2 } from "../../../src/format/zvhd/zvhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import type { Source } from "../../../src/source/source.ts";
import { closedGate } from "../../support/gate.ts";
import { readGuest, writeImage } from "../../support/reference.ts";
import { BLOCK, chained, decodeZvhd, decodeZvhd2, fixChecksum, guestOf, record, walk } from "./by-hand.ts";

const never = new AbortController().signal;
const seed = Uint8Array.of(1, 2, 3);
const variants = [
  ["zvhd", zvhd, "zlib", decodeZvhd],
  ["zvhd2 zlib", zvhd2, "zlib", decodeZvhd2],
  ["zvhd2 zstd", zvhd2, "zstd", decodeZvhd2],
] as const;

function open(format: ReadableFormat, source: Source): Promise<Image> {
  return format.reader.open({ source, gate: closedGate, allowAmplification: false }, never);
}

async function readStart(format: ReadableFormat, bytes: Uint8Array, length: number): Promise<Buffer> {
  const image = await open(format, memorySource(bytes, "ours"));
  return readGuest({ ...image, virtualSize: length });
}

function noise(length: number, start: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = start >>> 0;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Text, noise and zeros, in blocks of all kinds. */
function disk(length: number, from = 0): Buffer {
  const guest = Buffer.alloc(length);
  const text = Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(2000));
  for (let at = from, i = 0; at < length; at += 1_700_000, i += 1) {
    (i % 3 === 1 ? noise(300_000, i) : text).copy(guest, at);
  }
  return guest;
}

describe.for(variants)("%s", ([, format, compression, decode]) => {
  const cases: readonly (readonly [string, Buffer])[] = [
    ["blocks of all kinds, not a whole number of them", disk(9 * MiB + 512)],
    ["one sector", noise(512, 9)],
    ["zeros alone", Buffer.alloc(5 * MiB)],
    ["zeros up to the last sector", Buffer.concat([Buffer.alloc(6 * MiB - 512), noise(512, 4)])],
    ["a first block of zeros", disk(7 * MiB, 2 * MiB + 100)],
    ["noise that does not compress", noise(4 * MiB, 5)],
  ];
  test.for(cases)("%s decodes by hand and by the reader", async ([, guest]) => {
    for (const unitsPerSegment of [1, 16]) {
      const bytes = await writeImage(format.writer, guest, { compression }, unitsPerSegment);
      expect(guestOf(decode(bytes), guest.length).equals(guest)).toBe(true);
      expect((await readStart(format, bytes, guest.length)).equals(guest)).toBe(true);
    }
  });

  test("is read in any order, record by record", async () => {
    const guest = disk(8 * MiB);
    const image = await open(
      format,
      memorySource(await writeImage(format.writer, guest, { compression }, 3)),
    );
    expect(image.order).toBe("any");
    const range = { offset: 5 * MiB - 7, length: MiB };
    const pieces = await image.pieces(range, never);
    const part: Image = {
      ...image,
      virtualSize: range.length,
      pieces: (asked, signal) => image.pieces({ ...asked, offset: asked.offset + range.offset }, signal),
    };
    expect(pieces.length).toBeGreaterThan(0);
    expect((await readGuest(part)).equals(guest.subarray(range.offset, range.offset + range.length))).toBe(
      true,
    );
  });

  test("has the same bytes however the guest is cut into segments", async () => {
    const guest = disk(9 * MiB);
    const [one, three, all] = await Promise.all(
      [1, 3, 16].map((units) => writeImage(format.writer, guest, { compression }, units)),
    );
    expect(one?.equals(three ?? Buffer.alloc(0))).toBe(true);
    expect(one?.equals(all ?? Buffer.alloc(0))).toBe(true);
  });

  test("stores plain blocks in more bytes than the block, and they decode", async () => {
    const guest = disk(7 * MiB, 2 * MiB);
    const bytes = await writeImage(format.writer, guest, { compression }, 2, "plain");
    const { records } = walk(bytes);
    expect(records.length).toBe(4);
    const layout = format.writer.layout({ virtualSize: guest.length, compression, seed });
    for (const { length } of records) {
      expect(length).toBeGreaterThanOrEqual(BLOCK);
      expect(length + 4096).toBeLessThanOrEqual(layout.shape === "packed" ? layout.maxStored : 0);
    }
    expect(guestOf(decode(bytes), guest.length).equals(guest)).toBe(true);
    expect((await readStart(format, bytes, guest.length)).equals(guest)).toBe(true);
  });

  test("begins with the first block and the record of guest block 0, also when that is zeros", async () => {
    const guest = disk(7 * MiB, 5 * MiB);
    const { records } = walk(await writeImage(format.writer, guest, { compression }));
    expect(records.map(({ block }) => block)).toEqual([0, 2, 3]);
    expect(records[0]?.offset).toBe(4096);
    expect(records[0]?.length).toBeLessThanOrEqual(12 * KiB);
    for (const { padding } of records) expect(padding.every((byte) => byte === 0)).toBe(true);
  });

  test("gives equal bytes for an equal seed, and another identity for another", () => {
    const prologue = (bytes: Uint8Array) => {
      const layout = format.writer.layout({ virtualSize: MiB, compression, seed: bytes });
      return layout.shape === "packed" ? Buffer.from(layout.encoding.prologue ?? []).toString("hex") : "";
    };
    expect(prologue(seed)).toBe(prologue(Uint8Array.from(seed)));
    expect(prologue(seed)).not.toBe(prologue(Uint8Array.of(9)));
  });

  test("rounds the disk up to whole GiB", () => {
    const size = (virtualSize: number) =>
      format.writer.layout({ virtualSize, compression, seed }).virtualSize;
    expect([size(1), size(GiB), size(GiB + 1), size(32 * TiB)]).toEqual([GiB, GiB, 2 * GiB, 32 * TiB]);
  });

  const options: LayoutOptions = { virtualSize: MiB, compression, seed };
  test.for([
    ["no compression", { ...options, compression: "none" as Compression }, "USAGE"],
    ["a level of 0", { ...options, level: 0 }, "USAGE"],
    ["a level of 20", { ...options, level: 20 }, "USAGE"],
    ["half a level", { ...options, level: 1.5 }, "USAGE"],
    ["blocks of 1 MiB", { ...options, clusterSize: MiB }, "USAGE"],
    ["rounding to 3 MiB", { ...options, roundTo: 3 * MiB }, "USAGE"],
    ["an empty disk", { ...options, virtualSize: 0 }, "USAGE"],
    ["more than 32 TiB", { ...options, virtualSize: 32 * TiB + 1 }, "LIMIT_EXCEEDED"],
  ] as const)("refuses %s", ([, bad, code]) => {
    expect(() => format.writer.layout(bad)).toThrow(expect.objectContaining({ code }));
  });

  test("does not finish a file whose first block was never written", async () => {
    const layout = format.writer.layout(options);
    if (layout.shape !== "packed") throw new Error("not packed");
    const without: StoredSegment = { firstUnit: 1, offset: 0, length: 4096, units: Uint32Array.of(4096) };
    const sealed = layout.seal({
      headLength: 0,
      dataEnd: 4096,
      async *segments() {
        yield without;
      },
    });
    const drain = async () => {
      for await (const _ of sealed.tail());
    };
    await expect(drain()).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

test("zvhd refuses zstd", () => {
  expect(() => zvhd.writer.layout({ virtualSize: MiB, compression: "zstd", seed })).toThrow(/choose zlib/);
});

describe("a zvhd is one stream unless its writer marked it", () => {
  const text = Buffer.from("no man is an island, entire of itself; ".repeat(60_000)).subarray(0, BLOCK);
  // A block begins as the one before it ends: a stream that goes on need not say this again.
  for (const at of [0, BLOCK - 24 * KiB]) noise(24 * KiB, 1).copy(text, at);
  const blocks = new Map([0, 1, 4].map((block) => [block, text]));
  const guest = guestOf(blocks, 10 * MiB);
  const unmark = (file: Buffer) => {
    for (const at of [0, file.length - 4096]) {
      file.fill(0, at + 68, at + 84);
      fixChecksum(file, at);
    }
    return file;
  };

  test("our own file without the mark decodes in order", async () => {
    const bytes = unmark(await writeImage(zvhd.writer, guest, { compression: "zlib" }));
    const image = await open(zvhd, memorySource(bytes));
    expect(image.order).toBe("sequential");
    expect((await readGuest({ ...image, virtualSize: guest.length })).equals(guest)).toBe(true);
  });

  test("records that refer to each other decode in order", async () => {
    const ours = await writeImage(zvhd.writer, guest, { compression: "zlib" });
    const first = unmark(Buffer.concat([ours.subarray(0, 4096), ours.subarray(0, 4096)])).subarray(0, 4096);
    const bytes = await chained(first, blocks);
    expect(bytes.length).toBeLessThan(ours.length);
    const image = await open(zvhd, memorySource(bytes));
    expect(image.order).toBe("sequential");
    expect((await readGuest({ ...image, virtualSize: guest.length })).equals(guest)).toBe(true);
  });

  test("a mark on such records is not believed", async () => {
    const ours = await writeImage(zvhd.writer, guest, { compression: "zlib" });
    const image = await open(zvhd, memorySource(await chained(ours.subarray(0, 4096), blocks)));
    expect(image.order).toBe("sequential");
    expect((await readGuest({ ...image, virtualSize: guest.length })).equals(guest)).toBe(true);
  });
});

describe("a large zvhd2", () => {
  test("has several segments of index and bitmap, which read back", async () => {
    const virtualSize = 200_000 * BLOCK;
    const layout = zvhd2.writer.layout({ virtualSize, compression: "zstd", seed });
    if (layout.shape !== "packed") throw new Error("not packed");
    // Two of three blocks are stored, none in a stretch that is longer than a bitmap segment.
    const stored = (block: number) => block % 3 !== 1 && (block < 60_000 || block >= 100_000);
    const segments: StoredSegment[] = [];
    let offset = 0;
    for (let firstUnit = 0; firstUnit < 200_000; firstUnit += 1000) {
      const units = Uint32Array.from({ length: 1000 }, (_, i) => (stored(firstUnit + i) ? 4096 : 0));
      const length = units.reduce((sum, entry) => sum + entry, firstUnit === 0 ? 4096 : 0);
      if (length > 0) segments.push({ firstUnit, offset, length, units });
      offset += length;
    }
    const tail: Uint8Array[] = [];
    const sealed = layout.seal({
      headLength: 0,
      dataEnd: offset,
      async *segments() {
        yield* segments;
      },
    });
    for await (const chunk of sealed.tail()) {
      expect(chunk.length).toBeLessThanOrEqual(512 * KiB);
      tail.push(chunk);
    }
    const end = Buffer.concat(tail);
    const image = await open(zvhd2, hollow(offset, Buffer.from(layout.encoding.prologue ?? []), end));
    const blocks = new Set<number>();
    for await (const extent of image.extents({ offset: 0, length: image.virtualSize }, never)) {
      if (extent.kind === "zero") continue;
      for (let at = extent.offset; at < extent.offset + extent.length; at += BLOCK) blocks.add(at / BLOCK);
    }
    const expected = Array.from({ length: 200_000 }, (_, block) => block).filter(stored);
    expect([...blocks]).toEqual(expected);
    const rank = expected.indexOf(150_000);
    const pieces = await image.pieces({ offset: 150_000 * BLOCK, length: BLOCK }, never);
    expect(pieces).toMatchObject([{ kind: "coded", offset: 4096 + rank * 4096 + 48, size: 10 }]);
  });
});

/** A file whose records hold nothing: only their headers can be read. */
function hollow(end: number, first: Buffer, tail: Buffer): Source {
  const sample = record(150_000, Buffer.alloc(10));
  return {
    name: "hollow",
    size: end + tail.length,
    version: "1",
    async read(into, position) {
      if (position >= end) into.set(tail.subarray(position - end, position - end + into.length));
      else into.set((position === 0 ? first : sample).subarray(0, into.length));
    },
    async recipe() {
      throw new Error("not needed");
    },
    async check() {},
    async [Symbol.asyncDispose]() {},
  };
}

describe("streams that compress nothing", () => {
  test.for([1, 65535, 65536, 131_072, 131_073, BLOCK])("of %i bytes decode", (length) => {
    const bytes = noise(length, length);
    const inflated = inflateRawSync(storedDeflate(bytes), { finishFlush: constants.Z_SYNC_FLUSH });
    expect(inflated.equals(bytes)).toBe(true);
    expect(zstdDecompressSync(storedZstd(bytes)).equals(bytes)).toBe(true);
  });
});
