/** An export: from a request to what is accepted, or to a refusal. */
import type { Destination } from "../catalog/destination.ts";
import { type Image, isEncrypted } from "../catalog/image.ts";
import type { Project } from "../catalog/project.ts";
import type { Region } from "../catalog/region.ts";
import type { Acceptance } from "../record/record.ts";
import type { WriteOptions } from "../task/spec.ts";
import type { Caller } from "./caller.ts";
import { exportName, namesForDisks } from "./objects.ts";
import type { ServicePorts } from "./ports.ts";
import { checkRole, type Prepared, taskFor, unfinishedLimit } from "./prepare.ts";
import { refusal } from "./refusal.ts";
import { checkOpen } from "./region-rules.ts";
import type { ExportRequest } from "./request.ts";
import { owns, projectOf, regionNamed, usableDestination, visibleImage } from "./visible.ts";
import { readableVolume } from "./volume-rules.ts";
import { checkObjectName, checkReadable, checkWrite } from "./wellformed.ts";

const WEEK_MS = 7 * 86_400_000;

export async function prepareExport(
  request: ExportRequest,
  caller: Caller,
  ports: ServicePorts,
): Promise<Prepared> {
  const { catalogue } = ports.record;
  if (request.region !== undefined) await regionNamed(catalogue, request.region);
  const project = await projectOf(catalogue, caller);
  checkProject(project);
  checkRole(project, request.role);
  const source = await sourceOf(request, caller, ports);
  const region = await regionNamed(catalogue, source.region);
  checkRegion(region);
  checkOpen(region, "give images", "region-import-export");
  const write = writeOf(request, source);
  checkWrite(write, ports);
  if (request.verify === "read back") checkReadable(write.format, ports);
  checkExportFormat(region, write.format);
  const destination = await usableDestination(catalogue, caller, request.destination);
  checkDestination(destination, region);
  const id = ports.newId();
  const ending = ports.formats.get(write.format) ?? "";
  const name = exportName(request.object, { from: source.id, task: id, ending });
  const objects = namesForDisks(name, source.disks, ending);
  for (const object of objects) checkObjectName(object);
  return {
    acceptance: {
      task: taskFor(caller, request, id, {
        spec: {
          ...write,
          kind: "export",
          from: source.from,
          destination: destination.name,
          objects,
          verify: request.verify ?? "by the store",
        },
        regions: [region.id],
        exclusive: exclusiveNames(request, source.id, destination, objects),
      }),
      at: ports.now(),
      images: [],
      sameName: "allow",
      volumes: source.volumes,
      unchanged: source.unchanged,
      limits: limitsOf(project, ports.now()),
    },
    absent: { destination, objects },
  };
}

function writeOf({ write, rawAs }: ExportRequest, { format }: ExportSource): WriteOptions {
  if (write !== undefined) return write;
  return { format: format === "raw" ? (rawAs ?? format) : format };
}

interface ExportSource extends Pick<Acceptance, "volumes" | "unchanged"> {
  readonly id: string;
  readonly from: { readonly kind: "image"; readonly image: string } | VolumeSource;
  readonly region: string;
  readonly format: string;
  readonly disks: number;
}

interface VolumeSource {
  readonly kind: "volume";
  readonly volume: string;
}

async function sourceOf(request: ExportRequest, caller: Caller, ports: ServicePorts): Promise<ExportSource> {
  const { from } = request;
  if (from.kind === "volume") {
    const seen = await readableVolume(ports.record.catalogue, caller, from.volume, from.inUse);
    const { id, region, format } = seen.entry;
    const source = { kind: "volume", volume: id } as const;
    return { id, from: source, region, format, disks: 1, volumes: [seen], unchanged: [] };
  }
  const seen = await visibleImage(ports.record.catalogue, caller, from.image);
  checkImage(seen.entry, caller, request.region);
  checkSize(seen.entry, request.largest);
  const { id, region, format, disks } = seen.entry;
  const source = { kind: "image", image: id } as const;
  return { id, from: source, region, format, disks: disks.length, volumes: [], unchanged: [seen] };
}

/** FJ-5, EX-E1, EX-E2, EX-E11. */
function checkImage(image: Image, caller: Caller, region: string | undefined): void {
  const { id } = image;
  if (region !== undefined && image.region !== region) {
    throw refusal("image-not-found", `there is no image ${id} in ${region}`);
  }
  if (!owns(caller, image)) throw refusal("not-owner", `image ${id}: belongs to another project`);
  const fromMarket = image.disks.some(({ marketplaceOrigin }) => marketplaceOrigin !== undefined);
  if (image.productCode !== undefined || fromMarket) {
    throw refusal("image-marketplace", `image ${id}: stems from the marketplace and cannot be exported`);
  }
  if (isEncrypted(image)) {
    throw refusal("image-encrypted", `image ${id}: is encrypted and cannot be exported`);
  }
  if (image.status !== "Available") {
    throw refusal("image-status", `image ${id}: is ${image.status}, not Available`, { status: image.status });
  }
  if (image.disks.some(({ object }) => object === undefined)) {
    throw refusal("snapshot-missing", `image ${id}: one of its disks is not stored`);
  }
}

/** EX-9, EX-10. */
function checkSize({ id, disks }: Image, largest: ExportRequest["largest"]): void {
  if (largest === undefined) return;
  const data = disks.slice(1);
  if (
    data.length <= largest.dataDisks &&
    data.every(({ virtualSize }) => virtualSize <= largest.dataDiskBytes)
  ) {
    return;
  }
  throw refusal("image-disks", `image ${id}: has more or larger data disks than may be exported`);
}

function checkProject(project: Project): void {
  if (project.exports === "refused") {
    throw refusal("exports-refused", `project ${project.id} may not export images`);
  }
}

function checkRegion(region: Region): void {
  if (region.importExport === "refused") {
    throw refusal("region-import-export", `region ${region.id} imports and exports no images`);
  }
}

/** Where raw disks may go out, they may go out in archives. */
function checkExportFormat({ id, exportFormats }: Region, format: string): void {
  if (exportFormats === "any" || exportFormats.includes(format)) return;
  if (format === "tar.gz" && exportFormats.includes("raw")) return;
  throw refusal("region-format", `region ${id} exports no ${format} images`);
}

/** EX-7. */
function checkDestination(destination: Destination, region: Region): void {
  if (destination.region === region.id) return;
  throw refusal("destination-region", `destination ${destination.name} is not in ${region.id}`);
}

/** FJ-6, EX-E13; and no two tasks write one object. */
function exclusiveNames(
  request: ExportRequest,
  source: string,
  { name }: Destination,
  objects: readonly string[],
): readonly string[] {
  return [
    `export ${source} to ${name}`,
    ...(request.alone === "image" ? [`export ${source}`] : []),
    ...objects.map((object) => `object ${name}/${object}`),
  ];
}

function limitsOf(project: Project, at: number): Acceptance["limits"] {
  const { id, quotas } = project;
  const unfinished = unfinishedLimit(project);
  const exports = { project: id, kinds: ["export"] } as const;
  return [
    unfinished,
    {
      counts: "tasks",
      name: "exports",
      where: { ...unfinished.where, ...exports },
      most: quotas.exports,
    },
    {
      counts: "tasks",
      name: "weekly-exports",
      where: { ...exports, acceptedFrom: at - WEEK_MS },
      most: quotas.weeklyExports,
    },
  ];
}
