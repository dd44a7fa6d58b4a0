/** What a task is to do: plain data that names things of the catalogue, and holds no secret. */

/** What success rests on: the store's own checks, or on reading back what has landed. */
export type Verification = "by the store" | "read back";

export interface WriteOptions {
  /** Name of the format. */
  readonly format: string;
  /** Absent: as the format likes. */
  readonly compression?: "none" | "zlib" | "zstd";
  readonly level?: number;
  /** Bytes. */
  readonly clusterSize?: number;
}

/** A disk of the catalogue becomes objects in a destination, one for each disk. */
export interface ExportSpec extends WriteOptions {
  readonly kind: "export";
  readonly from:
    | { readonly kind: "image"; readonly image: string }
    | { readonly kind: "volume"; readonly volume: string };
  /** Name of a destination of the catalogue. */
  readonly destination: string;
  /** In the order of the disks. */
  readonly objects: readonly string[];
  readonly verify: Verification;
}

/** Where the bytes of an imported disk come from. */
export type DiskSource =
  | { readonly kind: "object"; readonly destination: string; readonly object: string }
  | { readonly kind: "url"; readonly url: string }
  /** A path below one of the roots that the host lists by name. */
  | { readonly kind: "file"; readonly root: string; readonly path: string }
  | { readonly kind: "volume"; readonly volume: string };

export interface ImportedDisk {
  readonly source: DiskSource;
  /** Declared by the request: content that contradicts it is refused. Absent: recognised by its mark. */
  readonly format?: string;
  /** Bytes of the disk that the image is to have; not less than the content's. */
  readonly virtualSize?: number;
  /** Of the bytes as they are stored there, in hex: others are refused. */
  readonly sha1?: string;
}

/** What the objects of an image are encrypted with. */
export interface Encryption {
  /** Id of the master key. */
  readonly key: string;
  readonly algorithm: string;
  /** The image's own key, wrapped with the master key: useless to whoever has not that one. */
  readonly dataKey: string;
}

/** How and where the image store of the task's region keeps what the task makes. */
export interface NewImageSpec {
  /** The catalogue entry that was reserved for it. */
  readonly image: string;
  /** Name of the destination that is the image store. */
  readonly destination: string;
  /** In the order of the disks. */
  readonly objects: readonly string[];
  readonly write: WriteOptions;
  /** Absent: the objects are plain. */
  readonly encryption?: Encryption;
}

/** Disks from outside become an image in a region. */
export interface ImportSpec {
  readonly kind: "import";
  /** The first is the system disk. */
  readonly disks: readonly ImportedDisk[];
  readonly region: string;
  readonly to: NewImageSpec;
  readonly verify: Verification;
}

/** An image of one region becomes an image of another, or of the same. */
export interface CopySpec {
  readonly kind: "copy";
  readonly from: { readonly image: string; readonly region: string };
  readonly region: string;
  readonly to: NewImageSpec;
  readonly verify: Verification;
}

export type TaskSpec = ExportSpec | ImportSpec | CopySpec;
export type TaskKind = TaskSpec["kind"];
export const TASK_KINDS = ["export", "import", "copy"] as const satisfies readonly TaskKind[];

/** The catalogue entry that a task makes; exports make none. */
export function madeImage(spec: TaskSpec): string | undefined {
  return spec.kind === "export" ? undefined : spec.to.image;
}

/** The image that a task reads, if it reads one of the catalogue. */
export function readImage(spec: TaskSpec): string | undefined {
  if (spec.kind === "copy") return spec.from.image;
  return spec.kind === "export" && spec.from.kind === "image" ? spec.from.image : undefined;
}

/** The volumes that a task reads. */
export function readVolumes(spec: TaskSpec): readonly string[] {
  if (spec.kind === "export") return spec.from.kind === "volume" ? [spec.from.volume] : [];
  if (spec.kind === "copy") return [];
  return spec.disks.flatMap(({ source }) => (source.kind === "volume" ? [source.volume] : []));
}
