/** S3 and the servers that speak it, as a destination. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { Fault } from "../../fault/fault.ts";
import { discardBody, http, readText } from "../../net/http.ts";
import type { Source } from "../../source/source.ts";
import { alreadyExists } from "../already-exists.ts";
import type {
  CopyPart,
  Destination,
  Landed,
  StoreLimits,
  Upload,
  UploadIntent,
  UploadToken,
} from "../store.ts";
import { headObject, openAccess, QUICK_MS, type S3Access } from "./client.ts";
import type { S3Config, S3Location } from "./config.ts";
import { s3CopyParts } from "./copy.ts";
import { bareEtag } from "./etag.ts";
import { abortUpload, listParts, listUploadsBelow, type OpenUpload, removeObject } from "./multipart.ts";
import { limitsOf } from "./provider.ts";
import { openObject } from "./source.ts";
import { beginUpload, MARK, S3Upload } from "./upload.ts";
import { ZeroLadder, zerosPrefix } from "./zero-ladder.ts";

/** Clocks that differ by more than a quarter of an hour can sign no request. */
const UNHEARD_MS = 15 * 60_000;

const Token = z.object({
  uploadId: z.string().min(1),
  mark: z.string().min(1),
  bucket: z.string(),
  key: z.string(),
});

/**
 * Opens an object's place; asks the server for its limits, for nothing else.
 * @throws Fault CREDENTIALS when none can be found.
 */
export async function openS3(
  config: S3Config,
  location: S3Location,
  signal: AbortSignal,
): Promise<Destination> {
  const access = await openAccess(config);
  return new S3Destination(access, location, await findLimits(access, signal));
}

class S3Destination implements Destination {
  readonly name: string;
  readonly identity: string;
  readonly limits: StoreLimits;
  readonly #access: S3Access;
  readonly #location: S3Location;

  constructor(access: S3Access, location: S3Location, limits: StoreLimits) {
    const { endpoint } = access.config;
    this.#access = access;
    this.#location = location;
    this.identity = `${access.nameOf(location)} at ${endpoint ?? `amazon ${access.config.region ?? ""}`}`;
    this.limits = limits;
    this.name = `${access.nameOf(location)}${endpoint === undefined ? "" : ` at ${new URL(endpoint).origin}`}`;
  }

  async begin(intent: UploadIntent, signal: AbortSignal): Promise<Upload> {
    if (intent.existing === "refuse" && (await this.#isThere(signal))) {
      throw alreadyExists(this.#access.nameOf(this.#location));
    }
    const id = await beginUpload(this.#access, this.#location, randomUUID(), signal);
    return new S3Upload(this.#access, this.#location, id, intent, "new");
  }

  copyParts(source: Source, signal: AbortSignal): Promise<readonly CopyPart[] | undefined> {
    return s3CopyParts(this.#access, source, this.limits, signal);
  }

  async resume(token: UploadToken, intent: UploadIntent, signal: AbortSignal): Promise<Upload> {
    const name = this.#access.nameOf(this.#location);
    const { data } = Token.safeParse(token);
    if (data === undefined || data.bucket !== this.#location.bucket || data.key !== this.#location.key) {
      throw new Fault("NOT_FOUND", `${name}: the journal tells of an upload elsewhere; start again`);
    }
    try {
      await listParts(this.#access, this.#location, data.uploadId, signal).next();
    } catch (error) {
      // The upload is gone, by a rule of the bucket perhaps; what lies beside it is not.
      const gone = error instanceof Fault && error.code === "NOT_FOUND";
      if (gone) await new ZeroLadder(this.#access, this.#location, data.mark, "resumed").remove(signal);
      throw error;
    }
    return new S3Upload(
      this.#access,
      this.#location,
      { id: data.uploadId, mark: data.mark },
      intent,
      "resumed",
    );
  }

  async landed(token: UploadToken, signal: AbortSignal): Promise<Landed | undefined> {
    const head = await headObject(this.#access, this.#location, signal);
    if (head === undefined || head.Metadata?.[MARK] !== token["mark"]) return undefined;
    // Where the process died is not known: between the publishing and the cleaning up, perhaps.
    const { data } = Token.safeParse(token);
    if (data !== undefined && head.ContentLength === 0) {
      await abortUpload(this.#access, this.#location, data.uploadId, signal);
    }
    const zeros = new ZeroLadder(this.#access, this.#location, String(token["mark"]), "resumed");
    const remains = await zeros.remove(signal);
    return {
      name: this.name,
      size: head.ContentLength,
      etag: bareEtag(head.ETag),
      confirmed: {},
      ...(remains.length === 0 ? {} : { remains }),
    };
  }

  async discard(token: UploadToken, signal: AbortSignal): Promise<void> {
    const { data } = Token.safeParse(token);
    if (data?.bucket !== this.#location.bucket || data.key !== this.#location.key) return;
    const id = { id: data.uploadId, mark: data.mark };
    await new S3Upload(this.#access, this.#location, id, { existing: "refuse" }, "resumed").abort(signal);
  }

  async removeUnheard(about: Date, signal: AbortSignal): Promise<void> {
    for await (const { key, uploadId, begun } of listUploadsBelow(this.#access, this.#location, signal)) {
      if (key !== this.#location.key || begun === undefined) continue;
      if (Math.abs(begun.getTime() - about.getTime()) > UNHEARD_MS) continue;
      await abortUpload(this.#access, this.#location, uploadId, signal);
    }
  }

  /** Open uploads of this key, and the zero objects beside it. */
  async removeOrphans(signal: AbortSignal): Promise<void> {
    const { bucket, key } = this.#location;
    for (const upload of await openUploads(this.#access, this.#location, signal)) {
      await abortUpload(this.#access, { bucket, key: upload.key }, upload.uploadId, signal);
    }
    for (const zeros of await keysBelow(this.#access, this.#location, zerosPrefix(key), signal)) {
      await removeObject(this.#access, { bucket, key: zeros }, signal);
    }
  }

  async remove(signal: AbortSignal): Promise<"removed" | "not ours"> {
    const head = await headObject(this.#access, this.#location, signal);
    if (head !== undefined && head.Metadata?.[MARK] === undefined) return "not ours";
    await removeObject(this.#access, this.#location, signal);
    return "removed";
  }

  async source(signal: AbortSignal): Promise<Source> {
    return openObject(this.#access, this.#location, "shared", signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#access.close();
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      return (await headObject(this.#access, this.#location, signal)) !== undefined;
    } catch (error) {
      // Who may write but not list is told nothing; where the condition at completion is a lock, that decides.
      const decided = this.#access.provider.conditional === "kept";
      if (decided && error instanceof Fault && error.code === "PERMISSION") return false;
      throw error;
    }
  }
}

const Positive = z.number().int().positive();

/** What OpenStack Swift tells of itself; each entry of a manifest is a part. */
const SwiftInfo = z.object({
  s3api: z.object({ max_upload_part_num: Positive, min_segment_size: Positive }),
  slo: z.object({ max_manifest_segments: Positive }),
  swift: z.object({ max_file_size: Positive }),
});

/**
 * The limits of the server. OpenStack Swift, whose S3 API takes 1,000 parts unless set otherwise, tells its own to
 * everybody under /info; other servers have no such page and keep Amazon's.
 */
async function findLimits(access: S3Access, signal: AbortSignal): Promise<StoreLimits> {
  const known = limitsOf(access.provider);
  const { endpoint, ca } = access.config;
  if (endpoint === undefined || access.provider.name === "aws") return known;
  const name = `S3 at ${endpoint}`;
  try {
    const url = new URL("/info", endpoint).href;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
    const reply = await http({ method: "GET", url, name, ...(ca === undefined ? {} : { ca }) }, patience);
    if (reply.status !== 200) {
      await discardBody(reply);
      return known;
    }
    const { s3api, slo, swift } = SwiftInfo.parse(JSON.parse(await readText(reply, 1_048_576, name)));
    return {
      ...known,
      minPart: Math.max(known.minPart, s3api.min_segment_size),
      maxPart: Math.min(known.maxPart, swift.max_file_size),
      maxParts: Math.min(known.maxParts, s3api.max_upload_part_num, slo.max_manifest_segments),
    };
  } catch {
    signal.throwIfAborted();
    return known;
  }
}

/** The open uploads of this object and of the zero objects beside it, whoever began them. */
export async function listUploads(
  config: S3Config,
  location: S3Location,
  signal: AbortSignal,
): Promise<readonly OpenUpload[]> {
  const access = await openAccess(config);
  try {
    return await openUploads(access, location, signal);
  } finally {
    access.close();
  }
}

async function openUploads(
  access: S3Access,
  location: S3Location,
  signal: AbortSignal,
): Promise<OpenUpload[]> {
  const found: OpenUpload[] = [];
  const { bucket } = location;
  const zeros = zerosPrefix(location.key);
  for (const key of zeros.startsWith(location.key) ? [location.key] : [location.key, zeros]) {
    for await (const upload of listUploadsBelow(access, { bucket, key }, signal)) {
      if (upload.key === location.key || upload.key.startsWith(zeros)) found.push(upload);
    }
  }
  return found;
}

async function keysBelow(
  access: S3Access,
  location: S3Location,
  prefix: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { sdk } = access;
  const keys: string[] = [];
  for (let after: string | undefined; ; ) {
    const ask = {
      Bucket: location.bucket,
      Prefix: prefix,
      ...(after === undefined ? {} : { StartAfter: after }),
    };
    const page = await access.call(
      location,
      "listing zero objects",
      QUICK_MS,
      (client, options) => client.send(new sdk.ListObjectsV2Command(ask), options),
      signal,
    );
    const names = (page.Contents ?? []).flatMap((item) => (item.Key === undefined ? [] : [item.Key]));
    keys.push(...names);
    after = names.at(-1);
    if (page.IsTruncated !== true || after === undefined) return keys;
  }
}
