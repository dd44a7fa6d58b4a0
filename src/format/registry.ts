/** Every format, in the order in which content is held against them. One more format is one line here. */
import { Fault } from "../fault/fault.ts";
import type { Format, FormatName, FormatReader } from "./format.ts";
import { qcow2 } from "./qcow2/qcow2.ts";
import { raw } from "./raw/raw.ts";
import { tarGz } from "./tar-gz/tar-gz.ts";
import { vhd, vhdFixed } from "./vhd/vhd.ts";
import { zvhd, zvhd2 } from "./zvhd/zvhd.ts";

// raw is last: anything is a raw image that carries no other format's mark.
export const FORMATS: readonly Format[] = [qcow2, zvhd2, zvhd, vhd, vhdFixed, tarGz, raw];

export function formatNamed(name: FormatName): Format {
  const format = FORMATS.find((candidate) => candidate.name === name);
  if (format === undefined) throw new Fault("INTERNAL", `no format is named ${name}`);
  return format;
}

/** @throws Fault USAGE when no format has that name. */
export function formatByUserName(name: string): Format {
  const format = FORMATS.find((candidate) => candidate.name === name);
  if (format !== undefined) return format;
  const known = FORMATS.map((candidate) => candidate.name).join(", ");
  throw new Fault("USAGE", `"${name}" is not a format diskferry knows; the formats are ${known}`);
}

/** @throws Fault USAGE when images of the format are written only. */
export function readerOf({ name, reader }: Format): FormatReader {
  if (reader === undefined) throw new Fault("USAGE", `${name} images are written, and cannot be read`);
  return reader;
}
