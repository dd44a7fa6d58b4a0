/** FJ-23 to FJ-32 and D1 with real transfers, whose parts a gate holds: where a cancelled task stops, and what it leaves. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../../src/fault/fault.ts";
import type { Scheduler } from "../../src/schedule/scheduler.ts";
import type { TaskEvent } from "../../src/task/step.ts";
import type { Task } from "../../src/task/task.ts";
import { noise } from "../oracle/disk.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, exportOf, type Harbour, harbour, importOf, never, PART } from "./harbour.ts";
import { holdEvent } from "./hold-event.ts";

/** One slot is one percent: D2's 85 percents of the data stage. */
const disk = noise(85 * PART);

let quay: Harbour;
let gate: Gate;
let scheduler: Scheduler;

beforeEach(async () => {
  quay = await harbour();
  writeFileSync(quay.path("east", "stored"), disk);
  writeFileSync(quay.path("yard", "disk.raw"), disk);
  await quay.stored("east-a", "raw", "stored");
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

async function begin(parts: number): Promise<void> {
  gate = partGate(parts);
  quay.before = (destination) => gate.before(destination);
  scheduler = await quay.start();
}

const exported = () => quay.accept(exportOf("east-a", ["out.raw"]));
const at = (progress: number) => (task: Task) => task.progress === progress;

/** Nothing of the task in its destination, its folder, its image store, or the catalogue. */
async function expectNothingLeft(): Promise<void> {
  await scheduler.drain(60_000);
  expect(quay.files("quay", "west", "north", "state")).toEqual([]);
  expect(quay.files("east")).toEqual(["east/stored"]);
  expect((await quay.record.catalogue.images.list({ limit: 10 })).map(({ entry }) => entry.id)).toEqual([
    "east-a",
  ]);
  expect(await quay.record.slotsInUse()).toEqual([]);
}

const CASES: readonly { readonly cancelAt: number; readonly stopsAt: number; readonly rule: string }[] = [
  { cancelAt: 10, stopsAt: 10, rule: "FJ-28" },
  { cancelAt: 11, stopsAt: 40, rule: "FJ-29" },
  { cancelAt: 39, stopsAt: 40, rule: "FJ-29" },
  { cancelAt: 40, stopsAt: 40, rule: "FJ-29" },
  { cancelAt: 41, stopsAt: 70, rule: "FJ-30" },
  { cancelAt: 70, stopsAt: 70, rule: "FJ-30" },
  { cancelAt: 71, stopsAt: 95, rule: "FJ-31" },
  { cancelAt: 94, stopsAt: 95, rule: "FJ-31" },
];

describe("a cancel", () => {
  it("of a task that waits ends it at once, at 0 (FJ-27)", async () => {
    await begin(0);
    await scheduler.drain(0);
    const { id } = await exported();
    expect(await quay.cancel(id)).toMatchObject({ state: "canceled", progress: 0, attempts: 0 });
    expect((await quay.events(id)).map(({ event }) => event.kind)).toEqual(["accepted", "cancel-accepted"]);
    await expectNothingLeft();
  });

  it.each(CASES)("at $cancelAt stops at exactly $stopsAt ($rule)", async ({ cancelAt, stopsAt }) => {
    await begin(cancelAt - 10);
    const { id } = await exported();
    await quay.until(id, at(cancelAt));
    expect(await quay.cancel(id)).toMatchObject({ state: "cancelling", cancel: { stopAt: stopsAt } });
    gate.allow(Number.POSITIVE_INFINITY);
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: stopsAt });

    const states = (await quay.events(id)).map(({ after }) => after.state);
    expect(states.lastIndexOf("processing")).toBeLessThan(states.indexOf("cancelling"));
    expect(states.filter((state) => state === "canceled").length).toBe(1);
    const percents = (await quay.events(id)).map(({ after }) => after.progress);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(Math.max(...percents)).toBe(stopsAt);
    expect((await quay.events(id)).map(({ event }) => event.kind)).not.toContain("sealing");
    await expectNothingLeft();
    expect(quay.cancels).toMatchObject([{ stopAt: stopsAt }]);
    expect(quay.outcomes).toEqual(["canceled"]);
  });

  it.each(CASES.filter(({ cancelAt, stopsAt }) => cancelAt === stopsAt))(
    "at $cancelAt lets no part through that still waits ($rule)",
    async ({ cancelAt }) => {
      await begin(cancelAt - 10);
      const { id } = await exported();
      await quay.until(id, at(cancelAt));
      await gate.waiting(1);
      await quay.cancel(id);
      expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: cancelAt });
      expect(gate.passed).toBe(cancelAt - 10);
      await expectNothingLeft();
    },
  );

  it("lets progress go on while the task is cancelling, up to the line", async () => {
    await begin(1);
    const { id } = await exported();
    await quay.until(id, at(11));
    await quay.cancel(id);
    gate.allow(10);
    expect(await quay.until(id, at(21))).toMatchObject({ state: "cancelling", stage: "data" });
    await expect(quay.cancel(id)).rejects.toThrow("already-cancelling"); // FJ-24
    gate.allow(Number.POSITIVE_INFINITY);
    expect((await quay.ended(id)).progress).toBe(40);
    await expectNothingLeft();
  });

  const LATE: readonly {
    readonly progress: number;
    readonly before: TaskEvent["kind"];
    readonly rule: string;
  }[] = [
    { progress: 95, before: "sealing", rule: "FJ-31" },
    { progress: 96, before: "committing", rule: "D1" },
  ];
  it.each(LATE)("at $progress keeps the run from $before ($rule)", async ({ progress, before }) => {
    const real = quay.record;
    const held = holdEvent(real, before, never);
    quay.record = held.record;
    await begin(Number.POSITIVE_INFINITY);
    const { id } = await exported();
    await held.reached;
    expect((await real.task(id))?.progress).toBe(progress);
    expect(quay.files("quay")).toEqual(["quay/.out.raw.part"]);
    expect(await quay.cancel(id)).toMatchObject({ cancel: { stopAt: progress } });
    held.release();
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress });
    await expectNothingLeft();
  });

  it.each(["NOT_FOUND", "NETWORK"] as const)(
    "of a task that meets %s before its line stops it where it stands, and it is canceled (FJ-25)",
    async (code) => {
      await begin(1);
      const { id } = await exported();
      await quay.until(id, at(11));
      expect(await quay.cancel(id)).toMatchObject({ cancel: { stopAt: 40 } });
      await scheduler.drain(0);
      const { places } = quay;
      let broken = true;
      quay.places = {
        ...places,
        async destination(...asked) {
          if (!broken) return places.destination(...asked);
          broken = false;
          throw new Fault(code, "the store is not there");
        },
      };
      await begin(Number.POSITIVE_INFINITY);
      expect(await quay.ended(id)).toMatchObject({
        state: "canceled",
        progress: 11,
        cancel: { stopAt: 11 },
        setback: { code, stage: "opening" },
      });
      expect(gate.passed).toBe(0);
      await expectNothingLeft();
    },
  );

  it("is refused once the commit has begun, and the task succeeds (D1)", async () => {
    const held = holdEvent(quay.record, "cataloguing", never);
    quay.record = held.record;
    await begin(Number.POSITIVE_INFINITY);
    const { id } = await exported();
    await held.reached;
    await expect(quay.cancel(id)).rejects.toThrow("committing");
    held.release();
    expect((await quay.ended(id)).state).toBe("succeeded");
  });

  it.each([
    ["an import", () => quay.accept(importOf(["disk.raw"], "east-made"))],
    ["a copy", () => quay.accept(copyOf("east-a", "west-made", "raw"))],
  ] as const)("of %s removes the image that was being made", async (_name, accept) => {
    await begin(31);
    const { id } = await accept();
    await quay.until(id, at(41));
    expect((await quay.record.catalogue.images.list({ limit: 10 })).length).toBe(2);
    await quay.cancel(id);
    gate.allow(Number.POSITIVE_INFINITY);
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: 70 });
    await expectNothingLeft();
  });

  it("of an image of several disks leaves none of its objects", async () => {
    writeFileSync(quay.path("east", "stored-2"), disk);
    const { id: source } = await quay.stored("east-two", "raw", "stored", "stored-2");
    const real = quay.record;
    const held = holdEvent(real, "committing", never);
    quay.record = held.record;
    await begin(Number.POSITIVE_INFINITY);
    const { id } = await quay.accept(exportOf(source, ["one.raw", "two.raw"]));
    await held.reached;
    expect(quay.files("quay").sort()).toEqual(["quay/.one.raw.part", "quay/.two.raw.part"]);
    await quay.cancel(id);
    held.release();
    expect(await quay.ended(id)).toMatchObject({ state: "canceled", progress: 96 });
    await scheduler.drain(60_000);
    expect(quay.files("quay", "state")).toEqual([]);
  });
});
