/** Imports of images from containers: request, list, status. */
import { refusal } from "../../service/refusal.ts";
import type { ImportSpec } from "../../task/spec.ts";
import type { Task } from "../../task/task.ts";
import type { Reply } from "../dialect.ts";
import type { Asked } from "./asked.ts";
import { containerOf, parseLocation, unlessGone } from "./container.ts";
import { type FujitsuError, misfit } from "./errors.ts";
import { pageOf } from "./page.ts";

const MOST_LISTED = 100;

type Fields = Readonly<Record<string, unknown>>;

export async function requestImport({ caller, service, body, signal }: Asked): Promise<Reply> {
  const fields = await body();
  const name = textOf(fields, "name", "nameMissing", "nameInvalid");
  const { wanted, object } = parseLocation(
    caller,
    textOf(fields, "location", "locationMissing", "locationInvalid"),
  );
  const osType = textOf(fields, "os_type", "osTypeMissing", "osTypeInvalid");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(osType)) throw misfit("osTypeInvalid");
  if (name.length > 255) throw misfit("nameInvalid");
  const [minRam, minDisk] = [
    sizeOf(fields, "min_ram", "minRamInvalid"),
    sizeOf(fields, "min_disk", "minDiskInvalid"),
  ];
  const sha1 = optional(fields["checksum"], /^[0-9a-f]{40}$/i, "checksumInvalid");
  const id = optional(fields["id"], /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "idInvalid");
  const destination = await service.findDestination(caller, wanted);
  const { task } = await service.importImage(
    caller,
    {
      kind: "import",
      region: destination.region,
      objects: "now",
      disks: [
        {
          source: { kind: "object", destination: destination.name, object },
          ...(sha1 === undefined ? {} : { sha1: sha1.toLowerCase() }),
        },
      ],
      image: {
        name,
        osType: osType.startsWith("win") ? "windows" : "linux",
        platform: osType,
        properties: { min_ram: String(minRam), min_disk: String(minDisk) },
        sameName: "allow",
        ...(id === undefined ? {} : { id: id.toLowerCase() }),
      },
    },
    signal,
  );
  return { status: 201, body: { import_id: task.id } };
}

export async function listImports({ caller, service, query, path }: Asked): Promise<Reply> {
  const { start, limit } = pageOf(query, MOST_LISTED, {
    start: "importStartInvalid",
    limit: "importLimitInvalid",
  });
  const { tasks } = await service.listTasks(caller, {
    project: caller.project,
    kinds: ["import"],
    page: { by: "start", start },
    limit,
  });
  return {
    status: 200,
    body: {
      imports: tasks.map(({ id, state }) => ({
        import_id: id,
        import_status: state,
        status: `${path}/${id}/status`,
      })),
    },
  };
}

export async function importStatus(asked: Asked): Promise<Reply> {
  const { caller, service, parameters } = asked;
  const task = await service.getTask(caller, parameters["id"] ?? "");
  const spec = importOf(task);
  // A cancelled import leaves no image.
  const image = (await unlessGone(service.images.get(caller, spec.to.image)))?.entry;
  return {
    status: 200,
    body: {
      import_status: task.state,
      progress: task.progress,
      name: image?.name ?? "",
      disk_format: image?.format ?? spec.to.write.format,
      container_format: "bare",
      location: await locationOf(asked, task, spec),
      id: spec.to.image,
      min_ram: Number(image?.properties?.["min_ram"] ?? 0),
      min_disk: Number(image?.properties?.["min_disk"] ?? 0),
      os_type: image?.platform ?? "",
      ...(task.failure === undefined ? {} : { error_message: task.failure.message }),
    },
  };
}

/** @throws Fault NOT_FOUND when the task is none of these. */
function importOf({ id, spec }: Task): ImportSpec {
  if (spec.kind !== "import") throw refusal("task-not-found", `there is no import ${id}`);
  return spec;
}

/** Where the disk came from, as it is written here; what came from elsewhere has none. */
async function locationOf(
  { caller, service }: Asked,
  { project }: Task,
  { disks }: ImportSpec,
): Promise<string> {
  const source = disks[0]?.source;
  if (source?.kind !== "object") return "";
  return `${await containerOf(service, caller, project, source.destination)}/${source.object}`;
}

function textOf(fields: Fields, name: string, missing: FujitsuError, invalid: FujitsuError): string {
  const value = fields[name];
  if (value === undefined || value === null || value === "") throw misfit(missing);
  if (typeof value !== "string" || !value.isWellFormed()) throw misfit(invalid);
  return value;
}

function optional(value: unknown, form: RegExp, invalid: FujitsuError): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || !form.test(value)) throw misfit(invalid);
  return value;
}

/** 2^31 - 1 is what OpenStack's own images can say. */
function sizeOf(fields: Fields, name: string, invalid: FujitsuError): number {
  const { [name]: value = 0 } = fields;
  if (!Number.isSafeInteger(value) || Number(value) < 0 || Number(value) > 2 ** 31 - 1) throw misfit(invalid);
  return Number(value);
}
