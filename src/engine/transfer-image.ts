/** One transfer from request to landed and, if asked, verified object. */
import { createHash } from "node:crypto";
import { codecHelpers } from "../codec/codec.ts";
import { formatGuestDigest } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import type { Compression, Image, Layout } from "../format/format.ts";
import { formatByUserName } from "../format/registry.ts";
import type { Destination, UploadIntent } from "../store/store.ts";
import { digestImage, type ReadPorts } from "../transfer/digest-image.ts";
import type { Producer } from "../transfer/job.ts";
import { type Journal, memoryJournal, openJournal } from "../transfer/journal.ts";
import type { Adopt, LandedPart, PlanSummary, TransferResult } from "../transfer/request.ts";
import type { Progress } from "../transfer/shared.ts";
import { transfer } from "../transfer/transfer.ts";
import { fileInDirectory } from "./file-name.ts";
import { CLOSED_GATE, type ImageRequest, type OpenedImage, openImage } from "./open-image.ts";
import type { Places } from "./places.ts";

export interface TransferImageRequest {
  readonly source: ImageRequest;
  readonly destination: string;
  /** Format to write; absent: the source's own. */
  readonly format?: string;
  /** Absent: none, or zlib and zstd where the format is always compressed. */
  readonly compression?: Compression;
  /** Whoever asks for a level asks for units that are compressed with it: then nothing is adopted. */
  readonly level?: number;
  readonly adopt: Adopt;
  readonly clusterSize?: number;
  readonly roundTo?: number;
  readonly segment?: number;
  readonly concurrency: number;
  readonly memory: number;
  readonly bandwidth: number;
  readonly existing: UploadIntent["existing"];
  /** What to do with an unfinished transfer to the same destination. */
  readonly unfinished: "resume" | "discard";
  readonly verify: "digest" | "read back";
}

export interface EnginePorts {
  readonly places: Places;
  readonly producer: Producer;
  /** Where journals are kept. */
  readonly stateDirectory: string;
  readonly events: TransferEvents;
}

export interface TransferEvents {
  onStage(stage: "transfer" | "verify"): void;
  onProgress(sample: () => Progress): void;
  onResume(landed: number, parts: number): void;
  onRetry(fault: Fault, waitMs: number): void;
  onPlan?(plan: PlanSummary): void;
  onLanded?(part: LandedPart): void;
}

/** With a guest digest if all of the disk was decoded, in the transfer or for reading back. */
export interface Transferred extends TransferResult {
  readonly verified: boolean;
}

/** @throws Fault; see `transfer`. VERIFY_FAILED when the landed object reads otherwise than the source. */
export async function transferImage(
  request: TransferImageRequest,
  ports: EnginePorts,
  signal: AbortSignal,
): Promise<Transferred> {
  const { places, producer, events } = ports;
  await using opened = await openImage(request.source, places, signal);
  const { image } = opened;
  const format = request.format ?? image.format;
  const layout = layoutFor(request, image, format, opened);
  const place = await fileInDirectory(request.destination, request.source.location, format);
  await using destination = await places.destination(place, signal);
  await using journal = await journalFor(destination, ports);
  if (request.unfinished === "discard")
    await discardUnfinished(journal, destination, request.existing, signal);

  events.onStage("transfer");
  const result = await transfer(
    {
      ...request,
      adopt: request.level === undefined ? request.adopt : "nothing",
      image,
      layout,
      destination,
      identity: identityOf(request, opened, layout),
    },
    { producer, journal, ...reporting(events) },
    signal,
  );
  if (request.verify === "digest") {
    await journal.remove();
    return { ...result, verified: false };
  }
  events.onStage("verify");
  try {
    const guestDigest = result.guestDigest ?? (await readSource(image, destination, ports, signal));
    await readBack(destination, format, guestDigest, ports, signal);
    await journal.remove();
    return { ...result, guestDigest, verified: true };
  } catch (error) {
    // Interrupted now, the journal stays, and the same command verifies what has landed.
    if (error instanceof Fault && error.code === "VERIFY_FAILED") await journal.remove();
    throw error;
  }
}

/** The guest digest of a source that was copied without being decoded. */
async function readSource(
  image: Image,
  destination: Destination,
  ports: EnginePorts,
  signal: AbortSignal,
): Promise<string> {
  try {
    return formatGuestDigest(await digestImage(image, readPorts(ports), signal));
  } catch (error) {
    if (!(error instanceof Fault && error.code === "IMAGE_CORRUPT")) throw error;
    const message = `${destination.name}: is a copy of a damaged image, do not use it: ${error.message}`;
    throw new Fault("VERIFY_FAILED", message, { cause: error });
  }
}

function readPorts({ producer, events }: EnginePorts): ReadPorts {
  return {
    producer,
    onProgress: (sample) =>
      events.onProgress(() => {
        const { read, total } = sample();
        return { read, encoded: 0, sent: 0, committed: read, total };
      }),
  };
}

function reporting(events: TransferEvents) {
  return {
    onProgress: (sample: () => Progress) => events.onProgress(sample),
    onResume: (landed: number, parts: number) => events.onResume(landed, parts),
    onRetry: (fault: Fault, waitMs: number) => events.onRetry(fault, waitMs),
    onPlan: (plan: PlanSummary) => events.onPlan?.(plan),
    onLanded: (part: LandedPart) => events.onLanded?.(part),
  };
}

function layoutFor(
  request: TransferImageRequest,
  image: Image,
  format: string,
  { source }: OpenedImage,
): Layout {
  const { level, clusterSize, roundTo } = request;
  return formatByUserName(format).writer.layout({
    virtualSize: image.virtualSize,
    ...(request.compression === undefined ? {} : { compression: request.compression }),
    ...(level === undefined ? {} : { level }),
    ...(clusterSize === undefined ? {} : { clusterSize }),
    ...(roundTo === undefined ? {} : { roundTo }),
    // Equal input and options give equal bytes: identifiers inside the image depend on what is written, not on when.
    seed: createHash("sha256")
      .update(JSON.stringify([source.name, source.size, image.virtualSize, format]))
      .digest()
      .subarray(0, 16),
  });
}

function journalFor(destination: Destination, ports: EnginePorts): Promise<Journal> {
  if (destination.limits.receipts === "none") return Promise.resolve(memoryJournal());
  return openJournal(ports.stateDirectory, destination.identity, destination.name);
}

/** All that must be the same for a transfer to be gone on with. */
function identityOf(request: TransferImageRequest, { image }: OpenedImage, layout: Layout): string {
  const versions = image.sources.map((source) => `${source.name} ${source.version}`);
  const { compression, level, clusterSize, segment } = request;
  const shape =
    layout.shape === "flat" ? ["flat", Buffer.from(layout.tail).toString("hex")] : [layout.encoding];
  // Another deflate gives other bytes, and parts of both would not fit together.
  const codecs = layout.shape === "packed" && layout.encoding.compression !== "none" ? codecHelpers() : {};
  return JSON.stringify([
    2,
    codecs,
    versions,
    request.source.snapshot,
    shape,
    compression,
    level,
    clusterSize,
    segment,
  ]);
}

async function discardUnfinished(
  journal: Journal,
  destination: Destination,
  existing: UploadIntent["existing"],
  signal: AbortSignal,
): Promise<void> {
  const { unfinished } = journal;
  if (unfinished !== undefined) {
    const upload = await destination
      .resume(unfinished.token, { existing }, signal)
      .catch((error: unknown) => {
        const fault = Fault.from(error, destination.name);
        if (fault.code === "NOT_FOUND") return undefined;
        throw fault;
      });
    await upload?.abort(signal);
  }
  await destination.removeOrphans(signal);
  await journal.forget();
}

export async function readBack(
  destination: Destination,
  format: string,
  guestDigest: string,
  ports: EnginePorts,
  signal: AbortSignal,
): Promise<void> {
  // Opened as what was written, not as what it looks like: a raw disk may well hold another image.
  await using source = await destination.source(signal);
  await using image = await formatByUserName(format).reader.open(
    { source, gate: CLOSED_GATE, allowAmplification: true },
    signal,
  );
  const found = formatGuestDigest(await digestImage(image, readPorts(ports), signal));
  if (found !== guestDigest) {
    throw new Fault(
      "VERIFY_FAILED",
      `${destination.name}: reads back with guest digest ${found}, but ${guestDigest} was sent; do not use it`,
    );
  }
}
