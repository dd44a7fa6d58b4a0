/** One run of a transfer: an upload that was begun or found again, and what has landed in it so far. */
import { createHash } from "node:crypto";
import { Fault, type FaultCode } from "../fault/fault.ts";
import type { UnitTable } from "../format/format.ts";
import type { Slot } from "../plan/slot.ts";
import type { CopyPart, Upload } from "../store/store.ts";
import type { SegmentReceipt } from "./job.ts";
import type { JournaledSegment } from "./journal.ts";
import type { TransferPlan } from "./plan-transfer.ts";
import type { TransferPorts, TransferRequest, TransferResult } from "./request.ts";
import { type Progress, Shared } from "./shared.ts";

/** After these the landed parts stay, and the same request goes on from them. */
export const RESUMABLE: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "CANCELED",
  "NETWORK",
  "TIMEOUT",
  "THROTTLED",
  "STORE_UNAVAILABLE",
  "CREDENTIALS_EXPIRED",
]);

/** How long cleaning up after a fault may take. */
const DISCARD_MS = 120_000;

export interface Run {
  readonly request: TransferRequest;
  readonly plan: TransferPlan;
  readonly ports: TransferPorts;
  readonly upload: Upload;
  readonly shared: Shared;
  /** Landed segments by part number. */
  readonly receipts: ReadonlyMap<number, JournaledSegment>;
  /** Parts that the store holds although no receipt of them was journaled. */
  readonly unclaimed: ReadonlyMap<number, { readonly length: number; readonly etag: string }>;
  /** What the store makes by itself, by guest offset; empty once it has refused to. */
  copies: ReadonlyMap<number, CopyPart>;
  /** The plan's held slot, once produced. */
  held: { readonly bytes: Uint8Array; readonly table: UnitTable } | undefined;
  /** What a chained stream decoded last. */
  window: Uint8Array | undefined;
  /** Taken once by each slot, in order. */
  takeTurn(): Turn;
  /** Slots that still have to be produced, in order. */
  remaining(): Iterable<Slot>;
  /** Notes that a slot has landed. Durable in the journal when it resolves, except for a held slot. */
  landed(slot: Slot, receipt: SegmentReceipt): Promise<void>;
  /** Removes every trace from the destination, and the journal. Never throws. */
  discard(): Promise<void>;
}

/** A place in a line. */
export interface Turn {
  /** Resolves when all before have passed. */
  readonly come: Promise<void>;
  /** Lets the next one come; more than once does no harm. */
  pass(): void;
}

/** What makes a request the same one again: what is moved to what, and how it is cut. */
function identityOf(request: TransferRequest, plan: TransferPlan): string {
  return createHash("sha256").update(`${request.identity}\n${plan.digest}`).digest("hex");
}

/** The result of an earlier run that crashed after its object was published and before anyone was told. */
export async function landedEarlier(
  request: TransferRequest,
  plan: TransferPlan,
  { journal }: TransferPorts,
  signal: AbortSignal,
): Promise<TransferResult | undefined> {
  const { unfinished } = journal;
  if (unfinished?.sealed === undefined || unfinished.identity !== identityOf(request, plan)) return undefined;
  const object = await request.destination.landed(unfinished.token, signal);
  if (object === undefined) return undefined;
  return { object, virtualSize: request.layout.virtualSize, ...unfinished.sealed, sent: 0 };
}

/** Begins the upload, or goes on with the one that the journal knows, if it is of the same request and plan. */
export async function openRun(
  request: TransferRequest,
  plan: TransferPlan,
  copies: readonly CopyPart[],
  ports: TransferPorts,
  signal: AbortSignal,
): Promise<Run> {
  const { destination } = request;
  const { journal } = ports;
  const identity = identityOf(request, plan);
  const intent = { existing: request.existing };
  const receipts = new Map<number, JournaledSegment>();
  const unclaimed = new Map<number, { length: number; etag: string }>();

  const upload = (await findAgain()) ?? (await begin());
  const shared = Shared.create(plan.slots.length + 1);
  shared.bandwidth = request.bandwidth;
  ports.onBandwidth?.((bytesPerSecond) => {
    shared.bandwidth = bytesPerSecond;
  });
  placeKnownSegments(plan, shared, receipts);
  for (const slot of plan.slots) if (receipts.has(slot.number)) shared.count("committed", slot.data);
  if (receipts.size > 0) ports.onResume(receipts.size, plan.slots.length);
  ports.onProgress(() => sample(shared, plan));

  async function begin(): Promise<Upload> {
    if (journal.intended !== undefined) await destination.removeUnheard?.(journal.intended, signal);
    await journal.intend();
    const begun = await destination.begin(intent, signal).catch(async (error: unknown) => {
      // Where the store has answered it has begun nothing; else it may have, and the next run looks for it.
      const fault = Fault.from(error, destination.name);
      if (!RESUMABLE.has(fault.code)) await journal.forget();
      throw fault;
    });
    await journal.begin(identity, begun.token);
    return begun;
  }

  async function findAgain(): Promise<Upload | undefined> {
    const { unfinished } = journal;
    if (unfinished === undefined) return undefined;
    if (unfinished.identity !== identity) {
      if (destination.cipher !== undefined) {
        throw new Fault(
          "CONFLICT",
          `${destination.name}: what was begun here with its key would become something else; begin with another key`,
        );
      }
      if (request.unlike === "discard") {
        await destination.discard(unfinished.token, signal);
        await journal.forget();
        return undefined;
      }
      throw new Fault(
        "ALREADY_EXISTS",
        `${destination.name}: an unfinished transfer with another source, options or version stands here; ` +
          "repeat it as it was to go on with it, or discard it with --restart",
      );
    }
    const found = await destination.resume(unfinished.token, intent, signal).catch((error: unknown) => {
      const fault = Fault.from(error, destination.name);
      if (fault.code === "NOT_FOUND") return undefined;
      throw fault;
    });
    if (found === undefined) return undefined;
    for (const segment of unfinished.segments) receipts.set(segment.number, segment);
    if (destination.limits.receipts !== "lasting") await believeOnlyTheStore(found);
    return found;
  }

  /** A receipt counts only when the store shows its part; a part without a receipt can still be claimed. */
  async function believeOnlyTheStore(found: Upload): Promise<void> {
    const journaled = new Map(receipts);
    receipts.clear();
    for (const [number, receipt] of journaled) {
      // Nothing was stored for these: there is no part to show.
      if (receipt.length === 0 || (receipt.zero && receipt.etag === "")) receipts.set(number, receipt);
    }
    for await (const part of found.held(signal)) {
      const receipt = journaled.get(part.number);
      if (receipt !== undefined && receipt.length === part.length && receipt.etag === part.etag) {
        receipts.set(part.number, receipt);
      } else {
        unclaimed.set(part.number, { length: part.length, etag: part.etag });
      }
    }
  }

  let line: Promise<void> = Promise.resolve();
  const run: Run = {
    request,
    plan,
    ports,
    upload,
    shared,
    receipts,
    unclaimed,
    copies: new Map(copies.map((part) => [part.offset, part])),
    held: undefined,
    window: undefined,
    takeTurn() {
      const come = line;
      const { promise, resolve } = Promise.withResolvers<void>();
      line = come.then(() => promise);
      return { come, pass: () => resolve() };
    },
    *remaining() {
      // A chained stream is decoded from its start again, also where the parts have landed.
      const chained = request.image.order === "sequential";
      for (const slot of plan.slots) if (chained || !receipts.has(slot.number)) yield slot;
    },
    async landed(slot, receipt) {
      const { table, held, window, ...kept } = receipt;
      if (held === undefined) await journal.append(receipt);
      else run.held = { bytes: held, table: table ?? { units: new Uint32Array(0) } };
      // Zeros that nobody read leave the history of a chained stream as it is.
      if (window !== undefined) run.window = window;
      if (!receipts.has(slot.number)) shared.count("committed", slot.data);
      receipts.set(slot.number, kept);
      ports.onLanded?.({ number: slot.number, length: kept.length, zero: kept.zero ?? false });
    },
    async discard() {
      shared.stop();
      const deadline = AbortSignal.timeout(DISCARD_MS);
      await upload.abort(deadline).then(
        () => journal.remove(),
        // The journal stays, so that --restart can clean up later.
        () => {},
      );
    },
  };
  return run;
}

/**
 * Segments in one file: those that stand already tell where their neighbours begin and end. What another codec makes
 * of the segment before one is then found not to fit, and never written over it.
 */
function placeKnownSegments(
  plan: TransferPlan,
  shared: Shared,
  receipts: ReadonlyMap<number, JournaledSegment>,
): void {
  shared.setOffset(0, plan.headLength);
  plan.slots.forEach((slot, index) => {
    const receipt = receipts.get(slot.number);
    if (receipt?.offset === undefined) return;
    shared.setOffset(index, receipt.offset);
    shared.setOffset(index + 1, receipt.offset + receipt.length);
  });
}

function sample(shared: Shared, plan: TransferPlan): Progress {
  return {
    read: shared.counted("read"),
    encoded: shared.counted("encoded"),
    sent: shared.counted("sent"),
    committed: shared.counted("committed"),
    total: plan.total,
  };
}
