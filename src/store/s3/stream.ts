/**
 * Streams whose length nobody knows, such as standard input, into one object. The SDK's stream uploader cuts the
 * parts and bounds how many are under way; beginning, sending, completing and giving up are the destination's, since
 * the uploader's own leave requests running and uploads lying about when they are aborted.
 */
import { Readable } from "node:stream";
import type { S3Client, UploadPartCommandInput } from "@aws-sdk/client-s3";
import { formatSize, MiB } from "../../bytes/units.ts";
import { Crc64, crc64Hex } from "../../digest/crc64.ts";
import { Fault } from "../../fault/fault.ts";
import type { Destination, Landed, PartReceipt, Upload as PartUpload, PutTargetHttp } from "../store.ts";
import { openAccess } from "./client.ts";
import type { S3Config, S3Location } from "./config.ts";
import { openS3 } from "./destination.ts";
import { bytesBody, putPart } from "./put-part.ts";

export interface StreamOptions {
  readonly existing: "refuse" | "replace";
  /** Bytes, from the store's minimum to its maximum; an object has at most `maxParts` of them. */
  readonly partSize?: number;
  /** Parts under way at once, at least 1. Memory is (concurrency + 1) × (partSize + 1 MiB). */
  readonly concurrency?: number;
  /** Told the bytes that the store has acknowledged so far. */
  readonly onProgress?: (sent: number) => void;
}

/** Pieces in which the input is kept: buffers of their own, so that a part pins no foreign memory. */
const PIECE = MiB;
const CLEAN_UP_MS = 120_000;

/**
 * Uploads the stream to its end. After a failure or abort nothing is left in the store; the stream may be left half
 * read.
 * @throws Fault ALREADY_EXISTS, LIMIT_EXCEEDED when the stream has more than `maxParts` parts, and what the stream
 * and the store do.
 */
export async function uploadStream(
  config: S3Config,
  location: S3Location,
  stream: AsyncIterable<Uint8Array>,
  options: StreamOptions,
  signal: AbortSignal,
): Promise<Landed> {
  const access = await openAccess(config);
  await using destination = await openS3(config, location, signal);
  const uploading = new StreamUpload(destination, location.bucket, options, signal);
  try {
    return await uploading.run(stream, access.clientConfig);
  } catch (error) {
    const fault = Fault.from(signal.aborted ? signal.reason : error, destination.name);
    const left = await uploading.giveUp();
    if (left === undefined) throw fault;
    throw new Fault(fault.code, `${fault.message}; and ${left.message}`, { cause: error });
  } finally {
    access.close();
  }
}

class StreamUpload {
  readonly #destination: Destination;
  readonly #bucket: string;
  readonly #options: StreamOptions;
  readonly #partSize: number;
  /** Fires with the caller's signal and with the first failure: ends the input and the parts under way. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #receipts: PartReceipt[] = [];
  readonly #crc: Crc64 | undefined;
  #sent = 0;
  #upload: PartUpload | undefined;
  #landed: Landed | undefined;

  constructor(destination: Destination, bucket: string, options: StreamOptions, signal: AbortSignal) {
    const { minPart, maxPart, preferredPart, checksums } = destination.limits;
    this.#destination = destination;
    this.#bucket = bucket;
    this.#options = options;
    this.#partSize = Math.min(Math.max(options.partSize ?? preferredPart, minPart), maxPart);
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#crc = checksums.includes("crc64nvme") ? new Crc64("crc64nvme") : undefined;
  }

  async run(stream: AsyncIterable<Uint8Array>, config: S3Client["config"]): Promise<Landed> {
    const { Upload } = await import("@aws-sdk/lib-storage");
    const client = { config, send: (command: SentCommand) => this.#perform(command) };
    const uploader = new Upload({
      client: client as unknown as S3Client,
      params: { Bucket: this.#bucket, Key: "-", Body: Readable.from(this.#pieces(stream)) },
      partSize: this.#partSize,
      queueSize: Math.max(1, this.#options.concurrency ?? 4),
      leavePartsOnError: true,
    });
    await uploader.done();
    if (this.#landed === undefined) throw new Fault("INTERNAL", "S3: the stream ended without an object");
    return this.#landed;
  }

  /** Leaves nothing behind, or returns why not; works although the caller's signal may have fired. */
  async giveUp(): Promise<Fault | undefined> {
    this.#stop.abort();
    try {
      await this.#upload?.abort(AbortSignal.timeout(CLEAN_UP_MS));
      return undefined;
    } catch (error) {
      return Fault.from(error, this.#destination.name);
    }
  }

  /** Stands in for the client of the uploader: does what a command stands for. */
  async #perform(command: SentCommand): Promise<unknown> {
    const { input } = command;
    try {
      switch (command.constructor.name) {
        case "CreateMultipartUploadCommand":
          return { UploadId: (await this.#begin()).token["uploadId"] };
        case "UploadPartCommand":
          return { ETag: await this.#send(input.PartNumber ?? 0, input.Body as Uint8Array) };
        case "PutObjectCommand":
          // The whole stream was no longer than a part.
          await this.#begin();
          if (input.Body !== undefined) await this.#send(1, input.Body as Uint8Array);
          return await this.#complete();
        case "CompleteMultipartUploadCommand":
          return await this.#complete();
        default:
          throw new Fault("INTERNAL", `S3: the stream uploader asked for ${command.constructor.name}`);
      }
    } catch (error) {
      this.#stop.abort(error);
      throw error;
    }
  }

  async #begin(): Promise<PartUpload> {
    this.#upload = await this.#destination.begin({ existing: this.#options.existing }, this.#signal);
    return this.#upload;
  }

  async #send(number: number, bytes: Uint8Array): Promise<string> {
    const upload = this.#begun();
    const { maxParts } = this.#destination.limits;
    if (number > maxParts) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `${this.#destination.name}: the stream is longer than ${maxParts} parts of ${formatSize(this.#partSize)}; raise --segment-size`,
      );
    }
    if (bytes.length === 0) return "";
    const target = async (signal: AbortSignal): Promise<PutTargetHttp> => {
      const to = await upload.target({ number }, signal);
      if (to.kind !== "http") throw new Fault("INTERNAL", `${to.name}: is no HTTP target`);
      return to;
    };
    const refresh = (signal: AbortSignal) => upload.refresh(signal);
    const etag = await putPart(target, bytesBody(bytes), this.#bucket, refresh, this.#signal);
    this.#receipts.push({ number, length: bytes.length, etag, checksums: {} });
    this.#sent += bytes.length;
    this.#options.onProgress?.(this.#sent);
    return etag;
  }

  async #complete(): Promise<Landed> {
    const parts = this.#receipts.toSorted((a, b) => a.number - b.number);
    const checksums = this.#crc === undefined ? {} : { crc64nvme: crc64Hex(this.#crc.value()) };
    this.#landed = await this.#begun().complete(parts, checksums, this.#signal);
    return this.#landed;
  }

  #begun(): PartUpload {
    if (this.#upload === undefined) throw new Fault("INTERNAL", "S3: a part came before its upload");
    return this.#upload;
  }

  /** The input in whole pieces, until it ends or this upload does. */
  async *#pieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let piece = Buffer.allocUnsafeSlow(PIECE);
    let filled = 0;
    for await (const chunk of untilStopped(stream, this.#signal)) {
      this.#crc?.update(chunk);
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + PIECE - filled);
        piece.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < PIECE) continue;
        yield piece;
        piece = Buffer.allocUnsafeSlow(PIECE);
        filled = 0;
      }
    }
    if (filled > 0) yield piece.subarray(0, filled);
  }
}

interface SentCommand {
  readonly constructor: { readonly name: string };
  readonly input: Pick<UploadPartCommandInput, "PartNumber" | "Body">;
}

/** What the stream gives; a stream that stands still does not hold up the end. */
async function* untilStopped(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        if (signal.aborted) return onAbort();
        signal.addEventListener("abort", onAbort, { once: true });
        iterator
          .next()
          .then(resolve, reject)
          .finally(() => signal.removeEventListener("abort", onAbort));
      });
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    // Not awaited: a stream that stands still would not answer.
    iterator.return?.().catch(() => {});
  }
}
