/** What may be asked for: each dialect makes these of its own words. */
import type { Image, Tag } from "../catalog/image.ts";
import type { ImportedDisk, TaskKind, Verification, WriteOptions } from "../task/spec.ts";
import type { TaskState } from "../task/task.ts";

/** What every request for a task may say. */
interface Asked {
  /** Makes the repetition harmless. */
  readonly token?: {
    /** At most 64 ASCII characters. */
    readonly value: string;
    /** As the dialect calls it: tokens of different actions have nothing to do with each other. */
    readonly action: string;
  };
  /** Bytes per second; absent: no limit. */
  readonly bandwidth?: number;
  /** Absent: by the store. */
  readonly verify?: Verification;
}

export interface ExportRequest extends Asked {
  readonly kind: "export";
  /** Where the caller believes it to be; absent: wherever it is. */
  readonly region?: string;
  readonly from:
    | { readonly kind: "image"; readonly image: string }
    | {
        readonly kind: "volume";
        readonly volume: string;
        /** Whether a volume that is in use may be read (EV-7). */
        readonly inUse: "refuse" | "allow";
      };
  /** Name of a destination. */
  readonly destination: string;
  /**
   * `given`: the object's name; the disks of an image with several get `_system`, `_data1`, … before the ending.
   * `made`: `<prefix>_<image>_<task>.<ending of the format>`.
   */
  readonly object:
    | { readonly is: "given"; readonly name: string }
    | { readonly is: "made"; readonly prefix?: string };
  /** Absent: the format in which the image is kept. */
  readonly write?: WriteOptions;
  /** The format of an image that is kept raw, where `write` is absent; absent: raw. */
  readonly rawAs?: string;
  /** What may not be exported twice at once: the image to one destination (FJ-6), or the image at all (EX-E13). */
  readonly alone?: "image and destination" | "image";
  /** Largest image that is taken (EX-9, EX-10); absent: any. */
  readonly largest?: { readonly dataDisks: number; readonly dataDiskBytes: number };
  /** Role that the project must have granted (EX-12); absent: none. */
  readonly role?: string;
}

/** What the new image is to be called and to carry. */
export interface NewImage {
  /** A UUID of the caller's own; absent: one is made. */
  readonly id?: string;
  readonly name: string;
  readonly description?: string;
  readonly tags?: readonly Tag[];
  readonly resourceGroup?: string;
  readonly osType?: Image["osType"];
  readonly architecture?: string;
  readonly platform?: string;
  readonly bootMode?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** Whether another image of the project may bear the name already; absent: it may not. */
  readonly sameName?: "refuse" | "allow";
}

export interface ImportRequest extends Asked {
  readonly kind: "import";
  readonly region: string;
  /** The first is the system disk. */
  readonly disks: readonly ImportedDisk[];
  /** Without a name it is called by its id (IM-3). */
  readonly image: Omit<NewImage, "name"> & Partial<Pick<NewImage, "name">>;
  /** When objects that are imported must be there: now (IM-13), or once the import begins. */
  readonly objects?: "now" | "later";
  /** Role that the project must have granted (IM-16); absent: none. */
  readonly role?: string;
  /** Absent: as the region's image store keeps images. */
  readonly write?: WriteOptions;
  /** Whether volumes that are in use may be read (EV-7). */
  readonly inUse?: "refuse" | "allow";
}

export interface CopyRequest extends Asked {
  readonly kind: "copy";
  readonly image: string;
  /** Where the caller believes the image to be. */
  readonly from: string;
  /** Absent: the same region. */
  readonly to?: string;
  /** What is absent is as at the source, but for tags and resource group. */
  readonly target: Partial<NewImage>;
  /** Absent: nothing is said about it. */
  readonly encryption?: CopyEncryption;
}

/** What a request says about encrypting the copy (CP-6 to CP-8). */
export interface CopyEncryption {
  readonly wanted: "yes" | "no" | "unsaid";
  readonly key?: string;
  readonly algorithm?: string;
}

export type TaskRequest = ExportRequest | ImportRequest | CopyRequest;

export interface DeleteRequest {
  readonly image: string;
  readonly region: string;
  /** Whether an image may be taken from those whom it is shared with. */
  readonly shared: "refuse" | "allow";
}

/** Which tasks a caller wants to see. */
export interface TaskListRequest {
  /** Only for admins; users see their own project. */
  readonly project?: string;
  readonly kinds?: readonly TaskKind[];
  readonly states?: readonly TaskState[];
  readonly region?: string;
  readonly image?: string;
  readonly images?: readonly string[];
  readonly acceptedFrom?: number;
  readonly acceptedTo?: number;
  readonly ids?: readonly string[];
  /** `start`: tasks to leave out, from the newest (FJ-9). `token`: `next` of the page before. */
  readonly page?:
    | { readonly by: "start"; readonly start: number }
    | { readonly by: "token"; readonly token: string };
  /** Absent, and at most: 200 (FJ-10). */
  readonly limit?: number;
}

export interface WatchRequest {
  /** Events with greater numbers, from the past and from now on; absent: from now on. */
  readonly after?: number;
  readonly task?: string;
  readonly kind?: TaskKind;
  /** Only for admins. */
  readonly project?: string;
}
