import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../../src/bytes/units.ts";
import { checkExpansion, expansionCap } from "../../../src/format/qcow2/amplification.ts";
import { qcow2 } from "../../../src/format/qcow2/qcow2.ts";
import { findRepeated, NearlyAscending } from "../../../src/format/qcow2/repeated.ts";
import { readGuest, writeImage } from "../../support/reference.ts";
import { AT, CLUSTER, coded, craft, wide } from "./craft.ts";
import { openImage } from "./open.ts";

describe("a disk of one repeated byte, the best that compression can do,", () => {
  for (const compression of ["zlib", "zstd"] as const) {
    for (const clusterSize of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
      it(`opens with ${compression} in clusters of ${clusterSize}`, async () => {
        const guest = Buffer.alloc(Math.max(8 * MiB, clusterSize * 40), 0x42);
        const level = compression === "zlib" ? 9 : 19;
        const size = guest.length / (clusterSize < 4096 ? 16 : 1);
        const image = await writeImage(
          qcow2.writer,
          guest.subarray(0, size),
          { compression, clusterSize, level },
          4096,
        );
        const opened = await openImage(image);
        expect(opened.report().compression).toBe(compression);
      });
    }
  }
});

describe("what expands beyond what its codec can do", () => {
  /** Compressed clusters of zstd that begin every 8 bytes, as chained skippable frames would let them. */
  function overlapping(): Buffer {
    const image = craft();
    wide(image, 72, 8);
    image.writeUInt8(1, 104);
    image.fill(0, AT.l2, AT.data);
    for (let i = 0; i < 512; i += 1) wide(image, AT.l2 + i * 8, coded(AT.coded + i * 8, 0));
    return image;
  }

  it("is refused with the cap, even when no two streams begin at one place", async () => {
    await expect(openImage(overlapping())).rejects.toMatchObject({
      code: "AMPLIFICATION",
      message: expect.stringMatching(/409:1.*--allow-amplification/),
    });
  });

  it("opens when the request allows it", async () => {
    const image = await openImage(overlapping(), { amplification: "allow" });
    expect(image.virtualSize).toBe(4 * MiB);
  });

  it("opens with a repeated stream or L2 table too, but never with a repeated plain cluster", async () => {
    const repeatedStream = craft();
    wide(repeatedStream, AT.l2 + 40, coded(AT.coded, 0));
    const guest = await readGuest(await openImage(repeatedStream, { amplification: "allow" }));
    expect(guest.subarray(5 * CLUSTER, 6 * CLUSTER).equals(guest.subarray(3 * CLUSTER, 4 * CLUSTER))).toBe(
      true,
    );

    const repeatedTable = craft();
    wide(repeatedTable, AT.l1 + 8, AT.l2);
    const twice = await readGuest(await openImage(repeatedTable, { amplification: "allow" }));
    expect(twice.subarray(0, 2 * MiB).equals(twice.subarray(2 * MiB))).toBe(true);

    const repeatedCluster = craft();
    wide(repeatedCluster, AT.l2 + 40, AT.data);
    await expect(openImage(repeatedCluster, { amplification: "allow" })).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
  });

  it("is measured against the codec", () => {
    expect(expansionCap("zlib", 64 * KiB)).toBe(1032);
    expect(expansionCap("zstd", 64 * KiB)).toBe(6553);
    expect(expansionCap("zstd", 2 * MiB)).toBe(29959);
    expect(() => checkExpansion("x", "zlib", 65536, 1032, 65536)).not.toThrow();
    expect(() => checkExpansion("x", "zlib", 65536, 1033, 65536)).toThrow("1032:1");
  });
});

describe("the search for repeated offsets", () => {
  it("finds one exactly when there is one, in windows of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }),
        fc.integer({ min: 2, max: 20 }),
        async (offsets, window) => {
          const found = await findRepeated(async (visit) => {
            for (const offset of offsets) visit(offset);
          }, window);
          const repeated = offsets.filter((offset, i) => offsets.indexOf(offset) !== i);
          if (found === undefined) expect(repeated).toEqual([]);
          else expect(repeated).toContain(found);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("needs no search where offsets are nearly in order, and never misses one", () => {
    const step = (i: number) => Math.floor(i / 16) * 16 + ((i * 5) % 16);
    for (const [offsets, expected] of [
      [Array.from({ length: 20_000 }, (_, i) => i), "none"],
      [Array.from({ length: 20_000 }, (_, i) => step(i)), "none"],
      [Array.from({ length: 20_000 }, (_, i) => step(i === 9_990 ? 9_999 : i)), step(9_999)],
      [[7, 7], 7],
      [[], "none"],
      [Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_000), "unknown"],
      [[...Array.from({ length: 20_000 }, (_, i) => i), 0], "unknown"],
    ] as const) {
      const streams = new NearlyAscending();
      for (const offset of offsets) streams.add(offset);
      expect(streams.finish()).toBe(expected);
    }
  });
});
