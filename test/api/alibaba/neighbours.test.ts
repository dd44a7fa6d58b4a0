/** The actions that end and remove, and every row of their error tables from a real state. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TO_THE_END } from "../../record/record-file.ts";
import { ROOT } from "../../service/world.ts";
import {
  type Alibaba,
  alibaba,
  BOB_KEY,
  COPY,
  EXPORT,
  FAILED,
  HALF,
  IMPORT,
  type Params,
  PLANNED,
} from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

const task = (id: string) => ali.here.world.service.getTask(ROOT, id);
const image = async (id: string) => (await ali.here.world.service.images.get(ROOT, id)).entry;
const copied = async () => (await ali.ask("CopyImage", COPY)).body.ImageId;
const exported = async () => (await ali.ask("ExportImage", EXPORT)).body.TaskId;
const begun = TO_THE_END.findIndex(({ kind }) => kind === "cataloguing");

type Answer = readonly [status: number, code: string | undefined, message: string | undefined];
const answer = async (action: string, params: Params, key?: typeof BOB_KEY): Promise<Answer> => {
  const { status, body } = await ali.ask(action, { RegionId: "east", ...params }, key);
  return [status, body.Code, body.Message];
};

/** What is done first, and the request that then meets the row. */
type Row = readonly [rule: string, said: string, expected: Answer, ask: () => Promise<Answer>];

const missing = (name: string): Answer => [
  400,
  "MissingParameter",
  `An input parameter "${name}" that is mandatory for processing the request is not supplied.`,
];

describe("CancelTask", () => {
  const cancel = (TaskId: string, more: Params = {}, key?: typeof BOB_KEY) =>
    answer("CancelTask", { TaskId, ...more }, key);
  const UNKNOWN: Answer = [400, "InvalidTaskId.NotFound", 'The specified "TaskId" is not found.'];
  const STATUS: Answer = [
    403,
    "InvalidTaskId.IncorrectTaskStatus",
    "The specified task status is not invalid.",
  ];

  it("CT-1 ends an export that waits, and one that runs, and an import", async () => {
    const waiting = await exported();
    expect(await cancel(waiting)).toEqual([200, undefined, undefined]);
    expect(await task(waiting)).toMatchObject({ state: "canceled" });
    const running = await exported();
    await ali.run(running, ...PLANNED, HALF);
    expect((await cancel(running))[0]).toBe(200);
    expect(await task(running)).toMatchObject({ state: "cancelling" });
    const { TaskId } = (await ali.ask("ImportImage", IMPORT)).body;
    expect((await cancel(TaskId))[0]).toBe(200);
    expect(await task(TaskId)).toMatchObject({ state: "canceled" });
  });

  const rows: readonly Row[] = [
    [
      "CT-E1",
      "no region",
      missing("RegionId"),
      async () => cancel(await exported(), { RegionId: undefined }),
    ],
    ["CT-E2", "no task", missing("TaskId"), () => answer("CancelTask", {})],
    [
      "CT-E3",
      "a region that is not there",
      [400, "InvalidRegionId.NotFound", 'The specified "RegionId" is not found.'],
      async () => cancel(await exported(), { RegionId: "north" }),
    ],
    ["CT-E4", "a task that is not there", UNKNOWN, () => cancel("t-0")],
    [
      "CT-E4",
      "a task of another region",
      UNKNOWN,
      async () => cancel(await exported(), { RegionId: "west" }),
    ],
    ["CT-E4", "a task of another account", UNKNOWN, async () => cancel(await exported(), {}, BOB_KEY)],
    [
      "CT-E5",
      "a copy (D9)",
      [403, "InvalidTaskId.TaskActionNotSupport", "The specified task action not support."],
      async () => cancel(await ali.making(await copied()), { RegionId: "west" }),
    ],
    [
      "CT-E6",
      "a task that has been cancelled",
      STATUS,
      async () => {
        const id = await exported();
        await cancel(id);
        return cancel(id);
      },
    ],
    [
      "CT-E6",
      "a task that is being cancelled",
      STATUS,
      async () => {
        const id = await exported();
        await ali.run(id, ...PLANNED, HALF);
        await cancel(id);
        return cancel(id);
      },
    ],
    [
      "CT-E6",
      "a task that has succeeded",
      STATUS,
      async () => {
        const id = await exported();
        await ali.run(id, ...TO_THE_END);
        return cancel(id);
      },
    ],
    [
      "CT-E6",
      "a task that has failed",
      STATUS,
      async () => {
        const id = await exported();
        await ali.run(id, FAILED("IO"));
        return cancel(id);
      },
    ],
    [
      "CT-E7",
      "a task whose result is being published (D1)",
      [403, "CancelTaskFailed", "The task is failed to cancel, Please contact the administrator."],
      async () => {
        const id = await exported();
        await ali.run(id, ...PLANNED, { kind: "sealing" }, { kind: "committing" });
        const { body } = await ali.ask("DescribeTaskAttribute", { RegionId: "east", TaskId: id });
        expect(body).toMatchObject({ SupportCancel: "false" });
        return cancel(id);
      },
    ],
  ];
  it.each(rows)("%s meets %s", async (_, __, expected, ask) => expect(await ask()).toEqual(expected));
});

describe("CancelCopyImage", () => {
  const cancel = (ImageId: string, RegionId = "west", key?: typeof BOB_KEY) =>
    answer("CancelCopyImage", { RegionId, ImageId }, key);
  const UNKNOWN: Answer = [404, "InvalidImageId.NotFound", "The specified ImageId does not exist."];
  const status = (message: string): Answer => [400, "IncorrectImageStatus", message];
  const LATE: Answer = [400, "CancelNotSupported", "The specified image coping can not be cancelled."];
  const finished = async () => {
    const id = await copied();
    await ali.run(await ali.making(id), ...TO_THE_END);
    return id;
  };

  it("CC-1 removes a copy that waits, and leaves the source as it is", async () => {
    const id = await copied();
    expect(await cancel(id)).toEqual([200, undefined, undefined]);
    await expect(image(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await image("image-1")).toMatchObject({ status: "Available" });
  });

  it("CC-1 CP-15 stops a copy that is under way, which is then gone", async () => {
    const id = await copied();
    const making = await ali.making(id);
    await ali.run(making, ...PLANNED);
    expect((await cancel(id))[0]).toBe(200);
    expect(await task(making)).toMatchObject({ state: "cancelling" });
    await ali.here.world.file.record.apply(making, { kind: "stopped" }, ali.here.world.time);
    await expect(image(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  const rows: readonly Row[] = [
    [
      "CC-E1",
      "a region that is not there",
      [404, "InvalidRegionId.NotFound", "The specified RegionId does not exist."],
      async () => cancel(await copied(), "north"),
    ],
    ["CC-E2", "an image that is not there", UNKNOWN, () => cancel("image-9")],
    ["CC-E2", "the region of the source", UNKNOWN, async () => cancel(await copied(), "east")],
    ["CC-E2", "a copy of another account", UNKNOWN, async () => cancel(await copied(), "west", BOB_KEY)],
    [
      "CC-E3",
      "an image that is no copy",
      [400, "ImageCreatedNotFromCopy", "The specified image is not the target image of a copy action."],
      () => cancel("image-1", "east"),
    ],
    [
      "CC-E4",
      "a copy that is there",
      status("The image is copied finished."),
      async () => cancel(await finished()),
    ],
    [
      "CC-E6",
      "a copy that has been there for long",
      status("The specified image is not coping."),
      async () => {
        const id = await finished();
        await ali.set.image(id, { status: "Deprecated" });
        return cancel(id);
      },
    ],
    [
      "CC-E8",
      "a copy that has failed",
      status("The Image copy has been failed."),
      async () => {
        const id = await copied();
        await ali.run(await ali.making(id), FAILED("IO"));
        return cancel(id);
      },
    ],
    [
      "CC-E9",
      "a copy that is being cancelled (FJ-24)",
      LATE,
      async () => {
        const id = await copied();
        await ali.run(await ali.making(id), ...PLANNED, HALF);
        await cancel(id);
        return cancel(id);
      },
    ],
    [
      "CC-E9",
      "a copy that is being published (D1)",
      LATE,
      async () => {
        const id = await copied();
        await ali.run(await ali.making(id), ...TO_THE_END.slice(0, begun));
        return cancel(id);
      },
    ],
  ];
  it.each(rows)("%s meets %s", async (_, __, expected, ask) => expect(await ask()).toEqual(expected));

  it.each([
    ["CC-E5", "completed", TO_THE_END, status("The image has completed copy.")],
    ["CC-E8", "failed", [FAILED("IO")], status("The Image copy has been failed.")],
    ["CC-E2", "cancelled", [{ kind: "cancel-accepted" }, { kind: "stopped" }], UNKNOWN],
  ] as const)("%s meets a copy that is %s while it is being cancelled", async (_, __, events, expected) => {
    const { service } = ali.here.world;
    await using racing = await alibaba({
      service: {
        ...service,
        async cancelTask(caller, id) {
          await ali.run(id, ...events);
          return service.cancelTask(caller, id);
        },
      },
    });
    const { status, body } = await racing.ask("CancelCopyImage", {
      RegionId: "west",
      ImageId: await copied(),
    });
    expect([status, body.Code, body.Message]).toEqual(expected);
  });

  it("CC-E11 meets a defect", async () => {
    const { service } = ali.here.world;
    await using broken = await alibaba({
      service: { ...service, cancelTask: () => Promise.reject(new TypeError("the disk is on fire")) },
    });
    expect(await broken.ask("CancelCopyImage", { RegionId: "west", ImageId: await copied() })).toMatchObject({
      status: 500,
      body: { Code: "InternalError" },
    });
  });
});

describe("DeleteImage", () => {
  const deleted = (ImageId = "image-1", more: Params = {}) => answer("DeleteImage", { ImageId, ...more });

  it("DL-1 takes an image of one's own away, and has nothing against one that is not there", async () => {
    expect((await deleted("image-1", { RegionId: "west" }))[0]).toBe(200);
    expect(await image("image-1")).toMatchObject({ status: "Available" });
    expect((await deleted())[0]).toBe(200);
    await expect(image("image-1")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await deleted())[0]).toBe(200);
  });

  it("DL-2 DL-E6 leaves what others own, or have been given", async () => {
    await ali.set.image("image-1", { sharedWith: ["p2"] });
    expect(await ali.ask("DeleteImage", { RegionId: "east", ImageId: "image-1" }, BOB_KEY)).toMatchObject({
      status: 404,
      body: { Code: "InvalidImageId.NotFound" },
    });
    expect((await deleted()).slice(0, 2)).toEqual([403, "ImageUseShared"]);
    expect((await deleted("image-1", { Force: "true" }))[0]).toBe(200);
  });

  it("DL-E3 DL-E5 leaves what is being exported or copied", async () => {
    const id = await exported();
    expect((await deleted()).slice(0, 2)).toEqual([403, "ImageIsExporting"]);
    await ali.ask("CancelTask", { RegionId: "east", TaskId: id });
    await copied();
    expect((await deleted("image-1", { Force: "true" })).slice(0, 2)).toEqual([
      403,
      "OperationDenied.ImageCopying",
    ]);
  });

  const rows: readonly Row[] = [
    [
      "DL-E2",
      "an image that is shared",
      [403, "ImageUseShared", "The specified Image is shared with other users."],
      async () => {
        await ali.set.image("image-1", { sharedWith: ["p2"] });
        return deleted();
      },
    ],
    [
      "DL-E3",
      "the source of a copy",
      [403, "OperationDenied.ImageCopying", "The image is currently being copied. Please try again later."],
      async () => {
        await copied();
        return deleted();
      },
    ],
    [
      "DL-E3",
      "a copy that is not made yet (CP-15)",
      [403, "OperationDenied.ImageCopying", "The image is currently being copied. Please try again later."],
      async () => deleted(await copied(), { RegionId: "west" }),
    ],
    [
      "DL-E4",
      "an image that is being imported (IM-15)",
      [403, "ImageIsImporting", "The specified Image is importing."],
      async () => deleted((await ali.ask("ImportImage", IMPORT)).body.ImageId),
    ],
    [
      "DL-E5",
      "an image that is being exported",
      [403, "ImageIsExporting", "The specified Image is exporting. Please cancel task first."],
      async () => {
        await exported();
        return deleted();
      },
    ],
    [
      "DL-E6",
      "an image of another account",
      [404, "InvalidImageId.NotFound", "The specified ImageId does not exist."],
      async () => {
        await ali.set.image("image-1", { visibility: "community" });
        return answer("DeleteImage", { ImageId: "image-1" }, BOB_KEY);
      },
    ],
  ];
  it.each(rows)("%s meets %s", async (_, __, expected, ask) => expect(await ask()).toEqual(expected));
});

describe("DescribeRegions", () => {
  const regions = (params: Params) => answer("DescribeRegions", { RegionId: undefined, ...params });
  const rows: readonly Row[] = [
    [
      "DR-E1",
      "nothing but closed regions",
      [403, "Unauthorized.EmptyRegion", "No region is available to the user."],
      async () => {
        for (const id of ["east", "west"]) await ali.set.region(id, { status: "closed" });
        return regions({});
      },
    ],
    [
      "DR-E2",
      "a language that there is not",
      [404, "InvalidAcceptLanguage.NotFound", "The AcceptLanguage provided does not exist in our records."],
      () => regions({ AcceptLanguage: "tlh" }),
    ],
    [
      "DR-E3",
      "a resource that there is not",
      [404, "InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records."],
      () => regions({ ResourceType: "moon" }),
    ],
  ];
  it.each(rows)("%s meets %s", async (_, __, expected, ask) => expect(await ask()).toEqual(expected));
});
