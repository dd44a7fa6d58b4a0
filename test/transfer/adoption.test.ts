import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, SECTOR } from "../../src/bytes/units.ts";
import type { CodedPiece, Coding, Piece } from "../../src/format/format.ts";
import { type Adoption, adoptUnits } from "../../src/transfer/adoption.ts";
import { noise } from "../oracle/disk.ts";

const UNIT = 4 * KiB;
const CODING: Coding = { codec: "deflate", unit: UNIT };

function coded(offset: number, size: number, more: Partial<CodedPiece> = {}): CodedPiece {
  return {
    kind: "coded",
    length: UNIT,
    source: 0,
    offset,
    size,
    codec: "deflate",
    unit: UNIT,
    skip: 0,
    ...more,
  };
}

function adopt(...pieces: Piece[]): Adoption {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return adoptUnits(pieces, { offset: 0, length }, CODING);
}

/** Bytes that a unit has to the end of its last sector, as an L2 entry says them. */
function toSectorEnd(offset: number, length: number): number {
  return Math.ceil((offset + length) / SECTOR) * SECTOR - offset;
}

describe("coded units that are stored as they stand", () => {
  it("are copied together where they share a sector, also out of guest order", () => {
    const first = coded(1000, toSectorEnd(1000, 300));
    const second = coded(1300, toSectorEnd(1300, 700));
    const third = coded(2000, toSectorEnd(2000, 100));
    const { runs, table } = adopt(third, first, second);
    expect(runs).toEqual([{ source: 0, offset: 1000, length: 2560 - 1000, place: 1000 % SECTOR }]);
    expect([...table.units]).toEqual([third.size, first.size, second.size]);
    const place = (piece: CodedPiece) => piece.offset - 1000 + (1000 % SECTOR);
    expect([...table.places]).toEqual([place(third), place(first), place(second)]);
  });

  it("are copied apart where they stand apart, or in different sources", () => {
    const { runs } = adopt(coded(0, 512), coded(4096, 512), coded(4608, 512, { source: 1 }));
    expect(runs.map(({ source, offset, place }) => [source, offset, place])).toEqual([
      [0, 0, 0],
      [0, 4096, 512],
      [1, 4608, 1024],
    ]);
  });

  it("share their bytes in the output where they share them in the source", () => {
    const { runs, table } = adopt(coded(700, 324), coded(700, 324), coded(700, 324));
    expect(runs).toEqual([{ source: 0, offset: 700, length: 324, place: 188 }]);
    expect([...table.places]).toEqual([188, 188, 188]);
  });

  it.each([
    ["of another codec", coded(0, 512, { codec: "zstd" })],
    ["of another size", coded(0, 512, { unit: 2 * UNIT, skip: UNIT })],
    ["that is cut by the end of the disk", coded(0, 512, { length: UNIT - 512 })],
    ["larger than it would be plain", coded(100, UNIT)],
    ["stored plain", { kind: "data", length: UNIT, source: 0, offset: 0 }],
  ] as const)("are none: a unit %s", (_what, piece) => {
    expect(adopt(piece)).toMatchObject({ runs: [], table: { units: Uint32Array.of(0) } });
  });

  it("are none where a coded unit begins inside a unit of the layout", () => {
    const half = { kind: "zero", length: UNIT / 2 } as const;
    expect(adopt(half, coded(0, 512), half).runs).toEqual([]);
  });

  it("are no more than a reference count can count", () => {
    const { table } = adopt(...Array.from({ length: 70_000 }, () => coded(0, 512)), coded(4096, 512));
    expect(table.units.subarray(0, -1).some((size) => size > 0)).toBe(false);
    expect(table.units.at(-1)).toBe(512);
  });
});

describe("whatever tables say", () => {
  const source = noise(256 * KiB);
  const anywhere = fc
    .record({
      offset: fc.oneof(fc.integer({ min: 0, max: source.length - 1 }), fc.integer({ min: 0, max: 9000 })),
      size: fc.integer({ min: 1, max: 2 * UNIT }),
    })
    .map(({ offset, size }): Piece => coded(offset, Math.min(size, source.length - offset)));
  const other = fc.constantFrom<Piece>(
    { kind: "zero", length: UNIT },
    { kind: "data", length: UNIT, source: 0, offset: 0 },
  );

  it("the output has every adopted unit's bytes, at the same offset modulo a sector, in bounded memory", () => {
    let adopted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 4, arbitrary: anywhere }, other), { maxLength: 200 }),
        (pieces) => {
          const { runs, table } = adopt(...pieces);
          const units = table.units.filter((size) => size > 0).length;
          const end = runs.reduce((most, { place, length }) => Math.max(most, place + length), 0);
          expect(end).toBeLessThanOrEqual(units * UNIT);
          const output = Buffer.alloc(end);
          let last = 0;
          for (const { offset, length, place } of runs) {
            expect(place).toBeGreaterThanOrEqual(last);
            expect(place - last).toBeLessThan(SECTOR);
            last = place + length;
            source.copy(output, place, offset, offset + length);
          }
          for (const [index, piece] of pieces.entries()) {
            const size = table.units[index] ?? 0;
            if (size === 0) continue;
            if (piece.kind !== "coded") throw new Error("only coded units can be adopted");
            const place = table.places[index] ?? 0;
            expect(size).toBe(piece.size);
            expect(place % SECTOR).toBe(piece.offset % SECTOR);
            const stored = output.subarray(place, place + size);
            expect(stored.equals(source.subarray(piece.offset, piece.offset + size))).toBe(true);
            adopted += 1;
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(adopted).toBeGreaterThan(1000);
  });

  it("what is copied once is copied the same again: the output takes no more than its source", () => {
    const streams = fc.array(fc.integer({ min: 20, max: UNIT - 1 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(streams, fc.integer({ min: 0, max: SECTOR - 1 }), (lengths, start) => {
        let at = start;
        const pieces = lengths.map((length) => {
          const piece = coded(at, toSectorEnd(at, length));
          at += length;
          return piece;
        });
        // Written by several lanes: neighbours change places.
        for (let i = 0; i + 1 < pieces.length; i += 3)
          pieces.splice(i, 2, ...pieces.slice(i, i + 2).reverse());
        const copy = adopt(...pieces);
        if (copy.runs.length === 0) return;
        expect(copy.runs).toHaveLength(1);
        const again = adopt(
          ...[...copy.table.units].map((size, index) => coded(copy.table.places[index] ?? 0, size)),
        );
        expect(again.table).toEqual(copy.table);
      }),
    );
  });
});
