/** What becomes of tasks whose record refuses what their runs tell it. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import type { TaskEvent } from "../../src/task/step.ts";
import { noise } from "../oracle/disk.ts";
import { partGate } from "./gate.ts";
import { exportOf, type Harbour, harbour, PART } from "./harbour.ts";

let quay: Harbour;
let scheduler: Scheduler;

beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("east", "stored"), noise(20 * PART));
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

async function expectNothingLeft(): Promise<void> {
  await scheduler.drain(60_000);
  expect(quay.files("quay", "state")).toEqual([]);
}

describe("a record that fails for good", () => {
  let onRefusal = (_kind: TaskEvent["kind"]): void => {};
  /** From now on it refuses these events, as if they could not be written. @returns what ends that */
  function refusing(...kinds: readonly TaskEvent["kind"][]): () => void {
    const real = quay.record;
    const refused = new Set(kinds);
    quay.record = {
      ...real,
      async apply(task, event, at) {
        if (!refused.has(event.kind)) return real.apply(task, event, at);
        onRefusal(event.kind);
        throw new Fault("INTERNAL", `${event.kind} cannot be written`);
      },
    };
    return () => refused.clear();
  }

  it("ends the task where the record takes the end", async () => {
    refusing("sealing");
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    expect(await quay.ended(id)).toMatchObject({
      state: "failed",
      attempts: 1,
      failure: { code: "INTERNAL", message: expect.stringContaining("sealing cannot be written") },
    });
    await expectNothingLeft();
  });

  it("has the task run again where it does not even take that", async () => {
    const accept = refusing("succeeded", "failed");
    scheduler = await quay.start();
    quay.freeze();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    const waiting = await quay.until(id, ({ setback }) => setback !== undefined);
    expect(waiting).toMatchObject({
      state: "queued",
      setbacks: 1,
      setback: { code: "INTERNAL", message: expect.stringContaining("could not be recorded") },
    });
    expect((waiting.notBefore ?? 0) - waiting.times.changedAt).toBe(2500);
    expect([quay.outcomes, await quay.record.slotsInUse()]).toEqual([["lost"], []]);
    accept();
    quay.later(2500);
    scheduler.wake();
    expect(await quay.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 });
  });

  it("is asked again for as long as it takes nothing at all, and says so once", async () => {
    const accept = refusing("sealing", "failed", "requeued");
    const often = Promise.withResolvers<void>();
    let asked = 0;
    onRefusal = (kind) => {
      if (kind === "requeued") asked += 1;
      if (asked === 3) often.resolve();
      else scheduler.wake();
    };
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await often.promise;
    accept();
    scheduler.wake();
    await quay.until(id, ({ setbacks }) => setbacks === 1);
    quay.later(60_000);
    scheduler.wake();
    expect((await quay.ended(id)).state).toBe("succeeded");
    expect(quay.notes.filter(({ event }) => event === "task-kept")).toHaveLength(1);
  });

  it("carries a cancel out that the run could not bring to its end", async () => {
    const accept = refusing("stopped");
    const gate = partGate(3);
    quay.before = (destination) => gate.before(destination);
    const lost = Promise.withResolvers<void>();
    quay.onNote = (event) => event === "run-lost" && lost.resolve();
    scheduler = await quay.start();
    const { id } = await quay.accept(exportOf("east-a", ["out.raw"]));
    await quay.until(id, ({ progress }) => progress > 11);
    await quay.cancel(id);
    gate.allow(Number.POSITIVE_INFINITY);
    await lost.promise;
    accept();
    await quay.until(id, ({ stage }) => stage === "waiting");
    quay.later(60_000);
    scheduler.wake();
    expect((await quay.ended(id)).state).toBe("canceled");
    await expectNothingLeft();
  });
});
