/** Exports of images: request, list, status, cancel (FJ-1 to FJ-33). */
import type { Caller } from "../../service/caller.ts";
import { refusal } from "../../service/refusal.ts";
import type { Service } from "../../service/service.ts";
import type { ExportSpec } from "../../task/spec.ts";
import type { Task } from "../../task/task.ts";
import type { Reply } from "../dialect.ts";
import type { Asked } from "./asked.ts";
import { containerOf, parseContainer, unlessGone } from "./container.ts";
import { misfit } from "./errors.ts";
import { pageOf } from "./page.ts";

/** FJ-10. */
const MOST_LISTED = 200;
const FORMAT = "qcow2";

export async function requestExport({ caller, service, body, signal }: Asked): Promise<Reply> {
  const { image_id: id, storage_container: container } = await body();
  if (id === undefined || id === null || id === "") throw misfit("imageIdMissing");
  if (typeof id !== "string") throw misfit("imageIdInvalid");
  if (container === undefined || container === null || container === "") throw misfit("containerMissing");
  const wanted = parseContainer(caller, container, "containerInvalid");
  const { entry: image } = await service.images.get(caller, id);
  const destination = await service.findDestination(caller, { ...wanted, region: image.region });
  const { task } = await service.exportImage(
    caller,
    {
      kind: "export",
      from: { kind: "image", image: id },
      destination: destination.name,
      object: { is: "given", name: `${image.name}.${FORMAT}` },
      write: { format: FORMAT },
      alone: "image and destination",
    },
    signal,
  );
  return { status: 201, body: { export_id: task.id } };
}

export async function listExports({ caller, service, query, path }: Asked): Promise<Reply> {
  const { start, limit } = pageOf(query, MOST_LISTED, {
    start: "exportStartInvalid",
    limit: "exportLimitInvalid",
  });
  const { tasks } = await service.listTasks(caller, {
    project: caller.project,
    kinds: ["export"],
    page: { by: "start", start },
    limit,
  });
  return {
    status: 200,
    body: {
      exports: tasks.map((task) => ({
        export_id: task.id,
        export_status: task.state,
        status: `${path}/${task.id}/status`,
        image_id: sourceOf(exportOf(task)),
        request_time: timeText(task.times.acceptedAt),
      })),
    },
  };
}

export async function exportStatus({ caller, service, parameters }: Asked): Promise<Reply> {
  const task = await service.getTask(caller, parameters["id"] ?? "");
  const spec = exportOf(task);
  return {
    status: 200,
    body: {
      export_status: task.state,
      progress: task.progress,
      image_id: sourceOf(spec),
      image_name: await nameOf(service, caller, spec),
      storage_container: await containerOf(service, caller, task.project, spec.destination),
      request_time: timeText(task.times.acceptedAt),
      ...(task.failure === undefined ? {} : { error_message: task.failure.message }),
    },
  };
}

export async function cancelExport({ caller, service, parameters }: Asked): Promise<Reply> {
  const id = parameters["id"] ?? "";
  exportOf(await service.getTask(caller, id));
  await service.cancelTask(caller, id);
  return { status: 202 };
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}

/** @throws Fault NOT_FOUND when the task is none of these. */
function exportOf({ id, spec }: Task): ExportSpec {
  if (spec.kind !== "export") throw refusal("task-not-found", `there is no export ${id}`);
  return spec;
}

function sourceOf({ from }: ExportSpec): string {
  return from.kind === "image" ? from.image : from.volume;
}

/** As long as the image is there, its name; afterwards what its file is called by. */
async function nameOf(service: Service, caller: Caller, spec: ExportSpec): Promise<string> {
  const [object = ""] = spec.objects;
  const found = await unlessGone(service.images.get(caller, sourceOf(spec)));
  return found?.entry.name ?? object.replace(/\.[^./]*$/, "");
}
