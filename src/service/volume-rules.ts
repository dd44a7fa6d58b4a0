/** Which volumes may be read (EV-7), and which system they hold (EV-9). */
import type { Versioned } from "../catalog/entry.ts";
import type { Image } from "../catalog/image.ts";
import type { Volume } from "../catalog/volume.ts";
import type { Catalogue } from "../record/record.ts";
import type { Caller } from "./caller.ts";
import { refusal } from "./refusal.ts";
import { visibleVolume } from "./visible.ts";

export async function readableVolume(
  catalogue: Catalogue,
  caller: Caller,
  id: string,
  inUse: "refuse" | "allow",
): Promise<Versioned<Volume>> {
  const seen = await visibleVolume(catalogue, caller, id);
  const { status, frozen } = seen.entry;
  if (frozen === "yes") throw refusal("volume-frozen", `volume ${id}: is frozen`);
  if (status === "available" || (status === "in-use" && inUse === "allow")) return seen;
  throw refusal("volume-status", `volume ${id}: is ${status}`, { status });
}

/** EV-9: what the volume says of itself wins, and whoever asks is believed only of a volume that nobody uses. */
export function osTypeOf(
  { imageMetadata, status }: Volume,
  asked: Image["osType"] | undefined,
): Image["osType"] {
  const own = imageMetadata["__os_type"]?.toLowerCase();
  if (own === "windows" || own === "linux") return own;
  return (status === "available" ? asked : undefined) ?? "linux";
}
