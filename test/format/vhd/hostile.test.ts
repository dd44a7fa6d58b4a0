import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault, type FaultCode } from "../../../src/fault/fault.ts";
import type { ReferenceGate } from "../../../src/format/format.ts";
import { vhd, vhdFixed } from "../../../src/format/vhd/vhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { closedGate } from "../../support/gate.ts";
import { fixChecksum, footerOf, type HandMade, handMade } from "./hand-made.ts";
import { noise } from "./patterns.ts";
import { scan } from "./scan.ts";

const never = new AbortController().signal;
const BLOCK = 4096;
const TABLE = 1536;
const dynamic: HandMade = {
  type: 3,
  size: 6 * BLOCK,
  uuid: "a1".repeat(16),
  blocks: new Map([
    [1, { data: noise(BLOCK, 1) }],
    [4, { data: noise(BLOCK, 2) }],
  ]),
};
const fixed: HandMade = { type: 2, size: BLOCK, uuid: "b2".repeat(16), guest: noise(BLOCK, 3) };
const differencing: HandMade = {
  ...dynamic,
  type: 4,
  parent: { uuid: "b2".repeat(16), timestamp: 1000, name: "p" },
};

const gate: ReferenceGate = {
  ...closedGate,
  backing: (_reference, signal) =>
    vhd.reader.open(
      { source: memorySource(handMade(fixed), "p"), gate: closedGate, allowAmplification: false },
      signal,
    ),
};
const open = (bytes: Uint8Array) =>
  vhd.reader.open({ source: memorySource(bytes, "bad.vhd"), gate, allowAmplification: false }, never);

/** Changes both footers alike and mends their checksums. */
function inFooters(change: (footer: Buffer) => void): (file: Buffer) => void {
  return (file) => {
    for (const start of [0, file.length - 512]) {
      change(file.subarray(start, start + 512));
      fixChecksum(file, start, 512, 64);
    }
  };
}

function inHeader(change: (header: Buffer) => void): (file: Buffer) => void {
  return (file) => {
    change(file.subarray(512, 1536));
    fixChecksum(file, 512, 1024, 36);
  };
}

type Row = readonly [name: string, FaultCode, message: RegExp, change: (file: Buffer) => unknown];

const rows: readonly Row[] = [
  [
    "a broken footer checksum",
    "IMAGE_CORRUPT",
    /offset \d+: the footer checksum/,
    (f) => f.writeUInt8(9, f.length - 300),
  ],
  [
    "a broken checksum of the copy",
    "IMAGE_CORRUPT",
    /offset 0: the footer checksum/,
    (f) => f.writeUInt8(9, 300),
  ],
  [
    "a broken dynamic header checksum",
    "IMAGE_CORRUPT",
    /offset 512: the dynamic header's checksum/,
    (f) => f.writeUInt8(9, 700),
  ],
  [
    "footers of two identities",
    "IMAGE_CORRUPT",
    /footer says uuid/,
    (f) => {
      f.fill(7, 68, 84);
      fixChecksum(f, 0, 512, 64);
    },
  ],
  [
    "footers of two sizes",
    "IMAGE_CORRUPT",
    /footer says currentSize/,
    (f) => {
      f.writeBigUInt64BE(4096n, 48);
      fixChecksum(f, 0, 512, 64);
    },
  ],
  [
    "footers of two geometries",
    "IMAGE_CORRUPT",
    /footer says geometry/,
    (f) => {
      f.writeUInt8(3, 58);
      fixChecksum(f, 0, 512, 64);
    },
  ],
  ["no footer at the end", "IMAGE_TRUNCATED", /no footer stands in the last 512/, (f) => f.subarray(0, -512)],
  [
    "bytes behind the footer",
    "IMAGE_TRUNCATED",
    /has bytes appended/,
    (f) => Buffer.concat([f, Buffer.alloc(512)]),
  ],
  [
    "no copy at the start",
    "IMAGE_CORRUPT",
    /copy of the footer at offset 0 is missing/,
    (f) => f.fill(0, 0, 512),
  ],
  [
    "the start of a dynamic and the end of a fixed disk",
    "IMAGE_CORRUPT",
    /read in two ways/,
    (f) => Buffer.concat([f, footerOf(fixed)]),
  ],
  ["an old, shorter footer", "UNSUPPORTED_FEATURE", /511-byte footer/, (f) => f.subarray(0, -1)],
  [
    "another version",
    "UNSUPPORTED_FEATURE",
    /VHD version 0x20000/,
    inFooters((f) => f.writeUInt32BE(0x20000, 12)),
  ],
  ["another disk type", "UNSUPPORTED_FEATURE", /disk type 6/, inFooters((f) => f.writeUInt32BE(6, 60))],
  [
    "a size above 2040 GiB",
    "LIMIT_EXCEEDED",
    /2040 GiB/,
    inFooters((f) => f.writeBigUInt64BE(2n ** 41n, 48)),
  ],
  [
    "a size near the end of the numbers",
    "LIMIT_EXCEEDED",
    /2040 GiB/,
    inFooters((f) => f.writeBigUInt64BE(2n ** 64n - 512n, 48)),
  ],
  [
    "half a sector",
    "IMAGE_CORRUPT",
    /whole number of sectors/,
    inFooters((f) => f.writeBigUInt64BE(24_576n - 1n, 48)),
  ],
  [
    "a geometry without sectors",
    "IMAGE_CORRUPT",
    /geometry 0\/0\/0/,
    inFooters((f) => f.write("vpc ", 28, "latin1")),
  ],
  [
    "a dynamic header inside the footer copy",
    "IMAGE_CORRUPT",
    /offset 8: the dynamic header cannot/,
    inFooters((f) => f.writeBigUInt64BE(8n, 16)),
  ],
  [
    "a dynamic header behind the end",
    "IMAGE_CORRUPT",
    /cannot stand here/,
    inFooters((f) => f.writeBigUInt64BE(2n ** 60n, 16)),
  ],
  [
    "a dynamic header elsewhere",
    "IMAGE_CORRUPT",
    /no dynamic disk header/,
    inFooters((f) => f.writeBigUInt64BE(2048n, 16)),
  ],
  [
    "another header version",
    "UNSUPPORTED_FEATURE",
    /header version 0x10001/,
    inHeader((h) => h.writeUInt32BE(0x10001, 24)),
  ],
  [
    "a block size that is no power of two",
    "IMAGE_CORRUPT",
    /block size 12288/,
    inHeader((h) => h.writeUInt32BE(12_288, 32)),
  ],
  ["a block size of zero", "IMAGE_CORRUPT", /block size 0/, inHeader((h) => h.writeUInt32BE(0, 32))],
  [
    "a block size of 2 GiB",
    "LIMIT_EXCEEDED",
    /block size 2147483648/,
    inHeader((h) => h.writeUInt32BE(2 ** 31, 32)),
  ],
  ["too few table entries", "IMAGE_CORRUPT", /needs 6/, inHeader((h) => h.writeUInt32BE(5, 28))],
  [
    "more table entries than the file can hold",
    "IMAGE_CORRUPT",
    /does not fit into the file/,
    inHeader((h) => h.writeUInt32BE(2 ** 32 - 1, 28)),
  ],
  [
    "a table behind the end",
    "IMAGE_CORRUPT",
    /does not fit into the file/,
    inHeader((h) => h.writeBigUInt64BE(2n ** 64n - 8n, 16)),
  ],
  [
    "a table inside the header",
    "IMAGE_CORRUPT",
    /table at 1000 overlaps the header at 512/,
    inHeader((h) => h.writeBigUInt64BE(1000n, 16)),
  ],
  [
    "a huge disk in tiny blocks",
    "LIMIT_EXCEEDED",
    /too many/,
    (f) => {
      inFooters((x) => x.writeBigUInt64BE(2n ** 40n, 48))(f);
      inHeader((h) => h.writeUInt32BE(512, 32))(f);
    },
  ],
  [
    "a block behind the end",
    "IMAGE_CORRUPT",
    /block 0 at offset 512000 runs past/,
    (f) => f.writeUInt32BE(1000, TABLE),
  ],
  [
    "a block cut by the end",
    "IMAGE_TRUNCATED",
    /block 0 .* runs past the end/,
    (f) => f.writeUInt32BE((f.length - 1024) / 512, TABLE),
  ],
  [
    "a block in the footer copy",
    "IMAGE_CORRUPT",
    /overlaps the metadata at 0/,
    (f) => f.writeUInt32BE(0, TABLE),
  ],
  [
    "a block in the dynamic header",
    "IMAGE_CORRUPT",
    /overlaps the metadata at 512/,
    (f) => f.writeUInt32BE(1, TABLE),
  ],
  [
    "a block in the table",
    "IMAGE_CORRUPT",
    /overlaps the metadata at 1536/,
    (f) => f.writeUInt32BE(3, TABLE),
  ],
  [
    "one block twice",
    "IMAGE_CORRUPT",
    /block 4 at sector \d+ overlaps block 0/,
    (f) => f.writeUInt32BE(f.readUInt32BE(TABLE + 16), TABLE),
  ],
  [
    "two blocks that overlap by a sector",
    "IMAGE_CORRUPT",
    /overlaps block/,
    (f) => f.writeUInt32BE(f.readUInt32BE(TABLE + 16) + 8, TABLE + 4),
  ],
];

describe("a damaged or hostile dynamic disk is refused by name:", () => {
  test.for(rows)("%s", async ([, code, message, change]) => {
    const good = Buffer.from(handMade(dynamic));
    const changed = change(good);
    const error = await open(changed instanceof Buffer ? changed : good).then(
      scan,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((error as Fault).message).toMatch(/^bad\.vhd: [^\n]*$/);
  });
});

describe("a damaged fixed disk is refused by name:", () => {
  test("its start cut away", async () => {
    const cut = handMade(fixed).subarray(512);
    await expect(open(cut)).rejects.toMatchObject({ code: "IMAGE_TRUNCATED" });
  });

  test("a size that does not fit gives a warning when bytes are left over", async () => {
    const image = await open(handMade({ ...fixed, guest: noise(2 * BLOCK, 1) }));
    expect(image.report().findings.map(({ name }) => name)).toEqual(["size-differs"]);
    expect(image.virtualSize).toBe(BLOCK);
  });

  test.for([0, 1, 511, 512, 4096])("%i bytes of something else are no VHD", async (length) => {
    await expect(open(noise(length, 1))).rejects.toMatchObject({ code: "FORMAT_MISMATCH" });
  });

  test("a snapshot cannot be named", async () => {
    const request = { source: memorySource(handMade(fixed)), gate, allowAmplification: false, snapshot: "x" };
    await expect(vhd.reader.open(request, never)).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("options that VHD does not know are refused:", () => {
  const options = { virtualSize: BLOCK, compression: "none", seed: Uint8Array.of(1) } as const;
  for (const { name, writer } of [vhd, vhdFixed]) {
    test.for([
      ["compression", { ...options, compression: "zlib" }, "USAGE"],
      ["a level", { ...options, level: 3 }, "USAGE"],
      ["a cluster size", { ...options, clusterSize: 65536 }, "USAGE"],
      ["rounding to half a sector", { ...options, roundTo: 256 }, "USAGE"],
      ["rounding to nothing", { ...options, roundTo: 0 }, "USAGE"],
      ["2040 GiB and a sector", { ...options, virtualSize: 2040 * 1024 ** 3 + 512 }, "LIMIT_EXCEEDED"],
    ] as const)(`${name}: %s`, ([, bad, code]) => {
      expect(() => writer.layout(bad)).toThrow(expect.objectContaining({ code }));
    });

    test(`${name}: 2040 GiB are not too much`, () => {
      const layout = writer.layout({ ...options, virtualSize: 2040 * 1024 ** 3 });
      expect(layout.virtualSize).toBe(2040 * 1024 ** 3);
    });
  }

  test("the same seed gives the same identity, another seed another one", () => {
    const tail = (seed: number) => {
      const layout = vhdFixed.writer.layout({ ...options, seed: Uint8Array.of(seed) });
      return layout.shape === "flat" ? Buffer.from(layout.tail).toString("hex") : "";
    };
    expect(tail(1)).toBe(tail(1));
    expect(tail(1)).not.toBe(tail(2));
  });
});

describe("any bytes", () => {
  const seeds = { dynamic: handMade(dynamic), differencing: handMade(differencing), fixed: handMade(fixed) };
  const extremes = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];

  test.for(Object.entries(seeds))(
    "in a %s disk give an image that can be read, or a Fault",
    async ([, good]) => {
      // Where fields are: headers and table at the start, the footer at the end.
      const place = fc.oneof(
        fc.integer({ min: 0, max: Math.min(2047, good.length - 1) }),
        fc.integer({ min: good.length - 512, max: good.length - 1 }),
        fc.constantFrom(48, 49, 52, 55, 60, 63, 512 + 16, 512 + 23, 512 + 28, 512 + 31, 512 + 32, 512 + 34),
      );
      const value = fc.oneof(fc.constantFrom(...extremes), fc.integer({ min: 0, max: 255 }));
      const mutation = fc.record({
        writes: fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 6 }),
        cut: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: good.length })),
        mend: fc.constantFrom("checksums", "footers", "nothing"),
      });
      let opened = 0;
      await fc.assert(
        fc.asyncProperty(mutation, async ({ writes, cut, mend }) => {
          const file = Buffer.from(good.subarray(0, good.length - cut));
          for (const [at, byte] of writes) if (at < file.length) file[at] = byte;
          const growing = good !== seeds.fixed && file.length >= 2048;
          if (mend === "footers" && growing) file.copy(file, file.length - 512, 0, 512);
          if (mend !== "nothing" && growing) {
            fixChecksum(file, 0, 512, 64);
            fixChecksum(file, 512, 1024, 36);
          }
          if (mend !== "nothing" && file.length >= 512) fixChecksum(file, file.length - 512, 512, 64);
          try {
            await scan(await open(file));
            opened += 1;
          } catch (error) {
            if (!(error instanceof Fault)) throw error;
            expect(error.code).not.toBe("INTERNAL");
          }
        }),
        { numRuns: 2000 },
      );
      // The property is worth something only when mutations get past the checksums.
      expect(opened).toBeGreaterThan(20);
    },
  );
});
