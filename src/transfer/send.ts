/** The one sender: performs any put target, wherever it came from, and checks the reply. */
import type { Checksums } from "../digest/checksum.ts";
import { Fault } from "../fault/fault.ts";
import { withDeadline, withGrace } from "../flow/deadline.ts";
import { abandonBody, type HttpReply, http, readText, statusFault } from "../net/http.ts";
import type { PutTargetHttp } from "../store/store.ts";

/** An error reply longer than this is not read to its end. */
const MAX_ERROR_TEXT = 64 * 1024;
/** A store that has read a part and begun to answer says its few words within this, however it spaces them. */
const REPLY_MS = 120_000;
/**
 * A part whose body is through may land whatever becomes of the request. Its answer is waited for so long, or it would
 * land behind whoever cleans up.
 */
const LATE_MS = 10_000;

/**
 * Sends a part of `length` bytes and checks the reply against the checksums that `checksums()` knows once the body
 * is through.
 * @returns the ETag as the store gave it, without quotes.
 * @throws Fault CHECKSUM_MISMATCH, CREDENTIALS_EXPIRED, THROTTLED, STORE_UNAVAILABLE, NO_SPACE, NETWORK, …
 */
export async function sendHttp(
  target: PutTargetHttp,
  length: number,
  body: AsyncIterable<Uint8Array>,
  checksums: () => Checksums,
  signal: AbortSignal,
): Promise<string> {
  let left = length;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      left -= chunk.length;
      yield chunk;
    }
  }
  // Nothing has begun that could land; but a part of no bytes would count as through.
  if (signal.aborted) throw Fault.from(signal.reason, target.name);
  const grace = () => (left > 0 ? 0 : LATE_MS);
  return withGrace(grace, signal, (late) => sendAll(target, length, counted(), checksums, late));
}

async function sendAll(
  target: PutTargetHttp,
  length: number,
  body: AsyncIterable<Uint8Array>,
  checksums: () => Checksums,
  signal: AbortSignal,
): Promise<string> {
  const reply = await http(
    {
      method: target.method,
      url: target.url,
      name: target.name,
      headers: { ...target.headers, "content-length": String(length) },
      body: length === 0 ? new Uint8Array(0) : body,
      ...(target.ca === undefined ? {} : { ca: target.ca }),
    },
    signal,
  );
  const text = await withDeadline(target.name, REPLY_MS, signal, (deadline) => {
    deadline.addEventListener("abort", () => abandonBody(reply), { once: true });
    return readText(reply, MAX_ERROR_TEXT, target.name);
  });
  if (reply.status < 200 || reply.status > 299) throw refusal(reply, text, target.name);
  const etag = (reply.headers["etag"] ?? "").replaceAll('"', "");
  checkReply(target, reply, etag, checksums());
  return etag;
}

function checkReply(target: PutTargetHttp, reply: HttpReply, etag: string, known: Checksums): void {
  const { expect, name } = target;
  const encrypted = /kms/i.test(reply.headers["x-amz-server-side-encryption"] ?? "");
  const etagIsMd5 = expect.etag === "md5" || (expect.etag === "unless-encrypted" && !encrypted);
  if (etagIsMd5 && known.md5 !== undefined && etag.toLowerCase() !== known.md5) {
    throw mismatch(name, "MD5", known.md5, etag);
  }
  const crc64 = expect.crc64Header === undefined ? undefined : reply.headers[expect.crc64Header];
  if (crc64 !== undefined && known.crc64xz !== undefined) {
    const theirs = BigInt(crc64).toString(16).padStart(16, "0");
    if (theirs !== known.crc64xz) throw mismatch(name, "CRC-64", known.crc64xz, theirs);
  }
}

function mismatch(name: string, what: string, ours: string, theirs: string): Fault {
  return new Fault(
    "CHECKSUM_MISMATCH",
    `${name}: the store received other bytes than were sent: its ${what} is ${theirs || "missing"}, ours is ${ours}`,
  );
}

/** S3 and OSS name the reason in an XML body; these names say more than the status does. */
const REASONS: Readonly<Record<string, Fault["code"]>> = {
  SlowDown: "THROTTLED",
  RequestLimitExceeded: "THROTTLED",
  QpsLimitExceeded: "THROTTLED",
  ServerBusy: "THROTTLED",
  RequestTimeout: "TIMEOUT",
  InternalError: "STORE_UNAVAILABLE",
  ExpiredToken: "CREDENTIALS_EXPIRED",
  SecurityTokenExpired: "CREDENTIALS_EXPIRED",
  RequestTimeTooSkewed: "CREDENTIALS",
  SignatureDoesNotMatch: "CREDENTIALS",
  InvalidAccessKeyId: "CREDENTIALS",
  AccessDenied: "PERMISSION",
  QuotaExceeded: "NO_SPACE",
  NoSuchUpload: "NOT_FOUND",
  BadDigest: "CHECKSUM_MISMATCH",
  InvalidDigest: "CHECKSUM_MISMATCH",
};

function refusal(reply: HttpReply, text: string, name: string): Fault {
  const generic = statusFault(reply.status, reply.headers, name);
  const reason = /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1];
  // A signed URL that has run out looks like a refusal for good: say what it is, so that a fresh one is asked for.
  const expired = /request has expired/i.test(text);
  const code = expired ? "CREDENTIALS_EXPIRED" : (REASONS[reason ?? ""] ?? generic.code);
  const shown = reason ?? firstLine(text);
  return new Fault(code, `${generic.message}${shown === "" ? "" : ` (${shown})`}`, {
    details: { ...generic.details, ...(reason === undefined ? {} : { reason }) },
    ...(generic.retryAfterMs === undefined ? {} : { retryAfterMs: generic.retryAfterMs }),
  });
}

function firstLine(text: string): string {
  return text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 160);
}
