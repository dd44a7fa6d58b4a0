/**
 * A raw disk as the one file of a compressed tar archive, in members of gzip that are made one by one:
 *
 *     | tar header | units of the disk, and runs of zeros | end of the archive |
 *
 * The header is known before reading and goes out before unit 0. The last unit is filled up with zeros, which are part
 * of the end: readers stop at the first two blocks of zeros behind the file.
 */
import { alignUp, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { LayoutOptions, PackedLayout, SealInput } from "../format.ts";
import { UNIT } from "./encoder.ts";
import { fileHeader } from "./header.ts";
import { denseMember, longestMember } from "./member.ts";

/** As in qcow2: a higher one costs half of the speed for an eighth of the size. */
const DEFAULT_LEVEL = 1;
const MAX_LEVEL = 12;
const DEFAULT_NAME = "disk.raw";
/** Two blocks of zeros. */
const END = 2 * SECTOR;

/** @throws Fault USAGE */
export function archiveLayout(options: LayoutOptions): PackedLayout {
  const { virtualSize, name = DEFAULT_NAME, roundTo = 1 } = options;
  const level = levelOf(options);
  if (virtualSize <= 0) throw new Fault("USAGE", "tar.gz: an empty disk is not written");
  const size = alignUp(virtualSize, roundTo);
  const units = Math.ceil(size / UNIT);
  const prologue = denseMember(fileHeader(name, size));
  return {
    shape: "packed",
    virtualSize: size,
    unit: UNIT,
    alignment: 1,
    // No table grows with the data.
    tableSpan: units * UNIT,
    encoding: { format: "tar.gz", compression: "zlib", level, unit: UNIT, prologue },
    maxStored: prologue.length + longestMember(UNIT),
    zeros: "stored in runs",
    headLength: () => 0,
    seal: (input) => ({
      async *head() {},
      async *tail() {
        await checkTiling(input, units);
        yield denseMember(new Uint8Array(END));
      },
    }),
  };
}

function levelOf({ compression = "zlib", level = DEFAULT_LEVEL, clusterSize }: LayoutOptions): number {
  if (compression !== "zlib") {
    throw new Fault("USAGE", `tar.gz is compressed with zlib, and cannot be with ${compression}`);
  }
  if (clusterSize !== undefined)
    throw new Fault("USAGE", "tar.gz: raw disks have no clusters; leave the cluster size out");
  if (!Number.isInteger(level) || level < 1 || level > MAX_LEVEL) {
    throw new Fault("USAGE", `tar.gz: level ${level} is not possible, use 1 to ${MAX_LEVEL}`);
  }
  return level;
}

/** @throws Fault INTERNAL when the segments leave out a unit: all that follows would stand in the wrong place. */
async function checkTiling(input: SealInput, units: number): Promise<void> {
  let next = 0;
  for await (const { firstUnit, units: stored } of input.segments()) {
    if (firstUnit !== next) break;
    next += stored.length;
  }
  if (next !== units) throw new Fault("INTERNAL", `tar.gz: unit ${next} of ${units} is missing`);
}
