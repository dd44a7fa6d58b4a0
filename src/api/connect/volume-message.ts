/** Volumes of the catalogue as messages, and back. */
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Versioned } from "../../catalog/entry.ts";
import { VOLUME_STATUSES, type Volume, type VolumeType, volume } from "../../catalog/volume.ts";
import { enumWords } from "./enum-words.ts";
import { given, required, safe, yesNo } from "./fields.ts";
import {
  type Volume as VolumeMessage,
  VolumeSchema,
  VolumeStatusSchema,
  type VolumeType as VolumeTypeMessage,
  VolumeTypeSchema,
  VolumeTypeVisibilitySchema,
} from "./generated/diskferry/v1/volume_pb.ts";
import { timestamp } from "./task-message.ts";

const STATUS = enumWords(VolumeStatusSchema, VOLUME_STATUSES);
const VISIBILITY = enumWords(VolumeTypeVisibilitySchema, ["public", "private"]);

export function volumeMessage({ entry, version }: Versioned<Volume>): VolumeMessage {
  return create(VolumeSchema, {
    id: entry.id,
    project: entry.project,
    region: entry.region,
    name: entry.name,
    description: entry.description,
    status: STATUS.wire(entry.status),
    ...(entry.statusBefore === undefined ? {} : { statusBefore: STATUS.wire(entry.statusBefore) }),
    root: entry.root,
    path: entry.path,
    format: entry.format,
    size: BigInt(entry.size),
    type: typeMessage(entry.type),
    imageMetadata: { ...entry.imageMetadata },
    frozen: entry.frozen === "yes",
    createTime: timestamp(entry.createdAt),
    updateTime: timestamp(entry.updatedAt),
    version: BigInt(version),
  });
}

/** What is absent is as usual; without a time it is of now. */
export function volumeEntry(message: VolumeMessage, now: number): Volume {
  const { type, createTime, updateTime } = message;
  return volume({
    id: required("volume.id", message.id),
    project: required("volume.project", message.project),
    region: required("volume.region", message.region),
    ...given("name", message.name),
    description: message.description,
    ...given("status", STATUS.word("volume.status", message.status)),
    ...given("statusBefore", STATUS.word("volume.status_before", message.statusBefore)),
    root: required("volume.root", message.root),
    path: required("volume.path", message.path),
    ...given("format", message.format),
    size: safe("volume.size", message.size),
    ...(type === undefined ? {} : { type: typeEntry(type) }),
    imageMetadata: message.imageMetadata,
    frozen: yesNo(message.frozen),
    createdAt: createTime === undefined ? now : timestampMs(createTime),
    updatedAt: updateTime === undefined ? now : timestampMs(updateTime),
  });
}

function typeMessage(type: VolumeType): VolumeTypeMessage {
  return create(VolumeTypeSchema, {
    id: type.id,
    name: type.name,
    ...(type.description === null ? {} : { description: type.description }),
    extraSpecs: { ...type.extraSpecs },
    ...(type.qosSpecs === null ? {} : { qosSpecs: type.qosSpecs }),
    visibility: VISIBILITY.wire(type.visibility),
  });
}

function typeEntry(type: VolumeTypeMessage): VolumeType {
  return {
    id: required("volume.type.id", type.id),
    name: type.name === "" ? type.id : type.name,
    description: type.description ?? null,
    extraSpecs: type.extraSpecs,
    qosSpecs: type.qosSpecs ?? null,
    visibility: VISIBILITY.word("volume.type.visibility", type.visibility) ?? "public",
  };
}
