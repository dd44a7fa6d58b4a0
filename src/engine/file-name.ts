/** Names a file in a directory. */
import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";

/**
 * A destination that is a directory takes the source's name, with the ending of the format that is written; any other
 * stays as it is.
 */
export async function fileInDirectory(destination: string, source: string, format: string): Promise<string> {
  if (/^[a-z0-9]+:/i.test(destination)) return destination;
  const directory =
    destination.endsWith("/") || (await stat(destination).catch(() => undefined))?.isDirectory();
  if (!directory) return destination;
  const name = basename(source.replace(/[?#].*$/, ""));
  return join(destination, `${basename(name, extname(name))}.${format === "vhd-fixed" ? "vhd" : format}`);
}
