import { describe, expect, it } from "vitest";
import { lossOf } from "../../src/task/lost-run.ts";
import type { Task } from "../../src/task/task.ts";
import {
  after,
  bytesAt,
  CANCEL,
  committed,
  NOW,
  queuedTask,
  RESULT,
  runningAt,
  START,
  TOTAL,
} from "./tasks.ts";

const OPENED = { kind: "opened" } as const;
const PLANNED = { kind: "planned", total: TOTAL } as const;

/** Loses the run of a task again and again. @returns the task after each loss, up to its end. */
function losing(task: Task, begin: (task: Task) => Task, most = 20): Task[] {
  const losesRun = (before: Task): Task => after(before, lossOf(before, 0, NOW));
  const lost = [losesRun(task)];
  while (lost.length < most && lost.at(-1)?.state !== "failed")
    lost.push(losesRun(begin(lost.at(-1) as Task)));
  return lost;
}

const startOver = (task: Task): Task => after(task, START);
const waits = (tasks: readonly Task[]) => tasks.map(({ notBefore = NOW }) => notBefore - NOW);

describe("a task whose daemon ends in the midst of each run", () => {
  it("fails after twelve runs in a row that get no further", () => {
    const lost = losing(runningAt(25), startOver);
    expect(lost.map(({ state }) => state)).toEqual([...Array(11).fill("queued"), "failed"]);
    expect(lost.at(-1)?.failure).toMatchObject({ code: "INTERNAL", retryable: false, stage: "opening" });
    expect(lost.at(-1)?.progress).toBe(25);
  });

  it("is held back from the third on, each time for longer, and not given up within half an hour", () => {
    const seconds = waits(losing(runningAt(1), startOver).slice(0, 11)).map((ms) => ms / 1000);
    expect(seconds).toEqual([0, 0, 5, 10, 20, 40, 80, 160, 320, 600, 600]);
    expect(seconds.reduce((sum, wait) => sum + wait)).toBeGreaterThanOrEqual(30 * 60);
  });

  it("is held back behind those that were held back before it, so that only one of them begins at a time", () => {
    const [, , , third] = losing(runningAt(1), startOver);
    const running = after(third as Task, START);
    expect([0, 1, 2].map((suspects) => lossOf(running, suspects, NOW))).toMatchObject(
      [20_000, 25_000, 30_000].map((ms) => ({ kind: "requeued", notBefore: NOW + ms })),
    );
  });

  it("is above suspicion as long as it gets further, be it less than a percent", () => {
    let bytes = bytesAt(25);
    const further = (task: Task): Task => {
      bytes += 1;
      return after(task, START, OPENED, PLANNED, committed(bytes));
    };
    const lost = losing(runningAt(25), further);
    expect(lost.map((task) => [task.state, task.lost?.runs])).toEqual(Array(20).fill(["queued", 1]));
    expect(lost.at(-1)?.progress).toBe(25);
  });

  it("is not blamed for runs that were lost before it got further", () => {
    const lost = losing(runningAt(25), startOver, 5).at(-1) as Task;
    const on = after(lost, START, OPENED, PLANNED, committed(bytesAt(26)));
    expect(after(on, lossOf(on, 0, NOW))).toMatchObject({ state: "queued", lost: { runs: 1, progress: 26 } });
  });

  it("FJ-25: never fails once it is cancelled, and is tried again within minutes", () => {
    const lost = losing(after(runningAt(25), CANCEL), startOver);
    expect(new Set(lost.map(({ state }) => state))).toEqual(new Set(["cancelling"]));
    expect(Math.max(...waits(lost))).toBe(60_000);
  });

  it("counts nothing when a run ends in good order", () => {
    const parked = after(runningAt(25), { kind: "parked" });
    expect([parked.lost, after(queuedTask(), START, { kind: "requeued" }).lost]).toEqual([
      undefined,
      undefined,
    ]);
    const lost = losing(runningAt(25), startOver, 2).at(-1) as Task;
    const done = after(
      after(lost, START, OPENED, PLANNED, committed(TOTAL)),
      ...([{ kind: "sealing" }, { kind: "committing" }, { kind: "cataloguing" }] as const),
      { kind: "succeeded", result: RESULT },
    );
    expect(done.lost).toBeUndefined();
  });
});
