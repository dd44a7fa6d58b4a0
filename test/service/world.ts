/** A service over a record in a file: two regions with image stores, a bucket in each, and an image. */
import { dirname, join } from "node:path";
import type { Destination } from "../../src/catalog/destination.ts";
import { type Image, image, imageDisk } from "../../src/catalog/image.ts";
import { type Project, project } from "../../src/catalog/project.ts";
import { type Region, region } from "../../src/catalog/region.ts";
import { volume } from "../../src/catalog/volume.ts";
import { auditTo } from "../../src/daemon/audit.ts";
import { dataKeysOf } from "../../src/daemon/data-keys.ts";
import { checkWriteOptions } from "../../src/engine/write-options.ts";
import { openKeyring } from "../../src/keyring/keyring.ts";
import type { Caller } from "../../src/service/caller.ts";
import { createService } from "../../src/service/create-service.ts";
import type { ServicePorts } from "../../src/service/ports.ts";
import type { CopyRequest, ExportRequest, ImportRequest } from "../../src/service/request.ts";
import type { Service } from "../../src/service/service.ts";
import { type RecordFile, recordFile } from "../record/record-file.ts";
import { NOW } from "../task/tasks.ts";

export const ANN: Caller = { name: "ann", project: "p1", role: "user", requestId: "request-1" };
export const BOB: Caller = { name: "bob", project: "p2", role: "user", requestId: "request-2" };
export const ROOT: Caller = { name: "root", project: "ops", role: "admin", requestId: "request-3" };

export interface World extends AsyncDisposable {
  readonly service: Service;
  readonly file: RecordFile;
  /** Objects that are there already, as `destination/object`. */
  readonly existing: Set<string>;
  /** What stores throw when they are asked; absent: they answer. */
  failing?: Error;
  /** What happens while a store is being asked. */
  meanwhile?: () => Promise<unknown>;
  /** How often the scheduler was told that limits may have changed. */
  regionChanges: number;
  /** How often stores were asked. */
  readonly probes: string[];
  /** What went to the daemon's log. */
  readonly notes: string[];
  /** Where its master keys are. */
  readonly keys: string;
  /** Milliseconds since 1970; moves when a test moves it. */
  time: number;
}

export const never = new AbortController().signal;

export async function world(): Promise<World> {
  const file = await recordFile();
  const keys = join(dirname(file.path), "keys");
  const existing = new Set<string>();
  const probes: string[] = [];
  const notes: string[] = [];
  let ids = 0;
  const ports: ServicePorts = {
    record: file.record,
    masterKeys: dataKeysOf(openKeyring(keys), (_, event) => notes.push(event)),
    audit: auditTo(file.record, (_, event) => notes.push(event)),
    now: () => made.time,
    newId: () => {
      ids += 1;
      return `id-${String(ids).padStart(6, "0")}`;
    },
    async existing({ name }, objects) {
      probes.push(name);
      await made.meanwhile?.();
      if (made.failing !== undefined) throw made.failing;
      return objects.filter((object) => existing.has(`${name}/${object}`));
    },
    formats: new Map([
      ["qcow2", ".qcow2"],
      ["raw", ".raw"],
      ["vhd", ".vhd"],
      ["zvhd", ".zvhd"],
      ["zvhd2", ".zvhd2"],
      ["tar.gz", ".raw.tar.gz"],
    ]),
    readable: new Set(["qcow2", "raw", "vhd", "zvhd", "zvhd2"]),
    checkWrite: checkWriteOptions,
    allowsUrl: (url) => !url.startsWith("https://closed/"),
    roots: new Set(["volumes"]),
    regionsChanged() {
      made.regionChanges += 1;
    },
  };
  const made: World = {
    service: createService(ports),
    file,
    existing,
    regionChanges: 0,
    probes,
    notes,
    keys,
    time: NOW,
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
  const { catalogue } = file.record;
  for (const id of ["east", "west"]) {
    await catalogue.regions.add(region({ id, imageStore: `${id}-images` }));
    await catalogue.destinations.add(bucket(`${id}-images`, id));
    await catalogue.destinations.add(bucket(`${id}-bucket`, id));
  }
  await catalogue.destinations.add({ ...bucket("p2-bucket", "east"), project: "p2" });
  await catalogue.images.add(storedImage());
  await catalogue.volumes.add(
    volume({
      id: "v-1",
      project: "p1",
      region: "east",
      root: "volumes",
      path: "v-1.raw",
      size: 9,
      createdAt: NOW,
    }),
  );
  return made;
}

function bucket(name: string, region: string): Destination {
  return { name, region, provider: "oss", container: name, location: `oss://${name}/` };
}

export function storedImage(given: Partial<Image> = {}): Image {
  return image({
    id: "image-1",
    project: "p1",
    region: "east",
    store: "east-images",
    name: "debian",
    format: "qcow2",
    createdAt: NOW,
    disks: [storedDisk("s-1")],
    ...given,
  });
}

export function storedDisk(snapshot: string, given: Partial<Image["disks"][number]> = {}) {
  const stored = { object: `${snapshot}.qcow2`, size: 512 };
  return imageDisk({ snapshot, virtualSize: 1024, createdAt: NOW, ...stored, ...given });
}

export async function change(
  { file }: World,
  changes: {
    readonly image?: Partial<Image>;
    readonly east?: Partial<Region>;
    readonly west?: Partial<Region>;
    readonly project?: Partial<Project>;
    readonly volume?: Parameters<typeof Object.assign>[1];
  },
): Promise<void> {
  const { images, regions, projects, volumes } = file.record.catalogue;
  const changed = async <Entry>(
    shelf: { get: (id: string) => Promise<{ entry: Entry; version: number } | undefined> } & {
      replace: (entry: Entry, version: number) => Promise<unknown>;
    },
    id: string,
    given: Partial<Entry> | undefined,
  ) => {
    const seen = given === undefined ? undefined : await shelf.get(id);
    if (seen !== undefined) await shelf.replace({ ...seen.entry, ...given }, seen.version);
  };
  await changed(images, "image-1", changes.image);
  await changed(regions, "east", changes.east);
  await changed(regions, "west", changes.west);
  await changed(volumes, "v-1", changes.volume);
  if (changes.project !== undefined) await projects.add(project({ id: "p1", ...changes.project }));
}

export const EXPORT: ExportRequest = {
  kind: "export",
  from: { kind: "image", image: "image-1" },
  destination: "east-bucket",
  object: { is: "given", name: "debian.qcow2" },
};

export const IMPORT: ImportRequest = {
  kind: "import",
  region: "east",
  disks: [{ source: { kind: "object", destination: "east-bucket", object: "new.qcow2" } }],
  image: { name: "new" },
};

export const COPY: CopyRequest = {
  kind: "copy",
  image: "image-1",
  from: "east",
  to: "west",
  target: {},
};

/** The reason of the refusal, or what else went wrong. */
export async function reasonOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => "accepted",
    (error: { details?: { reason?: string } }) => error.details?.reason ?? error,
  );
}
