/** Stores a segment of which coded units are copied as they stand in the sources. */
import { endOf } from "../bytes/range.ts";
import { alignDown, alignUp } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import type { Coding, UnitEncoder, UnitTable } from "../format/format.ts";
import type { Source } from "../source/source.ts";
import { type Adoption, adoptUnits, type CodedRun } from "./adoption.ts";
import { type GuestChunk, wholeUnit } from "./encode-segment.ts";
import type { PackedShape, SegmentJob } from "./job.ts";
import { ReadAhead } from "./read-ahead.ts";
import { GuestReader } from "./read-guest.ts";
import type { SegmentOutput } from "./segment-output.ts";
import type { Shared } from "./shared.ts";

export interface Adopting {
  readonly sources: readonly Source[];
  readonly shared: Shared;
  readonly encoder: UnitEncoder;
  /** `job.chunk` bytes for guest bytes that have to be decoded. */
  readonly buffer: Uint8Array;
}

/**
 * Copies the units of the coding into `out`, encodes the others behind them, and pads it all to the layout's alignment:
 *
 *     | run | run | … | units that were decoded, in guest order | padding | those stored plain |
 *
 * What an image holds in coded form and plain side by side is plain because it did not shrink: so units that were
 * decoded are compressed only if a sample of them shrinks.
 * @returns the unit table; undefined when the segment came out smaller than `shape.atLeast`, and has to be encoded.
 */
export async function adoptSegment(
  job: SegmentJob,
  shape: PackedShape,
  coding: Coding,
  adopting: Adopting,
  out: SegmentOutput,
  signal: AbortSignal,
): Promise<UnitTable | undefined> {
  const { unit } = coding;
  const adoption = adoptUnits(job.pieces, job.range, coding);
  new ReadAhead(job.pieces, adopting.sources).at(job.range.length);
  for (const run of adoption.runs) await copyRun(run, adopting, out, signal);
  const { units, places } = adoption.table;
  const firstUnit = job.range.offset / unit;
  for await (const { offset, bytes } of otherChunks(job, adoption, unit, adopting, signal)) {
    for (let at = 0; at < bytes.length; at += unit) {
      const content = wholeUnit(bytes.subarray(at, at + unit), unit);
      if (isZero(content)) continue;
      const index = (offset + at) / unit - firstUnit;
      places[index] = out.position;
      units[index] = adopting.encoder.encode(content, firstUnit + index, "sampled", out);
    }
  }
  out.addZeros(alignUp(out.length, shape.alignment) - out.length);
  const enough = out.length >= shape.atLeast || (out.length === 0 && shape.empty === "left out");
  return enough ? { units, places } : undefined;
}

async function copyRun(
  { source, offset, length, place }: CodedRun,
  { sources, shared }: Adopting,
  out: SegmentOutput,
  signal: AbortSignal,
): Promise<void> {
  const from = sources[source];
  if (from === undefined) throw new Error(`a run refers to source ${source}, which the job does not have`);
  out.addZeros(place - out.position);
  let at = offset;
  for (const room of out.rooms(length)) {
    shared.throwIfStopped();
    await from.read(room, at, signal);
    at += room.length;
  }
}

/** Guest bytes that are neither adopted nor zeros by the tables. */
async function* otherChunks(
  job: SegmentJob,
  { table }: Adoption,
  unit: number,
  { sources, shared, buffer }: Adopting,
  signal: AbortSignal,
): AsyncGenerator<GuestChunk> {
  const { range, chunk } = job;
  const end = endOf(range);
  const adopted = (offset: number): boolean => table.units[(offset - range.offset) / unit] !== 0;
  const reader = new GuestReader(job.pieces, sources, undefined);
  for (let offset = range.offset; offset < end; ) {
    shared.throwIfStopped();
    const zeros = alignDown(reader.zerosAhead, unit);
    let next = offset;
    if (zeros > 0) {
      next += zeros;
      reader.pass(zeros);
    } else if (adopted(offset)) {
      while (next < end && adopted(next)) next += unit;
      reader.pass(next - offset);
      shared.count("read", next - offset);
    } else {
      // Chunks end on multiples of their size, so that no coded unit is cut.
      const stop = Math.min(end, alignDown(offset, chunk) + chunk);
      while (next < stop && !adopted(next)) next += unit;
      next = Math.min(next, end);
      const bytes = buffer.subarray(0, next - offset);
      await reader.fill(bytes, signal);
      shared.count("read", bytes.length);
      yield { offset, bytes };
    }
    offset = next;
  }
}
