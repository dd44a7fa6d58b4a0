/** The control calls of OSS on one bucket, in terms of objects, uploads and parts. */
import { z } from "zod";
import type { Range } from "../../bytes/range.ts";
import { Fault } from "../../fault/fault.ts";
import { CRC_HEADER, crcFromDecimal } from "./crc.ts";
import { ossCodeOf } from "./error.ts";
import { encodeKey } from "./sign.ts";
import type { OssAsk, OssTransport } from "./transport.ts";
import { escapeXml, readXml, unquote, xmlEtag, xmlNumber } from "./xml.ts";

/** Completing and copying large parts may take OSS minutes. */
const SLOW_CALL_MS = 600_000;
/** Most entries of a page of ListParts and ListMultipartUploads. */
const PAGE = "1000";

export interface OssPart {
  readonly number: number;
  readonly length: number;
  /** Without quotes. */
  readonly etag: string;
  /** 16 hex digits; a copied part may have none. */
  readonly crc64xz?: string;
}

export interface OssHead {
  readonly size: number;
  /** With its quotes, as If-Match wants it. */
  readonly etag: string;
  readonly crc64xz?: string;
  readonly versionId?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a write of an object or a part replies. */
export interface OssWritten {
  /** Without quotes; empty where the reply has none. */
  readonly etag: string;
  readonly crc64xz?: string;
}

const initiateSchema = z.object({ UploadId: z.string().min(1) });
const completeSchema = z.object({ ETag: xmlEtag });
const copySchema = z.object({ ETag: xmlEtag });
const partsSchema = z.object({
  IsTruncated: z.enum(["true", "false"]),
  NextPartNumberMarker: z.string().optional(),
  Part: z
    .array(
      z.object({
        PartNumber: xmlNumber,
        Size: xmlNumber,
        ETag: xmlEtag,
        HashCrc64ecma: z.string().optional(),
      }),
    )
    .default([]),
});
const uploadsSchema = z.object({
  IsTruncated: z.enum(["true", "false"]),
  NextKeyMarker: z.string().optional(),
  NextUploadIdMarker: z.string().optional(),
  Upload: z
    .array(z.object({ Key: z.string(), UploadId: z.string(), Initiated: z.string().optional() }))
    .default([]),
});

export class OssClient {
  readonly transport: OssTransport;

  constructor(transport: OssTransport) {
    this.transport = transport;
  }

  /** @throws Fault NOT_FOUND (bucket), ALREADY_EXISTS (with x-oss-forbid-overwrite), PERMISSION, CREDENTIALS. */
  async initiate(
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<string> {
    const doing = "beginning the upload";
    const ask: OssAsk = { method: "POST", key, query: { uploads: "" }, headers, doing };
    const reply = await this.transport.call(ask, signal);
    return readXml(reply.text, "InitiateMultipartUploadResult", initiateSchema, this.transport.what(ask))
      .UploadId;
  }

  /** @throws Fault NOT_FOUND (`NoSuchUpload`), ALREADY_EXISTS, STORE_REFUSED (parts that do not fit). */
  async complete(
    key: string,
    uploadId: string,
    parts: readonly { readonly number: number; readonly etag: string }[],
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<OssWritten> {
    const items = parts.map(
      (part) => `<Part><PartNumber>${part.number}</PartNumber><ETag>"${escapeXml(part.etag)}"</ETag></Part>`,
    );
    const ask: OssAsk = {
      method: "POST",
      key,
      query: { uploadId },
      headers: { ...headers, "content-type": "application/xml" },
      body: `<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`,
      doing: "completing the upload",
      deadlineMs: SLOW_CALL_MS,
    };
    const reply = await this.transport.call(ask, signal);
    const result = readXml(
      reply.text,
      "CompleteMultipartUploadResult",
      completeSchema,
      this.transport.what(ask),
    );
    return { etag: result.ETag, ...this.#crcOf(reply.headers, ask) };
  }

  /** An upload that is gone already is no error. */
  async abort(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    const ask: OssAsk = { method: "DELETE", key, query: { uploadId }, doing: "aborting the upload" };
    await this.transport.call(ask, signal).catch(unless("NoSuchUpload"));
  }

  /** Every part that OSS holds, by number. @throws Fault NOT_FOUND (`NoSuchUpload`). */
  async *parts(key: string, uploadId: string, signal: AbortSignal): AsyncGenerator<OssPart> {
    let marker = "0";
    for (;;) {
      const ask: OssAsk = {
        method: "GET",
        key,
        query: { uploadId, "max-parts": PAGE, "part-number-marker": marker },
        doing: "listing the parts",
      };
      const what = this.transport.what(ask);
      const reply = await this.transport.call(ask, signal);
      const page = readXml(reply.text, "ListPartsResult", partsSchema, what);
      for (const part of page.Part) {
        const crc = part.HashCrc64ecma;
        yield {
          number: part.PartNumber,
          length: part.Size,
          etag: part.ETag,
          ...(crc === undefined || crc === "" ? {} : { crc64xz: crcFromDecimal(crc, what) }),
        };
      }
      if (page.IsTruncated === "false") return;
      const next = page.NextPartNumberMarker;
      if (next === undefined || Number(next) <= Number(marker)) {
        throw new Fault("STORE_PROTOCOL", `${what}: the page after part ${marker} leads nowhere`);
      }
      marker = next;
    }
  }

  /** Every unfinished upload whose key begins with `prefix`, and when it was begun, by the clock of OSS. */
  async *uploads(
    prefix: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly key: string; readonly uploadId: string; readonly begun: Date }> {
    let markers: Record<string, string> = {};
    for (;;) {
      const ask: OssAsk = {
        method: "GET",
        key: "",
        query: { uploads: "", prefix, "max-uploads": PAGE, "encoding-type": "url", ...markers },
        doing: "listing unfinished uploads",
      };
      const what = this.transport.what(ask);
      const reply = await this.transport.call(ask, signal);
      const page = readXml(reply.text, "ListMultipartUploadsResult", uploadsSchema, what);
      for (const upload of page.Upload) {
        const begun = new Date(upload.Initiated ?? Number.NaN);
        yield { key: urlDecoded(upload.Key, what), uploadId: upload.UploadId, begun };
      }
      if (page.IsTruncated === "false") return;
      const next = {
        "key-marker": urlDecoded(page.NextKeyMarker ?? "", what),
        "upload-id-marker": page.NextUploadIdMarker ?? "",
      };
      if (JSON.stringify(next) === JSON.stringify(markers) || next["key-marker"] === "") {
        throw new Fault("STORE_PROTOCOL", `${what}: the next page leads nowhere`);
      }
      markers = next;
    }
  }

  /** Makes a part of bytes of another object, of this bucket or another of the region, pinned by its ETag. */
  async copyPart(
    target: { readonly key: string; readonly uploadId: string; readonly number: number },
    source: { readonly bucket?: string; readonly key: string; readonly etag: string },
    { offset, length }: Range,
    signal: AbortSignal,
  ): Promise<OssWritten> {
    const ask: OssAsk = {
      method: "PUT",
      key: target.key,
      query: { partNumber: String(target.number), uploadId: target.uploadId },
      headers: {
        "x-oss-copy-source": `/${source.bucket ?? this.transport.bucket}/${encodeKey(source.key)}`,
        "x-oss-copy-source-range": `bytes=${offset}-${offset + length - 1}`,
        "x-oss-copy-source-if-match": source.etag,
      },
      doing: `copying part ${target.number}`,
      deadlineMs: SLOW_CALL_MS,
    };
    const reply = await this.transport.call(ask, signal);
    const result = readXml(reply.text, "CopyPartResult", copySchema, this.transport.what(ask));
    return { etag: result.ETag, ...this.#crcOf(reply.headers, ask) };
  }

  /** A small object in one request. */
  async put(
    key: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<OssWritten> {
    const ask: OssAsk = {
      method: "PUT",
      key,
      headers: { "content-type": "application/octet-stream", ...headers },
      body,
      doing: "writing",
    };
    const reply = await this.transport.call(ask, signal);
    return { etag: unquote(reply.headers["etag"] ?? ""), ...this.#crcOf(reply.headers, ask) };
  }

  /** What is known of the object, or nothing when it is not there. */
  async head(key: string, signal: AbortSignal): Promise<OssHead | undefined> {
    const ask: OssAsk = { method: "HEAD", key, doing: "looking at the object" };
    const reply = await this.transport.call(ask, signal).catch((error: unknown) => {
      const bucketIsGone = ossCodeOf(error) === "NoSuchBucket";
      if (error instanceof Fault && error.code === "NOT_FOUND" && !bucketIsGone) return undefined;
      throw error;
    });
    if (reply === undefined) return undefined;
    const size = Number(reply.headers["content-length"] ?? Number.NaN);
    const etag = reply.headers["etag"];
    if (!Number.isSafeInteger(size) || etag === undefined) {
      throw new Fault("STORE_PROTOCOL", `${this.transport.what(ask)}: the reply has no size or no ETag`);
    }
    const versionId = reply.headers["x-oss-version-id"];
    return {
      size,
      etag,
      headers: reply.headers,
      ...this.#crcOf(reply.headers, ask),
      ...(versionId === undefined ? {} : { versionId }),
    };
  }

  /** Deletes one version of the object, where the bucket keeps versions. What is not there is no error. */
  async remove(key: string, versionId: string | undefined, signal: AbortSignal): Promise<void> {
    const query = versionId === undefined ? {} : { versionId };
    const ask: OssAsk = { method: "DELETE", key, query, doing: "removing" };
    await this.transport.call(ask, signal).catch(unless("NoSuchKey", "NoSuchVersion"));
  }

  #crcOf(headers: Readonly<Record<string, string>>, ask: OssAsk): { readonly crc64xz?: string } {
    const crc = headers[CRC_HEADER];
    return crc === undefined ? {} : { crc64xz: crcFromDecimal(crc, this.transport.what(ask)) };
  }
}

/** Swallows the named OSS codes, throws all else. */
function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(ossCodeOf(error) ?? "")) throw error;
    return undefined;
  };
}

function urlDecoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new Fault("STORE_PROTOCOL", `${what}: a name in the reply is not URL-encoded`);
  }
}
