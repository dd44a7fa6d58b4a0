/** Gives bytes back to the main thread without copying them. */
import type { SegmentOutcome } from "../transfer/job.ts";

/** The outcome as a pool thread returns it: held bytes move, all else is copied. */
export async function handOver(outcome: SegmentOutcome): Promise<SegmentOutcome> {
  const held = outcome.ok ? outcome.receipt.held : undefined;
  if (held === undefined || !(held.buffer instanceof ArrayBuffer)) return outcome;
  // Loaded by the one job of a transfer that needs it.
  const { move, transferableSymbol, valueSymbol } = await import("piscina");
  // What Piscina asks of a value that takes its memory along.
  const value = { [transferableSymbol]: held.buffer, [valueSymbol]: outcome };
  return move(value as never) as unknown as SegmentOutcome;
}
