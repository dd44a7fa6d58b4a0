/** Names a file in a directory. */
import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { Fault } from "../fault/fault.ts";

/**
 * A destination that is a directory takes the source's name, with the ending of the format that is written; any other
 * stays as it is.
 * @throws Fault USAGE for a directory and a source without a name, such as standard input.
 */
export async function fileInDirectory(destination: string, source: string, format: string): Promise<string> {
  if (/^[a-z0-9]+:/i.test(destination)) return destination;
  const directory =
    destination.endsWith("/") || (await stat(destination).catch(() => undefined))?.isDirectory();
  if (!directory) return destination;
  const remote = /^[a-z][a-z0-9+.-]*:\/\//i.test(source);
  const name = basename(remote ? source.replace(/[?#].*$/, "") : source);
  if (source === "-" || name === "") {
    throw new Fault(
      "USAGE",
      `${destination}: is a directory, and the source has no name of its own; name the file`,
    );
  }
  return join(destination, `${basename(name, extname(name))}${fileEnding(format)}`);
}

/** What the names of files of a format end with. */
export function fileEnding(format: string): string {
  if (format === "tar.gz") return ".raw.tar.gz";
  return format === "vhd-fixed" ? ".vhd" : `.${format}`;
}

/** What the disk is called that an archive of this place holds: `disk.raw` in `oss://images/disk.raw.tar.gz`. */
export function diskName(place: string): string {
  const name = basename(place).replace(/(\.raw)?(\.tar\.gz|\.tgz)?$/i, "");
  return `${name === "" ? "disk" : name}.raw`;
}
