import { describe, expect, it } from "vitest";
import { dataProgress } from "../../src/task/bands.ts";
import { isRefusal, mustStop, step, type TaskEvent } from "../../src/task/step.ts";
import { TASK_STATES, type TaskState } from "../../src/task/task.ts";
import {
  after,
  bytesAt,
  CANCEL,
  committed,
  FAILURE,
  NOW,
  queuedTask,
  RESULT,
  runningAt,
  START,
  TOTAL,
} from "./tasks.ts";

const refusal = (task: ReturnType<typeof queuedTask>, event: TaskEvent) => {
  const outcome = step(task, event, NOW);
  return isRefusal(outcome) ? outcome.refused : "accepted";
};

const WHOLE: readonly TaskEvent[] = [
  START,
  { kind: "opened" },
  { kind: "planned", total: TOTAL },
  committed(TOTAL),
  { kind: "sealing" },
  { kind: "committing" },
  { kind: "verifying" },
  { kind: "cataloguing" },
  { kind: "succeeded", result: RESULT },
];

describe("a task that nobody disturbs", () => {
  it("D2: shows these numbers at these steps", () => {
    const seen = WHOLE.map((_, index) => after(queuedTask(), ...WHOLE.slice(0, index + 1)).progress);
    expect([queuedTask().progress, ...seen]).toEqual([0, 1, 5, 10, 95, 96, 97, 98, 99, 100]);
  });

  it("D2: counts data from 10 to 95, rounded down", () => {
    const cases: readonly [number, number, number][] = [
      [0, 100, 10],
      [1, 100, 10],
      [50, 100, 52],
      [99, 100, 94],
      [100, 100, 95],
      [0, 0, 95],
      [2 ** 53 - 2, 2 ** 53 - 1, 94],
      [2 ** 53 - 1, 2 ** 53 - 1, 95],
    ];
    expect(cases.map(([bytes, total]) => dataProgress(bytes, total))).toEqual(
      cases.map(([, , progress]) => progress),
    );
  });

  it("D2: keeps its progress when another run finds less committed than there was", () => {
    const again = after(runningAt(60), { kind: "requeued" }, START, { kind: "opened" });
    expect(again.progress).toBe(60);
    const lower = after(again, { kind: "planned", total: TOTAL }, committed(100));
    expect([lower.progress, lower.bytes.committed]).toEqual([60, 100]);
    expect(after(lower, committed(bytesAt(61))).progress).toBe(61);
  });

  it("keeps its times, its runs and its result", () => {
    const done = after(queuedTask(), ...WHOLE);
    expect(done).toMatchObject({ state: "succeeded", stage: "ended", attempts: 1, result: RESULT });
    expect(done.times).toEqual({ acceptedAt: NOW, startedAt: NOW, changedAt: NOW, endedAt: NOW });
    expect(done.run).toBeUndefined();
  });

  it("commits without verifying, too", () => {
    const events = WHOLE.filter(({ kind }) => kind !== "verifying");
    expect(after(queuedTask(), ...events).state).toBe("succeeded");
  });
});

describe("FJ-12 to FJ-17: the states", () => {
  it("are spelled as Fujitsu spells them", () => {
    expect(TASK_STATES).toEqual(["queued", "processing", "cancelling", "canceled", "succeeded", "failed"]);
  });

  it.each<[TaskState, readonly TaskEvent[]]>([
    ["queued", []],
    ["processing", [START]],
    ["cancelling", [START, CANCEL]],
    ["canceled", [CANCEL]],
    ["canceled", [START, CANCEL, { kind: "stopped" }]],
    ["failed", [START, { kind: "failed", failure: FAILURE }]],
    ["succeeded", WHOLE],
    ["queued", [START, { kind: "parked" }]],
    ["queued", [START, { kind: "requeued", setback: FAILURE }]],
    ["cancelling", [START, CANCEL, { kind: "parked" }]],
    ["cancelling", [START, CANCEL, { kind: "requeued" }]],
    ["cancelling", [START, CANCEL, { kind: "parked" }, START]],
  ])("%s is where the events lead (%#)", (state, events) => {
    expect(after(queuedTask(), ...events).state).toBe(state);
  });
});

describe("FJ-27 to FJ-32, D1: where a cancel stops a running task", () => {
  it.each([
    [1, 1, "FJ-28"],
    [5, 5, "FJ-28"],
    [10, 10, "FJ-28"],
    [11, 40, "FJ-29"],
    [25, 40, "FJ-29"],
    [40, 40, "FJ-29"],
    [41, 70, "FJ-30"],
    [70, 70, "FJ-30"],
    [71, 95, "FJ-31"],
    [95, 95, "FJ-31"],
    [96, 96, "D1"],
  ])("accepted at %i %% it stops at %i %% (%s)", (progress, stopAt) => {
    const task = after(runningAt(progress), CANCEL);
    expect([task.state, task.progress, task.cancel]).toEqual([
      "cancelling",
      progress,
      { acceptedAt: NOW, stopAt },
    ]);
    expect(mustStop(task)).toBe(progress === stopAt);
  });

  it("D1: refuses it once the commit has begun", () => {
    expect([97, 98, 99].map((progress) => refusal(runningAt(progress), CANCEL))).toEqual([
      "committing",
      "committing",
      "committing",
    ]);
    const lost = after(runningAt(97), { kind: "requeued" });
    expect([lost.state, refusal(lost, CANCEL)]).toEqual(["queued", "committing"]);
  });

  it("D1: lets no commit begin after it was accepted", () => {
    expect(refusal(after(runningAt(96), CANCEL), { kind: "committing" })).toBe("must-stop");
    expect(refusal(after(runningAt(95), CANCEL), { kind: "sealing" })).toBe("must-stop");
  });

  it.each([
    [11, 40],
    [41, 70],
    [71, 95],
  ])("ends at exactly the line, though one part jumps past it (%i %%)", (progress, line) => {
    const moving = after(runningAt(progress), CANCEL, committed(bytesAt(line - 1)));
    expect([moving.progress, mustStop(moving)]).toEqual([line - 1, false]);
    expect(refusal(moving, { kind: "stopped" })).toBe("before-stop-line");
    const there = after(moving, committed(TOTAL));
    expect([there.progress, mustStop(there), there.bytes.committed]).toEqual([line, true, TOTAL]);
    expect(after(there, { kind: "stopped" })).toMatchObject({ state: "canceled", progress: line });
  });

  it("FJ-28: never gets past 10 %, even when the plan stands meanwhile", () => {
    const task = after(runningAt(5), CANCEL, { kind: "planned", total: TOTAL }, committed(TOTAL));
    expect([task.progress, mustStop(task)]).toEqual([5, true]);
  });

  it("FJ-27: ends at once what has never run", () => {
    expect(after(queuedTask(), CANCEL)).toMatchObject({ state: "canceled", progress: 0 });
  });

  it("FJ-27: lets what waits between two runs get no further, but cleans up first", () => {
    const waiting = after(runningAt(25), { kind: "parked" }, CANCEL);
    expect([waiting.state, waiting.cancel?.stopAt, mustStop(waiting)]).toEqual(["cancelling", 25, true]);
    const cleaning = after(waiting, { kind: "started", runner: "host-1", slots: [] });
    expect([cleaning.state, cleaning.progress]).toEqual(["cancelling", 25]);
    expect(after(cleaning, { kind: "stopped" })).toMatchObject({ state: "canceled", progress: 25 });
  });

  it("FJ-25: stops where it stands what cannot go on to its line", () => {
    const short = after(runningAt(25), CANCEL, { kind: "cut-short", failure: FAILURE });
    expect(short).toMatchObject({ state: "cancelling", progress: 25, setback: FAILURE });
    expect([short.cancel, mustStop(short)]).toEqual([{ acceptedAt: NOW, stopAt: 25 }, true]);
    expect(after(short, { kind: "stopped" })).toMatchObject({ state: "canceled", progress: 25 });
    expect(refusal(runningAt(25), { kind: "cut-short", failure: FAILURE })).toBe("not-cancelling");
  });

  it("survives the loss of the run: the next one goes on to the same line", () => {
    const again = after(
      runningAt(25),
      CANCEL,
      { kind: "requeued" },
      START,
      { kind: "opened" },
      { kind: "planned", total: TOTAL },
      committed(bytesAt(50)),
    );
    expect([again.state, again.progress, mustStop(again)]).toEqual(["cancelling", 40, true]);
  });
});

describe("what is refused", () => {
  const done = after(queuedTask(), ...WHOLE);
  const failed = after(runningAt(25), { kind: "failed", failure: FAILURE });
  const canceled = after(queuedTask(), CANCEL);

  it("FJ-23: a cancel of what has ended", () => {
    expect([done, failed, canceled].map((task) => refusal(task, CANCEL))).toEqual([
      "finished",
      "finished",
      "finished",
    ]);
  });

  it("FJ-24: a second cancel", () => {
    expect(refusal(after(runningAt(25), CANCEL), CANCEL)).toBe("already-cancelling");
    expect(refusal(after(runningAt(25), CANCEL, { kind: "parked" }), CANCEL)).toBe("already-cancelling");
  });

  it("FJ-25: success after a cancel", () => {
    const task = after(runningAt(25), CANCEL);
    expect(refusal(task, { kind: "succeeded", result: RESULT })).toBe("out-of-order");
  });

  it("a stop that nobody asked for", () => {
    expect(refusal(runningAt(40), { kind: "stopped" })).toBe("not-cancelling");
  });

  it("a second run at the same time, and events of no run", () => {
    expect(refusal(runningAt(25), START)).toBe("already-running");
    expect(refusal(queuedTask(), committed(1))).toBe("not-running");
    expect(refusal(queuedTask(), { kind: "parked" })).toBe("not-running");
  });

  it.each<[number, TaskEvent]>([
    [1, { kind: "planned", total: 1 }],
    [5, committed(1)],
    [10, { kind: "opened" }],
    [25, { kind: "committing" }],
    [96, { kind: "succeeded", result: RESULT }],
    [97, { kind: "succeeded", result: RESULT }],
    [97, committed(1)],
    [10, { kind: "verifying" }],
    [10, { kind: "cataloguing" }],
  ])("at %i %%, a step out of order (%#)", (progress, event) => {
    expect(refusal(runningAt(progress), event)).toBe("out-of-order");
  });
});

describe("a task that is queued again", () => {
  it("says why, and when it may start", () => {
    const task = after(runningAt(25), { kind: "requeued", setback: FAILURE, notBefore: NOW + 5000 });
    expect(task).toMatchObject({
      state: "queued",
      stage: "waiting",
      setback: FAILURE,
      notBefore: NOW + 5000,
    });
    expect(task.run).toBeUndefined();
    const started = after(task, START);
    expect([started.attempts, started.notBefore, started.progress]).toEqual([2, undefined, 25]);
  });

  it("waits no longer once it is cancelled", () => {
    const task = after(runningAt(25), { kind: "requeued", setback: FAILURE, notBefore: NOW + 1_800_000 });
    expect(after(task, CANCEL).notBefore).toBeUndefined();
  });

  it("counts its setbacks since it last got further", () => {
    const setback: TaskEvent = { kind: "requeued", setback: FAILURE };
    const again = (bytes: number): TaskEvent[] => [
      START,
      { kind: "opened" },
      { kind: "planned", total: TOTAL },
      committed(bytes),
      setback,
    ];
    const stuck = after(runningAt(25), setback, START, setback, ...again(0), ...again(bytesAt(25)));
    expect(stuck.setbacks).toBe(4);
    const further = after(stuck, ...again(bytesAt(25) + 1));
    expect(further.setbacks).toBe(1);
    expect(after(further, ...again(100), ...again(bytesAt(25))).setbacks).toBe(3);
  });

  it("forgets its setback when it succeeds", () => {
    const task = after(runningAt(25), { kind: "requeued", setback: FAILURE });
    expect(after(task, ...WHOLE).setback).toBeUndefined();
  });

  it("may be limited at any time before its end", () => {
    expect(after(queuedTask(), { kind: "limited", bandwidth: 1000 }).bandwidth).toBe(1000);
    expect(after(runningAt(25), { kind: "limited", bandwidth: 0 }).bandwidth).toBe(0);
  });
});
