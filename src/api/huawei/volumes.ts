/** Volumes: what is known of them, and their export as an image (EV-1 to EV-17). */
import { GiB } from "../../bytes/units.ts";
import type { Volume, VolumeType } from "../../catalog/volume.ts";
import { reservedVolume } from "../../record/settle.ts";
import type { Caller } from "../../service/caller.ts";
import type { Service } from "../../service/service.ts";
import type { Reply } from "../dialect.ts";
import type { Asked } from "./asked.ts";
import { misfit } from "./errors.ts";
import { listQuery } from "./list-query.ts";
import { timeText } from "./time.ts";
import { parseUpload } from "./upload.ts";

export async function showVolume({ caller, service, parameters }: Asked): Promise<Reply> {
  return { status: 200, body: { volume: volumeBody(await volumeNamed(service, caller, parameters)) } };
}

/** Cinder's clients look a volume up by its name here, where they find none of that id. */
export async function listVolumes({ caller, service, query }: Asked): Promise<Reply> {
  const { entries } = await service.volumes.list(caller, listQuery(caller, query));
  return { status: 200, body: { volumes: entries.map(({ entry }) => volumeBody(entry)) } };
}

export async function uploadVolume({
  caller,
  key,
  service,
  parameters,
  body,
  signal,
}: Asked): Promise<Reply> {
  const upload = parseUpload(body);
  // The image will be in no resource group, and such a key may put images under its own groups alone.
  if (key?.resourceGroups !== undefined) throw misfit("forbidden");
  const volume = await volumeNamed(service, caller, parameters);
  const { task } = await service.importImage(
    caller,
    {
      kind: "import",
      region: volume.region,
      disks: [{ source: { kind: "volume", volume: volume.id } }],
      image: {
        name: upload.imageName,
        sameName: "allow",
        properties: { container_format: upload.containerFormat },
        ...(upload.osType === undefined ? {} : { osType: upload.osType }),
      },
      write: { format: upload.diskFormat },
      inUse: upload.inUse,
    },
    signal,
  );
  if (task.spec.kind !== "import") throw misfit("internal");
  const accepted = reservedVolume(volume, task.times.acceptedAt);
  return {
    status: 202,
    body: {
      "os-volume_upload_image": {
        id: accepted.id,
        status: accepted.status,
        size: gigabytes(accepted.size),
        display_description: accepted.description,
        updated_at: timeText(accepted.updatedAt),
        volume_type: typeBody(accepted.type),
        image_id: task.spec.to.image,
        image_name: upload.imageName,
        container_format: upload.containerFormat,
        disk_format: task.spec.to.write.format,
      },
    },
  };
}

async function volumeNamed(
  service: Service,
  caller: Caller,
  { volume: id = "" }: Asked["parameters"],
): Promise<Volume> {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(id)) throw misfit("volumeIdInvalid");
  return (await service.volumes.get(caller, id)).entry;
}

/** As sizes of volumes are told: whole GiB. */
function gigabytes(size: number): number {
  return Math.ceil(size / GiB);
}

function volumeBody(volume: Volume) {
  return {
    id: volume.id,
    name: volume.name,
    description: volume.description,
    status: volume.status,
    size: gigabytes(volume.size),
    volume_type: volume.type.name,
    availability_zone: volume.region,
    "os-vol-tenant-attr:tenant_id": volume.project,
    created_at: timeText(volume.createdAt),
    updated_at: timeText(volume.updatedAt),
    volume_image_metadata: volume.imageMetadata,
    metadata: {},
    attachments: [],
    links: [],
  };
}

/** EV-13, EV-14. */
function typeBody({ id, name, description, extraSpecs, qosSpecs, visibility }: VolumeType) {
  return {
    id,
    name,
    description,
    extra_specs: extraSpecs,
    qos_specs_id: qosSpecs,
    is_public: visibility === "public",
  };
}
