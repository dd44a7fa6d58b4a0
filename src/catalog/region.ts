/** A region: a place with an image store, a number of slots, and rules about what may be done there. */
import type { TaskKind, WriteOptions } from "../task/spec.ts";

/** Tasks of each kind that may run at once. */
export type Slots = Readonly<Record<TaskKind, number>>;

export interface Region {
  readonly id: string;
  /** For people. */
  readonly localName: string;
  /** Sold out, it takes no new images; closed, it gives none away either. */
  readonly status: "available" | "sold-out" | "closed";
  /** Whether images may be imported here, and exported from here. */
  readonly importExport: "allowed" | "refused";
  readonly copy: "allowed" | "refused";
  /** Whether images may leave for other regions. */
  readonly egress: "allowed" | "refused";
  /** Regions that images may come from; `any`: all. */
  readonly ingressFrom: readonly string[] | "any";
  /** Regions that no image of this one may be copied to. */
  readonly complianceDeny: readonly string[];
  /** Whether users may bring keys of their own. */
  readonly ownKeys: "allowed" | "refused";
  readonly encryptAlgorithms: readonly string[];
  /** Whether VHD images may be copied. */
  readonly vhdCopy: "allowed" | "refused";
  /** Bytes of the largest image that may be copied; absent: any. */
  readonly largestCopy?: number;
  /** Whether a plain image may be encrypted while it is copied to another region. */
  readonly encryptOnCopy: "allowed" | "refused";
  /** Formats that images may be exported in; `any`: all that can be written. */
  readonly exportFormats: readonly string[] | "any";
  /** How containers of this region are written (FJ-3). */
  readonly swiftApiVersion: "v1" | "v2";
  readonly slots: Slots;
  /** Bytes per second of all its running tasks together; absent or 0: no limit. */
  readonly bandwidth?: number;
  /** Name of the destination that keeps new images of the region. */
  readonly imageStore: string;
  /** How the image store keeps them. */
  readonly imageWrite: WriteOptions;
  /** Where another daemon answers for the region. */
  readonly peerUrl?: string;
}

/** Five is CP-16; exports and imports have limits of their own (D3). */
const SLOTS: Slots = { copy: 5, export: 5, import: 5 };

/** A region with every rule at its most usual. */
export function region(given: Partial<Region> & Pick<Region, "id" | "imageStore">): Region {
  return {
    localName: given.id,
    status: "available",
    importExport: "allowed",
    copy: "allowed",
    egress: "allowed",
    ingressFrom: "any",
    complianceDeny: [],
    ownKeys: "refused",
    encryptAlgorithms: [],
    vhdCopy: "allowed",
    encryptOnCopy: "refused",
    exportFormats: "any",
    swiftApiVersion: "v1",
    slots: SLOTS,
    imageWrite: { format: "qcow2" },
    ...given,
  };
}
