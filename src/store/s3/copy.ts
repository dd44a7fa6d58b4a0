/** Copies inside one S3 server: which parts an object can be copied in, and the copying of one. */
import type { Checksums } from "../../digest/checksum.ts";
import { Fault, type FaultCode } from "../../fault/fault.ts";
import { withGrace } from "../../flow/deadline.ts";
import type { Source } from "../../source/source.ts";
import { copyRanges } from "../copy-ranges.ts";
import type { CopyPart, PartReceipt, PartSlot, StoreLimits } from "../store.ts";
import { headObject, type ObjectHead, QUICK_MS, type S3Access } from "./client.ts";
import type { S3Location } from "./config.ts";
import { bareEtag, isMd5 } from "./etag.ts";
import { type CopiedPart, copyPart } from "./multipart.ts";
import { s3Code } from "./s3-fault.ts";

/** What a server says of an object that these credentials may not see, or not from here. */
const UNSEEN: ReadonlySet<FaultCode> = new Set<FaultCode>(["PERMISSION", "STORE_REFUSED", "USAGE"]);
/** How long the answer to a copy is waited for once nobody wants it any more. */
const GRACE_MS = 60_000;

/** What tells one server from another. */
export function serverOf({ config }: S3Access): string {
  return config.endpoint === undefined ? "amazon" : new URL(config.endpoint).origin;
}

/** What tells one version of an object from another. */
export function versionOf({ ETag, ContentLength }: ObjectHead): string {
  return `s3-${bareEtag(ETag)}-${ContentLength}`;
}

/**
 * The parts of a copy: those of the source where the server tells their size and they are of one size, else ranges.
 * @returns undefined when the source lies elsewhere, or when these credentials do not see it.
 */
export async function s3CopyParts(
  access: S3Access,
  { stored, version, size }: Source,
  limits: StoreLimits,
  signal: AbortSignal,
): Promise<readonly CopyPart[] | undefined> {
  if (stored?.store !== "s3" || stored.url !== serverOf(access) || size === 0) return undefined;
  const { container, object } = stored;
  const location = { bucket: container, key: object };
  const head = await headObject(access, location, signal).catch((error: unknown) => {
    if (UNSEEN.has(Fault.from(error, access.nameOf(location)).code)) return undefined;
    throw error;
  });
  if (head === undefined || versionOf(head) !== version) return undefined;
  const etag = bareEtag(head.ETag);
  const wished = await partOf(access, location, { size, etag }, limits, signal);
  const ranges = copyRanges(size, limits, wished);
  // What is encrypted with other keys has an ETag that is no MD5 (Amazon S3 API Reference, "Object").
  const plain = head.ServerSideEncryption === undefined && head.SSECustomerAlgorithm === undefined;
  return ranges?.map(({ offset, length }) => ({
    offset,
    length,
    from: { container, object, offset, size, etag },
    ...(ranges.length === 1 && plain && isMd5(etag) ? { etag } : {}),
  }));
}

/** The size of the parts that the object was made of, where they have one; undefined where nobody tells. */
async function partOf(
  access: S3Access,
  location: S3Location,
  { size, etag }: { readonly size: number; readonly etag: string },
  { minPart, maxPart, maxParts }: StoreLimits,
  signal: AbortSignal,
): Promise<number | undefined> {
  const count = Number(/^[0-9a-f]{32}-(\d{1,5})$/.exec(etag)?.[1] ?? Number.NaN);
  if (!(count >= 1 && count <= maxParts)) return undefined;
  const { sdk } = access;
  const command = new sdk.HeadObjectCommand({ Bucket: location.bucket, Key: location.key, PartNumber: 1 });
  try {
    const first = await access.call(
      location,
      "looking for its parts",
      QUICK_MS,
      (client, options) => client.send(command, options),
      signal,
    );
    const length = first.ContentLength ?? 0;
    const fits = length <= maxPart && (length >= minPart || count === 1);
    return first.PartsCount === count && fits && Math.ceil(size / length) === count ? length : undefined;
  } catch (error) {
    const fault = Fault.from(error, access.nameOf(location));
    if (signal.aborted || fault.retryable) throw fault;
    // Not every server knows the parameter.
    return undefined;
  }
}

/** Copies a part; see `Upload.copy`. */
export type PartCopier = (part: PartSlot & CopyPart, signal: AbortSignal) => Promise<PartReceipt>;

/**
 * Has the server copy the parts of one upload. Settles when it has answered: it goes on with a copy when nobody listens,
 * and that might land behind a clean-up.
 */
export function partCopier(access: S3Access, location: S3Location, uploadId: string): PartCopier {
  // OpenStack Swift holds the condition against another ETag of large objects than the one that it shows.
  let conditions: "heeded" | "misread" = "heeded";

  const placeOf = ({ container, object }: CopyPart["from"]): S3Location => ({
    bucket: container,
    key: object,
  });
  const stands = async (from: CopyPart["from"], signal: AbortSignal): Promise<boolean> =>
    bareEtag((await headObject(access, placeOf(from), signal))?.ETag) === from.etag;
  const changed = (from: CopyPart["from"], cause?: Fault): Fault =>
    new Fault("SOURCE_CHANGED", `${access.nameOf(placeOf(from))}: changed while it was copied; start again`, {
      cause,
    });

  async function copyOnce(part: PartSlot & CopyPart, signal: AbortSignal): Promise<CopiedPart> {
    const { number, length, from } = part;
    const range = { from: placeOf(from), offset: from.offset, length, of: from.size };
    // By the time of the answer another part may have found out.
    const conditional = conditions === "heeded";
    const pinned = conditional ? { ifMatch: from.etag } : {};
    try {
      return await withGrace(GRACE_MS, signal, (late) =>
        copyPart(access, location, { id: uploadId, part: number }, { ...range, ...pinned }, late),
      );
    } catch (error) {
      const fault = Fault.from(error, access.nameOf(location));
      const doubted = fault.code === "ALREADY_EXISTS" && conditional;
      if (!doubted && s3Code(fault) !== "NoSuchKey") throw fault;
      if (!doubted || !(await stands(from, signal))) throw changed(from, fault);
      conditions = "misread";
      return copyOnce(part, signal);
    }
  }

  return async (part, signal) => {
    signal.throwIfAborted();
    const { number, offset, length, etag: expected } = part;
    const { etag, crc64nvme } = await copyOnce(part, signal);
    if (expected !== undefined && isMd5(etag) && etag !== expected) {
      // Ceph's gateway ignores the condition.
      if (!(await stands(part.from, signal))) throw changed(part.from);
      const name = access.nameOf(location);
      const said = `part ${number} has the ETag ${etag}, its original ${expected}`;
      throw new Fault("CHECKSUM_MISMATCH", `${name}: ${said}`);
    }
    const checksums: Checksums = {
      ...(isMd5(etag) ? { md5: etag } : {}),
      ...(crc64nvme === undefined ? {} : { crc64nvme }),
    };
    return { number, length, offset, etag, checksums };
  };
}
