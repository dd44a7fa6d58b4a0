/**
 * The main data path as it runs in a worker thread: one segment from its pieces to its destination.
 *
 *     read → decode → guest digest → encode → encrypt, if need be → part digest → put
 */
import { KiB } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import type { Checksums } from "../digest/checksum.ts";
import { GuestDigest, guestHex } from "../digest/guest-digest.ts";
import { createPartDigest } from "../digest/part-digest.ts";
import { Fault } from "../fault/fault.ts";
import { adoptSegment } from "./adopt-segment.ts";
import { asStored, placed } from "./as-stored.ts";
import { BlockingFileSink } from "./blocking-file-sink.ts";
import { encodeSegment, type GuestChunk } from "./encode-segment.ts";
import type { FlatShape, PackedShape, SegmentJob, SegmentReceipt } from "./job.ts";
import type { Lane } from "./lane.ts";
import { isPlain, producePlain } from "./produce-plain.ts";
import { type Buffers, readChunks } from "./read-chunks.ts";
import { GuestReader } from "./read-guest.ts";
import { SegmentOutput } from "./segment-output.ts";
import type { Shared } from "./shared.ts";

/** Zeros inside a raw file become holes in steps of this, the block size of common file systems. */
const HOLE = 4 * KiB;

const ZEROS = new Uint8Array(1024 * KiB);

/** @throws Fault; see `Producer.produce`. */
export async function produce(job: SegmentJob, lane: Lane, signal: AbortSignal): Promise<SegmentReceipt> {
  const { shape } = job;
  const buffers: Buffers = [lane.buffers.take(job.chunk), lane.buffers.take(job.chunk)];
  const receipt =
    shape.kind === "flat"
      ? await produceFlat(job, shape, buffers, lane, signal)
      : await producePacked(job, shape, buffers, lane, signal);
  // Only after success: an abandoned send may still be reading from them.
  for (const buffer of buffers) lane.buffers.give(buffer);
  return receipt;
}

/** Output offset = guest offset: the segment streams through two buffers. */
async function produceFlat(
  job: SegmentJob,
  shape: FlatShape,
  buffers: Buffers,
  lane: Lane,
  signal: AbortSignal,
): Promise<SegmentReceipt> {
  const { target, range } = job;
  const guest = job.guest === "left out" ? undefined : new GuestDigest();
  const reader = new GuestReader(job.pieces, lane.sources, job.window, lane.buffers);
  const chunks = readChunks(job, reader, guest, buffers, lane, signal);
  const length = range.length + shape.tail.length;
  const receipt = (etag: string, checksums: Checksums): SegmentReceipt => ({
    number: job.number,
    length,
    etag,
    checksums,
    ...(guest === undefined ? {} : { guest: guestHex(guest.value()) }),
    ...(reader.window === undefined ? {} : { window: reader.window }),
  });

  switch (target.kind) {
    case "http": {
      const start = shape.zeros === "skip" ? await leadingZeros(chunks) : { zeros: 0, first: undefined };
      if (start === "all zero") return { ...receipt("", {}), zero: true };
      const stored = asStored(job, flatBody(start, chunks, shape), range.offset);
      const body = withDigest(job, stored, length, lane.shared);
      // Loaded by the first part that is sent: between files none is.
      const { sendHttp } = await import("./send.ts");
      const etag = await sendHttp(target, length, body.bytes, body.checksums, signal);
      return receipt(etag, body.checksums());
    }
    case "file": {
      using sink = new BlockingFileSink(target);
      const body = flatBody({ zeros: 0, first: undefined }, chunks, shape);
      let position = range.offset;
      for await (const bytes of asStored(job, body, range.offset)) {
        lane.shared.count("encoded", bytes.length);
        await lane.shared.throttle(bytes.length);
        lane.shared.count("sent", sink.writeSparse(bytes, position, HOLE));
        position += bytes.length;
      }
      return { ...receipt("", {}), offset: range.offset };
    }
    case "discard": {
      const all = flatBody({ zeros: 0, first: undefined }, chunks, shape);
      const body = withDigest(job, asStored(job, all, range.offset), length, lane.shared);
      for await (const bytes of body.bytes) void bytes;
      return receipt("", body.checksums());
    }
    case "hold":
      throw new Fault("INTERNAL", "a flat segment cannot be held");
  }
}

/** Units are stored one by one: the segment is encoded into memory, then put. */
async function producePacked(
  job: SegmentJob,
  shape: PackedShape,
  buffers: Buffers,
  lane: Lane,
  signal: AbortSignal,
): Promise<SegmentReceipt> {
  const encoder = await lane.encoder(shape);
  if (encoder.plainEntry !== undefined && isPlain(job, shape, lane)) {
    return producePlain(job, shape, encoder.plainEntry, buffers, lane, signal);
  }
  const { target } = job;
  const guest = new GuestDigest();
  let window = job.window;
  const out = new SegmentOutput(lane.buffers);
  let passes = 0;
  async function* chunks(): AsyncGenerator<GuestChunk> {
    passes += 1;
    const reader = new GuestReader(job.pieces, lane.sources, job.window, lane.buffers);
    // Another pass may have to store zeros, to reach the smallest part that the store takes.
    const [digest, gaps] =
      passes === 1 ? ([guest, "passed over"] as const) : ([new GuestDigest(), "read"] as const);
    yield* readChunks(job, reader, digest, buffers, lane, signal, gaps);
    window = reader.window;
  }
  const adopted = await (async () => {
    if (shape.adopts === undefined) return undefined;
    const adopting = { ...lane, encoder, buffer: buffers[0] };
    return adoptSegment(job, shape, shape.adopts, adopting, out, signal);
  })();
  if (adopted === undefined) out.reset();
  const table = adopted ?? (await encodeSegment(job, shape, encoder, chunks, out));
  const offset = await placed(job, shape, out.length, lane.shared);
  const stored = offset === undefined ? out.chunks() : asStored(job, out.chunks(), offset);
  const body = withDigest(job, stored, out.length, lane.shared);
  const receipt = (etag: string): SegmentReceipt => ({
    number: job.number,
    length: out.length,
    etag,
    checksums: body.checksums(),
    ...(adopted === undefined ? { guest: guestHex(guest.value()) } : {}),
    table,
    ...(offset === undefined ? {} : { offset }),
    ...(window === undefined ? {} : { window }),
  });

  const done = await (async (): Promise<SegmentReceipt> => {
    switch (target.kind) {
      case "http": {
        if (out.length === 0) return receipt("");
        const { sendHttp } = await import("./send.ts");
        return receipt(await sendHttp(target, out.length, body.bytes, body.checksums, signal));
      }
      case "file": {
        using sink = new BlockingFileSink(target);
        let position = offset ?? 0;
        for await (const bytes of body.bytes) {
          sink.write(bytes, position);
          position += bytes.length;
        }
        return receipt("");
      }
      case "discard":
        for await (const bytes of body.bytes) void bytes;
        return receipt("");
      case "hold": {
        const held = new Uint8Array(out.length);
        let at = 0;
        for await (const bytes of body.bytes) {
          held.set(bytes, at);
          at += bytes.length;
        }
        return { ...receipt(""), held };
      }
    }
  })();
  out.release();
  return done;
}

interface Start {
  /** Bytes of zeros before `first`. */
  readonly zeros: number;
  readonly first: Uint8Array | undefined;
}

/** Reads on until something is not zero, so that a segment of zeros need not be sent at all. */
async function leadingZeros(chunks: AsyncGenerator<GuestChunk>): Promise<Start | "all zero"> {
  let zeros = 0;
  for (;;) {
    const next = await chunks.next();
    if (next.done) return "all zero";
    if (!isZero(next.value.bytes)) return { zeros, first: next.value.bytes };
    zeros += next.value.bytes.length;
  }
}

async function* flatBody(
  start: Start,
  chunks: AsyncGenerator<GuestChunk>,
  shape: FlatShape,
): AsyncGenerator<Uint8Array> {
  yield* zeros(start.zeros);
  if (start.first !== undefined) yield start.first;
  for await (const { bytes } of chunks) yield bytes;
  if (shape.tail.length > 0) yield shape.tail;
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS.length)
    yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}

/**
 * Lets `length` bytes pass to a destination: digests and counts them, and keeps to the bandwidth limit. A chunk is
 * hashed at the latest when the next one has passed; the last before it passes, since a reply to it may follow at once.
 */
function withDigest(
  job: SegmentJob,
  from: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  length: number,
  shared: Shared,
) {
  const digest = createPartDigest(job.checksums);
  let left = length;
  let sums: Checksums | undefined;
  const leaves = job.target.kind === "http" || job.target.kind === "file";
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of from) {
      shared.throwIfStopped();
      left -= chunk.length;
      digest.hold(chunk);
      if (left <= 0) await digest.settle(0);
      shared.count("encoded", chunk.length);
      const step = Math.min(shared.step, chunk.length);
      for (let at = 0; at < chunk.length; at += step) {
        const slice = chunk.subarray(at, at + step);
        await shared.throttle(slice.length);
        yield slice;
        if (leaves) shared.count("sent", slice.length);
      }
      // What is read next takes the place of the chunk before this one.
      await digest.settle(1);
    }
  }
  return {
    bytes: bytes(),
    /** To be asked once the bytes are through. */
    checksums(): Checksums {
      sums ??= digest.finish();
      return sums;
    },
  };
}
