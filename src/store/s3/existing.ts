/** What a bucket holds under some names already (FJ-7). */
import { headObject, openAccess, QUICK_MS } from "./client.ts";
import type { S3Config } from "./config.ts";

/**
 * The objects that are there.
 * @throws Fault NOT_FOUND when the bucket is not there; CREDENTIALS, PERMISSION, NETWORK and its kin.
 */
export async function existingInS3(
  config: S3Config,
  bucket: string,
  objects: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const access = await openAccess(config);
  try {
    const { sdk } = access;
    await access.call(
      { bucket, key: "" },
      "looking for the bucket",
      QUICK_MS,
      (client, options) => client.send(new sdk.HeadBucketCommand({ Bucket: bucket }), options),
      signal,
    );
    const found: string[] = [];
    for (const key of objects) {
      if ((await headObject(access, { bucket, key }, signal)) !== undefined) found.push(key);
    }
    return found;
  } finally {
    access.close();
  }
}
