/** An image: one disk or several that belong together, kept in the image store of a region. */
import type { Checksums } from "../digest/checksum.ts";
import type { Encryption } from "../task/spec.ts";

export const IMAGE_STATUSES = [
  "Creating",
  "Waiting",
  "Available",
  "UnAvailable",
  "CreateFailed",
  "Deprecated",
] as const;

export type ImageStatus = (typeof IMAGE_STATUSES)[number];

export interface ImageDisk {
  /** Alibaba knows the disk of an image as a snapshot. */
  readonly snapshot: string;
  readonly kind: "system" | "data";
  /** Bytes. */
  readonly virtualSize: number;
  readonly encrypted: "yes" | "no";
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Whether an image may be made of it. */
  readonly createImage: "allowed" | "refused";
  /** Product of the marketplace that it stems from. */
  readonly marketplaceOrigin?: string;
  /** Name of the object in the image's store; absent before it has landed. */
  readonly object?: string;
  /** Bytes of the object. */
  readonly size?: number;
  readonly checksums?: Checksums;
  readonly guestDigest?: string;
}

export interface Image {
  readonly id: string;
  /** The project that owns it. */
  readonly project: string;
  readonly region: string;
  /** Name of the destination that keeps the objects of its disks. */
  readonly store: string;
  readonly name: string;
  readonly description: string;
  readonly status: ImageStatus;
  readonly visibility: "private" | "shared" | "community" | "marketplace" | "system";
  /** Projects that may see and use it. */
  readonly sharedWith: readonly string[];
  /** Of the marketplace: product, where it is published, and who has bought it. */
  readonly productCode?: string;
  readonly publishedRegions: readonly string[];
  readonly authorizedProjects: readonly string[];
  /** Of every disk's object. */
  readonly format: string;
  /** The first is the system disk. */
  readonly disks: readonly ImageDisk[];
  readonly encrypted: "yes" | "no";
  /** Id of the key that it is encrypted with. */
  readonly key?: string;
  /** Absent of an image that is encrypted: with what, nobody here knows, and it cannot be read. */
  readonly encryption?: Encryption;
  readonly cloudBox?: string;
  readonly resourceGroup?: string;
  readonly tags: readonly Tag[];
  /** What clients of OpenStack keep with an image, such as `min_ram`; nothing depends on it. */
  readonly properties?: Readonly<Record<string, string>>;
  /** The image that this one is a copy of. */
  readonly source?: { readonly image: string; readonly region: string };
  readonly osType: "linux" | "windows";
  readonly architecture: string;
  readonly platform: string;
  readonly bootMode?: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export function isEncrypted({ encrypted, disks }: Image): boolean {
  return encrypted === "yes" || disks.some((disk) => disk.encrypted === "yes");
}

/** Names of the objects that have landed. */
export function storedObjects({ disks }: Image): readonly string[] {
  return disks.flatMap(({ object }) => (object === undefined ? [] : [object]));
}

type ImageGiven = Partial<Image> &
  Pick<Image, "id" | "project" | "region" | "store" | "name" | "format" | "disks" | "createdAt">;

/** A private image that can be used. */
export function image(given: ImageGiven): Image {
  return {
    description: "",
    status: "Available",
    visibility: "private",
    sharedWith: [],
    publishedRegions: [],
    authorizedProjects: [],
    encrypted: "no",
    tags: [],
    osType: "linux",
    architecture: "x86_64",
    platform: "Others Linux",
    ...given,
  };
}

/** A plain disk of an image. */
export function imageDisk(
  given: Partial<ImageDisk> & Pick<ImageDisk, "snapshot" | "virtualSize" | "createdAt">,
): ImageDisk {
  return { kind: "system", encrypted: "no", createImage: "allowed", ...given };
}
