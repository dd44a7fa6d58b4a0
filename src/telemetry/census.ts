/** What the record says about now: tasks that have not ended, and slots. */
import { allRegions } from "../record/all-regions.ts";
import type { TaskRecord } from "../record/record.ts";
import type { TaskKind } from "../task/spec.ts";

const KINDS = ["export", "import", "copy"] as const satisfies readonly TaskKind[];
const STATES = ["queued", "processing", "cancelling"] as const;

export interface Census {
  /** A task counts in each of its regions. */
  readonly tasks: readonly {
    readonly kind: TaskKind;
    readonly region: string;
    readonly state: (typeof STATES)[number];
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
  const cells = regions.flatMap(({ id }) =>
    KINDS.flatMap((kind) => STATES.map((state) => ({ kind, region: id, state }))),
  );
  const inUse = (region: string, kind: TaskKind) =>
    used.find((slot) => slot.region === region && slot.kind === kind)?.count ?? 0;
  return {
    tasks: await Promise.all(
      cells.map(async ({ kind, region, state }) => {
        const count = await record.countTasks({ kinds: [kind], states: [state], region });
        return { kind, region, state, count };
      }),
    ),
    queued: await Promise.all(
      KINDS.map(async (kind) => ({
        kind,
        count: await record.countTasks({ kinds: [kind], states: ["queued"] }),
      })),
    ),
    slots: regions.flatMap(({ id, slots }) =>
      KINDS.map((kind) => ({ kind, region: id, count: slots[kind], used: inUse(id, kind) })),
    ),
  };
}
