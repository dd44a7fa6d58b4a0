/**
 * Zeros by reference: temporary objects of zeros beside the target, from whose beginnings parts are copied inside OSS.
 * Each rung is made of copies of the rung below, so one mebibyte is all that ever crosses the network.
 */
import pLimit from "p-limit";
import { GiB, MiB } from "../../bytes/units.ts";
import { crc64Hex, crc64Zeros } from "../../digest/crc64.ts";
import { Fault } from "../../fault/fault.ts";
import { eachOf } from "../../flow/each-of.ts";
import type { OssClient, OssWritten } from "./client.ts";
import { ossCodeOf } from "./error.ts";
import { unquote } from "./xml.ts";

/** Bytes of each rung; the last is the largest part that OSS takes. */
const RUNGS = [MiB, 64 * MiB, 5 * GiB] as const;
const COPIES_AT_ONCE = 8;

interface Rung {
  readonly key: string;
  readonly etag: string;
}

export class ZeroLadder {
  #sent = 0;
  readonly #client: OssClient;
  readonly #stem: string;
  readonly #made = new Map<number, { readonly rung: Promise<Rung>; readonly signal: AbortSignal }>();
  /** Whether there may be anything to remove. */
  #used: boolean;

  /**
   * `stem` begins the keys of the temporary objects and of nothing else. `resumed`: a process before this one may
   * have left some.
   */
  constructor(client: OssClient, stem: string, state: "fresh" | "resumed") {
    this.#client = client;
    this.#stem = stem;
    this.#used = state === "resumed";
  }

  /** An object of zeros of at least `length` bytes, made when there is none yet. */
  async covering(length: number, signal: AbortSignal): Promise<Rung> {
    const index = RUNGS.findIndex((size) => size >= length);
    if (index < 0) throw new Fault("INTERNAL", `a part of ${length} zeros is larger than OSS takes`);
    return this.#rung(index, signal);
  }

  /** Bytes sent so far: only the first rung is not a copy. */
  get sent(): number {
    return this.#sent;
  }

  /** Every object that this ladder may consist of, for people. */
  get names(): readonly string[] {
    return [...RUNGS.keys()].map((index) => this.#client.transport.nameOf(this.#keyOf(index)));
  }

  /** Removes every rung, made by this object or by one before a crash. */
  async remove(signal: AbortSignal): Promise<void> {
    if (!this.#used) return;
    await Promise.allSettled([...this.#made.values()].map(({ rung }) => rung));
    this.#made.clear();
    for await (const { key, uploadId } of this.#client.uploads(this.#stem, signal)) {
      await this.#client.abort(key, uploadId, signal);
    }
    for (const index of RUNGS.keys()) {
      const key = this.#keyOf(index);
      const head = await this.#client.head(key, signal);
      if (head !== undefined) await this.#client.remove(key, head.versionId, signal);
    }
    this.#used = false;
  }

  async #rung(index: number, signal: AbortSignal): Promise<Rung> {
    this.#used = true;
    for (;;) {
      const shared = this.#made.get(index);
      if (shared === undefined) return this.#begin(index, signal);
      try {
        return await shared.rung;
      } catch (error) {
        signal.throwIfAborted();
        // Whoever began it was canceled; those who waited with it go on.
        if (!shared.signal.aborted) throw error;
      }
    }
  }

  #begin(index: number, signal: AbortSignal): Promise<Rung> {
    const rung = this.#make(index, signal);
    this.#made.set(index, { rung, signal });
    rung.catch(() => this.#made.delete(index));
    return rung;
  }

  async #make(index: number, signal: AbortSignal): Promise<Rung> {
    const key = this.#keyOf(index);
    const size = sizeOf(index);
    const written =
      index === 0
        ? await this.#client.put(key, new Uint8Array(size), {}, signal)
        : await this.#join(key, await this.#rung(index - 1, signal), sizeOf(index - 1), size, signal);
    if (index === 0) this.#sent += size;
    const expected = crc64Hex(crc64Zeros("crc64xz", size));
    if (written.crc64xz !== undefined && written.crc64xz !== expected) {
      throw new Fault(
        "CHECKSUM_MISMATCH",
        `${this.#client.transport.nameOf(key)}: ${size} zeros have the CRC-64 ${expected}, the store has ${written.crc64xz}`,
      );
    }
    return { key, etag: `"${written.etag}"` };
  }

  async #join(
    key: string,
    below: Rung,
    step: number,
    size: number,
    signal: AbortSignal,
  ): Promise<OssWritten> {
    const uploadId = await this.#client.initiate(key, {}, signal);
    const etags = new Map<number, string>();
    const numbers = Array.from({ length: size / step }, (_, index) => index + 1);
    try {
      await eachOf(
        numbers,
        pLimit(COPIES_AT_ONCE),
        async (number) => {
          const { etag } = await this.#client.copyPart(
            { key, uploadId, number },
            below,
            { offset: 0, length: step },
            signal,
          );
          etags.set(number, etag);
        },
        signal,
      );
      const parts = numbers.map((number) => ({ number, etag: etags.get(number) ?? "" }));
      return await this.#client.complete(key, uploadId, parts, {}, signal);
    } catch (error) {
      // The reply to a completion that succeeded may have been lost.
      const head = ossCodeOf(error) === "NoSuchUpload" ? await this.#client.head(key, signal) : undefined;
      if (head?.size === size) return { ...head, etag: unquote(head.etag) };
      if (!signal.aborted) await this.#client.abort(key, uploadId, signal).catch(() => {});
      throw error;
    }
  }

  #keyOf(index: number): string {
    return `${this.#stem}${index}`;
  }
}

function sizeOf(index: number): number {
  return RUNGS[index] ?? 0;
}
