/** What a bucket holds under some names already (FJ-7). */
import { OssClient } from "./client.ts";
import { checkKey, type OssConfig } from "./config.ts";
import { OssTransport } from "./transport.ts";

/**
 * The objects that are there.
 * @throws Fault NOT_FOUND when the bucket is not there; CREDENTIALS, PERMISSION, NETWORK and its kin.
 */
export async function existingInOss(
  config: OssConfig,
  bucket: string,
  objects: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const client = new OssClient(new OssTransport(config, bucket));
  const found: string[] = [];
  for (const key of objects) {
    checkKey({ bucket, key });
    if ((await client.head(key, signal)) !== undefined) found.push(key);
  }
  return found;
}
