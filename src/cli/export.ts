/** diskferry export: asks a daemon to write an image or a volume to a destination. */
import type { Command } from "commander";
import { type AskOptions, addAskOptions, addWriteOptions, type WriteOptions } from "./ask.ts";
import type { CliContext } from "./context.ts";
import { withClient } from "./server.ts";

interface ExportOptions extends AskOptions, WriteOptions {
  readonly prefix?: string;
  readonly region?: string;
  readonly inUse?: true;
}

const VOLUME = "volume:";

export function addExport(program: Command, context: CliContext): void {
  const command = program
    .command("export")
    .summary("ask a daemon to write an image to a destination")
    .description(
      "IMAGE is the id of an image, a name that only one image bears, or volume:ID. DESTINATION is the name of a " +
        "destination, followed by / and the object's name, if it is to have one of your choice. The disks of an " +
        "image with several become objects of their own: _system, _data1, … before the ending.",
    )
    .argument("<image>", "image or volume")
    .argument("<destination>", "DESTINATION or DESTINATION/OBJECT")
    .option("--prefix <text>", "beginning of a name that the daemon makes")
    .option("--region <region>", "region of the image, where its name alone does not tell it")
    .option("--in-use", "read a volume that is in use");
  addWriteOptions(command);
  addAskOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  diskferry export debian-13 east-exports/debian.qcow2 --format qcow2 --compression zstd\n" +
        "  diskferry export volume:vol-7 backups --prefix nightly --wait\n",
    )
    .action((image: string, destination: string, options: ExportOptions) =>
      askForExport(image, destination, options, context),
    );
}

async function askForExport(
  image: string,
  destination: string,
  options: ExportOptions,
  context: CliContext,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const { sayAccepted, taskOptions, writeOptions } = await import("./accepted.ts");
    const { findImage } = await import("./find-image.ts");
    const { signal } = context;
    const slash = destination.indexOf("/");
    const write = writeOptions(options);
    const answer = await client.tasks.exportImage(
      {
        source: image.startsWith(VOLUME)
          ? {
              case: "volume",
              value: { volumeId: image.slice(VOLUME.length), allowInUse: options.inUse ?? false },
            }
          : { case: "imageId", value: (await findImage(image, options.region, client, signal)).id },
        destination: slash === -1 ? destination : destination.slice(0, slash),
        object:
          slash === -1
            ? { case: "objectPrefix", value: options.prefix ?? "" }
            : { case: "objectName", value: destination.slice(slash + 1) },
        ...(write === undefined ? {} : { write }),
        options: taskOptions(options),
      },
      client.once(signal),
    );
    await sayAccepted(answer, client, context, options);
  });
}
