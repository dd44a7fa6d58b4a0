/** diskferry regions: where images are kept, and where they can be written to. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";
import { tableLines } from "./table.ts";

/** More than a catalogue of people's making holds. */
const PAGE = 200;

export function addRegions(program: Command, context: CliContext): void {
  const command = program
    .command("regions")
    .summary("list regions and their destinations")
    .description(
      "Lists regions, how they keep images, and the destinations that exports from them can go to.",
    );
  addServerOptions(command).action((options: ServerOptions) => showRegions(options, context));
}

async function showRegions(options: ServerOptions, context: CliContext): Promise<void> {
  const { stdout, signal } = context;
  const json = speaksJson(context, options);
  await withClient(context, options, async (client) => {
    const { toJsonString } = await import("@bufbuild/protobuf");
    const { RegionSchema } = await import("../api/connect/generated/diskferry/v1/region_pb.ts");
    const page = { pageSize: PAGE };
    const { regions } = await client.regions.listRegions(page, client.once(signal));
    const { destinations } = await client.catalog.listDestinations(page, client.once(signal));
    if (json) {
      for (const region of regions) {
        stdout.write(`${toJsonString(RegionSchema, region, { alwaysEmitImplicit: true })}\n`);
      }
      return;
    }
    const rows = regions.map(({ id, localName, imageStore, imageWrite }) => [
      id,
      localName === id ? "" : localName,
      imageStore,
      imageWrite?.format ?? "",
      destinations.flatMap(({ name, region }) => (region === id ? [name] : [])).join(", "),
    ]);
    for (const line of tableLines(["REGION", "NAME", "IMAGES IN", "AS", "DESTINATIONS"], rows)) {
      stdout.write(`${line}\n`);
    }
  });
}
