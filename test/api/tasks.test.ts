import { toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  TaskEventKind,
  TaskKind,
  TaskSchema,
  TaskState,
  Verification,
} from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { ALL, accepted, applied, copyTask, exportTask, TO_THE_END } from "../record/record-file.ts";
import { clients, type Endpoint, endpoint, post, TOKENS, taskIn } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
});
afterEach(() => here[Symbol.asyncDispose]());

const ann = () => clients(here.url).tasks;
const started = (id: string) => ({ kind: "started", runner: "host-1", slots: [id] }) as const;
const failure = { stage: "data", code: "NETWORK", message: "the line broke", retryable: true } as const;

describe("a task", () => {
  it("D13: is shown over JSON with its zeros, too", async () => {
    await taskIn(here, "t-1");
    const { status, body } = await post(here.url, "TaskService/GetTask", { id: "t-1" });
    expect(status).toBe(200);
    const bytes = { total: "0" };
    expect(body).toMatchObject({ task: { id: "t-1", progress: 0, state: "TASK_STATE_QUEUED", bytes } });
  });

  it("is not there for another project, and is for admins", async () => {
    await taskIn(here, "t-1");
    const of = (token: string) =>
      post(here.url, "TaskService/GetTask", { id: "t-1" }, { authorization: `Bearer ${token}` });
    expect(await of(TOKENS.bob)).toMatchObject({
      status: 404,
      body: { code: "not_found", message: "there is no task t-1" },
    });
    expect(await of(TOKENS.root)).toMatchObject({ status: 200 });
  });

  it("tells of its run, its bytes, its setback and its cancel", async () => {
    await taskIn(
      here,
      "t-1",
      started("east"),
      { kind: "opened" },
      { kind: "planned", total: 200 },
      { kind: "progressed", bytes: { read: 4, encoded: 3, sent: 2, committed: 100 } },
      { kind: "requeued", setback: failure, notBefore: here.world.time + 1000 },
      started("east"),
      { kind: "cancel-accepted" },
    );
    const { task } = await ann().getTask({ id: "t-1" });
    expect(task && toJson(TaskSchema, task)).toMatchObject({
      state: "TASK_STATE_CANCELLING",
      progress: 52,
      bytes: { read: "4", encoded: "3", sent: "2", committed: "100", total: "200" },
      cancel: { stopAt: 70 },
      attempts: 2,
      runner: "host-1",
      setback: { stage: "TASK_STAGE_DATA", code: "NETWORK", message: "the line broke", retryable: true },
    });
  });

  it("tells of its failure", async () => {
    await taskIn(here, "t-1", started("east"), { kind: "failed", failure });
    const { task } = await ann().getTask({ id: "t-1" });
    expect(task).toMatchObject({ state: TaskState.FAILED, failure: { code: "NETWORK" } });
  });

  it("tells of what has landed", async () => {
    const landed = {
      object: "disk.qcow2",
      format: "qcow2",
      size: 5,
      virtualSize: 1024,
      checksums: { md5: "00112233445566778899aabbccddeeff" },
      guestDigest: "digest",
      verified: "read back",
    } as const;
    const end = { kind: "succeeded", result: { objects: [landed] } } as const;
    await taskIn(here, "t-1", started("east"), ...TO_THE_END.slice(0, -1), end);
    const { task } = await ann().getTask({ id: "t-1" });
    expect(task?.landed).toMatchObject([
      { ...landed, size: 5n, virtualSize: 1024n, verified: Verification.READ_BACK },
    ]);
  });

  it("of each kind says what it is to do", async () => {
    await accepted(here.world.file.record, copyTask("east", "west", { id: "t-2" }));
    const { task } = await ann().getTask({ id: "t-2" });
    expect(task?.kind).toBe(TaskKind.COPY);
    expect(task?.spec).toMatchObject({
      case: "copySpec",
      value: { sourceImageId: "image-1", sourceRegion: "east", image: { region: "west" } },
    });
  });

  it("is read with GET, too", async () => {
    await taskIn(here, "t-1");
    const message = encodeURIComponent(JSON.stringify({ id: "t-1" }));
    const path = `/diskferry.v1.TaskService/GetTask?connect=v1&encoding=json&message=${message}`;
    const reply = await fetch(here.url + path, { headers: { authorization: `Bearer ${TOKENS.ann}` } });
    expect(await reply.json()).toMatchObject({ task: { id: "t-1" } });
  });
});

describe("a request for a task", () => {
  const EXPORT = {
    source: { case: "imageId", value: "image-1" },
    destination: "east-bucket",
    object: { case: "objectName", value: "debian.qcow2" },
  } as const;

  it("EX: exports an image", async () => {
    const { task, replayed } = await ann().exportImage(EXPORT);
    expect(replayed).toBe(false);
    expect(task).toMatchObject({ kind: TaskKind.EXPORT, state: TaskState.QUEUED, regions: ["east"] });
    expect(task?.spec).toMatchObject({
      case: "exportSpec",
      value: { source: EXPORT.source, destination: "east-bucket", objects: ["debian.qcow2"] },
    });
    expect(await here.world.file.record.task(task?.id ?? "")).toMatchObject({ project: "p1" });
  });

  it("exports a volume under a name that is made, as it is told to write it", async () => {
    const { task } = await ann().exportImage({
      source: { case: "volume", value: { volumeId: "v-1" } },
      destination: "east-bucket",
      object: { case: "objectPrefix", value: "nightly" },
      write: { format: "qcow2", compression: 3, level: 5, clusterSize: 65536n },
      options: { bandwidth: 1000n, verification: Verification.READ_BACK },
    });
    expect(task).toMatchObject({ bandwidth: 1000n });
    expect(task?.spec).toMatchObject({
      value: {
        source: { case: "volumeId", value: "v-1" },
        objects: [expect.stringMatching(/^nightly_.*\.qcow2$/)],
        write: { format: "qcow2", compression: 3, level: 5, clusterSize: 65536n },
        verification: Verification.READ_BACK,
      },
    });
  });

  it("IM: imports disks from every kind of place", async () => {
    // Files of the host are for admins.
    const { task } = await clients(here.url, TOKENS.root).tasks.importImage({
      region: "east",
      disks: [
        {
          source: { case: "object", value: { destination: "east-bucket", object: "a.qcow2" } },
          format: "qcow2",
          virtualSize: 4096n,
        },
        { source: { case: "url", value: "https://host.example/b.raw" } },
        { source: { case: "file", value: { root: "volumes", path: "c.raw" } } },
        { source: { case: "volumeId", value: "v-1" } },
      ],
      image: { name: "new", tags: [{ key: "a", value: "b" }], osType: 2 },
    });
    expect(task?.spec.case).toBe("importSpec");
    const disks = task?.spec.case === "importSpec" ? task.spec.value.disks : [];
    expect(disks.map(({ source }) => source.case)).toEqual(["object", "url", "file", "volumeId"]);
    const image = task?.spec.case === "importSpec" ? task.spec.value.image?.imageId : "";
    const made = await clients(here.url, TOKENS.root).catalog.getImage({ id: image ?? "" });
    expect(made.image).toMatchObject({ name: "new", osType: 2, tags: [{ key: "a", value: "b" }] });
  });

  it("CP: copies an image to another region", async () => {
    const { task } = await ann().copyImage({
      imageId: "image-1",
      sourceRegion: "east",
      targetRegion: "west",
      target: { name: "twin", description: "" },
    });
    expect(task).toMatchObject({ kind: TaskKind.COPY, regions: ["east", "west"] });
  });

  it("WR-3, WR-E1: with a token is accepted once, and refused when it has changed", async () => {
    const options = { clientToken: "token-1" };
    const first = await ann().exportImage({ ...EXPORT, options });
    const again = await ann().exportImage({ ...EXPORT, options });
    expect([again.task?.id, again.replayed]).toEqual([first.task?.id, true]);
    const other = ann().exportImage({ ...EXPORT, destination: "west-bucket", options });
    await expect(other).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  it("that is only to be checked leaves nothing", async () => {
    const checked = await ann().exportImage({ ...EXPORT, options: { validateOnly: true } });
    expect(checked.task).toBeUndefined();
    const wrong = ann().exportImage({ ...EXPORT, destination: "nowhere", options: { validateOnly: true } });
    await expect(wrong).rejects.toMatchObject({ code: Code.NotFound });
    expect((await ann().listTasks({})).tasks).toEqual([]);
  });

  it.each([
    ["ExportImage", { destination: "east-bucket" }, "source"],
    ["ExportImage", { imageId: "image-1" }, "destination"],
    ["ImportImage", { disks: [], image: { name: "a" } }, "region"],
    ["ImportImage", { region: "east", disks: [{}], image: { name: "a" } }, "source"],
    ["ImportImage", { region: "east", disks: [{ url: "https://h/a" }] }, "image.name"],
    ["CopyImage", { sourceRegion: "east" }, "image_id"],
    ["CopyImage", { imageId: "image-1" }, "source_region"],
    ["ExportImage", { imageId: "i", destination: "d", write: { level: 1 } }, "write.format"],
    ["GetTask", {}, "id"],
    ["CancelTask", {}, "id"],
    ["LimitTask", { bandwidth: 1 }, "id"],
    ["LimitTask", { id: "t", bandwidth: "-1" }, "bandwidth"],
    ["ListTasks", { pageSize: 1, limit: 1 }, "limit"],
    ["ListTasks", { pageToken: "x", start: 1 }, "start"],
    ["ListTasks", { start: -1 }, "start"],
    ["ListTasks", { limit: -1 }, "limit"],
    ["ListTasks", { kinds: [77] }, "kinds"],
    [
      "ExportImage",
      { imageId: "i", destination: "d", options: { bandwidth: "9223372036854775807" } },
      "bandwidth",
    ],
  ])("%s %j is refused by the name of the field", async (method, body, field) => {
    const reply = await post(here.url, `TaskService/${method}`, body);
    expect(reply).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    const [detail] = reply.body["details"] as [{ debug: { code: string; metadata: { field: string } } }];
    expect(detail.debug).toMatchObject({ code: "USAGE", reason: "malformed", metadata: { field } });
  });
});

describe("a list of tasks", () => {
  const ids = (tasks: readonly { readonly id: string }[]) => tasks.map(({ id }) => id);

  beforeEach(async () => {
    for (const id of ["t-1", "t-2", "t-3", "t-4", "t-5"]) await taskIn(here, id);
    await accepted(here.world.file.record, exportTask({ id: "other", project: "p2" }));
  });

  it("FJ-8, FJ-9: is of the caller's project, newest first", async () => {
    const { tasks, totalSize, nextPageToken } = await ann().listTasks({});
    expect([ids(tasks), totalSize, nextPageToken]).toEqual([["t-5", "t-4", "t-3", "t-2", "t-1"], 5n, ""]);
  });

  it("FJ-9, FJ-10: goes by start and limit", async () => {
    expect(ids((await ann().listTasks({ start: 1n, limit: 2 })).tasks)).toEqual(["t-4", "t-3"]);
  });

  it("AIP-158: goes by pages, which stay right while tasks are added", async () => {
    const first = await ann().listTasks({ pageSize: 2 });
    await taskIn(here, "t-6");
    const second = await ann().listTasks({ pageSize: 2, pageToken: first.nextPageToken });
    const third = await ann().listTasks({ pageSize: 2, pageToken: second.nextPageToken });
    expect([first, second, third].map(({ tasks }) => ids(tasks))).toEqual([
      ["t-5", "t-4"],
      ["t-3", "t-2"],
      ["t-1"],
    ]);
    expect(third.nextPageToken).toBe("");
  });

  it("has only what is asked for", async () => {
    await here.world.file.record.apply("t-2", { kind: "cancel-accepted" }, here.world.time);
    const list = async (request: object) => ids((await ann().listTasks(request)).tasks);
    expect(await list({ states: [TaskState.CANCELED] })).toEqual(["t-2"]);
    expect(await list({ kinds: [TaskKind.COPY] })).toEqual([]);
    expect(await list({ ids: ["t-1", "other"] })).toEqual(["t-1"]);
    expect(await list({ region: "west" })).toEqual([]);
    expect(await list({ imageId: "image-1", limit: 1 })).toEqual(["t-5"]);
  });

  it("goes on without a gap in what is watched from its sequence", async () => {
    const { eventSequence } = await ann().listTasks({});
    await taskIn(here, "t-6");
    for await (const { event } of ann().watchTasks({ after: eventSequence })) {
      expect(event).toMatchObject({ taskId: "t-6", kind: TaskEventKind.ACCEPTED });
      break;
    }
  });
});

describe("a cancel", () => {
  it("FJ-22, FJ-24: is accepted once", async () => {
    await taskIn(here, "t-1", started("east"));
    expect((await ann().cancelTask({ id: "t-1" })).task?.state).toBe(TaskState.CANCELLING);
    const again = await post(here.url, "TaskService/CancelTask", { id: "t-1" });
    expect(again).toMatchObject({ status: 400, body: { code: "failed_precondition" } });
    expect(again.body["details"]).toMatchObject([
      { debug: { code: "PRECONDITION", reason: "already-cancelling" } },
    ]);
  });
});

describe("a limit", () => {
  it("is set, and lifted by 0", async () => {
    await taskIn(here, "t-1");
    expect((await ann().limitTask({ id: "t-1", bandwidth: 5n })).task?.bandwidth).toBe(5n);
    expect((await ann().limitTask({ id: "t-1" })).task?.bandwidth).toBe(0n);
  });
});

describe("a watch of one task", () => {
  it("begins with now, and ends with the task", async () => {
    await taskIn(here, "t-1");
    const progress: number[] = [];
    for await (const { task } of ann().watchTask({ id: "t-1" })) {
      progress.push(task?.progress ?? -1);
      if (progress.length > 1) continue;
      await here.world.file.record.claim(ALL);
      await applied(here.world.file.record, "t-1", ...TO_THE_END);
    }
    expect([progress[0], progress.at(-1)]).toEqual([0, 100]);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  it("says so at once when the task has ended", async () => {
    await taskIn(here, "t-1", { kind: "cancel-accepted" });
    const states = await Array.fromAsync(ann().watchTask({ id: "t-1" }), ({ task }) => task?.state);
    expect(states).toEqual([TaskState.CANCELED]);
  });

  it("does not begin for a task of another project", async () => {
    await taskIn(here, "t-1");
    const watching = Array.fromAsync(clients(here.url, TOKENS.bob).tasks.watchTask({ id: "t-1" }));
    await expect(watching).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe("a watch of all tasks", () => {
  it("replays, and goes on live, each event once and in order", async () => {
    const { record } = here.world.file;
    await taskIn(here, "t-1");
    const seen: [number, TaskEventKind][] = [];
    for await (const { event } of ann().watchTasks({ after: 0n })) {
      seen.push([Number(event?.sequence), event?.kind ?? 0]);
      if (seen.length === 1) {
        await record.claim(ALL);
        await applied(record, "t-1", ...TO_THE_END);
      }
      if (event?.kind === TaskEventKind.SUCCEEDED) break;
    }
    expect(seen.map(([sequence]) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seen.map(([, kind]) => kind).slice(0, 3)).toEqual([
      TaskEventKind.ACCEPTED,
      TaskEventKind.STARTED,
      TaskEventKind.OPENED,
    ]);
  });

  it("tells nothing of other projects", async () => {
    await accepted(here.world.file.record, exportTask({ id: "other", project: "p2" }));
    await taskIn(here, "t-1");
    for await (const { event } of ann().watchTasks({ after: 0n })) {
      expect(event?.taskId).toBe("t-1");
      break;
    }
  });

  it("carries what its events say", async () => {
    await taskIn(
      here,
      "t-1",
      { kind: "limited", bandwidth: 0 },
      started("east"),
      { kind: "requeued", setback: failure, notBefore: here.world.time },
      started("east"),
      { kind: "failed", failure },
    );
    const events = [];
    for await (const { event } of ann().watchTasks({ after: 0n, taskId: "t-1" })) {
      events.push(event);
      if (event?.kind === TaskEventKind.FAILED) break;
    }
    expect(events).toMatchObject([
      { kind: TaskEventKind.ACCEPTED },
      { kind: TaskEventKind.LIMITED, bandwidth: 0n },
      { kind: TaskEventKind.STARTED },
      { kind: TaskEventKind.REQUEUED, failure: { code: "NETWORK" }, notBefore: { nanos: 0 } },
      { kind: TaskEventKind.STARTED },
      { kind: TaskEventKind.FAILED, failure: { message: "the line broke" } },
    ]);
  });
});
