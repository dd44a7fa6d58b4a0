import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Piece } from "../../src/format/format.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import type { Source } from "../../src/source/source.ts";
import { GuestReader } from "../../src/transfer/read-guest.ts";
import { noise } from "../oracle/disk.ts";

const never = new AbortController().signal;
const UNIT = 4096;

/** A source that holds the units deflated, in the order of `places`, with gaps between them. */
function codedSource(units: readonly Buffer[], places: readonly number[], gap: number) {
  const chunks: Buffer[] = [];
  const at: { offset: number; size: number }[] = [];
  let offset = 0;
  for (const place of places) {
    const coded = deflateRawSync(units[place] ?? Buffer.alloc(0));
    at[place] = { offset, size: coded.length };
    chunks.push(coded, Buffer.alloc(gap, 0xee));
    offset += coded.length + gap;
  }
  return { bytes: Buffer.concat(chunks), at };
}

/** Counts reads. */
function counted(source: Source): Source & { reads: number } {
  const self = {
    ...source,
    reads: 0,
    read(into: Uint8Array, position: number, signal: AbortSignal) {
      self.reads += 1;
      return source.read(into, position, signal);
    },
  };
  return self;
}

async function readAll(reader: GuestReader, length: number, chunk: number): Promise<Buffer> {
  const out = Buffer.alloc(length, 0xaa);
  for (let at = 0; at < length; at += chunk)
    await reader.fill(out.subarray(at, Math.min(length, at + chunk)), never);
  return out;
}

describe("the guest bytes of a segment", () => {
  it("come from pieces of every kind, in any cut, coded units in any order of the file", async () => {
    const units = Array.from({ length: 8 }, (_, i) => Buffer.from(noise(UNIT, i + 1)).fill(i, 0, UNIT / 2));
    const plain = noise(50_000, 99);
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
    const piece = fc.record({
      kind: fc.constantFrom("zero", "data", "coded"),
      unit: fc.nat(7),
      from: fc.nat(UNIT - 1),
      length: fc.integer({ min: 1, max: UNIT }),
    });
    await fc.assert(
      fc.asyncProperty(
        order,
        fc.constantFrom(0, 100, 70_000),
        fc.array(piece, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 30_000 }),
        async (places, gap, wishes, chunk) => {
          const { bytes, at } = codedSource(units, places, gap);
          const expected: Buffer[] = [];
          const pieces = wishes.map(({ kind, unit, from, length }): Piece => {
            const rest = Math.min(length, UNIT - from);
            if (kind === "zero") {
              expected.push(Buffer.alloc(length));
              return { kind: "zero", length };
            }
            if (kind === "data") {
              expected.push(plain.subarray(from * 10, from * 10 + length));
              return { kind: "data", length, source: 1, offset: from * 10 };
            }
            expected.push((units[unit] ?? plain).subarray(from, from + rest));
            const { offset = 0, size = 0 } = at[unit] ?? {};
            return {
              kind: "coded",
              length: rest,
              source: 0,
              offset,
              size,
              codec: "deflate",
              unit: UNIT,
              skip: from,
            };
          });
          const all = Buffer.concat(expected);
          const sources = [memorySource(bytes), memorySource(Buffer.concat([plain, plain]))];
          const out = await readAll(new GuestReader(pieces, sources, undefined), all.length, chunk);
          expect(out.equals(all)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("read as zeros past the end of a source", async () => {
    const source = memorySource(Buffer.alloc(1000, 7));
    const pieces: Piece[] = [
      { kind: "data", length: 600, source: 0, offset: 900 },
      { kind: "data", length: 100, source: 0, offset: 5000 },
    ];
    const out = await readAll(new GuestReader(pieces, [source], undefined), 700, 256);
    expect(out.equals(Buffer.concat([Buffer.alloc(100, 7), Buffer.alloc(600)]))).toBe(true);
  });

  it("of coded units that stand together are fetched with one read, of units far apart one by one", async () => {
    const units = Array.from({ length: 8 }, (_, i) => Buffer.from(noise(UNIT, i + 1)));
    for (const [gap, reads] of [
      [100, 1],
      [65_537, 8],
    ] as const) {
      const { bytes, at } = codedSource(units, [0, 1, 2, 3, 4, 5, 6, 7], gap);
      const source = counted(memorySource(bytes));
      const pieces = at.map(
        ({ offset, size }): Piece => ({
          kind: "coded",
          length: UNIT,
          source: 0,
          offset,
          size,
          codec: "deflate",
          unit: UNIT,
          skip: 0,
        }),
      );
      const out = await readAll(new GuestReader(pieces, [source], undefined), 8 * UNIT, 8 * UNIT);
      expect(out.equals(Buffer.concat(units))).toBe(true);
      expect(source.reads).toBe(reads);
    }
  });

  it("that do not decode are a fault that names the source and the offset", async () => {
    const source = memorySource(Buffer.alloc(1000, 0xff), "bad.qcow2");
    const piece: Piece = {
      kind: "coded",
      length: UNIT,
      source: 0,
      offset: 64,
      size: 500,
      codec: "deflate",
      unit: UNIT,
      skip: 0,
    };
    await expect(readAll(new GuestReader([piece], [source], undefined), UNIT, UNIT)).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
      message: expect.stringMatching(/^bad\.qcow2: offset 64.*$/),
    });
  });
});
