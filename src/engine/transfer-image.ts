/** One transfer from request to landed and, if asked, verified object. */
import { Fault } from "../fault/fault.ts";
import { formatByUserName, readerOf } from "../format/registry.ts";
import type { Destination, UploadIntent } from "../store/store.ts";
import type { ReadPorts } from "../transfer/digest-image.ts";
import type { Producer } from "../transfer/job.ts";
import type { Journal } from "../transfer/journal.ts";
import type { LandedPart, PlanSummary, TransferPorts, TransferResult } from "../transfer/request.ts";
import type { Progress } from "../transfer/shared.ts";
import { fileInDirectory } from "./file-name.ts";
import { journalFor, type LandRequest, landImage, verifyLanded } from "./land-image.ts";
import { type ImageRequest, type OpenedImage, openBytes, openImage } from "./open-image.ts";
import type { Places } from "./places.ts";

export interface TransferImageRequest extends Omit<LandRequest, "format" | "place" | "snapshot" | "moves"> {
  readonly source: ImageRequest;
  readonly destination: string;
  /** Format to write; absent: the source's own. */
  readonly format?: string;
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
  const { places, producer, events, stateDirectory } = ports;
  const { snapshot, location } = request.source;
  await using opened = await openImage(request.source, places, signal);
  const format = request.format ?? opened.image.format;
  if (request.verify === "read back") readerOf(formatByUserName(format));
  const place = await fileInDirectory(request.destination, location, format);
  await using destination = await places.destination(place, signal);
  await using journal = await journalFor(destination, stateDirectory);
  if (request.unfinished === "discard")
    await discardUnfinished(journal, destination, request.existing, signal);

  events.onStage("transfer");
  const transferPorts = { producer, journal, ...reporting(events) };
  const result =
    !convertsAnything(request, opened) && (await destination.copyParts?.(opened.source, signal)) !== undefined
      ? await copyImage(request, opened, destination, transferPorts, signal)
      : await landImage(
          { ...request, format, place, ...(snapshot === undefined ? {} : { snapshot }) },
          opened,
          destination,
          transferPorts,
          signal,
        );
  if (request.verify === "digest") {
    await journal.remove();
    return { ...result, verified: false };
  }
  events.onStage("verify");
  try {
    const known = result.guestDigest;
    const guestDigest = await verifyLanded(format, opened, known, destination, readPorts(ports), signal);
    await journal.remove();
    return { ...result, guestDigest, verified: true };
  } catch (error) {
    // Interrupted now, the journal stays, and the same command verifies what has landed.
    if (error instanceof Fault && error.code === "VERIFY_FAILED") await journal.remove();
    throw error;
  }
}

/** Whether the written image can differ from what is stored. */
function convertsAnything(request: TransferImageRequest, { image, source }: OpenedImage): boolean {
  const { format, compression, level, clusterSize, roundTo, segment, adopt } = request;
  const wished = [compression, level, clusterSize, roundTo, segment, request.source.snapshot];
  return (
    (format !== undefined && formatByUserName(format).name !== image.format) ||
    adopt === "nothing" ||
    wished.some((wish) => wish !== undefined) ||
    image.sources.some((other) => other !== source)
  );
}

/** Lands what is stored, whatever it means. */
async function copyImage(
  { concurrency, memory, bandwidth, existing }: TransferImageRequest,
  { image, source }: OpenedImage,
  destination: Destination,
  ports: TransferPorts,
  signal: AbortSignal,
): Promise<TransferResult> {
  const { guestDigest, ...copied } = await landImage(
    { format: "raw", adopt: "nothing", moves: "stored bytes", concurrency, memory, bandwidth, existing },
    await openBytes(source, signal),
    destination,
    ports,
    signal,
  );
  // Only of a raw disk are the stored bytes those of the guest.
  const known = image.format === "raw" && guestDigest !== undefined ? { guestDigest } : {};
  return { ...copied, ...known, virtualSize: image.virtualSize };
}

export function readPorts({ producer, events }: Pick<EnginePorts, "producer" | "events">): ReadPorts {
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
