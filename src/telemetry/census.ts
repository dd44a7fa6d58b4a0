/** What the record says about now: tasks that have not ended, and slots. */
import { allRegions } from "../record/all-regions.ts";
import type { TaskRecord } from "../record/record.ts";
import { TASK_KINDS, type TaskKind } from "../task/spec.ts";
import { UNFINISHED_STATES, type UnfinishedState } from "../task/task.ts";

export interface Census {
  /** A task counts in each of its regions. */
  readonly tasks: readonly {
    readonly kind: TaskKind;
    readonly region: string;
    readonly state: UnfinishedState;
    readonly count: number;
  }[];
  readonly queued: readonly { readonly kind: TaskKind; readonly count: number }[];
  readonly slots: readonly {
    readonly kind: TaskKind;
    readonly region: string;
    readonly count: number;
    readonly used: number;
  }[];
}

export async function takeCensus(record: TaskRecord): Promise<Census> {
  const regions = await allRegions(record.catalogue);
  const used = await record.slotsInUse();
  const unfinished = await record.unfinished();
  const count = (kind: TaskKind, state: UnfinishedState, region?: string): number =>
    unfinished
      .filter((some) => some.kind === kind && some.state === state)
      .filter((some) => region === undefined || some.regions.includes(region))
      .reduce((sum, some) => sum + some.count, 0);
  const inUse = (region: string, kind: TaskKind) =>
    used.find((slot) => slot.region === region && slot.kind === kind)?.count ?? 0;
  return {
    tasks: regions.flatMap(({ id: region }) =>
      TASK_KINDS.flatMap((kind) =>
        UNFINISHED_STATES.map((state) => ({ kind, region, state, count: count(kind, state, region) })),
      ),
    ),
    queued: TASK_KINDS.map((kind) => ({ kind, count: count(kind, "queued") })),
    slots: regions.flatMap(({ id, slots }) =>
      TASK_KINDS.map((kind) => ({ kind, region: id, count: slots[kind], used: inUse(id, kind) })),
    ),
  };
}
