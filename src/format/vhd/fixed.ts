/** A fixed VHD: the guest's bytes, then the footer. */
import { SECTOR } from "../../bytes/units.ts";
import type { Source } from "../../source/source.ts";
import type { Image, ImageReport } from "../format.ts";

export function fixedImage(source: Source, report: ImageReport): Image {
  return {
    format: report.format,
    virtualSize: report.virtualSize,
    sources: [source],
    unit: SECTOR,
    order: "any",
    async *extents(range, signal) {
      if (source.extents !== undefined) yield* source.extents(range, signal);
      else if (range.length > 0) yield { ...range, kind: "data" };
    },
    async pieces(range, signal) {
      const pieces = [];
      for await (const { kind, offset, length } of this.extents(range, signal)) {
        if (kind === "zero") pieces.push({ kind, length } as const);
        else pieces.push({ kind, length, source: 0, offset } as const);
      }
      return pieces;
    },
    report: () => report,
    async [Symbol.asyncDispose]() {},
  };
}
