/** What the status of a region leaves open: sold out, it takes no new images; closed, it gives none away either. */
import type { Region } from "../catalog/region.ts";
import { type Reason, refusal } from "./refusal.ts";

export type RegionUse = "take images" | "give images";

export function isOpen({ status }: Region, use: RegionUse): boolean {
  return status === "available" || (status === "sold-out" && use === "give images");
}

/** @throws the refusal with this reason. */
export function checkOpen(region: Region, use: RegionUse, reason: Reason): void {
  if (isOpen(region, use)) return;
  throw refusal(reason, `region ${region.id}: is ${region.status === "closed" ? "closed" : "sold out"}`);
}
