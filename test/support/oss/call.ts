/** A request to the strict OSS server, understood and proven, and what it is answered. */
import type { Bucket } from "./bucket.ts";
import { Refusal } from "./refusal.ts";
import type { Storage } from "./storage.ts";

/** Names of operations as the OSS API reference has them. */
export type Kind =
  | "InitiateMultipartUpload"
  | "UploadPart"
  | "UploadPartCopy"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListParts"
  | "ListMultipartUploads"
  | "PutObject"
  | "CopyObject"
  | "GetObject"
  | "HeadObject"
  | "DeleteObject"
  | "DeleteMultipleObjects"
  | "ListObjects"
  | "ListObjectsV2";

export interface Call {
  readonly kind: Kind;
  readonly bucket: Bucket;
  readonly key: string;
  readonly query: ReadonlyMap<string, string | null>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  readonly storage: Storage;
  readonly buckets: ReadonlyMap<string, Bucket>;
  /** Whether copied parts have a CRC; OSS does not promise it. */
  readonly copiedCrc: "given" | "withheld";
  readonly now: () => number;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | { readonly chunks: AsyncIterable<Uint8Array>; readonly length: number };
}

/** @throws Refusal for what this dialect does not have. */
export function kindOf(
  method: string,
  key: string,
  query: ReadonlyMap<string, string | null>,
  headers: Readonly<Record<string, string>>,
): Kind {
  const isCopy = headers["x-oss-copy-source"] !== undefined;
  const onObject = key !== "";
  if (onObject) {
    if (method === "POST" && query.has("uploads")) return "InitiateMultipartUpload";
    if (method === "POST" && query.has("uploadId")) return "CompleteMultipartUpload";
    if (method === "PUT" && query.has("uploadId")) return isCopy ? "UploadPartCopy" : "UploadPart";
    if (method === "PUT") return isCopy ? "CopyObject" : "PutObject";
    if (method === "DELETE") return query.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    if (method === "GET") return query.has("uploadId") ? "ListParts" : "GetObject";
    if (method === "HEAD") return "HeadObject";
  } else {
    if (method === "GET" && query.has("uploads")) return "ListMultipartUploads";
    if (method === "GET") return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
    if (method === "POST" && query.has("delete")) return "DeleteMultipleObjects";
  }
  throw new Refusal(501, "NotImplemented", "This stand-in does not have the operation.");
}

export async function bodyText(call: Call, most = 4 * 1024 * 1024): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of call.body) {
    length += chunk.length;
    if (length > most) throw new Refusal(400, "EntityTooLarge", "The body is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** @throws Refusal InvalidDigest */
export function checkMd5(call: Call, md5Hex: string): void {
  const given = call.headers["content-md5"];
  if (given === undefined || given === Buffer.from(md5Hex, "hex").toString("base64")) return;
  throw new Refusal(400, "InvalidDigest", "The Content-MD5 you specified is invalid.");
}

/** A number in the query. @throws Refusal InvalidArgument outside of the bounds. */
export function numberIn(call: Call, name: string, least: number, most: number, otherwise?: number): number {
  const text = call.query.get(name);
  if ((text === undefined || text === null) && otherwise !== undefined) return otherwise;
  const value = Number(text ?? Number.NaN);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Refusal(400, "InvalidArgument", `${name} must be an integer between ${least} and ${most}.`);
  }
  return value;
}

export function xml(root: string, content: string): Reply {
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${content}</${root}>`,
  };
}

export function tag(name: string, value: string | number): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`;
}

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
