/** Copies inside one region of OSS: which parts an object can be copied in. */
import { Fault, type FaultCode } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import { copyRanges } from "../copy-ranges.ts";
import type { CopyPart, StoreLimits } from "../store.ts";
import { OssClient, type OssHead } from "./client.ts";
import type { OssConfig } from "./config.ts";
import { OssTransport } from "./transport.ts";
import { unquote } from "./xml.ts";

/** What OSS says of a bucket that these credentials may not see, or that lies in another region. */
const UNSEEN: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "PERMISSION",
  "STORE_REFUSED",
  "CREDENTIALS",
  "NOT_FOUND",
  "USAGE",
]);

/** What tells one OSS from another: the region, or the gateway that stands for one. */
export function serviceOf({ endpoint, region }: OssConfig): string {
  return endpoint === undefined || /\.aliyuncs\.com(\/|:\d+|$)/.test(endpoint)
    ? region
    : `${region} ${endpoint}`;
}

/** What tells one version of an object from another. */
export function versionOf({ etag, size }: OssHead): string {
  return `oss-${etag}-${size}`;
}

/** Undefined when the source lies elsewhere, or when these credentials do not see it. */
export async function ossCopyParts(
  config: OssConfig,
  { stored, version, size }: Source,
  limits: StoreLimits,
  signal: AbortSignal,
): Promise<readonly CopyPart[] | undefined> {
  if (stored?.store !== "oss" || stored.url !== serviceOf(config) || size === 0) return undefined;
  // The endpoint of one bucket leads to no other.
  if (config.addressing === "endpoint-is-bucket") return undefined;
  const { container, object } = stored;
  const there = new OssClient(new OssTransport(config, container));
  const head = await there.head(object, signal).catch((error: unknown) => {
    if (UNSEEN.has(Fault.from(error, there.transport.nameOf(object)).code)) return undefined;
    throw error;
  });
  if (head === undefined || versionOf(head) !== version) return undefined;
  const etag = unquote(head.etag);
  return copyRanges(size, limits)?.map(({ offset, length }) => ({
    offset,
    length,
    from: { container, object, offset, size, etag },
  }));
}
