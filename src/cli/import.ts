/** diskferry import: asks a daemon to make an image of disks from outside. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { ImportedDiskSchema } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { Fault } from "../fault/fault.ts";
import { type AskOptions, addAskOptions, addWriteOptions, type WriteOptions } from "./ask.ts";
import type { CliContext } from "./context.ts";
import { sizeOption } from "./options.ts";
import { withClient } from "./server.ts";

interface ImportOptions extends AskOptions, WriteOptions {
  readonly region: string;
  readonly name: string;
  readonly description?: string;
  readonly sourceFormat?: string;
  readonly diskSize?: number;
  readonly inUse?: true;
}

export function addImport(program: Command, context: CliContext): void {
  const command = program
    .command("import")
    .summary("ask a daemon to make an image of disks from outside")
    .description(
      "SOURCE is object:DESTINATION/OBJECT, file:ROOT/PATH (below a root of the daemon's host; only for admins), " +
        "volume:ID, or an http(s) URL without user and password. The first is the system disk.",
    )
    .argument("<source...>", "one for each disk")
    .requiredOption("--region <region>", "region that keeps the image")
    .requiredOption("--name <name>", "name of the image")
    .option("--description <text>", "for people")
    .option("--source-format <format>", "format of the sources; content that contradicts it is refused")
    .option("--disk-size <size>", "size of each disk, not less than the content's", sizeOption)
    .option("--in-use", "read volumes that are in use");
  addWriteOptions(command);
  addAskOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  diskferry import file:home/debian.qcow2 --region east --name debian-13 --wait\n" +
        "  diskferry import object:uploads/system.vhd object:uploads/data.vhd --region east --name db\n" +
        "  diskferry import https://cloud.example.org/debian.qcow2 --region east --name debian-13\n",
    )
    .action((sources: readonly string[], options: ImportOptions) => askForImport(sources, options, context));
}

async function askForImport(
  sources: readonly string[],
  options: ImportOptions,
  context: CliContext,
): Promise<void> {
  const { region, name, description, sourceFormat, diskSize, inUse } = options;
  const disks = sources.map(
    (source): MessageInitShape<typeof ImportedDiskSchema> => ({
      source: sourceOf(source),
      format: sourceFormat ?? "",
      ...(diskSize === undefined ? {} : { virtualSize: BigInt(diskSize) }),
    }),
  );
  await withClient(context, options, async (client) => {
    const { sayAccepted, taskOptions, writeOptions } = await import("./accepted.ts");
    const write = writeOptions(options);
    const answer = await client.tasks.importImage(
      {
        region,
        disks,
        image: { name, ...(description === undefined ? {} : { description }) },
        ...(write === undefined ? {} : { write }),
        allowInUse: inUse ?? false,
        options: taskOptions(options),
      },
      client.once(context.signal),
    );
    await sayAccepted(answer, client, context, options);
  });
}

type Source = MessageInitShape<typeof ImportedDiskSchema>["source"];

/** @throws Fault USAGE */
function sourceOf(text: string): NonNullable<Source> {
  if (/^https?:\/\//i.test(text)) return { case: "url", value: text };
  const [, kind, first = "", rest] = /^([a-z]+):([^/]+)(?:\/(.+))?$/s.exec(text) ?? [];
  if (kind === "volume" && rest === undefined) return { case: "volumeId", value: first };
  if (kind === "object" && rest !== undefined) {
    return { case: "object", value: { destination: first, object: rest } };
  }
  if (kind === "file" && rest !== undefined) return { case: "file", value: { root: first, path: rest } };
  throw new Fault(
    "USAGE",
    `${text}: write object:DESTINATION/OBJECT, file:ROOT/PATH, volume:ID, or an http(s) URL`,
  );
}
