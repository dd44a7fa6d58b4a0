/** Options that several commands share. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseSize } from "../bytes/units.ts";
import type { ImageRequest } from "../engine/open-image.ts";

export interface ImageOptions {
  readonly sourceFormat?: string;
  readonly backing: readonly string[];
  readonly dataFile?: string;
  readonly snapshot?: string;
  readonly allowAmplification?: true;
}

export function addImageOptions(command: Command): void {
  command
    .option("--source-format <format>", "format of the source; content that contradicts it is refused")
    .addOption(
      new Option("--backing <place>", "backing file or VHD parent that may be opened; repeat for a chain")
        .argParser(collect)
        .default([], "none"),
    )
    .option("--data-file <place>", "external data file that may be opened")
    .option("--snapshot <name>", "name or id of an internal snapshot to read")
    .option("--allow-amplification", "read images that expand far beyond what they store");
}

export function imageRequest(location: string, options: ImageOptions): ImageRequest {
  const { sourceFormat, backing, dataFile, snapshot, allowAmplification } = options;
  return {
    location,
    backing,
    allowAmplification: allowAmplification ?? false,
    ...(sourceFormat === undefined ? {} : { format: sourceFormat }),
    ...(dataFile === undefined ? {} : { dataFile }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

export function compressionOption(): Option {
  return new Option("--compression <kind>", "how data is stored in a written image").choices([
    "none",
    "zlib",
    "zstd",
  ]);
}

export function sizeOption(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

export function countOption(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError("write a whole number from 1");
  return count;
}

/** Segments in flight where nobody says how many, and so threads at most: a host of many cores has other work, too. */
export const CONCURRENCY = 8;

/** As many as a daemon may have (`limits.threads`). */
const MOST_THREADS = 1024;

export function threadsOption(text: string): number {
  const count = countOption(text);
  if (count > MOST_THREADS) throw new InvalidArgumentError(`write a whole number from 1 to ${MOST_THREADS}`);
  return count;
}

export function wholeOption(text: string): number {
  const whole = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(whole)) {
    throw new InvalidArgumentError("write a whole number from 0");
  }
  return whole;
}

export function portOption(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("write a port from 0 to 65535");
  return port;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
