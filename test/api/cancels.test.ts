/** FJ-22 to FJ-32 and D1 as each dialect shows them, with real transfers that a gate holds at the edges of the bands. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import { writeSpread } from "../daemon/disk.ts";
import { type Gate, partGate } from "../schedule/gate.ts";
import { never } from "../schedule/harbour.ts";
import { holdEvent } from "../schedule/hold-event.ts";
import { ROOT } from "../service/world.ts";
import { ANN_KEY, type Params, signed } from "./alibaba/alibaba.ts";
import { TOKENS } from "./endpoint.ts";
import { type QuayEndpoint, quayEndpoint } from "./quay.ts";

const KiB = 1024;
const GiB = 1024 ** 3;
/** So far apart that each run of data is a segment of its own, whatever the format: one percent of the data stage. */
const SPREAD = { runs: 85, apart: 4 * GiB, data: 64 * KiB };

let at: QuayEndpoint;
let gate: Gate;
let scheduler: Scheduler;

beforeEach(async () => {
  at = await quayEndpoint(SPREAD.runs * SPREAD.apart);
  for (const folder of ["east", "yard", "quay"]) writeSpread(at.quay.path(folder, "disk.raw"), SPREAD);
  const image = await at.quay.stored("east-a", "raw", "disk.raw");
  // CP-E26: what is too old is not copied.
  const disks = image.disks.map((disk) => ({ ...disk, createdAt: Date.now() }));
  await at.quay.record.catalogue.images.replace({ ...image, disks }, 1);
});
afterEach(() => at[Symbol.asyncDispose]());

/** One lane, so that parts land in the order of the disk. */
async function begin(parts: number): Promise<void> {
  gate = partGate(parts);
  at.quay.before = (destination) => gate.before(destination);
  scheduler = await at.quay.start({ memory: 1 });
}

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(path: string, init: RequestInit = {}): Promise<Reply> {
  const reply = await fetch(at.here.url + path, init);
  const text = await reply.text();
  return { status: reply.status, body: text === "" ? {} : JSON.parse(text) };
}

function ecs(Action: string, params: Params): Promise<Reply> {
  const all = signed(at.here, { Action, Format: "JSON", ...params }, ANN_KEY, "GET");
  return ask(`/?${new URLSearchParams(all)}`);
}

const openstack = (method: string, path: string, body?: object): Promise<Reply> =>
  ask(path, {
    method,
    headers: { "x-auth-token": TOKENS.ann },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** How a task is asked for, cancelled and watched in one dialect. */
interface Way {
  readonly name: string;
  /** @returns the id of the task. */
  ask(): Promise<string>;
  cancel(id: string): Promise<Reply>;
  /** What is shown of it. */
  shown(id: string): Promise<unknown>;
  /** What is shown while it is being cancelled, and when it is cancelled. */
  readonly cancelling: (progress: number) => unknown;
  readonly canceled: (progress: number) => unknown;
  readonly succeeded: unknown;
  readonly accepted: number;
  /** Why a second cancel is refused, one of a task that has ended, and one that comes too late. */
  readonly second: readonly [number, string];
  readonly ended: readonly [number, string];
  readonly late: readonly [number, string];
}

async function attribute(TaskId: string): Promise<unknown> {
  const { body } = await ecs("DescribeTaskAttribute", { RegionId: "east", TaskId });
  return [body["TaskStatus"], body["TaskProcess"], body["SupportCancel"]];
}

const cancelTask = {
  cancel: (TaskId: string) => ecs("CancelTask", { RegionId: "east", TaskId }),
  shown: attribute,
  cancelling: (progress: number) => ["Processing", `${progress}%`, "false"],
  canceled: (progress: number) => ["Deleted", `${progress}%`, "false"],
  succeeded: ["Finished", "100%", "false"],
  accepted: 200,
  second: [403, "InvalidTaskId.IncorrectTaskStatus"],
  ended: [403, "InvalidTaskId.IncorrectTaskStatus"],
  late: [403, "CancelTaskFailed"],
} as const;

const taskId = ({ status, body }: Reply): string => {
  if (status !== 200) throw new Error(JSON.stringify(body));
  return String(body["TaskId"]);
};

async function copyOf(id: string): Promise<string> {
  const { spec } = await at.service.getTask(ROOT, id);
  return spec.kind === "copy" ? spec.to.image : "";
}

const WAYS: readonly Way[] = [
  {
    ...cancelTask,
    name: "CancelTask of ExportImage",
    ask: async () =>
      taskId(
        await ecs("ExportImage", {
          RegionId: "east",
          ImageId: "east-a",
          OSSBucket: "quay",
          ImageFormat: "qcow2",
        }),
      ),
  },
  {
    ...cancelTask,
    name: "CancelTask of ImportImage",
    ask: async () =>
      taskId(
        await ecs("ImportImage", {
          RegionId: "east",
          ImageName: "imported",
          "DiskDeviceMapping.1.OSSBucket": "quay",
          "DiskDeviceMapping.1.OSSObject": "disk.raw",
          "DiskDeviceMapping.1.Format": "RAW",
        }),
      ),
  },
  {
    name: "CancelCopyImage",
    async ask() {
      const params = { RegionId: "east", ImageId: "east-a", DestinationRegionId: "west" };
      const { status, body } = await ecs("CopyImage", params);
      if (status !== 200) throw new Error(JSON.stringify(body));
      const { tasks } = await at.service.listTasks(ROOT, { image: String(body["ImageId"]) });
      return tasks[0]?.id ?? "";
    },
    async cancel(id) {
      return ecs("CancelCopyImage", { RegionId: "west", ImageId: await copyOf(id) });
    },
    async shown(id) {
      const { body } = await ecs("DescribeImages", {
        RegionId: "west",
        ImageId: await copyOf(id),
        Status: "ALL",
      });
      const { Image: images } = body["Images"] as { Image: { Status: string; Progress: string }[] };
      return images.map(({ Status, Progress }) => [Status, Progress]);
    },
    cancelling: (progress) => [["Creating", `${progress}%`]],
    // 2.2: the copy is deleted.
    canceled: () => [],
    succeeded: [["Available", "100%"]],
    accepted: 200,
    second: [400, "CancelNotSupported"],
    ended: [404, "InvalidImageId.NotFound"],
    late: [400, "CancelNotSupported"],
  },
  {
    name: "a cancel of Fujitsu's image export",
    async ask() {
      const body = { image_id: "east-a", storage_container: "/v1/AUTH_p1/exports" };
      return String((await openstack("POST", "/v1/imageexport", body)).body["export_id"]);
    },
    cancel: (id) => openstack("POST", `/v1/imageexport/${id}/cancel`),
    async shown(id) {
      const { body } = await openstack("GET", `/v1/imageexport/${id}/status`);
      return [body["export_status"], body["progress"]];
    },
    cancelling: (progress) => ["cancelling", progress],
    canceled: (progress) => ["canceled", progress],
    succeeded: ["succeeded", 100],
    accepted: 202,
    second: [400, "40010"],
    ended: [404, "40402"],
    late: [404, "40402"],
  },
  {
    // EVS knows no cancel of an upload: an operator asks for it, and the job shows it.
    name: "an operator's cancel of a volume's upload to an image",
    async ask() {
      const upload = { image_name: "disk", disk_format: "raw" };
      const path = "/v3/p1/volumes/v-1/action";
      const { body } = await openstack("POST", path, { "os-volume_upload_image": upload });
      const { image_id: id } = body["os-volume_upload_image"] as { image_id: string };
      return String((await openstack("GET", `/v1/p1/jobs/${id}`)).body["job_id"]);
    },
    async cancel(id) {
      return at.service.cancelTask(ROOT, id).then(
        () => ({ status: 200, body: {} }),
        ({ details }) => ({ status: 400, body: { Code: details.reason } }),
      );
    },
    async shown(id) {
      const { body } = await openstack("GET", `/v1/p1/jobs/${id}`);
      const { process_percent: percent } = body["entities"] as { process_percent: number };
      const { volume } = (await openstack("GET", "/v3/p1/volumes/v-1")).body as {
        volume: { status: string };
      };
      return [body["status"], percent, body["error_code"], volume.status];
    },
    cancelling: (progress) => ["RUNNING", progress, null, "uploading"],
    canceled: (progress) => ["FAIL", progress, "CANCELED", "available"],
    succeeded: ["SUCCESS", 100, null, "available"],
    accepted: 200,
    second: [400, "already-cancelling"],
    ended: [400, "finished"],
    late: [400, "committing"],
  },
];

const EDGES = [
  [10, 10],
  [11, 40],
  [40, 40],
  [41, 70],
  [70, 70],
  [71, 95],
] as const;

const codeOf = ({ status, body }: Reply) => [status, body["Code"] ?? body["error_code"]];

describe.each(WAYS)("$name", (way) => {
  async function expectNothingLeft(): Promise<void> {
    await scheduler.drain(60_000);
    expect(at.quay.files("east", "west", "quay", "state").sort()).toEqual(["east/disk.raw", "quay/disk.raw"]);
    const images = await at.quay.record.catalogue.images.list({ limit: 10 });
    expect(images.map(({ entry }) => entry.id)).toEqual(["east-a"]);
  }

  it.each(EDGES)("at %i is shown until it stops at exactly %i, and leaves nothing", async (edge, line) => {
    await begin(edge - 10);
    const id = await way.ask();
    await at.quay.until(id, ({ progress }) => progress === edge);
    await gate.waiting(1);
    expect((await way.cancel(id)).status).toBe(way.accepted);
    if (edge < line) {
      expect(await way.shown(id)).toEqual(way.cancelling(edge));
      expect(codeOf(await way.cancel(id))).toEqual(way.second);
      gate.allow(line - 1 - edge);
      await at.quay.until(id, ({ progress }) => progress === line - 1);
      expect(await way.shown(id)).toEqual(way.cancelling(line - 1));
      gate.allow(Number.POSITIVE_INFINITY);
    }
    expect(await at.quay.ended(id)).toMatchObject({ state: "canceled", progress: line });
    expect(await way.shown(id)).toEqual(way.canceled(line));
    expect(codeOf(await way.cancel(id))).toEqual(way.ended);
    await expectNothingLeft();
  });

  it.each([
    [95, "sealing"],
    [96, "committing"],
  ] as const)("at %i is shown, and keeps the run from %s", async (edge, before) => {
    const real = at.quay.record;
    const held = holdEvent(real, before, never);
    at.quay.record = held.record;
    await begin(Number.POSITIVE_INFINITY);
    const id = await way.ask();
    await held.reached;
    expect((await way.cancel(id)).status).toBe(way.accepted);
    expect(await way.shown(id)).toEqual(way.cancelling(edge));
    expect(codeOf(await way.cancel(id))).toEqual(way.second);
    held.release();
    expect(await at.quay.ended(id)).toMatchObject({ state: "canceled", progress: edge });
    expect(await way.shown(id)).toEqual(way.canceled(edge));
    await expectNothingLeft();
  });

  it("is refused once the commit has begun, and the task succeeds", async () => {
    const held = holdEvent(at.quay.record, "cataloguing", never);
    at.quay.record = held.record;
    await begin(Number.POSITIVE_INFINITY);
    const id = await way.ask();
    await held.reached;
    expect(codeOf(await way.cancel(id))).toEqual(way.late);
    held.release();
    expect((await at.quay.ended(id)).state).toBe("succeeded");
    expect(await way.shown(id)).toEqual(way.succeeded);
  });
});
