/** An image made of records: what has no record reads as zeros. */
import { type Extent, endOf, mergeExtents, type Range } from "../../bytes/range.ts";
import type { Source } from "../../source/source.ts";
import type { CodedPiece, Image, ImageReport, Piece } from "../format.ts";
import { BLOCK } from "./header.ts";
import type { RecordTable } from "./record-table.ts";

/** The payload of a record. */
export type Payload = Pick<CodedPiece, "offset" | "size" | "codec">;

export interface RecordImageParts {
  readonly source: Source;
  readonly report: ImageReport;
  readonly records: RecordTable;
  readonly order: Image["order"];
  /** Payloads of the records from position `first`, `count` of them. */
  payloads(first: number, count: number, signal: AbortSignal): Promise<readonly Payload[]>;
}

export function recordImage({ source, report, records, order, payloads }: RecordImageParts): Image {
  /** Parts of the range, each in one block with a record, or in none. */
  function* parts(range: Range): Generator<Range & { readonly at?: number }> {
    let at = records.lowerBound(Math.floor(range.offset / BLOCK));
    for (let offset = range.offset; offset < endOf(range); ) {
      const start = records.block(at) * BLOCK;
      if (start > offset) {
        const length = Math.min(start, endOf(range)) - offset;
        yield { offset, length };
        offset += length;
      } else {
        const length = Math.min(start + BLOCK, endOf(range)) - offset;
        yield { offset, length, at };
        offset += length;
        at += 1;
      }
    }
  }

  function* extents(range: Range): Generator<Extent> {
    for (const { offset, length, at } of parts(range)) {
      yield { offset, length, kind: at === undefined ? "zero" : "data" };
    }
  }

  return {
    format: report.format,
    virtualSize: report.virtualSize,
    sources: [source],
    unit: BLOCK,
    codedUnit: BLOCK,
    order,
    extents: (range) => mergeExtents(extents(range)),
    async pieces(range, signal) {
      const first = records.lowerBound(Math.floor(range.offset / BLOCK));
      const behind = records.lowerBound(Math.ceil(endOf(range) / BLOCK));
      const found = range.length === 0 ? [] : await payloads(first, behind - first, signal);
      const pieces: Piece[] = [];
      for (const { offset, length, at } of parts(range)) {
        const payload = at === undefined ? undefined : found[at - first];
        if (payload === undefined) pieces.push({ kind: "zero", length });
        else pieces.push({ kind: "coded", length, source: 0, ...payload, unit: BLOCK, skip: offset % BLOCK });
      }
      return pieces;
    },
    report: () => report,
    async [Symbol.asyncDispose]() {},
  };
}
