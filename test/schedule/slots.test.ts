/** CP-16 and D3 with real copies, checked from the event log: no region ever takes part in more than it has slots for. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Slots } from "../../src/catalog/region.ts";
import type { RecordedEvent } from "../../src/record/event.ts";
import type { Task } from "../../src/task/task.ts";
import { noise } from "../oracle/disk.ts";
import { type Gate, partGate } from "./gate.ts";
import { copyOf, type Harbour, harbour, PART } from "./harbour.ts";

let quay: Harbour;
let gate: Gate;

beforeEach(async () => {
  quay = await harbour();
  gate = partGate(0);
  quay.before = (destination) => gate.before(destination);
});
afterEach(async () => {
  await quay[Symbol.asyncDispose]();
});

const PAIRS = ["east west", "west north", "north east", "east east"].map((pair) => pair.split(" "));

async function acceptCopies(count: number): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (let n = 0; n < count; n += 1) {
    const [from = "", to = ""] = PAIRS[n % PAIRS.length] ?? [];
    const source = `${from}-${n}`;
    writeFileSync(quay.path(from, source), noise(4 * PART, n + 1));
    await quay.stored(source, "raw", source);
    tasks.push(await quay.accept(copyOf(source, `${to}-made-${n}`, "raw")));
  }
  return tasks;
}

/** Runs in each region after each event. */
function inUse(events: readonly RecordedEvent[], region: string): number[] {
  const running = new Set<string>();
  return events.map(({ task, event }) => {
    if (event.kind === "started" && event.slots.includes(region)) running.add(task);
    if (["succeeded", "failed", "stopped", "parked", "requeued"].includes(event.kind)) running.delete(task);
    return running.size;
  });
}

async function setSlots(copy: number): Promise<void> {
  const { regions } = quay.record.catalogue;
  for (const { entry, version } of await regions.list({ limit: 10 })) {
    const slots: Slots = { ...entry.slots, copy };
    await regions.replace({ ...entry, slots }, version);
  }
}

describe("twelve copies over three regions", () => {
  it("never take more than five slots of any, in order of acceptance, and all get through", async () => {
    const tasks = await acceptCopies(12);
    await quay.start();
    // As many as find slots: 0 to 6 fill the east, and 9 finds the last one of west and north.
    for (const n of [0, 1, 2, 3, 4, 5, 6, 9])
      await quay.until(tasks[n]?.id ?? "", ({ run }) => run !== undefined);
    expect(await quay.record.countTasks({ states: ["processing"] })).toBe(8);
    gate.allow(Number.POSITIVE_INFINITY);
    for (const { id } of tasks) expect((await quay.ended(id)).state).toBe("succeeded");
    const events = await quay.events();
    for (const region of ["east", "west", "north"]) {
      const counts = inUse(events, region);
      expect(Math.max(...counts)).toBeLessThanOrEqual(5);
      expect(counts.at(-1)).toBe(0);
    }
    expect(Math.max(...inUse(events, "east"))).toBe(5);
    expect(await quay.record.slotsInUse()).toEqual([]);
  });

  it("follow limits that are lowered and raised while they run", async () => {
    await setSlots(1);
    const tasks = await acceptCopies(12);
    const scheduler = await quay.start();
    await quay.until(tasks[0]?.id ?? "", ({ stage }) => stage === "data");
    const most = async (region: string, from: number) => {
      const counts = inUse(await quay.events(), region);
      return Math.max(...counts.slice(from));
    };
    expect(await most("east", 0)).toBe(1);

    const raisedAt = (await quay.events()).length;
    await setSlots(3);
    scheduler.wake();
    // Copies 0, 2 and 3 fill the east; 1 is the other one between west and north.
    for (const n of [1, 2, 3]) await quay.until(tasks[n]?.id ?? "", ({ run }) => run !== undefined);
    expect(await most("east", raisedAt)).toBe(3);

    await setSlots(2);
    const loweredAt = (await quay.events()).length;
    scheduler.wake();
    gate.allow(Number.POSITIVE_INFINITY);
    for (const { id } of tasks) expect((await quay.ended(id)).state).toBe("succeeded");
    const counts = inUse(await quay.events(), "east");
    // Those that run go on; from the moment on that they are fewer than the new limit, no more than that run.
    const below = counts.findIndex((count, index) => index >= loweredAt && count < 2);
    expect(below).toBeGreaterThan(-1);
    expect(Math.max(...counts.slice(below))).toBe(2);
  });
});
