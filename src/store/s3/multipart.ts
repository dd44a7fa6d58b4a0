/** The requests of multipart uploads, one function each. */

import { setTimeout as sleep } from "node:timers/promises";
import type { CreateMultipartUploadCommandInput } from "@aws-sdk/client-s3";
import type { Range } from "../../bytes/range.ts";
import { MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { headObject, QUICK_MS, type S3Access, SLOW_MS } from "./client.ts";
import type { S3Location } from "./config.ts";
import { bareEtag } from "./etag.ts";
import { s3Code } from "./s3-fault.ts";

export type UploadProperties = Omit<CreateMultipartUploadCommandInput, "Bucket" | "Key">;

/**
 * Begins an upload and returns its id. The request is never cut off in the middle, since nobody would then know
 * the id of what it left behind.
 */
export async function createUpload(
  access: S3Access,
  location: S3Location,
  properties: UploadProperties,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const { sdk } = access;
  const created = await access.call(
    location,
    "beginning the upload",
    QUICK_MS,
    (client, options) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({ Bucket: location.bucket, Key: location.key, ...properties }),
        options,
      ),
    new AbortController().signal,
  );
  const id = created.UploadId;
  if (id === undefined) {
    throw new Fault("STORE_PROTOCOL", `${access.nameOf(location)}: the store began an upload without an id`);
  }
  if (signal.aborted) {
    await abortUpload(access, location, id, AbortSignal.timeout(QUICK_MS));
    signal.throwIfAborted();
  }
  return id;
}

/** Bytes; of objects no longer than this no ranges are copied (Amazon S3 API Reference, "UploadPartCopy"). */
const SMALLEST_RANGED = 5 * MiB;

/** Where a copied part comes from. */
export interface CopyRange extends Range {
  readonly from: S3Location;
  /** Bytes of the whole object. */
  readonly of: number;
  /** ETag that the object must have, without quotes. */
  readonly ifMatch?: string;
}

export interface CopiedPart {
  readonly etag: string;
  /** 16 hex digits, where the server tells it. */
  readonly crc64nvme?: string;
}

/** Copies bytes of an object as a part. */
export async function copyPart(
  access: S3Access,
  location: S3Location,
  upload: { readonly id: string; readonly part: number },
  range: CopyRange,
  signal: AbortSignal,
): Promise<CopiedPart> {
  const { sdk } = access;
  const { from, offset, length, of, ifMatch } = range;
  const command = new sdk.UploadPartCopyCommand({
    Bucket: location.bucket,
    Key: location.key,
    UploadId: upload.id,
    PartNumber: upload.part,
    CopySource: `${from.bucket}/${from.key.split("/").map(encodeURIComponent).join("/")}`,
    ...(length === of && of <= SMALLEST_RANGED
      ? {}
      : { CopySourceRange: `bytes=${offset}-${offset + length - 1}` }),
    ...(ifMatch === undefined ? {} : { CopySourceIfMatch: `"${ifMatch}"` }),
  });
  const reply = await access.call(
    location,
    `copying part ${upload.part}`,
    SLOW_MS,
    (client, options) => client.send(command, options),
    signal,
  );
  const etag = bareEtag(reply.CopyPartResult?.ETag);
  if (etag === "") {
    const name = access.nameOf(location);
    throw new Fault("STORE_PROTOCOL", `${name}: the store copied part ${upload.part} but named no ETag`);
  }
  const crc = reply.CopyPartResult?.ChecksumCRC64NVME;
  // The element has the base64 of the big-endian bytes.
  return { etag, ...(crc === undefined ? {} : { crc64nvme: Buffer.from(crc, "base64").toString("hex") }) };
}

export interface HeldPart {
  readonly number: number;
  readonly length: number;
  readonly etag: string;
}

/**
 * The parts that the store holds, in order of their numbers, all pages.
 * @throws Fault NOT_FOUND when it does not know the upload.
 */
export async function* listParts(
  access: S3Access,
  location: S3Location,
  uploadId: string,
  signal: AbortSignal,
): AsyncGenerator<HeldPart> {
  const { sdk } = access;
  for (let after: string | undefined; ; ) {
    const command = new sdk.ListPartsCommand({
      Bucket: location.bucket,
      Key: location.key,
      UploadId: uploadId,
      ...(after === undefined ? {} : { PartNumberMarker: after }),
    });
    const page = await access.call(
      location,
      "listing the parts",
      QUICK_MS,
      (client, options) => client.send(command, options),
      signal,
    );
    for (const part of page.Parts ?? []) {
      yield { number: part.PartNumber ?? 0, length: part.Size ?? 0, etag: bareEtag(part.ETag) };
    }
    const next = page.NextPartNumberMarker;
    if (page.IsTruncated !== true || next === undefined || next === after) return;
    after = next;
  }
}

/** An upload that was begun and neither completed nor removed. */
export interface OpenUpload {
  readonly uploadId: string;
  readonly key: string;
  /** When it was begun, as the server tells it. */
  readonly begun: Date | undefined;
}

/** The open uploads whose keys begin with that of `location`, all pages. */
export async function* listUploadsBelow(
  access: S3Access,
  location: S3Location,
  signal: AbortSignal,
): AsyncGenerator<OpenUpload> {
  const { sdk } = access;
  for (let after: { KeyMarker: string; UploadIdMarker: string } | undefined; ; ) {
    const ask = { Bucket: location.bucket, Prefix: location.key, ...after };
    const page = await access.call(
      location,
      "listing open uploads",
      QUICK_MS,
      (client, options) => client.send(new sdk.ListMultipartUploadsCommand(ask), options),
      signal,
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key !== undefined && UploadId !== undefined) {
        yield { uploadId: UploadId, key: Key, begun: Initiated };
      }
    }
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return;
    after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker ?? "" };
  }
}

/** Attempts of removing an upload whose last parts may still be on their way. */
const ABORT_ROUNDS = 8;

/**
 * Removes an upload and its parts. A part that is being sent may land after the first attempt, so this repeats
 * until the store no longer knows the upload (Amazon S3 API Reference, AbortMultipartUpload).
 */
export async function abortUpload(
  access: S3Access,
  location: S3Location,
  uploadId: string,
  signal: AbortSignal,
): Promise<void> {
  const { sdk } = access;
  const command = new sdk.AbortMultipartUploadCommand({
    Bucket: location.bucket,
    Key: location.key,
    UploadId: uploadId,
  });
  for (let round = 0; round < ABORT_ROUNDS; round += 1) {
    if (round > 0) await sleep(Math.min(100 * 2 ** round, 5_000), undefined, { signal });
    const gone = await unlessUnknown(() =>
      access.call(
        location,
        "removing the upload",
        QUICK_MS,
        (client, options) => client.send(command, options),
        signal,
      ),
    );
    if (gone === "unknown") return;
    const parts = await unlessUnknown(() => listParts(access, location, uploadId, signal).next());
    if (parts === "unknown") return;
  }
  throw new Fault(
    "STORE_REFUSED",
    `${access.nameOf(location)}: the store keeps the unfinished upload ${uploadId}; remove it by hand`,
  );
}

async function unlessUnknown<T>(work: () => Promise<T>): Promise<T | "unknown"> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Fault && (s3Code(error) === "NoSuchUpload" || error.code === "NOT_FOUND"))
      return "unknown";
    throw error;
  }
}

/** Removes an object if it is there; in a versioned bucket the version itself, not only its name. */
export async function removeObject(
  access: S3Access,
  location: S3Location,
  signal: AbortSignal,
): Promise<void> {
  const head = await headObject(access, location, signal);
  if (head === undefined) return;
  const { sdk } = access;
  const command = new sdk.DeleteObjectCommand({
    Bucket: location.bucket,
    Key: location.key,
    ...(head.VersionId === undefined ? {} : { VersionId: head.VersionId }),
  });
  await access.call(
    location,
    "removing the object",
    QUICK_MS,
    (client, options) => client.send(command, options),
    signal,
  );
}
