/** An endpoint asked as ECS is asked: signed with access keys, in two regions with a bucket and an image. */
import { randomUUID } from "node:crypto";
import type { AccessKey } from "../../../src/api/access-key.ts";
import { signatureV1 } from "../../../src/api/alibaba/signature.ts";
import type { Image } from "../../../src/catalog/image.ts";
import type { Key } from "../../../src/catalog/key.ts";
import { type Project, project } from "../../../src/catalog/project.ts";
import type { Region } from "../../../src/catalog/region.ts";
import type { Entries } from "../../../src/service/service.ts";
import type { TaskEvent } from "../../../src/task/step.ts";
import { applied } from "../../record/record-file.ts";
import { ROOT } from "../../service/world.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";

export const ANN_KEY: AccessKey = {
  id: "testid",
  secret: "testsecret",
  name: "ann",
  project: "p1",
  role: "user",
  state: "enabled",
};
export const BOB_KEY: AccessKey = {
  ...ANN_KEY,
  id: "bob-key",
  secret: "bob-secret",
  name: "bob",
  project: "p2",
};

export const ROLES = ["AliyunECSImageExportDefaultRole", "AliyunECSImageImportDefaultRole"];

export type Params = Readonly<Record<string, string | undefined>>;

export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, never>> & {
    readonly RequestId: string;
    readonly Code?: string;
    readonly Message?: string;
    readonly ImageId: string;
    readonly TaskId: string;
  };
}

export interface Alibaba extends AsyncDisposable {
  readonly here: Endpoint;
  /** JSON, over V1, unless the parameters say otherwise; undefined leaves a parameter out. */
  ask(action: string, params?: Params, key?: AccessKey): Promise<Reply>;
  /** As `ask`, and as text. */
  text(params: Params, key?: AccessKey, method?: "GET" | "POST"): Promise<Response>;
  /** Changed as an admin changes them. */
  readonly set: Setting;
  /** Takes a task through these events, from the start of its run. */
  run(id: string, ...events: readonly TaskEvent[]): Promise<void>;
  /** The id of the task that makes the image. */
  making(image: string): Promise<string>;
}

export interface Setting {
  region(id: string, given: Partial<Region>): Promise<void>;
  project(id: string, given: Partial<Project>): Promise<void>;
  image(id: string, given: Partial<Image>): Promise<void>;
  key(given: Partial<Key>): Promise<void>;
}

export const COPY: Params = {
  RegionId: "east",
  ImageId: "image-1",
  DestinationRegionId: "west",
  DestinationImageName: "copied",
};
export const EXPORT: Params = { RegionId: "east", ImageId: "image-1", OssBucket: "east-bucket" };
export const IMPORT: Params = {
  RegionId: "east",
  ImageName: "imported",
  "DiskDeviceMapping.1.OSSBucket": "east-bucket",
  "DiskDeviceMapping.1.OSSObject": "disk.qcow2",
};

/** Events that bring a task to its data, halfway through them, and to a bad end. */
export const PLANNED = [
  { kind: "opened" },
  { kind: "planned", total: 100 },
] as const satisfies readonly TaskEvent[];
export const HALF = {
  kind: "progressed",
  bytes: { read: 50, encoded: 50, sent: 50, committed: 50 },
} as const satisfies TaskEvent;
export const FAILED = (code: string) =>
  ({
    kind: "failed",
    failure: { stage: "data", code, message: "why it failed", retryable: false },
  }) as const satisfies TaskEvent;

export async function alibaba(given: Parameters<typeof endpoint>[0] = {}): Promise<Alibaba> {
  const here = await endpoint({ keys: [ANN_KEY, BOB_KEY], ...given });
  const { service } = here.world;
  for (const id of ["p1", "p2"]) {
    await service.projects.register(ROOT, project({ id, aliUid: `1000${id}`, roles: ROLES }));
  }
  here.world.existing.add("east-bucket/disk.qcow2");

  const change = async <Entry>(entries: Entries<Entry>, id: string, changes: Partial<Entry>) => {
    const { entry, version } = await entries.get(ROOT, id);
    await entries.replace(ROOT, { ...entry, ...changes }, version);
  };

  const text: Alibaba["text"] = async (params, key = ANN_KEY, method = "GET") => {
    const query = new URLSearchParams(signed(here, params, key, method)).toString();
    if (method === "GET") return fetch(`${here.url}/?${query}`);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return fetch(here.url, { method, headers, body: query });
  };

  return {
    here,
    text,
    async ask(action, params = {}, key) {
      const reply = await text({ Action: action, Format: "JSON", ...params }, key);
      return { status: reply.status, body: (await reply.json()) as Reply["body"] };
    },
    set: {
      region: (id, changes) => change(service.regions, id, changes),
      project: (id, changes) => change(service.projects, id, changes),
      image: (id, changes) => change(service.images, id, changes),
      async key(changes) {
        const usual = { id: "key-1", project: "p1", region: "west", createdAt: here.world.time } as const;
        const open = { state: "Enabled", serviceGrant: "yes", tagGrant: "yes" } as const;
        await service.keys.register(ROOT, { ...usual, ...open, ...changes });
      },
    },
    async run(id, ...events) {
      const slots = (await service.getTask(ROOT, id)).regions;
      await applied(here.world.file.record, id, { kind: "started", runner: "host-1", slots }, ...events);
    },
    async making(image) {
      const { tasks } = await service.listTasks(ROOT, { image });
      return tasks[0]?.id ?? "";
    },
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
}

/** With all that a request of V1 carries; what is given wins. */
export function signed(
  { world }: Endpoint,
  params: Params,
  key: AccessKey,
  method: string,
): Record<string, string> {
  const all = {
    Version: "2014-05-26",
    AccessKeyId: key.id,
    SignatureMethod: "HMAC-SHA1",
    SignatureVersion: "1.0",
    SignatureNonce: randomUUID(),
    Timestamp: `${new Date(world.time).toISOString().slice(0, 19)}Z`,
    ...params,
  };
  const pairs = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return { ...Object.fromEntries(pairs), Signature: signatureV1(method, pairs, key.secret) };
}
