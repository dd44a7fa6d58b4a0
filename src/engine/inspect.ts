/** What can be said of an image without moving it. */
import { formatGuestDigest } from "../digest/guest-digest.ts";
import type { ImageReport } from "../format/format.ts";
import { digestImage } from "../transfer/digest-image.ts";
import type { Producer } from "../transfer/job.ts";
import { type ImageRequest, openImage } from "./open-image.ts";
import type { Places } from "./places.ts";

export interface Inspection extends ImageReport {
  readonly name: string;
  /** Guest bytes that the tables do not call zero. */
  readonly allocated: number;
  readonly guestDigest?: string;
}

export interface InspectPorts {
  readonly places: Places;
  readonly producer: Producer;
}

/**
 * Opens the image and looks. References that the request does not list are shown, not followed; the digest of such
 * an image cannot be computed.
 * @throws Fault as opening and reading do.
 */
export async function inspect(
  request: ImageRequest,
  digest: "compute" | "omit",
  ports: InspectPorts,
  signal: AbortSignal,
): Promise<Inspection> {
  await using opened = await openImage(
    request,
    ports.places,
    signal,
    digest === "omit" ? "stand in" : "refuse",
  );
  const { image, source } = opened;
  let allocated = 0;
  for await (const extent of image.extents({ offset: 0, length: image.virtualSize }, signal)) {
    if (extent.kind === "data") allocated += extent.length;
  }
  const report = { name: source.name, ...image.report(), allocated };
  if (digest === "omit") return report;
  const value = await digestImage(image, { producer: ports.producer, onProgress: () => {} }, signal);
  return { ...report, guestDigest: formatGuestDigest(value) };
}
