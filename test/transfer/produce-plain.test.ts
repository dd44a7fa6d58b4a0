/** Plain units from file to file: the same bytes as by way of memory, from a survey that reads little. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/bytes/units.ts";
import type { Piece } from "../../src/format/format.ts";
import { encoder } from "../../src/format/qcow2/encoder.ts";
import { memorySource } from "../../src/source/memory/memory.ts";
import type { Source } from "../../src/source/source.ts";
import type { PackedShape, SegmentJob, SegmentReceipt } from "../../src/transfer/job.ts";
import { LaneBuffers } from "../../src/transfer/lane-buffers.ts";
import { produce } from "../../src/transfer/produce.ts";
import { Shared } from "../../src/transfer/shared.ts";
import { surveyUnits } from "../../src/transfer/survey.ts";

const UNIT = 4 * KiB;
const HEAD = 3 * UNIT;
const never = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), "diskferry-plain-"));
afterAll(() => rmSync(directory, { recursive: true }));

const shape: PackedShape = {
  kind: "packed",
  encoding: { format: "qcow2", compression: "none", level: 0, unit: UNIT },
  alignment: UNIT,
  atLeast: 0,
  empty: "left out",
  segment: 0,
};

/** A file, as its source tells by what it can. */
function file(bytes: Uint8Array): Source {
  return { ...memorySource(bytes, "disk.raw"), prefetch: () => {} };
}

interface Produced {
  readonly receipt: SegmentReceipt;
  /** From the segment's place to its end. */
  readonly bytes: Buffer;
  /** Where the segment behind it begins. */
  readonly next: number | undefined;
  /** Units that an encoder was asked for. */
  readonly encoded: number;
}

async function produced(offset: number, pieces: readonly Piece[], source: Source): Promise<Produced> {
  const path = join(directory, "out");
  writeFileSync(path, "");
  const shared = Shared.create(2);
  shared.setOffset(0, HEAD);
  const job: SegmentJob = {
    number: 2,
    range: { offset, length: lengthOf(pieces) },
    pieces,
    sources: [],
    chunk: 64 * KiB,
    shape,
    target: { kind: "file", path, name: "out" },
    checksums: [],
    shared: shared.memory,
  };
  let encoded = 0;
  const plain = encoder(shape.encoding);
  const counting: typeof plain = {
    ...plain,
    encode(...unit) {
      encoded += 1;
      return plain.encode(...unit);
    },
  };
  const lane = { sources: [source], shared, buffers: new LaneBuffers(), encoder: async () => counting };
  const receipt = await produce(job, lane, never);
  truncateSync(path, HEAD + receipt.length);
  return { receipt, bytes: readFileSync(path).subarray(HEAD), next: shared.offset(1), encoded };
}

const lengthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** Bytes that are zeros here and there, also where a unit begins. */
const content = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 30 })
  .map((runs) => Buffer.concat(runs.map(([fill, kib]) => Buffer.alloc(kib * KiB, fill))));

/** Cut anywhere, out of order, and past the end of the source. */
const tiles = (size: number) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom("zero", "data", "data", "data"),
      from: fc.nat(size - 1),
      length: fc.oneof(fc.integer({ min: 1, max: 3 * UNIT }), fc.constant(UNIT), fc.constant(20 * UNIT)),
    }),
    { minLength: 1, maxLength: 20 },
  );

const disk = content.chain((bytes) =>
  tiles(bytes.length).map((cuts) => ({
    bytes,
    pieces: cuts.map(
      ({ kind, from, length }): Piece =>
        kind === "zero" ? { kind: "zero", length } : { kind: "data", length, source: 0, offset: from },
    ),
  })),
);

describe("plain units from file to file", () => {
  it("are the same bytes at the same place, with the same receipt, as by way of memory", async () => {
    let units = 0;
    await fc.assert(
      fc.asyncProperty(disk, fc.constantFrom(0, MiB), async ({ bytes, pieces }, offset) => {
        const { encoded, ...straight } = await produced(offset, pieces, file(bytes));
        const { encoded: byMemory, ...other } = await produced(
          offset,
          pieces,
          memorySource(bytes, "disk.raw"),
        );
        expect(encoded).toBe(0);
        expect(straight).toEqual(other);
        expect(straight.next).toBe(HEAD + straight.receipt.length);
        units += byMemory;
      }),
    );
    expect(units).toBeGreaterThan(100);
  });

  it("are refused where data came after the survey", async () => {
    const bytes = Buffer.alloc(4 * UNIT);
    bytes.fill(1, 0, UNIT);
    const source = file(bytes);
    const changing: Source = {
      ...source,
      async read(into, position, signal) {
        await source.read(into, position, signal);
        // The survey has seen the last bytes of the last unit: somebody writes to the second.
        if (position + into.length === bytes.length) bytes.fill(2, UNIT, 2 * UNIT);
      },
    };
    const pieces: Piece[] = [{ kind: "data", length: bytes.length, source: 0, offset: 0 }];
    await expect(produced(0, pieces, changing)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  });
});

describe("a survey", () => {
  const survey = async (pieces: readonly Piece[], source: Source) => {
    const lane = { sources: [source], shared: Shared.create(0) };
    const job = { range: { offset: 0, length: lengthOf(pieces) }, pieces } as SegmentJob;
    return [...(await surveyUnits(job, 64 * KiB, lane, new Uint8Array(64 * KiB), never))];
  };

  it("reads a few bytes of a unit that holds data, all of one that does not, and nothing of a gap", async () => {
    const bytes = Buffer.alloc(192 * KiB, 1).fill(0, 64 * KiB, 128 * KiB);
    let read = 0;
    const source = file(bytes);
    const counting: Source = {
      ...source,
      read(into, position, signal) {
        read += into.length;
        return source.read(into, position, signal);
      },
    };
    const pieces: Piece[] = [
      { kind: "data", length: bytes.length, source: 0, offset: 0 },
      { kind: "zero", length: MiB },
    ];
    expect(await survey(pieces, counting)).toEqual([1, 0, 1, ...Array<number>(16).fill(0)]);
    expect(read).toBe(4 * KiB + 64 * KiB + 4 * KiB);
  });

  it("finds the one byte at the end of a unit", async () => {
    const bytes = Buffer.alloc(128 * KiB);
    bytes[64 * KiB - 1] = 1;
    expect(await survey([{ kind: "data", length: bytes.length, source: 0, offset: 0 }], file(bytes))).toEqual(
      [1, 0],
    );
  });
});
