import { describe, expect, it } from "vitest";
import { KiB, MiB, SECTOR } from "../../../src/bytes/units.ts";
import type { Compression, PackedLayout } from "../../../src/format/format.ts";
import { PLAIN } from "../../../src/format/qcow2/encoder.ts";
import { qcow2 } from "../../../src/format/qcow2/qcow2.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { closedGate } from "../../support/gate.ts";
import { QEMU, QEMU_REASON } from "../../support/qemu.ts";
import { readGuest, writeImage } from "../../support/reference.ts";
import { CONTENTS } from "./contents.ts";
import { qemuAccepts, scratch } from "./scratch.ts";

const never = new AbortController().signal;
const file = scratch();
const CLUSTER_SIZES = Array.from({ length: 13 }, (_, i) => 512 * 2 ** i);
const COMPRESSIONS: readonly Compression[] = ["none", "zlib", "zstd"];

async function ourGuest(image: Uint8Array): Promise<Buffer> {
  const request = { source: memorySource(image), gate: closedGate, allowAmplification: false };
  await using opened = await qcow2.reader.open(request, never);
  return readGuest(opened);
}

/** The guest as every reader shows it: whole sectors. */
function wholeSectors(guest: Buffer): Buffer {
  return Buffer.concat([guest, Buffer.alloc((SECTOR - (guest.length % SECTOR)) % SECTOR)]);
}

function packed(options: Partial<Parameters<typeof qcow2.writer.layout>[0]>): PackedLayout {
  const layout = qcow2.writer.layout({
    virtualSize: 64 * MiB,
    seed: new Uint8Array(16),
    ...options,
  });
  if (layout.shape !== "packed") throw new Error("qcow2 is packed");
  return layout;
}

describe(`written images pass qemu-img check and read back the same${QEMU_REASON}`, () => {
  for (const clusterSize of CLUSTER_SIZES) {
    for (const compression of COMPRESSIONS) {
      it.skipIf(!QEMU)(`${compression}, clusters of ${clusterSize}`, async () => {
        const size = Math.min(7 * MiB, Math.max(200 * KiB, clusterSize * 20)) + 1234;
        const guest = CONTENTS.mixed(size);
        for (const effort of ["full", "plain"] as const) {
          const image = await writeImage(qcow2.writer, guest, { compression, clusterSize }, 5, effort);
          expect((await ourGuest(image)).equals(wholeSectors(guest))).toBe(true);
          expect(qemuAccepts(file("w.qcow2"), image).equals(wholeSectors(guest))).toBe(true);
        }
      });
    }
  }

  for (const content of ["sparse", "random", "compressible"] as const) {
    for (const compression of COMPRESSIONS) {
      for (const clusterSize of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
        it.skipIf(!QEMU)(`${content}, ${compression}, clusters of ${clusterSize}`, async () => {
          const guest = CONTENTS[content](Math.min(3 * MiB, clusterSize * 50) + 511);
          const image = await writeImage(qcow2.writer, guest, { compression, clusterSize }, 7);
          expect((await ourGuest(image)).equals(wholeSectors(guest))).toBe(true);
          expect(qemuAccepts(file("c.qcow2"), image).equals(wholeSectors(guest))).toBe(true);
        });
      }
    }
  }

  for (const size of [0, 1, 511, 512, 513, 65536, 65537, 9 * MiB + 5]) {
    it.skipIf(!QEMU)(`a disk of ${size} bytes`, async () => {
      const guest = Buffer.alloc(size);
      if (size > 0) guest[size - 1] = 7;
      for (const compression of COMPRESSIONS) {
        const image = await writeImage(qcow2.writer, guest, { compression }, 1024);
        const seen = await ourGuest(image);
        expect(seen.length).toBe(Math.ceil(size / SECTOR) * SECTOR);
        expect(seen.equals(wholeSectors(guest))).toBe(true);
        expect(qemuAccepts(file("s.qcow2"), image).equals(seen)).toBe(true);
      }
    });
  }

  it.skipIf(!QEMU)("a disk of zeros is only a head", async () => {
    const image = await writeImage(qcow2.writer, Buffer.alloc(3 * MiB), { compression: "zlib" });
    expect(image.length).toBe(4 * 64 * KiB);
    expect(qemuAccepts(file("z.qcow2"), image).equals(Buffer.alloc(3 * MiB))).toBe(true);
  });

  it.skipIf(!QEMU)("a head that was reserved far too large holds free clusters", async () => {
    const guest = CONTENTS.mixed(900 * KiB);
    const roomy = {
      ...qcow2.writer,
      layout(options: Parameters<typeof qcow2.writer.layout>[0]) {
        const layout = packed(options);
        const headLength: PackedLayout["headLength"] = (upper) =>
          layout.headLength({ tables: upper.tables * 40, bytes: upper.bytes * 500 }, 5 * MiB);
        return { ...layout, headLength };
      },
    };
    for (const clusterSize of [512, 64 * KiB]) {
      const image = await writeImage(roomy, guest, { compression: "zstd", clusterSize });
      expect(qemuAccepts(file("r.qcow2"), image).equals(guest)).toBe(true);
      expect((await ourGuest(image)).equals(guest)).toBe(true);
    }
  });
});

describe("what is written", () => {
  it("does not depend on anything but input and options", async () => {
    const guest = CONTENTS.mixed(800 * KiB);
    for (const compression of COMPRESSIONS) {
      const first = await writeImage(qcow2.writer, guest, { compression, clusterSize: 4096 });
      const second = await writeImage(qcow2.writer, guest, { compression, clusterSize: 4096 });
      expect(second.equals(first)).toBe(true);
    }
  });

  it("is plain and exact by default, and rounded up when asked", () => {
    expect(packed({ virtualSize: 5 * MiB + 1 }).virtualSize).toBe(5 * MiB + SECTOR);
    expect(packed({ virtualSize: 5 * MiB + 1, roundTo: MiB }).virtualSize).toBe(6 * MiB);
    expect(packed({}).encoding).toEqual({ format: "qcow2", compression: "none", level: 0, unit: 64 * KiB });
  });

  it("states the compression type for zstd only", async () => {
    const guest = CONTENTS.compressible(100 * KiB);
    const zstd = await writeImage(qcow2.writer, guest, { compression: "zstd" });
    const zlib = await writeImage(qcow2.writer, guest, { compression: "zlib" });
    expect([zstd.readUInt32BE(76), zstd.readUInt8(104)]).toEqual([8, 1]);
    expect([zlib.readUInt32BE(76), zlib.readUInt8(104)]).toEqual([0, 0]);
  });

  it("never takes more than one cluster for a unit, padding included", () => {
    const encoder = qcow2.writer.encoder?.({ format: "qcow2", compression: "zlib", level: 1, unit: 4096 });
    const random = CONTENTS.random(4096);
    const easy = Buffer.alloc(4096, 7);
    let length = 0;
    const out = {
      get length() {
        return length;
      },
      add(bytes: Uint8Array) {
        length += bytes.length;
      },
      addZeros(count: number) {
        length += count;
      },
      addLast(bytes: Uint8Array) {
        length += bytes.length;
      },
    };
    for (let unit = 0; unit < 64; unit += 1) {
      encoder?.encode(unit % 2 === 0 ? easy : random, unit, "full", out);
      expect(Math.ceil(length / 4096)).toBeLessThanOrEqual(unit + 1);
    }
  });

  it("leaves no gaps between compressed clusters for those that do not shrink", async () => {
    const random = CONTENTS.random(65536);
    const easy = Buffer.alloc(65536, 7);
    const guest = Buffer.concat(Array.from({ length: 64 }, (_, unit) => (unit % 2 === 0 ? easy : random)));
    const image = await writeImage(qcow2.writer, guest, { compression: "zlib" });
    const head = await writeImage(qcow2.writer, Buffer.alloc(guest.length), { compression: "zlib" });
    // The plain ones, and one for the others of each segment; a gap for each plain one would make it 64.
    expect(image.length).toBeLessThanOrEqual(head.length + (32 + 8) * 65536);
  });

  it("has a head that holds its worst case, and at least what is asked for", () => {
    for (const clusterSize of CLUSTER_SIZES) {
      const layout = packed({ clusterSize });
      for (const bytes of [0, clusterSize, 1000 * clusterSize]) {
        const head = layout.headLength({ tables: 3, bytes }, 0);
        expect(head % clusterSize).toBe(0);
        expect(layout.headLength({ tables: 3, bytes }, head)).toBe(head);
        expect(layout.headLength({ tables: 3, bytes }, 5 * MiB)).toBeGreaterThanOrEqual(5 * MiB);
      }
    }
  });
});

describe("options that cannot be", () => {
  for (const [what, options, code] of [
    ["a cluster size that is no power of two", { clusterSize: 3000 }, "USAGE"],
    ["clusters of 256 bytes", { clusterSize: 256 }, "USAGE"],
    ["clusters of 4 MiB", { clusterSize: 4 * MiB }, "USAGE"],
    ["a negative size", { virtualSize: -1 }, "USAGE"],
    ["half a byte", { virtualSize: 0.5 }, "USAGE"],
    ["a level without compression", { level: 3 }, "USAGE"],
    ["zlib level 13", { compression: "zlib" as const, level: 13 }, "USAGE"],
    ["zstd level 0", { compression: "zstd" as const, level: 0 }, "USAGE"],
    ["a disk too large for its clusters", { clusterSize: 512, virtualSize: 2 ** 38 }, "LIMIT_EXCEEDED"],
  ] as const) {
    it(`${what} is refused`, () => {
      expect(() => packed(options)).toThrow(expect.objectContaining({ code }));
    });
  }

  it("a file too large for its refcounts is refused", () => {
    const layout = packed({ clusterSize: 512, virtualSize: 2 ** 36 });
    expect(() => layout.headLength({ tables: 1, bytes: 2 ** 40 }, 0)).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  it.each([
    ["two plain ones in one cluster", { units: Uint32Array.of(PLAIN, PLAIN) }],
    ["coded bytes beyond the end", { units: Uint32Array.of(40_000, 40_000) }],
    ["a place beyond the end", { units: Uint32Array.of(40_000), places: Uint32Array.of(30_000) }],
    ["coded bytes where a plain one stands", { units: Uint32Array.of(PLAIN, 1000) }],
    ["a place where a plain one stands", { units: Uint32Array.of(PLAIN, 10), places: Uint32Array.of(0, 9) }],
  ])("units that do not fit their segment are an internal fault: %s", async (_what, table) => {
    const layout = packed({});
    const sealed = layout.seal({
      headLength: 5 * 65536,
      dataEnd: 6 * 65536,
      async *segments() {
        yield { firstUnit: 0, offset: 5 * 65536, length: 65536, ...table };
      },
    });
    const all = async () => {
      for await (const chunk of sealed.head()) expect(chunk.length).toBeGreaterThan(0);
    };
    await expect(all()).rejects.toMatchObject({ code: "INTERNAL" });
  });
});
