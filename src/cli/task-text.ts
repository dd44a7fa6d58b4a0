/** Tasks as text. */
import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Task, type TaskBytes, TaskSchema } from "../api/connect/generated/diskferry/v1/task_pb.ts";
import { KIND, STAGE, STATE } from "../api/connect/task-words.ts";
import { formatSize } from "../bytes/units.ts";
import { formatTime } from "./time.ts";

/** One JSON line without its end: as the endpoint itself writes it, zeros included. */
export function taskJson(task: Task): string {
  return toJsonString(TaskSchema, task, { alwaysEmitImplicit: true });
}

export function kindOf({ kind }: Pick<Task, "kind">): string {
  return KIND.word("kind", kind) ?? "task";
}

export function stateOf({ state }: Pick<Task, "state">): string {
  return STATE.word("state", state) ?? "unknown";
}

/** `qcow2-image → quay/disk.raw` */
export function moveOf({ spec }: Task): string {
  switch (spec.case) {
    case "exportSpec": {
      const { source, destination, objects } = spec.value;
      return `${source.value ?? "?"} → ${objects.map((object) => `${destination}/${object}`).join(", ")}`;
    }
    case "importSpec": {
      const { disks, image } = spec.value;
      return `${disks.map(({ source }) => sourceText(source)).join(", ")} → ${image?.imageId ?? "?"} in ${image?.region ?? "?"}`;
    }
    case "copySpec": {
      const { sourceImageId, sourceRegion, image } = spec.value;
      return `${sourceImageId} in ${sourceRegion} → ${image?.imageId ?? "?"} in ${image?.region ?? "?"}`;
    }
    case undefined:
      return "?";
  }
}

/** Room for a bar with all that stands behind it, on a terminal of 120 columns. */
const LABEL = 36;

/** The same in few words, as wide as every other. */
export function labelOf(task: Task): string {
  const { spec } = task;
  const what =
    spec.case === "exportSpec"
      ? `${spec.value.destination}/${spec.value.objects[0] ?? ""}`
      : spec.case === "importSpec"
        ? sourceText(spec.value.disks[0]?.source ?? { case: undefined })
        : task.regions.join(" → ");
  const label = `${kindOf(task)} ${what}`;
  return label.length > LABEL ? `${label.slice(0, LABEL - 1)}…` : label.padEnd(LABEL);
}

type ImportSource = Extract<Task["spec"], { case: "importSpec" }>["value"]["disks"][number]["source"];

function sourceText(source: ImportSource): string {
  switch (source.case) {
    case "object":
      return `object:${source.value.destination}/${source.value.object}`;
    case "file":
      return `file:${source.value.root}/${source.value.path}`;
    case "volumeId":
      return `volume:${source.value}`;
    case "url":
      return source.value;
    case undefined:
      return "?";
  }
}

/** The image that the task makes. */
export function madeImage({ spec }: Task): string | undefined {
  return spec.case === "importSpec" || spec.case === "copySpec" ? spec.value.image?.imageId : undefined;
}

export function secondsBetween(from: Task["acceptTime"], to: Task["acceptTime"]): number {
  if (from === undefined) return 0;
  const end = to === undefined ? Date.now() : timestampDate(to).getTime();
  return Math.max(0, (end - timestampDate(from).getTime()) / 1000);
}

export function bytesText({ committed, total }: Pick<TaskBytes, "committed" | "total">): string {
  return total === 0n ? "" : `${formatSize(Number(committed))} of ${formatSize(Number(total))}`;
}

/** Everything about one task. */
export function* taskLines(task: Task): Generator<string> {
  const line = (name: string, text: string): string => `${name.padEnd(10)} ${text}`;
  yield line("task", task.id);
  yield line(kindOf(task), moveOf(task));
  yield line("state", `${stateOf(task)}, ${STAGE.word("stage", task.stage) ?? "?"}, ${task.progress} %`);
  if (task.cancel !== undefined) yield line("cancel", `accepted; stops at ${task.cancel.stopAt} %`);
  if (task.bytes !== undefined && task.bytes.total > 0n) {
    yield line("data", `${bytesText(task.bytes)}, ${formatSize(Number(task.bytes.sent))} sent`);
  }
  yield line("project", task.project);
  yield line("regions", task.regions.join(", "));
  if (task.bandwidth > 0n) yield line("limit", `${formatSize(Number(task.bandwidth))}/s`);
  if (task.acceptTime !== undefined) yield line("accepted", timestampDate(task.acceptTime).toISOString());
  if (task.startTime !== undefined) {
    yield line("running", formatTime(secondsBetween(task.startTime, task.endTime)));
  }
  yield line("attempts", String(task.attempts));
  if (task.setback !== undefined) yield line("setback", failureText(task.setback));
  if (task.failure !== undefined) yield line("failure", failureText(task.failure));
  for (const { object, format, size, virtualSize, guestDigest, checksums } of task.landed) {
    yield line(
      "landed",
      `${object}: ${format}, ${formatSize(Number(size))} of a ${formatSize(Number(virtualSize))} disk`,
    );
    if (guestDigest !== "") yield line("digest", guestDigest);
    for (const [name, value] of Object.entries(checksums)) yield line(name, value);
  }
}

function failureText({ code, message }: NonNullable<Task["failure"]>): string {
  return `${message} [${code}]`;
}
