/** Lands an open image in a destination, and reads back what has landed. */
import { createHash } from "node:crypto";
import { codecSignature } from "../codec/signature.ts";
import { formatGuestDigest } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import type { Compression, Image, Layout } from "../format/format.ts";
import { formatByUserName, readerOf } from "../format/registry.ts";
import type { Destination, UploadIntent } from "../store/store.ts";
import { digestImage, type ReadPorts } from "../transfer/digest-image.ts";
import { type Journal, memoryJournal, openJournal } from "../transfer/journal.ts";
import type { Adopt, Moves, TransferPorts, TransferResult, Unlike } from "../transfer/request.ts";
import { transfer } from "../transfer/transfer.ts";
import { diskName } from "./file-name.ts";
import { CLOSED_GATE, type OpenedImage } from "./open-image.ts";

export interface LandRequest {
  /** Format to write. */
  readonly format: string;
  /** Path, URL or name of what is written: an archive calls the disk after it. Absent: the format's default. */
  readonly place?: string;
  /** Absent: none, or zlib and zstd where the format is always compressed. */
  readonly compression?: Compression;
  /** Whoever asks for a level asks for units that are compressed with it: then nothing is adopted. */
  readonly level?: number;
  readonly adopt: Adopt;
  /** Absent: `disk`. */
  readonly moves?: Moves;
  readonly clusterSize?: number;
  readonly roundTo?: number;
  readonly segment?: number;
  readonly concurrency: number;
  readonly memory: number;
  readonly bandwidth: number;
  readonly existing: UploadIntent["existing"];
  /** Absent: `refuse`. */
  readonly unlike?: Unlike;
  /** Snapshot of the image that was opened. */
  readonly snapshot?: string;
}

/** @throws Fault; see `transfer`. */
export function landImage(
  request: LandRequest,
  opened: OpenedImage,
  destination: Destination,
  ports: TransferPorts,
  signal: AbortSignal,
): Promise<TransferResult> {
  const layout = layoutFor(request, opened);
  return transfer(
    {
      ...request,
      adopt: request.level === undefined ? request.adopt : "nothing",
      image: opened.image,
      layout,
      destination,
      identity: identityOf(request, opened, layout),
    },
    ports,
    signal,
  );
}

/** The journal of a destination, in a directory of journals. */
export function journalFor(destination: Destination, directory: string): Promise<Journal> {
  if (destination.limits.receipts === "none") return Promise.resolve(memoryJournal());
  return openJournal(directory, destination.identity, destination.name);
}

/**
 * Reads the landed object back and compares; returns the guest digest of both.
 * @throws Fault VERIFY_FAILED when they differ, or when the source is too damaged to be read.
 */
export async function verifyLanded(
  format: string,
  { image }: OpenedImage,
  known: string | undefined,
  destination: Destination,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<string> {
  const guestDigest = known ?? (await readSource(image, destination, ports, signal));
  await readBack(destination, format, guestDigest, ports, signal);
  return guestDigest;
}

/** The guest digest of a source that was copied without being decoded. */
async function readSource(
  image: Image,
  destination: Destination,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<string> {
  try {
    return formatGuestDigest(await digestImage(image, ports, signal));
  } catch (error) {
    if (!(error instanceof Fault && error.code === "IMAGE_CORRUPT")) throw error;
    const message = `${destination.name}: is a copy of a damaged image, do not use it: ${error.message}`;
    throw new Fault("VERIFY_FAILED", message, { cause: error });
  }
}

export async function readBack(
  destination: Destination,
  format: string,
  guestDigest: string,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<void> {
  // Opened as what was written, not as what it looks like: a raw disk may well hold another image.
  await using source = await destination.source(signal);
  await using image = await readerOf(formatByUserName(format)).open(
    { source, gate: CLOSED_GATE, allowAmplification: true },
    signal,
  );
  const found = formatGuestDigest(await digestImage(image, ports, signal));
  if (found !== guestDigest) {
    throw new Fault(
      "VERIFY_FAILED",
      `${destination.name}: reads back with guest digest ${found}, but ${guestDigest} was sent; do not use it`,
    );
  }
}

function layoutFor(request: LandRequest, { image, source }: OpenedImage): Layout {
  const { format, place, level, clusterSize, roundTo } = request;
  return formatByUserName(format).writer.layout({
    virtualSize: image.virtualSize,
    ...(place === undefined ? {} : { name: diskName(place) }),
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

/** All that must be the same for a transfer to be gone on with. */
function identityOf(request: LandRequest, { image }: OpenedImage, layout: Layout): string {
  const versions = image.sources.map((source) => `${source.name} ${source.version}`);
  const { compression, level, clusterSize, segment } = request;
  const shape =
    layout.shape === "flat" ? ["flat", Buffer.from(layout.tail).toString("hex")] : [layout.encoding];
  // Another codec gives other bytes, and parts of both would not fit together.
  const codec =
    layout.shape === "flat" || layout.encoding.compression === "none"
      ? "none"
      : codecSignature(layout.encoding.compression, layout.encoding.level);
  return JSON.stringify([
    3,
    codec,
    versions,
    request.snapshot,
    shape,
    compression,
    level,
    clusterSize,
    segment,
  ]);
}
