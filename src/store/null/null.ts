/** Nowhere: reads, converts, digests and discards. For measuring and for checking an image. */
import { GiB, MiB } from "../../bytes/units.ts";
import { Fault } from "../../fault/fault.ts";
import type { Destination, Upload } from "../store.ts";

export function openNull(): Destination {
  return {
    name: "null:",
    identity: "null:",
    limits: {
      minPart: 1,
      maxPart: 1024 * GiB,
      maxParts: 1_000_000,
      preferredPart: 64 * MiB,
      placement: "parts",
      reach: "local",
      zeros: "free",
      zeroPart: 64 * 1024,
      receipts: "none",
      checksums: [],
    },
    begin: async () => upload,
    resume: async () => {
      throw new Fault("NOT_FOUND", "null: keeps nothing to resume");
    },
    landed: async () => undefined,
    discard: async () => {},
    removeOrphans: async () => {},
    remove: async () => "removed",
    source: async () => {
      throw new Fault("USAGE", "null: keeps nothing to read back");
    },
    async [Symbol.asyncDispose]() {},
  };
}

const upload: Upload = {
  besides: 0,
  token: {},
  target: async () => ({ kind: "discard", name: "null:" }),
  zeros: async ({ number, length }) => ({ number, length, etag: "", checksums: {}, zero: true }),
  async *held() {},
  complete: async (parts) => ({
    name: "null:",
    size: parts.reduce((sum, part) => sum + part.length, 0),
    confirmed: {},
  }),
  abort: async () => {},
  refresh: async () => {},
};
