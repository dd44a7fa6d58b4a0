/** An endpoint with a volume in its catalogue, asked as Huawei's and Cinder's clients ask. */
import type { AccessKey } from "../../../src/api/access-key.ts";
import type { Volume } from "../../../src/catalog/volume.ts";
import type { ImportSpec } from "../../../src/task/spec.ts";
import type { Task } from "../../../src/task/task.ts";
import { change } from "../../service/world.ts";
import { type Endpoint, endpoint, KEY, TOKENS } from "../endpoint.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Huawei extends AsyncDisposable {
  readonly here: Endpoint;
  /** @param body a string goes as it is. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Reply>;
  /** Asks for an export of v-1. */
  upload(asked?: object): Promise<Reply>;
  /** The task that the newest export has become. */
  task(): Promise<Task & { readonly spec: ImportSpec }>;
  setVolume(given: Partial<Volume>): Promise<void>;
}

export const ACTION = "/v3/p1/volumes/v-1/action";
export const UPLOAD = { image_name: "disk" };

/** It may look, and export nothing. */
export const LISTING_KEY: AccessKey = {
  ...KEY,
  id: "AK-list",
  secret: "secret-for-lists",
  actions: ["evs:ListVolumes"],
};

export async function huawei(): Promise<Huawei> {
  const here = await endpoint({ keys: [KEY, LISTING_KEY] });
  const { record } = here.world.file;
  const self: Huawei = {
    here,
    async ask(method, path, body, headers = { "x-auth-token": TOKENS.ann }) {
      const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const reply = await fetch(here.url + path, {
        method,
        headers,
        ...(sent === undefined ? {} : { body: sent }),
      });
      return { status: reply.status, headers: reply.headers, body: JSON.parse(await reply.text()) };
    },
    upload: (asked = {}) => self.ask("POST", ACTION, { "os-volume_upload_image": { ...UPLOAD, ...asked } }),
    async task() {
      const [task] = (await record.tasks({ where: {}, from: { is: "newest", skip: 0 }, limit: 1 })).tasks;
      if (task?.spec.kind !== "import") throw new Error("there is no import");
      return { ...task, spec: task.spec };
    },
    setVolume: (volume) => change(here.world, { volume }),
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
  return self;
}
