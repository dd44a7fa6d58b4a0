/** Raw: the file's bytes are the guest's. */
import { alignUp, SECTOR } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Image, OpenRequest, ReadableFormat } from "../format.ts";

export const raw: ReadableFormat = {
  name: "raw",
  summary: "plain bytes; holes are found with SEEK_HOLE",
  reader: {
    // Every file is a raw image unless another format's mark says otherwise: the registry asks raw last.
    probe: () => "mine",
    open: async (request) => openRaw(request),
  },
  writer: {
    layout(options) {
      if ((options.compression ?? "none") !== "none") {
        throw new Fault(
          "USAGE",
          "raw images cannot be compressed; choose --format qcow2, or --compression none",
        );
      }
      if (options.level !== undefined)
        throw new Fault("USAGE", "raw: images are not compressed; leave the level out");
      if (options.clusterSize !== undefined)
        throw new Fault("USAGE", "raw: images have no clusters; leave the cluster size out");
      const roundTo = options.roundTo ?? 1;
      return { shape: "flat", virtualSize: alignUp(options.virtualSize, roundTo), tail: new Uint8Array(0) };
    },
  },
};

function openRaw({ source, snapshot }: OpenRequest): Image {
  if (snapshot !== undefined) throw new Fault("USAGE", `${source.name}: raw images have no snapshots`);
  return {
    format: "raw",
    virtualSize: source.size,
    sources: [source],
    unit: SECTOR,
    order: "any",
    async *extents(range, signal) {
      if (source.extents !== undefined) yield* source.extents(range, signal);
      else if (range.length > 0) yield { ...range, kind: "data" };
    },
    async pieces(range, signal) {
      const pieces = [];
      for await (const extent of this.extents(range, signal)) {
        const { offset, length } = extent;
        if (extent.kind === "zero") pieces.push({ kind: "zero", length } as const);
        else pieces.push({ kind: "data", length, source: 0, offset } as const);
      }
      return pieces;
    },
    report: () => ({
      format: "raw",
      virtualSize: source.size,
      fileSize: source.size,
      compression: "none",
      features: [],
      snapshots: [],
      findings: [],
    }),
    async [Symbol.asyncDispose]() {},
  };
}
