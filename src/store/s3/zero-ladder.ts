/**
 * Runs of zeros without sending them. A small object of zeros lies beside the upload for as long as it runs, and
 * parts are copied from it. Longer runs are copied from longer objects, each joined of copies of the one below it,
 * and made only when a run needs it: some thirty requests for runs of 5 GiB, and one for each run after that.
 */
import pLimit from "p-limit";
import { MiB } from "../../bytes/units.ts";
import { Fault, type FaultCode } from "../../fault/fault.ts";
import { eachOf } from "../../flow/each-of.ts";
import { headObject, QUICK_MS, type S3Access, SLOW_MS } from "./client.ts";
import type { S3Location } from "./config.ts";
import { abortUpload, copyPart, createUpload, listUploadsBelow, removeObject } from "./multipart.ts";

/** Bytes. The first is above the 5 MiB below which Amazon copies no ranges; the last is the longest part. */
export const RUNGS: readonly number[] = [8, 16, 64, 256, 1024, 5120].map((size) => size * MiB);

/** All copies that a rung is joined of, and no more than a store likes. */
const COPIES_AT_ONCE = 8;

/** What a store says that does not copy parts, or not for this key. */
const REFUSALS: ReadonlySet<FaultCode> = new Set(["UNSUPPORTED_FEATURE", "STORE_REFUSED", "PERMISSION"]);

/** Bytes of the longest key in UTF-8 (Amazon S3 User Guide, "Naming objects"), less room for mark and number. */
const MAX_KEY_PREFIX = 1024 - 48;

/** The beginning of the names of the zero objects of all uploads of this key. */
export function zerosPrefix(key: string): string {
  const beside = `${key}.diskferry-zeros-`;
  return Buffer.byteLength(beside) <= MAX_KEY_PREFIX ? beside : ".diskferry-zeros-";
}

export class ZeroLadder {
  #sent = 0;
  readonly #access: S3Access;
  readonly #object: S3Location;
  readonly #prefix: string;
  /** Whether an earlier process may have made rungs. */
  readonly #inherited: boolean;
  readonly #made = new Map<number, Promise<S3Location>>();
  /** Rungs that may be there. */
  readonly #touched = new Set<number>();
  #refused = false;

  constructor(access: S3Access, object: S3Location, mark: string, history: "new" | "resumed") {
    this.#access = access;
    this.#object = object;
    this.#prefix = zerosPrefix(object.key) + mark;
    this.#inherited = history === "resumed";
  }

  /**
   * Lands a part of zeros by copy; returns its ETag, or undefined when the store does not copy.
   * @throws Fault
   */
  async copy(
    upload: { readonly id: string; readonly part: number },
    length: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (this.#refused) return undefined;
    const index = RUNGS.findIndex((size) => size >= length);
    if (index < 0) throw new Fault("INTERNAL", `a run of ${length} zeros is longer than a part can be`);
    try {
      const from = await this.#rung(index, signal);
      const range = { from, offset: 0, length, of: RUNGS[index] as number };
      return (await copyPart(this.#access, this.#object, upload, range, signal)).etag;
    } catch (error) {
      const fault = Fault.from(error, this.#access.nameOf(this.#object));
      if (!REFUSALS.has(fault.code)) throw fault;
      this.#refused = true;
      return undefined;
    }
  }

  /** Removes all rungs; returns the names of those that the store would not give up. */
  async remove(signal: AbortSignal): Promise<readonly string[]> {
    const left: string[] = [];
    if (this.#inherited) await this.#abortInherited(signal);
    for (const index of this.#inherited ? RUNGS.keys() : this.#touched) {
      const rung = this.#place(index);
      await this.#made.get(index)?.catch(() => {});
      try {
        await removeObject(this.#access, rung, signal);
        this.#touched.delete(index);
      } catch (error) {
        if (signal.aborted) throw error;
        left.push(this.#access.nameOf(rung));
      }
    }
    this.#made.clear();
    return left;
  }

  /** A process that died while it joined a rung has left an open upload, whose id nobody knows. */
  async #abortInherited(signal: AbortSignal): Promise<void> {
    const { bucket } = this.#object;
    try {
      const below = { bucket, key: this.#prefix };
      for await (const { key, uploadId } of listUploadsBelow(this.#access, below, signal)) {
        await abortUpload(this.#access, { bucket, key }, uploadId, signal);
      }
    } catch (error) {
      // Who may write need not be allowed to list.
      const fault = Fault.from(error, this.#access.nameOf(this.#object));
      if (!REFUSALS.has(fault.code)) throw fault;
    }
  }

  #place(index: number): S3Location {
    return { bucket: this.#object.bucket, key: `${this.#prefix}-${index}` };
  }

  /** The object of `RUNGS[index]` zeros: made once for however many callers; a failure is not remembered. */
  #rung(index: number, signal: AbortSignal): Promise<S3Location> {
    const known = this.#made.get(index);
    if (known !== undefined) return known;
    const making = this.#make(index, signal);
    this.#made.set(index, making);
    this.#touched.add(index);
    making.catch(() => this.#made.delete(index));
    return making;
  }

  async #make(index: number, signal: AbortSignal): Promise<S3Location> {
    const place = this.#place(index);
    const size = RUNGS[index] as number;
    if (this.#inherited && (await headObject(this.#access, place, signal))?.ContentLength === size)
      return place;
    if (index === 0) await this.#putFirst(place, size, signal);
    else await this.#join(place, size, index - 1, signal);
    return place;
  }

  /** Bytes sent so far: only the first rung is not a copy. */
  get sent(): number {
    return this.#sent;
  }

  async #putFirst(place: S3Location, size: number, signal: AbortSignal): Promise<void> {
    const { sdk } = this.#access;
    const ask = { Bucket: place.bucket, Key: place.key, Body: new Uint8Array(size) };
    await this.#access.call(
      place,
      "storing zeros to copy from",
      SLOW_MS,
      (client, options) => client.send(new sdk.PutObjectCommand(ask), options),
      signal,
    );
    this.#sent += size;
  }

  /** Makes an object of `size` zeros of copies of the rung below. */
  async #join(place: S3Location, size: number, below: number, signal: AbortSignal): Promise<void> {
    const { sdk } = this.#access;
    const from = await this.#rung(below, signal);
    const step = RUNGS[below] as number;
    const id = await createUpload(this.#access, place, {}, signal);
    try {
      const numbers = Array.from({ length: Math.ceil(size / step) }, (_, index) => index + 1);
      const etags = new Map<number, string>();
      await eachOf(
        numbers,
        pLimit(COPIES_AT_ONCE),
        async (part) => {
          const length = Math.min(step, size - (part - 1) * step);
          const range = { from, offset: 0, length, of: step };
          etags.set(part, (await copyPart(this.#access, place, { id, part }, range, signal)).etag);
        },
        signal,
      );
      const parts = numbers.map((part) => ({ PartNumber: part, ETag: `"${etags.get(part)}"` }));
      const command = new sdk.CompleteMultipartUploadCommand({
        Bucket: place.bucket,
        Key: place.key,
        UploadId: id,
        MultipartUpload: { Parts: parts },
      });
      await this.#access.call(
        place,
        "joining zeros to copy from",
        SLOW_MS,
        (client, options) => client.send(command, options),
        signal,
      );
    } catch (error) {
      // A copy that was cut off may still land, behind an abort; then whoever goes on removes the upload.
      if (!signal.aborted) {
        await abortUpload(this.#access, place, id, AbortSignal.timeout(QUICK_MS)).catch(() => {});
      }
      throw error;
    }
  }
}
