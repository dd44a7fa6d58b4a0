/** One upload: its targets, what is held of it, its end. */
import type { Checksums } from "../../digest/checksum.ts";
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
import { removePrefix } from "./clean.ts";
import { copyObject } from "./copy-object.ts";
import { swiftPath } from "./location.ts";
import { placeName, segmentName, segmentNumber, type UploadPlace, uploadPrefix } from "./place.ts";
import { isOurs, publish } from "./publish.ts";

export class SwiftUpload implements Upload {
  readonly token: UploadToken;
  readonly #place: UploadPlace;
  readonly #existing: UploadIntent["existing"];
  #besides = 0;

  /** `replaces`: the upload that made the object which was in place when this one began. */
  constructor(place: UploadPlace, existing: UploadIntent["existing"], replaces?: string) {
    this.#place = place;
    this.#existing = existing;
    const { location, segments, id } = place;
    this.token = {
      store: "swift",
      container: location.container,
      object: location.object,
      segments,
      id,
      ...(replaces === undefined ? {} : { replaces }),
    };
  }

  async target(part: PartSlot, signal: AbortSignal): Promise<PutTarget> {
    const { client, segments } = this.#place;
    const grant = await client.grant(signal);
    return {
      kind: "http",
      method: "PUT",
      url: grant.storageUrl + swiftPath(segments, segmentName(this.#place, part.number)),
      headers: { "x-auth-token": grant.token, "content-type": "application/octet-stream" },
      expect: { etag: "md5" },
      ...(client.ca === undefined ? {} : { ca: client.ca }),
      name: `${placeName(this.#place)} part ${part.number}`,
    };
  }

  /** Only noted: the object that all runs of zeros refer to is put when completing. */
  async zeros(
    part: PartSlot & { readonly length: number; readonly offset: number },
    signal: AbortSignal,
  ): Promise<PartReceipt> {
    signal.throwIfAborted();
    const { number, length, offset } = part;
    return { number, length, offset, etag: "", checksums: {}, zero: true };
  }

  async copy(part: PartSlot & CopyPart, signal: AbortSignal): Promise<PartReceipt> {
    signal.throwIfAborted();
    const { number, length, offset, from } = part;
    const object = segmentName(this.#place, number);
    const to = { container: this.#place.segments, object };
    const what = `${placeName(this.#place)}: copying part ${number}`;
    const etag = await copyObject(this.#place.client, from, to, what, signal);
    return { number, length, offset, etag, checksums: { md5: etag } };
  }

  async *held(
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly number: number; readonly length: number; readonly etag: string }> {
    const { client, location, segments, id } = this.#place;
    const what = `${placeName(this.#place)}: listing its parts`;
    for await (const { name, bytes, hash } of client.list(
      segments,
      uploadPrefix(location.object, id),
      what,
      signal,
    )) {
      const number = segmentNumber(this.#place, name);
      if (number !== undefined) yield { number, length: bytes, etag: hash };
    }
  }

  get besides(): number {
    return this.#besides;
  }

  async complete(parts: readonly PartReceipt[], _checksums: Checksums, signal: AbortSignal): Promise<Landed> {
    const count = (sent: number): void => {
      this.#besides += sent;
    };
    return await publish(this.#place, parts, this.#existing, count, signal);
  }

  async abort(signal: AbortSignal): Promise<void> {
    const { client, info, location, segments, id } = this.#place;
    const what = `${placeName(this.#place)}: removing the upload`;
    // Completing may have got through with its reply lost: without its segments that object would be a wreck.
    if (await isOurs(this.#place, signal)) {
      await client.delete(location.container, [location.object], 0, what, signal);
    }
    await removePrefix(client, info, segments, uploadPrefix(location.object, id), what, signal);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    await this.#place.client.refresh(signal);
  }
}
