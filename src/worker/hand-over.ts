/** Gives bytes back to the main thread without copying them. */
import { move, transferableSymbol, valueSymbol } from "piscina";
import type { SegmentOutcome } from "../transfer/job.ts";

/** What Piscina asks of a value that takes its memory along. */
class HandOver {
  readonly #outcome: SegmentOutcome;
  readonly #memory: ArrayBuffer;

  constructor(outcome: SegmentOutcome, memory: ArrayBuffer) {
    this.#outcome = outcome;
    this.#memory = memory;
  }

  get [transferableSymbol](): object {
    return this.#memory;
  }

  get [valueSymbol](): object {
    return this.#outcome;
  }
}

/** The outcome as a pool thread returns it: held bytes move, all else is copied. */
export function handOver(outcome: SegmentOutcome): SegmentOutcome {
  const held = outcome.ok ? outcome.receipt.held : undefined;
  if (held === undefined || !(held.buffer instanceof ArrayBuffer)) return outcome;
  return move(new HandOver(outcome, held.buffer) as never) as unknown as SegmentOutcome;
}
