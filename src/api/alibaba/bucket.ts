/** Buckets: destinations by what OSS calls them, or by the name that they have here. */
import { Fault } from "../../fault/fault.ts";
import type { Asked } from "./asked.ts";
import type { Rule } from "./errors.ts";
import type { Refusals } from "./refused.ts";

/** The name of the destination that a bucket is; that of the bucket when there is none. */
export async function destinationOf(
  { service, caller }: Pick<Asked, "service" | "caller">,
  bucket: string,
  region: string,
): Promise<string> {
  try {
    const { name } = await service.findDestination(caller, { container: bucket, provider: "oss", region });
    return name;
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return bucket;
    throw error;
  }
}

export async function bucketOf(
  { service, caller }: Pick<Asked, "service" | "caller">,
  destination: string,
): Promise<string> {
  try {
    const { entry } = await service.destinations.get(caller, destination);
    return entry.provider === "oss" ? entry.container : entry.name;
  } catch (error) {
    // It is no longer there, or not for this caller to see.
    if (error instanceof Fault && error.code === "NOT_FOUND") return destination;
    throw error;
  }
}

/** What an action makes of what a bucket says when it is asked. */
export function bucketFaults({ missing, failed }: Readonly<Record<"missing" | "failed", Rule>>) {
  return {
    NOT_FOUND: missing,
    PERMISSION: "EX-12",
    CREDENTIALS: "EX-12",
    CREDENTIALS_EXPIRED: failed,
    NETWORK: failed,
    TIMEOUT: failed,
    THROTTLED: failed,
    STORE_UNAVAILABLE: failed,
    STORE_REFUSED: failed,
    STORE_PROTOCOL: failed,
    IO: failed,
  } satisfies Refusals["codes"];
}
