/** Whole objects of the strict OSS server. */
import { createHash } from "node:crypto";
import type { StoredObject } from "./bucket.ts";
import { bodyText, type Call, checkMd5, numberIn, type Reply, tag, xml } from "./call.ts";
import { Refusal } from "./refusal.ts";

export function crcHeader(crc: bigint | undefined): Record<string, string> {
  return crc === undefined ? {} : { "x-oss-hash-crc64ecma": String(crc) };
}

export function keptHeaders(call: Call): Record<string, string> {
  const kept = Object.entries(call.headers).filter(
    ([name]) => name.startsWith("x-oss-meta-") || name === "content-type",
  );
  return Object.fromEntries(kept);
}

export async function put(call: Call): Promise<Reply> {
  call.bucket.checkOverwrite(call.key, call.headers["x-oss-forbid-overwrite"]);
  const stored = await call.storage.write(call.body);
  try {
    checkMd5(call, stored.md5);
    call.bucket.checkOverwrite(call.key, call.headers["x-oss-forbid-overwrite"]);
  } catch (error) {
    await call.storage.release(stored.pieces);
    throw error;
  }
  const { pieces, size, md5: etag, crc } = stored;
  const headers = keptHeaders(call);
  const object = await call.bucket.put(
    call.key,
    { pieces, size, etag, crc, type: "Normal", headers },
    call.now(),
  );
  return { status: 200, headers: { etag: `"${etag}"`, ...crcHeader(crc), ...versionHeader(object) } };
}

/** @throws Refusal */
export function copySource(call: Call): StoredObject {
  const text = call.headers["x-oss-copy-source"] ?? "";
  const match = /^\/([^/]+)\/([^?]+)(?:\?versionId=(.+))?$/.exec(text);
  if (match === null) {
    throw new Refusal(400, "InvalidArgument", "Copy Source must mention the source bucket and key.");
  }
  const bucket = call.buckets.get(match[1] ?? "");
  if (bucket === undefined) throw new Refusal(404, "NoSuchBucket", "The specified bucket does not exist.");
  const object = bucket.get(decodeURIComponent(match[2] ?? ""), match[3]);
  const wanted = call.headers["x-oss-copy-source-if-match"];
  if (wanted !== undefined && wanted.replaceAll('"', "") !== object.etag) throw preconditionFailed();
  return object;
}

export async function copy(call: Call): Promise<Reply> {
  call.bucket.checkOverwrite(call.key, call.headers["x-oss-forbid-overwrite"]);
  const { size, etag, crc, headers, ...source } = copySource(call);
  if (size > 1024 ** 3) throw new Refusal(400, "EntityTooLarge", "CopyObject takes at most 1 GB.");
  const pieces = call.storage.share(source.pieces, 0, size);
  await call.bucket.put(call.key, { pieces, size, etag, crc, headers, type: "Normal" }, call.now());
  return xml(
    "CopyObjectResult",
    tag("ETag", `"${etag}"`) + tag("LastModified", new Date(call.now()).toISOString()),
  );
}

export function get(call: Call): Reply {
  const object = call.bucket.get(call.key, call.query.get("versionId"));
  checkConditions(call, object);
  const headers = objectHeaders(object);
  const range = rangeOf(call.headers["range"], object.size);
  if (range === undefined) {
    return { status: 200, headers, body: bytesOf(call, object, 0, object.size) };
  }
  if (range === "unsatisfiable") {
    // OSS sends the whole object then, unless x-oss-range-behavior asks for the standard.
    if (call.headers["x-oss-range-behavior"] !== "standard") {
      return { status: 200, headers, body: bytesOf(call, object, 0, object.size) };
    }
    throw new Refusal(416, "InvalidRange", "The requested range cannot be satisfied.");
  }
  const { first, last } = range;
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${first}-${last}/${object.size}` },
    body: bytesOf(call, object, first, last - first + 1),
  };
}

export function head(call: Call): Reply {
  const object = call.bucket.get(call.key, call.query.get("versionId"));
  checkConditions(call, object);
  return { status: 200, headers: { ...objectHeaders(object), "content-length": String(object.size) } };
}

export async function remove(call: Call): Promise<Reply> {
  const headers = await call.bucket.remove(call.key, call.query.get("versionId"));
  return { status: 204, headers };
}

export async function removeMany(call: Call): Promise<Reply> {
  const text = await bodyText(call);
  if (call.headers["content-md5"] === undefined) {
    throw new Refusal(400, "MissingArgument", "Missing Some Required Arguments: Content-MD5.");
  }
  checkMd5(call, createHash("md5").update(text).digest("hex"));
  const keys = [...text.matchAll(/<Key>([\s\S]*?)<\/Key>/g)].map(([, key = ""]) => unescapeXml(key));
  for (const key of keys) await call.bucket.remove(key, undefined);
  return xml("DeleteResult", keys.map((key) => `<Deleted>${tag("Key", key)}</Deleted>`).join(""));
}

export function list(call: Call): Reply {
  const isV2 = call.kind === "ListObjectsV2";
  const most = numberIn(call, "max-keys", 1, 1000, 100);
  const prefix = call.query.get("prefix") ?? "";
  const delimiter = call.query.get("delimiter") ?? "";
  const token = call.query.get("continuation-token");
  const start = isV2
    ? token === undefined || token === null
      ? (call.query.get("start-after") ?? "")
      : Buffer.from(token, "base64").toString()
    : (call.query.get("marker") ?? "");
  const named = (text: string) =>
    call.query.get("encoding-type") === "url" ? encodeURIComponent(text) : text;
  const entries = new Map<string, string>();
  for (const key of call.bucket.keys()) {
    if (!key.startsWith(prefix)) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const entry = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    if (entry <= start || entries.has(entry)) continue;
    entries.set(entry, cut < 0 ? objectEntry(call.bucket.get(key), named(key)) : prefixEntry(named(entry)));
  }
  const page = [...entries].slice(0, most);
  const last = page.at(-1)?.[0] ?? "";
  const truncated = page.length < entries.size;
  const next = isV2
    ? tag("NextContinuationToken", Buffer.from(last).toString("base64"))
    : tag("NextMarker", named(last));
  return xml(
    "ListBucketResult",
    tag("Name", call.bucket.name) +
      tag("Prefix", named(prefix)) +
      tag("MaxKeys", most) +
      tag("Delimiter", named(delimiter)) +
      (isV2 ? tag("KeyCount", page.length) : tag("Marker", named(start))) +
      tag("IsTruncated", String(truncated)) +
      (truncated ? next : "") +
      page.map(([, entry]) => entry).join(""),
  );
}

function objectEntry(object: StoredObject, name: string): string {
  const fields = tag("Key", name) + tag("LastModified", object.modified.toISOString());
  return `<Contents>${fields}${tag("ETag", `"${object.etag}"`)}${tag("Type", object.type)}${tag("Size", object.size)}${tag("StorageClass", "Standard")}<Owner>${tag("ID", "1")}${tag("DisplayName", "1")}</Owner></Contents>`;
}

function prefixEntry(name: string): string {
  return `<CommonPrefixes>${tag("Prefix", name)}</CommonPrefixes>`;
}

function checkConditions(call: Call, object: StoredObject): void {
  const wanted = call.headers["if-match"];
  if (wanted !== undefined && wanted !== "*" && wanted.replaceAll('"', "") !== object.etag) {
    throw preconditionFailed();
  }
  const unwanted = call.headers["if-none-match"];
  if (unwanted !== undefined && unwanted.replaceAll('"', "") === object.etag) {
    throw new Refusal(304, "NotModified", "");
  }
}

function preconditionFailed(): Refusal {
  return new Refusal(
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold.",
  );
}

function objectHeaders(object: StoredObject): Record<string, string> {
  return {
    ...object.headers,
    "accept-ranges": "bytes",
    etag: `"${object.etag}"`,
    "last-modified": object.modified.toUTCString(),
    "x-oss-object-type": object.type,
    ...crcHeader(object.crc),
    ...versionHeader(object),
  };
}

function versionHeader(object: StoredObject): Record<string, string> {
  return object.versionId === "null" ? {} : { "x-oss-version-id": object.versionId };
}

function bytesOf(call: Call, object: StoredObject, offset: number, length: number) {
  return { chunks: call.storage.read(object.pieces, offset, length), length };
}

function rangeOf(
  header: string | undefined,
  size: number,
): { readonly first: number; readonly last: number } | "unsatisfiable" | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header);
  const [, from = "", to = ""] = match ?? [];
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (match === null || (from === "" && to === "") || first >= size || first > last) return "unsatisfiable";
  return { first, last };
}

function unescapeXml(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
