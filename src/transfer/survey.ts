/** Which units of a segment hold data, found out before the segment is read: of most, a few bytes tell. */
import { KiB } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import type { Source } from "../source/source.ts";
import type { SegmentJob } from "./job.ts";
import type { Lane } from "./lane.ts";
import { ReadAhead } from "./read-ahead.ts";

/** Bytes of a unit that are looked at first. Of the units of a disk that hold data hardly any begins with so many zeros. */
const GLANCE = 4 * KiB;

/**
 * One byte for each unit of the segment: 1 where it holds anything but zeros. The pieces are zeros and plain data.
 * @param scratch memory to read into.
 * @throws Fault SOURCE_CHANGED, IO
 */
export async function surveyUnits(
  { range, pieces }: SegmentJob,
  unit: number,
  { sources, shared }: Pick<Lane, "sources" | "shared">,
  scratch: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const holdsData = new Uint8Array(Math.ceil(range.length / unit));
  const ahead = new ReadAhead(pieces, sources);
  let at = 0;
  for (const piece of pieces) {
    const end = at + piece.length;
    const source = piece.kind === "data" ? sources[piece.source] : undefined;
    const start = piece.kind === "data" ? piece.offset - at : 0;
    for (let from = at; source !== undefined && from < end; ) {
      const index = Math.floor(from / unit);
      const to = Math.min(end, (index + 1) * unit);
      if (holdsData[index] === 0) {
        shared.throwIfStopped();
        ahead.at(from);
        if (await isData(source, start + from, to - from, scratch, signal)) holdsData[index] = 1;
      }
      from = to;
    }
    at = end;
  }
  return holdsData;
}

/** Whether `length` bytes at `offset` are not all zeros. What lies past the end of a source reads as zeros. */
async function isData(
  source: Source,
  offset: number,
  length: number,
  scratch: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const inside = Math.min(length, source.size - offset);
  for (let at = 0; at < inside; ) {
    const bytes = scratch.subarray(0, Math.min(at === 0 ? GLANCE : scratch.length, inside - at));
    await source.read(bytes, offset + at, signal);
    if (!isZero(bytes)) return true;
    at += bytes.length;
  }
  return false;
}
