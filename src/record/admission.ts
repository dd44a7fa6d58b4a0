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

/** Slots that are free, where there are any. */
export type FreeSlots = ReadonlyMap<string, number>;

/**
 * Goes through the waiting tasks in their order. One that finds all its regions free takes its slots; one that does
 * not is passed over, and holds up no later one.
 */
export function admit(waiting: Iterable<Waiting>, free: FreeSlots, most: number): readonly Waiting[] {
  const left = new Map(free);
  const admitted: Waiting[] = [];
  for (const task of waiting) {
    if (admitted.length >= most) break;
    if (room(left, task) === 0) continue;
    for (const region of task.regions) take(left, keyOf(region, task.kind));
    admitted.push(task);
  }
  return admitted;
}

/** How many tasks like this one could start if no others did. */
export function room(free: FreeSlots, { kind, regions }: Pick<Waiting, "kind" | "regions">): number {
  return Math.min(...regions.map((region) => free.get(keyOf(region, kind)) ?? 0));
}

export function freeSlots(slots: ReadonlyMap<string, Slots>, inUse: readonly InUse[]): FreeSlots {
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
