/**
 * Removing what an upload left. `multipart-manifest=delete` is never used: it follows the manifest, and would remove
 * whatever segments it names, also those that another object shares; here only names under one upload's prefix go.
 */
import { Fault } from "../../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import type { SwiftClient } from "./client.ts";
import type { SwiftInfo } from "./info.ts";

const BATCH = 1000;

/**
 * Deletes all under a prefix, and looks again until nothing is listed: listings lag behind, and a part that was being
 * sent may land late.
 * @throws Fault STORE_UNAVAILABLE when objects are still listed after many rounds.
 */
export async function removePrefix(
  client: SwiftClient,
  info: SwiftInfo,
  container: string,
  prefix: string,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  await withRetry(
    what,
    DEFAULT_RETRY,
    async () => {
      if ((await sweep(client, info, container, prefix, what, signal)) === 0) return;
      const left = await sweep(client, info, container, prefix, what, signal);
      if (left > 0) {
        throw new Fault(
          "STORE_UNAVAILABLE",
          `${what}: ${left} objects are still listed under ${container}/${prefix}`,
        );
      }
    },
    signal,
  );
}

/** Deletes what is listed now; returns how many that were. */
async function sweep(
  client: SwiftClient,
  info: SwiftInfo,
  container: string,
  prefix: string,
  what: string,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let batch: string[] = [];
  const flush = async () => {
    await client.delete(container, batch, info.maxBulkDeletes, what, signal);
    count += batch.length;
    batch = [];
  };
  for await (const { name } of client.list(container, prefix, what, signal)) {
    batch.push(name);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 0) await flush();
  return count;
}
