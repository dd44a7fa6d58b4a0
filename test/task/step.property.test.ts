import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRefusal, mustStop, step, type TaskEvent } from "../../src/task/step.ts";
import { isFinal, type Task } from "../../src/task/task.ts";
import { CANCEL, committed, FAILURE, NOW, queuedTask, RESULT, START, TOTAL } from "./tasks.ts";

/** Mostly the way forward, so that the sequences get far; the rest at any time. */
const events: fc.Arbitrary<readonly TaskEvent[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: TOTAL }).map(committed) },
    { weight: 3, arbitrary: fc.constant<TaskEvent>(START) },
    { weight: 3, arbitrary: fc.constant<TaskEvent>({ kind: "opened" }) },
    { weight: 3, arbitrary: fc.constantFrom<TaskEvent>({ kind: "planned", total: TOTAL }) },
    {
      weight: 4,
      arbitrary: fc.constantFrom<TaskEvent>(
        { kind: "sealing" },
        { kind: "committing" },
        { kind: "verifying" },
        { kind: "cataloguing" },
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom<TaskEvent>(CANCEL, { kind: "parked" }, { kind: "requeued" }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<TaskEvent>(
        { kind: "stopped" },
        { kind: "succeeded", result: RESULT },
        { kind: "failed", failure: FAILURE },
        { kind: "cut-short", failure: FAILURE },
        { kind: "limited", bandwidth: 5 },
      ),
    },
  ),
  { maxLength: 60 },
);

/** Every task on the way, the refused events left out. */
function way(sequence: readonly TaskEvent[]): Task[] {
  const tasks = [queuedTask()];
  for (const event of sequence) {
    const before = tasks[tasks.length - 1] as Task;
    const outcome = step(before, event, NOW);
    if (!isRefusal(outcome)) tasks.push(outcome);
  }
  return tasks;
}

const pairs = (tasks: readonly Task[]) =>
  tasks.slice(1).map((task, index) => [tasks[index] as Task, task] as const);

const always = (holds: (before: Task, now: Task) => void) =>
  fc.assert(
    fc.property(events, (sequence) => {
      for (const [before, now] of pairs(way(sequence))) holds(before, now);
    }),
    { numRuns: 2000 },
  );

describe("whatever happens to a task", () => {
  it("progress is an integer from 0 to 100 and never falls", () => {
    always((before, now) => {
      expect(Number.isInteger(now.progress) && now.progress <= 100).toBe(true);
      expect(now.progress).toBeGreaterThanOrEqual(before.progress);
    });
  });

  it("what has ended stays as it is", () => {
    always((before) => expect(isFinal(before.state)).toBe(false));
  });

  it("an accepted cancel stays, its line never rises, and progress never passes it", () => {
    always((before, now) => {
      if (before.cancel !== undefined) {
        expect(now.cancel?.acceptedAt).toBe(before.cancel.acceptedAt);
        expect(now.cancel?.stopAt).toBeLessThanOrEqual(before.cancel.stopAt);
      }
      if (now.cancel !== undefined) expect(now.progress).toBeLessThanOrEqual(now.cancel.stopAt);
    });
  });

  it("a cancelled task is cancelling until it is canceled or has failed; no result is published", () => {
    always((_, now) => {
      if (now.cancel === undefined) expect(["cancelling", "canceled"]).not.toContain(now.state);
      else expect(["cancelling", "canceled", "failed"]).toContain(now.state);
    });
  });

  it("a canceled task stands exactly on its line", () => {
    always((_, now) => {
      if (now.state === "canceled") expect([now.progress, mustStop(now)]).toEqual([now.cancel?.stopAt, true]);
    });
  });

  it("somebody runs what is processing, and nobody runs what is queued or has ended", () => {
    always((_, now) => {
      if (now.state === "processing") expect(now.run).toBeDefined();
      if (now.state === "queued" || isFinal(now.state)) expect(now.run).toBeUndefined();
    });
  });
});
