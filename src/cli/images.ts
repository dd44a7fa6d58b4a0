/** diskferry images: the images of the catalogue. */
import type { Command } from "commander";
import { formatSize } from "../bytes/units.ts";
import type { CliContext } from "./context.ts";
import { countOption } from "./options.ts";
import { addServerOptions, type ServerOptions, speaksJson, withClient } from "./server.ts";
import { tableLines } from "./table.ts";

interface ImagesOptions extends ServerOptions {
  readonly region?: string;
  readonly name?: string;
  readonly limit: number;
}

/** The most that one page holds. */
const PAGE = 200;

export function addImages(program: Command, context: CliContext): void {
  const command = program
    .command("images")
    .summary("list images")
    .description(
      "Lists the images of your project; for admins, those of every project. KEY is what an image is encrypted " +
        "with: the id of a key, - for a plain image, ? where only its owner knows.",
    )
    .option("--region <region>", "only of this region")
    .option("--name <name>", "only those that bear this name")
    .option("--limit <n>", "images to show at most", countOption, 200);
  addServerOptions(command).action((options: ImagesOptions) => showImages(options, context));
}

async function showImages(options: ImagesOptions, context: CliContext): Promise<void> {
  const { stdout, signal } = context;
  const json = speaksJson(context, options);
  await withClient(context, options, async (client) => {
    const { toJsonString } = await import("@bufbuild/protobuf");
    const { ImageSchema, ImageStatus } = await import("../api/connect/generated/diskferry/v1/image_pb.ts");
    const rows: (string | number)[][] = [];
    let left = options.limit;
    for (let pageToken = ""; left > 0; ) {
      const { images, nextPageToken } = await client.catalog.listImages(
        {
          pageToken,
          pageSize: Math.min(left, PAGE),
          region: options.region ?? "",
          name: options.name ?? "",
        },
        client.once(signal),
      );
      for (const image of images) {
        const { id, name, region, status, format, disks, encrypted, keyId } = image;
        if (json) stdout.write(`${toJsonString(ImageSchema, image, { alwaysEmitImplicit: true })}\n`);
        const word = Object.entries(ImageStatus).find(([, value]) => value === status)?.[0] ?? "?";
        const size = disks.reduce((sum, { virtualSize }) => sum + Number(virtualSize), 0);
        rows.push([
          id,
          name,
          region,
          word.toLowerCase().replaceAll("_", "-"),
          format,
          disks.length,
          formatSize(size),
          encrypted ? keyId || "?" : "-",
        ]);
      }
      left -= images.length;
      pageToken = nextPageToken;
      if (pageToken === "") break;
    }
    if (json) return;
    for (const line of tableLines(
      ["IMAGE", "NAME", "REGION", "STATUS", "FORMAT", "DISKS", "SIZE", "KEY"],
      rows,
    )) {
      stdout.write(`${line}\n`);
    }
  });
}
