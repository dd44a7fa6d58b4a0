/** diskferry copy: asks a daemon to make an image of another one. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { CopyImageRequestSchema } from "../api/connect/generated/diskferry/v1/task_service_pb.ts";
import { Fault } from "../fault/fault.ts";
import { type AskOptions, addAskOptions } from "./ask.ts";
import type { CliContext } from "./context.ts";
import { withClient } from "./server.ts";

interface CopyOptions extends AskOptions {
  readonly to?: string;
  readonly region?: string;
  readonly name?: string;
  readonly description?: string;
  readonly encrypt?: boolean;
  readonly encryptKey?: string;
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
    .option("--description <text>", "for people")
    .option("--encrypt", "encrypt the copy, with a key that the daemon chooses")
    .option("--encrypt-key <id>", "encrypt the copy with this key of your project")
    .option("--no-encrypt", "make a plain copy; of an encrypted image, in another region only");
  addAskOptions(command)
    .addHelpText(
      "after",
      "\nWithout --encrypt, --encrypt-key and --no-encrypt the copy is encrypted if the image is, or if your project\n" +
        "encrypts whatever is written. The key is the one named, which an admin has registered for the region of the\n" +
        "copy; else that of the image, if it is your project's and the copy stays in its region; else the region's\n" +
        "own. diskferry images shows the key of each image.\n" +
        "\nExamples:\n" +
        "  diskferry copy debian-13 --to west --wait\n" +
        "  diskferry copy debian-13 --to west --name debian-13-encrypted --encrypt\n" +
        "  diskferry copy debian-13-encrypted --to east --name debian-13-plain --no-encrypt\n",
    )
    .action((image: string, options: CopyOptions) => askForCopy(image, options, context));
}

async function askForCopy(image: string, options: CopyOptions, context: CliContext): Promise<void> {
  const encryption = encryptionOf(options);
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
        encryption,
        options: taskOptions(options),
      },
      client.once(signal),
    );
    await sayAccepted(answer, client, context, options);
  });
}

type Encryption = NonNullable<MessageInitShape<typeof CopyImageRequestSchema>["encryption"]>;

/** @throws Fault USAGE for a key of a copy that is to be plain. */
function encryptionOf({ encrypt, encryptKey }: CopyOptions): Encryption {
  if (encryptKey !== undefined) {
    if (encrypt === false)
      throw new Fault("USAGE", "--no-encrypt makes a plain copy: it has no --encrypt-key");
    return { case: "encrypted", value: { keyId: encryptKey } };
  }
  if (encrypt === undefined) return { case: undefined };
  return encrypt ? { case: "encrypted", value: {} } : { case: "plain", value: {} };
}
