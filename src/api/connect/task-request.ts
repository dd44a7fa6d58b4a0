/** Messages as requests of the use cases. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  CopyRequest,
  ExportRequest,
  ImportRequest,
  NewImage,
  TaskListRequest,
  TaskRequest,
  WatchRequest,
} from "../../service/request.ts";
import { malformed } from "../../service/wellformed.ts";
import type { ImportedDisk, WriteOptions } from "../../task/spec.ts";
import { given, required, safe } from "./fields.ts";
import type {
  ImportedDisk as ImportedDiskMessage,
  WriteOptions as WriteOptionsMessage,
} from "./generated/diskferry/v1/task_pb.ts";
import type {
  CopyImageRequest,
  ExportImageRequest,
  ImportImageRequest,
  ListTasksRequest,
  NewImage as NewImageMessage,
  TaskOptions,
  WatchTasksRequest,
} from "./generated/diskferry/v1/task_service_pb.ts";
import { OS_TYPE } from "./image-message.ts";
import { COMPRESSION, KIND, STATE, VERIFICATION } from "./task-words.ts";

export function exportRequest(message: ExportImageRequest): ExportRequest {
  return {
    kind: "export",
    from: exportedFrom(message.source),
    destination: required("destination", message.destination),
    object: exportedAs(message.object),
    ...(message.write === undefined ? {} : { write: writeOptions(message.write) }),
    ...asked("ExportImage", message.options),
  };
}

export function importRequest(message: ImportImageRequest): ImportRequest {
  return {
    kind: "import",
    region: required("region", message.region),
    disks: message.disks.map(importedDisk),
    image: { ...newImage(message.image), name: required("image.name", message.image?.name) },
    ...(message.write === undefined ? {} : { write: writeOptions(message.write) }),
    inUse: message.allowInUse ? "allow" : "refuse",
    ...asked("ImportImage", message.options),
  };
}

export function copyRequest(message: CopyImageRequest): CopyRequest {
  return {
    kind: "copy",
    image: required("image_id", message.imageId),
    from: required("source_region", message.sourceRegion),
    ...given("to", message.targetRegion),
    target: newImage(message.target),
    ...copyEncryption(message.encryption),
    ...asked("CopyImage", message.options),
  };
}

/** FJ-9, FJ-10, AIP-158. */
export function listRequest(message: ListTasksRequest): TaskListRequest {
  const { pageSize, pageToken, start, limit, imageId, acceptedFrom, acceptedTo } = message;
  const page = pageOf(pageToken, safe("start", start));
  if (pageSize !== 0 && limit !== 0) throw malformed("limit", "give either page_size or limit");
  return {
    ...given("limit", pageSize === 0 ? limit : pageSize),
    ...(page === undefined ? {} : { page }),
    ...given(
      "kinds",
      message.kinds.flatMap((kind) => KIND.word("kinds", kind) ?? []),
    ),
    ...given(
      "states",
      message.states.flatMap((state) => STATE.word("states", state) ?? []),
    ),
    ...given("region", message.region),
    ...given("image", imageId),
    ...(acceptedFrom === undefined ? {} : { acceptedFrom: timestampMs(acceptedFrom) }),
    ...(acceptedTo === undefined ? {} : { acceptedTo: timestampMs(acceptedTo) }),
    ...given("ids", message.ids),
    ...given("project", message.project),
  };
}

export function watchRequest({ after, taskId, kind, project }: WatchTasksRequest): WatchRequest {
  if (after !== undefined && after < 0n) throw malformed("after", "after: a whole number from 0");
  return {
    ...(after === undefined ? {} : { after: safe("after", after) }),
    ...given("task", taskId),
    ...given("kind", KIND.word("kind", kind)),
    ...given("project", project),
  };
}

export function writeOptions({ format, compression, level, clusterSize }: WriteOptionsMessage): WriteOptions {
  return {
    format: required("write.format", format),
    ...given("compression", COMPRESSION.word("write.compression", compression)),
    ...(level === undefined ? {} : { level }),
    ...(clusterSize === undefined ? {} : { clusterSize: safe("write.cluster_size", clusterSize) }),
  };
}

function exportedFrom(source: ExportImageRequest["source"]): ExportRequest["from"] {
  switch (source.case) {
    case "imageId":
      return { kind: "image", image: required("image_id", source.value) };
    case "volume": {
      const { volumeId, allowInUse } = source.value;
      return {
        kind: "volume",
        volume: required("volume.volume_id", volumeId),
        inUse: allowInUse ? "allow" : "refuse",
      };
    }
    case undefined:
      throw malformed("source", "say what to export: image_id or volume");
  }
}

function exportedAs(object: ExportImageRequest["object"]): ExportRequest["object"] {
  if (object.case === "objectName") return { is: "given", name: object.value };
  return { is: "made", ...given("prefix", object.value) };
}

function copyEncryption(said: CopyImageRequest["encryption"]): Pick<CopyRequest, "encryption"> {
  switch (said.case) {
    case "encrypted":
      return { encryption: { wanted: "yes", ...given("key", said.value.keyId) } };
    case "plain":
      return { encryption: { wanted: "no" } };
    case undefined:
      return {};
  }
}

function importedDisk({ source, format, virtualSize }: ImportedDiskMessage): ImportedDisk {
  return {
    source: importedFrom(source),
    ...given("format", format),
    ...(virtualSize === undefined ? {} : { virtualSize: safe("virtual_size", virtualSize) }),
  };
}

function importedFrom(source: ImportedDiskMessage["source"]): ImportedDisk["source"] {
  switch (source.case) {
    case "object":
      return { kind: "object", destination: source.value.destination, object: source.value.object };
    case "url":
      return { kind: "url", url: source.value };
    case "file":
      return { kind: "file", root: source.value.root, path: source.value.path };
    case "volumeId":
      return { kind: "volume", volume: source.value };
    case undefined:
      throw malformed("source", "say where each disk comes from: object, url, file or volume_id");
  }
}

function newImage(message: NewImageMessage | undefined): Partial<NewImage> {
  if (message === undefined) return {};
  const { description, tags } = message;
  return {
    ...given("name", message.name),
    ...(description === undefined ? {} : { description }),
    ...given(
      "tags",
      tags.map(({ key, value }) => ({ key, value })),
    ),
    ...given("resourceGroup", message.resourceGroup),
    ...given("osType", OS_TYPE.word("os_type", message.osType)),
    ...given("architecture", message.architecture),
    ...given("platform", message.platform),
    ...given("bootMode", message.bootMode),
    ...(message.allowSameName ? { sameName: "allow" } : {}),
  };
}

function asked(
  action: string,
  options: TaskOptions | undefined,
): Pick<TaskRequest, "token" | "bandwidth" | "verify"> {
  if (options === undefined) return {};
  const { clientToken, bandwidth, verification } = options;
  return {
    ...(clientToken === "" ? {} : { token: { value: clientToken, action } }),
    ...given("bandwidth", safe("bandwidth", bandwidth)),
    ...given("verify", VERIFICATION.word("verification", verification)),
  };
}

function pageOf(token: string, start: number): TaskListRequest["page"] {
  if (token === "") return start === 0 ? undefined : { by: "start", start };
  if (start !== 0) throw malformed("start", "give either page_token or start");
  return { by: "token", token };
}
