/** Which of the waiting tasks may start now: CP-16, D3. */
import type { Slots } from "../catalog/region.ts";
import type { TaskKind } from "../task/spec.ts";

export interface Waiting {
  readonly id: string;
  readonly kind: TaskKind;
  /** Different ones: a run takes a slot in each. */
  readonly regions: readonly string[];
}

export interface InUse {
  readonly region: string;
  readonly kind: TaskKind;
  readonly count: number;
}

/**
 * Goes through the waiting tasks in their order. One that finds all its regions free takes its slots; one that does
 * not is passed over, and holds up no later one.
 */
export function admit(
  waiting: Iterable<Waiting>,
  slots: ReadonlyMap<string, Slots>,
  inUse: readonly InUse[],
  most: number,
): readonly Waiting[] {
  const free = freeSlots(slots, inUse);
  const admitted: Waiting[] = [];
  for (const task of waiting) {
    // No later task can start, either; the queue may be long.
    if (admitted.length >= most || free.size === 0) break;
    const keys = task.regions.map((region) => keyOf(region, task.kind));
    if (!keys.every((key) => free.has(key))) continue;
    for (const key of keys) take(free, key);
    admitted.push(task);
  }
  return admitted;
}

/** What is free; nothing where nothing is. */
function freeSlots(slots: ReadonlyMap<string, Slots>, inUse: readonly InUse[]): Map<string, number> {
  const free = new Map<string, number>();
  for (const [region, { copy, export: exports, import: imports }] of slots) {
    free.set(keyOf(region, "copy"), copy);
    free.set(keyOf(region, "export"), exports);
    free.set(keyOf(region, "import"), imports);
  }
  for (const { region, kind, count } of inUse) {
    const key = keyOf(region, kind);
    free.set(key, (free.get(key) ?? 0) - count);
  }
  for (const [key, count] of free) if (count <= 0) free.delete(key);
  return free;
}

function take(free: Map<string, number>, key: string): void {
  const left = (free.get(key) ?? 0) - 1;
  if (left > 0) free.set(key, left);
  else free.delete(key);
}

function keyOf(region: string, kind: TaskKind): string {
  return `${kind} ${region}`;
}
