/** An object in Swift as a source, large objects included. */
import { Fault } from "../../fault/fault.ts";
import { httpSource } from "../../source/http/http.ts";
import type { Source } from "../../source/source.ts";
import { openSwiftClient, type SwiftClient } from "./client.ts";
import type { SwiftConfig } from "./config.ts";
import { checkLocation, type SwiftLocation, swiftName, swiftPath } from "./location.ts";

/** @throws Fault NOT_FOUND, CREDENTIALS, PERMISSION, USAGE, NETWORK and its kin. */
export async function swiftSource(
  config: SwiftConfig,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<Source> {
  checkLocation(location, Number.POSITIVE_INFINITY);
  return await openSwiftObject(await openSwiftClient(config, signal), location, signal);
}

interface Pin {
  /** Bytes. */
  readonly size: number;
  readonly version: string;
  /** As the server wrote it, where a read may demand it. */
  readonly etag: string | undefined;
}

/** Pinned to the object's ETag, time and size of now. */
export async function openSwiftObject(
  client: SwiftClient,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<Source> {
  const { container, object } = location;
  const name = swiftName(location);
  const pin = await look(client, location, signal);
  if (pin === undefined) {
    throw new Fault("NOT_FOUND", `${name}: there is no such object: check the container and the name`);
  }
  const { size, version, etag } = pin;
  const source = httpSource({
    name,
    size,
    version,
    ...(etag === undefined ? {} : { etag }),
    ...(client.ca === undefined ? {} : { ca: client.ca }),
    async sign(signal) {
      const grant = await client.grant(signal);
      return {
        url: grant.storageUrl + swiftPath(container, object),
        headers: { "x-auth-token": grant.token },
      };
    },
    refresh: (signal) => client.refresh(signal),
  });
  return {
    ...source,
    async check(signal) {
      if ((await look(client, location, signal))?.version !== version) {
        throw new Fault("SOURCE_CHANGED", `${name}: changed while it was read; start again`);
      }
    },
  };
}

async function look(
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
  const modified = headers["x-timestamp"] ?? headers["last-modified"] ?? "undated";
  // Ceph's gateway marks its large objects so, and compares If-Match with something else than the ETag that it shows.
  const demandable = headers["x-object-meta-static-large-object"] === undefined;
  return {
    size,
    version: `swift-${(etag ?? "unpinned").replaceAll('"', "")}-${modified}-${size}`,
    etag: demandable ? etag : undefined,
  };
}
