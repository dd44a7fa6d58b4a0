/** The endpoint over a record whose tasks are truly run: a harbour, and the dialects that are spoken in front of it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { project } from "../../src/catalog/project.ts";
import { volume } from "../../src/catalog/volume.ts";
import { fileEnding } from "../../src/engine/file-name.ts";
import { checkWriteOptions } from "../../src/engine/write-options.ts";
import { FORMATS } from "../../src/format/registry.ts";
import { createService } from "../../src/service/create-service.ts";
import type { Service } from "../../src/service/service.ts";
import { type Harbour, harbour } from "../schedule/harbour.ts";
import { ANN_KEY, ROLES } from "./alibaba/alibaba.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";

export interface QuayEndpoint extends AsyncDisposable {
  readonly quay: Harbour;
  readonly here: Endpoint;
  readonly service: Service;
}

/** The quay is a bucket, and a container `exports`; the yard is a root that holds the volume `v-1`, in `disk.raw`. */
export async function quayEndpoint(size: number): Promise<QuayEndpoint> {
  const quay = await harbour();
  const { record } = quay;
  const { destination } = quay.places;
  const container = { region: "east", provider: "swift", container: "exports" } as const;
  await record.catalogue.destinations.add({ ...container, name: "exports", location: "swift://exports/" });
  quay.places = {
    ...quay.places,
    destination: (place, object, ...rest) =>
      destination(
        { ...place, location: place.location.replace("swift://exports", quay.path("quay")) },
        object,
        ...rest,
      ),
  };
  await record.catalogue.projects.add(project({ id: "p1", aliUid: "10001", roles: ROLES }));
  const disk = { root: "yard", path: "disk.raw", size, createdAt: 0 };
  await record.catalogue.volumes.add(volume({ id: "v-1", project: "p1", region: "east", ...disk }));
  let ids = 0;
  const service = createService({
    record,
    masterKeys: quay.dataKeys,
    audit: async () => {},
    now: Date.now,
    newId: () => {
      ids += 1;
      return `id-${ids}`;
    },
    existing: async ({ location }, objects) => objects.filter((object) => existsSync(join(location, object))),
    formats: new Map(FORMATS.map(({ name }) => [name, fileEnding(name)])),
    readable: new Set(FORMATS.filter(({ reader }) => reader !== undefined).map(({ name }) => name)),
    checkWrite: checkWriteOptions,
    allowsUrl: () => false,
    roots: new Set(["yard"]),
    regionsChanged: () => {},
  });
  const here = await endpoint({ service, keys: [ANN_KEY] });
  return {
    quay,
    here,
    service,
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      await quay[Symbol.asyncDispose]();
    },
  };
}
