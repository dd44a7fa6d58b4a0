import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault, type FaultCode } from "../../../src/fault/fault.ts";
import type { ReadableFormat } from "../../../src/format/format.ts";
import { zvhd, zvhd2 } from "../../../src/format/zvhd/zvhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { closedGate } from "../../support/gate.ts";
import { writeImage } from "../../support/reference.ts";
import { scan } from "../vhd/scan.ts";
import { BLOCK, fixChecksum, record, walk } from "./by-hand.ts";

const never = new AbortController().signal;
const load = (name: string) => gunzipSync(readFileSync(`native-fixtures/zvhd-small/${name}.gz`));
const golden = { zvhd: load("g.zvhd"), zvhd2: load("g.zvhd2") };

const open = (format: ReadableFormat, bytes: Uint8Array) => {
  const source = memorySource(bytes, "bad.img");
  return format.reader.open({ source, gate: closedGate, allowAmplification: false }, never);
};

type Change = (file: Buffer) => unknown;
type Row = readonly [name: string, FaultCode, message: RegExp, change: Change];

/** Changes the first and the last block alike and mends their checksums. */
function inBlocks(change: (block: Buffer) => unknown): Change {
  return (file) => {
    for (const at of [0, file.length - 4096]) {
      change(file.subarray(at, at + 4096));
      fixChecksum(file, at);
    }
  };
}

function inFooter(change: (footer: Buffer, file: Buffer) => unknown): Change {
  return (file) => {
    change(file.subarray(-4096), file);
    fixChecksum(file, file.length - 4096);
  };
}

/** The file with its second record replaced. */
function secondRecord(make: (block: number, payload: Buffer) => Uint8Array): Change {
  return (file) => {
    const { records } = walk(file);
    const second = records[1];
    if (second === undefined) throw new Error("no second record");
    return Buffer.concat([
      file.subarray(0, second.offset),
      make(second.block, second.payload),
      file.subarray(second.offset + second.length),
    ]);
  };
}

const first = (file: Buffer) => walk(file).records[0]?.offset ?? 0;
const indexAt = (file: Buffer) => Number(file.readBigUInt64LE(file.length - 4096 + 96));
const bitmapAt = (file: Buffer) => Number(file.readBigUInt64LE(file.length - 4096 + 104));

const shared: readonly Row[] = [
  [
    "a broken checksum",
    "IMAGE_CORRUPT",
    /offset \d+: the checksum is 0x/,
    (f) => {
      f.writeUInt8(9, 300);
      f.writeUInt8(9, f.length - 4096 + 300);
    },
  ],
  [
    "another version",
    "UNSUPPORTED_FEATURE",
    /version 0x20000/,
    inBlocks((b) => b.writeUInt32LE(0x20000, 12)),
  ],
  [
    "a size above 32 TiB",
    "LIMIT_EXCEEDED",
    /disk size/,
    inBlocks((b) => b.writeBigUInt64LE(2n ** 45n + 512n, 48)),
  ],
  [
    "a size near the end of the numbers",
    "LIMIT_EXCEEDED",
    /disk size/,
    inBlocks((b) => b.writeBigUInt64LE(2n ** 64n - 1n, 48)),
  ],
  [
    "half a sector",
    "IMAGE_CORRUPT",
    /whole number of sectors/,
    inBlocks((b) => b.writeBigUInt64LE(2n ** 30n + 1n, 48)),
  ],
  [
    "an original size above the disk's",
    "IMAGE_CORRUPT",
    /before rounding up/,
    inBlocks((b) => b.writeBigUInt64LE(2n ** 31n, 40)),
  ],
  ["the first block alone", "IMAGE_TRUNCATED", /cannot have 4096 bytes/, (f) => f.subarray(0, 4096)],
  ["half of the first block", "IMAGE_TRUNCATED", /cannot have 2048 bytes/, (f) => f.subarray(0, 2048)],
  ["another mark", "FORMAT_MISMATCH", /its mark is not at offset 0/, (f) => f.write("S", 0)],
];

const zvhdRows: readonly Row[] = [
  ...shared,
  ["no closing block", "IMAGE_TRUNCATED", /without the closing block/, (f) => f.subarray(0, -4096)],
  [
    "a closing block of another disk",
    "IMAGE_CORRUPT",
    /closing block at \d+ differs/,
    (f) => f.writeUInt8(77, f.length - 4096 + 70),
  ],
  [
    "a record cut by the end",
    "IMAGE_TRUNCATED",
    /runs past the end of the file/,
    (f) => f.subarray(0, (walk(f).records[1]?.offset ?? 0) + 8192),
  ],
  [
    "a record without its prefix",
    "IMAGE_CORRUPT",
    /no record \("hwstream bg"\)/,
    (f) => f.write("x", first(f)),
  ],
  [
    "a record without its end",
    "IMAGE_CORRUPT",
    /does not end in "end"/,
    (f) => f.write("x", (walk(f).records[1]?.offset ?? 0) - 2),
  ],
  ["an empty payload", "IMAGE_CORRUPT", /payload of 0 bytes/, (f) => f.writeUInt32LE(0, first(f) + 12)],
  [
    "a payload of 4 GiB",
    "IMAGE_CORRUPT",
    /payload of 4294967295 bytes/,
    (f) => f.writeUInt32LE(2 ** 32 - 1, first(f) + 12),
  ],
  [
    "a payload of 5 MiB",
    "IMAGE_CORRUPT",
    /payload of 5242880 bytes/,
    (f) => f.writeUInt32LE(5 * 1024 ** 2, first(f) + 12),
  ],
  [
    "a payload that is shorter than its stream",
    "IMAGE_CORRUPT",
    /compressed data|decompresses/,
    secondRecord((block, p) => record(block, p.subarray(0, p.length - 700))),
  ],
  [
    "a block outside the disk",
    "IMAGE_CORRUPT",
    /guest block 512 lies outside the disk of 512/,
    secondRecord((_, p) => record(512, p)),
  ],
  ["a block twice", "IMAGE_CORRUPT", /block 0 follows block 0/, secondRecord((_, p) => record(0, p))],
  [
    "blocks in descending order",
    "IMAGE_CORRUPT",
    /follows block 4: records must ascend/,
    secondRecord((_, p) => record(4, p)),
  ],
  [
    "a stream without a zlib header",
    "IMAGE_CORRUPT",
    /does not begin a zlib stream/,
    (f) => f.writeUInt8(0x79, first(f) + 48),
  ],
  [
    "a stream with a preset dictionary",
    "IMAGE_CORRUPT",
    /does not begin a zlib stream/,
    (f) => f.writeUInt16BE(0x7820, first(f) + 48),
  ],
  [
    "a stream that is broken",
    "IMAGE_CORRUPT",
    /compressed data|decompresses/,
    (f) => f.fill(0xee, first(f) + 60, first(f) + 200),
  ],
  [
    "a record that decompresses to nothing",
    "IMAGE_CORRUPT",
    /compressed data|decompresses/,
    secondRecord((block) => record(block, Uint8Array.of(0, 0, 0, 0xff, 0xff))),
  ],
];

const zvhd2Rows: readonly Row[] = [
  ...shared,
  ["no closing block", "IMAGE_TRUNCATED", /no closing block/, (f) => f.subarray(0, -4096)],
  [
    "bytes behind the closing block",
    "IMAGE_TRUNCATED",
    /bytes appended/,
    (f) => Buffer.concat([f, Buffer.alloc(4096)]),
  ],
  ["blocks of two identities", "IMAGE_CORRUPT", /says uuid/, inFooter((b) => b.writeUInt8(1, 70))],
  [
    "blocks of two sizes",
    "IMAGE_CORRUPT",
    /says currentSize/,
    inFooter((b) => b.writeBigUInt64LE(2n ** 31n, 48)),
  ],
  [
    "another zvhd2 version",
    "UNSUPPORTED_FEATURE",
    /zvhd2 version is 2/,
    inFooter((b) => b.writeUInt8(2, 87)),
  ],
  [
    "another block size",
    "UNSUPPORTED_FEATURE",
    /block size is 1048576/,
    inFooter((b) => b.writeUInt32LE(1024 ** 2, 88)),
  ],
  [
    "an index with zero blocks",
    "UNSUPPORTED_FEATURE",
    /index with zero blocks is 1/,
    inFooter((b) => b.writeUInt8(1, 140)),
  ],
  [
    "another compression",
    "UNSUPPORTED_FEATURE",
    /compression method 2/,
    inFooter((b) => b.writeUInt8(2, 141)),
  ],
  [
    "another index segment size",
    "UNSUPPORTED_FEATURE",
    /index segment size is 4096/,
    inFooter((b) => b.writeUInt32LE(4096, 120)),
  ],
  [
    "another bitmap segment size",
    "UNSUPPORTED_FEATURE",
    /bitmap segment size is 512/,
    inFooter((b) => b.writeUInt32LE(512, 124)),
  ],
  [
    "too many blocks",
    "IMAGE_CORRUPT",
    /number of blocks is 4294967295/,
    inFooter((b) => b.writeUInt32LE(2 ** 32 - 1, 92)),
  ],
  [
    "more stored blocks than blocks",
    "IMAGE_CORRUPT",
    /6 blocks are said to be stored/,
    inFooter((b) => b.writeUInt32LE(6, 136)),
  ],
  [
    "too many index segments",
    "IMAGE_CORRUPT",
    /number of index segments is 9/,
    inFooter((b) => b.writeUInt32LE(9, 128)),
  ],
  [
    "too many bitmap segments",
    "IMAGE_CORRUPT",
    /number of bitmap segments is 9/,
    inFooter((b) => b.writeUInt32LE(9, 132)),
  ],
  ["another index size", "IMAGE_CORRUPT", /the index size is 1/, inFooter((b) => b.writeUInt32LE(1, 112))],
  ["another bitmap size", "IMAGE_CORRUPT", /the bitmap size is 1/, inFooter((b) => b.writeUInt32LE(1, 116))],
  [
    "an index behind the end",
    "IMAGE_CORRUPT",
    /the index at .* does not fit/,
    inFooter((b) => b.writeBigUInt64LE(2n ** 63n, 96)),
  ],
  [
    "a bitmap in the first block",
    "IMAGE_CORRUPT",
    /the bitmap at 0 .* does not fit/,
    inFooter((b) => b.writeBigUInt64LE(0n, 104)),
  ],
  [
    "a bitmap in the index",
    "IMAGE_CORRUPT",
    /overlaps the bitmap/,
    inFooter((b, f) => b.writeBigUInt64LE(BigInt(indexAt(f) + 4096), 104)),
  ],
  [
    "a bit outside the disk",
    "IMAGE_CORRUPT",
    /marks guest block 9/,
    (f) => {
      f.writeUInt8(0x0d, bitmapAt(f));
      f.writeUInt8(2, bitmapAt(f) + 1);
    },
  ],
  ["a bit too many", "IMAGE_CORRUPT", /marks more than the 3/, inFooter((b) => b.writeUInt32LE(3, 136))],
  ["a bit too few", "IMAGE_CORRUPT", /the bitmap has 3 blocks/, (f) => f.writeUInt8(0x0d, bitmapAt(f))],
  [
    "an index entry of another block",
    "IMAGE_CORRUPT",
    /entry 1: is of guest block 1, but the bitmap says 2/,
    (f) => f.writeUInt32LE(1, indexAt(f) + 24),
  ],
  [
    "a record that is no multiple of a page",
    "IMAGE_CORRUPT",
    /record offset 8193/,
    (f) => f.writeUInt8(1, indexAt(f) + 16),
  ],
  ["a record length of zero", "IMAGE_CORRUPT", /record length 0/, (f) => f.writeUInt32LE(0, indexAt(f) + 12)],
  [
    "a record length of 2 GiB",
    "IMAGE_CORRUPT",
    /record length 2147483648/,
    (f) => f.writeUInt32LE(2 ** 31, indexAt(f) + 12),
  ],
  [
    "a record behind the end",
    "IMAGE_TRUNCATED",
    /runs past the end/,
    (f) => f.writeBigUInt64LE(BigInt(f.length), indexAt(f)),
  ],
  [
    "a record in the first block",
    "IMAGE_CORRUPT",
    /overlaps the table at 0/,
    (f) => f.writeBigUInt64LE(0n, indexAt(f)),
  ],
  [
    "a record in the index",
    "IMAGE_CORRUPT",
    /overlaps the table at/,
    (f) => f.writeBigUInt64LE(BigInt(indexAt(f)), indexAt(f)),
  ],
  [
    "one record twice",
    "IMAGE_CORRUPT",
    /overlaps the one before/,
    (f) => f.copy(f, indexAt(f) + 48, indexAt(f) + 32, indexAt(f) + 40),
  ],
  [
    "records that overlap",
    "IMAGE_CORRUPT",
    /overlaps the one before/,
    (f) => f.writeUInt32LE(8192, indexAt(f) + 12),
  ],
  [
    "a record of another block",
    "IMAGE_CORRUPT",
    /record of guest block 3 .* is not the one of block 0/,
    (f) => f.writeUInt32LE(3, first(f) + 16),
  ],
  [
    "a payload longer than its record",
    "IMAGE_CORRUPT",
    /within 4096 bytes/,
    (f) => f.writeUInt32LE(5000, first(f) + 12),
  ],
  ["a record without its prefix", "IMAGE_CORRUPT", /no record/, (f) => f.write("x", first(f))],
  [
    "a frame that is broken",
    "IMAGE_CORRUPT",
    /compressed data|decompresses/,
    (f) => f.fill(0xee, first(f) + 48, first(f) + 60),
  ],
];

describe.for([
  ["zvhd", zvhd, golden.zvhd, zvhdRows],
  ["zvhd2", zvhd2, golden.zvhd2, zvhd2Rows],
] as const)("a damaged or hostile %s is refused by name:", ([, format, good, rows]) => {
  test.for(rows)("%s", async ([, code, message, change]) => {
    const file = Buffer.from(good);
    const changed = change(file);
    const opening = open(format, changed instanceof Buffer ? changed : file);
    const error = await opening.then(scan).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((error as Fault).message).toMatch(/^[^\n]*$/);
  });

  test("a snapshot cannot be named", async () => {
    const request = {
      source: memorySource(good),
      gate: closedGate,
      allowAmplification: false,
      snapshot: "x",
    };
    await expect(format.reader.open(request, never)).rejects.toMatchObject({ code: "USAGE" });
  });

  test("an empty file is another format", async () => {
    await expect(open(format, new Uint8Array(0))).rejects.toMatchObject({ code: "FORMAT_MISMATCH" });
  });
});

test("bytes behind a zvhd's closing block are told", async () => {
  const image = await open(zvhd, Buffer.concat([golden.zvhd, Buffer.alloc(5000, 1)]));
  expect(image.report().findings.map(({ name }) => name)).toEqual(["bytes-behind-end"]);
});

test("what stands behind the used part of an index may be anything", async () => {
  const file = Buffer.from(golden.zvhd2);
  file.fill(0xaa, indexAt(file) + 4 * 16, bitmapAt(file));
  await scan(await open(zvhd2, file));
});

test("a canceled walk stops", async () => {
  const source = memorySource(golden.zvhd);
  const canceled = AbortSignal.abort(new Fault("CANCELED", "stop"));
  const opening = zvhd.reader.open({ source, gate: closedGate, allowAmplification: false }, canceled);
  await expect(opening).rejects.toMatchObject({ code: "CANCELED" });
});

describe("any bytes", async () => {
  const guest = Buffer.alloc(3 * BLOCK);
  guest.write("first", 0);
  guest.write("last", 2 * BLOCK);
  const seeds = [
    ["zvhd", zvhd, await writeImage(zvhd.writer, guest, { compression: "zlib" })],
    ["zvhd in one stream", zvhd, golden.zvhd],
    ["zvhd2 with zstd", zvhd2, await writeImage(zvhd2.writer, guest, { compression: "zstd" })],
    ["zvhd2 with zlib", zvhd2, await writeImage(zvhd2.writer, guest, { compression: "zlib" })],
  ] as const;

  test.for(seeds)("in a %s give an image that can be read, or a Fault", async ([, format, good]) => {
    const size = good.length;
    const tables = format === zvhd2 ? [indexAt(good), bitmapAt(good)] : [4096];
    const place = fc.oneof(
      fc.integer({ min: 0, max: 160 }),
      fc.integer({ min: 4096, max: 4096 + 400 }),
      fc.integer({ min: size - 4096, max: size - 4096 + 160 }),
      ...tables.map((at) => fc.integer({ min: at, max: at + 64 })),
      fc.integer({ min: 0, max: size - 1 }),
    );
    const value = fc.oneof(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 }));
    const mutation = fc.record({
      writes: fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 5 }),
      cut: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: size })),
      mend: fc.constantFrom("checksums", "both blocks", "nothing"),
    });
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(mutation, async ({ writes, cut, mend }) => {
        const file = Buffer.from(good.subarray(0, size - cut));
        for (const [at, byte] of writes) if (at < file.length) file[at] = byte;
        if (file.length >= 8192) {
          const last = file.length - 4096;
          if (mend === "both blocks") file.copy(file, last, 0, format === zvhd ? 4096 : 96);
          if (mend !== "nothing") for (const at of [0, last]) fixChecksum(file, at);
        }
        try {
          const image = await open(format, file);
          opened += 1;
          await scan(image);
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          expect(error.code).not.toBe("INTERNAL");
        }
      }),
      { numRuns: 250 },
    );
    expect(opened).toBeGreaterThan(10);
  });
});
