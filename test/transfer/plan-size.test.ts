/** How large parts become where a store takes no more than so many. */
import { describe, expect, it } from "vitest";
import type { Range } from "../../src/bytes/range.ts";
import { GiB, KiB, MiB, TiB } from "../../src/bytes/units.ts";
import type { Image, LayoutOptions } from "../../src/format/format.ts";
import { formatByUserName } from "../../src/format/registry.ts";
import { openNull } from "../../src/store/null/null.ts";
import type { StoreLimits } from "../../src/store/store.ts";
import { planTransfer } from "../../src/transfer/plan-transfer.ts";

const never = new AbortController().signal;
const OSS = { placement: "parts", minPart: 100 * KiB, maxPart: 5 * GiB, maxParts: 10_000 } as const;
const S3 = { ...OSS, minPart: 5 * MiB } as const;

function plan(
  format: string,
  size: number,
  limits: Partial<StoreLimits>,
  segment?: number,
  options: Partial<LayoutOptions> = {},
) {
  const full = {
    format: "raw",
    virtualSize: size,
    sources: [],
    async *extents(range: Range) {
      if (range.length > 0) yield { kind: "data", ...range };
    },
  } as unknown as Image;
  const layout = formatByUserName(format).writer.layout({
    virtualSize: size,
    seed: new Uint8Array(16),
    ...options,
  });
  const given = segment === undefined ? {} : { segment };
  const image = {
    image: full,
    layout,
    limits: { ...openNull().limits, ...limits },
    adopt: "nothing",
  } as const;
  return planTransfer({ ...image, ...given }, never);
}

describe.each(["tar.gz", "qcow2", "vhd", "zvhd2"])("a full disk as %s", (format) => {
  it.each([
    ["OSS", "of 300 GiB", OSS, 300 * GiB, 32 * MiB],
    ["OSS", "of 500 GiB, the largest that Alibaba exports (EX-10)", OSS, 500 * GiB, 64 * MiB],
    ["OSS", "of 1 TiB", OSS, TiB, 128 * MiB],
    ["S3", "of 500 GiB", S3, 500 * GiB, 64 * MiB],
    ["S3", "of 1 TiB", S3, TiB, 128 * MiB],
  ] as const)(
    "fits %s, %s, within the memory that lanes have by default",
    async (_, _size, limits, size, part) => {
      const { slots, laneMemory } = await plan(format, size, limits);
      expect(slots.length).toBeLessThanOrEqual(9_998);
      expect(Math.max(...slots.map(({ data }) => data))).toBeLessThanOrEqual(part + limits.minPart + MiB);
      expect(slots.length).toBeGreaterThanOrEqual(Math.floor(size / (part + limits.minPart + MiB)));
      expect(laneMemory).toBeLessThanOrEqual(192 * MiB);
    },
  );

  it("is refused where it does not, and where the user has said how large its segments are", async () => {
    const refused = {
      code: "LIMIT_EXCEEDED",
      message: expect.stringContaining("use a larger --segment-size"),
    };
    await expect(plan(format, 1900 * GiB, OSS)).rejects.toMatchObject(refused);
    await expect(plan(format, 500 * GiB, OSS, 32 * MiB)).rejects.toMatchObject(refused);
  });
});

it.each([
  ["compressed", "64K", "zlib", 64 * KiB, 16 * MiB],
  ["compressed", "2M", "zlib", 2 * MiB, 64 * MiB],
  ["plain", "2M", "none", 2 * MiB, 16 * MiB],
] as const)(
  "a %s qcow2 with clusters of %s is cut so that the padding of its segments does not count",
  async (_, _name, compression, clusterSize, segment) => {
    const { slots } = await plan("qcow2", GiB, { placement: "offsets" }, undefined, {
      compression,
      clusterSize,
    });
    expect(new Set(slots.map(({ data }) => data))).toEqual(new Set([segment]));
  },
);
