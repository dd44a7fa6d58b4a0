import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { region } from "../../src/catalog/region.ts";
import { isRefusal } from "../../src/task/step.ts";
import { isFinal, type Task } from "../../src/task/task.ts";
import { FAILURE, NOW } from "../task/tasks.ts";
import {
  ALL,
  accepted,
  addRegions,
  applied,
  copyTask,
  exportTask,
  type RecordFile,
  recordFile,
  TO_THE_END,
} from "./record-file.ts";

let file: RecordFile;
beforeEach(async () => {
  file = await recordFile();
  await addRegions(file.record, "east", "west", "north");
});
afterEach(() => file[Symbol.asyncDispose]());

const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id);
const REACHED_40 = [
  { kind: "opened" },
  { kind: "planned", total: 100 },
  { kind: "progressed", bytes: { read: 0, encoded: 0, sent: 0, committed: 40 } },
] as const;

describe("claiming", () => {
  it("CP-16, D3: starts five copies in order of acceptance, and the next when one has ended", async () => {
    const { record } = file;
    const copies: Task[] = [];
    for (let count = 0; count < 7; count += 1) copies.push(await accepted(record, copyTask("east", "west")));
    const started = await record.claim(ALL);
    expect(ids(started)).toEqual(ids(copies.slice(0, 5)));
    expect(started[0]).toMatchObject({
      state: "processing",
      run: { runner: "host-1", slots: ["east", "west"] },
    });
    expect(await record.claim(ALL)).toEqual([]);
    await applied(record, copies[2]?.id ?? "", ...TO_THE_END);
    expect(ids(await record.claim(ALL))).toEqual([copies[5]?.id]);
  });

  it("D3: takes no slot for a copy that cannot have both", async () => {
    const { record } = file;
    for (let count = 0; count < 5; count += 1) await accepted(record, copyTask("west", "west"));
    const waiting = await accepted(record, copyTask("east", "west"));
    for (let count = 0; count < 5; count += 1) await accepted(record, copyTask("east", "north"));
    const started = ids(await record.claim(ALL));
    expect(started).toHaveLength(10);
    expect(started).not.toContain(waiting.id);
  });

  it("D3: gives the last slot to the copy that was accepted first, wherever it comes from", async () => {
    const { record } = file;
    const narrow = { id: "east", imageStore: "east-images", slots: { copy: 1, export: 1, import: 1 } };
    await record.catalogue.regions.replace(region(narrow), 1);
    const copies: Task[] = [];
    for (const from of ["west", "east", "north", "east", "west"]) {
      copies.push(await accepted(record, copyTask(from, "east")));
    }
    const started: string[] = [];
    for (let round = 0; round < copies.length; round += 1) {
      const [next] = await record.claim(ALL);
      started.push(next?.id ?? "");
      await applied(record, next?.id ?? "", { kind: "failed", failure: FAILURE });
    }
    expect(started).toEqual(ids(copies));
  });

  it("follows the slots of the region as they are now", async () => {
    const { record } = file;
    for (let count = 0; count < 4; count += 1) await accepted(record, copyTask("east", "east"));
    const narrow = region({
      id: "east",
      imageStore: "east-images",
      slots: { copy: 1, export: 1, import: 1 },
    });
    await record.catalogue.regions.replace(narrow, 1);
    expect(await record.claim(ALL)).toHaveLength(1);
    await record.catalogue.regions.replace({ ...narrow, slots: { ...narrow.slots, copy: 3 } }, 2);
    expect(await record.claim(ALL)).toHaveLength(2);
  });

  it("starts only kinds that are asked for, and no more than asked for", async () => {
    const { record } = file;
    const copy = await accepted(record, copyTask("east", "east"));
    const first = await accepted(record, exportTask());
    const second = await accepted(record, exportTask());
    expect(ids(await record.claim({ ...ALL, kinds: ["export"], most: 1 }))).toEqual([first.id]);
    expect(ids(await record.claim(ALL))).toEqual([copy.id, second.id]);
  });

  it("leaves alone what is held back, and says when that ends", async () => {
    const { record } = file;
    const task = await accepted(record, exportTask());
    const later = await accepted(record, exportTask());
    await record.claim({ ...ALL, most: 1 });
    await applied(record, task.id, { kind: "requeued", setback: FAILURE, notBefore: NOW + 5000 });
    expect(await record.nextStart(NOW)).toBe(NOW + 5000);
    expect(ids(await record.claim(ALL))).toEqual([later.id]);
    expect(ids(await record.claim({ ...ALL, at: NOW + 5000 }))).toEqual([task.id]);
    expect(await record.nextStart(NOW)).toBeUndefined();
  });
});

describe("a cancelled task that nobody runs", () => {
  it("comes before all others, and takes its slots when it still has a way to go", async () => {
    const { record } = file;
    const tasks: Task[] = [];
    for (let count = 0; count < 6; count += 1) tasks.push(await accepted(record, copyTask("east", "east")));
    const last = tasks[4]?.id ?? "";
    await record.claim(ALL);
    await applied(record, last, ...REACHED_40.slice(0, 2));
    await applied(
      record,
      last,
      { kind: "progressed", bytes: { read: 0, encoded: 0, sent: 0, committed: 20 } },
      { kind: "cancel-accepted" },
      { kind: "requeued" },
    );
    const [again] = await record.claim({ ...ALL, most: 1 });
    expect(again).toMatchObject({ id: last, state: "cancelling", run: { slots: ["east"] } });
    expect(await record.claim(ALL)).toEqual([]);
  });

  it("is cleaned up at once when it goes no further, even where every slot is taken", async () => {
    const { record } = file;
    const parked = await accepted(record, copyTask("east", "east"));
    await record.claim(ALL);
    await applied(record, parked.id, ...REACHED_40, { kind: "parked" }, { kind: "cancel-accepted" });
    for (let count = 0; count < 5; count += 1) await accepted(record, copyTask("east", "east"));
    const started = await record.claim(ALL);
    expect(started.map(({ id, run }) => [id === parked.id, run?.slots.length])).toEqual([
      [true, 0],
      ...Array.from({ length: 5 }, () => [false, 1]),
    ]);
    expect(await applied(record, parked.id, { kind: "stopped" })).toMatchObject({ state: "canceled" });
  });
});

describe("after a crash", () => {
  it("everything that this runner held is queued again, with its slots free", async () => {
    const first = await accepted(file.record, exportTask());
    const second = await accepted(file.record, exportTask());
    await file.record.claim({ ...ALL, most: 1 });
    await file.record.claim({ ...ALL, runner: "host-2" });
    const record = await file.reopen();
    const back = await record.recover("host-1", NOW + 1);
    expect(back.map(({ id, state }) => [id, state])).toEqual([[first.id, "queued"]]);
    expect((await record.task(second.id))?.run?.runner).toBe("host-2");
    expect(ids(await record.claim(ALL))).toEqual([first.id]);
    expect((await record.task(first.id))?.attempts).toBe(2);
  });

  it("what ends the daemon each time is given up, with what it had reserved, and held back before", async () => {
    const poison = await accepted(file.record, exportTask());
    let at = NOW;
    for (let lost = 1; lost <= 12; lost += 1) {
      at += 600_000;
      const record = await file.reopen();
      expect(ids(await record.claim({ ...ALL, at }))).toEqual([poison.id]);
      const [back] = await record.recover("host-1", at);
      expect(back?.state).toBe(lost < 12 ? "queued" : "failed");
      if (lost >= 3 && lost < 12) expect(await record.claim({ ...ALL, at })).toEqual([]);
    }
    const next = await accepted(file.record, exportTask());
    expect(ids(await file.record.claim({ ...ALL, at }))).toEqual([next.id]);
    const events = await file.record.events({ after: 0, task: poison.id, limit: 99 });
    expect(events.at(-1)?.event).toMatchObject({ kind: "failed", failure: { code: "INTERNAL" } });
  });

  it("D1, FJ-25: an accepted cancel is still carried out, to its line", async () => {
    const task = await accepted(file.record, exportTask());
    await file.record.claim(ALL);
    await applied(file.record, task.id, ...REACHED_40, { kind: "cancel-accepted" });
    const record = await file.reopen();
    await record.recover("host-1", NOW);
    const [again] = await record.claim(ALL);
    expect(again).toMatchObject({ state: "cancelling", progress: 44, cancel: { stopAt: 70 } });
  });
});

type Move = "copy" | "export" | "claim" | "end" | "park" | "cancel" | "recover";
const moves = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant<Move>("copy") },
      { weight: 2, arbitrary: fc.constant<Move>("export") },
      { weight: 4, arbitrary: fc.constant<Move>("claim") },
      { weight: 3, arbitrary: fc.constantFrom<Move>("end", "park", "cancel") },
      { weight: 1, arbitrary: fc.constant<Move>("recover") },
    ),
    fc.constantFrom("east", "west", "north"),
    fc.constantFrom("east", "west", "north"),
    fc.nat(),
  ),
  { maxLength: 40 },
);

describe("D3: whatever is accepted, claimed, ended, parked, cancelled and lost", () => {
  it("no region ever takes part in more than five running copies, and nothing startable is left", async () => {
    await fc.assert(
      fc.asyncProperty(moves, async (sequence) => {
        await using own = await recordFile();
        const { record } = own;
        await addRegions(record, "east", "west", "north");
        for (const [move, from, to, pick] of sequence) {
          const tasks = (await record.tasks({ where: {}, from: { is: "newest", skip: 0 }, limit: 999 }))
            .tasks;
          const picked = tasks[pick % Math.max(tasks.length, 1)]?.id ?? "";
          if (move === "copy") await accepted(record, copyTask(from, to));
          if (move === "export") await accepted(record, exportTask({ regions: [from] }));
          if (move === "end") await record.apply(picked, { kind: "failed", failure: FAILURE }, NOW);
          if (move === "park") await record.apply(picked, { kind: "parked" }, NOW);
          if (move === "cancel") await record.apply(picked, { kind: "cancel-accepted" }, NOW);
          if (move === "recover") await record.recover("host-1", NOW);
          if (move === "claim") await record.claim(ALL);
          await holds(own, move === "claim");
        }
      }),
      { numRuns: 60 },
    );
  });

  async function holds({ record }: RecordFile, claimed: boolean): Promise<void> {
    const { tasks } = await record.tasks({ where: {}, from: { is: "newest", skip: 0 }, limit: 999 });
    const running = (region: string, kind: string) =>
      tasks.filter(({ run, spec }) => spec.kind === kind && run?.slots.includes(region) === true).length;
    for (const region of ["east", "west", "north"]) {
      expect(running(region, "copy")).toBeLessThanOrEqual(5);
      expect(running(region, "export")).toBeLessThanOrEqual(5);
    }
    for (const task of tasks) if (isFinal(task.state)) expect(task.run).toBeUndefined();
    if (!claimed) return;
    const stuck = tasks.filter(
      ({ state, notBefore, spec, regions }) =>
        state === "queued" &&
        notBefore === undefined &&
        regions.every((region) => running(region, spec.kind) < 5),
    );
    expect(ids(stuck)).toEqual([]);
  }
});

it("an event for a task that is not there changes nothing", async () => {
  expect(await file.record.apply("none", { kind: "parked" }, NOW)).toBeUndefined();
  const task = await accepted(file.record, exportTask());
  const refused = await file.record.apply(task.id, { kind: "stopped" }, NOW);
  expect(refused !== undefined && isRefusal(refused)).toBe(true);
  expect(await file.record.task(task.id)).toEqual(task);
  expect(await file.record.lastEvent()).toBe(1);
});
