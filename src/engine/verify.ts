/** Whether two images hold the same disk. */
import { formatGuestDigest } from "../digest/guest-digest.ts";
import { compareImages, type ReadPorts } from "../transfer/digest-image.ts";
import type { InspectPorts } from "./inspect.ts";
import { type ImageRequest, openImage } from "./open-image.ts";

export type Verdict =
  | { readonly equal: true; readonly guestDigest: string }
  | { readonly equal: false; readonly firstDifference: number };

/** Where one disk ends before the other, zeros are taken to follow. @throws Fault as opening and reading do. */
export async function verify(
  a: ImageRequest,
  b: ImageRequest,
  ports: InspectPorts,
  onProgress: ReadPorts["onProgress"],
  signal: AbortSignal,
): Promise<Verdict> {
  await using left = await openImage(a, ports.places, signal);
  await using right = await openImage(b, ports.places, signal);
  const compared = await compareImages(
    left.image,
    right.image,
    { producer: ports.producer, onProgress },
    signal,
  );
  return compared.difference === undefined
    ? { equal: true, guestDigest: formatGuestDigest(compared.digest) }
    : { equal: false, firstDifference: compared.difference };
}
