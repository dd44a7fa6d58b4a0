/** diskferry limits: how much may be done at once, and how fast. */
import type { Command } from "commander";
import type { Slots } from "../api/connect/generated/diskferry/v1/region_pb.ts";
import { formatSize } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import type { Client } from "./client.ts";
import type { CliContext } from "./context.ts";
import { sizeOption, wholeOption } from "./options.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";
import { tableLines } from "./table.ts";

interface LimitsOptions extends ServerOptions {
  readonly copies?: number;
  readonly exports?: number;
  readonly imports?: number;
  readonly bandwidth?: number;
  readonly task?: string;
}

const PAGE = 200;

export function addLimits(program: Command, context: CliContext): void {
  const command = program
    .command("limits")
    .summary("show and set slots and bandwidth")
    .description(
      "Shows how many tasks of each kind run in each region of how many that may, how fast they may go together, " +
        "and what is left of your project's quotas. For a region or a task it sets limits, from now on; only " +
        "admins set those of a region. A bandwidth of 0 is no limit.",
    )
    .argument("[region]", "region to set limits of")
    .option("--copies <n>", "copies that may run at once", wholeOption)
    .option("--exports <n>", "exports that may run at once", wholeOption)
    .option("--imports <n>", "imports that may run at once", wholeOption)
    .option("--bandwidth <rate>", "bytes per second of all tasks of the region, or of the task", sizeOption)
    .option("--task <id>", "task to set the bandwidth of");
  addServerOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  diskferry limits\n" +
        "  diskferry limits east --copies 2 --bandwidth 200M\n" +
        "  diskferry limits --task 0199… --bandwidth 10M\n",
    )
    .action((region: string | undefined, options: LimitsOptions) => limits(region, options, context));
}

async function limits(
  region: string | undefined,
  options: LimitsOptions,
  context: CliContext,
): Promise<void> {
  const { copies, exports, imports, bandwidth, task } = options;
  const given = [copies, exports, imports, bandwidth].some((value) => value !== undefined);
  if (task !== undefined && region !== undefined)
    throw new Fault("USAGE", "name a region or a task, not both");
  if (task !== undefined && bandwidth === undefined) throw new Fault("USAGE", "--task needs --bandwidth");
  if (task === undefined && given !== (region !== undefined)) {
    throw new Fault("USAGE", "name the region, and what to set: --copies, --exports, --imports, --bandwidth");
  }
  await withClient(context, options, async (client) => {
    if (task !== undefined) await limitTask(task, bandwidth ?? 0, client, context, options);
    else {
      if (region !== undefined) await limitRegion(region, options, client, context.signal);
      await showLimits(client, context, options);
    }
  });
}

async function limitTask(
  id: string,
  bandwidth: number,
  client: Client,
  context: CliContext,
  options: LimitsOptions,
): Promise<void> {
  const { stdout, signal } = context;
  const { task } = await client.tasks.limitTask({ id, bandwidth: BigInt(bandwidth) }, client.once(signal));
  const { taskJson } = await import("./task-text.ts");
  if (task === undefined) return;
  if (speaksJson(context, options)) stdout.write(`${taskJson(task)}\n`);
  else stdout.write(`${id}: ${rateText(bandwidth)}\n`);
}

/** What is not named stays. @throws Fault CONFLICT when somebody else changes the region at the same time. */
async function limitRegion(
  id: string,
  { copies, exports, imports, bandwidth }: LimitsOptions,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const { region } = await client.regions.getRegion({ id }, client.once(signal));
  if (region === undefined) throw new Fault("NOT_FOUND", `there is no region ${id}`);
  const slots = {
    copies: copies ?? region.slots?.copies ?? 0,
    exports: exports ?? region.slots?.exports ?? 0,
    imports: imports ?? region.slots?.imports ?? 0,
  };
  const { $typeName: _, ...known } = region;
  await client.regions.replaceRegion(
    { region: { ...known, slots, bandwidth: bandwidth === undefined ? known.bandwidth : BigInt(bandwidth) } },
    client.once(signal),
  );
}

async function showLimits(client: Client, context: CliContext, options: LimitsOptions): Promise<void> {
  const { stdout, signal } = context;
  const { toJsonString } = await import("@bufbuild/protobuf");
  const { GetUsageResponseSchema } = await import(
    "../api/connect/generated/diskferry/v1/region_service_pb.ts"
  );
  const usage = await client.regions.getUsage({}, client.once(signal));
  if (speaksJson(context, options)) {
    stdout.write(`${toJsonString(GetUsageResponseSchema, usage, { alwaysEmitImplicit: true })}\n`);
    return;
  }
  const { regions } = await client.regions.listRegions({ pageSize: PAGE }, client.once(signal));
  const of = (used: Slots | undefined, most: Slots | undefined, kind: "copies" | "exports" | "imports") =>
    `${used?.[kind] ?? 0} of ${most?.[kind] ?? 0}`;
  const rows = usage.regions.map(({ region: id, slots, slotsInUse, images }) => [
    id,
    of(slotsInUse, slots, "copies"),
    of(slotsInUse, slots, "exports"),
    of(slotsInUse, slots, "imports"),
    rateText(Number(regions.find((region) => region.id === id)?.bandwidth ?? 0n)),
    `${images} of ${usage.quotas?.images ?? 0}`,
  ]);
  for (const line of tableLines(["REGION", "COPIES", "EXPORTS", "IMPORTS", "BANDWIDTH", "IMAGES"], rows)) {
    stdout.write(`${line}\n`);
  }
  const { quotas, unfinished, exports, weeklyExports } = usage;
  stdout.write(
    `\nunfinished tasks ${unfinished} of ${quotas?.unfinished ?? 0}, exports ${exports} of ` +
      `${quotas?.exports ?? 0}, exports within seven days ${weeklyExports} of ${quotas?.weeklyExports ?? 0}\n`,
  );
}

function rateText(bandwidth: number): string {
  return bandwidth === 0 ? "no limit" : `${formatSize(bandwidth)}/s`;
}
