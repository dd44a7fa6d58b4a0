/** What a Swift can do, as its /info says. */
import { GiB, KiB, MiB } from "../../bytes/units.ts";

export interface SwiftInfo {
  /** Bytes of the largest plain object. */
  readonly maxObjectBytes: number;
  /** Bytes of the longest object name. */
  readonly maxNameBytes: number;
  /** Object-backed entries of one manifest. */
  readonly maxEntries: number;
  /** Bytes of one manifest as sent. */
  readonly maxManifestBytes: number;
  /**
   * Whether a manifest's `range` is heeded. Ceph's gateway ignores it, and makes a wrong object without a word.
   */
  readonly ranges: boolean;
  /**
   * Whether an `ETag` sent with a manifest is held against that of the object it makes; Ceph's gateway holds it against
   * the manifest's text.
   */
  readonly manifestEtags: boolean;
  /** Whether a manifest may name manifests; Ceph's gateway refuses that. */
  readonly nesting: boolean;
  /** Paths of one bulk delete; 0 where it is not offered. */
  readonly maxBulkDeletes: number;
  readonly staticLargeObjects: boolean;
}

/** Of a server that hides its /info: what every version of Swift and of Ceph's gateway can do. */
export const UNKNOWN_INFO: SwiftInfo = {
  maxObjectBytes: 5 * GiB,
  maxNameBytes: 1024,
  maxEntries: 1000,
  maxManifestBytes: 2 * MiB,
  ranges: false,
  manifestEtags: false,
  nesting: false,
  maxBulkDeletes: 0,
  staticLargeObjects: true,
};

type Section = Readonly<Record<string, unknown>>;

/** `body`: the reply to GET /info, from Swift ("Discoverability", Object Storage API) or Ceph. */
export function parseInfo(body: string): SwiftInfo {
  let root: Section;
  try {
    root = section(JSON.parse(body));
  } catch {
    return UNKNOWN_INFO;
  }
  if (root["swift"] === undefined) return UNKNOWN_INFO;
  const swift = section(root["swift"]);
  const slo = section(root["slo"]);
  const bulk = section(root["bulk_delete"]);
  // Swift publishes this key in all versions that know `range`; Ceph's gateway publishes only max_manifest_segments.
  const openstack = slo["min_segment_size"] !== undefined;
  return {
    maxObjectBytes: count(swift["max_file_size"], UNKNOWN_INFO.maxObjectBytes),
    maxNameBytes: count(
      swift["max_object_name_length"] ?? swift["max_object_name_size"],
      UNKNOWN_INFO.maxNameBytes,
    ),
    maxEntries: count(slo["max_manifest_segments"], UNKNOWN_INFO.maxEntries),
    maxManifestBytes: Math.max(64 * KiB, count(slo["max_manifest_size"], UNKNOWN_INFO.maxManifestBytes)),
    ranges: openstack,
    manifestEtags: openstack,
    nesting: openstack,
    maxBulkDeletes: root["bulk_delete"] === undefined ? 0 : count(bulk["max_deletes_per_request"], 1000),
    staticLargeObjects: root["slo"] !== undefined,
  };
}

function section(value: unknown): Section {
  return typeof value === "object" && value !== null ? (value as Section) : {};
}

function count(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : otherwise;
}
