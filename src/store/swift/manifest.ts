/** Static large objects: entries, their checksum, and how they are grouped when there are too many for one manifest. */
import { createHash } from "node:crypto";
import { Fault } from "../../fault/fault.ts";
import type { SwiftInfo } from "./info.ts";

/** An entry as Swift takes it ("Static Large Objects", Object Storage API). */
export interface ManifestEntry {
  /** `/container/object`, not encoded. */
  readonly path: string;
  /** Of the whole object at `path`. */
  readonly etag: string;
  /** Of the whole object at `path`. */
  readonly size_bytes: number;
  /** `first-last`, both included; only where part of the object is meant. */
  readonly range?: string;
}

/** Bytes that the entry contributes. */
export function entryLength(entry: ManifestEntry): number {
  const match = /^(\d+)-(\d+)$/.exec(entry.range ?? "");
  return match === null ? entry.size_bytes : Number(match[2]) - Number(match[1]) + 1;
}

/** The ETag that the store gives an object of these entries: the MD5 of their ETags, ranges included. */
export function manifestEtag(entries: readonly ManifestEntry[]): string {
  const hash = createHash("md5");
  for (const entry of entries) {
    hash.update(entry.range === undefined ? entry.etag : `${entry.etag}:${entry.range};`);
  }
  return hash.digest("hex");
}

/**
 * Cuts entries into runs that each fit one manifest, in order.
 * @throws Fault LIMIT_EXCEEDED when one entry alone does not fit.
 */
export function groupEntries(
  entries: readonly ManifestEntry[],
  limits: Pick<SwiftInfo, "maxEntries" | "maxManifestBytes">,
): readonly (readonly ManifestEntry[])[] {
  const groups: ManifestEntry[][] = [];
  let group: ManifestEntry[] = [];
  let bytes = 2;
  // Runs of zeros are one and the same entry over and over.
  let measured: ManifestEntry | undefined;
  let size = 0;
  for (const entry of entries) {
    if (entry !== measured) size = Buffer.byteLength(JSON.stringify(entry)) + 1;
    measured = entry;
    if (size + 2 > limits.maxManifestBytes) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `swift:/${entry.path}: its entry does not fit a manifest of ${limits.maxManifestBytes} bytes`,
      );
    }
    if (group.length === limits.maxEntries || bytes + size > limits.maxManifestBytes) {
      groups.push(group);
      group = [];
      bytes = 2;
    }
    group.push(entry);
    bytes += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** A manifest that another manifest refers to. */
export interface SubManifest {
  readonly path: string;
  readonly entries: readonly ManifestEntry[];
  readonly etag: string;
}

export interface ManifestPlan {
  /** To be put first, in this order. */
  readonly subs: readonly SubManifest[];
  readonly top: readonly ManifestEntry[];
  /** Of the finished object. */
  readonly etag: string;
  /** Bytes of the finished object. */
  readonly size: number;
}

/**
 * Nests manifests until the topmost fits; groups of the same entries share one sub-manifest, so that a run of zeros
 * takes few of them however long it is. `subPath` names the n-th sub-manifest, from 0.
 * @throws Fault LIMIT_EXCEEDED
 */
export function planManifest(
  entries: readonly ManifestEntry[],
  limits: Pick<SwiftInfo, "maxEntries" | "maxManifestBytes" | "nesting">,
  subPath: (n: number) => string,
): ManifestPlan {
  const subs: SubManifest[] = [];
  let level = entries;
  for (;;) {
    const groups = groupEntries(level, limits);
    if (groups.length <= 1) break;
    if (!limits.nesting || groups.length === level.length) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `swift:/${subPath(0)}: ${entries.length} entries do not fit the store's manifests, ${limits.maxEntries} in ` +
          `each${limits.nesting ? "" : ", which may not be nested"}: use larger parts`,
      );
    }
    const made = new Map<string, ManifestEntry>();
    level = groups.map((group) => {
      const content = contentOf(group);
      const known = made.get(content);
      if (known !== undefined) return known;
      const sub = { path: subPath(subs.length), entries: group, etag: manifestEtag(group) };
      subs.push(sub);
      const entry = { path: sub.path, etag: sub.etag, size_bytes: sumLengths(group) };
      made.set(content, entry);
      return entry;
    });
  }
  return { subs, top: level, etag: manifestEtag(level), size: sumLengths(level) };
}

/** Short text that is the same for groups of the same entries alone. */
function contentOf(group: readonly ManifestEntry[]): string {
  const runs: [entry: ManifestEntry, count: number][] = [];
  for (const entry of group) {
    const run = runs.at(-1);
    if (run?.[0] === entry) run[1] += 1;
    else runs.push([entry, 1]);
  }
  return JSON.stringify(runs);
}

function sumLengths(entries: readonly ManifestEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryLength(entry), 0);
}
