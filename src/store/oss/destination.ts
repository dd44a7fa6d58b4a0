/**
 * Alibaba OSS as a destination: multipart uploads that the workers send with signed requests, zeros by part copy, and
 * CRC-64/XZ checked per part and for the whole object.
 */
import { randomUUID } from "node:crypto";
import { GiB, KiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { alreadyExists } from "../already-exists.ts";
import type { Destination, StoreLimits } from "../store.ts";
import { OssClient } from "./client.ts";
import { checkKey, type OssConfig, type OssLocation } from "./config.ts";
import { ossCopyParts } from "./copy.ts";
import { ossCodeOf } from "./error.ts";
import { ossSource } from "./source.ts";
import { OssTransport } from "./transport.ts";
import { OssUpload, UPLOAD_META, zeroStem } from "./upload.ts";
import { unquote } from "./xml.ts";
import { ZeroLadder } from "./zeros.ts";

/** Source: OSS API reference, UploadPart and CompleteMultipartUpload. */
const OSS_LIMITS: StoreLimits = {
  minPart: 100 * KiB,
  maxPart: 5 * GiB,
  maxParts: 10_000,
  preferredPart: 64 * MiB,
  placement: "parts",
  zeros: "free",
  // A copy is a request: shorter runs are cheaper sent.
  zeroPart: MiB,
  checksums: ["crc64xz"],
};

/** Clocks that differ by more than a quarter of an hour can sign no request. */
const UNHEARD_MS = 15 * 60_000;

/**
 * Talks to nobody before `begin`, `resume` or `source`.
 * @throws Fault USAGE when endpoint, bucket or key cannot be.
 */
export async function openOss(
  config: OssConfig,
  location: OssLocation,
  signal: AbortSignal,
): Promise<Destination> {
  signal.throwIfAborted();
  checkKey(location);
  const { bucket, key } = location;
  const client = new OssClient(new OssTransport(config, bucket));
  const name = client.transport.nameOf(key);
  return {
    name,
    identity: `${name} at ${config.endpoint ?? config.region}`,
    limits: OSS_LIMITS,
    async begin(intent, signal) {
      const refuse = intent.existing === "refuse";
      if (refuse && (await client.head(key, signal)) !== undefined) throw alreadyExists(name);
      const id = randomUUID();
      const headers = {
        "content-type": "application/octet-stream",
        [UPLOAD_META]: id,
        ...(refuse ? { "x-oss-forbid-overwrite": "true" } : {}),
      };
      const uploadId = await client.initiate(key, headers, signal);
      return new OssUpload(client, location, intent, { uploadId, id, state: "fresh" });
    },
    copyParts: (source, signal) => ossCopyParts(config, source, OSS_LIMITS, signal),
    async resume(token, intent, signal) {
      const { uploadId, id } = token;
      const fits = token["store"] === "oss" && token["bucket"] === bucket && token["key"] === key;
      if (!fits || typeof uploadId !== "string" || typeof id !== "string") {
        throw new Fault("NOT_FOUND", `${name}: the journal speaks of another upload`);
      }
      const upload = new OssUpload(client, location, intent, { uploadId, id, state: "resumed" });
      try {
        await upload.held(signal).next();
      } catch (error) {
        if (ossCodeOf(error) !== "NoSuchUpload") throw error;
        // The upload is gone, by a rule of the bucket perhaps; what lies beside it is not.
        await new ZeroLadder(client, zeroStem(key, id), "resumed").remove(signal);
        const published = (await client.head(key, signal))?.headers[UPLOAD_META] === id;
        const why = published ? "was completed" : "is gone: begin again";
        throw new Fault("NOT_FOUND", `${name}: the upload ${why}`, { details: { published }, cause: error });
      }
      return upload;
    },
    async landed(token, signal) {
      const head = await client.head(key, signal);
      if (head === undefined || head.headers[UPLOAD_META] !== token["id"]) return undefined;
      // An empty object is put beside its upload, which a crash leaves open.
      if (head.size === 0) await client.abort(key, String(token["uploadId"]), signal);
      const confirmed = head.crc64xz === undefined ? {} : { crc64xz: head.crc64xz };
      return { name, size: head.size, etag: unquote(head.etag), confirmed };
    },
    async discard(token, signal) {
      const { uploadId, id } = token;
      if (token["bucket"] !== bucket || token["key"] !== key) return;
      if (typeof uploadId !== "string" || typeof id !== "string") return;
      const upload = new OssUpload(
        client,
        location,
        { existing: "refuse" },
        { uploadId, id, state: "resumed" },
      );
      await upload.abort(signal);
    },
    async removeOrphans(signal) {
      for await (const upload of client.uploads(key, signal)) {
        // Longer keys are other objects.
        if (upload.key === key) await client.abort(upload.key, upload.uploadId, signal);
      }
    },
    async removeUnheard(about, signal) {
      for await (const upload of client.uploads(key, signal)) {
        const near = Math.abs(upload.begun.getTime() - about.getTime()) <= UNHEARD_MS;
        if (upload.key === key && near) await client.abort(key, upload.uploadId, signal);
      }
    },
    async remove(signal) {
      const head = await client.head(key, signal);
      if (head === undefined) return "removed";
      if (head.headers[UPLOAD_META] === undefined) return "not ours";
      await client.remove(key, head.versionId, signal);
      return "removed";
    },
    source: (signal) => ossSource(config, location, signal),
    async [Symbol.asyncDispose]() {},
  };
}
