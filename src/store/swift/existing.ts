/** What a container holds under some names already (FJ-7). */
import { Fault } from "../../fault/fault.ts";
import { openSwiftClient } from "./client.ts";
import type { SwiftConfig } from "./config.ts";

/**
 * The objects that are there, or of which segments are there.
 * @throws Fault NOT_FOUND when the container is not there; CREDENTIALS, NETWORK and its kin.
 */
export async function existingInSwift(
  config: SwiftConfig,
  container: string,
  objects: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const client = await openSwiftClient(config, signal);
  const place = `swift://${container}`;
  if ((await client.head(container, undefined, `${place}: looking for it`, signal)) === undefined) {
    throw new Fault("NOT_FOUND", `${place}: there is no such container`);
  }
  const segments = config.segmentContainer ?? `${container}_segments`;
  const found: string[] = [];
  for (const object of objects) {
    const what = `${place}/${object}: looking for it`;
    const there = (await client.head(container, object, what, signal)) !== undefined;
    if (there || (await anySegment(client.list(segments, `${object}/`, what, signal)))) found.push(object);
  }
  return found;
}

async function anySegment(segments: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of segments) return true;
  return false;
}
