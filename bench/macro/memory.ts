/**
 * Memory that is in use when a run begins. A virtual machine gives memory that nobody uses back to its host, and the
 * first touch of it costs up to six times a later one: more than all that is measured.
 */
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../src/bytes/units.ts";

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;
const BLOCK = Buffer.alloc(8 * MiB);

/** Has the kernel take `bytes` of memory and free them again, where what is written to `directory` is kept in memory. */
export function touchMemory(directory: string, bytes: number): void {
  if (statfsSync(directory).type !== TMPFS_MAGIC) return;
  const path = join(directory, "touched");
  const file = openSync(path, "w");
  try {
    for (let done = 0; done < bytes; done += BLOCK.length) writeSync(file, BLOCK);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
