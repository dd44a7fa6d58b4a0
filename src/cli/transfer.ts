/** diskferry transfer: an image from any place, in any format, to any place. */
import { type Command, Option } from "commander";
import { formatSize, MiB } from "../bytes/units.ts";
import type { TransferEvents, Transferred } from "../engine/transfer-image.ts";
import type { Compression } from "../format/format.ts";
import type { CliContext } from "./context.ts";
import { addLogOptions, type LogOptions, loggedEvents, withLog } from "./log.ts";
import {
  addImageOptions,
  CONCURRENCY,
  compressionOption,
  countOption,
  type ImageOptions,
  imageRequest,
  sizeOption,
  threadsOption,
} from "./options.ts";
import type { Reporter } from "./report.ts";
import { createReporter } from "./reporter.ts";
import { formatTime } from "./time.ts";

interface TransferOptions extends ImageOptions, LogOptions {
  readonly format?: string;
  readonly compression?: Compression;
  readonly level?: number;
  readonly recompress?: true;
  readonly clusterSize?: number;
  readonly roundTo?: number;
  readonly segmentSize?: number;
  readonly concurrency: number;
  readonly memory: number;
  readonly threads?: number;
  readonly bandwidth?: number;
  readonly verify?: true;
  readonly overwrite?: true;
  readonly restart?: true;
  readonly json?: true;
  readonly config?: string;
}

export function addTransfer(program: Command, context: CliContext): void {
  const command = program
    .command("transfer")
    .summary("convert an image while it streams, and land it")
    .description(
      "Reads an image, converts it while it streams, and lands it: one pass, no scratch file, every part checked.\n\n" +
        "SOURCE is a path, a block device, an http(s) URL, swift://container/object, s3://bucket/key, " +
        "oss://bucket/key, or - for a raw stream on standard input.\n" +
        "DESTINATION is a path, a directory, a swift, s3 or oss URL, or null: (converts, digests and discards).\n" +
        "Credentials come from the environment (ST_*, OS_*, AWS_*, OSS_*) or the configuration file.\n\n" +
        "When it is interrupted, the same command goes on where it stopped.",
    )
    .argument("<source>", "image to read")
    .argument("<destination>", "place to write")
    .option(
      "--format <format>",
      "format to write: raw, qcow2, vhd, vhd-fixed, zvhd, zvhd2, tar.gz (default: as the source)",
    )
    .addOption(compressionOption())
    .option("--level <n>", "compression level", countOption)
    .option("--recompress", "compress anew what a qcow2 with the same compression and cluster size stores")
    .option("--cluster-size <size>", "cluster size of a written qcow2, 512 to 2M (default: 64K)", sizeOption)
    .option("--round-to <size>", "round the virtual size up, such as 1M for Azure", sizeOption)
    .option("--segment-size <size>", "disk bytes of one segment or part", sizeOption)
    .option("--concurrency <n>", "segments in flight at most", countOption, CONCURRENCY)
    .addOption(
      new Option("--memory <size>", "memory of all segments in flight at most")
        .argParser(sizeOption)
        .default(192 * MiB, "192M"),
    )
    .option("--threads <n>", "worker threads (default: one per core, at most --concurrency)", threadsOption)
    .option("--bandwidth <rate>", "bytes per second at most, such as 100M", sizeOption)
    .option("--verify", "read the landed object back and compare")
    .option("--overwrite", "replace the object if it exists")
    .option("--restart", "discard an unfinished transfer to this destination and begin anew")
    .option("--json", "JSON lines instead of a progress bar")
    .option("--config <file>", "configuration file");
  addImageOptions(command);
  addLogOptions(command);
  command.addHelpText(
    "after",
    "\nExamples:\n" +
      "  diskferry transfer disk.qcow2 disk.raw --format raw\n" +
      "  diskferry transfer disk.qcow2 swift://images/disk.raw --format raw --verify\n" +
      "  diskferry transfer /dev/vg/lv s3://backup/lv.qcow2 --format qcow2 --compression zstd\n" +
      "  diskferry transfer top.qcow2 out.raw --format raw --backing base.qcow2\n",
  );
  command.action((source: string, destination: string, options: TransferOptions) =>
    runTransfer(source, destination, options, context),
  );
}

async function runTransfer(
  source: string,
  destination: string,
  options: TransferOptions,
  context: CliContext,
): Promise<void> {
  const reporter = await createReporter(context, options.json ?? false);
  const started = performance.now();
  const request = { command: "transfer", source, destination, options };
  try {
    await withLog(context, options, request, async (log) => {
      await using engine = await context.engine(options);
      const { transferPlace } = await import("../engine/transfer-place.ts");
      const result = await transferPlace(
        {
          source: imageRequest(source, options),
          destination,
          ...pick(
            options,
            "format",
            "compression",
            "level",
            "clusterSize",
            "roundTo",
            "concurrency",
            "memory",
          ),
          ...(options.segmentSize === undefined ? {} : { segment: options.segmentSize }),
          adopt: options.recompress ? "nothing" : "coded units",
          bandwidth: options.bandwidth ?? 0,
          existing: options.overwrite ? "replace" : "refuse",
          unfinished: options.restart ? "discard" : "resume",
          verify: options.verify ? "read back" : "digest",
        },
        {
          places: engine.places,
          producer: engine.producer,
          stateDirectory: engine.stateDirectory,
          stdin: context.stdin,
          events: loggedEvents(eventsTo(reporter), log),
        },
        context.signal,
      );
      finish(reporter, result, (performance.now() - started) / 1000);
      return { ...result };
    });
  } finally {
    reporter.stop();
  }
}

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): { [P in K]: T[P] } {
  const picked: Partial<T> = {};
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked as { [P in K]: T[P] };
}

export function eventsTo(reporter: Reporter): TransferEvents {
  return {
    onStage: (stage) => reporter.stage(stage),
    onProgress: (sample) => reporter.progress(sample),
    onResume: (landed, parts) =>
      reporter.note(
        { event: "resume", landed, parts },
        `going on: ${landed} of ${parts} parts have landed already`,
      ),
    onRetry: (fault, waitMs) =>
      reporter.note(
        { event: "retry", code: fault.code, message: fault.message, waitMs: Math.round(waitMs) },
        `${fault.message}; trying again in ${(waitMs / 1000).toFixed(1)} s`,
      ),
  };
}

function finish(reporter: Reporter, result: Transferred, seconds: number): void {
  const { object, virtualSize, guestDigest, checksums, sent, verified } = result;
  const saved = Math.max(0, object.size - sent);
  reporter.done(
    {
      object: object.name,
      size: object.size,
      virtualSize,
      ...(guestDigest === undefined ? {} : { guestDigest }),
      checksums: {
        ...checksums,
        ...object.confirmed,
        ...(object.etag === undefined ? {} : { etag: object.etag }),
      },
      seconds: Math.round(seconds * 1000) / 1000,
      sent,
      saved,
      verified,
      ...(object.remains === undefined ? {} : { remains: object.remains }),
    },
    [
      `landed    ${object.name}`,
      `size      ${formatSize(object.size)} of a ${formatSize(virtualSize)} disk`,
      `sent      ${formatSize(sent)}${saved > 0 ? `, ${formatSize(saved)} saved` : ""}`,
      `digest    ${guestDigest ?? 'copied as stored, not decoded: "diskferry verify" compares'}${verified ? " (read back and equal)" : ""}`,
      ...(object.remains ?? []).map((name) => `left over ${name}: it could not be removed`),
      `time      ${formatTime(seconds)}, ${formatSize(Math.round(virtualSize / Math.max(seconds, 0.001)))}/s of disk`,
    ],
  );
}
