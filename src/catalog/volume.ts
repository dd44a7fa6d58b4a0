/** A volume: a block device or file of the host that is read as a disk. */

/** As OpenStack and Huawei spell them. */
export const VOLUME_STATUSES = [
  "creating",
  "available",
  "in-use",
  "error",
  "attaching",
  "detaching",
  "restoring-backup",
  "backing-up",
  "error_restoring",
  "uploading",
  "downloading",
  "extending",
  "error_extending",
  "deleting",
  "error_deleting",
  "rollbacking",
  "error_rollbacking",
  "awaiting-transfer",
] as const;

export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

export interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly extraSpecs: Readonly<Record<string, string>>;
  readonly qosSpecs: string | null;
  readonly visibility: "public" | "private";
}

export interface Volume {
  readonly id: string;
  readonly project: string;
  readonly region: string;
  readonly name: string;
  readonly description: string;
  readonly status: VolumeStatus;
  /** What the status was before `uploading`, and will be again (EV-11). */
  readonly statusBefore?: VolumeStatus;
  /** Below which of the host's roots it lies, and where there. */
  readonly root: string;
  readonly path: string;
  /** Of its content. */
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  readonly type: VolumeType;
  /** Such as `__os_type`, which wins over what a request says (EV-9). */
  readonly imageMetadata: Readonly<Record<string, string>>;
  readonly frozen: "yes" | "no";
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

type VolumeGiven = Partial<Volume> &
  Pick<Volume, "id" | "project" | "region" | "root" | "path" | "size" | "createdAt">;

const PLAIN_TYPE: VolumeType = {
  id: "plain",
  name: "plain",
  description: null,
  extraSpecs: {},
  qosSpecs: null,
  visibility: "public",
};

/** A raw volume that nobody uses. */
export function volume(given: VolumeGiven): Volume {
  return {
    name: given.id,
    description: "",
    status: "available",
    format: "raw",
    type: PLAIN_TYPE,
    imageMetadata: {},
    frozen: "no",
    updatedAt: given.createdAt,
    ...given,
  };
}
