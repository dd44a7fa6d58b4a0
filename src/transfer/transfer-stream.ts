/** A raw stream of unknown length, such as standard input, landed part by part in this thread. */
import pLimit from "p-limit";
import { KiB, MiB } from "../bytes/units.ts";
import { isZero } from "../bytes/zero.ts";
import { contentStream } from "../cipher/content-cipher.ts";
import { formatGuestDigest, GUEST_BLOCK, GuestDigest } from "../digest/guest-digest.ts";
import { createPartDigest } from "../digest/part-digest.ts";
import { Fault } from "../fault/fault.ts";
import { eachOf } from "../flow/each-of.ts";
import type { Destination, PartReceipt, StoreLimits, Upload, UploadIntent } from "../store/store.ts";
import { BlockingFileSink } from "./blocking-file-sink.ts";
import { wholeChecksums, zeroChecksums } from "./checksums.ts";
import { persist } from "./persist.ts";
import type { LandedPart, TransferResult } from "./request.ts";
import { sendHttp } from "./send.ts";
import { type Progress, Shared } from "./shared.ts";

export interface StreamRequest {
  readonly destination: Destination;
  readonly existing: UploadIntent["existing"];
  readonly concurrency: number;
  /** Bytes of memory that all parts in flight may take. */
  readonly memory: number;
  readonly segment?: number;
  readonly bandwidth: number;
}

export interface StreamPorts {
  readonly onProgress: (sample: () => Progress) => void;
  readonly onRetry: (fault: Fault, waitMs: number) => void;
  readonly onLanded?: ((part: LandedPart) => void) | undefined;
}

/** A stream is digested as it passes. */
export interface StreamResult extends TransferResult {
  readonly guestDigest: string;
}

/** Bytes of a part, at first; the length is unknown, so parts double when their numbers run low. */
const PART = 16 * MiB;
const CLEAN_UP_MS = 120_000;
/** Zeros in a file become holes in steps of this. */
const HOLE = 64 * KiB;

interface StreamPart {
  readonly number: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Lands the stream to its end. It cannot be read again: after any fault nothing is left in the destination.
 * @throws Fault as the stream and the store do.
 */
export async function transferStream(
  stream: AsyncIterable<Uint8Array>,
  request: StreamRequest,
  ports: StreamPorts,
  signal: AbortSignal,
): Promise<StreamResult> {
  const { destination } = request;
  const shared = Shared.create(0);
  shared.bandwidth = request.bandwidth;
  ports.onProgress(() => streamProgress(shared));
  const upload = await destination.begin({ existing: request.existing }, signal);
  try {
    const first = Math.min(
      Math.max(request.segment ?? PART, destination.limits.minPart, GUEST_BLOCK),
      destination.limits.maxPart,
    );
    const lanes = pLimit(lanesFor(request, first));
    const guest = new GuestDigest();
    const parts: PartReceipt[] = [];
    await eachOf(
      cutParts(stream, first, destination.limits, guest, shared, signal, (size) => {
        lanes.concurrency = lanesFor(request, size);
      }),
      lanes,
      async (part) => {
        const receipt = await landPart(upload, part, request, ports, shared, signal);
        parts.push(receipt);
        ports.onLanded?.({ number: receipt.number, length: receipt.length, zero: receipt.zero ?? false });
        shared.count("committed", part.bytes.length);
      },
      signal,
    );
    parts.sort((a, b) => a.number - b.number);
    const checksums = wholeChecksums(parts, destination.limits.checksums);
    const object = await upload.complete(parts, checksums, signal);
    return {
      object,
      virtualSize: shared.counted("read"),
      guestDigest: formatGuestDigest(guest.value()),
      checksums,
      sent: shared.counted("sent") + upload.besides,
    };
  } catch (error) {
    await upload.abort(AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {});
    throw Fault.from(signal.aborted ? signal.reason : error, destination.name);
  }
}

/** Each lane holds one part; one more is being filled. */
function lanesFor({ concurrency, memory }: StreamRequest, part: number): number {
  return Math.max(1, Math.min(concurrency, Math.floor(memory / part) - 1));
}

/** The stream in parts of whole digest blocks, the last one excepted. */
async function* cutParts(
  stream: AsyncIterable<Uint8Array>,
  first: number,
  { maxParts, maxPart }: StoreLimits,
  guest: GuestDigest,
  shared: Shared,
  signal: AbortSignal,
  onSize: (bytes: number) => void,
): AsyncGenerator<StreamPart> {
  let number = 1;
  let offset = 0;
  let bytes = new Uint8Array(first);
  let filled = 0;
  const part = (): StreamPart => {
    const whole = { number, offset, bytes: bytes.subarray(0, filled) };
    guest.add(whole.bytes, offset);
    number += 1;
    offset += filled;
    // A quarter of the numbers for each size: 16 MiB parts end at 8.5 times maxParts of them.
    const doublings = Math.floor((number - 1) / Math.ceil(maxParts / 4));
    const size = Math.min(first * 2 ** doublings, maxPart);
    if (size !== bytes.length) onSize(size);
    bytes = new Uint8Array(size);
    filled = 0;
    return whole;
  };
  for await (const chunk of stream) {
    signal.throwIfAborted();
    shared.count("read", chunk.length);
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + bytes.length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === bytes.length) yield part();
    }
  }
  if (filled > 0) yield part();
}

async function landPart(
  upload: Upload,
  part: StreamPart,
  request: StreamRequest,
  ports: StreamPorts,
  shared: Shared,
  signal: AbortSignal,
): Promise<PartReceipt> {
  const { number, offset } = part;
  const { name, limits, cipher } = request.destination;
  const bytes = cipher === undefined ? part.bytes : contentStream(cipher, offset)(part.bytes);
  const patience = { name, upload, sources: [], onRetry: ports.onRetry };
  if (limits.zeros === "free" && bytes.length >= Math.max(limits.zeroPart, limits.minPart) && isZero(bytes)) {
    const zeros = { number, offset, length: bytes.length };
    const receipt = await persist(patience, () => upload.zeros(zeros, signal), signal);
    return {
      ...receipt,
      checksums: { ...zeroChecksums(limits.checksums, bytes.length), ...receipt.checksums },
    };
  }
  const digest = createPartDigest(limits.checksums);
  await digest.update(bytes);
  const checksums = digest.finish();
  return persist(
    patience,
    async () => {
      const target = await upload.target({ number, length: bytes.length }, signal);
      if (target.kind === "file") {
        using sink = new BlockingFileSink(target);
        sink.writeSparse(bytes, offset, HOLE);
        shared.count("sent", bytes.length);
        return { number, length: bytes.length, offset, etag: "", checksums };
      }
      if (target.kind === "discard") return { number, length: bytes.length, offset, etag: "", checksums };
      const etag = await sendHttp(target, bytes.length, paced(bytes, shared), () => checksums, signal);
      return { number, length: bytes.length, offset, etag, checksums };
    },
    signal,
  );
}

async function* paced(bytes: Uint8Array, shared: Shared): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += MiB) {
    const chunk = bytes.subarray(at, at + MiB);
    await shared.throttle(chunk.length);
    yield chunk;
    shared.count("sent", chunk.length);
  }
}

/** Nobody knows where the stream ends: what has been read is what there is so far. */
export function streamProgress(shared: Shared): Progress {
  const read = shared.counted("read");
  return {
    read,
    encoded: read,
    sent: shared.counted("sent"),
    committed: shared.counted("committed"),
    total: read,
  };
}
