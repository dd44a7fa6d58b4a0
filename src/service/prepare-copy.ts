/** A copy: from a request to what is accepted, or to a refusal. */
import type { Caller } from "./caller.ts";
import { checkCopy, checkPayment } from "./copy-rules.ts";
import { keyFor } from "./encryption-rules.ts";
import { canRead, newEncryption } from "./image-keys.ts";
import { checkNewImage, type Reserved, reserveImage } from "./new-image.ts";
import type { ServicePorts } from "./ports.ts";
import { imageLimits, type Prepared, taskFor } from "./prepare.ts";
import { refusal } from "./refusal.ts";
import type { CopyRequest } from "./request.ts";
import { projectOf, regionNamed, visibleImage } from "./visible.ts";

export async function prepareCopy(
  request: CopyRequest,
  caller: Caller,
  ports: ServicePorts,
): Promise<Prepared> {
  const { catalogue } = ports.record;
  const from = await regionNamed(catalogue, request.from, "source-region-not-found");
  const to = await regionNamed(catalogue, request.to ?? request.from);
  const project = await projectOf(catalogue, caller);
  checkPayment(project);
  const seen = await visibleImage(catalogue, caller, request.image);
  const source = seen.entry;
  if (source.region !== from.id) {
    throw refusal("image-not-found", `there is no image ${source.id} in ${from.id}`);
  }
  checkNewImage(request.target, project);
  const { encryption = { wanted: "unsaid" } } = request;
  const readable = await canRead(source, catalogue, ports.masterKeys);
  const copy = { caller, project, image: source, from, to, readable, encryption };
  checkCopy(copy);
  const key = await keyFor(copy, ports);
  const { description, osType, architecture, platform, bootMode, properties } = source;
  const reserved = await reserveImage(
    ports,
    caller,
    to,
    { ...request.target, name: request.target.name ?? source.name },
    {
      image: {
        description,
        osType,
        architecture,
        platform,
        ...(bootMode === undefined ? {} : { bootMode }),
        ...(properties === undefined ? {} : { properties }),
        source: { image: source.id, region: from.id },
      },
      disks: source.disks.map(({ kind, virtualSize }) => ({ kind, virtualSize })),
    },
  );
  const made = key === undefined ? reserved : await encrypted(reserved, key, ports);
  return {
    acceptance: {
      task: taskFor(caller, request, ports.newId(), {
        spec: {
          kind: "copy",
          from: { image: source.id, region: from.id },
          region: to.id,
          to: made.to,
          verify: request.verify ?? "by the store",
        },
        regions: [...new Set([from.id, to.id])],
        // D4: ImageCopyConflict. What other projects do with a shared image is not the caller's to see.
        exclusive: [`copy ${source.id} to ${to.id} for ${caller.project}`],
      }),
      at: ports.now(),
      images: [made.image],
      sameName: request.target.sameName ?? "refuse",
      volumes: [],
      unchanged: [seen],
      limits: imageLimits(project, to.id),
    },
  };
}

/** The same, encrypted with a data key of its own. */
async function encrypted(reserved: Reserved, key: string, ports: ServicePorts): Promise<Reserved> {
  const { image, to } = reserved;
  const encryption = await newEncryption(image, key, ports);
  const disks = image.disks.map((disk) => ({ ...disk, encrypted: "yes" as const }));
  return { image: { ...image, encrypted: "yes", key, encryption, disks }, to: { ...to, encryption } };
}
