import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/fault/fault.ts";
import type { Image, ReferenceGate } from "../../../src/format/format.ts";
import { geometryFor } from "../../../src/format/vhd/geometry.ts";
import { vhd, vhdFixed } from "../../../src/format/vhd/vhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { closedGate } from "../../support/gate.ts";
import { readGuest } from "../../support/reference.ts";
import { type Block, type HandMade, handMade } from "./hand-made.ts";
import { noise } from "./patterns.ts";

const never = new AbortController().signal;
const BLOCK = 4096;
const SECTORS = BLOCK / 512;
const ids = { a: "a1".repeat(16), b: "b2".repeat(16), c: "c3".repeat(16) };

/** A gate that lists files by the name that the image states. */
function listing(files: Readonly<Record<string, Uint8Array>>): ReferenceGate {
  const gate: ReferenceGate = {
    ...closedGate,
    async backing(reference, signal) {
      const bytes = files[reference.name];
      if (bytes === undefined) return closedGate.backing(reference, signal);
      return vhd.reader.open(
        { source: memorySource(bytes, reference.name), gate, allowAmplification: false },
        signal,
      );
    },
  };
  return gate;
}

function open(bytes: Uint8Array, gate = closedGate, reader = vhd.reader): Promise<Image> {
  return reader.open({ source: memorySource(bytes, "test.vhd"), gate, allowAmplification: false }, never);
}

async function refusal(opening: Promise<unknown>): Promise<Fault> {
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Fault)) throw new Error(`not a Fault: ${error}`);
  return error;
}

const block = (seed: number, bitmap?: Uint8Array): Block => ({
  data: noise(BLOCK, seed),
  ...(bitmap && { bitmap }),
});
const base: HandMade = { type: 3, size: 5 * BLOCK - 1024, uuid: ids.a };

describe("the virtual size", () => {
  const geometry = [2, 4, 17] as const;
  test.for([
    ["vpc ", geometry, 2 * 4 * 17 * 512],
    ["qemu", geometry, 2 * 4 * 17 * 512],
    ["vpc ", [65535, 16, 255] as const, 70_144],
    ["qem2", geometry, 70_144],
    ["win ", geometry, 70_144],
    ["d2v\0", geometry, 70_144],
    ["tap\0", geometry, 70_144],
    ["CTXS", geometry, 70_144],
    ["wa\0\0", geometry, 70_144],
  ] as const)("of creator %s with geometry %j is %i bytes", async ([creator, chs, size]) => {
    const bytes = handMade({ type: 2, size: 70_144, uuid: ids.a, creator, geometry: chs });
    expect((await open(bytes)).virtualSize).toBe(size);
  });

  test("stands in a geometry that never states more sectors than there are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xff00_0000 }), (sectors) => {
        const { cylinders, heads, sectors: perTrack } = geometryFor(sectors);
        expect(cylinders * heads * perTrack).toBeLessThanOrEqual(sectors);
        expect(cylinders).toBeLessThanOrEqual(65535);
        expect(heads).toBeLessThanOrEqual(16);
      }),
    );
    // Values of the algorithm's own branches: 10 MiB, 1 GiB, 8 GiB, 200 GiB.
    expect(geometryFor(20_480)).toEqual({ cylinders: 301, heads: 4, sectors: 17 });
    expect(geometryFor(2_097_152)).toEqual({ cylinders: 2080, heads: 16, sectors: 63 });
    expect(geometryFor(16_777_216)).toEqual({ cylinders: 16_644, heads: 16, sectors: 63 });
    expect(geometryFor(419_430_400)).toEqual({ cylinders: 65_535, heads: 16, sectors: 255 });
  });
});

describe("a dynamic disk", () => {
  test("reads stored blocks whatever their bitmap says, and zeros elsewhere", async () => {
    const blocks = new Map([
      [1, block(1, new Uint8Array(1))],
      [4, block(4)],
    ]);
    const guest = Buffer.alloc(5 * BLOCK);
    for (const [i, { data }] of blocks) guest.set(data, i * BLOCK);
    const image = await open(handMade({ ...base, blocks }));
    expect((await readGuest(image, 700)).equals(guest.subarray(0, base.size))).toBe(true);
  });

  test("joins neighbouring blocks into one extent", async () => {
    const blocks = new Map([
      [1, block(1)],
      [2, block(2)],
    ]);
    const image = await open(handMade({ ...base, blocks }));
    const extents = [];
    for await (const extent of image.extents({ offset: 100, length: base.size - 100 }, never))
      extents.push(extent);
    expect(extents).toEqual([
      { kind: "zero", offset: 100, length: BLOCK - 100 },
      { kind: "data", offset: BLOCK, length: 2 * BLOCK },
      { kind: "zero", offset: 3 * BLOCK, length: 2 * BLOCK - 1024 },
    ]);
  });

  test("may carry Xen's tdbatmap behind its table", async () => {
    const plain = handMade({ ...base, blocks: new Map([[0, block(1)]]) });
    const gap = Buffer.alloc(1024);
    gap.write("tdbatmap", 0, "latin1");
    const bytes = Buffer.concat([plain.subarray(0, 2048), gap, plain.subarray(2048)]);
    bytes.writeUInt32BE(bytes.readUInt32BE(1536) + 2, 1536);
    const image = await open(bytes);
    expect((await readGuest(image)).subarray(0, BLOCK).equals(noise(BLOCK, 1))).toBe(true);
  });

  test("of a suspended machine carries a warning", async () => {
    const image = await open(handMade({ ...base, saved: true }));
    expect(image.report().findings.map(({ name }) => name)).toEqual(["saved-state"]);
  });

  test("is no fixed disk", async () => {
    const fault = await refusal(open(handMade(base), closedGate, vhdFixed.reader));
    expect(fault.code).toBe("FORMAT_MISMATCH");
    expect(fault.message).toContain("name the format vhd");
  });
});

describe("a differencing disk", () => {
  const parentGuest = noise(4 * BLOCK, 50);
  const parent = handMade({ type: 2, size: 4 * BLOCK, uuid: ids.a, timestamp: 77, guest: parentGuest });
  const link = { uuid: ids.a, timestamp: 77, name: "parent.vhd" };
  const child: HandMade = { type: 4, size: 6 * BLOCK, uuid: ids.b, parent: link };

  /** Sector by sector, straight from the rule. */
  function overlay(below: Uint8Array, size: number, blocks: ReadonlyMap<number, Block>): Buffer {
    const guest = Buffer.alloc(size);
    for (let sector = 0; sector < size / 512; sector += 1) {
      const own = blocks.get(Math.floor(sector / SECTORS));
      const bit = sector % SECTORS;
      const here = own !== undefined && (own.bitmap === undefined || (own.bitmap[0] ?? 0) & (0x80 >> bit));
      const from = here ? own.data.subarray(bit * 512) : below.subarray(sector * 512);
      guest.set(from.subarray(0, 512), sector * 512);
    }
    return guest;
  }

  test("reads each sector from where its bitmap says, in any pattern and any steps", async () => {
    const bitmaps = fc.dictionary(fc.constantFrom("0", "2", "3", "5"), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        bitmaps,
        fc.integer({ min: 1, max: 12 }).map((n) => n * 512),
        async (chosen, step) => {
          const blocks = new Map(
            Object.entries(chosen).map(([i, bits]) => [Number(i), block(Number(i) + 7, Uint8Array.of(bits))]),
          );
          const image = await open(handMade({ ...child, blocks }), listing({ "parent.vhd": parent }));
          const expected = overlay(parentGuest, child.size, blocks);
          expect((await readGuest(image, step)).equals(expected)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("reads through a chain of three, and shows its parent's name", async () => {
    const middleBlocks = new Map([[1, block(11, Uint8Array.of(0b0101_0000))]]);
    const middle = handMade({ ...child, blocks: middleBlocks });
    const topBlocks = new Map([[1, block(12, Uint8Array.of(0b1100_0001))]]);
    const top = handMade({
      ...child,
      uuid: ids.c,
      parent: { uuid: ids.b, timestamp: 1000, name: "middle.vhd" },
      blocks: topBlocks,
    });
    const image = await open(top, listing({ "parent.vhd": parent, "middle.vhd": middle }));
    const expected = overlay(overlay(parentGuest, child.size, middleBlocks), child.size, topBlocks);
    expect((await readGuest(image)).equals(expected)).toBe(true);
    expect(image.sources.map(({ name }) => name)).toEqual(["test.vhd", "middle.vhd", "parent.vhd"]);
    expect(image.report()).toMatchObject({ variant: "differencing", backing: { name: "middle.vhd" } });
  });

  test("takes a dynamic parent's zeros for zeros", async () => {
    const dynamic = handMade({ ...base, timestamp: 77, blocks: new Map([[2, block(9)]]) });
    const image = await open(handMade(child), listing({ "parent.vhd": dynamic }));
    const extents = [];
    for await (const extent of image.extents({ offset: 0, length: child.size }, never)) extents.push(extent);
    expect(extents.map(({ kind, length }) => [kind, length])).toEqual([
      ["zero", 2 * BLOCK],
      ["data", BLOCK],
      ["zero", 3 * BLOCK],
    ]);
  });

  test("is refused when the request does not list its parent", async () => {
    const fault = await refusal(open(handMade(child)));
    expect(fault.code).toBe("REFERENCE_NOT_LISTED");
    expect(fault.message).toContain('"parent.vhd"');
  });

  test("is refused with a parent of another identity", async () => {
    const other = handMade({ type: 2, size: 4 * BLOCK, uuid: ids.c });
    const fault = await refusal(open(handMade(child), listing({ "parent.vhd": other })));
    expect(fault.code).toBe("FORMAT_MISMATCH");
    expect(fault.message).toContain("list the right file");
  });

  test("is refused when it names itself", async () => {
    const self = handMade({ ...child, parent: { ...link, uuid: ids.b } });
    const fault = await refusal(open(self, listing({ "parent.vhd": parent })));
    expect(fault.code).toBe("IMAGE_CORRUPT");
    expect(fault.message).toContain("names itself");
  });

  test("tells when the parent's timestamp is another", async () => {
    const image = await open(
      handMade({ ...child, parent: { ...link, timestamp: 78 } }),
      listing({ "parent.vhd": parent }),
    );
    expect(image.report().findings.map(({ name }) => name)).toEqual(["parent-timestamp"]);
  });

  test("closes its parent when it is closed, and when opening fails", async () => {
    let open = 0;
    const listed = listing({ "parent.vhd": parent });
    const counting: ReferenceGate = {
      ...listed,
      async backing(reference, signal) {
        const image = await listed.backing(reference, signal);
        open += 1;
        return {
          ...image,
          async [Symbol.asyncDispose]() {
            open -= 1;
          },
        };
      },
    };
    const request = (bytes: Uint8Array) => ({
      source: memorySource(bytes),
      gate: counting,
      allowAmplification: false,
    });
    const image = await vhd.reader.open(request(handMade(child)), never);
    expect(open).toBe(1);
    await image[Symbol.asyncDispose]();
    expect(open).toBe(0);
    const wrong = handMade({ ...child, parent: { ...link, uuid: ids.c } });
    await refusal(vhd.reader.open(request(wrong), never));
    expect(open).toBe(0);
  });
});

describe("probing", () => {
  const probe = (reader: typeof vhd.reader, bytes: Uint8Array) =>
    reader.probe({ head: bytes.subarray(0, 65536), tail: bytes.subarray(-4096), size: bytes.length });
  const fixed = handMade({ type: 2, size: 4096, uuid: ids.a });
  const short = Buffer.concat([Buffer.alloc(4096), fixed.subarray(-512, -1)]);
  test.for([
    ["a dynamic disk", handMade(base), "mine", "not mine"],
    ["a fixed disk", fixed, "mine", "mine"],
    ["a fixed disk with an old, shorter footer", short, "mine", "mine"],
    ["plain bytes", noise(9000, 1), "not mine", "not mine"],
    ["an empty file", new Uint8Array(0), "not mine", "not mine"],
  ] as const)("%s", ([, bytes, asVhd, asFixed]) => {
    expect(probe(vhd.reader, bytes)).toBe(asVhd);
    expect(probe(vhdFixed.reader, bytes)).toBe(asFixed);
  });
});

const SAMPLES = "../shared/samples/peers";
const HAVE = existsSync(SAMPLES);
describe.skipIf(!HAVE)(`public samples${HAVE ? "" : ` (skipped: ${SAMPLES} is absent)`}`, () => {
  const sample = (name: string) => readFileSync(`${SAMPLES}/${name}`);

  test("ext2.vhd holds an ext2 file system", async () => {
    const image = await open(sample("ext2.vhd"));
    expect(image.virtualSize).toBe(0x79 * 4 * 0x11 * 512);
    const guest = await readGuest(image);
    expect(guest.readUInt16LE(1024 + 56)).toBe(0xef53);
  });

  test("fat-differential.vhd is refused by its parent's name", async () => {
    const fault = await refusal(open(sample("fat-differential.vhd")));
    expect(fault.code).toBe("REFERENCE_NOT_LISTED");
    expect(fault.message).toMatch(/parent ".*\.vhd"/);
  });

  test.for(["image.vhd", "image-differential.vhd"])("%s is refused for its checksum", async (name) => {
    const fault = await refusal(open(sample(name)));
    expect(fault.code).toBe("IMAGE_CORRUPT");
    expect(fault.message).toContain("checksum");
  });
});
