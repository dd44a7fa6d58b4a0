/** What is asked of a format, before there is a disk to be written. */
import { MiB } from "../bytes/units.ts";
import { formatByUserName } from "../format/registry.ts";
import type { LandRequest } from "./land-image.ts";

/** Of every format; no format is without disks of this size. */
const SOME_DISK = 1024 * MiB;

/** @throws Fault USAGE when the format takes none of these, or not together. */
export function checkWriteOptions({
  format,
  ...options
}: Pick<LandRequest, "format" | "compression" | "level" | "clusterSize">): void {
  formatByUserName(format).writer.layout({
    virtualSize: SOME_DISK,
    seed: new Uint8Array(16),
    ...options,
  });
}
