import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { alignUp, GiB } from "../../../src/bytes/units.ts";
import type { Image, ReadableFormat } from "../../../src/format/format.ts";
import { zvhd, zvhd2 } from "../../../src/format/zvhd/zvhd.ts";
import { memorySource } from "../../../src/source/memory/memory.ts";
import { closedGate } from "../../support/gate.ts";
import { readGuest, writeImage } from "../../support/reference.ts";
import { BLOCK, checksumFits, commonFields, decodeZvhd, decodeZvhd2, guestOf, walk } from "./by-hand.ts";

const never = new AbortController().signal;
const SMALL = "native-fixtures/zvhd-small";
const LARGE = "../shared/samples/zvhd";
const HAVE_LARGE = existsSync(LARGE);
const load = (path: string) => gunzipSync(readFileSync(`${path}.gz`));

function open(format: ReadableFormat, bytes: Uint8Array): Promise<Image> {
  const source = memorySource(bytes, "golden");
  return format.reader.open({ source, gate: closedGate, allowAmplification: false }, never);
}

/** The image's start, in steps; the rest must be known to be zeros. */
async function readStart(image: Image, length: number): Promise<Buffer> {
  const start = alignUp(length, BLOCK);
  expect(image.virtualSize).toBe(alignUp(length, GiB));
  const rest = [];
  for await (const extent of image.extents({ offset: start, length: image.virtualSize - start }, never))
    rest.push(extent);
  expect(rest).toEqual([{ offset: start, length: image.virtualSize - start, kind: "zero" }]);
  const guest = await readGuest({ ...image, virtualSize: start });
  expect(guest.subarray(length).every((byte) => byte === 0)).toBe(true);
  return guest.subarray(0, length);
}

describe("images that Huawei's own driver wrote", () => {
  const raw = load(`${SMALL}/in.raw`);

  test("zvhd decodes to the disk, in order, through one stream", async () => {
    const image = await open(zvhd, load(`${SMALL}/g.zvhd`));
    expect(image.order).toBe("sequential");
    expect(image.report()).toMatchObject({ compression: "zlib", virtualSize: GiB, unit: BLOCK });
    expect((await readStart(image, raw.length)).equals(raw)).toBe(true);
  });

  test.for([
    ["g.zvhd2", "zstd"],
    ["g.zvhd2_zlib", "zlib"],
  ] as const)("%s decodes to the disk, in any order (%s)", async ([name, compression]) => {
    const image = await open(zvhd2, load(`${SMALL}/${name}`));
    expect(image.order).toBe("any");
    expect(image.report().compression).toBe(compression);
    expect((await readStart(image, raw.length)).equals(raw)).toBe(true);
    const odd = await readGuest({ ...image, virtualSize: raw.length }, 700_001);
    expect(odd.equals(raw)).toBe(true);
  });

  test("carry the marks that we probe for", () => {
    const probe = (format: ReadableFormat, name: string) => {
      const bytes = load(`${SMALL}/${name}`);
      return format.reader.probe({
        head: bytes.subarray(0, 65536),
        tail: bytes.subarray(-4096),
        size: bytes.length,
      });
    };
    expect(probe(zvhd, "g.zvhd")).toBe("mine");
    expect(probe(zvhd2, "g.zvhd")).toBe("not mine");
    expect(probe(zvhd2, "g.zvhd2")).toBe("mine");
    expect(probe(zvhd, "g.zvhd2")).toBe("not mine");
    expect(probe(zvhd, "in.raw")).toBe("not mine");
  });
});

describe("what we write of the same disk has the structure of Huawei's", () => {
  const raw = load(`${SMALL}/in.raw`);

  test("zvhd: first block, records, closing block", async () => {
    const golden = load(`${SMALL}/g.zvhd`);
    const ours = await writeImage(zvhd.writer, raw, { compression: "zlib" }, 2);
    expect(commonFields(ours)).toEqual(commonFields(golden));
    expect(checksumFits(ours)).toBe(true);
    const [mine, theirs] = [walk(ours), walk(golden)];
    expect(mine.records.map(({ block }) => block)).toEqual(theirs.records.map(({ block }) => block));
    for (const { payload } of mine.records) {
      expect(payload.subarray(-4)).toEqual(theirs.records[0]?.payload.subarray(-4));
    }
    expect(mine.records[0]?.payload.subarray(0, 2)).toEqual(theirs.records[0]?.payload.subarray(0, 2));
    expect(ours.length - mine.end).toBe(golden.length - theirs.end);
  });

  test.for([
    ["g.zvhd2", "zstd"],
    ["g.zvhd2_zlib", "zlib"],
  ] as const)("%s: index, bitmap and footer", async ([name, compression]) => {
    const golden = load(`${SMALL}/${name}`);
    const ours = await writeImage(zvhd2.writer, raw, { compression }, 2);
    expect(commonFields(ours)).toEqual(commonFields(golden));
    const parts = (file: Buffer) => {
      const { records, end } = walk(file);
      const footer = file.subarray(-4096);
      const indexAt = Number(footer.readBigUInt64LE(96));
      const bitmapAt = Number(footer.readBigUInt64LE(104));
      const first = file.subarray(0, 4096);
      const repeat = file.subarray(end, end + 4096);
      const differing = [...first.keys()].filter((i) => first[i] !== repeat[i]);
      return {
        blocks: records.map(({ block }) => block),
        indexBehindRepeat: indexAt - end,
        bitmapBehindIndex: bitmapAt - indexAt,
        footerBehindBitmap: file.length - 4096 - bitmapAt,
        indexBlocks: records.map((_, i) => file.readUInt32LE(indexAt + i * 16 + 8)),
        indexFits: records.every(
          ({ offset, length }, i) =>
            Number(file.readBigUInt64LE(indexAt + i * 16)) === offset &&
            file.readUInt32LE(indexAt + i * 16 + 12) === length,
        ),
        bitmap: file.toString("hex", bitmapAt, bitmapAt + 4096),
        footer: { ...commonFields(footer), sizes: footer.toString("hex", 112, 142) },
        checksums: [checksumFits(first), checksumFits(footer)],
        repeat: { differing, count: repeat.readUInt32LE(136) },
      };
    };
    expect(parts(ours)).toEqual(parts(golden));
    expect(ours[141]).toBe(golden[141]);
  });

  test("both decode by hand", async () => {
    for (const compression of ["zlib", "zstd"] as const) {
      const bytes = await writeImage(zvhd2.writer, raw, { compression });
      expect(guestOf(decodeZvhd2(bytes), raw.length).equals(raw)).toBe(true);
    }
    const bytes = await writeImage(zvhd.writer, raw, { compression: "zlib" });
    expect(guestOf(decodeZvhd(bytes), raw.length).equals(raw)).toBe(true);
  });
});

describe("decoding by hand", () => {
  test("agrees with Huawei's files, so that it can judge ours", () => {
    const raw = load(`${SMALL}/in.raw`);
    expect(guestOf(decodeZvhd(load(`${SMALL}/g.zvhd`)), raw.length).equals(raw)).toBe(true);
    expect(guestOf(decodeZvhd2(load(`${SMALL}/g.zvhd2`)), raw.length).equals(raw)).toBe(true);
    expect(guestOf(decodeZvhd2(load(`${SMALL}/g.zvhd2_zlib`)), raw.length).equals(raw)).toBe(true);
  });
});

describe.skipIf(!HAVE_LARGE)(`larger images${HAVE_LARGE ? "" : ` (skipped: ${LARGE} is absent)`}`, () => {
  test.for([
    ["golden.zvhd", zvhd],
    ["par.zvhd", zvhd],
    ["golden.zvhd2", zvhd2],
    ["golden.zvhd2_zlib", zvhd2],
    ["rev.zvhd2", zvhd2],
  ] as const)("%s decodes to the disk", async ([name, format]) => {
    const raw = load(`${LARGE}/in.raw`);
    const image = await open(format, load(`${LARGE}/${name}`));
    expect((await readStart(image, raw.length)).equals(raw)).toBe(true);
  });
});
