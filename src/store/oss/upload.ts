/** One multipart upload to OSS: what is signed for the workers, and how it is published or undone. */
import type { Checksums } from "../../digest/checksum.ts";
import { crc64Combine, crc64FromHex, crc64Hex, crc64Zeros } from "../../digest/crc64.ts";
import { Fault } from "../../fault/fault.ts";
import { withGrace } from "../../flow/deadline.ts";
import { alreadyExists } from "../already-exists.ts";
import type {
  CopyPart,
  Landed,
  PartReceipt,
  PartSlot,
  PutTarget,
  Upload,
  UploadIntent,
  UploadToken,
} from "../store.ts";
import type { OssClient, OssPart, OssWritten } from "./client.ts";
import type { OssLocation } from "./config.ts";
import { CRC_HEADER } from "./crc.ts";
import { ossCodeOf } from "./error.ts";
import { unquote } from "./xml.ts";
import { ZeroLadder } from "./zeros.ts";

/** Object metadata with the id of the upload that made it: tells our object from another after a lost reply. */
export const UPLOAD_META = "x-oss-meta-diskferry-upload";
/** How often an abort is repeated while parts in flight keep landing. */
const ABORT_ATTEMPTS = 20;
/** How long the answer to a copy is waited for once nobody wants it any more. */
const COPY_GRACE_MS = 60_000;

export interface OssUploadIdentity {
  readonly uploadId: string;
  /** Our own, random; in the object's metadata. */
  readonly id: string;
  /** `resumed`: begun by a process before this one. */
  readonly state: "fresh" | "resumed";
}

export class OssUpload implements Upload {
  readonly token: UploadToken;
  readonly #client: OssClient;
  readonly #location: OssLocation;
  readonly #intent: UploadIntent;
  readonly #identity: OssUploadIdentity;
  readonly #zeros: ZeroLadder;
  #landed: Landed | undefined;

  constructor(client: OssClient, location: OssLocation, intent: UploadIntent, identity: OssUploadIdentity) {
    this.#client = client;
    this.#location = location;
    this.#intent = intent;
    this.#identity = identity;
    this.#zeros = new ZeroLadder(client, zeroStem(location.key, identity.id), identity.state);
    const { bucket, key } = location;
    this.token = { store: "oss", bucket, key, uploadId: identity.uploadId, id: identity.id };
  }

  async target(part: { readonly number: number }): Promise<PutTarget> {
    const { url, headers } = this.#client.transport.signed({
      method: "PUT",
      key: this.#location.key,
      query: { partNumber: String(part.number), uploadId: this.#identity.uploadId },
      headers: this.#client.transport.trafficLimit,
    });
    return {
      kind: "http",
      method: "PUT",
      url,
      headers,
      expect: { etag: "opaque", crc64Header: CRC_HEADER },
      name: `${this.#name}: part ${part.number}`,
      ...this.#client.transport.trust,
    };
  }

  async zeros(
    part: { readonly number: number; readonly length: number; readonly offset: number },
    signal: AbortSignal,
  ): Promise<PartReceipt> {
    const { number, length, offset } = part;
    const crc64xz = crc64Hex(crc64Zeros("crc64xz", length));
    const source = await this.#zeros.covering(length, signal);
    const target = { key: this.#location.key, uploadId: this.#identity.uploadId, number };
    const copied = await this.#client.copyPart(target, source, { offset: 0, length }, signal);
    this.#compare(`part ${number}`, crc64xz, copied.crc64xz);
    return { number, length, etag: copied.etag, checksums: { crc64xz }, offset, zero: true };
  }

  /** Settles when OSS has answered: a copy that nobody waits for may land behind an abort. */
  async copy(part: PartSlot & CopyPart, signal: AbortSignal): Promise<PartReceipt> {
    signal.throwIfAborted();
    const { number, length, offset, from } = part;
    const target = { key: this.#location.key, uploadId: this.#identity.uploadId, number };
    const source = { bucket: from.container, key: from.object, etag: `"${from.etag}"` };
    try {
      const { etag, crc64xz } = await withGrace(COPY_GRACE_MS, signal, (late) =>
        this.#client.copyPart(target, source, { offset: from.offset, length }, late),
      );
      return { number, length, offset, etag, checksums: crc64xz === undefined ? {} : { crc64xz } };
    } catch (error) {
      if (ossCodeOf(error) !== "NoSuchKey") throw error;
      throw new Fault("SOURCE_CHANGED", `oss://${from.container}/${from.object}: went while it was copied`, {
        cause: error,
      });
    }
  }

  async *held(signal: AbortSignal): AsyncGenerator<OssPart> {
    yield* this.#client.parts(this.#location.key, this.#identity.uploadId, signal);
  }

  get besides(): number {
    return this.#zeros.sent;
  }

  async complete(parts: readonly PartReceipt[], checksums: Checksums, signal: AbortSignal): Promise<Landed> {
    if (this.#landed !== undefined) return this.#landed;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const planned = this.#intent.size;
    if (planned !== undefined && planned !== size) {
      throw new Fault(
        "VERIFY_FAILED",
        `${this.#name}: the parts make ${size} bytes, the plan says ${planned}`,
      );
    }
    const expected = this.#wholeCrc(parts, checksums);
    let partsConfirmed = false;
    let remains: readonly string[] = [];
    try {
      await this.#refuseExisting(signal);
      if (size > 0) partsConfirmed = await this.#checkHeld(parts, signal);
      // The copies live on without what they were copied from.
      remains = await this.#clearZeros(signal);
      const written = await this.#publish(parts, size, signal);
      await this.#orUndo(signal, () => this.#compare("the whole object", expected, written.crc64xz));
    } catch (error) {
      if (!(await this.#wasPublished(error, size, expected, signal))) throw error;
      remains = await this.#clearZeros(signal);
    }
    if (size === 0) await this.#abortParts(signal);
    const landed = await this.#orUndo(signal, () => this.#look(size, expected, partsConfirmed, signal));
    this.#landed = remains.length === 0 ? landed : { ...landed, remains };
    return this.#landed;
  }

  async abort(signal: AbortSignal): Promise<void> {
    if (this.#landed !== undefined) {
      throw new Fault("INTERNAL", `${this.#name}: is complete and can no longer be aborted`);
    }
    await this.#abortParts(signal);
    await this.#zeros.remove(signal);
    // A completion whose reply was lost may have published the object.
    await this.#removeOurs(signal);
  }

  async refresh(): Promise<void> {
    throw new Fault(
      "CREDENTIALS",
      `${this.#name}: the credentials are refused and nothing here can renew them; configure new ones`,
    );
  }

  get #name(): string {
    return this.#client.transport.nameOf(this.#location.key);
  }

  /** The whole object's CRC from the parts', held against the caller's; nothing where a part has none. */
  #wholeCrc(parts: readonly PartReceipt[], checksums: Checksums): string | undefined {
    let whole: bigint | undefined = 0n;
    for (const part of parts) {
      const crc = part.checksums.crc64xz;
      if (crc === undefined || whole === undefined) whole = undefined;
      else whole = crc64Combine("crc64xz", whole, crc64FromHex(crc), part.length);
    }
    const joined = whole === undefined ? undefined : crc64Hex(whole);
    const given = checksums.crc64xz;
    if (given !== undefined) this.#compare("the parts together", given, joined);
    return given ?? joined;
  }

  #compare(what: string, expected: string | undefined, found: string | undefined): void {
    if (expected === undefined || found === undefined || expected === found) return;
    throw new Fault(
      "CHECKSUM_MISMATCH",
      `${this.#name}: ${what} should have the CRC-64 ${expected}, the store has ${found}`,
      { details: { expected, found } },
    );
  }

  /** Where a bucket keeps versions OSS ignores x-oss-forbid-overwrite: so it is looked for just before. */
  async #refuseExisting(signal: AbortSignal): Promise<void> {
    if (this.#intent.existing !== "refuse") return;
    if ((await this.#client.head(this.#location.key, signal)) === undefined) return;
    throw alreadyExists(this.#name);
  }

  /**
   * Holds every receipt against what OSS says it holds. This is the only check of copied parts, for which OSS need
   * not give a CRC of the whole. True when OSS gave a CRC for every part.
   */
  async #checkHeld(parts: readonly PartReceipt[], signal: AbortSignal): Promise<boolean> {
    const held = new Map<number, OssPart>();
    for await (const part of this.held(signal)) held.set(part.number, part);
    let confirmed = parts.length > 0;
    for (const part of parts) {
      const found = held.get(part.number);
      if (found === undefined || found.length !== part.length || found.etag !== part.etag) {
        const state = found === undefined ? "is missing" : "is not the one that was acknowledged";
        throw new Fault("VERIFY_FAILED", `${this.#name}: part ${part.number} ${state} in the store`);
      }
      this.#compare(`part ${part.number}`, part.checksums.crc64xz, found.crc64xz);
      if (part.checksums.crc64xz === undefined || found.crc64xz === undefined) confirmed = false;
    }
    return confirmed;
  }

  /** OSS joins no upload without bytes: an empty object is written at once, and the upload dropped. */
  async #publish(parts: readonly PartReceipt[], size: number, signal: AbortSignal): Promise<OssWritten> {
    const { key } = this.#location;
    const condition: Record<string, string> =
      this.#intent.existing === "refuse" ? { "x-oss-forbid-overwrite": "true" } : {};
    if (size > 0) return this.#client.complete(key, this.#identity.uploadId, parts, condition, signal);
    const headers = { ...condition, [UPLOAD_META]: this.#identity.id };
    return this.#client.put(key, new Uint8Array(0), headers, signal);
  }

  /** Names the temporary objects when they cannot be removed: no reason to fail a whole transfer. */
  async #clearZeros(signal: AbortSignal): Promise<readonly string[]> {
    try {
      await this.#zeros.remove(signal);
      return [];
    } catch {
      signal.throwIfAborted();
      return this.#zeros.names;
    }
  }

  /** Whether `error` only says that an earlier attempt, whose reply was lost, has published our object. */
  async #wasPublished(
    error: unknown,
    size: number,
    expected: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isGone = ossCodeOf(error) === "NoSuchUpload";
    if (!isGone && !(error instanceof Fault && error.code === "ALREADY_EXISTS")) return false;
    const head = await this.#client.head(this.#location.key, signal);
    const mark = head?.headers[UPLOAD_META];
    if (mark !== undefined) return mark === this.#identity.id;
    // A gateway that drops metadata: the same size and CRC must do.
    return isGone && head?.size === size && expected !== undefined && head.crc64xz === expected;
  }

  async #look(
    size: number,
    expected: string | undefined,
    partsConfirmed: boolean,
    signal: AbortSignal,
  ): Promise<Landed> {
    const head = await this.#client.head(this.#location.key, signal);
    if (head === undefined || head.size !== size) {
      const found = head === undefined ? "nothing" : `${head.size} bytes`;
      throw new Fault("VERIFY_FAILED", `${this.#name}: should have ${size} bytes, the store has ${found}`);
    }
    this.#compare("the whole object", expected, head.crc64xz);
    const confirmed = expected !== undefined && (head.crc64xz !== undefined || partsConfirmed);
    return {
      name: this.#name,
      size,
      etag: unquote(head.etag),
      confirmed: confirmed ? { crc64xz: expected } : {},
    };
  }

  /** Takes a published object back when what the store says of it is wrong. */
  async #orUndo<T>(signal: AbortSignal, check: () => T | Promise<T>): Promise<T> {
    try {
      return await check();
    } catch (error) {
      const wrong =
        error instanceof Fault && (error.code === "CHECKSUM_MISMATCH" || error.code === "VERIFY_FAILED");
      if (wrong) await this.#removeOurs(signal);
      throw error;
    }
  }

  async #removeOurs(signal: AbortSignal): Promise<void> {
    const head = await this.#client.head(this.#location.key, signal);
    if (head?.headers[UPLOAD_META] !== this.#identity.id) return;
    await this.#client.remove(this.#location.key, head.versionId, signal);
  }

  /** Parts in flight may land after an abort: repeated until OSS no longer knows the upload. */
  async #abortParts(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; attempt <= ABORT_ATTEMPTS; attempt += 1) {
      await this.#client.abort(this.#location.key, this.#identity.uploadId, signal);
      if (await this.#isGone(signal)) return;
    }
    throw new Fault(
      "STORE_UNAVAILABLE",
      `${this.#name}: the upload is still there after ${ABORT_ATTEMPTS} aborts; abort again`,
    );
  }

  async #isGone(signal: AbortSignal): Promise<boolean> {
    try {
      await this.held(signal).next();
      return false;
    } catch (error) {
      if (ossCodeOf(error) === "NoSuchUpload") return true;
      throw error;
    }
  }
}

/** Beside the target, so that policies for a prefix cover both; cut to the longest key that OSS takes. */
export function zeroStem(key: string, id: string): string {
  const suffix = `.zeros-${id}-`;
  const points = [...key];
  while (Buffer.byteLength(points.join("")) + suffix.length + 1 > 1023) points.pop();
  return points.join("") + suffix;
}
