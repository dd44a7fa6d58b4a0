/** Compressed clusters that go from qcow2 to qcow2 as they stand, against qemu-img. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import type { Image, OpenRequest, Piece } from "../../src/format/format.ts";
import { qcow2 } from "../../src/format/qcow2/qcow2.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import { closedGate } from "../support/gate.ts";
import { QEMU, QEMU_REASON, qemuImg, qemuIo } from "../support/qemu.ts";
import { writeImage } from "../support/reference.ts";
import { makeWorld, type Wish } from "../support/world.ts";
import { digestOf, makeDisk, noise, writeSparse } from "./disk.ts";

const world = await makeWorld("oracle-adopt");
const { path } = world;
const never = new AbortController().signal;

const disk = makeDisk(12 * MiB + 5 * 512, 7);
writeSparse(path("disk.raw"), disk);

const CODECS = ["zlib", "zstd"] as const;
type Codec = (typeof CODECS)[number];

/** qemu-img writes `name` from the disk, out of order and compressed. */
function makeCompressed(name: string, codec: Codec, clusterSize: number, from = "disk.raw"): void {
  const options = ["-o", `compression_type=${codec},cluster_size=${clusterSize}`];
  qemuImg("convert", "-c", "-m", "16", "-W", "-f", "raw", "-O", "qcow2", ...options, path(from), path(name));
}

/** Many small segments, so that runs of the source are cut. */
function copy(from: string, to: string, codec: Codec, clusterSize: number, wish: Wish = {}) {
  return world.transfer(from, to, {
    format: "qcow2",
    compression: codec,
    clusterSize,
    segment: MiB,
    existing: "replace",
    ...wish,
  });
}

function expectSound(name: string): void {
  expect(qemuImg("check", "-f", "qcow2", path(name))).toContain("No errors were found");
}

function expectSame(a: string, b: string, format = "qcow2"): void {
  qemuImg("compare", "-f", "qcow2", "-F", format, path(a), path(b));
}

async function open(bytes: Buffer, more: Partial<OpenRequest> = {}): Promise<Image> {
  const source = memorySource(bytes, "image");
  return qcow2.reader.open({ source, gate: closedGate, allowAmplification: true, ...more }, never);
}

/** Whole coded clusters of an image, by guest offset. */
async function codedOf(bytes: Buffer, more: Partial<OpenRequest> = {}): Promise<Map<number, Buffer>> {
  await using image = await open(bytes, more);
  const found = new Map<number, Buffer>();
  let offset = 0;
  const pieces: readonly Piece[] = await image.pieces({ offset: 0, length: image.virtualSize }, never);
  for (const piece of pieces) {
    if (piece.kind === "coded" && piece.length === piece.unit) {
      found.set(offset, bytes.subarray(piece.offset, piece.offset + piece.size));
    }
    offset += piece.length;
  }
  return found;
}

/** Offsets of coded clusters. */
async function placesOf(bytes: Buffer): Promise<number[]> {
  await using image = await open(bytes);
  const pieces = await image.pieces({ offset: 0, length: image.virtualSize }, never);
  return pieces.flatMap((piece) => (piece.kind === "coded" ? [piece.offset] : []));
}

/** Guest clusters whose coded bytes are the same in both images, of all that are coded in the first. */
async function adopted(from: string, to: string, more: Partial<OpenRequest> = {}) {
  const source = await codedOf(readFileSync(path(from)), more);
  const target = await codedOf(readFileSync(path(to)));
  const same = [...source].filter(([offset, bytes]) => target.get(offset)?.equals(bytes));
  return { of: source.size, same: same.length };
}

describe.skipIf(!QEMU)(`compressed clusters that qemu-img wrote${QEMU_REASON}`, () => {
  for (const codec of CODECS) {
    for (const clusterSize of [512, 4 * KiB, 64 * KiB, 2 * MiB]) {
      it(`are copied as they are, and the copy is sound: ${codec}, clusters of ${clusterSize}`, async () => {
        makeCompressed("a.qcow2", codec, clusterSize);
        const result = await copy("a.qcow2", "b.qcow2", codec, clusterSize);
        expect(result.guestDigest).toBeUndefined();
        expect(result.object.size).toBe(statSync(path("b.qcow2")).size);
        expectSound("b.qcow2");
        expectSame("b.qcow2", "disk.raw", "raw");
        const { of, same } = await adopted("a.qcow2", "b.qcow2");
        expect(of).toBeGreaterThan(0);
        // A cluster that the end of the disk cuts is decoded.
        expect(same).toBeGreaterThanOrEqual(of - 1);
      });
    }
  }

  it.each(CODECS)("are the same bytes each time, by one lane or by eight: %s", async (codec) => {
    makeCompressed("a.qcow2", codec, 64 * KiB);
    await copy("a.qcow2", "one.qcow2", codec, 64 * KiB, { concurrency: 1 });
    await copy("a.qcow2", "eight.qcow2", codec, 64 * KiB, { concurrency: 8 });
    expect(readFileSync(path("one.qcow2")).equals(readFileSync(path("eight.qcow2")))).toBe(true);
  });

  it.each([
    ["zlib", 512],
    ["zlib", 64 * KiB],
    ["zstd", 4 * KiB],
  ] as const)("make no copy larger than the copy before: %s, clusters of %i", async (codec, clusterSize) => {
    makeCompressed("0.qcow2", codec, clusterSize);
    const sizes: number[] = [];
    for (const turn of [1, 2, 3]) {
      await copy(`${turn - 1}.qcow2`, `${turn}.qcow2`, codec, clusterSize);
      sizes.push(statSync(path(`${turn}.qcow2`)).size);
    }
    expect(Math.max(...sizes)).toBe(sizes[0]);
    expectSound("3.qcow2");
    expectSame("3.qcow2", "disk.raw", "raw");
  });

  it("are compressed anew when that is asked for, or a level is, or another codec or cluster size", async () => {
    makeCompressed("a.qcow2", "zlib", 64 * KiB);
    const digest = digestOf(disk);
    for (const wish of [
      { adopt: "nothing" },
      { level: 6 },
      { compression: "zstd" },
      { clusterSize: 32 * KiB },
      { compression: "none" },
    ] as const) {
      expect(await copy("a.qcow2", "b.qcow2", "zlib", 64 * KiB, wish)).toMatchObject({ guestDigest: digest });
      expectSound("b.qcow2");
      expectSame("b.qcow2", "disk.raw", "raw");
    }
  });

  it("are read back and compared with the source when that is asked for", async () => {
    makeCompressed("a.qcow2", "zlib", 64 * KiB);
    const wish = { verify: "read back" } as const;
    const result = await copy("a.qcow2", "b.qcow2", "zlib", 64 * KiB, wish);
    expect(result).toMatchObject({ guestDigest: digestOf(disk), verified: true });
  });

  it("are copied also where they are damaged, and reading back finds it", async () => {
    makeCompressed("a.qcow2", "zlib", 64 * KiB);
    const bytes = readFileSync(path("a.qcow2"));
    const [first] = (await codedOf(bytes)).values();
    first?.fill(0xff, 0, 16);
    writeFileSync(path("a.qcow2"), bytes);
    expect((await copy("a.qcow2", "b.qcow2", "zlib", 64 * KiB)).verified).toBe(false);
    const wish = { verify: "read back" } as const;
    await expect(copy("a.qcow2", "b.qcow2", "zlib", 64 * KiB, wish)).rejects.toMatchObject({
      code: "VERIFY_FAILED",
      message: expect.stringMatching(/is a copy of a damaged image.*a\.qcow2: offset \d+: the compressed/),
    });
  });

  it("stand among clusters that were written later: plain, zero, and in part", async () => {
    for (const codec of CODECS) {
      makeCompressed("a.qcow2", codec, 64 * KiB);
      qemuIo(
        path("a.qcow2"),
        "qcow2",
        "write -P 7 1M 300k",
        "write -z 3M 200k",
        "discard 4M 1M",
        "write -P 0 6M 256k",
        "write -P 9 5000k 512",
        "write -c -P 11 7M 64k",
      );
      expect((await copy("a.qcow2", "b.qcow2", codec, 64 * KiB)).guestDigest).toBeUndefined();
      expectSound("b.qcow2");
      expectSame("b.qcow2", "a.qcow2");
      const { of, same } = await adopted("a.qcow2", "b.qcow2");
      expect(same).toBeGreaterThanOrEqual(of - 1);
    }
  });

  it("leave plain clusters that do not shrink plain, and compress those that do", async () => {
    const easy = Buffer.alloc(MiB, "all work and no play\n");
    writeFileSync(path("m.raw"), Buffer.concat([easy, noise(MiB, 3), easy, noise(MiB, 4)]));
    makeCompressed("m.qcow2", "zlib", 64 * KiB, "m.raw");
    qemuIo(path("m.qcow2"), "qcow2", "write -P 7 2M 512k");
    await copy("m.qcow2", "n.qcow2", "zlib", 64 * KiB);
    expectSound("n.qcow2");
    expectSame("n.qcow2", "m.qcow2");
    expect((await codedOf(readFileSync(path("n.qcow2")))).size).toBe((2 * MiB) / (64 * KiB));
    expect(statSync(path("n.qcow2")).size).toBeLessThan(2.6 * MiB);
  });

  it.each([
    ["the same cluster size", 64 * KiB],
    ["smaller clusters", 4 * KiB],
    ["larger clusters", 256 * KiB],
  ])("stand in a chain, over a backing file of %s", async (_what, clusterSize) => {
    makeCompressed("base.qcow2", "zlib", clusterSize);
    const overlay = ["-o", "cluster_size=64k", "-F", "qcow2", "-b", "base.qcow2"];
    qemuImg("create", "-q", "-f", "qcow2", ...overlay, path("top.qcow2"), `${13 * MiB}`);
    const writes = [0, 1, 2, 3].map((n) => `write -c -P ${n + 1} ${n * 64 + 1024}k 64k`);
    qemuIo(path("top.qcow2"), "qcow2", ...writes, "write -P 9 2M 3k", "write -z 3M 100k");
    const source = { backing: [path("base.qcow2")] };
    expect((await copy("top.qcow2", "b.qcow2", "zlib", 64 * KiB, { source })).guestDigest).toBeUndefined();
    expectSound("b.qcow2");
    expectSame("b.qcow2", "top.qcow2");
    const raw = await world.transfer("b.qcow2", "null:", { format: "raw" });
    const reread = await world.transfer("top.qcow2", "null:", { format: "raw", source });
    expect(raw.guestDigest).toBe(reread.guestDigest);
  });

  it("stand in a snapshot", async () => {
    makeCompressed("s.qcow2", "zstd", 64 * KiB);
    qemuImg("snapshot", "-c", "before", path("s.qcow2"));
    qemuIo(path("s.qcow2"), "qcow2", "write -P 9 0 3M", "discard 5M 2M");
    for (const source of [{ snapshot: "before" }, {}]) {
      expect((await copy("s.qcow2", "b.qcow2", "zstd", 64 * KiB, { source })).guestDigest).toBeUndefined();
      expectSound("b.qcow2");
      if ("snapshot" in source) expectSame("b.qcow2", "disk.raw", "raw");
      else expectSame("b.qcow2", "s.qcow2");
    }
  });

  it("stand in a disk that is rounded up", async () => {
    makeCompressed("a.qcow2", "zlib", 64 * KiB);
    const result = await copy("a.qcow2", "b.qcow2", "zlib", 64 * KiB, { roundTo: MiB });
    expect(result).toMatchObject({ virtualSize: 13 * MiB });
    expectSound("b.qcow2");
    expectSame("b.qcow2", "disk.raw", "raw");
  });
});

/** Where the L2 entries of an image with one table begin. */
function l2Of(image: Buffer): number {
  const l1 = Number(image.readBigUInt64BE(40));
  return Number(image.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
}

describe.skipIf(!QEMU)(`tables made by hand${QEMU_REASON}`, () => {
  const CLUSTER = 4 * KiB;
  const COUNT = 128;
  const COMPRESSED = 1n << 62n;
  writeFileSync(path("small.raw"), makeDisk(COUNT * CLUSTER, 11));
  if (QEMU) makeCompressed("small.qcow2", "zlib", CLUSTER, "small.raw");
  const small = QEMU ? readFileSync(path("small.qcow2")) : Buffer.alloc(0);
  const allow = { source: { allowAmplification: true }, segment: 64 * KiB };

  it("that refer to the same coded bytes more than once are copied with them", async () => {
    const image = Buffer.from(small);
    const l2 = l2Of(image);
    const entries = Array.from({ length: COUNT }, (_, i) => image.readBigUInt64BE(l2 + i * 8));
    const first = entries.find((entry) => (entry & COMPRESSED) !== 0n) ?? 0n;
    for (let i = 0; i < COUNT; i += 3) image.writeBigUInt64BE(first, l2 + i * 8);
    writeFileSync(path("twice.qcow2"), image);
    await copy("twice.qcow2", "b.qcow2", "zlib", CLUSTER, allow);
    expectSound("b.qcow2");
    expectSame("b.qcow2", "twice.qcow2");
    expect(statSync(path("b.qcow2")).size).toBeLessThan(image.length);
  });

  it("that say anything give a sound image with the same streams, or are refused", async () => {
    const text = Array.from({ length: 40_000 }, (_, line) => `${line} bottles of beer on the wall`).join(
      "\n",
    );
    const dense = await writeImage(qcow2.writer, Buffer.from(text).subarray(0, COUNT * CLUSTER), {
      compression: "zlib",
      clusterSize: CLUSTER,
    });
    const start = Math.min(...(await placesOf(dense)));
    const change = fc.record({
      index: fc.integer({ min: 0, max: COUNT - 1 }),
      offset: fc.integer({ min: start, max: dense.length - 1 }),
      more: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 15 })),
    });
    let copied = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 60 }), async (changes) => {
        const image = Buffer.from(dense);
        const l2 = l2Of(image);
        for (const { index, offset, more } of changes) {
          image.writeBigUInt64BE(COMPRESSED | (BigInt(more) << 58n) | BigInt(offset), l2 + index * 8);
        }
        writeFileSync(path("wild.qcow2"), image);
        try {
          await copy("wild.qcow2", "b.qcow2", "zlib", CLUSTER, allow);
        } catch (error) {
          // What takes more than it would plain has to be decoded, and is no stream.
          expect(error).toMatchObject({ code: "IMAGE_CORRUPT" });
          return;
        }
        expectSound("b.qcow2");
        const after = await codedOf(readFileSync(path("b.qcow2")));
        for (const [offset, bytes] of await codedOf(image)) {
          const other = after.get(offset) ?? Buffer.alloc(0);
          if (!other.equals(bytes)) expect(inflateRawSync(other).equals(inflateRawSync(bytes))).toBe(true);
        }
        copied += 1;
      }),
      { numRuns: 80 },
    );
    expect(copied).toBeGreaterThan(20);
  });

  it("are refused as they were before where one stream serves many places, unless that is allowed", async () => {
    copyFileSync(path("twice.qcow2"), path("again.qcow2"));
    await expect(copy("again.qcow2", "c.qcow2", "zlib", CLUSTER)).rejects.toMatchObject({
      code: "AMPLIFICATION",
    });
  });
});
