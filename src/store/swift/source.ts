/** An object in Swift as a source, large objects included. */
import { Fault } from "../../fault/fault.ts";
import { httpSource } from "../../source/http/http.ts";
import type { Source } from "../../source/source.ts";
import { openSwiftClient, type SwiftClient } from "./client.ts";
import type { SwiftConfig } from "./config.ts";
import { checkLocation, type SwiftLocation, swiftName, swiftPath } from "./location.ts";
import { pinObject } from "./pin.ts";
import { segmentsOf } from "./segments.ts";

/** @throws Fault NOT_FOUND, CREDENTIALS, PERMISSION, USAGE, NETWORK and its kin. */
export async function swiftSource(
  config: SwiftConfig,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<Source> {
  checkLocation(location, Number.POSITIVE_INFINITY);
  return await openSwiftObject(await openSwiftClient(config, signal), location, signal);
}

/** Pinned to the object's ETag, time and size of now. */
export async function openSwiftObject(
  client: SwiftClient,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<Source> {
  const { container, object } = location;
  const name = swiftName(location);
  const pin = await pinObject(client, location, signal);
  if (pin === undefined) {
    throw new Fault("NOT_FOUND", `${name}: there is no such object: check the container and the name`);
  }
  const { size, version, etag, md5, kind } = pin;
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
  const { storageUrl } = await client.grant(signal);
  return {
    ...source,
    stored: { store: "swift", url: storageUrl, container, object },
    ...(kind === "static large" && md5 !== undefined
      ? { parts: (signal: AbortSignal) => segmentsOf(client, location, { size, etag: md5 }, signal) }
      : {}),
    async check(signal) {
      if ((await pinObject(client, location, signal))?.version !== version) {
        throw new Fault("SOURCE_CHANGED", `${name}: changed while it was read; start again`);
      }
    },
  };
}
