/** The version of an object that readers and copies of it are held to. */
import { Fault } from "../../fault/fault.ts";
import type { SwiftClient } from "./client.ts";
import { type SwiftLocation, swiftName } from "./location.ts";

export interface Pin {
  /** Bytes. */
  readonly size: number;
  readonly version: string;
  /** As the server wrote it, where a read may demand it. */
  readonly etag: string | undefined;
  /** Of the content, or of the entries of the manifest; where the server tells. */
  readonly md5: string | undefined;
  /** `other`: dynamic large objects, and whatever Ceph's gateway makes of large ones. */
  readonly kind: "plain" | "static large" | "other";
}

/** The object as it is now; undefined when it is not there. @throws Fault as `SwiftClient.head`; UNSUPPORTED_FEATURE. */
export async function pinObject(
  client: SwiftClient,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<Pin | undefined> {
  const name = swiftName(location);
  const headers = await client.head(location.container, location.object, `${name}: looking for it`, signal);
  if (headers === undefined) return undefined;
  const size = Number(headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) {
    // A dynamic large object of more segments than one listing has neither length nor ETag.
    throw new Fault(
      "UNSUPPORTED_FEATURE",
      `${name}: the store does not tell its size, so it cannot be read by ranges`,
    );
  }
  const etag = headers["etag"];
  const bare = (etag ?? "unpinned").replaceAll('"', "");
  const modified = headers["x-timestamp"] ?? headers["last-modified"] ?? "undated";
  // Ceph's gateway marks its large objects so, and compares If-Match with something else than the ETag that it shows.
  const demandable = headers["x-object-meta-static-large-object"] === undefined;
  return {
    size,
    version: `swift-${bare}-${modified}-${size}`,
    etag: demandable ? etag : undefined,
    md5: /^[0-9a-f]{32}$/.test(bare) ? bare : undefined,
    kind: kindOf(headers),
  };
}

function kindOf(headers: Readonly<Record<string, string>>): Pin["kind"] {
  if (headers["x-object-manifest"] !== undefined) return "other";
  if (headers["x-object-meta-static-large-object"] !== undefined) return "other";
  return headers["x-static-large-object"] === undefined ? "plain" : "static large";
}
