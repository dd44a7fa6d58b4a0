/** The one sender: performs any put target, wherever it came from, and checks the reply. */
import { writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isZero } from "../bytes/zero.ts";
import type { Checksums } from "../digest/checksum.ts";
import { Fault } from "../fault/fault.ts";
import { withDeadline } from "../flow/deadline.ts";
import { abandonBody, type HttpReply, http, readText, statusFault } from "../net/http.ts";
import type { PutTargetFile, PutTargetHttp } from "../store/store.ts";

/** An error reply longer than this is not read to its end. */
const MAX_ERROR_TEXT = 64 * 1024;
/** A store that has read a part and begun to answer says its few words within this, however it spaces them. */
const REPLY_MS = 120_000;

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

/** A file that is written by offset, from several threads at once. */
export class FileSink implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #name: string;

  private constructor(file: FileHandle, name: string) {
    this.#file = file;
    this.#name = name;
  }

  static async open(target: PutTargetFile): Promise<FileSink> {
    const file = await open(target.path, "r+").catch((error: unknown) => {
      throw Fault.from(error, target.name);
    });
    return new FileSink(file, target.name);
  }

  /** Writes all of `bytes`. @throws Fault NO_SPACE, IO. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file
        .write(bytes, done, bytes.length - done, position + done)
        .catch((error: unknown) => {
          throw Fault.from(error, `${this.#name}: writing at ${position + done}`);
        });
      done += bytesWritten;
    }
  }

  /**
   * The same in one go, for a worker thread: a write goes to the page cache, and the way through the thread pool of
   * libuv and back costs more than that.
   */
  writeNow(bytes: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#file.fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw Fault.from(error, `${this.#name}: writing at ${position}`);
    }
  }

  /**
   * Writes what is not zero, in steps of `hole` bytes, as `writeNow` does; the rest of a new file stays a hole.
   * @returns the bytes written.
   */
  writeSparse(bytes: Uint8Array, position: number, hole: number): number {
    let written = 0;
    let start: number | undefined;
    for (let at = 0; ; at += hole) {
      const end = Math.min(at, bytes.length);
      const zero = end === bytes.length || isZero(bytes.subarray(end, end + hole));
      if (!zero) start ??= end;
      if (zero && start !== undefined) {
        this.writeNow(bytes.subarray(start, end), position + start);
        written += end - start;
        start = undefined;
      }
      if (end === bytes.length) return written;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
