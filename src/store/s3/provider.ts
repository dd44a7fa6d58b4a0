/** What S3 servers can do, as data. */
import { GiB, MiB } from "../../bytes/units.ts";
import type { ChecksumName } from "../../digest/checksum.ts";
import type { StoreLimits } from "../store.ts";
import type { S3Config } from "./config.ts";

export interface Provider {
  readonly name: "aws" | "compatible";
  readonly pathStyle: boolean;
  /** Checksums of each part that the workers compute. */
  readonly checksums: readonly ChecksumName[];
  /** CompleteMultipartUpload takes the CRC-64/NVME of the whole object and refuses another content. */
  readonly wholeObjectCrc: boolean;
  /** CompleteMultipartUpload takes the size and refuses another one. */
  readonly sizeAtCompletion: boolean;
  /**
   * `If-None-Match: *`: `kept` is a lock; `tried` may be refused or ignored, so that looking first is needed too,
   * and two writers who finish in the same moment may both succeed.
   */
  readonly conditional: "kept" | "tried";
}

/** Amazon S3 User Guide, "Checking object integrity" and "Conditional writes". */
const AWS: Provider = {
  name: "aws",
  pathStyle: false,
  checksums: ["md5", "crc64nvme"],
  wholeObjectCrc: true,
  sizeAtCompletion: true,
  conditional: "kept",
};

/** The least that Ceph, OpenStack Swift, MinIO and their like agree on: no checksum headers, no trailers. */
const COMPATIBLE: Provider = {
  name: "compatible",
  pathStyle: true,
  checksums: ["md5"],
  wholeObjectCrc: false,
  sizeAtCompletion: false,
  conditional: "tried",
};

export function providerOf(config: S3Config): Provider {
  const known = config.provider === "aws" || (config.provider === undefined && isAmazon(config.endpoint));
  const provider = known ? AWS : COMPATIBLE;
  return config.pathStyle === undefined ? provider : { ...provider, pathStyle: config.pathStyle };
}

function isAmazon(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}

/** Amazon S3 User Guide, "Multipart upload limits". */
const MIN_PART = 5 * MiB;
const MAX_PART = 5 * GiB;
export const MAX_PARTS = 10_000;

export function limitsOf(provider: Provider): StoreLimits {
  return {
    minPart: MIN_PART,
    maxPart: MAX_PART,
    maxParts: MAX_PARTS,
    preferredPart: 64 * MiB,
    placement: "parts",
    zeros: "free",
    zeroPart: MIN_PART,
    checksums: provider.checksums,
  };
}
