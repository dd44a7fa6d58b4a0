/**
 * Plain units from file to file: a survey tells how many the segment has, and so where the next one begins. Then they
 * are written while they are still in the processor's cache, and none waits in memory for the others.
 */
import { isZero } from "../bytes/zero.ts";
import { GuestDigest, guestHex } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import type { PutTargetFile } from "../store/store.ts";
import { placed } from "./as-stored.ts";
import { BlockingFileSink } from "./blocking-file-sink.ts";
import type { PackedShape, SegmentJob, SegmentReceipt } from "./job.ts";
import type { Lane } from "./lane.ts";
import { type Buffers, readChunks } from "./read-chunks.ts";
import { GuestReader } from "./read-guest.ts";
import { surveyUnits } from "./survey.ts";

/** A job that `producePlain` can do. */
export interface PlainJob extends SegmentJob {
  readonly target: PutTargetFile;
}

/** Whether a segment whose units are stored as they are can be written as it is read: from files, to a file. */
export function isPlain(job: SegmentJob, shape: PackedShape, { sources }: Lane): job is PlainJob {
  const { target, cipher, checksums, pieces } = job;
  return (
    target.kind === "file" &&
    cipher === undefined &&
    checksums.length === 0 &&
    shape.atLeast === 0 &&
    shape.encoding.unit % shape.alignment === 0 &&
    pieces.every(
      (piece) =>
        piece.kind === "zero" || (piece.kind === "data" && sources[piece.source]?.prefetch !== undefined),
    )
  );
}

/** Writes what encoding the units would give. @throws Fault; see `Producer.produce`. */
export async function producePlain(
  job: PlainJob,
  shape: PackedShape,
  entry: number,
  buffers: Buffers,
  lane: Lane,
  signal: AbortSignal,
): Promise<SegmentReceipt> {
  const { unit } = shape.encoding;
  const { shared } = lane;
  const holdsData = await surveyUnits(job, unit, lane, buffers[0], signal);
  const length = unit * holdsData.reduce((sum, one) => sum + one, 0);
  const offset = await placed(job, shape, length, shared);
  const guest = new GuestDigest();
  const reader = new GuestReader(job.pieces, lane.sources, undefined);
  using sink = new BlockingFileSink(job.target);
  let position = offset ?? 0;
  for await (const chunk of readChunks(job, reader, guest, buffers, lane, signal, "passed over")) {
    const first = (chunk.offset - job.range.offset) / unit;
    for (const bytes of dataRuns(chunk.bytes, unit, first, holdsData, lane)) {
      shared.count("encoded", bytes.length);
      await shared.throttle(bytes.length);
      sink.write(bytes, position);
      shared.count("sent", bytes.length);
      position += bytes.length;
    }
  }
  return {
    number: job.number,
    length,
    etag: "",
    checksums: {},
    guest: guestHex(guest.value()),
    table: { units: Uint32Array.from(holdsData, (one) => one * entry) },
    ...(offset === undefined ? {} : { offset }),
  };
}

/** Runs of units that hold data. The last unit of a disk may be cut short: its rest is zeros, and a new file has them. */
function* dataRuns(
  bytes: Uint8Array,
  unit: number,
  first: number,
  holdsData: Uint8Array,
  { sources }: Lane,
): Generator<Uint8Array> {
  let start = 0;
  let at = 0;
  for (let index = first; at < bytes.length; index += 1) {
    const end = Math.min(at + unit, bytes.length);
    if (holdsData[index] === 0) {
      if (!isZero(bytes.subarray(at, end))) throw changed(sources);
      if (start < at) yield bytes.subarray(start, at);
      start = end;
    }
    at = end;
  }
  if (start < at) yield bytes.subarray(start, at);
}

function changed(sources: Lane["sources"]): Fault {
  const names = sources.map(({ name }) => name).join(", ");
  return new Fault("SOURCE_CHANGED", `${names}: changed while it was read; stop its writers and start again`);
}
