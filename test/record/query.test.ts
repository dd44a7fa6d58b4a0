import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskWhere } from "../../src/record/query.ts";
import { NOW } from "../task/tasks.ts";
import {
  ALL,
  acceptance,
  accepted,
  addRegions,
  applied,
  copyTask,
  exportTask,
  type RecordFile,
  recordFile,
} from "./record-file.ts";

let file: RecordFile;
beforeEach(async () => {
  file = await recordFile();
  await addRegions(file.record, "east", "west");
});
afterEach(() => file[Symbol.asyncDispose]());

const page = (where: TaskWhere, limit: number, skip = 0) =>
  file.record.tasks({ where, from: { is: "newest", skip }, limit });

describe("a list of tasks", () => {
  it("FJ-9: begins with the newest, and leaves out as many as are asked to be left out", async () => {
    for (let count = 0; count < 5; count += 1) await accepted(file.record, exportTask());
    expect((await page({}, 10)).tasks.map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1]);
    expect((await page({}, 2, 1)).tasks.map(({ sequence }) => sequence)).toEqual([4, 3]);
    expect(await page({}, 2, 9)).toEqual({ tasks: [] });
  });

  it("AIP-158: shows each task once when tasks are added between two pages", async () => {
    const { record } = file;
    for (let count = 0; count < 5; count += 1) await accepted(record, exportTask());
    const first = await page({}, 2);
    await accepted(record, exportTask());
    const seen = first.tasks.map(({ sequence }) => sequence);
    for (let next = first.next; next !== undefined; ) {
      const more = await record.tasks({ where: {}, from: { is: "before", sequence: next }, limit: 2 });
      seen.push(...more.tasks.map(({ sequence }) => sequence));
      next = more.next;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  it("has no next page when the last task is shown", async () => {
    for (let count = 0; count < 2; count += 1) await accepted(file.record, exportTask());
    expect((await page({}, 2)).next).toBeUndefined();
  });

  it("is cut down by all that is asked for", async () => {
    const { record } = file;
    const own = await accepted(record, exportTask({ id: "own" }));
    await accepted(record, exportTask({ id: "other", project: "p2" }));
    await accepted(record, copyTask("east", "west", { id: "copy" }));
    await record.accept(acceptance(exportTask({ id: "late", regions: ["west"] }), { at: NOW + 10 }));
    await record.claim({ ...ALL, most: 1 });
    await applied(record, own.id, { kind: "cancel-accepted" });
    const found = async (where: TaskWhere) => {
      const { tasks } = await page(where, 10);
      expect(await record.countTasks(where)).toBe(tasks.length);
      return tasks.map(({ id }) => id);
    };
    expect(await found({ project: "p2" })).toEqual(["other"]);
    expect(await found({ kinds: ["copy"] })).toEqual(["copy"]);
    expect(await found({ kinds: ["copy", "export"], project: "p1" })).toEqual(["late", "copy", "own"]);
    expect(await found({ states: ["cancelling"] })).toEqual(["own"]);
    expect(await found({ region: "west" })).toEqual(["late", "copy"]);
    expect(await found({ ids: ["own", "late", "nobody"] })).toEqual(["late", "own"]);
    expect(await found({ ids: [] })).toEqual([]);
    expect(await found({ acceptedFrom: NOW + 1 })).toEqual(["late"]);
    expect(await found({ acceptedTo: NOW, project: "p1" })).toEqual(["copy", "own"]);
    expect(await found({ image: "image-1", region: "west" })).toEqual(["late", "copy"]);
    expect(await found({ project: "p1' OR TRUE --" })).toEqual([]);
  });
});

describe("events", () => {
  it("follow each other, each with what the task was after it", async () => {
    const { record } = file;
    const task = await accepted(record, exportTask());
    await record.claim(ALL);
    await applied(record, task.id, { kind: "opened" }, { kind: "planned", total: 10 });
    const events = await record.events({ after: 0, limit: 10 });
    expect(events.map(({ sequence, event, after }) => [sequence, event.kind, after.progress])).toEqual([
      [1, "accepted", 0],
      [2, "started", 1],
      [3, "opened", 5],
      [4, "planned", 10],
    ]);
    expect(events[3]).toMatchObject({ task: task.id, project: "p1", kind: "export", at: NOW });
    expect(await record.events({ after: 2, limit: 1 })).toEqual(events.slice(2, 3));
    expect(await record.lastEvent()).toBe(4);
  });

  it("are those of one task, project or kind, if that is asked for", async () => {
    const { record } = file;
    const task = await accepted(record, exportTask());
    await accepted(record, copyTask("east", "east", { project: "p2" }));
    const found = async (query: object) =>
      (await record.events({ after: 0, limit: 10, ...query })).map(({ sequence }) => sequence);
    expect(await found({ task: task.id })).toEqual([1]);
    expect(await found({ project: "p2" })).toEqual([2]);
    expect(await found({ kind: "copy" })).toEqual([2]);
    expect(await found({ kind: "copy", project: "p1" })).toEqual([]);
  });

  it("are news to whoever waits, and a wait ends when it is called off", async () => {
    const { record } = file;
    const never = new AbortController();
    const news = record.news(0, never.signal);
    await accepted(record, exportTask());
    await news;
    await record.news(0, never.signal);
    const off = new AbortController();
    const waiting = record.news(1, off.signal);
    off.abort(new Error("called off"));
    await expect(waiting).rejects.toThrow("called off");
    await expect(record.news(1, off.signal)).rejects.toThrow("called off");
  });
});

describe("forgetting", () => {
  const DAY = 86_400_000;
  const token = { project: "p1", action: "a", region: "east", token: "t", fingerprint: "f" };
  const long = {
    endedBefore: NOW + 10 * DAY,
    tokensBefore: NOW + 10 * DAY,
    auditsBefore: NOW + 10 * DAY,
    most: 100,
  };

  it("removes what ended long ago with its events, and nothing else; numbers go on", async () => {
    const { record } = file;
    const ended = await accepted(record, exportTask());
    const waiting = await accepted(record, exportTask());
    await applied(record, ended.id, { kind: "cancel-accepted" });
    expect(await record.forget({ ...long, endedBefore: NOW })).toMatchObject({ tasks: 0 });
    expect(await record.forget(long)).toMatchObject({ tasks: 1 });
    expect(await record.task(ended.id)).toBeUndefined();
    expect((await record.events({ after: 0, limit: 10 })).map(({ task }) => task)).toEqual([waiting.id]);
    await applied(record, waiting.id, { kind: "cancel-accepted" });
    await record.forget(long);
    expect(await record.countTasks({})).toBe(0);
    expect(await record.lastEvent()).toBe(4);
    const next = await accepted(await file.reopen(), exportTask());
    expect(next.sequence).toBe(3);
    expect(await file.record.lastEvent()).toBe(5);
  });

  it("removes no more at once than it may", async () => {
    const { record } = file;
    for (let count = 0; count < 3; count += 1) {
      await applied(record, (await accepted(record, exportTask())).id, { kind: "cancel-accepted" });
    }
    // Each has two events.
    const next = () => record.forget({ ...long, most: 5 });
    expect(await next()).toEqual({ tasks: 2, audits: 0, rest: "some" });
    expect(await next()).toEqual({ tasks: 1, audits: 0, rest: "none" });
  });

  it("removes a task of many events little by little", async () => {
    const { record } = file;
    const { id } = await accepted(record, exportTask());
    for (let bandwidth = 1; bandwidth <= 8; bandwidth += 1) {
      await applied(record, id, { kind: "limited", bandwidth });
    }
    await applied(record, id, { kind: "cancel-accepted" });
    const left: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { rest } = await record.forget({ ...long, most: 4 });
      left.push((await record.events({ after: 0, limit: 100 })).length);
      expect(rest).toBe(round < 2 ? "some" : "none");
    }
    expect(left).toEqual([6, 2, 0, 0]);
    expect(await record.task(id)).toBeUndefined();
  });

  it("removes notes of the audit log after their time, the oldest first", async () => {
    const { record } = file;
    const note = (at: number) =>
      record.audit({ at, actor: "ann", project: "p1", action: "x", outcome: "done", requestId: `r-${at}` });
    for (const day of [1, 2, 3, 4]) await note(NOW + day * DAY);
    const auditsBefore = NOW + 4 * DAY;
    const kept = async () => (await record.audits({ limit: 9 })).map(({ at }) => (at - NOW) / DAY);
    expect(await record.forget({ ...long, auditsBefore, most: 2 })).toMatchObject({
      audits: 2,
      rest: "some",
    });
    expect(await kept()).toEqual([4, 3]);
    expect(await record.forget({ ...long, auditsBefore, most: 2 })).toMatchObject({
      audits: 1,
      rest: "none",
    });
    expect(await kept()).toEqual([4]);
  });

  it("keeps a token for its time, and as long as its task has not ended", async () => {
    const { record } = file;
    const { task } = await record.accept(acceptance(exportTask(), { token }));
    await record.forget(long);
    expect(await record.replayed(token)).toBeDefined();
    await applied(record, task.id, { kind: "cancel-accepted" });
    expect(await record.forget({ ...long, tokensBefore: NOW })).toMatchObject({ tasks: 0 });
    expect(await record.replayed(token)).toBeDefined();
    expect(await record.forget(long)).toMatchObject({ tasks: 1 });
    expect(await record.replayed(token)).toBeUndefined();
  });
});

it("the audit log keeps all that is written, newest first", async () => {
  const { record } = file;
  const entry = {
    at: NOW,
    actor: "ann",
    project: "p1",
    action: "cancelTask",
    outcome: "done",
    requestId: "r",
  };
  for (const subject of ["a", "b", "c"]) await record.audit({ ...entry, subject });
  await record.audit({ ...entry, project: "p2" });
  const subjects = async (query: object) =>
    (await record.audits({ limit: 10, ...query })).map(({ sequence, subject }) => [sequence, subject]);
  expect(await subjects({ project: "p1" })).toEqual([
    [3, "c"],
    [2, "b"],
    [1, "a"],
  ]);
  expect(await subjects({ before: 3, limit: 1 })).toEqual([[2, "b"]]);
  expect(await (await file.reopen()).audits({ limit: 1 })).toEqual([
    { ...entry, project: "p2", sequence: 4 },
  ]);
});
