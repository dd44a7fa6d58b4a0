/**
 * THE MAIN DATA PATH, as the main thread sees it: plan, hand out segment jobs, journal their receipts, seal. Image
 * bytes pass through the workers only (produce.ts).
 *
 *     source → image → extents → plan → segment jobs ══▶ produce ══▶ receipts → seal
 */
import { combineGuest, formatGuestDigest, guestFromHex } from "../digest/guest-digest.ts";
import { Fault } from "../fault/fault.ts";
import { eachOf } from "../flow/each-of.ts";
import type { Layout } from "../format/format.ts";
import type { Slot } from "../plan/slot.ts";
import type { Producer } from "./job.ts";
import { landSlot } from "./land-slot.ts";
import { paceOf } from "./pace.ts";
import { planTransfer } from "./plan-transfer.ts";
import type { TransferPorts, TransferRequest, TransferResult } from "./request.ts";
import { landedEarlier, openRun, RESUMABLE, type Run } from "./run.ts";
import { seal } from "./seal.ts";
import { storedParts } from "./stored-parts.ts";

/**
 * Lands an image. On return the object is complete and confirmed by its store, and the journal stands until the caller
 * removes it: the same call then finds the object landed.
 * @throws Fault. After an interruption or an outage the journal stays, and the same call goes on; after any other
 * fault nothing of the transfer is left in the destination.
 */
export async function transfer(
  request: TransferRequest,
  ports: TransferPorts,
  signal: AbortSignal,
): Promise<TransferResult> {
  const { image, layout, destination } = request;
  const { borders, copies } = await storedParts(request, signal);
  const plan = await planTransfer({ ...request, ...borders, limits: destination.limits }, signal);
  const { total, slots } = plan;
  // Ciphertext stands beside the plain text: the chunk that is sent, and the one that is still hashed.
  const laneMemory = plan.laneMemory + (destination.cipher === undefined ? 0 : 2 * plan.chunk);
  const lanes = laneCount(request, laneMemory, ports.producer);
  await ports.onPlan?.({ slots: slots.length, total, lanes, laneMemory });
  const earlier = await landedEarlier(request, plan, ports, signal);
  if (earlier !== undefined) {
    await ports.onSealing?.();
    await ports.mayCommit?.();
    return earlier;
  }
  const pace = paceOf(lanes, destination.limits);
  const onRetry = (fault: Fault, waitMs: number): void => {
    pace.failed(fault);
    ports.onRetry(fault, waitMs);
  };
  const run = await openRun(request, plan, copies, { ...ports, onRetry }, signal);
  try {
    const land = async (slot: Slot): Promise<void> => {
      await landLeased(run, slot, signal);
      if (slot.kind === "data") pace.landed(run.shared.counted("sent"));
    };
    await eachOf(run.remaining(), pace.limit, land, signal);
    await Promise.all(image.sources.map((source) => source.check(signal)));
    await ports.onSealing?.();
    const guestDigest = guestDigestOf(run.receipts.values());
    const sealed = await seal(run, layout, guestDigest, signal);
    return {
      object: sealed.landed,
      virtualSize: layout.virtualSize,
      ...(guestDigest === undefined ? {} : { guestDigest }),
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

async function landLeased(run: Run, slot: Slot, signal: AbortSignal): Promise<void> {
  using _lease = await run.ports.lease?.(signal);
  await landSlot(run, slot, signal);
}

function laneCount(request: TransferRequest, laneMemory: number, producer: Producer): number {
  const { image, layout, destination, concurrency, memory } = request;
  // A chained stream is decoded by one lane, in order.
  if (image.order === "sequential") return 1;
  const fitting = Math.max(1, Math.floor(memory / laneMemory));
  const local =
    destination.limits.reach === "local" && image.sources.every((source) => source.prefetch !== undefined);
  return Math.min(concurrency, fitting, local ? localLanes(layout, producer.threads) : producer.lanes);
}

/** Between files no lane waits for a network: few are enough to keep the threads busy, and each more costs cache. */
function localLanes({ shape }: Layout, threads: number): number {
  // A packed segment waits for the length of the one before it: each thread has another to go on with.
  return shape === "packed" ? 2 * threads : threads + 1;
}

/** Undefined when not every segment was decoded. */
function guestDigestOf(receipts: Iterable<{ readonly guest?: string }>): string | undefined {
  let sum = 0n;
  for (const { guest } of receipts) {
    if (guest === undefined) return undefined;
    sum = combineGuest(sum, guestFromHex(guest));
  }
  return formatGuestDigest(sum);
}
