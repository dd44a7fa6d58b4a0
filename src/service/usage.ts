/** How much is in use of what there may be. */
import { allRegions } from "../record/all-regions.ts";
import { UNFINISHED_STATES } from "../task/task.ts";
import type { Caller } from "./caller.ts";
import type { ServicePorts } from "./ports.ts";
import type { Usage } from "./service.ts";
import { projectOf } from "./visible.ts";

const WEEK_MS = 7 * 86_400_000;

export async function usageOf(caller: Caller, { record, now }: ServicePorts): Promise<Usage> {
  const { catalogue } = record;
  const { quotas } = await projectOf(catalogue, caller);
  const { project } = caller;
  const regions = await allRegions(catalogue);
  const inUse = await record.slotsInUse();
  const used = (region: string, kind: string): number =>
    inUse.find((one) => one.region === region && one.kind === kind)?.count ?? 0;
  const exports = { project, kinds: ["export"] } as const;
  return {
    quotas,
    regions: await Promise.all(
      regions.map(async ({ id, slots }) => ({
        region: id,
        slots,
        running: { copy: used(id, "copy"), export: used(id, "export"), import: used(id, "import") },
        images: await catalogue.images.count({ project, region: id }),
      })),
    ),
    unfinished: await record.countTasks({ project, states: UNFINISHED_STATES }),
    exports: await record.countTasks({ ...exports, states: UNFINISHED_STATES }),
    weeklyExports: await record.countTasks({ ...exports, acceptedFrom: now() - WEEK_MS }),
  };
}
