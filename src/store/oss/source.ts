/** An OSS object as a source, pinned by its ETag. */
import { Fault } from "../../fault/fault.ts";
import { httpSource } from "../../source/http/http.ts";
import type { Source } from "../../source/source.ts";
import { OssClient } from "./client.ts";
import { checkKey, type OssConfig, type OssLocation } from "./config.ts";
import { serviceOf, versionOf } from "./copy.ts";
import { OssTransport } from "./transport.ts";

/** Outlives any one job; each job asks for a new one. */
const URL_SECONDS = 3600;

/** @throws Fault NOT_FOUND, PERMISSION, CREDENTIALS, USAGE, NETWORK. */
export async function ossSource(
  config: OssConfig,
  location: OssLocation,
  signal: AbortSignal,
): Promise<Source> {
  checkKey(location);
  const client = new OssClient(new OssTransport(config, location.bucket));
  const name = client.transport.nameOf(location.key);
  const head = await client.head(location.key, signal);
  if (head === undefined) throw new Fault("NOT_FOUND", `${name}: is not there`);
  const source = httpSource({
    name,
    size: head.size,
    version: versionOf(head),
    etag: head.etag,
    ...client.transport.trust,
    sign: async () => client.transport.presignedGet(location.key, client.transport.trafficLimit, URL_SECONDS),
  });
  const { bucket, key } = location;
  return { ...source, stored: { store: "oss", url: serviceOf(config), container: bucket, object: key } };
}
