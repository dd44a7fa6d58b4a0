/**
 * A dynamic or differencing VHD: blocks that stand anywhere in the file.
 *
 *     guest:    |  block 0  |  block 1  |  block 2  |
 *     table:      sector 7     absent     sector 3
 *     file:       … | bitmap | block 2 | bitmap | block 0 | …
 *
 * A block that is absent reads as zeros, or from the parent. In a differencing disk the bitmap says for each sector
 * whether it stands here or in the parent; in a dynamic disk nobody reads it.
 */
import { type Extent, endOf, intersect, mergeExtents, type Range } from "../../bytes/range.ts";
import { SECTOR } from "../../bytes/units.ts";
import type { Source } from "../../source/source.ts";
import type { Image, ImageReport, Piece } from "../format.ts";
import { ABSENT, type BlockTable } from "./block-table.ts";
import { appendPiece } from "./pieces.ts";

export interface DynamicParts {
  readonly source: Source;
  readonly report: ImageReport;
  readonly table: BlockTable;
  /** Present in a differencing disk, and closed with it. */
  readonly parent?: Image;
}

/** A run of neighbouring blocks of which all are stored, or none is. */
interface Run extends Range {
  readonly stored: boolean;
}

export function dynamicImage({ source, report, table, parent }: DynamicParts): Image {
  const { blockSize, bitmapSize, sectors } = table;

  function* runs(range: Range): Generator<Run> {
    const stored = (at: number) => sectors[Math.floor(at / blockSize)] !== ABSENT;
    for (let offset = range.offset; offset < endOf(range); ) {
      const kind = stored(offset);
      let end = offset;
      while (end < endOf(range) && stored(end) === kind) end = nextBlock(end, blockSize);
      yield { offset, length: Math.min(end, endOf(range)) - offset, stored: kind };
      offset = end;
    }
  }

  async function appendBlock(pieces: Piece[], range: Range, signal: AbortSignal): Promise<void> {
    const block = Math.floor(range.offset / blockSize);
    const start = (sectors[block] ?? ABSENT) * SECTOR;
    const here = ({ offset, length }: Range): Piece => ({
      kind: "data",
      length,
      source: 0,
      offset: start + bitmapSize + offset - block * blockSize,
    });
    if (parent === undefined) return appendPiece(pieces, here(range));
    const bitmap = new Uint8Array(bitmapSize);
    await source.read(bitmap, start, signal);
    for (const part of bitmapRuns(bitmap, range, block * blockSize)) {
      if (part.stored) appendPiece(pieces, here(part));
      else await appendParent(pieces, parent, part, signal);
    }
  }

  async function* extents(range: Range, signal: AbortSignal): AsyncGenerator<Extent> {
    for (const { stored, ...run } of runs(range)) {
      if (stored) yield { ...run, kind: "data" };
      else if (parent === undefined) yield { ...run, kind: "zero" };
      else yield* parentExtents(parent, run, signal);
    }
  }

  return {
    format: report.format,
    virtualSize: report.virtualSize,
    // The parent's sources keep their order behind the own file.
    sources: [source, ...(parent?.sources ?? [])],
    unit: blockSize,
    order: "any",
    extents: (range, signal) => mergeExtents(extents(range, signal)),
    async pieces(range, signal) {
      const pieces: Piece[] = [];
      for (const run of runs(range)) {
        if (run.stored) {
          for (let offset = run.offset; offset < endOf(run); offset = nextBlock(offset, blockSize)) {
            const length = Math.min(nextBlock(offset, blockSize), endOf(run)) - offset;
            await appendBlock(pieces, { offset, length }, signal);
          }
        } else if (parent === undefined) appendPiece(pieces, { kind: "zero", length: run.length });
        else await appendParent(pieces, parent, run, signal);
      }
      return pieces;
    },
    report: () => report,
    async [Symbol.asyncDispose]() {
      await parent?.[Symbol.asyncDispose]();
    },
  };
}

function nextBlock(offset: number, blockSize: number): number {
  return (Math.floor(offset / blockSize) + 1) * blockSize;
}

/** Runs of sectors that stand in this file or in the parent. Bit 7 of byte 0 is the block's first sector. */
function* bitmapRuns(bitmap: Uint8Array, range: Range, blockStart: number): Generator<Run> {
  const stored = (at: number): boolean => {
    const sector = Math.floor((at - blockStart) / SECTOR);
    return (((bitmap[sector >> 3] ?? 0) >> (7 - (sector & 7))) & 1) === 1;
  };
  for (let offset = range.offset; offset < endOf(range); ) {
    const kind = stored(offset);
    let end = offset;
    while (end < endOf(range) && stored(end) === kind) end = nextBlock(end, SECTOR);
    yield { offset, length: Math.min(end, endOf(range)) - offset, stored: kind };
    offset = end;
  }
}

async function appendParent(pieces: Piece[], parent: Image, range: Range, signal: AbortSignal) {
  const inside = intersect(range, { offset: 0, length: parent.virtualSize });
  if (inside.length > 0) {
    for (const piece of await parent.pieces(inside, signal)) {
      appendPiece(pieces, piece.kind === "zero" ? piece : { ...piece, source: piece.source + 1 });
    }
  }
  appendPiece(pieces, { kind: "zero", length: range.length - inside.length });
}

async function* parentExtents(parent: Image, range: Range, signal: AbortSignal): AsyncGenerator<Extent> {
  const inside = intersect(range, { offset: 0, length: parent.virtualSize });
  if (inside.length > 0) yield* parent.extents(inside, signal);
  const rest = range.length - inside.length;
  if (rest > 0) yield { kind: "zero", offset: endOf(range) - rest, length: rest };
}
