/** Multipart uploads of the strict OSS server. */
import { createHash, randomUUID } from "node:crypto";
import type { StoredPart } from "./bucket.ts";
import { bodyText, type Call, checkMd5, numberIn, type Reply, tag, xml } from "./call.ts";
import { PlainCrc, plainCombine } from "./crc.ts";
import { copySource, crcHeader, keptHeaders } from "./object.ts";
import { Refusal } from "./refusal.ts";

const MAX_PART = 5 * 1024 ** 3;
const MIN_PART = 100 * 1024;
const MAX_PARTS = 10_000;

export function initiate(call: Call): Reply {
  call.bucket.checkOverwrite(call.key, call.headers["x-oss-forbid-overwrite"]);
  const uploadId = randomUUID().replaceAll("-", "").toUpperCase();
  call.bucket.uploads.set(uploadId, {
    uploadId,
    key: call.key,
    headers: keptHeaders(call),
    parts: new Map(),
    initiated: new Date(call.now()),
  });
  const names = tag("Bucket", call.bucket.name) + tag("Key", call.key);
  return xml("InitiateMultipartUploadResult", names + tag("UploadId", uploadId));
}

export async function uploadPart(call: Call): Promise<Reply> {
  const number = numberIn(call, "partNumber", 1, MAX_PARTS);
  const upload = call.bucket.upload(call.key, call.query.get("uploadId"));
  if (Number(call.headers["content-length"]) > MAX_PART) {
    throw new Refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.");
  }
  const stored = await call.storage.write(call.body);
  try {
    checkMd5(call, stored.md5);
    // It may have been aborted or completed while the bytes came in.
    call.bucket.upload(call.key, call.query.get("uploadId"));
  } catch (error) {
    await call.storage.release(stored.pieces);
    throw error;
  }
  const { pieces, size, md5: etag, crc } = stored;
  await replacePart(call, upload.parts, number, { pieces, size, etag, crc, modified: new Date(call.now()) });
  return { status: 200, headers: { etag: `"${etag}"`, ...crcHeader(crc) } };
}

export async function uploadPartCopy(call: Call): Promise<Reply> {
  const number = numberIn(call, "partNumber", 1, MAX_PARTS);
  const upload = call.bucket.upload(call.key, call.query.get("uploadId"));
  const source = copySource(call);
  const range = rangeOf(call.headers["x-oss-copy-source-range"], source.size);
  if (range.length > MAX_PART) throw new Refusal(400, "EntityTooLarge", "A part has at most 5 GB.");
  let crc: bigint | undefined;
  if (call.copiedCrc === "given") {
    const plain = new PlainCrc();
    for await (const chunk of call.storage.read(source.pieces, range.offset, range.length))
      plain.update(chunk);
    crc = plain.value();
  }
  const pieces = call.storage.share(source.pieces, range.offset, range.length);
  // Not the MD5 of the bytes: nothing promises that for copies.
  const etag = createHash("md5")
    .update(`${source.etag} ${range.offset} ${range.length}`)
    .digest("hex")
    .toUpperCase();
  const modified = new Date(call.now());
  await replacePart(call, upload.parts, number, { pieces, size: range.length, etag, crc, modified });
  const reply = xml("CopyPartResult", tag("LastModified", modified.toISOString()) + tag("ETag", `"${etag}"`));
  const total = `bytes ${range.offset}-${range.offset + range.length - 1}/${source.size}`;
  return {
    ...reply,
    headers: { ...reply.headers, etag: `"${etag}"`, "content-range": total, ...crcHeader(crc) },
  };
}

async function replacePart(
  call: Call,
  parts: Map<number, StoredPart>,
  number: number,
  part: StoredPart,
): Promise<void> {
  const old = parts.get(number);
  parts.set(number, part);
  if (old !== undefined) await call.storage.release(old.pieces);
}

export async function complete(call: Call): Promise<Reply> {
  const text = await bodyText(call);
  checkMd5(call, createHash("md5").update(text).digest("hex"));
  const upload = call.bucket.upload(call.key, call.query.get("uploadId"));
  const named = [...text.matchAll(/<Part>([\s\S]*?)<\/Part>/g)].map(([, part = ""]) => ({
    number: Number(/<PartNumber>\s*(\d+)\s*<\/PartNumber>/.exec(part)?.[1] ?? Number.NaN),
    etag: /<ETag>\s*(.*?)\s*<\/ETag>/.exec(part)?.[1]?.replaceAll("&quot;", '"').replaceAll('"', ""),
  }));
  if (named.length === 0 || !text.includes("<CompleteMultipartUpload>")) {
    throw new Refusal(400, "MalformedXML", "The XML you provided was not well-formed.");
  }
  const parts = named.map(({ number, etag }, index) => {
    if (!(number >= 1 && number <= MAX_PARTS)) {
      throw new Refusal(400, "InvalidArgument", "PartNumber must be between 1 and 10000.");
    }
    if (index > 0 && number <= (named[index - 1]?.number ?? 0)) {
      const text = "The list of parts was not in ascending order.";
      throw new Refusal(400, "InvalidPartOrder", text, { ec: "0042-00000209" });
    }
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== etag) {
      throw new Refusal(400, "InvalidPart", "One or more of the specified parts could not be found.");
    }
    return part;
  });
  if (parts.slice(0, -1).some((part) => part.size < MIN_PART)) {
    const text = "Your proposed upload is smaller than the minimum allowed size.";
    throw new Refusal(400, "EntityTooSmall", text, { ec: "0042-00000213" });
  }
  call.bucket.checkOverwrite(call.key, call.headers["x-oss-forbid-overwrite"]);
  call.bucket.uploads.delete(upload.uploadId);
  for (const part of upload.parts.values()) {
    if (!parts.includes(part)) await call.storage.release(part.pieces);
  }
  const hash = createHash("md5").update(parts.map((part) => part.etag).join(""));
  const etag = `${hash.digest("hex").toUpperCase()}-${parts.length}`;
  const object = await call.bucket.put(
    call.key,
    {
      pieces: parts.flatMap((part) => part.pieces),
      size: parts.reduce((sum, part) => sum + part.size, 0),
      etag,
      crc: joinedCrc(parts),
      type: "Multipart",
      headers: upload.headers,
    },
    call.now(),
  );
  const names = tag("Bucket", call.bucket.name) + tag("Key", call.key);
  const reply = xml("CompleteMultipartUploadResult", names + tag("ETag", `"${etag}"`));
  const version = object.versionId === "null" ? {} : { "x-oss-version-id": object.versionId };
  return { ...reply, headers: { ...reply.headers, etag: `"${etag}"`, ...crcHeader(object.crc), ...version } };
}

function joinedCrc(parts: readonly StoredPart[]): bigint | undefined {
  let whole = 0n;
  for (const part of parts) {
    if (part.crc === undefined) return undefined;
    whole = plainCombine(whole, part.crc, part.size);
  }
  return whole;
}

export async function abort(call: Call): Promise<Reply> {
  const upload = call.bucket.upload(call.key, call.query.get("uploadId"));
  call.bucket.uploads.delete(upload.uploadId);
  for (const part of upload.parts.values()) await call.storage.release(part.pieces);
  return { status: 204, headers: {} };
}

export function listParts(call: Call): Reply {
  const upload = call.bucket.upload(call.key, call.query.get("uploadId"));
  const most = numberIn(call, "max-parts", 1, 1000, 1000);
  const marker = numberIn(call, "part-number-marker", 0, MAX_PARTS, 0);
  const numbers = [...upload.parts.keys()].filter((number) => number > marker).sort((a, b) => a - b);
  const page = numbers.slice(0, most);
  const items = page.map((number) => {
    const part = upload.parts.get(number) as StoredPart;
    const crc = part.crc === undefined ? "" : tag("HashCrc64ecma", String(part.crc));
    const fields = tag("LastModified", part.modified.toISOString()) + tag("ETag", `"${part.etag}"`) + crc;
    return `<Part>${tag("PartNumber", number)}${fields}${tag("Size", part.size)}</Part>`;
  });
  return xml(
    "ListPartsResult",
    tag("Bucket", call.bucket.name) +
      tag("Key", call.key) +
      tag("UploadId", upload.uploadId) +
      tag("PartNumberMarker", marker) +
      tag("NextPartNumberMarker", page.at(-1) ?? 0) +
      tag("MaxParts", most) +
      tag("IsTruncated", String(page.length < numbers.length)) +
      items.join(""),
  );
}

export function listUploads(call: Call): Reply {
  const most = numberIn(call, "max-uploads", 1, 1000, 1000);
  const prefix = call.query.get("prefix") ?? "";
  const keyMarker = call.query.get("key-marker") ?? "";
  const idMarker = call.query.get("upload-id-marker") ?? "";
  const named = (text: string) =>
    call.query.get("encoding-type") === "url" ? encodeURIComponent(text) : text;
  const all = [...call.bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .filter(
      ({ key, uploadId }) => key > keyMarker || (key === keyMarker && uploadId > idMarker && idMarker !== ""),
    )
    .sort((a, b) => (a.key < b.key || (a.key === b.key && a.uploadId < b.uploadId) ? -1 : 1));
  const page = all.slice(0, most);
  const last = page.at(-1);
  const items = page.map(
    ({ key, uploadId, initiated }) =>
      `<Upload>${tag("Key", named(key))}${tag("UploadId", uploadId)}${tag("Initiated", initiated.toISOString())}</Upload>`,
  );
  return xml(
    "ListMultipartUploadsResult",
    tag("Bucket", call.bucket.name) +
      tag("KeyMarker", named(keyMarker)) +
      tag("UploadIdMarker", idMarker) +
      tag("NextKeyMarker", named(last?.key ?? "")) +
      tag("NextUploadIdMarker", last?.uploadId ?? "") +
      tag("MaxUploads", most) +
      tag("IsTruncated", String(page.length < all.length)) +
      items.join(""),
  );
}

/** @throws Refusal InvalidRange */
function rangeOf(
  header: string | undefined,
  size: number,
): { readonly offset: number; readonly length: number } {
  if (header === undefined) return { offset: 0, length: size };
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const [first, last] = [Number(match?.[1] ?? Number.NaN), Number(match?.[2] ?? Number.NaN)];
  if (!(first <= last && last < size)) {
    throw new Refusal(416, "InvalidRange", "The requested range cannot be satisfied.");
  }
  return { offset: first, length: last - first + 1 };
}
