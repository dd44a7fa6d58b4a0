/** Whether a stored disk is what its owner says: read once from beginning to end, before anything is made of it. */
import { createHash } from "node:crypto";
import { MiB } from "../bytes/units.ts";
import { Fault } from "../fault/fault.ts";
import type { Source } from "../source/source.ts";

const CHUNK = 8 * MiB;

/** @throws Fault FORMAT_MISMATCH: what was declared and what is there are not the same. */
export async function checkSha1(source: Source, sha1: string, signal: AbortSignal): Promise<void> {
  const hash = createHash("sha1");
  const buffer = Buffer.alloc(Math.min(CHUNK, source.size));
  for (let at = 0; at < source.size; at += CHUNK) {
    const chunk = buffer.subarray(0, Math.min(CHUNK, source.size - at));
    await source.read(chunk, at, signal);
    hash.update(chunk);
  }
  const found = hash.digest("hex");
  if (found === sha1) return;
  throw new Fault("FORMAT_MISMATCH", `${source.name}: has SHA-1 ${found}, not ${sha1} as was said`);
}
