/** diskferry copy: asks a daemon to make an image of another one. */
import type { Command } from "commander";
import { type AskOptions, addAskOptions } from "./ask.ts";
import type { CliContext } from "./context.ts";
import { withClient } from "./server.ts";

interface CopyOptions extends AskOptions {
  readonly to?: string;
  readonly region?: string;
  readonly name?: string;
  readonly description?: string;
}

export function addCopy(program: Command, context: CliContext): void {
  const command = program
    .command("copy")
    .summary("ask a daemon to copy an image to another region")
    .description("IMAGE is the id of an image, or a name that only one image bears.")
    .argument("<image>", "image to copy")
    .option("--to <region>", "region of the copy (default: that of the image)")
    .option("--region <region>", "region of the image, where its name alone does not tell it")
    .option("--name <name>", "name of the copy (default: that of the image)")
    .option("--description <text>", "for people");
  addAskOptions(command)
    .addHelpText("after", "\nExamples:\n  diskferry copy debian-13 --to west --wait\n")
    .action((image: string, options: CopyOptions) => askForCopy(image, options, context));
}

async function askForCopy(image: string, options: CopyOptions, context: CliContext): Promise<void> {
  await withClient(context, options, async (client) => {
    const { sayAccepted, taskOptions } = await import("./accepted.ts");
    const { findImage } = await import("./find-image.ts");
    const { signal } = context;
    const { id, region } = await findImage(image, options.region, client, signal);
    const { to = "", name = "", description } = options;
    const answer = await client.tasks.copyImage(
      {
        imageId: id,
        sourceRegion: region,
        targetRegion: to,
        target: { name, ...(description === undefined ? {} : { description }) },
        options: taskOptions(options),
      },
      client.once(signal),
    );
    await sayAccepted(answer, client, context, options);
  });
}
