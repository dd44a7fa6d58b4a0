/** Objects in S3 as sources, pinned to the version that was found. */
import { Fault } from "../../fault/fault.ts";
import { httpSource } from "../../source/http/http.ts";
import type { Source } from "../../source/source.ts";
import { headObject, openAccess, type S3Access } from "./client.ts";
import type { S3Config, S3Location } from "./config.ts";
import { serverOf, versionOf } from "./copy.ts";

/** @throws Fault NOT_FOUND, PERMISSION, CREDENTIALS, and what the network does. */
export async function s3Source(config: S3Config, location: S3Location, signal: AbortSignal): Promise<Source> {
  const access = await openAccess(config);
  return openObject(access, location, "owned", signal);
}

/** `owned`: the access is closed with the source. */
export async function openObject(
  access: S3Access,
  location: S3Location,
  ownership: "owned" | "shared",
  signal: AbortSignal,
): Promise<Source> {
  const head = await headObject(access, location, signal);
  if (head === undefined) {
    throw new Fault(
      "NOT_FOUND",
      `${access.nameOf(location)}: no such object, or no such bucket as "${location.bucket}"`,
    );
  }
  const { ca } = access.config;
  const command = new access.sdk.GetObjectCommand({
    Bucket: location.bucket,
    Key: location.key,
    ...(head.VersionId === undefined ? {} : { VersionId: head.VersionId }),
  });
  const source = httpSource({
    name: access.nameOf(location),
    size: head.ContentLength,
    version: versionOf(head),
    ...(head.ETag === undefined ? {} : { etag: head.ETag }),
    ...(ca === undefined ? {} : { ca }),
    sign: async (now) => ({ url: await access.presign(location, command, now), headers: {} }),
    refresh: (now) => access.refresh(now),
  });
  return {
    ...source,
    stored: { store: "s3", url: serverOf(access), container: location.bucket, object: location.key },
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      if (ownership === "owned") access.close();
    },
  };
}
