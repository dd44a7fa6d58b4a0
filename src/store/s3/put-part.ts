/** Sends one part from this thread: zeros that a store will not copy, and streams of unknown length. */
import { createHash } from "node:crypto";
import { Fault } from "../../fault/fault.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import { discardBody, http, readText } from "../../net/http.ts";
import type { PutTargetHttp } from "../store.ts";
import { bareEtag } from "./etag.ts";
import { replyFault } from "./s3-fault.ts";

/** Bytes that can be sent again. */
export interface PartBody {
  readonly length: number;
  /** From the first byte on, at each call. */
  slices(): Iterable<Uint8Array>;
}

const SLICE = 1024 * 1024;

export function bytesBody(bytes: Uint8Array): PartBody {
  return {
    length: bytes.length,
    *slices() {
      for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
    },
  };
}

export function zerosBody(length: number): PartBody {
  const zeros = new Uint8Array(Math.min(length, SLICE));
  return {
    length,
    *slices() {
      for (let left = length; left > 0; left -= SLICE) yield zeros.subarray(0, Math.min(left, SLICE));
    },
  };
}

/**
 * Puts the body to a fresh target for each attempt and holds the reply's ETag against the MD5 of what was sent.
 * Returns the ETag without quotes.
 * @throws Fault CHECKSUM_MISMATCH, and what the server's refusal stands for.
 */
export async function putPart(
  target: (signal: AbortSignal) => Promise<PutTargetHttp>,
  body: PartBody,
  bucket: string,
  refresh: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  return withRetry(
    "S3: sending a part",
    DEFAULT_RETRY,
    async () => {
      const to = await target(signal);
      try {
        return await putOnce(to, body, bucket, signal);
      } catch (error) {
        const fault = Fault.from(error, to.name);
        if (fault.code === "CREDENTIALS_EXPIRED") await refresh(signal);
        throw fault;
      }
    },
    signal,
  );
}

async function putOnce(
  to: PutTargetHttp,
  body: PartBody,
  bucket: string,
  signal: AbortSignal,
): Promise<string> {
  const md5 = createHash("md5");
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for (const slice of body.slices()) {
      md5.update(slice);
      yield slice;
    }
  }
  const reply = await http(
    {
      method: to.method,
      url: to.url,
      headers: { ...to.headers, "content-length": String(body.length) },
      body: body.length === 0 ? new Uint8Array(0) : hashed(),
      name: to.name,
      ...(to.ca === undefined ? {} : { ca: to.ca }),
    },
    signal,
  );
  if (reply.status !== 200) {
    const text = await readText(reply, 65_536, to.name);
    throw replyFault(reply.status, reply.headers, text, { doing: to.name, bucket });
  }
  await discardBody(reply);
  const etag = bareEtag(reply.headers["etag"]);
  const sum = md5.digest("hex");
  if (etag !== sum && !isEncrypted(reply.headers)) {
    throw new Fault("CHECKSUM_MISMATCH", `${to.name}: sent MD5 ${sum}, but the store has "${etag}"`);
  }
  return etag;
}

/** With keys of KMS or of the customer, an ETag is no MD5 (Amazon S3 API Reference, "Object"). */
function isEncrypted(headers: Readonly<Record<string, string>>): boolean {
  return (
    headers["x-amz-server-side-encryption"]?.startsWith("aws:kms") === true ||
    headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined
  );
}
