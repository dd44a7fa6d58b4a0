/** The guest bytes of a segment, chunk by chunk, digested and counted. */
import { endOf } from "../bytes/range.ts";
import type { GuestDigest } from "../digest/guest-digest.ts";
import type { GuestChunk } from "./encode-segment.ts";
import type { SegmentJob } from "./job.ts";
import type { Lane } from "./lane.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { GuestReader } from "./read-guest.ts";

/** A chunk is read into one while the other is still being sent. */
export type Buffers = readonly [Uint8Array, Uint8Array];

/**
 * Each chunk is good until the next but one is asked for. Chunks that are zeros by the tables can be passed over. The
 * reader is released behind the last.
 */
export async function* readChunks(
  job: SegmentJob,
  reader: GuestReader,
  guest: GuestDigest | undefined,
  buffers: Buffers,
  lane: Lane,
  signal: AbortSignal,
  gaps: "read" | "passed over" = "read",
): AsyncGenerator<GuestChunk> {
  const ahead = new ReadAhead(job.pieces, lane.sources);
  let turn: 0 | 1 = 0;
  for (let offset = job.range.offset; offset < endOf(job.range); ) {
    lane.shared.throwIfStopped();
    ahead.at(offset - job.range.offset);
    // Chunks end on multiples of their size, so that no coded unit is cut.
    const length = Math.min(job.chunk - (offset % job.chunk), endOf(job.range) - offset);
    // The first bytes of a disk are looked at in any case: some formats store them also when they are zeros.
    if (gaps === "passed over" && offset > 0 && reader.zerosAhead >= length) {
      reader.pass(length);
      offset += length;
      continue;
    }
    turn = turn === 0 ? 1 : 0;
    const bytes = buffers[turn].subarray(0, length);
    await reader.fill(bytes, signal);
    guest?.add(bytes, offset);
    lane.shared.count("read", length);
    yield { offset, bytes };
    offset += length;
  }
  reader.release();
}
