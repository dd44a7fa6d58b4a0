/** Tasks and events as messages. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { RecordedEvent } from "../../record/event.ts";
import type { CopySpec, ImportedDisk, NewImageSpec, TaskSpec, WriteOptions } from "../../task/spec.ts";
import type { Failure, LandedObject, Task, TaskBytes } from "../../task/task.ts";
import {
  CancelSchema,
  FailureSchema,
  ImportedDiskSchema,
  LandedObjectSchema,
  MadeImageSchema,
  TaskBytesSchema,
  type TaskEvent as TaskEventMessage,
  TaskEventSchema,
  type Task as TaskMessage,
  TaskSchema,
  WriteOptionsSchema,
} from "./generated/diskferry/v1/task_pb.ts";
import { COMPRESSION, EVENT, KIND, STAGE, STATE, VERIFICATION } from "./task-words.ts";

export function taskMessage(task: Task): TaskMessage {
  const { bytes, cancel, failure, setback, times, run } = task;
  return create(TaskSchema, {
    id: task.id,
    project: task.project,
    kind: KIND.wire(task.spec.kind),
    spec: specMessage(task.spec),
    regions: [...task.regions],
    state: STATE.wire(task.state),
    stage: STAGE.wire(task.stage),
    progress: task.progress,
    bytes: bytesMessage(bytes),
    cancel: cancelMessage(cancel),
    attempts: task.attempts,
    runner: run?.runner ?? "",
    notBefore: timestamp(task.notBefore),
    setback: setback && failureMessage(setback),
    failure: failure && failureMessage(failure),
    landed: (task.result?.objects ?? []).map(landedMessage),
    acceptTime: timestamp(times.acceptedAt),
    startTime: timestamp(times.startedAt),
    changeTime: timestamp(times.changedAt),
    endTime: timestamp(times.endedAt),
    bandwidth: BigInt(task.bandwidth),
    requestId: task.requestId,
    clientToken: task.clientToken ?? "",
    traceparent: task.traceparent ?? "",
  });
}

export function eventMessage({
  sequence,
  task,
  project,
  kind,
  at,
  event,
  after,
}: RecordedEvent): TaskEventMessage {
  return create(TaskEventSchema, {
    sequence: BigInt(sequence),
    taskId: task,
    project,
    taskKind: KIND.wire(kind),
    time: timestamp(at),
    kind: EVENT.wire(event.kind),
    state: STATE.wire(after.state),
    stage: STAGE.wire(after.stage),
    progress: after.progress,
    bytes: bytesMessage(after.bytes),
    cancel: cancelMessage(after.cancel),
    attempts: after.attempts,
    ...saidBy(event),
  });
}

/** What some events say besides the task after them. */
function saidBy(event: RecordedEvent["event"]): MessageInitShape<typeof TaskEventSchema> {
  switch (event.kind) {
    case "failed":
    case "cut-short":
      return { failure: failureMessage(event.failure) };
    case "requeued":
      return {
        failure: event.setback && failureMessage(event.setback),
        notBefore: timestamp(event.notBefore),
      };
    case "succeeded":
      return { landed: event.result.objects.map(landedMessage) };
    case "limited":
      return { bandwidth: BigInt(event.bandwidth) };
    default:
      return {};
  }
}

function specMessage(spec: TaskSpec): NonNullable<MessageInitShape<typeof TaskSchema>["spec"]> {
  const verification = VERIFICATION.wire(spec.verify);
  switch (spec.kind) {
    case "export": {
      const { from, destination, objects } = spec;
      const source =
        from.kind === "image"
          ? ({ case: "imageId", value: from.image } as const)
          : ({ case: "volumeId", value: from.volume } as const);
      const write = writeMessage(spec);
      return {
        case: "exportSpec",
        value: { source, destination, objects: [...objects], write, verification },
      };
    }
    case "import": {
      const disks = spec.disks.map(diskMessage);
      return { case: "importSpec", value: { disks, image: madeMessage(spec.to, spec.region), verification } };
    }
    case "copy":
      return { case: "copySpec", value: { ...copied(spec), verification } };
  }
}

function copied({ from, to, region }: CopySpec) {
  return { sourceImageId: from.image, sourceRegion: from.region, image: madeMessage(to, region) };
}

function madeMessage({ image, destination, objects, write }: NewImageSpec, region: string) {
  return create(MadeImageSchema, {
    imageId: image,
    region,
    destination,
    objects: [...objects],
    write: writeMessage(write),
  });
}

function diskMessage({ source, format, virtualSize }: ImportedDisk) {
  return create(ImportedDiskSchema, {
    source: sourceOf(source),
    format: format ?? "",
    virtualSize: virtualSize === undefined ? undefined : BigInt(virtualSize),
  });
}

function sourceOf(
  source: ImportedDisk["source"],
): NonNullable<MessageInitShape<typeof ImportedDiskSchema>["source"]> {
  switch (source.kind) {
    case "object":
      return { case: "object", value: { destination: source.destination, object: source.object } };
    case "url":
      return { case: "url", value: source.url };
    case "file":
      return { case: "file", value: { root: source.root, path: source.path } };
    case "volume":
      return { case: "volumeId", value: source.volume };
  }
}

export function writeMessage({ format, compression, level, clusterSize }: WriteOptions) {
  return create(WriteOptionsSchema, {
    format,
    ...(compression === undefined ? {} : { compression: COMPRESSION.wire(compression) }),
    level,
    clusterSize: clusterSize === undefined ? undefined : BigInt(clusterSize),
  });
}

function bytesMessage({ read, encoded, sent, committed, total }: TaskBytes) {
  return create(TaskBytesSchema, {
    read: BigInt(read),
    encoded: BigInt(encoded),
    sent: BigInt(sent),
    committed: BigInt(committed),
    total: BigInt(total),
  });
}

function cancelMessage(cancel: Task["cancel"]) {
  if (cancel === undefined) return undefined;
  return create(CancelSchema, { acceptTime: timestamp(cancel.acceptedAt), stopAt: cancel.stopAt });
}

function failureMessage({ stage, code, message, retryable }: Failure) {
  return create(FailureSchema, { stage: STAGE.wire(stage), code, message, retryable });
}

function landedMessage({ size, virtualSize, checksums, verified, ...rest }: LandedObject) {
  return create(LandedObjectSchema, {
    ...rest,
    size: BigInt(size),
    virtualSize: BigInt(virtualSize),
    checksums: { ...checksums },
    verified: VERIFICATION.wire(verified),
  });
}

export function timestamp(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : timestampFromMs(ms);
}
