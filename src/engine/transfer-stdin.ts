/** A raw stream of unknown length to any destination. */
import { formatGuestDigest, GUEST_BLOCK, GuestDigest } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { Shared } from "../transfer/shared.ts";
import { type StreamResult, streamProgress, transferStream } from "../transfer/transfer-stream.ts";
import { fileInDirectory } from "./file-name.ts";
import { readBack } from "./land-image.ts";
import type { StreamTo } from "./places.ts";
import {
  type EnginePorts,
  readPorts,
  type TransferImageRequest,
  type Transferred,
} from "./transfer-image.ts";

/** Bytes of a part where the destination has a way of its own to take streams. */
const PART = 16 * 1024 * 1024;

/** @throws Fault USAGE for anything but raw to raw; as `transferStream` does. Nothing is left after a fault. */
export async function transferStdin(
  stdin: AsyncIterable<Uint8Array>,
  request: TransferImageRequest,
  ports: EnginePorts,
  signal: AbortSignal,
): Promise<Transferred> {
  const formats = [request.source.format ?? "raw", request.format ?? "raw"];
  if (formats.some((format) => format !== "raw") || (request.compression ?? "none") !== "none") {
    throw new Fault(
      "USAGE",
      "standard input is read as raw and written as raw; to convert, name a file or an object",
    );
  }
  const place = await fileInDirectory(request.destination, request.source.location, "raw");
  await using destination = await ports.places.destination(place, signal);
  // A stream is never gone on with: what an earlier one has left when it was killed is an orphan.
  if (request.unfinished === "discard") await destination.removeOrphans(signal);
  const { events } = ports;
  events.onStage("transfer");
  const streamTo = ports.places.streamTo(request.destination);
  const result =
    streamTo === undefined
      ? await transferStream(
          stdin,
          { ...request, destination },
          {
            onProgress: (sample) => events.onProgress(sample),
            onRetry: (fault, waitMs) => events.onRetry(fault, waitMs),
            onLanded: (part) => events.onLanded?.(part),
          },
          signal,
        )
      : await handOver(stdin, streamTo, request, ports, signal);
  if (request.verify === "digest") return { ...result, verified: false };
  events.onStage("verify");
  await readBack(destination, "raw", result.guestDigest, readPorts(ports), signal);
  return { ...result, verified: true };
}

/** The destination takes the stream itself; it is digested as it passes. */
async function handOver(
  stdin: AsyncIterable<Uint8Array>,
  streamTo: StreamTo,
  request: TransferImageRequest,
  { events }: EnginePorts,
  signal: AbortSignal,
): Promise<StreamResult> {
  const shared = Shared.create(0);
  shared.bandwidth = request.bandwidth;
  const guest = new GuestDigest();
  events.onProgress(() => streamProgress(shared));
  const partSize = request.segment ?? PART;
  const object = await streamTo(
    digested(stdin, guest, shared),
    {
      existing: request.existing,
      partSize,
      concurrency: Math.max(1, Math.min(request.concurrency, Math.floor(request.memory / partSize) - 1)),
      onProgress: (acknowledged) => {
        shared.count("committed", acknowledged - shared.counted("committed"));
        shared.count("sent", acknowledged - shared.counted("sent"));
      },
    },
    signal,
  );
  return {
    object,
    virtualSize: shared.counted("read"),
    guestDigest: formatGuestDigest(guest.value()),
    checksums: {},
    sent: shared.counted("sent"),
  };
}

/** Gathers the stream into whole digest blocks on the side; the bytes pass as they are. */
async function* digested(
  stream: AsyncIterable<Uint8Array>,
  guest: GuestDigest,
  shared: Shared,
): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(16 * GUEST_BLOCK);
  let offset = 0;
  let filled = 0;
  for await (const chunk of stream) {
    shared.count("read", chunk.length);
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + block.length - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < block.length) continue;
      guest.add(block, offset);
      offset += filled;
      filled = 0;
    }
    await shared.throttle(chunk.length);
    yield chunk;
  }
  if (filled > 0) guest.add(block.subarray(0, filled), offset);
}
