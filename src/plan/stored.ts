/** Plans that follow the borders at which a store has cut the bytes already. */
import { endOf, type Range } from "../bytes/range.ts";
import { alignUp, MiB } from "../bytes/units.ts";
import type { Slot } from "./slot.ts";

/** A run of the source; a list of them tiles it. */
export interface StoredRun extends Range {
  /** It is known to be zeros. */
  readonly zero?: true;
}

export interface StoredRules {
  /** Smaller runs are joined with those behind them. */
  readonly minPart: number;
  /** Larger runs are divided. */
  readonly maxPart: number;
  /** Slots at most. */
  readonly maxParts: number;
  /** Shortest run of zeros worth a slot of its own; absent: zeros are planned as data. */
  readonly minZeros: number | undefined;
}

/** One slot for each run that a part can hold; undefined when there would be too many slots. */
export function planStored(runs: readonly StoredRun[], rules: StoredRules): Slot[] | undefined {
  const slots: Slot[] = [];
  for (const run of joined(runs, rules)) {
    const pieces = Math.ceil(run.length / rules.maxPart);
    const most = pieces === 1 ? run.length : Math.min(rules.maxPart, alignUp(run.length / pieces, MiB));
    for (let offset = run.offset; offset < endOf(run); offset += most) {
      if (slots.length === rules.maxParts) return undefined;
      const length = Math.min(most, endOf(run) - offset);
      slots.push({
        number: slots.length + 1,
        kind: run.zero ? "zeros" : "data",
        range: { offset, length },
        data: run.zero ? 0 : length,
      });
    }
  }
  return slots;
}

/** Joins neighbouring zeros, and data that is too short to be a part with what follows it. */
function* joined(runs: readonly StoredRun[], { minPart, minZeros }: StoredRules): Generator<StoredRun> {
  let open: StoredRun | undefined;
  for (const { offset, length, zero } of mergedZeros(runs)) {
    const zeros = zero === true && minZeros !== undefined && length >= minZeros;
    if (open !== undefined && open.length < minPart) {
      open = { offset: open.offset, length: open.length + length };
      continue;
    }
    if (open !== undefined) yield open;
    open = undefined;
    if (zeros) yield { offset, length, zero: true };
    else open = { offset, length };
  }
  if (open !== undefined) yield open;
}

function* mergedZeros(runs: readonly StoredRun[]): Generator<StoredRun> {
  let zeros: StoredRun | undefined;
  for (const run of runs) {
    if (run.zero) {
      zeros = zeros === undefined ? run : { ...zeros, length: zeros.length + run.length };
      continue;
    }
    if (zeros !== undefined) yield zeros;
    zeros = undefined;
    yield run;
  }
  if (zeros !== undefined) yield zeros;
}
