/** ETags of multipart objects. */
import { createHash } from "node:crypto";

/** Whether a part's ETag has the form of an MD5. */
export function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** An ETag without its quotes, in lower case where it is a digest. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? "").replace(/^W\//, "").replaceAll('"', "");
}

/**
 * The ETag that an object has when it is completed of parts with these MD5s: the MD5 of the parts' binary MD5s and
 * the number of parts. Undefined when one of them is no MD5.
 */
export function compositeEtag(partEtags: readonly string[]): string | undefined {
  if (!partEtags.every(isMd5)) return undefined;
  const whole = createHash("md5");
  for (const etag of partEtags) whole.update(etag, "hex");
  return `${whole.digest("hex")}-${partEtags.length}`;
}

/** Whether an object's ETag can be compared with a composite of its parts' MD5s. */
export function isComposite(etag: string): boolean {
  return /^[0-9a-f]{32}-\d+$/.test(etag);
}
