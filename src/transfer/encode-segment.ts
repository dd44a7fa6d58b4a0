/** Turns the guest bytes of one segment into its stored form. */
import { alignUp } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import { Fault } from "../fault/fault.ts";
import type { UnitEncoder, UnitTable } from "../format/format.ts";
import type { PackedShape, SegmentJob } from "./job.ts";
import type { SegmentOutput } from "./segment-output.ts";

/** Guest bytes with their offset; the bytes are good until the next chunk is asked for. */
export interface GuestChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Unit i of the segment took `sizes[i]` output bytes; 0: it was left out. */
interface Pass {
  readonly units: Uint32Array;
  readonly sizes: Uint32Array;
  /** Index of a unit that is all zeros and stored nevertheless. */
  readonly keptZero: number | undefined;
}

/** Which units of a segment are stored otherwise than usual, to reach a store's smallest part. */
interface Relaxation {
  /** So many of the units that hold data, counted from the first, are stored plain. */
  readonly plain: number;
  /** So many of the all-zero units are stored too. */
  readonly zeros: number;
}

const USUAL: Relaxation = { plain: 0, zeros: 0 };

/**
 * Encodes the segment into `out` and pads it to the layout's alignment. A segment that comes out smaller than
 * `shape.atLeast` is encoded again with as many units stored plain as it takes: the same input
 * always gives the same bytes.
 * @param chunks reads the segment from its start at each call; the first may pass over what the tables call zero.
 */
export async function encodeSegment(
  job: SegmentJob,
  shape: PackedShape,
  encoder: UnitEncoder,
  chunks: () => AsyncIterable<GuestChunk>,
  out: SegmentOutput,
): Promise<UnitTable> {
  const usual = await encodePass(job, shape, encoder, chunks(), out, USUAL);
  if (out.length >= shape.atLeast || (out.length === 0 && shape.empty === "left out")) {
    return { units: usual.units };
  }
  out.reset();
  const relaxed = await encodePass(job, shape, encoder, chunks(), out, relaxation(usual, shape));
  if (out.length < shape.atLeast) {
    throw new Fault(
      "INTERNAL",
      `part ${job.number} has ${out.length} bytes, fewer than the ${shape.atLeast} the store takes`,
    );
  }
  return { units: relaxed.units };
}

async function encodePass(
  job: SegmentJob,
  shape: PackedShape,
  encoder: UnitEncoder,
  chunks: AsyncIterable<GuestChunk>,
  out: SegmentOutput,
  relax: Relaxation,
): Promise<Pass> {
  const { unit } = shape.encoding;
  const firstUnit = job.range.offset / unit;
  const count = Math.ceil(job.range.length / unit);
  const units = new Uint32Array(count);
  const sizes = new Uint32Array(count);
  let data = 0;
  let zeros = 0;
  let keptZero: number | undefined;
  /** The first unit that has not been stored. */
  let next = 0;
  const storeZeros = (end: number): void => {
    if (next < end) encoder.encodeZeros?.(firstUnit + next, end - next, out);
  };
  for await (const { offset, bytes } of chunks) {
    for (let at = 0; at < bytes.length; at += unit) {
      const index = (offset + at) / unit - firstUnit;
      const content = wholeUnit(bytes.subarray(at, at + unit), unit);
      const zero = isZero(content);
      const kept = firstUnit + index === 0 && shape.alwaysStored === "first unit";
      if (zero && !kept && zeros >= relax.zeros) continue;
      if (!zero) data += 1;
      else if (kept) keptZero = index;
      else zeros += 1;
      storeZeros(index);
      next = index + 1;
      const before = out.length;
      units[index] = encoder.encode(
        content,
        firstUnit + index,
        zero || data <= relax.plain ? "plain" : "full",
        out,
      );
      sizes[index] = out.length - before;
    }
  }
  storeZeros(count);
  out.addZeros(alignUp(out.length, shape.alignment) - out.length);
  return { units, sizes, keptZero };
}

/** The last unit of a disk may be cut short; its rest is zeros. */
export function wholeUnit(bytes: Uint8Array, unit: number): Uint8Array {
  if (bytes.length === unit) return bytes;
  const whole = new Uint8Array(unit);
  whole.set(bytes);
  return whole;
}

/** Counts plain units, each of at least `unit` bytes, until the segment is large enough. */
function relaxation({ sizes, keptZero }: Pass, shape: PackedShape): Relaxation {
  const { unit } = shape.encoding;
  // What a unit took beyond its own bytes may be padding that it does not need again behind other units.
  let length = sizes.reduce((sum, size) => sum + Math.min(size, unit), 0);
  let plain = 0;
  let empty = 0;
  for (const [index, size] of sizes.entries()) {
    if (size === 0) empty += 1;
    else if (index === keptZero) continue;
    else if (length < shape.atLeast) {
      plain += 1;
      length += Math.max(0, unit - size);
    }
  }
  const zeros = Math.min(empty, Math.ceil(Math.max(0, shape.atLeast - length) / unit));
  return { plain, zeros };
}
