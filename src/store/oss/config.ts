/** How one Alibaba OSS account is reached, and the same from the environment variables of Alibaba's own tools. */
import { isIP } from "node:net";
import { z } from "zod";
import { Fault } from "../../fault/fault.ts";

export const ossConfigSchema = z.strictObject({
  /** URL or host; by default the public endpoint of the region, over HTTPS. */
  endpoint: z.string().min(1).optional(),
  /** Such as `cn-hangzhou`; a leading `oss-` is dropped. */
  region: z
    .string()
    .transform((region) => region.replace(/^oss-/, ""))
    .pipe(z.string().regex(/^[a-z0-9-]+$/, "is no region such as cn-hangzhou")),
  accessKeyId: z.string().min(1),
  accessKeySecret: z.string().min(1),
  /** Of temporary credentials (STS). */
  securityToken: z.string().min(1).optional(),
  /**
   * `virtual-host`: the bucket is the first label of the host, the only way that OSS itself takes. With an IP address
   * as endpoint the connection goes there and the Host header carries the bucket and the region's public host.
   * `endpoint-is-bucket`: the endpoint is a domain that is bound to the bucket. `path`: the bucket is the first
   * segment of the path, for gateways.
   */
  addressing: z.enum(["virtual-host", "endpoint-is-bucket", "path"]).default("virtual-host"),
  /** PEM text of further certificate authorities to trust. */
  ca: z.string().optional(),
  /** Bits per second that OSS lets one part upload or one read use: 245760 to 838860800. */
  trafficLimit: z.int().min(245_760).max(838_860_800).optional(),
});

export type OssConfig = z.infer<typeof ossConfigSchema>;

/** One object. */
export interface OssLocation {
  readonly bucket: string;
  readonly key: string;
}

const NEEDED = ["OSS_REGION", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"];

/**
 * Reads OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_SESSION_TOKEN (or OSS_SECURITY_TOKEN), OSS_REGION and
 * OSS_ENDPOINT.
 * @throws Fault CREDENTIALS that names those that are missing; USAGE that names the variable, never its value.
 */
export function ossConfigFromEnvironment(env: Readonly<Record<string, string | undefined>>): OssConfig {
  const missing = NEEDED.filter((name) => !env[name]);
  if (missing.length > 0) {
    const names = new Intl.ListFormat("en-GB").format(missing);
    throw new Fault(
      "CREDENTIALS",
      `OSS: ${names} ${missing.length === 1 ? "is" : "are"} not set; set them, or stores.oss in the configuration file`,
    );
  }
  const token = env["OSS_SESSION_TOKEN"] || env["OSS_SECURITY_TOKEN"];
  const parsed = ossConfigSchema.safeParse({
    region: env["OSS_REGION"],
    accessKeyId: env["OSS_ACCESS_KEY_ID"],
    accessKeySecret: env["OSS_ACCESS_KEY_SECRET"],
    ...(env["OSS_ENDPOINT"] ? { endpoint: env["OSS_ENDPOINT"] } : {}),
    ...(token ? { securityToken: token } : {}),
  });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Fault("USAGE", `OSS_${String(issue?.path[0] ?? "*").toUpperCase()}: ${issue?.message}`);
  }
  return parsed.data;
}

/** Where a bucket is reached: the base of its URLs, and the Host header where the URL cannot carry it. */
export interface OssAddress {
  /** Scheme, host and, for path addressing, the bucket; ends with a slash. */
  readonly base: string;
  readonly host?: string;
}

/** @throws Fault USAGE when the endpoint is no http(s) URL or the bucket's name breaks the rules of OSS. */
export function addressOf(config: OssConfig, bucket: string): OssAddress {
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new Fault(
      "USAGE",
      `oss://${bucket}: a bucket's name has 3 to 63 lower-case letters, digits and hyphens`,
    );
  }
  const publicHost = `oss-${config.region}.aliyuncs.com`;
  const url = parseEndpoint(config.endpoint ?? publicHost);
  const origin = `${url.protocol}//${url.host}`;
  switch (config.addressing) {
    case "path":
      return { base: `${origin}/${bucket}/` };
    case "endpoint-is-bucket":
      return { base: `${origin}/` };
    case "virtual-host":
      return isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0
        ? { base: `${url.protocol}//${bucket}.${url.host}/` }
        : { base: `${origin}/`, host: `${bucket}.${publicHost}` };
  }
}

function parseEndpoint(endpoint: string): URL {
  const text = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.pathname === "/" && url.search === "" && url.username === "";
  if (url === undefined || !plain || !/^https?:$/.test(url.protocol)) {
    throw new Fault("USAGE", `the OSS endpoint must be a host or an http(s) URL without a path`);
  }
  return url;
}

/** @throws Fault USAGE when OSS, or the URL rules, would not take the key as it is. */
export function checkKey(location: OssLocation): void {
  const { bucket, key } = location;
  const bytes = Buffer.byteLength(key);
  const refuse = (why: string) => new Fault("USAGE", `oss://${bucket}/${key}: the object's name ${why}`);
  if (bytes < 1 || bytes > 1023) throw refuse(`has ${bytes} bytes, OSS takes 1 to 1023`);
  if (!key.isWellFormed()) throw refuse("is not valid Unicode");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would break the XML of replies
  if (/[\u0000-\u001f\u007f]/.test(key)) throw refuse("must not hold control characters");
  if (/^[/\\]/.test(key)) throw refuse("must not begin with a slash");
  if (key.split("/").some((segment) => segment === "." || segment === "..")) {
    throw refuse('must not hold "." or ".." as a segment');
  }
}
