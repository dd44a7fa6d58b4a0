/** Finds an image by its id, or by a name that only one bears. */
import type { Image } from "../api/connect/generated/diskferry/v1/image_pb.ts";
import { Fault } from "../fault/fault.ts";
import { type Client, faultOf } from "./client.ts";

/** @throws Fault NOT_FOUND; USAGE when several bear the name. */
export async function findImage(
  named: string,
  region: string | undefined,
  client: Client,
  signal: AbortSignal,
): Promise<Image> {
  const found = await client.catalog.getImage({ id: named }, client.once(signal)).catch((error: unknown) => {
    const fault = faultOf(error, client);
    if (fault.code === "NOT_FOUND") return undefined;
    throw fault;
  });
  if (found?.image !== undefined) return found.image;
  const { images } = await client.catalog.listImages(
    { name: named, region: region ?? "" },
    client.once(signal),
  );
  const [image, ...others] = images;
  if (image === undefined) throw new Fault("NOT_FOUND", `there is no image ${named}`);
  if (others.length > 0) {
    const ids = images.map(({ id, region: at }) => `${id} in ${at}`).join(", ");
    throw new Fault("USAGE", `several images bear the name ${named}: say which by its id: ${ids}`);
  }
  return image;
}
