/** An endpoint with containers of a Swift in its catalogue, asked as Fujitsu's clients ask. */
import type { TaskEvent } from "../../../src/task/step.ts";
import { applied } from "../../record/record-file.ts";
import { change, storedImage } from "../../service/world.ts";
import { START } from "../../task/tasks.ts";
import { type Endpoint, endpoint, TOKENS } from "../endpoint.ts";

export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Fujitsu extends AsyncDisposable {
  readonly here: Endpoint;
  /** @param body a string goes as it is. */
  ask(method: string, path: string, body?: unknown, token?: string): Promise<Reply>;
  /** Asks for an export of the image, and gives its id. */
  exported(image?: string, container?: string): Promise<string>;
  status(id: string): Promise<Reply["body"]>;
  /** Takes a task through these events, from the start of its run. */
  run(id: string, ...events: readonly TaskEvent[]): Promise<void>;
}

export const CONTAINER = "/v1/AUTH_p1/exports";
export const EXPORT = { image_id: "image-1", storage_container: CONTAINER };
export const IMPORT = { name: "debian", location: `${CONTAINER}/new.qcow2`, os_type: "ubuntu" };

/** `east` speaks v1, `west` v2. There are two images in the east, one of them of another project. */
export async function fujitsu(): Promise<Fujitsu> {
  const here = await endpoint();
  const { catalogue } = here.world.file.record;
  for (const [region, container] of [
    ["east", "exports"],
    ["east", "others"],
    ["west", "exports"],
  ] as const) {
    const location = `swift://${container}/`;
    const name = `${region}-${container}`;
    await catalogue.destinations.add({ name, region, provider: "swift", container, location });
  }
  await change(here.world, { west: { swiftApiVersion: "v2" } });
  await catalogue.images.add(storedImage({ id: "image-of-p2", project: "p2", name: "theirs" }));
  await catalogue.images.add(storedImage({ id: "image-2", name: "alpine" }));
  await catalogue.images.add(
    storedImage({ id: "image-west", name: "west", region: "west", store: "west-images" }),
  );
  here.world.existing.add("east-exports/new.qcow2");
  const self: Fujitsu = {
    here,
    async ask(method, path, body, token = TOKENS.ann) {
      const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const reply = await fetch(here.url + path, {
        method,
        headers: token === "" ? {} : { "x-auth-token": token },
        ...(sent === undefined ? {} : { body: sent }),
      });
      const text = await reply.text();
      return { status: reply.status, body: text === "" ? {} : JSON.parse(text) };
    },
    async exported(image = "image-1", container = CONTAINER) {
      const asked = { image_id: image, storage_container: container };
      const { status, body } = await self.ask("POST", "/v1/imageexport", asked);
      if (status !== 201) throw new Error(JSON.stringify(body));
      return String(body["export_id"]);
    },
    async status(id) {
      return (await self.ask("GET", `/v1/imageexport/${id}/status`)).body;
    },
    async run(id, ...events) {
      await applied(here.world.file.record, id, START, ...events);
    },
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
  return self;
}
