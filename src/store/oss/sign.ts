/**
 * OSS signature version 4 (OSS4-HMAC-SHA256), in headers and in URLs. Bodies go unsigned (UNSIGNED-PAYLOAD), as
 * with Alibaba's own clients: CRC-64 tells whether they arrived.
 * Source: OSS developer reference, "Include a V4 signature in the header" and "V4 signatures in presigned URLs".
 */
import { createHash, createHmac } from "node:crypto";
import { percentEncode } from "../../net/percent-encode.ts";

export interface OssScope {
  /** Without `oss-`. */
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string | undefined;
}

/** What a signature covers. */
export interface OssSubject {
  readonly method: string;
  readonly bucket: string;
  /** Empty for calls on the bucket itself. */
  readonly key: string;
  /** Values as they are, not encoded; an empty value stands for a parameter without one. */
  readonly query: Readonly<Record<string, string>>;
  /**
   * Lower-case names. OSS always signs content-type, content-md5 and whatever begins with x-oss-; others are signed
   * when `additional` names them.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly additional?: readonly string[];
}

const ALGORITHM = "OSS4-HMAC-SHA256";
const UNSIGNED = "UNSIGNED-PAYLOAD";

/** The subject's headers with date, payload rule, token and signature added. Good for 15 minutes around `now`. */
export function signHeaders(subject: OssSubject, scope: OssScope, now: Date): Record<string, string> {
  const date = basicDate(now);
  const headers: Record<string, string> = {
    ...subject.headers,
    "x-oss-date": date,
    "x-oss-content-sha256": UNSIGNED,
    ...(scope.securityToken === undefined ? {} : { "x-oss-security-token": scope.securityToken }),
  };
  const additional = additionalOf(subject);
  const signature = signatureOf({ ...subject, headers }, additional, scope, date);
  const also = additional.length === 0 ? "" : `AdditionalHeaders=${additional.join(";")},`;
  headers["authorization"] =
    `${ALGORITHM} Credential=${scope.accessKeyId}/${dayScope(scope, date)},${also}Signature=${signature}`;
  return headers;
}

/**
 * The subject's query with the signature added. `expires` is in seconds, 1 to 604800, from `now`; a temporary
 * credential that ends earlier ends the URL too.
 */
export function presignQuery(
  subject: OssSubject,
  scope: OssScope,
  now: Date,
  expires: number,
): Record<string, string> {
  const date = basicDate(now);
  const additional = additionalOf(subject);
  const query: Record<string, string> = {
    ...subject.query,
    ...(additional.length === 0 ? {} : { "x-oss-additional-headers": additional.join(";") }),
    "x-oss-credential": `${scope.accessKeyId}/${dayScope(scope, date)}`,
    "x-oss-date": date,
    "x-oss-expires": String(expires),
    "x-oss-signature-version": ALGORITHM,
    ...(scope.securityToken === undefined ? {} : { "x-oss-security-token": scope.securityToken }),
  };
  query["x-oss-signature"] = signatureOf({ ...subject, query }, additional, scope, date);
  return query;
}

/** Path of the object, percent-encoded but for slashes. */
export function encodeKey(key: string): string {
  return percentEncode(key).replaceAll("%2F", "/");
}

/** Parameters sorted by name, percent-encoded; those without a value stand alone. */
export function encodeQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([a], [b]) => byBytes(a, b))
    .map(([name, value]) => (value === "" ? name : `${name}=${value}`))
    .join("&");
}

function signatureOf(
  subject: OssSubject,
  additional: readonly string[],
  scope: OssScope,
  date: string,
): string {
  const request = [
    subject.method,
    subject.key === "" ? `/${subject.bucket}/` : `/${subject.bucket}/${encodeKey(subject.key)}`,
    encodeQuery(subject.query),
    canonicalHeaders(subject.headers, additional),
    additional.join(";"),
    UNSIGNED,
  ].join("\n");
  const text = [ALGORITHM, date, dayScope(scope, date), createHash("sha256").update(request).digest("hex")];
  const steps = [date.slice(0, 8), scope.region, "oss", "aliyun_v4_request", text.join("\n")];
  let key = Buffer.from(`aliyun_v4${scope.accessKeySecret}`);
  for (const step of steps) key = createHmac("sha256", key).update(step).digest();
  return key.toString("hex");
}

function canonicalHeaders(headers: Readonly<Record<string, string>>, additional: readonly string[]): string {
  return Object.keys(headers)
    .filter((name) => isAlwaysSigned(name) || additional.includes(name))
    .sort(byBytes)
    .map((name) => `${name}:${headers[name]?.trim()}\n`)
    .join("");
}

function additionalOf(subject: OssSubject): readonly string[] {
  const names = (subject.additional ?? []).map((name) => name.toLowerCase());
  return [...new Set(names)].filter((name) => !isAlwaysSigned(name)).sort(byBytes);
}

function isAlwaysSigned(name: string): boolean {
  return name === "content-type" || name === "content-md5" || name.startsWith("x-oss-");
}

function dayScope(scope: OssScope, date: string): string {
  return `${date.slice(0, 8)}/${scope.region}/oss/aliyun_v4_request`;
}

/** `20231203T121212Z`. */
function basicDate(now: Date): string {
  return now
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(/[-:]/g, "");
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
