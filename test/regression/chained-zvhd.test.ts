import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/bytes/units.ts";
import { verify } from "../../src/engine/verify.ts";
import { BLOCK, PAGE, writeHeader } from "../../src/format/zvhd/header.ts";
import { chained } from "../format/zvhd/by-hand.ts";
import { noise } from "../oracle/disk.ts";
import { makeWorld } from "../support/world.ts";

const world = await makeWorld("chained");
const never = new AbortController().signal;

/** What each block ends with, and the next record refers back to. */
const SHARED = 24_000;

/** Blocks that begin with the end of the one before: their records cannot be decoded without it. */
function linkedBlocks(): Map<number, Buffer> {
  const blocks = new Map<number, Buffer>();
  let before = noise(SHARED, 1);
  for (const block of [0, 1, 50, 51, 200]) {
    const bytes = Buffer.alloc(BLOCK, `block ${block}\n`);
    before.copy(bytes);
    before = noise(SHARED, block + 2);
    before.copy(bytes, BLOCK - SHARED);
    blocks.set(block, bytes);
  }
  return blocks;
}

describe("a zvhd that is one stream over all its records", () => {
  const blocks = linkedBlocks();
  beforeAll(async () => {
    const uuid = Buffer.alloc(16, 0x42);
    const sizes = { originalSize: 500 * MiB, currentSize: GiB } as const;
    const first = writeHeader({ format: "zvhd", ...sizes, uuid, method: "zlib" });
    expect(first.length).toBe(PAGE);
    writeFileSync(world.path("chained.zvhd"), await chained(Buffer.from(first), blocks));
    const disk = openSync(world.path("disk.raw"), "w");
    for (const [block, bytes] of blocks) writeSync(disk, bytes, 0, BLOCK, block * BLOCK);
    ftruncateSync(disk, GiB);
    closeSync(disk);
  });

  it.each([
    ["raw", 2 * MiB],
    ["raw", 16 * MiB],
    ["raw", 64 * MiB],
    ["qcow2", 2 * MiB],
    ["qcow2", 64 * MiB],
  ])("reads the same as %s in segments of %i bytes, also over the zeros between", async (format, segment) => {
    const to = `out-${segment}.${format}`;
    const { guestDigest } = await world.transfer("chained.zvhd", to, { format, segment });
    const disk = world.image("disk.raw", { format: "raw" });
    const verdict = await verify(disk, world.image(to, { format }), world.engine, () => {}, never);
    expect(verdict).toEqual({ equal: true, guestDigest });
  });
});
