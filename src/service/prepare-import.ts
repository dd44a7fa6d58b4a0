/** An import: from a request to what is accepted, or to a refusal. */
import type { Versioned } from "../catalog/entry.ts";
import type { Region } from "../catalog/region.ts";
import type { Volume } from "../catalog/volume.ts";
import type { DiskSource } from "../task/spec.ts";
import type { Caller } from "./caller.ts";
import { checkNewImage, reserveImage } from "./new-image.ts";
import type { ServicePorts } from "./ports.ts";
import { checkRole, imageLimits, type Objects, type Prepared, taskFor } from "./prepare.ts";
import { refusal } from "./refusal.ts";
import { checkOpen } from "./region-rules.ts";
import type { ImportRequest } from "./request.ts";
import { projectOf, regionNamed, usableDestination } from "./visible.ts";
import { osTypeOf, readableVolume } from "./volume-rules.ts";
import { checkObjectName, checkPath, checkReadable, checkUrl, malformed } from "./wellformed.ts";

/** IM-12: one system disk and sixteen others. */
const MOST_DISKS = 17;

export async function prepareImport(
  request: ImportRequest,
  caller: Caller,
  ports: ServicePorts,
): Promise<Prepared> {
  const { catalogue } = ports.record;
  const { disks } = request;
  const region = await regionNamed(catalogue, request.region);
  const project = await projectOf(catalogue, caller);
  if (project.imports === "refused") {
    throw refusal("imports-refused", `project ${project.id} may not import images`);
  }
  // EVS.2145: volumes of an account that is suspended are not exported.
  if (project.payment === "outstanding" && disks.some(({ source }) => source.kind === "volume")) {
    throw refusal("payment-outstanding", `project ${project.id} has an outstanding payment`);
  }
  checkRole(project, request.role);
  checkNewImage(request.image, project);
  if (disks.length === 0 || disks.length > MOST_DISKS) {
    throw malformed("disks", `an image has 1 to ${MOST_DISKS} disks`);
  }
  if (region.importExport === "refused") {
    throw refusal("region-import-export", `region ${region.id} imports and exports no images`);
  }
  checkOpen(region, "take images", "region-import-export");
  const volumes: Versioned<Volume>[] = [];
  for (const { source, format, virtualSize } of disks) {
    if (format !== undefined) checkReadable(format, ports);
    if (virtualSize !== undefined && !(Number.isSafeInteger(virtualSize) && virtualSize > 0)) {
      throw malformed("virtualSize", "the size of a disk is a whole number of bytes");
    }
    const volume = await checkSource(source, request, region, caller, ports);
    if (volume !== undefined) volumes.push(volume);
  }
  if (new Set(volumes.map(({ entry }) => entry.id)).size < volumes.length) {
    throw malformed("disks", "two disks come from the same volume");
  }
  const system = disks[0]?.source.kind === "volume" ? volumes[0] : undefined;
  const given =
    system === undefined
      ? request.image
      : { ...request.image, osType: osTypeOf(system.entry, request.image.osType) };
  const { image, to } = await reserveImage(
    ports,
    caller,
    region,
    given,
    { image: {}, disks: disks.map(({ virtualSize }) => (virtualSize === undefined ? {} : { virtualSize })) },
    request.write,
  );
  return {
    acceptance: {
      task: taskFor(caller, request, ports.newId(), {
        spec: {
          kind: "import",
          disks,
          region: region.id,
          to,
          verify: request.verify ?? "by the store",
        },
        regions: [region.id],
        exclusive: exclusiveNames(request, caller),
      }),
      at: ports.now(),
      images: [image],
      sameName: request.image.sameName ?? "refuse",
      volumes,
      unchanged: [],
      limits: imageLimits(project, region.id),
    },
    present: request.objects === "now" ? await objectsOf(request, caller, ports) : [],
  };
}

async function objectsOf(
  { disks }: ImportRequest,
  caller: Caller,
  { record }: ServicePorts,
): Promise<readonly Objects[]> {
  const found: Objects[] = [];
  for (const { source } of disks) {
    if (source.kind !== "object") continue;
    const destination = await usableDestination(record.catalogue, caller, source.destination);
    found.push({ destination, objects: [source.object] });
  }
  return found;
}

/** The volume, if it is one. */
async function checkSource(
  source: DiskSource,
  request: ImportRequest,
  region: Region,
  caller: Caller,
  { record, roots, allowsUrl }: ServicePorts,
): Promise<Versioned<Volume> | undefined> {
  switch (source.kind) {
    case "url":
      checkUrl(source.url);
      if (allowsUrl(source.url)) return undefined;
      throw refusal("url-refused", "images are imported from other places only: ask the operator");
    case "object": {
      checkObjectName(source.object);
      const destination = await usableDestination(record.catalogue, caller, source.destination);
      if (destination.region === region.id) return undefined;
      throw refusal("destination-region", `destination ${destination.name} is not in ${region.id}`); // IM-14
    }
    case "file":
      // A root holds the files of many projects.
      if (caller.role !== "admin") throw refusal("admins-only", "only admins import files of the host");
      if (!roots.has(source.root)) throw refusal("root-not-found", `there is no root ${source.root}`);
      checkPath(source.path);
      return undefined;
    case "volume": {
      const seen = await readableVolume(record.catalogue, caller, source.volume, request.inUse ?? "refuse");
      if (seen.entry.region === region.id) return seen;
      throw refusal("volume-not-found", `there is no volume ${source.volume} in ${region.id}`);
    }
  }
}

/** IM-E15: the same object under the same name, once at a time. */
function exclusiveNames({ disks, image, region }: ImportRequest, { project }: Caller): readonly string[] {
  return disks.flatMap(({ source }) =>
    source.kind === "object"
      ? [`import ${source.destination}/${source.object} as ${project}/${region}/${image.name ?? ""}`]
      : [],
  );
}
