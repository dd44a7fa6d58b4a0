/** A set of host clusters, one bit each. */
import { Fault } from "../../fault/fault.ts";

/**
 * Clusters a file may have: 128 TiB with clusters of 64 KiB. A set then has 256 MiB of address space, of which the
 * system backs only the pages that are written to.
 */
export const MAX_HOST_CLUSTERS = 2 ** 31;

export class HostClusters {
  readonly #bits: Uint8Array;

  /** @throws Fault LIMIT_EXCEEDED */
  constructor(name: string, fileSize: number, clusterSize: number) {
    const clusters = Math.ceil(fileSize / clusterSize);
    if (clusters > MAX_HOST_CLUSTERS) {
      throw new Fault(
        "LIMIT_EXCEEDED",
        `${name}: the file has ${clusters} clusters, at most ${MAX_HOST_CLUSTERS} can be checked; use larger clusters`,
      );
    }
    this.#bits = new Uint8Array(Math.ceil(clusters / 8));
  }

  has(cluster: number): boolean {
    return ((this.#bits[cluster >>> 3] ?? 0) & (1 << (cluster & 7))) !== 0;
  }

  /** @returns whether it was not in the set before */
  add(cluster: number): boolean {
    const byte = cluster >>> 3;
    const bit = 1 << (cluster & 7);
    const old = this.#bits[byte] ?? 0;
    this.#bits[byte] = old | bit;
    return (old & bit) === 0;
  }
}
