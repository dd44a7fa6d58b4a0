/** How the source is stored, where what is written are the source's own bytes. */
import type { CopyPart } from "../store/store.ts";
import type { Borders } from "./plan-transfer.ts";
import type { TransferRequest } from "./request.ts";

export interface StoredParts {
  readonly borders: { readonly borders?: Borders };
  /** What the store can make by itself; none where it cannot, or is not to. */
  readonly copies: readonly CopyPart[];
}

export async function storedParts(request: TransferRequest, signal: AbortSignal): Promise<StoredParts> {
  const { image, destination, moves = "disk" } = request;
  const [source] = image.sources;
  if (source === undefined || !isAsStored(request)) return { borders: {}, copies: [] };
  if (moves === "stored bytes") {
    const copies = await destination.copyParts?.(source, signal);
    if (copies !== undefined) return { borders: { borders: { parts: copies, kept: "all" } }, copies };
  }
  const parts = await source.parts?.(signal);
  if (parts === undefined) return { borders: {}, copies: [] };
  const kept = moves === "disk" ? "whole blocks" : "those that fit";
  return { borders: { borders: { parts, kept } }, copies: [] };
}

/** A wish for parts of some size is a wish for other parts. */
function isAsStored({ image, layout, destination, segment }: TransferRequest): boolean {
  return (
    image.format === "raw" &&
    image.sources.length === 1 &&
    layout.shape === "flat" &&
    layout.virtualSize === image.virtualSize &&
    layout.tail.length === 0 &&
    destination.limits.placement === "parts" &&
    segment === undefined
  );
}
