/** diskferry inspect: what an image says of itself, without moving it. */
import type { Command } from "commander";
import { formatSize } from "../bytes/units.ts";
import type { Inspection } from "../engine/inspect.ts";
import type { CliContext } from "./context.ts";
import { addImageOptions, type ImageOptions, imageRequest } from "./options.ts";

interface InspectOptions extends ImageOptions {
  readonly json?: true;
  readonly digest?: true;
  readonly config?: string;
}

export function addInspect(program: Command, context: CliContext): void {
  const command = program
    .command("inspect")
    .summary("show format, sizes, features and safety findings of an image")
    .description(
      "Opens an image, checks its tables, and shows format, sizes, features, snapshots, references and findings. " +
        "Nothing that the image names is opened.",
    )
    .argument("<source>", "image to look at: a path or an http(s), swift, s3 or oss URL")
    .option("--json", "one JSON object")
    .option("--digest", "read the whole disk and show its guest digest")
    .option("--config <file>", "configuration file");
  addImageOptions(command);
  command.action(async (source: string, options: InspectOptions) => {
    await using engine = await context.engine(options);
    const { inspect } = await import("../engine/inspect.ts");
    const digest = options.digest ? "compute" : "omit";
    const found = await inspect(imageRequest(source, options), digest, engine, context.signal);
    if (options.json) context.stdout.write(`${JSON.stringify(found)}\n`);
    else for (const line of lines(found)) context.stdout.write(`${line}\n`);
  });
}

function* lines(found: Inspection): Generator<string> {
  const size = (bytes: number): string => `${formatSize(bytes)} (${bytes} bytes)`;
  yield `image        ${found.name}`;
  yield `format       ${found.format}${found.variant === undefined ? "" : ` ${found.variant}`}`;
  yield `virtual size ${size(found.virtualSize)}`;
  yield `file size    ${size(found.fileSize)}`;
  yield `allocated    ${size(found.allocated)}`;
  if (found.unit !== undefined) yield `cluster size ${formatSize(found.unit)}`;
  if (found.compression !== undefined) yield `compression  ${found.compression}`;
  if (found.features.length > 0) yield `features     ${found.features.join(", ")}`;
  for (const { id, name, virtualSize } of found.snapshots)
    yield `snapshot     ${id} ${JSON.stringify(name)} ${formatSize(virtualSize)}`;
  if (found.backing !== undefined) {
    const { name, format } = found.backing;
    yield `backing file ${JSON.stringify(name)}${format === undefined ? "" : ` (${format})`}`;
  }
  if (found.dataFile !== undefined) yield `data file    ${JSON.stringify(found.dataFile)}`;
  for (const { severity, name, message } of found.findings)
    yield `${severity.padEnd(12)} ${name}: ${message}`;
  if (found.guestDigest !== undefined) yield `guest digest ${found.guestDigest}`;
}
