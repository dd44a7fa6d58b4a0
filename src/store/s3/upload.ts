/** One multipart upload: parts by signed URL, runs of zeros by copy, published at once. */
import { createHash } from "node:crypto";
import type { Checksums } from "../../digest/checksum.ts";
import { crc64Hex, crc64Zeros } from "../../digest/crc64.ts";
import { Fault } from "../../fault/fault.ts";
import { alreadyExists } from "../already-exists.ts";
import type {
  CopyPart,
  Landed,
  PartReceipt,
  PartSlot,
  PutTargetHttp,
  Upload,
  UploadIntent,
  UploadToken,
} from "../store.ts";
import { headObject, type ObjectHead, QUICK_MS, type S3Access, SLOW_MS } from "./client.ts";
import type { S3Location } from "./config.ts";
import { type PartCopier, partCopier } from "./copy.ts";
import { compositeEtag, isMd5 } from "./etag.ts";
import { judge, type Whole } from "./landing.ts";
import { abortUpload, createUpload, type HeldPart, listParts, removeObject } from "./multipart.ts";
import { MAX_PARTS } from "./provider.ts";
import { putPart, zerosBody } from "./put-part.ts";
import { s3Code } from "./s3-fault.ts";
import { ZeroLadder } from "./zero-ladder.ts";

/** Metadata of the object that tells which upload made it. */
export const MARK = "diskferry-upload";

/** How an upload is found again. */
export interface UploadId {
  readonly id: string;
  /** Random text that the object and its zero objects bear. */
  readonly mark: string;
}

/** Begins the upload in the store. */
export async function beginUpload(
  access: S3Access,
  location: S3Location,
  mark: string,
  signal: AbortSignal,
): Promise<UploadId> {
  const checksum = access.provider.wholeObjectCrc
    ? ({ ChecksumAlgorithm: "CRC64NVME", ChecksumType: "FULL_OBJECT" } as const)
    : {};
  const id = await createUpload(access, location, { Metadata: { [MARK]: mark }, ...checksum }, signal);
  return { id, mark };
}

export class S3Upload implements Upload {
  readonly token: UploadToken;
  readonly #access: S3Access;
  readonly #location: S3Location;
  readonly #id: UploadId;
  readonly #intent: UploadIntent;
  readonly #zeros: ZeroLadder;
  readonly #copyPart: PartCopier;
  /** Whether this upload may have published the object; `kept`: it has, and that was told. */
  #published: "no" | "perhaps" | "kept";

  constructor(
    access: S3Access,
    location: S3Location,
    id: UploadId,
    intent: UploadIntent,
    history: "new" | "resumed",
  ) {
    this.#access = access;
    this.#location = location;
    this.#id = id;
    this.#intent = intent;
    this.#zeros = new ZeroLadder(access, location, id.mark, history);
    this.#copyPart = partCopier(access, location, id.id);
    this.#published = history === "resumed" ? "perhaps" : "no";
    this.token = { uploadId: id.id, mark: id.mark, bucket: location.bucket, key: location.key };
  }

  async target(part: PartSlot, signal: AbortSignal): Promise<PutTargetHttp> {
    const { ca } = this.#access.config;
    const command = new this.#access.sdk.UploadPartCommand({
      Bucket: this.#location.bucket,
      Key: this.#location.key,
      UploadId: this.#id.id,
      PartNumber: part.number,
    });
    return {
      kind: "http",
      method: "PUT",
      url: await this.#access.presign(this.#location, command, signal),
      headers: {},
      expect: { etag: "unless-encrypted" },
      name: `${this.#name}: part ${part.number}`,
      ...(ca === undefined ? {} : { ca }),
    };
  }

  async zeros(
    part: PartSlot & { readonly length: number; readonly offset: number },
    signal: AbortSignal,
  ): Promise<PartReceipt> {
    const { number, length, offset } = part;
    const copied = await this.#zeros.copy({ id: this.#id.id, part: number }, length, signal);
    const etag =
      copied ??
      (await putPart(
        (now) => this.target(part, now),
        zerosBody(length),
        this.#location.bucket,
        (now) => this.refresh(now),
        signal,
      ));
    const crc = crc64Hex(crc64Zeros("crc64nvme", length));
    const checksums = {
      ...(isMd5(etag) ? { md5: etag } : {}),
      ...(this.#access.provider.checksums.includes("crc64nvme") ? { crc64nvme: crc } : {}),
    };
    return { number, length, etag, checksums, offset, zero: true };
  }

  copy(part: PartSlot & CopyPart, signal: AbortSignal): Promise<PartReceipt> {
    return this.#copyPart(part, signal);
  }

  held(signal: AbortSignal): AsyncIterable<HeldPart> {
    return listParts(this.#access, this.#location, this.#id.id, signal);
  }

  get besides(): number {
    return this.#zeros.sent;
  }

  async complete(parts: readonly PartReceipt[], checksums: Checksums, signal: AbortSignal): Promise<Landed> {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (parts.length > MAX_PARTS) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `${this.#name}: ${parts.length} parts, but an object has at most ${MAX_PARTS}; raise --segment-size`,
      );
    }
    const whole: Whole = {
      size,
      etag: size === 0 ? EMPTY_MD5 : compositeEtag(parts.map((part) => part.etag)),
      crc64nvme: this.#access.provider.wholeObjectCrc ? checksums.crc64nvme : undefined,
    };
    const before = await this.#lookFirst(signal);
    const head = before ?? (await this.#publish(parts, whole, signal));
    const landed = judge(this.#name, head, whole);
    this.#published = "kept";
    // The object stands, whatever becomes of the rest.
    const remains = await this.#zeros.remove(signal).catch(() => []);
    return remains.length === 0 ? landed : { ...landed, remains };
  }

  async abort(signal: AbortSignal): Promise<void> {
    await abortUpload(this.#access, this.#location, this.#id.id, signal);
    const left = await this.#zeros.remove(signal);
    if (this.#published === "perhaps") {
      // Completing may have succeeded without our having heard of it, or brought out something that is not whole.
      const head = await headObject(this.#access, this.#location, signal);
      if (head !== undefined && this.#isOurs(head)) await removeObject(this.#access, this.#location, signal);
    }
    if (left.length > 0) {
      throw new Fault(
        "STORE_REFUSED",
        `${this.#name}: temporary objects could not be removed: ${left.join(", ")}`,
      );
    }
  }

  async refresh(signal: AbortSignal): Promise<void> {
    await this.#access.refresh(signal);
  }

  get #name(): string {
    return this.#access.nameOf(this.#location);
  }

  #isOurs(head: ObjectHead): boolean {
    return head.Metadata?.[MARK] === this.#id.mark;
  }

  /**
   * Where `If-None-Match` is no lock, looks whether the object is there. Returns it when this upload made it.
   * @throws Fault ALREADY_EXISTS
   */
  async #lookFirst(signal: AbortSignal): Promise<ObjectHead | undefined> {
    if (this.#intent.existing === "replace" || this.#access.provider.conditional === "kept") return undefined;
    const head = await headObject(this.#access, this.#location, signal);
    if (head === undefined) return undefined;
    if (this.#isOurs(head)) return head;
    throw alreadyExists(this.#name);
  }

  /** Publishes the object, or finds that an earlier attempt with a lost reply did; returns what HEAD says of it. */
  async #publish(parts: readonly PartReceipt[], whole: Whole, signal: AbortSignal): Promise<ObjectHead> {
    this.#published = "perhaps";
    let refused: Fault | undefined;
    try {
      if (whole.size === 0) await this.#putEmpty(signal);
      else await this.#join(parts, whole, signal);
    } catch (error) {
      const fault = Fault.from(error, this.#name);
      if (s3Code(fault) !== "NoSuchUpload" && fault.code !== "ALREADY_EXISTS") throw fault;
      refused = fault;
    }
    const head = await headObject(this.#access, this.#location, signal);
    if (refused !== undefined && (head === undefined || !this.#isOurs(head))) throw refused;
    if (head === undefined) {
      throw new Fault("VERIFY_FAILED", `${this.#name}: the store completed the object but does not have it`);
    }
    return head;
  }

  async #join(parts: readonly PartReceipt[], whole: Whole, signal: AbortSignal): Promise<void> {
    const { sdk, provider } = this.#access;
    const ask = {
      Bucket: this.#location.bucket,
      Key: this.#location.key,
      UploadId: this.#id.id,
      MultipartUpload: { Parts: parts.map((part) => ({ PartNumber: part.number, ETag: `"${part.etag}"` })) },
      ...(provider.sizeAtCompletion ? { MpuObjectSize: whole.size } : {}),
      ...(whole.crc64nvme === undefined
        ? {}
        : {
            ChecksumType: "FULL_OBJECT" as const,
            ChecksumCRC64NVME: Buffer.from(whole.crc64nvme, "hex").toString("base64"),
          }),
    };
    await this.#conditionally(
      (condition) =>
        this.#access.call(
          this.#location,
          "completing the upload",
          SLOW_MS,
          (client, options) =>
            client.send(new sdk.CompleteMultipartUploadCommand({ ...ask, ...condition }), options),
          signal,
        ),
      signal,
    );
  }

  /** A multipart upload has at least one part, which some servers want to be non-empty. */
  async #putEmpty(signal: AbortSignal): Promise<void> {
    const { sdk } = this.#access;
    const ask = {
      Bucket: this.#location.bucket,
      Key: this.#location.key,
      Body: new Uint8Array(0),
      Metadata: { [MARK]: this.#id.mark },
    };
    await this.#conditionally(
      (condition) =>
        this.#access.call(
          this.#location,
          "storing the empty object",
          QUICK_MS,
          (client, options) => client.send(new sdk.PutObjectCommand({ ...ask, ...condition }), options),
          signal,
        ),
      signal,
    );
    await abortUpload(this.#access, this.#location, this.#id.id, signal);
  }

  /** With `If-None-Match` where that is wanted, and once more without it where the server does not know it. */
  async #conditionally(
    work: (condition: { readonly IfNoneMatch?: "*" }) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#intent.existing === "replace") {
      await work({});
      return;
    }
    try {
      await work({ IfNoneMatch: "*" });
    } catch (error) {
      const fault = Fault.from(error, this.#name);
      if (fault.code !== "UNSUPPORTED_FEATURE" || this.#access.provider.conditional === "kept") throw fault;
      signal.throwIfAborted();
      await work({});
    }
  }
}

const EMPTY_MD5 = createHash("md5").digest("hex");
