/** OpenStack Swift as a destination: segments and a static large object. */
import { randomUUID } from "node:crypto";
import { GiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import { alreadyExists } from "../already-exists.ts";
import type { Destination, StoreLimits, Upload, UploadIntent, UploadToken } from "../store.ts";
import { openSwiftClient, type SwiftClient } from "./client.ts";
import type { SwiftConfig } from "./config.ts";
import { swiftCopyParts } from "./copy-parts.ts";
import type { SwiftInfo } from "./info.ts";
import { checkLocation, type SwiftLocation, swiftName } from "./location.ts";
import { isUploadId, NAME_OVERHEAD, newUploadId, UPLOAD_META, type UploadPlace } from "./place.ts";
import { forgetPredecessor } from "./publish.ts";
import { openSwiftObject } from "./source.ts";
import { SwiftUpload } from "./upload.ts";
import { SLOW_ENTRY } from "./zeros.ts";

export interface SwiftDestination extends Destination {
  /**
   * Uploads to this name that have left something and did not make the object that is there now: given up, or
   * still running somewhere. `resume` and then `abort` removes one.
   */
  listUploads(signal: AbortSignal): AsyncIterable<UploadToken>;
}

/**
 * @throws Fault CREDENTIALS; USAGE for a name that Swift cannot hold; UNSUPPORTED_FEATURE for a store without static
 * large objects; NETWORK and its kin.
 */
export async function openSwift(
  config: SwiftConfig,
  location: SwiftLocation,
  signal: AbortSignal,
): Promise<SwiftDestination> {
  checkLocation(location, Number.POSITIVE_INFINITY);
  const client = await openSwiftClient(config, signal);
  const info = await client.info(signal);
  checkLocation(location, info.maxNameBytes - NAME_OVERHEAD);
  const name = swiftName(location);
  if (!info.staticLargeObjects) {
    throw new Fault("UNSUPPORTED_FEATURE", `${name}: the store offers no static large objects (slo)`);
  }
  const segments = config.segmentContainer ?? `${location.container}_segments`;
  checkLocation({ container: segments, object: location.object }, Number.POSITIVE_INFINITY);
  let zeros: UploadPlace["zeros"] = new Map();
  const place = (id: string): UploadPlace => ({ client, info, location, segments, id, zeros });

  const limits = limitsOf(info);

  const destination: SwiftDestination = {
    name,
    identity: `${name} at ${(await client.grant(signal)).storageUrl}`,
    limits,

    async begin(intent: UploadIntent, signal: AbortSignal): Promise<Upload> {
      const { container, object } = location;
      const policy = await ensureContainer(client, container, undefined, signal);
      await ensureContainer(client, segments, policy, signal);
      const there = await client.head(container, object, `${name}: looking for it`, signal);
      if (there !== undefined && intent.existing === "refuse") {
        throw alreadyExists(name);
      }
      return new SwiftUpload(place(newUploadId(randomUUID())), intent.existing, there?.[UPLOAD_META]);
    },

    async copyParts(source, signal) {
      const parts = await swiftCopyParts(client, source, limits, signal);
      zeros = new Map(parts?.flatMap(({ zero, from }) => (zero ? [[from.size, from]] : [])));
      return parts;
    },

    async resume(token: UploadToken, intent: UploadIntent, signal: AbortSignal): Promise<Upload> {
      const { id } = token;
      if (
        token["store"] !== "swift" ||
        token["container"] !== location.container ||
        token["object"] !== location.object ||
        token["segments"] !== segments ||
        typeof id !== "string" ||
        !isUploadId(id)
      ) {
        throw new Fault(
          "NOT_FOUND",
          `${name}: the upload to be resumed is not one to this place: start again`,
        );
      }
      for (const container of [location.container, segments]) {
        if (
          (await client.head(container, undefined, `${name}: looking for ${container}`, signal)) === undefined
        ) {
          throw new Fault("NOT_FOUND", `${name}: the container ${container} is gone, and the upload with it`);
        }
      }
      return new SwiftUpload(place(id), intent.existing);
    },

    async landed(token, signal) {
      const { container, object } = location;
      const found = await client.head(container, object, `${name}: looking for the object`, signal);
      if (found === undefined || found[UPLOAD_META] !== token["id"]) return undefined;
      // The process died somewhere behind the publishing: before it removed what it had replaced, perhaps.
      const { id, replaces } = token;
      if (typeof replaces === "string") await forgetPredecessor(place(String(id)), replaces, signal);
      return { name, size: Number(found["content-length"] ?? 0), confirmed: {} };
    },

    async discard(token, signal) {
      const id = String(token["id"]);
      const here = token["container"] === location.container && token["object"] === location.object;
      // A token that was meddled with must not name a prefix that others use.
      if (here && token["segments"] === segments && isUploadId(id)) {
        await new SwiftUpload(place(id), "refuse").abort(signal);
      }
    },

    async removeOrphans(signal) {
      for await (const { id } of destination.listUploads(signal)) {
        await new SwiftUpload(place(String(id)), "refuse").abort(signal);
      }
    },

    async remove(signal) {
      const { container, object } = location;
      const found = await client.head(container, object, `${name}: looking for the object`, signal);
      const id = found?.[UPLOAD_META];
      if (found !== undefined && !isUploadId(id)) return "not ours";
      if (isUploadId(id)) await new SwiftUpload(place(id), "refuse").abort(signal);
      // One that was cut off behind the object has left segments.
      await destination.removeOrphans(signal);
      return "removed";
    },

    async *listUploads(signal: AbortSignal): AsyncGenerator<UploadToken> {
      const { container, object } = location;
      const what = `${name}: looking for uploads`;
      const live = (await client.head(container, object, what, signal))?.[UPLOAD_META];
      for await (const folder of client.listFolders(segments, `${object}/`, what, signal)) {
        const id = folder.slice(object.length + 1, -1);
        if (isUploadId(id) && id !== live) yield new SwiftUpload(place(id), "refuse").token;
      }
    },

    source: (signal: AbortSignal) => openSwiftObject(client, location, signal),

    async [Symbol.asyncDispose]() {},
  };
  return destination;
}

function limitsOf(info: SwiftInfo): StoreLimits {
  const maxPart = Math.min(info.maxObjectBytes, 5 * GiB);
  return {
    // One byte would do, but a part below this is slow to read back.
    minPart: Math.min(SLOW_ENTRY, maxPart),
    maxPart,
    // Two levels of manifests; or one that has room for runs of zeros to take more than one entry each.
    maxParts: info.nesting ? Math.min(info.maxEntries ** 2, 99_999_999) : Math.ceil(info.maxEntries / 2),
    preferredPart: Math.min(64 * MiB, maxPart),
    placement: "parts",
    zeros: "free",
    zeroPart: Math.min(MiB, maxPart),
    checksums: ["md5"],
  };
}

/** Makes the container when it is missing; returns its storage policy. */
async function ensureContainer(
  client: SwiftClient,
  container: string,
  policy: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const headers = await client.head(container, undefined, `swift://${container}: looking for it`, signal);
  if (headers !== undefined) return headers["x-storage-policy"];
  await client.ask(
    {
      method: "PUT",
      path: `/${encodeURIComponent(container)}`,
      // Segments lie on the same kind of disks as their object.
      headers: { "content-length": "0", ...(policy === undefined ? {} : { "x-storage-policy": policy }) },
      what: `swift://${container}: making the container`,
      answers: [200, 201, 202, 204],
    },
    signal,
  );
  return policy;
}
