/** What the commands that ask for a task have in common. */
import type { Command } from "commander";
import { compressionOption, countOption, sizeOption } from "./options.ts";
import { addServerOptions, type ServerOptions } from "./server.ts";

export interface AskOptions extends ServerOptions {
  readonly wait?: true;
  readonly check?: true;
  readonly verify?: true;
  readonly bandwidth?: number;
  readonly clientToken?: string;
}

export interface WriteOptions {
  readonly format?: string;
  readonly compression?: "none" | "zlib" | "zstd";
  readonly level?: number;
  readonly clusterSize?: number;
}

export function addAskOptions(command: Command): Command {
  command
    .option("--wait", "follow the task to its end")
    .option("--check", "check all that can be checked, and ask for nothing")
    .option("--verify", "read back what has landed, and compare")
    .option("--bandwidth <rate>", "bytes per second at most, such as 100M", sizeOption)
    .option("--client-token <text>", "makes a repetition of this command harmless");
  return addServerOptions(command);
}

export function addWriteOptions(command: Command): Command {
  return command
    .option(
      "--format <format>",
      "format to write: raw, qcow2, vhd, vhd-fixed, zvhd, zvhd2; tar.gz for exports",
    )
    .addOption(compressionOption())
    .option("--level <n>", "compression level", countOption)
    .option("--cluster-size <size>", "cluster size of a written qcow2, 512 to 2M", sizeOption);
}
