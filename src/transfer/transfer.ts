/**
 * THE MAIN DATA PATH, as the main thread sees it: plan, hand out segment jobs, journal their receipts, seal. Image
 * bytes pass through the workers only (produce.ts).
 *
 *     source → image → extents → plan → segment jobs ══▶ produce ══▶ receipts → seal
 */
import pLimit from "p-limit";
import type { Checksums } from "../digest/checksum.ts";
import { combineGuest, formatGuestDigest, guestFromHex } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { eachOf } from "../flow/each-of.ts";
import type { Image, Layout } from "../format/format.ts";
import type { Slot } from "../plan/slot.ts";
import type { Destination, Landed, UploadIntent } from "../store/store.ts";
import type { Producer } from "./job.ts";
import type { Journal } from "./journal.ts";
import { landSlot } from "./land-slot.ts";
import { planTransfer } from "./plan-transfer.ts";
import { landedEarlier, openRun, RESUMABLE } from "./run.ts";
import { seal } from "./seal.ts";
import type { Progress } from "./shared.ts";

export interface TransferRequest {
  readonly image: Image;
  readonly layout: Layout;
  readonly destination: Destination;
  readonly existing: UploadIntent["existing"];
  /** Jobs at once, at most. */
  readonly concurrency: number;
  /** Bytes of memory that all lanes together may take; at least one lane runs. */
  readonly memory: number;
  /** Guest bytes of a segment; absent: as the store likes. */
  readonly segment?: number;
  /** Bytes per second, all lanes together; 0: no limit. */
  readonly bandwidth: number;
  /** Names what is transferred to what, so that a journal is gone on with only by the same request. */
  readonly identity: string;
}

export interface TransferPorts {
  readonly producer: Producer;
  readonly journal: Journal;
  /** Told of the counters once the plan stands: they may be sampled at any time. */
  readonly onProgress: (sample: () => Progress) => void;
  readonly onResume: (landed: number, slots: number) => void;
  readonly onRetry: (fault: Fault, waitMs: number) => void;
}

export interface TransferResult {
  readonly object: Landed;
  /** Guest bytes of the written image. */
  readonly virtualSize: number;
  readonly guestDigest: string;
  /** Checksums of the whole object that were computed on the way. */
  readonly checksums: Checksums;
  /** Bytes handed to sockets and files in this run. */
  readonly sent: number;
}

/**
 * Lands an image. On return the object is complete and confirmed by its store.
 * @throws Fault. After an interruption or an outage the journal stays, and the same call goes on; after any other
 * fault nothing of the transfer is left in the destination.
 */
export async function transfer(
  request: TransferRequest,
  ports: TransferPorts,
  signal: AbortSignal,
): Promise<TransferResult> {
  const { image, layout, destination } = request;
  const plan = await planTransfer({ ...request, limits: destination.limits }, signal);
  const earlier = await landedEarlier(request, plan, ports, signal);
  if (earlier !== undefined) return earlier;
  const run = await openRun(request, plan, ports, signal);
  try {
    const lanes = pLimit(laneCount(request, plan.laneMemory, ports.producer.lanes));
    await eachOf(run.remaining(), lanes, (slot: Slot) => landSlot(run, slot, signal), signal);
    await Promise.all(image.sources.map((source) => source.check(signal)));
    const guestDigest = formatGuestDigest(guestSum(run.receipts.values()));
    const sealed = await seal(run, layout, guestDigest, signal);
    await ports.journal.remove();
    return {
      object: sealed.landed,
      virtualSize: layout.virtualSize,
      guestDigest,
      checksums: sealed.checksums,
      sent: run.shared.counted("sent") + run.upload.besides,
    };
  } catch (error) {
    const fault = Fault.from(signal.aborted ? signal.reason : error, destination.name);
    if (!RESUMABLE.has(fault.code)) await run.discard();
    throw fault;
  } finally {
    run.shared.stop();
  }
}

function laneCount(request: TransferRequest, laneMemory: number, threadLanes: number): number {
  // A chained stream is decoded by one lane, in order.
  if (request.image.order === "sequential") return 1;
  const fitting = Math.max(1, Math.floor(request.memory / laneMemory));
  return Math.min(request.concurrency, fitting, threadLanes);
}

function guestSum(receipts: Iterable<{ readonly guest: string }>): bigint {
  let sum = 0n;
  for (const { guest } of receipts) sum = combineGuest(sum, guestFromHex(guest));
  return sum;
}
