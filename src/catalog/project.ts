/** A project: who owns images, volumes and tasks. Alibaba calls it an account. */

/** How many there may be at once, unless the name says otherwise. */
export interface Quotas {
  /** Images in one region. */
  readonly images: number;
  /** Disks of all images in one region. */
  readonly snapshots: number;
  /** Unfinished exports. */
  readonly exports: number;
  /** Exports accepted within seven days. */
  readonly weeklyExports: number;
  /** Tasks that have not ended. */
  readonly unfinished: number;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  /** Alibaba's number of the account. */
  readonly aliUid?: string;
  readonly payment: "settled" | "outstanding";
  readonly imports: "allowed" | "refused";
  readonly exports: "allowed" | "refused";
  /** Whether the project may bring keys of its own. */
  readonly ownKeys: "allowed" | "refused";
  /** Whether copies are encrypted when nothing is said, and never plain. */
  readonly defaultEncryption: "on" | "off";
  /** Key management: not in use, in use, or in use and open to this service. */
  readonly keyService: "disabled" | "enabled" | "authorized";
  readonly quotas: Quotas;
  readonly resourceGroups: readonly string[];
  /** Roles that the project has granted to this service. */
  readonly roles: readonly string[];
}

/** 100 images per region is Alibaba's own limit; the rest is meant to stop what has run wild. */
const QUOTAS: Quotas = {
  images: 100,
  snapshots: 1000,
  exports: 20_000,
  weeklyExports: 100_000,
  unfinished: 100_000,
};

/** A project with every gate open and the usual quotas. */
export function project(given: Partial<Project> & Pick<Project, "id">): Project {
  return {
    name: given.id,
    payment: "settled",
    imports: "allowed",
    exports: "allowed",
    ownKeys: "refused",
    defaultEncryption: "off",
    keyService: "disabled",
    quotas: QUOTAS,
    resourceGroups: [],
    roles: [],
    ...given,
  };
}
