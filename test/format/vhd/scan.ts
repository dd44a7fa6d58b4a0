/** Reads an image whole without holding it, so that hostile sizes cost nothing. */
import { decodeUnit } from "../../../src/codec/codec.ts";
import type { Image } from "../../../src/format/format.ts";

const never = new AbortController().signal;

/**
 * Walks extents and pieces over the whole disk, checks that both tile it, and reads what is stored, up to `budget`
 * bytes. Throws a plain Error when the image breaks its contract.
 */
export async function scan(image: Image, budget = 64 * 1024 ** 2): Promise<void> {
  const { virtualSize } = image;
  if (!Number.isSafeInteger(virtualSize) || virtualSize < 0) throw new Error(`virtual size ${virtualSize}`);
  let at = 0;
  for await (const extent of image.extents({ offset: 0, length: virtualSize }, never)) {
    if (extent.offset !== at || extent.length <= 0) throw new Error(`extents break at ${at}`);
    at += extent.length;
  }
  if (at !== virtualSize) throw new Error(`extents cover ${at} of ${virtualSize}`);
  const step = Math.ceil(Math.max(4 * 1024 ** 2, virtualSize / 16) / image.unit) * image.unit;
  let window: Uint8Array | undefined;
  let left = budget;
  for (let offset = 0; offset < virtualSize; offset += step) {
    const length = Math.min(step, virtualSize - offset);
    let covered = 0;
    for (const piece of await image.pieces({ offset, length }, never)) {
      covered += piece.length;
      if (piece.kind === "zero" || left <= 0) continue;
      const source = image.sources[piece.source];
      if (source === undefined) throw new Error(`no source ${piece.source}`);
      if (piece.kind === "data") {
        const inside = Math.max(0, Math.min(piece.length, source.size - piece.offset, left));
        await source.read(new Uint8Array(inside), piece.offset, never);
        left -= inside;
      } else {
        const coded = new Uint8Array(piece.size);
        await source.read(coded, piece.offset, never);
        const unit = new Uint8Array(piece.unit);
        decodeUnit(piece.codec, coded, unit, "scan", piece.codec === "deflate-chain" ? window : undefined);
        window = unit.subarray(-32768);
        left -= piece.unit;
      }
    }
    if (covered !== length) throw new Error(`pieces cover ${covered} of ${length} at ${offset}`);
  }
}
