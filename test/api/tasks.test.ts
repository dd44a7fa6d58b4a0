import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TaskEventKind } from "../../src/api/connect/generated/diskferry/v1/task_pb.ts";
import { ALL, accepted, applied, exportTask, TO_THE_END } from "../record/record-file.ts";
import { type Endpoint, endpoint, grpcTasks, post, TOKENS } from "./endpoint.ts";

let here: Endpoint;
beforeEach(async () => {
  here = await endpoint();
  await accepted(here.world.file.record, exportTask({ id: "t-1" }));
});
afterEach(() => here[Symbol.asyncDispose]());

const run = async () => {
  const { record } = here.world.file;
  await record.claim(ALL);
  await applied(record, "t-1", ...TO_THE_END);
};

describe("a task", () => {
  it("is shown over JSON with its zeros, too", async () => {
    const { status, body } = await post(here, "TaskService/GetTask", { id: "t-1" });
    expect(status).toBe(200);
    const bytes = { total: "0" };
    expect(body).toMatchObject({ task: { id: "t-1", progress: 0, state: "TASK_STATE_QUEUED", bytes } });
  });

  it("is not there for another project", async () => {
    const { status, body } = await post(here, "TaskService/GetTask", { id: "t-1" }, TOKENS.bob);
    expect([status, body]).toMatchObject([404, { code: "not_found", message: "there is no task t-1" }]);
  });

  it("is watched from now to its end", async () => {
    const progress: number[] = [];
    for await (const { task } of grpcTasks(here.url).watchTask({ id: "t-1" })) {
      if (progress.length === 0) await run();
      progress.push(task?.progress ?? -1);
    }
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(100);
  });

  it("leaves events that are told again", async () => {
    await run();
    const kinds: TaskEventKind[] = [];
    for await (const { event } of here.tasks().watchTasks({ after: 0n })) {
      kinds.push(event?.kind ?? 0);
      if (event?.kind === TaskEventKind.SUCCEEDED) break;
    }
    expect(kinds[0]).toBe(TaskEventKind.ACCEPTED);
    expect(kinds).toHaveLength(2 + TO_THE_END.length);
  });
});
